#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The moments of a resident engine: the hour nobody asks, the signal to stop, too few descriptors, children that die or stay.

usage: resident.py BUILD-DIR SOURCE-DIR
"""
import base64
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run  # noqa: E402
from run import ENGINE, IMAGE, Node, Registry, allows, check, denies, of_node, pull  # noqa: E402

NGHTTPD = shutil.which("nghttpd", path=os.environ.get("PATH", "") + ":/usr/sbin")
AUDIT = "audit: /audit.jsonl\n" # with an audit no hit is the hook's


def activated(node):
    """The engine as a service manager starts it: with its socket as descriptor 3."""
    os.makedirs(node.root + "/run/pullguard")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(node.root + "/run/pullguard/engine.sock")
    listener.listen(64)
    def become_service():
        os.dup2(listener.fileno(), 3)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execv(ENGINE + "/pullguard-engine", ["pullguard-engine", "--resident", "--root", node.root, "--libexec", ENGINE])
    node.engine = subprocess.Popen([sys.executable], preexec_fn=become_service, close_fds=False)
    return listener


def test_idle():
    """It ends when nobody asks, and not while somebody is answered from memory."""
    with Node(AUDIT + "resident: {idle-exit: 2s}\n") as node:
        time.sleep(2.1) # younger rules are kept by nobody
        with activated(node):
            for _ in range(10):
                allows("idle: a pull every half second", pull(node))
                time.sleep(0.5)
            check("idle: five seconds of answers from memory are none", node.engine.poll() is None, node.engine.returncode)
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.engine.wait(timeout=6)
            check("idle: it ends when nobody asks", node.engine.returncode == 0, node.engine.returncode)
            node.engine = None


def below(mark):
    """Processes with these bytes in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if mark.encode() in file.read():
                found.append(int(pid))
    return found


def helper_node(script):
    """A node whose credentials for the registry come from this program."""
    node = Node("cache: {enabled: false}\ncredentials: [/etc/auth.json]\n")
    os.makedirs(node.root + "/usr/bin")
    with open(node.root + "/usr/bin/docker-credential-own", "w") as file:
        file.write("#!/bin/sh\nread server\n" + script)
    os.chmod(node.root + "/usr/bin/docker-credential-own", 0o755)
    with open(node.root + "/etc/auth.json", "w") as file:
        json.dump({"credHelpers": {f"127.0.0.1:{run.PORT}": "own"}}, file)
    os.chmod(node.root + "/etc/auth.json", 0o644)
    return node


ANSWER = """echo '{"Username": "u", "Secret": "s"}'\n"""


def test_helper_leaves_a_daemon():
    """What a credential helper starts in a session of its own ends with the decision, and keeps nobody waiting."""
    for name, resident in (("an engine of its own", False), ("resident engine", True)):
        with helper_node("setsid sleep 54321.5 </dev/null >/dev/null 2>&1 &\n" + ANSWER) as node:
            if resident:
                node.start()
            pull(node)
            began = time.time()
            allows(f"helper's daemon, {name}: signed image", pull(node))
            check(f"helper's daemon, {name}: in time", time.time() - began < 0.45, time.time() - began)
            time.sleep(0.7)
            check(f"helper's daemon, {name}: is gone", not below("54321.5"), below("54321.5"))
            if resident:
                node.engine.terminate()
                try:
                    check("helper's daemon: the resident engine stops", node.engine.wait(timeout=5) == 0)
                except subprocess.TimeoutExpired:
                    check("helper's daemon: the resident engine stops", False, "it hangs")
                    node.engine.kill()
                node.engine = None
            for pid in below("54321.5"):
                os.kill(pid, signal.SIGKILL)


def test_parser_dies():
    """A kept fetcher whose parser is gone (the kernel was short of memory, say) is of no use, and not used."""
    Registry.login = b"u:p"
    with Node("cache: {enabled: false}\ncredentials: [/etc/auth.json]\n") as node:
        with open(node.root + "/etc/auth.json", "w") as file:
            json.dump({"auths": {f"127.0.0.1:{run.PORT}": {"auth": base64.b64encode(b"u:p").decode()}}}, file)
        os.chmod(node.root + "/etc/auth.json", 0o644)
        node.start()
        time.sleep(3.1)
        allows("parser: first pull", pull(node))
        time.sleep(0.3)
        parsers = [process[0] for process in of_node(node, b"parser")]
        check("parser: there is one", len(parsers) == 1, parsers)
        for pid in parsers:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        allows("parser killed: another repository", pull(node, "demo/sigs"))
        allows("parser killed: and another", pull(node, "demo/bundle"))
    Registry.login = None


def test_sandbox_changes():
    """A fetcher that was on loan when the settings changed is not kept: its sandbox is the old settings'."""
    with Node("cache: {enabled: false}\nsandbox: off\n") as node:
        node.start()
        time.sleep(3.1)
        Registry.delay = 1.0
        runner = threading.Thread(target=lambda: pull(node))
        runner.start()
        time.sleep(0.5)
        node.write("pullguard.yaml", "cache: {enabled: false}\n")
        pull(node, "demo/nosig")
        runner.join()
        Registry.delay = 0.0
        time.sleep(0.5)
        modes = [open(f"/proc/{p[0]}/status").read().split("Seccomp:\t")[1][0] for p in of_node(node, b"fetch")]
        check("settings changed during a loan: what is kept is in the new sandbox", modes and set(modes) == {"2"}, modes)


def ticks(pid):
    return sum(int(field) for field in open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13])


