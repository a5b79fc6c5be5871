#!/usr/bin/env python3
"""What a component may spend is enforced, told in the log, and costs its neighbours little."""

import os
import statistics
import tempfile
import threading
import time
import unittest

from client import Closed, Connection, get
from host import FAST, SECONDS_MAX, TICK_SECONDS, Host, guest, run, until

SLACK = 10  # On a machine that does other things beside, a tick may take this many.

# A command that opens pollables and never drops one.
HOARDER = """
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p))
    (export "pollable" (type $own (eq $p)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core module $code
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (func (export "run") (result i32)
      (loop $again (drop (call $subscribe (i64.const 1000000000))) (br $again))
      unreachable))
  (core instance $made (instantiate $code
    (with "host" (instance (export "subscribe" (func $subscribe))))))
  (func $run (result (result)) (canon lift (core func $made "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
"""

# A command that grows a table for ever, and says with its exit code whether it was let.
TABLES = """
(component
  (core module $code
    (table $table 1 funcref)
    (func (export "run") (result i32)
      (i32.eq (i32.const -1) (table.grow $table (ref.null func) (i32.const 150000)))))
  (core instance $made (instantiate $code))
  (func $run (result (result)) (canon lift (core func $made "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
"""


def run_text(text, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "guest.wat")
        with open(path, "w") as file:
            file.write(text)
        return run("run", *options, path)


class Memory(unittest.TestCase):
    def test_growth_stops_at_the_limit(self):
        """A guest gets memory up to its limit and is refused beyond; the next one is not hurt."""
        with Host("alloc", "--loops", 1, "--memory", "32MiB") as host:
            self.assertEqual(get(host, "/grow?mib=16").text, "16 MiB\n")
            refused = get(host, "/grow?mib=64")
            self.assertEqual(refused.status, 507)
            got = int(refused.text.split()[0])
            self.assertGreater(got, 16)
            self.assertLess(got, 32)
            self.assertEqual(get(host, "/grow?mib=16").status, 200)

    def test_memory_is_given_back(self):
        """What instances took is the system's again when they end."""
        with Host("alloc", "--loops", 1) as host:
            get(host, "/grow?mib=8")
            before = host.memory_kib()
            for _ in range(10):
                self.assertEqual(get(host, "/grow?mib=100").status, 200)
            until(lambda: host.memory_kib() - before < 16 * 1024, "less than 16 MiB more")

    def test_more_than_a_pool_slot(self):
        """A component that is given more than a slot of the pool has it, on its own engine."""
        with Host("alloc", "--loops", 1, "--memory", "1500MiB") as host:
            self.assertEqual(get(host, "/grow?mib=1200").text, "1200 MiB\n")

    def test_less_than_it_starts_with(self):
        """A limit below what the component begins with is told, with the limit."""
        for name in ("hello_command", "hello_p2"):
            outcome = run("run", "--memory", "64KiB", guest(name))
            self.assertEqual(outcome.code, 1, outcome)
            self.assertRegex(outcome.err, rf"\Aweft: .*{name}.wasm: .*memory.*65536.*--memory")

    def test_tables(self):
        """A table grows up to its limit of elements only."""
        outcome = run_text(TABLES)
        self.assertEqual(outcome.code, 1, outcome)


