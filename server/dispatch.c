/* dispatch.c: see dispatch.h. */
#include "server/dispatch.h"

#define FLAGS_ALL ((uint32_t)(WIRE_FLAG_DEADLINE | WIRE_FLAG_EXTENSIONS))
#define FLAGS_NAMED ((uint32_t)(FLAGS_ALL | WIRE_FLAG_NAMESPACE))
#define FLAGS_STATE ((uint32_t)(FLAGS_NAMED | WIRE_FLAGS_STATE))
#define FLAGS_READ ((uint32_t)(FLAGS_STATE | WIRE_FLAG_TRANSACTION))
#define FLAGS_READ_RECORD ((uint32_t)(FLAGS_READ | WIRE_FLAG_WANT_CHECKSUM))
#define FLAGS_COMMIT ((uint32_t)(FLAGS_ALL | WIRE_FLAG_DURABILITY | WIRE_FLAG_RETRY_TOKEN))
#define FLAGS_WRITE ((uint32_t)(FLAGS_COMMIT | WIRE_FLAG_NAMESPACE))
#define FLAGS_INSIDE ((uint32_t)(FLAGS_WRITE | WIRE_FLAG_TRANSACTION))
#define FLAGS_WRITE_KEY ((uint32_t)(FLAGS_INSIDE | WIRE_FLAG_CONDITION))
#define FLAGS_EXPIRY ((uint32_t)(WIRE_FLAG_TTL | WIRE_FLAG_EXPIRE_AT))
#define FLAGS_PUT ((uint32_t)(FLAGS_WRITE_KEY | FLAGS_EXPIRY | WIRE_FLAG_CHECKSUM))
#define FLAGS_UPLOAD_COMMIT                                                                        \
    ((uint32_t)(FLAGS_COMMIT | FLAGS_EXPIRY | WIRE_FLAG_CONDITION | WIRE_FLAG_CHECKSUM))

#define LOCAL(NAME, function)                                                                      \
    {.kind = COMMAND_LOCAL,                                                                        \
     .right = RIGHT_NONE,                                                                          \
     .before_hello = true,                                                                         \
     .flags = FLAGS_ALL,                                                                           \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .local = function}
#define SNAPSHOT(NAME, function)                                                                   \
    {.kind = COMMAND_LOCAL,                                                                        \
     .right = RIGHT_READ,                                                                          \
     .after_writes = true,                                                                         \
     .flags = FLAGS_ALL,                                                                           \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .local = function}
#define READ(NAME, function, allowed)                                                              \
    {.kind = COMMAND_READ,                                                                         \
     .right = RIGHT_READ,                                                                          \
     .flags = allowed,                                                                             \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .read = function}
#define READ_LONG(NAME, function, allowed, long_function)                                          \
    {.kind = COMMAND_READ,                                                                         \
     .right = RIGHT_READ,                                                                          \
     .flags = allowed,                                                                             \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .read = function,                                                                             \
     .is_long = long_function}
#define READ_IN_TASK(NAME, function, allowed, slot_of)                                             \
    {.kind = COMMAND_READ,                                                                         \
     .right = RIGHT_READ,                                                                          \
     .flags = allowed,                                                                             \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .read = function,                                                                             \
     .slot = slot_of,                                                                              \
     .always_task = true}
#define REPORT(NAME, function, right_of, slot_of)                                                  \
    {.kind = COMMAND_READ,                                                                         \
     .right = right_of,                                                                            \
     .flags = FLAGS_ALL,                                                                           \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .read = function,                                                                             \
     .no_state = true,                                                                             \
     .slot = slot_of,                                                                              \
     .always_task = true}
#define WRITE(NAME, function, allowed)                                                             \
    {.kind = COMMAND_WRITE,                                                                        \
     .right = RIGHT_WRITE,                                                                         \
     .flags = allowed,                                                                             \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .write = function}
