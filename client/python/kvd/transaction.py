# transaction.py: reads and writes that are one.
"""Transaction: reads one state, and takes effect as a whole or not at all."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar, Unpack, overload

from . import _library as c
from ._errors import ConnectionClosed, KvdError, Status
from ._values import Data, Durability, Entry, Meta, ScanOptions, State, Value, WriteOptions

if TYPE_CHECKING:
    from .connection import Connection
    from .scan import Scan

lib = c.lib
T = TypeVar("T")


class Transaction:
    """Made by Connection.transaction. As a context manager it commits at the end of the block, unless an
    exception leaves it. Its calls are those of a Connection, and see its own writes; other calls may come
    in between. `version` is the newest version that it reads, `commit_version`, once it has committed,
    that of its commit."""

    def __init__(self, connection: Connection, options: c.kvd_transaction_options, durability: Durability):
        """Not for users."""
        begun = c.kvd_transaction()
        self._connection = connection
        self._durability = durability
        self._over = True
        connection._call(lib.kvd_begin, ctypes.byref(options), ctypes.byref(begun))
        self._over = False
        self.id: int = begun.id
        self.version: int = begun.version
        self.time: float = begun.time_ms / 1000
        self.deadline: float = begun.deadline_ms / 1000
        self.commit_version: int | None = None

    @property
    def state(self) -> State:
        """What it reads, for `at`."""
        return State(transaction=self.id)

    @property
    def over(self) -> bool:
        """Whether it was committed or rolled back."""
        return self._over

    # --- the end ---

    def commit(self) -> int:
        """Makes its writes one commit; returns the version. Raises TransactionConflict, TransactionTooOld
        (run it again; Connection.transact does), DeadlinePassed (it was too old or idle), Gone,
        UnknownOutcome ... It is over in any case."""
        if self._over:
            raise ValueError("the transaction is over")
        self._over = True
        options = c.kvd_write_options(durability=int(self._durability))
        self.commit_version = self._connection._write(lib.kvd_commit, self.id, ctypes.byref(options))
        return self.commit_version

    def rollback(self) -> None:
        """Ends it without a trace. One that is over already is no error."""
        if self._over:
            return
        self._over = True
        try:
            self._connection._call(lib.kvd_rollback, self.id)
        except ConnectionClosed:
            pass  # it ended with its connection
        except KvdError as error:
            if error.status != Status.GONE:
                raise

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self._over:
            self.commit()
        else:
            self.rollback()

    # --- reading ---

    @overload
    def get(self, key: Data, default: None = None, *, verify: bool = False) -> bytes | None: ...

    @overload
    def get(self, key: Data, default: T, *, verify: bool = False) -> bytes | T: ...

    def get(self, key: Data, default: object = None, *, verify: bool = False) -> object:
        """The value of `key` as bytes, or `default`."""
        return self._connection.get(key, default, at=self, verify=verify)

    def read(self, key: Data, *, verify: bool = False) -> Value | None:
        """The value of `key` with its record, or None."""
        return self._connection.read(key, at=self, verify=verify)

    def mget(self, keys: Iterable[Data], *, verify: bool = False) -> list[bytes | None]:
        """The values of many keys, in their order; None where there is none."""
        return self._connection.mget(keys, at=self, verify=verify)

    def exists(self, key: Data) -> bool:
        """Whether `key` is there."""
        return self._connection.exists(key, at=self)

    def meta(self, key: Data) -> Meta | None:
        """The record of `key` without its value, or None; the version of an own write is 0."""
        return self._connection.meta(key, at=self)

    def get_range(self, key: Data, offset: int, length: int) -> bytes | None:
        """Up to `length` bytes of the value from `offset` on; None without a value."""
        return self._connection.get_range(key, offset, length, at=self)

    def entries(self, **options: Unpack[ScanOptions]) -> Scan:
        """Entries in key order, as Connection.entries; what is walked over counts as read."""
        return self._connection.entries(**{**options, "at": self})

    def scan(self, **options: Unpack[ScanOptions]) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of each entry."""
        return self._connection.scan(**{**options, "at": self})

    def keys(self, **options: Unpack[ScanOptions]) -> Iterator[bytes]:
        """The keys alone."""
        return self._connection.keys(**{**options, "at": self})

    def count(self, *, prefix: Data = b"", start: Data = b"", end: Data = b"") -> int:
        """How many keys there are with a prefix, or in a range."""
        return self._connection.count(prefix=prefix, start=start, end=end, at=self)

    def __getitem__(self, key: Data) -> bytes:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: Data) -> bool:
        return self.exists(key)

    def __iter__(self) -> Iterator[bytes]:
        return self.keys()

    # --- writing ---

    def _inside(self, options: WriteOptions) -> WriteOptions:
        return {**options, "transaction": self.id}

    def put(self, key: Data, value: Data, **options: Unpack[WriteOptions]) -> None:
        """Stores. Options as for Connection.put."""
        self._connection.put(key, value, **self._inside(options))

    def delete(self, key: Data, **options: Unpack[WriteOptions]) -> None:
        """Deletes; an absent key is no error."""
        self._connection.delete(key, **self._inside(options))

    def delete_range(self, start: Data, end: Data = b"") -> None:
        """Deletes all keys from `start` up to, not including, `end`; without one, to the last key."""
        self._connection.delete_range(start, end, transaction=self.id)

    def delete_prefix(self, prefix: Data) -> None:
        """Deletes all keys that begin with `prefix`, which is not empty."""
        self._connection.delete_prefix(prefix, transaction=self.id)

    def add(self, key: Data, amount: int = 1, **options: Unpack[WriteOptions]) -> int:
        """Adds to a number kept as decimal text. Returns the sum."""
        return self._connection.add(key, amount, **self._inside(options))

    def append(self, key: Data, data: Data, **options: Unpack[WriteOptions]) -> int:
        """Adds bytes at the end. Returns the new length."""
        return self._connection.append(key, data, **self._inside(options))

    def touch(self, key: Data, **options: Unpack[WriteOptions]) -> None:
        """Gives a key another expiry: ttl or expires_at. Raises Absent."""
        self._connection.touch(key, **self._inside(options))

    def persist(self, key: Data, **options: Unpack[WriteOptions]) -> None:
        """Takes a key's expiry away. Raises Absent."""
        self._connection.persist(key, **self._inside(options))

    def __setitem__(self, key: Data, value: Data) -> None:
        self.put(key, value)

    def __delitem__(self, key: Data) -> None:
        """Deletes; raises KeyError."""
        if key not in self:
            raise KeyError(key)
        self.delete(key)
