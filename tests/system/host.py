"""A weft process under test: started on a free port, stopped at the end."""

import http.client
import os
import re
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(ROOT, "build"))
FAST = bool(os.environ.get("WEFT_FAST"))
SECONDS_MAX = 60


class Host:
    """`weft run` of one of the test guests. A context: leaving it ends the process."""

    def __init__(self, guest, *options, state=None):
        self.folder = None
        if state is None:
            self.folder = tempfile.TemporaryDirectory(prefix="weft-system-")
            state = self.folder.name
        self.log = tempfile.NamedTemporaryFile(prefix="weft-log-")
        env = {k: v for k, v in os.environ.items() if k != "RUST_BACKTRACE"}
        command = [os.path.join(BUILD, "weft"), "run", "--http", "127.0.0.1:0", "--state", state,
                   *options, os.path.join(BUILD, "guests", guest + ".wasm")]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env=env)
        self.port = self._port()

    def _port(self):
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            with open(self.log.name, errors="replace") as log:
                found = re.match(r"http://127\.0\.0\.1:(\d+)/\n", log.readline())
            if found:
                return int(found[1])
            time.sleep(0.01)
        raise AssertionError("weft named no URL:\n" + self.output())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)
        self.log.close()
        if self.folder:
            self.folder.cleanup()

    def output(self):
        with open(self.log.name, errors="replace") as log:
            return log.read()

    def stop(self, number=signal.SIGTERM):
        """Sends the signal and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(SECONDS_MAX)

    def connect(self, timeout=SECONDS_MAX):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, path="/", method="GET", body=None, timeout=SECONDS_MAX):
        """(status, body) of one request on a connection of its own."""
        connection = self.connect(timeout)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def anonymous_kib(self):
        """Anonymous memory of the process."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1])
