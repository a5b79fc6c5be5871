#!/usr/bin/env python3
"""examples/llm: OpenAI's web API over ollama:llm, served by endpoints of both dialects (the
example's stand-in, no model), and by a component in the provider's place."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from client import Closed, Connection, get, post
from host import BUILD, FAST, ROOT, SECONDS_MAX, WEFT, Host, environment, until
from servers import free_port

APP = os.path.join(ROOT, "examples", "llm")
STUB = os.path.join(APP, "stub")
BUILD_SECONDS_MAX = 600
CHAT = "/v1/chat/completions"

sys.path.insert(0, APP)
from standin import StandIn  # noqa: E402  pylint: disable=wrong-import-position


def setUpModule():
    if FAST or BUILD != os.path.join(ROOT, "build"):
        raise unittest.SkipTest("compiles, beside the build that the example names")
    with tempfile.TemporaryDirectory() as home:
        for folder in (APP, STUB):  # As `up` does it: what is built is not built again.
            subprocess.run([WEFT, "build", folder], check=True, capture_output=True,
                           timeout=BUILD_SECONDS_MAX, env=environment(home))


def serve(url, dialect, key="", more=""):
    """The app with that endpoint; `more` is added to the operator's file."""
    with open(os.path.join(APP, "operator.toml"), encoding="utf-8") as file:
        operator = file.read().replace("[secrets]", more + "\n[secrets]")
    with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as file:
        file.write(operator)
    try:
        return Host(APP, "--on", file.name, "--loops", 1,
                    env={"LLM_URL": url, "LLM_DIALECT": dialect, "LLM_KEY": key})
    finally:
        os.unlink(file.name)


def ask(model, text="Pieces of eight", **more):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}],
                       **more}).encode()


def chat(host, body):
    return post(host, CHAT, body)


def events(text):
    """The events of a stream, the last one as text when it is [DONE]."""
    out = []
    for each in text.split("\n\n")[:-1]:
        assert each.startswith("data: "), each
        data = each.removeprefix("data: ")
        out.append(data if data == "[DONE]" else json.loads(data))
    return out


def begin_stream(connection, model):
    """Sends a chat and returns when the first text has come."""
    body = ask(model, stream=True)
    connection.send_head("POST", CHAT, f"content-length: {len(body)}")
    connection.send(body)
    head = connection.head()
    assert head.status == 200, head
    text = b""
    while b"Pieces" not in text:
        text += connection.chunk()


