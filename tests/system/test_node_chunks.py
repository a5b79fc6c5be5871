#!/usr/bin/env python3
"""Chunks that nodes take from each other: a module that is stored at several is sent about once,
who is not trusted gets none, and a node that lies costs each of the others one chunk."""

import hashlib
import http.server
import os
import re
import ssl
import struct
import subprocess
import threading
import unittest

import node_wire as wire
import test_node
from host import guest, run, until

GROUPS = test_node.GROUP + """
[group.nodes]
may = ["fetch"]
"""
MODULE_CHUNKS = 40


def unsigned_fields(body):
    return wire.fields_of(body[4:4 + struct.unpack_from("<I", body)[0]])


class Liar:
    """A node that has every chunk of every module, all of them wrong."""

    def __init__(self, home, key):
        self.asked = []
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, body):
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                request = 4 + struct.unpack_from("<I", body)[0]
                action = unsigned_fields(body)[6][0]
                if action == wire.STORE:
                    size, = struct.unpack_from("<Q", body, request)
                    liar.count = -(-size // wire.CHUNK)
                    self.answer(bytes(16) + liar.bits())
                else:
                    self.answer(bytes(16))

            def do_GET(self):
                if "/have/" in self.path:
                    return self.answer(liar.bits())
                liar.asked.append((self.client_address[1], self.path))
                return self.answer(os.urandom(wire.CHUNK))

            def do_PUT(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.answer(b"")

            def log_message(self, *_):
                pass

        certificate = os.path.join(home, "liar.crt")
        subprocess.run(["openssl", "req", "-x509", "-new", "-key", key.path, "-subj", "/CN=liar",
                        "-days", "1", "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key.path)
        self.count = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.at = f"{key.public.hex()}@127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bits(self):
        whole, rest = divmod(self.count, 8)
        return b"\xff" * whole + (bytes([(1 << rest) - 1]) if rest else b"")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Chunks(test_node.Case):
    def lan(self, count, trusted=True):
        """Nodes that trust each other's keys, to fetch and nothing else."""
        nodes = [self.node(f"n{i}", group=GROUPS) for i in range(count)]
        for node in nodes:
            for other in nodes:
                if trusted and other is not node:
                    self.trust(node, os.path.join(other.folder, "node.key"), other.home)
        return nodes

    def trust(self, node, key, name):
        done = run("key", "trust", os.path.join(node.folder, "groups"), "nodes", key, "--as",
                   os.path.basename(name))
        self.assertEqual(done.code, 0, done)
        self.assertEqual(node.ask("reload").code, 0)

    def module(self, chunks=MODULE_CHUNKS):
        path = os.path.join(self.home, "module.wasm")
        with open(path, "wb") as file:
            file.write(os.urandom(chunks * wire.CHUNK - 100))
        return path

    def spread(self, nodes, path):
        """Stores it at all of them: how many chunks the client sent, and the module's name."""
        done = self.net("store", ",".join(each.at for each in nodes), path)
        self.assertEqual(done.code, 0, done)
        said = re.search(r"(\d+) of (\d+) nodes have it after [\d.]+ s; (\d+) chunks", done.err)
        self.assertEqual(said[1], said[2])
        return int(said[3]), done.out.strip()

    def assert_has(self, node, module, path):
        fetched = os.path.join(self.home, "fetched.wasm")
        done = self.net("fetch", node.at, module, "--output", fetched)
        self.assertEqual(done.code, 0, done)
        with open(fetched, "rb") as ours, open(path, "rb") as theirs:
            self.assertEqual(hashlib.sha256(ours.read()).digest(),
                             hashlib.sha256(theirs.read()).digest())

    def test_a_cold_module_is_sent_about_once_to_five_nodes(self):
        nodes = self.lan(5)
        path = self.module()
        sent, module = self.spread(nodes, path)
        # Where the machine is slow, a node that gets nothing for a while is sent some twice.
        self.assertLess(sent, 3 * MODULE_CHUNKS)
        for node in nodes:
            self.assert_has(node, module, path)
        # A node says so when it has looked that it has all of it.
        until(lambda: all("taken from other nodes" in node.text() for node in nodes), "all say so")
        # They asked each other under their own keys, and paid for it as such.
        until(lambda: any(each["action"] == "fetch" and each["group"] == "nodes"
                          for each in nodes[0].events()), "its event is written")
        # All of it is stored on behalf of who asked for it.
        store = [each for each in nodes[0].events() if each["action"] == "store"][0]
        self.assertEqual(store["group"], "friends")
        # A second time nothing is sent.
        self.assertEqual(self.spread(nodes, path)[0], 0)

    def test_a_program_that_was_spread_runs(self):
        nodes = self.lan(3)
        _, module = self.spread(nodes, guest("hello_command"))
        for node in nodes:
            done = self.net("run", node.at, module, "there")
            self.assertEqual((done.code, done.err), (0, ""), done)

    def test_nodes_that_do_not_trust_each_other_are_sent_it_each(self):
        nodes = self.lan(2, trusted=False)
        path = self.module(8)
        sent, module = self.spread(nodes, path)
        self.assertEqual(sent, 2 * 8)
        for node in nodes:
            self.assert_has(node, module, path)

    def test_a_key_that_no_request_named_reads_nothing(self):
        node = self.node(group=GROUPS)
        spy = wire.Key(self.new_key("spy"))
        self.trust(node, spy.path, "spy")
        module = self.store(node)
        asked = wire.request(spy, wire.FETCH, module=module)
        self.assertEqual(wire.post(node.address, asked).status, 404)
        # The one that is named does, and from this node alone.
        with open(guest("hello_command"), "rb") as file:
            encoded, name, _ = wire.module_list(file.read())
        peers = f"{spy.public.hex()}@127.0.0.1:1\n".encode()
        again = wire.request(self.signer, wire.STORE, module=name)
        self.assertEqual(wire.post(node.address, again, encoded + peers).status, 200)
        asked = wire.request(spy, wire.FETCH, module=module)
        self.assertEqual(wire.post(node.address, asked).status, 200)

    def test_a_node_that_lies_costs_a_chunk_and_is_not_asked_again(self):
        nodes = self.lan(4)
        key = wire.Key(self.new_key("liar"))
        liar = Liar(self.home, key)
        self.addCleanup(liar.stop)
        for node in nodes:
            self.trust(node, key.path, "liar")
        path = self.module()
        _, module = self.spread([*nodes, liar], path)
        for node in nodes:
            self.assert_has(node, module, path)
        named = [node for node in nodes if "sent a chunk that is none" in node.text()]
        self.assertGreaterEqual(len(named), 1)
        for node in named:
            self.assertIn(liar.at, node.text())
        # One chunk of it came to each of them, and is none of the module's.
        self.assertLessEqual(len(liar.asked), len(nodes))
        self.spread([*nodes, liar], self.module())
        self.assertLessEqual(len(liar.asked), len(nodes))

    def test_a_node_that_dies_leaves_the_others_be(self):
        nodes = self.lan(3)
        at = [node.at for node in nodes]
        nodes[1].stop()
        path = self.module()
        done = self.net("store", ",".join(at), path)
        self.assertEqual(done.code, 1, done)
        self.assertIn("2 of 3 nodes have it", done.err)
        self.assertIn(at[1], done.err)
        with open(path, "rb") as file:
            name = wire.module_list(file.read())[1].hex()
        for node in (nodes[0], nodes[2]):
            self.assert_has(node, name, path)

    def test_what_follows_a_list_has_to_be_nodes(self):
        node = self.node()
        encoded, name, _ = wire.module_list(os.urandom(100))
        for peers in (b"x", b"x\n", b"\n" * 100, b"a" * 100_000):
            asked = wire.request(self.signer, wire.STORE, module=name)
            self.assertIn(wire.post(node.address, asked, encoded + peers).status, (400, 413, 429))



if __name__ == "__main__":
    unittest.main()
