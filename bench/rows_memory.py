"""Anonymous memory (RssAnon): a fresh host, after load, per live instance, per component."""

import json
import os
import socket
import time

import harness
from harness import Unmeasured

IDLE_SECONDS = 10
LIVE = 200
# Loaded components, and how long compiling so many may take.
COMPONENTS = 1000
COMPONENTS_SECONDS_MAX = 600


def command(setting, guest="hello_p2"):
    return harness.weft_command(setting, setting.guest(guest))


def fresh_and_loaded(setting, env, guest):
    """{when: (anonymous MiB, resident MiB)}, from a fresh host to one that was under load."""
    with harness.Server(command(setting, guest), env) as server:
        out = {"fresh": server.memory_mib()}
        server.get("/")
        out["after its first request"] = server.memory_mib()
        harness.load(server, 256, 2 if setting.quick else 10)
        out["at the end of a 256-connection run"] = server.memory_mib()
        time.sleep(IDLE_SECONDS)
        out[f"{IDLE_SECONDS} s later"] = server.memory_mib()
    return out


def live_instances(setting, env):
    """KiB that each instance adds which is in the middle of a request: it waits for its body."""
    with harness.Server(command(setting), env) as server:
        server.get("/")
        before, _ = server.memory_mib()
        peers = []
        for _ in range(LIVE):
            peer = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            # The echo begins its response with the first piece of the body.
            peer.sendall(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\na")
            peers.append(peer)
        for peer in peers:
            if not peer.recv(4096).startswith(b"HTTP/1.1 200"):
                raise Unmeasured("an instance that should live was refused")
        after, _ = server.memory_mib()
        for peer in peers:
            peer.close()
    return (after - before) * 1024 / LIVE


def many_components(setting):
    """The bench's JSON of a run that compiles and of one that finds everything compiled."""
    def program(count):
        return [setting.need(setting.built("bench", "weft_many_components_bench")),
                setting.guest("hello_p2"), str(count), setting.folder("many"),
                str(COMPONENTS_SECONDS_MAX)]
    cold = json.loads(harness.run(program(COMPONENTS)))
    warm = json.loads(harness.run(program(cold["loaded"])))
    if warm["from_cache"] != cold["loaded"]:
        raise Unmeasured(f"of {cold['loaded']} components {warm['from_cache']} came from the cache")
    return cold, warm, setting.shown(program(COMPONENTS))


def memory(setting):
    env = harness.environment(XDG_CACHE_HOME=setting.folder("cache"))
    hosts = {}
    for guest in ("hello_p2", "hello_p3"):
        with harness.Server(command(setting, guest), env):
            pass  # Compiles, so that what follows finds it done.
        hosts[guest] = fresh_and_loaded(setting, env, guest)
    once, after = (max(host[when][0] for host in hosts.values())
                   for when in ("after its first request", f"{IDLE_SECONDS} s later"))
    live = live_instances(setting, env)
    cold, warm, many_command = many_components(setting)
    count = cold["loaded"]
    kib = warm["anonymous_kib"]
    each = (kib[str(count)] - kib["1"]) / (count - 1)
    table = [["", "anonymous", "resident"]]
    for guest, host in hosts.items():
        table += [[f"host with {guest}, {when}", f"{anonymous:.1f} MiB", f"{resident:.1f} MiB"]
                  for when, (anonymous, resident) in host.items()]
    table += [[f"each live instance (of {LIVE} that wait for a body)", f"{live:.0f} KiB", ""],
              ["each further loaded component", f"{each:.0f} KiB", ""],
              [f"{count} loaded components", f"{kib[str(count)] / 1024:.1f} MiB", ""],
              [f"{count} loaded and compiled in this process",
               f"{cold['anonymous_kib'][str(count)] / 1024:.1f} MiB", ""]]
    return {"verdicts": [
                {"what": "fresh host with one app", "asked": "≤ 32 MiB",
                 "measured": f"{once:.1f} MiB", "ratio": once / 32, "met": once <= 32},
                {"what": "ten seconds after a 256-connection run", "asked": "≤ 64 MiB",
                 "measured": f"{after:.1f} MiB", "ratio": after / 64, "met": after <= 64},
                {"what": f"{count} loaded components", "asked": "shown",
                 "measured": f"{kib[str(count)] / 1024:.1f} MiB, {each:.0f} KiB each",
                 "ratio": None, "met": True}],
            "table": table,
            "commands": [setting.shown(command(setting)), setting.shown(
                command(setting, "hello_p3")), setting.shown(
                harness.wrk_command(0, 256, 10)), many_command],
            "notes": [f"Components of {os.path.getsize(setting.guest('hello_p2')) / 1e3:.0f} KB "
                      f"that differ; {count} of them load in {warm['seconds']:.1f} s from the "
                      f"compile cache, in {cold['seconds']:.1f} s without."],
            "rounds": {"hosts": hosts, "cold": cold, "warm": warm}}
