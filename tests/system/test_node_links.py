#!/usr/bin/env python3
"""Services of nodes, and apps whose imports a node serves: called in place or fetched, checked by
their types, with a node that is away, comes back, refuses, or lies."""

import http.server
import json
import os
import re
import ssl
import struct
import subprocess
import threading
import unittest
from collections import Counter
from hashlib import sha256

import node_wire as wire
from client import get
from host import ROOT, SECONDS_MAX, WEFT, Host, environment, guest, run, until
from servers import free_port
from test_admin import Admin
from test_apps import App
from test_node import GROUP, Case, Node

SERVICE = """
[service.words]
file = "words.wasm"
"""
INTERFACE = "weft-test:words/words"
MANIFEST = """
[app]
name = "counted"

[component.web]
source = "web.wasm"
links."weft-test:words/words" = LINK

[[trigger.http]]
route = "/..."
component = "web"
"""
TEXT = "/count?text=to%20be%20or%20not%20to%20be"
COUNTED = "to=2 be=2 or=1 not=1\n"


def calls(node, least=1):
    """The events of calls, once there are so many: who has a result may have it before the disk has
    the event."""
    def found():
        return [each for each in node.events() if each["action"] == "call"]
    until(lambda: len(found()) >= least, f"{least} calls are written")
    return found()


def fetches(node, least):
    """The requests for something to fetch, likewise: each has an event for every second that it
    takes."""
    def found():
        return {each["request"] for each in node.events() if each["action"] == "fetch"}
    until(lambda: len(found()) >= least, f"{least} fetches are written")
    return found()


class Served(Case):
    """Nodes with a service, and apps that are linked to them."""

    def prepare(self, name, module, service=SERVICE, **options):
        """A node that is not started, with a service that it can be started with: again and again
        at the same place."""
        options.setdefault("listen", f"127.0.0.1:{free_port()}")
        home = os.path.join(self.home, name + "-home")
        os.makedirs(home)
        node = Node(home, name, extra=service, **options)
        self.put(node, module)
        node.trust(self.key)
        self.addCleanup(node.stop)
        return node

    def serving(self, name="attic", module="words", extra=SERVICE, **options):
        node = self.prepare(name, module, extra, **options)
        node.start()
        return node

    @staticmethod
    def put(node, module):
        with open(guest(module), "rb") as file, \
                open(os.path.join(node.folder, "words.wasm"), "wb") as copy:
            copy.write(file.read())

    def app(self, link='"node:words"', **components):
        app = App(MANIFEST.replace("LINK", link), **(components or {"web": "words_caller"}))
        self.addCleanup(app.__exit__)
        return app

    def on(self, at, key=None, name="prod.toml"):
        path = os.path.join(self.home, name)
        with open(path, "w") as file:
            file.write(f'[node.words]\nat = "{at}"\nkey = "{key or self.key}"\n')
        return path

    def host(self, app, at, **options):
        return Host(app.folder, "--on", self.on(at), "--loops", 2, **options)

    def add_library(self, node, module="words", name="acme:words", version="1.2.0"):
        done = node.ask("library", "add", guest(module), "--name", name, "--version", version)
        self.assertEqual(done.code, 0, done)
        return done.out.strip()


