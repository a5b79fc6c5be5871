#!/usr/bin/env python3
"""What an app has of the wire: files, TLS renewed in place, and where it may connect."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from client import get
from host import SECONDS_MAX, Host, run
from test_apps import MANIFEST, App, reload
from upstream import Certificate, Upstream

FILES = MANIFEST + """
[[trigger.http]]
route = "/assets/..."
files = "static"
"""

PROXY = MANIFEST.replace("source", 'uses.http = ["http://127.0.0.1:*"]\nsource')


def curl(url, *options):
    """Head and body, as curl prints them."""
    done = subprocess.run(["curl", "--silent", "--show-error", "--include", "--max-time",
                           str(SECONDS_MAX), *options, url],
                          capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


class Files(unittest.TestCase):
    def test_a_folder_beside_the_components(self):
        """Files are served at their route, the rest by the component; the log says which."""
        with App(FILES) as app, tempfile.TemporaryDirectory() as logs:
            os.mkdir(os.path.join(app.folder, "static"))
            app.write("static/style.css", "body{}\n")
            log = os.path.join(logs, "access.log")
            with Host(app.folder, "--access-log", log) as host:
                response = get(host, "/assets/style.css")
                self.assertEqual((response.status, response.text), (200, "body{}\n"))
                self.assertEqual(response.headers["content-type"].split(";")[0], "text/css")
                self.assertEqual(get(host, "/assets/absent").status, 404)
                self.assertEqual(get(host, "/assets/../weft.toml").status, 404)
                self.assertEqual(get(host, "/").text, "hello from C++ p2\n")
                app.write("static/style.css", "new\n")
                reload(host)
                self.assertEqual(get(host, "/assets/style.css").text, "new\n")
            with open(log, encoding="utf-8") as lines:
                text = lines.read()
            self.assertRegex(text, r'"route":"/assets/\.\.\."')
            self.assertRegex(text, r'"component":"page"')

    def test_a_folder_that_is_not_there(self):
        """It is told with its place before anything runs."""
        with App(FILES) as app:
            refused = run("run", app.folder)
            self.assertEqual(refused.code, 1)
            self.assertRegex(refused.err, r"weft\.toml:\d+:\d+: there is no folder .*static")


class Tls(unittest.TestCase):
    def environment(self, app, certificate):
        app.write("prod.toml", '[http]\ntls = { '
                  f'certificate = "{certificate.certificate}", key = "{certificate.key}" }}\n')
        return os.path.join(app.folder, "prod.toml")

    def test_https_and_a_certificate_that_is_renewed(self):
        """HTTP/2 and HTTP/1.1 over TLS; after SIGHUP handshakes get what the files hold now."""
        with App() as app, tempfile.TemporaryDirectory() as one, \
                tempfile.TemporaryDirectory() as two:
            first, second = Certificate(one), Certificate(two)
            with Host(app.folder, "--on", self.environment(app, first)) as host:
                url = f"https://localhost:{host.address[1]}/"
                self.assertIn(f"https://127.0.0.1:{host.address[1]}/", host.log)
                for version in ("--http2", "--http1.1"):
                    answer = curl(url, "--cacert", first.certificate, version)
                    self.assertIn("hello from C++ p2", answer)
                self.assertRegex(curl(url, "--cacert", first.certificate, "--http2"), "^HTTP/2 200")
                shutil.copy(second.certificate, first.certificate)
                shutil.copy(second.key, first.key)
                reload(host)
                self.assertIn("hello from C++ p2", curl(url, "--cacert", second.certificate))

    def test_files_that_are_none(self):
        """A certificate that cannot be read is told with its place, and nothing is served."""
        with App() as app:
            app.write("prod.toml", '[http]\ntls = { certificate = "absent.pem", key = "k.pem" }\n')
            refused = run("run", app.folder, "--on", os.path.join(app.folder, "prod.toml"))
            self.assertEqual(refused.code, 1)
            self.assertRegex(refused.err, r"prod\.toml:2:\d+: .*absent\.pem")


class Outgoing(unittest.TestCase):
    def send(self, host, authority):
        return get(host, f"/send?authority={authority}&path=/hello")

    def test_private_addresses_are_the_operators(self):
        """What the developer asks for reaches private addresses where the operator opens them."""
        with Upstream() as upstream, App(PROXY, page="proxy_p2") as app:
            with Host(app.folder) as host:
                self.assertEqual(self.send(host, upstream.authority).status, 502)
                host.wait_log("missing grant")
                self.assertEqual(upstream.connections, 0)
            app.write("prod.toml", '[network]\nallow-http = ["http://127.0.0.1:*"]\n')
            with Host(app.folder, "--on", os.path.join(app.folder, "prod.toml")) as host:
                response = self.send(host, upstream.authority)
                self.assertEqual((response.status, response.text), (200, "hello from upstream\n"))
            with Host(app.folder, "--allow-http", "http://127.0.0.1:*") as host:
                self.assertEqual(self.send(host, upstream.authority).status, 200)

    def test_the_operator_alone_grants_nothing(self):
        """An address that is opened is of no use to a component that does not ask for it."""
        with Upstream() as upstream, App(page="proxy_p2") as app:
            app.write("prod.toml", '[network]\nallow-http = ["http://127.0.0.1:*"]\n')
            with Host(app.folder, "--on", os.path.join(app.folder, "prod.toml")) as host:
                self.assertEqual(self.send(host, upstream.authority).status, 502)
                self.assertEqual(upstream.connections, 0)

    def test_rules_that_are_none(self):
        """Each wrong rule of both files is told at once, with its place."""
        with App(PROXY.replace("http://127.0.0.1:*", "ftp://x"), page="proxy_p2") as app:
            app.write("prod.toml", '[network]\nallow-net = ["tcp://a b"]\n')
            refused = run("run", app.folder, "--on", os.path.join(app.folder, "prod.toml"))
            self.assertEqual(refused.code, 1)
            places = re.findall(r"(weft|prod)\.toml:\d+:\d+: ", refused.err)
            self.assertEqual(sorted(places), ["prod", "weft"], refused.err)


if __name__ == "__main__":
    unittest.main()
