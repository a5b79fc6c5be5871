#!/usr/bin/env python3
"""Checks what a formatter does not, and that the formatters have run.

    lint.py [--all]

Prints one line a finding, `file:line: what`, and fails when there is one. clang-tidy (.clang-tidy)
reads the sources of src/ that differ from the branch main, or all of them: it takes seconds a file.
It needs a build tree, for the headers that are generated there.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(ROOT, "build"))
COLUMNS_MAX = 100
LINES_MAX = 600
FUNCTION_LINES_MAX = 70
# Longer ones that stay, and why.
LONG_FUNCTIONS = {
    ("src/io/http_client/transfer.cc", "Result<void> HttpTransfer::prepare"):
        "one option of curl after the other, each a line that may fail",
    ("src/io/http/parser_test.cc", "TEST"): "a table of heads",
}
# Headers that no README names: those of tests, the parts of one driver, helpers of one folder.
UNNAMED = re.compile(r"/(test\w*|\w+_test_support|everything_host|(lmdb|sqlite|postgres)_\w+)\.h$"
                     r"|^src/(engine/fake/guest|engine/inspect|io/handler_memory"
                     r"|io/http_client/options|toolchain/bindgen/text)\.h$")
# Of one source; and how many are read at once.
TIDY_SECONDS_MAX = 300
TIDY_AT_ONCE = 2
# GoogleTest's macros are not written as we write, nor is what a sanitizer calls by name.
TIDY_LEAVES = re.compile(r"(_(test|bench|fuzz)|/testing)\.cc$")
# What a compile command says of cmake/prelude.h.
PRELUDE = re.compile(r"-Xclang -include-pch -Xclang \S+")
# From the ladder in the top CMakeLists.txt: who may include whom.
LADDER = ["base", "io", "remote", "door", "values", "record", "provider", "observe", "toolchain",
          "capabilities", "engine", "triggers", "app", "node", "dev", "cli"]


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


def headers(findings):
    """Each header is named in its folder's README, or in the one above: by its file, by a pattern
    like `*_calls.h`, by its name alone, or by its first type."""
    for file in tracked("src/**/*.h"):
        folder, name = os.path.split(file)
        above = [f"{up}/README.md" for up in (folder, os.path.dirname(folder))]
        readme = next((f for f in above if os.path.exists(os.path.join(ROOT, f))), None)
        if UNNAMED.search(file) or readme is None:
            continue
        text = "\n".join(lines_of(readme))
        found = re.search(r"^(?:template.*\n)?(?:class|struct) (\w+)(?: final)?[^;]*$",
                          "\n".join(lines_of(file)), re.M)
        words = [re.escape(name), rf"\b{name[:-2]}\b"] + ([rf"\b{found[1]}\b"] if found else [])
        patterns = re.findall(r"`([\w.*]*\*[\w.*]*)`", text)
        if not any(re.search(word, text) for word in words) and not any(
                fnmatch.fnmatch(name, pattern) for pattern in patterns):
            findings.append(f"{file}:1: is not named in {readme}")


def without_text(source):
    """The source without comments and without what stands in quotes, line by line as it was."""
    def blank(found):
        return "\n" * found[0].count("\n")
    source = re.sub(r"^#(?:\\\n|.)*$", blank, source, flags=re.M)
    return re.sub(r'R"(\w*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
                  r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", blank, source, flags=re.S)


def functions(source):
    """(first line, lines, first words) of each function in C++."""
    not_functions = re.compile(
        r"^(?:namespace|class|struct|enum|union|extern|if|for|while|switch|do|else|try|catch|return"
        r"|template\s*<[^>]*>\s*(?:class|struct))\b")
    text = without_text(source)
    open_braces = []
    begin = 0  # Of the statement that is read.
    inside = 0  # Functions that are open: what is in one counts as its lines.
    for at in (m.start() for m in re.finditer(r"[;{}]", text)):
        if text[at] == "{":
            head = text[begin:at].strip()
            head = re.sub(r"^(?:public|private|protected):\s*", "", head)
            own = "(" in head and not inside and not not_functions.match(head)
            open_braces.append((own, at, head))
            inside += own
        elif text[at] == "}" and open_braces:
            own, start, head = open_braces.pop()
            inside -= own
            if own:
                first = text.count("\n", 0, start) - head.count("\n")
                yield first + 1, text.count("\n", 0, at) - first + 1, head.split("(")[0]
        begin = at + 1


def long_functions(findings):
    for file in tracked("src/*.cc", "src/*.h"):
        for line, count, name in functions("\n".join(lines_of(file))):
            if count > FUNCTION_LINES_MAX and (file, name) not in LONG_FUNCTIONS:
                findings.append(f"{file}:{line}: {name} has {count} lines, "
                                f"{FUNCTION_LINES_MAX} at most: make two functions of it")


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


def tidy_one(file, commands):
    """What clang-tidy finds in one source, and in our headers that it includes."""
    command = ["clang-tidy-22", "--quiet", "-p", commands, f"--header-filter=^{ROOT}/src/",
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
            entries = json.load(file)
    except OSError:
        findings.append("build:1: is not configured: run make build")
        return
    known = {os.path.relpath(entry["file"], ROOT) for entry in entries}
    sources = [f for f in tracked("src/*.cc") if f in known and not TIDY_LEAVES.search(f)]
    chosen = sources if whole else touched(sources, changed("src"))
    with tempfile.TemporaryDirectory() as commands:
        # As if nothing were precompiled: a source that leaves out an include is a finding.
        for entry in entries:
            entry["command"] = PRELUDE.sub("", entry["command"])
        with open(os.path.join(commands, "compile_commands.json"), "w") as file:
            json.dump(entries, file)
        with concurrent.futures.ThreadPoolExecutor(TIDY_AT_ONCE) as pool:
            # A header's finding comes with each source that includes it.
            findings += sorted({line for lines in pool.map(lambda file: tidy_one(file, commands),
                                                           chosen) for line in lines})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true", help="clang-tidy reads every source")
    options = parser.parse_args()
    findings = []
    for check in (lengths, ladder, readmes, headers, long_functions, formatted):
        check(findings)
    tidy(findings, options.all)
    print("\n".join(findings) or "nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
