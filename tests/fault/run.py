#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong between adapter and verdict, made to go wrong: each must end in a deny with its own reason,
in time, with nothing left behind.

usage: run.py BUILD-DIR SOURCE-DIR
"""
import base64
import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

BUILD, SOURCE = sys.argv[1], sys.argv[2]
VECTORS = os.path.join(SOURCE, "tests/vectors/cosign-3.1.1")
ENGINE = os.path.join(BUILD, "plugin/engine")
CONTAINERD = os.path.join(BUILD, "plugin/containerd/pullguard-containerd-test")
CLI = os.path.join(BUILD, "plugin/cli/pullguard-test")
ASK = os.path.join(BUILD, "tests/fault/ask")
IMAGE = "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    if ok:
        passed += 1
        print("ok   " + name)
    else:
        failed += 1
        print("FAIL " + name + ": " + str(detail))
    sys.stdout.flush()


class Registry(http.server.BaseHTTPRequestHandler):
    """The stored repositories, as slow as asked."""
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    delay = 0.0

    def log_message(self, *args):
        pass

    def reply(self, code, body, kind="application/json"):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    count = 0
    shut = False # whoever asks is refused: what is allowed then was not asked for

    login = None

    def do_GET(self):
        Registry.count += 1
        time.sleep(Registry.delay)
        if Registry.shut:
            return self.reply(403, b"{}")
        if Registry.login and self.headers.get("Authorization") != "Basic " + base64.b64encode(Registry.login).decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Length", "0")
            return self.end_headers()
        match = re.match(r"/v2/(.+)/(manifests|blobs)/([^?]+)", self.path)
        if match:
            repository, kind, target = match.groups()
            base = os.path.join(VECTORS, "registry", repository)
            index = os.path.join(base, "index.json")
            index = json.load(open(index)) if os.path.exists(index) else {"tags": {}, "manifests": {}}
            digest = index["tags"].get(target, target)
            media_type = index["manifests"].get(digest, {}).get("contentType", "application/octet-stream")
            name = digest.replace(":", "-") + (".json" if kind == "manifests" else "")
            path = os.path.join(base, kind, name)
            if ":" in digest and os.path.exists(path):
                return self.reply(200, open(path, "rb").read(), media_type)
        return self.reply(404, b"{}")


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, address):
        pass


def serve():
    server = Server(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


POLICY = """apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: demo}
spec:
  images: [{glob: "**"}]
  authorities: [{key: {path: cosign.pub}}]
"""


RESIDENT = "--resident" in sys.argv


class Node:
    """A root with a policy and a key; with --resident, a resident engine that serves it."""

    def __init__(self, settings=""):
        self.root = tempfile.mkdtemp(prefix="pullguard-fault.")
        os.chmod(self.root, 0o755)
        self.conf = self.root + "/etc/pullguard"
        os.makedirs(self.conf + "/policy.d")
        os.makedirs(self.conf + "/keys")
        os.makedirs(self.root + "/run/systemd/journal")
        self.write("policy.d/demo.yaml", POLICY)
        shutil.copy(VECTORS + "/keys/cosign.pub", self.conf + "/keys/cosign.pub")
        os.chmod(self.conf + "/keys/cosign.pub", 0o644)
        if settings:
            self.write("pullguard.yaml", settings)
        self.engine = None
        self.fresh = False

    def start(self, libexec=ENGINE, wrap=()):
        self.engine = subprocess.Popen([*wrap, libexec + "/pullguard-engine", "--resident", "--root", self.root, "--libexec", libexec])
        deadline = time.time() + 5
        while not os.path.exists(self.root + "/run/pullguard/engine.sock") and time.time() < deadline:
            time.sleep(0.01)

    def stop(self):
        if self.engine:
            self.engine.terminate()
            self.engine.wait(timeout=30)
            self.engine = None

    def forget(self):
        """A resident engine's memory is emptied; what is on disk stays."""
        if self.engine:
            self.engine.send_signal(signal.SIGHUP)

    def write(self, name, text):
        with open(os.path.join(self.conf, name), "w") as file:
            file.write(text)
        os.chmod(os.path.join(self.conf, name), 0o644)

    def __enter__(self):
        if RESIDENT:
            self.start()
        return self

    def __exit__(self, *args):
        self.stop()
        shutil.rmtree(self.root)


def pull(node, repository="demo/legacy", digest=IMAGE, extra=(), wrap=(), host="127.0.0.1", name=None, **kwargs):
    if RESIDENT and node.fresh: # one that has seen no better files before
        node.stop()
        node.start()
    command = [*wrap, CONTAINERD, "-name", name or f"{host}:{PORT}/{repository}:v1", "-digest", digest, "-stdin-media-type",
               "application/vnd.oci.descriptor.v1+json", "--root", node.root, *extra]
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kwargs)


def denies(name, result, reason, words=""):
    line = result.stdout.decode(errors="replace")
    well = result.returncode == 1 and line.startswith(reason + ":") and words in line and line.count("\n") == 1 and \
        len(line) <= 501 and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", line)
    check(name, well, f"{result.returncode} {line!r} {result.stderr!r}")


def allows(name, result):
    check(name, result.returncode == 0 and result.stdout.startswith(b"ok:"), f"{result.returncode} {result.stdout!r}")


def processes(pattern):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().split(b"\0")
            with open(f"/proc/{pid}/stat") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if command and pattern in command[0]:
            found.append((int(pid), parent, command))
    return found


def of_node(node, pattern):
    """Processes of this node's engine: the engine, its judge (a fork of it), the fetcher and its parser."""
    engines = [p for p in processes(b"pullguard-engine") if node.root.encode() in p[2]]
    mine = {p[0] for p in engines}
    fetchers = [p for p in processes(b"pullguard-fetch") if p[1] in mine]
    parsers = [p for p in processes(b"pullguard-fetch") if p[1] in {f[0] for f in fetchers}]
    return {b"engine": [p for p in engines if p[1] not in mine], b"judge": [p for p in engines if p[1] in mine],
            b"fetch": fetchers, b"parser": parsers}[pattern]


# -- files that decide ---------------------------------------------------------------------------------------------------

