#!/usr/bin/env python3
"""A stand-in for a server of language models: canned answers, no model, Python and nothing else.

    standin.py [--port N] [--key KEY]

Speaks Ollama's API (/api/chat, /api/tags, /api/show) and OpenAI's (/v1/chat/completions,
/v1/models) on 127.0.0.1 and prints its URL. The model "parrot" says what it was told last, a word
(which counts as a token) at a time. The others are for seeing how failures look: "busy" (429),
"closed" (503), "broken" (500), "late" (says nothing), "stalls" (a word, and no more), "breaks"
(ends in the middle), "garbage" (a line that is no JSON), "sorry" (an error after a word),
"endless" (never ends).
"""

import argparse
import datetime
import http.server
import json
import re
import threading
import urllib.parse

SECONDS_MAX = 60  # Of what waits here for the other side.
MODELS = ["parrot", "busy", "closed", "broken", "late", "stalls", "breaks", "garbage", "sorry",
          "endless"]
STATUSES = {"busy": 429, "closed": 503, "broken": 500}
CREATED = 1700000000
ENDLESS_PIECE = "and so on " * 100


class StandIn:
    """As a context manager it is closed with the block."""

    def __init__(self, port=0, key=""):
        self.key = key
        self.connections = 0
        self.requests = []  # (method, path, headers, body) of each, the body read as JSON.
        self.left = 0  # Clients that went before their answer was whole.
        self.sent = 0  # Bytes of answers to chats.
        self.release = threading.Event()  # What waits here goes on.

        class Handler(_Handler):
            standin = self

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


