# SPDX-License-Identifier: Apache-2.0
"""generate-key-pair, import-key-pair, public-key; cache list, renew and clear."""
import os
import stat
import subprocess
import time

from harness import VECTORS, Installed, Root, key_text, main, policy, run, want, want_code, want_text
from node import VERIFIER
from registry import Registry

PASSWORD = {"COSIGN_PASSWORD": "testpass"}


def inside(root, *arguments, **options):
    """Runs with the root as working directory."""
    before = os.getcwd()
    os.chdir(root.path)
    try:
        return run(*arguments, **options)
    finally:
        os.chdir(before)


def test_generate():
    with Root() as root:
        result = inside(root, "generate-key-pair", env=PASSWORD)
        want_code(result, 0)
        want(stat.S_IMODE(os.stat(root.at("/cosign.key")).st_mode) == 0o600, "mode")
        with open(root.at("/cosign.key"), encoding="ascii") as file:
            want_text(file.read(), "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----")
        with open(root.at("/cosign.pub"), encoding="ascii") as file:
            public = file.read()
        result = run("public-key", "--key", root.at("/cosign.key"), env=PASSWORD)
        want(result.out == public, "public half", result)
        want_code(run("public-key", "--key", root.at("/cosign.key"), stdin=b"testpass\n"), 0)
        result = run("public-key", "--key", root.at("/cosign.key"), env={"COSIGN_PASSWORD": "wrong"})
        want_code(result, 2)
        want(result.out == "", "nothing", result)


def test_nothing_is_overwritten():
    with Root() as root:
        root.write("/cosign.key", "precious")
        want_code(inside(root, "generate-key-pair", env=PASSWORD), 2)
        with open(root.at("/cosign.key"), encoding="ascii") as file:
            want(file.read() == "precious", "overwritten")
        os.symlink(root.at("/elsewhere"), root.at("/k.key"))
        want_code(inside(root, "generate-key-pair", "--output-key-prefix", "k", env=PASSWORD), 2)
        want(not os.path.exists(root.at("/elsewhere")), "a link was followed")


def test_cosigns_own_key():
    result = run("public-key", "--key", os.path.join(VECTORS, "keys/cosign.key"), env=PASSWORD)
    want_code(result, 0)
    want(result.out == key_text(), "public half", result)


def test_import():
    with Root() as root:
        pem = root.write("/k.pem", subprocess.run(["openssl", "ecparam", "-genkey", "-noout", "-name", "secp384r1"],
                                                  capture_output=True, check=True).stdout, 0o600)
        public = subprocess.run(["openssl", "ec", "-in", pem, "-pubout"], capture_output=True, check=True).stdout.decode()
        want_code(inside(root, "import-key-pair", "--key", pem, env=PASSWORD), 0)
        result = run("public-key", "--key", root.at("/import-cosign.key"), env=PASSWORD)
        want(result.out == public, "public half", result)
        want_code(inside(root, "import-key-pair", env=PASSWORD), 2)
        want_code(inside(root, "import-key-pair", "--key", os.path.join(VECTORS, "keys/cosign.pub"), env=PASSWORD), 2)


def test_outfile():
    with Root() as root:
        key = os.path.join(VECTORS, "keys/cosign.key")
        want_code(run("public-key", "--key", key, "--outfile", root.at("/o.pub"), env=PASSWORD), 0)
        with open(root.at("/o.pub"), encoding="ascii") as file:
            want(file.read() == key_text(), "file")
        want_code(run("public-key", "--key", key, "--outfile", root.at("/o.pub"), env=PASSWORD), 2)


def test_no_password_and_nobody_to_ask():
    with Root() as root:
        result = inside(root, "generate-key-pair", stdin=b"")
        # cosign's rule: an empty line is an empty password.
        want(result.code in (0, 2), "exit status", result)


