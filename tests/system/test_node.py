#!/usr/bin/env python3
"""Nodes from end to end: programs run and functions called on another node, what it refuses, what
it keeps, and the attacks that have to fail, each against a running daemon."""

import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import node_wire as wire
from host import ROOT, SECONDS_MAX, WEFT, environment, guest, run, until

# Periods begin where the clock has a multiple of them: the end of a long one is seldom in a test.
GROUP = """
[group.friends]
may = ["describe", "fetch", "run", "call", "store", "observe"]
per = "240h"
cpu = "10min"
compile = "2min"
memory = "256MiB"
storage = "64MiB"
runs = 8
"""


ADD = bytes([1, 2])  # The arguments of add(1, 2), as docs/ENCODING.md has them.


class Node:
    """A daemon in a folder of its own, ended with the block."""

    def __init__(self, home, name, group=GROUP, extra="", discovery="on = false",
                 listen="127.0.0.1:0"):
        self.home, self.folder = home, os.path.join(home, name)
        made = run("node", "init", self.folder)
        if made.code != 0:
            raise AssertionError(made)
        self.write(f'[node]\nname = "{name}"\nlisten = ["{listen}"]\n'
                   f"[node.discovery]\n{discovery}\n{extra}\n{group}")
        self.process = None

    def write(self, text):
        with open(os.path.join(self.folder, "node.toml"), "w") as file:
            file.write(text)

    def settings(self):
        with open(os.path.join(self.folder, "node.toml")) as file:
            return file.read()

    def trust(self, key, group="friends"):
        done = run("key", "trust", os.path.join(self.folder, "groups"), group, key)
        if done.code != 0:
            raise AssertionError(done)

    def start(self):
        self.log = open(os.path.join(self.home, "log"), "ab")
        self.process = subprocess.Popen([WEFT, "node", "start", "--dir", self.folder],
                                        env=environment(self.home), stderr=self.log,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        socket = os.path.join(self.folder, "state", "control.sock")
        until(lambda: os.path.exists(socket) or self.process.poll() is not None, "it listens")
        # It is there a little before somebody is let in.
        until(lambda: self.ask("status").code == 0 or self.process.poll() is not None, "it answers")
        if self.process.poll() is not None:
            raise AssertionError(self.text())
        status = self.status()
        self.key = status["key"]
        found = re.match(r"https://([^:]+):(\d+)/", status["urls"][0])
        self.address = (found[1], int(found[2]))
        self.at = f"{self.key}@{found[1]}:{found[2]}"
        return self

    def text(self):
        with open(os.path.join(self.home, "log")) as file:
            return file.read()

    def ask(self, *words):
        return run("node", *words, "--dir", self.folder)

    def at_socket(self, method, path, body=""):
        """(status, text) of what the control socket answers."""
        socket = os.path.join(self.folder, "state", "control.sock")
        done = subprocess.run(["curl", "-s", "--unix-socket", socket, "-X", method,
                               "-w", "\n%{http_code}", "--data-binary", "@-",
                               "http://localhost" + path], input=body, capture_output=True,
                              text=True, timeout=SECONDS_MAX, check=False)
        text, status = done.stdout.rsplit("\n", 1)
        return int(status), text

    def status(self):
        done = self.ask("status", "--json")
        if done.code != 0:
            raise AssertionError(done)
        return json.loads(done.out)

    def events(self):
        done = self.ask("events")
        if done.code != 0:
            raise AssertionError(done)
        return [json.loads(line)["data"] for line in done.out.splitlines()]

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"^RssAnon:\s+(\d+) kB", file.read(), re.M)[1])

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(2 * SECONDS_MAX)
        self.log.close()
        self.process = None
        if number == signal.SIGKILL:
            # The next start replaces it; a test waits for the new one.
            os.unlink(os.path.join(self.folder, "state", "control.sock"))
        return code

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Case(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="weft-node-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.key = self.new_key("me")
        self.signer = wire.Key(self.key)

    def new_key(self, name):
        path = os.path.join(self.home, name + ".pem")
        done = run("key", "new", path)
        self.assertEqual(done.code, 0, done)
        return path

    def node(self, name="attic", **options):
        home = os.path.join(self.home, name + "-home")
        os.makedirs(home)
        node = Node(home, name, **options)
        node.trust(self.key)
        node.start()
        self.addCleanup(node.stop)
        return node

    def net(self, *words, **options):
        return run("net", *words, "--key", self.key, **options)

    def store(self, node, name="hello_command"):
        """A module that the node has now: its name."""
        done = self.net("store", node.at, guest(name))
        self.assertEqual(done.code, 0, done)
        return bytes.fromhex(done.out.strip())


class Work(Case):
    def test_a_program_runs_there_and_a_warm_run_moves_no_code(self):
        node = self.node()
        for words in (["a", "b"], ["c"]):
            done = self.net("run", node.at, guest("hello_command"), *words)
            self.assertEqual((done.code, done.err), (0, ""), done)
            for word in words:
                self.assertIn(f": {word}\n", done.out)
        stores = {each["request"] for each in node.events() if each["action"] == "store"}
        self.assertEqual(len(stores), 1)
        runs = [each for each in node.events() if each["action"] == "run"]
        # The first was refused for the want of the module.
        self.assertEqual([each["outcome"] for each in runs], ["refused", "done", "done"])
        self.assertGreater(runs[1]["compile_ns"], 0)
        self.assertEqual(runs[2]["compile_ns"], 0)
        self.assertGreater(runs[2]["cpu_ns"], 0)
        self.assertGreater(runs[2]["memory_peak_bytes"], 0)

    def test_a_typed_function_is_called_there(self):
        node = self.node()
        done = self.net("call", node.at, guest("values"), "add(2, 40)")
        self.assertEqual((done.code, done.out), (0, "42\n"), done)
        done = self.net("call", node.at, guest("values"), "add(2)")
        self.assertEqual(done.code, 1, done)
        trapped = self.net("call", node.at, guest("values"), "trap()")
        self.assertEqual(trapped.code, 1)
        self.assertIn("unreachable", trapped.err)

    def test_a_library_in_text_is_called_there(self):
        library = os.path.join(ROOT, "examples", "node", "collatz.wat")
        done = self.net("call", self.node().at, library, "steps(27)")
        self.assertEqual((done.code, done.out), (0, "111\n"), done)

    def test_what_is_no_module_is_told_without_the_folders_of_the_node(self):
        node = self.node()
        done = self.net("run", node.at, self.key)
        self.assertEqual(done.code, 1, done)
        self.assertIn("the module: it is not WebAssembly", done.err)
        self.assertNotIn("modules/", done.err)

    def test_a_program_reports_what_is_free_there(self):
        node = self.node()
        done = self.net("run", node.at, guest("free_resources"))
        self.assertEqual(done.code, 0, done)
        report = dict(each.split("=") for each in done.out.split())
        self.assertEqual(int(report["processors"]), os.cpu_count())
        self.assertGreater(int(report["memory-free"]), 0)
        self.assertLessEqual(int(report["memory-free"]), int(report["memory-total"]))
        # Of eight runs this one has one, and ten minutes were never there in full.
        self.assertEqual(int(report["runs-left"]), 7)
        self.assertLess(int(report["cpu-left-ms"]), 600_000)

    def test_a_group_that_may_not_observe_is_told_nothing(self):
        node = self.node(group=GROUP.replace(', "observe"', ""))
        done = self.net("run", node.at, guest("free_resources"))
        self.assertEqual(done.code, 0, done)
        values = {each.split("=")[1] for each in done.out.split()}
        self.assertEqual(values, {"denied"})
        done = self.net("run", node.at, guest("network_map"))
        self.assertEqual((done.code, done.out), (1, ""), done)
        self.assertIn("does not let its runs observe", done.err)

    def test_standard_input_goes_there(self):
        node = self.node()
        done = self.net("run", node.at, guest("hello_command"), stdin=b"x" * 100_000)
        self.assertEqual(done.code, 0, done)
        runs = [each for each in node.events() if each["action"] == "run"]
        self.assertGreater(runs[-1]["bytes_in"], 100_000)

    def test_a_module_is_fetched_and_is_the_same(self):
        node = self.node()
        module = self.store(node)
        path = os.path.join(self.home, "fetched.wasm")
        done = self.net("fetch", node.at, module.hex(), "--output", path)
        self.assertEqual(done.code, 0, done)
        with open(path, "rb") as fetched, open(guest("hello_command"), "rb") as file:
            self.assertEqual(fetched.read(), file.read())
        done = self.net("fetch", node.at, "0" * 64, "--output", path)
        self.assertEqual(done.code, 1)
        self.assertIn("not here", done.err)

    def test_a_line_of_the_bill_is_proven_offline(self):
        node = self.node()
        proof = os.path.join(self.home, "proof")
        done = self.net("call", node.at, guest("values"), "add(1, 2)", "--receipt", proof)
        self.assertEqual(done.code, 0, done)
        node.stop()
        words = ("node", "verify", proof + ".request", proof + ".receipt", "--key")
        proven = run(*words, node.key)
        self.assertEqual(proven.code, 0, proven)
        self.assertIn("proven: call", proven.out)
        self.assertEqual(run(*words, self.signer.public.hex()).code, 1)
        with open(proof + ".receipt", "r+b") as file:
            file.seek(200)
            byte = file.read(1)
            file.seek(200)
            file.write(bytes([byte[0] ^ 1]))
        self.assertEqual(run(*words, node.key).code, 1)

    def test_output_is_signed_in_order_and_goes_on_where_it_broke(self):
        node = self.node()
        module = self.store(node)
        line = wire.command_line("one", "two")
        asked = wire.request(self.signer, wire.RUN, module=module, arguments=line)
        answer = wire.post(node.address, asked, line)
        self.assertEqual(answer.status, 200, answer)
        name = hashlib.sha256(asked).digest()
        kinds = [kind for kind, _ in wire.records(answer.body)]
        self.assertEqual(kinds[-1], wire.RECEIPT)
        receipt = wire.fields_of(list(wire.records(answer.body))[-1][1])
        count, chain = wire.chain(name, answer.body)
        self.assertEqual(receipt[2], name)
        self.assertEqual(struct.unpack("<Q", receipt[14])[0], count)
        self.assertEqual(receipt[15], chain)
        # The whole again, and from the last frame on, by who holds the reply key.
        for start in (0, count - 1):
            again = wire.post(node.address,
                              wire.request(self.signer, wire.RESUME, run=name, start=start))
            self.assertEqual(again.status, 200, again)
            frames = [body for kind, body in wire.records(again.body) if kind == wire.FRAME]
            self.assertEqual(len(frames), count - start)
        other = wire.Key(self.new_key("other"))
        node.trust(other.path)
        self.assertEqual(node.ask("reload").code, 0)
        refused = wire.post(node.address, wire.request(other, wire.RESUME, run=name))
        self.assertIn(refused.status, (403, 404), refused)

    def test_a_run_is_cancelled_by_who_began_it_and_by_the_owner(self):
        node = self.node()
        module = self.store(node, "values")
        for by_owner in (False, True):
            asked = wire.request(self.signer, wire.CALL, module=module, function=b"spin",
                                 arguments=b"", limits=(60_000_000_000, 0, 60_000, 0))
            answers = []
            thread = threading.Thread(
                target=lambda: answers.append(wire.post(node.address, asked)))
            thread.start()
            name = hashlib.sha256(asked).hexdigest()
            until(lambda: name in node.ask("runs", "--json").out, "it runs")
            if by_owner:
                self.assertEqual(node.ask("cancel", name).code, 0)
            else:
                self.assertEqual(self.net("cancel", node.at, name).code, 0)
            thread.join(SECONDS_MAX)
            receipt = wire.fields_of(list(wire.records(answers[0].body))[-1][1])
            self.assertEqual(receipt[8], b"\x04")  # Cancelled.

    def test_libraries_are_offered_by_name(self):
        node = self.node()
        added = node.ask("library", "add", guest("values"), "--name", "demo:values",
                         "--version", "1.2.0")
        self.assertEqual(added.code, 0, added)
        described = json.loads(self.net("describe", node.at, "--json").out)
        library = described["libraries"][0]
        self.assertEqual((library["name"], library["version"]), ("demo:values", "1.2.0"))
        self.assertIn("func(a: u32, b: u32) -> u32",
                      [each["type"] for each in library["functions"]])
        # What is in the catalogue needs no store.
        asked = wire.request(self.signer, wire.CALL, module=bytes.fromhex(added.out.strip()),
                             function=b"add", arguments=ADD)
        answer = wire.post(node.address, asked, ADD)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(wire.output(answer.body, stream=3), bytes([3]))
        self.assertEqual(node.ask("library", "remove", "demo:values").code, 0)
        self.assertEqual(json.loads(self.net("describe", node.at, "--json").out)["libraries"], [])


class Attacks(Case):
    def test_a_captured_request_has_no_other_program(self):
        node = self.node()
        module = self.store(node)
        other = self.store(node, "values")
        line = wire.command_line()
        asked = wire.request(self.signer, wire.RUN, module=module, arguments=line)
        swapped = asked.replace(module, other)
        self.assertNotEqual(swapped, asked)
        self.assertEqual(wire.post(node.address, swapped, line).status, 401)
        self.assertEqual(wire.post(node.address, asked, wire.command_line("x")).status, 422)

    def test_nothing_is_done_twice_nor_after_a_restart(self):
        node = self.node()
        module = self.store(node)
        line = wire.command_line()
        asked = wire.request(self.signer, wire.RUN, module=module, arguments=line)
        self.assertEqual(wire.post(node.address, asked, line).status, 200)
        self.assertEqual(wire.post(node.address, asked, line).status, 409)
        for number in (signal.SIGTERM, signal.SIGKILL):
            node.stop(number)
            node.start()
            self.assertIn(wire.post(node.address, asked, line).status, (409, 410))

    def test_times_that_are_off_are_refused(self):
        node = self.node()
        now = int(time.time() * 1000)
        for made, status in ((now - 300_000, 410), (now + 300_000, 410), (now, 200)):
            asked = wire.request(self.signer, wire.DESCRIBE, made=made)
            self.assertEqual(wire.post(node.address, asked).status, status, made - now)
        long_lived = wire.request(self.signer, wire.DESCRIBE, life_ms=3_600_000)
        self.assertNotEqual(wire.post(node.address, long_lived).status, 200)

    def test_a_request_for_another_node_is_none_here(self):
        first, second = self.node("first"), self.node("second")
        asked = wire.request(self.signer, wire.DESCRIBE,
                             audience=b"\x01" + bytes.fromhex(first.key))
        self.assertEqual(wire.post(second.address, asked).status, 421)
        self.assertEqual(wire.post(first.address, asked).status, 200)

    def test_no_byte_can_be_moved_or_changed(self):
        node = self.node()
        asked = wire.request(self.signer, wire.DESCRIBE)
        for at in range(0, len(asked), 7):
            changed = bytearray(asked)
            changed[at] ^= 0x10
            answer = wire.post(node.address, bytes(changed))
            self.assertNotEqual(answer.status, 200, at)
        self.assertEqual(wire.post(node.address, asked).status, 200)

    def test_a_stranger_gets_nothing_but_a_name(self):
        node = self.node()
        module = self.store(node)
        stranger = wire.Key(self.new_key("stranger"))
        answer = wire.post(node.address, wire.request(stranger, wire.DESCRIBE))
        self.assertEqual(set(json.loads(answer.body)), {"node", "name", "version"})
        line = wire.command_line()
        for asked, follows in (
                (wire.request(stranger, wire.FETCH, module=module), b""),
                (wire.request(stranger, wire.RUN, module=module, arguments=line), line)):
            self.assertEqual(wire.post(node.address, asked, follows).status, 403)
        self.assertEqual(wire.chunk(node.address, "GET", os.urandom(16), 0).status, 404)

    def test_a_poisoned_chunk_costs_one_chunk(self):
        node = self.node()
        data = os.urandom(3 * wire.CHUNK + 100)
        encoded, name, chunks = wire.module_list(data)
        answer = wire.post(node.address, wire.request(self.signer, wire.STORE, module=name),
                           encoded)
        self.assertEqual(answer.status, 200, answer)
        ticket = answer.body[:16]
        self.assertEqual(wire.chunk(node.address, "PUT", ticket, 1, b"x" * wire.CHUNK).status, 422)
        for index, each in enumerate(chunks):
            self.assertEqual(wire.chunk(node.address, "PUT", ticket, index, each).status, 200)
        wrong = wire.post(node.address, wire.request(self.signer, wire.STORE, module=name[::-1]),
                          encoded)
        self.assertNotEqual(wrong.status, 200)

    def test_limits_hold_and_others_go_on(self):
        node = self.node()
        self.store(node, "values")
        spinning = threading.Thread(target=lambda: self.net(
            "call", node.at, guest("values"), "spin()", "--cpu", "3s", seconds=2 * SECONDS_MAX))
        spinning.start()
        for _ in range(5):
            done = self.net("call", node.at, guest("values"), "add(1, 2)")
            self.assertEqual(done.code, 0, done)
        spinning.join()
        ended = [each for each in node.events() if each.get("function") == "spin"][-1]
        self.assertEqual(ended["outcome"], "limited")
        self.assertLess(ended["cpu_ns"], 3_500_000_000)

    def test_a_quota_that_is_spent_is_refused_and_said(self):
        node = self.node(group=GROUP.replace('cpu = "10min"', 'cpu = "500ms"'))
        done = self.net("call", node.at, guest("values"), "spin()")
        self.assertEqual(done.code, 1)
        done = self.net("call", node.at, guest("values"), "add(1, 2)")
        self.assertEqual(done.code, 1)
        self.assertIn("quota of processor time", done.err)
        # Memory beyond the quota is not given, whatever the request says.
        done = self.net("call", node.at, guest("values"), "add(1, 2)", "--memory", "1GiB")
        self.assertEqual(done.code, 1)

    def test_claims_cost_nothing(self):
        node = self.node()
        before = node.memory_kib()
        for _ in range(200):
            connection = wire.connect(node.address)
            connection.putrequest("POST", "/weft/1/request")
            connection.putheader("content-length", str(1 << 40))
            connection.endheaders()
            connection.send(struct.pack("<I", 0xffffffff) + b"x" * 64)
            self.assertIn(connection.getresponse().status, (400, 413))
            connection.close()
        self.assertLess(node.memory_kib() - before, 16 * 1024)


if __name__ == "__main__":
    unittest.main()
