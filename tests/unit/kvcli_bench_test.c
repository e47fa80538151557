/* kvcli_bench_test.c: the parts of the benchmark: histogram, keys, codecs, mixes, plans. */
#include "client/kvcli/bench_codec.h"
#include "client/kvcli/bench_histogram.h"
#include "client/kvcli/bench_inserts.h"
#include "client/kvcli/bench_keys.h"
#include "client/kvcli/bench_zipf.h"
#include "client/kvcli/cli.h"
#include "protocol/base/memory.h"
#include "protocol/wire.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- histogram --- */

START_TEST(quantiles_are_within_a_64th) {
    struct bench_histogram *histogram = memory_alloc_zeroed(sizeof *histogram);

    for (uint64_t ns = 1; ns <= 1000000; ns++) {
        bench_histogram_add(histogram, ns);
    }
    for (uint32_t per_million = 1; per_million <= 1000000; per_million += 997) {
        uint64_t ns = bench_histogram_quantile_ns(histogram, per_million);
        ck_assert_uint_ge(ns, per_million);
        ck_assert_uint_le(ns, per_million + per_million / 64 + 1);
    }
    ck_assert_uint_eq(bench_histogram_quantile_ns(histogram, 1000000), 1000000);
    memory_free(histogram);
}
END_TEST

START_TEST(the_least_and_the_greatest_times_have_a_bucket) {
    struct bench_histogram *histogram = memory_alloc_zeroed(sizeof *histogram);

    ck_assert_uint_eq(bench_histogram_quantile_ns(histogram, 500000), 0);
    bench_histogram_add(histogram, 0);
    ck_assert_uint_eq(bench_histogram_quantile_ns(histogram, 1000000), 0);
    bench_histogram_add(histogram, UINT64_MAX);
    ck_assert_uint_eq(histogram->buckets[BENCH_HISTOGRAM_BUCKETS - 1], 1);
    ck_assert_uint_eq(bench_histogram_quantile_ns(histogram, 1000000), UINT64_MAX);
    memory_free(histogram);
}
END_TEST

START_TEST(merged_histograms_count_both) {
    struct bench_histogram *one = memory_alloc_zeroed(sizeof *one);
    struct bench_histogram *two = memory_alloc_zeroed(sizeof *two);

    bench_histogram_add(one, 10);
    bench_histogram_add(two, 20);
    bench_histogram_add(two, 30);
    bench_histogram_merge(one, two);
    ck_assert_uint_eq(one->count, 3);
    ck_assert_uint_eq(one->max_ns, 30);
    ck_assert_uint_eq(bench_histogram_quantile_ns(one, 333333), 10);
    ck_assert_uint_eq(bench_histogram_quantile_ns(one, 666666), 20);
    memory_free(one);
    memory_free(two);
}
END_TEST

/* --- keys --- */

static void open_keys(struct bench_keys *keys, uint64_t count,
                      enum bench_distribution distribution) {
    struct bench_plan plan = {
        .key_count = count, .value_bytes = 100, .distribution = distribution, .seed = 1};

    ck_assert_int_eq(bench_keys_init(keys, &plan), STATUS_OK);
}

START_TEST(loading_visits_each_key_once_and_not_in_order) {
    static const uint64_t counts[] = {1, 2, 3, 10, 999, 1000, 1024};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct bench_keys keys;
        uint8_t seen[1024] = {0};
        uint64_t ascents = 0;
        open_keys(&keys, counts[i], BENCH_UNIFORM);
        for (uint64_t at = 0; at < counts[i]; at++) {
            uint64_t number = bench_keys_load_order(&keys, at);
            ck_assert_uint_lt(number, counts[i]);
            ck_assert_uint_eq(seen[number]++, 0);
            ascents += number == bench_keys_load_order(&keys, at + 1) - 1;
        }
        ck_assert(counts[i] < 10 || ascents < counts[i] / 2);
        bench_keys_deinit(&keys);
    }
}
END_TEST

