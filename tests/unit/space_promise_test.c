/* space_promise_test.c: the files of a store never take more than was promised, sampled after every
 * batch of operations:
 *
 *      file bytes <= (1 + g)(1 + h) L + (1 + g)(P + D) + C
 *
 * L, P and D come from a model beside the store; C from its statistics. L is what lives: keys and
 * values and what each entry takes in a table and in the log at most (docs/space.md). D is what was
 * set free by deletes, expiry and values that shrank, until the store has had time for it. */
#include "storage/random.h"
#include "tests/support/space_recount.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include "protocol/base/memory.h"

#include <stdio.h>

#define KEYS 600u
#define ENTRY_BYTES 48u /* of an entry in a table, and its part of index and filter */
#define FRAME_BYTES 96u /* of a record in the log: headers and a place in a relocation page */
#define THRESHOLD 1024u
#define SEGMENT_BYTES_MOST (2u * 1024 * 1024) /* one with a value of 1 MiB at its end */

struct model {
    struct fixture fixture;
    struct random random;
    uint32_t sizes[KEYS];    /* 0: absent */
    uint64_t expiries[KEYS]; /* in ms of the store; 0: never */
    uint64_t seen[KEYS];     /* weight of what the snapshot sees, not yet replaced */
    uint64_t freed;          /* D */
    uint64_t pinned;         /* P */
    uint64_t samples;
    double worst; /* file bytes beyond C, over L + P + D */
    uint64_t written;
};

static uint64_t weight_of(uint32_t bytes) {
    uint64_t entry = ENTRY_BYTES + 7; /* the key */
    return bytes < THRESHOLD ? entry + bytes : entry + bytes + FRAME_BYTES + 7;
}

static uint64_t live_bytes(const struct model *model) {
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < KEYS; i++) {
        bytes += model->sizes[i] > 0 ? weight_of(model->sizes[i]) : 0;
    }
    return bytes;
}

static void open_model_with_feed(struct model *model, uint64_t seed, uint64_t feed_bytes) {
    *model = (struct model){.freed = 0};
    model->random.state = seed;
    fixture_init(&model->fixture, seed);
    model->fixture.options.compress = false;
    model->fixture.options.value_threshold = THRESHOLD;
    model->fixture.options.memtable_bytes = 64 * 1024;
    model->fixture.options.segment_bytes = 128 * 1024;
    model->fixture.options.feed_bytes = feed_bytes;
    fixture_open(&model->fixture);
}

static void open_model(struct model *model, uint64_t seed) {
    open_model_with_feed(model, seed, 0);
}

static void close_model(struct model *model) {
    if (getenv("SPACE_FIGURES")) {
        printf("%llu samples, worst ratio beyond C %.3f, written %llu\n",
               (unsigned long long)model->samples, model->worst,
               (unsigned long long)model->written);
    }
    recount_accounts(model->fixture.store);
    fixture_deinit(&model->fixture);
}

/* C, with the manifest as it is and not as it may be at most: the rest of C is small here. */
static uint64_t constant_bytes(struct fixture *fixture) {
    uint64_t most = fixture_stat(fixture, "space_manifest_max");
    uint64_t manifest = recount_manifest_bytes(fixture->env, fixture->dir);

    ck_assert_uint_le(manifest, most);
    return fixture_stat(fixture, "space_constant") - most + manifest;
}

/* What the feed alone keeps is part of P: no more than it may, and a segment. */
static uint64_t feed_bytes(struct model *model) {
    uint64_t bytes = fixture_stat(&model->fixture, "space_feed");
    uint64_t most = model->fixture.options.feed_bytes;

    ck_assert_uint_le(bytes, most > 0 ? most + SEGMENT_BYTES_MOST : 0);
    return bytes;
}

/* The inequality, now. */
static void sample(struct model *model) {
    struct fixture *fixture = &model->fixture;
    uint64_t live = live_bytes(model);
    uint64_t pinned = model->pinned + feed_bytes(model);
    uint64_t files = recount_disk_bytes(fixture->env, fixture->dir);
    uint64_t constant = constant_bytes(fixture);
    double g = 1.5 / 1.125 - 1;
    double most = 1.5 * (double)live + (1 + g) * (double)(pinned + model->freed) + (double)constant;
    double held = (double)(live + pinned + model->freed) + 1;
    double ratio = files > constant ? (double)(files - constant) / held : 0;

    model->samples++;
    model->worst = ratio > model->worst ? ratio : model->worst;
    ck_assert_msg((double)files <= most,
                  "sample %llu: %llu bytes of files; L %llu P %llu D %llu C %llu allow %.0f",
                  (unsigned long long)model->samples, (unsigned long long)files,
                  (unsigned long long)live, (unsigned long long)pinned,
                  (unsigned long long)model->freed, (unsigned long long)constant, most);
    ck_assert_uint_le(fixture_stat(fixture, "space_unreferenced") +
                          fixture_stat(fixture, "space_referenced"),
                      files + live);
}

