# SPDX-License-Identifier: Apache-2.0
"""verify and check against stored registries: what cosign stored, real engine, real sandbox, loopback only."""
import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
import time

from harness import VECTORS, Root, key_text, main, policy, run, want, want_code, want_text
from registry import Registry

REGISTRY = Registry(os.path.join(VECTORS, "registry"))
HOST = REGISTRY.host
KEY = os.path.join(VECTORS, "keys/cosign.pub")
OTHER = os.path.join(VECTORS, "keys/rsa2048.pub")
IMAGE = "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"


def verify(*arguments, **options):
    with Root() as root:
        return root.run("verify", *arguments, **options)


def test_legacy_signature_prints_the_signed_payload():
    result = verify("--key", KEY, "--insecure-ignore-tlog", HOST + "/demo/legacy:v1")
    want_code(result, 0)
    want(result.out.startswith("\n["), "an empty line and an array", result)
    payloads = result.json()
    want(len(payloads) == 1, "one payload", result)
    want(payloads[0]["critical"] == {
        "identity": {"docker-reference": "127.0.0.1:5001/demo/legacy"}, "image": {"docker-manifest-digest": IMAGE},
        "type": "cosign container image signature"}, "critical", result)
    want(payloads[0]["optional"] == {"build": "42", "team": "infra"}, "optional", result)
    want_text(result.err, "Verification for %s/demo/legacy:v1 --" % HOST)
    want_text(result.err, "The signatures were verified against the specified public key")


def test_header_claims_only_what_was_checked():
    result = verify("--key", KEY, "--insecure-ignore-tlog", HOST + "/demo/legacy:v1")
    want("transparency log was verified" not in result.err, "the log was not looked at", result)
    want("annotations were verified" not in result.err, "no annotation was asked for", result)
    want_text(result.err, "NOT checked: the transparency log")
    result = verify("--key", KEY, "--insecure-ignore-tlog", "-a", "team=infra", HOST + "/demo/legacy:v1")
    want_text(result.err, "The specified annotations were verified.")


def test_bundles_in_cosigns_shape():
    result = verify("--key", KEY, "--insecure-ignore-tlog", HOST + "/demo/bundle:v1")
    want_code(result, 0)
    payloads = result.json()
    want(len(payloads) == 2, "two signatures", result)
    want({json.dumps(one["optional"], sort_keys=True) for one in payloads} ==
         {'{"build": "42", "team": "infra"}', '{"second": "yes"}'}, "annotations", result)
    want(payloads[0]["critical"]["type"] == "https://sigstore.dev/cosign/sign/v1", "type", result)
    want(payloads[0]["critical"]["image"]["docker-manifest-digest"] == IMAGE, "digest", result)


def test_annotations():
    reference = HOST + "/demo/legacy:v1"
    base = ["--key", KEY, "--insecure-ignore-tlog"]
    want_code(verify(*base, "-a", "team=infra", "-a", "build=42", reference), 0)
    want_code(verify(*base, "--annotations=team=infra,build=42", reference), 0)
    for wrong in (["-a", "team=sales"], ["-a", "nobody=x"], ["-a", "team=infra", "-a", "build=43"], ["-a", "team="]):
        result = verify(*base, *wrong, reference)
        want_code(result, 1)
        want_text(result.err, "annotation_mismatch", result)
        want(result.out == "", "no payload", result)
    result = verify(*base, "-a", "team", reference)
    want_code(result, 2)
    want_text(result.err, "KEY=VALUE is wanted")
    # Two values for one key can never hold.
    want(verify(*base, "-a", "team=infra", "-a", "team=sales", reference).code != 0, "contradiction")


def test_keys():
    reference = HOST + "/demo/legacy:v1"
    result = verify("--key", OTHER, "--insecure-ignore-tlog", reference)
    want_code(result, 1)
    want_text(result.err, "wrong_key")
    want_code(verify("--key", OTHER, "--key", KEY, "--insecure-ignore-tlog", reference), 0)
    want_code(verify("--key", "-", "--insecure-ignore-tlog", reference, stdin=key_text().encode()), 0)
    result = verify("--key", "/nonexistent.pub", "--insecure-ignore-tlog", reference)
    want_code(result, 2)
    want_text(result.err, "/nonexistent.pub")
    result = verify("--key", "-", "--insecure-ignore-tlog", reference, stdin=b"nonsense")
    want_code(result, 2)
    result = verify("--key", "awskms:///alias/x", "--insecure-ignore-tlog", reference)
    want_code(result, 2)
    want_text(result.err, "cosign public-key")


