/* memtable_test.c: the sorted memory of the newest commits, against a plain table of what was
 * inserted. */
#include "storage/memtable.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/random.h"
#include "storage/range_row.h"

#include <stdio.h>

#define ROWS 97u
#define ROUNDS 20u
#define CREATE_BYTES (64u * 1024)

static struct memtable *create(void) {
    struct memtable *memtable;
    enum status status = memtable_create(CREATE_BYTES, &memtable);

    ck_assert_int_eq(status, STATUS_OK);
    return memtable;
}

static struct slice row_of(uint8_t room[32], uint32_t number) {
    char key[16];

    snprintf(key, sizeof key, "k%05u", number * 7919 % 10007);
    return slice_make(room, row_store(room, NAMESPACE_DEFAULT, slice_from_text(key)));
}

static void insert(struct memtable *memtable, uint32_t row, uint64_t version, const char *value) {
    uint8_t room[32];
    struct slice row_slice = row_of(room, row);
    struct entry entry = {.kind = ENTRY_INLINE, .value = slice_from_text(value)};
    size_t bytes = memtable_node_bytes(row_slice.len, entry_bytes(&entry));
    enum status status = memtable_reserve(memtable, bytes, bytes);

    ck_assert_int_eq(status, STATUS_OK);
    memtable_insert(memtable, row_slice, version, &entry);
}

static bool get(const struct memtable *memtable, struct slice row, uint64_t at,
                struct memtable_hit *hit) {
    struct table_target target = table_target_make(row, at);

    return memtable_get(memtable, &target, hit);
}

static void expect(const struct memtable *memtable, uint32_t row, uint64_t at, uint64_t version) {
    struct memtable_hit hit;
    uint8_t room[32];
    bool found = get(memtable, row_of(room, row), at, &hit);

    ck_assert_int_eq(found, version != 0);
    if (found) {
        ck_assert_uint_eq(hit.version, version);
    }
}

START_TEST(an_empty_one_has_nothing) {
    struct memtable *memtable = create();
    struct iterator *iter;

    expect(memtable, 1, VERSION_MAX, 0);
    ck_assert_uint_eq(memtable_entries(memtable), 0);
    ck_assert_uint_eq(memtable_version_max(memtable), 0);
    ck_assert_uint_eq(memtable_version_min(memtable), UINT64_MAX);
    ck_assert_uint_eq(memtable_first_segment(memtable), UINT64_MAX);
    ck_assert_int_eq(memtable_iterator_create(memtable, &iter), STATUS_OK);
    ck_assert_int_eq(iterator_seek_first(iter), STATUS_END);
    ck_assert_int_eq(iterator_seek_last(iter), STATUS_END);
    iterator_destroy(iter);
    memtable_unref(memtable);
}
END_TEST

START_TEST(a_get_finds_the_newest_version_that_is_old_enough) {
    struct memtable *memtable = create();

    insert(memtable, 1, 5, "five");
    insert(memtable, 1, 9, "nine");
    insert(memtable, 2, 7, "other");
    expect(memtable, 1, 4, 0);
    expect(memtable, 1, 5, 5);
    expect(memtable, 1, 8, 5);
    expect(memtable, 1, 9, 9);
    expect(memtable, 1, VERSION_MAX, 9);
    expect(memtable, 3, VERSION_MAX, 0);
    ck_assert_uint_eq(memtable_entries(memtable), 3);
    ck_assert_uint_eq(memtable_version_min(memtable), 5);
    ck_assert_uint_eq(memtable_version_max(memtable), 9);
    memtable_unref(memtable);
}
END_TEST

static void fill(struct memtable *memtable) {
    for (uint32_t i = 0; i < ROWS * ROUNDS; i++) {
        insert(memtable, i * 31 % ROWS, i + 1, "value");
    }
}

START_TEST(every_version_of_every_row_is_found) {
    struct memtable *memtable = create();

    fill(memtable);
    for (uint32_t i = 0; i < ROWS * ROUNDS; i++) {
        expect(memtable, i * 31 % ROWS, i + 1, i + 1);
        expect(memtable, i * 31 % ROWS, i + ROWS, i + 1);
    }
    memtable_unref(memtable);
}
END_TEST

