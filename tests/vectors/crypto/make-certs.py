#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes certs/: a small certificate authority and leaves that are right or wrong in one way each. Needs python3-cryptography
(41 or newer). New keys at each run; the times are fixed: 2026-11-23T16:34:27Z is "now"."""
import datetime
import ipaddress
import os
import subprocess
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage, NameOID

TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "certs")
NOW = datetime.datetime(2026, 11, 23, 16, 34, 27)
FULCIO = "1.3.6.1.4.1.57264.1."
os.makedirs(TARGET, exist_ok=True)
keys = {}


def key_of(name):
    if name not in keys:
        keys[name] = ec.generate_private_key(ec.SECP256R1())
    return keys[name]


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def raw(number, value, critical=False):
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(FULCIO + str(number)), value), critical


def utf8(text):
    return bytes([0x0C, len(text)]) + text.encode()


def tlv(tag, value):
    length = bytes([len(value)]) if len(value) < 128 else bytes([0x81, len(value)])
    return bytes([tag]) + length + value


def raw_san(*items):
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), tlv(0x30, b"".join(items))), True


def other_name(oid, value):
    return x509.OtherName(x509.ObjectIdentifier(oid), value)


def san(*names, critical=False):
    return x509.SubjectAlternativeName(names), critical


def eku(*usages, critical=False):
    return x509.ExtendedKeyUsage(usages), critical


def key_usage(sign=False, agree=False, cert=False):
    return x509.KeyUsage(digital_signature=sign, content_commitment=False, key_encipherment=False, data_encipherment=False,
                         key_agreement=agree, key_cert_sign=cert, crl_sign=False, encipher_only=False, decipher_only=False), True


def make(file, subject, issuer, signer, extensions, start=NOW, end=NOW + datetime.timedelta(seconds=600), key=None,
         algorithm=None):
    builder = x509.CertificateBuilder().subject_name(name_of(subject)).issuer_name(name_of(issuer))
    builder = builder.public_key(key_of(key or file).public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(end)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key_of(signer), algorithm or hashes.SHA256())
    with open(os.path.join(TARGET, file + ".der"), "wb") as out:
        out.write(certificate.public_bytes(serialization.Encoding.DER))


CA = [(x509.BasicConstraints(True, None), True), key_usage(cert=True)]
LONG = dict(start=datetime.datetime(2020, 1, 1), end=datetime.datetime(2040, 1, 1))
OLD = dict(start=datetime.datetime(2020, 1, 1), end=datetime.datetime(2025, 1, 1))
URI = san(x509.UniformResourceIdentifier("https://example.test/app"))
SIGN = [key_usage(sign=True), eku(Usage.CODE_SIGNING)]
STAMP = [key_usage(sign=True), eku(Usage.TIME_STAMPING, critical=True)]

make("root", "root", "root", "root", CA, **LONG)
make("other-root", "other root", "other root", "other-root", CA, **LONG)
make("impostor-root", "root", "root", "impostor-root", CA, **LONG)
make("intermediate", "intermediate", "root", "root", CA + [eku(Usage.CODE_SIGNING)], **LONG)
make("intermediate-expired", "intermediate", "root", "root", CA, key="intermediate", **OLD)
make("intermediate-tsa-only", "tsa intermediate", "root", "root", CA + [eku(Usage.TIME_STAMPING)], **LONG)


def leaf(file, *extensions, **more):
    make(file, "", "intermediate", "intermediate", extensions, **more)


def make_sha1(file):
    """python3-cryptography does not sign with SHA-1 any more; the openssl program does."""
    with tempfile.TemporaryDirectory() as folder:
        pem = serialization.Encoding.PEM
        with open(folder + "/key", "wb") as out:
            out.write(key_of("intermediate").private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        with open(folder + "/csr", "wb") as out:
            request = x509.CertificateSigningRequestBuilder().subject_name(name_of("sha1"))
            out.write(request.sign(key_of(file), hashes.SHA256()).public_bytes(pem))
        with open(folder + "/extensions", "w") as out:
            out.write("keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n")
        with open(TARGET + "/intermediate.der", "rb") as source, open(folder + "/ca", "wb") as out:
            out.write(x509.load_der_x509_certificate(source.read()).public_bytes(pem))
        subprocess.run(["openssl", "x509", "-req", "-sha1", "-days", "7000", "-in", "csr", "-CA", "ca", "-CAkey", "key",
                        "-set_serial", "1", "-extfile", "extensions", "-outform", "DER",
                        "-out", os.path.join(TARGET, file + ".der")], cwd=folder, check=True, stderr=subprocess.DEVNULL)


leaf("leaf", *SIGN, URI)
leaf("leaf-long", *SIGN, URI, **LONG)
leaf("leaf-no-eku", key_usage(sign=True), URI)
leaf("leaf-ca", (x509.BasicConstraints(True, None), True), key_usage(sign=True, cert=True), eku(Usage.CODE_SIGNING), URI)
leaf("leaf-ku-agree", key_usage(agree=True), eku(Usage.CODE_SIGNING), URI)
leaf("leaf-critical", *SIGN, URI, raw(30, utf8("x"), critical=True))
make("leaf-by-leaf", "x", "", "leaf", SIGN + [URI])
make("leaf-by-tsa-ca", "", "tsa intermediate", "intermediate-tsa-only", SIGN + [URI])
make_sha1("leaf-sha1")
make("tsa", "tsa", "root", "root", STAMP, **LONG)
make("tsa-uncritical", "tsa", "root", "root", [key_usage(sign=True), eku(Usage.TIME_STAMPING)], **LONG)
make("tsa-two-usages", "tsa", "root", "root",
     [key_usage(sign=True), eku(Usage.TIME_STAMPING, Usage.CODE_SIGNING, critical=True)], **LONG)

leaf("san-none", *SIGN)
leaf("san-all", *SIGN, san(
    x509.DNSName("example.test"), x509.RFC822Name("who@example.test"),
    x509.UniformResourceIdentifier("https://example.test/first"), x509.UniformResourceIdentifier("https://example.test/second"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")), x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
    other_name(FULCIO + "7", utf8("user!example.test")), x509.DirectoryName(name_of("ignored"))))
leaf("san-email", *SIGN, san(x509.DNSName("example.test"), x509.RFC822Name("who@example.test")))
leaf("san-other", *SIGN, san(other_name(FULCIO + "7", utf8("user!example.test")), critical=True))
leaf("san-foreign-other", *SIGN, san(other_name("1.3.6.1.4.1.311.20.2.3", utf8("user@example.test"))))
leaf("san-nul", *SIGN, raw_san(tlv(0x86, b"https://example.test/app\0.evil")))
leaf("san-latin1", *SIGN, raw_san(tlv(0x81, b"\xe9@example.test")))
leaf("san-utf8", *SIGN, raw_san(tlv(0x81, "\u00e9@example.test".encode())))
leaf("san-empty-name", *SIGN, raw_san(tlv(0x86, b"")))
leaf("san-ip-short", *SIGN, raw_san(tlv(0x87, b"\xc0\x00\x02")))
leaf("issuer-v1-only", *SIGN, URI, raw(1, b"https://issuer.test"))
leaf("issuers-differ", *SIGN, URI, raw(1, b"https://issuer.test"), raw(8, utf8("https://other.test")))
leaf("issuer-v2-trailing", *SIGN, URI, raw(8, utf8("https://issuer.test") + b"x"))
leaf("issuer-v2-raw", *SIGN, URI, raw(8, b"https://issuer.test"))
# 1.3.6.1.4.1.57264.1.8.1 is not .8, the issuer.
leaf("issuer-number-longer", *SIGN, URI, (x509.UnrecognizedExtension(x509.ObjectIdentifier(FULCIO + "8.1"), utf8("https://issuer.test")), False))
leaf("san-garbled", *SIGN, (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"\x30\x05abc"), True))
leaf("issuer-v1-control", *SIGN, URI, raw(1, b"https://issuer.test\n"))

# One extension twice: the library refuses to write it, so the second's number is changed (and the signature is wrong).
leaf("extension-twice", *SIGN, URI, raw(30, utf8("x")), raw(31, utf8("x")))
with open(os.path.join(TARGET, "extension-twice.der"), "rb") as made:
    twice = made.read()
prefix = bytes([0x2B, 0x06, 0x01, 0x04, 0x01, 0x83, 0xBF, 0x30, 0x01])
with open(os.path.join(TARGET, "extension-twice.der"), "wb") as made:
    made.write(twice.replace(prefix + bytes([31]), prefix + bytes([30])))
