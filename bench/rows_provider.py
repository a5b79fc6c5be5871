"""Provider processes: what a call over the socket costs, beside plain programs on one."""

import json

import harness
from harness import median, pair_ratios


def provider(setting):
    """Sides take turns within the program: a plain round, then weft's."""
    command = [setting.need(setting.built("bench", "weft_provider_bench")),
               "2" if setting.quick else "9"]
    figures = json.loads(harness.run(command))
    ping, plain_ping = (median(figures[key]) for key in ("ping us", "plain ping us"))
    over = median([a - b for a, b in zip(figures["ping us"], figures["plain ping us"])])
    flights = median(pair_ratios(figures["calls/s"], figures["plain calls/s"]))
    tensors = median(pair_ratios(figures["tensors/s"], figures["plain tensors/s"]))
    restart = max(figures["restart ms"])
    verdicts = [
        {"what": "small record, p50, beside a plain ping-pong", "asked": "≤ 10 µs more",
         "measured": f"{ping:.1f} to {plain_ping:.1f} µs", "ratio": over / 10, "met": over <= 10},
        {"what": "64 calls under way, beside a plain client of the same frames",
         "asked": "≥ 0.6 ×", "measured": f"{median(figures['calls/s']):,.0f} to "
         f"{median(figures['plain calls/s']):,.0f} calls/s", "ratio": flights,
         "met": flights >= 0.6},
        {"what": "602,112 bytes there and back, beside a plain copy", "asked": "≥ 0.5 ×",
         "measured": f"{median(figures['tensors/s']):,.0f} to "
         f"{median(figures['plain tensors/s']):,.0f} a second", "ratio": tensors,
         "met": tensors >= 0.5},
        {"what": "killed to the first answered call, the slowest", "asked": "< 200 ms",
         "measured": f"{restart:.0f} ms", "ratio": restart / 200, "met": restart < 200},
    ]
    return {"verdicts": verdicts, "rounds": figures, "commands": [setting.shown(command)],
            "table": [["", "weft", "plain"],
                      ["small record, p50", f"{ping:.1f} µs", f"{plain_ping:.1f} µs"],
                      ["64 under way", f"{median(figures['calls/s']):,.0f}/s",
                       f"{median(figures['plain calls/s']):,.0f}/s"],
                      ["602,112 bytes", f"{median(figures['tensors/s']):,.0f}/s",
                       f"{median(figures['plain tensors/s']):,.0f}/s"],
                      ["restart", f"{median(figures['restart ms']):.0f} ms", ""]],
            "notes": ["Plain are two processes over a Unix stream socket with blocking reads and "
                      "writes of as many bytes. The plain client of frames speaks to the same "
                      "provider. Weft's side is a loop, the door and a session, with no guest."]}
