/* bench_cpu.c: CPU time. See bench_cpu.h. */
#include "client/kvcli/bench_cpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t microseconds(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

uint64_t bench_cpu_own_us(void) {
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0
               ? microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
               : 0;
}

enum status bench_cpu_of_us(uint64_t pid, uint64_t *us_out) {
    char path[64];
    char text[1024];
    const char *name_end;
    uint64_t user;
    uint64_t system;
    size_t len;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%" PRIu64 "/stat", pid);
    file = fopen(path, "re");
    if (!file) {
        return STATUS_IO;
    }
    len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = 0;
    name_end = strrchr(text, ')'); /* the name may hold anything; fields 3.. follow it */
    if (!name_end ||
        sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
               &user, &system) != 2) {
        return STATUS_CORRUPT;
    }
    *us_out = (user + system) * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    return STATUS_OK;
}
