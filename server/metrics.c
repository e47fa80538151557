/* metrics.c: see metrics.h. */
#include "server/metrics.h"

#include "protocol/base/assert.h"

static const char *const names[] = {
#define METRICS_NAME(code, name) [METRIC_##code] = name,
    METRICS_LIST(METRICS_NAME)
#undef METRICS_NAME
};

const char *metrics_name(enum metric metric) {
    ASSERT(metric < METRIC_COUNT);
    return names[metric];
}

uint64_t metrics_sum(const struct metrics *all, uint32_t count, enum metric metric) {
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += metrics_value(&all[i], metric);
    }
    return sum;
}
