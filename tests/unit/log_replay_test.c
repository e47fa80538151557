/* log_replay_test.c: what a restart makes of every kind of tail and damage. */
#include "storage/log_replay.h"

#include "storage/direct_file.h"
#include "storage/env_fault.h"
#include "storage/segment.h"
#include "tests/unit/log_fixture.h"

static struct log it;
static struct replayed got;
static uint8_t original[LOG_FILE_BYTES_MAX];
static uint8_t changed[LOG_FILE_BYTES_MAX];
static size_t original_bytes;

/* How many commits lie in groups whose bytes are as they were, before any that are not. */
static size_t intact_commits(const uint8_t *bytes, size_t len) {
    size_t count = 0;
    while (count < it.written_count && it.written[count].end.offset <= len &&
           memcmp(bytes, original, it.written[count].end.offset) == 0) {
        count++;
    }
    return count;
}

/* Two groups, synced; two behind, of which nothing is known. Returns where the frontier is. */
static uint64_t write_log_with_tail(void) {
    uint64_t frontier;
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 2, 90);
    log_group(&it, 1, 0);
    log_sync(&it);
    frontier = it.synced.offset;
    log_group(&it, 1, 61);
    log_group(&it, 2, 130);
    original_bytes = file_get(it.env, 1, original);
    return frontier;
}

static void expect_commits(size_t count) {
    size_t end = count ? it.written[count - 1].end.offset : 0;
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, count);
    ck_assert_uint_eq(got.result.commits, count);
    ck_assert_uint_eq(got.result.end.offset, end);
    ck_assert_uint_eq(got.result.last_version, count ? it.written[count - 1].version : 0);
    ck_assert_uint_eq(got.result.last_sequence, count ? it.written[count - 1].sequence : 0);
}

/* ---- values ---- */

static bool value_at(size_t offset, struct value_ref *ref_out) {
    for (size_t i = 0; i < it.written_count; i++) {
        const struct value_ref *ref = &it.written[i].ref;
        if (it.written[i].has_ref && offset >= ref->offset &&
            offset < ref->offset + ref->stored_bytes) {
            *ref_out = *ref;
            return true;
        }
    }
    return false;
}

static enum status read_value(const struct value_ref *ref) {
    struct segment_source source = {it.env, LOG_DIR, it.compression, STORE_ID_A};
    struct segment *segment = NULL;
    struct buffer scratch;
    uint8_t raw[512];
    enum status status;
    buffer_init(&scratch, VALUE_BYTES_MAX);
    ck_assert_int_eq(segment_open(&source, ref->segment, &segment, &it.error), STATUS_OK);
    status = segment_read_value(segment, ref, READ_WAIT_ALLOWED, raw, &scratch, &it.error);
    segment_close(segment);
    buffer_deinit(&scratch);
    return status;
}

/* ---- whole logs ---- */

START_TEST(whole_log_is_handed_out_in_order) {
    write_log_with_tail();
    expect_commits(it.written_count);
    ck_assert_uint_eq(got.result.cut_bytes, 0);
    ck_assert_uint_eq(got.result.groups, 4);
    ck_assert_uint_eq(got.result.last_store_time_ms, 1003);
    log_deinit(&it);
}
END_TEST

START_TEST(no_segments_and_empty_segments_are_an_empty_log) {
    log_init(&it);
    ck_assert_int_eq(log_replay_all(&it, 0, &got), STATUS_OK);
    log_segment(&it, 1); /* a crash right after creation leaves an empty file */
    log_segment(&it, 2);
    ck_assert_int_eq(log_replay_all(&it, 3, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, 0);
    ck_assert_uint_eq(got.result.end.segment, 0);
    log_deinit(&it);
}
END_TEST

START_TEST(log_goes_on_over_segments_and_empty_groups) {
    log_init(&it);
    for (uint64_t number = 1; number <= 3; number++) {
        log_segment(&it, number);
        log_group(&it, 2, 5000); /* more than is staged */
        log_group(&it, 0, 0);
        log_group(&it, 1, 0);
        log_sync(&it);
    }
    ck_assert_int_eq(log_replay_all(&it, 3, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, it.written_count);
    ck_assert_uint_eq(got.result.groups, 9);
    ck_assert_uint_eq(got.result.last_sequence, 9);
    log_deinit(&it);
}
END_TEST

START_TEST(group_larger_than_the_window_is_replayed) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 3, 40000);
    log_group(&it, 1, 100000);
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, 4);
    log_deinit(&it);
}
END_TEST

/* ---- torn tails ---- */