def test_unsigned_and_missing():
    result = verify("--key", KEY, "--insecure-ignore-tlog", HOST + "/demo/nosig:v1")
    want_code(result, 1)
    want_text(result.err, "no_signature")
    result = verify("--key", KEY, "--insecure-ignore-tlog", HOST + "/demo/nothing:v1")
    want_code(result, 2)
    want_text(result.err, "not_found")
    result = verify("--key", KEY, "--insecure-ignore-tlog", "not a reference")
    want_code(result, 2)


def test_several_images_need_all():
    good, bad = HOST + "/demo/legacy:v1", HOST + "/demo/nosig:v1"
    result = verify("--key", KEY, "--insecure-ignore-tlog", good, HOST + "/demo/bundle:v1")
    want_code(result, 0)
    want(result.out.count("\n[") == 2, "two arrays", result)
    want_code(verify("--key", KEY, "--insecure-ignore-tlog", good, bad), 1)
    want_code(verify("--key", KEY, "--insecure-ignore-tlog", bad, good), 1)


def test_verify_may_take_longer_than_a_pull():
    """deadline-ms bounds pulls; who asks with a key of his own waits as long as he says."""
    registry = Registry(os.path.join(VECTORS, "registry"))
    reference = registry.host + "/demo/legacy:v1"
    with Root() as root:
        root.write("/etc/pullguard/pullguard.yaml", "deadline-ms: 600\ncache: {enabled: false}\n")
        root.write("/etc/pullguard/policy.d/a.yaml", policy("all", registry.host + "/**", key_text()))
        registry.server.delay = 0.5
        result = root.run("verify", "--timeout", "30s", "--key", KEY, "--insecure-ignore-tlog", reference)
        want_code(result, 0)
        result = root.run("verify", "--timeout", "1s", "--key", KEY, "--insecure-ignore-tlog", reference)
        want(result.code != 0 and "time" in result.err, "its own time is kept", result)
        result = root.run("check", "--timeout", "30s", reference + "@" + IMAGE)
        want(result.code != 0 and "time" in result.out + result.err, "a pull's question is not lengthened", result)
        registry.server.delay = 0
        want_code(root.run("check", "--timeout", "30s", reference + "@" + IMAGE), 0)
    registry.close()


def test_held_verdicts_in_an_outage():
    """on-fetch-failure: cached: also after the cache's life, but never beyond what the clock itself ends (notAfter)."""
    registry = Registry(os.path.join(VECTORS, "registry"))
    reference = registry.host + "/demo/legacy:v1@" + IMAGE
    end = int(time.time()) + 15
    dated = "    - key: {path: cosign.pub}\n      pullguard: {notAfter: \"%s\"}\n" % time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
    with Root() as root:
        root.write("/etc/pullguard/pullguard.yaml", "cache: {enabled: true, life: 1s}\non-fetch-failure: cached\n")
        root.write("/etc/pullguard/keys/cosign.pub", key_text())
        root.write("/etc/pullguard/policy.d/a.yaml", policy("all", registry.host + "/**", None, dated))
        time.sleep(3.1)  # what rests on files of the last seconds is not kept
        want_code(root.run("check", "--cached", reference), 0)
        registry.close()
        time.sleep(1.2)
        result = root.run("check", "--cached", reference)
        want(time.time() < end, "this machine is too slow for this test: %s" % result)
        want_code(result, 0)
        want_text(result.out + result.err, "verified on", result)
        time.sleep(max(0, end + 1.1 - time.time()))
        result = root.run("check", "--cached", reference)
        want_code(result, 2)
        want("verified on" not in result.out + result.err, "the key has ended", result)


def test_text_output():
    result = verify("--key", KEY, "--insecure-ignore-tlog", "-o", "text", HOST + "/demo/bundle:v1")
    want_code(result, 0)
    lines = result.out.strip().split("\n")
    want(len(lines) == 2 and all(json.loads(line)["critical"] for line in lines), "one payload per line", result)
    want_code(verify("--key", KEY, "-o", "yaml", HOST + "/demo/bundle:v1"), 2)


def test_without_a_log_entry_the_log_is_demanded():
    result = verify("--key", KEY, HOST + "/demo/legacy:v1")
    want_code(result, 2)
    want_text(result.err, "--insecure-ignore-tlog")


