/* config.c: what kvd was told, checked, each value with the place where it was said. */
#include "server/config.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "server/config_address.h"
#include "server/config_file.h"
#include "server/config_value.h"
#include "server/toml_parser.h"

#include <stdio.h>
#include <string.h>

/* Room for every key; a longer name is not one. */
#define NAME_MAX_BYTES 64
#define LOOPS_MAX_AUTOMATIC 8

struct config {
    struct config_value values[CONFIG_KEY_COUNT];
};

/* ---- Reading what was said ------------------------------------------------------------------- */

static const struct config_value *value_of(const struct config *config, enum config_key key,
                                           enum config_type type) {
    ASSERT(key < CONFIG_KEY_COUNT);
    ASSERT(config_key_info(key)->type == type);
    return &config->values[key];
}

uint64_t config_number(const struct config *config, enum config_key key) {
    enum config_type type = config_key_info(key)->type;

    ASSERT(type == CONFIG_INTEGER || type == CONFIG_SIZE || type == CONFIG_DURATION ||
           type == CONFIG_CHOICE || type == CONFIG_BOOLEAN);
    return config->values[key].number;
}

double config_real(const struct config *config, enum config_key key) {
    return value_of(config, key, CONFIG_REAL)->real;
}

const char *config_text(const struct config *config, enum config_key key) {
    enum config_type type = config_key_info(key)->type;

    ASSERT(type == CONFIG_TEXT || type == CONFIG_CHOICE);
    return config->values[key].text;
}

size_t config_list_count(const struct config *config, enum config_key key) {
    return value_of(config, key, CONFIG_LIST)->item_count;
}

const char *config_list_item(const struct config *config, enum config_key key, size_t index) {
    const struct config_value *value = value_of(config, key, CONFIG_LIST);

    ASSERT(index < value->item_count);
    return value->items[index];
}

const char *config_origin(const struct config *config, enum config_key key) {
    ASSERT(key < CONFIG_KEY_COUNT);
    return config->values[key].origin;
}

size_t config_write_value(const struct config *config, enum config_key key, char *text_out,
                          size_t text_bytes_max) {
    ASSERT(key < CONFIG_KEY_COUNT);
    return config_value_write(key, &config->values[key], text_out, text_bytes_max);
}

unsigned config_loop_count(const struct config *config, unsigned processor_count) {
    unsigned loops = (unsigned)config_number(config, CONFIG_SERVER_LOOPS);

    if (loops > 0) {
        return loops;
    }
    if (processor_count <= 2) {
        return 1;
    }
    return processor_count - 1 < LOOPS_MAX_AUTOMATIC ? processor_count - 1 : LOOPS_MAX_AUTOMATIC;
}

uint64_t config_output_limit_bytes(const struct config *config) {
    uint64_t limit = config_number(config, CONFIG_SERVER_OUTPUT_LIMIT);
    uint64_t quarter = config_number(config, CONFIG_MEMORY_LIMIT) / 4;

    return limit < quarter ? limit : quarter;
}

/* ---- Setting values -------------------------------------------------------------------------- */

static void replace(struct config *config, enum config_key key, struct config_value *value,
                    const char *origin) {
    snprintf(value->origin, sizeof value->origin, "%s", origin);
    config_value_deinit(&config->values[key]);
    config->values[key] = *value;
}

static enum status unknown_key(const char *name, const char *place, struct error *error) {
    const char *nearest = config_key_nearest(name);

    if (!nearest) {
        return error_set(error, STATUS_INVALID, 0, place, ERROR_NO_OFFSET,
                         "unknown key '%.64s'; docs/configuration.md lists all", name);
    }
    return error_set(error, STATUS_INVALID, 0, place, ERROR_NO_OFFSET,
                     "unknown key '%.64s'; did you mean '%s'?", name, nearest);
}

static enum status apply_defaults(struct config *config, struct error *error) {
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        enum config_key key = (enum config_key)i;
        struct config_value value;
        enum status status = config_value_read_text(key, config_key_info(key)->default_text,
                                                    "default", &value, error);
        ASSERT(status == STATUS_OK || status == STATUS_NO_MEMORY);
        if (status != STATUS_OK) {
            return status;
        }
        replace(config, key, &value, "default");
    }
    return STATUS_OK;
}

