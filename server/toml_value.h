/* toml_value.h: the tree that a TOML document becomes.
 *
 *     document -> root table -> entry (key, line) -> value -> text, number, date,
 *                                                             array -> items, table -> entries
 *
 * Entries and items stand in the order of the file. All of a tree lies in chunks that its document
 * owns and frees at once, so that a deep tree needs no recursion to go. Everything handed out is
 * valid until toml_document_destroy. Only toml_parser.c builds trees; others read them. One thread
 * at a time. */
#ifndef KVD_SERVER_TOML_VALUE_H
#define KVD_SERVER_TOML_VALUE_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum toml_type {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOL,
    TOML_OFFSET_DATE_TIME,
    TOML_LOCAL_DATE_TIME,
    TOML_LOCAL_DATE,
    TOML_LOCAL_TIME,
    TOML_ARRAY,
    TOML_TABLE
};

/* Fields that the kind of date or time does not have are 0. */
struct toml_date_time {
    uint16_t year;
    uint8_t month; /* from 1 */
    uint8_t day;   /* from 1 */
    uint8_t hour;
    uint8_t minute;
    uint8_t second; /* to 60 */
    uint32_t nanosecond;
    int16_t offset_minutes; /* east of UTC */
};

struct toml_value {
    enum toml_type type;
    uint32_t line;   /* where it starts, from 1 */
    uint32_t column; /* in characters, from 1 */
    union {
        struct slice text; /* UTF-8, may hold NUL; a NUL follows it */
        int64_t integer;
        double real;
        bool yes;
        struct toml_date_time date_time;
        struct toml_array *array;
        struct toml_table *table;
    } as;
};

struct toml_item {
    struct toml_value value;
    struct toml_item *next; /* in the order of the file */
};

struct toml_array {
    struct toml_item *first;
    struct toml_item *last;
    size_t count;
    unsigned depth;
    bool of_tables; /* made by [[header]]; may be extended by another */
};

struct toml_entry {
    struct slice key; /* as text above */
    struct toml_value value;
    uint32_t line; /* of the key */
    uint32_t column;
    uint32_t hash;
    struct toml_entry *next;       /* in the order of the file */
    struct toml_entry *same_place; /* the next one in its bucket */
};

/* Who made a table decides who may still add to it. */
enum toml_maker {
    TOML_BY_PATH,   /* a part on the way of a header: may be defined once */
    TOML_BY_HEADER, /* [header]: complete; tables below it may follow */
    TOML_BY_DOTS,   /* a part of a dotted key: more dotted keys, no header */
    TOML_BY_BRACES  /* {}: nothing */
};

struct toml_table {
    struct toml_entry *first;
    struct toml_entry *last;
    size_t count;
    struct toml_entry **buckets; /* bucket_count of them; a power of two, or none */
    size_t bucket_count;
    unsigned depth;
    enum toml_maker maker;
};

struct toml_document;

#define TOML_ERROR_TEXT_MAX 200

/* Where and why a text is not TOML. */
struct toml_error {
    uint32_t line;                  /* from 1 */
    uint32_t column;                /* in characters, from 1 */
    char text[TOML_ERROR_TEXT_MAX]; /* what was expected; no control characters */
};

const struct toml_table *toml_document_root(const struct toml_document *document);

/* Frees the tree; NULL is allowed. */
void toml_document_destroy(struct toml_document *document);

/* The entry of a key, or NULL. */
struct toml_entry *toml_table_find(const struct toml_table *table, struct slice key);

/* "a string", "an integer"... */
const char *toml_type_name(enum toml_type type);

/* ---- For toml_parser.c -------------------------------------------------------------------------
 */

/* A document with an empty root. Errors: NO_MEMORY. */
enum status toml_document_create(struct toml_document **document_out) MUST_CHECK;

struct toml_table *toml_document_root_mutable(struct toml_document *document);

/* A copy of the bytes, with a NUL after it. Errors: NO_MEMORY. */
enum status toml_text_copy(struct toml_document *document, struct slice text,
                           struct slice *copy_out) MUST_CHECK;

/* Errors: NO_MEMORY. */
enum status toml_table_create(struct toml_document *document, enum toml_maker maker, unsigned depth,
                              struct toml_table **table_out) MUST_CHECK;
enum status toml_array_create(struct toml_document *document, unsigned depth,
                              struct toml_array **array_out) MUST_CHECK;

/* Adds at the end. `entry` gives key (already copied, not yet in the table), line, column, value.
 * Errors: NO_MEMORY. */
enum status toml_table_add(struct toml_document *document, struct toml_table *table,
                           const struct toml_entry *entry) MUST_CHECK;
enum status toml_array_add(struct toml_document *document, struct toml_array *array,
                           const struct toml_value *value) MUST_CHECK;

#endif
