/* top_sample.c: see top_sample.h. */
#include "client/kvcli/top_sample.h"

#include "client/kvcli/clock.h"
#include "client/kvcli/text.h"

#include <string.h>
#include <time.h>

void top_sample_begin(struct top_sample *sample) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    sample->at_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    sample->at_ns = clock_now_ns();
    sample->count = 0;
}

void top_sample_add(const char *name, const char *value, void *arg) {
    struct top_sample *sample = arg;
    struct top_line *line = &sample->lines[sample->count];

    if (sample->count == TOP_SAMPLE_LINES_MAX || strlen(name) >= TOP_NAME_BYTES_MAX ||
        text_parse_number(value, &line->value) != STATUS_OK) {
        return;
    }
    memcpy(line->name, name, strlen(name) + 1);
    sample->count++;
}

bool top_sample_find(const struct top_sample *sample, const char *name, uint64_t *value_out) {
    for (size_t i = 0; i < sample->count; i++) {
        if (strcmp(sample->lines[i].name, name) == 0) {
            *value_out = sample->lines[i].value;
            return true;
        }
    }
    return false;
}
