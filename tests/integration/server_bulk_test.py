#!/usr/bin/env python3
# server_bulk_test.py: bulk loads over the wire: whole or not at all, beside others, and all that can go wrong.
import os
import re
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

BEGIN, DATA, COMMIT_LOAD, ABORT = b"\1", b"\2", b"\3", b"\4"
ITEM_TTL, ITEM_EXPIRE_AT, ITEM_CONDITION, ITEM_CHECKSUM, ITEM_FLAGS = 1, 2, 4, 8, 16


def load(body, flags=0, id=1):
    return frame(BULK_LOAD, body, id=id, flags=flags)


def plain(key, value, flags=0, fields=b"", kind=1):
    return bytes([kind, flags]) + fields + block(key) + block(value)


def piece(before, items, id=1):
    return load(DATA + number(before) + varint(len(items)) + b"".join(items), id=id)


class BulkVerbs(SharedServerTest):
    def load_begin(self, client=None, name=None):
        reply = (client or self.client).ask(
            load((block(name) if name else b"") + BEGIN, FLAG_NAMESPACE if name else 0))
        self.assertEqual(reply.status, OK, reply.body)

    def data(self, before, items, client=None):
        return (client or self.client).ask(piece(before, items))

    def commit(self, entries, client=None):
        return (client or self.client).ask(load(COMMIT_LOAD + number(entries)))

    def count(self, prefix, client=None):
        return Reader((client or self.client).ask(frame(COUNT, span(prefix, flags=PREFIX))).body[1:]).number("Q")

    def items(self, count, value=b"v", start=0):
        return [plain(self.key + b"%06d" % i, value + b"%d" % i) for i in range(start, start + count)]


