#!/usr/bin/env python3
# server_engine_test.py: ranges, numbers, expiry, versions, snapshots, namespaces and maintenance, byte by byte.
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403


class EngineTest(SharedServerTest):
    """Each test has a namespace of its own, which keeps an hour of old versions."""

    keep_ms = 3600000

    def setUp(self):
        super().setUp()
        self.space = self.id().rsplit(".", 1)[1][:200].encode()
        self.create(self.space, keep_ms=self.keep_ms)

    def create(self, name, quota=0, keep_ms=0, keep_versions=0):
        body = block(name) + struct.pack("<QQI", quota, keep_ms, keep_versions)
        self.ok(self.client.ask(frame(NAMESPACE_CREATE, body)))

    def ok(self, reply):
        self.assertEqual(reply.status, OK, reply.body)
        return reply

    def frame_in(self, opcode, body=b"", flags=0, fields=b"", behind=b""):
        """In the namespace of the test; `fields` are of flags below it, `behind` of those above."""
        return frame(opcode, fields + block(self.space) + behind + body, flags=flags | FLAG_NAMESPACE)

    def ask(self, *args, **more):
        return self.client.ask(self.frame_in(*args, **more))

    def put(self, key, value):
        return self.ok(self.ask(PUT, bytes(4) + block(key) + value)).version

    def delete(self, key):
        return self.ok(self.ask(DELETE, key)).version

    def get(self, key, **more):
        reply = self.ask(GET, key, **more)
        return reply.value if reply.status == OK else reply.status

    def at(self, version):
        return {"flags": FLAG_AT_VERSION, "behind": number(version)}

    def scan(self, **more):
        return read_page(self.ok(self.ask(SCAN, span(), **more)).body)[1]

    def keys(self):
        return [key for key, _ in self.scan()]

    def fill(self, keys):
        return [self.put(key, b"value of " + key) for key in keys][-1]


class RangeDeleteTest(EngineTest):
    def test_range_goes_and_its_neighbours_stay(self):
        self.fill([b"a", b"b", b"c", b"d"])
        self.ok(self.ask(DELETE_RANGE, bounds(b"b", b"d")))
        self.assertEqual(self.keys(), [b"a", b"d"])
        self.assertEqual(self.get(b"c"), NOT_FOUND)
        self.put(b"c", b"again")
        self.assertEqual(self.keys(), [b"a", b"c", b"d"])

    def test_prefix_goes(self):
        self.fill([b"user", b"user\xff", b"user\xff\xff1", b"user2", b"uses"])
        self.ok(self.ask(DELETE_RANGE, bounds(b"user\xff", flags=PREFIX)))
        self.assertEqual(self.keys(), [b"user", b"user2", b"uses"])

    def test_everything_goes_and_nothing_is_nothing(self):
        self.ok(self.ask(DELETE_RANGE, bounds()))
        self.fill([b"a", b"\xff\xff"])
        self.ok(self.ask(DELETE_RANGE, bounds(b"a", b"a")))
        self.assertEqual(len(self.keys()), 2)
        self.ok(self.ask(DELETE_RANGE, bounds()))
        self.assertEqual(self.keys(), [])

    def test_range_that_ends_before_it_begins_is_refused_with_a_reason(self):
        reply = self.ask(DELETE_RANGE, bounds(b"z", b"b"))
        self.assertEqual((reply.status, reply.text), (INVALID, "the range ends before it begins"))
        reply = self.ask(BATCH, varint(1) + b"\3\0" + block(b"z") + block(b"b"))
        self.assertEqual((reply.status, reply.item), (INVALID, 0))

    def test_flags_of_ranges_that_mean_nothing_are_invalid(self):
        for flags in (REVERSE, KEYS_ONLY, 8):
            self.assertEqual(self.ask(DELETE_RANGE, bounds(b"a", b"b", flags)).status, INVALID)

    def test_range_in_a_batch_spares_what_is_put_behind_it(self):
        self.fill([b"a1", b"a2"])
        batch = (varint(2) + b"\3\0" + block(b"a") + block(b"b") + b"\1\0" + block(b"a1") + block(b"new"))
        self.ok(self.ask(BATCH, batch))
        self.assertEqual(self.scan(), [(b"a1", b"new")])
        batch = (varint(2) + b"\1\0" + block(b"a2") + block(b"x") + b"\3\0" + block(b"a") + block(b"b"))
        self.ok(self.ask(BATCH, batch))
        self.assertEqual(self.scan(), [])

    def test_deletes_make_no_namespace(self):
        self.space = b"never was"
        for request in ((DELETE, b"k"), (DELETE_RANGE, bounds()), (BATCH, varint(1) + b"\2\0" + block(b"k")),
                        (BATCH, varint(1) + b"\3\0" + block(b"a") + block(b"b")),
                        (REWIND, state(AT_TIME, 1) + bounds())):
            self.assertGreaterEqual(self.ok(self.ask(*request)).version, 0)
        present = self.ask(DELETE, b"k", FLAG_CONDITION, b"\2")
        self.assertEqual(present.status, ABSENT)
        self.assertEqual(self.ask(TOUCH, b"k", FLAG_TTL, number(1000)).status, ABSENT)
        self.assertNotIn(b"never was", list_namespaces(self.client))


