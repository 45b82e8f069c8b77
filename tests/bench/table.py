#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the rows of the bench table. Started by tests/bench/run, which prepares the registry, keys and node."""
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

ENV = os.environ
WORK, NODE, KEYS, SOURCE = ENV["PG_WORK"], ENV["PG_NODE"], ENV["PG_KEYS"], ENV["PG_SOURCE"]
REGISTRY, MEASURE, COSIGN = ENV["REGISTRY_ADDR"], ENV["MEASURE"], ENV["COSIGN"]
LIBEXEC = ENV["PG_LIBEXEC"]
VERIFIER = ENV.get("PG_TEST_VERIFIER") or f"{LIBEXEC}/pullguard-containerd"
ENGINE = f"{LIBEXEC}/pullguard-engine"
QUICK = "--quick" in sys.argv
RUNS = 10 if QUICK else 40
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
NO_CACHE = "cache: {enabled: false}\n"
ROWS = []
LOAD = os.getloadavg()[0]


def proxy(delay):
    with open(f"{WORK}/delay-{delay}.log", encoding="ascii") as text:
        return "127.0.0.1:" + text.read().strip()


def call(method, path, data=None, **headers):
    request = urllib.request.Request(f"http://{REGISTRY}/v2/{path}", data=data, method=method,
                                     headers={k.replace("_", "-"): v for k, v in headers.items()})
    return urllib.request.urlopen(request, timeout=30)


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def push_blob(repo, data):
    place = call("POST", f"{repo}/blobs/uploads/", b"").headers["Location"]
    place = place.split("/v2/", 1)[1]
    call("PUT", place + ("&" if "?" in place else "?") + "digest=" + sha256(data), data,
         Content_Type="application/octet-stream")


def digest_of(repo, tag="v1"):
    return call("HEAD", f"{repo}/manifests/{tag}", Accept=MANIFEST).headers["Docker-Content-Digest"]


def signed_payload(repo, digest, key, number):
    payload = json.dumps({"critical": {"identity": {"docker-reference": f"{REGISTRY}/{repo}"},
                                       "image": {"docker-manifest-digest": digest},
                                       "type": "cosign container image signature"},
                          "optional": {"repo": "holilabs/holilabsv2", "environment": "production", "number": str(number)}},
                         separators=(",", ":")).encode()
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", f"{KEYS}/{key}.pem"], input=payload,
                               stdout=subprocess.PIPE, check=True).stdout
    return payload, base64.b64encode(signature).decode()


def push_many(repo, count):
    """An image whose .sig tag has that many layers, of which only the last is by the right key."""
    subprocess.run([sys.executable, f"{SOURCE}/tests/lib/registry.py", "image", f"{REGISTRY}/{repo}:v1", "--text", repo],
                   check=True, stdout=subprocess.DEVNULL)
    digest = digest_of(repo)
    layers = []
    for number in range(count):
        payload, signature = signed_payload(repo, digest, "good" if number == count - 1 else "other", number)
        push_blob(repo, payload)
        layers.append({"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": sha256(payload),
                       "size": len(payload), "annotations": {"dev.cosignproject.cosign/signature": signature}})
    config = json.dumps({"architecture": "", "os": "", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [l["digest"] for l in layers]}}).encode()
    push_blob(repo, config)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
                           "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(config),
                                      "size": len(config)}}).encode()
    call("PUT", f"{repo}/manifests/{digest.replace(':', '-')}.sig", manifest, Content_Type=MANIFEST)


# ---- measuring ---------------------------------------------------------------------------------------------------------

def requests_seen():
    with open(f"{WORK}/registry.log", encoding="utf-8", errors="replace") as log:
        return len(re.findall(r'"(?:GET|HEAD|POST|PUT) /v2', log.read()))