class Services(Served):
    def test_a_service_is_told_of_and_called_by_its_name(self):
        node = self.serving()
        described = json.loads(self.net("describe", node.at, "--json").out)
        service = described["services"][0]
        self.assertEqual(service["interface"], INTERFACE + "@1.2.0")
        types = {each["name"].split("#")[1]: each["type"] for each in service["functions"]}
        self.assertEqual(types["calls"], "func() -> u32")
        for call, answer in [(f'{INTERFACE}#count("a b a")',
                              'ok([{word: "a", count: 2}, {word: "b", count: 1}])\n'),
                             (f"{INTERFACE}@1.2.0#calls()", "1\n"),
                             # Each call has an instance of its own.
                             (f"{INTERFACE}#calls()", "1\n"), (f"{INTERFACE}#nothing()", "")]:
            done = self.net("call", node.at, call)
            self.assertEqual((done.code, done.out), (0, answer), done)
        done = self.net("call", node.at, f"{INTERFACE}#trap()")
        self.assertEqual(done.code, 1, done)
        self.assertIn("unreachable", done.err)
        done = self.net("call", node.at, f"{INTERFACE}#cuont()")
        self.assertEqual(done.code, 1, done)
        self.assertIn("count", done.err)
        # Events and receipts name the module that served it.
        self.assertEqual({each["module"] for each in calls(node)}, {service["module"]})
        proof = os.path.join(self.home, "proof")
        done = self.net("call", node.at, f"{INTERFACE}#calls()", "--receipt", proof)
        self.assertEqual(done.code, 0, done)
        proven = run("node", "verify", proof + ".request", proof + ".receipt", "--key", node.key)
        self.assertEqual(proven.code, 0, proven)

    def test_only_those_who_may_call_call_it(self):
        node = self.serving(group=GROUP.replace('"call", ', ""))
        done = self.net("call", node.at, f"{INTERFACE}#calls()")
        self.assertEqual(done.code, 1, done)
        self.assertIn("call", done.err)
        asked = wire.request(self.signer, wire.CALL, module=bytes(32), arguments=b"",
                             function=f"{INTERFACE}#calls".encode())
        self.assertEqual(wire.post(node.address, asked).status, 403)

    def test_what_is_not_served_is_not_found(self):
        node = self.serving()
        for action, function in [(wire.CALL, b"weft-test:words/other#calls"), (wire.CALL, b"calls"),
                                 (wire.RUN, b"")]:
            asked = wire.request(self.signer, action, module=bytes(32), function=function,
                                 arguments=b"")
            self.assertEqual(wire.post(node.address, asked).status, 404)

    def test_a_reload_serves_another_and_a_wrong_one_changes_nothing(self):
        node = self.serving()
        before = node.settings()
        self.put(node, "words_other")
        self.assertEqual(node.ask("reload").code, 0)
        done = self.net("call", node.at, f'{INTERFACE}#count("abc")')
        self.assertEqual((done.code, done.out), (0, "3\n"), done)
        # The module that it served before is let go of.
        self.assertEqual(node.status()["modules"], 1)
        for wrong, told in [('file = "none.wasm"', "none.wasm"),
                            ('library = "acme:none"', 'no library "acme:none"'),
                            ('file = "words.wasm"\nlibrary = "a"', "two modules"),
                            ("", "no module"),
                            ('file = "words.wasm"\n[service.twice]\nfile = "words.wasm"', "both")]:
            node.write(before.replace('file = "words.wasm"', wrong))
            refused = node.ask("reload")
            self.assertEqual(refused.code, 1, refused)
            self.assertIn(told, refused.err)
            self.assertIn("node.toml", refused.err)
            done = self.net("call", node.at, f'{INTERFACE}#count("abc")')
            self.assertEqual((done.code, done.out), (0, "3\n"), done)
        node.write(before.replace(SERVICE, ""))
        self.assertEqual(node.ask("reload").code, 0)
        self.assertEqual(json.loads(self.net("describe", node.at, "--json").out)["services"], [])
        gone = self.net("call", node.at, f"{INTERFACE}#calls()")
        self.assertEqual(gone.code, 1, gone)

    def test_a_library_is_served_and_stays_while_it_is(self):
        node = self.node()
        self.add_library(node)
        settings = node.settings()
        node.write(settings + '\n[service.words]\nlibrary = "acme:words@1.2.0"\n')
        self.assertEqual(node.ask("reload").code, 0)
        done = self.net("call", node.at, f"{INTERFACE}#calls()")
        self.assertEqual((done.code, done.out), (0, "1\n"), done)
        refused = node.ask("library", "remove", "acme:words")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("[service.words]", refused.err)
        node.write(settings)
        self.assertEqual(node.ask("reload").code, 0)
        self.assertEqual(node.ask("library", "remove", "acme:words").code, 0)


