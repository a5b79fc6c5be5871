#!/usr/bin/env python3
"""What guests may reach, and how it gets there: outgoing HTTP and sockets against real servers."""

import concurrent.futures
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from client import Closed, Connection, get, post
from host import FAST, SECONDS_MAX, WEFT, Host, environment, guest, run, until
from upstream import Certificate, Http2Upstream, Upstream

DNS_ERROR, REFUSED, TERMINATED, CONNECT_TIMEOUT, READ_TIMEOUT = 1, 6, 7, 8, 9
CERTIFICATE, DENIED, URI, HEAD_SIZE = 13, 15, 19, 26


def send(host, authority, path="/hello", method="GET", body=None, **more):
    query = "&".join(f"{name}={value}" for name, value in more.items())
    target = f"/send?authority={authority}&path={path}&{query}"
    return get(host, target) if body is None else post(host, target, body)


class Both:
    """What holds for proxies of 0.2 and of 0.3 alike."""

    guest = None

    def host(self, *options):
        return Host(self.guest, "--loops", 1, *options)

    def refused(self, response, code):
        self.assertEqual((response.status, response.text), (502, f"error {code}\n"))

    def test_nothing_is_granted_by_default(self):
        """The guest gets the interface's error, the log the missing grant as it is written."""
        with Upstream() as upstream, self.host() as host:
            self.refused(send(host, upstream.authority), DENIED)
            host.wait_log(re.escape(
                f"missing grant: --allow-http 'http://{upstream.authority}'"))
            self.assertEqual(upstream.connections, 0)
            self.refused(send(host, "example.com", scheme="https"), DENIED)
            host.wait_log("missing grant: --allow-http 'https://example.com'")

    def test_the_grant_in_the_log_is_the_one(self):
        """What the log named, given, lets the request pass."""
        with Upstream() as upstream:
            with self.host() as host:
                send(host, upstream.authority)
                grant = host.wait_log(r"missing grant: --allow-http '([^']+)'")[1]
            with self.host("--allow-http", grant) as host:
                response = send(host, upstream.authority)
                self.assertEqual((response.status, response.text), (200, "hello from upstream\n"))

    def test_every_way_to_a_private_address_is_refused(self):
        """With everything public allowed: names, spellings and coats of addresses that are not."""
        with Upstream() as upstream, self.host("--allow-http", "*") as host:
            port = upstream.port
            for name in ("127.0.0.1", "localhost", "LOCALHOST.", "a.localhost", "0x7f.1",
                         "2130706433", "017700000001", "127.1", "[::ffff:127.0.0.1]", "[::1]",
                         "[::ffff:7f00:1]", "0.0.0.0", "0", "[::]", "169.254.169.254", "10.0.0.1",
                         "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fd00::1]", "[fe80::1]",
                         "[64:ff9b::7f00:1]", "[2002:7f00:1::]"):
                self.refused(send(host, f"{name}:{port}"), DENIED)
            self.refused(send(host, f"user@127.0.0.1:{port}"), URI)
            self.assertEqual(upstream.connections, 0)

    def test_a_name_that_leads_to_loopback_is_refused(self):
        """The address counts, not the name: a name of this machine in its hosts file."""
        name = socket.gethostname()
        try:
            address = socket.gethostbyname(name)
        except OSError:
            self.skipTest("this machine does not know its own name")
        with Upstream() as upstream, self.host("--allow-http", f"http://{name}:*") as host:
            self.refused(send(host, f"{name}:{upstream.port}"), DENIED)
            host.wait_log(re.escape(f"{address}:{upstream.port}'"))
            self.assertEqual(upstream.connections, 0)

    def test_a_redirect_is_the_guests_to_follow(self):
        """It gets the redirect, and its next request is checked as the first was."""
        with Upstream() as inside, Upstream() as upstream, \
                self.host("--allow-http", f"http://{upstream.authority}") as host:
            response = send(host, upstream.authority,
                            f"/redirect?to=http://{inside.authority}/hello")
            self.assertEqual(response.status, 302)
            self.refused(send(host, inside.authority), DENIED)
            self.assertEqual(inside.connections, 0)

    def test_rules_bound_port_and_path(self):
        """One host, some of it."""
        with Upstream() as upstream, Upstream() as other, \
                self.host("--allow-http", f"http://{upstream.authority}/hello") as host:
            self.assertEqual(send(host, upstream.authority, "/hello").status, 200)
            self.refused(send(host, upstream.authority, "/hello/../count"), DENIED)
            self.refused(send(host, upstream.authority, "/other"), DENIED)
            self.refused(send(host, other.authority, "/hello"), DENIED)
            self.assertEqual(other.connections, 0)

    def test_localhost_and_addresses_of_version_6(self):
        """Each opens what it says."""
        with Upstream() as upstream, Upstream("::1") as six:
            with self.host("--allow-http", "localhost") as host:
                for authority in (upstream.authority, f"localhost:{upstream.port}", six.authority):
                    self.assertEqual(send(host, authority).status, 200, authority)
            with self.host("--allow-http", "http://[::1]:*") as host:
                self.assertEqual(send(host, six.authority).status, 200)
                self.refused(send(host, upstream.authority), DENIED)

    def test_one_connection_for_many_requests(self):
        """A hundred requests, one after the other, share a connection."""
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            with Connection(host) as connection:
                for _ in range(100):
                    response = connection.get(f"/send?authority={upstream.authority}&path=/hello")
                    self.assertEqual(response.status, 200)
            self.assertEqual(len(upstream.requests), 100)
            self.assertEqual(upstream.connections, 1)

    def test_what_is_sent(self):
        """The request as the guest made it, and nothing that it did not ask for."""
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            send(host, upstream.authority, "/x?y")
            method, path, headers = upstream.requests[0]
            self.assertEqual((method, path), ("GET", "/x?y"))
            self.assertEqual(headers, {"Host": upstream.authority})

    def test_many_at_once(self):
        """Requests side by side all get their own answer."""
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                sizes = [1_000 * number for number in range(1, 65)]
                answers = pool.map(
                    lambda size: send(host, upstream.authority, f"/big?bytes={size}"), sizes)
                for size, answer in zip(sizes, answers):
                    self.assertEqual((answer.status, len(answer.body)), (200, size))

    def test_uploads(self):
        """Bodies of any size arrive whole."""
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            for size in (0, 1, 65_536, 5_000_000):
                response = send(host, upstream.authority, "/count", body=b"u" * size)
                self.assertEqual((response.status, response.text), (200, f"{size}\n"))

    def test_failures_have_their_codes(self):
        """Each way to fail is told as what it is."""
        with Upstream() as upstream, socket.socket() as closed, \
                self.host("--allow-http", "http://127.0.0.1:*", "--allow-http", "*") as host:
            closed.bind(("127.0.0.1", 0))
            self.refused(send(host, f"127.0.0.1:{closed.getsockname()[1]}"), REFUSED)
            self.refused(send(host, upstream.authority, "/gone"), TERMINATED)
            self.refused(send(host, upstream.authority, "/long-head"), HEAD_SIZE)
            self.refused(send(host, "does-not-exist.invalid"), DNS_ERROR)
            self.assertEqual(send(host, upstream.authority).status, 200)

    def test_a_client_that_leaves_stops_the_transfer(self):
        """The upstream sees the connection go, and the next request is served."""
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            with Connection(host) as connection:
                connection.send_head(
                    "GET", f"/send?authority={upstream.authority}&path=/big?bytes=1000000000000")
                connection.head()
                connection.exactly(100_000)
            until(lambda: upstream.left > 0, "the upstream's connection breaks")
            self.assertEqual(send(host, upstream.authority).status, 200)

    def test_streams_in_bounded_memory(self):
        """256 MiB down to a client that is slow at first, and 256 MiB up."""
        size = (32 if FAST else 256) << 20
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            send(host, upstream.authority)
            before = host.memory_kib()
            with Connection(host) as connection:
                connection.send_head(
                    "GET", f"/send?authority={upstream.authority}&path=/big?bytes={size}")
                connection.head()
                connection.exactly(1000)
                # Nobody reads: what is on its way fills up, and the upstream stands still.
                last = [-1, 0.0]

                def stands_still():
                    if upstream.sent != last[0]:
                        last[:] = upstream.sent, time.monotonic()
                    return time.monotonic() - last[1] > 0.3
                until(stands_still, "the upstream waits")
                self.assertLess(upstream.sent, size // 2)
                most = host.memory_kib()
                count = 0
                while True:
                    count += len(connection.socket.recv(1 << 20))
                    if count % (8 << 20) < (1 << 20):
                        most = max(most, host.memory_kib())
                    if upstream.sent == size and count >= size - 2_000_000:
                        break
            self.assertLess(most - before, 48 * 1024)
            with Connection(host) as connection:
                connection.send_head("POST", f"/send?authority={upstream.authority}&path=/count",
                                     f"content-length: {size}")
                block = b"u" * (1 << 20)
                for _ in range(size >> 20):
                    connection.send(block)
                most = max(most, host.memory_kib())
                self.assertEqual(connection.response().text, f"{size}\n")
            self.assertLess(most - before, 48 * 1024)


class ProxyP2(Both, unittest.TestCase):
    guest = "proxy_p2"

    def test_time_outs(self):
        """To the first byte and between bytes, as the guest asked."""
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            self.refused(send(host, upstream.authority, "/silent", first=100), READ_TIMEOUT)
            with self.assertRaises(Closed):
                send(host, upstream.authority, "/stall", between=100)
            # A listener whose queue is full lets nobody in.
            with socket.socket() as full, socket.socket() as one, socket.socket() as two:
                full.bind(("127.0.0.1", 0))
                full.listen(0)
                for each in (one, two):
                    each.setblocking(False)
                    each.connect_ex(full.getsockname())
                port = full.getsockname()[1]
                self.refused(send(host, f"127.0.0.1:{port}", connect=200), CONNECT_TIMEOUT)

    def test_a_response_that_ends_early(self):
        """The guest sees that it is not whole, and traps: before its head is out, or after it."""
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            try:
                self.assertEqual(send(host, upstream.authority, "/partial").status, 500)
            except Closed:
                pass
            host.wait_log("trap")
            self.assertEqual(send(host, upstream.authority).status, 200)

    def test_a_guest_that_leaves_stops_the_transfer(self):
        """Dropping the response's future ends the request."""
        with Upstream() as upstream, self.host("--allow-http", "http://127.0.0.1:*") as host:
            response = get(host, f"/leave?authority={upstream.authority}&path=/silent")
            self.assertEqual(response.text, "left\n")
            self.assertEqual(send(host, upstream.authority).status, 200)


class ProxyP3(Both, unittest.TestCase):
    guest = "proxy_p3"


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="weft-test-")
        cls.tls = Certificate(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_a_certificate_that_nobody_knows(self):
        """It is refused, and taken when its file is named."""
        with Upstream(tls=self.tls) as upstream:
            with Host("proxy_p2", "--allow-http", "https://127.0.0.1:*") as host:
                response = send(host, upstream.authority, scheme="https")
                self.assertEqual(response.text, f"error {CERTIFICATE}\n")
            with Host("proxy_p2", "--allow-http", "https://127.0.0.1:*", "--ca-file",
                      self.tls.certificate) as host:
                response = send(host, upstream.authority, scheme="https")
                self.assertEqual(response.text, "hello from upstream\n")

    @unittest.skipUnless(shutil.which("nghttpd"), "nghttpd is not installed")
    def test_http2(self):
        """Requests side by side are streams of one connection; bodies pass both ways."""
        big = os.urandom(1 << 20) * 24
        with Http2Upstream(self.tls, {"hello": b"hello from nghttpd\n", "big": big}) as upstream:
            with Host("proxy_p2", "--loops", 1, "--allow-http", "https://127.0.0.1:*", "--ca-file",
                      self.tls.certificate) as host:
                self.assertEqual(send(host, upstream.authority, "/hello", scheme="https").text,
                                 "hello from nghttpd\n")
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    for answer in pool.map(lambda _: send(host, upstream.authority, "/hello",
                                                          scheme="https"), range(64)):
                        self.assertEqual(answer.text, "hello from nghttpd\n")
                answer = send(host, upstream.authority, "/big", scheme="https")
                self.assertTrue(answer.body == big, f"{len(answer.body)} bytes")
                body = os.urandom(3_000_000)
                answer = send(host, upstream.authority, "/hello", body=body, scheme="https")
                self.assertTrue(answer.body == body, f"{answer.status}, {len(answer.body)} bytes")
            # The probe's connection, and ours.
            opened = set(re.findall(r"^\[id=(\d+)\]", upstream.log(), re.M))
            self.assertLessEqual(len(opened), 2)


class Sockets(unittest.TestCase):
    def command(self, *words, grants=()):
        options = [word for grant in grants for word in ("--allow-net", grant)]
        return run("run", *options, guest("sockets"), *words)

    def echo(self):
        server = socket.create_server(("127.0.0.1", 0))

        def serve():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"pong" if client.recv(100) == b"ping" else b"what")
        threading.Thread(target=serve, daemon=True).start()
        self.addCleanup(server.close)
        return server.getsockname()[1]

    def test_tcp(self):
        """A granted address answers; others are refused, and the log names the grant."""
        port = self.echo()
        done = self.command("tcp", "127.0.0.1", port, grants=[f"tcp://127.0.0.1:{port}"])
        self.assertEqual((done.code, done.out), (0, "pong\n"), done)
        for grants in ([f"tcp://127.0.0.1:{port + 1}"], ["*"],
                       [f"udp://127.0.0.1:{port}", "tcp://[::1]:*"]):
            done = self.command("tcp", "127.0.0.1", port, grants=grants)
            self.assertEqual(done.out, "error 1 at connect\n", done)
            self.assertIn(f"missing grant: --allow-net 'tcp://127.0.0.1:{port}'", done.err)

    def test_nothing_by_default(self):
        """Without a grant there is neither a socket nor a look-up; the log says what is missing."""
        done = self.command("tcp", "127.0.0.1", 1)
        self.assertEqual(done.out, "error 1 at create\n", done)
        self.assertIn("missing grant: --allow-net 'tcp://HOST:PORT'", done.err)
        done = self.command("udp", "127.0.0.1", 1, grants=["tcp://127.0.0.1:*"])
        self.assertEqual(done.out, "error 1 at create\n", done)
        self.assertIn("missing grant: --allow-net 'udp://HOST:PORT'", done.err)

    def test_a_name_grants_its_addresses(self):
        """Where a rule names a host, the addresses of that host are reached, if they are public or
        opened."""
        port = self.echo()
        done = self.command("tcp", "127.0.0.1", port, grants=[f"tcp://localhost:{port}"])
        self.assertEqual(done.out, "pong\n", done)

    def test_udp(self):
        """Datagrams likewise."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            port = server.getsockname()[1]

            def serve():
                data, sender = server.recvfrom(100)
                server.sendto(b"pong" if data == b"ping" else b"what", sender)
            threading.Thread(target=serve, daemon=True).start()
            done = self.command("udp", "127.0.0.1", port, grants=["udp://127.0.0.2:*"])
            self.assertEqual(done.out, "error 1 at send\n", done)
            self.assertIn(f"missing grant: --allow-net 'udp://127.0.0.1:{port}'", done.err)
            done = self.command("udp", "127.0.0.1", port, grants=[f"udp://127.0.0.1:{port}"])
            self.assertEqual(done.out, "pong\n", done)

    def test_listening(self):
        """A port is listened on where a rule names the address."""
        done = self.command("listen", "127.0.0.1", 0, grants=["tcp://127.0.0.2:*"])
        self.assertEqual(done.out, "error 1 at bind\n", done)
        self.assertIn("missing grant: --allow-net 'tcp://127.0.0.1:*'", done.err)
        done = self.command("listen", "0.0.0.0", 0, grants=["*"])
        self.assertEqual(done.out, "error 1 at listen\n", done)
        with tempfile.TemporaryDirectory(prefix="weft-test-") as home, subprocess.Popen(
                [WEFT, "run", "--allow-net", "127.0.0.1:*", guest("sockets"), "listen",
                 "127.0.0.1", "0"], env=environment(home), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE) as command:
            port = int(command.stdout.readline().split()[1])
            with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as client:
                self.assertEqual(client.recv(100), b"welcome")
            self.assertEqual(command.wait(SECONDS_MAX), 0)

    def test_lookup(self):
        """A name is looked up where some rule takes it."""
        for grants in ([], ["*"], ["tcp://db.example:1"]):
            done = self.command("lookup", "localhost", grants=grants)
            self.assertEqual(done.out, "error 1 at lookup\n", done)
            self.assertIn("missing grant: --allow-net 'localhost'", done.err)
        for grant in ("localhost", "127.0.0.1:*"):
            self.assertEqual(self.command("lookup", "localhost", grants=[grant]).out, "found\n")


if __name__ == "__main__":
    unittest.main()
