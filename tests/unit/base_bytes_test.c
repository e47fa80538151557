/* base_bytes_test.c: integers as bytes, slices, and the reader that cannot run past its end. */
#include "protocol/base/bytes.h"

#include "tests/unit/unit.h"

/* A reader over the first `len` of the bytes. */
static struct reader reader_over(const void *bytes, size_t len) {
    return reader_make(slice_make(bytes, len));
}

static void expect_varint(uint64_t value, const uint8_t *bytes, size_t len) {
    uint8_t stored[VARINT64_BYTES_MAX];
    struct reader reader = reader_over(bytes, len);
    uint64_t read = value + 1;

    ck_assert_uint_eq(varint_bytes(value), len);
    ck_assert_uint_eq(varint_store(stored, value), len);
    ck_assert(memcmp(stored, bytes, len) == 0);
    ck_assert(reader_take_varint(&reader, &read));
    ck_assert_uint_eq(read, value);
    ck_assert_uint_eq(reader_left(&reader), 0);
}

static void expect_no_varint(const uint8_t *bytes, size_t len) {
    struct reader reader = reader_over(bytes, len);
    uint64_t value = 42;

    ck_assert(!reader_take_varint(&reader, &value));
    ck_assert_uint_eq(value, 42);
    ck_assert_uint_eq(reader_left(&reader), len);
}

START_TEST(integers_are_stored_low_byte_first) {
    static const uint8_t expected[] = {0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01};
    uint8_t bytes[8];

    store_u64(bytes, 0x0102030405060708);
    ck_assert(memcmp(bytes, expected, 8) == 0);
    ck_assert_uint_eq(load_u64(bytes), 0x0102030405060708);
    ck_assert_uint_eq(load_u32(bytes), 0x05060708);
    ck_assert_uint_eq(load_u16(bytes), 0x0708);
}
END_TEST

START_TEST(integers_may_stand_at_odd_addresses) {
    uint8_t bytes[12] = {0};

    store_u32(bytes + 1, 0xDEADBEEF);
    store_u16(bytes + 7, 0xCAFE);
    ck_assert_uint_eq(load_u32(bytes + 1), 0xDEADBEEF);
    ck_assert_uint_eq(load_u16(bytes + 7), 0xCAFE);
    ck_assert_uint_eq(bytes[0] | bytes[5] | bytes[6] | bytes[9], 0);
}
END_TEST

