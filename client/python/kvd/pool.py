# pool.py: connections shared by threads.
"""Pool: connections for several threads."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

from . import _library as c
from ._errors import Status, make_error
from ._values import Durability, milliseconds_32, text
from .connection import Connection, _connect_options

lib = c.lib


class Pool:
    """Up to `maximum` connections, lent to threads:

        with kvd.Pool("127.0.0.1:4411", maximum=4) as pool:
            with pool.connection() as db:
                db.get("name")

    Any thread may ask at any time; who waits longest is served first. `minimum` connections are opened
    at once and kept. Above it, one idle for `idle` seconds (60) is closed; one idle for `check` seconds
    (5) is tried before it is lent. After os.fork() a child makes a pool of its own."""

    def __init__(self, address: str, *, minimum: int = 0, maximum: int = 8, idle: float | None = None,
                 check: float | None = None, timeout: float | None = None, namespace: str = "",
                 client_name: str = "python", durability: Durability = Durability.DEFAULT,
                 retry: float | None = None):
        self._handle: ctypes.c_void_p | None = None
        if not 0 <= minimum <= maximum or maximum < 1:
            raise ValueError("0 <= minimum <= maximum, and maximum is at least 1")
        options = c.kvd_pool_options(_connect_options(timeout, namespace, client_name, durability, retry), minimum,
                                     maximum, milliseconds_32(idle, "idle"), milliseconds_32(check, "check"))
        handle = ctypes.c_void_p()
        status = lib.kvd_pool_create(text(address, "address"), ctypes.byref(options), ctypes.byref(handle))
        if status != Status.OK:
            error = make_error(status, self._text(handle))
            lib.kvd_pool_destroy(handle)
            raise error
        self._handle = handle

    @staticmethod
    def _text(handle: ctypes.c_void_p) -> str:
        if not handle:
            return ""
        room = ctypes.create_string_buffer(512)
        lib.kvd_pool_error(handle, room, len(room))
        return room.value.decode(errors="replace")

    def _live(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise ValueError("the pool is closed")
        return self._handle

    @contextlib.contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection]:
        """Lends a connection for the block; it is of no use afterwards. timeout: seconds to wait for
        one; then TimedOut."""
        pool = self._live()
        handle = ctypes.c_void_p()
        status = lib.kvd_pool_borrow(pool, milliseconds_32(timeout, "timeout"), ctypes.byref(handle))
        if status != Status.OK:
            raise make_error(status, self._text(pool))
        lent = Connection(handle, lambda returned: lib.kvd_pool_return(pool, returned))
        try:
            yield lent
        finally:
            lent.close()

    def stats(self) -> dict[str, int]:
        """connections, idle, waiting: now; lent, opened: since the pool was made."""
        stats = c.kvd_pool_stats()
        lib.kvd_pool_stats(self._live(), ctypes.byref(stats))
        return {name: getattr(stats, name) for name, _ in stats._fields_}

    def close(self) -> None:
        """Closes all connections; all must have been returned. May be called twice."""
        if self._handle is None:
            return
        now = self.stats()
        if now["idle"] != now["connections"]:
            raise RuntimeError("%d connections are lent" % (now["connections"] - now["idle"]))
        handle, self._handle = self._handle, None
        lib.kvd_pool_destroy(handle)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
