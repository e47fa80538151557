/* data_folder.h: a look at the folder of the store before it is used.
 *
 * A store makes its files in any folder that it is given; a mistyped path must not end in somebody
 * else's. So a folder that has files, and none of a store, is refused. */
#ifndef KVD_SERVER_DATA_FOLDER_H
#define KVD_SERVER_DATA_FOLDER_H

#include "protocol/base/error.h"

/* Errors: INVALID when `dir` has files and none of them is a store's. A folder that is missing,
 * empty (lost+found apart), or cannot be read is left to whoever opens the store. */
enum status data_folder_check(const char *dir, struct error *error) MUST_CHECK;

#endif
