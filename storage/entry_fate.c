/* entry_fate.c: see entry_fate.h. */
#include "storage/entry_fate.h"

#include "protocol/base/assert.h"
#include "storage/ikey.h"

void fate_judge_init(struct fate_judge *judge, const uint64_t *snapshots, size_t snapshot_count,
                     uint64_t now_ms) {
    ASSERT(snapshot_count > 0);
    *judge = (struct fate_judge){
        .snapshots = snapshots, .snapshot_count = snapshot_count, .now_ms = now_ms};
    buffer_init(&judge->row, ROW_BYTES_MAX);
}

void fate_judge_deinit(struct fate_judge *judge) {
    buffer_deinit(&judge->row);
}

/* Whether some snapshot sees `version` but not `newer`: version <= s < newer. */
static bool snapshot_between(const struct fate_judge *judge, uint64_t version, uint64_t newer) {
    size_t low = 0;
    size_t high = judge->snapshot_count;

    while (low < high) { /* the first snapshot >= version */
        size_t middle = low + (high - low) / 2;
        if (judge->snapshots[middle] < version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < judge->snapshot_count && judge->snapshots[low] < newer;
}

enum status fate_judge_next(struct fate_judge *judge, struct slice ikey, const struct entry *entry,
                            bool nothing_below, enum fate *fate_out) {
    struct slice row = ikey_row(ikey);
    uint64_t version = ikey_version(ikey);
    bool hidden;

    if (judge->row_seen && slice_equal(row, buffer_slice(&judge->row))) {
        hidden = !snapshot_between(judge, version, judge->newer_version);
    } else {
        enum status status;
        buffer_clear(&judge->row);
        status = buffer_append(&judge->row, row.ptr, row.len);
        if (status != STATUS_OK) {
            judge->row_seen = false;
            return status;
        }
        judge->row_seen = true;
        hidden = false;
    }
    judge->newer_version = version;
    if (hidden) {
        *fate_out = FATE_DROP;
    } else if (!entry_is_dead(entry, judge->now_ms)) {
        *fate_out = FATE_KEEP;
    } else {
        bool all_see_it = version <= judge->snapshots[0];
        *fate_out = nothing_below && all_see_it ? FATE_DROP : FATE_KEEP_AS_TOMBSTONE;
    }
    return STATUS_OK;
}
