/* status.c: the texts of status.h. */
#include "protocol/base/status.h"

static const char *const names[] = {
#define STATUS_NAME(code, name, text) [STATUS_##code] = name,
    STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
};

static const char *const texts[] = {
#define STATUS_TEXT(code, name, text) [STATUS_##code] = text,
    STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
};

const char *status_name(enum status status) {
    return (unsigned)status < STATUS_COUNT ? names[status] : "invalid_status";
}

const char *status_text(enum status status) {
    return (unsigned)status < STATUS_COUNT ? texts[status] : "a status outside the list";
}
