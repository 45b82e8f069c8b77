#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A resident engine for tests of what asks one: answers on SOCKET, allows requests whose container id, reference or digest
contains "good", denies the rest with its own words (many, and not all ASCII, about what contains "wordy"). Each request is
printed as one line of JSON.

usage: stub_engine.py SOCKET [--silent | --yes]     --silent: accepts and never answers; --yes: allows everything
"""
import json
import os
import socket
import struct
import sys
import threading
import time

STRINGS = ["reference", "digest", "media_type", "runtime", "username", "password", "identity_token", "policy",
           "trust_root", "bundle", "container_id", "https_proxy", "http_proxy", "no_proxy", "member",
           "descriptor"]
OPERATION, FLAGS, DEADLINE = 32, 33, 34
VERDICT, REASON, STATE, DURATION, REQUESTS = 40, 41, 42, 43, 44
ALLOW, REASON_OK, REASON_NO_SIGNATURE = 0x616C6C6F, 1, 2


def receive(conn, count):
    data = b""
    while len(data) < count:
        part = conn.recv(count - len(data))
        if not part:
            return None
        data += part
    return data


def parse(records):
    request = {}
    while records:
        tag, length = struct.unpack(">HI", records[:6])
        value, records = records[6:6 + length], records[6 + length:]
        if 1 <= tag <= len(STRINGS):
            request[STRINGS[tag - 1]] = value.decode("utf-8", "replace")
        elif tag in (OPERATION, FLAGS, DEADLINE):
            request[{OPERATION: "operation", FLAGS: "flags", DEADLINE: "deadline_ms"}[tag]] = struct.unpack(">I", value)[0]
    return request


def record(tag, value):
    return struct.pack(">HI", tag, len(value)) + value


def answer(request, yes):
    asked = " ".join(str(request.get(name, "")) for name in ("container_id", "reference", "digest"))
    good = yes or "good" in asked
    records = record(5, (request.get("digest") or "sha256:" + "0" * 64).encode()) if good else b""
    refusal = "stub engine: no signature" + (": " + "ä" * 230 if "wordy" in asked else "")
    records = record(1, b"stub engine: image is fine" if good else refusal.encode()) + records
    for tag, value in ((VERDICT, ALLOW if good else 0), (REASON, REASON_OK if good else REASON_NO_SIGNATURE), (STATE, 0),
                       (DURATION, 1), (REQUESTS, 0)):
        records += record(tag, struct.pack(">I", value))
    return b"PGM1" + struct.pack(">HHI", 1, 2, len(records)) + records


def serve(conn, silent, yes):
    with conn:
        if silent:
            while conn.recv(4096):
                pass
            time.sleep(3600)
        header = receive(conn, 12)
        if not header:
            return
        length = struct.unpack(">I", header[8:12])[0]
        body = receive(conn, length) if length else b""
        if body is None:
            return
        request = parse(body)
        print(json.dumps(request), flush=True)
        conn.sendall(answer(request, yes))


def main():
    path, silent, yes = sys.argv[1], "--silent" in sys.argv[2:], "--yes" in sys.argv[2:]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve, args=(conn, silent, yes), daemon=True).start()


if __name__ == "__main__":
    main()
