#!/usr/bin/env python3
# full_disk_test.py: the disk becomes full, and free again, under a kvd that serves.
#
# The disk is a file of 24 MiB with an ext4 of its own, mounted by a loop device: that takes root.
# Anyone can set a limit on the size of files instead, which the last tests do.
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

DISK_BYTES = 24 << 20
BALLAST_BYTES = 4 << 20
NO_SPACE, LOG_FAILED = 0x10B, 0x10F
MIB = 1 << 20


def mount_disk(test):
    """The folder of a small file system of its own."""
    folder = tempfile.mkdtemp(prefix="kvd-disk-")
    test.addCleanup(shutil.rmtree, folder, True)
    image, mounted = os.path.join(folder, "image"), os.path.join(folder, "mounted")
    os.mkdir(mounted)
    with open(image, "wb") as file:
        file.truncate(DISK_BYTES)
    for command in (["mkfs.ext4", "-q", "-F", "-m", "0", image],
                    ["mount", "-o", "loop", image, mounted]):
        if shutil.which(command[0], path=os.environ["PATH"] + ":/sbin:/usr/sbin") is None:
            test.skipTest(command[0] + " is not installed")
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             env=dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin"))
        if run.returncode != 0:
            test.skipTest("no loop file system here: " + run.stdout.strip())
    test.addCleanup(unmount, mounted)
    return mounted


