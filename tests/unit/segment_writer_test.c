/* segment_writer_test.c: groups on their way to a segment file. */
#include "storage/segment_writer.h"

#include "storage/env_fault.h"
#include "tests/unit/log_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static struct log it;
static struct replayed got;

static void start(void) {
    log_init(&it);
    log_segment(&it, 1);
}

/* One commit whose areas have the given lengths; borrowed until the next call. */
static struct log_commit commit_of(size_t meta_bytes, size_t values_bytes) {
    static const uint8_t zeros[64 * 1024];
    return (struct log_commit){.meta = slice_make(zeros, meta_bytes),
                               .values = slice_make(zeros, values_bytes),
                               .op_count = 0,
                               .version = it.version + 1};
}

START_TEST(layout_places_values_behind_the_headers_and_metas_before_them) {
    struct log_commit commits[2];
    uint64_t bytes;
    start();
    ck_assert_uint_eq(segment_writer_position(it.writer), 0);
    ck_assert_uint_eq(segment_writer_number(it.writer), 1);
    commits[0] = commit_of(10, 100);
    commits[1] = commit_of(20, 0);
    bytes = segment_writer_layout(it.writer, commits, 2);
    ck_assert_uint_eq(commits[0].values_offset,
                      SEGMENT_HEADER_BYTES + GROUP_HEADER_BYTES + COMMIT_HEADER_BYTES + 10);
    ck_assert_uint_eq(commits[1].values_offset,
                      commits[0].values_offset + 100 + COMMIT_HEADER_BYTES + 20);
    ck_assert_uint_eq(bytes, commits[1].values_offset);
    log_group(&it, 1, 0);
    bytes = segment_writer_layout(it.writer, NULL, 0);
    ck_assert_uint_eq(bytes, GROUP_HEADER_BYTES);
    log_deinit(&it);
}
END_TEST

START_TEST(areas_of_every_length_around_the_staging_limit_arrive_whole) {
    const size_t lengths[] = {0, 1, 4095, 4096, 4097, 20000};
    const size_t count = sizeof lengths / sizeof lengths[0];
    start();
    for (size_t i = 0; i < count; i++) {
        log_group(&it, 1 + i % 3, lengths[i]);
    }
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, it.written_count);
    log_deinit(&it);
}
END_TEST

START_TEST(group_of_the_greatest_number_of_commits_is_one_append) {
    struct log_commit commits[GROUP_COMMITS_MAX];
    struct group_info group = {.sequence = 1};
    uint64_t mutations;
    uint64_t bytes;
    start();
    for (size_t i = 0; i < GROUP_COMMITS_MAX; i++) {
        commits[i] = commit_of(i % 2 ? 5000 : 12, i % 3 ? 6000 : 7);
        commits[i].version = i + 1;
    }
    bytes = segment_writer_layout(it.writer, commits, GROUP_COMMITS_MAX);
    ck_assert_int_eq(segment_writer_reserve(it.writer, bytes, &it.error), STATUS_OK);
    mutations = env_memory_mutations(it.env);
    ck_assert_int_eq(
        segment_writer_append(it.writer, &group, commits, GROUP_COMMITS_MAX, &it.error), STATUS_OK);
    ck_assert_uint_eq(env_memory_mutations(it.env), mutations + 1);
    ck_assert_uint_eq(segment_writer_position(it.writer), bytes);
    log_deinit(&it);
}
END_TEST

/* An environment that takes everything and keeps nothing, so that only the writer allocates. */
static enum status null_create(struct env *env, const char *path, struct env_file **file_out,
                               struct error *error) {
    static struct env_file file;
    (void)path;
    (void)error;
    file.env = env;
    *file_out = &file;
    return STATUS_OK;
}

static enum status null_append(struct env_file *file, const struct slice *slices, size_t count,
                               struct error *error) {
    (void)file;
    (void)slices;
    (void)count;
    (void)error;
    return STATUS_OK;
}

