# batch.py: many writes, one commit.
"""Batch: writes that take effect together or not at all."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Unpack

from . import _library as c
from ._errors import Status, make_error
from ._values import Data, Durability, WriteOptions, borrow, milliseconds_32, to_bytes, write_options

if TYPE_CHECKING:
    from .connection import Connection

lib = c.lib


class Batch:
    """Made by Connection.batch. As a context manager it commits at the end of the block, unless an
    exception leaves it or nothing was added. One thread at a time. If a key comes twice, the later
    write wins."""

    def __init__(self, connection: Connection, durability: Durability, deadline: float | None):
        """Not for users."""
        self._handle: ctypes.c_void_p | None = None
        self._connection = connection
        self._options = c.kvd_write_options(durability=int(durability),
                                            deadline_ms=milliseconds_32(deadline, "deadline"))
        self._counted = 0  # items that have a result
        self.version: int | None = None
        self.results: list[int] = []
        handle = ctypes.c_void_p()
        self._check(lib.kvd_batch_create(ctypes.byref(handle)))
        self._handle = handle

    @staticmethod
    def _check(status: int) -> None:
        if status != Status.OK:
            raise make_error(status)

    def _live(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise ValueError("the batch is closed")
        return self._handle

    def put(self, key: Data, value: Data, **options: Unpack[WriteOptions]) -> None:
        """Adds a put; options: ttl, expires_at, flags, checksum, and the conditions."""
        key, value = to_bytes(key), to_bytes(value)
        self._check(lib.kvd_batch_put(self._live(), borrow(key), borrow(value),
                                      ctypes.byref(write_options(**options))))

    def delete(self, key: Data, **options: Unpack[WriteOptions]) -> None:
        """Adds a delete; options: the conditions."""
        key = to_bytes(key)
        self._check(lib.kvd_batch_delete(self._live(), borrow(key), ctypes.byref(write_options(**options))))

    def delete_range(self, start: Data, end: Data = b"") -> None:
        """Adds a delete of all keys from `start` up to, not including, `end`; without one, to the last."""
        start, end = to_bytes(start), to_bytes(end)
        self._check(lib.kvd_batch_delete_range(self._live(), borrow(start), borrow(end)))

    def add(self, key: Data, amount: int = 1, **options: Unpack[WriteOptions]) -> None:
        """Adds an add; its sum is in `results` after the commit."""
        if not -1 << 63 <= amount < 1 << 63:
            raise ValueError("amount is a signed number of 64 bits")
        key = to_bytes(key)
        self._check(lib.kvd_batch_add(self._live(), borrow(key), amount,
                                      ctypes.byref(write_options(**options))))
        self._counted += 1

    def append(self, key: Data, data: Data, **options: Unpack[WriteOptions]) -> None:
        """Adds an append; the new length is in `results` after the commit."""
        key, data = to_bytes(key), to_bytes(data)
        self._check(lib.kvd_batch_append(self._live(), borrow(key), borrow(data),
                                         ctypes.byref(write_options(**options))))
        self._counted += 1

    def touch(self, key: Data, **options: Unpack[WriteOptions]) -> None:
        """Adds a change of expiry: ttl or expires_at."""
        key = to_bytes(key)
        self._check(lib.kvd_batch_touch(self._live(), borrow(key), ctypes.byref(write_options(**options))))

    def persist(self, key: Data, **options: Unpack[WriteOptions]) -> None:
        """Adds the end of an expiry."""
        key = to_bytes(key)
        self._check(lib.kvd_batch_persist(self._live(), borrow(key), ctypes.byref(write_options(**options))))

    def __len__(self) -> int:
        """The number of writes."""
        return lib.kvd_batch_count(self._live())

    @property
    def size(self) -> int:
        """Bytes of keys and values."""
        return lib.kvd_batch_bytes(self._live())

    def clear(self) -> None:
        """Forgets the writes."""
        lib.kvd_batch_clear(self._live())
        self._counted = 0

    def commit(self) -> int:
        """Commits; returns the version. The writes stay in the batch. Raises InvalidCall if it is empty;
        of other errors `item` is the index of the write at fault, and none has taken effect."""
        values = (ctypes.c_int64 * max(1, self._counted))()
        results = c.kvd_results(ctypes.cast(values, ctypes.POINTER(ctypes.c_int64)), self._counted)
        self.version = self._connection._write(lib.kvd_batch_commit_results, self._live(),
                                               ctypes.byref(self._options), ctypes.byref(results))
        self.results = list(values[:min(results.count, self._counted)])
        return self.version

    def close(self) -> None:
        """Frees it; may be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            lib.kvd_batch_destroy(handle)

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and len(self) > 0:
                self.commit()
        finally:
            self.close()

    def __del__(self) -> None:
        self.close()
