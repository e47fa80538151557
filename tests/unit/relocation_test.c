/* relocation_test.c: sections that tell where moved records lie: written, found in, walked, and
 * damaged in every byte. Also their codec. */
#include "storage/relocation.h"

#include "storage/env_fault.h"
#include "tests/unit/log_fixture.h"

#define TARGET 9u
#define HOME 4u
#define ENTRIES_MAX 200000u
#define FULL RELOCATION_PAGE_ENTRIES

static struct log it;
static struct env *faulty;
static struct segment_cache *segments;
static struct block_cache *blocks;
static struct relocation_source source;
static struct relocation_entry entries[ENTRIES_MAX];

static void fill_entries(void) {
    for (uint32_t i = 0; i < ENTRIES_MAX; i++) {
        entries[i] = (struct relocation_entry){200 + 10 * (uint64_t)i, 77 + 3 * (uint64_t)i};
    }
}

/* A survivor with one group, and no section yet. */
static void start(void) {
    struct segment_source from;

    fill_entries();
    log_init(&it);
    ck_assert_int_eq(env_fault_create(it.env, NULL, &faulty), STATUS_OK);
    from = (struct segment_source){faulty, LOG_DIR, it.compression, STORE_ID_A};
    ck_assert_int_eq(segment_cache_create(&from, 4, &segments), STATUS_OK);
    ck_assert_int_eq(block_cache_create(1 << 20, &blocks), STATUS_OK);
    source = (struct relocation_source){segments, blocks};
    log_segment(&it, TARGET);
    log_group(&it, 1, 500);
}

static void finish(void) {
    segment_cache_destroy(segments);
    block_cache_destroy(blocks);
    env_fault_destroy(faulty);
    log_deinit(&it);
}

static struct relocation append(uint64_t home, uint64_t count) {
    struct relocation relocation;
    ck_assert_int_eq(
        relocation_section_append(it.writer, home, entries, count, &relocation, &it.error),
        STATUS_OK);
    ck_assert(relocation_is_valid(&relocation));
    ck_assert_uint_eq(relocation.section_offset + relocation.section_bytes,
                      segment_writer_position(it.writer));
    return relocation;
}

static enum status find(const struct relocation *relocation, uint64_t old_offset,
                        uint64_t *new_offset_out) {
    return relocation_find(&source, relocation, old_offset, READ_WAIT_ALLOWED, new_offset_out,
                           &it.error);
}

static void expect_found(const struct relocation *relocation,
                         const struct relocation_entry *entry) {
    uint64_t new_offset = 0;
    ck_assert_int_eq(find(relocation, entry->old_offset, &new_offset), STATUS_OK);
    ck_assert_uint_eq(new_offset, entry->new_offset);
}

/* Makes a byte of the survivor wrong, or right again. */
static void flip(uint64_t offset) {
    char path[ENV_PATH_MAX];
    struct env_file *file;
    uint8_t byte = 0;
    size_t got;

    segment_path(TARGET, path);
    ck_assert_int_eq(env_open(it.env, path, ENV_READ_CACHED, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_read(file, offset, &byte, 1, &got, NULL), STATUS_OK);
    ck_assert_uint_eq(got, 1);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    byte ^= 0x10;
    ck_assert_int_eq(env_memory_poke(it.env, path, offset, slice_make(&byte, 1)), STATUS_OK);
}

/* ---- finding ---- */

START_TEST(every_record_is_found_in_sections_of_any_length) {
    static const uint64_t counts[] = {1, 2, FULL - 1, FULL, FULL + 1, 2 * FULL, 65 * FULL + 3};
    start();
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct relocation relocation = append(HOME + 100 * i, counts[i]);
        ck_assert_uint_eq(relocation.home, HOME + 100 * i);
        ck_assert_uint_eq(relocation.target, TARGET);
        for (uint64_t k = 0; k < counts[i]; k++) {
            expect_found(&relocation, &entries[k]);
        }
    }
    finish();
}
END_TEST

