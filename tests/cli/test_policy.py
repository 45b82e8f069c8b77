# SPDX-License-Identifier: Apache-2.0
"""policy lint and policy explain; the examples that are packaged."""
import base64
import datetime
import hashlib
import os

from harness import SOURCE, VECTORS, Root, key_text, main, policy, run, want, want_code, want_text

def key_fingerprint(name="cosign.pub"):
    der = base64.b64decode("".join(line for line in key_text(name).split("\n") if not line.startswith("-")))
    return hashlib.sha256(der).hexdigest()


EXAMPLES = os.path.join(SOURCE, "packaging/examples")


def test_examples_are_clean():
    result = run("policy", "lint", "--strict", "--keys", EXAMPLES + "/keys", EXAMPLES + "/policy.d")
    want_code(result, 0)
    want_text(result.out, "4 files, 4 policies, 0 errors, 0 warnings", result)


def test_example_settings_load():
    with Root() as root:
        os.makedirs(root.at("/etc/pullguard/policy.d"))
        root.copy(EXAMPLES + "/pullguard.yaml", "/etc/pullguard/pullguard.yaml")
        checks = {one["id"]: one for one in root.run("doctor", "--json", "--only", "policy").json()["checks"]}
        want(checks["policy.no-match"]["level"] == "ok", "%s" % checks)


def test_errors_name_the_place():
    with Root() as root:
        path = root.write("/p.yaml", policy("x", "a/**", key_text()).replace("authorities:", "authoritees:"))
        result = run("policy", "lint", path)
        want_code(result, 1)
        want_text(result.out, "error: %s:" % path, result)
        want_text(result.out, "authorities", result)
        answer = run("policy", "lint", "--json", path)
        want_code(answer, 1)
        want(answer.json()["errors"][0]["file"] == path and answer.json()["policies"] == 0, "json", answer)


def test_explain_shows_when_keys_count():
    def day(days):
        return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    extra = ("    - key: {path: cosign.pub}\n      pullguard: {keys: [{name: old, path: rsa2048.pub, notAfter: \"%s\"}, "
             "{name: next, path: ed25519.pub, notBefore: \"%s\"}, {name: now, path: secp384r1.pub, notBefore: \"%s\", "
             "notAfter: \"%s\"}]}\n" % (day(-1), day(2), day(-3), day(5)))
    with Root() as root:
        path = root.write("/p.yaml", policy("x", "r.io/**", None, extra))
        flags = ["policy", "explain", "--policy", path, "--keys", os.path.join(VECTORS, "keys"), "r.io/app:v1"]
        result = run(*flags)
        want_code(result, 0)
        lines = [line for line in result.out.split("\n") if "        key " in line]
        for line, words in zip(lines, ((), ('"old"', "until " + day(-1)[:10], "ENDED"),
                                       ('"next"', "from " + day(2)[:10], "NOT YET VALID"),
                                       ('"now"', "from", "until", "ENDS SOON"))):
            want(all(word in line for word in words), line, result)
            want(words or line.endswith(key_fingerprint()), "a key without dates: " + line, result)
        authority = run(*flags, "--json").json()[0]["authorities"][0]
        want([one["name"] for one in authority["validity"]] == ["old", "next", "now"] and len(authority["keys"]) == 4 and
             authority["validity"][2]["notAfter"][:10] == day(5)[:10] and "notBefore" not in authority["validity"][0],
             "%s" % authority)


def test_every_broken_file_is_reported():
    with Root() as root:
        root.write("/p/a.yaml", "x: [")
        root.write("/p/b.json", '{"a":1,"a":2}')
        root.write("/p/c.yaml", policy("good", "a/**", key_text()))
        result = run("policy", "lint", root.at("/p"))
        want_code(result, 1)
        want_text(result.out, "a.yaml", result)
        want_text(result.out, "b.json", result)
        want_text(result.out, "3 files, 1 policy, 2 errors", result)


def test_unindented_key_is_explained():
    with Root() as root:
        text = policy("x", "a/**", key_text()).replace("            ", "", 3)
        path = root.write("/p.yaml", text)
        result = run("policy", "lint", path)
        want_code(result, 1)
        want_text(result.out, "indented", result)


def test_name_used_twice():
    with Root() as root:
        root.write("/p/a.yaml", policy("same", "a.example.com/**", key_text()))
        root.write("/p/b.yaml", policy("same", "b.example.com/**", key_text()))
        want_code(run("policy", "lint", root.at("/p")), 1)


def test_key_names_are_names():
    with Root() as root:
        root.write("/etc/pullguard/keys/k.pub", key_text())
        for name, code in (("k.pub", 0), ("../keys/k.pub", 1), ("/etc/passwd", 1), ("absent.pub", 1)):
            root.write("/etc/pullguard/policy.d/a.yaml", policy(
                "x", "a.example.com/**", None, "      - key:\n          path: %s\n" % name))
            result = root.run("policy", "lint")
            want_code(result, code)