/* A write that may be one of a transaction. */
#define WRITE_INSIDE(NAME, function, allowed)                                                      \
    {.kind = COMMAND_WRITE,                                                                        \
     .right = RIGHT_WRITE,                                                                         \
     .flags = allowed,                                                                             \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .write = function,                                                                            \
     .read = command_write_inside}
#define OPERATE(NAME, function)                                                                    \
    {.kind = COMMAND_WRITE,                                                                        \
     .right = RIGHT_OPERATE,                                                                       \
     .flags = FLAGS_COMMIT,                                                                        \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .write = function}
#define JOB(NAME, function, allowed, slot_of)                                                      \
    {.kind = COMMAND_JOB,                                                                          \
     .right = RIGHT_WRITE,                                                                         \
     .flags = allowed,                                                                             \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .job = function,                                                                              \
     .slot = slot_of}

/* Numbered by opcode; those between are empty. */
static const struct command commands[] = {
    [WIRE_HELLO] = LOCAL(HELLO, command_hello),
    [WIRE_PING] = LOCAL(PING, command_ping),

    [WIRE_GET] = READ(GET, command_get, FLAGS_READ_RECORD),
    [WIRE_MGET] = READ(MGET, command_mget, FLAGS_READ_RECORD),
    [WIRE_EXISTS] = READ(EXISTS, command_exists, FLAGS_READ),
    [WIRE_META] = READ(META, command_meta, FLAGS_READ_RECORD),
    [WIRE_SCAN] = READ_LONG(SCAN, command_scan, FLAGS_READ_RECORD, command_scan_is_long),
    [WIRE_GET_RANGE] =
        READ_LONG(GET_RANGE, command_get_range, FLAGS_READ_RECORD, command_get_range_is_long),
    [WIRE_COUNT] = READ_LONG(COUNT, command_count, FLAGS_READ, command_count_is_long),
    [WIRE_HISTORY] = READ_IN_TASK(HISTORY, command_history, FLAGS_STATE, SERVICE_SLOT_NONE),
    [WIRE_EXPLAIN] = READ_IN_TASK(EXPLAIN, command_explain, FLAGS_STATE, SERVICE_SLOT_NONE),
    [WIRE_DIFF] = READ_IN_TASK(DIFF, command_diff, FLAGS_NAMED, SERVICE_SLOT_WALK),

    [WIRE_PUT] = WRITE_INSIDE(PUT, command_put, FLAGS_PUT),
    [WIRE_DELETE] = WRITE_INSIDE(DELETE, command_delete, FLAGS_WRITE_KEY),
    [WIRE_BATCH] = WRITE(BATCH, command_batch, FLAGS_WRITE),
    [WIRE_DELETE_RANGE] = WRITE_INSIDE(DELETE_RANGE, command_delete_range, FLAGS_INSIDE),
    [WIRE_ADD] = WRITE_INSIDE(ADD, command_add, FLAGS_WRITE_KEY),
    [WIRE_APPEND] = WRITE_INSIDE(APPEND, command_append, FLAGS_WRITE_KEY),
    [WIRE_TOUCH] = WRITE_INSIDE(TOUCH, command_expire, FLAGS_WRITE_KEY | FLAGS_EXPIRY),
    [WIRE_PERSIST] = WRITE_INSIDE(PERSIST, command_expire, FLAGS_WRITE_KEY),
    [WIRE_REWIND] = JOB(REWIND, command_rewind, FLAGS_WRITE, SERVICE_SLOT_WALK),

    [WIRE_UPLOAD_BEGIN] = JOB(UPLOAD_BEGIN, command_upload_begin, FLAGS_NAMED, SERVICE_SLOT_NONE),
    [WIRE_BULK_LOAD] = {.kind = COMMAND_JOB,
                        .right = RIGHT_WRITE,
                        .flags = FLAGS_NAMED,
                        .metric = METRIC_REQUESTS_BULK_LOAD,
                        .job = command_bulk_load,
                        .is_long = command_bulk_load_is_long},
    [WIRE_UPLOAD_DATA] = JOB(UPLOAD_DATA, command_upload_data, FLAGS_ALL, SERVICE_SLOT_NONE),
    [WIRE_UPLOAD_COMMIT] =
        JOB(UPLOAD_COMMIT, command_upload_commit, FLAGS_UPLOAD_COMMIT, SERVICE_SLOT_NONE),
    [WIRE_UPLOAD_ABORT] = JOB(UPLOAD_ABORT, command_upload_abort, FLAGS_ALL, SERVICE_SLOT_NONE),

    [WIRE_SNAPSHOT_OPEN] = SNAPSHOT(SNAPSHOT_OPEN, command_snapshot_open),
    [WIRE_SNAPSHOT_CLOSE] = SNAPSHOT(SNAPSHOT_CLOSE, command_snapshot_close),
    [WIRE_SNAPSHOT_LIST] =
        REPORT(SNAPSHOT_LIST, command_snapshot_list, RIGHT_READ, SERVICE_SLOT_NONE),

    [WIRE_TRANSACT] = JOB(TRANSACT, command_transact,
                          FLAGS_WRITE | (uint32_t)WIRE_FLAG_WANT_CHECKSUM, SERVICE_SLOT_NONE),
    [WIRE_TXN_BEGIN] = {.kind = COMMAND_LOCAL,
                        .right = RIGHT_READ,
                        .after_writes = true,
                        .flags = FLAGS_ALL | (uint32_t)WIRE_FLAG_SNAPSHOT,
                        .metric = METRIC_REQUESTS_TXN_BEGIN,
                        .local = command_txn_begin},
    [WIRE_TXN_COMMIT] = {.kind = COMMAND_COMMIT,
                         .right = RIGHT_READ,
                         .flags = FLAGS_COMMIT,
                         .metric = METRIC_REQUESTS_TXN_COMMIT},
    [WIRE_TXN_ABORT] = {.kind = COMMAND_LOCAL,
                        .right = RIGHT_READ,
                        .flags = FLAGS_ALL,
                        .metric = METRIC_REQUESTS_TXN_ABORT,
                        .local = command_txn_abort},

    [WIRE_NAMESPACE_CREATE] = OPERATE(NAMESPACE_CREATE, command_namespace_create),
    [WIRE_NAMESPACE_DROP] = OPERATE(NAMESPACE_DROP, command_namespace_drop),
    [WIRE_NAMESPACE_LIST] =
        REPORT(NAMESPACE_LIST, command_namespace_list, RIGHT_READ, SERVICE_SLOT_NONE),

    [WIRE_FEED] = {.kind = COMMAND_READ,
                   .right = RIGHT_READ,
                   .flags = FLAGS_NAMED,
                   .metric = METRIC_REQUESTS_FEED,
                   .read = command_feed,
                   .no_state = true,
                   .always_task = true},

    [WIRE_STATS] = REPORT(STATS, command_stats, RIGHT_OPERATE, SERVICE_SLOT_NONE),
    [WIRE_WHY] = REPORT(WHY, command_why, RIGHT_OPERATE, SERVICE_SLOT_WALK),
    [WIRE_CLIENTS] = REPORT(CLIENTS, command_clients, RIGHT_OPERATE, SERVICE_SLOT_NONE),
    [WIRE_SLOWLOG] = REPORT(SLOWLOG, command_slowlog, RIGHT_OPERATE, SERVICE_SLOT_NONE),
    [WIRE_HOTKEYS] = REPORT(HOTKEYS, command_hotkeys, RIGHT_OPERATE, SERVICE_SLOT_NONE),
    [WIRE_CONFIG] = REPORT(CONFIG, command_config, RIGHT_OPERATE, SERVICE_SLOT_NONE),
    [WIRE_MAINTAIN] = REPORT(MAINTAIN, command_maintain, RIGHT_OPERATE, SERVICE_SLOT_MAINTAIN),
};

#define COMMANDS_COUNT (sizeof commands / sizeof commands[0])

const struct command *dispatch_find(uint16_t opcode) {
    return opcode < COMMANDS_COUNT && commands[opcode].flags != 0 ? &commands[opcode] : NULL;
}
