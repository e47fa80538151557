/* write_stream.h: any number of writes, pipelined, that survive a server going away.
 *
 *      add -> | window being filled | -> queued and sent -> | window in flight | -> results read
 *
 * Two windows: while the results of one are awaited, the next is filled (files are read). A window
 * holds at most WINDOW_ITEMS_MAX writes and, but for a single larger one, WINDOW_BYTES_MAX of keys
 * and values, copied: so memory is bounded, and what was not acknowledged can be sent again.
 *
 * With a retry time, a lost connection (or a server that is busy or stopping) does not end the
 * stream: it waits until the server answers again and sends once more, in their order, all writes
 * from the first unacknowledged one on. Only for writes that may happen twice. Without it, and for
 * failures that would hit every write, the first failure is printed and ends the stream. Failures
 * of single writes are printed and counted, and the stream goes on. One thread. */
#ifndef KVCLI_WRITE_STREAM_H
#define KVCLI_WRITE_STREAM_H

#include "client/kvcli/cli.h"
#include "protocol/base/buffer.h"

#define WINDOW_ITEMS_MAX 1024u                  /* as many as a server takes unanswered */
#define WINDOW_BYTES_MAX ((size_t)4 << 20)      /* two are well below what libkvd queues */
#define WINDOW_ITEM_BYTES_MAX ((size_t)1 << 30) /* of a single write */

enum write_kind {
    WRITE_PUT,
    WRITE_DELETE,
    WRITE_DELETE_RANGE, /* key: the first; value: the first that stays */
    WRITE_ADD,
    WRITE_APPEND,
    WRITE_TOUCH, /* ttl_ms */
    WRITE_PERSIST,
};

struct write_item {
    enum write_kind kind;
    struct kvd_bytes key;
    struct kvd_bytes value;
    int64_t amount;        /* WRITE_ADD */
    uint64_t ttl_ms;       /* WRITE_TOUCH */
    uint64_t expire_at_ms; /* 0: as the stream's options say */
    uint32_t user_flags;   /* 0: as the stream's options say */
};

struct write_totals {
    uint64_t done;     /* acknowledged */
    uint64_t bytes;    /* of keys and values acknowledged */
    uint64_t existing; /* left as they were, since they exist */
    uint64_t failed;
    uint64_t resumed; /* times the server went away and came back */
};

struct write_stream_options {
    struct kvd_write_options write;
    uint64_t retry_ms;  /* 0: never */
    bool skip_existing; /* ask first, and leave out what is stored with the same length */
};

struct write_slot; /* write_stream.c */

struct write_window {
    struct buffer bytes;      /* keys and values, one behind the other */
    struct write_slot *slots; /* owned: WINDOW_ITEMS_MAX */
    uint32_t count;
};

struct write_stream {
    struct cli *cli; /* borrowed */
    struct write_stream_options options;
    struct write_window windows[2];
    unsigned filling;     /* the other is in flight, or empty */
    uint64_t progress_ns; /* when the server last acknowledged something */
    struct write_totals totals;
    int code;   /* the worst exit code so far */
    bool ended; /* a failure ended the stream */
};

/* The connection of `cli` must be open and is used by nobody else meanwhile. Returns CLI_DONE, or
 * prints and returns another code; deinit is due in any case. */
int write_stream_init(struct write_stream *stream, struct cli *cli,
                      const struct write_stream_options *options);
void write_stream_deinit(struct write_stream *stream);

/* Adds one write; key and value are copied. False when the stream has ended: stop. */
bool write_stream_add(struct write_stream *stream, const struct write_item *item);

/* Waits for all results so far; the connection is the caller's until the next write. False when the
 * stream has ended. */
bool write_stream_settle(struct write_stream *stream);

/* After a failure of the caller's own on this connection: true if a retry time is set, the failure
 * is of a server that went away, and it came back. */
bool write_stream_await(struct write_stream *stream, enum kvd_status status);

/* Waits for all results; returns the exit code of the whole. */
int write_stream_finish(struct write_stream *stream);

/* For a failure of the caller's own: counts it, and remembers its exit code. */
void write_stream_count_failure(struct write_stream *stream, int code);

#endif
