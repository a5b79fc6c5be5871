"""Starts `weft`, reads what it says, and ends it by its pid. Every wait has a deadline."""

import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("WEFT_BUILD", os.path.join(ROOT, "build")))
WEFT = os.path.join(BUILD, "weft")
FAST = bool(os.environ.get("WEFT_FAST"))
SECONDS_MAX = 30  # Of any one wait; a slow machine stays well below.
TICK_SECONDS = 0.010

_cache = tempfile.TemporaryDirectory(prefix="weft-test-cache-")


def guest(name):
    path = os.path.join(BUILD, "guests", name + ".wasm")
    if not os.path.exists(path):
        raise AssertionError(f"{path} is not built")
    return path


def environment(home):
    """What a host sees: nothing of the person who runs the tests, compiled guests kept."""
    return {"PATH": os.environ["PATH"], "HOME": home, "XDG_CACHE_HOME": _cache.name,
            "LC_ALL": "C.UTF-8"}


def until(check, what, seconds=SECONDS_MAX):
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


class Outcome:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.out!r}\nstderr: {self.err!r}"


def run(*words, folder=None, stdin=b"", env=None, seconds=SECONDS_MAX, **options):
    """One `weft` to its end."""
    with tempfile.TemporaryDirectory(prefix="weft-test-") as home:
        settings = environment(home)
        settings.update(env or {})
        done = subprocess.run([WEFT, *map(str, words)], cwd=folder or home, env=settings,
                              input=stdin, capture_output=True, timeout=seconds, check=False,
                              **options)
        return Outcome(done.returncode, done.stdout.decode(errors="replace"),
                       done.stderr.decode(errors="replace"))


class Host:
    """A serving `weft`. As a context manager it is ended with the block, and must end well."""

    def __init__(self, target, *options, http="127.0.0.1:0", state=None, env=None, verb="run",
                 seconds=SECONDS_MAX, **popen):
        self.folder = tempfile.mkdtemp(prefix="weft-test-")
        self.state = state or os.path.join(self.folder, "state")
        settings = environment(self.folder)
        settings.update(env or {})
        path = target if os.path.sep in target else guest(target)
        self.log = ""
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [WEFT, verb, "--http", http, "--state", self.state, *map(str, options), path],
            cwd=self.folder, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **popen)
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            # `weft dev` says first how it builds.
            begin = r"\A" if verb == "run" else r"(?:\A|\n)(?=http)"
            first = self.wait_log(begin + r"[^\n]*\n", seconds)[0].lstrip("\n")
            found = re.fullmatch(r"https?://([0-9.]+|\[[0-9a-f:]+\]):(\d+)/\n", first)
            if not found:
                raise AssertionError(f"the first line on stderr is not a URL: {first!r}")
        except AssertionError:
            self.kill()
            raise
        self.address = (found[1].strip("[]"), int(found[2]))
        self.url = first.strip()

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self.log += line.decode(errors="replace")
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_log(self, pattern, seconds=SECONDS_MAX):
        """Waits until standard error has what matches, and returns the match."""
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                found = re.search(pattern, self.log, re.S if "\n" in pattern else 0)
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or (not self._reader.is_alive() and self.process.poll() is not None):
                    raise AssertionError(f"nothing on stderr matches {pattern!r}:\n{self.log}")
                self._news.wait(min(left, 0.2))

    def memory_kib(self):
        """Anonymous memory that is resident."""
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"^RssAnon:\s+(\d+) kB", file.read(), re.M)[1])

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_idle(self):
        """Whether the process uses next to no processor time for a while."""
        before = self.cpu_seconds()
        time.sleep(0.2)  # The length of what is measured, not a wait for something.
        return self.cpu_seconds() - before <= 0.04

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=SECONDS_MAX):
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        self.out = self.process.stdout.read().decode(errors="replace")
        self.process.stdout.close()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def stop(self, number=signal.SIGTERM):
        """Ends it and returns its exit code."""
        self.send_signal(number)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end after a signal:\n{self.log}") from None

    def kill(self):
        """kill -9. The state folder stays when it was named by the test."""
        self.process.kill()
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.returncode is not None:
            return
        if kind:
            self.kill()
            return
        code = self.stop()
        if code != 0:
            raise AssertionError(f"exit code {code} after SIGTERM:\n{self.log}")


def raise_open_files():
    """Lets this process, and what it starts, have as many files open as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
