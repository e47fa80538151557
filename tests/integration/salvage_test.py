#!/usr/bin/env python3
# salvage_test.py: a kvd is killed, a file of its store is destroyed, `kvd salvage` makes a new store of the rest, and a
# kvd that serves that store is asked for everything.
#
# The store is made once, with every kind of file; each test destroys something in a copy. What comes back is exported
# by kvcli and compared with an export from before the kill: the same where nothing that counts is lost, and never a
# value that a key did not have.
import base64
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from full_disk_test import mount_disk  # noqa: E402
from kvd_server import *  # noqa: E402,F403

KVCLI = os.path.join(os.path.dirname(KVD), "kvcli")
OPTIONS = ("--set", "server.loops=1", "--set", "memory_limit=64MiB")
SPACES = ("", "orders")
MIB = 1 << 20
HOUR_MS = 3600 * 1000
MEDIUM_KEYS, MEDIUM_BYTES, LARGE_BYTES = 1000, 3000, 3 * MIB + 1234
SEGMENT_HEADER_BYTES, GROUP_HEADER_BYTES, COMMIT_HEADER_BYTES, FOOTER_BYTES = 128, 88, 32, 72
COMMITS, SURVIVORS, EXTENTS = 1, 2, 3  # kinds of segments


class OfClass:
    """Stands for a test whose cleanups are those of its class."""

    def __init__(self, test_class):
        self.addCleanup = test_class.addClassCleanup


class Life:
    """Writes through a client, and remembers every value that a key ever had."""

    def __init__(self, client):
        self.client, self.ever = client, {space: {} for space in SPACES}

    def in_space(self, space, opcode, body, flags=0, fields=b""):
        if space:
            flags, fields = flags | FLAG_NAMESPACE, fields + block(space.encode())
        return frame(opcode, fields + body, flags=flags)

    def ask_all(self, frames):
        for first in range(0, len(frames), 100):
            part = frames[first:first + 100]
            self.client.send(b"".join(part))
            statuses = {reply.status for reply in self.client.replies(len(part))}
            assert statuses == {OK}, statuses

    def put_all(self, entries, space="", ttl_ms=0, user_flags=0, durability=LOGGED):
        flags, fields = FLAG_DURABILITY, durability
        if ttl_ms:
            flags, fields = flags | FLAG_TTL, fields + number(ttl_ms)
        self.ask_all([self.in_space(space, PUT, struct.pack("<I", user_flags) + block(key) + value, flags, fields)
                      for key, value in entries])
        for key, value in entries:
            self.ever[space].setdefault(key, set()).add(value)

    def delete_all(self, keys, space=""):
        self.ask_all([self.in_space(space, DELETE, key) for key in keys])

    def upload(self, key, value):
        id = self.client.ask(frame(UPLOAD_BEGIN, key)).version
        self.ask_all([frame(UPLOAD_DATA, number(id) + number(at) + value[at:at + MIB])
                      for at in range(0, len(value), MIB)])
        self.ask_all([frame(UPLOAD_COMMIT, number(id) + struct.pack("<I", 11))])
        self.ever[""].setdefault(key, set()).add(value)

    def maintain(self, what):
        assert self.client.ask(frame(MAINTAIN, bytes([what]))).status == OK


def small(round, count, step=1):
    return [(b"small%05d" % i, b"%d of round %d, " % (i, round) * 6) for i in range(0, count, step)]


def medium(round, count, step=1):
    """Do not compress, so that they stand in the log as they are."""
    return [(b"medium%04d" % i, random.Random(round * 100000 + i).randbytes(MEDIUM_BYTES))
            for i in range(0, count, step)]


def live(life):
    large = random.Random(7).randbytes(LARGE_BYTES)
    life.put_all(small(1, 3000))
    life.put_all(medium(1, MEDIUM_KEYS))
    life.put_all(medium(2, 100), space="orders", user_flags=77)
    life.put_all([(b"expires%d" % i, bytes(2000 + i)) for i in range(20)], ttl_ms=HOUR_MS)
    life.put_all([(b"long" * 15000, b"value"), (b"empty", b"")])
    life.put_all([(b"odd\t\n\\\xff\0 key", bytes([i]) * 1500) for i in range(3)])
    life.upload(b"large", large[::-1])
    life.maintain(FLUSH)
    for round in (20, 21, 22, 3):  # half of it again and again: GC moves the other half
        life.put_all(medium(round, MEDIUM_KEYS, 2))
    life.put_all(small(3, 3000, 7))
    life.delete_all([b"medium%04d" % i for i in range(1, MEDIUM_KEYS, 10)])
    life.upload(b"large", large)
    life.maintain(FLUSH)
    life.maintain(COMPACT)
    life.maintain(COLLECT)
    life.put_all(small(4, 3000, 5))
    life.put_all(medium(4, MEDIUM_KEYS, 9))
    life.delete_all([b"small%05d" % i for i in range(3, 3000, 50)])
    life.ask_all([life.in_space("", TOUCH, b"medium%04d" % i, FLAG_TTL, number(2 * HOUR_MS))
                  for i in range(3, MEDIUM_KEYS, 60) if i % 10 != 1])
    life.maintain(FLUSH)
    life.put_all(small(5, 3000, 100), durability=SYNCED)  # these stay in the log
    life.put_all(medium(5, MEDIUM_KEYS, 50), durability=SYNCED)
    life.put_all(medium(5, 100, 30), space="orders", durability=SYNCED)
    life.delete_all([b"small%05d" % i for i in range(1, 3000, 500)])


