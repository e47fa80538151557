/* extent_test.c: extents of large values: every length around the edges of blocks comes back, in
 * whole and in parts; a flipped byte spoils its block and no other; nothing else gets through. */
#include "storage/extent.h"

#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/checksum.h"
#include "storage/random.h"

#define BLOCK EXTENT_BLOCK_BYTES

static struct compression *compression;
static struct extent_builder builder;
static struct buffer scratch;
static struct error error;
static uint8_t raw[EXTENT_RAW_BYTES_MAX];
static uint8_t out[EXTENT_RAW_BYTES_MAX];

/* An extent under test: its stored bytes, and what was asked of them. */
static struct extent {
    struct slice stored;
    struct value_ref ref;
    uint8_t *bytes; /* a copy of the stored ones, to be damaged */
    uint64_t reads;
    uint64_t reads_left; /* then IO */
} it;

static void fill(size_t len, bool compressible) {
    struct random random = random_make(len);

    for (size_t i = 0; i < len; i++) {
        raw[i] = compressible && i / 1000 % 2 ? 7 : (uint8_t)random_next(&random);
    }
}

static enum status build(size_t len, size_t step) {
    enum status status = STATUS_OK;

    extent_builder_begin(&builder, EXTENT_RAW_BYTES_MAX);
    for (size_t at = 0; at < len && status == STATUS_OK; at += step) {
        struct slice part = slice_make(raw + at, len - at < step ? len - at : step);
        status = extent_builder_add(&builder, &part);
        ck_assert(status != STATUS_OK || part.len == 0);
    }
    return status == STATUS_OK ? extent_builder_finish(&builder, &it.stored, &it.ref) : status;
}

static void start(size_t len, bool compressible) {
    enum status status = compression_create(&compression);

    ck_assert_int_eq(status, STATUS_OK);
    extent_builder_init(&builder, compression);
    buffer_init(&scratch, EXTENT_SCRATCH_BYTES);
    fill(len, compressible);
    it = (struct extent){.reads_left = UINT64_MAX};
    status = build(len, 10000);
    ck_assert_int_eq(status, STATUS_OK);
    it.ref.segment = 5;
    it.ref.offset = 1000;
    it.bytes = memory_alloc(it.stored.len);
    memcpy(it.bytes, it.stored.ptr, it.stored.len);
}

static void finish(void) {
    memory_free(it.bytes);
    extent_builder_deinit(&builder);
    buffer_deinit(&scratch);
    compression_destroy(compression);
}

static enum status read_cb(void *arg, const struct value_ref *ref, uint64_t delta, size_t len,
                           uint8_t *to, struct error *failed) {
    (void)arg;
    ck_assert_ptr_nonnull(ref);
    ck_assert_uint_le(delta + len, it.stored.len);
    if (it.reads++ >= it.reads_left) {
        return error_set(failed, STATUS_IO, 5, NULL, delta, "read");
    }
    memcpy(to, it.bytes + delta, len);
    return STATUS_OK;
}

static enum status read_limited(uint32_t from, uint32_t to, uint64_t zstd_bytes) {
    struct extent_source source = {.read_cb = read_cb, .compression = compression};
    struct extent_reader reader = {
        .source = &source, .scratch = &scratch, .zstd_bytes_left = zstd_bytes};

    error = (struct error){0};
    memset(out, 0xEE, to - from + 1 <= sizeof out ? to - from + 1 : sizeof out);
    return extent_read(&reader, &it.ref, from, to, out, &error);
}

static enum status read_part(uint32_t from, uint32_t to) {
    return read_limited(from, to, UINT64_MAX);
}

static enum status verify(void) {
    return extent_verify_stored(compression, &it.ref, slice_make(it.bytes, it.stored.len), &scratch,
                                &error);
}

static void expect_part(uint32_t from, uint32_t to) {
    enum status status = read_part(from, to);

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert(from == to || memcmp(out, raw + from, to - from) == 0);
    ck_assert(to - from == sizeof out || out[to - from] == 0xEE); /* and nothing beyond */
}

