# SPDX-License-Identifier: Apache-2.0
"""doctor on made-up nodes: every way in which containerd passes the verifier by, and everything wrong with our own files."""
import datetime
import os
import stat

from harness import Root, key_text, layout, main, policy, want, want_code, want_text

LAYOUT = layout()
VERIFIER = LAYOUT["libexec"] + "/pullguard-containerd"
BIN_DIR = "/opt/containerd/image-verifier/bin"
CONFIG = "/etc/containerd/config.toml"
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
        want(checks["policy.load"]["level"] == "ok", "loads", result)
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


def test_installation():
    with Node() as node:
        result = node.run("doctor", "--json", "--only", "install")
        levels = [(one["id"], one["level"]) for one in result.json()["checks"]]
        want(("install.program", "fail") in levels, "the library is missing", result)
        want(("sandbox.selftest", "ok") in levels, "self-test", result)
        node.write(LAYOUT["libexec"] + "/pullguard-engine", "#!/bin/sh\necho no seccomp here\nexit 1\n", 0o755)
        result = node.run("doctor", "--json", "--only", "install")
        found = [one for one in result.json()["checks"] if one["id"] == "sandbox.selftest"][0]
        want(found["level"] == "fail" and "no seccomp here" in found["what"], "self-test", result)
        os.chmod(node.at(LAYOUT["libexec"] + "/pullguard-engine"), 0o777)
        result = node.run("doctor", "--json", "--only", "install")
        want("install.owner" in [one["id"] for one in result.json()["checks"]], "owner", result)


def test_human_output_and_quiet():
    with Node("version = 3\n" + IMAGES + "discard_unpacked_layers = true\n") as node:
        result = node.run("doctor", "--only", "containerd", "--quiet", "--containerd-config", node.at(CONFIG))
        want_code(result, 2)
        for part in ("fail  containerd.fallback.unpacked-layers", "why: ", "do:  ", "this node is not protected"):
            want_text(result.out, part, result)
        want("ok    " not in result.out, "quiet", result)
    with Root() as root:
        want_code(root.run("doctor", "--only", "nonsense"), 3)


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
        root.write("/etc/pullguard/policy.d/b.yaml", policy("b", "quay.io/x/**", key_text()))
        want(by_id(root.run("doctor", "--json", "--only", "crio"))["containers.uncovered"]["level"] == "warn", "uncovered")
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


def test_start_gates():
    with Root() as root:
        root.write("/usr/bin/crun", "#!/bin/sh\nexit 0\n", 0o755)
        want(by_id(root.run("doctor", "--json", "--only", "start"))["crun.handler"]["level"] == "note", "none")
        want_code(root.run("enable", "-y", "crun"), 0)
        want_code(root.run("enable", "-y", "oci-hook"), 0)
        checks = by_id(root.run("doctor", "--json", "--only", "start"))
        want(checks["crun.handler"]["level"] == "ok" and checks["hook.program"]["level"] == "fail", "%s" % checks)
        want("crun.works" not in checks, "crun works")
        root.write("/usr/bin/crun", "#!/bin/sh\necho 'cannot load x: file too short' >&2\nexit 1\n", 0o755)
        broken = by_id(root.run("doctor", "--json", "--only", "start"))["crun.works"]
        want(broken["level"] == "fail" and "file too short" in broken["what"], "%s" % broken)
        root.write(LAYOUT["libexec"] + "/pullguard-oci-hook", "", 0o755)
        want(by_id(root.run("doctor", "--json", "--only", "start"))["hook.file"]["level"] == "ok", "hook")
        for folder, _, files in os.walk(root.at("/usr/lib")):
            if folder.endswith("/crun/handlers"):
                root.write(folder[len(root.path):] + "/README", "x")
        want(by_id(root.run("doctor", "--json", "--only", "start"))["crun.stray"]["level"] == "fail", "stray")


def test_nri_plugin():
    validator = "[plugins.'io.containerd.nri.v1.nri'.default_validator]\nenable = true\nrequired_plugins = ['pullguard']\n"
    for config, identifier, level in (("version = 3\n", "nri.required", "warn"), ("version = 3\n" + validator, "nri.required", "ok"),
                                      ("version = 3\n[plugins.'io.containerd.nri.v1.nri']\ndisable = true\n", "nri.disabled", "fail")):
        with Node(config) as node:
            want_code(node.run("enable", "-y", "nri"), 0)
            expect(node, identifier, level)


if __name__ == "__main__":
    main(globals())
