/* table_collector.c: see table_collector.h. */
#include "storage/table_collector.h"

#include "protocol/base/assert.h"
#include "protocol/base/checked.h"
#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "storage/ikey.h"

#define FIRST_ROWS 1024
#define FIRST_SHARES 16
#define FIRST_USAGES 4

void table_collector_init(struct table_collector *collector, uint64_t number) {
    *collector = (struct table_collector){0};
    collector->figures.number = number;
    collector->figures.version_min = UINT64_MAX;
    buffer_init(&collector->first_key, IKEY_BYTES_MAX);
    buffer_init(&collector->last_key, IKEY_BYTES_MAX);
}

void table_collector_set_rules(struct table_collector *collector, const struct keep_rules *rules) {
    collector->rules = rules;
}

void table_collector_deinit(struct table_collector *collector) {
    buffer_deinit(&collector->first_key);
    buffer_deinit(&collector->last_key);
    memory_free(collector->shares);
    memory_free(collector->usages);
    memory_free(collector->row_hashes);
    *collector = (struct table_collector){0};
}

/* Doubles an array; NULL when there is no memory, and the old one is still good then. */
static void *grown(void *array, size_t capacity, size_t element_bytes) {
    size_t bytes;
    return checked_multiply_size(capacity, element_bytes, &bytes) ? memory_resize(array, bytes)
                                                                  : NULL;
}

static enum status add_row(struct table_collector *collector, struct slice row) {
    if (collector->row_count == collector->row_capacity) {
        size_t capacity = collector->row_capacity ? collector->row_capacity * 2 : FIRST_ROWS;
        uint64_t *row_hashes = grown(collector->row_hashes, capacity, sizeof *row_hashes);
        if (!row_hashes) {
            return STATUS_NO_MEMORY;
        }
        collector->row_hashes = row_hashes;
        collector->row_capacity = capacity;
    }
    collector->row_hashes[collector->row_count++] = checksum_of(row);
    return STATUS_OK;
}

