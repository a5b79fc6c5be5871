#!/usr/bin/env python3
"""Services that other nodes' services serve: chains and rings of daemons, what each of them bills,
and how a call ends when one of them is slow, away, or does not want it. Services that keep
things."""

import json
import os
import re
import signal
import subprocess
import threading
import unittest
from hashlib import sha256

import node_wire as wire
from host import ROOT, SECONDS_MAX, WEFT, environment, guest, run, until
from test_node import GROUP
from test_node_links import INTERFACE, Served

LINKED = """
[service.words]
file = "words.wasm"
[service.words.links]
"weft-test:words/words" = LINK
"""
COUNT = f'{INTERFACE}#count("a b a")'
COUNTED = 'ok([{word: "a", count: 2}, {word: "b", count: 1}])\n'


class Services(Served):
    @staticmethod
    def trust(node, other):
        key = os.path.join(other.folder, "node.key")
        done = run("key", "trust", os.path.join(node.folder, "groups"), "friends", key, "--as",
                   os.path.basename(other.folder))
        if done.code != 0:
            raise AssertionError(done)

    @staticmethod
    def link(node, link):
        """Has the node's service be linked so; it stands last in the settings from then on."""
        text = re.sub(r"\[service\.words[^\[]*", "", node.settings())
        node.write(text + LINKED.replace("LINK", link))

    def chain(self, link='"node:AT"', **options):
        """attic's service calls cellar's, which calls garage's."""
        garage = self.prepare("garage", "words", **options)
        cellar, attic = (self.prepare(name, "words_through") for name in ("cellar", "attic"))
        self.trust(garage, cellar)
        self.trust(cellar, attic)
        garage.start()
        self.link(cellar, link.replace("AT", garage.at))
        cellar.start()
        self.link(attic, link.replace("AT", cellar.at))
        attic.start()
        return attic, cellar, garage

    @staticmethod
    def calls(node):
        return [each for each in node.events() if each["action"] == "call"]