/* ---- Acts -------------------------------------------------------------------------------------
 */

static void put(struct model *model, uint32_t number, uint32_t bytes, uint64_t ttl_ms) {
    struct fixture *fixture = &model->fixture;
    struct store_commit *commit = fixture_commit_begin(fixture);
    uint8_t *value = memory_alloc(bytes);
    struct store_outcome outcome;
    struct store_put put = {.namespace_id = STORE_NAMESPACE_DEFAULT, .ttl_ms = ttl_ms};
    uint64_t old = model->sizes[number] > 0 ? weight_of(model->sizes[number]) : 0;
    bool pins = model->seen[number] > 0;
    char key[16];

    ck_assert_ptr_nonnull(value);
    fixture_fill(value, bytes, random_next(&model->random));
    snprintf(key, sizeof key, "key%04u", number);
    put.key = slice_from_text(key);
    put.value = slice_make(value, bytes);
    ck_assert_int_eq(store_commit_put(commit, &put), STATUS_OK);
    if (pins) {
        model->pinned += old;
        model->seen[number] = 0;
    } else if (old > weight_of(bytes)) {
        model->freed += old - weight_of(bytes); /* it shrinks */
    }
    outcome = fixture_commit_end(fixture, commit, STORE_LOGGED);
    ck_assert_msg(outcome.status == STATUS_OK, "put: %s", status_name(outcome.status));
    model->sizes[number] = bytes;
    model->expiries[number] = ttl_ms > 0 ? store_now_ms(fixture->store) + ttl_ms : 0;
    model->written += bytes;
    memory_free(value);
}

static void forget(struct model *model, uint32_t number) {
    if (model->sizes[number] > 0) {
        model->freed += weight_of(model->sizes[number]);
        model->sizes[number] = 0;
    }
}

static void delete(struct model *model, uint32_t number) {
    char key[16];

    snprintf(key, sizeof key, "key%04u", number);
    forget(model, number);
    fixture_delete(&model->fixture, key);
}

/* Time passes, and with it what has expired. */
static void pass(struct model *model, uint32_t seconds) {
    struct fixture *fixture = &model->fixture;

    for (uint32_t i = 0; i < 4 * seconds; i++) {
        uint64_t until = scheduler_sim_now_ns(fixture->scheduler) + 250000000;
        env_memory_advance_clock(fixture->memory, 250000000);
        for (uint32_t j = 0; j < KEYS; j++) {
            if (model->expiries[j] != 0 && model->expiries[j] <= store_now_ms(fixture->store)) {
                model->expiries[j] = 0;
                forget(model, j);
            }
        }
        while (scheduler_sim_now_ns(fixture->scheduler) < until &&
               scheduler_sim_run_one(fixture->scheduler, true)) {
        }
        if (i % 4 == 0) {
            sample(model);
        }
    }
}

/* The store has had the time that it needs for what was set free. */
static void rest(struct model *model) {
    pass(model, 30);
    model->freed = 0;
    sample(model);
}

/* From 16 bytes to 1 MiB: mostly small, some of them large. */
static uint32_t mixed_size(struct random *random) {
    uint64_t kind = random_below(random, 100);

    if (kind < 50) {
        return 16 + (uint32_t)random_below(random, 500);
    }
    if (kind < 90) {
        return 1024 + (uint32_t)random_below(random, 8000);
    }
    if (kind < 99) {
        return 10000 + (uint32_t)random_below(random, 60000);
    }
    return 200000 + (uint32_t)random_below(random, 848576);
}

static void fill(struct model *model, uint64_t ttl_ms) {
    for (uint32_t i = 0; i < KEYS; i++) {
        put(model, i, mixed_size(&model->random), ttl_ms);
        if (i % 20 == 0) {
            sample(model);
        }
    }
    sample(model);
}

static uint32_t any_key(struct model *model) {
    return (uint32_t)random_below(&model->random, KEYS);
}

/* Half of all go to an eighth of the keys, and half of those to an eighth of that. */
static uint32_t skewed_key(struct model *model) {
    uint32_t keys = KEYS;

    while (keys > 8 && random_below(&model->random, 2)) {
        keys /= 8;
    }
    return (uint32_t)random_below(&model->random, keys);
}

static void overwrite(struct model *model, uint32_t count, uint32_t (*pick)(struct model *)) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = pick(model);
        uint32_t bytes = mixed_size(&model->random);
        put(model, number, bytes, 0);
        if (i % 20 == 0) {
            sample(model);
        }
        if (i % 500 == 499) {
            rest(model); /* what shrank is taken back */
        }
    }
}

static uint64_t open_snapshot(struct model *model) {
    struct store_snapshot_info info;
    enum status status = store_snapshot_open(model->fixture.store, "a reader", 0, &info);

    ck_assert_int_eq(status, STATUS_OK);
    for (uint32_t i = 0; i < KEYS; i++) {
        model->seen[i] = model->sizes[i] > 0 ? weight_of(model->sizes[i]) : 0;
    }
    return info.id;
}

