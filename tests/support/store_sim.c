/* store_sim.c: see store_sim.h. */
#include "tests/support/store_sim.h"

#include "tests/support/space_recount.h"

#include "protocol/base/memory.h"
#include "tests/support/store_sim_state.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL 8192u
#define WAIT_STEPS_MAX 2000000u
#define OTHER_SPACE "other"
#define TOUCH_MS UINT64_C(1000000000) /* beyond the end of any life */

uint64_t sim_number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && text[0] ? strtoull(text, NULL, 10) : otherwise;
}

void sim_fail(const struct sim *sim, const char *what, enum status status) {
    char line[640];

    error_format(&sim->error, line, sizeof line);
    ck_abort_msg("SIM_SEED=%llu: %s: %s: %s", (unsigned long long)sim->seed, what,
                 status_name(status), line);
}

void sim_note(const struct sim *sim, const char *format, ...) {
    va_list args;

    if (getenv("SIM_LOG")) {
        fprintf(stderr, "seed %llu, %zu commits: ", (unsigned long long)sim->seed,
                sim->model.count);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
    }
}

static void say_cb(void *arg, enum store_log_level level, const char *line) {
    const struct sim *sim = arg;

    sim_note(sim, "level %d: %s", (int)level, line);
}

/* ---- Life -------------------------------------------------------------------------------------
 */

/* What a submit or a held reply needs; made beforehand, as allocations may be made to fail. */
static void make_pools(struct sim *sim) {
    sim->commit_pool = memory_alloc_array(POOL, sizeof *sim->commit_pool);
    sim->waiter_pool = memory_alloc_array(POOL, sizeof *sim->waiter_pool);
    ck_assert_ptr_nonnull(sim->commit_pool);
    ck_assert_ptr_nonnull(sim->waiter_pool);
    for (uint32_t i = 0; i < POOL; i++) {
        sim->commit_pool[i].next = sim->free_commits;
        sim->free_commits = &sim->commit_pool[i];
        sim->waiter_pool[i].next = sim->free_waiters;
        sim->free_waiters = &sim->waiter_pool[i];
    }
}

static struct sim_commit *take_commit(struct sim *sim) {
    struct sim_commit *commit = sim->free_commits;

    ck_assert_ptr_nonnull(commit);
    sim->free_commits = commit->next;
    return commit;
}

struct sim_waiter *sim_take_waiter(struct sim *sim) {
    struct sim_waiter *waiter = sim->free_waiters;

    ck_assert_ptr_nonnull(waiter);
    sim->free_waiters = waiter->next;
    return waiter;
}

static void collect(struct sim *sim) {
    struct sim_commit **link = &sim->pending;
    struct sim_waiter **waiter_link = &sim->waiters;

    sim_past_collect(sim);
    while (*link) {
        struct sim_commit *commit = *link;
        if (commit->done) {
            *link = commit->next;
            store_commit_destroy(commit->commit);
            commit->next = sim->free_commits;
            sim->free_commits = commit;
        } else {
            link = &commit->next;
        }
    }
    while (*waiter_link) {
        struct sim_waiter *waiter = *waiter_link;
        if (waiter->done) {
            *waiter_link = waiter->next;
            waiter->next = sim->free_waiters;
            sim->free_waiters = waiter;
        } else {
            waiter_link = &waiter->next;
        }
    }
}

static uint64_t now_ns_cb(void *arg) {
    return scheduler_sim_now_ns(arg);
}

