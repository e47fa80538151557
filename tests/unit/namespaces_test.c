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
          want_of_memory_leaves_it_as_it_was, a_name_survives_with_the_first_commit_in_it,
          the_system_namespace_is_not_for_callers)
