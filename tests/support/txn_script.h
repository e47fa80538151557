/* txn_script.h: transactions as short texts, run in any interleaving, and judged afterwards by a
 * model that knows nothing of the engine.
 *
 *      b        begins; B begins read-only
 *      r:k      reads the key
 *      s:f-t    reads all keys from f to before t, S:f-t the same in reverse
 *      l:f-t    reads the first key of the range only, L:f-t the last
 *      w:k      writes the key: a number that depends on all that was read so far
 *      +:k      adds 1
 *      d:k      deletes the key; D:f-t deletes the range
 *      c        commits; a rolls back
 *
 * A plain commit, outside of transactions, is a script without b: "w:k c". Keys are small letters.
 *
 * What is judged: every transaction, however it ended, saw the state of its begin beside its own
 * writes. Those that committed would have read the same where their version puts them: so the order
 * of versions is an order in which they could have run one after the other. And one ended with
 * CONFLICT if, and only if, one that committed since its begin wrote what it had read. */
#ifndef KVD_TESTS_TXN_SCRIPT_H
#define KVD_TESTS_TXN_SCRIPT_H

#include "tests/support/store_fixture.h"

#define SCRIPT_STEPS_MAX 16
#define SCRIPT_TXNS_MAX 8
#define SCRIPT_KEYS 26

struct script_step {
    char kind;
    uint8_t from;
    uint8_t to;
};

struct script {
    struct script_step steps[SCRIPT_STEPS_MAX];
    uint32_t count;
    bool read_only;
    bool plain; /* no transaction */
};

/* What a transaction did so far. */
struct script_txn {
    struct script script;
    uint32_t next; /* step */
    struct store_transaction *txn;
    struct store_commit *commit;         /* plain */
    uint64_t results[SCRIPT_STEPS_MAX];  /* a sum of what each step read */
    uint64_t last_key[SCRIPT_STEPS_MAX]; /* of l: the key found; SCRIPT_KEYS: none */
    uint64_t begin_version;
    uint64_t begin_commits; /* committed before it began */
    _Atomic bool done;
    struct store_outcome outcome;
    bool submitted;
};

struct script_run {
    struct fixture *fixture;
    char prefix[16]; /* of its keys, so that runs do not meet */
    struct script_txn txns[SCRIPT_TXNS_MAX];
    uint32_t count;
    uint64_t initial; /* bits: keys that are there at first */
    bool together;    /* commits wait in the queue until script_run_end */
};

struct script script_parse(const char *text);

/* Puts the initial keys; every third letter is absent at first. */
void script_run_begin(struct script_run *run, struct fixture *fixture, uint32_t number);
void script_run_add(struct script_run *run, const struct script *script);

/* Runs the next step of a transaction; false when it has none left. */
bool script_run_step(struct script_run *run, uint32_t txn);

/* Completes what waits, judges all as said above, and ends the transactions. Returns how many ended
 * with CONFLICT. `may_be_old`: TXN_TOO_OLD is accepted in place of any outcome but OK. */
uint32_t script_run_end(struct script_run *run, bool may_be_old);

#endif