START_TEST(a_walk_is_in_order_both_ways_and_leaves_nothing_out) {
    struct memtable *memtable = create();
    struct iterator *iter;
    uint8_t before[IKEY_BYTES_MIN + 32];
    size_t before_bytes = 0;
    uint32_t forward = 0;
    uint32_t backward = 0;
    enum status status;

    fill(memtable);
    ck_assert_int_eq(memtable_iterator_create(memtable, &iter), STATUS_OK);
    for (status = iterator_seek_first(iter); status == STATUS_OK; status = iterator_next(iter)) {
        ck_assert(forward == 0 || ikey_compare(slice_make(before, before_bytes), iter->key) < 0);
        before_bytes = iter->key.len;
        memcpy(before, iter->key.ptr, before_bytes);
        forward++;
    }
    ck_assert_int_eq(status, STATUS_END);
    for (status = iterator_seek_last(iter); status == STATUS_OK; status = iterator_prev(iter)) {
        ck_assert(backward == 0 || ikey_compare(slice_make(before, before_bytes), iter->key) > 0);
        before_bytes = iter->key.len;
        memcpy(before, iter->key.ptr, before_bytes);
        backward++;
    }
    ck_assert_uint_eq(forward, ROWS * ROUNDS);
    ck_assert_uint_eq(backward, ROWS * ROUNDS);
    iterator_destroy(iter);
    memtable_unref(memtable);
}
END_TEST

START_TEST(the_largest_key_and_the_empty_one) {
    struct memtable *memtable = create();
    uint8_t *key = memory_alloc_zeroed(KEY_BYTES_MAX);
    uint8_t *room = memory_alloc(ROW_BYTES_MAX);
    struct entry entry = {.kind = ENTRY_TOMBSTONE};
    struct memtable_hit hit;
    struct slice row;
    size_t bytes = memtable_node_bytes(ROW_BYTES_MAX, entry_bytes(&entry));

    ck_assert_ptr_nonnull(key);
    ck_assert_ptr_nonnull(room);
    ck_assert_int_eq(memtable_reserve(memtable, 2 * bytes, bytes), STATUS_OK);
    row = slice_make(room, row_store(room, 1, slice_make(key, KEY_BYTES_MAX)));
    memtable_insert(memtable, row, 3, &entry);
    ck_assert(get(memtable, row, 3, &hit));
    row = slice_make(room, row_store(room, 1, slice_make(NULL, 0)));
    ck_assert(!get(memtable, row, 3, &hit));
    memtable_insert(memtable, row, 4, &entry);
    ck_assert(get(memtable, row, 4, &hit));
    memory_free(key);
    memory_free(room);
    memtable_unref(memtable);
}
END_TEST

