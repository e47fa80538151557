/* salvage_window.h: brings rows that come in key order into the order of their versions, within a
 * budget of memory.
 *
 * A pass over all rows offers each; the window keeps those of the smallest versions that fit, and
 * forgets the rest. The next pass goes on behind what the pass before has given: so there are as
 * many passes as the rows are larger than the budget, and one is enough for most stores. One
 * thread. */
#ifndef KVD_STORAGE_SALVAGE_WINDOW_H
#define KVD_STORAGE_SALVAGE_WINDOW_H

#include "storage/salvage_rows.h"

struct salvage_item {
    uint64_t version;
    const uint8_t *row; /* set by salvage_window_end */
    size_t at;          /* of the row in `bytes`; the entry is behind it */
    uint32_t row_bytes;
    uint32_t entry_bytes;
    enum salvage_choice choice;
};

struct salvage_window {
    size_t budget_bytes;
    struct buffer bytes;        /* owned */
    struct salvage_item *items; /* owned */
    size_t count;
    size_t capacity;
    bool has_floor; /* rows up to it, by version and then row, were given before */
    uint64_t floor_version;
    struct buffer floor_row;
    bool is_cut; /* rows above the ceiling are left to a later pass */
    uint64_t ceiling_version;
    struct buffer ceiling_row;
};

void salvage_window_init(struct salvage_window *window, size_t budget_bytes);
void salvage_window_deinit(struct salvage_window *window);

/* Takes a row, unless its turn was before or comes later. Errors: NO_MEMORY. */
enum status salvage_window_offer(struct salvage_window *window,
                                 const struct salvage_row *row) MUST_CHECK;

/* Ends the pass: the items are in order. */
void salvage_window_end(struct salvage_window *window);

/* The item `index`, decoded; borrowed until the next pass. Errors: CORRUPT (never, for what was
 * offered). */
enum status salvage_window_item(const struct salvage_window *window, size_t index,
                                struct salvage_row *row_out) MUST_CHECK;

/* Begins the next pass. False: there is none, all was given. *status_out: OK, NO_MEMORY (false
 * then). */
bool salvage_window_next(struct salvage_window *window, enum status *status_out);

#endif
