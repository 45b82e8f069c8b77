# SPDX-License-Identifier: Apache-2.0
"""enable, status, disable on made-up nodes: what was there comes back byte for byte."""
import base64
import calendar
import hashlib
import json
import os
import time
import tomllib

from harness import Installed as Root, Root as Empty, key_text, layout, main, policy, want, want_code, want_text

LAYOUT = layout()
VERIFIER = LAYOUT["libexec"] + "/pullguard-containerd"
LINK = "/opt/containerd/image-verifier/bin/pullguard"


def same_but_state(before, after):
    """Our own state directory stays; everything else is compared."""
    def relevant(tree):
        return {path: value for path, value in tree.items() if not path.startswith("/var/lib/pullguard") and path != "/var"
                and path != "/var/lib"}
    before, after = relevant(before), relevant(after)
    want(before == after, "differences: %s" % sorted(set(before.items()) ^ set(after.items()))[:4])


def test_containerd_there_and_back():
    with Root() as root:
        root.write("/etc/containerd/config.toml", "version = 3\n")
        before = root.tree()
        want_code(root.run("status", "containerd"), 1)
        result = root.run("enable", "--yes", "containerd")
        want_code(result, 0)
        want_text(result.out, "+" + VERIFIER, result)
        want("no end of line" not in result.out, "a link's target is whole", result)
        want(os.readlink(root.at(LINK)) == VERIFIER, "link", result)
        want(os.listdir(os.path.dirname(root.at(LINK))) == ["pullguard"], "nothing else in the directory")
        want_code(root.run("status", "containerd"), 0)
        again = root.run("enable", "--yes", "containerd")
        want_code(again, 0)
        want_text(again.out, "nothing to change", again)
        want_code(root.run("disable", "--yes", "containerd"), 0)
        same_but_state(before, root.tree())
        want_code(root.run("disable", "--yes", "containerd"), 0)


def test_containerd_with_its_own_directory():
    with Root() as root:
        root.write("/etc/containerd/config.toml", "version = 3\n[plugins.'io.containerd.image-verifier.v1.bindir']\n"
                   "bin_dir = '/srv/verify'\n")
        os.makedirs(root.at("/srv/verify"))
        before = root.tree()
        want_code(root.run("enable", "-y", "containerd"), 0)
        want(os.path.islink(root.at("/srv/verify/pullguard")), "link")
        want_code(root.run("disable", "-y", "containerd"), 0)
        same_but_state(before, root.tree())


def test_settings_that_keep_containerd_from_asking_are_named():
    with Root() as root:
        root.write("/etc/containerd/config.toml", "version = 3\n")
        result = root.run("enable", "-y", "containerd")
        want_code(result, 0)
        want("not yet" not in result.err, "defaults need nothing", result)
        root.write("/etc/containerd/config.toml", "version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n"
                   "[plugins.'io.containerd.cri.v1.images']\nuse_local_image_pull = true\n")
        root.write("/etc/containerd/conf.d/10-site.toml", "version = 3\n"
                   "[plugins.'io.containerd.image-verifier.v1.bindir']\nmax_verifiers = 0\n")
        for again in (False, True):
            result = root.run("enable", "-y", "containerd")
            want_code(result, 0)
            want_text(result.err, "not yet: use_local_image_pull = true is set in " +
                      root.at("/etc/containerd/config.toml"), result)
            want_text(result.err, "Kubernetes pulls are NOT verified; remove the line", result)
            want_text(result.err, "max_verifiers is 0", result)
            if not again:
                want_code(root.run("disable", "-y", "containerd"), 0)


def test_an_old_link_comes_back():
    with Root() as root:
        os.makedirs(os.path.dirname(root.at(LINK)))
        os.symlink("/somewhere/else", root.at(LINK))
        before = root.tree()
        result = root.run("enable", "-y", "containerd")
        want_code(result, 0)
        want_text(result.out, "-/somewhere/else", result)
        want_code(root.run("disable", "-y", "containerd"), 0)
        same_but_state(before, root.tree())


