/* version_test.c: versions made from edits, and files that live as long as any version has them. */
#include "storage/version.h"
#include "tests/unit/table_fixture.h"

#define FILE_BYTES 1000u
#define LOG_BYTES 10u

static struct env *env;
static struct compression *compression;
static struct scheduler *scheduler;
static struct table_cache *tables;
static struct segment_cache *segments;
static struct reclaim reclaim;
static struct version_files files;
static struct version *now;
static struct version_edit edit;

static void start(void) {
    struct table_source table_source = {.dir = "d"};
    struct segment_source segment_source = {.dir = "d"};

    env = memory_env();
    ck_assert_int_eq(compression_create(&compression), STATUS_OK);
    ck_assert_int_eq(scheduler_sim_create(1, &scheduler), STATUS_OK);
    table_source.env = env;
    table_source.compression = compression;
    segment_source.env = env;
    segment_source.compression = compression;
    ck_assert_int_eq(table_cache_create(&table_source, 4, &tables), STATUS_OK);
    ck_assert_int_eq(segment_cache_create(&segment_source, 4, &segments), STATUS_OK);
    reclaim_init(&reclaim, env, "d", scheduler);
    files = (struct version_files){.tables = tables, .segments = segments, .reclaim = &reclaim};
    ck_assert_int_eq(version_create_empty(&now), STATUS_OK);
    version_edit_init(&edit);
}

static void end(void) {
    version_edit_deinit(&edit);
    version_unref(now);
    scheduler_drain(scheduler);
    reclaim_deinit(&reclaim);
    scheduler_destroy(scheduler);
    table_cache_destroy(tables);
    segment_cache_destroy(segments);
    compression_destroy(compression);
    env_memory_destroy(env);
}

static void make_file(enum file_kind kind, uint64_t number) {
    char path[ENV_PATH_MAX];
    struct env_file *file;

    ck_assert_int_eq(file_path_make("d", kind, number, path), STATUS_OK);
    ck_assert_int_eq(env_create(env, path, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
}

static bool file_exists(enum file_kind kind, uint64_t number) {
    char path[ENV_PATH_MAX];
    struct env_file *file;

    ck_assert_int_eq(file_path_make("d", kind, number, path), STATUS_OK);
    if (env_open(env, path, ENV_READ_CACHED, &file, NULL) != STATUS_OK) {
        return false;
    }
    ck_assert_int_eq(env_file_close(file, NULL), STATUS_OK);
    return true;
}

/* ---- what an edit says ---- */

static void add(uint32_t level, uint64_t number, const char *first, const char *last) {
    struct key smallest = key_at(first, 9);
    struct key largest = key_at(last, 2);
    struct table_info info = {.number = number,
                              .file_bytes = FILE_BYTES,
                              .log_bytes = LOG_BYTES,
                              .entries = 2,
                              .smallest = key_slice(&smallest),
                              .largest = key_slice(&largest)};

    ck_assert_int_eq(version_edit_add_table(&edit, level, &info), STATUS_OK);
}

static void drop(uint32_t level, uint64_t number) {
    ck_assert_int_eq(version_edit_remove_table(&edit, level, number), STATUS_OK);
}

static void add_segment(uint64_t number) {
    ck_assert_int_eq(version_edit_add_segment(&edit, number, SEGMENT_COMMIT), STATUS_OK);
}

static void drop_segment(uint64_t number) {
    ck_assert_int_eq(version_edit_remove_segment(&edit, number), STATUS_OK);
}

/* The edit becomes the newest version; the one before is let go. */
static void install(void) {
    struct version *next;

    ck_assert_int_eq(version_apply(&files, now, &edit, &next), STATUS_OK);
    version_mark_files(now, &edit);
    version_unref(now);
    now = next;
    version_edit_clear(&edit);
}

static void expect_refused(void) {
    struct version *next = NULL;

    ck_assert_int_eq(version_apply(&files, now, &edit, &next), STATUS_CORRUPT);
    ck_assert_ptr_null(next);
    version_edit_clear(&edit);
}

/* The table numbers of a level, in its order: "3 2 1". */
static void expect_level(uint32_t index, const char *numbers) {
    const struct level *level = &now->levels[index];
    char text[128] = "";

    for (uint32_t i = 0; i < level->count; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%s%u", i > 0 ? " " : "",
                       (unsigned)level->tables[i]->info.number);
        ck_assert_ptr_eq(level->infos[i], &level->tables[i]->info);
    }
    ck_assert_str_eq(text, numbers);
    ck_assert_uint_eq(level->file_bytes, level->count * FILE_BYTES);
    ck_assert_uint_eq(level->weight, level->count * (FILE_BYTES + LOG_BYTES));
}

/* ---- edits ---- */

START_TEST(an_empty_version_has_nothing_and_an_empty_edit_adds_nothing) {
    start();
    install();
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        expect_level(i, "");
    }
    ck_assert_uint_eq(now->segment_count, 0);
    ck_assert_uint_eq(version_weight(now), 0);
    end();
}
END_TEST

