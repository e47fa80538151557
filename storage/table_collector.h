/* table_collector.h: keeps the books of a table that is being written: what will be its table_info,
 * and the hashes of its rows for the filter. One thread at a time. */
#ifndef KVD_STORAGE_TABLE_COLLECTOR_H
#define KVD_STORAGE_TABLE_COLLECTOR_H

#include "protocol/base/buffer.h"
#include "storage/entry.h"
#include "storage/expiry_steps.h"
#include "storage/keep_rules.h"
#include "storage/table_info.h"

struct table_collector {
    struct table_info figures; /* all but keys, shares, usages, expiry steps, file */
    struct buffer first_key;
    struct buffer last_key;
    struct segment_share *shares; /* owned; ascending by segment */
    uint32_t share_count;
    uint32_t share_capacity;
    uint32_t share_last; /* where the last reference went: most go to the same segment again */
    struct namespace_usage *usages; /* owned; ascending, as keys come */
    uint32_t usage_count;
    uint32_t usage_capacity;
    struct expiry_steps expiry;
    struct hidden_book hidden;
    struct hidden_bucket hidden_buckets[HIDDEN_BUCKETS_MAX]; /* of the last view */
    const struct keep_rules *rules;                          /* borrowed; may be NULL */
    struct keep_namespace keep; /* of the namespace of the last key, by these rules */
    uint64_t newer;             /* how many of the last key's row came before it */
    uint64_t hider;             /* the version of the last of those */
    uint64_t *row_hashes;       /* owned; one for each different row */
    size_t row_count;
    size_t row_capacity;
};

/* Allocates nothing. */
void table_collector_init(struct table_collector *collector, uint64_t number);
/* Who holds the hidden entries, before the first add: of those that stay for the same reason, the
 * books know best how many go with it. */
void table_collector_set_rules(struct table_collector *collector, const struct keep_rules *rules);

void table_collector_deinit(struct table_collector *collector);

/* Notes one entry; keys come strictly ascending (asserted). After an error the books are of no use.
 * Errors: CORRUPT (the entry is not well formed, or an alias of a version that is not older),
 * NO_MEMORY. */
enum status table_collector_add(struct table_collector *collector, struct slice ikey,
                                struct slice entry) MUST_CHECK;

/* The key added last; empty before. Borrowed until the next add. */
static inline struct slice table_collector_last_key(const struct table_collector *collector) {
    return buffer_slice(&collector->last_key);
}

/* The books so far as a table_info, whose keys and lists borrow from the collector. */
struct table_info table_collector_view(struct table_collector *collector);

#endif
