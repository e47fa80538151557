/* store_range_read.c: the part of the door that reads part of a value. */
#include "storage/store_value.h"

enum status store_get_range(struct store_read *read, const struct store_part *wanted,
                            enum store_wait wait, struct buffer *destination,
                            struct store_value_info *info_out, struct error *error) {
    struct store_value_part part = {.from = wanted->offset};
    struct view_hit hit;
    enum status status =
        store_value_find(read, wanted->namespace_id, wanted->key, wait, &hit, error);

    if (__builtin_add_overflow(wanted->offset, wanted->length, &part.to)) {
        part.to = UINT64_MAX;
    }
    if (status == STATUS_OK) {
        status = store_value_append_part(read, &hit.entry, part, store_wait_of(wait), destination,
                                         error);
        if (status == STATUS_OK && info_out) {
            *info_out = store_value_info_of(&hit.entry, hit.version);
        }
        view_hit_release(&hit);
    }
    if (status == STATUS_WOULD_BLOCK) {
        atomic_fetch_add_explicit(&read->store->gets_blocked, 1, memory_order_relaxed);
    }
    return status;
}
