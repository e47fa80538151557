/* rewind_basis_test.c: what a rewind rests on, judged on the views of a store. */
#include "storage/rewind_basis.h"
#include "storage/store_state.h"
#include "tests/unit/past_fixture.h"

#include "protocol/base/memory.h"

#define BIG 3000u

static struct buffer range_basis(const char *from, const char *to, uint64_t version) {
    struct key_range range = {SPACE, slice_from_text(from), slice_from_text(to)};
    struct buffer basis = {.cap = 1000};
    enum status status = rewind_basis_add_range(&basis, &range, version);

    ck_assert_int_eq(status, STATUS_OK);
    return basis;
}

static enum status judge(struct fixture *fixture, struct buffer *basis) {
    struct store_read read;
    enum status status;

    store_read_begin(fixture->store, &read);
    status = rewind_basis_judge(buffer_slice(basis), read.view);
    store_read_end(&read);
    buffer_deinit(basis);
    return status;
}

static enum status judge_range(struct fixture *fixture, const char *from, const char *to,
                               uint64_t version) {
    struct buffer basis = range_basis(from, to, version);
    return judge(fixture, &basis);
}

static enum status judge_segment(struct fixture *fixture, uint64_t segment) {
    struct buffer basis = {.cap = 1000};
    enum status status = rewind_basis_add_segment(&basis, segment);

    ck_assert_int_eq(status, STATUS_OK);
    return judge(fixture, &basis);
}

START_TEST(nothing_to_rest_on_always_holds) {
    struct buffer basis = {.cap = 1000};
    struct fixture fixture;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    ck_assert_int_eq(judge(&fixture, &basis), STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_entry_in_the_range_counts_from_its_version_on) {
    struct fixture fixture;
    uint64_t version;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    version = put_text(&fixture, "b", "1");
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(judge_range(&fixture, "b", "c", version - 1), STATUS_BUSY);
        ck_assert_int_eq(judge_range(&fixture, "b", "c", version), STATUS_OK);
        ck_assert_int_eq(judge_range(&fixture, "", "", version - 1), STATUS_BUSY);
        ck_assert_int_eq(judge_range(&fixture, "a", "b", version - 1), STATUS_OK);
        ck_assert_int_eq(judge_range(&fixture, "b0", "", version - 1), STATUS_OK);
        flush(&fixture);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_range_delete_counts_where_it_overlaps) {
    struct fixture fixture;
    uint64_t version;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    version = put_text(&fixture, "x", "1");
    delete_range(&fixture, "d", "g");
    ck_assert_int_eq(judge_range(&fixture, "a", "d", version), STATUS_OK);
    ck_assert_int_eq(judge_range(&fixture, "a", "d0", version), STATUS_BUSY);
    ck_assert_int_eq(judge_range(&fixture, "f", "z", version), STATUS_BUSY);
    ck_assert_int_eq(judge_range(&fixture, "g", "", version), STATUS_OK);
    ck_assert_int_eq(judge_range(&fixture, "", "", version), STATUS_BUSY);
    ck_assert_int_eq(judge_range(&fixture, "", "", version + 1), STATUS_OK);
    flush(&fixture);
    ck_assert_int_eq(judge_range(&fixture, "f", "z", version), STATUS_BUSY);
    ck_assert_int_eq(judge_range(&fixture, "f", "z", version + 1), STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_segment_must_be_there_in_its_own_file) {
    struct fixture fixture;
    struct store_read read;
    uint64_t segment;

    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put_bytes(&fixture, "b", BIG, 7);
    store_read_begin(fixture.store, &read);
    ck_assert_uint_gt(read.view->version->segment_count, 0);
    segment = read.view->version->segments[read.view->version->segment_count - 1]->number;
    store_read_end(&read);
    ck_assert_int_eq(judge_segment(&fixture, segment), STATUS_OK);
    ck_assert_int_eq(judge_segment(&fixture, segment + 1), STATUS_BUSY);
    ck_assert_int_eq(judge_segment(&fixture, 0), STATUS_BUSY);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(without_memory_nothing_is_added_and_nothing_judged) {
    struct key_range range = {SPACE, slice_from_text("a"), slice_from_text("c")};
    struct buffer basis = {.cap = 1000};
    struct fixture fixture;
    struct store_read read;
    enum status status;

    memory_fail_after(0, true);
    ck_assert_int_eq(rewind_basis_add_range(&basis, &range, 1), STATUS_NO_MEMORY);
    ck_assert_int_eq(rewind_basis_add_segment(&basis, 1), STATUS_NO_MEMORY);
    memory_fail_never();
    ck_assert_uint_eq(basis.len, 0);
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fixture_put(&fixture, "b", "1");
    basis = range_basis("a", "b", 0);
    store_read_begin(fixture.store, &read);
    for (uint64_t n = 0; n < 2; n++) {
        memory_fail_after(n, false);
        status = rewind_basis_judge(buffer_slice(&basis), read.view);
        memory_fail_never();
        ck_assert_int_eq(status, STATUS_NO_MEMORY);
    }
    store_read_end(&read);
    buffer_deinit(&basis);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("rewind_basis", nothing_to_rest_on_always_holds,
          an_entry_in_the_range_counts_from_its_version_on, a_range_delete_counts_where_it_overlaps,
          a_segment_must_be_there_in_its_own_file,
          without_memory_nothing_is_added_and_nothing_judged)