static enum status null_preallocate(struct env_file *file, uint64_t bytes, struct error *error) {
    (void)file;
    (void)bytes;
    (void)error;
    return STATUS_OK;
}

static enum status null_file_call(struct env_file *file, struct error *error) {
    (void)file;
    (void)error;
    return STATUS_OK;
}

static enum status null_sync_dir(struct env *env, const char *dir, struct error *error) {
    (void)env;
    (void)dir;
    (void)error;
    return STATUS_OK;
}

static const struct env_ops null_ops = {.create = null_create,
                                        .append = null_append,
                                        .preallocate = null_preallocate,
                                        .finish = null_file_call,
                                        .sync = null_file_call,
                                        .file_close = null_file_call,
                                        .sync_dir = null_sync_dir};

START_TEST(warm_writer_allocates_nothing) {
    struct env null_env = {.ops = &null_ops};
    struct segment_writer_options options = {
        .env = &null_env, .dir = LOG_DIR, .number = 1, .kind = SEGMENT_COMMIT};
    struct group_info group = {.sequence = 1};
    struct segment_writer *writer;
    uint64_t allocations = 0;
    ck_assert_int_eq(segment_writer_create(&options, &writer, NULL), STATUS_OK);
    for (int i = 0; i < 50; i++) {
        struct log_commit commits[2] = {commit_of(300, 40000), commit_of(5000, 4000)};
        commits[1].version++;
        (void)segment_writer_layout(writer, commits, 2);
        ck_assert_int_eq(segment_writer_append(writer, &group, commits, 2, NULL), STATUS_OK);
        ck_assert_int_eq(segment_writer_sync(writer, NULL), STATUS_OK);
        allocations = i == 0 ? memory_allocation_count() : allocations;
    }
    ck_assert_uint_eq(memory_allocation_count(), allocations);
    segment_writer_close(writer);
}
END_TEST

START_TEST(creating_a_segment_that_exists_is_refused) {
    start();
    ck_assert_int_eq(log_try_segment(&it, 1), STATUS_EXISTS);
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_OK); /* the old one is still there */
    log_deinit(&it);
}
END_TEST

START_TEST(full_disk_is_told_before_anything_is_appended_and_is_not_final) {
    struct env_space space;
    uint64_t position;
    start();
    log_group(&it, 1, 100);
    ck_assert_int_eq(env_space(it.env, LOG_DIR, &space, NULL), STATUS_OK);
    position = segment_writer_position(it.writer);
    env_memory_set_space(it.env, 8192);
    ck_assert_int_eq(log_try_group(&it, 1, 60000), STATUS_NO_SPACE);
    ck_assert_uint_eq(segment_writer_position(it.writer), position);
    ck_assert_int_eq(segment_writer_reserve(it.writer, 60000, &it.error), STATUS_NO_SPACE);
    env_memory_set_space(it.env, space.total_bytes);
    log_group(&it, 1, 60000);
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, 2);
    log_deinit(&it);
}
END_TEST

START_TEST(full_disk_at_creation_leaves_no_file_behind) {
    log_init(&it);
    env_memory_set_space(it.env, 1);
    ck_assert_int_eq(log_try_segment(&it, 1), STATUS_NO_SPACE);
    env_memory_set_space(it.env, 1 << 20);
    ck_assert_int_eq(log_try_segment(&it, 1), STATUS_OK);
    log_deinit(&it);
}
END_TEST

