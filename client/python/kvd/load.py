# load.py: a namespace filled from sorted input.
"""Load: sorted entries that go straight into the server's tables, all of them at once or none."""

from __future__ import annotations

import contextlib
import ctypes
from typing import TYPE_CHECKING, Unpack

from . import _library as c
from ._values import Data, WriteOptions, borrow, to_bytes, write_options

if TYPE_CHECKING:
    from .connection import Connection

lib = c.lib


class Load:
    """Made by Connection.load. As a context manager it commits at the end of the block, and is
    forgotten if an exception leaves it. `version` is that of all its entries. While it has entries on
    their way, its connection is Busy for other calls."""

    def __init__(self, connection: Connection):
        """Not for users."""
        self._handle: ctypes.c_void_p | None = None
        self._connection = connection
        self.version: int | None = None
        handle = ctypes.c_void_p()
        connection._call(lib.kvd_load_begin, ctypes.byref(handle))
        self._handle = handle
        connection._children.add(self)

    def _live(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise ValueError("the load is over")
        return self._handle

    def put(self, key: Data, value: Data, **options: Unpack[WriteOptions]) -> None:
        """Adds an entry; its key is above that of the one before, as bytes. Options: ttl, expires_at,
        flags, checksum. Entries are sent many at a time: an exception may be about an earlier one."""
        key, value = to_bytes(key), to_bytes(value)
        with self._connection._turn:
            self._connection._check(lib.kvd_load_put(self._live(), borrow(key), borrow(value),
                                                     ctypes.byref(write_options(**options))))

    def __len__(self) -> int:
        """The number of entries."""
        return lib.kvd_load_entries(self._live())

    @property
    def size(self) -> int:
        """Bytes of keys and values."""
        return lib.kvd_load_bytes(self._live())

    def commit(self) -> int:
        """Makes all of it visible and durable; returns the version. Nobody sees anything of it before."""
        version = ctypes.c_uint64()
        with self._connection._turn:
            self._connection._check(lib.kvd_load_commit(self._live(), ctypes.byref(version)))
        self.version = version.value
        return self.version

    def close(self) -> None:
        """Ends it; what was not committed is forgotten. May be called twice."""
        with self._connection._turn:
            handle, self._handle = self._handle, None
            if handle is not None and not self._connection.closed:
                lib.kvd_load_destroy(handle)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self.version is None:
                self.commit()
        finally:
            self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            with contextlib.suppress(RuntimeError):  # collected within a call of the connection
                self.close()