def test_files():
    with Node() as node:
        node.fresh = True
        allows("signed image", pull(node))
        denies("unsigned image", pull(node, "demo/nosig"), "no_signature")
        denies("digest of no form", pull(node, digest="sha256:12"), "bad_request")
        os.chmod(node.conf + "/policy.d/demo.yaml", 0o666)
        denies("world-writable policy", pull(node), "untrusted_file", "demo.yaml")
        os.chmod(node.conf + "/policy.d/demo.yaml", 0o644)
        os.chmod(node.conf + "/policy.d", 0o777)
        denies("world-writable policy directory", pull(node), "untrusted_file")
        os.chmod(node.conf + "/policy.d", 0o755)
        os.chown(node.conf + "/policy.d/demo.yaml", 65534, 65534)
        denies("policy of another owner", pull(node), "untrusted_file")
        os.chown(node.conf + "/policy.d/demo.yaml", 0, 0)
        os.chmod(node.conf + "/keys/cosign.pub", 0o666)
        denies("world-writable key", pull(node), "untrusted_file", "cosign.pub")
        os.unlink(node.conf + "/keys/cosign.pub")
        denies("missing key", pull(node), "policy_error", "cosign.pub")
        os.mkdir(node.conf + "/keys/cosign.pub")
        result = pull(node)
        check("key is a directory", result.returncode == 1 and b"cosign.pub" in result.stdout, result.stdout)
        shutil.rmtree(node.conf + "/policy.d")
        denies("missing policy directory", pull(node), "policy_error", "missing")
        os.mkdir(node.conf + "/policy.d")
        denies("no policy", pull(node), "no_match")
        node.write("policy.d/bad.yaml", POLICY.replace("authorities", "authoritys"))
        denies("typo in a policy", pull(node), "policy_error", "authorities")
        node.write("policy.d/bad.yaml", "a: &a [*a, *a]\n")
        denies("aliases in a policy", pull(node), "policy_error")
    for text, words in [("no-mach: allow\n", "no-match"), ("sandbox: maybe\n", "require"), ("deadline-ms: 5\n", "deadline-ms"),
                        ("[", "pullguard.yaml"), ("cache: {enabeld: true}\n", "enabled")]:
        with Node(text) as node:
            denies(f"settings {text.strip()!r}", pull(node), "policy_error", words)
    with Node() as node:
        os.chmod(node.conf, 0o777)
        node.fresh = True
        denies("world-writable configuration directory", pull(node), "untrusted_file")


# -- processes that die or misbehave ------------------------------------------------------------------------------------

def kill_during(node, which):
    """Starts a pull from a slow registry and kills a process of it in the middle."""
    Registry.delay = 1.0
    runner = threading.Thread(target=lambda: results.append(pull(node)))
    results = []
    started = time.time()
    runner.start()
    victims = []
    while not victims and time.time() < started + 5:
        time.sleep(0.05)
        victims = of_node(node, which)
    time.sleep(0.3)
    victims = of_node(node, which)
    if victims:
        os.kill(victims[0][0], signal.SIGKILL)
    runner.join()
    Registry.delay = 0.0
    return results[0], bool(victims), time.time() - started


def nothing_left(name, node):
    if RESIDENT: # its fetchers stay
        time.sleep(0.5)
        check(name + ": no zombies", not zombies_of(node.engine.pid))
        return
    deadline = time.time() + 3
    while time.time() < deadline:
        left = [p for which in (b"engine", b"judge", b"fetch", b"parser") for p in of_node(node, which)]
        if not left:
            break
        time.sleep(0.05)
    check(name + ": nothing left behind", not left, left)


def test_kills():
    with Node() as node:
        for which, reason, words in [(b"engine", "unavailable", "signal 9"), (b"judge", "unavailable", "judge was killed"),
                                     (b"fetch", "unavailable", "fetcher was killed")]:
            result, hit, took = kill_during(node, which)
            name = which.decode() + " killed"
            check(name + ": there was one", hit)
            denies(name, result, reason, words)
            check(name + ": at once", took < 6, took)
            nothing_left(name, node)


