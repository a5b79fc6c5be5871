#!/usr/bin/env python3
"""examples/stateful-actor: a state that is brought once, checked, mapped and worked on."""

import array
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from actor_oracle import Model, VALUES, colour, stripes
from host import BUILD, FAST, Host, ROOT, guest, until

EXAMPLE = os.path.join(ROOT, "examples/stateful-actor")
BUILD_SECONDS_MAX = 900
REPLY_SECONDS_MAX = 60
LONG = 90_000  # Samples that nobody waits for: minutes of them.


def setUpModule():
    """Everything is built by `up`, as a person would."""
    with tempfile.TemporaryDirectory() as folder:
        script("up", folder)
        script("down", folder)


def script(name, folder, code=0):
    # The caches of whoever builds: what is missing is built as everything else was.
    env = dict(os.environ, HTTP="127.0.0.1:0", WEFT_BUILD=BUILD)
    done = subprocess.run([os.path.join(EXAMPLE, name), folder], capture_output=True, text=True,
                          env=env, timeout=BUILD_SECONDS_MAX, check=False)
    if done.returncode != code:
        raise AssertionError(f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def ask(address, method, path, body=None):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection(*address, timeout=REPLY_SECONDS_MAX)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def at_once(calls):
    """The results of functions that run beside each other, in their order."""
    results = [None] * len(calls)

    def run(i):
        results[i] = calls[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(REPLY_SECONDS_MAX)
    return results


def variant(folder, components, **changes):
    """An app like the example, of what is built there: but for what is changed in weft.toml."""
    with open(f"{EXAMPLE}/weft.toml", encoding="utf-8") as file:
        text = file.read()
    for name in components:
        text = re.sub(rf"(\[component\.{name}\]\n)build = .*",
                      rf'\1source = "build/{name}.wasm"', text)
    for old, new in changes.items():
        text = text.replace(old, new)
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/weft.toml", "w", encoding="utf-8") as file:
        file.write(text)


class App:
    """The example, served with a configuration of the test's."""

    def __init__(self, folder, app=EXAMPLE, **config):
        self.states = os.path.join(folder, "states")
        operator = os.path.join(folder, "operator.toml")
        config = {"cache": self.states, "threads": 2, **config}
        with open(operator, "w", encoding="utf-8") as file:
            file.write("[config.stateful-actor.inference]\n")
            file.writelines(f"{key} = {json.dumps(str(value))}\n" for key, value in config.items())
        self.host = Host(app, "--on", operator)

    def __enter__(self):
        self.host.__enter__()
        return self

    def __exit__(self, *what):
        return self.host.__exit__(*what)

    def ask(self, method, path, body=None):
        return ask(self.host.address, method, path, body)

    def status(self):
        code, _, body = self.ask("GET", "/status")
        assert code == 200, body
        return json.loads(body)

    def predict(self, name, picture):
        code, _, body = self.ask("POST", f"/{name}/predict", picture)
        assert code == 200, body
        return json.loads(body)

    def provider(self):
        """The process id of the provider."""
        for each in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{each}/stat", encoding="utf-8") as file:
                    fields = file.read()
            except OSError:
                continue
            parent = fields.rsplit(")", 1)[1].split()[1]
            if "(inference)" in fields and parent == str(self.host.pid):
                return int(each)
        raise AssertionError("the provider does not run")

    def kill_provider(self):
        """kill -9, and waits until weft has noticed."""
        pid = self.provider()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not os.path.exists(f"/proc/{pid}"), "the provider's end")


@unittest.skipIf(FAST, "brings models to a process many times")
class StatefulActor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        noise = random.Random(7)
        cls.lying = stripes(True, noise)
        cls.standing = stripes(False, noise)
        cls.green = colour(1, noise).tobytes()
        cls.picture = cls.standing.tobytes()
        cls.bytes = {name: os.path.getsize(f"{EXAMPLE}/build/{name}.model")
                     for name in ("textures", "colours")}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def check_figures(self, app, **wanted):
        status = app.status()
        self.assertEqual({key: status[key.replace("_", "-")] for key in wanted}, wanted)

    def test_predicts_what_the_oracle_does(self):
        """Labels and scores are the oracle's, and 602,112 bytes come back bit by bit."""
        model = Model(f"{EXAMPLE}/build/textures.model")
        with App(self.folder) as app:
            for picture, label in ((self.lying, "horizontal"), (self.standing, "vertical")):
                wanted, probabilities, attribution = model.predict(picture, explain=True)
                self.assertEqual(wanted, label)
                got = app.predict("textures", picture.tobytes())
                self.assertEqual(got["label"], label)
                self.assertEqual(got["scores"].keys(), probabilities.keys())
                for each, probability in probabilities.items():
                    self.assertAlmostEqual(got["scores"][each], probability, delta=1e-5)
                code, headers, body = app.ask("POST", "/textures/explain", picture.tobytes())
                self.assertEqual((code, headers["x-label"], len(body)), (200, label, 602_112))
                self.assertTrue(body == attribution, "the attribution has other bits")
            self.assertEqual(app.predict("colours", self.green)["label"], "green")
            # Every value of the input counts, the last one too.
            other = array.array("f", self.standing)
            other[VALUES - 1] += 1
            changed = app.ask("POST", "/textures/explain", other.tobytes())[2]
            self.assertEqual(changed[:-32], attribution[:-32])
            self.assertNotEqual(changed[-4:], attribution[-4:])

    def test_bad_input(self):
        """A tensor of another size, or too many samples, is the client's error and nothing else."""
        with App(self.folder) as app:
            for path, body, code in (("/textures/predict", b"", 400),
                                     ("/textures/predict", self.picture[:-4], 400),
                                     ("/textures/predict", self.picture + b"more", 413),
                                     ("/textures/predict", b"\xff" * 602_112, 400),
                                     ("/textures/explain?samples=0", self.picture, 400),
                                     ("/textures/explain?samples=100001", self.picture, 400),
                                     ("/textures/nothing", b"", 404)):
                self.assertEqual(app.ask("POST", path, body)[0], code, path)
            self.assertEqual(app.predict("textures", self.picture)["label"], "vertical")

    def test_is_pulled_once(self):
        """One pull serves the provider's next process and weft's, which map the file."""
        with App(self.folder) as app:
            for _ in range(3):
                app.predict("textures", self.picture)
            self.check_figures(app, pulls=1, maps=1, predictions=3, memory=self.bytes["textures"])
            app.kill_provider()
            app.predict("textures", self.picture)
            self.check_figures(app, pulls=0, maps=1, predictions=1)
        with App(self.folder) as app:
            code, _, body = app.ask("POST", "/textures/prefetch")
            self.assertEqual((code, body), (200, b"textures is there\n"))
            self.check_figures(app, pulls=0, maps=1, predictions=0)
            self.assertEqual(app.predict("textures", self.picture)["label"], "vertical")
        self.assertEqual(len(os.listdir(app.states)), 1)

    def test_is_pulled_once_by_many(self):
        """16 predictions at once, of a state that is not there: one pull, and 16 same answers."""
        with App(self.folder) as app:
            answers = at_once([lambda: app.predict("textures", self.picture)] * 16)
            self.assertEqual(answers[0]["label"], "vertical")
            self.assertEqual(answers, [answers[0]] * 16)
            self.check_figures(app, pulls=1, maps=1, predictions=16, running=0)

    def test_damage_is_repaired(self):
        """A file that changed on the disk is not used, and brought again."""
        with App(self.folder) as app:
            wanted = app.predict("textures", self.picture)
        [name] = os.listdir(app.states)
        for damage in (lambda file: (file.seek(5000), file.write(b"\xff")),
                       lambda file: file.truncate(4000)):
            with open(os.path.join(app.states, name), "r+b") as file:
                damage(file)
            with App(self.folder) as app:
                self.assertEqual(app.predict("textures", self.picture), wanted)
                self.check_figures(app, pulls=1, maps=1)
                app.host.wait_log(f"{name} was damaged: it is removed")
        with open(os.path.join(app.states, name), "rb") as mended, \
                open(f"{EXAMPLE}/build/textures.model", "rb") as model:
            self.assertEqual(mended.read(), model.read())

    def test_evicts_under_its_budget(self):
        """Where only one model fits, the other goes; it comes back from its file, not the actor."""
        with App(self.folder, memory=max(self.bytes.values())) as app:
            for name, picture in (("textures", self.picture), ("colours", self.green)) * 2:
                app.predict(name, picture)
                self.assertEqual(app.status()["memory"], self.bytes[name])
            self.check_figures(app, pulls=2, maps=4, evictions=3, predictions=4)

    def test_too_large(self):
        """A model that is larger than the budget is refused before it is brought."""
        with App(self.folder, memory=self.bytes["textures"] - 1) as app:
            code, _, body = app.ask("POST", "/textures/predict", self.picture)
            self.assertEqual(code, 507, body)
            self.assertIn(str(self.bytes["textures"] - 1).encode(), body)
            self.assertEqual(app.predict("colours", self.green)["label"], "green")
            self.check_figures(app, pulls=1, evictions=0)

    def test_wrong_state(self):
        """A state that has not the hash or the size its actor says is refused, and not kept."""
        lies = os.path.join(self.folder, "lies")
        shutil.copytree(f"{EXAMPLE}/build", f"{lies}/build", ignore=shutil.ignore_patterns(".weft"))
        variant(lies, ["web", "textures", "colours"],
                **{"build/colours.wasm": guest("actor_short")})
        # One digit of the hash that the actor says is another.
        with open(f"{EXAMPLE}/build/textures.h", encoding="utf-8") as file:
            digits = re.search("[0-9a-f]{64}", file.read())[0].encode()
        other = (b"1" if digits.startswith(b"0") else b"0") + digits[1:]
        with open(f"{lies}/build/textures.wasm", "r+b") as file:
            component = file.read()
            self.assertEqual(component.count(digits), 1)
            file.seek(0)
            file.write(component.replace(digits, other))
        with App(self.folder, lies) as app:
            for _ in range(2):
                code, _, body = app.ask("POST", "/textures/predict", self.picture)
                self.assertEqual(code, 502, body)
                self.assertIn(b"its hash is ", body)
            code, _, body = app.ask("POST", "/colours/predict", self.green)
            self.assertEqual(code, 502, body)
            self.assertIn(b"and not 100", body)
            self.check_figures(app, pulls=0, maps=0, memory=0)
            self.assertEqual(os.listdir(app.states), [])

    def long_ones(self, app, count):
        """Predictions that go on for minutes: threads that leave their answers in a list."""
        answers = []

        def run():
            try:
                code, _, body = app.ask("POST", f"/textures/explain?samples={LONG}", self.picture)
                answers.append((code, body))
            except OSError as error:
                answers.append((None, error))

        threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
        for number, each in enumerate(threads, 1):
            each.start()
            until(lambda: app.status()["running"] == number, f"{number} predictions run")
        return threads, answers

    def test_preempt(self):
        """What runs and what waits is stopped, the memory goes, the file stays."""
        with App(self.folder) as app:
            app.predict("textures", self.picture)
            app.predict("colours", self.green)
            threads, answers = self.long_ones(app, 3)  # Two threads: one of them waits.
            code, _, body = app.ask("POST", "/textures/preempt")
            self.assertEqual((code, json.loads(body)),
                             (200, {"predictions": 3, "bytes": self.bytes["textures"]}))
            for each in threads:
                each.join(REPLY_SECONDS_MAX)
            self.assertEqual(answers, [(409, b"preempted\n")] * 3)
            self.check_figures(app, running=0, memory=self.bytes["colours"], pulls=2)
            self.assertEqual(app.predict("textures", self.picture)["label"], "vertical")
            self.check_figures(app, pulls=2, maps=3, evictions=0)
            # Of what does not run there is nothing to stop.
            app.ask("POST", "/textures/preempt")
            code, _, body = app.ask("POST", "/textures/preempt")
            self.assertEqual((code, json.loads(body)), (200, {"predictions": 0, "bytes": 0}))

    def test_busy(self):
        """What finds neither a thread nor a place to wait, or no memory, is told to come later."""
        with App(self.folder, threads=1, waiting=1, memory=max(self.bytes.values())) as app:
            app.predict("textures", self.picture)
            threads, _ = self.long_ones(app, 2)
            code, _, body = app.ask("POST", "/textures/predict", self.picture)
            self.assertEqual(code, 503, body)
            code, _, body = app.ask("POST", "/colours/predict", self.green)
            self.assertEqual((code, body), (503, b"the memory is taken by models at work\n"))
            app.ask("POST", "/textures/preempt")
            for each in threads:
                each.join(REPLY_SECONDS_MAX)
            self.assertEqual(app.predict("colours", self.green)["label"], "green")

    def test_provider_dies_at_work(self):
        """Its caller gets an error; the next is served by the next process, from the file."""
        with App(self.folder) as app:
            threads, answers = self.long_ones(app, 1)
            app.kill_provider()
            threads[0].join(REPLY_SECONDS_MAX)
            [(code, _)] = answers
            self.assertIn(code, (500, 502, 503))
            self.assertEqual(app.predict("textures", self.picture)["label"], "vertical")
            self.check_figures(app, pulls=0, maps=1, running=0)

    def test_client_goes(self):
        """A prediction that nobody waits for is stopped, and gives its thread back."""
        with App(self.folder, threads=1) as app:
            app.predict("textures", self.picture)
            with socket.create_connection(app.host.address, REPLY_SECONDS_MAX) as client:
                client.sendall(f"POST /textures/explain?samples={LONG} HTTP/1.1\r\nhost: x\r\n"
                               f"content-length: {len(self.picture)}\r\n\r\n".encode()
                               + self.picture)
                until(lambda: app.status()["running"] == 1, "it runs")
                # A reset: it does not want an answer any more.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            until(lambda: app.status()["running"] == 0, "it is stopped")
            self.assertEqual(app.predict("textures", self.picture)["label"], "vertical")

    def test_deadline(self):
        """The link's deadline ends a prediction, in the provider too."""
        hasty = os.path.join(self.folder, "hasty")
        # Long enough for one picture on a slow machine.
        variant(hasty, ["web", "textures", "colours"], **{'"25s"': '"5s"'})
        os.symlink(f"{EXAMPLE}/build", f"{hasty}/build")
        with App(self.folder, hasty, threads=1) as app:
            app.ask("POST", "/textures/prefetch")
            code, _, body = app.ask("POST", f"/textures/explain?samples={LONG}", self.picture)
            self.assertGreaterEqual(code, 500, body)
            until(lambda: app.status()["running"] == 0, "it is stopped")
            self.assertEqual(app.predict("textures", self.picture)["label"], "vertical")


class UpAndDown(unittest.TestCase):
    def test_one_command_each(self):
        """`up` serves and says where, a second one says so too, `down` ends it; data stays."""
        with tempfile.TemporaryDirectory() as folder:
            self.addCleanup(script, "down", folder)
            said = script("up", folder)
            url = re.search(r"up at (http://([0-9.]+):(\d+)/) \(pid (\d+)", said)
            address, pid = (url[2], int(url[3])), int(url[4])
            picture = stripes(False, random.Random(1)).tobytes()
            # What it says to try.
            tried = re.findall(re.escape(url[1]) + r"([a-z/]*)", said)
            self.assertEqual(tried[1:], ["textures/predict", "textures/explain",
                                         "colours/predict", "status"])
            self.assertEqual(ask(address, "POST", "/textures/predict", picture)[0], 200)
            self.assertEqual(json.loads(ask(address, "GET", "/status")[2])["pulls"], 1)

            again = script("up", folder)
            self.assertIn("it is up already", again)
            self.assertIn(f"(pid {pid}", again)
            self.assertEqual(script("down", folder), "it is down\n")
            self.assertFalse(os.path.exists(f"/proc/{pid}/exe"))
            self.assertEqual(script("down", folder), "it is not up\n")

            said = script("up", folder)
            url = re.search(r"up at http://([0-9.]+):(\d+)/ \(pid (\d+)", said)
            address = (url[1], int(url[2]))
            self.assertEqual(ask(address, "POST", "/textures/predict", picture)[0], 200)
            self.assertEqual(json.loads(ask(address, "GET", "/status")[2])["pulls"], 0)
            # A number that is another process's by now is left alone.
            with open(f"{folder}/pid", "r+", encoding="utf-8") as file:
                mine = file.read()
                file.seek(0)
                file.truncate()
                file.write(f"{os.getpid()} 1\n")
            self.assertEqual(script("down", folder), "it is not up\n")
            with open(f"{folder}/pid", "w", encoding="utf-8") as file:
                file.write(mine)
            self.assertEqual(script("down", folder), "it is down\n")


class Outside(unittest.TestCase):
    def run_to_end(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=BUILD_SECONDS_MAX)
        self.assertEqual(done.returncode, 0,
                         f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    @unittest.skipIf(FAST, "builds for a minute")
    def test_a_copy_builds(self):
        """The folder alone, against an installed weft, gives the provider and the same models."""
        with tempfile.TemporaryDirectory() as folder:
            copy, prefix = f"{folder}/copy", f"{folder}/prefix"
            shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("build"))
            self.run_to_end(f"{ROOT}/sdk/provider/package/install.sh", BUILD, prefix)
            self.run_to_end("cmake", "-G", "Ninja", "-S", copy, "-B", f"{copy}/build",
                            "-DCMAKE_CXX_COMPILER=clang++-22", f"-DCMAKE_PREFIX_PATH={prefix}",
                            f"-DWEFT_EXECUTABLE={BUILD}/weft")
            self.run_to_end("ninja", "-C", f"{copy}/build")
            for each in ("textures.model", "colours.model", "textures.h"):
                with open(f"{copy}/build/{each}", "rb") as made, \
                        open(f"{EXAMPLE}/build/{each}", "rb") as ours:
                    self.assertEqual(made.read(), ours.read())
            alone = subprocess.run([f"{copy}/build/inference"], capture_output=True, text=True,
                                   check=False, timeout=REPLY_SECONDS_MAX)
            self.assertEqual(alone.returncode, 2)
            self.assertIn("is a provider", alone.stderr)


if __name__ == "__main__":
    unittest.main()