class Both:
    """What holds for either dialect."""

    dialect = None
    path = ""

    @classmethod
    def setUpClass(cls):
        cls.standin = StandIn(key="key-4711").__enter__()
        cls.host = serve(cls.standin.url + cls.path, cls.dialect, "key-4711")

    @classmethod
    def tearDownClass(cls):
        try:
            code = cls.host.stop()
        finally:
            cls.standin.__exit__()
        assert code == 0, cls.host.log

    def check_error(self, response, status, kind, code=None, param=None):
        self.assertEqual(response.status, status, response)
        error = json.loads(response.text)["error"]
        self.assertEqual((error["type"], error["code"], error["param"]), (kind, code, param))
        self.assertTrue(error["message"])
        return error["message"]

    def test_models(self):
        """All of them, one of them, and one that is not there."""
        listed = json.loads(get(self.host, "/v1/models").text)
        self.assertEqual(listed["object"], "list")
        self.assertIn("parrot", [each["id"] for each in listed["data"]])
        one = json.loads(get(self.host, "/v1/models/parrot").text)
        self.assertIn(one, listed["data"])
        self.assertEqual((one["object"], one["created"]), ("model", 1700000000))
        self.check_error(get(self.host, "/v1/models/par%2Frot%20%C3%A9"), 404,
                         "invalid_request_error", "model_not_found", "model")
        self.assertEqual(get(self.host, "/v1/models/%ff").status, 400)
        # Not a path of the endpoint's that the key is sent to.
        self.check_error(get(self.host, "/v1/models/..%2f..%2fv1%2fmodels"), 404,
                         "invalid_request_error", "model_not_found", "model")

    def test_a_whole_answer(self):
        """Its text, why it ended, and what it cost."""
        response = chat(self.host, ask("parrot", 'say "é 😀"\nagain'))
        self.assertEqual((response.status, response.headers["content-type"]),
                         (200, "application/json"))
        answer = json.loads(response.text)
        self.assertEqual((answer["object"], answer["model"]), ("chat.completion", "parrot"))
        self.assertTrue(answer["id"].startswith("chatcmpl-"))
        choice, = answer["choices"]
        self.assertEqual(choice["message"], {"role": "assistant", "content": 'say "é 😀"\nagain'})
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(answer["usage"],
                         {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8})

    def test_a_stream(self):
        """An event for each piece, and the usage at the end where it was asked for."""
        response = chat(self.host, ask("parrot", stream=True))
        self.assertEqual((response.status, response.headers["content-type"]),
                         (200, "text/event-stream"))
        *chunks, done = events(response.text)
        self.assertEqual(done, "[DONE]")
        self.assertEqual(len({each["id"] for each in chunks}), 1)
        self.assertNotIn("usage", response.text)
        deltas = [each["choices"][0]["delta"] for each in chunks]
        self.assertEqual(deltas, [{"role": "assistant", "content": ""}, {"content": "Pieces"},
                                  {"content": " of"}, {"content": " eight"}, {}])
        reasons = [each["choices"][0]["finish_reason"] for each in chunks]
        self.assertEqual(reasons, [None] * 4 + ["stop"])
        response = chat(self.host, ask("parrot", stream=True,
                                       stream_options={"include_usage": True}))
        *chunks, usage, _ = events(response.text)
        self.assertEqual({each["usage"] for each in chunks}, {None})
        self.assertEqual(usage["choices"], [])
        self.assertEqual(usage["usage"],
                         {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6})

    def test_stop_and_length(self):
        """Why an answer ends before its end, in both forms."""
        for stream in (False, True):
            for option, text, reason in (({"stop": " of"}, "Pieces", "stop"),
                                         ({"stop": ["x", "eight"]}, "Pieces of ", "stop"),
                                         ({"max_tokens": 2}, "Pieces of", "length"),
                                         ({"max_completion_tokens": 1}, "Pieces", "length")):
                answer = chat(self.host, ask("parrot", stream=stream, **option)).text
                if stream:
                    choices = [each["choices"][0] for each in events(answer)[:-1]]
                    said = "".join(each["delta"].get("content", "") for each in choices)
                else:
                    choices = json.loads(answer)["choices"]
                    said = choices[0]["message"]["content"]
                self.assertEqual((said, choices[-1]["finish_reason"]), (text, reason), option)

    def test_options_arrive(self):
        """Every option that a client gives is what the endpoint is asked with."""
        given = {"temperature": 0.7, "top_p": 0.25, "top_k": 40, "seed": -9007199254740991,
                 "presence_penalty": 0.5, "frequency_penalty": -0.5, "stop": ["END", "\n"]}
        body = json.loads(ask("parrot", max_tokens=5, **given))
        body["messages"] = [{"role": "developer", "content": [{"type": "text", "text": "Be "},
                                                              {"type": "text", "text": "brief"}]},
                            {"role": "assistant", "content": ""}, *body["messages"]]
        self.assertEqual(chat(self.host, json.dumps(body).encode()).status, 200)
        _, path, headers, sent = self.standin.requests[-1]
        self.assertEqual(path, self.chat_path)
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(sent["messages"], [{"role": "system", "content": "Be brief"},
                                            *body["messages"][1:]])
        options = sent["options"] if self.dialect == "ollama" else sent
        self.assertEqual(options["num_predict" if self.dialect == "ollama" else "max_tokens"], 5)
        self.assertEqual({name: options[name] for name in given}, given)

    def test_requests_that_are_wrong(self):
        """400 with the field that is wrong, and the endpoint hears nothing of it."""
        heard = len(self.standin.requests)
        for param, more in (("temperature", {"temperature": 2.5}), ("top_p", {"top_p": "1"}),
                            ("top_k", {"top_k": 0}), ("seed", {"seed": 1.5}), ("n", {"n": 2}),
                            ("max_tokens", {"max_tokens": -1}), ("stop", {"stop": [1]}),
                            ("stop", {"stop": ["a"] * 5}), ("stream", {"stream": 1}),
                            ("tools", {"tools": [{}]}), ("logprobs", {"logprobs": True}),
                            ("response_format", {"response_format": {"type": "json_object"}}),
                            ("stream_options", {"stream_options": {"include_usage": True}}),
                            ("messages", {"messages": []}), ("messages", {"messages": "hi"}),
                            ("messages[0].role", {"messages": [{"content": "x"}]}),
                            ("messages[0].content", {"messages": [{"role": "user"}]}),
                            ("model", {"model": None})):
            body = json.dumps({**json.loads(ask("parrot")), **more}).encode()
            message = self.check_error(chat(self.host, body), 400, "invalid_request_error",
                                       param=param)
            self.assertIn(param, message)
        for body in (b"", b"{", b"[]", b'{"model":"parrot\xff"}', b"[" * 100_000):
            self.check_error(chat(self.host, body), 400, "invalid_request_error")
        # What asks for nothing is let pass.
        body = ask("parrot", n=1, tools=[], tool_choice="none", logprobs=False, user="ann",
                   response_format={"type": "text"}, temperature=None)
        self.assertEqual(chat(self.host, body).status, 200)
        self.assertEqual(len(self.standin.requests), heard + 1)

    def test_methods_paths_and_sizes(self):
        """404, 405 with what is allowed, 413."""
        for method, path, allowed in (("GET", CHAT, "POST"), ("POST", "/v1/models", "GET"),
                                      ("DELETE", "/v1/models/parrot", "GET")):
            response = post(self.host, path, b"", method=method)
            self.check_error(response, 405, "invalid_request_error")
            self.assertEqual(response.headers["allow"], allowed)
        for path in ("/", "/v1", "/v1/models/", "/v1/chat", "/v1/embeddings"):
            self.check_error(get(self.host, path), 404, "invalid_request_error")
        self.check_error(chat(self.host, ask("parrot", "x" * (4 << 20))), 413,
                         "invalid_request_error")

    def test_failures_of_the_endpoint(self):
        """What it answers instead of a chat is passed on, streamed or not."""
        for stream in (False, True):
            def failing(model, stream=stream):
                return chat(self.host, ask(model, stream=stream))
            self.check_error(failing("nobody"), 404, "invalid_request_error", "model_not_found",
                             "model")
            busy, closed = failing("busy"), failing("closed")
            self.check_error(busy, 429, "rate_limit_error", "rate_limit_exceeded")
            self.check_error(closed, 503, "server_error", "overloaded")
            self.assertEqual((busy.headers["retry-after"], closed.headers["retry-after"]),
                             ("7", "7"))
            self.assertIn("the model is broken", self.check_error(
                failing("broken"), 502, "server_error", "endpoint_failed"))

    def test_failures_within_an_answer(self):
        """The endpoint breaks off, or says what makes no sense: an error at the end of the stream,
        and a status where nothing was sent yet."""
        for model, code, word in (("breaks", "endpoint_unreachable", "not whole"),
                                  ("garbage", "endpoint_failed", "no JSON"),
                                  ("sorry", "endpoint_failed", "out of memory")):
            message = self.check_error(chat(self.host, ask(model)), 502, "server_error", code)
            self.assertIn(word, message)
            *before, last = events(chat(self.host, ask(model, stream=True)).text)
            self.assertEqual((last["error"]["code"], last["error"]["message"]), (code, message))
            self.assertEqual(before[-1]["choices"][0]["delta"], {"content": "Pieces"})

    def test_a_client_that_goes_ends_the_request(self):
        """While the endpoint says nothing yet, while it pauses, and while it writes."""
        for model in ("late", "stalls", "endless"):
            left, heard = self.standin.left, len(self.standin.requests)
            with Connection(self.host) as connection:
                if model == "late":
                    body = ask(model)
                    connection.send_head("POST", CHAT, f"content-length: {len(body)}")
                    connection.send(body)
                    until(lambda heard=heard: len(self.standin.requests) > heard, "it is asked")
                else:
                    begin_stream(connection, model)
                connection.reset()
            until(lambda left=left: self.standin.left == left + 1,
                  f"the endpoint hears that nobody waits for {model}")

    def test_a_client_that_is_slow_makes_the_endpoint_wait(self):
        """An answer without an end, to a client that reads nothing: what is on its way is bounded.
        When the client reads, it goes on."""
        with Connection(self.host) as connection:
            begin_stream(connection, "endless")
            before = self.host.memory_kib()

            def stands_still():
                sent = self.standin.sent
                quiet = not self.grows_from(sent)
                self.assertLess(sent, 64 << 20)
                return quiet and sent

            sent = until(stands_still, "the endpoint waits")
            self.assertLess(self.host.memory_kib() - before, 20_000)
            for _ in range(50_000):
                connection.chunk()
                if self.standin.sent > sent:
                    break
            self.assertGreater(self.standin.sent, sent)
            connection.reset()

    def grows_from(self, sent):
        """Whether more is sent within the length of a look, which is no wait for something."""
        try:
            until(lambda: self.standin.sent > sent, "more", seconds=0.5)
            return True
        except AssertionError:
            return False


