# scan.py: walking over entries.
"""Scan: an iterator over entries."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import _library as c
from ._errors import Status
from ._values import Entry, copy, make_meta, make_state, range_options

if TYPE_CHECKING:
    from .connection import Connection

lib = c.lib


class Scan:
    """Made by Connection.entries. Iterates once; a context manager that closes. After an exception it
    can be asked for the next entry again, and goes on with the page that failed."""

    def __init__(self, connection: Connection, *, prefix: bytes, start: bytes, end: bytes, limit: int,
                 reverse: bool, keys_only: bool, at: object, verify: bool, page_entries: int, page_bytes: int):
        """Not for users."""
        if min(limit, page_entries, page_bytes) < 0:
            raise ValueError("limits are not negative")
        options = range_options(prefix, start, end)
        options.limit, options.page_entries, options.page_bytes = limit, page_entries, page_bytes
        options.reverse, options.keys_only, options.verify = reverse, keys_only, verify
        options.at = make_state(at)
        self._connection = connection
        self._keys_only = keys_only
        self._handle: ctypes.c_void_p | None = None
        handle = ctypes.c_void_p()
        connection._call(lib.kvd_scan_open, ctypes.byref(options), ctypes.byref(handle))
        self._handle = handle
        connection._children.add(self)

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        entry = c.kvd_entry()
        with self._connection._turn:
            status = lib.kvd_scan_next(self._handle, ctypes.byref(entry)) if self._handle else Status.END
            if status == Status.OK:
                sent = not (self._keys_only or entry.value_left_out)
                return Entry(copy(entry.key), copy(entry.value) if sent else None, make_meta(entry.meta))
            if status != Status.END:
                self._connection._check(status)
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Ends the walk; may be called twice."""
        with self._connection._turn:
            handle, self._handle = self._handle, None
            if handle is not None:
                lib.kvd_scan_close(handle)

    def __enter__(self) -> Scan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            lib.kvd_scan_close(self._handle)  # touches no connection
