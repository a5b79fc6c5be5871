#!/usr/bin/env python3
"""Measures what weft promises and writes bench/RESULTS.md and build/bench.json.

    run.py [--quick] [--rounds N] [--only ROW]... [--build DIR]

Rows: http_p2, http_p3, observed, outgoing, codec, linked, layers, keyvalue, lmdb, messages,
brokers, redis, s3, postgres, provider, node, node_chunks, node_hostile, start, memory, profile. What is
measured is merged into build/bench.json, so that a row may be measured again by itself. --quick
takes seconds instead of minutes, for working on the bench: it writes build/bench-quick.json and
build/RESULTS-quick.md.
--rounds says how often the HTTP rows' sides take turns (6).
Ends with 1 when a row could not be measured; a goal that is missed is a result.
"""

import argparse
import sys
import time
import traceback

import harness
import report
import rows_blobs
import rows_brokers
import rows_calls
import rows_http
import rows_memory
import rows_messages
import rows_node
import rows_observe
import rows_outgoing
import rows_postgres
import rows_profile
import rows_provider
import rows_start
import rows_stores

# In the order of the results: name, what a reader calls it, what measures it.
ROWS = (
    ("http_p2", "HTTP, WASI 0.2, a fresh instance for each request", rows_http.p2),
    ("http_p3", "HTTP, WASI 0.3, reused instances", rows_http.p3),
    ("observed", "HTTP with metrics on, beside the same without", rows_observe.observed),
    ("outgoing", "Outgoing HTTP from a guest of WASI 0.3", rows_outgoing.outgoing),
    ("codec", "Codec, and calls to inline C++", rows_calls.codec),
    ("linked", "Calls from one component to another", rows_calls.linked),
    ("layers", "Layers", rows_calls.layers),
    ("keyvalue", "Key-value get from a guest on LMDB", rows_calls.keyvalue),
    ("lmdb", "64 writers on LMDB", rows_stores.lmdb_writers),
    ("messages", "Messages in the embedded log", rows_messages.embedded),
    ("brokers", "Messages of guests over NATS, JetStream, MQTT and RabbitMQ", rows_brokers.brokers),
    ("redis", "Key-value get from a guest on Redis", rows_stores.redis),
    ("s3", "1 GiB up and down from a guest on S3", rows_blobs.s3),
    ("postgres", "SQL query of one row from a guest on PostgreSQL", rows_postgres.postgres),
    ("provider", "Calls of a provider process", rows_provider.provider),
    ("node", "The node: admission, events, calls", rows_node.node),
    ("node_hostile", "Calls to a node beside a hostile group", rows_node.hostile),
    ("node_chunks", "A module to 20 nodes on shaped links", rows_node.chunks),
    ("start", "Process start to first 200", rows_start.start),
    ("memory", "Memory", rows_memory.memory),
    ("profile", "Where an HTTP request's time goes", rows_profile.http),
)


def main():
    names = [name for name, _, _ in ROWS]
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=names, default=[])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--build", default=f"{harness.ROOT}/build")
    arguments = parser.parse_args()
    setting = harness.Setting(arguments.build, arguments.quick, arguments.rounds)
    results = report.Results(setting, ROWS)
    failed = 0
    try:
        for name, title, measure in ROWS:
            if arguments.only and name not in arguments.only:
                continue
            print(f"{name}: {title}", flush=True)
            begin = time.monotonic()
            stamp = report.stamp()
            try:
                row = measure(setting)
            except harness.Unmeasured as error:
                row = {"unmeasured": str(error)}
            except Exception:  # One row's surprise must not lose the others.
                traceback.print_exc()
                row = {"unmeasured": "the bench itself failed: see its output"}
            failed += "unmeasured" in row
            results.put(name, row | stamp | {"seconds": round(time.monotonic() - begin)})
            report.say(row)
    finally:
        setting.close()
    print(f"written: {results.markdown_path}, {results.json_path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