class Ollama(Both, unittest.TestCase):
    dialect = "ollama"
    chat_path = "/api/chat"


class OpenAi(Both, unittest.TestCase):
    dialect = "openai"
    path = "/v1"
    chat_path = CHAT


class Endpoints(unittest.TestCase):
    def test_one_that_is_away(self):
        """Nobody listens: 502, for each of the functions."""
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            with serve(f"http://127.0.0.1:{nobody.getsockname()[1]}", "ollama") as host:
                for response in (get(host, "/v1/models"), get(host, "/v1/models/parrot"),
                                 chat(host, ask("parrot")), chat(host, ask("parrot", stream=True))):
                    self.assertEqual(response.status, 502)
                    self.assertIn("connection refused", response.text)

    def test_one_that_is_late(self):
        """504 when nothing comes at all, an error event when nothing more comes."""
        # The first word of the one that stalls has to come within that, on a slow machine too.
        times = '"first-byte-seconds" = "5"\n"idle-seconds" = "0.3"\n'
        with StandIn() as standin, serve(standin.url, "ollama", more=times) as host:
            response = chat(host, ask("late", stream=True))
            self.assertEqual((response.status, json.loads(response.text)["error"]["code"]),
                             (504, "endpoint_timeout"))
            response = chat(host, ask("stalls", stream=True))
            self.assertEqual(events(response.text)[-1]["error"]["code"], "endpoint_timeout")
            self.assertEqual(chat(host, ask("stalls")).status, 504)

    def test_one_that_comes_back(self):
        """The provider is not to blame for its endpoint: the next request goes well."""
        port = free_port()
        with serve(f"http://127.0.0.1:{port}/v1/", "openai") as host:
            self.assertEqual(chat(host, ask("parrot")).status, 502)
            with StandIn(port):
                self.assertEqual(chat(host, ask("parrot")).status, 200)

    def test_the_key_is_in_nothing_that_is_printed(self):
        """It reaches the endpoint, and neither clients nor logs, also where it is refused."""
        log = '[log]\nlevel = "debug"\naccess = "-"\n'
        right, wrong = "key-93f1c-right", "key-77aa0-wrong"
        for dialect, path in (("ollama", ""), ("openai", "/v1")):
            with StandIn(key=right) as standin:
                with serve(standin.url + path, dialect, right, more=log) as host:
                    self.assertEqual(chat(host, ask("parrot")).status, 200)
                    self.assertEqual(standin.requests[-1][2]["authorization"], "Bearer " + right)
                    self.assertEqual(chat(host, ask("breaks")).status, 502)
                    provider, = children(host.pid)
                    for name in ("cmdline", "environ"):
                        with open(f"/proc/{provider}/{name}", "rb") as file:
                            self.assertNotIn(right.encode(), file.read())
                self.assertNotIn(right, host.log)
                with serve(standin.url + path, dialect, wrong, more=log) as host:
                    response = chat(host, ask("parrot"))
                    self.assertEqual(response.status, 502)
                    self.assertIn("endpoint_denied", response.text)
                self.assertNotIn(wrong, host.log + response.text)

    def test_one_that_is_asked_often(self):
        """A connection that an answer came over to its end is used for the next."""
        with StandIn() as standin, serve(standin.url, "ollama") as host:
            def one_more_without_another():
                before = standin.connections
                self.assertEqual(chat(host, ask("parrot", stream=True)).status, 200)
                return standin.connections == before

            until(one_more_without_another, "a connection is used again")

    def test_settings_that_are_wrong(self):
        """The app does not start, and says what to write; a key in the URL is not repeated."""
        for url, dialect, word in (("http://127.0.0.1:1", "grpc", 'write "ollama" or "openai"'),
                                   ("ftp://x", "ollama", "url is not http://HOST:PORT"),
                                   ("http://k4711@x", "ollama", "the key is a secret")):
            with self.assertRaises(AssertionError) as refused:
                serve(url, dialect).kill()
            self.assertIn(word, str(refused.exception))
            self.assertNotIn("k4711", str(refused.exception))

    def test_a_provider_that_dies_is_started_again(self):
        """A stream that it was writing is broken off; the next request has an answer."""
        with StandIn() as standin, serve(standin.url, "ollama") as host:
            with Connection(host) as connection:
                begin_stream(connection, "stalls")
                provider, = children(host.pid)
                os.kill(provider, signal.SIGKILL)
                with self.assertRaises(Closed):
                    while connection.chunk():
                        pass
            self.assertEqual(chat(host, ask("parrot")).status, 200)


