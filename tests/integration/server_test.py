#!/usr/bin/env python3
# server_test.py: what a client may ask, and what kvd answers, byte by byte over real sockets.
import os
import random
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403


class CommandsTest(SharedServerTest):
    def test_hello_tells_limits_and_agreed_features(self):
        reader = Reader(self.client.hello.body)
        self.assertEqual(reader.number("H"), 1)
        features = reader.number("Q")
        self.assertTrue(features & FLAG_NAMESPACE)
        limits = dict((reader.number("H"), reader.number("Q")) for _ in range(reader.number("H")))
        self.assertEqual(limits[3], 24 << 20)
        self.assertGreater(limits[1], limits[3])
        self.assertTrue(reader.body[reader.at:].startswith(b"kvd"))

    def test_second_hello_is_invalid(self):
        self.assertEqual(self.client.ask(hello()).status, INVALID)

    def test_hello_of_a_later_version_is_unsupported(self):
        client = self.server.client(greet=False)
        self.assertEqual(client.ask(hello(versions=(2, 9))).status, UNSUPPORTED)
        client.close()

    def test_ping_echoes(self):
        self.assertEqual(self.client.ask(frame(PING, b"\0\xffx")).body, b"\0\xffx")

    def test_value_of_each_size_comes_back(self):
        for size in (0, 1, 1023, 1024, 65536, 1 << 20, 24 << 20):
            value = random.Random(size).randbytes(size)
            self.assertEqual(self.client.ask(put(self.key, value)).status, OK, size)
            reply = self.client.ask(get(self.key))
            self.assertEqual((reply.status, reply.value == value), (OK, True), size)

    def test_value_above_the_limit_is_refused_and_the_connection_lives(self):
        reply = self.client.ask(put(self.key, bytes((24 << 20) + 1)))
        self.assertEqual((reply.status, reply.detail), (TOO_LARGE, 24 << 20))
        self.assertEqual(self.client.ask(get(self.key)).status, NOT_FOUND)

    def test_delete_removes(self):
        self.client.ask(put(self.key, b"1"))
        self.assertEqual(self.client.ask(frame(DELETE, self.key)).status, OK)
        self.assertEqual(self.client.ask(get(self.key)).status, NOT_FOUND)

    def test_exists_and_meta_tell_the_version(self):
        version = self.client.ask(put(self.key, b"12345")).version
        self.assertEqual(self.client.ask(frame(EXISTS, self.key)).version, version)
        self.assertEqual(Reader(self.client.ask(frame(META, self.key)).body).record(),
                         (version, 0, 5, 0))
        self.assertEqual(self.client.ask(frame(EXISTS, self.key + b"?")).status, NOT_FOUND)

    def conditional_put(self, condition):
        return self.client.ask(frame(PUT, condition + bytes(4) + block(self.key) + b"v",
                                     flags=FLAG_CONDITION))

    def test_conditions_tell_what_is_there(self):
        self.assertEqual(self.conditional_put(b"\2").status, ABSENT)
        version = self.conditional_put(b"\1").version
        reply = self.conditional_put(b"\1")
        self.assertEqual((reply.status, reply.detail), (STATUS_EXISTS, version))
        reply = self.conditional_put(b"\3" + struct.pack("<Q", version + 1))
        self.assertEqual((reply.status, reply.detail), (VERSION_MISMATCH, version))
        self.assertEqual(self.conditional_put(b"\3" + struct.pack("<Q", version)).status, OK)

    def test_batch_is_all_or_nothing_and_names_the_item(self):
        first = b"\1\0" + block(self.key + b"1") + block(b"a")
        unmet = b"\1\4\2" + block(self.key + b"2") + block(b"b")  # must be present
        reply = self.client.ask(frame(BATCH, b"\2" + first + unmet))
        self.assertEqual((reply.status, reply.item), (ABSENT, 1))
        self.assertEqual(self.client.ask(get(self.key + b"1")).status, NOT_FOUND)
        self.assertEqual(self.client.ask(frame(BATCH, b"\1" + first)).status, OK)
        self.assertEqual(self.client.ask(get(self.key + b"1")).value, b"a")

    def test_mget_answers_in_order_with_gaps(self):
        self.client.ask(put(self.key, b"here"))
        keys = b"".join(block(key) for key in (self.key + b"?", self.key, self.key + b"?"))
        reader = Reader(self.client.ask(frame(MGET, b"\3" + keys)).body)
        self.assertEqual([reader.number("I"), reader.number("H"), reader.number("H")],
                         [3, NOT_FOUND, OK])
        self.assertEqual(reader.take(reader.record()[2]), b"here")
        self.assertEqual(reader.number("H"), NOT_FOUND)

    def test_mget_of_more_than_fits_answers_the_first(self):
        self.client.ask(put(self.key, bytes(400000)))
        reader = Reader(self.client.ask(frame(MGET, b"\5" + 5 * block(self.key))).body)
        self.assertIn(reader.number("I"), range(1, 5))

    def test_namespaces_are_apart(self):
        inside = block(b"other")
        self.client.ask(frame(PUT, inside + bytes(4) + block(self.key) + b"v", flags=FLAG_NAMESPACE))
        self.assertEqual(self.client.ask(get(self.key)).status, NOT_FOUND)
        self.assertEqual(self.client.ask(frame(GET, inside + self.key, flags=FLAG_NAMESPACE)).value, b"v")

    def test_reads_of_an_unknown_namespace_find_nothing(self):
        nowhere = block(b"nowhere")
        self.assertEqual(self.client.ask(frame(GET, nowhere + b"k", flags=FLAG_NAMESPACE)).status,
                         NOT_FOUND)
        for opcode in (SCAN, COUNT):
            reply = self.client.ask(frame(opcode, nowhere + span(), flags=FLAG_NAMESPACE))
            reader = Reader(reply.body)
            page = [reader.number("B"), reader.number("I" if opcode == SCAN else "Q")]
            self.assertEqual((reply.status, page), (OK, [1, 0]))  # the end, and nothing before it
        reader = Reader(self.client.ask(frame(MGET, nowhere + b"\1" + block(b"k"),
                                              flags=FLAG_NAMESPACE)).body)
        self.assertEqual([reader.number("I"), reader.number("H")], [1, NOT_FOUND])

    def test_checksum_returned_is_accepted_and_a_wrong_one_is_not(self):
        for value in (b"small", bytes(5000)):
            self.client.ask(put(self.key, value))
            reply = self.client.ask(frame(GET, self.key, flags=FLAG_WANT_CHECKSUM))
            sum = reply.body[28:36]
            self.assertEqual((reply.flags, reply.value), (FLAG_CHECKSUM, value))
            meta = self.client.ask(frame(META, self.key, flags=FLAG_WANT_CHECKSUM))
            self.assertEqual(meta.body[28:], sum)
            body = bytes(4) + block(self.key) + value
            self.assertEqual(self.client.ask(frame(PUT, sum + body, flags=FLAG_CHECKSUM)).status, OK)
            wrong = bytes(b ^ 1 for b in sum)
            self.assertEqual(self.client.ask(frame(PUT, wrong + body, flags=FLAG_CHECKSUM)).status, CHECKSUM)

    def test_value_expires(self):
        ttl = struct.pack("<Q", 150)
        request = frame(PUT, ttl + bytes(4) + block(self.key) + b"v", flags=FLAG_TTL)
        expires(self, self.client, self.key, lambda: self.assertEqual(self.client.ask(request).status, OK), 0.15)

    def test_stats_has_server_and_storage_lines_chosen_by_prefix(self):
        stats = self.client.stats()
        self.assertGreaterEqual(stats["server.connections"], 1)
        self.assertIn("storage.commits", stats)
        self.assertEqual(self.client.ask(frame(STATS, b"nonsense")).status, NOT_FOUND)
        only = Reader(self.client.ask(frame(STATS, b"server.requests_p")).body)
        self.assertEqual((only.number("I"), only.block()), (3, b"server.requests_ping"))


