"""Outgoing HTTP: a guest that sends each request on to a server, beside plain libcurl, which asks
that server itself with as many connections and threads.

The guest's side does more: it also serves the request, in a fresh instance. All three share the
machine's cores with the server that is asked (the bare loop).
"""

import os

import harness
from harness import Unmeasured, median, pair_ratios

CONNECTIONS = (1, 32)
GOAL = 0.8


def start_upstream(setting):
    bare = setting.need(setting.built("bench", "weft_http_bare"))
    return harness.Server([bare, "0", "1"], harness.wasmtime_environment())


def curl_command(setting, upstream, connections, seconds):
    program = setting.need(setting.built("bench", "weft_curl_bench"))
    return [program, f"http://127.0.0.1:{upstream.port}/", str(connections), str(os.cpu_count()),
            str(seconds)]


def one_round(setting, weft, upstream, target, seconds, weft_first):
    """{side: {connections: requests/s and, of weft, its processor time}}."""
    out = {"weft": {}, "curl": {}}
    for connections in CONNECTIONS:
        def ours(connections=connections):
            harness.load(weft, connections, 1, target)
            out["weft"][connections] = harness.load(weft, connections, seconds, target)

        def theirs(connections=connections):
            command = curl_command(setting, upstream, connections, seconds)
            text = harness.run(command, env=harness.wasmtime_environment())
            out["curl"][connections] = {"rps": float(text)}
        for side in (ours, theirs) if weft_first else (theirs, ours):
            side()
    return out


def outgoing(setting):
    seconds = 1 if setting.quick else 5
    rounds = []
    rule = "http://127.0.0.1:*"
    command = harness.weft_command(setting, setting.guest("proxy_p2"), "--allow-http", rule)
    with start_upstream(setting) as upstream:
        target = f"/send?authority=127.0.0.1:{upstream.port}&path=/"
        with harness.Server(command, harness.environment(
                XDG_CACHE_HOME=setting.folder("cache"))) as weft:
            status, _, body = weft.get(target)
            if status != 200 or body != upstream.get("/")[2]:
                raise Unmeasured(f"the proxy answers {status}: {body[:80]!r}")
            for number in range(2 if setting.quick else 6):
                rounds.append(one_round(setting, weft, upstream, target, seconds, number % 2 == 0))
        shown = curl_command(setting, upstream, CONNECTIONS[-1], seconds)

    def series(side, connections, figure="rps"):
        return [each[side][connections][figure] for each in rounds]

    verdicts = []
    table = [["connections", "weft, requests/s", "libcurl, requests/s", "weft CPU µs per request"]]
    for connections in CONNECTIONS:
        ratio = median(pair_ratios(series("weft", connections), series("curl", connections)))
        verdicts.append({
            "what": f"requests/s at {connections} against plain libcurl",
            "asked": f"≥ {GOAL:g} ×",
            "measured": f"{median(series('weft', connections)):,.0f} to "
                        f"{median(series('curl', connections)):,.0f}",
            "ratio": ratio,
            "met": ratio >= GOAL,
        })
        table.append([str(connections),
                      *(f"{median(series(side, connections)):,.0f}" for side in ("weft", "curl")),
                      f"{median(series('weft', connections, 'cpu_us')):.1f}"])
    return {
        "verdicts": verdicts,
        "table": table,
        "commands": [setting.shown(command), setting.shown(shown)],
        "notes": ["weft also serves each request, and runs a fresh instance of the guest for it; "
                  "wrk, which asks weft, takes processor time that libcurl has for itself."],
        "rounds": rounds,
    }
