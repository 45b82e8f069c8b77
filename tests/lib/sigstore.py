#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for Sigstore's services on loopback: Fulcio (v1 and v2 API, with a certificate transparency log behind it),
Rekor v1, Rekor v2 and a timestamp authority, each with fresh keys.

sigstore.py serve DIR     writes DIR/trusted_root.json, DIR/sc-{v1,v1tsa,v2}.json (signing configurations), DIR/token (an identity
                          token that these stand-ins take without asking who signed it) and DIR/port, then serves for ever
"""
import base64
import hashlib
import http.server
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

IDENTITY = "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
FULCIO_ARC = "1.3.6.1.4.1.57264.1."
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
REKOR1 = "rekor1.test"
REKOR2 = "rekor2.test"


def b64(data):
    return base64.b64encode(data).decode()


def sha256(data):
    return hashlib.sha256(data).digest()


def canonical(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def der(cert):
    return cert.public_bytes(serialization.Encoding.DER)


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def sign(key, data):
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def utf8(text):
    raw = text.encode()
    assert len(raw) < 128 or len(raw) < 256
    return b"\x0c" + (bytes([len(raw)]) if len(raw) < 128 else b"\x81" + bytes([len(raw)])) + raw


def name(common):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "pullguard tests"), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def when(seconds):
    return datetime.datetime.utcfromtimestamp(seconds)


def certificate(subject, public, issuer, issuer_key, begin, end, extensions):
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
               .serial_number(x509.random_serial_number()).not_valid_before(when(begin)).not_valid_after(when(end)))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder, builder.sign(issuer_key, hashes.SHA256())


def usage(**on):
    flags = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                           "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    flags.update(on)
    return x509.KeyUsage(**flags)


class Authority:
    """A root and an intermediate below it."""

    def __init__(self, common, purpose):
        self.start = int(time.time()) - 3600
        end = self.start + 10 * 365 * 86400
        root_key, self.key = new_key(), new_key()
        ca = [(x509.BasicConstraints(True, None), True), (usage(key_cert_sign=True, crl_sign=True), True)]
        _, self.root = certificate(name(common + " root"), root_key.public_key(), name(common + " root"), root_key, self.start, end,
                                   ca + [(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), False)])
        _, self.cert = certificate(name(common), self.key.public_key(), name(common + " root"), root_key, self.start, end,
                                   ca + [(x509.ExtendedKeyUsage([purpose]), False),
                                         (x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False),
                                         (x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False)])


class CertificateLog:
    def __init__(self):
        self.key = new_key()
        self.id = sha256(spki(self.key))

    def sct(self, tbs, issuer_key):
        """RFC 6962 section 3.2, precert_entry; the signed structure repeats what the SCT carries."""
        stamp = int(time.time() * 1000)
        signed = (b"\0\0" + struct.pack(">QH", stamp, 1) + sha256(spki(issuer_key)) + len(tbs).to_bytes(3, "big") + tbs + b"\0\0")
        signature = sign(self.key, signed)
        return b"\0" + self.id + struct.pack(">QH", stamp, 0) + b"\4\3" + struct.pack(">H", len(signature)) + signature


class Fulcio:
    def __init__(self):
        self.authority = Authority("pullguard test fulcio", ExtendedKeyUsageOID.CODE_SIGNING)
        self.log = CertificateLog()

    def issue(self, public, claims):
        now = int(time.time())
        identity, issuer = claims.get("sub", IDENTITY), claims.get("iss", ISSUER)
        san = x509.RFC822Name(identity) if "@" in identity and "://" not in identity else x509.UniformResourceIdentifier(identity)
        extensions = [
            (usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
            (x509.SubjectKeyIdentifier.from_public_key(public), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.key.public_key()), False),
            (x509.SubjectAlternativeName([san]), True),
        ]
        raw = {"1": issuer, "2": claims.get("event_name"), "3": claims.get("sha"), "4": claims.get("workflow"),
               "5": claims.get("repository"), "6": claims.get("ref")}
        for arc, value in raw.items():
            if value:
                extensions.append((x509.UnrecognizedExtension(x509.ObjectIdentifier(FULCIO_ARC + arc), value.encode()), False))
        extensions.append((x509.UnrecognizedExtension(x509.ObjectIdentifier(FULCIO_ARC + "8"), utf8(issuer)), False))
        builder, first = certificate(x509.Name([]), public, self.authority.cert.subject, self.authority.key, now, now + 600, extensions)
        sct = self.log.sct(first.tbs_certificate_bytes, self.authority.key)
        listed = struct.pack(">HH", len(sct) + 2, len(sct)) + sct
        listed = b"\x04" + (bytes([len(listed)]) if len(listed) < 128 else b"\x81" + bytes([len(listed)])) + listed
        leaf = builder.add_extension(x509.UnrecognizedExtension(SCT_LIST, listed), False).sign(self.authority.key, hashes.SHA256())
        return [leaf, self.authority.cert, self.authority.root]


class MerkleLog:
    def __init__(self):
        self.leaves = []
        self.lock = threading.Lock()

    @staticmethod
    def root(leaves):
        if len(leaves) == 1:
            return leaves[0]
        split = 1 << (len(leaves) - 1).bit_length() - 1
        return sha256(b"\1" + MerkleLog.root(leaves[:split]) + MerkleLog.root(leaves[split:]))

    @staticmethod
    def path(index, leaves):
        if len(leaves) <= 1:
            return []
        split = 1 << (len(leaves) - 1).bit_length() - 1
        if index < split:
            return MerkleLog.path(index, leaves[:split]) + [MerkleLog.root(leaves[split:])]
        return MerkleLog.path(index - split, leaves[split:]) + [MerkleLog.root(leaves[:split])]

    def add(self, body):
        """(index, size, root, path) of the new entry."""
        with self.lock:
            self.leaves.append(sha256(b"\0" + body))
            index = len(self.leaves) - 1
            return index, len(self.leaves), self.root(self.leaves), self.path(index, self.leaves)


def note(origin, size, root, key_name, key_id, signer):
    text = f"{origin}\n{size}\n{b64(root)}\n"
    return f"{text}\n\u2014 {key_name} {b64(key_id + signer(text.encode()))}\n"


class Rekor1:
    OFFSET = 1000  # of the global index to the tree's, as a sharded log has

    def __init__(self):
        self.key = new_key()
        self.id = sha256(spki(self.key))
        self.log = MerkleLog()
        for filler in range(5):
            self.log.add(b"filler %d" % filler)

    @staticmethod
    def body(proposed):
        spec = proposed["spec"]
        if proposed["kind"] == "hashedrekord":
            return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
                "data": {"hash": {k: spec["data"]["hash"][k] for k in ("algorithm", "value")}},
                "signature": {"content": spec["signature"]["content"], "publicKey": {"content": spec["signature"]["publicKey"]["content"]}}}}
        if proposed["kind"] == "dsse":
            envelope_text = spec["proposedContent"]["envelope"]
            envelope = json.loads(envelope_text)
            payload = base64.b64decode(envelope["payload"])
            return {"apiVersion": "0.0.1", "kind": "dsse", "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": sha256(envelope_text.encode()).hex()},
                "payloadHash": {"algorithm": "sha256", "value": sha256(payload).hex()},
                "signatures": [{"signature": envelope["signatures"][0]["sig"], "verifier": spec["proposedContent"]["verifiers"][0]}]}}
        raise ValueError("kind " + proposed["kind"])

    def add(self, proposed):
        body = canonical(self.body(proposed))
        index, size, root, path = self.log.add(body)
        entry = {"body": b64(body), "integratedTime": int(time.time()), "logID": self.id.hex(), "logIndex": index + self.OFFSET}
        promise = sign(self.key, canonical(entry))
        checkpoint = note(f"{REKOR1} - 4711", size, root, REKOR1, self.id[:4], lambda text: sign(self.key, text))
        entry["verification"] = {"signedEntryTimestamp": b64(promise), "inclusionProof": {
            "checkpoint": checkpoint, "hashes": [h.hex() for h in path], "logIndex": index, "rootHash": root.hex(), "treeSize": size}}
        return {sha256(body).hex(): entry}


class Rekor2:
    def __init__(self):
        self.key = ed25519.Ed25519PrivateKey.generate()
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.id = sha256(REKOR2.encode() + b"\n\1" + raw)
        self.log = MerkleLog()
        for filler in range(6):
            self.log.add(b"filler %d" % filler)

    def add(self, request):
        wanted = request["hashedRekordRequestV002"]
        verifier = wanted["signature"]["verifier"]
        kept = {"keyDetails": verifier["keyDetails"]}
        for kind in ("x509Certificate", "publicKey"):
            if kind in verifier:
                kept[kind] = {"rawBytes": verifier[kind]["rawBytes"]}
        algorithm = {"PKIX_ECDSA_P384_SHA_384": "SHA2_384", "PKIX_ECDSA_P521_SHA_512": "SHA2_512",
                     "PKIX_ED25519_PH": "SHA2_512"}.get(verifier["keyDetails"], "SHA2_256")
        body = canonical({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
            "data": {"algorithm": algorithm, "digest": wanted["digest"]},
            "signature": {"content": wanted["signature"]["content"], "verifier": kept}}}})
        index, size, root, path = self.log.add(body)
        checkpoint = note(REKOR2, size, root, REKOR2, self.id[:4], self.key.sign)
        return {"logIndex": str(index), "logId": {"keyId": b64(self.id)}, "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
                "integratedTime": "0", "canonicalizedBody": b64(body), "inclusionProof": {
                    "logIndex": str(index), "rootHash": b64(root), "treeSize": str(size), "hashes": [b64(h) for h in path],
                    "checkpoint": {"envelope": checkpoint}}}


class TimestampAuthority:
    """`openssl ts` with a leaf below an authority of its own."""

    def __init__(self, folder):
        self.authority = Authority("pullguard test tsa", ExtendedKeyUsageOID.TIME_STAMPING)
        key = new_key()
        begin = self.authority.start
        _, self.leaf = certificate(name("pullguard test tsa leaf"), key.public_key(), self.authority.cert.subject, self.authority.key, begin,
                                   begin + 5 * 365 * 86400,
                                   [(x509.BasicConstraints(False, None), True), (usage(digital_signature=True), True),
                                    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True),
                                    (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
                                    (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.key.public_key()), False)])
        self.folder = folder
        self.lock = threading.Lock()
        with open(f"{folder}/tsa.key", "wb") as out:
            out.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        with open(f"{folder}/tsa.crt", "w", encoding="ascii") as out:
            out.write(pem(self.leaf))
        with open(f"{folder}/tsa.cnf", "w", encoding="ascii") as out:
            out.write(f"""[tsa]
