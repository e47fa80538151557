#!/usr/bin/env python3
# counts_test.py: what an operation costs, in things that can be counted: allocations and system
# calls. Counts are the same on a slow machine and a fast one; nothing here looks at a clock.
#
# Allocations are counted twice: by kvd itself (STATS, which sees all that goes through memory.h,
# libuv included), and by a small library before the C library's malloc, which also sees what zstd
# or the C library take for themselves, and which kind of thread asks. System calls are counted by
# strace.
import ctypes
import mmap
import os
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import *  # noqa: E402,F403

MALLOC_COUNTER = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
static _Atomic unsigned long before_start[2];
static _Atomic unsigned long *count = before_start; /* of the way of an operation; of jobs */
__attribute__((constructor)) static void start(void) {
    int fd = open(getenv("KVD_TEST_MALLOC_COUNT"), O_RDWR);
    void *map = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || map == MAP_FAILED) abort();
    close(fd);
    count = map;
}
static void one_more(void) {
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    atomic_fetch_add(&count[strncmp(name, "kvd-job-", 8) == 0], 1);
}
void *malloc(size_t n) { one_more(); return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { one_more(); return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { one_more(); return __libc_realloc(p, n); }
void *memalign(size_t a, size_t n) { one_more(); return __libc_memalign(a, n); }
void *aligned_alloc(size_t a, size_t n) { one_more(); return __libc_memalign(a, n); }
int posix_memalign(void **out, size_t a, size_t n) {
    one_more();
    *out = __libc_memalign(a, n);
    return *out ? 0 : ENOMEM;
}
"""


def build_malloc_counter(folder):
    """A library to preload; None where there is no compiler for it."""
    source, library = os.path.join(folder, "counter.c"), os.path.join(folder, "counter.so")
    compiler = shutil.which(os.environ.get("CC", "gcc"))
    if compiler is None:
        return None
    with open(source, "w") as file:
        file.write(MALLOC_COUNTER)
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-fno-builtin", "-o", library, source],
                   check=True, timeout=60)
    return library


class MallocCount:
    """The page that kvd and this test share."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "count")
        with open(self.path, "wb") as file:
            file.write(bytes(4096))
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4096)

    def read(self):
        """On the way of operations, and by jobs in the background."""
        return tuple((ctypes.c_ulong * 2).from_buffer(self.map))


def value_of(size):
    return os.urandom(size)  # does not compress


class CountsTest(unittest.TestCase):
    keys = 2000

    def start(self, memory="64MiB", **popen):
        """By default with the smallest memtable, 4 MiB, so that little is needed to fill it."""
        self.server = start(self, "--set", "server.loops=1", "--set", "memory_limit=" + memory,
                            **popen)
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def ask_all(self, frames, depth):
        statuses = set()
        for first in range(0, len(frames), depth):
            part = frames[first:first + depth]
            self.client.send(b"".join(part))
            statuses.update(reply.status for reply in self.client.replies(len(part)))
        return statuses

    def key(self, number, prefix=b"key"):
        return b"%s%07d" % (prefix, number * 7919 % self.keys)

    def gets(self, prefix=b"key"):
        return [get(self.key(number, prefix)) for number in range(self.keys)]

    def puts(self, size=100, durability=LOGGED, prefix=b"key"):
        return [put(self.key(number, prefix), value_of(size), durability=durability)
                for number in range(self.keys)]

    def settle(self):
        """Until no flush or compaction has begun or ended for half a second."""
        before = None
        while True:
            stats = self.client.stats()
            now = (stats["storage.memtables_frozen"], stats["storage.flushes"],
                   stats["storage.compactions"], stats["storage.memtable_bytes"])
            if now == before and now[0] == 0:
                return stats
            before = now
            time.sleep(0.5)

    def push_out(self, prefix):
        """Puts keys, and others, until what was put first is in tables."""
        self.assertEqual(self.ask_all(self.puts(prefix=prefix), 64), {OK})
        filler = value_of(1000)
        for round in range(8):
            if self.client.stats()["storage.flushes"] > 0:
                break
            self.ask_all([put(b"filler%d/%d" % (round, i), filler) for i in range(2000)], 64)
        self.assertGreater(self.settle()["storage.table_entries"], self.keys)


class AllocationsTest(CountsTest):
    memory = "64MiB"

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="kvd-counts-")
        self.addCleanup(shutil.rmtree, folder)
        self.count = MallocCount(folder)
        library = build_malloc_counter(folder)
        env = dict(os.environ, KVD_TEST_MALLOC_COUNT=self.count.path)
        self.start(self.memory, env=dict(env, LD_PRELOAD=library) if library else env)
        if library:  # else the counts of kvd itself must do
            self.assertGreater(self.count.read()[0], 0)

    def own_count(self):
        """Of kvd; a STATS allocates nothing once warm."""
        return self.client.stats()["server.allocations"]

    def warm(self, frames, depth):
        """Pools are as large as the most that was ever in flight."""
        self.ask_all(frames, 256)
        self.ask_all(frames, depth)
        self.own_count()

    def assert_allocates_nothing(self, frames, depth, status):
        """Neither the operations nor anything in the background, where nothing is written."""
        self.warm(frames, depth)
        own, libc = self.own_count(), sum(self.count.read())
        self.assertEqual(self.ask_all(frames, depth), {status})
        libc_after, own_after = sum(self.count.read()), self.own_count()
        self.assertLessEqual(own_after - own, 0, "by kvd at depth %d" % depth)
        self.assertLessEqual(libc_after - libc, 1, "by all at depth %d" % depth)