class Cpu(unittest.TestCase):
    def spend(self, host, path, status):
        before = host.cpu_seconds()
        response = get(host, path)
        self.assertEqual(response.status, status, host.log)
        return host.cpu_seconds() - before

    def test_endless_loop(self):
        """An endless loop ends within its processor time plus one tick, with 503 and a line that
        names the limit."""
        with Host("spin", "--loops", 1, "--cpu", "200ms") as host:
            get(host, "/")
            spent = self.spend(host, "/spin", 503)
            self.assertGreater(spent, 0.15)
            self.assertLess(spent, 0.2 + SLACK * TICK_SECONDS)
            host.wait_log(r"component spin: used up its processor time \(200 ms\)")
            self.assertEqual(get(host, "/").status, 200)

    def test_endless_loop_in_a_reused_instance(self):
        """The same for WASI 0.3: what earlier calls of the instance did not use is not the
        spinner's."""
        with Host("hello_p3", "--loops", 1, "--cpu", "200ms") as host:
            with Connection(host) as connection:
                for _ in range(20):
                    connection.get("/")
            spent = self.spend(host, "/spin", 503)
            self.assertGreater(spent, 0.15)
            self.assertLess(spent, 0.2 + SLACK * TICK_SECONDS)
            host.wait_log(r"component hello_p3: used up its processor time \(200 ms\)")
            self.assertEqual(get(host, "/").status, 200)

    def test_endless_loop_of_a_command(self):
        """The same for a command, which ends with an exit code that is not 0."""
        endless = TABLES.replace("(i32.eq", "(loop $again (br $again)) (i32.eq")
        start = time.monotonic()
        outcome = run_text(endless, "--cpu", "100ms")
        self.assertNotEqual(outcome.code, 0)
        self.assertRegex(outcome.err, r"weft: .*processor time \(100 ms\)")
        self.assertLess(time.monotonic() - start, 10)

    def test_endless_bulk_copies(self):
        """Copies of 100 MiB, which cannot be stopped half way, end within the limit plus one of
        them."""
        with Host("memcopy", "--loops", 1, "--cpu", "100ms") as host:
            get(host, "/")
            block = bytearray(100 << 20)
            start = time.thread_time()
            block[:] = bytes(100 << 20)
            one_copy = time.thread_time() - start
            spent = self.spend(host, "/copy?mib=100", 503)
            self.assertLess(spent, 0.1 + SLACK * (TICK_SECONDS + one_copy))
            self.assertEqual(get(host, "/").status, 200)

    def test_neighbours_of_spinning_guests(self):
        """While guests spin on the one loop, others are answered: each spinner costs a request a
        few ticks, no more. Requests do not go into a reused instance that spins."""
        for name in ("spin", "hello_p3"):
            with self.subTest(name):
                # On a busy machine somebody else may cost more than that for a while.
                until(lambda name=name: self.neighbours(name) < 2 * SLACK * TICK_SECONDS,
                      "a request waits a few ticks")

    def neighbours(self, name):
        """How long half of the requests wait at most."""
        with Host(name, "--loops", 1) as host, Connection(host) as neighbour:
            neighbour.get("/")
            spinners = [Connection(host) for _ in range(2)]
            for spinner in spinners:
                spinner.send_head("GET", "/spin")
            until(lambda: not host.is_idle(), "the guests spin")
            times = []
            for _ in range(40):
                start = time.monotonic()
                self.assertEqual(neighbour.get("/").status, 200)
                times.append(time.monotonic() - start)
            for spinner in spinners:
                spinner.reset()
            median = statistics.median(times)
            print(f"neighbours of two spinning {name}: p50 {median * 1000:.1f} ms", flush=True)
            until(host.is_idle, "the spinning guests are stopped")
            return median


class Time(unittest.TestCase):
    def test_command(self):
        """A command ends at its time limit, also while it waits."""
        waiting = HOARDER.replace("(loop $again (drop (call $subscribe (i64.const 1000000000)))",
                                  "(loop $again (drop (i32.const 0))")
        start = time.monotonic()
        outcome = run_text(waiting, "--time", "300ms")
        self.assertNotEqual(outcome.code, 0)
        self.assertRegex(outcome.err, r"weft: .*300 ?ms")
        self.assertLess(time.monotonic() - start, 10)

    def test_streams_are_not_cut(self):
        """The limit is on the time to the head: a stream may take longer."""
        with Host("hello_p2", "--loops", 1, "--time", "100ms") as host:
            self.assertEqual(get(host, "/chunks").text.count("chunk"), 5)


class Streams(unittest.TestCase):
    def ends(self, host, path):
        """Reads a response that is broken off. Returns its pieces and how long it took."""
        pieces = []
        # As long as ten seconds of processor time take on a busy machine.
        with Connection(host, 4 * SECONDS_MAX) as connection:
            start = time.monotonic()
            connection.send_head("GET", path)
            self.assertEqual(connection.head().status, 200)
            with self.assertRaises(Closed):
                while piece := connection.chunk():
                    pieces.append(piece)
                self.fail("the response is whole")
        return pieces, time.monotonic() - start

    def test_idle(self):
        """A response of which nothing more comes is broken off at the limit, and told in the
        log."""
        for name in ("hello_p2", "hello_p3"):
            with self.subTest(name), Host(name, "--loops", 1, "--stream-idle", "300ms") as host:
                pieces, spent = self.ends(host, "/stall")
                self.assertEqual(pieces, [b"one\n"])
                self.assertGreater(spent, 0.29)
                self.assertLess(spent, 10)
                host.wait_log("nothing of its response came .*limit_ms=300")
                self.assertEqual(get(host, "/").status, 200)
                until(host.is_idle, "the guest is stopped")

    def test_in_all(self):
        """A response that goes on and on is broken off at the limit of the whole."""
        for name in ("hello_p2", "hello_p3"):
            with self.subTest(name), Host(name, "--loops", 1, "--stream-total", "500ms") as host:
                pieces, spent = self.ends(host, "/drip")
                self.assertGreater(len(pieces), 1)
                self.assertGreater(spent, 0.49)
                self.assertLess(spent, 10)
                host.wait_log("its response took too long .*limit_ms=500")
                until(host.is_idle, "the guest is stopped")

    def test_what_moves_is_not_idle(self):
        """A response that goes on outlives the limit on its pauses, and so does one that waits for
        its client: for what it sends, or for it to take what is there."""
        with Host("hello_p2", "--loops", 1, "--stream-idle", "1s") as host:
            with Connection(host) as connection:
                connection.send_head("GET", "/drip")
                connection.head()
                start = time.monotonic()
                while time.monotonic() - start < 1.5:
                    self.assertEqual(connection.chunk(), b"drip\n")
            with Connection(host) as connection:
                connection.send_head("POST", "/echo", "transfer-encoding: chunked")
                connection.head()
                for _ in range(15):
                    connection.send_chunk(b"x")
                    self.assertEqual(connection.chunk(), b"x")
                    time.sleep(0.1)  # The pause that is shown to be borne.
                connection.send_chunk(b"")
                self.assertEqual(connection.chunk(), b"")
            with Connection(host) as connection:
                connection.send_head("GET", "/big?bytes=20000000")
                time.sleep(1.5)  # Likewise.
                self.assertEqual(len(connection.response().body), 20_000_000)

    def test_computing_after_the_head(self):
        """A guest that computes on after its head is ended by its processor time."""
        for name in ("spin", "hello_p3"):
            with self.subTest(name), Host(name, "--loops", 1, "--cpu", "200ms") as host:
                pieces, spent = self.ends(host, "/late")
                self.assertEqual(pieces, [b"one\n"])
                self.assertLess(spent, 5)
                host.wait_log(rf"component {name}: used up its processor time \(200 ms\)")
                self.assertEqual(get(host, "/").status, 200)

    @unittest.skipIf(FAST, "takes ten seconds of processor time")
    def test_default(self):
        """Where nobody says anything, a request has ten seconds of processor time."""
        with Host("spin", "--loops", 1) as host:
            before = host.cpu_seconds()
            _, lasted = self.ends(host, "/late")
            spent = host.cpu_seconds() - before
            self.assertGreater(spent, 9.8)
            # The host's own ticks go on as long as it lasts.
            self.assertLess(spent, 10 + SLACK * TICK_SECONDS + 0.2 + 0.01 * lasted)
            host.wait_log(r"used up its processor time \(10000 ms\)")