/* ---- The file -------------------------------------------------------------------------------- */

struct file_reading {
    struct config *config;
    const char *path;
    struct error *error;
};

/* Whether keys of this section exist. */
static bool is_section(const char *name) {
    size_t len = strlen(name);

    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        const char *known = config_key_info((enum config_key)i)->name;
        if (strncmp(known, name, len) == 0 && known[len] == '.') {
            return true;
        }
    }
    return false;
}

/* "section.key"; false if no key is so long or has such characters. */
static bool join_name(const char *section, struct slice key, char name_out[NAME_MAX_BYTES]) {
    int len = snprintf(name_out, NAME_MAX_BYTES, "%s%s%s", section, section[0] ? "." : "",
                       (const char *)key.ptr);

    return len < NAME_MAX_BYTES && !memchr(key.ptr, 0, key.len) && !memchr(key.ptr, '.', key.len);
}

static enum status apply_value(struct file_reading *reading, enum config_key key,
                               const struct toml_entry *entry, const char *place) {
    char origin[CONFIG_ORIGIN_MAX];
    struct config_value value;
    enum status status = config_value_read(key, &entry->value, place, &value, reading->error);

    if (status == STATUS_OK) {
        snprintf(origin, sizeof origin, "%.200s:%u", reading->path, entry->line);
        replace(reading->config, key, &value, origin);
    }
    return status;
}

static enum status apply_table(struct file_reading *reading, const struct toml_table *table,
                               const char *section);

static enum status apply_entry(struct file_reading *reading, const struct toml_entry *entry,
                               const char *section) {
    char name[NAME_MAX_BYTES];
    char place[CONFIG_ORIGIN_MAX];
    bool joined = join_name(section, entry->key, name);
    enum config_key key;

    snprintf(place, sizeof place, "%.200s:%u:%u", reading->path, entry->line, entry->column);
    if (joined && config_key_find(name, &key)) {
        return apply_value(reading, key, entry, place);
    }
    if (!joined || !is_section(name)) {
        return unknown_key(name, place, reading->error);
    }
    if (entry->value.type != TOML_TABLE) {
        return error_set(reading->error, STATUS_INVALID, 0, place, ERROR_NO_OFFSET,
                         "'%s' is a section, written [%s]; found %s", name, name,
                         toml_type_name(entry->value.type));
    }
    return apply_table(reading, entry->value.as.table, name);
}

/* Sections stand one level deep, so this calls itself once. */
static enum status apply_table(struct file_reading *reading, const struct toml_table *table,
                               const char *section) {
    enum status status = STATUS_OK;

    for (const struct toml_entry *entry = table->first; entry && status == STATUS_OK;
         entry = entry->next) {
        status = apply_entry(reading, entry, section);
    }
    return status;
}

static enum status fail_toml(const char *path, enum status status, const struct toml_error *toml,
                             struct error *error) {
    char place[CONFIG_ORIGIN_MAX];

    if (status == STATUS_NO_MEMORY) {
        return error_set(error, status, 0, path, ERROR_NO_OFFSET, "read the configuration");
    }
    snprintf(place, sizeof place, "%.200s:%u:%u", path, toml->line, toml->column);
    return error_set(error, status, 0, place, ERROR_NO_OFFSET, "%s", toml->text);
}

static enum status apply_file(struct config *config, const char *path, struct error *error) {
    struct file_reading reading = {config, path, error};
    struct toml_document *document = NULL;
    struct toml_error toml_error;
    struct buffer text;
    enum status status;

    buffer_init(&text, CONFIG_FILE_BYTES_MAX);
    status = config_file_read(path, &text, error);
    if (status == STATUS_OK) {
        status = toml_parse(buffer_slice(&text), &document, &toml_error);
        if (status != STATUS_OK) {
            status = fail_toml(path, status, &toml_error, error);
        }
    }
    if (status == STATUS_OK) {
        status = apply_table(&reading, toml_document_root(document), "");
    }
    toml_document_destroy(document);
    buffer_deinit(&text);
    return status;
}

/* ---- The command line ------------------------------------------------------------------------ */

