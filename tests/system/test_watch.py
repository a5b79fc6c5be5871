#!/usr/bin/env python3
"""A component that is woken for changed keys: by whom they were changed, how it is written, what a
trap does, and what a reload and a stop do to it."""

import tempfile
import unittest

from client import Connection, get
from host import Host, run, until
from test_apps import App, reload

MANIFEST = """
[app]
name = "shop"
[component.store]
source = "store.wasm"
uses.keyvalue = [""]
[component.index]
source = "index.wasm"
uses.keyvalue = [""]
[[trigger.http]]
route = "/..."
component = "store"
[[trigger.keyvalue]]
prefix = "to/"
component = "index"
"""


def shop(manifest=MANIFEST):
    return App(manifest, store="keyvalue_p2", index="watcher")


class Client:
    """Sets and gets keys over HTTP."""

    def __init__(self, host):
        self.host = host

    def put(self, key, value):
        with Connection(self.host) as connection:
            response = connection.post(f"/kv/{key}", value.encode(), method="PUT")
        assert response.status < 300, response

    def delete(self, key):
        assert get(self.host, f"/kv/{key}", method="DELETE").status < 300

    def get(self, key):
        response = get(self.host, f"/kv/{key}")
        return response.text.strip() if response.status == 200 else None

    def wait(self, key, value):
        until(lambda: self.get(key) == value, f"{key} is {value}, not {self.get(key)}")


class Watching(unittest.TestCase):
    def test_tells_of_changes_by_prefix(self):
        """A set and a delete are told, those of other keys are not; on every driver."""
        for driver in ("lmdb", "memory"):
            with self.subTest(driver=driver), shop() as app, \
                    tempfile.NamedTemporaryFile("w", suffix=".toml") as on:
                on.write(f'[keyvalue.""]\ndriver = "{driver}"\n')
                on.flush()
                with Host(app.folder, "--on", on.name) as host:
                    client = Client(host)
                    client.put("to/a", "one")
                    client.wait("seen/to/a", "one")
                    client.put("other", "x")
                    client.delete("to/a")
                    client.wait("seen/to/a", "(deleted)")
                    self.assertIsNone(client.get("seen/other"))
                    client.wait("times/to/a", "2")

    def test_a_trap_is_tried_again_and_given_up(self):
        """It is in the log, and others are told meanwhile."""
        with shop() as app, Host(app.folder) as host:
            client = Client(host)
            client.put("to/trap", "x")
            client.put("to/b", "y")
            client.wait("seen/to/b", "y")
            host.wait_log(r"a changed key is told no more[^\n]*key=to/trap")

    def test_goes_on_over_a_reload(self):
        with shop() as app, Host(app.folder) as host:
            client = Client(host)
            for turn in range(5):
                client.put("to/r", str(turn))
                reload(host)
                client.wait("seen/to/r", str(turn))

    def test_without_routes(self):
        """An app that only events wake serves, and answers requests with 404."""
        text = MANIFEST.split("[component.store]")[0] + "[component.index]" + \
            MANIFEST.split("[component.index]")[1].replace(
                '[[trigger.http]]\nroute = "/..."\ncomponent = "store"\n', "")
        with App(text, index="watcher") as app, Host(app.folder) as host:
            self.assertEqual(get(host, "/").status, 404)


class Wrong(unittest.TestCase):
    def check(self, old, new):
        with shop(MANIFEST.replace(old, new)) as app:
            done = run("check", app.folder)
        self.assertEqual(done.code, 1, done)
        return done.out

    def test_says_what_is_wrong(self):
        self.assertIn("exports none of what [[trigger.keyvalue]] calls",
                      self.check('prefix = "to/"\ncomponent = "index"',
                                 'prefix = "to/"\ncomponent = "store"'))
        self.assertIn('there is no component "indx"',
                      self.check('prefix = "to/"\ncomponent = "index"',
                                 'prefix = "to/"\ncomponent = "indx"'))
        self.assertIn('is not granted the bucket "carts"',
                      self.check('prefix = "to/"', 'bucket = "carts"'))
        self.assertIn('unknown key "prefx"', self.check('prefix = "to/"', 'prefx = "to/"'))
        self.assertIn("concurrency", self.check('prefix = "to/"', "concurrency = 0"))
        self.assertIn("write each with double brackets: [[trigger.keyvalue]]",
                      self.check("[[trigger.keyvalue]]", "[trigger.keyvalue]"))


if __name__ == "__main__":
    unittest.main()