START_TEST(failed_append_is_final) {
    const struct fault_rule rule = {.kinds = FAULT_APPEND, .countdown = 2, .fault = FAULT_IS_SHORT};
    struct env *memory;
    log_init(&it);
    memory = it.env;
    ck_assert_int_eq(env_fault_create(memory, NULL, &it.env), STATUS_OK);
    log_segment(&it, 1);
    env_fault_add(it.env, &rule);
    log_group(&it, 1, 10);
    ck_assert_int_eq(log_try_group(&it, 1, 10), STATUS_IO);
    ck_assert_int_eq(it.error.status, STATUS_IO);
    ck_assert_int_eq(log_try_group(&it, 1, 10), STATUS_LOG_FAILED);
    ck_assert_int_eq(log_try_sync(&it), STATUS_LOG_FAILED);
    ck_assert_int_eq(segment_writer_seal(it.writer, &it.error), STATUS_LOG_FAILED);
    segment_writer_close(it.writer);
    it.writer = NULL;
    env_fault_destroy(it.env);
    it.env = memory;
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_OK); /* half a group is cut */
    ck_assert_uint_eq(got.count, 1);
    log_deinit(&it);
}
END_TEST

START_TEST(nth_allocation_failing_is_told_and_not_final) {
    enum status status = STATUS_NO_MEMORY;
    log_init(&it);
    for (uint64_t n = 0; status == STATUS_NO_MEMORY; n++) {
        memory_fail_after(n, false);
        status = log_try_segment(&it, 1 + n);
        memory_fail_never();
    }
    ck_assert_int_eq(status, STATUS_OK);
    log_deinit(&it);
}
END_TEST

START_TEST(sealed_segment_keeps_its_groups_and_gives_space_back) {
    start();
    log_group(&it, 2, 300);
    ck_assert_int_eq(segment_writer_seal(it.writer, &it.error), STATUS_OK);
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, 2);
    ck_assert_uint_eq(got.result.end.offset, segment_writer_position(it.writer));
    log_deinit(&it);
}
END_TEST

static _Atomic bool stop;

static void *sync_until_stopped(void *arg) {
    struct segment_writer *writer = arg;
    while (!atomic_load(&stop)) {
        uint64_t before = segment_writer_position(writer);
        ck_assert_int_eq(segment_writer_sync(writer, NULL), STATUS_OK);
        ck_assert_uint_le(before, segment_writer_position(writer));
    }
    return NULL;
}

