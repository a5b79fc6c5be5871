#!/usr/bin/env python3
"""Checks what a formatter does not, and that the formatters have run.

Prints one line a finding, `file:line: what`, and fails when there is one.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COLUMNS_MAX = 100
LINES_MAX = 600
# From the ladder in the top CMakeLists.txt: who may include whom.
LADDER = ["base", "io", "door", "toolchain", "capabilities", "engine", "triggers", "app", "cli"]


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True,
                         check=True).stdout
    return [f for f in out.splitlines() if os.path.exists(os.path.join(ROOT, f))]


def lines_of(file):
    with open(os.path.join(ROOT, file), errors="replace") as text:
        return text.read().splitlines()


def lengths(findings):
    for file in tracked("*.cc", "*.h", "*.c", "*.rs", "*.py", "*.sh", "*.cmake"):
        lines = lines_of(file)
        if len(lines) > LINES_MAX:
            findings.append(f"{file}:{LINES_MAX}: has {len(lines)} lines: make two files of it")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                findings.append(f"{file}:{number}: has {len(line)} columns, {COLUMNS_MAX} at most")


def ladder(findings):
    for file in tracked("src/*.cc", "src/*.h"):
        folder = file.split("/")[1]
        for number, line in enumerate(lines_of(file), 1):
            include = re.match(r'#include "(\w+)/', line)
            if not include or include[1] not in LADDER or folder not in LADDER:
                continue
            if LADDER.index(include[1]) > LADDER.index(folder):
                findings.append(f"{file}:{number}: {folder} includes {include[1]}, a folder above")


def readmes(findings):
    folders = {os.path.dirname(f) for f in tracked("src/*/*.h", "src/*/*.cc")}
    for folder in sorted(folders):
        if not any(os.path.exists(os.path.join(ROOT, up, "README.md"))
                   for up in (folder, os.path.dirname(folder)) if up != "src"):
            findings.append(f"{folder}:1: has no README.md")


def formatted(findings):
    sources = tracked("*.cc", "*.h", "*.c")
    done = subprocess.run(["clang-format-22", "--dry-run", "--Werror", *sources], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    findings += re.findall(r"^\S+:\d+:\d+: error: .*", done.stderr, re.M)
    # Debian's cargo comes without rustfmt: then Rust is not checked here.
    done = subprocess.run(["cargo", "fmt", "--all", "--check"], cwd=os.path.join(ROOT, "engine"),
                          capture_output=True, text=True, check=False)
    findings += [f"{f}: not formatted" for f in re.findall(r"^Diff in (\S+)", done.stdout, re.M)]


def main():
    findings = []
    for check in (lengths, ladder, readmes, formatted):
        check(findings)
    print("\n".join(findings) or "nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
