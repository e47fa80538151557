/* every_byte_test.c: a small store with files of every kind, and each of its bytes damaged: opening
 * and reading give an error that names a file, or the right answer; never another one, never less,
 * never a crash. Also: blocks zeroed, files cut, files gone, files as they were earlier.
 *
 * One thing cannot be told from a power cut: the end of the segment that was being appended to is
 * gone, with the empty group that vouched for it. Then older values may show.
 *
 * DAMAGE_STRIDE: 1 for each byte, n for every n-th (13); offsets shift by file. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <stdio.h>
#include <string.h>

#define KEYS 48u
#define FILES_MAX 64u
#define BLOCK_BYTES 512u

struct file {
    char path[128];
    uint64_t bytes;
};

/* The store that is damaged: as its process left it, and earlier. */
struct original {
    struct env *env;
    struct env *earlier;
    struct file files[FILES_MAX];
    uint32_t file_count;
    const struct file *active; /* the segment that was appended to last; NULL if sealed */
    uint64_t opened;           /* how often a damaged store could be opened, */
    uint64_t told;             /* and how often the damage was seen when it was opened or read */
};

static uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && text[0] ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- The store --------------------------------------------------------------------------------
 */

static size_t bytes_of(uint32_t key) {
    return key % 4 == 0 ? 2500 + key : 10 + key * 5;
}

static bool is_deleted(uint32_t key) {
    return key % 9 == 8;
}

static void name_key(char name[16], uint32_t key) {
    snprintf(name, 16, "key%02u", key);
}

static void put_keys(struct fixture *fixture, uint32_t from, uint32_t to, uint64_t seed) {
    char name[16];

    for (uint32_t key = from; key < to; key++) {
        name_key(name, key);
        fixture_put_bytes(fixture, name, bytes_of(key), seed + key);
    }
}

static void delete_keys(struct fixture *fixture, uint32_t from, uint32_t to) {
    char name[16];

    for (uint32_t key = from; key < to; key++) {
        if (is_deleted(key)) {
            name_key(name, key);
            fixture_delete(fixture, name);
        }
    }
}

static enum status file_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct original *original = arg;
    struct file *file = &original->files[original->file_count++];

    ck_assert_uint_lt(original->file_count, FILES_MAX);
    snprintf(file->path, sizeof file->path, "store/%s", name);
    file->bytes = size_bytes;
    return STATUS_OK;
}

static struct env *clone_of(struct env *env) {
    static const struct power_cut killed = {.mode = POWER_CUT_NONE, .block_bytes = 4096};
    struct env *clone;
    enum status status = env_memory_clone(env, &killed, &clone);

    ck_assert_int_eq(status, STATUS_OK);
    return clone;
}

static void wait_a_little(struct fixture *fixture) {
    for (uint32_t i = 0; i < 20; i++) {
        scheduler_sim_run_one(fixture->scheduler, true); /* ticks vouch for the last group */
    }
}

static void set_options(struct fixture *fixture) {
    fixture->options.memtable_bytes = 16 * 1024;
    fixture->options.segment_bytes = 8 * 1024;
}

/* Tables on two levels, sealed segments, and a log that waits for its flush (if not `closed`). */
static void make_original(struct original *original, bool closed) {
    struct fixture fixture;
    struct error error;
    enum status status;

    *original = (struct original){0};
    fixture_init(&fixture, 5);
    set_options(&fixture);
    fixture_open(&fixture);
    put_keys(&fixture, 0, KEYS, 1000);
    put_keys(&fixture, 0, KEYS / 2, 1);
    status = store_compact(fixture.store, &error);
    ck_assert_int_eq(status, STATUS_OK);
    wait_a_little(&fixture);
    original->earlier = clone_of(fixture.memory);
    put_keys(&fixture, KEYS / 2, 3 * KEYS / 4, 1);
    delete_keys(&fixture, 0, KEYS / 2);
    status = store_flush(fixture.store, &error);
    ck_assert_int_eq(status, STATUS_OK);
    put_keys(&fixture, 3 * KEYS / 4, KEYS, 1);
    delete_keys(&fixture, KEYS / 2, KEYS);
    wait_a_little(&fixture);
    if (closed) {
        fixture_reopen(&fixture);
        fixture_close(&fixture);
    }
    original->env = clone_of(fixture.memory);
    fixture_deinit(&fixture);
    status = env_list(original->env, "store", file_cb, original, NULL);
    ck_assert_int_eq(status, STATUS_OK);
    for (uint32_t i = 0; i < original->file_count && !closed; i++) {
        const struct file *file = &original->files[i];
        bool later = !original->active || strcmp(file->path, original->active->path) > 0;
        original->active = strstr(file->path, ".segment") && later ? file : original->active;
    }
}

static void destroy_original(struct original *original) {
    env_memory_destroy(original->env);
    env_memory_destroy(original->earlier);
}

/* ---- Looking at a damaged one -----------------------------------------------------------------
 */

