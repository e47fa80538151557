/* load.h: filling a namespace with sorted input. Included by kvd.h.
 *
 *     struct kvd_load *load = NULL;
 *     enum kvd_status status = kvd_load_begin(db, &load);
 *
 *     while (status == KVD_OK && next(&key, &value)) {           keys ascend, as bytes
 *         status = kvd_load_put(load, key, value, NULL);
 *     }
 *     if (status == KVD_OK) {               until here, nobody sees anything of it
 *         status = kvd_load_commit(load, &version);
 *     }
 *     kvd_load_destroy(load);
 *
 * The server writes what comes in straight into tables and value segments, past its log, and makes
 * all of it visible and durable at once: it costs it less than half of what puts or batches do.
 * Others read and write meanwhile. A load replaces what the keys have when it is committed. It
 * belongs to its connection and ends with it, or when it has not been used for a minute; what was
 * sent is then forgotten. A server has one at a time. */
#ifndef KVD_LOAD_H
#define KVD_LOAD_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct kvd_load; /* opaque; while it has entries on their way, its connection is KVD_BUSY for others
                  */

/* Begins a load into the namespace of the connection, which outlives the load. Errors: KVD_BUSY
 * (another one is under way), KVD_NO_SPACE, KVD_READ_ONLY, KVD_LOG_FAILED, KVD_UNSUPPORTED (an
 * older server). */
KVD_API enum kvd_status kvd_load_begin(struct kvd *db, struct kvd_load **load_out);

/* Adds an entry; its key is above that of the one before. Both are copied, and sent with others, a
 * mebibyte at a time: so an error may be about an entry before this one, which the text of the
 * error names by its number. Of `options` (may be NULL) ttl_ms, expire_at_ms, user_flags and
 * checksum count; a condition is KVD_INVALID. After an error of the server the load can only be
 * destroyed, and a commit gives the same one. Errors: KVD_INVALID (not sorted), KVD_TOO_LARGE (key
 * or value: what is longer than value_max is uploaded), KVD_CHECKSUM, KVD_NO_SPACE, KVD_NOT_FOUND
 * (the connection it belonged to was lost, or it was not used for a minute). */
KVD_API enum kvd_status kvd_load_put(struct kvd_load *load, struct kvd_bytes key,
                                     struct kvd_bytes value,
                                     const struct kvd_write_options *options);

/* Entries put so far. Errors: none. */
KVD_API uint64_t kvd_load_entries(const struct kvd_load *load);

/* The bytes of their keys and values. Errors: none. */
KVD_API uint64_t kvd_load_bytes(const struct kvd_load *load);

/* Makes all of it visible and durable. *version_out (may be NULL) is the version that all entries
 * have; of none at all, the newest one. The server flushes what it has in memory before: give the
 * connection a timeout of many seconds. Errors: as kvd_load_put; KVD_QUOTA; KVD_NOT_FOUND also if
 * the namespace was dropped meanwhile; KVD_UNKNOWN (any key of the load tells). */
KVD_API enum kvd_status kvd_load_commit(struct kvd_load *load, uint64_t *version_out);

/* Frees it, and tells the server if it was not committed. NULL is allowed. Errors: none. */
KVD_API void kvd_load_destroy(struct kvd_load *load);

#ifdef __cplusplus
}
#endif

#endif
