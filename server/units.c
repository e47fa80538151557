/* units.c: sizes and durations as people write them. */
#include "server/units.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Ascending, ended by an empty line. */
static const struct unit size_units[] = {
    {"B", 1},  {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40},
    {NULL, 0},
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static enum status parse_digits(struct slice *text, uint64_t *number_out) {
    uint64_t number = 0;
    size_t digits = 0;

    while (digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9') {
        uint64_t digit = (uint64_t)(text->ptr[digits] - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return STATUS_TOO_LARGE;
        }
        number = number * 10 + digit;
        digits++;
    }
    *text = slice_make(text->ptr + digits, text->len - digits);
    *number_out = number;
    return digits > 0 ? STATUS_OK : STATUS_INVALID;
}

/* Reads a number and one of the units; `bare_max` is the greatest number without a unit. */
static enum status parse(struct slice text, const struct unit *units, uint64_t bare_max,
                         uint64_t *number_out) {
    uint64_t number;
    enum status status = text.len > 0 ? parse_digits(&text, &number) : STATUS_INVALID;

    if (status != STATUS_OK) {
        return status;
    }
    if (text.len == 0 && number <= bare_max) {
        *number_out = number;
        return STATUS_OK;
    }
    while (units->name && !slice_equal(text, slice_from_text(units->name))) {
        units++;
    }
    if (!units->name) {
        return STATUS_INVALID;
    }
    if (__builtin_mul_overflow(number, units->factor, &number)) {
        return STATUS_TOO_LARGE;
    }
    *number_out = number;
    return STATUS_OK;
}

static size_t write_number(uint64_t number, const struct unit *units,
                           char text_out[UNITS_TEXT_MAX]) {
    const struct unit *best = units;

    for (const struct unit *unit = units; unit->name; unit++) {
        best = number % unit->factor == 0 && number > 0 ? unit : best;
    }
    return (size_t)snprintf(text_out, UNITS_TEXT_MAX, "%" PRIu64 "%s", number / best->factor,
                            number > 0 ? best->name : "");
}

enum status units_parse_size(struct slice text, uint64_t *bytes_out) {
    return parse(text, size_units, UINT64_MAX, bytes_out);
}

enum status units_parse_duration(struct slice text, uint64_t *ms_out) {
    return parse(text, duration_units, 0, ms_out);
}

size_t units_write_size(uint64_t bytes, char text_out[UNITS_TEXT_MAX]) {
    return write_number(bytes, size_units, text_out);
}

size_t units_write_duration(uint64_t ms, char text_out[UNITS_TEXT_MAX]) {
    return write_number(ms, duration_units, text_out);
}
