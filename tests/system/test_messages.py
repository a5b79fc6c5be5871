#!/usr/bin/env python3
"""Components woken by messages, published over HTTP by another: both packages, retries and dead
letters, groups, requests, a burst, a reload, and kill -9."""

import tempfile
import threading
import unittest

from client import Closed, Connection, get
from host import FAST, Host, run, until
from servers import Nats, RabbitMq
from test_apps import App, reload

MANIFEST = """
[app]
name = "shop"
[component.web]
source = "web.wasm"
uses.messaging = ["", "second"]
[component.store]
source = "store.wasm"
uses.keyvalue = [""]
[component.plain]
source = "plain.wasm"
uses.keyvalue = [""]
uses.messaging = [""]
limits = {{ cpu = "300ms" }}
[component.wasi]
source = "wasi.wasm"
uses.keyvalue = [""]
uses.messaging = ["", "second"]
[[trigger.http]]
route = "/..."
component = "web"
[[trigger.http]]
route = "/kv/..."
component = "store"
[[trigger.http]]
route = "/keys"
component = "store"
[[trigger.message]]
topic = "plain.>"
component = "plain"
retries = 2
backoff = "20ms"
{more}
[[trigger.message]]
topic = "wasi.*"
component = "wasi"
ordering = "key"
[[trigger.message]]
broker = "second"
topic = "wasi.*"
component = "wasi"
"""


STREAMS = """
[app]
name = "shop"
[component.web]
source = "web.wasm"
uses.messaging = [""]
[component.store]
source = "store.wasm"
uses.keyvalue = [""]
[component.streams]
source = "streams.wasm"
uses.keyvalue = [""]
uses.messaging = [""]
[component.third]
source = "third.wasm"
uses.keyvalue = [""]
uses.messaging = [""]
[[trigger.http]]
route = "/..."
component = "web"
[[trigger.http]]
route = "/kv/..."
component = "store"
[[trigger.message]]
topic = "streams.*"
component = "streams"
retries = 2
backoff = "20ms"
{more}
[[trigger.message]]
topic = "third.*"
component = "third"
"""


def streams(more):
    return App(STREAMS.format(more=more), web="publisher", store="keyvalue_p2",
               streams="handler_streams", third="handler_v3")


def shop(more=""):
    return App(MANIFEST.format(more=more), web="publisher", store="keyvalue_p2", plain="handler",
               wasi="handler_wasi")


class Client:
    def __init__(self, host):
        self.host = host

    def post(self, path, body="", status=202):
        with Connection(self.host) as connection:
            response = connection.post(path, body.encode())
        if response.status != status:
            raise AssertionError(response)
        return response.text

    def count(self, key):
        response = get(self.host, "/kv/" + key)
        return int(response.text) if response.status == 200 else 0

    def wait(self, key, value):
        until(lambda: self.count(key) == value, f"{key}: {self.count(key)} instead of {value}")


