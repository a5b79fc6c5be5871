#!/usr/bin/env python3
"""One component, the same bytes, behaves the same on SQLite and on a real PostgreSQL; and the
password of a database is in no message."""

import os
import pwd
import signal
import subprocess
import tempfile
import unittest

from host import guest, run, until

PROGRAMS = "/usr/lib/postgresql/15/bin"
START_SECONDS_MAX = 60
DENIED = 1  # access-denied, as the guest counts the kinds of errors.


def as_ordinary():
    """PostgreSQL refuses to run as root."""
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else None

    def become():
        if user:
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
    return user, become


class Server:
    """A PostgreSQL in a folder of its own, reached by a socket in it, that asks for a password."""

    def __init__(self, folder):
        self.folder = folder
        user, self.become = as_ordinary()
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        secret = os.path.join(folder, "password")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("hush-hush\n")
        if user:
            os.chown(secret, user.pw_uid, user.pw_gid)
        self.data = os.path.join(folder, "data")
        subprocess.run([f"{PROGRAMS}/initdb", "-D", self.data, "-U", "weft", "-A", "scram-sha-256",
                        "--pwfile", secret, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, preexec_fn=self.become)
        self.log = open(os.path.join(folder, "log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [f"{PROGRAMS}/postgres", "-D", self.data, "-k", folder, "-c", "listen_addresses=",
             "-c", "fsync=off"], stdout=self.log, stderr=self.log, preexec_fn=self.become)
        until(self.ready, "PostgreSQL to be ready", START_SECONDS_MAX)

    def ready(self):
        if self.process.poll() is not None:
            with open(self.log.name, encoding="utf-8") as log:
                raise RuntimeError(log.read())
        return subprocess.run([f"{PROGRAMS}/pg_isready", "-q", "-h", self.folder],
                              check=False).returncode == 0

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        self.log.close()


@unittest.skipUnless(os.path.exists(f"{PROGRAMS}/postgres"), "no PostgreSQL is installed")
class SameOnBoth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory(prefix="weft-test-sql-")
        cls.folder = cls.place.name
        os.chmod(cls.folder, 0o755)
        data = os.path.join(cls.folder, "pg")
        os.mkdir(data)
        cls.server = Server(data)
        cls.files = {
            "sqlite": '[sql.orders]\ndriver = "sqlite"\n',
            "postgres": f'[secrets]\ndb = "hush-hush"\n[sql.orders]\ndriver = "postgres"\n'
                        f'url = "postgresql:///postgres?host={data}&user=weft"\n'
                        f'password = {{ secret = "db" }}\n',
            "wrong": f'[sql.orders]\ndriver = "postgres"\npassword = "not-that-one"\n'
                     f'url = "postgresql:///postgres?host={data}&user=weft"\n'}
        for name, text in cls.files.items():
            with open(os.path.join(cls.folder, name + ".toml"), "w",
                      encoding="utf-8") as file:
                file.write(text)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.place.cleanup()

    def sql(self, driver, *words):
        return run("run", "--on", os.path.join(self.folder, driver + ".toml"), "--state",
                   os.path.join(self.folder, "state-" + driver), guest("sql"), *words)

    def test_the_same_statements_print_the_same(self):
        said = {}
        for driver in ("sqlite", "postgres"):
            said[driver] = [self.sql(driver, *words) for words in (
                ("fill", "orders"), ("show", "orders"), ("cursor", "orders", "12345"),
                ("run", "orders", "SELECT t AS t FROM things WHERE t LIKE ?", "it's%"),
                ("run", "orders", "UPDATE things SET n = ? RETURNING n", "'; DROP TABLE things"),
                ("run", "orders", "DELETE FROM things"))]
        for one, other in zip(said["sqlite"], said["postgres"]):
            self.assertEqual(one.code, 0, one)
            self.assertEqual((one.code, one.out), (other.code, other.out),
                             other)
        self.assertIn("decimal 12.50", said["postgres"][1].out)

    def test_transfers_that_fail_half_way_leave_the_same(self):
        said = [self.sql(driver, "books", "orders") for driver in ("sqlite", "postgres")]
        for each in said:
            self.assertEqual(each.code, 0, each)
            lines = each.out.splitlines()
            self.assertEqual(lines[:2], ["moved 30", "moved 50"])
            self.assertIn("failed (7)", lines[2])
            self.assertEqual(lines[3:], ["name = text a, sum = integer 20",
                                         "name = text b, sum = integer 80"])

    def test_a_password_that_is_wrong_is_not_shown(self):
        said = self.sql("wrong", "show", "orders")
        self.assertEqual(said.code, 1)
        self.assertIn("failed (%d)" % DENIED, said.out)
        self.assertNotIn("not-that-one", said.out + said.err)


if __name__ == "__main__":
    unittest.main()
