/* value_reader_test.c: values are read where they were written, and where they were moved to. */
#include "storage/value_reader.h"

#include "storage/env_fault.h"
#include "storage/relocation.h"
#include "storage/scheduler.h"
#include "tests/unit/log_fixture.h"

#define HOME 1u
#define SURVIVOR 9u
#define VALUE_MAX (64 * 1024)

static struct log it;
static struct env *faulty;
static struct scheduler *scheduler;
static struct reclaim reclaim;
static struct segment_cache *segments;
static struct block_cache *blocks;
static struct version_files files;
static struct version *now;
static struct version_edit edit;
static struct buffer scratch;
static struct relocation_entry moved[LOG_COMMITS_MAX];
static uint8_t raw[VALUE_MAX];

static void install(void) {
    struct version *next;

    ck_assert_int_eq(version_apply(&files, now, &edit, &next), STATUS_OK);
    version_mark_files(now, &edit);
    version_unref(now);
    now = next;
    version_edit_clear(&edit);
}

/* Values of four lengths, compressed and not, in the segment HOME, which is live. */
static void start(void) {
    struct segment_source source;

    log_init(&it);
    log_segment(&it, HOME);
    log_group(&it, 2, 1);
    log_group(&it, 2, 100);
    log_group(&it, 2, 5000);
    log_group(&it, 2, 40000);
    ck_assert_int_eq(env_fault_create(it.env, NULL, &faulty), STATUS_OK);
    ck_assert_int_eq(scheduler_sim_create(1, &scheduler), STATUS_OK);
    reclaim_init(&reclaim, it.env, LOG_DIR, scheduler);
    source = (struct segment_source){faulty, LOG_DIR, it.compression, STORE_ID_A};
    ck_assert_int_eq(segment_cache_create(&source, 4, &segments), STATUS_OK);
    ck_assert_int_eq(block_cache_create(1 << 20, &blocks), STATUS_OK);
    files = (struct version_files){.segments = segments, .reclaim = &reclaim, .blocks = blocks};
    buffer_init(&scratch, VALUE_BYTES_MAX);
    version_edit_init(&edit);
    ck_assert_int_eq(version_create_empty(&now), STATUS_OK);
    ck_assert_int_eq(version_edit_add_segment(&edit, HOME, SEGMENT_COMMIT), STATUS_OK);
    install();
}

static void finish(void) {
    version_edit_deinit(&edit);
    version_unref(now);
    buffer_deinit(&scratch);
    scheduler_drain(scheduler);
    reclaim_deinit(&reclaim);
    scheduler_destroy(scheduler);
    segment_cache_destroy(segments);
    block_cache_destroy(blocks);
    env_fault_destroy(faulty);
    log_deinit(&it);
}

static void survivor_begin(void) {
    struct segment_writer_options options = {.env = it.env,
                                             .dir = LOG_DIR,
                                             .number = SURVIVOR,
                                             .kind = SEGMENT_SURVIVOR,
                                             .incarnation = 1,
                                             .preallocate_bytes = 4096,
                                             .store_id = STORE_ID_A};

    segment_writer_close(it.writer);
    it.writer = NULL;
    ck_assert_int_eq(segment_writer_create(&options, &it.writer, &it.error), STATUS_OK);
}

