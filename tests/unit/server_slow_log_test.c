/* server_slow_log_test.c: the ring of slow requests. */
#include "protocol/base/memory.h"
#include "server/slow_log.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <string.h>

static struct slow_log *log_of(uint32_t entries_max) {
    struct slow_log *log;

    ck_assert_int_eq(slow_log_create(entries_max, &log), STATUS_OK);
    return log;
}

static void add(struct slow_log *log, uint32_t id) {
    struct slow_entry entry = {.id = id, .number = 77};

    slow_log_add(log, &entry);
}

/* The ids that are there, newest first, as a number in base 100. */
static uint64_t ids(struct slow_log *log) {
    struct slow_entry entry = {.number = 0};
    uint64_t all = 0;

    while (slow_log_take(log, entry.number, &entry)) {
        all = all * 100 + entry.id;
    }
    return all;
}

START_TEST(the_newest_come_first) {
    struct slow_log *log = log_of(4);

    ck_assert_uint_eq(ids(log), 0);
    add(log, 1);
    ck_assert_uint_eq(ids(log), 1);
    add(log, 2);
    add(log, 3);
    ck_assert_uint_eq(ids(log), 30201);
    slow_log_destroy(log);
}
END_TEST

START_TEST(the_newest_pushes_out_the_oldest) {
    struct slow_log *log = log_of(3);

    for (uint32_t id = 1; id <= 3; id++) {
        add(log, id);
    }
    ck_assert_uint_eq(ids(log), 30201);
    add(log, 4);
    ck_assert_uint_eq(ids(log), 40302);
    for (uint32_t id = 5; id <= 50; id++) {
        add(log, id);
    }
    ck_assert_uint_eq(ids(log), 504948);
    slow_log_destroy(log);
}
END_TEST

START_TEST(a_log_of_one_entry_has_the_last) {
    struct slow_log *log = log_of(1);

    add(log, 1);
    add(log, 2);
    ck_assert_uint_eq(ids(log), 2);
    slow_log_clear(log);
    ck_assert_uint_eq(ids(log), 0);
    add(log, 3);
    ck_assert_uint_eq(ids(log), 3);
    slow_log_destroy(log);
}
END_TEST

START_TEST(clearing_forgets_and_numbers_go_on) {
    struct slow_log *log = log_of(4);
    struct slow_entry entry;

    add(log, 1);
    add(log, 2);
    slow_log_clear(log);
    ck_assert_uint_eq(ids(log), 0);
    add(log, 3);
    ck_assert_uint_eq(ids(log), 3);
    ck_assert(slow_log_take(log, 0, &entry));
    ck_assert_uint_eq(entry.number, 3);
    slow_log_destroy(log);
}
END_TEST

START_TEST(a_reader_goes_on_where_it_was_though_others_add) {
    struct slow_log *log = log_of(3);
    struct slow_entry entry;

    add(log, 1);
    add(log, 2);
    ck_assert(slow_log_take(log, 0, &entry));
    add(log, 3);
    ck_assert(slow_log_take(log, entry.number, &entry));
    ck_assert_uint_eq(entry.id, 1);
    add(log, 4);
    add(log, 5);
    ck_assert(!slow_log_take(log, entry.number, &entry));
    slow_log_destroy(log);
}
END_TEST

START_TEST(the_threshold_is_reached_and_zero_turns_it_off) {
    struct slow_log *log = log_of(1);

    ck_assert(!slow_log_wants(NULL, UINT64_MAX - 1));
    ck_assert(!slow_log_wants(log, UINT64_MAX - 1));
    slow_log_set_threshold(log, 10000);
    ck_assert(!slow_log_wants(log, 9999));
    ck_assert(slow_log_wants(log, 10000));
    slow_log_set_threshold(log, 0);
    ck_assert(!slow_log_wants(log, UINT64_MAX - 1));
    slow_log_destroy(log);
}
END_TEST

START_TEST(of_a_key_the_beginning_is_kept) {
    char key[SLOW_LOG_KEY_BYTES_MAX + 1];
    struct slow_note note;

    memset(key, 'k', sizeof key);
    slow_note_set(&note, slice_make(key, sizeof key), 1000);
    ck_assert_uint_eq(note.key_len, sizeof key);
    ck_assert_uint_eq(note.bytes, 1000);
    ck_assert_int_eq(memcmp(note.key, key, SLOW_LOG_KEY_BYTES_MAX), 0);
    slow_note_set(&note, slice_make(NULL, 0), 16);
    ck_assert_uint_eq(note.key_len, 0);
}
END_TEST

START_TEST(without_memory_there_is_no_log) {
    struct slow_log *log = NULL;

    memory_fail_after(0, true);
    ck_assert_int_eq(slow_log_create(128, &log), STATUS_NO_MEMORY);
    memory_fail_never();
    ck_assert_ptr_null(log);
    slow_log_destroy(log);
}
END_TEST

static void *add_many(void *arg) {
    for (uint32_t i = 0; i < 2000; i++) {
        add(arg, i);
    }
    return NULL;
}

START_TEST(threads_add_and_read_at_the_same_time) {
    struct slow_log *log = log_of(16);
    struct slow_entry entry = {.number = 0};
    pthread_t threads[2];

    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, log), 0);
    }
    for (int i = 0; i < 100; i++) {
        uint64_t before = 0;
        while (slow_log_take(log, before, &entry)) {
            ck_assert(before == 0 || entry.number < before);
            before = entry.number;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert(slow_log_take(log, 0, &entry));
    ck_assert_uint_eq(entry.number, 4000);
    slow_log_destroy(log);
}
END_TEST

UNIT_MAIN("server_slow_log", the_newest_come_first, the_newest_pushes_out_the_oldest,
          a_log_of_one_entry_has_the_last, clearing_forgets_and_numbers_go_on,
          a_reader_goes_on_where_it_was_though_others_add,
          the_threshold_is_reached_and_zero_turns_it_off, of_a_key_the_beginning_is_kept,
          without_memory_there_is_no_log, threads_add_and_read_at_the_same_time)
