"""HTTP: hello components on weft, on `wasmtime serve` and, for scale, on the bare loop.

Servers take turns: every round starts each of them afresh and loads it, and every other round goes
through them backwards. A ratio is the median of the rounds' own ratios, so that a machine that is
slow for a while is slow for both sides.
"""

import json
import os

import harness
from harness import Unmeasured, median, pair_ratios

CONNECTIONS = (1, 32, 256)
# Every limit on: none of them is reached.
WEFT_FLAGS = ["--memory", "64MiB", "--cpu", "200ms", "--time", "5s"]
# What a component with WASI 0.1's adapter needs to be served at all.
DEFAULT_FLAGS = ["-S", "cli=y"]
BEST_FLAGS = DEFAULT_FLAGS + [
    "-O", "pooling-allocator=y,pooling-memory-keep-resident=2097152,"
          "pooling-table-keep-resident=524288,pooling-async-stack-keep-resident=2097152,"
          "pooling-max-unused-warm-slots=1000",
    "--no-logging-prefix"]


def configurations(setting, guest, best_flags):
    """Name → how to start it: command, environment."""
    log = os.path.join(setting.folder("http"), "access.log")
    bare = [setting.need(setting.built("bench", "weft_http_bare")), "0", str(os.cpu_count())]
    return {
        "weft": (harness.weft_command(setting, guest, *WEFT_FLAGS, "--access-log", log),
                 harness.environment(XDG_CACHE_HOME=setting.folder("cache"))),
        "default": (harness.wasmtime_command(guest, *DEFAULT_FLAGS),
                    harness.wasmtime_environment(XDG_CACHE_HOME=setting.folder("cache"))),
        "best": (harness.wasmtime_command(guest, *best_flags),
                 harness.wasmtime_environment(XDG_CACHE_HOME=setting.folder("cache"))),
        "bare": (bare, harness.wasmtime_environment()),
    }


def check_same(configs):
    """Both sides give the same body bytes; returns it and how long each one's head is."""
    bodies = {}
    heads = {}
    for name in ("weft", "best"):
        with harness.Server(*configs[name]) as server:
            status, head, body = server.get("/")
        if status != 200:
            raise Unmeasured(f"{name} answers {status}")
        bodies[name] = body
        heads[name] = len(head) + 4
    if bodies["weft"] != bodies["best"]:
        raise Unmeasured(f"the bodies differ: {bodies}")
    return bodies["weft"], heads


def one_round(configs, names, setting, seconds):
    """{name: {connections: figures}}, each server started afresh."""
    out = {}
    for name in names:
        with harness.Server(*configs[name]) as server:
            out[name] = {}
            for connections in CONNECTIONS:
                harness.load(server, connections, 1)
                out[name][connections] = harness.load(server, connections, seconds)
        log = os.path.join(setting.folder("http"), "access.log")
        if os.path.exists(log):
            os.remove(log)
    return out


def engine_floor(setting, guest):
    """What the engine alone costs for each request of the guest, and the command."""
    command = [setting.need(setting.built("bench", "weft_http_floor_bench")),
               setting.guest(guest), "2" if setting.quick else "5", str(os.cpu_count())]
    return json.loads(harness.run(command)), setting.shown(command)


def measure(setting, guest, best_flags, goals):
    """The row of one guest. `goals`: connections → (requests/s against best, against default, p99
    against best), None where nothing is asked."""
    harness.check_baseline()
    configs = configurations(setting, setting.guest(guest), best_flags)
    body, heads = check_same(configs)
    rounds = []
    names = list(configs)
    for number in range(setting.rounds):
        order = names if number % 2 == 0 else names[::-1]
        rounds.append(one_round(configs, order, setting, 1 if setting.quick else 5))

    def series(name, connections, figure):
        return [each[name][connections][figure] for each in rounds]

    verdicts = []
    for connections, (best, default, p99) in goals.items():
        for base, figure, asked in (("best", "rps", best), ("default", "rps", default),
                                    ("best", "p99_ms", p99)):
            if asked is None:
                continue
            ours = series("weft", connections, figure)
            theirs = series(base, connections, figure)
            ratio = median(pair_ratios(ours, theirs))
            word, form, unit = (("requests/s", ",.0f", "") if figure == "rps"
                                else ("p99", ".2f", " ms"))
            verdicts.append({
                "what": f"{word} at {connections} against {base} flags",
                "asked": f"{'≥' if figure == 'rps' else '≤'} {asked:g} ×",
                "measured": f"{median(ours):{form}} to {median(theirs):{form}}{unit}",
                "ratio": ratio,
                "met": ratio >= asked if figure == "rps" else ratio <= asked,
            })
    table = [["connections", "", "requests/s", "p50 ms", "p99 ms", "server CPU µs per request"]]
    for connections in CONNECTIONS:
        for name, title in (("weft", "weft, all limits, access log"),
                            ("default", "wasmtime serve, default flags"),
                            ("best", "wasmtime serve, best flags"),
                            ("bare", "bare loop, no guest")):
            table.append([str(connections), title,
                          *(format(median(series(name, connections, figure)), form)
                            for figure, form in (("rps", ",.0f"), ("p50_ms", ".2f"),
                                                 ("p99_ms", ".2f"), ("cpu_us", ".1f")))])
    engine, floor_command = engine_floor(setting, guest)
    bare = median(series("bare", 32, "cpu_us"))
    floor = engine["mean_us"] + bare
    ours, theirs = (median(series(name, 32, "cpu_us")) for name in ("weft", "best"))
    spread = "; ".join(
        f"{c}: " + " ".join(f"{r:.2f}" for r in pair_ratios(series("weft", c, "rps"),
                                                            series("best", c, "rps")))
        for c in CONNECTIONS)
    return {
        "verdicts": verdicts,
        "table": table,
        "commands": [setting.shown(configs[name][0]) for name in configs]
                    + [setting.shown(harness.wrk_command(0, c, 5)) for c in CONNECTIONS]
                    + [floor_command],
        "notes": [
            f"Body {body!r} on both sides (the bare loop's is two bytes shorter); heads of "
            f"{heads['weft']} and {heads['best']} bytes.",
            f"The floor: the engine alone (store, instance, handler, drop; no socket) takes "
            f"{engine['mean_us']:.1f} µs of processor time a request, the bare loop {bare:.1f} at "
            f"32: {floor:.1f} µs together, where weft takes {ours:.1f} and `wasmtime serve` "
            f"{theirs:.1f}. With no more than that, weft would be at {theirs / floor:.2f} × there.",
            f"Ratios to the best flags, round by round: {spread}.",
            "RUST_BACKTRACE unset, mimalloc on all (LD_PRELOAD where it is not linked); "
            "`wasmtime serve` enforces no limit and writes no log.",
        ],
        "rounds": rounds,
        "engine": engine,
    }


def p2(setting):
    goals = {1: (1.1, None, None), 32: (2.0, 5.0, 0.5), 256: (2.0, 5.0, 0.5)}
    return measure(setting, "hello_p2", BEST_FLAGS, goals)


def p3(setting):
    goals = {1: (1.0, None, None), 32: (2.0, None, None), 256: (2.0, None, None)}
    return measure(setting, "hello_p3", BEST_FLAGS, goals)
