/* table_info_test.c: copies and codec of what the manifest knows of a table. */
#include "tests/unit/table_fixture.h"

static struct segment_share shares[] = {{3, 10, 1000, 0, 0}, {9, 1, 77, 2, 50}, {11, 0, 0, 1, 8}};
static struct namespace_usage usages[] = {{0, 1, 0, 30, 0}, {7, 19, 3, 900, 1135}};
static struct hidden_bucket hidden[] = {{2, 5, 1, 3, 400}, {7, 9, 4, 1, 20}};
static struct key smallest;
static struct key largest;

static struct table_info sample(void) {
    smallest = key_at("apple", 9);
    largest = key_at("pear", 2);
    return (struct table_info){
        .number = 12,
        .file_bytes = 4096,
        .footer_checksum = UINT64_C(0x1122334455667788),
        .smallest = key_slice(&smallest),
        .largest = key_slice(&largest),
        .version_min = 2,
        .version_max = 9,
        .entries = 20,
        .tombstones = 3,
        .expiring = 4,
        .expiry_max_ms = UINT64_MAX,
        .expiring_weight = 800,
        .expiry_steps = {10, 10, 20, 30, 40, 50, 60, UINT64_MAX},
        .ranges_applied = 77,
        .log_bytes = 1135,
        .shares = shares,
        .share_count = 3,
        .usages = usages,
        .usage_count = 2,
        .hidden = hidden,
        .hidden_count = 2,
    };
}

static void expect_sample(const struct table_info *info) {
    ck_assert_uint_eq(info->number, 12);
    ck_assert_uint_eq(info->file_bytes, 4096);
    ck_assert_uint_eq(info->footer_checksum, UINT64_C(0x1122334455667788));
    ck_assert(slice_equal(info->smallest, key_slice(&smallest)));
    ck_assert(slice_equal(info->largest, key_slice(&largest)));
    ck_assert_uint_eq(info->version_min, 2);
    ck_assert_uint_eq(info->version_max, 9);
    ck_assert_uint_eq(info->entries, 20);
    ck_assert_uint_eq(info->tombstones, 3);
    ck_assert_uint_eq(info->expiring, 4);
    ck_assert_uint_eq(info->expiry_max_ms, UINT64_MAX);
    ck_assert_uint_eq(info->log_bytes, 1135);
    ck_assert_uint_eq(info->share_count, 3);
    ck_assert_mem_eq(info->shares, shares, sizeof shares);
    ck_assert_uint_eq(info->usage_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(info->usages[i].namespace_id, usages[i].namespace_id);
        ck_assert_uint_eq(info->usages[i].entries, usages[i].entries);
        ck_assert_uint_eq(info->usages[i].tombstones, usages[i].tombstones);
        ck_assert_uint_eq(info->usages[i].table_bytes, usages[i].table_bytes);
        ck_assert_uint_eq(info->usages[i].log_bytes, usages[i].log_bytes);
    }
    ck_assert_uint_eq(info->expiring_weight, 800);
    ck_assert_uint_eq(info->expiry_steps[0], 10);
    ck_assert_uint_eq(info->expiry_steps[7], UINT64_MAX);
    ck_assert_uint_eq(info->ranges_applied, 77);
    ck_assert_uint_eq(info->hidden_count, 2);
    ck_assert_mem_eq(info->hidden, hidden, sizeof hidden);
}

static struct buffer encoded(const struct table_info *info) {
    struct buffer buffer;
    buffer_init(&buffer, 4096);
    ck_assert_int_eq(table_info_append(&buffer, info), STATUS_OK);
    return buffer;
}

static enum status decode(struct slice bytes, struct table_info *info) {
    struct reader reader = reader_make(bytes);
    return table_info_take(&reader, info);
}

