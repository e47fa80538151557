/* plan.h: what a configuration means in numbers: pure.
 *
 *      memory_limit = memtables, metadata, jobs ... + clients (a quarter at most) + block cache
 *
 * The cache is what the others leave. Of the clients' quarter a single value takes at most a
 * quarter, so that a few large requests fit beside each other; 24 MiB at most. Descriptors are
 * shared likewise: the engine keeps some for its files, connections get the rest. */
#ifndef KVD_SERVER_PLAN_H
#define KVD_SERVER_PLAN_H

#include "server/config.h"
#include "server/limits.h"
#include "storage/store.h"

#define PLAN_DESCRIPTORS_OWN 128u /* logs, loops, listeners, standard streams, directories */

struct plan {
    struct limits limits;
    struct store_options store; /* dir borrows from the config; log callback unset */
    uint32_t loop_count;
    uint32_t connections_possible; /* by descriptors */
    bool connections_cut;          /* fewer connections than configured, for want of descriptors */
};

/* `descriptors` is how many the process may open, `processors` how many the machine has. */
void plan_make(const struct config *config, uint64_t descriptors, uint32_t processors,
               struct plan *plan_out);

#endif
