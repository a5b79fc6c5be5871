#!/usr/bin/env python3
"""Runs the conformance suite of messaging on every driver and writes what each kept into the table
of src/capabilities/messaging/README.md."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

import guarantees  # noqa: E402  (its folder is not on the path before)

if __name__ == "__main__":
    guarantees.write(guarantees.table(guarantees.run()))
