/* log_format_test.c: headers of the log: what is written is read, anything else is not. */
#include "storage/log_format.h"

#include "protocol/base/bytes.h"
#include "storage/checksum.h"
#include "tests/unit/unit.h"

#define SEED UINT64_C(0x1234)

static const struct segment_header segment = {.kind = SEGMENT_COMMIT,
                                              .number = 12,
                                              .incarnation = 3,
                                              .store_id = {9, 8, 7},
                                              .start_sequence = 55};
static const struct group_header group = {.kind = SEGMENT_COMMIT,
                                          .incarnation = 3,
                                          .sequence = 56,
                                          .group_bytes = GROUP_HEADER_BYTES + 100,
                                          .commit_count = 2,
                                          .first_version = 1000,
                                          .synced_through = {11, 4096},
                                          .store_time_ms = 99,
                                          .commits_checksum = 0xABCD};

static struct slice whole(const uint8_t *bytes, size_t len) {
    return slice_make(bytes, len);
}

START_TEST(positions_are_ordered_by_segment_then_offset) {
    struct log_position low = {1, 900};
    struct log_position high = {2, 0};
    ck_assert_int_lt(log_position_compare(low, high), 0);
    ck_assert_int_gt(log_position_compare(high, low), 0);
    ck_assert_int_eq(log_position_compare(high, high), 0);
    high = (struct log_position){1, 901};
    ck_assert_int_lt(log_position_compare(low, high), 0);
}
END_TEST

START_TEST(segment_header_is_read_as_written) {
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment_header got;
    segment_header_store(bytes, &segment);
    ck_assert_int_eq(segment_header_load(whole(bytes, sizeof bytes), &got), STATUS_OK);
    ck_assert_int_eq(got.kind, segment.kind);
    ck_assert_uint_eq(got.number, 12);
    ck_assert_uint_eq(got.incarnation, 3);
    ck_assert_uint_eq(got.start_sequence, 55);
    ck_assert_mem_eq(got.store_id, segment.store_id, STORE_ID_BYTES);
    ck_assert_int_eq(segment_header_load(whole(bytes, sizeof bytes - 1), &got), STATUS_CORRUPT);
}
END_TEST

START_TEST(every_bit_of_a_segment_header_counts) {
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment_header got;
    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        segment_header_store(bytes, &segment);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(segment_header_load(whole(bytes, sizeof bytes), &got), STATUS_CORRUPT);
    }
}
END_TEST

/* Changes a field and makes the checksum right again, as another version of kvd would. */
static enum status load_with(size_t at, uint32_t value) {
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment_header got;
    segment_header_store(bytes, &segment);
    store_u32(bytes + at, value);
    store_u64(bytes + 120, checksum_of(slice_make(bytes, 120)));
    return segment_header_load(whole(bytes, sizeof bytes), &got);
}

START_TEST(segment_of_a_newer_kvd_is_told_from_damage) {
    ck_assert_int_eq(load_with(8, FORMAT_VERSION + 1), STATUS_NEWER_FORMAT);
    ck_assert_int_eq(load_with(80, 1), STATUS_NEWER_FORMAT); /* incompatible feature */
    ck_assert_int_eq(load_with(20, 1), STATUS_NEWER_FORMAT); /* cipher */
    ck_assert_int_eq(load_with(72, 1), STATUS_OK);           /* compatible feature */
    ck_assert_int_eq(load_with(16, 0), STATUS_CORRUPT);      /* kind */
    ck_assert_int_eq(load_with(16, 4), STATUS_CORRUPT);
}
END_TEST

START_TEST(group_header_is_read_as_written_at_its_place_only) {
    uint8_t bytes[GROUP_HEADER_BYTES];
    struct group_header got = {0};
    group_header_store(bytes, &group, SEED, 128);
    ck_assert(group_header_maybe(whole(bytes, sizeof bytes)));
    ck_assert_int_eq(group_header_load(whole(bytes, sizeof bytes), SEED, 128, &got), STATUS_OK);
    ck_assert_int_eq(got.kind, group.kind);
    ck_assert_uint_eq(got.incarnation, group.incarnation);
    ck_assert_uint_eq(got.sequence, group.sequence);
    ck_assert_uint_eq(got.group_bytes, group.group_bytes);
    ck_assert_uint_eq(got.commit_count, group.commit_count);
    ck_assert_uint_eq(got.first_version, group.first_version);
    ck_assert_int_eq(log_position_compare(got.synced_through, group.synced_through), 0);
    ck_assert_uint_eq(got.store_time_ms, group.store_time_ms);
    ck_assert_uint_eq(got.commits_checksum, group.commits_checksum);
    ck_assert_int_eq(group_header_load(whole(bytes, sizeof bytes), SEED, 129, &got),
                     STATUS_CORRUPT);
    ck_assert_int_eq(group_header_load(whole(bytes, sizeof bytes), SEED + 1, 128, &got),
                     STATUS_CORRUPT);
    ck_assert_int_eq(group_header_load(whole(bytes, sizeof bytes - 1), SEED, 128, &got),
                     STATUS_CORRUPT);
}
END_TEST

START_TEST(every_bit_of_a_group_header_counts) {
    uint8_t bytes[GROUP_HEADER_BYTES];
    struct group_header got;
    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        group_header_store(bytes, &group, SEED, 128);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(group_header_load(whole(bytes, sizeof bytes), SEED, 128, &got),
                         STATUS_CORRUPT);
    }
}
END_TEST

static enum status load_group(struct group_header header) {
    uint8_t bytes[GROUP_HEADER_BYTES];
    struct group_header got;
    group_header_store(bytes, &header, SEED, 128);
    return group_header_load(whole(bytes, sizeof bytes), SEED, 128, &got);
}

