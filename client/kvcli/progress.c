/* progress.c: a bar on standard error. See progress.h. */
#include "client/kvcli/progress.h"

#include "client/kvcli/clock.h"
#include "client/kvcli/output.h"

#include <inttypes.h>

#define BAR_CELLS 30u
#define PAUSE_NS 100000000u

void progress_init(struct progress *progress, uint64_t total) {
    uint64_t now_ns = clock_now_ns();

    *progress = (struct progress){
        .shown = output_is_terminal(stderr), .total = total, .start_ns = now_ns, .next_ns = now_ns};
}

static void draw_bar(uint64_t done, uint64_t total) {
    uint64_t cells = done >= total ? BAR_CELLS : done * BAR_CELLS / total;

    fputc('[', stderr);
    for (uint64_t i = 0; i < BAR_CELLS; i++) {
        fputc(i < cells ? '#' : '.', stderr);
    }
    fprintf(stderr, "] %3" PRIu64 "%% ", done >= total ? 100 : done * 100 / total);
}

void progress_update(struct progress *progress, uint64_t done, uint64_t bytes) {
    uint64_t now_ns;
    double seconds;

    if (!progress->shown) {
        return;
    }
    now_ns = clock_now_ns();
    if (now_ns < progress->next_ns) {
        return;
    }
    progress->next_ns = now_ns + PAUSE_NS;
    seconds = (double)(now_ns - progress->start_ns + 1) / 1e9;
    fputs("\r\033[K", stderr);
    if (progress->total > 0) {
        draw_bar(done, progress->total);
    }
    fprintf(stderr, "%" PRIu64 " keys, %.1f MiB, %.0f keys/s, %.1f MiB/s", done,
            (double)bytes / 1048576, (double)done / seconds, (double)bytes / 1048576 / seconds);
    fflush(stderr);
}

void progress_clear(struct progress *progress) {
    if (progress->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