START_TEST(level_0_is_newest_first_and_the_others_are_in_key_order) {
    start();
    add(0, 2, "a", "z");
    add(0, 1, "a", "z");
    add(1, 7, "m", "p");
    add(1, 8, "a", "c");
    add(6, 5, "x", "z");
    install();
    add(0, 3, "a", "z");
    add(1, 9, "d", "l");
    install();
    expect_level(0, "3 2 1");
    expect_level(1, "8 9 7");
    expect_level(6, "5");
    ck_assert_uint_eq(version_weight(now), 7 * (FILE_BYTES + LOG_BYTES));
    end();
}
END_TEST

START_TEST(removed_tables_are_gone_from_their_level_only) {
    start();
    add(0, 1, "a", "b");
    add(0, 2, "a", "b");
    add(2, 3, "a", "b");
    install();
    drop(0, 1);
    drop(2, 3);
    install();
    expect_level(0, "2");
    expect_level(2, "");
    end();
}
END_TEST

START_TEST(the_version_before_is_left_as_it_was) {
    struct version *before;

    start();
    add(1, 1, "a", "b");
    install();
    before = now;
    version_ref(before);
    drop(1, 1);
    add(1, 2, "a", "b");
    install();
    ck_assert_uint_eq(before->levels[1].count, 1);
    ck_assert_uint_eq(before->levels[1].infos[0]->number, 1);
    expect_level(1, "2");
    version_unref(before);
    end();
}
END_TEST

START_TEST(segments_ascend_by_number) {
    start();
    add_segment(9);
    add_segment(4);
    install();
    add_segment(6);
    drop_segment(9);
    install();
    ck_assert_uint_eq(now->segment_count, 2);
    ck_assert_uint_eq(now->segments[0]->number, 4);
    ck_assert_uint_eq(now->segments[1]->number, 6);
    end();
}
END_TEST

START_TEST(a_table_that_moves_between_levels_keeps_its_file) {
    const struct table_file *file;

    start();
    make_file(FILE_TABLE, 1);
    add(1, 1, "a", "b");
    install();
    file = now->levels[1].tables[0];
    drop(1, 1);
    add(2, 1, "a", "b");
    install();
    expect_level(1, "");
    expect_level(2, "1");
    ck_assert_ptr_eq(now->levels[2].tables[0], file);
    ck_assert(!file->obsolete);
    scheduler_drain(scheduler);
    ck_assert(file_exists(FILE_TABLE, 1));
    end();
}
END_TEST

