#!/usr/bin/env python3
"""A group that takes whatever a node gives: guests that spin, fill memory, return too much, have
the host allocate, take minutes to compile, and requests that are refused. As a program it is that
group's client, until it is ended: `hostile.py HOST PORT KEY`."""

import itertools
import os
import sys
import threading
import time

import node_wire as wire

MIB = 1 << 20

# (core func $m "f") lifted: what each does, in the text format, which a node takes as well.
SPIN = """(component
  (core module $m (func (export "f") (loop (br 0))))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"""

FILL = """(component
  (core module $m
    (memory 1600)
    (func (export "f")
      (loop (memory.fill (i32.const 0) (i32.const 7) (i32.const 104857600)) (br 0))))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"""

# A string of 100 MiB that begins at 0; where its length stands is written over it.
OUTPUT = """(component
  (core module $m
    (memory (export "memory") 1601)
    (func (export "f") (result i32)
      (i32.store (i32.const 104857600) (i32.const 0))
      (i32.store (i32.const 104857604) (i32.const 104857600))
      (i32.const 104857600)))
  (core instance $i (instantiate $m))
  (func (export "f") (result string)
    (canon lift (core func $i "f") (memory (core memory $i "memory")))))"""

# Asks the host for more random bytes than there is memory, again and again.
ALLOCATE = """(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $memory
    (memory (export "memory") 2)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core func $ask (canon lower (func $random "get-random-bytes")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $m
    (import "host" "ask" (func $ask (param i64 i32)))
    (func (export "f") (loop (call $ask (i64.const 0x4000000000) (i32.const 16)) (br 0))))
  (core instance $i (instantiate $m (with "host" (instance (export "ask" (func $ask))))))
  (func (export "f") (canon lift (core func $i "f"))))"""


def bomb(salt=""):
    """Less than 1 MB of code, and minutes to compile: loops over many locals."""
    count, body = 6_000, []
    for i in range(9_000):
        sets = "".join(f"(local.set {(i * 31 + k) % count} (i32.add (local.get "
                       f"{(i * 17 + k * 3) % count}) (i32.const 1)))" for k in range(5))
        body.append(f"(loop {sets}(br_if 0 (local.get {i % count})))")
    return f"""(component
  (core module $m (func (export "f") (local{" i32" * count}) {"".join(body)}))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f")))) ;; {salt}"""


class Client:
    """A key's connection to a node."""

    def __init__(self, address, key, seconds=120):
        self.address, self.key, self.seconds = address, key, seconds
        self.connection = wire.connect(address, seconds)

    def send(self, signed, follows=b""):
        try:
            self.connection.request("POST", "/weft/1/request", wire.body_of(signed, follows))
            response = self.connection.getresponse()
            return wire.Answer(response.status, response.read())
        except (OSError, wire.http.client.HTTPException):
            self.connection.close()
            self.connection = wire.connect(self.address, self.seconds)
            return wire.Answer(0, b"")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def store(self, text):
        return self.store_bytes(text.encode())

    def store_bytes(self, data):
        """The module's name, once the node has it."""
        encoded, name, chunks = wire.module_list(data)
        answer = self.send(wire.request(self.key, wire.STORE, module=name), encoded)
        if answer.status == 200:
            for index, each in enumerate(chunks):
                wire.chunk(self.address, "PUT", answer.body[:16], index, each)
        return name

    def call(self, module, function=b"f", limits=(0, 0, 0, 0)):
        return self.send(wire.request(self.key, wire.CALL, module=module, function=function,
                                      arguments=b"", limits=limits))


def receipt_of(answer):
    """The fields of the receipt that ends a stream; nothing where there is none."""
    found = [body for kind, body in wire.records(answer.body) if kind == wire.RECEIPT]
    return wire.fields_of(found[-1]) if answer.status == 200 and found else {}


def calls(address, key, text, limits):
    """One after the other, without an end."""
    client = Client(address, key)
    module = client.store(text)
    while True:
        if client.call(module, limits=limits).status in (0, 404, 429):
            time.sleep(0.01)  # Not a wait: how often it asks again where it is refused.


def bombs(address, key):
    client = Client(address, key)
    for number in itertools.count():
        client.call(client.store(bomb(f"{os.getpid()} {number}")))


def refused(address, key):
    """The same request over and over, taken once; and one with a signature that does not stand."""
    client = Client(address, key)
    seen = wire.request(key, wire.DESCRIBE, life_ms=590_000)
    forged = bytearray(wire.request(key, wire.DESCRIBE, life_ms=590_000))
    forged[-1] ^= 1
    while True:
        client.send(seen)
        client.send(bytes(forged))


def attack(address, key):
    cpu = 1_000_000_000
    work = [(calls, SPIN, (cpu, MIB, 10_000, 0))] * 4 + [
        (calls, FILL, (cpu, 128 * MIB, 10_000, 0)),
        (calls, OUTPUT, (cpu, 128 * MIB, 10_000, 64 * MIB)),
        (calls, ALLOCATE, (cpu, 16 * MIB, 10_000, 0)),
        (bombs,), (refused,), (refused,)]
    threads = [threading.Thread(target=each[0], args=(address, key, *each[1:]), daemon=True)
               for each in work]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def quantile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def presigned(key, count, module, function=b"add", arguments=bytes([1, 2])):
    """Requests to call, which signing them takes nothing from the time of."""
    return [wire.request(key, wire.CALL, module=module, function=function, arguments=arguments,
                         life_ms=590_000) for _ in range(count)]


def timed(address, key, requests, arguments=bytes([1, 2]), expected=bytes([3])):
    """How long each call takes, to its receipt, in seconds."""
    times = []
    with Client(address, key) as client:
        for each in requests:
            began = time.monotonic()
            answer = client.send(each, arguments)
            times.append(time.monotonic() - began)
            if answer.status != 200 or wire.output(answer.body, stream=3) != expected:
                raise AssertionError(answer)
    return times


GROUPS = """
[rates]
address = { rate = 100000 }
key = { rate = 100000 }
[group.friends]
may = ["describe", "fetch", "run", "call", "store"]
[group.hostile]
may = ["describe", "fetch", "run", "call", "store"]
per = "1h"
cpu = "1h"
compile = "1h"
memory = "256MiB"
storage = "64MiB"
runs = 8
cores = 1
"""

if __name__ == "__main__":
    attack((sys.argv[1], int(sys.argv[2])), wire.Key(sys.argv[3]))
