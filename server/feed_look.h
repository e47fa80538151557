/* feed_look.h: one look at the feed after another, for an answer that waits until there is
 * something to tell.
 *
 *      look: nothing --wait until more is durable--> look: nothing --wait--> look: changes,
 * answered or the time is over: answered
 *
 * Each look begins where the one before ended. With every one that found nothing, twice as many
 * versions are waited for, since others seem to write elsewhere; a sweep looks before that. */
#ifndef KVD_SERVER_FEED_LOOK_H
#define KVD_SERVER_FEED_LOOK_H

#include "storage/store.h"

#define FEED_LOOK_WAIT_MS_MAX 60000u
#define FEED_LOOK_VERSIONS_MAX 64u

struct feed_look {
    bool resumed;                        /* `position` is where the last look ended */
    bool waits;                          /* the last look found nothing up to durable_version */
    struct store_feed_position position; /* the next begins here */
    uint64_t durable_version;
    uint32_t versions; /* so many more are waited for; 0 before the first look */
};

/* What the next look waits for. */
static inline struct store_hold feed_look_hold(struct feed_look *look) {
    look->versions = look->versions == 0                       ? 1
                     : look->versions < FEED_LOOK_VERSIONS_MAX ? 2 * look->versions
                                                               : FEED_LOOK_VERSIONS_MAX;
    return (struct store_hold){.durable_version = look->durable_version + look->versions};
}

/* Whether another look may find something, though its wait is not over. */
static inline bool feed_look_is_due(const struct feed_look *look, const struct store *store) {
    return store_durable_version(store) > look->durable_version;
}

#endif
