"""SQL on a real PostgreSQL, from a guest, beside plain libpq on the same server."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import harness
from harness import Unmeasured, median

PROGRAMS = "/usr/lib/postgresql/15/bin"
START_SECONDS = 60


class Postgres:
    """Debian's PostgreSQL as it comes, in a folder of its own, reached by a socket in it."""

    def __init__(self):
        self._folder = folder = tempfile.mkdtemp(prefix="weft-bench-pg-")
        # It refuses to run as root.
        self._user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        self._process = None
        self.url = f"postgresql:///postgres?host={folder}&user=weft"

    def _become(self):
        if self._user:
            os.setgid(self._user.pw_gid)
            os.setuid(self._user.pw_uid)

    def __enter__(self):
        if not os.path.exists(f"{PROGRAMS}/postgres"):
            raise Unmeasured("PostgreSQL 15 is not installed")
        data = os.path.join(self._folder, "data")
        if self._user:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        subprocess.run([f"{PROGRAMS}/initdb", "-D", data, "-U", "weft", "-A", "trust", "-E", "UTF8",
                        "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL,
                       preexec_fn=self._become)
        self._process = subprocess.Popen(
            [f"{PROGRAMS}/postgres", "-D", data, "-k", self._folder, "-c", "listen_addresses="],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=self._become)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if subprocess.run([f"{PROGRAMS}/pg_isready", "-q", "-h", self._folder],
                              check=False).returncode == 0:
                return self
            time.sleep(0.05)
        self.__exit__()
        raise Unmeasured("PostgreSQL does not serve")

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)


def postgres(setting):
    plain_program = setting.need(setting.built("bench", "weft_postgres_bench"))
    weft = setting.need(setting.built("weft"))
    rounds, calls = (2, 2000) if setting.quick else (7, 20_000)
    environment = harness.environment(XDG_CACHE_HOME=setting.folder("cache"))
    ours, plains = [], []
    with Postgres() as server:
        on = os.path.join(setting.folder("postgres-app"), "on.toml")
        with open(on, "w", encoding="utf-8") as file:
            file.write(f'[sql.""]\ndriver = "postgres"\nurl = "{server.url}"\n')
        guest = [weft, "run", "--on", on, setting.guest("sql"), "bench", "", str(calls)]
        plain = [plain_program, server.url, str(calls)]
        for _ in range(rounds):
            ours.append(json.loads(harness.run(guest, env=environment)))
            plains.append(json.loads(harness.run(plain)))
    p50s, bare = ([each["p50"] / 1000 for each in side] for side in (ours, plains))
    over = median([one - other for one, other in zip(p50s, bare)])
    return {
        "verdicts": [
            {"what": "one row by its key from a guest on PostgreSQL, p50 beside libpq",
             "asked": "≤ 30 µs more", "measured": f"{median(p50s):.1f} to {median(bare):.1f} µs",
             "ratio": over / 30, "met": over <= 30}],
        "table": [["", "weft", "libpq"],
                  ["p50", f"{median(p50s):.1f} µs", f"{median(bare):.1f} µs"],
                  ["mean", f"{median([each['mean'] for each in ours]) / 1000:.1f} µs",
                   f"{median([each['mean'] for each in plains]) / 1000:.1f} µs"]],
        "rounds": {"weft": ours, "libpq": plains},
        "commands": [setting.shown(guest), setting.shown(plain)],
        "notes": ["Each side asks for one row after the other by primary key, on one connection by "
                  "the server's socket, with a statement that is prepared once; times are the "
                  "asking side's own. PostgreSQL is as it comes."]}
