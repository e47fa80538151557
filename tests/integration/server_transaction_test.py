#!/usr/bin/env python3
# server_transaction_test.py: transactions and TRANSACT, byte by byte.
import os
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

RANGE, EXPIRED = 1, 2  # flags of a conflict
PRESENCE, VERSION, VALUE = 1, 2, 3
EQUAL, DIFFERENT, LESS, GREATER = 1, 2, 3, 4


class TransactionTest(SharedServerTest):
    """Each test has a namespace of its own."""

    options = ("--set", "server.transaction_idle=3s", "--set", "server.transaction_age=8s")

    def setUp(self):
        super().setUp()
        self.space = self.id().rsplit(".", 1)[1][:200].encode()

    def ok(self, reply):
        self.assertEqual(reply.status, OK, reply.body)
        return reply

    def begin(self, client=None, flags=0, lifetime=0, snapshot=None):
        body = (number(snapshot) if snapshot else b"") + bytes([flags]) + number(lifetime)
        reply = (client or self.client).ask(
            frame(TXN_BEGIN, body, flags=FLAG_SNAPSHOT if snapshot else 0))
        return struct.unpack_from("<Q", self.ok(reply).body)[0]

    def frame_in(self, opcode, body=b"", txn=None, flags=0, fields=b"", behind=b""):
        if txn:
            flags, fields = flags | FLAG_TRANSACTION, fields + number(txn)
        return frame(opcode, fields + block(self.space) + behind + body, flags=flags | FLAG_NAMESPACE)

    def ask(self, opcode, body=b"", txn=None, client=None, **more):
        return (client or self.client).ask(self.frame_in(opcode, body, txn, **more))

    def put(self, key, value, txn=None, **more):
        return self.ok(self.ask(PUT, bytes(4) + block(key) + value, txn, **more))

    def get(self, key, txn=None, **more):
        reply = self.ask(GET, key, txn, **more)
        return reply.value if reply.status == OK else reply.status

    def scan(self, txn=None, **more):
        return read_page(self.ok(self.ask(SCAN, span(), txn, **more)).body)[1]

    def commit(self, txn, client=None):
        return (client or self.client).ask(frame(TXN_COMMIT, number(txn)))

    def abort(self, txn, client=None):
        return (client or self.client).ask(frame(TXN_ABORT, number(txn))).status

    def conflict(self, reply):
        """(version that won, flags, namespace, from, to)"""
        self.assertEqual(reply.status, CONFLICT, reply.body)
        reader = Reader(reply.body[12:])
        return (reply.detail, reader.number("B"), reader.block(), reader.block(), reader.block())