START_TEST(impossible_lengths_of_a_group_are_refused) {
    struct group_header header = group;
    header.group_bytes = GROUP_HEADER_BYTES + 2 * COMMIT_HEADER_BYTES;
    ck_assert_int_eq(load_group(header), STATUS_OK);
    header.group_bytes--;
    ck_assert_int_eq(load_group(header), STATUS_CORRUPT);
    header.group_bytes = GROUP_BYTES_MAX;
    ck_assert_int_eq(load_group(header), STATUS_OK);
    header.group_bytes++;
    ck_assert_int_eq(load_group(header), STATUS_CORRUPT);
    header.group_bytes = GROUP_BYTES_MAX;
    header.commit_count = GROUP_COMMITS_MAX;
    ck_assert_int_eq(load_group(header), STATUS_OK);
    header.commit_count++;
    ck_assert_int_eq(load_group(header), STATUS_CORRUPT);
    header.commit_count = 0; /* an empty group is its header */
    ck_assert_int_eq(load_group(header), STATUS_CORRUPT);
    header.group_bytes = GROUP_HEADER_BYTES;
    ck_assert_int_eq(load_group(header), STATUS_OK);
}
END_TEST

START_TEST(meta_matches_only_its_own_header_place_and_bytes) {
    uint8_t bytes[COMMIT_HEADER_BYTES];
    uint8_t meta[] = "the operations";
    struct slice slice = slice_make(meta, sizeof meta);
    struct commit_header header = {
        .meta_bytes = sizeof meta, .op_count = 2, .values_bytes = 77, .version = 5};
    struct commit_header got;
    commit_header_store(bytes, &header, slice, SEED, 216);
    ck_assert_int_eq(commit_header_load(whole(bytes, sizeof bytes), &got), STATUS_OK);
    ck_assert(commit_meta_matches(&got, slice, SEED, 216));
    ck_assert(!commit_meta_matches(&got, slice, SEED, 217));
    ck_assert(!commit_meta_matches(&got, slice, SEED ^ 1, 216));
    ck_assert(!commit_meta_matches(&got, slice_make(meta, sizeof meta - 1), SEED, 216));
    meta[3] ^= 1;
    ck_assert(!commit_meta_matches(&got, slice, SEED, 216));
    meta[3] ^= 1;
    got.version++;
    ck_assert(!commit_meta_matches(&got, slice, SEED, 216));
    got.version--;
    got.values_bytes--;
    ck_assert(!commit_meta_matches(&got, slice, SEED, 216));
    ck_assert_uint_eq(commit_bytes(&header), COMMIT_HEADER_BYTES + sizeof meta + 77);
}
END_TEST

static enum status load_commit(size_t at, uint64_t value, size_t bytes_of_value) {
    uint8_t bytes[COMMIT_HEADER_BYTES];
    struct commit_header header = {.version = 5};
    struct commit_header got;
    commit_header_store(bytes, &header, slice_make(NULL, 0), SEED, 216);
    memcpy(bytes + at, &value, bytes_of_value);
    return commit_header_load(whole(bytes, sizeof bytes), &got);
}

START_TEST(lengths_of_a_commit_beyond_the_limits_are_refused) {
    ck_assert_int_eq(load_commit(0, COMMIT_BYTES_MAX, 4), STATUS_OK);
    ck_assert_int_eq(load_commit(0, COMMIT_BYTES_MAX + 1, 4), STATUS_CORRUPT);
    ck_assert_int_eq(load_commit(4, COMMIT_OPS_MAX, 4), STATUS_OK);
    ck_assert_int_eq(load_commit(4, COMMIT_OPS_MAX + 1, 4), STATUS_CORRUPT);
    ck_assert_int_eq(load_commit(8, COMMIT_BYTES_MAX, 8), STATUS_OK);
    ck_assert_int_eq(load_commit(8, COMMIT_BYTES_MAX + 1, 8), STATUS_CORRUPT);
    ck_assert_int_eq(load_commit(8, UINT64_MAX, 8), STATUS_CORRUPT);
}
END_TEST

START_TEST(sum_over_commit_headers_depends_on_their_order) {
    const uint8_t a[COMMIT_HEADER_BYTES] = {1};
    const uint8_t b[COMMIT_HEADER_BYTES] = {2};
    struct slice first = slice_make(a, sizeof a);
    struct slice second = slice_make(b, sizeof b);
    uint64_t forth = commits_checksum_add(commits_checksum_add(0, first), second);
    uint64_t back = commits_checksum_add(commits_checksum_add(0, second), first);
    ck_assert_uint_ne(forth, back);
    ck_assert_uint_ne(forth, commits_checksum_add(0, first));
}
END_TEST

START_TEST(seed_differs_by_store_and_number) {
    uint8_t other[STORE_ID_BYTES] = {9, 8, 6};
    uint64_t seed = segment_seed(segment.store_id, 12);
    ck_assert_uint_ne(seed, segment_seed(segment.store_id, 13));
    ck_assert_uint_ne(seed, segment_seed(other, 12));
}
END_TEST

UNIT_MAIN("log_format", positions_are_ordered_by_segment_then_offset,
          segment_header_is_read_as_written, every_bit_of_a_segment_header_counts,
          segment_of_a_newer_kvd_is_told_from_damage,
          group_header_is_read_as_written_at_its_place_only, every_bit_of_a_group_header_counts,
          impossible_lengths_of_a_group_are_refused,
          meta_matches_only_its_own_header_place_and_bytes,
          lengths_of_a_commit_beyond_the_limits_are_refused,
          sum_over_commit_headers_depends_on_their_order, seed_differs_by_store_and_number)
