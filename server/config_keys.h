/* config_keys.h: the table of all configuration keys.
 *
 * One line of CONFIG_KEYS describes a key; from it come the enum, the defaults, what a file or
 * `--set` may say, and the checks that config.example.toml and docs/configuration.md leave out no
 * key and name no other. To add a key, add a line here and its paragraphs there; the tests name
 * what is missing.
 *
 * Columns: identifier; name (section.key); type; default, written as in a file; least and greatest
 * (numbers as given, sizes in bytes, durations in milliseconds); the words of a choice, in the
 * order of their enum, or ""; whether a reload may change it; help. Keys of one section stand
 * together, keys without a section first, as TOML wants it. */
#ifndef KVD_SERVER_CONFIG_KEYS_H
#define KVD_SERVER_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_KIB 1024.0
#define CONFIG_MIB (1024.0 * CONFIG_KIB)
#define CONFIG_GIB (1024.0 * CONFIG_MIB)
#define CONFIG_TIB (1024.0 * CONFIG_GIB)
#define CONFIG_SECOND 1000.0
#define CONFIG_HOUR (3600.0 * CONFIG_SECOND)
#define CONFIG_DAY (24.0 * CONFIG_HOUR)

#define CONFIG_KEYS(X)                                                                             \
    X(MEMORY_LIMIT, "memory_limit", SIZE, "\"1GiB\"", 64 * CONFIG_MIB, 64 * CONFIG_TIB, "",        \
      RESTART,                                                                                     \
      "Memory that kvd plans with: memtables, caches, cursors and the buffers of connections all " \
      "come out of it, and larger limits (such as the largest frame) derive from it. Below 64MiB " \
      "two memtables, a block cache and the largest value would no longer fit beside each other.") \
    X(SERVER_LISTEN, "server.listen", LIST, "[\"127.0.0.1:7450\"]", 1, 16, "", RESTART,            \
      "Addresses to accept connections on: \"127.0.0.1:7450\", \"[::1]:7450\", "                   \
      "\"localhost:7450\"; port 0 takes a free one. For a Unix socket beside TCP write "           \
      "[\"127.0.0.1:7450\", \"unix:/run/kvd/kvd.sock\"]. An address that is not loopback is "      \
      "refused, because there is no authentication yet.")                                          \
    X(SERVER_LOOPS, "server.loops", INTEGER, "0", 0, 64, "", RESTART,                              \
      "Threads that serve connections. 0 chooses: processors - 1, at least 1 and at most 8, so "   \
      "that one processor is left to commits and background work.")                                \
    X(SERVER_CONNECTIONS_MAX, "server.connections_max", INTEGER, "10000", 1, 1000000, "", RELOAD,  \
      "Connections at one time; one more is answered with an error and closed.")                   \
    X(SERVER_REQUESTS_IN_FLIGHT_MAX, "server.requests_in_flight_max", INTEGER, "1024", 1, 65536,   \
      "", RESTART,                                                                                 \
      "Requests of one connection that may wait for an answer; more are read only when earlier "   \
      "ones are answered.")                                                                        \
    X(SERVER_OUTPUT_LIMIT, "server.output_limit", SIZE, "\"32MiB\"", 2 * CONFIG_MIB, CONFIG_GIB,   \
      "", RESTART,                                                                                 \
      "Answers that may be queued for one client that does not read them; beyond it the "          \
      "connection is closed. At least 2MiB, since its requests are no longer read from 1MiB on. "  \
      "Where memory_limit is small, a quarter of it counts instead, which is what all clients "    \
      "may use together.")                                                                         \
    X(SERVER_IDLE_TIMEOUT, "server.idle_timeout", DURATION, "\"300s\"", 0, 30 * CONFIG_DAY, "",    \
      RELOAD, "A connection without requests for so long is closed. 0 is never.")                  \
    X(SERVER_FRAME_TIMEOUT, "server.frame_timeout", DURATION, "\"30s\"", 100, CONFIG_HOUR, "",     \
      RELOAD,                                                                                      \
      "A frame that has begun must be complete by then; it frees the memory that a stalled "       \
      "client holds.")                                                                             \
    X(SERVER_STOP_TIMEOUT, "server.stop_timeout", DURATION, "\"10s\"", 0, CONFIG_HOUR, "", RELOAD, \
      "Time for requests in flight when kvd is asked to stop; connections are closed then. 0 "     \
      "closes them at once. What was acknowledged stays in any case.")                             \
    X(SERVER_TRANSACTION_SIZE, "server.transaction_size", SIZE, "\"64MiB\"", 64 * CONFIG_KIB,      \
      64 * CONFIG_MIB, "", RESTART,                                                                \
      "What one transaction may write, keys and values as they lie in memory. Where memory_limit " \
      "is small, an eighth of it counts instead, half of what all clients may use together.")      \
    X(SERVER_TRANSACTION_IDLE, "server.transaction_idle", DURATION, "\"10s\"", 100, CONFIG_HOUR,   \
      "", RESTART, "A transaction without a request for so long is ended.")                        \
    X(SERVER_TRANSACTION_AGE, "server.transaction_age", DURATION, "\"60s\"", 100, CONFIG_HOUR, "", \
      RESTART,                                                                                     \
      "A transaction may last so long, however busy it is: until it ends, what it sees is kept.")  \
    X(STORAGE_DIR, "storage.dir", TEXT, "\"./data\"", 1, 4000, "", RESTART,                        \
      "Directory of the store, made if it is missing. A relative one starts from where kvd was "   \
      "started.")                                                                                  \
    X(STORAGE_DURABILITY, "storage.durability", CHOICE, "\"synced\"", 0, 0,                        \
      "memory|logged|synced", RELOAD,                                                              \
      "What a write must reach before it is acknowledged, where the request does not say. "        \
      "synced: on the medium. logged: in the log file, so that a power cut may undo about the "    \
      "last second. memory: visible to others, and any crash may undo it.")                        \
    X(STORAGE_VALUE_THRESHOLD, "storage.value_threshold", SIZE, "\"1KiB\"", 64, 64 * CONFIG_KIB,   \
      "", RESTART,                                                                                 \
      "A value of at least this size lives only in the log, and the tree refers to it. Smaller "   \
      "means cheaper compaction, larger means fewer reads in scans. Values already written stay "  \
      "as they are.")                                                                              \
    X(STORAGE_COMPRESSION, "storage.compression", CHOICE, "\"zstd\"", 0, 0, "none|zstd", RESTART,  \
      "Compression of tables and of separated values, where it saves at least an eighth. none "    \
      "suits data that is compressed already.")                                                    \
    X(STORAGE_MAX_SPACE_RATIO, "storage.max_space_ratio", REAL, "1.5", 1.1, 10, "", RESTART,       \
      "How many times the size of the live data the files may take, but for what deletes "         \
      "and expiry have just set free. Puts wait before it is passed. Less means more "             \
      "copying.")                                                                                  \
    X(STORAGE_RECLAIM_RATE, "storage.reclaim_rate", SIZE, "0", 0, CONFIG_TIB, "", RELOAD,          \
      "At least so many bytes a second are collected of what deletes, expiry and drops have "      \
      "set free, before other background work. 0: as fast as it can.")                             \
    X(STORAGE_SCRUB_RATE, "storage.scrub_rate", SIZE, "0", 0, CONFIG_TIB, "", RELOAD,              \
      "So many bytes a second are read in the background to verify all files, round after "        \
      "round. 0: none; damage is found when it is read.")                                          \
    X(STORAGE_FEED_RETENTION, "storage.feed_retention", SIZE, "0", 0, CONFIG_TIB, "", RESTART,     \
      "So much of the log is kept, at least, so that who follows the changes (kvcli watch) can "   \
      "go on after a pause where he was. 0: only what is there for other reasons, so that after "  \
      "a longer pause he begins anew, from a snapshot.")                                           \
    X(STORAGE_READ_ONLY, "storage.read_only", BOOLEAN, "false", 0, 1, "", RESTART,                 \
      "Serve what is there and change nothing on disk: writes are answered with read_only.")       \
    X(STORAGE_IN_MEMORY, "storage.in_memory", BOOLEAN, "false", 0, 1, "", RESTART,                 \
      "Keep all files in memory, within memory_limit, and nothing on disk: all is gone when "      \
      "kvd stops. storage.dir is not touched.")                                                    \
    X(LOG_LEVEL, "log.level", CHOICE, "\"info\"", 0, 0, "debug|info|warn|error", RELOAD,           \
      "The least important lines that are written.")                                               \
    X(LOG_FORMAT, "log.format", CHOICE, "\"text\"", 0, 0, "text|json", RELOAD,                     \
      "text: one line for people, with name=value fields. json: one object a line.")               \
    X(LOG_FILE, "log.file", TEXT, "\"\"", 0, 4000, "", RELOAD,                                     \
      "File that lines are appended to; it is opened again on SIGHUP, so that it may be rotated. " \
      "Empty is standard error.")                                                                  \
    X(SLOW_LOG_THRESHOLD, "slow_log.threshold", DURATION, "\"10ms\"", 0, CONFIG_HOUR, "", RELOAD,  \
      "A request that takes so long, from when its bytes had come to when its answer was ready, "  \
      "is written down in the slow log: kvcli slowlog. 0 writes none down.")                       \
    X(SLOW_LOG_ENTRIES, "slow_log.entries", INTEGER, "128", 1, 65536, "", RESTART,                 \
      "Requests that the slow log remembers; the newest pushes out the oldest. Each costs 300 "    \
      "bytes of memory.")                                                                          \
    X(METRICS_LISTEN, "metrics.listen", TEXT, "\"\"", 0, 64, "", RESTART,                          \
      "Address to serve metrics on, over HTTP: GET /metrics in the text format of Prometheus, "    \
      "and GET /healthz. \"127.0.0.1:9736\", say; port 0 takes a free one, which the log names. "  \
      "Empty serves none. An address that is not loopback is refused, because there is no "        \
      "authentication yet.")

