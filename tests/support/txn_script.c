/* txn_script.c: see txn_script.h. */
#include "tests/support/txn_script.h"

#include "protocol/base/memory.h"

#include <check.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACE STORE_NAMESPACE_DEFAULT
#define VALUE_BYTES 24
#define ABSENT UINT64_MAX /* values are smaller */

/* libcheck writes to a file for each of its assertions that holds; here are millions. */
#define REQUIRE(condition) require((condition), #condition, __LINE__)

static void require(bool holds, const char *condition, int line) {
    if (!holds) {
        ck_abort_msg("line %d: %s", line, condition);
    }
}

/* ---- Texts ------------------------------------------------------------------------------------
 */

struct script script_parse(const char *text) {
    struct script script = {.plain = true};

    for (const char *at = text; *at; at++) {
        struct script_step step = {.kind = *at};
        if (*at == ' ') {
            continue;
        }
        if (at[1] == ':') {
            step.from = (uint8_t)(at[2] - 'a');
            at += 2;
        }
        if (at[1] == '-') {
            step.to = (uint8_t)(at[2] - 'a');
            at += 2;
        }
        script.read_only = script.read_only || step.kind == 'B';
        script.plain = script.plain && step.kind != 'b' && step.kind != 'B';
        REQUIRE(script.count < SCRIPT_STEPS_MAX);
        script.steps[script.count++] = step;
    }
    return script;
}

/* ---- The model --------------------------------------------------------------------------------
 */

struct state {
    uint64_t values[SCRIPT_KEYS]; /* ABSENT */
};

static uint64_t mix(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return sum ^ (sum >> 29);
}

/* What a write writes: it tells all that was read before it. */
static uint64_t written_value(const struct script_txn *txn, uint32_t step) {
    uint64_t sum = step + 1;

    for (uint32_t i = 0; i < step; i++) {
        sum = mix(sum, txn->results[i]);
    }
    return sum % 1000000;
}

static bool is_reverse(const struct script_step *step) {
    return step->kind == 'S' || step->kind == 'L';
}

static bool is_scan(const struct script_step *step) {
    return strchr("sSlL", step->kind) != NULL;
}

/* One key is enough. */
static bool is_short(const struct script_step *step) {
    return step->kind == 'l' || step->kind == 'L';
}

static uint64_t model_scan(const struct state *state, const struct script_step *step) {
    uint64_t sum = 0;

    for (uint32_t i = 0; i < SCRIPT_KEYS; i++) {
        uint32_t key = is_reverse(step) ? SCRIPT_KEYS - 1 - i : i;
        if (key >= step->from && key < step->to && state->values[key] != ABSENT) {
            sum = mix(sum, mix(key, state->values[key]));
            if (is_short(step)) {
                return sum;
            }
        }
    }
    return sum;
}

/* Does the step in the model; what it reads. */
static uint64_t model_step(struct state *state, const struct script_txn *txn, uint32_t number) {
    const struct script_step *step = &txn->script.steps[number];
    uint64_t *value = &state->values[step->from];

    switch (step->kind) {
    case 'r':
        return *value;
    case 's':
    case 'S':
    case 'l':
    case 'L':
        return model_scan(state, step);
    case 'w':
        *value = written_value(txn, number);
        break;
    case '+':
        *value = *value == ABSENT ? 1 : *value + 1;
        return txn->script.plain ? 0 : *value;
    case 'd':
        *value = ABSENT;
        break;
    case 'D':
        for (uint32_t key = step->from; key < step->to; key++) {
            state->values[key] = ABSENT;
        }
        break;
    default:
        break;
    }
    return 0;
}

/* Whether it would have read on this state what it read; the state becomes what it leaves. */
static void replay(struct state *state, const struct script_txn *txn, const char *what,
                   uint32_t number) {
    for (uint32_t i = 0; i < txn->next; i++) {
        uint64_t read = model_step(state, txn, i);
        if (read != txn->results[i]) {
            ck_abort_msg("transaction %u, step %u (%c:%c): not as %s", number, i,
                         txn->script.steps[i].kind, txn->script.steps[i].from + 'a', what);
        }
    }
}

/* ---- The engine -------------------------------------------------------------------------------
 */

static struct slice key_of(const struct script_run *run, uint32_t letter, char *room) {
    int len = snprintf(room, 32, "%s%c", run->prefix, (char)('a' + letter));
    return slice_make(room, (size_t)len);
}

static uint64_t parse_value(const struct buffer *value) {
    char text[VALUE_BYTES + 1] = "";

    REQUIRE(value->len <= VALUE_BYTES);
    memcpy(text, value->data, value->len);
    return strtoull(text, NULL, 10);
}

