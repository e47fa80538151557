/* entry_fate_test.c: which entries a flush or a compaction keeps: a table of cases, and what no
 * case may break: no snapshot sees anything else after it than before. */
#include "storage/entry_fate.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"
#include "storage/ikey.h"
#include "storage/random.h"

#define NOW 1000u

struct judged {
    struct keep_rules rules;
    struct fate_judge judge;
    uint8_t room[IKEY_BYTES_MIN + 8];
    uint64_t range_version; /* of a range delete over all that is judged */
};

static void begin_keeping(struct judged *judged, const uint64_t *snapshots, size_t count,
                          const struct keep_namespace *keep) {
    enum status status = keep_rules_init(&judged->rules, count, 1);

    ck_assert_int_eq(status, STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        keep_rules_add_snapshot(&judged->rules, snapshots[i]);
    }
    if (keep) {
        keep_rules_add_namespace(&judged->rules, keep);
    }
    judged->rules.now_ms = NOW;
    judged->range_version = 0;
    fate_judge_init(&judged->judge, &judged->rules, 1);
}

static void begin(struct judged *judged, const uint64_t *snapshots, size_t count) {
    begin_keeping(judged, snapshots, count, NULL);
}

static void end(struct judged *judged) {
    fate_judge_deinit(&judged->judge);
    keep_rules_deinit(&judged->rules);
}

static enum fate fate_of(struct judged *judged, char key, uint64_t version,
                         const struct entry *entry, bool nothing_below) {
    uint8_t row[IKEY_NAMESPACE_BYTES + 1];
    uint8_t letter = (uint8_t)key;
    size_t len = row_store(row, NAMESPACE_DEFAULT, slice_make(&letter, 1));
    size_t bytes = ikey_store(judged->room, slice_make(row, len), version);
    struct fate_question question = {
        .ikey = slice_make(judged->room, bytes),
        .entry = entry,
        .namespace_id = NAMESPACE_DEFAULT,
        .range_version = judged->range_version > version ? judged->range_version : 0,
        .nothing_below = nothing_below};
    enum fate fate = FATE_KEEP;
    enum status status = fate_judge_next(&judged->judge, &question, &fate);
    ck_assert_int_eq(status, STATUS_OK);
    return fate;
}

static const struct entry live = {.kind = ENTRY_INLINE};
static const struct entry tombstone = {.kind = ENTRY_TOMBSTONE};
static const struct entry expired = {.kind = ENTRY_INLINE, .expiry_ms = NOW};
static const struct entry expires_later = {.kind = ENTRY_INLINE, .expiry_ms = NOW + 1};

START_TEST(the_newest_live_entry_is_kept_and_older_ones_go) {
    uint64_t snapshot = 100;
    struct judged judged;

    begin(&judged, &snapshot, 1);
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &live, true), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'a', 8, &live, true), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'a', 7, &tombstone, false), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'b', 3, &expires_later, true), FATE_KEEP);
    end(&judged);
}
END_TEST

START_TEST(a_tombstone_goes_only_when_nothing_lies_below) {
    uint64_t snapshot = 100;
    struct judged judged;

    begin(&judged, &snapshot, 1);
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &tombstone, true), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'a', 8, &live, true), FATE_DROP); /* it hid this one */
    ck_assert_int_eq(fate_of(&judged, 'b', 9, &tombstone, false), FATE_KEEP_AS_TOMBSTONE);
    end(&judged);
}
END_TEST

START_TEST(an_expired_entry_is_a_tombstone) {
    uint64_t snapshot = 100;
    struct judged judged;

    begin(&judged, &snapshot, 1);
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &expired, true), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'a', 8, &live, true), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'b', 9, &expired, false), FATE_KEEP_AS_TOMBSTONE);
    end(&judged);
}
END_TEST

