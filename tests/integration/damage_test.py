#!/usr/bin/env python3
# damage_test.py: one byte of a stored file is wrong. kvd then refuses to start, or a read fails;
# either way the error names file and offset, and whatever still is answered is right.
#
# The store is made once, with every kind of file; each test damages a copy. Where things lie in a
# file is taken from docs/storage-format*.md.
import os
import random
import re
import shutil
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

CORRUPT, IO_ERROR = 0x10D, 0x10C
SEGMENT_HEADER_BYTES, GROUP_HEADER_BYTES, COMMIT_HEADER_BYTES = 128, 88, 32
TABLE_HEADER_BYTES, FOOTER_BYTES, TRAILER_BYTES = 48, 72, 13
MANIFEST_HEADER_BYTES, RECORD_HEADER_BYTES = 64, 32
LARGE_BYTES = 3000
OPTIONS = ("--set", "server.loops=1", "--set", "memory_limit=64MiB")


def large_value(number):
    """Does not compress, so that it stands in the log as it is."""
    return random.Random(number).randbytes(LARGE_BYTES)


class OfClass:
    """Stands for a test whose cleanups are those of its class."""

    def __init__(self, test_class):
        self.addCleanup = test_class.addClassCleanup


class Group:
    """A group of a segment: where it lies, and its commits."""

    def __init__(self, data, offset):
        fields = struct.unpack_from("<IIQQI", data, offset)
        self.offset, self.bytes, self.commit_count = offset, fields[3], fields[4]


def groups_of(data):
    found, offset = [], SEGMENT_HEADER_BYTES
    magic = data[offset:offset + 4]
    while data[offset:offset + 4] == magic and offset + GROUP_HEADER_BYTES <= len(data):
        found.append(Group(data, offset))
        offset += found[-1].bytes
    return found


COMMITS = 1  # the kind of a segment; others are survivors and extents


def kind_of(segment):
    return struct.unpack_from("<I", segment, 16)[0]


class DamageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.mkdtemp(prefix="kvd-damage-")
        cls.addClassCleanup(shutil.rmtree, cls.made)
        cls.values = {}
        cls.make_store()

    @classmethod
    def make_store(cls):
        """Tables with small values and references, segments with values, a log not yet flushed."""
        server = start(OfClass(cls), *OPTIONS, folder=cls.made)
        client = server.client()
        number = 0
        while client.stats()["storage.flushes"] < 2:
            cls.put_some(client, number, 1000)
            number += 1000
        while not cls.put_unflushed(client, number):
            number += 200
        client.close()
        server.kill()

    @classmethod
    def put_unflushed(cls, client, number):
        """Groups of their own, wherever a segment ends meanwhile. Whether none was flushed."""
        while client.stats()["storage.memtables_frozen"] > 0:
            time.sleep(0.05)
        flushes = client.stats()["storage.flushes"]
        for first in range(number, number + 200, 10):
            cls.put_some(client, first, 10)
        time.sleep(3)  # an idle store vouches for its last group: a sync, then an empty group
        stats = client.stats()
        return (stats["storage.flushes"], stats["storage.memtables_frozen"]) == (flushes, 0)

    @classmethod
    def put_some(cls, client, first, count):
        entries = [(b"key%06d" % number, large_value(number) if number % 5 == 0 else
                    b"small%d," % number * 40) for number in range(first, first + count)]
        client.send(b"".join(put(*entry) for entry in entries))
        for entry, reply in zip(entries, client.replies(count)):
            assert reply.status == OK
            cls.values[entry[0]] = entry[1]

    def setUp(self):
        self.server = None
        self.copy()

    def copy(self):
        """A fresh one; what served another is ended."""
        self.end()
        self.folder = tempfile.mkdtemp(prefix="kvd-damage-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.dir = os.path.join(self.folder, "data")
        shutil.copytree(os.path.join(self.made, "data"), self.dir)

    def end(self):
        if self.server:
            self.server.kill()

    # ---- arranging

    def files(self, pattern):
        return sorted(os.path.join(self.dir, name) for name in os.listdir(self.dir)
                      if re.fullmatch(pattern, name) and os.path.getsize(os.path.join(self.dir, name)))

    def tables(self):
        return self.files(r"\d+\.table")

    def segments(self):
        return self.files(r"\d+\.segment")

    def content(self, path):
        with open(path, "rb") as file:
            return file.read()

    def damage(self, path, offset, bits=0x10):
        """Flips bits of one byte."""
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ bits]))

    def segment_with_value(self):
        """(path, key, offset of its value): of the first large value of the oldest segment."""
        for path in self.segments():
            content = self.content(path)
            for key, value in self.values.items():
                if len(value) == LARGE_BYTES and content.find(value) >= 0:
                    return path, key, content.find(value)
        self.fail("no value stands in a segment")

    # ---- what must come of it

    def open_outcome(self):
        """The server, once it serves, or None when it refused."""
        self.end()
        self.server = server = Server(self, *OPTIONS, folder=self.folder)
        end = time.monotonic() + DEADLINE_S
        while not os.path.exists(server.ready) and server.process.poll() is None:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        self.output = server.output()
        if server.process.poll() is None:
            return server.wait_ready()
        self.assertEqual(server.process.returncode, 1, self.output)
        return None

    def assert_names(self, text, path):
        """File and offset, as in "DIR/0000000012.table at 4711: ..."."""
        self.assertRegex(text, re.escape(os.path.basename(path)) + r" at \d+: ")
        named = int(re.search(re.escape(os.path.basename(path)) + r" at (\d+): ", text)[1])
        self.assertLessEqual(named, os.path.getsize(path))
        return named

    def assert_refuses(self, path):
        """The last line says why, on one line. The offset that it names."""
        before = {name: os.path.getsize(name) for name in self.files(r".*(segment|table)")}
        self.assertIsNone(self.open_outcome(), "it opened")
        for name, size in before.items():
            self.assertTrue(os.path.exists(name), "%s was removed" % name)
            self.assertEqual(os.path.getsize(name), size)
        line = self.output.strip().splitlines()[-1]
        self.assertTrue(line.startswith("kvd: "), line)
        return self.assert_names(line, path)

    def read_all(self, server):
        """{key: text of the error} of what cannot be read; all else is right."""
        client, failed = server.client(), {}
        keys = list(self.values)
        for first in range(0, len(keys), 200):
            part = keys[first:first + 200]
            client.send(b"".join(get(key) for key in part))
            for key, reply in zip(part, client.replies(len(part))):
                if reply.status == OK:
                    self.assertEqual(reply.value, self.values[key], key)
                else:
                    self.assertEqual(reply.status, CORRUPT, (key, reply.status))
                    failed[key] = reply.text
        client.close()
        return failed

    def assert_opens_or_refuses(self, path):
        """Where both would be right: whatever is answered is right, or an error that names it."""
        server = self.open_outcome()
        if server is None:
            self.assert_names(self.output.strip().splitlines()[-1], path)
            return
        for text in self.read_all(server).values():
            self.assert_names(text, path)

    # ---- no damage

    def test_without_damage_every_key_is_there(self):
        self.assertTrue(self.tables() and len(self.segments()) > 1)
        self.assertEqual(self.read_all(self.open_outcome()), {})

    # ---- tables

    def data_offset(self, path):
        """In the middle of the data blocks; the first may be needed to open."""
        return (TABLE_HEADER_BYTES + self.parts(path)[0]) // 2

    def parts(self, path):
        """Offsets of filter, index and properties."""
        return struct.unpack_from("<QIQIQ", self.content(path), os.path.getsize(path) - FOOTER_BYTES)[::2]

    def test_table_data_fails_the_reads_of_its_block_alone(self):
        path = self.tables()[0]
        offset = self.data_offset(path)
        self.damage(path, offset)
        server = self.open_outcome()
        self.assertIsNotNone(server, self.output)
        failed = self.read_all(server)
        self.assertTrue(0 < len(failed) < 1000, len(failed))
        for text in failed.values():
            self.assertLessEqual(self.assert_names(text, path), offset)
        self.assertEqual(set(failed), set(self.read_all(server)))  # again, and no less
        self.assertIsNone(server.process.poll())

    def test_scan_over_damaged_table_data_is_an_error_and_not_an_end(self):
        path = self.tables()[0]
        self.damage(path, self.data_offset(path))
        client, cursor, status, seen = self.open_outcome().client(), b"", OK, 0
        for _ in range(1000):
            reply = client.ask(frame(SCAN, span(cursor=cursor)))
            status = reply.status
            if status != OK:
                self.assert_names(reply.text, path)
                break
            at_end, entries, cursor = read_page(reply.body)
            seen += len(entries)
            if at_end:
                break
        self.assertEqual(status, CORRUPT)
        self.assertLess(seen, len(self.values))
        client.close()

    def test_table_footer(self):
        path = self.tables()[0]
        for back in (1, 20, 40, FOOTER_BYTES):
            with self.subTest(back=back):
                self.copy()
                path = self.tables()[0]
                self.damage(path, os.path.getsize(path) - back)
                self.assert_opens_or_refuses(path)

    def test_every_part_of_a_table(self):
        filter_offset, index_offset, properties_offset = self.parts(self.tables()[0])
        for name, offset in (("header", 9), ("header checksum", 44),
                             ("first block", TABLE_HEADER_BYTES + 200),
                             ("last trailer", filter_offset - 3), ("filter", filter_offset + 10),
                             ("index", index_offset + 30), ("properties", properties_offset + 5)):
            with self.subTest(part=name):
                self.copy()
                path = self.tables()[0]
                self.damage(path, offset)
                self.assert_opens_or_refuses(path)

    def test_table_that_is_gone_or_cut(self):
        for cut in (0, 100, -1):
            with self.subTest(cut=cut):
                self.copy()
                path = self.tables()[0]
                if cut < 0:
                    os.unlink(path)
                else:
                    os.truncate(path, os.path.getsize(path) - 1 if cut == 0 else cut)
                server = self.open_outcome()
                texts = self.read_all_or_fail(server) if server else [self.output]
                self.assertTrue(texts)
                for text in texts:
                    self.assertIn(os.path.basename(path), text)

    def read_all_or_fail(self, server):
        """Texts of what cannot be read, for whatever reason; nothing reads as absent."""
        client, texts = server.client(), []
        for key, value in list(self.values.items())[::20]:
            reply = client.ask(get(key))
            self.assertNotEqual(reply.status, NOT_FOUND, key)
            if reply.status == OK:
                self.assertEqual(reply.value, value)
            else:
                self.assertIn(reply.status, (CORRUPT, IO_ERROR))
                texts.append(reply.text)
        client.close()
        return texts

    # ---- segments

    def test_value_in_a_segment_fails_that_read_alone(self):
        path, key, offset = self.segment_with_value()
        for at in (offset, offset + LARGE_BYTES // 2, offset + LARGE_BYTES - 1):
            with self.subTest(at=at - offset):
                self.copy()
                path = os.path.join(self.dir, os.path.basename(path))
                self.damage(path, at)
                server = self.open_outcome()
                self.assertIsNotNone(server, self.output)
                failed = self.read_all(server)
                self.assertEqual(set(failed), {key})
                named = self.assert_names(failed[key], path)
                self.assertTrue(named <= at < named + LARGE_BYTES, (named, at))

    def replayed_segment(self):
        """The newest of commits with some groups: it is replayed, and others lie behind its first
        two. (Survivors of log cleaning may have higher numbers, and are not replayed.)"""
        for path in reversed(self.segments()):
            content = self.content(path)
            groups = groups_of(content)
            if kind_of(content) == COMMITS and len(groups) > 2:
                return path, groups
        self.fail("no segment with three groups")

    def test_group_header_in_the_vouched_part_refuses_to_open(self):
        for where in (0, 12, 40, GROUP_HEADER_BYTES - 1):
            with self.subTest(where=where):
                self.copy()
                path, groups = self.replayed_segment()
                offset = groups[0].offset
                self.damage(path, offset + where)
                named = self.assert_refuses(path)
                self.assertEqual(named, offset)

    def test_commit_header_and_meta_in_the_vouched_part_refuse_to_open(self):
        for where in (3, COMMIT_HEADER_BYTES + 4):
            with self.subTest(where=where):
                self.copy()
                path, groups = self.replayed_segment()
                self.damage(path, groups[1].offset + GROUP_HEADER_BYTES + where)
                self.assert_refuses(path)

    def test_segment_header(self):
        for where in (0, 9, 60, SEGMENT_HEADER_BYTES - 2):
            with self.subTest(where=where):
                self.copy()
                path, _ = self.replayed_segment()
                self.damage(path, where)
                self.assert_refuses(path)

    def test_segment_that_is_gone_refuses_to_open(self):
        path, _ = self.replayed_segment()
        os.unlink(path)
        self.assertIsNone(self.open_outcome())
        self.assertIn(os.path.basename(path), self.output)

    # ---- the manifest

    def test_manifest_middle_refuses_to_open(self):
        size = os.path.getsize(self.files("MANIFEST-.*")[-1])
        for offset in (MANIFEST_HEADER_BYTES + 2, MANIFEST_HEADER_BYTES + RECORD_HEADER_BYTES + 3,
                       size // 2):
            with self.subTest(offset=offset):
                self.copy()
                path = self.files("MANIFEST-.*")[-1]
                self.damage(path, offset)
                self.assert_refuses(path)

    def test_manifest_header_refuses_to_open(self):
        for offset in (0, 9, 41, MANIFEST_HEADER_BYTES - 1):
            with self.subTest(offset=offset):
                self.copy()
                path = self.files("MANIFEST-.*")[-1]
                self.damage(path, offset)
                self.assertIsNone(self.open_outcome(), "it opened")
                self.assertIn(os.path.basename(path), self.output)

    def test_manifest_that_is_gone_is_no_new_store(self):
        for path in self.files("MANIFEST-.*"):
            os.unlink(path)
        tables = self.tables()
        self.assertIsNone(self.open_outcome(), "it opened")
        self.assertEqual(self.tables(), tables)

    # ---- what does not matter

    def test_lock_file_of_noise_or_none(self):
        path = os.path.join(self.dir, "LOCK")
        with open(path, "wb") as file:
            file.write(bytes(range(256)))
        self.assertEqual(self.read_all(self.open_outcome()), {})
        self.end()
        os.unlink(path)
        self.assertEqual(self.read_all(self.open_outcome()), {})

    def test_file_of_another_kind_in_the_directory(self):
        for name in ("note.txt", "0000000099.tmp"):
            with open(os.path.join(self.dir, name), "w") as file:
                file.write("mine")
        self.assertEqual(self.read_all(self.open_outcome()), {})
        self.assertTrue(os.path.exists(os.path.join(self.dir, "note.txt")))


if __name__ == "__main__":
    unittest.main()