class Chains(Services):
    def test_a_call_goes_through_three_nodes_and_each_bills_who_asked_it(self):
        nodes = attic, cellar, garage = self.chain()
        for call, answer in [(COUNT, COUNTED), (f'{INTERFACE}#count("")', "err(empty)\n"),
                             (f"{INTERFACE}#calls()", "1\n"), (f"{INTERFACE}#nothing()", "")]:
            done = self.net("call", attic.at, call)
            self.assertEqual((done.code, done.out), (0, answer), done)
        who = [self.signer.public.hex(), attic.key, cellar.key]
        for node, requester in zip(nodes, who):
            until(lambda node=node: len(self.calls(node)) == 4, "all receipts are written")
            self.assertEqual({each["requester"] for each in self.calls(node)}, {requester})
            self.assertEqual({each["outcome"] for each in self.calls(node)}, {"done"})
        # What moves between nodes is moved for who asked: in from the next, out to who asked.
        size = 3_000_000
        proof = os.path.join(self.home, "proof")
        done = self.net("call", attic.at, f"{INTERFACE}#long({size})", "--receipt", proof)
        self.assertEqual(done.code, 0, done.err)
        proven = run("node", "verify", proof + ".request", proof + ".receipt", "--key", attic.key)
        self.assertEqual(proven.code, 0, proven)
        for node in nodes:
            until(lambda node=node: len(self.calls(node)) == 5, "all receipts are written")
            last = self.calls(node)[-1]
            self.assertGreaterEqual(last["bytes_out"], size)
            self.assertEqual(last["bytes_in"] >= size, node is not garage, last)

    def test_a_trap_is_told_by_each(self):
        attic, _, garage = self.chain()
        done = self.net("call", attic.at, f"{INTERFACE}#trap()")
        self.assertEqual((done.code, done.out), (1, ""), done)
        self.assertIn("trapped there", done.err)
        until(lambda: self.calls(garage), "its receipt is written")
        self.assertEqual(self.calls(garage)[-1]["outcome"], "trapped")
        self.assertEqual(self.net("call", attic.at, COUNT).out, COUNTED)

    def test_what_a_call_sends_on_is_within_its_bound_of_output(self):
        attic, _, garage = self.chain()
        text = b"\xd0\x0f" + b"a" * 2000
        for output, told in ((10_000, b""), (1_000, b"moved the 1000 bytes")):
            asked = wire.request(self.signer, wire.CALL, module=bytes(32), arguments=text,
                                 function=f"{INTERFACE}#count".encode(), limits=(0, 0, 0, output))
            answer = wire.post(attic.address, asked, text)
            self.assertEqual(answer.status, 200, answer)
            receipt = wire.fields_of(list(wire.records(answer.body))[-1][1])
            self.assertEqual(receipt[8], b"\x02" if told else b"\x01", receipt)
            self.assertIn(told, receipt[10])
        until(lambda: self.calls(garage), "its receipt is written")
        self.assertEqual(len(self.calls(garage)), 1)

    def test_the_time_of_a_call_is_that_of_what_it_calls(self):
        nodes = attic, _, garage = self.chain()
        # So that they know each other when the time begins.
        self.assertEqual(self.net("call", attic.at, COUNT).out, COUNTED)
        done = self.net("call", attic.at, f"{INTERFACE}#spin()", "--time", "2s")
        self.assertEqual(done.code, 1, done)
        # Its own, or that of what it calls, which has what is left.
        self.assertRegex(done.err, "longer than its time limit of [12][0-9]{3} ms")
        for node in nodes:
            until(lambda node=node: node.status()["runs"] == 0, "it ends there too")
        until(lambda: len(self.calls(garage)) == 2, "its receipt is written")
        last = self.calls(garage)[-1]
        self.assertIn(last["outcome"], ("limited", "cancelled"))
        # By itself it would have computed for ten seconds.
        self.assertLess(last["cpu_ns"], 5_000_000_000)
        self.assertEqual(self.calls(attic)[-1]["outcome"], "limited")
        self.assertEqual(self.net("call", attic.at, COUNT).out, COUNTED)

    def test_a_call_that_is_cancelled_is_cancelled_there_too(self):
        attic, _, garage = self.chain()
        asked = wire.request(self.signer, wire.CALL, module=bytes(32), arguments=b"",
                             function=f"{INTERFACE}#spin".encode())
        answers = []
        thread = threading.Thread(target=lambda: answers.append(wire.post(attic.address, asked)))
        thread.start()
        until(lambda: garage.status()["runs"] == 1, "it runs there")
        self.assertEqual(self.net("cancel", attic.at, sha256(asked).hexdigest()).code, 0)
        thread.join(SECONDS_MAX)
        until(lambda: garage.status()["runs"] == 0, "it ends there")
        self.assertEqual(self.calls(garage)[-1]["outcome"], "cancelled")

    def test_a_node_in_the_middle_of_a_call_ends_it_or_stops(self):
        attic, cellar, garage = self.chain()
        for stops, time in ((False, "20s"), (True, "10s")):
            codes = []
            thread = threading.Thread(target=lambda time=time, codes=codes: codes.append(
                self.net("call", attic.at, f"{INTERFACE}#spin()", "--time", time).code))
            thread.start()
            until(lambda: garage.status()["runs"] == 1, "it runs there")
            if stops:
                self.assertEqual(cellar.stop(), 0)
            else:
                name = json.loads(cellar.ask("runs", "--json").out)["runs"][0]["run"]
                self.assertEqual(cellar.ask("cancel", name).code, 0)
            until(lambda: garage.status()["runs"] == 0, "what it asked for ends")
            thread.join(SECONDS_MAX)
            self.assertEqual(codes, [1])

    def test_one_that_is_away_is_needed_when_it_is_called(self):
        attic, cellar, garage = self.chain()
        garage.stop()
        done = self.net("call", attic.at, COUNT)
        self.assertEqual(done.code, 1, done)
        self.assertIn("node " + garage.at, done.err)
        cellar.stop()
        cellar.start()
        # What it serves by now is compared with what is wanted before anything is called.
        self.put(garage, "words_other")
        garage.start()
        done = self.net("call", attic.at, COUNT)
        self.assertEqual(done.code, 1, done)
        self.assertIn("count", done.err)
        self.put(garage, "words")
        self.assertEqual(garage.ask("reload").code, 0)
        self.assertEqual(self.net("call", attic.at, COUNT).out, COUNTED)

    def test_a_node_that_may_not_call_is_told_so(self):
        attic, cellar, garage = self.chain(group=GROUP + '[group.nodes]\nmay = ["describe"]\n')
        groups = os.path.join(garage.folder, "groups")
        os.rename(os.path.join(groups, "friends"), os.path.join(groups, "nodes"))
        self.assertEqual(garage.ask("reload").code, 0)
        done = self.net("call", attic.at, COUNT)
        self.assertEqual(done.code, 1, done)
        self.assertIn("may not call", done.err)
        self.assertEqual(cellar.status()["runs"], 0)


