# SPDX-License-Identifier: Apache-2.0
"""Every stored sample, through the whole program: verified as cosign made it, refused with each expectation changed.

SAMPLES names every directory of tests/vectors/cosign-3.1.1/registry; one that is missing here fails a test. Exceptions:
demo/nosig has nothing attached (no_signature); demo2/notation-* are Notary Project signatures, which this program names
and does not verify; sigstore-sigs holds signatures of another repository's image, which policies reach by `source`."""
import base64
import hashlib
import json
import os
import shutil
import tempfile

from harness import VECTORS, Root, main, run, want, want_code, want_text
from registry import Registry

STORED = os.path.join(VECTORS, "registry")
KEYS = os.path.join(VECTORS, "keys")
REGISTRY = Registry(STORED)
HOST = REGISTRY.host
IMAGE = "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
ROOT = os.path.join(KEYS, "mock_trusted_root.json")
BYO = os.path.join(KEYS, "byo-pki")
IDENTITY = "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = {"trigger": "push", "name": "release", "repository": "example/app", "ref": "refs/heads/main"}

# What each was made with: the key's name, or "keyless", or "byo"; log generation; signed timestamp; annotations.
SAMPLES = {
    "demo/nosig": None, "demo2/notation-jws": None, "demo2/notation-cose": None, "sigstore-sigs": None,
    "demo/legacy": {"key": "cosign", "annotations": ["team=infra", "build=42"]},
    "demo/bundle": {"key": "cosign", "annotations": ["team=infra", "build=42"]},
    "demo/att-legacy": {"key": "cosign", "type": "cyclonedx"},
    "demo/att-bundle": {"key": "cosign", "type": "cyclonedx"},
    "demo/mixed": {"key": "cosign"},
    "demo/sigs": {"key": "cosign", "annotations": ["a=b"]},
    "demo/exp": {"key": "cosign"},
    "demo/dockermt": {"key": "cosign"},
    "demo/multi-legacy": {"key": "cosign"}, "demo/multi-bundle": {"key": "cosign"},
    "demo/multi-indexonly": {"key": "cosign"},
    "demo/key-legacy-r1": {"key": "cosign", "log": 1},
    "demo/key-bundle-r1": {"key": "cosign", "log": 1},
    "demo/key-bundle-r2": {"key": "cosign", "log": 2, "tsa": True},
    "demo/kl-legacy": {"key": "keyless", "log": 1, "annotations": ["team=infra"]},
    "demo/kl-legacy-tsa": {"key": "keyless", "log": 1, "tsa": True, "annotations": ["team=infra"]},
    "demo/kl-bundle-r1": {"key": "keyless", "log": 1, "annotations": ["team=infra"]},
    "demo/kl-bundle-r2": {"key": "keyless", "log": 2, "tsa": True, "annotations": ["team=infra"]},
    "demo/kl-att-legacy": {"key": "keyless", "log": 1, "type": "cyclonedx"},
    "demo/kl-att-r1": {"key": "keyless", "log": 1, "type": "cyclonedx"},
    "demo/kl-att-r2": {"key": "keyless", "log": 2, "tsa": True, "type": "cyclonedx"},
    "demo/byo-legacy": {"key": "byo"}, "demo/byo-bundle": {"key": "byo"},
    "alg/legacy-prime256v1": {"key": "prime256v1"}, "alg/legacy-secp384r1": {"key": "secp384r1"},
    "alg/legacy-secp521r1": {"key": "secp521r1"}, "alg/legacy-rsa2048": {"key": "rsa2048"},
    "alg/legacy-rsa4096": {"key": "rsa4096"}, "alg/legacy-ed25519": {"key": "ed25519"},
    "alg/bundle-secp384r1": {"key": "secp384r1"}, "alg/bundle-rsa3072": {"key": "rsa3072"},
    "alg/bundle-ed25519": {"key": "ed25519"},
}


