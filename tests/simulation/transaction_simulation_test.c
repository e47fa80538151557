/* transaction_simulation_test.c: transfers between accounts, as transactions that interleave, until
 * the power goes at some call of the file system; then the store is opened and everything compared.
 *
 * Each transfer reads two accounts and the range of all that were made by its owner, and writes the
 * two and a row that says what it did. After a crash:
 *
 *      - the rows that are there, in order, lead to exactly the balances that are there;
 *      - a transfer that was acknowledged is there;
 *      - each owner's rows are numbered without a gap or a double: each was made knowing the
 * others.
 *
 * TRANSFER_SEEDS: how many (600); TRANSFER_SEED: only this one. */
#include "protocol/base/memory.h"
#include "storage/env_memory.h"
#include "storage/random.h"
#include "tests/support/store_fixture.h"
#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SPACE STORE_NAMESPACE_DEFAULT
#define ACCOUNTS 6
#define OWNERS 3
#define OPEN_MAX 6
#define TRANSFERS_MAX 4000
#define FIRST_BALANCE 1000

struct transfer {
    uint64_t from;
    uint64_t to;
    uint64_t amount;
    uint64_t owner;
    uint64_t number; /* of the owner */
};

/* A transfer under way. */
struct open_transfer {
    struct store_transaction *txn; /* NULL: free */
    struct transfer transfer;
    int64_t balances[2];
    int step;
    bool submitted;
    _Atomic bool done;
    struct store_outcome outcome;
};

struct bank {
    struct fixture fixture;
    struct random random;
    uint64_t seed;
    struct open_transfer open[OPEN_MAX];
    struct transfer acknowledged[TRANSFERS_MAX];
    uint32_t acknowledged_count;
    uint32_t conflicts;
    uint32_t crashes;
};

static void give_up(const struct bank *bank, const char *what) {
    ck_abort_msg("TRANSFER_SEED=%llu: %s", (unsigned long long)bank->seed, what);
}

static struct slice account_key(uint64_t account, char *room) {
    return slice_make(room,
                      (size_t)snprintf(room, 32, "account/%llu", (unsigned long long)account));
}

/* ---- A transfer, step by step -----------------------------------------------------------------
 */

static enum status read_number(struct bank *bank, struct store_read *read, struct slice key,
                               int64_t *number_out) {
    struct buffer *value = &bank->fixture.value;
    char text[32] = "";
    enum status status;

    buffer_clear(value);
    status = store_get(read, SPACE, key, STORE_WAIT_ALLOWED, value, NULL, &bank->fixture.error);
    if (status == STATUS_OK) {
        memcpy(text, value->data, value->len < 31 ? value->len : 31);
        *number_out = strtoll(text, NULL, 10);
    }
    return status;
}

static enum status put_text(struct bank *bank, struct store_read *read, struct slice key,
                            const char *text) {
    struct store_put put = {.namespace_id = SPACE, .key = key, .value = slice_from_text(text)};

    return store_transaction_put(read, &put, STORE_WAIT_ALLOWED, &bank->fixture.error);
}

/* How many rows an owner has. */
static enum status count_rows(struct bank *bank, struct store_read *read, uint64_t owner,
                              uint64_t *count_out) {
    char from[32];
    char to[32];
    struct store_range range = {.namespace_id = SPACE};
    struct store_cursor *cursor;
    enum status status;

    snprintf(from, sizeof from, "row/%llu/", (unsigned long long)owner);
    snprintf(to, sizeof to, "row/%llu0", (unsigned long long)owner);
    range.from = slice_from_text(from);
    range.to = slice_from_text(to);
    *count_out = 0;
    status = store_cursor_open(read, &range, STORE_WAIT_ALLOWED, &cursor);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = store_cursor_next(cursor, NULL, NULL, &bank->fixture.error)) == STATUS_OK) {
        ++*count_out;
    }
    store_cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status write_row(struct bank *bank, struct store_read *read,
                             const struct transfer *transfer) {
    char key[48];
    char text[64];

    snprintf(key, sizeof key, "row/%llu/%08llu", (unsigned long long)transfer->owner,
             (unsigned long long)transfer->number);
    snprintf(text, sizeof text, "%llu %llu %llu", (unsigned long long)transfer->from,
             (unsigned long long)transfer->to, (unsigned long long)transfer->amount);
    return put_text(bank, read, slice_from_text(key), text);
}

static enum status write_balances(struct bank *bank, struct store_read *read,
                                  struct open_transfer *open) {
    int64_t amount = (int64_t)open->transfer.amount;
    char room[32];
    char text[32];
    enum status status;

    snprintf(text, sizeof text, "%lld", (long long)(open->balances[0] - amount));
    status = put_text(bank, read, account_key(open->transfer.from, room), text);
    if (status == STATUS_OK) {
        snprintf(text, sizeof text, "%lld", (long long)(open->balances[1] + amount));
        status = put_text(bank, read, account_key(open->transfer.to, room), text);
    }
    return status;
}

static enum status do_step(struct bank *bank, struct store_read *read, struct open_transfer *open) {
    char room[32];

