/* merge_iterator.h: one sorted walk over many sorted walks.
 *
 * A binary heap of the children, smallest key on top when going forward, largest when going
 * backward. Of identical internal keys the child with the lower index (the newer source) wins, and
 * the others are skipped. Turning round moves every child to the other side of the current key.
 * When a child fails (WOULD_BLOCK, IO, CORRUPT, NO_MEMORY) the merge returns that with the child's
 * error detail and stands nowhere; it can be sought again. One thread at a time. */
#ifndef KVD_STORAGE_MERGE_ITERATOR_H
#define KVD_STORAGE_MERGE_ITERATOR_H

#include "storage/iterator.h"

/* Merges `count` (0 or more) children, given from newest to oldest source. On OK the children are
 * owned by the new iterator (the array itself is not); on an error they stay the caller's. With one
 * child that child itself is returned. Errors: NO_MEMORY. */
enum status merge_iterator_create(struct iterator *const *children, size_t count,
                                  struct iterator **iterator_out) MUST_CHECK;

#endif
