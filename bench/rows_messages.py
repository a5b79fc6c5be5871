"""The embedded log of messages: how many one flush keeps, beside SQLite, and how soon a handler
starts."""

import http.client
import json
import os
import time

import harness
from harness import Unmeasured, median

PUBLISHERS = 64
WAIT_SECONDS = 20
# Rounds are further apart, and a handler starts no earlier before its publisher hears.
STALE_NANOSECONDS = 100_000_000

MANIFEST = """
[app]
name = "bench"
[component.web]
source = "{publisher}"
uses.messaging = [""]
limits = {{ time = "0s" }}
[component.store]
source = "{store}"
uses.keyvalue = [""]
[component.stamps]
source = "{handler}"
uses.keyvalue = [""]
uses.messaging = [""]
[[trigger.http]]
route = "/..."
component = "web"
[[trigger.http]]
route = "/kv/..."
component = "store"
"""
# One in which each message has an instance of its own, and one in which instances are used again.
TRIGGER = """
[[trigger.message]]
topic = "{instances}"
component = "stamps"
instances = "{instances}"
"""
INSTANCES = ("fresh", "reused")


def app(setting):
    """One component publishes, another is woken and keeps when."""
    folder = setting.folder("messages-app")
    with open(os.path.join(folder, "weft.toml"), "w", encoding="utf-8") as file:
        file.write(MANIFEST.format(publisher=setting.guest("publisher"),
                                   store=setting.guest("keyvalue_p2"),
                                   handler=setting.guest("handler")))
        file.write("".join(TRIGGER.format(instances=each) for each in INSTANCES))
    return [setting.need(setting.built("weft")), "run", folder, "--state",
            setting.folder("messages-state"), "--http", "127.0.0.1:0", "--quiet"]


def ask(port, method, path, body=None):
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    peer.request(method, path, body)
    response = peer.getresponse()
    text = response.read().decode()
    peer.close()
    return response.status, text


def started(port, number, kept):
    """When the handler of that message started. What it left in a round before is older."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        status, text = ask(port, "GET", f"/kv/stamp/{number}")
        if status == 200 and int(text) > kept - STALE_NANOSECONDS:
            return int(text)
        time.sleep(0.01)
    raise Unmeasured(f"message {number} was not handled in {WAIT_SECONDS} s")


def delays(port, instances, count):
    """From a message being kept to its handler's start, in µs, sorted."""
    status, text = ask(port, "POST", f"/stamps/{instances}", str(count))
    if status != 200:
        raise Unmeasured(f"publishing answers {status}: {text[:300]}")
    kept = [int(line) for line in text.split()]
    return sorted((started(port, i, kept[i]) - kept[i]) / 1000 for i in range(count))


def embedded(setting):
    rounds, count = (2, 100) if setting.quick else (7, 300)
    command = [setting.need(setting.built("bench", "weft_messages_bench")),
               f"--benchmark_filter=/{PUBLISHERS}/", "--benchmark_format=json",
               f"--benchmark_min_time={0.2 if setting.quick else 1}"]
    rates, theirs, shares = [], [], []
    p50s, p99s = {each: [] for each in INSTANCES}, {each: [] for each in INSTANCES}
    serve = app(setting)
    with harness.Server(serve, harness.environment(XDG_CACHE_HOME=setting.folder("cache"))) as weft:
        for instances in INSTANCES:
            delays(weft.port, instances, 20)
        for _ in range(rounds):
            rows = {row["name"].split("/")[0]: row
                    for row in json.loads(harness.run(command))["benchmarks"]}
            rates.append(rows["embedded"]["items_per_second"])
            shares.append(rows["embedded"]["messages_per_flush"])
            theirs.append(rows["sqlite_wal"]["items_per_second"])
            for instances in INSTANCES:
                each = delays(weft.port, instances, count)
                p50s[instances].append(each[len(each) // 2])
                p99s[instances].append(each[len(each) * 99 // 100])
    return {
        "verdicts": [
            {"what": f"{PUBLISHERS} publishers: messages in one flush", "asked": "≥ 32",
             "measured": f"{median(shares):.0f}", "ratio": median(shares) / 32,
             "met": median(shares) >= 32},
            *({"what": f"message kept to handler started, instances {each}, p50",
               "asked": "≤ 100 µs", "measured": f"{median(p50s[each]):.0f} µs",
               "ratio": median(p50s[each]) / 100, "met": median(p50s[each]) <= 100}
              for each in INSTANCES)],
        "table": [["", "weft", "SQLite, WAL"],
                  [f"{PUBLISHERS} publishers, messages a second", f"{median(rates):,.0f}",
                   f"{median(theirs):,.0f}"],
                  ["messages in one flush", f"{median(shares):.1f}", "1"],
                  *([f"kept to handler started, instances {each}, p50 and p99",
                     f"{median(p50s[each]):.0f}, {median(p99s[each]):.0f} µs", ""]
                    for each in INSTANCES)],
        "rounds": {"weft": rates, "sqlite": theirs, "per flush": shares, "p50": p50s, "p99": p99s},
        "commands": [setting.shown(command), setting.shown(serve)],
        "notes": ["Messages of 100 bytes; each publisher waits for its last message to be kept. "
                  "SQLite flushes at each commit (synchronous = FULL), a connection and a thread "
                  "for each publisher. A handler starts when the guest's code does; the publisher "
                  "pauses between messages; both read the wall clock. "
                  "Below zero: the handler starts before its publisher has heard that the message "
                  "is kept."]}
