/* manifest_test.c: the manifest through restarts, torn tails and damage. */
#include "storage/manifest.h"

#include "protocol/base/bytes.h"
#include "storage/checksum.h"
#include "storage/manifest_format.h"
#include "tests/unit/manifest_store_fixture.h"

static uint8_t changed[FILE_MAX];

/* ---- restarts ---- */

START_TEST(directory_without_files_is_a_new_store) {
    char description[DESCRIPTION_MAX];
    store_init();
    ck_assert_int_eq(load(description), STATUS_NOT_FOUND);
    create();
    expect_state_after(0);
    ck_assert_uint_eq(manifest_number(manifest), 1);
    store_deinit();
}
END_TEST

START_TEST(edits_are_there_after_a_restart) {
    struct manifest_state state;
    store_init();
    create();
    append(8);
    close_manifest();
    expect_state_after(8);
    ck_assert_uint_eq(report.edits, 8);
    ck_assert_uint_eq(report.number, 1);
    ck_assert_uint_eq(report.cut_bytes, 0);
    ck_assert_int_eq(manifest_load(env, DIR_NAME, &state, &report, &error), STATUS_OK);
    ck_assert_mem_eq(state.store_id, fixture_store_id, STORE_ID_BYTES);
    manifest_state_deinit(&state);
    store_deinit();
}
END_TEST

START_TEST(every_start_begins_a_new_manifest_and_removes_the_older) {
    store_init();
    create();
    append(3);
    restart();
    ck_assert_uint_eq(manifest_number(manifest), 2);
    ck_assert_uint_eq(list_manifests().manifests, 1);
    expect_state_after(3);
    ck_assert_uint_eq(report.edits, 0);
    append(2);
    restart();
    expect_state_after(5);
    store_deinit();
}
END_TEST

START_TEST(next_file_number_is_above_every_file_of_the_directory) {
    struct manifest_state state;
    store_init();
    create();
    put_path("db/0000000041.table", original, 0);
    put_path("db/0000000077.segment", original, 0);
    ck_assert_int_eq(manifest_load(env, DIR_NAME, &state, &report, &error), STATUS_OK);
    ck_assert_uint_eq(manifest_state_get(&state, EDIT_NEXT_FILE_NUMBER), 78);
    manifest_state_deinit(&state);
    store_deinit();
}
END_TEST

START_TEST(manifest_that_grew_long_begins_anew) {
    store_init();
    rotate_bytes = 1500;
    create();
    append(EDITS_MAX);
    ck_assert_uint_gt(manifest_number(manifest), 2);
    ck_assert_uint_eq(list_manifests().manifests, 1);
    expect_state_after(EDITS_MAX);
    store_deinit();
}
END_TEST

START_TEST(edit_that_does_not_fit_is_refused_and_nothing_is_written) {
    struct version_edit edit;
    store_init();
    create();
    append(2);
    version_edit_init(&edit);
    remove_table(&edit, 0, 4711);
    ck_assert_int_eq(manifest_append(manifest, &edit, &error), STATUS_CORRUPT);
    version_edit_deinit(&edit);
    append(2);
    expect_state_after(4);
    store_deinit();
}
END_TEST

/* ---- torn and damaged ---- */

START_TEST(last_edit_torn_at_every_byte_is_cut) {
    size_t last = write_five_edits();
    for (size_t at = last; at < original_bytes; at++) {
        for (int kind = 0; kind < 3; kind++) { /* cut, zeros, garbage */
            memcpy(changed, original, original_bytes);
            for (size_t i = at; i < original_bytes; i++) {
                changed[i] = kind == 1 ? 0 : (uint8_t)(i * 37 + 1);
            }
            put_file(1, changed, kind == 0 ? at : original_bytes);
            if (kind && memcmp(changed, original, original_bytes) == 0) {
                continue; /* it ends in such a byte */
            }
            expect_state_after(4);
            ck_assert_uint_eq(report.cut_bytes, (kind ? original_bytes : at) - last);
        }
    }
    store_deinit();
}
END_TEST

START_TEST(wrong_byte_with_valid_edits_behind_is_refused) {
    size_t last = write_five_edits();
    char description[DESCRIPTION_MAX];
    for (size_t at = 0; at < original_bytes; at++) {
        memcpy(changed, original, original_bytes);
        changed[at] ^= 0x41;
        put_file(1, changed, original_bytes);
        if (at < last) {
            ck_assert_int_eq(load(description), STATUS_CORRUPT);
            ck_assert_str_eq(error.path, "db/MANIFEST-0000000001");
            ck_assert_uint_le(error.offset, at);
        } else {
            expect_state_after(4);
        }
    }
    store_deinit();
}
END_TEST

START_TEST(snapshot_interrupted_at_every_byte_leaves_the_older_manifest) {
    store_init();
    create();
    append(5);
    original_bytes = get_file(1, original);
    restart();
    put_file(1, original, original_bytes); /* as if it had not been removed yet */
    original_bytes = get_file(2, original);
    close_manifest();
    for (size_t at = 0; at < original_bytes; at++) {
        put_file(2, original, at);
        expect_state_after(5);
        ck_assert_uint_eq(report.number, 1);
        ck_assert_uint_eq(report.manifests_ignored, 1);
        memcpy(changed, original, original_bytes);
        changed[at] ^= 0x10; /* a hole: what is behind was written, this was not */
        put_file(2, changed, original_bytes);
        expect_state_after(5);
        ck_assert_uint_eq(report.number, 1);
    }
    put_file(2, original, original_bytes);
    expect_state_after(5);
    ck_assert_uint_eq(report.number, 2);
    store_deinit();
}
END_TEST

