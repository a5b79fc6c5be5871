"""Outgoing HTTP: a guest that sends many requests to a server, a number of them at once, beside
plain libcurl that sends them with as many connections, and beside the same guest on `wasmtime
serve`. weft and libcurl have one thread.

Each request of wrk makes the guest send COUNT of its own, so that what is compared is a request
that goes out: from the guest's coroutine to the wire, and its response back.

The floor is what the goal cannot go below: the processor time of a request that is refused at the
door, which is the guest's and the engine's part of a request without its response, and that of
plain libcurl.
"""

import harness
import rows_http
from harness import Unmeasured, median, pair_ratios

LANES = (1, 32)
COUNT = {1: 500, 32: 4_000}
REFUSED_COUNT = 1_000
GOAL = 0.8


def start_upstream(setting):
    bare = setting.need(setting.built("bench", "weft_http_bare"))
    return harness.Server([bare, "0", "1"], harness.wasmtime_environment())


def curl_command(setting, upstream, connections, seconds):
    program = setting.need(setting.built("bench", "weft_curl_bench"))
    return [program, f"http://127.0.0.1:{upstream.port}/", str(connections), "1", str(seconds)]


def fan(upstream, lanes, count):
    return f"/?url=http://127.0.0.1:{upstream.port}/&lanes={lanes}&count={count}"


def one_round(setting, hosts, upstream, seconds, forwards):
    """{side: {requests at once: requests/s and, of hosts, their processor time}}."""
    sides = [*hosts, "curl"]
    out = {side: {} for side in sides}
    for lanes in LANES:
        for side in sides if forwards else reversed(sides):
            if side == "curl":
                command = curl_command(setting, upstream, lanes, seconds)
                text = harness.run(command, env=harness.wasmtime_environment())
                out[side][lanes] = {"rps": float(text)}
            else:
                run = harness.load(hosts[side], 1, seconds, fan(upstream, lanes, COUNT[lanes]))
                out[side][lanes] = {"rps": run["rps"] * COUNT[lanes],
                                    "cpu_us": run["cpu_us"] / COUNT[lanes]}
    return out


def refused_us(host, upstream, seconds):
    """Processor time of a request that the host does not let out."""
    run = harness.load(host, 1, seconds, fan(upstream, 1, REFUSED_COUNT))
    return run["cpu_us"] / REFUSED_COUNT


def floor_note(refused, curl_rps, rps):
    curl = 1e6 / curl_rps
    return (f"The floor: a request that is refused at the door takes {refused:.1f} µs of the "
            f"guest's and the engine's, with no response to hand over; libcurl, which keeps its "
            f"thread busy, {curl:.1f} at {LANES[-1]}. With no more than both, weft would be at "
            f"{curl / (refused + curl):.2f} × there; it is at {rps / curl_rps:.2f}.")


def outgoing(setting):
    seconds = 2 if setting.quick else 5
    rounds = []
    guest = setting.guest("fan_p3")
    command = harness.weft_command(setting, guest, "--loops", "1", "--cpu", "60s", "--allow-http",
                                   "http://127.0.0.1:*")
    closed = harness.weft_command(setting, guest, "--loops", "1", "--cpu", "60s")
    peer = harness.wasmtime_command(guest, *rows_http.BEST_FLAGS)
    cache = setting.folder("cache")
    with start_upstream(setting) as upstream, \
            harness.Server(command, harness.environment(XDG_CACHE_HOME=cache)) as weft, \
            harness.Server(closed, harness.environment(XDG_CACHE_HOME=cache)) as refusing, \
            harness.Server(peer, harness.wasmtime_environment(XDG_CACHE_HOME=cache)) as wasmtime:
        hosts = {"weft": weft, "wasmtime": wasmtime}
        for name, host in hosts.items():
            for lanes in LANES:
                status, _, body = host.get(fan(upstream, lanes, COUNT[lanes]))
                if status != 200 or int(body) != COUNT[lanes]:
                    raise Unmeasured(f"the guest on {name} answers {status}: {body[:80]!r}")
        for number in range(2 if setting.quick else 6):
            rounds.append(one_round(setting, hosts, upstream, seconds, number % 2 == 0))
            rounds[-1]["refused_us"] = refused_us(refusing, upstream, seconds)
        shown = curl_command(setting, upstream, LANES[-1], seconds)

    def series(side, lanes, figure="rps"):
        return [each[side][lanes][figure] for each in rounds]

    verdicts = []
    table = [["requests at once", "weft, requests/s", "libcurl, requests/s",
              "wasmtime serve, requests/s", "weft CPU µs per request", "wasmtime CPU µs"]]
    for lanes in LANES:
        ratio = median(pair_ratios(series("weft", lanes), series("curl", lanes)))
        verdicts.append({
            "what": f"requests/s, {lanes} at once, against plain libcurl",
            "asked": f"≥ {GOAL:g} ×",
            "measured": f"{median(series('weft', lanes)):,.0f} to "
                        f"{median(series('curl', lanes)):,.0f}",
            "ratio": ratio,
            "met": ratio >= GOAL,
        })
        table.append([str(lanes),
                      *(f"{median(series(side, lanes)):,.0f}"
                        for side in ("weft", "curl", "wasmtime")),
                      *(f"{median(series(side, lanes, 'cpu_us')):.1f}" for side in hosts)])
    return {
        "verdicts": verdicts,
        "table": table,
        "commands": [setting.shown(command), setting.shown(peer), setting.shown(shown)],
        "notes": ["weft and libcurl have one thread; the server that is asked (the bare loop) has "
                  "the other core.",
                  floor_note(median([each["refused_us"] for each in rounds]),
                             median(series("curl", LANES[-1])), median(series("weft", LANES[-1])))],
        "rounds": rounds,
    }