/* Copies one record as it is, in a group of its own; returns where its stored bytes lie now. */
static uint64_t copy_record(const struct written *written) {
    struct batch_op op = {.namespace_id = NAMESPACE_DEFAULT,
                          .key = slice_from_text("key"),
                          .kind = ENTRY_REFERENCE,
                          .raw_bytes = written->ref.raw_bytes,
                          .checksum = written->ref.checksum,
                          .compressed = written->ref.compressed};
    struct value_piece all = {0, written->ref.stored_bytes};
    struct group_info group = {.sequence = ++it.sequence};
    struct log_commit commit;
    struct batch batch;

    ck_assert_int_eq(value_reader_read_bytes(now, &written->ref, all, READ_WAIT_ALLOWED, raw, NULL),
                     STATUS_OK);
    batch_init(&batch);
    ck_assert_int_eq(batch_append(&batch, &op, slice_make(raw, all.len)), STATUS_OK);
    commit = (struct log_commit){.meta = buffer_slice(&batch.meta),
                                 .values = buffer_slice(&batch.values),
                                 .op_count = 1,
                                 .version = written->version};
    (void)segment_writer_layout(it.writer, &commit, 1);
    ck_assert_int_eq(segment_writer_append(it.writer, &group, &commit, 1, NULL), STATUS_OK);
    batch_deinit(&batch);
    return commit.values_offset;
}

/* Moves all records of HOME but the last to the survivor, the newest first, and drops HOME. */
static struct relocation move_all_but_one(void) {
    struct relocation relocation;
    size_t count = it.written_count - 1;

    survivor_begin();
    for (size_t i = count; i-- > 0;) {
        moved[i] = (struct relocation_entry){it.written[i].ref.offset, copy_record(&it.written[i])};
    }
    ck_assert_int_eq(
        relocation_section_append(it.writer, HOME, moved, count, &relocation, &it.error),
        STATUS_OK);
    ck_assert_int_eq(segment_writer_seal(it.writer, &it.error), STATUS_OK);
    ck_assert_int_eq(version_edit_add_segment(&edit, SURVIVOR, SEGMENT_SURVIVOR), STATUS_OK);
    ck_assert_int_eq(version_edit_seal_segment(&edit, SURVIVOR, segment_writer_position(it.writer)),
                     STATUS_OK);
    ck_assert_int_eq(version_edit_remove_segment(&edit, HOME), STATUS_OK);
    ck_assert_int_eq(version_edit_add_relocation(&edit, &relocation), STATUS_OK);
    install();
    scheduler_drain(scheduler);
    return relocation;
}

static enum status read_as(const struct value_ref *ref, enum read_wait wait) {
    memset(raw, 0xEE, sizeof raw);
    return value_reader_read(now, ref, wait, raw, &scratch, &it.error);
}

static void expect_value(const struct written *written, enum read_wait wait) {
    uint8_t *expected = memory_alloc(written->ref.raw_bytes);

    ck_assert_int_eq(read_as(&written->ref, wait), STATUS_OK);
    fill_value(expected, written->ref.raw_bytes, written->version);
    ck_assert_mem_eq(raw, expected, written->ref.raw_bytes);
    ck_assert_uint_eq(raw[written->ref.raw_bytes], 0xEE); /* and nothing beyond */
    memory_free(expected);
}

static void expect_no_file(uint64_t number) {
    char path[ENV_PATH_MAX];
    struct env_file *file;

    segment_path(number, path);
    ck_assert_int_eq(env_open(it.env, path, ENV_READ_CACHED, &file, NULL), STATUS_NOT_FOUND);
}

/* ---- reading ---- */

START_TEST(a_live_value_is_read_without_allocations) {
    start();
    for (size_t i = 0; i < it.written_count; i++) {
        expect_value(&it.written[i], READ_WAIT_ALLOWED);
    }
    for (size_t i = 0; i < it.written_count; i++) {
        memory_fail_after(0, true);
        ck_assert_int_eq(read_as(&it.written[i].ref, READ_WAIT_NEVER), STATUS_OK);
        memory_fail_never();
    }
    finish();
}
END_TEST

START_TEST(a_moved_value_is_read_where_it_is_now) {
    start();
    (void)move_all_but_one();
    expect_no_file(HOME);
    for (size_t i = 0; i + 1 < it.written_count; i++) {
        expect_value(&it.written[i], READ_WAIT_ALLOWED);
        expect_value(&it.written[i], READ_WAIT_NEVER);
    }
    finish();
}
END_TEST

