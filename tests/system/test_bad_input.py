#!/usr/bin/env python3
"""What cannot run is refused: one clear message that names the thing, an exit code that is not 0,
nothing half-written, and no crash whatever the bytes."""

import ctypes
import os
import random
import resource
import subprocess
import tempfile
import unittest

from client import Connection, get, post
from host import WEFT, Host, environment, guest, run

SEED = 20261121

MEMORY64 = """
(component
  (core module $code (memory i64 1) (func (export "run") (result i32) (i32.const 0)))
  (core instance $made (instantiate $code))
  (func $run (result (result)) (canon lift (core func $made "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
"""

MODULE64 = '(module (memory (export "memory") i64 1) (func (export "_start")))'

ERROR_CONTEXT = """
(component
  (core func $drop (canon error-context.drop))
  (core module $code (func (export "run") (result i32) (i32.const 0)))
  (core instance $made (instantiate $code))
  (func $run (result (result)) (canon lift (core func $made "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
"""

UNKNOWN_IMPORTS = """
(component
  (import "no:such/thing@1.0.0" (instance (export "f" (func))))
  (import "other:missing/part" (instance (export "g" (func))))
  (import "wasi:keyvalue/store@9.9.9" (instance (export "open" (func))))
  (import "wasi:http/types@0.9.0" (instance (export "of-tomorrow" (func))))
  (import "wasi:cli/environment@0.2.0-rc-2023-11-10" (instance (export "early" (func)))))
"""


