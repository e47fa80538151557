#!/usr/bin/env python3
# server_observe_test.py: what kvd tells of its own work: how long requests took, and which, and whose.
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403


class LatencyTest(unittest.TestCase):
    def setUp(self):
        self.server = start(self, "--set", "server.loops=2")
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def latency(self, command):
        start = "server.latency_%s_" % command
        return {name[len(start):]: value for name, value in self.client.stats().items()
                if name.startswith(start)}

    def test_every_request_is_in_the_histogram_of_its_command_once(self):
        other = self.server.client()  # on the other loop
        self.addCleanup(other.close)
        self.assertEqual(self.latency("get"), {})
        for client in (self.client, other):
            client.send(put(b"key", b"v", durability=SYNCED) + b"".join(get(b"key", i) for i in range(500)))
            self.assertEqual({reply.status for reply in client.replies(501)}, {OK})
        gets, puts = self.latency("get"), self.latency("put")
        self.assertEqual((gets["count"], puts["count"]), (1000, 2))
        for figures in (gets, puts):
            order = [figures[name] for name in ("p50_us", "p99_us", "p999_us", "max_us")]
            self.assertEqual(order, sorted(order))
        self.assertGreater(puts["max_us"], 0)
        self.assertGreater(DEADLINE_S * 1000000, gets["max_us"])

    def test_reads_that_wait_for_a_commit_have_waited_for_it(self):
        """A get behind a synced put of its connection takes longer than the put's commit."""
        self.client.send(put(b"key", b"v", durability=SYNCED) + get(b"key"))
        self.client.replies(2)
        self.assertGreaterEqual(self.latency("get")["max_us"] + 1, self.latency("put")["max_us"] * 15 // 16)

    def test_work_on_an_io_thread_is_counted_too(self):
        self.client.ask(put(b"key", b"v"))
        self.assertEqual(self.client.ask(frame(COUNT, span())).status, OK)
        self.assertEqual(self.latency("count")["count"], 1)
        self.assertEqual(self.client.ask(frame(UPLOAD_BEGIN, b"key")).status, OK)
        self.assertEqual(self.latency("upload_begin")["count"], 1)

    def test_a_section_of_statistics_can_be_asked_for(self):
        self.client.ask(get(b"key"))
        reader = Reader(self.client.ask(frame(STATS, b"server.latency_get_p")).body)
        names = [(reader.block(), reader.block())[0] for _ in range(reader.number("I"))]
        self.assertEqual(names, [b"server.latency_get_p50_us", b"server.latency_get_p99_us",
                                 b"server.latency_get_p999_us"])


if __name__ == "__main__":
    unittest.main()
