/* store_stubs.c: functions of the door that are being built; each goes as its room comes. */
#include "storage/store.h"

enum status store_read_begin_at(struct store *store, const struct store_at *at,
                                uint32_t namespace_id, struct store_read *read) {
    (void)store;
    (void)at;
    (void)namespace_id;
    (void)read;
    return STATUS_UNSUPPORTED;
}

enum status store_snapshot_open(struct store *store, const char *owner, uint64_t lifetime_ms,
                                struct store_snapshot_info *info_out) {
    (void)store;
    (void)owner;
    (void)lifetime_ms;
    (void)info_out;
    return STATUS_UNSUPPORTED;
}

enum status store_snapshot_close(struct store *store, uint64_t id) {
    (void)store;
    (void)id;
    return STATUS_UNSUPPORTED;
}

void store_snapshot_list(struct store *store, store_snapshot_cb list_cb, void *arg) {
    (void)store;
    (void)list_cb;
    (void)arg;
}

enum status store_history(struct store_read *read, uint32_t namespace_id, struct slice key,
                          uint64_t before, uint32_t limit, store_version_cb version_cb, void *arg,
                          struct error *error) {
    (void)read;
    (void)namespace_id;
    (void)key;
    (void)before;
    (void)limit;
    (void)version_cb;
    (void)arg;
    (void)error;
    return STATUS_UNSUPPORTED;
}

enum status store_diff(struct store_read *from, struct store_read *to,
                       const struct store_range *range, store_change_cb change_cb, void *arg,
                       struct error *error) {
    (void)from;
    (void)to;
    (void)range;
    (void)change_cb;
    (void)arg;
    (void)error;
    return STATUS_UNSUPPORTED;
}

enum status store_rewind(struct store_read *past, struct store_read *present,
                         const struct store_range *range, struct store_commit *commit,
                         uint64_t *changed_out, struct error *error) {
    (void)past;
    (void)present;
    (void)range;
    (void)commit;
    (void)changed_out;
    (void)error;
    return STATUS_UNSUPPORTED;
}

enum status store_salvage(const struct store_options *options, const char *new_dir,
                          store_report_cb report_cb, void *arg,
                          struct store_salvage_result *result_out, struct error *error) {
    (void)options;
    (void)new_dir;
    (void)report_cb;
    (void)arg;
    (void)result_out;
    (void)error;
    return STATUS_UNSUPPORTED;
}

enum status store_why_space(struct store *store, store_space_cb space_cb, void *arg,
                            struct error *error) {
    (void)store;
    (void)space_cb;
    (void)arg;
    (void)error;
    return STATUS_UNSUPPORTED;
}
