#!/usr/bin/env python3
# server_offline_test.py: kvd without clients: check and salvage of a folder, and the modes that a store is opened in.
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403


def run(*words):
    done = subprocess.run([KVD, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S * 3)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def files_of(folder, ending):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(ending))


class OfflineTest(unittest.TestCase):
    def stopped_store(self, keys=2000):
        """One with a table and a segment."""
        server = start(self)
        client = server.client()
        for at in range(0, keys, 100):
            client.send(b"".join(put(b"key%05d" % i, os.urandom(i % 3 * 1000), durability=MEMORY)
                                 for i in range(at, at + 100)))
            self.assertEqual({reply.status for reply in client.replies(100)}, {OK})
        self.assertEqual(client.ask(frame(MAINTAIN, bytes([1]))).status, OK)
        client.close()
        self.assertEqual(server.stop(), 0)
        return server

    def damage(self, path, at=0.5):
        with open(path, "r+b") as file:
            file.seek(int(os.path.getsize(path) * at))
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0x40]))

    def contents(self, folder):
        found = {}
        for name in set(os.listdir(folder)) - {"LOCK"}:
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
        return found

    def test_check_of_a_sound_store_finds_nothing_and_changes_nothing(self):
        server = self.stopped_store()
        before = self.contents(server.dir)
        code, out, err = run("check", server.dir)
        self.assertEqual((code, err), (0, ""), out)
        self.assertRegex(out, r"(?m)^faults +0$")
        self.assertRegex(out, r"(?m)^entries +20\d\d$")
        self.assertEqual(self.contents(server.dir), before)

    def test_check_names_the_file_that_is_damaged(self):
        server = self.stopped_store()
        victim = files_of(server.dir, ".table")[0]
        self.damage(victim, 0.3)
        code, out, err = run("check", server.dir)
        self.assertEqual(code, 1, out + err)
        self.assertIn(os.path.basename(victim), out)

    def test_check_that_cannot_be_done(self):
        server = start(self)
        code, out, err = run("check", server.dir)
        self.assertEqual((code, out), (3, ""))
        self.assertIn("LOCK", err)
        self.assertEqual(run("check", server.folder + "/nowhere")[0], 3)

    def test_wrong_words_are_usage_errors(self):
        for words in (("check",), ("salvage", "a"), ("check", "a", "b"), ("check", "a", "--colour"), ("inspect", "a")):
            code, out, err = run(*words)
            self.assertEqual((code, out), (2, ""), words)
            self.assertEqual(err.count("\n"), 1)
        self.assertEqual(run("salvage", "--help")[0], 0)

    def test_salvage_brings_back_all_but_what_is_damaged(self):
        server = self.stopped_store()
        self.damage(files_of(server.dir, ".segment")[0])
        folder = os.path.join(server.folder, "rescued")
        os.makedirs(folder)
        target = os.path.join(folder, "data")
        code, out, err = run("salvage", server.dir, target)
        self.assertIn(code, (0, 1), out + err)
        self.assertRegex(out, r"(?m)^entries kept +\d+$")
        rescued = start(self, folder=folder)
        client = rescued.client()
        client.send(b"".join(get(b"key%05d" % i) for i in range(2000)))
        statuses = [reply.status for reply in client.replies(2000)]
        self.assertGreaterEqual(statuses.count(OK), 1998)
        client.close()

    def test_salvage_never_writes_into_a_folder_that_exists(self):
        server = self.stopped_store()
        code, _, err = run("salvage", server.dir, server.folder)
        self.assertEqual(code, 3)
        self.assertTrue(err)


class ModesTest(unittest.TestCase):
    def test_folder_with_the_files_of_others_is_refused(self):
        server = Server(self)
        server.kill()
        shutil.rmtree(server.dir, True)
        os.makedirs(server.dir)
        with open(os.path.join(server.dir, "thesis.txt"), "w") as file:
            file.write("mine")
        again = Server(self, folder=server.folder)
        self.assertEqual(again.wait(), 1)
        self.assertIn("thesis.txt", again.output())
        self.assertEqual(os.listdir(server.dir), ["thesis.txt"])

    def test_read_only_server_serves_what_is_there(self):
        server = start(self)
        client = server.client()
        self.assertEqual(client.ask(put(b"k", b"v")).status, OK)
        client.close()
        self.assertEqual(server.stop(), 0)
        before = sorted(os.listdir(server.dir))
        server = start(self, "--set", "storage.read_only=true", folder=server.folder)
        client = server.client()
        self.assertEqual(client.ask(get(b"k")).value, b"v")
        for request in (put(b"k", b"w"), frame(DELETE, b"k"), frame(UPLOAD_BEGIN, b"k"),
                        frame(NAMESPACE_CREATE, block(b"n") + bytes(20)), frame(ADD, bytes(8) + b"n")):
            self.assertEqual(client.ask(request).status, READ_ONLY)
        client.close()
        self.assertEqual(server.stop(), 0)
        self.assertEqual(sorted(os.listdir(server.dir)), before)

    def test_store_in_memory_leaves_nothing_behind(self):
        server = start(self, "--set", "storage.in_memory=true")
        client = server.client()
        self.assertEqual(client.ask(put(b"k", bytes(5000))).status, OK)
        self.assertEqual(client.ask(get(b"k")).value, bytes(5000))
        client.close()
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(server.dir))


if __name__ == "__main__":
    unittest.main()
