/* ranges_test.c: sets of range deletes, against a plain list that is searched from end to end. */
#include "storage/ranges.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/random.h"

#define DELETES_MAX 64
#define ROUNDS 300
#define PROBES 90 /* rows that are asked for */

static struct range_delete deletes[DELETES_MAX];
static uint8_t keys[DELETES_MAX][2][2];
static size_t delete_count;
static struct range_set *set;
static struct random rng;

static void start(uint64_t seed) {
    delete_count = 0;
    set = NULL;
    rng = random_make(seed);
}

static void end(void) {
    range_set_unref(set);
    set = NULL;
}

/* Keys of up to two letters out of five, some of them the last there are. */
static struct slice random_key(uint8_t room[2]) {
    static const uint8_t letters[] = {0, 'b', 'c', 'd', 0xFF};
    size_t len = random_below(&rng, 3);

    for (size_t i = 0; i < len; i++) {
        room[i] = letters[random_below(&rng, sizeof letters)];
    }
    return slice_make(room, len);
}

static void invent(uint64_t version) {
    struct range_delete *made = &deletes[delete_count];

    do {
        made->range.namespace_id = 1 + (uint32_t)random_below(&rng, 3);
        made->range.from = random_key(keys[delete_count][0]);
        made->range.to = random_key(keys[delete_count][1]);
    } while (!key_range_is_valid(&made->range));
    made->version = version;
    made->durability = (uint8_t)(version % 3);
    delete_count++;
}

/* Adds the last `count` invented ones to the set. */
static void add_last(size_t count, const struct keep_rules *rules) {
    struct range_set *next;

    ck_assert_int_eq(range_set_build(set, deletes + delete_count - count, count, rules, &next),
                     STATUS_OK);
    range_set_unref(set);
    set = next;
}

static void add(const char *from, const char *to, uint64_t version) {
    deletes[delete_count++] = (struct range_delete){
        {1, slice_from_text(from), slice_from_text(to)}, version, (uint8_t)(version % 3)};
    add_last(1, NULL);
}

/* One of all rows that random_key makes, and some. */
static struct slice probe(uint8_t room[8], uint32_t number) {
    static const uint8_t letters[] = {0, 'b', 'c', 'd', 0xFF};
    uint32_t namespace_id = number / 30;
    uint32_t rest = number % 30;
    uint8_t key[2] = {letters[rest / 6], rest % 6 ? letters[rest % 6 - 1] : 0};
    size_t len = rest % 6 ? 2 : rest == 0 ? 0 : 1;

    return slice_make(room, row_store(room, 1 + namespace_id, slice_make(key, len)));
}

static uint64_t model_covering(struct slice row, uint64_t version) {
    uint64_t newest = VERSION_NONE;

    for (size_t i = 0; i < delete_count; i++) {
        if (deletes[i].version <= version && deletes[i].version > newest &&
            range_covers_row(&deletes[i].range, row)) {
            newest = deletes[i].version;
        }
    }
    return newest;
}

static uint64_t model_ending(struct slice row, uint64_t version) {
    uint64_t oldest = UINT64_MAX;

    for (size_t i = 0; i < delete_count; i++) {
        if (deletes[i].version > version && deletes[i].version < oldest &&
            range_covers_row(&deletes[i].range, row)) {
            oldest = deletes[i].version;
        }
    }
    return oldest == UINT64_MAX ? VERSION_NONE : oldest;
}

static void expect_cover(struct range_cover cover, uint64_t version) {
    ck_assert_uint_eq(cover.version, version);
    ck_assert_uint_eq(cover.durability, version % 3);
}

static void expect_as_model(uint64_t version_max) {
    struct range_walk walk = range_walk_make(set);
    struct range_walk back = range_walk_make(set);

    for (uint32_t i = 0; i < PROBES; i++) {
        for (uint64_t version = 0; version <= version_max + 1; version++) {
            uint8_t room[8];
            struct slice row = probe(room, i);
            uint64_t covering = model_covering(row, version);
            uint64_t ending = model_ending(row, version);
            expect_cover(range_set_covering(set, row, version), covering);
            expect_cover(range_walk_covering(&walk, row, version), covering);
            expect_cover(range_set_ending(set, row, version), ending);
            expect_cover(range_walk_ending(&walk, row, version), ending);
            row = probe(room, PROBES - 1 - i);
            expect_cover(range_walk_covering(&back, row, version), model_covering(row, version));
        }
    }
}

