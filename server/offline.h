/* offline.h: `kvd check` and `kvd salvage`: a store that nobody serves, verified or rebuilt.
 *
 * The report goes to standard output: a line for each finding, then the sums. */
#ifndef KVD_SERVER_OFFLINE_H
#define KVD_SERVER_OFFLINE_H

#include "storage/store.h"

/* *clean_out is whether no fault was found. Errors: those of store_check. */
enum status offline_check(const struct store_options *options, bool *clean_out,
                          struct error *error) MUST_CHECK;

/* *clean_out is whether nothing was lost. Errors: those of store_salvage. */
enum status offline_salvage(const struct store_options *options, const char *new_dir,
                            bool *clean_out, struct error *error) MUST_CHECK;

#endif
