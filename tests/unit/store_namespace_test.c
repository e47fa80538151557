/* store_namespace_test.c: namespaces of a store: made, listed, limited, dropped, made again. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <stdio.h>
#include <string.h>

static const struct power_cut drop_all = {.mode = POWER_CUT_DROP_ALL};

/* ---- Verbs ------------------------------------------------------------------------------------
 */

static uint32_t id_of(struct fixture *fixture, const char *name) {
    uint32_t id = 0;
    enum status status = store_namespace(fixture->store, slice_from_text(name), true, &id);
    ck_assert_int_eq(status, STATUS_OK);
    return id;
}

static bool exists(struct fixture *fixture, const char *name) {
    uint32_t id;
    enum status status = store_namespace(fixture->store, slice_from_text(name), false, &id);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return status == STATUS_OK;
}

static void fill_put(struct store_commit *commit, uint32_t id, const char *key, size_t bytes) {
    uint8_t *value = memory_alloc(bytes + 1);
    struct store_put put = {.namespace_id = id, .key = slice_from_text(key)};
    enum status status;

    ck_assert_ptr_nonnull(value);
    fixture_fill(value, bytes, bytes);
    put.value = slice_make(value, bytes);
    status = store_commit_put(commit, &put);
    memory_free(value);
    ck_assert_int_eq(status, STATUS_OK);
}

static enum status put(struct fixture *fixture, uint32_t id, const char *key, size_t bytes) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    fill_put(commit, id, key, bytes);
    return fixture_commit_end(fixture, commit, STORE_SYNCED).status;
}

static enum status delete(struct fixture *fixture, uint32_t id, const char *key) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status = store_commit_delete(commit, id, slice_from_text(key), NULL);
    ck_assert_int_eq(status, STATUS_OK);
    return fixture_commit_end(fixture, commit, STORE_SYNCED).status;
}

static struct store_commit *fill_set(struct fixture *fixture, const char *name,
                                     struct store_namespace_settings settings) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status = store_commit_namespace_set(commit, slice_from_text(name), &settings);
    ck_assert_int_eq(status, STATUS_OK);
    return commit;
}

static void set(struct fixture *fixture, const char *name,
                struct store_namespace_settings settings) {
    struct store_commit *commit = fill_set(fixture, name, settings);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

static struct store_commit *fill_drop(struct fixture *fixture, const char *name) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status = store_commit_namespace_drop(commit, slice_from_text(name));
    ck_assert_int_eq(status, STATUS_OK);
    return commit;
}

