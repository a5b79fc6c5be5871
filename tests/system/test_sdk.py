#!/usr/bin/env python3
"""The C++ SDK, from a guest that uses each thing it has (tests/guests/sdk_p3, sdk_p2)."""

import os
import signal
import tempfile
import unittest
import urllib.parse

from client import Connection, get, post
from host import Host
from test_app_wire import curl
from upstream import Certificate, Upstream

INVALID, DENIED = 0, 2  # Of weft::Code.


def url(path, **parameters):
    return f"{path}?{urllib.parse.urlencode(parameters)}"


class Both:
    """What the SDK has in WASI 0.2 and 0.3 alike."""

    guest = None

    def test_bodies(self):
        """A body goes through as it comes, and read_all stops at its limit."""
        with Host(self.guest) as host:
            body = b"0123456789abcdef" * 50_000
            self.assertEqual(post(host, "/echo", body).body, body)
            self.assertEqual(post(host, url("/all", most=1000), b"x" * 1000).text, "1000\n")
            response = post(host, url("/all", most=999), b"x" * 1000)
            self.assertEqual((response.status, response.text),
                             (413, "the body has more than 999 bytes\n"))

    def test_what_it_came_over(self):
        """A request over TLS has the scheme https, in either version of HTTP; the operator's file
        serves a component by itself too."""
        with tempfile.TemporaryDirectory() as folder:
            certificate = Certificate(folder)
            environment = os.path.join(folder, "prod.toml")
            with open(environment, "w", encoding="utf-8") as file:
                file.write(f'[http]\ntls = {{ certificate = "{certificate.certificate}", '
                           f'key = "{certificate.key}" }}\n')
            with Host(self.guest, "--on", environment) as host:
                for version in ("--http2", "--http1.1"):
                    answer = curl(f"https://localhost:{host.address[1]}/secure", "--cacert",
                                  certificate.certificate, version)
                    self.assertTrue(answer.endswith("secure\n"), answer)
        with Host(self.guest) as host:
            self.assertEqual(get(host, "/secure").text, "plain\n")

    def test_requests_of_its_own(self):
        """Sent and answered, two at once, with a body written piece by piece."""
        with Upstream() as upstream, \
                Host(self.guest, "--allow-http", f"http://{upstream.authority}") as host:
            hello = f"http://{upstream.authority}/hello"
            self.assertEqual(get(host, url("/send", url=hello)).text, "200 hello from upstream\n")
            self.assertEqual(get(host, url("/both", a=hello, b=hello + "?b")).text,
                             "200 hello from upstream\n" * 2)
            count = f"http://{upstream.authority}/count"
            self.assertIn("18", get(host, url("/post", url=count)).text)

    def test_requests_that_fail(self):
        """A reason to branch on and the standard's word for it."""
        with Upstream() as upstream, \
                Host(self.guest, "--allow-http", f"http://{upstream.authority}") as host:
            response = get(host, url("/send", url="http://127.0.0.1:9/"))
            self.assertEqual((response.status, response.text),
                             (502, f"{DENIED} HTTP-request-denied\n"))
            response = get(host, url("/send", url="gopher://x/"))
            self.assertEqual(response.text, f"{INVALID} no URL of http or https: gopher://x/\n")
            response = get(host, url("/send", url=f"http://{upstream.authority}/partial"))
            self.assertEqual(response.status, 502)


class P3(Both, unittest.TestCase):
    guest = "sdk_p3"

    def test_what_a_request_says(self):
        """Method, path, decoded parameters, headers in either case; headers of the answer."""
        with Host(self.guest) as host:
            response = get(host, "/m%20n?b=1&a=x%20y+z&c", "x-in: here", method="PUT")
            self.assertEqual((response.status, response.text),
                             (201, "PUT /m%20n x y z here listed\n"))
            self.assertEqual(dict(response.headers).get("x-out"), "here")
            self.assertEqual(get(host, "/").text, "GET / (none) (none)\n")

    def test_trailers(self):
        """What follows the body of a request reaches the guest."""
        with Host(self.guest) as host, Connection(host) as connection:
            connection.send_head("POST", "/all", "transfer-encoding: chunked",
                                 "trailer: x-sum, x-more")
            connection.send_chunk(b"12345")
            connection.send(b"0\r\nX-Sum: 15\r\nX-More: a b\r\n\r\n")
            self.assertEqual(connection.response().text, "5 x-sum=15 x-more=a b\n")

    def test_the_store(self):
        """Each call of a bucket, twice: the second time the counter of the first is there."""
        with Host(self.guest) as host:
            self.assertEqual(get(host, "/store").text, "2 - 3-2 3 - 5\n")
            self.assertEqual(get(host, "/store").text, "2 - 3-2 4 - 10\n")

    def test_side_by_side(self):
        """when_all of three waits takes as long as one."""
        with Host(self.guest) as host:
            self.assertEqual(get(host, "/sleep").text, "at once\n")

    def test_what_goes_on_after_a_response(self):
        """A reload and a stop let a guest finish what it does once its response is out."""
        with Host(self.guest) as host:
            self.assertEqual(get(host, "/after").text, "later\n")
            host.send_signal(signal.SIGHUP)
            host.wait_log("done afterwards")
        host = Host(self.guest)
        with host:
            self.assertEqual(get(host, "/after").text, "later\n")
            self.assertEqual(host.stop(), 0)
        self.assertIn("done afterwards", host.log)

    def test_config_and_log(self):
        """A value that nobody set has its fallback; a line of the guest's is in the host's log."""
        with Host(self.guest) as host:
            self.assertEqual(get(host, "/config").text, "none\n")
            self.assertEqual(get(host, "/log").text, "logged\n")
            host.wait_log("a line of the SDK")


class Fan(unittest.TestCase):
    def test_many_requests(self):
        """A guest's coroutines share the loop's connections: a hundred requests, ten at once."""
        with Upstream() as upstream, \
                Host("fan_p3", "--loops", 1, "--allow-http",
                     f"http://{upstream.authority}") as host:
            hello = f"http://{upstream.authority}/hello"
            self.assertEqual(get(host, url("/", url=hello, count=100, lanes=10)).text, "100\n")
            self.assertLessEqual(upstream.connections, 10)

    def test_many_refused_requests(self):
        """What is answered without a wait leaves nothing on the guest's stack, of 64 KiB."""
        with Host("fan_p3", "--loops", 1) as host:
            answer = get(host, url("/", url="http://127.0.0.1:1/", count=2000))
            self.assertEqual((answer.status, answer.text), (200, "0\n"))


class P2(Both, unittest.TestCase):
    guest = "sdk_p2"


if __name__ == "__main__":
    unittest.main()