def of_root(node):
    """Everything that runs with the node's root in its command line or environment, or below it: helpers too."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if node.root.encode() in file.read() and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def test_killed_with_a_helper():
    """Whatever kills the engine ends what it has started, programs of others too."""
    for resident in (False, True):
        with Node("credentials: [/etc/auth.json]\n") as node:
            os.makedirs(node.root + "/usr/bin")
            helper = node.root + "/usr/bin/docker-credential-hangs"
            with open(helper, "w") as file:
                file.write(f"#!/bin/sh\nsetsid sh -c 'sleep 60; : {node.root}' </dev/null >/dev/null 2>&1 &\nread server\nread more\n"
                           "while :; do sleep 0.1; done\n")
            os.chmod(helper, 0o755)
            with open(node.root + "/etc/auth.json", "w") as file:
                json.dump({"credHelpers": {f"127.0.0.1:{PORT}": "hangs"}}, file)
            os.chmod(node.root + "/etc/auth.json", 0o644)
            if resident:
                node.start()
            name = "helper that hangs, " + ("resident engine" if resident else "engine of its own")
            adapter = subprocess.Popen([CONTAINERD, "-name", f"127.0.0.1:{PORT}/demo/legacy:v1", "-digest", IMAGE, "--root", node.root],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            deadline = time.time() + 5
            while not processes(helper.encode()) and not any(helper.encode() in p[2] for p in processes(b"sh")) and \
                    time.time() < deadline:
                time.sleep(0.02)
            check(name + ": it runs", any(helper.encode() in p[2] for p in processes(b"sh")))
            adapter.kill() # else it would start another engine
            adapter.wait()
            for process in of_node(node, b"engine") or [(node.engine.pid, 0, [])]:
                os.kill(process[0], signal.SIGKILL)
            if node.engine:
                node.engine.wait()
                node.engine = None
            time.sleep(0.5)
            check(name + ": the engine is killed: nothing survives", of_root(node) == [], [
                open(f"/proc/{pid}/cmdline").read() for pid in of_root(node)])
            for pid in of_root(node):
                os.kill(pid, signal.SIGKILL)


def test_caller_gone():
    with Node() as node:
        Registry.delay = 2.0
        process = subprocess.Popen([CONTAINERD, "-name", f"127.0.0.1:{PORT}/demo/legacy:v1", "-digest", IMAGE, "--root",
                                    node.root], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(0.7)
        process.kill()
        process.wait()
        nothing_left("adapter killed", node)
        Registry.delay = 0.0


def test_deadlines():
    with Node() as node:
        Registry.delay = 5.0
        started = time.time()
        result = pull(node, extra=["--deadline-ms", "1500"])
        took = time.time() - started
        denies("slow registry", result, "timeout")
        check("slow registry: in time", 0.8 < took < 2.2, took)
        Registry.delay = 0.0
        nothing_left("slow registry", node)
    with Node("deadline-ms: 1000\n") as node:
        Registry.delay = 5.0
        started = time.time()
        denies("the settings' deadline", pull(node), "timeout")
        check("the settings' deadline: in time", time.time() - started < 2, time.time() - started)
        Registry.delay = 0.0


# -- engines that answer badly ------------------------------------------------------------------------------------------

def record(tag, data):
    return struct.pack(">HI", tag, len(data)) + data


def response(verdict=0x616c6c6f, reason=1, digest=IMAGE):
    records = record(5, digest.encode()) + b"".join(record(t, struct.pack(">I", v)) for t, v in
                                                   [(40, verdict), (41, reason), (42, 0)])
    return b"PGM1" + struct.pack(">HHI", 1, 2, len(records)) + records


STUB = r'''#!{python}
import socket, sys, time, os, signal
s = socket.socket(fileno=3)
s.setblocking(True)
def request():
    header = s.recv(12, socket.MSG_WAITALL)
    return s.recv(int.from_bytes(header[8:12], "big"), socket.MSG_WAITALL)
good = bytes.fromhex("{good}")
{body}
'''

BAD_ENGINES = [
    # name, body, reason, words
    ("says nothing", "request()", "unavailable", "without an answer"),
    ("exits at once", "pass", "unavailable", ""),
    ("is killed", "request(); os.kill(os.getpid(), 9)", "unavailable", "signal 9"),
    ("is killed in its answer", "request(); s.send(good[:20]); os.kill(os.getpid(), 9)", "unavailable", "signal 9"),
    ("answers short", "request(); s.send(good[:-3])", "unavailable", ""),
    ("answers garbage", "request(); s.send(b'x' * 4000)", "malformed", ""),
    ("answers empty", "request(); s.send(b'PGM1' + bytes([0, 1, 0, 2, 0, 0, 0, 0]))", "malformed", ""),
    ("answers another version", "request(); s.send(good[:4] + bytes([0, 9]) + good[6:])", "malformed", ""),
    ("answers another type", "request(); s.send(good[:6] + bytes([0, 3]) + good[8:])", "malformed", ""),
    ("answers twice", "request(); s.send(good + good)", "malformed", "more than its answer"),
    ("answers twice, slowly", "request(); s.send(good); time.sleep(0.3); s.send(good)", "malformed", "more than its answer"),
    ("answers a huge length", "request(); s.send(good[:8] + b'\\xff\\xff\\xff\\xff')", "", ""),
    ("is slow", "request(); time.sleep(30)", "timeout", ""),
    ("does not close", "request(); s.send(good); time.sleep(30)", "timeout", "close"),
    ("trickles", "request()\nfor b in good: s.send(bytes([b])); time.sleep(0.2)", "timeout", ""),
    ("answers for another image", "request(); s.send(bytes.fromhex('{other}'))", "malformed", "another image"),
    ("answers true", "request(); s.send(bytes.fromhex('{one}'))", "malformed", ""),
    ("answers allow for a reason of deny", "request(); s.send(bytes.fromhex('{wrong}'))", "malformed", "contradicts"),
]


def stub(directory, body):
    path = os.path.join(directory, "pullguard-engine")
    values = {"good": response().hex(), "other": response(digest="sha256:" + "0" * 64).hex(), "one": response(1).hex(),
              "wrong": response(reason=4).hex()}
    for key, value in values.items():
        body = body.replace("{" + key + "}", value)
    with open(path, "w") as file:
        file.write(STUB.replace("{python}", sys.executable).replace("{good}", values["good"]).replace("{body}", body))
    os.chmod(path, 0o755)


def ask(node, libexec, deadline=2000, times=1, reference="registry.test/a:1"):
    started = time.time()
    result = subprocess.run([ASK, node.root, libexec, str(deadline), str(times), reference, IMAGE], stdout=subprocess.PIPE,
                            timeout=120)
    lines = result.stdout.decode().splitlines()
    return lines, time.time() - started


def bad_answer(name, lines, took, reason, words, deadline=2.0):
    verdict = lines[0].split(" ", 2)
    check(name, verdict[0] == "deny" and (not reason or verdict[1] == reason) and words in lines[0], lines)
    check(name + ": in time, nothing left", took < deadline + 1 and lines[-1] == "left: 0 descriptors, 0 children",
          (took, lines))


def test_bad_engines():
    with Node() as node, tempfile.TemporaryDirectory() as libexec:
        os.chmod(libexec, 0o755)
        stub(libexec, "request(); s.send(good)")
        lines, took = ask(node, libexec)
        check("stub engine that allows", lines[0].startswith("allow ok"), lines)
        for name, body, reason, words in BAD_ENGINES:
            stub(libexec, body)
            lines, took = ask(node, libexec)
            bad_answer("engine " + name, lines, took, reason, words)
        os.unlink(libexec + "/pullguard-engine")
        lines, took = ask(node, libexec)
        bad_answer("no engine", lines, took, "unavailable", "cannot be started")
        with open(libexec + "/pullguard-engine", "w") as file:
            file.write("no program")
        lines, took = ask(node, libexec)
        bad_answer("engine is not executable", lines, took, "unavailable", "cannot be started")


class Resident:
    """A socket where the resident engine's should be."""

    def __init__(self, node, answer):
        os.makedirs(node.root + "/run/pullguard", exist_ok=True)
        self.path = node.root + "/run/pullguard/engine.sock"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(16)
        self.answer = answer
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        os.unlink(self.path)


def test_bad_resident():
    def receive(c):
        header = c.recv(12, socket.MSG_WAITALL)
        c.recv(int.from_bytes(header[8:12], "big"), socket.MSG_WAITALL)

    def good(c):
        receive(c)
        c.sendall(response())
        c.close()

    def hang_up(c):
        c.close()

    def garbage(c):
        receive(c)
        c.sendall(b"x" * 100)
        c.close()

    def silent(c):
        receive(c)
        time.sleep(10)

    with Node() as node, tempfile.TemporaryDirectory() as libexec:
        os.chmod(libexec, 0o755)
        stub(libexec, "request(); s.send(good)")
        for name, answer, wanted in [("allows", good, "allow ok"), ("hangs up: an engine of its own decides", hang_up, "allow ok"),
                                     ("answers garbage", garbage, "deny malformed"), ("is silent", silent, "deny timeout")]:
            resident = Resident(node, answer)
            lines, took = ask(node, libexec)
            check("resident engine " + name, lines[0].startswith(wanted) and lines[-1].endswith("0 descriptors, 0 children") and
                  took < 3, (took, lines))
            resident.close()


# -- surroundings -------------------------------------------------------------------------------------------------------

