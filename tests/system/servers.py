"""Real servers for the tests of drivers: each on a free loopback port, in a temporary folder, ended
by its pid."""

import base64
import email.utils
import glob
import hashlib
import hmac
import http.client
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from host import ROOT, SECONDS_MAX


def free_port():
    """Below those that the system gives to whoever asks for any: such a port may be somebody else's
    before the server that is to have it has started."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise AssertionError("a thousand ports, and none is free")


def as_ordinary():
    """Some servers refuse to run as root: (user or None, what makes a child that user)."""
    if os.getuid() != 0:
        return None, None
    nobody = pwd.getpwnam("nobody")

    def become():
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    return nobody, become


class Server:
    """One process of somebody else's server. A subclass says which command, and when it is
    ready."""

    seconds = SECONDS_MAX
    ordinary = False  # Whether it must not run as root.
    stop = signal.SIGTERM

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weft-server-")
        self.port = free_port()
        self.process = None
        self.become = None
        if self.ordinary:
            user, self.become = as_ordinary()
            if user:
                os.chown(self.folder, user.pw_uid, user.pw_gid)

    def run(self, *words):
        """A program of the server's to its end."""
        done = subprocess.run(words, cwd=self.folder, capture_output=True, timeout=2 * SECONDS_MAX,
                              check=False, preexec_fn=self.become)
        if done.returncode != 0:
            raise AssertionError(f"{words[0]}: {done.stdout.decode()}{done.stderr.decode()}")

    @staticmethod
    def is_there():
        """Whether it is installed, where that may be missing."""
        return True

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        """By default: it lets somebody connect."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def prepare(self):
        """Before it is started."""

    def fill(self):
        """Once it is ready, what it is to have."""

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, preexec_fn=self.become)
        deadline = time.monotonic() + self.seconds
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(self.folder, "log"), encoding="utf-8",
                          errors="replace") as log:
                    raise AssertionError(f"{self.command()[0]} does not start:\n{log.read()}")
            time.sleep(0.02)

    def end(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(self.stop)
            try:
                self.process.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(SECONDS_MAX)
        self.process = None

    def __enter__(self):
        try:
            self.prepare()
            self.start()
            self.fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Server):
    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir",
                self.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]


class Nats(Server):
    def command(self):
        return ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", self.folder]


class Mosquitto(Server):
    """An MQTT server without passwords."""

    def prepare(self):
        with open(os.path.join(self.folder, "conf"), "w", encoding="utf-8") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n")

    def command(self):
        return ["/usr/sbin/mosquitto", "-c", os.path.join(self.folder, "conf")]


class RabbitMq(Server):
    """A node of its own: all it has is in the folder, and its directory of nodes ends with it."""

    def prepare(self):
        for name, text in (("plugins", "[].\n"), ("env", ""), ("rabbitmq.conf", "")):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)

    def command(self):
        directory = str(free_port())
        names = {"HOME": "", "NOTIFY_SOCKET": "/none", "RABBITMQ_MNESIA_BASE": "/mnesia",
                 "RABBITMQ_LOG_BASE": "/logs", "RABBITMQ_ENABLED_PLUGINS_FILE": "/plugins",
                 "RABBITMQ_CONF_ENV_FILE": "/env", "RABBITMQ_CONFIG_FILE": "/rabbitmq"}
        settings = [f"{name}={self.folder}{path}" for name, path in names.items()]
        settings += ["RABBITMQ_NODENAME=weft@localhost", "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
                     f"RABBITMQ_NODE_PORT={self.port}", f"RABBITMQ_DIST_PORT={free_port()}",
                     "RABBITMQ_LOGS=-", f"ERL_EPMD_PORT={directory}", "ERL_EPMD_ADDRESS=127.0.0.1",
                     "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="
                     "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"]
        start = (f"setpriv --pdeathsig KILL epmd -port {directory} -address 127.0.0.1 & "
                 "exec /usr/lib/rabbitmq/bin/rabbitmq-server")
        return ["env"] + settings + ["sh", "-c", start]


class Etcd(Server):
    """With the title of the notes in it."""

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def command(self):
        peer = f"http://127.0.0.1:{free_port()}"  # Nobody comes there.
        return ["etcd", "--data-dir", os.path.join(self.folder, "data"), "--listen-client-urls",
                self.url(), "--advertise-client-urls", self.url(), "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
                "--heartbeat-interval", "10", "--election-timeout", "50"]

    def is_ready(self):
        try:
            with urllib.request.urlopen(self.url() + "/health", timeout=SECONDS_MAX) as answer:
                return json.load(answer)["health"] == "true"
        except OSError:
            return False

    def fill(self):
        put = {"key": base64.b64encode(b"weft/config/title").decode(),
               "value": base64.b64encode(b"Notes of the house").decode()}
        asked = urllib.request.Request(self.url() + "/v3/kv/put", json.dumps(put).encode())
        with urllib.request.urlopen(asked, timeout=SECONDS_MAX) as answer:
            answer.read()


def node_tool(name):
    """Where a server is that Node.js runs, (node, its script), or None: scripts/setup.sh test
    installs it."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    tools = os.path.join(cache, "weft", "node")
    found = os.path.join(tools, "bin", "node"), os.path.join(tools, "node_modules", ".bin", name)
    return found if all(map(os.path.exists, found)) else None


