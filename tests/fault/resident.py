#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The moments of a resident engine: the hour nobody asks, the signal to stop, too few descriptors, children that die or stay.

usage: resident.py BUILD-DIR SOURCE-DIR
"""
import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run  # noqa: E402
from run import ENGINE, IMAGE, Node, Registry, allows, check, of_node, pull  # noqa: E402

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
             test_others_verification):
    if not wanted or test.__name__ in wanted:
        test()
print(f"{run.passed} passed, {run.failed} failed")
sys.exit(1 if run.failed else 0)