def test_cache_renew():
    digest = "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
    registry = Registry(os.path.join(VECTORS, "registry"))
    with Installed() as root:
        name, second = registry.host + "/demo/legacy:v1", registry.host + "/demo/legacy:v2"

        def verify(reference):
            subprocess.run([VERIFIER, "--root", root.path, "-name", reference, "-digest", digest], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

        def policy_verdicts():
            result = root.run("doctor", "--json", "--only", "policy")
            return [(one["level"], one["what"]) for one in result.json()["checks"] if one["id"] == "policy.verdicts"]

        root.write("/etc/pullguard/policy.d/a.yaml", policy("team", registry.host + "/**", key_text()))
        time.sleep(3.1)  # what is decided by files changed this very moment is not kept
        verify(name)
        want(policy_verdicts() == [], "no start gate: nobody goes by the verdicts")
        want_code(root.run("enable", "-y", "oci-hook"), 0)
        want(policy_verdicts() == [("ok", "1 verdict counts at a start")], "%s" % policy_verdicts())
        want([one["current"] for one in root.run("cache", "list", "--json").json()] == [True], "verified")
        want(root.run("cache", "renew", "--json").json() == [], "nothing is stale")
        root.write("/etc/pullguard/policy.d/b.yaml", policy("team-too", registry.host + "/**", key_text()))
        time.sleep(3.1)
        want(True not in [one["current"] for one in root.run("cache", "list", "--json").json()], "the rules changed")
        stale = [("warn", "1 verdict was reached by other rules, first " + name)]
        want(policy_verdicts() == stale, "%s" % policy_verdicts())
        verify(second)  # what is pulled meanwhile makes nobody forget the others
        want(policy_verdicts() == stale, "%s" % policy_verdicts())
        root.write("/etc/pullguard/pullguard.yaml", "start-network: true\n")
        want(policy_verdicts()[0][0] == "note", "looked up at the start")
        want_code(root.run("enable", "-y", "nri"), 0)
        want(policy_verdicts()[0][0] == "warn", "not by NRI")
        os.unlink(root.at("/etc/pullguard/pullguard.yaml"))
        time.sleep(3.1)
        result = root.run("cache", "renew")
        want_code(result, 0)
        want_text(result.out, "allowed  %s  %s" % (name, digest), result)
        want(policy_verdicts() == [("ok", "2 verdicts count at a start")], "%s" % policy_verdicts())
        want(True in [one["current"] for one in root.run("cache", "list", "--json").json()], "verified anew")
        want(root.run("cache", "renew", "--json").json() == [], "once is enough")
        root.write("/etc/pullguard/policy.d/b.yaml", policy("nobody", registry.host + "/**", extra="      - static: {action: fail}\n"))
        result = root.run("cache", "renew", "--json")
        want_code(result, 1)
        refused = [(one["reference"], one["digest"], one["allowed"]) for one in result.json()]
        want(sorted(refused) == [(name, digest, False), (second, digest, False)], "%s" % refused)
        want(policy_verdicts()[0][0] == "warn", "still refused at a start")
        root.write("/etc/pullguard/policy.d/b.yaml", "kind: [")
        result = root.run("cache", "renew", "--json")
        want_code(result, 2)  # nothing could be decided
        want(sorted((one["reference"], one["allowed"], one["reason"]) for one in result.json()) ==
             [(name, False, "policy_error"), (second, False, "policy_error")], "%s" % result)
        root.write("/etc/pullguard/policy.d/b.yaml", policy("team-too", registry.host + "/**", key_text()))
        root.write("/etc/pullguard/policy.d/c.yaml", policy("gone", name.rsplit(":", 1)[0] + ":v1",
                                                            extra="      - static: {action: fail}\n"))
        result = root.run("cache", "renew", "--json")
        want_code(result, 1)  # the worst of them counts, whichever comes last
        want(sorted((one["reference"], one["allowed"]) for one in result.json()) == [(name, False), (second, True)], "%s" % result)
        os.unlink(root.at("/etc/pullguard/policy.d/c.yaml"))
        root.write("/etc/pullguard/policy.d/b.yaml", policy("nobody", registry.host + "/**", extra="      - static: {action: fail}\n"))
        want(root.run("cache", "clear", "--stale", "--json").json() == {"removed": 2}, "forgotten")
        want(policy_verdicts() == [("ok", "0 verdicts count at a start")], "%s" % policy_verdicts())


def test_cache_clear_stale_keeps_what_counts():
    digest = "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
    registry = Registry(os.path.join(VECTORS, "registry"))
    with Root() as root:
        root.write("/etc/pullguard/policy.d/a.yaml", policy("team", registry.host + "/**", key_text()))
        time.sleep(3.1)
        subprocess.run([VERIFIER, "--root", root.path, "-name", registry.host + "/demo/legacy:v1", "-digest", digest], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        want(root.run("cache", "clear", "--stale", "--json").json() == {"removed": 0}, "nothing is stale")
        want([one["current"] for one in root.run("cache", "list", "--json").json()] == [True], "still there, and counts")
        root.write("/etc/pullguard/policy.d/b.yaml", "kind: [")
        want_code(root.run("cache", "clear", "--stale"), 2)
        want(len(root.run("cache", "list", "--json").json()) == 1, "rules that do not load make nothing stale")


def test_cache():
    registry = Registry(os.path.join(VECTORS, "registry"))
    with Root() as root:
        want_text(root.run("cache", "list").out, "empty")
        root.write("/etc/pullguard/policy.d/a.yaml", policy("team", registry.host + "/**", key_text()))
        for _ in range(2):
            want_code(root.run("check", "--cached", registry.host + "/demo/legacy:v1"), 0)
        want_code(root.run("cache", "list", "--json"), 0)
        want_code(root.run("cache", "clear"), 0)
        want(root.run("cache", "list", "--json").json() == [], "cleared")


if __name__ == "__main__":
    main(globals())
