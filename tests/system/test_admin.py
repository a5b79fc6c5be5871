#!/usr/bin/env python3
"""What a host shows of itself: metrics, health, the page in a browser, traces, `weft top`."""

import http.client
import http.server
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from client import Connection, get
from host import SECONDS_MAX, WEFT, Host, environment, guest, run, until
from test_apps import App, reload
from upstream import Upstream

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
CHROMIUM = shutil.which("chromium")


class Admin:
    """The admin address of a host that was started with --admin."""

    def __init__(self, host):
        found = host.wait_log(r"admin: http://([0-9.]+):(\d+)/")
        self.address = (found[1], int(found[2]))
        self.url = f"http://{found[1]}:{found[2]}/"

    def ask(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection(*self.address, timeout=SECONDS_MAX)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response, response.read().decode()
        finally:
            connection.close()

    def text(self, path):
        response, text = self.ask(path)
        if response.status != 200:
            raise AssertionError(f"{path}: {response.status}: {text}")
        return text

    def json(self, path):
        return json.loads(self.text(path))

    def metric(self, name, **labels):
        """The value of the one sample that has the name and the labels."""
        found = []
        for line in self.text("/metrics").splitlines():
            if re.match(re.escape(name) + r"[{ ]", line) and all(
                    f'{key}="{value}"' in line for key, value in labels.items()):
                found.append(float(line.rsplit(" ", 1)[1]))
        if len(found) != 1:
            raise AssertionError(f"{name} {labels}: {len(found)} samples")
        return found[0]

    def wait_metric(self, value, name, **labels):
        def reached():
            try:
                return self.metric(name, **labels) >= value
            except AssertionError:
                return False  # There may be no sample before something was counted.
        until(reached, f"{name} {labels} >= {value}")


SHOP = """
[app]
name = "shop"

[component.page]
source = "page.wasm"

[component.store]
source = "store.wasm"
uses.keyvalue = [""]

[component.broken]
source = "broken.wasm"

[[trigger.http]]
route = "/..."
component = "page"

[[trigger.http]]
route = "/kv/:key"
component = "store"

[[trigger.http]]
route = "/trap"
component = "broken"
"""


def shop():
    return App(SHOP, page="hello_p3", store="keyvalue_p2", broken="trap")


LINKED = """
[app]
name = "linked"

[component.web]
source = "web.wasm"
links."weft-test:links/ops" = "component:ops"

[component.ops]
source = "ops.wasm"

[[trigger.http]]
route = "/..."
component = "web"
"""


class Spy:
    """`weft spy` beside a host: it watches once `begun` has returned."""

    def __init__(self, admin, *words):
        self.process = subprocess.Popen(
            [WEFT, "spy", "{}:{}".format(*admin.address), *words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.first = self.process.stderr.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def lines(self):
        """What it printed, once it ended by itself."""
        out, self.err = self.process.communicate(timeout=SECONDS_MAX)
        return out.splitlines()


class Calls(unittest.TestCase):
    """`weft spy`: calls of a running host as they end."""

    def app(self, operator):
        app = App(LINKED, web="links_caller", ops="links_callee")
        app.write("prod.toml", '[admin]\nlisten = "127.0.0.1:0"\n' + operator)
        return app

    def test_values_where_the_operator_lets_them_be_shown(self):
        with self.app("values = true\n") as app, Host(
                app.folder, "--on", os.path.join(app.folder, "prod.toml")) as host:
            with Spy(Admin(host), "--count", "2") as spy:
                self.assertIn("watching", spy.first)
                self.assertEqual(get(host, "/add?x=7").status, 200)
                self.assertEqual(get(host, "/add?x=7000").status, 200)
                lines = spy.lines()
        self.assertEqual(spy.process.returncode, 0)
        self.assertRegex(
            lines[0], r'^[0-9:.]{12} linked/web -> component ops: weft-test:links/ops@1\.2\.0#add'
            r'\(\{x: 7, y: 1, name: "left"\}, \{x: 1, y: 2, name: "right"\}\)'
            r' -> ok\(\{x: 8, y: 3, name: "leftright"\}\) \[[0-9.]+ ms\]$')
        self.assertIn("-> err(too-big(7001))", lines[1])

    def test_no_values_unless_it_was_said(self):
        with self.app("") as app, Host(
                app.folder, "--on", os.path.join(app.folder, "prod.toml")) as host:
            with Spy(Admin(host), "--count", "1", "--json") as spy:
                self.assertEqual(get(host, "/add?x=7").status, 200)
                call = json.loads(spy.lines()[0])
        self.assertEqual(call["function"], "add")
        self.assertNotIn("args", call)
        self.assertNotIn("result", call)

    def test_weft_dev_shows_values_unless_it_is_told_otherwise(self):
        for words, shown in (("", True), ("values = false\n", False)):
            with self.subTest(words), self.app(words) as app, Host(
                    app.folder, "--on", os.path.join(app.folder, "prod.toml"), verb="dev") as host:
                with Spy(Admin(host), "--count", "1", "--json") as spy:
                    self.assertEqual(get(host, "/add?x=7").status, 200)
                    self.assertEqual("args" in json.loads(spy.lines()[0]), shown)

    def test_a_filter_and_the_end_of_the_host(self):
        with self.app("values = true\n") as app:
            with Host(app.folder, "--on", os.path.join(app.folder, "prod.toml")) as host:
                with Spy(Admin(host), "--component", "ops") as spy:
                    self.assertEqual(get(host, "/add?x=7").status, 200)
                    host.process.send_signal(signal.SIGTERM)
                    self.assertEqual(spy.lines(), [])
                    self.assertEqual(spy.process.returncode, 0)
                    self.assertIn("the host stopped", spy.err)

    def test_nobody_there(self):
        with Upstream() as upstream:
            pass
        outcome = run("spy", upstream.authority)
        self.assertEqual(outcome.code, 1)
        self.assertIn("Start the host with --admin", outcome.err)


class Metrics(unittest.TestCase):
    def test_requests_by_route_and_status(self):
        """Each loop counts its own; what is shown is the sum, by app, component and route."""
        with shop() as app, Host(app.folder, "--loops", 2, "--admin", "127.0.0.1:0") as host:
            admin = Admin(host)
            for _ in range(20):
                self.assertEqual(get(host, "/").status, 200)
            self.assertEqual(get(host, "/kv/a").status, 404)
            self.assertEqual(get(host, "/trap").status, 500)
            route = {"app": "shop", "component": "page", "route": "/..."}
            admin.wait_metric(20, "weft_http_requests_total", status="2xx", **route)
            admin.wait_metric(1, "weft_http_requests_total", route="/kv/:key", status="4xx")
            admin.wait_metric(1, "weft_http_requests_total", route="/trap", status="5xx")
            self.assertEqual(admin.metric("weft_http_request_duration_seconds_count", **route), 20)
            self.assertEqual(
                admin.metric("weft_http_requests_total", route="/kv/:key", status="4xx"), 1)
            self.assertEqual(
                admin.metric("weft_http_requests_total", route="/trap", status="5xx"), 1)
            self.assertEqual(admin.metric("weft_guest_traps_total", component="broken"), 1)
            self.assertGreater(admin.metric("weft_guest_cpu_seconds_total", component="page"), 0)
            self.assertGreater(admin.metric("weft_guest_memory_peak_bytes", component="store"),
                               64 * 1024)
            self.assertGreater(
                admin.metric("weft_capability_calls_total", component="store",
                             capability="keyvalue", driver="embedded"), 0)
            self.assertEqual(admin.metric("weft_programs_loaded_total", cache="hit")
                             + admin.metric("weft_programs_loaded_total", cache="miss"), 3)

    def test_counts_go_on_after_a_reload(self):
        """The same labels are the same count in the next version."""
        with shop() as app, Host(app.folder, "--admin", "127.0.0.1:0") as host:
            admin = Admin(host)
            get(host, "/")
            reload(host)
            get(host, "/")
            admin.wait_metric(2, "weft_http_requests_total", route="/...", status="2xx")
            self.assertEqual(admin.metric("weft_reloads_total", outcome="served"), 1)
            app.write("weft.toml", "[app]\n")
            reload(host, "weft: not reloaded")
            self.assertEqual(admin.metric("weft_reloads_total", outcome="refused"), 1)

    def test_limits(self):
        """Which limit ended a guest is counted, and is among the last traps."""
        with Host("spin", "--cpu", "50ms", "--admin", "127.0.0.1:0") as host:
            admin = Admin(host)
            self.assertEqual(get(host, "/spin").status, 503)
            admin.wait_metric(1, "weft_guest_limits_total", limit="cpu")
            self.assertEqual(admin.metric("weft_guest_limits_total", limit="memory"), 0)
            self.assertEqual([trap["kind"] for trap in admin.json("/api/traps")], ["cpu"])
        with Host("hello_p3", "--time", "50ms", "--admin", "127.0.0.1:0") as host:
            admin = Admin(host)
            self.assertEqual(get(host, "/wait").status, 504)
            admin.wait_metric(1, "weft_guest_limits_total", limit="time")

    def test_outgoing(self):
        """Requests that guests send, and those that no grant allows."""
        with Upstream() as upstream:
            rule = f"http://{upstream.authority}"
            with Host("proxy_p2", "--allow-http", rule, "--admin", "127.0.0.1:0") as host:
                admin = Admin(host)
                get(host, f"/send?authority={upstream.authority}&path=/hello")
                get(host, "/send?authority=example.com&path=/")
                admin.wait_metric(1, "weft_outgoing_requests_total", outcome="refused")
                self.assertEqual(
                    admin.metric("weft_outgoing_requests_total", outcome="sent"), 1)

    def test_nothing_is_shown_unless_asked(self):
        """Without --admin nothing listens beside the address that serves."""
        with Host("hello_p2") as host:
            self.assertNotIn("admin", host.log)
            self.assertEqual(get(host, "/metrics").text, "hello from C++ p2\n")

    def test_the_operators_file_names_the_address(self):
        """[admin] listen = "..." is the same as the flag."""
        with shop() as app:
            app.write("prod.toml", '[admin]\nlisten = "127.0.0.1:0"\n')
            on = os.path.join(app.folder, "prod.toml")
            with Host(app.folder, "--on", on) as host:
                self.assertEqual(Admin(host).text("/healthz"), "ok\n")

    def test_an_address_that_is_taken(self):
        """The message names what is taken, and nothing serves."""
        with Upstream() as upstream:
            with tempfile.TemporaryDirectory() as folder:
                outcome = run("run", "--http", "127.0.0.1:0", "--admin", upstream.authority,
                              "--state", folder, guest("hello_p2"))
            self.assertEqual(outcome.code, 1)
            self.assertIn("the admin address", outcome.err)
            self.assertIn("is taken", outcome.err)


class Health(unittest.TestCase):
    def test_while_it_stops(self):
        """A host that finishes its last requests is healthy and not ready."""
        with Host("hello_p2", "--admin", "127.0.0.1:0") as host:
            admin = Admin(host)
            self.assertEqual(admin.text("/readyz"), "ready\n")
            with Connection(host) as connection:
                connection.send_head("GET", "/drip")
                connection.head()
                requests = until(lambda: admin.json("/api/requests")["shown"], "a request")
                self.assertEqual(requests[0]["path"], "/drip")
                host.send_signal(signal.SIGTERM)
                until(lambda: admin.ask("/readyz")[1] == "stopping\n", "stopping")
                self.assertEqual(admin.text("/healthz"), "ok\n")
                connection.reset()
            self.assertEqual(host.wait(), 0)


class Logs(unittest.TestCase):
    def test_printed_lines_name_their_request(self):
        """What a guest prints is a line of the log with component and request: the request's number
        is the one of the access log."""
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "access.log")
            with Host("print", "--access-log", log) as host:
                get(host, "/one")
                get(host, "/two")
                printed = {}
                for path in ("/one", "/two"):
                    for stream in ("out", "err", "rest"):
                        line = host.wait_log(rf".* print: {stream} for {path} .*request=(\w+)")
                        printed.setdefault(path, set()).add(line[1])
            with open(log) as file:
                numbers = {line["target"]: line["request"] for line in map(json.loads, file)}
            self.assertEqual(printed, {path: {number} for path, number in numbers.items()})


class Traces(unittest.TestCase):
    def sent(self, name, *headers, options=()):
        """What a proxy sends on for a request with these headers."""
        seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append(self.headers)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        authority = f"127.0.0.1:{server.server_port}"
        try:
            with Host(name, "--allow-http", f"http://{authority}", *options) as host:
                with Connection(host) as connection:
                    connection.send_head("GET", f"/send?authority={authority}&path=/", *headers)
                    self.assertEqual(connection.head().status, 200)
        finally:
            server.shutdown()
            server.server_close()
        return seen[0]

    def test_carried_on(self):
        """What a guest sends stands in the trace of the request that it serves."""
        for name in ("proxy_p2", "proxy_p3"):
            with self.subTest(name):
                sent = self.sent(name, f"traceparent: {PARENT}", "tracestate: other=1,more=2")
                [parent] = sent.get_all("traceparent")
                found = re.fullmatch(rf"00-{TRACE}-([0-9a-f]{{16}})-01", parent)
                self.assertTrue(found, parent)
                self.assertNotEqual(found[1], PARENT.split("-")[2])
                self.assertEqual(sent.get_all("tracestate"), ["other=1,more=2"])

    def test_made_where_there_is_none(self):
        """A request without a trace, or with what is none, begins one where spans are exported;
        elsewhere nothing is added to what its guest sends."""
        nobody = ("--otlp", "http://127.0.0.1:1")
        for headers in ((), ("traceparent: 00-nothing",)):
            self.assertIsNone(self.sent("proxy_p2", *headers).get_all("traceparent"))
            [parent] = self.sent("proxy_p2", *headers, options=nobody).get_all("traceparent")
            self.assertRegex(parent, r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
            self.assertNotIn(TRACE, parent)

    def test_exported(self):
        """A request and its calls are one trace at the endpoint, sent at the host's end at last."""
        got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got.append((self.path, json.loads(self.rfile.read(
                    int(self.headers["content-length"])))))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with Host("keyvalue_p2", "--otlp", f"http://127.0.0.1:{server.server_port}") as host:
                with Connection(host) as connection:
                    connection.send_head("GET", "/kv/a?secret=1", f"traceparent: {PARENT}")
                    self.assertEqual(connection.head().status, 404)
        finally:
            server.shutdown()
            server.server_close()
        self.assertEqual({path for path, _ in got}, {"/v1/traces"})
        spans = [span for _, body in got for resource in body["resourceSpans"]
                 for scope in resource["scopeSpans"] for span in scope["spans"]]
        self.assertEqual({span["traceId"] for span in spans}, {TRACE})
        request = [span for span in spans if span["kind"] == 2]
        calls = [span for span in spans if span["kind"] == 1]
        self.assertEqual(len(request), 1)
        self.assertEqual(request[0]["parentSpanId"], PARENT.split("-")[2])
        self.assertEqual({span["parentSpanId"] for span in calls}, {request[0]["spanId"]})
        self.assertIn("wasi:keyvalue/store@0.2.0-draft [method]bucket.get",
                      [span["name"] for span in calls])
        self.assertNotIn("secret", json.dumps(got))
        for span in spans:
            self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))


class Top(unittest.TestCase):
    def test_once(self):
        """`weft top --once` prints the tables, with --json what programs read."""
        with shop() as app, Host(app.folder, "--admin", "127.0.0.1:0") as host:
            admin = Admin(host)
            get(host, "/")
            admin.wait_metric(1, "weft_http_requests_total", route="/...", status="2xx")
            address = "%s:%d" % admin.address
            outcome = run("top", address, "--once")
            self.assertEqual(outcome.code, 0, outcome)
            self.assertRegex(outcome.out, r"shop +/\.\.\. +page +1 ")
            overview = json.loads(run("top", address, "--once", "--json").out)
            self.assertEqual(overview["totals"]["requests"], 1)

    def test_again_and_again(self):
        """Without --once the screen is drawn anew, until a signal ends it."""
        with Host("hello_p2", "--admin", "127.0.0.1:0") as host, \
                tempfile.TemporaryDirectory() as home:
            address = "%s:%d" % Admin(host).address
            terminal, its_end = pty.openpty()
            top = subprocess.Popen([WEFT, "top", address], env=environment(home),
                                   stdout=its_end, stderr=subprocess.PIPE)
            os.close(its_end)
            try:
                seen = b""
                while seen.count(b"\x1b[Hweft") < 2:
                    piece = os.read(terminal, 65536)
                    self.assertTrue(piece, seen)
                    seen += piece
                top.send_signal(signal.SIGINT)
                self.assertEqual(top.wait(SECONDS_MAX), 128 + signal.SIGINT)
            finally:
                top.kill()
                top.communicate()
                os.close(terminal)

    def test_into_a_file(self):
        """What is no terminal gets one screen, without what moves a cursor."""
        with Host("hello_p2", "--admin", "127.0.0.1:0") as host:
            outcome = run("top", "%s:%d" % Admin(host).address)
            self.assertEqual(outcome.code, 0, outcome)
            self.assertIn("weft", outcome.out)
            self.assertNotIn("\x1b", outcome.out)

    def test_nobody_there(self):
        """Where nothing answers, it says how a host is started so that something does."""
        outcome = run("top", "127.0.0.1:9", "--once")
        self.assertEqual(outcome.code, 1)
        self.assertIn("--admin", outcome.err)


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class Page(unittest.TestCase):
    def dom(self, url):
        """The page as a browser has it after some turns, and what the browser complained about."""
        with tempfile.TemporaryDirectory(prefix="weft-chromium-") as home:
            done = subprocess.run(
                [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", f"--user-data-dir={home}", "--no-first-run",
                 "--disable-background-networking", "--enable-logging=stderr",
                 "--virtual-time-budget=4000", "--dump-dom", url],
                capture_output=True, timeout=4 * SECONDS_MAX, check=True,
                env={**environment(home), "HOME": home})
        complaints = [line for line in done.stderr.decode(errors="replace").splitlines()
                      if "CONSOLE" in line]
        return done.stdout.decode(), complaints

    def test_in_a_browser(self):
        """Routes, components, grants, a trap with its frames and the plots are on the page; the
        browser has nothing to complain about."""
        with shop() as app, Host(app.folder, "--admin", "127.0.0.1:0") as host:
            admin = Admin(host)
            for _ in range(3):
                get(host, "/")
                get(host, "/kv/a")
            get(host, "/trap")
            with Connection(host) as held:
                held.send_head("GET", "/drip")
                until(lambda: len(admin.json("/api/history")["points"]) >= 2, "two seconds",
                      SECONDS_MAX)
                dom, complaints = self.dom(admin.url)
        self.assertEqual(complaints, [])
        text = re.sub(r"<[^>]+>", " ", dom)
        self.assertRegex(dom, r'id="state"[^>]*>serving<')
        self.assertRegex(text, r"shop\s+/kv/:key\s+store\s+3\s")
        self.assertRegex(text, r"keyvalue")
        self.assertRegex(text, r"trap: wasm `unreachable`|unreachable")
        self.assertIn("check_stock", text)
        self.assertIn('class="line rate"', dom)
        self.assertRegex(text, r"GET\s+/drip\s")


if __name__ == "__main__":
    unittest.main()
