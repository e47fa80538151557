/* entry_test.c: aliases and large values as the tree holds them. (The other kinds: batch_test.c.)
 */
#include "storage/entry.h"
#include "tests/unit/unit.h"

#include "protocol/base/bytes.h"
#include "protocol/base/memory.h"
#include "storage/format.h"

#define MB (1024u * 1024)

static struct buffer extents;
static uint8_t bytes[4096];

static void start(void) {
    buffer_init(&extents, 1 << 20);
}

static void finish(void) {
    buffer_deinit(&extents);
}

static struct value_ref extent_at(uint64_t segment, uint32_t raw_bytes) {
    return (struct value_ref){.segment = segment,
                              .offset = segment * 1000,
                              .raw_bytes = raw_bytes,
                              .stored_bytes = raw_bytes / 2 + 12,
                              .checksum = segment * 77};
}

/* A value of `count` full extents and one of `rest` bytes, in the segments 1, 2, ... */
static struct entry large(uint32_t count, uint32_t rest) {
    struct entry entry = {.kind = ENTRY_LARGE,
                          .expiry_ms = 5,
                          .user_flags = 6,
                          .extent_count = count + 1,
                          .large_bytes = (uint64_t)count * EXTENT_RAW_BYTES_MAX + rest,
                          .large_checksum = UINT64_C(0x1122334455667788)};

    buffer_clear(&extents);
    for (uint32_t i = 0; i <= count; i++) {
        struct value_ref extent = extent_at(i + 1, i < count ? EXTENT_RAW_BYTES_MAX : rest);
        ck_assert_int_eq(entry_extent_append(&extents, &extent), STATUS_OK);
    }
    entry.extents = buffer_slice(&extents);
    return entry;
}

static enum status store_and_load(const struct entry *entry, struct entry *out) {
    size_t len = entry_store(bytes, entry);

    ck_assert_uint_le(len, sizeof bytes);
    ck_assert_uint_eq(len, entry_bytes(entry));
    return entry_load(slice_make(bytes, len), out);
}

START_TEST(a_large_value_is_loaded_with_all_its_extents) {
    struct entry entry;
    struct entry out;
    struct entry_refs refs;
    struct value_ref ref;
    uint64_t stored = 0;
    uint32_t count = 0;

    start();
    entry = large(3, MB);
    ck_assert_int_eq(store_and_load(&entry, &out), STATUS_OK);
    ck_assert_int_eq(out.kind, ENTRY_LARGE);
    ck_assert(!out.alias);
    ck_assert_uint_eq(out.expiry_ms, 5);
    ck_assert_uint_eq(out.user_flags, 6);
    ck_assert_uint_eq(out.large_checksum, UINT64_C(0x1122334455667788));
    ck_assert_uint_eq(entry_value_bytes(&out), 3 * UINT64_C(4) * MB + MB);
    ck_assert_uint_eq(entry_record_version(&out, 9), 9);
    refs = entry_refs_begin(&out);
    while (entry_refs_next(&refs, &ref)) {
        struct value_ref wanted = extent_at(count + 1, count < 3 ? EXTENT_RAW_BYTES_MAX : MB);
        count++;
        ck_assert_uint_eq(ref.segment, wanted.segment);
        ck_assert_uint_eq(ref.offset, wanted.offset);
        ck_assert_uint_eq(ref.checksum, wanted.checksum);
        ck_assert_uint_eq(ref.raw_bytes, wanted.raw_bytes);
        ck_assert_uint_eq(ref.stored_bytes, wanted.stored_bytes);
        stored += ref.stored_bytes;
    }
    ck_assert_uint_eq(count, 4);
    ck_assert_uint_eq(entry_log_bytes(&out), stored);
    finish();
}
END_TEST

START_TEST(an_alias_carries_the_version_of_its_record) {
    struct entry entry = {.kind = ENTRY_REFERENCE,
                          .alias = true,
                          .record_version = UINT64_MAX / 3,
                          .ref = {.segment = 7, .offset = 99, .raw_bytes = 5, .stored_bytes = 5}};
    struct entry out;

    start();
    ck_assert_int_eq(store_and_load(&entry, &out), STATUS_OK);
    ck_assert(out.alias);
    ck_assert_uint_eq(out.ref.segment, 7);
    ck_assert_uint_eq(entry_record_version(&out, 9), UINT64_MAX / 3);
    ck_assert_uint_eq(entry_value_bytes(&out), 5);
    entry = large(1, 1);
    entry.alias = true;
    entry.record_version = 3;
    ck_assert_int_eq(store_and_load(&entry, &out), STATUS_OK);
    ck_assert_uint_eq(entry_record_version(&out, 9), 3);
    ck_assert_uint_eq(out.extent_count, 2);
    finish();
}
END_TEST

START_TEST(what_has_no_record_is_no_alias) {
    struct entry entry = {.kind = ENTRY_INLINE, .alias = true, .record_version = 3};
    struct entry out;

    ck_assert_int_eq(store_and_load(&entry, &out), STATUS_OK);
    ck_assert(!out.alias);
    for (unsigned kind = ENTRY_TOMBSTONE; kind <= ENTRY_INLINE; kind++) {
        bytes[0] = (uint8_t)(0x20u | kind);
        bytes[1] = 3;
        ck_assert_int_eq(entry_load(slice_make(bytes, 2), &out), STATUS_CORRUPT);
    }
}
END_TEST

