/* bulk_fixture.h: verbs for tests of bulk loads, over past_fixture.h. Keys are "k00000" and so on;
 * the length of a value follows from its number, so that some are empty, some stand in the table,
 * some in segments, and some compress. Included once by a test program. */
#ifndef KVD_TESTS_BULK_FIXTURE_H
#define KVD_TESTS_BULK_FIXTURE_H

#include "protocol/base/memory.h"
#include "tests/unit/past_fixture.h"

#define BULK_KEY_BYTES 16

static inline void bulk_key(char key[BULK_KEY_BYTES], uint32_t number) {
    snprintf(key, BULK_KEY_BYTES, "k%05u", number % 100000u);
}

static inline size_t bulk_value_bytes(uint32_t number) {
    static const size_t lengths[] = {0, 1, 40, 1023, 1024, 3000, 200, 20000};
    return lengths[number % (sizeof lengths / sizeof lengths[0])];
}

/* Errors are returned. `seed` makes the values of one load differ from those of another. */
static inline enum status bulk_add_to(struct fixture *fixture, struct store_bulk *bulk,
                                      uint32_t number, uint64_t seed) {
    size_t bytes = bulk_value_bytes(number);
    uint8_t *value = memory_alloc(bytes + 1);
    struct store_bulk_entry entry = {.user_flags = number};
    char key[BULK_KEY_BYTES];
    enum status status = STATUS_NO_MEMORY;

    if (value) {
        bulk_key(key, number);
        fixture_fill(value, bytes, seed + number);
        entry.key = slice_from_text(key);
        entry.value = slice_make(value, bytes);
        status = store_bulk_add(bulk, &entry, &fixture->error);
        memory_free(value);
    }
    return status;
}

/* Begins and adds the numbers [from, to), every `step`th; what fails is returned. *bulk_out: to be
 * destroyed, if not NULL. */
static inline enum status bulk_try_add(struct fixture *fixture, const uint32_t numbers[3],
                                       uint64_t seed, struct store_bulk **bulk_out) {
    enum status status = store_bulk_begin(fixture->store, SPACE, bulk_out, &fixture->error);

    if (status != STATUS_OK) {
        *bulk_out = NULL;
    }
    for (uint32_t i = numbers[0]; i < numbers[1] && status == STATUS_OK; i += numbers[2]) {
        status = bulk_add_to(fixture, *bulk_out, i, seed);
    }
    return status;
}

static inline enum status bulk_try(struct fixture *fixture, const uint32_t numbers[3],
                                   uint64_t seed) {
    struct store_bulk *bulk;
    uint64_t version;
    enum status status = bulk_try_add(fixture, numbers, seed, &bulk);

    if (status == STATUS_OK) {
        status = store_bulk_finish(bulk, &version, &fixture->error);
    }
    store_bulk_destroy(bulk);
    return status;
}

static inline struct store_bulk *bulk_begin_with(struct fixture *fixture, uint32_t from,
                                                 uint32_t to, uint64_t seed) {
    const uint32_t numbers[3] = {from, to, 1};
    struct store_bulk *bulk;
    enum status status = bulk_try_add(fixture, numbers, seed, &bulk);

    ck_assert_msg(status == STATUS_OK, "%s: %s", status_name(status), fixture->error.text);
    return bulk;
}

static inline uint64_t bulk_end(struct fixture *fixture, struct store_bulk *bulk) {
    uint64_t version = 0;
    enum status status = store_bulk_finish(bulk, &version, &fixture->error);

    ck_assert_msg(status == STATUS_OK, "%s: %s", status_name(status), fixture->error.text);
    store_bulk_destroy(bulk);
    return version;
}

static inline uint64_t bulk_load(struct fixture *fixture, uint32_t from, uint32_t to,
                                 uint64_t seed) {
    return bulk_end(fixture, bulk_begin_with(fixture, from, to, seed));
}

/* One key as a load with this seed has left it. */
static inline void bulk_expect(struct fixture *fixture, uint32_t number, uint64_t seed) {
    char key[BULK_KEY_BYTES];

    bulk_key(key, number);
    fixture_expect_bytes(fixture, key, bulk_value_bytes(number), seed + number);
}

static inline void bulk_expect_all(struct fixture *fixture, uint32_t from, uint32_t to,
                                   uint64_t seed) {
    for (uint32_t i = from; i < to; i++) {
        bulk_expect(fixture, i, seed);
    }
}

static inline void bulk_expect_absent(struct fixture *fixture, uint32_t number) {
    char key[BULK_KEY_BYTES];

    bulk_key(key, number);
    fixture_expect_absent(fixture, key);
}

/* How many keys a scan meets. */
static inline size_t bulk_count_keys(struct fixture *fixture) {
    char *keys = fixture_scan(fixture, false);
    size_t count = keys[0] != '\0';

    for (const char *at = keys; *at; at++) {
        count += *at == ' ';
    }
    memory_free(keys);
    return count;
}

static inline void bulk_report_cb(void *arg, const char *name, const char *text) {
    (void)arg;
    printf("%s: %s\n", name, text);
}

/* Every checksum, reference and account. */
static inline void bulk_verify(struct fixture *fixture) {
    struct store_verify_result result;
    enum status status;

    if (fixture->scheduler) {
        fixture_settle(fixture); /* files on their way out are gone */
    }
    status = store_verify(fixture->store, NULL, bulk_report_cb, NULL, &result, &fixture->error);

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(result.faults, 0);
}

static inline enum status bulk_count_file(void *arg, const char *name, uint64_t size_bytes) {
    (void)name;
    (void)size_bytes;
    *(uint32_t *)arg += 1;
    return STATUS_OK;
}

/* Files in the store's directory. */
static inline uint32_t bulk_count_files(struct fixture *fixture) {
    uint32_t count = 0;
    enum status status =
        env_list(fixture->env, fixture->dir, bulk_count_file, &count, &fixture->error);

    ck_assert_int_eq(status, STATUS_OK);
    return count;
}

#endif
