/* time_index.c: see time_index.h. */
#include "storage/time_index.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <string.h>

#define MARKS_FIRST 64u
#define THIN_MS 1000u

enum status time_index_init(struct time_index *index) {
    *index = (struct time_index){.capacity = MARKS_FIRST};
    index->marks = memory_alloc_array(MARKS_FIRST, sizeof *index->marks);
    if (!index->marks) {
        *index = (struct time_index){0};
        return STATUS_NO_MEMORY;
    }
    mutex_init(&index->mu);
    return STATUS_OK;
}

void time_index_deinit(struct time_index *index) {
    if (index->marks) {
        memory_free(index->marks);
        mutex_deinit(&index->mu);
    }
    *index = (struct time_index){0};
}

/* ---- Room -------------------------------------------------------------------------------------
 */

/* Keeps, of the first `old` marks, the last one of each second, and the oldest: it says how far
 * back anything is known. */
static size_t thin_to_seconds(struct time_mark *marks, size_t old) {
    size_t kept = 0;

    for (size_t i = 0; i < old; i++) {
        if (i == 0 || i + 1 == old || marks[i].ms / THIN_MS != marks[i + 1].ms / THIN_MS) {
            marks[kept++] = marks[i];
        }
    }
    return kept;
}

/* Keeps every other one, the oldest always. */
static size_t thin_by_half(struct time_mark *marks, size_t old) {
    size_t kept = 0;

    for (size_t i = 0; i < old; i += 2) {
        marks[kept++] = marks[i];
    }
    return kept;
}

static void thin_locked(struct time_index *index) REQUIRES(index->mu) {
    size_t young = index->count / 4;
    size_t old = index->count - young;
    size_t kept = thin_to_seconds(index->marks, old);

    if (kept > old / 2) {
        kept = thin_by_half(index->marks, kept);
    }
    memmove(index->marks + kept, index->marks + old, young * sizeof *index->marks);
    index->count = kept + young;
}

static void make_room_locked(struct time_index *index) REQUIRES(index->mu) {
    if (index->count < index->capacity) {
        return;
    }
    if (index->capacity < TIME_MARKS_MAX) {
        struct time_mark *grown =
            memory_resize(index->marks, 2 * index->capacity * sizeof *index->marks);
        if (grown) {
            index->marks = grown;
            index->capacity *= 2;
            return;
        }
    }
    thin_locked(index);
    ASSERT(index->count < index->capacity);
}

void time_index_note(struct time_index *index, uint64_t ms, uint64_t version) {
    struct time_mark *last;

    mutex_lock(&index->mu);
    last = index->count > 0 ? &index->marks[index->count - 1] : NULL;
    if (last && ms <= last->ms) {
        last->version = version > last->version ? version : last->version;
    } else if (!last || version > last->version) {
        make_room_locked(index);
        index->marks[index->count++] = (struct time_mark){ms, version};
    }
    mutex_unlock(&index->mu);
}

/* ---- Questions --------------------------------------------------------------------------------
 */

/* The first mark with ms > `ms`. */
static size_t after_locked(const struct time_index *index, uint64_t ms) REQUIRES(index->mu) {
    size_t low = 0;
    size_t high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->marks[middle].ms <= ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool time_index_until(struct time_index *index, uint64_t ms, struct time_mark *mark_out) {
    size_t after;

    mutex_lock(&index->mu);
    after = after_locked(index, ms);
    if (after > 0) {
        *mark_out = index->marks[after - 1];
    }
    mutex_unlock(&index->mu);
    return after > 0;
}

bool time_index_from(struct time_index *index, uint64_t ms, struct time_mark *mark_out) {
    size_t from;
    bool found;

    mutex_lock(&index->mu);
    from = ms == 0 ? 0 : after_locked(index, ms - 1);
    found = from < index->count;
    if (found) {
        *mark_out = index->marks[from];
    }
    mutex_unlock(&index->mu);
    return found;
}

bool time_index_showing(struct time_index *index, uint64_t version, struct time_mark *mark_out,
                        bool *exact_out) {
    size_t low = 0;
    size_t high;
    bool found;

    mutex_lock(&index->mu);
    high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->marks[middle].version < version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    found = low < index->count;
    if (found) {
        *mark_out = index->marks[low];
    }
    if (found && exact_out) {
        *exact_out = low > 0;
    }
    mutex_unlock(&index->mu);
    return found;
}

/* ---- Rows -------------------------------------------------------------------------------------
 */

void time_key_store(uint8_t key_out[TIME_KEY_BYTES], uint64_t ms) {
    uint64_t big_endian = __builtin_bswap64(ms);

    memcpy(key_out, TIME_KEY_PREFIX, TIME_KEY_PREFIX_BYTES);
    memcpy(key_out + TIME_KEY_PREFIX_BYTES, &big_endian, sizeof big_endian);
}

enum status time_row_load(struct slice key, struct slice value, struct time_mark *mark_out) {
    struct reader reader = reader_make(value);
    uint64_t big_endian;
    uint64_t version;

    if (key.len != TIME_KEY_BYTES || memcmp(key.ptr, TIME_KEY_PREFIX, TIME_KEY_PREFIX_BYTES) != 0 ||
        !reader_take_varint(&reader, &version) || reader_left(&reader) > 0) {
        return STATUS_CORRUPT;
    }
    memcpy(&big_endian, key.ptr + TIME_KEY_PREFIX_BYTES, sizeof big_endian);
    *mark_out = (struct time_mark){__builtin_bswap64(big_endian), version};
    return STATUS_OK;
}
