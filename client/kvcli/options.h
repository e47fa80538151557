/* options.h: the command line, parsed.
 *
 *     kvcli [GLOBAL OPTION]... COMMAND [OPTION | ARGUMENT]...
 *
 * OPTION_LIST is the one list of options: field of struct options, name, letter (0 none), kind,
 * name of its value in help, commands that take it, what it does. "--" ends the options; "-" is an
 * argument. A value follows as "--name value" or "--name=value". Strings are borrowed from argv,
 * which lives as long as the program. */
#ifndef KVCLI_OPTIONS_H
#define KVCLI_OPTIONS_H

#include "client/kvcli/command_list.h"
#include "kvd/kvd.h"
#include "protocol/base/error.h"
#include "protocol/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,       /* bool */
    OPTION_TEXT,       /* const char * */
    OPTION_BYTES,      /* struct kvd_bytes; escapes are replaced with --escape */
    OPTION_NUMBER,     /* uint64_t */
    OPTION_DURATION,   /* uint64_t milliseconds */
    OPTION_SIZE,       /* uint64_t bytes */
    OPTION_DURABILITY, /* enum kvd_durability */
};

#define OPTION_ON(command) (UINT64_C(1) << COMMAND_##command)
#define OPTION_EVERYWHERE UINT64_MAX
#define OPTION_WRITES                                                                              \
    (OPTION_ON(PUT) | OPTION_ON(DEL) | OPTION_ON(BATCH) | OPTION_ON(DECIDE) | OPTION_ON(IMPORT) |  \
     OPTION_ON(BENCH) | OPTION_CHANGES | OPTION_ON(DELRANGE) | OPTION_ON(REWIND) |                 \
     OPTION_ON(RESTORE))
/* Writes of one call, which libkvd repeats. */
#define OPTION_REPEATED                                                                            \
    (OPTION_ON(PUT) | OPTION_CHANGES | OPTION_ON(DELRANGE) | OPTION_ON(REWIND) |                   \
     OPTION_ON(NAMESPACE) | OPTION_ON(DECIDE))
#define OPTION_CHANGES (OPTION_ON(ADD) | OPTION_ON(APPEND) | OPTION_ON(TOUCH) | OPTION_ON(PERSIST))
#define OPTION_RANGES (OPTION_ON(SCAN) | OPTION_ON(COUNT) | OPTION_ON(DELRANGE))
#define OPTION_READS                                                                               \
    (OPTION_ON(GET) | OPTION_ON(MGET) | OPTION_ON(EXISTS) | OPTION_ON(META) | OPTION_ON(SCAN) |    \
     OPTION_ON(COUNT) | OPTION_ON(EXPLAIN) | OPTION_ON(TTL) | OPTION_ON(REWIND))
#define OPTION_TREES (OPTION_ON(IMPORT) | OPTION_ON(EXPORT) | OPTION_ON(VERIFY))

