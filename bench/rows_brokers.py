"""Messages over real brokers, from and to guests, beside the plain client of each on the same
server in the same run."""

import concurrent.futures
import json
import os
import socket
import subprocess
import time

import harness
from harness import Unmeasured, median, pair_ratios
from rows_messages import ask
from rows_stores import free_port

GUESTS = 64
SIZES = (16, 1024)
READY_SECONDS = 10
END_SECONDS = 10
DRAIN_SECONDS = 60

MANIFEST = """
[app]
name = "{name}"
[component.guest]
source = "{guest}"
uses.keyvalue = [""]
uses.messaging = [""]
limits = {{ time = "0s", cpu = "0s" }}
[[trigger.http]]
route = "/..."
component = "guest"
"""
SINK = """
[[trigger.message]]
topic = "sink"
component = "guest"
group = "sink"
concurrency = 64
instances = "{instances}"
"""
INSTANCES = ("fresh", "reused")
CONSUME = {each: f"consume, instances {each}" for each in INSTANCES}


class Server:
    """A broker on a port of its own."""

    def __init__(self, command, port, ready_seconds=READY_SECONDS):
        self.port = port
        self._command = command
        self._ready_seconds = ready_seconds
        self._process = None

    def __enter__(self):
        try:
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL)
        except OSError as error:
            raise Unmeasured(str(error)) from error
        try:
            wait_for(self.listens, self._ready_seconds, f"{self._command[0]} serves")
        except Unmeasured:
            self.__exit__()
            raise
        return self

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_SECONDS)


def wait_for(check, seconds, what):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = check()
        if value:
            return value
        time.sleep(0.01)
    raise Unmeasured(f"not within {seconds} s: {what}")


class Broker:
    """One protocol: how its server is started, what the operator writes, and the plain client's
    words. Its server keeps what is published to `sink` while nobody takes it, unless `keeps` says
    otherwise."""

    keeps = True
    verb = ""  # Before "publish" and "consume".
    ways = ("publish", *CONSUME.values())

    def __init__(self, setting):
        self.setting = setting
        self.port = free_port()

    def plain(self, verb, topic, count, size):
        return [self.setting.need(self.setting.built("bench", self.program)), self.url(),
                self.verb + verb, topic, str(count), str(size)]

    def prepare(self, count, size):
        """Before a round: the places where messages wait are empty and there."""


class Nats(Broker):
    name, program, driver = "NATS", "weft_nats_bench", "nats"
    keeps = False
    ways = ("publish", "publish-each", *CONSUME.values())
    flood, sink, plain_flood, plain_sink = "flood", "bench.sink", "plain.flood", "plain.sink"

    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def server(self):
        return Server(["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd",
                       self.setting.folder("nats")], self.port)

    def table(self):
        return f'driver = "{self.driver}"\nurl = "{self.url()}"\nprefix = "bench"\n'


class JetStream(Nats):
    name, driver = "JetStream", "jetstream"
    keeps, verb = True, "js-"
    ways = Broker.ways
    plain_flood = Nats.plain_sink  # One consumer has one subject.

    def table(self):
        return super().table() + 'stream = "bench"\n'

    def prepare(self, count, size):
        # Each stream has a consumer for what is published, so that it is kept.
        for topic in (self.plain_sink, "bench.flood"):
            harness.run(self.plain("make", topic, count, size))


class Mqtt(Broker):
    name, program, driver = "MQTT, QoS 1", "weft_mqtt_bench", "mqtt"
    flood, sink, plain_flood, plain_sink = "flood", "bench/sink", "plain/flood", "plain/sink"

    def url(self):
        return f"127.0.0.1:{self.port}"

    def server(self):
        path = os.path.join(self.setting.folder("mosquitto"), "conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
                       "max_inflight_messages 0\nmax_queued_messages 0\n")
        return Server(["/usr/sbin/mosquitto", "-c", path], self.port)

    def table(self):
        return f'driver = "mqtt"\nurl = "mqtt://127.0.0.1:{self.port}"\nprefix = "bench"\n'

    def prepare(self, count, size):
        harness.run(self.plain("subscribe", self.plain_sink, count, size))


