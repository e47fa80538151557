/* table_format_test.c: header, footer and properties: what is refused, and how. */
#include "storage/table_format.h"

#include "storage/checksum.h"
#include "storage/format.h"
#include "tests/unit/table_fixture.h"

static uint8_t header[TABLE_HEADER_BYTES];
static uint8_t footer_bytes[TABLE_FOOTER_BYTES];

static void mend_header(void) {
    store_u64(header + 40, checksum_of(slice_make(header, 40)));
}

START_TEST(a_header_is_as_documented_and_accepted) {
    table_header_store(header, 12);
    ck_assert(memcmp(header, "!vkdTbl1", 8) == 0);
    ck_assert_uint_eq(load_u32(header + 8), FORMAT_VERSION);
    ck_assert_uint_eq(load_u64(header + 24), 12);
    ck_assert_uint_eq(load_u64(header + 40), checksum_of(slice_make(header, 40)));
    ck_assert_int_eq(table_header_check(header, 12), STATUS_OK);
}
END_TEST

START_TEST(another_files_header_and_every_flipped_bit_are_corrupt) {
    table_header_store(header, 12);
    ck_assert_int_eq(table_header_check(header, 13), STATUS_CORRUPT);
    for (size_t i = 0; i < 8 * TABLE_HEADER_BYTES; i++) {
        header[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_int_eq(table_header_check(header, 12), STATUS_CORRUPT);
        header[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}
END_TEST

START_TEST(a_newer_version_or_feature_is_refused_as_such) {
    table_header_store(header, 12);
    store_u32(header + 8, FORMAT_VERSION + 1);
    mend_header();
    ck_assert_int_eq(table_header_check(header, 12), STATUS_NEWER_FORMAT);
    table_header_store(header, 12);
    store_u32(header + 20, 1);
    mend_header();
    ck_assert_int_eq(table_header_check(header, 12), STATUS_NEWER_FORMAT);
    table_header_store(header, 12);
    store_u32(header + 12, 0xFFFFFFFF); /* compatible: read on */
    store_u32(header + 16, 0xFFFFFFFF); /* read-only compatible: this only reads */
    mend_header();
    ck_assert_int_eq(table_header_check(header, 12), STATUS_OK);
}
END_TEST

static struct table_footer footer_of_a_small_file(void) {
    return (struct table_footer){
        .filter = {100, 77},
        .index = {177, 50},
        .properties = {227, 60},
        .number = 12,
        .file_bytes = 287 + TABLE_FOOTER_BYTES,
    };
}

static struct table_info info_of(const struct table_footer *footer, uint64_t checksum) {
    return (struct table_info){
        .number = footer->number, .file_bytes = footer->file_bytes, .footer_checksum = checksum};
}

/* What loading says of a footer with a right checksum that the manifest knows. */
static enum status verdict(const struct table_footer *footer) {
    struct table_info info = info_of(footer, table_footer_store(footer_bytes, footer));
    struct table_footer loaded;
    return table_footer_load(footer_bytes, &info, &loaded);
}

START_TEST(a_footer_is_as_documented_and_accepted) {
    struct table_footer footer = footer_of_a_small_file();
    ck_assert_int_eq(verdict(&footer), STATUS_OK);
    ck_assert_uint_eq(load_u64(footer_bytes), 100);
    ck_assert_uint_eq(load_u32(footer_bytes + 8), 77);
    ck_assert_uint_eq(load_u64(footer_bytes + 12), 177);
    ck_assert_uint_eq(load_u64(footer_bytes + 24), 227);
    ck_assert_uint_eq(load_u64(footer_bytes + 36), 12);
    ck_assert_uint_eq(load_u64(footer_bytes + 44), 287 + TABLE_FOOTER_BYTES);
    ck_assert_uint_eq(load_u32(footer_bytes + 52), FORMAT_VERSION);
    ck_assert(memcmp(footer_bytes + 56, "!vkdTbl1", 8) == 0);
    ck_assert_uint_eq(load_u64(footer_bytes + 64), checksum_of(slice_make(footer_bytes, 64)));
}
END_TEST

START_TEST(places_that_do_not_follow_each_other_are_corrupt) {
    struct table_footer footer = footer_of_a_small_file();
    footer.index.offset++;
    ck_assert_int_eq(verdict(&footer), STATUS_CORRUPT);
    footer = footer_of_a_small_file();
    footer.properties.stored_bytes++;
    ck_assert_int_eq(verdict(&footer), STATUS_CORRUPT);
    footer = footer_of_a_small_file();
    footer.filter = (struct table_place){UINT64_MAX - 10, 77};
    ck_assert_int_eq(verdict(&footer), STATUS_CORRUPT);
    footer = footer_of_a_small_file();
    footer.filter = (struct table_place){TABLE_HEADER_BYTES, 177 - TABLE_HEADER_BYTES};
    ck_assert_int_eq(verdict(&footer), STATUS_CORRUPT); /* no room for data */
}
END_TEST

START_TEST(a_footer_that_the_manifest_does_not_know_is_corrupt) {
    struct table_footer footer = footer_of_a_small_file();
    struct table_footer loaded;
    uint64_t checksum = table_footer_store(footer_bytes, &footer);
    struct table_info info = info_of(&footer, checksum + 1);
    ck_assert_int_eq(table_footer_load(footer_bytes, &info, &loaded), STATUS_CORRUPT);
    info = info_of(&footer, checksum);
    info.number++;
    ck_assert_int_eq(table_footer_load(footer_bytes, &info, &loaded), STATUS_CORRUPT);
    info = info_of(&footer, checksum);
    info.file_bytes++;
    ck_assert_int_eq(table_footer_load(footer_bytes, &info, &loaded), STATUS_CORRUPT);
}
END_TEST

static struct buffer properties(void) {
    struct key smallest = key_at("a", 5);
    struct key largest = key_at("b", 5);
    struct table_info info = {
        .number = 12,
        .smallest = key_slice(&smallest),
        .largest = key_slice(&largest),
        .entries = 2,
        .version_min = 5,
        .version_max = 5,
    };
    struct buffer raw;
    buffer_init(&raw, 4096);
    ck_assert_int_eq(table_properties_append(&raw, &info, 8192), STATUS_OK);
    return raw;
}

static void append_property(struct buffer *raw, uint64_t id, uint8_t flags) {
    ck_assert_int_eq(buffer_append_varint(raw, id), STATUS_OK);
    ck_assert_int_eq(buffer_append_u8(raw, flags), STATUS_OK);
    ck_assert_int_eq(buffer_append_block(raw, slice_from_text("???")), STATUS_OK);
}

START_TEST(unknown_properties_are_skipped_unless_required) {
    struct buffer raw = properties();
    struct table_info info;
    append_property(&raw, 1000, 0);
    ck_assert_int_eq(table_properties_load(buffer_slice(&raw), &info), STATUS_OK);
    ck_assert_uint_eq(info.number, 12);
    ck_assert_uint_eq(info.entries, 2);
    table_info_deinit(&info);
    append_property(&raw, PROPERTY_RANGE_TOMBSTONES, PROPERTY_REQUIRED);
    ck_assert_int_eq(table_properties_load(buffer_slice(&raw), &info), STATUS_NEWER_FORMAT);
    buffer_deinit(&raw);
}
END_TEST

START_TEST(properties_without_a_description_or_cut_are_corrupt) {
    struct buffer raw = properties();
    struct table_info info = {0};
    ck_assert_int_eq(table_properties_load(slice_make(raw.data, 0), &info), STATUS_CORRUPT);
    for (size_t len = 0; len < raw.len; len++) {
        enum status status = table_properties_load(slice_make(raw.data, len), &info);
        ck_assert(status == STATUS_CORRUPT || status == STATUS_OK); /* OK: cut between two */
        table_info_deinit(&info);
    }
    buffer_deinit(&raw);
}
END_TEST

UNIT_MAIN("table_format", a_header_is_as_documented_and_accepted,
          another_files_header_and_every_flipped_bit_are_corrupt,
          a_newer_version_or_feature_is_refused_as_such, a_footer_is_as_documented_and_accepted,
          places_that_do_not_follow_each_other_are_corrupt,
          a_footer_that_the_manifest_does_not_know_is_corrupt,
          unknown_properties_are_skipped_unless_required,
          properties_without_a_description_or_cut_are_corrupt)