#define DRAWN_KEYS 1000u
#define DRAWS 200000u

/* How often each of the keys comes. */
static void draw(uint64_t drawn[DRAWN_KEYS], enum bench_distribution distribution,
                 uint64_t loaded) {
    struct bench_keys keys;
    struct bench_random random = {7};

    open_keys(&keys, loaded, distribution);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t number = bench_keys_pick(&keys, DRAWN_KEYS, &random);
        ck_assert_uint_lt(number, DRAWN_KEYS);
        drawn[number]++;
    }
    bench_keys_deinit(&keys);
}

static double zipf_share(uint64_t rank, uint64_t count) {
    double zeta = 0;

    for (uint64_t i = 1; i <= count; i++) {
        zeta += pow((double)i, -BENCH_ZIPF_EXPONENT);
    }
    return pow((double)rank + 1, -BENCH_ZIPF_EXPONENT) / zeta;
}

/* Within five standard deviations of what is expected. */
static void expect_share(uint64_t drawn, double share) {
    double expected = share * DRAWS;

    ck_assert_double_le(fabs((double)drawn - expected), 5 * sqrt(expected) + 1);
}

START_TEST(uniform_draws_are_even) {
    uint64_t drawn[DRAWN_KEYS] = {0};
    double chi_square = 0;

    draw(drawn, BENCH_UNIFORM, DRAWN_KEYS);
    for (size_t i = 0; i < DRAWN_KEYS; i++) {
        double off = (double)drawn[i] - (double)DRAWS / DRAWN_KEYS;
        chi_square += off * off / ((double)DRAWS / DRAWN_KEYS);
    }
    ck_assert_double_gt(chi_square, 999 - 5 * 44.7); /* 999 degrees of freedom */
    ck_assert_double_lt(chi_square, 999 + 5 * 44.7);
}
END_TEST

START_TEST(zipfian_draws_follow_the_law_rank_by_rank) {
    uint64_t drawn[DRAWN_KEYS] = {0};

    draw(drawn, BENCH_ZIPFIAN, DRAWN_KEYS);
    for (uint64_t rank = 0; rank < DRAWN_KEYS; rank++) {
        expect_share(drawn[bench_zipf_place(rank, DRAWN_KEYS)], zipf_share(rank, DRAWN_KEYS));
    }
}
END_TEST

START_TEST(the_latest_keys_come_most_and_those_inserted_too) {
    uint64_t drawn[DRAWN_KEYS] = {0};

    draw(drawn, BENCH_LATEST, 900);
    for (uint64_t rank = 0; rank < DRAWN_KEYS; rank++) {
        expect_share(drawn[DRAWN_KEYS - 1 - rank], zipf_share(rank, DRAWN_KEYS));
    }
}
END_TEST

START_TEST(ranks_of_very_many_keys_stay_below_their_count) {
    struct bench_random random = {3};
    uint64_t firsts = 0;

    for (int i = 0; i < 100000; i++) {
        uint64_t rank = bench_zipf_rank(&random, 1000000000000000u);
        ck_assert_uint_lt(rank, 1000000000000000u);
        firsts += rank == 0;
    }
    ck_assert_uint_gt(firsts, 2140); /* 2391 expected: zeta is (n^0.01 - 1) / 0.01 + 0.58 = 41.8 */
    ck_assert_uint_lt(firsts, 2640);
}
END_TEST

START_TEST(each_rank_has_a_place_of_its_own_far_from_the_next) {
    static const uint64_t counts[] = {1, 2, 3, 10, 999, 1000, 1024};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint8_t seen[1024] = {0};
        uint64_t neighbours = 0;
        for (uint64_t rank = 0; rank < counts[i]; rank++) {
            uint64_t place = bench_zipf_place(rank, counts[i]);
            ck_assert_uint_lt(place, counts[i]);
            ck_assert_uint_eq(seen[place]++, 0);
            neighbours += place + 1 == bench_zipf_place((rank + 1) % counts[i], counts[i]);
        }
        ck_assert(counts[i] < 999 || neighbours < 10);
    }
}
END_TEST