/* `collected` says which lists the command line has set already. */
static enum status apply_override(struct config *config, const struct config_override *override,
                                  bool *collected, struct error *error) {
    struct config_value value;
    enum config_key key;
    enum status status;

    if (!config_key_find(override->key, &key)) {
        return unknown_key(override->key, override->origin, error);
    }
    status = config_value_read_text(key, override->value, override->origin, &value, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (config_key_info(key)->type == CONFIG_LIST && collected[key]) {
        return config_value_append(key, &config->values[key], &value, override->origin, error);
    }
    collected[key] = true;
    replace(config, key, &value, override->origin);
    return STATUS_OK;
}

static enum status apply_overrides(struct config *config, const struct config_input *input,
                                   struct error *error) {
    bool collected[CONFIG_KEY_COUNT] = {false};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < input->override_count && status == STATUS_OK; i++) {
        status = apply_override(config, &input->overrides[i], collected, error);
    }
    return status;
}

/* ---- Loading --------------------------------------------------------------------------------- */

void config_destroy(struct config *config) {
    if (config) {
        for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
            config_value_deinit(&config->values[i]);
        }
        memory_free(config);
    }
}

enum status config_load(const struct config_input *input, struct config **config_out,
                        struct error *error) {
    struct config *config = memory_alloc_zeroed(sizeof *config);
    enum status status;

    if (!config) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET,
                         "read the configuration");
    }
    status = apply_defaults(config, error);
    if (status == STATUS_OK && input->path) {
        status = apply_file(config, input->path, error);
    }
    if (status == STATUS_OK) {
        status = apply_overrides(config, input, error);
    }
    if (status == STATUS_OK) {
        status = config_validate(config, error);
    }
    if (status == STATUS_OK) {
        *config_out = config;
    } else {
        config_destroy(config);
    }
    return status;
}

static bool same_address(const struct config_address *a, const struct config_address *b) {
    bool free_port = a->kind != CONFIG_ADDRESS_UNIX && a->port == 0;

    return !free_port && a->kind == b->kind && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* An address to listen on against the rules for all. */
static enum status check_address(const struct config *config, enum config_key key, const char *text,
                                 struct config_address *address_out, struct error *error) {
    const char *origin = config_origin(config, key);
    const char *name = config_key_info(key)->name;
    struct error reason;

    if (config_address_parse(text, address_out, &reason) != STATUS_OK) {
        return error_set(error, STATUS_INVALID, 0, origin, ERROR_NO_OFFSET, "%s: %.230s", name,
                         reason.text);
    }
    if (!address_out->loopback) {
        return error_set(error, STATUS_INVALID, 0, origin, ERROR_NO_OFFSET,
                         "%s: '%.60s' can be reached from other machines, and kvd has "
                         "no authentication yet; listen on 127.0.0.1, [::1]%s",
                         name, text, key == CONFIG_SERVER_LISTEN ? " or unix:PATH" : "");
    }
    return STATUS_OK;
}

/* Against the first `count` items of server.listen. */
static enum status check_twice(const struct config *config, enum config_key key, const char *text,
                               const struct config_address *address, size_t count,
                               struct error *error) {
    for (size_t i = 0; i < count; i++) {
        struct config_address earlier;
        struct error reason;
        enum status status = config_address_parse(config_list_item(config, CONFIG_SERVER_LISTEN, i),
                                                  &earlier, &reason);
        ASSERT(status == STATUS_OK);
        if (same_address(address, &earlier)) {
            return error_set(error, STATUS_INVALID, 0, config_origin(config, key), ERROR_NO_OFFSET,
                             "%s: '%.120s' is given twice", config_key_info(key)->name, text);
        }
    }
    return STATUS_OK;
}

static enum status check_metrics_listen(const struct config *config, struct error *error) {
    const char *text = config_text(config, CONFIG_METRICS_LISTEN);
    struct config_address address;
    enum status status;

    if (text[0] == '\0') {
        return STATUS_OK;
    }
    status = check_address(config, CONFIG_METRICS_LISTEN, text, &address, error);
    if (status == STATUS_OK && address.kind == CONFIG_ADDRESS_UNIX) {
        return error_set(error, STATUS_INVALID, 0, config_origin(config, CONFIG_METRICS_LISTEN),
                         ERROR_NO_OFFSET, "metrics.listen: HTTP is served on HOST:PORT alone");
    }
    return status == STATUS_OK ? check_twice(config, CONFIG_METRICS_LISTEN, text, &address,
                                             config_list_count(config, CONFIG_SERVER_LISTEN), error)
                               : status;
}

enum status config_validate(const struct config *config, struct error *error) {
    size_t count = config_list_count(config, CONFIG_SERVER_LISTEN);
    enum status status = STATUS_OK;

    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const char *text = config_list_item(config, CONFIG_SERVER_LISTEN, i);
        struct config_address address;
        status = check_address(config, CONFIG_SERVER_LISTEN, text, &address, error);
        if (status == STATUS_OK) {
            status = check_twice(config, CONFIG_SERVER_LISTEN, text, &address, i, error);
        }
    }
    return status == STATUS_OK ? check_metrics_listen(config, error) : status;
}

