#!/usr/bin/env python3
# memory.py: what kvd takes of memory under a mixed load, beside its memory_limit.
#
#   tests/bench/memory.py --build build --limit 256MiB --data 3000
#
# Loads DATA MB of values of 100 B, 4 KiB and (compressible) 1 KiB, reads them uniformly by 50
# connections in pipelines, scans, and uploads large values, all at once at the end. The resident set
# is sampled throughout; what counts is its peak, and how much of the limit the block cache had in
# the end. The exit status is 1 when the peak is above 1.15 times the limit.
import argparse
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from servers import Folder, Kvd  # noqa: E402

MIB = 1 << 20
PEAK_MAX = 1.15


def size(text):
    for unit, factor in (("GiB", 1024), ("MiB", 1)):
        if text.endswith(unit):
            return int(text[:-3]) * factor
    raise argparse.ArgumentTypeError("a size in MiB or GiB")


class Watch(threading.Thread):
    """Samples the resident set of a process, as long as it lives."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.now = pid, 0, 0
        self.start()

    def run(self):
        while True:
            try:
                with open("/proc/%d/status" % self.pid) as file:
                    lines = [line for line in file if line.startswith("VmRSS:")]
            except OSError:
                return
            if not lines:
                return
            self.now = int(lines[0].split()[1]) / 1024
            self.peak = max(self.peak, self.now)
            time.sleep(0.02)

    def lap(self):
        peak, self.peak = self.peak, self.now
        return peak


class Run:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.kvd = Kvd(options.build, folder, "--set", "memory_limit=%dMiB" % options.limit)
        self.watch = Watch(self.kvd.pid)
        self.peak = 0

    def kvcli(self, *arguments, **popen):
        return subprocess.Popen([self.kvd.kvcli, "-s", self.kvd.address, *map(str, arguments)],
                                **dict({"stdout": subprocess.DEVNULL}, **popen))

    def bench(self, *arguments):
        return self.kvcli("bench", "--threads", 1, "-c", 50, *arguments)

    def phase(self, name, processes):
        begin = time.monotonic()
        for process in processes:
            if process.wait() != 0:
                raise RuntimeError("%s: kvcli failed" % name)
        stats = self.kvd.stats()
        peak = self.watch.lap()
        self.peak = max(self.peak, peak)
        print("%-22s %6.1f s  peak RSS %7.1f MiB = %4.2f of the limit; block cache %7.1f MiB, "
              "memtables %5.1f, tables %5.1f, all that is counted %7.1f" %
              (name, time.monotonic() - begin, peak, peak / self.options.limit,
               stats["storage.block_cache_bytes"] / MIB,
               (stats["storage.memtable_bytes"] + stats["storage.memtables_frozen_bytes"]) / MIB,
               stats["storage.table_memory_bytes"] / MIB,
               stats["storage.memory_bytes"] / MIB), flush=True)

    def upload(self, number):
        path = os.path.join(self.folder, "large")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                for _ in range(self.options.large):
                    file.write(os.urandom(MIB))
        return self.kvcli("put", "large%d" % number, "--file", path)


def measure(options, run):
    third = options.data * 10**6 // 3
    small, log, middle = third // 150, third // 4200, third // 1100
    load = ("-d", "logged", "-P", 16, "--preload", "-N", 1)
    run.phase("load 100 B", [run.bench(*load, "-k", small, "-v", 100)])
    run.phase("load 4 KiB", [run.bench(*load, "-k", log, "-v", 4096, "--seed", 2)])
    run.phase("load 1000 B", [run.bench(*load, "-k", middle, "-v", 1000, "--seed", 3)])
    s = ("-S", "%ds" % options.seconds, "-P", 16)
    run.phase("gets, uniform", [run.bench(*s, "-k", small), run.bench(*s, "-k", middle, "--seed", 3)])
    run.phase("uploads", [run.upload(i) for i in range(3)])
    run.phase("all at once", [
        run.bench(*s, "-k", small), run.bench(*s, "-k", log, "-v", 4096, "--seed", 2, "-r", 50),
        run.bench(*s, "-k", middle, "-v", 1000, "--seed", 3, "-r", 50, "-d", "logged"),
        run.kvcli("scan", "--limit", small), run.upload(1), run.upload(2)])


def main():
    parser = argparse.ArgumentParser(description="memory of kvd under load")
    parser.add_argument("--build", default="build")
    parser.add_argument("--limit", type=size, default=256)
    parser.add_argument("--data", type=int, default=3000, help="MB")
    parser.add_argument("--seconds", type=int, default=10, help="of the phases that read")
    parser.add_argument("--large", type=int, default=200, help="MiB of each large value")
    options = parser.parse_args()
    with Folder(options.build) as folder:
        run = Run(options, folder)
        try:
            measure(options, run)
        finally:
            run.kvd.stop()
    print("memory_limit %d MiB: peak %.1f MiB, %.2f of it" %
          (options.limit, run.peak, run.peak / options.limit))
    return int(run.peak > PEAK_MAX * options.limit)


if __name__ == "__main__":
    sys.exit(main())
