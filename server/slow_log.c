/* slow_log.c: see slow_log.h. */
#include "server/slow_log.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <string.h>
#include <uv.h>

struct slow_log {
    _Atomic uint64_t threshold_us; /* relaxed; UINT64_MAX: none */
    uint32_t entries_max;          /* constant */
    uv_mutex_t mu;
    /* guarded by mu */
    uint64_t newest;             /* number of the newest; 0: there never was one */
    uint64_t oldest;             /* all below were cleared */
    struct slow_entry entries[]; /* by number % entries_max */
};

enum status slow_log_create(uint32_t entries_max, struct slow_log **log_out) {
    struct slow_log *log;

    ASSERT(entries_max > 0);
    log = memory_alloc_zeroed(sizeof *log + entries_max * sizeof log->entries[0]);
    if (!log) {
        return STATUS_NO_MEMORY;
    }
    log->entries_max = entries_max;
    log->oldest = 1;
    atomic_init(&log->threshold_us, UINT64_MAX);
    ASSERT(uv_mutex_init(&log->mu) == 0);
    *log_out = log;
    return STATUS_OK;
}

void slow_log_destroy(struct slow_log *log) {
    if (log) {
        uv_mutex_destroy(&log->mu);
        memory_free(log);
    }
}

void slow_log_set_threshold(struct slow_log *log, uint64_t threshold_us) {
    atomic_store_explicit(&log->threshold_us, threshold_us > 0 ? threshold_us : UINT64_MAX,
                          memory_order_relaxed);
}

bool slow_log_wants(const struct slow_log *log, uint64_t total_us) {
    return log && total_us >= atomic_load_explicit(&log->threshold_us, memory_order_relaxed);
}

void slow_log_add(struct slow_log *log, const struct slow_entry *entry) {
    struct slow_entry *place;

    uv_mutex_lock(&log->mu);
    place = &log->entries[++log->newest % log->entries_max];
    *place = *entry;
    place->number = log->newest;
    if (log->newest - log->oldest >= log->entries_max) {
        log->oldest = log->newest - log->entries_max + 1;
    }
    uv_mutex_unlock(&log->mu);
}

bool slow_log_take(struct slow_log *log, uint64_t before, struct slow_entry *entry_out) {
    uint64_t number;
    bool found;

    uv_mutex_lock(&log->mu);
    number = before == 0 || before > log->newest ? log->newest : before - 1;
    found = number >= log->oldest;
    if (found) {
        *entry_out = log->entries[number % log->entries_max];
    }
    uv_mutex_unlock(&log->mu);
    return found;
}

void slow_log_clear(struct slow_log *log) {
    uv_mutex_lock(&log->mu);
    log->oldest = log->newest + 1;
    uv_mutex_unlock(&log->mu);
}

void slow_note_set(struct slow_note *note, struct slice key, uint64_t frame_bytes) {
    size_t kept = key.len < sizeof note->key ? key.len : sizeof note->key;

    note->bytes = frame_bytes;
    note->key_len = key.len;
    if (kept > 0) {
        memcpy(note->key, key.ptr, kept);
    }
}