def run(*words, **popen):
    done = subprocess.run([KVD, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S * 3,
                          **popen)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def field(entry, name):
    return base64.b64decode(entry[name + "_base64"]) if name + "_base64" in entry else entry[name].encode()


def export(server):
    """{namespace: {key: (value, expiry, flags)}}, as kvcli tells it."""
    found = {}
    for space in SPACES:
        words = ["--namespace", space] if space else []
        done = subprocess.run([KVCLI, "--server", server.address, *words, "export", "-", "--format", "jsonl"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S * 3)
        assert done.returncode == 0, done.stderr
        entries = [json.loads(line) for line in done.stdout.splitlines()]
        found[space] = {field(entry, "key"): (field(entry, "value"), entry.get("expires_at_ms", 0),
                                              entry.get("flags", 0)) for entry in entries}
    return found


def unescape(text):
    named = {b"\\": b"\\", b"t": b"\t", b"n": b"\n", b"r": b"\r"}
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)",
                  lambda match: named.get(match[1]) or bytes.fromhex(match[1][1:].decode()), text)


def contents(folder):
    found = {}
    for name in set(os.listdir(folder)) - {"LOCK"}:
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


class SalvageCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.mkdtemp(prefix="kvd-salvage-")
        cls.addClassCleanup(shutil.rmtree, cls.made)
        server = start(OfClass(cls), *OPTIONS, folder=cls.made)
        client = server.client()
        life = Life(client)
        live(life)
        cls.stats = client.stats()
        client.close()
        cls.before, cls.ever = export(server), life.ever
        server.signal(signal.SIGKILL)
        server.wait()

    def setUp(self):
        self.copy()

    def copy(self):
        self.folder = tempfile.mkdtemp(prefix="kvd-salvage-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.dir = os.path.join(self.folder, "data")
        self.rescued = os.path.join(self.folder, "rescued")
        os.mkdir(self.rescued)
        self.target = os.path.join(self.rescued, "data")
        shutil.copytree(os.path.join(self.made, "data"), self.dir)

    # ---- destroying

    def files(self, pattern):
        return sorted(os.path.join(self.dir, name) for name in os.listdir(self.dir) if re.fullmatch(pattern, name) and
                      os.path.getsize(os.path.join(self.dir, name)))

    def tables(self):
        return self.files(r"\d+\.table")

    def segments(self, *kinds):
        return [path for path in self.files(r"\d+\.segment")
                if struct.unpack_from("<I", self.content(path), 16)[0] in (kinds or (COMMITS, SURVIVORS, EXTENTS))]

    def manifest(self):
        return self.files(r"MANIFEST-\d+")[-1]

    def content(self, path):
        with open(path, "rb") as file:
            return file.read()

    def flip(self, path, offset):
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x10]))

    def remove(self, *paths):
        for path in paths:
            os.unlink(path)

    def parts(self, path):
        """Offsets of filter, index and properties of a table."""
        return struct.unpack_from("<QIQIQ", self.content(path), os.path.getsize(path) - FOOTER_BYTES)[::2]

    # ---- salvaging

    def salvage(self, *codes):
        """The exit code is one of these; the old folder is as it was. Remembers what was said."""
        before = contents(self.dir)
        code, self.out, err = run("salvage", self.dir, self.target)
        self.assertIn(code, codes, self.out + err)
        self.assertEqual(err, "")
        self.assertTrue(contents(self.dir) == before, "the old folder has changed")
        self.lost = int(re.search(r"(?m)^entries lost +(\d+)$", self.out)[1])
        self.kept = int(re.search(r"(?m)^entries kept +(\d+)$", self.out)[1])
        self.assertEqual(code == 0, self.lost == 0 and "order" not in self.out, self.out)

    def checked(self):
        code, out, err = run("check", self.target)
        self.assertEqual((code, err), (0, ""), out)
        self.assertRegex(out, r"(?m)^faults +0$")

    def served(self):
        """What a kvd tells that serves the new store."""
        server = start(self, *OPTIONS, folder=self.rescued)
        after = export(server)
        client = server.client()
        self.assertEqual(client.ask(put(b"one more", b"value", durability=SYNCED)).status, OK)
        self.assertEqual(client.ask(get(b"one more")).value, b"value")
        client.close()
        self.assertEqual(server.stop(), 0, server.output())
        return after

    def differences(self, after):
        """(missing, old, back) keys; nothing else may differ."""
        missing, old, back = set(), set(), set()
        for space in SPACES:
            for key in self.before[space].keys() | after[space].keys():
                was, now = self.before[space].get(key), after[space].get(key)
                if now is None:
                    missing.add((space, key))
                    continue
                self.assertTrue(now[0] in self.ever[space].get(key, ()), "a value that %r never had" % key)
                if was is None:
                    back.add((space, key))
                elif now != was:
                    old.add((space, key))
        return missing, old, back

    def expect_all(self):
        self.salvage(0)
        self.checked()
        after = self.served()
        self.assertEqual(self.differences(after), (set(), set(), set()))
        self.assertEqual(self.kept, sum(map(len, self.before.values())))

    def expect_missing_only(self, *codes):
        """No key has anything but its newest value; how many are missing."""
        self.salvage(*codes)
        self.checked()
        missing, old, back = self.differences(self.served())
        self.assertEqual((old, back), (set(), set()))
        return missing

    def labels(self):
        """{(namespace, key): fields of its line in SALVAGE.tsv}, of what was stored."""
        found = {}
        with open(os.path.join(self.target, "SALVAGE.tsv"), "rb") as file:
            lines = [line.split(b"\t") for line in file.read().split(b"\n")]
        self.assertEqual(lines.pop(), [b""])
        for line in lines:
            if not line[0].startswith(b"#") and line[2].isdigit() and b"not stored" not in line[-1]:
                space = line[0].decode()
                found["" if space == "default" else space, unescape(line[1])] = line
        return found


