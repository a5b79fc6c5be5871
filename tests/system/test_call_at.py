#!/usr/bin/env python3
"""`weft call --at`: functions of what runs, by the admin address, and who may call them."""

import http.client
import json
import os
import shutil
import subprocess
import unittest

from client import Connection, post
from host import BUILD, SECONDS_MAX, WEFT, Host, run, until
from test_admin import Admin
from test_apps import App, reload
from upstream import Upstream

CALLED = """
[app]
name = "shop"

[component.web]
source = "web.wasm"
uses.keyvalue = [""]

[component.stock]
source = "stock.wasm"
uses.keyvalue = [""]

[component.ops]
source = "ops.wasm"

[component.hasty]
source = "ops.wasm"
limits.time = "100ms"

[component.far]
source = "stock.wasm"
uses.keyvalue = [""]
links."weft-test:links/ops" = "provider:served"
links."weft-test:links/more" = "provider:far"

[provider.far]
command = ["./served"]

[provider.served]
command = ["./served"]

[[trigger.http]]
route = "/..."
component = "web"
"""

ADD = 'weft-test:links/ops#add({x: 1, y: 2, name: "a"}, {x: 3, y: 4, name: "b"})'


def called(operator="calls = true\n"):
    app = App(CALLED, web="keyvalue_p2", stock="stock", ops="links_callee")
    shutil.copy(os.path.join(BUILD, "tests", "weft_links_provider"),
                os.path.join(app.folder, "served"))
    app.write("prod.toml", '[admin]\nlisten = "127.0.0.1:0"\n' + operator)
    return app


def on(app):
    return "--on", os.path.join(app.folder, "prod.toml")