START_TEST(lengths_around_the_edges_of_blocks_come_back) {
    static const uint32_t lengths[] = {1,
                                       2,
                                       63,
                                       64,
                                       BLOCK - 1,
                                       BLOCK,
                                       BLOCK + 1,
                                       3 * BLOCK,
                                       EXTENT_RAW_BYTES_MAX - 1,
                                       EXTENT_RAW_BYTES_MAX};

    for (size_t i = 0; i < 2 * (sizeof lengths / sizeof lengths[0]); i++) {
        uint32_t len = lengths[i / 2];
        enum status status;
        start(len, i % 2);
        ck_assert_uint_eq(it.ref.raw_bytes, len);
        ck_assert_uint_eq(it.ref.stored_bytes, it.stored.len);
        ck_assert_uint_le(it.stored.len, EXTENT_STORED_BYTES_MAX);
        ck_assert(i % 2 == 0 || len < 4000 || it.stored.len < len);
        expect_part(0, len);
        status = verify();
        ck_assert_int_eq(status, STATUS_OK);
        finish();
    }
}
END_TEST

START_TEST(any_part_is_read) {
    static const uint32_t edges[] = {
        0,         1,         100,           BLOCK - 1,      BLOCK,
        BLOCK + 1, 2 * BLOCK, 3 * BLOCK - 1, 3 * BLOCK + 98, 3 * BLOCK + 99};

    for (int compressible = 0; compressible < 2; compressible++) {
        start(3 * BLOCK + 99, compressible);
        for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
            for (size_t j = i; j < sizeof edges / sizeof edges[0]; j++) {
                expect_part(edges[i], edges[j]);
            }
        }
        finish();
    }
}
END_TEST

START_TEST(the_same_bytes_in_other_pieces_make_the_same_extent) {
    static const size_t steps[] = {777, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK};

    start(3 * BLOCK + 99, true);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum status status = build(3 * BLOCK + 99, steps[i]);
        ck_assert_int_eq(status, STATUS_OK);
        ck_assert(slice_equal(it.stored, slice_make(it.bytes, it.stored.len)));
    }
    finish();
}
END_TEST

START_TEST(the_builder_takes_no_more_than_its_extent) {
    struct slice bytes = slice_make(raw, 3 * BLOCK);
    enum status status;

    start(1, false);
    fill(3 * BLOCK, false);
    extent_builder_begin(&builder, 2 * BLOCK);
    status = extent_builder_add(&builder, &bytes);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert(extent_builder_is_full(&builder));
    ck_assert_uint_eq(bytes.len, BLOCK);
    ck_assert_ptr_eq(bytes.ptr, raw + 2 * BLOCK);
    status = extent_builder_finish(&builder, &it.stored, &it.ref);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(it.ref.raw_bytes, 2 * BLOCK);
    ck_assert_uint_le(builder.stored.capacity, 2 * BLOCK + 2 * EXTENT_INDEX_ENTRY_BYTES);
    finish();
}
END_TEST

START_TEST(only_the_blocks_that_are_wanted_are_read) {
    start(10 * BLOCK, false);
    expect_part(3 * BLOCK + 5, 4 * BLOCK + 5);
    ck_assert_uint_eq(it.reads, 3); /* the index and two blocks */
    finish();
}
END_TEST

/* Which blocks cannot be read any more, as bits. */
static unsigned spoiled_blocks(uint32_t block_count) {
    unsigned spoiled = 0;

    for (uint32_t i = 0; i < block_count; i++) {
        uint32_t to = (i + 1) * BLOCK < it.ref.raw_bytes ? (i + 1) * BLOCK : it.ref.raw_bytes;
        enum status status = read_part(i * BLOCK, to);
        ck_assert(status == STATUS_OK || status == STATUS_CORRUPT);
        ck_assert(status == STATUS_OK || strstr(error.text, "segment 5"));
        ck_assert(status != STATUS_OK || memcmp(out, raw + i * BLOCK, to - i * BLOCK) == 0);
        spoiled |= status == STATUS_CORRUPT ? 1u << i : 0;
    }
    return spoiled;
}

/* The block that a stored byte belongs to; block_count: the index. */
static uint32_t block_of(size_t at, uint32_t block_count) {
    const uint8_t *index = it.stored.ptr + it.stored.len - block_count * EXTENT_INDEX_ENTRY_BYTES;
    size_t end = 0;

    for (uint32_t i = 0; i < block_count; i++) {
        end += load_u32(index + i * EXTENT_INDEX_ENTRY_BYTES);
        if (at < end) {
            return i;
        }
    }
    return block_count;
}

START_TEST(a_flipped_byte_spoils_its_block_and_no_other) {
    start(3 * BLOCK + 99, true);
    for (size_t at = 0; at < it.stored.len; at += at + 300 < it.stored.len ? 97 : 1) {
        uint32_t block = block_of(at, 4);
        unsigned expected = block == 4 ? 0xFu : 1u << block;
        enum status status;
        it.bytes[at] ^= 0x10;
        ck_assert_msg(spoiled_blocks(4) == expected, "byte %zu of block %u", at, block);
        status = verify();
        ck_assert_int_eq(status, STATUS_CORRUPT);
        it.bytes[at] ^= 0x10;
    }
    finish();
}
END_TEST

