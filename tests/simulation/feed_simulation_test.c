/* feed_simulation_test.c: a replica that follows the feed of a store, while both are killed and go
 * on at random, is the store.
 *
 *      store:    commits, flush, compaction, GC, restarts, power cuts
 *      replica:  pages of random size; dies and begins again at what it had noted last; at a gap it
 *                starts anew from a snapshot
 *
 * After every power cut and at the end the replica follows to the end and is compared: had it ever
 * been told what a crash took back, it would differ. KVD_SIM_SEED and KVD_SIM_SEEDS choose the
 * seeds. */
#include "storage/random.h"
#include "tests/support/store_sim.h"
#include "tests/support/upload_fixture.h"
#include "tests/unit/feed_fixture.h"

#define KEYS 24u
#define ACTS 260u
#define NAME_BYTES 4u

/* What a key holds. */
struct held {
    bool here;
    bool unknown; /* a value that had been superseded when it was told */
    uint64_t bytes;
    uint64_t checksum;
    uint64_t expiry_ms;
};

struct replica {
    struct store_feed_position position;
    struct held keys[KEYS];
};

struct life {
    struct fixture fixture;
    struct random random;
    uint64_t seed;
    struct replica replica;
    struct replica noted; /* what it begins again with when it dies */
    uint32_t changes_left;
    uint64_t gaps;
    uint64_t changes;
    uint64_t superseded;
    uint64_t rewinds;
    uint64_t snapshot; /* to rewind to; 0: none */
};

static uint64_t draw(struct life *life, uint64_t count) {
    return random_below(&life->random, count);
}

static struct slice name_of(uint32_t key, char name[NAME_BYTES]) {
    snprintf(name, NAME_BYTES, "k%02u", key);
    return slice_make(name, 3);
}

static uint32_t key_of(struct slice name) {
    ck_assert_uint_eq(name.len, 3);
    return (uint32_t)(name.ptr[1] - '0') * 10 + (uint32_t)(name.ptr[2] - '0');
}

/* ---- The store --------------------------------------------------------------------------------
 */

static void put_in(struct life *life, struct store_commit *commit, struct slice key) {
    static const size_t sizes[] = {0, 5, 60, 900, 3000, 20000};
    size_t bytes = sizes[draw(life, sizeof sizes / sizeof sizes[0])];
    uint8_t *value = memory_alloc(bytes + 1);
    struct store_put put = {.namespace_id = SPACE,
                            .key = key,
                            .ttl_ms = draw(life, 8) == 0 ? 1 + draw(life, 20000) : 0};
    enum status status;

    fixture_fill(value, bytes, random_next(&life->random));
    put.value = slice_make(value, bytes);
    status = store_commit_put(commit, &put);
    ck_assert_int_eq(status, STATUS_OK);
    memory_free(value);
}

static void act_in(struct life *life, struct store_commit *commit) {
    struct store_condition always = {STORE_ALWAYS, 0};
    char name[NAME_BYTES];
    char end[NAME_BYTES];
    uint32_t number = (uint32_t)draw(life, KEYS);
    struct slice key = name_of(number, name);
    struct store_range range = {.namespace_id = SPACE, .from = key};
    enum status status = STATUS_OK;

    switch (draw(life, 12)) {
    case 0:
    case 1:
        status = store_commit_delete(commit, SPACE, key, &always);
        break;
    case 2:
        range.to = name_of(number + 1 + (uint32_t)draw(life, 4), end);
        status = store_commit_delete_range(commit, &range);
        break;
    case 3:
        status = store_commit_append(commit, SPACE, key, slice_from_text("more"), &always);
        break;
    default:
        put_in(life, commit, key);
    }
    ck_assert_int_eq(status, STATUS_OK);
}

static void commit_some(struct life *life) {
    struct store_commit *commit = fixture_commit_begin(&life->fixture);
    enum status status;

    for (uint64_t i = 1 + draw(life, 5); i > 0; i--) {
        act_in(life, commit);
    }
    status =
        fixture_commit_end(&life->fixture, commit, (enum store_durability)draw(life, 3)).status;
    ck_assert(status == STATUS_OK || status == STATUS_TOO_LARGE); /* an append to a large value */
}

static void touch_one(struct life *life) {
    struct store_condition always = {STORE_ALWAYS, 0};
    struct store_commit *commit = fixture_commit_begin(&life->fixture);
    char name[NAME_BYTES];
    enum status status =
        store_commit_expire(commit, SPACE, name_of((uint32_t)draw(life, KEYS), name),
                            draw(life, 2) * (1 + draw(life, 30000)), &always);

    ck_assert_int_eq(status, STATUS_OK);
    status = fixture_commit_end(&life->fixture, commit, STORE_SYNCED).status;
    ck_assert(status == STATUS_OK || status == STATUS_ABSENT);
}