START_TEST(a_large_value_cut_anywhere_is_corrupt) {
    struct entry entry;
    struct entry out;

    start();
    entry = large(2, 77);
    entry.alias = true;
    entry.record_version = 300;
    for (size_t len = entry_store(bytes, &entry); len-- > 0;) {
        ck_assert_int_eq(entry_load(slice_make(bytes, len), &out), STATUS_CORRUPT);
    }
    finish();
}
END_TEST

START_TEST(no_wrong_byte_of_a_large_value_makes_extents_that_do_not_add_up) {
    struct entry entry;
    struct entry out;
    size_t len;

    start();
    entry = large(2, 77);
    len = entry_store(bytes, &entry);
    for (size_t at = 0; at < len; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            bytes[at] ^= (uint8_t)flip;
            if (entry_load(slice_make(bytes, len), &out) == STATUS_OK && out.kind == ENTRY_LARGE) {
                ck_assert(entry_extents_are_valid(out.extents, out.extent_count, out.large_bytes));
            }
            bytes[at] ^= (uint8_t)flip;
        }
    }
    finish();
}
END_TEST

static void expect_refused(const struct entry *entry) {
    struct entry out;
    ck_assert_int_eq(store_and_load(entry, &out), STATUS_CORRUPT);
}

START_TEST(extents_that_do_not_make_the_value_are_refused) {
    struct entry entry;

    start();
    entry = large(1, 77);
    entry.large_bytes++;
    expect_refused(&entry);
    entry = large(1, 77);
    entry.extent_count++;
    expect_refused(&entry);
    entry = large(1, 77);
    entry.extent_count = 0;
    expect_refused(&entry);
    entry = large(1, 77);
    entry.extents.len--;
    expect_refused(&entry);
    finish();
}
END_TEST

START_TEST(an_extent_of_nothing_or_of_too_much_is_refused) {
    struct value_ref extent = extent_at(1, EXTENT_RAW_BYTES_MAX);
    struct slice rest;

    start();
    extent.stored_bytes = EXTENT_STORED_BYTES_MAX;
    ck_assert_int_eq(entry_extent_append(&extents, &extent), STATUS_OK);
    rest = buffer_slice(&extents);
    ck_assert(entry_extent_next(&rest, &extent));
    ck_assert_uint_eq(rest.len, 0);
    buffer_clear(&extents);
    extent.stored_bytes++;
    ck_assert_int_eq(entry_extent_append(&extents, &extent), STATUS_OK);
    rest = buffer_slice(&extents);
    ck_assert(!entry_extent_next(&rest, &extent));
    buffer_clear(&extents);
    extent = extent_at(1, 1);
    ck_assert_int_eq(entry_extent_append(&extents, &extent), STATUS_OK);
    ck_assert_uint_eq(extents.data[3], 1); /* raw bytes: segment 1, offset 1000 of two bytes */
    extents.data[3] = 0;
    rest = buffer_slice(&extents);
    ck_assert(!entry_extent_next(&rest, &extent));
    finish();
}
END_TEST

START_TEST(the_longest_value_fits) {
    const uint32_t raw_bytes = LARGE_BYTES_MAX / LARGE_EXTENTS_MAX;
    struct entry entry = {.kind = ENTRY_LARGE,
                          .large_bytes = (uint64_t)LARGE_EXTENTS_MAX * raw_bytes};
    struct entry out;
    uint8_t *room = memory_alloc(LARGE_EXTENTS_MAX * ENTRY_EXTENT_BYTES_MAX + 100);
    size_t len;

    ck_assert_ptr_nonnull(room);
    start();
    for (uint32_t i = 0; i < LARGE_EXTENTS_MAX; i++) {
        struct value_ref extent = extent_at(UINT64_MAX / 2000, raw_bytes);
        ck_assert_int_eq(entry_extent_append(&extents, &extent), STATUS_OK);
    }
    entry.extents = buffer_slice(&extents);
    entry.extent_count = LARGE_EXTENTS_MAX;
    len = entry_store(room, &entry);
    ck_assert_int_eq(entry_load(slice_make(room, len), &out), STATUS_OK);
    ck_assert_uint_lt(len, MB); /* what a table block takes */
    memory_free(room);
    finish();
}
END_TEST

START_TEST(what_is_expired_or_deleted_is_dead) {
    struct entry entry = {.kind = ENTRY_INLINE};

    ck_assert(!entry_is_dead(&entry, UINT64_MAX));
    entry.expiry_ms = 10;
    ck_assert(!entry_is_dead(&entry, 9));
    ck_assert(entry_is_dead(&entry, 10));
    entry = (struct entry){.kind = ENTRY_TOMBSTONE};
    ck_assert(entry_is_dead(&entry, 0));
}
END_TEST

UNIT_MAIN("entry", a_large_value_is_loaded_with_all_its_extents,
          an_alias_carries_the_version_of_its_record, what_has_no_record_is_no_alias,
          a_large_value_cut_anywhere_is_corrupt,
          no_wrong_byte_of_a_large_value_makes_extents_that_do_not_add_up,
          extents_that_do_not_make_the_value_are_refused,
          an_extent_of_nothing_or_of_too_much_is_refused, the_longest_value_fits,
          what_is_expired_or_deleted_is_dead)
