# SPDX-License-Identifier: Apache-2.0
"""The frame: help, options, exit codes; and the manual page says what the program takes."""
import os
import re
import subprocess

from harness import BUILD, SOURCE, main, run, want, want_code, want_text


def commands():
    text = run("--help").out
    block = text.split("Commands:\n", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^  ([a-z][a-z-]*(?: [a-z][a-z-]*)?)(?=  |$)", block, re.M)


def help_options(command):
    text = run(*command.split(), "--help").out
    if "\nOptions:\n" not in text:
        return set()
    block = text.split("\nOptions:\n", 1)[1].split("\nOptions of every command:", 1)[0]
    found = set()
    for letter, name in re.findall(r"^  (?:-(\w), |    )--([a-z-]+)", block, re.M):
        found.add("--" + name)
        if letter:
            found.add("-" + letter)
    return found


def man_sections():
    """Command -> options, from the mdoc source that was installed."""
    with open(os.path.join(BUILD, "packaging/man/pullguard.1"), encoding="utf-8") as file:
        text = file.read()
    sections, shared = {}, []
    for part in re.split(r"^\.Ss ", text, flags=re.M)[1:]:
        head = part.split("\n", 1)[0]
        name = re.match(r"([A-Za-z][a-z-]*(?: [a-z][a-z-]*)*)", re.sub(r" (Op|Oo|Po|Ar|Fl).*", "", head)).group(1).strip()
        body = part.split("\n.Sh ", 1)[0]
        options = set()
        for line in re.findall(r"^\.It Fl (.*)$", body, re.M):
            for word in re.findall(r"(?:^|Fl )(-?[a-z][a-z-]*|\w)(?= |$)", line):
                options.add("-" + word)
        if name == "":
            continue
        sections[name] = options
        if "options of all verify commands" in body:
            shared.append(name)
    common = sections.pop("Options of all verify commands")
    for name in shared:
        sections[name] |= common
    return sections


def test_every_command_is_in_the_manual_and_nothing_else():
    known, described = set(commands()), set(man_sections())
    want(known == described, "only in the program: %s; only in the manual: %s" % (known - described, described - known))


def test_every_option_is_in_the_manual_and_nothing_else():
    sections = man_sections()
    for command in commands():
        options = help_options(command)
        want(options == sections[command], "%s: only in the program: %s; only in the manual: %s"
             % (command, options - sections[command], sections[command] - options))


def test_manual_pages_are_clean():
    folder = os.path.join(BUILD, "packaging/man")
    pages = [os.path.join(folder, name) for name in os.listdir(folder) if re.search(r"\.[1-9]$", name)]
    want(len(pages) >= 4, "pages: %s" % pages)
    if subprocess.run(["sh", "-c", "command -v mandoc"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        return
    done = subprocess.run(["mandoc", "-Tlint", *pages], capture_output=True, text=True, check=False)
    # Other packages' pages need not be installed here.
    lines = [line for line in done.stdout.split("\n") if line and "referenced manual not found" not in line]
    want(not lines, "\n".join(lines))


def test_every_setting_is_in_the_manual_and_nothing_else():
    with open(os.path.join(SOURCE, "plugin/engine/settings.c"), encoding="utf-8") as file:
        known = set(re.findall(r'^        \{"([a-z-]+)", (?:NODE_|FIELD_)', file.read(), re.M))
    with open(os.path.join(BUILD, "packaging/man/pullguard.yaml.5"), encoding="utf-8") as file:
        described = set(re.findall(r"^\.It Li ([a-z-]+) :", file.read(), re.M))
    want(len(known) > 15 and known == described, "only known: %s; only described: %s" % (known - described, described - known))


def test_help_lines_fit():
    for command in commands():
        for line in run(*command.split(), "--help").out.split("\n"):
            want(len(line) <= 125, "%s: line of %d characters: %s" % (command, len(line), line))


def test_exit_codes_of_wrong_usage():
    for arguments in ([], ["frobnicate"], ["check"], ["check", "a", "b"], ["check", "--digest"], ["policy"], ["--frob"],
                      ["verify", "--frob", "x"]):
        want_code(run(*arguments), 2)


def test_typos_get_a_suggestion():
    want_text(run("verfy").err, 'did you mean "verify"?')
    want_text(run("check", "--digset", "x", "y").err, "did you mean --digest?")
    want_text(run("verify", "--insecure-ignore-tolg", "x").err, "did you mean --insecure-ignore-tlog?")


def test_groups_list_their_commands():
    result = run("policy")
    want_code(result, 2)
    want_text(result.err, "policy lint")
    want_text(result.err, "policy explain")


def test_version():
    result = run("--version")
    want_code(result, 0)
    want(re.match(r"^pullguard \d+\.\d+\.\d+\n$", result.out), "version", result)
    want_code(run("version", "--version"), 0)
    want("version" in run("version", "--json").json(), "json")


def test_flags_take_true_and_false():
    result = run("verify", "--insecure-ignore-tlog=maybe", "--key", "/nonexistent", "x")
    want_code(result, 2)
    want_text(result.err, "--insecure-ignore-tlog takes true or false")


def test_no_escape_sequences_off_a_terminal():
    for arguments in (["doctor"], ["check", "x"], ["frob\x1b[31m"]):
        result = run(*arguments, env={"TERM": "xterm"})
        want("\x1b" not in result.out + result.err, "escape sequence", result)


def test_full_disk_is_no_answer():
    if not os.path.exists("/dev/full"):
        return
    program = os.environ["PG_CLI"]
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([program, "version"], stdout=full, stderr=subprocess.PIPE, check=False)
    want(done.returncode == 2, "exit status %d" % done.returncode)


def test_closed_descriptors():
    program = os.environ["PG_CLI"]
    done = subprocess.run(["sh", "-c", '"$0" version <&- >&- 2>&-', program], check=False)
    want(done.returncode == 0, "exit status %d" % done.returncode)


def test_completion_knows_commands_and_options():
    script = os.path.join(SOURCE, "packaging/completions/pullguard")
    program = os.environ["PG_CLI"]

    def complete(*words):
        line = " ".join("'%s'" % word for word in (program,) + words)
        done = subprocess.run(["bash", "-c", 'source "$0"; COMP_WORDS=(%s); COMP_CWORD=%d; _pullguard; '
                               'printf "%%s\\n" "${COMPREPLY[@]}"' % (line, len(words)), script],
                              capture_output=True, text=True, check=False)
        return set(done.stdout.split())

    want("verify" in complete("ver") and "version" in complete("ver"), "%s" % complete("ver"))
    want({"lint", "explain"} <= complete("policy", ""), "%s" % complete("policy", ""))
    want("--save-evidence" in complete("check", "--sa"), "%s" % complete("check", "--sa"))
    want("--strict" in complete("policy", "lint", "--s"), "%s" % complete("policy", "lint", "--s"))


if __name__ == "__main__":
    main(globals())
