# SPDX-License-Identifier: Apache-2.0
"""--json: what each command gives to machines is what pullguard(1), JSON OUTPUT, says, member by member."""
import os
import re
import subprocess
import time

from harness import BUILD, VECTORS, Root, main, want
from node import VERIFIER
from registry import Registry

REGISTRY = Registry(os.path.join(VECTORS, "registry"))
HOST = REGISTRY.host
KEY = os.path.join(VECTORS, "keys/cosign.pub")
DIGEST = "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
# Maps whose names are somebody else's.
FREE = {"annotations", "extensions", "entry"}
# Given in circumstances that these runs do not have.
RARE = {"attestation", "problem", "sct", "canary", "outcome", "image", "digest", "reason", "runtime", "image-afterwards", "action",
        "key", "notBefore", "notAfter", "path", "state", "error"}


def policy(name, glob, authority):
    return ("apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: %s}\nspec:\n  images: [{glob: \"%s\"}]\n"
            "  authorities:\n    - %s\n" % (name, glob, authority))


def described():
    """Command -> the names that the manual lists for it."""
    with open(os.path.join(BUILD, "packaging/man/pullguard.1"), encoding="utf-8") as file:
        section = file.read().split(".Sh JSON OUTPUT\n", 1)[1].split("\n.Sh ", 1)[0]
    found = {}
    for item in re.split(r"^\.It Cm ", section, flags=re.M)[1:]:
        head, body = item.split("\n", 1)
        names = set()
        for line in re.findall(r"^\.Li (.*)$", body, re.M):
            names |= set(re.findall(r"[A-Za-z_][A-Za-z0-9_-]*", line))
        for command in re.split(r" , ", head):
            found[command.strip()] = names
    return found


def names_in(value, path="", into=None):
    into = {} if into is None else into
    if isinstance(value, dict):
        for name, member in value.items():
            into.setdefault(name, path + "." + name)
            if name not in FREE:
                names_in(member, path + "." + name, into)
    elif isinstance(value, list):
        for member in value:
            names_in(member, path, into)
    return into


def outputs():
    """(command, document) of runs that show as much as can be."""
    with Root() as root:
        root.copy(KEY, "/etc/pullguard/keys/cosign.pub")
        root.copy(os.path.join(VECTORS, "keys/mock_trusted_root.json"), "/etc/pullguard/trust/mock.json")
        root.write("/etc/pullguard/pullguard.yaml", "audit: /audit.jsonl\n")
        root.write("/etc/pullguard/policy.d/a.yaml", policy("legacy", HOST + "/demo/legacy", "key: {path: cosign.pub}"))
        root.write("/etc/pullguard/policy.d/b.yaml", policy("keyless", HOST + "/demo/kl-*", """keyless:
        trustRootRef: mock
        identities: [{issuer: "https://token.actions.githubusercontent.com", subjectRegExp: ".*"}]
      ctlog: {trustRootRef: mock}"""))
        root.write("/etc/pullguard/policy.d/c.yaml", policy("attested", HOST + "/demo/att-*", """key: {path: cosign.pub}
      attestations: [{name: any, predicateType: custom}]"""))
        root.write("/audit.jsonl", "")
        os.makedirs(root.at("/var/lib/pullguard"))
        bad = root.write("/bad.yaml", "kind: [")
        odd = root.write("/odd.yaml", policy("odd", "**", "key: {path: cosign.pub}"))
        evidence = root.at("/evidence")
        runs = [
            ("check", [HOST + "/demo/legacy:v1"]), ("check", [HOST + "/demo/nosig:v1"]), ("check", [HOST + "/nothing:v1"]),
            ("check", [HOST + "/demo/kl-bundle-r1:v1"]), ("check", [HOST + "/demo/kl-legacy:v1"]),
            ("check", ["--save-evidence", evidence, HOST + "/demo/legacy:v1"]), ("check", ["--cached", HOST + "/demo/legacy:v1"]),
            ("replay", [evidence]), ("collect", [HOST + "/demo/legacy:v1", HOST + "/nothing:v1", "--to", root.at("/store")]),
            ("policy lint", []), ("policy lint", [bad]), ("policy lint", [odd]),
            ("policy explain", [HOST + "/demo/legacy:v1"]), ("policy explain", [HOST + "/demo/kl-legacy:v1"]),
            ("policy explain", [HOST + "/demo/att-x:v1"]), ("policy explain", ["--policy", bad, "x"]),
            ("doctor", []), ("status", []), ("trust show", []),
            ("node-key rotate", []), ("node-key show", []), ("audit verify", []), ("cache list", []), ("cache renew", []), ("cache clear", []), ("version", []),
        ]
        for command, arguments in runs:
            if command == "cache list":
                time.sleep(3.1)  # what is decided by files changed this very moment is not kept
                subprocess.run([VERIFIER, "--root", root.path, "-name", HOST + "/demo/legacy:v1", "-digest", DIGEST], check=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            if command == "cache renew":  # other rules: what was verified is stale
                root.write("/etc/pullguard/policy.d/d.yaml", policy("more", HOST + "/demo/legacy", "key: {path: cosign.pub}"))
            result = root.run(*command.split(), "--json", *arguments)
            try:
                yield command, arguments, result.json()
            except ValueError:
                want(result.code != 0 and result.out == "" and result.err != "", "%s %s: no JSON" % (command, arguments), result)


def test_what_is_given_is_what_the_manual_says():
    known, seen = described(), {}
    for command, arguments, document in outputs():
        allowed = known[command] | (known["report"] if command in ("check", "replay") else set())
        found = names_in(document)
        seen.setdefault(command, set()).update(found)
        surplus = {name: place for name, place in found.items() if name not in allowed}
        want(not surplus, "%s %s: not in the manual: %s" % (command, arguments, surplus))
    seen["check"] |= seen["replay"]
    seen["report"] = seen["check"]
    missing = {command: names - seen.get(command, names) - RARE for command, names in known.items()}
    want(not any(missing.values()), "in the manual, never given: %s" % {c: n for c, n in missing.items() if n})
    want({"node-key show", "node-key rotate"} <= set(seen), "a key that was made is shown")
    want(len(seen) > 12, "commands: %s" % sorted(seen))


if __name__ == "__main__":
    main(globals())