START_TEST(a_snapshot_between_two_versions_keeps_both) {
    static const uint64_t snapshots[] = {5, 8, 100};
    struct judged judged;

    begin(&judged, snapshots, 3);
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &live, true), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'a', 8, &live, true), FATE_KEEP); /* seen at 8 */
    ck_assert_int_eq(fate_of(&judged, 'a', 7, &live, true), FATE_DROP); /* by nobody */
    ck_assert_int_eq(fate_of(&judged, 'a', 5, &live, true), FATE_KEEP); /* seen at 5 */
    ck_assert_int_eq(fate_of(&judged, 'a', 4, &live, true), FATE_DROP);
    end(&judged);
}
END_TEST

START_TEST(a_tombstone_that_an_older_snapshot_does_not_see_stays) {
    static const uint64_t snapshots[] = {5, 100};
    struct judged judged;

    begin(&judged, snapshots, 2);
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &tombstone, true), FATE_KEEP_AS_TOMBSTONE);
    ck_assert_int_eq(fate_of(&judged, 'a', 5, &live, true), FATE_KEEP);
    end(&judged);
}
END_TEST

START_TEST(a_snapshot_from_before_all_that_is_judged_holds_nothing) {
    static const uint64_t snapshots[] = {2, 100};
    struct judged judged;

    begin(&judged, snapshots, 2);
    judged.judge.least_version = 3;
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &tombstone, true), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'a', 5, &live, true), FATE_DROP);
    end(&judged);
}
END_TEST

START_TEST(a_range_delete_hides_what_is_older) {
    static const uint64_t snapshots[] = {6, 100};
    struct judged judged;

    begin(&judged, snapshots, 2);
    judged.range_version = 8;
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &live, false), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'a', 7, &live, false), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'a', 6, &live, false), FATE_KEEP); /* seen at 6 */
    ck_assert_int_eq(fate_of(&judged, 'a', 5, &live, false), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'b', 7, &tombstone, false), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'c', 3, &live, false), FATE_KEEP); /* seen at 6 */
    end(&judged);
}
END_TEST

START_TEST(what_was_replaced_since_a_kept_version_stays) {
    struct keep_namespace keep = {
        .namespace_id = NAMESPACE_DEFAULT, .keep_since_version = 7, .keep_since_ms = UINT64_MAX};
    uint64_t snapshot = 100;
    struct judged judged;

    begin_keeping(&judged, &snapshot, 1, &keep);
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &live, true), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'a', 8, &live, true), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'a', 7, &live, true), FATE_KEEP); /* until 8 came */
    ck_assert_int_eq(fate_of(&judged, 'a', 6, &live, true), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'b', 8, &tombstone, true), FATE_KEEP_AS_TOMBSTONE);
    ck_assert_int_eq(fate_of(&judged, 'b', 5, &live, true), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'c', 7, &tombstone, true), FATE_DROP);
    ck_assert_int_eq(fate_of(&judged, 'c', 5, &live, true), FATE_DROP);
    end(&judged);
}
END_TEST

START_TEST(so_many_versions_as_a_namespace_keeps_stay) {
    struct keep_namespace keep = {.namespace_id = NAMESPACE_DEFAULT,
                                  .keep_versions = 3,
                                  .keep_since_version = UINT64_MAX,
                                  .keep_since_ms = UINT64_MAX};
    uint64_t snapshot = 100;
    struct judged judged;

    begin_keeping(&judged, &snapshot, 1, &keep);
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &live, true), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'a', 8, &tombstone, true), FATE_KEEP_AS_TOMBSTONE);
    ck_assert_int_eq(fate_of(&judged, 'a', 7, &live, true), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'a', 6, &live, true), FATE_DROP);
    judged.range_version = 9;
    ck_assert_int_eq(fate_of(&judged, 'b', 8, &live, true), FATE_KEEP); /* the delete counts */
    ck_assert_int_eq(fate_of(&judged, 'b', 7, &live, true), FATE_KEEP);
    ck_assert_int_eq(fate_of(&judged, 'b', 6, &live, true), FATE_DROP);
    end(&judged);
}
END_TEST

