#!/usr/bin/env python3
"""Checks what a formatter does not, and that the formatters have run.

    lint.py [--all]

Prints one line a finding, `file:line: what`, and fails when there is one. clang-tidy (.clang-tidy)
reads the sources of src/ that differ from the branch main, or all of them: it takes seconds a file.
It needs a build tree, for the headers that are generated there.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(ROOT, "build"))
COLUMNS_MAX = 100
LINES_MAX = 600
# Of one source; and how many are read at once.
TIDY_SECONDS_MAX = 300
TIDY_AT_ONCE = 2
# GoogleTest's macros are not written as we write, nor is what a sanitizer calls by name.
TIDY_LEAVES = re.compile(r"(_(test|bench|fuzz)|/testing)\.cc$")
# From the ladder in the top CMakeLists.txt: who may include whom.
LADDER = ["base", "io", "door", "values", "provider", "observe", "toolchain", "capabilities",
          "engine", "triggers", "app", "dev", "cli"]


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


def changed(source):
    """Files that differ from where this branch left main; on main itself, those not committed."""
    for base in ("main", "origin/main"):
        fork = subprocess.run(["git", "merge-base", "HEAD", base], cwd=ROOT, capture_output=True,
                              text=True, check=False).stdout.strip()
        if fork:
            break
    out = subprocess.run(["git", "diff", "--name-only", fork or "HEAD", "--", source], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    return set(out.split())


def touched(sources, files):
    """The sources among `files`, and for each header there one that includes it: its own, if there
    is one."""
    chosen = set(sources) & files
    for header in (f for f in files if f.endswith(".h")):
        own = header[:-2] + ".cc"
        line = f'#include "{header.removeprefix("src/")}"'
        users = [own] if own in sources else [f for f in sources if line in lines_of(f)]
        chosen.update(users[:1])
    return sorted(chosen)


def tidy_one(file):
    """What clang-tidy finds in one source, and in our headers that it includes."""
    command = ["clang-tidy-22", "--quiet", "-p", BUILD, f"--header-filter=^{ROOT}/src/",
               os.path.join(ROOT, file)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False,
                              timeout=TIDY_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return [f"{file}:1: clang-tidy takes more than {TIDY_SECONDS_MAX} s"]
    found = re.findall(r"^(\S+:\d+:\d+: (?:error|warning): .*)", done.stdout, re.M)
    if done.returncode and not found:
        found = [f"{file}:1: clang-tidy: {line}" for line in done.stderr.splitlines()[:3]]
    return [line.removeprefix(ROOT + "/") for line in found]


def tidy(findings, whole):
    try:
        with open(os.path.join(BUILD, "compile_commands.json")) as file:
            known = {os.path.relpath(entry["file"], ROOT) for entry in json.load(file)}
    except OSError:
        findings.append("build:1: is not configured: run make build")
        return
    sources = [f for f in tracked("src/*.cc") if f in known and not TIDY_LEAVES.search(f)]
    chosen = sources if whole else touched(sources, changed("src"))
    with concurrent.futures.ThreadPoolExecutor(TIDY_AT_ONCE) as pool:
        # A header's finding comes with each source that includes it.
        findings += sorted({line for lines in pool.map(tidy_one, chosen) for line in lines})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true", help="clang-tidy reads every source")
    options = parser.parse_args()
    findings = []
    for check in (lengths, ladder, readmes, formatted):
        check(findings)
    tidy(findings, options.all)
    print("\n".join(findings) or "nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
