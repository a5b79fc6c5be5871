#!/usr/bin/env python3
"""Secrets from end to end: set by `weft secret`, read by guests, and shown to nobody else."""

import http.server
import json
import os
import pty
import select
import stat
import subprocess
import tempfile
import threading
import unittest

from client import get
from host import WEFT, Host, environment, guest, run, until

MANIFEST = """
[app]
name = "shop"
[component.web]
source = "{guest}"
uses.secrets = {names}
uses.config = []
[[trigger.http]]
route = "/..."
component = "web"
"""
SECRET = "hunter2-9f1c"
NOT_FOUND, DENIED = 1, 2  # Of weft::Code.


class Folder:
    """An app, an operator's file and a state folder."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="weft-test-")
        self.path = self._folder.name
        self.state = os.path.join(self.path, "state")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def app(self, *names):
        self.write("weft.toml", MANIFEST.format(guest=guest("secrets"), names=json.dumps(names)))
        return self.path

    def set(self, name, value, code=0):
        done = run("secret", "set", name, "--state", self.state, stdin=value)
        assert done.code == code, done
        return done


class SecretVerb(unittest.TestCase):
    def test_set_list_and_remove(self):
        """Names and times are listed, values never; a replaced one keeps when it was made."""
        with Folder() as folder:
            self.assertIn("weft: set payment-key", folder.set("payment-key", b"hunter2\n").err)
            self.assertIn("weft: replaced payment-key", folder.set("payment-key", b"other").err)
            folder.set("another", b"\xff\x00")
            listed = run("secret", "list", "--state", folder.state)
            self.assertRegex(listed.out, r"NAME +CREATED +CHANGED\nanother +\d{4}-\d\d-\d\d "
                                         r"\d\d:\d\d:\d\dZ +[^\n]+\npayment-key [^\n]+\n$")
            self.assertNotIn("hunter2", listed.out + listed.err)
            as_json = json.loads(run("secret", "list", "--json", "--state", folder.state).out)
            self.assertEqual([each["name"] for each in as_json["secrets"]],
                             ["another", "payment-key"])
            removed = run("secret", "remove", "payment-key", "--state", folder.state)
            self.assertEqual(removed.code, 0, removed)
            again = run("secret", "remove", "payment-key", "--state", folder.state)
            self.assertEqual(again.code, 1)
            self.assertIn("there is no secret payment-key", again.err)

    def test_where_the_store_is(self):
        """--state, else [state] folder of --on, else its own place; in nobody else's folder."""
        with Folder() as folder:
            on = folder.write("prod.toml", "[state]\nfolder = \"mine\"\n"
                                           "[log]\nlevel = { secret = \"not-there-yet\" }\n")
            done = run("secret", "set", "a", "--on", on, stdin=b"x")
            self.assertEqual(done.code, 0, done)
            self.assertTrue(os.path.exists(os.path.join(folder.path, "mine/secrets/key")))
            home = os.path.join(folder.path, "home")
            run("secret", "set", "a", stdin=b"x", env={"XDG_STATE_HOME": home})
            self.assertTrue(os.path.exists(os.path.join(home, "weft/secrets/key")))
            foreign = run("secret", "set", "a", "--state", home, stdin=b"x")
            self.assertEqual(foreign.code, 1)
            self.assertIn("is no state folder of weft", foreign.err)

    def test_what_is_refused(self):
        """A value that is too long, a word that is none, a name where values would be shown."""
        with Folder() as folder:
            self.assertIn("longer than 65536 bytes", folder.set("a", b"x" * 65537, code=1).err)
            self.assertFalse(os.path.exists(folder.state))
            folder.set("a", b"x" * 65536 + b"\n")
            self.assertIn("needs the name", run("secret", "set").err)
            self.assertIn("values are never shown", run("secret", "list", "a").err)
            self.assertEqual(run("secret", "show", "a").code, 2)
            self.assertEqual(run("secret", "set", "a", "value").code, 2)

    def test_a_key_that_others_may_read_is_refused(self):
        """By the verb, and by who would start with it."""
        with Folder() as folder:
            folder.set("payment-key", SECRET.encode())
            key = os.path.join(folder.state, "secrets", "key")
            self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600)
            os.chmod(key, 0o644)
            for done in (run("secret", "list", "--state", folder.state),
                         run("check", folder.app("payment-key"), "--state", folder.state)):
                self.assertEqual(done.code, 1)
                self.assertIn(f"chmod 600 {key}", done.out + done.err)

    def test_a_terminal_shows_nothing_of_what_is_typed(self):
        """The value is asked for, and the terminal is as before when it is there."""
        with Folder() as folder:
            main, side = pty.openpty()
            with subprocess.Popen([WEFT, "secret", "set", "typed", "--state", folder.state],
                                  stdin=side, stdout=side, stderr=side,
                                  env=environment(folder.path)) as process:
                seen = b""

                def read():
                    nonlocal seen
                    if select.select([main], [], [], 0)[0]:
                        seen += os.read(main, 1000)
                    return seen

                until(lambda: b"which is not shown: " in read(), "it asks for the value")
                os.write(main, SECRET.encode() + b"\n")
                until(lambda: b"set typed" in read(), "it says that it was set")
                self.assertEqual(process.wait(timeout=20), 0)
            self.assertNotIn(SECRET.encode(), seen)
            os.close(side)
            os.close(main)
            with Host(folder.app("typed"), state=folder.state) as host:
                self.assertEqual(get(host, "/reveal?name=typed").text, SECRET + "\n")


