/* store_upload_test.c: large values come in piece by piece, in bounded memory; what is abandoned
 * leaves nothing behind; what fails leaves the old value. */
#include "tests/support/upload_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <pthread.h>
#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define SHORT_EXTENT MIB /* what the fixture's memory limit allows */

static const struct store_condition always = {STORE_ALWAYS, 0};

static void expect_finish(struct fixture *fixture, struct store_upload *upload) {
    enum status status = store_upload_finish(upload, &fixture->error);

    ck_assert_msg(status == STATUS_OK, "%s: %s", status_name(status), fixture->error.text);
}

static void expect_empty_put(struct fixture *fixture) {
    struct store_upload *upload = upload_start(fixture, "empty", 0, 1);

    expect_finish(fixture, upload);
    ck_assert_int_eq(upload_commit(fixture, "empty", upload, always).status, STATUS_OK);
    store_upload_destroy(upload);
    fixture_expect(fixture, "empty", "");
}

START_TEST(lengths_around_the_edges_come_back_even_after_reopening) {
    static const uint64_t lengths[] = {1,
                                       64 * KIB - 1,
                                       64 * KIB,
                                       64 * KIB + 1,
                                       SHORT_EXTENT - 1,
                                       SHORT_EXTENT,
                                       SHORT_EXTENT + 1,
                                       2 * SHORT_EXTENT,
                                       5 * SHORT_EXTENT + 12345};
    const size_t count = sizeof lengths / sizeof lengths[0];
    struct fixture fixture;
    char key[16];

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    expect_empty_put(&fixture);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            snprintf(key, sizeof key, "key%zu", i);
            if (round == 0) {
                upload_put(&fixture, key, lengths[i], i);
            }
            upload_expect(&fixture, key, lengths[i], i);
        }
        fixture_reopen(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(full_extents_where_memory_is_plenty) {
    struct fixture fixture;

    fixture_init(&fixture, 2);
    fixture.options.memory_limit_bytes = 512 * MIB;
    fixture.options.segment_bytes = 6 * MIB;
    fixture_open(&fixture);
    upload_put(&fixture, "key", 4 * MIB, 1);
    upload_put(&fixture, "key+", 4 * MIB + 1, 2);
    upload_put(&fixture, "long", 21 * MIB, 3);
    fixture_reopen(&fixture);
    upload_expect(&fixture, "key", 4 * MIB, 1);
    upload_expect(&fixture, "key+", 4 * MIB + 1, 2);
    upload_expect(&fixture, "long", 21 * MIB, 3);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(get_appends_the_whole_value_or_says_how_to_read_it) {
    struct fixture fixture;
    uint8_t *expected = memory_alloc(3 * MIB);
    enum status status;

    fixture_init(&fixture, 3);
    fixture_open(&fixture);
    upload_put(&fixture, "key", 3 * MIB, 7);
    status = fixture_get(&fixture, "key");
    ck_assert_int_eq(status, STATUS_OK);
    upload_fill(expected, 3 * MIB, 0, 7);
    ck_assert(slice_equal(buffer_slice(&fixture.value), slice_make(expected, 3 * MIB)));
    buffer_deinit(&fixture.value);
    fixture.value.cap = 3 * MIB - 1;
    status = fixture_get(&fixture, "key");
    ck_assert_int_eq(status, STATUS_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(fixture.error.text, "ranges"));
    ck_assert_uint_eq(fixture.value.len, 0);
    memory_free(expected);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_cursor_reads_large_values_too) {
    struct store_range range = {.namespace_id = STORE_NAMESPACE_DEFAULT};
    uint8_t *expected = memory_alloc(2 * MIB);
    struct store_value_info info;
    struct store_cursor *cursor;
    struct fixture fixture;
    struct store_read read;
    enum status status;

    fixture_init(&fixture, 4);
    fixture_open(&fixture);
    upload_put(&fixture, "key", 2 * MIB, 7);
    store_read_begin(fixture.store, &read);
    status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
    ck_assert_int_eq(status, STATUS_OK);
    status = store_cursor_next(cursor, NULL, &info, &fixture.error);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(info.value_bytes, 2 * MIB);
    status = store_cursor_value(cursor, &fixture.value, &fixture.error);
    ck_assert_int_eq(status, STATUS_OK);
    upload_fill(expected, 2 * MIB, 0, 7);
    ck_assert(slice_equal(buffer_slice(&fixture.value), slice_make(expected, 2 * MIB)));
    store_cursor_close(cursor);
    store_read_end(&read);
    memory_free(expected);
    fixture_deinit(&fixture);
}
END_TEST

/* All zero bytes: the time goes into the upload, not into making them up. */
START_TEST(a_value_of_many_times_the_memory_passes_through_little) {
    const uint64_t pieces = 300;
    uint8_t *piece = memory_alloc_zeroed(MIB);
    uint64_t before;
    uint64_t most = 0;
    struct store_upload *upload;
    struct fixture fixture;

    fixture_init(&fixture, 5);
    fixture.options.segment_bytes = 4 * MIB;
    fixture_open(&fixture);
    before = memory_bytes_in_use();
    upload = upload_start(&fixture, "key", 0, 0);
    for (uint64_t i = 0; i < pieces; i++) {
        enum status status = store_upload_append(upload, slice_make(piece, MIB), &fixture.error);
        uint64_t used = memory_bytes_in_use() - before;
        ck_assert_int_eq(status, STATUS_OK);
        most = used > most ? used : most;
        ck_assert_uint_le(store_upload_memory(upload), 2 * MIB);
    }
    expect_finish(&fixture, upload);
    ck_assert_int_eq(upload_commit(&fixture, "key", upload, always).status, STATUS_OK);
    store_upload_destroy(upload);
    ck_assert_uint_lt(most, 4 * MIB);
    for (uint64_t i = 0; i < pieces; i += 37) {
        enum status status = upload_get_range(&fixture, "key", i * MIB, MIB, STORE_WAIT_ALLOWED);
        ck_assert_int_eq(status, STATUS_OK);
        ck_assert(slice_equal(buffer_slice(&fixture.value), slice_make(piece, MIB)));
    }
    memory_free(piece);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Commits that do not fit ----
 */

static enum status try_commit(struct fixture *fixture, struct store_upload *upload,
                              const struct store_put *put) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status = store_commit_upload(commit, put, upload);

    store_commit_destroy(commit);
    return status;
}

START_TEST(a_commit_names_a_finished_upload_of_its_own_key_only) {
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT, .key = slice_from_text("key")};
    struct store_put other_key = put;
    struct store_put other_namespace = put;
    struct store_put other_checksum = put;
    struct store_upload *upload;
    struct fixture fixture;

    fixture_init(&fixture, 6);
    fixture_open(&fixture);
    upload = upload_start(&fixture, "key", 100, 1);
    ck_assert_int_eq(try_commit(&fixture, upload, &put), STATUS_INVALID);
    expect_finish(&fixture, upload);
    other_key.key = slice_from_text("kez");
    ck_assert_int_eq(try_commit(&fixture, upload, &other_key), STATUS_INVALID);
    other_namespace.namespace_id++;
    ck_assert_int_eq(try_commit(&fixture, upload, &other_namespace), STATUS_INVALID);
    other_checksum.has_checksum = true;
    other_checksum.checksum = store_upload_checksum(upload) + 1;
    ck_assert_int_eq(try_commit(&fixture, upload, &other_checksum), STATUS_CHECKSUM);
    ck_assert_int_eq(try_commit(&fixture, upload, &put), STATUS_OK);
    ck_assert_int_eq(store_upload_append(upload, put.key, &fixture.error), STATUS_INVALID);
    store_upload_destroy(upload);
    fixture_expect_absent(&fixture, "key");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_condition_that_is_not_met_leaves_the_old_value) {
    struct store_upload *upload;
    struct fixture fixture;

    fixture_init(&fixture, 7);
    fixture_open(&fixture);
    fixture_put(&fixture, "key", "old");
    upload = upload_start(&fixture, "key", 2 * MIB, 1);
    expect_finish(&fixture, upload);
    ck_assert_int_eq(
        upload_commit(&fixture, "key", upload, (struct store_condition){STORE_IF_ABSENT, 0}).status,
        STATUS_EXISTS);
    store_upload_destroy(upload);
    fixture_expect(&fixture, "key", "old");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(keys_that_are_too_long_and_read_only_stores_are_refused) {
    static uint8_t key[65536];
    struct store_upload *upload;
    struct fixture fixture;

    fixture_init(&fixture, 8);
    fixture_open(&fixture);
    ck_assert_int_eq(store_upload_begin(fixture.store, STORE_NAMESPACE_DEFAULT,
                                        slice_make(key, sizeof key), &upload, &fixture.error),
                     STATUS_TOO_LARGE);
    fixture_close(&fixture);
    fixture.options.read_only = true;
    fixture_open(&fixture);
    ck_assert_int_eq(store_upload_begin(fixture.store, STORE_NAMESPACE_DEFAULT,
                                        slice_from_text("key"), &upload, &fixture.error),
                     STATUS_READ_ONLY);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- What is left behind ----
 */

START_TEST(an_upload_writes_nothing_before_its_first_extent) {
    struct store_upload *upload;
    struct fixture fixture;
    uint32_t files;

    fixture_init(&fixture, 9);
    fixture_open(&fixture);
    files = upload_segment_files(&fixture);
    upload = upload_start(&fixture, "key", 0, 1);
    ck_assert_uint_eq(upload_segment_files(&fixture), files);
    store_upload_destroy(upload);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_abandoned_upload_takes_its_files_away) {
    static const uint64_t lengths[] = {1, SHORT_EXTENT, 5 * SHORT_EXTENT + 1};

    for (size_t i = 0; i < 6; i++) {
        struct store_upload *upload;
        struct fixture fixture;
        uint32_t files;
        fixture_init(&fixture, 10);
        fixture.options.segment_bytes = 2 * MIB;
        fixture_open(&fixture);
        files = upload_segment_files(&fixture);
        upload = upload_start(&fixture, "key", lengths[i / 2], 1);
        if (i % 2) {
            expect_finish(&fixture, upload);
            ck_assert_uint_gt(upload_segment_files(&fixture), files);
        }
        store_upload_destroy(upload);
        fixture_settle(&fixture);
        ck_assert_uint_eq(upload_segment_files(&fixture), files);
        fixture_expect_absent(&fixture, "key");
        fixture_reopen(&fixture);
        fixture_deinit(&fixture);
    }
}
END_TEST

static void settle_space(struct fixture *fixture) {
    enum status status = store_compact(fixture->store, &fixture->error);

    ck_assert_int_eq(status, STATUS_OK);
    status = store_collect(fixture->store, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
    fixture_settle(fixture);
}

START_TEST(overwriting_and_deleting_frees_the_segments) {
    struct fixture fixture;
    uint32_t files;

    fixture_init(&fixture, 11);
    fixture_open(&fixture);
    fixture_put(&fixture, "other", "value");
    settle_space(&fixture);
    files = upload_segment_files(&fixture);
    upload_put(&fixture, "key", 6 * MIB, 1);
    upload_put(&fixture, "kez", 6 * MIB, 2);
    settle_space(&fixture);
    ck_assert_uint_gt(upload_segment_files(&fixture), files + 6);
    fixture_put(&fixture, "key", "small");
    fixture_delete(&fixture, "kez");
    settle_space(&fixture);
    ck_assert_uint_le(upload_segment_files(&fixture), files + 2);
    fixture_expect(&fixture, "key", "small");
    fixture_deinit(&fixture);
}
END_TEST

static enum status sum_cb(void *arg, const char *name, uint64_t size_bytes) {
    uint64_t *sum = arg;

    (void)name;
    *sum += size_bytes;
    return STATUS_OK;
}

/* Their entries are small: the memtable that holds them would not be full for a long time. */
START_TEST(overwritten_large_values_do_not_pile_up) {
    struct fixture fixture;

    fixture_init(&fixture, 19);
    fixture.options.compress = false;
    fixture_open(&fixture);
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t bytes = 0;
        upload_put(&fixture, "key", 3 * MIB, i);
        fixture_settle(&fixture);
        ck_assert_int_eq(env_list(fixture.env, fixture.dir, sum_cb, &bytes, NULL), STATUS_OK);
        ck_assert_uint_lt(bytes, 15 * MIB);
    }
    upload_expect(&fixture, "key", 3 * MIB, 19);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_new_expiry_refers_to_the_same_extents) {
    struct store_commit *commit;
    struct fixture fixture;
    enum status status;

    fixture_init(&fixture, 20);
    fixture_open(&fixture);
    upload_put(&fixture, "key", 3 * MIB, 1);
    for (uint32_t i = 0; i < 3; i++) {
        commit = fixture_commit_begin(&fixture);
        status = store_commit_expire(commit, STORE_NAMESPACE_DEFAULT, slice_from_text("key"),
                                     1000000 + i, NULL);
        ck_assert_int_eq(status, STATUS_OK);
        ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
        settle_space(&fixture);
        upload_expect(&fixture, "key", 3 * MIB, 1);
        fixture_reopen(&fixture);
        upload_expect(&fixture, "key", 3 * MIB, 1);
    }
    fixture_delete(&fixture, "key");
    settle_space(&fixture);
    ck_assert_uint_le(upload_segment_files(&fixture), 3);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_commit_that_was_refused_leaves_garbage_that_goes) {
    struct store_upload *upload;
    struct fixture fixture;
    uint32_t files;

    fixture_init(&fixture, 12);
    fixture_open(&fixture);
    fixture_put(&fixture, "key", "old");
    settle_space(&fixture);
    files = upload_segment_files(&fixture);
    upload = upload_start(&fixture, "key", 4 * MIB, 1);
    expect_finish(&fixture, upload);
    ck_assert_int_eq(
        upload_commit(&fixture, "key", upload, (struct store_condition){STORE_IF_ABSENT, 0}).status,
        STATUS_EXISTS);
    store_upload_destroy(upload);
    fixture_settle(&fixture);
    fixture_put(&fixture, "key", "new");
    settle_space(&fixture);
    ck_assert_uint_le(upload_segment_files(&fixture), files + 2);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_open_upload_keeps_its_segments_while_others_are_dropped) {
    struct store_upload *upload;
    struct fixture fixture;

    fixture_init(&fixture, 13);
    fixture_open(&fixture);
    upload = upload_start(&fixture, "key", 5 * MIB, 1);
    for (uint32_t i = 0; i < 20; i++) {
        fixture_put_bytes(&fixture, "other", 30000, i);
    }
    settle_space(&fixture);
    expect_finish(&fixture, upload);
    settle_space(&fixture);
    ck_assert_int_eq(upload_commit(&fixture, "key", upload, always).status, STATUS_OK);
    store_upload_destroy(upload);
    settle_space(&fixture);
    upload_expect(&fixture, "key", 5 * MIB, 1);
    fixture_reopen(&fixture);
    upload_expect(&fixture, "key", 5 * MIB, 1);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(uploads_on_a_real_disk_with_threads) {
    struct fixture fixture;

    fixture_init_on_disk(&fixture);
    fixture_open(&fixture);
    upload_put(&fixture, "key", 30 * MIB + 1, 1);
    upload_expect(&fixture, "key", 30 * MIB + 1, 1);
    store_upload_destroy(upload_start(&fixture, "kez", 9 * MIB, 2));
    fixture_reopen(&fixture);
    upload_expect(&fixture, "key", 30 * MIB + 1, 1);
    fixture_expect_absent(&fixture, "kez");
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Side by side ----
 */

#define UPLOADERS 3
#define ROUNDS 6

struct uploader {
    struct fixture fixture; /* a view of its own on the common store */
    pthread_t thread;
    uint32_t number;
};

static void *upload_in_rounds(void *arg) {
    struct uploader *uploader = arg;
    struct fixture *fixture = &uploader->fixture;
    char key[16];

    snprintf(key, sizeof key, "key%u", uploader->number);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t bytes = MIB + i * 700001;
        store_upload_destroy(upload_start(fixture, key, 2 * MIB + 1, 99)); /* given up */
        upload_put(fixture, key, bytes, i);
        upload_expect(fixture, key, bytes, i);
        if (store_compact(fixture->store, &fixture->error) == STATUS_OK) {
            upload_expect(fixture, key, bytes, i);
        }
    }
    return NULL;
}

START_TEST(uploads_side_by_side_with_compaction_and_removal) {
    struct uploader uploaders[UPLOADERS];
    struct fixture fixture;
    char key[16];

    fixture_init_on_disk(&fixture);
    fixture.options.memory_limit_bytes = 32 * MIB;
    fixture.options.memtable_bytes = 64 * KIB;
    fixture.options.segment_bytes = MIB;
    fixture_open(&fixture);
    for (uint32_t i = 0; i < UPLOADERS; i++) {
        uploaders[i] = (struct uploader){.fixture = fixture, .number = i};
        ck_assert_int_eq(
            pthread_create(&uploaders[i].thread, NULL, upload_in_rounds, &uploaders[i]), 0);
    }
    for (uint32_t i = 0; i < UPLOADERS; i++) {
        ck_assert_int_eq(pthread_join(uploaders[i].thread, NULL), 0);
        buffer_deinit(&uploaders[i].fixture.value);
    }
    fixture_reopen(&fixture);
    for (uint32_t i = 0; i < UPLOADERS; i++) {
        snprintf(key, sizeof key, "key%u", i);
        upload_expect(&fixture, key, MIB + (ROUNDS - 1) * UINT64_C(700001), ROUNDS - 1);
    }
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_upload", lengths_around_the_edges_come_back_even_after_reopening,
          full_extents_where_memory_is_plenty, get_appends_the_whole_value_or_says_how_to_read_it,
          a_cursor_reads_large_values_too, a_value_of_many_times_the_memory_passes_through_little,
          a_commit_names_a_finished_upload_of_its_own_key_only,
          a_condition_that_is_not_met_leaves_the_old_value,
          keys_that_are_too_long_and_read_only_stores_are_refused,
          an_upload_writes_nothing_before_its_first_extent,
          an_abandoned_upload_takes_its_files_away, overwriting_and_deleting_frees_the_segments,
          overwritten_large_values_do_not_pile_up, a_new_expiry_refers_to_the_same_extents,
          a_commit_that_was_refused_leaves_garbage_that_goes,
          an_open_upload_keeps_its_segments_while_others_are_dropped,
          uploads_on_a_real_disk_with_threads, uploads_side_by_side_with_compaction_and_removal)
