/* holders_test.c: what holds a segment, over versions, memtables and manifests written down by
 * hand. */
#include "storage/holders.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#define TABLES_MAX 8u
#define SEGMENTS_MAX 12u
#define SHARES_MAX 4u

struct books {
    struct version version;
    struct table_info infos[LEVELS_MAX][TABLES_MAX];
    const struct table_info *pointers[LEVELS_MAX][TABLES_MAX];
    struct segment_share shares[LEVELS_MAX][TABLES_MAX][SHARES_MAX];
    struct segment_file files[SEGMENTS_MAX];
    struct segment_file *file_pointers[SEGMENTS_MAX];
    struct relocation relocations[SEGMENTS_MAX];
    struct manifest_state state;
    struct manifest_segment segments[SEGMENTS_MAX];
    struct view view;
    bool has_view;
    struct holders_question question;
    struct version_edit edit;
    struct holder_sums sums;
};

static void books_deinit(struct books *books) {
    if (books->has_view) {
        memtable_unref(books->view.active);
    }
    version_edit_deinit(&books->edit);
    holders_deinit(&books->sums);
}

/* A table with no references so far. */
static struct table_info *add_table(struct books *books, uint32_t level) {
    struct level *to = &books->version.levels[level];
    uint32_t index = to->count++;
    struct table_info *info = &books->infos[level][index];

    ck_assert_uint_lt(index, TABLES_MAX);
    info->shares = books->shares[level][index];
    books->pointers[level][index] = info;
    to->infos = books->pointers[level];
    return info;
}

static struct segment_share *holds(struct table_info *info, uint64_t segment, uint64_t records,
                                   uint64_t bytes) {
    struct segment_share *share = &info->shares[info->share_count++];

    ck_assert_uint_le(info->share_count, SHARES_MAX);
    *share = (struct segment_share){.segment = segment, .records = records, .bytes = bytes};
    return share;
}

static void holds_aliases(struct table_info *info, uint64_t segment, uint64_t records,
                          uint64_t bytes) {
    struct segment_share *share = holds(info, segment, 0, 0);

    share->alias_records = records;
    share->alias_bytes = bytes;
}

/* Segments are added ascending. */
static void add_segment(struct books *books, uint64_t number, enum segment_kind kind, bool sealed) {
    struct manifest_state *state = &books->state;
    uint32_t index = state->segment_count++;
    struct segment_file *file = &books->files[index];

    ck_assert_uint_lt(index, SEGMENTS_MAX);
    state->segments = books->segments;
    state->segments[index] = (struct manifest_segment){
        .number = number, .kind = kind, .sealed = sealed, .length_bytes = 1000};
    file->number = number;
    file->kind = kind;
    atomic_init(&file->length_bytes, sealed ? 1000 : 0);
    books->file_pointers[index] = file;
    books->version.segments = books->file_pointers;
    books->version.segment_count = state->segment_count;
}

/* Relocations are added ascending by home. */
static void add_relocation(struct books *books, uint64_t home, uint64_t target) {
    uint32_t index = books->version.relocation_count++;

    ck_assert_uint_lt(index, SEGMENTS_MAX);
    books->relocations[index] = (struct relocation){.home = home, .target = target, .entries = 1};
    books->version.relocations = books->relocations;
}

/* A memtable with one reference, or one alias, into `segment`. */
static void add_memtable(struct books *books, uint64_t segment, bool alias) {
    struct entry entry = {
        .kind = ENTRY_REFERENCE,
        .alias = alias,
        .record_version = 3,
        .ref = {.segment = segment, .offset = 200, .raw_bytes = 70, .stored_bytes = 70}};
    struct slice row = slice_make("\0\0\0\1key", 7);

    ck_assert_int_eq(memtable_create(4096, &books->view.active), STATUS_OK);
    ck_assert_int_eq(memtable_reserve(books->view.active, 4096, 4096), STATUS_OK);
    ck_assert_int_eq(memtable_reserve_segments(books->view.active, &entry), STATUS_OK);
    memtable_insert(books->view.active, row, 5, &entry);
    books->view.version = &books->version;
    books->has_view = true;
    books->question.view = &books->view;
}

static void add_up(struct books *books) {
    enum status status = books->has_view ? holders_of_view(&books->view, &books->sums)
                                         : holders_sum(&books->version, NULL, NULL, &books->sums);
    ck_assert_int_eq(status, STATUS_OK);
}

