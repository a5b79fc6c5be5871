"""Calls: the codec beside generated bindings, the whole way through bridge and door, key-value
gets, and what a layer costs."""

import http.client
import json
import os

import harness
from harness import Unmeasured, median, pair_ratios

CALLS = ("echo 16 B", "echo 1 KiB", "echo 602112 B", "get 16 B", "record")
GUEST = os.path.join("engine", "codec", "benches", "guest.wat")
CODEC_COMMAND = f"LD_PRELOAD={harness.MIMALLOC} cargo bench --workspace --bench codec"


def cargo_environment():
    return harness.environment(CARGO_TARGET_DIR=os.path.join(harness.CACHE, "cargo"))


def codec_program():
    """Builds the codec's bench and returns its path."""
    cargo = harness.run([os.path.join(harness.ROOT, "scripts", "find-cargo.sh")]).strip()
    out = harness.run([cargo, "bench", "--locked", "--workspace", "--bench", "codec",
                       "--no-run", "--message-format=json", "--manifest-path",
                       os.path.join(harness.ROOT, "engine", "Cargo.toml")],
                      env=cargo_environment())
    for line in out.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("executable") and message["target"]["name"] == "codec":
            return message["executable"]
    raise Unmeasured(f"{CODEC_COMMAND} names no program")


def codec_run(setting, program):
    """{call: {bindgen_ns, codec_ns, val_ns}} of one run."""
    path = os.path.join(setting.scratch, "codec.json")
    harness.run([program], env=harness.environment(WEFT_BENCH_JSON=path,
                                                   LD_PRELOAD=harness.MIMALLOC))
    with open(path, encoding="utf-8") as rows:
        return {row["row"]: row for row in json.load(rows)}


def codec(setting):
    """The codec alone, and the whole way to an inline C++ provider and back, in turns."""
    program = codec_program()
    echo = [setting.need(setting.built("bench", "weft_echo_bench")),
            os.path.join(harness.ROOT, GUEST)]
    rounds = []
    for _ in range(1 if setting.quick else 5):
        rounds.append({"codec": codec_run(setting, program),
                       "through": json.loads(harness.run(echo))})
    table = [["ns per call", "bindgen!", "codec alone", "ratio", "to C++ and back", "ratio", "Val"]]
    verdicts = []
    for call in CALLS:
        bound, alone, values = ([each["codec"][call][key] for each in rounds]
                                for key in ("bindgen_ns", "codec_ns", "val_ns"))
        through = [each["through"][call] for each in rounds]
        ratios = [median(pair_ratios(times, bound)) for times in (alone, through)]
        table.append([call, f"{median(bound):,.0f}", f"{median(alone):,.0f}", f"{ratios[0]:.2f}",
                      f"{median(through):,.0f}", f"{ratios[1]:.2f}", f"{median(values):,.0f}"])
        for what, times, ratio, asked in (("codec alone", alone, ratios[0], 1.1),
                                          ("guest to C++ and back", through, ratios[1], 1.25)):
            verdicts.append({
                "what": f"{call}: {what} against bindgen!", "asked": f"≤ {asked:g} ×",
                "measured": f"{median(times):,.0f} to {median(bound):,.0f} ns", "ratio": ratio,
                "met": ratio <= asked})
    return {
        "verdicts": verdicts, "table": table, "rounds": rounds,
        "commands": [CODEC_COMMAND, setting.shown(echo)],
        "notes": ["One guest for all columns. `bindgen!`, codec and Val run in one process, the "
                  "best of many short runs each; the way to C++ and back in the runtime of "
                  "`weft run` (pooling, limits, a metered poll, the door with no layer), the same "
                  "way. mimalloc is malloc in both. The two processes take turns; ratios are "
                  "medians of the turns' own.",
                  "`bindgen!` runs with Wasmtime's default settings for concurrency support, as an "
                  "embedder has them; weft's runtime turns it off for programs with only 0.2 "
                  "imports."]}


def composed(setting, guest, callee):
    """Both components as one, joined as Wasmtime's own composition joins them."""
    def part(path, name):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        return f"(component {name}" + text[text.index("(component") + len("(component"):].rstrip()

    path = os.path.join(setting.scratch, "composed.wat")
    with open(path, "w", encoding="utf-8") as file:
        file.write("(component\n" + part(callee, "$callee") + "\n" + part(guest, "$caller") + """
  (instance $a (instantiate $callee))
  (instance $b (instantiate $caller (with "test:x/y" (instance $a "test:x/y"))))
  (export "run" (func $b "run")))
""")
    return path