def test_nothing_is_changed_unasked():
    with Root() as root:
        before = root.tree()
        result = root.run("enable", "containerd")
        want_code(result, 2)
        want_text(result.err, "--yes", result)
        want_code(root.run("enable", "--dry-run", "containerd"), 1)
        want(root.tree() == before, "changed")
        want_code(root.run("enable", "docker"), 2)


def test_disable_asks_before_anything():
    with Root() as root:
        node(root)
        for runtime in ("crio", "podman"):
            want_code(root.run("enable", "-y", runtime), 0)
        before = root.tree()
        result = root.run("disable", "crio")
        want_code(result, 2)
        want_text(result.err, "--yes", result)
        want(root.tree() == before, "changed: %s" % sorted(set(before.items()) ^ set(root.tree().items()))[:2])


def test_directories_in_the_way():
    with Root() as root:
        os.makedirs(root.at(LINK))
        result = root.run("enable", "-y", "containerd")
        want_code(result, 2)
        want_text(result.err, "neither a file nor a link", result)


def test_changed_since():
    with Root() as root:
        want_code(root.run("enable", "-y", "containerd"), 0)
        os.unlink(root.at(LINK))
        os.symlink("/other", root.at(LINK))
        want_code(root.run("status"), 1)
        result = root.run("disable", "-y", "containerd")
        want_code(result, 2)
        want_text(result.err, "changed since", result)
        want(os.readlink(root.at(LINK)) == "/other", "touched")
        want_code(root.run("disable", "-y", "--force", "containerd"), 0)
        want(not os.path.lexists(root.at(LINK)), "still there")


def test_status_json():
    with Root() as root:
        want_code(root.run("enable", "-y", "containerd"), 0)
        result = root.run("status", "--json")
        found = {one["runtime"]: one for one in result.json()}
        want(found["containerd"]["status"] == "enabled" and found["crio"]["status"] == "disabled", "status", result)
        want(found["containerd"]["files"] == [{"path": LINK, "state": "in place"}], "files", result)


def node(root):
    root.write("/etc/pullguard/policy.d/a.yaml", policy("a", "registry.example.com/team/**", key_text()))
    root.write("/etc/pullguard/policy.d/b.yaml", policy("b", "alpine:*", key_text()))


