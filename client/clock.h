/* clock.h: milliseconds for deadlines, from the monotonic clock. Any thread. */
#ifndef KVD_CLIENT_CLOCK_H
#define KVD_CLIENT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The same from a clock that goes on while the machine sleeps. */
static inline int64_t clock_awake_or_not_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What is left until `deadline_ms`, as poll takes it. */
static inline int clock_left_ms(int64_t deadline_ms) {
    int64_t left_ms = deadline_ms - clock_now_ms();

    return left_ms <= 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

#endif
