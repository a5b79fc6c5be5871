#!/usr/bin/env python3
"""What a node's owner does with it while it runs: settings, keys, libraries, draining and stopping,
the log of events and the bill."""

import json
import os
import shutil
import signal
import struct
import subprocess
import threading
import unittest

import node_wire as wire
import test_node
from host import SECONDS_MAX, WEFT, environment, guest, until
from test_node import ADD

class Owner(test_node.Case):
    def test_settings_change_at_once_and_wrong_ones_change_nothing(self):
        node = self.node()
        node.write(node.settings().replace('"describe", "fetch", "run"', '"describe", "fetsh"'))
        # It is the node that refuses, and the command line tells its words.
        status, text = node.at_socket("POST", "/reload")
        self.assertEqual(status, 400, text)
        self.assertIn("fetsh", text)
        refused = node.ask("reload")
        self.assertEqual(refused.code, 1)
        self.assertIn("fetsh", refused.err)
        self.assertEqual(self.net("run", node.at, guest("hello_command")).code, 0)
        node.write(node.settings().replace('"describe", "fetsh"', '"describe", "fetch"'))
        self.assertEqual(node.ask("reload").code, 0)
        denied = self.net("run", node.at, guest("hello_command"))
        self.assertEqual(denied.code, 1)
        self.assertIn("may not run", denied.err)

    def test_a_drained_node_takes_nothing_new(self):
        node = self.node()
        self.store(node)
        self.assertEqual(node.ask("drain").code, 0)
        self.assertTrue(node.status()["draining"])
        refused = self.net("run", node.at, guest("hello_command"))
        self.assertEqual(refused.code, 1)
        self.assertIn("takes no new work now", refused.err)
        # What is refused was not begun.
        self.assertNotIn("not known", refused.err)
        self.assertEqual(self.net("describe", node.at).code, 0)
        self.assertEqual(node.ask("undrain").code, 0)
        self.assertEqual(self.net("run", node.at, guest("hello_command")).code, 0)

    def test_what_is_wrong_in_the_settings_keeps_nobody_from_the_node(self):
        """A slip in node.toml does not matter. What is no TOML does, and is told with --socket."""
        node = self.node()
        right = node.settings()
        node.write(right + "[gruop.lab]\nmay = 5\n")
        for words in (("drain",), ("undrain",), ("runs",), ("library", "list"), ("events",)):
            done = node.ask(*words)
            self.assertEqual(done.code, 0, done)
        self.assertFalse(node.status()["draining"])
        gone = node.ask("cancel", "0" * 64)
        self.assertEqual(gone.code, 1, gone)
        self.assertNotIn("node.toml", gone.err)

        socket = os.path.join(node.folder, "state", "control.sock")
        for wrong in (right + "[[[", "[node]\nstate = 5\n"):
            node.write(wrong)
            lost = node.ask("drain")
            self.assertEqual(lost.code, 1, lost)
            self.assertIn("name it with --socket", lost.err)
            self.assertEqual(node.ask("drain", "--socket", socket).code, 0)
            self.assertTrue(json.loads(node.ask("status", "--json", "--socket", socket).out)
                            ["draining"])
            self.assertEqual(node.ask("undrain", "--socket", socket).code, 0)
        # Elsewhere than the node that runs has it, nobody answers.
        node.write(right.replace("[node]\n", '[node]\nstate = "elsewhere"\n'))
        lost = node.ask("status")
        self.assertEqual(lost.code, 1, lost)
        self.assertIn("its socket with --socket", lost.err)

        node.write(right + "[gruop.lab]\n")
        done = node.ask("stop")
        self.assertEqual((done.code, done.err), (0, ""), done)
        self.assertEqual(node.process.wait(SECONDS_MAX), 0)

    def test_who_asks_for_the_stop_is_answered(self):
        for round_ in range(3):
            node = self.node(f"stopped-{round_}")
            done = node.ask("stop")
            self.assertEqual((done.code, done.err), (0, ""), done)
            self.assertEqual(node.process.wait(SECONDS_MAX), 0)

    def test_events_are_followed_as_they_come(self):
        node = self.node()
        follow = subprocess.Popen(
            [WEFT, "node", "events", "--follow", "--dir", node.folder],
            env=environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(follow.stdout.close)
        self.addCleanup(follow.wait)
        self.addCleanup(follow.kill)
        for _ in range(3):
            self.assertEqual(self.net("describe", node.at).code, 0)
            event = json.loads(follow.stdout.readline())
            self.assertEqual(event["data"]["action"], "describe")

    def test_the_bill_is_the_sum_of_the_events(self):
        node = self.node()
        for _ in range(3):
            self.assertEqual(self.net("call", node.at, guest("values"), "add(1, 2)").code, 0)
        node.stop()  # Neither needs it to run, and what moved last is written by then.
        events = node.events()
        bill = json.loads(node.ask("bill", "--by", "key", "--json").out)
        self.assertEqual(bill["total"]["cpu_ns"], sum(each["cpu_ns"] for each in events))
        self.assertEqual(bill["total"]["bytes_in"], sum(each["bytes_in"] for each in events))
        self.assertEqual(bill["total"]["events"], len(events))

    def test_nothing_is_lost_by_kill_9(self):
        node = self.node()
        module = self.store(node, "values")
        receipts = []
        for _ in range(20):
            asked = wire.request(self.signer, wire.CALL, module=module, function=b"add",
                                 arguments=ADD)
            body = wire.post(node.address, asked, ADD).body
            self.assertEqual(wire.output(body, stream=3), bytes([3]))
            receipt = wire.fields_of(list(wire.records(body))[-1][1])
            receipts.append((struct.unpack("<Q", receipt[16])[0], receipt[2].hex()))
        node.stop(signal.SIGKILL)
        node.start()
        by_number = {int(json.loads(line)["id"]): json.loads(line)["data"]["request"]
                     for line in node.ask("events").out.splitlines()}
        self.assertEqual(sorted(by_number), list(range(1, len(by_number) + 1)))
        for number, request in receipts:
            self.assertEqual(by_number[number], request)

    def test_a_module_that_was_run_holds_no_room_once_it_is_removed(self):
        node = self.node()
        added = node.ask("library", "add", guest("values"), "--name", "demo:values",
                         "--version", "1.0.0")
        self.assertEqual(added.code, 0, added)
        asked = wire.request(self.signer, wire.CALL, module=bytes.fromhex(added.out.strip()),
                             function=b"add", arguments=ADD)
        self.assertEqual(wire.post(node.address, asked, ADD).status, 200)
        self.assertEqual(node.ask("library", "remove", "demo:values").code, 0)
        until(lambda: os.listdir(os.path.join(node.folder, "state", "modules")) == [],
              "its files go")
        again = wire.request(self.signer, wire.CALL, module=bytes.fromhex(added.out.strip()),
                             function=b"add", arguments=ADD)
        self.assertEqual(wire.post(node.address, again, ADD).status, 404)

    def test_a_key_that_is_taken_back_is_gone_in_both_forms(self):
        node = self.node()
        folder = os.path.join(node.folder, "groups", "friends")
        shutil.copy(os.path.join(folder, "me.pem"), os.path.join(folder, "me.pub"))
        gone = node.at_socket("DELETE", "/groups/friends/keys/me")
        self.assertEqual(gone[0], 200, gone)
        self.assertEqual([each for each in os.listdir(folder) if each.startswith("me.")], [])
        asked = wire.request(self.signer, wire.RUN, module=bytes(32))
        self.assertEqual(wire.post(node.address, asked, wire.command_line()).status, 403)
        self.assertEqual(node.at_socket("DELETE", "/groups/friends/keys/me")[0], 404)

    def test_a_library_that_is_refused_leaves_nothing(self):
        node = self.node()
        refused = node.ask("library", "add", guest("values"), "--name", "no name")
        self.assertNotEqual(refused.code, 0, refused)
        until(lambda: os.listdir(os.path.join(node.folder, "state", "modules")) == [],
              "its files go")

    def test_settings_without_lines_are_refused(self):
        node = self.node()
        before = node.settings()
        status, text = node.at_socket("POST", "/settings?write=1", before.replace("\n", ""))
        self.assertEqual(status, 400, text)
        self.assertIn("--data-binary", text)
        self.assertEqual(node.settings(), before)

    def test_what_is_stored_again_is_billed_once(self):
        node = self.node()
        for _ in range(2):
            self.store(node)
        node.stop()  # All of it is written by then.
        stored = [each["stored_bytes"] for each in node.events() if each["action"] == "store"]
        self.assertEqual(sum(size > 0 for size in stored), 1, stored)

    def test_changes_at_once_leave_what_the_files_say(self):
        node = self.node()
        reloads = threading.Thread(target=lambda: [node.ask("reload") for _ in range(20)])
        reloads.start()
        other = self.new_key("other")
        path = "/groups/friends/keys/other"
        node.trust(other)
        with open(os.path.join(node.folder, "groups", "friends", "other.pem")) as file:
            key = file.read()
        for _ in range(10):
            for method, text, known in (("POST", key, 200), ("DELETE", "", 403)):
                done = node.at_socket(method, path, text)
                self.assertEqual(done[0], 200, done)
                asked = wire.request(wire.Key(other), wire.RUN, module=bytes(32))
                self.assertEqual(wire.post(node.address, asked, wire.command_line()).status == 403,
                                 known == 403)
        reloads.join()

    def test_who_is_not_written_may_not_use_the_socket(self):
        if os.getuid() != 0:
            self.skipTest("only root becomes another user")
        node = self.node()
        os.chmod(self.home, 0o755)
        socket = os.path.join(node.folder, "state", "control.sock")
        for folder in (node.home, node.folder, os.path.dirname(socket)):
            os.chmod(folder, 0o755)
        os.chmod(socket, 0o666)
        done = subprocess.run(["curl", "-s", "--unix-socket", socket, "http://localhost/status"],
                              user=65534, capture_output=True, timeout=SECONDS_MAX, check=False)
        self.assertIn(b"may not look", done.stdout, done)


if __name__ == "__main__":
    unittest.main()
