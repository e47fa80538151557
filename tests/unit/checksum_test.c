/* checksum_test.c: known sums, seeds, and streams that agree with one call. */
#include "storage/checksum.h"

#include "tests/unit/unit.h"

static uint8_t bytes[1000];

static void fill(void) {
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
}

START_TEST(the_sum_of_nothing_is_the_published_one) {
    ck_assert_uint_eq(checksum_of(slice_make("", 0)), UINT64_C(0x2D06800538D394C2));
}
END_TEST

START_TEST(seed_zero_is_the_plain_sum) {
    fill();
    for (size_t len = 0; len <= sizeof bytes; len += 37) {
        struct slice slice = slice_make(bytes, len);
        ck_assert_uint_eq(checksum_seeded(slice, 0), checksum_of(slice));
        ck_assert_uint_ne(checksum_seeded(slice, 1), checksum_of(slice));
    }
}
END_TEST

START_TEST(a_stream_gives_what_one_call_gives) {
    fill();
    for (size_t piece = 1; piece < sizeof bytes; piece += 61) {
        struct checksum_stream stream;
        checksum_begin(&stream, 42);
        checksum_add(&stream, slice_make(NULL, 0));
        for (size_t at = 0; at < sizeof bytes; at += piece) {
            size_t left = sizeof bytes - at;
            checksum_add(&stream, slice_make(bytes + at, left < piece ? left : piece));
        }
        ck_assert_uint_eq(checksum_end(&stream),
                          checksum_seeded(slice_make(bytes, sizeof bytes), 42));
    }
}
END_TEST

START_TEST(places_have_seeds_of_their_own) {
    ck_assert_uint_ne(checksum_place_seed(1, 2), checksum_place_seed(2, 1));
    ck_assert_uint_ne(checksum_place_seed(1, 2), checksum_place_seed(1, 3));
    ck_assert_uint_ne(checksum_place_seed(0, 0), 0);
}
END_TEST

UNIT_MAIN("checksum", the_sum_of_nothing_is_the_published_one, seed_zero_is_the_plain_sum,
          a_stream_gives_what_one_call_gives, places_have_seeds_of_their_own)
