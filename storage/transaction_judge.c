/* transaction_judge.c: see transaction_judge.h. */
#include "storage/transaction_judge.h"

#include "storage/ikey.h"
#include "storage/memtable_newer.h"

#define MEMTABLES_MAX (1u + VIEW_FROZEN_MAX + WINDOW_MEMTABLES_MAX)

/* All memtables with anything newer than the reads. Those of the window are referenced. */
struct recent {
    struct memtable *memtables[MEMTABLES_MAX]; /* those of the window first */
    uint32_t retained;
    uint32_t count;
};

static enum status recent_take(const struct transaction_reads *question, struct recent *recent) {
    const struct view *view = question->view;
    enum status status = conflict_window_take(question->window, question->version,
                                              recent->memtables, &recent->retained);

    if (status != STATUS_OK) {
        return status;
    }
    recent->count = recent->retained;
    for (uint32_t i = 0; i < view->frozen_count; i++) {
        if (memtable_version_max(view->frozen[i]) > question->version) {
            recent->memtables[recent->count++] = view->frozen[i];
        }
    }
    if (memtable_version_max(view->active) > question->version) {
        recent->memtables[recent->count++] = view->active;
    }
    return STATUS_OK;
}

static void recent_release(struct recent *recent) {
    for (uint32_t i = 0; i < recent->retained; i++) {
        memtable_unref(recent->memtables[i]);
    }
}

/* The newest there is of a row; of a range, some. */
static enum status find_newer(const struct recent *recent, const struct read_item *item,
                              uint64_t than, struct newer *newest_out) {
    struct newer_rows rows = {item->from, item->to};
    struct table_target target = {item->from, VERSION_MAX, item->row_hash};
    enum status status = STATUS_OK;

    *newest_out = (struct newer){VERSION_NONE, DURABILITY_MEMORY};
    for (uint32_t i = 0; i < recent->count && status == STATUS_OK; i++) {
        struct newer newer = {VERSION_NONE, DURABILITY_MEMORY};
        if (item->is_range) {
            status = memtable_newer_in_rows(recent->memtables[i], &rows, than, &newer);
        } else {
            newer = memtable_newer_in_row(recent->memtables[i], &target, than);
        }
        *newest_out = newer.version > newest_out->version ? newer : *newest_out;
    }
    return status;
}

static enum status judge_item(const struct transaction_reads *question, const struct recent *recent,
                              const struct read_item *item, struct transaction_conflict *conflict) {
    struct newer newest;
    enum status status = find_newer(recent, item, question->version, &newest);

    if (status != STATUS_OK) {
        return status;
    }
    if (newest.version != VERSION_NONE) {
        *conflict = (struct transaction_conflict){
            .item = *item, .version = newest.version, .durability = newest.durability};
        return STATUS_CONFLICT;
    }
    if (item->expiry.ms != 0 && item->expiry.ms <= question->now_ms) {
        *conflict = (struct transaction_conflict){
            .item = *item, .version = item->expiry.version, .expired = true};
        return STATUS_CONFLICT;
    }
    return STATUS_OK;
}

enum status transaction_judge(const struct transaction_reads *question,
                              struct transaction_conflict *conflict_out) {
    struct reader reader = reader_make(buffer_slice(&question->reads->items));
    struct recent recent;
    struct read_item item;
    enum status status;

    if (read_set_is_empty(question->reads)) {
        return STATUS_OK; /* blind writes come after whatever there is */
    }
    status = recent_take(question, &recent);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && read_set_take(&reader, &item)) {
        status = judge_item(question, &recent, &item, conflict_out);
    }
    recent_release(&recent);
    return status;
}
