#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sections of the bench, one after the other. Started by tests/bench/run, which prepares the registry, keys and node."""
import json
import os
import re
import subprocess
import sys
import time

from lab import (CACHE, COSIGN, ENGINE, KEYS, NODE, NO_CACHE, PULLGUARD, QUICK, REGISTRY, RUNS, SOURCE, TOOLS, VERIFIER, WORK,
                 Resident, compare, cosign_verify, decide, digest_of, key_authority, measure, policies, policy, push_many, rate, row, section,
                 settings, wait_socket, wall, write_policies)
import paper

IDENTITY = "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
CLIENTS = 64
SECONDS = 2 if QUICK else 4


def hook():
    """The hook and adapter alone: an engine that denies at once stands behind the resident engine's socket."""
    section("the hook alone (an engine that answers at once; it can only deny)")
    path = f"{NODE}/run/pullguard/engine.sock"
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    stub = subprocess.Popen([f"{TOOLS}/stub_engine", path], stdin=subprocess.DEVNULL)
    try:
        wait_socket(path)
        row("/bin/true", ["/bin/true"], runs=500, count=False)
        row("pullguard-containerd, stub engine", decide("bench/bundle"), runs=500, count=False, denies=True)
    finally:
        stub.terminate()
        stub.wait()
        os.unlink(path)


def cold():
    section("one decision, nothing kept (a process, its children, the registry on loopback)")
    settings(NO_CACHE)
    policies(1)
    compare(("/bin/true", ["/bin/true"], None),
            *((f"{who}, {name}", command(f"bench/{layout}"), f"cold.{who.split()[0]}.{layout}")
              for layout, name in (("legacy", ".sig tag"), ("bundle", "bundle"))
              for who, command in (("cosign verify", cosign_verify), ("pullguard", decide))), far=True)


def settle():
    """Files that were changed this very moment are not relied on: nothing decided by them is kept."""
    time.sleep(3.1)


def cached():
    section("the same image again")
    settings(CACHE)
    settle()
    compare(("/bin/true", ["/bin/true"], "hit.true"),
            ("pullguard, verdict cached on disk", decide("bench/bundle"), "hit.pullguard"), runs=500)