def test_keys_of_other_kinds_are_named():
    der = base64.b64decode("".join(key_text().strip().split("\n")[1:-1]))
    with Root() as root:
        root.write("/etc/pullguard/policy.d/a.yaml", policy("x", "a.example.com/**", None,
                                                             "      - key:\n          path: k.pub\n"))
        for content, words in ((der, "in DER; wanted PEM (openssl pkey -pubin -inform DER"),
                               ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", "a PGP key"),
                               ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "a PRIVATE key"),
                               ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "openssl x509 -pubkey"),
                               ("ssh-ed25519 AAAA me\n", "ssh-keygen -e -m PKCS8"), ("", "is empty")):
            root.write("/etc/pullguard/keys/k.pub", content)
            result = root.run("policy", "lint")
            want_code(result, 1)
            want_text(result.out, "a.yaml:10:17: spec.authorities[0].key.path: ", result)
            want_text(result.out, words, result)


def test_nothing_to_check():
    with Root() as root:
        result = root.run("policy", "lint")
        want_code(result, 2)
        os.makedirs(root.at("/empty"))
        want_code(run("policy", "lint", root.at("/empty")), 2)
        want_code(run("policy", "lint", root.at("/missing.yaml")), 1)


def test_the_nodes_own_files():
    """What denies every pull is an error here: owners, modes and settings, and what a wrong name hides is told."""
    with Root() as root:
        result = root.run("policy", "lint")
        want_code(result, 2)
        want_text(result.err, "install -d", result)
        path = root.write("/etc/pullguard/policy.d/a.yaml", policy("team", "registry.example.com/team/**", key_text()))
        want_code(root.run("policy", "lint"), 0)
        os.chmod(path, 0o666)
        result = root.run("policy", "lint")
        want_code(result, 1)
        want_text(result.out, "writable by group or others", result)
        want_code(run("policy", "lint", path), 0)
        os.chmod(path, 0o644)
        root.write("/etc/pullguard/pullguard.yaml", "no-mach: allow\n")
        result = root.run("policy", "lint")
        want_code(result, 1)
        want_text(result.out, "pullguard.yaml:1:10", result)
        want_code(run("policy", "lint", path), 0)
        os.unlink(root.at("/etc/pullguard/pullguard.yaml"))
        root.write("/etc/pullguard/policy.d/b.ymal", "x")
        result = root.run("policy", "lint", "--strict")
        want_code(result, 0)
        want_text(result.out, "b.ymal is not read", result)
        want(root.run("policy", "lint", "--json").json()["unread"][0].endswith("/b.ymal"), "json", result)


def test_explain():
    with Root() as root:
        root.write("/etc/pullguard/policy.d/a.yaml", policy("team", "registry.example.com/team/**", key_text()))
        result = root.run("policy", "explain", "registry.example.com/team/app:1")
        want_code(result, 0)
        want_text(result.out, "applies  team", result)
        want_text(result.out, "by glob registry.example.com/team/**", result)
        want_text(result.out, "key 26a3e1ca0712", result)
        result = root.run("policy", "explain", "alpine")
        want_code(result, 1)
        want_text(result.out, "index.docker.io/library/alpine:latest", result)
        want_text(result.out, "No policy applies", result)
        answer = root.run("policy", "explain", "--json", "registry.example.com/team/app:1")
        want(answer.json()[0]["matches"] is True, "json", answer)


def test_explain_tag_globs_and_digests():
    with Root() as root:
        root.write("/p.yaml", policy("rel", "registry.example.com/app:v*", key_text()))
        digest = "sha256:" + "0" * 64
        for reference, arguments, code in (("registry.example.com/app:v1", [], 0), ("registry.example.com/app:x", [], 1),
                                           ("registry.example.com/app@" + digest, [], 1),
                                           ("registry.example.com/app:v1", ["--digest", digest], 0),
                                           ("registry.example.com/app:v1", ["--digest", "sha256:0"], 2)):
            want_code(run("policy", "explain", "--policy", root.at("/p.yaml"), *arguments, reference), code)


def test_convert_there_and_back():
    with Root() as root:
        path = root.write("/p/a.yaml", policy("team", "registry.example.com/team/**", key_text(), "        signatureFormat: legacy\n"))
        result = run("policy", "convert", path)
        want_code(result, 0)
        made = result.json()
        want(made["default"] == [{"type": "reject"}] and "registry.example.com/team" in made["transports"]["docker"], "json", result)
        back = run("policy", "convert", root.write("/q/policy.json", result.out))
        want_code(back, 0)
        want_text(back.out, "kind: ClusterImagePolicy", back)
        want_code(run("policy", "lint", root.write("/r/a.yaml", back.out)), 0)


def test_convert_refuses_what_does_not_map():
    with Root() as root:
        for glob, extra in (("registry.example.com/team/**", "        annotations: {a: b}\n"), ("*.example.com/**", "")):
            path = root.write("/p/a.yaml", policy("team", glob, key_text(), extra))
            result = run("policy", "convert", path)
            want_code(result, 1)
            want_text(result.err, "a.yaml", result)
        want_code(run("policy", "convert", root.write("/x.yaml", "x: [")), 2)


if __name__ == "__main__":
    main(globals())
