/* file_name.h: the names of the files in a store's directory.
 *
 *      0000000012.table    0000000013.segment    MANIFEST-0000000001    LOCK
 *
 * A number is written with at least ten digits, and in one way only. Numbers are handed out by the
 * manifest and never used twice, whatever the kind. Pure functions. */
#ifndef KVD_STORAGE_FILE_NAME_H
#define KVD_STORAGE_FILE_NAME_H

#include "protocol/base/status.h"
#include "storage/env.h"

#include <stdbool.h>
#include <stdint.h>

#define FILE_NAME_BYTES_MAX 32 /* "MANIFEST-" and 20 digits, and the NUL */

enum file_kind { FILE_TABLE, FILE_SEGMENT, FILE_MANIFEST, FILE_LOCK };

/* Writes the name, ended by NUL. The number of LOCK is ignored. */
void file_name_make(enum file_kind kind, uint64_t number, char name_out[FILE_NAME_BYTES_MAX]);

/* Whether `name` is one that file_name_make makes; sets kind and number (0 for LOCK) if so. */
bool file_name_parse(const char *name, enum file_kind *kind_out, uint64_t *number_out);

/* dir + "/" + name. Errors: INVALID when longer than ENV_PATH_MAX - 1 bytes. */
enum status file_path_join(const char *dir, const char *name,
                           char path_out[ENV_PATH_MAX]) MUST_CHECK;

/* Both at once. Errors: as file_path_join. */
enum status file_path_make(const char *dir, enum file_kind kind, uint64_t number,
                           char path_out[ENV_PATH_MAX]) MUST_CHECK;

#endif
