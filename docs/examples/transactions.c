/* transactions.c: money moves between two accounts, whole or not at all; then a compare and set.
 *
 *     cc transactions.c $(pkg-config --cflags --libs kvd) -o transactions
 *     ./transactions 127.0.0.1:4411
 *
 * It uses the keys "bank/..." and leaves none behind. Exits with 0 if all went as it should.
 */
#include <kvd/kvd.h>
#include <stdio.h>
#include <stdlib.h>

struct transfer {
    const char *from;
    const char *to;
    long amount;
    bool meddle; /* another connection writes in between, the first time */
    struct kvd *other;
    int attempts;
};

static enum kvd_status balance(struct kvd *db, uint64_t transaction, const char *account,
                               long *balance_out) {
    const struct kvd_read_options inside = {.at = {.transaction = transaction}};
    char text[32] = "";
    enum kvd_status status =
        kvd_get_into(db, kvd_text(account), &inside, text, sizeof text - 1, NULL);

    *balance_out = strtol(text, NULL, 10);
    return status;
}

/* Called again, from the beginning, whenever another was first. */
static enum kvd_status move(struct kvd *db, uint64_t transaction, void *arg) {
    const struct kvd_write_options inside = {.transaction = transaction};
    struct transfer *transfer = arg;
    enum kvd_status status;
    long has;

    status = balance(db, transaction, transfer->from, &has);
    if (status != KVD_OK) {
        return status;
    }
    if (has < transfer->amount) {
        return KVD_INVALID; /* nothing is moved; kvd_transact returns this */
    }
    if (transfer->attempts++ == 0 && transfer->meddle) {
        kvd_add(transfer->other, kvd_text(transfer->from), -1, NULL, NULL, NULL);
    }
    status = kvd_add(db, kvd_text(transfer->from), -transfer->amount, &inside, NULL, NULL);
    if (status == KVD_OK) {
        status = kvd_add(db, kvd_text(transfer->to), transfer->amount, &inside, NULL, NULL);
    }
    return status;
}

static bool transfers(struct kvd *db, struct kvd *other) {
    struct transfer fair = {"bank/ada", "bank/alan", 30, true, other, 0};
    struct transfer greedy = {"bank/ada", "bank/alan", 1000, false, other, 0};
    enum kvd_status status;
    long ada;
    long alan;

    kvd_add(db, kvd_text("bank/ada"), 100, NULL, NULL, NULL);
    kvd_add(db, kvd_text("bank/alan"), 0, NULL, NULL, NULL);
    status = kvd_transact(db, move, &fair, NULL, NULL);
    printf("30 moved: %s, attempts: %d\n", kvd_status_name(status), fair.attempts);
    if (status != KVD_OK || kvd_transact(db, move, &greedy, NULL, NULL) != KVD_INVALID) {
        return false;
    }
    balance(db, 0, "bank/ada", &ada);
    balance(db, 0, "bank/alan", &alan);
    printf("ada %ld, alan %ld\n", ada, alan);
    return ada == 69 && alan == 30;
}

static void tell(uint32_t index, const struct kvd_item_result *result, void *arg) {
    (void)arg;
    if (result->is_read) {
        printf("item %u read %.*s\n", index, (int)result->value.len,
               (const char *)result->value.ptr);
    }
}

/* Takes the lock if nobody has it, and else reads who has: in one round trip. */
static bool take_lock(struct kvd *db, const char *who, bool expected) {
    const struct kvd_comparison free_lock = {
        .kind = KVD_COMPARE_PRESENCE, .relation = KVD_DIFFERENT, .key = kvd_text("bank/lock")};
    const struct kvd_write_options lease = {.ttl_ms = 60000};
    struct kvd_decision decision = {.comparisons = &free_lock, .comparison_count = 1};
    struct kvd_decided decided = {.result_cb = tell};
    struct kvd_batch *take;
    struct kvd_batch *look;
    enum kvd_status status = KVD_NO_MEMORY;

    if (kvd_batch_create(&take) != KVD_OK || kvd_batch_create(&look) != KVD_OK) {
        return false;
    }
    decision.if_held = take;
    decision.otherwise = look;
    if (kvd_batch_put(take, kvd_text("bank/lock"), kvd_text(who), &lease) == KVD_OK &&
        kvd_batch_get(look, kvd_text("bank/lock")) == KVD_OK) {
        status = kvd_decide(db, &decision, NULL, &decided);
    }
    printf("%s %s the lock\n", who, decided.held ? "has" : "does not have");
    kvd_batch_destroy(take);
    kvd_batch_destroy(look);
    return status == KVD_OK && decided.held == expected;
}

int main(int argc, char **argv) {
    struct kvd *db = NULL;
    struct kvd *other = NULL;
    bool good;

    if (argc != 2) {
        fprintf(stderr, "usage: %s HOST:PORT | unix:PATH\n", argv[0]);
        return 2;
    }
    good =
        kvd_connect(argv[1], NULL, &db) == KVD_OK && kvd_connect(argv[1], NULL, &other) == KVD_OK;
    good = good && transfers(db, other);
    good = good && take_lock(db, "Ada", true) && take_lock(db, "Alan", false);
    kvd_delete_prefix(db, kvd_text("bank/"), NULL, NULL);
    kvd_close(other);
    kvd_close(db);
    return good ? 0 : EXIT_FAILURE;
}
