/* version_edit_test.c: edits as bytes, and back. */
#include "storage/version_edit.h"

#include "tests/unit/manifest_fixture.h"

static struct version_edit edit;
static struct version_edit got;
static struct buffer bytes;

static void start(void) {
    version_edit_init(&edit);
    version_edit_init(&got);
    buffer_init(&bytes, 1 << 20);
}

static void finish(void) {
    version_edit_deinit(&edit);
    version_edit_deinit(&got);
    buffer_deinit(&bytes);
}

static void fill(void) {
    add_table(&edit, 0, 40, 1, 500);
    add_table(&edit, LEVELS_MAX - 1, 41, 600, 700);
    remove_table(&edit, 1, 30);
    add_segment(&edit, 12);
    seal_segment(&edit, 11, 123456);
    remove_segment(&edit, 4);
    remove_segment(&edit, 5);
    ck_assert_int_eq(version_edit_mark_damaged(&edit, 11), STATUS_OK);
    add_relocation(&edit, 4, 12);
    add_relocation(&edit, 5, 12);
    ck_assert_int_eq(version_edit_remove_relocation(&edit, 3), STATUS_OK);
    for (unsigned i = 0; i < EDIT_SCALARS; i++) {
        version_edit_set(&edit, (enum edit_scalar)i, i == 2 ? UINT64_MAX : i * 1000);
    }
    version_edit_set_log_durable(&edit, (struct log_position){12, 777});
}

static enum status encode(void) {
    buffer_clear(&bytes);
    return version_edit_append(&bytes, &edit);
}

static enum status decode(size_t len) {
    version_edit_clear(&got);
    return version_edit_load(slice_make(bytes.data, len), &got);
}

START_TEST(edit_is_read_as_written) {
    start();
    fill();
    ck_assert_int_eq(encode(), STATUS_OK);
    ck_assert_int_eq(decode(bytes.len), STATUS_OK);
    ck_assert_uint_eq(got.tables_added_count, 2);
    ck_assert_uint_eq(got.tables_added[1].level, LEVELS_MAX - 1);
    ck_assert_uint_eq(got.tables_added[1].info.number, 41);
    ck_assert(slice_equal(got.tables_added[0].info.largest, edit.tables_added[0].info.largest));
    ck_assert_uint_eq(got.tables_removed[0].level, 1);
    ck_assert_uint_eq(got.tables_removed[0].number, 30);
    ck_assert_uint_eq(got.segments_added[0].number, 12);
    ck_assert_int_eq(got.segments_added[0].kind, SEGMENT_COMMIT);
    ck_assert_uint_eq(got.segments_sealed[0].length_bytes, 123456);
    ck_assert_uint_eq(got.segments_removed_count, 2);
    ck_assert_uint_eq(got.segments_removed[1], 5);
    ck_assert_uint_eq(got.segments_damaged_count, 1);
    ck_assert_uint_eq(got.segments_damaged[0], 11);
    ck_assert_uint_eq(got.relocations_added_count, 2);
    ck_assert_mem_eq(got.relocations_added, edit.relocations_added,
                     2 * sizeof *got.relocations_added);
    ck_assert_uint_eq(got.relocations_removed_count, 1);
    ck_assert_uint_eq(got.relocations_removed[0], 3);
    ck_assert_uint_eq(got.scalars_set, edit.scalars_set);
    ck_assert_mem_eq(got.scalars, edit.scalars, sizeof got.scalars);
    ck_assert_uint_eq(got.log_durable.offset, 777);
    finish();
}
END_TEST

START_TEST(empty_edit_takes_no_bytes) {
    start();
    ck_assert(version_edit_is_empty(&edit));
    ck_assert_int_eq(encode(), STATUS_OK);
    ck_assert_uint_eq(bytes.len, 0);
    ck_assert_int_eq(decode(0), STATUS_OK);
    ck_assert(version_edit_is_empty(&got));
    fill();
    ck_assert(!version_edit_is_empty(&edit));
    ck_assert(version_edit_has(&edit, EDIT_INCARNATION));
    version_edit_clear(&edit);
    ck_assert(version_edit_is_empty(&edit));
    ck_assert(!version_edit_has(&edit, EDIT_INCARNATION));
    finish();
}
END_TEST

START_TEST(edit_cut_short_is_a_shorter_edit_or_refused) {
    start();
    fill();
    ck_assert_int_eq(encode(), STATUS_OK);
    for (size_t len = 0; len < bytes.len; len++) {
        enum status status = decode(len);
        ck_assert(status == STATUS_CORRUPT || status == STATUS_OK);
        ck_assert_uint_lt(got.scalars_set, 1u << EDIT_SCALARS);
    }
    finish();
}
END_TEST