START_TEST(a_single_key_is_always_drawn) {
    struct bench_keys keys;
    struct bench_random random = {7};

    for (int distribution = BENCH_UNIFORM; distribution <= BENCH_LATEST; distribution++) {
        open_keys(&keys, 1, (enum bench_distribution)distribution);
        for (int i = 0; i < 100; i++) {
            ck_assert_uint_eq(bench_keys_pick(&keys, 1, &random), 0);
        }
        bench_keys_deinit(&keys);
    }
}
END_TEST

START_TEST(keys_are_written_with_all_their_digits) {
    uint8_t key[BENCH_KEY_BYTES];

    bench_keys_write(1234, key);
    ck_assert_mem_eq(key, "k000000000001234", BENCH_KEY_BYTES);
    bench_keys_write(999999999999999, key);
    ck_assert_mem_eq(key, "k999999999999999", BENCH_KEY_BYTES);
}
END_TEST

START_TEST(keys_say_when_memory_ends) {
    struct bench_plan plan = {.key_count = 10, .value_bytes = 100};
    struct bench_keys keys = {0};

    memory_fail_after(0, true);
    ck_assert_int_eq(bench_keys_init(&keys, &plan), STATUS_NO_MEMORY);
    memory_fail_never();
}
END_TEST

/* --- codecs --- */

static enum status take(const struct bench_codec *codec, const char *bytes, size_t len,
                        enum bench_call call, struct bench_reply *reply) {
    *reply = (struct bench_reply){.bytes = 0};
    return codec->take_reply(slice_make(bytes, len), 1, call, reply);
}

static void expect_redis(const char *bytes, enum bench_call call, enum bench_outcome outcome) {
    struct bench_reply reply;

    for (size_t len = 0; len < strlen(bytes); len++) {
        ck_assert_int_eq(take(&bench_codec_redis, bytes, len, call, &reply), STATUS_NEED_MORE);
    }
    ck_assert_int_eq(take(&bench_codec_redis, bytes, strlen(bytes), call, &reply), STATUS_OK);
    ck_assert_uint_eq(reply.bytes, strlen(bytes));
    ck_assert_int_eq(reply.outcome, outcome);
}

static void expect_redis_refused(const char *bytes, enum bench_call call) {
    struct bench_reply reply;

    ck_assert_int_eq(take(&bench_codec_redis, bytes, strlen(bytes), call, &reply), STATUS_PROTOCOL);
}

START_TEST(redis_replies_are_taken_at_their_last_byte) {
    expect_redis("$5\r\nab\r\nc\r\n", BENCH_CALL_GET, BENCH_DONE);
    expect_redis("$0\r\n\r\n", BENCH_CALL_GET, BENCH_DONE);
    expect_redis("$-1\r\n", BENCH_CALL_GET, BENCH_MISS);
    expect_redis("+OK\r\n", BENCH_CALL_PUT, BENCH_DONE);
    expect_redis("-ERR no\r\n", BENCH_CALL_PUT, BENCH_FAILED);
}
END_TEST

START_TEST(redis_replies_that_do_not_fit_are_refused) {
    expect_redis_refused("+OK\r\n", BENCH_CALL_GET);
    expect_redis_refused("$1\r\na\r\n", BENCH_CALL_PUT);
    expect_redis_refused("$x\r\n", BENCH_CALL_GET);
    expect_redis_refused("$99999999999999999999\r\n", BENCH_CALL_GET);
    expect_redis_refused("hello\r\n", BENCH_CALL_GET);
    expect_redis_refused("\r\n", BENCH_CALL_GET);
}
END_TEST