class RabbitMq(Broker):
    """A node that is all in its folder. Its directory of nodes (epmd) ends with it."""

    name, program, driver = "RabbitMQ", "weft_rabbitmq_bench", "rabbitmq"
    flood, sink, plain_flood, plain_sink = "flood", "bench.sink", "plain.sink", "plain.sink"
    start_seconds = 60

    def url(self):
        return f"amqp://127.0.0.1:{self.port}"

    def server(self):
        folder = self.setting.folder("rabbitmq")
        for name, text in (("plugins", "[].\n"), ("env", ""), ("rabbitmq.conf", "")):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        directory = free_port()
        # With NOTIFY_SOCKET it does not stay a shell with the server as a child. Its threads do
        # not spin while they have nothing to do: the processors are the clients' too.
        settings = {
            "HOME": folder, "NOTIFY_SOCKET": f"{folder}/none",
            "RABBITMQ_NODENAME": "bench@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.port, "RABBITMQ_DIST_PORT": free_port(),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia", "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_LOGS": "-", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/env", "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "ERL_EPMD_PORT": directory, "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none"}
        start = (f"setpriv --pdeathsig KILL epmd -port {directory} -address 127.0.0.1 & "
                 "exec /usr/lib/rabbitmq/bin/rabbitmq-server")
        words = [f"{key}={value}" for key, value in settings.items()]
        return Server(["env", *words, "sh", "-c", start], self.port, self.start_seconds)

    def table(self):
        return f'driver = "{self.driver}"\nurl = "{self.url()}"\nprefix = "bench"\n'

    def prepare(self, count, size):
        # What guests publish has a queue too, so that it is kept.
        for topic in (self.plain_sink, f"bench.{self.flood}"):
            harness.run(self.plain("make", topic, count, size))


BROKERS = (Nats, JetStream, Mqtt, RabbitMq)


def app(broker, name, instances=None):
    """The words for `weft run` of one side. Sinks are one app to the broker."""
    setting = broker.setting
    folder = setting.folder(f"{broker.driver}-{name}-{instances}")
    more = SINK.format(instances=instances) if instances else ""
    with open(os.path.join(folder, "weft.toml"), "w", encoding="utf-8") as file:
        file.write(MANIFEST.format(name=name, guest=setting.guest("bench_messages")) + more)
    on = os.path.join(folder, "on.toml")
    with open(on, "w", encoding="utf-8") as file:
        file.write(f'[messaging.""]\n{broker.table()}[keyvalue.""]\ndriver = "memory"\n')
    return [setting.need(setting.built("weft")), "run", folder, "--on", on, "--http",
            "127.0.0.1:0", "--quiet", "--state", setting.folder(f"{broker.driver}-{name}-state")]


def serve(setting, command):
    return harness.Server(command, harness.environment(XDG_CACHE_HOME=setting.folder("cache")))


def plain_rate(count, command):
    return count / json.loads(harness.run(command).splitlines()[-1])["seconds"]


def flood(port, topic, count, size):
    """Messages a second that 64 guests publish at once."""
    def one(_):
        status, text = ask(port, "POST", f"/flood/{topic}", f"{count // GUESTS} {size}")
        if status != 202:
            raise Unmeasured(f"publishing answers {status}: {text[:300]}")
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
        list(pool.map(one, range(GUESTS)))
    return count / (time.monotonic() - begin)


def marks(port, before=None):
    """When the first and the last message were handled, once both were and it is news."""
    found = [int(line) for line in ask(port, "GET", "/marks")[1].split()]
    return found if len(found) == 2 and found != before and found[0] < found[1] else None


def listening(broker, host):
    """Returns when the group is there, with its marks: two messages have come to it."""
    def come():
        harness.run(broker.plain("publish", broker.sink, 2, SIZES[0]))
        time.sleep(0.05)  # They have time to come; else the next two will.
        return marks(host.port)
    return wait_for(come, READY_SECONDS, "the guest is woken")


