#!/usr/bin/env python3
"""`examples/notes`: the same component on every driver answers the same, byte for byte, as
docs/PORTABILITY.md says; its page in a browser; `weft check --connect`."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import notes_walk
import servers
from client import Connection
from host import ROOT, SECONDS_MAX, Host, environment, run

CHROMIUM = shutil.which("chromium")
PORTABILITY = os.path.join(ROOT, "docs", "PORTABILITY.md")


class EveryDriver(unittest.TestCase):
    def test_answers_the_same(self):
        """The page is what a run makes: each step on each driver, and what a restart keeps."""
        runs = notes_walk.run_all()
        for name, differing in notes_walk.differences(runs).items():
            with self.subTest(driver=name):
                self.assertEqual(differing, [])
        for each in runs:
            with self.subTest(driver=f"{each.driver.capability} {each.driver.name}", kept=True):
                self.assertEqual(each.kept, each.driver.keeps)
        if len(runs) < len(notes_walk.DRIVERS):
            self.skipTest("scripts/setup.sh test could not install all servers")
        with open(PORTABILITY, encoding="utf-8") as file:
            self.assertEqual(file.read(), notes_walk.page(runs), "run scripts/portability.py")

    def test_every_driver_is_on_the_list(self):
        """What `weft run` offers of these capabilities is walked through, but for what has no
        server that could be had."""
        fakes = {("secrets", "vault")}
        walked = {(each.capability, each.name) for each in notes_walk.DRIVERS} | fakes
        with open(os.path.join(ROOT, "docs", "CONFIGURATION.md"), encoding="utf-8") as file:
            text = file.read()
        for capability in notes_walk.NAMES:
            done = self.wrong_driver(capability)
            offered = done.split("what is known here: ")[1].split(", ")
            for name in offered:
                self.assertIn((capability, name), walked)
                self.assertIn(f'"{name}"', text)

    def wrong_driver(self, capability):
        with tempfile.TemporaryDirectory(prefix="weft-notes-") as folder:
            path = os.path.join(folder, "on.toml")
            name = notes_walk.NAMES[capability]
            with open(path, "w", encoding="utf-8") as file:
                file.write(f'[{capability}.{name}]\ndriver = "none-such"\n')
            done = run("check", notes_walk.APP, "--on", path, "--state", folder)
        self.assertEqual(done.code, 1, done)
        return next(line for line in done.out.splitlines() if "none-such" in line)


class Connect(unittest.TestCase):
    def check(self, text, *words, **env):
        with tempfile.TemporaryDirectory(prefix="weft-notes-") as folder:
            path = os.path.join(folder, "on.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            state = os.path.join(folder, "state")
            done = run("secret", "set", "notes-key", "--state", state, stdin=b"k")
            self.assertEqual(done.code, 0, done)
            return run("check", notes_walk.APP, "--on", path, "--state", state, *words, env=env)

    def test_says_what_can_be_used_and_what_cannot(self):
        """A server that is there, one that is not, and a wrong password: each at its line; without
        --connect nobody is asked."""
        table = '[keyvalue.counters]\ndriver = "redis"\nurl = "redis://{user}127.0.0.1:{port}"\n'
        with servers.Redis() as redis:
            good = table.format(user="", port=redis.port)
            done = self.check(good, "--connect")
            self.assertEqual(done.code, 0, done)
            self.assertRegex(done.out, r"\[keyvalue.counters\]: redis is there and can be used \(")
            done = self.check(table.format(user="me:s3cret@", port=redis.port), "--connect")
            self.assertEqual(done.code, 1, done)
            self.assertRegex(done.out, r"on.toml:1:\d+: \[keyvalue.counters\]: the driver "
                                       r'"redis": Redis: .*WRONGPASS')
            self.assertNotIn("s3cret", done.out + done.err)
        done = self.check(good, "--connect")
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.out, r"on.toml:1:\d+: .*refused.*see that it runs")
        self.assertEqual(self.check(good).code, 0)
        done = self.check(table.format(user="", port=99999), "--connect")
        self.assertIn("port that is no number from 1 to 65535", done.out)
        self.assertIn("1 error,", done.out, "what is wrong is said once")

    def test_reads_secrets_and_files(self):
        """A variable that is not set, a file that is not there."""
        done = self.check('[secrets.notes-key]\ndriver = "environment"\nvariable = "NO_SUCH_KEY"\n'
                          '[config.notes.notes.title]\ndriver = "file"\npath = "/no/such.json"\n',
                          "--connect")
        self.assertEqual(done.code, 1, done)
        self.assertIn("NO_SUCH_KEY", done.out)
        self.assertIn("/no/such.json", done.out)


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class Page(unittest.TestCase):
    def test_in_a_browser(self):
        """The page shows the notes as text, whatever is in them, and the picture of one."""
        with tempfile.TemporaryDirectory(prefix="weft-notes-") as folder:
            state = os.path.join(folder, "state")
            done = run("secret", "set", "notes-key", "--state", state, stdin=b"k")
            self.assertEqual(done.code, 0, done)
            with Host(notes_walk.APP, state=state) as host:
                with Connection(host) as connection:
                    key = "authorization: Bearer k"
                    for text in (b"the first <b>note</b>", b"<script>alert(1)</script>"):
                        connection.post("/api/notes", text, key)
                    connection.post("/api/notes/1/picture", b"GIF89a", key, method="PUT")
                dom = subprocess.run(
                    [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu",
                     "--disable-dev-shm-usage", f"--user-data-dir={folder}/chromium",
                     "--no-first-run", "--disable-background-networking",
                     "--virtual-time-budget=4000", "--dump-dom", host.url],
                    capture_output=True, timeout=4 * SECONDS_MAX, check=True,
                    env={**environment(folder), "HOME": folder}).stdout.decode()
        self.assertIn('<h1 id="title">Notes</h1>', dom)
        self.assertIn("the first &lt;b&gt;note&lt;/b&gt;", dom)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", dom)
        self.assertIn('src="api/notes/1/picture"', dom)
        self.assertIn("read 0 times", dom)


if __name__ == "__main__":
    unittest.main()