void sim_init(struct sim *sim, uint64_t seed) {
    struct env_memory_options env_options = {.monotonic_ns_cb = now_ns_cb};
    enum status status;

    *sim = (struct sim){.seed = seed,
                        .random = random_make(seed),
                        .ttl_percent = 15,
                        .value_bytes_max = MODEL_VALUE_BYTES_MAX,
                        .buffer = {.cap = 1u << 30}};
    status = scheduler_sim_create(seed, &sim->scheduler);
    ck_assert_int_eq(status, STATUS_OK);
    env_options.monotonic_arg = sim->scheduler;
    status = env_memory_create(&env_options, &sim->memory);
    ck_assert_int_eq(status, STATUS_OK);
    sim->env = sim->memory;
    store_options_init(&sim->options, "store");
    sim->options.memory_limit_bytes = 8u << 20;
    sim->options.memtable_bytes = (16u << 10) << seed % 3;
    sim->options.segment_bytes = (8u << 10) << 2 * (seed / 3 % 3);
    sim->options.block_bytes = 4096;
    sim->options.compress = seed % 2;
    sim->options.value_threshold = seed % 5 ? 1024 : 64;
    sim->options.feed_bytes = seed % 4 == 3 ? 200u << 10 : 0; /* what it keeps is in the accounts */
    sim->options.log_cb = say_cb;
    sim->options.log_arg = sim;
    sim->room = memory_alloc(MODEL_VALUE_BYTES_MAX);
    ck_assert_ptr_nonnull(sim->room);
    model_init(&sim->model);
    make_pools(sim);
}

static void close_store(struct sim *sim, bool must_be_ok) {
    enum status status = store_close(sim->store, &sim->error);

    sim->store = NULL;
    collect(sim);
    if (status != STATUS_OK && must_be_ok) {
        sim_fail(sim, "close", status);
    }
    if (sim->pending || sim->waiters || sim->setting) {
        sim_fail(sim, "closed, and a commit or a held reply was not answered", status);
    }
}

void sim_close(struct sim *sim) {
    close_store(sim, !sim->faulty);
    if (sim->lossy) {
        sim->model.logged_prefix = sim->model.synced_prefix;
    }
    sim->model.must_prefix = sim->faulty ? sim->model.logged_prefix : sim->model.count;
}

void sim_deinit(struct sim *sim) {
    if (sim->store) {
        sim->abandoned = true;
        close_store(sim, false);
    }
    scheduler_destroy(sim->scheduler);
    env_memory_destroy(sim->memory);
    buffer_deinit(&sim->buffer);
    memory_free(sim->room);
    memory_free(sim->commit_pool);
    memory_free(sim->waiter_pool);
    model_deinit(&sim->model);
}

enum status sim_try_open(struct sim *sim) {
    enum status status;

    sim->options.env = sim->env;
    sim->options.scheduler = sim->scheduler;
    sim->error = (struct error){0};
    sim->abandoned = false;
    status = store_open(&sim->options, &sim->store, &sim->error);
    if (status != STATUS_OK) {
        sim_note(sim, "open: %s", status_name(status));
        sim->store = NULL;
        return status;
    }
    sim->snapshot_count = 0;
    sim->spaces[0] = STORE_NAMESPACE_DEFAULT;
    status = store_namespace(sim->store, slice_from_text(OTHER_SPACE), true, &sim->spaces[1]);
    if (status != STATUS_OK && !sim->faulty) {
        sim_fail(sim, "namespace", status);
    }
    if (status != STATUS_OK) {
        close_store(sim, false);
        return status;
    }
    sim_check_all(sim);
    if (!sim->faulty) {
        recount_accounts(sim->store);
    }
    return STATUS_OK;
}

void sim_open(struct sim *sim) {
    enum status status = sim_try_open(sim);

    if (status != STATUS_OK) {
        sim_fail(sim, "open", status);
    }
}

void sim_cut(struct sim *sim, const struct power_cut *cut) {
    struct env *after;
    enum status status = env_memory_clone(sim->memory, cut, &after);

    ck_assert_int_eq(status, STATUS_OK);
    sim_note(sim, "cut: mode %d, entries %d, blocks of %u, %s; crashed before: %d", (int)cut->mode,
             (int)cut->entries, cut->block_bytes, cut->garbage ? "garbage" : "zeros",
             env_memory_crashed(sim->memory));
    if (cut->mode != POWER_CUT_NONE ||
        sim->lossy) { /* a killed process loses nothing that was written */
        sim->model.logged_prefix = sim->model.synced_prefix;
    }
    sim->model.must_prefix = sim->model.logged_prefix;
    sim->abandoned = true; /* what the old store says from here on counts no more */
    if (sim->store) {
        close_store(sim, false);
    }
    env_memory_destroy(sim->memory);
    sim->memory = after;
    sim->env = after;
    sim->faulty = false;
}

