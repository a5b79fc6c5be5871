#!/usr/bin/env python3
"""What people meet at the command line of nodes: a run that is broken off, and what is said."""

import json
import os
import signal
import subprocess
import time
import unittest

import test_node
import test_node_links
from host import SECONDS_MAX, WEFT, environment, guest, run, until
from test_bad_input import FullDisk
from test_node_map import Networked

# A program of WASI 0.1 that ends when somebody ends it.
FOREVER = '(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))'
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
        program = os.path.join(self.home, "forever.wat")
        with open(program, "w") as file:
            file.write(FOREVER)
        for number, words in ((signal.SIGINT, ("call", node.at, guest("values"), "spin()")),
                              (signal.SIGTERM, ("run", node.at, program))):
            process = self.begin(node, *words)
            process.send_signal(number)
            code, said = process.wait(SECONDS_MAX), process.stderr.read()
            self.assertEqual(code, 128 + number, said)
            self.assertIn(b"was cancelled there", said)
            until(lambda: node.status()["runs"] == 0, "it is gone there")
            # The first was refused for the want of the module, of whose store more may come.
            told = [each["outcome"] for each in node.events() if each["action"] == words[0]]
            self.assertEqual(told, ["refused", "cancelled"])

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


class Bill(test_node.Case):
    def test_the_bill_has_what_the_quota_took(self):
        """Of a store of 1 MiB, of a run that is not there yet, and of calls."""
        node = self.node(group=test_node.GROUP + 'network-in = "1GiB"\n')
        path = os.path.join(self.home, "module")
        with open(path, "wb") as file:
            file.write(os.urandom(MEGABYTE))
        done = self.net("store", node.at, path)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.net("run", node.at, guest("hello_command")).code, 0)
        self.assertEqual(self.net("call", node.at, guest("values"), "add(1, 2)").code, 0)
        self.assertEqual(self.net("cancel", node.at, "0" * 64).code, 1)
        described = json.loads(self.net("describe", node.at, "--json").out)
        took = NETWORK_IN - described["left"]["network-in"]
        node.stop()
        self.assertGreater(took, MEGABYTE)
        self.assertEqual(sum(each["bytes_in"] for each in node.events()), took)
        bill = json.loads(node.ask("bill", "--json").out)
        self.assertEqual(bill["total"]["bytes_in"], took)
        # That it was to be sent first is nothing that somebody was refused; the cancel neither.
        self.assertEqual(bill["total"]["refused"], 0)

    def test_what_is_left_is_told(self):
        node = self.node()
        done = self.net("describe", node.at)
        self.assertIn("left of its quota: cpu 600.0 s, compile 120.0 s,", done.out)
        self.assertIn("runs 8", done.out)


class Room(test_node.Case):
    def test_a_full_disk_is_told_as_what_it_is(self):
        """To who asked, in the events, and in the log, there once a while."""
        self.folder = self.home
        path = os.path.join(self.home, "module")
        with open(path, "wb") as file:
            file.write(bytes(24 * MEGABYTE))
        with FullDisk(self, 16 * 1024) as disk:
            os.mkdir(os.path.join(self.home, "attic-home"))
            node = test_node.Node(os.path.join(self.home, "attic-home"), "attic")
            node.write(node.settings().replace(
                "[node]\n", f'[node]\nstate = "{disk.path}"\ncontrol = "state/control.sock"\n'))
            os.mkdir(os.path.join(node.folder, "state"))
            node.trust(self.key)
            with node:
                began = time.monotonic()
                for _ in range(3):
                    done = self.net("store", node.at, path)
                    self.assertEqual(done.code, 1, done)
                    self.assertIn("the node's disk is full", done.err)
                    self.assertNotIn(disk.path, done.err)
                self.assertEqual({each["reason"] for each in node.events()}, {"full"})
                # Once in ten seconds, which pass here only on a slow machine.
                told = node.text().count("no room for what is to be stored")
                self.assertIn(told, range(1, 2 + int((time.monotonic() - began) / 10)))


    def test_what_is_the_nodes_own_matter_is_in_its_log(self):
        """Who asks is told that it failed, and not where the node keeps what."""
        node = self.node()
        path = os.path.join(self.home, "module")
        with open(path, "wb") as file:
            file.write(os.urandom(MEGABYTE))
        modules = os.path.join(node.folder, "state", "modules")
        os.rename(modules, modules + ".away")
        with open(modules, "wb"):
            pass
        done = self.net("store", node.at, path)
        os.unlink(modules)
        os.rename(modules + ".away", modules)
        self.assertEqual(done.code, 1, done)
        self.assertIn("the node could not do it: its log says why", done.err)
        self.assertNotIn(node.folder, done.err)
        until(lambda: [each.get("reason") for each in node.events()] == ["failed"], "its event")
        self.assertIn(modules, node.text())


