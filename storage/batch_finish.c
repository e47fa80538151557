/* batch_finish.c: see batch.h: each key once, and nothing that a later range delete of the same
 * batch covers. */
#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/batch.h"
#include "storage/range_row.h"

#include <stdlib.h>

/* Where one encoded operation lies in meta, for sorting. */
struct op_place {
    struct slice key; /* borrowed from meta */
    uint32_t namespace_id;
    uint32_t start; /* offset in meta */
    uint32_t end;
    bool keep;
    bool is_range; /* a range delete */
};

struct places {
    struct op_place *all;     /* owned; in the order of the batch */
    struct op_place **sorted; /* owned; by key, then by place */
    uint32_t count;
    uint32_t range_count;
};

_Static_assert(COMMIT_BYTES_MAX <= UINT32_MAX, "offsets in meta fit 32 bits");

static int key_order(const struct op_place *a, uint32_t namespace_id, struct slice key) {
    if (a->namespace_id != namespace_id) {
        return a->namespace_id < namespace_id ? -1 : 1;
    }
    return slice_compare(a->key, key);
}

static int place_order(const void *left, const void *right) {
    const struct op_place *a = *(const struct op_place *const *)left;
    const struct op_place *b = *(const struct op_place *const *)right;
    int order = key_order(a, b->namespace_id, b->key);

    return order ? order : (a->start > b->start) - (a->start < b->start);
}

static void places_deinit(struct places *places) {
    memory_free(places->all);
    memory_free(places->sorted);
}

static struct batch_op op_at(const struct batch *batch, uint32_t start, uint32_t *end_out) {
    struct reader reader =
        reader_make(slice_make(batch->meta.data + start, batch->meta.len - start));
    struct batch_op op;
    enum status status = batch_take(&reader, batch->values.len, &op);

    ASSERT(status == STATUS_OK); /* our own encoding */
    *end_out = (uint32_t)(batch->meta.len - reader_left(&reader));
    return op;
}

static enum status places_collect(const struct batch *batch, struct places *places) {
    uint32_t start = 0;

    *places = (struct places){.count = batch->op_count};
    places->all = memory_alloc_array(places->count, sizeof *places->all);
    places->sorted = memory_alloc_array(places->count, sizeof *places->sorted);
    if (!places->all || !places->sorted) {
        places_deinit(places);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < places->count; i++) {
        uint32_t end;
        struct batch_op op = op_at(batch, start, &end);
        bool is_range = op.namespace_id == NAMESPACE_SYSTEM && op.kind == ENTRY_INLINE &&
                        range_row_is_key(op.key);
        places->all[i] = (struct op_place){op.key, op.namespace_id, start, end, true, is_range};
        places->sorted[i] = &places->all[i];
        places->range_count += is_range;
        start = end;
    }
    qsort(places->sorted, places->count, sizeof(struct op_place *), place_order);
    return STATUS_OK;
}

static void keep_last_of_each_key(const struct places *places) {
    for (uint32_t i = 0; i + 1 < places->count; i++) {
        const struct op_place *next = places->sorted[i + 1];
        places->sorted[i]->keep = key_order(places->sorted[i], next->namespace_id, next->key) != 0;
    }
}

/* The first place in key order that is not before this key. */
static uint32_t lower_bound(const struct places *places, uint32_t namespace_id, struct slice key) {
    uint32_t low = 0;
    uint32_t high = places->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key_order(places->sorted[middle], namespace_id, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Drops what the range delete at `range` covers and comes before it. */
static void drop_covered(const struct batch *batch, const struct places *places,
                         const struct op_place *range) {
    struct key_range keys;
    uint32_t end;
    struct batch_op op = op_at(batch, range->start, &end);
    enum status status = range_row_parse(op.key, op.value, &keys);

    ASSERT(status == STATUS_OK); /* our own encoding */
    for (uint32_t i = lower_bound(places, keys.namespace_id, keys.from); i < places->count; i++) {
        struct op_place *place = places->sorted[i];
        if (!key_range_covers(&keys, place->namespace_id, place->key)) {
            break;
        }
        place->keep = place->keep && place->start > range->start;
    }
}

static void remove_dropped(struct batch *batch, const struct places *places) {
    uint32_t kept = 0;
    size_t len = 0;

    for (uint32_t i = 0; i < places->count; i++) {
        const struct op_place *place = &places->all[i];
        if (place->keep) {
            memmove(batch->meta.data + len, batch->meta.data + place->start,
                    place->end - place->start);
            len += place->end - place->start;
            kept++;
        }
    }
    batch->meta.len = len;
    batch->op_count = kept;
}

enum status batch_finish(struct batch *batch) {
    struct places places;
    enum status status;

    if (batch->finished || batch->op_count <= 1) {
        batch->finished = true;
        return STATUS_OK;
    }
    status = places_collect(batch, &places);
    if (status != STATUS_OK) {
        return status;
    }
    if (places.range_count > BATCH_RANGES_MAX) {
        places_deinit(&places);
        return STATUS_TOO_LARGE;
    }
    keep_last_of_each_key(&places);
    for (uint32_t i = 0; i < places.count && places.range_count > 0; i++) {
        if (places.all[i].is_range && places.all[i].keep) {
            drop_covered(batch, &places, &places.all[i]);
        }
    }
    remove_dropped(batch, &places);
    batch->finished = true;
    places_deinit(&places);
    return STATUS_OK;
}
