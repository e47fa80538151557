#!/usr/bin/env python3
# server_abuse_test.py: clients that do wrong, on purpose or not: kvd says what is wrong, closes what
# cannot be trusted, bounds what it costs, and serves everybody else.
import os
import random
import resource
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403


class AbuseTest(unittest.TestCase):
    options = ()

    def setUp(self):
        self.server = start(self, *self.options)
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        self.assert_serves()
        self.assertEqual(self.server.stop(), 0, self.server.output())

    def client(self, greet=True):
        self.clients.append(self.server.client(greet))
        return self.clients[-1]

    def client_when_there_is_room(self):
        """The server may not have noticed yet that others left."""
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                client = self.client()
                if client.hello.status == OK:
                    return client
            except (EOFError, ConnectionError):
                pass
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def assert_serves(self):
        client = self.client_when_there_is_room()
        self.assertEqual(client.ask(put(b"alive", b"yes")).status, OK)
        self.assertEqual(client.ask(get(b"alive")).value, b"yes")
        client.close()


class FramesTest(AbuseTest):
    options = ("--set", "server.frame_timeout=300ms", "--set", "server.loops=3")

    def test_get_before_hello_is_refused_and_ping_is_not(self):
        client = self.client(greet=False)
        reply = client.ask(get(b"k", 5))
        self.assertEqual((reply.status, reply.id, "HELLO" in reply.text), (PROTOCOL, 5, True))
        self.assertEqual(client.ask(frame(PING, b"p")).status, OK)
        self.assertEqual(client.ask(hello()).status, OK)
        self.assertEqual(client.ask(get(b"k")).status, NOT_FOUND)

    def test_too_many_frames_before_hello_close(self):
        client = self.client(greet=False)
        client.send(b"".join(frame(PING, b"", i) for i in range(9)))
        self.assertEqual([reply.status for reply in client.replies(9)], [OK] * 8 + [PROTOCOL])
        self.assertTrue(client.is_closed())

    def test_large_frame_before_hello_closes(self):
        client = self.client(greet=False)
        client.try_send(frame(PING, bytes(1025), 9))
        reply = client.reply()
        self.assertEqual((reply.status, reply.id, reply.detail), (TOO_LARGE, 9, 1024))
        self.assertTrue(client.is_closed())

    def test_no_hello_closes_in_time(self):
        client = self.client(greet=False)
        began = time.monotonic()
        self.assertEqual(client.reply().status, PROTOCOL)
        self.assertTrue(client.is_closed())
        self.assertTrue(4.5 < time.monotonic() - began < 25)  # of the 5 s for a HELLO, not of an idle minute

    def test_wrong_magic_or_kind_closes(self):
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 16, b"\xb6\x12" + bytes(14), b"\xb6\x21", b"*"):
            for greet in (False, True):
                client = self.client(greet)
                client.send(data)
                self.assertEqual(client.reply().status, PROTOCOL, data)
                self.assertTrue(client.is_closed())

    def test_answers_before_the_fault_still_come(self):
        client = self.client()
        client.send(put(b"k", b"v", 1, SYNCED) + get(b"k", 2) + b"garbage")
        self.assertEqual([reply.status for reply in client.replies(3)], [OK, OK, PROTOCOL])
        self.assertTrue(client.is_closed())

    def test_declared_length_above_the_limit_closes_and_reserves_nothing(self):
        client = self.client()
        for length in (0x7FFFFFFF, 0xFFFFFFFF, (25 << 20) + 1):
            client = self.client()
            client.send(struct.pack("<BBHIII", 0xB6, 0x11, PUT, length, 77, 0))
            reply = client.reply()
            self.assertEqual((reply.status, reply.id, reply.detail), (TOO_LARGE, 77, 25 << 20))
            self.assertTrue(client.is_closed())

    def test_memory_follows_bytes_and_not_the_declared_length(self):
        watcher = self.client()
        before = watcher.stats()["server.client_memory_bytes"]
        for _ in range(20):
            self.client().send(struct.pack("<BBHIII", 0xB6, 0x11, PUT, 24 << 20, 1, 0) + bytes(100))
        self.assertLess(watcher.stats()["server.client_memory_bytes"] - before, 1 << 20)

    def test_frame_that_never_ends_closes(self):
        for part in (b"\xb6", put(b"k", b"value")[:16], put(b"k", b"value")[:-1], put(b"k", bytes(1 << 20))[:-1]):
            client = self.client()
            client.send(part)
            self.assertEqual(client.reply().status, PROTOCOL)
            self.assertTrue(client.is_closed())
        self.assertGreaterEqual(self.client().stats()["server.closed_for_time"], 4)

    def test_client_that_leaves_in_the_middle_of_a_frame(self):
        for size in (1, 15, 16, 17, 40000):
            client = self.client()
            client.send(put(b"k", bytes(50000))[:size])
            client.close()
        self.assert_serves()

    def test_unknown_opcodes_are_refused_and_the_connection_lives(self):
        client = self.client()
        unknown = [opcode for opcode in range(0x200) if opcode not in SERVED] + [0xFFFF]
        for opcode in unknown:
            reply = client.ask(frame(opcode, b"some body", opcode))
            self.assertEqual((reply.status, reply.id, reply.detail), (UNSUPPORTED, opcode, opcode))
        self.assertEqual(client.ask(frame(PING)).status, OK)

    def test_each_flag_that_is_not_agreed_is_refused(self):
        client = self.client(greet=False)
        client.ask(hello(features=0))
        for bit in range(32):
            reply = client.ask(frame(GET, b"k", flags=1 << bit))
            self.assertEqual((reply.status, reply.detail), (UNSUPPORTED, 1 << bit))
        self.assertEqual(client.ask(get(b"k")).status, NOT_FOUND)

    def test_body_that_ends_too_early_is_refused_and_the_connection_lives(self):
        client = self.client()
        whole = put(b"key", b"value")[16:]
        for length in range(9):
            self.assertIn(client.ask(frame(PUT, whole[:length], flags=FLAG_DURABILITY)).status,
                          (PROTOCOL, INVALID), length)
        self.assertEqual(client.ask(get(b"key")).status, NOT_FOUND)

    def test_any_byte_of_a_request_wrong(self):
        requests = (put(b"key", b"value"), get(b"key"), frame(MGET, b"\2" + block(b"a") + block(b"b")),
                    frame(SCAN, span(b"a", b"b")), frame(BATCH, b"\1\1\0" + block(b"a") + block(b"b")))
        choose = random.Random(1)
        for request in requests:
            for at in range(len(request)):
                client = self.client()
                wrong = bytearray(request)
                wrong[at] ^= choose.randrange(1, 256)
                client.try_send(bytes(wrong))
                client.close()
        self.assert_serves()

    def test_noise(self):
        seed = random.randrange(1 << 32)
        choose = random.Random(seed)
        for _ in range(200):
            client = self.client(choose.random() < 0.8)
            for _ in range(choose.randrange(1, 20)):
                body = choose.randbytes(choose.randrange(60))
                flags = choose.choice((0, 1 << choose.randrange(12), choose.randrange(1 << 12)))
                client.try_send(frame(choose.choice((GET, MGET, META, SCAN, COUNT, PUT, DELETE, BATCH, STATS)),
                                      body, 1, flags))
            client.close()
        self.assertIsNone(self.server.process.poll(), "seed %d" % seed)
        self.assert_serves()

    def test_clients_that_leave_with_work_in_flight(self):
        for i in range(60):
            client = self.client()
            client.send(b"".join(put(b"k%d" % j, bytes(2000), j, SYNCED) for j in range(50)) +
                        get(b"k1") + frame(COUNT, span()) + frame(STATS))
            client.close()
        self.assert_serves()


