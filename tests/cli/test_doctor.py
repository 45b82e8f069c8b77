# SPDX-License-Identifier: Apache-2.0
"""doctor on made-up nodes: every way in which containerd passes the verifier by, and everything wrong with our own files."""
import datetime
import os
import re
import socket
import stat
import subprocess

from harness import PROGRAM, SOURCE, Installed as Root, Result, key_text, layout, main, policy, run, want, want_code, want_text

LAYOUT = layout()
VERIFIER = LAYOUT["libexec"] + "/pullguard-containerd"
BIN_DIR = "/opt/containerd/image-verifier/bin"
CONFIG = "/etc/containerd/config.toml"
AREAS = "containerd|containers|crio|podman|crun|hook|nri|install|sandbox|engine|policy|files|trust|system|canary"
IMAGES = "[plugins.'io.containerd.cri.v1.images']\n"


class Node(Root):
    """A node on which everything is in order."""

    def __init__(self, config="version = 3\n", version="2.1.9"):
        super().__init__()
        for program in ("pullguard-engine", "pullguard-containerd"):
            self.write(LAYOUT["libexec"] + "/" + program, "#!/bin/sh\nexit 0\n", 0o755)
        self.containerd = self.write("/usr/bin/containerd", "#!/bin/sh\necho containerd github.com/containerd/containerd/v2 "
                                     "v%s abc\n" % version, 0o755)
        self.write(CONFIG, config)
        os.makedirs(self.at(BIN_DIR))
        os.symlink(VERIFIER, self.at(BIN_DIR + "/pullguard"))
        self.write("/etc/pullguard/policy.d/a.yaml", policy("all", "**", key_text()))

    def doctor(self, *arguments):
        return self.run("doctor", "--json", "--only", "containerd", "--containerd", self.containerd,
                        "--containerd-config", self.at(CONFIG), *arguments)

    def levels(self):
        result = self.doctor()
        return {one["id"]: one["level"] for one in result.json()["checks"]}, result


def expect(node, identifier, level, part=None):
    levels, result = node.levels()
    want(levels.get(identifier) == level, "%s: wanted %s, found %s" % (identifier, level, levels.get(identifier)), result)
    if part is not None:
        found = [one for one in result.json()["checks"] if one["id"] == identifier]
        want(any(part in one["what"] for one in found), "wanted %r" % part, result)
    for one in result.json()["checks"]:
        want(one["level"] == "ok" or one.get("why"), "%s says no why" % one["id"], result)
    return result


def test_a_good_node():
    with Node() as node:
        levels, result = node.levels()
        want_code(result, 0)
        want(set(levels.values()) <= {"ok", "note"}, "all in order", result)
        for identifier in ("containerd.version", "containerd.config", "containerd.fallback", "containerd.bin-dir",
                           "containerd.bin-dir-owner", "containerd.installed", "containerd.max-verifiers",
                           "containerd.timeout", "containerd.disabled-plugin"):
            want(levels.get(identifier) == "ok", identifier, result)


def test_no_configuration_means_defaults():
    with Node() as node:
        os.unlink(node.at(CONFIG))
        want_code(expect(node, "containerd.config", "ok", "does not exist"), 0)
        expect(node, "containerd.fallback", "ok")


def test_every_fallback_trigger_in_version_3_files():
    for identifier, lines in (
            ("local-pull", "use_local_image_pull = true"),
            ("annotations", "disable_snapshot_annotations = false"),
            ("unpacked-layers", "discard_unpacked_layers = true"),
            ("downloads", "max_concurrent_downloads = 10"),
            ("sync-fs", "image_pull_with_sync_fs = true"),
            ("mirrors", "[plugins.'io.containerd.cri.v1.images'.registry.mirrors.'docker.io']\nendpoint = ['https://m']"),
            ("configs", "[plugins.'io.containerd.cri.v1.images'.registry.configs.'r.example.com']"),
            ("auths", "[plugins.'io.containerd.cri.v1.images'.registry.auths.'https://r.example.com']\nusername = 'u'")):
        with Node("version = 3\n" + IMAGES + lines + "\n") as node:
            result = expect(node, "containerd.fallback." + identifier, "fail", CONFIG)
            want_code(result, 2)
            want_text(result.out, "NOT verified", result)


def test_every_fallback_trigger_in_version_2_files():
    cri = "[plugins.\"io.containerd.grpc.v1.cri\"%s]\n"
    for identifier, lines in (
            ("annotations", cri % ".containerd" + "disable_snapshot_annotations = false"),
            ("unpacked-layers", cri % ".containerd" + "discard_unpacked_layers = true"),
            ("downloads", cri % "" + "max_concurrent_downloads = 5"),
            ("sync-fs", cri % "" + "image_pull_with_sync_fs = true"),
            ("mirrors", cri % ".registry.mirrors.\"docker.io\"" + "endpoint = [\"https://m\"]"),
            ("configs", cri % ".registry.configs.\"r.example.com\".tls"),
            ("auths", cri % ".registry.auths.\"https://r\"")):
        with Node("version = 2\n" + lines + "\n") as node:
            expect(node, "containerd.fallback." + identifier, "fail")


def test_what_is_no_trigger():
    for lines in ("max_concurrent_downloads = 3", "discard_unpacked_layers = false", "use_local_image_pull = false",
                  "disable_snapshot_annotations = true", "snapshotter = 'native'", "stats_collect_period = 10",
                  "registry.config_path = '/etc/containerd/certs.d'", "registry.mirrors = {}"):
        with Node("version = 3\n" + IMAGES + lines + "\n") as node:
            expect(node, "containerd.fallback", "ok")


