#!/usr/bin/env python3
"""Runs golden text files: commands and what they print.

    run.py [--rewrite] FILE...

A file is a list of steps in one temporary folder, each with what must come of it:

    # A comment.
    $ weft run $GUESTS/hello_command.wasm exit 3      a command, run by sh
    some output                                       its standard output
    ! some words                                      its standard error
    = 3                                               its exit code, unless 0

    & weft run $GUESTS/hello_p2.wasm --http 127.0.0.1:0     a server: the next step runs when
                                                      its first line on stderr named a URL, $URL
    % TERM                                            sends the server a signal and waits for its
                                                      end; what it printed after that line follows

In what is expected {*} stands for any text within a line, {n} for a number, and a line of {...} for
any lines. --rewrite puts what came in the place of what was expected, where they differ.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(ROOT, "build"))
STEP_SECONDS_MAX = 60


class Step:
    def __init__(self, kind, command):
        self.kind = kind
        self.command = command
        self.expected = []


def parse(text):
    """The file as a list of steps and of plain lines, in order."""
    items = []
    step = None
    for line in text.splitlines():
        if line[:2] in ("$ ", "& ", "% "):
            step = Step(line[0], line[2:])
            items.append(step)
        elif line == "" or (line.startswith("#") and step is None):
            step = None
            items.append(line)
        elif step is None:
            raise SystemExit(f"a line without a step: {line!r}")
        else:
            step.expected.append(line)
    return items


def render(items):
    lines = []
    for item in items:
        if isinstance(item, Step):
            lines += [f"{item.kind} {item.command}", *item.expected]
        else:
            lines.append(item)
    return "\n".join(lines) + "\n"


def pattern(lines):
    parts = []
    for line in lines:
        if line == "{...}":
            parts.append(r"(?:.*\n)*?")
            continue
        text = re.escape(line).replace(re.escape("{*}"), ".*").replace(re.escape("{n}"), r"\d+")
        parts.append(text + r"\n")
    return re.compile("".join(parts))


def outcome(stdout, stderr, code):
    """What came of a step, as the file would write it. An empty line reads `{*}` there."""
    lines = [line or "{*}" for line in stdout.splitlines()]
    lines += ["! " + line for line in stderr.splitlines()]
    if code != 0:
        lines.append(f"= {code}")
    return lines


def matches(expected, got):
    return pattern(expected).fullmatch("".join(line + "\n" for line in got)) is not None


class Runner:
    def __init__(self, folder):
        self.folder = folder
        self.server = None
        self.env = dict(os.environ, PATH=BUILD + ":" + os.environ["PATH"], HOME=folder,
                        GUESTS=os.path.join(BUILD, "guests"), TESTS=os.path.join(ROOT, "tests"),
                        WEFT_BUILD=BUILD, LC_ALL="C.UTF-8")
        self.env.pop("RUST_BACKTRACE", None)

    def run(self, step):
        return {"$": self.command, "&": self.start, "%": self.signal}[step.kind](step.command)

    def command(self, command):
        try:
            done = subprocess.run(["sh", "-c", command], cwd=self.folder, env=self.env,
                                  capture_output=True, stdin=subprocess.DEVNULL, check=False,
                                  timeout=STEP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return [f"! (took more than {STEP_SECONDS_MAX} s)", "= timeout"]
        return outcome(done.stdout.decode(errors="backslashreplace"),
                       done.stderr.decode(errors="backslashreplace"), done.returncode)

    def start(self, command):
        if self.server:
            return ["! (a server runs already)"]
        path = os.path.join(self.folder, ".server")
        self.out, self.err = open(path + ".out", "wb+"), open(path + ".err", "wb+")
        self.server = subprocess.Popen(["sh", "-c", "exec " + command], cwd=self.folder,
                                       env=self.env, stdin=subprocess.DEVNULL, stdout=self.out,
                                       stderr=self.err)
        deadline = time.monotonic() + STEP_SECONDS_MAX
        while time.monotonic() < deadline:
            first = open(path + ".err", errors="replace").readline()
            found = re.search(r"http://[\w.:\[\]-]+/", first)
            if found and first.endswith("\n"):
                self.env["URL"] = found[0].rstrip("/")
                return []
            if self.server.poll() is not None:
                return self.end(0)
            time.sleep(0.01)
        return ["! (named no URL)"]

    def signal(self, name):
        if not self.server:
            return ["! (no server runs)"]
        self.server.send_signal(getattr(signal, "SIG" + name))
        return self.end(1)

    def end(self, skip):
        """Waits for the server; leaves out the first `skip` lines of its standard error."""
        try:
            code = self.server.wait(STEP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.server.kill()
            code = self.server.wait()
        self.server = None
        texts = []
        for file in (self.out, self.err):
            file.seek(0)
            texts.append(file.read().decode(errors="backslashreplace"))
            file.close()
        stderr = "".join(texts[1].splitlines(keepends=True)[skip:])
        return outcome(texts[0], stderr, code)

    def close(self):
        if self.server:
            self.server.kill()
            self.end(0)


def run_file(path, rewrite):
    with open(path) as file:
        items = parse(file.read())
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="weft-e2e-") as folder:
        runner = Runner(folder)
        for step in (item for item in items if isinstance(item, Step)):
            got = runner.run(step)
            if matches(step.expected, got):
                passed += 1
            elif rewrite:
                step.expected = got
                passed += 1
            else:
                failed += 1
                print(f"{path}: {step.kind} {step.command}")
                print("  expected:", *step.expected, sep="\n    ")
                print("  got:", *got, sep="\n    ")
        runner.close()
    if rewrite:
        with open(path, "w") as file:
            file.write(render(items))
    return passed, failed


def main():
    files = [arg for arg in sys.argv[1:] if not arg.startswith("-")]
    rewrite = "--rewrite" in sys.argv
    if not files:
        raise SystemExit(__doc__)
    results = [run_file(file, rewrite) for file in files]
    passed, failed = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