enum config_key {
#define CONFIG_KEY_ENUM(id, ...) CONFIG_##id,
    CONFIG_KEYS(CONFIG_KEY_ENUM)
#undef CONFIG_KEY_ENUM
        CONFIG_KEY_COUNT
};

/* How a value is written, and by which function of config.h it is read. */
enum config_type {
    CONFIG_INTEGER,  /* 12; config_number */
    CONFIG_SIZE,     /* "64MiB", or a number of bytes; config_number, in bytes */
    CONFIG_DURATION, /* "500ms", or 0; config_number, in milliseconds */
    CONFIG_REAL,     /* 1.5; config_real */
    CONFIG_CHOICE,   /* one of the words; config_number, its place in the list */
    CONFIG_BOOLEAN,  /* true or false; config_number, 1 or 0 */
    CONFIG_TEXT,     /* "..."; config_text */
    CONFIG_LIST      /* ["...", "..."]; config_list_count, config_list_item */
};

struct config_key_info {
    const char *name;
    enum config_type type;
    const char *default_text; /* as written in a file */
    double least;             /* of TEXT: bytes; of LIST: items */
    double greatest;
    const char *choices; /* "a|b|c", or "" */
    bool reloadable;     /* may change while kvd runs */
    const char *help;    /* sentences */
};

/* The line of a key. Static storage. */
const struct config_key_info *config_key_info(enum config_key key);

/* Finds a key by its full name. Returns false if there is none. */
bool config_key_find(const char *name, enum config_key *key_out);

/* The key whose name is nearest to `name`, or NULL if none is near enough to be what was meant. A
 * name without its section, or in the wrong one, is near. */
const char *config_key_nearest(const char *name);

#endif
