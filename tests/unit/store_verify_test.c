/* store_verify_test.c: what verification of a running store, and the check of a closed one, find.
 */
#include "tests/support/store_fixture.h"

#include "storage/file_name.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define KEYS 40
#define LARGE_BYTES 200000u

static struct fixture fixture;

struct findings {
    uint32_t count;
    char name[64];
    char text[512];
};

static void report_cb(void *arg, const char *name, const char *text) {
    struct findings *findings = arg;

    findings->count++;
    snprintf(findings->name, sizeof findings->name, "%s", name);
    snprintf(findings->text, sizeof findings->text, "%s", text);
}

/* A value of four blocks, in a segment of its own. */
static void put_large(void) {
    static uint8_t bytes[LARGE_BYTES];
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text("large")};
    struct store_commit *commit = fixture_commit_begin(&fixture);
    struct store_upload *upload;

    fixture_fill(bytes, sizeof bytes, 5);
    ck_assert_int_eq(
        store_upload_begin(fixture.store, put.namespace_id, put.key, &upload, &fixture.error),
        STATUS_OK);
    ck_assert_int_eq(store_upload_append(upload, slice_make(bytes, sizeof bytes), &fixture.error),
                     STATUS_OK);
    ck_assert_int_eq(store_upload_finish(upload, &fixture.error), STATUS_OK);
    ck_assert_int_eq(store_commit_upload(commit, &put, upload), STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    store_upload_destroy(upload);
}

/* A store with tables, separated values, a large one, deletes, a range delete and expiring keys. */
static void begin(void) {
    char key[16];
    uint8_t to[16];
    struct store_range range;
    struct store_commit *commit;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%02d", i);
        fixture_put_bytes(&fixture, key, i % 2 ? 3000 : 50, (uint64_t)i);
    }
    fixture_delete(&fixture, "key03");
    range = store_range_prefix(STORE_NAMESPACE_DEFAULT, slice_from_text("key2"), to);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    put_large();
    ck_assert_int_eq(store_flush(fixture.store, &fixture.error), STATUS_OK);
    fixture_put(&fixture, "last", "in the memtable");
}

static struct store_verify_result verify(struct findings *findings) {
    struct store_verify_result result = {0};

    *findings = (struct findings){0};
    ck_assert_int_eq(
        store_verify(fixture.store, NULL, report_cb, findings, &result, &fixture.error), STATUS_OK);
    ck_assert_uint_eq(result.faults, findings->count);
    return result;
}

static struct store_verify_result check(struct findings *findings) {
    struct store_verify_result result = {0};

    *findings = (struct findings){0};
    ck_assert_int_eq(store_check(&fixture.options, report_cb, findings, &result, &fixture.error),
                     STATUS_OK);
    ck_assert_uint_le(result.faults, findings->count); /* remarks are none */
    return result;
}

struct search {
    enum file_kind kind;
    char path[ENV_PATH_MAX];
    uint64_t size_bytes;
};

static enum status search_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct search *search = arg;
    enum file_kind kind;
    uint64_t number;

    if (file_name_parse(name, &kind, &number) && kind == search->kind &&
        size_bytes > search->size_bytes) {
        search->size_bytes = size_bytes;
        snprintf(search->path, sizeof search->path, "%s/%s", fixture.dir, name);
    }
    return STATUS_OK;
}

/* The largest file of a kind. */
static struct search find(enum file_kind kind) {
    struct search search = {.kind = kind};

    ck_assert_int_eq(env_list(fixture.env, fixture.dir, search_cb, &search, &fixture.error),
                     STATUS_OK);
    ck_assert_uint_gt(search.size_bytes, 0);
    return search;
}

static void flip(const struct search *file, uint64_t offset) {
    struct env_file *opened;
    uint8_t byte;
    size_t got;

    ck_assert_int_eq(env_open(fixture.env, file->path, ENV_READ_CACHED, &opened, &fixture.error),
                     STATUS_OK);
    ck_assert_int_eq(env_read(opened, offset, &byte, 1, &got, &fixture.error), STATUS_OK);
    ck_assert_int_eq(env_file_close(opened, &fixture.error), STATUS_OK);
    byte ^= 0x10;
    ck_assert_int_eq(env_memory_poke(fixture.memory, file->path, offset, slice_make(&byte, 1)),
                     STATUS_OK);
}

START_TEST(a_sound_store_has_no_faults_open_or_closed) {
    struct findings findings;
    struct store_verify_result result;

    begin();
    result = verify(&findings);
    ck_assert_msg(result.faults == 0, "%s: %s", findings.name, findings.text);
    ck_assert_uint_ge(result.entries, KEYS - 15);
    ck_assert_uint_gt(result.values, 5);
    fixture_close(&fixture);
    result = check(&findings);
    ck_assert_msg(result.faults == 0, "%s: %s", findings.name, findings.text);
    ck_assert_uint_ge(result.files, 2);
    fixture_open(&fixture);
    fixture_expect(&fixture, "last", "in the memtable");
    fixture_deinit(&fixture);
}
END_TEST

/* Of each file every 37th byte is spoilt once: nothing is missed, and the file is named. */
static void expect_found(enum file_kind kind, bool everywhere) {
    struct search file;
    uint32_t missed = 0;

    begin();
    file = find(kind);
    for (uint64_t offset = 0; offset < file.size_bytes; offset += 37) {
        struct findings findings;
        flip(&file, offset);
        if (verify(&findings).faults == 0) {
            missed++;
        } else {
            ck_assert_ptr_nonnull(strstr(file.path, findings.name));
        }
        flip(&file, offset);
    }
    if (everywhere) {
        ck_assert_uint_eq(missed, 0);
    }
    fixture_deinit(&fixture);
}

