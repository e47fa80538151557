/* dispatch.c: see dispatch.h. */
#include "server/dispatch.h"

#define FLAGS_ALL ((uint32_t)(WIRE_FLAG_DEADLINE | WIRE_FLAG_EXTENSIONS))
#define FLAGS_READ ((uint32_t)(FLAGS_ALL | WIRE_FLAG_NAMESPACE))
#define FLAGS_READ_RECORD ((uint32_t)(FLAGS_READ | WIRE_FLAG_WANT_CHECKSUM))
#define FLAGS_WRITE ((uint32_t)(FLAGS_ALL | WIRE_FLAG_NAMESPACE | WIRE_FLAG_DURABILITY))
#define FLAGS_DELETE ((uint32_t)(FLAGS_WRITE | WIRE_FLAG_CONDITION))
#define FLAGS_PUT                                                                                  \
    ((uint32_t)(FLAGS_DELETE | WIRE_FLAG_TTL | WIRE_FLAG_EXPIRE_AT | WIRE_FLAG_CHECKSUM))

#define LOCAL(NAME, function)                                                                      \
    {.kind = COMMAND_LOCAL,                                                                        \
     .right = RIGHT_NONE,                                                                          \
     .before_hello = true,                                                                         \
     .flags = FLAGS_ALL,                                                                           \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .local = function}
#define READ(NAME, function, allowed)                                                              \
    {.kind = COMMAND_READ,                                                                         \
     .right = RIGHT_READ,                                                                          \
     .flags = allowed,                                                                             \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .read = function}
#define WRITE(NAME, function, allowed)                                                             \
    {.kind = COMMAND_WRITE,                                                                        \
     .right = RIGHT_WRITE,                                                                         \
     .flags = allowed,                                                                             \
     .metric = METRIC_REQUESTS_##NAME,                                                             \
     .write = function}

static const struct command hello = LOCAL(HELLO, command_hello);
static const struct command ping = LOCAL(PING, command_ping);
static const struct command get = READ(GET, command_get, FLAGS_READ_RECORD);
static const struct command mget = READ(MGET, command_mget, FLAGS_READ_RECORD);
static const struct command exists = READ(EXISTS, command_exists, FLAGS_READ);
static const struct command meta = READ(META, command_meta, FLAGS_READ_RECORD);
static const struct command scan = {.kind = COMMAND_READ,
                                    .right = RIGHT_READ,
                                    .flags = FLAGS_READ_RECORD,
                                    .metric = METRIC_REQUESTS_SCAN,
                                    .read = command_scan,
                                    .is_long = command_scan_is_long};
static const struct command count = {.kind = COMMAND_READ,
                                     .right = RIGHT_READ,
                                     .flags = FLAGS_READ,
                                     .metric = METRIC_REQUESTS_COUNT,
                                     .read = command_count,
                                     .always_task = true};
static const struct command put = WRITE(PUT, command_put, FLAGS_PUT);
static const struct command delete = WRITE(DELETE, command_delete, FLAGS_DELETE);
static const struct command batch = WRITE(BATCH, command_batch, FLAGS_WRITE);
static const struct command stats = {.kind = COMMAND_READ,
                                     .right = RIGHT_OPERATE,
                                     .flags = FLAGS_ALL,
                                     .metric = METRIC_REQUESTS_STATS,
                                     .read = command_stats,
                                     .always_task = true};

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wswitch" /* no default below: each opcode must be answered for */

const struct command *dispatch_find(uint16_t opcode) {
    switch ((enum wire_opcode)opcode) {
    case WIRE_HELLO:
        return &hello;
    case WIRE_PING:
        return &ping;
    case WIRE_GET:
        return &get;
    case WIRE_MGET:
        return &mget;
    case WIRE_EXISTS:
        return &exists;
    case WIRE_META:
        return &meta;
    case WIRE_SCAN:
        return &scan;
    case WIRE_COUNT:
        return &count;
    case WIRE_PUT:
        return &put;
    case WIRE_DELETE:
        return &delete;
    case WIRE_BATCH:
        return &batch;
    case WIRE_STATS:
        return &stats;
    case WIRE_AUTH: /* the rest is reserved */
    case WIRE_CANCEL:
    case WIRE_GET_RANGE:
    case WIRE_HISTORY:
    case WIRE_DIFF:
    case WIRE_DELETE_RANGE:
    case WIRE_ADD:
    case WIRE_APPEND:
    case WIRE_TOUCH:
    case WIRE_PERSIST:
    case WIRE_REWIND:
    case WIRE_UPLOAD_BEGIN:
    case WIRE_BULK_LOAD:
    case WIRE_UPLOAD_DATA:
    case WIRE_UPLOAD_COMMIT:
    case WIRE_UPLOAD_ABORT:
    case WIRE_TXN_BEGIN:
    case WIRE_TXN_COMMIT:
    case WIRE_TXN_ABORT:
    case WIRE_SNAPSHOT_OPEN:
    case WIRE_SNAPSHOT_CLOSE:
    case WIRE_SNAPSHOT_LIST:
    case WIRE_WATCH:
    case WIRE_FEED:
    case WIRE_BACKUP:
    case WIRE_WHY:
    case WIRE_CONFIG:
    case WIRE_MAINTAIN:
    case WIRE_EXPLAIN:
    case WIRE_NAMESPACE_CREATE:
    case WIRE_NAMESPACE_DROP:
    case WIRE_NAMESPACE_LIST:
        return NULL;
    }
    return NULL;
}

#pragma GCC diagnostic pop
