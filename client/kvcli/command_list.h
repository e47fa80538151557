/* command_list.h: the one list of commands: code, name, arguments, fewest and most of them, what it
 * does. Each has a handler command_<name>() in one of the files command_*.c. */
#ifndef KVCLI_COMMAND_LIST_H
#define KVCLI_COMMAND_LIST_H

#include <stdbool.h>

#define COMMAND_MANY 1000000

#define COMMAND_LIST(X)                                                                            \
    X(GET, get, "KEY", 1, 1, "write the value to standard output")                                 \
    X(PUT, put, "KEY [VALUE | -]", 1, 2, "store a value; - reads standard input")                  \
    X(DEL, del, "KEY...", 1, COMMAND_MANY, "delete keys")                                          \
    X(EXISTS, exists, "KEY", 1, 1, "exit code 0 if the key is there, else 1")                      \
    X(META, meta, "KEY", 1, 1, "version, length, expiry, flags and checksum of a value")           \
    X(MGET, mget, "KEY...", 1, COMMAND_MANY, "keys and values, one a line")                        \
    X(SCAN, scan, "[PREFIX]", 0, 1, "keys and values in key order, one a line")                    \
    X(COUNT, count, "[PREFIX]", 0, 1, "the number of keys")                                        \
    X(BATCH, batch, "", 0, 0, "writes from standard input, one a line: put KEY VALUE, del KEY...") \
    X(DECIDE, decide, "", 0, 0,                                                                    \
      "compare and write at once, from lines: if KEY ..., then ..., else ...")                     \
    X(IMPORT, import, "SOURCE", 1, 1, "store a directory tree, or a .tsv or .jsonl file (or -)")   \
    X(LOAD, load, "FILE", 1, 1,                                                                    \
      "fill a namespace from a sorted .tsv or .jsonl file (or -): all of it at once, or nothing")  \
    X(EXPORT, export, "TARGET", 1, 1, "write a directory tree, or a .tsv or .jsonl file (or -)")   \
    X(BACKUP, backup, "verify FILE | FILE", 1, 2,                                                  \
      "write a snapshot to a file (or -) while writes go on; or check such a file")                \
    X(RESTORE, restore, "FILE...", 1, COMMAND_MANY,                                                \
      "bring a backup into the server, and those since it; - is standard input")                   \
    X(ADD, add, "KEY [AMOUNT]", 1, 2, "add to a number; without AMOUNT, 1")                        \
    X(APPEND, append, "KEY [VALUE | -]", 1, 2, "add bytes at the end of a value")                  \
    X(TOUCH, touch, "KEY", 1, 1, "give a key a new expiry, with --ttl")                            \
    X(PERSIST, persist, "KEY", 1, 1, "take a key's expiry away")                                   \
    X(TTL, ttl, "KEY", 1, 1, "milliseconds until a key expires; -1: never")                        \
    X(DELRANGE, delrange, "[PREFIX]", 0, 1, "delete all keys of a prefix or range at once")        \
    X(HISTORY, history, "KEY", 1, 1, "the kept versions of a key, newest first")                   \
    X(DIFF, diff, "PREFIX FROM [TO]", 2, 3, "keys that differ between two versions")               \
    X(REWIND, rewind, "PREFIX", 1, 1, "put a prefix back to what it was, with --at")               \
    X(SNAPSHOT, snapshot, "open | close ID | list", 1, 2, "keep a state of the store readable")    \
    X(NAMESPACE, namespace, "set NAME | drop NAME | list", 1, 2, "spaces of keys")                 \
    X(WATCH, watch, "[PREFIX]", 0, 1, "changes as they are committed, one a line")                 \
    X(VERIFY, verify, "[DIRECTORY]", 0, 1,                                                         \
      "check every checksum of the store; or compare it with a directory tree")                    \
    X(EXPLAIN, explain, "KEY", 1, 1, "how a lookup of the key goes, step by step")                 \
    X(WHY, why, "space | slow", 1, 1, "whose the bytes on disk are; where the time goes")          \
    X(FLUSH, flush, "", 0, 0, "write what is in memory into a table, now")                         \
    X(COMPACT, compact, "", 0, 0, "merge all tables into one level, now")                          \
    X(GC, gc, "", 0, 0, "collect dead bytes of the log, now")                                      \
    X(CHECKPOINT, checkpoint, "PATH", 1, 1, "make a store of its own of the present state")        \
    X(SLOWLOG, slowlog, "[N | clear]", 0, 1, "the last requests that took long, newest first")     \
    X(CLIENTS, clients, "[kill ID]", 0, 2, "who is connected; or close a connection")              \
    X(HOTKEYS, hotkeys, "[N | clear]", 0, 1, "the keys that are asked for most just now")          \
    X(CONFIG, config, "get [PREFIX] | set NAME VALUE", 1, 3, "how the server is configured")       \
    X(STATS, stats, "[SECTION]", 0, 1, "the server's statistics")                                  \
    X(TOP, top, "", 0, 0, "what the server does, live")                                            \
    X(PING, ping, "", 0, 0, "ask whether the server answers")                                      \
    X(BENCH, bench, "", 0, 0, "measure throughput and latency")                                    \
    X(COMPLETION, completion, "bash | zsh", 1, 1, "print what a shell needs to complete commands") \
    X(HELP, help, "[COMMAND]", 0, 1, "what a command does and takes")

enum command {
#define COMMAND_ENUM(code, ...) COMMAND_##code,
    COMMAND_LIST(COMMAND_ENUM)
#undef COMMAND_ENUM
        COMMAND_NONE
};

/* The command of that name; COMMAND_NONE if there is none. */
enum command command_find(const char *name);

/* "" for COMMAND_NONE. */
const char *command_name(enum command command);

/* What the list says of a command. */
struct command_text {
    const char *name;
    const char *arguments;
    const char *summary;
    int arguments_min, arguments_max;
};

/* `command` is not COMMAND_NONE. */
const struct command_text *command_text(enum command command);

/* Whether its arguments are keys, prefixes or values: any bytes. */
bool command_takes_keys(enum command command);

#endif