/* A large value: its pieces lie in segments of their own. */
static void upload_one(struct life *life) {
    char name[NAME_BYTES];

    (void)name_of((uint32_t)draw(life, KEYS), name);
    upload_put(&life->fixture, name, 1 + draw(life, 150000), random_next(&life->random));
}

/* Back to a state that was noted a while ago: values are not written again, but referred to. */
static void rewind_some(struct life *life) {
    struct fixture *fixture = &life->fixture;
    struct store_at at = {STORE_AT_SNAPSHOT, life->snapshot};
    struct store_range range = {.namespace_id = SPACE};
    struct store_commit *commit = fixture_commit_begin(fixture);
    struct store_read past;
    struct store_read present;
    uint64_t changed = 0;
    enum status status = store_read_begin_at(fixture->store, &at, SPACE, &past);

    if (status == STATUS_OK) {
        store_read_begin(fixture->store, &present);
        status = store_rewind(&past, &present, &range, commit, &changed, &fixture->error);
        store_read_end(&past);
        store_read_end(&present);
        ck_assert_int_eq(status, STATUS_OK);
        status = fixture_commit_end(fixture, commit, STORE_SYNCED).status;
        ck_assert(status == STATUS_OK || status == STATUS_BUSY); /* log GC has moved records */
        ck_assert_int_eq(store_snapshot_close(fixture->store, life->snapshot), STATUS_OK);
        life->rewinds++;
    } else {
        store_commit_destroy(commit);
    }
    life->snapshot = open_snapshot(fixture).id;
}

/* Everything that was committed is durable after it. */
static void commit_synced(struct life *life) {
    struct store_commit *commit = fixture_commit_begin(&life->fixture);
    char name[NAME_BYTES];

    put_in(life, commit, name_of((uint32_t)draw(life, KEYS), name));
    ck_assert_int_eq(fixture_commit_end(&life->fixture, commit, STORE_SYNCED).status, STATUS_OK);
}

/* ---- The replica ------------------------------------------------------------------------------
 */

static void take_range(struct replica *replica, const struct store_feed_change *change) {
    char name[NAME_BYTES];

    for (uint32_t i = 0; i < KEYS; i++) {
        struct slice key = name_of(i, name);
        if (slice_compare(key, change->key) >= 0 &&
            (change->to.len == 0 || slice_compare(key, change->to) < 0)) {
            replica->keys[i] = (struct held){.here = false};
        }
    }
}

static enum status take_put(struct life *life, const struct store_feed_change *change) {
    struct held held = {.here = true,
                        .unknown = change->superseded,
                        .bytes = change->info.value_bytes,
                        .checksum = change->info.checksum,
                        .expiry_ms = change->info.expiry_ms};
    struct buffer value;
    enum status status = STATUS_OK;

    buffer_init(&value, UINT64_C(1) << 20);
    if (!change->superseded) {
        status = store_feed_value(change, 0, UINT64_MAX, &value, NULL);
        ck_assert_int_eq(status, STATUS_OK);
        ck_assert_uint_eq(checksum_of(buffer_slice(&value)), held.checksum);
    }
    life->superseded += change->superseded;
    buffer_deinit(&value);
    life->replica.keys[key_of(change->key)] = held;
    return status;
}

static enum status take_cb(void *arg, struct store_feed_change *change) {
    struct life *life = arg;

    if (life->changes_left == 0) {
        return STATUS_END;
    }
    life->changes_left--;
    life->changes++;
    switch (change->kind) {
    case STORE_FEED_PUT:
        return take_put(life, change);
    case STORE_FEED_DELETE:
        life->replica.keys[key_of(change->key)] = (struct held){.here = false};
        break;
    case STORE_FEED_DELETE_RANGE:
        take_range(&life->replica, change);
        break;
    }
    return STATUS_OK;
}

/* What the store holds, and the version of which that is true. */
static struct replica look(struct life *life) {
    struct store_range range = {.namespace_id = SPACE};
    struct store_value_info info;
    struct store_cursor *cursor;
    struct store_read read;
    struct replica seen = {.position = {.skip = 0}};
    struct buffer key;
    enum status status;

    buffer_init(&key, 64);
    store_read_begin(life->fixture.store, &read);
    seen.position.version = read.version;
    status = store_cursor_open(&read, &range, STORE_WAIT_ALLOWED, &cursor);
    ck_assert_int_eq(status, STATUS_OK);
    while ((status = store_cursor_next(cursor, &key, &info, NULL)) == STATUS_OK) {
        seen.keys[key_of(buffer_slice(&key))] = (struct held){.here = true,
                                                              .bytes = info.value_bytes,
                                                              .checksum = info.checksum,
                                                              .expiry_ms = info.expiry_ms};
        buffer_clear(&key);
    }
    ck_assert_int_eq(status, STATUS_END);
    store_cursor_close(cursor);
    store_read_end(&read);
    buffer_deinit(&key);
    return seen;
}