static void drop(struct fixture *fixture, const char *name) {
    struct store_commit *commit = fill_drop(fixture, name);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

static bool has_key(struct fixture *fixture, uint32_t id, const char *key) {
    struct store_read read;
    enum status status;

    store_read_begin(fixture->store, &read);
    status =
        store_get(&read, id, slice_from_text(key), STORE_WAIT_ALLOWED, NULL, NULL, &fixture->error);
    store_read_end(&read);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return status == STATUS_OK;
}

#define LISTED_MAX 16u

struct list {
    struct store_namespace_info infos[LISTED_MAX];
    char names[LISTED_MAX][32];
    uint32_t count;
};

static void list_cb(void *arg, const struct store_namespace_info *info) {
    struct list *list = arg;

    ck_assert_uint_lt(list->count, LISTED_MAX);
    list->infos[list->count] = *info;
    snprintf(list->names[list->count], 32, "%.*s", (int)info->name.len,
             (const char *)info->name.ptr);
    list->count++;
}

static struct list list_of(struct fixture *fixture) {
    struct list list = {.count = 0};
    enum status status = store_namespace_list(fixture->store, list_cb, &list, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
    return list;
}

static struct store_namespace_info info_of(struct fixture *fixture, const char *name) {
    struct list list = list_of(fixture);

    for (uint32_t i = 0; i < list.count; i++) {
        if (strcmp(list.names[i], name) == 0) {
            return list.infos[i];
        }
    }
    ck_abort_msg("no namespace %s", name);
}

static void compact(struct fixture *fixture) {
    enum status status = store_flush(fixture->store, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
    status = store_compact(fixture->store, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
}

static void begin(struct fixture *fixture) {
    fixture_init(fixture, 1);
    fixture_open(fixture);
}

/* ---- Making, listing --------------------------------------------------------------------------
 */

START_TEST(the_default_one_is_always_there) {
    struct fixture fixture;
    struct list list;

    begin(&fixture);
    list = list_of(&fixture);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.infos[0].id, STORE_NAMESPACE_DEFAULT);
    ck_assert_uint_eq(list.infos[0].keys, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(settings_are_kept_over_power_cuts) {
    struct store_namespace_settings settings = {1000000, 3600000, 5};
    struct store_namespace_info info;
    struct fixture fixture;
    struct list list;

    begin(&fixture);
    set(&fixture, "b", settings);
    set(&fixture, "a", (struct store_namespace_settings){0});
    settings.quota_bytes = 5000000;
    set(&fixture, "", settings); /* the default one */
    fixture_power_cut(&fixture, &drop_all);
    fixture_open(&fixture);
    list = list_of(&fixture);
    ck_assert_uint_eq(list.count, 3);
    ck_assert_str_eq(list.names[0], "");
    ck_assert_str_eq(list.names[1], "a");
    ck_assert_str_eq(list.names[2], "b");
    info = info_of(&fixture, "b");
    ck_assert_uint_eq(info.settings.quota_bytes, 1000000);
    ck_assert_uint_eq(info.settings.keep_ms, 3600000);
    ck_assert_uint_eq(info.settings.keep_versions, 5);
    ck_assert_uint_eq(info_of(&fixture, "").settings.quota_bytes, 5000000);
    ck_assert_uint_eq(info_of(&fixture, "a").settings.quota_bytes, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_first_write_behind_a_set_does_not_undo_it) {
    struct store_namespace_settings settings = {777777, 0, 0};
    struct fixture_commit started[2];
    struct store_commit *commit;
    struct fixture fixture;

    begin(&fixture);
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, id_of(&fixture, "n"), "key", 10); /* the name is new to it */
    fixture_commit_start(&fixture, &started[0], fill_set(&fixture, "n", settings), STORE_SYNCED);
    fixture_commit_start(&fixture, &started[1], commit, STORE_SYNCED);
    fixture_settle(&fixture);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(started[i].outcome.status, STATUS_OK);
        fixture_commit_finish(&started[i]);
    }
    fixture_reopen(&fixture);
    ck_assert_uint_eq(info_of(&fixture, "n").settings.quota_bytes, 777777);
    ck_assert(has_key(&fixture, id_of(&fixture, "n"), "key"));
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(live_keys_and_bytes_are_counted) {
    struct store_namespace_info info;
    struct fixture fixture;
    char key[16];
    uint32_t id;

    begin(&fixture);
    id = id_of(&fixture, "n");
    for (uint32_t i = 0; i < 50; i++) {
        snprintf(key, sizeof key, "key%02u", i);
        ck_assert_int_eq(put(&fixture, id, key, i % 2 ? 20 : 3000), STATUS_OK);
    }
    ck_assert_uint_eq(info_of(&fixture, "n").keys, 50); /* in memory */
    for (uint32_t i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "key%02u", i);
        ck_assert_int_eq(delete (&fixture, id, key), STATUS_OK);
    }
    ck_assert_uint_eq(info_of(&fixture, "n").keys, 40); /* an estimate, here a good one */
    compact(&fixture);
    info = info_of(&fixture, "n");
    ck_assert_uint_eq(info.keys, 40);
    ck_assert_uint_gt(info.live_bytes, 20 * 1500);
    ck_assert_uint_lt(info.live_bytes, 20 * 3000 + 40 * 100);
    ck_assert_uint_eq(info.pinned_bytes, 0);
    fixture_reopen(&fixture);
    ck_assert_uint_eq(info_of(&fixture, "n").keys, 40);
    ck_assert_uint_eq(info_of(&fixture, "").keys, 0);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(names_that_are_not_valid_are_refused) {
    struct store_namespace_settings settings = {0};
    struct store_commit *commit;
    struct fixture fixture;

    begin(&fixture);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_namespace_set(commit, slice_from_text("a\n"), &settings),
                     STATUS_INVALID);
    ck_assert_int_eq(store_commit_namespace_drop(commit, slice_from_text("")), STATUS_INVALID);
    ck_assert_int_eq(store_commit_namespace_drop(commit, slice_from_text("none")),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(store_commit_namespace_set(commit, slice_from_text("a"), &settings),
                     STATUS_OK);
    ck_assert_int_eq(store_commit_namespace_set(commit, slice_from_text("a"), &settings),
                     STATUS_INVALID); /* twice in a commit */
    store_commit_destroy(commit);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Quotas -----------------------------------------------------------------------------------
 */

START_TEST(a_quota_refuses_puts_and_nothing_else) {
    struct fixture fixture;
    uint32_t other;
    uint32_t id;

    fixture_init(&fixture, 1);
    fixture.options.compress = false;
    fixture_open(&fixture);
    set(&fixture, "n", (struct store_namespace_settings){.quota_bytes = 10000});
    id = id_of(&fixture, "n");
    other = id_of(&fixture, "other");
    ck_assert_int_eq(put(&fixture, id, "a", 4000), STATUS_OK);
    ck_assert_int_eq(put(&fixture, id, "b", 4000), STATUS_OK);
    ck_assert_int_eq(put(&fixture, id, "c", 4000), STATUS_QUOTA);
    ck_assert(!has_key(&fixture, id, "c"));
    ck_assert_int_eq(put(&fixture, other, "c", 4000), STATUS_OK);
    ck_assert_int_eq(put(&fixture, STORE_NAMESPACE_DEFAULT, "c", 4000), STATUS_OK);
    ck_assert_int_eq(delete (&fixture, id, "a"), STATUS_OK);
    compact(&fixture);
    ck_assert_int_eq(put(&fixture, id, "c", 4000), STATUS_OK);
    ck_assert_int_eq(put(&fixture, id, "d", 4000), STATUS_QUOTA);
    set(&fixture, "n", (struct store_namespace_settings){0}); /* no quota any more */
    ck_assert_int_eq(put(&fixture, id, "d", 4000), STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(puts_of_one_group_and_one_batch_count_for_the_quota) {
    struct fixture_commit started[4];
    struct store_commit *commit;
    struct fixture fixture;
    uint32_t good = 0;
    uint32_t id;

    fixture_init(&fixture, 1);
    fixture.options.compress = false;
    fixture_open(&fixture);
    set(&fixture, "n", (struct store_namespace_settings){.quota_bytes = 10000});
    id = id_of(&fixture, "n");
    for (uint32_t i = 0; i < 4; i++) {
        char key[4] = {'k', (char)('0' + i)};
        commit = fixture_commit_begin(&fixture);
        fill_put(commit, id, key, 4000);
        fixture_commit_start(&fixture, &started[i], commit, STORE_SYNCED);
    }
    fixture_settle(&fixture);
    for (uint32_t i = 0; i < 4; i++) {
        good += started[i].outcome.status == STATUS_OK;
        ck_assert(started[i].outcome.status == STATUS_OK ||
                  started[i].outcome.status == STATUS_QUOTA);
        fixture_commit_finish(&started[i]);
    }
    ck_assert_uint_eq(good, 2);
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, id, "x", 1000);
    fill_put(commit, id, "y", 1000);
    fill_put(commit, STORE_NAMESPACE_DEFAULT, "z", 1000);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_QUOTA);
    ck_assert(!has_key(&fixture, STORE_NAMESPACE_DEFAULT, "z"));
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Drops ------------------------------------------------------------------------------------
 */

START_TEST(a_dropped_namespace_is_gone_with_its_keys) {
    struct fixture fixture;
    uint32_t other;
    uint32_t id;

    begin(&fixture);
    id = id_of(&fixture, "n");
    other = id_of(&fixture, "other");
    ck_assert_int_eq(put(&fixture, id, "a", 3000), STATUS_OK);
    compact(&fixture);
    ck_assert_int_eq(put(&fixture, id, "b", 10), STATUS_OK);
    ck_assert_int_eq(put(&fixture, other, "a", 10), STATUS_OK);
    drop(&fixture, "n");
    ck_assert(!exists(&fixture, "n"));
    ck_assert(exists(&fixture, "other"));
    ck_assert_uint_eq(list_of(&fixture).count, 2);
    ck_assert(!has_key(&fixture, id, "a"));
    ck_assert(!has_key(&fixture, id, "b"));
    ck_assert(has_key(&fixture, other, "a"));
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_same_name_made_again_is_another_namespace) {
    struct fixture fixture;
    uint32_t old_id;
    uint32_t id;

    begin(&fixture);
    old_id = id_of(&fixture, "n");
    ck_assert_int_eq(put(&fixture, old_id, "a", 10), STATUS_OK);
    set(&fixture, "n", (struct store_namespace_settings){.quota_bytes = 1});
    drop(&fixture, "n");
    id = id_of(&fixture, "n");
    ck_assert_uint_ne(id, old_id);
    ck_assert_int_eq(put(&fixture, id, "b", 10), STATUS_OK); /* no quota of old */
    ck_assert(!has_key(&fixture, id, "a"));
    fixture_reopen(&fixture);
    ck_assert_uint_eq(id_of(&fixture, "n"), id);
    ck_assert(has_key(&fixture, id, "b"));
    ck_assert(!has_key(&fixture, id, "a"));
    ck_assert(!has_key(&fixture, old_id, "a"));
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(ids_are_not_given_again_after_a_drop_and_a_crash) {
    struct fixture fixture;
    uint32_t id;

    begin(&fixture);
    id = id_of(&fixture, "n");
    ck_assert_int_eq(put(&fixture, id, "a", 10), STATUS_OK);
    drop(&fixture, "n"); /* it had the highest id */
    fixture_power_cut(&fixture, &drop_all);
    fixture_open(&fixture);
    ck_assert(!exists(&fixture, "n"));
    ck_assert_uint_gt(id_of(&fixture, "m"), id);
    ck_assert(!has_key(&fixture, id, "a"));
    compact(&fixture);
    fixture_reopen(&fixture);
    ck_assert_uint_gt(id_of(&fixture, "m"), id);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_put_behind_the_drop_finds_no_namespace) {
    struct fixture_commit started[3];
    struct store_commit *commit;
    struct fixture fixture;
    uint32_t id;

    begin(&fixture);
    id = id_of(&fixture, "n");
    ck_assert_int_eq(put(&fixture, id, "a", 10), STATUS_OK);
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, id, "before", 10);
    fixture_commit_start(&fixture, &started[0], commit, STORE_SYNCED);
    fixture_commit_start(&fixture, &started[1], fill_drop(&fixture, "n"), STORE_SYNCED);
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, id, "after", 10);
    fill_put(commit, STORE_NAMESPACE_DEFAULT, "beside", 10);
    fixture_commit_start(&fixture, &started[2], commit, STORE_SYNCED);
    fixture_settle(&fixture);
    ck_assert_int_eq(started[0].outcome.status, STATUS_OK);
    ck_assert_int_eq(started[1].outcome.status, STATUS_OK);
    ck_assert_int_eq(started[2].outcome.status, STATUS_NOT_FOUND);
    for (int i = 0; i < 3; i++) {
        fixture_commit_finish(&started[i]);
    }
    ck_assert(!has_key(&fixture, id, "before"));
    ck_assert(!has_key(&fixture, id, "after"));
    ck_assert(!has_key(&fixture, STORE_NAMESPACE_DEFAULT, "beside"));
    ck_assert_int_eq(put(&fixture, id, "later", 10), STATUS_NOT_FOUND);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(one_of_two_drops_finds_no_namespace) {
    struct fixture_commit started[2];
    struct fixture fixture;

    begin(&fixture);
    ck_assert_int_eq(put(&fixture, id_of(&fixture, "n"), "a", 10), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        fixture_commit_start(&fixture, &started[i], fill_drop(&fixture, "n"), STORE_SYNCED);
    }
    fixture_settle(&fixture);
    ck_assert_int_eq(started[0].outcome.status, STATUS_OK);
    ck_assert_int_eq(started[1].outcome.status, STATUS_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        fixture_commit_finish(&started[i]);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_commit_does_not_write_to_what_it_drops) {
    struct store_commit *commit;
    struct fixture fixture;
    uint32_t id;

    begin(&fixture);
    id = id_of(&fixture, "n");
    ck_assert_int_eq(put(&fixture, id, "a", 10), STATUS_OK);
    commit = fill_drop(&fixture, "n");
    fill_put(commit, id, "b", 10);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_INVALID);
    ck_assert(has_key(&fixture, id, "a"));
    ck_assert(exists(&fixture, "n"));
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_space_of_a_dropped_namespace_comes_back) {
    struct fixture fixture;
    char key[16];
    uint32_t id;

    begin(&fixture);
    id = id_of(&fixture, "n");
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "key%03u", i);
        ck_assert_int_eq(put(&fixture, id, key, 2000), STATUS_OK);
    }
    drop(&fixture, "n");
    compact(&fixture);
    ck_assert_uint_eq(fixture_stat(&fixture, "table_entries") < 20, 1);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(want_of_memory_leaves_names_as_they_were) {
    struct store_namespace_settings settings = {.keep_versions = 3};
    struct fixture fixture;

    begin(&fixture);
    ck_assert_int_eq(put(&fixture, id_of(&fixture, "n"), "a", 10), STATUS_OK);
    for (uint64_t n = 0; n < 30; n++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        struct store_outcome outcome = {.status = STATUS_NO_MEMORY};
        char name[8];
        enum status status;
        snprintf(name, sizeof name, "m%02u", (unsigned)n);
        memory_fail_after(n, false);
        status = store_commit_namespace_set(commit, slice_from_text(name), &settings);
        if (status == STATUS_OK) {
            outcome = fixture_commit_end(&fixture, commit, STORE_LOGGED);
        } else {
            store_commit_destroy(commit);
        }
        memory_fail_never();
        ck_assert(outcome.status == STATUS_OK || outcome.status == STATUS_NO_MEMORY);
        if (outcome.status == STATUS_OK) {
            ck_assert_uint_eq(info_of(&fixture, name).settings.keep_versions, 3);
            drop(&fixture, name);
        }
        ck_assert_uint_eq(list_of(&fixture).count, 2);
    }
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_namespace", the_default_one_is_always_there, settings_are_kept_over_power_cuts,
          a_first_write_behind_a_set_does_not_undo_it, live_keys_and_bytes_are_counted,
          names_that_are_not_valid_are_refused, a_quota_refuses_puts_and_nothing_else,
          puts_of_one_group_and_one_batch_count_for_the_quota,
          a_dropped_namespace_is_gone_with_its_keys, the_same_name_made_again_is_another_namespace,
          ids_are_not_given_again_after_a_drop_and_a_crash,
          a_put_behind_the_drop_finds_no_namespace, one_of_two_drops_finds_no_namespace,
          a_commit_does_not_write_to_what_it_drops, the_space_of_a_dropped_namespace_comes_back,
          want_of_memory_leaves_names_as_they_were)
