/* transaction_walk.c: see transaction_walk.h. */
#include "storage/transaction_walk.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"

void transaction_walk_init(struct transaction_walk *walk, struct store_transaction *txn,
                           struct visible_iterator *base) {
    *walk = (struct transaction_walk){.txn = txn, .base = base};
    buffer_init(&walk->row, ROW_BYTES_MAX + 1); /* and the byte behind it */
    buffer_init(&walk->value, VALUE_BYTES_MAX);
    txn->walks++;
}

/* The rows that were looked at: the whole range, or that part of it which ends with the last row.
 */
static void note(struct transaction_walk *walk) {
    struct slice from = buffer_slice(&walk->base->from);
    struct slice to = buffer_slice(&walk->base->to);
    enum status status = STATUS_OK;

    if (!walk->ended && walk->base->reverse) {
        from = buffer_slice(&walk->row);
    } else if (!walk->ended) {
        status = buffer_append_u8(&walk->row, 0); /* the next possible row */
        to = buffer_slice(&walk->row);
    }
    if (status == STATUS_OK) {
        transaction_note_range(walk->txn, from, to, walk->expiry);
    } else {
        walk->txn->failed = status;
    }
}

void transaction_walk_deinit(struct transaction_walk *walk) {
    ASSERT(walk->txn->walks > 0);
    walk->txn->walks--;
    if (walk->shown || walk->ended) {
        note(walk);
    }
    buffer_deinit(&walk->row);
    buffer_deinit(&walk->value);
}

/* ---- Steps ------------------------------------------------------------------------------------
 */

static bool is_in_range(const struct transaction_walk *walk, struct slice row) {
    const struct visible_iterator *base = walk->base;

    return slice_compare(row, buffer_slice(&base->from)) >= 0 &&
           (base->to.len == 0 || slice_compare(row, buffer_slice(&base->to)) < 0);
}

/* The transaction's next own row behind the last one. */
static struct write next_own(const struct transaction_walk *walk) {
    const struct write_set *writes = &walk->txn->writes;
    struct slice row = buffer_slice(&walk->row);
    bool passed = row.len > 0;
    struct write own;

    if (walk->base->reverse) {
        own = write_set_seek_before(writes, passed ? row : buffer_slice(&walk->base->to));
    } else {
        own = write_set_seek(writes, passed ? row : buffer_slice(&walk->base->from), passed);
    }
    return own.kind != WRITE_NONE && is_in_range(walk, own.row)
               ? own
               : (struct write){.kind = WRITE_NONE};
}

static enum status advance_base(struct transaction_walk *walk, struct store_hold *hold,
                                struct error *error) {
    enum status status = STATUS_OK;

    if (!walk->base_waits && !walk->base_ended) {
        status = visible_iterator_next(walk->base, hold, error);
        walk->base_waits = status == STATUS_OK;
        walk->base_ended = status == STATUS_END;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status set_row(struct transaction_walk *walk, struct slice row) {
    buffer_clear(&walk->row);
    return buffer_append(&walk->row, row.ptr, row.len);
}

/* Shows the row at which the base stands, unless an own range delete covers it. */
static enum status take_base(struct transaction_walk *walk, const struct write *own,
                             bool *alive_out) {
    struct slice row = buffer_slice(&walk->base->row);

    walk->base_waits = false;
    walk->expiry = read_expiry_first(
        walk->expiry, transaction_expiry_of(&walk->base->entry, walk->base->entry_version));
    walk->entry = walk->base->entry;
    walk->entry_version = walk->base->entry_version;
    *alive_out = own ? true : !write_set_covers(&walk->txn->writes, row);
    if (own) {
        walk->entry.expiry_ms = own->expiry_ms;
        walk->entry_version = VERSION_NONE;
        *alive_out = !entry_is_dead(&walk->entry, walk->base->now_ms);
    }
    return set_row(walk, row);
}

/* Shows an own row, if that leaves something. The value is copied, as the write may change. */
static enum status take_own(struct transaction_walk *walk, const struct write *own,
                            bool *alive_out) {
    enum status status = set_row(walk, own->row);

    *alive_out = false;
    if (status != STATUS_OK || own->kind != WRITE_PUT) {
        return status; /* an expiry of what is not there is nothing */
    }
    buffer_clear(&walk->value);
    status = buffer_append(&walk->value, own->value.ptr, own->value.len);
    walk->entry = transaction_entry_of(own);
    walk->entry.value = buffer_slice(&walk->value);
    walk->entry_version = VERSION_NONE;
    *alive_out = !entry_is_dead(&walk->entry, walk->base->now_ms);
    return status;
}

/* Goes to the next row of the two walks. */
static enum status step(struct transaction_walk *walk, bool *alive_out) {
    struct write own = next_own(walk);
    int order = -1; /* the base comes first */

    if (own.kind == WRITE_NONE && !walk->base_waits) {
        return STATUS_END;
    }
    if (own.kind != WRITE_NONE) {
        order = walk->base_waits ? slice_compare(buffer_slice(&walk->base->row), own.row) : 1;
        order = walk->base_waits && walk->base->reverse ? -order : order;
    }
    if (order < 0) {
        return take_base(walk, NULL, alive_out);
    }
    if (order == 0 && own.kind == WRITE_EXPIRE) {
        return take_base(walk, &own, alive_out);
    }
    if (order == 0) { /* the own write hides it */
        walk->base_waits = false;
    }
    return take_own(walk, &own, alive_out);
}

enum status transaction_walk_next(struct transaction_walk *walk, struct store_hold *hold,
                                  struct error *error) {
    enum status status = STATUS_OK;
    bool alive = false;

    while (status == STATUS_OK && !alive) {
        status = advance_base(walk, hold, error);
        if (status == STATUS_OK) {
            status = step(walk, &alive);
        }
    }
    walk->shown = walk->shown || status == STATUS_OK;
    walk->ended = status == STATUS_END;
    return status;
}