class Rings(Services):
    def test_services_that_call_each_other_in_a_ring_end(self):
        """Each turn holds a run of the other node's group: at the last of them the call is
        refused, and all that wait for it fail."""
        nodes = attic, cellar = [self.prepare(name, "words") for name in ("attic", "cellar")]
        self.trust(attic, cellar)
        self.trust(cellar, attic)
        for node in nodes:
            node.start()
        for node, other in (nodes, nodes[::-1]):
            self.put(node, "words_through")
            self.link(node, f'"node:{other.at}"')
            self.assertEqual(node.ask("reload").code, 0)
        done = self.net("call", attic.at, COUNT, "--time", "20s")
        self.assertEqual(done.code, 1, done)
        for node in nodes:
            until(lambda node=node: node.status()["runs"] == 0, "nothing of it runs any more")
        outcomes = [each["outcome"] for node in nodes for each in self.calls(node)]
        # Eight runs of a group at once on each node.
        self.assertEqual(outcomes.count("refused"), 1, outcomes)
        self.assertLessEqual(len(outcomes), 17)
        # It is a ring of one as well.
        self.link(attic, f'"node:{attic.at}"')
        self.trust(attic, attic)
        self.assertEqual(attic.ask("reload").code, 0)
        done = self.net("call", attic.at, COUNT, "--time", "20s")
        self.assertEqual(done.code, 1, done)
        until(lambda: attic.status()["runs"] == 0, "nothing of it runs any more")
        # The quota is there again.
        self.link(attic, f'"node:{cellar.at}"')
        self.put(cellar, "words")
        cellar.write(cellar.settings().split("[service.words.links]")[0])
        for node in nodes:
            self.assertEqual(node.ask("reload").code, 0)
        self.assertEqual(self.net("call", attic.at, COUNT).out, COUNTED)


class Settings(Services):
    def test_what_is_wrong_with_a_link_is_told_with_its_place(self):
        node = self.prepare("attic", "words")
        node.start()
        plain = node.settings()
        self.put(node, "words_through")
        refused = node.ask("reload")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("[service.words]", refused.err)
        self.assertIn(INTERFACE, refused.err)
        for link, told in [('"component:words"', "linked to nodes alone"),
                           ('"node:"', "node:NAME"),
                           ('"node:zz@nowhere"', "node.toml"),
                           ('{ to = "node:attic", library = "a", how = "fetch" }', "where it is"),
                           ('{ to = "node:attic", deadlne = "1s" }', "did you mean deadline")]:
            self.link(node, link)
            refused = node.ask("reload")
            self.assertEqual(refused.code, 1, refused)
            self.assertIn(told, refused.err)
            done = self.net("call", node.at, COUNT)
            self.assertEqual((done.code, done.out), (0, COUNTED), "all stays as it was")
        self.put(node, "words")
        self.link(node, '"node:attic"')
        done = node.ask("reload")
        self.assertEqual(done.code, 0, done)
        self.assertIn("does not import", done.err)
        node.write(plain)
        self.assertEqual(node.ask("reload").code, 0)
        self.assertEqual(node.status()["modules"], 1)

    def test_a_module_that_is_called_by_its_hash_is_linked_to_nothing(self):
        attic, _, _ = self.chain()
        self.assertEqual(self.net("call", attic.at, COUNT).out, COUNTED)
        module = bytes.fromhex(self.calls(attic)[-1]["module"])
        asked = wire.request(self.signer, wire.CALL, module=module, arguments=b"",
                             function=f"{INTERFACE}#nothing".encode())
        answer = wire.post(attic.address, asked)
        receipt = wire.fields_of(list(wire.records(answer.body))[-1][1])
        self.assertEqual(receipt[8], b"\x06", "it is unfit: nothing serves its import")
        self.assertIn(b"not offered", receipt[10])


# Of eight runs each may have what one usually has.
ROOMY = GROUP.replace('"256MiB"', '"1GiB"')
STOCK = """
[service.stock]
file = "words.wasm"
keyvalue = "1MiB"
"""