class AfterTheResponse(unittest.TestCase):
    def test_lingering_guests(self):
        """Guests that work on after their responses never keep a service from answering, and are
        ended at their time."""
        with Host("hello_p3", "--loops", 1, "--time", "1s", "--instances", 4) as host:
            with Connection(host) as connection:
                statuses = [connection.get("/linger").status for _ in range(1000)]
                self.assertEqual(set(statuses), {200})
                self.assertEqual(connection.get("/").status, 200)
            host.wait_log("out of time after its last response .*limit_ms=1000")
            until(host.is_idle, "the guests are stopped")


class Counts(unittest.TestCase):
    def test_instances(self):
        """Beyond its instances at once a component answers 503 with Retry-After, and has room
        again when they end."""
        with Host("hello_p2", "--loops", 1, "--instances", 3) as host:
            waiting = [Connection(host) for _ in range(3)]
            for connection in waiting:
                connection.send_head("POST", "/echo", "content-length: 1")
                self.assertEqual(connection.head().status, 200)
            with Connection(host) as connection:
                refused = connection.get("/")
                self.assertEqual(refused.status, 503)
                self.assertEqual(refused.headers.get("retry-after"), "1")
                waiting.pop().close()
                until(lambda: connection.get("/").status == 200, "there is room again")
            for connection in waiting:
                connection.send(b"x")
                self.assertEqual(connection.exactly(6), b"1\r\nx\r\n")
                connection.close()

    def test_more_than_unless_told_otherwise(self):
        """An app has the instances that its file says, also where those are more than the 256 that
        nobody has to ask for."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "weft.toml"), "w") as file:
                file.write(f'[app]\nname = "many"\n[component.a]\nsource = "{guest("hello_p2")}"\n'
                           'limits.instances = 300\n'
                           '[[trigger.http]]\nroute = "/..."\ncomponent = "a"\n')
            with Host(folder, "--loops", 1) as host:
                waiting = [Connection(host) for _ in range(300)]
                for connection in waiting:
                    connection.send_head("POST", "/echo", "content-length: 1")
                    self.assertEqual(connection.head().status, 200)
                self.assertEqual(get(host, "/").status, 503)
                for connection in waiting:
                    connection.close()

    def test_handles(self):
        """A guest that hoards handles is ended when it has too many, and told of."""
        outcome = run_text(HOARDER)
        self.assertNotEqual(outcome.code, 0)
        self.assertRegex(outcome.err, r"weft: component guest: .*(handle|table)")

    def test_many_at_once(self):
        """Two hundred requests at once, each in an instance, are all answered."""
        with Host("hello_p2") as host:
            statuses = []

            def client():
                with Connection(host) as connection:
                    statuses.extend(connection.get("/").status for _ in range(5))

            threads = [threading.Thread(target=client) for _ in range(200)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            self.assertEqual(statuses, [200] * 1000)


if __name__ == "__main__":
    unittest.main()
