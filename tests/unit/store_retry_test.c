/* store_retry_test.c: a commit with a retry token takes effect once: sent again in the same group,
 * later, after a flush, a reopening or a power cut; and what was refused stays refused. */
#include "tests/unit/store_counter_fixture.h"

#include "protocol/base/memory.h"

#include <pthread.h>

static struct store_token token_of(const char *client, uint64_t sequence) {
    struct store_token token = {.sequence = sequence};
    memcpy(token.client, client, strlen(client));
    return token;
}

/* A commit that adds 1 to "n" under a token of client "a". */
static struct store_commit *one_more(struct fixture *fixture, uint64_t sequence) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_token token = token_of("a", sequence);

    fill_add(commit, "n", 1);
    store_commit_set_token(commit, &token);
    return commit;
}

static struct answer add_once(struct fixture *fixture, uint64_t sequence) {
    return submit(fixture, one_more(fixture, sequence), STORE_SYNCED);
}

static struct answer refuse(struct fixture *fixture, uint64_t sequence, enum status status) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_token token = token_of("a", sequence);

    store_commit_set_token(commit, &token);
    store_commit_refuse(commit, status);
    return submit(fixture, commit, STORE_SYNCED);
}

static void expect_answer(const struct answer *answer, const struct answer *first) {
    ck_assert_int_eq(answer->status, first->status);
    ck_assert_uint_eq(answer->version, first->version);
    ck_assert_uint_eq(answer->operation, first->operation);
    ck_assert_uint_eq(answer->result_count, first->result_count);
    ck_assert_mem_eq(answer->results, first->results, sizeof answer->results);
}

static void expect_repeat(struct fixture *fixture, uint64_t sequence, const struct answer *first) {
    struct answer again = add_once(fixture, sequence);
    expect_answer(&again, first);
}

/* ---- When it comes again ----------------------------------------------------------------------
 */

START_TEST(a_repeat_is_given_the_first_answer_and_does_nothing) {
    struct fixture fixture;
    struct answer first;

    begin(&fixture);
    add(&fixture, "n", 40);
    first = add_once(&fixture, 1);
    ck_assert_int_eq(first.status, STATUS_OK);
    ck_assert_int_eq(first.results[0], 41);
    add(&fixture, "n", 100);
    expect_repeat(&fixture, 1, &first);
    expect_repeat(&fixture, 1, &first);
    fixture_expect(&fixture, "n", "141");
    ck_assert_uint_eq(fixture_stat(&fixture, "commit_repeats"), 2);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_repeat_in_the_same_group_is_one) {
    static const enum store_durability durabilities[] = {STORE_MEMORY, STORE_LOGGED, STORE_SYNCED};
    struct fixture_commit started[3];
    struct fixture fixture;

    begin(&fixture);
    for (int i = 0; i < 3; i++) {
        fixture_commit_start(&fixture, &started[i], one_more(&fixture, 1), durabilities[i]);
    }
    fixture_settle(&fixture);
    for (int i = 0; i < 3; i++) {
        ck_assert(started[i].done);
        ck_assert_int_eq(started[i].outcome.status, STATUS_OK);
        ck_assert_uint_eq(started[i].outcome.version, started[0].outcome.version);
        ck_assert_uint_eq(started[i].outcome.result_count, 1);
        ck_assert_int_eq(started[i].outcome.results[0], 1);
        fixture_commit_finish(&started[i]);
    }
    fixture_expect(&fixture, "n", "1");
    ck_assert_uint_eq(fixture_stat(&fixture, "commit_groups"), 1);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_repeat_is_known_from_tables_and_after_opening_again) {
    struct fixture fixture;
    struct answer first;

    begin(&fixture);
    first = add_once(&fixture, 1);
    fixture_reopen(&fixture); /* from the log */
    expect_repeat(&fixture, 1, &first);
    flush(&fixture);
    expect_repeat(&fixture, 1, &first);
    fixture_reopen(&fixture); /* nothing is cached */
    expect_repeat(&fixture, 1, &first);
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_OK);
    expect_repeat(&fixture, 1, &first);
    fixture_expect(&fixture, "n", "1");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_repeat_after_a_power_cut_tells_what_became_of_the_first) {
    struct power_cut cut = {.mode = POWER_CUT_DROP_ALL, .entries = POWER_CUT_ENTRIES_DROP};
    struct fixture fixture;
    struct answer first;

    begin(&fixture);
    first = add_once(&fixture, 1);
    ck_assert_int_eq(submit(&fixture, one_more(&fixture, 2), STORE_MEMORY).results[0], 2);
    fixture_power_cut(&fixture, &cut);
    fixture_open(&fixture);
    fixture_expect(&fixture, "n", "1");
    expect_repeat(&fixture, 1, &first);
    ck_assert_int_eq(add_once(&fixture, 2).results[0], 2); /* undone with its row: done now */
    fixture_expect(&fixture, "n", "2");
    fixture_deinit(&fixture);
}
END_TEST

