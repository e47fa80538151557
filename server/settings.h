/* settings.h: the configuration as it is now, while kvd runs: asked, changed, read again.
 *
 * What a key is comes from the last of these: the start (defaults, file, command line), a reload on
 * SIGHUP, which is the same again, and settings_set. So a reload takes back what was set: that
 * lives until the next reload or restart, and never reaches the file. A change that is refused
 * changes nothing. Each is on the log. Any thread. */
#ifndef KVD_SERVER_SETTINGS_H
#define KVD_SERVER_SETTINGS_H

#include "server/config.h"
#include "server/log.h"

/* Of a key that was set, where others have "default", "FILE:LINE" or the option. */
#define SETTINGS_SOURCE_SET "set online"

struct settings;

/* A key with what it is now; valid during the call. Values are written as in a file. */
struct setting {
    const char *name;
    const char *value;
    const char *default_value;
    const char *source;
    bool online; /* may be set, or reloaded, while kvd runs */
};

/* Not OK ends the walk. */
typedef enum status (*setting_cb)(void *arg, const struct setting *setting);

/* Takes note of a configuration that has changed; one at a time. */
typedef void (*settings_changed_cb)(void *arg, const struct config *config);

/* `config` is taken, whatever happens; `input` and `log` are borrowed. Errors: NO_MEMORY. */
enum status settings_create(struct config *config, const struct config_input *input,
                            struct log *log, struct settings **settings_out) MUST_CHECK;

/* NULL is allowed. */
void settings_destroy(struct settings *settings);

/* Calls back now, and after each change. Before other threads have the settings. */
void settings_watch(struct settings *settings, settings_changed_cb changed_cb, void *arg);

/* The configuration itself, until the first change. */
const struct config *settings_config(const struct settings *settings);

/* See config_number. */
uint64_t settings_number(struct settings *settings, enum config_key key);

/* Calls back for each key whose name begins with `prefix`, in the order of config_keys.h. Errors:
 * NOT_FOUND if there is none, NO_MEMORY, and what the callback returns. */
enum status settings_each(struct settings *settings, struct slice prefix, setting_cb each_cb,
                          void *arg) MUST_CHECK;

/* Gives a key a value, written as on the command line. Errors: INVALID (no such key; it takes
 * effect at a start only; a value that the key cannot have), NO_MEMORY; IO, DENIED, NOT_FOUND (a
 * log.file that cannot be opened). */
enum status settings_set(struct settings *settings, struct slice name, struct slice value,
                         struct error *error) MUST_CHECK;

/* Reads the configuration again, and opens the log anew. After an error, which the log names, the
 * old one stays. */
void settings_reload(struct settings *settings);

#endif
