/* config_keys.c: the table of all configuration keys, and the search in it. */
#include "server/config_keys.h"

#include "protocol/base/assert.h"
#include "server/nearest.h"

#include <stdint.h>
#include <string.h>

enum reload { RESTART = 0, RELOAD = 1 };

static const struct config_key_info keys[CONFIG_KEY_COUNT] = {
#define CONFIG_KEY_LINE(id, name, type, default_text, least, greatest, choices, reload, help)      \
    {name, CONFIG_##type, default_text, least, greatest, choices, reload == RELOAD, help},
    CONFIG_KEYS(CONFIG_KEY_LINE)
#undef CONFIG_KEY_LINE
};

const struct config_key_info *config_key_info(enum config_key key) {
    ASSERT(key < CONFIG_KEY_COUNT);
    return &keys[key];
}

bool config_key_find(const char *name, enum config_key *key_out) {
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            *key_out = (enum config_key)i;
            return true;
        }
    }
    return false;
}

static const char *without_section(const char *name) {
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

/* Of the whole names, or of what stands behind the section and one more. */
static size_t distance(const char *name, const char *known) {
    size_t whole = nearest_distance(name, known);
    size_t part = nearest_distance(without_section(name), without_section(known));

    return part < whole ? part + 1 : whole;
}

const char *config_key_nearest(const char *name) {
    const char *nearest = NULL;
    size_t nearest_so_far = SIZE_MAX;

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        size_t away = distance(name, keys[i].name);
        if (away < nearest_so_far) {
            nearest_so_far = away;
            nearest = keys[i].name;
        }
    }
    return nearest_is_near(without_section(name), nearest_so_far) ? nearest : NULL;
}
