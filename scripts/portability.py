#!/usr/bin/env python3
"""Runs `examples/notes` on every driver and writes what became of it to docs/PORTABILITY.md."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

import notes_walk  # noqa: E402  (its folder is not on the path before)


def main():
    def report(run):
        print(f"{run.driver.capability} {run.driver.name}: {len(run.steps)} steps", flush=True)

    runs = notes_walk.run_all(report)
    for name, differing in notes_walk.differences(runs).items():
        for mine, theirs in differing:
            print(f"{name}: {mine} instead of {theirs}")
    with open(os.path.join(ROOT, "docs", "PORTABILITY.md"), "w", encoding="utf-8") as file:
        file.write(notes_walk.page(runs))


if __name__ == "__main__":
    main()
