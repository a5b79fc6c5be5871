#!/usr/bin/env python3
"""Every byte that a node takes or sends is somebody's: of a request that is refused, of output that
is read again, and of what one group may take from another."""

import hashlib
import os
import threading
import unittest

import hostile
import node_wire as wire
import test_node
from host import until

MUCH = b"m" * 300_000
OTHERS = test_node.GROUP + '[group.others]\nmay = ["store", "run", "call"]\n'


class Counted(test_node.Case):
    def event(self, node, request):
        """The one of this request, which may be answered before the disk has its event."""
        name = hashlib.sha256(request).hexdigest()
        found = until(lambda: [each for each in node.events() if each["request"] == name],
                      "its event is written")
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_output_that_is_sent_again_is_paid_for_again(self):
        node = self.node(group=test_node.GROUP + 'network-out = "1MiB"\n')
        module = self.store(node)
        cat = wire.command_line("cat", stdin=MUCH)
        asked = wire.request(self.signer, wire.RUN, module=module, arguments=cat,
                             limits=(0, 0, 0, 400_000))
        first = wire.post(node.address, asked, cat).body
        self.assertEqual(wire.output(first), MUCH)
        run = hashlib.sha256(asked).digest()
        statuses = []
        for _ in range(4):
            again = wire.request(self.signer, wire.RESUME, run=run)
            answer = wire.post(node.address, again)
            statuses.append(answer.status)
            told = self.event(node, again)
            if answer.status == 200:
                self.assertEqual(wire.output(answer.body), MUCH)
                self.assertEqual(told["bytes_out"], len(MUCH))
            else:
                self.assertIn(b"bytes out of group friends", answer.body)
                self.assertEqual((told["outcome"], told["reason"]), ("refused", "quota"))
        self.assertEqual(statuses, [200, 200, 429, 429])
        # What comes behind all that was sent costs nothing.
        frames = sum(kind == wire.FRAME for kind, _ in wire.records(first))
        behind = wire.request(self.signer, wire.RESUME, run=run, start=frames)
        self.assertEqual(wire.post(node.address, behind).status, 200)
        self.assertEqual(self.event(node, behind)["bytes_out"], 0)

    def test_what_came_of_a_refused_request_is_billed(self):
        node = self.node(group=test_node.GROUP + 'network-in = "10MiB"\n')
        module = self.store(node)
        missing = wire.request(self.signer, wire.RUN, module=os.urandom(32), arguments=MUCH)
        wrong = wire.request(self.signer, wire.RUN, module=module, arguments=b"other")
        spent = wire.request(self.signer, wire.RUN, module=module, arguments=MUCH,
                             limits=(0, 1 << 40, 0, 0))
        for asked, status, why in ((missing, 404, "not-found"), (wrong, 422, "mismatch"),
                                   (spent, 429, "quota")):
            answer = wire.post(node.address, asked, MUCH)
            self.assertEqual(answer.status, status, answer)
            told = self.event(node, asked)
            self.assertEqual((told["reason"], told["bytes_in"]), (why, len(asked) + len(MUCH)))
        # Until nothing is left of it.
        statuses = [wire.post(node.address, wire.request(
            self.signer, wire.RUN, module=os.urandom(32), arguments=MUCH), MUCH).status
            for _ in range(40)]
        self.assertEqual(statuses[0], 404)
        self.assertEqual(statuses[-1], 429)

    def test_a_sender_that_stops_holds_no_more_than_its_groups_room(self):
        node = self.node(group=OTHERS)
        other = wire.Key(self.new_key("other"))
        node.trust(other.path, "others")
        self.assertEqual(node.ask("reload").code, 0)
        module = self.store(node)
        whole = b"x" * (16 << 20)
        refused = []

        def stall():
            connection = wire.connect(node.address, 60)
            self.addCleanup(connection.close)
            asked = wire.request(self.signer, wire.RUN, module=module, arguments=whole)
            connection.putrequest("POST", "/weft/1/request")
            connection.putheader("content-length", str(4 + len(asked) + len(whole)))
            connection.endheaders()
            try:
                # All but the last byte, so that it waits.
                connection.send(wire.body_of(asked, whole[:-1]))
            except OSError:
                pass  # It was refused meanwhile.
            refused.append(connection)

        threads = [threading.Thread(target=stall) for _ in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        until(lambda: any(each.get("reason") == "quota" for each in node.events()),
              "what has no room is refused")
        self.assertLess(node.memory_kib(), 400 * 1024)
        small = wire.command_line("a")
        asked = wire.request(other, wire.RUN, module=module, arguments=small)
        # They go on, but for the module, which is not theirs.
        self.assertEqual(wire.post(node.address, asked, small).status, 404)

    def test_one_request_leaves_others_their_bytes_out(self):
        node = self.node(group=OTHERS)
        other = wire.Key(self.new_key("other"))
        node.trust(other.path, "others")
        self.assertEqual(node.ask("reload").code, 0)
        with hostile.Client(node.address, self.signer) as greedy:
            module = greedy.store(hostile.SPIN)
            answer = greedy.call(module, limits=(1_000_000_000, 0, 5_000, 2 ** 64 - 2 ** 20))
            self.assertEqual(answer.status, 429, answer)
            self.assertIn(b"the whole quota of bytes out of this node", answer.body)
        with hostile.Client(node.address, other) as others:
            module = others.store(hostile.SPIN)
            done = hostile.receipt_of(others.call(module, limits=(100_000_000, 0, 5_000, 0)))
            self.assertEqual(done.get(8), b"\x03")


if __name__ == "__main__":
    unittest.main()