class Flags(dict):
    """Options by name; a changed copy is one expectation changed. None = without it, "" = a flag without a value."""

    def changed(self, **changes):
        copy = Flags(self)
        for name, value in changes.items():
            copy[name.replace("_", "-")] = value
        return copy

    def arguments(self):
        return [part for name, value in self.items() if value is not None
                for part in (["--" + name] if value == "" else ["--%s=%s" % (name, value)])]


def right(sample):
    flags = Flags()
    if sample["key"] == "keyless":
        flags.update({"certificate-identity": IDENTITY, "certificate-oidc-issuer": ISSUER, "trusted-root": ROOT})
    elif sample["key"] == "byo":
        flags.update({"certificate-identity": "releases@example.com", "certificate-oidc-issuer-regexp": ".*",
                      "certificate-chain": BYO + "/chain.pem", "insecure-ignore-tlog": "", "insecure-ignore-sct": ""})
    else:
        flags.update({"key": os.path.join(KEYS, sample["key"] + ".pub")})
        flags.update({"trusted-root": ROOT} if sample.get("log") else {"insecure-ignore-tlog": ""})
    if sample.get("tsa"):
        flags["use-signed-timestamps"] = ""
    if sample.get("type"):
        flags["type"] = sample["type"]
    if sample.get("annotations"):
        flags["annotations"] = ",".join(sample["annotations"])
    return flags


def wrong(sample, flags, strangers):
    """Every expectation changed, one at a time, and the reason that must be told."""
    key = sample["key"]
    if key == "keyless":
        yield flags.changed(certificate_identity=IDENTITY + "x"), "wrong_identity"
        yield flags.changed(certificate_identity=None, certificate_identity_regexp="^https://example.com/"), "wrong_identity"
        yield flags.changed(certificate_oidc_issuer=ISSUER + "/"), "wrong_identity"
        yield flags.changed(certificate_oidc_issuer=None, certificate_oidc_issuer_regexp="google"), "wrong_identity"
        for name, value in WORKFLOW.items():
            yield flags.changed(**{"certificate_github_workflow_" + name: value + "x"}), "wrong_identity"
        yield flags.changed(certificate_github_workflow_sha="0" * 40), "wrong_identity"
        yield flags.changed(trusted_root=strangers["root"]), "untrusted_chain"
        yield flags.changed(certificate_identity=None, certificate_oidc_issuer=None,
                            key=os.path.join(KEYS, "rsa2048.pub")), "wrong_key"
    elif key == "byo":
        yield flags.changed(certificate_identity="release@example.com"), "wrong_identity"
        yield flags.changed(certificate_oidc_issuer_regexp=".+"), "wrong_identity"
        yield flags.changed(certificate_chain=strangers["chain"]), "untrusted_chain"
        yield flags.changed(insecure_ignore_tlog=None), "no_log_entry"
        yield flags.changed(insecure_ignore_sct=None), "untrusted_chain"
    else:
        other = "rsa3072" if key != "rsa3072" else "rsa2048"
        yield flags.changed(key=os.path.join(KEYS, other + ".pub")), "wrong_key"
        if not sample.get("log"):
            yield flags.changed(insecure_ignore_tlog=None, trusted_root=ROOT), "no_log_entry"
        else:
            yield (flags.changed(trusted_root=strangers["root"]),
                   "no_log_entry" if not sample.get("tsa") else "no_")
    if not sample.get("tsa"):
        changed = flags.changed(use_signed_timestamps="", insecure_ignore_tlog=flags.get("insecure-ignore-tlog"))
        if key != "byo":
            changed["trusted-root"] = ROOT
        yield changed, "no_timestamp"
    if sample.get("type"):
        yield flags.changed(type="spdx"), "no_attestation"
        yield flags.changed(policy=strangers["conditions"]), "attestation_condition"
    else:
        annotations = flags.get("annotations")
        yield flags.changed(annotations=(annotations + "," if annotations else "") + "nobody=x"), "annotation_mismatch"
        if annotations:
            yield flags.changed(annotations=annotations + "x"), "annotation_mismatch"


