/* table_collector_test.c: the books of a table: who is held, whose it is, when it expires. */
#include "storage/table_collector.h"
#include "tests/unit/table_fixture.h"

static struct table_collector books;
static struct buffer extents;

static void start(void) {
    table_collector_init(&books, 5);
    buffer_init(&extents, 4096);
}

static void finish(void) {
    table_collector_deinit(&books);
    buffer_deinit(&extents);
}

static enum status add(uint32_t namespace_id, const char *word, uint64_t version,
                       const struct entry *entry) {
    uint8_t row[64];
    uint8_t ikey[80];
    uint8_t bytes[512];
    size_t row_len = row_store(row, namespace_id, slice_from_text(word));

    return table_collector_add(
        &books, slice_make(ikey, ikey_store(ikey, slice_make(row, row_len), version)),
        slice_make(bytes, entry_store(bytes, entry)));
}

static void must_add(uint32_t namespace_id, const char *word, uint64_t version,
                     const struct entry *entry) {
    ck_assert_int_eq(add(namespace_id, word, version, entry), STATUS_OK);
}

static struct entry reference(uint64_t segment, uint32_t bytes) {
    return (struct entry){
        .kind = ENTRY_REFERENCE,
        .ref = {.segment = segment, .raw_bytes = bytes, .stored_bytes = bytes},
    };
}

static struct entry alias(uint64_t segment, uint32_t bytes, uint64_t record_version) {
    struct entry entry = reference(segment, bytes);
    entry.alias = true;
    entry.record_version = record_version;
    return entry;
}

static void expect_share(const struct segment_share *share, uint64_t segment, uint64_t records,
                         uint64_t bytes) {
    ck_assert_uint_eq(share->segment, segment);
    ck_assert_uint_eq(share->records, records);
    ck_assert_uint_eq(share->bytes, bytes);
}

START_TEST(aliases_are_a_separate_account) {
    struct entry own = reference(9, 100);
    struct entry old = alias(4, 30, 2);
    struct entry same = alias(9, 100, 6);
    struct table_info info;

    start();
    must_add(1, "a", 7, &own);
    must_add(1, "b", 8, &old);
    must_add(1, "c", 9, &same);
    info = table_collector_view(&books);
    ck_assert_uint_eq(info.share_count, 2);
    expect_share(&info.shares[0], 4, 0, 0);
    ck_assert_uint_eq(info.shares[0].alias_records, 1);
    ck_assert_uint_eq(info.shares[0].alias_bytes, 30);
    expect_share(&info.shares[1], 9, 1, 100);
    ck_assert_uint_eq(info.shares[1].alias_records, 1);
    ck_assert_uint_eq(info.shares[1].alias_bytes, 100);
    ck_assert_uint_eq(info.log_bytes, 230);
    finish();
}
END_TEST

START_TEST(an_alias_of_a_version_that_is_not_older_is_corrupt) {
    struct entry entry = alias(4, 30, 8);

    start();
    ck_assert_int_eq(add(1, "a", 8, &entry), STATUS_CORRUPT);
    finish();
}
END_TEST

START_TEST(a_large_value_holds_a_record_for_each_extent) {
    static const uint64_t segments[] = {8, 3, 8, 8};
    struct entry entry = {.kind = ENTRY_LARGE, .extent_count = 4};
    struct table_info info;

    start();
    for (unsigned i = 0; i < 4; i++) {
        struct value_ref extent = {
            .segment = segments[i], .offset = 1000 * i, .raw_bytes = 100, .stored_bytes = 60 + i};
        ck_assert_int_eq(entry_extent_append(&extents, &extent), STATUS_OK);
        entry.large_bytes += 100;
    }
    entry.extents = buffer_slice(&extents);
    must_add(1, "a", 7, &entry);
    info = table_collector_view(&books);
    ck_assert_uint_eq(info.share_count, 2);
    expect_share(&info.shares[0], 3, 1, 61);
    expect_share(&info.shares[1], 8, 3, 60 + 62 + 63);
    ck_assert_uint_eq(info.log_bytes, 246);
    ck_assert_uint_eq(info.usages[0].log_bytes, 246);
    finish();
}
END_TEST

START_TEST(each_namespace_knows_what_it_takes) {
    struct entry gone = {.kind = ENTRY_TOMBSTONE};
    struct entry small = {.kind = ENTRY_INLINE, .value = slice_from_text("0123456789")};
    struct entry separated = reference(9, 100);
    struct table_info info;
    uint64_t entries = 0;

    start();
    must_add(0, "s", 7, &small);
    for (uint32_t space = 10; space < 30; space += 2) {
        must_add(space, "k", 7, &gone);
        must_add(space, "k", 6, &separated);
        must_add(space, "l", 6, &small);
    }
    info = table_collector_view(&books);
    ck_assert_uint_eq(info.usage_count, 11);
    ck_assert_uint_eq(info.usages[0].namespace_id, 0);
    ck_assert_uint_eq(info.usages[0].table_bytes, 4 + 1 + 8 + 11);
    for (uint32_t i = 1; i < info.usage_count; i++) {
        ck_assert_uint_eq(info.usages[i].namespace_id, 8 + 2 * i);
        ck_assert_uint_eq(info.usages[i].entries, 3);
        ck_assert_uint_eq(info.usages[i].tombstones, 1);
        ck_assert_uint_eq(info.usages[i].log_bytes, 100);
        entries += info.usages[i].entries;
    }
    ck_assert_uint_eq(entries + 1, info.entries);
    finish();
}
END_TEST

