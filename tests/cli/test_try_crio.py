# SPDX-License-Identifier: Apache-2.0
"""packaging/try-crio against a CRI-O that is made up: the script's own flow, what it takes for a failure, and that it puts back."""
import json
import os
import re
import signal
import subprocess
import sys
import time

from harness import SOURCE, Root, key_text, main, want, want_text

SCRIPT = os.path.join(SOURCE, "packaging/try-crio")

# crio, crictl, pullguard, systemctl and journalctl in one. State and what was done lie beside it.
FAKE = r'''#!%s
import json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
program, words = os.path.basename(sys.argv[0]), sys.argv[1:]
try:
    state = json.load(open(here + "/state"))
except OSError:
    state = {"enabled": False, "endorser": False, "key": 1, "images": {}}
lax = os.path.exists(here + "/lax")
def end(code=0, text=""):
    json.dump(state, open(here + "/state", "w"))
    open(here + "/log", "a").write(program + " " + " ".join(words) + "\n")
    print(text)
    sys.exit(code)
if program == "crio":
    end(0, "crio version 1.37.0\nVersion:        1.37.0" if words == ["--version"] else '# pause_image = "registry.k8s.io/pause:3.10"')
if program == "pullguard":
    if words[0] == "status":
        end(0 if state["enabled"] else 1)
    if words[0] in ("enable", "disable"):
        state["enabled"] = words[0] == "enable"
    if words[:2] == ["node-key", "rotate"]:
        state["key"] += 1
    end(0, "9 ok, 1 warnings, 0 failures: canary.endorser")
if program == "systemctl":
    if "pullguard-endorser.service" in words:
        state["endorser"] = words[0] != "stop"
    end()
if program == "journalctl":
    end(0, "pullguard: deny")
if words[0] == "pull":
    if state["enabled"] and not lax:
        if not state["endorser"]:
            end(1, "RegistryUnavailable: Source image rejected: Get: connect: connection refused")
        if "unsigned" in words[1]:
            end(1, "Source image rejected: reading signature: received unexpected HTTP status: 403 pullguard: policy x: no signature")
    state["images"][words[1]] = state["key"] if state["enabled"] else 0
    end(0, "pulled")
if words[0] == "rmi":
    for one in words[1:]:
        state["images"].pop(one, None)
if words[0] == "create":
    image = json.load(open(words[2]))["image"]["user_specified_image"]
    json.load(open(words[3]))
    if state["enabled"] and not lax and state["images"].get(image) != state["key"]:
        end(1, "checking signature: verifying signatures: SignatureValidationFailed: A signature was required, but no signature exists")
    end(0, "container-1")
end(0, "pod-1" if words[0] == "runp" else "")
''' % sys.executable


class Machine(Root):
    def __init__(self):
        super().__init__()
        for name in ("crio", "crictl", "pullguard", "systemctl", "journalctl"):
            self.write("/bin/" + name, FAKE, 0o755)
        os.makedirs(self.at("/etc/pullguard/policy.d"))
        self.key = self.write("/cosign.pub", key_text())

    def start(self, *arguments):
        return subprocess.Popen([SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={"PATH": self.at("/bin") + ":/usr/bin:/bin", "TRY_CRIO_ROOT": self.path})

    def attempt(self):
        return self.start("--key", self.key, "--signed", "r.example.com/app:signed", "--unsigned", "r.example.com/app:unsigned")

    def log(self):
        with open(self.at("/bin/log"), encoding="utf-8") as file:
            return file.read()

    def put_back(self, out):
        want(os.listdir(self.at("/etc/pullguard/policy.d")) == [], "the policy is gone", out)
        with open(self.at("/bin/state"), encoding="utf-8") as file:
            want(not json.load(file)["enabled"], "disabled again", out)
        want(self.log().rstrip().endswith(("systemctl restart crio.service", "crictl pull r.example.com/app:unsigned")), "restarted", self.log())


def test_explain_does_nothing():
    with Machine() as machine:
        process = machine.start("--explain")
        out = process.communicate()[0]
        want(process.returncode == 0 and not os.path.exists(machine.at("/bin/log")), "nothing was run", out)
        want(len(re.findall(r"^ *\d+\. ", out, re.M)) == out.count("must be seen: ") == 13, "each step says what must be seen", out)


def test_a_node_that_verifies():
    if os.geteuid() != 0:
        return
    with Machine() as machine:
        process = machine.attempt()
        out = process.communicate()[0]
        want(process.returncode == 0, "exit status", out)
        want_text(out, " passed, 0 failed")
        want("FAIL" not in out, "all steps", out)
        machine.put_back(out)


def test_a_node_that_does_not():
    if os.geteuid() != 0:
        return
    with Machine() as machine:
        machine.write("/bin/lax", "")
        process = machine.attempt()
        out = process.communicate()[0]
        want(process.returncode == 1, "exit status", out)
        want(out.count("FAIL") == 4, "create of what was there, the unsigned pull, no endorser, rotated key", out)
        machine.put_back(out)


def test_interrupted():
    if os.geteuid() != 0:
        return
    with Machine() as machine:
        machine.write("/bin/crictl", FAKE.replace('if words[0] == "create":', 'if words[0] == "create":\n    import time\n    open(here + "/creating", "w")\n    time.sleep(2)'), 0o755)
        process = machine.attempt()
        for _ in range(200):
            if os.path.exists(machine.at("/bin/creating")):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out = process.communicate()[0]
        want(process.returncode == 143, "exit status", out)
        machine.put_back(out)


def test_what_is_missing_is_said():
    if os.geteuid() != 0:
        return
    with Machine() as machine:
        for arguments, text in (((), "--signed"), (("--key", machine.at("/bin/crio"), "--signed", "a/b:1", "--unsigned", "a/b:2"), "no public key")):
            process = machine.start(*arguments)
            out = process.communicate()[0]
            want(process.returncode == 2, "exit status", out)
            want_text(out, text)


if __name__ == "__main__":
    main(globals())
