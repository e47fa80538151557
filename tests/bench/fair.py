#!/usr/bin/env python3
# fair.py: how long point reads take beside clients that do nothing but scan.
#
#     tests/bench/fair.py [BUILD [SCANS [SECONDS]]]      (build, 100, 5)
#
# Prints the percentiles of reads at a fixed rate, alone and beside the scans. The clients of the scans
# take processor time too: on a machine of two processors the figures are of a crowded one.
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
BUILD = sys.argv[1] if len(sys.argv) > 1 else "build"
os.environ["KVD_BUILD"] = BUILD

from kvd_server import *  # noqa: E402,F403

SCANS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
KEYS, RATE = 200000, 500


class Place:
    """What a Server wants of a test."""

    def addCleanup(self, *_):
        pass


class Scan(Client):
    """Page after page of the whole store, for ever."""

    def __init__(self, address):
        super().__init__(address)
        self.buffer = bytearray()
        self.pages = 0
        self.next(b"")
        self.socket.setblocking(False)

    def next(self, cursor):
        self.socket.setblocking(True)
        self.send(frame(SCAN, span(cursor=cursor)))
        self.socket.setblocking(False)

    def take_what_came(self):
        try:
            self.buffer += self.socket.recv(1 << 21)
        except BlockingIOError:
            return
        if len(self.buffer) < 16:
            return
        length = struct.unpack_from("<I", self.buffer, 4)[0]
        if len(self.buffer) < 16 + length:
            return
        self.pages += 1
        at_end = self.buffer[16] & 1
        end = bytes(self.buffer[-17:])  # the cursor: a format byte and the last key
        del self.buffer[:]
        self.next(b"" if at_end else end)


def load(client):
    for first in range(0, KEYS, 5000):
        items = [b"\1\0" + block(b"%016d" % i) + block(os.urandom(50).hex().encode())
                 for i in range(first, first + 5000)]
        assert client.ask(frame(BATCH, varint(len(items)) + b"".join(items))).status == OK
    assert client.ask(frame(MAINTAIN, bytes([FLUSH]))).status == OK


def read_alone(address):
    """Percentiles in microseconds of gets of one connection, sent at fixed times."""
    run = subprocess.run([BUILD + "/kvcli", "-s", address, "bench", "-c", "1", "-k", "1000", "--rate", str(RATE),
                          "--seconds", "%ds" % SECONDS, "--json"], capture_output=True, check=True, text=True)
    return json.loads(run.stdout.splitlines()[-1])["run"]["get_us"]


def scan_for_ever(address, ready):
    selector = selectors.DefaultSelector()
    scans = [Scan(address) for _ in range(SCANS)]
    for scan in scans:
        selector.register(scan.socket, selectors.EVENT_READ, scan)
    os.write(ready, b"!")
    started = time.monotonic()
    while os.getppid() != 1 and time.monotonic() - started < SECONDS + 2:
        for key, _ in selector.select(0.1):
            key.data.take_what_came()
    pages = sum(scan.pages for scan in scans)
    print("scans: %d pages/s; fewest and most of a client: %d, %d" % (
        pages / (time.monotonic() - started), min(scan.pages for scan in scans), max(scan.pages for scan in scans)))


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = start(Place(), folder=folder)
        try:
            load(server.client())
            print("reads alone, us:       ", read_alone(server.address), flush=True)
            ready, told = os.pipe()
            child = os.fork()
            if child == 0:
                scan_for_ever(server.address, told)
                sys.stdout.flush()
                os._exit(0)
            os.read(ready, 1)
            print("beside %d scans, us:" % SCANS, read_alone(server.address), flush=True)
            os.waitpid(child, 0)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
