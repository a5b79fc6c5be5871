#!/usr/bin/env python3
"""What people meet at the command line of nodes: a run that is broken off, and what is said."""

import json
import os
import signal
import subprocess
import unittest

import test_node
import test_node_links
from host import SECONDS_MAX, WEFT, environment, guest, run, until
from test_bad_input import FullDisk

MEGABYTE = 1 << 20
NETWORK_IN = 1 << 30


class Signals(test_node.Case):
    def begin(self, node, *words):
        process = subprocess.Popen([WEFT, "net", *words, "--key", self.key],
                                   env=environment(self.home), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        until(lambda: node.status()["runs"] == 1 or process.poll() is not None, "it runs")
        return process

    def test_a_signal_cancels_the_run_there(self):
        node = self.node()
        self.store(node, "spin")
        for number, words in ((signal.SIGINT, ("call", node.at, guest("values"), "spin()")),
                              (signal.SIGTERM, ("run", node.at, guest("spin")))):
            process = self.begin(node, *words)
            process.send_signal(number)
            self.assertEqual(process.wait(SECONDS_MAX), 128 + number, process.stderr.read())
            self.assertIn(b"was cancelled there", process.stderr.read())
            until(lambda: node.status()["runs"] == 0, "it is gone there")
            self.assertEqual(node.events()[-1]["outcome"], "cancelled")

    def test_a_signal_ends_it_where_the_node_is_gone(self):
        node = self.node()
        process = self.begin(node, "call", node.at, guest("values"), "spin()")
        os.kill(node.process.pid, signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(SECONDS_MAX), 128 + signal.SIGINT)
            self.assertIn(b"was not cancelled", process.stderr.read())
        finally:
            os.kill(node.process.pid, signal.SIGCONT)


class Settings(test_node.Case):
    def test_a_name_that_nobody_has_is_told(self):
        node = self.node(extra='[control]\nlook = ["no-such-user", "@no-such-group", "root"]')
        for name in ("no-such-user", "@no-such-group"):
            self.assertIn(name, node.text())
        self.assertNotIn("name=root", node.text())

    def test_keys_go_where_the_node_looks_for_them(self):
        node = self.node()
        for folder, said in ((node.folder, "is a node's folder"),
                             (os.path.join(node.folder, "groups", "friends"), "is one group"),
                             (os.path.join(node.folder, "gruops", "x"), "there is no folder")):
            done = run("key", "trust", folder, "friends", self.key)
            self.assertEqual(done.code, 1, done)
            self.assertIn(said, done.err)
        self.assertFalse(os.path.exists(os.path.join(node.folder, "friends")))

    def test_the_first_line_is_what_others_name_it_by(self):
        node = self.node()
        node.stop()
        node.write(node.settings().replace('"127.0.0.1:0"', '"0.0.0.0:0"'))
        os.truncate(os.path.join(node.home, "log"), 0)
        node.start()
        first = node.text().splitlines()[0]
        self.assertRegex(first, rf"^attic {node.key}@\d+\.\d+\.\d+\.\d+:{node.address[1]}$")
        self.assertNotIn("0.0.0.0", first)


if __name__ == "__main__":
    unittest.main()
