#!/usr/bin/env python3
# histories_test.py: transactions of many clients, while the server is killed and paused, are strictly serializable.
#
# Each appends elements that nobody else appends, and reads whole lists and ranges of them. A version
# is a place in one order of all commits; a namespace that keeps its versions tells the place of
# those whose answer was lost, too. In that order, every read must show exactly what was appended
# before, and no commit may come before one that had ended when it began. (The idea of lists to
# append to is that of Elle: Kingsbury and Alvaro, 2020.)
import bisect
import os
import random
import signal
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

CLIENTS, KEYS, SECONDS, KILLS = 6, 8, 4, 3
SEED = int(os.environ.get("KVD_SEED", "0")) or random.randrange(1 << 32)
SPACE = b"lists"
RUNS = int(os.environ.get("KVD_RUNS", "1"))


def in_space(opcode, txn, body):
    return frame(opcode, number(txn) + block(SPACE) + body, flags=FLAG_TRANSACTION | FLAG_NAMESPACE)


def elements(value):
    return value.split(b",")[:-1]


class Transaction:
    """What one has done, as its client knows it."""

    def __init__(self, id):
        self.id = id
        self.reads = []    # (own appends so far, {key: elements})
        self.appends = []  # (key, element)
        self.begun = time.monotonic()
        self.ended = None
        self.version = None  # of its commit
        self.seen = None     # the version that it reads
        self.status = None   # None: the answer was lost


class ListClient(threading.Thread):
    def __init__(self, test, number, history):
        super().__init__()
        self.test, self.history = test, history
        self.random = random.Random(SEED * 1000 + number)
        self.name_base = b"%d." % number
        self.count = 0

    def run(self):
        while not self.test.over:
            try:
                client = Client(self.test.address, greet=False)
            except OSError:
                time.sleep(0.01)
                continue
            try:
                client.ask(hello())
                while not self.test.over:
                    self.transact(client)
            except (OSError, EOFError):
                pass  # what had begun is in the history, without an answer
            finally:
                client.close()

    def transact(self, client):
        self.count += 1
        txn = Transaction(self.name_base + b"%d" % self.count)
        begun = client.ask(frame(TXN_BEGIN, bytes(9)))
        assert begun.status == OK, begun.text
        id, txn.seen = struct.unpack_from("<QQ", begun.body)
        for i in range(self.random.randint(1, 4)):
            self.step(client, id, txn, i)
        self.history.append(txn)
        reply = client.ask(frame(TXN_COMMIT, number(id)))
        txn.ended = time.monotonic()
        txn.status = reply.status
        assert reply.status in (OK, CONFLICT, TXN_TOO_OLD), reply.text
        if reply.status == OK:
            txn.version = reply.version

    def step(self, client, id, txn, i):
        key = b"k%d" % self.random.randrange(KEYS)
        choice = self.random.random()
        if choice < 0.5:
            element = txn.id + b"/%d" % i
            assert client.ask(in_space(APPEND, id, block(key) + element + b",")).status == OK
            txn.appends.append((key, element))
        elif choice < 0.9:
            reply = client.ask(in_space(GET, id, key))
            assert reply.status in (OK, NOT_FOUND), reply.text
            found = elements(reply.value) if reply.status == OK else []
            txn.reads.append((len(txn.appends), {key: found}))
        else:
            page = client.ask(in_space(SCAN, id, span(b"k", flags=PREFIX)))
            assert page.status == OK, page.text
            found = {key: [] for key in (b"k%d" % k for k in range(KEYS))}
            found.update((key, elements(value)) for key, value in read_page(page.body)[1])
            txn.reads.append((len(txn.appends), found))


