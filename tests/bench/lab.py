# SPDX-License-Identifier: Apache-2.0
"""What the bench's sections share: the registry's content, the node's rules, commands, and how one row is measured."""
import base64
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request

ENV = os.environ
WORK, NODE, KEYS, SOURCE = ENV["PG_WORK"], ENV["PG_NODE"], ENV["PG_KEYS"], ENV["PG_SOURCE"]
REGISTRY, TOOLS, COSIGN = ENV["REGISTRY_ADDR"], ENV["PG_BENCH_TOOLS"], ENV["COSIGN"]
LIBEXEC, PULLGUARD = ENV["PG_LIBEXEC"], f"{ENV['PG_PREFIX']}/bin/pullguard"
VERIFIER = ENV.get("PG_TEST_VERIFIER") or f"{LIBEXEC}/pullguard-containerd"
ENGINE = f"{LIBEXEC}/pullguard-engine"
QUICK = "--quick" in sys.argv
RUNS = 10 if QUICK else 40
ROUNDS = 5
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
NO_CACHE = "cache: {enabled: false}\n"
CACHE = "cache: {enabled: true, life: 1h}\n"
LOAD = os.getloadavg()[0]
# What was measured, in order: rows, rates and section titles. SEEN finds a row or a rate by its key.
ROWS = []
SEEN = {}


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
    out = subprocess.run([f"{TOOLS}/measure", *options, "--", *command], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def show_failure(name, seen, command):
    print(f"      {name}: {seen['ok']} of {seen['runs']} runs succeeded", flush=True)
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    print("      " + (run.stdout[:2000] + run.stderr).strip()[:400], flush=True)


def far_away(command, runs):
    """The command with its registry 20 ms away: its wall time; and what a registry 100 ms away adds tells its round trips."""
    near, away = (measure([part.replace(REGISTRY, proxy(d)) for part in command], "-n", str(max(5, runs // n)))
                  for d, n in ((20, 4), (100, 8)))
    trips = (away["wall_us"] - near["wall_us"]) / 80000 if near["ok"] == near["runs"] and away["ok"] == away["runs"] else None
    return near["wall_us"], trips


def in_turns(commands, runs):
    """What is compared is measured in turns: a machine whose speed drifts is then the same to all. The median of the rounds'
    medians, the mean of their means."""
    rounds = [[measure(command, "-n", str(runs // ROUNDS), "-w", "1") for command in commands] for _ in range(ROUNDS)]
    merged = []
    for parts in zip(*rounds):
        merged.append({"wall_us": statistics.median(part["wall_us"] for part in parts),
                       "cpu_us": statistics.mean(part["cpu_us"] for part in parts), "rss_kib": max(part["rss_kib"] for part in parts),
                       **{member: sum(part[member] for part in parts) for member in ("ok", "runs", "total_us")}})
    return merged


def compare(*rows, runs=RUNS, far=False, count=True):
    """Rows of (name, command, key) that belong together."""
    for (name, command, key), seen in zip(rows, in_turns([command for _, command, _ in rows], runs)):
        row(name, command, key, runs=1, warm_up=0, seen=seen, far=far and command[0] != "/bin/true",
            count=count and command[0] != "/bin/true")


def row(name, command, key=None, runs=RUNS, at_once=1, warm_up=2, far=False, count=True, denies=False, engine=None, trace=True,
        seen=None):
    """Measures one command. Without trace it is a single process, and its peak is all there is. seen: was measured already, and
    is run for the count of its requests alone."""
    before = engine_cpu_us(engine) if engine else 0
    asked = requests_seen()
    once = measure(command, "-n", str(runs), "-j", str(at_once), "-w", str(warm_up))
    seen = seen or once
    if engine:
        seen["cpu_us"] += (engine_cpu_us(engine) - before) // (runs + warm_up)
    time.sleep(0.1)
    asked = requests_seen() - asked
    if denies:
        seen["ok"] = seen["runs"] - seen["ok"]
    if seen["ok"] != seen["runs"]:
        show_failure(name, seen, command)
    result = {"name": name, "wall": seen["wall_us"], "cpu": seen["cpu_us"], "ok": seen["ok"] == seen["runs"], "total": seen["total_us"],
              "runs": runs, "rss": seen["rss_kib"], "all": None, "requests": None, "trips": None, "far": None}
    if at_once == 1:
        result["all"] = measure(command, "-s")["pss_sum_kib"] if trace else seen["rss_kib"]
    if count and at_once == 1:
        result["requests"] = round(asked / (runs + warm_up))
    if far:
        result["far"], result["trips"] = far_away(command, RUNS)
    add(result, key)
    return result


def wall(name, wall_us, key):
    """A row of which only the wall time is known."""
    add({"name": name, "wall": wall_us, "cpu": None, "rss": None, "all": None, "requests": None, "trips": None, "far": None}, key)


def rate(name, per_second, key, good=True):
    """A number of decisions (or bare verifications) a second."""
    bare = SEEN.get("rate.bare", {}).get("rate")
    add({"name": name, "rate": per_second, "ratio": per_second / bare if bare else None, "ok": good}, key)


def section(title):
    add({"title": title}, None)


def add(entry, key):
    ROWS.append(entry)
    if key:
        SEEN[key] = entry
    print("      " + line(entry).strip("\n"), flush=True)


HEAD = f"{'':46} {'wall ms':>9} {'CPU ms':>8} {'peak MiB':>9} {'all MiB':>8} {'requests':>8} {'20 ms away':>10} {'trips':>6}"


def line(entry):
    def num(value, form, scale=1):
        return "–" if value is None else format(value / scale, form)
    failed = "" if entry.get("ok", True) else "  (failed)"
    if "title" in entry:
        return "\n" + entry["title"]
    if "rate" in entry:
        return (f"{entry['name']:62} {entry['rate']:>9.0f} a second"
                + ("" if entry["ratio"] is None else f"{entry['ratio']:>8.2f} of bare ECDSA") + failed)
    return (f"{entry['name']:46} {num(entry['wall'], '9.2f', 1000):>9} {num(entry['cpu'], '8.2f', 1000):>8} "
            f"{num(entry['rss'], '9.1f', 1024):>9} {num(entry['all'], '8.1f', 1024):>8} {num(entry['requests'], '8.0f'):>8} "
            f"{num(entry['far'], '10.1f', 1000):>10} {num(entry['trips'], '6.1f'):>6}" + failed)


# ---- the node ------------------------------------------------------------------------------------------------------------

def settings(text):
    with open(f"{NODE}/etc/pullguard/pullguard.yaml", "w", encoding="ascii") as out:
        out.write(text)


def write_policies(texts):
    """These files are the node's policies, in the order of their numbers."""
    folder = f"{NODE}/etc/pullguard/policy.d"
    for old in os.listdir(folder):
        os.unlink(f"{folder}/{old}")
    for number, text in enumerate(texts):
        with open(f"{folder}/bench-{number:05}.yaml", "w", encoding="ascii") as out:
            out.write(text)


def policy(name, globs, authority):
    return ("---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\n"
            f"metadata: {{name: {name}}}\nspec:\n  images:\n" + "".join(f'    - glob: "{glob}"\n' for glob in globs)
            + f"  authorities:\n    - {authority}\n")


def key_authority(more=""):
    with open(f"{KEYS}/good.pub", encoding="ascii") as text:
        pem = text.read().replace("\n", "\n          ").rstrip()
    return f"key:\n        data: |\n          {pem}\n{more}"


SIGNED = '      annotations: {repo: "holilabs/holilabsv2", environment: "production"}\n'


def policies(count):
    """One policy that decides and count - 1 about other images, a hundred in a file."""
    ours = [f"{place}/bench/**" for place in (REGISTRY, proxy(20), proxy(100))]
    authority = key_authority(SIGNED)
    all_of_them = [policy(f"bench-{number}", ours if number == count - 1 else [f"registry-{number}.example/**"], authority)
                   for number in range(count)]
    write_policies("".join(all_of_them[first:first + 100]) for first in range(0, count, 100))


def decide(repo):
    return [VERIFIER, "--root", NODE, "-name", f"{REGISTRY}/{repo}:v1", "-digest", digest_of(repo),
            "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"]


def cosign_verify(repo):
    return [COSIGN, "verify", "--key", f"{KEYS}/good.pub", "--insecure-ignore-tlog=true", "-a", "repo=holilabs/holilabsv2",
            "-a", "environment=production", f"{REGISTRY}/{repo}@{digest_of(repo)}"]


def wait_socket(path):
    end = time.time() + 5
    while time.time() < end:
        if os.path.exists(path):
            return True
        time.sleep(0.02)
    return False


class Resident:
    """A resident engine for as long as a with statement lasts; its process id, or None when this build has none."""

    def __enter__(self):
        self.engine = subprocess.Popen([ENGINE, "--resident", "--root", NODE], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self.engine.pid if wait_socket(f"{NODE}/run/pullguard/engine.sock") else None

    def __exit__(self, *_):
        self.engine.terminate()
        self.engine.wait()


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