class Dynalite(Server):
    """A stand-in for DynamoDB, with the table `weft`."""

    @staticmethod
    def is_there():
        return node_tool("dynalite") is not None

    def command(self):
        return [*node_tool("dynalite"), "--host", "127.0.0.1", "--port", str(self.port), "--path",
                os.path.join(self.folder, "data"), "--createTableMs", "0"]

    def ask(self, operation, **body):
        url = f"http://127.0.0.1:{self.port}/"
        asked = urllib.request.Request(url, json.dumps(body).encode(), {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810." + operation, "x-amz-date": "20200101T000000Z",
            # It looks whether there is one, and not at what it says.
            "authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, "
                             "Signature=0"})
        with urllib.request.urlopen(asked, timeout=SECONDS_MAX) as answer:
            return json.load(answer)

    def fill(self):
        self.ask("CreateTable", TableName="weft", BillingMode="PAY_PER_REQUEST",
                 AttributeDefinitions=[{"AttributeName": "bucket", "AttributeType": "S"},
                                       {"AttributeName": "key", "AttributeType": "B"}],
                 KeySchema=[{"AttributeName": "bucket", "KeyType": "HASH"},
                            {"AttributeName": "key", "KeyType": "RANGE"}])
        deadline = time.monotonic() + self.seconds
        while self.ask("DescribeTable", TableName="weft")["Table"]["TableStatus"] != "ACTIVE":
            if time.monotonic() > deadline:
                raise AssertionError("dynalite makes no table")
            time.sleep(0.02)


class Postgres(Server):
    ordinary = True
    stop = signal.SIGINT  # Does not wait for those who are connected.

    def program(self, name):
        found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
        if not found:
            raise AssertionError(f"{name} is not installed: make test installs it")
        return found[-1]

    def prepare(self):
        self.run(self.program("initdb"), "-D", "data", "-U", "weft", "-A", "trust", "-E", "UTF8",
                 "--locale=C.UTF-8", "--no-sync")

    def command(self):
        return [self.program("postgres"), "-D", "data", "-k", self.folder, "-p", str(self.port),
                "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]

    def is_ready(self):
        return subprocess.run([self.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                               str(self.port)], check=False).returncode == 0


class Mariadb(Server):
    """With a user `weft` who may do everything and has no password."""

    ordinary = True

    def prepare(self):
        self.run("/usr/bin/mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data",
                 f"--tmpdir={self.folder}", "--auth-root-authentication-method=normal",
                 "--skip-test-db", "--skip-name-resolve")

    def command(self):
        return ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.folder}/data",
                f"--socket={self.folder}/s", f"--pid-file={self.folder}/pid", f"--port={self.port}",
                "--bind-address=127.0.0.1", "--skip-name-resolve", f"--tmpdir={self.folder}/data",
                "--innodb-flush-log-at-trx-commit=2"]

    def fill(self):
        self.run("/usr/bin/mariadb", "--no-defaults", f"--socket={self.folder}/s", "--user=root",
                 "--execute=CREATE USER weft@'127.0.0.1'; GRANT ALL ON *.* TO weft@'127.0.0.1'")


class Swift(Server):
    """OpenStack Swift with its S3 interface; `bucket` is there."""

    user, key, bucket = "test:tester", "testing", "notes"

    def command(self):
        script = os.path.join(ROOT, "src", "remote", "testing", "swift_server.py")
        return ["/usr/bin/python3", script, str(self.port), self.folder]

    def fill(self):
        """By Swift's own interface, where a bucket is a container."""
        login = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        login.request("GET", "/auth/v1.0", headers={"X-Auth-User": self.user,
                                                    "X-Auth-Key": self.key})
        token = login.getresponse().headers["X-Auth-Token"]
        login.close()
        made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        made.request("PUT", f"/v1/AUTH_test/{self.bucket}", headers={"X-Auth-Token": token})
        status = made.getresponse().status
        made.close()
        if status not in (201, 202):
            raise AssertionError(f"Swift makes no bucket: {status}")


class Azurite(Server):
    """Microsoft's own stand-in for Azure's object store, with its account; `container` is there."""

    account, container = "devstoreaccount1", "notes"
    key = ("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw"
           "==")
    @staticmethod
    def is_there():
        return node_tool("azurite-blob") is not None

    def command(self):
        return [*node_tool("azurite-blob"), "--blobHost", "127.0.0.1", "--blobPort",
                str(self.port), "--location", self.folder, "--silent", "--disableTelemetry"]

    def fill(self):
        date, version = email.utils.formatdate(usegmt=True), "2026-02-06"
        path = f"/{self.account}/{self.container}"
        text = (f"PUT{12 * chr(10)}x-ms-date:{date}\nx-ms-version:{version}\n/{self.account}{path}"
                "\nrestype:container")
        signature = hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        made.request("PUT", path + "?restype=container", headers={
            "x-ms-date": date, "x-ms-version": version,
            "Authorization": f"SharedKey {self.account}:{base64.b64encode(signature).decode()}"})
        status = made.getresponse().status
        made.close()
        if status != 201:
            raise AssertionError(f"Azurite makes no container: {status}")
