#!/usr/bin/env python3
"""What wakes components, for who begins with it and who operates it: README's walk through
messages, schedules, sensors and locks; what a start says of triggers; and their metrics."""

import os
import re
import shlex
import subprocess
import unittest

from host import FAST, ROOT, SECONDS_MAX, Host, run, until
from test_admin import Admin
from test_apps import App
from test_build import Folder

ADMIN = ("--admin", "127.0.0.1:0")


def walk():
    """The commands of README's section: (command, what is seen then)."""
    with open(os.path.join(ROOT, "README.md")) as file:
        section = re.search(r"\n## Events\n(.*?)\n## ", file.read(), re.S)[1]
    lines = [line.strip().partition(" #") for line in section.splitlines()
             if line.startswith("    ")]
    return [(command.strip(), comment.strip()) for command, _, comment in lines]


def pattern(comment):
    """What a comment says is seen, of which it leaves out some."""
    return ".*".join(re.escape(part) for part in comment.split("..."))


@unittest.skipIf(FAST, "builds for a minute")
class Walk(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(Folder())
        self.host = None
        self.beside = []

    def tearDown(self):
        for each in self.beside:
            each.kill()
            each.communicate()
        if self.host:
            self.host.stop()

    def dev(self, words):
        """As `weft dev`, on free ports; the one before has ended."""
        if self.host:
            self.host.stop()
        options = [self.folder.file(word) if word.endswith(".toml") else word
                   for word in words[1:]]
        self.host = self.folder.serve("dev", words[0], *options, *ADMIN)

    def curl(self, command):
        words = shlex.split(command.rstrip("& "))
        url = words[-1].replace("127.0.0.1:8080", "%s:%d" % self.host.address)
        process = subprocess.Popen([*words[:-1], "-s", url], stdout=subprocess.PIPE, text=True)
        self.beside.append(process)
        if command.endswith("&"):
            # It has its lock before the next one asks.
            Admin(self.host).wait_metric(1, "weft_capability_calls_total", capability="lock")
            return None
        return process.communicate(timeout=SECONDS_MAX)[0]

    def do(self, command, seen):
        words = shlex.split(command)
        if words[:2] == ["weft", "dev"]:
            self.dev(words[2:])
            if not seen.startswith("leave it"):
                self.host.wait_log(pattern(seen))
        elif words[0] == "weft":
            at = ["--at", "%s:%d" % Admin(self.host).address] if words[1:3] in (
                ["messages", "publish"], ["messages", "dead"], ["cron", "run"]) else []
            done = self.folder.weft(*words[1:], *at)
            if words[2] == "publish":
                self.host.wait_log(pattern(seen))
            elif seen:
                self.assertRegex(done.out, pattern(seen))
        elif words[0] == "curl":
            answer = self.curl(command)
            if answer is not None:
                self.assertEqual(answer, seen + "\n")
        else:
            self.assertEqual(words, ["wait"])
            self.assertEqual(self.beside[0].communicate(timeout=SECONDS_MAX)[0], seen + "\n")

    def test_readme(self):
        """README's walk through events, word by word, on a fresh folder."""
        commands = walk()
        self.assertGreater(len(commands), 12)
        for command, seen in commands:
            self.do(command, seen)

    def test_what_new_says(self):
        """Each template checks without a warning, and `weft new` names the commands that follow."""
        for kind, words in (("message", "weft messages publish x orders.new coffee"),
                            ("cron", "weft cron run x job"),
                            ("sensor", "weft dev x --on x/operator.toml"),
                            ("lock", "weft dev x ")):
            with self.subTest(kind=kind), Folder() as folder:
                self.assertIn(words, folder.weft("new", "cpp", "x", "--kind", kind).err)
                folder.weft("build", "x")
                on = ("--on", "x/operator.toml") if kind != "lock" else ()
                self.assertEqual(folder.weft("check", "x", *on).out, "0 errors, 0 warnings\n")


MANIFEST = """
[app]
name = "shop"
[component.mail]
source = "mail.wasm"
uses.keyvalue = [""]
uses.messaging = [""]
[component.ticker]
source = "ticker.wasm"
uses.keyvalue = [""]
[[trigger.message]]
component = "mail"
topic = "orders.*"
group = "mailers"
backoff = "30s"
[[trigger.cron]]
component = "ticker"
schedule = "every 1s"
[[trigger.cron]]
component = "ticker"
schedule = "@yearly"
time-zone = "Asia/Kolkata"
"""

OPERATOR = '[admin]\nlisten = "127.0.0.1:0"\ncalls = true\n'


class Operated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.enterClassContext(App(MANIFEST, mail="handler", ticker="ticker"))
        cls.app.write("on.toml", OPERATOR)
        cls.host = cls.enterClassContext(
            Host(cls.app.folder, "--on", os.path.join(cls.app.folder, "on.toml")))
        cls.admin = Admin(cls.host)

    def publish(self, text):
        done = run("messages", "publish", "--at", "%s:%d" % self.admin.address, "shop",
                   "orders.new", text)
        self.assertEqual(done.code, 0, done)

    def test_what_a_start_says(self):
        """A line for each trigger: what it waits for, for whom, and when a schedule comes next."""
        self.assertIn("  message orders.* -> mail, group mailers\n", self.host.log)
        self.assertRegex(self.host.log, r"  cron every 1s -> ticker, next \d{4}-\d\d-\d\d "
                                        r"\d\d:\d\d:\d\d\+00:00\n")
        self.assertRegex(self.host.log, r"  cron @yearly -> ticker, next \d{4}-01-01 "
                                        r"00:00:00\+05:30\n")

    def test_metrics(self):
        """Runs by how they ended, those under way, what is given up, and what waits for a group."""
        mail = {"app": "shop", "component": "mail", "trigger": "message", "on": "orders.*",
                "group": "mailers"}
        self.publish("say hello")
        self.admin.wait_metric(1, "weft_trigger_runs_total", outcome="done", **mail)
        waiting = {"app": "shop", "broker": "", "group": "mailers"}
        until(lambda: self.admin.metric("weft_messages_waiting", **waiting) == 0, "none waits")
        self.publish("fail")
        self.admin.wait_metric(1, "weft_trigger_runs_total", outcome="failed", **mail)
        # It is tried again in half a minute.
        until(lambda: self.admin.metric("weft_messages_waiting", **waiting) == 1, "one waits")
        self.assertEqual(self.admin.metric("weft_trigger_runs_in_flight", **mail), 0)
        self.assertEqual(self.admin.metric("weft_trigger_given_up_total", **mail), 0)
        self.admin.wait_metric(1, "weft_trigger_runs_total", outcome="done", trigger="cron",
                               on="every 1s")
        seen = self.admin.json("/api/overview")
        runs = [each["runs"] for each in seen["triggers"] if each["trigger"] == "message"]
        self.assertEqual([each["failed"] for each in runs], [1])
        self.assertEqual(seen["backlogs"], [{"app": "shop", "broker": "", "group": "mailers",
                                             "messages": 1}])


if __name__ == "__main__":
    unittest.main()
