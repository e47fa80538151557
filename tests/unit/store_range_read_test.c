/* store_range_read_test.c: any range of any kind of value is what a copy of the value says; damage
 * is met only by those who read the place, and is named. */
#include "tests/support/upload_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/file_name.h"

#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define MODEL_BYTES (3 * MIB)

/* A store, and what one key of it should hold. */
static struct fixture it;
static uint8_t model[MODEL_BYTES];
static uint64_t model_bytes;

static void start(void) {
    fixture_init(&it, 1);
    fixture_open(&it);
}

static void put_small(size_t bytes) {
    struct store_condition always = {STORE_ALWAYS, 0};

    upload_fill(model, bytes, 0, bytes);
    model_bytes = bytes;
    ck_assert_int_eq(
        fixture_put_if(&it, "key", slice_make(model, bytes), always, STORE_SYNCED).status,
        STATUS_OK);
}

static void put_large(size_t bytes) {
    upload_fill(model, bytes, 0, bytes);
    model_bytes = bytes;
    upload_put(&it, "key", bytes, bytes);
}

static void expect_range(uint64_t offset, uint64_t length) {
    uint64_t from = offset < model_bytes ? offset : model_bytes;
    uint64_t to = length < model_bytes - from ? from + length : model_bytes;
    enum status status = upload_get_range(&it, "key", offset, length, STORE_WAIT_ALLOWED);

    ck_assert_msg(status == STATUS_OK, "[%llu, +%llu): %s: %s", (unsigned long long)offset,
                  (unsigned long long)length, status_name(status), it.error.text);
    ck_assert_uint_eq(it.value.len, to - from);
    ck_assert(from == to || memcmp(it.value.data, model + from, to - from) == 0);
}

static void expect_all_ranges(void) {
    const uint64_t edges[] = {
        0,   1,       model_bytes / 2, 64 * KIB - 1, 64 * KIB,        64 * KIB + 1, MIB - 1,
        MIB, MIB + 1, model_bytes - 1, model_bytes,  model_bytes + 1, UINT64_MAX};
    const size_t count = sizeof edges / sizeof edges[0];

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            expect_range(edges[i], edges[j]);
            if (edges[j] > edges[i]) {
                expect_range(edges[i], edges[j] - edges[i]);
            }
        }
    }
}

START_TEST(ranges_of_small_values) {
    start();
    put_small(0);
    expect_range(0, 0);
    expect_range(0, 10);
    expect_range(10, UINT64_MAX);
    put_small(700); /* stands in the tree */
    expect_all_ranges();
    fixture_deinit(&it);
}
END_TEST

START_TEST(ranges_of_values_in_the_log_compressed_or_not) {
    start();
    put_small(100000);
    expect_all_ranges();
    put_small(2 * MIB);
    expect_all_ranges();
    fixture_close(&it);
    it.options.compress = false;
    fixture_open(&it);
    put_small(100000);
    expect_all_ranges();
    fixture_deinit(&it);
}
END_TEST

START_TEST(ranges_of_large_values_compressed_or_not) {
    start();
    put_large(5);
    expect_all_ranges();
    put_large(100000);
    expect_all_ranges();
    put_large(3 * MIB - 7);
    expect_all_ranges();
    fixture_reopen(&it);
    expect_all_ranges();
    fixture_close(&it);
    it.options.compress = false;
    fixture_open(&it);
    put_large(2 * MIB + 1);
    expect_all_ranges();
    fixture_deinit(&it);
}
END_TEST

START_TEST(the_information_is_of_the_whole_value) {
    struct store_value_info info;
    struct store_value_info whole;
    struct store_read read;
    enum status status;

    start();
    put_large(2 * MIB);
    store_read_begin(it.store, &read);
    status = store_get_range(
        &read, &(struct store_part){STORE_NAMESPACE_DEFAULT, slice_from_text("key"), 7, 1},
        STORE_WAIT_ALLOWED, &it.value, &info, &it.error);
    ck_assert_int_eq(status, STATUS_OK);
    status = store_get(&read, STORE_NAMESPACE_DEFAULT, slice_from_text("key"), STORE_WAIT_NEVER,
                       NULL, &whole, &it.error);
    ck_assert_int_eq(status, STATUS_OK);
    store_read_end(&read);
    ck_assert_uint_eq(info.value_bytes, 2 * MIB);
    ck_assert_uint_eq(info.checksum, whole.checksum);
    ck_assert_uint_eq(info.version, whole.version);
    fixture_deinit(&it);
}
END_TEST

