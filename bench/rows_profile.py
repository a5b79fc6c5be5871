"""Where the host's time goes under load, by area and by function: what to look at where a goal of
the HTTP rows is missed."""

import collections
import os
import re
import shutil
import subprocess

import harness
import rows_http
from harness import Unmeasured

CONNECTIONS = 32
TOP = 25
# First match wins: an area, and what its samples look like as "object symbol".
AREAS = (
    ("kernel", r"^\[k"),
    ("guest code", r"compiled/|^\[?JIT|^\[unknown|^anon|^memfd"),
    ("malloc and free", r" _?mi_| (malloc|free|calloc|realloc|operator (new|delete))"),
    ("memset, memmove", r" __mem| mem(set|move|cpy)"),
    ("Wasmtime's HTTP and WASI crates", r"wasmtime_wasi|http::|bytes::|hyper"),
    ("Wasmtime", r"wasmtime|cranelift"),
    ("weft's codec and bridge (Rust)", r"weft_(engine|codec)|weft::bridge"),
    ("weft (C++)", r" (\(anonymous namespace\)|weft::|.*weft::)"),
    ("Asio", r"boost::"),
    ("libc and vdso", r"^libc|^\[vdso"),
)


def samples(data):
    """[(percent, object, symbol)] of perf's own time."""
    out = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children",
                          "--sort", "dso,symbol", "-t", "\t"], capture_output=True, text=True,
                         check=True).stdout
    rows = []
    for line in out.splitlines():
        found = re.match(r"\s*([\d.]+)%\s*\t(\S+)\s*\t\[(.)\] (.+?)\s*(?:\t.*)?$", line)
        if found:
            percent, dso, kind, symbol = found.groups()
            rows.append((float(percent), "[k]" if kind == "k" else os.path.basename(dso),
                         symbol.strip()))
    return rows


def area_of(dso, symbol):
    for area, pattern in AREAS:
        if re.search(pattern, f"{dso} {symbol}"):
            return area
    # What has no symbol is code that was mapped: the guest's.
    return "guest code" if symbol.startswith("0x") else "other"


def profile(setting, guest):
    """Two tables of one guest under load: areas, functions."""
    command, env = rows_http.configurations(setting, setting.guest(guest),
                                            rows_http.BEST_FLAGS)["weft"]
    data = os.path.join(setting.scratch, "perf.data")
    seconds = 2 if setting.quick else 8
    with harness.Server(command, env) as server:
        harness.load(server, CONNECTIONS, 1)
        with subprocess.Popen(["perf", "record", "-q", "-F", "999", "-o", data, "-p",
                               str(server.pid), "--", "sleep", str(seconds)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as recorder:
            harness.load(server, CONNECTIONS, seconds + 3)
    if recorder.returncode != 0:
        raise Unmeasured("perf record may not look at processes here")
    rows = samples(data)
    areas = collections.Counter()
    for percent, dso, symbol in rows:
        areas[area_of(dso, symbol)] += percent
    top = [row for row in rows if not row[2].startswith("0x")][:TOP]
    return ([[guest, area, f"{percent:.1f} %"] for area, percent in areas.most_common()],
            [[guest, f"`{symbol[:90]}`", f"{percent:.1f} %"] for percent, _, symbol in top])


def http(setting):
    if shutil.which("perf") is None:
        raise Unmeasured("perf is not here (Debian's linux-perf)")
    table = [["guest", "where", "of the host's time"]]
    functions = []
    for guest in ("hello_p2", "hello_p3"):
        areas, top = profile(setting, guest)
        table += areas
        functions += top
    return {"verdicts": [], "table": table + functions,
            "commands": ["perf record -F 999 -p WEFT",
                         setting.shown(harness.wrk_command(0, CONNECTIONS, 11))],
            "notes": [f"Areas first, then the {TOP} functions with the most time of their own."]}
