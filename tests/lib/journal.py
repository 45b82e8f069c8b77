#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the journal's socket, so that tests see exactly what journald would be handed.

journal.py listen SOCKET FILE     receive entries (native protocol), append each to FILE as one line of JSON
journal.py last FILE IMAGE_REF    print the newest entry about that reference as KEY=VALUE lines; 1 when there is none
journal.py count FILE             how many entries there are
journal.py line FILE IMAGE_REF    the newest entry as `journalctl -o short` would show it
"""
import array
import json
import mmap
import os
import socket
import struct
import sys
import time


def parse(data):
    """KEY=VALUE LF, or KEY LF length(8, little endian) VALUE LF for values with line feeds."""
    entry = {}
    while data:
        line, _, rest = data.partition(b"\n")
        if b"=" in line:
            key, _, value = line.partition(b"=")
        else:
            size = struct.unpack("<Q", rest[:8])[0]
            key, value, rest = line, rest[8:8 + size], rest[8 + size + 1:]
        entry[key.decode("ascii")] = value.decode("utf-8")
        data = rest
    return entry


def receive(sock):
    descriptors = array.array("i")
    data, control, _, _ = sock.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    for level, kind, payload in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(payload[:4])
    if descriptors:
        with os.fdopen(descriptors[0], "rb") as memory, mmap.mmap(memory.fileno(), 0, prot=mmap.PROT_READ) as view:
            data = bytes(view)
    return data


def listen(path, out):
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind(path)
    os.chmod(path, 0o666)
    with open(out, "a", encoding="utf-8") as log:
        while True:
            data = receive(sock)
            try:
                entry = parse(data)
            except (UnicodeDecodeError, struct.error) as error:
                entry = {"BROKEN": f"{error}", "RAW": data.hex()}
            entry["_TIME"] = time.time()
            log.write(json.dumps(entry) + "\n")
            log.flush()


def entries(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as log:
        return [json.loads(line) for line in log]


def about(path, reference):
    found = [e for e in entries(path) if e.get("IMAGE_REF") == reference]
    return found[-1] if found else None


def main():
    command = sys.argv[1]
    if command == "listen":
        listen(sys.argv[2], sys.argv[3])
    elif command == "count":
        print(len(entries(sys.argv[2])))
    elif command in ("last", "line"):
        entry = about(sys.argv[2], sys.argv[3])
        if entry is None:
            return 1
        if command == "last":
            for key in sorted(entry):
                print(f"{key}={entry[key]}")
        else:
            when = time.strftime("%b %d %H:%M:%S", time.localtime(entry["_TIME"]))
            print(f"{when} {os.uname().nodename} {entry.get('SYSLOG_IDENTIFIER', 'pullguard')}: {entry.get('MESSAGE', '')}")
    else:
        return 2
    return 0


sys.exit(main())
