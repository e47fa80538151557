# connection.py: one connection and its calls.
"""connect() and Connection."""

from __future__ import annotations

import ctypes
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Protocol, TypeVar, Unpack, overload

from . import _library as c
from ._errors import (Conflict, ConnectionClosed, KvdError, Status, TransactionConflict, TransactionTooOld,
                      make_error)
from ._values import (Data, Durability, Entry, Meta, ScanOptions, ServerInfo, Value, WriteOptions, borrow, copy,
                      make_meta, make_state, milliseconds, milliseconds_32, range_options, read_options, text, to_bytes,
                      write_options)
from .batch import Batch
from .scan import Scan
from .snapshot import Snapshot
from .transaction import Transaction
from .load import Load
from .upload import Upload
from .watch import Watch

lib = c.lib
T = TypeVar("T")
WARM_BYTES_MAX = 1 << 20  # of the memory for values that a connection keeps between calls
PIECE_BYTES = 1 << 20     # of streams, unless asked for otherwise
PAUSE_FIRST_S, PAUSE_MAX_S = 0.001, 0.1  # between attempts of a transaction


class _Closable(Protocol):
    def close(self) -> None: ...


def _connect_options(timeout: float | None, namespace: str, client_name: str, durability: Durability,
                     retry: float | None) -> c.kvd_connect_options:
    return c.kvd_connect_options(milliseconds_32(timeout, "timeout"), text(client_name, "client_name"),
                                 text(namespace, "namespace"), int(durability), milliseconds_32(retry, "retry"))


def connect(address: str, *, timeout: float | None = None, namespace: str = "", client_name: str = "python",
            durability: Durability = Durability.DEFAULT, retry: float | None = None) -> Connection:
    """Connects to "HOST:PORT", "[IPV6]:PORT" or "unix:PATH".

    timeout: seconds for connecting and for each call, 30 by default. namespace: all keys are in it.
    durability: of the writes that do not say. retry: for so many seconds (300 at most) a write that
    finds no server, or whose answer was lost, is sent again, and takes effect once; without it, never.
    Raises ConnectFailed, TimedOut, InvalidCall ..."""
    options = _connect_options(timeout, namespace, client_name, durability, retry)
    handle = ctypes.c_void_p()
    status = lib.kvd_connect(text(address, "address"), ctypes.byref(options), ctypes.byref(handle))
    if status != Status.OK:
        error = make_error(status, (lib.kvd_error(handle) or b"").decode(errors="replace"))
        lib.kvd_close(handle)
        raise error
    return Connection(handle, lib.kvd_close)


