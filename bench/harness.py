"""What every row is measured with: where things are, servers, load, figures.

Servers are started by the bench, on a port of their own, and stopped by it. Both sides run with
the same environment: no RUST_BACKTRACE (it makes Wasmtime take a backtrace for every store that is
dropped), mimalloc as malloc.
"""

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "weft")
WASMTIME = os.path.join(CACHE, "baseline", "bin", "wasmtime")
WASMTIME_VERSION = "48.0.8"
MIMALLOC = "libmimalloc.so.2"
PROGRAM_SECONDS_MAX = 1800
START_SECONDS_MAX = 120


class Unmeasured(Exception):
    """A row that could not be measured, and why, for the person who reads the results."""


class Setting:
    """What the command line asked for, and a scratch folder that goes with the run."""

    def __init__(self, build, quick, rounds):
        self.build = os.path.abspath(build)
        self.quick = quick
        self.rounds = 2 if quick else rounds
        self.scratch = tempfile.mkdtemp(prefix="weft-bench-")

    def built(self, *names):
        return os.path.join(self.build, *names)

    def guest(self, name):
        return self.need(self.built("guests", f"{name}.wasm"))

    def need(self, path):
        if not os.path.exists(path):
            raise Unmeasured(f"{self.shown([path])} is not built "
                             "(ninja -C build weft benches guests)")
        return path

    def folder(self, name):
        path = os.path.join(self.scratch, name)
        os.makedirs(path, exist_ok=True)
        return path

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def shown(self, command):
        """The command as a reader would type it: no path of this machine."""
        text = " ".join(command)
        for path, name in ((self.scratch, "SCRATCH"), (self.build, "build"), (ROOT + "/", ""),
                           (os.path.expanduser("~"), "~")):
            text = text.replace(path, name)
        return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


def environment(**more):
    """The environment both sides run in, with more in it."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("WEFT_", "RUST_", "LD_", "MIMALLOC_", "TOKIO_"))}
    env.update(more)
    return env


def wasmtime_environment(**more):
    return environment(LD_PRELOAD=MIMALLOC, **more)


def check_baseline():
    """The baseline's program, when it is there in the right version."""
    if not os.path.exists(WASMTIME):
        raise Unmeasured("no baseline: scripts/setup.sh bench installs wasmtime-cli "
                         + WASMTIME_VERSION)
    found = subprocess.run([WASMTIME, "--version"], capture_output=True, text=True, check=True)
    if WASMTIME_VERSION not in found.stdout:
        raise Unmeasured(f"the baseline is {found.stdout.strip()}, not {WASMTIME_VERSION}")


def ended(command, **options):
    """A program that was run, in bounded time; however it ends."""
    options.setdefault("env", environment())
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT,
                              stdin=subprocess.DEVNULL, timeout=PROGRAM_SECONDS_MAX, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unmeasured(str(error)) from error


def run(command, **options):
    """The standard output of a program that must end well."""
    done = ended(command, **options)
    if done.returncode != 0:
        raise Unmeasured(f"{os.path.basename(command[0])} ended with {done.returncode}: "
                         + done.stderr.strip()[-400:])
    return done.stdout


class Server:
    """A serving process, from its start until the end of the with-block.

    It is ready when it has printed a line with its URL; `started` is when it was asked to start.
    """

    def __init__(self, command, env):
        self.command = command
        self.lines = []
        self.port = None
        self._ready = threading.Event()
        self.started = time.monotonic()
        self._process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, cwd=ROOT,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.pid = self._process.pid
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for raw in self._process.stderr:
            line = raw.decode(errors="replace")
            if len(self.lines) < 100:
                self.lines.append(line)
            found = re.search(r"http://[^\s\"/]*:(\d+)", line)
            if found and self.port is None:
                self.port = int(found.group(1))
                self._ready.set()
        self._ready.set()

    def __enter__(self):
        self._ready.wait(START_SECONDS_MAX)
        if self.port is None:
            self.__exit__()
            raise Unmeasured(f"{os.path.basename(self.command[0])} does not serve: "
                             + "".join(self.lines).strip()[-400:])
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        """Anonymous memory, and all that is resident: files that are mapped count there."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            text = status.read()
        return tuple(int(re.search(rf"{name}:\s+(\d+)", text).group(1)) / 1024
                     for name in ("RssAnon", "VmRSS"))

    def get(self, path="/"):
        """(status, head, body) of one request on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as peer:
            peer.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
            answer = b""
            while piece := peer.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            raise Unmeasured(f"no HTTP answer to {path}: {answer[:80]!r}")
        if b"chunked" in head.lower():
            body = dechunk(body)
        return int(head.split()[1]), head, body


def dechunk(body):
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        count = int(size, 16)
        out += body[:count]
        body = body[count + 2:]
    return out


def weft_command(setting, guest, *more):
    weft = setting.need(setting.built("weft"))
    # Words after the component are its own arguments.
    return [weft, "run", "--http", "127.0.0.1:0", "--quiet", *more, guest]


def wasmtime_command(guest, *flags):
    return [WASMTIME, "serve", *flags, "--addr", "127.0.0.1:0", guest]


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def wrk_command(port, connections, seconds, path="/"):
    threads = 1 if connections == 1 else 2
    return ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency",
            f"http://127.0.0.1:{port}{path}"]


def load(server, connections, seconds, path="/"):
    """One run of wrk: requests/s, latencies, and the server's processor time for each request."""
    before = server.cpu_seconds()
    out = run(wrk_command(server.port, connections, seconds, path))
    spent = server.cpu_seconds() - before
    bad = re.search(r"Non-2xx.*|Socket errors.*", out)
    if bad:
        raise Unmeasured(f"{os.path.basename(server.command[0])}: wrk met errors: {bad.group(0)}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    return {
        "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
        "p50_ms": milliseconds(re.search(r"\n +50% +(\S+)", out).group(1)),
        "p99_ms": milliseconds(re.search(r"\n +99% +(\S+)", out).group(1)),
        "cpu_us": spent * 1e6 / max(requests, 1),
    }


def median(values):
    return statistics.median(values)


def pair_ratios(ours, theirs):
    """The ratios of runs that followed each other."""
    return [a / b for a, b in zip(ours, theirs)]
