/* namespaces_test.c: names and ids, pending and settled; and in a store, over crashes. */
#include "storage/namespaces.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/format.h"

#include <stdio.h>

static uint32_t id_of(struct namespaces *namespaces, const char *name) {
    uint32_t id = 0;
    enum status status = namespaces_find(namespaces, slice_from_text(name), true, &id);
    ck_assert_int_eq(status, STATUS_OK);
    return id;
}

START_TEST(a_name_keeps_its_id_and_no_two_share_one) {
    struct namespaces namespaces;
    uint32_t a;
    uint32_t b;

    namespaces_init(&namespaces);
    a = id_of(&namespaces, "a");
    b = id_of(&namespaces, "b");
    ck_assert_uint_ne(a, b);
    ck_assert_uint_gt(a, NAMESPACE_DEFAULT);
    ck_assert_uint_eq(id_of(&namespaces, "a"), a);
    ck_assert_uint_eq(id_of(&namespaces, ""), NAMESPACE_DEFAULT);
    ck_assert_uint_eq(namespaces_count(&namespaces), 2);
    namespaces_deinit(&namespaces);
}
END_TEST

START_TEST(names_are_checked) {
    struct namespaces namespaces;
    char longest[NAMESPACE_NAME_BYTES_MAX + 2];
    uint32_t id;

    memset(longest, 'x', sizeof longest);
    namespaces_init(&namespaces);
    ck_assert_int_eq(namespaces_find(&namespaces, slice_from_text("no"), false, &id),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(namespaces_find(&namespaces, slice_from_text("a\nb"), true, &id),
                     STATUS_INVALID);
    ck_assert_int_eq(
        namespaces_find(&namespaces, slice_make(longest, NAMESPACE_NAME_BYTES_MAX), true, &id),
        STATUS_OK);
    ck_assert_int_eq(
        namespaces_find(&namespaces, slice_make(longest, NAMESPACE_NAME_BYTES_MAX + 1), true, &id),
        STATUS_INVALID);
    namespaces_deinit(&namespaces);
}
END_TEST

START_TEST(a_new_name_is_pending_until_it_is_settled) {
    struct namespaces namespaces;
    uint8_t key[NAMESPACE_KEY_BYTES_MAX];
    uint32_t id;
    size_t bytes;

    namespaces_init(&namespaces);
    id = id_of(&namespaces, "fresh");
    bytes = namespaces_pending_key(&namespaces, id, key);
    ck_assert(slice_equal(slice_make(key, bytes), slice_from_text("namespace/fresh")));
    ck_assert_uint_eq(namespaces_pending_key(&namespaces, NAMESPACE_DEFAULT, key), 0);
    namespaces_settle(&namespaces, id);
    namespaces_settle(&namespaces, id); /* once is enough */
    ck_assert_uint_eq(namespaces_pending_key(&namespaces, id, key), 0);
    namespaces_deinit(&namespaces);
}
END_TEST

static enum status load(struct namespaces *namespaces, const char *name, uint32_t id) {
    struct namespace_row row = {.id = id};
    return namespaces_load(namespaces, slice_from_text(name), &row);
}

START_TEST(loaded_ids_are_not_given_again) {
    struct namespaces namespaces;

    namespaces_init(&namespaces);
    ck_assert_int_eq(load(&namespaces, "old", 77), STATUS_OK);
    ck_assert_int_eq(load(&namespaces, "old", 78), STATUS_CORRUPT);
    ck_assert_int_eq(load(&namespaces, "zero", 0), STATUS_CORRUPT);
    ck_assert_int_eq(load(&namespaces, "max", UINT32_MAX), STATUS_CORRUPT);
    ck_assert_uint_eq(id_of(&namespaces, "old"), 77);
    ck_assert_uint_gt(id_of(&namespaces, "new"), 77);
    namespaces_deinit(&namespaces);
}
END_TEST

START_TEST(want_of_memory_leaves_it_as_it_was) {
    struct namespaces namespaces;
    enum status status = STATUS_NO_MEMORY;
    uint32_t id;

    namespaces_init(&namespaces);
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = namespaces_find(&namespaces, slice_from_text("name"), true, &id);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_uint_eq(namespaces_count(&namespaces), status == STATUS_OK);
    }
    namespaces_deinit(&namespaces);
}
END_TEST

static size_t store_row(uint8_t *value, uint32_t id, uint64_t quota, uint64_t ms, uint32_t count) {
    struct namespace_row row = {.id = id, .settings = {quota, ms, count}};
    return namespace_row_store(value, &row);
}

START_TEST(a_row_is_what_it_was_and_an_old_one_is_an_id_only) {
    uint8_t value[NAMESPACE_ROW_BYTES_MAX];
    struct namespace_row row;
    size_t len = store_row(value, 7, 0, 0, 0);

    ck_assert_uint_eq(len, 1);
    ck_assert_int_eq(namespace_row_load(slice_make(value, len), &row), STATUS_OK);
    ck_assert_uint_eq(row.id, 7);
    len = store_row(value, UINT32_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX);
    ck_assert_uint_le(len, sizeof value);
    ck_assert_int_eq(namespace_row_load(slice_make(value, len), &row), STATUS_OK);
    ck_assert_uint_eq(row.settings.quota_bytes, UINT64_MAX);
    ck_assert_uint_eq(row.settings.keep_ms, UINT64_MAX);
    ck_assert_uint_eq(row.settings.keep_versions, UINT32_MAX);
}
END_TEST

