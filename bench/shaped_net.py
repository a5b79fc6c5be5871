"""Machines of a network that is only here: network namespaces joined by a bridge, each link shaped
in both directions by tc's token bucket. Nothing of the machine's own network is touched."""

import os
import subprocess
import time

import harness

RATE = "100mbit"
# A packet of 64 KiB, as the kernel hands them on, goes through in one piece: cut up, they would
# cost this machine, which is all of them, more than what is measured.
SHAPE = ["root", "tbf", "rate", RATE, "burst", "128kb", "latency", "50ms"]
COPY = """
import socket, sys, time
if sys.argv[1] == "take":
    with socket.create_server((sys.argv[2], 9999)) as server:
        print("ready", flush=True)
        for _ in range(int(sys.argv[3])):
            peer, _ = server.accept()
            with peer:
                left = int.from_bytes(peer.recv(8, socket.MSG_WAITALL), "big")
                while left > 0:
                    left -= len(peer.recv(min(left, 1 << 18)))
                peer.sendall(b"x")
else:
    data = open(sys.argv[3], "rb").read()
    began = time.monotonic()
    with socket.create_connection((sys.argv[2], 9999)) as peer:
        peer.sendall(len(data).to_bytes(8, "big") + data)
        assert peer.recv(1) == b"x"
    print(time.monotonic() - began)
"""


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise harness.Unmeasured(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Network:
    """So many machines; the first is 10.74.0.1. Gone with the block."""

    def __init__(self, count):
        if os.getuid() != 0:
            raise harness.Unmeasured("network namespaces are for root")
        self.count = count
        self.switch = f"weft-{os.getpid()}-switch"
        self.names = [f"weft-{os.getpid()}-{i}" for i in range(count)]

    def address(self, which):
        return f"10.74.0.{which + 1}"

    def inside(self, which, *command):
        """The command as it runs on that machine."""
        return ["ip", "netns", "exec", self.names[which], *command]

    def __enter__(self):
        try:
            ip("netns", "add", self.switch)
            ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
            ip("-n", self.switch, "link", "set", "br0", "up")
            for way in ("iptables", "ip6tables"):
                ip("netns", "exec", self.switch, "sysctl", "-qw",
                   f"net.bridge.bridge-nf-call-{way}=0")
            for i, name in enumerate(self.names):
                ip("netns", "add", name)
                ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{i}",
                   "netns", self.switch)
                ip("-n", self.switch, "link", "set", f"port{i}", "master", "br0", "up")
                ip("-n", name, "addr", "add", f"{self.address(i)}/24", "dev", "eth0")
                ip("-n", name, "link", "set", "lo", "up")
                ip("-n", name, "link", "set", "eth0", "up")
                for where, device in ((name, "eth0"), (self.switch, f"port{i}")):
                    ip("netns", "exec", where, "tc", "qdisc", "add", "dev", device, *SHAPE)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in (*self.names, self.switch):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    def plain_copies(self, path, rounds):
        """Seconds of a plain copy of the file from the first machine to the second, each round."""
        with subprocess.Popen(self.inside(1, "python3", "-c", COPY, "take", self.address(1),
                                          str(rounds)),
                              stdout=subprocess.PIPE, text=True) as taker:
            try:
                if taker.stdout.readline() != "ready\n":
                    raise harness.Unmeasured("the plain copy's other end did not start")
                return [float(harness.run(self.inside(0, "python3", "-c", COPY, "give",
                                                      self.address(1), path)))
                        for _ in range(rounds)]
            finally:
                taker.terminate()


class Nodes:
    """`weft node` daemons, one on each machine but the first, whose client they trust as they do
    each other: node keys may fetch and nothing else."""

    SETTINGS = """[node]
name = "n{which}"
listen = ["{address}:7420"]
[node.discovery]
on = false
[group.friends]
may = ["describe", "fetch", "run", "call", "store"]
[group.nodes]
may = ["fetch"]
"""

    def __init__(self, setting, network, folder):
        self.weft = setting.need(setting.built("weft"))
        self.network = network
        self.folder = folder
        self.key = os.path.join(folder, "me.pem")
        self.processes = []
        self.at = []

    def run(self, *words):
        return harness.run([self.weft, *words], env=harness.environment(HOME=self.folder))

    def __enter__(self):
        self.run("key", "new", self.key)
        folders = [os.path.join(self.folder, f"n{i}") for i in range(1, self.network.count)]
        for i, folder in enumerate(folders, 1):
            self.run("node", "init", folder)
            with open(os.path.join(folder, "node.toml"), "w", encoding="ascii") as file:
                file.write(self.SETTINGS.format(which=i, address=self.network.address(i)))
        for folder in folders:
            groups = os.path.join(folder, "groups")
            self.run("key", "trust", groups, "friends", self.key)
            for i, other in enumerate(folders, 1):
                if other != folder:
                    self.run("key", "trust", groups, "nodes", os.path.join(other, "node.key"),
                             "--as", f"n{i}")
        try:
            for i, folder in enumerate(folders, 1):
                self.start(i, folder)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, which, folder):
        with open(os.path.join(folder, "log"), "wb") as log:
            process = subprocess.Popen(
                self.network.inside(which, self.weft, "node", "start", "--dir", folder),
                env=harness.environment(HOME=self.folder), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log)
        self.processes.append(process)
        socket = os.path.join(folder, "state", "control.sock")
        end = time.monotonic() + harness.START_SECONDS_MAX
        while not os.path.exists(socket):
            if process.poll() is not None or time.monotonic() > end:
                raise harness.Unmeasured(f"node {which} did not start")
            time.sleep(0.01)
        key = self.run("key", "show", os.path.join(folder, "node.key")).split()[0]
        self.at.append(f"{key}@{self.network.address(which)}:7420")

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