START_TEST(no_set_covers_nothing) {
    uint8_t room[8];
    struct slice row = probe(room, 7);
    struct range_set *next;

    start(1);
    expect_cover(range_set_covering(NULL, row, VERSION_MAX), VERSION_NONE);
    expect_cover(range_set_ending(NULL, row, 0), VERSION_NONE);
    ck_assert_uint_eq(range_set_covers_rows(NULL, row, row, 0, VERSION_MAX), VERSION_NONE);
    ck_assert_int_eq(range_set_build(NULL, NULL, 0, NULL, &next), STATUS_OK);
    ck_assert_ptr_null(next);
    ck_assert_int_eq(range_set_prune(NULL, NULL, NULL, NULL, &next), STATUS_OK);
    ck_assert_ptr_null(next);
    ck_assert_uint_eq(range_set_points(NULL), 0);
    ck_assert_uint_eq(range_set_memory_bytes(NULL), 0);
    range_set_ref(NULL);
    range_set_unref(NULL);
}
END_TEST

START_TEST(any_set_answers_as_a_plain_list_does) {
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        uint64_t version = 0;
        start(seed);
        while (delete_count < 12) {
            size_t count = 1 + random_below(&rng, 5);
            for (size_t i = 0; i < count; i++) {
                version += random_below(&rng, 3) > 0; /* some are of one commit */
                version += version == 0;
                invent(version);
            }
            add_last(count, NULL);
        }
        expect_as_model(version);
        end();
    }
}
END_TEST

START_TEST(the_order_in_which_they_are_added_is_of_no_account) {
    start(5);
    for (uint64_t version = 9; version > 0; version--) {
        invent(version);
        add_last(1, NULL);
    }
    expect_as_model(9);
    end();
}
END_TEST

START_TEST(neighbours_of_equal_covers_are_one_point) {
    start(1);
    add("b", "c", 5);
    add("c", "d", 5);
    ck_assert_uint_eq(range_set_points(set), 2);
    add("a", "e", 5); /* nothing new, but wider */
    ck_assert_uint_eq(range_set_points(set), 2);
    add("b", "", 6);
    ck_assert_uint_eq(range_set_points(set), 4);
    ck_assert_uint_gt(range_set_memory_bytes(set), 4 * 16);
    end();
}
END_TEST

/* Rules differ by namespace. */
START_TEST(equal_covers_of_two_namespaces_are_two_points) {
    start(1);
    add("b", "", 5);
    deletes[delete_count++] =
        (struct range_delete){{2, slice_from_text(""), slice_from_text("c")}, 5, 2};
    add_last(1, NULL);
    ck_assert_uint_eq(range_set_points(set), 3);
    expect_as_model(6);
    end();
}
END_TEST

/* ---- Whole tables ---- */

static uint64_t rows_covered(const char *smallest, const char *largest, uint64_t above,
                             uint64_t limit) {
    uint8_t room[2][16];
    struct slice first = slice_make(room[0], row_store(room[0], 1, slice_from_text(smallest)));
    struct slice last = slice_make(room[1], row_store(room[1], 1, slice_from_text(largest)));

    return range_set_covers_rows(set, first, last, above, limit);
}

