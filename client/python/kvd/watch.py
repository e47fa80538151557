# watch.py: following what is committed.
"""Watch: an iterator over changes."""

from __future__ import annotations

import ctypes
import enum
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _library as c
from ._errors import Status
from ._values import Meta, borrow, copy, make_meta, milliseconds_32
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .connection import Connection

lib = c.lib

WAIT_MS_MAX = 1000  # of one call, so that signals are seen


class ChangeKind(enum.IntEnum):
    """What a change is."""

    PUT = 1           # a new value, or an old one with a new expiry
    DELETE = 2        # of a key
    DELETE_RANGE = 3  # of all keys from `key` up to, not including, `end`, older than its commit
    SUPERSEDED = 4    # a put whose value is gone: a later commit, which comes too, has replaced it
    GAP = 5           # versions are missing: begin anew from the snapshot


@dataclass(frozen=True)
class Change:
    """One change. `last`: nothing more of its commit follows. A value too long for a page comes in parts,
    one change each, with their offsets; meta.length is that of the whole."""

    kind: ChangeKind
    version: int               # of the commit; GAP: the first version that is missing
    time: float                # of the commit, seconds since 1970 UTC; GAP: 0
    last: bool
    key: bytes                 # DELETE_RANGE: the first key; empty: from the start
    end: bytes                 # DELETE_RANGE: the first key that stays; empty: to the last
    value: bytes | None        # PUT
    offset: int                # PUT: where this part of the value begins
    meta: Meta | None          # PUT, SUPERSEDED
    gap_to: int                # GAP: the last version that is missing
    snapshot: Snapshot | None  # GAP, unless gaps are skipped: what comes before the next change


class Watch:
    """Made by Connection.watch. Iterating waits for changes; after an exception, or when it ended for want
    of changes, it can be iterated again, and goes on where it was. A context manager that closes."""

    def __init__(self, connection: Connection, *, prefix: bytes, start: bytes, end: bytes, version: int | None,
                 timeout: float | None, skip_gaps: bool, page_bytes: int, snapshot_lifetime: float | None):
        """Not for users."""
        if page_bytes < 0 or (version is not None and not 0 <= version < 1 << 64):
            raise ValueError("version and page_bytes are not negative, and version has 64 bits")
        options = c.kvd_watch_options()
        options.prefix = borrow(prefix)
        setattr(options, "from", borrow(start))
        options.to = borrow(end)
        options.from_version, options.from_now = version or 0, version is None
        options.skip_gaps, options.page_bytes = skip_gaps, page_bytes
        options.snapshot_ms = milliseconds_32(snapshot_lifetime, "snapshot_lifetime")
        self._connection = connection
        self._timeout = timeout
        self._handle: ctypes.c_void_p | None = None
        self._ended_at = version or 0
        handle = ctypes.c_void_p()
        connection._call(lib.kvd_watch_open, ctypes.byref(options), ctypes.byref(handle))
        self._handle = handle
        connection._children.add(self)

    @property
    def version(self) -> int:
        """All changes up to it have come: what to give to a watch that is to go on here."""
        with self._connection._turn:
            return lib.kvd_watch_version(self._handle) if self._handle else self._ended_at

    def next(self, timeout: float | None = None) -> Change | None:
        """The next change, or None if there is none for so many seconds (0: does not wait; None: waits for
        ever)."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = WAIT_MS_MAX if end is None else max(0, round((end - time.monotonic()) * 1000))
            change = self._step(min(left, WAIT_MS_MAX))
            if change is not None or (end is not None and time.monotonic() >= end):
                return change

    def _step(self, wait_ms: int) -> Change | None:
        found = c.kvd_watch_change()
        with self._connection._turn:
            if self._handle is None:
                raise ValueError("the watch is closed")
            status = lib.kvd_watch_next(self._handle, wait_ms, ctypes.byref(found))
            if status == Status.END:
                return None
            self._connection._check(status)
            return self._change_of(found)

    def _change_of(self, found: c.kvd_watch_change) -> Change:
        kind = ChangeKind(found.kind)
        has_meta = kind in (ChangeKind.PUT, ChangeKind.SUPERSEDED)
        snapshot = Snapshot(self._connection, found.snapshot) if found.snapshot.id else None
        return Change(kind, found.version, found.time_ms / 1000, found.last, copy(found.key), copy(found.to),
                      copy(found.value) if kind == ChangeKind.PUT else None, found.value_offset,
                      make_meta(found.meta) if has_meta else None, found.gap_to, snapshot)

    def __iter__(self) -> Iterator[Change]:
        return self

    def __next__(self) -> Change:
        change = self.next(self._timeout) if self._handle is not None else None
        if change is None:
            raise StopIteration
        return change

    def close(self) -> None:
        """Ends it; may be called twice."""
        with self._connection._turn:
            handle, self._handle = self._handle, None
            if handle is not None:
                self._ended_at = lib.kvd_watch_version(handle)
                lib.kvd_watch_close(handle)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            lib.kvd_watch_close(self._handle)  # touches no connection
