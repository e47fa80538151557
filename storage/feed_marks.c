/* feed_marks.c: see feed_marks.h. */
#include "storage/feed_marks.h"

#include "protocol/base/memory.h"

#include <string.h>

void feed_marks_init(struct feed_marks *marks) {
    *marks = (struct feed_marks){.count = 0};
    mutex_init(&marks->mu);
}

void feed_marks_deinit(struct feed_marks *marks) {
    memory_free(marks->marks);
    mutex_deinit(&marks->mu);
}

static bool is_start(const struct feed_mark *mark) {
    return mark->sequence == 0;
}

/* The first mark at or behind (segment, offset). */
static size_t lower_bound(const struct feed_marks *marks, uint64_t segment, uint64_t offset) {
    size_t low = 0;
    size_t high = marks->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct feed_mark *mark = &marks->marks[middle];
        if (mark->segment < segment || (mark->segment == segment && mark->offset < offset)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Every second one goes, but for starts of segments. */
static void thin_out_locked(struct feed_marks *marks) REQUIRES(marks->mu) {
    size_t kept = 0;

    for (size_t i = 0; i < marks->count; i++) {
        if (is_start(&marks->marks[i]) || i % 2 == 0) {
            marks->marks[kept++] = marks->marks[i];
        }
    }
    marks->count = kept;
}

static bool is_near(const struct feed_mark *a, const struct feed_mark *b) {
    uint64_t distance = a->offset > b->offset ? a->offset - b->offset : b->offset - a->offset;
    return a->segment == b->segment && distance < FEED_MARK_BYTES;
}

/* Whether it would tell nothing new at `index`. */
static bool is_needless(const struct feed_marks *marks, size_t index,
                        const struct feed_mark *mark) {
    if (index < marks->count && marks->marks[index].segment == mark->segment &&
        marks->marks[index].offset == mark->offset) {
        return true;
    }
    return !is_start(mark) && ((index > 0 && is_near(&marks->marks[index - 1], mark)) ||
                               (index < marks->count && is_near(&marks->marks[index], mark)));
}

static void note_locked(struct feed_marks *marks, const struct feed_mark *mark)
    REQUIRES(marks->mu) {
    size_t index;

    if (!marks->marks) {
        marks->marks = memory_alloc_array(FEED_MARKS_MAX, sizeof *marks->marks);
    }
    if (!marks->marks) {
        return;
    }
    if (marks->count == FEED_MARKS_MAX) {
        thin_out_locked(marks);
    }
    index = lower_bound(marks, mark->segment, mark->offset);
    if (marks->count == FEED_MARKS_MAX || is_needless(marks, index, mark)) {
        return;
    }
    memmove(&marks->marks[index + 1], &marks->marks[index],
            (marks->count - index) * sizeof *marks->marks);
    marks->marks[index] = *mark;
    marks->count++;
}

void feed_marks_note(struct feed_marks *marks, const struct feed_mark *mark) {
    mutex_lock(&marks->mu);
    note_locked(marks, mark);
    mutex_unlock(&marks->mu);
}

void feed_marks_note_page(struct feed_marks *marks, const struct feed_mark *mark) {
    mutex_lock(&marks->mu);
    marks->recent[marks->recent_next] = *mark;
    marks->recent_next = (marks->recent_next + 1) % FEED_RECENT_MAX;
    mutex_unlock(&marks->mu);
}

static bool find_locked(const struct feed_marks *marks, uint64_t segment, uint64_t version,
                        struct feed_mark *mark_out) REQUIRES(marks->mu) {
    size_t index = lower_bound(marks, segment + 1, 0);
    bool found = false;

    while (index > 0 && !found && marks->marks[index - 1].segment == segment) {
        index--;
        found = marks->marks[index].version <= version;
    }
    if (found) {
        *mark_out = marks->marks[index];
    }
    for (size_t i = 0; i < FEED_RECENT_MAX; i++) {
        const struct feed_mark *mark = &marks->recent[i];
        if (mark->segment == segment && mark->version <= version &&
            (!found || mark->offset > mark_out->offset)) {
            *mark_out = *mark;
            found = true;
        }
    }
    return found;
}

bool feed_marks_find(struct feed_marks *marks, uint64_t segment, uint64_t version,
                     struct feed_mark *mark_out) {
    bool found;

    mutex_lock(&marks->mu);
    found = find_locked(marks, segment, version, mark_out);
    mutex_unlock(&marks->mu);
    return found;
}

bool feed_marks_start(struct feed_marks *marks, uint64_t segment, struct feed_mark *mark_out) {
    size_t index;
    bool found;

    mutex_lock(&marks->mu);
    index = lower_bound(marks, segment, 0);
    found = index < marks->count && marks->marks[index].segment == segment &&
            is_start(&marks->marks[index]);
    if (found) {
        *mark_out = marks->marks[index];
    }
    mutex_unlock(&marks->mu);
    return found;
}

void feed_marks_drop_below(struct feed_marks *marks, uint64_t segment) {
    size_t gone;

    mutex_lock(&marks->mu);
    gone = lower_bound(marks, segment, 0);
    if (gone > 0) {
        memmove(marks->marks, &marks->marks[gone], (marks->count - gone) * sizeof *marks->marks);
        marks->count -= gone;
    }
    mutex_unlock(&marks->mu);
}
