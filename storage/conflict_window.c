/* conflict_window.c: see conflict_window.h. */
#include "storage/conflict_window.h"

#include "protocol/base/assert.h"

#include <string.h>

/* Memtables on their way out, to be freed when the mutex is not held. */
struct dropped {
    struct memtable *memtables[WINDOW_MEMTABLES_MAX];
    uint32_t count;
};

static void dropped_free(struct dropped *dropped) {
    for (uint32_t i = 0; i < dropped->count; i++) {
        memtable_unref(dropped->memtables[i]);
    }
}

void conflict_window_init(struct conflict_window *window, const struct watermarks *marks,
                          uint64_t bytes_max) {
    *window = (struct conflict_window){
        .marks = marks, .bytes_max = bytes_max, .floor = watermarks_visible(marks)};
    mutex_init(&window->mu);
}

static void raise_floor_locked(struct conflict_window *window, const struct memtable *memtable)
    REQUIRES(window->mu) {
    uint64_t version = memtable_version_max(memtable);
    window->floor = version > window->floor ? version : window->floor;
}

static void drop_oldest_locked(struct conflict_window *window, struct dropped *dropped)
    REQUIRES(window->mu) {
    struct memtable *memtable = window->retained[0];

    window->retained_count--;
    memmove((void *)window->retained, (void *)(window->retained + 1),
            window->retained_count * sizeof window->retained[0]);
    window->retained_bytes -= memtable_bytes(memtable);
    raise_floor_locked(window, memtable);
    dropped->memtables[dropped->count++] = memtable;
}

void conflict_window_deinit(struct conflict_window *window) {
    struct dropped dropped = {.count = 0};

    ASSERT(!window->oldest);
    mutex_lock(&window->mu);
    while (window->retained_count > 0) {
        drop_oldest_locked(window, &dropped);
    }
    mutex_unlock(&window->mu);
    dropped_free(&dropped);
    mutex_deinit(&window->mu);
}

/* ---- Tickets ----------------------------------------------------------------------------------
 */

/* Most come as the newest. */
static void link_locked(struct conflict_window *window, struct window_ticket *ticket)
    REQUIRES(window->mu) {
    struct window_ticket *older = window->newest;

    while (older && older->version > ticket->version) {
        older = older->older;
    }
    ticket->older = older;
    ticket->newer = older ? older->newer : window->oldest;
    *(ticket->newer ? &ticket->newer->older : &window->newest) = ticket;
    *(older ? &older->newer : &window->oldest) = ticket;
    ticket->entered = true;
    window->open++;
}

static void unlink_locked(struct conflict_window *window, struct window_ticket *ticket)
    REQUIRES(window->mu) {
    *(ticket->newer ? &ticket->newer->older : &window->newest) = ticket->older;
    *(ticket->older ? &ticket->older->newer : &window->oldest) = ticket->newer;
    *ticket = (struct window_ticket){0};
    window->open--;
}

void conflict_window_enter(struct conflict_window *window, struct window_ticket *ticket,
                           uint64_t deadline_ms) {
    mutex_lock(&window->mu);
    *ticket = (struct window_ticket){.version = watermarks_visible(window->marks),
                                     .deadline_ms = deadline_ms};
    ASSERT(ticket->version >= window->floor); /* what was flushed is visible */
    link_locked(window, ticket);
    mutex_unlock(&window->mu);
}

enum status conflict_window_enter_at(struct conflict_window *window, struct window_ticket *ticket,
                                     uint64_t version, uint64_t deadline_ms) {
    enum status status;

    mutex_lock(&window->mu);
    status = version < window->floor ? STATUS_TXN_TOO_OLD : STATUS_OK;
    if (status == STATUS_OK) {
        *ticket = (struct window_ticket){.version = version, .deadline_ms = deadline_ms};
        link_locked(window, ticket);
    }
    mutex_unlock(&window->mu);
    return status;
}

/* Lets go of what is not newer than any open transaction. */
static void drop_needless_locked(struct conflict_window *window, struct dropped *dropped)
    REQUIRES(window->mu) {
    while (
        window->retained_count > 0 &&
        (!window->oldest || memtable_version_max(window->retained[0]) <= window->oldest->version)) {
        drop_oldest_locked(window, dropped);
    }
}