class CallsAt(unittest.TestCase):
    """`weft call --at`: functions of what runs, by the admin address."""

    @classmethod
    def setUpClass(cls):
        cls.app = called()
        cls.host = Host(cls.app.folder, *on(cls.app), "--loops", 2)
        cls.admin = Admin(cls.host)

    @classmethod
    def tearDownClass(cls):
        code = cls.host.stop()
        shutil.rmtree(cls.app.folder, ignore_errors=True)
        if code != 0:
            raise AssertionError(cls.host.log)

    def call(self, *words):
        return run("call", "--at", "%s:%d" % self.admin.address, *words)

    def asks(self, body, **headers):
        """The status and the object that a request of a program gets."""
        connection = http.client.HTTPConnection(*self.admin.address, timeout=SECONDS_MAX)
        try:
            connection.request("POST", "/api/call", body, {
                "content-type": "application/json", "x-weft-call": "1",
                **{name.replace("_", "-"): value for name, value in headers.items()}})
            response = connection.getresponse()
            answer = response.read()
            if response.getheader("content-type") == "application/json":
                answer = json.loads(answer)
            return response.status, answer
        finally:
            connection.close()

    def begin(self, connection, body):
        """Sends a request for a call and does not wait for its answer."""
        connection.send((f"POST /api/call HTTP/1.1\r\nhost: 127.0.0.1\r\nx-weft-call: 1\r\n"
                         f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                         f"{body}").encode())

    def test_a_component_with_what_the_app_has(self):
        """The component that is called and the one that serves requests have one store."""
        count = "weft-test:stock/items#count"
        self.assertEqual(self.call("shop/stock", count + '("pears", 5)').out, "5\n")
        self.assertEqual(post(self.host, "/incr/pears", b"").text.strip(), "6")
        outcome = self.call("--json", "shop/stock", count, '["pears", 1]')
        self.assertEqual((outcome.code, outcome.out), (0, "7\n"), outcome)
        line = self.host.wait_log(r"admin: call target=shop/stock function=\S*count by=\S+ "
                                  r"outcome=returned")
        self.assertNotIn("pears", line[0])

    def test_a_fresh_instance_each(self):
        """What an instance counts begins anew, in a component; a process goes on."""
        calls = "weft-test:links/ops#calls"
        for _ in range(2):
            self.assertEqual(self.call("shop/ops", calls).out, "1\n")
        first = int(self.call("shop/served", calls).out)
        self.assertEqual(int(self.call("shop/served", calls).out), first + 1)

    def test_a_provider(self):
        outcome = self.call("shop/served", ADD)
        self.assertEqual(outcome.out, 'ok({x: 4, y: 6, name: "ab"})\n', outcome)
        outcome = self.call("--time", "100ms", "shop/served", "weft-test:links/ops#spin()")
        self.assertEqual(outcome.code, 1)
        self.assertIn("no answer before the deadline", outcome.err)

    def test_a_component_before_a_provider(self):
        """Of two that have the name it is the component."""
        outcome = self.call("shop/far", ADD)
        self.assertIn("shop/far: there is no function", outcome.err)
        self.assertIn("weft-test:stock/items@1.0.0#count", outcome.err)

    def refused(self, target, function, *parts):
        outcome = self.call(target, function)
        self.assertEqual((outcome.code, outcome.out), (1, ""), outcome)
        for part in parts:
            self.assertIn(part, outcome.err)

    def test_wrong_arguments(self):
        self.refused("shop/stock", 'weft-test:stock/items#count("pears", "two")',
                     'weft: shop/stock: weft-test:stock/items@1.0.0#count: argument "more": '
                     'expected u64', '^')
        self.refused("shop/ops", "weft-test:links/ops#sum(1, 2)",
                     "own<counter> in it, and weft call takes and gives plain values only")
        self.refused("shop/served", "weft-test:links/ops#add(1)", "shop/served:", "expected")

    def test_names_that_are_not_there(self):
        self.refused("shop/stoc", "f()", "shop/stoc: there is no component or provider in shop: "
                     "stoc: did you mean stock?")
        self.refused("shop/serve", "f()", "did you mean served?")
        self.refused("shap/stock", "f()", "there is no app shap: did you mean shop?")
        self.refused("stock", "f()", "write APP/COMPONENT or APP/PROVIDER")
        self.refused("shop/stock", "weft-test:stock/items#cont()", "did you mean",
                     "#count?")

    def test_a_trap(self):
        """It is the call's end and nobody else's, and is among the traps."""
        self.refused("shop/ops", "weft-test:links/ops#trap()", "component ops:", "unreachable")
        self.assertEqual(self.call("shop/ops", "weft-test:links/ops#calls").out, "1\n")
        self.assertEqual(self.admin.metric("weft_guest_traps_total", component="ops"), 1)
        self.assertEqual(self.admin.json("/api/traps")[0]["component"], "ops")

    def test_time(self):
        """It ends with the client's time, or with the component's own, whichever is earlier."""
        outcome = self.call("--time", "100ms", "shop/ops", "weft-test:links/ops#spin()")
        self.assertEqual(outcome.code, 1)
        self.assertIn("shop/ops: it did not return within 100 ms", outcome.err)
        self.refused("shop/hasty", "weft-test:links/ops#spin()",
                     "component hasty: ran longer than its time limit of 100 ms")

    def test_a_client_that_goes(self):
        """Its call is stopped."""
        body = json.dumps({"target": "shop/ops", "function": "weft-test:links/ops#spin()"})
        before = self.host.cpu_seconds()
        with Connection(self.admin) as connection:
            self.begin(connection, body)
            until(lambda: self.host.cpu_seconds() > before + 0.1, "a call")
            connection.reset()
        self.host.wait_log(r"function=\S*#spin by=gone outcome=cancelled")

    def test_who_may(self):
        """No page of another site, nothing that a browser sends unasked, no name but ours."""
        body = json.dumps({"target": "shop/ops", "function": "weft-test:links/ops#calls"})
        self.assertEqual(self.asks(body), (200, {"result": "1"}))
        self.assertEqual(self.asks(body, sec_fetch_site="same-origin")[0], 200)
        for wrong in ({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"},
                      {"content_type": "text/plain"}, {"host": "evil.example.com"}):
            with self.subTest(wrong):
                self.assertEqual(self.asks(body, **wrong)[0], 403)
        response, _ = self.admin.ask("/api/call", "POST", **{"content-type": "application/json"})
        self.assertEqual(response.status, 403)
        for method in ("GET", "OPTIONS", "PUT"):
            response, _ = self.admin.ask("/api/call", method)
            self.assertEqual(response.status, 405)
            self.assertEqual(response.getheader("allow"), "POST")
            self.assertIsNone(response.getheader("access-control-allow-origin"))

    def test_requests_that_are_none(self):
        for body in ("", "[]", "{", '{"target": 1}', '{"target": "a/b", "function": "f", "x": 1}',
                     '{"target": "a/b", "function": "f", "time_ms": -1}', '{"target": "a/b"}'):
            with self.subTest(body):
                status, answer = self.asks(body)
                self.assertEqual((status, answer["kind"]), (400, "invalid"))

    def test_more_than_it_takes(self):
        """A request that is too long is refused, by the host and before it is sent."""
        connection = http.client.HTTPConnection(*self.admin.address, timeout=SECONDS_MAX)
        try:
            connection.putrequest("POST", "/api/call")
            connection.putheader("content-type", "application/json")
            connection.putheader("x-weft-call", "1")
            connection.putheader("content-length", str(2 << 20))
            connection.endheaders()
            self.assertEqual(connection.getresponse().status, 413)
        finally:
            connection.close()

    def test_so_many_at_once(self):
        """Eight run; one more is told to come again."""
        body = json.dumps({"target": "shop/served", "function": "weft-test:links/ops#spin()"})
        held = []
        try:
            for _ in range(8):
                held.append(Connection(self.admin))
                self.begin(held[-1], body)
            until(lambda: self.asks("none")[0] == 503, "503")
        finally:
            for connection in held:
                connection.reset()
        until(lambda: self.call("shop/ops", "weft-test:links/ops#calls").code == 0, "room again")


class CallsAllowed(unittest.TestCase):
    """Whether `weft call --at` is answered."""

    def refusal(self, admin):
        return run("call", "--at", "%s:%d" % admin.address, "shop/stock",
                   'weft-test:stock/items#count("pears", 1)')

    def test_only_where_the_operator_says_so(self):
        """Off unless it was said, and at once after a reload."""
        with called("") as app, Host(app.folder, *on(app)) as host:
            admin = Admin(host)
            outcome = self.refusal(admin)
            self.assertEqual(outcome.code, 1)
            self.assertIn("calls are not allowed here", outcome.err)
            self.assertIn("[admin] calls = true", outcome.err)
            app.write("prod.toml", '[admin]\nlisten = "127.0.0.1:0"\ncalls = true\n')
            reload(host)
            self.assertEqual(self.refusal(admin).out, "1\n")

    def test_weft_dev_lets_calls_in_unless_it_is_told_otherwise(self):
        for words, code in (("", 0), ("calls = false\n", 1)):
            with self.subTest(words), called(words) as app, Host(
                    app.folder, *on(app), verb="dev") as host:
                self.assertEqual(self.refusal(Admin(host)).code, code)

    def spin(self, host, admin, seconds):
        """A call of a function that never returns, once it runs."""
        before = host.cpu_seconds()
        process = subprocess.Popen(
            [WEFT, "call", "--at", "%s:%d" % admin.address, "--time", f"{seconds}s", "shop/ops",
             "weft-test:links/ops#spin()"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: host.cpu_seconds() > before + 0.1, "a call")
        except AssertionError:
            process.kill()
            raise
        return process

    def test_while_files_are_read_again(self):
        """A call goes on in the version that it began in."""
        with called() as app, Host(app.folder, *on(app)) as host:
            admin = Admin(host)
            process = self.spin(host, admin, 2)
            app.put("ops", "values")
            reload(host)
            outcome = run("call", "--at", "%s:%d" % admin.address, "shop/ops", "add(40, 2)")
            self.assertEqual(outcome.out, "42\n", outcome)
            _, err = process.communicate(timeout=SECONDS_MAX)
            self.assertIn("did not return within 2000 ms", err)

    def test_when_the_host_stops(self):
        """A call that is not over then ends with it, and says so."""
        with called() as app, Host(app.folder, *on(app)) as host:
            process = self.spin(host, Admin(host), 25)
            self.assertEqual(host.stop(), 0)
            _, err = process.communicate(timeout=SECONDS_MAX)
            self.assertEqual(process.returncode, 1)
            self.assertIn("the host stopped", err)

    def test_nobody_there(self):
        with Upstream() as upstream:
            pass
        outcome = run("call", "--at", upstream.authority, "shop/stock", "f()")
        self.assertEqual(outcome.code, 1)
        self.assertIn("--admin", outcome.err)


if __name__ == "__main__":
    unittest.main()
