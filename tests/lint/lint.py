#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the house rules that a compiler does not: tests/lint/lint.py CHECK SOURCE-DIR [BUILD-DIR].

Each check prints its findings as path:line: text, then "N findings", and ends with 1 when there are any.
With "all" for CHECK every one is run. tests/lint/README.md says what each is for.
"""
import os
import re
import subprocess
import sys
from typing import Iterator, NamedTuple

ROOMS = ("base", "crypto", "verifier", "policy", "plugin")


class Finding(NamedTuple):
    path: str
    line: int
    text: str


class Tree:
    """The source tree: every text file but build directories and test data."""

    DATA = ("tests/vectors/", "tests/fuzz/corpus/", ".git/")

    def __init__(self, root: str, build: str):
        self.root = root
        self.build = build
        self.cache: dict[str, str] = {}
        self.paths = sorted(self._walk())

    def _walk(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root):
            relative = os.path.relpath(folder, self.root)
            relative = "" if relative == "." else relative + "/"
            folders[:] = [name for name in folders
                          if not name.startswith("build") and name not in (".git", "__pycache__")]
            if not relative:
                folders[:] = [name for name in folders if name in ROOMS + ("packaging", "tests", ".ci")]
            for name in files:
                if name != ".git" and not (relative + name).startswith(self.DATA):
                    yield relative + name

    def read(self, path: str) -> str:
        if path not in self.cache:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
                self.cache[path] = file.read()
        return self.cache[path]

    def c_files(self, *folders: str) -> list[str]:
        return [path for path in self.paths if path.endswith((".c", ".h"))
                and (not folders or path.split("/")[0] in folders)]


def without_comments(text: str, strings_too: bool = False) -> str:
    """Comments (and, when asked, the insides of strings) become blanks; lines stay where they are."""
    pattern = r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(match: re.Match[str]) -> str:
        part = match.group(0)
        if part.startswith("/*"):
            return re.sub(r"[^\n]", " ", part)
        if strings_too:
            return part[0] + " " * (len(part) - 2) + part[-1]
        return part

    return re.sub(pattern, blank, text, flags=re.S)


def search(tree: Tree, paths: list[str], pattern: str, text: str, strings: bool = False) -> Iterator[Finding]:
    """Each match of pattern in code; with strings, in string literals as well."""
    expression = re.compile(pattern)
    for path in paths:
        for number, line in enumerate(without_comments(tree.read(path), not strings).split("\n"), 1):
            match = expression.search(line)
            if match:
                yield Finding(path, number, text.format(match.group(0).strip()))


# Who may include whom (design, "The rooms").
MAY_INCLUDE = {
    "base": ("base/",),
    "crypto": ("base/", "crypto/"),
    "verifier": ("base/", "crypto/", "verifier/"),
    "policy": ("base/", "crypto/", "policy/", "verifier/claims.h", "verifier/ref.h"),
    "plugin": ("base/", "crypto/", "verifier/", "policy/", "plugin/"),
    "tests": ("base/", "crypto/", "verifier/", "policy/", "plugin/", "tests/"),
    "packaging": (),
}
GENERATED = ("config.h",)
# The judge's side of the verifier knows nothing of the network's.
VERIFIER_NETWORK = ("verifier/fetch/", "verifier/mirrors/")

# The only home of each library; tests may use the same ones.
HOMES = {
    r"yajl/": ("base/",),
    r"yaml\.h": ("base/",),
    r"openssl/": ("crypto/", "tests/"),
    r"sodium\.h": ("crypto/", "tests/"),
    r"curl/": ("verifier/fetch/",),
    r"seccomp\.h": ("plugin/",),
    r"systemd/": ("plugin/",),
    r"linux/landlock\.h": ("plugin/",),
    r"protobuf-c/": ("plugin/",),
    r"(.*/)?crun/|libcrun/": ("plugin/crun/",),
    r"check\.h": ("tests/",),
}
LIBC = re.compile(r"^(sys/[a-z]+|netinet/(in|tcp)|arpa/inet|linux/[a-z_]+|[a-z0-9]+)\.h$")


def check_includes(tree: Tree) -> Iterator[Finding]:
    for path in tree.c_files():
        room = path.split("/")[0]
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            name = match.group(2)
            if match.group(1) == '"':
                if name in GENERATED or name.endswith(".pb-c.h"):
                    continue
                if not os.path.exists(os.path.join(tree.root, name)):
                    yield Finding(path, number, f'"{name}" is not written from the root')
                elif not name.startswith(MAY_INCLUDE.get(room, ())):
                    yield Finding(path, number, f'{room}/ may not include "{name}"')
                elif (room == "verifier" and name.startswith(VERIFIER_NETWORK)
                      and not path.startswith(VERIFIER_NETWORK)):
                    yield Finding(path, number, f'the judge\'s side may not include "{name}"')
                continue
            homes = [places for library, places in HOMES.items() if re.match(library, name)]
            if homes and not path.startswith(homes[0]):
                yield Finding(path, number, f"<{name}> has its home in {', '.join(homes[0])}")
            elif not homes and not LIBC.match(name):
                yield Finding(path, number, f"<{name}> is a library without a home in this test's table")


BANNED = (
    (r"\b(strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|strtok|strtok_r|gets|fgets|alloca)\s*\(",
     "{} is banned: base/buf.h, base/span.h and snprintf"),
    (r"\b(ato[ifl]|atoll|strto[a-z]+)\s*\(", "{} is banned: span_to_u64, node_int, time_parse"),
    (r"\b(system|popen|wordexp)\s*\(", "{} is banned: no shell"),
    (r"\b(tmpnam|tempnam|mktemp|tmpfile)\s*\(", "{} is banned: mkostemp"),
    (r"\b(gmtime|localtime|mktime|ctime|asctime|strftime)(_r)?\s*\(",
     "{} is banned: base/clock.h (time zones open files, which no sandbox allows)"),
    (r"\b(setlocale|setenv|putenv|unsetenv|umask|chdir)\s*\(", "{} is banned: it changes the process for everybody"),
)
# base/mem.c is where memory comes from.
ALLOCATES = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf)\s*\(")


def check_banned(tree: Tree) -> Iterator[Finding]:
    product = tree.c_files(*ROOMS)
    allowed = load_allowed(tree, "banned")
    for pattern, text in BANNED:
        for finding in search(tree, tree.c_files(), pattern, text):
            if not is_allowed(allowed, finding, tree):
                yield finding
    for path in product:
        if path in ("base/mem.c", "base/buf.c"):
            continue
        for number, line in enumerate(without_comments(tree.read(path), True).split("\n"), 1):
            match = ALLOCATES.search(line)
            finding = Finding(path, number, f"{match.group(1) if match else ''}( is banned: base/mem.h")
            if match and not is_allowed(allowed, finding, tree):
                yield finding


def load_allowed(tree: Tree, check: str) -> list[tuple[str, str]]:
    """tests/lint/allowed.txt: check, path, a part of the line; each with its reason on a comment line above."""
    entries = []
    for line in tree.read("tests/lint/allowed.txt").split("\n"):
        parts = line.split(None, 2)
        if len(parts) == 3 and parts[0] == check:
            entries.append((parts[1], parts[2]))
    return entries


def is_allowed(entries: list[tuple[str, str]], finding: Finding, tree: Tree) -> bool:
    line = tree.read(finding.path).split("\n")[finding.line - 1]
    return any(path == finding.path and part in line for path, part in entries)


def check_environment(tree: Tree) -> Iterator[Finding]:
    allowed = load_allowed(tree, "environment")
    for finding in search(tree, tree.c_files(), r"(?<!secure_)\bgetenv\s*\(", "{} is banned: secure_getenv"):
        yield finding
    below = tree.c_files("base", "crypto", "verifier", "policy")
    for pattern in (r"\bsecure_getenv\s*\(", r"\benviron\b"):
        for finding in search(tree, below, pattern, "{}: the environment is plugin/'s business"):
            if not is_allowed(allowed, finding, tree):
                yield finding


def check_output(tree: Tree) -> Iterator[Finding]:
    """Folders below plugin/ never print, log, exit or abort."""
    below = tree.c_files("base", "crypto", "verifier", "policy")
    pattern = (r"(?<!\w)(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror|dprintf|syslog|vsyslog|"
               r"sd_journal_\w+|exit|_exit|_Exit|quick_exit|abort|assert)\s*\(|# *include *<(err|error|assert|syslog)\.h>")
    yield from search(tree, below, pattern, "{}: below plugin/ nothing prints, logs or exits")


def check_verdict(tree: Tree) -> Iterator[Finding]:
    """Design rule 1: allow is made in exactly one function."""
    carriers = ("plugin/verdict.h", "plugin/message.c", "plugin/cache/cache.c")
    judge = "plugin/engine/judge.c"
    homes = {
        r"\bVERDICT_WIRE_ALLOW\b": carriers + (judge, "plugin/hook/hook.c"),
        r"\bverdict_from_wire\s*\(": carriers,
        r"\bvalue_\b": ("plugin/verdict.h",),
        r"0x616c6c6f": ("plugin/verdict.h", "plugin/hook/pullguard.h"),
        r"\{\s*(\.value_\s*=\s*)?VERDICT_WIRE_ALLOW|(?<![=!<>])=\s*VERDICT_WIRE_ALLOW": (judge, "plugin/verdict.h"),
    }
    product = tree.c_files(*ROOMS)
    for pattern, places in homes.items():
        for finding in search(tree, product, pattern, "{}: only in " + ", ".join(places)):
            if finding.path not in places:
                yield finding
    makers = list(search(tree, [judge], r"\bVERDICT_WIRE_ALLOW\b", ""))
    if len(makers) != 1:
        yield Finding(judge, makers[1].line if makers else 1, f"makes allow in {len(makers)} places, not in one")


def check_spdx(tree: Tree) -> Iterator[Finding]:
    for path in tree.paths:
        name = path.split("/")[-1]
        text = tree.read(path)
        source = (path.endswith((".c", ".h", ".py", ".sh", ".map", ".dict", ".proto")) or name.startswith("meson")
                  or text.startswith("#!"))
        if source and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.split("\n")[:3]):
            yield Finding(path, 1, "no SPDX line at the top")


# Where a build machine or a package registry would show. Written so that this file does not find itself.
MACHINE = (r"/wo" r"rk/(wt|main|shared|notes|\.)", r"/ro" r"ot/", r"/ho" r"me/[a-z]", r"(pypi|crates|npmjs|rubygems|proxy\.golang)\."
           r"(org|io|com)", r"deb\.debian\.org")


def check_paths(tree: Tree) -> Iterator[Finding]:
    allowed = load_allowed(tree, "paths")
    for path in tree.paths:
        if path == "tests/lint/allowed.txt":
            continue
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            for pattern in MACHINE:
                match = re.search(pattern, line)
                finding = Finding(path, number, f"{match.group(0) if match else ''}: of one machine, or a registry")
                if match and not is_allowed(allowed, finding, tree):
                    yield finding
            if tree.root in line:
                yield Finding(path, number, "the path of this source tree")


def check_layout(tree: Tree) -> Iterator[Finding]:
    for path in tree.paths:
        c_file = path.endswith((".c", ".h"))
        code = c_file or path.endswith((".py", ".sh")) or path.split("/")[-1] == "meson.build"
        if not code:
            continue
        lines = tree.read(path).split("\n")
        if lines and lines[-1] != "":
            yield Finding(path, len(lines), "no newline at the end")
        for number, line in enumerate(lines, 1):
            if len(line) > 120 and c_file:
                yield Finding(path, number, f"{len(line)} characters: at most 120")
            if "\t" in line and c_file:
                yield Finding(path, number, "a tab")
            if line != line.rstrip():
                yield Finding(path, number, "white space at the end")
            if re.search(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", line):
                yield Finding(path, number, "left to do")
        if c_file:
            for number, line in enumerate(without_comments(tree.read(path), True).split("\n"), 1):
                if "//" in line:
                    yield Finding(path, number, "// comment")


def check_descriptors(tree: Tree) -> Iterator[Finding]:
    """Every descriptor is made close-on-exec in the call that makes it."""
    allowed = load_allowed(tree, "descriptors")
    makers = re.compile(r"(?<![\w.>])(open|openat|socket|socketpair|accept4|pipe2|mkostemp|memfd_create|epoll_create1|"
                        r"eventfd|signalfd|timerfd_create|inotify_init1|fopen|fdopen|accept|pipe|dup|mkstemp|creat)\s*\(")
    for path in tree.c_files(*ROOMS):
        text = without_comments(tree.read(path))
        for match in makers.finditer(without_comments(tree.read(path), True)):
            statement = text[match.start():match.start() + 300].split(";")[0]
            number = text.count("\n", 0, match.start()) + 1
            name = match.group(1)
            finding = Finding(path, number, f"{name} without CLOEXEC")
            fine = re.search(r'_CLOEXEC|"[a-z+]*e[a-z+]*"', statement) or name == "fdopen"
            if (not fine or name in ("accept", "pipe", "dup", "mkstemp", "creat")) and not is_allowed(allowed, finding, tree):
                yield finding


FUNCTION_MAX, FILE_MAX = 60, 800


def sizes(tree: Tree) -> dict[str, tuple[int, int]]:
    """What is larger than the house likes: "path" or "path:function" -> (lines, at line)."""
    found = {}
    for path in tree.c_files():
        lines = tree.read(path).split("\n")
        if len(lines) - 1 > FILE_MAX:
            found[path] = (len(lines) - 1, 1)
        start = None
        for number, line in enumerate(lines):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                length = number - start + 1
                if length > FUNCTION_MAX:
                    found[f"{path}:{function_name(lines, start)}"] = (length, start + 1)
                start = None
    return found


def function_name(lines: list[str], brace: int) -> str:
    for number in range(brace - 1, max(brace - 12, -1), -1):
        match = re.match(r"^[A-Za-z_].*?(\w+)\(", lines[number])
        if match:
            return match.group(1)
    return "?"


def check_sizes(tree: Tree) -> Iterator[Finding]:
    """A ratchet: tests/lint/sizes.txt holds the exceptions, and may only shrink."""
    exceptions = {}
    for line in tree.read("tests/lint/sizes.txt").split("\n"):
        if line and not line.startswith("#"):
            limit, name = line.split()
            exceptions[name] = int(limit)
    found = sizes(tree)
    for name, (length, line) in found.items():
        limit = exceptions.get(name, FILE_MAX if ":" not in name else FUNCTION_MAX)
        if length > limit:
            yield Finding(name.split(":")[0], line, f"{name.split(':')[-1]}: {length} lines, at most {limit}")
    for name, limit in exceptions.items():
        if name not in found:
            yield Finding("tests/lint/sizes.txt", 1, f"{name} is small now: take its line out")
        elif found[name][0] < limit:
            yield Finding("tests/lint/sizes.txt", 1, f"{name} has {found[name][0]} lines now: lower its limit of {limit}")


def check_exports(tree: Tree) -> Iterator[Finding]:
    """What libpullguard.so exports is its version map, and what the map names is declared in the header."""
    wanted = set(re.findall(r"^\s+(pullguard_\w+);", tree.read("plugin/hook/pullguard.map"), re.M))
    header = without_comments(tree.read("plugin/hook/pullguard.h"), True)
    for name in sorted(wanted):
        if not re.search(rf"\b{name}\b", header):
            yield Finding("plugin/hook/pullguard.map", 1, f"{name} is not in the header")
    library = os.path.join(tree.build, "plugin/hook/libpullguard.so") if tree.build else ""
    if not os.path.exists(library):
        return
    table = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in table.splitlines() if line.split()[-2] != "A"}
    for name in sorted(exported ^ wanted):
        state = "exported, not in the map" if name in exported else "in the map, not exported"
        yield Finding("plugin/hook/pullguard.map", 1, f"{name}: {state}")
    needed = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
    for name in re.findall(r"\(NEEDED\).*\[(.*)\]", needed):
        if name not in ("libc.so.6", "libasan.so.8", "libubsan.so.1", "libm.so.6") and not name.startswith("ld-linux"):
            yield Finding("plugin/hook/meson.build", 1, f"the hook needs {name}: libc only")


def check_tests(tree: Tree) -> Iterator[Finding]:
    """Every unit test program is registered."""
    registered = tree.read("tests/unit/meson.build")
    for path in tree.paths:
        name = path.split("/")[-1]
        if path.startswith("tests/unit/test_") and path.endswith(".c") and f"'{name}'" not in registered:
            yield Finding(path, 1, "not in tests/unit/meson.build")
    fuzz = tree.read("tests/fuzz/meson.build")
    for path in tree.paths:
        match = re.match(r"tests/fuzz/fuzz_(\w+)\.c$", path)
        if match and f"'{match.group(1)}'" not in fuzz:
            yield Finding(path, 1, "not in tests/fuzz/meson.build")


def covered_cells(tree: Tree) -> Iterator[tuple[int, str, str]]:
    """Line, row and column of everything that README's section "What is covered" claims."""
    header: list[str] = []
    inside = False
    for number, line in enumerate(tree.read("README.md").split("\n"), 1):
        if line.startswith("## "):
            inside = line == "## What is covered"
        if not inside:
            continue
        if line[:1] in "¹²³⁴⁵" and line[:1]:
            yield number, line[0], "footnote"
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not header:
            header = cells
        elif set(line) - set("|-"):
            for column, cell in list(zip(header, cells))[1:]:
                if cell != "–" and column != "switched on with":
                    yield number, cells[0], column


