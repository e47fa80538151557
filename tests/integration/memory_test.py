#!/usr/bin/env python3
# memory_test.py: the resident set of kvd stays within 15 % of memory_limit, with several times as
# much data, while it is written, read, scanned and uploaded to; and the block cache uses what the
# others leave. tests/bench/memory.py measures the same at length.
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

KVCLI = os.path.join(os.path.dirname(KVD), "kvcli")
MIB = 1 << 20
LIMIT_MIB = 64
LOAD = ("-c", 50, "-P", 16, "-d", "logged")


class Watch(threading.Thread):
    """Samples the resident set of a process until it is told to stop."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.peak, self.ended = pid, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            with open("/proc/%d/statm" % self.pid) as file:
                pages = int(file.read().split()[1])
            self.peak = max(self.peak, pages * os.sysconf("SC_PAGE_SIZE") / MIB)

    def stop(self):
        self.ended.set()
        self.join()
        return self.peak


@unittest.skipIf(SANITIZED, "a sanitizer takes memory of its own")
class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.server = start(self, "--set", "memory_limit=%dMiB" % LIMIT_MIB)
        self.watch = Watch(self.server.process.pid)
        self.addCleanup(self.watch.stop)

    def kvcli(self, *arguments):
        process = subprocess.Popen([KVCLI, "-s", self.server.address, *map(str, arguments)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        return process

    def finish(self, *processes):
        for process in processes:
            self.assertEqual(process.wait(120), 0, process.args)

    def stats(self):
        client = self.server.client()
        self.addCleanup(client.close)
        return client.stats()

    def test_the_resident_set_keeps_to_the_limit_under_a_mixed_load(self):
        large = os.path.join(self.server.folder, "large")
        with open(large, "wb") as file:
            file.write(os.urandom(MIB) * 40)
        small, log = ("-k", 600000, "-v", 100), ("-k", 30000, "-v", 4096, "--seed", 2)
        self.finish(self.kvcli("bench", *LOAD, *small, "--preload", "-N", 1),
                    self.kvcli("bench", *LOAD, *log, "--preload", "-N", 1))
        self.finish(self.kvcli("bench", *LOAD, *small, "-S", "2s"))
        cached = self.stats()["storage.block_cache_bytes"] / MIB
        self.finish(self.kvcli("bench", *LOAD, *small, "-r", 80, "-S", "4s"),
                    self.kvcli("bench", *LOAD, *log, "-r", 50, "-S", "4s"),
                    self.kvcli("scan", "--limit", 300000),
                    self.kvcli("put", "large1", "--file", large),
                    self.kvcli("put", "large2", "--file", large))
        self.assertGreater(cached, LIMIT_MIB / 4)
        self.assertLessEqual(self.watch.stop(), 1.15 * LIMIT_MIB)


if __name__ == "__main__":
    unittest.main()
