/* toml_fuzz.c: any bytes are read as TOML or refused with a place, and the tree that comes out is
 * whole: each entry is found by its key, counts are right, texts end with NUL, and depth is
 * bounded.
 */
#include "protocol/base/assert.h"
#include "server/toml_parser.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_value(const struct toml_value *value, unsigned depth);

static void check_table(const struct toml_table *table, unsigned depth) {
    size_t count = 0;

    for (const struct toml_entry *entry = table->first; entry; entry = entry->next) {
        ASSERT(toml_table_find(table, entry->key) == entry);
        ASSERT(entry->key.ptr[entry->key.len] == 0);
        ASSERT(entry->line > 0);
        ASSERT(entry->column > 0);
        check_value(&entry->value, depth + 1);
        count++;
    }
    ASSERT(count == table->count);
}

static void check_array(const struct toml_array *array, unsigned depth) {
    size_t count = 0;

    for (const struct toml_item *item = array->first; item; item = item->next) {
        check_value(&item->value, depth + 1);
        count++;
    }
    ASSERT(count == array->count);
}

static void check_date_time(const struct toml_date_time *at, bool has_date) {
    ASSERT(at->month <= 12);
    ASSERT(at->day <= 31);
    ASSERT((at->month > 0) == has_date);
    ASSERT(at->hour < 24);
    ASSERT(at->minute < 60);
    ASSERT(at->second <= 60);
    ASSERT(at->nanosecond < 1000000000);
}

static void check_value(const struct toml_value *value, unsigned depth) {
    ASSERT(depth <= TOML_DEPTH_MAX + 1);
    switch (value->type) {
    case TOML_STRING:
        ASSERT(value->as.text.ptr[value->as.text.len] == 0);
        break;
    case TOML_ARRAY:
        check_array(value->as.array, depth);
        break;
    case TOML_TABLE:
        check_table(value->as.table, depth);
        break;
    case TOML_OFFSET_DATE_TIME:
    case TOML_LOCAL_DATE_TIME:
    case TOML_LOCAL_DATE:
    case TOML_LOCAL_TIME:
        check_date_time(&value->as.date_time, value->type != TOML_LOCAL_TIME);
        break;
    default:
        break;
    }
}

static void check_error(const struct toml_error *error) {
    ASSERT(error->line > 0);
    ASSERT(error->column > 0);
    ASSERT(error->text[0] != '\0');
    for (const char *at = error->text; *at; at++) {
        ASSERT((uint8_t)*at >= 0x20);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct toml_document *document = NULL;
    struct toml_error error;
    struct toml_value value;

    if (toml_parse(slice_make(data, len), &document, &error) == STATUS_OK) {
        check_table(toml_document_root(document), 0);
        toml_document_destroy(document);
    } else {
        check_error(&error);
    }
    if (toml_parse_value(slice_make(data, len), &document, &value, &error) == STATUS_OK) {
        check_value(&value, 1);
        toml_document_destroy(document);
    } else {
        check_error(&error);
    }
    return 0;
}