class All(Networked):
    def test_one_that_is_heard_and_not_reached_keeps_the_file_from_no_other(self):
        """Cellar listens where nobody else gets to: its beacons come from another address."""
        near = self.node("attic", discovery="", listen="0.0.0.0:0")
        self.node("cellar", discovery="", listen="127.0.0.1:0")
        until(lambda: "cellar" in self.net("list").out, "cellar is heard")
        path = os.path.join(self.home, "module")
        with open(path, "wb") as file:
            file.write(os.urandom(MEGABYTE))
        for name in ("all", "attic,cellar"):
            done = self.net("store", name, path)
            self.assertEqual((done.code, done.out), (1, ""), done)
            self.assertIn("weft: cellar is there, and nothing of it answers", done.err)
            self.assertIn("weft: 1 of 2 nodes have it after", done.err)
        self.assertEqual({each["action"] for each in near.events()}, {"store"})
        alone = self.net("store", "cellar", path)
        self.assertEqual(alone.code, 1, alone)
        self.assertIn("weft: cellar is there, and nothing of it answers", alone.err)
        # A name that nobody has is a slip of who wrote it.
        slip = self.net("store", "attic,celar", path)
        self.assertEqual(slip.code, 1, slip)
        self.assertIn("no node called celar", slip.err)
        self.assertNotIn("nodes have it", slip.err)


class Words(test_node.Case):
    def test_words_that_look_like_options_are_the_programs(self):
        node = self.node()
        done = self.net("run", node.at, "--", guest("hello_command"), "--memory", "-x", "[a]")
        self.assertEqual(done.code, 0, done)
        self.assertIn("argument 1: --memory\nargument 2: -x\nargument 3: [a]\n", done.out)

    def net(self, *words, **options):
        return run("net", words[0], "--key", self.key, *words[1:], **options)

    def test_what_never_ran_did_not_trap(self):
        node = self.node()
        done = self.net("run", node.at, self.key)
        self.assertEqual(done.code, 1, done)
        self.assertIn("it cannot run there", done.err)
        told = [each["outcome"] for each in node.events() if each["action"] == "run"]
        self.assertEqual(told, ["refused", "unfit"])

    def test_a_run_has_a_name(self):
        done = run("net", "cancel", "attic", "99")
        self.assertEqual(done.code, 1, done)
        self.assertIn('"99" is no run: write its 64 digits', done.err)


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


class Checked(test_node_links.Served):
    def check(self, link, at):
        return run("check", self.app(link).folder, "--on", self.on(at), "--connect")

    def test_the_libraries_of_links_are_looked_for(self):
        node = self.serving()
        self.add_library(node)
        for how in ("call", "fetch"):
            link = '{ to = "node:words", library = "%s", how = "' + how + '" }'
            self.assertEqual(self.check(link % "acme:words@1.2", node.at).code, 0)
            done = self.check(link % "acme:wrods", node.at)
            self.assertEqual(done.code, 1, done)
            self.assertIn("it has no library acme:wrods; what it has: acme:words@1.2.0", done.out)

    def test_a_node_that_no_link_names_is_told(self):
        node = self.serving()
        on = self.on(node.at)
        with open(on, "a") as file:
            file.write(f'[node.wrods]\nat = "{node.at}"\nkey = "{self.key}"\n')
        done = run("check", self.app().folder, "--on", on)
        self.assertEqual(done.code, 0, done)
        self.assertIn("no component is linked to [node.wrods]", done.out)
        self.assertNotIn("[node.words]", done.out)


if __name__ == "__main__":
    unittest.main()
