#!/usr/bin/env python3
"""Runs what is built and prints `N passed, N failed` on the last line.

    run_tests.py [--fast] [--only SUITE]... [--fuzz-seconds N]

Suites: unit (GoogleTest programs of build/tests), e2e (tests/e2e/*.txt), system
(tests/system/test_*.py, which start the host and load it), rust (cargo test), asan and tsan
(GoogleTest programs of build/dev and build/tsan), fuzz (each fuzzer of build/dev). What the last
four run is built, with little priority, while those before them run. --fast leaves out slow
programs and tests, asan, tsan and fuzz. A suite that is not there is an error, unless it was not
asked for.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(ROOT, "build"))
SUITES = ["unit", "e2e", "system", "rust", "asan", "tsan", "fuzz"]
SLOW_SUITES = ["asan", "tsan", "fuzz"]
# What each sanitizer runs: where memory is handed about, and where threads meet. TSan has a fake
# engine, because it cannot follow the fibers of real guests.
ASAN_PROGRAMS = ["io", "remote", "nats", "amqp", "routes", "door", "values", "observe", "engine",
                 "keyvalue_drivers", "keyvalue", "blobstore_drivers", "blobstore", "cron", "lock",
                 "sql_drivers", "sql", "event_calls", "provider", "provider_sdk", "llm",
                 "messaging_drivers", "messaging_kafka", "messaging", "sensor_drivers", "sensor"]
TSAN_PROGRAMS = ["io", "routes", "door", "observe", "keyvalue_drivers", "blobstore_drivers",
                 "sql_drivers", "messaging_drivers", "sensor_drivers", "fake_engine"]
# librdkafka begins its threads by C11's thrd_create, of which TSan does not hear: it crashes then.
TSAN_OPTIONS = ["--gtest_filter=-*/kafka"]
PROGRAM_SECONDS_MAX = 900
BUILD_SECONDS_MAX = 3600
# What --fast leaves out: each takes ten seconds and more, most of them waits. Begun in this order,
# which is that of their length, so that none is left over at the end.
SLOW_PROGRAMS = ["weft_messaging_gate_test", "weft_messaging_drivers_test",
                 "weft_keyvalue_drivers_test", "weft_blobstore_drivers_test",
                 "weft_lock_drivers_test", "weft_keyvalue_gate_test", "weft_sql_gate_test",
                 "weft_sql_drivers_test", "weft_lock_gate_test", "weft_blobstore_gate_test",
                 "weft_messaging_kafka_test", "weft_engine_test", "weft_amqp_test",
                 "weft_powercut_test", "weft_message_powercut_test", "weft_sql_powercut_test",
                 "test_messages_kill.py", "test_chat.py", "test_build.py",
                 "test_limits.py", "test_notes.py", "test_call_at.py", "test_cron.py",
                 "test_admin.py", "test_bindgen.py", "test_messages_cli.py", "test_guarantees.py"]
# What measures how a busy machine answers: in a full run one at a time, after the others.
ALONE_PROGRAMS = ["test_load.py", "test_node_hostile.py"]
# Programs that run at once: those that wait for servers and for time to pass, those that start
# hosts, fuzzers.
LANES = 4
SYSTEM_LANES = 2
FAST_LANES = 4
FUZZ_LANES = 2
# Of what is told again at the end about one failure.
FAILURE_BYTES_MAX = 600


class Tally:
    """Counts, and prints the log of what failed; at the end, the names of that."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.names_failed = []
        self.failures = []
        self.lock = threading.Lock()

    def add(self, name, passed, failed, seconds, log="", failures=()):
        """`failures`: of each test that failed its name and why, to be told again at the end."""
        word = "ok" if failed == 0 else "FAILED"
        lines = [f"{word:6} {name}: {passed} passed, {failed} failed ({seconds:.1f} s)"]
        if failed and log:
            lines += [f"    {line}" for line in log.rstrip().splitlines()[-200:]] + [""]
        with self.lock:
            self.passed += passed
            self.failed += failed
            if failed:
                self.names_failed.append(name)
                self.failures += [f"{name}: {each}" for each in failures]
            print("\n".join(lines), flush=True)


def each(options, programs, work, at_once):
    """Does it to each program, so many at once, the slow ones first; with --fast not to those."""
    def rank(program):
        name = os.path.basename(program)
        return SLOW_PROGRAMS.index(name) if name in SLOW_PROGRAMS else len(SLOW_PROGRAMS)

    programs = [each for each in programs
                if not options.fast or rank(each) == len(SLOW_PROGRAMS)]
    alone = [each for each in programs
             if not options.fast and os.path.basename(each) in ALONE_PROGRAMS]
    with concurrent.futures.ThreadPoolExecutor(at_once) as lanes:
        list(lanes.map(work, sorted(set(programs) - set(alone), key=lambda p: (rank(p), p))))
    for program in alone:
        work(program)


