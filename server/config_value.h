/* config_value.h: one value of the configuration: read from TOML after its key's line in the table,
 * compared, copied, written. No I/O. */
#ifndef KVD_SERVER_CONFIG_VALUE_H
#define KVD_SERVER_CONFIG_VALUE_H

#include "protocol/base/error.h"
#include "server/config_keys.h"
#include "server/toml_value.h"

#include <stdint.h>

#define CONFIG_ORIGIN_MAX 256

/* Zeroed: may be released. Which fields are in use follows from the key's type. */
struct config_value {
    uint64_t number;
    double real;
    char *text;   /* owned */
    char **items; /* owned, item_count of them, each owned */
    size_t item_count;
    char origin[CONFIG_ORIGIN_MAX]; /* where it was said */
};

void config_value_deinit(struct config_value *value);

/* Checks and converts. `place` is for the message only; the origin is left empty. Errors: INVALID
 * (wrong type, out of range), NO_MEMORY. */
enum status config_value_read(enum config_key key, const struct toml_value *toml, const char *place,
                              struct config_value *value_out, struct error *error) MUST_CHECK;

/* The same from text of the command line, where a lone string may stand without quotes. */
enum status config_value_read_text(enum config_key key, const char *text, const char *place,
                                   struct config_value *value_out, struct error *error) MUST_CHECK;

/* Moves the items of a LIST behind those of *value. Errors: INVALID (too many), NO_MEMORY; `more`
 * is empty in any case. */
enum status config_value_append(enum config_key key, struct config_value *value,
                                struct config_value *more, const char *place,
                                struct error *error) MUST_CHECK;

/* Errors: NO_MEMORY. */
enum status config_value_copy(const struct config_value *value, struct config_value *copy_out,
                              struct error *error) MUST_CHECK;

/* Origins do not count. */
bool config_value_equal(const struct config_value *a, const struct config_value *b);

/* See config_write_value in config.h. */
size_t config_value_write(enum config_key key, const struct config_value *value, char *text_out,
                          size_t text_bytes_max);

#endif
