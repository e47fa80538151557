/* result.c: see result.h. */
#include "client/result.h"

struct result_row {
    enum kvd_status number;
    enum status status;
};

static const struct result_row rows[] = {
    {KVD_OK, STATUS_OK},
    {KVD_NOT_FOUND, STATUS_NOT_FOUND},
    {KVD_END, STATUS_END},
    {KVD_EXISTS, STATUS_EXISTS},
    {KVD_ABSENT, STATUS_ABSENT},
    {KVD_VERSION_MISMATCH, STATUS_VERSION_MISMATCH},
    {KVD_INVALID, STATUS_INVALID},
    {KVD_TOO_LARGE, STATUS_TOO_LARGE},
    {KVD_UNSUPPORTED, STATUS_UNSUPPORTED},
    {KVD_PROTOCOL, STATUS_PROTOCOL},
    {KVD_CHECKSUM, STATUS_CHECKSUM},
    {KVD_DEADLINE, STATUS_DEADLINE},
    {KVD_TIMEOUT, STATUS_TIMEOUT},
    {KVD_BUSY, STATUS_BUSY},
    {KVD_NO_MEMORY, STATUS_NO_MEMORY},
    {KVD_NO_SPACE, STATUS_NO_SPACE},
    {KVD_IO, STATUS_IO},
    {KVD_CORRUPT, STATUS_CORRUPT},
    {KVD_READ_ONLY, STATUS_READ_ONLY},
    {KVD_LOG_FAILED, STATUS_LOG_FAILED},
    {KVD_UNKNOWN, STATUS_UNKNOWN},
    {KVD_SHUTTING_DOWN, STATUS_SHUTTING_DOWN},
    {KVD_DENIED, STATUS_DENIED},
    {KVD_CONNECT, STATUS_CONNECT},
    {KVD_CLOSED, STATUS_CLOSED},
    {KVD_CANCELLED, STATUS_CANCELLED},
    {KVD_INTERNAL, STATUS_INTERNAL},
    {KVD_GONE, STATUS_GONE},
    {KVD_QUOTA, STATUS_QUOTA},
    {KVD_OVERFLOW, STATUS_OVERFLOW},
    {KVD_CONFLICT, STATUS_CONFLICT},
    {KVD_TXN_TOO_OLD, STATUS_TXN_TOO_OLD},
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static const struct result_row *find(enum kvd_status number) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].number == number) {
            return &rows[i];
        }
    }
    return NULL;
}

enum kvd_status result_public(enum status status) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].status == status) {
            return rows[i].number;
        }
    }
    return KVD_INTERNAL;
}

enum status result_inside(enum kvd_status number) {
    const struct result_row *row = find(number);

    return row ? row->status : STATUS_INTERNAL;
}

const char *kvd_status_name(enum kvd_status status) {
    const struct result_row *row = find(status);

    return row ? status_name(row->status) : "invalid_status";
}

const char *kvd_status_text(enum kvd_status status) {
    const struct result_row *row = find(status);

    return row ? status_text(row->status) : "not a status of this library";
}

enum kvd_outcome kvd_outcome(enum kvd_status status) {
    switch (status) {
    case KVD_OK:
    case KVD_NOT_FOUND:
    case KVD_END:
        return KVD_OUTCOME_DONE;
    case KVD_UNKNOWN:
    case KVD_INTERNAL:
        return KVD_OUTCOME_UNKNOWN;
    default: /* TIMEOUT, CLOSED and PROTOCOL too: writes in doubt are turned into UNKNOWN */
        return KVD_OUTCOME_FAILED;
    }
}
