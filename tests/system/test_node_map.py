#!/usr/bin/env python3
"""Nodes that hear each other, in a network of their own: what they tell of each other, and a
program that draws it."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import unittest

from host import BUILD, FAST, ROOT, SECONDS_MAX, environment, guest, until
from test_build import BUILD_SECONDS_MAX, walk
from test_node import Case


class Network:
    """A network of this thread's own, and of what it starts: one interface that can multicast."""

    CLONE_NEWNET = 0x40000000

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)

    def __enter__(self):
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if self.libc.unshare(self.CLONE_NEWNET) != 0:
            os.close(self.before)
            raise unittest.SkipTest("no network namespace can be made here")
        for words in ("link set lo up", "link add d0 type veth peer name d1",
                      "addr add 10.74.20.1/24 dev d0", "link set d0 up", "link set d1 up"):
            subprocess.run(["ip", *words.split()], check=True)
        return self

    def __exit__(self, *_):
        self.libc.setns(self.before, self.CLONE_NEWNET)
        os.close(self.before)


class Networked(Case):
    def setUp(self):
        super().setUp()
        # What is stopped is stopped before the network goes.
        network = Network()
        network.__enter__()
        self.addCleanup(network.__exit__)


@unittest.skipIf(FAST, "compiles three programs")
class Walk(Networked):
    def test_what_readme_says_of_nodes_is_so(self):
        place = os.path.join(self.home, "place")
        shutil.copytree(os.path.join(ROOT, "examples", "node"),
                        os.path.join(place, "examples", "node"),
                        ignore=shutil.ignore_patterns("build"))
        where = {**environment(self.home), "PATH": f"{BUILD}:{os.environ['PATH']}"}
        said = {}
        for command, comment in walk("## Nodes"):
            if command.startswith("weft node start"):
                node = subprocess.Popen(command.split(), cwd=place, env=where,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
                self.addCleanup(node.wait, SECONDS_MAX)
                self.addCleanup(node.terminate)
                until(lambda: os.path.exists(os.path.join(place, "attic/state/control.sock")),
                      "the node listens")
                # What follows listens for a second and a half, which a busy machine may miss.
                heard = ["weft", "net", "list", "--json"]
                until(lambda heard=heard: json.loads(subprocess.run(
                    heard, cwd=place, env=where, check=False, capture_output=True, text=True,
                    timeout=SECONDS_MAX).stdout)["nodes"], "the node is heard")
                continue
            done = subprocess.run(command, shell=True, cwd=place, env=where, check=False,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=BUILD_SECONDS_MAX)
            self.assertEqual(done.returncode, 0, f"{command}: {done}")
            said[" ".join(command.split()[1:3])] = done.stdout
            if "call" in command:
                self.assertEqual(done.stdout, comment + "\n")
        self.assertIn("in its group friends we may describe, fetch, run, call", said["net --tree"])
        self.assertIn("memory-free=", said["net run"])
        self.assertIn("proven: run of ", said["node verify"])


class Map(Networked):
    def test_a_program_maps_the_network(self):
        nodes = [self.node(name, discovery="", listen="0.0.0.0:0") for name in ("attic", "cellar")]
        shown = {node.key: f"{name}/{node.key[:8]}"
                 for node, name in zip(nodes, ("attic", "cellar"))}
        told = []
        for node, other in (nodes, nodes[::-1]):
            line = re.compile(f"^{shown[node.key]} hears {shown[other.key]} at "
                              rf"\S+:{other.address[1]}$", re.M)

            def heard(node=node, line=line):
                done = self.net("run", node.at, guest("network_map"))
                self.assertEqual(done.code, 0, done)
                if line.search(done.out):
                    told.append(done.out)
                    return True
                return False
            until(heard, f"the map of {shown[node.key]} has the other")
        # A library of one is told to whoever may describe.
        library = os.path.join(ROOT, "examples", "node", "collatz.wat")
        added = nodes[0].ask("library", "add", library, "--name", "collatz", "--version", "1.0.0")
        self.assertEqual(added.code, 0, added)
        # A list is of those that are heard in its second and a half.
        tree = until(lambda: [out for out in [self.net("list", "--tree").out]
                              if out.count("  in its group friends we may") == 2], "the tree")[0]
        self.assertIn("  in its group friends we may describe, fetch, run, call", tree)
        self.assertIn("  library collatz@1.0.0 ", tree)
        self.assertIn("    steps: func(of: u64) -> u32\n", tree)

        def both():
            found = {each["key"]: each["description"]
                     for each in json.loads(self.net("list", "--json").out)["nodes"]}
            return found if all(found.get(node.key) for node in nodes) else None
        listed = until(both, "both are listed with what they tell")
        self.assertEqual([each["name"] for each in listed[nodes[0].key]["libraries"]], ["collatz"])
        self.assertEqual(listed[nodes[1].key]["libraries"], [])
        described = self.net("describe", nodes[0].at).out
        self.assertIn("    steps: func(of: u64) -> u32\n", described)
        picture = self.net("run", nodes[0].at, guest("network_map"), "draw",
                           stdin="".join(told).encode())
        self.assertEqual(picture.out.splitlines(),
                         [f"  1 {shown[nodes[0].key]:15}  \\ x",
                          f"  2 {shown[nodes[1].key]:15}  x \\"], picture)
        # Who leaves is heard no more.
        nodes[1].stop()
        until(lambda: "cellar" not in self.net("run", nodes[0].at, guest("network_map")).out,
              "the map says that the other node is gone")


if __name__ == "__main__":
    unittest.main()