class BulkTest(BulkVerbs):
    def test_all_is_there_after_the_commit_and_nothing_before(self):
        other = self.server.client()
        self.load_begin()
        for at in range(0, 900, 300):
            reply = self.data(at, self.items(300, start=at))
            self.assertEqual((reply.status, reply.version, reply.number), (OK, 0, at + 300))
            self.assertEqual(self.count(self.key, other), 0)
        other.ask(put(self.key + b"000007", b"meanwhile"))
        self.assertEqual(other.ask(get(self.key + b"000007")).value, b"meanwhile")
        reply = self.commit(900)
        self.assertEqual((reply.status, reply.number), (OK, 900))
        self.assertEqual(self.count(self.key, other), 900)
        got = other.ask(get(self.key + b"000007"))
        self.assertEqual((got.version, got.value), (reply.version, b"v7"))
        later = other.ask(put(self.key + b"000007", b"later"))
        self.assertGreater(later.version, reply.version)
        self.assertEqual(other.ask(get(self.key + b"000007")).value, b"later")

    def test_it_is_counted_when_it_comes_in(self):
        names = ["storage.loads_open", "storage.loads", "storage.load_entries", "storage.load_bytes"]
        before = [self.client.stats()[name] for name in names]
        bytes_given = 3 * len(self.key + b"000000" + b"v0")
        for last, increase in ((ABORT, [0, 0, 0, 0]), (COMMIT_LOAD + number(3), [0, 1, 3, bytes_given])):
            self.load_begin()
            self.data(0, self.items(3))
            self.assertEqual(self.client.stats()["storage.loads_open"], 1)
            self.assertEqual(self.client.ask(load(last)).status, OK)
            stats = self.client.stats()
            self.assertEqual([stats[name] for name in names], [x + y for x, y in zip(before, increase)])

    def test_pieces_may_be_pipelined_and_values_have_all_they_may_have(self):
        values = [os.urandom(length) for length in (0, 1, 1023, 1024, 70000, 3 << 20)]
        self.load_begin()
        self.client.send(b"".join(
            piece(i, [plain(self.key + b"%d" % i, value, ITEM_TTL | ITEM_FLAGS, number(3600000) + struct.pack("<I", 7))],
                  id=i + 10) for i, value in enumerate(values)) + load(COMMIT_LOAD + number(6), id=20))
        replies = self.client.replies(7)
        self.assertEqual([(reply.id, reply.status) for reply in replies],
                         [(i, OK) for i in range(10, 16)] + [(20, OK)])
        for i, value in enumerate(values):
            self.assertTrue(self.client.ask(get(self.key + b"%d" % i)).value == value)
            version, expires, length, flags = Reader(self.client.ask(frame(META, self.key + b"%d" % i)).body).record()
            self.assertEqual((version, length, flags), (replies[6].version, len(value), 7))
            self.assertGreater(expires, time.time() * 1000)

    def test_no_piece_is_missed_and_none_comes_twice(self):
        self.load_begin()
        self.assertEqual(self.data(0, self.items(2)).number, 2)
        for before in (0, 1, 3, 2**64 - 1):
            reply = self.data(before, self.items(2, start=2))
            self.assertEqual((reply.status, reply.detail), (INVALID, 2))
        reply = self.commit(3)
        self.assertEqual((reply.status, reply.detail), (INVALID, 2))
        self.assertEqual(self.data(2, self.items(2, start=2)).number, 4)
        self.assertEqual(self.commit(4).status, OK)
        self.assertEqual(self.count(self.key), 4)

    def test_a_key_out_of_order_ends_the_load_and_is_named(self):
        self.load_begin()
        self.data(0, self.items(2, start=5))
        reply = self.data(2, self.items(1, start=9) + self.items(1, start=6))
        self.assertEqual((reply.status, reply.item), (INVALID, 1))
        self.assertIn("entry 4", reply.text)
        reply = self.commit(3)
        self.assertEqual(reply.status, NOT_FOUND)
        self.assertIn("no bulk load", reply.text)
        self.assertEqual(self.count(self.key), 0)
        self.load_begin()  # another can be begun
        self.assertEqual(self.client.ask(load(ABORT)).status, OK)

    def test_what_is_no_plain_put_is_refused(self):
        self.load_begin()
        for bad in (plain(self.key, b"", kind=2)[:-1], plain(self.key, b"x", ITEM_CONDITION, b"\1"),
                    plain(b"", b"x"), plain(self.key, b"x", ITEM_TTL | ITEM_EXPIRE_AT, number(1) + number(1))):
            self.assertEqual(self.data(0, [bad]).status, INVALID)
        self.assertEqual(self.client.ask(load(b"\5")).status, INVALID)
        self.assertEqual(self.client.ask(load(block(b"other") + COMMIT_LOAD + number(0), FLAG_NAMESPACE)).status,
                         INVALID)
        self.assertEqual(self.data(0, self.items(3)).status, OK)  # the load is as it was
        wrong = plain(self.key + b"9", b"x", ITEM_CHECKSUM, number(1))
        self.assertEqual(self.data(3, [wrong]).status, CHECKSUM)
        self.assertEqual(self.commit(3).status, NOT_FOUND)
        self.assertEqual(self.count(self.key), 0)

    def test_one_at_a_time(self):
        other = self.server.client()
        self.load_begin()
        reply = other.ask(load(BEGIN))
        self.assertEqual((reply.status, "another" in reply.text), (BUSY, True))
        reply = self.client.ask(load(BEGIN))
        self.assertEqual((reply.status, "already" in reply.text), (BUSY, True))
        self.assertEqual(other.ask(load(ABORT)).status, NOT_FOUND)
        self.assertEqual(self.client.ask(load(ABORT)).status, OK)
        self.load_begin(other)
        self.assertEqual(self.data(0, self.items(1), other).status, OK)
        self.assertEqual(self.commit(1, other).status, OK)

    def test_the_end_of_the_connection_ends_the_load(self):
        other = self.server.client()
        self.load_begin(other)
        self.data(0, self.items(100, b"x" * 20000), other)
        other.close()
        deadline = time.monotonic() + DEADLINE_S
        while self.client.ask(load(BEGIN)).status == BUSY:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.assertEqual(self.client.ask(load(ABORT)).status, OK)
        self.assertEqual(self.count(self.key), 0)

    def test_an_empty_load_is_the_newest_version(self):
        version = self.client.ask(put(self.key, b"x")).version
        self.load_begin()
        reply = self.commit(0)
        self.assertEqual((reply.status, reply.version, reply.number), (OK, version, 0))

    def test_a_namespace_is_made_and_one_that_goes_takes_the_load_along(self):
        name = self.key
        self.load_begin(name=name)
        self.assertEqual(self.data(0, self.items(5)).status, OK)
        self.assertEqual(self.commit(5).status, OK)
        self.assertEqual(self.count(self.key), 0)  # of the default namespace
        reply = self.client.ask(frame(COUNT, block(name) + span(b"", flags=0), flags=FLAG_NAMESPACE))
        self.assertEqual(Reader(reply.body[1:]).number("Q"), 5)
        self.load_begin(name=name)
        self.data(0, self.items(5, start=10))
        self.assertEqual(self.client.ask(frame(NAMESPACE_DROP, name)).status, OK)
        self.assertEqual(self.commit(5).status, NOT_FOUND)
        settings = number(100) + number(0) + struct.pack("<I", 0)
        self.assertEqual(self.client.ask(frame(NAMESPACE_CREATE, block(name) + settings)).status, OK)
        self.load_begin(name=name)
        self.data(0, self.items(20))
        self.assertEqual(self.commit(20).status, QUOTA)

    def test_transactions_from_before_are_too_old_and_the_feed_tells_a_gap(self):
        before = self.client.ask(put(self.key, b"x")).version
        txn = self.client.ask(frame(TXN_BEGIN, b"\0" + number(0)))
        id = Reader(txn.body).number("Q")
        self.client.ask(frame(GET, number(id) + self.key, flags=FLAG_TRANSACTION))
        self.client.ask(frame(PUT, number(id) + struct.pack("<I", 0) + block(self.key + b"/own") + b"y",
                              flags=FLAG_TRANSACTION))
        other = self.server.client()
        self.load_begin(other)
        self.data(0, self.items(3), other)
        version = self.commit(3, other).version
        self.assertEqual(self.client.ask(frame(TXN_COMMIT, number(id))).status, TXN_TOO_OLD)
        gaps, at = [], before
        for _ in range(5):
            reader = Reader(self.client.ask(frame(FEED, number(at) + struct.pack("<I", 0) + number(0)
                                                  + struct.pack("<I", 0) + varint(0) + bounds())).body)
            reader.number("B"), reader.number("I")
            at = reader.number("Q")
            reader.number("I"), reader.number("Q"), reader.number("Q")
            gaps.append((reader.number("Q"), reader.number("Q")))
        self.assertIn((version, version), gaps)

    def test_others_read_and_write_while_loads_come_in(self):
        stop, counts, wrong = threading.Event(), [0], []

        def write():
            client = self.server.client()
            while not stop.is_set():
                key = self.key + b"/other/%d" % (counts[0] % 50)
                version = client.ask(put(key, b"%d" % counts[0])).version
                got = client.ask(get(key))
                if (got.version, got.value) != (version, b"%d" % counts[0]):
                    wrong.append((key, got.version, version))
                counts[0] += 1

        thread = threading.Thread(target=write)
        thread.start()
        for turn in range(5):
            self.load_begin()
            for at in range(0, 4000, 500):
                self.assertEqual(self.data(at, self.items(500, b"%d-" % turn + b"x" * 2000, at)).status, OK)
            self.assertEqual(self.commit(4000).status, OK)
            self.assertTrue(self.client.ask(get(self.key + b"003999")).value.startswith(b"%d-" % turn))
        stop.set()
        thread.join()
        self.assertEqual(wrong, [])
        self.assertGreater(counts[0], 20)
        reply = self.client.ask(frame(MAINTAIN, bytes([VERIFY])))
        self.assertEqual(reply.status, OK)
        self.assertIn(b"faults", reply.body)