def unmount(mounted):
    for _ in range(100):  # a kvd just killed may still be on its way out
        if subprocess.run(["umount", mounted], stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", mounted], check=True)


class FullDiskTest(unittest.TestCase):
    """Writes down what was acknowledged, and asks for it."""

    def begin(self, folder, **popen):
        self.folder, self.popen = folder, popen
        self.acknowledged, self.deleted, self.next = {}, set(), 0
        self.open()

    def open(self):
        self.server = start(self, "--set", "server.loops=1", "--set", "memory_limit=64MiB",
                            folder=self.folder, **self.popen)
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def reopen(self, signal_number):
        self.client.close()
        self.server.signal(signal_number)
        code = self.server.wait()
        self.assertEqual(code, 0 if signal_number == signal.SIGTERM else -signal_number,
                         self.server.output())
        self.open()

    def put_some(self, value_bytes, count, durability=LOGGED):
        """Statuses of so many new keys, sent at once."""
        entries = []
        for _ in range(count):
            value = random.Random(self.next).randbytes(value_bytes)
            entries.append((b"key%d" % self.next, value))
            self.next += 1
        self.client.send(b"".join(put(*entry, durability=durability) for entry in entries))
        statuses = set()
        for key, value in entries:
            reply = self.client.reply()
            statuses.add(reply.status)
            if reply.status == OK:
                self.acknowledged[key] = value
        return statuses

    def fill(self, value_bytes, durability=LOGGED):
        """Until puts are refused."""
        for _ in range(DISK_BYTES // value_bytes // 20):
            statuses = self.put_some(value_bytes, 50, durability)
            self.assertLessEqual(statuses, {OK, NO_SPACE}, self.server.output())
            if statuses == {NO_SPACE}:
                return
        self.fail("the disk is not full yet")

    def ask_all(self, keys, frame_of):
        """(key, reply) of each."""
        keys = list(keys)
        for first in range(0, len(keys), 100):
            part = keys[first:first + 100]
            self.client.send(b"".join(frame_of(key) for key in part))
            yield from zip(part, self.client.replies(len(part)))

    def delete_half(self):
        for key, reply in self.ask_all(list(self.acknowledged)[::2], lambda key: frame(DELETE, key)):
            self.assertEqual(reply.status, OK, key)
            del self.acknowledged[key]
            self.deleted.add(key)

    def wait_for_room(self):
        """Without a restart; kvd looks at the file system every second."""
        end = time.monotonic() + DEADLINE_S
        while self.put_some(5000, 1) != {OK}:
            self.assertLess(time.monotonic(), end, "puts are still refused")
            time.sleep(0.05)

    def assert_nothing_lost(self):
        for key, reply in self.ask_all(self.acknowledged, get):
            self.assertEqual((reply.status, reply.value == self.acknowledged[key]), (OK, True), key)
        for key, reply in self.ask_all(self.deleted, get):
            self.assertEqual(reply.status, NOT_FOUND, key)

    def assert_alive(self):
        self.assertIsNone(self.server.process.poll(), self.server.output())
        errors = [line for line in self.server.output().splitlines() if " error " in line]
        for line in errors:  # a flush that found no room is tried again; anything else is a fault
            self.assertRegex(line, r" error flush: .*No space left on device|"
                                   r" error compaction: .*No space left on device")


@unittest.skipUnless(os.getuid() == 0, "only root may mount a file system")
class LoopDiskTest(FullDiskTest):
    def setUp(self):
        mounted = mount_disk(self)
        self.ballast = os.path.join(mounted, "ballast")
        self.take(BALLAST_BYTES)
        self.begin(mounted)

    def take(self, bytes_wanted):
        """Another program fills the disk; what it could not have is left."""
        with open(self.ballast, "ab", buffering=0) as file:
            try:
                while bytes_wanted > 0:
                    bytes_wanted -= file.write(bytes(min(bytes_wanted, MIB)))
                os.fsync(file.fileno())
            except OSError:
                pass

    def give_back(self):
        os.unlink(self.ballast)

    def life_of_a_full_disk(self, value_bytes):
        self.fill(value_bytes)
        self.assertGreater(len(self.acknowledged), 0)
        self.assert_nothing_lost()
        self.delete_half()
        self.assert_nothing_lost()
        self.reopen(signal.SIGKILL)
        self.assert_nothing_lost()
        self.give_back()
        self.wait_for_room()
        self.assert_nothing_lost()
        self.assert_alive()
        self.reopen(signal.SIGTERM)
        self.assert_nothing_lost()

    def test_filled_with_large_values(self):
        self.life_of_a_full_disk(10000)

    def test_filled_with_small_values(self):
        self.life_of_a_full_disk(100)

    def test_filled_with_synced_values(self):
        self.fill(3000, SYNCED)
        self.reopen(signal.SIGKILL)
        self.assert_nothing_lost()

    def test_refusal_says_what_it_is(self):
        self.fill(10000)
        reply = self.client.ask(put(b"one more", b"value"))
        self.assertEqual((reply.status, reply.text), (NO_SPACE, "the disk is full; deletes and reads go on"))
        self.assertEqual(self.client.ask(get(b"one more")).status, NOT_FOUND)

    def test_room_comes_back_while_it_serves(self):
        for _ in range(3):
            self.fill(10000)
            os.truncate(self.ballast, max(0, os.path.getsize(self.ballast) - MIB))
            self.wait_for_room()
        self.assert_nothing_lost()
        self.assert_alive()

    def test_another_program_takes_the_reserve_too(self):
        self.put_some(1500, 2000)
        self.take(DISK_BYTES)
        self.fill(1500)
        self.assert_nothing_lost()
        self.give_back()
        self.wait_for_room()
        self.put_some(1500, 500)
        self.assert_nothing_lost()
        self.assert_alive()
        self.reopen(signal.SIGKILL)
        self.assert_nothing_lost()

    def test_deletes_go_on_without_any_room(self):
        self.put_some(1500, 200)
        self.take(DISK_BYTES)
        self.delete_half()
        self.assert_nothing_lost()
        self.give_back()
        self.reopen(signal.SIGKILL)
        self.assert_nothing_lost()

    def test_opening_without_any_room_says_so_or_serves(self):
        self.put_some(1500, 200)
        self.client.close()
        self.assertEqual(self.server.stop(), 0)
        self.take(DISK_BYTES)
        again = Server(self, "--set", "memory_limit=64MiB", folder=self.folder)
        end = time.monotonic() + DEADLINE_S
        while not os.path.exists(again.ready) and again.process.poll() is None:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        if again.process.poll() is None:
            again.kill()
        else:
            self.assertEqual(again.process.returncode, 1)
            self.assertIn("space", again.output().lower())
        self.give_back()
        self.open()
        self.assert_nothing_lost()
        self.assertEqual(self.put_some(1500, 10), {OK})


class FileSizeLimitTest(FullDiskTest):
    """The system refuses to let a file grow; kvd may lose its log to that, but nothing that it
    acknowledged, and it never crashes."""

    def folder_and_limit(self, limit_bytes):
        folder = tempfile.mkdtemp(prefix="kvd-limit-")
        self.addCleanup(shutil.rmtree, folder, True)
        return {"folder": folder, "preexec_fn": lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))}

    def test_no_file_may_grow(self):
        """An error like any other, and no signal that kills."""
        for limit_bytes in (0, 100):
            more = self.folder_and_limit(limit_bytes)
            command = [KVD, "--listen", "127.0.0.1:0", "--dir", os.path.join(more.pop("folder"), "data")]
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 timeout=DEADLINE_S, **more)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn("File too large", run.stderr)

    def life_with_files_up_to(self, limit_bytes):
        self.begin(**self.folder_and_limit(limit_bytes))
        statuses = set()
        for _ in range(12 * MIB // 10000 // 50):
            statuses |= self.put_some(10000, 50)
        self.assertIsNone(self.server.process.poll(), self.server.output())
        self.assertLessEqual(statuses, {OK, NO_SPACE, LOG_FAILED, 0x10C, 0x200})
        self.assert_nothing_lost()
        self.popen = {}
        self.reopen(signal.SIGKILL)
        self.assert_nothing_lost()
        self.assertEqual(self.put_some(10000, 50), {OK})

    def test_a_segment_does_not_fit(self):
        self.life_with_files_up_to(3 * MIB)

    def test_a_segment_fits(self):
        self.life_with_files_up_to(5 * MIB)


if __name__ == "__main__":
    unittest.main()
