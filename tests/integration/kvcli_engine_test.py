# kvcli_engine_test.py: ranges, numbers, expiry, the past, namespaces, large values and operation,
# through kvcli against a real server: what a person at a shell sees of the engine.
import hashlib
import json
import os
import resource
import subprocess
import time
import unittest

from kvcli_case import KVCLI, KvcliCase

MIB = 1024 * 1024


class Case(KvcliCase):
    def lines(self, *words):
        return self.done(*words).decode().splitlines()

    def json(self, *words):
        return json.loads(self.done("--json", *words).splitlines()[0])

    def version_of(self, key):
        return str(self.json("meta", key)["version"])

    def fill(self, *keys):
        for key in keys:
            self.done("put", key, "value of " + key)


class RangeTest(Case):
    def test_a_prefix_is_deleted_at_once_and_others_stay(self):
        self.fill("user/1", "user/2", "user0", "usf")
        self.done("delrange", "user/")
        self.assertEqual(self.lines("scan", "--keys"), ["user0", "usf"])
        self.assertEqual(self.done("count"), b"2\n")
        self.refused(1, "get", "user/1")
        self.done("put", "user/1", "again")
        self.assertEqual(self.done("get", "user/1"), b"again")

    def test_bounds_are_half_open(self):
        self.fill("a", "b", "c", "d")
        self.done("delrange", "--from", "b", "--to", "d")
        self.assertEqual(self.lines("scan", "--keys"), ["a", "d"])

    def test_every_key_only_when_asked_for(self):
        self.fill("a", "b")
        self.refused(2, "delrange")
        self.refused(2, "delrange", "a", "--all")
        self.done("delrange", "--all")
        self.assertEqual(self.done("count"), b"0\n")

    def test_it_lasts_over_flush_compaction_and_restart(self):
        self.fill(*("key%03d" % i for i in range(200)))
        self.done("flush")
        self.done("delrange", "key1")
        self.assertEqual(self.done("count"), b"100\n")
        self.done("flush")
        self.done("compact")
        self.assertEqual(self.done("count"), b"100\n")
        self.server.kill()
        self.server.start()
        self.assertEqual(self.done("count"), b"100\n")
        self.refused(1, "get", "key150")


class NumberTest(Case):
    def test_add(self):
        self.assertEqual(self.done("add", "n"), b"1\n")
        self.assertEqual(self.done("add", "n", "41"), b"42\n")
        self.assertEqual(self.done("add", "n", "--", "-50"), b"-8\n")
        self.assertEqual(self.json("add", "n", "8")["sum"], 0)

    def test_overflow_and_what_is_no_number_change_nothing(self):
        self.done("put", "n", "9223372036854775807")
        self.assertIn("64", self.refused(4, "add", "n"))
        self.assertEqual(self.done("get", "n"), b"9223372036854775807")
        self.done("put", "n", "forty-two")
        self.refused(4, "add", "n")
        self.assertEqual(self.done("get", "n"), b"forty-two")
        self.refused(2, "add", "n", "1.5")

    def test_append_crosses_the_threshold_of_separation(self):
        expected = b""
        for i in range(40):
            piece = (b"%03d" % i) * 20
            expected += piece
            self.assertEqual(self.done("append", "log", piece.decode()),
                             b"%d\n" % len(expected))
        self.assertEqual(self.done("get", "log"), expected)

    def test_expiry(self):
        self.done("put", "k", "v")
        self.assertEqual(self.done("ttl", "k"), b"-1\n")
        self.done("touch", "k", "--ttl", "1h")
        self.assertTrue(3500000 < int(self.done("ttl", "k")) <= 3600000)
        self.done("persist", "k")
        self.assertEqual(self.done("ttl", "k"), b"-1\n")
        self.refused(1, "touch", "absent", "--ttl", "1h")
        self.refused(2, "touch", "k")
        self.done("touch", "k", "--ttl", "100ms")
        time.sleep(0.3)
        self.refused(1, "get", "k")

    def test_a_touch_copies_no_value(self):
        self.done("put", "big", "-", given=os.urandom(3 * MIB))
        before = int(self.lines("stats", "storage.log_bytes_written")[0].split("\t")[1])
        self.done("touch", "big", "--ttl", "1h")
        after = int(self.lines("stats", "storage.log_bytes_written")[0].split("\t")[1])
        self.assertLess(after - before, 1000)

    def test_batches(self):
        given = b"put a 1\nadd a 41\nappend b xy\nappend b z\nput t 1\ntouch t 1h\ndelrange c d\n"
        self.fill("c1", "c2")
        self.done("batch", "--atomic", given=given)
        self.assertEqual(self.done("get", "a"), b"42")
        self.assertEqual(self.done("get", "b"), b"xyz")
        self.assertGreater(int(self.done("ttl", "t")), 0)
        self.assertEqual(self.done("count", "c"), b"0\n")
        self.done("batch", given=b"add a 1\nadd a 1\npersist t\n")
        self.assertEqual(self.done("get", "a"), b"44")
        self.refused(2, "batch", given=b"add a many\n")


