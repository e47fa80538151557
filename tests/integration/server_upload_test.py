#!/usr/bin/env python3
# server_upload_test.py: values too long for a frame: sent in pieces, read in pieces, and all that can go wrong.
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

MIB = 1 << 20


class UploadVerbs(SharedServerTest):
    def begin(self, key=None, client=None):
        reply = (client or self.client).ask(frame(UPLOAD_BEGIN, key or self.key))
        self.assertEqual(reply.status, OK, reply.body)
        return reply.version  # the first number of the body

    def data(self, id, offset, piece, client=None):
        return (client or self.client).ask(frame(UPLOAD_DATA, number(id) + number(offset) + piece))

    def commit(self, id, flags=0, fields=b"", user_flags=0):
        return self.client.ask(frame(UPLOAD_COMMIT, fields + number(id) + struct.pack("<I", user_flags), flags=flags))

    def send_all(self, id, value, step=MIB):
        """Pipelined, with the sum that each answer tells."""
        self.client.send(b"".join(frame(UPLOAD_DATA, number(id) + number(at) + value[at:at + step])
                                  for at in range(0, len(value), step)))
        for at in range(0, len(value), step):
            reply = self.client.reply()
            self.assertEqual((reply.status, reply.version), (OK, min(at + step, len(value))), reply.body)

    def put_large(self, value, **more):
        id = self.begin()
        self.send_all(id, value)
        reply = self.commit(id, **more)
        self.assertEqual(reply.status, OK, reply.body)
        return reply.version

    def part(self, offset, length):
        reply = self.client.ask(frame(GET_RANGE, struct.pack("<QI", offset, length) + self.key))
        self.assertEqual(reply.status, OK, reply.body)
        return reply

    def meta(self):
        return Reader(self.client.ask(frame(META, self.key)).body).record()


