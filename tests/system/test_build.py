#!/usr/bin/env python3
"""`weft new`, `weft build` and `weft dev`: README's walk, and what a developer does after it."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from client import get
from host import FAST, ROOT, SECONDS_MAX, WEFT, Host, run, until

# Where scripts/setup.sh puts what a guest in Python is made with.
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
os.environ["PATH"] += os.pathsep + os.path.join(CACHE, "weft", "python", "bin")
# Of a first build, which reads the whole standard library, or makes it (Rust).
BUILD_SECONDS_MAX = 600


def go_tools():
    """The environment in which Go builds guests, or None."""
    try:
        said = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True,
                              timeout=SECONDS_MAX, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.match(r"go1\.(\d+)", said)
    if not version or int(version[1]) < 25:
        return None
    return {"GOCACHE": os.path.join(CACHE, "weft", "go"), "GOFLAGS": "-mod=mod", "GOPROXY": "off"}


def rust_tools():
    """The environment in which Rust builds guests, or None: PATH's Rust, or Debian's."""
    cargo_home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    rustup_home = os.environ.get("RUSTUP_HOME") or os.path.expanduser("~/.rustup")
    shared = {"CARGO_HOME": cargo_home, "RUSTUP_HOME": rustup_home,
              "CARGO_TARGET_DIR": os.path.join(CACHE, "weft", "rust-guests")}
    for path in (os.environ["PATH"], "/usr/bin" + os.pathsep + os.environ["PATH"]):
        if not shutil.which("cargo", path=path) or not shutil.which("rustc", path=path):
            continue
        settings = {**shared, "PATH": path}

        def ask(*words, settings=settings):
            return subprocess.run(["rustc", "--print", *words], env={**os.environ, **settings},
                                  capture_output=True, text=True, timeout=SECONDS_MAX,
                                  check=False).stdout.strip()

        if os.path.isdir(ask("target-libdir", "--target", "wasm32-wasip2")) or os.path.isdir(
                os.path.join(ask("sysroot"), "lib/rustlib/src/rust/library/std")):
            return settings
    return None


GO = go_tools()
RUST = rust_tools()


def walk(title):
    """The commands of README's walk below a line that begins so: (command, its comment)."""
    with open(os.path.join(ROOT, "README.md")) as file:
        text = file.read()
    text = text[text.index(title):]
    block = re.search(r"\n\n((?:    .*\n)+)", text)[1]
    lines = [line.strip().partition("#") for line in block.splitlines()]
    return [(command.strip(), comment.strip()) for command, _, comment in lines]


class Folder:
    """An empty folder to begin in, with a PATH that has weft."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="weft-build-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def weft(self, *words, code=0, env=None):
        done = run(*words, folder=self.path, seconds=BUILD_SECONDS_MAX, env=env)
        if done.code != code:
            raise AssertionError(f"weft {' '.join(words)}: {done}")
        return done

    def serve(self, verb, app, *options):
        return Host(os.path.join(self.path, app), *options, verb=verb, seconds=BUILD_SECONDS_MAX)

    def file(self, *names):
        return os.path.join(self.path, *names)

    def write(self, text, *names):
        with open(self.file(*names), "w") as file:
            file.write(text)

    def read(self, *names):
        with open(self.file(*names)) as file:
            return file.read()


@unittest.skipIf(FAST, "builds for a minute")
class Walk(unittest.TestCase):
    def follow(self, title):
        """Does what README says and compares with what it says comes of it."""
        host = None
        commands = walk(title)
        self.assertGreater(len(commands), 3)
        with Folder() as folder:
            try:
                for command, comment in commands:
                    words = command.split()
                    if words[:2] in (["weft", "dev"], ["weft", "run"]):
                        host = folder.serve(words[1], words[2])
                    elif words[0] == "weft":
                        done = folder.weft(*words[1:])
                        if words[1] == "check":
                            self.assertEqual(done.out, comment + "\n")
                    elif words[0] == "curl":
                        self.assertEqual(words[1], "http://127.0.0.1:8080/")
                        until(lambda c=comment: get(host, "/").text == c + "\n", comment,
                              BUILD_SECONDS_MAX)
                    else:
                        subprocess.run(command, shell=True, cwd=folder.path, check=True)
                        # Its next request is the first that the new version sees.
                        host.wait_log(re.search("`(.*)`", comment)[1], BUILD_SECONDS_MAX)
            finally:
                if host:
                    host.stop()

    def test_cpp(self):
        """README's walk in C++, word by word, on a fresh folder."""
        self.follow("in C++:")

    @unittest.skipUnless(shutil.which("componentize-py"), "componentize-py is not installed")
    def test_python(self):
        """README's walk in Python, word by word, on a fresh folder."""
        self.follow("In Python,")


