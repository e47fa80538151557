/* bench_cpu.c: CPU time. See bench_cpu.h. */
#include "client/kvcli/bench_cpu.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define USER_FIELD 14 /* utime, in proc(5); stime is next */

static uint64_t microseconds(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

uint64_t bench_cpu_own_us(void) {
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0
               ? microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
               : 0;
}

/* Where the n-th of words begins, each with one space before it; NULL if there are fewer. */
static const char *nth_field(const char *text, int n) {
    for (; text && n >= 0; n--) {
        text = strchr(text, ' ');
        text = text ? text + 1 : NULL;
    }
    return text;
}

enum status bench_cpu_of_us(uint64_t pid, uint64_t *us_out) {
    char path[64];
    char text[1024];
    const char *name_end;
    const char *field;
    char *end;
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
    name_end = strrchr(text, ')'); /* the name may hold anything; field 3 follows it */
    field = name_end ? nth_field(name_end + 1, USER_FIELD - 3) : NULL;
    if (!field) {
        return STATUS_CORRUPT;
    }
    errno = 0;
    user = strtoull(field, &end, 10);
    system = strtoull(end, &end, 10);
    if (errno != 0 || *end != ' ') {
        return STATUS_CORRUPT;
    }
    *us_out = (user + system) * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    return STATUS_OK;
}
