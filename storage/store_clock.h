/* store_clock.h: the store's time: milliseconds since 1970 that never go back.
 *
 * Store time = max(wall clock, last store time + monotonic time since). A wall clock that is set
 * back stands still for the store until it has caught up, but time goes on with the monotonic
 * clock; after a restart it begins at the largest time found in the log and the manifest. So an
 * expired key never comes back (R15). Any thread. */
#ifndef KVD_STORAGE_STORE_CLOCK_H
#define KVD_STORAGE_STORE_CLOCK_H

#include "storage/env.h"

#include <stdatomic.h>

struct store_clock {
    struct env *env;          /* borrowed; constant */
    uint64_t base_ms;         /* constant: store time at init */
    uint64_t base_mono_ns;    /* constant: monotonic clock at init */
    _Atomic uint64_t last_ms; /* relaxed: only its own order matters */
};

/* Time starts at no less than `least_ms`. */
void store_clock_init(struct store_clock *clock, struct env *env, uint64_t least_ms);

uint64_t store_clock_now_ms(struct store_clock *clock);

#endif
