/* upload_fixture.c: see upload_fixture.h. */
#include "tests/support/upload_fixture.h"

#include "protocol/base/bytes.h"
#include "protocol/base/memory.h"
#include "storage/file_name.h"

#include <check.h>

#define BLOCK_BYTES 65536u
#define PIECE_BYTES_MAX 200000u
#define RANGE_BYTES (3u * 1000 * 1000)

static uint64_t mix(uint64_t x) {
    x ^= x >> 31;
    x *= UINT64_C(0x9E3779B97F4A7C15);
    x ^= x >> 29;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    return x ^ x >> 32;
}

static uint64_t word_at(uint64_t index, uint64_t seed) {
    uint64_t block = index * 8 / BLOCK_BYTES;

    return block % 3 == 2 ? mix(seed * 1000003 + index) : mix(seed + block);
}

void upload_fill(uint8_t *bytes, size_t len, uint64_t offset, uint64_t seed) {
    uint8_t word[8];
    size_t at = 0;

    while (at < len) {
        size_t skip = (offset + at) % 8;
        size_t part = 8 - skip < len - at ? 8 - skip : len - at;
        store_u64(word, word_at((offset + at) / 8, seed));
        memcpy(bytes + at, word + skip, part);
        at += part;
    }
}

static enum status append_all(struct fixture *fixture, struct store_upload *upload, uint64_t bytes,
                              uint64_t seed) {
    uint8_t piece[PIECE_BYTES_MAX]; /* not allocated: allocations may be made to fail */
    uint64_t at = 0;
    enum status status = STATUS_OK;

    while (at < bytes && status == STATUS_OK) {
        size_t len = (size_t)(at % 3 == 0 ? PIECE_BYTES_MAX : PIECE_BYTES_MAX / 7);
        len = len < bytes - at ? len : (size_t)(bytes - at);
        upload_fill(piece, len, at, seed);
        status = store_upload_append(upload, slice_make(piece, len), &fixture->error);
        at += len;
    }
    return status;
}

enum status upload_try(struct fixture *fixture, const char *key, uint64_t bytes, uint64_t seed,
                       struct store_upload **upload_out) {
    enum status status;

    *upload_out = NULL;
    fixture->error = (struct error){0};
    status = store_upload_begin(fixture->store, STORE_NAMESPACE_DEFAULT, slice_from_text(key),
                                upload_out, &fixture->error);
    return status == STATUS_OK ? append_all(fixture, *upload_out, bytes, seed) : status;
}

struct store_upload *upload_start(struct fixture *fixture, const char *key, uint64_t bytes,
                                  uint64_t seed) {
    struct store_upload *upload;
    enum status status = upload_try(fixture, key, bytes, seed, &upload);

    ck_assert_msg(status == STATUS_OK, "upload: %s: %s", status_name(status), fixture->error.text);
    ck_assert_uint_eq(store_upload_bytes(upload), bytes);
    return upload;
}

struct store_outcome upload_commit(struct fixture *fixture, const char *key,
                                   struct store_upload *upload, struct store_condition condition) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text(key),
                            .has_checksum = true,
                            .checksum = store_upload_checksum(upload),
                            .condition = condition};
    enum status status = store_commit_upload(commit, &put, upload);

    ck_assert_int_eq(status, STATUS_OK);
    return fixture_commit_end(fixture, commit, STORE_SYNCED);
}

void upload_put(struct fixture *fixture, const char *key, uint64_t bytes, uint64_t seed) {
    struct store_upload *upload = upload_start(fixture, key, bytes, seed);
    enum status status = store_upload_finish(upload, &fixture->error);
    struct store_outcome outcome;

    ck_assert_int_eq(status, STATUS_OK);
    outcome = upload_commit(fixture, key, upload, (struct store_condition){STORE_ALWAYS, 0});
    ck_assert_int_eq(outcome.status, STATUS_OK);
    store_upload_destroy(upload);
}

static enum status get_range(struct fixture *fixture, const char *key, const uint64_t range[2],
                             enum store_wait wait, struct store_value_info *info_out) {
    struct store_read read;
    enum status status;

    buffer_clear(&fixture->value);
    fixture->error = (struct error){0};
    store_read_begin(fixture->store, &read);
    status = store_get_range(
        &read,
        &(struct store_part){STORE_NAMESPACE_DEFAULT, slice_from_text(key), range[0], range[1]},
        wait, &fixture->value, info_out, &fixture->error);
    store_read_end(&read);
    return status;
}

enum status upload_get_range(struct fixture *fixture, const char *key, uint64_t offset,
                             uint64_t length, enum store_wait wait) {
    uint64_t range[2] = {offset, length};

    return get_range(fixture, key, range, wait, NULL);
}

void upload_expect(struct fixture *fixture, const char *key, uint64_t bytes, uint64_t seed) {
    uint8_t *expected = memory_alloc(RANGE_BYTES);
    uint64_t range[2] = {0, RANGE_BYTES};
    struct store_value_info info;

    ck_assert_ptr_nonnull(expected);
    do {
        uint64_t left = bytes - range[0];
        size_t len = left < RANGE_BYTES ? (size_t)left : RANGE_BYTES;
        enum status status = get_range(fixture, key, range, STORE_WAIT_ALLOWED, &info);
        ck_assert_msg(status == STATUS_OK, "%s at %llu: %s: %s", key, (unsigned long long)range[0],
                      status_name(status), fixture->error.text);
        ck_assert_uint_eq(info.value_bytes, bytes);
        ck_assert_uint_eq(fixture->value.len, len);
        upload_fill(expected, len, range[0], seed);
        ck_assert(len == 0 || memcmp(fixture->value.data, expected, len) == 0);
        range[0] += RANGE_BYTES;
    } while (range[0] < bytes);
    memory_free(expected);
}

static enum status count_cb(void *arg, const char *name, uint64_t size_bytes) {
    uint32_t *count = arg;
    enum file_kind kind;
    uint64_t number;

    (void)size_bytes;
    *count += file_name_parse(name, &kind, &number) && kind == FILE_SEGMENT;
    return STATUS_OK;
}

uint32_t upload_segment_files(struct fixture *fixture) {
    uint32_t count = 0;
    enum status status = env_list(fixture->env, fixture->dir, count_cb, &count, NULL);

    ck_assert_int_eq(status, STATUS_OK);
    return count;
}