START_TEST(rows_are_covered_when_each_of_them_is) {
    start(1);
    add("b", "d", 10);
    ck_assert_uint_eq(rows_covered("b", "c", 9, 99), 10);
    ck_assert_uint_eq(rows_covered("b", "c", 10, 99), VERSION_NONE);
    ck_assert_uint_eq(rows_covered("b", "c", 9, 9), VERSION_NONE);
    ck_assert_uint_eq(rows_covered("b", "d", 9, 99), VERSION_NONE);
    ck_assert_uint_eq(rows_covered("a", "c", 9, 99), VERSION_NONE);
    ck_assert_uint_eq(rows_covered("e", "f", 9, 99), VERSION_NONE);
    add("d", "f", 20);
    ck_assert_uint_eq(rows_covered("b", "e", 9, 99), 20);
    ck_assert_uint_eq(rows_covered("b", "c", 9, 99), 10);
    ck_assert_uint_eq(rows_covered("b", "e", 9, 19), VERSION_NONE);
    add("a", "z", 30);
    ck_assert_uint_eq(rows_covered("a", "e", 9, 99), 30);
    ck_assert_uint_eq(rows_covered("b", "e", 9, 99), 20);
    ck_assert_uint_eq(rows_covered("b", "e", 15, 99), 30);
    add("y", "", 40);
    ck_assert_uint_eq(rows_covered("a", "\xff\xff", 9, 99), 40);
    ck_assert_uint_eq(rows_covered("y", "\xff\xff", 40, 99), VERSION_NONE);
    end();
}
END_TEST

/* ---- Pruning ---- */

static void expect_readers_served(const struct keep_rules *rules, uint64_t version_max) {
    for (uint32_t i = 0; i < PROBES; i++) {
        uint8_t room[8];
        struct slice row = probe(room, i);
        for (size_t j = 0; j < rules->snapshot_count; j++) {
            uint64_t version = rules->snapshots[j];
            expect_cover(range_set_covering(set, row, version), model_covering(row, version));
        }
        for (uint64_t version = keep_rules_visible(rules); version <= version_max; version++) {
            expect_cover(range_set_covering(set, row, version), model_covering(row, version));
        }
    }
}

static void random_rules(struct keep_rules *rules, uint64_t version_max) {
    uint64_t version = 0;

    ck_assert_int_eq(keep_rules_init(rules, 8, 1), STATUS_OK);
    for (size_t i = random_below(&rng, 4) + 1; i > 0; i--) {
        version += random_below(&rng, (uint32_t)version_max / 3);
        keep_rules_add_snapshot(rules, version);
    }
}

START_TEST(pruning_takes_nothing_from_any_reader) {
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct keep_rules rules;
        struct range_set *pruned;
        start(seed);
        for (uint64_t version = 1; version <= 24; version++) {
            invent(version);
        }
        random_rules(&rules, 24);
        add_last(12, &rules);
        delete_count = 12;
        add_last(12, NULL);
        delete_count = 24;
        ck_assert_int_eq(range_set_prune(set, &rules, NULL, NULL, &pruned), STATUS_OK);
        ck_assert_uint_le(range_set_memory_bytes(pruned), range_set_memory_bytes(set));
        end();
        set = pruned;
        expect_readers_served(&rules, 25);
        keep_rules_deinit(&rules);
        end();
    }
}
END_TEST

static void expect_pruned(const struct keep_rules *rules, const char *key, uint64_t at,
                          uint64_t version) {
    uint8_t room[16];
    struct slice row = slice_make(room, row_store(room, 1, slice_from_text(key)));
    struct range_set *pruned;

    ck_assert_int_eq(range_set_prune(set, rules, NULL, NULL, &pruned), STATUS_OK);
    ck_assert_uint_eq(range_set_covering(pruned, row, at).version, version);
    range_set_unref(pruned);
}

