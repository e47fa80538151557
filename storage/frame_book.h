/* frame_book.h: what the records of a survivor, or of a bulk load, take beside their stored bytes:
 * headers, keys and relocation pages. GC cannot free that as long as the records live, so it does
 * not count as garbage; else GC would copy a full survivor again and again for nothing.
 *
 * Noted when a survivor is made, shrinking with its records. It is not kept over a restart: then
 * all of it counts as garbage until GC has been over the segment once.
 *
 * Threads: any. The mutex is a leaf. */
#ifndef KVD_STORAGE_FRAME_BOOK_H
#define KVD_STORAGE_FRAME_BOOK_H

#include "storage/holders.h"

struct frame_note {
    uint64_t segment;
    uint64_t records; /* when it was made */
    uint64_t frame_bytes;
};

struct frame_book {
    struct mutex mu;
    /* guarded by mu */
    struct frame_note *notes; /* owned; ascending by segment */
    size_t count;
    size_t capacity;
};

void frame_book_init(struct frame_book *book);
void frame_book_deinit(struct frame_book *book);

/* One note a segment. Without memory it is lost, which only costs work later. */
void frame_book_note(struct frame_book *book, const struct frame_note *note);

/* Sets frame_bytes of all accounts, and forgets segments that have none. */
void frame_book_apply(struct frame_book *book, struct holder_sums *sums);

#endif