START_TEST(expiring_entries_weigh_with_key_and_value) {
    struct entry keeps = reference(9, 1000);
    struct entry expires = reference(9, 100);
    struct table_info info;

    start();
    must_add(1, "a", 7, &keeps);
    expires.expiry_ms = 5000;
    must_add(1, "b", 7, &expires);
    info = table_collector_view(&books);
    ck_assert_uint_gt(info.expiring_weight, 100);
    ck_assert_uint_lt(info.expiring_weight, 200);
    ck_assert_uint_eq(info.expiry_steps[0], 5000);
    ck_assert_uint_eq(info.expiry_steps[EXPIRY_STEPS - 1], 5000);
    expires.expiry_ms = 9000;
    for (char word[] = "c"; word[0] <= 'i'; word[0]++) {
        must_add(1, word, 7, &expires);
    }
    info = table_collector_view(&books); /* and may be looked at again */
    ck_assert_uint_eq(info.expiry_steps[0], 5000);
    ck_assert_uint_eq(info.expiry_steps[1], 9000);
    ck_assert_uint_eq(info.expiring, 8);
    finish();
}
END_TEST

START_TEST(each_failing_allocation_is_no_memory) {
    enum status status = STATUS_NO_MEMORY;

    for (uint64_t n = 0; status != STATUS_OK; n++) {
        start();
        memory_fail_after(n, false);
        status = STATUS_OK;
        for (uint32_t i = 0; i < 40 && status == STATUS_OK; i++) {
            struct entry entry = reference(100 - i, 10);
            status = add(1 + i, "key", 7, &entry);
        }
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        finish();
    }
}
END_TEST

START_TEST(what_is_hidden_stands_in_the_books_of_its_row) {
    struct entry own = reference(9, 100);
    struct table_info info;

    start();
    must_add(1, "a", 7, &own);
    must_add(1, "b", 9, &own);
    must_add(1, "b", 5, &own);
    must_add(1, "b", 2, &own);
    must_add(1, "c", 3, &own);
    info = table_collector_view(&books);
    ck_assert_uint_eq(info.hidden_count, 2); /* by what hides them: 5, then 9 */
    ck_assert_uint_eq(info.hidden[0].version_min, 2);
    ck_assert_uint_eq(info.hidden[0].hider_max, 5);
    ck_assert_uint_eq(info.hidden[0].newer_min, 2);
    ck_assert_uint_eq(info.hidden[1].version_min, 5);
    ck_assert_uint_eq(info.hidden[1].hider_max, 9);
    ck_assert_uint_eq(info.hidden[1].newer_min, 1);
    ck_assert_uint_eq(info.hidden[1].entries, 1);
    ck_assert_uint_eq(info.hidden[1].weight,
                      (info.usages[0].table_bytes + info.usages[0].log_bytes) / 5);
    finish();
}
END_TEST

/* 40 entries that one snapshot sees and the next does not, 40 that only the other sees, mixed. */
START_TEST(what_is_hidden_is_told_apart_by_the_snapshots_that_hold_it) {
    struct entry own = reference(9, 100);
    struct keep_rules rules;
    struct table_info info;
    uint64_t first_goes = 0;

    start();
    ck_assert_int_eq(keep_rules_init(&rules, 3, 0), STATUS_OK);
    keep_rules_add_snapshot(&rules, 100);
    keep_rules_add_snapshot(&rules, 200);
    keep_rules_add_snapshot(&rules, 1000);
    table_collector_set_rules(&books, &rules);
    for (uint64_t i = 0; i < 40; i++) {
        char word[8] = {(char)('a' + i / 10), (char)('0' + i % 10)};
        must_add(1, word, 300 + i, &own);
        must_add(1, word, 150 + i, &own);
        must_add(1, word, 50 + i, &own);
    }
    info = table_collector_view(&books);
    for (uint32_t i = 0; i < info.hidden_count; i++) {
        bool by_first = info.hidden[i].version_min <= 100;
        ck_assert_uint_lt(info.hidden[i].hider_max, by_first ? 200 : 1000);
        first_goes += by_first ? info.hidden[i].entries : 0;
    }
    ck_assert_uint_eq(first_goes, 40);
    keep_rules_deinit(&rules);
    finish();
}
END_TEST

UNIT_MAIN("table_collector", aliases_are_a_separate_account,
          an_alias_of_a_version_that_is_not_older_is_corrupt,
          a_large_value_holds_a_record_for_each_extent, each_namespace_knows_what_it_takes,
          expiring_entries_weigh_with_key_and_value, each_failing_allocation_is_no_memory,
          what_is_hidden_stands_in_the_books_of_its_row,
          what_is_hidden_is_told_apart_by_the_snapshots_that_hold_it)
