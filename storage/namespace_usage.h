/* namespace_usage.h: what namespaces take, summed up over the tables and memtables of a view.
 *
 * Each table and memtable keeps its own books (struct namespace_usage of table_info.h); nothing
 * else does, so nothing can drift. From entries to live keys is an estimate: of `entries` of a
 * namespace, each of `tombstones` hides about one other entry, so
 *
 *      keys = entries - 2 tombstones (not below 0);   live bytes = bytes * keys / entries
 *
 * An overwritten key counts once for each version until compaction has merged them; keys that a
 * range delete hides, or that have expired, count until compaction drops them. Once everything is
 * in one sorted level without tombstones, the numbers are exact. Tables of format 1 do not have
 * these books: they are left out until they are rewritten. */
#ifndef KVD_STORAGE_NAMESPACE_USAGE_H
#define KVD_STORAGE_NAMESPACE_USAGE_H

#include "storage/view.h"

struct usage_sums {
    struct namespace_usage *usages; /* owned; ascending by namespace */
    size_t count;
};

/* The sum over all of the view. Errors: NO_MEMORY. */
enum status usage_of_view(const struct view *view, struct usage_sums *sums_out) MUST_CHECK;
void usage_sums_deinit(struct usage_sums *sums);

/* Zeros when it takes nothing. */
struct namespace_usage usage_sums_get(const struct usage_sums *sums, uint32_t namespace_id);

/* The sum for one namespace, of the tables of a version only; and of the view's memtables. */
struct namespace_usage usage_of_tables(const struct version *version, uint32_t namespace_id);
struct namespace_usage usage_of_memtables(const struct view *view, uint32_t namespace_id);

static inline void usage_add(struct namespace_usage *sum, const struct namespace_usage *usage) {
    sum->entries += usage->entries;
    sum->tombstones += usage->tombstones;
    sum->table_bytes += usage->table_bytes;
    sum->log_bytes += usage->log_bytes;
}

/* The estimate above. */
void usage_estimate(struct namespace_usage usage, uint64_t *keys_out, uint64_t *bytes_out);

#endif
