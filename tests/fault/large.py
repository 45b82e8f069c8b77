#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Large attestations, pulled: a 64 MiB SBOM is let through within the pull's deadline and in bounded memory; slow, longer,
shorter and boundless ones are stopped with their reason, in time.

usage: large.py BUILD-DIR SOURCE-DIR
"""
import base64
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run  # noqa: E402
from run import Node, allows, check, denies, pull  # noqa: E402

MIB = 1024 * 1024
IMAGE = "sha256:" + "ab" * 32
# The judge holds the envelope, the decoded statement and its tree; a signed tree may have six million nodes.
PEAKS = []
PEAK_MIB, FLOOD_PEAK_MIB = 400, 700
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
POLICY = """apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: sbom}
spec:
  images: [{glob: "**"}]
  authorities:
    - key: {path: large.pub}
      attestations:
        - name: sbom
          predicateType: cyclonedx
          pullguard: {conditions: [{path: "predicate.components[0].name", equals: package-0}]}
"""


class Object:
    """A blob as it is served: `body` again and again up to `length`, after `announced` as Content-Length."""

    def __init__(self, body, length=None, announced=None, per_second=None):
        self.body, self.per_second, self.asked = body, per_second, 0
        self.length = len(body) if length is None else length
        self.announced = self.length if announced is None else announced


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    manifests, blobs = {}, {}

    def log_message(self, *args):
        pass

    def send(self, blob):
        blob.asked += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(blob.announced))
        self.end_headers()
        sent, body = 0, memoryview(blob.body)
        most = blob.per_second // 10 if blob.per_second else len(body)
        try:
            while sent < blob.length:
                start = sent % len(body)
                part = body[start:start + min(most, blob.length - sent)]
                self.wfile.write(part)
                sent += len(part)
                if blob.per_second:
                    time.sleep(0.1)
        except OSError:
            pass # what was too much was not waited for
        self.close_connection = True

    def do_GET(self):
        name = self.path.rsplit("/", 1)[1]
        if "/blobs/" in self.path and name in self.blobs:
            self.send(self.blobs[name])
            return
        body = self.manifests.get(name, b"{}")
        self.send_response(200 if name in self.manifests else 404)
        self.send_header("Content-Type", MANIFEST)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def offer(blob, size=None, digest=None):
    """The image has one attestation in the tag layout, of this size as its descriptor says."""
    digest = digest or "sha256:" + hashlib.sha256(blob.body).hexdigest()
    layer = {"mediaType": "application/vnd.dsse.envelope.v1+json", "digest": digest, "size": blob.length if size is None else size,
             "annotations": {"dev.cosignproject.cosign/signature": "", "predicateType": "https://cyclonedx.org/bom"}}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer],
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": IMAGE, "size": 2}}
    Registry.manifests = {IMAGE.replace(":", "-") + ".att": json.dumps(manifest).encode()}
    Registry.blobs = {digest: blob}


def statement(size):
    """A CycloneDX statement of about that many bytes."""
    out = ['{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"a","digest":{"sha256":"' + IMAGE[7:] + '"}}],'
           '"predicateType":"https://cyclonedx.org/bom","predicate":{"bomFormat":"CycloneDX","components":[']
    left, number = size, 0
    while left > 0:
        text = (f'{"," if number else ""}{{"type":"library","name":"package-{number}","version":"1.{number}","purl":'
                f'"pkg:deb/debian/package-{number}@1.{number}?arch=amd64","hashes":[{{"alg":"SHA-256","content":"{number:064x}"}}]}}')
        out.append(text)
        left -= len(text)
        number += 1
    return ("".join(out) + "]}}").encode()


def envelope(key, payload):
    kind = b"application/vnd.in-toto+json"
    pae = b"DSSEv1 %d %s %d " % (len(kind), kind, len(payload)) + payload
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=pae, stdout=subprocess.PIPE, check=True).stdout
    return json.dumps({"payloadType": kind.decode(), "payload": base64.b64encode(payload).decode(),
                       "signatures": [{"keyid": "", "sig": base64.b64encode(signature).decode()}]}).encode()


# A process of its own between us and the adapter: a child's peak begins with its parent's size.
WEIGH = """import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as out:
    out.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)"""


def timed(*extra):
    """A pull, its seconds, and the peak of its largest process."""
    note = NODE.root + "/peak"
    started = time.time()
    result = pull(NODE, "large/app", IMAGE, extra=extra, wrap=[sys.executable, "-c", WEIGH, note])
    took = time.time() - started
    with open(note) as text:
        peak = int(text.read()) / 1024
    PEAKS.append(peak)
    if "--verbose" in sys.argv:
        print(f"     {took:.2f} s, {peak:.0f} MiB")
    return result, took


def peak_is_below(name, limit):
    """Of the largest process since the last time."""
    check(f"{name}: memory is bounded ({limit} MiB)", max(PEAKS) < limit, f"{max(PEAKS):.0f} MiB")
    PEAKS.clear()


def test_slow_and_lying():
    million = b"x" * MIB
    for name, blob, size, reason, words, most in [
            ("1 MiB a second", Object(million, 60 * MIB, per_second=MIB), None, "timeout", "", 2.6),
            ("one byte a second", Object(million, 60 * MIB, per_second=10), None, "timeout", "", 2.6),
            ("ends early", Object(million, MIB, announced=60 * MIB), 60 * MIB, "fetch_failed", "", 2.6),
            ("announces 2^62 bytes", Object(million, 60 * MIB, announced=2 ** 62), MIB, "limit", "", 2.6),
            ("longer than its descriptor says", Object(million, 200 * MIB), MIB, "limit", "", 2.6)]:
        offer(blob, size)
        result, took = timed("--deadline-ms", "2000")
        denies(f"large attestation, {name}", result, reason, words)
        check(f"large attestation, {name}: in time", took < most, took)
    peak_is_below("slow and lying", 100)


def test_too_large():
    blob = Object(b"x", 1)
    offer(blob, 128 * MIB + 1)
    result, took = timed()
    denies("descriptor of more than 128 MiB", result, "limit", "134217728")
    check("descriptor of more than 128 MiB: not asked for", blob.asked == 0 and took < 2, (blob.asked, took))


def test_sbom(key):
    good = envelope(key, statement(64 * MIB))
    offer(Object(good))
    result, took = timed()
    allows("64 MiB SBOM", result)
    check("64 MiB SBOM: within the pull's deadline", took < 8, took)
    peak_is_below("64 MiB SBOM", PEAK_MIB)
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1 if bad[len(bad) // 2] not in b"`@" else 3
    offer(Object(bytes(bad)))
    denies("64 MiB SBOM with one character changed", timed()[0], "wrong_key")
    offer(Object(bytes(bad)), digest="sha256:" + hashlib.sha256(good).hexdigest())
    denies("64 MiB SBOM, not the bytes of its digest", timed()[0], "digest_mismatch")
    NODE.write("policy.d/demo.yaml", POLICY.replace("package-0", "package-1"))
    offer(Object(good))
    denies("64 MiB SBOM that does not meet a condition", timed()[0], "attestation_condition", "package-1")
    NODE.write("policy.d/demo.yaml", POLICY)


def test_floods(key):
    text = b'{"_type":"https://in-toto.io/Statement/v0.1","predicate":[' + b"0," * (30 * MIB) + b"0]}"
    offer(Object(envelope(key, text)))
    denies("signed statement of 30 million numbers", timed()[0], "limit")
    offer(Object(b"[" * (64 * MIB)))
    denies("envelope that nests 67 million times", timed()[0], "limit")
    offer(Object(b"[" + b"{}," * (20 * MIB) + b"{}]"))
    denies("envelope of 20 million maps", timed()[0], "limit")
    peak_is_below("floods", FLOOD_PEAK_MIB)


if os.geteuid() != 0 or not shutil.which("openssl"):
    print("0 passed, 0 failed (not run: needs root and openssl)")
    sys.exit(77)
SERVER = run.Server(("127.0.0.1", 0), Registry)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
run.PORT = SERVER.server_address[1]
with Node("cache: {enabled: false}\n") as NODE, tempfile.TemporaryDirectory() as folder:
    KEY = folder + "/key.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", KEY], check=True)
    subprocess.run(["openssl", "pkey", "-in", KEY, "-pubout", "-out", NODE.conf + "/keys/large.pub"], check=True)
    NODE.write("policy.d/demo.yaml", POLICY)
    test_slow_and_lying()
    test_too_large()
    test_sbom(KEY)
    test_floods(KEY)
print(f"{run.passed} passed, {run.failed} failed")
sys.exit(1 if run.failed else 0)