START_TEST(tables_of_a_level_may_not_share_a_row) {
    start();
    add(1, 1, "c", "f");
    install();
    add(1, 2, "f", "h"); /* other versions of the row f */
    expect_refused();
    add(1, 2, "a", "c");
    expect_refused();
    add(1, 2, "d", "e");
    expect_refused();
    add(6, 2, "a", "c");
    add(6, 3, "b", "d");
    expect_refused();
    add(1, 2, "g", "h");
    add(1, 3, "a", "b");
    add(0, 4, "a", "z");
    install();
    expect_level(1, "3 1 2");
    end();
}
END_TEST

/* ---- files that nobody needs ---- */

START_TEST(an_obsolete_table_is_unlinked_after_the_last_version_that_has_it) {
    struct version *before;

    start();
    make_file(FILE_TABLE, 1);
    add(0, 1, "a", "b");
    install();
    before = now;
    version_ref(before);
    drop(0, 1);
    install();
    scheduler_drain(scheduler);
    ck_assert(file_exists(FILE_TABLE, 1));
    version_unref(before);
    ck_assert(file_exists(FILE_TABLE, 1)); /* not on the reader's thread */
    scheduler_drain(scheduler);
    ck_assert(!file_exists(FILE_TABLE, 1));
    ck_assert_uint_eq(reclaim.removed_files, 1);
    end();
}
END_TEST

START_TEST(an_obsolete_segment_is_unlinked_and_the_others_stay) {
    start();
    make_file(FILE_SEGMENT, 4);
    make_file(FILE_SEGMENT, 5);
    add_segment(4);
    add_segment(5);
    install();
    drop_segment(4);
    install();
    scheduler_drain(scheduler);
    ck_assert(!file_exists(FILE_SEGMENT, 4));
    ck_assert(file_exists(FILE_SEGMENT, 5));
    end();
}
END_TEST

START_TEST(closing_the_store_removes_no_file) {
    start();
    make_file(FILE_TABLE, 1);
    make_file(FILE_SEGMENT, 2);
    add(3, 1, "a", "b");
    add_segment(2);
    install();
    version_unref(now);
    scheduler_drain(scheduler);
    ck_assert(file_exists(FILE_TABLE, 1));
    ck_assert(file_exists(FILE_SEGMENT, 2));
    ck_assert_int_eq(version_create_empty(&now), STATUS_OK);
    end();
}
END_TEST

START_TEST(a_removal_that_fails_is_counted_and_frees_all_the_same) {
    start();
    add(0, 1, "a", "b"); /* no such file */
    install();
    drop(0, 1);
    install();
    scheduler_drain(scheduler);
    ck_assert_uint_eq(reclaim.failed_removals, 1);
    end();
}
END_TEST

START_TEST(each_failing_allocation_leaves_the_version_and_its_files) {
    enum status status = STATUS_NO_MEMORY;
    struct version *next = NULL;
    uint64_t n;

    start();
    make_file(FILE_TABLE, 1);
    add(1, 1, "a", "b");
    add_segment(2);
    install();
    drop(1, 1);
    add(2, 1, "a", "b");
    add(1, 3, "c", "d");
    add_segment(4);
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = version_apply(&files, now, &edit, &next);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_uint_eq(now->levels[1].tables[0]->refs, status == STATUS_OK ? 2 : 1);
        ck_assert_uint_eq(now->segments[0]->refs, status == STATUS_OK ? 2 : 1);
    }
    ck_assert_uint_gt(n, 8);
    version_unref(now);
    now = next;
    expect_level(1, "3");
    expect_level(2, "1");
    end();
}
END_TEST

/* ---- levels ---- */

static struct slice row_of(const char *word, struct key *room) {
    *room = key_at(word, 5);
    return key_row(room);
}

static void expect_found(const char *word, uint32_t bound, uint64_t number) {
    const struct level *level = &now->levels[1];
    struct key room;
    struct slice row = row_of(word, &room);
    const struct table_file *file = level_find(level, row);

    ck_assert_uint_eq(level_lower_bound(level, row), bound);
    ck_assert_uint_eq(file ? file->info.number : 0, number);
}

