# kvcli_backup_test.py: backups as people make them: while others write, restored into another kvd,
# incremental, damaged, cut short, on a full disk, and killed half-way.
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from kvcli_case import EVERY_BYTE, KVCLI, ROOT, KvcliCase, Server
from kvcli_test import open_terminal, read_terminal

MIB = 1 << 20


class BackupTest(KvcliCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_folder = tempfile.mkdtemp(prefix="kvcli-other-")
        cls.addClassCleanup(shutil.rmtree, cls.other_folder)
        cls.other = Server(cls.other_folder)
        cls.other.start()
        cls.addClassCleanup(cls.other.stop)

    def clear(self):
        for server in (self.server, self.other):
            self.to(server, "delrange", "--all")
            for line in self.to(server, "--json", "namespace", "list").decode().splitlines():
                name = json.loads(line)["name"]
                if name:
                    self.to(server, "namespace", "drop", name)

    # --- verbs

    def to(self, server, *words, given=b""):
        run = self.run_kvcli(*words, given=given, server=server.address)
        self.assertEqual((run.returncode, run.stderr), (0, b""), words)
        return run.stdout

    def path(self, name):
        return os.path.join(self.scratch, name)

    def backup(self, name, *words):
        report = self.json("backup", self.path(name), *words)
        self.json("backup", "verify", self.path(name))
        return report

    def restore(self, *names):
        return self.to(self.other, "restore", *[self.path(name) for name in names])

    def expect_same(self, *words):
        """Both hold the same, but for the versions."""
        here, there = [[{name: value for name, value in json.loads(line).items()
                         if name != "version"}
                        for line in self.to(server, "--json", *words, "scan").splitlines()]
                       for server in (self.server, self.other)]
        self.assertEqual(here, there)
        return here

    def put_some(self, numbers, text="value"):
        lines = "".join("put key%05d '%s of %d'\n" % (number, text, number) for number in numbers)
        self.done("batch", given=lines.encode())

    # --- there and back

    def test_a_restored_store_is_the_same(self):
        self.put_some(range(3000))
        self.done("put", "-e", r"\x00\xff\n", "-", given=EVERY_BYTE)
        self.done("put", "empty", "")
        self.done("put", "flagged", "x", "--flags", "77", "--ttl", "1h")
        self.done("namespace", "set", "logs", "--quota", "100MiB", "--keep", "1h", "--keep-versions", "3")
        self.done("-n", "logs", "put", "a", "in logs")
        self.done("namespace", "set", "empty space")
        report = self.backup("full")
        self.assertEqual((report["keys"], report["namespaces"], report["deleted"]), (3004, 3, 0))
        self.restore("full")
        self.assertEqual(len(self.expect_same()), 3003)
        self.expect_same("-n", "logs")
        spaces = [json.loads(line) for line in
                  self.to(self.other, "--json", "namespace", "list").splitlines()]
        settings = {space["name"]: (space["quota_bytes"], space["keep_ms"], space["keep_versions"])
                    for space in spaces}
        self.assertEqual(settings["logs"], (100 * MIB, 3600000, 3))
        self.assertIn("empty space", settings)

    def test_large_values_come_back_whole(self):
        values = {"40MiB": random.Random(1).randbytes(40 * MIB), "1MiB": b"compressible " * 80660,
                  "256KiB": random.Random(2).randbytes(262144), "and one": random.Random(3).randbytes(262145)}
        for key, value in values.items():
            self.done("put", key, "--file", self.write("value", value))
        self.backup("full")
        self.restore("full")
        for key, value in values.items():
            self.assertEqual(self.to(self.other, "get", key), value)
        self.to(self.other, "append", "1MiB", "!")

    def test_what_has_expired_meanwhile_is_left_out(self):
        self.done("put", "short", "x", "--ttl", "4s")
        self.done("put", "long", "x", "--ttl", "1h")
        self.backup("full")
        time.sleep(4)
        self.assertIn(b"1 had expired", self.restore("full"))
        self.assertEqual(self.to(self.other, "scan", "--keys"), b"long\n")

    def test_through_a_pipe(self):
        self.put_some(range(500))
        content = self.done("backup", "-")
        self.assertEqual(self.done("--json", "backup", "verify", "-", given=content)[:13], b'{"sound":true')
        self.to(self.other, "restore", "-", given=content)
        self.assertEqual(len(self.expect_same()), 500)

    def test_one_namespace_and_into_another(self):
        self.done("put", "outside", "x")
        self.done("-n", "logs", "put", "inside", "x")
        self.assertEqual(self.backup("logs", "-n", "logs")["namespaces"], 1)
        self.to(self.other, "restore", self.path("logs"), "-n", "logs", "--into", "elsewhere")
        self.assertEqual(self.to(self.other, "-n", "elsewhere", "scan"), b"inside\tx\n")
        self.assertEqual(self.to(self.other, "scan"), b"")
        self.assertIn("no such namespace", self.refused(4, "backup", self.path("none"), "-n", "none"))

    # --- while others write

    def stopped_in_the_middle(self, name, *words):
        """A backup of more than 60 MiB that has written some, and waits for SIGCONT."""
        self.done("put", "big", "--file", self.write("big", random.Random(5).randbytes(60 * MIB)))
        part = self.path(name + ".part")
        while True:
            process = subprocess.Popen([KVCLI, "--json", "backup", self.path(name), *words], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=dict(os.environ, KVD_SERVER=self.server.address))
            while process.poll() is None and not (os.path.exists(part) and os.path.getsize(part) > MIB):
                time.sleep(0.001)
            os.kill(process.pid, signal.SIGSTOP)
            if not os.path.exists(self.path(name)):
                return process
            self.assertEqual(self.go_on(process)[::2], (0, b""))  # this test was late; once more
            os.unlink(self.path(name))

    def go_on(self, process):
        os.kill(process.pid, signal.SIGCONT)
        output, error = process.communicate()
        return process.returncode, output, error

    def test_a_backup_is_of_one_moment_while_writes_go_on(self):
        pair = b"put a-first %d\nput z-last %d\n"
        self.done("batch", "--atomic", given=pair % (1, 1))
        self.done("-n", "later", "put", "k", "before")
        process = self.stopped_in_the_middle("full")
        for number in range(2, 10):
            self.done("batch", "--atomic", given=pair % (number, number))
        self.done("put", "m-new", "x")
        self.done("del", "big")
        self.done("-n", "later", "put", "k", "behind")
        self.done("flush")
        self.done("compact")
        self.done("gc")
        code, output, error = self.go_on(process)
        self.assertEqual((code, error), (0, b""))
        self.assertEqual(json.loads(output)["keys"], 4)
        self.restore("full")
        self.assertEqual(self.to(self.other, "scan", "--keys"), b"a-first\nbig\nz-last\n")
        self.assertEqual(self.to(self.other, "mget", "a-first", "z-last"), b"a-first\t1\nz-last\t1\n")
        self.assertEqual(self.to(self.other, "-n", "later", "get", "k"), b"before")
        self.assertEqual(self.to(self.other, "get", "big"), random.Random(5).randbytes(60 * MIB))

    def test_backups_made_beside_a_busy_writer_restore_to_whole_commits(self):
        self.put_some(range(2000))
        stop = threading.Event()
        rounds = [0]

        def write():
            while not stop.is_set():
                rounds[0] += 1
                self.done("batch", "--atomic",
                          given=b"put a-first %d\nput z-last %d\n" % (rounds[0], rounds[0]))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while rounds[0] < 3:
                time.sleep(0.01)
            for number in range(5):
                self.backup("moving%d" % number)
        finally:
            stop.set()
            writer.join()
        for number in range(5):
            self.to(self.other, "delrange", "--all")
            self.restore("moving%d" % number)
            found = self.to(self.other, "mget", "a-first", "z-last").split()
            self.assertEqual(found[1], found[3])
            self.assertEqual(self.to(self.other, "count"), b"2002\n")

    # --- incremental

    def test_a_chain_restores_to_what_the_last_one_saw(self):
        self.put_some(range(1000))
        self.done("-n", "logs", "put", "old", "x")
        self.done("-n", "dropped", "put", "k", "x")
        first = self.backup("full", "--hold", "1h")
        self.done("delrange", "key0001")
        self.put_some(range(500, 1500, 3), "changed")
        self.done("put", "big", "--file", self.write("big", random.Random(5).randbytes(3 * MIB)))
        self.done("namespace", "drop", "logs")
        self.done("-n", "logs", "put", "new", "x")
        self.done("namespace", "drop", "dropped")
        second = self.backup("second", "--since", str(first["version"]), "--hold", "1h")
        self.assertEqual((second["deleted"], second["keys"]), (10, 336))
        self.put_some(range(0, 100, 7), "again")
        self.done("-n", "made", "put", "k", "x")
        self.backup("third", "--since", str(second["version"]))
        self.restore("full", "second", "third")
        self.expect_same()
        self.assertEqual([entry["key"] for entry in self.expect_same("-n", "logs")], ["new"])
        self.expect_same("-n", "made")
        self.assertNotIn(b"dropped", self.to(self.other, "namespace", "list"))

    def test_what_expired_since_does_not_bring_back_what_was_before(self):
        self.done("put", "k", "old")
        first = self.backup("full", "--hold", "1h")
        self.done("put", "k", "new", "--ttl", "1s")
        self.backup("second", "--since", str(first["version"]))
        time.sleep(1.2)
        self.restore("full", "second")
        self.assertEqual(self.to(self.other, "scan"), b"")

    def test_backups_that_do_not_follow_one_another_are_refused(self):
        self.done("put", "a", "1")
        first = self.backup("full", "--hold", "1h")
        self.done("put", "a", "2")
        second = self.backup("second", "--since", str(first["version"]), "--hold", "1h")
        self.done("put", "a", "3")
        self.backup("third", "--since", str(second["version"]))
        for names, what in ((["second"], "name that one before it"), (["full", "third"], "does not continue")):
            run = self.run_kvcli("restore", *map(self.path, names), server=self.other.address)
            self.assertEqual(run.returncode, 4)
            self.assertIn(what, run.stderr.decode())
            self.to(self.other, "delrange", "--all")

    def test_a_version_that_is_not_kept_asks_for_a_complete_backup(self):
        version = self.json("put", "a", "1")["version"]
        self.json("put", "a", "2")
        self.done("flush")
        self.done("put", "a", "3")
        self.done("compact")
        error = self.refused(4, "backup", self.path("second"), "--since", str(version))
        self.assertIn("complete backup is needed", error)
        self.assertIn("not reached yet", self.refused(4, "backup", self.path("x"), "--since", "99999999"))
        self.assertEqual(os.listdir(self.scratch), [])

    def test_a_restart_gives_up_what_was_held_and_says_so(self):
        self.put_some(range(100))
        first = self.backup("full", "--hold", "1h")
        self.put_some(range(0, 100, 3), "changed")
        self.done("del", "key00001")
        self.server.stop()
        self.server.start()
        self.done("flush")
        self.done("put", "key00050", "new")
        self.done("compact")
        error = self.refused(4, "backup", self.path("second"), "--since", str(first["version"]))
        self.assertIn("complete backup is needed", error)

    def test_what_a_namespace_keeps_is_as_good_as_holding_it(self):
        self.done("namespace", "set", "logs", "--keep", "1h")
        self.done("-n", "logs", "put", "a", "1")
        self.done("-n", "logs", "put", "b", "1")
        time.sleep(1.1)  # what was written in the second when keeping began may be gone
        first = self.backup("full", "-n", "logs")
        self.done("-n", "logs", "put", "a", "2")
        self.done("-n", "logs", "del", "b")
        self.server.stop()
        self.server.start()
        self.done("compact")
        second = self.backup("second", "-n", "logs", "--since", str(first["version"]))
        self.assertEqual((second["keys"], second["deleted"]), (1, 1))
        self.restore("full", "second")
        self.expect_same("-n", "logs")

    def kept(self, *names):
        """Namespaces with old versions, so that no snapshot is needed to continue a backup."""
        for name in names:
            self.done("namespace", "set", name, "--keep", "1h")
        self.addCleanup(self.done, "namespace", "set", "", "--keep", "0")
        time.sleep(1.1)  # what was written in the second when keeping began may be gone

    def forget_states(self):
        """What is not kept is gone: a commit behind a restart."""
        self.server.stop()
        self.server.start()
        self.done("put", "other", "x")

    def test_a_namespace_made_since_is_written_whole_though_it_knows_no_state_before(self):
        self.kept("", "logs", "again")
        self.done("-n", "logs", "put", "a", "1")
        self.done("-n", "again", "put", "old", "1")
        self.done("-n", "again", "put", "both", "1")
        first = self.backup("full")
        self.done("-n", "logs", "put", "a", "2")
        self.done("namespace", "drop", "again")
        self.done("-n", "again", "put", "both", "2")
        self.done("-n", "made", "put", "k", "x")
        self.done("namespace", "set", "kept too", "--keep", "1h")
        self.done("-n", "kept too", "put", "k", "y")
        self.done("-n", "made", "put", "big", "--file", self.write("big", random.Random(5).randbytes(MIB)))
        self.forget_states()
        error = self.refused(4, "backup", self.path("second"), "--since", str(first["version"]))
        self.assertIn("in namespace 'again'", error)
        self.assertIn("--since FILE", error)
        second = self.backup("second", "--since", self.path("full"))
        self.assertEqual((second["since"], second["new_namespaces"], second["keys"], second["deleted"]),
                         (first["version"], 3, 6, 0))
        self.assertEqual(self.json("backup", "verify", self.path("second"))["new_namespaces"], 3)
        self.assertIn(b", 3 of them new, ", self.done("backup", "verify", self.path("second")))
        self.assertEqual(self.done("--backup", self.path("second"), "-n", "again", "scan"), b"both\t2\n")
        self.restore("full", "second")
        self.expect_same()
        for name, keys in (("logs", ["a"]), ("again", ["both"]), ("made", ["big", "k"]), ("kept too", ["k"])):
            self.assertEqual([entry["key"] for entry in self.expect_same("-n", name)], keys)

    def test_a_new_namespace_clears_what_was_restored_before_it_also_without_the_chain(self):
        self.kept("", "again")
        self.done("-n", "again", "put", "old", "1")
        self.backup("full")
        self.done("namespace", "drop", "again")
        self.done("-n", "again", "put", "new", "2")
        self.done("put", "mine", "x")
        self.backup("second", "--since", self.path("full"))
        self.restore("full")
        self.to(self.other, "put", "stays", "x")
        self.to(self.other, "restore", "--force", self.path("second"))
        self.assertEqual(self.to(self.other, "-n", "again", "scan"), b"new\t2\n")
        self.assertEqual(self.to(self.other, "scan", "--keys"), b"mine\nstays\n")

    def test_a_namespace_that_was_there_is_not_written_whole_when_its_state_is_gone(self):
        self.kept("")
        self.done("-n", "logs", "put", "a", "1")
        self.backup("full")
        self.done("-n", "logs", "put", "a", "2")
        self.forget_states()
        error = self.refused(4, "backup", self.path("second"), "--since", self.path("full"))
        self.assertIn("in namespace 'logs': a complete backup is needed", error)
        self.assertNotIn("--since FILE", error)

    def test_what_a_backup_continues_is_a_version_or_a_file_that_goes_with_it(self):
        self.done("-n", "logs", "put", "a", "1")
        whole = self.backup("whole", "--hold", "1h")
        self.backup("logs", "-n", "logs", "--hold", "1h")
        self.assertIn("neither a version nor a backup",
                      self.refused(4, "backup", self.path("x"), "--since", self.path("none")))
        self.assertIn("begin at 1", self.refused(2, "backup", self.path("x"), "--since", "0"))
        self.assertIn("leave --namespace out", self.refused(
            2, "backup", self.path("x"), "-n", "logs", "--since", self.path("whole")))
        for words in ((), ("-n", "other")):
            self.assertIn("of one namespace", self.refused(
                2, "backup", self.path("x"), *words, "--since", self.path("logs")))
        content = self.read(self.path("whole"))
        self.assertIn("cut short", self.refused(
            4, "backup", self.path("x"), "--since", self.write("cut", content[:-1])))
        self.done("-n", "logs", "put", "b", "1")
        for number, since in enumerate((str(whole["version"]), self.path("whole"))):
            report = self.backup("x%d" % number, "--since", since)
            self.assertEqual((report["since"], report["new_namespaces"], report["keys"]),
                             (whole["version"], 0, 1))
        self.assertEqual(self.backup("y", "-n", "logs", "--since", self.path("logs"))["keys"], 1)

    # --- in place

    def same_answer(self, path, *words):
        """Of the server and of the backup: output, exit code, and the complaint."""
        server = self.run_kvcli(*words)
        backup = self.run_kvcli("--backup", path, *words, server="unix:/nowhere")
        self.assertEqual((backup.returncode, backup.stdout), (server.returncode, server.stdout), words)
        self.assertEqual(backup.stderr, server.stderr, words)
        return backup

    def test_a_backup_answers_as_the_server_it_was_made_of(self):
        self.put_some(range(2500))
        self.done("put", "-e", r"\x00\xff\n", "-", given=EVERY_BYTE)
        self.done("put", "empty", "")
        self.done("put", "flagged", "x", "--flags", "77", "--ttl", "1h")
        self.done("put", "medium", "--file", self.write("medium", random.Random(1).randbytes(700000)))
        self.done("put", "large", "--file", self.write("large", random.Random(2).randbytes(5 * MIB)))
        self.done("-n", "logs", "put", "a", "in logs")
        self.done("-n", "zoo", "put", "a", "in zoo")
        self.backup("full")
        path = self.path("full")
        for words in (["get", "key00042"], ["get", "none"], ["get", "empty"], ["get", "-e", r"\x00\xff\n"],
                      ["get", "medium"], ["get", "large"], ["get", "large", "--range", "1048570-3145735"],
                      ["get", "key00042", "--range", "3-"], ["get", "key00042", "--range", "900-"],
                      ["get", "flagged", "--verify"], ["exists", "key02499"], ["exists", "key02500"],
                      ["meta", "flagged"], ["meta", "none"], ["meta", "large"], ["meta", "medium", "--verify"],
                      ["meta", "large", "--verify"], ["mget", "key00001", "none", "large"],
                      ["scan"], ["scan", "--keys"], ["scan", "--reverse", "--keys"], ["scan", "key0001"],
                      ["scan", "key0001", "--reverse"], ["scan", "m"], ["scan", "zzz"], ["scan", "--limit", "7"],
                      ["scan", "--from", "key00100", "--to", "key00105"],
                      ["scan", "--from", "key00100", "--to", "key00105", "--reverse"],
                      ["scan", "-e", "--from", r"\x00", "--to", "f"], ["scan", "--limit", "0"],
                      ["scan", "-e", r"\xff"], ["scan", "-e", r"\xff", "--reverse"], ["count"],
                      ["count", "key000"], ["count", "--to", "key00100"],
                      ["-n", "logs", "scan"], ["-n", "zoo", "scan", "--reverse"], ["-n", "logs", "get", "a"]):
            self.same_answer(path, *words)
            if words != ["get", "large"]:
                self.same_answer(path, "--json", *words)

    def test_an_incremental_backup_answers_what_it_has(self):
        self.put_some(range(10))
        first = self.backup("full", "--hold", "1h")
        self.done("del", "key00003")
        self.done("put", "key00004", "new")
        self.backup("second", "--since", str(first["version"]))
        self.assertEqual(self.done("--backup", self.path("second"), "scan"), b"key00004\tnew\n")
        self.refused(1, "--backup", self.path("second"), "get", "key00003")
        self.assertEqual(self.done("--backup", self.path("second"), "count"), b"1\n")

    def test_a_damaged_backup_in_place_answers_right_or_not_at_all(self):
        self.put_some(range(3000))
        self.backup("full")
        content, right = self.read(self.path("full")), self.done("get", "key01234")
        chance = random.Random(4)
        failures = 0
        for _ in range(60):
            damaged = bytearray(content)
            for _ in range(8):
                damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            path = self.write("damaged", bytes(damaged))
            run = self.run_kvcli("--backup", path, "get", "key01234")
            failures += run.returncode != 0
            self.assertIn((run.returncode, run.stdout), ((0, right), (4, b"")))
            self.refused(4, "--backup", self.write("cut", content[:chance.randrange(len(content))]), "scan")
        self.assertGreater(failures, 5)

    def test_what_a_backup_cannot_do_is_said(self):
        self.put_some(range(3))
        self.backup("full")
        path = self.path("full")
        self.assertIn("does not read a backup", self.refused(2, "--backup", path, "put", "a", "b"))
        self.assertIn("one state only", self.refused(2, "--backup", path, "get", "key00001", "--at", "1"))
        self.assertIn("no namespace 'none'", self.refused(4, "--backup", path, "-n", "none", "scan"))
        self.assertIn("opening", self.refused(4, "--backup", self.path("none"), "scan"))
        self.refused(2, "--backup", path)
        self.done("--backup", path, "help")

    def test_backups_of_earlier_versions_are_read(self):
        full, since, before, new = [os.path.join(ROOT, "tests", "golden", "backup-1", name)
                                    for name in ("full.kvb", "since.kvb", "before.kvb", "new.kvb")]
        self.assertEqual((self.json("backup", "verify", full)["keys"],
                          self.json("backup", "verify", since)["deleted"]), (204, 1))
        self.assertEqual(self.done("--backup", full, "get", "key150"), b"the value of key 150")
        self.assertEqual(self.done("--backup", full, "get", "-e", r"\x00\xff"), b"-e")
        self.assertEqual(self.done("--backup", full, "get", "zeros"), bytes(300000))
        self.assertEqual(self.json("--backup", full, "meta", "flagged")["flags"], 9)
        self.assertEqual(self.done("--backup", full, "-n", "logs", "scan"), b"a\t1\n")
        self.to(self.other, "restore", full, since)
        self.assertEqual(self.to(self.other, "count"), b"202\n")
        self.assertEqual(self.to(self.other, "get", "key8"), b"changed")
        self.assertEqual(self.to(self.other, "-n", "logs", "scan"), b"a\t1\nb\t2\n")
        self.assertEqual(self.json("backup", "verify", new)["new_namespaces"], 2)
        self.to(self.other, "restore", "--force", before, new)
        self.assertEqual(self.to(self.other, "-n", "again", "scan"), b"both\t2\n")
        self.assertEqual(self.to(self.other, "-n", "made", "scan"), b"k\tx\n")
        self.assertEqual(self.to(self.other, "-n", "stays", "scan"), b"k\t2\n")

    # --- for people

    def test_progress_is_shown_on_a_terminal_only(self):
        self.put_some(range(100))
        outer, inner = open_terminal(self)
        env = dict(os.environ, KVD_SERVER=self.server.address)
        path = self.path("full")
        for words in (("backup", path), ("backup", "verify", path), ("restore", "--force", path)):
            run = subprocess.run([KVCLI, *words], stdout=subprocess.PIPE, stderr=inner, env=env)
            self.assertEqual(run.returncode, 0)
            self.assertRegex(read_terminal(outer), rb"keys/s.*\r\x1b\[K\Z")
        os.close(inner)
        os.close(outer)

    # --- what goes wrong

    def test_a_restore_goes_on_when_the_server_comes_back(self):
        self.put_some(range(60000))
        self.backup("full")
        process = self.restore_stopped_in_the_middle("full")
        self.other.kill()
        self.other.start()
        code, output, error = self.go_on(process)
        self.assertEqual((code, error), (0, b""))
        self.assertIn(b"resumed 1 times", output)
        self.expect_same()

    def restore_stopped_in_the_middle(self, name):
        while True:
            process = subprocess.Popen([KVCLI, "restore", "--retry", "60s", self.path(name)],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env=dict(os.environ, KVD_SERVER=self.other.address))
            while process.poll() is None and self.to(self.other, "count") == b"0\n":
                time.sleep(0.001)
            os.kill(process.pid, signal.SIGSTOP)
            if process.poll() is None:
                return process
            self.assertEqual(self.go_on(process)[::2], (0, b""))  # this test was late; once more
            self.to(self.other, "delrange", "--all")

    def test_keys_that_are_there_are_not_written_over_without_force(self):
        self.put_some(range(10))
        self.backup("full")
        self.to(self.other, "put", "key00003", "mine")
        run = self.run_kvcli("restore", self.path("full"), server=self.other.address)
        self.assertEqual((run.returncode, run.stdout), (1, b""))
        self.assertIn(b"--force", run.stderr)
        self.assertEqual(self.to(self.other, "count"), b"1\n")
        self.to(self.other, "restore", "--force", self.path("full"))
        self.expect_same()

    def test_a_file_that_is_there_is_not_replaced_without_force(self):
        self.write("full", b"precious")
        self.refused(4, "backup", self.path("full"))
        self.assertEqual(self.read(self.path("full")), b"precious")
        self.done("backup", "--force", self.path("full"))
        self.done("backup", "verify", self.path("full"))

    def test_what_is_no_file_is_not_replaced_and_no_server_is_asked(self):
        os.mkdir(self.path("folder"))
        os.mkfifo(self.path("pipe"))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path("socket"))
        os.symlink("/dev/null", self.path("to null"))
        os.symlink("nothing", self.path("to nothing"))
        there = {name: os.lstat(self.path(name)) for name in os.listdir(self.scratch)}
        for name, what in (("folder", "is a directory: name a file in it"), ("pipe", "is a pipe"),
                           ("socket", "is a socket"), ("to null", "is a device"), ("/dev/null", "is a device"),
                           ("to nothing", "link to nothing")):
            for force in ((), ("--force",)):
                error = self.refused(4, "backup", self.path(name), *force, server="unix:/nowhere")
                self.assertIn(what, error)
        self.assertEqual({name: os.lstat(self.path(name)).st_ino for name in os.listdir(self.scratch)},
                         {name: about.st_ino for name, about in there.items()})
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        self.write("full", b"precious")
        self.assertIn("--force", self.refused(4, "backup", self.path("full"), server="unix:/nowhere"))

    def test_what_is_no_file_and_comes_while_a_backup_is_made_is_not_replaced(self):
        process = self.stopped_in_the_middle("full", "--force")
        os.mkfifo(self.path("full"))
        code, _, error = self.go_on(process)
        self.assertEqual(code, 4)
        self.assertIn(b"is a pipe", error)
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("full")).st_mode))
        self.assertFalse(os.path.exists(self.path("full.part")))

    def test_the_backup_that_is_continued_is_not_replaced(self):
        self.done("put", "k", "v")
        self.done("backup", self.path("full"), "--hold", "1h")
        os.link(self.path("full"), self.path("same"))
        content = self.read(self.path("full"))
        for target in ("full", "same"):
            error = self.refused(2, "backup", self.path(target), "--since", self.path("full"), "--force")
            self.assertIn("name another file", error)
        self.assertEqual(self.read(self.path("full")), content)
        self.done("backup", self.path("next"), "--since", self.path("full"))

    def test_a_part_that_is_no_file_is_left_alone(self):
        self.write("mine", b"precious")
        os.symlink(self.path("mine"), self.path("full.part"))
        self.assertIn("creating", self.refused(4, "backup", self.path("full")))
        self.assertEqual(self.read(self.path("mine")), b"precious")
        os.mkfifo(self.path("second.part"))
        self.refused(4, "backup", self.path("second"))
        reader = os.open(self.path("second.part"), os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertIn("is a pipe", self.refused(4, "backup", self.path("second")))

    def test_a_link_stands_for_the_file_that_it_leads_to(self):
        self.put_some(range(10))
        os.mkdir(self.path("folder"))
        self.write("folder/real", b"old")
        os.symlink("folder/real", self.path("link"))
        self.assertIn("--force", self.refused(4, "backup", self.path("link")))
        self.done("backup", "--force", self.path("link"))
        self.assertTrue(os.path.islink(self.path("link")))
        self.assertEqual(os.listdir(self.path("folder")), ["real"])
        self.done("backup", "verify", self.path("folder/real"))

    def test_damage_and_cuts_are_found_and_named(self):
        self.put_some(range(5000))
        self.backup("full")
        content = self.read(self.path("full"))
        chance = random.Random(9)
        for _ in range(20):
            at = chance.randrange(len(content))
            damaged = bytearray(content)
            damaged[at] ^= 1 << chance.randrange(8)
            path = self.write("damaged", bytes(damaged))
            error = self.refused(4 if 8 <= at < 12 else 1, "backup", "verify", path)
            if at > 200:
                self.assertRegex(error, r" at \d+: block \d+ ")
            cut = self.write("cut", content[:at])
            self.refused(1, "backup", "verify", cut)
            self.refused(4, "restore", cut, server=self.other.address)
            self.assertEqual(self.to(self.other, "count"), b"0\n")
        self.assertIn("no backup", self.refused(1, "backup", "verify", self.write("text", b"hello" * 100)))
        self.refused(4, "backup", "verify", self.path("none"))

    def test_a_restore_of_a_damaged_backup_fails_and_writes_nothing_wrong(self):
        self.put_some(range(20000))
        self.backup("full")
        content = bytearray(self.read(self.path("full")))
        content[len(content) // 2] ^= 4
        path = self.write("damaged", bytes(content))
        run = self.run_kvcli("restore", path, server=self.other.address)
        self.assertEqual((run.returncode, run.stdout), (4, b""))
        self.assertRegex(run.stderr.decode(), r"damaged at \d+: block \d+ is damaged")
        rows = self.to(self.other, "scan").splitlines()
        self.assertGreater(len(rows), 1000)
        self.assertLess(len(rows), 20000)
        for row in rows:
            key, value = row.decode().split("\t")
            self.assertEqual(value, "value of %d" % int(key[3:]))

    def test_a_file_too_large_for_its_disk_leaves_none(self):
        self.done("put", "big", "--file", self.write("big", random.Random(5).randbytes(3 * MIB)))
        run = subprocess.run(
            [KVCLI, "backup", self.path("full")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, KVD_SERVER=self.server.address),
            preexec_fn=lambda: (resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)),
                                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)))
        self.assertEqual(run.returncode, 4)
        self.assertIn(b"writing", run.stderr)
        self.assertEqual(os.listdir(self.scratch), ["big"])
        if os.path.exists("/dev/full"):
            with open("/dev/full", "wb") as full:
                run = subprocess.run([KVCLI, "backup", "-"], stdout=full, stderr=subprocess.PIPE,
                                     env=dict(os.environ, KVD_SERVER=self.server.address))
            self.assertEqual(run.returncode, 4)
            self.assertIn(b"No space left", run.stderr)

    def test_one_that_is_killed_leaves_no_file_of_its_name(self):
        process = self.stopped_in_the_middle("full")
        self.assertIn("another kvcli", self.refused(4, "backup", self.path("full")))
        process.kill()
        process.communicate()
        self.assertFalse(os.path.exists(self.path("full")))
        self.assertIn("cut short", self.refused(1, "backup", "verify", self.path("full.part")))
        self.backup("full")
        self.assertFalse(os.path.exists(self.path("full.part")))

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_one_that_becomes_whole_while_another_begins_is_not_cut(self):
        """The second has the part open, but not locked, when the first gives it its name."""
        for force in ((), ("--force",)):
            first = self.stopped_in_the_middle("full")
            second = subprocess.Popen(
                ["strace", "-q", "-e", "trace=flock", "-e", "inject=flock:delay_enter=5000000:when=1",
                 KVCLI, "backup", self.path("full"), *force], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=dict(os.environ, KVD_SERVER=self.server.address,
                         ASAN_OPTIONS="detect_leaks=0"))  # it cannot under a tracer
            self.addCleanup(second.wait)
            deadline = time.monotonic() + 30
            while not self.has_open(second.pid, self.path("full.part")):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            first.send_signal(signal.SIGCONT)
            self.assertEqual(first.wait(timeout=60), 0)
            out, error = second.communicate(timeout=60)
            self.assertEqual(second.returncode, 0 if force else 4, error)
            self.assertEqual(b"is there already" in error, not force, error)
            self.done("backup", "verify", self.path("full"))
            self.assertFalse(os.path.exists(self.path("full.part")))
            os.unlink(self.path("full"))

    def has_open(self, tracer, path):
        """Whether the program that runs under a tracer has the file open."""
        with open("/proc/%d/task/%d/children" % (tracer, tracer)) as file:
            children = file.read().split()
        for child in children:
            for fd in os.listdir("/proc/%s/fd" % child):
                with contextlib.suppress(OSError):
                    if os.readlink("/proc/%s/fd/%s" % (child, fd)) == path:
                        return True
        return False

    def test_no_snapshot_is_left_behind_unless_it_is_to_be_held(self):
        self.done("put", "a", "1")
        before = len(self.lines("snapshot", "list"))
        self.backup("one")
        self.refused(4, "backup", self.path("one"))
        self.assertEqual(len(self.lines("snapshot", "list")), before)
        held = self.backup("two", "--hold", "1h")
        self.assertIn(held["held_snapshot"], [entry["id"] for entry in self.lines("snapshot", "list")])
        self.done("snapshot", "close", str(held["held_snapshot"]))

    def test_a_namespace_dropped_meanwhile_fails_the_backup(self):
        self.done("-n", "logs", "put", "k", "x")
        process = self.stopped_in_the_middle("full")
        self.done("namespace", "drop", "logs")
        code, _, error = self.go_on(process)
        self.assertEqual(code, 4)
        self.assertIn(b"'logs' was dropped meanwhile", error)
        self.assertEqual(os.listdir(self.scratch), ["big"])

    def test_a_server_that_goes_away_under_a_backup_leaves_no_file(self):
        process = self.stopped_in_the_middle("full")
        self.server.kill()
        code, _, error = self.go_on(process)
        self.server.start()
        self.assertEqual(code, 3)
        self.assertRegex(error.decode(), r"\Akvcli: [^\n]+\n\Z")
        self.assertEqual(os.listdir(self.scratch), ["big"])


if __name__ == "__main__":
    unittest.main()
