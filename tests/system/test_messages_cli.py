#!/usr/bin/env python3
"""`weft messages`: what operators publish to a running host, watch, and bring again of its dead
letters, over the embedded log, JetStream, core NATS and MQTT."""

import json
import os
import re
import subprocess
import threading
import unittest

from client import get
from host import SECONDS_MAX, WEFT, Host, environment, run, until
from servers import Mosquitto, Nats
from test_admin import Admin
from test_apps import App, reload

MANIFEST = """
[app]
name = "shop"
[component.store]
source = "store.wasm"
uses.keyvalue = [""]
[component.plain]
source = "plain.wasm"
uses.keyvalue = [""]
uses.messaging = ["", "second"]
[component.wasi]
source = "wasi.wasm"
uses.keyvalue = [""]
uses.messaging = [""]
[[trigger.http]]
route = "/kv/..."
component = "store"
[[trigger.message]]
topic = "plain.>"
component = "plain"
group = "orders"
retries = 0
[[trigger.message]]
topic = "*.*"
component = "wasi"
group = "all"
"""

OPERATOR = '[admin]\nlisten = "127.0.0.1:0"\ncalls = true\n'


class Tail:
    """A `weft messages tail` that goes on."""

    def __init__(self, home, *words):
        self.process = subprocess.Popen([WEFT, "messages", "tail", *words], env=environment(home),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.err = ""
        self.lines = []
        self.readers = [threading.Thread(target=self._read, args=each, daemon=True)
                        for each in ((self.process.stderr, self._said),
                                     (self.process.stdout, self._line))]
        for each in self.readers:
            each.start()

    def _read(self, stream, take):
        for line in stream:
            take(line)

    def _said(self, line):
        self.err += line

    def _line(self, line):
        self.lines.append(line.rstrip("\n"))

    def __enter__(self):
        until(lambda: "watching" in self.err or self.process.poll() is not None, "it watches")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(SECONDS_MAX)
        for each in self.readers:
            each.join(SECONDS_MAX)
        self.process.stdout.close()
        self.process.stderr.close()


class Messages:
    """The verbs on one driver."""

    operator = OPERATOR
    # What is said where no group wants a topic, and of one that is not there.
    nobody = "; no trigger here wants this topic"
    unknown = 'no trigger here has the group "ordres"'

    @classmethod
    def setUpClass(cls):
        cls.app = cls.enterClassContext(
            App(MANIFEST, store="keyvalue_p2", plain="handler", wasi="handler_wasi"))
        cls.app.write("on.toml", cls.operator_text())
        cls.host = cls.enterClassContext(
            Host(cls.app.folder, "--on", os.path.join(cls.app.folder, "on.toml")))
        cls.at = "%s:%d" % Admin(cls.host).address

    @classmethod
    def operator_text(cls):
        return OPERATOR

    def messages(self, verb, *words, **options):
        return run("messages", verb, "--at", self.at, *words, **options)

    def well(self, verb, *words, **options):
        done = self.messages(verb, *words, **options)
        self.assertEqual(done.code, 0, done)
        return done

    def wrong(self, verb, *words):
        done = self.messages(verb, *words)
        self.assertEqual(done.code, 1, done)
        return done.err

    def count(self, key):
        response = get(self.host, "/kv/" + key)
        return int(response.text) if response.status == 200 else 0

    def letters(self, *words):
        return json.loads(self.well("dead", "shop", "--json", *words).out)["letters"]

    def test_publish(self):
        done = self.well("publish", "shop", "plain.a", "one", "--meta", "key=k", "--meta", "b=c=d")
        self.assertIn("published 3 bytes to plain.a, for: all, orders\n", done.err)
        done = self.well("publish", "shop", "lonely", "one")
        self.assertIn("published 3 bytes to lonely" + self.nobody, done.err)
        self.well("publish", "shop/", "plain.a", "-", stdin=b"input")
        until(lambda: self.count("n/one") == 1, "one")
        until(lambda: self.count("w/plain.a/one/k") == 1, "its key")
        until(lambda: self.count("n/input") == 1, "the input")

    def test_tail(self):
        """What is published is shown once it watches, also after a reload, and still handled."""
        with Tail(self.app.folder, "--at", self.at, "shop", "plain.t.*", "--json") as tail:
            def publish():
                self.well("publish", "shop", "plain.t.probe", "probe")
                return tail.lines
            until(publish, "it is shown")
            self.well("publish", "shop", "plain.other", "unseen")
            self.well("publish", "shop", "plain.t.a", "seen", "--meta", "key=k")
            line = until(lambda: [each for each in tail.lines if "plain.t.a" in each],
                         "it is shown too")[0]
            message = json.loads(line)
            self.assertEqual(message, {"topic": "plain.t.a", "size": 4, "metadata": [["key", "k"]],
                                       "data": "c2Vlbg=="})
            self.assertNotIn("plain.other", "".join(tail.lines))
            until(lambda: self.count("n/seen") == 1, "it is handled")
            reload(self.host)
            # Once more than that where it asked before the new version was there.
            until(lambda: tail.err.count("watching") >= 2, f"it watches again: {tail.err}")
            before = len(tail.lines)
            until(lambda: publish() and len(tail.lines) > before, "it is shown again")
        with Tail(self.app.folder, "--at", self.at, "shop", ">", "--count", "1") as tail:
            until(lambda: self.well("publish", "shop", "plain.u", "x\x1by\n\u202ez", "--meta",
                                    "a=b\nc") and
                  tail.process.poll() is not None, "it ends")
            self.assertEqual(tail.process.returncode, 0)
            until(lambda: tail.lines, "its line")
            # One line, and nothing that a terminal would obey.
            self.assertEqual(tail.lines,
                             [r"plain.u  8 bytes  a=b\nc  x\x1by\n\xe2\x80\xaez"])

    def test_dead_letters_come_again(self):
        """One that fails once is handled then and gone, one that always fails stays, and no other
        group is brought them."""
        for body in ("twice", "fail"):
            self.well("publish", "shop", "plain.d", body, "--meta", "key=k")
        until(lambda: len(self.letters("--group", "orders")) == 2, "two dead letters")
        letters = {self.body(each["number"]): each for each in self.letters("--group", "orders")}
        twice = letters["twice"]
        self.assertEqual((twice["topic"], twice["attempts"], twice["size"], twice["metadata"]),
                         ("plain.d", 1, 5, [["key", "k"]]))
        self.assertIn("I do not want it", twice["reason"])
        self.assertNotIn("data", twice)
        table = self.well("dead", "shop").out
        self.assertRegex(table, r"^NUMBER +GROUP +TOPIC +ATTEMPTS +SIZE +REASON\n")
        self.assertRegex(table, rf"{twice['number']} +orders +plain\.d +1 +5 +.*do not want it\n")
        self.assertNotIn("\n  twice", table)
        self.assertIn("\n  twice", self.well("dead", "shop", "--bodies").out)
        until(lambda: self.count("w/plain.d/twice/k") == 1, "the other group")
        done = self.well("replay", "shop", "orders", twice["number"])
        self.assertIn("1 brought again to orders: its trigger handles them in their turn", done.out)
        until(lambda: self.count("n/twice") == 2, "it is handled")
        until(lambda: len(self.letters()) == 1, "it is gone")
        again = self.messages("replay", "shop", "orders", twice["number"])
        self.assertEqual((again.code, again.out), (1, "0 brought again to orders, 1 not\n"))
        self.assertIn(f"{twice['number']} was not brought: there is no dead letter", again.err)
        self.assertEqual(self.well("replay", "shop", "all", "--all").out,
                         "all has no dead letters\n")
        self.well("replay", "shop", "orders", "--all")
        until(lambda: self.count("n/fail") == 2, "it fails again")
        # It is handled before it is a dead letter again.
        letter, = until(lambda: [each for each in [self.letters()] if len(each) == 1],
                        "it is the one that stays")[0]
        self.assertEqual(self.body(letter["number"]), "fail")
        self.assertEqual(self.count("w/plain.d/twice/k"), 1)
        self.assertEqual(self.count("w/plain.d/fail/k"), 1)

    def body(self, number):
        for each in self.letters("--bodies"):
            if each["number"] == number:
                return {"dHdpY2U=": "twice", "ZmFpbA==": "fail"}[each["data"]]
        raise AssertionError(number)

    def test_what_is_wrong(self):
        for words, what in (
                (("publish", "shop", "a b", "x"), "no spaces"),
                (("publish", "shop", "plain.a"), "TOPIC DATA"),
                (("publish", "shop", "plain.a", "x", "--meta", "key"), "KEY=VALUE"),
                (("publish", "store", "plain.a", "x"),
                 "there is no app store; what there is: shop"),
                (("publish", "shop/third", "plain.a", "x"), 'no broker "third"'),
                (("tail", "shop", "a..b"), "part"),
                (("publish", "shop", "plain.a", "x", *["--meta=k=v"] * 65), "64 at most"),
                (("dead", "shop", "--group", "ordres"), self.unknown),
                (("dead", "shop", "--group", "ordres"), '"all", "orders"'),
                (("groups", "shop", "x"), "groups APP"),
                (("forget", "shop"), "--group GROUP"),
                (("forget", "shop", "--group", "orders"), 'the group "orders" runs here'),
                (("replay", "shop", "orders"), "--all"),
                (("replay", "shop", "orders", "x"), "NUMBER"),
                (("replay", "shop", "nobody", "--all"),
                 'no trigger here has the group "nobody", so nothing can be brought to it; those '
                 'that are here: "all", "orders"'),
                (("replay", "shop", "nobody", "1"), 'the group "nobody"'),
                (("replay", "shop/second", "orders", "--all"), "there are none on this broker")):
            self.assertIn(what, self.wrong(*words))


class Embedded(Messages, unittest.TestCase):
    nobody = ", but no group wants this topic"
    unknown = 'the broker has no group "ordres"; it has: '

    def test_a_group_without_a_trigger(self):
        """A group whose trigger has another name now is shown with what waits for it, and goes."""
        with App(MANIFEST, store="keyvalue_p2", plain="handler", wasi="handler_wasi") as app:
            app.write("on.toml", OPERATOR)
            with Host(app.folder, "--on", os.path.join(app.folder, "on.toml")) as host:
                at = "%s:%d" % Admin(host).address

                def ask(verb, *words):
                    return run("messages", verb, "--at", at, "shop", *words)

                def groups():
                    told = json.loads(ask("groups", "--json").out)
                    self.assertTrue(told["all"])
                    return {each["group"]: each for each in told["groups"]}

                until(lambda: groups().get("orders", {}).get("runs"), "it runs")
                app.write("weft.toml", MANIFEST.replace('group = "orders"\n', ""))
                reload(host)
                until(lambda: groups()["orders"]["runs"] is False, "it runs no more")
                until(lambda: groups().get("plain plain.>", {}).get("runs"), "the new one runs")
                done = ask("publish", "plain.g.x", "later")
                self.assertIn("for: orders, plain plain.>\n", done.err)
                until(lambda: groups()["plain plain.>"]["backlog"] == 0, "the new one has it")
                self.assertEqual({key: groups()["orders"][key]
                                  for key in ("topic", "backlog", "dead")},
                                 {"topic": "plain.>", "backlog": 1, "dead": 0})
                table = ask("groups").out
                self.assertRegex(table, r"^GROUP +TOPIC +BACKLOG +DEAD +POSITION +TRIGGER\n")
                self.assertRegex(table, r"\norders +plain\.> +1 +0 +\d+ +\d+s ago\n")
                self.assertRegex(table, r"\nplain plain\.> +plain\.> +0 +0 +\d+ +runs\n")
                self.assertEqual(ask("forget", "--group", "orders").out,
                                 "orders is forgotten; messages that waited for it: 1, dead "
                                 "letters: 0\n")
                self.assertEqual(set(groups()), {"all", "plain plain.>"})
                done = ask("forget", "--group", "orders")
                self.assertEqual(done.code, 1)
                self.assertIn('no group "orders"; it has: "all", "plain plain.>"', done.err)

    def test_calls_must_be_allowed(self):
        self.app.write("closed.toml", OPERATOR.replace("calls = true\n", ""))
        closed = os.path.join(self.app.folder, "closed.toml")
        with Host(self.app.folder, "--on", closed) as host:
            at = "%s:%d" % Admin(host).address
            done = run("messages", "dead", "--at", at, "shop")
            self.assertEqual(done.code, 1)
            self.assertIn("[admin] calls = true", done.err)

    def test_who_watches_does_not_hold_up_the_host(self):
        """Who watches is told that it stops, and does not run until the host breaks it off."""
        on = os.path.join(self.app.folder, "on.toml")
        with Host(self.app.folder, "--on", on) as host:
            at = "%s:%d" % Admin(host).address
            with Tail(self.app.folder, "--at", at, "shop", ">") as tail:
                self.assertEqual(host.stop(), 0, host.log)
                until(lambda: tail.process.poll() is not None, "who watches ends")
                self.assertEqual(tail.process.returncode, 1)
                until(lambda: "the host stops" in tail.err, "it was told why")

    def test_the_second_broker(self):
        self.well("publish", "shop/second", "plain.b", "elsewhere")
        self.assertEqual(json.loads(self.well("dead", "shop/second", "--json").out),
                         {"more": False, "letters": []})
        self.assertEqual(self.count("n/elsewhere"), 0)

    def test_nothing_but_the_call_is_logged(self):
        self.well("publish", "shop", "plain.s", "a-secret-body")
        line = self.host.wait_log(r"admin: call target=shop function=\S*messaging publish[^\n]*")
        self.assertNotIn("a-secret-body", re.sub(r"\s", "", line[0]))


class OverServer(Messages):
    kind = Nats
    scheme = "nats"

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(cls.kind())
        super().setUpClass()

    @classmethod
    def operator_text(cls):
        return OPERATOR + (f'[messaging.""]\ndriver = "{cls.driver}"\n'
                           f'url = "{cls.scheme}://127.0.0.1:{cls.server.port}"\n')


class JetStream(OverServer, unittest.TestCase):
    driver = "jetstream"


class CoreNats(OverServer, unittest.TestCase):
    driver = "nats"


class Mqtt(OverServer, unittest.TestCase):
    kind = Mosquitto
    scheme = driver = "mqtt"


if __name__ == "__main__":
    unittest.main()
