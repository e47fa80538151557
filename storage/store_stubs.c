/* store_stubs.c: functions of the door that are being built; each goes as its room comes. */
#include "storage/store.h"

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