struct power_cut sim_random_cut(struct sim *sim) {
    return (struct power_cut){.seed = random_next(&sim->random),
                              .mode = (enum power_cut_mode)random_below(&sim->random, 4),
                              .entries = (enum power_cut_entries)random_below(&sim->random, 3),
                              .block_bytes = random_below(&sim->random, 2) ? 512 : 4096,
                              .garbage = random_below(&sim->random, 2)};
}

void sim_run(struct sim *sim, uint32_t steps, bool may_wait) {
    while (steps-- > 0 && scheduler_sim_run_one(sim->scheduler, may_wait)) {
    }
    collect(sim);
}

void sim_wait(struct sim *sim) {
    for (uint32_t i = 0; sim->pending; i++) {
        if (i > WAIT_STEPS_MAX) {
            sim_fail(sim, "a commit waits for ever", STATUS_INTERNAL);
        }
        sim_run(sim, 1, true);
    }
}

/* ---- Commits ----------------------------------------------------------------------------------
 */

uint32_t sim_space(const struct sim *sim, uint32_t key) {
    return sim->spaces[key % 8 == 7];
}

void sim_answered(struct sim *sim, size_t decided_by) {
    if (!sim->abandoned && decided_by != MODEL_NONE) {
        sim_note(sim, "an answer that commit %zu decided has left", decided_by);
        model_answered(&sim->model, decided_by);
    }
}

static bool is_refused(enum status status) {
    return status == STATUS_EXISTS || status == STATUS_ABSENT || status == STATUS_VERSION_MISMATCH;
}

static void judge_outcome(struct sim *sim, const struct sim_commit *commit,
                          const struct store_outcome *outcome) {
    struct model_commit *expected =
        commit->index == MODEL_NONE ? NULL : &sim->model.commits[commit->index];

    if (outcome->status == STATUS_OK && expected) {
        expected->fate = MODEL_DONE;
        expected->version = outcome->version;
        sim_note(sim, "commit %zu of class %d has version %llu", commit->index,
                 (int)expected->durability, (unsigned long long)outcome->version);
        sim_answered(sim, commit->index);
    } else if (is_refused(outcome->status) && !expected) {
        sim_answered(sim, commit->decided_by);
    } else if (!sim->faulty || (outcome->status == STATUS_OK) || is_refused(outcome->status)) {
        sim->error = (struct error){0};
        sim_fail(sim, expected ? "a commit" : "a commit that was to be refused", outcome->status);
    } else {
        sim->failures++;
        if (expected && outcome->status != STATUS_UNKNOWN) {
            expected->fate = MODEL_FAILED;
        }
    }
}

static void done_cb(struct store_commit *store_commit, const struct store_outcome *outcome) {
    struct sim_commit *commit = store_commit_arg(store_commit);

    ck_assert(!commit->done);
    commit->done = true;
    if (!commit->sim->abandoned) {
        judge_outcome(commit->sim, commit, outcome);
    }
}

static bool is_alive(const struct model_op *op) {
    return op && !op->deletes;
}

/* A condition on `key`, and whether it is met, judged after all that was submitted. Keys that
 * expire are left out by the caller. */
static struct store_condition choose_condition(struct sim *sim, uint32_t key,
                                               struct sim_commit *commit, bool *met_out) {
    size_t index = MODEL_NONE;
    const struct model_op *op = model_find(&sim->model, key, sim->model.count, &index);
    uint64_t version = op ? sim->model.commits[index].version : 0;
    uint64_t kind = random_below(&sim->random, 3);

    commit->decided_by = index;
    if (kind == 2 && is_alive(op) && version != 0) {
        *met_out = random_below(&sim->random, 4) > 0;
        return (struct store_condition){STORE_IF_VERSION, *met_out ? version : version - 1};
    }
    *met_out = is_alive(op) == (kind == 0);
    return (struct store_condition){kind == 0 ? STORE_IF_PRESENT : STORE_IF_ABSENT, 0};
}

/* The range of a range delete, which the model knows as a set of keys: op->key is the first one, or
 * any of a range without a beginning; value_seed chooses the rest. */