class Stores(Services):
    """A service with a store of its own: it counts things."""

    def add(self, node, name="nuts", more=1):
        done = self.net("call", node.at, f'weft-test:stock/items#count("{name}", {more})')
        self.assertEqual(done.code, 0, done)
        return int(done.out)

    def test_what_a_service_keeps_is_there_for_the_next_call_and_the_next_start(self):
        node = self.prepare("attic", "stock", service=STOCK, group=ROOMY)
        node.start()
        self.assertEqual([self.add(node), self.add(node, more=4)], [1, 5])
        sums = []
        threads = [threading.Thread(target=lambda: sums.append(self.add(node))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS_MAX)
        self.assertEqual(sorted(sums), list(range(6, 12)))
        self.assertEqual(node.ask("reload").code, 0)
        self.assertEqual(self.add(node), 12)
        for number in (signal.SIGTERM, signal.SIGKILL):
            node.stop(number)
            node.start()
            self.assertEqual(self.add(node, more=0), 12)
        file = os.path.join(node.folder, "state", "services", "stock", "keyvalue", "data.mdb")
        self.assertLessEqual(os.stat(file).st_size, 1 << 20)
        # It is the service's and not the component's; and stays while nothing serves it.
        settings = node.settings()
        node.write(settings.replace("[service.stock]", "[service.other]"))
        self.assertEqual(node.ask("reload").code, 0)
        self.assertEqual(self.add(node), 1)
        node.write(settings)
        self.assertEqual(node.ask("reload").code, 0)
        self.assertEqual(self.add(node), 13)

    def test_nothing_but_a_service_that_is_granted_it_keeps_anything(self):
        node = self.prepare("attic", "stock", service=STOCK)
        node.start()
        settings = node.settings()
        for wrong, told in [("", 'keyvalue = "64MiB"'), ('keyvalue = "1KiB"', "1MiB"),
                            ("keyvalue = true", "keyvalue")]:
            node.write(settings.replace('keyvalue = "1MiB"', wrong))
            refused = node.ask("reload")
            self.assertEqual(refused.code, 1, refused)
            self.assertIn(told, refused.err)
        node.write(settings.replace("[service.stock]", '[service."../stock"]'))
        refused = node.ask("reload")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("../stock", refused.err)
        node.write(settings.replace('"1MiB"', '"2MiB"'))
        warned = node.ask("reload")
        self.assertEqual(warned.code, 0, warned)
        self.assertIn("start the node again", warned.err)
        self.assertEqual(self.add(node), 1)
        # The module by its hash, and a program.
        done = self.net("call", node.at, guest("stock"), 'weft-test:stock/items#count("nuts", 1)')
        self.assertEqual(done.code, 1, done)
        self.assertIn("wasi:keyvalue/", done.err)
        done = self.net("run", node.at, guest("keyvalue_draft2"))
        self.assertEqual(done.code, 1, done)
        self.assertIn("wasi:keyvalue/", done.err)
        self.assertEqual(self.add(node), 2)


CHAT = """
[service.chat]
file = "words.wasm"
keyvalue = "4MiB"
"""
DOOR = """
[service.chat]
file = "words.wasm"
[service.chat.links]
"example:node/chat" = "node:AT"
"""


class Chat(Services):
    """examples/node: a chat on one node, and the door to it on another."""

    def talk(self, key, node, *words):
        script = os.path.join(ROOT, "examples", "node", "chat.sh")
        done = subprocess.run([script, key, node.at, *words], check=False, capture_output=True,
                              env=dict(environment(self.home), WEFT=WEFT), text=True,
                              timeout=SECONDS_MAX)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return json.loads(done.stdout)

    def lines(self, key, node, *since):
        return [(each["who"], each["text"]) for each in self.talk(key, node, "read", *since)["ok"]]

    def test_three_users_talk_over_two_nodes(self):
        attic = self.prepare("attic", "chat_service", service=CHAT, group=ROOMY)
        cellar = self.prepare("cellar", "chat_door", service="", group=ROOMY)
        self.trust(attic, cellar)
        attic.start()
        cellar.write(cellar.settings() + DOOR.replace("AT", attic.at))
        # attic knows two people and a node; the third is known there alone.
        alice, bob, carol = self.key, self.new_key("bob"), self.new_key("carol")
        attic.trust(bob)
        cellar.trust(carol)
        self.assertEqual(attic.ask("reload").code, 0)
        cellar.start()
        digits = {key: wire.Key(key).public.hex()[:8] for key in (alice, bob, carol)}
        self.assertEqual(self.talk(alice, attic, "say", "alice", "hello,\nall"), {"ok": 1})
        self.assertEqual(self.talk(bob, attic, "say", "alice", 'am "I" \\ alice?'), {"ok": 2})
        self.assertEqual(self.talk(carol, cellar, "say", "carol", "at the door"), {"ok": 3})
        said = [(f"alice/{digits[alice]}", "hello, all"),
                (f"alice/{digits[bob]}", 'am "I" \\ alice?'),
                (f"carol/{digits[carol]}/{cellar.key[:8]}", "at the door")]
        for key, node in ((alice, attic), (bob, attic), (carol, cellar), (alice, cellar)):
            self.assertEqual(self.lines(key, node), said)
        self.assertEqual(self.lines(carol, cellar, "3"), said[2:])
        self.assertIn("1 to 500", self.talk(alice, cellar, "say", "alice", "x" * 501)["err"])
        stranger = run("net", "call", attic.at, "example:node/chat#read(1)", "--key", carol)
        self.assertEqual(stranger.code, 1, stranger)
        # Many at once, and over a restart of the node that keeps them: nothing is lost.
        threads = [threading.Thread(target=self.talk, args=(key, node, "say", "all", str(number)))
                   for number in range(4) for key, node in ((alice, attic), (carol, cellar))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS_MAX)
        attic.stop()
        attic.start()
        lines = self.talk(carol, cellar, "read")["ok"]
        self.assertEqual([each["number"] for each in lines], list(range(1, 12)))
        self.assertEqual(sorted(each["text"] for each in lines[3:]), sorted(list("0123") * 2))


if __name__ == "__main__":
    unittest.main()