@unittest.skipIf(FAST, "builds for a minute")
class Build(unittest.TestCase):
    def test_templates(self):
        """Each template of C and C++ builds, and does what it is for."""
        for language in ("cpp", "cpp-p2", "c"):
            with self.subTest(language=language), Folder() as folder:
                folder.weft("new", language, "web")
                folder.weft("build", "web")
                size = os.path.getsize(folder.file("web", "build", "web.wasm"))
                self.assertLessEqual(size, 80_000)
                with folder.serve("run", "web") as host:
                    self.assertEqual(get(host, "/").text, "Hello, visitor 1!\n")
                    self.assertEqual(get(host, "/").text, "Hello, visitor 2!\n")
        for language in ("cpp", "c"):
            with self.subTest(language=language, kind="command"), Folder() as folder:
                folder.weft("new", language, "tool", "--kind", "command")
                folder.weft("build", "tool")
                done = folder.weft("run", "tool", "you")
                self.assertEqual(done.out, "Hello, you! This is run 1.\n")
        for language in ("cpp", "cpp-p2", "c"):
            with self.subTest(language=language, kind="empty"), Folder() as folder:
                folder.weft("new", language, "own", "--kind", "empty")
                folder.weft("build", "own")
                component = folder.file("own", "build", "greeter.wasm")
                called = folder.weft("call", component, 'example:greeter/greetings#greet("you")')
                self.assertEqual(called.out, '"Hello, you!"\n')
                if language != "c":
                    self.assertLessEqual(os.path.getsize(component), 40_000)

    def test_output_between_calls(self):
        """What a program printed before it asks its host is there once, whatever `main` takes."""
        with Folder() as folder:
            folder.weft("new", "cpp", "tool", "--kind", "command")
            for arguments in ("", "int, char**"):
                folder.write("#include <cstdio>\n#include <cstdlib>\n"
                             "#include \"weft/keyvalue.h\"\n"
                             "struct Global { Global() { std::puts(\"built\"); }\n"
                             "~Global() { std::puts(\"gone\"); } } global;\n"
                             f"int main({arguments}) {{\n"
                             "  std::atexit([] { std::puts(\"left\"); });\n"
                             "  std::puts(\"before\");\n"
                             "  auto bucket = weft::keyvalue::open(\"runs\");\n"
                             "  std::puts(bucket ? \"after\" : \"failed\");\n}\n",
                             "tool", "main.cc")
                folder.weft("build", "tool")
                done = folder.weft("run", "tool")
                self.assertEqual(done.out, "built\nbefore\nafter\nleft\ngone\n")

    @unittest.skipUnless(shutil.which("componentize-qjs"), "componentize-qjs is not installed")
    def test_javascript(self):
        """The templates of JavaScript build, and do what they are for."""
        with Folder() as folder:
            folder.weft("new", "js", "web")
            folder.weft("build", "web")
            with folder.serve("run", "web") as host:
                self.assertEqual(get(host, "/").text, "Hello, visitor 1!\n")
            folder.weft("new", "js", "own", "--kind", "empty")
            folder.weft("build", "own")
            called = folder.weft("call", "own/build/greeter.wasm",
                                 'example:greeter/greetings#greet("you")')
            self.assertEqual(called.out, '"Hello, you!"\n')

    def do_all_kinds(self, language, env):
        """Builds the three templates, and has them do what they are for."""
        with Folder() as folder:
            folder.weft("new", language, "web")
            folder.weft("build", "web", env=env)
            self.assertIn("web: nothing to do", folder.weft("build", "web", env=env).err)
            with folder.serve("run", "web") as host:
                self.assertEqual(get(host, "/").text, "Hello, visitor 1!\n")
                self.assertEqual(get(host, "/").text, "Hello, visitor 2!\n")
            folder.weft("new", language, "tool", "--kind", "command")
            folder.weft("build", "tool", env=env)
            done = folder.weft("run", "tool", "you")
            self.assertEqual(done.out, "Hello, you! This is run 1.\n")
            folder.weft("new", language, "own", "--kind", "empty")
            folder.weft("build", "own", env=env)
            called = folder.weft("call", "own/build/greeter.wasm",
                                 'example:greeter/greetings#greet("you")')
            self.assertEqual(called.out, '"Hello, you!"\n')

    @unittest.skipUnless(GO, "Go 1.25 is not installed")
    def test_go(self):
        """The templates of Go build with nothing fetched, and do what they are for."""
        self.do_all_kinds("go", GO)

    @unittest.skipUnless(GO, "Go 1.25 is not installed")
    def test_go_program(self):
        """A program of Go without WIT is a command; what does not compile is told with its line."""
        with Folder() as folder:
            os.mkdir(folder.file("tool"))
            folder.write("[app]\nname = \"tool\"\n[component.tool]\n"
                         "build = { language = \"go\" }\n", "tool", "weft.toml")
            folder.write("module example/tool\n\ngo 1.25\n", "tool", "go.mod")
            folder.write("package main\n\nimport \"os\"\n\nfunc main() {\n"
                         "\tprintln(len(os.Args))\n\tos.Exit(3)\n}\n", "tool", "main.go")
            folder.weft("build", "tool", env=GO)
            # WASI 0.2 knows no other exit codes than 0 and 1.
            self.assertEqual(folder.weft("run", "tool", "a", "b", code=1).err, "3\n")
            folder.write("package main\n\nfunc main() {\n\tnothing()\n}\n", "tool", "main.go")
            done = folder.weft("build", "tool", code=1, env=GO)
            self.assertIn("main.go:4:2: undefined: nothing", done.err)
            self.assertIn("component tool does not compile", done.err)

    @unittest.skipUnless(RUST, "Rust for WebAssembly is not installed")
    def test_rust(self):
        """The templates of Rust build, and do what they are for."""
        self.do_all_kinds("rust", RUST)

    def test_missing_tools(self):
        """Where Go or Rust is not installed, `weft build` says so and what brings it."""
        with Folder() as folder:
            for language, words in (("go", "go is not installed: install Go 1.25 or newer"),
                                    ("rust", "rustup target add wasm32-wasip2")):
                folder.weft("new", language, language)
                done = folder.weft("build", language, code=1, env={"PATH": folder.path})
                self.assertIn(words, done.err)

    def test_core_modules(self):
        """Of a core module that a build command makes, weft makes the component, in its place."""
        with Folder() as folder:
            os.mkdir(folder.file("tool"))
            folder.write("[app]\nname = \"tool\"\n[component.tool]\nsource = \"tool.wasm\"\n"
                         "build = \"clang-22 --target=wasm32-wasi -Wno-deprecated tool.c -o "
                         "tool.wasm\"\n", "tool", "weft.toml")
            folder.write("#include <stdio.h>\nint main() { puts(\"from C\"); }\n",
                         "tool", "tool.c")
            folder.weft("build", "tool")
            with open(folder.file("tool", "tool.wasm"), "rb") as file:
                self.assertEqual(file.read(8), b"\0asm\x0d\0\1\0")
            self.assertEqual(folder.weft("run", "tool").out, "from C\n")

    def test_only_what_changed(self):
        """A second build does nothing, and a header that changed has its sources built again."""
        with Folder() as folder:
            folder.weft("new", "cpp-p2", "web")
            folder.write("#define WORD \"one\"\n", "web", "word.h")
            folder.write("#include \"weft/http.h\"\n#include \"word.h\"\n"
                         "void weft::http::handle(Request&, Out out) { reply(out, 200, WORD); }\n",
                         "web", "main.cc")
            folder.weft("build", "web")
            self.assertIn("web: nothing to do", folder.weft("build", "web").err)
            folder.write("#define WORD \"two\"\n", "web", "word.h")
            self.assertNotIn("nothing to do", folder.weft("build", "web").err)
            with folder.serve("run", "web") as host:
                self.assertEqual(get(host, "/").text, "two")

    def test_what_is_wrong(self):
        """Compile errors have file and line, and a build that fails has exit code 1."""
        with Folder() as folder:
            folder.weft("new", "cpp-p2", "web")
            folder.write("int main( {}\n", "web", "main.cc")
            done = folder.weft("build", "web", code=1)
            self.assertIn("component web does not compile", done.err)
            self.assertIn("main.cc:1:", done.err)
            folder.write("[app]\nname = \"x\"\n[component.a]\nbuild = { language = \"basic\", "
                         "sources = [\"a.b\"], world = \"htttp\" }\n", "web", "weft.toml")
            done = folder.weft("build", "web", code=1)
            self.assertIn("weft.toml:4:22: weft does not compile \"basic\"", done.err)
            self.assertIn("the SDK has no world \"htttp\": did you mean http?", done.err)

    def test_commands(self):
        """A build command runs in its app's folder; one that fails, or makes nothing, is told."""
        with Folder() as folder:
            os.mkdir(folder.file("web"))
            manifest = ("[app]\nname = \"web\"\n[component.web]\nsource = \"web.wasm\"\n"
                        "build = \"{}\"\n[[trigger.http]]\nroute = \"/...\"\ncomponent = \"web\"\n")
            source = os.path.join(os.path.dirname(WEFT), "guests", "hello_p2.wasm")
            folder.write(manifest.format(f"cp {source} web.wasm"), "web", "weft.toml")
            folder.weft("build", "web")
            self.assertTrue(os.path.exists(folder.file("web", "web.wasm")))
            folder.write(manifest.format("componentize-py-not-there"), "web", "weft.toml")
            self.assertIn("ended with exit code 127", folder.weft("build", "web", code=1).err)
            folder.write(manifest.format("rm web.wasm"), "web", "weft.toml")
            self.assertIn("its build command made no web.wasm",
                          folder.weft("build", "web", code=1).err)