def list_namespaces(client):
    reader = Reader(client.ask(frame(NAMESPACE_LIST)).body)
    found = {}
    for _ in range(reader.number("I")):
        name = reader.block()
        found[name] = struct.unpack("<IQQIQQQ", reader.take(48))
    return found


class NumberTest(EngineTest):
    def add(self, key, amount):
        return self.ask(ADD, struct.pack("<q", amount) + key)

    def test_additions_start_at_nothing_and_may_be_negative(self):
        first = self.ok(self.add(b"n", 5))
        self.assertEqual((first.number, self.get(b"n")), (5, b"5"))
        second = self.ok(self.add(b"n", -12))
        self.assertEqual((second.number, self.get(b"n")), (-7, b"-7"))
        self.assertGreater(second.version, first.version)

    def test_addition_at_the_ends_of_the_numbers(self):
        self.put(b"n", str(2**63 - 2).encode())
        self.assertEqual(self.ok(self.add(b"n", 1)).number, 2**63 - 1)
        self.assertEqual(self.add(b"n", 1).status, OVERFLOW)
        self.assertEqual(self.get(b"n"), str(2**63 - 1).encode())
        self.assertEqual(self.ok(self.add(b"m", -2**63)).number, -2**63)
        self.assertEqual(self.add(b"m", -1).status, OVERFLOW)

    def test_what_is_no_number_is_left_alone(self):
        for value in (b"x", b"", b"1 ", b"0x1", b"9223372036854775808"):
            self.put(b"n", value)
            reply = self.add(b"n", 1)
            self.assertEqual((reply.status, self.get(b"n")), (INVALID, value))
            self.assertIn("number", reply.text)

    def test_appends_grow_a_value(self):
        self.assertEqual(self.ok(self.ask(APPEND, block(b"v") + b"one")).number, 3)
        self.assertEqual(self.ok(self.ask(APPEND, block(b"v") + b"two")).number, 6)
        self.assertEqual(self.ok(self.ask(APPEND, block(b"v"))).number, 6)
        self.assertEqual(self.get(b"v"), b"onetwo")
        big = bytes(3000)
        self.assertEqual(self.ok(self.ask(APPEND, block(b"v") + big)).number, 3006)
        self.assertEqual(self.get(b"v"), b"onetwo" + big)

    def test_conditions_hold_for_additions_and_appends(self):
        absent = self.add_if(b"n", b"\1")
        self.assertEqual(absent.status, OK)
        again = self.add_if(b"n", b"\1")
        self.assertEqual((again.status, again.detail), (STATUS_EXISTS, absent.version))
        other = self.ask(APPEND, block(b"n") + b"x", FLAG_CONDITION, b"\3" + number(absent.version + 1))
        self.assertEqual((other.status, other.detail), (VERSION_MISMATCH, absent.version))

    def add_if(self, key, condition):
        return self.ask(ADD, struct.pack("<q", 1) + key, FLAG_CONDITION, condition)

    def test_pipelined_additions_all_count(self):
        self.client.send(b"".join(self.frame_in(ADD, struct.pack("<q", 1) + b"n") for _ in range(500)))
        self.assertEqual([reply.number for reply in self.client.replies(500)], list(range(1, 501)))

    def test_batch_tells_the_results_of_its_items(self):
        add = b"\4\0" + block(b"n") + struct.pack("<q", 3)
        append = b"\5\0" + block(b"v") + block(b"abc")
        put = b"\1\0" + block(b"k") + block(b"x")
        reader = Reader(self.ok(self.ask(BATCH, varint(5) + add + put + append + add + append)).body)
        reader.number("Q")
        self.assertEqual([reader.number("q") for _ in range(reader.number("I"))], [3, 3, 6, 6])
        self.assertEqual((self.get(b"n"), self.get(b"v")), (b"6", b"abcabc"))
        self.assertEqual(len(self.ok(self.ask(BATCH, varint(1) + put)).body), 8)

    def test_batch_with_a_bad_addition_does_nothing_and_names_it(self):
        self.put(b"v", b"text")
        batch = varint(2) + b"\1\0" + block(b"k") + block(b"x") + b"\4\0" + block(b"v") + struct.pack("<q", 3)
        reply = self.ask(BATCH, batch)
        self.assertEqual((reply.status, reply.item), (INVALID, 1))
        self.assertEqual(self.get(b"k"), NOT_FOUND)