class Links(Served):
    def test_an_import_is_served_by_a_node(self):
        node = self.serving()
        with self.host(self.app(), node.at) as host:
            self.assertEqual(get(host, TEXT).text, COUNTED)
            self.assertEqual(get(host, "/count").text, "empty\n")
            self.assertEqual(get(host, "/nothing").text, "nothing\n")
            # Three calls, three instances.
            self.assertEqual(get(host, "/calls").text, "1\n")
            self.assertEqual(get(host, "/long?bytes=3000000").text, "3000000\n")
            self.assertEqual(get(host, "/trap").status, 500)
            host.wait_log("node words.*trapped")
            self.assertEqual(get(host, TEXT).text, COUNTED)
        told = calls(node, 9)
        self.assertEqual(len(told), 9)
        self.assertEqual({each["requester"] for each in told}, {self.signer.public.hex()})

    def test_many_calls_at_once_share_a_connection_and_their_turns(self):
        node = self.serving(group=GROUP.replace("runs = 8", "runs = 4"))
        link = '{ to = "node:words", concurrency = 2 }'  # On all loops together.
        with self.host(self.app(link), node.at) as host:
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(get(host, TEXT).text))
                       for _ in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(SECONDS_MAX)
            self.assertEqual(answers, [COUNTED] * 40)

    def test_a_library_is_called_where_it_is(self):
        node = self.node()
        module = self.add_library(node)
        link = '{ to = "node:words", library = "acme:words@1.2" }'
        with self.host(self.app(link), node.at) as host:
            self.assertEqual(get(host, TEXT).text, COUNTED)
            self.assertEqual(get(host, "/calls").text, "1\n")
            self.assertFalse(os.path.exists(os.path.join(host.state, "fetched")))
        self.assertEqual({each["module"] for each in calls(node)}, {module})

    def test_a_library_is_meant_by_its_name(self):
        node = self.node()
        self.add_library(node)
        other = self.add_library(node, "words_other", version="2.0.0")
        for library, call, told in [
                ("acme:words@1.2", 'count("a b a")',
                 'ok([{word: "a", count: 2}, {word: "b", count: 1}])\n'),
                ("acme:words", 'count("abc")', "3\n"), (other, 'count("abc")', None),
                ("acme:wards", "calls()", None), ("acme:words@3", "calls()", None)]:
            done = self.net("call", node.at, library, f"{INTERFACE}#{call}")
            self.assertEqual((done.code, done.out), (1, "") if told is None else (0, told), done)
        self.assertIn("acme:words@1.2.0, acme:words@2.0.0", done.err)
        output = os.path.join(self.home, "fetched.wasm")
        done = self.net("fetch", node.at, "acme:words@1.2", "--output", output)
        self.assertEqual(done.code, 0, done)
        with open(guest("words"), "rb") as ours, open(output, "rb") as theirs:
            self.assertEqual(ours.read(), theirs.read())
        self.add_library(node, "hello_command", "acme:hello", "1.0.0")
        done = self.net("run", node.at, "acme:hello")
        self.assertEqual(done.code, 0, done)
        self.assertIn("ello", done.out)

    def test_a_library_is_fetched_once_and_outlives_its_node(self):
        node = self.node()
        module = self.add_library(node)
        app = self.app('{ to = "node:words", library = "acme:words", how = "fetch" }')
        state = os.path.join(self.home, "kept")
        for _ in range(2):
            with self.host(app, node.at, state=state) as host:
                self.assertEqual(get(host, TEXT).text, COUNTED)
                # One instance for a request, as of any component.
                self.assertEqual(get(host, "/calls").text, "3\n")
        self.assertEqual(len(fetches(node, 1)), 1)
        self.assertNotIn("call", [each["action"] for each in node.events()])
        at = node.at
        node.stop()
        with self.host(app, at, state=state) as host:
            self.assertEqual(get(host, TEXT).text, COUNTED)
        # What the disk has changed is not what was fetched.
        path = os.path.join(state, "fetched", module + ".wasm")
        with open(path, "r+b") as file:
            file.seek(1000)
            byte = file.read(1)
            file.seek(1000)
            file.write(bytes([byte[0] ^ 1]))
        refused = run("run", "--http", "127.0.0.1:0", "--state", state, "--on", self.on(at),
                      app.folder)
        self.assertNotEqual(refused.code, 0, refused)
        node.start()
        with self.host(app, node.at, state=state) as host:
            self.assertEqual(get(host, TEXT).text, COUNTED)

    @staticmethod
    def needing(imports, exports):
        """A component's text: `calls` of the interface that it imports, and ten; exported in an
        interface, or as `calls` itself."""
        out = f"""(instance $out (export "calls" (func $f)))
              (export "{exports}" (instance $out))""" if "/" in exports else \
            '(export "calls" (func $f))'
        return f"""(component
              (import "{imports}" (instance $of (export "calls" (func (result u32)))))
              (core func $calls (canon lower (func $of "calls")))
              (core module $m (import "" "calls" (func $calls (result i32)))
                (func (export "f") (result i32) (i32.add (call $calls) (i32.const 10))))
              (core instance $i (instantiate $m
                (with "" (instance (export "calls" (func $calls))))))
              (func $f (result u32) (canon lift (core func $i "f")))
              {out})"""

    def test_a_library_is_fetched_with_what_it_needs(self):
        node = self.node()
        self.add_library(node)
        path = os.path.join(self.home, "needing.wat")
        for imports, exports in [(INTERFACE + "@1.2.0", "need:middle/api@1.0.0"),
                                 ("need:middle/api@1.0.0", "need:top/api@1.0.0"),
                                 ("need:ring/api@1.0.0", "need:ring/api@1.0.0"),
                                 ("need:nobody/api@1.0.0", "need:lost/api@1.0.0")]:
            with open(path, "w") as file:
                file.write(self.needing(imports, exports))
            done = node.ask("library", "add", path, "--name", exports.split("/")[0],
                            "--version", "1.0.0")
            self.assertEqual(done.code, 0, done)
        manifest = MANIFEST.replace("LINK", '{ to = "node:words", library = "acme:words", '
                                    'how = "fetch" }') + """
[component.ops]
source = "ops.wat"
links."need:top/api" = { to = "node:words", library = "need:top", how = "fetch" }
"""
        app = App(manifest, web="words_caller")
        self.addCleanup(app.__exit__)
        app.write("ops.wat", self.needing("need:top/api@1.0.0", "calls"))
        on = self.on(node.at)
        with open(on, "a") as file:
            file.write('[admin]\nlisten = "127.0.0.1:0"\ncalls = true\n')
        with Host(app.folder, "--on", on) as host:
            self.assertEqual(get(host, TEXT).text, COUNTED)
            called = run("call", "--at", "%s:%d" % Admin(host).address, "counted/ops", "calls()")
            self.assertEqual((called.code, called.out), (0, "31\n"), called)
        self.assertEqual(len(fetches(node, 3)), 3)
        for wrong, told in [("ring", "needs itself"), ("lost", "exports need:nobody/api@1.0.0")]:
            app.write("weft.toml", manifest.replace("need:top", "need:" + wrong))
            app.write("ops.wat", self.needing(f"need:{wrong}/api@1.0.0", "calls"))
            refused = run("run", "--http", "127.0.0.1:0", "--on", on, app.folder)
            self.assertEqual(refused.code, 1, refused)
            self.assertIn(told, refused.err)

    def test_a_chain_of_nodes(self):
        """The interface of an app is served by what a second node serves: the app calls the first,
        by a library that it fetched from the second."""
        attic, cellar = self.node("attic"), self.serving("cellar")
        self.add_library(attic)
        app = App(MANIFEST.replace("LINK", '"node:words"') + """
[component.near]
source = "near.wasm"
links."weft-test:words/words" = { to = "node:far", library = "acme:words", how = "fetch" }

[[trigger.http]]
route = "/near/..."
component = "near"
""", web="words_caller", near="words_caller")
        self.addCleanup(app.__exit__)
        on = self.on(cellar.at)
        with open(on, "a") as file:
            file.write(f'[node.far]\nat = "{attic.at}"\nkey = "{self.key}"\n')
        with Host(app.folder, "--on", on, "--loops", 2) as host:
            self.assertEqual(get(host, TEXT).text, COUNTED)
        self.assertEqual(len(fetches(attic, 1)), 1)
        self.assertEqual(len(calls(cellar)), 1)

    def test_types_that_do_not_fit_are_told_at_deploy(self):
        node = self.serving(module="words_other")
        refused = run("run", "--http", "127.0.0.1:0", "--on", self.on(node.at), self.app().folder)
        self.assertEqual(refused.code, 1, refused)
        for told in ("node words", "count", "-> u32", "result<list<", "nothing of that name",
                     "trap", "weft.toml"):
            self.assertIn(told, refused.err)

    def test_what_has_handles_is_fetched_or_refused(self):
        node = self.serving(module="links_callee")
        self.add_library(node, "links_callee", "acme:ops")
        for link, works in [('"node:words"', False),
                            ('{ to = "node:words", library = "acme:ops", how = "fetch" }', True)]:
            app = App(MANIFEST.replace(INTERFACE, "weft-test:links/ops").replace("LINK", link),
                      web="links_caller")
            self.addCleanup(app.__exit__)
            if works:
                with self.host(app, node.at) as host:
                    self.assertEqual(get(host, "/counter").text, "5 6 100 108, 2 0\n")
                continue
            refused = run("run", "--http", "127.0.0.1:0", "--on", self.on(node.at), app.folder)
            self.assertEqual(refused.code, 1, refused)
            self.assertIn("handles and streams do not go to node words", refused.err)
            self.assertIn('how = "fetch"', refused.err)

    def test_wrong_settings_are_told(self):
        node = self.serving()
        stranger = self.new_key("stranger")
        for on, link, told in [
                ("", '"node:words"', 'nothing says where the node "words" is'),
                ('[node.words]\nkey = "KEY"\n', '"node:words"', "at"),
                ('[node.words]\nat = "x@y"\nkey = "KEY"\n', '"node:words"', "KEY@ADDRESS:PORT"),
                ('[node.words]\nat = "AT"\nkey = "none.pem"\n', '"node:words"', "none.pem"),
                ('[node.words]\nat = "AT"\nkey = "STRANGER"\n', '"node:words"', "may not call"),
                ('[node.words]\nat = "AT"\nkey = "KEY"\n',
                 '{ to = "node:words", library = "acme:none" }', "no library acme:none"),
                ('[node.words]\nat = "AT"\nkey = "KEY"\n', '{ to = "node:words", how = "fetch" }',
                 "no library"),
                ('[node.words]\nat = "AT"\nkey = "KEY"\n',
                 '{ to = "node:words", library = "a", how = "copy" }', '"call" or "fetch"'),
                ('[node.words]\nat = "AT"\nkey = "KEY"\n',
                 '{ to = "component:web", library = "a" }', "has a library")]:
            path = os.path.join(self.home, "wrong.toml")
            with open(path, "w") as file:
                file.write(on.replace("AT", node.at).replace("KEY\"", self.key + '"')
                           .replace("STRANGER", stranger))
            refused = run("run", "--http", "127.0.0.1:0", "--on", path, self.app(link).folder)
            self.assertEqual(refused.code, 1, (on, link, refused))
            self.assertIn(told, refused.err)