class Messages(unittest.TestCase):
    def test_both_packages(self):
        """A component built for either is called, unchanged; what one publishes the other gets."""
        with shop() as app, Host(app.folder) as host:
            client = Client(host)
            client.post("/publish/plain.a", "one")
            client.post("/send/plain.b", "two")
            client.post("/publish/wasi.a", "three")
            client.post("/send/wasi.a?key=k", "four")
            client.post("/send/wasi.a?client=second", "five")
            for key in ("n/one", "n/two", "w/wasi.a/three/", "w/wasi.a/four/k", "w/wasi.a/five/"):
                client.wait(key, 1)
            self.assertEqual(client.count("all"), 2)

    def test_instances(self):
        """An instance for each message; or the same for one after the other, until one traps."""
        for instances, last in (("fresh", 1), ("reused", 20)):
            with shop(f'concurrency = 1\ninstances = "{instances}"') as app, \
                    Host(app.folder) as host:
                client = Client(host)
                for _ in range(20):
                    client.post("/publish/plain.a", "nth")
                client.wait(f"nth/{last}", 20 // last)
                client.post("/publish/plain.a", "trap")
                client.wait("n/trap", 3)
                client.post("/publish/plain.a", "nth")
                client.wait("nth/1", 21 if last == 1 else 2)
                # While the instance is there: what it keeps of its output goes with it.
                for number in range(3):
                    client.post("/publish/plain.a", f"say {number}")
                    host.wait_log(rf"info +plain: say {number} app=shop request=")
        with shop('instances = "old"') as app:
            self.assertIn('instances is "old"', run("check", app.folder).out)

    def test_wasmcloud_3(self):
        """A component for the first wasmcloud:messaging@0.3.0 is wasi's under another name."""
        with App("""
            [app]
            name = "shop"
            [component.web]
            source = "web.wasm"
            uses.messaging = [""]
            [component.store]
            source = "store.wasm"
            uses.keyvalue = [""]
            [component.third]
            source = "third.wasm"
            uses.keyvalue = [""]
            uses.messaging = [""]
            [[trigger.http]]
            route = "/..."
            component = "web"
            [[trigger.http]]
            route = "/kv/..."
            component = "store"
            [[trigger.message]]
            topic = "third.*"
            component = "third"
            """, web="publisher", store="keyvalue_p2", third="handler_v3") as app, \
                Host(app.folder) as host:
            client = Client(host)
            client.post("/send/third.a?key=k", "one")
            client.wait("v3/third.a/one/k", 1)
            self.assertEqual(client.post("/ask/third.q", "hello", status=200), "third.q: hello")
            client.post("/publish/third.a", "reject")
            host.wait_log(r"dead letter now[^\n]*attempts=1[^\n]*permission-denied: never again")

    def test_wasmcloud_3_streams(self):
        """A component for the later wasmcloud:messaging@0.3.0: bodies are streams, both ways, and
        what it returns decides; in an instance each time, and in one that is used again."""
        data = ("0123456789abcdefghi" * 11_000)[:200_000]
        made = sum(i % 251 for i in range(200_000))
        for instances in ("fresh", "reused"):
            with streams(f'instances = "{instances}"') as app, Host(app.folder) as host:
                client = Client(host)
                client.post("/publish/streams.count", data)
                client.wait(f"s/count/200000/{sum(data.encode())}", 1)
                client.post("/publish/streams.count", "")
                client.wait("s/count/0/0", 1)
                # What it publishes and asks itself; the reply too is larger than one piece.
                client.post("/publish/streams.publish", "streams.count 200000")
                client.wait("s/publish/200000/ok", 1)
                client.wait(f"s/count/200000/{made}", 1)
                client.post("/publish/streams.ask", "streams.count 200000")
                client.wait(f"s/ask/200000/{made}", 1)
                self.assertEqual(client.count(f"s/count/200000/{made}"), 2)
                # The first form, in the same app.
                client.post("/publish/streams.ask", "third.q 5")
                client.wait(f"s/ask/{len('third.q: ') + 5}/{sum(b'third.q: ') + 10}", 1)
                self.assertEqual(client.post("/request/streams.count", data, status=200), data)
                # Each failure has its word.
                client.post("/publish/streams.publish", f"streams.count {(1 << 20) + 1}")
                client.wait(f"s/publish/{(1 << 20) + 1}/message-too-large", 1)
                client.post("/publish/streams.publish", "streams..x 300000")
                client.wait("s/publish/300000/subject-invalid", 1)
                client.post("/publish/streams.ask", "nobody 100000 50")
                client.wait("s/ask/timeout", 1)
                # What is not read, half read, dropped, or read too late is done all the same.
                for verb in ("unread", "drop", "half"):
                    client.post(f"/publish/streams.{verb}", data)
                    client.wait(f"s/{verb}", 1)
                client.wait("s/half/1000", 1)
                client.post("/publish/streams.late", data)
                client.wait("s/late", 1)
                # What it returns.
                for verb in ("reject", "retry", "other", "twice"):
                    client.post(f"/publish/streams.{verb}", data)
                host.wait_log(r"dead letter now[^\n]*streams\.reject[^\n]*attempts=1 why=reject")
                host.wait_log(r"dead letter now[^\n]*streams\.retry[^\n]*attempts=3 why=retry")
                host.wait_log(r"dead letter now[^\n]*streams\.other[^\n]*attempts=3"
                              r"[^\n]*I do not want it")
                client.wait("s/twice", 2)
                for verb, times in (("unread", 1), ("drop", 1), ("half", 1), ("late", 1),
                                    ("late/200000", 0)):
                    self.assertEqual(client.count(f"s/{verb}"), times, verb)

    def test_instances_of_streams(self):
        """What a handler reads, leaves or says of a stream does not cost its instance, where those
        are used again; only what it reads on when it has returned does, and no message."""
        data = "x" * 200_000
        rounds, verbs = 5, ("drop", "half", "unread", "reject")
        for instances, last in (("fresh", 1), ("reused", (len(verbs) + 1) * rounds + 1)):
            with streams(f'concurrency = 1\ninstances = "{instances}"') as app, \
                    Host(app.folder) as host:
                client = Client(host)
                for _ in range(rounds):
                    client.post("/publish/streams.count", data)
                    for verb in verbs:
                        client.post(f"/publish/streams.{verb}", data)
                client.wait(f"s/count/200000/{sum(data.encode())}", rounds)
                for verb in verbs:
                    client.wait(f"s/{verb}", rounds)
                client.post("/publish/streams.nth", data)
                client.wait(f"s/nth/{last}", 1)
                client.post("/publish/streams.late", data)
                client.wait("s/late", 1)
                client.post("/publish/streams.nth", data)
                client.wait("s/nth/1", 2 if instances == "fresh" else 1)
                self.assertEqual(client.count("s/late"), 1)
                self.assertEqual(client.count("s/late/200000"), 0)

    def test_requests_and_replies(self):
        with shop() as app, Host(app.folder) as host:
            client = Client(host)
            for verb in ("request", "ask"):
                for topic in ("plain.q", "wasi.q"):
                    answer = client.post(f"/{verb}/{topic}", "hello", status=200)
                    self.assertEqual(answer, f"{topic}: hello")
            self.assertIn("no reply came in time", client.post("/request/nobody", "x", status=500))

    def test_what_a_handler_returns_decides(self):
        """A failure, a trap and an endless loop are tried again and dead then; a refusal at once;
        others are handled meanwhile."""
        with shop('dead-letter-topic = "wasi.dead"') as app, Host(app.folder) as host:
            client = Client(host)
            for body in ("fail", "trap", "spin", "twice", "well"):
                client.post("/publish/plain.x", body)
            client.wait("n/well", 1)
            for body in ("fail", "trap", "spin"):
                client.wait(f"n/{body}", 3)
                client.wait(f"w/wasi.dead/{body}/", 1)
            client.wait("n/twice", 2)
            host.wait_log(r"a message is a dead letter now[^\n]*topic=plain.x[^\n]*do not want it")
            client.post("/publish/wasi.a", "reject")
            host.wait_log(r"dead letter now[^\n]*attempts=1[^\n]*permission-denied: never again")
            self.assertEqual(client.count("w/wasi.a/reject/"), 1)

    def test_a_call_ends_at_its_triggers_deadline(self):
        with shop('deadline = "100ms"') as app, Host(app.folder) as host:
            client = Client(host)
            client.post("/publish/plain.x", "spin")
            host.wait_log(r"dead letter now[^\n]*topic=plain.x[^\n]*time limit of 100 ms")

    def test_what_is_refused(self):
        with shop() as app, Host(app.folder) as host:
            client = Client(host)
            self.assertIn("no spaces", client.post("/publish/a%20b", "x", status=500))
            self.assertIn("permission-denied",
                          client.post("/send/wasi.a?client=third", "x", status=500))
            self.assertIn("at most", client.post("/publish/plain.a", "x" * (1 << 20 | 1),
                                                 status=500))

    def test_a_burst_is_handled_while_http_goes_on(self):
        count = 300 if FAST else 3_000
        with shop() as app, Host(app.folder) as host:
            client = Client(host)
            with Connection(host) as connection:
                for i in range(count):
                    response = connection.post("/publish/plain.n", f"m{i}".encode())
                    self.assertEqual(response.status, 202)
                    if i % 100 == 0:
                        self.assertEqual(get(host, "/keys").status, 200)
            client.wait("all", count)

    def test_goes_on_over_a_reload(self):
        with shop() as app, Host(app.folder) as host:
            client = Client(host)
            for turn in range(4):
                for i in range(20):
                    client.post("/publish/plain.r", f"r{turn}-{i}")
                reload(host)
            client.wait("all", 80)

    def test_kill(self):
        """Each message that was acknowledged is handled at least once, whenever weft was killed."""
        rounds = 2 if FAST else 6
        with shop() as app, Host(app.folder) as keeper:
            state = keeper.state + "-killed"
            sent = []
            for turn in range(rounds):
                host = Host(app.folder, state=state)
                over = threading.Event()

                def publish(worker, host=host, over=over, turn=turn):
                    number = 0
                    try:
                        with Connection(host) as connection:
                            while not over.is_set():
                                body = f"k{turn}-{worker}-{number}"
                                if connection.post("/publish/plain.k", body.encode()).status != 202:
                                    return
                                sent.append(body)
                                number += 1
                    except (Closed, OSError):
                        pass

                workers = [threading.Thread(target=publish, args=(i,)) for i in range(4)]
                for worker in workers:
                    worker.start()
                goal = len(sent) + 100
                until(lambda goal=goal: len(sent) > goal, "100 more messages")
                host.kill()
                over.set()
                for worker in workers:
                    worker.join()
            with Host(app.folder, state=state) as host:
                client = Client(host)
                # Those that were out when it was killed may come after newer ones.
                for body in sent:
                    until(lambda body=body: client.count("n/" + body) > 0, f"{body} is handled")
                counts = [client.count("n/" + body) for body in sent]
            self.assertEqual([body for body, n in zip(sent, counts) if n == 0], [])
            again = sum(n - 1 for n in counts)
            print(f"{len(sent)} acknowledged, {again} handled again after {rounds} kills",
                  flush=True)
            # What was out or not yet written down when it happened, and no more.
            self.assertLess(again, rounds * 1024)


class OverServer:
    """The same components, with both brokers at a server."""

    def operator(self, app):
        app.write("on.toml", self.brokers())
        return app.folder, "--on", app.folder + "/on.toml"

    def test_both_packages_and_a_reload(self):
        with shop() as app, Host(*self.operator(app)) as host:
            client = Client(host)
            client.post("/publish/plain.a", "one")
            client.post("/send/wasi.a?key=k", "two")
            client.post("/send/wasi.a?client=second", "three")
            reload(host)
            client.post("/publish/plain.b", "four")
            for key in ("n/one", "w/wasi.a/two/k", "w/wasi.a/three/", "n/four"):
                client.wait(key, 1)
            self.assertEqual(client.post("/request/plain.q", "hello", status=200),
                             "plain.q: hello")

    def test_what_a_handler_returns_decides(self):
        with shop('dead-letter-topic = "wasi.dead"') as app, Host(*self.operator(app)) as host:
            client = Client(host)
            for body in ("fail", "trap", "twice", "well"):
                client.post("/publish/plain.x", body)
            client.wait("n/well", 1)
            for body in ("fail", "trap"):
                client.wait(f"n/{body}", 3)
                client.wait(f"w/wasi.dead/{body}/", 1)
            client.wait("n/twice", 2)

    def test_kill(self):
        """What the server acknowledged is handled over kill -9 of weft."""
        with shop() as app, tempfile.TemporaryDirectory() as folder:
            state = folder + "/state"
            sent = []
            host = Host(*self.operator(app), state=state)
            for number in range(60):
                Client(host).post("/publish/plain.k", f"k{number}")
                sent.append(f"k{number}")
            host.kill()
            with Host(*self.operator(app), state=state) as host:
                client = Client(host)
                until(lambda: all(client.count("n/" + body) > 0 for body in sent),
                      "all that was acknowledged")

    def test_the_server_is_asked(self):
        with shop() as app:
            done = run("check", "--connect", "--on", self.operator(app)[2], app.folder)
            self.assertEqual(done.code, 0, done)
            with open(app.folder + "/on.toml") as file:
                text = file.read()
            app.write("on.toml", text.replace(str(self.server.port), "1"))
            done = run("check", "--connect", "--on", app.folder + "/on.toml", app.folder)
            self.assertEqual(done.code, 1, done)
            self.assertIn("127.0.0.1:1", done.out)


class OverNats(OverServer, unittest.TestCase):
    """The default broker in JetStream and the second over core NATS."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Nats())

    def brokers(self):
        url = f"nats://127.0.0.1:{self.server.port}"
        return f"""
            [messaging.""]
            driver = "jetstream"
            url = "{url}"
            ack-wait = "1s"
            [messaging.second]
            driver = "nats"
            url = "{url}"
            """


class OverRabbitMq(OverServer, unittest.TestCase):
    """The default broker in quorum queues and the second in classic ones. Each test has a prefix of
    its own: queues outlive it."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(RabbitMq())

    def brokers(self, user="guest:guest", vhost=""):
        url = f"amqp://{user}@127.0.0.1:{self.server.port}/{vhost}"
        prefix = self._testMethodName.replace("_", "-")
        return f"""
            [messaging.""]
            driver = "rabbitmq"
            url = "{url}"
            prefix = "{prefix}.{{app}}.{{broker}}"
            [messaging.second]
            driver = "rabbitmq"
            url = "{url}"
            prefix = "{prefix}.{{app}}.{{broker}}"
            queue-type = "classic"
            """

    def test_a_refusal_says_why(self):
        with shop() as app:
            on = app.folder + "/on.toml"
            app.write("on.toml", self.brokers(user="guest:s3cret"))
            done = run("check", "--connect", "--on", on, app.folder)
            self.assertEqual(done.code, 1, done)
            self.assertIn("ACCESS_REFUSED", done.out)
            self.assertNotIn("s3cret", done.out)
            app.write("on.toml", self.brokers(vhost="nowhere"))
            done = run("check", "--connect", "--on", on, app.folder)
            self.assertEqual(done.code, 1, done)
            self.assertIn("nowhere", done.out)


class Wrong(unittest.TestCase):
    def check(self, old, new):
        text = MANIFEST.format(more="")
        assert old in text
        with App(text.replace(old, new, 1), web="publisher", store="keyvalue_p2", plain="handler",
                 wasi="handler_wasi") as app:
            done = run("check", app.folder)
        self.assertEqual(done.code, 1, done)
        return done.out

    def test_says_what_is_wrong(self):
        # What is missing or of another type is told once.
        for new, what in (("", "[[trigger.message]] has no topic"),
                          ("topic = 5\n", "trigger.message.topic is 5: write a string in quotes")):
            told = self.check('topic = "plain.>"\n', new)
            self.assertIn(what, told)
            self.assertIn("1 error,", told)
        self.assertRegex(self.check('topic = "plain.>"\n',
                                    'topic = "plain.>"\ndead-letter-topic = "plain.dead"\n'),
                         r'weft\.toml:\d+:\d+: [^\n]*"plain\.dead" is one of the trigger\'s own '
                         'topics')
        for wrong, what in (("concurrency = 513", "write a number from 1 to 512"),
                            ("concurrency = 0", "write a number from 1 to 512"),
                            ('backoff = "31s"', "write at most 30s"),
                            ("retries = -1", "write a number from 0 to 1000000"),
                            ('group = "a\\nb"', r'the group "a\nb"')):
            told = self.check('ordering = "key"', wrong)
            self.assertIn(what, told)
            self.assertIn("1 error,", told)
        self.assertIn("> the last one", self.check('"plain.>"', '"plain.>.x"'))
        self.assertIn('ordering is "keys": write "none", "topic" or "key"',
                      self.check('ordering = "key"', 'ordering = "keys"'))
        self.assertIn('is not granted the broker "third"',
                      self.check('broker = "second"', 'broker = "third"'))
        self.assertRegex(self.check('topic = "wasi.*"', 'group = "g"\ntopic = "wasi.*"\n'
                                    'component = "wasi"\n[[trigger.message]]\ngroup = "g"\n'
                                    'topic = "other.*"'),
                         r'group "g" is brought "wasi\.\*"[^\n]*the other is at \S*weft\.toml:\d+')
        self.assertIn("exports none of what [[trigger.message]] calls",
                      self.check('component = "plain"', 'component = "web"'))


if __name__ == "__main__":
    unittest.main()
