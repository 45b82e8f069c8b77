# SPDX-License-Identifier: Apache-2.0
"""What the fetcher's tests share: a network namespace with nothing but loopback, names, certificates, cases."""
import fcntl
import importlib.machinery
import importlib.util
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

loader = importlib.machinery.SourceFileLoader("badregistry", os.path.join(TOP, "tests", "badregistry"))
badregistry = importlib.util.module_from_spec(importlib.util.spec_from_loader("badregistry", loader))
sys.dont_write_bytecode = True
loader.exec_module(badregistry)

# Addresses of RFC 5737, so that they are no loopback ones for the code under test, all on this namespace's lo.
ADDRESSES = ["203.0.113.%d" % n for n in range(10, 40)] + ["169.254.169.254"]


def enter_namespace(hosts):
    """Runs this program again where no packet can leave the machine; names resolve from a hosts file of its own."""
    if "--inside" in sys.argv:
        sys.argv.remove("--inside")
        return setup_namespace(hosts)
    flags = ["-n", "-m"] if os.geteuid() == 0 else ["-U", "-r", "-n", "-m"]
    if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode != 0:
        print("skipped: no network namespace can be made here")
        sys.exit(77)
    os.execvp("unshare", ["unshare", *flags, sys.executable, "-B", os.path.abspath(sys.argv[0]), "--inside", *sys.argv[1:]])


def loopback_up():
    """What `ip link set lo up` and `ip addr add` do, for machines without ip: netdevice(7)."""
    siocgifflags, siocsifflags, siocsifaddr, siocsifnetmask, up = 0x8913, 0x8914, 0x8916, 0x891C, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        flags = struct.unpack("16sh", fcntl.ioctl(sock, siocgifflags, struct.pack("16sh14x", b"lo", 0))[:18])[1]
        fcntl.ioctl(sock, siocsifflags, struct.pack("16sh14x", b"lo", flags | up))
        for number, address in enumerate(ADDRESSES):
            name = b"lo:%d" % number
            for request, value in ((siocsifaddr, address), (siocsifnetmask, "255.255.255.255")):
                fcntl.ioctl(sock, request, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(value)))


def setup_namespace(hosts):
    names = sorted(name for _, name in socket.if_nameindex())
    assert [name for name in names if name not in ("lo", "sit0", "tunl0", "ip6tnl0", "gre0")] == [], "not in a namespace of its own"
    loopback_up()
    replace_file("/etc/hosts", "127.0.0.1 localhost\n" + "".join("%s %s\n" % (address, name) for name, address in hosts.items()))
    replace_file("/etc/resolv.conf", "nameserver 203.0.113.9\noptions timeout:1 attempts:1\n")


def replace_file(path, text):
    """For this mount namespace only; readable by the user that the fetcher becomes."""
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    subprocess.run(["mount", "--bind", file.name, path], check=True)


class Certificates:
    """An authority of the test's own and leaves of every kind, made by openssl; a hashed directory for the fetcher."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="pg-fetch-ca-")
        self.authority("ca")
        self.authority("other")
        self.hashed = os.path.join(self.directory, "hashed")
        os.mkdir(self.hashed)
        digest = self.openssl("x509", "-in", self.path("ca.crt"), "-noout", "-subject_hash").strip()
        os.symlink(self.path("ca.crt"), os.path.join(self.hashed, digest + ".0"))

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *arguments):
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout

    def past(self):
        """OpenSSL from 3.4 on refuses a negative number of days, and takes dates; before it there are no dates to give."""
        described = subprocess.run(["openssl", "x509", "-help"], check=True, capture_output=True, text=True)
        if "-not_after" in described.stdout + described.stderr:
            return ["-not_before", "20200101000000Z", "-not_after", "20200201000000Z"]
        return ["-days", "-1"]

    def authority(self, name):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                     "-subj", "/CN=pullguard test " + name, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".crt"))

    def leaf(self, name, names, authority="ca", expired=False, rsa=False):
        key = ["-newkey", "rsa:2048"] if rsa else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self.openssl("req", *key, "-nodes", "-subj", "/CN=" + names[0], "-keyout", self.path(name + ".key"),
                     "-out", self.path(name + ".csr"))
        with open(self.path(name + ".ext"), "w") as file:
            file.write("subjectAltName=" + ",".join("DNS:" + one for one in names) + "\n")
        days = self.past() if expired else ["-days", "30"]
        self.openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path(authority + ".crt"), "-CAkey",
                     self.path(authority + ".key"), "-CAcreateserial", *days, "-extfile", self.path(name + ".ext"),
                     "-out", self.path(name + ".crt"))
        return {"cert": self.path(name + ".crt"), "key": self.path(name + ".key")}


class Result:
    def __init__(self, output):
        lines = [json.loads(line) for line in output.splitlines()]
        self.answers = [line for line in lines if "id" in line]
        self.counters = [line for line in lines if "requests" in line]
        self.usage = lines[-1]

    def __getitem__(self, target):
        return next(answer for answer in self.answers if answer["target"] == target)


class Suite:
    def __init__(self, tool):
        self.tool, self.passed, self.failed = tool, 0, []

    def fetch(self, job, timeout=60):
        run = subprocess.run([self.tool], input=json.dumps(job), capture_output=True, text=True, timeout=timeout)
        if run.returncode != 0:
            raise AssertionError("fetchtool ended with %d: %s" % (run.returncode, run.stderr[-400:]))
        return Result(run.stdout)

    def fetch_two_rounds(self, job, between):
        """Calls between() when every answer of the first round is there and nothing of the second has been asked."""
        gate, opener = os.pipe()
        with subprocess.Popen([self.tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[gate], text=True) as run:
            os.close(gate)
            with os.fdopen(opener, "wb", buffering=0) as opener:
                run.stdin.write(json.dumps({**job, "rounds": 2, "between": gate}))
                run.stdin.close()
                output = ""
                for line in run.stdout:
                    output += line
                    if "requests" in json.loads(line) and between:
                        between()
                        between = None
                        opener.write(b"x")
        if run.returncode != 0:
            raise AssertionError("fetchtool ended with %d" % run.returncode)
        return Result(output)

    def case(self, name, function):
        try:
            note = function()
            self.passed += 1
            print("ok   %-46s %s" % (name, note or ""), flush=True)
        except AssertionError as failure:
            self.failed.append(name)
            print("FAIL %-46s %s" % (name, failure), flush=True)

    def end(self):
        print("%d passed, %d failed%s" % (self.passed, len(self.failed), ": " + ", ".join(self.failed) if self.failed else ""))
        sys.exit(1 if self.failed else 0)


def world(listeners, rules=(), **more):
    return badregistry.World({"listeners": listeners, "rules": list(rules), **more}).start()


def want(host, repository, target, kind="manifest", **more):
    return {"kind": kind, "host": host, "repository": repository, "target": target, **more}


def check(condition, text):
    if not condition:
        raise AssertionError(text)
