/* compression_test.c: zstd where it saves an eighth, and never more than asked for back. */
#include "storage/compression.h"

#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <string.h>

#define RAW_BYTES 4096

static struct compression *compression;
static uint8_t raw[RAW_BYTES];
static uint8_t stored[RAW_BYTES];
static uint8_t back[RAW_BYTES + 1];

static void start(void) {
    ck_assert_int_eq(compression_create(&compression), STATUS_OK);
    memset(raw, 'a', sizeof raw);
}

static void end(void) {
    compression_destroy(compression);
}

static void fill_with_noise(void) {
    for (uint64_t i = 0; i < RAW_BYTES / 8; i++) {
        store_u64(raw + 8 * i, checksum_seeded(slice_make("noise", 5), i));
    }
}

static size_t compressed(void) {
    size_t bytes = 0;
    ck_assert_int_eq(compression_compress(compression, slice_make(raw, RAW_BYTES), stored, &bytes),
                     STATUS_OK);
    return bytes;
}

START_TEST(what_is_compressed_comes_back) {
    size_t bytes;
    start();
    bytes = compressed();
    ck_assert_uint_lt(bytes, RAW_BYTES / 8);
    ck_assert_int_eq(
        compression_decompress(compression, slice_make(stored, bytes), back, RAW_BYTES), STATUS_OK);
    ck_assert(memcmp(raw, back, RAW_BYTES) == 0);
    end();
}
END_TEST

START_TEST(noise_and_tiny_input_are_not_worth_it) {
    size_t bytes = 77;
    start();
    fill_with_noise();
    ck_assert_int_eq(compression_compress(compression, slice_make(raw, RAW_BYTES), stored, &bytes),
                     STATUS_TOO_LARGE);
    for (size_t len = 0; len < 9; len++) {
        ck_assert_int_eq(compression_compress(compression, slice_make(raw, len), stored, &bytes),
                         STATUS_TOO_LARGE);
    }
    ck_assert_uint_eq(bytes, 77);
    end();
}
END_TEST

START_TEST(an_eighth_is_what_must_be_saved) {
    ck_assert_uint_eq(compression_room(8), 7);
    ck_assert_uint_eq(compression_room(9), 7);
    ck_assert_uint_eq(compression_room(16), 14);
    ck_assert_uint_eq(compression_room(8192), 7168);
}
END_TEST

START_TEST(another_length_is_corrupt) {
    size_t bytes;
    start();
    bytes = compressed();
    ck_assert_int_eq(
        compression_decompress(compression, slice_make(stored, bytes), back, RAW_BYTES - 1),
        STATUS_CORRUPT);
    ck_assert_int_eq(
        compression_decompress(compression, slice_make(stored, bytes), back, RAW_BYTES + 1),
        STATUS_CORRUPT);
    for (size_t len = 0; len < bytes; len++) {
        ck_assert_int_eq(
            compression_decompress(compression, slice_make(stored, len), back, RAW_BYTES),
            STATUS_CORRUPT);
    }
    end();
}
END_TEST

START_TEST(once_warm_nothing_is_allocated) {
    uint64_t before;
    size_t bytes;
    start();
    bytes = compressed();
    ck_assert_int_eq(
        compression_decompress(compression, slice_make(stored, bytes), back, RAW_BYTES), STATUS_OK);
    before = memory_allocation_count();
    bytes = compressed();
    ck_assert_int_eq(
        compression_decompress(compression, slice_make(stored, bytes), back, RAW_BYTES), STATUS_OK);
    ck_assert_uint_eq(memory_allocation_count(), before);
    end();
}
END_TEST

START_TEST(without_memory_it_says_so) {
    size_t bytes;
    memory_fail_after(0, false);
    ck_assert_int_eq(compression_create(&compression), STATUS_NO_MEMORY);
    memory_fail_never();
    start();
    memory_fail_after(0, true);
    ck_assert_int_eq(compression_compress(compression, slice_make(raw, RAW_BYTES), stored, &bytes),
                     STATUS_NO_MEMORY);
    ck_assert_int_eq(compression_decompress(compression, slice_make(stored, 20), back, RAW_BYTES),
                     STATUS_NO_MEMORY);
    memory_fail_after(1, true); /* the context can be made, its tables cannot */
    ck_assert_int_eq(compression_compress(compression, slice_make(raw, RAW_BYTES), stored, &bytes),
                     STATUS_NO_MEMORY);
    memory_fail_never();
    bytes = compressed();
    end();
}
END_TEST

static void *work(void *arg) {
    uint8_t *mine = memory_alloc(2 * RAW_BYTES);
    (void)arg;
    for (int i = 0; i < 200; i++) {
        size_t bytes = 0;
        ck_assert_int_eq(
            compression_compress(compression, slice_make(raw, RAW_BYTES), mine, &bytes), STATUS_OK);
        ck_assert_int_eq(compression_decompress(compression, slice_make(mine, bytes),
                                                mine + RAW_BYTES, RAW_BYTES),
                         STATUS_OK);
        ck_assert(memcmp(mine + RAW_BYTES, raw, RAW_BYTES) == 0);
    }
    memory_free(mine);
    return NULL;
}

START_TEST(more_threads_than_kept_contexts_work_at_once) {
    pthread_t threads[COMPRESSION_CONTEXTS_KEPT + 4];
    start();
    for (size_t i = 0; i < COMPRESSION_CONTEXTS_KEPT + 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
    }
    for (size_t i = 0; i < COMPRESSION_CONTEXTS_KEPT + 4; i++) {
        pthread_join(threads[i], NULL);
    }
    end();
}
END_TEST

UNIT_MAIN("compression", what_is_compressed_comes_back, noise_and_tiny_input_are_not_worth_it,
          an_eighth_is_what_must_be_saved, another_length_is_corrupt,
          once_warm_nothing_is_allocated, without_memory_it_says_so,
          more_threads_than_kept_contexts_work_at_once)