def measure(command, *options):
    out = subprocess.run([MEASURE, *options, "--", *command], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def count_requests(command):
    before = requests_seen()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    time.sleep(0.1)
    return requests_seen() - before


def row(name, command, runs=RUNS, at_once=1, far=None, count=True, denies=False, engine=None):
    """Measures one command; far is the same command with its registry 20 ms away, from which the sequential round trips follow."""
    before = engine_cpu_us(engine) if engine else 0
    seen = measure(command, "-n", str(runs), "-j", str(at_once))
    if engine:
        seen["cpu_us"] += (engine_cpu_us(engine) - before) // (runs + 2)  # measure warms up with two
    if denies:
        seen["ok"] = seen["runs"] - seen["ok"]
    if seen["ok"] != seen["runs"]:
        print(f"      {name}: {seen['ok']} of {seen['runs']} runs succeeded", flush=True)
        show = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        print("      " + (show.stdout + show.stderr).strip()[:400], flush=True)
    result = {"name": name, "wall": seen["wall_us"], "cpu": seen["cpu_us"], "ok": seen["ok"] == seen["runs"], "total": seen["total_us"],
              "runs": runs, "rss": seen["rss_kib"], "sum": None, "requests": None, "trips": None, "far": None}
    if at_once == 1:
        traced = measure(command, "-s")
        result["sum"] = traced["rss_sum_kib"]
        result["processes"] = traced["processes"]
    if count and at_once == 1:
        result["requests"] = count_requests(command)
    if far:
        near, away = (measure([part.replace(REGISTRY, proxy(d)) for part in far], "-n", str(max(5, runs // 4))) for d in (0, 20))
        result["far"] = away["wall_us"]
        if near["ok"] == near["runs"] and away["ok"] == away["runs"]:
            result["trips"] = (away["wall_us"] - near["wall_us"]) / 20000
    ROWS.append(result)
    print("      " + line(result), flush=True)
    return result


HEAD = f"{'':44} {'wall ms':>9} {'CPU ms':>8} {'peak MiB':>9} {'all MiB':>8} {'requests':>8} {'20 ms away':>10} {'trips':>6}"


def line(r):
    def num(value, form, scale=1):
        return "–" if value is None else format(value / scale, form)
    return (f"{r['name']:44} {num(r['wall'], '9.2f', 1000):>9} {num(r['cpu'], '8.2f', 1000):>8} {num(r['rss'], '9.1f', 1024):>9} "
            f"{num(r['sum'], '8.1f', 1024):>8} {num(r['requests'], '8.0f'):>8} {num(r['far'], '10.1f', 1000):>10} {num(r['trips'], '6.1f'):>6}"
            + ("" if r["ok"] else "  (failed)"))


def settings(text):
    with open(f"{NODE}/etc/pullguard/pullguard.yaml", "w", encoding="ascii") as out:
        out.write(text)


def policies(count, annotations=True):
    """One policy that decides and count - 1 about other images."""
    folder = f"{NODE}/etc/pullguard/policy.d"
    for old in os.listdir(folder):
        os.unlink(f"{folder}/{old}")
    with open(f"{KEYS}/good.pub", encoding="ascii") as text:
        pem = text.read().replace("\n", "\n          ").rstrip()
    for first in range(0, count, 100):
        with open(f"{folder}/bench-{first:05}.yaml", "w", encoding="ascii") as out:
            for number in range(first, min(count, first + 100)):
                globs = [f"registry-{number}.example/**"]
                if number == count - 1:
                    globs = [f"{REGISTRY}/bench/**", f"{proxy(0)}/bench/**", f"{proxy(20)}/bench/**"]
                out.write("---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\n"
                          f"metadata: {{name: bench-{number}}}\nspec:\n  images:\n")
                for glob in globs:
                    out.write(f'    - glob: "{glob}"\n')
                out.write(f"  authorities:\n    - key:\n        data: |\n          {pem}\n")
                if annotations:
                    out.write('      annotations: {repo: "holilabs/holilabsv2", environment: "production"}\n')


def decide(repo):
    return [VERIFIER, "--root", NODE, "-name", f"{REGISTRY}/{repo}:v1", "-digest", digest_of(repo),
            "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"]


def cosign_verify(repo):
    return [COSIGN, "verify", "--key", f"{KEYS}/good.pub", "--insecure-ignore-tlog=true", "-a", "repo=holilabs/holilabsv2",
            "-a", "environment=production", f"{REGISTRY}/{repo}@{digest_of(repo)}"]


def section(title):
    ROWS.append({"title": title})
    print(f"      {title}", flush=True)


def cold():
    section("one decision, nothing kept (a process, its children, the registry on loopback)")
    settings(NO_CACHE)
    policies(1)
    row("/bin/true", ["/bin/true"], runs=200, count=False)
    for layout in ("legacy", "bundle"):
        name = {"legacy": ".sig tag", "bundle": "bundle"}[layout]
        row(f"cosign verify, {name}", cosign_verify(f"bench/{layout}"), far=cosign_verify(f"bench/{layout}"))
        row(f"pullguard, {name}", decide(f"bench/{layout}"), far=decide(f"bench/{layout}"))


def cached():
    section("the same image again")
    settings("cache: {enabled: true, life: 1h}\n")
    time.sleep(3)  # files changed this very moment are not relied on
    row("/bin/true", ["/bin/true"], runs=500, count=False)
    row("pullguard, verdict cached on disk", decide("bench/bundle"), runs=500)


def hook():
    """The hook and adapter alone: an engine that denies at once stands behind the resident engine's socket."""
    section("the hook alone (an engine that answers at once; it can only deny)")
    path = f"{NODE}/run/pullguard/engine.sock"
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    stub = subprocess.Popen([os.path.join(os.path.dirname(MEASURE), "stub_engine"), path], stdin=subprocess.DEVNULL)
    try:
        wait_socket(path)
        row("/bin/true", ["/bin/true"], runs=500, count=False)
        row("pullguard-containerd, stub engine", decide("bench/bundle"), runs=500, count=False, denies=True)
    finally:
        stub.terminate()
        stub.wait()
        os.unlink(path)


def engine_cpu_us(engine):
    """CPU time so far of the resident engine, its children and those it has waited for."""
    total, waiting = 0, [engine]
    while waiting:
        pid = waiting.pop()
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as text:
                total += sum(int(n) for n in text.read().rsplit(")", 1)[1].split()[11:15])
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
                waiting += [int(n) for n in text.read().split()]
        except OSError:
            pass
    return total * 1000000 // os.sysconf("SC_CLK_TCK")


def wait_socket(path):
    end = time.time() + 5
    while time.time() < end:
        if os.path.exists(path):
            return True
        time.sleep(0.02)
    return False


def resident():
    section("with the resident engine")
    for name, text in (("verdicts not cached", NO_CACHE), ("verdicts cached", "cache: {enabled: true, life: 1h}\n")):
        settings(text)
        engine = subprocess.Popen([ENGINE, "--resident", "--root", NODE], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            if not wait_socket(f"{NODE}/run/pullguard/engine.sock"):
                print("      no resident engine in this build", flush=True)
                return
            row(f"pullguard, bundle, {name}", decide("bench/bundle"), runs=200 if "not" not in name else RUNS,
                far=decide("bench/bundle") if "not" in name else None, engine=engine.pid)
            for at_once in (8, 64):
                r = row(f"  {at_once} at once", decide("bench/bundle"), runs=at_once * (4 if QUICK else 10), at_once=at_once,
                        engine=engine.pid)
                print(f"        {r['runs'] / (r['total'] / 1e6):.0f} decisions a second", flush=True)
        finally:
            engine.terminate()
            engine.wait()


IDENTITY = "https://github.com/example/app/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"


def keyless():
    """Stored keyless signatures with a log entry: certificate chain, SCT, inclusion proof, checkpoint."""
    section("keyless, one decision, nothing kept")
    vectors = f"{SOURCE}/tests/vectors/cosign-3.1.1"
    os.makedirs(f"{NODE}/etc/pullguard/trust", mode=0o755, exist_ok=True)
    with open(f"{vectors}/keys/mock_trusted_root.json", encoding="ascii") as root, \
            open(f"{NODE}/etc/pullguard/trust/mock.json", "w", encoding="ascii") as out:
        out.write(root.read())
    policies(1)
    with open(f"{NODE}/etc/pullguard/policy.d/keyless.yaml", "w", encoding="ascii") as out:
        out.write("apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: keyless}\nspec:\n"
                  f'  images: [{{glob: "{REGISTRY}/demo/**"}}]\n  authorities:\n    - keyless:\n        trustRootRef: mock\n'
                  f'        identities: [{{issuer: "{ISSUER}", subject: "{IDENTITY}"}}]\n      ctlog: {{trustRootRef: mock}}\n')
    settings(NO_CACHE)
    for repo in ("demo/kl-legacy", "demo/kl-bundle-r1"):
        name = ".sig tag" if "legacy" in repo else "bundle"
        row(f"cosign verify, keyless, {name}",
            [COSIGN, "verify", "--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER, "--trusted-root",
             f"{vectors}/keys/mock_trusted_root.json", f"{REGISTRY}/{repo}@{digest_of(repo)}"])
        row(f"pullguard, keyless, {name}", decide(repo))


def many_at_once():
    section("many pulls at once, an engine for each")
    settings(NO_CACHE)
    policies(1)
    for at_once in (8, 64):
        row(f"pullguard, bundle, {at_once} at once", decide("bench/bundle"), runs=at_once * 4, at_once=at_once)
        row(f"cosign verify, bundle, {at_once} at once", cosign_verify("bench/bundle"), runs=at_once * 2, at_once=at_once)


def growth():
    section("policies on the node")
    settings(NO_CACHE)
    for count in (1, 100, 10000):
        policies(count)
        row(f"pullguard, bundle, {count} policies", decide("bench/bundle"), runs=RUNS if count < 10000 else max(5, RUNS // 4))
    policies(1)
    section("signatures of the image, the right one last")
    for count in (1, 10, 100):
        push_many(f"bench/many-{count}", count)
        row(f"pullguard, {count} signatures", decide(f"bench/many-{count}"))
        row(f"cosign verify, {count} signatures", cosign_verify(f"bench/many-{count}"), runs=max(5, RUNS // 4))


def svg(path):
    """Wall time per row on a logarithmic scale; drawn with nothing but text."""
    import math
    bars = [r for r in ROWS if "wall" in r]
    if not bars:
        return
    left, width, step = 330, 430, 22
    low, high = 100.0, max(r["wall"] for r in bars) * 1.3

    def x(value):
        return left + width * math.log(max(value, low) / low) / math.log(high / low)
    height = step * len(bars) + 70
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="18" font-size="14">Wall time of a decision, ms (logarithmic), {time.strftime("%Y-%m-%d")}</text>']
    tick = low
    while tick <= high:
        out.append(f'<line x1="{x(tick):.1f}" y1="30" x2="{x(tick):.1f}" y2="{height - 30}" stroke="#ddd"/>'
                   f'<text x="{x(tick):.1f}" y="{height - 14}" text-anchor="middle" fill="#666">{tick / 1000:g}</text>')
        tick *= 10
    for number, r in enumerate(bars):
        y = 36 + number * step
        colour = "#b0b7c3" if r["name"].startswith("cosign") else "#5f6b7a" if r["name"].startswith("/bin") else "#2166ac"
        label = r["name"].strip().replace("&", "&amp;")
        out.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{label}</text>'
                   f'<rect x="{left}" y="{y}" width="{max(1, x(r["wall"]) - left):.1f}" height="{step - 6}" fill="{colour}"/>'
                   f'<text x="{x(r["wall"]) + 6:.1f}" y="{y + 13}" fill="#333">{r["wall"] / 1000:.1f}</text>')
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as text:
        text.write("\n".join(out) + "\n")


def table():
    lines = [f"pullguard's bench, {time.strftime('%Y-%m-%d')}, {ENV['MACHINE']}; load average of the rest before: {LOAD:.0f}",
             "Medians of wall time, means of CPU time (with all children). peak = the largest process; all = the sum of every process's peak,",
             "shared pages counted in each; 20 ms away = the same with a registry behind a proxy that delays each exchange by 20 ms;",
             "trips = sequential exchanges with the registry that follow from it (connecting counts as one). With the resident engine,",
             "CPU is the hook's plus the engine's, memory the hook's alone.", "", HEAD]
    for r in ROWS:
        lines.append(("\n" + r["title"]) if "title" in r else line(r))
    return "\n".join(lines) + "\n"


def main():
    if not os.path.exists(VERIFIER):
        print("      this tree builds no containerd verifier", flush=True)
        return
    for part in (hook, cold, cached, resident, keyless, many_at_once, growth):
        part()
    text = table()
    print("\n" + text)
    if "--store" in sys.argv:
        with open(f"{SOURCE}/tests/bench/results.txt", "w", encoding="utf-8") as out:
            out.write(text)
        svg(f"{SOURCE}/tests/bench/results.svg")


main()
