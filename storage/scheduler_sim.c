/* scheduler_sim.c: the deterministic scheduler: one thread, an order drawn from a seed, made-up
 * time.
 *
 *      due:      COMMIT [a b c]   SYNC [d]   IO {e f}   BACKGROUND {g}
 *      choices:         a              d          e f              g      <- one is drawn
 *      delayed:  (soonest first, each with its lane)
 *
 * Of the lanes with due steps one is drawn; COMMIT and SYNC give their oldest step, IO and
 * BACKGROUND any of theirs. The same seed and the same posts give the same run. Each step takes
 * STEP_NS of made-up time, so that a loop which measures time sees it pass; waiting takes none of
 * the real one.
 *
 * All calls come from one thread, posts from within steps included. */
#include "storage/scheduler.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/random.h"

#define STEP_NS 1000
#define NS_PER_MS UINT64_C(1000000)

struct sim {
    struct scheduler scheduler; /* first: what callers see */
    struct random random;
    uint64_t now_ns;                  /* since creation */
    struct step *due[LANE_COUNT];     /* oldest first */
    struct step *delayed[LANE_COUNT]; /* soonest first, equals in order of posting */
    bool running;                     /* inside a step */
};

static struct sim *sim_of(struct scheduler *scheduler) {
    return (struct sim *)scheduler;
}

static void push_last(struct step **list, struct step *step) {
    while (*list) {
        list = &(*list)->next;
    }
    step->next = NULL;
    *list = step;
}

/* Takes a step out of a list; false when it is not in it. */
static bool take(struct step **list, struct step *step) {
    while (*list && *list != step) {
        list = &(*list)->next;
    }
    if (!*list) {
        return false;
    }
    *list = step->next;
    step->next = NULL;
    step->queued = false;
    return true;
}

static uint32_t count_of(const struct step *list) {
    uint32_t count = 0;
    for (; list; list = list->next) {
        count++;
    }
    return count;
}

static void promote(struct sim *sim) {
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        while (sim->delayed[lane] && sim->delayed[lane]->not_before_ns <= sim->now_ns) {
            struct step *step = sim->delayed[lane];
            sim->delayed[lane] = step->next;
            push_last(&sim->due[lane], step);
        }
    }
}

/* Draws among the due steps; NULL when there is none. */
static struct step *choose(struct sim *sim) {
    uint32_t lanes[LANE_COUNT];
    uint32_t lane_count = 0;
    uint64_t skip = 0;
    uint32_t lane;
    struct step *step;
    bool taken;

    for (lane = 0; lane < LANE_COUNT; lane++) {
        if (sim->due[lane]) {
            lanes[lane_count++] = lane;
        }
    }
    if (lane_count == 0) {
        return NULL;
    }
    lane = lanes[random_below(&sim->random, lane_count)];
    if (lane == LANE_IO || lane == LANE_WALK || lane == LANE_BACKGROUND) {
        skip = random_below(&sim->random, count_of(sim->due[lane]));
    }
    for (step = sim->due[lane]; skip > 0; skip--) {
        step = step->next;
    }
    taken = take(&sim->due[lane], step);
    ASSERT(taken);
    return step;
}

/* The soonest of all delayed steps. */
static const struct step *soonest(const struct sim *sim) {
    const struct step *first = NULL;
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        const struct step *step = sim->delayed[lane];
        if (step && (!first || step->not_before_ns < first->not_before_ns)) {
            first = step;
        }
    }
    return first;
}

bool scheduler_sim_run_one(struct scheduler *scheduler, bool may_wait) {
    struct sim *sim = sim_of(scheduler);
    const struct step *first;
    struct step *step;

    ASSERT(!sim->running); /* a step must not run others inside itself */
    promote(sim);
    step = choose(sim);
    first = step ? NULL : soonest(sim);
    if (first && may_wait) {
        sim->now_ns = first->not_before_ns;
        promote(sim);
        step = choose(sim);
    }
    if (!step) {
        return false;
    }
    sim->running = true;
    step->run_cb(step); /* the step may be gone from here on */
    sim->running = false;
    sim->now_ns += STEP_NS;
    return true;
}

uint64_t scheduler_sim_now_ns(const struct scheduler *scheduler) {
    return ((const struct sim *)scheduler)->now_ns;
}

static void sim_post(struct scheduler *scheduler, enum lane lane, struct step *step) {
    ASSERT((unsigned)lane < LANE_COUNT);
    ASSERT(!step->queued);
    step->queued = true;
    push_last(&sim_of(scheduler)->due[lane], step);
}

static void sim_post_after(struct scheduler *scheduler, enum lane lane, struct step *step,
                           uint64_t delay_ms) {
    struct sim *sim = sim_of(scheduler);
    struct step **link;

    ASSERT((unsigned)lane < LANE_COUNT);
    ASSERT(!step->queued);
    ASSERT(delay_ms <= SCHEDULER_DELAY_MS_MAX);
    step->queued = true;
    step->not_before_ns = sim->now_ns + delay_ms * NS_PER_MS;
    for (link = &sim->delayed[lane]; *link && (*link)->not_before_ns <= step->not_before_ns;) {
        link = &(*link)->next;
    }
    step->next = *link;
    *link = step;
}

static bool sim_cancel(struct scheduler *scheduler, enum lane lane, struct step *step) {
    struct sim *sim = sim_of(scheduler);
    bool taken;

    ASSERT((unsigned)lane < LANE_COUNT);
    if (!step->queued) {
        return false;
    }
    taken = take(&sim->due[lane], step) || take(&sim->delayed[lane], step);
    ASSERT(taken); /* else it is queued in another lane */
    return true;
}

static void sim_drain(struct scheduler *scheduler) {
    while (scheduler_sim_run_one(scheduler, false)) {
    }
}

static void sim_destroy(struct scheduler *scheduler) {
    sim_drain(scheduler);
    ASSERT(!soonest(sim_of(scheduler))); /* cancel it first: nobody would run it */
    memory_free(scheduler);
}

enum status scheduler_sim_create(uint64_t seed, struct scheduler **scheduler_out) {
    static const struct scheduler_ops ops = {.post = sim_post,
                                             .post_after = sim_post_after,
                                             .cancel = sim_cancel,
                                             .drain = sim_drain,
                                             .destroy = sim_destroy};
    struct sim *sim = memory_alloc_zeroed(sizeof *sim);
    if (!sim) {
        return STATUS_NO_MEMORY;
    }
    sim->scheduler.ops = &ops;
    sim->random = random_make(seed);
    *scheduler_out = &sim->scheduler;
    return STATUS_OK;
}
