"""The same walk through `examples/notes` on any driver: what was asked and answered, and what is
said of that in docs/PORTABILITY.md."""

import concurrent.futures
import hashlib
import json
import os
import re
import tempfile
import urllib.parse

import servers
from client import Connection
from host import ROOT, Host, run

APP = os.path.join(ROOT, "examples", "notes")
KEY = "let me in"
TITLE = "Notes of the house"  # weft.toml has another.
PICTURE = bytes(range(256)) * (3 << 12)  # 3 MiB
READERS, READS = 16, 8


class Driver:
    """One driver of one capability: what is in the operator's table for it, none where there is no
    table, and the server that it needs."""

    def __init__(self, capability, name, system, table=None, server=None, keeps=True):
        self.capability, self.name, self.system = capability, name, system
        self.table, self.server, self.keeps = table, server, keeps

    def is_there(self):
        """Whether its server is installed, where that may be missing."""
        return self.server is None or self.server.is_there()

    def row(self):
        """How its line in docs/PORTABILITY.md begins."""
        return f"| {self.capability} | `{self.name}` | {self.system} |"


AZURE = ('account = "{server.account}"\ncontainer = "{server.container}"\nkey = "{server.key}"\n'
         'url = "http://127.0.0.1:{port}/{server.account}"')

NAMES = {"keyvalue": "counters", "sql": "notes", "blobstore": "pictures",
         "config": "notes.notes.title", "secrets": "notes-key"}

# The first of each capability is the embedded default. A new driver is one entry.
DRIVERS = [
    Driver("keyvalue", "lmdb", "LMDB, embedded"),
    Driver("keyvalue", "memory", "this process", "", keeps=False),
    Driver("keyvalue", "redis", "Redis", 'url = "redis://127.0.0.1:{port}"', servers.Redis),
    Driver("keyvalue", "nats", "NATS JetStream", 'url = "nats://127.0.0.1:{port}"', servers.Nats),
    Driver("keyvalue", "etcd", "etcd", 'url = "http://127.0.0.1:{port}"', servers.Etcd),
    Driver("keyvalue", "dynamodb", "dynalite, a stand-in for DynamoDB",
           'url = "http://127.0.0.1:{port}"\ntable = "weft"\naccess-key-id = "test"\n'
           'secret-access-key = "testing"', servers.Dynalite),
    Driver("keyvalue", "azure-blob", "Azurite", AZURE, servers.Azurite),
    Driver("sql", "sqlite", "SQLite, embedded"),
    Driver("sql", "postgres", "PostgreSQL",
           'url = "postgresql://weft@127.0.0.1:{port}/postgres"\nschema = "{{app}}"',
           servers.Postgres),
    Driver("sql", "mysql", "MariaDB",
           'url = "mysql://weft@127.0.0.1:{port}/"\ndatabase = "{{app}}"', servers.Mariadb),
    Driver("blobstore", "files", "files, embedded"),
    Driver("blobstore", "memory", "this process", "", keeps=False),
    Driver("blobstore", "s3", "OpenStack Swift's S3",
           'url = "http://127.0.0.1:{port}"\nbucket = "{server.bucket}"\n'
           'access-key-id = "{server.user}"\nsecret-access-key = "{server.key}"', servers.Swift),
    Driver("blobstore", "azure-blob", "Azurite", AZURE, servers.Azurite),
    Driver("config", "manifest", "`weft.toml`"),
    Driver("config", "file", "a file of JSON or TOML", 'path = "{folder}/config.json"'),
    Driver("config", "environment", "environment variables", 'prefix = "NOTES_"'),
    Driver("config", "etcd", "etcd", 'url = "http://127.0.0.1:{port}"', servers.Etcd),
    Driver("secrets", "file", "an encrypted file, embedded"),
    Driver("secrets", "environment", "environment variables", 'variable = "NOTES_KEY"'),
    Driver("secrets", "folder", "a mounted folder", 'path = "{folder}"\nfile = "key"'),
    Driver("secrets", "value", "the operator's file", 'value = "let me in"'),
]

# What the walk does with each, for the page.
SHOWN = {
    "keyvalue": "counters that 16 readers raise at once, 128 times in all; a batch of gets; a "
                "list; keys with `../`, a line's end, `*`, four-byte UTF-8, and one that is too "
                "long",
    "sql": "a table, rows, parameters with quotes and SQL in them, a search, a constraint "
           "that fails, a transaction that commits, one that is rolled back",
    "blobstore": "an object of 3 MiB piece by piece, the whole of it, a part, a list, one that is "
                 "not there, deletion",
    "config": "the page's title",
    "secrets": "the key that lets writers in, and a wrong one",
}


