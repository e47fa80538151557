/* kvcli_bench_test.c: the parts of the benchmark: histogram, keys, codecs. */
#include "client/kvcli/bench_codec.h"
#include "client/kvcli/bench_histogram.h"
#include "client/kvcli/bench_keys.h"
#include "client/kvcli/bench_zipf.h"
#include "protocol/base/memory.h"
#include "protocol/wire.h"
#include "tests/unit/unit.h"

#include <math.h>
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

static enum status take(const struct bench_codec *codec, const char *bytes, size_t len, bool is_put,
                        struct bench_reply *reply) {
    *reply = (struct bench_reply){.bytes = 0};
    return codec->take_reply(slice_make(bytes, len), 1, is_put, reply);
}

static void expect_redis(const char *bytes, bool is_put, enum bench_outcome outcome) {
    struct bench_reply reply;

    for (size_t len = 0; len < strlen(bytes); len++) {
        ck_assert_int_eq(take(&bench_codec_redis, bytes, len, is_put, &reply), STATUS_NEED_MORE);
    }
    ck_assert_int_eq(take(&bench_codec_redis, bytes, strlen(bytes), is_put, &reply), STATUS_OK);
    ck_assert_uint_eq(reply.bytes, strlen(bytes));
    ck_assert_int_eq(reply.outcome, outcome);
}

static void expect_redis_refused(const char *bytes, bool is_put) {
    struct bench_reply reply;

    ck_assert_int_eq(take(&bench_codec_redis, bytes, strlen(bytes), is_put, &reply),
                     STATUS_PROTOCOL);
}

START_TEST(redis_replies_are_taken_at_their_last_byte) {
    expect_redis("$5\r\nab\r\nc\r\n", false, BENCH_DONE);
    expect_redis("$0\r\n\r\n", false, BENCH_DONE);
    expect_redis("$-1\r\n", false, BENCH_MISS);
    expect_redis("+OK\r\n", true, BENCH_DONE);
    expect_redis("-ERR no\r\n", true, BENCH_FAILED);
}
END_TEST

START_TEST(redis_replies_that_do_not_fit_are_refused) {
    expect_redis_refused("+OK\r\n", false);
    expect_redis_refused("$1\r\na\r\n", true);
    expect_redis_refused("$x\r\n", false);
    expect_redis_refused("$99999999999999999999\r\n", false);
    expect_redis_refused("hello\r\n", false);
    expect_redis_refused("\r\n", false);
}
END_TEST

START_TEST(redis_requests_are_what_the_server_expects) {
    struct bench_request request = {
        .is_put = true, .key = slice_from_text("key"), .value = slice_from_text("value")};
    struct buffer out;

    buffer_init(&out, 256);
    ck_assert_int_eq(bench_codec_redis.append(&out, NULL, &request), STATUS_OK);
    ck_assert(slice_equal(buffer_slice(&out),
                          slice_from_text("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n")));
    buffer_clear(&out);
    request.is_put = false;
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
        ck_assert_int_eq(take(&bench_codec_kvd, (char *)out.data, out.len, false, &reply),
                         STATUS_OK);
        ck_assert_int_eq(reply.outcome, cases[i].outcome);
        ck_assert_uint_eq(reply.bytes, out.len);
    }
    buffer_clear(&out);
    ck_assert_int_eq(wire_response_version(&out, 2, 5), STATUS_OK); /* of another request */
    ck_assert_int_eq(take(&bench_codec_kvd, (char *)out.data, out.len, true, &reply),
                     STATUS_PROTOCOL);
    buffer_deinit(&out);
}
END_TEST

START_TEST(an_echo_is_the_request_that_was_sent) {
    struct bench_plan plan = {.codec = &bench_codec_echo};
    struct bench_request request = {.id = 1, .is_put = true, .key = slice_from_text("k")};
    struct bench_reply reply;
    struct buffer out;

    buffer_init(&out, 256);
    ck_assert_int_eq(bench_codec_echo.append(&out, &plan, &request), STATUS_OK);
    ck_assert_int_eq(take(&bench_codec_echo, (char *)out.data, out.len - 1, true, &reply),
                     STATUS_NEED_MORE);
    ck_assert_int_eq(take(&bench_codec_echo, (char *)out.data, out.len, true, &reply), STATUS_OK);
    ck_assert_uint_eq(reply.bytes, out.len);
    ck_assert_int_eq(take(&bench_codec_echo, (char *)out.data, out.len, false, &reply),
                     STATUS_PROTOCOL);
    buffer_deinit(&out);
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
          an_echo_is_the_request_that_was_sent)
