#!/usr/bin/env python3
"""How a host ends, gently or not, and what is there when it is started again."""

import signal
import tempfile
import threading
import time
import unittest

from client import Closed, Connection, get, post
from host import Host, guest, run, until

WRITERS = 8


class Load:
    """Clients, each with a connection, that ask until they are told, or cannot go on."""

    def __init__(self, host, count, client):
        self.host = host
        self.over = threading.Event()
        self.whole = self.lost = 0
        self.notes = []
        self.connections = [Connection(host) for _ in range(count)]
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=client, args=(self, number), daemon=True)
                         for number in range(count)]
        for thread in self._threads:
            thread.start()

    def count(self, whole=0, lost=0, note=None):
        with self._lock:
            self.whole += whole
            self.lost += lost
            if note:
                self.notes.append(note)

    def join(self):
        self.over.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a client hangs"
        for connection in self.connections:
            connection.close()


def keeper(path, body):
    """Asks on one connection, until the server says that it closes."""

    def client(load, number):
        connection = load.connections[number]
        while not load.over.is_set():
            try:
                connection.send_head("GET", path)
                response = connection.response()
            except (Closed, OSError) as problem:
                load.count(lost=1, note=repr(problem))
                return
            if response.status != 200 or response.text != body:
                load.count(lost=1, note=repr(response))
                return
            load.count(whole=1)
            if response.headers.get("connection") == "close":
                return

    return client


def newcomer(load, _):
    """Asks on a connection of its own each time, until there is no host to connect to."""
    while not load.over.is_set():
        try:
            connection = Connection(load.host)
        except ConnectionRefusedError:
            return
        except OSError as problem:
            load.count(note=repr(problem))
            return
        with connection:
            try:
                response = connection.get("/")
            except (Closed, OSError) as problem:
                load.count(lost=1, note=repr(problem))
                return
            load.count(whole=response.status == 200, lost=response.status != 200)


class Ending(unittest.TestCase):
    def sigterm(self, name, path, body):
        host = Host(name)
        load = Load(host, 32, keeper(path, body))
        until(lambda: load.whole >= 100, "a hundred answers")
        code = host.stop()
        load.join()
        self.assertEqual(code, 0, host.log)
        self.assertEqual((load.lost, load.notes[:3]), (0, []))
        self.assertGreater(load.whole, 100)

    def test_sigterm_under_load(self):
        """SIGTERM while 32 clients ask as fast as they can: each request that was sent is answered
        whole, then the connection closes."""
        for name in ("hello_p2", "hello_p3"):
            self.sigterm(name, "/", f"hello from C++ {name[-2:]}\n")

    def test_sigterm_among_new_connections(self):
        """SIGTERM while clients connect anew for each request: whoever was greeted is answered, the
        others are refused."""
        with Host("hello_p2") as host:
            load = Load(host, 16, newcomer)
            until(lambda: load.whole >= 100, "a hundred answers")
            self.assertEqual(host.stop(), 0)
            load.join()
            self.assertEqual((load.lost, load.notes[:3]), (0, []))

    def test_sigterm_while_streaming(self):
        """The same with responses that take a quarter of a second."""
        for name in ("hello_p2", "hello_p3"):
            self.sigterm(name, "/chunks", "".join(f"chunk {i}\n" for i in range(5)))

    def test_sigterm_with_a_body_on_its_way(self):
        """A request whose body is still coming when SIGTERM does is served to its end."""
        with Connection(host := Host("hello_p2")) as connection:
            connection.send_head("POST", "/echo", "content-length: 2")
            self.assertEqual(connection.head().status, 200)
            connection.send(b"a")
            self.assertEqual(connection.chunk(), b"a")
            host.send_signal(signal.SIGTERM)
            host.wait_log("stopping")
            connection.send(b"b")
            self.assertEqual(connection.chunk(), b"b")
            self.assertEqual(connection.chunk(), b"")
            self.assertEqual(host.wait(), 0)

    def test_second_signal(self):
        """A second signal does not wait for what is still running."""
        with Host("spin", "--time", "0") as host, Connection(host) as connection:
            connection.send_head("GET", "/spin")
            until(lambda: not host.is_idle(), "the guest spins")
            host.send_signal(signal.SIGTERM)
            host.wait_log("stopping")
            start = time.monotonic()
            self.assertEqual(host.stop(), 0)
            self.assertLess(time.monotonic() - start, 15)
            self.assertIn("second signal", host.log)