class Away(Served):
    def test_calls_fail_while_it_is_away_and_go_on_when_it_is_back(self):
        node = self.serving()
        with self.host(self.app(), node.at) as host:
            self.assertEqual(get(host, TEXT).text, COUNTED)
            node.stop(9)
            self.assertEqual(get(host, TEXT).status, 500)
            host.wait_log("node words")
            node.start()
            until(lambda: get(host, TEXT).text == COUNTED, "it is served again")
            # The node has become one that serves other types: its answers are not believed.
            self.put(node, "words_other")
            self.assertEqual(node.ask("reload").code, 0)
            until(lambda: (get(host, TEXT).status, "does not fit" in host.log) == (500, True),
                  "it is asked anew")
            self.put(node, "words")
            self.assertEqual(node.ask("reload").code, 0)
            until(lambda: get(host, TEXT).text == COUNTED, "it fits again")

    def test_an_app_starts_without_it_and_checks_it_when_it_comes(self):
        node = self.serving()
        node.stop()
        on, app = self.on(node.at), self.app()
        checked = run("check", app.folder, "--on", on)
        self.assertEqual(checked.code, 0, checked)
        checked = run("check", app.folder, "--on", on, "--connect")
        self.assertEqual(checked.code, 1, checked)
        self.assertIn("[node.words]", checked.out + checked.err)
        with Host(app.folder, "--on", on, "--loops", 1) as host:
            host.wait_log("node words is away")
            self.assertEqual(get(host, TEXT).status, 500)
            self.put(node, "words_other")
            node.start()
            until(lambda: (get(host, TEXT).status, "does not fit" in host.log)[1], "it is checked")
            self.put(node, "words")
            self.assertEqual(node.ask("reload").code, 0)
            until(lambda: get(host, TEXT).text == COUNTED, "it is served")
        checked = run("check", app.folder, "--on", on, "--connect")
        self.assertEqual(checked.code, 0, checked)
        self.assertIn("[node.words]: attic is there", checked.out)

    def test_a_call_that_was_begun_is_done_once(self):
        """The node is stopped in the middle of a call, which is not sent again."""
        node = self.serving()
        with self.host(self.app(), node.at) as host:
            statuses = []
            thread = threading.Thread(target=lambda: statuses.append(get(host, "/spin").status))
            thread.start()
            until(lambda: node.status()["runs"] == 1, "it runs")
            node.stop(9)
            node.start()
            thread.join(SECONDS_MAX)
            self.assertEqual(statuses, [500])
            self.assertEqual(node.status()["runs"], 0)

    def test_a_call_ends_with_its_deadline_there_too(self):
        node = self.serving()
        with self.host(self.app('{ to = "node:words", deadline = "2s" }'), node.at) as host:
            self.assertEqual(get(host, "/spin").status, 500)
            until(lambda: node.status()["runs"] == 0, "it ends there")
            # By itself it would have computed for ten seconds.
            self.assertLess(calls(node)[-1]["cpu_ns"], 5_000_000_000)
            self.assertEqual(get(host, TEXT).text, COUNTED)

    def test_a_refusal_is_told(self):
        node = self.serving(group=GROUP.replace('cpu = "10min"', 'cpu = "100ms"'))
        with self.host(self.app(), node.at) as host:
            self.assertEqual(get(host, TEXT).text, COUNTED)
            self.assertEqual(get(host, "/spin").status, 500)
            self.assertEqual(get(host, TEXT).status, 500)
            host.wait_log("node words.*quota")