START_TEST(books_are_kept_of_segments) {
    struct memtable *memtable = create();
    struct entry entry = {.kind = ENTRY_REFERENCE,
                          .ref = {.segment = 7,
                                  .offset = 64,
                                  .raw_bytes = 5000,
                                  .stored_bytes = 3000,
                                  .compressed = true}};
    const struct segment_share *shares;
    uint8_t room[32];
    size_t count;

    ck_assert_int_eq(memtable_reserve(memtable, 2000, 1000), STATUS_OK);
    memtable_note_log(memtable, 7, 6200);
    memtable_insert(memtable, row_of(room, 1), 1, &entry);
    memtable_insert(memtable, row_of(room, 2), 2, &entry);
    shares = memtable_shares(memtable, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(shares[0].segment, 7);
    ck_assert_uint_eq(shares[0].records, 2);
    ck_assert_uint_eq(shares[0].bytes, 6000);
    memtable_note_log(memtable, 8, 100);
    ck_assert_uint_eq(memtable_first_segment(memtable), 7);
    ck_assert_uint_eq(memtable_log_bytes(memtable), 6300);
    memtable_unref(memtable);
}
END_TEST

static void insert_alias(struct memtable *memtable, unsigned key, uint64_t segment) {
    struct entry entry = {.kind = ENTRY_REFERENCE,
                          .alias = true,
                          .record_version = 1,
                          .ref = {.segment = segment, .raw_bytes = 10, .stored_bytes = 10}};
    uint8_t room[32];

    ck_assert_int_eq(memtable_reserve(memtable, 1000, 1000), STATUS_OK);
    ck_assert_int_eq(memtable_reserve_segments(memtable, &entry), STATUS_OK);
    memtable_insert(memtable, row_of(room, key), 100 + key, &entry);
}

START_TEST(aliases_are_booked_apart_under_old_segments) {
    struct memtable *memtable = create();
    struct entry own = {.kind = ENTRY_REFERENCE,
                        .ref = {.segment = 500, .raw_bytes = 7, .stored_bytes = 7}};
    struct segment_share *shares;
    uint8_t room[32];
    size_t count;

    ck_assert_int_eq(memtable_reserve(memtable, 1000, 1000), STATUS_OK);
    memtable_insert(memtable, row_of(room, 1000), 1, &own);
    for (unsigned i = 0; i < 200; i++) { /* 100 segments, newest and oldest in turn */
        insert_alias(memtable, i, i % 2 ? 100 + i % 100 / 2 : 400 - i % 100 / 2);
    }
    ck_assert_int_eq(memtable_copy_shares(memtable, &shares, &count), STATUS_OK);
    ck_assert_uint_eq(count, 101);
    for (size_t i = 0; i < count; i++) {
        bool is_own = shares[i].segment == 500;
        ck_assert(i == 0 || shares[i - 1].segment < shares[i].segment);
        ck_assert_uint_eq(shares[i].records, is_own);
        ck_assert_uint_eq(shares[i].bytes, is_own ? 7 : 0);
        ck_assert_uint_eq(shares[i].alias_records, is_own ? 0 : 2);
        ck_assert_uint_eq(shares[i].alias_bytes, is_own ? 0 : 20);
    }
    memory_free(shares);
    memtable_unref(memtable);
}
END_TEST

START_TEST(a_large_value_is_booked_under_all_its_segments_once_there_is_room) {
    struct memtable *memtable = create();
    struct entry entry = {.kind = ENTRY_LARGE, .extent_count = 60, .large_bytes = 600};
    const struct segment_share *shares;
    struct buffer extents;
    uint8_t room[32];
    size_t count;
    enum status status = STATUS_NO_MEMORY;

    buffer_init(&extents, 4096);
    for (unsigned i = 0; i < 60; i++) {
        struct value_ref extent = {.segment = 90 - i % 30, .raw_bytes = 10, .stored_bytes = 5};
        ck_assert_int_eq(entry_extent_append(&extents, &extent), STATUS_OK);
    }
    entry.extents = buffer_slice(&extents);
    ck_assert_int_eq(memtable_reserve(memtable, 4000, 4000), STATUS_OK);
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = memtable_reserve_segments(memtable, &entry);
        memory_fail_never();
        ck_assert(status == STATUS_OK || (status == STATUS_NO_MEMORY && n < 10));
    }
    memory_fail_after(0, true);
    memtable_insert(memtable, row_of(room, 1), 1, &entry);
    memory_fail_never();
    shares = memtable_shares(memtable, &count);
    ck_assert_uint_eq(count, 30);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(shares[i].segment, 61 + i);
        ck_assert_uint_eq(shares[i].records, 2);
        ck_assert_uint_eq(shares[i].bytes, 10);
    }
    buffer_deinit(&extents);
    memtable_unref(memtable);
}
END_TEST

START_TEST(want_of_memory_is_told_before_anything_is_done) {
    struct memtable *memtable = NULL;
    uint64_t n;
    enum status status = STATUS_NO_MEMORY;

    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = memtable_create(CREATE_BYTES, &memtable);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 1);
    memory_fail_after(0, true);
    status = memtable_reserve(memtable, 64u << 20, 100);
    memory_fail_never();
    ck_assert_int_eq(status, STATUS_NO_MEMORY);
    insert(memtable, 1, 1, "still usable");
    expect(memtable, 1, 1, 1);
    memtable_unref(memtable);
}
END_TEST

