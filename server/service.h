/* service.h: what all loops of a server share, constant after start but for what is atomic. */
#ifndef KVD_SERVER_SERVICE_H
#define KVD_SERVER_SERVICE_H

#include "server/client_list.h"
#include "server/client_memory.h"
#include "server/figures.h"
#include "server/hot_keys.h"
#include "server/latency.h"
#include "server/limits.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/slow_log.h"
#include "storage/store.h"

#define SERVICE_LOOPS_MAX CLIENT_MEMORY_LOOPS_MAX
#define SERVICE_METRICS_MAX (SERVICE_LOOPS_MAX + 1u) /* and the listener's */

/* What this server agrees to; the rest of the protocol's flags has its room but not its rules. */
#define SERVICE_FLAGS                                                                              \
    ((uint32_t)(WIRE_FLAG_DEADLINE | WIRE_FLAG_DURABILITY | WIRE_FLAG_TTL | WIRE_FLAG_EXPIRE_AT |  \
                WIRE_FLAG_CONDITION | WIRE_FLAG_NAMESPACE | WIRE_FLAG_CHECKSUM |                   \
                WIRE_FLAG_EXTENSIONS | WIRE_FLAG_WANT_CHECKSUM | WIRE_FLAG_TRANSACTION |           \
                WIRE_FLAG_RETRY_TOKEN) |                                                           \
     WIRE_FLAGS_STATE)

/* Requests that may take long share few slots, so that I/O threads are left to the others. */
enum service_slot {
    SERVICE_SLOT_NONE,
    SERVICE_SLOT_WALK,     /* through many keys or files: DIFF, REWIND, WHY */
    SERVICE_SLOT_MAINTAIN, /* MAINTAIN */
    SERVICE_SLOT_COUNT
};

#define SERVICE_WALKS_MAX 2u /* with one MAINTAIN beside them, one of four I/O threads is left */

struct service {
    struct store *store;       /* borrowed */
    struct log *log;           /* borrowed */
    struct settings *settings; /* borrowed; NULL: none */
    struct limits limits;
    uint64_t started_at_ms; /* since 1970 */
    /* may change while it runs (settings.h); relaxed */
    _Atomic uint32_t connections_max;
    _Atomic uint32_t idle_timeout_ms;  /* a connection without requests is closed; 0 is never */
    _Atomic uint32_t frame_timeout_ms; /* a started frame must have ended by then */
    _Atomic uint32_t durability;       /* enum store_durability of a write that does not say */
    /* what is counted */
    uint32_t metrics_count;
    struct metrics metrics[SERVICE_METRICS_MAX];  /* [0] the listener's, then one a loop */
    struct latency *latencies[SERVICE_LOOPS_MAX]; /* of the loops; NULL where there is none */
    struct hot_keys *hot_keys[SERVICE_LOOPS_MAX]; /* likewise */
    struct slow_log *slow_log;                    /* borrowed; NULL: none */
    struct client_list *clients;                  /* borrowed; NULL: none */
    struct figures_past *past;                    /* borrowed; NULL: none */
    struct client_memory client_memory;
    struct log_limit fault_limit;  /* lines about what clients sent */
    struct log_limit close_limit;  /* lines about connections closed for time or memory */
    struct log_limit accept_limit; /* lines about connections not accepted */
    void (*shed_cb)(void *arg, uint32_t loop); /* the memory of clients is over its limit */
    void *shed_arg;
    _Atomic uint32_t connections;    /* open or handed over; the listener adds, loops subtract */
    _Atomic uint32_t strangers;      /* those of them that have not said HELLO; likewise */
    _Atomic uint64_t connection_ids; /* given so far; relaxed */
    _Atomic uint64_t upload_ids;     /* likewise */
    _Atomic uint32_t slots[SERVICE_SLOT_COUNT]; /* taken; relaxed */
};

/* A connection was accepted. Returns how many there were before. The listener's thread. */
static inline uint32_t service_connection_came(struct service *service) {
    atomic_fetch_add_explicit(&service->strangers, 1, memory_order_relaxed);
    return atomic_fetch_add_explicit(&service->connections, 1, memory_order_relaxed);
}

/* It has said HELLO. Any thread, as below. */
static inline void service_connection_greeted(struct service *service) {
    atomic_fetch_sub_explicit(&service->strangers, 1, memory_order_relaxed);
}

/* It is over; `greeted` tells whether the above was called for it. */
static inline void service_connection_left(struct service *service, bool greeted) {
    if (!greeted) {
        atomic_fetch_sub_explicit(&service->strangers, 1, memory_order_relaxed);
    }
    atomic_fetch_sub_explicit(&service->connections, 1, memory_order_relaxed);
}

/* Takes one of the slots; false if all are taken. Any thread. */
static inline bool service_slot_take(struct service *service, enum service_slot slot) {
    uint32_t slots_max = slot == SERVICE_SLOT_WALK ? SERVICE_WALKS_MAX : 1;

    if (slot == SERVICE_SLOT_NONE) {
        return true;
    }
    if (atomic_fetch_add_explicit(&service->slots[slot], 1, memory_order_relaxed) < slots_max) {
        return true;
    }
    atomic_fetch_sub_explicit(&service->slots[slot], 1, memory_order_relaxed);
    return false;
}

static inline void service_slot_give(struct service *service, enum service_slot slot) {
    if (slot != SERVICE_SLOT_NONE) {
        atomic_fetch_sub_explicit(&service->slots[slot], 1, memory_order_relaxed);
    }
}

static inline enum store_durability service_durability(const struct service *service) {
    return (enum store_durability)atomic_load_explicit(&service->durability, memory_order_relaxed);
}

#endif
