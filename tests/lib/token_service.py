#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A token service for docker-registry (distribution, "Token Authentication Specification"), signing as it demands.

token_service.py keys DIR                          writes token.key and token.crt (the registry's rootcertbundle)
token_service.py serve DIR PORT USER PASSWORD LOG  GET /token with Basic, POST /token with the refresh token "refresh-USER"
"""
import base64
import datetime
import json
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID


def keys(directory):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pullguard test token service")])
    now = datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256()))
    with open(directory + "/token.key", "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    with open(directory + "/token.crt", "wb") as file:
        file.write(cert.public_bytes(serialization.Encoding.PEM))


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(directory, service, user, scopes):
    key = serialization.load_pem_private_key(open(directory + "/token.key", "rb").read(), None)
    cert = x509.load_pem_x509_certificate(open(directory + "/token.crt", "rb").read())
    access = [{"type": kind, "name": name, "actions": actions.split(",")}
              for kind, name, actions in (scope.rsplit(":", 2) if scope.count(":") == 2 else
                                          [scope.split(":", 1)[0], *scope.split(":", 1)[1].rsplit(":", 1)] for scope in scopes)]
    header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(cert.public_bytes(serialization.Encoding.DER)).decode()]}
    now = int(time.time())
    claims = {"iss": "pullguard-test", "sub": user, "aud": service, "exp": now + 120, "nbf": now - 10, "iat": now, "jti": str(now),
              "access": access}
    signed = url64(json.dumps(header).encode()) + "." + url64(json.dumps(claims).encode())
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return signed + "." + url64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory = user = password = log = ""

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def issue(self, form, right):
        scopes = " ".join(form.get("scope", [])).split()
        with open(self.log, "a") as log:
            log.write("%s %s %s\n" % (self.command, "right" if right else "wrong", " ".join(scopes)))
        if not right:
            return self.answer(401, {"details": "incorrect username or password"})
        return self.answer(200, {"token": token(self.directory, form.get("service", [""])[0], self.user, scopes), "expires_in": 120})

    def do_GET(self):
        given = "%s:%s" % (self.user, self.password)
        right = self.headers.get("Authorization") == "Basic " + base64.b64encode(given.encode()).decode()
        self.issue(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query), right)

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
        self.issue(form, form.get("grant_type") == ["refresh_token"] and form.get("refresh_token") == ["refresh-" + self.user])


def main():
    if sys.argv[1] == "keys":
        return keys(sys.argv[2])
    _, _, Handler.directory, port, Handler.user, Handler.password, Handler.log = sys.argv
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