def test_descriptors():
    with Node() as node:
        for closed in [(0,), (1,), (2,), (0, 1), (0, 1, 2)]:
            script = "exec \"$@\" " + " ".join(f"{fd}>&-" for fd in closed)
            result = pull(node, wrap=["sh", "-c", script, "sh"], stdin=None)
            name = "closed " + ", ".join(str(fd) for fd in closed)
            check(name + ": allow", result.returncode == 0, result)
            result = pull(node, "demo/nosig", wrap=["sh", "-c", script, "sh"], stdin=None)
            check(name + ": deny", result.returncode == 1, result)
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        Registry.delay = 0.5
        process = subprocess.Popen([CONTAINERD, "-name", f"127.0.0.1:{PORT}/demo/legacy:v1", "-digest", IMAGE, "--root",
                                    node.root], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[writing])
        os.close(writing)
        started = time.time()
        end = os.read(reading, 1)
        check("inherited descriptor is closed at once", end == b"" and time.time() - started < 0.4, time.time() - started)
        process.wait()
        os.close(reading)
        Registry.delay = 0.0
        huge = b'{"digest": "' + IMAGE.encode() + b'", "annotations": {"a": "' + b"x" * 70000 + b'"}}'
        denies("descriptor of 70 KiB", pull(node, stdin=None, input=huge), "bad_request")
        denies("descriptor with duplicate names", pull(node, stdin=None, input=b'{"digest":"a","digest":"b"}'), "malformed")
        denies("descriptor of another image", pull(node, stdin=None, input=b'{"digest":"sha256:' + b"0" * 64 + b'"}'),
               "bad_request")
        denies("descriptor cut off", pull(node, stdin=None, input=b'{"digest":'), "malformed")
        denies("unknown argument", pull(node, extra=["-frobnicate", "1"]), "bad_request")
        denies("argument twice", pull(node, extra=["-digest", IMAGE]), "bad_request")
        denies("hostile name", pull(node, "demo/\x1b[2J\nlegacy"), "bad_request")


def test_parallel():
    with Node() as node:
        results = []
        threads = [threading.Thread(target=lambda i=i: results.append((i, pull(node, "demo/legacy" if i % 2 else "demo/nosig"))))
                   for i in range(20)]
        started = time.time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        right = [(r.returncode == 0) == bool(i % 2) for i, r in results]
        check("twenty pulls at once", all(right) and len(right) == 20, [(i, r.returncode, r.stdout) for i, r in results])
        check("twenty pulls at once: in time", time.time() - started < 20, time.time() - started)
        nothing_left("twenty pulls at once", node)


def test_sandbox():
    selftest = [ENGINE + "/pullguard-engine", "--selftest", "--root"]
    with Node() as node:
        result = subprocess.run([*selftest, node.root], stdout=subprocess.PIPE, timeout=60)
        check("the sandboxes hold", result.returncode == 0 and b"FAIL" not in result.stdout, result.stdout.decode())
        print(result.stdout.decode(), end="")
        no_setuid = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"]
        denies("sandbox cannot be set up", pull(node, wrap=no_setuid), "sandbox", "privileges")
    with Node("sandbox: prefer\n") as node:
        allows("sandbox: prefer, cannot be set up whole", pull(node, wrap=no_setuid))
    with Node("sandbox: off\n") as node:
        allows("sandbox: off", pull(node, wrap=no_setuid))
        result = subprocess.run([*selftest, node.root], stdout=subprocess.PIPE, timeout=60)
        check("sandbox: off is seen by the self-test", result.returncode != 0 and b"FAIL" in result.stdout, result.stdout)


