"""What the conformance suite of messaging said of each driver, as a table."""

import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree

from host import BUILD, ROOT

PROGRAM = os.path.join(BUILD, "tests", "weft_messaging_drivers_test")
PAGE = os.path.join(ROOT, "src", "capabilities", "messaging", "README.md")
BEGIN = "<!-- By scripts/guarantees.py, from a run of the conformance suite: -->\n"
END = "<!-- End of what scripts/guarantees.py writes. -->\n"
# Of a run of all programs, which tells the same.
REPORT = os.path.join(BUILD, "reports", "weft_messaging_drivers_test.xml")
SECONDS_MAX = 600


def run():
    """{promise: {driver: None, or why it is not asked of it}}, as the suite has them. Fails when a
    driver does not keep what it promises."""
    with tempfile.TemporaryDirectory(prefix="weft-guarantees-") as folder:
        report = os.path.join(folder, "report.xml")
        done = subprocess.run([PROGRAM, "--gtest_filter=*/Conformance.*",
                               "--gtest_output=xml:" + report], capture_output=True,
                              timeout=SECONDS_MAX, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout.decode(errors="replace")[-4000:])
        return promises(ElementTree.parse(report).getroot())


def last_run():
    """The same of the last run of the whole program, if it is of this build; else of a new one."""
    if not os.path.exists(REPORT) or os.path.getmtime(REPORT) < os.path.getmtime(PROGRAM):
        return run()
    root = ElementTree.parse(REPORT).getroot()
    bad = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    if bad:
        raise AssertionError("failed: " + ", ".join(bad))
    return promises(root)


def promises(report):
    made = {}
    for case in report.iter("testcase"):
        if not case.get("classname").endswith("/Conformance"):
            continue
        name, driver = case.get("name").split("/")
        skipped = case.find("skipped")
        why = None
        if skipped is not None:
            why = skipped.get("message").strip().splitlines()[-1]
        made.setdefault(name, {})[driver] = why
    return made


def sentence(name):
    """BringsAMessage: brings a message."""
    return " ".join(re.findall(r"[A-Z][a-z]*", name)).lower()


def table(kept):
    drivers = list(dict.fromkeys(driver for each in kept.values() for driver in each))
    lines = ["| promise | " + " | ".join(f"`{each}`" for each in drivers) + " |",
             "| --- |" + " --- |" * len(drivers)]
    for name, each in kept.items():
        cells = ("yes" if each[driver] is None else "no: " + each[driver] for driver in drivers)
        lines.append(f"| {sentence(name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def read():
    """The page before the table, the table, and what is behind it."""
    with open(PAGE, encoding="utf-8") as file:
        before, rest = file.read().split(BEGIN)
    written, after = rest.split(END)
    return before, written, after


def write(text):
    before, _, after = read()
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + text + END + after)
