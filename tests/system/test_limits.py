"""A component that takes too much costs itself, and not its neighbours."""

import concurrent.futures
import time
import unittest

from host import Host


class Limits(unittest.TestCase):
    def neighbours_while(self, guest, path, *options):
        """Asks for `path`; gives its status and seconds, and the slowest of its neighbours."""
        with Host(guest, "--loops", "1", *options) as host, \
                concurrent.futures.ThreadPoolExecutor() as pool:
            self.assertEqual(host.request()[0], 200)
            start = time.monotonic()
            greedy = pool.submit(host.request, path)
            slowest = 0
            while not greedy.done():
                before = time.monotonic()
                self.assertEqual(host.request()[0], 200)
                slowest = max(slowest, time.monotonic() - before)
            status, _ = greedy.result()
            return status, time.monotonic() - start, slowest

    def test_an_endless_loop(self):
        """Shows that a spinning guest ends at its CPU limit, and that others on its loop go on."""
        status, seconds, slowest = self.neighbours_while("spin", "/spin", "--cpu", "300ms")
        self.assertEqual(status, 503)
        self.assertLess(seconds, 5)
        self.assertLess(slowest, 0.5)

    def test_bulk_copies(self):
        """Shows that endless memory.copy of 16 MiB ends so too."""
        status, seconds, slowest = self.neighbours_while("memcopy", "/copy?mib=16", "--cpu", "300ms")
        self.assertEqual(status, 503)
        self.assertLess(seconds, 5)
        self.assertLess(slowest, 1)

    def test_memory(self):
        """Shows that memory beyond the limit is not given, and that less is."""
        with Host("alloc", "--memory", "32MiB") as host:
            self.assertEqual(host.request("/grow?mib=16")[0], 200)
            status, _ = host.request("/grow?mib=64")
            self.assertIn(status, (500, 503, 507))
            self.assertEqual(host.request("/grow?mib=16")[0], 200)

    def test_traps(self):
        """Shows that a trap costs its request and leaves a symbolised report."""
        with Host("trap") as host:
            self.assertEqual(host.request("/trap")[0], 500)
            self.assertEqual(host.request("/")[0], 200)
            self.assertRegex(host.output(), "check_stock")
            self.assertRegex(host.output(), "trap")


if __name__ == "__main__":
    unittest.main()
