#!/usr/bin/env python3
# server_feed_test.py: FEED, byte by byte: pages, waiting, gaps, and that nobody waits for a reader.
import os
import signal
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

END, LAST = 1, 1


def feed(position, start=b"", end=b"", flags=0, wait_ms=0, page_bytes=0, space=b"", id=1):
    """The frame of one; position: a version, or what a page said."""
    version, skip, offset = position if isinstance(position, tuple) else (position, 0, 0)
    body = struct.pack("<QIQI", version, skip, offset, wait_ms) + varint(page_bytes) + bounds(start, end, flags)
    return frame(FEED, (block(space) if space else b"") + body, id, FLAG_NAMESPACE if space else 0)


class Page:
    def __init__(self, reply):
        assert reply.status == OK, (reply.status, reply.body)
        reader = Reader(reply.body)
        self.at_end = reader.number("B") == END
        count = reader.number("I")
        self.next = (reader.number("Q"), reader.number("I"), reader.number("Q"))
        self.durable = reader.number("Q")
        self.gap = (reader.number("Q"), reader.number("Q"))
        self.changes = [self.take(reader) for _ in range(count)]
        assert reader.at == len(reply.body)

    def take(self, reader):
        kind, flags = reader.number("B"), reader.number("B")
        version, time_ms, key = reader.number("Q"), reader.number("Q"), reader.block()
        assert abs(time_ms - time.time() * 1000) < 600000
        if kind in (1, 4):
            length = reader.record()[2]
            reader.take(8)
        if kind == 1:
            offset, part = reader.number("Q"), reader.number("I")
            return "put", version, key, reader.take(part), (offset, length), flags == LAST
        if kind == 3:
            return "drop", version, key, reader.block(), None, flags == LAST
        return {2: "delete", 4: "superseded"}[kind], version, key, None, None, flags == LAST


class FeedTest(SharedServerTest):
    """Each test has a namespace of its own."""

    def setUp(self):
        super().setUp()
        self.space = self.id().rsplit(".", 1)[1].encode()
        self.reader = self.server.client()
        self.addCleanup = unittest.TestCase.addCleanup.__get__(self)
        self.addCleanup(self.reader.close)
        self.start = self.put(b"start", b"")

    def put(self, key, value, durability=SYNCED):
        body = durability + block(self.space) + struct.pack("<I", 0) + block(key) + value
        reply = self.client.ask(frame(PUT, body, 7, FLAG_DURABILITY | FLAG_NAMESPACE))
        self.assertEqual(reply.status, OK, reply.body)
        return reply.version

    def delete(self, key):
        return self.client.ask(frame(DELETE, block(self.space) + key, 8, FLAG_NAMESPACE)).version

    def page(self, position, **more):
        return Page(self.reader.ask(feed(position, space=self.space, **more)))

    def test_changes_come_in_order_with_their_values(self):
        first = self.put(b"a", b"1")
        second = self.put(b"b", bytes(3000))
        third = self.delete(b"a")
        page = self.page(self.start)
        self.assertEqual([change[:4] for change in page.changes],
                         [("put", first, b"a", b"1"), ("put", second, b"b", bytes(3000)),
                          ("delete", third, b"a", None)])
        self.assertTrue(page.at_end)
        self.assertEqual(page.gap, (0, 0))
        self.assertGreaterEqual(page.next[0], third)
        self.assertEqual(self.page(page.next).changes, [])
        self.assertEqual([change[1] for change in self.page(second).changes], [third])

    def test_of_a_prefix(self):
        for key in (b"a", b"user:1", b"user:2", b"v"):
            self.put(key, b"")
        page = self.page(self.start, start=b"user:", flags=PREFIX)
        self.assertEqual([change[2] for change in page.changes], [b"user:1", b"user:2"])

    def test_a_value_longer_than_a_page_comes_in_parts(self):
        value = os.urandom(150000)
        self.put(b"a", value)
        self.put(b"b", b"after")
        position, got, last = self.start, b"", []
        while len(got) < len(value):
            page = self.page(position, page_bytes=40000)
            change = page.changes[0]
            self.assertEqual(change[4], (len(got), len(value)))
            got += change[3]
            last.append(change[5])
            position = page.next
        self.assertEqual(got, value)
        self.assertEqual(last, [False, False, False, True])
        self.assertEqual(page.changes[-1][2], b"b")

    def test_an_answer_waits_for_a_change(self):
        position = self.page(self.start).next
        self.reader.send(feed(position, space=self.space, wait_ms=15000))
        time.sleep(0.3)
        self.client.ask(put(b"elsewhere", b""))
        begin = time.monotonic()
        version = self.put(b"a", b"1", LOGGED)
        page = Page(self.reader.reply())
        self.assertLess(time.monotonic() - begin, 12)  # not when its 15 s were over
        self.assertEqual([change[1:4] for change in page.changes], [(version, b"a", b"1")])

    def test_an_answer_waits_no_longer_than_asked(self):
        position = self.page(self.start).next
        begin = time.monotonic()
        page = self.page(position, wait_ms=700)
        self.assertEqual(page.changes, [])
        self.assertTrue(0.6 < time.monotonic() - begin < 15)

    def test_hundreds_wait_at_once_and_the_server_rests(self):
        readers = [self.server.client() for _ in range(200)]
        position = self.page(self.start).next
        for reader in readers:
            reader.send(feed(position, space=self.space, wait_ms=30000))
        time.sleep(0.5)
        before = self.server.cpu_seconds()
        time.sleep(1)
        self.assertLess(self.server.cpu_seconds() - before, 0.5)
        self.assertEqual(self.client.ask(get(b"nothing")).status, NOT_FOUND)
        version = self.put(b"a", b"1")
        for reader in readers[::2]:
            self.assertEqual(Page(reader.reply()).changes[0][1], version)
        for reader in readers:
            reader.close()

    def test_who_goes_while_waiting_is_forgotten(self):
        position = self.page(self.start).next
        for _ in range(20):
            reader = self.server.client()
            reader.send(feed(position, space=self.space, wait_ms=60000))
            reader.wait_for(0)
            reader.close()
        end = time.monotonic() + DEADLINE_S
        while self.connections() > 2 and time.monotonic() < end:
            time.sleep(0.05)
        self.assertLessEqual(self.connections(), 2)

    def connections(self):
        return self.client.stats()["server.connections"]

    def test_a_dropped_namespace_is_a_range_delete(self):
        version = self.put(b"a", b"1")
        dropped = self.client.ask(frame(NAMESPACE_DROP, self.space)).version
        self.put(b"a", b"2")
        changes = self.page(version).changes
        self.assertEqual([change[:4] for change in changes[:1]], [("drop", dropped, b"", b"")])
        self.assertEqual(changes[-1][3], b"2")

    def test_a_namespace_may_go_and_come_while_it_is_waited_for(self):
        dropped = []

        def drop():
            dropped.append(self.client.ask(frame(NAMESPACE_DROP, self.space)).version)

        page = self.waited(self.put(b"a", b"1"), drop)
        self.assertEqual([change[:4] for change in page.changes], [("drop", dropped[0], b"", b"")])
        page = self.waited(page.next, lambda: self.put(b"b", b"2"))
        self.assertEqual([change[:1] + change[2:4] for change in page.changes], [("put", b"b", b"2")])

    def test_one_that_is_not_there_yet_has_no_changes(self):
        self.assertEqual(Page(self.client.ask(feed(0, space=b"no such namespace"))).changes, [])

    def waited(self, position, change):
        """The page of a reader that waits while it happens."""
        self.reader.send(feed(position, space=self.space, wait_ms=10000))
        time.sleep(0.3)
        change()
        return Page(self.reader.reply())

    def test_what_is_wrong_is_refused(self):
        far = feed(1 << 60, space=self.space)
        self.assertEqual(self.client.ask(far).status, INVALID)
        reply = self.client.ask(feed(0, space=b"control\n"))
        self.assertEqual(reply.status, INVALID)
        self.assertIn("control characters", reply.text)
        self.assertEqual(self.client.ask(feed(0, flags=REVERSE)).status, INVALID)
        self.assertEqual(self.client.ask(frame(FEED, bytes(20))).status, PROTOCOL)


