/* salvage_block_test.c: blocks found by their bytes alone, in a file of which nothing else is
 * known.
 */
#include "protocol/base/buffer.h"
#include "storage/checksum.h"
#include "storage/compression.h"
#include "storage/salvage_block.h"
#include "tests/unit/unit.h"

#define FILE_NUMBER 7u
#define OFFSET 48u

static struct compression *compression;
static struct buffer file;

static void begin(void) {
    buffer_init(&file, 1024 * 1024);
    ck_assert_int_eq(compression_create(&compression), STATUS_OK);
}

static void end(void) {
    buffer_deinit(&file);
    compression_destroy(compression);
}

/* Appends a block of `bytes` that depend on `seed`; returns where it ends. */
static size_t add(enum block_type type, size_t bytes, uint8_t seed, bool compressed) {
    const struct block_place place = {FILE_NUMBER, OFFSET + file.len, type};
    struct block_payload payload = {.storing = compressed ? BLOCK_ZSTD : BLOCK_PLAIN};
    uint8_t raw[5000];
    uint8_t *room;
    size_t stored = bytes;

    for (size_t i = 0; i < bytes; i++) {
        raw[i] = (uint8_t)(compressed ? seed : checksum_of(slice_make(&i, sizeof i)) + seed);
    }
    ck_assert_int_eq(buffer_extend(&file, bytes + BLOCK_TRAILER_BYTES, &room), STATUS_OK);
    if (compressed) {
        ck_assert_int_eq(compression_compress(compression, slice_make(raw, bytes), room, &stored),
                         STATUS_OK);
    } else {
        memcpy(room, raw, bytes);
    }
    payload.bytes = slice_make(room, stored);
    payload.raw_bytes = (uint32_t)bytes;
    block_frame_seal(&place, &payload, room + stored);
    file.len -= bytes - stored;
    return file.len;
}

static void add_noise(size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        ck_assert_int_eq(buffer_append_u8(&file, (uint8_t)(i * i)), STATUS_OK);
    }
}

static void expect(size_t from, enum block_type type, bool exact, size_t start, size_t end_at) {
    struct salvage_bytes bytes = {FILE_NUMBER, OFFSET, buffer_slice(&file)};
    size_t found_start;
    size_t found_end;

    ck_assert(salvage_block_find(&bytes, from, type, exact, &found_start, &found_end));
    ck_assert_uint_eq(found_start, start);
    ck_assert_uint_eq(found_end, end_at);
}

static void expect_none(size_t from, enum block_type type, bool exact) {
    struct salvage_bytes bytes = {FILE_NUMBER, OFFSET, buffer_slice(&file)};
    size_t start;
    size_t end_at;

    ck_assert(!salvage_block_find(&bytes, from, type, exact, &start, &end_at));
}

START_TEST(blocks_that_follow_each_other_are_found_in_turn) {
    size_t ends[4];

    begin();
    ends[0] = add(BLOCK_DATA, 100, 1, false);
    ends[1] = add(BLOCK_DATA, 4000, 2, true);
    ends[2] = add(BLOCK_DATA, 0, 3, false);
    ends[3] = add(BLOCK_FILTER, 200, 4, false);
    expect(0, BLOCK_DATA, false, 0, ends[0]);
    expect(ends[0], BLOCK_DATA, false, ends[0], ends[1]);
    expect(ends[1], BLOCK_DATA, false, ends[1], ends[2]);
    expect_none(ends[2], BLOCK_DATA, false);
    expect(ends[2], BLOCK_FILTER, true, ends[2], ends[3]);
    expect_none(ends[1], BLOCK_FILTER, true);
    end();
}
END_TEST

START_TEST(behind_noise_a_block_is_found_where_it_begins) {
    for (int compressed = 0; compressed < 2; compressed++) {
        size_t end_at;
        begin();
        add_noise(777);
        end_at = add(BLOCK_DATA, 3000, 9, compressed);
        add_noise(300);
        expect(0, BLOCK_DATA, false, 777, end_at);
        expect(777, BLOCK_DATA, true, 777, end_at);
        expect_none(778, BLOCK_DATA, false);
        end();
    }
}
END_TEST

START_TEST(no_flipped_byte_of_a_block_passes) {
    begin();
    add(BLOCK_DATA, 60, 5, false);
    for (size_t i = 0; i < file.len; i++) {
        file.data[i] ^= 0x20;
        expect_none(0, BLOCK_DATA, false);
        file.data[i] ^= 0x20;
    }
    end();
}
END_TEST

START_TEST(a_block_of_another_place_is_none) {
    struct salvage_bytes bytes;
    size_t start;
    size_t end_at;

    begin();
    add(BLOCK_DATA, 60, 5, false);
    bytes = (struct salvage_bytes){FILE_NUMBER, OFFSET + 1, buffer_slice(&file)};
    ck_assert(!salvage_block_find(&bytes, 0, BLOCK_DATA, false, &start, &end_at));
    bytes = (struct salvage_bytes){FILE_NUMBER + 1, OFFSET, buffer_slice(&file)};
    ck_assert(!salvage_block_find(&bytes, 0, BLOCK_DATA, false, &start, &end_at));
    end();
}
END_TEST

UNIT_MAIN("salvage block", blocks_that_follow_each_other_are_found_in_turn,
          behind_noise_a_block_is_found_where_it_begins, no_flipped_byte_of_a_block_passes,
          a_block_of_another_place_is_none)