def test_imports_count_and_the_last_file_wins():
    with Node("version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n" + IMAGES + "discard_unpacked_layers = true\n") as node:
        expect(node, "containerd.fallback.unpacked-layers", "fail")
        node.write("/etc/containerd/conf.d/10.toml", "version = 3\n" + IMAGES + "discard_unpacked_layers = false\n")
        expect(node, "containerd.fallback", "ok")
        node.write("/etc/containerd/conf.d/20.toml", "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.containerd]\n"
                   "discard_unpacked_layers = true\n")
        expect(node, "containerd.fallback.unpacked-layers", "fail", "20.toml")
    with Node("version = 3\nimports = ['conf.d/a.toml']\n") as node:
        node.write("/etc/containerd/conf.d/a.toml", "version = 3\nimports = ['../config.toml', 'a.toml']\n" + IMAGES +
                   "max_concurrent_downloads = 1\n")
        expect(node, "containerd.fallback.downloads", "fail", "a.toml")
    with Node("version = 3\nimports = ['gone.toml']\n") as node:
        expect(node, "containerd.config", "fail", "gone.toml")


def test_broken_configuration():
    with Node("version = 3\n[plugins\n") as node:
        want_code(expect(node, "containerd.config", "fail", "config.toml:"), 2)
        want("containerd.fallback" not in node.levels()[0], "what does not parse says nothing about the rest")


def test_versions():
    for version, level in (("1.6.20~ds1", "fail"), ("1.7.24", "fail"), ("2.0.4", "fail"), ("2.1.0", "ok"), ("2.4.0-beta.0", "ok")):
        with Node(version=version) as node:
            expect(node, "containerd.version", level, version)
    with Node() as node:
        node.write("/usr/bin/containerd", "#!/bin/sh\nsleep 60\n", 0o755)
        expect(node, "containerd.version", "note")


def test_a_program_that_others_can_write_is_not_run():
    with Node() as node:
        marker = node.at("/ran")
        node.write("/usr/bin/containerd", "#!/bin/sh\ntouch %s\n" % marker, 0o777)
        expect(node, "containerd.program", "warn")
        want(not os.path.exists(marker), "it was run")


def test_missing_and_empty_directory():
    with Node() as node:
        os.unlink(node.at(BIN_DIR + "/pullguard"))
        want_code(expect(node, "containerd.bin-dir", "fail", "is empty"), 2)
        os.rmdir(node.at(BIN_DIR))
        expect(node, "containerd.bin-dir", "fail", "does not exist")
        node.write(BIN_DIR, "a file")
        expect(node, "containerd.bin-dir", "fail")


def test_other_directory():
    text = "version = 2\n[plugins.'io.containerd.image-verifier.v1.bindir']\nbin_dir = %s\n"
    with Node(text % "'/elsewhere'") as node:
        expect(node, "containerd.bin-dir", "fail", "/elsewhere")
        os.makedirs(node.at("/elsewhere"))
        os.symlink(VERIFIER, node.at("/elsewhere/pullguard"))
        expect(node, "containerd.installed", "ok", "/elsewhere/pullguard")
    with Node(text % "''") as node:
        expect(node, "containerd.bin-dir", "fail")


def test_strays():
    for make in (lambda path: os.mkdir(path), lambda path: open(path, "w", encoding="ascii").close()):
        with Node() as node:
            make(node.at(BIN_DIR + "/README"))
            expect(node, "containerd.stray", "fail", "README")
    with Node() as node:
        node.write(BIN_DIR + "/.hidden", "x")
        expect(node, "containerd.stray", "fail", ".hidden")
    with Node() as node:
        node.write(BIN_DIR + "/other", "#!/bin/sh\n", 0o755)
        expect(node, "containerd.other-verifier", "warn", "other")


def test_not_ours():
    with Node() as node:
        os.unlink(node.at(BIN_DIR + "/pullguard"))
        node.write(BIN_DIR + "/pullguard", "#!/bin/sh\n", 0o755)
        expect(node, "containerd.installed", "fail")


def test_max_verifiers():
    with Node() as node:
        for index in range(10):
            node.write(BIN_DIR + "/a%d" % index, "#!/bin/sh\n", 0o755)
        expect(node, "containerd.max-verifiers", "fail", "number 11 of 11")
    with Node("version = 3\n[plugins.'io.containerd.image-verifier.v1.bindir']\nmax_verifiers = 0\n") as node:
        expect(node, "containerd.max-verifiers", "fail")
    with Node("version = 3\n[plugins.'io.containerd.image-verifier.v1.bindir']\nmax_verifiers = -1\n") as node:
        expect(node, "containerd.max-verifiers", "ok")


def test_disabled_plugin():
    for plugin in ("io.containerd.image-verifier.v1.bindir", "io.containerd.transfer.v1.local"):
        with Node("version = 3\ndisabled_plugins = ['%s']\n" % plugin) as node:
            expect(node, "containerd.disabled-plugin", "fail", plugin)
    with Node("version = 3\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n" + IMAGES + "max_concurrent_downloads = 9\n") as node:
        expect(node, "containerd.cri", "note")


def test_owners_of_the_directory():
    with Node() as node:
        os.chmod(node.at(BIN_DIR), 0o777)
        expect(node, "containerd.bin-dir-owner", "fail")


def test_timeout_shorter_than_ours():
    text = "version = 3\n[plugins.'io.containerd.image-verifier.v1.bindir']\nper_verifier_timeout = '%s'\n"
    for value, level in (("5s", "warn"), ("8s", "warn"), ("30s", "ok"), ("1m30s", "ok"), ("soon", "warn")):
        with Node(text % value) as node:
            expect(node, "containerd.timeout", level)
    with Node(text % "5s") as node:
        node.write("/etc/pullguard/pullguard.yaml", "deadline-ms: 3000\n")
        expect(node, "containerd.timeout", "ok")


def test_hosts_list():
    with Node("version = 3\n" + IMAGES + "registry.config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'\n") as node:
        expect(node, "containerd.hosts", "warn")