class Guests(unittest.TestCase):
    def test_a_component_by_itself(self):
        """It may ask for any name, by the interface of its choice."""
        with Folder() as folder:
            folder.set("payment-key", SECRET.encode())
            with Host("secrets", state=folder.state) as host:
                self.assertEqual(get(host, "/get?name=payment-key").text, "a handle\n")
                self.assertEqual(get(host, "/reveal?name=payment-key").text, SECRET + "\n")
                answer = get(host, "/get?name=none")
                self.assertEqual((answer.status, answer.text),
                                 (502, f"{NOT_FOUND} there is no secret of that name\n"))
            done = run("run", "--state", folder.state, guest("secrets_wasmcloud"), "payment-key",
                       "none")
            self.assertEqual(done.out, f"payment-key: {SECRET}\nnone: not-found\n", done)

    def test_a_secret_by_the_name_of_its_import(self):
        """`import api-key: wasmcloud:secrets/secret` is the secret api-key; one that is not there
        ends the call."""
        with Folder() as folder:
            folder.set("api-key", SECRET.encode())
            done = run("call", "--state", folder.state, guest("secrets_named"), "read()")
            self.assertEqual((done.code, done.out), (0, f'"{SECRET}"\n'), done)
            run("secret", "remove", "api-key", "--state", folder.state)
            done = run("call", "--state", folder.state, guest("secrets_named"), "read()")
            self.assertEqual(done.code, 1)
            self.assertIn("api-key: there is no such secret", done.err)

    def test_only_what_the_app_asks_for(self):
        """A name that it does not ask for is denied whether or not there is such a secret."""
        with Folder() as folder:
            folder.set("payment-key", SECRET.encode())
            folder.set("other", b"hunter3")
            with Host(folder.app("payment-key"), state=folder.state) as host:
                self.assertEqual(get(host, "/reveal?name=payment-key").text, SECRET + "\n")
                denied = get(host, "/get?name=other")
                self.assertTrue(denied.text.startswith(f"{DENIED} "), denied.text)
                self.assertEqual(denied.text, get(host, "/get?name=nothing").text)
                host.wait_log(r"secrets +payment-key \(embedded\)\n")

    def test_a_new_value_needs_no_restart(self):
        """weft secret works beside a running host, which gives the new value at the next get."""
        with Folder() as folder:
            folder.set("payment-key", b"first")
            with Host(folder.app("payment-key"), state=folder.state) as host:
                self.assertEqual(get(host, "/reveal?name=payment-key").text, "first\n")
                folder.set("payment-key", b"second")
                self.assertEqual(get(host, "/reveal?name=payment-key").text, "second\n")
                run("secret", "remove", "payment-key", "--state", folder.state)
                self.assertEqual(get(host, "/reveal?name=payment-key").status, 502)

    def test_the_operators_drivers(self):
        """Each name from where [secrets] says; a mounted file is seen anew when it changes."""
        with Folder() as folder:
            folder.set("kept", b"of the store")
            mounted = folder.write("db-password", "of the folder\n")
            on = folder.write("prod.toml", """
[secrets]
renamed = { driver = "file", name = "kept" }
short = { file = "db-password" }
of-environment = { env = "FROM_ENV" }
written = "of the file"
[secrets.db-password]
driver = "folder"
path = "."
""")
            app = folder.app("kept", "renamed", "short", "of-environment", "written", "db-password")
            with Host(app, "--on", on, state=folder.state,
                      env={"FROM_ENV": "of the environment"}) as host:
                for name, value in (("kept", "of the store"), ("renamed", "of the store"),
                                    ("short", "of the folder"), ("written", "of the file"),
                                    ("of-environment", "of the environment"),
                                    ("db-password", "of the folder")):
                    self.assertEqual(get(host, f"/reveal?name={name}").text, value + "\n")
                with open(mounted, "w", encoding="utf-8") as file:
                    file.write("anew\n")
                self.assertEqual(get(host, "/reveal?name=short").text, "anew\n")

    def test_the_operators_file_names_what_the_store_has(self):
        """{ secret = "x" } is put in from the embedded store, and a secret that is none is told."""
        with Folder() as folder:
            folder.set("level", b"warn")
            on = folder.write("prod.toml", "[log]\nlevel = { secret = \"level\" }\n")
            folder.app()
            good = run("check", folder.path, "--on", on, "--state", folder.state)
            self.assertEqual(good.code, 0, good)
            run("secret", "remove", "level", "--state", folder.state)
            bad = run("check", folder.path, "--on", on, "--state", folder.state)
            self.assertIn("prod.toml:2:20: there is no secret \"level\" in [secrets]: write "
                          f"level = ... there, or: weft secret set level --state {folder.state}",
                          bad.out)

    def test_what_does_not_resolve_is_told_by_check_and_before_a_start(self):
        """With what to write, and where."""
        with Folder() as folder:
            app = folder.app("payment-key")
            checked = run("check", app, "--state", folder.state)
            self.assertIn("weft.toml:6:17: nothing gives the secret \"payment-key\": weft secret "
                          f"set payment-key --state {folder.state}, or write [secrets] and in it "
                          "payment-key = ... in a file that --on names\n", checked.out)
            self.assertFalse(os.path.exists(folder.state))
            started = run("run", app, "--http", "127.0.0.1:0", "--state", folder.state)
            self.assertEqual(started.code, 1)
            self.assertIn("nothing gives the secret", started.err)
            on = folder.write("prod.toml", "[secrets.payment-key]\ndriver = \"vault\"\n"
                                           "address = \"vault.example\"\ntoken = \"t\"\n")
            checked = run("check", app, "--on", on, "--state", folder.state)
            self.assertIn("needs address = \"https://HOST:PORT\"", checked.out)


