/* salvage_names.h: the namespaces of a salvaged store: their names by their old ids, and the ids
 * that they have in the new one. One whose name is lost becomes "salvaged-ID". One thread. */
#ifndef KVD_STORAGE_SALVAGE_NAMES_H
#define KVD_STORAGE_SALVAGE_NAMES_H

#include "storage/namespaces.h"

struct salvage_name {
    uint32_t old_id;
    uint32_t new_id; /* 0: not asked for yet */
    bool is_known;   /* by the catalogue */
    struct store_namespace_settings settings;
    size_t text_len;
    char text[NAMESPACE_NAME_BYTES_MAX];
};

struct salvage_names {
    struct salvage_name *list; /* owned; ascending by old id */
    size_t count;
    size_t capacity;
};

/* A zeroed struct is allowed. */
void salvage_names_deinit(struct salvage_names *names);

/* Takes a row of the system namespace, if it is one of the catalogue. Errors: NO_MEMORY. */
enum status salvage_names_take(struct salvage_names *names, struct slice key,
                               struct slice value) MUST_CHECK;

/* The name of an old id, made up if it is not known. Borrowed until the next call. Errors:
 * NO_MEMORY. */
enum status salvage_names_find(struct salvage_names *names, uint32_t old_id,
                               struct salvage_name **name_out) MUST_CHECK;

#endif
