/* memory_budget.c: see memory_budget.h. */
#include "storage/memory_budget.h"

#include "protocol/base/memory.h"

#include <stddef.h>

#define LOOK_MS 200 /* a full-speed writer fills 64 MiB in more than that */

uint64_t memory_budget_share(uint64_t limit_bytes, uint64_t used_bytes, uint64_t cache_bytes) {
    uint64_t part = limit_bytes / BUDGET_PART;
    uint64_t others = used_bytes > cache_bytes ? used_bytes - cache_bytes : 0;
    uint64_t taken = others + BUDGET_SPARE * part + BUDGET_SPARE_BYTES;
    uint64_t share = limit_bytes > taken ? limit_bytes - taken : 0;

    share = share > BUDGET_CACHE_MIN * part ? share : BUDGET_CACHE_MIN * part;
    return share < BUDGET_CACHE_MAX * part ? share : BUDGET_CACHE_MAX * part;
}

/* Changes the capacity only when that is worth the walk over the shards. */
static void look(struct memory_budget *budget) {
    uint64_t part = budget->limit_bytes / BUDGET_PART;
    struct block_cache_stats stats;
    uint64_t share;
    uint64_t change;

    block_cache_read_stats(budget->cache, &stats);
    share = memory_budget_share(budget->limit_bytes, memory_bytes_in_use(), stats.bytes);
    change =
        share > stats.capacity_bytes ? share - stats.capacity_bytes : stats.capacity_bytes - share;
    if (change > part / 2 || share == BUDGET_CACHE_MIN * part) {
        block_cache_set_capacity(budget->cache, share);
    }
}

static void look_step(struct step *step) {
    struct memory_budget *budget =
        (struct memory_budget *)((char *)step - offsetof(struct memory_budget, step));

    look(budget);
    mutex_lock(&budget->mu);
    if (!budget->stopping) {
        scheduler_post_after(budget->scheduler, LANE_BACKGROUND, &budget->step, LOOK_MS);
    }
    mutex_unlock(&budget->mu);
}

void memory_budget_start(struct memory_budget *budget, struct block_cache *cache,
                         struct scheduler *scheduler, uint64_t limit_bytes) {
    *budget =
        (struct memory_budget){.cache = cache, .scheduler = scheduler, .limit_bytes = limit_bytes};
    mutex_init(&budget->mu);
    step_init(&budget->step, look_step);
    look(budget);
    scheduler_post_after(scheduler, LANE_BACKGROUND, &budget->step, LOOK_MS);
}

void memory_budget_stop(struct memory_budget *budget) {
    mutex_lock(&budget->mu);
    budget->stopping = true;
    scheduler_cancel(budget->scheduler, LANE_BACKGROUND, &budget->step);
    mutex_unlock(&budget->mu);
}

void memory_budget_deinit(struct memory_budget *budget) {
    if (budget->scheduler) {
        mutex_deinit(&budget->mu);
        *budget = (struct memory_budget){0};
    }
}