class FakeVault(http.server.ThreadingHTTPServer):
    """No Vault: one secret of a KV engine of version 2, for whoever has the token."""

    TOKEN = "hvs.of-the-fake"

    def __init__(self):
        super().__init__(("127.0.0.1", 0), FakeVaultHandler)
        self.value = "first"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class FakeVaultHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, data = 200, {"data": {"data": {"card": self.server.value}}}
        if self.headers["x-vault-token"] != FakeVault.TOKEN:
            status, data = 403, {"errors": ["permission denied"]}
        elif self.path != "/v1/kv/data/shop/keys":
            status, data = 404, {"errors": []}
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Vault(unittest.TestCase):
    def operators_file(self, folder, vault, path="shop/keys"):
        return folder.write("prod.toml", f"""
[secrets]
vault-token = {{ driver = "file", name = "token" }}
[secrets.payment-key]
driver = "vault"
address = "http://127.0.0.1:{vault.server_port}"
mount = "kv"
path = "{path}"
key = "card"
token = {{ secret = "vault-token" }}
timeout = "10s"
""")

    def test_a_secret_from_vault(self):
        """With a token from the embedded store; a new value is seen at the next get, and a Vault
        that went away is an error that tells the guest nothing of it."""
        with Folder() as folder, FakeVault() as vault:
            folder.set("token", FakeVault.TOKEN.encode())
            on = self.operators_file(folder, vault)
            with Host(folder.app("payment-key"), "--on", on, state=folder.state) as host:
                self.assertEqual(get(host, "/reveal?name=payment-key").text, "first\n")
                vault.value = "second"
                self.assertEqual(get(host, "/reveal?name=payment-key").text, "second\n")
                vault.shutdown()
                vault.server_close()
                answer = get(host, "/get?name=payment-key")
                self.assertEqual((answer.status, answer.text),
                                 (502, "4 the secret cannot be read now: "
                                       "the host's log says why\n"))
                host.wait_log("secrets: the secret shop/keys in kv of http://127.0.0.1")
                self.assertNotIn(FakeVault.TOKEN, host.log)

    def test_a_vault_that_does_not_answer_keeps_nobody_from_starting(self):
        """It is a warning at the start, and an error where the operator's file itself needs it."""
        with Folder() as folder:
            with FakeVault() as vault:
                folder.set("token", FakeVault.TOKEN.encode())
                on = self.operators_file(folder, vault)
            folder.write("weft.toml", "[app]\nname = \"tool\"\n[component.tool]\nsource = "
                                      f"\"{guest('secrets_wasmcloud')}\"\n"
                                      "uses.secrets = [\"payment-key\"]\n")
            done = run("run", "--on", on, "--state", folder.state, folder.path, "payment-key")
            self.assertEqual((done.code, done.out), (0, "payment-key: another error\n"), done)
            self.assertRegex(done.err, r"warn +secrets: the secret shop/keys in kv of .+refused")
            with open(on, "a", encoding="utf-8") as file:
                file.write("[log]\nlevel = { secret = \"payment-key\" }\n")
            checked = run("check", folder.path, "--on", on, "--state", folder.state)
            self.assertIn("the secret \"payment-key\" cannot be read: ", checked.out)

    def test_what_vault_refuses_is_told_before_a_start(self):
        """A wrong path or token is; check asks nobody else's machine."""
        with Folder() as folder, FakeVault() as vault:
            folder.set("token", b"hvs.wrong")
            app = folder.app("payment-key")
            on = self.operators_file(folder, vault)
            started = run("run", app, "--on", on, "--http", "127.0.0.1:0", "--state", folder.state)
            self.assertEqual(started.code, 1)
            self.assertIn("Vault refuses", started.err)
            self.assertNotIn("hvs.wrong", started.err)
            folder.set("token", FakeVault.TOKEN.encode())
            on = self.operators_file(folder, vault, path="none")
            started = run("run", app, "--on", on, "--http", "127.0.0.1:0", "--state", folder.state)
            self.assertIn("the secret none in kv of", started.err)
            checked = run("check", app, "--on", on, "--state", folder.state)
            self.assertEqual(checked.code, 0, checked)