class Dev(unittest.TestCase):
    def test_broken_and_mended(self):
        """A compile error leaves the old version serving, and is shown to whoever asks for HTML."""
        with Folder() as folder:
            folder.weft("new", "cpp", "web")
            with folder.serve("dev", "web") as host:
                self.assertIn("visitor 1", get(host, "/").text)
                good = folder.read("web", "main.cc")
                folder.write(good.replace("reply(200,", "replie(200,"), "web", "main.cc")
                # What is being written may have been built half, and refused, before.
                host.wait_log(r"main\.cc:\d+:\d+: error: .*replie", BUILD_SECONDS_MAX)
                host.wait_log("not reloaded", BUILD_SECONDS_MAX)
                self.assertIn("visitor 2", get(host, "/").text)
                page = get(host, "/", "accept: text/html,*/*")
                self.assertEqual(page.status, 500)
                self.assertIn("The build is broken", page.text)
                self.assertIn("replie", page.text)
                folder.write(good.replace("visitor", "guest"), "web", "main.cc")
                host.wait_log("weft: reloaded", BUILD_SECONDS_MAX)
                self.assertIn("guest 3", get(host, "/", "accept: text/html").text)

    def test_save_to_served(self):
        """How long it takes from a save to the new version: far below ten times of a second."""
        with Folder() as folder:
            folder.weft("new", "cpp", "web")
            with folder.serve("dev", "web") as host:
                source = folder.read("web", "main.cc")

                def saved(word):
                    start = time.monotonic()
                    folder.write(source.replace("Hello", word), "web", "main.cc")
                    until(lambda: word in get(host, "/").text, "the new version",
                          BUILD_SECONDS_MAX)
                    return time.monotonic() - start

                # On a busy machine one of them may take longer.
                words = (f"Good day {number}" for number in range(10))
                self.assertTrue(any(saved(word) < 10 for word in words), "each takes so long")

    def test_begins_broken(self):
        """What does not build at first is served once it does, and Ctrl-C ends the wait."""
        with Folder() as folder:
            folder.weft("new", "cpp-p2", "web")
            good = folder.read("web", "main.cc")
            folder.write("nonsense\n", "web", "main.cc")
            home = folder.file("home")
            os.mkdir(home)
            process = subprocess.Popen(
                [WEFT, "dev", "web", "--http", "127.0.0.1:0"], cwd=folder.path,
                env={**os.environ, "HOME": home}, stderr=subprocess.PIPE, text=True)
            try:
                lines = iter(process.stderr.readline, "")
                self.assertTrue(any("waiting for a change" in line for line in lines))
                folder.write(good, "web", "main.cc")
                self.assertTrue(any(line.startswith("http://") for line in lines))
                # Its data is beside its builds, and not among what the user's own apps keep.
                self.assertTrue(os.path.isdir(folder.file("web", "build", ".weft", "state")))
                process.send_signal(signal.SIGINT)
                process.wait(SECONDS_MAX)
            finally:
                process.kill()
                process.wait()
                process.stderr.close()


if __name__ == "__main__":
    unittest.main()