START_TEST(what_is_appended_is_taken_again) {
    struct table_info info = sample();
    struct buffer buffer = encoded(&info);
    struct table_info taken;
    ck_assert_int_eq(decode(buffer_slice(&buffer), &taken), STATUS_OK);
    expect_sample(&taken);
    table_info_deinit(&taken);
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(a_copy_is_deep) {
    struct table_info info = sample();
    struct table_info copy;
    ck_assert_int_eq(table_info_copy(&info, &copy), STATUS_OK);
    expect_sample(&copy);
    ck_assert_ptr_ne(copy.smallest.ptr, info.smallest.ptr);
    ck_assert_ptr_ne(copy.shares, info.shares);
    ck_assert_ptr_ne(copy.hidden, info.hidden);
    table_info_deinit(&copy);
    table_info_deinit(&copy); /* zeroed: allowed */
}
END_TEST

/* Length of what format 1 wrote of a sample without aliases: all but five zeros. */
static size_t old_bytes(const struct table_info *info) {
    struct buffer buffer = encoded(info);
    size_t len = buffer.len - 5;
    ck_assert_uint_eq(load_u32(buffer.data + len), 0);
    ck_assert_uint_eq(buffer.data[len + 4], 0);
    buffer_deinit(&buffer);
    return len;
}

START_TEST(every_truncation_is_corrupt_but_that_to_format_1) {
    struct table_info info = sample();
    struct buffer buffer;
    info.share_count = 2;
    shares[1].alias_records = 0;
    info.usage_count = 0;
    info.expiring_weight = 0;
    info.ranges_applied = 0;
    info.hidden_count = 0;
    buffer = encoded(&info);
    for (size_t len = 0; len < buffer.len; len++) {
        struct table_info taken;
        bool whole = len == old_bytes(&info);
        ck_assert_int_eq(decode(slice_make(buffer.data, len), &taken),
                         whole ? STATUS_OK : STATUS_CORRUPT);
        if (whole) {
            ck_assert_uint_eq(taken.share_count, 2);
            ck_assert_uint_eq(taken.usage_count, 0);
            ck_assert_uint_eq(taken.expiring_weight, 0);
            table_info_deinit(&taken);
        }
    }
    shares[1].alias_records = 2;
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(every_truncation_of_the_newer_part_is_corrupt) {
    struct table_info info = sample();
    struct buffer buffer = encoded(&info);
    for (size_t len = 0; len < buffer.len; len++) {
        struct table_info taken;
        ck_assert_int_eq(decode(slice_make(buffer.data, len), &taken), STATUS_CORRUPT);
    }
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(no_flipped_byte_makes_trouble) {
    struct table_info info = sample();
    struct buffer buffer = encoded(&info);
    for (size_t i = 0; i < buffer.len; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            struct table_info taken = {0};
            buffer.data[i] ^= (uint8_t)flip;
            if (decode(buffer_slice(&buffer), &taken) == STATUS_OK) {
                ck_assert(ikey_compare(taken.smallest, taken.largest) <= 0);
            }
            table_info_deinit(&taken);
            buffer.data[i] ^= (uint8_t)flip;
        }
    }
    buffer_deinit(&buffer);
}
END_TEST

static void expect_refused(const struct table_info *info) {
    struct buffer buffer = encoded(info);
    struct table_info taken;
    ck_assert_int_eq(decode(buffer_slice(&buffer), &taken), STATUS_CORRUPT);
    buffer_deinit(&buffer);
}

START_TEST(keys_in_the_wrong_order_are_corrupt) {
    struct table_info info = sample();
    info.smallest = key_slice(&largest);
    info.largest = key_slice(&smallest);
    expect_refused(&info);
}
END_TEST

START_TEST(shares_out_of_order_are_corrupt) {
    struct segment_share twice[] = {{3, 1, 1, 0, 0}, {3, 1, 1, 0, 0}};
    struct table_info info = sample();
    info.shares = twice;
    info.share_count = 2;
    expect_refused(&info);
}
END_TEST

START_TEST(a_share_of_nothing_is_corrupt) {
    struct segment_share nothing[] = {{3, 1, 1, 0, 0}, {4, 0, 0, 0, 0}};
    struct table_info info = sample();
    info.shares = nothing;
    info.share_count = 2;
    expect_refused(&info);
}
END_TEST

START_TEST(hidden_entries_that_cannot_be_are_corrupt) {
    const struct hidden_bucket wrong[] = {
        {2, 5, 1, 20, 400}, /* all of the table */
        {2, 2, 1, 1, 400},  /* hidden by itself */
        {2, 5, 0, 1, 400},  /* by nothing */
        {2, 5, 1, 0, 400},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct hidden_bucket bucket = wrong[i];
        struct table_info info = sample();
        info.hidden = &bucket;
        info.hidden_count = 1;
        expect_refused(&info);
    }
}
END_TEST

START_TEST(usages_that_do_not_add_up_are_corrupt) {
    struct namespace_usage wrong[] = {{1, 1, 0, 30, 0}, {7, 20, 3, 900, 1135}};
    struct table_info info = sample();
    info.usages = wrong;
    expect_refused(&info); /* 21 entries of 20 */
    wrong[1] = (struct namespace_usage){1, 19, 3, 900, 1135};
    expect_refused(&info); /* twice the same namespace */
    wrong[1] = (struct namespace_usage){7, 19, 20, 900, 1135};
    expect_refused(&info); /* more tombstones than entries */
}
END_TEST

START_TEST(impossible_counts_are_corrupt) {
    struct table_info info = sample();
    info.tombstones = info.entries + 1;
    expect_refused(&info);
    info = sample();
    info.entries = 0;
    info.tombstones = 0;
    info.expiring = 0;
    expect_refused(&info);
    info = sample();
    info.version_min = info.version_max + 1;
    expect_refused(&info);
}
END_TEST

START_TEST(each_failing_allocation_is_no_memory) {
    struct table_info info = sample();
    struct buffer buffer = encoded(&info);
    for (uint64_t n = 0; n < 3; n++) {
        struct table_info out;
        memory_fail_after(n, false);
        ck_assert_int_eq(decode(buffer_slice(&buffer), &out), STATUS_NO_MEMORY);
        memory_fail_after(n, false);
        ck_assert_int_eq(table_info_copy(&info, &out), STATUS_NO_MEMORY);
    }
    memory_fail_never();
    buffer_deinit(&buffer);
}
END_TEST

START_TEST(an_append_that_fails_leaves_the_buffer_as_it_was) {
    struct table_info info = sample();
    struct buffer small;
    buffer_init(&small, 20);
    ck_assert_int_eq(buffer_append_u8(&small, 1), STATUS_OK);
    ck_assert_int_eq(table_info_append(&small, &info), STATUS_TOO_LARGE);
    ck_assert_uint_eq(small.len, 1);
    buffer_deinit(&small);
}
END_TEST

UNIT_MAIN("table_info", what_is_appended_is_taken_again, a_copy_is_deep,
          every_truncation_is_corrupt_but_that_to_format_1,
          every_truncation_of_the_newer_part_is_corrupt, a_share_of_nothing_is_corrupt,
          hidden_entries_that_cannot_be_are_corrupt, usages_that_do_not_add_up_are_corrupt,
          no_flipped_byte_makes_trouble, keys_in_the_wrong_order_are_corrupt,
          shares_out_of_order_are_corrupt, impossible_counts_are_corrupt,
          each_failing_allocation_is_no_memory, an_append_that_fails_leaves_the_buffer_as_it_was)