class Config(unittest.TestCase):
    def test_a_changed_value_needs_no_restart(self):
        """A value from the operator's file of values is seen anew when that is replaced, and a file
        that is broken changes nothing."""
        with Folder() as folder:
            folder.write("weft.toml", MANIFEST.format(guest=guest("secrets"), names="[]").replace(
                "uses.config = []", 'uses.config = { currency = "EUR", region = "eu" }'))
            values = folder.write("values.toml", "currency = \"USD\"\nother = \"x\"\n")
            on = folder.write("prod.toml", "[config.shop.web.\"*\"]\ndriver = \"file\"\n"
                                           "path = \"values.toml\"\n")
            with Host(folder.path, "--on", on, state=folder.state) as host:
                self.assertEqual(get(host, "/config?name=currency").text, "USD\n")
                self.assertEqual(get(host, "/config?name=region").text, "eu\n")
                self.assertEqual(get(host, "/config?name=other").text, "(none)\n")
                folder.write("next.toml", "currency = \"GBP\"\n")
                os.rename(os.path.join(folder.path, "next.toml"), values)
                until(lambda: get(host, "/config?name=currency").text == "GBP\n", "the new value")
                # Also at once: one that is just being written may be seen empty.
                folder.write("next.toml", "currency = oops\n")
                os.rename(os.path.join(folder.path, "next.toml"), values)
                host.wait_log("values.toml: it is no TOML: line 1: the values from before hold")
                self.assertEqual(get(host, "/config?name=currency").text, "GBP\n")

    def test_what_cannot_be_read_is_told_by_check(self):
        """With its place in the operator's file; a key that nobody asks for too."""
        with Folder() as folder:
            app = folder.app()
            on = folder.write("prod.toml", "[config.shop.web]\ncurrency = { driver = \"file\", "
                                           "path = \"none.json\" }\n")
            checked = run("check", app, "--on", on, "--state", folder.state)
            self.assertIn("prod.toml:2:1: ", checked.out)
            self.assertIn("none.json: it cannot be read", checked.out)
            self.assertIn("component web of shop asks for no config value \"currency\"",
                          checked.out)
            on = folder.write("prod.toml", "[config.shop.wbe]\nk = { driver = \"manifest\" }\n")
            checked = run("check", app, "--on", on, "--state", folder.state)
            self.assertIn("[config.shop.wbe]: the app has no such component: did you mean web?\n"
                          "1 error", checked.out)


