# SPDX-License-Identifier: Apache-2.0
"""pullguard audit verify, on logs that engines wrote: decisions without a registry, and real rotations where logrotate is."""
import gzip
import json
import os
import shutil
import subprocess

from harness import BUILD, Root, main, want, want_code, want_text
from node import Node

LOG = "/var/log/pullguard/audit.jsonl"
SETTINGS = "audit: %s\n" % LOG


def read_lines(node):
    with open(node.at(LOG), encoding="utf-8") as file:
        return file.readlines()


def test_no_log():
    with Root() as root:
        root.write("/etc/pullguard/pullguard.yaml", "no-match: deny\n")
        result = root.run("audit", "verify")
        want_code(result, 2)
        want_text(result.err, "no audit log is kept")
    with Node(SETTINGS) as node:
        want_code(node.run("audit", "verify"), 2)


def test_whole_and_changed():
    with Node(SETTINGS) as node:
        want(node.decide("good.example/a:1") and not node.decide("bad.example/a:1") and node.decide("good.example/b:1"), "decisions")
        whole = node.run("audit", "verify", "--json")
        want_code(whole, 0)
        want(whole.json()["whole"] and whole.json()["last"] == 3 and whole.json()["torn"] == 0, "json", whole)
        want_text(node.run("audit", "verify").out, whole.json()["head"])
        lines = read_lines(node)
        for bad, words in (([lines[0], lines[1].replace("deny", "allow"), lines[2]], "line 3"), ([lines[0], lines[2]], "line 2"),
                           ([lines[0], lines[2], lines[1]], "line 2"), ([lines[0], lines[1], lines[1], lines[2]], "line 3")):
            node.write(LOG, "".join(bad))
            result = node.run("audit", "verify")
            want_code(result, 1)
            want_text(result.err, words)
            want(not node.run("audit", "verify", "--json").json()["whole"], "json")
        packed = node.write("/old.gz", gzip.compress("".join(lines[:2]).encode()))
        want_code(node.run("audit", "verify", packed), 2)
        older, newer = node.write("/older", "".join(lines[:2])), node.write("/newer", lines[2])
        want_code(node.run("audit", "verify", older, newer), 0)
        want_code(node.run("audit", "verify", older, "-", stdin=lines[2].encode()), 0)
        want_code(node.run("audit", "verify", newer, older), 1)


def test_rotation_keeps_the_chain():
    with Node(SETTINGS) as node:
        node.decide("good.example/a:1")
        os.rename(node.at(LOG), node.at(LOG + ".1"))
        node.decide("good.example/a:1")
        want(json.loads(read_lines(node)[0])["seq"] == 2, "seq %s" % read_lines(node))
        want_code(node.run("audit", "verify"), 0)
        os.unlink(node.at(LOG + ".1"))
        want_code(node.run("audit", "verify"), 0)


def test_logrotate():
    """What is installed for logrotate keeps one chain."""
    program = os.environ.get("PG_LOGROTATE") or shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin")
    if not program or os.geteuid() != 0:
        return
    with Node(SETTINGS) as node:
        with open(os.path.join(BUILD, "packaging/pullguard-logrotate"), encoding="utf-8") as file:
            text = file.read()
        want(LOG in text, "the log's place", text)
        conf = node.write("/rotate", text.replace("/var/log", node.at("/var/log")))
        for _ in range(4):
            node.decide("good.example/a:1")
            done = subprocess.run([program, "--force", "--state", node.at("/state"), conf], capture_output=True, text=True, check=False)
            want(done.returncode == 0, "logrotate", done.stderr)
        node.decide("bad.example/a:1")
        names = sorted(os.listdir(os.path.dirname(node.at(LOG))))
        want(names == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2.gz", "audit.jsonl.3.gz", "audit.jsonl.4.gz"], "%s" % names)
        want_code(node.run("audit", "verify"), 0)
        for number in (2, 3, 4):
            with gzip.open(node.at(LOG + ".%d.gz" % number)) as file:
                node.write("/unpacked.%d" % number, file.read())
        all_of_them = [node.at("/unpacked.%d" % number) for number in (4, 3, 2)] + [node.at(LOG + ".1"), node.at(LOG)]
        result = node.run("audit", "verify", "--json", *all_of_them)
        want_code(result, 0)
        want(result.json()["last"] == 5, "json", result)


if __name__ == "__main__":
    main(globals())
