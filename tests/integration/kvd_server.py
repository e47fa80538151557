# kvd_server.py: a kvd of its own for a test, and a client that writes the bytes of docs/protocol.md itself.
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

KVD = os.path.join(os.path.abspath(os.environ.get("KVD_BUILD", "build")), "kvd")
SANITIZED = os.path.basename(os.path.dirname(KVD)) in ("asan", "tsan")

HELLO, PING = 0x01, 0x02
GET, MGET, EXISTS, META, SCAN, COUNT = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
GET_RANGE, HISTORY, DIFF = 0x16, 0x17, 0x18
PUT, DELETE, BATCH, DELETE_RANGE, ADD, APPEND, TOUCH, PERSIST, REWIND = range(0x20, 0x29)
UPLOAD_BEGIN, BULK_LOAD, UPLOAD_DATA, UPLOAD_COMMIT, UPLOAD_ABORT = range(0x29, 0x2E)
TXN_BEGIN, TXN_COMMIT, TXN_ABORT = 0x30, 0x31, 0x32
SNAPSHOT_OPEN, SNAPSHOT_CLOSE, SNAPSHOT_LIST, TRANSACT = 0x33, 0x34, 0x35, 0x36
FEED = 0x41
STATS, WHY, MAINTAIN, EXPLAIN = 0x50, 0x51, 0x53, 0x54
CONFIG, CLIENTS, SLOWLOG, HOTKEYS = 0x52, 0x55, 0x56, 0x57
NAMESPACE_CREATE, NAMESPACE_DROP, NAMESPACE_LIST = 0x60, 0x61, 0x62
SERVED = (HELLO, PING, GET, MGET, EXISTS, META, SCAN, COUNT, GET_RANGE, HISTORY, DIFF, PUT, DELETE, BATCH,
          DELETE_RANGE, ADD, APPEND, TOUCH, PERSIST, REWIND, UPLOAD_BEGIN, UPLOAD_DATA, UPLOAD_COMMIT,
          UPLOAD_ABORT, SNAPSHOT_OPEN, SNAPSHOT_CLOSE, SNAPSHOT_LIST, STATS, WHY, MAINTAIN, EXPLAIN,
          NAMESPACE_CREATE, NAMESPACE_DROP, NAMESPACE_LIST, TXN_BEGIN, TXN_COMMIT, TXN_ABORT, TRANSACT,
          FEED, SLOWLOG, CLIENTS, HOTKEYS, CONFIG, BULK_LOAD)

OK, NOT_FOUND = 0x000, 0x001
STATUS_EXISTS, ABSENT, VERSION_MISMATCH, INVALID, TOO_LARGE = 0x100, 0x101, 0x102, 0x103, 0x104
UNSUPPORTED, PROTOCOL, CHECKSUM, DEADLINE, BUSY = 0x105, 0x106, 0x107, 0x108, 0x109
NO_MEMORY, NO_SPACE, READ_ONLY, CANCELLED, GONE, QUOTA, OVERFLOW = 0x10A, 0x10B, 0x10E, 0x112, 0x113, 0x114, 0x115
CONFLICT, TXN_TOO_OLD = 0x116, 0x117

FLAG_DEADLINE, FLAG_DURABILITY, FLAG_TTL, FLAG_EXPIRE_AT, FLAG_CONDITION = 1 << 0, 1 << 1, 1 << 3, 1 << 4, 1 << 5
FLAG_SNAPSHOT, FLAG_TRANSACTION, FLAG_NAMESPACE = 1 << 6, 1 << 7, 1 << 8
FLAG_CHECKSUM, FLAG_WANT_CHECKSUM = 1 << 9, 1 << 11
FLAG_AT_VERSION, FLAG_AT_TIME = 1 << 14, 1 << 15
FLAGS = 0xCFFF

MEMORY, LOGGED, SYNCED = b"\1", b"\2", b"\3"
NEWEST, AT_SNAPSHOT, AT_VERSION, AT_TIME = 0, 1, 2, 3  # kinds of states
REVERSE, KEYS_ONLY, PREFIX = 1, 2, 4  # flags of ranges
FLUSH, COMPACT, COLLECT, VERIFY, CHECKPOINT = 1, 2, 3, 4, 5
DEADLINE_S = 20  # for everything that is waited for


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def block(data):
    return varint(len(data)) + data


def frame(opcode, body=b"", id=1, flags=0):
    return struct.pack("<BBHIII", 0xB6, 0x11, opcode, len(body), id, flags) + body


def hello(id=1, features=FLAGS, versions=(1, 1)):
    return frame(HELLO, struct.pack("<HHQ", *versions, features) + block(b"test"), id)


def get(key, id=1):
    return frame(GET, key, id)


def put(key, value, id=1, durability=LOGGED):
    return frame(PUT, durability + struct.pack("<I", 0) + block(key) + value, id, FLAG_DURABILITY)


def number(value):
    return struct.pack("<Q", value)


def bounds(start=b"", end=b"", flags=0):
    return bytes([flags]) + block(start) + block(end)


def state(kind, value=0):
    """Of a DIFF or REWIND."""
    return bytes([kind]) + (number(value) if kind else b"")


def span(start=b"", end=b"", flags=0, limit=0, page_bytes=0, cursor=b""):
    return bytes([flags]) + varint(limit) + varint(page_bytes) + block(start) + block(end) + block(cursor)