START_TEST(varints_at_the_borders_of_their_lengths) {
    expect_varint(0, (const uint8_t[]){0}, 1);
    expect_varint(127, (const uint8_t[]){0x7F}, 1);
    expect_varint(128, (const uint8_t[]){0x80, 1}, 2);
    expect_varint(16383, (const uint8_t[]){0xFF, 0x7F}, 2);
    expect_varint(16384, (const uint8_t[]){0x80, 0x80, 1}, 3);
    expect_varint(UINT32_MAX, (const uint8_t[]){0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, 5);
    expect_varint(UINT64_MAX,
                  (const uint8_t[]){0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1}, 10);
}
END_TEST

START_TEST(varint_of_every_length_is_read_back) {
    for (unsigned bit = 0; bit < 64; bit++) {
        uint8_t bytes[VARINT64_BYTES_MAX];
        uint64_t value = (uint64_t)1 << bit, read = 0;
        struct reader reader = reader_over(bytes, varint_store(bytes, value));

        ck_assert(reader_take_varint(&reader, &read));
        ck_assert_uint_eq(read, value);
    }
}
END_TEST

START_TEST(varint_that_is_cut_off_is_refused) {
    expect_no_varint(NULL, 0);
    expect_no_varint((const uint8_t[]){0x80}, 1);
    expect_no_varint((const uint8_t[]){0xFF, 0xFF, 0xFF}, 3);
}
END_TEST

START_TEST(varint_of_more_than_64_bits_is_refused) {
    expect_no_varint((const uint8_t[]){0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2},
                     10);
    expect_no_varint(
        (const uint8_t[]){0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x81, 0}, 11);
}
END_TEST

START_TEST(varint_longer_than_needed_is_refused) {
    expect_no_varint((const uint8_t[]){0x80, 0}, 2);
    expect_no_varint((const uint8_t[]){0xFF, 0x80, 0}, 3);
}
END_TEST

START_TEST(varint32_ends_at_its_maximum) {
    uint8_t bytes[VARINT64_BYTES_MAX];
    struct reader reader = reader_over(bytes, varint_store(bytes, UINT32_MAX));
    uint32_t value = 42;

    ck_assert(reader_take_varint32(&reader, &value));
    ck_assert_uint_eq(value, UINT32_MAX);
    reader = reader_over(bytes, varint_store(bytes, (uint64_t)UINT32_MAX + 1));
    ck_assert(!reader_take_varint32(&reader, &value));
    ck_assert_uint_eq(value, UINT32_MAX);
    ck_assert_uint_eq(reader_left(&reader), 5);
}
END_TEST

START_TEST(fixed_widths_are_taken_in_turn) {
    static const uint8_t bytes[] = {1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0};
    struct reader reader = reader_over(bytes, sizeof bytes);
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    ck_assert(reader_take_u8(&reader, &u8) && reader_take_u16(&reader, &u16));
    ck_assert(reader_take_u32(&reader, &u32) && reader_take_u64(&reader, &u64));
    ck_assert_uint_eq(u8, 1);
    ck_assert_uint_eq(u16, 2);
    ck_assert_uint_eq(u32, 3);
    ck_assert_uint_eq(u64, 4);
    ck_assert_uint_eq(reader_left(&reader), 0);
}
END_TEST

START_TEST(fixed_width_one_byte_short_takes_nothing) {
    static const uint8_t bytes[7] = {0};
    struct reader reader = reader_over(bytes, 7);
    uint8_t u8 = 42;
    uint16_t u16 = 42;
    uint32_t u32 = 42;
    uint64_t u64 = 42;

    ck_assert(!reader_take_u64(&reader, &u64));
    reader = reader_over(bytes, 3);
    ck_assert(!reader_take_u32(&reader, &u32));
    reader = reader_over(bytes, 1);
    ck_assert(!reader_take_u16(&reader, &u16));
    ck_assert_uint_eq(reader_left(&reader), 1);
    reader = reader_over(bytes, 0);
    ck_assert(!reader_take_u8(&reader, &u8));
    ck_assert(u8 == 42 && u16 == 42 && u32 == 42 && u64 == 42);
}
END_TEST

START_TEST(bytes_are_borrowed_from_what_is_read) {
    static const uint8_t bytes[] = {1, 2, 3};
    struct reader reader = reader_over(bytes, sizeof bytes);
    struct slice taken;

    ck_assert(reader_take_bytes(&reader, 0, &taken));
    ck_assert_uint_eq(taken.len, 0);
    ck_assert(reader_take_bytes(&reader, 3, &taken));
    ck_assert_ptr_eq(taken.ptr, bytes);
    ck_assert(!reader_take_bytes(&reader, 1, &taken));
    ck_assert_uint_eq(taken.len, 3);
}
END_TEST

START_TEST(block_longer_than_what_is_left_takes_nothing) {
    static const uint8_t bytes[] = {3, 'a', 'b'};
    static const uint8_t huge[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 'a'};
    struct reader reader = reader_over(bytes, sizeof bytes);
    struct slice block = slice_make(NULL, 0);

    ck_assert(!reader_take_block(&reader, &block));
    ck_assert_uint_eq(reader_left(&reader), 3);
    reader = reader_over(huge, sizeof huge);
    ck_assert(!reader_take_block(&reader, &block));
    ck_assert_uint_eq(reader_left(&reader), sizeof huge);
    ck_assert_ptr_null(block.ptr);
}
END_TEST

START_TEST(slices_are_ordered_bytewise_and_shorter_first) {
    ck_assert_int_lt(slice_compare(slice_from_text("a"), slice_from_text("b")), 0);
    ck_assert_int_lt(slice_compare(slice_from_text("a"), slice_from_text("aa")), 0);
    ck_assert_int_lt(slice_compare(slice_from_text(""), slice_from_text("a")), 0);
    ck_assert_int_gt(slice_compare(slice_make("\xFF", 1), slice_make("\x01\x01", 2)), 0);
    ck_assert_int_eq(slice_compare(slice_make("a\0b", 3), slice_make("a\0b", 3)), 0);
    ck_assert_int_eq(slice_compare(slice_make(NULL, 0), slice_from_text("")), 0);
}
END_TEST

START_TEST(slices_are_equal_only_in_length_and_bytes) {
    ck_assert(slice_equal(slice_from_text("key"), slice_from_text("key")));
    ck_assert(!slice_equal(slice_from_text("key"), slice_from_text("kez")));
    ck_assert(!slice_equal(slice_from_text("key"), slice_from_text("ke")));
    ck_assert(slice_equal(slice_make(NULL, 0), slice_from_text("")));
}
END_TEST

START_TEST(prefix_is_found_at_the_front_alone) {
    ck_assert(slice_has_prefix(slice_from_text("user:1"), slice_from_text("user:")));
    ck_assert(slice_has_prefix(slice_from_text("user"), slice_from_text("user")));
    ck_assert(slice_has_prefix(slice_from_text("user"), slice_make(NULL, 0)));
    ck_assert(!slice_has_prefix(slice_from_text("use"), slice_from_text("user")));
    ck_assert(!slice_has_prefix(slice_from_text("a user"), slice_from_text("user")));
}
END_TEST

UNIT_MAIN("base_bytes", integers_are_stored_low_byte_first, integers_may_stand_at_odd_addresses,
          varints_at_the_borders_of_their_lengths, varint_of_every_length_is_read_back,
          varint_that_is_cut_off_is_refused, varint_of_more_than_64_bits_is_refused,
          varint_longer_than_needed_is_refused, varint32_ends_at_its_maximum,
          fixed_widths_are_taken_in_turn, fixed_width_one_byte_short_takes_nothing,
          bytes_are_borrowed_from_what_is_read, block_longer_than_what_is_left_takes_nothing,
          slices_are_ordered_bytewise_and_shorter_first, slices_are_equal_only_in_length_and_bytes,
          prefix_is_found_at_the_front_alone)