    switch (open->step++) {
    case 0:
        return read_number(bank, read, account_key(open->transfer.from, room), &open->balances[0]);
    case 1:
        return count_rows(bank, read, open->transfer.owner, &open->transfer.number);
    case 2:
        return read_number(bank, read, account_key(open->transfer.to, room), &open->balances[1]);
    case 3:
        return write_row(bank, read, &open->transfer);
    default:
        return write_balances(bank, read, open);
    }
}

static void done_cb(void *arg, struct store_transaction *transaction,
                    const struct store_outcome *outcome) {
    struct open_transfer *open = arg;

    (void)transaction;

    open->outcome = *outcome;
    atomic_store(&open->done, true);
}

static void finish(struct bank *bank, struct open_transfer *open) {
    enum status status = open->outcome.status;

    if (status == STATUS_OK) {
        if (bank->acknowledged_count == TRANSFERS_MAX) {
            give_up(bank, "too many transfers");
        }
        bank->acknowledged[bank->acknowledged_count++] = open->transfer;
    } else if (status == STATUS_CONFLICT) {
        bank->conflicts++;
    } else if (!env_memory_crashed(bank->fixture.memory)) {
        give_up(bank, status_name(status));
    }
    store_transaction_destroy(open->txn);
    open->txn = NULL;
}

static void begin(struct bank *bank, struct open_transfer *open) {
    struct store_transaction_options options = {0};
    uint64_t from = random_below(&bank->random, ACCOUNTS);
    enum status status = store_transaction_begin(bank->fixture.store, &options, &open->txn);

    if (status != STATUS_OK) {
        give_up(bank, status_name(status));
    }
    open->transfer =
        (struct transfer){.from = from,
                          .to = (from + 1 + random_below(&bank->random, ACCOUNTS - 1)) % ACCOUNTS,
                          .amount = 1 + random_below(&bank->random, 50),
                          .owner = random_below(&bank->random, OWNERS)};
    open->step = 0;
    open->submitted = false;
    atomic_store(&open->done, false);
}

/* One step of one transfer. */
static void act(struct bank *bank) {
    struct open_transfer *open = &bank->open[random_below(&bank->random, OPEN_MAX)];
    struct store_read read;
    enum status status;

    if (!open->txn) {
        begin(bank, open);
    } else if (open->submitted) {
        if (atomic_load(&open->done)) {
            finish(bank, open);
        }
    } else if (open->step == 5) {
        open->submitted = true;
        store_transaction_submit(open->txn, STORE_SYNCED, done_cb, open);
    } else {
        status = store_read_begin_transaction(open->txn, &read);
        if (status == STATUS_OK) {
            status = do_step(bank, &read, open);
            store_read_end(&read);
        }
        if (status != STATUS_OK && !env_memory_crashed(bank->fixture.memory)) {
            give_up(bank, status_name(status));
        }
    }
    for (uint64_t i = random_below(&bank->random, 4); i > 0; i--) {
        (void)scheduler_sim_run_one(bank->fixture.scheduler, true);
    }
    if (random_below(&bank->random, 400) == 0) {
        status = store_flush(bank->fixture.store, &bank->fixture.error);
        (void)status; /* it may be cut off */
    }
}

/* ---- The crash, and after ---------------------------------------------------------------------
 */

/* What a store of this seed goes through until the power goes. */
static void live(struct bank *bank) {
    uint64_t acts = 200 + random_below(&bank->random, 600);

    for (uint64_t i = 0; i < acts; i++) {
        act(bank);
    }
    env_memory_set_crash_point(bank->fixture.memory, 1 + random_below(&bank->random, 30));
    for (uint64_t i = 0; i < 200 && !env_memory_crashed(bank->fixture.memory); i++) {
        act(bank);
    }
    for (int i = 0; i < 40; i++) {
        (void)scheduler_sim_run_one(bank->fixture.scheduler, true);
    }
}

/* Acknowledged is what was answered before; the others are let go when they are answered. */
static void crash(struct bank *bank) {
    struct power_cut cut = {.seed = random_next(&bank->random), .block_bytes = 512};

    cut.mode = random_below(&bank->random, 2) ? POWER_CUT_RANDOM_SUBSET : POWER_CUT_DROP_ALL;
    for (int i = 0; i < OPEN_MAX; i++) {
        struct open_transfer *open = &bank->open[i];
        if (open->txn && open->submitted && atomic_load(&open->done)) {
            finish(bank, open);
        }
    }
    for (int i = 0; i < OPEN_MAX; i++) {
        struct open_transfer *open = &bank->open[i];
        while (open->txn && open->submitted && !atomic_load(&open->done)) {
            if (!scheduler_sim_run_one(bank->fixture.scheduler, true)) {
                give_up(bank, "a transfer is never answered");
            }
        }
        if (open->txn && open->submitted) {
            finish(bank, open);
        }
        store_transaction_destroy(open->txn);
        open->txn = NULL;
    }
    fixture_power_cut(&bank->fixture, &cut);
    fixture_open(&bank->fixture);
    bank->crashes++;
}

