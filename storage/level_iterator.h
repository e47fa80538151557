/* level_iterator.h: walks tables that do not overlap and stand in key order, opening one at a time
 * through the table cache. Over one table it is the way to get an iterator that keeps its table
 * pinned. Each move fails as a table's iterator does; WOULD_BLOCK also when a table is not open and
 * READ_WAIT_NEVER was given. One thread at a time. */
#ifndef KVD_STORAGE_LEVEL_ITERATOR_H
#define KVD_STORAGE_LEVEL_ITERATOR_H

#include "storage/table_cache.h"

/* `infos` (the array too) and `cache` are borrowed until the iterator is destroyed: the caller pins
 * the version they belong to. Each table's largest key < the next one's smallest. `flags`: enum
 * table_iterator_flags. Errors: NO_MEMORY. */
enum status level_iterator_create(struct table_cache *cache, const struct table_info *const *infos,
                                  size_t count, enum read_wait wait, unsigned flags,
                                  struct iterator **iterator_out) MUST_CHECK;

#endif
