/* store_value.c: see store_value.h. */
#include "storage/store_value.h"

#include "storage/checksum.h"
#include "storage/ikey.h"
#include "storage/large_value.h"
#include "storage/transaction.h"
#include "storage/value_reader.h"

#define LOOP_ZSTD_BYTES_MAX (64u * 1024) /* more is decompressed on an I/O thread */

/* ---- Finding ----------------------------------------------------------------------------------
 */

/* The live entry of a row in the state that is read. */
__attribute__((always_inline)) static inline enum status
find_in_state(struct store_read *read, struct slice row, enum store_wait wait,
              struct view_hit *hit_out, struct error *error) {
    enum status status =
        view_find(read->view, row, read->version, store_wait_of(wait), hit_out, error);

    if (status == STATUS_NOT_FOUND && read->exact) {
        return STATUS_GONE;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (read->exact && (hit_out->version != read->version || hit_out->source == VIEW_RANGE)) {
        view_hit_release(hit_out); /* what came between the two, or was put beside the range */
        return STATUS_GONE;        /* delete, may be gone */
    }
    watermarks_hold_entry(&read->store->marks, (enum store_durability)hit_out->entry.durability,
                          hit_out->version, &read->hold);
    if (entry_is_dead(&hit_out->entry, read->now_ms)) {
        view_hit_release(hit_out);
        return STATUS_NOT_FOUND;
    }
    return STATUS_OK;
}

/* What the transaction made of the live entry that the store has. */
static enum status expire_found(const struct store_read *read, const struct write *own,
                                struct view_hit *hit) {
    hit->entry.expiry_ms = own->expiry_ms;
    hit->version = VERSION_NONE;
    if (entry_is_dead(&hit->entry, read->now_ms)) {
        view_hit_release(hit);
        return STATUS_NOT_FOUND;
    }
    return STATUS_OK;
}

/* Own writes first; what the store answers is noted. Apart, so that other lookups are as short as
 * they were. */
__attribute__((noinline, cold)) static enum status
find_in_transaction(struct store_read *read, struct slice row, enum store_wait wait,
                    struct view_hit *hit_out, struct error *error) {
    struct store_transaction *txn = read->transaction;
    struct write own = write_set_find(&txn->writes, row);
    struct read_expiry expiry = {0, VERSION_NONE};
    enum status found = STATUS_NOT_FOUND;
    enum status status;

    if (own.kind == WRITE_PUT) {
        *hit_out = (struct view_hit){.source = VIEW_ACTIVE, .entry = transaction_entry_of(&own)};
        return entry_is_dead(&hit_out->entry, read->now_ms) ? STATUS_NOT_FOUND : STATUS_OK;
    }
    if (own.kind == WRITE_DELETE) {
        return STATUS_NOT_FOUND;
    }
    found = find_in_state(read, row, wait, hit_out, error);
    if (found != STATUS_OK && found != STATUS_NOT_FOUND) {
        return found;
    }
    if (found == STATUS_OK) {
        expiry = transaction_expiry_of(&hit_out->entry, hit_out->version);
    }
    status = transaction_note_row(txn, row, expiry);
    if (status != STATUS_OK && found == STATUS_OK) {
        view_hit_release(hit_out);
    }
    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "noting what was read");
    }
    return found == STATUS_OK && own.kind == WRITE_EXPIRE ? expire_found(read, &own, hit_out)
                                                          : found;
}

enum status store_value_find(struct store_read *read, uint32_t namespace_id, struct slice key,
                             enum store_wait wait, struct view_hit *hit_out, struct error *error) {
    uint8_t bytes[ROW_BYTES_MAX];
    struct slice row;

    if (key.len > KEY_BYTES_MAX) {
        return error_set(error, STATUS_TOO_LARGE, 0, NULL, ERROR_NO_OFFSET, "key of %zu bytes",
                         key.len);
    }
    atomic_fetch_add_explicit(&read->store->gets, 1, memory_order_relaxed);
    row = slice_make(bytes, row_store(bytes, namespace_id, key));
    if (__builtin_expect(read->transaction != NULL, 0)) {
        return find_in_transaction(read, row, wait, hit_out, error);
    }
    return find_in_state(read, row, wait, hit_out, error);
}

static uint64_t value_checksum(const struct entry *entry) {
    switch (entry->kind) {
    case ENTRY_REFERENCE:
        return entry->ref.checksum;
    case ENTRY_LARGE:
        return entry->large_checksum;
    case ENTRY_INLINE:
    case ENTRY_TOMBSTONE:
        break;
    }
    return checksum_of(entry->value);
}

struct store_value_info store_value_info_of(const struct entry *entry, uint64_t version) {
    return (struct store_value_info){.version = version,
                                     .expiry_ms = entry->expiry_ms,
                                     .user_flags = entry->user_flags,
                                     .value_bytes = entry_value_bytes(entry),
                                     .checksum = value_checksum(entry)};
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

static enum status read_separated(const struct store_read *read, const struct value_ref *ref,
                                  enum read_wait wait, uint8_t *raw_out, struct error *error) {
    const struct version *version = read->view->version;
    struct buffer scratch = {0};
    enum status status;

