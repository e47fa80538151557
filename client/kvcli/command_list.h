/* command_list.h: the one list of commands: code, name, arguments, fewest and most of them, what it
 * does. Each has a handler command_<name>() in one of the files command_*.c. */
#ifndef KVCLI_COMMAND_LIST_H
#define KVCLI_COMMAND_LIST_H

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
    X(BATCH, batch, "", 0, 0, "'put KEY VALUE' and 'del KEY' lines from standard input")           \
    X(IMPORT, import, "SOURCE", 1, 1, "store a directory tree, or a .tsv or .jsonl file (or -)")   \
    X(EXPORT, export, "TARGET", 1, 1, "write a directory tree, or a .tsv or .jsonl file (or -)")   \
    X(VERIFY, verify, "DIRECTORY", 1, 1, "compare what is stored with a directory tree")           \
    X(STATS, stats, "[SECTION]", 0, 1, "the server's statistics")                                  \
    X(PING, ping, "", 0, 0, "ask whether the server answers")                                      \
    X(BENCH, bench, "", 0, 0, "measure throughput and latency")                                    \
    X(HELP, help, "[COMMAND]", 0, 1, "what a command does and takes")

enum command {
#define COMMAND_ENUM(code, ...) COMMAND_##code,
    COMMAND_LIST(COMMAND_ENUM)
#undef COMMAND_ENUM
        COMMAND_NONE
};

#endif