def test_logs():
    with Node("log-json: /dev/full\naudit: /no/such/directory/audit.jsonl\n") as node:
        os.makedirs(node.root + "/dev")
        os.mknod(node.root + "/dev/full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
        allows("no room for logs: allow", pull(node))
        denies("no room for logs: deny", pull(node, "demo/nosig"), "no_signature")
    with Node("log-json: /log.json\naudit: /audit.jsonl\n") as node:
        allows("logs", pull(node))
        denies("logs", pull(node, "demo/nosig"), "no_signature")
        lines = [json.loads(line) for line in open(node.root + "/log.json")]
        check("log-json has both", [line["verdict"] for line in lines] == ["allow", "deny"], lines)
        lines = [json.loads(line) for line in open(node.root + "/audit.jsonl")]
        check("audit log is a chain", [line["seq"] for line in lines] == [1, 2] and len(lines[1]["prev"]) == 64, lines)
    if RESIDENT:
        return  # keeps the last good rules instead
    with Node("log-json: /log.json\naudit: /audit.jsonl\n") as node:
        os.makedirs(node.conf + "/trust", exist_ok=True)
        node.write("trust/broken.json", "{}")
        node.write("policy.d/demo.yaml", POLICY.replace("{key: {path: cosign.pub}}", "{keyless: {trustRootRef: broken, "
                                                        "identities: [{issuer: i, subject: s}]}}"))
        denies("a trust root that does not load", pull(node), "policy_error", "broken")
        for name in ("log.json", "audit.jsonl"):
            path = os.path.join(node.root, name)
            lines = open(path).read().splitlines() if os.path.exists(path) else []
            check("a trust root that does not load stands in " + name, len(lines) == 1 and "policy_error" in lines[0], lines)


# -- cache --------------------------------------------------------------------------------------------------------------

def cached(node, repository="demo/legacy"):
    """(exit status, whether the registry was not asked)."""
    Registry.delay = 0.4
    started = time.time()
    result = pull(node, repository)
    took = time.time() - started
    Registry.delay = 0.0
    return result.returncode, took < 0.35


def test_cache():
    with Node() as node:
        time.sleep(3.1)
        pull(node, "demo/sigs") # a resident engine reads its rules again once they have settled
        shutil.rmtree(node.root + "/var/cache/pullguard")
        open(node.root + "/var/cache/pullguard", "w").close()
        said = pull(node).stdout
        check("a verdict that cannot be kept is let through, and says so",
              said.startswith(b"ok:") and b"start gates will not know it, as the verdict cannot be kept: " in said, said)
        os.unlink(node.root + "/var/cache/pullguard")
        node.forget()
        check("first pull asks the registry", cached(node) == (0, False))
        check("second pull does not", cached(node) == (0, True))
        verdicts = node.root + "/var/cache/pullguard/verdicts"
        entry = [f for f in os.listdir(verdicts) if f != "stamp"][0]
        whole = open(os.path.join(verdicts, entry), "rb").read()
        check("denied image is not kept", cached(node, "demo/nosig")[0] == 1 and len(os.listdir(verdicts)) == 2)
        worse = 0
        for i in range(0, len(whole), 3):
            with open(os.path.join(verdicts, entry), "wb") as file:
                file.write(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1:])
            node.forget()
            worse += pull(node, extra=["--deadline-ms", "1"]).returncode == 0
        check("changed entry is a miss, at each byte", worse == 0, worse)
        worse = 0
        for i in range(0, len(whole), 5):
            with open(os.path.join(verdicts, entry), "wb") as file:
                file.write(whole[:i])
            node.forget()
            worse += pull(node, extra=["--deadline-ms", "1"]).returncode == 0
        check("cut entry is a miss, at each length", worse == 0, worse)
        with open(os.path.join(verdicts, entry), "wb") as file:
            file.write(whole)
        check("whole again: a hit", cached(node) == (0, True))
        os.chmod(os.path.join(verdicts, entry), 0o666)
        node.forget()
        check("entry that others may write is a miss", not cached(node)[1])
        os.chmod(os.path.join(verdicts, entry), 0o600)
        os.chown(os.path.join(verdicts, entry), 65534, 65534)
        node.forget()
        check("entry of another owner is a miss", not cached(node)[1])
        os.chown(os.path.join(verdicts, entry), 0, 0)
        check("a hit again", cached(node) == (0, True))
        os.chmod(node.conf + "/policy.d", 0o777)
        node.fresh = True
        denies("policy directory opened to others: no hit", pull(node), "untrusted_file")
        os.chmod(node.conf + "/policy.d", 0o755)
        node.fresh = False
        before = os.stat(node.conf + "/policy.d/demo.yaml")
        changed = POLICY.replace("name: demo", "name: dem2")
        with open(node.conf + "/policy.d/demo.yaml", "r+") as file:
            file.write(changed)
        os.utime(node.conf + "/policy.d/demo.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
        check("policy changed in place, time put back: a miss", not cached(node)[1])
        if not RESIDENT: # reads the rules for each decision until they have settled: what it holds is by these very rules
            check("changed just now: still a miss", not cached(node)[1])
        node.write("policy.d/none.yaml", POLICY.replace("cosign.pub", "prime256v1.pub"))
        node.fresh = True
        denies("policy added whose key is missing", pull(node), "policy_error", "prime256v1.pub")
        shutil.copy(VECTORS + "/keys/prime256v1.pub", node.conf + "/keys/prime256v1.pub")
        denies("policy added that wants another key", pull(node), "wrong_key")


def test_cache_is_swept():
    """Verdicts beyond their life stay for outages and starts, until there are many; nothing grows without end."""
    with Node("cache: {life: 1s}\non-fetch-failure: cached\n") as node:
        verdicts = node.root + "/var/cache/pullguard/verdicts"
        time.sleep(3.1)
        pull(node, "demo/sigs") # a resident engine reads its rules again once they have settled
        allows("kept for a second", pull(node))
        entries = [f for f in os.listdir(verdicts) if f != "stamp"]
        check("there are entries", len(entries) >= 1, entries)
        time.sleep(1.1)
        os.unlink(verdicts + "/stamp") # the next verdict sweeps
        allows("another is kept", pull(node, "demo/bundle"))
        check("what is beyond its life stays", set(entries) <= set(os.listdir(verdicts)), (entries, os.listdir(verdicts)))
        time.sleep(1.1)
        Registry.delay = 5.0
        allows("an outage after that: the verdict stands", pull(node, extra=["--deadline-ms", "2000"]))
        denies("an outage: what was never verified", pull(node, "demo/nosig", extra=["--deadline-ms", "2000"]), "timeout")
        Registry.delay = 0.0
        for i in range(21000):
            shutil.copyfile(os.path.join(verdicts, entries[0]), os.path.join(verdicts, "%064x-%016x" % (i, i)))
        torn = os.path.join(verdicts, ".torn.abcdef")
        open(torn, "w").close()
        os.utime(torn, (1, 1))
        time.sleep(1.1)
        os.unlink(verdicts + "/stamp")
        allows("one more is kept", pull(node, "demo/mixed"))
        left = os.listdir(verdicts)
        check("of many, those beyond their life go", len(left) < 10 and ".torn.abcdef" not in left, len(left))
        for i in range(21000):
            open(os.path.join(verdicts, "%064x-%016x" % (i, i)), "w").close()
        result = subprocess.run([CLI, "--root", node.root, "cache", "clear"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check("cache clear clears however many there are", result.returncode == 0 and not os.listdir(verdicts), result)


# -- resident engine ----------------------------------------------------------------------------------------------------

def test_resident():
    with Node() as node:
        node.start()
        engine = node.engine.pid
        allows("resident: signed image", pull(node))
        denies("resident: unsigned image", pull(node, "demo/nosig"), "no_signature")
        check("resident: it was asked", any(p[1] == engine for p in processes(b"pullguard-fetch")))
        time.sleep(2.5)
        node.write("policy.d/demo.yaml", POLICY.replace("mode", "mode").replace("cosign.pub", "prime256v1.pub"))
        shutil.copy(VECTORS + "/keys/prime256v1.pub", node.conf + "/keys/prime256v1.pub")
        denies("resident: a changed policy counts at once", pull(node), "wrong_key")
        node.write("policy.d/demo.yaml", "kind: [")
        denies("resident: a broken policy: the last good set decides, and says so", pull(node), "wrong_key", "do not load")
        node.write("policy.d/demo.yaml", POLICY)
        allows("resident: repaired", pull(node))
        os.kill(engine, signal.SIGHUP)
        allows("resident: after SIGHUP", pull(node))
        silent = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for s in silent:
            s.connect(node.root + "/run/pullguard/engine.sock")
        started = time.time()
        allows("resident: forty clients that say nothing delay nobody", pull(node, "demo/bundle"))
        check("resident: in time", time.time() - started < 2, time.time() - started)
        for s in silent:
            s.close()
        for _ in range(20):
            pull(node, "demo/nosig")
        time.sleep(0.5)
        before = len(os.listdir(f"/proc/{engine}/fd"))
        rss = memory(engine)
        for _ in range(60):
            pull(node, "demo/nosig")
        time.sleep(0.5)
        check("resident: descriptors do not grow", len(os.listdir(f"/proc/{engine}/fd")) <= before + 4,
              (before, len(os.listdir(f"/proc/{engine}/fd"))))
        check("resident: memory does not grow", memory(engine) <= rss + 512, (rss, memory(engine)))
        check("resident: no zombies", not zombies_of(engine), zombies_of(engine))
        Registry.delay = 1.0
        results = []
        runner = threading.Thread(target=lambda: results.append(pull(node, "demo/mixed")))
        runner.start()
        time.sleep(0.5)
        node.engine.kill()
        node.engine.wait()
        runner.join()
        Registry.delay = 0.0
        allows("resident killed during a pull: an engine of its own decides", results[0])
        allows("resident killed: the next pull works", pull(node, "demo/sigs"))
        node.start()
        allows("resident: started again over the old socket", pull(node, "demo/dockermt"))
        node.engine.terminate()
        check("resident: ends when told to", node.engine.wait(timeout=10) == 0)
        node.engine = None
        nothing_left("resident", node)


def served(engine, pull_once):
    """What one pull cost: requests to the registry, and page faults of processes the engine has reaped (0 = it forked none)."""
    def faults():
        time.sleep(0.2)
        with open(f"/proc/{engine}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[8])
    before, Registry.count = faults(), 0
    result = pull_once()
    return result, Registry.count, faults() - before


def test_memory():
    """Verdicts that the resident engine keeps in memory."""
    with Node("audit: /var/log/audit.jsonl\n") as node: # with an audit no hit is the hook's
        os.makedirs(node.root + "/var/log")
        node.start()
        engine = node.engine.pid
        verdicts = node.root + "/var/cache/pullguard/verdicts/"
        time.sleep(3.1)
        result, asked, forks = served(engine, lambda: pull(node))
        check("memory: the first pull asks, in a worker", result.returncode == 0 and asked > 0 and forks > 0, (asked, forks))
        result, asked, forks = served(engine, lambda: pull(node))
        allows("memory: the second pull", result)
        check("memory: asks nobody, and starts no worker", asked == 0 and forks == 0, (asked, forks))
        lines = open(node.root + "/var/log/audit.jsonl").read().splitlines()
        check("memory: both are in the audit", len(lines) == 2 and '"cached":1' in lines[1], lines)
        for name in os.listdir(verdicts):
            if name != "stamp":
                os.unlink(verdicts + name)
        check("memory: without the file too", served(engine, lambda: pull(node))[1:] == (0, 0))
        check("memory: another digest is a miss", served(engine, lambda: pull(node, digest="sha256:" + "1" * 64))[1] > 0)
        check("memory: another name is a miss", served(engine, lambda: pull(node, "demo/sigs"))[1] > 0)
        denied = served(engine, lambda: pull(node, "demo/nosig"))
        check("memory: a deny", denied[0].returncode == 1 and denied[1] > 0)
        check("memory: is not kept", served(engine, lambda: pull(node, "demo/nosig"))[1] > 0)
        for name, descriptor, kept in [("agrees", '{"mediaType":"a/b","digest":"%s","size":3}' % IMAGE, True),
                                       ("agrees, said twice", '{"digest":"%s","annotations":{"digest":"x"}}' % IMAGE, False),
                                       ("agrees, with spaces", '{"digest": "%s"}' % IMAGE, False)]:
            result, asked, _ = served(engine, lambda d=descriptor: pull(node, stdin=None, input=d.encode()))
            check(f"memory: a descriptor that {name}", result.returncode == 0 and (asked == 0) == kept, (result, asked))
        other = '{"digest":"sha256:%s"}' % ("2" * 64)
        denies("memory: a descriptor of another digest", pull(node, stdin=None, input=other.encode()), "bad_request")
        escaped = '{"digest":"%s","d\\u0069gest":"sha256:%s"}' % (IMAGE, "2" * 64)
        check("memory: a descriptor in disguise", pull(node, stdin=None, input=escaped.encode()).returncode == 1)
        for name in os.listdir(verdicts):
            os.unlink(verdicts + name)
        check("memory: a cleared cache is cleared here", served(engine, lambda: pull(node))[1] > 0)
        pull(node) # by way of a worker: the first answer left a new stamp, which empties memory once
        node.forget()
        result, asked, forks = served(engine, lambda: pull(node))
        check("memory: SIGHUP empties it, the file answers", asked == 0 and forks > 0, (asked, forks))
        check("memory: and fills it again", served(engine, lambda: pull(node))[1:] == (0, 0))
        with full_journal(node):
            started = time.time()
            threads = [threading.Thread(target=lambda: pull(node)) for _ in range(60)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            check("memory: a journal that reads nothing makes hits wait side by side", time.time() - started < 3,
                  time.time() - started)
        kept = {name: os.stat(verdicts + name).st_ino for name in os.listdir(verdicts)}
        node.write("policy.d/more.yaml", "kind: [")
        for name in ("rules that do not load: decided anew", "and again: nothing of that is kept"):
            result, asked, forks = served(engine, lambda: pull(node))
            check("memory: " + name, asked > 0 and b"do not load" in result.stdout, (asked, result.stdout))
        check("memory: nor on disk", kept == {name: os.stat(verdicts + name).st_ino for name in os.listdir(verdicts)})
        os.unlink(node.conf + "/policy.d/more.yaml")
        allows("memory: repaired", pull(node))
        node.write("policy.d/demo.yaml", POLICY.replace("cosign.pub", "prime256v1.pub"))
        shutil.copy(VECTORS + "/keys/prime256v1.pub", node.conf + "/keys/prime256v1.pub")
        denies("memory: changed rules", pull(node), "wrong_key")
    with Node("cache: {life: 2s}\naudit: /var/log/audit.jsonl\n") as node:
        os.makedirs(node.root + "/var/log")
        node.start()
        time.sleep(3.1)
        pull(node)
        check("memory: within its life", served(node.engine.pid, lambda: pull(node))[1] == 0)
        time.sleep(2)
        check("memory: beyond its life", served(node.engine.pid, lambda: pull(node))[1] > 0)


def test_kept_fetchers():
    """What the resident engine lends for the second time."""
    names = " ".join(f"r{i}.test" for i in range(12))
    settings = "cache: {enabled: false}\ninsecure-registries: " + json.dumps([f"{name}:{PORT}" for name in names.split()]) + "\n"
    with Node(settings) as node, tempfile.TemporaryDirectory() as copies:
        etc = copies + "/etc"
        subprocess.run(["cp", "-a", "/etc", etc], check=True)
        def hosts(text):
            with open(etc + "/hosts.new", "w") as file:
                file.write(text)
            os.rename(etc + "/hosts.new", etc + "/hosts")
        def fetchers():
            return sorted(p[0] for p in of_node(node, b"fetch"))
        def ask(name, repository="demo/legacy"):
            time.sleep(0.2) # the last decision's worker may still be about to give its fetcher back
            return pull(node, repository, host=name)
        hosts(f"127.0.0.1 localhost {names}\n")
        os.chmod(copies, 0o755)
        node.start(wrap=["unshare", "--mount", "--propagation", "private", "sh", "-c", f'mount --bind {etc} /etc; exec "$@"', "sh"])
        time.sleep(3.1) # until then the rules are read for each request, which ends kept fetchers
        allows("kept fetcher: first pull", ask("127.0.0.1"))
        first = fetchers()
        allows("kept fetcher: second pull", ask("127.0.0.1", "demo/sigs"))
        check("kept fetcher: it is the same", len(first) == 1 and fetchers() == first, (first, fetchers()))
        allows("kept fetcher: another registry", ask("r1.test"))
        second = fetchers()
        check("kept fetcher: has one of its own", len(second) == 2 and first[0] in second, second)
        allows("kept fetcher: both", ask("127.0.0.1"))
        allows("kept fetcher: in turn", ask("r1.test"))
        check("kept fetcher: are kept", fetchers() == second, fetchers())
        time.sleep(0.2)
        for pid in second:
            os.kill(pid, signal.SIGKILL)
        allows("kept fetcher: killed while idle", pull(node))
        for name in names.split():
            pull(node, host=name)
        time.sleep(0.3)
        check("kept fetcher: no more than eight", len(fetchers()) == 8, fetchers())
        hosts(f"127.0.0.1 localhost {names} another.test\n")
        allows("kept fetcher: /etc/hosts is replaced", ask("r11.test"))
        check("kept fetcher: those before are gone", len(fetchers()) == 1, fetchers())


def test_fetcher_of_two_registries():
    """Policies may send look-ups to a second registry. A fetcher that knows the secrets of both serves such decisions only."""
    sources = POLICY.replace("{glob: \"**\"}", "{glob: \"**/demo/legacy\"}").replace("cosign.pub}}]", """cosign.pub}},
    {key: {path: cosign.pub}, source: [{oci: "127.0.0.2:1/x"}]}]""")
    plain = POLICY.replace("name: demo", "name: plain").replace("{glob: \"**\"}", "{glob: \"**/demo/sigs\"}")
    for names in ([], ["127.0.0.2:1"], [f"127.0.0.1:{PORT}"]):
        with Node("cache: {enabled: false}\ncredentials: [/etc/auth.json]\n") as node:
            with open(node.root + "/etc/auth.json", "w") as file:
                json.dump({"auths": {name: {"auth": base64.b64encode(b"u:p").decode()} for name in names}}, file)
            os.chmod(node.root + "/etc/auth.json", 0o644)
            node.write("policy.d/demo.yaml", sources)
            node.write("policy.d/plain.yaml", plain)
            node.start()
            time.sleep(3.1)
            seen = []
            for repository in ("demo/legacy", "demo/sigs", "demo/legacy", "demo/sigs"):
                allows(f"two registries, secrets of {names}: {repository}", pull(node, repository))
                time.sleep(0.3)
                seen.append({p[0] for p in of_node(node, b"fetch")})
            check("two registries: the fetcher is kept", len(seen[0]) == 1, seen)
            check("two registries: and not for an image that is looked for in one", len(seen[1]) == 2 and seen[0] < seen[1], seen)
            check("two registries: both are lent again", seen[1] == seen[2] == seen[3], seen)


def test_upgrade():
    """A package replaces the resident engine's program."""
    with Node() as node, tempfile.TemporaryDirectory() as libexec:
        os.chmod(libexec, 0o755)
        for program in ("pullguard-engine", "pullguard-fetch"):
            shutil.copy(ENGINE + "/" + program, libexec)
        node.start(libexec)
        allows("upgrade: before", pull(node))
        shutil.copy(ENGINE + "/pullguard-engine", libexec + "/new")
        os.rename(libexec + "/new", libexec + "/pullguard-engine")
        allows("upgrade: after", pull(node, "demo/sigs"))
        check("upgrade: the old engine ends", node.engine.wait(timeout=10) == 0)
        node.engine = None


@contextlib.contextmanager
def full_journal(node):
    """A journald that does not read."""
    path = node.root + "/run/systemd/journal/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        journal.bind(path)
        sender.setblocking(False)
        sender.connect(path)
        try:
            while True:
                sender.send(b"x" * 1000)
        except BlockingIOError:
            yield
    os.unlink(path)


PROVIDERS = """apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: giver
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    matchImages: ["127.0.0.1:%d"]
    defaultCacheDuration: 0s
"""

GIVER = r"""#!/bin/sh
cat >/dev/null
echo x >>%s/asked
printf '{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"%s",'
printf '"cacheDuration":"%s","auth":{"127.0.0.1:%d":{"username":"AWS","password":"word-%s"}}}'
"""


def test_providers():
    """The kubelet's credential providers: the resident engine keeps what they answer, for as long as they say."""
    settings = "cache: {enabled: false}\ncredential-providers: {config: /etc/providers.yaml, directory: /opt/providers}\n"
    with Node(settings) as node:
        os.makedirs(node.root + "/opt/providers")
        def configure(kind, life, word="1"):
            for name, text in (("etc/providers.yaml", PROVIDERS % PORT), ("opt/providers/giver",
                                                                         GIVER % (node.root, kind, life, PORT, word))):
                with open(f"{node.root}/{name}", "w") as file:
                    file.write(text)
            os.chmod(node.root + "/etc/providers.yaml", 0o644)
            os.chmod(node.root + "/opt/providers/giver", 0o755)
        def asked():
            """How often the provider was run since the last question."""
            path = node.root + "/asked"
            count = len(open(path).read().split()) if os.path.exists(path) else 0
            if count:
                os.unlink(path)
            return count
        Registry.login = b"AWS:word-1"
        configure("Registry", "4s")
        allows("providers: an engine of its own", pull(node))
        check("providers: asks once for a decision", asked() == 1)
        node.start()
        time.sleep(3.1) # until then the rules are read for each request
        allows("providers: resident", pull(node))
        check("providers: resident: asked", asked() == 1)
        began = time.time()
        allows("providers: the second request", pull(node))
        allows("providers: another image of the registry", pull(node, "demo/sigs"))
        check("providers: they do not ask", asked() == 0)
        time.sleep(max(0, began + 4.1 - time.time()))
        allows("providers: after the duration", pull(node))
        check("providers: asked again", asked() == 1)
        configure("Image", "1h")
        time.sleep(4.1)
        pull(node)
        asked()
        pull(node)
        check("providers: kept for the image", asked() == 0)
        pull(node, "demo/sigs")
        check("providers: and for no other", asked() == 1)
        with open(node.root + "/etc/providers.yaml", "a") as file:
            file.write("# changed\n")
        pull(node)
        check("providers: another configuration asks anew", asked() == 1)
        configure("Global", "0s")
        node.write("pullguard.yaml", settings + "# changed\n")
        for _ in range(2):
            pull(node)
        check("providers: what has no life is not kept", asked() == 2)
        configure("Global", "1h")
        pull(node)
        asked()
        time.sleep(2.1)
        pull(node)
        check("providers: kept for all", asked() == 0)
        judges = secret_in(node, b"word-1")
        check("providers: no judge has the secret in its memory", judges == [], judges)
        node.write("pullguard.yaml", settings)
        pull(node)
        check("providers: changed settings ask anew", asked() == 1)
        Registry.login = None


def writable(pid):
    """A process's memory that may hold what it was told: (mapping, content)."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            begin, end = (int(word, 16) for word in line.split()[0].split("-"))
            if line.split()[1].startswith("rw"):
                mem.seek(begin)
                yield line, mem.read(end - begin)


def secret_in(node, secret):
    """Judges under way whose memory holds these bytes."""
    Registry.delay = 1.0
    runner = threading.Thread(target=lambda: pull(node, "demo/bundle"))
    runner.start()
    time.sleep(0.6)
    found, seen = [], 0
    for pid in [process[0] for process in processes(b"pullguard-engine") if node.root.encode() in process[2]]:
        try:
            if "Seccomp:\t2" in open(f"/proc/{pid}/status").read():
                seen += 1
                found += [(pid, name) for name, content in writable(pid) if secret in content]
        except OSError:
            pass # it has ended
    runner.join()
    Registry.delay = 0.0
    return found if seen else "no judge seen"


def memory(pid):
    """KiB of memory that no file backs."""
    return sum(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("RssAnon"))


def zombies_of(parent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) == parent:
            found.append(pid)
    return found


def test_together():
    """Pulls of one image at the same time share one verification."""
    with Node() as node:
        time.sleep(3.1)
        Registry.delay = 0.3
        Registry.count = 0
        threads = [threading.Thread(target=lambda: pull(node)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        Registry.delay = 0.0
        check("ten pulls of one image ask once", Registry.count <= 8, Registry.count)
    with Node() as node:
        pull(node, "demo/sigs")
        time.sleep(3.1)
        Registry.delay = 4.0
        first = threading.Thread(target=lambda: pull(node))
        first.start()
        time.sleep(0.8)
        Registry.delay = 0.0 # for those who ask from now on
        allows("who has little time waits for another's verification a third of it", pull(node, extra=["--deadline-ms", "2400"]))
        first.join()


def test_rules_swapped():
    """Rules that become others, by a link somewhere above, while a decision by the first is under way."""
    with Node() as node:
        sets = node.root + "/sets"
        for name, key in (("one", "cosign.pub"), ("two", "prime256v1.pub")):
            os.makedirs(f"{sets}/{name}/policy.d")
            node.write(f"{sets}/{name}/policy.d/demo.yaml", POLICY.replace("cosign.pub", key))
            shutil.copy(f"{VECTORS}/keys/{key}", node.conf + "/keys/" + key)
        shutil.rmtree(node.conf + "/policy.d")
        os.symlink("one", sets + "/current")
        os.symlink(sets + "/current/policy.d", node.conf + "/policy.d")
        time.sleep(3.1)
        Registry.delay = 0.5
        results = []
        runner = threading.Thread(target=lambda: results.append(pull(node)))
        runner.start()
        time.sleep(0.5)
        os.symlink("two", sets + "/new")
        os.rename(sets + "/new", sets + "/current")
        runner.join()
        Registry.delay = 0.0
        allows("rules swapped: decided by the first", results[0])
        denies("rules swapped: not kept under the second", pull(node), "wrong_key")
        os.symlink("one", sets + "/new")
        os.rename(sets + "/new", sets + "/current")
        allows("rules swapped: and back", pull(node))


def test_spelling():
    """A verdict kept under one spelling of a name counts for another where the rules see no difference, and only there."""
    short = "demo/legacy:v1"
    settings = "hosts-dirs: [/etc/containerd/certs.d]\n"
    for name, globs, same in [("for all names", ["**"], True), ("for the long name", ["docker.io/**"], True),
                              ("for both, by two globs", [short, "docker.io/**"], False)]:
        with Node(settings) as node:
            os.makedirs(node.root + "/etc/containerd/certs.d/docker.io")
            with open(node.root + "/etc/containerd/certs.d/docker.io/hosts.toml", "w") as file:
                file.write(f'server = "http://127.0.0.1:{PORT}"\n')
            images = ", ".join(f'{{glob: "{glob}"}}' for glob in globs)
            node.write("policy.d/demo.yaml", POLICY.replace('{glob: "**"}', images))
            time.sleep(3.1)
            allows(f"rules {name}: the long name", pull(node, name="docker.io/" + short))
            Registry.shut = True
            if same:
                allows(f"rules {name}: the short one has the same verdict", pull(node, name=short))
            else:
                denies(f"rules {name}: the short one is decided anew", pull(node, name=short), "unauthorized")
            Registry.shut = False
            allows(f"rules {name}: the short one", pull(node, name=short))
            Registry.shut = True
            allows(f"rules {name}: is kept", pull(node, name=short))
            Registry.shut = False
            node.write("policy.d/short.yaml", POLICY.replace("name: demo", "name: short").replace("**", short)
                       .replace("cosign.pub", "prime256v1.pub"))
            shutil.copy(VECTORS + "/keys/prime256v1.pub", node.conf + "/keys/prime256v1.pub")
            time.sleep(3.1)
            allows(f"rules {name}, another key for the short one: the long name", pull(node, name="docker.io/" + short))
            denies(f"rules {name}, another key for the short one: that", pull(node, name=short), "wrong_key")


def start_registry():
    global PORT
    PORT = serve()


def main():
    start_registry()
    tests = [test_files, test_kills, test_killed_with_a_helper, test_caller_gone, test_deadlines, test_bad_engines,
             test_bad_resident, test_descriptors, test_parallel, test_sandbox, test_logs, test_cache, test_cache_is_swept,
             test_together, test_spelling, test_rules_swapped, test_resident, test_memory, test_providers, test_kept_fetchers,
             test_fetcher_of_two_registries, test_upgrade]
    if RESIDENT: # those that need nothing of a per-request engine's own processes, and no changed settings
        tests = [test_files, test_deadlines, test_descriptors, test_parallel, test_cache, test_cache_is_swept,
                 test_together, test_spelling, test_rules_swapped]
    wanted = [name for name in sys.argv[3:] if name.startswith("test_")]
    for test in tests:
        if not wanted or test.__name__ in wanted:
            test()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("0 passed, 0 failed (not run: needs root)")
        sys.exit(77)
    main()
