# SPDX-License-Identifier: Apache-2.0
"""verify-blob, verify-blob-attestation, verify-bundle: no engine, no registry, the judge's sandbox."""
import base64
import hashlib
import json
import os
import subprocess

from harness import VECTORS, Root, main, want, want_code, want_text

KEYS = os.path.join(VECTORS, "keys")
KEY = KEYS + "/cosign.pub"
ROOT = KEYS + "/mock_trusted_root.json"
IMAGE = "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
KEYLESS = ["--certificate-identity", "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main",
           "--certificate-oidc-issuer", "https://token.actions.githubusercontent.com", "--trusted-root", ROOT]


def bundles(repository):
    folder = os.path.join(VECTORS, "registry", repository, "blobs")
    found = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        if b"application/vnd.dev.sigstore.bundle" in data[:200]:
            found.append(os.path.join(folder, name))
    return found


def run(*arguments, **options):
    with Root() as root:
        return root.run(*arguments, **options)


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


class Signed:
    """A file, a key, and what openssl signs with it."""

    def __init__(self, root, text=b"an artifact\n"):
        self.root, self.text = root, text
        self.file = root.write("/artifact", text)
        self.private = root.write("/k.pem", openssl("ecparam", "-genkey", "-noout", "-name", "prime256v1"))
        self.public = root.write("/k.pub", openssl("ec", "-in", self.private, "-pubout"))
        self.signature = openssl("dgst", "-sha256", "-sign", self.private, self.file)

    def bundle(self, **changes):
        value = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": base64.b64encode(hashlib.sha256(
                openssl("ec", "-in", self.private, "-pubout", "-outform", "DER")).digest()).decode()}},
            "messageSignature": {"messageDigest": {"algorithm": "SHA2_256", "digest": base64.b64encode(
                hashlib.sha256(self.text).digest()).decode()}, "signature": base64.b64encode(self.signature).decode()}}
        value.update(changes)
        return self.root.write("/bundle.json", json.dumps(value))


def test_detached_signatures():
    with Root() as root:
        signed = Signed(root)
        text = base64.b64encode(signed.signature)
        for path in (root.write("/s.b64", text), root.write("/s.nl", text + b"\n"), root.write("/s.raw", signed.signature)):
            result = root.run("verify-blob", "--key", signed.public, "--insecure-ignore-tlog", "--signature", path, signed.file)
            want_code(result, 0)
            want(result.err == "Verified OK\n" and result.out == "", "words", result)
        want_code(root.run("verify-blob", "--key", signed.public, "--insecure-ignore-tlog", "--signature", text.decode(),
                           signed.file), 0)
        want_code(root.run("verify-blob", "--key", signed.public, "--insecure-ignore-tlog", "--signature", text.decode(),
                           "-", stdin=signed.text), 0)


def test_detached_refusals():
    with Root() as root:
        signed = Signed(root)
        text = base64.b64encode(signed.signature).decode()
        other = root.write("/other", b"another artifact\n")
        base = ["verify-blob", "--insecure-ignore-tlog"]
        result = root.run(*base, "--key", signed.public, "--signature", text, other)
        want_code(result, 1)
        want_text(result.err, "wrong_key", result)
        want_code(root.run(*base, "--key", KEY, "--signature", text, signed.file), 1)
        for broken in (text[:-8], text[:20] + "A" + text[21:], "!!!!"):
            want(root.run(*base, "--key", signed.public, "--signature", broken, signed.file).code == 1, broken)
        want_code(root.run(*base, "--key", signed.public, "--signature", text, "/nonexistent"), 2)
        want_code(root.run(*base, "--key", signed.public, signed.file), 2)
        want_code(root.run(*base, "--key", signed.public, "--bundle", other, "--signature", text, signed.file), 2)
        # Without --insecure-ignore-tlog a log entry is wanted, and a detached signature has none.
        result = root.run("verify-blob", "--key", signed.public, "--trusted-root", ROOT, "--signature", text, signed.file)
        want_code(result, 1)
        want_text(result.err, "no_log_entry", result)


def test_message_signature_bundles():
    with Root() as root:
        signed = Signed(root)
        base = ["--key", signed.public, "--insecure-ignore-tlog", "--bundle"]
        path = signed.bundle()
        want_code(root.run("verify-blob", *base, path, signed.file), 0)
        want_code(root.run("verify-bundle", *base, path, signed.file), 0)
        digest = "sha256:" + hashlib.sha256(signed.text).hexdigest()
        want_code(root.run("verify-bundle", *base, path, digest), 0)
        want_code(root.run("verify-bundle", *base, path, "sha256:" + "0" * 64), 1)
        want_code(root.run("verify-bundle", *base, path, "sha256:0"), 2)
        for changes in ({"mediaType": "application/vnd.dev.sigstore.bundle.v9+json"}, {"messageSignature": None},
                        {"verificationMaterial": {}}, {"extra": 1}):
            result = root.run("verify-blob", *base, signed.bundle(**changes), signed.file)
            want(result.code == 1, "%s" % changes, result)


def test_conformance_bundles():
    for repository, flags in (("demo/bundle", ["--key", KEY, "--insecure-ignore-tlog"]),
                              ("demo/att-bundle", ["--key", KEY, "--insecure-ignore-tlog"]),
                              ("demo/key-bundle-r1", ["--key", KEY, "--trusted-root", ROOT]),
                              ("demo/key-bundle-r2", ["--key", KEY, "--trusted-root", ROOT]),
                              ("demo/kl-bundle-r1", KEYLESS), ("demo/kl-bundle-r2", KEYLESS),
                              ("demo/kl-att-r1", KEYLESS), ("demo/kl-att-r2", KEYLESS)):
        found = bundles(repository)
        want(found, repository)
        for path in found:
            want_code(run("verify-bundle", "--bundle", path, *flags, IMAGE), 0)
            want_code(run("verify-bundle", "--bundle", path, *flags, "sha256:" + "1" * 64), 1)
            want_code(run("verify-bundle", "--bundle", path, "--key", KEYS + "/prime256v1.pub", "--insecure-ignore-tlog", IMAGE), 1)


def test_conformance_refuses_other_identities():
    path = bundles("demo/kl-bundle-r1")[0]
    for index, value in ((1, "https://github.com/other"), (3, "https://issuer.example.com")):
        flags = list(KEYLESS)
        flags[index] = value
        result = run("verify-bundle", "--bundle", path, *flags, IMAGE)
        want_code(result, 1)
        want_text(result.err, "wrong_identity", result)


def test_blob_attestations():
    types = {"cyclonedx": 0, "custom": 0}
    for path in bundles("demo/att-bundle"):
        for name in types:
            code = run("verify-blob-attestation", "--bundle", path, "--key", KEY, "--insecure-ignore-tlog", "--type", name,
                       "--digest", IMAGE).code
            types[name] += code == 0
    want(types == {"cyclonedx": 1, "custom": 1}, "%s" % types)
    want_code(run("verify-blob-attestation", "--bundle", path, "--key", KEY, "--insecure-ignore-tlog"), 2)


def test_truncated_and_hostile_bundles():
    with open(bundles("demo/kl-bundle-r1")[0], "rb") as file:
        good = file.read()
    with Root() as root:
        for broken in (b"", good[:-1], good[:200], good + b"x", b"{" * 5000, b"[]", b"null", good.replace(b'"mediaType"', b'"mediaType\x00"')):
            path = root.write("/b.json", broken)
            result = root.run("verify-bundle", "--bundle", path, *KEYLESS, IMAGE)
            want(result.code in (1, 2) and result.err, "%r" % broken[:40], result)


if __name__ == "__main__":
    main(globals())