START_TEST(tail_cut_at_every_byte_ends_the_log_before_it) {
    uint64_t frontier = write_log_with_tail();
    for (size_t at = frontier; at < original_bytes; at++) {
        size_t expected = intact_commits(original, at);
        file_put(it.env, 1, original, at);
        expect_commits(expected);
        ck_assert_uint_eq(got.result.cut_bytes, at - got.result.end.offset);
    }
    log_deinit(&it);
}
END_TEST

START_TEST(tail_of_zeros_or_garbage_from_every_byte_ends_the_log_before_it) {
    uint64_t frontier = write_log_with_tail();
    for (size_t at = frontier; at < original_bytes; at++) {
        for (int garbage = 0; garbage < 2; garbage++) {
            memcpy(changed, original, original_bytes);
            for (size_t i = at; i < original_bytes; i++) {
                changed[i] = garbage ? (uint8_t)(i * 131 + at) : 0;
            }
            file_put(it.env, 1, changed, original_bytes);
            expect_commits(intact_commits(changed, original_bytes));
        }
    }
    log_deinit(&it);
}
END_TEST

START_TEST(one_wrong_byte_in_what_was_never_synced_ends_the_log_before_it) {
    struct value_ref ref;
    uint64_t frontier = write_log_with_tail();
    for (size_t at = frontier; at < original_bytes; at++) {
        memcpy(changed, original, original_bytes);
        changed[at] ^= 0x20;
        file_put(it.env, 1, changed, original_bytes);
        if (value_at(at, &ref) && read_value(&ref) == STATUS_OK) {
            ck_assert(ref.compressed); /* a bit that zstd does not look at */
            expect_commits(it.written_count);
        } else {
            expect_commits(intact_commits(changed, original_bytes));
        }
    }
    log_deinit(&it);
}
END_TEST

START_TEST(log_torn_in_its_very_first_group_is_empty) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 2, 50);
    original_bytes = file_get(it.env, 1, original);
    for (size_t at = 0; at < original_bytes; at++) {
        memcpy(changed, original, original_bytes);
        memset(changed, 0, at % 2 ? at : SEGMENT_HEADER_BYTES); /* the header's page came late */
        file_put(it.env, 1, at % 2 ? original : changed, at);
        expect_commits(0);
    }
    log_deinit(&it);
}
END_TEST

START_TEST(segment_whose_header_was_lost_with_its_unsynced_groups_is_cut) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 1, 0);
    log_sync(&it);
    log_segment(&it, 2);
    log_group(&it, 1, 0);
    log_group(&it, 1, 0);
    original_bytes = file_get(it.env, 2, original);
    memset(original, 0, SEGMENT_HEADER_BYTES);
    file_put(it.env, 2, original, original_bytes);
    ck_assert_int_eq(log_replay_all(&it, 2, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, 1);
    ck_assert_uint_eq(got.result.cut_bytes, original_bytes);
    log_deinit(&it);
}
END_TEST

/* ---- damage below the frontier ---- */

/* Replays with the byte at `at` wrong: refused, unless it is in a value, which is then refused. */
static void expect_damage_found(size_t at, size_t segments) {
    struct value_ref ref;
    enum status status = log_replay_all(&it, segments, &got);
    if (value_at(at, &ref)) {
        ck_assert_int_eq(status, STATUS_OK);
        ck_assert_uint_eq(got.count, it.written_count);
        status = read_value(&ref); /* OK: a bit that zstd does not look at */
        ck_assert(status == STATUS_CORRUPT || (status == STATUS_OK && ref.compressed));
        ck_assert(status == STATUS_OK || it.error.offset == ref.offset);
    } else {
        ck_assert_int_eq(status, STATUS_CORRUPT);
        ck_assert_str_eq(it.error.path, "db/0000000001.segment");
        ck_assert_uint_le(it.error.offset, at);
    }
}

START_TEST(one_wrong_byte_in_what_was_synced_is_refused) {
    const uint8_t masks[] = {0x01, 0x80, 0xFF, 0x24};
    uint64_t frontier = write_log_with_tail();
    for (size_t at = 0; at < frontier; at++) {
        memcpy(changed, original, original_bytes);
        changed[at] ^= masks[at % 4];
        file_put(it.env, 1, changed, original_bytes);
        expect_damage_found(at, 1);
    }
    log_deinit(&it);
}
END_TEST

START_TEST(everything_but_the_newest_group_is_vouched_for_by_an_empty_one) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 2, 40);
    log_sync(&it);
    log_group(&it, 0, 0);
    original_bytes = file_get(it.env, 1, original);
    for (size_t at = 0; at < it.synced.offset; at++) {
        memcpy(changed, original, original_bytes);
        changed[at] ^= 0x55;
        file_put(it.env, 1, changed, original_bytes);
        expect_damage_found(at, 1);
    }
    log_deinit(&it);
}
END_TEST

