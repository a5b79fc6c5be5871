#!/usr/bin/env python3
"""Components that run on a schedule: in one host, over a reload and a restart, and in two hosts
that share a store."""

import json
import os
import threading
import time
import unittest

import servers
from client import get, post
from host import Host, run, until
from test_admin import Admin
from test_apps import App, reload

MANIFEST = """
[app]
name = "clock"
[component.ticker]
source = "ticker.wasm"
uses.keyvalue = [""]
uses.cron = ["shared"]
[component.store]
source = "store.wasm"
uses.keyvalue = [""]
[[trigger.http]]
route = "/..."
component = "store"
[[trigger.cron]]
component = "ticker"
schedule = "{schedule}"
{more}
"""


def clock(schedule="every 1s", more=""):
    return App(MANIFEST.format(schedule=schedule, more=more), ticker="ticker", store="keyvalue_p2")


def put(host, path, body):
    return post(host, path, body, method="PUT")


def number(host, key):
    response = get(host, "/kv/" + key)
    return int(response.text) if response.status == 200 else 0


class Cron(unittest.TestCase):
    def test_each_second(self):
        """As often as there are seconds, over a reload and a restart, with tokens that grow."""
        with clock() as app:
            state = os.path.join(app.folder, "state")
            with Host(app.folder, state=state) as host:
                until(lambda: number(host, "runs") >= 2, "two runs")
                begin, first = time.monotonic(), number(host, "runs")
                reload(host)
                until(lambda: number(host, "runs") >= first + 2, "two more")
                self.assertLessEqual(number(host, "runs") - first, time.monotonic() - begin + 2)
                self.assertLessEqual(abs(number(host, "due") - time.time()), 30)
            before = int(time.time())
            with Host(app.folder, state=state) as host:
                until(lambda: number(host, "due") >= before, "a run after the restart")
                self.assertEqual(number(host, "stale"), 0)

    def test_two_hosts(self):
        """Each time is run by one of them, also after the other was killed."""
        with servers.Redis() as redis, clock(more='store = "shared"') as app:
            url = f'driver = "redis"\nurl = "redis://127.0.0.1:{redis.port}"\n'
            app.write("on.toml", '[cron.shared]\n' + url + '[keyvalue.""]\n' + url)
            on = os.path.join(app.folder, "on.toml")
            done = run("check", app.folder, "--on", on, "--connect")
            self.assertEqual(done.code, 0, done)
            with Host(app.folder, "--on", on) as one:
                other = Host(app.folder, "--on", on)
                try:
                    until(lambda: number(one, "runs") >= 1, "a run")
                    begin, first = time.monotonic(), number(one, "runs")
                    until(lambda: number(one, "runs") >= first + 3, "three more")
                    self.assertLessEqual(number(one, "runs") - first,
                                         time.monotonic() - begin + 2)
                finally:
                    other.kill()
                last = number(one, "due")
                until(lambda: number(one, "due") > last, "a run after it was killed", 60)
                self.assertEqual(number(one, "stale"), 0)

    def test_list(self):
        """The next times of each schedule, in its zone, without an engine or a host."""
        with clock("30 2 * * mon-fri", 'time-zone = "Asia/Kolkata"') as app:
            done = run("cron", "list", app.folder)
            self.assertEqual(done.code, 0, done)
            self.assertRegex(done.out, r"^COMPONENT +SCHEDULE +NEXT\nclock\.ticker +30 2 \* \* mon"
                                       r"-fri +\d{4}-\d\d-\d\d 02:30:00\+05:30 "
                                       r"\(Asia/Kolkata\)\n")
            done = run("cron", "list", app.folder, "--json", "--times", "5")
            schedule, = json.loads(done.out)["schedules"]
            self.assertEqual(len(schedule["next"]), 5)
            self.assertEqual(schedule["next"], sorted(schedule["next"]))
            self.assertEqual(run("cron", "show", app.folder).code, 2)
            self.assertEqual(run("cron", "list", "/no/such/app").code, 1)

    def test_run(self):
        """A schedule that comes once a year is run now, with its lock and a token that grows, and
        what becomes of the run is said."""
        with clock("@yearly", 'deadline = "3s"') as app:
            app.write("on.toml", '[admin]\nlisten = "127.0.0.1:0"\ncalls = true\n')
            with Host(app.folder, "--on", os.path.join(app.folder, "on.toml")) as host:
                at = "%s:%d" % Admin(host).address

                def now(*words):
                    return run("cron", "run", "--at", at, *words)

                done = now("clock", "ticker")
                self.assertEqual(done.code, 0, done)
                self.assertRegex(done.out, r"^ticker ran well, in \d+ ms\n$")
                first = number(host, "token")
                done = now("clock", "ticker", "--json", "--schedule", "@yearly")
                self.assertEqual(json.loads(done.out)["token"], number(host, "token"))
                self.assertGreater(number(host, "token"), first)
                self.assertEqual((number(host, "runs"), number(host, "stale")), (2, 0))
                # Two at once come one after the other: no token is older than the one before.
                both = [threading.Thread(target=now, args=("clock", "ticker")) for _ in range(3)]
                for each in both:
                    each.start()
                for each in both:
                    each.join()
                self.assertEqual((number(host, "runs"), number(host, "stale")), (5, 0))
                # The app is named as it is for weft cron list, too.
                self.assertEqual(now(app.folder, "ticker").code, 0)
                self.assertEqual(put(host, "/kv/fail", b"1").status // 100, 2)
                done = now("clock", "ticker")
                self.assertEqual(done.code, 1)
                self.assertIn("the run failed: I was told to", done.err)
                self.assertEqual(put(host, "/kv/fail", b"2").status // 100, 2)
                done = now("clock", "ticker")
                self.assertEqual(done.code, 1)
                self.assertIn("3000 ms", done.err)
                for words, what in ((("clock", "store"), "ticker \"@yearly\""),
                                    (("watch", "ticker"), "there is no app watch"),
                                    (("clock", "ticker", "--schedule", "@daily"), "no such"),
                                    (("clock",), "write weft cron run APP COMPONENT")):
                    done = now(*words)
                    self.assertEqual(done.code, 1, done)
                    self.assertIn(what, done.err)

    def test_a_run_that_waits_says_for_what(self):
        """One that had only waited for the lock of its schedule does not say that it ran."""
        with clock("@yearly", 'deadline = "3s"') as app:
            app.write("on.toml", '[admin]\nlisten = "127.0.0.1:0"\ncalls = true\n')
            with Host(app.folder, "--on", os.path.join(app.folder, "on.toml")) as host:
                at = "%s:%d" % Admin(host).address
                self.assertEqual(put(host, "/kv/fail", b"2").status // 100, 2)
                words = ("cron", "run", "--at", at, "clock", "ticker")
                other = threading.Thread(target=run, args=words)
                other.start()
                said = until(lambda: [line for line in [run(*words, "--time", "50ms").err]
                                      if "waited for" in line], "the other has the lock")[0]
                self.assertIn("it did not begin within 50 ms: it waited for the lock of its "
                              "schedule", said)
                other.join()

    def test_what_is_wrong(self):
        """Said at its place before anything runs."""
        for schedule, more, what in (
                ("* * * *", "", "4 fields"), ("0 0 30 2 *", "", "never comes"),
                ("@daily", 'time-zone = "Moon/Base"', "Moon/Base"),
                ("@daily", 'time-zone = "Berlin"', 'did you mean "Europe/Berlin"?'),
                ("every 6h", 'time-zone = "Asia/Tokyo"', "leave time-zone out"),
                ("every 10s", 'jitter = "20s"', 'write "10s" at most'),
                ("every 15 m", "", 'did you mean "every 15m"?'),
                ("@daily", 'store = "other"', "uses.cron")):
            with clock(schedule, more) as app:
                done = run("check", app.folder)
                self.assertEqual(done.code, 1, done)
                self.assertRegex(done.out, r"weft.toml:\d+:\d+: \[\[trigger.cron\]\]")
                self.assertIn(what, done.out)
        with clock("@daily", 'jitter = "61min"') as app:
            self.assertIn('trigger.cron.jitter is "61min": write at most 1h',
                          run("check", app.folder).out)


if __name__ == "__main__":
    unittest.main()
