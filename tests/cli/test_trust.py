# SPDX-License-Identifier: Apache-2.0
"""trust init, update, import, show against a TUF repository that this test makes (tests/lib/tuf_repository.py)."""
import hashlib
import os
import sys
import time

from harness import SOURCE, VECTORS, Root, main, want, want_code, want_text

sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))
from tuf_repository import KEYS, TARGET, Key, Repository, Server  # noqa: E402 pylint: disable=wrong-import-position

PUBLIC_GOOD = os.path.join(SOURCE, "tests/vectors/sigstore-root-signing")
AUGUST = 1787400000  # 2026-08-22, within the life of the public-good instance's stored timestamp
INSTALLED = "/etc/pullguard/trust/public-good.json"
STATE = "/var/lib/pullguard/tuf/public-good/"


class Node(Root):
    def __init__(self, repository, server):
        super().__init__()
        self.repository = repository
        self.first = self.write("/first-root.json", repository.files["1.root.json"])
        self.init = self.run("trust", "init", "--mirror", server.url, "--initial-root", self.first)

    def installed(self):
        try:
            with open(self.at(INSTALLED), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None


def test_init_update_show():
    repository = Repository()
    with Server(repository) as server, Node(repository, server) as node:
        want_code(node.init, 0)
        want_text(node.init.out, "public-good: root 1, targets 1", node.init)
        want(node.installed() == TARGET, "installed")
        result = node.run("trust", "show")
        want_code(result, 0)
        want_text(result.out, "certificate authority", result)
        want(node.run("trust", "show", "--json").json()[0]["name"] == "public-good", "json")
        want_code(node.run("trust", "update"), 0)
        repository.step()
        repository.target = TARGET + b"\n"
        repository.publish()
        want_code(node.run("trust", "update", "public-good"), 0)
        want(node.installed() == TARGET + b"\n", "new target")


def test_age_is_that_of_the_last_update_that_worked():
    """And a trust root that stays the same is not written again: the engine would read all its rules anew."""
    repository = Repository()
    with Server(repository) as server, Node(repository, server) as node:
        before = os.stat(node.at(INSTALLED))
        long_ago = time.time() - 5 * 86400 - 100
        os.utime(node.at(STATE + "url"), (long_ago, long_ago))
        want_text(node.run("trust", "show").out, "updated 5 days ago")
        repository.step()
        repository.publish(timestamp={"expires": "2020-01-01T00:00:00Z"})
        want_code(node.run("trust", "update"), 2)
        want_text(node.run("trust", "show").out, "updated 5 days ago")
        repository.publish()
        repository.step()
        repository.publish()
        want_code(node.run("trust", "update"), 0)
        want_text(node.run("trust", "show").out, "updated 0 days ago")
        after = os.stat(node.at(INSTALLED))
        want((before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns), "written again")


def test_roots_are_chained_and_keys_rotate():
    repository = Repository()
    with Server(repository) as server, Node(repository, server) as node:
        repository.signers = ["root2"]
        repository.new_root("root", "root2")
        repository.new_root()
        repository.step()
        repository.publish()
        result = node.run("trust", "update")
        want_code(result, 0)
        want_text(result.out, "root 3", result)


def test_delegated_role():
    repository = Repository()
    repository.delegate = True
    repository.publish()
    with Server(repository) as server, Node(repository, server) as node:
        want_code(node.init, 0)
        want(node.installed() == TARGET, "installed")
        want("1.images.json" in server.asked(), server.asked())
        for changes, reason in (({"delegated_by": "stranger"}, "threshold: images.json version 1 is signed by 0"),
                                ({"delegated_by": "targets"}, "threshold"),
                                ({"delegated_version": 2}, "untrusted_chain: images.json is of version 2")):
            repository.step()
            repository.publish(**changes)
            result = node.run("trust", "update")
            want_code(result, 2)
            want_text(result.err, reason, result)
            want(node.installed() == TARGET, "what was installed is gone")


def test_rsa_pss_keys():
    """Every role with an RSA key; go-tuf signs with the longest salt there is, others with one of 32 bytes."""
    kept = dict(KEYS)
    try:
        for salt, good in (("digest", True), ("max", True), ("8", True), ("pkcs1", False)):
            KEYS.update({role: Key(salt) for role in ("root", "timestamp", "snapshot", "targets", "delegated")})
            repository = Repository()
            repository.delegate = True
            repository.publish()
            with Server(repository) as server, Node(repository, server) as node:
                want_code(node.init, 0 if good else 2)
                want(good or "threshold: trusted root: root.json version 1 is signed by 0" in node.init.err, node.init)
                want((node.installed() == TARGET) == good, salt)
    finally:
        KEYS.update(kept)


def test_rsa_pss_role_by_the_wrong_key():
    kept = KEYS["snapshot"]
    KEYS["snapshot"] = Key("digest")
    try:
        test_wrong_signers()
        test_init_update_show()
    finally:
        KEYS["snapshot"] = kept


def attack(change, reason):
    """The repository is good first; then somebody changes it: the update fails and what was installed stays."""
    repository = Repository()
    with Server(repository) as server, Node(repository, server) as node:
        want_code(node.init, 0)
        repository.step()
        repository.publish()
        want_code(node.run("trust", "update"), 0)
        before = node.installed()
        change(repository)
        result = node.run("trust", "update")
        want_code(result, 2)
        want_text(result.err, reason, result)
        want(node.installed() == before, "what was installed is gone")


def test_rollback():
    def change(repository):
        for role in repository.versions:
            repository.versions[role] = 1
        repository.publish()
    attack(change, "untrusted_chain")


def test_freeze():
    def change(repository):
        repository.step()
        repository.publish(timestamp={"expires": "2020-01-01T00:00:00Z"})
    attack(change, "expired")


def test_wrong_signers():
    for role in ("timestamp", "snapshot", "targets"):
        def change(repository, role=role):
            repository.step()
            repository.publish(**{role + "_by": "stranger"})
        attack(change, "threshold")


def test_root_by_strangers():
    def change(repository):
        repository.signers = ["stranger"]
        repository.new_root("stranger")
    attack(change, "threshold")


def test_root_version_skipped():
    def change(repository):
        repository.root_version += 1
        repository.new_root()
        repository.files["2.root.json"] = repository.files["3.root.json"]
    attack(change, "untrusted_chain")


def test_wrong_content():
    def change(repository):
        repository.step()
        repository.target = TARGET.replace(b"{", b"{ ", 1)
        repository.publish(content=TARGET)
    attack(change, "digest_mismatch")


def test_endless_data():
    def change(repository):
        repository.files["timestamp.json"] = b"x" * (64 * 1024 * 1024)
    attack(change, "limit")


def test_slow_retrieval():
    """A byte a second keeps nobody for long: 20 seconds below 64 bytes per second are the end."""
    repository = Repository()
    with Server(repository) as server, Node(repository, server) as node:
        server.server.slow = True
        repository.step()
        repository.new_root()
        repository.publish()
        begun = time.monotonic()
        result = node.run("trust", "update")
        want_code(result, 2)
        want_text(result.err, "timeout", result)
        want(15 < time.monotonic() - begun < 35, "%d seconds" % (time.monotonic() - begun), result)
        want(node.installed() == TARGET, "what was installed is gone")


def test_missing_files():
    for name in ("timestamp.json", "2.snapshot.json", "2.targets.json"):
        def change(repository, name=name):
            repository.versions["timestamp"] += 1
            repository.publish()
            repository.files.pop("timestamp.json" if name == "timestamp.json" else name, None)
        repository = Repository()
        with Server(repository) as server, Node(repository, server) as node:
            repository.step()
            repository.publish()
            repository.files.pop(name)
            result = node.run("trust", "update")
            want_code(result, 2)
            want(node.installed() == TARGET, name)


def test_a_trust_root_that_is_none():
    def change(repository):
        repository.step()
        repository.target = b'{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":7}'
        repository.publish()
    attack(change, "trusted_root.json")


def at(seconds):
    """The environment in which the clock stands still."""
    return {"LD_PRELOAD": os.environ["PG_CLOCK"], "PG_FIXED_CLOCK": str(seconds)}


class PublicGood(Repository):
    """The real roots and timestamp; snapshot and targets are not stored here, so an update ends there."""

    def __init__(self):
        self.files = {}
        for name in os.listdir(PUBLIC_GOOD):
            with open(os.path.join(PUBLIC_GOOD, name), "rb") as file:
                self.files[name] = file.read()
        with open(os.path.join(SOURCE, "plugin/cli/trust/public-good.root.json"), "rb") as file:
            self.files["15.root.json"] = file.read()


def test_public_good_without_arguments():
    repository = PublicGood()
    with Server(repository) as server, Root() as root:
        result = root.run("trust", "init", "--mirror", server.url, env=at(AUGUST))
        want_code(result, 2)
        want_text(result.err, "not_found: the repository has no 165.snapshot.json", result)
        want(server.asked() == ["16.root.json", "timestamp.json", "165.snapshot.json"], server.asked())
        want(root.tree() == {}, "a first update that fails leaves nothing")


def test_init_that_fails_leaves_an_earlier_one():
    repository = Repository()
    with Server(repository) as server, Node(repository, server) as node:
        before = node.tree()
        with Server(PublicGood()) as other:
            want_code(node.run("trust", "init", "--mirror", other.url, "--initial-root", node.first), 2)
        want_code(node.run("trust", "init", "--mirror", "http://127.0.0.1:1/", "--initial-root", node.first), 2)
        want(node.tree() == before, "changed")
        want_code(node.run("trust", "update"), 0)


def in_state(root, timestamp=True):
    """What an update from the public-good instance leaves, without its snapshot and targets."""
    root.copy(PUBLIC_GOOD + "/trusted_root.json", INSTALLED)
    root.write(STATE + "url", "https://tuf-repo-cdn.sigstore.dev")
    root.copy(os.path.join(SOURCE, "plugin/cli/trust/public-good.root.json"), STATE + "root.json")
    if timestamp:
        root.copy(PUBLIC_GOOD + "/timestamp.json", STATE + "timestamp.json")
    return root


def test_show_says_until_when():
    with in_state(Root()) as root:
        os.utime(root.at(STATE + "url"), (AUGUST - 3 * 86400, AUGUST - 3 * 86400))
        result = root.run("trust", "show", env=at(AUGUST))
        want_code(result, 0)
        for line in ("public-good, updated 3 days ago", "repository             https://tuf-repo-cdn.sigstore.dev",
                     "its root               version 15, until 2026-11-20T13:58:18Z",
                     "its timestamp          version 762, until 2026-08-28T19:25:56Z",
                     "certificate authority  https://fulcio.sigstore.dev", "timestamp authority    https://timestamp.sigstore.dev"):
            want_text(result.out, line, result)
        shown = root.run("trust", "show", "--json", env=at(AUGUST)).json()[0]
        want(shown["age_days"] == 3 and shown["repository"] == "https://tuf-repo-cdn.sigstore.dev", shown)
        want(shown["root"] == {"version": 15, "expires": "2026-11-20T13:58:18Z", "expired": False}, shown)
        want(shown["timestamp"] == {"version": 762, "expires": "2026-08-28T19:25:56Z", "expired": False}, shown)
        want((shown["certificate_authorities"], shown["logs"], shown["certificate_logs"], shown["timestamp_authorities"])
             == (2, 2, 2, 1), shown)
        result = root.run("trust", "show", env=at(1787945156))
        want_text(result.out, "its timestamp          version 762, expired at 2026-08-28T19:25:56Z", result)
        want(root.run("trust", "show", "--json", env=at(1787945156)).json()[0]["timestamp"]["expired"] is True, "expired")
        want_code(root.run("trust", "import", "--name", "own", os.path.join(VECTORS, "keys/mock_trusted_root.json")), 0)
        shown = root.run("trust", "show", "--json", "own").json()[0]
        want(shown["repository"] is None and shown["root"] is None and shown["timestamp"] is None, shown)
        want_text(root.run("trust", "show", "own").out, "own, imported 0 days ago")
        want_text(root.run("trust", "show", "own", env=at(AUGUST)).out, "own, imported 0 days ago")  # a clock set back
    with in_state(Root(), timestamp=False) as root:
        want_text(root.run("trust", "show").out, "its timestamp          none")
        root.write(STATE + "root.json", "{}")
        want_code(root.run("trust", "show"), 2)


def test_doctor_warns_before_the_end():
    day, timestamp, root_end = 86400, 1787945156, 1795183098
    for now, age, timed, checks in (
            (AUGUST, 0, True, {"trust.age": "ok", "trust.expiry": "ok"}),
            (AUGUST, 7, True, {"trust.age": "ok", "trust.expiry": "ok"}),
            (AUGUST, 8, True, {"trust.age": "warn: last updated 8 days ago", "trust.expiry": "ok"}),
            (timestamp - day - 1, 0, True, {"trust.expiry": "ok"}),
            (timestamp - day, 0, True, {"trust.expiry": "warn: timestamp.json expires at 2026-08-28T19:25:56Z"}),
            (timestamp, 0, True, {"trust.expiry": "warn: timestamp.json expired at"}),
            (AUGUST, 0, False, {"trust.expiry": "warn: no timestamp.json"}),
            (root_end - 14 * day - 1, 0, True, {"trust.expiry": "warn: timestamp.json"}),
            (root_end - 14 * day, 0, True, {"trust.expiry": "warn: root.json expires at 2026-11-20T13:58:18Z"}),
            (root_end, 0, True, {"trust.expiry": "warn: root.json expired at"})):
        with in_state(Root(), timed) as root:
            os.utime(root.at(STATE + "url"), (now - age * day, now - age * day))
            found = {one["id"]: one for one in root.run("doctor", "--json", "--only", "trust", env=at(now)).json()["checks"]}
            for name, wanted in checks.items():
                level, _, text = wanted.partition(": ")
                want(found[name]["level"] == level and text in found[name]["what"], "%s: %s" % (wanted, found[name]))
    for age, level in ((180, "ok"), (181, "warn"), (0, "ok")):
        with Root() as root:
            want_code(root.run("trust", "import", PUBLIC_GOOD + "/trusted_root.json"), 0)
            os.utime(root.at(INSTALLED), (AUGUST - age * day, AUGUST - age * day))
            found = {one["id"]: one for one in root.run("doctor", "--json", "--only", "trust", env=at(AUGUST)).json()["checks"]}
            want(found["trust.age"]["level"] == level and "imported %d days ago" % age in found["trust.age"]["what"], found)
            want_code(root.run("trust", "import", PUBLIC_GOOD + "/trusted_root.json", env=at(AUGUST)), 0)
            want_text(root.run("trust", "show").out, "imported 0 days ago")  # the same file again says that it is of today
            want("trust.expiry" not in found, found)
    with in_state(Root()) as root:
        root.write(STATE + "root.json", "{}")
        found = {one["id"]: one for one in root.run("doctor", "--json", "--only", "trust").json()["checks"]}
        want(found["trust.expiry"]["level"] == "warn" and "malformed" in found["trust.expiry"]["what"], found)


def test_import_is_the_last_word():
    repository = Repository()
    with Server(repository) as server, Node(repository, server) as node:
        result = node.run("trust", "import", PUBLIC_GOOD + "/trusted_root.json")
        want_code(result, 0)
        want_text(result.err, "no longer updated", result)
        want(not os.path.exists(node.at(STATE)), "state")
        want_code(node.run("trust", "update"), 1)
        with open(PUBLIC_GOOD + "/trusted_root.json", "rb") as file:
            want(node.installed() == file.read(), "imported")
        want("no longer" not in node.run("trust", "import", PUBLIC_GOOD + "/trusted_root.json").err, "said twice")
        want_code(node.run("trust", "import", node.write("/bad", "{}")), 2)


def test_json_of_updates():
    repository = Repository()
    with Server(repository) as server, Root() as root:
        first = root.write("/first", repository.files["1.root.json"])
        for command in (("init", "--mirror", server.url, "--initial-root", first), ("update",)):
            result = root.run("--json", "trust", *command)
            want(result.json() == [{"name": "public-good", "root": 1, "targets": 1, "fresh_until": "2036-01-01T00:00:00Z"}], result)


def test_public_good_from_the_first_root():
    with Server(PublicGood()) as server, Root() as root:
        result = root.run("trust", "init", "--mirror", server.url, "--initial-root", PUBLIC_GOOD + "/1.root.json",
                          env=at(AUGUST))
        want_text(result.err, "165.snapshot.json", result)
        want(server.asked()[:15] == ["%d.root.json" % number for number in range(2, 17)], server.asked())


def test_public_good_expires():
    """Root 15 and the timestamp at the last second and at the next one; nothing on the command line makes up for it."""
    for seconds, reason in ((1787945155, "not_found"), (1787945156, "expired: timestamp.json version 762"),
                            (1795183097, "expired: timestamp.json"), (1795183098, "expired: root.json version 15")):
        with Server(PublicGood()) as server, Root() as root:
            result = root.run("trust", "init", "--mirror", server.url, env=at(seconds))
            want_code(result, 2)
            want_text(result.err, reason, result)
            want(not os.path.exists(root.at(INSTALLED)), "installed")


def test_public_good_signatures_verify():
    """What the repository's trust root is for: signatures that the public-good instance has really made."""
    folder = os.path.join(SOURCE, "tests/vectors/sigstore-conformance")
    identity = ("https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/"
                "extremely-dangerous-oidc-beacon.yml@refs/heads/main")
    issuer = "https://token.actions.githubusercontent.com"

    def verify(root, name, identity=identity, issuer=issuer, artifact=folder + "/a.txt"):
        return root.run("verify-bundle", "--bundle", "%s/%s.json" % (folder, name), "--certificate-identity", identity,
                        "--certificate-oidc-issuer", issuer, artifact)
    with Root() as root:
        want_code(verify(root, "happy-path-v0.3"), 2)  # no trust root yet
        want_code(root.run("trust", "import", PUBLIC_GOOD + "/trusted_root.json"), 0)
        for name in ("happy-path-v0.1", "happy-path-v0.3", "happy-path-intoto-in-dsse-v3"):
            want_code(verify(root, name), 0)
            want_code(verify(root, name, identity=identity + "x"), 1)
            want_code(verify(root, name, issuer=issuer + "/"), 1)
            want_code(verify(root, name, artifact=root.write("/other", "another file\n")), 1)
        want_code(root.run("trust", "import", os.path.join(VECTORS, "keys/mock_trusted_root.json")), 0)
        want_code(verify(root, "happy-path-v0.3"), 1)  # another instance's root


def test_another_repository_needs_its_own_root():
    with Server(Repository()) as server, Root() as root:
        result = root.run("trust", "init", "--mirror", server.url, env=at(AUGUST))
        want_code(result, 2)
        want_text(result.err, "threshold: timestamp.json", result)
        want_text(result.err, "without --initial-root", result)
        digest = hashlib.sha256(PublicGood().files["15.root.json"]).hexdigest()
        want_text(root.run("trust", "init", "--mirror", server.url, "--root-checksum", digest, env=at(AUGUST)).err, "threshold")
        result = root.run("trust", "init", "--mirror", server.url, "--root-checksum", "0" * 64, env=at(AUGUST))
        want_text(result.err, "digest_mismatch: the root that pullguard brings has the digest sha256:" + digest, result)


def test_initial_root_must_be_vouched_for():
    repository = Repository()
    with Server(repository) as server, Root() as root:
        path = root.write("/r.json", repository.files["1.root.json"])
        good = hashlib.sha256(repository.files["1.root.json"]).hexdigest()
        base = ["trust", "init", "--mirror", server.url, "--initial-root", path, "--root-checksum"]
        want_text(root.run(*base, "0" * 64).err, "digest_mismatch")
        want_code(root.run(*base, "zz"), 2)
        want_code(root.run(*base, good), 0)
        other = Repository()
        other.files["1.root.json"] = other.files["1.root.json"].replace(b'"version": 1', b'"version": 7', 1)
        want_code(root.run("trust", "init", "--mirror", server.url, "--initial-root",
                           root.write("/forged.json", other.files["1.root.json"])), 2)


def test_addresses():
    with Root() as root:
        path = root.write("/r.json", "{}")
        for url in ("http://example.com/", "ftp://127.0.0.1/", "https://", "https://a/?b", "x"):
            result = root.run("trust", "init", "--mirror", url, "--initial-root", path)
            want_code(result, 2)
            want_text(result.err, "https://HOST/PATH", result)
        result = root.run("trust", "init", "--mirror", "http://127.0.0.1:1/", "--initial-root", path)
        want_code(result, 2)


def test_names():
    with Root() as root:
        for name in ("../x", "", ".x", "a/b", "x" * 80):
            want_code(root.run("trust", "import", "--name", name, os.path.join(VECTORS, "keys/mock_trusted_root.json")), 2)
        want_code(root.run("trust", "import", "--name", "company-1", os.path.join(VECTORS, "keys/mock_trusted_root.json")), 0)
        want(os.path.exists(root.at("/etc/pullguard/trust/company-1.json")), "file")


def test_import_checks_the_file():
    with Root() as root:
        for text in ("", "{}", "[", "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"):
            want_code(root.run("trust", "import", root.write("/t.json", text)), 2)
        want(not os.path.exists(root.at(INSTALLED)), "installed")
        result = root.run("trust", "import", "--name", "own", os.path.join(VECTORS, "keys/byo-pki/root.pem"))
        want_code(result, 0)
        result = root.run("trust", "show", "own", "absent")
        want_code(result, 2)
        want_text(result.err, "absent", result)


def test_nothing_to_update():
    with Root() as root:
        want_code(root.run("trust", "update"), 1)
        want_code(root.run("trust", "update", "absent"), 2)
        want_text(root.run("trust", "show").out, "No trust root")


def test_stored_state_that_others_could_write():
    repository = Repository()
    with Server(repository) as server, Node(repository, server) as node:
        os.chmod(node.at(STATE + "root.json"), 0o666)
        result = node.run("trust", "update")
        want_code(result, 2)
        want_text(result.err, "untrusted_file", result)


if __name__ == "__main__":
    main(globals())