START_TEST(what_was_not_moved_is_corrupt_and_not_absent) {
    struct relocation relocation;
    char path[ENV_PATH_MAX];
    uint64_t new_offset = 5;

    start();
    relocation = append(HOME, 2 * FULL);
    for (uint64_t offset = 190; offset < 260; offset++) {
        bool there = offset >= 200 && offset % 10 == 0;
        ck_assert_int_eq(find(&relocation, offset, &new_offset),
                         there ? STATUS_OK : STATUS_CORRUPT);
    }
    segment_path(TARGET, path);
    ck_assert_str_eq(it.error.path, path);
    ck_assert_uint_eq(it.error.offset, relocation.section_offset);
    ck_assert_int_eq(find(&relocation, entries[2 * FULL].old_offset, &new_offset), STATUS_CORRUPT);
    ck_assert_int_eq(find(&relocation, UINT64_MAX, &new_offset), STATUS_CORRUPT);
    finish();
}
END_TEST

START_TEST(a_page_is_read_once_and_then_found_in_memory) {
    struct relocation relocation;
    uint64_t reads;

    start();
    relocation = append(HOME, 3 * FULL);
    expect_found(&relocation, &entries[FULL]);
    reads = env_fault_calls(faulty, FAULT_READ | FAULT_READ_NOWAIT);
    for (uint64_t i = FULL; i < 2 * FULL; i++) {
        uint64_t new_offset;
        memory_fail_after(0, true); /* nor is anything allocated */
        ck_assert_int_eq(relocation_find(&source, &relocation, entries[i].old_offset,
                                         READ_WAIT_NEVER, &new_offset, NULL),
                         STATUS_OK);
        memory_fail_never();
        ck_assert_uint_eq(new_offset, entries[i].new_offset);
    }
    ck_assert_uint_eq(env_fault_calls(faulty, FAULT_READ | FAULT_READ_NOWAIT), reads);
    finish();
}
END_TEST

START_TEST(one_that_must_not_wait_never_does) {
    struct fault_rule cold = {.kinds = FAULT_READ_NOWAIT,
                              .countdown = 1,
                              .for_ever = true,
                              .fault = FAULT_IS_WOULD_BLOCK};
    struct relocation relocation;
    struct segment_handle *handle;
    uint64_t new_offset = 0;

    start();
    relocation = append(HOME, FULL);
    ck_assert_int_eq(relocation_find(&source, &relocation, 200, READ_WAIT_NEVER, &new_offset, NULL),
                     STATUS_WOULD_BLOCK); /* the file is not open */
    ck_assert_uint_eq(env_fault_calls(faulty, FAULT_OPEN | FAULT_READ), 0);
    ck_assert_int_eq(segment_cache_pin(segments, TARGET, READ_WAIT_ALLOWED, &handle, NULL),
                     STATUS_OK);
    segment_cache_unpin(segments, handle);
    env_fault_add(faulty, &cold);
    ck_assert_int_eq(relocation_find(&source, &relocation, 200, READ_WAIT_NEVER, &new_offset, NULL),
                     STATUS_WOULD_BLOCK); /* the page is not in memory */
    env_fault_clear(faulty);
    expect_found(&relocation, &entries[0]);
    finish();
}
END_TEST

START_TEST(it_works_without_a_cache) {
    struct relocation relocation;

    start();
    source.blocks = NULL;
    relocation = append(HOME, 2 * FULL);
    expect_found(&relocation, &entries[FULL + 1]);
    finish();
}
END_TEST

/* ---- walking ---- */

struct seen {
    uint64_t count;
    uint64_t stop_at;
};

static enum status seen_cb(void *arg, const struct relocation_entry *entry) {
    struct seen *seen = arg;
    ck_assert_mem_eq(entry, &entries[seen->count], sizeof *entry);
    seen->count++;
    return seen->count == seen->stop_at ? STATUS_CANCELLED : STATUS_OK;
}

static enum status iterate(const struct relocation *relocation, struct seen *seen) {
    return relocation_iterate(segments, relocation, seen_cb, seen, &it.error);
}