class BulkLifeTest(unittest.TestCase):
    """Servers of their own, that are killed, stopped, and short of memory."""

    def items(self, start, count, bytes_each):
        value = os.urandom(bytes_each - 8)
        return [plain(b"k%09d" % i, value + struct.pack("<Q", i)) for i in range(start, start + count)]

    def check(self, server):
        run = subprocess.run([KVD, "check", server.dir], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def keys(self, client):
        return Reader(client.ask(frame(COUNT, span())).body[1:]).number("Q")

    def test_a_kill_in_the_middle_leaves_nothing_and_one_behind_it_everything(self):
        server = start(self)
        client = server.client()
        client.ask(put(b"a", b"old", durability=SYNCED))
        client.ask(load(BEGIN))
        for at in range(0, 400, 100):
            self.assertEqual(client.ask(piece(at, self.items(at, 100, 20000))).status, OK)
        server.kill()
        server = start(self, folder=server.folder)
        client = server.client()
        self.assertEqual(self.keys(client), 1)
        client.ask(load(BEGIN))
        for at in range(0, 400, 100):
            client.ask(piece(at, self.items(at, 100, 20000)))
        version = client.ask(load(COMMIT_LOAD + number(400))).version
        server.kill()
        server = start(self, folder=server.folder)
        client = server.client()
        self.assertEqual(self.keys(client), 401)
        got = client.ask(get(b"k000000399"))
        self.assertEqual((got.version, got.value[-8:]), (version, struct.pack("<Q", 399)))
        self.assertGreater(client.ask(put(b"later", b"x")).version, version)
        server.stop()
        self.check(server)

    def test_a_stop_ends_a_load(self):
        server = start(self)
        client = server.client()
        client.ask(load(BEGIN))
        client.ask(piece(0, self.items(0, 100, 20000)))
        self.assertEqual(server.stop(), 0)
        self.check(server)
        server = start(self, folder=server.folder)
        self.assertEqual(self.keys(server.client()), 0)

    def test_much_is_loaded_in_little_memory(self):
        server = start(self, "--set", "memory_limit=64MiB")
        client = server.client()
        client.ask(load(BEGIN))
        rounds, per_round = 300, 50
        for at in range(rounds):
            self.assertEqual(client.ask(piece(at * per_round, self.items(at * per_round, per_round, 20000))).status, OK)
        self.assertEqual(client.ask(load(COMMIT_LOAD + number(rounds * per_round))).status, OK)
        with open("/proc/%d/status" % server.process.pid) as lines:
            peak = int(re.search(r"VmHWM:\s+(\d+)", lines.read()).group(1)) * 1024
        if not SANITIZED:
            self.assertLess(peak, 64 * 1.15 * (1 << 20))
        self.assertEqual(self.keys(client), rounds * per_round)
        server.stop()
        self.check(server)


if __name__ == "__main__":
    unittest.main(verbosity=2)