START_TEST(any_spoilt_byte_of_a_table_is_found) {
    expect_found(FILE_TABLE, true);
}
END_TEST

START_TEST(a_spoilt_byte_of_a_live_value_is_found_and_its_segment_named) {
    struct search segment;
    struct findings findings;
    uint32_t found = 0;

    begin();
    fixture_reopen(&fixture); /* so that the segment is sealed */
    segment = find(FILE_SEGMENT);
    for (uint64_t offset = 200; offset < segment.size_bytes; offset += 1999) {
        flip(&segment, offset);
        if (verify(&findings).faults > 0) {
            ck_assert_ptr_nonnull(strstr(findings.text, strrchr(segment.path, '/') + 1));
            found++;
        }
        flip(&segment, offset);
    }
    ck_assert_uint_gt(found, 10);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_check_of_a_damaged_store_goes_on_behind_the_first_fault) {
    struct search table;
    struct search segment;
    struct findings findings;

    begin();
    fixture_close(&fixture);
    table = find(FILE_TABLE);
    segment = find(FILE_SEGMENT);
    flip(&table, 70); /* in its first block, where the catalogue would be */
    flip(&segment, segment.size_bytes / 2);
    ck_assert_uint_ge(check(&findings).faults, 1);
    ck_assert_uint_eq(findings.count > 0, 1);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_manifest_that_cannot_be_read_is_a_fault_with_its_name) {
    struct search manifest;
    struct findings findings;

    begin();
    fixture_close(&fixture);
    manifest = find(FILE_MANIFEST);
    flip(&manifest, 100);
    ck_assert_uint_eq(check(&findings).faults, 1);
    ck_assert_ptr_nonnull(strstr(findings.text, "MANIFEST"));
    fixture_deinit(&fixture);
}
END_TEST

static void leave_a_table(uint64_t number) {
    struct env_file *file;
    char path[ENV_PATH_MAX];

    ck_assert_int_eq(file_path_make(fixture.dir, FILE_TABLE, number, path), STATUS_OK);
    ck_assert_int_eq(env_create(fixture.env, path, &file, &fixture.error), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, &fixture.error), STATUS_OK);
}

/* While it is open: a fault. Closed, it is what a crash in the middle of a job leaves, and the next
 * open removes: told, and no fault. */
START_TEST(a_file_that_nothing_refers_to_is_told) {
    struct findings findings;

    begin();
    leave_a_table(1); /* that number is behind */
    ck_assert_uint_eq(verify(&findings).faults, 1);
    ck_assert_str_eq(findings.name, "0000000001.table");
    fixture_close(&fixture);
    leave_a_table(9999);
    ck_assert_uint_eq(check(&findings).faults, 0);
    ck_assert_uint_eq(findings.count, 2);
    ck_assert_ptr_nonnull(strstr(findings.text, "left over by a crash"));
    fixture_open(&fixture);
    ck_assert_uint_eq(verify(&findings).faults, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_check_changes_nothing_and_needs_a_store_that_nobody_has_open) {
    struct store_verify_result result;
    struct findings findings = {0};
    uint64_t mutations;

    begin();
    ck_assert_int_eq(store_check(&fixture.options, report_cb, &findings, &result, &fixture.error),
                     STATUS_LOCKED);
    fixture_close(&fixture);
    mutations = env_memory_mutations(fixture.memory);
    check(&findings);
    ck_assert_uint_le(env_memory_mutations(fixture.memory) - mutations, 6); /* syncs and the lock */
    fixture_deinit(&fixture);
}
END_TEST

/* With threads: files come and go while the store is verified. */
START_TEST(under_writes_nothing_is_taken_for_a_fault) {
    struct findings findings;
    struct store_verify_result result;
    char key[16];

    fixture_init_on_disk(&fixture);
    fixture.options.memtable_bytes = 64 * 1024;
    fixture.options.segment_bytes = 256 * 1024;
    fixture_open(&fixture);
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof key, "key%02d", i % KEYS);
        fixture_put_bytes(&fixture, key, 20000, (uint64_t)i);
        if (i % 100 == 99) {
            result = verify(&findings);
            ck_assert_msg(result.faults == 0, "%s: %s", findings.name, findings.text);
        }
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(it_can_be_cancelled) {
    struct store_verify_result result;
    struct findings findings = {0};
    _Atomic bool cancel = true;

    begin();
    ck_assert_int_eq(
        store_verify(fixture.store, &cancel, report_cb, &findings, &result, &fixture.error),
        STATUS_CANCELLED);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store verify", a_sound_store_has_no_faults_open_or_closed,
          any_spoilt_byte_of_a_table_is_found,
          a_spoilt_byte_of_a_live_value_is_found_and_its_segment_named,
          the_check_of_a_damaged_store_goes_on_behind_the_first_fault,
          a_manifest_that_cannot_be_read_is_a_fault_with_its_name,
          a_file_that_nothing_refers_to_is_told,
          a_check_changes_nothing_and_needs_a_store_that_nobody_has_open,
          under_writes_nothing_is_taken_for_a_fault, it_can_be_cancelled)
