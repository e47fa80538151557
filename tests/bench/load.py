#!/usr/bin/env python3
# load.py: a store is filled, overwritten once, killed and opened again; what that takes.
#
#     load.py --build DIR [--small N] [--large N] [--durability D] [--set section.key=value]...
#
# N keys of 100 bytes and N of 16 KiB (random bytes, which do not compress; 50 connections, depth
# 16). Each phase ends when flush and compaction have nothing left to do, and that time is counted
# in. "Written" is what the kvd process gave to the file system (write_bytes of /proc/PID/io), for
# each byte of keys and values; "disk" is what the files take; memory is VmRSS and its highest.
import argparse
import os
import subprocess
import sys
import time

from servers import Folder, Kvd, bench

KEY_BYTES = 16
SETS = (("small", 100), ("large", 16384))


class Load:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.kvcli = os.path.join(options.build, "kvcli")
        self.user_bytes = 0
        self.server_options = [word for setting in options.set for word in ("--set", setting)]
        self.open()

    def open(self):
        self.kvd = Kvd(self.options.build, self.folder, *self.server_options)
        return self.kvd.ready_s

    def count_of(self, name):
        return getattr(self.options, name)

    def print_state(self, what, figures):
        rss, high = self.kvd.memory_kib()
        print("| %s | %s | %.0f | %.0f / %.0f |" % (what, figures, self.kvd.disk_bytes() / 2**20,
                                                    rss / 1024, high / 1024), flush=True)

    def put_all(self, what, name, size, seed):
        """Each key once."""
        count, written = self.count_of(name), self.kvd.io()["write_bytes"]
        run = bench(self.kvcli, self.kvd, "--keys", count, "--value-size", size, "--namespace", name,
                    "--pipeline", 16, "--seed", seed, "--durability", self.options.durability,
                    "--preload", "--requests", 1)["load"]
        if run["failures"]:
            raise RuntimeError("%d failures" % run["failures"])
        settled_s = self.kvd.settle()
        user_bytes = count * (size + KEY_BYTES)
        seconds = run["seconds"] + settled_s
        self.print_state("%s %d x %d B" % (what, count, size), "%.1f + %.1f | %.0f | %.0f | %.2f | %.2f" % (
            run["seconds"], settled_s, count / seconds / 1000, user_bytes / seconds / 2**20,
            run["server_cpu_us_per_op"], (self.kvd.io()["write_bytes"] - written) / user_bytes))

    def check(self):
        """Every key is counted, and many are read."""
        for name, size in SETS:
            count = self.count_of(name)
            run = subprocess.run([self.kvcli, "--server", self.kvd.address, "--namespace", name,
                                  "--timeout", "120000", "count"], check=True, text=True,
                                 stdout=subprocess.PIPE)
            if int(run.stdout) != count:
                raise RuntimeError("%s keys of %s instead of %d" % (run.stdout, name, count))
            read = bench(self.kvcli, self.kvd, "--keys", count, "--value-size", size, "--namespace",
                         name, "--pipeline", 16, "--requests", min(count, 200000))["run"]
            if read["misses"] or read["failures"]:
                raise RuntimeError("%d misses, %d failures" % (read["misses"], read["failures"]))
            self.print_state("read %d x %d B" % (read["requests"], size), "%.1f | %.0f | %.0f | %.2f |" % (
                read["seconds"], read["per_second"] / 1000,
                read["per_second"] * (size + KEY_BYTES) / 2**20, read["server_cpu_us_per_op"]))

    def kill_and_open(self, what):
        self.kvd.kill()
        print("\n%s: ready after %.3f s\n" % (what, self.open()), flush=True)

    def stop_and_open(self):
        started = time.monotonic()
        self.kvd.stop()
        stopped_s = time.monotonic() - started
        print("\nstopped in %.3f s, ready again after %.3f s" % (stopped_s, self.open()), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--small", type=int, default=1000000)
    parser.add_argument("--large", type=int, default=100000)
    parser.add_argument("--durability", default="logged")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    with Folder(options.build) as folder:
        run = Load(options, folder)
        try:
            print("| phase | s, + settling | k/s | MiB/s | CPU us | written | disk MiB | memory MiB, now / most |")
            print("|---|---|---|---|---|---|---|---|", flush=True)
            for what, seed in (("load", 1), ("overwrite", 2)):
                for name, size in SETS:
                    run.put_all(what, name, size, seed)
            run.kill_and_open("killed when settled")
            run.check()
            run.put_all("overwrite again", *SETS[0], 3)
            run.kill_and_open("killed after more writing")
            run.stop_and_open()
        finally:
            run.kvd.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
