#!/usr/bin/env python3
# fair.py: how long point reads take beside clients that do nothing but scan.
#
#     tests/bench/fair.py [BUILD [SCANS [SECONDS]]]      (build, 100, 5)
#
# Prints percentiles of reads at a fixed rate, alone and beside the scans, and of pings, which ask nothing
# of the store. The clients of the scans take processor time too: on a machine of two processors the
# figures are of a crowded one.
import os
import selectors
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
BUILD = sys.argv[1] if len(sys.argv) > 1 else "build"
os.environ["KVD_BUILD"] = BUILD

from kvd_server import *  # noqa: E402,F403

SCANS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
KEYS, RATE = 200000, 250


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


def percentiles(seconds):
    ordered = sorted(seconds)
    return " ".join("%s %6.2f" % (name, ordered[int(len(ordered) * share)] * 1e3)
                    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 0.999999)))


def measure(title, address):
    """A ping, then a get, 250 times a second. How late this process wakes up tells how crowded the machine is."""
    client, late, pings, gets = Client(address), [], [], []
    wanted = time.perf_counter()
    end = wanted + SECONDS
    while wanted < end:
        wanted += 1 / RATE
        time.sleep(max(0, wanted - time.perf_counter()))
        began = time.perf_counter()
        late.append(began - wanted)
        wanted = max(wanted, began)
        client.ask(frame(PING))
        between = time.perf_counter()
        assert client.ask(frame(GET, b"%016d" % (int(between * 1e6) % KEYS))).status == OK
        pings.append(between - began)
        gets.append(time.perf_counter() - between)
    client.close()
    print(title, "ms:  get ", percentiles(gets), "  ping", percentiles(pings), "  woken late", percentiles(late), flush=True)


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
            measure("alone           ", server.address)
            ready, told = os.pipe()
            child = os.fork()
            if child == 0:
                scan_for_ever(server.address, told)
                sys.stdout.flush()
                os._exit(0)
            os.read(ready, 1)
            measure("beside %3d scans" % SCANS, server.address)
            os.waitpid(child, 0)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