def test_no_containerd():
    with Root() as root:
        result = root.run("doctor", "--only", "containerd")
        want_code(result, 0)
        want_text(result.out, "no containerd was found", result)


def ours(root, *arguments):
    result = root.run("doctor", "--json", "--only", "policy", *arguments)
    return {one["id"]: one for one in result.json()["checks"]}, result


def test_policies_that_do_not_load():
    with Node() as node:
        checks, result = ours(node)
        want([checks[one]["level"] for one in ("policy.load", "files.owner", "policy.no-match")] == ["ok"] * 3, "loads", result)
        node.write("/etc/pullguard/policy.d/b.yaml", "nonsense: [")
        checks, result = ours(node)
        want(checks["policy.load"]["level"] == "fail" and "b.yaml" in checks["policy.load"]["what"], "does not load", result)
        want_code(result, 2)


def test_no_policies():
    with Node() as node:
        os.unlink(node.at("/etc/pullguard/policy.d/a.yaml"))
        checks, result = ours(node)
        want(checks["policy.load"]["level"] == "warn", "denies everything", result)
        node.write("/etc/pullguard/pullguard.yaml", "no-match: allow\n")
        checks, result = ours(node)
        want(checks["policy.load"]["level"] == "fail" and checks["policy.no-match"]["level"] == "warn", "allows everything", result)


