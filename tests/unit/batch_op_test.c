/* batch_op_test.c: operations that refer to records elsewhere, as bytes and back: aliases, large
 * values, extents. (The others, and batch_finish: batch_test.c.) */
#include "storage/batch.h"
#include "tests/unit/unit.h"

#include "storage/format.h"

static struct batch batch;
static struct buffer extents;

static void start(void) {
    batch_init(&batch);
    buffer_init(&extents, 4096);
}

static void finish(void) {
    batch_deinit(&batch);
    buffer_deinit(&extents);
}

static struct batch_op alias_op(void) {
    return (struct batch_op){.namespace_id = 3,
                             .key = slice_from_text("key"),
                             .kind = ENTRY_REFERENCE,
                             .alias = true,
                             .expiry_ms = 11,
                             .user_flags = 12,
                             .record_version = 1300,
                             .segment = 14,
                             .offset = 150000,
                             .raw_bytes = 1600,
                             .stored_bytes = 170,
                             .checksum = UINT64_MAX - 1,
                             .compressed = true};
}

static struct batch_op large_op(void) {
    struct value_ref first = {
        .segment = 4, .offset = 128, .raw_bytes = EXTENT_RAW_BYTES_MAX, .stored_bytes = 500};
    struct value_ref second = {.segment = 5, .offset = 200, .raw_bytes = 1, .stored_bytes = 13};

    ck_assert_int_eq(entry_extent_append(&extents, &first), STATUS_OK);
    ck_assert_int_eq(entry_extent_append(&extents, &second), STATUS_OK);
    return (struct batch_op){.namespace_id = 3,
                             .key = slice_from_text("key"),
                             .kind = ENTRY_LARGE,
                             .large_bytes = EXTENT_RAW_BYTES_MAX + 1,
                             .large_checksum = 77,
                             .extent_count = 2,
                             .extents = buffer_slice(&extents)};
}

static struct batch_op extent_op(uint32_t raw_bytes) {
    return (struct batch_op){.namespace_id = 3,
                             .key = slice_from_text("key"),
                             .kind = ENTRY_REFERENCE,
                             .extent = true,
                             .raw_bytes = raw_bytes,
                             .checksum = 99};
}

static struct batch_op append_and_take(const struct batch_op *op, const char *stored) {
    struct batch_op out;
    struct reader reader;

    ck_assert_int_eq(batch_append(&batch, op, slice_from_text(stored)), STATUS_OK);
    reader = reader_make(buffer_slice(&batch.meta));
    ck_assert_int_eq(batch_take(&reader, batch.values.len, &out), STATUS_OK);
    ck_assert_uint_eq(reader_left(&reader), 0);
    return out;
}

START_TEST(an_alias_comes_back_and_has_nothing_in_values) {
    struct batch_op in = alias_op();
    struct batch_op out;
    struct entry entry;

    start();
    out = append_and_take(&in, "ignored");
    ck_assert_uint_eq(batch.values.len, 0);
    ck_assert(batch.refers_elsewhere);
    ck_assert(!batch_op_has_value(&out));
    entry = batch_op_entry(&out, 1000, 1000, DURABILITY_LOGGED);
    ck_assert(entry.kind == ENTRY_REFERENCE && entry.alias && entry.ref.compressed);
    ck_assert_int_eq(entry.durability, DURABILITY_LOGGED);
    ck_assert_uint_eq(entry.expiry_ms, 11);
    ck_assert_uint_eq(entry.user_flags, 12);
    ck_assert_uint_eq(entry.record_version, 1300);
    ck_assert_uint_eq(entry.ref.segment, 14);
    ck_assert_uint_eq(entry.ref.offset, 150000);
    ck_assert_uint_eq(entry.ref.raw_bytes, 1600);
    ck_assert_uint_eq(entry.ref.stored_bytes, 170);
    ck_assert_uint_eq(entry.ref.checksum, UINT64_MAX - 1);
    finish();
}
END_TEST

