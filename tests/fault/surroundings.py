#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A machine at three in the morning: full and read-only disks, things that are not there, limits of whoever started us. What
is signed is let through all the same, what is not is stopped with its reason.

usage: surroundings.py BUILD-DIR SOURCE-DIR
"""
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run  # noqa: E402
from run import BUILD, Node, allows, denies, pull  # noqa: E402


def both(name, node, wrap, **kwargs):
    allows(name + ": signed image", pull(node, wrap=wrap, **kwargs))
    denies(name + ": unsigned image", pull(node, "demo/nosig", wrap=wrap, **kwargs), "no_signature")


def shell(commands):
    """Commands of a mount namespace of its own in front of the adapter."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", commands + '\nexec "$@"', "sh"]


def test_disks():
    with Node() as node:
        both("read-only root", node, shell(f"mount --bind {node.root} {node.root}; mount -o remount,bind,ro {node.root}"))
    with Node("log-json: /var/log/a.json\naudit: /var/log/audit.jsonl\nmetrics: /var/log/m.prom\n") as node:
        os.makedirs(node.root + "/var")
        both("full disk below cache and logs", node,
             shell(f"mount -t tmpfs -o size=16k tmpfs {node.root}/var; mkdir -p {node.root}/var/log {node.root}/var/cache\n"
                   f"head -c 100000 /dev/zero >{node.root}/var/fill 2>/dev/null || true"))
    with Node() as node:
        os.makedirs(node.root + "/var/cache")
        open(node.root + "/var/cache/pullguard", "w").close()
        both("a file where the cache's directory should be", node, [])


def emptied(path, needed):
    """Commands that put an empty file system over a directory and keep what the test itself needs below it in place."""
    below = [place for place in needed if (place + "/").startswith(path + "/")]
    lines = ["mount -t tmpfs tmpfs /dev/shm"]
    lines += [f"mkdir /dev/shm/{n}; mount --bind {place} /dev/shm/{n}" for n, place in enumerate(below)]
    lines.append(f"[ ! -d {path} ] || mount -t tmpfs -o mode=755 tmpfs {path}")
    lines += [f"mkdir -p {place}; mount --bind /dev/shm/{n} {place}" for n, place in enumerate(below)]
    return "\n".join(lines)


def test_absent():
    for path in ("/run", "/proc", "/sys", "/etc/ssl", "/tmp", "/home", "/root", "/var"):
        with Node() as node:
            both("empty " + path, node, shell(emptied(path, [node.root, os.path.abspath(BUILD)])))
    for path in ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/host.conf"):
        with Node() as node:
            if os.path.exists(path):
                both("empty " + path, node, shell(f"mount --bind /dev/null {path}"))
    with Node() as node:
        os.rmdir(node.root + "/run/systemd/journal")
        both("no journal", node, [])
        both("the working directory is gone", node, shell("mkdir /dev/shm/gone.$$; cd /dev/shm/gone.$$; rmdir /dev/shm/gone.$$"))


def test_full_journal():
    """A journald that reads nothing holds nobody up."""
    with Node() as node:
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        journal.bind(node.root + "/run/systemd/journal/socket")
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)
        sender.connect(node.root + "/run/systemd/journal/socket")
        try:
            while True:
                sender.send(b"x" * 1000)
        except BlockingIOError:
            pass
        both("full journal", node, ["timeout", "3"])
        journal.close()


def test_limits():
    # Root of a runtime's own making may not raise limits.
    bound = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    for name, limit in [("64 descriptors", "--nofile=64:64"), ("files of 100 bytes", "--fsize=100:100"), ("no core files", "--core=0:0"),
                        ("10 seconds of processor", "--cpu=10:10"), ("a stack of 256 KiB", "--stack=262144:262144"),
                        ("no locked memory", "--memlock=0:0"), ("no message queues", "--msgqueue=0:0")]:
        with Node("log-json: /log.json\n") as node:
            both(name, node, ["prlimit", limit, "--", *bound])
    with Node() as node:
        both("umask 777", node, ["sh", "-c", 'umask 777; exec "$@"', "sh"])
        both("umask 0", node, ["sh", "-c", 'umask 0; exec "$@"', "sh"])
        both("signals ignored", node, [sys.executable, "-c", "import os, signal, sys\n"
                                       "for s in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP, signal.SIGALRM): signal.signal(s, signal.SIG_IGN)\n"
                                       "os.execv(sys.argv[1], sys.argv[1:])"])
        both("signals blocked", node, [sys.executable, "-c", "import os, signal, sys\n"
                                       "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n"
                                       "os.execv(sys.argv[1], sys.argv[1:])"])


def test_environment():
    with Node() as node:
        hostile = {"LD_PRELOAD": "/nonexistent.so", "LD_LIBRARY_PATH": "/nonexistent", "PATH": "", "IFS": "x", "HOME": "/nonexistent",
                   "SSL_CERT_FILE": "/nonexistent", "OPENSSL_CONF": "/nonexistent", "RES_OPTIONS": "debug", "LC_ALL": "tr_TR.UTF-8",
                   "MALLOC_PERTURB_": "165", "TMPDIR": "/nonexistent", "CURL_HOME": "/nonexistent", "TZ": ":/nonexistent"}
        both("somebody's environment", node, [], env=hostile)
        both("no environment", node, [], env={})


def test_somebody_else():
    """`pullguard check` by a user: root's logins are not theirs to read."""
    with Node() as node:
        home = node.root + "/root"
        logins = home + "/.docker/config.json"
        os.makedirs(home + "/.docker", mode=0o700)
        with open(logins, "w") as file:
            file.write('{"auths": {}}')
        os.chmod(home, 0o700)
        somebody = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
        if subprocess.run([*somebody, "test", "-x", run.ENGINE + "/pullguard-engine"], check=False).returncode == 0:
            both("another user", node, somebody)
        else:
            print("skip another user: the build lies in a directory that is closed to others:", BUILD)
        os.chmod(logins, 0o666)
        denies("root's logins open to others", pull(node), "untrusted_file", "config.json")


if os.geteuid() != 0:
    print("0 passed, 0 failed (not run: needs root)")
    sys.exit(77)
run.start_registry()
for test in (test_disks, test_absent, test_full_journal, test_limits, test_environment, test_somebody_else):
    test()
print(f"{run.passed} passed, {run.failed} failed")
sys.exit(1 if run.failed else 0)
