/* lock.h: mutexes and condition variables with annotations that clang can prove.
 *
 * Thin wrappers of pthread ones: they cannot fail (a failure is a mistake of ours and asserted),
 * and condition variables wait on the monotonic clock, so that a jump of the wall clock neither
 * hastens nor delays anything.
 *
 * Under clang, functions marked REQUIRES, ACQUIRE, RELEASE or EXCLUDES are checked at compile time
 * by -Wthread-safety. Fields marked GUARDED_BY are checked from clang 22 on (with
 * -fexperimental-late-parse-attributes and KVD_GUARDED_FIELDS defined): older ones cannot tie a C
 * field to the lock of its own struct, and there the mark is for the reader. Under gcc all vanish.
 */
#ifndef KVD_STORAGE_LOCK_H
#define KVD_STORAGE_LOCK_H

#include "protocol/base/assert.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__clang__)
#define LOCK_ATTRIBUTE(x) __attribute__((x))
#else
#define LOCK_ATTRIBUTE(x)
#endif

#if defined(KVD_GUARDED_FIELDS)
#define LOCK_FIELD_ATTRIBUTE(x) LOCK_ATTRIBUTE(x)
#else
#define LOCK_FIELD_ATTRIBUTE(x)
#endif

#define CAPABILITY(name) LOCK_ATTRIBUTE(capability(name))         /* a struct is a lock */
#define GUARDED_BY(mu) LOCK_FIELD_ATTRIBUTE(guarded_by(mu))       /* a field needs mu */
#define PT_GUARDED_BY(mu) LOCK_FIELD_ATTRIBUTE(pt_guarded_by(mu)) /* what it points at needs mu */
#define REQUIRES(mu) LOCK_ATTRIBUTE(requires_capability(mu))      /* the caller holds mu */
#define EXCLUDES(mu) LOCK_ATTRIBUTE(locks_excluded(mu))           /* the caller must not hold mu */
#define ACQUIRE(mu) LOCK_ATTRIBUTE(acquire_capability(mu))        /* returns with mu held */
#define RELEASE(mu) LOCK_ATTRIBUTE(release_capability(mu))        /* returns with mu let go */
#define TRY_ACQUIRE(mu) LOCK_ATTRIBUTE(try_acquire_capability(true, mu))
#define NO_LOCK_ANALYSIS LOCK_ATTRIBUTE(no_thread_safety_analysis)

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

struct CAPABILITY("mutex") mutex {
    pthread_mutex_t pthread;
};

struct condvar {
    pthread_cond_t pthread;
};

static inline void mutex_init(struct mutex *mutex) {
    int failed = pthread_mutex_init(&mutex->pthread, NULL);
    ASSERT(failed == 0);
}

static inline void mutex_deinit(struct mutex *mutex) {
    int failed = pthread_mutex_destroy(&mutex->pthread);
    ASSERT(failed == 0);
}

static inline void mutex_lock(struct mutex *mutex) ACQUIRE(*mutex) NO_LOCK_ANALYSIS {
    int failed = pthread_mutex_lock(&mutex->pthread);
    ASSERT(failed == 0);
}

/* False when another thread holds it. */
static inline bool mutex_try_lock(struct mutex *mutex) TRY_ACQUIRE(*mutex) NO_LOCK_ANALYSIS {
    return pthread_mutex_trylock(&mutex->pthread) == 0;
}

static inline void mutex_unlock(struct mutex *mutex) RELEASE(*mutex) NO_LOCK_ANALYSIS {
    int failed = pthread_mutex_unlock(&mutex->pthread);
    ASSERT(failed == 0);
}

/* The clock of condvar_wait_until, in nanoseconds. */
static inline uint64_t lock_clock_ns(void) {
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline void condvar_init(struct condvar *condvar) {
    pthread_condattr_t attr;
    int failed = pthread_condattr_init(&attr);
    failed |= pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&condvar->pthread, &attr);
    failed |= pthread_condattr_destroy(&attr);
    ASSERT(failed == 0);
}

static inline void condvar_deinit(struct condvar *condvar) {
    int failed = pthread_cond_destroy(&condvar->pthread);
    ASSERT(failed == 0);
}

/* May return without a signal; the caller looks at its condition again. */
static inline void condvar_wait(struct condvar *condvar, struct mutex *mutex) REQUIRES(*mutex) {
    int failed = pthread_cond_wait(&condvar->pthread, &mutex->pthread);
    ASSERT(failed == 0);
}

/* The same, but returns false once lock_clock_ns() has reached `deadline_ns`. */
static inline bool condvar_wait_until(struct condvar *condvar, struct mutex *mutex,
                                      uint64_t deadline_ns) REQUIRES(*mutex) {
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                                .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    int failed = pthread_cond_timedwait(&condvar->pthread, &mutex->pthread, &deadline);
    ASSERT(failed == 0 || failed == ETIMEDOUT);
    return failed == 0;
}

static inline void condvar_signal(struct condvar *condvar) {
    int failed = pthread_cond_signal(&condvar->pthread);
    ASSERT(failed == 0);
}

static inline void condvar_broadcast(struct condvar *condvar) {
    int failed = pthread_cond_broadcast(&condvar->pthread);
    ASSERT(failed == 0);
}

#endif