static void expect_home(const struct books *books, uint64_t home, uint64_t records,
                        uint64_t bytes) {
    struct segment_share share = holders_home(&books->sums, home);

    ck_assert_uint_eq(share.segment, home);
    ck_assert_uint_eq(share.records, records);
    ck_assert_uint_eq(share.bytes, bytes);
}

static const struct segment_account *account_of(const struct books *books, uint64_t segment) {
    const struct segment_account *account = holders_account(&books->sums, segment);
    ck_assert_ptr_nonnull(account);
    return account;
}

static enum status try_drop(struct books *books, uint64_t replay_segment) {
    books->question.state = &books->state;
    books->question.next = &books->version;
    books->question.replay_segment = replay_segment;
    return holders_drop_unheld(&books->question, &books->edit);
}

static void drop_unheld(struct books *books, uint64_t replay_segment) {
    ck_assert_int_eq(try_drop(books, replay_segment), STATUS_OK);
}

static void expect_dropped(const struct books *books, uint32_t count, const uint64_t *segments) {
    ck_assert_uint_eq(books->edit.segments_removed_count, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(books->edit.segments_removed[i], segments[i]);
    }
}

#define EXPECT_DROPPED(books, ...)                                                                 \
    expect_dropped(books, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),                    \
                   (uint64_t[]){__VA_ARGS__})

START_TEST(a_version_without_tables_holds_nothing) {
    struct books books = {0};

    add_up(&books);
    ck_assert_uint_eq(books.sums.home_count, 0);
    ck_assert_uint_eq(books.sums.account_count, 0);
    expect_home(&books, 7, 0, 0);
    ck_assert_ptr_null(holders_account(&books.sums, 7));
    books_deinit(&books);
}
END_TEST

START_TEST(tables_of_small_values_hold_nothing) {
    struct books books = {0};

    add_segment(&books, 3, SEGMENT_COMMIT, true);
    (void)add_table(&books, 0);
    (void)add_table(&books, 6);
    add_up(&books);
    ck_assert(!segment_account_is_held(account_of(&books, 3)));
    ck_assert_uint_eq(segment_account_unreferenced(account_of(&books, 3)), 1000);
    books_deinit(&books);
}
END_TEST

START_TEST(shares_of_one_segment_add_up_over_tables_and_levels) {
    struct books books = {0};
    struct table_info *table = add_table(&books, 6);

    for (uint64_t segment = 1; segment <= 9; segment++) {
        add_segment(&books, segment, SEGMENT_COMMIT, true);
    }
    holds(table, 7, 1, 10);
    holds(table, 9, 2, 20);
    holds(add_table(&books, 6), 3, 4, 40);
    holds(add_table(&books, 1), 7, 8, 80);
    holds(add_table(&books, 0), 7, 16, 160);
    add_up(&books);
    expect_home(&books, 3, 4, 40);
    expect_home(&books, 7, 25, 250);
    expect_home(&books, 9, 2, 20);
    expect_home(&books, 5, 0, 0);
    ck_assert_uint_eq(segment_account_unreferenced(account_of(&books, 7)), 750);
    ck_assert_uint_eq(books.sums.lost_shares, 0);
    books_deinit(&books);
}
END_TEST

START_TEST(aliases_are_an_account_of_their_own) {
    struct books books = {0};
    struct table_info *table = add_table(&books, 6);

    add_segment(&books, 3, SEGMENT_COMMIT, true);
    holds(table, 3, 1, 100);
    holds_aliases(add_table(&books, 0), 3, 2, 200);
    add_up(&books);
    expect_home(&books, 3, 1, 100);
    ck_assert_uint_eq(account_of(&books, 3)->alias_records, 2);
    ck_assert_uint_eq(account_of(&books, 3)->alias_bytes, 200);
    ck_assert_uint_eq(segment_account_unreferenced(account_of(&books, 3)), 700);
    books_deinit(&books);
}
END_TEST

START_TEST(a_survivor_is_asked_for_what_its_homes_are) {
    struct books books = {0};
    struct table_info *table = add_table(&books, 6);

    add_relocation(&books, 2, 8);
    add_relocation(&books, 5, 8);
    add_segment(&books, 4, SEGMENT_COMMIT, true);
    add_segment(&books, 8, SEGMENT_SURVIVOR, true);
    holds(table, 2, 1, 10);
    holds(table, 5, 2, 20);
    holds(table, 8, 4, 40);
    add_up(&books);
    expect_home(&books, 2, 1, 10);
    expect_home(&books, 8, 4, 40);
    ck_assert_uint_eq(account_of(&books, 8)->records, 7);
    ck_assert_uint_eq(account_of(&books, 8)->bytes, 70);
    ck_assert_uint_eq(account_of(&books, 8)->relocations, 2);
    ck_assert_uint_eq(account_of(&books, 4)->records, 0);
    books_deinit(&books);
}
END_TEST

