/* status.h: the one list of results that every function which can fail returns.
 *
 * Each line of STATUS_LIST is: code, name on the command line and in logs, sentence for people.
 * Outputs of a function are written only when it returned STATUS_OK, unless its comment says
 * otherwise. The numbers these have on the wire live in protocol/wire.h, not here. */
#ifndef KVD_BASE_STATUS_H
#define KVD_BASE_STATUS_H

#define STATUS_LIST(X)                                                                             \
    X(OK, "ok", "done")                                                                            \
    X(NOT_FOUND, "not_found", "no such key")                                                       \
    X(END, "end", "no more entries")                                                               \
    X(NEED_MORE, "need_more", "more bytes are needed")                                             \
    X(PENDING, "pending", "accepted; the completion follows")                                      \
    X(WOULD_BLOCK, "would_block", "the answer needs the disk")                                     \
    X(EXISTS, "exists", "the condition 'absent' is not met: the key exists")                       \
    X(ABSENT, "absent", "the condition 'present' is not met: the key does not exist")              \
    X(VERSION_MISMATCH, "version_mismatch", "the condition 'version' is not met")                  \
    X(INVALID, "invalid", "the request is not valid")                                              \
    X(TOO_LARGE, "too_large", "larger than the limit")                                             \
    X(UNSUPPORTED, "unsupported", "not supported by this version or not agreed in HELLO")          \
    X(PROTOCOL, "protocol", "the bytes do not follow the protocol")                                \
    X(CHECKSUM, "checksum", "the value does not match the checksum sent with it")                  \
    X(DEADLINE, "deadline", "the deadline passed before the request was started")                  \
    X(TIMEOUT, "timeout", "no answer in time")                                                     \
    X(BUSY, "busy", "a limit on work in flight is reached; try again")                             \
    X(NO_MEMORY, "no_memory", "out of memory")                                                     \
    X(NO_SPACE, "no_space", "the disk is full; deletes and reads go on")                           \
    X(IO, "io", "an input or output operation failed")                                             \
    X(CORRUPT, "corrupt", "stored bytes are damaged")                                              \
    X(LOCKED, "locked", "the directory is in use by another process")                              \
    X(NEWER_FORMAT, "newer_format", "written by a newer kvd with features unknown to this one")    \
    X(GONE, "gone", "this version is not kept any more")                                           \
    X(QUOTA, "quota", "the namespace has reached its quota")                                       \
    X(OVERFLOW, "overflow", "the sum does not fit a signed 64-bit number")                         \
    X(CONFLICT, "conflict", "what the transaction has read was changed by another")                \
    X(TXN_TOO_OLD, "txn_too_old",                                                                  \
      "too much was written since the transaction began; run it again")                            \
    X(READ_ONLY, "read_only", "the store is read-only")                                            \
    X(LOG_FAILED, "log_failed", "the log failed earlier; no more writes until the store reopens")  \
    X(UNKNOWN, "unknown", "the outcome is not known: it may or may not have taken effect")         \
    X(SHUTTING_DOWN, "shutting_down", "the server is stopping")                                    \
    X(DENIED, "denied", "not allowed")                                                             \
    X(CONNECT, "connect", "cannot connect")                                                        \
    X(CLOSED, "closed", "the connection is closed")                                                \
    X(CANCELLED, "cancelled", "cancelled")                                                         \
    X(INTERNAL, "internal", "a fault in kvd itself")

enum status {
#define STATUS_ENUM(code, name, text) STATUS_##code,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
        STATUS_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* The short name, such as "not_found"; "invalid_status" outside the list. Static storage. */
const char *status_name(enum status status);

/* The sentence for people. Static storage. */
const char *status_text(enum status status);

#endif