static void write_two_segments(void) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 1, 40);
    log_group(&it, 1, 0);
    log_sync(&it);
    original_bytes = file_get(it.env, 1, original);
    log_segment(&it, 2);
    log_group(&it, 1, 0);
}

START_TEST(a_later_segment_vouches_for_all_of_the_one_before) {
    write_two_segments();
    for (size_t at = 0; at < original_bytes; at++) {
        memcpy(changed, original, original_bytes);
        changed[at] ^= 0x08;
        file_put(it.env, 1, changed, original_bytes);
        expect_damage_found(at, 2);
        file_put(it.env, 1, original, at); /* and cut here */
        ck_assert_int_eq(log_replay_all(&it, 2, &got), STATUS_CORRUPT);
    }
    log_deinit(&it);
}
END_TEST

START_TEST(sealed_segment_that_is_cut_or_missing_is_refused) {
    struct log_replay_segment segment = {.number = 1, .known = true, .sealed = true};
    struct log_replay_options options;
    write_log_with_tail();
    options = replay_options(&it, &got);
    segment.sealed_bytes = original_bytes;
    for (size_t at = 0; at < original_bytes; at++) {
        file_put(it.env, 1, original, at);
        ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), STATUS_CORRUPT);
    }
    ck_assert_int_eq(env_remove(it.env, "db/0000000001.segment", NULL), STATUS_OK);
    ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), STATUS_CORRUPT);
    log_deinit(&it);
}
END_TEST

START_TEST(log_that_ends_before_what_the_manifest_knows_is_refused) {
    struct log_replay_segment segment = {.number = 1, .known = true};
    struct log_replay_options options;
    uint64_t frontier = write_log_with_tail();
    options = replay_options(&it, &got);
    options.durable = (struct log_position){1, frontier};
    for (size_t at = 0; at < original_bytes; at++) {
        enum status expected = at < frontier ? STATUS_CORRUPT : STATUS_OK;
        file_put(it.env, 1, original, at);
        got.count = 0;
        ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), expected);
    }
    log_deinit(&it);
}
END_TEST

START_TEST(bytes_behind_the_sealed_end_do_not_count) {
    struct log_replay_segment segment = {.number = 1, .known = true, .sealed = true};
    struct log_replay_options options;
    uint64_t frontier = write_log_with_tail();
    options = replay_options(&it, &got);
    segment.sealed_bytes = frontier;
    ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), STATUS_OK);
    ck_assert_uint_eq(got.count, 3);
    ck_assert_uint_eq(got.result.end.offset, frontier);
    log_deinit(&it);
}
END_TEST

/* ---- bytes of another place or time ---- */

/* A log of one group; behind it, where the next would be, the next of another log, whose groups
 * have the same lengths. */
static void expect_stale_group_ignored(uint64_t incarnation, uint8_t store_byte) {
    log_init(&it);
    it.incarnation = incarnation;
    it.store_id[0] = store_byte;
    log_segment(&it, 1);
    log_group(&it, 1, 0);
    log_group(&it, 1, 0);
    original_bytes = file_get(it.env, 1, original);
    log_deinit(&it);

    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 1, 0);
    ck_assert_uint_eq(file_get(it.env, 1, changed), it.written[0].end.offset);
    memcpy(changed + it.written[0].end.offset, original + it.written[0].end.offset,
           original_bytes - it.written[0].end.offset);
    file_put(it.env, 1, changed, original_bytes);
    memcpy(original, changed, it.written[0].end.offset);
    expect_commits(1);
    log_deinit(&it);
}

START_TEST(stale_group_of_another_incarnation_does_not_replay) {
    expect_stale_group_ignored(2, 1);
}
END_TEST

START_TEST(stale_group_of_another_store_does_not_replay) {
    expect_stale_group_ignored(1, 99);
}
END_TEST

START_TEST(group_copied_to_another_offset_does_not_replay) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 1, 0);
    original_bytes = file_get(it.env, 1, original);
    memcpy(original + original_bytes, original + SEGMENT_HEADER_BYTES,
           original_bytes - SEGMENT_HEADER_BYTES);
    file_put(it.env, 1, original, 2 * original_bytes - SEGMENT_HEADER_BYTES);
    expect_commits(1);
    log_deinit(&it);
}
END_TEST