def verify(sample, flags, *references):
    return run("verify-attestation" if sample.get("type") else "verify", *flags.arguments(), *references)


def make_strangers(directory):
    """A root of other authorities and logs, a chain of one, conditions that do not hold."""
    with open(ROOT, encoding="utf-8") as file:
        root = json.load(file)
    authority = root["certificateAuthorities"][0]["certChain"]["certificates"]
    chain = "".join("-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % base64.encodebytes(
        base64.b64decode(one["rawBytes"])).decode() for one in authority)
    root.update({"tlogs": [], "ctlogs": [], "certificateAuthorities": [], "timestampAuthorities": []})
    made = {}
    for name, text in (("root", json.dumps(root)), ("chain", chain),
                       ("conditions", "- {path: predicate.bomFormat, equals: SPDX}\n")):
        made[name] = os.path.join(directory, name)
        with open(made[name], "w", encoding="utf-8") as file:
            file.write(text)
    return made


def transplant(sample, directory):
    """The sample's signatures, attached to another image as well as a registry's keeper can."""
    target = os.path.join(directory, "registry", "moved")
    shutil.copytree(os.path.join(STORED, sample), target)
    with open(os.path.join(target, "index.json"), encoding="utf-8") as file:
        index = json.load(file)
    body = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
                       "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": "sha256:" +
                                  hashlib.sha256(b"{}").hexdigest()}}).encode()
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    old = index["tags"]["v1"].split(":")[1]
    with open(os.path.join(target, "manifests", digest.replace(":", "-") + ".json"), "wb") as file:
        file.write(body)
    index["manifests"][digest] = {"contentType": "application/vnd.oci.image.manifest.v1+json"}
    index["tags"] = {tag.replace(old, digest.split(":")[1]): held for tag, held in index["tags"].items()}
    index["tags"]["v1"] = digest
    with open(os.path.join(target, "index.json"), "w", encoding="utf-8") as file:
        json.dump(index, file)
    return Registry(os.path.join(directory, "registry"))


def test_no_sample_is_left_out():
    found = {os.path.relpath(folder, STORED) for folder, _, files in os.walk(STORED) if "index.json" in files}
    want(found == set(SAMPLES), "tests/vectors/cosign-3.1.1/registry and SAMPLES: %s" % (found ^ set(SAMPLES)))


def test_each_verifies_as_it_was_made():
    for name, sample in SAMPLES.items():
        if sample:
            flags = right(sample)
            want_code(verify(sample, flags, "%s/%s:v1" % (HOST, name)), 0)
            if sample["key"] == "keyless":
                for field, value in WORKFLOW.items():
                    flags["certificate-github-workflow-" + field] = value
                want_code(verify(sample, flags, "%s/%s:v1" % (HOST, name)), 0)


def test_each_is_refused_with_each_expectation_changed():
    with tempfile.TemporaryDirectory() as directory:
        strangers = make_strangers(directory)
        for name, sample in SAMPLES.items():
            for flags, reason in wrong(sample, right(sample), strangers) if sample else ():
                result = verify(sample, flags, "%s/%s:v1" % (HOST, name))
                want(result.code == 1 and reason in result.err and result.out == "",
                     "%s %s: wanted %s" % (name, " ".join(flags.arguments()), reason), result)


def test_none_counts_for_another_image():
    for name, sample in SAMPLES.items():
        if not sample:
            continue
        with tempfile.TemporaryDirectory() as directory:
            registry = transplant(name, directory)
            result = verify(sample, right(sample), registry.host + "/moved:v1")
            registry.close()
            want(result.code == 1 and result.out == "", name, result)


