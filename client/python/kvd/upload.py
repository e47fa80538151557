# upload.py: values that are stored piece by piece.
"""Upload: a value of any length, sent in pieces, stored as one write."""

from __future__ import annotations

import contextlib
import ctypes
from typing import TYPE_CHECKING

from . import _library as c
from ._values import Data, borrow, to_bytes

if TYPE_CHECKING:
    from .connection import Connection

lib = c.lib


class Upload:
    """Made by Connection.upload. As a context manager it commits at the end of the block, and is
    forgotten if an exception leaves it. `version` is that of the commit."""

    def __init__(self, connection: Connection, key: bytes, options: c.kvd_write_options):
        """Not for users."""
        self._handle: ctypes.c_void_p | None = None
        self._connection = connection
        self._options = options
        self.version: int | None = None
        handle = ctypes.c_void_p()
        connection._call(lib.kvd_upload_begin, borrow(key), ctypes.byref(handle))
        self._handle = handle
        connection._children.add(self)

    def _live(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise ValueError("the upload is over")
        return self._handle

    def write(self, data: Data) -> int:
        """Sends the next bytes; returns their number. After an exception the upload can only be closed."""
        data = to_bytes(data)
        with self._connection._turn:
            self._connection._check(lib.kvd_upload_write(self._live(), borrow(data)))
        return len(data)

    def commit(self) -> int:
        """Stores the value; returns the version. Nobody sees anything of it before."""
        version = ctypes.c_uint64()
        with self._connection._turn:
            self._connection._check(lib.kvd_upload_commit(self._live(), ctypes.byref(self._options),
                                                          ctypes.byref(version)))
        self.version = version.value
        return self.version

    def close(self) -> None:
        """Ends it; what was not committed is forgotten. May be called twice."""
        with self._connection._turn:
            handle, self._handle = self._handle, None
            if handle is not None and not self._connection.closed:
                lib.kvd_upload_destroy(handle)

    def __enter__(self) -> Upload:
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