def test_owners_of_our_files():
    for path, mode in (("/etc/pullguard/policy.d/a.yaml", 0o666), ("/etc/pullguard/keys/k.pub", 0o622),
                       ("/etc/pullguard/pullguard.yaml", 0o777)):
        with Node() as node:
            node.write(path, "{}" if path.endswith("yaml") and "policy.d" not in path else policy("all", "**", key_text()), mode)
            checks, result = ours(node)
            want(checks["files.owner"]["level"] == "fail" and path in checks["files.owner"]["what"], path, result)
    with Node() as node:
        os.chmod(node.at("/etc/pullguard/policy.d"), stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
        checks, result = ours(node)
        want(checks["files.owner"]["level"] == "fail", "directory", result)


def test_settings_that_weaken():
    with Node() as node:
        node.write("/etc/pullguard/pullguard.yaml", "sandbox: off\nno-match: warn\ninsecure-registries: [r.example.com]\n")
        checks, result = ours(node)
        want(checks["sandbox.setting"]["level"] == "warn" and checks["policy.no-match"]["level"] == "warn" and
             checks["policy.insecure"]["level"] == "note", "levels", result)


def days_from_now(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def dated_policy(**dates):
    return policy("dated", "r.example.com/**", None, "    - key: {path: cosign.pub}\n      pullguard: {%s}\n" % ", ".join(
        '%s: "%s"' % (name, days_from_now(days)) for name, days in dates.items()))


def test_dates_of_keys():
    for dates, level, word in (({"notAfter": 31}, "ok", "the first ends"), ({"notAfter": 29}, "warn", "ends soon"),
                               ({"notAfter": -1}, "warn", "has ended"), ({"notBefore": 1}, "warn", "is not valid yet"),
                               ({"notBefore": -1}, "ok", "1 key with dates is in force"),
                               ({"notBefore": -5, "notAfter": 300}, "ok", "in force")):
        with Node() as node:
            node.write("/etc/pullguard/keys/cosign.pub", key_text(), 0o644)
            node.write("/etc/pullguard/policy.d/dated.yaml", dated_policy(**dates), 0o644)
            checks, result = ours(node)
            found = checks["policy.key-dates"]
            want(found["level"] == level and word in found["what"], "%s: %s" % (dates, found), result)
            if level == "warn":
                want_text(found["what"], "key 26a3e1ca0712... of policy \"dated\"")
    with Node() as node:
        want("policy.key-dates" not in ours(node)[0], "no dates, nothing to say")


def test_pause_image():
    def level(node):
        result = node.run("doctor", "--json", "--only", "containerd", "--only", "policy", "--containerd-config", node.at(CONFIG))
        return {one["id"]: one for one in result.json()["checks"]}["policy.pause-image"]

    with Node() as node:
        want(level(node)["level"] == "ok", "** covers it")
        node.write("/etc/pullguard/policy.d/a.yaml", policy("some", "r.example.com/**", key_text()))
        found = level(node)
        want(found["level"] == "warn" and "registry.k8s.io/pause" in found["what"], "%s" % found)
        node.write(CONFIG, "version = 3\n" + IMAGES + "pinned_images.sandbox = 'r.example.com/pause:1'\n")
        want(level(node)["level"] == "ok", "own pause image")
        node.write(CONFIG, "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'x.example.com/pause:1'\n")
        want("x.example.com/pause:1" in level(node)["what"], "version 2")
        node.write(CONFIG, "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'No Image'\n")
        want(level(node)["level"] == "warn" and "pause image: " in level(node)["what"], "no reference at all")


def test_installation():
    with Node() as node:
        result = node.run("doctor", "--json", "--only", "install")
        levels = [(one["id"], one["level"]) for one in result.json()["checks"]]
        want([level for identifier, level in levels if identifier == "install.program"] == ["ok", "ok", "fail"], "the library is missing", result)
        library = [one["what"] for one in result.json()["checks"] if one["level"] == "fail"][0].rpartition(": ")[0]
        node.write(library[len(node.path):], "", 0o644)
        result = node.run("doctor", "--json", "--only", "install")
        levels = [(one["id"], one["level"]) for one in result.json()["checks"]]
        want([level for identifier, level in levels if identifier == "install.program"] == ["ok"] * 3, "all there", result)
        want("install.owner" not in [identifier for identifier, _ in levels], "owners", result)
        want(("sandbox.selftest", "ok") in levels, "self-test", result)
        node.write(LAYOUT["libexec"] + "/pullguard-engine", "#!/bin/sh\necho no seccomp here\nexit 1\n", 0o755)
        result = node.run("doctor", "--json", "--only", "install")
        found = [one for one in result.json()["checks"] if one["id"] == "sandbox.selftest"][0]
        want(found["level"] == "fail" and "no seccomp here" in found["what"], "self-test", result)
        os.chmod(node.at(LAYOUT["libexec"] + "/pullguard-engine"), 0o777)
        result = node.run("doctor", "--json", "--only", "install")
        want(("install.owner", "fail") in [(one["id"], one["level"]) for one in result.json()["checks"]], "owner", result)
        node.write(LAYOUT["libexec"] + "/pullguard-engine", "#!/nowhere\n", 0o755)
        want(only(node, "install")[0]["sandbox.selftest"]["level"] == "fail", "an engine that does not start")
        node.write(LAYOUT["libexec"] + "/pullguard-engine", "#!/bin/sh\n[ \"$*\" = \"--selftest --root %s\" ]\n" % node.path, 0o755)
        want(only(node, "install")[0]["sandbox.selftest"]["level"] == "ok", "it tries this root")


def test_human_output_and_quiet():
    with Node("version = 3\n" + IMAGES + "discard_unpacked_layers = true\n") as node:
        result = node.run("doctor", "--only", "containerd", "--quiet", "--containerd-config", node.at(CONFIG))
        want_code(result, 2)
        for part in ("fail  containerd.fallback.unpacked-layers", "why: ", "do:  ", "this node is not protected"):
            want_text(result.out, part, result)
        want("ok    " not in result.out, "quiet", result)
        for one in node.doctor().json()["checks"]:
            want(("do" in one) == (one["level"] != "ok" and one["id"] != "containerd.found"), "what to do", one)
    with Root() as root:
        want_code(root.run("doctor", "--only", "nonsense"), 3)
        result = root.run("doctor", "--json")
        areas = {one["id"].partition(".")[0] for one in result.json()["checks"]}
        want(areas > {"containerd", "crio", "podman", "crun", "install", "policy", "system"}, "every area", result)
        want("canary" not in areas and "canary" not in result.json(), "nothing is pulled unasked", result)


def by_id(result):
    found = {}
    for one in result.json()["checks"]:
        found.setdefault(one["id"], one)
    return found


def test_crio_after_enable():
    with Root() as root:
        root.write("/etc/crio/crio.conf", "[crio]\n")
        root.write("/etc/pullguard/policy.d/a.yaml", policy("a", "registry.example.com/**", key_text()))
        checks = by_id(root.run("doctor", "--json", "--only", "crio"))
        want(checks["crio.signature-policy"]["level"] == "fail", "%s" % checks)
        want_code(root.run("enable", "-y", "crio"), 0)
        result = root.run("doctor", "--json", "--only", "crio")
        checks = by_id(result)
        want([checks[one]["level"] for one in ("crio.signature-policy", "containers.default", "containers.policy")] == ["ok"] * 3,
             "levels", result)
        want(checks["containers.endorser"]["level"] == "fail", "nobody listens", result)
        os.makedirs(root.at("/run/pullguard"), exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(root.at("/run/pullguard/endorser.sock"))
            listener.listen()
            want(by_id(root.run("doctor", "--json", "--only", "crio"))["containers.endorser"]["level"] == "ok", "somebody listens")
        want("crio.config" not in checks and "containers.uncovered" not in checks, "in order", result)
        pause = by_id(root.run("doctor", "--json", "--only", "crio", "--only", "policy"))["policy.pause-image"]
        want(pause["level"] == "warn" and "registry.k8s.io/pause" in pause["what"], "%s" % pause)
        root.write("/etc/pullguard/policy.d/b.yaml", policy("b", "quay.io/x/**", key_text()))
        _, result = only(root, "crio")
        uncovered = [(one["level"], one["what"].rpartition(" ")[2]) for one in result.json()["checks"] if one["id"] == "containers.uncovered"]
        want(uncovered == [("warn", "quay.io")], "uncovered", result)
        root.write("/etc/containers/registries.d/10.yaml", "docker:\n  registry.example.com:\n    lookaside: http://x\n")
        want(by_id(root.run("doctor", "--json", "--only", "crio"))["containers.duplicate"]["level"] == "fail", "duplicate")
        root.write("/etc/crio/crio.conf.d/90.conf", "[crio.image]\nsignature_policy = \"\"\n")
        want(by_id(root.run("doctor", "--json", "--only", "crio"))["crio.signature-policy"]["level"] == "fail", "last file wins")


def test_podman_policies():
    with Root() as root:
        root.write("/usr/bin/podman", "", 0o755)
        os.makedirs(root.at("/etc/pullguard/policy.d"))
        for text, identifier in (('{"default":[{"type":"insecureAcceptAnything"}]}', "containers.default"),
                                 ('{"default":[{"type":"reject"}]}', "containers.policy"), ("{", "containers.policy")):
            root.write("/etc/containers/policy.json", text)
            result = root.run("doctor", "--json", "--only", "podman")
            want(by_id(result)[identifier]["level"] == "fail", identifier, result)
        root.write("/etc/containers/policy.json", '{"default":[{"type":"reject"}],"transports":{"docker":{"x.example.com":'
                   '[{"type":"insecureAcceptAnything"}]}}}')
        want(by_id(root.run("doctor", "--json", "--only", "podman"))["containers.scope"]["level"] == "warn", "scope")


def only(node, area, *arguments):
    result = node.run("doctor", "--json", "--only", area, *arguments)
    return by_id(result), result


def unreadable(root, path):
    """A link to itself: there, and for root too unreadable."""
    os.makedirs(os.path.dirname(root.at(path)), exist_ok=True)
    os.symlink(os.path.basename(path), root.at(path))


ELF = b"\x7fELF\x02\x01\x01" + bytes(9)
SHARED = ELF + (3).to_bytes(2, "little") + bytes(46)  # ET_DYN
STATIC = ELF + (2).to_bytes(2, "little") + bytes(46)  # ET_EXEC, no interpreter
# One program header, behind the ELF header: PT_INTERP.
DYNAMIC = (ELF + (3).to_bytes(2, "little") + bytes(14) + (64).to_bytes(8, "little") + bytes(16) + (1).to_bytes(2, "little") + bytes(6) +
           (3).to_bytes(4, "little") + bytes(52))
LOADED = DYNAMIC[:64] + (1).to_bytes(4, "little") + bytes(52)  # static: PT_LOAD only


def handlers(root):
    """Where this build puts crun's handlers."""
    for folder, _, _ in os.walk(root.at("/usr/lib")):
        if folder.endswith("/crun/handlers"):
            return folder[len(root.path):]
    raise AssertionError("no handler directory")


def test_start_gates():
    with Root() as root:
        want(only(root, "start")[0]["crun.found"]["level"] == "note", "no crun")
        root.write("/usr/bin/crun", "", 0o755)
        checks, result = only(root, "start")
        want(checks["crun.handler"]["level"] == "note" and "crun.static" not in checks, "none", result)
        root.write(LAYOUT["libexec"] + "/pullguard-crun.so", SHARED)
        want_code(root.run("enable", "-y", "crun"), 0)
        want_code(root.run("enable", "-y", "oci-hook"), 0)
        checks, result = only(root, "start")
        want(checks["crun.handler"]["level"] == "ok" and "crun.stray" not in checks and checks["hook.file"]["level"] == "ok", "in place", result)
        os.unlink(root.at(LAYOUT["libexec"] + "/pullguard-oci-hook"))
        want(only(root, "start")[0]["hook.program"]["level"] == "fail", "hook without its program")
        crun = root.write("/usr/bin/crun", "#!/bin/sh\necho 'cannot load x: file too short' >&2\nexit 1\n", 0o755)
        want("crun.works" not in only(root, "start")[0], "programs below another root are not run")
        broken = only(root, "start", "--crun", crun)[0]["crun.works"]
        want(broken["level"] == "fail" and "file too short" in broken["what"], "%s" % broken)
        root.write("/usr/bin/crun", "#!/bin/sh\nexit 0\n", 0o755)
        want("crun.works" not in only(root, "start", "--crun", crun)[0], "crun works")
        os.chmod(crun, 0o777)
        want(only(root, "start", "--crun", crun)[0]["crun.works"]["level"] == "warn", "a program that others can write is not run")
        root.write("/usr/share/containers/oci/hooks.d/50-pullguard.json", "{}")
        want(only(root, "start")[0]["hook.file"]["level"] == "fail", "hook that is not ours")


def test_crun_handlers():
    for name, content, mode, identifier, level in (
            ("README", "x", 0o644, "crun.stray", "fail"), ("damaged.so", "x", 0o644, "crun.stray", "fail"),
            ("empty.so", "", 0o644, "crun.stray", "fail"), ("other.so", SHARED, 0o644, "crun.other-handler", "note"),
            ("open.so", SHARED, 0o666, "crun.owner", "fail")):
        with Root() as root:
            root.write(LAYOUT["libexec"] + "/pullguard-crun.so", SHARED)
            want_code(root.run("enable", "-y", "crun"), 0)
            root.write(handlers(root) + "/" + name, content, mode)
            checks, result = only(root, "start")
            want(checks[identifier]["level"] == level and name in checks[identifier]["what"], name, result)
    with Root() as root:  # our own file damaged, and gone
        root.write(LAYOUT["libexec"] + "/pullguard-crun.so", "x")
        want_code(root.run("enable", "-y", "crun"), 0)
        want(only(root, "start")[0]["crun.stray"]["level"] == "fail", "damaged")
        os.unlink(root.at(LAYOUT["libexec"] + "/pullguard-crun.so"))
        want(only(root, "start")[0]["crun.stray"]["level"] == "fail", "gone")
    for place, program in (("/usr/bin/crun", STATIC), ("/usr/bin/crun", LOADED), ("/usr/libexec/crio/crun", STATIC)):
        with Root() as root:
            root.write(place, program, 0o755)
            checks, result = only(root, "start")
            want(place in checks["crun.static"]["what"] and checks["crun.static"]["level"] == "note", "static", result)
            for program in (DYNAMIC, DYNAMIC[:100]):
                root.write(place, program, 0o755)
                checks, result = only(root, "start")
                want("crun.static" not in checks and checks["crun.handler"]["level"] == "note", "dynamic, and cut off", result)
    with Root() as root:
        root.write("/usr/bin/crun", DYNAMIC, 0o755)
        want_code(root.run("enable", "-y", "crun"), 0)
        folder = handlers(root)
        os.unlink(root.at(folder + "/pullguard.so"))
        want(only(root, "start")[0]["crun.handler"]["level"] == "note", "empty")
        os.rmdir(root.at(folder))
        unreadable(root, folder)
        want(only(root, "start")[0]["crun.handler"]["level"] == "warn", "unreadable")


def test_nri_plugin():
    validator = "[plugins.'io.containerd.nri.v1.nri'.default_validator]\nenable = true\nrequired_plugins = ['pullguard']\n"
    for version, config, identifier, level in (
            ("2.2.0", "version = 3\n", "nri.required", "warn"), ("2.2.0", "version = 3\n" + validator, "nri.required", "ok"),
            ("2.1.9", "version = 3\n" + validator, "nri.required", "warn"),  # it knows no such setting
            ("2.2.0", "version = 3\n[plugins.'io.containerd.nri.v1.nri']\ndisable = true\n", "nri.disabled", "fail")):
        with Node(config, version) as node:
            want_code(node.run("enable", "-y", "nri"), 0)
            expect(node, identifier, level)


def test_nri_plugin_of_crio():
    validator = "[crio.nri.default_validator]\nnri_enable_default_validator = true\nnri_validator_required_plugins = [%s]\n"
    for config, identifier, level in (("", "nri.required", "warn"), (validator % '"other", "pullguard"', "nri.required", "ok"),
                                      (validator % '"pullguard-old"', "nri.required", "warn"),
                                      ("[crio.nri]\nenable_nri = false\n", "nri.disabled", "fail")):
        with Root() as root:
            root.write("/etc/crio/crio.conf", config)
            want("nri.required" not in only(root, "crio")[0], "not installed: nothing to say")
            want_code(root.run("enable", "-y", "nri"), 0)
            checks, result = only(root, "crio")
            want(checks[identifier]["level"] == level, "%s %s" % (identifier, level), result)


class Crio(Root):
    """A node with CRI-O that was switched on."""

    def __init__(self):
        super().__init__()
        self.write("/etc/crio/crio.conf", "[crio]\n")
        self.write("/etc/pullguard/policy.d/a.yaml", policy("a", "registry.example.com/**", key_text()))
        want_code(self.run("enable", "-y", "crio"), 0)


def test_crio_namespaces():
    with Crio() as root:
        want(only(root, "crio")[0]["containers.default"]["level"] == "ok", "one policy")
        root.write("/etc/crio/policies/prod.json", '{"default":[{"type":"insecureAcceptAnything"}]}')
        _, result = only(root, "crio")
        want([one["level"] for one in result.json()["checks"] if one["id"] == "containers.default"] == ["ok", "fail"], "prod", result)
        root.write("/etc/crio/crio.conf.d/90.conf", '[crio.image]\nsignature_policy_dir = "/srv/policies"\n')
        _, result = only(root, "crio")
        want([one["level"] for one in result.json()["checks"] if one["id"] == "containers.default"] == ["ok"], "elsewhere", result)
        root.write("/srv/policies/x.json", "{")
        _, result = only(root, "crio")
        want("/srv/policies/x.json" in result.out and result.code == 2, "found", result)


def test_crio_configuration_that_does_not_parse():
    with Crio() as root:
        root.write("/etc/crio/crio.conf.d/10-broken", "[crio\n")
        want(only(root, "crio")[0]["crio.config"]["level"] == "fail", "CRI-O reads every file there")


def test_crio_images_that_will_not_start():
    images = "/var/lib/containers/storage/overlay-images/images.json"
    record = '{"id":"%s","names":["registry.example.com/%s:1"],"big-data-sizes":{"manifest":401%s}}'
    with Crio() as root:
        want("crio.stored-images" not in only(root, "crio")[0], "no storage")
        root.write(images, "[%s]" % record % ("a", "a", ',"signatures":567,"signature-ab":567'))
        want(only(root, "crio")[0]["crio.stored-images"]["level"] == "ok", "endorsed")
        root.write(images, "[%s,%s]" % (record % ("a", "a", ',"signature-ab":567'), record % ("b", "b\\u001b[1m", ',"signatures":0')))
        checks, result = only(root, "crio")
        found = checks["crio.stored-images"]
        want(found["level"] == "warn" and "1 of 2: registry.example.com/b\\x1b[1m:1" in found["what"], "one is not", result)
        root.write(images, "[")
        want(only(root, "crio")[0]["crio.stored-images"]["level"] == "warn", "unreadable")
        root.write("/etc/crio/crio.conf.d/90.conf", '[crio.image]\nsignature_policy = ""\n')
        want("crio.stored-images" not in only(root, "crio")[0], "nothing is checked at create")


def test_look_aside_that_leads_elsewhere():
    own = "/etc/containers/registries.d/50-pullguard.yaml"
    with Crio() as root:
        checks, result = only(root, "crio")
        want("containers.lookaside" not in checks and "containers.registries-d" not in checks, "in order", result)
        root.write("/etc/containers/registries.d/90.yaml", "docker:\n  registry.example.com/team:\n    lookaside: https://elsewhere.example.com\n")
        want(only(root, "crio")[0]["containers.lookaside"]["level"] == "warn", "a scope below ours")
        root.write("/etc/containers/registries.d/90.yaml", "docker:\n  registry.example.com/team:\n    use-sigstore-attachments: true\n")
        want("containers.lookaside" not in only(root, "crio")[0], "which says nothing about look-aside")
        root.write("/etc/pullguard/pullguard.yaml", "endorser: {listen: 127.0.0.1:5}\n")
        want(only(root, "crio")[0]["containers.lookaside"]["level"] == "fail", "another port than the endorser's")
        os.unlink(root.at("/etc/pullguard/pullguard.yaml"))
        os.unlink(root.at(own))
        want(only(root, "crio")[0]["containers.lookaside"]["level"] == "fail", "none")
        root.write(own, "docker: [\n")
        want(only(root, "crio")[0]["containers.registries-d"]["level"] == "warn", "unreadable")
        os.rename(root.at("/etc/containers/registries.d"), root.at("/elsewhere"))
        unreadable(root, "/etc/containers/registries.d")
        want(only(root, "crio")[0]["containers.registries-d"]["level"] == "warn", "no directory that can be read")


def test_the_node_key_is_gone():
    with Crio() as root:
        os.unlink(root.at("/var/lib/pullguard/node-key.pub"))
        want(only(root, "crio")[0]["containers.node-key"]["level"] == "fail", "gone")


def test_policies_in_roots_home():
    for path in ("/root/.config/containers/policy.json", "/root/.config/containers/registries.d/x.yaml"):
        with Crio() as root:
            root.write("/usr/bin/podman", "", 0o755)
            want("containers.user-policy" not in only(root, "podman")[0], "none")
            root.write(path, "{}")
            want("containers.user-policy" not in only(root, "crio")[0], "CRI-O names its policy")
            want(only(root, "podman")[0]["containers.user-policy"]["level"] == "fail", path)
            root.write("/etc/crio/crio.conf.d/90.conf", '[crio.image]\nsignature_policy = ""\n')
            want(only(root, "crio")[0]["containers.user-policy"]["level"] == "fail", "CRI-O names none")


POD = "apiVersion: v1\nkind: Pod\nspec:\n  initContainers:\n  - image: %s\n  containers:\n  - name: a\n    image: %s\n"


def test_static_pods():
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    with Root() as root:
        root.write("/etc/pullguard/policy.d/a.yaml", policy("a", "registry.example.com/**", key_text()))
        want("policy.static-pod" not in only(root, "policy")[0], "none")
        root.write(manifest, POD % ("registry.example.com/init:1", "registry.example.com/api:1"))
        checks, result = only(root, "policy")
        want(checks["policy.static-pod"]["level"] == "ok" and "(2)" in checks["policy.static-pod"]["what"], "covered", result)
        for text in (POD % ("registry.k8s.io/init:1", "registry.example.com/api:1"), POD % ("registry.example.com/init:1", "registry.k8s.io/init:1")):
            root.write(manifest, text)
            checks, result = only(root, "policy")
            want(checks["policy.static-pod"]["level"] == "warn" and "registry.k8s.io/init:1" in checks["policy.static-pod"]["what"], "not covered", result)
        noted = root.run("enable", "--dry-run", "containerd")
        want_text(noted.err, "note: ", noted)
        want_text(noted.err, "no policy applies to registry.k8s.io/init:1", noted)
        root.write("/etc/pullguard/pullguard.yaml", "no-match: warn\n")
        want("policy.static-pod" not in only(root, "policy")[0], "images without a policy are let through")
        os.unlink(root.at("/etc/pullguard/pullguard.yaml"))
        root.write(manifest, "spec: [")
        want(only(root, "policy")[0]["policy.static-pod"]["level"] == "warn", "unreadable")
        os.unlink(root.at(manifest))
        root.write("/var/lib/kubelet/config.yaml", "staticPodPath: /srv/pods\n")
        root.write("/srv/pods/etcd.json", '{"spec":{"containers":[{"image":"registry.k8s.io/etcd:3"}]}}')
        want("registry.k8s.io/etcd:3" in only(root, "policy")[0]["policy.static-pod"]["what"], "the kubelet's own directory")


def test_enable_says_what_would_lock_the_node_out():
    with Node() as node:
        node.write("/etc/pullguard/policy.d/a.yaml", policy("some", "r.example.com/**", key_text()))
        result = node.run("enable", "--dry-run", "nri")
        want_text(result.err, "no policy applies to the pause image registry.k8s.io/pause", result)
        want("pause" not in node.run("enable", "--dry-run", "podman").err, "podman runs no pods")
        node.write("/etc/pullguard/policy.d/a.yaml", policy("all", "**", key_text()))
        want("note:" not in node.run("enable", "--dry-run", "nri").err, "covered")


def test_lint():
    with Node() as node:
        want("policy.lint" not in ours(node)[0], "nothing to say")
        node.write("/etc/pullguard/policy.d/warn.yaml", policy("tagged", "registry.example.com/app:v*", key_text()))
        checks, result = ours(node)
        want(checks["policy.lint"]["level"] == "warn" and "warn.yaml" in checks["policy.lint"]["what"], "lint", result)


def test_runtimes_that_are_not_there():
    with Root() as root:
        for area, identifier in (("crio", "crio.found"), ("podman", "podman.found"), ("containerd", "containerd.found")):
            checks, result = only(root, area)
            want(checks[identifier]["level"] == "note" and result.code == 0, identifier, result)
        root.write("/usr/bin/podman", "", 0o755)
        want(only(root, "podman")[0]["podman.scope"]["level"] == "note", "what podman does not check")


def test_what_a_version_does_not_cover():
    for version, there in (("2.1.0", True), ("2.3.4", True), ("2.4.0", False)):
        with Node(version=version) as node:
            levels, result = node.levels()
            want(levels.get("containerd.checkpoint") == ("note" if there else None) and levels["containerd.scope"] == "note", version, result)


def test_resident_engine():
    with Root() as root:
        want(only(root, "install")[0]["engine.resident"]["level"] == "note", "none")
        os.makedirs(root.at("/run/pullguard"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(root.at("/run/pullguard/engine.sock"))
            listener.listen()
            want(only(root, "install")[0]["engine.resident"]["level"] == "ok", "listens")
        want(only(root, "install")[0]["engine.resident"]["level"] == "warn", "nobody answers")
    levels = [one for one in run("doctor", "--json", "--only", "install").json()["checks"] if one["id"] == "install.user"]
    want(len(levels) == 1 and levels[0]["level"] in ("ok", "warn"), "the user of this machine")


def test_folders_that_cannot_be_read():
    with Node() as node:
        node.write("/etc/pullguard/keys", "a file")
        want(ours(node)[0]["files.read"]["level"] == "fail", "keys is a file")


def test_system():
    with Root() as root:
        want(only(root, "system")[0]["system.journal"]["level"] == "warn", "neither journal nor syslog")
        root.write("/dev/log", "")
        journal = only(root, "system")[0]["system.journal"]
        want("syslog" in journal["what"] and journal["level"] == "ok", "syslog")
        root.write("/run/systemd/journal/socket", "")
        want(only(root, "system")[0]["system.journal"]["level"] == "ok", "journal")
        clock = {"LD_PRELOAD": os.environ["PG_CLOCK"], "PG_FIXED_CLOCK": "946684800"}
        result = root.run("doctor", "--json", "--only", "system", env=clock)
        want(by_id(result)["system.clock"]["level"] == "fail", "the year 2000", result)
        for kept, level in (("1", "ok"), ("0", "warn"), ("e", "warn")):
            result = root.run("doctor", "--json", "--only", "system", env={"LD_PRELOAD": os.environ["PG_CLOCK"], "PG_FIXED_SYNC": kept})
            want(by_id(result)["system.clock"]["level"] == level, "time service: " + kept, result)
        want("system.disk" not in only(root, "system")[0], "neither cache nor logs yet")
        os.makedirs(root.at("/var/cache/pullguard"))
        want(only(root, "system")[0]["system.disk"]["level"] in ("ok", "warn"), "room")
        for size, level in (("1m", "warn"), ("64m", "ok")) if os.geteuid() == 0 else ():
            result = alone('mount -t tmpfs -o size=%s tmpfs "$1/var/cache/pullguard"; exec "$0" --root "$1" doctor --json --only system' % size,
                           root.path)
            want(by_id(result)["system.disk"]["level"] == level, size, result)


def alone(script, *arguments):
    """The script as root of mount and process namespaces of its own: nothing else runs there. $0 is the program."""
    return Result(subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", script, PROGRAM,
                                  *arguments], capture_output=True, check=False))


def test_running_containerd():
    """Its own process says which configuration counts, and when it was started."""
    if os.geteuid() != 0:
        return
    script = '''"$1" "$2" "$3" & while ! grep -qx "$4" /proc/[0-9]*/comm; do :; done; exec "$0" doctor --json --only containerd'''
    with Node("version = 3\n" + IMAGES + "discard_unpacked_layers = true\n") as node:
        config = node.at(CONFIG)
        for name, first, second, found in (
                ("containerd", "--config", config, True), ("containerd", "--config=" + config, "", True), ("containerd", "-c", config, True),
                ("containerd", "-c=" + config, "", True), ("containerd", "-l", config, False), ("containerd2", "--config", config, False)):
            program = node.write("/srv/" + name, "#!/bin/sh\nsleep 60\n", 0o755)
            os.utime(config, (1, 1))
            result = alone(script, program, first, second, name)
            checks = by_id(result)
            want((config in checks.get("containerd.config", {}).get("what", "")) == found, "%s %s" % (name, first), result)
            if found:
                want(checks["containerd.fallback.unpacked-layers"]["level"] == "fail", "its configuration", result)
                want(checks["containerd.restart"]["level"] == "ok", "started after its configuration was written", result)
                os.utime(config, (4000000000, 4000000000))
                want(by_id(alone(script, program, first, second, name))["containerd.restart"]["level"] == "warn", "changed since")
        want("containerd.restart" not in node.levels()[0], "a root that is not this machine's")


def test_dangling_links():
    with Node() as node:
        os.symlink("/nowhere/verifier", node.at(BIN_DIR + "/dangling"))
        expect(node, "containerd.stray", "fail", "dangling")
        config = node.write("/live.toml", "version = 3\n[plugins.'io.containerd.image-verifier.v1.bindir']\nbin_dir = '%s'\n" %
                            node.at(BIN_DIR))
        result = run("doctor", "--json", "--only", "containerd", "--containerd-config", config)
        strays = [one["what"] for one in result.json()["checks"] if (one["id"], one["level"]) == ("containerd.stray", "fail")]
        want(any(one.endswith("/dangling is a dangling link") for one in strays), "on the machine itself", result)


def test_the_user():
    if os.geteuid() != 0:
        return
    with Root() as root:
        for user, level in (("pullguard", "ok"), ("somebody", "warn")):
            passwd = root.write("/passwd", "root:x:0:0::/:/bin/sh\n%s:x:99:99::/:/bin/false\n" % user)
            result = alone('mount --bind "$1" /etc/passwd; exec "$0" doctor --json --only install', passwd)
            want(by_id(result)["install.user"]["level"] == level, user, result)


def test_directories_that_cannot_be_read():
    with Root() as root:
        unreadable(root, "/etc/pullguard/trust")
        want(only(root, "trust")[0]["files.read"]["level"] == "fail", "trust roots")
    with Root() as root:
        root.write("/etc/pullguard/policy.d/a.yaml", policy("a", "r.example.com/**", key_text()))
        unreadable(root, "/var/cache/pullguard/verdicts")
        want("policy.verdicts" not in only(root, "policy")[0], "no start gate")
        want_code(root.run("enable", "-y", "oci-hook"), 0)
        want(only(root, "policy")[0]["policy.verdicts"]["level"] == "warn", "verdicts")


def test_every_result_has_a_test_and_a_line_in_the_manual():
    """Names of results are stable: monitoring looks for them."""
    names = set()
    for folder, _, files in os.walk(os.path.join(SOURCE, "plugin/cli/doctor")):
        for file in files:
            with open(os.path.join(folder, file), encoding="utf-8") as text:
                names.update(re.findall(r'"((?:%s)\.[a-z][a-z.-]*)"' % AREAS, text.read()))
    want(len(names) > 70, "%d names" % len(names))
    tests = ""
    for folder in ("tests/cli", "tests/integration"):
        for file in os.listdir(os.path.join(SOURCE, folder)):
            if file.endswith((".py", ".sh")):
                with open(os.path.join(SOURCE, folder, file), encoding="utf-8") as text:
                    tests += text.read()
    with open(os.path.join(SOURCE, "packaging/man/pullguard.1.in"), encoding="utf-8") as text:
        manual = re.sub(r"\\-", "-", text.read())
    # Put together by the tests from a part that they name.
    spoken = [name for name in names if name in tests or (name.startswith(("canary.", "containerd.fallback.")) and
                                                          '"%s"' % name.rpartition(".")[2] in tests)]
    want(not names - set(spoken), "without a test: %s" % sorted(names - set(spoken)))
    want(not [name for name in names if name not in manual], "not in the manual: %s" % sorted(name for name in names if name not in manual))


if __name__ == "__main__":
    main(globals())
