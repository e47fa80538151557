#!/usr/bin/env python3
# retry_test.py: kvcli and libkvd behind a proxy that cuts the connection at every byte of the exchange, in both
# directions: a counter ends at exactly the number of additions that were acknowledged.
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kvd_server import DEADLINE_S, KVD, OK, SharedServerTest, get, start  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.dirname(KVD)
KVCLI = os.path.join(BUILD, "kvcli")
PLAIN = os.path.basename(BUILD) == "build"  # a library with a sanitizer cannot be loaded into Python

if PLAIN:
    os.environ["KVD_LIBRARY"] = os.path.join(BUILD, "libkvd.so.0")
    sys.path.insert(0, os.path.join(ROOT, "client", "python"))
    import kvd

PATIENCE_S = 60
UP, DOWN = 0, 1  # to the server, from the server


class Line(threading.Thread):
    """One connection through the proxy. The cut is (direction, bytes): after so many it ends, at both ends. With
    `late`, the client's end is cut as soon as its request is there, and the server is given it later."""

    def __init__(self, client, server_address, cut, late):
        super().__init__(daemon=True)
        self.client, self.cut, self.late = client, cut, late
        self.server = socket.create_connection(server_address, DEADLINE_S)
        self.passed = [0, 0]
        self.held = b""

    def run(self):
        pumps = [threading.Thread(target=self.pump, args=arguments, daemon=True)
                 for arguments in ((UP, self.client, self.server), (DOWN, self.server, self.client))]
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()

    def room(self, direction):
        return self.cut[1] - self.passed[direction] if self.cut and self.cut[0] == direction else None

    def pump(self, direction, source, target):
        """Looks for the cut when bytes have come, not before: a cut that is set between two requests does not end the
        line until the second is there, however late this thread is back from passing on the answer to the first."""
        try:
            while True:
                data = source.recv(65536)
                room = self.room(direction)
                data = data[:room]
                if not data:
                    break
                self.passed[direction] += len(data)
                if self.late and direction == UP and self.passed[UP] > len(data):  # HELLO went before
                    self.held = data
                    break
                target.sendall(data)
                if len(data) == room:
                    break
        except OSError:
            pass
        self.end(self.client)
        if not self.late:
            self.end(self.server)

    @staticmethod
    def end(end):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def deliver(self):
        """What was held comes to the server only now; returns when it has answered."""
        self.server.sendall(self.held)
        self.server.shutdown(socket.SHUT_WR)
        while self.server.recv(65536):
            pass


    def close(self):
        self.end(self.client)
        self.end(self.server)
        self.join()
        self.client.close()
        self.server.close()


