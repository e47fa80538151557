# snapshot.py: states of the store that stay readable.
"""Snapshot: the state of one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _library as c
from ._errors import KvdError, Status
from ._values import State

if TYPE_CHECKING:
    from .connection import Connection

lib = c.lib


class Snapshot:
    """Made by Connection.snapshot; pass it as `at` to any read, on any connection. As a context manager
    it closes. id, version (everything up to here is seen) and time (seconds since 1970 UTC) tell which
    state it is."""

    def __init__(self, connection: Connection, opened: c.kvd_snapshot):
        """Not for users."""
        self._connection = connection
        self._closed = False
        self.id: int = opened.id
        self.version: int = opened.version
        self.time: float = opened.time_ms / 1000

    @property
    def state(self) -> State:
        """The same as a State, which can be handed to other processes by its number."""
        return State(snapshot=self.id)

    def close(self) -> None:
        """Lets the state go; one that is gone already is no error. May be called twice."""
        if self._closed or self._connection.closed:
            return
        self._closed = True
        try:
            self._connection._call(lib.kvd_snapshot_close, self.id)
        except KvdError as error:
            if error.status != Status.NOT_FOUND:
                raise

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