def linked(setting):
    """A call from one component to another, beside the same two composed into one."""
    program = setting.need(setting.built("bench", "weft_echo_bench"))
    guest = os.path.join(harness.ROOT, GUEST)
    callee = os.path.join(harness.ROOT, "bench", "callee.wat")
    ours = [program, guest, callee]
    theirs = [program, composed(setting, guest, callee)]
    rounds = []
    for number in range(2 if setting.quick else 6):
        sides = {"linked": ours, "composed": theirs}
        names = list(sides) if number % 2 == 0 else list(reversed(sides))
        rounds.append({name: json.loads(harness.run(sides[name])) for name in names})
    table = [["ns per call", "linked by weft", "composed", "ratio"]]
    for call in CALLS:
        times = {side: [each[side][call] for each in rounds] for side in ("linked", "composed")}
        ratio = median(pair_ratios(times["linked"], times["composed"]))
        table.append([call, f"{median(times['linked']):,.0f}", f"{median(times['composed']):,.0f}",
                      f"{ratio:.2f}"])
    record = median([each["linked"]["record"] for each in rounds])
    ratio = median(pair_ratios([each["linked"]["record"] for each in rounds],
                               [each["composed"]["record"] for each in rounds]))
    return {
        "verdicts": [{"what": "component to component, small record", "asked": "≤ 1,500 ns",
                      "measured": f"{record:,.0f} ns", "ratio": ratio, "met": record <= 1500}],
        "table": table, "rounds": rounds,
        "commands": [setting.shown(ours), setting.shown(theirs)],
        "notes": ["The ratio is to Wasmtime's own composition of the same two in one component: "
                  "one store, compiled together, nothing metered between them. Linked by weft each "
                  "has a store, limits and grants of its own, and a meter runs at each call."]}


def google_benchmark(setting, program, pattern, figure="median"):
    """{name: ns} of a Google Benchmark program."""
    command = [setting.need(setting.built("bench", program)), f"--benchmark_filter={pattern}",
               "--benchmark_format=json", "--benchmark_min_time=0.1",
               f"--benchmark_repetitions={3 if setting.quick else 9}",
               "--benchmark_report_aggregates_only=true"]
    rows = json.loads(harness.run(command))["benchmarks"]
    out = {row["run_name"]: row["cpu_time"] for row in rows if row["aggregate_name"] == figure}
    if not out:
        raise Unmeasured(f"{program} has no benchmark {pattern}")
    return out, setting.shown(command)


def layers(setting):
    """What one layer adds to a call that finishes inline."""
    times, command = google_benchmark(setting, "weft_door_bench", "^inline_echo/")
    none = times["inline_echo/layers:0"]
    each = {count: (times[f"inline_echo/layers:{count}"] - none) / count for count in (1, 4, 8)}
    table = [["layers", "ns per call", "ns per layer"], ["0", f"{none:.1f}", ""]]
    table += [[str(count), f"{times[f'inline_echo/layers:{count}']:.1f}", f"{cost:.1f}"]
              for count, cost in each.items()]
    worst = max(each.values())
    return {"verdicts": [{"what": "each layer, at most", "asked": "≤ 15 ns",
                          "measured": f"{worst:.1f} ns", "ratio": worst / 15, "met": worst <= 15}],
            "table": table, "commands": [command],
            "notes": ["A layer that keeps a word before the call and reads the outcome after it, "
                      "around an inline C++ echo of 16 bytes."]}


def batches(server, path, count):
    """The nanoseconds that the guest says each of `count` requests took it."""
    peer = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    out = []
    for _ in range(count):
        peer.request("GET", path)
        response = peer.getresponse()
        body = response.read()
        if response.status != 200:
            raise Unmeasured(f"{path} answers {response.status}: {body[:200]!r}")
        out.append(int(body))
    peer.close()
    return sorted(out)


def keyvalue(setting):
    """A get from a guest on LMDB, and its parts."""
    count = 30 if setting.quick else 1000
    calls = 1000
    command = harness.weft_command(setting, setting.guest("keyvalue_p2"), "--state",
                                   setting.folder("keyvalue"))
    env = harness.environment(XDG_CACHE_HOME=setting.folder("cache"))
    with harness.Server(command, env) as server:
        batches(server, f"/bench?n={calls}", 5)
        whole = [ns / calls for ns in batches(server, f"/bench?n={calls}", count)]
        alone = [ns / 100_000 for ns in batches(server, "/alone?n=100000", 9)]
    parts, driver_command = google_benchmark(setting, "weft_lmdb_bench", "^get/1$")
    driver = parts["get/1"]
    echo = [setting.need(setting.built("bench", "weft_echo_bench")),
            os.path.join(harness.ROOT, GUEST)]
    crossing = json.loads(harness.run(echo))["get 16 B"]
    p50, p99 = median(whole), whole[int(len(whole) * 0.99)]
    table = [["part", "ns per get"],
             [f"whole, p50 of {count} batches of {calls}", f"{p50:,.0f}"],
             ["whole, p99 of the batches", f"{p99:,.0f}"],
             ["guest alone: room for the value taken and given back", f"{median(alone):,.0f}"],
             ["codec, bridge and door: a get of 16 bytes to inline C++ and back",
              f"{crossing:,.0f}"],
             ["driver alone: LMDB from C++", f"{driver:,.0f}"],
             ["left: the host class, its checks, the guest's loop",
              f"{p50 - median(alone) - crossing - driver:,.0f}"]]
    return {"verdicts": [{"what": f"get, mean over {calls} calls, p50 of {count} batches",
                          "asked": "≤ 2.5 µs", "measured": f"{p50 / 1000:.2f} µs",
                          "ratio": p50 / 2500, "met": p50 <= 2500}],
            "table": table,
            "commands": [setting.shown(command), f"GET /bench?n={calls}, {count} times",
                         driver_command, setting.shown(echo)],
            "notes": ["16-byte keys and values; a fresh instance for each batch, the time is the "
                      "guest's own clock around its 1,000 gets."]}
