/* store_fixture.c: see store_fixture.h. */
#include "tests/support/store_fixture.h"

#include "protocol/base/memory.h"
#include "storage/random.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE_VALUE_MAX (64u * 1024 * 1024)

static void say_cb(void *arg, enum store_log_level level, const char *line) {
    (void)arg;
    if (level >= STORE_LOG_ERROR && getenv("FIXTURE_LOG")) {
        fprintf(stderr, "store: %s\n", line);
    }
}

void fixture_init(struct fixture *fixture, uint64_t seed) {
    struct env_memory_options env_options = {0};
    enum status status;

    *fixture = (struct fixture){.value = {.cap = FIXTURE_VALUE_MAX}};
    snprintf(fixture->dir, sizeof fixture->dir, "store");
    status = env_memory_create(&env_options, &fixture->memory);
    ck_assert_int_eq(status, STATUS_OK);
    status = scheduler_sim_create(seed, &fixture->scheduler);
    ck_assert_int_eq(status, STATUS_OK);
    fixture->env = fixture->memory;
    store_options_init(&fixture->options, fixture->dir);
    fixture->options.memory_limit_bytes = 16 * 1024 * 1024;
    fixture->options.memtable_bytes = 64 * 1024;
    fixture->options.segment_bytes = 128 * 1024;
    fixture->options.log_cb = say_cb;
}

void fixture_init_on_disk(struct fixture *fixture) {
    const char *tmp = getenv("TMPDIR");

    *fixture = (struct fixture){.value = {.cap = FIXTURE_VALUE_MAX}};
    snprintf(fixture->dir, sizeof fixture->dir, "%s/kvd-test-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(fixture->dir));
    store_options_init(&fixture->options, fixture->dir);
    fixture->options.log_cb = say_cb;
}

static void remove_dir(const char *dir) {
    char command[512];
    int failed;

    ck_assert_ptr_nonnull(strstr(dir, "kvd-test-"));
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    failed = system(command);
    ck_assert_int_eq(failed, 0);
}

void fixture_deinit(struct fixture *fixture) {
    if (fixture->store) {
        fixture_close(fixture);
    }
    buffer_deinit(&fixture->value);
    if (fixture->scheduler) {
        scheduler_destroy(fixture->scheduler);
    }
    if (fixture->memory) {
        env_memory_destroy(fixture->memory);
    } else {
        remove_dir(fixture->dir);
    }
}

enum status fixture_try_open(struct fixture *fixture) {
    fixture->options.dir = fixture->dir;
    fixture->options.env = fixture->env;
    fixture->options.scheduler = fixture->scheduler;
    fixture->error = (struct error){0};
    return store_open(&fixture->options, &fixture->store, &fixture->error);
}

static void fail_with(const struct fixture *fixture, const char *what, enum status status) {
    char line[640];

    error_format(&fixture->error, line, sizeof line);
    ck_abort_msg("%s: %s: %s", what, status_name(status), line);
}

void fixture_open(struct fixture *fixture) {
    enum status status = fixture_try_open(fixture);

    if (status != STATUS_OK) {
        fail_with(fixture, "open", status);
    }
}

void fixture_close(struct fixture *fixture) {
    enum status status = store_close(fixture->store, &fixture->error);

    fixture->store = NULL;
    if (status != STATUS_OK) {
        fail_with(fixture, "close", status);
    }
}

void fixture_reopen(struct fixture *fixture) {
    fixture_close(fixture);
    fixture_open(fixture);
}

void fixture_power_cut(struct fixture *fixture, const struct power_cut *cut) {
    struct env *after;
    struct error ignored;
    enum status status = env_memory_clone(fixture->memory, cut, &after);

    ck_assert_int_eq(status, STATUS_OK);
    status = store_close(fixture->store, &ignored); /* on the old disk, which is thrown away */
    fixture->store = NULL;
    env_memory_destroy(fixture->memory);
    fixture->memory = after;
    fixture->env = after;
}

void fixture_settle(struct fixture *fixture) {
    scheduler_drain(fixture->scheduler);
}

/* ---- Commits ----------------------------------------------------------------------------------
 */

static void done_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct fixture_commit *started = store_commit_arg(commit);

    started->outcome = *outcome;
    atomic_store_explicit(&started->done, true, memory_order_release);
}

struct store_commit *fixture_commit_begin(struct fixture *fixture) {
    struct store_commit *commit;
    enum status status = store_commit_create(fixture->store, &commit);

    ck_assert_int_eq(status, STATUS_OK);
    return commit;
}

void fixture_commit_start(struct fixture *fixture, struct fixture_commit *started,
                          struct store_commit *commit, enum store_durability durability) {
    *started = (struct fixture_commit){.commit = commit};
    store_commit_set_arg(commit, started);
    store_submit(fixture->store, &commit, 1, durability, done_cb);
}

void fixture_commit_finish(struct fixture_commit *started) {
    ck_assert(atomic_load_explicit(&started->done, memory_order_acquire));
    store_commit_destroy(started->commit);
}

static void wait_for(struct fixture *fixture, struct fixture_commit *started) {
    while (!atomic_load_explicit(&started->done, memory_order_acquire)) {
        if (!fixture->scheduler) {
            usleep(50);
        } else if (!scheduler_sim_run_one(fixture->scheduler, true)) {
            ck_abort_msg("a commit waits for ever");
        }
    }
}