/* ---- Reloading ------------------------------------------------------------------------------- */

static enum status keep_old(const struct config *old, struct config *config, enum config_key key,
                            struct error *error) {
    struct config_value copy;
    enum status status = config_value_copy(&old->values[key], &copy, error);

    if (status == STATUS_OK) {
        config_value_deinit(&config->values[key]);
        config->values[key] = copy;
    }
    return status;
}

static enum status compare(const struct config *old, struct config *config,
                           struct config_changes *changes, struct error *error) {
    enum status status = STATUS_OK;

    for (int i = 0; i < CONFIG_KEY_COUNT && status == STATUS_OK; i++) {
        enum config_key key = (enum config_key)i;
        if (config_value_equal(&old->values[i], &config->values[i])) {
            continue;
        }
        if (config_key_info(key)->reloadable) {
            changes->changed[i] = true;
        } else {
            changes->needs_restart[i] = true;
            status = keep_old(old, config, key, error);
        }
    }
    return status;
}

enum status config_reload(const struct config *old, const struct config_input *input,
                          struct config **config_out, struct config_changes *changes_out,
                          struct error *error) {
    struct config_changes changes = {0};
    struct config *config = NULL;
    enum status status = config_load(input, &config, error);

    if (status != STATUS_OK) {
        return status;
    }
    ASSERT(config);
    status = compare(old, config, &changes, error);
    if (status != STATUS_OK) {
        config_destroy(config);
        return status;
    }
    *changes_out = changes;
    *config_out = config;
    return STATUS_OK;
}

/* ---- Changing one key ------------------------------------------------------------------------ */

static enum status copy_all(const struct config *old, struct config **config_out,
                            struct error *error) {
    struct config *config = memory_alloc_zeroed(sizeof *config);
    enum status status = STATUS_OK;

    if (!config) {
        return error_set(error, STATUS_NO_MEMORY, 0, NULL, ERROR_NO_OFFSET,
                         "copy the configuration");
    }
    for (int i = 0; i < CONFIG_KEY_COUNT && status == STATUS_OK; i++) {
        status = keep_old(old, config, (enum config_key)i, error);
    }
    if (status != STATUS_OK) {
        config_destroy(config);
        return status;
    }
    *config_out = config;
    return STATUS_OK;
}

enum status config_set(const struct config *old, const struct config_override *change,
                       struct config **config_out, enum config_key *key_out, struct error *error) {
    bool collected[CONFIG_KEY_COUNT] = {false};
    struct config *config = NULL;
    enum status status;

    if (!config_key_find(change->key, key_out)) {
        return unknown_key(change->key, NULL, error);
    }
    if (!config_key_info(*key_out)->reloadable) {
        return error_set(error, STATUS_INVALID, 0, NULL, ERROR_NO_OFFSET,
                         "%s needs a restart: change it in the file or on the command line",
                         change->key);
    }
    status = copy_all(old, &config, error);
    if (status == STATUS_OK) {
        status = apply_override(config, change, collected, error);
    }
    if (status == STATUS_OK) {
        status = config_validate(config, error);
    }
    if (status != STATUS_OK) {
        config_destroy(config);
        if (error) {
            error->path[0] = '\0'; /* who asks knows where it was said */
        }
        return status;
    }
    *config_out = config;
    return STATUS_OK;
}