START_TEST(segment_under_another_name_or_of_another_store_is_refused) {
    write_log_with_tail();
    file_put(it.env, 2, original, original_bytes);
    ck_assert_int_eq(log_replay_all(&it, 2, &got), STATUS_CORRUPT);
    it.store_id[3] ^= 1;
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_CORRUPT);
    log_deinit(&it);
}
END_TEST

START_TEST(segment_missing_in_the_middle_is_refused) {
    log_init(&it);
    for (uint64_t number = 1; number <= 3; number++) {
        log_segment(&it, number);
        log_group(&it, 1, 0);
        log_sync(&it);
    }
    ck_assert_int_eq(env_remove(it.env, "db/0000000002.segment", NULL), STATUS_OK);
    ck_assert_int_eq(log_replay_all(&it, 3, &got), STATUS_CORRUPT);
    log_deinit(&it);
}
END_TEST

START_TEST(segment_that_repeats_sequences_is_refused) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 1, 0);
    log_group(&it, 1, 0);
    log_segment(&it, 2);
    it.sequence = 1;
    log_group(&it, 1, 0);
    ck_assert_int_eq(log_replay_all(&it, 2, &got), STATUS_CORRUPT);
    log_deinit(&it);
}
END_TEST

START_TEST(missing_segment_is_refused_only_if_the_manifest_names_it) {
    struct log_replay_segment segment = {.number = 1};
    struct log_replay_options options;
    log_init(&it);
    options = replay_options(&it, &got);
    ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), STATUS_OK);
    segment.known = true;
    ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), STATUS_CORRUPT);
    log_deinit(&it);
}
END_TEST

START_TEST(header_of_a_later_segment_vouches_even_if_its_group_is_torn) {
    write_two_segments();
    ck_assert_uint_gt(file_get(it.env, 2, changed), SEGMENT_HEADER_BYTES + 10);
    file_put(it.env, 2, changed, SEGMENT_HEADER_BYTES + 10);
    original[original_bytes - 3] ^= 1; /* in the last meta of the first segment */
    file_put(it.env, 1, original, original_bytes);
    ck_assert_int_eq(log_replay_all(&it, 2, &got), STATUS_CORRUPT);
    log_deinit(&it);
}
END_TEST

/* Writes a small group, one with a value of `value_bytes`, a sync, and an empty group; returns
 * where the last begins. */
static uint64_t write_group_far_behind(size_t value_bytes) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 1, 0);
    log_group(&it, 1, value_bytes);
    log_sync(&it);
    log_group(&it, 0, 0);
    original_bytes = file_get(it.env, 1, original);
    return it.synced.offset;
}

START_TEST(group_behind_is_found_wherever_the_search_is_cut_into_pieces) {
    const uint64_t piece_end = SEGMENT_HEADER_BYTES + DIRECT_WINDOW_BYTES / 2;
    uint64_t reached = write_group_far_behind(100000);
    log_deinit(&it);
    for (uint64_t before = 0; before <= GROUP_HEADER_BYTES + 1; before++) {
        uint64_t at = write_group_far_behind(100000 + piece_end - before - reached);
        ck_assert_uint_eq(at, piece_end - before);
        original[SEGMENT_HEADER_BYTES] ^= 1;   /* the first bad record */
        memset(original + 2000, 0, at - 2000); /* and nothing but the last group behind it */
        memset(original + it.written[0].end.offset, 0, GROUP_HEADER_BYTES);
        file_put(it.env, 1, original, original_bytes);
        ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_CORRUPT);
        log_deinit(&it);
    }
}
END_TEST

START_TEST(torn_segment_of_unknown_kind_does_not_hide_the_log_behind_it) {
    log_init(&it);
    log_segment(&it, 1);
    log_group(&it, 1, 0);
    log_sync(&it);
    memset(changed, 0x5A, 3000); /* perhaps a survivor segment that was never finished */
    file_put(it.env, 2, changed, 3000);
    log_segment(&it, 3);
    log_group(&it, 1, 0);
    ck_assert_int_eq(log_replay_all(&it, 3, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, 2);
    log_deinit(&it);
}
END_TEST

START_TEST(segment_of_another_kind_is_left_out) {
    struct segment_writer_options options = {
        .env = NULL, .dir = LOG_DIR, .number = 2, .kind = SEGMENT_SURVIVOR, .store_id = STORE_ID_A};
    struct group_info info = {.sequence = 77};
    struct segment_writer *writer;
    write_log_with_tail();
    options.env = it.env;
    ck_assert_int_eq(segment_writer_create(&options, &writer, NULL), STATUS_OK);
    ck_assert_int_eq(segment_writer_append(writer, &info, NULL, 0, NULL), STATUS_OK);
    segment_writer_close(writer);
    ck_assert_int_eq(log_replay_all(&it, 2, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, it.written_count);
    log_deinit(&it);
}
END_TEST

START_TEST(version_beyond_the_ceiling_is_refused) {
    struct log_replay_segment segment = {.number = 1};
    struct log_replay_options options;
    write_log_with_tail();
    options = replay_options(&it, &got);
    options.version_ceiling = it.version + 1;
    ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), STATUS_OK);
    got.count = 0;
    options.version_ceiling = it.version;
    ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), STATUS_CORRUPT);
    log_deinit(&it);
}
END_TEST

