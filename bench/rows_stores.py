"""Stores on the real systems, from a guest, beside a plain client of the same server."""

import concurrent.futures
import http.client
import json
import os
import socket
import subprocess
import time

import harness
from harness import Unmeasured, median, pair_ratios

KEY = "0123456789abcdef"
HASH = "weft:{bench/}:values"
CALLS = 1000
GUESTS = 64


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    """Debian's redis-server with nothing on disk, on a port of its own."""

    def __init__(self, folder):
        self.port = free_port()
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder,
             "--save", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)
        self.__exit__()
        raise Unmeasured("redis-server does not serve")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(10)


def app(setting, port):
    """An app of the key-value guest, and its operator's file."""
    folder = setting.folder("redis-app")
    with open(os.path.join(folder, "weft.toml"), "w", encoding="utf-8") as file:
        file.write('[app]\nname = "bench"\n[component.gets]\n'
                   f'source = "{setting.guest("keyvalue_p2")}"\nuses.keyvalue = [""]\n'
                   '[[trigger.http]]\nroute = "/..."\ncomponent = "gets"\n')
    on = os.path.join(folder, "on.toml")
    with open(on, "w", encoding="utf-8") as file:
        file.write(f'[keyvalue.""]\ndriver = "redis"\nurl = "redis://127.0.0.1:{port}"\n')
    return [setting.need(setting.built("weft")), "run", folder, "--on", on, "--http",
            "127.0.0.1:0", "--quiet"]


def batches(port, count):
    """The nanoseconds of a get, as the guest's own clock has them, batch by batch."""
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    out = []
    for _ in range(count):
        peer.request("GET", f"/bench?n={CALLS}")
        response = peer.getresponse()
        body = response.read()
        if response.status != 200:
            raise Unmeasured(f"/bench answers {response.status}: {body[:200]!r}")
        out.append(int(body) / CALLS)
    peer.close()
    return out


def together(port, each):
    """Gets a second of 64 guests at once."""
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
        done = list(pool.map(lambda _: batches(port, each), range(GUESTS)))
    return sum(len(one) for one in done) * CALLS / (time.monotonic() - start)


def redis_benchmark(port, requests):
    out = harness.run(["redis-benchmark", "-p", str(port), "-c", str(GUESTS), "-n", str(requests),
                       "--csv", "HGET", HASH, KEY])
    return float(out.strip().splitlines()[-1].split(",")[1].strip('"'))


def redis(setting):
    plain_program = setting.need(setting.built("bench", "weft_redis_bench"))
    rounds, each, requests = (2, 2, 20_000) if setting.quick else (6, 8, 500_000)
    ones, plains, ours, theirs = [], [], [], []
    with Redis(setting.folder("redis")) as server:
        command = app(setting, server.port)
        with harness.Server(command, harness.environment(
                XDG_CACHE_HOME=setting.folder("cache"))) as weft:
            batches(weft.port, 5)
            plain = [plain_program, str(server.port), "20000", HASH, KEY]
            for _ in range(rounds):
                plains.append(json.loads(harness.run(plain))["mean"] / 1000)
                ones.append(median(batches(weft.port, 30)) / 1000)
                theirs.append(redis_benchmark(server.port, requests))
                ours.append(together(weft.port, each))
    over = median([one - bare for one, bare in zip(ones, plains)])
    ratio = median(pair_ratios(ours, theirs))
    return {
        "verdicts": [
            {"what": "get from a guest on Redis, beside a plain client", "asked": "≤ 25 µs more",
             "measured": f"{median(ones):.1f} to {median(plains):.1f} µs", "ratio": over / 25,
             "met": over <= 25},
            {"what": "64 guests at once, beside redis-benchmark -c 64", "asked": "≥ 0.9 ×",
             "measured": f"{median(ours):,.0f} to {median(theirs):,.0f} gets/s", "ratio": ratio,
             "met": ratio >= 0.9}],
        "table": [["", "weft", "plain"],
                  ["one get after the other", f"{median(ones):.1f} µs", f"{median(plains):.1f} µs"],
                  ["64 at once", f"{median(ours):,.0f}/s", f"{median(theirs):,.0f}/s"]],
        "rounds": {"one": ones, "plain": plains, "guests": ours, "redis-benchmark": theirs},
        "commands": [setting.shown(command), setting.shown(plain),
                     f"redis-benchmark -p PORT -c {GUESTS} -n {requests} HGET '{HASH}' {KEY}"],
        "notes": ["16-byte keys and values. One get after the other: means of 1,000, the guest's "
                  "by its own clock, p50 of the batches. 64 at once: 64 HTTP connections, on each "
                  "a fresh instance for every 1,000 gets; all of them share a connection to Redis "
                  "on each loop. redis-benchmark has 64 connections and does not pipeline."]}


def lmdb_writers(setting):
    """64 writers on the embedded driver, each of whose writes is durable before its next one."""
    writers = 64
    command = [setting.need(setting.built("bench", "weft_lmdb_bench")),
               f"--benchmark_filter=^(writers/{writers}|flush|commit_floor/{writers})/",
               "--benchmark_format=json",
               f"--benchmark_min_time={0.3 if setting.quick else 2}"]
    rates, shares, flushes, floors = [], [], [], []
    for _ in range(2 if setting.quick else 7):
        rows = {row["name"].split("/")[0]: row
                for row in json.loads(harness.run(command))["benchmarks"]}
        rates.append(rows["writers"]["items_per_second"])
        shares.append(rows["writers"]["writes_per_flush"])
        flushes.append(rows["flush"]["real_time"] / 1e6)
        floors.append(rows["commit_floor"]["real_time"] / 1e6)
    ratio = median([rate * flush / writers for rate, flush in zip(rates, flushes)])
    return {
        "verdicts": [
            {"what": "64 writers: writes in one commit", "asked": "≥ 32",
             "measured": f"{median(shares):.0f}", "ratio": median(shares) / 32,
             "met": median(shares) >= 32},
            {"what": "64 writers: writes a second, of 64 ÷ the time of a flush", "asked": "≥ 0.5 ×",
             "measured": f"{median(rates):,.0f} writes/s, a flush {1000 * median(flushes):.2f} ms",
             "ratio": ratio, "met": ratio >= 0.5}],
        "table": [["", "measured"], ["writes a second", f"{median(rates):,.0f}"],
                  ["writes in one commit", f"{median(shares):.1f}"],
                  ["a commit", f"{1000 * median(shares) / median(rates):.2f} ms"],
                  ["floor: 64 pages that lie apart flushed, then one more",
                   f"{1000 * median(floors):.2f} ms"],
                  ["4 KiB written and flushed", f"{1000 * median(flushes):.2f} ms"]],
        "rounds": {"writes": rates, "per commit": shares, "flush": flushes, "floor": floors},
        "commands": [setting.shown(command)],
        "notes": ["Values of 100 bytes under 10,000 keys. A commit of LMDB is two flushes, one of "
                  "the pages and one of the page that makes them valid, and the pages of 64 keys "
                  "lie apart, while the flush that it is measured by writes one page: the floor "
                  "has what the disk takes for that alone."]}
