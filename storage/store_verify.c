/* store_verify.c: the part of the door that verifies an open store. */
#include "protocol/base/memory.h"
#include "storage/file_name.h"
#include "storage/store_state.h"
#include "storage/verify.h"

#include <stdio.h>
#include <time.h>

#define ORPHAN_LOOKS 40 /* a file that a job is writing is named within that time, or gone */
#define ORPHAN_LOOK_NS UINT64_C(500000000)
#define ORPHANS_MAX 16 /* reported by name */

/* ---- Files that nothing accounts for ----------------------------------------------------------
 */

struct orphans {
    struct verify *verify;
    struct segment_pins *pins;
    uint32_t count;
    char names[ORPHANS_MAX][FILE_NAME_BYTES_MAX];
};

static bool is_pinned(struct segment_pins *pins, const char *name) {
    uint64_t *segments = NULL;
    size_t count = 0;
    enum file_kind kind;
    uint64_t number;
    bool pinned;

    if (!file_name_parse(name, &kind, &number) ||
        segment_pins_copy(pins, &segments, &count) != STATUS_OK) {
        return false;
    }
    pinned = segment_pins_list_has(segments, count, number);
    memory_free(segments);
    return pinned;
}

static enum status orphan_cb(void *arg, const char *name) {
    struct orphans *orphans = arg;

    if (!is_pinned(orphans->pins, name)) {
        if (orphans->count < ORPHANS_MAX) {
            snprintf(orphans->names[orphans->count], FILE_NAME_BYTES_MAX, "%s", name);
        }
        orphans->count++;
    }
    return STATUS_OK;
}

/* Looks at the directory beside the newest version. */
static enum status look(struct store *store, struct orphans *orphans, struct error *error) {
    struct manifest_state state;
    struct version *version;
    enum status status = version_set_capture(&store->versions, &state, &version);

    if (status != STATUS_OK) {
        return status;
    }
    orphans->verify->version = version;
    orphans->count = 0;
    status = verify_files(orphans->verify, manifest_state_get(&state, EDIT_NEXT_FILE_NUMBER),
                          orphan_cb, orphans, error);
    orphans->verify->version = NULL;
    version_unref(version); /* kept any longer, it would itself keep files that are to go */
    manifest_state_deinit(&state);
    return status;
}

static bool is_cancelled(const struct verify *verify) {
    return (verify->cancel && atomic_load_explicit(verify->cancel, memory_order_relaxed)) ||
           atomic_load_explicit(verify->stopping, memory_order_relaxed);
}

static void pause_for_jobs(void) {
    struct timespec pause = {.tv_nsec = (long)ORPHAN_LOOK_NS};
    nanosleep(&pause, NULL);
}

/* In a store that is not open for writing they are what a crash left of a job: the next open that
 * may write removes them. */
static void report_orphans(const struct orphans *orphans, bool left_by_crash) {
    struct verify *verify = orphans->verify;

    for (uint32_t i = 0; i < orphans->count && i < ORPHANS_MAX; i++) {
        if (left_by_crash) {
            verify->report_cb(verify->arg, orphans->names[i],
                              "left over by a crash; the next start removes it");
        } else {
            verify_fault(verify, orphans->names[i], "no part of the store: nothing refers to it");
        }
    }
}

/* While the store runs, jobs write files that no edit names yet, and old versions keep files that
 * none names any more: only what stays so is a fault. */
static enum status verify_orphans(struct store *store, struct verify *verify, struct error *error) {
    struct orphans orphans = {.verify = verify, .pins = &store->versions.pins};
    bool runs = store->purpose == STORE_TO_WRITE && store->scheduler_is_owned;
    enum status status = look(store, &orphans, error);

    for (uint32_t i = 0; i < ORPHAN_LOOKS && runs && orphans.count > 0 && status == STATUS_OK;
         i++) {
        if (is_cancelled(verify)) {
            return STATUS_CANCELLED;
        }
        pause_for_jobs();
        status = look(store, &orphans, error);
    }
    if (status == STATUS_OK) {
        report_orphans(&orphans, store->purpose < STORE_TO_WRITE);
    }
    return status;
}

/* ---- The door ---------------------------------------------------------------------------------
 */

enum status store_verify(struct store *store, const _Atomic bool *cancel, store_report_cb report_cb,
                         void *arg, struct store_verify_result *result_out, struct error *error) {
    struct verify verify = {.env = store->env,
                            .dir = store->dir,
                            .compression = store->compression,
                            .cancel = cancel,
                            .stopping = &store->cancelled,
                            .report_cb = report_cb,
                            .arg = arg};
    struct manifest_state state;
    struct version *version;
    enum status status = version_set_capture(&store->versions, &state, &version);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, store->dir, ERROR_NO_OFFSET, "capturing the state");
    }
    verify.store_id = state.store_id;
    verify.version = version;
    verify_init(&verify);
    status = verify_version(&verify);
    verify.version = NULL;
    version_unref(version);
    if (status == STATUS_OK) {
        status = verify_orphans(store, &verify, error);
    }
    if (status == STATUS_OK) {
        *result_out = verify.result;
    } else if (status == STATUS_CANCELLED) {
        status = error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "the verification was ended");
    }
    verify_deinit(&verify);
    manifest_state_deinit(&state);
    return status;
}