def children(pid):
    direct = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                direct += [int(each) for each in file.read().split()]
        except OSError:
            pass  # A thread that has ended: its children are another one's.
    return direct


class Stub(unittest.TestCase):
    def test_the_same_component_over_another(self):
        """The very file of the app with the provider, here with a component in its place."""
        for folder in (APP, STUB):
            with open(os.path.join(folder, "weft.toml"), encoding="utf-8") as file:
                manifest = file.read()
            named = re.search(r'\[component.web\]\n(?:source = "(.*)"|build = )', manifest)[1]
            used = os.path.normpath(os.path.join(folder, named or "build/web.wasm"))
            self.assertEqual(used, os.path.join(APP, "build", "web.wasm"))
        with Host(STUB) as host:
            self.assertEqual(children(host.pid), [])
            listed = json.loads(get(host, "/v1/models").text)
            self.assertEqual([each["id"] for each in listed["data"]], ["echo"])
            self.assertEqual(get(host, "/v1/models/echo").status, 200)
            self.assertEqual(get(host, "/v1/models/parrot").status, 404)
            self.assertEqual(chat(host, ask("parrot")).status, 404)
            answer = json.loads(chat(host, ask("echo", max_tokens=2)).text)
            self.assertEqual(answer["choices"][0]["message"]["content"], "Pieces of")
            self.assertEqual(answer["choices"][0]["finish_reason"], "length")
            response = chat(host, ask("echo", stream=True, stream_options={"include_usage": True}))
            *chunks, usage, done = events(response.text)
            self.assertEqual(done, "[DONE]")
            said = "".join(each["choices"][0]["delta"].get("content", "") for each in chunks)
            self.assertEqual((said, usage["usage"]["total_tokens"]), ("Pieces of eight", 6))


