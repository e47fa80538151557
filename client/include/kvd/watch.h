/* watch.h: following what is committed. Included by kvd.h.
 *
 *     struct kvd_watch *watch;
 *     struct kvd_watch_change change;
 *     struct kvd_watch_options options = {.prefix = kvd_text("user:"), .from_version = seen};
 *
 *     kvd_watch_open(db, &options, &watch);
 *     while ((status = kvd_watch_next(watch, 1000, &change)) == KVD_OK || status == KVD_END) {
 *         if (status == KVD_OK) apply(&change);       KVD_END: there was nothing for a second
 *         seen = kvd_watch_version(watch);            where to go on after a restart
 *     }
 *     kvd_watch_close(watch);
 *
 * Changes come in the order of the commits, and only when they are durable: no crash of the server
 * takes back what was told. The server keeps nothing for a watch: it is read from the log, page by
 * page, when the caller asks, so a slow caller costs no memory and holds nobody up. If a call fails
 * because the connection broke or the server was away, call again: it goes on where it was.
 *
 * GAPS. What the server's log does not have any more (storage.feed_retention) is told as a change
 * of kind KVD_WATCH_GAP, which names the versions that are missing, and a snapshot that was opened
 * for it: read all keys at the snapshot (kvd_scan with at.snapshot) and put them in the place of
 * what you had; the changes behind it follow. A replica is so begun by from_version 0. */
#ifndef KVD_WATCH_H
#define KVD_WATCH_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define KVD_WATCH_SNAPSHOT_MS_DEFAULT 600000u

struct kvd_watch; /* opaque */

/* What a change is. The numbers are stable. */
enum kvd_watch_kind {
    KVD_WATCH_PUT = 1,          /* a new value, or an old one with a new expiry */
    KVD_WATCH_DELETE = 2,       /* of a key */
    KVD_WATCH_DELETE_RANGE = 3, /* of all keys in [key, to) that are older than its commit */
    KVD_WATCH_SUPERSEDED = 4,   /* a put whose value is gone: a later commit, which is told too, has
                                   replaced or deleted it, or it has expired. Only of what was
                                   uploaded, or written by touch, persist or rewind */
    KVD_WATCH_GAP = 5,          /* versions are missing */
};

/* One change. Bytes are borrowed until the next call on the watch. */
struct kvd_watch_change {
    enum kvd_watch_kind kind;
    uint64_t version;             /* of its commit; GAP: the first one that is missing */
    uint64_t gap_to;              /* GAP: the last one that is missing */
    struct kvd_snapshot snapshot; /* GAP: open for snapshot_ms; the changes go on behind its
                                     version. All zero with skip_gaps. Its owner is "" */
    uint64_t time_ms;             /* of its commit */
    bool last;                    /* no more of this commit follows */
    struct kvd_bytes key;         /* DELETE_RANGE: the first; empty: from the start */
    struct kvd_bytes to;          /* DELETE_RANGE: the first that stays; empty: to the end */
    struct kvd_meta meta;         /* PUT, SUPERSEDED: of the whole value, checksum included */
    uint64_t value_offset;        /* PUT: where this part of the value begins. A value longer than a
                                     page comes in parts, one change each, `last` only with the last
                                     of them */
    struct kvd_bytes value;       /* PUT: the part; mostly all of it */
};

/* Of a watch; zeroed is the default. Bytes are copied. */
struct kvd_watch_options {
    struct kvd_bytes prefix; /* only keys that begin so; or: */
    struct kvd_bytes from;   /* only keys in [from, to) */
    struct kvd_bytes to;     /* empty: to the last key */
    uint64_t from_version;   /* only changes behind it; 0: from the beginning */
    bool from_now;           /* only what becomes durable after the first call of kvd_watch_next */
    bool skip_gaps;       /* no snapshot is opened for a gap: go on with what there is behind it */
    uint32_t page_bytes;  /* that the server sends at once; 0: its choice */
    uint32_t snapshot_ms; /* how long the snapshot of a gap lives; 0: 10 minutes. The caller may
                             close it earlier */
};

/* Makes a watch in the namespace of the connection; nothing is sent yet. `db` must outlive it, and
 * may be used for other calls between two on the watch. Errors: KVD_INVALID (prefix and range),
 * KVD_NO_MEMORY. */
KVD_API enum kvd_status kvd_watch_open(struct kvd *db, const struct kvd_watch_options *options,
                                       struct kvd_watch **watch_out);

/* The next change; waits for one for wait_ms, and for the server for as long as other calls do. 0:
 * does not wait for a change. Errors: KVD_END (there was none), KVD_NOT_FOUND (no such namespace),
 * KVD_INVALID (from_version was never committed: another store, or an older backup of it),
 * KVD_CORRUPT, KVD_IO, and as other reads. After any of them it may be called again. */
KVD_API enum kvd_status kvd_watch_next(struct kvd_watch *watch, uint32_t wait_ms,
                                       struct kvd_watch_change *change_out);

/* All changes up to this version were handed out: from_version of a watch that is to go on here. */
KVD_API uint64_t kvd_watch_version(const struct kvd_watch *watch);

/* Frees it. NULL is allowed. */
KVD_API void kvd_watch_close(struct kvd_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