void conflict_window_leave(struct conflict_window *window, struct window_ticket *ticket) {
    struct dropped dropped = {.count = 0};

    mutex_lock(&window->mu);
    if (ticket->entered) {
        unlink_locked(window, ticket);
        drop_needless_locked(window, &dropped);
    }
    mutex_unlock(&window->mu);
    dropped_free(&dropped);
}

/* ---- Memtables --------------------------------------------------------------------------------
 */

/* Whether an open transaction, not past its deadline, is older. */
static bool is_needed_locked(const struct conflict_window *window, uint64_t version,
                             uint64_t now_ms) REQUIRES(window->mu) {
    const struct window_ticket *ticket = window->oldest;

    while (ticket && ticket->version < version && ticket->deadline_ms <= now_ms) {
        ticket = ticket->newer;
    }
    return ticket && ticket->version < version;
}

static bool is_full_locked(const struct conflict_window *window, uint64_t bytes)
    REQUIRES(window->mu) {
    return window->retained_count > 0 && (window->retained_count == WINDOW_MEMTABLES_MAX ||
                                          window->retained_bytes + bytes > window->bytes_max);
}

/* Room for it beside the others; whether it is to be kept. */
static bool make_room_locked(struct conflict_window *window, const struct memtable *memtable,
                             uint64_t now_ms, struct dropped *dropped) REQUIRES(window->mu) {
    while (window->retained_count > 0 &&
           !is_needed_locked(window, memtable_version_max(window->retained[0]), now_ms)) {
        drop_oldest_locked(window, dropped);
    }
    if (!is_needed_locked(window, memtable_version_max(memtable), now_ms)) {
        return false;
    }
    while (is_full_locked(window, memtable_bytes(memtable))) {
        drop_oldest_locked(window, dropped);
        window->cuts++;
    }
    return window->retained_bytes + memtable_bytes(memtable) <= window->bytes_max;
}

static bool is_newest_locked(const struct conflict_window *window, const struct memtable *memtable)
    REQUIRES(window->mu) {
    return window->retained_count > 0 && window->retained[window->retained_count - 1] == memtable;
}

void conflict_window_retire(struct conflict_window *window, struct memtable *memtable,
                            uint64_t now_ms) {
    struct dropped dropped = {.count = 0};

    mutex_lock(&window->mu);
    if (!is_newest_locked(window, memtable)) {
        if (make_room_locked(window, memtable, now_ms, &dropped)) {
            memtable_ref(memtable);
            window->retained[window->retained_count++] = memtable;
            window->retained_bytes += memtable_bytes(memtable);
        } else {
            window->cuts += is_needed_locked(window, memtable_version_max(memtable), now_ms);
            raise_floor_locked(window, memtable);
        }
    }
    mutex_unlock(&window->mu);
    dropped_free(&dropped);
}

enum status conflict_window_take(struct conflict_window *window, uint64_t version,
                                 struct memtable *memtables_out[WINDOW_MEMTABLES_MAX],
                                 uint32_t *count_out) {
    enum status status;
    uint32_t count = 0;

    mutex_lock(&window->mu);
    status = version < window->floor ? STATUS_TXN_TOO_OLD : STATUS_OK;
    for (uint32_t i = 0; i < window->retained_count && status == STATUS_OK; i++) {
        if (memtable_version_max(window->retained[i]) > version) {
            memtables_out[count] = window->retained[i];
            memtable_ref(memtables_out[count++]);
        }
    }
    mutex_unlock(&window->mu);
    if (status == STATUS_OK) {
        *count_out = count;
    }
    return status;
}

void conflict_window_forget(struct conflict_window *window, uint64_t version) {
    mutex_lock(&window->mu);
    window->floor = version > window->floor ? version : window->floor;
    mutex_unlock(&window->mu);
}

void conflict_window_read_stats(struct conflict_window *window,
                                struct conflict_window_stats *stats_out) {
    mutex_lock(&window->mu);
    *stats_out = (struct conflict_window_stats){.open = window->open,
                                                .memtables = window->retained_count,
                                                .bytes = window->retained_bytes,
                                                .cuts = window->cuts};
    mutex_unlock(&window->mu);
}