class DecideTest(Case):
    def test_compares_and_writes_at_once(self):
        script = b"if lock absent\nthen put lock 'Ada L.'\nthen add takes 1\nelse get lock\n"
        self.assertEqual(self.run_kvcli("decide", given=script).stdout, b"1\n")
        run = self.run_kvcli("decide", given=script)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (1, b"found\tAda L.\n", b""))
        self.assertEqual(self.done("decide", given=b"if takes value > 0\nif lock version > 0\nthen del lock\n"), b"")
        self.assertEqual(self.run_kvcli("decide", given=b"if lock exists\nelse get lock").stdout, b"absent\n")

    def test_bad_lines_are_named(self):
        for line, part in ((b"when lock absent", b"if, then or else"), (b"if lock maybe", b"write if KEY exists"),
                           (b"if lock version = x", b"write if KEY exists"), (b"then get", b"get KEY or a line"),
                           (b"then nothing x", b"get KEY or a line"), (b"if 'open", b"a quote that does not end")):
            run = self.run_kvcli("decide", given=b"\n# fine\n" + line + b"\n")
            self.assertEqual(run.returncode, 2, line)
            self.assertIn(b"line 3: ", run.stderr)
            self.assertIn(part, run.stderr)


class PastTest(Case):
    def test_a_snapshot_keeps_its_state(self):
        self.fill("a", "b")
        snapshot = self.done("snapshot", "open").decode().strip()
        self.done("put", "a", "new")
        self.done("delrange", "--all")
        self.fill("c")
        self.done("flush")
        self.done("compact")
        self.assertEqual(self.done("get", "a", "--snapshot", snapshot), b"value of a")
        self.assertEqual(self.lines("scan", "--keys", "--snapshot", snapshot), ["a", "b"])
        self.assertEqual(self.done("count", "--snapshot", snapshot), b"2\n")
        self.assertIn(snapshot, [line.split("\t")[0] for line in self.lines("snapshot", "list")])
        self.done("snapshot", "close", snapshot)
        self.refused(4, "get", "a", "--snapshot", snapshot)
        self.refused(1, "snapshot", "close", snapshot)

    def test_history_diff_and_rewind(self):
        self.done("namespace", "set", "past", "--keep", "1h")
        space = ("--namespace", "past")
        self.done("put", "a", "one", *space)
        self.done("put", "big", "-", *space, given=b"x" * 100000)
        version = str(self.json("meta", "big", *space)["version"])
        self.done("put", "a", "two", *space)
        self.done("del", "big", *space)
        self.done("put", "c", "new", *space)
        self.done("flush")
        self.done("compact")
        self.assertEqual(len(self.lines("history", "a", *space)), 2)
        self.assertIn("deleted", self.lines("history", "big", *space)[0])
        self.assertEqual(self.done("get", "a", "--at", version, *space), b"one")
        self.assertEqual(self.done("get", "big", "--at", version, *space), b"x" * 100000)
        self.refused(1, "get", "c", "--at", version, *space)
        self.assertEqual(self.lines("diff", "", version, *space), ["~ a", "- big", "+ c"])
        self.assertEqual(self.json("rewind", "", "--at", version, *space)["changed"], 3)
        self.assertEqual(self.done("get", "a", *space), b"one")
        self.assertEqual(self.done("get", "big", *space), b"x" * 100000)
        self.refused(1, "get", "c", *space)
        self.assertEqual(self.lines("diff", "", version, *space), [])

    def test_what_is_not_kept_is_gone(self):
        self.done("put", "k", "1")
        version = self.version_of("k")
        self.done("put", "k", "2")
        self.done("flush")
        self.done("compact")
        self.assertIn("not keep", self.refused(4, "get", "k", "--at", version))
        self.refused(4, "get", "k", "--at", "999999999999")
        self.refused(2, "get", "k", "--at", "1", "--snapshot", "1")


