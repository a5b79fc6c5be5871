"""What was measured, as JSON for programs and as a page for people."""

import json
import os
import platform
import re
import subprocess
import time

import harness


def machine():
    """One line about the machine."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        name = re.search(r"model name\s*:\s*(.+)", info.read())
    with open("/proc/meminfo", encoding="utf-8") as info:
        memory = int(re.search(r"MemTotal:\s+(\d+)", info.read()).group(1)) / (1 << 20)
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        virtual = ", virtual" if "hypervisor" in info.read() else ""
    clang = subprocess.run(["clang++-22", "--version"], capture_output=True, text=True, check=False)
    return (f"{name.group(1).strip() if name else platform.machine()}, {os.cpu_count()} cores"
            f"{virtual}, {memory:.0f} GiB, Linux {platform.release()}, "
            f"{clang.stdout.splitlines()[0] if clang.stdout else 'no clang'}")


def stamp():
    """When, of which commit, and how quiet the machine was as a row began."""
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=harness.ROOT,
                         capture_output=True, text=True, check=False)
    return {"when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "commit": git.stdout.strip(), "load": round(os.getloadavg()[0], 2)}


def say(row):
    """The verdicts, for who watches."""
    if "unmeasured" in row:
        print(f"  not measured: {row['unmeasured']}", flush=True)
    for each in row.get("verdicts", []):
        print("  " + " | ".join(verdict_cells(each)), flush=True)


def verdict_cells(each):
    ratio = "" if each["ratio"] is None else f"{each['ratio']:.2f}"
    # What has no goal is neither met nor missed.
    met = "yes" if each["met"] else "no"
    return [each["what"], each["asked"], each["measured"], ratio, met if each["asked"] else ""]


def markdown_table(rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]])


class Results:
    """Every row's last figures. Kept in a file, so that rows may be measured one at a time."""

    def __init__(self, setting, rows):
        self._rows = rows
        if setting.quick:
            self.json_path = setting.built("bench-quick.json")
            self.markdown_path = setting.built("RESULTS-quick.md")
        else:
            self.json_path = setting.built("bench.json")
            self.markdown_path = os.path.join(harness.ROOT, "bench", "RESULTS.md")
        self._all = {"rows": {}}
        if os.path.exists(self.json_path):
            with open(self.json_path, encoding="utf-8") as file:
                self._all = json.load(file)

    def put(self, name, row):
        self._all["machine"] = machine()
        self._all["baseline"] = f"wasmtime-cli {harness.WASMTIME_VERSION} --locked"
        self._all["rows"][name] = row
        self._write(self.json_path, json.dumps(self._all, indent=1, ensure_ascii=False) + "\n")
        self._write(self.markdown_path, self.page())

    @staticmethod
    def _write(path, text):
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)

    def page(self):
        measured = [(title, self._all["rows"][name]) for name, title, _ in self._rows
                    if name in self._all["rows"]]
        parts = ["# Results", "",
                 "Written by `make bench`; [README.md](README.md) says how each row is measured.",
                 "", f"- Machine: {self._all['machine']}",
                 f"- Baseline: {self._all['baseline']}", "", "## Asked and measured", "",
                 self._summary(measured), ""]
        for title, row in measured:
            parts += self._section(title, row)
        return "\n".join(parts)

    @staticmethod
    def _summary(measured):
        rows = [["", "asked", "measured", "ratio", "met"]]
        for title, row in measured:
            rows.append([f"**{title}**", "", "", "", "not measured" if "unmeasured" in row else ""])
            rows += [verdict_cells(each) for each in row.get("verdicts", [])]
        return markdown_table(rows)

    @staticmethod
    def _section(title, row):
        parts = [f"## {title}", "",
                 f"{row['when']}, commit {row['commit']}, load average {row['load']} before it, "
                 f"{row['seconds']} s.", ""]
        if "unmeasured" in row:
            return parts + [f"Not measured: {row['unmeasured']}", ""]
        parts += [markdown_table(row["table"]), ""]
        parts += [*row["notes"], ""] if len(row["notes"]) == 1 else \
            [line for note in row["notes"] for line in (note, "")]
        commands = list(dict.fromkeys(row["commands"]))
        return parts + [*(f"    {command}" for command in commands), ""]
