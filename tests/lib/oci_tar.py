#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oci_tar.py OUT.tar NAME PROGRAM [TEXT [KEY=VALUE...]]: an image archive for `ctr image import` and `podman load` whose one
file, /app, is PROGRAM; prints the digest. TEXT makes another image of it; KEY=VALUE are annotations of its manifest."""
import hashlib
import io
import json
import platform
import sys
import tarfile


def main():
    out, name, program = sys.argv[1:4]
    text = sys.argv[4] if len(sys.argv) > 4 else name
    annotations = dict(pair.split("=", 1) for pair in sys.argv[5:])
    blobs = {}

    def blob(data):
        digest = hashlib.sha256(data).hexdigest()
        blobs["blobs/sha256/" + digest] = data
        return {"digest": "sha256:" + digest, "size": len(data)}

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        info = tarfile.TarInfo("app")
        data = open(program, "rb").read()
        info.size, info.mode = len(data), 0o755
        tar.addfile(info, io.BytesIO(data))
    layer_blob = blob(layer.getvalue())
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    config = blob(json.dumps({"architecture": arch, "os": "linux", "config": {"Entrypoint": ["/app"], "Env": ["NAME=" + text]},
                              "rootfs": {"type": "layers", "diff_ids": [layer_blob["digest"]]}}).encode())
    manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
                                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer_blob}],
                                **({"annotations": annotations} if annotations else {})}).encode())
    index = {"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest,
                                                "annotations": {"io.containerd.image.name": name}}]}
    blobs["index.json"] = json.dumps(index).encode()
    blobs["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    with tarfile.open(out, "w") as tar:
        for path, data in blobs.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    print(manifest["digest"])


main()
