#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill.py PULLS AT-ONCE GOOD-COMMAND... -- BAD-COMMAND...: runs the two commands in turn, many at once, and kills random
processes of pullguard's at random moments meanwhile. The bad command must never succeed; each must end by itself, with one line.

Prints what happened; 1 when a rule was broken. Meant for a process namespace of its own: it kills by name."""
import os
import random
import signal
import subprocess
import sys
import threading
import time

VICTIMS = ("pullguard-engin", "pullguard-fetch", "pullguard-judge")


def processes():
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as text:
                    if text.read().strip().startswith(VICTIMS):
                        yield int(pid)
            except OSError:
                pass


def killer(stop, counts, rng):
    while not stop.is_set():
        found = list(processes())
        if found:
            try:
                os.kill(rng.choice(found), signal.SIGKILL)
                counts["killed"] += 1
            except OSError:
                pass
        time.sleep(rng.uniform(0, 0.02))


def main():
    pulls, at_once = int(sys.argv[1]), int(sys.argv[2])
    rest = sys.argv[3:]
    split = rest.index("--")
    commands = {"good": rest[:split], "bad": rest[split + 1:]}
    counts = {"killed": 0, "good allowed": 0, "good stopped": 0, "bad allowed": 0, "bad stopped": 0, "slow": 0, "words": 0}
    seed = int(os.environ.get("PG_SEED", "1"))
    stop = threading.Event()
    thread = threading.Thread(target=killer, args=(stop, counts, random.Random(seed)))
    thread.start()
    running = []
    try:
        for number in range(pulls):
            kind = "bad" if number % 2 else "good"
            running.append((kind, time.time(), subprocess.Popen(commands[kind], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                                stderr=subprocess.DEVNULL)))
            while len(running) >= at_once or (number == pulls - 1 and running):
                kind, began, process = running.pop(0)
                try:
                    out = process.communicate(timeout=15)[0]
                except subprocess.TimeoutExpired:
                    counts["slow"] += 1
                    process.kill()
                    continue
                counts[f"{kind} {'allowed' if process.returncode == 0 else 'stopped'}"] += 1
                if process.returncode not in (0, 1) or out.count(b"\n") != 1:
                    counts["words"] += 1
                    print(process.returncode, out)
    finally:
        stop.set()
        thread.join()
    print(", ".join(f"{value} {key}" for key, value in counts.items()))
    return 1 if counts["bad allowed"] or counts["slow"] or counts["words"] or not counts["killed"] else 0


sys.exit(main())
