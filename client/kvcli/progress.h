/* progress.h: a bar on standard error while something long goes on, if that is a terminal. */
#ifndef KVCLI_PROGRESS_H
#define KVCLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;     /* standard error is a terminal */
    uint64_t total; /* steps; 0 unknown */
    uint64_t start_ns;
    uint64_t next_ns; /* not drawn again before */
};

/* `total` may be set later, while it is not known. */
void progress_init(struct progress *progress, uint64_t total);

/* Draws, at most ten times a second: steps done, bytes done. */
void progress_update(struct progress *progress, uint64_t done, uint64_t bytes);

/* Removes the bar; call it before other output. */
void progress_clear(struct progress *progress);

#endif