class Liar:
    """A node of the test's own, that says what it is told to say."""

    def __init__(self, home, key):
        self.key = key
        certificate = os.path.join(home, "liar.crt")
        subprocess.run(["openssl", "req", "-new", "-x509", "-key", key.path, "-subj", "/CN=liar",
                        "-days", "2", "-out", certificate], check=True, capture_output=True)
        self.description, self.answer, self.calls = b"", lambda name: b"", 0
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                size = struct.unpack_from("<I", body)[0]
                asked = body[4:4 + size]
                if wire.fields_of(asked)[6] == bytes([wire.DESCRIBE]):
                    answer = liar.description
                else:
                    liar.calls += 1
                    answer = liar.answer(sha256(asked).digest())
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certificate, key.path)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.at = f"{key.public.hex()}@127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def result(self, name, result, signer=None, stream=3):
        """A result as an honest node would send it, or one that another key signed."""
        frame = bytes([stream]) + result
        chain = sha256(name + frame).digest()
        seal = wire.signed(signer or self.key, 3, [
            wire.field(2, name), wire.field(3, wire.u64(1)), wire.field(4, chain),
            wire.field(5, b"\x01")])
        return b"".join(struct.pack("<BI", kind, len(body)) + body
                        for kind, body in ((wire.FRAME, frame), (wire.SEAL, seal)))


