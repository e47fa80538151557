/* entry_fate.c: see entry_fate.h. */
#include "storage/entry_fate.h"

#include "storage/ikey.h"

void fate_judge_init(struct fate_judge *judge, const struct keep_rules *rules,
                     uint64_t least_version) {
    *judge = (struct fate_judge){.rules = rules, .least_version = least_version};
    buffer_init(&judge->row, ROW_BYTES_MAX);
}

void fate_judge_deinit(struct fate_judge *judge) {
    buffer_deinit(&judge->row);
}

static void enter_namespace(struct fate_judge *judge, uint32_t namespace_id) {
    if (!judge->keep_known || judge->keep.namespace_id != namespace_id) {
        judge->keep = keep_rules_namespace(judge->rules, namespace_id);
        judge->keep_known = true;
    }
}

bool fate_judge_is_dead(struct fate_judge *judge, const struct fate_question *question) {
    const struct entry *entry = question->entry;

    if (entry->kind == ENTRY_TOMBSTONE || entry->expiry_ms == 0) {
        return entry->kind == ENTRY_TOMBSTONE;
    }
    enter_namespace(judge, question->namespace_id);
    return entry_is_dead(
        entry, keep_rules_expiry_ms(judge->rules, &judge->keep, ikey_version(question->ikey)));
}

static enum status enter_row(struct fate_judge *judge, struct slice row) {
    enum status status;

    buffer_clear(&judge->row);
    status = buffer_append(&judge->row, row.ptr, row.len);
    judge->row_seen = status == STATUS_OK;
    judge->newer_count = 0;
    return status;
}

/* Whether an entry is hidden, and may go. The older of what hides it is what readers of the past
 * meet first. */
static bool hidden_goes(struct fate_judge *judge, const struct fate_question *question,
                        uint64_t version, bool by_entry) {
    bool by_range = question->range_version > version &&
                    (!by_entry || question->range_version < judge->newer_version);
    uint64_t hider = by_range ? question->range_version : judge->newer_version;

    judge->newer_count += by_range; /* a delete is a version of the row, too */
    return (by_range || by_entry) &&
           keep_rules_hidden_goes(judge->rules, &judge->keep, version, hider, judge->newer_count);
}

enum status fate_judge_next(struct fate_judge *judge, const struct fate_question *question,
                            enum fate *fate_out) {
    struct slice row = ikey_row(question->ikey);
    uint64_t version = ikey_version(question->ikey);
    bool same_row = judge->row_seen && slice_equal(row, buffer_slice(&judge->row));
    enum status status = same_row ? STATUS_OK : enter_row(judge, row);

    if (status != STATUS_OK) {
        return status;
    }
    enter_namespace(judge, question->namespace_id);
    if (hidden_goes(judge, question, version, same_row)) {
        *fate_out = FATE_DROP;
    } else if (!fate_judge_is_dead(judge, question)) {
        *fate_out = FATE_KEEP;
        judge->newer_count++;
    } else {
        bool goes = question->nothing_below &&
                    keep_rules_rest_goes_from(judge->rules, &judge->keep, judge->least_version,
                                              version, judge->newer_count);
        *fate_out = goes ? FATE_DROP : FATE_KEEP_AS_TOMBSTONE;
        judge->newer_count++; /* dropped or not: what it hides stays hidden */
    }
    judge->newer_version = version;
    return STATUS_OK;
}
