"""Many connections, big bodies, and the ways a server ends."""

import concurrent.futures
import http.client
import resource
import signal
import socket
import tempfile
import threading
import time
import unittest

from host import FAST, Host

GIB = 1 << 30


class Peak(threading.Thread):
    """The most anonymous memory a host had while this ran."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.done, self.kib = host, threading.Event(), host.anonymous_kib()

    def run(self):
        while not self.done.wait(0.02):
            self.kib = max(self.kib, self.host.anonymous_kib())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


class Serving(unittest.TestCase):
    def test_idle_connections(self):
        """Shows that 10,000 connections that say nothing leave the server answering."""
        count = 1_000 if FAST else 10_000
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < count + 200:
            self.skipTest(f"only {hard} open files are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with Host("hello_p2") as host:
            idle = []
            try:
                for _ in range(count):
                    idle.append(socket.create_connection(("127.0.0.1", host.port), timeout=10))
                self.assertEqual(host.request()[0], 200)
                for connection in idle[:: count // 10]:
                    connection.sendall(b"GET / HTTP/1.1\r\nhost: weft\r\n\r\n")
                    self.assertTrue(connection.recv(15).startswith(b"HTTP/1.1 200"))
            finally:
                for connection in idle:
                    connection.close()

    def test_a_big_upload(self):
        """Shows that a body of 1 GiB passes through the host and does not stay in it."""
        self.streams(self.upload)

    def test_a_big_download(self):
        """Shows the same for a response."""
        self.streams(self.download)

    def streams(self, transfer):
        size = GIB // 16 if FAST else GIB
        with Host("hello_p2", "--cpu", "60s", "--time", "0", "--loops", "1") as host:
            transfer(host, 1 << 20)
            before = host.anonymous_kib()
            with Peak(host) as peak:
                transfer(host, size)
            self.assertLess(peak.kib - before, 16 * 1024)

    def upload(self, host, size):
        connection = host.connect()
        connection.putrequest("POST", "/count")
        connection.putheader("content-length", str(size))
        connection.endheaders()
        block = bytes(1 << 20)
        for _ in range(size // len(block)):
            connection.send(block)
        response = connection.getresponse()
        self.assertEqual((response.status, response.read()), (200, b"%d\n" % size))
        connection.close()

    def download(self, host, size):
        connection = host.connect()
        connection.request("GET", f"/big?bytes={size}")
        response = connection.getresponse()
        got = 0
        while piece := response.read(1 << 20):
            got += len(piece)
        self.assertEqual(got, size)
        connection.close()

    def test_sigterm_under_load(self):
        """Shows that requests in flight are finished before a stop, and that the exit code is 0."""
        for guest in ("hello_p2", "hello_p3"):
            with self.subTest(guest), Host(guest) as host:
                connections = [host.connect() for _ in range(32)]
                for connection in connections:
                    connection.request("GET", "/chunks")
                responses = [connection.getresponse() for connection in connections]
                first = [response.readline() for response in responses]
                host.process.send_signal(signal.SIGTERM)
                with concurrent.futures.ThreadPoolExecutor(32) as pool:
                    rest = list(pool.map(http.client.HTTPResponse.read, responses))
                whole = b"".join(b"chunk %d\n" % i for i in range(5))
                self.assertEqual({a + b for a, b in zip(first, rest)}, {whole})
                self.assertEqual(host.process.wait(30), 0)
                for connection in connections:
                    connection.close()

    def test_a_kill_loses_nothing_acknowledged(self):
        """Shows that every write that was acknowledged before kill -9 is there afterwards."""
        with tempfile.TemporaryDirectory() as state:
            acknowledged = []
            with Host("keyvalue_p2", state=state) as host, \
                    concurrent.futures.ThreadPoolExecutor(8) as pool:
                def write(writer):
                    for number in range(100_000):
                        key = f"{writer}-{number}"
                        try:
                            status, _ = host.request(f"/kv/{key}", "PUT", key.encode(), timeout=10)
                        except OSError:
                            return
                        if status == 204:
                            acknowledged.append(key)
                writers = [pool.submit(write, writer) for writer in range(8)]
                deadline = time.monotonic() + 30
                while len(acknowledged) < 300 and time.monotonic() < deadline:
                    time.sleep(0.01)
                host.stop(signal.SIGKILL)
                concurrent.futures.wait(writers)
            self.assertGreaterEqual(len(acknowledged), 300)
            with Host("keyvalue_p2", state=state) as host:
                lost = [key for key in acknowledged
                        if host.request(f"/kv/{key}") != (200, key.encode())]
            self.assertEqual(lost, [])


if __name__ == "__main__":
    unittest.main()