class Lies(Served):
    def test_what_a_hostile_node_answers_is_no_result(self):
        honest = self.serving()
        described = self.net("describe", honest.at, "--json").out.encode()
        liar = Liar(self.home, wire.Key(self.new_key("liar")))
        self.addCleanup(liar.stop)
        other = wire.Key(self.new_key("other"))
        for description in (b"", b"\x00" * 1000, b"[" * 100_000, b'{"name":"x","services":[7]}',
                            described.replace(b'"func() -> u32"', b'"func() -> blah<"')):
            liar.description = description
            refused = run("run", "--http", "127.0.0.1:0", "--on", self.on(liar.at),
                          self.app().folder)
            self.assertEqual(refused.code, 1, refused)
            self.assertIn("node words", refused.err)
        liar.description = described
        with self.host(self.app(), liar.at) as host:
            liar.answer = lambda name: liar.result(name, b"\x07")
            self.assertEqual(get(host, "/calls").text, "7\n")
            for lie in (lambda name: b"", lambda name: b"garbage" * 1000,
                        lambda name: struct.pack("<BI", 1, 0xffffffff),
                        lambda name: liar.result(name, b"\x07", signer=other),
                        lambda name: liar.result(os.urandom(32), b"\x07"),
                        lambda name: liar.result(name, b"\xff\xff\xff\xff\x7f"),
                        lambda name: liar.result(name, b"\x07\x07"),
                        lambda name: liar.result(name, b"\x07", stream=1),
                        lambda name: liar.result(name, b"")):
                liar.answer = lie
                self.assertEqual(get(host, "/calls").status, 500)
            # Strings that are none, lists that are longer than what is there.
            for result in (b"\x00\x01\x01\xff\x01", b"\x00\xff\xff\xff\xff\x0f", b"\x05"):
                liar.answer = lambda name, bytes_=result: liar.result(name, bytes_)
                self.assertEqual(get(host, TEXT).status, 500)
            liar.answer = lambda name: liar.result(name, b"\x09")
            self.assertEqual(get(host, "/calls").text, "9\n")
            self.assertNotIn("\x1b", host.log)


