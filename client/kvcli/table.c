/* table.c: see table.h. */
#include "client/kvcli/table.h"

#include "client/kvcli/cli.h"
#include "client/kvcli/output.h"
#include "client/kvcli/style.h"
#include "client/kvcli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CELL_BYTES_MAX 32 /* of a number, a size, a time */
#define BYTES_MAX ((size_t)256 << 20)

bool table_wanted(const struct options *options) {
    return !options->json && output_is_terminal(stdout);
}

static size_t width_of(const char *text, size_t len) {
    size_t width = 0;

    for (size_t i = 0; i < len; i++) {
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return width;
}

static const char *head_of(const struct table *table, size_t column) {
    return table->heads[column] + (table->heads[column][0] == '>');
}

void table_init(struct table *table, const char *const *heads, size_t columns) {
    *table = (struct table){.heads = heads, .columns = columns};
    buffer_init(&table->bytes, BYTES_MAX);
    for (size_t i = 0; i < columns; i++) {
        table->widths[i] = strlen(head_of(table, i));
    }
}

void table_deinit(struct table *table) {
    buffer_deinit(&table->bytes);
}

void table_key(struct table *table, struct kvd_bytes key) {
    struct slice rest = slice_make(key.ptr, key.len);
    size_t begin = table->bytes.len;
    size_t *wide = &table->widths[table->cells++ % table->columns];
    size_t width;

    while (rest.len > 0 && !table->failed) {
        char step[TEXT_ESCAPED_BYTES_MAX];
        size_t taken;
        size_t len = text_escape_step(rest, step, &taken);
        table->failed = buffer_append(&table->bytes, step, len) != STATUS_OK;
        rest = slice_make(rest.ptr + taken, rest.len - taken);
    }
    table->failed = table->failed || buffer_append_u8(&table->bytes, 0) != STATUS_OK;
    if (!table->failed) {
        width = width_of((const char *)table->bytes.data + begin, table->bytes.len - begin - 1);
        *wide = width > *wide ? width : *wide;
    }
}

void table_text(struct table *table, const char *text) {
    table_key(table, kvd_text(text));
}

void table_number(struct table *table, uint64_t number) {
    char text[CELL_BYTES_MAX];

    snprintf(text, sizeof text, "%" PRIu64, number);
    table_text(table, text);
}

void table_bytes_text(char *text, size_t room, uint64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = (double)bytes;
    size_t unit = 0;

    while (amount >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        amount /= 1024;
        unit++;
    }
    snprintf(text, room, "%.*f %s", unit > 0 && amount < 100 ? 1 : 0, amount, units[unit]);
}

void table_bytes(struct table *table, uint64_t bytes) {
    char text[CELL_BYTES_MAX];

    table_bytes_text(text, sizeof text, bytes);
    table_text(table, text);
}

void table_time(struct table *table, uint64_t ms) {
    time_t seconds = (time_t)(ms / 1000);
    char text[CELL_BYTES_MAX] = "-";
    struct tm local;

    if (ms > 0 && localtime_r(&seconds, &local)) {
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    }
    table_text(table, text);
}

void table_duration(struct table *table, uint64_t ms) {
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
    char text[CELL_BYTES_MAX] = "-";
    size_t unit = 0;

    while (ms > 0 && units[unit].ms > ms) {
        unit++;
    }
    if (ms > 0) {
        snprintf(text, sizeof text, "%g %s", (double)(ms * 10 / units[unit].ms) / 10,
                 units[unit].name);
    }
    table_text(table, text);
}

void table_us(struct table *table, uint64_t us) {
    char text[CELL_BYTES_MAX] = "-";

    if (us >= 1000000) {
        snprintf(text, sizeof text, "%.2f s", (double)us / 1e6);
    } else if (us >= 1000) {
        snprintf(text, sizeof text, "%.1f ms", (double)us / 1e3);
    } else if (us > 0) {
        snprintf(text, sizeof text, "%" PRIu64 " us", us);
    }
    table_text(table, text);
}

static void print_cell(const struct table *table, size_t column, const char *text) {
    size_t width = width_of(text, strlen(text));
    size_t fill = table->widths[column] > width ? table->widths[column] - width : 0;
    bool right = table->heads[column][0] == '>';
    bool last = column + 1 == table->columns;

    printf("%*s%s%*s", right ? (int)fill : 0, "", text, right || last ? 0 : (int)fill, "");
    fputs(last ? "\n" : "  ", stdout);
}

int table_print(const struct table *table) {
    const char *cell = (const char *)table->bytes.data;

    if (table->failed) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    fputs(style_wanted(stdout) ? STYLE_BOLD : "", stdout);
    for (size_t i = 0; i < table->columns; i++) {
        print_cell(table, i, head_of(table, i));
    }
    fputs(style_wanted(stdout) ? STYLE_END : "", stdout);
    for (size_t i = 0; i < table->cells; i++) {
        print_cell(table, i % table->columns, cell);
        cell += strlen(cell) + 1;
    }
    return CLI_DONE;
}