class UploadTest(UploadVerbs):
    def test_value_above_every_frame_comes_back_in_parts(self):
        value = os.urandom(MIB) * 30 + b"end"
        version = self.put_large(value, user_flags=7)
        self.assertEqual(self.meta(), (version, 0, len(value), 7))
        reply = self.client.ask(get(self.key))
        self.assertEqual((reply.status, "GET_RANGE" in reply.text), (TOO_LARGE, True))
        back = b"".join(self.part(at, 8 * MIB).value for at in range(0, len(value), 8 * MIB))
        self.assertTrue(back == value)
        self.assertEqual(self.part(len(value) - 3, 100).value, b"end")
        self.assertEqual(self.part(len(value), 100).value, b"")
        self.assertEqual(self.part(2**64 - 1, 2**32 - 1).value, b"")
        self.assertEqual(len(self.part(0, 2**32 - 1).value), 24 * MIB)
        self.assertEqual(self.part(0, 0).value, b"")

    def test_scan_and_mget_pass_over_a_value_that_is_too_long(self):
        prefix = self.key
        for name in (b"1", b"3"):
            self.client.ask(put(prefix + name, b"v" + name))
        self.key = prefix + b"2"
        self.put_large(bytes(25 * MIB))
        found, bare, cursor, at_end = [], [], b"", False
        while not at_end:
            body = self.client.ask(frame(SCAN, span(prefix, flags=PREFIX, cursor=cursor))).body
            reader = Reader(body)
            flags, count = reader.number("B"), reader.number("I")
            at_end = flags & 1 == 1
            for i in range(count):
                key, length = reader.block(), reader.record()[2]
                if flags & 2 and i == count - 1:
                    bare.append((key, length))
                else:
                    found.append((key, reader.take(length)))
            cursor = reader.block()
        self.assertEqual(found, [(prefix + b"1", b"v1"), (prefix + b"3", b"v3")])
        self.assertEqual(bare, [(prefix + b"2", 25 * MIB)])
        body = self.client.ask(frame(SCAN, span(prefix, flags=PREFIX | KEYS_ONLY))).body
        self.assertEqual(len(read_page(body, keys_only=True)[1]), 3)
        reader = Reader(self.client.ask(frame(MGET, varint(2) + block(self.key) + block(prefix + b"1"))).body)
        self.assertEqual((reader.number("I"), reader.number("H")), (2, TOO_LARGE))
        self.assertIn(b"GET_RANGE", reader.block())
        self.assertEqual(reader.number("H"), OK)

    def test_short_and_empty_uploads_are_values_like_any_other(self):
        for value in (b"", b"x", os.urandom(70000)):
            self.put_large(value)
            self.assertTrue(self.client.ask(get(self.key)).value == value)

    def test_piece_is_never_added_twice(self):
        id = self.begin()
        self.assertEqual(self.data(id, 0, b"one").version, 3)
        for offset in (0, 2, 4, 2**64 - 1):
            reply = self.data(id, offset, b"one")
            self.assertEqual((reply.status, reply.detail), (INVALID, 3))
        self.assertEqual(self.data(id, 3, b"two").version, 6)
        self.assertEqual(self.commit(id).status, OK)
        self.assertEqual(self.client.ask(get(self.key)).value, b"onetwo")

    def test_nothing_is_visible_before_the_commit_nor_after_an_abort(self):
        id = self.begin()
        self.data(id, 0, b"half")
        self.assertEqual(self.client.ask(get(self.key)).status, NOT_FOUND)
        self.assertEqual(self.client.ask(frame(UPLOAD_ABORT, number(id))).status, OK)
        for reply in (self.data(id, 4, b"x"), self.commit(id), self.client.ask(frame(UPLOAD_ABORT, number(id)))):
            self.assertEqual((reply.status, reply.text), (NOT_FOUND, "this connection has no such upload"))
        self.assertEqual(self.client.ask(get(self.key)).status, NOT_FOUND)

    def test_commit_takes_the_flags_of_put(self):
        self.client.ask(put(self.key, b"there"))
        id = self.begin()
        self.data(id, 0, b"v")
        reply = self.commit(id, FLAG_CONDITION, b"\1")
        self.assertEqual(reply.status, STATUS_EXISTS)
        self.assertEqual(self.commit(id).status, NOT_FOUND)  # it has ended
        self.put_large(b"long lived", flags=FLAG_TTL, fields=number(3600000))
        self.assertGreater(self.meta()[1], 0)
        expires(self, self.client, self.key,
                lambda: self.put_large(b"short lived", flags=FLAG_TTL, fields=number(100)), 0.1)

    def test_checksum_of_the_whole_is_compared(self):
        value = os.urandom(3 * MIB)
        self.put_large(value)
        reply = self.client.ask(frame(META, self.key, flags=FLAG_WANT_CHECKSUM))
        checksum = reply.body[28:36]
        self.put_large(value, flags=FLAG_CHECKSUM, fields=checksum)
        id = self.begin()
        self.send_all(id, value)
        self.assertEqual(self.commit(id, FLAG_CHECKSUM, bytes(8)).status, CHECKSUM)

    def test_value_is_replaced_while_its_old_parts_are_read_at_a_snapshot(self):
        old = os.urandom(MIB) * 26
        self.put_large(old)
        id = struct.unpack_from("<Q", self.client.ask(frame(SNAPSHOT_OPEN, number(0))).body)[0]
        self.put_large(b"new")
        body = struct.pack("<QI", 25 * MIB, MIB) + self.key
        reply = self.client.ask(frame(GET_RANGE, number(id) + body, flags=FLAG_SNAPSHOT))
        self.assertTrue(reply.value == old[:MIB])

    def test_requests_around_an_upload_keep_their_order(self):
        id = self.begin()
        self.client.send(put(self.key, b"before") + frame(UPLOAD_DATA, number(id) + number(0) + b"upload")
                         + get(self.key) + frame(UPLOAD_COMMIT, number(id) + bytes(4)) + get(self.key)
                         + put(self.key, b"after") + get(self.key))
        replies = self.client.replies(7)
        self.assertEqual([reply.value for reply in replies[2:7:2]], [b"before", b"upload", b"after"])