START_TEST(a_row_that_is_cut_or_too_long_is_corrupt) {
    uint8_t value[NAMESPACE_ROW_BYTES_MAX + 1] = {0};
    struct namespace_row row;
    size_t len = store_row(value, 300, 1000, 2000, 3000);

    for (size_t cut = 0; cut <= len + 1; cut++) {
        bool whole = cut == len || cut == 2; /* an id only */
        ck_assert_int_eq(namespace_row_load(slice_make(value, cut), &row),
                         whole ? STATUS_OK : STATUS_CORRUPT);
    }
}
END_TEST

START_TEST(a_dropped_name_is_found_by_reads_until_it_is_forgotten) {
    struct slice name = slice_from_text("n");
    struct namespaces namespaces;
    uint32_t old_id;
    uint32_t id;

    namespaces_init(&namespaces);
    old_id = id_of(&namespaces, "n");
    namespaces_settle(&namespaces, old_id);
    ck_assert(namespaces_is_there(&namespaces, old_id));
    namespaces_drop(&namespaces, old_id);
    ck_assert(!namespaces_is_there(&namespaces, old_id));
    ck_assert_int_eq(namespaces_find_there(&namespaces, name, &id), STATUS_NOT_FOUND);
    ck_assert_int_eq(namespaces_find(&namespaces, name, false, &id), STATUS_OK);
    ck_assert_uint_eq(id, old_id);
    id = id_of(&namespaces, "n"); /* a write makes it anew */
    ck_assert_uint_gt(id, old_id);
    namespaces_forget(&namespaces, old_id);
    ck_assert_uint_eq(id_of(&namespaces, "n"), id);
    namespaces_drop(&namespaces, id);
    namespaces_forget(&namespaces, id);
    ck_assert_int_eq(namespaces_find(&namespaces, name, false, &id), STATUS_NOT_FOUND);
    ck_assert_uint_eq(namespaces_count(&namespaces), 0);
    namespaces_deinit(&namespaces);
}
END_TEST

static void count_cb(void *arg, uint32_t id, const struct store_namespace_settings *settings) {
    uint64_t *sum = arg;
    *sum += id * 1000 + settings->keep_versions;
}

START_TEST(settings_are_told_of_those_that_have_any) {
    struct namespace_row row = {.settings = {.keep_versions = 5}};
    struct namespaces namespaces;
    uint64_t sum = 0;

    namespaces_init(&namespaces);
    (void)id_of(&namespaces, "without");
    row.id = id_of(&namespaces, "with");
    namespaces_apply(&namespaces, &row);
    ck_assert(!namespaces_have_quotas(&namespaces));
    namespaces_settings_each(&namespaces, count_cb, &sum);
    ck_assert_uint_eq(sum, row.id * UINT64_C(1000) + 5);
    row.settings.quota_bytes = 9;
    namespaces_apply(&namespaces, &row);
    ck_assert(namespaces_have_quotas(&namespaces));
    namespaces_drop(&namespaces, row.id);
    ck_assert(!namespaces_have_quotas(&namespaces));
    ck_assert_uint_eq(namespaces_settings(&namespaces, row.id).quota_bytes, 0);
    namespaces_deinit(&namespaces);
}
END_TEST

/* ---- In a store -------------------------------------------------------------------------------
 */

static struct store_outcome put_in(struct fixture *fixture, uint32_t id, const char *value,
                                   enum store_durability durability) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_put put = {
        .namespace_id = id, .key = slice_from_text("key"), .value = slice_from_text(value)};
    enum status status = store_commit_put(commit, &put);

    ck_assert_int_eq(status, STATUS_OK);
    return fixture_commit_end(fixture, commit, durability);
}

static uint32_t id_in(struct fixture *fixture, const char *name) {
    uint32_t id;
    enum status status = store_namespace(fixture->store, slice_from_text(name), true, &id);
    ck_assert_int_eq(status, STATUS_OK);
    return id;
}

START_TEST(a_name_survives_with_the_first_commit_in_it) {
    static const struct power_cut cut = {.mode = POWER_CUT_DROP_ALL};
    struct fixture fixture;
    uint32_t used;
    uint32_t unused;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    unused = id_in(&fixture, "unused");
    used = id_in(&fixture, "used");
    ck_assert_int_eq(put_in(&fixture, used, "1", STORE_SYNCED).status, STATUS_OK);
    fixture_power_cut(&fixture, &cut);
    fixture_open(&fixture);
    ck_assert_uint_eq(id_in(&fixture, "used"), used);
    ck_assert_int_eq(store_namespace(fixture.store, slice_from_text("unused"), false, &unused),
                     STATUS_NOT_FOUND);
    ck_assert_uint_ne(id_in(&fixture, "another"), used);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_system_namespace_is_not_for_callers) {
    struct store_put put = {.namespace_id = NAMESPACE_SYSTEM,
                            .key = slice_from_text("namespace/x")};
    struct store_commit *commit;
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_put(commit, &put), STATUS_INVALID);
    ck_assert_int_eq(store_commit_delete(commit, NAMESPACE_SYSTEM, put.key, NULL), STATUS_INVALID);
    store_commit_destroy(commit);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("namespaces", a_name_keeps_its_id_and_no_two_share_one, names_are_checked,
          a_new_name_is_pending_until_it_is_settled, loaded_ids_are_not_given_again,
          want_of_memory_leaves_it_as_it_was, a_row_is_what_it_was_and_an_old_one_is_an_id_only,
          a_row_that_is_cut_or_too_long_is_corrupt,
          a_dropped_name_is_found_by_reads_until_it_is_forgotten,
          settings_are_told_of_those_that_have_any, a_name_survives_with_the_first_commit_in_it,
          the_system_namespace_is_not_for_callers)
