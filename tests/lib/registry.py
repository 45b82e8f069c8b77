#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tests put into a registry, without any other program.

registry.py load DIR HOST:PORT [REPOSITORY...]     replay stored repositories (tests/vectors/*/registry), digests unchanged
registry.py image HOST:PORT/REPO:TAG               push a tiny image, print its digest
    --text TEXT            what its one file says (so images differ)
    --platforms LIST       an index over linux/amd64,linux/arm64,... ; prints the index's digest
    --layer-bytes N        a layer of that size
registry.py copy FROM TO                           copy what one name holds under another name, same digest
registry.py layout DIR --text TEXT                 write the image as an OCI layout, print its digest
Options for all: --user NAME:PASSWORD, --cafile FILE (then HTTPS).
"""
import argparse
import base64
import gzip
import hashlib
import io
import json
import os
import ssl
import sys
import tarfile
import urllib.error
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ACCEPT = ", ".join([MANIFEST, INDEX, "application/vnd.docker.distribution.manifest.v2+json",
                    "application/vnd.docker.distribution.manifest.list.v2+json"])


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self, host, user=None, cafile=None):
        self.base = ("https://" if cafile else "http://") + host + "/v2/"
        self.headers = {}
        if user:
            self.headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        handlers = [urllib.request.ProxyHandler({})]
        if cafile:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=cafile)))
        self.opener = urllib.request.build_opener(*handlers)

    def call(self, method, url, data=None, **headers):
        if not url.startswith("http"):
            url = self.base + url
        send = dict(self.headers)
        send.update({k.replace("_", "-"): v for k, v in headers.items()})
        request = urllib.request.Request(url, data=data, method=method, headers=send)
        return self.opener.open(request, timeout=30)

    def push_blob(self, repo, data):
        digest = sha256(data)
        try:
            self.call("HEAD", f"{repo}/blobs/{digest}")
            return digest
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
        place = self.call("POST", f"{repo}/blobs/uploads/", b"").headers["Location"]
        if place.startswith("/"):
            place = self.base[:-len("/v2/")] + place
        place += ("&" if "?" in place else "?") + "digest=" + digest
        self.call("PUT", place, data, Content_Type="application/octet-stream")
        return digest

    def push_manifest(self, repo, reference, data, kind):
        self.call("PUT", f"{repo}/manifests/{reference}", data, Content_Type=kind)
        return sha256(data)

    def get_manifest(self, repo, reference):
        answer = self.call("GET", f"{repo}/manifests/{reference}", Accept=ACCEPT)
        return answer.read(), answer.headers["Content-Type"]

    def get_blob(self, repo, digest):
        return self.call("GET", f"{repo}/blobs/{digest}").read()


def dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


def make_image(text, platform, layer_bytes=0):
    """(manifest, [blobs]) of an image with one file; the same input gives the same digest."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        body = (text + "\n").encode()
        if layer_bytes:
            # Not compressible, yet the same each time.
            body = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(layer_bytes // 32 + 1))[:layer_bytes]
        member = tarfile.TarInfo("hello.txt")
        member.size = len(body)
        tar.addfile(member, io.BytesIO(body))
    layer = gzip.compress(raw.getvalue(), 1, mtime=0)
    system, arch = platform.split("/")[:2]
    config = dump({"architecture": arch, "os": system, "config": {"Cmd": ["/hello"]},
                   "rootfs": {"type": "layers", "diff_ids": [sha256(raw.getvalue())]}})
    manifest = dump({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": sha256(config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": sha256(layer), "size": len(layer)}],
    })
    return manifest, [config, layer]


def make_index(manifests):
    entries = []
    for platform, manifest in manifests:
        system, arch = platform.split("/")[:2]
        entries.append({"mediaType": MANIFEST, "digest": sha256(manifest), "size": len(manifest),
                        "platform": {"os": system, "architecture": arch}})
    return dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


def split_name(name):
    host, rest = name.split("/", 1)
    if "@" in rest:
        repo, reference = rest.split("@", 1)
    elif ":" in rest:
        repo, reference = rest.rsplit(":", 1)
    else:
        repo, reference = rest, "latest"
    return host, repo, reference


def cmd_image(args):
    host, repo, tag = split_name(args.name)
    registry = Registry(host, args.user, args.cafile)
    made = []
    for platform in (args.platforms or "linux/amd64").split(","):
        manifest, blobs = make_image(args.text, platform, args.layer_bytes)
        for blob in blobs:
            registry.push_blob(repo, blob)
        made.append((platform, manifest))
    if args.platforms:
        for _, manifest in made:
            registry.push_manifest(repo, sha256(manifest), manifest, MANIFEST)
        print(registry.push_manifest(repo, tag, make_index(made), INDEX))
    else:
        print(registry.push_manifest(repo, tag, made[0][1], MANIFEST))


def cmd_layout(args):
    manifest, blobs = make_image(args.text, "linux/amd64", args.layer_bytes)
    folder = os.path.join(args.dir, "blobs", "sha256")
    os.makedirs(folder, exist_ok=True)
    for blob in blobs + [manifest]:
        with open(os.path.join(folder, sha256(blob)[7:]), "wb") as out:
            out.write(blob)
    entry = {"mediaType": MANIFEST, "digest": sha256(manifest), "size": len(manifest),
             "annotations": {"org.opencontainers.image.ref.name": "v1"}}
    for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}),
                        ("index.json", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})):
        with open(os.path.join(args.dir, name), "wb") as out:
            out.write(dump(value))
    print(sha256(manifest))


def stored_file(folder, kind, digest):
    name = digest.replace(":", "-") + (".json" if kind == "manifests" else "")
    with open(os.path.join(folder, kind, name), "rb") as data:
        return data.read()


def load_repository(registry, folder, repo):
    with open(os.path.join(folder, "index.json"), encoding="utf-8") as text:
        index = json.load(text)
    for digest in index["blobs"]:
        registry.push_blob(repo, stored_file(folder, "blobs", digest))
    waiting = {d: stored_file(folder, "manifests", d) for d in index["manifests"]}
    # An index goes in only after the manifests it names: repeat until all are in.
    while waiting:
        before = len(waiting)
        for digest, data in list(waiting.items()):
            try:
                registry.push_manifest(repo, digest, data, index["manifests"][digest]["contentType"])
                del waiting[digest]
            except urllib.error.HTTPError as error:
                if error.code not in (400, 404):
                    raise
        if len(waiting) == before:
            raise SystemExit(f"{repo}: the registry refuses {', '.join(waiting)}")
    for tag, digest in index["tags"].items():
        registry.push_manifest(repo, tag, stored_file(folder, "manifests", digest),
                               index["manifests"][digest]["contentType"])


def cmd_load(args):
    registry = Registry(args.host, args.user, args.cafile)
    count = 0
    for folder, folders, files in sorted(os.walk(args.dir)):
        repo = os.path.relpath(folder, args.dir)
        if "index.json" in files and (not args.repositories or repo in args.repositories):
            load_repository(registry, folder, repo)
            count += 1
    print(f"{count} repositories")
    if not count:
        raise SystemExit(1)


def copy_manifest(source, from_repo, target, to_repo, reference, tag):
    data, kind = source.get_manifest(from_repo, reference)
    tree = json.loads(data)
    for child in tree.get("manifests", []):
        copy_manifest(source, from_repo, target, to_repo, child["digest"], None)
    for part in [tree.get("config")] + tree.get("layers", []):
        if part:
            target.push_blob(to_repo, source.get_blob(from_repo, part["digest"]))
    return target.push_manifest(to_repo, tag or sha256(data), data, kind)


def cmd_copy(args):
    from_host, from_repo, reference = split_name(args.name)
    to_host, to_repo, tag = split_name(args.to)
    print(copy_manifest(Registry(from_host, args.user, args.cafile), from_repo,
                        Registry(to_host, args.user, args.cafile), to_repo, reference, tag))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--user")
    shared.add_argument("--cafile")
    shared.add_argument("--text", default="hello")
    shared.add_argument("--layer-bytes", type=int, default=0)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("load", parents=[shared])
    one.add_argument("dir")
    one.add_argument("host")
    one.add_argument("repositories", nargs="*")
    one.set_defaults(run=cmd_load)
    one = commands.add_parser("image", parents=[shared])
    one.add_argument("name")
    one.add_argument("--platforms")
    one.set_defaults(run=cmd_image)
    one = commands.add_parser("copy", parents=[shared])
    one.add_argument("name")
    one.add_argument("to")
    one.set_defaults(run=cmd_copy)
    one = commands.add_parser("layout", parents=[shared])
    one.add_argument("dir")
    one.set_defaults(run=cmd_layout)
    args = parser.parse_args()
    try:
        args.run(args)
    except urllib.error.HTTPError as error:
        sys.exit(f"registry.py: {error.url}: {error.code} {error.read()[:300]!r}")
    except OSError as error:
        sys.exit(f"registry.py: {error}")


main()