/* ---- failures of the machine ---- */

START_TEST(replay_with_the_nth_io_failing_never_passes_for_a_shorter_log) {
    const enum fault faults[] = {FAULT_IS_EIO, FAULT_IS_SHORT};
    uint64_t calls = 1;
    struct env *memory;
    write_log_with_tail();
    memory = it.env;
    for (int kind = 0; kind < 2; kind++) {
        for (uint64_t n = 1; n <= calls; n++) {
            struct fault_rule rule = {.kinds = FAULT_ALL & ~FAULT_CLOSE, .countdown = n};
            enum status status;
            rule.fault = faults[kind];
            ck_assert_int_eq(env_fault_create(memory, NULL, &it.env), STATUS_OK);
            env_fault_add(it.env, &rule);
            status = log_replay_all(&it, 1, &got);
            ck_assert(status == STATUS_IO || status == STATUS_OK);
            ck_assert(status != STATUS_OK || got.count == it.written_count);
            calls += env_fault_fired(it.env);
            env_fault_destroy(it.env);
        }
    }
    ck_assert_uint_gt(calls, 8);
    it.env = memory;
    log_deinit(&it);
}
END_TEST

START_TEST(replay_with_the_nth_allocation_failing_says_so) {
    enum status status = STATUS_NO_MEMORY;
    uint64_t n;
    write_log_with_tail();
    for (n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = log_replay_all(&it, 1, &got);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(got.count, it.written_count);
    ck_assert_uint_gt(n, 3);
    log_deinit(&it);
}
END_TEST

START_TEST(error_of_the_callback_stops_the_replay) {
    struct log_replay_segment segment = {.number = 1};
    struct log_replay_options options;
    write_log_with_tail();
    options = replay_options(&it, &got);
    options.version_ceiling = it.written[2].version; /* the third commit is refused */
    ck_assert_int_eq(log_replay(&options, &segment, 1, &got.result, &it.error), STATUS_CORRUPT);
    ck_assert_uint_eq(got.count, 2);
    log_deinit(&it);
}
END_TEST

UNIT_MAIN("log_replay", whole_log_is_handed_out_in_order,
          no_segments_and_empty_segments_are_an_empty_log,
          log_goes_on_over_segments_and_empty_groups, group_larger_than_the_window_is_replayed,
          tail_cut_at_every_byte_ends_the_log_before_it,
          tail_of_zeros_or_garbage_from_every_byte_ends_the_log_before_it,
          one_wrong_byte_in_what_was_never_synced_ends_the_log_before_it,
          log_torn_in_its_very_first_group_is_empty,
          segment_whose_header_was_lost_with_its_unsynced_groups_is_cut,
          one_wrong_byte_in_what_was_synced_is_refused,
          everything_but_the_newest_group_is_vouched_for_by_an_empty_one,
          a_later_segment_vouches_for_all_of_the_one_before,
          sealed_segment_that_is_cut_or_missing_is_refused,
          log_that_ends_before_what_the_manifest_knows_is_refused,
          bytes_behind_the_sealed_end_do_not_count,
          stale_group_of_another_incarnation_does_not_replay,
          stale_group_of_another_store_does_not_replay,
          group_copied_to_another_offset_does_not_replay,
          segment_under_another_name_or_of_another_store_is_refused,
          segment_missing_in_the_middle_is_refused, segment_that_repeats_sequences_is_refused,
          missing_segment_is_refused_only_if_the_manifest_names_it,
          header_of_a_later_segment_vouches_even_if_its_group_is_torn,
          group_behind_is_found_wherever_the_search_is_cut_into_pieces,
          torn_segment_of_unknown_kind_does_not_hide_the_log_behind_it,
          segment_of_another_kind_is_left_out, version_beyond_the_ceiling_is_refused,
          replay_with_the_nth_io_failing_never_passes_for_a_shorter_log,
          replay_with_the_nth_allocation_failing_says_so, error_of_the_callback_stops_the_replay)
