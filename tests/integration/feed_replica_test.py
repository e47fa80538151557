#!/usr/bin/env python3
# feed_replica_test.py: a replica that kvcli watch feeds is the store, though writers never stop, the watcher is
# killed and goes on at random moments, and so is the server.
import base64
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

KVCLI = os.path.join(os.path.dirname(KVD), "kvcli")
SECONDS = float(os.environ.get("KVD_REPLICA_SECONDS", "8"))
ITEM_PUT, ITEM_DELETE, ITEM_DELETE_RANGE = 1, 2, 3


def bytes_of(line, name):
    return line[name].encode() if name in line else base64.b64decode(line[name + "_base64"])


class Writer(threading.Thread):
    """Commits of a few random operations, until it is told to stop; the server may come and go."""

    def __init__(self, address, seed):
        super().__init__()
        self.address, self.random = address, random.Random(seed)
        self.stopped = threading.Event()
        self.commits = 0
        self.start()

    def item(self):
        key = b"k%02d" % self.random.randrange(60)
        kind = self.random.choice((ITEM_PUT,) * 8 + (ITEM_DELETE,) * 3 + (ITEM_DELETE_RANGE,))
        if kind == ITEM_DELETE:
            return bytes([kind, 0]) + block(key)
        if kind == ITEM_DELETE_RANGE:
            return bytes([kind, 0]) + block(key) + block(key + b"~")
        value = self.random.randbytes(self.random.choice((0, 5, 100, 3000, 50000)))
        return bytes([kind, 0]) + block(key) + block(value)

    def commit(self, client):
        items = [self.item() for _ in range(self.random.randrange(1, 6))]
        durability = self.random.choice((MEMORY, LOGGED, SYNCED))
        client.ask(frame(BATCH, durability + varint(len(items)) + b"".join(items), 1, FLAG_DURABILITY))
        self.commits += 1
        time.sleep(0.002)

    def run(self):
        while not self.stopped.is_set():
            try:
                client = Client(self.address)
                while not self.stopped.is_set():
                    self.commit(client)
                client.close()
            except (OSError, EOFError):
                time.sleep(0.05)

    def stop(self):
        self.stopped.set()
        self.join()


class Replica:
    """What a watcher has told; `state` is what it has noted on its disk, with the version that belongs to it."""

    def __init__(self, address):
        self.address = address
        self.keys, self.parts = {}, b""
        self.noted = ({}, 0)
        self.process, self.thread = None, None
        self.lines = self.gaps = self.starts = 0
        self.seen = 0

    def kvcli(self, *words):
        return [KVCLI, "--server", self.address, "--json", *words]

    def start(self):
        self.keys, self.parts = dict(self.noted[0]), b""
        self.starts += 1
        self.process = subprocess.Popen(self.kvcli("watch", "--from", str(self.noted[1])), stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.follow, args=(self.process.stdout,))
        self.thread.start()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()

    def follow(self, stream):
        with stream:
            for text in stream:
                if not text.endswith(b"\n"):
                    return  # it was killed in the middle of a line
                self.take(json.loads(text))

    def take(self, line):
        self.lines += 1
        if line["change"] == "gap":
            self.gaps += 1
            self.resync(line)
        elif line["change"] == "put":
            self.put(line)
        elif line["change"] == "del":
            self.keys.pop(bytes_of(line, "key"), None)
        elif line["change"] == "delrange":
            start, end = bytes_of(line, "from"), bytes_of(line, "to")
            self.keys = {key: value for key, value in self.keys.items() if not start <= key < end}
        else:
            raise AssertionError(line)
        if line.get("last"):
            assert line["version"] > self.noted[1]
            self.noted = (dict(self.keys), line["version"])

    def put(self, line):
        value = bytes_of(line, "value")
        assert line.get("offset", 0) == len(self.parts)
        self.parts += value
        if len(self.parts) == line["length"]:
            self.keys[bytes_of(line, "key")] = self.parts
            self.parts = b""

    def resync(self, gap):
        assert gap["from"] == self.noted[1] + 1 and gap["to"] >= gap["from"], (gap, self.noted[1])
        run = subprocess.run(self.kvcli("scan", "--snapshot", str(gap["snapshot"])), stdout=subprocess.PIPE, check=True)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        self.keys = {bytes_of(line, "key"): bytes_of(line, "value") for line in lines}
        self.noted = (dict(self.keys), gap["version"])