START_TEST(keys_that_are_not_there) {
    start();
    put_small(10);
    ck_assert_int_eq(upload_get_range(&it, "kez", 0, 1, STORE_WAIT_ALLOWED), STATUS_NOT_FOUND);
    fixture_delete(&it, "key");
    ck_assert_int_eq(upload_get_range(&it, "key", 0, 1, STORE_WAIT_ALLOWED), STATUS_NOT_FOUND);
    fixture_deinit(&it);
}
END_TEST

START_TEST(a_range_beyond_the_cap_is_too_large) {
    start();
    put_large(2 * MIB);
    buffer_deinit(&it.value);
    it.value.cap = 1000;
    ck_assert_int_eq(upload_get_range(&it, "key", 0, 1001, STORE_WAIT_ALLOWED), STATUS_TOO_LARGE);
    ck_assert_uint_eq(it.value.len, 0);
    ck_assert_int_eq(upload_get_range(&it, "key", 5, 1000, STORE_WAIT_ALLOWED), STATUS_OK);
    ck_assert_int_eq(upload_get_range(&it, "key", 2 * MIB - 10, 1001, STORE_WAIT_ALLOWED),
                     STATUS_OK);
    fixture_deinit(&it);
}
END_TEST

/* Of upload_fill's content every third block is stored as it is. */
START_TEST(a_loop_reads_a_little_and_leaves_the_rest_to_others) {
    start();
    put_large(3 * MIB - 7);
    expect_range(0, 1); /* opens the segments */
    expect_range(MIB, MIB);
    ck_assert_int_eq(upload_get_range(&it, "key", 128 * KIB, 64 * KIB, STORE_WAIT_NEVER),
                     STATUS_OK);
    ck_assert_int_eq(upload_get_range(&it, "key", 0, 64 * KIB, STORE_WAIT_NEVER), STATUS_OK);
    ck_assert_int_eq(upload_get_range(&it, "key", 0, 64 * KIB + 1, STORE_WAIT_NEVER),
                     STATUS_WOULD_BLOCK);
    ck_assert_uint_eq(it.value.len, 0);
    ck_assert_int_eq(upload_get_range(&it, "key", 0, 2 * MIB, STORE_WAIT_NEVER),
                     STATUS_WOULD_BLOCK);
    ck_assert_uint_lt(it.value.capacity, 3 * MIB); /* no room was made for it */
    fixture_deinit(&it);
}
END_TEST

/* ---- Damage ----
 */

struct newest_file {
    uint64_t number;
    uint64_t bytes;
};

static enum status newest_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct newest_file *newest = arg;
    enum file_kind kind;
    uint64_t number;

    if (file_name_parse(name, &kind, &number) && kind == FILE_SEGMENT && number > newest->number) {
        *newest = (struct newest_file){number, size_bytes};
    }
    return STATUS_OK;
}

/* The segment that was begun last: the upload's. */
static struct newest_file upload_file(char path[ENV_PATH_MAX]) {
    struct newest_file newest = {0, 0};
    enum status status = env_list(it.env, it.dir, newest_cb, &newest, NULL);

    ck_assert_int_eq(status, STATUS_OK);
    status = file_path_make(it.dir, FILE_SEGMENT, newest.number, path);
    ck_assert_int_eq(status, STATUS_OK);
    return newest;
}

/* Which blocks of a value of three cannot be read, as bits. What can is right. */
static unsigned unreadable(const char *path) {
    unsigned bits = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint64_t from = i * 64 * KIB;
        enum status status = upload_get_range(&it, "key", from, 64 * KIB, STORE_WAIT_ALLOWED);
        ck_assert(status == STATUS_OK || status == STATUS_CORRUPT);
        if (status == STATUS_CORRUPT) {
            bits |= 1u << i;
            ck_assert_uint_eq(it.value.len, 0);
            ck_assert_str_eq(it.error.path, path);
        } else {
            ck_assert(memcmp(it.value.data, model + from, it.value.len) == 0);
        }
    }
    return bits;
}

