/* manifest_state.h: what the manifest says the store is made of: a plain description, the sum of
 * all edits. Recovery builds versions from it; a new manifest begins with it.
 *
 * Tables of level 0 ascend by number; those of the other levels ascend by key and are disjoint.
 * Segments ascend by number, relocations by home. A home is no segment of the state, has one
 * relocation, and its target is a segment of the state: one hop leads to any record. Owned by one
 * thread at a time. */
#ifndef KVD_STORAGE_MANIFEST_STATE_H
#define KVD_STORAGE_MANIFEST_STATE_H

#include "storage/version_edit.h"

struct manifest_level {
    struct table_info *tables; /* owned */
    uint32_t count;
    uint32_t capacity;
};

struct manifest_segment {
    uint64_t number;
    enum segment_kind kind;
    bool sealed;
    bool damaged;          /* not wholly readable any more */
    uint64_t length_bytes; /* when sealed */
};

struct manifest_state {
    uint8_t store_id[STORE_ID_BYTES];
    struct manifest_level levels[LEVELS_MAX];
    struct manifest_segment *segments; /* owned */
    uint32_t segment_count;
    uint32_t segment_capacity;
    struct relocation *relocations; /* owned */
    uint32_t relocation_count;
    uint64_t scalars[EDIT_SCALARS];  /* 0 where never set */
    struct log_position log_durable; /* the largest that was set */
};

/* An empty store. */
void manifest_state_init(struct manifest_state *state, const uint8_t store_id[STORE_ID_BYTES]);

/* A zeroed struct is allowed. */
void manifest_state_deinit(struct manifest_state *state);

static inline uint64_t manifest_state_get(const struct manifest_state *state,
                                          enum edit_scalar scalar) {
    return state->scalars[scalar];
}

/* The segment of this number, or NULL. Borrowed until the next apply. */
const struct manifest_segment *manifest_state_segment(const struct manifest_state *state,
                                                      uint64_t number);

/* The relocation of this home, or NULL. Likewise. */
const struct relocation *manifest_state_relocation(const struct manifest_state *state,
                                                   uint64_t home);

/* Applies an edit, wholly or not at all. Errors: CORRUPT (it removes or seals what is not there,
 * adds what is, overlaps in a level, breaks the rule of relocations above, or lowers a number that
 * only rises; *reason_out, if not NULL, says which), NO_MEMORY. */
enum status manifest_state_apply(struct manifest_state *state, const struct version_edit *edit,
                                 const char **reason_out) MUST_CHECK;

typedef enum status (*manifest_state_edit_cb)(void *arg, const struct version_edit *edit);

/* Calls back with edits of moderate size which, applied in order to an empty state, make this one
 * (the store id apart). Stops when the callback returns anything but OK. Errors: NO_MEMORY, the
 * callback's. */
enum status manifest_state_snapshot(const struct manifest_state *state,
                                    manifest_state_edit_cb edit_cb, void *arg) MUST_CHECK;

/* A deep copy. Errors: NO_MEMORY; nothing is to be freed then. */
enum status manifest_state_copy(const struct manifest_state *state,
                                struct manifest_state *copy_out) MUST_CHECK;

#endif
