#!/usr/bin/env python3
"""Apps: their routes, drivers and grants; the files read again on SIGHUP while requests come."""

import os
import re
import shutil
import signal
import tempfile
import threading
import time
import unittest

from client import Closed, Connection, get, post
from host import FAST, SECONDS_MAX, Host, guest, run, until

MANIFEST = """
[app]
name = "shop"

[component.page]
source = "page.wasm"

[[trigger.http]]
route = "/..."
component = "page"
"""


class App:
    """A folder with a weft.toml and components that a test changes."""

    def __init__(self, manifest=MANIFEST, **components):
        self.folder = tempfile.mkdtemp(prefix="weft-app-")
        self.write("weft.toml", manifest)
        for name, source in (components or {"page": "hello_p2"}).items():
            self.put(name, source)

    def write(self, name, text):
        """Whole or not at all, as editors do."""
        with open(os.path.join(self.folder, ".new"), "w") as file:
            file.write(text)
        os.replace(os.path.join(self.folder, ".new"), os.path.join(self.folder, name))

    def put(self, name, source):
        aside = os.path.join(self.folder, ".new")
        shutil.copy(guest(source), aside)
        os.replace(aside, os.path.join(self.folder, name + ".wasm"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def reload(host, word="weft: reloaded"):
    """Asks for a reload and waits until it is done."""
    before = len(re.findall(word, host.log))
    host.send_signal(signal.SIGHUP)
    until(lambda: len(re.findall(word, host.log)) > before, f"{word}\n{host.log}")


class Client(threading.Thread):
    """Sends requests on one connection until it is told to stop; keeps what went wrong."""

    def __init__(self, host, path, answers):
        super().__init__(daemon=True)
        self.host, self.path, self.answers = host, path, answers
        self.over = threading.Event()
        self.count, self.wrong = 0, []

    def run(self):
        try:
            with Connection(self.host) as connection:
                while not self.over.is_set():
                    response = connection.get(self.path)
                    self.count += 1
                    if response.status != 200 or response.text not in self.answers:
                        self.wrong.append(repr(response))
        except (Closed, OSError, AssertionError) as error:
            self.wrong.append(repr(error))

    def stop(self):
        self.over.set()
        self.join(SECONDS_MAX)
        return self.wrong


class Swaps(unittest.TestCase):
    def test_a_hundred_swaps_under_load(self):
        """Not one request fails while the component is swapped a hundred times, and each swap is
        served at once to whoever comes after it."""
        swaps = 20 if FAST else 100
        hellos = [f"hello from C++ p{n}\n" for n in (2, 3)]
        chunks = ["".join(f"chunk {i}\n" for i in range(5))]
        with App() as app, Host(app.folder, "--loops", 2) as host:
            clients = [Client(host, "/", hellos) for _ in range(3)]
            clients += [Client(host, "/chunks", chunks) for _ in range(2)]
            for client in clients:
                client.start()
            for swap in range(swaps):
                version = 3 - swap % 2
                app.put("page", f"hello_p{version}")
                reload(host)
                self.assertEqual(get(host, "/").text, f"hello from C++ p{version}\n")
            for client in clients:
                self.assertEqual(client.stop(), [])
                self.assertGreater(client.count, 0)

    def test_what_was_begun_is_finished_by_the_old_version(self):
        """A response that is on its way when its component is swapped goes on to its end."""
        with App() as app, Host(app.folder) as host, Connection(host) as connection:
            connection.send_head("GET", "/chunks")
            self.assertEqual(connection.head().status, 200)
            got = connection.chunk()
            app.put("page", "trap")
            reload(host)
            self.assertEqual(get(host, "/").text, "so far so good\n")
            while piece := connection.chunk():
                got += piece
            self.assertEqual(got.decode(), "".join(f"chunk {i}\n" for i in range(5)))

    def test_a_version_that_is_wrong_changes_nothing(self):
        """A component that does not load, and a manifest that does not check, leave the old version
        serving, and the log says why."""
        with App() as app, Host(app.folder) as host:
            app.write("page.wasm", "(component (import \"no:such/thing\" (func)))")
            reload(host, "weft: not reloaded")
            self.assertIn("no:such/thing", host.log)
            self.assertEqual(get(host, "/").text, "hello from C++ p2\n")
            app.write("weft.toml", MANIFEST.replace("source", "sorce"))
            reload(host, "weft: not reloaded")
            self.assertIn("did you mean source?", host.log)
            self.assertEqual(get(host, "/").text, "hello from C++ p2\n")
            app.put("page", "hello_p3")
            app.write("weft.toml", MANIFEST)
            reload(host)
            self.assertEqual(get(host, "/").text, "hello from C++ p3\n")

    def test_routes_and_grants_come_with_the_manifest(self):
        """A changed manifest is served whole: a new component, other routes, a store withdrawn."""
        both = MANIFEST + """
[component.store]
source = "store.wasm"
uses.keyvalue = [""]

[[trigger.http]]
route = "/kv/..."
component = "store"
"""
        with App(page="hello_p2", store="keyvalue_p2") as app, Host(app.folder) as host:
            self.assertEqual(get(host, "/kv/a").text, "hello from C++ p2\n")
            app.write("weft.toml", both)
            reload(host)
            self.assertEqual(post(host, "/kv/a", b"x", method="PUT").status, 204)
            self.assertEqual(get(host, "/kv/a").text, "x")
            app.write("weft.toml", both.replace('[""]', "[]"))
            reload(host)
            self.assertEqual(get(host, "/kv/a").status, 403)
            app.write("weft.toml", both)
            reload(host)
            self.assertEqual(get(host, "/kv/a").text, "x")

    def test_earlier_versions_go(self):
        """Versions that nobody uses any more cost no memory: what the process has stays bounded."""
        with App() as app, Host(app.folder, "--loops", 1) as host:
            for _ in range(5):
                reload(host)
            before = host.memory_kib()
            for _ in range(30):
                reload(host)
            self.assertLess(host.memory_kib() - before, 30_000)

    def test_one_component_by_itself_is_swapped_too(self):
        """A component that was started by its file is read again."""
        with App() as app:
            path = os.path.join(app.folder, "page.wasm")
            with Host(path) as host:
                self.assertEqual(get(host, "/").text, "hello from C++ p2\n")
                app.put("page", "hello_p3")
                reload(host)
                self.assertEqual(get(host, "/").text, "hello from C++ p3\n")


class Grants(unittest.TestCase):
    def test_folders_variables_and_limits(self):
        """A component sees the folders and variables that its uses lines name, and no more; its
        limits are the manifest's unless the operator has others."""
        manifest = """
[app]
name = "tool"
[component.tool]
source = "tool.wasm"
uses.env = ["REGION", "GIVEN"]
uses.folders = ["assets", "data"]
"""
        environment = """
[env]
REGION = "eu-${env:WHERE}"
GIVEN = "not this"
[folder.data]
path = "elsewhere"
writable = true
"""
        with App(manifest, tool="hello_command") as app:
            for folder in ("assets", "elsewhere"):
                os.mkdir(os.path.join(app.folder, folder))
            app.write("assets/text", "from the app\n")
            app.write("prod.toml", environment)

            def tool(*words):
                on = os.path.join(app.folder, "prod.toml")
                return run("run", app.folder, "--on", on, "--env",
                           "GIVEN=this", *words, env={"WHERE": "1"})

            self.assertEqual(tool("env", "REGION").out, "eu-1\n")
            self.assertEqual(tool("env", "GIVEN").out, "this\n")
            self.assertEqual(tool("env", "WHERE").out, "(not set)\n")
            self.assertEqual(tool("read", "/assets/text").out, "from the app\n")
            self.assertEqual(tool("write", "/assets/new", "x").code, 1)
            self.assertEqual(tool("write", "/data/new", "x").code, 0)
            self.assertTrue(os.path.exists(os.path.join(app.folder, "elsewhere/new")))
            missing = run("run", app.folder)
            self.assertEqual(missing.code, 1)
            self.assertIn("nothing gives the environment variable REGION", missing.err)

    def test_the_operators_limit_wins(self):
        """time of the manifest ends a slow request; the operator's longer one lets it be."""
        manifest = MANIFEST + "[component.page.limits]\ntime = \"300ms\"\n"
        with App(manifest, page="spin") as app:
            with Host(app.folder) as host:
                self.assertEqual(get(host, "/spin").status, 504)
            app.write("prod.toml", "[limits.shop.page]\ntime = \"100ms\"\n")
            with Host(app.folder, "--on", os.path.join(app.folder, "prod.toml")) as host:
                start = time.monotonic()
                self.assertEqual(get(host, "/spin").status, 504)
                host.wait_log("limit_ms=100")
                self.assertLess(time.monotonic() - start, SECONDS_MAX)

    def test_secrets_are_in_nothing_that_is_printed(self):
        """Neither the grants nor a problem shows what came from a secret or a variable."""
        manifest = MANIFEST.replace("source", "uses.config = { key = \"none\" }\nsource")
        environment = """
[secrets]
payment-key = { env = "KEY" }
[config.shop.page]
key = { secret = "payment-key" }
"""
        secret = "hunter2-9f1c"
        with App(manifest) as app:
            app.write("prod.toml", environment)
            on = os.path.join(app.folder, "prod.toml")
            with Host(app.folder, "--on", on, env={"KEY": secret}) as host:
                host.wait_log(r"config +key\n")
                app.write("prod.toml",
                          environment + '[http]\nlisten = { secret = "payment-key" }\n')
                reload(host, "weft: not reloaded")
                self.assertIn("http.listen is", host.log)
                self.assertNotIn(secret, host.log)


if __name__ == "__main__":
    unittest.main()
