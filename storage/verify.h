/* verify.h: reads all of a version and holds it against what it must be.
 *
 *      tables      footer, index, filter, every block; keys ascend; the books that the manifest
 *                  keeps of a table equal a recount of its entries
 *      values      every separated value, every block of every extent, by its reference: so each
 *                  reference resolves, through relocations too
 *      levels      ordered and disjoint
 *      segments    length, header, every group, commit and meta of a sealed one
 *      relocations every page; the home is gone, the target is there
 *      files       each file of the directory is part of the version
 *
 * A fault is reported and counted, and the work goes on behind it. What cannot be done for want of
 * memory is an error. Reads past the block cache. One thread; the version is held by the caller. */
#ifndef KVD_STORAGE_VERIFY_H
#define KVD_STORAGE_VERIFY_H

#include "storage/manifest_state.h"
#include "storage/store.h"
#include "storage/version.h"

struct verify {
    /* borrowed */
    struct env *env;
    const char *dir;
    struct compression *compression;
    const uint8_t *store_id; /* STORE_ID_BYTES */
    const struct version *version;
    const _Atomic bool *cancel;   /* may be NULL */
    const _Atomic bool *stopping; /* likewise */
    store_report_cb report_cb;
    void *arg;
    /* its own */
    struct store_verify_result result;
    struct buffer value;
    struct buffer scratch;
};

/* Sets what is its own; the rest is set before. */
void verify_init(struct verify *verify);
void verify_deinit(struct verify *verify);

/* Reports a fault of a file, or of what `name` is. */
void verify_fault(struct verify *verify, const char *name, const char *text);

/* One table, with every value that it refers to. Errors: NO_MEMORY, CANCELLED. */
enum status verify_table(struct verify *verify, const struct table_file *file) MUST_CHECK;

/* One segment; not the values in it. Errors: NO_MEMORY, CANCELLED. */
enum status verify_segment(struct verify *verify, const struct segment_file *file) MUST_CHECK;

/* Order of the levels and sense of the relocations, every page of them. Errors: as above. */
enum status verify_shape(struct verify *verify) MUST_CHECK;

/* Calls back for each file of the directory with a number below `below` that the version does not
 * have. Errors: those of env_list, the callback's. */
typedef enum status (*verify_file_cb)(void *arg, const char *name);
enum status verify_files(struct verify *verify, uint64_t below, verify_file_cb file_cb, void *arg,
                         struct error *error) MUST_CHECK;

/* All tables, segments, levels and relocations. Errors: NO_MEMORY, CANCELLED. */
enum status verify_version(struct verify *verify) MUST_CHECK;

#endif
