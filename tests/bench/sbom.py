#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sbom.py MIB: a CycloneDX document of about that size on standard output, components as a scanner of packages lists them."""
import hashlib
import json
import sys


def component(number):
    name, version = f"package-{number}", f"{number % 9}.{number % 100}.{number % 7}-{number % 5}"
    return {
        "bom-ref": f"pkg:deb/debian/{name}@{version}?arch=amd64&distro=debian-12",
        "type": "library",
        "name": name,
        "version": version,
        "publisher": "Some Maintainers <maintainers@distribution.example>",
        "licenses": [{"license": {"id": ["Apache-2.0", "MIT", "GPL-2.0-only", "BSD-3-Clause"][number % 4]}}],
        "purl": f"pkg:deb/debian/{name}@{version}?arch=amd64&distro=debian-12",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(name.encode()).hexdigest()}],
        "properties": [{"name": "scanner:location:0:path", "value": f"/usr/share/doc/{name}/copyright"},
                       {"name": "scanner:metadata:installedSize", "value": str(number * 37 % 100000)}],
    }


def main():
    left = int(sys.argv[1]) * 1024 * 1024
    sys.stdout.write('{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[')
    number = 0
    while left > 0:
        text = json.dumps(component(number), separators=(",", ":"))
        sys.stdout.write(("," if number else "") + text)
        left -= len(text) + 1
        number += 1
    sys.stdout.write("]}\n")


main()