class Unseen(unittest.TestCase):
    def test_a_value_is_in_nothing_that_is_written(self):
        """Neither log, access log, spy, admin page, metrics, spans nor problems show one; who was
        shown it is in the log."""
        with Folder() as folder:
            folder.set("payment-key", SECRET.encode())
            on = folder.write("prod.toml", "[admin]\nvalues = true\n[log]\nlevel = \"debug\"\n")
            access = os.path.join(folder.path, "access.log")
            with Host(folder.app("payment-key"), "--on", on, "--admin", "127.0.0.1:0",
                      "--access-log", access, state=folder.state) as host:
                admin = host.wait_log(r"admin: http://([0-9.:]+)")[1]
                with subprocess.Popen([WEFT, "spy", admin], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT,
                                      env=environment(folder.path)) as spy:
                    told = b""
                    os.set_blocking(spy.stdout.fileno(), False)

                    def watched():
                        nonlocal told
                        get(host, "/reveal?name=payment-key")
                        told += spy.stdout.read() or b""
                        return b"reveal" in told and b"weft:secrets/store" in told

                    until(watched, "spy tells of the calls")
                    spy.terminate()
                    spy.wait(timeout=20)
                    told += spy.stdout.read() or b""
                self.assertIn(b"secrets", told)
                self.assertNotIn(SECRET.encode(), told)
                for path in ("/", "/metrics", "/api/state"):
                    done = subprocess.run(["curl", "-s", f"http://{admin}{path}"],
                                          capture_output=True, timeout=20, check=True)
                    self.assertNotIn(SECRET.encode(), done.stdout)
                os.chmod(os.path.join(folder.state, "secrets", "key"), 0o640)
                folder_before = host.log
                self.assertIn("secrets: revealed name=payment-key app=shop component=web",
                              folder_before)
            self.assertNotIn(SECRET, host.log)
            with open(access, encoding="utf-8") as file:
                text = file.read()
            self.assertIn("/reveal", text)
            self.assertNotIn(SECRET, text)


if __name__ == "__main__":
    unittest.main()
