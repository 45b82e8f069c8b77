# SPDX-License-Identifier: Apache-2.0
"""The metrics file: in the form that Prometheus reads, whole at each moment, and every name in the alert rules is written."""
import os
import re
import shutil
import subprocess
import threading

from harness import SOURCE, main, want
from node import Node

FILE = "/var/log/pullguard.prom"
RULES = os.path.join(SOURCE, "packaging/prometheus/pullguard.rules.yaml")
NAME, LABELS = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r"(?:\{((?:[a-z_]+=\"(?:[^\"\\\n]|\\.)*\",?)*)\})?"


def read(node):
    """Series -> value, and name -> labels it has; fails on what is not the text format (HELP and TYPE before each family)."""
    with open(node.at(FILE), encoding="utf-8") as file:
        text = file.read()
    want(text.endswith("\n"), "ends with a line", text)
    values, labels, typed = {}, {}, set()
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            found = re.fullmatch(r"# (HELP|TYPE) (%s) (.+)" % NAME, line)
            want(found, "comment", line)
            if found.group(1) == "TYPE":
                want(found.group(2) not in typed and found.group(3) in ("counter", "gauge", "histogram"), "type", line)
                typed.add(found.group(2))
            continue
        found = re.fullmatch(r"(%s)%s (\d+(?:\.\d+)?)" % (NAME, LABELS), line)
        want(found, "sample", line)
        name = found.group(1)
        want(name in typed or re.sub(r"_(bucket|sum|count)$", "", name) in typed, "a sample without its type", line)
        want(line.rsplit(" ", 1)[0] not in values, "twice", line)
        values[line.rsplit(" ", 1)[0]] = float(found.group(3))
        labels.setdefault(name, set()).update(re.findall(r"([a-z_]+)=\"", found.group(2) or ""))
    return values, labels


def rules():
    with open(RULES, encoding="utf-8") as file:
        return "".join(line for line in file if not line.startswith("#"))


def promtool():
    return os.environ.get("PG_PROMTOOL") or shutil.which("promtool")


def test_every_name_in_the_rules_is_written():
    with Node("metrics: %s\n" % FILE) as node:
        want(node.decide("good.example/a:1") and not node.decide("bad.example/a:1"), "decisions")
        values, labels = read(node)
        want(values['pullguard_verifications_total{verdict="deny",reason="no_match",runtime="containerd"}'] == 1, "denied", values)
        want(values["pullguard_verification_duration_seconds_count"] == 2, "both timed", values)
        text = rules()
        used = set(re.findall(r"\bpullguard_[a-z_]+", text))
        want(len(used) >= 2 and used <= set(labels), "in the rules, not written: %s" % (used - set(labels)))
        for name, selector in re.findall(r"\b(pullguard_[a-z_]+)\{([^}]*)\}", text):
            asked = set(re.findall(r"([a-z]+)\s*[!=]~?", re.sub(r'"[^"]*"', "", selector)))
            want(asked <= labels[name], "%s has no %s" % (name, asked - labels[name]))
        with open(node.at(FILE), "rb") as file:
            written = file.read()
        if promtool():
            done = subprocess.run([promtool(), "check", "metrics"], input=written, capture_output=True, check=False)
            want(done.returncode == 0, "promtool check metrics", done.stdout + done.stderr)


def test_every_reason_in_the_rules_exists():
    with open(os.path.join(SOURCE, "base/reason.c"), encoding="utf-8") as file:
        known = set(re.findall(r'\[REASON_[A-Z_]+\] = "([a-z_]+)"', file.read()))
    used = {reason for texts in re.findall(r'reason[!=]~"([^"]*)"', rules()) for reason in texts.split("|")}
    want(len(used) > 5 and used <= known, "no such reason: %s" % (used - known))
    # What somebody must look at is in one rule and out of the other.
    lists = re.findall(r'verdict="deny", reason([!=])~"([^"]*)"', rules())
    want(len({names for _, names in lists}) == 1 and {sign for sign, _ in lists} == {"!", "="}, "the two lists differ", lists)


def test_rules_fire():
    if not promtool():
        return
    with Node("") as node:
        with open(RULES, encoding="utf-8") as file:
            node.write("/pullguard.rules.yaml", file.read())
        test = node.copy(os.path.join(SOURCE, "tests/cli/pullguard.rules.test.yaml"), "/test.yaml")
        for arguments in (["check", "rules", node.at("/pullguard.rules.yaml")], ["test", "rules", test]):
            done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
            want(done.returncode == 0, "promtool %s" % arguments[:2], done.stdout + done.stderr)


def test_whole_at_each_moment():
    """Readers never see half of it, and nobody's count is lost, while several count."""
    with Node("metrics: %s\n" % FILE) as node:
        node.decide("good.example/a:1")
        threads = [threading.Thread(target=lambda: [node.decide("good.example/a:1") for _ in range(10)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            read(node)
        values, _ = read(node)
        want(values["pullguard_verification_duration_seconds_count"] == 41, "counted", values)
        left = [name for name in os.listdir(node.at("/var/log")) if name not in ("pullguard.prom", "pullguard.prom.lock")]
        want(not left, "left behind: %s" % left)
        want(os.stat(node.at(FILE)).st_mode & 0o777 == 0o644, "readable for node_exporter")


def test_no_name_of_an_image_becomes_a_label():
    with Node("metrics: %s\n" % FILE) as node:
        node.decide('bad.example/a"} 1\n:1')
        for number in range(20):
            node.decide("bad.example/image-%d:1" % number)
        values, _ = read(node)
        want(len([name for name in values if name.startswith("pullguard_verifications_total")]) <= 2, "series", values)


def test_that_it_cannot_be_written_changes_no_verdict():
    for place in ("/proc/nothing/pullguard.prom", "/etc/pullguard/policy.d/all.yaml/x.prom"):
        with Node("metrics: %s\n" % place) as node:
            want(node.decide("good.example/a:1") and not node.decide("bad.example/a:1"), "verdicts")
    with Node("metrics: /var/log/pullguard.txt\n") as node:
        want(not node.decide("good.example/a:1"), "a name that node_exporter does not read is an error of the settings")


if __name__ == "__main__":
    main(globals())
