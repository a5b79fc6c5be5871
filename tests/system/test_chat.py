#!/usr/bin/env python3
"""examples/chat: what is said comes to all who listen, once and in one order; over restarts of the
host and of the servers behind it; embedded, and with the operator's file for Redis and JetStream.
Two pages of one browser talk to each other."""

import concurrent.futures
import json
import os
import subprocess
import tempfile
import unittest
import urllib.parse
import urllib.request

import servers
from browser import CHROMIUM, Browser
from client import Connection, get
from host import BUILD, FAST, ROOT, SECONDS_MAX, WEFT, Host, environment, until

APP = os.path.join(ROOT, "examples", "chat")
BUILD_SECONDS_MAX = 600
HISTORY = 200  # kHistoryMax of rooms.h


def setUpModule():
    if FAST or BUILD != os.path.join(ROOT, "build"):
        raise unittest.SkipTest("compiles, beside the build that the example names")
    with tempfile.TemporaryDirectory() as home:
        subprocess.run([WEFT, "build", APP], check=True, capture_output=True,
                       timeout=BUILD_SECONDS_MAX, env=environment(home))


class Stream:
    """A client that listens: a message is (id, data), another event its name."""

    def __init__(self, host, room="lobby", after=None, statuses=(200,)):
        self.connection = Connection(host)
        headers = [] if after is None else [f"last-event-id: {after}"]
        self.connection.send_head("GET", f"/rooms/{room}/events", *headers)
        self.head = self.connection.head()
        if self.head.status not in statuses:
            raise AssertionError(self.head)
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.reset()

    def part(self):
        """What comes before the next empty line."""
        while b"\n\n" not in self.text:
            piece = self.connection.chunk()
            if not piece:
                raise AssertionError("the stream ended")
            self.text += piece
        part, self.text = self.text.split(b"\n\n", 1)
        return part.decode()

    def next(self):
        while True:
            fields = dict(line.split(": ", 1) for line in self.part().split("\n") if ": " in line)
            if "event" in fields:
                return fields["event"]
            if "data" in fields:
                return int(fields["id"]), json.loads(fields["data"])

    def texts(self, count):
        return [self.next()[1]["text"] for _ in range(count)]


def say(connection, text, name="Ann", room="lobby", **more):
    body = urllib.parse.urlencode({"name": name, "text": text, **more}).encode()
    return connection.post(f"/rooms/{room}/messages", body)


def say_well(host, *texts, **more):
    with Connection(host) as connection:
        for text in texts:
            response = say(connection, text, **more)
            if response.status != 202:
                raise AssertionError(response)


def heard(host, room, count):
    """Returns when so many are in the room: a 202 says that the broker has them."""
    with Stream(host, room) as stream:
        return stream.texts(count)


class Both:
    """What holds on either: `operate` gives the words for `weft run`."""

    @classmethod
    def setUpClass(cls):
        cls.host = cls.enterClassContext(Host(APP, *cls.operate()))

    @classmethod
    def operate(cls):
        return ()

    def test_what_is_said_comes_to_all(self):
        """To one who was there and one who comes later, in one order, with what was sent."""
        with Stream(self.host, "all") as early:
            self.assertEqual((early.head.status, early.head.headers["content-type"]),
                             (200, "text/event-stream"))
            say_well(self.host, *(f"number {i}" for i in range(20)), room="all", name="Zoë 😀")
            first = [early.next() for _ in range(20)]
        with Stream(self.host, "all") as late:
            self.assertEqual([late.next() for _ in range(20)], first)
        self.assertEqual([each["text"] for _, each in first], [f"number {i}" for i in range(20)])
        self.assertEqual([number for number, _ in first], list(range(1, 21)))
        self.assertEqual(first[0][1]["name"], "Zoë 😀")
        self.assertGreater(first[0][1]["at"], 1_600_000_000_000)

    def test_many_at_once_have_one_order(self):
        """Eight speak at once: nothing is lost or twice, each one's own order holds, and two who
        listen see the same."""
        with Stream(self.host, "many") as one, Stream(self.host, "many") as other:
            with concurrent.futures.ThreadPoolExecutor(8) as speakers:
                list(speakers.map(lambda who: say_well(
                    self.host, *(f"{who} {i}" for i in range(10)), room="many"), range(8)))
            seen = one.texts(80)
            self.assertEqual(other.texts(80), seen)
        for who in range(8):
            self.assertEqual([text for text in seen if text.startswith(f"{who} ")],
                             [f"{who} {i}" for i in range(10)])

    def test_resumes_behind_the_last_one_seen(self):
        say_well(self.host, "a", "b", "c", room="resume")
        heard(self.host, "resume", 3)
        with Stream(self.host, "resume", after=2) as stream:
            self.assertEqual(stream.texts(1), ["c"])
            say_well(self.host, "d", room="resume")
            self.assertEqual(stream.next()[0], 4)
        with Stream(self.host, "resume", after=99) as stream:
            self.assertEqual(stream.next(), "reset")
            self.assertEqual(stream.texts(4), ["a", "b", "c", "d"])

    def test_one_id_is_said_once(self):
        """Whoever sends it again, and whatever it says then."""
        with Connection(self.host) as connection:
            for text in ("first", "first", "something else"):
                self.assertEqual(say(connection, text, room="once", id="x-1").status, 202)
        say_well(self.host, "last", room="once")
        with Stream(self.host, "once") as stream:
            self.assertEqual(stream.texts(2), ["first", "last"])

    def test_history_is_bounded(self):
        """A room keeps its last messages, and an id that went with its message is free again."""
        say_well(self.host, "0", room="long", id="free")
        say_well(self.host, *(str(i) for i in range(1, HISTORY + 5)), room="long")
        with Stream(self.host, "long") as stream:
            until(lambda: stream.texts(1) == [str(HISTORY + 4)], "the last one is there")
        with Stream(self.host, "long") as stream:
            self.assertEqual(stream.texts(HISTORY), [str(i) for i in range(5, HISTORY + 5)])
            say_well(self.host, "again", room="long", id="free")
            self.assertEqual(stream.texts(1), ["again"])

    def test_nothing_is_html(self):
        """Not in the bytes that go out, and the same text when they are read."""
        text = "<script>alert('1')</script> & \"\\ \n\u2028é"
        say_well(self.host, text, room="html", name="<b>Ann</b>")
        with Stream(self.host, "html") as stream:
            raw = stream.part() + stream.part()
        self.assertNotIn("<", raw)
        line = next(each for each in raw.split("\n") if each.startswith("data: "))
        said = json.loads(line.removeprefix("data: "))
        self.assertEqual((said["name"], said["text"]), ("<b>Ann</b>", text))


