/* version_set_test.c: what an install refuses, and what it leaves then. */
#include "storage/version_set.h"

#include "storage/env_memory.h"
#include "storage/scheduler.h"
#include "tests/unit/manifest_fixture.h"

static struct env *env;
static struct scheduler *scheduler;
static struct compression *compression;
static struct table_cache *tables;
static struct segment_cache *segments;
static struct reclaim reclaim;
static struct version_files files;
static struct view_holder views;
static struct version_set set;
static struct version_edit edit;
static struct error error;

static void make_caches(void) {
    struct table_source table_source = {.env = env, .dir = "d", .compression = compression};
    struct segment_source segment_source = {.env = env, .dir = "d", .compression = compression};

    ck_assert_int_eq(table_cache_create(&table_source, 4, &tables), STATUS_OK);
    ck_assert_int_eq(segment_cache_create(&segment_source, 4, &segments), STATUS_OK);
    reclaim_init(&reclaim, env, "d", scheduler);
    files = (struct version_files){.tables = tables, .segments = segments, .reclaim = &reclaim};
}

/* An empty store, open. */
static void start(void) {
    struct manifest_options options = {.dir = "d"};
    struct manifest_state state;
    struct manifest *manifest;
    struct memtable *memtable;
    struct version *version;
    struct view *view;

    ck_assert_int_eq(env_memory_create(NULL, &env), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, "d", NULL), STATUS_OK);
    ck_assert_int_eq(scheduler_sim_create(1, &scheduler), STATUS_OK);
    ck_assert_int_eq(compression_create(&compression), STATUS_OK);
    make_caches();
    options.env = env;
    manifest_state_init(&state, fixture_store_id);
    ck_assert_int_eq(manifest_start(&options, &state, &manifest, &error), STATUS_OK);
    ck_assert_int_eq(version_from_state(&files, manifest_state(manifest), &version), STATUS_OK);
    ck_assert_int_eq(memtable_create(1000, &memtable), STATUS_OK);
    ck_assert_int_eq(view_create(memtable, NULL, 0, version, &view), STATUS_OK);
    memtable_unref(memtable);
    view_holder_init(&views, view);
    version_set_init(&set, &files, &views, manifest, version);
    version_edit_init(&edit);
}

static void finish(void) {
    version_edit_deinit(&edit);
    view_holder_deinit(&views);
    version_set_deinit(&set);
    scheduler_drain(scheduler);
    reclaim_deinit(&reclaim);
    scheduler_destroy(scheduler);
    table_cache_destroy(tables);
    segment_cache_destroy(segments);
    compression_destroy(compression);
    env_memory_destroy(env);
}

static enum status install(void) {
    enum status status = version_set_install(&set, &edit, NULL, &error);
    version_edit_clear(&edit);
    return status;
}

static enum segment_place place_of(uint64_t segment) {
    struct version *version = version_set_take(&set);
    const struct relocation *relocation;
    enum segment_place place = version_resolve(version, segment, &relocation);

    version_unref(version);
    return place;
}

START_TEST(a_table_that_refers_to_no_segment_is_refused) {
    start();
    add_table(&edit, 1, 20, 100, 200); /* refers to segment 3 */
    ck_assert_int_eq(install(), STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "not there: 3"));
    add_segment(&edit, 3);
    add_table(&edit, 1, 20, 100, 200);
    ck_assert_int_eq(install(), STATUS_OK); /* and the refusal was not final */
    finish();
}
END_TEST

START_TEST(a_segment_that_a_table_refers_to_goes_only_when_it_is_relocated) {
    start();
    add_segment(&edit, 3);
    add_table(&edit, 1, 20, 100, 200);
    ck_assert_int_eq(install(), STATUS_OK);
    remove_segment(&edit, 3);
    ck_assert_int_eq(install(), STATUS_CORRUPT);
    ck_assert_int_eq(place_of(3), SEGMENT_LIVE);
    remove_segment(&edit, 3);
    add_segment(&edit, 8);
    seal_segment(&edit, 8, 9000);
    add_relocation(&edit, 3, 8);
    ck_assert_int_eq(install(), STATUS_OK);
    ck_assert_int_eq(place_of(3), SEGMENT_RELOCATED);
    ck_assert_int_eq(place_of(8), SEGMENT_LIVE);
    finish();
}
END_TEST

START_TEST(what_is_installed_is_there_after_the_manifest_is_read_again) {
    struct manifest_state state;
    struct manifest_load_report report;
    struct version *version;
    const struct relocation *relocation = NULL;

    start();
    add_segment(&edit, 8);
    seal_segment(&edit, 8, 9000);
    ck_assert_int_eq(version_edit_mark_damaged(&edit, 8), STATUS_OK);
    add_relocation(&edit, 3, 8);
    add_table(&edit, 1, 20, 100, 200);
    ck_assert_int_eq(install(), STATUS_OK);
    ck_assert_int_eq(manifest_load(env, "d", &state, &report, &error), STATUS_OK);
    ck_assert_int_eq(version_from_state(&files, &state, &version), STATUS_OK);
    ck_assert_int_eq(version_resolve(version, 3, &relocation), SEGMENT_RELOCATED);
    ck_assert_uint_eq(relocation->target, 8);
    ck_assert_uint_eq(relocation->entries, 3);
    ck_assert_uint_eq(version_segment(version, 8)->length_bytes, 9000);
    ck_assert(version_segment(version, 8)->damaged);
    version_unref(version);
    manifest_state_deinit(&state);
    finish();
}
END_TEST

UNIT_MAIN("version_set", a_table_that_refers_to_no_segment_is_refused,
          a_segment_that_a_table_refers_to_goes_only_when_it_is_relocated,
          what_is_installed_is_there_after_the_manifest_is_read_again)