class Reply:
    def __init__(self, id, status, flags, body):
        self.id, self.status, self.flags, self.body = id, status, flags, body

    @property
    def version(self):
        return struct.unpack_from("<Q", self.body)[0]

    @property
    def value(self):
        """Of a GET."""
        return self.body[28 + (8 if self.flags & FLAG_CHECKSUM else 0):]

    @property
    def number(self):
        """Behind the version of a commit."""
        return struct.unpack_from("<q", self.body, 8)[0]

    @property
    def item(self):
        return struct.unpack_from("<I", self.body)[0]

    @property
    def detail(self):
        return struct.unpack_from("<Q", self.body, 4)[0]

    @property
    def text(self):
        return self.body[12:].decode()


class Reader:
    """Takes fields from a body."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, count):
        self.at += count
        assert self.at <= len(self.body)
        return self.body[self.at - count:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def block(self):
        length = shift = 0
        while True:
            byte = self.take(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return self.take(length)

    def record(self):
        """(version, expires at, length, user flags)"""
        return struct.unpack("<QQQI", self.take(28))


def read_page(body, keys_only=False):
    """Of a SCAN: (at end, [(key, value)], cursor)."""
    reader = Reader(body)
    at_end, count, entries = reader.number("B") == 1, reader.number("I"), []
    for _ in range(count):
        key = reader.block()
        length = reader.record()[2]
        entries.append((key, None if keys_only else reader.take(length)))
    return at_end, entries, reader.block()


class Client:
    def __init__(self, address, greet=True):
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(DEADLINE_S)
            try:
                self.socket.connect(address[5:])
            except OSError:
                self.socket.close()
                raise
        else:
            host, port = address.rsplit(":", 1)
            self.socket = socket.create_connection((host.strip("[]"), int(port)), DEADLINE_S)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        if greet:
            self.hello = self.ask(hello())

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def try_send(self, data):
        """Sends what the server takes before it closes."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def take(self, count):
        while len(self.received) < count:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError("closed after %r" % self.received[:64])
            self.received += data
        data, self.received = self.received[:count], self.received[count:]
        return data

    def wait_for(self, count):
        """Until so many bytes have come; they stay to be taken."""
        self.received = self.take(count) + self.received

    def reply(self):
        magic, kind, status, length, id, flags = struct.unpack("<BBHIII", self.take(16))
        assert (magic, kind) == (0xB6, 0x12), (magic, kind)
        return Reply(id, status, flags, self.take(length))

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def ask(self, data):
        self.send(data)
        return self.reply()

    def is_closed(self):
        """Whether the server ends the connection, now or soon, and sends nothing before."""
        try:
            return self.received == b"" and self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def stats(self):
        reader = Reader(self.ask(frame(STATS)).body)
        return {reader.block().decode(): int(reader.block()) for _ in range(reader.number("I"))}


class Server:
    """Starts in a folder of its own; with `expect_failure` it is waited for and its output kept."""

    def __init__(self, test, *options, folder=None, listen=("127.0.0.1:0",), **popen):
        self.folder = folder or tempfile.mkdtemp(prefix="kvd-server-")
        self.dir = os.path.join(self.folder, "data")
        self.ready = os.path.join(self.folder, "ready")
        self.log = os.path.join(self.folder, "errors")
        if not folder:
            test.addCleanup(shutil.rmtree, self.folder, True)
        program = KVD
        if "user" in popen:  # who may not be able to reach the folder of the build
            os.chmod(self.folder, 0o755)
            program = shutil.copy(KVD, self.folder)
        command = [program, "--dir", self.dir, "--ready-file", self.ready]
        for address in listen:
            command += ["--listen", address]
        if os.path.exists(self.ready):
            os.unlink(self.ready)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command + list(options), stdout=log, stderr=log, **popen)
        test.addCleanup(self.kill)

    def wait_ready(self):
        end = time.monotonic() + DEADLINE_S
        while not os.path.exists(self.ready):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("kvd did not start: " + self.output())
            time.sleep(0.01)
        with open(self.ready) as file:
            self.addresses = file.read().splitlines()
        return self

    @property
    def address(self):
        return self.addresses[0]

    def client(self, greet=True):
        return Client(self.address, greet)

    def output(self):
        with open(self.log) as file:
            return file.read()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(DEADLINE_S)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def expires(test, client, key, put, seconds):
    """What `put` puts is there for so long, and then it is not; however late this test is."""
    began = time.monotonic()
    put()
    while client.ask(get(key)).status == OK:
        test.assertLess(time.monotonic() - began, seconds + DEADLINE_S)
        time.sleep(0.01)
    test.assertEqual(client.ask(get(key)).status, NOT_FOUND)
    test.assertGreater(time.monotonic() - began, seconds - 0.01)  # the server counts whole milliseconds


def start(test, *options, **more):
    return Server(test, *options, **more).wait_ready()


class SharedServerTest(unittest.TestCase):
    """One kvd for all tests of a class; each has its own connection and its own keys."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls, *cls.options)  # addClassCleanup has the same shape
        cls.server.wait_ready()

    @classmethod
    def addCleanup(cls, *args):  # while the class is set up, cleanups are the class's
        cls.addClassCleanup(*args)

    def setUp(self):
        self.client = self.server.client()
        self.key = self.id().encode()

    def tearDown(self):
        self.client.close()
        self.assertIsNone(self.server.process.poll(), self.server.output())
