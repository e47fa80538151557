# _errors.py: an exception for each status of kvd that is not an answer.
"""Every error is a KvdError. Its `outcome` tells what counts: whether the call had an effect."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ._library import lib

NO_ITEM = 0xFFFFFFFF


class Status(enum.IntEnum):
    """The statuses of kvd/kvd.h."""

    OK = 0
    NOT_FOUND = 1
    END = 2
    EXISTS = 3
    ABSENT = 4
    VERSION_MISMATCH = 5
    INVALID = 6
    TOO_LARGE = 7
    UNSUPPORTED = 8
    PROTOCOL = 9
    CHECKSUM = 10
    DEADLINE = 11
    TIMEOUT = 12
    BUSY = 13
    NO_MEMORY = 14
    NO_SPACE = 15
    IO = 16
    CORRUPT = 17
    READ_ONLY = 18
    LOG_FAILED = 19
    UNKNOWN = 20
    SHUTTING_DOWN = 21
    DENIED = 22
    CONNECT = 23
    CLOSED = 24
    CANCELLED = 25
    INTERNAL = 26
    GONE = 27
    QUOTA = 28
    OVERFLOW = 29
    CONFLICT = 30
    TXN_TOO_OLD = 31


class Outcome(enum.Enum):
    """What became of a call: it had its effect, it had and will have none, or nobody can tell."""

    DONE = 0
    FAILED = 1
    UNKNOWN = 2


@dataclass(frozen=True)
class Conflict:
    """What a transaction had read and another commit changed: the key `start`, or, if is_range, the keys
    from `start` up to, not including, `end` (empty: to the last)."""

    namespace: str
    is_range: bool
    expired: bool    # it expired; version is that which was read
    start: bytes
    end: bytes
    version: int     # the commit that won


class KvdError(Exception):
    """Something that kvd or the connection to it refused or failed to do.

    status: the Status. detail: a number that belongs to it, such as the present version or the limit
    that was passed, else 0. item: the index of the batch item or key at fault, or None."""

    status: int

    def __init__(self, text: str, status: int = Status.INTERNAL, detail: int = 0, item: int | None = None):
        super().__init__(text)
        self.status = status
        self.detail = detail
        self.item = item

    @property
    def outcome(self) -> Outcome:
        """Outcome.UNKNOWN: a write may have taken effect. Read before trying again."""
        return Outcome(lib.kvd_outcome(self.status))


class NotFound(KvdError, KeyError):
    """Nothing there by that name: a snapshot, a namespace; a key only where there is no default."""

    def __str__(self) -> str:  # KeyError would show quotes
        return str(self.args[0])


class Exists(KvdError):
    """if_absent was asked for, and the key is there; detail: its version."""


class Absent(KvdError):
    """if_present was asked for, or the call needs a key that is there, and it is not."""


class VersionMismatch(KvdError):
    """if_version was asked for, and the key has another; detail: the present version, or 0."""


class InvalidCall(KvdError, ValueError):
    """The call is not valid; the text says why."""


class TooLarge(KvdError, ValueError):
    """Above a limit; detail: the limit."""


class Unsupported(KvdError):
    """The server cannot do that."""


class ProtocolError(KvdError):
    """The other side does not speak the protocol of kvd."""


class ChecksumMismatch(KvdError):
    """The value did not arrive as it was sent."""


class DeadlinePassed(KvdError):
    """The server did not begin the work before its deadline."""


class TimedOut(KvdError, TimeoutError):
    """No answer to a read in time, or no time left to send a write."""


class Busy(KvdError):
    """A limit on work under way is reached; try again."""


class NoMemory(KvdError, MemoryError):
    """Out of memory, here or in the server."""


class NoSpace(KvdError):
    """The server's disk is full; reads and deletes go on."""


class IoFailed(KvdError):
    """The server could not read its disk."""


class Corrupt(KvdError):
    """Stored bytes are damaged."""


class ReadOnly(KvdError):
    """The store takes no writes."""


class LogFailed(KvdError):
    """The server's log failed; no writes until it is restarted."""


class UnknownOutcome(KvdError):
    """A write was sent and its answer was lost: it may have taken effect, or may yet."""


class ShuttingDown(KvdError):
    """The server is stopping."""


class Denied(KvdError):
    """Not allowed."""


class ConnectFailed(KvdError, ConnectionError):
    """No connection could be made; nothing was sent."""


class ConnectionClosed(KvdError, ConnectionError):
    """The connection broke under a read, or before a write was sent whole."""


class Cancelled(KvdError):
    """Cancelled."""


class Internal(KvdError):
    """A fault in kvd itself."""


class Gone(KvdError):
    """This version or time is not kept any more."""


class QuotaReached(KvdError):
    """The namespace has reached its quota."""


class Overflow(KvdError, OverflowError):
    """The sum does not fit a signed 64-bit number."""


class TransactionConflict(KvdError):
    """What was read has been changed by another: `conflict` tells what, and which version won."""

    conflict: Conflict | None = None


class TransactionTooOld(KvdError):
    """What it would be judged by is not kept any more: begin it anew."""


_CLASSES: dict[int, type[KvdError]] = {
    Status.NOT_FOUND: NotFound, Status.EXISTS: Exists, Status.ABSENT: Absent,
    Status.VERSION_MISMATCH: VersionMismatch, Status.INVALID: InvalidCall, Status.TOO_LARGE: TooLarge,
    Status.UNSUPPORTED: Unsupported, Status.PROTOCOL: ProtocolError, Status.CHECKSUM: ChecksumMismatch,
    Status.DEADLINE: DeadlinePassed, Status.TIMEOUT: TimedOut, Status.BUSY: Busy, Status.NO_MEMORY: NoMemory,
    Status.NO_SPACE: NoSpace, Status.IO: IoFailed, Status.CORRUPT: Corrupt, Status.READ_ONLY: ReadOnly,
    Status.LOG_FAILED: LogFailed, Status.UNKNOWN: UnknownOutcome, Status.SHUTTING_DOWN: ShuttingDown,
    Status.DENIED: Denied, Status.CONNECT: ConnectFailed, Status.CLOSED: ConnectionClosed,
    Status.CANCELLED: Cancelled, Status.INTERNAL: Internal, Status.GONE: Gone, Status.QUOTA: QuotaReached,
    Status.OVERFLOW: Overflow, Status.CONFLICT: TransactionConflict,
    Status.TXN_TOO_OLD: TransactionTooOld,
}


def make_error(status: int, text: str = "", detail: int = 0, item: int = NO_ITEM) -> KvdError:
    """The exception for a status; a newer library may know statuses that have no class here."""
    name = lib.kvd_status_text(status).decode()
    try:
        status = Status(status)
    except ValueError:
        pass
    made = _CLASSES.get(status, KvdError)
    return made(text or name, status, detail, None if item == NO_ITEM else item)