@unittest.skipIf(SANITIZED, "a sanitizer allocates for itself")
class GetAllocationsTest(AllocationsTest):
    def test_counter_sees_what_allocates(self):
        own, libc = self.own_count(), self.count.read()
        self.server.client().close()  # a connection has memory of its own
        self.assertGreater(self.own_count(), own)
        self.assertGreater(self.count.read(), libc)

    def test_get_hit_in_the_memtable(self):
        self.ask_all(self.puts(), 64)
        for depth in (1, 64):
            self.assert_allocates_nothing(self.gets(), depth, OK)

    def test_get_hit_in_a_table(self):
        self.push_out(b"old")
        before = self.client.stats()["storage.block_cache_hits"]
        for depth in (1, 64):
            self.assert_allocates_nothing(self.gets(b"old"), depth, OK)
        self.assertGreater(self.client.stats()["storage.block_cache_hits"], before + self.keys)

    def test_get_hit_of_a_value_in_the_log(self):
        self.ask_all(self.puts(4000), 64)
        for depth in (1, 64):
            self.assert_allocates_nothing(self.gets(), depth, OK)

    def test_get_miss(self):
        self.push_out(b"old")
        for depth in (1, 64):
            self.assert_allocates_nothing(self.gets(b"none"), depth, NOT_FOUND)
            self.assert_allocates_nothing([get(b"old%07d?" % i) for i in range(self.keys)], depth,
                                          NOT_FOUND)


@unittest.skipIf(SANITIZED, "a sanitizer allocates for itself")
class PutAllocationsTest(AllocationsTest):
    """What flush, compaction and GC allocate is counted in megabytes, not operations: only the way
    of a put is looked at, and what comes there once in a megabyte (a chunk of the memtable's arena,
    a file of the log, a memtable, a look at the figures) is allowed for."""

    memory = "1GiB"

    def files(self):
        """How many files and memtables there ever were, about."""
        stats = self.client.stats()
        numbers = [int(name.split(".")[0]) for name in os.listdir(self.server.dir)
                   if name.endswith((".segment", ".table"))]
        return max(numbers) + stats["storage.flushes"] + stats["storage.memtables_frozen"]

    def assert_way_allocates_nothing(self, frames, depth):
        if self.count.read()[0] == 0:
            self.skipTest("no compiler for the library that counts")
        self.warm(frames, depth)
        files, count = self.files(), self.count.read()[0]
        self.assertEqual(self.ask_all(frames, depth), {OK})
        count_after, files_after = self.count.read()[0], self.files()
        came = max(files_after - files, 0)  # one that was just counted twice, frozen and flushed, is none
        self.assertLessEqual(count_after - count, 4 + 20 * came)
        self.assertLess(count_after - count, len(frames) / 20)

    def test_put(self):
        for durability in (MEMORY, LOGGED, SYNCED):
            for depth in (1, 64):
                with self.subTest(durability=durability, depth=depth):
                    self.assert_way_allocates_nothing(self.puts(durability=durability), depth)

    def test_put_of_a_value_for_the_log(self):
        for depth in (1, 64):
            with self.subTest(depth=depth):
                self.assert_way_allocates_nothing(self.puts(2000), depth)


@unittest.skipIf(SANITIZED, "a sanitizer makes calls of its own")
@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class SystemCallsTest(CountsTest):
    keys = 3200

    def setUp(self):
        self.start()

    def calls(self, frames, depth, status=OK):
        """System calls of all threads for one operation; the share of timers is below 0.02."""
        self.ask_all(frames, depth)
        output = os.path.join(self.server.folder, "calls")
        tracer = subprocess.Popen(["strace", "-c", "-f", "-U", "calls,name", "-o", output,
                                   "-p", str(self.server.process.pid)],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(tracer.stderr.close)
        line = tracer.stderr.readline()
        if "attached" not in line:
            tracer.wait()
            self.skipTest("strace may not look: " + line.strip())
        self.assertEqual(self.ask_all(frames, depth), {status})
        tracer.send_signal(signal.SIGINT)
        tracer.wait(DEADLINE_S)
        with open(output) as file:
            total = [int(line.split()[0]) for line in file if line.split()[1:] == ["total"]]
        self.assertEqual(len(total), 1)
        return total[0] / len(frames)

    def assert_calls(self, frames, limits, status=OK):
        for depth, limit in limits:
            with self.subTest(depth=depth):
                for _ in range(3):  # threads that are held up by others wait, and wake, more often
                    calls = self.calls(frames, depth, status)
                    self.assertGreater(calls, 2 / depth)  # or else strace has not looked
                    if calls <= limit:
                        break
                self.assertLessEqual(calls, limit)

    def test_get(self):
        """Wait, read, write: once an operation, or once for all of a turn."""
        self.ask_all(self.puts(), 64)
        self.assert_calls(self.gets(), ((1, 3.1), (16, 0.25), (64, 0.1)))

    def test_get_miss(self):
        self.assert_calls(self.gets(b"none"), ((1, 3.1), (16, 0.25), (64, 0.1)), NOT_FOUND)

    def test_get_of_a_value_in_the_log(self):
        """And one read of the log each."""
        self.ask_all(self.puts(4000), 64)
        self.assert_calls(self.gets(), ((1, 4.1), (16, 1.25), (64, 1.1)))

    def test_put_logged(self):
        """Beside wait, read, write: one append, and the way to the commit thread and back. One
        group may become two or three where threads are slow."""
        self.assert_calls(self.puts(), ((1, 11), (64, 0.5)))

    def test_put_synced(self):
        """And one sync, with the way to the sync thread, for all of a turn."""
        self.assert_calls(self.puts(durability=SYNCED), ((1, 15), (64, 0.5)))


if __name__ == "__main__":
    unittest.main()
