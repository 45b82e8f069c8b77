# SPDX-License-Identifier: Apache-2.0
"""What the bench says: the table as text, the aims with what was measured, and a drawing."""
import math
import time

from lab import ENV, HEAD, LOAD, ROWS, SEEN, line


# ---- aims ----------------------------------------------------------------------------------------------------------------

def ratio(over, under, what):
    """over/under of one measured quantity; None when a row is missing or failed."""
    a, b = SEEN.get(over), SEEN.get(under)
    if not a or not b or not a["ok"] or not b["ok"] or not a[what] or not b[what]:
        return None
    return a[what] / b[what]


def worst(*ratios):
    return None if None in ratios else min(ratios)


def growth_ratio(kind, counts):
    """CPU time of each further one in the upper half, as a multiple of the lower half's: about 1 when the cost is linear."""
    rows = [SEEN.get(f"{kind}.{count}") for count in counts]
    if None in rows or not all(r["ok"] for r in rows):
        return None
    first, second = ((rows[i + 1]["cpu"] - rows[i]["cpu"]) / (counts[i + 1] - counts[i]) for i in (0, 1))
    return second / first if first > 0 else None


def rate_ratio(key):
    return SEEN[key]["ratio"] if key in SEEN and SEEN[key]["ok"] else None


def aims():
    """(what, measured, sign, aim): sign ">" at least, "<" at most, "" = no aim, for comparison."""
    cold = ("legacy", "bundle")
    hits = ratio("hit.pullguard", "hit.true", "wall")
    memory = [ratio(f"cold.pullguard.{layout}", f"cold.cosign.{layout}", "all") for layout in cold]
    return [
        ("hit: wall time, multiple of /bin/true's", hits, "<", 2),
        ("hit: times faster than cosign verify", ratio("cold.cosign.bundle", "hit.pullguard", "wall"), ">", 20),
        ("cold: times less wall time than cosign (worse layout)",
         worst(*(ratio(f"cold.cosign.{x}", f"cold.pullguard.{x}", "wall") for x in cold)), ">", 3),
        ("cold: times less CPU time than cosign (worse layout)",
         worst(*(ratio(f"cold.cosign.{x}", f"cold.pullguard.{x}", "cpu") for x in cold)), ">", 3),
        ("warm resident engine: times faster than cosign, verdict kept", ratio("cold.cosign.bundle", "warm.kept", "wall"), ">", 20),
        ("warm resident engine: the same, verdict not kept", ratio("cold.cosign.bundle", "warm.anew", "wall"), "", None),
        ("resident engine, verdicts kept: part of bare ECDSA", rate_ratio("rate.kept"), ">", 0.5),
        ("judge alone, evidence in memory: part of bare ECDSA", rate_ratio("rate.judge"), ">", 0.5),
        ("resident engine, verdicts not kept: part of bare ECDSA", rate_ratio("rate.anew"), "", None),
        ("memory, cold: part of cosign's, all processes (worse layout)", None if None in memory else max(memory), "<", 1 / 8),
        ("memory, hit: part of cosign's", ratio("hit.pullguard", "cold.cosign.bundle", "all"), "<", 1 / 8),
        ("CPU per policy, 100 to 10000, as a multiple of 1 to 100", growth_ratio("policies", (1, 100, 10000)), "<", 1.5),
        ("CPU per signature, 100 to 400, as a multiple of 10 to 100", growth_ratio("signatures", (10, 100, 400)), "<", 1.5),
        ("large SBOM: times less wall time than cosign (worse layout)",
         worst(*(ratio(f"sbom.cosign.{x}", f"sbom.pullguard.{x}", "wall") for x in cold)), "", None),
        ("large SBOM: times less memory than cosign (worse layout)",
         worst(*(ratio(f"sbom.cosign.{x}", f"sbom.pullguard.{x}", "all") for x in cold)), "", None),
    ]


def aim_line(what, measured, sign, aim):
    if measured is None:
        return f"{what:64} not measured"
    wanted = {">": "at least", "<": "at most"}.get(sign)
    if not wanted:
        return f"{what:64} {measured:8.2f}"
    met = measured >= aim if sign == ">" else measured <= aim
    return f"{what:64} {measured:8.2f}   {wanted + f' {aim:g}':16} {'met' if met else 'missed'}"


# ---- text ----------------------------------------------------------------------------------------------------------------