static bool is_told(const struct fixture *fixture, enum status status) {
    if (status != STATUS_CORRUPT && status != STATUS_IO && status != STATUS_NEWER_FORMAT &&
        status != STATUS_READ_ONLY) {
        return false;
    }
    return fixture->error.path[0] != '\0';
}

/* How a store is damaged, for the message. */
struct damage {
    const char *kind;
    const struct file *file;
    uint64_t offset;
    bool is_the_end; /* of the active segment: commits may be gone */
};

static void fail_with_damage(const struct fixture *fixture, const struct damage *damage,
                             const char *what, enum status status) {
    char line[640];

    error_format(&fixture->error, line, sizeof line);
    ck_abort_msg("%s, %s at %llu: %s: %s: %s", damage->kind, damage->file->path,
                 (unsigned long long)damage->offset, what, status_name(status), line);
}

static bool is_older(struct fixture *fixture, enum status status, uint32_t key) {
    uint8_t expected[4096];

    fixture_fill(expected, bytes_of(key), 1000 + key);
    if (status == STATUS_OK &&
        slice_equal(buffer_slice(&fixture->value), slice_make(expected, bytes_of(key)))) {
        return true;
    }
    fixture_fill(expected, bytes_of(key), 1 + key);
    return status == STATUS_OK && is_deleted(key) &&
           slice_equal(buffer_slice(&fixture->value), slice_make(expected, bytes_of(key)));
}

static bool look_at_key(struct fixture *fixture, const struct damage *damage, uint32_t key) {
    uint8_t expected[4096];
    enum status status;
    char name[16];

    name_key(name, key);
    status = fixture_get(fixture, name);
    if (is_told(fixture, status)) {
        return true;
    }
    if (status == STATUS_NOT_FOUND && is_deleted(key)) {
        return false;
    }
    if (damage->is_the_end && is_older(fixture, status, key)) {
        return true;
    }
    fixture_fill(expected, bytes_of(key), 1 + key);
    if (status != STATUS_OK || is_deleted(key) ||
        !slice_equal(buffer_slice(&fixture->value), slice_make(expected, bytes_of(key)))) {
        fail_with_damage(fixture, damage, name, status);
    }
    return false;
}

/* A scan that goes through to its end shows all keys. */
static bool look_at_all(struct fixture *fixture, const struct damage *damage, bool reverse) {
    struct store_range range = {.namespace_id = STORE_NAMESPACE_DEFAULT, .reverse = reverse};
    struct store_cursor *cursor;
    struct store_read read;
    enum status status;
    uint32_t count = 0;
    uint32_t expected = 0;

    for (uint32_t key = 0; key < KEYS; key++) {
        expected += !is_deleted(key);
    }
    fixture->error = (struct error){0};
    store_read_begin(fixture->store, &read);
    status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
    while (status == STATUS_OK) {
        status = store_cursor_next(cursor, NULL, NULL, &fixture->error);
        count += status == STATUS_OK;
    }
    store_cursor_close(cursor);
    store_read_end(&read);
    if (status != STATUS_END && !is_told(fixture, status)) {
        fail_with_damage(fixture, damage, "scan", status);
    }
    if (status == STATUS_END && count != expected && !damage->is_the_end) {
        fail_with_damage(fixture, damage, "a scan shows another number of keys", status);
    }
    return status != STATUS_END;
}

/* Takes `damaged`. */
static void look_at(struct original *original, struct env *damaged, const struct damage *damage) {
    struct fixture fixture;
    struct error ignored;
    enum status status;
    bool told = false;

    fixture_init(&fixture, 1);
    set_options(&fixture);
    env_memory_destroy(fixture.memory);
    fixture.memory = damaged;
    fixture.env = damaged;
    status = fixture_try_open(&fixture);
    if (status == STATUS_OK) {
        original->opened++;
        for (uint32_t key = 0; key < KEYS; key++) {
            told |= look_at_key(&fixture, damage, key);
        }
        told |= look_at_all(&fixture, damage, false);
        told |= look_at_all(&fixture, damage, true);
        status = store_close(fixture.store, &ignored); /* compaction may have met the damage */
        fixture.store = NULL;
    } else {
        told = is_told(&fixture, status);
        if (!told) {
            fail_with_damage(&fixture, damage, "open", status);
        }
    }
    original->told += told;
    fixture_deinit(&fixture);
}

/* ---- Damage -----------------------------------------------------------------------------------
 */

static uint8_t byte_at(struct env *env, const char *path, uint64_t offset) {
    struct env_file *file;
    uint8_t byte;
    size_t got;
    enum status status = env_open(env, path, ENV_READ_CACHED, &file, NULL);

    ck_assert_int_eq(status, STATUS_OK);
    status = env_read(file, offset, &byte, 1, &got, NULL);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(got, 1);
    status = env_file_close(file, NULL);
    ck_assert_int_eq(status, STATUS_OK);
    return byte;
}