class HistoriesTest(unittest.TestCase):
    def versions_of(self, client):
        """{element: version of the commit that appended it}, and the lists at the end."""
        where, final = {}, {}
        for key in (b"k%d" % k for k in range(KEYS)):
            kept, before = [], 0
            while True:
                reader = Reader(client.ask(frame(HISTORY, block(SPACE) + number(before) + varint(1000) + key,
                                                 flags=FLAG_NAMESPACE)).body)
                at_end, count = reader.number("B") & 1, reader.number("I")
                for _ in range(count):
                    before, _, deleted = reader.number("Q"), reader.number("Q"), reader.number("B")
                    self.assertEqual(deleted, 0)
                    reader.record()
                    kept.append(before)
                if at_end:
                    break
            seen = []
            for version in reversed(kept):
                reply = client.ask(frame(GET, block(SPACE) + number(version) + key,
                                         flags=FLAG_NAMESPACE | FLAG_AT_VERSION))
                now = elements(reply.value)
                self.assertEqual(now[:len(seen)], seen, "a list lost what it had")
                for element in now[len(seen):]:
                    self.assertNotIn(element, where)
                    where[element] = version
                seen = now
            final[key] = seen
        return where, final

    def place(self, history, where):
        """Gives a version to each commit whose answer was lost; those without a trace have none."""
        for txn in history:
            found = {where.get(element) for _, element in txn.appends}
            if txn.status == OK and txn.appends:
                self.assertEqual(found, {txn.version}, "an acknowledged commit is not as it was")
            elif txn.status is not None:
                self.assertEqual(found - {None}, set(), "a refused commit took effect")
            elif txn.appends:
                self.assertEqual(len(found), 1, "a commit took effect in part")
                txn.version = found.pop()

    def check_reads(self, history, where):
        """Against the lists as they were at the place of the reader."""
        lists = {b"k%d" % k: [] for k in range(KEYS)}  # (version, element), in order
        by_version = sorted((version, element) for element, version in where.items())
        keys = {element: key for txn in history for key, element in txn.appends}
        order = {}
        for version, element in by_version:
            lists[keys[element]].append((version, element))
        for key in lists:  # within a commit: in the order of its appends
            lists[key].sort(key=lambda pair: (pair[0], int(pair[1].rsplit(b"/", 1)[1])))
            order[key] = [version for version, _ in lists[key]]
        for txn in history:
            if txn.status == OK or (txn.version is not None):
                place = txn.version if txn.appends else txn.seen + 1
                for own, found in txn.reads:
                    for key, elements_read in found.items():
                        before = [element for _, element in lists[key][:bisect.bisect_left(order[key], place)]]
                        mine = [element for k, element in txn.appends[:own] if k == key]
                        self.assertEqual(elements_read, before + mine,
                                         "seed %d: %r read at %d" % (SEED, txn.id, place))

    def check_time(self, history):
        """What had ended before another began comes before it."""
        ended = sorted((txn.ended, txn.version) for txn in history if txn.status == OK and txn.appends)
        newest, newest_at = [], 0
        for _, version in ended:
            newest_at = max(newest_at, version)
            newest.append(newest_at)
        times = [at for at, _ in ended]
        for txn in history:
            i = bisect.bisect_left(times, txn.begun) - 1
            if i >= 0 and txn.seen is not None:
                self.assertGreaterEqual(txn.seen, newest[i], "seed %d: %r began in the past" % (SEED, txn.id))

    def test_what_clients_saw_fits_one_order(self):
        for _ in range(RUNS):
            self.run_history()

    def run_history(self):
        server = start(self)
        folder = server.folder
        server.stop()
        self.address = "unix:" + os.path.join(folder, "socket")
        server = start(self, folder=folder, listen=(self.address,))
        client = Client(self.address)
        settings = block(SPACE) + struct.pack("<QQI", 0, 0, 1000000)
        self.assertEqual(client.ask(frame(NAMESPACE_CREATE, settings)).status, OK)
        client.close()
        chance = random.Random(SEED)
        history, self.over = [], False
        clients = [ListClient(self, i, history) for i in range(CLIENTS)]
        for thread in clients:
            thread.start()
        for _ in range(KILLS):
            time.sleep(SECONDS / (KILLS + 1) * chance.uniform(0.3, 1))
            server.signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0, 0.2))
            server.signal(signal.SIGCONT)
            time.sleep(SECONDS / (KILLS + 1) * chance.uniform(0, 0.7))
            server.kill()
            server = start(self, folder=folder, listen=(self.address,))
        time.sleep(0.3)
        self.over = True
        for thread in clients:
            thread.join()
        client = Client(self.address)
        where, _ = self.versions_of(client)
        client.close()
        self.place(history, where)
        done = [txn for txn in history if txn.status == OK]
        self.assertGreater(len(done), 100)
        self.assertTrue(any(txn.status == CONFLICT for txn in history))
        self.check_reads(history, where)
        self.check_time(history)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
