#!/usr/bin/env python3
"""What a host does with the descriptors and signals it is started with: streams that are closed,
full, or read by nobody end nothing and hold nothing up, and a signal always ends it."""

import fcntl
import os
import signal
import subprocess
import tempfile
import unittest

from client import Connection, get
from host import SECONDS_MAX, WEFT, Host, environment, guest, until


class Process(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weft-test-process-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, words, **popen):
        process = subprocess.Popen([WEFT, "run", *words], cwd=self.folder,
                                   env=environment(self.folder), **popen)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS_MAX)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def shell(self, line):
        """The exit code of a shell's command line; $WEFT and $GUESTS stand for the host."""
        settings = environment(self.folder)
        settings.update(WEFT=WEFT, GUESTS=os.path.dirname(guest("hello_p2")))
        return subprocess.run(["sh", "-c", line], cwd=self.folder, env=settings,
                              timeout=SECONDS_MAX, check=False).returncode

    def listens(self, process):
        """Whether the process has a socket that listens."""
        try:
            links = [os.readlink(f"/proc/{process.pid}/fd/{fd}")
                     for fd in os.listdir(f"/proc/{process.pid}/fd")]
        except OSError:
            return False
        with open(f"/proc/{process.pid}/net/tcp") as file:
            rows = [row.split() for row in file.read().splitlines()[1:]]
        listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
        return any(link in listening for link in links)


class Streams(Process):
    def test_messages_that_cannot_be_written(self):
        """A message for nobody changes no exit code."""
        for where in ("2>/dev/full", "2>&-", "0<&- 1>&- 2>&-"):
            self.assertEqual(self.shell(f'"$WEFT" run nofile {where}'), 1, where)
        self.assertEqual(self.shell('"$WEFT" run $GUESTS/hello_command.wasm 2>/dev/full >out'), 0)

    def test_serving_without_streams(self):
        """It serves, ends well, and writes into none of its own files, whatever is closed."""
        for number, closed in enumerate(([2], [0, 2], [0, 1, 2])):
            state = os.path.join(self.folder, f"state{number}")

            def close(closed=closed):
                for fd in closed:
                    os.close(fd)

            process = self.start(["--http", "127.0.0.1:0", "--state", state,
                                  guest("keyvalue_p2")], preexec_fn=close)
            until(lambda: self.listens(process) or process.poll() is not None, "it serves")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(SECONDS_MAX), 0, closed)
            with open(os.path.join(state, "owner.lock")) as file:
                self.assertEqual(file.read(), f"{process.pid}\n")

    def test_full_device(self):
        """A stderr without room is no reason not to serve."""
        with open("/dev/full", "w") as full:
            process = self.start(["--http", "127.0.0.1:0", guest("hello_p2")], stderr=full)
            until(lambda: self.listens(process) or process.poll() is not None, "it serves")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(SECONDS_MAX), 0)

    def test_full_pipe(self):
        """A stderr that nobody reads holds up neither requests nor the end."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        process = self.start(["--http", "127.0.0.1:0", "--loops", "1", "--access-log", "-",
                              guest("hello_p2")], stderr=writer)
        os.close(writer)
        url = b""
        while b"\n" not in url:
            url += os.read(reader, 1)
        port = int(url.rsplit(b":", 1)[1].strip(b"/\n"))

        class Address:
            address = ("127.0.0.1", port)

        with Connection(Address) as connection:
            for _ in range(2000):
                self.assertEqual(connection.get("/").status, 200)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(SECONDS_MAX), 0)

    def test_access_log_pipe(self):
        """A pipe for the access log is refused when nobody reads it, and not waited for."""
        path = os.path.join(self.folder, "log")
        os.mkfifo(path)
        outcome = subprocess.run([WEFT, "run", "--http", "127.0.0.1:0", "--access-log", path,
                                  guest("hello_p2")], env=environment(self.folder),
                                 cwd=self.folder, stderr=subprocess.PIPE, timeout=SECONDS_MAX,
                                 check=False)
        self.assertEqual(outcome.returncode, 1)
        self.assertIn(b"nobody reads this pipe", outcome.stderr)


class Signals(Process):
    def test_while_it_compiles(self):
        """Before it serves a signal ends it at once, with the shell's exit code."""
        # A cache of its own, so that it compiles.
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen([WEFT, "run", "--http", "127.0.0.1:0", guest("hello_p3")],
                                       cwd=self.folder, stderr=subprocess.DEVNULL,
                                       env={**environment(self.folder),
                                            "XDG_CACHE_HOME": self.folder + str(number.value)})
            self.addCleanup(self.end, process)
            until(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 2, "the engine is there")
            early = not self.listens(process)
            process.send_signal(number)
            code = process.wait(SECONDS_MAX)
            self.assertIn(code, [128 + number] if early else [0, 128 + number])


class HalfClose(Process):
    def test_response_after_a_half_close(self):
        """A client that has said everything still gets a response that takes its time, whole."""
        with Host("hello_p2") as host:
            with Connection(host) as connection:
                connection.send_head("GET", "/chunks")
                connection.half_close()
                response = connection.response()
                self.assertEqual(response.text, "".join(f"chunk {i}\n" for i in range(5)))
                self.assertTrue(connection.is_closed())
            with Connection(host) as connection:
                connection.send(b"GET /chunks HTTP/1.1\r\nhost: a\r\n\r\n"
                                b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                connection.half_close()
                self.assertEqual(connection.response().text.count("chunk"), 5)
                self.assertEqual(connection.response().text, get(host, "/").text)


if __name__ == "__main__":
    unittest.main()
