/* config.h: the configuration of a running server. Included by kvd.h.
 *
 *     kvd_config_get(db, "log.", print_setting, NULL);
 *     kvd_config_set(db, "log.level", "debug");
 *
 * For operators: programs rarely need it. */
#ifndef KVD_CONFIG_H
#define KVD_CONFIG_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A key of the configuration. Strings are NUL-ended and valid during the callback; values are
 * written as in a file ("\"64MiB\""). One of more than 4,095 bytes is cut. */
struct kvd_setting {
    const char *name; /* "server.idle_timeout" */
    const char *value;
    const char *default_value;
    const char *source; /* "default", "FILE:LINE", the option ("--set"), or "set online" */
    int online;         /* 1: kvd_config_set may change it; 0: only a restart does */
};

/* Takes a key. It must not use `db`. */
typedef void (*kvd_setting_cb)(const struct kvd_setting *setting, void *arg);

/* Calls setting_cb for each key whose name begins with `prefix`; NULL or "" for all. Errors:
 * KVD_NOT_FOUND (there is none), the common ones; KVD_UNSUPPORTED of an older server. */
KVD_API enum kvd_status kvd_config_get(struct kvd *db, const char *prefix,
                                       kvd_setting_cb setting_cb, void *arg);

/* Gives a key a value while the server runs, written as in its file; the quotes of a lone string
 * may be left out. It lasts until the server reads its configuration again (SIGHUP) or restarts.
 * Errors: KVD_INVALID (no such key, a value that it cannot have, or a key that needs a restart),
 * KVD_IO, KVD_DENIED, KVD_NOT_FOUND (a log.file that cannot be opened); kvd_error says which. */
KVD_API enum kvd_status kvd_config_set(struct kvd *db, const char *name, const char *value);

#ifdef __cplusplus
}
#endif

#endif