/* Reads all rows: balances follow; marks what was acknowledged. */
static void replay_rows(struct bank *bank, struct store_read *read, int64_t *balances,
                        uint64_t *counts) {
    struct store_range range = {
        .namespace_id = SPACE, .from = slice_from_text("row/"), .to = slice_from_text("row0")};
    struct buffer key = {.cap = 256};
    struct buffer *value = &bank->fixture.value;
    struct store_cursor *cursor;
    enum status status = store_cursor_open(read, &range, STORE_WAIT_ALLOWED, &cursor);

    while (status == STATUS_OK) {
        unsigned long long owner, number, from, to, amount;
        char text[128] = "";
        buffer_clear(&key);
        buffer_clear(value);
        status = store_cursor_next(cursor, &key, NULL, &bank->fixture.error);
        if (status == STATUS_OK) {
            status = store_cursor_value(cursor, value, &bank->fixture.error);
        }
        if (status != STATUS_OK) {
            break;
        }
        snprintf(text, sizeof text, "%.*s %.*s", (int)key.len, (char *)key.data, (int)value->len,
                 (char *)value->data);
        if (sscanf(text, "row/%llu/%llu %llu %llu %llu", &owner, &number, &from, &to, &amount) !=
                5 ||
            owner >= OWNERS || from >= ACCOUNTS || to >= ACCOUNTS || number != counts[owner]++) {
            give_up(bank, text);
        }
        balances[from] -= (int64_t)amount;
        balances[to] += (int64_t)amount;
    }
    if (status != STATUS_END) {
        give_up(bank, status_name(status));
    }
    store_cursor_close(cursor);
    buffer_deinit(&key);
}

static void check_acknowledged(struct bank *bank, struct store_read *read) {
    for (uint32_t i = 0; i < bank->acknowledged_count; i++) {
        const struct transfer *transfer = &bank->acknowledged[i];
        struct buffer *value = &bank->fixture.value;
        char key[48];
        char text[64];
        enum status status;
        snprintf(key, sizeof key, "row/%llu/%08llu", (unsigned long long)transfer->owner,
                 (unsigned long long)transfer->number);
        snprintf(text, sizeof text, "%llu %llu %llu", (unsigned long long)transfer->from,
                 (unsigned long long)transfer->to, (unsigned long long)transfer->amount);
        buffer_clear(value);
        status = store_get(read, SPACE, slice_from_text(key), STORE_WAIT_ALLOWED, value, NULL,
                           &bank->fixture.error);
        if (status != STATUS_OK || !slice_equal(buffer_slice(value), slice_from_text(text))) {
            give_up(bank, "an acknowledged transfer is not there, or is another");
        }
    }
}

static void check(struct bank *bank) {
    int64_t balances[ACCOUNTS];
    uint64_t counts[OWNERS] = {0};
    struct store_read read;

    for (int i = 0; i < ACCOUNTS; i++) {
        balances[i] = FIRST_BALANCE;
    }
    store_read_begin(bank->fixture.store, &read);
    replay_rows(bank, &read, balances, counts);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        int64_t balance = 0;
        char room[32];
        enum status status = read_number(bank, &read, account_key(i, room), &balance);
        if (status != STATUS_OK || balance != balances[i]) {
            give_up(bank, "a balance is not what the transfers made it");
        }
    }
    check_acknowledged(bank, &read);
    store_read_end(&read);
}

static void run_seed(struct bank *bank, uint64_t seed) {
    char room[32];
    char text[32];

    *bank = (struct bank){.seed = seed, .random = random_make(seed)};
    fixture_init(&bank->fixture, seed);
    bank->fixture.options.memtable_bytes = 4096;
    fixture_open(&bank->fixture);
    snprintf(text, sizeof text, "%d", FIRST_BALANCE);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        struct slice key = account_key(i, room);
        ck_assert(key.len < sizeof room);
        fixture_put(&bank->fixture, room, text);
    }
    for (int i = 0; i < 3; i++) {
        live(bank);
        crash(bank);
        check(bank);
    }
    fixture_deinit(&bank->fixture);
}

static uint64_t number_from(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(transfers_are_whole_after_any_crash) {
    static const uint64_t first = 1;
    uint64_t one = number_from("TRANSFER_SEED", 0);
    uint64_t seeds = one ? 1 : number_from("TRANSFER_SEEDS", 600);
    uint64_t transfers = 0;
    uint64_t conflicts = 0;
    struct bank *bank = memory_alloc_zeroed(sizeof *bank);

    ck_assert_ptr_nonnull(bank);
    for (uint64_t i = 0; i < seeds; i++) {
        run_seed(bank, one ? one : first + i);
        transfers += bank->acknowledged_count;
        conflicts += bank->conflicts;
    }
    printf("%llu transfers, %llu conflicts\n", (unsigned long long)transfers,
           (unsigned long long)conflicts);
    ck_assert_uint_gt(transfers, 10 * seeds);
    ck_assert_uint_gt(conflicts, seeds);
    memory_free(bank);
}
END_TEST

UNIT_MAIN("transaction_simulation", transfers_are_whole_after_any_crash)