class Embedded(Both, unittest.TestCase):
    def refused(self, status, part, body, path="/rooms/refused/messages", method="POST"):
        with Connection(self.host) as connection:
            response = connection.post(path, body, method=method)
        self.assertEqual(response.status, status, response)
        self.assertIn(part, json.loads(response.text)["error"])

    def test_what_is_wrong_is_refused(self):
        """Each with what is wrong, and nothing of it is said."""
        self.refused(400, "name is empty", b"text=hello")
        self.refused(400, "name is empty", b"name=%20%20&text=hello")
        self.refused(400, "text is empty", b"name=Ann&text=%0A+")
        self.refused(400, "name is empty", b"")
        self.refused(400, "at most 96", b"name=" + 97 * b"n" + b"&text=t")
        self.refused(400, "4001 bytes", b"name=Ann&text=" + 4001 * b"t")
        self.refused(400, "control characters", b"name=A%0An&text=t")
        self.refused(400, "control characters", b"name=Ann&text=%1b%5b2J")
        for wrong in (b"%ff", b"%c0%af", b"%ed%a0%80", b"%e2%82"):
            self.refused(400, "text is no UTF-8", b"name=Ann&text=" + wrong)
        self.refused(400, "id is", b"name=Ann&text=t&id=a%2Fb")
        self.refused(413, "more than", b"name=Ann&text=" + 20_000 * b"t")
        for room in ("UP", "a.b", "a%2Fb", "%2A", "r" * 33, "gr%C3%BC"):
            self.refused(404 if room == "a%2Fb" else 400, "room", b"name=A&text=t",
                         path=f"/rooms/{room}/messages")
        self.refused(405, "only POST", b"", method="PUT")
        self.refused(405, "only GET", b"", path="/rooms/refused/events")
        self.refused(404, "there is", b"", path="/rooms/refused")
        self.assertEqual(get(self.host, "/rooms/refused/events?after=x").status, 400)
        say_well(self.host, "as long as may be".ljust(4000, "."), room="refused")
        with Stream(self.host, "refused") as stream:
            number, said = stream.next()
        self.assertEqual((number, len(said["text"])), (1, 4000))

    def test_a_quiet_stream_has_a_beat(self):
        """Where nothing is said a comment comes, some time."""
        with Stream(self.host, "quiet") as stream:
            self.assertEqual(stream.part(), "retry: 1000")
            self.assertEqual(stream.part(), ":")

    def test_a_client_that_goes_ends_its_stream(self):
        """What the host runs for it is over then."""
        with Host(APP, "--admin", "127.0.0.1:0") as host:
            port = host.wait_log(r"admin: http://127.0.0.1:(\d+)/")[1]

            def under_way():
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics",
                                            timeout=SECONDS_MAX) as answer:
                    text = answer.read().decode()
                return sum(float(line.split()[-1]) for line in text.splitlines()
                           if line.startswith("weft_http_requests_in_flight"))

            with Stream(host) as stream:
                stream.part()
                until(lambda: under_way() == 1, "the stream is under way")
            until(lambda: under_way() == 0, "the stream is over")

    def test_kill(self):
        """What was answered before kill -9 is there afterwards, once."""
        with tempfile.TemporaryDirectory(prefix="weft-chat-") as state:
            with Host(APP, state=state) as host:
                with Stream(host) as stream:
                    say_well(host, "seen")
                    stream.texts(1)
                    say_well(host, *(f"kept {i}" for i in range(30)))
                host.kill()
            with Host(APP, state=state) as host:
                with Stream(host, after=1) as stream:
                    self.assertEqual(stream.texts(30), [f"kept {i}" for i in range(30)])