START_TEST(a_large_value_comes_back_with_its_extents) {
    struct batch_op in;
    struct batch_op out;
    struct entry entry;

    start();
    in = large_op();
    in.alias = true;
    in.record_version = 8;
    out = append_and_take(&in, "");
    ck_assert(batch.refers_elsewhere);
    entry = batch_op_entry(&out, 1000, 1000, DURABILITY_SYNCED);
    ck_assert(entry.kind == ENTRY_LARGE && entry.alias);
    ck_assert_uint_eq(entry.record_version, 8);
    ck_assert_uint_eq(entry.large_bytes, EXTENT_RAW_BYTES_MAX + 1);
    ck_assert_uint_eq(entry.large_checksum, 77);
    ck_assert_uint_eq(entry.extent_count, 2);
    ck_assert(slice_equal(entry.extents, buffer_slice(&extents)));
    finish();
}
END_TEST

START_TEST(an_extent_may_be_stored_longer_than_it_is) {
    struct batch_op in = extent_op(3);
    struct batch_op out;

    start();
    out = append_and_take(&in, "three bytes and their index");
    ck_assert(out.extent && batch_op_has_value(&out));
    ck_assert(!batch.refers_elsewhere);
    ck_assert_uint_eq(out.raw_bytes, 3);
    ck_assert_uint_eq(out.stored_bytes, 27);
    ck_assert_uint_eq(out.checksum, 99);
    finish();
}
END_TEST

START_TEST(an_ordinary_reference_lies_where_its_commit_does) {
    struct batch_op in = extent_op(9);
    struct batch_op out;
    struct entry entry;

    start();
    in.extent = false;
    ck_assert_int_eq(batch_append(&batch, &in, slice_from_text("123456789")), STATUS_OK);
    batch.meta.len = 0; /* so that the next one lies behind it */
    out = append_and_take(&in, "123456789");
    entry = batch_op_entry(&out, 40, 1000, DURABILITY_SYNCED);
    ck_assert(!entry.alias);
    ck_assert_uint_eq(entry.ref.segment, 40);
    ck_assert_uint_eq(entry.ref.offset, 1009);
    finish();
}
END_TEST

START_TEST(cut_bytes_are_told) {
    start();
    for (int kind = 0; kind < 3; kind++) {
        struct batch_op in = kind == 0 ? alias_op() : kind == 1 ? large_op() : extent_op(3);
        struct batch_op out;
        batch_clear(&batch);
        ck_assert_int_eq(batch_append(&batch, &in, slice_from_text("stored")), STATUS_OK);
        for (size_t len = 1; len < batch.meta.len; len++) {
            struct reader reader = reader_make(slice_make(batch.meta.data, len));
            ck_assert_int_eq(batch_take(&reader, batch.values.len, &out), STATUS_CORRUPT);
        }
    }
    finish();
}
END_TEST

START_TEST(flags_that_do_not_go_together_are_refused) {
    static const uint8_t wrong[] = {
        0x20, 0x21,       /* alias without a record */
        0x80, 0x81, 0x83, /* extent of what has no place in values */
        0xA2, 0x92,       /* extent and alias; extent and compressed */
        0x13, 0x40, 0x42, /* large and compressed; unknown */
    };
    struct batch_op in = alias_op();

    start();
    ck_assert_int_eq(batch_append(&batch, &in, slice_make(NULL, 0)), STATUS_OK);
    for (size_t i = 0; i < sizeof wrong; i++) {
        struct reader reader = reader_make(buffer_slice(&batch.meta));
        struct batch_op out;
        batch.meta.data[0] = wrong[i];
        ck_assert_int_eq(batch_take(&reader, 0, &out), STATUS_CORRUPT);
    }
    finish();
}
END_TEST

START_TEST(a_batch_that_is_cleared_refers_nowhere) {
    struct batch_op in = alias_op();

    start();
    ck_assert_int_eq(batch_append(&batch, &in, slice_make(NULL, 0)), STATUS_OK);
    batch_clear(&batch);
    ck_assert(!batch.refers_elsewhere);
    finish();
}
END_TEST

UNIT_MAIN("batch_op", an_alias_comes_back_and_has_nothing_in_values,
          a_large_value_comes_back_with_its_extents, an_extent_may_be_stored_longer_than_it_is,
          an_ordinary_reference_lies_where_its_commit_does, cut_bytes_are_told,
          flags_that_do_not_go_together_are_refused, a_batch_that_is_cleared_refers_nowhere)