# What people use: OpenAI's own client, which scripts/setup.sh installs for the tests.
CLIENT = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                      "weft/python/bin/python")
CLIENT_CODE = """
import sys
import openai

client = openai.OpenAI(base_url=sys.argv[1] + "v1", api_key="of no use here", max_retries=0)
messages = [{"role": "user", "content": "Pieces of eight"}]


def chat(model, **more):
    return client.chat.completions.create(model=model, messages=messages, **more)


def failure(of):
    try:
        of()
    except openai.APIError as error:
        return error
    raise AssertionError("there was no error")


assert "parrot" in [each.id for each in client.models.list()]
assert client.models.retrieve("parrot").created == 1700000000
answer = chat("parrot", temperature=0.5, max_completion_tokens=2)
assert answer.choices[0].message.content == "Pieces of", answer
assert answer.choices[0].finish_reason == "length", answer
chunks = list(chat("parrot", stream=True, stream_options={"include_usage": True}))
said = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
assert said == "Pieces of eight", chunks
assert chunks[-1].usage.total_tokens == 6, chunks
assert isinstance(failure(lambda: chat("nobody")), openai.NotFoundError)
assert isinstance(failure(lambda: chat("busy")), openai.RateLimitError)
assert isinstance(failure(lambda: chat("parrot", n=2)), openai.BadRequestError)
assert failure(lambda: chat("closed")).status_code == 503
assert "out of memory" in str(failure(lambda: list(chat("sorry", stream=True))))
print("all as it should be")
"""


