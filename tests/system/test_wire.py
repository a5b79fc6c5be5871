#!/usr/bin/env python3
"""The wire as other people's clients see it: curl with both HTTPs, with and without TLS, many
connections, slow and hostile clients, a new certificate, a drain."""

import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from host import BUILD, FAST, SECONDS_MAX, Host, raise_open_files, until

SERVER = os.path.join(BUILD, "tests", "weft_wire_server")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
# GET http://a/hello, its path as a literal.
GET_HELLO = b"\x82\x86\x41\x01a\x04\x06/hello"
CALM = 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + \
        struct.pack(">I", stream) + payload


def certificate(folder, name):
    """Makes a key and its certificate, in place of those that are there."""
    paths = [os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}", "-out", paths[0], "-keyout",
                    paths[1]], check=True, capture_output=True, timeout=SECONDS_MAX)
    return paths


class Server:
    """A serving weft_wire_server. As a context manager it must end well with the block."""

    def __init__(self, speed="slow"):
        self.temporary = tempfile.TemporaryDirectory(prefix="weft-wire-")
        self.folder = self.temporary.name
        self.certificate, self.key = certificate(self.folder, "first.test")
        self.log = os.path.join(self.folder, "access.log")
        self.files = os.path.join(self.folder, "www")
        os.mkdir(self.files)
        self.process = subprocess.Popen(
            [SERVER, self.certificate, self.key, self.files, self.log, speed],
            stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.plain = self.process.stdout.readline().strip()
        self.tls = self.process.stdout.readline().strip()
        self.address = ("127.0.0.1", int(self.plain.rsplit(":", 1)[1].strip("/")))
        self.tls_port = int(self.tls.rsplit(":", 1)[1].strip("/"))

    memory_kib = Host.memory_kib

    def curl(self, *words, url=None, base=None, said=subprocess.PIPE):
        """What curl writes about one request: version, status, and the body."""
        done = subprocess.run(
            ["curl", "-sS", "--max-time", str(SECONDS_MAX), "--cacert", self.certificate,
             "--resolve", f"first.test:{self.tls_port}:127.0.0.1", "-w",
             "\n%{http_version} %{http_code}", *words, (base or self.plain) + (url or "hello")],
            stdout=subprocess.PIPE, stderr=said, timeout=2 * SECONDS_MAX, check=False)
        if done.returncode != 0:
            return f"curl {done.returncode}", (done.stderr or b"").decode()
        body, _, last = done.stdout.decode().rpartition("\n")
        return last, body

    @property
    def named(self):
        return f"https://first.test:{self.tls_port}/"

    def h2(self):
        connection = socket.create_connection(self.address, timeout=SECONDS_MAX)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(PREFACE + frame(SETTINGS))
        return connection

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
            self.temporary.cleanup()
        if code != 0 and kind is None:
            raise AssertionError(f"exit code {code}")


def frames(connection):
    """The frames that come until the server closes."""
    data = b""
    while True:
        while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
            try:
                more = connection.recv(65536)
            except ConnectionError:
                return
            if not more:
                return
            data += more
        size = int.from_bytes(data[:3], "big")
        yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + size]
        data = data[9 + size:]


def goaway(connection):
    """The error of the last GOAWAY; None when there was none."""
    error = None
    for kind, _, _, payload in frames(connection):
        if kind == GOAWAY:
            error = int.from_bytes(payload[4:8], "big")
    return error