START_TEST(newer_manifest_with_edits_is_never_passed_over_for_an_older_one) {
    char description[DESCRIPTION_MAX];
    size_t snapshot_bytes;
    store_init();
    create();
    append(2);
    original_bytes = get_file(1, original);
    restart();
    snapshot_bytes = get_file(2, changed);
    append(1);
    put_file(1, original, original_bytes); /* its removal was lost */
    original_bytes = get_file(2, original);
    close_manifest();
    for (size_t at = 0; at < snapshot_bytes; at++) {
        memcpy(changed, original, original_bytes);
        changed[at] ^= 0x02;
        put_file(2, changed, original_bytes);
        ck_assert_int_eq(load(description), STATUS_CORRUPT);
    }
    store_deinit();
}
END_TEST

START_TEST(lost_manifest_is_a_new_store_only_without_data) {
    char description[DESCRIPTION_MAX];
    store_init();
    create();
    original_bytes = get_file(1, original);
    close_manifest();
    put_file(1, original, original_bytes - 1);
    ck_assert_int_eq(load(description), STATUS_NOT_FOUND);
    put_path("db/0000000041.segment", original, 0);
    ck_assert_int_eq(load(description), STATUS_CORRUPT);
    original[80] ^= 1; /* a hole in the snapshot */
    put_file(1, original, original_bytes);
    ck_assert_int_eq(load(description), STATUS_CORRUPT);
    ck_assert_str_eq(error.path, "db/MANIFEST-0000000001");
    ck_assert_int_eq(env_remove(env, "db/0000000041.segment", NULL), STATUS_OK);
    ck_assert_int_eq(load(description), STATUS_NOT_FOUND);
    create(); /* takes the next number and removes what is left */
    ck_assert_uint_eq(manifest_number(manifest), 2);
    ck_assert_uint_eq(list_manifests().manifests, 1);
    store_deinit();
}
END_TEST

START_TEST(manifest_under_another_number_is_refused) {
    char description[DESCRIPTION_MAX];
    write_five_edits();
    put_file(2, original, original_bytes);
    ck_assert_int_eq(load(description), STATUS_CORRUPT);
    store_deinit();
}
END_TEST

START_TEST(record_of_another_place_is_not_applied) {
    size_t last = write_five_edits();
    memcpy(original + original_bytes, original + last, original_bytes - last);
    put_file(1, original, 2 * original_bytes - last);
    expect_state_after(5);
    ck_assert_uint_eq(report.cut_bytes, original_bytes - last);
    store_deinit();
}
END_TEST

START_TEST(record_out_of_sequence_is_refused) {
    char description[DESCRIPTION_MAX];
    struct manifest_record record = {.kind = MANIFEST_EDIT, .sequence = 9}; /* 8 is due */
    write_five_edits();
    manifest_record_store(original + original_bytes, &record, slice_make(NULL, 0), 1,
                          original_bytes);
    put_file(1, original, original_bytes + MANIFEST_RECORD_BYTES);
    ck_assert_int_eq(load(description), STATUS_CORRUPT);
    record.sequence = 8;
    manifest_record_store(original + original_bytes, &record, slice_make(NULL, 0), 1,
                          original_bytes);
    put_file(1, original, original_bytes + MANIFEST_RECORD_BYTES);
    expect_state_after(5);
    store_deinit();
}
END_TEST

/* Sets a word of the header, with the right checksum, as another version of kvd would. */
static enum status load_with_header(size_t at, uint32_t value) {
    char description[DESCRIPTION_MAX];
    memcpy(changed, original, original_bytes);
    store_u32(changed + at, value);
    store_u64(changed + 56, checksum_of(slice_make(changed, 56)));
    put_file(1, changed, original_bytes);
    return load(description);
}

START_TEST(store_of_a_newer_kvd_is_refused_and_untouched) {
    write_five_edits();
    ck_assert_int_eq(load_with_header(8, FORMAT_VERSION + 1), STATUS_NEWER_FORMAT);
    ck_assert_int_eq(load_with_header(24, 1), STATUS_NEWER_FORMAT);
    ck_assert_int_eq(load_with_header(20, 1), STATUS_READ_ONLY);
    ck_assert_int_eq(load_with_header(16, 1), STATUS_OK);
    ck_assert_uint_eq(get_file(1, original), original_bytes);
    ck_assert_mem_eq(original, changed, original_bytes);
    store_deinit();
}
END_TEST

UNIT_MAIN("manifest", directory_without_files_is_a_new_store, edits_are_there_after_a_restart,
          every_start_begins_a_new_manifest_and_removes_the_older,
          next_file_number_is_above_every_file_of_the_directory,
          manifest_that_grew_long_begins_anew,
          edit_that_does_not_fit_is_refused_and_nothing_is_written,
          last_edit_torn_at_every_byte_is_cut, wrong_byte_with_valid_edits_behind_is_refused,
          snapshot_interrupted_at_every_byte_leaves_the_older_manifest,
          newer_manifest_with_edits_is_never_passed_over_for_an_older_one,
          lost_manifest_is_a_new_store_only_without_data, manifest_under_another_number_is_refused,
          record_of_another_place_is_not_applied, record_out_of_sequence_is_refused,
          store_of_a_newer_kvd_is_refused_and_untouched)
