#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A TUF repository that a test makes and changes; keys by openssl, server on loopback.

tuf_repository.py FIRST_ROOT ADDRESS: writes its first root and its address to these files and serves it until it is killed; a
POST publishes the next version.
"""
import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors/cosign-3.1.1/keys/mock_trusted_root.json"), "rb") as TARGET_FILE:
    TARGET = TARGET_FILE.read()


def canonical(value):
    """OLPC canonical JSON: what TUF signs."""
    if isinstance(value, dict):
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return json.dumps(value)


LOCK = threading.Lock()
KEY_FILES = tempfile.TemporaryDirectory(prefix="pg-tuf-keys-")


class Key:
    """ECDSA P-256, or RSA-PSS with a salt as openssl calls it ("digest", "max", a number)."""

    def __init__(self, salt=None):
        self.salt = salt
        with tempfile.NamedTemporaryFile(dir=KEY_FILES.name, delete=False) as file:
            self.path = file.name
        algorithm = ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if salt else ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        subprocess.run(["openssl", "genpkey", "-quiet", "-out", self.path, "-algorithm", *algorithm], check=True)
        public = subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout"], check=True, capture_output=True).stdout.decode()
        names = ("rsa", "rsassa-pss-sha256") if salt else ("ecdsa", "ecdsa-sha2-nistp256")
        self.value = {"keytype": names[0], "scheme": names[1], "keyval": {"public": public}}
        self.id = hashlib.sha256(canonical(self.value).encode()).hexdigest()

    def sign(self, data):
        padding = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:" + self.salt] if self.salt not in (None, "pkcs1") else []
        return subprocess.run(["openssl", "dgst", "-sha256", *padding, "-sign", self.path], input=data, check=True,
                              capture_output=True).stdout.hex()


KEYS = {role: Key() for role in ("root", "root2", "timestamp", "snapshot", "targets", "stranger", "delegated")}


class Repository:
    def __init__(self):
        self.files = {}
        self.target = TARGET
        self.root_version = 0
        self.signers = ["root"]
        self.versions = {"timestamp": 1, "snapshot": 1, "targets": 1}
        self.expires = "2036-01-01T00:00:00Z"
        self.delegate = False
        self.new_root()
        self.publish()

    def signed(self, body, *signers):
        data = canonical(body).encode()
        return json.dumps({"signed": body, "signatures": [{"keyid": KEYS[name].id, "sig": KEYS[name].sign(data)}
                                                           for name in signers]}).encode()

    def new_root(self, *signers, **changes):
        self.root_version += 1
        roles = {"root": self.signers, "timestamp": ["timestamp"], "snapshot": ["snapshot"], "targets": ["targets"]}
        body = {"_type": "root", "spec_version": "1.0.31", "version": self.root_version, "expires": self.expires,
                "consistent_snapshot": True,
                "keys": {KEYS[name].id: KEYS[name].value for names in roles.values() for name in names},
                "roles": {role: {"keyids": [KEYS[name].id for name in names], "threshold": 1} for role, names in roles.items()}}
        body.update(changes)
        self.files["%d.root.json" % self.root_version] = self.signed(body, *(signers or self.signers))

    def publish(self, **changes):
        digest = hashlib.sha256(self.target).hexdigest()
        targets = {"_type": "targets", "spec_version": "1.0.31", "version": self.versions["targets"], "expires": self.expires,
                   "targets": {"trusted_root.json": {"length": len(self.target), "hashes": {"sha256": digest}}}}
        self.others = {}
        if self.delegate:
            self.publish_delegated(targets, **changes)
        targets.update(changes.get("targets", {}))
        self.files["%d.targets.json" % self.versions["targets"]] = self.signed(targets, changes.get("targets_by", "targets"))
        self.files["targets/%s.trusted_root.json" % digest] = changes.get("content", self.target)
        snapshot = {"_type": "snapshot", "spec_version": "1.0.31", "version": self.versions["snapshot"], "expires": self.expires,
                    "meta": {"targets.json": {"version": self.versions["targets"]}, **self.others}}
        self.files["%d.snapshot.json" % self.versions["snapshot"]] = self.signed(snapshot, changes.get("snapshot_by", "snapshot"))
        timestamp = {"_type": "timestamp", "spec_version": "1.0.31", "version": self.versions["timestamp"], "expires": self.expires,
                     "meta": {"snapshot.json": {"version": self.versions["snapshot"]}}}
        timestamp.update(changes.get("timestamp", {}))
        self.files["timestamp.json"] = self.signed(timestamp, changes.get("timestamp_by", "timestamp"))

    def publish_delegated(self, targets, **changes):
        """The target is named by the delegated role "images", of the key "delegated", alone."""
        role = dict(targets, version=changes.get("delegated_version", 1))
        self.files["1.images.json"] = self.signed(role, changes.get("delegated_by", "delegated"))
        self.others = {"images.json": {"version": 1}}
        targets["targets"] = {}
        targets["delegations"] = {"keys": {KEYS["delegated"].id: KEYS["delegated"].value}, "roles": [
            {"name": "images", "keyids": [KEYS["delegated"].id], "threshold": 1, "terminating": True, "paths": ["trusted_*.json"]}]}

    def step(self):
        for role in self.versions:
            self.versions[role] += 1


class Server:
    def __init__(self, repository):
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_POST(self):
                """What a person does at a repository: the next version, with another target."""
                with LOCK:
                    repository = self.server.repository
                    repository.target += b"\n"
                    repository.step()
                    repository.publish()
                self.send_response(204)
                self.end_headers()

            def do_GET(self):
                self.server.requests.append(self.path.replace("/repo/", "", 1))
                body = self.server.repository.files.get(self.path.replace("/repo/", "", 1))
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                try:
                    for byte in body[:40] if self.server.slow else b"":
                        self.wfile.write(bytes((byte,)))
                        time.sleep(1)
                    self.wfile.write(body or b"")
                except BrokenPipeError:
                    pass  # the client has seen enough

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.repository = repository
        self.server.requests = []
        self.server.slow = False
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/repo" % self.server.server_port

    def asked(self):
        return self.server.requests

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def serve(first_root, address):
    repository = Repository()
    with Server(repository) as server:
        with open(first_root, "wb") as file:
            file.write(repository.files["1.root.json"])
        with open(address + ".new", "w", encoding="ascii") as file:
            file.write(server.url)
        os.rename(address + ".new", address)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.pause()


if __name__ == "__main__":
    serve(*sys.argv[1:])
