#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""meson_results.py TESTLOG.json: count what a `meson test` run found and show what failed.

A program written with check counts as many tests as it ran; a program that prints its own "N passed, N failed" line
counts by that; any other counts as one. The last line is "N passed, N failed, N skipped".
"""
import json
import re
import sys

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
OWN = re.compile(r"^(\d+) passed, (\d+) failed", re.M)


def count(test):
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    text = test.get("stdout", "") + test.get("stderr", "")
    passed = failed = 0
    found = CHECK.findall(text)
    if found:
        for checks, failures, errors in found:
            failed += int(failures) + int(errors)
            passed += int(checks) - int(failures) - int(errors)
    elif OWN.search(text):
        passed, failed = (int(n) for n in OWN.findall(text)[-1])
    if good:
        return max(passed, 1), failed
    return passed, max(failed, 1)


def main():
    passed = failed = skipped = 0
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            if test["result"] == "SKIP":
                skipped += 1
                continue
            p, f = count(test)
            passed += p
            failed += f
            if f or test["result"] not in ("OK", "EXPECTEDFAIL"):
                print(f"FAIL  {test['name']}: {test['result']}, {test['duration']:.1f} s")
                text = (test.get("stdout", "") + test.get("stderr", "")).splitlines()
                lines = [l for l in text if re.search(r":[FE]:|ERROR:|runtime error|FAIL", l)] or text
                for l in lines[:15] + text[-10:]:
                    print("      | " + l)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
