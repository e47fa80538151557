# __init__.py: kvd for Python, over the C library libkvd.
"""A client of kvd, a networked key-value server.

    import kvd

    with kvd.connect("127.0.0.1:4411") as db:
        db.put("name", "Ada", ttl=60)
        print(db.get("name"))                       # b'Ada'
        for key, value in db.scan(prefix="user/"):
            print(key, value)

Keys and values are bytes; a str is taken as UTF-8; what is read is always bytes. Times are seconds,
absolute ones since 1970 UTC. What the server or the connection refuses is a KvdError, of a class of
its own for each status. The guide is docs/python.md."""

from ._errors import (  # noqa: F401
    Absent, Busy, Cancelled, ChecksumMismatch, Conflict, ConnectFailed, ConnectionClosed, Corrupt, DeadlinePassed,
    Denied, Exists, Gone, Internal, InvalidCall, IoFailed, KvdError, LogFailed, NoMemory, NoSpace,
    NotFound, Outcome, Overflow, ProtocolError, QuotaReached, ReadOnly, ShuttingDown, Status, TimedOut,
    TooLarge, TransactionConflict, TransactionTooOld, UnknownOutcome, Unsupported, VersionMismatch)
from ._values import Durability, Entry, Meta, ScanOptions, ServerInfo, State, Value, WriteOptions  # noqa: F401
from .batch import Batch  # noqa: F401
from .connection import Connection, connect  # noqa: F401
from .load import Load  # noqa: F401
from .pool import Pool  # noqa: F401
from .scan import Scan  # noqa: F401
from .snapshot import Snapshot  # noqa: F401
from .transaction import Transaction  # noqa: F401
from .upload import Upload  # noqa: F401
from .watch import Change, ChangeKind, Watch  # noqa: F401

__all__ = [name for name in dir() if not name.startswith("_")]
