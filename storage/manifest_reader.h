/* manifest_reader.h: reads one manifest file into a state, past the page cache; says how it ended.
 * Which file of several counts is decided by manifest.h. One thread. */
#ifndef KVD_STORAGE_MANIFEST_READER_H
#define KVD_STORAGE_MANIFEST_READER_H

#include "storage/direct_file.h"
#include "storage/manifest_state.h"

enum manifest_verdict {
    MANIFEST_COMPLETE,   /* its snapshot is whole; the state is good */
    MANIFEST_INCOMPLETE, /* a crash interrupted its creation: nothing valid behind what is whole */
    MANIFEST_AMBIGUOUS   /* the snapshot has a hole, parts of it are valid behind; no edit is: not
                            yet synced when the power went, or damaged since */
};

struct manifest_read_result {
    enum manifest_verdict verdict;
    uint64_t edits;      /* applied after the snapshot */
    uint64_t cut_bytes;  /* behind the last valid record */
    uint64_t bad_offset; /* of the first bad record */
};

/* Reads manifest `number` from an open file. *state_out is to be freed only when the verdict is
 * COMPLETE. Errors: CORRUPT (valid records behind a bad one; an edit that does not fit; another
 * file under this name), NEWER_FORMAT, READ_ONLY, IO, NO_MEMORY. */
enum status manifest_read(struct direct_file *direct, uint64_t number,
                          struct manifest_state *state_out, struct manifest_read_result *result_out,
                          struct error *error) MUST_CHECK;

#endif
