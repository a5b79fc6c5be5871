#!/usr/bin/env python3
"""Locks from end to end: waited for, released when their holder traps or goes, tokens that grow
over restarts, and two hosts that share what keeps them."""

import os
import threading
import unittest

import servers
from client import Connection, get
from host import Host, guest, run, until
from test_apps import App

MANIFEST = """
[app]
name = "shop"
[component.web]
source = "web.wasm"
uses.lock = ["orders"]
[[trigger.http]]
route = "/..."
component = "web"
"""
DENIED, TIMEOUT = 2, 3  # Of weft::Code.


def shop():
    return App(MANIFEST, web="lock")


def hold(host, name="orders/1", **times):
    """The token, once the lock was had and released again."""
    words = "".join(f"&{key}={value}" for key, value in times.items())
    response = get(host, f"/hold?name={name}{words}")
    if response.status != 200:
        raise AssertionError(response)
    token, state = response.text.split()
    return int(token), state


class Holder(threading.Thread):
    """Holds a lock for some time; its token is there when that is over."""

    def __init__(self, host, milliseconds):
        super().__init__(daemon=True)
        self.host, self.milliseconds = host, milliseconds
        self.token = None
        self.start()

    def run(self):
        self.token = hold(self.host, **{"for": self.milliseconds, "wait": 20000})[0]


def is_held(host):
    """By somebody else: what a look at it took itself is released a little later, and is seen once
    or twice, but not ten times."""
    return all(get(host, "/hold?name=orders/1").status == 502 for _ in range(10))


class Locks(unittest.TestCase):
    def test_one_holder_at_a_time(self):
        """Who comes while it is held waits, or is told that it is; tokens grow."""
        with shop() as app, Host(app.folder) as host:
            first = Holder(host, 1500)
            until(lambda: is_held(host), "the lock is held")
            refused = get(host, "/hold?name=orders/1&wait=50")
            self.assertEqual(refused.status, 502)
            self.assertTrue(refused.text.startswith(f"{TIMEOUT} "), refused)
            self.assertEqual(hold(host, "orders/2")[1], "held")
            second, state = hold(host, wait=20000)
            first.join()
            self.assertEqual(state, "held")
            self.assertGreater(second, first.token)
            other = get(host, "/hold?name=carts/1")
            self.assertTrue(other.text.startswith(f"{DENIED} "), other)

    def test_released_without_a_word(self):
        """By an instance that traps, and by one whose time to live has passed, which knows it."""
        with shop() as app, Host(app.folder) as host:
            self.assertEqual(get(host, "/trap?name=orders/1").status, 500)
            before, _ = hold(host, wait=20000)
            response = get(host, "/lost?name=orders/1&ttl=200")
            self.assertEqual(response.status, 200, response)
            token, state = response.text.split()
            self.assertEqual(state, "lost")
            self.assertGreater(int(token), before)
            self.assertGreater(hold(host, wait=20000)[0], int(token))

    def test_released_by_a_client_that_goes(self):
        """While the guest waits: for the loss of a lock, and for a lock."""
        with shop() as app, Host(app.folder) as host:
            watcher = Connection(host)
            watcher.send_head("GET", "/lost?name=orders/1&ttl=600000&wait=20000")
            until(lambda: is_held(host), "the lock is held")
            waiter = Connection(host)
            waiter.send_head("GET", "/hold?name=orders/1&wait=600000&for=600000")
            waiter.reset()
            watcher.reset()
            self.assertEqual(hold(host, wait=20000)[1], "held")

    def test_tokens_grow_over_a_restart(self):
        """Also over one without a warning."""
        with shop() as app:
            state = os.path.join(app.folder, "state")
            with Host(app.folder, state=state) as host:
                before, _ = hold(host, wait=20000)
            for _ in range(2):
                host = Host(app.folder, state=state)
                try:
                    token, _ = hold(host, wait=20000)
                    self.assertGreater(token, before)
                    before = token
                finally:
                    host.kill()

    def test_two_hosts(self):
        """They share a lock where the operator says so; it is seen in `check` and goes on when the
        server was away."""
        with servers.Redis() as redis, servers.Etcd() as etcd, shop() as app:
            for text in (f'driver = "redis"\nurl = "redis://127.0.0.1:{redis.port}"\n',
                         f'driver = "etcd"\nurl = "{etcd.url()}"\n'):
                app.write("on.toml", "[lock.orders]\n" + text)
                on = os.path.join(app.folder, "on.toml")
                done = run("check", app.folder, "--on", on, "--connect")
                self.assertEqual(done.code, 0, done)
                self.assertIn("is there and can be used", done.out)
                with Host(app.folder, "--on", on) as one, Host(app.folder, "--on", on) as other:
                    first = Holder(one, 1500)
                    until(lambda: is_held(other), "the lock is held")
                    token, _ = hold(other, wait=20000)
                    first.join()
                    self.assertGreater(token, first.token)
                    self.assertGreater(hold(one, wait=20000)[0], token)

    def test_a_command(self):
        """WASI 0.2, with a lock of any name, by itself."""
        done = run("run", guest("lock_command"), "jobs/nightly")
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.out, r"^\d+ renewed\ntry: nothing\nrelease: done\n"
                                   r"again: the lock is not held any more\n$")


if __name__ == "__main__":
    unittest.main()
