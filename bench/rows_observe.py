"""What it costs to be seen: hello components with an admin address, which is scraped once a second,
beside the same host without one.

The two take turns, and the processor time for each request is what is compared: requests/s move
with whatever else the machine does. The client shares the machine's cores.
"""

import os
import socket
import threading
import urllib.request

import harness
import rows_http
from harness import Unmeasured, median, pair_ratios

CONNECTIONS = 32
GOAL = 1.1


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


ADMIN = free_address()


class Scraper(threading.Thread):
    """Reads /metrics once a second, as Prometheus would, until it is told to stop."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.scraped = 0

    def run(self):
        while not self.over.wait(1):
            with urllib.request.urlopen(f"http://{ADMIN}/metrics", timeout=5) as response:
                self.scraped += b"weft_http_requests_total" in response.read()

    def stop(self):
        self.over.set()
        self.join()
        return self.scraped


def one(command, env, seconds, watched):
    with harness.Server(command, env) as server:
        harness.load(server, CONNECTIONS, 1)
        if not watched:
            return harness.load(server, CONNECTIONS, seconds)
        scraper = Scraper()
        scraper.start()
        figures = harness.load(server, CONNECTIONS, seconds)
        if scraper.stop() == 0 and seconds > 1:
            raise Unmeasured("/metrics was not read")
        return figures


def observed(setting):
    seconds = 2 if setting.quick else 5
    log = os.path.join(setting.folder("http"), "access.log")
    env = harness.environment(XDG_CACHE_HOME=setting.folder("cache"))
    verdicts = []
    commands = []
    all_rounds = {}
    table = [["guest", "", "requests/s", "p99 ms", "server CPU µs per request"]]
    for guest in ("hello_p2", "hello_p3"):
        plain = harness.weft_command(setting, setting.guest(guest), *rows_http.WEFT_FLAGS,
                                     "--access-log", log)
        watched = harness.weft_command(setting, setting.guest(guest), *rows_http.WEFT_FLAGS,
                                       "--access-log", log, "--admin", ADMIN)
        rounds = []
        for number in range(2 if setting.quick else 8):
            sides = [("plain", plain), ("watched", watched)]
            figures = {name: one(command, env, seconds, name == "watched")
                       for name, command in (sides if number % 2 == 0 else sides[::-1])}
            rounds.append(figures)
            if os.path.exists(log):
                os.remove(log)
        series = {name: {figure: [each[name][figure] for each in rounds]
                         for figure in ("rps", "p99_ms", "cpu_us")}
                  for name in ("plain", "watched")}
        ratio = median(pair_ratios(series["watched"]["cpu_us"], series["plain"]["cpu_us"]))
        verdicts.append({
            "what": f"processor time a request, {guest}, with metrics against without",
            "asked": f"≤ {GOAL:g} ×",
            "measured": f"{median(series['watched']['cpu_us']):.1f} to "
                        f"{median(series['plain']['cpu_us']):.1f} µs",
            "ratio": ratio,
            "met": ratio <= GOAL,
        })
        for name, title in (("plain", "without"), ("watched", "with metrics, scraped each second")):
            table.append([guest, title,
                          *(format(median(series[name][figure]), form)
                            for figure, form in (("rps", ",.0f"), ("p99_ms", ".2f"),
                                                 ("cpu_us", ".2f")))])
        commands.append(setting.shown(watched))
        all_rounds[guest] = rounds
    return {
        "verdicts": verdicts,
        "table": table,
        "commands": commands + [setting.shown(harness.wrk_command(0, CONNECTIONS, seconds))],
        "notes": ["All limits and the access log are on, on both sides."],
        "rounds": all_rounds,
    }