START_TEST(an_entry_that_had_not_expired_for_some_reader_stays) {
    struct keep_namespace keep = {
        .namespace_id = NAMESPACE_DEFAULT, .keep_since_version = 0, .keep_since_ms = NOW - 1};
    static const uint64_t snapshots[] = {5, 100};
    uint64_t snapshot = 100;
    struct judged judged;

    begin(&judged, snapshots, 2);
    judged.rules.snapshots_ms[0] = NOW - 1;
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &expired, true), FATE_KEEP_AS_TOMBSTONE);
    ck_assert_int_eq(fate_of(&judged, 'b', 5, &expired, true), FATE_KEEP);
    end(&judged);
    begin_keeping(&judged, &snapshot, 1, &keep);
    ck_assert_int_eq(fate_of(&judged, 'a', 9, &expired, true), FATE_KEEP);
    end(&judged);
}
END_TEST

#define VERSIONS 6u

/* What a snapshot sees of a row: a version, or 0 for nothing. Entry i has version i + 1. */
static uint64_t seen(const struct entry *const *entries, const bool *kept, const bool *dead,
                     uint64_t snapshot) {
    for (uint64_t version = VERSIONS; version > 0; version--) {
        if (version <= snapshot && entries[version - 1] && kept[version - 1]) {
            return dead[version - 1] ? 0 : version;
        }
    }
    return 0;
}

static bool is_dead(const struct entry *entry) {
    return entry == &tombstone || entry == &expired;
}

START_TEST(no_snapshot_sees_a_difference) {
    static const struct entry *const kinds[] = {&live, &tombstone, &expired, NULL, &expires_later};
    struct random random = random_make(1);

    for (uint32_t round = 0; round < 20000; round++) {
        const struct entry *entries[VERSIONS];
        uint64_t snapshots[3];
        bool all[VERSIONS];
        bool dead[VERSIONS];
        bool kept[VERSIONS] = {false};
        struct judged judged;
        snapshots[0] = random_below(&random, VERSIONS + 1);
        snapshots[1] = snapshots[0] + random_below(&random, 3);
        snapshots[2] = VERSIONS; /* visible */
        snapshots[1] = snapshots[1] < VERSIONS ? snapshots[1] : VERSIONS;
        begin(&judged, snapshots, 3);
        for (uint32_t i = VERSIONS; i > 0; i--) {
            entries[i - 1] = kinds[random_below(&random, 5)];
            all[i - 1] = true;
            dead[i - 1] = entries[i - 1] && is_dead(entries[i - 1]);
            if (entries[i - 1]) {
                kept[i - 1] = fate_of(&judged, 'a', i, entries[i - 1], true) != FATE_DROP;
            }
        }
        for (uint32_t i = 0; i < 3; i++) {
            ck_assert_uint_eq(seen(entries, all, dead, snapshots[i]),
                              seen(entries, kept, dead, snapshots[i]));
        }
        end(&judged);
    }
}
END_TEST

START_TEST(want_of_memory_is_told) {
    uint64_t snapshot = 100;
    struct judged judged;
    struct fate_question question = {.entry = &live, .namespace_id = NAMESPACE_DEFAULT};
    enum fate fate;

    begin(&judged, &snapshot, 1);
    question.ikey = slice_make(judged.room, ikey_store(judged.room, slice_make("nnnnk", 5), 3));
    memory_fail_after(0, true);
    ck_assert_int_eq(fate_judge_next(&judged.judge, &question, &fate), STATUS_NO_MEMORY);
    memory_fail_never();
    end(&judged);
}
END_TEST

UNIT_MAIN("entry fate", the_newest_live_entry_is_kept_and_older_ones_go,
          a_tombstone_goes_only_when_nothing_lies_below, an_expired_entry_is_a_tombstone,
          a_snapshot_between_two_versions_keeps_both,
          a_tombstone_that_an_older_snapshot_does_not_see_stays,
          a_snapshot_from_before_all_that_is_judged_holds_nothing,
          a_range_delete_hides_what_is_older, what_was_replaced_since_a_kept_version_stays,
          so_many_versions_as_a_namespace_keeps_stay,
          an_entry_that_had_not_expired_for_some_reader_stays, no_snapshot_sees_a_difference,
          want_of_memory_is_told)