class ExpiryTest(EngineTest):
    def expires_at(self, key):
        return Reader(self.ok(self.ask(META, key)).body).record()[1]

    def test_touch_and_persist_change_the_expiry_alone(self):
        for value in (b"small", bytes(5000)):
            self.put(b"k", value)
            before = time.time() * 1000
            self.ok(self.ask(TOUCH, b"k", FLAG_TTL, number(60000)))
            self.assertAlmostEqual(self.expires_at(b"k"), before + 60000, delta=5000)
            self.ok(self.ask(TOUCH, b"k", FLAG_EXPIRE_AT, number(int(before) + 90000)))
            self.assertAlmostEqual(self.expires_at(b"k"), before + 90000, delta=50)
            self.assertEqual(self.get(b"k"), value)
            self.ok(self.ask(PERSIST, b"k"))
            self.assertEqual((self.expires_at(b"k"), self.get(b"k")), (0, value))

    def test_touch_of_nothing_and_without_a_time(self):
        self.assertEqual(self.ask(TOUCH, b"k", FLAG_TTL, number(1000)).status, ABSENT)
        self.assertEqual(self.ask(PERSIST, b"k").status, ABSENT)
        self.assertEqual(self.ask(TOUCH, b"k").status, INVALID)

    def test_touched_key_expires(self):
        self.put(b"k", b"v")
        self.ok(self.ask(TOUCH, b"k", FLAG_TTL, number(100)))
        time.sleep(0.2)
        self.assertEqual(self.get(b"k"), NOT_FOUND)
        self.assertEqual(self.ask(PERSIST, b"k").status, ABSENT)

    def test_time_to_live_beyond_all_time_is_refused_with_a_reason(self):
        reply = self.ask(PUT, bytes(4) + block(b"k") + b"v", FLAG_TTL, number(2**64 - 1))
        self.assertEqual(reply.status, INVALID)
        self.assertIn("expiry", reply.text)

    def test_batch_touches_and_persists(self):
        self.put(b"a", b"1")
        self.put(b"b", b"2")
        self.ok(self.ask(BATCH, varint(2) + b"\6\1" + number(60000) + block(b"a") + b"\7\0" + block(b"b")))
        self.assertGreater(self.expires_at(b"a"), 0)
        self.assertEqual(self.expires_at(b"b"), 0)