START_TEST(who_still_holds_the_version_before_reads_the_old_place) {
    struct version *before;

    start();
    before = now;
    version_ref(before);
    (void)move_all_but_one();
    for (size_t i = 0; i < it.written_count; i++) {
        ck_assert_int_eq(value_reader_read(before, &it.written[i].ref, READ_WAIT_ALLOWED, raw,
                                           &scratch, &it.error),
                         STATUS_OK);
    }
    version_unref(before);
    scheduler_drain(scheduler);
    expect_no_file(HOME);
    finish();
}
END_TEST

START_TEST(a_reference_is_resolved_to_the_file_that_has_the_record) {
    struct value_ref resolved;

    start();
    ck_assert_int_eq(
        value_reader_resolve(now, &it.written[0].ref, READ_WAIT_NEVER, &resolved, NULL), STATUS_OK);
    ck_assert_uint_eq(resolved.segment, HOME);
    ck_assert_uint_eq(resolved.offset, it.written[0].ref.offset);
    (void)move_all_but_one();
    for (size_t i = 0; i + 1 < it.written_count; i++) {
        const struct value_ref *ref = &it.written[i].ref;
        ck_assert_int_eq(value_reader_resolve(now, ref, READ_WAIT_ALLOWED, &resolved, &it.error),
                         STATUS_OK);
        ck_assert_uint_eq(resolved.segment, SURVIVOR);
        ck_assert_uint_eq(resolved.offset, moved[i].new_offset);
        ck_assert_uint_eq(resolved.stored_bytes, ref->stored_bytes);
        ck_assert_uint_eq(resolved.checksum, ref->checksum);
        ck_assert_int_eq(read_as(&resolved, READ_WAIT_ALLOWED), STATUS_OK);
    }
    finish();
}
END_TEST

START_TEST(part_of_a_record_is_read_before_and_after_it_moved) {
    const struct written *written;
    struct value_piece piece = {1000, 77};
    uint8_t before[77];

    start();
    written = &it.written[5];
    ck_assert_uint_ge(written->ref.stored_bytes, 2000);
    ck_assert_int_eq(
        value_reader_read_bytes(now, &written->ref, piece, READ_WAIT_ALLOWED, before, NULL),
        STATUS_OK);
    (void)move_all_but_one();
    ck_assert_int_eq(
        value_reader_read_bytes(now, &written->ref, piece, READ_WAIT_ALLOWED, raw, &it.error),
        STATUS_OK);
    ck_assert_mem_eq(raw, before, sizeof before);
    piece = (struct value_piece){written->ref.stored_bytes, 0}; /* up to the end, and no further */
    ck_assert_int_eq(
        value_reader_read_bytes(now, &written->ref, piece, READ_WAIT_ALLOWED, raw, NULL),
        STATUS_OK);
    piece.len = 1;
    ck_assert_int_eq(
        value_reader_read_bytes(now, &written->ref, piece, READ_WAIT_ALLOWED, raw, NULL),
        STATUS_CORRUPT);
    piece.delta = UINT64_MAX;
    ck_assert_int_eq(
        value_reader_read_bytes(now, &written->ref, piece, READ_WAIT_ALLOWED, raw, NULL),
        STATUS_CORRUPT);
    finish();
}
END_TEST

/* ---- what is not there ---- */

START_TEST(a_record_that_was_not_moved_is_corrupt_and_not_absent) {
    char path[ENV_PATH_MAX];

    start();
    (void)move_all_but_one();
    ck_assert_int_eq(read_as(&it.written[it.written_count - 1].ref, READ_WAIT_ALLOWED),
                     STATUS_CORRUPT);
    segment_path(SURVIVOR, path);
    ck_assert_str_eq(it.error.path, path);
    finish();
}
END_TEST

START_TEST(a_segment_of_which_nothing_is_known_is_named) {
    struct value_ref ref;

    start();
    ref = it.written[0].ref;
    ref.segment = 77;
    ck_assert_int_eq(read_as(&ref, READ_WAIT_ALLOWED), STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(it.error.text, "77"));
    finish();
}
END_TEST

