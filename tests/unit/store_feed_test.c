/* store_feed_test.c: the change feed: what was committed is told in the order of the commits, from
 * any version on, byte for byte, wherever it lies by then; and what is gone is told as a gap. */
#include "storage/env_fault.h"
#include "storage/log_format.h"
#include "tests/support/space_recount.h"
#include "tests/support/upload_fixture.h"
#include "tests/unit/feed_fixture.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

/* Everything that is written in a test stays in the log. */
static void open_store(struct fixture *fixture, uint64_t feed_bytes) {
    fixture_init(fixture, 1);
    fixture->options.feed_bytes = feed_bytes;
    fixture_open(fixture);
}

static void put_in(struct store_commit *commit, const char *key, const char *value) {
    struct store_put put = {
        .namespace_id = SPACE, .key = slice_from_text(key), .value = slice_from_text(value)};
    enum status status = store_commit_put(commit, &put);
    ck_assert_int_eq(status, STATUS_OK);
}

static void delete_in(struct store_commit *commit, const char *key) {
    struct store_condition always = {STORE_ALWAYS, 0};
    enum status status = store_commit_delete(commit, SPACE, slice_from_text(key), &always);
    ck_assert_int_eq(status, STATUS_OK);
}

static void delete_range_in(struct store_commit *commit, const char *from, const char *to) {
    struct store_range range = {
        .namespace_id = SPACE, .from = slice_from_text(from), .to = slice_from_text(to)};
    enum status status = store_commit_delete_range(commit, &range);
    ck_assert_int_eq(status, STATUS_OK);
}

