/* nearest.c: how far a mistyped name is from a known one.
 *
 * The optimal string alignment distance, by the usual table of which three rows are kept: row i
 * holds the distance of the first i characters of a to each beginning of b. */
#include "server/nearest.h"

#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Row i (from 1) out of row i - 1 and row i - 2. */
static void fill_row(const char *a, const char *b, size_t i, const size_t *before[2], size_t *row) {
    size_t b_len = strlen(b);

    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
        size_t replaced = before[0][j - 1] + (a[i - 1] != b[j - 1]);
        row[j] = least(replaced, least(before[0][j], row[j - 1]) + 1);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
            row[j] = least(row[j], before[1][j - 2] + 1);
        }
    }
}

size_t nearest_distance(const char *a, const char *b) {
    size_t rows[3][NEAREST_NAME_MAX + 1] = {{0}};
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len > NEAREST_NAME_MAX || b_len > NEAREST_NAME_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        const size_t *before[2] = {rows[(i - 1) % 3], rows[(i + 1) % 3]};
        fill_row(a, b, i, before, rows[i % 3]);
    }
    return rows[a_len % 3][b_len];
}

bool nearest_is_near(const char *name, size_t distance) {
    size_t third = strlen(name) / 3;

    return distance <= (third > 2 ? third : 2);
}
