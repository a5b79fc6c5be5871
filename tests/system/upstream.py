"""A server for guests to reach: HTTP/1.1 on a thread, that counts its connections."""

import http.server
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import urllib.parse

from host import SECONDS_MAX, until
from servers import free_port


class Upstream:
    """/hello, /count (of a POST's bytes), /big?bytes=N, /silent, /stall (half a body, no more),
    /gone (no answer), /partial (a body that ends early), /long-head, /redirect?to=URL, /early
    (trailers and headers of the connection). As a context manager it is closed with the block."""

    def __init__(self, address="127.0.0.1", tls=None):
        upstream = self
        self.connections = 0
        self.requests = []
        self.left = 0  # Clients that went before their response was whole.
        self.sent = 0
        self.release = threading.Event()  # What stalls goes on.

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = SECONDS_MAX
            wbufsize = 64 * 1024

            def setup(self):
                upstream.connections += 1
                super().setup()

            def log_message(self, *_):
                pass

            def do_GET(self):
                upstream.serve(self)

            def do_POST(self):
                upstream.serve(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

            def handle_error(self, *_):
                upstream.left += 1

        self.server = Server((address, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        shown = f"[{address}]" if ":" in address else address
        self.authority = f"{shown}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def serve(self, request):
        url = urllib.parse.urlsplit(request.path)
        self.requests.append((request.command, request.path, dict(request.headers)))
        body = self.read(request)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/count":
            self.answer(request, f"{body}\n".encode())
        elif url.path == "/big":
            self.big(request, int(query["bytes"][0]))
        elif url.path == "/silent":
            self.release.wait(SECONDS_MAX)
            self.answer(request, b"late\n")
        elif url.path == "/stall":
            request.send_response(200)
            request.send_header("Content-Length", "10")
            request.end_headers()
            request.wfile.write(b"half\n")
            request.wfile.flush()
            self.release.wait(SECONDS_MAX)
            request.close_connection = True
        elif url.path == "/gone":
            request.close_connection = True
        elif url.path == "/partial":
            request.send_response(200)
            request.send_header("Content-Length", "10")
            request.end_headers()
            request.wfile.write(b"half\n")
            request.close_connection = True
        elif url.path == "/long-head":
            request.send_response(200)
            for number in range(200):
                request.send_header(f"X-{number}", "y" * 1000)
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif url.path == "/redirect":
            request.send_response(302)
            request.send_header("Location", query["to"][0])
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            self.answer(request, b"hello from upstream\n")

    @staticmethod
    def answer(request, body):
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def big(self, request, size):
        request.send_response(200)
        request.send_header("Content-Length", str(size))
        request.end_headers()
        block = b"x" * 64 * 1024
        try:
            while size > 0:
                piece = block[:size]
                request.wfile.write(piece)
                size -= len(piece)
                self.sent += len(piece)
        except OSError:
            self.left += 1
            request.close_connection = True

    @staticmethod
    def read(request):
        """The number of bytes of the body."""
        if "content-length" in request.headers:
            left = size = int(request.headers["content-length"])
            while left > 0:
                left -= len(request.rfile.read(min(left, 1 << 20)))
            return size
        count = 0
        if request.headers.get("transfer-encoding") == "chunked":
            while size := int(request.rfile.readline(), 16):
                count += len(request.rfile.read(size))
                request.rfile.readline()
            request.rfile.readline()
        return count


class Certificate:
    """A certificate of its own for 127.0.0.1 and localhost, in a folder."""

    def __init__(self, folder):
        self.certificate = os.path.join(folder, "certificate.pem")
        self.key = os.path.join(folder, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key, "-out",
             self.certificate],
            check=True, capture_output=True, timeout=SECONDS_MAX)


class Http2Upstream:
    """nghttpd over TLS, serving a folder; its log tells connections from streams."""

    def __init__(self, tls, files):
        self.folder = tempfile.mkdtemp(prefix="weft-test-")
        for name, content in files.items():
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(content)
        self.port = free_port()
        self.authority = f"127.0.0.1:{self.port}"
        self.log_path = os.path.join(self.folder, "log.txt")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["nghttpd", "--verbose", "--address=127.0.0.1", f"--htdocs={self.folder}",
                 "--echo-upload", str(self.port), tls.key, tls.certificate],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        until(self._answers, "nghttpd listens")

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"nghttpd ended: {self.log()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(SECONDS_MAX)
        shutil.rmtree(self.folder, ignore_errors=True)