    if (!ref->compressed) {
        return value_reader_read(version, ref, wait, raw_out, &scratch, error);
    }
    if (wait == READ_WAIT_NEVER && ref->raw_bytes > LOOP_ZSTD_BYTES_MAX) {
        return STATUS_WOULD_BLOCK;
    }
    scratch = scratch_pool_take(&read->store->scratch, ref->stored_bytes);
    status = value_reader_read(version, ref, wait, raw_out, &scratch, error);
    scratch_pool_put(&read->store->scratch, &scratch);
    return status;
}

/* A record is verified as a whole, so it is read as a whole, beside the destination. */
static enum status read_separated_part(const struct store_read *read, const struct value_ref *ref,
                                       struct store_value_part part, enum read_wait wait,
                                       uint8_t *out, struct error *error) {
    struct buffer whole;
    uint8_t *raw;
    enum status status;

    if (part.from == 0 && part.to == ref->raw_bytes) {
        return read_separated(read, ref, wait, out, error);
    }
    whole = scratch_pool_take(&read->store->scratch, VALUE_BYTES_MAX);
    status = buffer_extend(&whole, ref->raw_bytes, &raw);
    if (status != STATUS_OK) {
        status = error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "room for a whole value");
    } else {
        status = read_separated(read, ref, wait, raw, error);
    }
    if (status == STATUS_OK) {
        memcpy(out, raw + part.from, part.to - part.from);
    }
    scratch_pool_put(&read->store->scratch, &whole);
    return status;
}

static enum status read_large(const struct store_read *read, const struct entry *entry,
                              struct store_value_part part, enum read_wait wait, uint8_t *out,
                              struct error *error) {
    struct buffer scratch = scratch_pool_take(&read->store->scratch, EXTENT_SCRATCH_BYTES);
    struct large_value_source source = {.version = read->view->version,
                                        .compression = read->store->compression,
                                        .scratch = &scratch,
                                        .wait = wait};
    enum status status = large_value_read(&source, entry, part.from, part.to, out, error);

    scratch_pool_put(&read->store->scratch, &scratch);
    return status;
}

/* ---- Appending --------------------------------------------------------------------------------
 */

static enum status refuse_length(uint64_t bytes, struct error *error) {
    return error_set(error, STATUS_TOO_LARGE, 0, NULL, ERROR_NO_OFFSET,
                     "a value of %llu bytes does not fit one answer: read it in ranges",
                     (unsigned long long)bytes);
}

/* Not inline. *part lies in the value. */
static enum status append_read(const struct store_read *read, const struct entry *entry,
                               struct store_value_part part, enum read_wait wait,
                               struct buffer *destination, struct error *error) {
    size_t mark = buffer_mark(destination);
    uint64_t bytes = part.to - part.from;
    uint8_t *out;
    enum status status;

    if (entry->kind == ENTRY_LARGE && wait == READ_WAIT_NEVER && bytes > LARGE_LOOP_BYTES_MAX) {
        return STATUS_WOULD_BLOCK; /* before room is made for it */
    }
    status = bytes > SIZE_MAX ? STATUS_TOO_LARGE : buffer_extend(destination, bytes, &out);
    if (status == STATUS_TOO_LARGE) {
        return refuse_length(bytes, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = entry->kind == ENTRY_LARGE
                 ? read_large(read, entry, part, wait, out, error)
                 : read_separated_part(read, &entry->ref, part, wait, out, error);
    if (status != STATUS_OK) {
        buffer_rollback(destination, mark);
    }
    if (status == STATUS_CORRUPT) {
        atomic_fetch_add_explicit(&read->store->checksum_failures, 1, memory_order_relaxed);
    }
    return status;
}

enum status store_value_append_part(const struct store_read *read, const struct entry *entry,
                                    struct store_value_part part, enum read_wait wait,
                                    struct buffer *destination, struct error *error) {
    uint64_t value_bytes = entry_value_bytes(entry);

    part.to = part.to < value_bytes ? part.to : value_bytes;
    part.from = part.from < part.to ? part.from : part.to;
    if (part.from == part.to) {
        return STATUS_OK;
    }
    if (entry->kind == ENTRY_INLINE) {
        return buffer_append(destination, entry->value.ptr + part.from, part.to - part.from);
    }
    return append_read(read, entry, part, wait, destination, error);
}

enum status store_value_append(const struct store_read *read, const struct entry *entry,
                               enum read_wait wait, struct buffer *destination,
                               struct error *error) {
    struct store_value_part all = {0, UINT64_MAX};

    return store_value_append_part(read, entry, all, wait, destination, error);
}
