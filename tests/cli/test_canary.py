# SPDX-License-Identifier: Apache-2.0
"""doctor --canary with runtimes that are made up: each thing that may become of the image, and what is said about it."""
import json
import os
import signal
import subprocess
import time

from harness import PROGRAM, Root, key_text, main, policy, run, want, want_code, want_text

# ctr, crictl and podman in one: what it does stands in the file "mode" beside it, what it was asked in "log", what it has
# pulled in "store".
CLIENT = r'''#!/usr/bin/python3
import json, os, sys, time, urllib.request
here = os.path.dirname(os.path.abspath(__file__))
mode = open(here + "/mode").read().strip()
words = sys.argv[1:]
open(here + "/log", "a").write(json.dumps([os.path.basename(__file__)] + words) + "\n")
store = here + "/store"
def images():
    return open(store).read().split() if os.path.exists(store) else []
def keep(list):
    open(store, "w").write("\n".join(list))
def get(path, method="GET"):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(urllib.request.Request("http://%s/v2/%s" % (host, path), method=method), timeout=10).read()
ref = words[-1]
host, _, name = ref.partition("/")
name = name.rpartition(":")[0]
if "pull" in words:
    if mode == "hang":
        time.sleep(60)
    if mode != "away":
        get("%s/manifests/v1" % name, "HEAD")
    if mode in ("let", "sticky", "late"):
        manifest = json.loads(get("%s/manifests/v1" % name))
        config = json.loads(get("%s/blobs/%s" % (name, manifest["config"]["digest"])))
        assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
        get("%s/blobs/%s" % (name, manifest["layers"][0]["digest"]))
    if mode in ("let", "sticky"):
        keep(images() + [ref])
        print("pulled")
        sys.exit(0)
    texts = {
        "late": "ctr: failed to unpack: no space left on device",
        "stop": "ctr: image verifier bindir blocked pull of %s with digest sha256:ab for reason: verifier pullguard rejected image "
                "(exit code 1): no_signature: policy \"all\": no signature found\x1b[31m" % ref,
        "other": "ctr: image verifier bindir blocked pull of X with digest sha256:ab for reason: verifier zzz rejected image (exit code 2): no",
        "broken": "ctr: blocking pull of X with digest sha256:ab: image verifier bindir returned error: failed to call verifier pullguard "
                  "(runtime 1ms): starting process: fork/exec /x/pullguard: no such file or directory",
        "mute": "ctr: something went wrong",
        "away": "ctr: failed to dial \"/run/containerd/containerd.sock\": context deadline exceeded",
        "endorser": "Error: Source image rejected: reading signature from http://127.0.0.1:14242/v1/x: received unexpected HTTP status: "
                    "403 pullguard: policy all: no signature",
        "reject": "Error: Source image rejected: Running image docker://%s is rejected by policy." % ref,
        "down": "Error: Source image rejected: Get \"http://127.0.0.1:14242/v1/x\": dial tcp 127.0.0.1:14242: connect: connection refused",
        "tls": "FATA[0000] pulling image: pinging container registry %s: http: server gave HTTP response to HTTPS client" % host,
    }
    print(texts[mode], file=sys.stderr)
    sys.exit(1)
if "rm" in words or "rmi" in words:
    if mode != "sticky":
        keep([one for one in images() if one != ref])
elif "-q" in words:
    wanted = ref.replace("name==", "")
    print("\n".join(one for one in images() if one == wanted))
'''


