/* store_serial_test.c: random transactions in random interleavings, by seed: those that commit
 * could have run one after the other in the order of their versions, and exactly those end with
 * CONFLICT that must (txn_script.h). Memtables are flushed and compacted meanwhile, the window of
 * conflicts is cut, the store is reopened, the power goes.
 *
 *     SERIAL_SEED=17 SERIAL_ROUNDS=1 build/tests/unit/store_serial_test */
#include "storage/random.h"
#include "tests/support/txn_script.h"
#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdio.h>

#define KEYS 8u
#define STEPS 7u

struct serial {
    struct fixture fixture;
    struct random random;
    uint32_t runs;
    uint32_t conflicts;
    bool may_be_old;
};

static uint64_t number_from(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static char letter(struct serial *serial) {
    return (char)('a' + random_below(&serial->random, KEYS));
}

/* A script of a few steps, among few keys. */
static struct script random_script(struct serial *serial) {
    static const char kinds[] = "rrrrsSlLwww+ddD";
    struct random *random = &serial->random;
    char text[STEPS * 6 + 8] = "";
    uint64_t plain = random_below(random, 6);
    uint64_t steps = 1 + random_below(random, STEPS - 2);
    size_t len = 0;

    if (plain > 0) {
        len += (size_t)snprintf(text, sizeof text, "%s", plain == 1 ? "B " : "b ");
    }
    for (uint64_t i = 0; i < steps; i++) {
        char kind = kinds[random_below(random, sizeof kinds - 1)];
        char from = letter(serial);
        char to = (char)(from + 1 + (char)random_below(random, 4));
        bool writes = kind == 'w' || kind == '+' || kind == 'd' || kind == 'D';
        if (plain <= 1 && writes != (plain == 0)) {
            kind = plain == 0 ? 'w' : 's';
        }
        len += (size_t)snprintf(text + len, sizeof text - len, "%c:%c-%c ", kind, from, to);
    }
    snprintf(text + len, sizeof text - len, "%s",
             plain > 0 && random_below(random, 8) == 0 ? "a" : "c");
    return script_parse(text);
}

/* What happens to a store beside. */
static void disturb(struct serial *serial) {
    struct fixture *fixture = &serial->fixture;
    enum status status = STATUS_OK;

    switch (random_below(&serial->random, 40)) {
    case 0:
        status = store_flush(fixture->store, &fixture->error);
        break;
    case 1:
        status = store_compact(fixture->store, &fixture->error);
        break;
    case 2:
        fixture_settle(fixture);
        break;
    case 3:
        fixture_put_bytes(fixture, "filler", 20000, serial->runs);
        break;
    default:
        break;
    }
    ck_assert_int_eq(status, STATUS_OK);
}

static void run_one(struct serial *serial) {
    struct script_run run;
    uint64_t count = 2 + random_below(&serial->random, SCRIPT_TXNS_MAX - 1);
    uint64_t left = 0;

    script_run_begin(&run, &serial->fixture, serial->runs++);
    run.together = random_below(&serial->random, 3) == 0;
    for (uint64_t i = 0; i < count; i++) {
        struct script script = random_script(serial);
        script_run_add(&run, &script);
        left += script.count;
    }
    while (left > 0) {
        left -= script_run_step(&run, (uint32_t)random_below(&serial->random, count));
        if (random_below(&serial->random, 4) == 0) {
            disturb(serial);
        }
    }
    serial->conflicts += script_run_end(&run, serial->may_be_old);
}

static void begin(struct serial *serial, uint64_t seed) {
    *serial = (struct serial){0};
    fixture_init(&serial->fixture, seed);
    serial->fixture.options.value_threshold = 64;
    serial->random = random_make(seed);
    printf("SERIAL_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
}

static void run_many(struct serial *serial, uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; i++) {
        run_one(serial);
    }
}

START_TEST(random_transactions_are_serializable) {
    uint64_t seed = number_from("SERIAL_SEED", 1);

    for (uint64_t i = 0; i < number_from("SERIAL_SEEDS", 20); i++) {
        struct serial serial;
        begin(&serial, seed + i);
        fixture_open(&serial.fixture);
        run_many(&serial, number_from("SERIAL_ROUNDS", 300));
        ck_assert_uint_gt(serial.conflicts, 10);
        ck_assert_uint_eq(fixture_stat(&serial.fixture, "conflict_window_memtables"), 0);
        ck_assert_uint_eq(fixture_stat(&serial.fixture, "transactions_too_old"), 0);
        fixture_deinit(&serial.fixture);
    }
}
END_TEST

START_TEST(they_stay_so_when_the_window_is_cut) {
    struct serial serial;

    begin(&serial, number_from("SERIAL_SEED", 100));
    serial.may_be_old = true;
    serial.fixture.options.conflict_bytes = 1;
    fixture_open(&serial.fixture);
    run_many(&serial, number_from("SERIAL_ROUNDS", 300));
    ck_assert_uint_gt(serial.conflicts, 10);
    ck_assert_uint_gt(fixture_stat(&serial.fixture, "transactions_too_old"), 0);
    fixture_deinit(&serial.fixture);
}
END_TEST

/* Each run is judged before the power goes; what it left, if it was durable, is there after. */
START_TEST(they_stay_so_over_opens_and_power_cuts) {
    struct serial serial;

    begin(&serial, number_from("SERIAL_SEED", 200));
    fixture_open(&serial.fixture);
    for (int i = 0; i < 20; i++) {
        struct power_cut cut = {.seed = (uint64_t)i + 1};
        run_many(&serial, 10);
        if (i % 2 == 0) {
            fixture_reopen(&serial.fixture);
        } else {
            fixture_power_cut(&serial.fixture, &cut);
            fixture_open(&serial.fixture);
        }
    }
    fixture_deinit(&serial.fixture);
}
END_TEST

UNIT_MAIN("store_serial", random_transactions_are_serializable, they_stay_so_when_the_window_is_cut,
          they_stay_so_over_opens_and_power_cuts)
