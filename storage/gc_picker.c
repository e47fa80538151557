/* gc_picker.c: see gc_picker.h. */
#include "storage/gc_picker.h"

#include "protocol/base/assert.h"

#include <stdlib.h>

static uint64_t live_bytes(const struct segment_account *account) {
    return account->file_bytes - segment_account_unreferenced(account);
}

bool gc_may_collect(const struct segment_account *account, const struct gc_rules *rules) {
    bool flushed = account->kind != SEGMENT_COMMIT || account->segment < rules->replay_segment;

    return account->sealed && flushed && !account->damaged && segment_account_is_held(account) &&
           !segment_pins_list_has(rules->pinned, rules->pinned_count, account->segment);
}

/* Whether more of `a` is dead than of `b`; the older one wins among equals. */
static bool is_better(const struct segment_account *a, const struct segment_account *b) {
    double left = (double)segment_account_unreferenced(a) * (double)b->file_bytes;
    double right = (double)segment_account_unreferenced(b) * (double)a->file_bytes;

    return left > right || (left == right && a->segment < b->segment);
}

static bool is_dead_enough(const struct segment_account *account, const struct gc_rules *rules) {
    uint64_t dead = segment_account_unreferenced(account);
    return dead > 0 && dead >= account->file_bytes / 100 * rules->dead_percent_min;
}

static bool is_small(const struct segment_account *account, const struct gc_rules *rules) {
    return account->file_bytes < rules->segment_bytes / GC_SMALL_FRACTION;
}

static bool is_picked(const struct gc_pick *pick, uint64_t segment) {
    for (uint32_t i = 0; i < pick->count; i++) {
        if (pick->victims[i] == segment) {
            return true;
        }
    }
    return false;
}

/* A pick in the making. */
struct picking {
    const struct segment_account *accounts;
    size_t count;
    const struct gc_rules *rules;
    struct gc_pick *pick;
    uint64_t records;
};

static uint64_t records_of(const struct segment_account *account) {
    return account->records + account->alias_records;
}

static bool has_room_for(const struct picking *picking, const struct segment_account *account) {
    return picking->pick->count < GC_VICTIMS_MAX &&
           picking->pick->live_bytes + live_bytes(account) <= picking->rules->segment_bytes &&
           picking->records + records_of(account) <= GC_RECORDS_MAX;
}

static void take(struct picking *picking, const struct segment_account *account) {
    struct gc_pick *pick = picking->pick;

    ASSERT(pick->count < GC_VICTIMS_MAX);
    pick->victims[pick->count++] = account->segment;
    pick->file_bytes += account->file_bytes;
    pick->live_bytes += live_bytes(account);
    picking->records += records_of(account);
}

/* The best one that is not taken yet, fits, and passes `wanted`. */
static const struct segment_account *best(const struct picking *picking,
                                          bool (*wanted)(const struct segment_account *,
                                                         const struct gc_rules *)) {
    const struct segment_account *found = NULL;

    for (size_t i = 0; i < picking->count; i++) {
        const struct segment_account *account = &picking->accounts[i];
        if (gc_may_collect(account, picking->rules) && wanted(account, picking->rules) &&
            (!found || is_better(account, found)) &&
            (picking->pick->count == 0 || has_room_for(picking, account)) &&
            !is_picked(picking->pick, account->segment)) {
            found = account;
        }
    }
    return found;
}

static void take_all(struct picking *picking,
                     bool (*wanted)(const struct segment_account *, const struct gc_rules *)) {
    const struct segment_account *account = best(picking, wanted);

    while (account) {
        take(picking, account);
        account = best(picking, wanted);
    }
}

static int order_by_number(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

bool gc_pick(const struct segment_account *accounts, size_t count, const struct gc_rules *rules,
             struct gc_pick *pick_out) {
    struct picking picking = {
        .accounts = accounts, .count = count, .rules = rules, .pick = pick_out};
    bool worth_it;

    *pick_out = (struct gc_pick){.count = 0};
    take_all(&picking, is_dead_enough);
    worth_it = pick_out->count > 0;
    take_all(&picking, is_small);
    if (!worth_it && pick_out->count < GC_SMALL_MIN) {
        *pick_out = (struct gc_pick){.count = 0};
        return false;
    }
    qsort(pick_out->victims, pick_out->count, sizeof pick_out->victims[0], order_by_number);
    return true;
}