struct store_outcome fixture_commit_end(struct fixture *fixture, struct store_commit *commit,
                                        enum store_durability durability) {
    struct fixture_commit started;

    fixture_commit_start(fixture, &started, commit, durability);
    wait_for(fixture, &started);
    fixture_commit_finish(&started);
    if (started.outcome.status == STATUS_OK) {
        atomic_store_explicit(&fixture->last_version, started.outcome.version,
                              memory_order_relaxed);
    }
    return started.outcome;
}

struct store_outcome fixture_put_if(struct fixture *fixture, const char *key, struct slice value,
                                    struct store_condition condition,
                                    enum store_durability durability) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text(key),
                            .value = value,
                            .condition = condition};
    enum status status = store_commit_put(commit, &put);

    ck_assert_int_eq(status, STATUS_OK);
    return fixture_commit_end(fixture, commit, durability);
}

static void put_value(struct fixture *fixture, const char *key, struct slice value) {
    struct store_condition always = {STORE_ALWAYS, 0};
    struct store_outcome outcome = fixture_put_if(fixture, key, value, always, STORE_SYNCED);

    ck_assert_msg(outcome.status == STATUS_OK, "put %s: %s", key, status_name(outcome.status));
}

void fixture_put(struct fixture *fixture, const char *key, const char *value) {
    put_value(fixture, key, slice_from_text(value));
}

void fixture_fill(uint8_t *bytes, size_t len, uint64_t seed) {
    struct random random = random_make(seed);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = i % 2 ? (uint8_t)random_next(&random) : (uint8_t)seed;
    }
}

void fixture_put_bytes(struct fixture *fixture, const char *key, size_t bytes, uint64_t seed) {
    uint8_t *value = memory_alloc(bytes + 1);

    ck_assert_ptr_nonnull(value);
    fixture_fill(value, bytes, seed);
    put_value(fixture, key, slice_make(value, bytes));
    memory_free(value);
}

void fixture_delete(struct fixture *fixture, const char *key) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status =
        store_commit_delete(commit, STORE_NAMESPACE_DEFAULT, slice_from_text(key), NULL);
    struct store_outcome outcome;

    ck_assert_int_eq(status, STATUS_OK);
    outcome = fixture_commit_end(fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_OK);
}

/* ---- Reads ------------------------------------------------------------------------------------
 */

enum status fixture_get(struct fixture *fixture, const char *key) {
    struct store_value_info info;
    struct store_read read;
    enum status status;

    buffer_clear(&fixture->value);
    fixture->error = (struct error){0};
    store_read_begin(fixture->store, &read);
    status = store_get(&read, STORE_NAMESPACE_DEFAULT, slice_from_text(key), STORE_WAIT_ALLOWED,
                       &fixture->value, &info, &fixture->error);
    store_read_end(&read);
    return status;
}

static void expect_slice(struct fixture *fixture, const char *key, struct slice value) {
    enum status status = fixture_get(fixture, key);

    if (status != STATUS_OK) {
        fail_with(fixture, key, status);
    }
    ck_assert_msg(slice_equal(buffer_slice(&fixture->value), value), "%s: another value", key);
}

void fixture_expect(struct fixture *fixture, const char *key, const char *value) {
    expect_slice(fixture, key, slice_from_text(value));
}

void fixture_expect_bytes(struct fixture *fixture, const char *key, size_t bytes, uint64_t seed) {
    uint8_t *value = memory_alloc(bytes + 1);

    ck_assert_ptr_nonnull(value);
    fixture_fill(value, bytes, seed);
    expect_slice(fixture, key, slice_make(value, bytes));
    memory_free(value);
}

void fixture_expect_absent(struct fixture *fixture, const char *key) {
    enum status status = fixture_get(fixture, key);

    if (status != STATUS_NOT_FOUND) {
        fail_with(fixture, key, status);
    }
}

char *fixture_scan(struct fixture *fixture, bool reverse) {
    struct store_range range = {.namespace_id = STORE_NAMESPACE_DEFAULT, .reverse = reverse};
    struct buffer keys = {.cap = FIXTURE_VALUE_MAX};
    struct store_cursor *cursor;
    struct store_read read;
    enum status status;

    store_read_begin(fixture->store, &read);
    status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
    ck_assert_int_eq(status, STATUS_OK);
    for (;;) {
        status = store_cursor_next(cursor, &keys, NULL, &fixture->error);
        if (status != STATUS_OK) {
            break;
        }
        status = buffer_append_u8(&keys, ' ');
        ck_assert_int_eq(status, STATUS_OK);
    }
    if (status != STATUS_END) {
        fail_with(fixture, "scan", status);
    }
    store_cursor_close(cursor);
    store_read_end(&read);
    keys.len -= keys.len > 0;
    status = buffer_append_u8(&keys, 0);
    ck_assert_int_eq(status, STATUS_OK);
    return (char *)keys.data;
}

struct stat_search {
    const char *name;
    uint64_t value;
    bool found;
};

static void stat_cb(void *arg, const char *name, uint64_t value) {
    struct stat_search *search = arg;

    if (strcmp(name, search->name) == 0) {
        search->value = value;
        search->found = true;
    }
}

uint64_t fixture_stat(struct fixture *fixture, const char *name) {
    struct stat_search search = {.name = name};

    store_stats(fixture->store, stat_cb, &search);
    ck_assert_msg(search.found, "no figure %s", name);
    return search.value;
}