class NamespaceTest(Case):
    def names(self):
        return [line.split("\t")[0] for line in self.lines("namespace", "list")]

    def test_create_use_drop(self):
        self.done("namespace", "set", "logs", "--quota", "10MiB")
        self.done("put", "k", "v", "--namespace", "logs")
        self.assertIn("logs", self.names())
        self.refused(1, "get", "k")
        self.done("namespace", "drop", "logs")
        self.assertNotIn("logs", self.names())
        self.refused(1, "get", "k", "--namespace", "logs")
        self.done("put", "k2", "v", "--namespace", "logs")
        self.assertEqual(self.lines("scan", "--keys", "--namespace", "logs"), ["k2"])
        self.done("namespace", "drop", "logs")
        self.refused(1, "namespace", "drop", "logs")

    def test_a_quota_refuses_puts_and_not_deletes(self):
        self.done("namespace", "set", "small", "--quota", "100KiB")
        self.done("put", "k", "-", "--namespace", "small", given=os.urandom(90000))
        error = self.refused(4, "put", "k2", "-", "--namespace", "small", given=os.urandom(90000))
        self.assertIn("quota", error)
        self.done("del", "k", "--namespace", "small")
        self.done("namespace", "drop", "small")

    def test_a_delete_makes_no_namespace(self):
        self.refused(1, "del", "k", "--namespace", "never")
        self.assertNotIn("never", self.names())


class LargeTest(Case):
    def test_a_value_of_100_mib_goes_in_and_out_by_pieces(self):
        path = os.path.join(self.scratch, "large")
        sent = hashlib.sha256()
        with open(path, "wb") as out:
            for i in range(100):
                piece = hashlib.sha256(b"%d" % i).digest() * (MIB // 32)
                sent.update(piece)
                out.write(piece)
        self.done("put", "large", "--file", path)
        self.assertEqual(self.json("meta", "large")["length"], 100 * MIB)
        words = [KVCLI, "-s", self.server.address, "get", "large", "--verify"]
        seen = hashlib.sha256()
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            for got in iter(lambda: process.stdout.read(MIB), b""):
                seen.update(got)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(seen.hexdigest(), sent.hexdigest())
        usage = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(usage, 100 * 1024)  # KiB: nobody held the value
        with open(path, "rb") as given:
            given.seek(70 * MIB - 5)
            part = given.read(10)
        start = 70 * MIB - 5
        self.assertEqual(self.done("get", "large", "--range", "%d-%d" % (start, start + 9)), part)
        self.assertEqual(self.done("get", "large", "--range", "%d-" % (100 * MIB - 3)), piece[-3:])
        self.done("del", "large")
        self.refused(1, "get", "large")

    def test_ranges_of_short_values(self):
        self.done("put", "k", "0123456789")
        self.assertEqual(self.done("get", "k", "--range", "2-4"), b"234")
        self.assertEqual(self.done("get", "k", "--range", "8-100"), b"89")
        self.assertEqual(self.done("get", "k", "--range", "10-"), b"")
        self.refused(2, "get", "k", "--range", "4-2")
        self.refused(2, "get", "k", "--range", "x")


class OperateTest(Case):
    def test_explain_names_the_places(self):
        self.done("put", "k", "-", given=b"v" * 5000)
        self.assertTrue(any(line.startswith("memtable") for line in self.lines("explain", "k")))
        self.done("flush")
        text = self.done("explain", "k").decode()
        self.assertRegex(text, r"level \d +table \d+")
        self.assertIn("segment", text)
        self.assertIn("no such key", self.done("explain", "absent").decode())

    def test_why_space_adds_up_to_what_the_disk_says(self):
        self.fill(*("k%d" % i for i in range(50)))
        self.done("put", "big", "-", given=os.urandom(MIB))
        self.done("flush")
        kinds = [json.loads(line) for line in self.done("--json", "why", "space").splitlines()]
        data = os.path.join(self.folder, "data")
        disk = sum(os.path.getsize(os.path.join(data, name)) for name in os.listdir(data))
        self.assertEqual(sum(kind["bytes"] for kind in kinds), disk)

    def test_verify_finds_nothing_wrong(self):
        self.fill("a", "b")
        self.done("put", "big", "-", given=os.urandom(MIB))
        text = self.done("verify").decode()
        self.assertRegex(text, r"faults\t0")

    def test_a_checkpoint_is_a_store_of_its_own(self):
        self.fill("a", "b")
        copy = os.path.join(self.scratch, "copy")
        self.done("checkpoint", copy)
        self.done("put", "a", "later")
        self.refused(1, "checkpoint", copy)
        check = subprocess.run([os.path.join(os.path.dirname(KVCLI), "kvd"), "check", copy],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(check.returncode, 0, check.stderr)

    def test_gc_by_hand(self):
        for _ in range(3):
            self.done("put", "big", "-", given=os.urandom(8 * MIB))
        self.done("flush")
        self.done("compact")
        self.done("gc")


if __name__ == "__main__":
    unittest.main()
