# SPDX-License-Identifier: Apache-2.0
"""What every test of the command line shares. A test is a function whose name begins with test_."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

PROGRAM = os.environ["PG_CLI"]
SOURCE = os.environ["PG_SOURCE"]
BUILD = os.environ["PG_BUILD"]
VECTORS = os.path.join(SOURCE, "tests/vectors/cosign-3.1.1")


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return "exit status %d\n--- stdout\n%s--- stderr\n%s" % (self.code, self.out, self.err)


def run(*arguments, stdin=b"", env=None, timeout=60):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    environment.update(env or {})
    return Result(subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, capture_output=True, env=environment,
                                 timeout=timeout, check=False))


def want(condition, what, result=None):
    if not condition:
        raise AssertionError("%s\n%s" % (what, result if result is not None else ""))


def want_code(result, code):
    want(result.code == code, "wanted exit status %d" % code, result)


def want_text(text, part, result=None):
    want(part in text, "wanted %r in the text" % part, result if result is not None else text)


class Root:
    """A directory that stands for / (--root)."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="pg-cli-")
        os.chmod(self.path, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def at(self, path):
        return self.path + path

    def write(self, path, text, mode=0o644):
        full = self.at(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(full, mode)
        return full

    def copy(self, source, path):
        with open(source, "rb") as file:
            return self.write(path, file.read())

    def run(self, *arguments, **options):
        return run("--root", self.path, *arguments, **options)

    def tree(self):
        """Everything below: path -> (kind, bytes or target, mode)."""
        found = {}
        for folder, folders, files in os.walk(self.path):
            for name in folders + files:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                if os.path.islink(path):
                    content = ("link", os.readlink(path))
                elif os.path.isdir(path):
                    content = ("directory",)
                else:
                    with open(path, "rb") as file:
                        content = ("file", file.read())
                found[path[len(self.path):]] = content + ((status.st_mode, status.st_uid, status.st_gid)
                                                          if content[0] != "link" else ())
        return found


class Installed(Root):
    """A root in which pullguard's programs are where links and files of `enable` name them."""

    def __init__(self):
        super().__init__()
        for name in ("pullguard-containerd", "pullguard-oci-hook", "pullguard-nri", "pullguard-crun.so"):
            self.write(layout()["libexec"] + "/" + name, "", 0o755)


def layout():
    """The configured paths of this build."""
    return run("version", "--json").json()


def policy(name, glob, key=None, extra=""):
    body = "" if key is None else "".join("            " + line + "\n" for line in key.strip().split("\n"))
    authority = "      - key:\n          data: |\n" + body + extra if key else extra
    return ("apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata:\n  name: %s\nspec:\n  images:\n"
            "    - glob: \"%s\"\n  authorities:\n%s" % (name, glob, authority))


def key_text(name="cosign.pub"):
    with open(os.path.join(VECTORS, "keys", name), encoding="ascii") as file:
        return file.read()


def main(names):
    passed = failed = 0
    only = sys.argv[1:]
    for name, function in sorted(names.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        try:
            function()
            passed += 1
            print("ok    %s" % name)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print("FAIL  %s" % name)
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)