#define OPTION_LIST(X)                                                                             \
    X(server, "server", 's', TEXT, "ADDRESS", OPTION_EVERYWHERE,                                   \
      "HOST:PORT or unix:PATH; else KVD_SERVER, else 127.0.0.1:7450")                              \
    X(namespace_name, "namespace", 'n', TEXT, "NAME", OPTION_EVERYWHERE, "all keys are in it")     \
    X(timeout_ms, "timeout", 't', NUMBER, "MS", OPTION_EVERYWHERE,                                 \
      "for connecting and for each answer, in milliseconds (30000)")                               \
    X(json, "json", 'j', FLAG, NULL, OPTION_EVERYWHERE, "JSON, one object a line")                 \
    X(escape, "escape", 'e', FLAG, NULL, OPTION_EVERYWHERE,                                        \
      "keys and values given as arguments have C escapes: \\n \\t \\\\ \\xHH")                     \
    X(backup, "backup", 0, TEXT, "FILE", OPTION_EVERYWHERE,                                        \
      "read a backup instead of a server: get, mget, exists, meta, scan, count")                   \
    X(help, "help", 'h', FLAG, NULL, OPTION_EVERYWHERE, "this help")                               \
    X(version, "version", 'V', FLAG, NULL, OPTION_EVERYWHERE, "the version of kvcli")              \
    X(at, "at", 0, NUMBER, "VERSION", OPTION_READS, "as it was right after that commit")           \
    X(at_time, "at-time", 0, NUMBER, "MS", OPTION_READS,                                           \
      "as it was then, in milliseconds since 1970")                                                \
    X(snapshot, "snapshot", 0, NUMBER, "ID", OPTION_READS, "as an open snapshot sees it")          \
    X(range, "range", 0, TEXT, "FROM-TO", OPTION_ON(GET),                                          \
      "only these bytes, from 0, TO included: 0-99, or 100- for the rest")                         \
    X(before, "before", 0, NUMBER, "VERSION", OPTION_ON(HISTORY), "only older versions")           \
    X(lifetime_ms, "lifetime", 0, DURATION, "TIME", OPTION_ON(SNAPSHOT),                           \
      "how long a snapshot is kept (1h)")                                                          \
    X(all, "all", 0, FLAG, NULL, OPTION_ON(DELRANGE), "really every key of the namespace")         \
    X(quota, "quota", 0, SIZE, "BYTES", OPTION_ON(NAMESPACE), "the most that it may hold")         \
    X(keep_ms, "keep", 0, DURATION, "TIME", OPTION_ON(NAMESPACE),                                  \
      "replaced versions stay readable for so long")                                               \
    X(keep_versions, "keep-versions", 0, NUMBER, "N", OPTION_ON(NAMESPACE),                        \
      "and at least so many of each key")                                                          \
    X(ttl_ms, "ttl", 0, DURATION, "TIME",                                                          \
      OPTION_ON(PUT) | OPTION_ON(IMPORT) | OPTION_ON(LOAD) | OPTION_ON(TOUCH),                     \
      "expires after: 500ms, 10s, 5m, 2h, 7d")                                                     \
    X(if_absent, "if-absent", 0, FLAG, NULL, OPTION_ON(PUT) | OPTION_ON(IMPORT),                   \
      "only if there is no such key")                                                              \
    X(if_present, "if-present", 0, FLAG, NULL, OPTION_ON(PUT) | OPTION_CHANGES,                    \
      "only if the key is there")                                                                  \
    X(if_version, "if-version", 0, NUMBER, "N", OPTION_ON(PUT) | OPTION_ON(DEL) | OPTION_CHANGES,  \
      "only if the key has this version")                                                          \
    X(durability, "durability", 'd', DURABILITY, "D", OPTION_WRITES,                               \
      "answered when in memory, logged (in the system's cache) or synced (on disk)")               \
    X(user_flags, "flags", 0, NUMBER, "N", OPTION_ON(PUT), "32 bits kept with the value")          \
    X(file, "file", 'f', TEXT, "FILE", OPTION_ON(PUT) | OPTION_ON(APPEND),                         \
      "the value is the content of FILE")                                                          \
    X(force, "force", 'f', FLAG, NULL, OPTION_ON(DEL), "absent keys are no failure")               \
    X(replace, "force", 'f', FLAG, NULL, OPTION_ON(BACKUP) | OPTION_ON(RESTORE),                   \
      "replace the file, or write among the keys, that are there already")                         \
    X(into, "into", 0, TEXT, "NAME", OPTION_ON(RESTORE), "write to this namespace instead")        \
    X(since, "since", 0, TEXT, "VERSION|FILE", OPTION_ON(BACKUP),                                  \
      "only what changed after that version, or after the backup in that file")                    \
    X(hold_ms, "hold", 0, DURATION, "TIME", OPTION_ON(BACKUP),                                     \
      "keep the version for so long, so that a backup --since it can follow")                      \
    X(verify, "verify", 0, FLAG, NULL,                                                             \
      OPTION_ON(GET) | OPTION_ON(MGET) | OPTION_ON(SCAN) | OPTION_ON(META),                        \
      "compare the value with its checksum here as well")                                          \
    X(from_version, "from", 0, NUMBER, "VERSION", OPTION_ON(WATCH),                                \
      "only changes behind that version; 0: from the beginning; else from now on")                 \
    X(once, "once", 0, FLAG, NULL, OPTION_ON(WATCH) | OPTION_ON(TOP),                              \
      "what there is now, and end")                                                                \
    X(from, "from", 0, BYTES, "KEY", OPTION_RANGES, "first key")                                   \
    X(to, "to", 0, BYTES, "KEY", OPTION_RANGES, "first key no more wanted")                        \
    X(limit, "limit", 'l', NUMBER, "N", OPTION_ON(SCAN) | OPTION_ON(HISTORY) | OPTION_ON(WATCH),   \
      "at most N entries")                                                                         \
    X(reverse, "reverse", 'r', FLAG, NULL, OPTION_ON(SCAN), "from the last key down")              \
    X(keys_only, "keys", 'k', FLAG, NULL, OPTION_ON(SCAN), "no values")                            \
    X(atomic, "atomic", 'a', FLAG, NULL, OPTION_ON(BATCH), "all lines as one commit")              \
    X(format, "format", 0, TEXT, "F", OPTION_ON(IMPORT) | OPTION_ON(LOAD) | OPTION_ON(EXPORT),     \
      "tree, tsv or jsonl; else told by directory, .tsv, .jsonl")                                  \
    X(prefix, "prefix", 'p', BYTES, "P", OPTION_TREES | OPTION_ON(LOAD), "in front of each key")   \
    X(skip_existing, "skip-existing", 0, FLAG, NULL, OPTION_ON(IMPORT),                            \
      "send only what is not stored with the same length")                                         \
    X(retry_ms, "retry", 0, DURATION, "TIME",                                                      \
      OPTION_ON(IMPORT) | OPTION_ON(RESTORE) | OPTION_REPEATED,                                    \
      "when the server goes away, wait for it so long and go on")                                  \
    X(gets, "gets", 0, FLAG, NULL, OPTION_ON(VERIFY), "read each file back by a get as well")      \
    X(connections, "connections", 'c', NUMBER, "N", OPTION_ON(BENCH), "connections (50)")          \
    X(threads, "threads", 0, NUMBER, "N", OPTION_ON(BENCH), "threads they are spread over (1)")    \
    X(pipeline, "pipeline", 'P', NUMBER, "N", OPTION_ON(BENCH), "requests sent at once (1)")       \
    X(key_count, "keys", 'k', NUMBER, "N", OPTION_ON(BENCH), "different keys (100000)")            \
    X(value_bytes, "value-size", 'v', SIZE, "BYTES", OPTION_ON(BENCH), "of each value (100)")      \
    X(distribution, "distribution", 0, TEXT, "D", OPTION_ON(BENCH), "uniform, zipfian or latest")  \
    X(workload, "workload", 'w', TEXT, "W", OPTION_ON(BENCH),                                      \
      "A to F: a mix and distribution of YCSB")                                                    \
    X(read_percent, "read-ratio", 'r', NUMBER, "PERCENT", OPTION_ON(BENCH),                        \
      "gets among all requests; the rest is puts (100)")                                           \
    X(requests, "requests", 'N', NUMBER, "N", OPTION_ON(BENCH), "requests in all (1000000)")       \
    X(duration_ms, "seconds", 'S', DURATION, "TIME", OPTION_ON(BENCH), "or so long")               \
    X(rate, "rate", 0, NUMBER, "N", OPTION_ON(BENCH),                                              \
      "requests a second at fixed times; latency counts from the intended time")                   \
    X(preload, "preload", 0, FLAG, NULL, OPTION_ON(BENCH), "put every key once before")            \
    X(compressible, "compressible", 0, FLAG, NULL, OPTION_ON(BENCH),                               \
      "values of repeated words instead of random bytes")                                          \
    X(seed, "seed", 0, NUMBER, "N", OPTION_ON(BENCH), "of keys and values (1)")                    \
    X(server_pid, "server-pid", 0, NUMBER, "PID", OPTION_ON(BENCH), "report its CPU time too")     \
    X(interval_ms, "interval", 'i', DURATION, "TIME", OPTION_ON(TOP), "between two pages (1s)")    \
    X(protocol, "protocol", 0, TEXT, "P", OPTION_ON(BENCH), "kvd, redis or echo (kvd)")