class Proxy:
    def __init__(self, test, server_address):
        host, port = server_address.rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.cuts, self.late, self.lines = [], False, []
        test.addCleanup(self.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            late, self.late = self.late, False
            line = Line(client, self.target, self.cuts.pop(0) if self.cuts else None, late)
            self.lines.append(line)  # before anybody can be answered over it
            line.start()

    def break_all(self):
        """The connections end; the next ones will be cut as planned."""
        for line in self.lines:
            line.close()
        self.lines = []

    def close(self):
        Line.end(self.listener)
        self.listener.close()
        self.break_all()


class Counting(SharedServerTest):
    """`add` adds 1 to the key and returns the sum: by its own means, through the proxy, on a new connection."""

    def setUp(self):
        super().setUp()
        self.proxy = Proxy(self, self.server.address)
        self.acknowledged = 0

    def add_through(self, *cuts, late=False):
        self.proxy.break_all()
        self.proxy.cuts, self.proxy.late = list(cuts), late
        self.acknowledged += 1
        self.assertEqual(self.add(), self.acknowledged, cuts)
        self.assertEqual(self.proxy.cuts, [])

    def measure(self):
        """Bytes of an exchange that nobody disturbs: HELLO and an addition, up and down."""
        self.add_through()
        line, = self.proxy.lines
        return line.passed

    def check(self):
        reply = self.client.ask(get(self.key))
        self.assertEqual((reply.status, reply.value), (OK, str(self.acknowledged).encode()))


class Cases:
    def test_cut_at_every_byte_of_the_requests(self):
        for cut in range(self.measure()[UP] + 1):
            self.add_through((UP, cut))
        self.check()

    def test_cut_at_every_byte_of_the_answers(self):
        total = self.measure()[DOWN]
        repeats = self.client.stats()["storage.commit_repeats"]
        for cut in range(total):
            self.add_through((DOWN, cut))
        self.check()
        self.assertGreater(self.client.stats()["storage.commit_repeats"], repeats)

    def test_cut_again_and_again(self):
        up, down = self.measure()
        for step in range(1, 12):
            self.add_through((UP, up - step), (DOWN, down - step), (UP, step), (DOWN, step))
        self.check()

    def test_first_copy_that_comes_after_the_repeat(self):
        for _ in range(10):
            self.add_through(late=True)
            late, again = self.proxy.lines[0], self.proxy.lines[-1]
            self.assertIsNot(late, again)
            self.assertNotEqual(late.held, b"")
            late.deliver()
            self.check()


class KvcliTest(Counting, Cases):
    def add(self):
        said = subprocess.run([KVCLI, "-s", self.proxy.address, "add", self.key, b"1", "--retry", "%ds" % PATIENCE_S],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S)
        self.assertEqual(said.returncode, 0, said.stderr)
        return int(said.stdout)


    def test_server_that_is_not_there_yet_is_waited_for(self):
        folder = tempfile.mkdtemp(prefix="kvd-retry-")
        self.addCleanup(shutil.rmtree, folder, True)
        address = "unix:%s/socket" % folder
        client = subprocess.Popen([KVCLI, "-s", address, "add", "n", "1", "--retry", "60s"], stdout=subprocess.PIPE)
        self.addCleanup(client.stdout.close)
        time.sleep(0.3)
        self.assertIsNone(client.poll())
        start(self, listen=(address,))
        self.assertEqual(client.communicate(timeout=PATIENCE_S)[0], b"1\n")
        self.assertEqual(client.returncode, 0)


@unittest.skipUnless(PLAIN, "the library of users has no sanitizer")
class LibraryTest(Counting, Cases):
    """One handle for all additions."""

    def setUp(self):
        super().setUp()
        self.db = kvd.connect(self.proxy.address, retry=PATIENCE_S)
        self.addCleanup(self.db.close)

    def add(self):
        return self.db.add(self.key)

    def test_every_kind_of_write_is_done_once(self):
        down = self.measure()[DOWN]
        self.proxy.break_all()
        self.proxy.cuts = [(DOWN, down - 1)]
        self.assertEqual(self.db.append(self.key + b"a", b"xyz"), 3)
        for write in (lambda: self.db.put(self.key + b"p", b"v", if_absent=True),
                      lambda: self.db.touch(self.key + b"p", ttl=3600, if_present=True),
                      lambda: self.db.persist(self.key + b"p", if_present=True),
                      lambda: self.db.delete(self.key + b"p", if_present=True),
                      lambda: self.db.delete_prefix(self.key + b"p")):
            self.proxy.break_all()
            self.proxy.cuts = [(DOWN, down - 9)]  # in the last answer, whatever follows the version
            write()
            self.assertEqual(self.proxy.cuts, [])
        self.proxy.break_all()
        self.proxy.cuts = [(DOWN, down - 9)]
        with self.db.batch() as batch:
            batch.add(self.key + b"n", 5)
            batch.put(self.key + b"q", b"v")
        self.assertEqual(batch.results, [5])
        self.assertEqual(self.db.get(self.key + b"n"), b"5")

    def test_transaction_is_committed_once_wherever_its_commit_is_cut(self):
        total = 16 + 8 + 24  # the frame of TXN_COMMIT with its token
        for cut in range(total):
            with self.db.transaction() as txn:
                txn.put(self.key, str(self.acknowledged + 1))
                line, = self.proxy.lines
                line.cut = (UP, line.passed[UP] + cut)  # whole requests have come through so far
                try:
                    txn.commit()
                    self.acknowledged += 1
                except kvd.Gone:  # it never came: it was not done
                    pass
            self.proxy.break_all()
        for cut in range(16 + 8):
            with self.db.transaction() as txn:
                txn.put(self.key, str(self.acknowledged + 1))
                line, = self.proxy.lines
                line.cut = (DOWN, line.passed[DOWN] + cut)
                txn.commit()
                self.acknowledged += 1
            self.proxy.break_all()
        self.check()

    def test_without_it_the_write_is_unknown(self):
        down = self.measure()[DOWN]
        self.proxy.break_all()
        self.proxy.cuts = [(DOWN, down - 1)]
        with kvd.connect(self.proxy.address) as plain:
            with self.assertRaises(kvd.UnknownOutcome):
                plain.add(self.key)


if __name__ == "__main__":
    unittest.main()
