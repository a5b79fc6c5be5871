#!/usr/bin/env python3
"""100,000 messages with keys, and kill -9 of the host at moments that a seed says: each message
that was acknowledged is handled at least once, those of a key in their order, and what is handled
again is counted. WEFT_SEED=N repeats a run."""

import os
import random
import threading
import time
import unittest

from client import Closed, Connection, get
from host import FAST, Host, until
from servers import Nats, RabbitMq
from test_apps import App

COUNT = 5_000 if FAST else 100_000
KILLS = 2 if FAST else 5
KEYS = 64
WORKERS = 32  # Each has some of the keys for itself, so that it knows their order.
BATCH = 50
SECONDS = 240  # Of any one wait; a slow machine stays well below.
# What a host holds of a group at most when it dies, and may bring again: kOpenMax.
HELD = 1024

MANIFEST = """
[app]
name = "ledger"
[component.ledger]
source = "ledger.wasm"
uses.messaging = [""]
uses.keyvalue = [""]
[[trigger.http]]
route = "/..."
component = "ledger"
[[trigger.message]]
topic = "n.*"
component = "ledger"
ordering = "key"
concurrency = 64
"""


class Run:
    """Publishes until so many are acknowledged, while somebody else puts other hosts in place."""

    def __init__(self):
        self.lock = threading.Condition()
        self.host = None
        self.over = False
        self.count = 0
        self.acknowledged = {key: [] for key in range(KEYS)}
        self.next = dict.fromkeys(range(KEYS), 0)
        self.refused = []

    def put(self, host):
        with self.lock:
            self.host = host
            self.lock.notify_all()

    def end(self):
        with self.lock:
            self.over = True
            self.lock.notify_all()

    def current(self, gone):
        """The host, when it is another one than that which is gone; nothing at the end."""
        with self.lock:
            self.lock.wait_for(lambda: self.over or self.host not in (None, gone), SECONDS)
            return None if self.over else self.host

    def work(self, worker):
        host, gone = None, None
        keys = list(range(worker, KEYS, WORKERS))
        while host := self.current(gone):
            try:
                with Connection(host) as connection:
                    while not self.over:
                        for key in keys:
                            self.publish(connection, key)
            except (Closed, OSError):
                gone = host

    def publish(self, connection, key):
        """One batch. A number whose answer was lost may be a message or none, and is given to no
        other."""
        begin = self.next[key]
        self.next[key] += BATCH
        connection.send_head("POST", f"/publish?key=k{key}&from={begin}&count={BATCH}",
                             "content-length: 0")
        head = connection.head()
        if head.status != 200:
            self.refused.append(head)
            raise Closed("refused")
        rest, got = b"", 0
        while data := connection.chunk():
            *lines, rest = (rest + data).split(b"\n")
            got += len(lines)
            with self.lock:
                self.acknowledged[key] += [int(line) for line in lines]
                self.count += len(lines)
        if got < BATCH and not self.over:
            self.refused.append(f"{got} of {BATCH} of k{key}")


class KillTest:
    """One driver each. What it needs, and what it promises of the order beyond a crash."""

    order_over_crashes = True

    def operator(self, app):
        return []

    def handled(self, host, key, end):
        """Of each number below `end` that was handled: its place."""
        places = {}
        with Connection(host) as connection:
            for begin in range(0, end, 500):
                text = connection.get(f"/read?key=k{key}&from={begin}&count=500").text
                places.update(tuple(map(int, line.split())) for line in text.splitlines())
        return places

    def late(self, places):
        """How many came after one of their key that was published later."""
        seen, late = -1, 0
        for number in sorted(places, key=places.get):
            if number < seen:
                late += 1
            seen = max(seen, number)
        return late

    def test_kill(self):
        seed = int(os.environ.get("WEFT_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"{type(self).__name__}: WEFT_SEED={seed}", flush=True)
        chance = random.Random(seed)
        moments = sorted(chance.randrange(COUNT // 20, COUNT * 19 // 20) for _ in range(KILLS))
        began = time.monotonic()
        run = Run()
        workers = [threading.Thread(target=run.work, args=(i,), daemon=True)
                   for i in range(WORKERS)]
        with App(MANIFEST, ledger="ledger") as app:
            state = os.path.join(app.folder, "state")
            options = self.operator(app)
            host = Host(app.folder, *options, state=state)
            for worker in workers:
                worker.start()
            try:
                for moment in moments:
                    run.put(host)
                    until(lambda moment=moment: run.count >= moment or run.refused,
                          f"{moment} messages", SECONDS)
                    host.kill()
                    host = Host(app.folder, *options, state=state)
                last = dict(run.next)
                run.put(host)
                until(lambda: run.count >= COUNT or run.refused, f"{COUNT} messages", SECONDS)
            finally:
                run.end()
                for worker in workers:
                    worker.join(SECONDS)
            published = time.monotonic() - began
            with host:
                self.assertEqual(run.refused, [])
                self.check(host, run, last)
                again = int(get(host, "/again").text)
            self.assertLess(again, KILLS * HELD + 1)
            print(f"{run.count} acknowledged in {published:.1f} s over {KILLS} kills, {again} "
                  f"handled again, {self.out_of_order} after a later one of their key, all in "
                  f"{time.monotonic() - began:.1f} s", flush=True)

    def check(self, host, run, last):
        self.out_of_order = 0
        for key, acknowledged in run.acknowledged.items():
            if not acknowledged:
                continue
            places = {}

            def all_there():
                places.update(self.handled(host, key, run.next[key]))
                return all(number in places for number in acknowledged)

            until(all_there, f"all acknowledged of k{key} are handled", SECONDS)
            late = self.late(places)
            self.out_of_order += late
            if self.order_over_crashes:
                self.assertEqual(late, 0, f"k{key} is out of order")
            # No host died after these were published.
            newest = {number: place for number, place in places.items() if number >= last[key]}
            self.assertEqual(self.late(newest), 0, f"k{key} is out of order at the end")
        self.assertLess(self.out_of_order, KILLS * HELD + 1)


class Embedded(KillTest, unittest.TestCase):
    pass


class JetStream(KillTest, unittest.TestCase):
    """What a host held when it died comes when `ack-wait` has passed, behind what is newer."""

    order_over_crashes = False

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Nats())

    def operator(self, app):
        app.write("on.toml", f"""
            [messaging.""]
            driver = "jetstream"
            url = "nats://127.0.0.1:{self.server.port}"
            ack-wait = "1s"
            """)
        return ["--on", app.folder + "/on.toml"]


class Rabbit(KillTest, unittest.TestCase):
    """What a host held when it died goes back to its place in the queue; what others published
    meanwhile may be on its way to the next host before that."""

    order_over_crashes = False

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(RabbitMq())

    def operator(self, app):
        app.write("on.toml", f"""
            [messaging.""]
            driver = "rabbitmq"
            url = "amqp://127.0.0.1:{self.server.port}"
            """)
        return ["--on", app.folder + "/on.toml"]


if __name__ == "__main__":
    unittest.main()