enum option_id {
#define OPTION_ENUM(field, ...) OPTION_ID_##field,
    OPTION_LIST(OPTION_ENUM)
#undef OPTION_ENUM
        OPTION_COUNT
};
_Static_assert(OPTION_COUNT <= 64, "`given` has a bit for each option");
_Static_assert(COMMAND_NONE < 64, "OPTION_ON has a bit for each command");

struct options {
    uint64_t given;       /* bit by enum option_id */
    enum command command; /* COMMAND_NONE if none was named */
    char **arguments;     /* borrowed; behind the command, without options */
    int argument_count;
    const struct slice *words; /* borrowed: options_parse_words */
    size_t word_count;

    const char *server, *namespace_name, *range, *file, *format, *distribution, *protocol,
        *workload, *into, *since, *backup;
    struct kvd_bytes from, to, prefix;
    uint64_t from_version, at, at_time, snapshot, before, lifetime_ms, quota, keep_ms,
        keep_versions;
    uint64_t timeout_ms, ttl_ms, if_version, user_flags, limit, retry_ms;
    uint64_t connections, threads, pipeline, key_count, value_bytes, read_percent, requests;
    uint64_t duration_ms, rate, seed, server_pid, hold_ms;
    uint64_t transaction; /* of the shell: the one that reads and writes are part of */
    uint64_t interval_ms; /* of top */
    enum kvd_durability durability;
    bool all, json, escape, help, version, if_absent, if_present, force, verify, reverse, keys_only;
    bool atomic, skip_existing, gets, preload, compressible, once, replace;
};