def resident_bytes(server):
    with open("/proc/%d/statm" % server.process.pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class StopTest(unittest.TestCase):
    def test_a_server_that_stops_answers_who_waits(self):
        server = start(self)
        reader = server.client()
        reader.send(feed(0, wait_ms=60000))
        time.sleep(0.3)
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 25)
        self.assertEqual(Page(reader.reply()).changes, [])

    def test_long_requests_that_wait_are_memory_of_their_client(self):
        server = start(self, "--set", "memory_limit=64MiB")
        request = feed(2**64 - 1, b"a" * 65535, b"b" * 65535, wait_ms=60000)
        waiting, before = [], resident_bytes(server)
        for _ in range(3):
            client = server.client()
            self.addCleanup(client.close)
            client.socket.settimeout(0.5)
            try:
                for _ in range(600):
                    client.send(request)
            except TimeoutError:
                pass  # the server reads no more of them
            waiting.append(client)
        self.assertLess(resident_bytes(server) - before, 48 << 20)
        self.assertGreater(server.client().stats()["server.client_memory_bytes"], 3 << 20)
        server.stop()

    def test_a_position_holds_over_a_killed_server(self):
        server = start(self, "--set", "storage.feed_retention=64MiB")
        client = server.client()
        versions = [client.ask(put(b"key%d" % i, b"value", durability=SYNCED)).version for i in range(20)]
        position = Page(client.ask(feed(versions[4]))).next
        server.signal(signal.SIGKILL)
        server.wait()
        server = start(self, "--set", "storage.feed_retention=64MiB", folder=server.folder)
        client = server.client()
        self.assertEqual([change[1] for change in Page(client.ask(feed(versions[9]))).changes], versions[10:])
        page = Page(client.ask(feed(position)))
        self.assertEqual((page.changes, page.gap), ([], (0, 0)))

    def test_what_is_gone_is_a_gap_behind_which_it_goes_on(self):
        server = start(self)
        client = server.client()
        first = client.ask(put(b"key", b"value")).version
        for i in range(60):
            client.ask(put(b"big", os.urandom(200000)))
        client.ask(frame(MAINTAIN, bytes([COMPACT])))
        client.ask(frame(MAINTAIN, bytes([COLLECT])))
        server.stop()
        server = start(self, folder=server.folder)
        client = server.client()
        page = Page(client.ask(feed(first - 1)))
        self.assertEqual(page.changes, [])
        self.assertEqual(page.gap[0], first)
        self.assertGreater(page.gap[1], first + 10)
        self.assertEqual(page.next, (page.gap[1], 0, 0))
        last = client.ask(put(b"last", b"", durability=SYNCED)).version
        while not page.changes:  # what was kept in between may end in a gap as well
            self.assertFalse(page.at_end)
            page = Page(client.ask(feed(page.next, start=b"last", flags=PREFIX)))
        self.assertEqual([change[1] for change in page.changes], [last])


if __name__ == "__main__":
    unittest.main()