START_TEST(the_error_names_block_and_offset) {
    enum status status;

    start(3 * BLOCK + 99, false);
    it.bytes[2 * BLOCK + 7] ^= 1;
    status = read_part(0, 3 * BLOCK);
    ck_assert_int_eq(status, STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "block 2 "));
    ck_assert_uint_eq(error.offset, 1000 + 2 * BLOCK);
    finish();
}
END_TEST

START_TEST(a_reference_with_impossible_lengths_is_corrupt) {
    static const struct {
        uint32_t raw_bytes;
        uint32_t stored_bytes;
    } cases[] = {{0, 100},
                 {EXTENT_RAW_BYTES_MAX + 1, 100},
                 {100, 0},
                 {100, EXTENT_INDEX_ENTRY_BYTES},
                 {BLOCK + 1, 2 * EXTENT_INDEX_ENTRY_BYTES}};

    start(100, false);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum status status;
        it.ref.raw_bytes = cases[i].raw_bytes;
        it.ref.stored_bytes = cases[i].stored_bytes;
        status = verify();
        ck_assert_int_eq(status, STATUS_CORRUPT);
    }
    finish();
}
END_TEST

/* An index that is whole, but whose lengths lie. */
START_TEST(an_index_that_does_not_add_up_is_corrupt) {
    uint8_t *index;
    enum status status;

    start(BLOCK + 100, false);
    index = it.bytes + it.stored.len - 2 * EXTENT_INDEX_ENTRY_BYTES;
    store_u32(index, BLOCK - 1);
    it.ref.checksum = checksum_of(slice_make(index, 2 * EXTENT_INDEX_ENTRY_BYTES));
    status = verify();
    ck_assert_int_eq(status, STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "add up"));
    store_u32(index, BLOCK + 1); /* more than it can be, though the sum is right */
    store_u32(index + EXTENT_INDEX_ENTRY_BYTES, 99);
    it.ref.checksum = checksum_of(slice_make(index, 2 * EXTENT_INDEX_ENTRY_BYTES));
    status = verify();
    ck_assert_int_eq(status, STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "add up"));
    finish();
}
END_TEST

START_TEST(more_decompression_than_allowed_would_block) {
    enum status status;

    start(2 * BLOCK, true);
    status = read_limited(0, BLOCK, BLOCK);
    ck_assert_int_eq(status, STATUS_OK);
    status = read_limited(0, BLOCK + 1, BLOCK);
    ck_assert_int_eq(status, STATUS_WOULD_BLOCK);
    finish();
}
END_TEST

START_TEST(a_failed_read_is_passed_on) {
    enum status status = STATUS_IO;
    uint64_t n;

    start(2 * BLOCK + 1, true);
    for (n = 0; status != STATUS_OK; n++) {
        it.reads = 0;
        it.reads_left = n;
        status = read_part(1, 2 * BLOCK + 1);
        ck_assert(status == STATUS_OK || status == STATUS_IO);
    }
    ck_assert_uint_eq(n, 5); /* index and three blocks */
    finish();
}
END_TEST

START_TEST(want_of_memory_is_passed_on) {
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    start(2 * BLOCK + 1, true);
    while (status == STATUS_NO_MEMORY) {
        struct buffer fresh = {.cap = EXTENT_SCRATCH_BYTES};
        extent_builder_deinit(&builder);
        memory_fail_after(n++, false);
        status = build(2 * BLOCK + 1, 1000);
        if (status == STATUS_OK) {
            status = extent_verify_stored(compression, &it.ref, it.stored, &fresh, &error);
        }
        memory_fail_never();
        buffer_deinit(&fresh);
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(n, 4);
    finish();
}
END_TEST

UNIT_MAIN("extent", lengths_around_the_edges_of_blocks_come_back, any_part_is_read,
          the_same_bytes_in_other_pieces_make_the_same_extent,
          the_builder_takes_no_more_than_its_extent, only_the_blocks_that_are_wanted_are_read,
          a_flipped_byte_spoils_its_block_and_no_other, the_error_names_block_and_offset,
          a_reference_with_impossible_lengths_is_corrupt, an_index_that_does_not_add_up_is_corrupt,
          more_decompression_than_allowed_would_block, a_failed_read_is_passed_on,
          want_of_memory_is_passed_on)