START_TEST(what_a_table_needs_and_nobody_has_is_lost) {
    struct books books = {0};

    add_segment(&books, 3, SEGMENT_COMMIT, true);
    holds(add_table(&books, 1), 2, 1, 10);
    add_up(&books);
    ck_assert_uint_eq(books.sums.lost_shares, 1);
    books_deinit(&books);
}
END_TEST

START_TEST(memtables_hold_as_tables_do) {
    struct books books = {0};

    add_segment(&books, 3, SEGMENT_COMMIT, true);
    add_memtable(&books, 3, true);
    add_up(&books);
    ck_assert_uint_eq(account_of(&books, 3)->alias_records, 1);
    ck_assert_uint_eq(account_of(&books, 3)->alias_bytes, 70);
    ck_assert_uint_eq(account_of(&books, 3)->records, 0);
    books_deinit(&books);
}
END_TEST

START_TEST(every_sealed_segment_that_nobody_needs_is_dropped) {
    struct books books = {0};

    holds(add_table(&books, 4), 2, 1, 100);
    add_segment(&books, 1, SEGMENT_COMMIT, true);
    add_segment(&books, 2, SEGMENT_COMMIT, true); /* held */
    add_segment(&books, 3, SEGMENT_COMMIT, false);
    add_segment(&books, 4, SEGMENT_SURVIVOR, true);
    add_segment(&books, 5, SEGMENT_EXTENT, true);
    add_segment(&books, 6, SEGMENT_COMMIT, true);
    drop_unheld(&books, 10);
    EXPECT_DROPPED(&books, 1, 4, 5, 6);
    books_deinit(&books);
}
END_TEST

START_TEST(the_replay_segment_and_those_above_it_stay_unless_they_are_never_replayed) {
    struct books books = {0};

    add_segment(&books, 4, SEGMENT_COMMIT, true);
    add_segment(&books, 5, SEGMENT_COMMIT, true);
    add_segment(&books, 6, SEGMENT_COMMIT, true);
    drop_unheld(&books, 0);
    drop_unheld(&books, 4);
    ck_assert(version_edit_is_empty(&books.edit));
    add_segment(&books, 7, SEGMENT_SURVIVOR, true);
    drop_unheld(&books, 5);
    EXPECT_DROPPED(&books, 4, 7);
    books_deinit(&books);
}
END_TEST

START_TEST(a_segment_is_dropped_with_its_last_reference_only) {
    struct books books = {0};

    holds(add_table(&books, 0), 1, 1, 100);
    holds_aliases(add_table(&books, 6), 1, 1, 100);
    add_segment(&books, 1, SEGMENT_COMMIT, true);
    drop_unheld(&books, 10);
    books.version.levels[0].count = 0;
    drop_unheld(&books, 10);
    ck_assert(version_edit_is_empty(&books.edit));
    books.version.levels[6].count = 0;
    drop_unheld(&books, 10);
    EXPECT_DROPPED(&books, 1);
    books_deinit(&books);
}
END_TEST

START_TEST(an_alias_in_memory_keeps_its_segment) {
    struct books books = {0};

    add_segment(&books, 3, SEGMENT_COMMIT, true);
    add_segment(&books, 4, SEGMENT_COMMIT, true);
    add_memtable(&books, 4, true);
    drop_unheld(&books, 10);
    EXPECT_DROPPED(&books, 3);
    books_deinit(&books);
}
END_TEST

START_TEST(a_memtable_that_goes_with_the_edit_does_not_count) {
    struct books books = {0};
    struct memtable *fresh;

    add_segment(&books, 4, SEGMENT_COMMIT, true);
    add_memtable(&books, 4, true);
    ck_assert_int_eq(memtable_create(4096, &fresh), STATUS_OK);
    books.view.frozen[0] = books.view.active;
    books.view.frozen_count = 1;
    books.view.active = fresh;
    drop_unheld(&books, 10);
    ck_assert(version_edit_is_empty(&books.edit));
    books.question.flushed = books.view.frozen[0];
    drop_unheld(&books, 10);
    EXPECT_DROPPED(&books, 4);
    memtable_unref(books.view.frozen[0]);
    books_deinit(&books);
}
END_TEST