class Walk:
    """What was asked, and what came: the same for every driver."""

    def __init__(self, host):
        self.host, self.steps = host, []

    def ask(self, method, path, body=None, key=None, name=None):
        with Connection(self.host) as connection:
            headers = [] if key is None else [f"authorization: Bearer {key}"]
            if body is None:
                response = connection.get(path, *headers, method=method)
            else:
                response = connection.post(path, body, *headers, method=method)
        if response.headers.get("content-type") == "application/json":
            answer = json.loads(response.text)
            text = re.sub(r'"created": \d+', '"created": 0', json.dumps(answer, sort_keys=True))
        else:
            answer = response.body
            text = f"{len(response.body)} bytes {hashlib.sha256(response.body).hexdigest()}"
        self.steps.append((name or f"{method} {path}", response.status, text))
        return answer

    def search(self, text):
        quoted = urllib.parse.quote(text, safe="")
        return self.ask("GET", f"/api/notes?q={quoted}", name=f"search {text[:40]!r}")

    def go(self):
        self.write_notes()
        self.look_for_notes()
        self.count_readers()
        self.keep_pictures()
        self.join_and_remove()
        return self.steps

    def write_notes(self):
        self.ask("GET", "/api/notes")
        self.ask("POST", "/api/notes", b"no key", name="write without a key")
        self.ask("POST", "/api/notes", b"wrong key", key="let me out",
                 name="write with a wrong key")
        for text in ["milk", "it's \"quoted\"; DROP TABLE note; --", "gr\u00fc\u00dfe \U0001f9f6",
                     "100 % _sure_"]:
            self.ask("POST", "/api/notes", text.encode(), key=KEY, name=f"write {text!r}")
        self.ask("POST", "/api/notes", b"", key=KEY, name="write nothing")
        self.ask("POST", "/api/notes", b"\xff\xfe", key=KEY, name="write what is no text")
        self.ask("POST", "/api/notes", b"x" * 20_000, key=KEY, name="write too much")
        self.ask("POST", "/api/notes", b"x" * 16_384, key=KEY, name="write as much as may be")

    def look_for_notes(self):
        for text in ["milk", "MILK", "%", "_", "!", "*", ">", "a.b c", "' OR 1=1 --",
                     "../../etc/passwd", "\U0001f9f6", "\n", "q" * 1_010, "q" * 1_100]:
            self.search(text)
        self.search("a\0b")
        self.ask("GET", "/api/searches")

    def count_readers(self):
        self.ask("GET", "/api/notes/1")
        with concurrent.futures.ThreadPoolExecutor(READERS) as readers:
            list(readers.map(lambda _: Walk(self.host).ask("GET", "/api/notes/1"),
                             range(READERS * READS)))
        self.ask("GET", "/api/notes/1", name="read after all the others")
        self.ask("GET", "/api/notes/77")

    def keep_pictures(self):
        self.ask("GET", "/api/notes/1/picture")
        self.ask("PUT", "/api/notes/1/picture", PICTURE, key=KEY)
        self.ask("PUT", "/api/notes/2/picture", b"", key=KEY, name="an empty picture")
        self.ask("GET", "/api/notes/1/picture", name="the whole picture")
        self.ask("GET", "/api/notes/2/picture", name="the empty picture")
        self.ask("GET", "/api/notes/1/picture?first=1000000&last=2000000", name="a part of it")
        self.ask("PUT", "/api/notes/1/picture", PICTURE[:100], key=KEY, name="another picture")
        self.ask("GET", "/api/notes/1/picture", name="the other picture")
        self.ask("GET", "/api/pictures")

    def join_and_remove(self):
        self.ask("POST", "/api/notes/1/join/3", b"", key=KEY)
        self.ask("POST", "/api/notes/1/join/77", b"", key=KEY)
        self.ask("POST", "/api/notes/77/join/2", b"", key=KEY)
        self.ask("GET", "/api/notes", name="after joining")
        self.ask("DELETE", "/api/notes/2", key=KEY)
        self.ask("DELETE", "/api/notes/2", key=KEY, name="delete it again")
        self.ask("GET", "/api/notes/2/picture", name="its picture")
        self.ask("GET", "/api/notes", name="after all")