static void touch(struct fixture *fixture, const char *key, uint64_t ttl_ms) {
    struct store_condition always = {STORE_ALWAYS, 0};
    struct store_commit *commit = fixture_commit_begin(fixture);
    enum status status = store_commit_expire(commit, SPACE, slice_from_text(key), ttl_ms, &always);

    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

static void collect(struct fixture *fixture) {
    enum status status = store_collect(fixture->store, &fixture->error);
    ck_assert_int_eq(status, STATUS_OK);
    fixture_settle(fixture);
}

/* Writes until the log is in other segments, all of it overwritten again. */
static void write_much(struct fixture *fixture, uint32_t rounds) {
    char key[16];

    for (uint32_t i = 0; i < rounds; i++) {
        snprintf(key, sizeof key, "fill%u", i % 8);
        fixture_put_bytes(fixture, key, 30000, i);
    }
}

/* ---- Order ------------------------------------------------------------------------------------
 */

START_TEST(changes_come_in_the_order_of_the_commits) {
    struct fixture fixture;
    struct store_commit *commit;

    open_store(&fixture, 0);
    feed_expect(&fixture, 0, "");
    fixture_put(&fixture, "b", "1");
    fixture_put(&fixture, "a", "2");
    fixture_put(&fixture, "b", "3");
    fixture_delete(&fixture, "a");
    commit = fixture_commit_begin(&fixture);
    put_in(commit, "x", "4");
    put_in(commit, "c", "5");
    delete_in(commit, "nothing");
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    delete_range(&fixture, "a", "c");
    fixture_put(&fixture, "empty", "");
    feed_expect(&fixture, 0,
                "1 put b=1;\n2 put a=2;\n3 put b=3;\n4 del a;\n"
                "5 put x=4\n5 put c=5\n5 del nothing;\n6 drop a..c;\n7 put empty=;\n");
    feed_expect(&fixture, 4, "5 put x=4\n5 put c=5\n5 del nothing;\n6 drop a..c;\n7 put empty=;\n");
    feed_expect(&fixture, 7, "");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(range_deletes_come_before_what_their_commit_writes) {
    struct fixture fixture;
    struct store_commit *commit;

    open_store(&fixture, 0);
    commit = fixture_commit_begin(&fixture);
    put_in(commit, "a1", "goes");
    put_in(commit, "z", "1");
    delete_range_in(commit, "a", "b");
    put_in(commit, "a2", "stays");
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    fixture_expect_absent(&fixture, "a1");
    feed_expect(&fixture, 0, "1 drop a..b\n1 put z=1\n1 put a2=stays;\n");
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(only_what_lies_in_the_range_is_told) {
    struct fixture fixture;
    struct feed feed;

    open_store(&fixture, 0);
    fixture_put(&fixture, "a", "1");
    fixture_put(&fixture, "b", "2");
    fixture_put(&fixture, "bz", "3");
    fixture_put(&fixture, "c", "4");
    delete_range(&fixture, "a", "bb");
    delete_range(&fixture, "c", "d");
    delete_range(&fixture, "", "");
    feed_init(&feed, 0);
    feed.from = slice_from_text("b");
    feed.to = slice_from_text("c");
    feed_follow(&fixture, &feed);
    ck_assert_uint_eq(feed.position.version, 7);
    ck_assert_int_eq(buffer_append(&feed.text, "", 1), STATUS_OK);
    ck_assert_str_eq((const char *)feed.text.data,
                     "2 put b=2;\n3 put bz=3;\n5 drop b..bb;\n7 drop b..c;\n");
    feed_deinit(&feed);
    fixture_deinit(&fixture);
}
END_TEST

static uint64_t put_into(struct fixture *fixture, uint32_t namespace_id, const char *value) {
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_put put = {.namespace_id = namespace_id,
                            .key = slice_from_text("key"),
                            .value = slice_from_text(value)};
    struct store_outcome outcome;
    enum status status = store_commit_put(commit, &put);

    ck_assert_int_eq(status, STATUS_OK);
    outcome = fixture_commit_end(fixture, commit, STORE_SYNCED);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    return outcome.version;
}

static uint32_t make_namespace(struct fixture *fixture, struct slice name) {
    uint32_t id;
    enum status status = store_namespace(fixture->store, name, true, &id);

    ck_assert_int_eq(status, STATUS_OK);
    return id;
}

START_TEST(a_namespace_that_was_dropped_and_made_anew_begins_with_nothing) {
    struct fixture fixture;
    struct slice name = slice_from_text("other");
    struct store_commit *commit;
    struct feed feed;
    uint64_t seen;
    enum status status;

    open_store(&fixture, 0);
    seen = put_into(&fixture, make_namespace(&fixture, name), "old");
    fixture_put(&fixture, "key", "of the default one");
    commit = fixture_commit_begin(&fixture);
    status = store_commit_namespace_drop(commit, name);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_SYNCED).status, STATUS_OK);
    feed_init(&feed, seen);
    feed.name = name;
    feed.namespace_id = make_namespace(&fixture, name);
    (void)put_into(&fixture, feed.namespace_id, "new");
    feed_follow(&fixture, &feed);
    ck_assert_int_eq(buffer_append(&feed.text, "", 1), STATUS_OK);
    ck_assert_str_eq((const char *)feed.text.data, "3 drop ..;\n4 put key=new;\n");
    feed_deinit(&feed);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Resuming ---------------------------------------------------------------------------------
 */

/* Every kind of change, with values inline, in the log and uploaded. */
static uint64_t write_a_life(struct fixture *fixture) {
    struct store_commit *commit;

    fixture_put(fixture, "a", "1");
    fixture_put_bytes(fixture, "long", 70000, 1);
    fixture_put_bytes(fixture, "middle", 900, 2);
    upload_put(fixture, "large", 3 * MIB + 17, 3);
    commit = fixture_commit_begin(fixture);
    for (char key[3] = "k0"; key[1] <= '9'; key[1]++) {
        put_in(commit, key, "many");
    }
    delete_range_in(commit, "m", "n");
    ck_assert_int_eq(fixture_commit_end(fixture, commit, STORE_SYNCED).status, STATUS_OK);
    touch(fixture, "long", HOUR_MS);
    fixture_put_bytes(fixture, "long", 50000, 4);
    put_for(fixture, "a", "2", HOUR_MS);
    fixture_delete(fixture, "large");
    return atomic_load(&fixture->last_version);
}

static const char *line_behind(const char *text, uint64_t version) {
    while (*text && strtoull(text, NULL, 10) <= version) {
        text = strchr(text, '\n') + 1;
    }
    return text;
}

static void expect_resumes(struct fixture *fixture, uint64_t last, const char *all) {
    for (uint64_t version = 0; version <= last; version++) {
        feed_expect(fixture, version, line_behind(all, version));
    }
}

START_TEST(any_version_can_be_resumed_from_wherever_its_bytes_are_by_then) {
    struct fixture fixture;
    uint64_t last;
    char *all;

    open_store(&fixture, 64 * MIB);
    last = write_a_life(&fixture);
    all = feed_since(&fixture, 0);
    ck_assert_ptr_nonnull(strstr(all, "4 put large#3145745:"));
    ck_assert_ptr_nonnull(strstr(all, "5 drop m..n\n5 put k0=many\n"));
    ck_assert_ptr_nonnull(strstr(all, "6 put long#70000:"));
    expect_resumes(&fixture, last, all);
    flush(&fixture);
    expect_resumes(&fixture, last, all);
    fixture_reopen(&fixture);
    memory_free(all);
    all = feed_since(&fixture, 0); /* the uploaded value may have gone since */
    expect_resumes(&fixture, last, all);
    write_much(&fixture, 40);
    compact(&fixture);
    collect(&fixture);
    fixture_reopen(&fixture);
    memory_free(all);
    all = feed_since(&fixture, 0);
    ck_assert_ptr_nonnull(strstr(all, "2 put long#70000:"));
    ck_assert_ptr_nonnull(strstr(all, "4 put large~3145745;\n"));
    ck_assert_ptr_nonnull(strstr(all, "6 put long#70000:"));
    expect_resumes(&fixture, last, all);
    memory_free(all);
    fixture_deinit(&fixture);
}
END_TEST

static void expect_pages(struct fixture *fixture, uint32_t changes_max, uint64_t piece_bytes,
                         const char *all) {
    struct feed feed;

    feed_init(&feed, 0);
    feed.changes_max = changes_max;
    feed.piece_bytes = piece_bytes;
    feed.look_bytes = 1;
    feed_follow(fixture, &feed);
    ck_assert_uint_eq(feed.text.len, strlen(all));
    ck_assert_mem_eq(feed.text.data, all, feed.text.len);
    feed_deinit(&feed);
}

START_TEST(pages_of_any_size_tell_the_same) {
    struct fixture fixture;
    char *all;

    open_store(&fixture, 64 * MIB);
    (void)write_a_life(&fixture);
    all = feed_since(&fixture, 0);
    for (uint32_t changes = 1; changes < 6; changes++) {
        expect_pages(&fixture, changes, 0, all);
    }
    expect_pages(&fixture, 1, 1000, all);
    expect_pages(&fixture, 100, 33333, all);
    memory_free(all);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(thousands_of_small_commits_are_found_again_at_any_version) {
    struct fixture fixture;
    struct feed feed;
    char value[32];

    open_store(&fixture, 64 * MIB);
    for (uint32_t i = 1; i <= 3000; i++) {
        snprintf(value, sizeof value, "%u", i);
        fixture_put(&fixture, "key", value);
    }
    for (uint64_t version = 2999; version < 3000; version -= 271) {
        char expected[64];
        feed_init(&feed, version);
        feed.changes_max = 1;
        ck_assert_int_eq(feed_page(&fixture, &feed), STATUS_OK);
        snprintf(expected, sizeof expected, "%llu put key=%llu;\n", (unsigned long long)version + 1,
                 (unsigned long long)version + 1);
        ck_assert_uint_eq(feed.text.len, strlen(expected));
        ck_assert_mem_eq(feed.text.data, expected, feed.text.len);
        feed_deinit(&feed);
    }
    fixture_deinit(&fixture);
}
END_TEST

/* ---- What is gone -----------------------------------------------------------------------------
 */

START_TEST(what_the_log_has_no_more_is_a_gap_and_goes_on_behind_it) {
    struct fixture fixture;
    struct feed feed;
    uint64_t last;

    open_store(&fixture, 0);
    fixture_put(&fixture, "first", "1");
    write_much(&fixture, 60);
    compact(&fixture);
    collect(&fixture);
    fixture_settle(&fixture);
    last = put_text(&fixture, "last", "2");
    feed_init(&feed, 0);
    feed_follow(&fixture, &feed);
    ck_assert_uint_eq(feed.result.gap_from, 1);
    ck_assert_uint_gt(feed.result.gap_to, 10);
    ck_assert_uint_lt(feed.result.gap_to, last);
    ck_assert_uint_eq(feed.position.version, feed.result.gap_to);
    ck_assert_uint_eq(feed.text.len, 0);
    feed_follow(&fixture, &feed);
    ck_assert_uint_eq(feed.result.gap_from, 0);
    ck_assert_uint_eq(feed.position.version, last);
    ck_assert_int_eq(buffer_append(&feed.text, "", 1), STATUS_OK);
    ck_assert_ptr_nonnull(strstr((const char *)feed.text.data, " put last=2;\n"));
    feed_deinit(&feed);
    fixture_deinit(&fixture);
}
END_TEST

static void feed_space_cb(void *arg, const char *kind, const char *holder, uint64_t bytes) {
    (void)kind;
    *(uint64_t *)arg += strcmp(holder, "feed") == 0 ? bytes : 0;
}

static uint64_t space_of_feed(struct fixture *fixture) {
    uint64_t bytes = 0;
    enum status status = store_why_space(fixture->store, feed_space_cb, &bytes, &fixture->error);

    ck_assert_int_eq(status, STATUS_OK);
    return bytes;
}

START_TEST(retention_keeps_so_much_of_the_log_and_says_so) {
    struct fixture fixture;
    struct feed feed;
    uint64_t first;

    open_store(&fixture, 512 * KIB);
    write_much(&fixture, 60);
    compact(&fixture);
    collect(&fixture);
    fixture_settle(&fixture);
    feed_init(&feed, 0);
    feed_follow(&fixture, &feed);
    first = feed.result.gap_to;
    ck_assert_uint_gt(first, 10);
    ck_assert_uint_le(first, 60 - 512 / 30);
    ck_assert_uint_ge(fixture_stat(&fixture, "space_feed"), 200 * KIB);
    ck_assert_uint_le(fixture_stat(&fixture, "space_feed"), 800 * KIB);
    ck_assert_uint_ge(space_of_feed(&fixture), 200 * KIB);
    recount_accounts(fixture.store);
    fixture_reopen(&fixture);
    feed.position.version = first;
    feed_follow(&fixture, &feed);
    ck_assert_uint_eq(feed.result.gap_from, 0);
    feed_deinit(&feed);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_the_feed_keeps_makes_way_before_the_disk_is_full) {
    struct fixture fixture;
    char key[16];

    fixture_init(&fixture, 1);
    fixture.options.feed_bytes = UINT64_C(1) << 40;
    env_memory_set_space(fixture.memory, 8 * MIB);
    fixture_open(&fixture);
    for (uint32_t i = 0; i < 1000; i++) { /* 29 MiB, all of it overwritten again */
        snprintf(key, sizeof key, "fill%u", i % 8);
        fixture_put_bytes(&fixture, key, 30000, i);
        if (i % 10 == 9) {
            pass_ticks(&fixture, 2);
        }
    }
    ck_assert_uint_lt(fixture_stat(&fixture, "space_feed"), 6 * MIB);
    ck_assert_uint_gt(fixture_stat(&fixture, "space_feed"), 0);
    recount_accounts(fixture.store);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_restart_is_no_gap_for_who_has_seen_all) {
    struct fixture fixture;
    uint64_t last;

    open_store(&fixture, 0);
    last = put_text(&fixture, "a", "1");
    flush(&fixture);
    fixture_reopen(&fixture);
    fixture_reopen(&fixture);
    feed_expect(&fixture, last, "");
    fixture_put(&fixture, "b", "2");
    {
        char *text = feed_since(&fixture, last);
        ck_assert_ptr_nonnull(strstr(text, " put b=2;\n"));
        memory_free(text);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_version_of_the_future_is_refused) {
    struct fixture fixture;
    struct feed feed;

    open_store(&fixture, 0);
    fixture_put(&fixture, "a", "1");
    feed_init(&feed, 2);
    ck_assert_int_eq(feed_page(&fixture, &feed), STATUS_INVALID);
    feed_deinit(&feed);
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Crashes ----------------------------------------------------------------------------------
 */

START_TEST(what_a_crash_may_take_back_is_not_told) {
    const struct power_cut cut = {.mode = POWER_CUT_DROP_ALL};
    struct fixture fixture;
    struct store_commit *commit;
    uint64_t last;

    open_store(&fixture, 0);
    last = put_text(&fixture, "durable", "1");
    commit = fixture_commit_begin(&fixture);
    put_in(commit, "seen", "2");
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_MEMORY).status, STATUS_OK);
    fixture_expect(&fixture, "seen", "2");
    feed_expect(&fixture, 0, "1 put durable=1;\n");
    fixture_power_cut(&fixture, &cut);
    fixture_open(&fixture);
    fixture_expect_absent(&fixture, "seen");
    feed_expect(&fixture, 0, "1 put durable=1;\n");
    fixture_put(&fixture, "later", "3");
    {
        char *text = feed_since(&fixture, last);
        ck_assert_ptr_nonnull(strstr(text, " put later=3;\n"));
        memory_free(text);
    }
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(a_logged_commit_is_told_once_the_second_is_over) {
    struct fixture fixture;
    struct store_commit *commit;

    open_store(&fixture, 0);
    commit = fixture_commit_begin(&fixture);
    put_in(commit, "a", "1");
    ck_assert_int_eq(fixture_commit_end(&fixture, commit, STORE_LOGGED).status, STATUS_OK);
    pass_ticks(&fixture, 3);
    feed_expect(&fixture, 0, "1 put a=1;\n");
    fixture_deinit(&fixture);
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------------------
 */

START_TEST(the_nth_allocation_fails_and_nothing_is_lost) {
    struct fixture fixture;
    struct feed feed;
    enum status status = STATUS_NO_MEMORY;
    char *all;

    open_store(&fixture, 64 * MIB);
    (void)write_a_life(&fixture);
    all = feed_since(&fixture, 0);
    for (uint64_t n = 0; status != STATUS_OK; n++) {
        feed_init(&feed, 0);
        ck_assert_int_eq(buffer_reserve(&feed.text, 4096), STATUS_OK);
        ck_assert_int_eq(buffer_reserve(&feed.value, 4 * MIB), STATUS_OK);
        ck_assert_uint_lt(n, 200);
        memory_fail_after(n, false);
        status = feed_page(&fixture, &feed);
        memory_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        if (status == STATUS_OK) {
            ck_assert_uint_eq(feed.text.len, strlen(all));
        }
        feed_deinit(&feed);
    }
    memory_free(all);
    fixture_deinit(&fixture);
}
END_TEST

/* The only segment of a store that has just been made. */
static void segment_path(struct fixture *fixture, char path[300]) {
    uint64_t numbers[4];

    ck_assert_uint_eq(recount_segments(fixture->store, SEGMENT_COMMIT, numbers, 4), 1);
    snprintf(path, 300, "%s/%010llu.segment", fixture->dir, (unsigned long long)numbers[0]);
}

/* A page over a damaged log is refused, or tells what is before the damage: nothing else. */
static void expect_prefix_or_corrupt(struct fixture *fixture, const char *all, bool *corrupt_out) {
    struct feed feed;
    enum status status;

    feed_init(&feed, 0);
    status = feed_page(fixture, &feed);
    ck_assert_int_eq(status, status == STATUS_OK ? STATUS_OK : STATUS_CORRUPT);
    ck_assert(status == STATUS_OK || fixture->error.path[0] != '\0');
    ck_assert_uint_le(feed.text.len, strlen(all));
    ck_assert(feed.text.len == 0 || memcmp(feed.text.data, all, feed.text.len) == 0);
    *corrupt_out = status == STATUS_CORRUPT;
    ck_assert(*corrupt_out || feed.text.len == strlen(all));
    feed_deinit(&feed);
}

START_TEST(a_flipped_byte_is_refused_and_never_told) {
    struct fixture fixture;
    uint32_t refused = 0;
    uint32_t offset = 0;
    char path[300];
    char *all;

    open_store(&fixture, 0);
    fixture_put(&fixture, "a", "1");
    fixture_put_bytes(&fixture, "long", 1500, 1);
    delete_range(&fixture, "b", "c");
    fixture_delete(&fixture, "a");
    all = feed_since(&fixture, 0);
    segment_path(&fixture, path);
    for (; offset < 2200; offset++) {
        struct error error = {.status = STATUS_OK};
        struct env_file *file;
        uint8_t byte;
        uint8_t other;
        size_t got = 0;
        bool corrupt;
        ck_assert_int_eq(env_open(fixture.env, path, ENV_READ_CACHED, &file, &error), STATUS_OK);
        ck_assert_int_eq(env_read(file, offset, &byte, 1, &got, &error), STATUS_OK);
        ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
        if (got == 0) {
            break;
        }
        other = byte ^ 0x10;
        ck_assert_int_eq(env_memory_poke(fixture.memory, path, offset, slice_make(&other, 1)),
                         STATUS_OK);
        expect_prefix_or_corrupt(&fixture, all, &corrupt);
        refused += corrupt;
        ck_assert_int_eq(env_memory_poke(fixture.memory, path, offset, slice_make(&byte, 1)),
                         STATUS_OK);
    }
    ck_assert_uint_gt(offset, 1500);
    ck_assert_uint_ge(refused, offset - 200); /* the rest are bytes behind the last group */
    feed_expect(&fixture, 0, all);
    memory_free(all);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_nth_read_fails_and_nothing_is_lost) {
    struct fixture fixture;
    struct env *fault;
    struct feed feed;
    enum status status = STATUS_IO;
    uint64_t n = 0;
    char *all;

    fixture_init(&fixture, 1);
    ck_assert_int_eq(env_fault_create(fixture.memory, NULL, &fault), STATUS_OK);
    fixture.env = fault;
    fixture.options.feed_bytes = 64 * MIB;
    fixture_open(&fixture);
    (void)write_a_life(&fixture);
    all = feed_since(&fixture, 0);
    while (status != STATUS_OK) {
        struct fault_rule rule = {.kinds = FAULT_OPEN | FAULT_READ | FAULT_READ_NOWAIT | FAULT_SIZE,
                                  .countdown = ++n,
                                  .fault = FAULT_IS_EIO};
        ck_assert_uint_lt(n, 500);
        feed_init(&feed, 0);
        env_fault_add(fault, &rule);
        status = feed_page(&fixture, &feed);
        env_fault_clear(fault);
        ck_assert(status == STATUS_OK || status == STATUS_IO);
        feed_follow(&fixture, &feed);
        ck_assert(status != STATUS_OK || feed.text.len == strlen(all));
        feed_deinit(&feed);
    }
    ck_assert_uint_gt(n, 3);
    feed_expect(&fixture, 0, all);
    memory_free(all);
    fixture_deinit(&fixture);
    env_fault_destroy(fault);
}
END_TEST

UNIT_MAIN("store_feed", changes_come_in_the_order_of_the_commits,
          range_deletes_come_before_what_their_commit_writes, only_what_lies_in_the_range_is_told,
          a_namespace_that_was_dropped_and_made_anew_begins_with_nothing,
          any_version_can_be_resumed_from_wherever_its_bytes_are_by_then,
          pages_of_any_size_tell_the_same,
          thousands_of_small_commits_are_found_again_at_any_version,
          what_the_log_has_no_more_is_a_gap_and_goes_on_behind_it,
          retention_keeps_so_much_of_the_log_and_says_so,
          what_the_feed_keeps_makes_way_before_the_disk_is_full,
          a_restart_is_no_gap_for_who_has_seen_all, a_version_of_the_future_is_refused,
          what_a_crash_may_take_back_is_not_told, a_logged_commit_is_told_once_the_second_is_over,
          the_nth_allocation_fails_and_nothing_is_lost, a_flipped_byte_is_refused_and_never_told,
          the_nth_read_fails_and_nothing_is_lost)