static bool overlaps(uint32_t level, const char *from, const char *to) {
    struct key rooms[2];
    struct slice first = row_of(from, &rooms[0]);
    return level_overlaps(&now->levels[level], first, row_of(to, &rooms[1]));
}

START_TEST(a_row_is_found_at_and_between_the_borders_of_tables) {
    start();
    expect_found("a", 0, 0);
    add(1, 11, "c", "f");
    add(1, 12, "h", "h");
    add(1, 13, "k", "m");
    install();
    expect_found("b", 0, 0);
    expect_found("c", 0, 11);
    expect_found("d", 0, 11);
    expect_found("f", 0, 11);
    expect_found("ff", 1, 0);
    expect_found("h", 1, 12);
    expect_found("hh", 2, 0);
    expect_found("k", 2, 13);
    expect_found("m", 2, 13);
    expect_found("mm", 3, 0);
    end();
}
END_TEST

START_TEST(a_range_overlaps_by_a_single_row) {
    start();
    ck_assert(!overlaps(1, "a", "z"));
    add(1, 1, "c", "f");
    add(1, 2, "k", "m");
    add(0, 3, "p", "r");
    add(0, 4, "b", "d");
    install();
    ck_assert(!overlaps(1, "a", "b"));
    ck_assert(overlaps(1, "a", "c"));
    ck_assert(overlaps(1, "d", "e"));
    ck_assert(overlaps(1, "f", "g"));
    ck_assert(!overlaps(1, "g", "j"));
    ck_assert(overlaps(1, "a", "z"));
    ck_assert(overlaps(1, "m", "m"));
    ck_assert(!overlaps(1, "n", "z"));
    ck_assert(overlaps(0, "q", "q"));
    ck_assert(overlaps(0, "a", "b"));
    ck_assert(!overlaps(0, "e", "o"));
    end();
}
END_TEST

/* ---- where records lie ---- */

static void relocate(uint64_t home, uint64_t target) {
    struct relocation relocation = {.home = home,
                                    .target = target,
                                    .section_offset = 1000,
                                    .section_bytes = relocation_section_bytes(1),
                                    .entries = 1};
    ck_assert_int_eq(version_edit_add_relocation(&edit, &relocation), STATUS_OK);
}

static void expect_place(uint64_t segment, enum segment_place place, uint64_t target) {
    const struct relocation *relocation = NULL;

    ck_assert_int_eq(version_resolve(now, segment, &relocation), place);
    ck_assert_uint_eq(relocation ? relocation->target : 0, target);
}

/* A table of level 1 that refers to one segment. */
static void add_referring(uint64_t number, uint64_t segment) {
    struct key key = key_at("k", 3);
    struct segment_share share = {.segment = segment, .alias_records = 1, .alias_bytes = 1};
    struct table_info info = {.number = number,
                              .entries = 1,
                              .smallest = key_slice(&key),
                              .largest = key_slice(&key),
                              .shares = &share,
                              .share_count = 1};

    ck_assert_int_eq(version_edit_add_table(&edit, 0, &info), STATUS_OK);
}

START_TEST(records_lie_in_their_segment_or_where_it_was_moved_or_nowhere) {
    start();
    expect_place(1, SEGMENT_ABSENT, 0);
    for (uint64_t number = 10; number < 20; number += 2) {
        add_segment(number);
    }
    relocate(5, 12);
    relocate(3, 18);
    install();
    for (uint64_t number = 9; number < 21; number++) {
        bool even = number % 2 == 0 && number >= 10 && number < 20;
        expect_place(number, even ? SEGMENT_LIVE : SEGMENT_ABSENT, 0);
        ck_assert((version_segment(now, number) != NULL) == even);
    }
    expect_place(3, SEGMENT_RELOCATED, 18);
    expect_place(4, SEGMENT_ABSENT, 0);
    expect_place(5, SEGMENT_RELOCATED, 12);
    ck_assert_int_eq(version_edit_remove_relocation(&edit, 5), STATUS_OK);
    drop_segment(12);
    relocate(5, 14);
    relocate(12, 14);
    install();
    expect_place(5, SEGMENT_RELOCATED, 14);
    expect_place(12, SEGMENT_RELOCATED, 14);
    expect_place(3, SEGMENT_RELOCATED, 18);
    end();
}
END_TEST

