/* memtable_ranges.c: see memtable_ranges.h. */
#include "storage/memtable_ranges.h"

#include "protocol/base/assert.h"
#include "storage/entry.h"
#include "storage/ikey.h"

/* What is no row of ours is left to whoever reads it. */
static bool parse(struct slice ikey, struct slice bytes, struct range_delete *deleted_out) {
    struct range_delete deleted = {.version = ikey_version(ikey)};
    struct entry entry;

    if (!range_row_is_key(row_user_key(ikey_row(ikey))) || entry_load(bytes, &entry) != STATUS_OK ||
        entry.kind != ENTRY_INLINE ||
        range_row_parse(row_user_key(ikey_row(ikey)), entry.value, &deleted.range) != STATUS_OK) {
        return false;
    }
    deleted.durability = (uint8_t)entry.durability;
    *deleted_out = deleted;
    return true;
}

void memtable_ranges_note(struct memtable_ranges *ranges, struct arena *arena, struct slice ikey,
                          struct slice entry) {
    const struct memtable_range *older = memtable_ranges_newest(ranges);
    struct memtable_range *range;
    struct range_delete deleted;

    if (parse(ikey, entry, &deleted)) {
        ASSERT(!older || older->deleted.version <= deleted.version);
        range = arena_take(arena, sizeof *range);
        *range = (struct memtable_range){older, deleted};
        atomic_store_explicit(&ranges->newest, range, memory_order_release);
        atomic_fetch_add_explicit(&ranges->count, 1, memory_order_relaxed);
    }
}

static struct range_cover cover_of(const struct memtable_range *range) {
    return range ? (struct range_cover){range->deleted.version, range->deleted.durability}
                 : (struct range_cover){VERSION_NONE, 0};
}

struct range_cover memtable_ranges_covering(const struct memtable_ranges *ranges, struct slice row,
                                            uint64_t version) {
    const struct memtable_range *range = memtable_ranges_newest(ranges);

    while (range &&
           (range->deleted.version > version || !range_covers_row(&range->deleted.range, row))) {
        range = range->older;
    }
    return cover_of(range);
}

struct range_cover memtable_ranges_ending(const struct memtable_ranges *ranges, struct slice row,
                                          uint64_t version) {
    const struct memtable_range *range = memtable_ranges_newest(ranges);
    const struct memtable_range *oldest = NULL;

    for (; range && range->deleted.version > version; range = range->older) {
        oldest = range_covers_row(&range->deleted.range, row) ? range : oldest;
    }
    return cover_of(oldest);
}