/* The first was acknowledged in memory only: who is told of it again may rely on it. */
START_TEST(a_repeat_is_answered_when_the_first_is_durable) {
    struct power_cut cut = {.mode = POWER_CUT_DROP_ALL, .entries = POWER_CUT_ENTRIES_DROP};
    struct fixture fixture;

    begin(&fixture);
    ck_assert_int_eq(submit(&fixture, one_more(&fixture, 1), STORE_MEMORY).results[0], 1);
    ck_assert_int_eq(submit(&fixture, one_more(&fixture, 1), STORE_MEMORY).results[0], 1);
    fixture_power_cut(&fixture, &cut);
    fixture_open(&fixture);
    fixture_expect(&fixture, "n", "1");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_row_is_forgotten_after_the_window) {
    struct fixture fixture;
    struct answer first;

    begin(&fixture);
    first = add_once(&fixture, 1);
    env_memory_advance_clock(fixture.memory, STORE_RETRY_WINDOW_MS * 1000000 - SECOND_NS);
    expect_repeat(&fixture, 1, &first);
    env_memory_advance_clock(fixture.memory, 2 * SECOND_NS);
    ck_assert_int_eq(add_once(&fixture, 1).results[0], 2); /* as docs/protocol.md says */
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Who it is of -----------------------------------------------------------------------------
 */

START_TEST(other_sequences_and_clients_are_other_commits) {
    struct fixture fixture;
    struct store_token other = token_of("b", 1);
    struct store_commit *commit;

    begin(&fixture);
    ck_assert_int_eq(add_once(&fixture, 1).results[0], 1);
    ck_assert_int_eq(add_once(&fixture, 2).results[0], 2);
    commit = fixture_commit_begin(&fixture);
    fill_add(commit, "n", 1);
    store_commit_set_token(commit, &other);
    ck_assert_int_eq(submit(&fixture, commit, STORE_SYNCED).results[0], 3);
    ck_assert_int_eq(add(&fixture, "n", 1).results[0], 4);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_client_has_a_bounded_number_of_rows) {
    struct fixture fixture;
    struct answer last = {0};
    char sum[32];

    begin(&fixture);
    for (uint64_t i = 0; i < 3 * STORE_RETRY_SEQUENCES; i++) {
        last = add_once(&fixture, i);
        ck_assert_int_eq(last.results[0], (int64_t)i + 1);
    }
    expect_repeat(&fixture, 3 * STORE_RETRY_SEQUENCES - 1, &last);
    ck_assert_int_eq(add_once(&fixture, 2 * STORE_RETRY_SEQUENCES).results[0],
                     2 * STORE_RETRY_SEQUENCES + 1);
    ck_assert_int_eq(add_once(&fixture, 2 * STORE_RETRY_SEQUENCES - 1).status, STATUS_UNKNOWN);
    snprintf(sum, sizeof sum, "%u", 3 * STORE_RETRY_SEQUENCES);
    fixture_expect(&fixture, "n", sum);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(rows_of_clients_that_have_gone_give_their_space_back) {
    struct fixture fixture;

    begin(&fixture);
    for (int i = 0; i < 500; i++) {
        struct store_commit *commit = fixture_commit_begin(&fixture);
        struct store_token token = {.sequence = 1};
        snprintf((char *)token.client, sizeof token.client, "client %u", (unsigned)i % 1000u);
        fill_add(commit, "n", 1);
        store_commit_set_token(commit, &token);
        ck_assert_int_eq(submit(&fixture, commit, STORE_LOGGED).status, STATUS_OK);
    }
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_OK);
    ck_assert_uint_ge(fixture_stat(&fixture, "table_entries"), 500);
    env_memory_advance_clock(fixture.memory, STORE_RETRY_WINDOW_MS * 1000000 + SECOND_NS);
    fixture_put(&fixture, "other", "value");
    ck_assert_int_eq(store_compact(fixture.store, &fixture.error), STATUS_OK);
    ck_assert_uint_le(fixture_stat(&fixture, "table_entries"), 2);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_reused_commit_has_no_token_and_no_old_results) {
    struct store_commit *commit;
    struct store_token token = token_of("a", 1 + STORE_RETRY_SEQUENCES);
    struct fixture fixture;
    struct answer answer;

    begin(&fixture);
    add_once(&fixture, 1);
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, "k", slice_from_text("v"), 0);
    store_commit_set_token(commit, &token); /* the place of an addition */
    answer = submit(&fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(answer.status, STATUS_OK);
    ck_assert_uint_eq(answer.result_count, 0);
    commit = one_more(&fixture, 5);
    store_commit_reset(commit);
    fill_add(commit, "n", 1);
    ck_assert_int_eq(submit(&fixture, commit, STORE_SYNCED).results[0], 2);
    ck_assert_int_eq(add_once(&fixture, 5).results[0], 3);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_token_with_results_of_another_request_is_refused) {
    struct store_token token = token_of("a", 1);
    struct store_commit *commit;
    struct fixture fixture;

    begin(&fixture);
    add_once(&fixture, 1);
    commit = fixture_commit_begin(&fixture);
    fill_put(commit, "k", slice_from_text("v"), 0);
    store_commit_set_token(commit, &token);
    ck_assert_int_eq(submit(&fixture, commit, STORE_SYNCED).status, STATUS_INVALID);
    fixture_expect_absent(&fixture, "k");
    fixture_deinit(&fixture);
}
END_TEST

/* ---- What it does -----------------------------------------------------------------------------
 */

/* Of every kind of operation, with and without results. */
static struct store_commit *a_batch(struct fixture *fixture) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_range range = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                                .from = slice_from_text("r"),
                                .to = slice_from_text("s")};
    struct store_token token = token_of("a", 9);
    char large[3 * THRESHOLD];

    memset(large, 'x', sizeof large);
    fill_add(commit, "n", 5);
    fill_put(commit, "large", slice_make(large, sizeof large), 0);
    fill_append(commit, "a", slice_from_text("more"));
    fill_delete(commit, "gone");
    fill_expire(commit, "e", 3600000);
    fill_add(commit, "n", -8);
    ck_assert_int_eq(store_commit_delete_range(commit, &range), STATUS_OK);
    store_commit_set_token(commit, &token);
    return commit;
}

