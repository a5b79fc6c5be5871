"""An HTTP/1.1 client that sends exactly what it is told and sees exactly what comes."""

import socket
import struct
import time

from host import SECONDS_MAX


class Closed(Exception):
    """The server closed, or broke the connection off, before what was waited for came."""


class Response:
    def __init__(self, status, headers, body=b""):
        self.status, self.headers, self.body = status, headers, body
        self.piece_times = []

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:200]!r}"


class Connection:
    def __init__(self, host, seconds=SECONDS_MAX):
        self.socket = socket.create_connection(host.address, timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Leaves so that the server hears of it at once: a close alone may be a client that has
        said everything and waits."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)

    def send_head(self, method, path, *headers):
        lines = [f"{method} {path} HTTP/1.1", "host: test", *headers, "", ""]
        self.send("\r\n".join(lines).encode())

    def _more(self):
        try:
            data = self.socket.recv(256 * 1024)
        except ConnectionError as error:
            raise Closed(str(error)) from None
        if not data:
            raise Closed("end of stream")
        self.buffer += data

    def line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def head(self):
        version, status = self.line().split(" ", 2)[:2]
        if version != "HTTP/1.1":
            raise AssertionError(f"the response begins with {version!r}")
        headers = {}
        while line := self.line():
            name, value = line.split(":", 1)
            headers.setdefault(name.lower(), value.strip())
        return Response(int(status), headers)

    def chunk(self):
        """One chunk of a chunked body; empty at its end, when the trailers are read too."""
        data = self.exactly(int(self.line().split(";")[0], 16))
        if data:
            self.exactly(2)
            return data
        while self.line():
            pass
        return b""

    def response(self, method="GET"):
        """A whole final response. Closed when it is broken off."""
        response = self.head()
        while response.status == 100:
            response = self.head()
        if method == "HEAD" or response.status in (204, 304):
            return response
        if response.headers.get("transfer-encoding") == "chunked":
            pieces = []
            while data := self.chunk():
                pieces.append(data)
                response.piece_times.append(time.monotonic())
            response.body = b"".join(pieces)
        elif "content-length" in response.headers:
            response.body = self.exactly(int(response.headers["content-length"]))
        else:
            raise AssertionError(f"a response without framing: {response}")
        return response

    def get(self, path, *headers, method="GET"):
        self.send_head(method, path, *headers)
        return self.response(method)

    def post(self, path, body, *headers, method="POST"):
        self.send_head(method, path, f"content-length: {len(body)}", *headers)
        self.send(body)
        return self.response(method)

    def send_chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def is_closed(self):
        """Waits for the server to close; false when it sends something instead."""
        if self.buffer:
            return False
        try:
            self._more()
        except Closed:
            return True
        return False


def get(host, path, *headers, method="GET", seconds=SECONDS_MAX):
    with Connection(host, seconds) as connection:
        return connection.get(path, *headers, method=method)


def post(host, path, body, method="POST"):
    with Connection(host) as connection:
        return connection.post(path, body, method=method)