def consumed_plainly(broker, count, size):
    publish = broker.plain("publish", broker.plain_sink, count, size)
    consume = broker.plain("consume", broker.plain_sink, count, size)
    if broker.keeps:
        harness.run(publish)
        return plain_rate(count, consume)
    with subprocess.Popen(consume, stdout=subprocess.PIPE, text=True,
                          env=harness.environment()) as process:
        if process.stdout.readline() != "ready\n":
            raise Unmeasured("the plain consumer does not subscribe")
        harness.run(publish)
        out, _ = process.communicate(timeout=DRAIN_SECONDS)
    return count / json.loads(out)["seconds"]


def consumed_by_guests(broker, sink, count, size):
    publish = broker.plain("publish", broker.sink, count, size)
    if broker.keeps:
        with serve(broker.setting, sink) as host:  # Its group is there from now on.
            listening(broker, host)
        harness.run(publish)
    with serve(broker.setting, sink) as host:
        before = None
        if not broker.keeps:
            before = listening(broker, host)
            harness.run(publish)
        first, last = wait_for(lambda: marks(host.port, before), DRAIN_SECONDS,
                               "the last message is handled")
    return count / ((last - first) / 1e9)


def measure_size(broker, flooder, sinks, count, size):
    """A round: all of them, one after the other."""
    broker.prepare(count, size)
    rates = {f"plain {way}": plain_rate(count, broker.plain(way, broker.plain_flood, count, size))
             for way in broker.ways if way not in CONSUME.values()}
    with serve(broker.setting, flooder) as host:
        flood(host.port, broker.flood, GUESTS, size)
        rates["guests publish"] = flood(host.port, broker.flood, count, size)
        rates["guests publish-each"] = rates["guests publish"]
    broker.prepare(count, size)
    plain = consumed_plainly(broker, count, size)
    for instances, sink in zip(INSTANCES, sinks):
        rates[f"plain {CONSUME[instances]}"] = plain
        rates[f"guests {CONSUME[instances]}"] = consumed_by_guests(broker, sink, count, size)
    return rates


def brokers(setting):
    rounds, count = (2, 64 * 100) if setting.quick else (5, 64 * 800)
    verdicts, rows, commands, every = [], [["", "guests", "plain client", "ratio"]], [], {}
    for broker in (kind(setting) for kind in BROKERS):
        flooder = app(broker, "flooder")
        sinks = [app(broker, "sink", each) for each in INSTANCES]
        with broker.server():
            for size in SIZES:
                done = [measure_size(broker, flooder, sinks, count, size) for _ in range(rounds)]
                for way in broker.ways:
                    ours = [each[f"guests {way}"] for each in done]
                    theirs = [each[f"plain {way}"] for each in done]
                    ratio = median(pair_ratios(ours, theirs))
                    what = f"{broker.name}: {way}, {size} bytes"
                    shown = f"{median(ours):,.0f}/s", f"{median(theirs):,.0f}/s"
                    verdicts.append({"what": what, "asked": "≥ 0.7 ×",
                                     "measured": f"{shown[0]} to {shown[1]}", "ratio": ratio,
                                     "met": ratio >= 0.7})
                    rows.append([what, *shown, f"{ratio:.2f}"])
                    every[what] = {"guests": ours, "plain": theirs}
        commands += [setting.shown(sinks[-1]), setting.shown(
            broker.plain("publish", broker.plain_flood, count, SIZES[0]))]
    return {
        "verdicts": verdicts, "table": rows, "rounds": every, "commands": commands,
        "notes": ["Publishing: 64 messages under way without an acknowledgement on both sides; "
                  "64 guests, each of which waits for its last message's, beside one plain client "
                  "with a window of 64. Core NATS acknowledges with a PING behind what was "
                  "published: of the plain client's one for 64 messages, and in `publish-each` one "
                  "for each of 64 threads' own. Consuming: what waits at the server (of core "
                  "NATS: what comes), from the first message to the last; each acknowledged, by a "
                  "handler, 64 at once, beside a callback that does "
                  "nothing. RabbitMQ keeps them in a quorum queue of one node, for both sides. "
                  "Plain clients are cnats, libmosquitto and librabbitmq, with one connection."]}