class Clients(unittest.TestCase):
    def test_curl_speaks_both(self):
        """curl gets HTTP/1.1 and HTTP/2, by prior knowledge and by ALPN, on two addresses."""
        with Server() as server:
            for words, base, version in (
                    (["--http1.1"], server.plain, "1.1"),
                    (["--http2-prior-knowledge"], server.plain, "2"),
                    (["--http2"], server.plain, "1.1"),
                    (["--http1.1"], server.named, "1.1"),
                    (["--http2"], server.named, "2"),
                    (["--http2", "--tls-max", "1.2"], server.named, "2")):
                self.assertEqual(server.curl(*words, base=base), (f"{version} 200", "hello\n"),
                                 words)

    def test_old_tls_is_refused(self):
        """TLS 1.1 and older get no handshake."""
        with Server() as server:
            for most in ("1.0", "1.1"):
                outcome, message = server.curl("--tls-max", most, "--tlsv1.0", "--ciphers",
                                               "ALL:@SECLEVEL=0", base=server.named)
                self.assertEqual(outcome, "curl 35", message)
            self.assertEqual(server.curl(base=server.named)[0], "2 200")

    def test_bodies(self):
        """A body of some megabytes goes in and comes back, whatever carries it."""
        with Server() as server:
            path = os.path.join(server.folder, "body")
            with open(path, "wb") as file:
                file.write(os.urandom(8 << 20))
            for words, base in ((["--http1.1"], server.plain),
                                (["--http2-prior-knowledge"], server.plain),
                                (["--http1.1"], server.named), (["--http2"], server.named)):
                out = os.path.join(server.folder, "out")
                outcome, _ = server.curl(*words, "--data-binary", "@" + path, "-o", out,
                                         url="echo", base=base)
                self.assertRegex(outcome, r"\A[12](\.1)? 200\Z")
                with open(path, "rb") as one, open(out, "rb") as other:
                    self.assertEqual(one.read(), other.read(), (words, base))

    def test_routes_and_files(self):
        """404 and 405 have their headers, files their tags and ranges, and the log its lines."""
        with Server() as server:
            with open(os.path.join(server.files, "a.txt"), "w") as file:
                file.write("0123456789")
            h2 = "--http2-prior-knowledge"
            self.assertEqual(server.curl(h2, url="nowhere"), ("2 404", "Not Found\n"))
            self.assertIn("allow: GET, HEAD", server.curl(h2, "-i", "-X", "PUT")[1])
            self.assertEqual(server.curl(h2, url="files/a.txt"), ("2 200", "0123456789"))
            self.assertEqual(server.curl("-r", "2-4", url="files/a.txt"), ("1.1 206", "234"))
            self.assertEqual(server.curl("--path-as-is", url="files/../key.pem")[0], "1.1 404")
            entries = until(lambda: self.entries(server, 5), "five lines in the log")
        self.assertEqual([entry["status"] for entry in entries], [404, 405, 200, 206, 404])
        self.assertEqual(entries[2]["version"], "2")
        self.assertEqual(entries[2]["route"], "/files/...")
        self.assertEqual(entries[2]["component"], "files")
        self.assertEqual(len({entry["request"] for entry in entries}), 5)

    def entries(self, server, count):
        with open(server.log) as file:
            lines = file.read().splitlines()
        # Each loop writes its own: in the order of the times.
        entries = sorted((json.loads(line) for line in lines), key=lambda entry: entry["time"])
        return entries if len(entries) == count else None


class Life(unittest.TestCase):
    def test_new_certificate(self):
        """After SIGHUP new handshakes see the new certificate; one that is broken changes
        nothing, and is named."""
        def name(server):
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            with socket.create_connection(("127.0.0.1", server.tls_port), SECONDS_MAX) as raw, \
                    context.wrap_socket(raw) as wrapped:
                return wrapped.getpeercert(binary_form=True)

        with Server() as server:
            first = name(server)
            certificate(server.folder, "second.test")
            self.assertEqual(name(server), first)
            server.process.send_signal(signal.SIGHUP)
            self.assertEqual(server.process.stdout.readline(), "reloaded\n")
            second = name(server)
            self.assertNotEqual(second, first)
            with open(server.key, "w") as file:
                file.write("no key")
            server.process.send_signal(signal.SIGHUP)
            self.assertIn(server.key, server.process.stdout.readline())
            self.assertEqual(name(server), second)

    def test_drain(self):
        """SIGTERM lets requests in flight finish, over each protocol, and then it ends."""
        with Server() as server:
            outcomes = {}

            def said(words):
                return os.path.join(server.folder, words)

            def ask(words, base):
                with open(said(words), "wb") as file:
                    outcomes[words] = server.curl(words, "-v", url="wait", base=base, said=file)

            def has_asked(words):
                if not os.path.exists(said(words)):
                    return False
                with open(said(words), errors="replace") as file:
                    return "> GET /wait" in file.read()

            threads = [threading.Thread(target=ask, args=each) for each in (
                ("--http1.1", server.plain), ("--http2-prior-knowledge", server.plain),
                ("--http2", server.named))]
            idle = server.h2()
            until(lambda: established(server) >= 1, "its connection")
            for thread in threads:
                thread.start()
            # All of them are on their way. One that is answered before the others are is no harm.
            until(lambda: all(map(has_asked, ("--http1.1", "--http2-prior-knowledge", "--http2"))),
                  "three requests")
            time.sleep(0.1)  # So that they are in, too; they take five times that.
            server.process.send_signal(signal.SIGTERM)
            for thread in threads:
                thread.join()
            self.assertEqual(goaway(idle), 0)
            idle.close()
            self.assertEqual(server.process.wait(SECONDS_MAX), 0)
        self.assertEqual({body for _, body in outcomes.values()}, {"waited\n"}, outcomes)


def established(server):
    """Connections that the server holds, by the files that it has open."""
    folder = f"/proc/{server.pid}/fd"
    sockets = 0
    for name in os.listdir(folder):
        try:
            sockets += os.readlink(os.path.join(folder, name)).startswith("socket:")
        except OSError:
            pass
    return sockets - 4  # It listens on two addresses with two loops.