default_tsa = it
[it]
serial = {folder}/tsa.serial
signer_cert = {folder}/tsa.crt
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
""")
        with open(f"{folder}/tsa.serial", "w", encoding="ascii") as out:
            out.write("01\n")

    def reply(self, query):
        with self.lock, tempfile.NamedTemporaryFile() as question, tempfile.NamedTemporaryFile() as answer:
            question.write(query)
            question.flush()
            subprocess.run(["openssl", "ts", "-reply", "-config", f"{self.folder}/tsa.cnf", "-queryfile", question.name, "-out",
                            answer.name], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return answer.read()


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Services:
    def __init__(self, folder):
        self.fulcio, self.rekor1, self.rekor2, self.tsa = Fulcio(), Rekor1(), Rekor2(), TimestampAuthority(folder)

    def trusted_root(self):
        valid = {"start": stamp(time.time() - 3600)}

        def log(url, key, details, key_id):
            return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": {"keyId": b64(key_id)},
                    "publicKey": {"rawBytes": b64(spki(key)), "keyDetails": details, "validFor": valid}}

        def authority(url, common, chain):
            return {"subject": {"organization": "pullguard tests", "commonName": common}, "uri": url, "validFor": valid,
                    "certChain": {"certificates": [{"rawBytes": b64(der(c))} for c in chain]}}
        p256 = "PKIX_ECDSA_P256_SHA_256"
        ca, tsa = self.fulcio.authority, self.tsa.authority
        return {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [log("https://" + REKOR1, self.rekor1.key, p256, self.rekor1.id),
                          log("https://" + REKOR2, self.rekor2.key, "PKIX_ED25519", self.rekor2.id)],
                "certificateAuthorities": [authority("https://fulcio.test", "pullguard test fulcio", [ca.cert, ca.root])],
                "ctlogs": [log("https://ct.test", self.fulcio.log.key, p256, self.fulcio.log.id)],
                "timestampAuthorities": [authority("https://tsa.test", "pullguard test tsa", [self.tsa.leaf, tsa.cert, tsa.root])]}


def signing_config(url, rekor, tsa):
    service = {"validFor": {"start": "2024-01-01T00:00:00Z"}, "operator": "pullguard-tests"}
    config = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
              "caUrls": [dict(service, url=url, majorApiVersion=1)], "oidcUrls": [dict(service, url=url, majorApiVersion=1)],
              "rekorTlogUrls": [dict(service, url=url, majorApiVersion=rekor)], "rekorTlogConfig": {"selector": "ANY"}, "tsaConfig": {}}
    if tsa:
        config["tsaUrls"] = [dict(service, url=url + "/api/v1/timestamp", majorApiVersion=1)]
        config["tsaConfig"] = {"selector": "ANY"}
    return config


def token(identity=IDENTITY, issuer=ISSUER):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    now = int(time.time())
    return ".".join([part({"alg": "none", "typ": "JWT"}), part({
        "iss": issuer, "sub": identity, "aud": "sigstore", "iat": now, "nbf": now - 60, "exp": now + 86400, "event_name": "push",
        "sha": "0123456789abcdef0123456789abcdef01234567", "workflow": "release", "repository": "example/app", "ref": "refs/heads/main"}),
        base64.urlsafe_b64encode(b"none").decode().rstrip("=")])


def token_claims(text):
    part = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def handler(services):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status, body, kind="application/json", **headers):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def chain(self, data):
            request = json.loads(data)
            claims = token_claims(self.headers["Authorization"].split()[1])
            if self.path == "/api/v2/signingCert":
                public = serialization.load_pem_public_key(request["publicKeyRequest"]["publicKey"]["content"].encode())
                certs = services.fulcio.issue(public, claims)
                self.answer(200, json.dumps({"signedCertificateEmbeddedSct": {"chain": {"certificates": [pem(c) for c in certs]}}}).encode())
                return
            public = serialization.load_der_public_key(base64.b64decode(request["publicKey"]["content"]))
            self.answer(201, "".join(pem(c) for c in services.fulcio.issue(public, claims)).encode(), "application/pem-certificate-chain")

        def do_POST(self):  # pylint: disable=invalid-name
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                if self.path.endswith("/signingCert"):
                    self.chain(data)
                elif self.path == "/api/v1/log/entries":
                    entry = services.rekor1.add(json.loads(data))
                    uuid = list(entry)[0]
                    self.answer(201, json.dumps(entry).encode(), ETag=uuid, Location="/api/v1/log/entries/" + uuid)
                elif self.path == "/api/v2/log/entries":
                    self.answer(201, json.dumps(services.rekor2.add(json.loads(data))).encode())
                elif self.path.endswith("/timestamp"):
                    self.answer(201, services.tsa.reply(data), "application/timestamp-reply")
                else:
                    self.answer(404, b"{}")
            except (KeyError, ValueError, subprocess.CalledProcessError) as error:
                self.log_message("%s: %r in %s", self.path, error, data[:2000])
                self.answer(400, json.dumps({"code": 400, "message": repr(error)}).encode())
    return Handler


def main():
    if sys.argv[1] == "token":
        print(token(*sys.argv[2:]), end="")
        return
    folder = sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    services = Services(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(services))
    url = f"http://127.0.0.1:{server.server_address[1]}"
    for filename, value in (("trusted_root.json", services.trusted_root()), ("sc-v1.json", signing_config(url, 1, False)),
                            ("sc-v1tsa.json", signing_config(url, 1, True)), ("sc-v2.json", signing_config(url, 2, True))):
        with open(f"{folder}/{filename}", "w", encoding="ascii") as out:
            json.dump(value, out)
    for filename, text in (("token", token()), ("port", url.rsplit(":", 1)[1])):
        with open(f"{folder}/{filename}.new", "w", encoding="ascii") as out:
            out.write(text)
        os.rename(f"{folder}/{filename}.new", f"{folder}/{filename}")
    server.serve_forever()


main()
