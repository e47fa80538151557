/* frame_book.c: see frame_book.h. */
#include "storage/frame_book.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"

#include <string.h>

#define NOTES_FIRST 16

void frame_book_init(struct frame_book *book) {
    *book = (struct frame_book){.count = 0};
    mutex_init(&book->mu);
}

void frame_book_deinit(struct frame_book *book) {
    memory_free(book->notes);
    mutex_deinit(&book->mu);
}

/* Most come as the newest. */
static void note_locked(struct frame_book *book, const struct frame_note *note) REQUIRES(book->mu) {
    size_t at = book->count;

    if (book->count == book->capacity) {
        size_t capacity = book->capacity ? 2 * book->capacity : NOTES_FIRST;
        struct frame_note *grown = memory_resize(book->notes, capacity * sizeof *grown);
        if (!grown) {
            return;
        }
        book->notes = grown;
        book->capacity = capacity;
    }
    while (at > 0 && book->notes[at - 1].segment > note->segment) {
        at--;
    }
    memmove(book->notes + at + 1, book->notes + at, (book->count - at) * sizeof *book->notes);
    book->notes[at] = *note;
    book->count++;
}

void frame_book_note(struct frame_book *book, const struct frame_note *note) {
    mutex_lock(&book->mu);
    note_locked(book, note);
    mutex_unlock(&book->mu);
}

/* What is left of the frames, in proportion to the records. */
static uint64_t frames_now(const struct frame_note *note, const struct segment_account *account) {
    uint64_t records = account->records + account->alias_records;

    if (records >= note->records) {
        return note->frame_bytes;
    }
    return (uint64_t)((double)note->frame_bytes * (double)records / (double)note->records);
}

void frame_book_apply(struct frame_book *book, struct holder_sums *sums) {
    size_t kept = 0;
    size_t at = 0;

    mutex_lock(&book->mu);
    for (size_t i = 0; i < book->count; i++) {
        const struct frame_note note = book->notes[i];
        while (at < sums->account_count && sums->accounts[at].segment < note.segment) {
            at++;
        }
        if (at < sums->account_count && sums->accounts[at].segment == note.segment) {
            sums->accounts[at].frame_bytes = frames_now(&note, &sums->accounts[at]);
            book->notes[kept++] = note;
        } else if (at == sums->account_count) {
            book->notes[kept++] = note; /* the sums may be from before it */
        }
    }
    book->count = kept;
    mutex_unlock(&book->mu);
}
