#!/usr/bin/env python3
"""A component that all callers share: one count over two loops, and a new one with each reload."""

import threading
import unittest

from client import Connection, get
from host import FAST, SECONDS_MAX, Host
from test_apps import App, reload

MANIFEST = """
[app]
name = "counted"

[component.web]
source = "web.wasm"
links."weft-test:links/ops" = "component:ops"

[component.ops]
source = "ops.wasm"
shared = true

[[trigger.http]]
route = "/..."
component = "web"
"""


class Asker(threading.Thread):
    """Asks for numbers on connections of its own, a few requests on each, until it is stopped."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.over = host, threading.Event()
        self.numbers, self.wrong = [], []

    def run(self):
        try:
            while not self.over.is_set():
                with Connection(self.host) as connection:
                    for _ in range(5):
                        response = connection.get("/calls")
                        if response.status != 200:
                            self.wrong.append(repr(response))
                        else:
                            self.numbers.append(int(response.text))
        except (OSError, ValueError, AssertionError) as error:
            self.wrong.append(repr(error))


class Shared(unittest.TestCase):
    def test_reloads_under_load(self):
        """Each version of the app has a count of its own, which no request sees twice, and none
        fails while they are swapped."""
        swaps = 3 if FAST else 15
        with App(MANIFEST, web="links_caller", ops="links_callee") as app:
            with Host(app.folder, "--loops", 2) as host:
                askers = [Asker(host) for _ in range(4)]
                for asker in askers:
                    asker.start()
                for _ in range(swaps):
                    reload(host)
                for asker in askers:
                    asker.over.set()
                for asker in askers:
                    asker.join(SECONDS_MAX)
                    self.assertEqual(asker.wrong, [])
                numbers = [number for asker in askers for number in asker.numbers]
                # A number comes once from each version at most.
                most = max(numbers.count(number) for number in set(numbers))
                self.assertLessEqual(most, swaps + 1)
                reload(host)
                # Three calls a request: a new instance counts from one.
                self.assertEqual(get(host, "/calls").text, "3\n")
                self.assertEqual(get(host, "/calls").text, "6\n")

    def test_a_spinning_one_leaves_other_requests_alone(self):
        """While a call spins in the shared instance, what does not call it is served on its loop
        too; its callers have an error when its time is over, and the next an answer."""
        manifest = MANIFEST.replace("shared = true", 'shared = true\nlimits = { cpu = "1s" }')
        with App(manifest, web="links_caller", ops="links_callee") as app:
            with Host(app.folder, "--loops", 2) as host:
                self.assertEqual(get(host, "/calls").text, "3\n")
                statuses = []
                spinning = [threading.Thread(target=lambda path=path: statuses.append(
                    get(host, path).status)) for path in ("/spin", "/calls", "/calls")]
                spinning[0].start()
                for thread in spinning[1:]:
                    thread.start()
                for _ in range(20):
                    self.assertEqual(get(host, "/nothing").status, 404)
                for thread in spinning:
                    thread.join(SECONDS_MAX)
                self.assertIn(500, statuses)
                self.assertEqual(len(statuses), 3)
                self.assertEqual(get(host, "/calls").status, 200)


if __name__ == "__main__":
    unittest.main()
