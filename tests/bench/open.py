#!/usr/bin/env python3
# open.py: how long kvd takes until it serves again after a kill in the middle of writes.
#
#   tests/bench/open.py --build build --keys 10000000
#
# Loads the keys (16 B, values of 100 B), kills kvd while more is written, starts it again, and
# prints the seconds until it is ready, a few times over. The exit status is 1 when the longest is
# above --limit seconds.
import argparse
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from servers import Folder, Kvd  # noqa: E402


def bench(kvd, *arguments):
    return subprocess.Popen([kvd.kvcli, "-s", kvd.address, "bench", "-d", "logged", "-P", "64",
                             *map(str, arguments)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(options, folder):
    worst, begin = 0, time.monotonic()
    kvd = Kvd(options.build, folder)
    loaded = bench(kvd, "-k", options.keys, "-v", 100, "--preload", "-N", 1).wait()
    if loaded != 0:
        raise RuntimeError("kvcli failed")
    print("%d keys loaded in %.1f s" % (options.keys, time.monotonic() - begin), flush=True)
    for number in range(options.rounds):
        writer = bench(kvd, "-k", options.keys, "-v", 100, "-r", 0, "-S", "60s", "--seed", number)
        time.sleep(options.seconds)
        unflushed = kvd.stats()["storage.unflushed_log_bytes"]
        kvd.kill()
        writer.wait()
        kvd = Kvd(options.build, folder)
        stats = kvd.stats()
        worst = max(worst, kvd.ready_s)
        print("killed with %.1f MiB of unflushed log, %.1f MiB on disk: ready in %.3f s, "
              "%d commits replayed" % (unflushed / 2**20, kvd.disk_bytes() / 2**20, kvd.ready_s,
                                       stats["storage.replayed_commits"]), flush=True)
    kvd.kill()
    return worst


def main():
    parser = argparse.ArgumentParser(description="time to open after a kill")
    parser.add_argument("--build", default="build")
    parser.add_argument("--keys", type=int, default=10000000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of writing before each kill")
    parser.add_argument("--limit", type=float, default=2, help="seconds until it is ready")
    options = parser.parse_args()
    with Folder(options.build) as folder:
        worst = measure(options, folder)
    print("ready in %.3f s at most" % worst)
    return int(worst > options.limit)


if __name__ == "__main__":
    sys.exit(main())