class VersionsTest(EngineTest):
    def history(self, key, before=0, limit=0, **more):
        """(at end, [(version, deleted, length)])"""
        reader = Reader(self.ok(self.ask(HISTORY, number(before) + varint(limit) + key, **more)).body)
        at_end, count, found = reader.number("B") == 1, reader.number("I"), []
        for _ in range(count):
            version, when, flags = struct.unpack("<QQB", reader.take(17))
            length = None if flags else reader.record()[2]
            self.assertLess(abs(when - time.time() * 1000), 60000)
            found.append((version, flags == 1, length))
        return at_end, found

    def diff(self, old, new, limit=0, cursor=b"", flags=0, start=b""):
        """(at end, [(kind, key)], cursor)"""
        reader = Reader(self.ok(self.ask(DIFF, old + new + span(start, limit=limit, cursor=cursor, flags=flags))).body)
        at_end, count, found = reader.number("B") == 1, reader.number("I"), []
        for _ in range(count):
            kind, key = reader.number("B"), reader.block()
            for _ in range(2 if kind == 2 else 1):
                reader.record()
            found.append((kind, key))
        return at_end, found, reader.block()

    def test_history_is_told_newest_first_and_in_pages(self):
        versions = [self.put(b"k", bytes(i)) for i in range(3)]
        versions.append(self.delete(b"k"))
        told = [(v, d, None if d else i) for i, (v, d) in enumerate(zip(versions, [False] * 3 + [True]))][::-1]
        self.assertEqual(self.history(b"k"), (True, told))
        at_end, first = self.history(b"k", limit=3)
        self.assertEqual((at_end, first), (False, told[:3]))
        self.assertEqual(self.history(b"k", before=first[-1][0]), (True, told[3:]))
        self.assertEqual(self.history(b"nothing"), (True, []))

    def test_every_read_sees_an_old_version(self):
        old = self.put(b"k", b"old")
        self.put(b"k", b"newer")
        self.put(b"other", b"x")
        self.assertEqual(self.get(b"k", **self.at(old)), b"old")
        self.assertEqual(self.get(b"other", **self.at(old)), NOT_FOUND)
        self.assertEqual(self.scan(**self.at(old)), [(b"k", b"old")])
        counted = Reader(self.ok(self.ask(COUNT, span(), **self.at(old))).body)
        self.assertEqual((counted.number("B"), counted.number("Q")), (1, 1))
        self.assertEqual(self.ok(self.ask(EXISTS, b"k", **self.at(old))).version, old)
        self.assertEqual(Reader(self.ok(self.ask(META, b"k", **self.at(old))).body).record()[2], 3)
        part = self.ok(self.ask(GET_RANGE, struct.pack("<QI", 1, 9) + b"k", **self.at(old)))
        self.assertEqual(part.value, b"ld")
        many = self.ok(self.ask(MGET, varint(1) + block(b"k"), **self.at(old)))
        self.assertTrue(many.body.endswith(b"old"))
        self.assertEqual(self.history(b"k", **self.at(old))[1], [(old, False, 3)])

    def test_old_versions_stay_when_all_is_compacted(self):
        old = self.put(b"k", b"old" * 1000)
        self.put(b"k", b"new")
        self.ok(self.client.ask(frame(MAINTAIN, bytes([FLUSH]))))
        self.ok(self.client.ask(frame(MAINTAIN, bytes([COMPACT]))))
        self.assertEqual(self.get(b"k", **self.at(old)), b"old" * 1000)

    def test_state_of_a_moment(self):
        self.put(b"k", b"old")
        time.sleep(1.2)  # moments are told apart by the second
        moment = int(time.time() * 1000)
        time.sleep(1.2)
        self.put(b"k", b"new")
        self.assertEqual(self.get(b"k", flags=FLAG_AT_TIME, behind=number(moment)), b"old")

    def test_states_of_the_future_are_invalid(self):
        version = self.put(b"k", b"v")
        for flag, value in ((FLAG_AT_VERSION, version + 10**6), (FLAG_AT_TIME, 2**62), (FLAG_AT_VERSION, 2**64 - 1)):
            reply = self.ask(GET, b"k", flag, behind=number(value))
            self.assertEqual(reply.status, INVALID)
            self.assertIn("future", reply.text)

    def test_what_is_not_kept_is_gone(self):
        self.create(b"forgetful")
        self.space = b"forgetful"
        old = self.put(b"k", b"old")
        self.put(b"k", b"new")
        self.ok(self.client.ask(frame(MAINTAIN, bytes([FLUSH]))))
        self.ok(self.client.ask(frame(MAINTAIN, bytes([COMPACT]))))
        reply = self.ask(GET, b"k", **self.at(old))
        self.assertEqual(reply.status, GONE)
        self.assertTrue(reply.text)

    def test_diff_tells_what_came_changed_and_went(self):
        self.fill([b"gone", b"same", b"changed"])
        old = self.put(b"x", b"x")
        self.put(b"changed", b"other")
        self.delete(b"gone")
        new = self.put(b"came", b"1")
        told = [(1, b"came"), (2, b"changed"), (3, b"gone")]
        self.assertEqual(self.diff(state(AT_VERSION, old), state(NEWEST)), (True, told, b""))
        self.assertEqual(self.diff(state(AT_VERSION, old), state(AT_VERSION, new)), (True, told, b""))
        back = self.diff(state(AT_VERSION, new), state(AT_VERSION, old))[1]
        self.assertEqual(back, [(3, b"came"), (2, b"changed"), (1, b"gone")])
        some = self.diff(state(AT_VERSION, old), state(NEWEST), start=b"c", flags=PREFIX)
        self.assertEqual(some[1], told[:2])

    def test_diff_comes_in_pages(self):
        old = self.put(b"x", b"x")
        self.fill([b"k%03d" % i for i in range(100)])
        found, cursor, at_end = [], b"", False
        while not at_end:
            at_end, page, cursor = self.diff(state(AT_VERSION, old), state(NEWEST), limit=7, cursor=cursor)
            self.assertLessEqual(len(page), 7)
            found += page
        self.assertEqual(found, [(1, b"k%03d" % i) for i in range(100)])

    def test_rewind_brings_a_range_back(self):
        for key, value in ((b"a1", b"one"), (b"a2", bytes(5000)), (b"b", b"b")):
            self.put(key, value)
        old = self.put(b"a3", b"three")
        self.put(b"a1", b"other")
        self.delete(b"a2")
        self.put(b"a4", b"came")
        self.put(b"b", b"stays")
        rewound = self.ok(self.ask(REWIND, state(AT_VERSION, old) + bounds(b"a", flags=PREFIX)))
        self.assertEqual(rewound.number, 3)
        self.assertEqual(self.scan(), [(b"a1", b"one"), (b"a2", bytes(5000)), (b"a3", b"three"), (b"b", b"stays")])
        again = self.ok(self.ask(REWIND, state(AT_VERSION, old) + bounds(b"a", flags=PREFIX)))
        self.assertEqual(again.number, 0)
        undone = self.ok(self.ask(REWIND, state(AT_VERSION, rewound.version - 1) + bounds()))
        self.assertEqual(undone.number, 3)
        self.assertEqual(self.get(b"a4"), b"came")

    def test_rewind_takes_effect_in_its_place_among_other_requests(self):
        old = self.put(b"k", b"old")
        rewind = self.frame_in(REWIND, state(AT_VERSION, old) + bounds())
        put_new = self.frame_in(PUT, bytes(4) + block(b"k") + b"new")
        read = self.frame_in(GET, b"k")
        self.client.send((put_new + read + rewind + read) * 5 + put_new + rewind + put_new + read)
        replies = self.client.replies(24)
        values = [reply.value for reply in replies[1:20:2]] + [replies[-1].value]
        self.assertEqual(values, [b"new", b"old"] * 5 + [b"new"])

    def test_rewind_against_a_writer_is_done_whole_or_refused(self):
        keys = [b"k%02d" % i for i in range(20)]
        old = self.fill(keys)
        writer = self.server.client()
        put_all = b"".join(self.frame_in(PUT, bytes(4) + block(key) + b"new") for key in keys)
        for _ in range(30):
            writer.send(put_all * 5)
            reply = self.ask(REWIND, state(AT_VERSION, old) + bounds())
            self.assertIn(reply.status, (OK, BUSY))
            if reply.status == OK:
                at = {"flags": FLAG_AT_VERSION, "behind": number(reply.version)}
                self.assertEqual(self.scan(**at), [(key, b"value of " + key) for key in keys])
            writer.replies(100)
        writer.close()

    def test_rewind_to_the_newest_state_is_invalid(self):
        self.assertEqual(self.ask(REWIND, state(NEWEST) + bounds()).status, INVALID)