def become_ordinary():
    """In a child that may be root: takes away root's right to pass over a file's mode."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; without effect for others.


class BadInput(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weft-test-bad-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def refused(self, *words, lines=1, **options):
        """Runs it and checks the form of the refusal. Returns the message."""
        before = sorted(os.listdir(self.folder))
        outcome = run("run", "--http", "127.0.0.1:0", *words, folder=self.folder, **options)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual(outcome.out, "", outcome)
        self.assertTrue(outcome.err.startswith("weft: "), outcome)
        if lines:
            self.assertEqual(len(outcome.err.splitlines()), lines, outcome)
        self.assertEqual(sorted(os.listdir(self.folder)), before, "something was left behind")
        return outcome.err


class Files(BadInput):
    def test_not_wasm(self):
        """Files that are something else are named, with what they are not."""
        for name, content in (("picture.wasm", b"\x89PNG\r\n\x1a\n" + bytes(100)),
                              ("empty.wasm", b""), ("words.wasm", b"hello\n"),
                              ("zeros.wasm", bytes(1000)), ("high.wasm", b"\xff" * 1000)):
            message = self.refused(self.path(name, content))
            self.assertIn(name, message)
            self.assertRegex(message, "WebAssembly|cut off")

    def test_wrong_text(self):
        """Text that does not parse is refused with the line."""
        message = self.refused(self.path("wrong.wat", "(component\n  (nonsense))\n"), lines=0)
        self.assertIn("wrong.wat", message)
        self.assertRegex(message, r":2:")

    def test_cut_off(self):
        """A component that ends too early, wherever, is refused, and the file is named."""
        with open(guest("hello_p2"), "rb") as file:
            whole = file.read()
        source = random.Random(SEED)
        cuts = [4, 7, 8, 9, len(whole) // 2, len(whole) - 1]
        cuts += [source.randrange(10, len(whole)) for _ in range(14)]
        for cut in cuts:
            with self.subTest(cut=cut):
                self.assertIn("cut.wasm", self.refused(self.path("cut.wasm", whole[:cut])))

    def test_changed_bytes(self):
        """A component with changed bytes is refused or runs in its bounds: it never takes the host
        down."""
        with open(guest("hello_command"), "rb") as file:
            whole = file.read()
        source = random.Random(SEED)
        for turn in range(30):
            changed = bytearray(whole)
            for _ in range(source.randrange(1, 4)):
                changed[source.randrange(8, len(whole))] ^= 1 << source.randrange(8)
            path = self.path("changed.wasm", bytes(changed))
            outcome = run("run", "--cpu", "1s", "--time", "5s", path)
            self.assertIn(outcome.code, (0, 1), f"seed {SEED}, turn {turn}: {outcome}")
            if outcome.code and outcome.err.startswith("weft: "):
                self.assertIn("changed", outcome.err)

    def test_unknown_imports(self):
        """All that nothing serves is listed at once, and where another version is offered, that."""
        message = self.refused(self.path("need.wat", UNKNOWN_IMPORTS), lines=0)
        for name in ("need.wat", "no:such/thing@1.0.0", "other:missing/part",
                     "wasi:keyvalue/store@9.9.9", "0.2.0-draft",
                     "wasi:http/types@0.9.0 is not offered; what is: wasi:http@0.2.12",
                     "wasi:cli/environment@0.2.0-rc-2023-11-10"):
            self.assertIn(name, message)

    def test_memory64(self):
        """A 64-bit memory is refused, with what to do."""
        for text in (MEMORY64, MODULE64):
            message = self.refused(self.path("wide.wat", text))
            self.assertRegex(message, "wide.wat: .*64-bit memory.*wasm32")

    def test_error_context(self):
        """error-context is refused, with what to do."""
        message = self.refused(self.path("errors.wat", ERROR_CONTEXT))
        self.assertRegex(message, "errors.wat: .*error-context")

    def test_nothing_to_run(self):
        """A component that exports neither a command nor HTTP is refused; so is a core module
        without a start."""
        message = self.refused(self.path("empty.wat", "(component)"))
        self.assertRegex(message, "empty.wat: .*wasi:cli/run.*wasi:http")
        self.assertIn("core.wat", self.refused(self.path("core.wat", "(module)")))

    def test_absent_or_folder(self):
        """A file that is not there, and a folder in its place, are told."""
        self.assertRegex(self.refused("absent.wasm"), "absent.wasm: .*[Nn]o such file")
        folder = run("run", self.folder)
        self.assertEqual(folder.code, 1, folder)
        self.assertRegex(folder.err, "weft.toml: it cannot be read: No such file")

    def test_unreadable(self):
        """A file or a folder that may not be read is told."""
        path = self.path("secret.wasm", b"\0asm")
        os.chmod(path, 0)
        message = self.refused(path, preexec_fn=become_ordinary)
        self.assertRegex(message, "secret.wasm: .*[Pp]ermission denied")
        folder = os.path.join(self.folder, "closed")
        os.mkdir(folder, 0)
        message = self.refused("--dir", folder, guest("hello_command"), preexec_fn=become_ordinary)
        self.assertRegex(message, f"{folder}.*[Pp]ermission denied")


class Cache(BadInput):
    def setUp(self):
        super().setUp()
        self.cache = os.path.join(self.folder, "cache")
        self.env = {"XDG_CACHE_HOME": self.cache}

    def files(self):
        return sorted(os.path.join(folder, name)
                      for folder, _, names in os.walk(self.cache) for name in names)

    def hello(self, said=""):
        """It runs; on stderr is one line that matches, or nothing."""
        outcome = run("run", guest("hello_command"), env=self.env)
        self.assertEqual((outcome.code, outcome.out), (0, "hello from a command\n"))
        self.assertRegex(outcome.err, rf"\A(?:.*{said}.*\n)?\Z" if said else r"\A\Z")

    def test_precompiled_from_outside(self):
        """What the compiler made is not taken as a program, wherever it comes from."""
        self.hello()
        artefact = max(self.files(), key=os.path.getsize)
        with open(artefact, "rb") as file:
            content = file.read()
        inner = content[content.find(b"\x7fELF"):]
        for name, part in (("whole.wasm", content), ("elf.wasm", inner)):
            message = self.refused(self.path(name, part))
            self.assertIn(name, message)

    def test_damaged_artefacts(self):
        """Artefacts that are cut off, empty, changed or something else are made again, unused."""
        self.hello()
        for path in self.files():
            with open(path, "rb") as file:
                whole = file.read()
            for content in (b"", whole[:len(whole) // 2], b"x" * len(whole), whole[:-1],
                            bytes(byte ^ 0xff for byte in whole[:4096]) + whole[4096:]):
                # A new file, as a crash or somebody else would leave it: artefacts are mapped.
                os.remove(path)
                with open(path, "wb") as file:
                    file.write(content)
                self.hello("damaged: it is made again")
                self.hello()

    def served_without(self, why):
        with Host("hello_p2", env=self.env) as host:
            self.assertEqual(get(host, "/").status, 200)
            host.wait_log(f"compiled programs are not kept: .*{why}")

    def test_no_cache_possible(self):
        """Where nothing can be kept, it runs all the same; a server says why it starts slowly."""
        self.path("cache", b"a file where the folder would be")
        self.hello()
        self.served_without("Not a directory")

    def test_open_to_others(self):
        """A cache folder that others could write to is neither read nor written, and a server says
        so."""
        folder = os.path.join(self.cache, "weft/compiled")
        os.makedirs(folder)
        os.chmod(folder, 0o777)
        self.hello()
        self.served_without("0700")
        self.assertEqual(os.listdir(folder), [])

    def test_full_disk(self):
        """Where the disk is full, it runs all the same and leaves no half artefact."""
        with FullDisk(self, free_kib=64) as disk:
            outcome = run("run", guest("hello_command"), env={"XDG_CACHE_HOME": disk.path})
            self.assertEqual((outcome.code, outcome.out), (0, "hello from a command\n"))
            sizes = [os.path.getsize(os.path.join(folder, name))
                     for folder, _, names in os.walk(disk.path) for name in names]
            self.assertLess(max(sizes, default=0), 16 * 1024)


class FullDisk:
    """A folder with next to no room: a small tmpfs, where this user may mount one."""

    def __init__(self, case, free_kib):
        self.path = os.path.join(case.folder, "disk")
        os.mkdir(self.path)
        libc = ctypes.CDLL(None, use_errno=True)
        self.mounted = libc.mount(b"weft-test", self.path.encode(), b"tmpfs", 0,
                                  f"size={free_kib}k".encode()) == 0
        self.libc = libc
        if not self.mounted:
            case.skipTest("no tmpfs may be mounted here")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.libc.umount2(self.path.encode(), 2)  # MNT_DETACH


class State(BadInput):
    def test_state_is_a_file(self):
        """A state folder that is a file is told."""
        path = self.path("state", b"")
        self.assertIn(path, self.refused("--state", path, guest("keyvalue_p2")))

    def test_state_may_not_be_written(self):
        """A state folder that may not be entered, or not be made, is told."""
        folder = os.path.join(self.folder, "closed")
        os.mkdir(folder, 0o500)
        os.mkdir(folder + "/state", 0)
        for state in (folder + "/state", folder + "/new"):
            message = self.refused("--state", state, guest("keyvalue_p2"),
                                   preexec_fn=become_ordinary)
            self.assertRegex(message, f"{state}.*[Pp]ermission denied")

    def test_state_cannot_be_made(self):
        """A state folder where nobody can make one is told."""
        self.assertIn("/proc/weft", self.refused("--state", "/proc/weft", guest("keyvalue_p2")))

    def test_state_of_another_version(self):
        """A state folder whose version is unknown is told, and left as it is."""
        state = os.path.join(self.folder, "state")
        with Host("keyvalue_p2", state=state):
            pass
        marks = [os.path.join(folder, name) for folder, _, names in os.walk(state)
                 for name in names if "format" in name or "version" in name]
        self.assertTrue(marks, "no file says the version")
        with open(marks[0], "w") as file:
            file.write("weft-state 9999\n")
        message = self.refused("--state", state, guest("keyvalue_p2"), lines=0)
        self.assertIn("9999", message)
        with open(marks[0]) as file:
            self.assertEqual(file.read(), "weft-state 9999\n")

    def fill(self, host, size):
        """Writes until the store refuses. Returns the keys that were taken and the refusal."""
        taken = []
        with Connection(host) as connection:
            for number in range(10_000):
                response = connection.post(f"/kv/{number}", bytes(size), method="PUT")
                if response.status != 204:
                    return taken, response
                taken.append(number)
        raise AssertionError("the disk is never full")

    def full(self, host, size=4000):
        taken, refusal = self.fill(host, size)
        self.assertEqual(refusal.status, 500, refusal)
        self.assertRegex(refusal.text, "(?i)disk|space|full|room|too large")
        with Connection(host) as connection:
            for number in taken:
                self.assertEqual(len(connection.get(f"/kv/{number}").body), size, number)
        return taken

    def test_full_disk(self):
        """On a full disk a write is answered with an error that says so; what was taken stays, to
        be read then and after a restart."""
        with FullDisk(self, free_kib=2048) as disk:
            state = os.path.join(disk.path, "state")
            with Host("keyvalue_p2", "--loops", 1, state=state) as host:
                taken = self.full(host)
            with Host("keyvalue_p2", "--loops", 1, state=state) as host:
                self.assertEqual(len(get(host, f"/kv/{taken[-1]}").body), 4000)

    def test_file_size_limit(self):
        """The same where the system's limit on a file's size is what ends the room."""

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (24 << 20, 24 << 20))

        with Host("keyvalue_p2", "--loops", 1, preexec_fn=limited) as host:
            self.full(host, 1 << 20)
            # There is still room for what is small.
            self.assertEqual(post(host, "/kv/small", b"x", method="PUT").status, 204)

    def test_file_size_limit_from_the_start(self):
        """A limit below what a store begins with is told, with the file."""

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        state = os.path.join(self.folder, "state")
        outcome = run("run", "--http", "127.0.0.1:0", "--state", state, guest("keyvalue_p2"),
                      preexec_fn=limited)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertRegex(outcome.err, rf"\Aweft: .*{state}.*too large")

    def test_full_disk_from_the_start(self):
        """A state folder that has no room for a store is told at once."""
        with FullDisk(self, free_kib=4) as disk:
            state = os.path.join(disk.path, "state")
            outcome = run("run", "--http", "127.0.0.1:0", "--state", state, guest("keyvalue_p2"))
            self.assertEqual(outcome.code, 1, outcome)
            self.assertRegex(outcome.err, r"\Aweft: .*(?i:space|full|room)")


class Options(BadInput):
    def test_all_problems_at_once(self):
        """Wrong words are each named in one go, with what to write."""
        message = self.refused("--memory", "lots", "--cpu", "fast", "--dir", "/no/such", "--env",
                               "X", guest("hello_command"), lines=4)
        for word in ("--memory lots", "--cpu fast", "/no/such", "KEY=VALUE"):
            self.assertIn(word, message)

    def test_counts(self):
        """Counts out of range are told with the range, and none is taken for another number."""
        for words in (("--instances", "4294967296"), ("--instances", "0"), ("--instances=-1",),
                      ("--loops", "1025"), ("--loops", "0"), ("--loops=-1",), ("--loops", "x")):
            message = self.refused(*words, guest("hello_p2"))
            self.assertRegex(message, f"{words[0].split('=')[0]} .*from 1 to \\d+")

    def test_text(self):
        """What a component would get as text and is none is told with its flag."""
        word = b"\xffx"
        for words, flag in ((("--env", b"A=" + word), "--env"), (("--dir", word), "--dir")):
            self.assertIn(f"{flag} ", self.refused_raw(*words, guest("hello_command")))
        refused = self.refused_raw(guest("hello_command"), word)
        self.assertIn("ARGS \\xffx: it is not UTF-8", refused)
        self.assertIn("TARGET \\xffx: it is not UTF-8", self.refused_raw(word))

    def refused_raw(self, *words):
        outcome = subprocess.run([WEFT, "run", *words], cwd=self.folder,
                                 env=environment(self.folder), capture_output=True, timeout=30,
                                 check=False)
        self.assertEqual(outcome.returncode, 1, outcome)
        self.assertIn(b"it is not UTF-8", outcome.stderr)
        return outcome.stderr.decode()

    def test_access_of_a_folder(self):
        """A suffix that says no access is refused, and does not become a part of the path."""
        for suffix in (":RO", ":rw", ":", ":ro:ro"):
            for grant in (f"{self.folder}::/x{suffix}",):
                message = self.refused("--dir", grant, guest("hello_command"))
                self.assertRegex(message, "HOST::GUEST:ro for reading")
        self.assertIn("HOST::GUEST:ro",
                      self.refused("--dir", f"{self.folder}:RO", guest("hello_command")))

    def test_home(self):
        """Without a home, or with one that is no absolute path, the flag is named and no folder is
        made where it happens to be started."""
        for home in ("", "relative"):
            message = self.refused(guest("keyvalue_p2"), env={"HOME": home})
            self.assertIn("--state DIR", message)

    def test_addresses(self):
        """Addresses that are none, and one that is not this machine's, are named."""
        for address in ("nonsense", "127.0.0.1:99999", "300.1.1.1:0", "203.0.113.7:0"):
            outcome = run("run", "--http", address, guest("hello_p2"))
            self.assertEqual(outcome.code, 1, outcome)
            self.assertIn(address.rsplit(":", 1)[0], outcome.err)

    def test_options_after_the_target(self):
        """What follows an HTTP component is refused, with where to put it; no state is made."""
        state = os.path.join(self.folder, "state")
        for name in ("hello_p2", "hello_p3", "keyvalue_p2"):
            message = self.refused("--state", state, guest(name), "--cpu", "1s")
            self.assertRegex(message, f"{name}.wasm: .*no arguments.*--cpu 1s.*before the file")
            message = self.refused("--state", state, guest(name), "word")
            self.assertRegex(message, f'{name}.wasm: .*no arguments, but "word" follows it\n')

    def test_no_target(self):
        """No target, and a verb that does not exist, are usage errors."""
        for words in ((), ("run",), ("fly",), ("run", "--no-such-option", "x.wasm")):
            outcome = run(*words)
            self.assertNotEqual(outcome.code, 0, outcome)
            self.assertEqual(outcome.out, "", outcome)


if __name__ == "__main__":
    unittest.main()
