#!/usr/bin/env python3
# compare.py: kvd beside Redis, on this machine, in this run.
#
#     compare.py --build DIR [--rounds N] [--seconds N] [--only WORD]
#
# One generator (kvcli bench) speaks to both. Each row is measured N times, kvd and Redis in turn,
# so that what else the machine does falls on both; the ratio is taken round by round. A row's
# durability is the same on both sides: memory beside no persistence, logged beside appendfsync
# everysec, synced beside appendfsync always. The echo server answers the requests of GET and SET
# with themselves: the floor that sockets and libuv set, at depth 1 above all. Between measurements kvd's compactions, and Redis'
# rewriting of its log, are waited for, and the time is reported. Throughput is in thousand
# operations a second; CPU is what the server process used, in microseconds an operation.
import argparse
import os
import shutil
import statistics
import sys

from servers import Echo, Folder, Kvd, Redis, bench

KEYS = {100: 100000, 1024: 100000, 16384: 10000}

# (what, value bytes, depth, class)
ROWS = [("GET", 100, depth, "-") for depth in (1, 16, 128)] + \
       [("GET", size, 16, "-") for size in (1024, 16384)] + \
       [("SET", 100, depth, kind) for kind in ("memory", "logged", "synced") for depth in (1, 16, 128)] + \
       [("SET", size, 16, kind) for size in (1024, 16384) for kind in ("logged", "synced")]

APPEND_ONLY = {"memory": (), "logged": ("--appendonly", "yes", "--appendfsync", "everysec"),
               "synced": ("--appendonly", "yes", "--appendfsync", "always")}


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.kvcli = os.path.join(options.build, "kvcli")
        self.settled_s = 0
        self.loaded = set()
        self.kvd = Kvd(options.build, folder)
        self.redis = {}
        self.echo = None
        if os.path.exists(os.path.join(options.build, "tests/bench/echo")):
            self.echo = Echo(options.build, folder)
        if shutil.which("redis-server"):
            for kind, more in APPEND_ONLY.items():
                self.redis[kind] = Redis("redis-" + kind, folder, *more)

    def close(self):
        for server in [self.kvd, self.echo, *self.redis.values()]:
            if server:
                server.stop()

    def load(self, server, size):
        """Every key is there before it is read or overwritten."""
        if server is not self.echo and (server.name, size) not in self.loaded:
            self.loaded.add((server.name, size))
            bench(self.kvcli, server, "--keys", KEYS[size], "--value-size", size, "--preload",
                  "--requests", 1, "--pipeline", 16)

    def measure(self, server, what, size, depth, kind):
        """(thousand operations a second, CPU us, client's CPU us)"""
        self.settled_s += server.settle()
        more = ["--durability", kind] if server is self.kvd and kind != "-" else []
        result = bench(self.kvcli, server, "--keys", KEYS[size], "--value-size", size, "--pipeline",
                       depth, "--seconds", "%dms" % (self.options.seconds * 1000), "--read-ratio",
                       100 if what == "GET" else 0, *more)["run"]
        if result["failures"] or (result["misses"] and server is not self.echo):
            raise RuntimeError("%s: %d failures, %d misses" % (server.name, result["failures"],
                                                               result["misses"]))
        return (result["per_second"] / 1000, result["server_cpu_us_per_op"],
                result["client_cpu_us_per_op"])

    def row(self, what, size, depth, kind):
        """Measurements by the name of the server, round by round."""
        servers = [self.kvd]
        if self.redis:
            servers.append(self.redis["memory" if kind == "-" else kind])
        if self.echo and depth == 1:
            servers.append(self.echo)
        for server in servers:
            self.load(server, size)
        found = {server.name: [] for server in servers}
        for round_number in range(self.options.rounds):
            for server in servers if round_number % 2 == 0 else servers[::-1]:
                found[server.name].append(self.measure(server, what, size, depth, kind))
        return {name.split("-")[0]: measured for name, measured in found.items()}


def spread(numbers, form):
    return "%s (%s-%s)" % tuple(form % number for number in (
        statistics.median(numbers), min(numbers), max(numbers)))


def print_row(name, kvd, redis=None, echo=None):
    cells = [name]
    for measured in (kvd, redis, echo):
        cells += [spread([m[0] for m in measured], "%.0f"),
                  "%.2f" % statistics.median(m[1] for m in measured)] if measured else ["-", "-"]
    for other in (redis, echo):
        cells.append(spread([a[0] / b[0] for a, b in zip(kvd, other)], "%.2f") if other else "-")
    print("| %s |" % " | ".join(cells), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    with Folder(options.build) as folder:
        run = Bench(options, folder)
        try:
            print("| 50 connections, median (least-most) | kvd k/s | CPU us | Redis k/s | CPU us | "
                  "echo k/s | CPU us | kvd / Redis | kvd / echo |")
            print("|---|---|---|---|---|---|---|---|---|", flush=True)
            for what, size, depth, kind in ROWS:
                name = "%s %d B, depth %d%s" % (what, size, depth, "" if kind == "-" else ", " + kind)
                if options.only in name:
                    print_row(name, **run.row(what, size, depth, kind))
            print("\nwaited for compactions between measurements: %.1f s" % run.settled_s)
        finally:
            run.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
