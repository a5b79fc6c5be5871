"""The node: what admission costs beside the crypto library, the log of events, a remote call."""

import json
import re

import harness


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


def node(setting):
    rates, first = google(setting, "weft_node_admission_bench", ".*")
    events, second = google(setting, "weft_node_events_bench", "durable/4")
    calls = [setting.need(setting.built("bench", "weft_node_call_bench")),
             setting.guest("values"),
             "200" if setting.quick else "1000"]
    said = harness.run(calls)
    trip, crypto, call, ratio, receipt = (float(each) for each in re.fullmatch(
        r"round trip ([\d.]+) us, signatures ([\d.]+) us, call ([\d.]+) us: ([\d.]+) x both; "
        r"with its receipt, which waits for the disk, ([\d.]+) us\n", said).groups())
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
        {"what": "a call of a warm function, beside a round trip and the signatures",
         "asked": "≤ 1.4 ×", "measured": f"{call:.0f} to {trip + crypto:.0f} µs", "ratio": ratio,
         "met": ratio <= 1.4},
    ]
    return {"verdicts": verdicts, "rounds": {"admission": rates, "events": events},
            "commands": [first, second, setting.shown(calls)],
            "table": [["", "µs"], ["round trip over the same TLS, refused at once", f"{trip:.1f}"],
                      ["request and seal, signed and verified", f"{crypto:.1f}"],
                      ["call, to its proven value", f"{call:.1f}"],
                      ["call, to its receipt", f"{receipt:.1f}"]],
            "notes": ["Client and node are one process on loopback, a loop each. The receipt "
                      "waits until its event is on the disk."]}