def has_client():
    try:
        return subprocess.run([CLIENT, "-c", "import openai"], capture_output=True, check=False,
                              timeout=SECONDS_MAX).returncode == 0
    except OSError:
        return False


class Client(unittest.TestCase):
    @unittest.skipUnless(has_client(), "OpenAI's client is not installed")
    def test_openais_own(self):
        """It lists, chats, streams, and raises what it raises for OpenAI's own failures."""
        with StandIn() as standin, serve(standin.url, "ollama") as host:
            done = subprocess.run([CLIENT, "-c", CLIENT_CODE, host.url], capture_output=True,
                                  text=True, check=False, timeout=BUILD_SECONDS_MAX)
            self.assertEqual((done.stdout, done.stderr), ("all as it should be\n", ""))


class UpAndDown(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def script(self, name, **env):
        settings = {**environment(self.folder.name), "HTTP": "127.0.0.1:0", **env}
        done = subprocess.run([os.path.join(APP, name), self.folder.name + "/run"], env=settings,
                              capture_output=True, text=True, check=False,
                              timeout=BUILD_SECONDS_MAX, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def pid(self, name):
        with open(f"{self.folder.name}/run/{name}.pid", encoding="ascii") as file:
            return int(file.read().split()[0])

    def test_up_and_down(self):
        """One command brings it up, says that the answers are canned and what to try; the other
        takes it down, and everything is gone."""
        self.addCleanup(self.script, "down")
        said = self.script("up")
        self.assertIn("canned, by a stand-in. There is no model.", said)
        url = re.search(r"^Up: (http://\S+/), asking", said, re.M)[1]
        with open(os.path.join(APP, "README.md"), encoding="utf-8") as file:
            words = re.search(r"    examples/llm/up .*?\n(.*)    examples/llm/down\n", file.read(),
                              re.S)[1].replace("http://127.0.0.1:8080/", url)
        for tried in (said[said.index("  curl"):said.index(f"  {APP}/down")], words):
            answers = subprocess.run(["sh", "-c", tried], capture_output=True, text=True,
                                     check=True, timeout=SECONDS_MAX).stdout
            self.assertIn('"id":"parrot"', answers)
            self.assertTrue(answers.endswith("data: [DONE]\n\n"), answers)
        self.assertIn('"content":"Pieces of eight!"', answers)
        self.assertIn('"total_tokens":6', answers)
        pids = [self.pid("weft"), self.pid("standin"), *children(self.pid("weft"))]
        self.assertEqual(len(pids), 3)
        self.assertIn(f"It is up: {url}", self.script("up"))
        self.assertEqual(self.pid("weft"), pids[0])
        self.assertEqual(self.script("down"), "Down.\n")
        until(lambda: not any(os.path.exists(f"/proc/{each}") for each in pids), "all have ended")
        self.assertEqual(self.script("down"), "It is not up.\n")

    def test_an_endpoint_of_ones_own(self):
        """LLM_URL is asked instead of a stand-in."""
        self.addCleanup(self.script, "down")
        with StandIn(key="mine") as standin:
            said = self.script("up", LLM_URL=standin.url + "/v1", LLM_DIALECT="openai",
                               LLM_KEY="mine")
            self.assertNotIn("stand-in", said)
            self.assertNotIn("mine", said)
            url = re.search(r"^Up: (http://\S+/), asking", said, re.M)[1]
            listed = subprocess.run(["curl", "-s", url + "v1/models"], capture_output=True,
                                    check=True, timeout=SECONDS_MAX).stdout
            self.assertIn(b"parrot", listed)
            self.assertEqual(standin.requests[-1][1], "/v1/models")
            self.script("down")

    def test_pids_of_others_are_left_alone(self):
        """A pid that another process has by now is not what was started."""
        with subprocess.Popen(["sleep", "600"]) as other:
            os.makedirs(self.folder.name + "/run")
            with open(self.folder.name + "/run/weft.pid", "w", encoding="ascii") as file:
                file.write(f"{other.pid} 1\n")
            self.assertEqual(self.script("down"), "It is not up.\n")
            self.assertIsNone(other.poll())
            other.kill()


if __name__ == "__main__":
    unittest.main()