def counter(load, number):
    """Writes 1, 2, 3 ... under a key of its own; knows what was sent and what acknowledged."""
    sent, acknowledged = load.progress[number]
    try:
        while not load.over.is_set():
            sent += 1
            load.progress[number] = sent, acknowledged
            put = load.connections[number].post(f"/kv/{number}", b"%d" % sent, method="PUT")
            if put.status != 204:
                load.count(lost=1)
                return
            acknowledged = sent
            load.progress[number] = sent, acknowledged
            load.count(whole=1)
    except (Closed, OSError):
        return  # Killed, as it should be.


class CounterLoad(Load):
    def __init__(self, host, progress):
        self.progress = progress
        super().__init__(host, WRITERS, counter)


class State(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weft-test-state-")
        self.addCleanup(folder.cleanup)
        self.state = folder.name + "/state"

    def test_kill_loses_nothing_acknowledged(self):
        """Of eight writers, each has its last acknowledged value, or a later one that it sent,
        after kill -9 under load; three times over."""
        progress = {number: (0, 0) for number in range(WRITERS)}
        for round_number in range(1, 4):
            with Host("keyvalue_p2", state=self.state) as host:
                self.check(host, progress)
                load = CounterLoad(host, progress)
                until(lambda: load.whole + load.lost >= 100 * round_number, "writes")
                host.kill()
                load.join()
                self.assertEqual(load.lost, 0)
        with Host("keyvalue_p2", state=self.state) as host:
            self.check(host, progress)

    def check(self, host, progress):
        for number, (sent, acknowledged) in progress.items():
            response = get(host, f"/kv/{number}")
            value = int(response.body) if response.status == 200 else 0
            self.assertGreaterEqual(value, acknowledged, f"writer {number} lost writes")
            self.assertLessEqual(value, sent)
            progress[number] = value, value

    def test_sigterm_keeps_all(self):
        """After SIGTERM under load, all that was acknowledged is there."""
        progress = {number: (0, 0) for number in range(WRITERS)}
        with Host("keyvalue_p2", state=self.state) as host:
            load = CounterLoad(host, progress)
            until(lambda: load.whole + load.lost >= 200, "writes")
            self.assertEqual(host.stop(), 0)
            load.join()
        with Host("keyvalue_p2", state=self.state) as host:
            self.check(host, progress)

    def test_one_owner(self):
        """A second host on the same state is told who has it; the first goes on; a kill -9 frees
        it."""
        with Host("keyvalue_p2", state=self.state) as host:
            self.assertEqual(post(host, "/kv/a", b"1", method="PUT").status, 204)
            second = run("run", "--http", "127.0.0.1:0", "--state", self.state,
                         guest("keyvalue_p2"))
            self.assertEqual(second.code, 1, second)
            self.assertEqual(len(second.err.splitlines()), 1, second)
            self.assertIn(self.state, second.err)
            self.assertEqual(get(host, "/kv/a").text, "1")
            host.kill()
        with Host("keyvalue_p2", state=self.state) as host:
            self.assertEqual(get(host, "/kv/a").text, "1")

    def test_counts_are_atomic(self):
        """Increments from many clients at once, on both loops, are each counted once."""

        def client(load, number):
            for _ in range(25):
                response = load.connections[number].post("/incr/sum", b"")
                load.count(whole=response.status == 200)

        with Host("keyvalue_p2", "--loops", 2, state=self.state) as host:
            load = Load(host, WRITERS, client)
            load.join()
            self.assertEqual(load.whole, 25 * WRITERS)
            self.assertEqual(post(host, "/incr/sum", b"").text, f"{25 * WRITERS + 1}\n")


if __name__ == "__main__":
    unittest.main()