class SlowReaderTest(AbuseTest):
    def test_replies_not_read_cost_little_and_are_kept(self):
        client, watcher = self.client(), self.client()
        client.ask(put(b"large", bytes(1 << 20)))
        client.send(b"".join(get(b"large", i) for i in range(100)))  # 100 MiB of replies
        for _ in range(10):
            time.sleep(0.1)
            self.assertLess(watcher.stats()["server.client_memory_bytes"], 6 << 20)
        self.assertEqual([len(reply.value) for reply in client.replies(100)], [1 << 20] * 100)

    def test_small_replies_not_read(self):
        client, watcher = self.client(), self.client()
        client.ask(put(b"k", bytes(1000)))
        client.socket.settimeout(1)
        sent = 0
        try:
            for _ in range(400):
                sent += client.socket.send(b"".join(get(b"k", i) for i in range(1000)))
        except TimeoutError:
            pass
        self.assertLess(sent, 400 * 17000)  # the server stopped reading
        self.assertLess(watcher.stats()["server.client_memory_bytes"], 6 << 20)

    def test_writes_whose_replies_are_not_read(self):
        client = self.client()
        for _ in range(20):
            client.send(b"".join(put(b"k%d" % i, bytes(100), i) for i in range(1000)))
        self.assertEqual({reply.status for reply in client.replies(20000)}, {OK})