def test_attestations_are_no_signatures_and_the_other_way_round():
    for name, sample in SAMPLES.items():
        if not sample:
            continue
        flags = right(sample)
        flags.pop("annotations", None)
        kind = flags.pop("type", None)
        other = {**sample, "type": None if kind else "cyclonedx"}
        if other["type"]:
            flags["type"] = other["type"]
        result = verify(other, flags, "%s/%s:v1" % (HOST, name))
        want(result.code == 1 and ("no_signature" if kind else "no_attestation") in result.err, name, result)


def test_the_other_key_of_the_mixed_and_the_many():
    want_code(run("verify", "--key", KEYS + "/prime256v1.pub", "--insecure-ignore-tlog", HOST + "/demo/mixed:v1"), 0)
    want_code(run("verify", "--key", KEYS + "/rsa2048.pub", "--insecure-ignore-tlog", HOST + "/demo/sigs:v1"), 0)
    result = run("verify-attestation", "--type", "custom", "--key", KEYS + "/cosign.pub", "--insecure-ignore-tlog",
                 HOST + "/demo/att-bundle:v1")
    want_code(result, 0)


def test_a_timestamp_instead_of_the_log():
    """A short-lived certificate, judged at the proven time, with nothing said about the log."""
    for name, code in (("kl-legacy-tsa", 0), ("kl-bundle-r2", 0), ("kl-bundle-r1", 1)):
        flags = right(SAMPLES["demo/" + name]).changed(use_signed_timestamps="", insecure_ignore_tlog="")
        result = run("verify", *flags.arguments(), "%s/demo/%s:v1" % (HOST, name))
        want_code(result, code)
        want_text(result.err, "NOT checked: the transparency log" if code == 0 else "no_timestamp", result)


def test_platforms_of_an_index():
    """-r signed each platform's manifest too; without it they have nothing."""
    for name, code in (("multi-legacy", 0), ("multi-bundle", 0), ("multi-indexonly", 1)):
        with open(os.path.join(STORED, "demo", name, "index.json"), encoding="utf-8") as file:
            index = json.load(file)
        with open(os.path.join(STORED, "demo", name, "manifests",
                               index["tags"]["v1"].replace(":", "-") + ".json"), encoding="utf-8") as file:
            platforms = [one["digest"] for one in json.load(file)["manifests"]]
        want(len(platforms) == 2, "two platforms")
        for digest in platforms:
            result = run("verify", "--key", KEYS + "/cosign.pub", "--insecure-ignore-tlog",
                         "%s/demo/%s@%s" % (HOST, name, digest))
            want_code(result, code)


def test_signatures_in_another_repository():
    """COSIGN_REPOSITORY: the image's own repository has nothing, and `source` names where they lie."""
    document = ("apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: p}\nspec:\n"
                "  images: [{glob: \"**\"}]\n  authorities:\n    - key: {path: %s}\n      source: [{oci: %s}]\n")
    for key, where, code in (("cosign.pub", "sigstore-sigs", 0), ("rsa2048.pub", "sigstore-sigs", 1),
                             ("cosign.pub", "demo/nosig", 1)):
        with Root() as root:
            root.copy(os.path.join(KEYS, key), "/etc/pullguard/keys/" + key)
            root.write("/etc/pullguard/policy.d/p.yaml", document % (key, HOST + "/" + where))
            want_code(root.run("check", HOST + "/demo/nosig:v1"), code)


def test_what_is_not_verified_is_named():
    result = run("verify", "--key", KEYS + "/cosign.pub", "--insecure-ignore-tlog", HOST + "/demo/nosig:v1")
    want_code(result, 1)
    want_text(result.err, "no_signature", result)
    for name in ("notation-jws", "notation-cose"):
        result = run("verify", "--key", KEYS + "/cosign.pub", "--insecure-ignore-tlog", HOST + "/demo2/%s:v1" % name)
        want_code(result, 1)
        want_text(result.err, "Notary Project", result)


if __name__ == "__main__":
    main(globals())
