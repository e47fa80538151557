/* store_late_read_test.c: what a read protected must not be used after its end: in debug builds the
 * memory is overwritten, and under AddressSanitizer the program stops. Also: what a read protects
 * while it lasts. */
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/view.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char secret[] = "a value that lies in a memtable";

/* In a process of its own: keeps a pointer into the view beyond the end of the read. */
static void read_late(void) {
    struct fixture fixture;
    struct store_read read;
    struct view_hit hit;
    struct error error;
    uint8_t row[64];
    struct slice name;
    enum status status;
    int whole;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "key", secret);
    store_read_begin(fixture.store, &read);
    name = slice_make(row, row_store(row, STORE_NAMESPACE_DEFAULT, slice_from_text("key")));
    status = view_find(read.view, name, read.version, READ_WAIT_ALLOWED, &hit, &error);
    ck_assert_int_eq(status, STATUS_OK);
    view_hit_release(&hit);
    status = store_flush(fixture.store, &error); /* only the read holds the memtable now */
    ck_assert_int_eq(status, STATUS_OK);
    whole = memcmp(hit.entry.value.ptr, secret, sizeof secret - 1) == 0;
    store_read_end(&read);
    whole &= memcmp(hit.entry.value.ptr, secret, sizeof secret - 1) != 0;
    _exit(whole ? 0 : 7); /* 0: there while it lasted, overwritten after */
}

START_TEST(a_late_read_is_caught) {
#if defined(KVD_DEBUG)
    pid_t child;
    int how;

    fflush(NULL);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        freopen("/dev/null", "w", stderr);
        read_late();
    }
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(!WIFEXITED(how) || WEXITSTATUS(how) != 7);
#else
    (void)read_late; /* release builds do not overwrite */
#endif
}
END_TEST

START_TEST(a_read_keeps_its_state_over_flush_and_compaction) {
    struct buffer value = {.cap = 1 << 20};
    struct fixture fixture;
    struct store_read read;
    struct error error;
    enum status status;
    char key[16];

    fixture_init(&fixture, 1);
    fixture.options.memtable_bytes = 16 * 1024;
    fixture.options.segment_bytes = 8 * 1024;
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "key%02u", i);
        fixture_put_bytes(&fixture, key, 3000, i);
    }
    store_read_begin(fixture.store, &read);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 40; i++) {
            snprintf(key, sizeof key, "key%02u", i);
            fixture_put_bytes(&fixture, key, 2000, 1000 + i);
        }
        status = store_compact(fixture.store, &error);
        ck_assert_int_eq(status, STATUS_OK);
    }
    for (uint32_t i = 0; i < 40; i++) {
        uint8_t expected[3000];
        snprintf(key, sizeof key, "key%02u", i);
        buffer_clear(&value);
        status = store_get(&read, STORE_NAMESPACE_DEFAULT, slice_from_text(key), STORE_WAIT_ALLOWED,
                           &value, NULL, &error);
        ck_assert_int_eq(status, STATUS_OK);
        fixture_fill(expected, sizeof expected, i);
        ck_assert(slice_equal(buffer_slice(&value), slice_make(expected, sizeof expected)));
    }
    store_read_end(&read);
    buffer_deinit(&value);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(files_go_when_the_last_read_of_them_ends) {
    struct fixture fixture;
    struct store_read read;
    struct error error;
    uint64_t during;
    enum status status;
    char key[16];

    fixture_init(&fixture, 1);
    fixture.options.segment_bytes = 8 * 1024;
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "key%02u", i);
        fixture_put_bytes(&fixture, key, 3000, i);
    }
    status = store_flush(fixture.store, &error);
    ck_assert_int_eq(status, STATUS_OK);
    store_read_begin(fixture.store, &read);
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "key%02u", i);
        fixture_delete(&fixture, key);
    }
    status = store_compact(fixture.store, &error);
    ck_assert_int_eq(status, STATUS_OK);
    for (uint32_t i = 0; i < 10; i++) {
        scheduler_sim_run_one(fixture.scheduler, true); /* the tick looks at the disk */
    }
    during = fixture_stat(&fixture, "disk_free_bytes");
    store_read_end(&read);
    fixture_settle(&fixture);
    for (uint32_t i = 0; i < 10; i++) {
        scheduler_sim_run_one(fixture.scheduler, true); /* again */
    }
    ck_assert_uint_gt(fixture_stat(&fixture, "disk_free_bytes"), during + 40 * 1000);
    fixture_deinit(&fixture);
}
END_TEST

struct files {
    uint64_t tables;
    uint64_t segments;
};

static enum status count_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct files *files = arg;

    (void)size_bytes;
    files->tables += strstr(name, ".table") != NULL;
    files->segments += strstr(name, ".segment") != NULL;
    return STATUS_OK;
}

static uint64_t tables_of(struct fixture *fixture) {
    uint64_t count = 0;
    char name[32];

    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        snprintf(name, sizeof name, "level_%u_tables", i);
        count += fixture_stat(fixture, name);
    }
    return count;
}

START_TEST(no_file_is_left_that_the_store_does_not_name) {
    struct fixture fixture;
    struct error error;
    enum status status;
    char key[16];

    fixture_init(&fixture, 1);
    fixture.options.memtable_bytes = 16 * 1024;
    fixture.options.segment_bytes = 8 * 1024;
    fixture_open(&fixture);
    for (uint32_t round = 0; round < 4; round++) {
        struct files files = {0, 0};
        for (uint32_t i = 0; i < 100; i++) {
            snprintf(key, sizeof key, "key%02u", i);
            fixture_put_bytes(&fixture, key, 500 + i * 10, i + round);
        }
        status = store_compact(fixture.store, &error);
        ck_assert_int_eq(status, STATUS_OK);
        fixture_settle(&fixture);
        status = env_list(fixture.env, fixture.dir, count_cb, &files, &error);
        ck_assert_int_eq(status, STATUS_OK);
        ck_assert_uint_eq(files.tables, tables_of(&fixture));
        ck_assert_uint_eq(files.segments, fixture_stat(&fixture, "segments"));
    }
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store late read", a_late_read_is_caught,
          a_read_keeps_its_state_over_flush_and_compaction,
          files_go_when_the_last_read_of_them_ends, no_file_is_left_that_the_store_does_not_name)