class Run:
    """What became of the walk on one driver."""

    def __init__(self, driver, steps, kept):
        self.driver, self.steps, self.kept = driver, steps, kept


def operator_file(driver, folder, server):
    """That one driver, and the page's title."""
    text = ""
    if driver.table is not None:
        table = driver.table.format(folder=folder, port=server and server.port, server=server)
        text = (f"[{driver.capability}.{NAMES[driver.capability]}]\n"
                f'driver = "{driver.name}"\n{table}\n')
    if driver.capability != "config" or driver.table is None:
        text += f'[config.notes.notes]\ntitle = "{TITLE}"\n'
    return text


def run_on(driver, server=None):
    """Walks through the notes on the driver, and starts the host again."""
    with tempfile.TemporaryDirectory(prefix="weft-notes-") as folder:
        environment = {"NOTES_KEY": KEY, "NOTES_TITLE": TITLE}
        with open(os.path.join(folder, "key"), "w", encoding="utf-8") as file:
            file.write(KEY)
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump({"title": TITLE}, file)
        words = ["--on", os.path.join(folder, "on.toml")]
        with open(words[1], "w", encoding="utf-8") as file:
            file.write(operator_file(driver, folder, server))
        state = os.path.join(folder, "state")
        done = run("secret", "set", "notes-key", "--state", state, stdin=KEY.encode())
        if done.code != 0:
            raise AssertionError(done)
        with Host(APP, *words, state=state, env=environment) as host:
            steps = Walk(host).go()
        with Host(APP, *words, state=state, env=environment) as host:
            again = Walk(host)
            again.ask("GET", "/api/notes", name="after all")
            again.ask("GET", "/api/notes/1/picture", name="the picture")
            again.ask("GET", "/api/searches")
        before = Walk(None)
        before.steps = [step for step in steps if step[0] in ("after all", "GET /api/searches")]
        picture = next(step for step in steps if step[0] == "the other picture")
        kept = (again.steps[0] == before.steps[1] and again.steps[2] == before.steps[0]
                and again.steps[1][1:] == picture[1:])
        return Run(driver, steps, kept)


def run_all(report=lambda run: None):
    runs = []
    for driver in DRIVERS:
        if not driver.is_there():
            continue
        if driver.server is None:
            runs.append(run_on(driver))
        else:
            with driver.server() as server:
                runs.append(run_on(driver, server))
        report(runs[-1])
    return runs


def differences(runs):
    """Of each driver the steps that went otherwise than on the embedded defaults."""
    basis = runs[0].steps
    return {f"{each.driver.capability} {each.driver.name}":
            [(mine, theirs) for mine, theirs in zip(each.steps, basis) if mine != theirs]
            for each in runs}


def page(runs):
    """docs/PORTABILITY.md."""
    basis = runs[0].steps
    lines = [
        "# Portability: one component on every driver",
        "",
        "Made by `scripts/portability.py`, which runs `examples/notes` on each driver beside a "
        "real server and",
        "compares every answer, byte for byte, with that of the embedded defaults; `make test` "
        "does the same and fails",
        "where this page says something else. The component is built once: the same file, whatever "
        "is behind it.",
        "",
        f"{len(basis)} steps in each run. What they do with each capability:",
        "",
    ]
    lines += [f"- `{name}`: {what}." for name, what in SHOWN.items()]
    lines += ["", "| capability | driver | behind it | the same answers | kept over a restart of "
              "weft |",
              "| --- | --- | --- | --- | --- |"]
    for each in runs:
        same = sum(mine == theirs for mine, theirs in zip(each.steps, basis))
        driver = each.driver
        lines.append(f"{driver.row()} {same} of {len(basis)} | {'yes' if each.kept else 'no'} |")
    lines += [
        "",
        "Each capability's README has what its drivers guarantee, and its conformance suite, which "
        "goes further than",
        "these steps: it runs against every driver too. What differs by nature stands in the "
        "drivers' READMEs: above",
        "all, a value of `keyvalue` is 64 MiB at most, with `nats` 1 MiB (as its server is set), "
        "with `etcd` 1,400 KiB",
        "and with `dynamodb` 396 KiB, and a batch is atomic but for `nats`, `dynamodb` and "
        "`azure-blob`, and for `etcd`",
        "beyond 128 keys.",
        ""]
    return "\n".join(lines)


