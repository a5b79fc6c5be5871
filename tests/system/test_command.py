#!/usr/bin/env python3
"""Commands beyond what tests/e2e/command.txt shows: streams while it runs, signals, its folders."""

import os
import signal
import subprocess
import tempfile
import unittest

from host import SECONDS_MAX, WEFT, environment, guest, run, until

GREETING = """
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "hello from text\\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 16))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""


# Writes "out" to standard output and "err" to standard error in turn.
TURNS = """
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "out\\n")
  (data (i32.const 32) "err\\n")
  (func $print (param $to i32) (param $at i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (i32.const 4))
    (drop (call $write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start") (local $i i32)
    (loop $next
      (call $print (i32.const 1) (i32.const 16))
      (call $print (i32.const 2) (i32.const 32))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 20000))))))
"""


class Command(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weft-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *words):
        return subprocess.Popen([WEFT, "run", *words], cwd=self.folder,
                                env=environment(self.folder), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_large_streams(self):
        """10 MB go through a command's standard streams, byte for byte, and weft says nothing."""
        body = os.urandom(10_000_000)
        process = self.start(guest("hello_command"), "cat")
        out, err = process.communicate(body, timeout=SECONDS_MAX)
        self.assertTrue(out == body, f"{len(out)} bytes came")
        self.assertEqual((err, process.returncode), (b"", 0))

    def test_both_outputs_in_order(self):
        """Lines to standard output and error in turn reach one pipe in their order, all of them."""
        path = os.path.join(self.folder, "turns.wat")
        with open(path, "w") as file:
            file.write(TURNS)
        process = subprocess.Popen([WEFT, "run", path], cwd=self.folder,
                                   env=environment(self.folder), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        out, _ = process.communicate(timeout=SECONDS_MAX)
        self.assertEqual((process.returncode, out), (0, b"out\nerr\n" * 20_000))

    def test_full_output_of_a_reader_that_pauses(self):
        """A command whose reader takes nothing ends with its time, and with SIGTERM; once the
        reader goes on, all of the output is there."""
        path = os.path.join(self.folder, "turns.wat")
        with open(path, "w") as file:
            file.write(TURNS.replace("(i32.const 20000)", "(i32.const 500000)")
                       .replace("(call $print (i32.const 2) (i32.const 32))", ""))
        timed = self.start("--time", "500ms", path)
        self.assertEqual(timed.wait(SECONDS_MAX), 1)
        self.assertRegex(timed.stderr.read(), b"(?s).*time limit of 500 ms")
        stopped = subprocess.Popen([WEFT, "run", path], cwd=self.folder,
                                   env=environment(self.folder), stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        stopped.stdout.read(1)
        stopped.send_signal(signal.SIGTERM)
        self.assertEqual(stopped.wait(SECONDS_MAX), 128 + signal.SIGTERM)
        for stream in (stopped.stdout, timed.stdin, timed.stdout, timed.stderr):
            stream.close()
        slow = subprocess.Popen([WEFT, "run", path], cwd=self.folder,
                                env=environment(self.folder), stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        until(lambda: len(os.listdir(f"/proc/{slow.pid}/task")) > 3, "it has started")
        out = slow.communicate(timeout=SECONDS_MAX)[0]
        self.assertEqual((slow.returncode, len(out)), (0, 4 * 500_000))

    def test_full_disk(self):
        """A command whose output meets a full disk fails, and says so."""
        with open("/dev/full", "wb") as full:
            process = subprocess.run([WEFT, "run", guest("hello_command")], cwd=self.folder,
                                     env=environment(self.folder), stdout=full,
                                     stderr=subprocess.PIPE, timeout=SECONDS_MAX, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"No space left", process.stderr)

    def test_output_that_nobody_reads(self):
        """A command whose reader goes away ends, and does not hang."""
        process = self.start(guest("hello_command"), "cat")
        process.stdout.close()
        try:
            process.stdin.write(bytes(1_000_000))
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.wait(SECONDS_MAX)
        process.stderr.close()

    def test_signal(self):
        """A command that waits is ended by SIGTERM and SIGINT, with the shell's exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start(guest("hello_command"), "cat")
            process.stdin.write(b"x")
            process.stdin.flush()
            # The signal handlers are there once the engine's threads are.
            until(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 1, "it has started")
            process.send_signal(number)
            self.assertEqual(process.wait(SECONDS_MAX), 128 + number)
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()

    def test_text(self):
        """A module for WASI 0.1 written as text runs."""
        path = os.path.join(self.folder, "hello.wat")
        with open(path, "w") as file:
            file.write(GREETING)
        outcome = run("run", path)
        self.assertEqual((outcome.code, outcome.out, outcome.err), (0, "hello from text\n", ""))

    def test_nothing_of_its_own(self):
        """Also when it compiles first, with an empty cache, and where it can keep nothing."""
        for home in (self.folder, "/nonexistent"):
            outcome = run("run", guest("hello_command"), "a", "-b", "--quiet", "--",
                          env={"XDG_CACHE_HOME": home})
            self.assertEqual(outcome.code, 0)
            self.assertEqual(outcome.err, "")
            self.assertEqual(outcome.out.splitlines()[1:],
                             ["argument 1: a", "argument 2: -b", "argument 3: --quiet",
                              "argument 4: --"])

    def test_folders_end_where_they_were_granted(self):
        """Neither .., nor an absolute path, nor a symbolic link leads out of a granted folder, and
        a read-only one is read-only in every way."""
        inside = os.path.join(self.folder, "inside")
        os.mkdir(inside)
        for path, text in ((self.folder + "/secret.txt", "secret"), (inside + "/a.txt", "a")):
            with open(path, "w") as file:
                file.write(text)
        os.symlink("../secret.txt", inside + "/link")
        os.symlink(self.folder + "/secret.txt", inside + "/absolute")
        for path in ("../secret.txt", "/data/../secret.txt", self.folder + "/secret.txt",
                     "/data/link", "/data/absolute"):
            outcome = run("run", "--dir", inside + "::/data", guest("hello_command"), "read", path)
            self.assertEqual((outcome.code, outcome.out), (1, ""), path)
        for words in (("write", "/data/a.txt", "b"), ("write", "/data/new.txt", "b")):
            outcome = run("run", "--dir", inside + "::/data:ro", guest("hello_command"), *words)
            self.assertEqual(outcome.code, 1, outcome)
        with open(inside + "/a.txt") as file:
            self.assertEqual(file.read(), "a")
        self.assertEqual(sorted(os.listdir(inside)), ["a.txt", "absolute", "link"])


if __name__ == "__main__":
    unittest.main()