class SnapshotTest(EngineTest):
    keep_ms = 0

    def open(self, lifetime=0, client=None):
        reply = self.ok((client or self.client).ask(frame(SNAPSHOT_OPEN, number(lifetime))))
        return struct.unpack("<QQQQ", reply.body)

    def close(self, id, client=None):
        return (client or self.client).ask(frame(SNAPSHOT_CLOSE, number(id))).status

    def listed(self):
        reader = Reader(self.ok(self.client.ask(frame(SNAPSHOT_LIST))).body)
        found = {}
        for _ in range(reader.number("I")):
            fields = struct.unpack("<QQQQQ", reader.take(40))
            found[fields[0]] = fields[1:] + (reader.block(),)
        return found

    def at(self, id):
        return {"flags": FLAG_SNAPSHOT, "fields": number(id)}

    def test_snapshot_shows_what_was_however_much_comes_after(self):
        version = self.put(b"k", b"old" * 1000)
        id, seen, _, deadline = self.open()
        self.assertEqual((seen >= version, deadline), (True, 0))
        self.put(b"k", b"new")
        self.delete(b"k")
        self.ok(self.client.ask(frame(MAINTAIN, bytes([FLUSH]))))
        self.ok(self.client.ask(frame(MAINTAIN, bytes([COMPACT]))))
        self.assertEqual(self.get(b"k", **self.at(id)), b"old" * 1000)
        self.assertEqual(self.scan(**self.at(id)), [(b"k", b"old" * 1000)])
        self.assertEqual(self.get(b"k"), NOT_FOUND)
        self.assertEqual(self.close(id), OK)
        reply = self.ask(GET, b"k", **self.at(id))
        self.assertEqual((reply.status, reply.text), (GONE, "no such snapshot is open"))

    def test_snapshot_sees_the_writes_sent_before_it(self):
        for i in range(20):
            write = self.frame_in(PUT, bytes(4) + block(b"k") + b"%d" % i)
            self.client.send(write + frame(SNAPSHOT_OPEN, number(0)))
            self.ok(self.client.reply())
            id = struct.unpack_from("<Q", self.ok(self.client.reply()).body)[0]
            self.assertEqual(self.get(b"k", **self.at(id)), b"%d" % i)
            self.assertEqual(self.close(id), OK)

    def test_list_tells_who_opened_it(self):
        id, version, now, _ = self.open()
        fields = self.listed()[id]
        self.assertEqual(fields[:2], (version, now))
        self.assertEqual(fields[3], 0)
        self.assertRegex(fields[4].decode(), r"^test 127\.0\.0\.1:\d+ #\d+$")
        self.close(id)
        self.assertNotIn(id, self.listed())
        self.assertEqual(self.close(id), NOT_FOUND)

    def test_snapshot_ends_with_its_connection_unless_it_has_a_lifetime(self):
        other = self.server.client()
        passing, staying = self.open(client=other)[0], self.open(60000, client=other)[0]
        self.assertTrue({passing, staying} <= set(self.listed()))
        other.close()
        end = time.monotonic() + DEADLINE_S
        while passing in self.listed() and time.monotonic() < end:
            time.sleep(0.01)
        self.assertNotIn(passing, self.listed())
        self.assertIn(staying, self.listed())
        self.assertEqual(self.close(staying), OK)

    def test_snapshot_ends_at_its_deadline(self):
        id, _, now, deadline = self.open(100)
        self.assertAlmostEqual(deadline, now + 100, delta=20)
        time.sleep(0.3)
        self.assertEqual(self.ask(GET, b"k", **self.at(id)).status, GONE)

    def test_pages_of_a_scan_at_a_snapshot_are_of_one_state(self):
        self.fill([b"k%02d" % i for i in range(10)])
        id = self.open()[0]
        found, cursor, at_end = [], b"", False
        while not at_end:
            page = self.ok(self.ask(SCAN, span(limit=3, cursor=cursor), **self.at(id))).body
            at_end, entries, cursor = read_page(page)
            found += [key for key, _ in entries]
            self.ok(self.ask(DELETE_RANGE, bounds()))
        self.assertEqual(found, [b"k%02d" % i for i in range(10)])
        self.close(id)

    def test_diff_and_rewind_take_snapshots(self):
        self.put(b"k", b"old")
        id = self.open()[0]
        self.put(b"k", b"new")
        reader = Reader(self.ok(self.ask(DIFF, state(AT_SNAPSHOT, id) + state(NEWEST) + span())).body)
        self.assertEqual((reader.number("B"), reader.number("I")), (1, 1))
        self.assertEqual(self.ok(self.ask(REWIND, state(AT_SNAPSHOT, id) + bounds())).number, 1)
        self.assertEqual(self.get(b"k"), b"old")
        self.close(id)
        self.assertEqual(self.ask(REWIND, state(AT_SNAPSHOT, id) + bounds()).status, GONE)


