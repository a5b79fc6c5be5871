#!/usr/bin/env python3
"""HTTP as a client on a socket sees it: guests of WASI 0.2 and 0.3, bodies both ways, failures."""

import json
import os
import random
import re
import signal
import socket
import tempfile
import threading
import time
import unittest

from client import Closed, Connection, get, post
from host import Host, run, guest, until


class Both:
    """What holds for guests of 0.2 and of 0.3 alike."""

    guest = None

    @classmethod
    def setUpClass(cls):
        cls.host = Host(cls.guest, "--loops", 1)

    @classmethod
    def tearDownClass(cls):
        assert cls.host.stop() == 0, cls.host.log

    def test_hello(self):
        """A GET is answered with the guest's status, headers and body."""
        response = get(self.host, "/")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.text, f"hello from C++ {self.guest[-2:]}\n")
        self.assertIn("date", response.headers)

    def test_echo_with_a_length(self):
        """A body with a Content-Length comes back byte for byte, whatever its size."""
        source = random.Random(1)
        with Connection(self.host) as connection:
            for size in (0, 1, 65_535, 65_536, 65_537, 3_000_000):
                body = source.randbytes(size)
                result = {}
                reader = threading.Thread(target=lambda: result.update(r=connection.response()))
                reader.start()
                connection.send_head("POST", "/echo", f"content-length: {size}")
                connection.send(body)
                reader.join(20)
                self.assertIn("r", result, f"{size} bytes")
                self.assertEqual(result["r"].status, 200)
                self.assertTrue(result["r"].body == body, f"{size} bytes came back otherwise")

    def test_echo_chunk_by_chunk(self):
        """Each chunk comes back before the next one is sent: nothing waits for the whole body."""
        with Connection(self.host) as connection:
            connection.send_head("POST", "/echo", "transfer-encoding: chunked")
            for size in (1, 10, 5_000, 40_000):
                sent = os.urandom(size)
                connection.send_chunk(sent)
                if size == 1:
                    head = connection.head()
                    self.assertEqual(head.status, 200)
                    self.assertEqual(head.headers.get("transfer-encoding"), "chunked")
                came = b""
                while len(came) < size:
                    came += connection.chunk()
                self.assertTrue(came == sent, f"{size} bytes came back otherwise")
            connection.send(b"0\r\n\r\n")
            self.assertEqual(connection.chunk(), b"")
            self.assertEqual(connection.get("/").status, 200)

    def test_head(self):
        """HEAD has the head of GET and no body, and the connection goes on."""
        with Connection(self.host) as connection:
            response = connection.get("/", method="HEAD")
            self.assertEqual(response.status, 200)
            self.assertEqual(connection.get("/").status, 200)

    def test_expect_continue(self):
        """A client that asks first is told to go on, once the guest reads, and only then sends."""
        with Connection(self.host) as connection:
            connection.send_head("POST", "/echo", "content-length: 5", "expect: 100-continue")
            self.assertEqual(connection.head().status, 100)
            connection.send(b"hello")
            response = connection.response()
            self.assertEqual((response.status, response.body), (200, b"hello"))

    def test_pieces_come_as_they_are_made(self):
        """Five pieces made 50 ms apart come one by one, not all at the end."""

        def spread():
            response = get(self.host, "/chunks")
            self.assertEqual(response.text, "".join(f"chunk {i}\n" for i in range(5)))
            return response.piece_times[-1] - response.piece_times[0]

        # A client that is not run for a while sees them late, and closer together.
        until(lambda: spread() > 0.100, "the first piece comes well before the last")

    def test_keep_alive(self):
        """A hundred requests share a connection; the one that says so ends it."""
        with Connection(self.host) as connection:
            for _ in range(100):
                self.assertEqual(connection.get("/").status, 200)
            response = connection.get("/", "connection: close")
            self.assertEqual(response.headers.get("connection"), "close")
            self.assertTrue(connection.is_closed())

    def test_pipelined(self):
        """Requests sent at once are answered in order."""
        with Connection(self.host) as connection:
            connection.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
                            b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"
                            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            bodies = [connection.response().text for _ in range(3)]
            self.assertEqual(bodies[1], "abc")
            self.assertEqual(bodies[0], bodies[2])

    def test_not_http(self):
        """What is not HTTP is answered 400 and closed; the host goes on."""
        with Connection(self.host) as connection:
            connection.send(b"\x16\x03\x01 nonsense\r\n\r\n")
            self.assertEqual(connection.head().status, 400)
        self.assertEqual(get(self.host, "/").status, 200)

    def test_head_too_large(self):
        """Headers beyond the limit are answered 431, and a target beyond it 414."""
        with Connection(self.host) as connection:
            connection.send_head("GET", "/", *(f"x-{i}: {'v' * 1000}" for i in range(40)))
            self.assertEqual(connection.head().status, 431)
        with Connection(self.host) as connection:
            connection.send_head("GET", "/" + "a" * 40_000)
            self.assertIn(connection.head().status, (414, 431))

    def test_a_client_that_leaves(self):
        """Clients that leave in the middle of a request or a response cost nothing that stays."""
        for _ in range(20):
            with Connection(self.host) as connection:
                connection.send_head("POST", "/echo", "content-length: 1000000")
                connection.send(b"x" * 1000)
            with Connection(self.host) as connection:
                connection.send_head("GET", "/chunks")
                connection.head()
        self.assertEqual(get(self.host, "/").status, 200)
        until(self.host.is_idle, "the host has nothing to do")