class ReplicaTest(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(int(os.environ.get("KVD_REPLICA_SEED", "1")))
        self.serve("127.0.0.1:0")
        self.replica = Replica(self.server.address)
        self.addCleanup(lambda: self.replica.process and self.replica.process.kill())

    def serve(self, address, folder=None):
        self.server = start(self, "--set", "storage.feed_retention=8MiB", folder=folder, listen=(address,))

    def restart(self):
        self.server.signal(self.random.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
        self.server.wait()
        self.serve(self.server.address, self.server.folder)

    def store(self):
        """What is in it; durable, for the version of a commit of its own."""
        client = self.server.client()
        self.assertEqual(client.ask(put(b"zz", b"%d" % time.time_ns(), durability=SYNCED)).status, OK)
        entries, cursor, at_end = {}, b"", False
        while not at_end:
            at_end, page, cursor = read_page(client.ask(frame(SCAN, span(cursor=cursor))).body)
            entries.update(page)
        client.close()
        return entries

    def expect_same(self):
        """With writers at rest."""
        expected = self.store()
        end = time.monotonic() + DEADLINE_S
        while self.replica.keys != expected and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.replica.keys.keys(), expected.keys())
        self.assertEqual(self.replica.keys, expected)

    def test_a_replica_is_the_store_whoever_is_killed(self):
        writers = [Writer(self.server.address, seed) for seed in (1, 2, 3)]
        try:
            self.replica.start()
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                time.sleep(self.random.uniform(0.05, 0.5))
                if self.random.random() < 0.25:
                    self.restart()
                else:
                    self.replica.kill()
                    time.sleep(self.random.uniform(0, 0.3))
                    self.replica.start()
        finally:
            for writer in writers:
                writer.stop()
        self.expect_same()
        self.replica.kill()
        self.assertGreater(self.replica.lines, 500)
        self.assertGreater(self.replica.starts, 5)

    def test_who_was_away_too_long_begins_anew_from_a_snapshot(self):
        client = self.server.client()
        self.replica.start()
        client.ask(put(b"before", b"1", durability=SYNCED))
        self.expect_same()
        self.replica.kill()
        for i in range(300):
            client.ask(put(b"k%02d" % (i % 50), os.urandom(200000)))
        client.ask(frame(DELETE, b"before"))
        client.ask(frame(MAINTAIN, bytes([COMPACT])))
        client.ask(frame(MAINTAIN, bytes([COLLECT])))
        client.close()
        self.restart()
        self.replica.start()
        self.expect_same()
        self.assertEqual(self.replica.gaps, 1)
        self.replica.kill()

    def test_a_reader_that_takes_nothing_holds_nobody_up(self):
        reader = subprocess.Popen(self.replica.kvcli("watch", "--from", "0"), stdout=subprocess.PIPE)
        try:
            client = self.server.client()
            begin = time.monotonic()
            memory = self.memory()
            for i in range(400):
                client.ask(put(b"k%02d" % (i % 50), os.urandom(50000)))
            self.assertLess(time.monotonic() - begin, 15)
            self.assertLess(self.memory() - memory, 64 << 20)
            client.close()
        finally:
            reader.kill()
            reader.wait()
            reader.stdout.close()

    def memory(self):
        client = self.server.client()
        stats = client.stats()
        client.close()
        return stats["server.client_memory_bytes"]


if __name__ == "__main__":
    unittest.main()