def table():
    lines = [f"pullguard's bench, {time.strftime('%Y-%m-%d')}, {ENV['MACHINE']}; load average of the rest before: {LOAD:.0f}",
             "Medians of wall time, means of CPU time (with all children). peak = the largest process, shared pages and all; all = the sum",
             "of every process's peak, shared pages divided among those who share them; 20 ms away = the same with a",
             "registry behind a proxy that delays each exchange by 20 ms; trips = sequential exchanges with the registry, told by one that",
             "delays by 100 ms (connecting counts as one). What is compared is measured in turns. With the resident engine, CPU is the",
             "hook's plus the engine's, memory the hook's alone.",
             "", HEAD]
    lines += [line(entry) for entry in ROWS]
    lines += ["", "the aims, and what this run measured (none of them is a test)"] + [aim_line(*aim) for aim in aims()]
    return "\n".join(lines) + "\n"


# ---- drawing -------------------------------------------------------------------------------------------------------------

COLOURS = {"cosign": "#b0b7c3", "/bin/true": "#5f6b7a", "pullguard": "#2166ac"}
# What the drawing shows, from top to bottom: title of a group, then (label, key of the row).
GROUPS = [
    ("the same image again", [("/bin/true", "hit.true"), ("pullguard, verdict cached", "hit.pullguard"),
                              ("pullguard, kept by the resident engine", "warm.kept")]),
    ("first time, key", [("cosign verify", "cold.cosign.bundle"), ("pullguard", "cold.pullguard.bundle"),
                         ("pullguard, resident engine", "warm.anew")]),
    ("first time, keyless", [("cosign verify", "keyless.cosign.demo/kl-bundle-r1"), ("pullguard", "keyless.pullguard.demo/kl-bundle-r1")]),
    ("100 signatures, the right one last", [("cosign verify", "signatures.cosign.100"), ("pullguard", "signatures.100")]),
    (f"SBOM of {ENV['PG_SBOM_MIB']} MiB", [("cosign verify-attestation", "sbom.cosign.bundle"),
                                           ("pullguard verify-attestation", "sbom.pullguard.bundle")]),
    ("64 pulls at once", [("cosign verify", "many.cosign.64"), ("pullguard", "many.pullguard.64"),
                          ("pullguard, resident engine", "warm.anew.64")]),
]
LEFT, WIDTH, STEP, LOW_US = 260, 430, 20, 500.0


def bars():
    """(text of a group or None, label, row) for what was measured."""
    for title, rows in GROUPS:
        found = [(label, SEEN[key]) for label, key in rows if key in SEEN]
        if found:
            yield title, None, None
        for label, entry in found:
            yield None, label, entry


def colour(label):
    return next(value for start, value in COLOURS.items() if label.startswith(start))


def bar(y, label, entry, x):
    said = f"{entry['wall'] / 1000:.1f}" + (f" · {entry['all'] / 1024:.{0 if entry['all'] > 10240 else 1}f} MiB" if entry["all"] else "")
    return (f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{label}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{max(1, x(entry["wall"]) - LEFT):.1f}" height="{STEP - 5}" fill="{colour(label)}"/>'
            f'<rect x="{LEFT}" y="{y + STEP - 9}" width="{max(1, x(entry["cpu"]) - LEFT):.1f}" height="4" opacity="0.45"/>'
            f'<text x="{x(entry["wall"]) + 6:.1f}" y="{y + 12}" fill="#333">{said}</text>')


def svg(path):
    """Wall and CPU time of what matters, on a logarithmic scale; drawn with nothing but text."""
    rows = list(bars())
    walls = [entry["wall"] for _, _, entry in rows if entry]
    if not walls:
        return
    high = max(walls) * 1.5

    def x(value):
        return LEFT + WIDTH * math.log(max(value, LOW_US) / LOW_US) / math.log(high / LOW_US)
    height = STEP * len(rows) + 80
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 130}" height="{height}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="18" font-size="14">Wall time of a decision, ms (logarithmic; dark: CPU time), {time.strftime("%Y-%m-%d")}</text>']
    tick = 1000.0
    while tick <= high:
        out.append(f'<line x1="{x(tick):.1f}" y1="28" x2="{x(tick):.1f}" y2="{height - 34}" stroke="#ddd"/>'
                   f'<text x="{x(tick):.1f}" y="{height - 20}" text-anchor="middle" fill="#666">{tick / 1000:g}</text>')
        tick *= 10
    for number, (title, label, entry) in enumerate(rows):
        y = 32 + number * STEP
        if title:
            out.append(f'<text x="10" y="{y + 14}" font-weight="bold">{title}</text>')
            continue
        out.append(bar(y, label, entry, x))
    rates = [f"{what} {rate_ratio(key):.2f}" for what, key in (("judge", "rate.judge"), ("resident engine, verdicts kept", "rate.kept"))
             if rate_ratio(key) is not None]
    if rates:
        out.append(f'<text x="10" y="{height - 4}" fill="#333">decisions a second as a part of bare ECDSA P-256: {", ".join(rates)}</text>')
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as text:
        text.write("\n".join(out) + "\n")
