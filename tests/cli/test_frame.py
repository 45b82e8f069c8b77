# SPDX-License-Identifier: Apache-2.0
"""The frame: help, options, exit codes; and the manual page says what the program takes."""
import os
import re
import subprocess
import tempfile

from harness import BUILD, SOURCE, Root, main, run, want, want_code, want_text


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
        text = file.read().split("\n.Sh DESCRIPTION\n", 1)[1].split("\n.Sh ", 1)[0]
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


def completions(questions):
    """What bash offers for each line of words, the last of which is being written; in a folder with a file and a folder."""
    script = os.path.join(SOURCE, "packaging/completions/pullguard")
    lines = ['source "$0"']
    for words in questions:
        lines.append("COMP_WORDS=(%s); COMP_CWORD=%d; COMPREPLY=(); _pullguard; printf '%%s\\n' \"${COMPREPLY[@]}\" ==="
                     % (" ".join("'%s'" % word for word in (os.environ["PG_CLI"], *words)), len(words)))
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/a-file", "w", encoding="ascii"):
            os.mkdir(folder + "/a-folder")
        done = subprocess.run(["bash", "-c", "\n".join(lines), script], capture_output=True, text=True, check=True, cwd=folder)
    answers = done.stdout.split("===\n")[:-1]
    want(len(answers) == len(questions) and not done.stderr, "an answer for each", done.stderr)
    return [set(answer.split()) for answer in answers]


def help_values(command):
    """Option -> what its value is called."""
    return dict(re.findall(r"^  (?:-\w, |    )(--[a-z-]+) (\S+)", run(*command.split(), "--help").out, re.M))


def test_completion_knows_every_command_and_option():
    first = {command.split()[0] for command in commands()}
    questions, wanted = [("",), ("--root", "/x", "")], [first, first]
    for group in {command.split()[0] for command in commands() if " " in command}:
        questions.append((group, ""))
        wanted.append({command.split()[1] for command in commands() if command.startswith(group + " ")})
    for command in commands():
        questions.append((*command.split(), "--"))
        wanted.append({option for option in help_options(command) if option.startswith("--")} | {"--root", "--json", "--help"})
    for words, offered, names in zip(questions, completions(questions), wanted):
        want(names <= offered, "%s: not offered: %s" % (" ".join(words), names - offered))
        surplus = {name for name in offered - names if name not in ("--version", "a-file", "a-folder")}
        want(not surplus, "%s: offered, not there: %s" % (" ".join(words), surplus))


def test_completion_knows_files_and_words():
    questions, values = [], []
    for command in commands():
        for option, value in help_values(command).items():
            questions.append((*command.split(), option, ""))
            values.append(value)
    want(len(questions) > 50 and {"FILE", "DIR"} <= set(values), "options with values: %s" % set(values))
    for words, value, offered in zip(questions, values, completions(questions)):
        if value == "DIR":
            want(offered == {"a-folder"}, "%s: %s" % (words, offered))
        elif value in ("FILE", "PROGRAM") or "FILE" in value.split("|"):
            want(offered == {"a-file", "a-folder"}, "%s: %s" % (words, offered))
        elif re.fullmatch(r"[a-z]+(\|[a-z]+)+", value):
            want(offered == set(value.split("|")), "%s: %s" % (words, offered))


def test_exit_codes_are_the_manuals():
    """The help of each command names its codes; the manual's table is that of cli.h and doctor.h."""
    with open(os.path.join(BUILD, "packaging/man/pullguard.1"), encoding="utf-8") as file:
        section = file.read().split(".Sh EXIT STATUS\n", 1)[1].split("\n.Sh ", 1)[0]
    want(re.findall(r"^\.It (\d)$", section, re.M) == ["0", "1", "2"], "codes", section)
    with open(os.path.join(SOURCE, "plugin/cli/cli.h"), encoding="utf-8") as file:
        codes = dict(re.findall(r"EXIT_(YES|NO|UNDECIDED) = (\d)", file.read()))
    want(codes == {"YES": "0", "NO": "1", "UNDECIDED": "2"}, "%s" % codes)
    with open(os.path.join(SOURCE, "plugin/cli/doctor/doctor.h"), encoding="utf-8") as file:
        doctor = re.findall(r"EXIT_DOCTOR_[A-Z]+ = (\d)", file.read())
    want(doctor == ["3"] and "0 in order, 1 warnings, 2 failures, 3" in section, "doctor's: %s" % doctor, section)
    for command in commands():
        text = run(*command.split(), "--help").out
        found = re.search(r"Exit status: (.*?)\.(?:\n|$)", text, re.S)
        want(found or command == "version", "%s: its help names no exit status" % command, text)
        if found:
            said = set(re.findall(r"(?:^|[ ,])(\d) ", " " + found.group(1).replace("\n", " ")))
            want("0" in said and said <= {"0", "1", "2", "3"}, "%s: %s" % (command, said))


def test_exit_codes():
    """One run for each code that can be had without a registry."""
    policy = ("apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: a}\nspec:\n"
              "  images: [{glob: \"good.example/**\"}]\n  authorities: [{static: {action: pass}}]\n")
    digest = "@sha256:" + "0" * 64
    with Root() as root:
        root.write("/etc/pullguard/policy.d/a.yaml", policy)
        bad, empty = root.write("/bad.yaml", "kind: ["), root.write("/empty", "")
        for code, arguments in [
                (0, ["check", "good.example/a" + digest]), (1, ["check", "bad.example/a" + digest]), (2, ["check", "//"]),
                (0, ["policy", "lint"]), (1, ["policy", "lint", bad]), (1, ["policy", "lint", "/no/such/file"]),
                (0, ["policy", "explain", "good.example/a"]), (1, ["policy", "explain", "bad.example/a"]),
                (2, ["policy", "explain", "--policy", bad, "x"]), (0, ["policy", "convert"]), (2, ["policy", "convert", "/no/such/file"]),
                (2, ["replay", empty]), (2, ["verify", "--key", empty, "x"]), (2, ["verify-blob", empty]), (2, ["trust", "show", "none"]),
                (0, ["trust", "show"]), (0, ["cache", "list"]), (0, ["cache", "renew"]), (0, ["cache", "clear"]), (0, ["audit", "verify", empty]),
                (2, ["audit", "verify", "/no/such/file"]), (1, ["node-key", "show"]), (0, ["status"]), (0, ["version"]),
                (2, ["enable", "containerd", "--dry-run"]), (2, ["enable", "docker"]), (0, ["help"]), (0, ["help", "check"]),
                (2, ["help", "frobnicate"])]:
            want_code(root.run(*arguments), code)


if __name__ == "__main__":
    main(globals())
