/* manifest_test.c: the manifest through restarts, torn tails, damage, power cuts and full disks. */
#include "storage/manifest.h"

#include "protocol/base/bytes.h"
#include "storage/checksum.h"
#include "storage/env_fault.h"
#include "storage/env_memory.h"
#include "storage/file_name.h"
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
static uint8_t changed[FILE_MAX];
static size_t original_bytes;
static uint64_t rotate_bytes;

/* ---- fixture ---- */

static void store_init(void) {
    edits = 0;
    manifest = NULL;
    rotate_bytes = 0;
    ck_assert_int_eq(env_memory_create(NULL, &env), STATUS_OK);
    ck_assert_int_eq(env_make_dir(env, DIR_NAME, NULL), STATUS_OK);
}

static void store_deinit(void) {
    manifest_close(manifest);
    env_memory_destroy(env);
}

static enum status try_start(struct manifest_state *state) {
    struct manifest_options options = {.env = env, .dir = DIR_NAME, .rotate_bytes = rotate_bytes};
    return manifest_start(&options, state, &manifest, &error);
}

static void note(void) {
    state_describe(manifest_state(manifest), descriptions[edits], DESCRIPTION_MAX);
}

static enum status try_create(void) {
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

static void create(void) {
    ck_assert_int_eq(try_create(), STATUS_OK);
}

/* The n-th edit of a store's life: a segment or a table comes, some go, numbers rise. */
static void make_edit(struct version_edit *edit, unsigned n) {
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

static enum status try_append(void) {
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

static void append(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(try_append(), STATUS_OK);
    }
}

static void path_of(uint64_t number, char path[ENV_PATH_MAX]) {
    ck_assert_int_eq(file_path_make(DIR_NAME, FILE_MANIFEST, number, path), STATUS_OK);
}

static size_t get_file(uint64_t number, uint8_t *bytes) {
    char path[ENV_PATH_MAX];
    struct env_file *file;
    size_t got = 0;
    path_of(number, path);
    ck_assert_int_eq(env_open(env, path, ENV_READ_CACHED, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_read(file, 0, bytes, FILE_MAX, &got, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    return got;
}

static void put_path(const char *path, const uint8_t *bytes, size_t len) {
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

static void put_file(uint64_t number, const uint8_t *bytes, size_t len) {
    char path[ENV_PATH_MAX];
    path_of(number, path);
    put_path(path, bytes, len);
}

static void close_manifest(void) {
    manifest_close(manifest);
    manifest = NULL;
}

/* Loads and describes. */
static enum status load(char description[DESCRIPTION_MAX]) {
    struct manifest_state state;
    enum status status = manifest_load(env, DIR_NAME, &state, &report, &error);
    if (status == STATUS_OK) {
        state_describe(&state, description, DESCRIPTION_MAX);
        manifest_state_deinit(&state);
    }
    return status;
}

static void expect_state_after(unsigned count) {
    char description[DESCRIPTION_MAX];
    struct manifest_state state;
    ck_assert_int_eq(manifest_load(env, DIR_NAME, &state, &report, &error), STATUS_OK);
    ck_assert_uint_ge(state.scalars[EDIT_NEXT_FILE_NUMBER], 1);
    state_describe(&state, description, DESCRIPTION_MAX);
    manifest_state_deinit(&state);
    ck_assert_str_eq(description, descriptions[count]);
}

/* Restarts: loads and begins a new manifest with what was loaded. */
static void restart(void) {
    struct manifest_state state;
    close_manifest();
    ck_assert_int_eq(manifest_load(env, DIR_NAME, &state, &report, &error), STATUS_OK);
    ck_assert_int_eq(try_start(&state), STATUS_OK);
}

struct listing {
    unsigned manifests;
    uint64_t newest;
};

static enum status listing_cb(void *arg, const char *name, uint64_t size_bytes) {
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

static struct listing list_manifests(void) {
    struct listing listing = {0, 0};
    ck_assert_int_eq(env_list(env, DIR_NAME, listing_cb, &listing, NULL), STATUS_OK);
    return listing;
}

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

/* Writes a manifest of five edits; returns where the last one begins. */
static size_t write_five_edits(void) {
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

/* ---- power cuts ---- */

/* A life of a store until something fails; returns how many edits were acknowledged. */
static unsigned live_until_failure(void) {
    if (try_create() != STATUS_OK) {
        return 0;
    }
    while (edits < 12) {
        if (edits == 6 && manifest_rotate(manifest, &error) != STATUS_OK) {
            return edits;
        }
        if (try_append() != STATUS_OK) {
            return edits - (error.status == STATUS_IO); /* the one that failed counts as tried */
        }
    }
    return edits;
}

/* What is loaded after the cut is the state after some edit between those acknowledged and those
 * tried. A store that had acknowledged nothing may be no store. */
static void expect_acknowledged(struct env *after, unsigned acknowledged) {
    char description[DESCRIPTION_MAX];
    struct env *saved = env;
    struct manifest_state state;
    enum status status;
    bool found = false;

    env = after;
    status = manifest_load(env, DIR_NAME, &state, &report, &error);
    ck_assert(status == STATUS_OK || (status == STATUS_NOT_FOUND && acknowledged == 0));
    if (status == STATUS_OK) {
        state_describe(&state, description, sizeof description);
        manifest_state_deinit(&state);
        for (unsigned i = acknowledged; i <= edits && !found; i++) {
            found = strcmp(description, descriptions[i]) == 0;
        }
        ck_assert_msg(found, "acknowledged %u, tried %u, loaded %s", acknowledged, edits,
                      description);
    }
    env = saved;
}

static void cut_power(uint64_t n, const struct power_cut *cut) {
    struct env *after;
    unsigned acknowledged;
    store_init();
    descriptions[0][0] = '\0';
    env_memory_set_crash_point(env, n);
    acknowledged = live_until_failure();
    if (!manifest) { /* the first snapshot may have arrived all the same */
        struct manifest_state state;
        manifest_state_init(&state, fixture_store_id);
        state_describe(&state, descriptions[0], DESCRIPTION_MAX);
        manifest_state_deinit(&state);
    }
    ck_assert_int_eq(env_memory_clone(env, cut, &after), STATUS_OK);
    expect_acknowledged(after, acknowledged);
    env_memory_destroy(after);
    store_deinit();
}

static uint64_t count_mutations(void) {
    uint64_t mutations;
    store_init();
    ck_assert_uint_eq(live_until_failure(), 12);
    mutations = env_memory_mutations(env);
    store_deinit();
    return mutations;
}

START_TEST(power_cut_at_every_change_keeps_acknowledged_edits) {
    const enum power_cut_mode modes[] = {POWER_CUT_DROP_ALL, POWER_CUT_KEEP_ALL, POWER_CUT_NONE};
    const enum power_cut_entries entries[] = {POWER_CUT_ENTRIES_DROP, POWER_CUT_ENTRIES_KEEP};
    uint64_t mutations = count_mutations();
    for (uint64_t n = 1; n <= mutations; n++) {
        for (int i = 0; i < 6; i++) {
            struct power_cut cut = {.mode = modes[i % 3], .entries = entries[i / 3]};
            cut.block_bytes = 4096;
            cut_power(n, &cut);
        }
    }
}
END_TEST

START_TEST(power_cut_with_random_blocks_missing_keeps_acknowledged_edits) {
    uint64_t mutations = count_mutations();
    for (uint64_t n = 1; n <= mutations; n++) {
        for (uint64_t seed = 0; seed < 60; seed++) {
            struct power_cut cut = {.seed = seed * 7919 + n,
                                    .mode = POWER_CUT_RANDOM_SUBSET,
                                    .entries = POWER_CUT_ENTRIES_RANDOM,
                                    .garbage = seed % 3 == 0};
            cut.block_bytes = seed % 2 ? 512 : 4096;
            cut_power(n, &cut);
        }
    }
}
END_TEST

START_TEST(version_ceiling_is_durable_before_it_is_reached) {
    const struct power_cut cut = {
        .mode = POWER_CUT_DROP_ALL, .entries = POWER_CUT_ENTRIES_DROP, .block_bytes = 4096};
    store_init();
    create();
    for (uint64_t ceiling = 100; ceiling <= 1000; ceiling += 100) {
        struct version_edit edit;
        struct env *after;
        struct manifest_state state;
        version_edit_init(&edit);
        version_edit_set(&edit, EDIT_VERSION_CEILING, ceiling);
        ck_assert_int_eq(manifest_append(manifest, &edit, &error), STATUS_OK);
        version_edit_deinit(&edit);
        ck_assert_int_eq(env_memory_clone(env, &cut, &after), STATUS_OK);
        ck_assert_int_eq(manifest_load(after, DIR_NAME, &state, &report, &error), STATUS_OK);
        ck_assert_uint_eq(manifest_state_get(&state, EDIT_VERSION_CEILING), ceiling);
        manifest_state_deinit(&state);
        env_memory_destroy(after);
    }
    store_deinit();
}
END_TEST

/* ---- failures of the machine ---- */

static struct env *memory; /* below a fault environment */

static void faults_begin(const struct fault_rule *rule) {
    const struct env_fault_options options = {.lose_unsynced_cb = env_memory_drop_unsynced_writes};
    memory = env;
    ck_assert_int_eq(env_fault_create(memory, &options, &env), STATUS_OK);
    env_fault_add(env, rule);
}

static void faults_end(void) {
    close_manifest();
    env_fault_destroy(env);
    env = memory;
}

START_TEST(failed_write_or_sync_of_an_edit_is_final) {
    const uint32_t kinds[] = {FAULT_APPEND, FAULT_SYNC};
    for (int i = 0; i < 2; i++) {
        struct fault_rule rule = {.kinds = kinds[i], .countdown = 4, .fault = FAULT_IS_EIO};
        store_init();
        faults_begin(&rule);
        create(); /* one append, one sync */
        append(2);
        ck_assert_int_eq(try_append(), STATUS_IO);
        ck_assert_int_eq(error.status, STATUS_IO);
        ck_assert_int_eq(try_append(), STATUS_LOG_FAILED);
        ck_assert_int_eq(manifest_rotate(manifest, &error), STATUS_LOG_FAILED);
        faults_end();
        expect_state_after(2);
        store_deinit();
    }
}
END_TEST

START_TEST(full_disk_is_told_before_an_edit_is_written_and_is_not_final) {
    struct env_space space;
    unsigned appended = 0;
    store_init();
    create();
    ck_assert_int_eq(env_space(env, DIR_NAME, &space, NULL), STATUS_OK);
    env_memory_set_space(env, 4096);
    while (appended < EDITS_MAX - 2 && try_append() == STATUS_OK) {
        appended++;
    }
    env_memory_set_space(env, space.total_bytes);
    append(1);
    ck_assert_uint_eq(edits, appended + 1);
    expect_state_after(edits);
    store_deinit();
}
END_TEST

START_TEST(rotation_that_fails_anywhere_leaves_the_old_manifest_or_ends_writing) {
    uint64_t calls = 1;
    for (uint64_t n = 1; n <= calls; n++) {
        struct fault_rule rule = {.kinds = FAULT_WRITES & ~FAULT_FINISH, .fault = FAULT_IS_EIO};
        enum status status;
        store_init();
        faults_begin(&(struct fault_rule){.kinds = FAULT_LOCK, .countdown = 1});
        create();
        append(3);
        rule.countdown = n;
        env_fault_add(env, &rule);
        status = manifest_rotate(manifest, &error);
        calls += env_fault_fired(env) > 0;
        env_fault_clear(env);
        if (status == STATUS_OK || status == STATUS_IO) {
            append(1);
        } else {
            ck_assert_int_eq(status, STATUS_LOG_FAILED);
        }
        faults_end();
        expect_state_after(edits);
        store_deinit();
    }
    ck_assert_uint_gt(calls, 5);
}
END_TEST

START_TEST(rotation_whose_failure_cannot_be_taken_back_ends_writing) {
    const struct fault_rule no_sync = {.kinds = FAULT_SYNC, .countdown = 1, .fault = FAULT_IS_EIO};
    const struct fault_rule no_remove = {
        .kinds = FAULT_REMOVE, .countdown = 1, .for_ever = true, .fault = FAULT_IS_EIO};
    store_init();
    faults_begin(&(struct fault_rule){.kinds = FAULT_LOCK, .countdown = 1});
    create();
    append(3);
    env_fault_add(env, &no_sync);
    env_fault_add(env, &no_remove);
    ck_assert_int_eq(manifest_rotate(manifest, &error), STATUS_LOG_FAILED);
    ck_assert_int_eq(try_append(), STATUS_LOG_FAILED);
    faults_end();
    expect_state_after(3);
    store_deinit();
}
END_TEST

START_TEST(load_with_the_nth_io_failing_never_passes_for_less) {
    const enum fault faults[] = {FAULT_IS_EIO, FAULT_IS_SHORT};
    for (int kind = 0; kind < 2; kind++) {
        uint64_t calls = 1;
        for (uint64_t n = 1; n <= calls; n++) {
            struct fault_rule rule = {.kinds = FAULT_ALL & ~FAULT_CLOSE, .countdown = n};
            char description[DESCRIPTION_MAX];
            enum status status;
            write_five_edits();
            rule.fault = faults[kind];
            faults_begin(&rule);
            status = load(description);
            ck_assert(status == STATUS_IO || (status == STATUS_OK && report.edits == 5));
            calls += env_fault_fired(env);
            faults_end();
            store_deinit();
        }
        ck_assert_uint_gt(calls, 4);
    }
}
END_TEST

START_TEST(nth_allocation_failing_is_told_and_leaves_the_manifest_usable) {
    enum status status = STATUS_NO_MEMORY;
    char description[DESCRIPTION_MAX];
    store_init();
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = try_create();
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    append(2);
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = manifest_rotate(manifest, &error);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    append(1);
    close_manifest();
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = load(description);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    expect_state_after(3);
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
          store_of_a_newer_kvd_is_refused_and_untouched,
          power_cut_at_every_change_keeps_acknowledged_edits,
          power_cut_with_random_blocks_missing_keeps_acknowledged_edits,
          version_ceiling_is_durable_before_it_is_reached, failed_write_or_sync_of_an_edit_is_final,
          full_disk_is_told_before_an_edit_is_written_and_is_not_final,
          rotation_that_fails_anywhere_leaves_the_old_manifest_or_ends_writing,
          rotation_whose_failure_cannot_be_taken_back_ends_writing,
          load_with_the_nth_io_failing_never_passes_for_less,
          nth_allocation_failing_is_told_and_leaves_the_manifest_usable)
