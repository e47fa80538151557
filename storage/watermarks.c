/* watermarks.c: see watermarks.h. */
#include "storage/watermarks.h"

#include "protocol/base/assert.h"

void watermarks_init(struct watermarks *marks, uint64_t version) {
    *marks = (struct watermarks){.visible = version, .written = version, .durable = version};
    mutex_init(&marks->mu);
}

void watermarks_deinit(struct watermarks *marks) {
    ASSERT(marks->waiters == NULL);
    mutex_deinit(&marks->mu);
}

/* Takes the waiters out that need not wait any longer; all of them once the log has failed. */
static struct store_waiter *take_ready_locked(struct watermarks *marks) REQUIRES(marks->mu) {
    struct store_waiter **link = &marks->waiters;
    struct store_waiter *ready = NULL;

    while (*link) {
        struct store_waiter *waiter = *link;
        if (!marks->failed && !watermarks_passed(marks, &waiter->hold)) {
            link = &waiter->next;
            continue;
        }
        *link = waiter->next;
        waiter->next = ready; /* turns newest first into oldest first */
        ready = waiter;
    }
    return ready;
}

static void call_back(const struct watermarks *marks, struct store_waiter *ready) {
    while (ready) {
        struct store_waiter *waiter = ready;
        ready = waiter->next;
        waiter->next = NULL;
        waiter->done_cb(waiter,
                        watermarks_passed(marks, &waiter->hold) ? STATUS_OK : STATUS_UNKNOWN);
    }
}

static void release(struct watermarks *marks) {
    struct store_waiter *ready;

    mutex_lock(&marks->mu);
    ready = take_ready_locked(marks);
    mutex_unlock(&marks->mu);
    call_back(marks, ready);
}

void watermarks_raise_visible(struct watermarks *marks, uint64_t version) {
    ASSERT(version >= watermarks_visible(marks));
    atomic_store_explicit(&marks->visible, version, memory_order_release);
}

void watermarks_raise_written(struct watermarks *marks, uint64_t version) {
    ASSERT(version <= watermarks_visible(marks));
    ASSERT(version >= watermarks_written(marks));
    atomic_store_explicit(&marks->written, version, memory_order_release);
    release(marks);
}

void watermarks_raise_durable(struct watermarks *marks, uint64_t version) {
    uint64_t present = watermarks_durable(marks);

    ASSERT(version <= watermarks_written(marks));
    while (version > present &&
           !atomic_compare_exchange_weak_explicit(&marks->durable, &present, version,
                                                  memory_order_acq_rel, memory_order_acquire)) {
    }
    release(marks);
}

void watermarks_fail(struct watermarks *marks) {
    mutex_lock(&marks->mu);
    marks->failed = true;
    mutex_unlock(&marks->mu);
    release(marks);
}

void watermarks_wait(struct watermarks *marks, struct store_waiter *waiter) {
    bool waits;

    mutex_lock(&marks->mu);
    waits = !marks->failed && !watermarks_passed(marks, &waiter->hold);
    if (waits) {
        waiter->next = marks->waiters;
        marks->waiters = waiter;
    }
    mutex_unlock(&marks->mu);
    if (!waits) {
        waiter->next = NULL;
        call_back(marks, waiter);
    }
}

bool watermarks_cancel(struct watermarks *marks, struct store_waiter *waiter) {
    struct store_waiter **link;
    bool found;

    mutex_lock(&marks->mu);
    link = &marks->waiters;
    while (*link && *link != waiter) {
        link = &(*link)->next;
    }
    found = *link != NULL;
    if (found) {
        *link = waiter->next;
        waiter->next = NULL;
    }
    mutex_unlock(&marks->mu);
    return found;
}

void watermarks_hold_entry(const struct watermarks *marks, enum store_durability durability,
                           uint64_t version, struct store_hold *hold) {
    if (durability == STORE_LOGGED && version > hold->written_version &&
        version > watermarks_written(marks)) {
        hold->written_version = version;
    }
    if (durability == STORE_SYNCED && version > hold->durable_version &&
        version > watermarks_durable(marks)) {
        hold->durable_version = version;
    }
}