#define OPTIONS_GIVEN(options, field) (((options)->given >> OPTION_ID_##field & 1) != 0)

/* Reads the command line; argv is rearranged, and escapes in it are replaced. Errors: INVALID, with
 * error->text for the user. */
enum status options_parse(struct options *options, int argc, char **argv,
                          struct error *error) MUST_CHECK;

/* The same for words of any bytes, NUL too: argv[i] is words[i].ptr, which has a NUL behind it.
 * Both and the bytes must outlive the options. */
enum status options_parse_words(struct options *options, const struct slice *words,
                                size_t word_count, char **argv, struct error *error) MUST_CHECK;

/* What was not given is taken from `base`, of the options for all commands. */
void options_inherit(struct options *options, const struct options *base);

/* Whether an argument has a NUL byte. */
bool options_have_nul(const struct options *options);

/* Replaces escapes of argument `index` if --escape was given. Errors: INVALID. */
enum status options_bytes(const struct options *options, int index, struct kvd_bytes *bytes_out,
                          struct error *error) MUST_CHECK;

/* What --durability understands. Errors: INVALID. */
enum status options_parse_durability(const char *text, enum kvd_durability *out) MUST_CHECK;

/* What the list says of an option. */
struct option_text {
    const char *name;
    const char *value_name; /* NULL: it takes none */
    const char *help;
    enum option_kind kind;
    char letter; /* 0: none */
    bool everywhere;
};

/* Option `index` (below OPTION_COUNT); false if `command` does not take it (COMMAND_NONE: if not
 * every command does). */
bool options_text(size_t index, enum command command, struct option_text *text_out);

/* Writes the options of `command` (COMMAND_NONE: those for all) as lines of help. */
void options_print(enum command command);

#endif
