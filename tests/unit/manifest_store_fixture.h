/* manifest_store_fixture.h: a store's directory in memory, its manifest, and the descriptions of
 * the states that it has been in. */
#ifndef KVD_TESTS_UNIT_MANIFEST_STORE_FIXTURE_H
#define KVD_TESTS_UNIT_MANIFEST_STORE_FIXTURE_H

#include "storage/env_memory.h"
#include "storage/file_name.h"
#include "storage/manifest.h"
#include "tests/unit/manifest_fixture.h"

#define DIR_NAME "db"
#define FILE_MAX (64 * 1024)
#define EDITS_MAX 40

static struct env *env;
static struct manifest *manifest;
static struct manifest_load_report report;
static struct error error;
static char descriptions[EDITS_MAX + 1][DESCRIPTION_MAX]; /* after so many edits */
static unsigned edits;                                    /* attempted */
static uint8_t original[FILE_MAX];
static size_t original_bytes;
static uint64_t rotate_bytes;

/* ---- fixture ---- */

static inline void store_init(void) {
    edits = 0;
    manifest = NULL;
    rotate_bytes = 0;
    ck_assert_int_eq(env_memory_create(NULL, &env), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, DIR_NAME, NULL), STATUS_OK);
}

static inline void store_deinit(void) {
    manifest_close(manifest);
    env_memory_destroy(env);
}

static inline enum status try_start(struct manifest_state *state) {
    struct manifest_options options = {.env = env, .dir = DIR_NAME, .rotate_bytes = rotate_bytes};
    return manifest_start(&options, state, &manifest, &error);
}

static inline void note(void) {
    state_describe(manifest_state(manifest), descriptions[edits], DESCRIPTION_MAX);
}

static inline enum status try_create(void) {
    struct manifest_state state;
    enum status status;
    manifest_state_init(&state, fixture_store_id);
    status = try_start(&state);
    manifest_state_deinit(&state);
    if (status == STATUS_OK) {
        note();
    }
    return status;
}

static inline void create(void) {
    ck_assert_int_eq(try_create(), STATUS_OK);
}

/* The n-th edit of a store's life: a segment or a table comes, some go, numbers rise. */
static inline void make_edit(struct version_edit *edit, unsigned n) {
    version_edit_init(edit);
    add_segment(edit, 100 + n);
    if (n > 0) {
        seal_segment(edit, 99 + n, n * 1000);
    }
    if (n > 2) {
        remove_segment(edit, 97 + n);
    }
    add_table(edit, n % 2, 500 + n, n * 10, n * 10 + 9);
    if (n > 3) {
        remove_table(edit, n % 2, 496 + n);
    }
    version_edit_set(edit, EDIT_VERSION_CEILING, 1000 * (n + 1));
}

static inline enum status try_append(void) {
    struct version_edit edit;
    enum status status;
    make_edit(&edit, edits);
    status = manifest_append(manifest, &edit, &error);
    version_edit_deinit(&edit);
    if (status == STATUS_OK || status == STATUS_IO) {
        edits++;
        note(); /* IO: perhaps it arrived all the same */
    }
    return status;
}

static inline void append(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(try_append(), STATUS_OK);
    }
}

static inline void path_of(uint64_t number, char path[ENV_PATH_MAX]) {
    ck_assert_int_eq(file_path_make(DIR_NAME, FILE_MANIFEST, number, path), STATUS_OK);
}

static inline size_t get_file(uint64_t number, uint8_t *bytes) {
    char path[ENV_PATH_MAX];
    struct env_file *file;
    size_t got = 0;
    path_of(number, path);
    ck_assert_int_eq(env_open(env, path, ENV_READ_CACHED, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_read(file, 0, bytes, FILE_MAX, &got, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    return got;
}

static inline void put_path(const char *path, const uint8_t *bytes, size_t len) {
    struct slice slice = slice_make(bytes, len);
    struct env_file *file;
    enum status status = env_remove(env, path, NULL);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    ck_assert_int_eq(env_create(env, path, &file, NULL), STATUS_OK);
    ck_assert(len == 0 || env_append(file, &slice, 1, NULL) == STATUS_OK);
    ck_assert_int_eq(env_sync(file, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(env, DIR_NAME, NULL), STATUS_OK);
}

static inline void put_file(uint64_t number, const uint8_t *bytes, size_t len) {
    char path[ENV_PATH_MAX];
    path_of(number, path);
    put_path(path, bytes, len);
}

static inline void close_manifest(void) {
    manifest_close(manifest);
    manifest = NULL;
}

/* Loads and describes. */
static inline enum status load(char description[DESCRIPTION_MAX]) {
    struct manifest_state state;
    enum status status = manifest_load(env, DIR_NAME, &state, &report, &error);
    if (status == STATUS_OK) {
        state_describe(&state, description, DESCRIPTION_MAX);
        manifest_state_deinit(&state);
    }
    return status;
}

static inline void expect_state_after(unsigned count) {
    char description[DESCRIPTION_MAX];
    struct manifest_state state;
    ck_assert_int_eq(manifest_load(env, DIR_NAME, &state, &report, &error), STATUS_OK);
    ck_assert_uint_ge(state.scalars[EDIT_NEXT_FILE_NUMBER], 1);
    state_describe(&state, description, DESCRIPTION_MAX);
    manifest_state_deinit(&state);
    ck_assert_str_eq(description, descriptions[count]);
}

/* Restarts: loads and begins a new manifest with what was loaded. */
static inline void restart(void) {
    struct manifest_state state;
    close_manifest();
    ck_assert_int_eq(manifest_load(env, DIR_NAME, &state, &report, &error), STATUS_OK);
    ck_assert_int_eq(try_start(&state), STATUS_OK);
}

struct listing {
    unsigned manifests;
    uint64_t newest;
};

static inline enum status listing_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct listing *listing = arg;
    enum file_kind kind;
    uint64_t number;
    (void)size_bytes;
    if (file_name_parse(name, &kind, &number) && kind == FILE_MANIFEST) {
        listing->manifests++;
        listing->newest = number > listing->newest ? number : listing->newest;
    }
    return STATUS_OK;
}

static inline struct listing list_manifests(void) {
    struct listing listing = {0, 0};
    ck_assert_int_eq(env_list(env, DIR_NAME, listing_cb, &listing, NULL), STATUS_OK);
    return listing;
}

/* Writes a manifest of five edits; returns where the last one begins. */
static inline size_t write_five_edits(void) {
    size_t last;
    store_init();
    create();
    append(4);
    last = get_file(1, original);
    append(1);
    original_bytes = get_file(1, original);
    close_manifest();
    return last;
}

#endif