class UploadAbuseTest(UploadVerbs):
    options = ("--set", "memory_limit=64MiB")

    def test_seventeenth_upload_is_refused_and_room_comes_back(self):
        ids = [self.begin(self.key + b"%d" % i) for i in range(16)]
        self.assertEqual(len(set(ids)), 16)
        reply = self.client.ask(frame(UPLOAD_BEGIN, self.key))
        self.assertEqual((reply.status, "16 uploads" in reply.text), (BUSY, True))
        self.client.ask(frame(UPLOAD_ABORT, number(ids[3])))
        self.begin()

    def test_upload_of_another_connection_is_none_of_ours(self):
        id = self.begin()
        other = self.server.client()
        self.assertEqual(self.data(id, 0, b"x", client=other).status, NOT_FOUND)
        self.assertNotEqual(self.begin(client=other), id)
        other.close()
        self.assertEqual(self.data(id, 0, b"x").status, OK)

    def test_connections_killed_in_the_middle_of_uploads_leave_nothing(self):
        piece = os.urandom(MIB)
        for i in range(20):
            client = self.server.client()
            id = self.begin(client=client)
            client.send(b"".join(frame(UPLOAD_DATA, number(id) + number(at * MIB) + piece) for at in range(i % 4)))
            client.try_send(frame(UPLOAD_COMMIT, number(id) + bytes(4))[:i % 5 * 6])
            client.close()
        self.wait_for_rest()
        self.assertEqual(self.client.ask(get(self.key)).status, NOT_FOUND)

    def wait_for_rest(self):
        end = time.monotonic() + DEADLINE_S
        while self.client.stats()["server.connections"] > 1 and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.client.stats()["server.connections"], 1)

    def test_many_half_uploads_cost_little_memory(self):
        clients = [self.server.client() for _ in range(10)]
        for client in clients:
            for i in range(16):
                id = self.begin(self.key + b"%d" % i, client=client)
                self.assertIn(self.data(id, 0, bytes(100000), client=client).status, (OK, BUSY, NO_SPACE, NO_MEMORY))
        stats = self.client.stats()
        self.assertLess(stats["server.client_memory_bytes"], stats["server.client_memory_limit_bytes"])
        for client in clients:
            client.close()
        self.wait_for_rest()

    def test_garbage_for_every_upload_opcode_is_answered(self):
        for opcode in (UPLOAD_BEGIN, UPLOAD_DATA, UPLOAD_COMMIT, UPLOAD_ABORT):
            for length in range(0, 40, 3):
                reply = self.client.ask(frame(opcode, bytes(length)))
                self.assertIn(reply.status, (OK, INVALID, PROTOCOL, NOT_FOUND, BUSY))
        self.assertEqual(self.client.ask(frame(PING)).status, OK)

    def test_data_without_end_is_ended_by_the_limit_or_the_disk(self):
        id = self.begin()
        for i in range(40):
            reply = self.data(id, i * 2 * MIB, bytes(2 * MIB))
            self.assertEqual(reply.status, OK, reply.body)
        self.assertEqual(self.commit(id).status, OK)
        self.assertEqual(self.meta()[2], 80 * MIB)

    def test_snapshots_of_a_connection_are_limited(self):
        statuses = [self.client.ask(frame(SNAPSHOT_OPEN, number(0))).status for _ in range(65)]
        self.assertEqual((set(statuses[:64]), statuses[64]), ({OK}, BUSY))
        self.client.send(frame(SNAPSHOT_OPEN, number(2000)) * 5000)
        self.assertLessEqual({reply.status for reply in self.client.replies(5000)}, {OK, BUSY})
        self.assertEqual(self.client.ask(frame(PING)).status, OK)
        time.sleep(2.2)
        self.assertEqual(self.client.ask(frame(SNAPSHOT_OPEN, number(100))).status, OK)
        self.assertEqual(self.client.ask(frame(SNAPSHOT_OPEN, number(2**64 - 1))).status, INVALID)

    def test_long_requests_share_few_slots(self):
        for i in range(200):
            self.client.ask(put(self.key + b"%d" % i, bytes(1000)))
        diff = frame(DIFF, state(NEWEST) + state(NEWEST) + span())
        clients = [self.server.client() for _ in range(20)]
        for client in clients:
            client.send(diff * 20)
        statuses = [reply.status for client in clients for reply in client.replies(20)]
        self.assertIn(OK, statuses)
        self.assertLessEqual(set(statuses), {OK, BUSY})
        self.assertEqual(self.client.ask(diff).status, OK)


if __name__ == "__main__":
    unittest.main()