class Node(Root):
    def __init__(self, mode, rules=True):
        super().__init__()
        for name in ("ctr", "crictl", "podman"):
            self.write("/clients/" + name, CLIENT, 0o755)
        self.mode(mode)
        self.write("/run/containerd/containerd.sock", "")
        self.write("/run/crio/crio.sock", "")
        if rules:
            self.write("/etc/pullguard/policy.d/a.yaml", policy("all", "**", key_text()))

    def mode(self, mode):
        self.write("/clients/mode", mode)

    def canary(self, *runtimes, extra=()):
        arguments = [word for name in runtimes for word in ("--canary-runtime", name)]
        return self.run("doctor", "--json", "--only", "canary", "--ctr", self.at("/clients/ctr"), "--crictl", self.at("/clients/crictl"),
                        "--podman", self.at("/clients/podman"), *arguments, *extra)

    def asked(self):
        with open(self.at("/clients/log"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def store(self):
        path = self.at("/clients/store")
        return open(path, encoding="utf-8").read() if os.path.exists(path) else ""


def checks(result):
    return {one["id"]: one for one in result.json()["checks"]}


def expect(mode, runtime, level, outcome, code, part=None, afterwards="nothing-left"):
    with Node(mode) as node:
        result = node.canary(runtime)
        found = checks(result)["canary." + runtime]
        want(found["level"] == level, "%s: level %s" % (mode, level), result)
        canary = result.json()["canary"]
        want([(one["runtime"], one["outcome"], one["image-afterwards"]) for one in canary] == [(runtime, outcome, afterwards)],
             "%s: wanted %s" % (mode, outcome), result)
        if part is not None:
            want_text(found["what"], part, result)
        want_code(result, code)
        want("pullguard-canary" not in node.store() or afterwards == "left-behind", "something is left", result)
        return node.asked(), result


def test_stopped():
    asked, result = expect("stop", "ctr", "ok", "stopped", 0, "no_signature: policy")
    want("\x1b" not in result.out and "\\x1b[31m" in result.json()["canary"][0]["reason"], "made safe", result)
    want(asked[0][1:] == ["--address", asked[0][2], "--namespace", "pullguard-canary", "images", "pull", asked[0][7]], "%s" % asked)
    asked, result = expect("stop", "cri", "ok", "stopped", 0)
    want(asked[0][:4] == ["crictl", "--runtime-endpoint", asked[0][2], "--image-endpoint"] and asked[0][2].startswith("unix:///") and
         "60s" in asked[0], "%s" % asked)


def test_not_stopped():
    for runtime in ("ctr", "cri", "crio", "podman"):
        _, result = expect("let", runtime, "fail", "not-stopped", 2, "NOT STOPPED", "removed")
        want(result.json()["status"] == "fail", "status", result)


def test_another_image_each_time():
    with Node("let") as node:
        digests = {one["digest"] for _ in range(2) for one in node.canary("ctr", "cri").json()["canary"]}
        want(len(digests) == 4, "%s" % digests)


def test_content_that_came_before_a_failure_counts():
    expect("late", "ctr", "fail", "not-stopped", 2, "before the pull failed: ctr: failed to unpack: no space left", "removed")


def test_what_cannot_be_removed_is_named():
    with Node("sticky") as node:
        result = node.canary("ctr")
        want_code(result, 2)
        want_text(checks(result)["canary.left-behind"]["what"], "is still there", result)
        want(result.json()["canary"][0]["image-afterwards"] == "left-behind", "afterwards", result)


def test_stopped_by_something_else():
    expect("other", "ctr", "warn", "stopped-otherwise", 1, "rejected image (exit code 2)")
    expect("mute", "cri", "warn", "stopped-otherwise", 1, "something went wrong")
    expect("broken", "ctr", "fail", "stopped-by-failure", 2, "failed to call verifier pullguard")


def test_image_library():
    expect("reject", "crio", "ok", "stopped-by-policy-json", 2, "is rejected by policy")  # the endorser does not run here
    expect("down", "podman", "fail", "stopped-by-failure", 2, "connection refused")
    with Node("endorser") as node:
        result = node.canary("podman")
        want(checks(result)["canary.podman"]["level"] == "ok", "our words", result)
        want_text(checks(result)["canary.podman"]["what"], "policy all: no signature", result)
        want(checks(result)["canary.endorser"]["level"] == "fail", "nobody endorses here", result)
        want("--tls-verify=false" in node.asked()[0], "plain HTTP on loopback")


def test_not_tried():
    for mode, runtime in (("away", "ctr"), ("tls", "crio"), ("hang", "ctr")):
        with Node(mode) as node:
            result = node.canary(runtime, extra=("--canary-timeout", "2s"))
            want(result.json()["canary"][0]["outcome"] == "not-tried" and checks(result)["canary." + runtime]["level"] == "warn", mode, result)
            want(result.code == (2 if runtime == "crio" else 3), "status", result)
    with Node("stop") as node:
        os.unlink(node.at("/run/containerd/containerd.sock"))
        result = node.canary("ctr")
        want_code(result, 3)
        want_text(checks(result)["canary.ctr"]["what"], "does not exist", result)
        want(result.json()["status"] == "unknown", "status", result)
        os.chmod(node.at("/clients/podman"), 0o777)
        result = node.canary("podman")
        want_code(result, 3)
        want(not os.path.exists(node.at("/clients/log")), "a program that others can write was run", result)


def test_programs_below_another_root_are_not_run():
    with Node("stop") as node:
        node.write("/usr/bin/ctr", CLIENT, 0o755)
        result = node.run("doctor", "--json", "--only", "canary", "--canary-runtime", "ctr")
        want_code(result, 3)
        want_text(checks(result)["canary.ctr"]["what"], "--ctr PROGRAM names one", result)


def test_rules_that_let_it_through():
    for settings in ("no-match: allow\n", "no-match: warn\n"):
        with Node("let", rules=False) as node:
            os.makedirs(node.at("/etc/pullguard/policy.d"))
            node.write("/etc/pullguard/pullguard.yaml", settings)
            result = node.canary("ctr")
            want_code(result, 1)
            want(checks(result)["canary.rules"]["level"] == "warn" and "no_match_allowed" in checks(result)["canary.rules"]["what"],
                 "rules", result)
            want(not os.path.exists(node.at("/clients/log")), "nothing is pulled", result)
    with Node("let", rules=False) as node:
        node.write("/etc/pullguard/policy.d/a.yaml", policy("all", "127.0.0.1:*/**", None, "      - static: {action: pass}\n"))
        result = node.canary("ctr")
        want_code(result, 1)
        want_text(checks(result)["canary.rules"]["what"], "static_pass", result)


def test_rules_that_do_not_load():
    with Node("stop") as node:
        node.write("/etc/pullguard/policy.d/b.yaml", "[")
        result = node.canary("ctr")
        want_code(result, 2)
        want(checks(result)["canary.rules"]["level"] == "fail", "every pull is denied", result)


def test_addresses_of_the_configuration():
    with Node("stop") as node:
        node.write("/etc/containerd/config.toml", "version = 2\n[grpc]\naddress = '/run/k3s/containerd.sock'\n")
        node.write("/run/k3s/containerd.sock", "")
        want_code(node.canary("ctr"), 0)
        want(node.asked()[0][2] == node.at("/run/k3s/containerd.sock"), "%s" % node.asked())
    with Node("stop") as node:
        node.write("/etc/crio/crio.conf", "[crio.api]\nlisten = '/run/a.sock'\n")
        node.write("/etc/crio/crio.conf.d/50-x.conf", "[crio.api]\nlisten = '/run/b.sock'\n")
        node.write("/run/b.sock", "")
        node.canary("crio")
        want(node.asked()[0][2] == "unix://" + node.at("/run/b.sock"), "%s" % node.asked())


def test_options():
    want_code(run("doctor", "--canary-runtime", "docker"), 3)
    with Node("stop") as node:
        want_code(node.canary("ctr", extra=("--canary-timeout", "soon")), 3)
        want_code(node.canary("ctr", extra=("--canary-port", "70000")), 3)
        result = node.run("doctor", "--json", "--only", "policy", "--ctr", node.at("/clients/ctr"))
        want("canary.ctr" not in checks(result) and not os.path.exists(node.at("/clients/log")), "only when asked for", result)


def test_an_interrupted_canary_removes_its_image():
    with Node("let") as node:
        node.write("/clients/ctr", CLIENT.replace('        print("pulled")\n', '        print("pulled")\n        open(here + "/done", "w").close()\n'
                                                  '        time.sleep(1)\n'), 0o755)
        process = subprocess.Popen([PROGRAM, "--root", node.path, "doctor", "--only", "canary", "--canary-runtime", "ctr", "--ctr",
                                    node.at("/clients/ctr")], stdout=subprocess.DEVNULL)
        for _ in range(200):
            if os.path.exists(node.at("/clients/done")):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        want(process.wait(30) == -signal.SIGTERM, "ended by the signal, afterwards")
        want(node.store() == "", "the image is gone")


if __name__ == "__main__":
    main(globals())