START_TEST(who_must_not_wait_is_told_so_while_the_relocation_is_cold) {
    struct fault_rule cold = {.kinds = FAULT_READ_NOWAIT,
                              .countdown = 1,
                              .for_ever = true,
                              .fault = FAULT_IS_WOULD_BLOCK};
    uint64_t reads;

    start();
    (void)move_all_but_one();
    reads = env_fault_calls(faulty, FAULT_READ);
    env_fault_add(faulty, &cold);
    ck_assert_int_eq(read_as(&it.written[5].ref, READ_WAIT_NEVER), STATUS_WOULD_BLOCK);
    ck_assert_uint_eq(env_fault_calls(faulty, FAULT_READ), reads);
    env_fault_clear(faulty);
    expect_value(&it.written[5], READ_WAIT_ALLOWED);
    finish();
}
END_TEST

START_TEST(each_failing_read_is_an_error_and_the_next_try_succeeds) {
    enum status status = STATUS_IO;
    uint64_t n;

    start();
    files.blocks = NULL;
    (void)move_all_but_one();
    for (n = 1; status != STATUS_OK; n++) {
        struct fault_rule rule = {.kinds = FAULT_READ | FAULT_OPEN, .countdown = n};
        env_fault_add(faulty, &rule);
        status = read_as(&it.written[5].ref, READ_WAIT_ALLOWED);
        env_fault_clear(faulty);
        ck_assert(status == STATUS_OK || status == STATUS_IO);
    }
    ck_assert_uint_ge(n, 5); /* open, header, index, page, value */
    finish();
}
END_TEST

START_TEST(each_failing_allocation_is_no_memory_and_the_next_try_succeeds) {
    enum status status = STATUS_NO_MEMORY;

    start();
    (void)move_all_but_one();
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, false);
        status = read_as(&it.written[5].ref, READ_WAIT_ALLOWED);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    finish();
}
END_TEST

START_TEST(a_damaged_relocation_is_named_and_hides_no_live_segment) {
    struct relocation relocation;
    const uint8_t wrong[4] = {0xFF, 0x00, 0xA5, 0x5A};
    char path[ENV_PATH_MAX];

    start();
    relocation = move_all_but_one();
    segment_path(SURVIVOR, path);
    ck_assert_int_eq(env_memory_poke(it.env, path, relocation.section_offset + 50,
                                     slice_make(wrong, sizeof wrong)),
                     STATUS_OK);
    ck_assert_int_eq(read_as(&it.written[0].ref, READ_WAIT_ALLOWED), STATUS_CORRUPT);
    ck_assert_str_eq(it.error.path, path);
    ck_assert_uint_eq(it.error.offset, relocation.section_offset);
    for (size_t i = 0; i + 1 < it.written_count; i++) {
        struct value_ref there = it.written[i].ref;
        there.segment = SURVIVOR;
        there.offset = moved[i].new_offset;
        ck_assert_int_eq(read_as(&there, READ_WAIT_ALLOWED), STATUS_OK);
    }
    finish();
}
END_TEST

UNIT_MAIN("value_reader", a_live_value_is_read_without_allocations,
          a_moved_value_is_read_where_it_is_now,
          who_still_holds_the_version_before_reads_the_old_place,
          a_reference_is_resolved_to_the_file_that_has_the_record,
          part_of_a_record_is_read_before_and_after_it_moved,
          a_record_that_was_not_moved_is_corrupt_and_not_absent,
          a_segment_of_which_nothing_is_known_is_named,
          who_must_not_wait_is_told_so_while_the_relocation_is_cold,
          each_failing_read_is_an_error_and_the_next_try_succeeds,
          each_failing_allocation_is_no_memory_and_the_next_try_succeeds,
          a_damaged_relocation_is_named_and_hides_no_live_segment)
