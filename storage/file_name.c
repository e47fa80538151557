/* file_name.c: see file_name.h. */
#include "storage/file_name.h"

#include "protocol/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_DIGITS_MIN 10

void file_name_make(enum file_kind kind, uint64_t number, char name_out[FILE_NAME_BYTES_MAX]) {
    int len;

    switch (kind) {
    case FILE_TABLE:
        len = snprintf(name_out, FILE_NAME_BYTES_MAX, "%0*" PRIu64 ".table", NUMBER_DIGITS_MIN,
                       number);
        break;
    case FILE_SEGMENT:
        len = snprintf(name_out, FILE_NAME_BYTES_MAX, "%0*" PRIu64 ".segment", NUMBER_DIGITS_MIN,
                       number);
        break;
    case FILE_MANIFEST:
        len = snprintf(name_out, FILE_NAME_BYTES_MAX, "MANIFEST-%0*" PRIu64, NUMBER_DIGITS_MIN,
                       number);
        break;
    case FILE_LOCK:
    default:
        len = snprintf(name_out, FILE_NAME_BYTES_MAX, "LOCK");
        break;
    }
    ASSERT(len > 0 && len < FILE_NAME_BYTES_MAX);
}

/* The first run of digits in a name; false when there is none or it does not fit. */
static bool number_in(const char *name, uint64_t *number_out) {
    const char *digit = name + strcspn(name, "0123456789");
    uint64_t number = 0;

    if (*digit == '\0') {
        return false;
    }
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number)) {
            return false;
        }
    }
    *number_out = number;
    return true;
}

/* Guesses from the parts, makes that name, and compares: so there is one name for one number. */
bool file_name_parse(const char *name, enum file_kind *kind_out, uint64_t *number_out) {
    char made[FILE_NAME_BYTES_MAX];
    uint64_t number = 0;

    for (int kind = FILE_TABLE; kind <= FILE_LOCK; kind++) {
        if (kind != FILE_LOCK && !number_in(name, &number)) {
            continue;
        }
        file_name_make((enum file_kind)kind, number, made);
        if (strcmp(made, name) == 0) {
            *kind_out = (enum file_kind)kind;
            *number_out = kind == FILE_LOCK ? 0 : number;
            return true;
        }
    }
    return false;
}

enum status file_path_join(const char *dir, const char *name, char path_out[ENV_PATH_MAX]) {
    size_t dir_len = strlen(dir);
    size_t name_len = strlen(name);

    if (dir_len + 1 + name_len >= ENV_PATH_MAX) {
        return STATUS_INVALID;
    }
    memcpy(path_out, dir, dir_len);
    path_out[dir_len] = '/';
    memcpy(path_out + dir_len + 1, name, name_len + 1);
    return STATUS_OK;
}

enum status file_path_make(const char *dir, enum file_kind kind, uint64_t number,
                           char path_out[ENV_PATH_MAX]) {
    char name[FILE_NAME_BYTES_MAX];

    file_name_make(kind, number, name);
    return file_path_join(dir, name, path_out);
}