class InteractiveTest(TransactionTest):
    def test_writes_are_seen_inside_at_once_and_outside_at_the_commit(self):
        self.put(b"a", b"old")
        txn = self.begin()
        self.put(b"b", b"new", txn)
        self.put(b"a", b"changed", txn)
        self.assertEqual(self.scan(txn), [(b"a", b"changed"), (b"b", b"new")])
        self.assertEqual(self.scan(), [(b"a", b"old")])
        version = self.ok(self.commit(txn)).version
        self.assertGreater(version, 0)
        self.assertEqual(self.scan(), [(b"a", b"changed"), (b"b", b"new")])
        self.assertEqual(self.commit(txn).status, GONE)

    def test_aborted_one_leaves_nothing(self):
        txn = self.begin()
        self.put(b"a", b"1", txn)
        self.assertEqual(self.abort(txn), OK)
        self.assertEqual(self.scan(), [])
        self.assertEqual(self.abort(txn), GONE)
        self.assertEqual(self.get(b"a", txn), GONE)

    def test_every_write_works_inside(self):
        for key in (b"gone", b"r1", b"r2", b"t"):
            self.put(key, b"x")
        self.put(b"n", b"40")
        self.put(b"s", b"ab")
        txn = self.begin()
        self.ok(self.ask(DELETE, b"gone", txn))
        self.ok(self.ask(DELETE_RANGE, bounds(b"r", flags=PREFIX), txn))
        self.assertEqual(self.ok(self.ask(ADD, number(2) + b"n", txn)).number, 42)
        self.assertEqual(self.ok(self.ask(APPEND, block(b"s") + b"cd", txn)).number, 4)
        self.ok(self.ask(TOUCH, b"t", txn, flags=FLAG_TTL, fields=number(3600000)))
        self.assertEqual(self.ok(self.ask(COUNT, span(), txn)).body[1:9], number(3))
        before = self.scan(txn)
        self.ok(self.commit(txn))
        self.assertEqual(self.scan(), before)
        self.assertEqual(before, [(b"n", b"42"), (b"s", b"abcd"), (b"t", b"x")])
        self.assertGreater(struct.unpack_from("<Q", self.ok(self.ask(META, b"t")).body, 8)[0], 0)

    def test_conditions_are_judged_inside(self):
        version = self.put(b"k", b"1").version
        txn = self.begin()
        reply = self.ask(PUT, bytes(4) + block(b"k") + b"2", txn, flags=FLAG_CONDITION, fields=b"\1")
        self.assertEqual((reply.status, reply.detail), (STATUS_EXISTS, version))
        reply = self.ask(DELETE, b"none", txn, flags=FLAG_CONDITION, fields=b"\2")
        self.assertEqual((reply.status, reply.detail), (ABSENT, 0))
        reply = self.ask(ADD, number(1) + b"k", txn, flags=FLAG_CONDITION, fields=b"\3" + number(version + 1))
        self.assertEqual((reply.status, reply.detail), (VERSION_MISMATCH, version))
        self.assertEqual(self.ask(ADD, number(1) + b"k", txn, flags=FLAG_CONDITION,
                                  fields=b"\3" + number(version)).number, 2)
        self.assertEqual(self.ask(TOUCH, b"none", txn, flags=FLAG_TTL, fields=number(5)).status, ABSENT)
        self.ok(self.commit(txn))

    def test_several_on_one_connection_pipelined(self):
        txns = [self.begin() for _ in range(64)]
        self.assertEqual(self.client.ask(frame(TXN_BEGIN, bytes(9))).status, BUSY)
        for i, txn in enumerate(txns):
            self.client.send(self.frame_in(PUT, bytes(4) + block(b"k%02d" % i) + b"v", txn) +
                             frame(TXN_COMMIT, number(txn)))
        self.assertEqual({reply.status for reply in self.client.replies(128)}, {OK})
        self.assertEqual(len(self.scan()), 64)

    def test_lost_update_names_the_key_and_the_version_that_won(self):
        self.put(b"n", b"1")
        one, two = self.begin(), self.begin()
        self.ok(self.ask(ADD, number(1) + b"n", one))
        self.ok(self.ask(ADD, number(1) + b"n", two))
        won = self.ok(self.commit(one)).version
        self.assertEqual(self.conflict(self.commit(two)), (won, 0, self.space, b"n", b""))
        self.assertEqual(self.get(b"n"), b"2")

    def test_phantom_names_the_range(self):
        one, two = self.begin(), self.begin()
        self.assertEqual((self.scan(one), self.scan(two)), ([], []))
        self.put(b"a", b"1", one)
        self.put(b"b", b"2", two)
        won = self.ok(self.commit(one)).version
        version, flags, space, start, end = self.conflict(self.commit(two))
        self.assertEqual((version, flags, space), (won, RANGE, self.space))
        self.assertTrue(start <= b"a" and (end == b"" or end > b"a"), (start, end))

    def test_intersecting_sums(self):
        for key, value in ((b"x1", b"1"), (b"x2", b"2"), (b"y1", b"10"), (b"y2", b"20")):
            self.put(key, value)
        other = self.server.client()
        self.addCleanup(other.close)
        statuses = []
        sums = []
        txns = [(self.begin(), self.client, b"x", b"y3"), (self.begin(other), other, b"y", b"x3")]
        for txn, client, prefix, key in txns:
            page = self.ok(self.ask(SCAN, span(prefix, flags=PREFIX), txn, client)).body
            total = sum(int(value) for _, value in read_page(page)[1])
            sums.append(total)
            self.put(key, b"%d" % total, txn, client=client)
        for txn, client, _, _ in txns:
            statuses.append(self.commit(txn, client).status)
        self.assertEqual((sums, statuses), ([3, 30], [OK, CONFLICT]))

    def test_read_only_never_conflicts_and_does_not_write(self):
        self.put(b"k", b"1")
        txn = self.begin(flags=1)
        self.assertEqual(self.get(b"k", txn), b"1")
        self.put(b"k", b"2")
        self.assertEqual(self.get(b"k", txn), b"1")
        reply = self.ask(PUT, bytes(4) + block(b"k") + b"3", txn)
        self.assertEqual((reply.status, reply.text), (INVALID, "the transaction is read-only"))
        self.ok(self.commit(txn))
        self.assertEqual(self.get(b"k"), b"2")

    def test_snapshot_of_before_is_read(self):
        self.put(b"k", b"1")
        snapshot = struct.unpack_from("<Q", self.ok(self.client.ask(frame(SNAPSHOT_OPEN, number(0)))).body)[0]
        self.put(b"k", b"2")
        txn = self.begin(flags=1, snapshot=snapshot)
        self.assertEqual(self.get(b"k", txn), b"1")
        self.assertEqual(self.abort(txn), OK)
        reply = self.client.ask(frame(TXN_BEGIN, number(12345) + bytes(9), flags=FLAG_SNAPSHOT))
        self.assertEqual((reply.status, reply.text), (GONE, "no such snapshot is open"))

    def test_it_sees_the_writes_sent_before_it(self):
        for i in range(20):
            self.client.send(self.frame_in(PUT, bytes(4) + block(b"k") + b"%d" % i) + frame(TXN_BEGIN, bytes(9)))
            self.ok(self.client.reply())
            txn = struct.unpack_from("<Q", self.ok(self.client.reply()).body)[0]
            self.assertEqual(self.get(b"k", txn), b"%d" % i)
            self.assertEqual(self.abort(txn), OK)

    def test_values_from_the_disk_are_read_inside(self):
        self.put(b"big", b"v" * 100000)
        self.ok(self.client.ask(frame(MAINTAIN, bytes([FLUSH]))))
        txn = self.begin()
        self.client.send(b"".join(self.frame_in(APPEND, block(b"big") + b"w", txn) for _ in range(10)))
        self.assertEqual([reply.number for reply in self.client.replies(10)], list(range(100001, 100011)))
        self.assertEqual(len(self.get(b"big", txn)), 100010)
        self.ok(self.commit(txn))
        self.assertEqual(self.get(b"big"), b"v" * 100000 + b"w" * 10)

    def test_idle_one_is_ended_and_says_so(self):
        txn = self.begin()
        self.put(b"k", b"v", txn)
        time.sleep(4.2)
        reply = self.ask(GET, b"k", txn)
        self.assertEqual(reply.status, DEADLINE)
        self.assertIn("no request for it", reply.text)
        self.assertEqual(self.commit(txn).status, DEADLINE)
        self.assertEqual(self.get(b"k"), NOT_FOUND)

    def test_old_one_is_ended_however_busy(self):
        txn = self.begin()
        end = time.monotonic() + 15
        while time.monotonic() < end:
            reply = self.ask(GET, b"k", txn)
            if reply.status != NOT_FOUND:
                break
            time.sleep(0.1)
        self.assertEqual(reply.status, DEADLINE)

    def test_lifetime_may_be_shorter(self):
        txn = self.begin(lifetime=200)
        time.sleep(0.4)
        self.assertEqual(self.get(b"k", txn), DEADLINE)
        self.assertEqual(self.commit(txn).status, DEADLINE)

    def test_transaction_of_another_connection_is_not_found(self):
        txn = self.begin()
        other = self.server.client()
        self.addCleanup(other.close)
        self.assertEqual(self.get(b"k", txn, client=other), GONE)
        self.assertEqual(self.commit(txn, other).status, GONE)
        self.assertEqual(self.abort(txn), OK)

    def test_connection_that_ends_takes_its_transactions_along(self):
        other = self.server.client()
        txn = self.begin(other)
        self.put(b"k", b"v", txn, client=other)
        other.close()
        self.assertEqual(self.get(b"k"), NOT_FOUND)
        end = time.monotonic() + DEADLINE_S
        while self.client.stats()["storage.snapshots_open"] > 0 and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.client.stats()["storage.snapshots_open"], 0)

    def test_too_many_writes_are_refused_and_the_rest_commits(self):
        limit = 64 << 20
        txn = self.begin()
        value = bytes(1 << 20)
        count, status = 0, OK
        while status == OK and count < 70:
            reply = self.ask(PUT, bytes(4) + block(b"k%03d" % count) + value, txn)
            status, count = reply.status, count + (reply.status == OK)
        self.assertEqual(status, TOO_LARGE)
        self.assertEqual(reply.detail, limit - 4096)
        self.ok(self.commit(txn))
        self.assertEqual(self.ok(self.ask(COUNT, span())).body[1:9], number(count))

    def test_namespace_that_is_not_there_is_read_as_empty_and_takes_no_place(self):
        self.space = b"made by nobody"
        txn = self.begin()
        self.assertEqual((self.get(b"k", txn), self.scan(txn)), (NOT_FOUND, []))
        self.put(b"k", b"1")
        other = b"also made by nobody"
        self.ok(self.client.ask(frame(PUT, number(txn) + block(other) + bytes(4) + block(b"k") + b"2",
                                      flags=FLAG_TRANSACTION | FLAG_NAMESPACE)))
        version, flags, space, start, end = self.conflict(self.commit(txn))
        self.assertEqual((flags, space, start, end), (RANGE, b"made by nobody", b"", b""))
        txn = self.begin()
        for i in range(70000):
            space = block(b"nowhere %d" % i)
            self.client.send(frame(GET, number(txn) + space + b"k", flags=FLAG_TRANSACTION | FLAG_NAMESPACE))
            if i % 500 == 499:
                self.assertEqual({reply.status for reply in self.client.replies(500)}, {NOT_FOUND})
        self.assertEqual(self.abort(txn), OK)
        self.space = b"one more"
        self.put(b"k", b"v")

    def test_append_grows_no_value_beyond_the_limit(self):
        limit = 24 << 20
        self.put(b"k", bytes(limit - 1))
        txn = self.begin()
        self.assertEqual(self.ok(self.ask(APPEND, block(b"k") + b"x", txn)).number, limit)
        reply = self.ask(APPEND, block(b"k") + b"y", txn)
        self.assertEqual(reply.status, TOO_LARGE)
        self.assertIn("longer than a value may be", reply.text)
        self.ok(self.commit(txn))
        self.assertEqual(self.ask(APPEND, block(b"k") + b"y").status, TOO_LARGE)
        self.assertEqual(len(self.get(b"k")), limit)

    def test_flags_that_contradict_are_invalid(self):
        txn = self.begin()
        body = number(1) + number(txn) + block(self.space) + b"k"
        reply = self.client.ask(frame(GET, body, flags=FLAG_SNAPSHOT | FLAG_TRANSACTION | FLAG_NAMESPACE))
        self.assertEqual(reply.status, INVALID)
        for opcode, body in ((HISTORY, number(0) + varint(1) + b"k"), (EXPLAIN, b"k")):
            self.assertEqual(self.ask(opcode, body, txn).status, INVALID)
        self.assertEqual(self.client.ask(frame(TXN_BEGIN, b"\2" + number(0))).status, INVALID)
        self.assertEqual(self.abort(txn), OK)

    def test_counters_of_many_connections_add_up(self):
        self.put(b"n", b"0")
        conflicts = []

        def work():
            client = self.server.client()
            for _ in range(50):
                while True:
                    txn = self.begin(client)
                    value = int(self.get(b"n", txn, client=client))
                    self.put(b"n", b"%d" % (value + 1), txn, client=client)
                    status = self.commit(txn, client).status
                    if status == OK:
                        break
                    conflicts.append(status)
            client.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.get(b"n"), b"400")
        self.assertEqual(set(conflicts), {CONFLICT})

    def test_disjoint_transactions_do_not_conflict(self):
        statuses = []
        self.put(b"there", b"")  # who finds no namespace is in conflict with who makes it

        def work(i):
            client = self.server.client()
            for round in range(100):
                txn = self.begin(client)
                key = b"%02d/%d" % (i, round % 7)
                self.ask(SCAN, span(b"%02d/" % i, flags=PREFIX), txn, client)
                self.get(key, txn, client=client)
                self.put(key, b"v", txn, client=client)
                statuses.append(self.commit(txn, client).status)
            client.close()

        threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses.count(OK), 1600)


