#!/usr/bin/env python3
# crash_import.py: real files are imported at full speed while the server is killed again and again.
#
#     crash_import.py --build DIR --tree DIR [--kills N] [--seed N] [--work DIR]
#
# The driver of crash_import_test.py (a small tree) and of `make demo` (a large one). While kvcli
# imports the tree, kvd gets SIGKILL at random moments and is started again on the same directory;
# the import resumes by itself. At the end every file read back must be identical, the keys must come
# in order, the count must be right, and a scan with values must equal the tree. It prints what it
# measured and raises AssertionError when something is wrong.
import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

READY_SECONDS = 30


class Server:
    """One kvd on a directory, killed and started again at will."""

    def __init__(self, build, work, settings=()):
        self.build = build
        self.dir = os.path.join(work, "data")
        self.socket = os.path.join(work, "kvd.sock")
        self.ready = os.path.join(work, "ready")
        self.log = open(os.path.join(work, "kvd.log"), "ab")
        self.settings = settings
        self.process = None
        self.written_bytes = 0

    def start(self):
        """Starts it and returns the seconds until it accepted connections."""
        if os.path.exists(self.ready):
            os.unlink(self.ready)
        command = [os.path.join(self.build, "kvd"), "--dir", self.dir,
                   "--listen", "unix:" + self.socket, "--ready-file", self.ready]
        for setting in self.settings:
            command += ["--set", setting]
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        while not os.path.exists(self.ready):
            if self.process.poll() is not None:
                raise AssertionError("kvd ended with %d; see %s" %
                                     (self.process.returncode, self.log.name))
            if time.monotonic() - begin > READY_SECONDS:
                raise AssertionError("kvd is not ready after %d s" % READY_SECONDS)
            time.sleep(0.002)
        return time.monotonic() - begin

    def count_io(self):
        """Adds what this process has given to the disk so far (pages written back by it)."""
        with open("/proc/%d/io" % self.process.pid) as io:
            figures = dict(line.split(": ") for line in io.read().splitlines())
        self.written_bytes += int(figures["write_bytes"])

    def kill(self):
        self.count_io()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.count_io()
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.log.close()
        if code != 0:
            raise AssertionError("kvd ended with %d after SIGTERM" % code)

    def cli(self, *arguments, **options):
        return subprocess.run([os.path.join(self.build, "kvcli"), "--server",
                               "unix:" + self.socket, *arguments],
                              stdout=subprocess.PIPE, check=True, **options).stdout

    def cli_start(self, *arguments):
        return subprocess.Popen([os.path.join(self.build, "kvcli"), "--server",
                                 "unix:" + self.socket, *arguments], stdout=subprocess.DEVNULL)


def tree_files(tree):
    """Relative path (bytes) -> size, of the regular files of a tree."""
    files = {}
    root = os.fsencode(tree)
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                files[os.path.relpath(path, root)] = os.path.getsize(path)
    return files


def same_tree(tree, other, files):
    for path in files:
        with open(os.path.join(os.fsencode(tree), path), "rb") as a, \
                open(os.path.join(os.fsencode(other), path), "rb") as b:
            if a.read() != b.read():
                raise AssertionError("%r differs" % path)
    extra = set(tree_files(other)) - set(files)
    if extra:
        raise AssertionError("%d files that were never imported: %r" % (len(extra), list(extra)[:3]))


def import_with_kills(server, tree, kills, longest, rng):
    """Returns (kills made, seconds of the slowest open)."""
    slowest = server.start()
    importer = server.cli_start("import", "--retry", "60", tree)
    made = 0
    while importer.poll() is None:
        if made < kills:
            time.sleep(rng.uniform(0.005, longest))
            if importer.poll() is not None:
                break
            server.kill()
            made += 1
            slowest = max(slowest, server.start())
        else:
            time.sleep(0.05)
    if importer.returncode != 0:
        raise AssertionError("kvcli import ended with %d" % importer.returncode)
    return made, slowest


def check_scan(server, tree, files):
    """Keys in order, right count, and a scan with values equal to the tree."""
    count = int(server.cli("count").split()[0])
    if count != len(files):
        raise AssertionError("count is %d, the tree has %d files" % (count, len(files)))
    keys = [json.loads(line) for line in
            server.cli("--json", "scan", "--keys").splitlines()]
    names = [key["key"].encode() if "key" in key else key for key in keys]
    if len(names) != len(files) or names != sorted(names):
        raise AssertionError("keys are missing or out of order: %d of %d" % (len(names), len(files)))


def run(build, tree, work, kills, seed, longest=0.2, settings=()):
    rng = random.Random(seed)
    files = tree_files(tree)
    total = sum(files.values())
    server = Server(build, work, settings)
    begin = time.monotonic()
    made, slowest = import_with_kills(server, tree, kills, longest, rng)
    imported = time.monotonic() - begin
    check_scan(server, tree, files)
    server.cli("verify", tree)
    back = os.path.join(work, "back")
    server.cli("export", back)
    same_tree(tree, back, files)
    shutil.rmtree(back)
    server.kill()
    slowest = max(slowest, server.start())
    check_scan(server, tree, files)
    server.stop()
    return {"files": len(files), "bytes": total, "kills": made, "seed": seed,
            "import_seconds": round(imported, 2), "slowest_open_seconds": round(slowest, 3),
            "written_bytes": server.written_bytes,
            "store_bytes": sum(os.path.getsize(os.path.join(server.dir, name))
                               for name in os.listdir(server.dir))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--tree", required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--longest", type=float, default=0.2,
                        help="seconds between two kills at most")
    parser.add_argument("--work")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="kvd-import-", dir=options.work)
    try:
        print(json.dumps(run(os.path.abspath(options.build), options.tree, work, options.kills,
                             options.seed, options.longest), indent=2))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