class Examples(Case):
    def test_words_are_counted_on_five_nodes(self):
        nodes = [self.node(name) for name in ("attic", "cellar", "garage", "kitchen", "roof")]
        text = os.path.join(ROOT, "docs", "CONFIGURATION.md")
        script = os.path.join(ROOT, "examples", "node", "word_count.sh")
        env = dict(environment(self.home), WEFT=WEFT, PROGRAM=guest("word_count"))
        done = subprocess.run([script, self.key, text, *(node.at for node in nodes)], env=env,
                              capture_output=True, timeout=2 * SECONDS_MAX, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        counted = dict(reversed(line.split(b" ")) for line in done.stdout.split(b"\n") if line)
        with open(text, "rb") as file:
            words = Counter(re.findall(rb"[0-9a-z\x80-\xff]+", file.read().lower()))
        self.assertEqual(counted, {word: b"%d" % times for word, times in words.items()})
        for node in nodes:
            runs = [each for each in node.events() if each["action"] == "run"]
            self.assertEqual([each["outcome"] for each in runs if each["outcome"] != "refused"],
                             ["done"] * (2 if node is nodes[0] else 1))
        nodes[2].stop()
        done = subprocess.run([script, self.key, text, *(node.at for node in nodes)], env=env,
                              capture_output=True, timeout=2 * SECONDS_MAX, check=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(nodes[2].at.encode(), done.stderr)


if __name__ == "__main__":
    unittest.main()
