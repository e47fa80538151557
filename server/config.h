/* config.h: what kvd was told, checked, each value with the place where it was said.
 *
 *     defaults  <  file  <  command line            (later wins)
 *
 * All three are read as TOML by the same code, after the table in config_keys.h. An unknown key, a
 * wrong type, or a value out of range is refused with file, line and column, and the nearest known
 * key; so is what makes no sense together (config_validate). Nothing is ignored.
 *
 * A struct config never changes once loaded, so any thread may read it; whoever loaded it destroys
 * it. A reload makes a new one. Loading reads at most one file, of at most CONFIG_FILE_BYTES_MAX.
 */
#ifndef KVD_SERVER_CONFIG_H
#define KVD_SERVER_CONFIG_H

#include "protocol/base/error.h"
#include "protocol/base/status.h"
#include "server/config_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest configuration with all its comments has 10 KiB; a larger file is another file. */
#define CONFIG_FILE_BYTES_MAX (1024 * 1024)

/* The values of the keys of type CHOICE, in the order of config_keys.h. */
enum config_durability {
    CONFIG_DURABILITY_MEMORY,
    CONFIG_DURABILITY_LOGGED,
    CONFIG_DURABILITY_SYNCED
};
enum config_compression { CONFIG_COMPRESSION_NONE, CONFIG_COMPRESSION_ZSTD };
/* log.level and log.format: enum log_level and enum log_format of server/log.h */

/* One setting of the command line. */
struct config_override {
    const char *key;    /* "storage.dir" */
    const char *value;  /* as in a file; the quotes of a lone string may be left out */
    const char *origin; /* "--dir", "--set": named in messages and by config_origin */
};

/* Where a configuration comes from; borrowed during the call that takes it. */
struct config_input {
    const char *path; /* NULL: no file */
    /* The last one on a key wins; those on a LIST are collected instead. */
    const struct config_override *overrides;
    size_t override_count;
};

struct config;

/* Reads, checks and validates. Errors: INVALID (the text is for people; the path is "FILE:LINE:
 * COLUMN" or the option), NOT_FOUND, DENIED or IO (the file), TOO_LARGE, NO_MEMORY. */
enum status config_load(const struct config_input *input, struct config **config_out,
                        struct error *error) MUST_CHECK;

/* Frees it; NULL is allowed. */
void config_destroy(struct config *config);

/* INTEGER, SIZE in bytes, DURATION in milliseconds, CHOICE as its place in the list of words,
 * BOOLEAN as 1 or 0. */
uint64_t config_number(const struct config *config, enum config_key key);

/* REAL. */
double config_real(const struct config *config, enum config_key key);

/* TEXT, and the word of a CHOICE. Never NULL; valid as long as the config. */
const char *config_text(const struct config *config, enum config_key key);

/* LIST. Items are valid as long as the config. */
size_t config_list_count(const struct config *config, enum config_key key);
const char *config_list_item(const struct config *config, enum config_key key, size_t index);

/* Where the value was said: "default", "FILE:LINE", or the option. Valid as long as the config. */
const char *config_origin(const struct config *config, enum config_key key);

/* Writes the value as a file would say it ("\"64MiB\"", "[\"a\"]"), ended with NUL, cut if it does
 * not fit; returns the length that it has uncut. */
size_t config_write_value(const struct config *config, enum config_key key, char *text_out,
                          size_t text_bytes_max);

/* server.loops, or what 0 means on a machine with so many processors. */
unsigned config_loop_count(const struct config *config, unsigned processor_count);

/* server.output_limit, or a quarter of memory_limit where that is less: what all clients together
 * may use bounds what one may. */
uint64_t config_output_limit_bytes(const struct config *config);

/* What makes no sense together: an address that does not parse or is not loopback (there is no
 * authentication yet), an address twice. config_load, config_set and config_reload have called it.
 * Errors: INVALID. */
enum status config_validate(const struct config *config, struct error *error) MUST_CHECK;

/* A copy of `old` with one key changed while kvd runs; the key is *key_out. `old` stays the
 * caller's and as it is. Errors: INVALID (no such key, a key that only a start can change, a value
 * that it cannot have), NO_MEMORY. */
enum status config_set(const struct config *old, const struct config_override *change,
                       struct config **config_out, enum config_key *key_out,
                       struct error *error) MUST_CHECK;

/* What a reload found, by key. */
struct config_changes {
    bool changed[CONFIG_KEY_COUNT];       /* differs, and is in effect in the new config */
    bool needs_restart[CONFIG_KEY_COUNT]; /* differs, and stays as it was until a restart */
};

/* Reads `input` again. The new config says what is in effect: a key that cannot change while kvd
 * runs keeps its value and origin of `old`, and is marked in needs_restart. `old` stays the
 * caller's and as it is; on an error it stays in use. Errors as config_load. */
enum status config_reload(const struct config *old, const struct config_input *input,
                          struct config **config_out, struct config_changes *changes_out,
                          struct error *error) MUST_CHECK;

#endif