START_TEST(redis_requests_are_what_the_server_expects) {
    struct bench_request request = {
        .call = BENCH_CALL_PUT, .key = slice_from_text("key"), .value = slice_from_text("value")};
    struct buffer out;

    buffer_init(&out, 256);
    ck_assert_int_eq(bench_codec_redis.append(&out, NULL, &request), STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&out),
                          slice_from_text("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n")));
    buffer_clear(&out);
    request.call = BENCH_CALL_GET;
    ck_assert_int_eq(bench_codec_redis.append(&out, NULL, &request), STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&out), slice_from_text("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n")));
    buffer_deinit(&out);
}
END_TEST

START_TEST(kvd_replies_tell_hits_misses_and_failures) {
    static const struct {
        enum status status;
        enum bench_outcome outcome;
    } cases[] = {{STATUS_NOT_FOUND, BENCH_MISS}, {STATUS_BUSY, BENCH_FAILED}};
    struct bench_reply reply;
    struct buffer out;

    buffer_init(&out, 256);
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&out);
        ck_assert_int_eq(wire_response_error(&out, 1, cases[i].status, NULL), STATUS_OK);
        ck_assert_int_eq(take(&bench_codec_kvd, (char *)out.data, out.len, BENCH_CALL_GET, &reply),
                         STATUS_OK);
        ck_assert_int_eq(reply.outcome, cases[i].outcome);
        ck_assert_uint_eq(reply.bytes, out.len);
    }
    buffer_clear(&out);
    ck_assert_int_eq(wire_response_version(&out, 2, 5), STATUS_OK); /* of another request */
    ck_assert_int_eq(take(&bench_codec_kvd, (char *)out.data, out.len, BENCH_CALL_PUT, &reply),
                     STATUS_PROTOCOL);
    buffer_deinit(&out);
}
END_TEST

START_TEST(an_echo_is_the_request_that_was_sent) {
    struct bench_plan plan = {.codec = &bench_codec_echo};
    struct bench_request request = {.id = 1, .call = BENCH_CALL_PUT, .key = slice_from_text("k")};
    struct bench_reply reply;
    struct buffer out;

    buffer_init(&out, 256);
    ck_assert_int_eq(bench_codec_echo.append(&out, &plan, &request), STATUS_OK);
    ck_assert_int_eq(take(&bench_codec_echo, (char *)out.data, out.len - 1, BENCH_CALL_PUT, &reply),
                     STATUS_NEED_MORE);
    ck_assert_int_eq(take(&bench_codec_echo, (char *)out.data, out.len, BENCH_CALL_PUT, &reply),
                     STATUS_OK);
    ck_assert_uint_eq(reply.bytes, out.len);
    ck_assert_int_eq(take(&bench_codec_echo, (char *)out.data, out.len, BENCH_CALL_GET, &reply),
                     STATUS_PROTOCOL);
    buffer_deinit(&out);
}
END_TEST

START_TEST(a_scan_asks_for_so_many_entries_from_its_key_on) {
    static const struct wire_limits limits = {
        .frame_max = 4096, .key_max = 100, .scan_entries_max = 1000, .scan_page_bytes_max = 4096};
    struct bench_plan plan = {.codec = &bench_codec_kvd};
    struct bench_request request = {
        .id = 1, .call = BENCH_CALL_SCAN, .key = slice_from_text("from"), .scan_limit = 7};
    struct wire_request asked;
    struct wire_refusal refusal;
    struct wire_frame frame;
    const char *reason;
    size_t wanted;
    struct buffer out;

    buffer_init(&out, 256);
    ck_assert_int_eq(bench_codec_kvd.append(&out, &plan, &request), STATUS_OK);
    ck_assert_int_eq(
        wire_frame_decode(buffer_slice(&out), WIRE_KIND_REQUEST, 256, &frame, &wanted, &reason),
        STATUS_OK);
    ck_assert_int_eq(wire_request_decode(&frame, &limits, WIRE_FLAGS_REQUEST, &asked, &refusal),
                     STATUS_OK);
    ck_assert_int_eq(asked.opcode, WIRE_SCAN);
    ck_assert_uint_eq(asked.range.limit, 7);
    ck_assert(slice_equal(asked.range.from, slice_from_text("from")));
    buffer_deinit(&out);
}
END_TEST