class NamespaceTest(EngineTest):
    keep_ms = 0

    def test_namespaces_are_listed_with_their_settings(self):
        self.create(b"kept", quota=10**9, keep_ms=5000, keep_versions=3)
        listed = list_namespaces(self.client)
        self.assertEqual(listed[b"kept"][1:4], (10**9, 5000, 3))
        self.assertIn(b"", listed)
        self.create(b"kept", quota=2 * 10**9)
        changed = list_namespaces(self.client)[b"kept"]
        self.assertEqual((changed[0], changed[1:4]), (listed[b"kept"][0], (2 * 10**9, 0, 0)))

    def test_dropped_namespace_is_empty_and_its_id_is_not_used_again(self):
        self.fill([b"a", b"b"])
        old = list_namespaces(self.client)[self.space][0]
        self.ok(self.client.ask(frame(NAMESPACE_DROP, self.space)))
        self.assertNotIn(self.space, list_namespaces(self.client))
        self.assertEqual((self.get(b"a"), self.keys()), (NOT_FOUND, []))
        self.put(b"c", b"again")
        self.assertEqual(self.keys(), [b"c"])
        self.assertGreater(list_namespaces(self.client)[self.space][0], old)

    def test_drop_of_nothing_and_of_the_default_one(self):
        reply = self.client.ask(frame(NAMESPACE_DROP, b"never was"))
        self.assertEqual((reply.status, reply.text), (NOT_FOUND, "no such namespace"))
        self.assertEqual(self.client.ask(frame(NAMESPACE_DROP)).status, INVALID)

    def test_bad_names_are_invalid_with_a_reason(self):
        body = block(b"a\nb") + bytes(20)
        reply = self.client.ask(frame(NAMESPACE_CREATE, body))
        self.assertEqual(reply.status, INVALID)
        self.assertIn("control characters", reply.text)
        self.space = b"a\nb"
        reply = self.ask(PUT, bytes(4) + block(b"k") + b"v")
        self.assertEqual(reply.status, INVALID)
        self.assertIn("control characters", reply.text)

    def test_full_namespace_refuses_puts_and_takes_deletes(self):
        self.create(self.space, quota=100000)
        statuses = [self.ask(PUT, bytes(4) + block(b"k%03d" % i) + os.urandom(2000)).status for i in range(100)]
        self.assertEqual((statuses[0], statuses[-1]), (OK, QUOTA))
        self.ok(self.ask(DELETE_RANGE, bounds()))