static struct store_range range_of(const struct sim *sim, const struct model_op *op,
                                   uint8_t rooms[2][MODEL_KEY_ROOM_BYTES]) {
    struct random random = random_make(op->value_seed);
    struct store_range range = {.namespace_id = sim_space(sim, op->key),
                                .from = model_key(op->key, rooms[0])};

    if (random_below(&random, 6) == 0) {
        range.from.len = 0;
    }
    if (random_below(&random, 6) > 0) {
        uint32_t last = op->key + 1 + (uint32_t)random_below(&random, 8);
        range.to = model_key(last < MODEL_KEYS ? last : op->key, rooms[1]);
    }
    if (range.to.len > 0 && slice_compare(range.from, range.to) > 0) {
        struct slice from = range.from;
        range.from = range.to;
        range.to = from;
    }
    return range;
}

static enum status add_range(const struct sim *sim, struct store_commit *commit,
                             struct model_op *op) {
    uint8_t rooms[2][MODEL_KEY_ROOM_BYTES];
    uint8_t room[MODEL_KEY_ROOM_BYTES];
    struct store_range range = range_of(sim, op, rooms);

    for (uint32_t key = 0; key < MODEL_KEYS; key++) {
        struct slice name = model_key(key, room);
        bool covered = sim_space(sim, key) == range.namespace_id &&
                       slice_compare(range.from, name) <= 0 &&
                       (range.to.len == 0 || slice_compare(name, range.to) < 0);
        op->covers |= (uint64_t)covered << key;
    }
    return store_commit_delete_range(commit, &range);
}

/* A put, or the same in two pieces: not if it may have expired when the second one comes. */
static enum status add_put(struct store_commit *commit, const struct store_put *put, bool appends) {
    struct store_put first = *put;
    enum status status;

    if (!appends || put->ttl_ms > 0) {
        return store_commit_put(commit, put);
    }
    first.value.len /= 2;
    status = store_commit_put(commit, &first);
    return status == STATUS_OK ? store_commit_append(commit, put->namespace_id, put->key,
                                                     slice_make(put->value.ptr + first.value.len,
                                                                put->value.len - first.value.len),
                                                     NULL)
                               : status;
}

static enum status add_op(struct sim *sim, struct store_commit *commit, struct model_op *op,
                          const struct store_condition *condition) {
    uint8_t room[MODEL_KEY_ROOM_BYTES];
    struct store_put put = {.namespace_id = sim_space(sim, op->key),
                            .key = model_key(op->key, room),
                            .condition = *condition};

    if (op->is_range) {
        return add_range(sim, commit, op);
    }
    if (op->deletes) {
        return store_commit_delete(commit, put.namespace_id, put.key, condition);
    }
    if (op->expiry_ms != 0) { /* it comes as a time to live */
        put.ttl_ms = op->expiry_ms;
        op->expiry_ms += store_now_ms(sim->store);
    }
    if (op->touches) {
        return store_commit_expire(commit, put.namespace_id, put.key, put.ttl_ms, condition);
    }
    put.value = model_value(op, sim->room);
    put.user_flags = op->value_bytes;
    return add_put(commit, &put, op->appends);
}

void sim_submit(struct sim *sim, const struct model_op *ops, uint32_t op_count,
                enum store_durability durability, bool with_condition) {
    struct sim_commit *commit = take_commit(sim);
    struct model_commit made = {.op_count = op_count, .durability = durability};
    struct store_condition always = {STORE_ALWAYS, 0};
    struct store_condition first = always;
    bool met = true;
    enum status status;

    *commit = (struct sim_commit){
        .sim = sim, .index = MODEL_NONE, .decided_by = MODEL_NONE, .condition = with_condition};
    if (with_condition) {
        first = choose_condition(sim, ops[0].key, commit, &met);
    }
    status = store_commit_create(sim->store, &commit->commit);
    for (uint32_t i = 0; i < op_count && status == STATUS_OK; i++) {
        made.ops[i] = ops[i];
        status = add_op(sim, commit->commit, &made.ops[i], i == 0 ? &first : &always);
    }
    if (status != STATUS_OK && !sim->faulty) {
        sim_fail(sim, "filling a commit", status);
    }
    if (status != STATUS_OK) {
        sim->failures++;
        store_commit_destroy(commit->commit);
        commit->next = sim->free_commits;
        sim->free_commits = commit;
        return;
    }
    if (met) {
        *model_add(&sim->model) = made;
        commit->index = sim->model.count - 1;
    }
    store_commit_set_arg(commit->commit, commit);
    commit->next = sim->pending;
    sim->pending = commit;
    store_submit(sim->store, &commit->commit, 1, durability, done_cb);
    collect(sim);
}

