"""Process start to the first 200, with what was compiled before at hand.

The time is from the moment the process is asked for until the first response is read whole: the
server says on stderr when it listens, and the request goes out then.
"""

import os
import time

import harness
from harness import Unmeasured, median

KINDS = (("small", "hello_p2"), ("big", "bench_big"))


def start_ms(command, env):
    with harness.Server(command, env) as server:
        status, _, _ = server.get("/")
        spent = (time.monotonic() - server.started) * 1000
    if status != 200:
        raise Unmeasured(f"{os.path.basename(command[0])} answers {status}")
    return spent


def configurations(setting, guest):
    """Name → how to start it; the caches are their own, empty at first."""
    cache = setting.folder(f"start-{os.path.basename(guest)}")
    compiled = os.path.join(cache, "precompiled.cwasm")
    harness.run([harness.WASMTIME, "compile", guest, "-o", compiled],
                env=harness.wasmtime_environment())
    return {
        "weft": (harness.weft_command(setting, guest),
                 harness.environment(XDG_CACHE_HOME=cache)),
        "wasmtime serve, its cache": (
            harness.wasmtime_command(guest, "-S", "cli=y", "-C", "cache=y"),
            harness.wasmtime_environment(XDG_CACHE_HOME=cache)),
        "wasmtime serve, precompiled": (
            harness.wasmtime_command(compiled, "-S", "cli=y", "--allow-precompiled"),
            harness.wasmtime_environment(XDG_CACHE_HOME=cache)),
    }


def start(setting):
    harness.check_baseline()
    table = [["component", "host", "cold ms", "warm p50 ms", "warm max ms"]]
    verdicts = []
    commands = []
    raw = {}
    for kind, name in KINDS:
        guest = setting.guest(name)
        size = os.path.getsize(guest)
        configs = configurations(setting, guest)
        cold = {host: start_ms(*config) for host, config in configs.items()}
        warm = {host: [] for host in configs}
        for _ in range(3 if setting.quick else 21):
            for host, config in configs.items():
                warm[host].append(start_ms(*config))
        label = f"{name}, {size / 1e6:.1f} MB" if size > 1e6 else f"{name}, {size / 1e3:.0f} KB"
        for host, times in warm.items():
            shown_cold = "" if "precompiled" in host else f"{cold[host]:,.0f}"
            table.append([label, host, shown_cold, f"{median(times):.1f}", f"{max(times):.1f}"])
        ours = median(warm["weft"])
        base = median(warm["wasmtime serve, its cache"])
        verdicts.append({"what": f"start to first 200, warm, {label}", "asked": "≤ 40 ms",
                         "measured": f"{ours:.1f} ms (wasmtime serve {base:.1f})",
                         "ratio": ours / 40, "met": ours <= 40})
        commands += [setting.shown(config[0]) for config in configs.values()]
        raw[kind] = {"bytes": size, "cold": cold, "warm": warm}
    return {"verdicts": verdicts, "table": table, "commands": commands, "rounds": raw,
            "notes": ["Hosts take turns. Files are in the page cache. Asked of the median; the "
                      "worst start stands beside it.",
                      "bench_big is C of 10,240 generated functions, all of them reachable."]}