static void flip(const char *path, uint64_t at) {
    struct env_file *file;
    uint8_t byte;
    size_t got;
    enum status status = env_open(it.env, path, ENV_READ_CACHED, &file, NULL);

    ck_assert_int_eq(status, STATUS_OK);
    status = env_read(file, at, &byte, 1, &got, NULL);
    ck_assert(status == STATUS_OK && got == 1);
    byte ^= 0x20;
    ck_assert_int_eq(env_memory_poke(it.env, path, at, slice_make(&byte, 1)), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
}

/* Two blocks that compress to little, one that does not and is cut short: every byte is tried. */
START_TEST(every_flipped_byte_is_met_only_by_those_who_read_its_block) {
    const uint64_t bytes = 128 * KIB + 500;
    char path[ENV_PATH_MAX];
    struct newest_file file;
    unsigned seen[8] = {0};

    start();
    put_large(bytes);
    expect_range(0, 1);
    file = upload_file(path);
    ck_assert_uint_lt(file.bytes, 5000);
    for (uint64_t at = 0; at < file.bytes; at++) {
        unsigned bits;
        flip(path, at);
        bits = unreadable(path);
        seen[bits]++;
        flip(path, at);
    }
    ck_assert_uint_eq(seen[7], 3 * 12); /* the index */
    ck_assert_uint_eq(seen[4], 500);    /* the block that is stored as it is */
    ck_assert_uint_gt(seen[1], 10);
    ck_assert_uint_gt(seen[2], 10);
    ck_assert_uint_eq(seen[3] + seen[5] + seen[6], 0);
    ck_assert_uint_eq(unreadable(path), 0);
    fixture_deinit(&it);
}
END_TEST

START_TEST(the_error_names_file_offset_and_block) {
    char path[ENV_PATH_MAX];
    struct newest_file file;

    start();
    it.options.compress = false;
    fixture_reopen(&it);
    put_large(300 * KIB);
    file = upload_file(path);
    flip(path, file.bytes - 5 * 12 - 300 * KIB + 3 * 64 * KIB + 9);
    ck_assert_int_eq(upload_get_range(&it, "key", 0, 300 * KIB, STORE_WAIT_ALLOWED),
                     STATUS_CORRUPT);
    ck_assert_str_eq(it.error.path, path);
    ck_assert_uint_eq(it.error.offset, file.bytes - 5 * 12 - 300 * KIB + 3 * 64 * KIB);
    ck_assert_ptr_nonnull(strstr(it.error.text, "block 3 "));
    ck_assert_int_eq(fixture_get(&it, "key"), STATUS_CORRUPT);
    ck_assert_uint_eq(it.value.len, 0);
    expect_range(0, 3 * 64 * KIB);
    fixture_deinit(&it);
}
END_TEST

START_TEST(a_value_in_the_log_is_verified_whole_whatever_part_is_read) {
    char path[ENV_PATH_MAX];

    start();
    it.options.compress = false;
    fixture_reopen(&it);
    put_small(50000);
    flip(path, upload_file(path).bytes - 1); /* its last byte */
    ck_assert_int_eq(upload_get_range(&it, "key", 0, 10, STORE_WAIT_ALLOWED), STATUS_CORRUPT);
    ck_assert_uint_eq(it.value.len, 0);
    flip(path, upload_file(path).bytes - 1);
    expect_range(0, 10);
    fixture_deinit(&it);
}
END_TEST

START_TEST(want_of_memory_leaves_the_buffer_as_it_was) {
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    start();
    put_large(2 * MIB);
    fixture_reopen(&it);
    while (status != STATUS_OK) {
        buffer_deinit(&it.value);
        memory_fail_after(n++, false);
        status = upload_get_range(&it, "key", 100, MIB, STORE_WAIT_ALLOWED);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_uint_eq(it.value.len, status == STATUS_OK ? MIB : 0);
    }
    ck_assert_uint_gt(n, 3);
    expect_range(100, MIB);
    fixture_deinit(&it);
}
END_TEST

UNIT_MAIN("store_range_read", ranges_of_small_values, ranges_of_values_in_the_log_compressed_or_not,
          ranges_of_large_values_compressed_or_not, the_information_is_of_the_whole_value,
          keys_that_are_not_there, a_range_beyond_the_cap_is_too_large,
          a_loop_reads_a_little_and_leaves_the_rest_to_others,
          every_flipped_byte_is_met_only_by_those_who_read_its_block,
          the_error_names_file_offset_and_block,
          a_value_in_the_log_is_verified_whole_whatever_part_is_read,
          want_of_memory_leaves_the_buffer_as_it_was)