/* The first share whose segment is >= `segment`. */
static uint32_t share_position(const struct table_collector *collector, uint64_t segment) {
    uint32_t low = 0;
    uint32_t high = collector->share_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (collector->shares[middle].segment < segment) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum status insert_share(struct table_collector *collector, uint32_t position,
                                uint64_t segment) {
    if (collector->share_count == collector->share_capacity) {
        uint32_t capacity =
            collector->share_capacity ? collector->share_capacity * 2 : FIRST_SHARES;
        struct segment_share *shares = grown(collector->shares, capacity, sizeof *shares);
        if (!shares) {
            return STATUS_NO_MEMORY;
        }
        collector->shares = shares;
        collector->share_capacity = capacity;
    }
    memmove(collector->shares + position + 1, collector->shares + position,
            (collector->share_count - position) * sizeof *collector->shares);
    collector->shares[position] = (struct segment_share){.segment = segment};
    collector->share_count++;
    return STATUS_OK;
}

static enum status add_record(struct table_collector *collector, const struct value_ref *ref,
                              bool alias) {
    uint32_t position = collector->share_last;

    if (position >= collector->share_count || collector->shares[position].segment != ref->segment) {
        position = share_position(collector, ref->segment);
    }
    if (position == collector->share_count || collector->shares[position].segment != ref->segment) {
        enum status status = insert_share(collector, position, ref->segment);
        if (status != STATUS_OK) {
            return status;
        }
    }
    segment_share_add(&collector->shares[position], ref->stored_bytes, alias);
    collector->figures.log_bytes += ref->stored_bytes;
    collector->share_last = position;
    return STATUS_OK;
}

static enum status add_records(struct table_collector *collector, uint64_t version,
                               const struct entry *entry) {
    struct entry_refs refs = entry_refs_begin(entry);
    struct value_ref ref;
    enum status status = STATUS_OK;

    if (entry->alias && entry->record_version >= version) {
        return STATUS_CORRUPT;
    }
    while (status == STATUS_OK && entry_refs_next(&refs, &ref)) {
        status = add_record(collector, &ref, entry->alias);
    }
    return status;
}

static enum status grow_usages(struct table_collector *collector) {
    uint32_t capacity = collector->usage_capacity ? collector->usage_capacity * 2 : FIRST_USAGES;
    struct namespace_usage *usages = grown(collector->usages, capacity, sizeof *usages);

    if (!usages) {
        return STATUS_NO_MEMORY;
    }
    collector->usages = usages;
    collector->usage_capacity = capacity;
    return STATUS_OK;
}

/* The usage of the namespace, which is that of the last key or a later one. Errors: NO_MEMORY. */
static enum status usage_of(struct table_collector *collector, uint32_t namespace_id,
                            struct namespace_usage **usage_out) {
    uint32_t count = collector->usage_count;

    if (count == 0 || collector->usages[count - 1].namespace_id != namespace_id) {
        enum status status =
            count == collector->usage_capacity ? grow_usages(collector) : STATUS_OK;
        if (status != STATUS_OK) {
            return status;
        }
        collector->usages[collector->usage_count++] =
            (struct namespace_usage){.namespace_id = namespace_id};
        if (collector->rules) {
            collector->keep = keep_rules_namespace(collector->rules, namespace_id);
        }
    }
    *usage_out = &collector->usages[collector->usage_count - 1];
    return STATUS_OK;
}

static void add_figures(struct table_info *figures, uint64_t version, const struct entry *entry) {
    figures->entries++;
    figures->tombstones += entry->kind == ENTRY_TOMBSTONE;
    figures->version_min = version < figures->version_min ? version : figures->version_min;
    figures->version_max = version > figures->version_max ? version : figures->version_max;
    if (entry->expiry_ms != 0) {
        figures->expiring++;
        if (entry->expiry_ms > figures->expiry_max_ms) {
            figures->expiry_max_ms = entry->expiry_ms;
        }
    }
}

/* What is hidden by the entry before it. */
static void add_hidden(struct table_collector *collector, uint64_t version, uint64_t weight) {
    struct hidden_entry hidden = {
        .version = version, .hider = collector->hider, .newer = collector->newer, .weight = weight};

    if (collector->rules) {
        hidden.group = keep_rules_group(collector->rules, &collector->keep, version,
                                        collector->hider, collector->newer);
    }
    hidden_book_add(&collector->hidden, &hidden);
}

/* What the entry weighs, for its namespace, for the time when it expires, and for what hides it. */
static enum status add_weight(struct table_collector *collector, struct slice ikey,
                              uint64_t entry_len, const struct entry *entry) {
    uint64_t table_bytes = ikey.len + entry_len;
    uint64_t log_bytes = entry_log_bytes(entry);
    struct namespace_usage *usage;
    enum status status = usage_of(collector, row_namespace(ikey_row(ikey)), &usage);

    if (status != STATUS_OK) {
        return status;
    }
    usage->entries++;
    usage->tombstones += entry->kind == ENTRY_TOMBSTONE;
    usage->table_bytes += table_bytes;
    usage->log_bytes += log_bytes;
    if (entry->expiry_ms != 0) {
        expiry_steps_add(&collector->expiry, entry->expiry_ms, table_bytes + log_bytes);
    }
    if (collector->newer > 0) {
        add_hidden(collector, ikey_version(ikey), table_bytes + log_bytes);
    }
    return STATUS_OK;
}

/* Notes the key, and whether it begins a new row. */
static enum status add_key(struct table_collector *collector, struct slice ikey) {
    struct slice last = table_collector_last_key(collector);
    bool first = last.len == 0;
    enum status status = STATUS_OK;

    ASSERT(ikey_is_valid(ikey));
    ASSERT(first || ikey_compare(last, ikey) < 0);
    if (first || !slice_equal(ikey_row(last), ikey_row(ikey))) {
        status = add_row(collector, ikey_row(ikey));
        collector->newer = 0;
    } else {
        collector->hider = ikey_version(last);
        collector->newer++;
    }
    if (status == STATUS_OK && first) {
        status = buffer_append(&collector->first_key, ikey.ptr, ikey.len);
    }
    if (status == STATUS_OK) {
        buffer_clear(&collector->last_key);
        status = buffer_append(&collector->last_key, ikey.ptr, ikey.len);
    }
    return status;
}

enum status table_collector_add(struct table_collector *collector, struct slice ikey,
                                struct slice entry_bytes) {
    struct entry entry;
    enum status status = entry_load(entry_bytes, &entry);

    if (status == STATUS_OK) {
        status = add_key(collector, ikey);
    }
    if (status == STATUS_OK) {
        status = add_records(collector, ikey_version(ikey), &entry);
    }
    if (status == STATUS_OK) {
        status = add_weight(collector, ikey, entry_bytes.len, &entry);
    }
    if (status == STATUS_OK) {
        add_figures(&collector->figures, ikey_version(ikey), &entry);
    }
    return status;
}

struct table_info table_collector_view(struct table_collector *collector) {
    struct table_info view = collector->figures;

    view.smallest = buffer_slice(&collector->first_key);
    view.largest = buffer_slice(&collector->last_key);
    view.shares = collector->shares;
    view.share_count = collector->share_count;
    view.usages = collector->usages;
    view.usage_count = collector->usage_count;
    view.expiring_weight = collector->expiry.weight;
    expiry_steps_make(&collector->expiry, view.expiry_steps);
    view.hidden = collector->hidden_buckets;
    view.hidden_count = hidden_book_make(&collector->hidden, collector->hidden_buckets);
    if (view.expiring < view.entries) {
        view.expiry_max_ms = UINT64_MAX;
    }
    return view;
}