def compare(kind, relation, key, given=b""):
    return bytes([kind, relation]) + block(key) + given


def put_item(key, value):
    return b"\1\0" + block(key) + block(value)


def get_item(key):
    return b"\x08\0" + block(key)


class OneShotTest(TransactionTest):
    def transact(self, comparisons=(), items=(), others=(), client=None, **more):
        """(version, held, results), or the reply of an error."""
        body = b"".join(varint(len(part)) + b"".join(part) for part in (comparisons, items, others))
        reply = self.ask(TRANSACT, body, client=client, **more)
        if reply.status != OK:
            return reply
        reader = Reader(reply.body)
        version, held, results = reader.number("Q"), reader.number("B"), []
        for _ in range(reader.number("I")):
            kind = reader.number("B")
            results.append({0: lambda: None, 1: lambda: reader.number("q"), 3: lambda: NOT_FOUND,
                            2: lambda: reader.take(reader.record()[2])}[kind]())
        self.assertEqual(reader.at, len(reply.body))
        return version, bool(held), results

    def holds(self, *comparison):
        return self.transact([compare(*comparison)])[1]

    def test_either_list_is_done_whole(self):
        self.put(b"a", b"1")
        version, held, results = self.transact(
            [compare(VALUE, EQUAL, b"a", block(b"1"))],
            [put_item(b"a", b"2"), b"\4\0" + block(b"n") + number(5), get_item(b"a"), get_item(b"none")],
            [put_item(b"a", b"wrong")])
        self.assertEqual((held, results), (True, [None, 5, b"2", NOT_FOUND]))
        self.assertGreater(version, 0)
        _, held, results = self.transact([compare(VALUE, EQUAL, b"a", block(b"1"))], [put_item(b"a", b"wrong")],
                                         [get_item(b"a"), b"\2\0" + block(b"n")])
        self.assertEqual((held, results), (False, [b"2", None]))
        self.assertEqual(self.scan(), [(b"a", b"2")])

    def test_comparisons(self):
        version = self.put(b"k", b"m").version
        for relation, less, same, more in ((EQUAL, False, True, False), (DIFFERENT, True, False, True),
                                           (LESS, False, False, True), (GREATER, True, False, False)):
            for given, expected in ((-1, less), (0, same), (1, more)):
                self.assertEqual(self.holds(VERSION, relation, b"k", number(version + given)), expected)
                self.assertEqual(self.holds(VALUE, relation, b"k", block(bytes([ord("m") + given]))), expected)
        self.assertEqual([self.holds(PRESENCE, EQUAL, b"k"), self.holds(PRESENCE, DIFFERENT, b"k")], [True, False])
        self.assertEqual([self.holds(PRESENCE, EQUAL, b"-"), self.holds(PRESENCE, DIFFERENT, b"-")], [False, True])
        self.assertEqual(self.holds(VERSION, EQUAL, b"-", number(0)), True)
        self.assertEqual([self.holds(VALUE, relation, b"-", block(b"")) for relation in (1, 2, 3, 4)],
                         [False, True, False, False])

    def test_failing_item_undoes_all_and_is_named(self):
        self.put(b"s", b"text")
        reply = self.transact(items=[put_item(b"a", b"1"), b"\4\0" + block(b"s") + number(1)])
        self.assertEqual((reply.status, reply.item), (INVALID, 1))
        reply = self.transact(items=[put_item(b"a", b"1"), b"\6\1" + number(1000) + block(b"none")])
        self.assertEqual((reply.status, reply.item), (ABSENT, 1))
        self.assertEqual(self.scan(), [(b"s", b"text")])

    def test_answer_fits_a_frame(self):
        frame_max = struct.unpack_from("<Q", self.client.hello.body, 14)[0]
        long = b"x" * (frame_max // 2)
        self.put(b"long", long)
        self.assertEqual(len(self.transact(items=[get_item(b"long")])[2][0]), len(long))
        reply = self.transact(items=[get_item(b"long")] * 2)
        self.assertEqual((reply.status, reply.item, reply.detail), (TOO_LARGE, 1, frame_max))
        self.assertIn("frame_max", reply.text)

    def test_expiry_too_far_ahead_is_called_that(self):
        self.put(b"k", b"1")
        reply = self.transact(items=[b"\6\1" + number(2**64 - 1) + block(b"k")])
        self.assertEqual((reply.status, reply.item), (INVALID, 0))
        self.assertIn("expiry", reply.text)

    def test_nonsense_is_refused(self):
        for comparison in (compare(0, 1, b"k"), compare(4, 1, b"k"), compare(PRESENCE, LESS, b"k"),
                           compare(VERSION, 5, b"k", number(1)), compare(PRESENCE, EQUAL, b"")):
            self.assertEqual(self.transact([comparison]).status, INVALID)
        self.assertEqual(self.transact([compare(VERSION, EQUAL, b"k", b"short")]).status, PROTOCOL)
        self.assertEqual(self.transact(items=[b"\x08\4\1" + block(b"k")]).status, INVALID)
        self.assertEqual(self.ask(BATCH, varint(1) + get_item(b"k")).status, INVALID)

    def test_one_of_many_that_compare_and_set_wins_each_round(self):
        self.put(b"n", b"0")
        wins = []

        def work():
            client = self.server.client()
            while True:
                now = int(self.get(b"n", client=client))
                if now == 100:
                    break
                reply = self.transact([compare(VALUE, EQUAL, b"n", block(b"%d" % now))],
                                      [put_item(b"n", b"%d" % (now + 1))], client=client)
                wins.append(not isinstance(reply, Reply) and reply[1])
            client.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wins.count(True), 100)

    def test_large_answer_and_large_values(self):
        self.put(b"big", b"v" * (3 << 20))
        _, held, results = self.transact(items=[get_item(b"big"), put_item(b"copy", b"w" * (2 << 20)),
                                                get_item(b"copy")])
        self.assertEqual((held, len(results[0]), len(results[2])), (True, 3 << 20, 2 << 20))


class MemoryTest(unittest.TestCase):
    def test_what_many_have_read_and_not_yet_committed_is_memory_of_clients(self):
        server = start(self, "--set", "memory_limit=64MiB")
        clients = [server.client() for _ in range(150)]
        for client in clients:
            self.addCleanup(client.close)
        self.assertEqual(clients[0].ask(put(b"long", b"x" * 4000000)).status, OK)
        for i, client in enumerate(clients):
            client.try_send(frame(TRANSACT, b"\0\2" + b"\4\0" + block(b"n%d" % i) + number(1) +
                                  get_item(b"long") + b"\0"))
        time.sleep(3)
        statuses = []
        for client in clients:
            try:
                statuses.append(client.reply().status)
            except (EOFError, ConnectionError):
                statuses.append(None)
        self.assertGreater(statuses.count(OK), 0)
        self.assertEqual(set(statuses) - {OK, BUSY, None}, set())
        with open("/proc/%d/status" % server.process.pid) as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        if not SANITIZED:
            self.assertLess(peak, 256 * 1024)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