def test_podman_there_and_back():
    with Root() as root:
        node(root)
        root.write("/etc/containers/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}\n', 0o640)
        root.write("/etc/containers/registries.d/default.yaml", "docker: {}\n")
        before = root.tree()
        result = root.run("enable", "-y", "podman")
        want_code(result, 0)
        with open(root.at("/etc/containers/policy.json"), encoding="utf-8") as file:
            made = json.load(file)
        want(made["default"] == [{"type": "reject"}], "default", result)
        want(sorted(made["transports"]["docker"]) == ["docker.io", "registry.example.com"], "scopes", result)
        requirement = made["transports"]["docker"]["registry.example.com"][0]
        want(len(made["transports"]["docker"]["registry.example.com"]) == 1, "%s" % made)
        want(requirement["type"] == "sigstoreSigned" and requirement["signedIdentity"] == {"type": "matchRepository"}, "%s" % made)
        want(os.path.exists(root.at(requirement["keyPath"])), "the node key's public half")
        with open(root.at("/etc/containers/registries.d/50-pullguard.yaml"), encoding="utf-8") as file:
            want_text(file.read(), "lookaside: http://127.0.0.1:14242/v1/registry.example.com\n")
        want_code(root.run("node-key", "show"), 0)
        want_code(root.run("disable", "-y", "podman"), 0)
        same_but_state(before, root.tree())


def test_crio_writes_drop_ins_only():
    with Root() as root:
        node(root)
        root.write("/etc/crio/crio.conf", "[crio]\n")
        before = root.tree()
        result = root.run("enable", "-y", "crio")
        want_code(result, 0)
        new = {path for path in root.tree() if path not in before and not path.startswith("/var")}
        want(new == {"/etc/containers", "/etc/containers/registries.d", "/etc/containers/registries.d/50-pullguard.yaml",
                     "/etc/containers/registries.conf.d", "/etc/containers/registries.conf.d/50-pullguard.conf",
                     "/etc/crio/crio.conf.d", "/etc/crio/crio.conf.d/50-pullguard.conf", "/etc/pullguard/crio-policy.json"},
             "%s" % sorted(new))
        with open(root.at("/etc/crio/crio.conf.d/50-pullguard.conf"), "rb") as file:
            want(tomllib.load(file) == {"crio": {"image": {"signature_policy": "/etc/pullguard/crio-policy.json"}}}, "crio.conf.d")
        with open(root.at("/etc/containers/registries.conf.d/50-pullguard.conf"), "rb") as file:
            want(tomllib.load(file) == {"additional-layer-store-auth-helper": LAYOUT["libexec"] + "/pullguard-layer-auth"}, "registries.conf.d")
        # containers-policy.json(5) by our own reader of that format, which refuses every member it does not know.
        want_code(root.run("policy", "lint", root.at("/etc/pullguard/crio-policy.json")), 0)
        want_code(root.run("disable", "-y", "crio"), 0)
        same_but_state(before, root.tree())


def test_another_policy_and_enable_again():
    with Root() as root:
        node(root)
        before = root.tree()
        want_code(root.run("enable", "-y", "crio"), 0)
        root.write("/etc/pullguard/policy.d/c.yaml", policy("c", "quay.io/x/**", key_text()))
        result = root.run("enable", "-y", "crio")
        want_code(result, 0)
        want_text(result.out, '+      "quay.io": [', result)
        want(" {" in result.out and '-      "docker.io"' not in result.out, "a diff, not a replacement", result)
        os.unlink(root.at("/etc/pullguard/policy.d/c.yaml"))
        want_code(root.run("disable", "-y", "crio"), 0)
        same_but_state(before, root.tree())


def test_a_node_without_named_registries_is_not_locked_out():
    with Root() as root:
        os.makedirs(root.at("/etc/pullguard/policy.d"))
        result = root.run("enable", "-y", "podman")
        want_code(result, 2)
        want_text(result.err, "every pull would be refused", result)
        root.write("/etc/pullguard/policy.d/a.yaml", policy("a", "**", key_text()))
        want_code(root.run("enable", "-y", "podman"), 2)
        root.write("/etc/pullguard/policy.d/b.yaml", policy("b", "r.example.com/**", key_text()))
        result = root.run("enable", "-y", "podman")
        want_code(result, 0)
        want_text(result.err, "some glob names no registry", result)


def test_native_requirements_beside_ours():
    with Root() as root:
        root.write("/etc/pullguard/policy.d/a.yaml", policy(
            "legacy", "registry.example.com/team/**", key_text(), "        signatureFormat: legacy\n        pullguard: {identity: repository}\n"))
        result = root.run("enable", "-y", "crio")
        want_code(result, 0)
        with open(root.at("/etc/pullguard/crio-policy.json"), encoding="utf-8") as file:
            docker = json.load(file)["transports"]["docker"]
        native = docker["registry.example.com/team"]
        want([one.get("keyPath") for one in native] == ["/var/lib/pullguard/node-key.pub", None] and
             native[1]["type"] == "sigstoreSigned" and len(native[1]["keyDatas"]) == 1, "%s" % docker)
        want(len(docker["registry.example.com"]) == 1, "the rest of the registry has the node key's requirement alone")
        with open(root.at("/etc/containers/registries.d/50-pullguard.yaml"), encoding="utf-8") as file:
            want_text(file.read(), '"registry.example.com/team":\n    lookaside: http://127.0.0.1:14242/v1/registry.example.com\n'
                      '    use-sigstore-attachments: true\n')


def stores(root):
    """registries.d as written: scope -> what is behind the endorser's /v1/, and whether attachments are looked for."""
    found, scope = {}, None
    with open(root.at("/etc/containers/registries.d/50-pullguard.yaml"), encoding="utf-8") as file:
        for line in file:
            if line.startswith('  "'):
                scope = line.strip().strip('":')
            elif line.startswith("    lookaside: "):
                found[scope] = (line.partition("/v1/")[2].strip(), False)
            elif line.startswith("    use-sigstore-attachments: true"):
                found[scope] = (found[scope][0], True)
    return found


def registry(prefix, location, *mirrors):
    return '[[registry]]\nprefix = "%s"\n%s%s' % (prefix, 'location = "%s"\n' % location if location else "",
                                                "".join('[[registry.mirror]]\nlocation = "%s"\n' % one for one in mirrors))


def test_mirrors():
    with Root() as root:
        node(root)
        root.write("/etc/containers/registries.conf", registry("registry.example.com", "registry.example.com", "mirror.example.com:5000",
                                                               "deep.example.com/cache", "deep.example.com/two/parts") +
                   registry("unrelated.example.com", "x.example.com") + registry("docker.io", "docker.io", "proxy.example.com/hub"))
        root.write("/etc/containers/registries.conf.d/10.conf", registry("registry.example.com/team", "team.example.com") +
                   registry("registry.example.com/same", "m.example.com/same") +
                   registry("registry.example.com/a/b/c", "m.example.com/b/c") + registry("registry.example.com/ab", "m.example.com/b"))
        result = root.run("enable", "-y", "podman")
        want_code(result, 0)
        want("refused" not in result.err, "all of them are mapped", result)
        want({scope: base for scope, (base, _) in stores(root).items()} == {
            "registry.example.com": "registry.example.com", "docker.io": "docker.io",
            "mirror.example.com:5000": "registry.example.com",        # the same path
            "deep.example.com/cache": "registry.example.com/-1",      # cache/X is X
            "deep.example.com/two/parts": "registry.example.com/-2",
            "proxy.example.com/hub": "docker.io/-1",
            "team.example.com": "registry.example.com/team",          # X is team/X
            "m.example.com/same": "registry.example.com",             # same/X is same/X
            "m.example.com/b/c": "registry.example.com/a",            # b/c/X is a/b/c/X
            "m.example.com/b": "registry.example.com/ab/-1"}, "%s" % stores(root))


def test_mirrors_that_cannot_be_led_back():
    for text, location, part in (
            (registry("*.example.com", "", "any.example.org"), "any.example.org", "a wildcard fits"),
            (registry("registry.example.com", "", "docker.io/mirror"), "docker.io/mirror", "policies name this registry itself"),
            (registry("registry.example.com", "", "m.example.org/x") + registry("docker.io", "", "m.example.org/x"), "m.example.org/x",
             "it stands for several names")):
        with Root() as root:
            node(root)
            root.write("/etc/containers/registries.conf", text)
            result = root.run("enable", "-y", "podman")
            want_code(result, 0)
            want_text(result.err, "note: pulls through this mirror are refused: %s: " % location, result)
            want_text(result.err, part, result)
            want(location not in stores(root) or "several" in part, "%s" % stores(root))
    with Root() as root:
        node(root)
        root.write("/etc/containers/registries.conf", registry("*.example.net", "", "any.example.org"))
        want("refused" not in root.run("enable", "-y", "podman").err, "a wildcard that fits no registry of ours")


def test_mirrors_and_native_requirements():
    with Root() as root:
        root.write("/etc/pullguard/policy.d/a.yaml", policy(
            "legacy", "registry.example.com/team/**", key_text(), "        signatureFormat: legacy\n        pullguard: {identity: repository}\n"))
        root.write("/etc/pullguard/policy.d/b.yaml", policy("b", "alpine:*", key_text()))
        root.write("/etc/containers/registries.conf", registry("registry.example.com", "", "m.example.org/x") +
                   registry("docker.io", "", "hub.example.org"))
        want_code(root.run("enable", "-y", "podman"), 0)
        want(stores(root)["m.example.org/x"] == ("registry.example.com/-1", True) and stores(root)["hub.example.org"] == ("docker.io", False),
             "%s" % stores(root))


def test_where_the_endorser_listens():
    with Root() as root:
        node(root)
        root.write("/etc/pullguard/pullguard.yaml", "endorser: {listen: 127.0.0.2:4242}\n")
        want_code(root.run("enable", "-y", "podman"), 0)
        with open(root.at("/etc/containers/registries.d/50-pullguard.yaml"), encoding="utf-8") as file:
            text = file.read()
        want_text(text, "    lookaside: http://127.0.0.2:4242/v1/registry.example.com\n")
        want("14242" not in text, text)


def test_other_files_of_registries_d():
    """Distributions bring files of their own there; what stands in two files stops every pull."""
    with Root() as root:
        node(root)
        root.write("/etc/containers/registries.d/default.yaml", "default-docker:\n  lookaside-staging: file:///var/lib/containers/sigstore\n")
        root.write("/etc/containers/registries.d/registry.example.net.yaml", "docker:\n  registry.example.net:\n    lookaside: https://example.net/sigstore\n")
        want_code(root.run("enable", "-y", "podman"), 0)
        with open(root.at("/etc/containers/registries.d/50-pullguard.yaml"), encoding="utf-8") as file:
            want("default-docker" not in file.read(), "default-docker twice")
        want_code(root.run("enable", "-y", "podman"), 0)
        want_code(root.run("disable", "-y", "podman"), 0)
        root.write("/etc/containers/registries.d/vendor.yaml", "docker:\n  registry.example.com:\n    lookaside: https://example.com/sigstore\n")
        before = root.tree()
        for runtime in ("podman", "crio"):
            result = root.run("enable", "-y", runtime)
            want_code(result, 2)
            want_text(result.err, "vendor.yaml has the scope \"registry.example.com\" too", result)
            same_but_state(before, root.tree())


def test_start_gates():
    with Root() as root:
        before = root.tree()
        for gate, path in (("oci-hook", "/usr/share/containers/oci/hooks.d/50-pullguard.json"), ("nri", "/opt/nri/plugins/10-pullguard")):
            want_code(root.run("enable", "-y", gate), 0)
            want(os.path.lexists(root.at(path)), path)
        with open(root.at("/usr/share/containers/oci/hooks.d/50-pullguard.json"), encoding="utf-8") as file:
            hook = json.load(file)
        want(hook["stages"] == ["createRuntime"] and hook["when"] == {"always": True} and
             hook["hook"]["path"] == LAYOUT["libexec"] + "/pullguard-oci-hook", "%s" % hook)
        result = root.run("enable", "-y", "crun")
        want_code(result, 0)
        want_text(result.out, "/crun/handlers/pullguard.so", result)
        for gate in ("crun", "nri", "oci-hook"):
            want_code(root.run("disable", "-y", gate), 0)
        same_but_state(before, root.tree())


def test_restart_is_for_this_machine():
    with Root() as root:
        before = root.tree()
        for command in ("enable", "disable"):
            result = root.run(command, "-y", "--restart", "containerd")
            want_code(result, 2)
            want_text(result.err, "below --root", result)
        want(root.tree() == before, "changed")


def test_programs_that_are_not_there():
    for gate in ("containerd", "oci-hook", "crun", "nri"):
        with Empty() as root:
            before = root.tree()
            result = root.run("enable", "-y", gate)
            want_code(result, 2)
            want_text(result.err, "Install pullguard first", result)
            want(root.tree() == before, "changed")


def test_the_whole_diff_is_shown():
    """Whoever says yes has seen every line that goes, of a file however long; and a missing end of line."""
    with Root() as root:
        node(root)
        lines = ["line %d" % number for number in range(5000)]
        root.write("/etc/containers/policy.json", "\n".join(lines))
        result = root.run("enable", "-n", "podman")
        want_code(result, 1)
        shown = result.out.split("+++ /etc/containers/policy.json")[1].splitlines()
        want([line[1:] for line in shown if line.startswith("-line ")] == lines, "%d lines" % len(shown))
        want("\\ no end of line here" in shown, "the end")
        want_code(root.run("enable", "-y", "podman"), 0)
        with open(root.at("/etc/containers/policy.json"), encoding="utf-8") as file:
            written = file.read()
        root.write("/etc/containers/policy.json", written.rstrip("\n"))
        result = root.run("enable", "-n", "podman")
        want_code(result, 1)
        want_text(result.out, "-}\n\\ no end of line here\n+}\n", result)


def made_up_node(root):
    """Something of everything lies there already, with modes of its own."""
    node(root)
    root.write("/etc/crio/crio.conf", "[crio]\n", 0o640)
    root.write("/etc/crio/crio.conf.d/10-own.conf", '[crio.image]\nsignature_policy = "/etc/own.json"\n')
    root.write("/etc/crio/crio.conf.d/50-pullguard.conf", "# somebody's own\n", 0o600)
    root.write("/etc/containers/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}', 0o640)
    root.write("/etc/containers/registries.d/default.yaml", "docker: {}\n")
    root.write("/etc/pullguard/crio-policy.json", "{}\n", 0o600)


def test_two_runtimes_share_files():
    shared = "/etc/containers/registries.d/50-pullguard.yaml"
    for first, second in (("crio", "podman"), ("podman", "crio")):
        for put_back in ((first, second), (second, first)):
            with Root() as root:
                made_up_node(root)
                before = root.tree()
                want_code(root.run("enable", "-y", first), 0)
                want_code(root.run("enable", "-y", second), 0)
                root.write("/etc/pullguard/policy.d/c.yaml", policy("c", "quay.io/x/**", key_text()))
                want_code(root.run("enable", "-y", second), 0)
                os.unlink(root.at("/etc/pullguard/policy.d/c.yaml"))
                want({one["status"] for one in root.run("status", "--json").json() if one["runtime"] in (first, second)} == {"enabled"},
                     "both are enabled", root.run("status"))
                result = root.run("disable", "-y", put_back[0])
                want_code(result, 0)
                want_text(result.out, "%s stays: %s needs it" % (shared, put_back[1]), result)
                want(os.path.exists(root.at(shared)), "what the other one needs")
                want_code(root.run("status", put_back[1]), 0)
                want_code(root.run("disable", "-y", put_back[1]), 0)
                same_but_state(before, root.tree())


def test_a_full_disk_leaves_the_old_state():
    with Root() as root:
        made_up_node(root)
        os.makedirs(root.at("/var/lib/pullguard"))
        root.run("enable", "--dry-run", "crio")  # makes the node key
        before = root.tree()
        faults = 0
        for at in range(1, 20):
            result = root.run("enable", "-y", "crio", env={"LD_PRELOAD": os.environ["PG_FAULT"], "PG_RENAME_FAULT": str(at)})
            if result.code == 0:
                break
            faults += 1
            want_code(result, 2)
            want_text(result.err, "nothing was changed", result)
            same_but_state(before, root.tree())
            want_code(root.run("status", "crio"), 1)
        want(faults >= 4, "%d faults" % faults)
        # The same with an older state of ours to go back to.
        old = root.tree()
        root.write("/etc/pullguard/policy.d/c.yaml", policy("c", "quay.io/x/**", key_text()))
        for at in range(1, 20):
            result = root.run("enable", "-y", "crio", env={"LD_PRELOAD": os.environ["PG_FAULT"], "PG_RENAME_FAULT": str(at)})
            if result.code == 0:
                break
            now = root.tree()
            del now["/etc/pullguard/policy.d/c.yaml"]
            same_but_state(old, now)
            want_code(root.run("status", "crio"), 0)
        want(at > 2, "faults")
        os.unlink(root.at("/etc/pullguard/policy.d/c.yaml"))
        want_code(root.run("disable", "-y", "crio"), 0)
        same_but_state(before, root.tree())


def test_a_crash_can_be_undone_and_finished():
    for finish in (("disable", "-y", "crio"), ("enable", "-y", "crio")):
        for at in range(1, 20):
            with Root() as root:
                made_up_node(root)
                before = root.tree()
                result = root.run("enable", "-y", "crio", env={"LD_PRELOAD": os.environ["PG_FAULT"], "PG_RENAME_KILL": str(at)})
                if result.code == 0:
                    break
                want_code(result, -9)
                # Every file is the old one or the new one, whole.
                with Root() as other:
                    made_up_node(other)
                    want_code(other.run("enable", "-y", "crio"), 0)
                    wanted = other.tree()
                now = root.tree()
                for path, value in now.items():
                    if value[0] == "file" and path.startswith("/etc") and ".pullguard" not in path and ".tmp" not in path:
                        want(value in (before.get(path), wanted.get(path)) or not os.path.basename(path).startswith(("50-", "crio-policy")),
                             "%s after a crash at %d" % (path, at))
                want_code(root.run(*finish), 0)
                if finish[0] == "enable":
                    want_code(root.run("status", "crio"), 0)
                    want_code(root.run("disable", "-y", "crio"), 0)
                after = {path: value for path, value in root.tree().items() if not is_temporary(path)}
                same_but_state(before, after)
        want(at > 4, "crashes")


def is_temporary(path):
    """What the moment before a rename leaves behind when the power goes; nobody reads it."""
    return ".tmp" in os.path.basename(path) or os.path.basename(path).startswith(".")


def test_rotate():
    with Root() as root:
        want_code(root.run("node-key", "show"), 1)
        os.makedirs(root.at("/var/lib/pullguard"))
        node(root)
        want_code(root.run("enable", "-y", "crio"), 0)
        first = root.run("node-key", "show", "--json").json()["fingerprint"]
        second = root.run("node-key", "rotate", "--json").json()["fingerprint"]
        want(first != second and len(second) == 64, "%s %s" % (first, second))
        want(os.stat(root.at("/var/lib/pullguard/node-key.pem")).st_mode & 0o777 == 0o600, "mode")


def test_the_node_key_for_machines():
    """The fingerprint is the digest of the public half that policy.json demands, at the place that is named."""
    with Root() as root:
        os.makedirs(root.at("/var/lib/pullguard"))
        rotated = root.run("node-key", "rotate", "--json").json()
        shown = root.run("node-key", "show", "--json").json()
        want(rotated == shown, "%s %s" % (rotated, shown))
        want(sorted(shown) == ["fingerprint", "made", "public"], shown)
        with open(root.at(shown["public"]), encoding="ascii") as file:
            lines = file.read().splitlines()
        want(lines[0] == "-----BEGIN PUBLIC KEY-----", lines)
        want(hashlib.sha256(base64.b64decode("".join(lines[1:-1]))).hexdigest() == shown["fingerprint"], "another key's")
        made = calendar.timegm(time.strptime(shown["made"], "%Y-%m-%dT%H:%M:%SZ"))
        want(abs(made - os.stat(root.at("/var/lib/pullguard/node-key.pem")).st_mtime) < 1, shown)



def test_a_node_key_in_a_device():
    """The file names a TPM's key that no provider takes here: said so, and never replaced by another."""
    with Root() as root:
        block = "-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n-----END TSS2 PRIVATE KEY-----\n"
        root.write("/var/lib/pullguard/node-key.pem", block)
        os.chmod(root.at("/var/lib/pullguard/node-key.pem"), 0o600)
        result = root.run("node-key", "show")
        want_code(result, 2)
        want_text(result.err, "no OpenSSL provider takes TSS2 PRIVATE KEY")
        result = root.run("node-key", "rotate")
        want_code(result, 2)
        want_text(result.err, "names a key in a device")
        with open(root.at("/var/lib/pullguard/node-key.pem"), encoding="ascii") as file:
            want(file.read() == block, "replaced")


if __name__ == "__main__":
    main(globals())
