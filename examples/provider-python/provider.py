#!/usr/bin/env python3
"""A provider of weft in plain Python: docs/PROVIDER_PROTOCOL.md, and nothing else.

Serves example:words/words@1.0.0. One thread for each connection reads; calls run on a pool.
"""

import concurrent.futures
import json
import os
import socket
import struct
import sys
import threading

VERSION = 1
HEAD = struct.Struct("<IBBHIIQ")  # length, kind, flags, 0, id, number, amount
BODY_MAX = 65536
MORE = 1
HELLO, SETUP, READY, CALL, REPLY, CANCEL, DROP = range(1, 8)
PING, PONG = 12, 13
INVALID = 1  # The errors that are used here, by their numbers.
INTERNAL = 14


def read_number(data, at):
    """An unsigned LEB128 number, and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def write_number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_text(data, at):
    size, at = read_number(data, at)
    if at + size > len(data):
        raise ValueError("the text is cut off")
    return data[at:at + size].decode(), at + size


def write_text(text):
    data = text.encode()
    return write_number(len(data)) + data


class Words:
    """What it serves: functions with a signature, from arguments' bytes to the result's."""

    interface = "example:words/words@1.0.0"

    def __init__(self, setup):
        self.mark = setup["configuration"].get("mark", "!")

    def count(self, data):
        text, _ = read_text(data, 0)
        return write_number(len(text.split()))

    def shout(self, data):
        text, _ = read_text(data, 0)
        return write_text(text.upper() + self.mark)

    functions = [("count", "func(text: string) -> u32", count),
                 ("shout", "func(text: string) -> string", shout)]


class Connection:
    def __init__(self, peer, token, pool):
        self.peer = peer
        self.token = token
        self.pool = pool
        self.words = None
        self.lock = threading.Lock()  # Of writing: frames of one message stay whole.
        self.calls = {}  # What came of calls whose last frame did not: number and body.

    def send(self, kind, body=b"", id=0, number=0):
        pieces = [body[at:at + BODY_MAX] for at in range(0, len(body), BODY_MAX)] or [b""]
        for place, piece in enumerate(pieces):
            more = MORE if place + 1 < len(pieces) else 0
            first = number if place == 0 else 0
            with self.lock:
                self.peer.sendall(HEAD.pack(len(piece), kind, more, 0, id, first, 0) + piece)

    def receive(self, size):
        out = bytearray()
        while len(out) < size:
            part = self.peer.recv(min(size - len(out), 1 << 20))
            if not part:
                raise EOFError
            out += part
        return bytes(out)

    def serve(self):
        self.send(HELLO, json.dumps({"token": self.token}).encode(), number=VERSION)
        setup = b""
        while True:
            length, kind, flags, _, id, number, _ = HEAD.unpack(self.receive(HEAD.size))
            body = self.receive(length)
            if kind == SETUP:
                setup += body
                if not flags & MORE:
                    self.begin(json.loads(setup))
            elif kind == CALL:
                waiting = self.calls.setdefault(id, [number, []])
                waiting[1].append(body)
                if not flags & MORE:
                    del self.calls[id]
                    self.pool.submit(self.answer, id, waiting[0], b"".join(waiting[1]))
            elif kind == CANCEL and id in self.calls:
                # Its arguments will not be complete. What runs already is answered anyway.
                del self.calls[id]
                self.send(REPLY, b"cancelled", id=id, number=7)
            elif kind == PING:
                self.send(PONG, number=number)

    def begin(self, setup):
        if setup["token"] != self.token:
            raise EOFError
        self.words = Words(setup)
        functions = [{"name": name, "signature": signature}
                     for name, signature, _ in Words.functions]
        interfaces = [{"name": Words.interface, "functions": functions}]
        self.send(READY, json.dumps({"interfaces": interfaces}).encode())

    def answer(self, id, number, data):
        try:
            self.send(REPLY, Words.functions[number][2](self.words, data), id=id)
        except (IndexError, ValueError) as error:
            self.send(REPLY, str(error).encode(), id=id, number=INVALID)
        except OSError:
            pass  # The connection is gone.
        except Exception as error:  # Every call gets a reply.
            self.send(REPLY, repr(error).encode(), id=id, number=INTERNAL)


def main():
    path = os.environ.get("WEFT_PROVIDER_SOCKET")
    token = os.environ.get("WEFT_PROVIDER_TOKEN")
    if not path or not token:
        sys.exit("this is a provider: weft starts it, for an app that names it")
    pool = concurrent.futures.ThreadPoolExecutor()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    count = 0
    lock = threading.Lock()

    def run(peer):
        nonlocal count
        try:
            Connection(peer, token, pool).serve()
        except (EOFError, OSError):
            pass
        peer.close()
        with lock:
            count -= 1
            if count == 0:
                os._exit(0)  # The last connection is closed: weft is gone.

    while True:
        peer, _ = listener.accept()
        with lock:
            count += 1
        threading.Thread(target=run, args=(peer,), daemon=True).start()


if __name__ == "__main__":
    main()
