/* entry_print.h: entries as the commands print them, wherever they were read: from a server or from
 * a backup. */
#ifndef KVCLI_ENTRY_PRINT_H
#define KVCLI_ENTRY_PRINT_H

#include "client/kvcli/options.h"

/* Of `get`: the value as it is, on a terminal as text. */
void entry_print_value(const struct options *options, struct kvd_bytes key, struct kvd_bytes value,
                       const struct kvd_meta *meta);

/* Of `get --range`: some of its bytes. */
void entry_print_part(const struct options *options, struct kvd_bytes key, uint64_t offset,
                      struct kvd_bytes bytes);

/* What --range says: "0-99" or "100-". Returns CLI_DONE, or prints and returns CLI_USAGE. */
int entry_parse_range(const char *text, uint64_t *offset_out, uint64_t *length_out);

/* Of `mget`: a value, or that there is none. Returns the exit code. */
int entry_print_answer(const struct options *options, struct kvd_bytes key,
                       const struct kvd_value *value);

/* Of `meta`, `exists`, `scan` and `count`. */
void entry_print_meta(const struct options *options, struct kvd_bytes key,
                      const struct kvd_meta *meta);
void entry_print_exists(const struct options *options, struct kvd_bytes key, bool exists,
                        uint64_t version);
void entry_print_scanned(const struct options *options, const struct kvd_entry *entry);
void entry_print_count(const struct options *options, uint64_t count);

#endif