/* --- mixes --- */

START_TEST(the_mixes_are_those_of_ycsb) {
    ck_assert_ptr_null(bench_workload_find("G"));
    ck_assert_ptr_null(bench_workload_find(""));
    for (char letter = 'a'; letter <= 'f'; letter++) {
        const char name[] = {letter, 0};
        const struct bench_workload *workload = bench_workload_find(name);
        unsigned sum = 0;
        ck_assert_ptr_nonnull(workload);
        for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
            sum += workload->mix.percent[kind];
        }
        ck_assert_uint_eq(sum, 100);
        ck_assert_int_eq(workload->distribution, letter == 'd' ? BENCH_LATEST : BENCH_ZIPFIAN);
    }
}
END_TEST

START_TEST(requests_come_in_the_shares_of_their_mix) {
    static const struct bench_mix mix = {{10, 20, 0, 25, 45}};
    struct bench_random random = {5};
    unsigned picked[BENCH_KINDS] = {0};

    for (int i = 0; i < 100000; i++) {
        picked[bench_mix_pick(&mix, &random)]++;
    }
    for (unsigned kind = 0; kind < BENCH_KINDS; kind++) {
        ck_assert_int_le(abs((int)picked[kind] - 1000 * mix.percent[kind]), 800);
    }
    ck_assert_uint_eq(picked[BENCH_INSERT], 0);
}
END_TEST

/* --- inserts --- */

START_TEST(inserted_keys_are_stored_up_to_the_first_that_is_not_answered) {
    struct bench_inserts inserts;
    uint64_t numbers[3];

    ck_assert_int_eq(bench_inserts_init(&inserts, 100), STATUS_OK);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(bench_inserts_take(&inserts, &numbers[i]));
        ck_assert_uint_eq(numbers[i], 100 + i);
    }
    bench_inserts_answer(&inserts, 102);
    bench_inserts_answer(&inserts, 101);
    ck_assert_uint_eq(bench_inserts_stored(&inserts), 100);
    bench_inserts_answer(&inserts, 100);
    ck_assert_uint_eq(bench_inserts_stored(&inserts), 103);
    bench_inserts_deinit(&inserts);
}
END_TEST

START_TEST(no_key_is_given_out_while_the_room_for_answers_is_full) {
    struct bench_inserts inserts;
    uint64_t number;

    ck_assert_int_eq(bench_inserts_init(&inserts, 0), STATUS_OK);
    for (uint64_t i = 0; i < BENCH_INSERTS_ROOM; i++) {
        ck_assert(bench_inserts_take(&inserts, &number));
    }
    ck_assert(!bench_inserts_take(&inserts, &number));
    for (uint64_t i = BENCH_INSERTS_ROOM; i > 0; i--) {
        ck_assert_uint_eq(bench_inserts_stored(&inserts), 0);
        bench_inserts_answer(&inserts, i - 1);
    }
    ck_assert_uint_eq(bench_inserts_stored(&inserts), BENCH_INSERTS_ROOM);
    ck_assert(bench_inserts_take(&inserts, &number));
    ck_assert_uint_eq(number, BENCH_INSERTS_ROOM);
    bench_inserts_deinit(&inserts);
}
END_TEST

START_TEST(inserts_say_when_memory_ends) {
    struct bench_inserts inserts;

    memory_fail_after(0, true);
    ck_assert_int_eq(bench_inserts_init(&inserts, 0), STATUS_NO_MEMORY);
    memory_fail_never();
    bench_inserts_deinit(&inserts);
}
END_TEST

