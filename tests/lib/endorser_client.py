#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of the endorser that no image library would be.

endorser_client.py hostile HOST:PORT TARGET     asks in every wrong way; prints "ok NAME" or "FAIL NAME: ..." lines
endorser_client.py silent HOST:PORT COUNT       opens that many connections that say nothing, or a byte now and then; prints
                                                "ready", holds them until it is ended
endorser_client.py many HOST:PORT TARGET COUNT  that many good requests at once; prints how many were answered 200
TARGET: the path of an image that the policy allows. TARGET is asked for by a HOST header of its own.
"""
import socket
import sys
import threading
import time


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=20)


def whole(sock):
    data = b""
    while True:
        part = sock.recv(65536)
        if not part:
            return data
        data += part


def ask(address, request):
    with connect(address) as sock:
        sock.sendall(request)
        return whole(sock)


def status(answer):
    return answer.split(b"\r\n", 1)[0].decode("latin-1")


NO_PATH = "HTTP/1.1 400 pullguard: the path holds a character that no repository has"


def hostile(address, target):
    host = b"Host: " + address.encode() + b"\r\n"
    path = target.encode()
    head, number = path.rsplit(b"/", 1)
    repo, digest = head.split(b"@sha256=")

    def get(path, more=b"", version=b"HTTP/1.1"):
        return b"GET " + path + b" " + version + b"\r\n" + host + more + b"\r\n"

    wrong_path = "HTTP/1.1 400 pullguard: want /v1/<host>/<repository>@sha256=<hex>/signature-<n>"
    wrong_digest = "HTTP/1.1 400 pullguard: the path's digest is not 64 lower-case hexadecimal digits"
    wrong_number = "HTTP/1.1 400 pullguard: signatures are numbered from 1 to 128"
    cases = [
        ("good request", get(path), "HTTP/1.1 200 OK"),
        ("the second signature", get(head + b"/signature-2"), "HTTP/1.1 404 Not Found"),
        ("HTTP/1.0 without Host", b"GET " + path + b" HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"),
        ("lines that end in LF alone", get(path).replace(b"\r", b""), "HTTP/1.1 200 OK"),
        ("pipelined requests: one answer", get(path) + get(path), "HTTP/1.1 200 OK"),
        ("much behind the request", get(path) + b"x" * 50000, "HTTP/1.1 200 OK"),
        ("header of 9000 bytes", get(path, b"X: " + b"y" * 9000 + b"\r\n"), "HTTP/1.1 400 pullguard: the request's head is too long"),
        ("thousand headers", get(path, b"X: y\r\n" * 2000), "HTTP/1.1 400 pullguard: the request's head is too long"),
        ("endless request line", b"GET /" + b"a" * 100000, "HTTP/1.1 400 pullguard: the request's head is too long"),
        ("long path", get(b"/v1/" + b"a" * 4000), "HTTP/1.1 400 pullguard: the path is longer than 2048 bytes"),
        ("absolute form", get(b"http://" + address.encode() + path), "HTTP/1.1 400 pullguard: the path does not begin with /"),
        ("percent-encoded digest mark", get(path.replace(b"@", b"%40")), NO_PATH),
        ("percent-encoded slash", get(path.replace(b"/signature", b"%2fsignature")), NO_PATH),
        ("percent-encoded NUL", get(path + b"%00"), NO_PATH),
        ("query", get(path + b"?x"), NO_PATH),
        ("NUL in the path", get(path + b"\0"), NO_PATH),
        ("CR in the path", get(path.replace(b"@", b"\r@")), NO_PATH),
        ("dot-dot before", get(b"/v1/.." + path), "HTTP/1.1 400 pullguard: the repository in the path: "),
        ("dot-dot inside", get(repo + b"/../x@sha256=" + digest + b"/" + number), "HTTP/1.1 400 pullguard: the repository in the path: "),
        ("dot-dot behind", get(path + b"/../signature-1"), wrong_number),
        ("outside", get(b"/etc/passwd"), wrong_path),
        ("two digests", get(head + b"@sha256=" + digest + b"/" + number), wrong_digest),
        ("two @", get(repo + b"@x@sha256=" + digest + b"/" + number), "HTTP/1.1 400 pullguard: the repository in the path: "),
        ("upper-case digest", get(repo + b"@sha256=" + digest.upper() + b"/" + number), wrong_digest),
        ("short digest", get(repo + b"@sha256=" + digest[:-1] + b"/" + number), wrong_digest),
        ("signature 0", get(head + b"/signature-0"), wrong_number),
        ("signature 01", get(head + b"/signature-01"), wrong_number),
        ("signature 129", get(head + b"/signature-129"), wrong_number),
        ("POST", get(path).replace(b"GET", b"POST"), "HTTP/1.1 400 pullguard: only GET is answered here"),
        ("body", get(path, b"Content-Length: 1\r\n") + b"x", "HTTP/1.1 400 pullguard: a request with a body is not answered here"),
        ("chunks", get(path, b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", "HTTP/1.1 400 pullguard: a request with a body is not answered here"),
        ("no Host", b"GET " + path + b" HTTP/1.1\r\n\r\n", "HTTP/1.1 400 pullguard: no Host header"),
        ("two Hosts", get(path, host), "HTTP/1.1 400 pullguard: two Host headers"),
        ("a web page's Host", get(path).replace(address.encode(), b"rebind.example.com"), "HTTP/1.1 400 pullguard: the Host header names no loopback address"),
        ("folded header", get(path, b"X: a\r\n b: c\r\n"), "HTTP/1.1 400 pullguard: a header's name holds a character that no name has"),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 pullguard: only GET is answered here"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "HTTP/1.1 400 pullguard: this is not HTTP"),
        ("nothing but an end of line", b"\r\n\r\n", "HTTP/1.1 400 pullguard: this is not HTTP"),
    ]
    for name, request, wanted in cases:
        try:
            answer = ask(address, request)
        except OSError as error:
            print(f"FAIL {name}: {error}")
            continue
        found = status(answer)
        once = answer.count(b"HTTP/1.1 ") == 1 and b"\r\nConnection: close\r\n" in answer
        right = found == wanted or (wanted.endswith(": ") and found.startswith(wanted))
        print(f"ok {name}: {found[9:]}" if right and once else f"FAIL {name}: {found!r}, wanted {wanted!r}")


def silent(address, count):
    socks = [connect(address) for _ in range(count)]
    print("ready", flush=True)
    while True:
        for number, sock in enumerate(socks):
            try:
                if number % 2:
                    sock.sendall(b"G")
            except OSError:
                socks[number] = connect(address)
        time.sleep(1)


def many(address, target, count):
    request = b"GET " + target.encode() + b" HTTP/1.1\r\nHost: " + address.encode() + b"\r\n\r\n"
    found = []

    def one():
        try:
            found.append(status(ask(address, request)))
        except OSError as error:
            found.append(str(error))
    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(found.count("HTTP/1.1 200 OK"))
    for other in sorted(set(found) - {"HTTP/1.1 200 OK"}):
        print(other, file=sys.stderr)


if sys.argv[1] == "hostile":
    hostile(sys.argv[2], sys.argv[3])
elif sys.argv[1] == "silent":
    silent(sys.argv[2], int(sys.argv[3]))
else:
    many(sys.argv[2], sys.argv[3], int(sys.argv[4]))