def test_few_descriptors():
    """More callers than descriptors: those that are served are served, and nothing turns in circles."""
    with Node() as node:
        node.start(wrap=["prlimit", "--nofile=24:24", "--"])
        allows("few descriptors: before", pull(node))
        held = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for each in held:
            each.connect(node.root + "/run/pullguard/engine.sock")
        time.sleep(0.2)
        before = ticks(node.engine.pid)
        time.sleep(2)
        check("few descriptors: it waits, and does not turn", ticks(node.engine.pid) - before < 20, ticks(node.engine.pid) - before)
        for each in held:
            each.close()
        allows("few descriptors: after", pull(node, "demo/sigs"))


def test_knock():
    """Who connects and asks nothing has been denied nothing: no log says so."""
    with Node("log-json: /log.json\n") as node:
        node.start()
        for said in (b"", b"PGM1\0"):
            with socket.socket(socket.AF_UNIX) as knock:
                knock.connect(node.root + "/run/pullguard/engine.sock")
                knock.sendall(said)
            time.sleep(0.3)
            lines = open(node.root + "/log.json").read().splitlines() if os.path.exists(node.root + "/log.json") else []
            check(f"a caller that leaves after {len(said)} bytes", len(lines) == (1 if said else 0), lines)


class Relay:
    """Hands connections on to a port. Those that are frozen bring nothing any more, and are never closed."""

    def __init__(self, port):
        self.to, self.count, self.frozen = port, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            self.count += 1
            threading.Thread(target=self.relay, args=(client, self.count), daemon=True).start()

    def relay(self, client, number):
        with client, socket.create_connection(("127.0.0.1", self.to)) as server, contextlib.suppress(OSError):
            while True:
                ready = select.select([client, server], [], [], 0.05)[0]
                while number <= self.frozen:
                    time.sleep(1)
                for side in ready:
                    data = side.recv(65536)
                    if not data:
                        return
                    (server if side is client else client).sendall(data)


@contextlib.contextmanager
def http2_server():
    """The stored image of demo/legacy, by HTTP/2: nghttpd, and files. Its port."""
    source = run.VECTORS + "/registry/demo/legacy"
    index = json.load(open(source + "/index.json"))
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(folder + "/v2/demo/legacy/manifests")
        shutil.copytree(source + "/blobs", folder + "/blobs")
        os.makedirs(folder + "/v2/demo/legacy/blobs")
        for name in os.listdir(folder + "/blobs"):
            os.rename(f"{folder}/blobs/{name}", f"{folder}/v2/demo/legacy/blobs/{name.replace('-', ':', 1)}")
        for name, digest in [*index["tags"].items(), *((digest, digest) for digest in index["manifests"])]:
            shutil.copy(f"{source}/manifests/{digest.replace(':', '-')}.json", f"{folder}/v2/demo/legacy/manifests/{name}")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder + "/key", "-out", folder + "/cert",
                        "-subj", "/CN=127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = subprocess.Popen([NGHTTPD, "-a", "127.0.0.1", "-d", folder, str(port), folder + "/key", folder + "/cert"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        yield port
        server.kill()
        server.wait()


def test_dead_connection():
    """A kept HTTP/2 connection that brings nothing any more costs one pull, and not all until the kernel gives it up."""
    if not NGHTTPD:
        print("skip dead connection: nghttpd (nghttp2-server) is not installed")
        return
    with http2_server() as port, Node("cache: {enabled: false}\nhosts-dirs: [/certs.d]\n") as node:
        relay = Relay(port)
        registry = f"127.0.0.1:{relay.port}"
        os.makedirs(f"{node.root}/certs.d/{registry}")
        with open(f"{node.root}/certs.d/{registry}/hosts.toml", "w") as file:
            file.write(f'server = "https://{registry}"\nskip_verify = true\n')
        node.start()
        time.sleep(3.1)
        name = registry + "/demo/legacy:v1"
        allows("dead connection: before", pull(node, name=name))
        time.sleep(0.3)
        allows("dead connection: before, again", pull(node, name=name))
        check("dead connection: there is one, and it is kept", relay.count == 1, relay.count)
        time.sleep(0.3)
        relay.frozen = relay.count
        denies("dead connection: the first pull on it", pull(node, name=name, extra=["--deadline-ms", "2000"]), "timeout")
        allows("dead connection: the next", pull(node, name=name))
        check("dead connection: has a new one", relay.count == 2, relay.count)


def test_others_verification():
    """A pull waits for the verification of the same image, never for that of another one."""
    for name, digest in (("a digest with the same first byte", IMAGE[:9] + "0" * 62), ("the same digest under another name", IMAGE)):
        with Node() as node:
            node.start()
            Registry.delay = 3.0
            slow = threading.Thread(target=lambda n=node, d=digest: pull(n, "demo/nosig", d))
            slow.start()
            time.sleep(0.5)
            Registry.delay = 0.0
            began = time.time()
            allows(f"{name} is verified slowly: signed image", pull(node))
            check(f"{name}: is not waited for", time.time() - began < 1, time.time() - began)
            slow.join()


if os.geteuid() != 0:
    print("0 passed, 0 failed (not run: needs root)")
    sys.exit(77)
run.start_registry()
wanted = sys.argv[3:]
for test in (test_idle, test_helper_leaves_a_daemon, test_parser_dies, test_sandbox_changes, test_few_descriptors, test_knock,
             test_dead_connection, test_others_verification):
    if not wanted or test.__name__ in wanted:
        test()
print(f"{run.passed} passed, {run.failed} failed")
sys.exit(1 if run.failed else 0)