/* --- plans --- */

/* Reads a command line of `kvcli bench`; 0 or the exit code. */
static int plan_of(struct bench_plan *plan, char *line) {
    char *argv[16] = {"kvcli", "bench"};
    char *rest = NULL;
    int argc = 2;
    struct options options;
    struct error error;

    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        argv[argc++] = word;
    }
    ck_assert_int_eq(options_parse(&options, argc, argv, &error), STATUS_OK);
    return bench_plan_from(&options, plan);
}

static void expect_refused(const char *line) {
    struct bench_plan plan;
    char words[128];

    snprintf(words, sizeof words, "%s", line);
    ck_assert_msg(plan_of(&plan, words) == CLI_USAGE, "%s was taken", line);
}

START_TEST(a_workload_sets_mix_and_distribution_and_the_latter_can_be_changed) {
    struct bench_plan plan;
    char latest[] = "--workload d";
    char uniform[] = "-w F --distribution uniform";
    char plain[] = "--read-ratio 70";

    ck_assert_int_eq(plan_of(&plan, latest), CLI_DONE);
    ck_assert_int_eq(plan.distribution, BENCH_LATEST);
    ck_assert_uint_eq(plan.mix.percent[BENCH_INSERT], 5);
    ck_assert_int_eq(plan_of(&plan, uniform), CLI_DONE);
    ck_assert_int_eq(plan.distribution, BENCH_UNIFORM);
    ck_assert_uint_eq(plan.mix.percent[BENCH_MODIFY], 50);
    ck_assert_int_eq(plan_of(&plan, plain), CLI_DONE);
    ck_assert_ptr_null(plan.workload);
    ck_assert_uint_eq(plan.mix.percent[BENCH_GET], 70);
    ck_assert_uint_eq(plan.mix.percent[BENCH_PUT], 30);
}
END_TEST

START_TEST(plans_that_cannot_be_done_are_refused) {
    expect_refused("--workload G");
    expect_refused("--workload AB");
    expect_refused("--workload A --read-ratio 10");
    expect_refused("--read-ratio 101");
    expect_refused("--distribution normal");
    expect_refused("--protocol redis --workload E");
    expect_refused("--protocol redis --durability synced");
    expect_refused("--connections 0");
    expect_refused("--connections 2 --threads 3");
    expect_refused("--pipeline 65537");
    expect_refused("--keys 0");
    expect_refused("--keys 1000000000000001");
    expect_refused("--pipeline 60000 --value-size 64MiB");
    expect_refused("--requests 5 --seconds 5");
}
END_TEST

UNIT_MAIN("kvcli_bench", quantiles_are_within_a_64th,
          the_least_and_the_greatest_times_have_a_bucket, merged_histograms_count_both,
          loading_visits_each_key_once_and_not_in_order, uniform_draws_are_even,
          zipfian_draws_follow_the_law_rank_by_rank,
          the_latest_keys_come_most_and_those_inserted_too,
          ranks_of_very_many_keys_stay_below_their_count,
          each_rank_has_a_place_of_its_own_far_from_the_next, a_single_key_is_always_drawn,
          keys_are_written_with_all_their_digits, keys_say_when_memory_ends,
          redis_replies_are_taken_at_their_last_byte, redis_replies_that_do_not_fit_are_refused,
          redis_requests_are_what_the_server_expects, kvd_replies_tell_hits_misses_and_failures,
          an_echo_is_the_request_that_was_sent, a_scan_asks_for_so_many_entries_from_its_key_on,
          the_mixes_are_those_of_ycsb, requests_come_in_the_shares_of_their_mix,
          inserted_keys_are_stored_up_to_the_first_that_is_not_answered,
          no_key_is_given_out_while_the_room_for_answers_is_full, inserts_say_when_memory_ends,
          a_workload_sets_mix_and_distribution_and_the_latter_can_be_changed,
          plans_that_cannot_be_done_are_refused)