START_TEST(a_segment_knows_its_kind_its_length_and_its_damage) {
    struct segment_file *file;

    start();
    add_segment(10);
    ck_assert_int_eq(version_edit_add_segment(&edit, 11, SEGMENT_SURVIVOR), STATUS_OK);
    ck_assert_int_eq(version_edit_seal_segment(&edit, 11, 5000), STATUS_OK);
    install();
    file = version_segment(now, 11);
    ck_assert_int_eq(file->kind, SEGMENT_SURVIVOR);
    ck_assert_uint_eq(file->length_bytes, 5000);
    ck_assert(!file->damaged);
    file = version_segment(now, 10);
    ck_assert_int_eq(file->kind, SEGMENT_COMMIT);
    ck_assert_uint_eq(file->length_bytes, 0);
    ck_assert_int_eq(version_edit_seal_segment(&edit, 10, 777), STATUS_OK);
    ck_assert_int_eq(version_edit_mark_damaged(&edit, 10), STATUS_OK);
    install();
    file = version_segment(now, 10);
    ck_assert_uint_eq(file->length_bytes, 777);
    ck_assert(file->damaged);
    end();
}
END_TEST

START_TEST(a_version_is_whole_while_its_tables_refer_to_what_is_there) {
    struct version *next;
    uint64_t segment = 0;

    start();
    add_segment(10);
    relocate(7, 10);
    install();
    add_referring(50, 10);
    add_referring(51, 7);
    ck_assert_int_eq(version_apply(&files, now, &edit, &next), STATUS_OK);
    ck_assert(version_is_whole(next, &edit, &segment));
    version_unref(next);
    install();
    add_referring(52, 8); /* a new table that refers to nothing */
    ck_assert_int_eq(version_apply(&files, now, &edit, &next), STATUS_OK);
    ck_assert(!version_is_whole(next, &edit, &segment));
    ck_assert_uint_eq(segment, 8);
    version_unref(next);
    version_edit_clear(&edit);
    ck_assert_int_eq(version_edit_remove_relocation(&edit, 7), STATUS_OK); /* an old table does */
    ck_assert_int_eq(version_apply(&files, now, &edit, &next), STATUS_OK);
    ck_assert(!version_is_whole(next, &edit, &segment));
    ck_assert_uint_eq(segment, 7);
    version_unref(next);
    end();
}
END_TEST

UNIT_MAIN("version", an_empty_version_has_nothing_and_an_empty_edit_adds_nothing,
          level_0_is_newest_first_and_the_others_are_in_key_order,
          removed_tables_are_gone_from_their_level_only, the_version_before_is_left_as_it_was,
          segments_ascend_by_number, a_table_that_moves_between_levels_keeps_its_file,
          tables_of_a_level_may_not_share_a_row,
          an_obsolete_table_is_unlinked_after_the_last_version_that_has_it,
          an_obsolete_segment_is_unlinked_and_the_others_stay, closing_the_store_removes_no_file,
          a_removal_that_fails_is_counted_and_frees_all_the_same,
          each_failing_allocation_leaves_the_version_and_its_files,
          a_row_is_found_at_and_between_the_borders_of_tables, a_range_overlaps_by_a_single_row,
          records_lie_in_their_segment_or_where_it_was_moved_or_nowhere,
          a_segment_knows_its_kind_its_length_and_its_damage,
          a_version_is_whole_while_its_tables_refer_to_what_is_there)