static uint32_t random_bytes(struct sim *sim) {
    static const uint32_t limits[] = {24, 200, 1500, 6000, 20000, MODEL_VALUE_BYTES_MAX};
    uint32_t limit = limits[random_below(&sim->random, random_below(&sim->random, 6) + 1)];

    limit = limit < sim->value_bytes_max ? limit : sim->value_bytes_max;
    return (uint32_t)random_below(&sim->random, limit + 1);
}

static bool is_ttl_key(uint32_t key) {
    return key % 5 == 3;
}

/* Gives a key another expiry, far off, or none, if it is known what value it has. */
static bool random_touch(struct sim *sim) {
    uint32_t key = (uint32_t)random_below(&sim->random, MODEL_KEYS);
    size_t index;
    const struct model_op *there = model_find(&sim->model, key, sim->model.count, &index);
    struct model_op op;

    if (sim->faulty || is_ttl_key(key) || !is_alive(there) ||
        sim->model.commits[index].fate != MODEL_DONE) {
        return false;
    }
    op = *there;
    op.touches = true;
    op.expiry_ms = random_below(&sim->random, 2) ? TOUCH_MS : 0;
    sim_submit(sim, &op, 1, (enum store_durability)random_below(&sim->random, 3), false);
    return true;
}

void sim_random_commit(struct sim *sim) {
    struct model_op ops[MODEL_OPS_MAX] = {{0}};
    uint32_t op_count =
        random_below(&sim->random, 4) ? 1 : 1 + (uint32_t)random_below(&sim->random, MODEL_OPS_MAX);
    enum store_durability durability = STORE_SYNCED;
    bool condition;

    if (random_below(&sim->random, 6) == 0 && random_touch(sim)) {
        return;
    }
    for (uint32_t i = 0; i < op_count; i++) {
        uint32_t key = (uint32_t)random_below(&sim->random, MODEL_KEYS);
        ops[i] = (struct model_op){.key = key,
                                   .deletes = random_below(&sim->random, 4) == 0,
                                   .appends = random_below(&sim->random, 5) == 0,
                                   .is_range = random_below(&sim->random, 12) == 0,
                                   .value_bytes = random_bytes(sim),
                                   .value_seed = random_next(&sim->random)};
        if (is_ttl_key(key) && random_below(&sim->random, 100) < 4 * sim->ttl_percent) {
            ops[i].expiry_ms = 1 + random_below(&sim->random, 3000);
        }
        ops[i].deletes |= ops[i].is_range;
        ops[i].expiry_ms = ops[i].deletes ? 0 : ops[i].expiry_ms;
    }
    if (random_below(&sim->random, 3) == 0) {
        durability = (enum store_durability)random_below(&sim->random, 3);
    }
    condition = !is_ttl_key(ops[0].key) && !ops[0].is_range && random_below(&sim->random, 5) == 0;
    sim_submit(sim, ops, op_count, durability, condition);
}

/* ---- Maintenance ------------------------------------------------------------------------------
 */

void sim_flush(struct sim *sim) {
    enum status status = store_flush(sim->store, &sim->error);

    collect(sim);
    if (status != STATUS_OK && status != STATUS_BUSY && !sim->faulty) {
        sim_fail(sim, "flush", status);
    }
}

void sim_collect(struct sim *sim) {
    enum status status = store_collect(sim->store, &sim->error);

    collect(sim);
    if (status != STATUS_OK && status != STATUS_BUSY && !sim->faulty) {
        sim_fail(sim, "log GC", status);
    }
}

void sim_compact(struct sim *sim) {
    enum status status = store_compact(sim->store, &sim->error);

    collect(sim);
    if (status != STATUS_OK && status != STATUS_BUSY && !sim->faulty) {
        sim_fail(sim, "compact", status);
    }
}