class _Turn:
    """One thread at a time, and no call within a call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    def __enter__(self) -> None:
        if self._owner == threading.get_ident():
            raise RuntimeError("the connection is in a call that has not returned")
        self._lock.acquire()
        self._owner = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()


class Connection:
    """A connection; made by connect() or lent by a Pool. It is a context manager that closes.

    Calls from several threads take turns: each waits until the one before is over. For calls at the
    same time, use a Pool. A connection that broke is opened again by the next call; a write is not
    sent twice, unless connect() was told a time to `retry`. After os.fork(), use it in one of the two processes only."""

    def __init__(self, handle: ctypes.c_void_p, give_up: Callable[[ctypes.c_void_p], Any]):
        """Not for users: connect() makes connections."""
        self._handle: ctypes.c_void_p | None = handle
        self._give_up = give_up
        self._turn = _Turn()
        self._children: weakref.WeakSet[_Closable] = weakref.WeakSet()
        self._value = c.kvd_value()

    # --- the life of a connection ---

    def close(self) -> None:
        """Closes it, with its scans and uploads; a snapshot without a lifetime ends too. May be called
        twice."""
        for child in list(self._children):
            child.close()
        with self._turn:
            handle, self._handle = self._handle, None
            lib.kvd_value_free(ctypes.byref(self._value))
            if handle is not None:
                self._give_up(handle)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._handle is None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self._give_up(self._handle)
            lib.kvd_value_free(ctypes.byref(self._value))

    def _live(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise ConnectionClosed("the connection was closed", Status.CLOSED)
        return self._handle

    def _check(self, status: int) -> None:
        """Within a turn: raises unless the call was done."""
        if status != Status.OK:
            handle = self._live()
            error = make_error(status, lib.kvd_error(handle).decode(errors="replace"),
                               lib.kvd_error_detail(handle), lib.kvd_error_item(handle))
            if isinstance(error, TransactionConflict):
                error.conflict = self._conflict(handle)
            raise error

    @staticmethod
    def _conflict(handle: ctypes.c_void_p) -> Conflict | None:
        met = c.kvd_conflict()
        if lib.kvd_conflict(handle, ctypes.byref(met)) != Status.OK:
            return None
        return Conflict(copy(met.namespace_name).decode(errors="replace"), met.is_range, met.expired,
                        copy(getattr(met, "from")), copy(met.to), met.version)

    def _call(self, function: Callable[..., int], *arguments: Any) -> None:
        with self._turn:
            self._check(function(self._live(), *arguments))

    def _find(self, function: Callable[..., int], *arguments: Any) -> bool:
        """The same of a call whose answer may be "not found"."""
        with self._turn:
            status = function(self._live(), *arguments)
            if status != Status.NOT_FOUND:
                self._check(status)
        return status == Status.OK

    def _write(self, function: Callable[..., int], *arguments: Any) -> int:
        version = ctypes.c_uint64()
        self._call(function, *arguments, ctypes.byref(version))
        return version.value

    def set_timeout(self, timeout: float | None) -> None:
        """Seconds for each call to come; None: 30."""
        with self._turn:
            lib.kvd_set_timeout(self._live(), milliseconds_32(timeout, "timeout"))

    def ping(self) -> None:
        """Asks the server for a sign of life."""
        self._call(lib.kvd_ping)

    def server_info(self) -> ServerInfo:
        """Limits and names, as the server told when the connection was made."""
        info = c.kvd_server_info()
        self._call(lib.kvd_server_info, ctypes.byref(info))
        fields = {name: getattr(info, name) for name in ServerInfo.__dataclass_fields__}
        fields["server_name"] = info.server_name.decode(errors="replace")
        fields["durability"] = Durability(info.durability)
        return ServerInfo(**fields)

    def stats(self, section: str = "") -> dict[str, str]:
        """The server's statistics whose name begins with `section`."""
        lines: dict[str, str] = {}

        def keep(name: bytes, value: bytes, _: object) -> None:
            lines[name.decode(errors="replace")] = value.decode(errors="replace")

        self._call(lib.kvd_stats, text(section, "section"), c.stat_cb(keep), None)
        return lines

    # --- reading ---
    # at: read a Snapshot or State instead of the newest. verify: compare the value with its checksum.
    # deadline: seconds after which the server need not begin any more (DeadlinePassed).

    @overload
    def get(self, key: Data, default: None = None, *, at: object = None, verify: bool = False,
            deadline: float | None = None) -> bytes | None: ...

    @overload
    def get(self, key: Data, default: T, *, at: object = None, verify: bool = False,
            deadline: float | None = None) -> bytes | T: ...

    def get(self, key: Data, default: object = None, *, at: object = None, verify: bool = False,
            deadline: float | None = None) -> object:
        """The value of `key` as bytes, or `default`."""
        value = self.read(key, at=at, verify=verify, deadline=deadline)
        return default if value is None else value.data

    def read(self, key: Data, *, at: object = None, verify: bool = False,
             deadline: float | None = None) -> Value | None:
        """The value of `key` with its record, or None."""
        options = read_options(at, verify, deadline)
        key = to_bytes(key)
        with self._turn:
            value = self._value
            status = lib.kvd_get(self._live(), borrow(key), ctypes.byref(options), ctypes.byref(value))
            if status == Status.NOT_FOUND:
                return None
            self._check(status)
            found = Value(ctypes.string_at(value.data, value.meta.value_len), make_meta(value.meta))
            if value.capacity > WARM_BYTES_MAX:
                lib.kvd_value_free(ctypes.byref(value))
        return found

    def mget(self, keys: Iterable[Data], *, at: object = None, verify: bool = False,
             deadline: float | None = None) -> list[bytes | None]:
        """The values of many keys, in their order; None where there is none. As many keys as fit one
        reply are read from one state of the store; with `at`, all of them."""
        options = read_options(at, verify, deadline)
        held = [to_bytes(key) for key in keys]
        wanted = (c.kvd_bytes * len(held))(*[borrow(key) for key in held])
        values = (c.kvd_value * len(held))()
        found: list[bytes | None] = []
        try:
            self._call(lib.kvd_mget, wanted, len(held), ctypes.byref(options), values)
            for value in values:
                if value.status not in (Status.OK, Status.NOT_FOUND):
                    raise make_error(value.status, "", 0, len(found))
                found.append(ctypes.string_at(value.data, value.meta.value_len)
                             if value.status == Status.OK else None)
        finally:
            for value in values:
                lib.kvd_value_free(ctypes.byref(value))
        return found

    def exists(self, key: Data, *, at: object = None, deadline: float | None = None) -> bool:
        """Whether `key` is there."""
        options = read_options(at, False, deadline)
        key = to_bytes(key)
        return self._find(lib.kvd_exists, borrow(key), ctypes.byref(options), None)

    def meta(self, key: Data, *, at: object = None, verify: bool = False,
             deadline: float | None = None) -> Meta | None:
        """The record of `key` without its value, or None. With `verify`, its checksum too."""
        options = read_options(at, verify, deadline)
        meta = c.kvd_meta()
        key = to_bytes(key)
        found = self._find(lib.kvd_meta, borrow(key), ctypes.byref(options), ctypes.byref(meta))
        return make_meta(meta) if found else None

    def get_range(self, key: Data, offset: int, length: int, *, at: object = None,
                  deadline: float | None = None) -> bytes | None:
        """Up to `length` bytes of the value from `offset` on, fewer at its end; None without a value."""
        if offset < 0 or length < 0:
            raise ValueError("offset and length are not negative")
        options = read_options(at, False, deadline)
        part = c.kvd_part(offset, length)
        value = c.kvd_value()
        key = to_bytes(key)
        try:
            found = self._find(lib.kvd_get_range, borrow(key), ctypes.byref(part), ctypes.byref(options),
                               ctypes.byref(value))
            return ctypes.string_at(value.data, part.length) if found else None
        finally:
            lib.kvd_value_free(ctypes.byref(value))

    def __getitem__(self, key: Data) -> bytes:
        """db[key]; raises KeyError."""
        value = self.read(key)
        if value is None:
            raise KeyError(key)
        return value.data

    def __contains__(self, key: Data) -> bool:
        return self.exists(key)

    # --- writing; each returns the version of its commit ---
    # ttl: seconds to live. expires_at: seconds since 1970 UTC. flags: a number stored with the value.
    # if_absent, if_present, if_version: conditions; else Exists, Absent, VersionMismatch.

    def put(self, key: Data, value: Data, **options: Unpack[WriteOptions]) -> int:
        """Stores. Options: ttl, expires_at, flags, if_absent, if_present, if_version, durability,
        deadline, checksum (the server verifies the value on arrival)."""
        key, value = to_bytes(key), to_bytes(value)
        return self._write(lib.kvd_put, borrow(key), borrow(value), ctypes.byref(write_options(**options)))

    def delete(self, key: Data, **options: Unpack[WriteOptions]) -> int:
        """Deletes; an absent key is no error. Options: if_present, if_version, durability, deadline."""
        key = to_bytes(key)
        return self._write(lib.kvd_delete, borrow(key), ctypes.byref(write_options(**options)))

    def delete_range(self, start: Data, end: Data = b"", **options: Unpack[WriteOptions]) -> int:
        """Deletes all keys from `start` up to, not including, `end`; without one, to the last key."""
        start, end = to_bytes(start), to_bytes(end)
        return self._write(lib.kvd_delete_range, borrow(start), borrow(end),
                           ctypes.byref(write_options(**options)))

    def delete_prefix(self, prefix: Data, **options: Unpack[WriteOptions]) -> int:
        """Deletes all keys that begin with `prefix`, which is not empty."""
        prefix = to_bytes(prefix)
        return self._write(lib.kvd_delete_prefix, borrow(prefix), ctypes.byref(write_options(**options)))

    def add(self, key: Data, amount: int = 1, **options: Unpack[WriteOptions]) -> int:
        """Adds to a number kept as decimal text; an absent key counts as 0. Returns the sum."""
        if not -1 << 63 <= amount < 1 << 63:
            raise ValueError("amount is a signed number of 64 bits")
        key = to_bytes(key)
        total = ctypes.c_int64()
        self._write(lib.kvd_add, borrow(key), amount, ctypes.byref(write_options(**options)),
                    ctypes.byref(total))
        return total.value

    def append(self, key: Data, data: Data, **options: Unpack[WriteOptions]) -> int:
        """Adds bytes at the end; an absent key counts as empty. Returns the new length."""
        key, data = to_bytes(key), to_bytes(data)
        length = ctypes.c_uint64()
        self._write(lib.kvd_append, borrow(key), borrow(data), ctypes.byref(write_options(**options)),
                    ctypes.byref(length))
        return length.value

    def touch(self, key: Data, **options: Unpack[WriteOptions]) -> int:
        """Gives a key another expiry: ttl or expires_at. Raises Absent."""
        key = to_bytes(key)
        return self._write(lib.kvd_touch, borrow(key), ctypes.byref(write_options(**options)))

    def persist(self, key: Data, **options: Unpack[WriteOptions]) -> int:
        """Takes a key's expiry away. Raises Absent."""
        key = to_bytes(key)
        return self._write(lib.kvd_persist, borrow(key), ctypes.byref(write_options(**options)))

    def __setitem__(self, key: Data, value: Data) -> None:
        self.put(key, value)

    def __delitem__(self, key: Data) -> None:
        """del db[key]; raises KeyError."""
        try:
            self.delete(key, if_present=True)
        except KvdError as error:
            if error.status == Status.ABSENT:
                raise KeyError(key) from None
            raise

    def batch(self, *, durability: Durability = Durability.DEFAULT, deadline: float | None = None) -> Batch:
        """Many writes, one commit: `with db.batch() as batch: batch.put(...)` commits at its end, and
        not if an exception leaves the block."""
        return Batch(self, durability, deadline)

    # --- large values ---

    def stream(self, key: Data, *, at: object = None, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
        """The value in pieces, whatever its length, all of one state of the store; raises NotFound
        before the first. Other calls on the connection may come in between."""
        key = to_bytes(key)
        if piece_bytes <= 0:
            raise ValueError("piece_bytes is above 0")
        if at is not None:
            yield from self._pieces(key, at, piece_bytes)
            return
        with self.snapshot() as snapshot:
            yield from self._pieces(key, snapshot, piece_bytes)

    def _pieces(self, key: bytes, at: object, piece_bytes: int) -> Iterator[bytes]:
        meta = self.meta(key, at=at)
        if meta is None:
            raise make_error(Status.NOT_FOUND, "there is no value to stream")
        offset = 0
        while offset < meta.length:
            piece = self.get_range(key, offset, piece_bytes, at=at)
            if not piece:  # it was there: so the snapshot, which ends with its connection, is not
                raise make_error(Status.GONE, "the state that was being read is gone")
            offset += len(piece)
            yield piece

    def read_into(self, key: Data, file: BinaryIO, *, at: object = None, verify: bool = False) -> Meta:
        """Writes the value into a file (anything with write), piece by piece. With `verify`, compares
        the whole with its checksum at the end. Raises NotFound. `file` must not use the connection."""
        options = read_options(at, verify, None)
        meta = c.kvd_meta()
        key = to_bytes(key)
        problems: list[BaseException] = []

        def take(data: c.kvd_bytes, _: object) -> bool:
            try:
                file.write(copy(data))
                return True
            except BaseException as problem:  # raised again below, as C cannot
                problems.append(problem)
                return False

        try:
            self._call(lib.kvd_get_stream, borrow(key), ctypes.byref(options), ctypes.byref(meta),
                       c.sink_cb(take), None)
        except KvdError:
            if problems:
                raise problems[0] from None
            raise
        return make_meta(meta)

    def upload(self, key: Data, **options: Unpack[WriteOptions]) -> Upload:
        """Stores a value piece by piece: `with db.upload(key) as upload: upload.write(piece)` commits at
        its end, as one write. Options as for put."""
        return Upload(self, to_bytes(key), write_options(**options))

    def put_file(self, key: Data, file: BinaryIO, **options: Unpack[WriteOptions]) -> int:
        """Stores what `file` (anything with read) has left, of any length. Options as for put."""
        with self.upload(key, **options) as upload:
            while piece := file.read(PIECE_BYTES):
                upload.write(piece)
        assert upload.version is not None
        return upload.version

    def load(self) -> Load:
        """Fills the connection's namespace with sorted entries: `with db.load() as load: load.put(key,
        value)` makes all of them visible at its end, past the server's log. One at a time for a
        server."""
        return Load(self)

    # --- walking ---

    def entries(self, *, prefix: Data = b"", start: Data = b"", end: Data = b"", limit: int = 0,
                reverse: bool = False, keys_only: bool = False, at: object = None, verify: bool = False,
                page_entries: int = 0, page_bytes: int = 0) -> Scan:
        """The entries with a prefix, or from `start` up to, not including, `end`, in key order: an
        iterator of Entry, to be closed, exhausted or dropped. Pages are fetched as needed; with `at`,
        all are of one state."""
        return Scan(self, prefix=to_bytes(prefix), start=to_bytes(start), end=to_bytes(end), limit=limit,
                    reverse=reverse, keys_only=keys_only, at=at, verify=verify, page_entries=page_entries,
                    page_bytes=page_bytes)

    def scan(self, **options: Unpack[ScanOptions]) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of each entry; options as for entries(). A value too long to be sent in a page
        is read by itself."""
        with self.entries(**options) as scan:
            for entry in scan:
                yield entry.key, self._value_of(entry, options.get("at"))

    def _value_of(self, entry: Entry, at: object) -> bytes:
        if entry.value is not None:
            return entry.value
        return b"".join(self._pieces(entry.key, at, PIECE_BYTES) if at is not None else self.stream(entry.key))

    def keys(self, **options: Unpack[ScanOptions]) -> Iterator[bytes]:
        """The keys alone; options as for entries()."""
        with self.entries(keys_only=True, **options) as scan:
            for entry in scan:
                yield entry.key

    def __iter__(self) -> Iterator[bytes]:
        return self.keys()

    def count(self, *, prefix: Data = b"", start: Data = b"", end: Data = b"", at: object = None) -> int:
        """How many keys there are with a prefix, or in a range."""
        prefix, start, end = to_bytes(prefix), to_bytes(start), to_bytes(end)
        count = ctypes.c_uint64()
        options = range_options(prefix, start, end)
        options.at = make_state(at)
        self._call(lib.kvd_count, ctypes.byref(options), ctypes.byref(count))
        return count.value

    # --- transactions ---

    def transaction(self, *, read_only: bool = False, at: object = None, lifetime: float | None = None,
                    durability: Durability = Durability.DEFAULT, deadline: float | None = None) -> Transaction:
        """Begins a transaction: `with db.transaction() as txn: txn.put(key, txn.get(other))` commits at its
        end. at: a Snapshot to read instead of the newest state. lifetime: seconds; None: what the server
        allows. durability: of the commit."""
        options = c.kvd_transaction_options(read_only, make_state(at).snapshot,
                                            milliseconds(lifetime, "lifetime"),
                                            milliseconds_32(deadline, "deadline"))
        return Transaction(self, options, durability)

    def transact(self, work: Callable[[Transaction], T], *, attempts: int = 20,
                 durability: Durability = Durability.DEFAULT) -> T:
        """Calls work(transaction) and commits, again from the begin when another came before, after a
        growing pause, `attempts` times in all. Returns what `work` returned. What it raises rolls back and
        is raised here, but for TransactionConflict and TransactionTooOld, which are tried again as well."""
        if attempts < 1:
            raise ValueError("attempts is at least 1")
        pause = PAUSE_FIRST_S
        while True:
            attempts -= 1
            try:
                with self.transaction(durability=durability) as transaction:
                    result = work(transaction)
                return result
            except (TransactionConflict, TransactionTooOld):
                if attempts == 0:
                    raise
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, PAUSE_MAX_S)

    # --- changes ---

    def watch(self, *, prefix: Data = b"", start: Data = b"", end: Data = b"", version: int | None = None,
              timeout: float | None = None, skip_gaps: bool = False, page_bytes: int = 0,
              snapshot_lifetime: float | None = None) -> Watch:
        """What is committed with a prefix, or in a range, as an iterator of Change: behind `version` (0: from
        the beginning), or from now on. It waits for further changes, and ends when none has come for
        `timeout` seconds. Meanwhile the connection is busy: use one of its own."""
        return Watch(self, prefix=to_bytes(prefix), start=to_bytes(start), end=to_bytes(end), version=version,
                     timeout=timeout, skip_gaps=skip_gaps, page_bytes=page_bytes,
                     snapshot_lifetime=snapshot_lifetime)

    # --- the past ---

    def snapshot(self, lifetime: float | None = None) -> Snapshot:
        """Keeps the present state readable: `with db.snapshot() as snapshot: db.get(key, at=snapshot)`.
        lifetime: seconds; None: until it is closed or this connection ends."""
        opened = c.kvd_snapshot()
        self._call(lib.kvd_snapshot_open, milliseconds(lifetime, "lifetime"), ctypes.byref(opened))
        return Snapshot(self, opened)


__all__ = ["Connection", "connect"]