class Slow(unittest.TestCase):
    def test_slow_clients_are_cut(self):
        """A head that stops, a body that stops and a handshake that does not begin are cut, in
        both HTTPs; others are served meanwhile."""
        with Server("quick") as server:
            with socket.create_connection(server.address, SECONDS_MAX) as head:
                head.sendall(b"GET /hello HTTP/1.1\r\nho")
                self.assertTrue(head.recv(100).startswith(b"HTTP/1.1 408"))
            with socket.create_connection(server.address, SECONDS_MAX) as body:
                body.sendall(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nx")
                with self.assertRaises((ConnectionError, StopIteration)):
                    while body.recv(1000):
                        pass
                    raise StopIteration
            with socket.create_connection(("127.0.0.1", server.tls_port), SECONDS_MAX) as silent:
                self.assertEqual(silent.recv(1), b"")
            with server.h2() as head:
                head.sendall(frame(HEADERS, 1, 1, GET_HELLO))
                self.assertEqual(goaway(head), 0)
            with server.h2() as body:
                fields = GET_HELLO.replace(b"\x82", b"\x83").replace(b"\x06/hello", b"\x05/echo")
                body.sendall(frame(HEADERS, 4, 1, fields) + frame(DATA, 0, 1, b"x"))
                self.assertIn(RESET, [kind for kind, *_ in self.until_reset(body)])
            # Who is not run for a while is slow as well.
            until(lambda: server.curl()[0] == "1.1 200", "others are served")

    def until_reset(self, connection):
        for each in frames(connection):
            yield each
            if each[0] == RESET:
                return


class Many(unittest.TestCase):
    def test_idle(self):
        """10,000 HTTP/2 connections that say nothing more cost little memory, and each is served
        when it speaks."""
        count = 1_000 if FAST else 10_000
        self.assertGreater(raise_open_files(), count + 200,
                           "the limit of open files is too low: raise it with `ulimit -Hn 20000`")
        with Server() as server:
            before = server.memory_kib()
            idle = [server.h2() for _ in range(count)]
            self.assertEqual(server.curl()[0], "1.1 200")
            cost = (server.memory_kib() - before) * 1024 / count
            print(f"{count} idle HTTP/2 connections: {cost:.0f} bytes each", flush=True)
            self.assertLess(cost, 32 * 1024)
            for one in idle:
                one.sendall(frame(SETTINGS, 1) + frame(HEADERS, 5, 1, GET_HELLO))
            for one in idle:
                self.assertTrue(any(kind == DATA for kind, *_ in self.until_data(one)))
                one.close()

    def until_data(self, connection):
        for each in frames(connection):
            yield each
            if each[0] == DATA:
                return


class Abuse(unittest.TestCase):
    def flood(self, server, once):
        """Sends pieces until the server ends the connection. The error of its GOAWAY, or None
        when it was cut off before that came through."""
        with server.h2() as connection:
            cut = False
            try:
                for i in range(20_000):
                    connection.sendall(once(i))
            except ConnectionError:
                cut = True
            error = goaway(connection)
            self.assertTrue(cut or error is not None, "the server bears it")
            return error

    def test_floods_are_bounded(self):
        """Rapid resets, pings, settings, empty data and endless heads end the connection; the
        server stays small and serves on."""
        def reset(i):
            stream = 2 * i + 1
            return frame(HEADERS, 5, stream, GET_HELLO) + frame(RESET, 0, stream, bytes(4))

        def endless(i):
            return frame(9, 0, 1, b"") if i else frame(HEADERS, 1, 1, GET_HELLO)

        with Server() as server:
            self.assertEqual(server.curl()[0], "1.1 200")
            before = server.memory_kib()
            for name, once in (("reset", reset), ("endless", endless),
                               ("ping", lambda i: frame(PING, 0, 0, bytes(8)) * 20),
                               ("settings", lambda i: frame(SETTINGS) * 20)):
                with self.subTest(name):
                    self.assertIn(self.flood(server, once), (None, CALM, 1))
                    self.assertEqual(server.curl("--http2-prior-knowledge")[0], "2 200")
            self.assertLess(server.memory_kib() - before, 16 * 1024)

    def test_huge_head(self):
        """A head beyond the limit is answered 431, whichever HTTP brings it."""
        with Server() as server:
            header = "x: " + "y" * 40_000
            self.assertEqual(server.curl("-H", header)[0], "1.1 431")
            self.assertEqual(server.curl("--http2-prior-knowledge", "-H", header)[0], "2 431")


class Guests(unittest.TestCase):
    def test_guests_speak_http2(self):
        """A guest of either WASI is served over HTTP/2, with bodies both ways."""
        for guest in ("hello_p2", "hello_p3"):
            with self.subTest(guest), Host(guest) as host:
                def curl(*words, url=host.url):
                    done = subprocess.run(
                        ["curl", "-sS", "--http2-prior-knowledge", "-w", " %{http_version}",
                         "--max-time", str(SECONDS_MAX), *words, url], capture_output=True,
                        timeout=2 * SECONDS_MAX, check=True)
                    return done.stdout.decode()
                self.assertTrue(curl().startswith("hello from C++"))
                self.assertTrue(curl().endswith(" 2"))
                self.assertEqual(curl("-d", "some text", url=host.url + "echo"), "some text 2")


if __name__ == "__main__":
    unittest.main()
