#!/usr/bin/env python3
"""Many connections and big bodies: what they cost in memory, and that all of them are served."""

import socket
import statistics
import threading
import time
import unittest
import zlib

from client import Connection, get
from host import FAST, Host, raise_open_files, until

GIB = 1 << 30
GROWTH_KIB_MAX = 16 * 1024


class Peak(threading.Thread):
    """The most anonymous memory a host had while the block ran."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.over, self.kib = host, threading.Event(), 0

    def run(self):
        while not self.over.wait(0.02):
            self.kib = max(self.kib, self.host.memory_kib())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


class Source:
    """A body that is made as it is sent, and never the same in two places."""

    def __init__(self, size):
        self.left, self.checksum, self.number = size, 0, 0
        self.block = bytearray(range(256)) * 4096

    def __iter__(self):
        while self.left:
            self.block[:8] = self.number.to_bytes(8, "little")
            self.number += 1
            piece = memoryview(self.block)[:min(self.left, len(self.block))]
            self.checksum = zlib.crc32(piece, self.checksum)
            self.left -= len(piece)
            yield piece


def echo(host, size, chunked):
    """Sends a body through /echo; gives how much came back and both checksums."""
    with Connection(host, seconds=60) as connection:
        framing = "transfer-encoding: chunked" if chunked else f"content-length: {size}"
        connection.send_head("POST", "/echo", framing)
        source = Source(size)

        def send():
            for piece in source:
                if chunked:
                    connection.send(b"%x\r\n" % len(piece))
                connection.send(piece)
                if chunked:
                    connection.send(b"\r\n")
            if chunked:
                connection.send(b"0\r\n\r\n")

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        head = connection.head()
        assert head.status == 200, head
        came = checksum = 0
        while data := connection.chunk():
            came += len(data)
            checksum = zlib.crc32(data, checksum)
        sender.join(60)
        return came, checksum, source.checksum


class Bodies(unittest.TestCase):
    def through(self, guest, chunked):
        size = GIB // 16 if FAST else GIB
        with Host(guest, "--loops", 1) as host:
            # The host has reached its size once a body of many buffers went through.
            echo(host, 4 << 20, chunked)
            before = host.memory_kib()
            start = time.monotonic()
            with Peak(host) as peak:
                came, checksum, sent_checksum = echo(host, size, chunked)
            spent = time.monotonic() - start
            print(f"{size >> 20} MiB through {guest}: {peak.kib - before} KiB of growth, "
                  f"{(size >> 20) / spent:.0f} MiB/s", flush=True)
            self.assertEqual(came, size)
            self.assertEqual(checksum, sent_checksum)
            self.assertLess(peak.kib - before, GROWTH_KIB_MAX)

    def test_wasi_02(self):
        """1 GiB goes in and comes back, byte for byte, with less than 16 MiB of growth."""
        self.through("hello_p2", chunked=False)

    def test_wasi_03(self):
        """The same with WASI 0.3, in chunks."""
        self.through("hello_p3", chunked=True)

    def test_in_alone(self):
        """1 GiB that only goes in is counted, with as little growth."""
        size = GIB // 16 if FAST else GIB
        with Host("hello_p2", "--loops", 1) as host:
            self.assertEqual(get(host, "/").status, 200)
            before = host.memory_kib()
            with Peak(host) as peak, Connection(host, seconds=60) as connection:
                connection.send_head("POST", "/count", f"content-length: {size}")
                for piece in Source(size):
                    connection.send(piece)
                self.assertEqual(connection.response().text, f"{size}\n")
            self.assertLess(peak.kib - before, GROWTH_KIB_MAX)

    def test_out_alone(self):
        """1 GiB that only comes out comes whole, with as little growth."""
        size = GIB // 16 if FAST else GIB
        with Host("hello_p2", "--loops", 1) as host:
            self.assertEqual(get(host, "/").status, 200)
            before = host.memory_kib()
            came = 0
            with Peak(host) as peak, Connection(host, seconds=60) as connection:
                connection.send_head("GET", f"/big?bytes={size}")
                self.assertEqual(connection.head().status, 200)
                while data := connection.chunk():
                    came += len(data)
            self.assertEqual(came, size)
            self.assertLess(peak.kib - before, GROWTH_KIB_MAX)

    def test_client_that_does_not_read(self):
        """A guest that sends to a client that takes nothing is held back, not buffered for."""
        with Host("hello_p2", "--loops", 1) as host, Connection(host) as connection:
            get(host, "/")
            before = host.memory_kib()
            connection.send_head("GET", f"/big?bytes={GIB}")
            connection.head()
            until(host.is_idle, "the guest waits for the client")
            self.assertLess(host.memory_kib() - before, GROWTH_KIB_MAX)


class Connections(unittest.TestCase):
    def test_idle(self):
        """10,000 connections that say nothing cost little memory; requests beside them are served,
        and each of the 10,000 still is when it speaks."""
        count = 1_000 if FAST else 10_000
        self.assertGreater(raise_open_files(), count + 200,
                           "the limit of open files is too low: raise it with `ulimit -Hn 20000`")
        with Host("hello_p2") as host:
            get(host, "/")
            before = host.memory_kib()
            idle = [socket.create_connection(host.address, timeout=30) for _ in range(count)]
            with Connection(host) as connection:
                times = []
                for _ in range(200):
                    start = time.monotonic()
                    self.assertEqual(connection.get("/").status, 200)
                    times.append(time.monotonic() - start)
            cost = (host.memory_kib() - before) * 1024 / count
            print(f"{count} idle connections: {cost:.0f} bytes each, p50 of requests beside them "
                  f"{statistics.median(times) * 1000:.2f} ms", flush=True)
            self.assertLess(statistics.median(times), 0.1)
            self.assertLess(cost, 8192)
            for one in idle:
                one.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            for one in idle:
                self.assertEqual(one.recv(12), b"HTTP/1.1 200")
                one.close()


if __name__ == "__main__":
    unittest.main()