class Wasi02(Both, unittest.TestCase):
    guest = "hello_p2"

    def test_fresh_instances(self):
        """Each request has an instance of its own."""
        with Connection(self.host) as connection:
            self.assertEqual([connection.get("/calls").text for _ in range(5)], ["1\n"] * 5)

    def test_large_body_in(self):
        """A body that is only counted is counted to the last byte."""
        self.assertEqual(post(self.host, "/count", bytes(5_000_000)).text, "5000000\n")

    def test_large_body_out(self):
        """A response much larger than any buffer comes whole, also to a client that reads late."""
        with Connection(self.host) as connection:
            connection.send_head("GET", "/big?bytes=20000000")
            until(self.host.is_idle, "the guest waits for the client")
            response = connection.response()
        self.assertEqual(len(response.body), 20_000_000)

    def test_head_of_a_large_body(self):
        """HEAD of a response with a body ends, without the body."""
        with Connection(self.host) as connection:
            self.assertEqual(connection.get("/big?bytes=5000000", method="HEAD").status, 200)
            self.assertEqual(connection.get("/").text, "hello from C++ p2\n")

    def test_body_nobody_reads(self):
        """A request whose body the guest ignores is answered, and the connection goes on."""
        with Connection(self.host) as connection:
            for _ in range(3):
                self.assertEqual(connection.post("/", bytes(100_000)).status, 200)


class Wasi03(Both, unittest.TestCase):
    guest = "hello_p3"

    def test_reused_instances(self):
        """An instance takes many requests, and not more than its share of 128."""
        with Host(self.guest, "--loops", 1) as host, Connection(host) as connection:
            counts = [int(connection.get("/calls").text) for _ in range(300)]
        self.assertGreater(max(counts), 1)
        self.assertLessEqual(max(counts), 128)
        self.assertGreaterEqual(counts.count(1), 2)

    def test_requests_at_once(self):
        """Requests that wait do so beside each other: eight waits of a second take less than
        three."""

        def spent():
            start = time.monotonic()
            connections = [Connection(self.host) for _ in range(8)]
            for connection in connections:
                connection.send_head("GET", "/wait")
            for connection in connections:
                self.assertEqual(connection.response().text, "waited\n")
                connection.close()
            return time.monotonic() - start

        # A client that is not run for a while takes longer.
        until(lambda: spent() < 3, "they wait beside each other")


