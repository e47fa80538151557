/* segment_pins.c: see segment_pins.h. */
#include "storage/segment_pins.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <stdlib.h>

#define PINS_FIRST 8

void segment_pins_init(struct segment_pins *pins) {
    *pins = (struct segment_pins){.count = 0};
    mutex_init(&pins->mu);
}

void segment_pins_deinit(struct segment_pins *pins) {
    ASSERT(pins->count == 0);
    memory_free(pins->pins);
    mutex_deinit(&pins->mu);
}

static struct segment_pin *find_locked(struct segment_pins *pins, uint64_t segment)
    REQUIRES(pins->mu) {
    for (size_t i = 0; i < pins->count; i++) {
        if (pins->pins[i].segment == segment) {
            return &pins->pins[i];
        }
    }
    return NULL;
}

static enum status add_locked(struct segment_pins *pins, uint64_t segment) REQUIRES(pins->mu) {
    struct segment_pin *pin = find_locked(pins, segment);

    if (pin) {
        pin->count++;
        return STATUS_OK;
    }
    if (pins->count == pins->capacity) {
        size_t capacity = pins->capacity ? 2 * pins->capacity : PINS_FIRST;
        struct segment_pin *grown = memory_resize(pins->pins, capacity * sizeof *grown);
        if (!grown) {
            return STATUS_NO_MEMORY;
        }
        pins->pins = grown;
        pins->capacity = capacity;
    }
    pins->pins[pins->count++] = (struct segment_pin){segment, 1};
    return STATUS_OK;
}

enum status segment_pins_add(struct segment_pins *pins, uint64_t segment) {
    enum status status;

    mutex_lock(&pins->mu);
    status = add_locked(pins, segment);
    mutex_unlock(&pins->mu);
    return status;
}

void segment_pins_remove(struct segment_pins *pins, uint64_t segment) {
    struct segment_pin *pin;

    mutex_lock(&pins->mu);
    pin = find_locked(pins, segment);
    ASSERT(pin);
    if (--pin->count == 0) {
        *pin = pins->pins[--pins->count];
    }
    mutex_unlock(&pins->mu);
}

size_t segment_pins_count(struct segment_pins *pins) {
    size_t count;

    mutex_lock(&pins->mu);
    count = pins->count;
    mutex_unlock(&pins->mu);
    return count;
}

static enum status copy_locked(struct segment_pins *pins, uint64_t **segments_out,
                               size_t *count_out) REQUIRES(pins->mu) {
    uint64_t *segments;

    if (pins->count == 0) {
        return STATUS_OK;
    }
    segments = memory_alloc_array(pins->count, sizeof *segments);
    if (!segments) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < pins->count; i++) {
        segments[i] = pins->pins[i].segment;
    }
    *segments_out = segments;
    *count_out = pins->count;
    return STATUS_OK;
}

static int order_by_number(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

enum status segment_pins_copy(struct segment_pins *pins, uint64_t **segments_out,
                              size_t *count_out) {
    enum status status;

    *segments_out = NULL;
    *count_out = 0;
    mutex_lock(&pins->mu);
    status = copy_locked(pins, segments_out, count_out);
    mutex_unlock(&pins->mu);
    if (*count_out > 1) {
        qsort(*segments_out, *count_out, sizeof **segments_out, order_by_number);
    }
    return status;
}

bool segment_pins_list_has(const uint64_t *segments, size_t count, uint64_t segment) {
    return count > 0 && bsearch(&segment, segments, count, sizeof segment, order_by_number);
}