START_TEST(a_walk_meets_all_in_order_and_stops_when_it_is_told_to) {
    struct relocation first;
    struct relocation second;
    struct seen seen = {0};

    start();
    first = append(HOME, 3 * FULL + 7);
    second = append(HOME + 1, 5);
    ck_assert_int_eq(iterate(&first, &seen), STATUS_OK);
    ck_assert_uint_eq(seen.count, first.entries);
    seen = (struct seen){0};
    ck_assert_int_eq(iterate(&second, &seen), STATUS_OK);
    ck_assert_uint_eq(seen.count, 5);
    seen = (struct seen){.stop_at = FULL + 1};
    ck_assert_int_eq(iterate(&first, &seen), STATUS_CANCELLED);
    ck_assert_uint_eq(seen.count, FULL + 1);
    finish();
}
END_TEST

START_TEST(a_long_section_is_appended_in_pieces) {
    struct relocation relocation;
    struct seen seen = {0};
    uint64_t mutations;

    start();
    mutations = env_memory_mutations(it.env);
    relocation = append(HOME, ENTRIES_MAX);
    ck_assert_uint_ge(env_memory_mutations(it.env) - mutations, 10);
    expect_found(&relocation, &entries[ENTRIES_MAX - 1]);
    ck_assert_int_eq(iterate(&relocation, &seen), STATUS_OK);
    ck_assert_uint_eq(seen.count, ENTRIES_MAX);
    finish();
}
END_TEST

/* ---- damage ---- */

START_TEST(each_damaged_byte_is_told_with_file_and_offset_of_its_page) {
    struct relocation relocation;
    char path[ENV_PATH_MAX];
    uint64_t index;

    start();
    source.blocks = NULL;
    relocation = append(HOME, FULL + 40);
    segment_path(TARGET, path);
    index = relocation.section_offset + relocation.section_bytes -
            relocation_index_bytes(relocation.entries);
    for (uint64_t at = 0; at < relocation.section_bytes; at++) {
        uint64_t offset = relocation.section_offset + at;
        uint64_t page = relocation.section_offset + at / RELOCATION_PAGE_BYTES * 4096;
        const struct relocation_entry *sought =
            &entries[at < RELOCATION_PAGE_BYTES ? 0 : relocation.entries - 1];
        struct seen seen = {0};
        uint64_t new_offset;
        flip(offset);
        ck_assert_int_eq(find(&relocation, sought->old_offset, &new_offset), STATUS_CORRUPT);
        ck_assert_str_eq(it.error.path, path);
        ck_assert_uint_eq(it.error.offset, offset < index ? page : index);
        ck_assert_int_eq(iterate(&relocation, &seen), STATUS_CORRUPT);
        ck_assert_uint_eq(seen.count,
                          offset < index && page > relocation.section_offset ? FULL : 0);
        flip(offset);
    }
    expect_found(&relocation, &entries[0]);
    finish();
}
END_TEST

START_TEST(a_damaged_page_hides_no_other) {
    struct relocation relocation;
    uint64_t new_offset;

    start();
    relocation = append(HOME, 3 * FULL);
    flip(relocation.section_offset + RELOCATION_PAGE_BYTES + 100);
    expect_found(&relocation, &entries[0]);
    ck_assert_int_eq(find(&relocation, entries[FULL].old_offset, &new_offset), STATUS_CORRUPT);
    expect_found(&relocation, &entries[2 * FULL]);
    finish();
}
END_TEST

START_TEST(the_section_of_another_home_or_place_is_refused) {
    struct relocation first;
    struct relocation second;
    struct relocation wrong;
    uint64_t new_offset;

    start();
    first = append(HOME, 5);
    second = append(HOME + 1, 5);
    wrong = first;
    wrong.section_offset = second.section_offset;
    ck_assert_int_eq(find(&wrong, 200, &new_offset), STATUS_CORRUPT);
    wrong = first;
    wrong.section_offset++;
    ck_assert_int_eq(find(&wrong, 200, &new_offset), STATUS_CORRUPT);
    wrong = first;
    wrong.entries = 6;
    wrong.section_bytes = relocation_section_bytes(6);
    ck_assert_int_eq(find(&wrong, 200, &new_offset), STATUS_CORRUPT);
    wrong = second;
    wrong.section_offset = segment_writer_position(it.writer); /* the file ends there */
    ck_assert_int_eq(find(&wrong, 200, &new_offset), STATUS_CORRUPT);
    finish();
}
END_TEST

