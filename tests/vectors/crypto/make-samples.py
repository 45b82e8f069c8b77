#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes apart the keyless samples of ../cosign-3.1.1 into samples/: one file per thing that crypto/ verifies."""
import base64
import glob
import json
import os

here = os.path.dirname(os.path.abspath(__file__))
source = os.path.join(here, "..", "cosign-3.1.1")
target = os.path.join(here, "samples")
os.makedirs(target, exist_ok=True)


def put(name, data):
    with open(os.path.join(target, name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def layers(repository):
    base = os.path.join(source, "registry", "demo", repository)
    for path in sorted(glob.glob(base + "/manifests/*.json")):
        with open(path, "rb") as file:
            manifest = json.load(file)
        for layer in manifest.get("layers", []):
            blob = os.path.join(base, "blobs", layer["digest"].replace(":", "-"))
            if "bundle" in layer["mediaType"] or "simplesigning" in layer["mediaType"]:
                with open(blob, "rb") as file:
                    yield layer, file.read()


def bundle(repository, name):
    for layer, data in layers(repository):
        if "bundle" not in layer["mediaType"]:
            continue
        material = json.loads(data)["verificationMaterial"]
        envelope = json.loads(data).get("dsseEnvelope")
        put(name + ".dsse.json", json.dumps(envelope, separators=(",", ":")))
        put(name + ".sig", base64.b64decode(envelope["signatures"][0]["sig"]))
        if "certificate" in material:
            put(name + ".der", base64.b64decode(material["certificate"]["rawBytes"]))
        for entry in material.get("tlogEntries", []):
            proof = entry["inclusionProof"]
            put(name + ".checkpoint", proof["checkpoint"]["envelope"])
            put(name + ".body", base64.b64decode(entry["canonicalizedBody"]))
            put(name + ".hashes", b"".join(base64.b64decode(h) for h in proof["hashes"]))
            if "inclusionPromise" in entry:
                put(name + ".set", base64.b64decode(entry["inclusionPromise"]["signedEntryTimestamp"]))
            put(name + ".numbers", "%s %s %s %s\n" % (entry["logIndex"], proof["logIndex"], proof["treeSize"],
                                                       entry.get("integratedTime", 0)))
        for stamp in material.get("timestampVerificationData", {}).get("rfc3161Timestamps", []):
            put(name + ".tsr", base64.b64decode(stamp["signedTimestamp"]))


def legacy(repository, name):
    for layer, data in layers(repository):
        notes = layer.get("annotations", {})
        if "dev.cosignproject.cosign/signature" not in notes:
            continue
        put(name + ".payload", data)
        put(name + ".sig", base64.b64decode(notes["dev.cosignproject.cosign/signature"]))
        if "dev.sigstore.cosign/certificate" in notes:
            put(name + ".pem", notes["dev.sigstore.cosign/certificate"])
        if "dev.sigstore.cosign/rfc3161timestamp" in notes:
            put(name + ".tsr", base64.b64decode(json.loads(notes["dev.sigstore.cosign/rfc3161timestamp"])
                                                ["SignedRFC3161Timestamp"]))


bundle("kl-bundle-r1", "r1")
bundle("kl-bundle-r2", "r2")
bundle("key-bundle-r1", "key-r1")
legacy("kl-legacy-tsa", "legacy-tsa")
legacy("legacy", "legacy")
with open(os.path.join(source, "keys", "mock_trusted_root.json"), "rb") as file:
    root = json.load(file)
for number, log in enumerate(root["tlogs"], 1):
    put("rekor-v%d.spki" % number, base64.b64decode(log["publicKey"]["rawBytes"]))
    put("rekor-v%d.id" % number, base64.b64decode(log["logId"]["keyId"]))
put("ctlog.spki", base64.b64decode(root["ctlogs"][0]["publicKey"]["rawBytes"]))
put("ctlog.id", base64.b64decode(root["ctlogs"][0]["logId"]["keyId"]))
put("fulcio.der", base64.b64decode(root["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"]))
for number, certificate in enumerate(root["timestampAuthorities"][0]["certChain"]["certificates"]):
    put("tsa-%d.der" % number, base64.b64decode(certificate["rawBytes"]))
