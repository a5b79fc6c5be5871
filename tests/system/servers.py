"""Real servers for the tests of drivers: each on a free loopback port, in a temporary folder, ended
by its pid."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from host import SECONDS_MAX


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One process of somebody else's server. A subclass says which command, and when it is ready."""

    seconds = SECONDS_MAX

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weft-server-")
        self.port = free_port()
        self.process = None

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        """By default: it lets somebody connect."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def prepare(self):
        """Before it is started."""

    def fill(self):
        """Once it is ready, what it is to have."""

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + self.seconds
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(self.folder, "log"), encoding="utf-8",
                          errors="replace") as log:
                    raise AssertionError(f"{self.command()[0]} does not start:\n{log.read()}")
            time.sleep(0.02)

    def end(self, number=signal.SIGTERM):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(SECONDS_MAX)
        self.process = None

    def __enter__(self):
        try:
            self.prepare()
            self.start()
            self.fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Server):
    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir",
                self.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