/* ---- Range deletes ---- */

static void insert_range(struct memtable *memtable, const char *from, const char *to,
                         uint64_t version, const struct entry *how) {
    struct key_range range = {NAMESPACE_DEFAULT, slice_from_text(from), slice_from_text(to)};
    struct buffer value = {.cap = RANGE_VALUE_BYTES_MAX};
    uint8_t row[IKEY_NAMESPACE_BYTES + RANGE_KEY_BYTES];
    uint8_t key[RANGE_KEY_BYTES];
    struct entry entry = *how;
    size_t bytes;

    ck_assert_int_eq(range_row_store(&range, key, &value), STATUS_OK);
    entry.value = buffer_slice(&value);
    bytes = memtable_node_bytes(sizeof row, entry_bytes(&entry));
    ck_assert_int_eq(memtable_reserve(memtable, bytes, bytes), STATUS_OK);
    memory_fail_after(0, true); /* what was reserved is enough */
    memtable_insert(memtable, slice_make(row, row_store(row, 0, slice_make(key, sizeof key))),
                    version, &entry);
    memory_fail_never();
    buffer_deinit(&value);
}

START_TEST(range_deletes_are_listed) {
    struct memtable *memtable = create();
    const struct memtable_ranges *ranges = memtable_ranges(memtable);
    struct entry entry = {.kind = ENTRY_INLINE, .durability = DURABILITY_LOGGED};
    const struct memtable_range *newest;

    insert(memtable, 1, 1, "no range delete");
    ck_assert_ptr_null(memtable_ranges_newest(ranges));
    for (uint64_t version = 2; version < 1000; version++) {
        insert_range(memtable, "b", version % 2 ? "c" : "d", version, &entry);
        ck_assert_uint_eq(memtable_ranges_count(ranges), version - 1);
    }
    newest = memtable_ranges_newest(ranges);
    ck_assert_uint_eq(newest->deleted.version, 999);
    ck_assert_uint_eq(newest->deleted.durability, DURABILITY_LOGGED);
    ck_assert(slice_equal(newest->deleted.range.to, slice_from_text("c")));
    ck_assert(slice_equal(newest->older->deleted.range.to, slice_from_text("d")));
    ck_assert_uint_eq(memtable_entries(memtable), 999);
    memtable_unref(memtable);
}
END_TEST

START_TEST(what_is_no_range_delete_is_not_listed) {
    struct memtable *memtable = create();
    const struct memtable_ranges *ranges = memtable_ranges(memtable);
    struct entry tombstone = {.kind = ENTRY_TOMBSTONE};
    struct entry other = {.kind = ENTRY_INLINE, .value = slice_from_text("v")};
    const char *const keys[] = {"range/", "range/0123456789abcdef", "namespace/x", ""};
    uint8_t row[64];

    insert_range(memtable, "b", "c", 1, &tombstone);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t len = row_store(row, NAMESPACE_SYSTEM, slice_from_text(keys[i]));
        size_t bytes = memtable_node_bytes(len, entry_bytes(&other));
        ck_assert_int_eq(memtable_reserve(memtable, bytes, bytes), STATUS_OK);
        memtable_insert(memtable, slice_make(row, len), 2 + i, &other);
    }
    ck_assert_uint_eq(memtable_ranges_count(ranges), 0);
    ck_assert_ptr_null(memtable_ranges_newest(ranges));
    memtable_unref(memtable);
}
END_TEST

UNIT_MAIN("memtable", an_empty_one_has_nothing, a_get_finds_the_newest_version_that_is_old_enough,
          every_version_of_every_row_is_found, a_walk_is_in_order_both_ways_and_leaves_nothing_out,
          the_largest_key_and_the_empty_one, books_are_kept_of_segments,
          aliases_are_booked_apart_under_old_segments,
          a_large_value_is_booked_under_all_its_segments_once_there_is_room,
          want_of_memory_is_told_before_anything_is_done, range_deletes_are_listed,
          what_is_no_range_delete_is_not_listed)