START_TEST(a_page_copied_to_another_offset_does_not_pass) {
    struct relocation_part part;
    uint8_t page[RELOCATION_PAGE_BYTES] = {0};
    size_t len;

    fill_entries();
    len = relocation_page_store(page, HOME, entries, 3, 11, 5000);
    ck_assert_uint_eq(len, relocation_page_maybe(slice_make(page, sizeof page)));
    ck_assert_int_eq(relocation_page_load(slice_make(page, len), 11, 5000, &part), STATUS_OK);
    ck_assert_uint_eq(part.home, HOME);
    ck_assert_uint_eq(part.count, 3);
    ck_assert_int_eq(relocation_page_load(slice_make(page, len), 11, 5001, &part), STATUS_CORRUPT);
    ck_assert_int_eq(relocation_page_load(slice_make(page, len), 12, 5000, &part), STATUS_CORRUPT);
    ck_assert_int_eq(relocation_index_load(slice_make(page, len), 11, 5000, &part), STATUS_CORRUPT);
    for (size_t cut = 0; cut < len; cut++) {
        ck_assert_int_eq(relocation_page_load(slice_make(page, cut), 11, 5000, &part),
                         STATUS_CORRUPT);
    }
    ck_assert_uint_eq(relocation_page_maybe(slice_make(page, RELOCATION_HEADER_BYTES)), 0);
    page[4] = 0; /* no entries */
    ck_assert_uint_eq(relocation_page_maybe(slice_make(page, sizeof page)), 0);
}
END_TEST

/* ---- want of things ---- */

START_TEST(each_failing_read_fails_the_search_and_the_walk) {
    struct relocation relocation;
    uint64_t calls;

    start();
    source.blocks = NULL;
    relocation = append(HOME, FULL + 40);
    expect_found(&relocation, &entries[FULL]);
    for (int walk = 0; walk < 2; walk++) {
        enum status status = STATUS_IO;
        for (calls = 1; status != STATUS_OK; calls++) {
            struct fault_rule rule = {.kinds = FAULT_READ, .countdown = calls};
            struct seen seen = {0};
            uint64_t new_offset;
            env_fault_add(faulty, &rule);
            status = walk ? iterate(&relocation, &seen)
                          : find(&relocation, entries[FULL].old_offset, &new_offset);
            env_fault_clear(faulty);
            ck_assert(status == STATUS_OK || status == STATUS_IO);
        }
        ck_assert_uint_ge(calls, 4); /* index, page (and another), and the one that succeeded */
    }
    finish();
}
END_TEST

START_TEST(each_failing_allocation_is_told) {
    struct relocation relocation;
    uint64_t new_offset;
    enum status status = STATUS_NO_MEMORY;

    start();
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        log_segment(&it, TARGET + 1 + n); /* what failed in part is left behind */
        log_group(&it, 1, 500);
        memory_fail_after(n, true);
        status =
            relocation_section_append(it.writer, HOME, entries, FULL + 1, &relocation, &it.error);
        memory_fail_never(); /* IO: the file system of the test has no memory */
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY || status == STATUS_IO);
    }
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = find(&relocation, 200, &new_offset);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    status = STATUS_NO_MEMORY;
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        struct seen seen = {0};
        memory_fail_after(n, true);
        status = iterate(&relocation, &seen);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    finish();
}
END_TEST

UNIT_MAIN("relocation", every_record_is_found_in_sections_of_any_length,
          what_was_not_moved_is_corrupt_and_not_absent,
          a_page_is_read_once_and_then_found_in_memory, one_that_must_not_wait_never_does,
          it_works_without_a_cache, a_walk_meets_all_in_order_and_stops_when_it_is_told_to,
          a_long_section_is_appended_in_pieces,
          each_damaged_byte_is_told_with_file_and_offset_of_its_page, a_damaged_page_hides_no_other,
          the_section_of_another_home_or_place_is_refused,
          a_page_copied_to_another_offset_does_not_pass,
          each_failing_read_fails_the_search_and_the_walk, each_failing_allocation_is_told)
