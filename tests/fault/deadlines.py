#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who waits how long for whom: each part is told to be done before the one that asks it gives up, however short the time, so
that the reason that arrives is the innermost one.

usage: deadlines.py BUILD-DIR SOURCE-DIR
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run  # noqa: E402
from run import BUILD, Node, Resident, ask, check, record, response, stub  # noqa: E402

NRI = BUILD + "/plugin/nri/pullguard-nri"
TAG_DEADLINE, REASON_TIMEOUT, VERDICT_DENY, MESSAGE = 34, 12, 0, 1


def receive(connection):
    """The records of a request."""
    header = connection.recv(12, socket.MSG_WAITALL)
    body = connection.recv(int.from_bytes(header[8:12], "big"), socket.MSG_WAITALL)
    records, at = {}, 0
    while at < len(body):
        tag, length = struct.unpack_from(">HI", body, at)
        records[tag] = body[at + 6:at + 6 + length]
        at += 6 + length
    return records


def denial(text):
    records = record(MESSAGE, text) + b"".join(record(t, struct.pack(">I", v))
                                               for t, v in [(40, VERDICT_DENY), (41, REASON_TIMEOUT), (42, 0)])
    return b"PGM1" + struct.pack(">HHI", 1, 2, len(records)) + records


class LastMoment:
    """An engine that uses all the time it is told to have, then says so."""

    def __init__(self, node):
        self.told = []
        self.resident = Resident(node, self.answer)

    def answer(self, connection):
        told = int.from_bytes(receive(connection)[TAG_DEADLINE], "big")
        self.told.append(told)
        time.sleep(min(told, 5000) / 1000)
        try:
            connection.sendall(denial(b"the last moment"))
            connection.close()
        except OSError:
            pass


def test_client():
    """The engine's own reason arrives, and in time."""
    with Node() as node, tempfile.TemporaryDirectory() as libexec:
        engine = LastMoment(node)
        for deadline in (150, 300, 599, 600, 601, 1000, 3000):
            lines, took = ask(node, libexec, deadline)
            told = engine.told[-1]
            check(f"{deadline} ms: the engine is told less", 0 < told < deadline and deadline - told <= 300, told)
            check(f"{deadline} ms: its reason arrives", lines[0] == "deny timeout the last moment", lines)
            check(f"{deadline} ms: in time, nothing left",
                  took < deadline / 1000 + 0.1 and lines[-1] == "left: 0 descriptors, 0 children", (took, lines))
        engine.resident.close()


def test_engine_that_stays():
    """It has answered and does not end: its answer counts, and nobody waits for it longer than there is time."""
    with Node() as node, tempfile.TemporaryDirectory() as libexec:
        os.chmod(libexec, 0o755)
        stub(libexec, "request(); s.send(good); s.close(); time.sleep(30)")
        for deadline, most in ((8000, 2.5), (700, 0.9)):
            lines, took = ask(node, libexec, deadline)
            check(f"engine that stays, {deadline} ms: its answer counts", lines[0].startswith("allow ok"), lines)
            check(f"engine that stays, {deadline} ms: it is ended in time",
                  took < most and lines[-1] == "left: 0 descriptors, 0 children", (took, lines))


# ---- NRI -----------------------------------------------------------------------------------------------------------------

PLUGIN, RUNTIME, REQUEST, RESPONSE = 1, 2, 1, 2


def field(number, value):
    """A member of a protobuf message: bytes or a number."""
    def varint(n):
        out = bytearray()
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        return bytes(out) + bytes([n])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


class Runtime:
    """The runtime's end of NRI's connection."""

    def __init__(self, node):
        path = node.root + "/nri.sock"
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(1)
        self.plugin = subprocess.Popen([NRI, "--root", node.root, "--socket", path], stdin=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.connection, _ = server.accept()
        self.connection.settimeout(10)
        server.close()
        stream = self.receive(RUNTIME)[0]
        self.send(RUNTIME, stream, RESPONSE, b"")
        self.stream = 1

    def send(self, connection, stream, kind, data):
        frame = struct.pack(">IIBB", len(data), stream, kind, 0) + data
        self.connection.sendall(struct.pack(">II", connection, len(frame)) + frame)

    def receive(self, connection):
        """(stream, message) on that connection of the multiplexer."""
        while True:
            number, length = struct.unpack(">II", self.connection.recv(8, socket.MSG_WAITALL))
            frame = self.connection.recv(length, socket.MSG_WAITALL)
            if number == connection:
                return struct.unpack_from(">I", frame, 4)[0], frame[10:]

    def call(self, method, payload):
        """The answer's message, and how long it took."""
        started = time.time()
        self.stream += 2
        self.send(PLUGIN, self.stream, REQUEST, field(1, b"nri.pkg.api.v1alpha1.Plugin") + field(2, method) + field(3, payload))
        stream, message = self.receive(PLUGIN)
        check(f"NRI: {method.decode()}: the answer is this call's", stream == self.stream, (stream, self.stream))
        return message, time.time() - started

    def close(self):
        self.connection.close()
        self.plugin.wait(timeout=10)


def test_nri():
    """The plugin's answer is out before the runtime stops waiting: a late plugin is dropped, and the container created."""
    if not os.path.exists(NRI):
        print("     (built without NRI)")
        return
    with Node() as node:
        engine = LastMoment(node)
        runtime = Runtime(node)
        container = field(2, field(1, b"c1") + field(6, field(1, b"io.kubernetes.cri.image-name") + field(2, b"r.test/a:1")))
        for timeout in (150, 250, 300, 301, 599, 601, 2000):
            runtime.call(b"Configure", field(2, b"containerd") + field(3, b"v2.1") + field(5, timeout))
            for method in (b"CreateContainer", b"ValidateContainerAdjustment"):
                message, took = runtime.call(method, container)
                check(f"NRI, {timeout} ms, {method.decode()}: refused before the runtime gives up",
                      took < timeout / 1000 and b"pullguard: " in message, (took, message))
        runtime.call(b"Configure", field(2, b"containerd"))
        check("NRI: without a limit, its own two seconds", runtime.call(b"CreateContainer", container)[1] < 2)
        runtime.close()
        engine.resident.close()


if os.geteuid() != 0:
    print("0 passed, 0 failed (not run: needs root)")
    sys.exit(77)
for test in (test_client, test_engine_that_stays, test_nri):
    test()
print(f"{run.passed} passed, {run.failed} failed")
sys.exit(1 if run.failed else 0)