ROOT = os.path.join(VECTORS, "keys/mock_trusted_root.json")
IDENTITY = "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
KEYLESS = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER, "--trusted-root", ROOT]


def test_key_with_a_log_entry():
    for name in ("key-bundle-r1", "key-bundle-r2", "key-legacy-r1"):
        result = verify("--key", KEY, "--trusted-root", ROOT, HOST + "/demo/%s:v1" % name)
        want_code(result, 0)
        want_text(result.err, "transparency log was verified offline", result)
    result = verify("--key", KEY, "--trusted-root", ROOT, HOST + "/demo/legacy:v1")
    want_code(result, 1)
    want_text(result.err, "no_log_entry", result)
    want_code(verify("--key", KEY, "--trusted-root", ROOT, "--use-signed-timestamps", HOST + "/demo/key-bundle-r2:v1"), 0)
    result = verify("--key", KEY, "--trusted-root", ROOT, "--use-signed-timestamps", HOST + "/demo/key-bundle-r1:v1")
    want_code(result, 1)
    want_text(result.err, "no_timestamp", result)


def test_an_authority_of_ones_own_for_timestamps():
    """--timestamp-certificate-chain demands a timestamp of that authority, in place of those of the trust root."""
    key = ["--key", KEY, "--insecure-ignore-tlog"]
    with open(ROOT, encoding="utf-8") as file:
        trusted = json.load(file)
    chain = trusted["timestampAuthorities"][0]["certChain"]["certificates"]
    with tempfile.TemporaryDirectory() as directory:
        own, bare = os.path.join(directory, "tsa.pem"), os.path.join(directory, "root.json")
        with open(own, "w", encoding="ascii") as file:
            for one in chain:
                file.write("-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % one["rawBytes"])
        with open(bare, "w", encoding="utf-8") as file:
            json.dump({**trusted, "timestampAuthorities": []}, file)
        stranger = os.path.join(VECTORS, "keys/byo-pki/chain.pem")
        for flags, name, code, text in (
                (key, "key-bundle-r2", 0, "The signed timestamps were verified"),
                (key, "key-bundle-r1", 1, "no_timestamp"),
                (["--key", KEY, "--trusted-root", ROOT], "key-bundle-r2", 0, "transparency log was verified offline"),
                (KEYLESS[:-1] + [bare], "kl-bundle-r2", 0, "The signed timestamps were verified"),
                (KEYLESS, "kl-legacy", 1, "no_timestamp")):
            result = verify(*flags, "--timestamp-certificate-chain", own, HOST + "/demo/%s:v1" % name)
            want_code(result, code)
            want_text(result.err, text, result)
        result = verify(*KEYLESS[:-1], bare, "--use-signed-timestamps", HOST + "/demo/kl-bundle-r2:v1")
        want_code(result, 1)
        for flags in (key, ["--key", KEY, "--trusted-root", ROOT], KEYLESS):
            name = "kl-bundle-r2" if flags is KEYLESS else "key-bundle-r2"
            result = verify(*flags, "--timestamp-certificate-chain", stranger, HOST + "/demo/%s:v1" % name)
            want_code(result, 1)
            want_text(result.err, "no_timestamp" if flags is not KEYLESS else "untrusted_chain", result)
        for flags, text in ((["--timestamp-certificate-chain", KEY], "BEGIN CERTIFICATE"),
                            (["--timestamp-certificate-chain", own + "x"], own + "x")):
            result = verify(*key, *flags, HOST + "/demo/key-bundle-r2:v1")
            want_code(result, 2)
            want_text(result.err, text, result)


def test_keyless():
    for name in ("kl-legacy", "kl-legacy-tsa", "kl-bundle-r1", "kl-bundle-r2"):
        result = verify(*KEYLESS, HOST + "/demo/%s:v1" % name)
        want_code(result, 0)
        optional = result.json()[0]["optional"]
        want(optional["Subject"] == IDENTITY and optional["Issuer"] == ISSUER and optional["team"] == "infra" and
             optional["githubWorkflowRepository"] == "example/app", "optional", result)
        want_text(result.err, "The code-signing certificate was verified", result)
    # The legacy layout's log entry, as the annotation has it and cosign prints it; bundles have none of that shape.
    for name in ("kl-legacy", "kl-legacy-tsa", "key-legacy-r1"):
        flags = ["--key", KEY, "--trusted-root", ROOT] if name.startswith("key") else KEYLESS
        bundle = verify(*flags, HOST + "/demo/%s:v1" % name).json()[0]["optional"]["Bundle"]
        want(set(bundle) == {"SignedEntryTimestamp", "Payload"} and
             set(bundle["Payload"]) == {"body", "integratedTime", "logIndex", "logID"}, "%s" % bundle)
        with Root() as root:
            stored = json.loads(root.run("download", "signature", HOST + "/demo/%s:v1" % name).out)["Bundle"]
        want(bundle == (json.loads(stored) if isinstance(stored, str) else stored), "%s" % bundle)
    want("Bundle" not in verify(*KEYLESS, HOST + "/demo/kl-bundle-r1:v1").json()[0]["optional"], "a bundle")
    reference = HOST + "/demo/kl-bundle-r1:v1"
    want_code(verify("--certificate-identity-regexp", "^https://github.com/example/", "--certificate-oidc-issuer-regexp",
                     ".*githubusercontent.*", "--trusted-root", ROOT, reference), 0)
    want_code(verify(*KEYLESS, "--certificate-github-workflow-name", "release", "--certificate-github-workflow-trigger",
                     "push", reference), 0)


def test_keyless_refusals():
    reference = HOST + "/demo/kl-bundle-r1:v1"
    for flags, reason in (
            (["--certificate-identity", IDENTITY + "x", "--certificate-oidc-issuer", ISSUER, "--trusted-root", ROOT], "wrong_identity"),
            (["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER + "/", "--trusted-root", ROOT], "wrong_identity"),
            (KEYLESS + ["--certificate-github-workflow-name", "other"], "wrong_identity"),
            (KEYLESS + ["-a", "team=sales"], "annotation_mismatch"),
            (KEYLESS[:4] + ["--ca-roots", os.path.join(VECTORS, "keys/byo-pki/root.pem"), "--insecure-ignore-tlog",
                            "--insecure-ignore-sct"], "untrusted_chain")):
        result = verify(*flags, reference)
        want_code(result, 1)
        want_text(result.err, reason, result)
    result = verify(*KEYLESS[:4], reference)
    want_code(result, 2)
    want_text(result.err, "pullguard trust init", result)


def test_own_authority():
    byo = os.path.join(VECTORS, "keys/byo-pki")
    flags = ["--certificate-identity", "releases@example.com", "--certificate-oidc-issuer-regexp", ".*",
             "--insecure-ignore-tlog", "--insecure-ignore-sct"]
    # The certificate names no OIDC issuer: an expression that fits nothing at all holds.
    for name in ("byo-legacy", "byo-bundle"):
        reference = HOST + "/demo/%s:v1" % name
        for chain in (["--certificate-chain", byo + "/chain.pem"],
                      ["--ca-roots", byo + "/root.pem", "--ca-intermediates", byo + "/int.pem"]):
            want_code(verify(*flags, *chain, reference), 0)
            for wrong in (["--certificate-identity", "release@example.com"], ["--certificate-oidc-issuer-regexp", ".+"]):
                changed = [wrong[1] if before == wrong[0] else one for before, one in zip([None] + flags, flags)]
                result = verify(*changed, *chain, reference)
                want_code(result, 1)
                want_text(result.err, "wrong_identity", result)
    result = verify(*flags, "--ca-roots", KEY, HOST + "/demo/byo-bundle:v1")
    want_code(result, 2)
    want_text(result.err, "BEGIN CERTIFICATE", result)


def own_signature(directory, usage, optional=None):
    """A root and a leaf with this extended key usage, and demo/byo-legacy signed anew by it."""
    def openssl(*arguments):
        subprocess.run(("openssl",) + arguments, cwd=directory, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    with open(os.path.join(directory, "leaf.cnf"), "w", encoding="ascii") as file:
        file.write("subjectAltName=email:releases@example.com\nkeyUsage=critical,digitalSignature\n" +
                   ("extendedKeyUsage=%s\n" % usage if usage else ""))
    for name in ("root", "leaf"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name + ".key")
    openssl("req", "-new", "-x509", "-key", "root.key", "-subj", "/CN=own root", "-days", "30", "-out", "root.pem")
    openssl("req", "-new", "-key", "leaf.key", "-subj", "/CN=own leaf", "-out", "leaf.csr")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "30",
            "-extfile", "leaf.cnf", "-out", "leaf.pem")
    stored = os.path.join(directory, "registry", "own")
    shutil.copytree(os.path.join(VECTORS, "registry/demo/byo-legacy"), stored)
    with open(os.path.join(stored, "index.json"), encoding="utf-8") as file:
        index = json.load(file)
    tag = IMAGE.replace(":", "-") + ".sig"
    old = os.path.join(stored, "manifests", index["tags"][tag].replace(":", "-"))
    old = old if os.path.exists(old) else old + ".json"
    with open(old, encoding="utf-8") as file:
        manifest = json.load(file)
    layer = manifest["layers"][0]
    payload = os.path.join(stored, "blobs", layer["digest"].replace(":", "-"))
    if optional:
        with open(payload, encoding="utf-8") as file:
            text = json.dumps({**json.load(file), "optional": optional}).encode()
        layer.update({"digest": "sha256:" + hashlib.sha256(text).hexdigest(), "size": len(text)})
        payload = os.path.join(stored, "blobs", layer["digest"].replace(":", "-"))
        with open(payload, "wb") as file:
            file.write(text)
    openssl("dgst", "-sha256", "-sign", "leaf.key", "-out", "signature", payload)
    with open(os.path.join(directory, "signature"), "rb") as file:
        signature = base64.b64encode(file.read()).decode()
    with open(os.path.join(directory, "leaf.pem"), encoding="ascii") as file:
        layer["annotations"] = {"dev.cosignproject.cosign/signature": signature,
                                "dev.sigstore.cosign/certificate": file.read()}
    body = json.dumps(manifest).encode()
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    with open(os.path.join(stored, "manifests", digest.replace(":", "-") + ".json"), "wb") as file:
        file.write(body)
    index["manifests"][digest] = index["manifests"][index["tags"][tag]]
    index["tags"][tag] = digest
    with open(os.path.join(stored, "index.json"), "w", encoding="utf-8") as file:
        json.dump(index, file)
    return Registry(os.path.join(directory, "registry"))


def test_annotations_do_not_pass_for_the_certificates_facts():
    """A signer may annotate as he likes; what stands as Subject in the output is the certificate's."""
    signed = {"Subject": "ceo@example.com", "Issuer": "https://accounts.example.com", "Bundle": "x",
              "githubWorkflowRef": "refs/heads/main", "team": "infra"}
    with tempfile.TemporaryDirectory() as directory:
        registry = own_signature(directory, "codeSigning", signed)
        result = verify("--certificate-identity", "releases@example.com", "--certificate-oidc-issuer-regexp", ".*",
                        "--insecure-ignore-tlog", "--insecure-ignore-sct", "--ca-roots", directory + "/root.pem",
                        "-a", "Subject=ceo@example.com", registry.host + "/own:v1")
        registry.close()
    want_code(result, 0)
    want(result.json()[0]["optional"] == {"team": "infra", "Subject": "releases@example.com"}, "facts", result)
    want(result.out.count('"Subject"') == 1, "once", result)


def fulcio_root(directory):
    with open(ROOT, encoding="utf-8") as file:
        root = json.load(file)
    with open(os.path.join(directory, "root.pem"), encoding="ascii") as file:
        der = "".join(line for line in file.read().split("\n") if not line.startswith("-"))
    root["certificateAuthorities"] = [{"uri": "https://fulcio.test", "certChain": {"certificates": [{"rawBytes": der}]},
                                       "validFor": {"start": "2020-01-01T00:00:00Z"}}]
    path = os.path.join(directory, "trusted_root.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(root, file)
    return path


def test_own_authority_may_leave_the_purpose_open():
    """RFC 5280 section 4.2.1.12: a certificate without extended key usage is for any; one that has it, for what it says."""
    for usage, reason in ((None, None), ("codeSigning", None), ("anyExtendedKeyUsage", None),
                          ("serverAuth", "untrusted_chain"), ("serverAuth,clientAuth", "untrusted_chain")):
        with tempfile.TemporaryDirectory() as directory:
            registry = own_signature(directory, usage)
            result = verify("--certificate-identity", "releases@example.com", "--certificate-oidc-issuer-regexp", ".*",
                            "--insecure-ignore-tlog", "--insecure-ignore-sct", "--ca-roots", directory + "/root.pem",
                            registry.host + "/own:v1")
            want_code(result, 1 if reason else 0)
            want_text(result.err, reason or "code-signing certificate was verified", result)
            # The same authority in a root with CT logs, which is to say a Fulcio: there code signing must be written.
            result = verify("--certificate-identity", "releases@example.com", "--certificate-oidc-issuer-regexp", ".*",
                            "--insecure-ignore-tlog", "--insecure-ignore-sct", "--trusted-root",
                            fulcio_root(directory), registry.host + "/own:v1")
            want_code(result, 0 if usage == "codeSigning" else 1)
            want_text(result.err, "code signing" if usage != "codeSigning" else "certificate was verified", result)
            registry.close()


def test_flags_that_exclude_each_other():
    for flags in ([], ["--key", KEY, "--certificate-identity", "x"], ["--certificate-identity", "x"],
                  ["--certificate-oidc-issuer", "x"],
                  ["--certificate-identity", "x", "--certificate-identity-regexp", "x", "--certificate-oidc-issuer", "y"],
                  ["--key", KEY, "--ca-roots", "x"], ["--key", KEY, "--certificate-github-workflow-name", "x"],
                  ["--certificate-identity", "x", "--certificate-oidc-issuer", "y", "--ca-roots", "a", "--trusted-root", "b"]):
        result = verify(*flags, HOST + "/demo/legacy:v1")
        want_code(result, 2)
        want(len(result.err) > 40, "a sentence", result)


def node(root, *policies):
    for index, text in enumerate(policies):
        root.write("/etc/pullguard/policy.d/%02d.yaml" % index, text)


def test_check_allows_and_explains():
    with Root() as root:
        node(root, policy("team", HOST + "/**", key_text(), "        annotations: {team: infra}\n"))
        result = root.run("check", HOST + "/demo/bundle:v1")
        want_code(result, 0)
        for part in ("ALLOW", "policy     team", "matched by " + HOST + "/**", "annotation_mismatch", "signed annotations: build=42"):
            want_text(result.out, part, result)
        answer = root.run("check", "--json", HOST + "/demo/bundle:v1").json()
        want(answer["verdict"] == "allow" and answer["reason"] == "ok" and answer["digest"] == IMAGE, "%s" % answer)
        want(answer["policy"] == "team" and len(answer["report"]["claims"]) == 2, "%s" % answer)


def test_check_denies():
    with Root() as root:
        node(root, policy("team", HOST + "/demo/**", key_text(), "        annotations: {team: sales}\n"),
             policy("rsa", HOST + "/demo/nosig*", key_text("rsa2048.pub")))
        for name, reason in (("legacy", "annotation_mismatch"), ("nosig", "no_signature")):
            result = root.run("check", HOST + "/demo/%s:v1" % name)
            want_code(result, 1)
            want_text(result.out, "DENY", result)
            want_text(result.out, reason, result)
            want_text(result.out, "Next: ", result)
        answer = root.run("check", "--json", HOST + "/alg/legacy-prime256v1:v1")
        want_code(answer, 1)
        want(answer.json()["reason"] == "no_match", "no policy applies", answer)


def test_check_by_digest_asks_no_tag():
    with Root() as root:
        node(root, policy("team", HOST + "/**", key_text()))
        before = len(REGISTRY.requests)
        want_code(root.run("check", "--digest", IMAGE, HOST + "/demo/legacy:v1"), 0)
        want(not [one for one in REGISTRY.requests[before:] if one.endswith("/manifests/v1")], "the tag was asked for")
        want_code(root.run("check", "--digest", "sha256:12", HOST + "/demo/legacy:v1"), 2)


def test_check_could_not_decide():
    with Root() as root:
        node(root, policy("team", "127.0.0.1:1/**", key_text()))
        result = root.run("check", "--timeout", "5s", "127.0.0.1:1/x:1")
        want_code(result, 2)
        want_text(result.out, "DENY (could not decide)", result)
        root.write("/etc/pullguard/policy.d/50.yaml", "nonsense: [")
        result = root.run("check", "127.0.0.1:1/x:1")
        want_code(result, 2)
        want_text(result.out, "policy_error", result)
        want_text(result.out, "50.yaml", result)


def test_check_refuses_files_that_others_can_write():
    with Root() as root:
        node(root, policy("team", HOST + "/**", key_text()))
        os.chmod(root.at("/etc/pullguard/policy.d/00.yaml"), 0o666)
        result = root.run("check", HOST + "/demo/legacy:v1")
        want_code(result, 2)
        want_text(result.out, "untrusted_file", result)


def test_save_evidence():
    with Root() as root:
        node(root, policy("team", HOST + "/**", key_text()))
        path = root.at("/evidence")
        want_code(root.run("check", "--save-evidence", path, HOST + "/demo/legacy:v1"), 0)
        want(os.path.getsize(path) > 500 and stat.S_IMODE(os.stat(path).st_mode) == 0o600, "evidence file")


def test_replay():
    with Root() as root:
        node(root, policy("team", HOST + "/**", key_text(), "        annotations: {team: infra}\n"))
        for name, verdict in (("bundle", "allow"), ("legacy", "allow"), ("nosig", "deny")):
            path = root.at("/evidence-" + name)
            root.run("check", "--save-evidence", path, HOST + "/demo/%s:v1" % name)
            # Another machine: other root, no policies.
            result = run("replay", "--json", path)
            want_code(result, 0)
            answer = result.json()
            want(answer["same"] and answer["now"]["verdict"] == verdict and answer["then"]["verdict"] == verdict, "%s" % answer)
        result = run("replay", "--explain", root.at("/evidence-bundle"))
        for part in ("The same verdict.", "referrers tag schema", "DSSE 1.0", "annotation_mismatch", "What was asked for"):
            want_text(result.out, part, result)
        want_text(run("replay", "--explain", root.at("/evidence-nosig")).out, "nothing verifies", result)
        with open(path, "rb") as file:
            good = file.read()
        for index, broken in enumerate((b"", good[:-1], good[:40], good + b"x", b"x" + good[1:], b"nonsense")):
            result = run("replay", root.write("/broken%d" % index, broken))
            want_code(result, 2)
        # A verdict that somebody changed in the file is noticed.
        want(b"no_signature" not in good or run("replay", root.at("/evidence-nosig")).code == 0, "same")
        with open(root.at("/evidence-bundle"), "rb") as file:
            changed = file.read().replace(b"infra", b"other")
        result = run("replay", root.write("/changed", changed))
        want(result.code in (1, 2), "another policy or broken evidence", result)


def test_replay_explains_every_step():
    """Each step of a verification with the section that asks for it."""
    both = ("RFC 5280 sections 6.1 and 4.2.1.12", "RFC 6962 sections 3.2 and 3.3", "RFC 5280 section 4.2.1.6",
            "Fulcio oid-info.md", "OCI image, descriptor.md", "pullguard-policy(5)")
    steps = {"kl-bundle-r1": ("sigstore_bundle.proto", "DSSE 1.0", "in-toto Statement", "RFC 6962 section 2.1.1",
                              "SignedEntryTimestamp", "tlog-checkpoint", "integratedTime"),
             "kl-bundle-r2": ("DSSE 1.0", "RFC 6962 section 2.1.1", "tlog-checkpoint", "RFC 3161 sections 2.3 and 2.4.2"),
             "kl-legacy-tsa": ("SIGNATURE_SPEC.md", "containers-signature(5)", "SignedEntryTimestamp",
                               "RFC 3161 sections 2.3 and 2.4.2"),
             "kl-att-legacy": ("in-toto Statement", "cosign SIGNATURE_SPEC.md", "SignedEntryTimestamp")}
    authority = "    - keyless: {trustRootRef: mock, identities: [{issuerRegExp: ., subjectRegExp: .}]}\n"
    with Root() as root:
        root.copy(ROOT, "/etc/pullguard/trust/mock.json")
        for name, parts in steps.items():
            attested = "      attestations: [{name: sbom, predicateType: cyclonedx}]\n" if "att" in name else ""
            root.write("/etc/pullguard/policy.d/a.yaml", policy("all", "**", None, authority + attested))
            result = root.run("check", "--save-evidence", root.at("/evidence"), HOST + "/demo/%s:v1" % name)
            want_code(result, 0)
            result = run("replay", "--explain", root.at("/evidence"))
            want_code(result, 0)
            for part in both + parts:
                want_text(result.out, part, result)
        # The same signature under a root that knows neither its authority nor its log: the steps say which hold.
        with open(ROOT, encoding="utf-8") as file:
            bare = json.load(file)
        bare.update({"tlogs": [], "ctlogs": [], "certificateAuthorities": [], "timestampAuthorities": []})
        root.write("/etc/pullguard/trust/mock.json", json.dumps(bare))
        root.write("/etc/pullguard/policy.d/a.yaml", policy("all", "**", None, authority))
        want_code(root.run("check", "--save-evidence", root.at("/evidence"), HOST + "/demo/kl-bundle-r1:v1"), 1)
        result = run("replay", "--explain", root.at("/evidence"))
        for part in ("no   certificate: no chain", "no   certificate: no SCT", "no   log: no entry", "no   time: none",
                     "yes  signature: verifies"):
            want_text(result.out, part, result)


def test_verify_attestation():
    with Root() as root:
        base = ["verify-attestation", "--key", KEY, "--insecure-ignore-tlog"]
        for name in ("att-legacy", "att-bundle"):
            result = root.run(*base, "--type", "cyclonedx", HOST + "/demo/%s:v1" % name)
            want_code(result, 0)
            lines = result.out.strip().split("\n")
            want(len(lines) == 1, "one envelope", result)
            envelope = json.loads(lines[0])
            statement = json.loads(base64.b64decode(envelope["payload"]))
            want(envelope["payloadType"] == "application/vnd.in-toto+json" and
                 statement["predicateType"] == "https://cyclonedx.org/bom", "envelope", result)
        for arguments, reason in ((["--type", "spdxjson", HOST + "/demo/att-legacy:v1"], "no_attestation"),
                                  (["--type", "cyclonedx", HOST + "/demo/legacy:v1"], "no_attestation")):
            result = root.run(*base, *arguments)
            want_code(result, 1)
            want_text(result.err, reason, result)
        want_code(root.run("verify-attestation", "--key", OTHER, "--insecure-ignore-tlog", "--type", "cyclonedx",
                           HOST + "/demo/att-legacy:v1"), 1)
        for name in ("kl-att-legacy", "kl-att-r1", "kl-att-r2"):
            result = root.run("verify-attestation", *KEYLESS, "--type", "cyclonedx", HOST + "/demo/%s:v1" % name)
            want_code(result, 0)
            want(result.out.count("\n") == 1, "one envelope", result)


def test_verify_attestation_conditions():
    with Root() as root:
        base = ["verify-attestation", "--key", KEY, "--insecure-ignore-tlog", "--type", "cyclonedx"]
        reference = HOST + "/demo/att-bundle:v1"
        for text, code in (('- {path: predicate.bomFormat, equals: CycloneDX}\n', 0),
                           ('- {path: predicate.bomFormat, equals: SPDX}\n', 1),
                           ('- {path: predicate.absent, equals: x}\n', 1),
                           ('- {path: predicate.bomFormat, equls: CycloneDX}\n', 2)):
            result = root.run(*base, "--policy", root.write("/c.yaml", text), reference)
            want_code(result, code)


def test_tree_and_download():
    with Root() as root:
        result = root.run("tree", HOST + "/demo/sigs:v1")
        want_code(result, 0)
        want(result.out.count("    +-- sha256:") == 5, "five layers", result)
        want_text(root.run("tree", HOST + "/demo/att-bundle:v1").out, "https://cyclonedx.org/bom")
        want_code(root.run("tree", HOST + "/demo/nosig:v1"), 1)
        want_code(root.run("tree", HOST + "/demo/nothing:v1"), 2)
        result = root.run("download", "signature", HOST + "/demo/legacy:v1")
        signature = json.loads(result.out)
        want(set(signature) == {"Base64Signature", "Payload", "Cert", "Chain", "Bundle", "RFC3161Timestamp"}, "shape", result)
        result = root.run("download", "signature", HOST + "/demo/kl-legacy-tsa:v1")
        want(json.loads(result.out)["Cert"].startswith("-----BEGIN CERTIFICATE-----"), "certificate", result)
        result = root.run("download", "signature", HOST + "/demo/bundle:v1")
        want([json.loads(line)["mediaType"] for line in result.out.strip().split("\n")] ==
             ["application/vnd.dev.sigstore.bundle.v0.3+json"] * 2, "bundles", result)
        for name in ("att-legacy", "att-bundle"):
            result = root.run("download", "sbom", HOST + "/demo/%s:v1" % name)
            want(json.loads(result.out)["bomFormat"] == "CycloneDX", "predicate", result)
            result = root.run("download", "attestation", "--predicate-type", "https://cyclonedx.org/bom", HOST + "/demo/%s:v1" % name)
            want(result.out.count("\n") == 1, "one", result)
        want_code(root.run("download", "attestation", HOST + "/demo/legacy:v1"), 1)


def test_text_from_outside_is_made_safe():
    result = run("verify", "--key", KEY, "--insecure-ignore-tlog", HOST + "/x\x1b[31m:v1")
    want("\x1b" not in result.out + result.err, "escape sequence", result)


if __name__ == "__main__":
    main(globals())