/* One page. At a gap all is taken anew, from a state that is durable. */
static bool follow_page(struct life *life) {
    struct store_feed_query query = {.namespace_id = SPACE,
                                     .position = life->replica.position,
                                     .look_bytes_max = 1 + draw(life, 3000)};
    struct store_feed_result result;
    enum status status;

    life->changes_left = (uint32_t)draw(life, 12);
    status =
        store_feed_read(life->fixture.store, &query, take_cb, life, &result, &life->fixture.error);
    ck_assert_msg(status == STATUS_OK, "seed %llu: %s: %s", (unsigned long long)life->seed,
                  status_name(status), life->fixture.error.text);
    if (result.gap_from > 0) {
        ck_assert_uint_eq(result.gap_from, life->replica.position.version + 1);
        ck_assert_uint_le(result.gap_from, result.gap_to);
        life->gaps++;
        commit_synced(life);
        life->replica = look(life);
        return false;
    }
    life->replica.position = result.next;
    return result.at_end;
}

/* What the replica says of a key: expiry is for the reader to judge. */
static bool shows(const struct held *held, uint64_t now_ms) {
    return held->here && (held->expiry_ms == 0 || held->expiry_ms > now_ms);
}

static void compare(struct life *life) {
    uint64_t now_ms = store_now_ms(life->fixture.store);
    struct replica seen = look(life);

    for (uint32_t i = 0; i < KEYS; i++) {
        const struct held *ours = &life->replica.keys[i];
        const struct held *theirs = &seen.keys[i];
        ck_assert_msg(shows(ours, now_ms) == theirs->here && !(theirs->here && ours->unknown),
                      "seed %llu: key %u is %s", (unsigned long long)life->seed, i,
                      theirs->here ? "missing" : "too many");
        ck_assert(!theirs->here ||
                  (ours->bytes == theirs->bytes && ours->checksum == theirs->checksum &&
                   ours->expiry_ms == theirs->expiry_ms));
    }
}

static void catch_up(struct life *life) {
    commit_synced(life);
    for (bool at_end = false; !at_end;) {
        at_end = follow_page(life);
    }
    compare(life);
}

/* ---- Lives ------------------------------------------------------------------------------------
 */

static void cut_power(struct life *life) {
    struct power_cut cut = {.seed = random_next(&life->random),
                            .mode = (enum power_cut_mode)draw(life, 3),
                            .entries = (enum power_cut_entries)draw(life, 3),
                            .block_bytes = 4096};

    fixture_power_cut(&life->fixture, &cut);
    fixture_open(&life->fixture);
    while (!follow_page(life)) {
    }
    compare(life);
}

static void act(struct life *life) {
    struct fixture *fixture = &life->fixture;

    switch (draw(life, 40)) {
    case 0:
        flush(fixture);
        break;
    case 1:
        compact(fixture);
        break;
    case 2:
        ck_assert_int_eq(store_collect(fixture->store, &fixture->error), STATUS_OK);
        break;
    case 3:
        fixture_reopen(fixture);
        break;
    case 4:
        cut_power(life);
        break;
    case 5:
        life->replica = life->noted; /* killed */
        break;
    case 6:
    case 7:
        life->noted = life->replica;
        break;
    case 8:
        pass_ms(fixture, draw(life, 4000));
        break;
    case 9:
        touch_one(life);
        break;
    case 15:
        upload_one(life);
        break;
    case 16:
        rewind_some(life);
        break;
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
        (void)follow_page(life);
        break;
    default:
        commit_some(life);
    }
}

static void run_life(uint64_t seed, struct life *life) {
    *life = (struct life){.seed = seed, .random = random_make(seed)};
    fixture_init(&life->fixture, seed);
    life->fixture.options.value_threshold = 512;
    life->fixture.options.segment_bytes = 64 * 1024;
    life->fixture.options.feed_bytes = draw(life, 3) * 400 * 1024;
    fixture_open(&life->fixture);
    for (uint32_t i = 0; i < ACTS; i++) {
        act(life);
    }
    catch_up(life);
    fixture_deinit(&life->fixture);
}

START_TEST(a_replica_of_the_feed_is_the_store) {
    uint64_t first = sim_number("KVD_SIM_SEED", 1);
    uint64_t count = sim_number("KVD_SIM_SEEDS", 120);
    uint64_t gaps = 0;
    uint64_t changes = 0;
    uint64_t superseded = 0;
    uint64_t rewinds = 0;
    struct life life;

    for (uint64_t seed = first; seed < first + count; seed++) {
        run_life(seed, &life);
        gaps += life.gaps;
        changes += life.changes;
        superseded += life.superseded;
        rewinds += life.rewinds;
    }
    printf("%llu changes followed, %llu gaps, %llu superseded, %llu rewinds\n",
           (unsigned long long)changes, (unsigned long long)gaps, (unsigned long long)superseded,
           (unsigned long long)rewinds);
    ck_assert(count < 100 || (gaps > 0 && changes > count * 100));
}
END_TEST

UNIT_MAIN("feed_simulation", a_replica_of_the_feed_is_the_store)