class _Gone(Exception):
    """The client is."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = SECONDS_MAX
    standin = None

    def setup(self):
        self.standin.connections += 1
        super().setup()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve(None)

    def do_POST(self):
        self.serve(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def serve(self, body):
        path = urllib.parse.unquote(self.path)
        self.standin.requests.append((self.command, path, dict(self.headers), body))
        if self.standin.key and self.headers.get("authorization") != "Bearer " + self.standin.key:
            return self.fail(401, "wrong key: " + self.headers.get("authorization", "none"))
        if path == "/api/tags":
            return self.reply({"models": [ollama_model(name) for name in MODELS]})
        if path == "/v1/models":
            return self.reply({"object": "list", "data": [openai_model(name) for name in MODELS]})
        if path == "/api/show":
            return self.known(body["model"], ollama_details)
        if path.startswith("/v1/models/"):
            return self.known(path.removeprefix("/v1/models/"), openai_model)
        if path in ("/api/chat", "/v1/chat/completions"):
            try:
                return self.chat(Ollama(body) if path == "/api/chat" else OpenAi(body))
            except _Gone:
                self.standin.left += 1
                self.close_connection = True
                return None
        return self.fail(404, "no such path")

    def known(self, name, shown):
        if name in MODELS:
            return self.reply(shown(name))
        return self.fail(404, f"model '{name}' not found")

    def chat(self, asked):
        name = asked.body["model"]
        if name not in MODELS:
            return self.fail(404, f"model '{name}' not found")
        if name in STATUSES:
            return self.fail(STATUSES[name], f"the model is {name}", ("retry-after", "7"))
        if name == "late":
            return self.wait()
        self.send_response(200)
        self.send_header("content-type", asked.content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        words, finish = asked.answer()
        if name != "parrot":
            self.chunk(asked.piece(words[0] if words else "well"))
            return self.misbehave(name, asked)
        for word in words:
            self.chunk(asked.piece(word))
        prompt = sum(len(words_of(each["content"])) for each in asked.body["messages"])
        self.chunk(asked.end(finish, prompt, len(words)))
        return self.last_chunk()

    def misbehave(self, name, asked):
        if name == "stalls":
            return self.wait()
        if name == "garbage":
            self.chunk(asked.line("<html>"))
            return self.last_chunk()
        if name == "sorry":
            self.chunk(asked.error("out of memory"))
            return self.last_chunk()
        while name == "endless" and not self.standin.release.is_set():
            self.chunk(asked.piece(ENDLESS_PIECE))
        self.close_connection = True  # In the middle: there was no last chunk.
        return None

    def wait(self):
        """Until the client has gone."""
        self.connection.settimeout(0.05)
        while not self.standin.release.is_set():
            try:
                if not self.connection.recv(1):
                    raise _Gone
            except TimeoutError:
                continue
            except OSError:
                raise _Gone from None
        self.close_connection = True

    def chunk(self, text):
        data = text.encode()
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError:
            raise _Gone from None
        self.standin.sent += len(data)

    def last_chunk(self):
        self.wfile.write(b"0\r\n\r\n")

    def reply(self, value, status=200, *headers):
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status, message, *headers):
        openai = self.path.startswith("/v1/")
        self.reply({"error": {"message": message} if openai else message}, status, *headers)


def words_of(text):
    """Cut so that they are the text when they are put together."""
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+$", text)


class Asked:
    def __init__(self, body, options, tokens_max):
        self.body = body
        stop = options.get("stop") or []
        self.stop = [stop] if isinstance(stop, str) else stop
        self.tokens_max = tokens_max

    def answer(self):
        """The words of it, and why it ends there."""
        text = self.body["messages"][-1]["content"]
        ends = [text.find(each) for each in self.stop if each in text]
        words = words_of(text[:min(ends)] if ends else text)
        if self.tokens_max is not None and len(words) > self.tokens_max:
            return words[:self.tokens_max], "length"
        return words, "stop"


class Ollama(Asked):
    content_type = "application/x-ndjson"

    def __init__(self, body):
        options = body.get("options", {})
        super().__init__(body, options, options.get("num_predict"))

    def line(self, text):
        return text + "\n"

    def piece(self, text):
        return self.line(json.dumps({"model": self.body["model"], "done": False,
                                     "message": {"role": "assistant", "content": text}}))

    def end(self, finish, prompt, said):
        return self.line(json.dumps({"model": self.body["model"], "done": True,
                                     "message": {"role": "assistant", "content": ""},
                                     "done_reason": finish, "prompt_eval_count": prompt,
                                     "eval_count": said}))

    def error(self, message):
        return self.line(json.dumps({"error": message}))


class OpenAi(Asked):
    content_type = "text/event-stream"

    def __init__(self, body):
        super().__init__(body, body, body.get("max_tokens"))

    def line(self, text):
        return f"data: {text}\n\n"

    def event(self, choices, **more):
        return self.line(json.dumps({"id": "x", "object": "chat.completion.chunk",
                                     "created": CREATED, "model": self.body["model"],
                                     "choices": choices, **more}))

    def piece(self, text):
        return self.event([{"index": 0, "delta": {"content": text}, "finish_reason": None}])

    def end(self, finish, prompt, said):
        text = self.event([{"index": 0, "delta": {}, "finish_reason": finish}])
        if self.body.get("stream_options", {}).get("include_usage"):
            text += self.event([], usage={"prompt_tokens": prompt, "completion_tokens": said,
                                          "total_tokens": prompt + said})
        return text + self.line("[DONE]")

    def error(self, message):
        return self.line(json.dumps({"error": {"message": message}}))


def ollama_model(name):
    time = datetime.datetime.fromtimestamp(CREATED, datetime.timezone.utc)
    return {"name": name, "model": name, "modified_at": time.isoformat(),
            "details": {"family": "canned", "parameter_size": "0"}}


def ollama_details(name):
    return {**ollama_model(name), "model_info": {"general.architecture": "canned",
                                                 "canned.context_length": 4096}}


def openai_model(name):
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "stand-in"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="")
    words = parser.parse_args()
    standin = StandIn(words.port, words.key)
    print(standin.url, flush=True)
    try:
        standin.server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
