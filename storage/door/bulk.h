/* bulk.h: sorted input straight into tables and value segments, atomic at its end.
 *
 *      begin -> add ... add (keys ascend) -> finish      (or destroy: nothing has happened)
 *
 * A part of the door storage/store.h, which says how the parts go together. Other writes and all
 * reads go on meanwhile and see nothing of the load; when finish returns OK all of it is there, at
 * one version, and on the medium. It takes effect as a commit of that moment: keys that are there
 * are replaced, whatever was written to them since begin; snapshots opened before keep what they
 * saw. It is in no log: the change feed tells a gap in its place (feed.h). A transaction that has
 * read before it, and writes, ends with TXN_TOO_OLD.
 *
 * A load that met an error, is abandoned, or is broken by a crash has not happened and leaves
 * nothing. All functions but the figures wait for the disk; finish also waits for commits, which
 * may need a thread of the I/O lane themselves (so not on the only one: store_task.is_walk), and
 * then holds them up for a short while. One thread at a time for one load; one load at a time for
 * one store. */
#ifndef KVD_STORAGE_DOOR_BULK_H
#define KVD_STORAGE_DOOR_BULK_H

#include "storage/door/opening.h"

struct store_bulk;

/* One entry; slices are borrowed during the call. */
struct store_bulk_entry {
    struct slice key;
    struct slice value;  /* as long as a put takes; large values are uploaded, not loaded */
    uint64_t ttl_ms;     /* from now; 0 is never to expire */
    uint32_t user_flags; /* kept with the value */
    bool has_checksum;   /* verify `checksum` first */
    uint64_t checksum;   /* XXH3-64 of the value */
};

/* Begins a load into one namespace (store_namespace). Errors: BUSY (another one is under way),
 * INVALID (the system namespace), READ_ONLY, LOG_FAILED, NO_SPACE, NO_MEMORY. */
enum status store_bulk_begin(struct store *store, uint32_t namespace_id,
                             struct store_bulk **bulk_out, struct error *error) MUST_CHECK;

/* Adds an entry. Errors: INVALID (the key is not above the one before), TOO_LARGE (key or value),
 * CHECKSUM (does not match has_checksum), NO_SPACE, NO_MEMORY, IO: the load can only be destroyed
 * after any of them. */
enum status store_bulk_add(struct store_bulk *bulk, const struct store_bulk_entry *entry,
                           struct error *error) MUST_CHECK;

/* Entries added so far, and the bytes of their keys and values. */
uint64_t store_bulk_entries(const struct store_bulk *bulk);
uint64_t store_bulk_bytes(const struct store_bulk *bulk);

/* Memory that the load holds, about, for budgets. */
uint64_t store_bulk_memory(const struct store_bulk *bulk);

/* Makes all of it visible and durable at once; *version_out is its version (of no entries: the
 * newest one). The load can only be destroyed after, whatever the result. Errors: NOT_FOUND (the
 * namespace was dropped), QUOTA, CANCELLED (the store is closing), NO_SPACE, NO_MEMORY, IO, and
 * others of a flush: nothing has happened. LOG_FAILED: it may or may not have. */
enum status store_bulk_finish(struct store_bulk *bulk, uint64_t *version_out,
                              struct error *error) MUST_CHECK;

/* Frees the load; what did not come to an end is taken away again. NULL is allowed. */
void store_bulk_destroy(struct store_bulk *bulk);

#endif