def resident_first():
    """Each run has an engine that was started just before; the median of a few."""
    runs = []
    for _ in range(5):
        with Resident():
            runs.append(measure(decide("bench/bundle"), "-n", "1", "-w", "0")["wall_us"])
    return sorted(runs)[len(runs) // 2]


def resident():
    section("with the resident engine")
    settings(NO_CACHE)
    policies(1)
    first = resident_first()
    with Resident() as engine:
        wall("pullguard, bundle, first request of its engine", first, "warm.first")
        row("pullguard, bundle, verdict not kept", decide("bench/bundle"), "warm.anew", far=True, engine=engine)
        for at_once in (8, CLIENTS):
            row(f"  {at_once} at once", decide("bench/bundle"), f"warm.anew.{at_once}", runs=at_once * (4 if QUICK else 10),
                at_once=at_once, engine=engine)
    # With an audit log the hook may not answer from the cache by itself.
    settings(CACHE + "audit: /var/log/pullguard/audit.jsonl\n")
    settle()
    with Resident() as engine:
        row("pullguard, bundle, verdict kept, audit log on", decide("bench/bundle"), "warm.kept", runs=200, engine=engine)
        for at_once in (8, CLIENTS):
            row(f"  {at_once} at once", decide("bench/bundle"), f"warm.kept.{at_once}", runs=at_once * (4 if QUICK else 10),
                at_once=at_once, engine=engine)


def bare_ecdsa():
    """What every processor of this machine together verifies, by OpenSSL's own measure."""
    out = subprocess.run(["openssl", "speed", "-mr", "-seconds", str(SECONDS), "-multi", str(os.cpu_count()), "ecdsap256"],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^\+F4:[0-9]+:256:([0-9.]+):([0-9.]+)$", out, re.MULTILINE)
    return float(found[-1][1]) if found else 0


def load(name, key, *arguments):
    run = subprocess.run([f"{TOOLS}/load", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    for line in sorted(set(run.stderr.splitlines()))[:3]:
        print("        " + line[:300], flush=True)
    if not run.stdout:
        return
    seen = json.loads(run.stdout)
    if seen["refused"]:
        print(f"        turned away beside them: {seen['refused']}", flush=True)
    rate(name, seen["decisions"] * 1e6 / seen["us"], key, good=run.returncode == 0)


def throughput():
    """Decisions a second against what the machine's processors verify when they do nothing else."""
    processors = os.cpu_count()
    section(f"decisions a second, {processors} processors, beside bare ECDSA P-256 (openssl speed)")
    policies(1)
    settings(NO_CACHE)
    rate(f"ECDSA P-256 verifications, {processors} processes", bare_ecdsa(), "rate.bare")
    evidence = f"{WORK}/evidence"
    subprocess.run([PULLGUARD, "--root", NODE, "check", "--save-evidence", evidence, f"{REGISTRY}/bench/bundle:v1"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    load(f"the judge alone, evidence in memory, {processors} processes", "rate.judge", "judge", evidence, str(processors), str(SECONDS))
    ask = (f"{REGISTRY}/bench/bundle:v1", digest_of("bench/bundle"))
    with Resident():
        load(f"resident engine, verdicts not kept, {CLIENTS} clients", "rate.anew",
             "engine", NODE, str(CLIENTS), str(SECONDS), "anew", *ask)
    settings(CACHE)
    settle()
    with Resident():
        measure(decide("bench/bundle"), "-n", "1", "-w", "0")  # the one that is kept
        load(f"resident engine, verdicts kept, {CLIENTS} clients", "rate.kept",
             "engine", NODE, str(CLIENTS), str(SECONDS), "cache", *ask)


def keyless():
    """Stored keyless signatures with a log entry: certificate chain, SCT, inclusion proof, checkpoint."""
    section("keyless, one decision, nothing kept")
    trusted_root = f"{SOURCE}/tests/vectors/cosign-3.1.1/keys/mock_trusted_root.json"
    os.makedirs(f"{NODE}/etc/pullguard/trust", mode=0o755, exist_ok=True)
    with open(trusted_root, encoding="ascii") as root, \
            open(f"{NODE}/etc/pullguard/trust/mock.json", "w", encoding="ascii") as out:
        out.write(root.read())
    write_policies([policy("keyless", [f"{REGISTRY}/demo/**"], "keyless:\n        trustRootRef: mock\n"
                           f'        identities: [{{issuer: "{ISSUER}", subject: "{IDENTITY}"}}]\n      ctlog: {{trustRootRef: mock}}')])
    settings(NO_CACHE)
    for repo, name in (("demo/kl-legacy", ".sig tag"), ("demo/kl-bundle-r1", "bundle")):
        compare((f"cosign verify, keyless, {name}",
                 [COSIGN, "verify", "--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER, "--trusted-root",
                  trusted_root, f"{REGISTRY}/{repo}@{digest_of(repo)}"], f"keyless.cosign.{repo}"),
                (f"pullguard, keyless, {name}", decide(repo), f"keyless.pullguard.{repo}"))


def sbom():
    """A CycloneDX attestation that tests/bench/run attached: the command line's question, and a policy's."""
    section(f"an SBOM of {os.environ['PG_SBOM_MIB']} MiB as an attestation, nothing kept")
    settings(NO_CACHE)
    conditions = ('      attestations:\n        - name: sbom\n          predicateType: cyclonedx\n          pullguard:\n'
                  '            conditions:\n              - {path: predicate.specVersion, in: ["1.5", "1.6"]}\n'
                  '              - {path: predicate.components, none: [{path: "licenses[0].license.id", absent: fails, equals: AGPL-3.0-only}]}\n')
    write_policies([policy("sbom", [f"{REGISTRY}/bench/**"], key_authority(conditions))])
    runs = 3
    for layout, name in (("legacy", ".att tag"), ("bundle", "bundle")):
        repo = f"bench/sbom-{layout}"
        arguments = ["verify-attestation", "--key", f"{KEYS}/good.pub", "--insecure-ignore-tlog=true", "--type", "cyclonedx",
                     f"{REGISTRY}/{repo}@{digest_of(repo)}"]
        row(f"cosign verify-attestation, {name}", [COSIGN, *arguments], f"sbom.cosign.{layout}", runs=1, warm_up=0, trace=False)
        row(f"pullguard verify-attestation, {name}", [PULLGUARD, "--root", NODE, *arguments], f"sbom.pullguard.{layout}", runs=runs,
            warm_up=1)
        row(f"pullguard, policy with two conditions, {name}", decide(repo), f"sbom.policy.{layout}", runs=runs, warm_up=1)


def many_at_once():
    section("many pulls at once, an engine for each")
    settings(NO_CACHE)
    policies(1)
    for at_once in (8, CLIENTS):
        row(f"pullguard, bundle, {at_once} at once", decide("bench/bundle"), f"many.pullguard.{at_once}", runs=at_once * 4,
            at_once=at_once)
        row(f"cosign verify, bundle, {at_once} at once", cosign_verify("bench/bundle"), f"many.cosign.{at_once}", runs=at_once * 2,
            at_once=at_once)


def growth():
    section("policies on the node")
    settings(NO_CACHE)
    for count in (1, 100, 10000):
        policies(count)
        row(f"pullguard, bundle, {count} policies", decide("bench/bundle"), f"policies.{count}",
            runs=RUNS if count < 10000 else max(5, RUNS // 4))
    policies(1)
    section("signatures of the image, the right one last")
    for count in (1, 10, 100, 400):
        push_many(f"bench/many-{count}", count)
        row(f"pullguard, {count} signatures", decide(f"bench/many-{count}"), f"signatures.{count}", runs=RUNS if count < 400 else 5)
        if count == 400:
            return  # for the aims: whether the cost stays linear
        row(f"cosign verify, {count} signatures", cosign_verify(f"bench/many-{count}"), runs=max(5, RUNS // 4))


PARTS = {"hook": hook, "cold": cold, "cached": cached, "resident": resident, "throughput": throughput, "keyless": keyless,
         "sbom": sbom, "many": many_at_once, "growth": growth}


def main():
    if not os.path.exists(VERIFIER) or not os.path.exists(ENGINE):
        print("      this tree builds no containerd verifier", flush=True)
        return
    only = [part for argument in sys.argv if argument.startswith("--only=") for part in argument[7:].split(",")]
    for name, part in PARTS.items():
        if not only or name in only:
            part()
    text = paper.table()
    print("\n" + text)
    if "--store" in sys.argv:
        with open(f"{SOURCE}/tests/bench/results.txt", "w", encoding="utf-8") as out:
            out.write(text)
        paper.svg(f"{SOURCE}/tests/bench/results.svg")


main()