class Failures(unittest.TestCase):
    def test_trap(self):
        """A trap is a 500 for its own request; the log names component, function and frames."""
        with Host("trap", "--loops", 1) as host:
            with Connection(host) as other:
                self.assertEqual(other.get("/").status, 200)
                response = get(host, "/trap")
                self.assertEqual(response.status, 500)
                self.assertNotIn("unreachable", response.text)
                self.assertEqual(other.get("/").status, 200)
            report = host.wait_log(r"error trap: .*unreachable.*\n")[0]
            for name in ("component trap", "check_stock", "place_order", "serve_customer"):
                self.assertIn(name, report)
            # The number in the answer finds the line in the log.
            number = re.search(r"request (\S+)", response.text)[1]
            self.assertEqual(response.headers["x-request-id"], number)
            self.assertIn(number, report)

    def test_trap_in_a_reused_instance(self):
        """A trap ends its instance: alone in it, its request has 500; another that waits in the
        same instance has 503 with it. The next one has an instance of its own."""
        with Host("hello_p3", "--loops", 1) as host:
            self.assertEqual(get(host, "/trap").status, 500)
            host.wait_log("component hello_p3: trap: .*unreachable")

            def shared():
                get(host, "/")
                with Connection(host) as waiting:
                    waiting.send_head("GET", "/wait")
                    until(host.is_idle, "it waits")
                    trapped = get(host, "/trap").status
                    return trapped, waiting.response().status

            # A busy machine may take longer than the wait; then nothing was shared.
            until(lambda: shared() == (503, 503), "both fail together")
            self.assertEqual(get(host, "/calls").text, "1\n")

    def test_trap_in_the_middle(self):
        """A trap after half a response breaks the connection off, so that nobody takes the half
        for whole."""
        with Host("trap", "--loops", 1) as host:
            with Connection(host) as connection:
                connection.send_head("POST", "/late", "content-length: 1")
                self.assertEqual(connection.head().status, 200)
                self.assertEqual(connection.chunk(), b"so far so good\n")
                connection.send(b"x")
                with self.assertRaises(Closed):
                    connection.chunk()
            host.wait_log("check_stock")
            self.assertEqual(get(host, "/").status, 200)

    def test_out_of_time(self):
        """A guest that never answers, computing or waiting, is answered for with 504 at its time
        limit."""
        for name, path in (("spin", "/spin"), ("hello_p3", "/wait"), ("hello_p3", "/spin")):
            with Host(name, "--loops", 1, "--time", "300ms") as host:
                start = time.monotonic()
                response = get(host, path)
                spent = time.monotonic() - start
                self.assertEqual(response.status, 504, name)
                self.assertRegex(response.headers["x-request-id"], r"\A[0-9a-f]{16}\Z")
                self.assertGreater(spent, 0.29, name)
                self.assertLess(spent, 10, name)
                host.wait_log("out of time")
                self.assertEqual(get(host, "/").status, 200)
                until(host.is_idle, "the guest is stopped")

    def test_gone_client_stops_the_guest(self):
        """A guest that computes for a client that is gone is stopped."""
        for name in ("spin", "hello_p3"):
            with self.subTest(name), Host(name, "--loops", 1, "--time", "0") as host:
                with Connection(host) as connection:
                    connection.send_head("GET", "/spin")
                    until(lambda: not host.is_idle(), "the guest computes")
                    connection.reset()
                until(host.is_idle, "the guest is stopped")
                self.assertEqual(get(host, "/").status, 200)


class Serving(unittest.TestCase):
    def test_signals(self):
        """SIGINT and SIGTERM end it with exit code 0; nothing goes to standard output."""
        for number in (signal.SIGINT, signal.SIGTERM):
            host = Host("hello_p2")
            self.assertEqual(get(host, "/").status, 200)
            self.assertEqual(host.stop(number), 0)
            self.assertEqual(host.out, "")

    def test_quiet(self):
        """With --quiet the address is all it prints."""
        host = Host("hello_p2", "--quiet")
        get(host, "/")
        self.assertEqual(host.stop(), 0)
        self.assertEqual(host.log, host.url + "\n")

    def test_busy_port(self):
        """A port that is taken is named, with what to do; the one who has it goes on."""
        with Host("hello_p2") as host:
            outcome = run("run", "--http", f"127.0.0.1:{host.address[1]}", guest("hello_p2"))
            self.assertEqual(outcome.code, 1, outcome)
            self.assertEqual(len(outcome.err.splitlines()), 1, outcome)
            self.assertIn(str(host.address[1]), outcome.err)
            self.assertEqual(outcome.out, "")
            self.assertEqual(get(host, "/").status, 200)

    def test_ipv6(self):
        """It serves an IPv6 address."""
        if not socket.has_ipv6:
            return
        with Host("hello_p2", http="[::1]:0") as host:
            self.assertTrue(host.url.startswith("http://[::1]:"), host.url)
            self.assertEqual(get(host, "/").status, 200)

    def test_access_log(self):
        """The access log has a JSON line for each request, all of them at the end; also for what
        was answered without asking anybody."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "access.log")
            with Host("hello_p2", "--loops", 1, "--access-log", path) as host:
                for target in ("/", "/status?code=404", "/calls"):
                    get(host, target)
                for head in (b"GET / HTTP/1.1\r\n\r\n",
                             b"POST /big HTTP/1.1\r\nhost: a\r\n"
                             b"content-length: 9999999999999\r\n\r\n"):
                    with socket.create_connection(host.address, timeout=10) as client:
                        client.sendall(head)
                        self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 4"))
            with open(path) as file:
                entries = [json.loads(line) for line in file]
        self.assertEqual([(entry["status"], entry["target"]) for entry in entries],
                         [(200, "/"), (404, "/status?code=404"), (200, "/calls"), (400, ""),
                          (413, "/big")])


if __name__ == "__main__":
    unittest.main()
