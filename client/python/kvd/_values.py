# _values.py: what goes in and out of calls, and how it becomes the structs of libkvd.
"""Small value classes, and conversions that all calls share."""

from __future__ import annotations

import ctypes
import enum
from dataclasses import dataclass
from typing import TypedDict, Union

from . import _library as c

Data = Union[bytes, bytearray, memoryview, str]

UINT32_MAX = 0xFFFFFFFF


class Durability(enum.IntEnum):
    """When a write is acknowledged."""

    DEFAULT = 0  # the connection's, else the server's
    MEMORY = 1   # visible to readers; lost when the server process dies
    LOGGED = 2   # given to the operating system; lost when the machine dies
    SYNCED = 3   # on stable storage


class WriteOptions(TypedDict, total=False):
    """Options of writes; the conditions exclude each other, and so do the two ways to expire."""

    ttl: float               # seconds to live
    expires_at: float        # seconds since 1970 UTC
    flags: int               # 32 bits, stored with the value
    if_absent: bool          # else Exists
    if_present: bool         # else Absent
    if_version: int          # else VersionMismatch
    durability: Durability   # when to acknowledge
    deadline: float          # seconds after which the server need not begin any more
    checksum: bool           # the server verifies the value on arrival
    transaction: int         # inside the one with this id; the calls of a Transaction set it


class ScanOptions(TypedDict, total=False):
    """Options of scans: a prefix, or a range from `start` up to, not including, `end`."""

    prefix: Data
    start: Data
    end: Data
    limit: int          # entries in all
    reverse: bool       # from the greatest key down
    at: object          # a Snapshot, Transaction or State
    verify: bool        # compare each value with its checksum
    page_entries: int   # entries of a request
    page_bytes: int     # bytes of a reply


@dataclass(frozen=True)
class State:
    """A state of the store to read: at most one of a snapshot's id, a version, a time in seconds, the id of
    an open transaction of the connection."""

    snapshot: int = 0
    version: int = 0
    time: float = 0.0
    transaction: int = 0


@dataclass(frozen=True)
class Meta:
    """What is known of a stored value besides its bytes."""

    version: int               # of the commit that wrote it
    length: int                # bytes
    flags: int                 # as given to the put
    expires_at: float | None   # seconds since 1970 UTC
    checksum: int | None       # XXH3-64, if it was asked for


@dataclass(frozen=True)
class Value:
    """A value with its record."""

    data: bytes
    meta: Meta


@dataclass(frozen=True)
class Entry:
    """One entry of a scan. `value` is None when it was not sent: for keys alone, or when it is longer
    than the server sends at once (meta.length tells; read it with Connection.stream)."""

    key: bytes
    value: bytes | None
    meta: Meta


@dataclass(frozen=True)
class ServerInfo:
    """What the server said of itself; limits are bytes or counts, 0: not told."""

    protocol_version: int
    server_name: str
    key_max: int
    value_max: int
    frame_max: int
    requests_max: int
    mget_keys_max: int
    batch_items_max: int
    batch_bytes_max: int
    scan_entries_max: int
    scan_page_bytes_max: int
    transactions_max: int      # open on a connection
    transaction_bytes: int     # what one may write
    transaction_age_ms: int    # how long one may last
    transaction_idle_ms: int   # how long it may be without a call
    memory_bytes: int
    durability: Durability


def to_bytes(data: Data) -> bytes:
    """bytes as they are; str as UTF-8; other buffers are copied."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise TypeError("bytes or str expected, not %s" % type(data).__name__)


def borrow(data: bytes) -> c.kvd_bytes:
    """Points into `data`, which the caller keeps until the call is over."""
    return c.kvd_bytes(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data))


def copy(data: c.kvd_bytes) -> bytes:
    return ctypes.string_at(data.ptr, data.len) if data.len else b""


def milliseconds(seconds: float | None, what: str) -> int:
    """At least 1 for what is above 0; None is 0, which stands for "none" or "default"."""
    if seconds is None:
        return 0
    if not seconds > 0:
        raise ValueError("%s is a number of seconds above 0" % what)
    return max(1, round(seconds * 1000))


def milliseconds_32(seconds: float | None, what: str) -> int:
    return min(milliseconds(seconds, what), UINT32_MAX)


def text(value: str, what: str) -> bytes:
    """For strings that end with a NUL."""
    encoded = value.encode()
    if b"\0" in encoded:
        raise ValueError("%s has a NUL in it" % what)
    return encoded


def make_meta(meta: c.kvd_meta) -> Meta:
    return Meta(meta.version, meta.value_len, meta.user_flags,
                meta.expires_at_ms / 1000 if meta.expires_at_ms else None,
                meta.checksum if meta.has_checksum else None)


def make_state(at: object) -> c.kvd_state:
    """Of None, a State, a Snapshot, or a Transaction."""
    if at is None:
        return c.kvd_state()
    state = getattr(at, "state", at)
    if not isinstance(state, State):
        raise TypeError("a kvd.State, snapshot or transaction expected, not %s" % type(at).__name__)
    return c.kvd_state(state.snapshot, state.version, round(state.time * 1000), state.transaction)


def read_options(at: object, verify: bool, deadline: float | None) -> c.kvd_read_options:
    return c.kvd_read_options(milliseconds_32(deadline, "deadline"), verify, make_state(at))


def write_options(*, ttl: float | None = None, expires_at: float | None = None, flags: int = 0,
                  if_absent: bool = False, if_present: bool = False, if_version: int | None = None,
                  durability: Durability = Durability.DEFAULT, deadline: float | None = None,
                  checksum: bool = False, transaction: int = 0) -> c.kvd_write_options:
    """The conditions exclude each other."""
    if if_absent + if_present + (if_version is not None) > 1:
        raise ValueError("only one of if_absent, if_present and if_version")
    if not 0 <= flags <= UINT32_MAX:
        raise ValueError("flags is a number of 32 bits")
    condition = 1 if if_absent else 2 if if_present else 3 if if_version is not None else 0
    return c.kvd_write_options(condition, if_version or 0, milliseconds(ttl, "ttl"),
                               milliseconds(expires_at, "expires_at"), flags, int(durability),
                               milliseconds_32(deadline, "deadline"), transaction, checksum)


def range_options(prefix: bytes, start: bytes, end: bytes) -> c.kvd_scan_options:
    """Points into the three."""
    options = c.kvd_scan_options()
    options.prefix = borrow(prefix)
    setattr(options, "from", borrow(start))
    options.to = borrow(end)
    return options