/* What it held is set free. */
static void close_snapshot(struct model *model, uint64_t id) {
    ck_assert_int_eq(store_snapshot_close(model->fixture.store, id), STATUS_OK);
    memset(model->seen, 0, sizeof model->seen);
    model->freed += model->pinned;
    model->pinned = 0;
}

/* ---- Situations -------------------------------------------------------------------------------
 */

START_TEST(overwrites_all_over) {
    struct model model;

    open_model(&model, 1);
    fill(&model, 0);
    overwrite(&model, 3000, any_key);
    rest(&model);
    close_model(&model);
}
END_TEST

START_TEST(overwrites_of_a_few) {
    struct model model;

    open_model(&model, 2);
    fill(&model, 0);
    overwrite(&model, 3000, skewed_key);
    rest(&model);
    close_model(&model);
}
END_TEST

/* Each key keeps its size, so that nothing is ever set free: D is 0 throughout. */
START_TEST(overwrites_that_do_not_shrink) {
    struct model model;

    open_model(&model, 3);
    fill(&model, 0);
    rest(&model);
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t number = i % 2 ? any_key(&model) : skewed_key(&model);
        put(&model, number, model.sizes[number], 0);
        if (i % 10 == 0) {
            sample(&model);
        }
        ck_assert_uint_eq(model.freed, 0);
    }
    close_model(&model);
}
END_TEST

START_TEST(half_is_deleted_and_written_again) {
    struct model model;

    open_model(&model, 4);
    fill(&model, 0);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = round % 2; i < KEYS; i += 2) {
            delete (&model, i);
            if (i % 20 < 2) {
                sample(&model);
            }
        }
        rest(&model);
        for (uint32_t i = round % 2; i < KEYS; i += 2) {
            put(&model, i, mixed_size(&model.random), 0);
            if (i % 20 < 2) {
                sample(&model);
            }
        }
    }
    rest(&model);
    close_model(&model);
}
END_TEST

START_TEST(all_is_deleted) {
    struct model model;

    open_model(&model, 5);
    fill(&model, 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        delete (&model, i);
    }
    sample(&model);
    rest(&model);
    ck_assert_uint_eq(live_bytes(&model), 0);
    close_model(&model);
}
END_TEST

START_TEST(waves_that_expire) {
    struct model model;

    open_model(&model, 6);
    for (uint32_t wave = 0; wave < 4; wave++) {
        fill(&model, 20000);
        pass(&model, 15);
        fill(&model, 20000);
        pass(&model, 25);
        rest(&model);
    }
    close_model(&model);
}
END_TEST

/* The feed keeps its log, whatever is dead in it, and lets go of it segment by segment. */
START_TEST(overwrites_while_the_feed_keeps_its_log) {
    struct model model;
    uint64_t most = 0;

    open_model_with_feed(&model, 8, 6u * 1024 * 1024);
    for (uint32_t round = 0; round < 5; round++) {
        fill(&model, 0);
        most = feed_bytes(&model) > most ? feed_bytes(&model) : most;
        if (round == 2) {
            rest(&model);
        }
    }
    ck_assert_uint_gt(most, 1024u * 1024);
    rest(&model);
    close_model(&model);
}
END_TEST

/* A reader that holds the whole store while all of it is written anew, up to four times. What it
 * held comes back without a write, whether it lies in tables that were compacted meanwhile or not.
 */
START_TEST(a_snapshot_holds_all_and_lets_it_go) {
    struct model model;

    open_model(&model, 7);
    fill(&model, 0);
    rest(&model);
    for (uint32_t round = 0; round < 4; round++) {
        uint64_t id = open_snapshot(&model);
        uint64_t held;
        for (uint32_t i = 0; i <= round; i++) {
            fill(&model, 0);
            rest(&model);
        }
        if (round % 2 == 1) {
            ck_assert_int_eq(store_compact(model.fixture.store, &model.fixture.error), STATUS_OK);
        }
        rest(&model);
        held = model.pinned;
        ck_assert_uint_gt(held, live_bytes(&model) / 2);
        ck_assert_uint_ge(recount_disk_bytes(model.fixture.env, model.fixture.dir),
                          held + live_bytes(&model) * 9 / 10);
        close_snapshot(&model, id);
        sample(&model);
        rest(&model); /* to (1 + g)(1 + h) L + C */
    }
    close_model(&model);
}
END_TEST

UNIT_MAIN("space promise", overwrites_all_over, overwrites_of_a_few, overwrites_that_do_not_shrink,
          half_is_deleted_and_written_again, all_is_deleted, waves_that_expire,
          overwrites_while_the_feed_keeps_its_log, a_snapshot_holds_all_and_lets_it_go)