START_TEST(an_older_one_goes_when_no_reader_is_between) {
    struct keep_rules rules;
    struct range_set *pruned;

    start(1);
    add("b", "d", 10);
    add("b", "d", 20);
    ck_assert_int_eq(keep_rules_init(&rules, 3, 1), STATUS_OK);
    keep_rules_add_snapshot(&rules, 15);
    expect_pruned(&rules, "c", 15, 10);
    expect_pruned(&rules, "c", 25, 20);
    rules.snapshots[0] = 20;
    expect_pruned(&rules, "c", 19, VERSION_NONE);
    expect_pruned(&rules, "c", 20, 20);
    keep_rules_add_namespace(&rules, &(struct keep_namespace){1, 2, UINT64_MAX, UINT64_MAX});
    expect_pruned(&rules, "c", 19, 10); /* two versions of each row stay */
    rules.namespaces[0] = (struct keep_namespace){1, 0, 19, UINT64_MAX};
    expect_pruned(&rules, "c", 19, 10); /* what was hidden after 19 stays */
    rules.namespaces[0].keep_since_version = 20;
    expect_pruned(&rules, "c", 19, VERSION_NONE);
    rules.snapshots[0] = 9; /* both are newer than what the rules know */
    expect_pruned(&rules, "c", 19, 10);
    ck_assert_int_eq(range_set_prune(set, &rules, NULL, NULL, &pruned), STATUS_OK);
    ck_assert_ptr_eq(pruned, set);
    range_set_unref(pruned);
    keep_rules_deinit(&rules);
    end();
}
END_TEST

/* Many nested ranges, each a little wider, take no more room than the last. */
START_TEST(covers_that_nobody_needs_take_no_room) {
    struct keep_rules rules;
    struct range_set *next;
    uint8_t letter[1];

    start(1);
    ck_assert_int_eq(keep_rules_init_plain(&rules, 1000, 0), STATUS_OK);
    for (uint64_t version = 1; version <= 200; version++) {
        struct range_delete one = {{1, slice_make("a", 1), slice_make(letter, 1)}, version, 0};
        letter[0] = (uint8_t)('a' + version % 25 + 1);
        ck_assert_int_eq(range_set_build(set, &one, 1, &rules, &next), STATUS_OK);
        end();
        set = next;
    }
    ck_assert_uint_le(range_set_points(set), 26);
    ck_assert_uint_le(range_set_memory_bytes(set), 26 * (16 + 16 + 8) + 128);
    keep_rules_deinit(&rules);
    end();
}
END_TEST

static bool is_old_cb(void *arg, struct slice from, struct slice to, uint64_t version) {
    const uint64_t *limit = arg;

    ck_assert_int_lt(slice_compare(from, to), 0);
    return version <= *limit;
}

START_TEST(what_is_said_to_be_forgotten_goes) {
    uint64_t limit;
    struct range_set *left;

    for (limit = 0; limit <= 8; limit++) {
        start(3);
        for (uint64_t version = 1; version <= 8; version++) {
            invent(version);
        }
        add_last(8, NULL);
        ck_assert_int_eq(range_set_prune(set, NULL, is_old_cb, &limit, &left), STATUS_OK);
        ck_assert_int_eq(left == set, limit == 0);
        ck_assert_int_eq(left == NULL, limit == 8);
        end();
        set = left;
        memmove(deletes, deletes + limit, (8 - limit) * sizeof deletes[0]);
        delete_count = 8 - limit;
        expect_as_model(8);
        end();
    }
}
END_TEST

START_TEST(each_failing_allocation_is_told_and_leaves_nothing) {
    enum status status = STATUS_NO_MEMORY;
    struct range_set *next = NULL;
    uint64_t limit = 4;
    uint64_t n;

    start(2);
    for (uint64_t version = 1; version <= 20; version++) {
        invent(version);
    }
    add_last(10, NULL);
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = range_set_build(set, deletes + 10, 10, NULL, &next);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 6);
    range_set_unref(next);
    status = STATUS_NO_MEMORY;
    for (n = 0; status != STATUS_OK; n++) {
        memory_fail_after(n, true);
        status = range_set_prune(set, NULL, is_old_cb, &limit, &next);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 4);
    range_set_unref(next);
    end();
}
END_TEST

UNIT_MAIN("ranges", no_set_covers_nothing, any_set_answers_as_a_plain_list_does,
          the_order_in_which_they_are_added_is_of_no_account,
          neighbours_of_equal_covers_are_one_point, equal_covers_of_two_namespaces_are_two_points,
          rows_are_covered_when_each_of_them_is, pruning_takes_nothing_from_any_reader,
          an_older_one_goes_when_no_reader_is_between, covers_that_nobody_needs_take_no_room,
          what_is_said_to_be_forgotten_goes, each_failing_allocation_is_told_and_leaves_nothing)
