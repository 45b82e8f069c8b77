#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""As much of a CRI client (runtime.v1) as tests need, over curl: gRPC is HTTP/2 with length-prefixed protobuf.

cri.py SOCKET pod NAME                      RunPodSandbox on the host's network; prints the id
cri.py SOCKET create POD-ID POD-NAME NAME IMAGE   CreateContainer; prints the id
cri.py SOCKET start ID | remove ID | remove-pod ID
cri.py SOCKET pull IMAGE                    PullImage
cri.py SOCKET images IMAGE                  ListImages; prints the ids that fit
cri.py SOCKET rmi IMAGE                     RemoveImage
A refusal is printed on stderr in the runtime's words, exit 1.
"""
import struct
import subprocess
import sys
import tempfile
import urllib.parse


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(number, value):
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(field, value):
    return varint(field << 3) + varint(value)


def first_bytes(message, field):
    at = 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
    while at < len(message):
        key = read()
        if key & 7 == 0:
            read()
            continue
        length = read()
        if key >> 3 == field:
            return message[at:at + length]
        at += length
    return b""


def first_string(message, field):
    return first_bytes(message, field).decode()


def call(socket, method, body, service="RuntimeService"):
    with tempfile.NamedTemporaryFile() as request, tempfile.NamedTemporaryFile() as head, \
            tempfile.NamedTemporaryFile() as answer:
        request.write(struct.pack(">BI", 0, len(body)) + body)
        request.flush()
        subprocess.run(["curl", "-sS", "--max-time", "60", "--noproxy", "*", "--http2-prior-knowledge", "--unix-socket", socket,
                        "-D", head.name, "-o", answer.name, "-H", "Content-Type: application/grpc", "-H", "TE: trailers",
                        "--data-binary", "@" + request.name, "http://localhost/runtime.v1.%s/%s" % (service, method)], check=True)
        headers = urllib.parse.unquote(open(head.name, encoding="utf-8").read())
        if "grpc-status: 0" not in headers.lower():
            lines = [line for line in headers.splitlines() if line.lower().startswith("grpc-message")]
            sys.exit(lines[0] if lines else headers)
        return open(answer.name, "rb").read()[5:]


def pod_config(name):
    metadata = text(1, name) + text(2, "uid-" + name) + text(3, "default") + number(4, 0)
    security = text(1, number(1, 2) + number(2, 1) + number(3, 0))  # network: the node's; pid: the container's
    return text(1, metadata) + text(8, text(2, security))  # no hostname: that is the node's too


def main():
    socket, command, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    if command == "pod":
        print(first_string(call(socket, "RunPodSandbox", text(1, pod_config(arguments[0]))), 1))
    elif command == "create":
        pod, pod_name, name, image = arguments
        config = text(1, text(1, name)) + text(2, text(1, image))
        config += text(15, text(4, text(3, number(1, 2) + number(2, 1))))
        print(first_string(call(socket, "CreateContainer", text(1, pod) + text(2, config) + text(3, pod_config(pod_name))), 1))
    elif command in ("pull", "rmi", "images"):
        method = {"pull": "PullImage", "rmi": "RemoveImage", "images": "ListImages"}[command]
        image = text(1, text(1, arguments[0]))  # ImageSpec, also as the one member of ImageFilter
        answer = call(socket, method, text(1, image) if command == "images" else image, "ImageService")
        if command == "images" and answer:
            print(first_string(first_bytes(answer, 1), 1))
    else:
        method = {"start": "StartContainer", "remove": "RemoveContainer", "remove-pod": "RemovePodSandbox"}[command]
        call(socket, method, text(1, arguments[0]))


main()