def check_coverage(tree: Tree) -> Iterator[Finding]:
    """Every claim of README's tables of coverage has a check, and every check named for one exists."""
    path = "tests/coverage.txt"
    shown = set()
    for number, line in enumerate(tree.read(path).split("\n"), 1):
        parts = line.split(" | ", 2)
        if not line or line.startswith("#"):
            continue
        if len(parts) != 3:
            yield Finding(path, number, "want row | column | file: words")
            continue
        shown.add((parts[0], parts[1]))
        file, _, words = parts[2].partition(": ")
        if parts[2] != "said" and ("tests/" + file not in tree.paths or words not in tree.read("tests/" + file)):
            yield Finding(path, number, f"no such check: {parts[2]}")
    claimed = {(row, column): number for number, row, column in covered_cells(tree)}
    for cell in claimed.keys() - shown:
        yield Finding("README.md", claimed[cell], f'nothing in {path} shows "{cell[0]}", "{cell[1]}"')
    for row, column in shown - claimed.keys():
        yield Finding(path, 1, f'README claims nothing about "{row}", "{column}"')


CHECKS = {
    "includes": check_includes,
    "banned": check_banned,
    "environment": check_environment,
    "output": check_output,
    "verdict": check_verdict,
    "spdx": check_spdx,
    "paths": check_paths,
    "layout": check_layout,
    "descriptors": check_descriptors,
    "sizes": check_sizes,
    "exports": check_exports,
    "tests": check_tests,
    "coverage": check_coverage,
}


def main() -> int:
    if len(sys.argv) < 3 or sys.argv[1] not in list(CHECKS) + ["all"]:
        print(__doc__)
        return 2
    tree = Tree(os.path.abspath(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
    count = 0
    for name in CHECKS if sys.argv[1] == "all" else [sys.argv[1]]:
        for finding in CHECKS[name](tree):
            print(f"{finding.path}:{finding.line}: {finding.text}")
            count += 1
    print(f"{count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