def run(command, **options):
    """(exit code or None when it took too long, output)."""
    options.setdefault("timeout", PROGRAM_SECONDS_MAX)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, cwd=ROOT, check=False, **options)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        out = (error.stdout or b"").decode(errors="replace")
        return None, out + f"\ntook more than {options['timeout']} s"


def environment():
    """Tests see no settings of the person who runs them."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("WEFT_", "GTEST_"))}
    env.pop("RUST_BACKTRACE", None)
    env["WEFT_BUILD"] = BUILD
    return env


def without_passed(log):
    """Of what GoogleTest prints, what is not of a test that passed."""
    return re.sub(r"^\[ RUN      \] (\S+)\n(?:(?!\[ RUN      \]).*\n)*?\[       OK \] \1 .*\n", "",
                  log, flags=re.M)


def shortened(text):
    """On one line, so that the end of a long log says what is to be mended."""
    text = " | ".join(line.strip() for line in text.splitlines() if line.strip())
    return text[:FAILURE_BYTES_MAX]


def googletest(tally, name, program, options=()):
    # Also for who wants more of it than the counts: tests/system/guarantees.py.
    report = os.path.join(BUILD, "reports", name + ".xml")
    os.makedirs(os.path.dirname(report), exist_ok=True)
    if os.path.exists(report):
        os.remove(report)
    start = time.monotonic()
    failures = []
    code, log = run([program, f"--gtest_output=xml:{report}", *options], env=environment())
    seconds = time.monotonic() - start
    try:
        result = ElementTree.parse(report).getroot()
        count = {each: int(result.get(each, 0)) for each in ("tests", "failures", "errors",
                                                             "disabled")}
        skipped = sum(1 for _ in result.iter("skipped"))
        failed = count["failures"] + count["errors"]
        passed = count["tests"] - failed - skipped - count["disabled"]
        for case in result.iter("testcase"):
            failures += [shortened(f"{case.get('classname')}.{case.get('name')}: "
                                   f"{failure.get('message')}")
                         for failure in case.iter("failure")]
    except (OSError, ValueError, ElementTree.ParseError):
        passed, failed = 0, 1
    # A program that dies, or leaks at the end, failed whatever its report says.
    if code != 0 and failed == 0:
        failed = 1
    if failed and not failures:
        failures = [shortened(f"ended with {code}: ..." + log.rstrip()[-FAILURE_BYTES_MAX // 2:])]
    tally.add(name, passed, failed, seconds, without_passed(log), failures)


def unit(tally, options):
    programs = glob.glob(os.path.join(BUILD, "tests/weft_*_test"))
    each(options, programs,
         lambda program: googletest(tally, os.path.basename(program), program), LANES)
    if not programs:
        tally.add("unit", 0, 1, 0, "no test programs are built: run make test")


def ninja(preset, *targets):
    """(the command that builds them, environment)"""
    return ["sh", "-c", f"cmake --preset {preset} -DWEFT_TESTS=ON &&"
                        f" ninja -C build/{preset} {' '.join(targets)}"], None


def cargo(*options):
    """(the command, environment) of a test of the Rust part."""
    found = subprocess.run([f"{ROOT}/scripts/find-cargo.sh"], capture_output=True, text=True,
                           check=True).stdout.strip()
    env = environment()
    cache = env.get("XDG_CACHE_HOME") or os.path.join(env["HOME"], ".cache")
    env["CARGO_TARGET_DIR"] = os.path.join(cache, "weft/cargo")
    if found != run(["sh", "-c", "command -v cargo"])[1].strip():
        env["RUSTC"] = os.path.join(os.path.dirname(found), "rustc")
    return [found, "test", "--release", "--locked", "--manifest-path", "engine/Cargo.toml",
            # As the build does: see cmake/cargo_build.sh.
            "--workspace", *options], env


class Builds:
    """Builds what the slow suites run, one after the other, while the suites before them run: those
    wait a lot, and go first where they do not."""

    def __init__(self, suites):
        self.lanes = concurrent.futures.ThreadPoolExecutor(1)
        self.results = {}
        self.process = None
        work = {"rust": lambda: cargo("--no-run"),
                "asan": lambda: ninja("dev", *map(program_of, ASAN_PROGRAMS)),
                "tsan": lambda: ninja("tsan", *map(program_of, TSAN_PROGRAMS)),
                "fuzz": lambda: ninja("dev", "fuzzers")}
        for suite, made in work.items():
            if suite in suites:
                self.results[suite] = self.lanes.submit(self.build, *made())

    def build(self, command, env):
        """(exit code, output)"""
        self.process = subprocess.Popen(["nice", "-n", "19", *command], env=env,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, cwd=ROOT, start_new_session=True)
        try:
            out = self.process.communicate(timeout=BUILD_SECONDS_MAX)[0]
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGTERM)
            out = self.process.communicate()[0] + b"\ntook too long"
        return self.process.returncode, out.decode(errors="replace")

    def wait(self, tally, suite):
        """True when it is built."""
        start = time.monotonic()
        code, log = self.results[suite].result()
        seconds = time.monotonic() - start
        if code != 0:
            tally.add(suite, 0, 1, seconds, log)
        else:
            print(f"       {suite}: built (waited {seconds:.1f} s)", flush=True)
        return code == 0

    def stop(self):
        """Ends what is under way and begins nothing more."""
        self.lanes.shutdown(wait=False, cancel_futures=True)
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)


def program_of(name):
    return f"weft_{name}_test"


def sanitized(tally, options, suite, preset, names, more=()):
    if not options.builds.wait(tally, suite):
        return
    each(options, map(program_of, names),
         lambda name: googletest(tally, f"{suite}/{name}",
                                 os.path.join(ROOT, f"build/{preset}/tests/{name}"), more),
         LANES)


def asan(tally, options):
    sanitized(tally, options, "asan", "dev", ASAN_PROGRAMS)


def tsan(tally, options):
    sanitized(tally, options, "tsan", "tsan", TSAN_PROGRAMS, TSAN_OPTIONS)


def rust(tally, options):
    if not options.builds.wait(tally, "rust"):
        return
    command, env = cargo("--no-fail-fast")
    start = time.monotonic()
    code, log = run(command, env=env)
    counts = re.findall(r"^test result: .* (\d+) passed; (\d+) failed", log, re.M)
    passed = sum(int(p) for p, _ in counts)
    failed = sum(int(f) for _, f in counts)
    if code != 0 and failed == 0:
        failed = 1
    tally.add("rust", passed, failed, time.monotonic() - start, log)


def e2e(tally, options):
    def golden(file):
        start = time.monotonic()
        code, log = run([sys.executable, "tests/e2e/run.py", file], env=environment())
        counts = re.search(r"^(\d+) passed, (\d+) failed$", log, re.M)
        passed, failed = (int(counts[1]), int(counts[2])) if counts else (0, 1)
        if code != 0 and failed == 0:
            failed = 1
        tally.add("e2e/" + os.path.basename(file), passed, failed, time.monotonic() - start, log)

    each(options, glob.glob(os.path.join(ROOT, "tests/e2e/*.txt")), golden,
         FAST_LANES if options.fast else SYSTEM_LANES)


def system(tally, options):
    env = environment()
    if options.fast:
        env["WEFT_FAST"] = "1"

    def one(file):
        start = time.monotonic()
        code, log = run([sys.executable, file, "-v"], env=env)
        ran = re.search(r"^Ran (\d+) tests?", log, re.M)
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", log))
        skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", log))
        for line in re.findall(r"^.* skipped '.*'$", log, re.M):
            print(f"       {line}", flush=True)
        if code != 0 and bad == 0:
            bad = 1
        total = int(ran[1]) if ran else bad
        failures = [shortened(f"{name}: {log[at:].split('=' * 70)[0][-FAILURE_BYTES_MAX:]}")
                    for name, at in ((each[1], each.end()) for each in
                                     re.finditer(r"^(?:FAIL|ERROR): (.*)$", log, re.M))]
        tally.add("system/" + os.path.basename(file), max(total - bad - skipped, 0), bad,
                  time.monotonic() - start, log, failures)

    each(options, glob.glob(os.path.join(ROOT, "tests/system/test_*.py")), one,
         FAST_LANES if options.fast else SYSTEM_LANES)


def fuzz(tally, options):
    """Each fuzzer for a bounded time: it passes when it found nothing."""
    if not options.builds.wait(tally, "fuzz"):
        return

    def one(program):
        start = time.monotonic()
        corpus = os.path.join(ROOT, "build/corpus", os.path.basename(program))
        os.makedirs(corpus, exist_ok=True)
        code, log = run([program, f"-max_total_time={options.fuzz_seconds}", "-timeout=10",
                         "-rss_limit_mb=2048", f"-artifact_prefix={corpus}/found-", corpus],
                        env=environment())
        passed = 1 if code == 0 else 0
        tally.add(os.path.basename(program), passed, 1 - passed, time.monotonic() - start, log)

    each(options, glob.glob(os.path.join(ROOT, "build/dev/fuzz/weft_*_fuzz")), one,
         FUZZ_LANES)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--only", action="append", choices=SUITES)
    parser.add_argument("--fuzz-seconds", type=int, default=10)
    options = parser.parse_args()
    suites = options.only or [s for s in SUITES if not (options.fast and s in SLOW_SUITES)]
    tally = Tally()
    options.builds = Builds(suites)
    try:
        for suite in suites:
            globals()[suite](tally, options)
    finally:
        options.builds.stop()
    if tally.failed:
        print("\n".join(tally.failures))
        print("failed: " + ", ".join(tally.names_failed))
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
