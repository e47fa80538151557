/* figures.c: see figures.h. */
#include "server/figures.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <string.h>
#include <uv.h>

struct figures_past {
    uv_mutex_t mu;
    /* guarded by mu */
    uint32_t count; /* kept so far, the last of them at (count - 1) % FIGURES_KEPT */
    struct figures kept[FIGURES_KEPT];
};

static const struct {
    const char *name;
    bool grows;
} table[FIGURE_COUNT] = {
#define FIGURES_ROW(code, name, grows) [FIGURE_##code] = {name, grows},
    FIGURES_LIST(FIGURES_ROW)
#undef FIGURES_ROW
};

static void stats_cb(void *arg, const char *name, uint64_t value) {
    struct figures *figures = arg;

    for (uint32_t i = 0; i < FIGURE_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            figures->values[i] = value;
            return;
        }
    }
}

void figures_take(struct store *store, uint64_t now_ms, struct figures *figures_out) {
    *figures_out = (struct figures){.at_ms = now_ms};
    store_stats(store, stats_cb, figures_out);
}

void figures_subtract(const struct figures *now, const struct figures *before,
                      struct figures *growth_out) {
    growth_out->at_ms = now->at_ms > before->at_ms ? now->at_ms - before->at_ms : 0;
    for (uint32_t i = 0; i < FIGURE_COUNT; i++) {
        uint64_t base = table[i].grows ? before->values[i] : 0;
        growth_out->values[i] = now->values[i] > base ? now->values[i] - base : 0;
    }
}

enum status figures_past_create(struct figures_past **past_out) {
    struct figures_past *past = memory_alloc_zeroed(sizeof *past);

    if (!past) {
        return STATUS_NO_MEMORY;
    }
    ASSERT(uv_mutex_init(&past->mu) == 0);
    *past_out = past;
    return STATUS_OK;
}

void figures_past_destroy(struct figures_past *past) {
    if (past) {
        uv_mutex_destroy(&past->mu);
        memory_free(past);
    }
}

void figures_past_keep(struct figures_past *past, const struct figures *figures) {
    if (past) {
        uv_mutex_lock(&past->mu);
        past->kept[past->count++ % FIGURES_KEPT] = *figures;
        uv_mutex_unlock(&past->mu);
    }
}

bool figures_past_find(struct figures_past *past, uint64_t now_ms, struct figures *figures_out) {
    uint32_t there;

    if (!past) {
        return false;
    }
    uv_mutex_lock(&past->mu);
    there = past->count < FIGURES_KEPT ? past->count : FIGURES_KEPT;
    for (uint32_t back = 1; back <= there; back++) { /* the newest first; ends with the oldest */
        *figures_out = past->kept[(past->count - back) % FIGURES_KEPT];
        if (now_ms >= figures_out->at_ms + FIGURES_RECENT_MS) {
            break;
        }
    }
    uv_mutex_unlock(&past->mu);
    return there > 0;
}
