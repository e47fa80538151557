/* block_frame_test.c: a block that is not the right one at the right place is caught. */
#include "storage/block_frame.h"

#include "protocol/base/bytes.h"
#include "storage/block_writer.h"
#include "storage/checksum.h"
#include "tests/unit/unit.h"

#define PAYLOAD "the payload"
#define STORED_BYTES (sizeof PAYLOAD - 1 + BLOCK_TRAILER_BYTES)

static uint8_t stored[STORED_BYTES];
static const struct block_place place = {7, 4096, BLOCK_DATA};

static void seal(enum block_storing storing, uint32_t raw_bytes) {
    struct block_payload payload = {
        .bytes = slice_make(stored, sizeof PAYLOAD - 1),
        .storing = storing,
        .raw_bytes = raw_bytes,
    };
    memcpy(stored, PAYLOAD, sizeof PAYLOAD - 1);
    block_frame_seal(&place, &payload, stored + sizeof PAYLOAD - 1);
}

static enum status open_at(struct block_place other) {
    struct block_payload payload;
    return block_frame_open(&other, slice_make(stored, STORED_BYTES), &payload);
}

START_TEST(a_sealed_block_opens_at_its_place) {
    struct block_payload payload;
    seal(BLOCK_PLAIN, sizeof PAYLOAD - 1);
    ck_assert_int_eq(block_frame_open(&place, slice_make(stored, STORED_BYTES), &payload),
                     STATUS_OK);
    ck_assert(slice_equal(payload.bytes, slice_from_text(PAYLOAD)));
    ck_assert_int_eq(payload.storing, BLOCK_PLAIN);
    seal(BLOCK_ZSTD, 5000);
    ck_assert_int_eq(block_frame_open(&place, slice_make(stored, STORED_BYTES), &payload),
                     STATUS_OK);
    ck_assert_uint_eq(payload.raw_bytes, 5000);
    ck_assert_int_eq(payload.storing, BLOCK_ZSTD);
}
END_TEST

START_TEST(the_trailer_is_as_documented) {
    seal(BLOCK_ZSTD, 0x01020304);
    ck_assert_uint_eq(stored[sizeof PAYLOAD - 1], 0x01);
    ck_assert_uint_eq(load_u32(stored + sizeof PAYLOAD), 0x01020304);
    ck_assert_uint_eq(
        load_u64(stored + sizeof PAYLOAD + 4),
        checksum_seeded(slice_make(stored, sizeof PAYLOAD - 1 + 5), checksum_place_seed(7, 4096)));
}
END_TEST

START_TEST(another_place_file_or_type_is_corrupt) {
    seal(BLOCK_PLAIN, sizeof PAYLOAD - 1);
    ck_assert_int_eq(open_at((struct block_place){8, 4096, BLOCK_DATA}), STATUS_CORRUPT);
    ck_assert_int_eq(open_at((struct block_place){7, 8192, BLOCK_DATA}), STATUS_CORRUPT);
    ck_assert_int_eq(open_at((struct block_place){7, 4096, BLOCK_INDEX}), STATUS_CORRUPT);
}
END_TEST

START_TEST(every_flipped_bit_is_corrupt) {
    seal(BLOCK_PLAIN, sizeof PAYLOAD - 1);
    for (size_t i = 0; i < 8 * STORED_BYTES; i++) {
        stored[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_int_eq(open_at(place), STATUS_CORRUPT);
        stored[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}
END_TEST

START_TEST(every_other_length_is_corrupt) {
    struct block_payload payload;
    seal(BLOCK_PLAIN, sizeof PAYLOAD - 1);
    for (size_t len = 0; len < STORED_BYTES; len++) {
        ck_assert_int_eq(block_frame_open(&place, slice_make(stored, len), &payload),
                         STATUS_CORRUPT);
    }
}
END_TEST

START_TEST(lengths_that_cannot_be_are_corrupt) {
    seal(BLOCK_PLAIN, sizeof PAYLOAD);
    ck_assert_int_eq(open_at(place), STATUS_CORRUPT);
    seal(BLOCK_ZSTD, BLOCK_RAW_BYTES_MAX);
    ck_assert_int_eq(open_at(place), STATUS_OK);
    seal(BLOCK_ZSTD, BLOCK_RAW_BYTES_MAX + 1);
    ck_assert_int_eq(open_at(place), STATUS_CORRUPT);
}
END_TEST

START_TEST(an_unknown_way_of_storing_is_a_newer_format) {
    seal((enum block_storing)2, 5);
    ck_assert_int_eq(open_at(place), STATUS_NEWER_FORMAT);
}
END_TEST

UNIT_MAIN("block_frame", a_sealed_block_opens_at_its_place, the_trailer_is_as_documented,
          another_place_file_or_type_is_corrupt, every_flipped_bit_is_corrupt,
          every_other_length_is_corrupt, lengths_that_cannot_be_are_corrupt,
          an_unknown_way_of_storing_is_a_newer_format)