class Servers:
    """The operator's file that the README names, with other ports."""

    @classmethod
    def operate(cls):
        cls.redis = cls.enterClassContext(servers.Redis())
        cls.nats = cls.enterClassContext(servers.Nats())
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="weft-chat-"))
        with open(os.path.join(APP, "prod.toml"), encoding="utf-8") as file:
            text = file.read().replace(":4222", f":{cls.nats.port}").replace(
                ":6379", f":{cls.redis.port}")
        path = os.path.join(cls.folder, "on.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return "--on", path


class RedisAndJetStream(Servers, Both, unittest.TestCase):
    """The same component by that file."""


class Away(Servers, unittest.TestCase):
    def test_a_store_that_is_away(self):
        """What is said to a room while Redis is gone waits in JetStream. One loop: each hears that
        Redis is there again from the first request that it fails."""
        with Host(APP, *self.operate(), "--loops", 1) as host:
            say_well(host, "before", room="away")
            heard(host, "away", 1)
            self.redis.end()
            say_well(host, "meanwhile", room="away")
            self.assertEqual(get(host, "/rooms/away/events").status, 503)
            self.redis.start()

            def stream():
                opened = Stream(host, "away", after=1, statuses=(200, 503))
                if opened.head.status == 200:
                    return opened
                opened.connection.close()
                return None

            with until(stream, "Redis is there again") as stream:
                self.assertEqual(stream.texts(1), ["meanwhile"])
                say_well(host, "after", room="away")
                self.assertEqual(stream.texts(1), ["after"])


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class Pages(unittest.TestCase):
    TEXTS = "[...document.querySelectorAll('#messages p')].map((each) => each.textContent)"

    def speak(self, page, name, text):
        page.run("document.querySelector('#name').value = ''")
        page.type("#name", name)
        page.type("#text", text)
        page.press_enter()
        page.until("document.querySelector('#text').value === ''", f"{text} is sent")

    def sees(self, page, texts):
        until(lambda: page.run(self.TEXTS) == texts, f"{texts}, but {page.run(self.TEXTS)}")

    def live(self, page):
        page.until("document.querySelector('#state').className === 'live'", "the page is live")

    def test_two_pages(self):
        """What is typed in one appears in the other, in one order, as text; a page that is loaded
        again has it all; after a restart of the host both go on."""
        with tempfile.TemporaryDirectory(prefix="weft-chat-") as state, Browser() as browser:
            # A port that nobody else gets while the host is away.
            address = f"127.0.0.1:{servers.free_port()}"
            with Host(APP, http=address, state=state) as host:
                one, two = browser.page(host.url), browser.page(host.url)
                for page in (one, two):
                    self.live(page)
                texts = []
                for i in range(6):
                    texts.append(f"line {i}")
                    self.speak((one, two)[i % 2], ("Ann", "Bob")[i % 2], texts[-1])
                for page in (one, two):
                    self.sees(page, texts)
                texts.append("<img src=x onerror=\"document.title='bad'\"> & <b>bold</b>")
                self.speak(one, "<i>Ann</i>", texts[-1])
                self.sees(two, texts)
                self.assertEqual(two.run("document.querySelectorAll('#messages :is(img, b b, i)')"
                                         ".length"), 0)
                self.assertNotIn("bad", two.run("document.title"))
                two.reload()
                self.sees(two, texts)
                self.assertEqual(two.run("document.querySelector('#name').value"), "<i>Ann</i>",
                                 "the name is remembered")
            for page in (one, two):
                page.until("document.querySelector('#state').className !== 'live'", "it is seen")
            with Host(APP, http=address, state=state):
                for page in (one, two):
                    self.live(page)
                texts.append("here again")
                self.speak(one, "Ann", texts[-1])
                for page in (one, two):
                    self.sees(page, texts)

    def test_rooms_are_apart(self):
        """A room is in the address; what is refused is said."""
        with Host(APP) as host, Browser() as browser:
            one, two = browser.page(host.url + "#tea"), browser.page(host.url + "#coffee")
            for page in (one, two):
                self.live(page)
            self.speak(one, "Ann", "tea")
            self.sees(one, ["tea"])
            two.type("#other", "tea")
            two.press_enter()
            self.sees(two, ["tea"])
            self.assertEqual(two.run("document.querySelector('#room').textContent"), "tea")
            two.run("document.querySelector('#text').maxLength = 9999")
            two.run("document.querySelector('#name').value = 'Bob'")
            two.type("#text", "x" * 4001)
            two.press_enter()
            problem = two.until("document.querySelector('#problem').textContent", "it is refused")
            self.assertIn("at most 4000", problem)


if __name__ == "__main__":
    unittest.main()