START_TEST(a_pinned_segment_stays) {
    struct books books = {0};
    uint64_t pinned[] = {2, 4};

    add_relocation(&books, 2, 5);
    add_segment(&books, 3, SEGMENT_COMMIT, true);
    add_segment(&books, 4, SEGMENT_EXTENT, true);
    add_segment(&books, 5, SEGMENT_SURVIVOR, true); /* where a pinned home lies */
    books.question.pinned = pinned;
    books.question.pinned_count = 2;
    drop_unheld(&books, 10);
    EXPECT_DROPPED(&books, 3);
    ck_assert_uint_eq(books.edit.relocations_removed_count, 0);
    books_deinit(&books);
}
END_TEST

START_TEST(a_relocation_goes_with_its_last_holder_and_its_survivor_with_the_last_relocation) {
    struct books books = {0};

    add_relocation(&books, 2, 8);
    add_relocation(&books, 5, 8);
    add_segment(&books, 8, SEGMENT_SURVIVOR, true);
    holds(add_table(&books, 6), 5, 1, 10);
    drop_unheld(&books, 10);
    ck_assert_uint_eq(books.edit.relocations_removed_count, 1);
    ck_assert_uint_eq(books.edit.relocations_removed[0], 2);
    ck_assert_uint_eq(books.edit.segments_removed_count, 0);
    version_edit_clear(&books.edit);
    books.version.levels[6].count = 0;
    drop_unheld(&books, 10);
    ck_assert_uint_eq(books.edit.relocations_removed_count, 2);
    EXPECT_DROPPED(&books, 8);
    books_deinit(&books);
}
END_TEST

START_TEST(folded_references_hold_the_survivor_by_its_own_name) {
    struct books books = {0};

    add_relocation(&books, 2, 8);
    add_segment(&books, 8, SEGMENT_SURVIVOR, true);
    holds(add_table(&books, 6), 8, 1, 10);
    drop_unheld(&books, 10);
    ck_assert_uint_eq(books.edit.relocations_removed_count, 1);
    ck_assert_uint_eq(books.edit.segments_removed_count, 0);
    books_deinit(&books);
}
END_TEST

START_TEST(what_the_edit_adds_or_removes_itself_is_left_to_it) {
    struct books books = {0};
    struct relocation relocation = {
        .home = 2, .target = 8, .section_bytes = relocation_section_bytes(1), .entries = 1};

    add_relocation(&books, 2, 8);
    add_segment(&books, 8, SEGMENT_SURVIVOR, true);
    ck_assert_int_eq(version_edit_add_segment(&books.edit, 8, SEGMENT_SURVIVOR), STATUS_OK);
    ck_assert_int_eq(version_edit_add_relocation(&books.edit, &relocation), STATUS_OK);
    ck_assert_int_eq(version_edit_remove_table(&books.edit, 3, 77), STATUS_OK);
    drop_unheld(&books, 2);
    ck_assert_uint_eq(books.edit.tables_removed_count, 1);
    ck_assert_uint_eq(books.edit.segments_removed_count, 0);
    ck_assert_uint_eq(books.edit.relocations_removed_count, 0);
    books_deinit(&books);
}
END_TEST

START_TEST(each_failing_allocation_is_told) {
    struct books books = {0};
    enum status status = STATUS_NO_MEMORY;
    uint64_t n;

    holds(add_table(&books, 1), 2, 1, 100);
    add_segment(&books, 1, SEGMENT_COMMIT, true);
    add_segment(&books, 2, SEGMENT_COMMIT, true);
    add_memtable(&books, 2, true);
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = try_drop(&books, 10);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        ck_assert_uint_eq(books.edit.segments_removed_count, status == STATUS_OK);
    }
    ck_assert_uint_ge(n, 4);
    books_deinit(&books);
}
END_TEST

UNIT_MAIN("holders", a_version_without_tables_holds_nothing, tables_of_small_values_hold_nothing,
          shares_of_one_segment_add_up_over_tables_and_levels, aliases_are_an_account_of_their_own,
          a_survivor_is_asked_for_what_its_homes_are, what_a_table_needs_and_nobody_has_is_lost,
          memtables_hold_as_tables_do, every_sealed_segment_that_nobody_needs_is_dropped,
          the_replay_segment_and_those_above_it_stay_unless_they_are_never_replayed,
          a_segment_is_dropped_with_its_last_reference_only, an_alias_in_memory_keeps_its_segment,
          a_memtable_that_goes_with_the_edit_does_not_count, a_pinned_segment_stays,
          a_relocation_goes_with_its_last_holder_and_its_survivor_with_the_last_relocation,
          folded_references_hold_the_survivor_by_its_own_name,
          what_the_edit_adds_or_removes_itself_is_left_to_it, each_failing_allocation_is_told)
