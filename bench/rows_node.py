"""The node: what admission costs beside the crypto library, the log of events, a remote call; a
module that goes to many nodes at once; one group's calls beside another that takes all it can."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import harness
import shaped_net

CALL_RUNS = 5


def google(setting, program, pattern):
    """A Google Benchmark program's items a second, by name."""
    command = [setting.need(setting.built("bench", program)), f"--benchmark_filter={pattern}",
               "--benchmark_format=json"]
    found = {}
    for each in json.loads(harness.run(command))["benchmarks"]:
        # Where a program sums its repetitions up itself, the median stands for them.
        if "items_per_second" in each and each.get("aggregate_name", "median") == "median":
            found[each["name"].split("/")[0].split("_median")[0]] = each["items_per_second"]
    return found, setting.shown(command)


def call_times(said):
    return [float(each) for each in re.fullmatch(
        r"round trip ([\d.]+) us, signatures ([\d.]+) us, call ([\d.]+) us: ([\d.]+) x both; "
        r"in a row ([\d.]+) us; with its receipt, which waits for the disk, ([\d.]+) us\n",
        said).groups()]


def node(setting):
    rates, first = google(setting, "weft_node_admission_bench", ".*")
    events, second = google(setting, "weft_node_events_bench", "durable/4")
    calls = [setting.need(setting.built("bench", "weft_node_call_bench")),
             setting.guest("values"),
             "200" if setting.quick else "1000"]
    # Of five runs the one in the middle: one may have a processor for itself and the next not.
    runs = sorted((call_times(harness.run(calls)) for _ in range(CALL_RUNS)),
                  key=lambda times: times[3])
    trip, crypto, call, ratio, in_a_row, receipt = runs[CALL_RUNS // 2]
    spread = f"{runs[0][3]:.2f} to {runs[-1][3]:.2f}"
    admitted = rates["BM_Admit"] / rates["BM_Verify"]
    slowest = min(value for name, value in rates.items() if name.startswith("BM_Refuse"))
    durable = events["durable"]
    verdicts = [
        {"what": "requests admitted a second of processor time, beside the library's own verify",
         "asked": "≥ 0.8 ×", "measured": f"{rates['BM_Admit']:,.0f} to {rates['BM_Verify']:,.0f}",
         "ratio": admitted, "met": admitted >= 0.8},
        {"what": "refusals that look at no signature, the slowest kind", "asked": "≥ 200,000/s",
         "measured": f"{slowest:,.0f}/s", "ratio": slowest / 200_000, "met": slowest >= 200_000},
        {"what": "durable events, 4 threads", "asked": "≥ 100,000/s",
         "measured": f"{durable:,.0f}/s", "ratio": durable / 100_000, "met": durable >= 100_000},
        {"what": "a call of a warm function, beside a round trip and the signatures: the middle "
                 f"one of {CALL_RUNS} runs, {spread}",
         "asked": "≤ 1.4 ×", "measured": f"{call:.0f} to {trip + crypto:.0f} µs", "ratio": ratio,
         "met": ratio <= 1.4},
    ]
    return {"verdicts": verdicts, "rounds": {"admission": rates, "events": events},
            "commands": [first, second, setting.shown(calls)],
            "table": [["", "µs"], ["round trip over the same TLS, refused at once", f"{trip:.1f}"],
                      ["request and seal, signed and verified", f"{crypto:.1f}"],
                      ["call, to its proven value", f"{call:.1f}"],
                      ["the same while receipts of those before it still come",
                       f"{in_a_row:.1f}"],
                      ["call, to its receipt", f"{receipt:.1f}"]],
            "notes": ["Client and node are one process on loopback, a loop each. Signatures, round "
                      "trips and calls are timed in turn, each call when the receipt of the one "
                      "before it has come: that waits until its event is on the disk."]}


NODES = 20
MODULE_BYTES = 10 << 20


def chunks(setting):
    """A cold module to 20 nodes, each of whose links is shaped, beside one plain copy over one."""
    rounds = setting.rounds
    folder = setting.folder("chunks")
    weft = setting.need(setting.built("weft"))
    path = os.path.join(folder, "module.wasm")
    spread, sent, copies = [], [], []
    with shaped_net.Network(NODES + 1) as network, \
            shaped_net.Nodes(setting, network, folder) as nodes:
        command = [weft, "net", "store", ",".join(nodes.at), path, "--key", nodes.key]
        for _ in range(rounds):
            with open(path, "wb") as file:
                file.write(os.urandom(MODULE_BYTES))
            copies += network.plain_copies(path, 1)
            began = time.monotonic()
            done = harness.ended(network.inside(0, *command))
            said = done.stdout + done.stderr
            spread.append(time.monotonic() - began)
            found = re.search(r"(\d+) of \1 nodes have it after [\d.]+ s; "
                              r"(\d+) chunks of (\d+) were sent", said)
            if not found or int(found[1]) != NODES:
                raise harness.Unmeasured(said.strip()[-400:])
            sent.append(int(found[2]) / int(found[3]))
    shutil.rmtree(folder, ignore_errors=True)
    ratio = harness.median(harness.pair_ratios(spread, copies))
    bytes_sent = harness.median(sent)
    return {"verdicts": [
        {"what": f"10 MiB to {NODES} nodes that have none of it, beside one plain copy",
         "asked": "≤ 3 ×", "ratio": ratio, "met": ratio <= 3.0,
         "measured": f"{harness.median(spread):.2f} to {harness.median(copies):.2f} s"},
        {"what": "what the client sent of it", "asked": "", "ratio": bytes_sent, "met": True,
         "measured": f"{bytes_sent:.2f} ×"}],
        "rounds": {"spread": spread, "copies": copies, "sent": sent},
        "commands": [setting.shown(["weft", "net", "store", "NODE,NODE,...", path])],
        "table": [["round", "copy, s", f"to {NODES} nodes, s", "sent"],
                  *([str(i + 1), f"{a:.2f}", f"{b:.2f}", f"{c:.2f} ×"]
                    for i, (a, b, c) in enumerate(zip(copies, spread, sent)))],
        "notes": [f"{NODES} daemons and the client are a network namespace each, joined by a "
                  f"bridge; both ends of each link have tc's tbf at {shaped_net.RATE}. All of them "
                  "share this machine's processors and its disk, to which each node flushes the "
                  "module. The time is that of the whole command."]}


HOSTILE_RUNS = 5
HOSTILE_CALLS = 200
WARM_CALLS = 20


def hostile(setting):
    """p99 of a group's small calls, alone and while another group is at its limit."""
    os.environ["WEFT_BUILD"] = setting.build  # Where the tests' programs look.
    sys.path.insert(0, os.path.join(harness.ROOT, "tests", "system"))
    import hostile as theirs
    import node_wire as wire
    import test_node

    runs, count = (2, 100) if setting.quick else (HOSTILE_RUNS, HOSTILE_CALLS)
    folder = setting.folder("hostile")
    keys = {}
    for name in ("me", "them"):
        keys[name] = os.path.join(folder, name + ".pem")
        harness.run([setting.need(setting.built("weft")), "key", "new", keys[name]])
    ours = wire.Key(keys["me"])
    alone, beside = [], []
    node = test_node.Node(folder, "attacked", group=theirs.GROUPS)
    node.trust(keys["me"])
    node.trust(keys["them"], "hostile")
    try:
        node.start()
        with theirs.Client(node.address, ours) as client:
            with open(setting.guest("values"), "rb") as file:
                module = client.store_bytes(file.read())
        for _ in range(runs):
            requests = theirs.presigned(ours, 2 * count + WARM_CALLS, module)
            warm, first, second = (requests[:WARM_CALLS], requests[WARM_CALLS:-count],
                                   requests[-count:])
            theirs.timed(node.address, ours, warm)
            alone.append(theirs.quantile(theirs.timed(node.address, ours, first), 0.99))
            with subprocess.Popen(["nice", sys.executable, theirs.__file__, node.address[0],
                                   str(node.address[1]), keys["them"]],
                                  stdin=subprocess.DEVNULL) as attack:
                try:
                    test_node.until(lambda: node.status()["runs"] >= 4, "the attack runs")
                    times = theirs.timed(node.address, ours, second)
                    beside.append(theirs.quantile(times, 0.99))
                finally:
                    attack.kill()
            # What it has left behind, modules that are still compiled, is not the next run's.
            node.stop(signal.SIGKILL)
            node.start()
    finally:
        node.stop()
    p99, floor = harness.median(beside) * 1e3, harness.median(alone) * 1e3
    return {"verdicts": [
        {"what": "p99 of a group's calls while a hostile group is at its limit, beside the same "
                 f"without it: the median of {runs} runs",
         "asked": "", "measured": f"{p99:.1f} to {floor:.1f} ms", "ratio": p99 / floor,
         "met": True}],
        "rounds": {"alone": alone, "beside": beside},
        "commands": [setting.shown([os.path.join(harness.ROOT, "tests/system/hostile.py"),
                                    "127.0.0.1", "PORT", keys["them"]])],
        "table": [["run", "alone, p99 in ms", "beside, p99 in ms"],
                  *([str(i + 1), f"{a * 1e3:.1f}", f"{b * 1e3:.1f}"]
                    for i, (a, b) in enumerate(zip(alone, beside)))],
        "notes": [f"{count} calls of add(1, 2), one after the other, each to its receipt, which "
                  "waits for the disk; the client is Python. The other group has one core, eight "
                  "runs and 256 MiB, and spends them on four guests that spin, one that fills 100 "
                  "MiB, one that returns 100 MiB, one that asks the host for 256 GiB of random "
                  "bytes, modules that take minutes to compile, and requests that are refused. "
                  "Its clients, niced, are on the same machine."]}
