/* process.c: see process.h. */
#include "server/process.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <uv.h>

#define DESCRIPTORS_ASSUMED 1024u /* if the limit cannot be read */
#define DESCRIPTORS_MAX (1u << 20)

/* libuv may ask for nothing. */
static void *allocate(size_t bytes) {
    return memory_alloc(bytes > 0 ? bytes : 1);
}

static void *allocate_array(size_t count, size_t bytes) {
    return memory_alloc_array(count > 0 ? count : 1, bytes > 0 ? bytes : 1);
}

static void *resize(void *ptr, size_t bytes) {
    return memory_resize(ptr, bytes > 0 ? bytes : 1);
}

static uint64_t raise_descriptors(void) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return DESCRIPTORS_ASSUMED;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {limit.rlim_max, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            limit = raised;
        }
    }
    return limit.rlim_cur < DESCRIPTORS_MAX ? limit.rlim_cur : DESCRIPTORS_MAX;
}

uint64_t process_prepare(void) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    umask(077);
    ASSERT(sigaction(SIGPIPE, &ignore, NULL) == 0);
    ASSERT(sigaction(SIGXFSZ, &ignore, NULL) == 0); /* a limit on files is an error of write() */
    ASSERT(uv_replace_allocator(allocate, resize, allocate_array, memory_free) == 0);
    return raise_descriptors();
}