START_TEST(a_batch_is_done_once_as_a_whole) {
    struct fixture fixture;
    struct answer first;
    struct answer again;

    begin(&fixture);
    fixture_put(&fixture, "e", "v");
    fixture_put(&fixture, "gone", "v");
    first = submit(&fixture, a_batch(&fixture), STORE_SYNCED);
    ck_assert_int_eq(first.status, STATUS_OK);
    ck_assert_uint_eq(first.result_count, 3);
    ck_assert_int_eq(first.results[0], 5);
    ck_assert_int_eq(first.results[1], 4);
    ck_assert_int_eq(first.results[2], -3);
    fixture_put(&fixture, "gone", "back");
    fixture_put(&fixture, "r1", "new");
    fixture_put(&fixture, "large", "small");
    again = submit(&fixture, a_batch(&fixture), STORE_SYNCED);
    expect_answer(&again, &first);
    fixture_expect(&fixture, "gone", "back");
    fixture_expect(&fixture, "r1", "new");
    fixture_expect(&fixture, "large", "small");
    fixture_expect(&fixture, "n", "-3");
    fixture_expect(&fixture, "a", "more");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(namespaces_are_made_and_dropped_once) {
    struct store_namespace_settings settings = {.quota_bytes = 1000};
    struct store_token make = token_of("a", 1);
    struct store_token drop = token_of("a", 2);
    struct slice name = slice_from_text("n");
    struct store_commit *commit;
    struct fixture fixture;
    struct answer first;
    struct answer again;

    begin(&fixture);
    for (int i = 0; i < 2; i++) {
        commit = fixture_commit_begin(&fixture);
        ck_assert_int_eq(store_commit_namespace_set(commit, name, &settings), STATUS_OK);
        store_commit_set_token(commit, &make);
        ck_assert_int_eq(submit(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    }
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_namespace_drop(commit, name), STATUS_OK);
    store_commit_set_token(commit, &drop);
    first = submit(&fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(first.status, STATUS_OK);
    commit = fixture_commit_begin(&fixture);
    ck_assert_int_eq(store_commit_namespace_drop(commit, name), STATUS_NOT_FOUND);
    store_commit_destroy(commit);
    again = refuse(&fixture, 2, STATUS_NOT_FOUND);
    expect_answer(&again, &first);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------------------
 */

static struct store_commit *put_if_absent(struct fixture *fixture, const char *value) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_token token = token_of("a", 3);
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text("k"),
                            .value = slice_from_text(value),
                            .condition = {.kind = STORE_IF_ABSENT}};

    ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
    store_commit_set_token(commit, &token);
    return commit;
}

START_TEST(a_condition_that_was_met_is_not_judged_again) {
    struct fixture fixture;
    struct answer first;
    struct answer again;

    begin(&fixture);
    first = submit(&fixture, put_if_absent(&fixture, "v"), STORE_SYNCED);
    ck_assert_int_eq(first.status, STATUS_OK);
    again = submit(&fixture, put_if_absent(&fixture, "v"), STORE_SYNCED);
    expect_answer(&again, &first);
    fixture_deinit(&fixture);
}
END_TEST

/* The copy that comes first was refused, and its client told so: the other must not take effect. */
START_TEST(what_was_refused_stays_refused) {
    struct fixture fixture;
    struct answer first;
    struct answer again;

    begin(&fixture);
    fixture_put(&fixture, "k", "other");
    first = submit(&fixture, put_if_absent(&fixture, "v"), STORE_SYNCED);
    ck_assert_int_eq(first.status, STATUS_EXISTS);
    fixture_delete(&fixture, "k");
    again = submit(&fixture, put_if_absent(&fixture, "v"), STORE_SYNCED);
    expect_answer(&again, &first);
    fixture_reopen(&fixture);
    again = submit(&fixture, put_if_absent(&fixture, "v"), STORE_SYNCED);
    expect_answer(&again, &first);
    fixture_expect_absent(&fixture, "k");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(an_addition_that_was_refused_stays_refused) {
    struct fixture fixture;

    begin(&fixture);
    fixture_put(&fixture, "n", "no number");
    ck_assert_int_eq(add_once(&fixture, 1).status, STATUS_INVALID);
    fixture_put(&fixture, "n", "7");
    ck_assert_int_eq(add_once(&fixture, 1).status, STATUS_INVALID);
    fixture_expect(&fixture, "n", "7");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(who_asks_by_the_token_alone_learns_what_became_of_it) {
    struct fixture fixture;
    struct answer first;
    struct answer asked;

    begin(&fixture);
    first = add_once(&fixture, 1);
    asked = refuse(&fixture, 1, STATUS_NOT_FOUND);
    expect_answer(&asked, &first);
    ck_assert_int_eq(refuse(&fixture, 2, STATUS_NOT_FOUND).status, STATUS_NOT_FOUND);
    ck_assert_int_eq(add_once(&fixture, 2).status, STATUS_NOT_FOUND); /* it came too late */
    ck_assert_int_eq(refuse(&fixture, 3, STATUS_DEADLINE).status, STATUS_DEADLINE);
    ck_assert_int_eq(add_once(&fixture, 3).status, STATUS_OK); /* that is not kept */
    fixture_expect(&fixture, "n", "2");
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Transactions -----------------------------------------------------------------------------
 */

static void txn_done_cb(void *arg, struct store_transaction *txn,
                        const struct store_outcome *outcome) {
    (void)txn;
    *(struct store_outcome *)arg = *outcome;
}

/* Reads "k" and puts "n", under a token; `between` is put to "k" meanwhile, if not NULL. */
static struct store_outcome run_with_token(struct fixture *fixture, struct store_token token,
                                           const char *between) {
    struct store_transaction_options options = {0};
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT,
                            .key = slice_from_text("n"),
                            .value = slice_from_text("1")};
    struct store_outcome outcome = {.status = STATUS_PENDING};
    struct store_transaction *txn;
    struct store_read read;

    ck_assert_int_eq(store_transaction_begin(fixture->store, &options, &txn), STATUS_OK);
    ck_assert_int_eq(store_read_begin_transaction(txn, &read), STATUS_OK);
    ck_assert_int_eq(store_get(&read, STORE_NAMESPACE_DEFAULT, slice_from_text("k"),
                               STORE_WAIT_ALLOWED, NULL, NULL, &fixture->error),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(store_transaction_put(&read, &put, STORE_WAIT_ALLOWED, &fixture->error),
                     STATUS_OK);
    store_read_end(&read);
    if (between) {
        fixture_put(fixture, "k", between);
    }
    store_transaction_set_token(txn, &token);
    store_transaction_submit(txn, STORE_SYNCED, txn_done_cb, &outcome);
    fixture_settle(fixture);
    store_transaction_destroy(txn);
    return outcome;
}

static struct store_outcome run_transaction(struct fixture *fixture, uint64_t sequence,
                                            const char *between) {
    return run_with_token(fixture, token_of("a", sequence), between);
}

static struct store_outcome run_provisionally(struct fixture *fixture, uint64_t sequence,
                                              const char *between) {
    struct store_token token = token_of("a", sequence);

    token.provisional = true;
    return run_with_token(fixture, token, between);
}

START_TEST(a_transaction_is_done_once_and_a_conflict_stays_one) {
    struct store_outcome first;
    struct store_outcome again;
    struct fixture fixture;

    begin(&fixture);
    first = run_transaction(&fixture, 1, NULL);
    ck_assert_int_eq(first.status, STATUS_OK);
    again = run_transaction(&fixture, 1, "changed"); /* which would conflict */
    ck_assert_int_eq(again.status, STATUS_OK);
    ck_assert_uint_eq(again.version, first.version);
    fixture_delete(&fixture, "k");
    ck_assert_int_eq(run_transaction(&fixture, 2, "changed").status, STATUS_CONFLICT);
    fixture_delete(&fixture, "k");
    ck_assert_int_eq(run_transaction(&fixture, 2, NULL).status, STATUS_CONFLICT);
    fixture_deinit(&fixture);
}
END_TEST

/* Reads "k" and writes nothing; its answer is what it has read. */
static struct store_outcome read_only_run(struct fixture *fixture, struct store_token token,
                                          const char *answer, struct store_transaction **txn) {
    struct store_transaction_options options = {0};
    struct store_outcome outcome = {.status = STATUS_PENDING};

    ck_assert_int_eq(store_transaction_begin(fixture->store, &options, txn), STATUS_OK);
    token.answer = slice_from_text(answer);
    store_transaction_set_token(*txn, &token);
    store_transaction_submit(*txn, STORE_SYNCED, txn_done_cb, &outcome);
    fixture_settle(fixture);
    return outcome;
}

START_TEST(a_transaction_that_writes_nothing_is_known_again_with_its_answer) {
    struct store_transaction *txn;
    struct store_outcome outcome;
    struct fixture fixture;

    begin(&fixture);
    outcome = read_only_run(&fixture, token_of("a", 1), "what was read", &txn);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    ck_assert(!outcome.is_repeat);
    store_transaction_destroy(txn);
    fixture_reopen(&fixture);
    outcome = read_only_run(&fixture, token_of("a", 1), "something else", &txn);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    ck_assert(outcome.is_repeat);
    ck_assert(slice_equal(outcome.answer, slice_from_text("what was read")));
    store_transaction_destroy(txn);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_provisional_conflict_is_run_again) {
    struct fixture fixture;

    begin(&fixture);
    ck_assert_int_eq(run_provisionally(&fixture, 1, "changed").status, STATUS_CONFLICT);
    fixture_delete(&fixture, "k");
    ck_assert_int_eq(run_provisionally(&fixture, 1, NULL).status, STATUS_OK);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------------------
 */

/* Whatever fails: once the answer is OK, it was done once. */
START_TEST(without_memory_it_is_done_once_or_not_at_all) {
    bool failed = true;

    for (uint64_t n = 0; failed; n++) {
        struct store_commit *commit;
        struct fixture fixture;
        struct answer answer;

        begin(&fixture);
        commit = one_more(&fixture, 1);
        memory_fail_after(n, true);
        answer = submit(&fixture, commit, STORE_SYNCED);
        memory_fail_never();
        failed = answer.status != STATUS_OK;
        if (answer.status == STATUS_UNKNOWN) { /* the log has failed */
            ck_assert_int_ne(store_close(fixture.store, &fixture.error), STATUS_OK);
            fixture.store = NULL;
            fixture_open(&fixture);
        } else if (failed) {
            ck_assert_int_eq(answer.status, STATUS_NO_MEMORY);
            fixture_expect_absent(&fixture, "n");
        }
        ck_assert_int_eq(add_once(&fixture, 1).results[0], 1);
        fixture_expect(&fixture, "n", "1");
        fixture_deinit(&fixture);
    }
}
END_TEST

/* ---- Many threads -----------------------------------------------------------------------------
 */

#define SENDERS 4u
#define ADDITIONS 150u

struct sender {
    struct fixture *fixture;
    pthread_t thread;
    int64_t sums[ADDITIONS];
};

/* All send the same additions. */
static void *send_all(void *arg) {
    struct sender *sender = arg;

    for (uint64_t i = 0; i < ADDITIONS; i++) {
        struct answer answer = submit(sender->fixture, one_more(sender->fixture, i), STORE_LOGGED);
        ck_assert_int_eq(answer.status, STATUS_OK);
        sender->sums[i] = answer.results[0];
    }
    return NULL;
}

START_TEST(copies_from_all_sides_take_effect_once_and_are_answered_alike) {
    struct sender senders[SENDERS];
    struct fixture fixture;
    char sum[32];

    fixture_init_on_disk(&fixture);
    fixture.options.memtable_bytes = 16 * 1024; /* frozen now and then */
    fixture_open(&fixture);
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i].fixture = &fixture;
        ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        ck_assert_int_eq(pthread_join(senders[i].thread, NULL), 0);
        ck_assert_mem_eq(senders[i].sums, senders[0].sums, sizeof senders[0].sums);
    }
    snprintf(sum, sizeof sum, "%u", ADDITIONS);
    fixture_expect(&fixture, "n", sum);
    fixture_deinit(&fixture);
}
END_TEST

UNIT_MAIN("store_retry", a_repeat_is_given_the_first_answer_and_does_nothing,
          a_repeat_in_the_same_group_is_one, a_repeat_is_known_from_tables_and_after_opening_again,
          a_repeat_after_a_power_cut_tells_what_became_of_the_first,
          a_repeat_is_answered_when_the_first_is_durable, a_row_is_forgotten_after_the_window,
          other_sequences_and_clients_are_other_commits, a_client_has_a_bounded_number_of_rows,
          rows_of_clients_that_have_gone_give_their_space_back,
          a_reused_commit_has_no_token_and_no_old_results,
          a_token_with_results_of_another_request_is_refused, a_batch_is_done_once_as_a_whole,
          namespaces_are_made_and_dropped_once, a_condition_that_was_met_is_not_judged_again,
          what_was_refused_stays_refused, an_addition_that_was_refused_stays_refused,
          who_asks_by_the_token_alone_learns_what_became_of_it,
          a_transaction_is_done_once_and_a_conflict_stays_one,
          a_transaction_that_writes_nothing_is_known_again_with_its_answer,
          a_provisional_conflict_is_run_again, without_memory_it_is_done_once_or_not_at_all,
          copies_from_all_sides_take_effect_once_and_are_answered_alike)