class OutputLimitTest(AbuseTest):
    options = ("--set", "server.output_limit=2MiB")

    def test_client_that_takes_nothing_is_closed_beyond_the_limit(self):
        client, watcher = self.client(), self.client()
        client.ask(put(b"large", bytes(24 << 20)))
        client.send(get(b"large") + get(b"large"))
        end = time.monotonic() + DEADLINE_S
        while watcher.stats()["server.closed_for_memory"] == 0:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.assertLess(watcher.stats()["server.client_memory_bytes"], 1 << 20)

    def test_client_that_takes_them_slowly_is_not(self):
        client = self.client()
        client.ask(put(b"large", bytes(24 << 20)))
        client.send(get(b"large") + get(b"large"))
        time.sleep(4)
        client.wait_for(1 << 20)
        time.sleep(2)
        self.assertEqual([len(reply.value) for reply in client.replies(2)], [24 << 20] * 2)


class MemoryTest(AbuseTest):
    options = ("--set", "memory_limit=64MiB", "--set", "server.loops=3")  # clients: 16 MiB, values of 4 MiB

    def test_biggest_consumers_close_first(self):
        small = self.client()
        hogs = [self.client() for _ in range(8)]
        for hog in hogs:
            hog.try_send(put(b"k", bytes(3900000))[:-1])
        end = time.monotonic() + DEADLINE_S
        while small.stats()["server.closed_for_memory"] == 0 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.5)
        stats = small.stats()
        self.assertGreaterEqual(stats["server.closed_for_memory"], 1)
        self.assertLessEqual(stats["server.client_memory_bytes"], 16 << 20)
        alive = 0
        for hog in hogs:
            hog.try_send(b"\0")
            try:
                alive += hog.reply().status == OK
            except (EOFError, ConnectionError):
                pass
        self.assertGreaterEqual(alive, 2)
        self.assertEqual(small.ask(get(b"k")).status, OK)


class ConnectionsTest(AbuseTest):
    options = ("--set", "server.connections_max=3", "--set", "server.idle_timeout=3s")

    def test_one_too_many_is_told_so(self):
        clients = [self.client() for _ in range(3)]
        refused = self.client(greet=False)
        reply = refused.reply()
        self.assertEqual((reply.status, reply.id, "connections_max" in reply.text), (BUSY, 0, True))
        self.assertTrue(refused.is_closed())
        clients[0].close()
        self.client_when_there_is_room()

    def test_idle_connection_closes_and_a_busy_one_does_not(self):
        idle, busy = self.client(), self.client()
        for _ in range(35):
            time.sleep(0.1)
            self.assertEqual(busy.ask(frame(PING)).status, OK)
        self.assertTrue(idle.is_closed())


class StrangersTest(AbuseTest):
    def test_those_that_say_no_hello_are_few_and_others_wait_only_for_them(self):
        friend = self.client()
        strangers = [self.client(greet=False) for _ in range(300)]
        end = time.monotonic() + 4
        most = 0
        while time.monotonic() < end:
            stats = friend.stats()
            most = max(most, stats["server.connections_before_hello"])
            self.assertLessEqual(stats["server.connections_before_hello"], 256)
            self.assertLessEqual(stats["server.connections"], 257)
            time.sleep(0.05)
        self.assertEqual(most, 256)
        self.assertEqual(self.client().hello.status, OK)  # when the first of them have had their 5 s
        self.assertIn("wait until others have said HELLO", self.server.output())
        for stranger in strangers:
            stranger.close()
        while friend.stats()["server.connections_before_hello"] > 0:
            self.assertLess(time.monotonic(), end + DEADLINE_S)
            time.sleep(0.05)
        self.assertEqual(friend.stats()["server.connections"], 2)

    def test_a_crowd_that_says_hello_comes_in_whole(self):
        clients = [self.client(greet=False) for _ in range(1000)]
        for client in clients:
            client.send(hello())
        self.assertEqual({client.reply().status for client in clients}, {OK})
        stats = clients[-1].stats()
        self.assertEqual((stats["server.connections"], stats["server.connections_refused"],
                          stats["server.connections_before_hello"]), (1000, 0, 0))


class DescriptorsTest(AbuseTest):
    def test_out_of_descriptors_refuses_without_spinning_and_recovers(self):
        pid = self.server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir("/proc/%d/fd" % pid))
        first = self.client()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 5, before[1]))
        refused = []
        for _ in range(10):
            client = self.client(greet=False)
            try:
                refused.append(client.ask(hello()).status)
            except (EOFError, ConnectionError):
                refused.append(None)
        self.assertIn(BUSY, refused)
        cpu = self.server.cpu_seconds()
        time.sleep(0.5)
        self.assertLess(self.server.cpu_seconds() - cpu, 0.2)
        self.assertEqual(first.ask(frame(PING)).status, OK)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        self.assertEqual(self.client().hello.status, OK)


if __name__ == "__main__":
    unittest.main()