class DestroyedFilesTest(SalvageCase):
    def test_store_has_every_kind_of_file(self):
        self.assertGreater(len(self.tables()), 1)
        for kind in (COMMITS, SURVIVORS, EXTENTS):
            self.assertTrue(self.segments(kind), kind)
        self.assertGreater(self.stats["storage.gc_victims"], 0)

    def test_nothing_destroyed(self):
        self.expect_all()
        self.assertFalse(os.path.exists(os.path.join(self.target, "SALVAGE.tsv")) and self.labels())

    def test_manifest_deleted(self):
        self.remove(*self.files(r"MANIFEST-\d+"))
        self.expect_all()

    def test_manifest_flipped(self):
        size = os.path.getsize(self.manifest())
        for offset in (3, 100, size // 2, size - 20):
            with self.subTest(offset=offset):
                self.copy()
                self.flip(self.manifest(), offset)
                self.expect_all()

    def test_what_surrounds_the_blocks_of_tables(self):
        for part in range(5):
            with self.subTest(part=part):
                self.copy()
                for path in self.tables():
                    self.flip(path, (9, *(offset + 7 for offset in self.parts(path)), os.path.getsize(path) - 30)[part])
                self.expect_all()

    def test_block_of_a_table(self):
        for path in self.tables():
            with self.subTest(path=path):
                self.copy()
                path = os.path.join(self.dir, os.path.basename(path))
                self.flip(path, self.parts(path)[0] // 2)
                self.salvage(1)
                self.checked()
                missing, old, back = self.differences(self.served())
                self.assertLessEqual((old | back), self.labels().keys() if old | back else set())
                self.assertGreaterEqual(self.lost, len(missing))
                self.assertLess(len(missing), 400)

    def test_each_table_deleted(self):
        for number in range(len(self.tables())):
            with self.subTest(number=number):
                self.copy()
                self.remove(self.tables()[number])
                self.salvage(1)
                self.checked()
                missing, old, back = self.differences(self.served())
                if old | back:
                    self.assertLessEqual(old | back, self.labels().keys())
                self.assertGreaterEqual(self.lost, len(missing))

    def log(self):
        """The segments that have something which is in no table: the newest of commits."""
        return self.segments(COMMITS)[-1:]

    def test_each_segment_deleted(self):
        lost = set()
        for path in [path for path in self.segments() if path not in self.log()]:
            with self.subTest(path=path):
                self.copy()
                path = os.path.join(self.dir, os.path.basename(path))
                self.remove(path)
                missing = self.expect_missing_only(0, 1)
                self.assertEqual(self.lost, len(missing))
                self.assertFalse([key for _, key in missing if key.startswith(b"small")])
                lost |= missing
        self.assertIn(("", b"large"), lost)
        self.assertGreater(len(lost), 100)

    def test_one_value_in_a_segment(self):
        key = b"medium0007"
        value = self.before[""][key][0]
        paths = [path for path in self.segments() if value in self.content(path)]
        self.assertTrue(paths)
        for path in paths:  # one of them is what counts
            self.flip(path, self.content(path).index(value) + MEDIUM_BYTES // 2)
        missing = self.expect_missing_only(1)
        self.assertEqual((missing, self.lost), ({("", key)}, 1))

    def test_one_block_of_an_extent(self):
        self.flip(self.segments(EXTENTS)[-1], 1000000)
        missing = self.expect_missing_only(1)
        self.assertEqual((missing, self.lost), ({("", b"large")}, 1))

    def test_headers_of_segments(self):
        for where in (3, SEGMENT_HEADER_BYTES + 12):
            with self.subTest(where=where):
                self.copy()
                for path in self.segments():
                    if path not in self.log():
                        self.flip(path, where)
                self.expect_all()

    def test_segments_alone(self):
        self.remove(*self.tables(), *self.files(r"MANIFEST-\d+"))
        self.salvage(1)
        self.assertIn("order of changes is not known", self.out)
        self.checked()
        labels = self.labels()
        after = self.served()
        self.differences(after)
        for space in SPACES:
            for key, (value, _, _) in after[space].items():
                line = labels.get((space, key))
                self.assertIsNotNone(line, key)
                self.assertEqual(int(line[4]), len(value))
                self.assertAlmostEqual(int(line[3]), time.time() * 1000, delta=600000)
        for key, (value, _, _) in self.before[""].items():
            if key.startswith(b"medium"):
                self.assertTrue(after[""][key][0] == value, key)


class RefusalsTest(SalvageCase):
    def refused(self, dir, target, *words, **popen):
        before = sorted(os.listdir(self.dir))
        code, out, err = run("salvage", dir, target, *words, **popen)
        self.assertEqual((code, err.count("\n")), (3, 1), out + err)
        self.assertEqual(sorted(os.listdir(self.dir)), before)
        return err

    def test_folder_that_exists(self):
        os.mkdir(self.target)
        self.assertIn(self.target, self.refused(self.dir, self.target))
        self.assertEqual(os.listdir(self.target), [])
        self.refused(self.dir, self.dir)

    def test_folder_that_does_not(self):
        self.assertIn("nowhere", self.refused(self.folder + "/nowhere", self.target))
        self.assertFalse(os.path.exists(self.target))
        self.assertFalse(os.path.exists(self.folder + "/nowhere"))
        self.refused(self.dir, self.folder + "/no/parent")

    def test_while_a_server_runs(self):
        server = start(self, *OPTIONS, folder=self.folder)
        code, out, err = run("salvage", self.dir, self.target)
        self.assertEqual((code, out), (3, ""))
        self.assertIn("LOCK", err)
        self.assertIn(str(server.process.pid), err)
        self.assertFalse(os.path.exists(self.target))
        client = server.client()
        self.assertEqual(client.ask(put(b"k", b"v")).status, OK)
        client.close()

    def test_wrong_words(self):
        for words in (("salvage",), ("salvage", self.dir), ("salvage", self.dir, self.target, "more"),
                      ("salvage", self.dir, self.target, "--colour")):
            self.assertEqual(run(*words)[0], 2, words)
        self.assertFalse(os.path.exists(self.target))

    def test_no_file_may_grow(self):
        before = contents(self.dir)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, resource.RLIM_INFINITY))  # noqa: E731
        self.assertIn("too large", self.refused(self.dir, self.target, preexec_fn=limit).lower())
        self.assertTrue(contents(self.dir) == before)

    @unittest.skipUnless(os.getuid() == 0, "only root may mount a file system")
    def test_full_disk(self):
        mounted = mount_disk(self)
        free = os.statvfs(mounted)
        with open(os.path.join(mounted, "ballast"), "wb") as file:
            file.write(bytes(free.f_bavail * free.f_frsize - 2 * MIB))
        before = contents(self.dir)
        err = self.refused(self.dir, os.path.join(mounted, "data"))
        self.assertRegex(err.lower(), "space|full")
        self.assertTrue(contents(self.dir) == before)


if __name__ == "__main__":
    unittest.main()
