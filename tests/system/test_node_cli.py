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


if __name__ == "__main__":
    unittest.main()