static uint64_t get(struct script_run *run, struct store_read *read, uint32_t letter) {
    struct buffer *value = &run->fixture->value;
    char room[32];
    enum status status;

    buffer_clear(value);
    status = store_get(read, SPACE, key_of(run, letter, room), STORE_WAIT_ALLOWED, value, NULL,
                       &run->fixture->error);
    REQUIRE(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return status == STATUS_OK ? parse_value(value) : ABSENT;
}

static struct store_range range_of(const struct script_run *run, const struct script_step *step,
                                   char rooms[2][32]) {
    return (struct store_range){.namespace_id = SPACE,
                                .from = key_of(run, step->from, rooms[0]),
                                .to = key_of(run, step->to, rooms[1]),
                                .reverse = is_reverse(step)};
}

static uint64_t scan(struct script_run *run, struct script_txn *txn, struct store_read *read,
                     const struct script_step *step) {
    struct buffer key = {.cap = 64};
    struct buffer *value = &run->fixture->value;
    struct store_cursor *cursor;
    struct store_range range;
    char rooms[2][32];
    uint64_t sum = 0;
    enum status status;

    range = range_of(run, step, rooms);
    status = store_cursor_open(read, &range, STORE_WAIT_ALLOWED, &cursor);
    REQUIRE(status == STATUS_OK);
    txn->last_key[txn->next] = SCRIPT_KEYS;
    for (;;) {
        buffer_clear(&key);
        buffer_clear(value);
        status = store_cursor_next(cursor, &key, NULL, &run->fixture->error);
        if (status != STATUS_OK) {
            break;
        }
        status = store_cursor_value(cursor, value, &run->fixture->error);
        REQUIRE(status == STATUS_OK);
        txn->last_key[txn->next] = (uint64_t)(key.data[key.len - 1] - 'a');
        sum = mix(sum, mix(txn->last_key[txn->next], parse_value(value)));
        if (is_short(step)) {
            break;
        }
    }
    REQUIRE(status == STATUS_END || is_short(step));
    store_cursor_close(cursor);
    buffer_deinit(&key);
    return sum;
}

static void write_plain(struct script_run *run, struct script_txn *txn,
                        const struct script_step *step, struct store_put *put) {
    struct store_range range;
    char rooms[2][32];
    enum status status = STATUS_OK;

    range = range_of(run, step, rooms);
    if (!txn->commit) {
        txn->commit = fixture_commit_begin(run->fixture);
    }
    if (step->kind == 'w') {
        status = store_commit_put(txn->commit, put);
    } else if (step->kind == 'd') {
        status = store_commit_delete(txn->commit, SPACE, put->key, NULL);
    } else if (step->kind == '+') {
        status = store_commit_add(txn->commit, SPACE, put->key, 1, NULL);
    } else {
        status = store_commit_delete_range(txn->commit, &range);
    }
    REQUIRE(status == STATUS_OK);
}

static uint64_t do_write(struct script_run *run, struct script_txn *txn, struct store_read *read) {
    const struct script_step *step = &txn->script.steps[txn->next];
    char text[VALUE_BYTES];
    char room[32];
    char rooms[2][32];
    struct store_put put = {.namespace_id = SPACE, .key = key_of(run, step->from, room)};
    struct store_range range;
    struct store_change_of change = {.namespace_id = SPACE, .key = put.key, .amount = 1};
    struct error *error = &run->fixture->error;
    enum status status = STATUS_OK;
    int64_t number = 0;

    snprintf(text, sizeof text, "%" PRIu64, written_value(txn, txn->next));
    put.value = slice_from_text(text);
    range = range_of(run, step, rooms);
    if (txn->script.plain) {
        write_plain(run, txn, step, &put);
        return 0;
    }
    if (step->kind == 'w') {
        status = store_transaction_put(read, &put, STORE_WAIT_ALLOWED, error);
    } else if (step->kind == 'd') {
        status = store_transaction_delete(read, SPACE, put.key, NULL, STORE_WAIT_ALLOWED, error);
    } else if (step->kind == '+') {
        status = store_transaction_add(read, &change, STORE_WAIT_ALLOWED, &number, error);
    } else {
        status = store_transaction_delete_range(read, &range);
    }
    REQUIRE(status == STATUS_OK);
    return (uint64_t)number;
}

/* ---- Begin and end ----------------------------------------------------------------------------
 */

static void run_until(struct script_run *run, _Atomic bool *done) {
    while (!atomic_load(done)) {
        REQUIRE(scheduler_sim_run_one(run->fixture->scheduler, true));
    }
}

static void txn_done_cb(void *arg, struct store_transaction *transaction,
                        const struct store_outcome *outcome) {
    struct script_txn *txn = arg;

    (void)transaction;

    txn->outcome = *outcome;
    atomic_store(&txn->done, true);
}

static void commit_done_cb(struct store_commit *commit, const struct store_outcome *outcome) {
    struct script_txn *txn = store_commit_arg(commit);

    txn->outcome = *outcome;
    atomic_store(&txn->done, true);
}

static void begin(struct script_run *run, struct script_txn *txn) {
    struct store_transaction_options options = {.read_only = txn->script.read_only,
                                                .owner = slice_from_text("script")};
    struct store_read read;
    enum status status = store_transaction_begin(run->fixture->store, &options, &txn->txn);

    REQUIRE(status == STATUS_OK);
    status = store_read_begin_transaction(txn->txn, &read);
    REQUIRE(status == STATUS_OK);
    txn->begin_version = read.version;
    store_read_end(&read);
}

static void commit(struct script_run *run, struct script_txn *txn) {
    enum store_durability durability = (enum store_durability)(txn->next % 3);

    txn->submitted = true;
    if (txn->script.plain) {
        store_commit_set_arg(txn->commit, txn);
        store_submit(run->fixture->store, &txn->commit, 1, durability, commit_done_cb);
    } else {
        store_transaction_submit(txn->txn, durability, txn_done_cb, txn);
    }
    if (!run->together) {
        run_until(run, &txn->done);
    }
}

bool script_run_step(struct script_run *run, uint32_t number) {
    struct script_txn *txn = &run->txns[number];
    const struct script_step *step = &txn->script.steps[txn->next];
    struct store_read read = {0};
    uint64_t result = 0;

    if (txn->next == txn->script.count) {
        return false;
    }
    if (step->kind == 'b' || step->kind == 'B') {
        begin(run, txn);
    } else if (step->kind == 'c') {
        commit(run, txn);
    } else if (step->kind == 'a') {
        store_transaction_destroy(txn->txn);
        txn->txn = NULL;
    } else {
        enum status status =
            txn->script.plain ? STATUS_OK : store_read_begin_transaction(txn->txn, &read);
        REQUIRE(status == STATUS_OK);
        if (step->kind == 'r') {
            result = get(run, &read, step->from);
        } else if (is_scan(step)) {
            result = scan(run, txn, &read, step);
        } else {
            result = do_write(run, txn, &read);
        }
        if (!txn->script.plain) {
            store_read_end(&read);
        }
    }
    txn->results[txn->next++] = result;
    return true;
}

void script_run_begin(struct script_run *run, struct fixture *fixture, uint32_t number) {
    struct store_commit *first = fixture_commit_begin(fixture);

    *run = (struct script_run){.fixture = fixture};
    snprintf(run->prefix, sizeof run->prefix, "%08u/", number);
    for (uint32_t key = 0; key < SCRIPT_KEYS; key++) {
        char text[VALUE_BYTES];
        char room[32];
        struct store_put put = {.namespace_id = SPACE, .key = key_of(run, key, room)};
        enum status status = STATUS_OK;
        snprintf(text, sizeof text, "%u", key);
        put.value = slice_from_text(text);
        if (key % 3 != 2) {
            run->initial |= UINT64_C(1) << key;
            status = store_commit_put(first, &put);
        }
        REQUIRE(status == STATUS_OK);
    }
    REQUIRE(fixture_commit_end(fixture, first, STORE_LOGGED).status == STATUS_OK);
}

void script_run_add(struct script_run *run, const struct script *script) {
    REQUIRE(run->count < SCRIPT_TXNS_MAX);
    run->txns[run->count++] = (struct script_txn){.script = *script};
}

/* ---- Judging ----------------------------------------------------------------------------------
 */

static struct state first_state(const struct script_run *run) {
    struct state state;

    for (uint32_t key = 0; key < SCRIPT_KEYS; key++) {
        state.values[key] = run->initial >> key & 1 ? key : ABSENT;
    }
    return state;
}

static bool wrote(const struct script_txn *txn) {
    for (uint32_t i = 0; i < txn->next; i++) {
        if (strchr("w+dD", txn->script.steps[i].kind)) {
            return true;
        }
    }
    return false;
}

static bool committed(const struct script_txn *txn) {
    return txn->submitted && txn->outcome.status == STATUS_OK && wrote(txn);
}

/* Those that committed, in the order of their versions. */
static uint32_t in_order(const struct script_run *run, const struct script_txn **sorted) {
    uint32_t count = 0;

    for (uint32_t i = 0; i < run->count; i++) {
        uint32_t at = count;
        if (!committed(&run->txns[i])) {
            continue;
        }
        for (; at > 0 && sorted[at - 1]->outcome.version > run->txns[i].outcome.version; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = &run->txns[i];
        count++;
    }
    return count;
}

/* Bits: the keys that its steps name with one of these kinds. */
static uint64_t keys_of(const struct script_step *step, uint64_t last) {
    uint64_t bits = 0;
    uint32_t from = step->from;
    uint32_t to = step->to;

    if (!is_scan(step) && step->kind != 'D') {
        return UINT64_C(1) << step->from;
    }
    if (step->kind == 'l' && last < SCRIPT_KEYS) {
        to = (uint32_t)last + 1;
    } else if (step->kind == 'L' && last < SCRIPT_KEYS) {
        from = (uint32_t)last;
    }
    for (uint32_t key = from; key < to; key++) {
        bits |= UINT64_C(1) << key;
    }
    return bits;
}

static uint64_t keys_written(const struct script_txn *txn) {
    uint64_t bits = 0;

    for (uint32_t i = 0; i < txn->next; i++) {
        if (strchr("w+dD", txn->script.steps[i].kind)) {
            bits |= keys_of(&txn->script.steps[i], 0);
        }
    }
    return bits;
}

/* What it read of the store, and not of its own writes. Ranges count as a whole. */
static uint64_t keys_read(const struct script_txn *txn) {
    uint64_t written = 0;
    uint64_t bits = 0;

    for (uint32_t i = 0; i < txn->next; i++) {
        const struct script_step *step = &txn->script.steps[i];
        uint64_t keys = keys_of(step, txn->last_key[i]);
        if (is_scan(step)) {
            bits |= keys;
        } else if (strchr("r+", step->kind)) {
            bits |= keys & ~written;
        }
        if (strchr("w+dD", step->kind)) {
            written |= keys;
        }
    }
    return bits;
}

static bool expects_conflict(const struct script_run *run, const struct script_txn *txn) {
    uint64_t own = txn->outcome.version; /* of a conflict: who won */

    if (txn->script.plain || !wrote(txn)) {
        return false;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        const struct script_txn *other = &run->txns[i];
        bool before = txn->outcome.status == STATUS_OK ? other->outcome.version < own
                                                       : other->outcome.version <= own;
        if (other != txn && committed(other) && before &&
            other->outcome.version > txn->begin_version &&
            (keys_written(other) & keys_read(txn)) != 0) {
            return true;
        }
    }
    return false;
}

/* Each saw the state of its begin. */
static void judge_snapshot(const struct script_run *run, uint32_t number,
                           const struct script_txn *const *sorted, uint32_t count) {
    struct state state = first_state(run);

    for (uint32_t i = 0; i < count; i++) {
        if (sorted[i]->outcome.version <= run->txns[number].begin_version) {
            replay(&state, sorted[i], "its place in the order of versions", number);
        }
    }
    replay(&state, &run->txns[number], "the state of its begin", number);
}

static void judge_final(struct script_run *run, const struct state *state) {
    struct store_read read;

    store_read_begin(run->fixture->store, &read);
    for (uint32_t key = 0; key < SCRIPT_KEYS; key++) {
        REQUIRE(get(run, &read, key) == state->values[key]);
    }
    store_read_end(&read);
}

static void judge(struct script_run *run, bool may_be_old) {
    const struct script_txn *sorted[SCRIPT_TXNS_MAX];
    uint32_t count = in_order(run, sorted);
    struct state state = first_state(run);

    for (uint32_t i = 0; i < count; i++) {
        replay(&state, sorted[i], "its place in the order of versions", i);
    }
    judge_final(run, &state);
    for (uint32_t i = 0; i < run->count; i++) {
        const struct script_txn *txn = &run->txns[i];
        enum status status = txn->outcome.status;
        if (!txn->script.plain) {
            judge_snapshot(run, i, sorted, count);
        }
        if (!txn->submitted || (may_be_old && status == STATUS_TXN_TOO_OLD)) {
            continue;
        }
        if ((status != STATUS_OK && status != STATUS_CONFLICT) ||
            expects_conflict(run, txn) != (status == STATUS_CONFLICT)) {
            ck_abort_msg("transaction %u ended with %s", i, status_name(status));
        }
    }
}

uint32_t script_run_end(struct script_run *run, bool may_be_old) {
    uint32_t conflicts = 0;

    for (uint32_t i = 0; i < run->count; i++) {
        if (run->txns[i].submitted) {
            run_until(run, &run->txns[i].done);
        }
        conflicts += run->txns[i].submitted && run->txns[i].outcome.status == STATUS_CONFLICT;
    }
    judge(run, may_be_old);
    for (uint32_t i = 0; i < run->count; i++) {
        store_transaction_destroy(run->txns[i].txn);
        store_commit_destroy(run->txns[i].commit);
    }
    return conflicts;
}
