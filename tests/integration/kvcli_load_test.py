#!/usr/bin/env python3
# kvcli_load_test.py: `kvcli load`, from files and pipes, sorted and not, whole or not at all.
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvcli_case import EVERY_BYTE, KVCLI, KvcliCase, Server  # noqa: E402
from terminal import Terminal  # noqa: E402


def tsv(pairs):
    return b"".join(b"%s\t%s\n" % pair for pair in pairs)


class LoadTest(KvcliCase):
    def failed(self, *words, given=b"", code=4):
        """Runs it, which must fail and load nothing; what it says before that."""
        before = self.done("scan")
        run = self.run_kvcli(*words, given=given)
        self.assertEqual((run.returncode, run.stdout), (code, b""))
        first, last = run.stderr.decode().splitlines()
        self.assertEqual(last, "kvcli: nothing was loaded")
        self.assertEqual(self.done("scan"), before)
        return first

    def test_a_file_by_its_name_and_a_pipe_by_its_format(self):
        path = self.write("some.tsv", tsv((b"k%03d" % i, b"v%d" % i) for i in range(500)))
        self.assertRegex(self.done("load", path), rb"\Aloaded 500 keys, \d+ bytes, as version \d+\n\Z")
        self.assertEqual(self.done("count"), b"500\n")
        self.assertEqual(self.done("get", "k499"), b"v499")
        self.done("load", "-", "--format", "jsonl", "--prefix", "p/",
                  given=b'{"key":"a","value":"1","flags":9}\n\n{"key":"b","value":"2"}\n')
        self.assertEqual(self.done("scan", "p/"), b"p/a\t1\np/b\t2\n")
        self.assertIn(b"flags\t9", self.done("meta", "p/a"))

    def test_what_is_exported_can_be_loaded(self):
        for i, value in enumerate((b"", EVERY_BYTE, b"x" * 5000, EVERY_BYTE * 1000)):
            self.done("put", "--escape", "k\\x00\\xff\\t%d" % i, "-", "--flags", str(i), "--ttl", "2h", given=value)
        for name in ("all.tsv", "all.jsonl"):
            path = os.path.join(self.scratch, name)
            self.done("export", path)
            self.done("load", path, "-n", "copy")
            back = os.path.join(self.scratch, "back-" + name)
            self.done("export", back, "-n", "copy")
            self.assertEqual(self.read(back), self.read(path))
        pipe = "%s export - --format jsonl | %s load - --format jsonl -n piped" % (KVCLI, KVCLI)
        env = dict(os.environ, KVD_SERVER=self.server.address)
        subprocess.run(["sh", "-c", pipe], env=env, check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(self.done("export", "-", "--format", "jsonl", "-n", "piped"), self.read(path))

    def test_it_replaces_what_is_there(self):
        self.done("put", "b", "old")
        self.done("load", "-", "--format", "tsv", given=tsv([(b"a", b"1"), (b"b", b"2")]))
        self.assertEqual(self.done("scan"), b"a\t1\nb\t2\n")
        self.done("put", "b", "new")
        self.assertEqual(self.done("get", "b"), b"new")

    def test_ttl_is_for_lines_that_have_no_expiry(self):
        self.done("load", "-", "--format", "jsonl", "--ttl", "1h",
                  given=b'{"key":"a","value":"1","expires_at_ms":99999999999999}\n{"key":"b","value":"2"}\n')
        self.assertIn(b"expires_at_ms\t99999999999999", self.done("meta", "a"))
        self.assertLessEqual(int(self.done("ttl", "b")), 3600000)

    def test_lines_that_are_not_sorted_are_named_and_nothing_is_loaded(self):
        self.done("put", "there", "x")
        lines = tsv((b"k%05d" % i, b"v" * 100) for i in range(30000))
        for extra in (b"k00007\tagain\n", b"k29999\tagain\n"):
            path = self.write("unsorted.tsv", lines + extra)
            error = self.failed("load", path)
            self.assertIn("line 30001", error)
            self.assertIn("sorted", error)
            self.assertIn("import", error)
        self.done("import", path)

    def test_bad_lines_and_bad_sources(self):
        self.assertIn("line 2: no tab", self.failed("load", "-", "--format", "tsv", given=b"a\t1\nb\n"))
        self.assertIn("line 1", self.failed("load", "-", "--format", "jsonl", given=b"{\n"))
        self.assertIn("key", self.failed("load", "-", "--format", "tsv", given=b"\tempty\n"))
        long = self.write("long.tsv", b"a\t1\nb\t" + b"x" * (25 << 20) + b"\n")
        self.assertRegex(self.failed("load", long), "line 2: .* longer than .* put it by itself")
        self.refused(2, "load", "-")
        self.refused(2, "load", self.scratch)
        self.refused(2, "load", "name-without-ending")
        self.refused(2, "load", "-", "--format", "tree")
        self.refused(4, "load", os.path.join(self.scratch, "none.tsv"))
        self.refused(3, "load", "-", "--format", "tsv", server="unix:/nowhere")

    def test_an_empty_file_loads_nothing_and_is_no_failure(self):
        self.assertEqual(self.json("load", self.write("empty.tsv", b""))["loaded"], 0)

    def test_a_second_load_is_told_that_there_is_one(self):
        env = dict(os.environ, KVD_SERVER=self.server.address)
        first = subprocess.Popen([KVCLI, "load", "-", "--format", "tsv"], env=env, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first.stdin.write(tsv((b"a%06d" % i, b"v" * 1000) for i in range(5000)))
        first.stdin.flush()  # more than a pipe and a piece hold: the load has begun
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        run = self.run_kvcli("load", "-", "--format", "tsv", given=b"a\t2\n")
        self.assertEqual(run.returncode, 4)
        self.assertIn(b"another bulk load is under way", run.stderr)
        out, error = first.communicate(b"b\t2\n", timeout=20)
        self.assertEqual((first.returncode, error), (0, b""))
        self.assertEqual(self.done("count"), b"5001\n")

    def test_a_load_that_is_killed_leaves_nothing(self):
        env = dict(os.environ, KVD_SERVER=self.server.address)
        loading = subprocess.Popen([KVCLI, "load", "-", "--format", "tsv"], env=env, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        loading.stdin.write(tsv((b"k%06d" % i, b"v" * 1000) for i in range(5000)))
        loading.stdin.flush()
        loading.send_signal(signal.SIGTERM)  # a SIGINT is ignored by what a script started in the background
        loading.communicate()
        self.assertEqual(self.done("count"), b"0\n")
        deadline = time.monotonic() + 20
        while self.run_kvcli("load", "-", "--format", "tsv", given=b"a\t2\n").returncode != 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_a_server_that_goes_away_is_told_and_nothing_is_loaded(self):
        folder = os.path.join(self.scratch, "other")
        os.mkdir(folder)
        server = Server(folder)
        server.start()
        self.addCleanup(server.stop)
        env = dict(os.environ, KVD_SERVER=server.address)
        loading = subprocess.Popen([KVCLI, "load", "-", "--format", "tsv"], env=env, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        loading.stdin.write(tsv((b"k%06d" % i, b"v" * 1000) for i in range(5000)))
        loading.stdin.flush()
        server.kill()
        out, error = loading.communicate(tsv((b"l%06d" % i, b"v" * 1000) for i in range(5000)), timeout=60)
        self.assertIn(loading.returncode, (3, 4))
        self.assertTrue(error.decode().endswith("kvcli: nothing was loaded\n"), error)
        server.start()
        self.assertEqual(self.run_kvcli("count", server=server.address).stdout, b"0\n")

    def test_a_bar_on_a_terminal_alone(self):
        path = self.write("many.tsv", tsv((b"k%06d" % i, b"v" * 2000) for i in range(60000)))
        terminal = Terminal([KVCLI, "load", path], env=dict(os.environ, KVD_SERVER=self.server.address))
        self.addCleanup(terminal.close)
        terminal.expect("loaded 60000 keys")
        self.assertIn(b"MiB", terminal.seen)


if __name__ == "__main__":
    unittest.main(verbosity=2)