START_TEST(another_thread_syncs_while_groups_are_appended) {
    pthread_t thread;
    start();
    ck_assert_int_eq(pthread_create(&thread, NULL, sync_until_stopped, it.writer), 0);
    for (int i = 0; i < 60; i++) {
        log_group(&it, 2, (size_t)i * 50);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    ck_assert_int_eq(log_replay_all(&it, 1, &got), STATUS_OK);
    ck_assert_uint_eq(got.count, it.written_count);
    log_deinit(&it);
}
END_TEST

static void survivor_begin(uint64_t number) {
    struct segment_writer_options options = {.env = it.env,
                                             .dir = LOG_DIR,
                                             .number = number,
                                             .kind = SEGMENT_SURVIVOR,
                                             .preallocate_bytes = 4096,
                                             .store_id = STORE_ID_A};
    log_init(&it);
    options.env = it.env;
    ck_assert_int_eq(segment_writer_create(&options, &it.writer, &it.error), STATUS_OK);
}

START_TEST(a_survivor_takes_versions_in_any_order) {
    const uint64_t versions[] = {9, 3, 3, 7};
    struct log_commit commits[4];
    struct group_info group = {.sequence = 1};
    survivor_begin(5);
    for (size_t i = 0; i < 4; i++) {
        commits[i] = commit_of(10, 100);
        commits[i].version = versions[i];
    }
    (void)segment_writer_layout(it.writer, commits, 4);
    ck_assert_int_eq(segment_writer_append(it.writer, &group, commits, 4, &it.error), STATUS_OK);
    log_deinit(&it);
}
END_TEST

START_TEST(a_section_follows_the_groups_and_counts_for_the_length) {
    struct log_commit commit = commit_of(10, 100);
    struct group_info group = {.sequence = 1};
    uint8_t *bytes = memory_alloc(LOG_FILE_BYTES_MAX);
    uint64_t position;
    survivor_begin(5);
    ck_assert_uint_eq(segment_writer_seed(it.writer), segment_seed(it.store_id, 5));
    (void)segment_writer_layout(it.writer, &commit, 1);
    ck_assert_int_eq(segment_writer_append(it.writer, &group, &commit, 1, &it.error), STATUS_OK);
    position = segment_writer_position(it.writer);
    ck_assert_int_eq(segment_writer_append_section(it.writer, slice_from_text("abc"), &it.error),
                     STATUS_OK);
    ck_assert_int_eq(segment_writer_append_section(it.writer, slice_from_text("defg"), &it.error),
                     STATUS_OK);
    ck_assert_uint_eq(segment_writer_position(it.writer), position + 7);
    ck_assert_int_eq(segment_writer_seal(it.writer, &it.error), STATUS_OK);
    ck_assert_uint_eq(file_get(it.env, 5, bytes), position + 7);
    ck_assert_mem_eq(bytes + position, "abcdefg", 7);
    memory_free(bytes);
    log_deinit(&it);
}
END_TEST

START_TEST(a_section_that_fails_to_be_written_ends_the_writer) {
    struct fault_rule full = {
        .kinds = FAULT_PREALLOCATE, .countdown = 1, .fault = FAULT_IS_ENOSPC, .for_ever = true};
    struct fault_rule broken = {.kinds = FAULT_APPEND, .countdown = 1};
    struct log_commit commit = commit_of(10, 100);
    struct group_info group = {.sequence = 1};
    uint8_t *bytes = memory_alloc_zeroed(10000);
    struct env *plain;
    struct env *faulty;
    struct segment_writer_options options = {
        .dir = LOG_DIR, .number = 5, .kind = SEGMENT_SURVIVOR, .store_id = STORE_ID_A};
    log_init(&it);
    plain = it.env;
    ck_assert_int_eq(env_fault_create(plain, NULL, &faulty), STATUS_OK);
    options.env = faulty;
    ck_assert_int_eq(segment_writer_create(&options, &it.writer, &it.error), STATUS_OK);
    (void)segment_writer_layout(it.writer, &commit, 1);
    ck_assert_int_eq(segment_writer_append(it.writer, &group, &commit, 1, &it.error), STATUS_OK);
    env_fault_add(faulty, &full);
    ck_assert_int_eq(segment_writer_append_section(it.writer, slice_make(bytes, 10000), &it.error),
                     STATUS_NO_SPACE);
    env_fault_clear(faulty);
    env_fault_add(faulty, &broken);
    ck_assert_int_eq(segment_writer_append_section(it.writer, slice_make(bytes, 10000), &it.error),
                     STATUS_IO);
    ck_assert_int_eq(segment_writer_append_section(it.writer, slice_make(bytes, 1), &it.error),
                     STATUS_LOG_FAILED);
    memory_free(bytes);
    segment_writer_close(it.writer);
    it.writer = NULL;
    env_fault_destroy(faulty);
    log_deinit(&it);
}
END_TEST

UNIT_MAIN("segment_writer", layout_places_values_behind_the_headers_and_metas_before_them,
          areas_of_every_length_around_the_staging_limit_arrive_whole,
          group_of_the_greatest_number_of_commits_is_one_append, warm_writer_allocates_nothing,
          creating_a_segment_that_exists_is_refused,
          full_disk_is_told_before_anything_is_appended_and_is_not_final,
          full_disk_at_creation_leaves_no_file_behind, failed_append_is_final,
          nth_allocation_failing_is_told_and_not_final,
          sealed_segment_keeps_its_groups_and_gives_space_back,
          another_thread_syncs_while_groups_are_appended, a_survivor_takes_versions_in_any_order,
          a_section_follows_the_groups_and_counts_for_the_length,
          a_section_that_fails_to_be_written_ends_the_writer)
