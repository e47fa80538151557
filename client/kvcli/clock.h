/* clock.h: the time since some fixed moment, for measuring. Never goes back. */
#ifndef KVCLI_CLOCK_H
#define KVCLI_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void clock_sleep_ms(uint32_t ms) {
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&left, NULL);
}

#endif
