#!/usr/bin/env python3
"""The table of what each driver of messaging guarantees is what a run of its suite says."""

import os
import unittest

import guarantees


class Guarantees(unittest.TestCase):
    @unittest.skipUnless(os.path.exists(guarantees.PROGRAM), "the suite is not built")
    def test_the_table_is_what_a_run_makes(self):
        self.maxDiff = None
        made = guarantees.table(guarantees.last_run())
        self.assertEqual(guarantees.read()[1], made, "run scripts/guarantees.py")

    def test_a_driver_that_breaks_a_promise_changes_the_table(self):
        kept = {"KeepsAMessageWhole": {"one": None, "two": "it is small"}}
        made = guarantees.table(kept)
        self.assertIn("| keeps a message whole | yes | no: it is small |", made)
        kept["KeepsAMessageWhole"]["one"] = "it broke"
        self.assertNotEqual(guarantees.table(kept), made)


if __name__ == "__main__":
    unittest.main()
