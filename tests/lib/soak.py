#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak.py SECONDS AT-ONCE ENGINE-PID GOOD-COMMAND... -- BAD-COMMAND...: both commands over and over, many at once, against one
resident engine; every verdict must be right, and the engine with its children may not grow in memory or descriptors."""
import os
import subprocess
import sys
import time


def family(pid):
    found = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
            for child in text.read().split():
                found += family(int(child))
    except OSError:
        pass
    return found


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def memory_kib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as text:
            for line in text:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def main():
    seconds, at_once, engine = (int(word) for word in sys.argv[1:4])
    rest = sys.argv[4:]
    split = rest.index("--")
    commands = {0: rest[:split], 1: rest[split + 1:]}
    counts = {"right": 0, "wrong": 0}
    running = []
    samples = []
    end = time.time() + seconds
    next_sample = time.time() + seconds / 4
    number = 0
    while time.time() < end or running:
        while len(running) < at_once and time.time() < end:
            kind = number % 2
            number += 1
            running.append((kind, subprocess.Popen(commands[kind], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL)))
        kind, process = running.pop(0)
        counts["right" if process.wait() == kind else "wrong"] += 1
        if time.time() >= next_sample and time.time() < end:
            samples.append((descriptors(engine), memory_kib(engine)))
            next_sample += seconds / 40
    time.sleep(1)
    after = (descriptors(engine), memory_kib(engine))
    third = max(1, len(samples) // 3)
    early = max(m for _, m in samples[:third])
    late = max(m for _, m in samples[-third:])
    print(f"{counts['right']} right, {counts['wrong']} wrong; engine memory {early} KiB early, {late} KiB late; descriptors "
          f"{max(d for d, _ in samples)} at most, {after[0]} afterwards; {len(family(engine))} processes")
    return 0 if counts["wrong"] == 0 and counts["right"] > at_once and late <= early * 1.2 + 1024 and after[0] <= 40 else 1


sys.exit(main())