static void flip(struct original *original, const struct damage *damage, uint8_t mask) {
    struct env *env = clone_of(original->env);
    uint8_t byte = byte_at(env, damage->file->path, damage->offset) ^ mask;
    enum status status =
        env_memory_poke(env, damage->file->path, damage->offset, slice_make(&byte, 1));

    ck_assert_int_eq(status, STATUS_OK);
    look_at(original, env, damage);
}

static void flip_all(bool closed) {
    static const uint8_t masks[] = {0x01, 0x80, 0xFF, 0x10};
    uint64_t stride = number_of("DAMAGE_STRIDE", 13);
    struct original original;

    make_original(&original, closed);
    for (uint32_t i = 0; i < original.file_count; i++) {
        struct damage damage = {"a byte flipped", &original.files[i], i % stride, false};
        for (uint64_t n = 0; damage.offset < damage.file->bytes; damage.offset += stride, n++) {
            flip(&original, &damage, masks[n % sizeof masks]);
        }
    }
    ck_assert_uint_gt(original.told, original.opened / 4);
    destroy_original(&original);
}

START_TEST(a_byte_is_flipped_in_a_store_that_was_closed) {
    flip_all(true);
}
END_TEST

START_TEST(a_byte_is_flipped_in_a_store_that_was_killed) {
    flip_all(false);
}
END_TEST

START_TEST(a_block_is_zeroed) {
    static const uint8_t zeros[BLOCK_BYTES];
    struct original original;

    make_original(&original, _i == 0);
    for (uint32_t i = 0; i < original.file_count; i++) {
        struct damage damage = {"a block zeroed", &original.files[i], 0, false};
        for (; damage.offset < damage.file->bytes; damage.offset += BLOCK_BYTES) {
            struct env *env = clone_of(original.env);
            uint64_t left = damage.file->bytes - damage.offset;
            size_t len = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
            damage.is_the_end = damage.file == original.active && left <= BLOCK_BYTES;
            enum status status =
                env_memory_poke(env, damage.file->path, damage.offset, slice_make(zeros, len));
            ck_assert_int_eq(status, STATUS_OK);
            look_at(&original, env, &damage);
        }
    }
    destroy_original(&original);
}
END_TEST

START_TEST(a_file_is_cut_short) {
    uint64_t stride = number_of("DAMAGE_STRIDE", 13) * 7;
    struct original original;

    make_original(&original, _i == 0);
    for (uint32_t i = 0; i < original.file_count; i++) {
        struct damage damage = {"cut short", &original.files[i], 0,
                                &original.files[i] == original.active};
        for (; damage.offset < damage.file->bytes; damage.offset += stride) {
            struct env *env = clone_of(original.env);
            enum status status = env_memory_truncate(env, damage.file->path, damage.offset);
            ck_assert_int_eq(status, STATUS_OK);
            look_at(&original, env, &damage);
        }
    }
    destroy_original(&original);
}
END_TEST

START_TEST(a_file_is_gone) {
    struct original original;

    make_original(&original, _i == 0);
    for (uint32_t i = 0; i < original.file_count; i++) {
        struct damage damage = {"gone", &original.files[i], 0, false};
        struct env *env = clone_of(original.env);
        enum status status = env_remove(env, damage.file->path, NULL);
        ck_assert_int_eq(status, STATUS_OK);
        look_at(&original, env, &damage);
    }
    destroy_original(&original);
}
END_TEST

/* Copies a file of `from` over the one in `to`; false when it is not there or not shorter. */
static bool put_back(struct env *from, struct env *to, const struct file *file) {
    struct env_file *old;
    uint64_t bytes;

    if (env_open(from, file->path, ENV_READ_CACHED, &old, NULL) != STATUS_OK) {
        return false;
    }
    ck_assert_int_eq(env_size(old, &bytes, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(old, NULL), STATUS_OK);
    if (bytes >= file->bytes) {
        return false;
    }
    ck_assert_int_eq(env_memory_truncate(to, file->path, bytes), STATUS_OK);
    return true;
}

START_TEST(a_file_is_its_older_self) {
    struct original original;
    uint32_t count = 0;

    make_original(&original, false);
    for (uint32_t i = 0; i < original.file_count; i++) {
        struct damage damage = {"its older self", &original.files[i], 0,
                                &original.files[i] == original.active};
        struct env *env = clone_of(original.env);
        if (put_back(original.earlier, env, damage.file)) {
            look_at(&original, env, &damage);
            count++;
        } else {
            env_memory_destroy(env);
        }
    }
    ck_assert_uint_gt(count, 0);
    destroy_original(&original);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("every byte");
    TCase *tcase = tcase_create("every byte");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 250);
    tcase_add_test(tcase, a_byte_is_flipped_in_a_store_that_was_closed);
    tcase_add_test(tcase, a_byte_is_flipped_in_a_store_that_was_killed);
    tcase_add_loop_test(tcase, a_block_is_zeroed, 0, 2);
    tcase_add_loop_test(tcase, a_file_is_cut_short, 0, 2);
    tcase_add_loop_test(tcase, a_file_is_gone, 0, 2);
    tcase_add_test(tcase, a_file_is_its_older_self);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