class ScanTest(SharedServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = [b"scan/%04d" % i for i in range(1000)]
        client = cls.server.client()
        client.send(b"".join(put(key, b"value of " + key) for key in cls.keys + [b"scao", b"sca"]))
        client.replies(len(cls.keys) + 2)
        client.close()

    def walk(self, **range):
        """All pages: ([key, value], number of pages)."""
        entries, cursor, pages = [], b"", 0
        while True:
            keys_only = range.get("flags", 0) & 2 != 0
            reply = self.client.ask(frame(SCAN, span(cursor=cursor, **range)))
            self.assertEqual(reply.status, OK)
            at_end, page, cursor = read_page(reply.body, keys_only)
            entries += page
            pages += 1
            if at_end:
                return entries, pages

    def test_pages_follow_each_other_without_gap_or_double(self):
        for limit in (1, 7, 64, 65, 999, 1000, 1001, 0):
            entries, pages = self.walk(start=b"scan/", flags=4, limit=limit)
            self.assertEqual([key for key, _ in entries], self.keys, limit)
            self.assertGreaterEqual(pages, 1000 // limit if limit else 1)

    def test_values_come_with_their_keys(self):
        for key, value in self.walk(start=b"scan/", flags=4)[0]:
            self.assertEqual(value, b"value of " + key)

    def test_reverse_is_the_same_backwards(self):
        for limit in (7, 0):
            entries, _ = self.walk(start=b"scan/0100", end=b"scan/0900", flags=1, limit=limit)
            self.assertEqual([key for key, _ in entries], self.keys[100:900][::-1])

    def test_the_longest_keys_end_pages_too(self):
        longest = [bytes([byte]) * 65535 for byte in b"tu\xff"]
        for key in longest:
            self.assertEqual(self.client.ask(put(key, b"value")).status, OK)
        for flags in (0, 1):
            entries, pages = self.walk(start=b"t", flags=flags, limit=1)
            self.assertEqual(sorted(key for key, _ in entries), longest)
        for key in longest:
            self.assertEqual(self.client.ask(frame(DELETE, key)).status, OK)

    def test_keys_only_has_no_values(self):
        entries, _ = self.walk(start=b"scan/", flags=4 | 2, limit=100)
        self.assertEqual(entries, [(key, None) for key in self.keys])

    def test_small_pages_have_at_least_one_entry(self):
        entries, pages = self.walk(start=b"scan/000", flags=4, page_bytes=1)
        self.assertEqual((len(entries), pages >= 10), (10, True))

    def test_range_without_keys_is_an_end(self):
        self.assertEqual(self.walk(start=b"x", end=b"y"), ([], 1))
        self.assertEqual(self.walk(start=b"y", end=b"x"), ([], 1))

    def test_cursor_of_somebody_else_is_refused(self):
        reply = self.client.ask(frame(SCAN, span(cursor=b"\xffhello")))
        self.assertEqual((reply.status, "cursor" in reply.text), (INVALID, True))

    def test_count_counts_in_pages(self):
        reader = Reader(self.client.ask(frame(COUNT, span(start=b"scan/", flags=4))).body)
        self.assertEqual((reader.number("B"), reader.number("Q")), (1, 1000))
        reader = Reader(self.client.ask(frame(COUNT, span(start=b"scan/", flags=4, limit=300))).body)
        self.assertEqual((reader.number("B"), reader.number("Q")), (0, 300))
        cursor = reader.block()
        reader = Reader(self.client.ask(frame(COUNT, span(start=b"scan/", flags=4, cursor=cursor))).body)
        self.assertEqual((reader.number("B"), reader.number("Q")), (1, 700))


class OrderTest(SharedServerTest):
    def test_replies_of_a_long_pipeline_keep_order_and_ids(self):
        kinds = [lambda id: get(self.key, id), lambda id: put(self.key, b"%d" % id, id, MEMORY),
                 lambda id: frame(PING, b"", id), lambda id: frame(COUNT, span(), id),
                 lambda id: put(self.key, b"%d" % id, id, SYNCED),
                 lambda id: frame(EXISTS, self.key, id), lambda id: frame(0x77, b"", id)]
        choose = random.Random(7)
        self.client.send(b"".join(choose.choice(kinds)(id) for id in range(5000)))
        self.assertEqual([reply.id for reply in self.client.replies(5000)], list(range(5000)))

    def test_get_behind_puts_sees_the_last(self):
        for durability in (MEMORY, LOGGED, SYNCED):
            self.client.send(b"".join(put(self.key, b"%d" % i, i, durability) + get(self.key, i)
                                      for i in range(200)))
            for i in range(200):
                self.assertEqual(self.client.reply().status, OK)
                self.assertEqual(self.client.reply().value, b"%d" % i)

    def test_puts_of_mixed_durability_take_effect_in_order(self):
        choose = random.Random(3)
        for _ in range(20):
            self.client.send(b"".join(put(self.key, b"%d" % i, i, choose.choice((MEMORY, LOGGED, SYNCED)))
                                      for i in range(100)) + get(self.key))
            versions = [reply.version for reply in self.client.replies(100)]
            self.assertEqual(versions, sorted(versions))
            self.assertEqual(self.client.reply().value, b"99")

    def test_acknowledged_write_is_seen_by_others(self):
        other = self.server.client()
        for i in range(300):
            self.client.ask(put(self.key, b"%d" % i))
            self.assertEqual(other.ask(get(self.key)).value, b"%d" % i)
        other.close()

    def test_value_seen_before_it_is_durable_is_held_back(self):
        writer, reader = self.server.client(), self.client
        end = time.monotonic() + DEADLINE_S
        i = 0
        while reader.stats()["server.replies_held"] == 0:
            self.assertLess(time.monotonic(), end)
            writer.send(put(self.key, b"%d" % i, i, SYNCED))
            reader.send(b"".join(get(self.key, id) for id in range(50)))
            seen = [int(reply.value or -1) for reply in reader.replies(50)]
            self.assertEqual(seen, sorted(seen))
            self.assertEqual(writer.reply().status, OK)
            i += 1
        writer.close()

    def test_client_that_ends_its_stream_gets_all_answers(self):
        self.client.send(b"".join(put(self.key, b"v", i, SYNCED) + get(self.key, i) for i in range(100)))
        self.client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(len(self.client.replies(200)), 200)
        self.assertTrue(self.client.is_closed())

    def test_deadline_of_waiting_work_is_kept_or_refused(self):
        tight = frame(GET, struct.pack("<I", 1) + self.key, flags=FLAG_DEADLINE)
        wide = frame(GET, struct.pack("<I", 60000) + self.key, flags=FLAG_DEADLINE)
        self.client.send(put(self.key, b"v", durability=SYNCED) + tight + wide)
        self.assertEqual(self.client.reply().status, OK)
        self.assertIn(self.client.reply().status, (OK, DEADLINE))
        self.assertEqual(self.client.reply().value, b"v")

    def test_bytes_one_by_one(self):
        for byte in put(self.key, b"slowly") + get(self.key):
            self.client.send(bytes([byte]))
        self.assertEqual(self.client.replies(2)[1].value, b"slowly")

    def test_frames_cut_anywhere(self):
        data = b"".join(put(self.key, bytes(i), i) + get(self.key, i) for i in range(0, 3000, 100))
        for size in (15, 16, 17, 1000, 16384, 16385):
            for start in range(0, len(data), size):
                self.client.send(data[start:start + size])
            replies = self.client.replies(60)
            self.assertEqual([len(reply.value) for reply in replies[1::2]], list(range(0, 3000, 100)))


if __name__ == "__main__":
    unittest.main()