START_TEST(no_wrong_byte_is_more_than_a_wrong_edit) {
    start();
    fill();
    ck_assert_int_eq(encode(), STATUS_OK);
    for (size_t at = 0; at < bytes.len; at++) {
        for (unsigned mask = 1; mask < 256; mask = mask * 2 + 1) {
            enum status status;
            bytes.data[at] ^= (uint8_t)mask;
            status = decode(bytes.len);
            ck_assert(status == STATUS_OK || status == STATUS_CORRUPT ||
                      status == STATUS_NEWER_FORMAT);
            bytes.data[at] ^= (uint8_t)mask;
        }
    }
    finish();
}
END_TEST

static enum status load(const uint8_t *field, size_t len) {
    enum status status;
    version_edit_clear(&got);
    status = version_edit_load(slice_make(field, len), &got);
    return status;
}

START_TEST(unknown_field_is_skipped_unless_it_must_be_understood) {
    const uint8_t optional[] = {0x01, 2, 0xFF, 0xFF};
    const uint8_t critical[] = {0x93, 0};
    const uint8_t scalar_beyond[] = {0xA0 + EDIT_SCALARS, 1, 5};
    start();
    ck_assert_int_eq(load(optional, sizeof optional), STATUS_OK);
    ck_assert(version_edit_is_empty(&got));
    ck_assert_int_eq(load(critical, sizeof critical), STATUS_NEWER_FORMAT);
    ck_assert_int_eq(load(scalar_beyond, sizeof scalar_beyond), STATUS_NEWER_FORMAT);
    finish();
}
END_TEST

START_TEST(values_out_of_range_are_refused) {
    const uint8_t level[] = {0x82, 2, LEVELS_MAX, 1};
    const uint8_t kind_zero[] = {0x83, 2, 1, 0};
    const uint8_t kind_four[] = {0x83, 2, 1, 4};
    const uint8_t rest[] = {0x85, 2, 1, 1};
    const uint8_t short_field[] = {0x84, 1, 1};
    const uint8_t long_block[] = {0x85, 9, 1};
    const uint8_t only_tag[] = {0x85};
    const uint8_t no_entries[] = {0x90, 5, 1, 2, 99, 0, 0};
    const uint8_t one_entry[] = {0x90, 5, 1, 2, 99, 88, 1};
    const uint8_t wrong_length[] = {0x90, 5, 1, 2, 99, 89, 1};
    const uint8_t to_itself[] = {0x90, 5, 2, 2, 99, 88, 1};
    start();
    ck_assert_int_eq(load(level, sizeof level), STATUS_CORRUPT);
    ck_assert_int_eq(load(kind_zero, sizeof kind_zero), STATUS_CORRUPT);
    ck_assert_int_eq(load(kind_four, sizeof kind_four), STATUS_CORRUPT);
    ck_assert_int_eq(load(rest, sizeof rest), STATUS_CORRUPT);
    ck_assert_int_eq(load(short_field, sizeof short_field), STATUS_CORRUPT);
    ck_assert_int_eq(load(long_block, sizeof long_block), STATUS_CORRUPT);
    ck_assert_int_eq(load(only_tag, sizeof only_tag), STATUS_CORRUPT);
    ck_assert_int_eq(load(one_entry, sizeof one_entry), STATUS_OK);
    ck_assert_int_eq(load(no_entries, sizeof no_entries), STATUS_CORRUPT);
    ck_assert_int_eq(load(wrong_length, sizeof wrong_length), STATUS_CORRUPT);
    ck_assert_int_eq(load(to_itself, sizeof to_itself), STATUS_CORRUPT);
    finish();
}
END_TEST

START_TEST(nth_allocation_failing_leaves_edit_and_buffer_as_they_were) {
    enum status status = STATUS_NO_MEMORY;
    struct table_info info = table_make(9, 1, 2);
    start();
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = version_edit_add_table(&edit, 0, &info);
        memory_fail_never();
        ck_assert_uint_eq(edit.tables_added_count, status == STATUS_OK);
    }
    table_info_deinit(&info);
    fill();
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        buffer_deinit(&bytes);
        memory_fail_after(n, false);
        status = encode();
        memory_fail_never();
        ck_assert(status == STATUS_OK || bytes.len == 0);
    }
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        version_edit_deinit(&got);
        memory_fail_after(n, false);
        status = decode(bytes.len);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(got.tables_added_count, 3);
    finish();
}
END_TEST

UNIT_MAIN("version_edit", edit_is_read_as_written, empty_edit_takes_no_bytes,
          edit_cut_short_is_a_shorter_edit_or_refused, no_wrong_byte_is_more_than_a_wrong_edit,
          unknown_field_is_skipped_unless_it_must_be_understood, values_out_of_range_are_refused,
          nth_allocation_failing_leaves_edit_and_buffer_as_they_were)