class MaintainTest(EngineTest):
    def maintain(self, action, argument=b""):
        return self.client.ask(frame(MAINTAIN, bytes([action]) + argument))

    def lines(self, reply):
        reader = Reader(self.ok(reply).body)
        return [(reader.block().decode(), reader.block().decode()) for _ in range(reader.number("I"))]

    def test_each_action_tells_what_it_did(self):
        self.fill([b"k%d" % i for i in range(100)])
        for action, word in ((FLUSH, "flush"), (COMPACT, "compact"), (COLLECT, "collect")):
            self.assertEqual(self.lines(self.maintain(action))[0][0], word)

    def test_sound_store_verifies_without_a_fault(self):
        self.put(b"large", os.urandom(100000))
        self.ok(self.maintain(FLUSH))
        found = dict(self.lines(self.maintain(VERIFY)))
        self.assertEqual(found["faults"], "0")
        self.assertGreater(int(found["values"]), 0)

    def test_checkpoint_is_a_store_of_its_own(self):
        self.put(b"k", b"kept" * 1000)
        folder = os.path.join(self.server.folder, "checkpoint")
        self.assertEqual(self.lines(self.maintain(CHECKPOINT, folder.encode())), [("checkpoint", folder)])
        self.put(b"k", b"later")
        self.assertEqual(self.maintain(CHECKPOINT, folder.encode()).status, STATUS_EXISTS)
        os.makedirs(os.path.join(self.server.folder, "second"))
        copy = os.path.join(self.server.folder, "second", "data")
        os.rename(folder, copy)
        second = start(self, folder=os.path.join(self.server.folder, "second"))
        client = second.client()
        self.assertEqual(client.ask(self.frame_in(GET, b"k")).value, b"kept" * 1000)
        client.close()
        self.assertEqual(second.stop(), 0)

    def test_argument_that_does_not_belong(self):
        self.assertEqual(self.maintain(FLUSH, b"x").status, INVALID)
        self.assertEqual(self.maintain(CHECKPOINT).status, INVALID)
        self.assertEqual(self.maintain(CHECKPOINT, b"/tmp/a\0b").status, INVALID)
        self.assertEqual(self.maintain(9).status, INVALID)

    def test_explain_tells_the_way_to_a_key(self):
        self.put(b"k", b"v")
        lines = self.lines(self.ask(EXPLAIN, b"k"))
        self.assertGreater(len(lines), 1)

    def test_space_is_told_to_the_last_byte(self):
        self.fill([b"k%d" % i for i in range(1000)])
        self.ok(self.maintain(FLUSH))
        time.sleep(0.5)
        reader = Reader(self.ok(self.client.ask(frame(WHY, b"space"))).body)
        told = 0
        for _ in range(reader.number("I")):
            self.assertTrue(reader.block())
            reader.block()
            told += reader.number("Q")
        folder = self.server.dir
        disk = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
        self.assertEqual(told, disk)

    def test_why_of_something_else_is_invalid(self):
        self.assertEqual(self.client.ask(frame(WHY, b"me")).status, INVALID)


if __name__ == "__main__":
    unittest.main()
