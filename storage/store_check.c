/* store_check.c: verification of a store that nobody has open; it opens it to look, and changes
 * nothing. */
#include "storage/store_state.h"

/* What keeps a store from being opened is its first fault. */
static enum status report_refusal(enum status status, const struct error *found,
                                  store_report_cb report_cb, void *arg,
                                  struct store_verify_result *result_out, struct error *error) {
    char text[ERROR_PATH_MAX + ERROR_TEXT_MAX + 128];

    if (status == STATUS_CORRUPT || status == STATUS_NEWER_FORMAT) {
        error_format(found, text, (int)sizeof text);
        report_cb(arg, "store", text);
        *result_out = (struct store_verify_result){.faults = 1};
        return STATUS_OK;
    }
    if (error) {
        *error = *found;
        error->status = status;
    }
    return status;
}

enum status store_check(const struct store_options *options, store_report_cb report_cb, void *arg,
                        struct store_verify_result *result_out, struct error *error) {
    struct error found = {0};
    struct store *store;
    enum status status = store_open_for(STORE_TO_CHECK, options, &store, &found);

    if (status != STATUS_OK) {
        return report_refusal(status, &found, report_cb, arg, result_out, error);
    }
    status = store_verify(store, NULL, report_cb, arg, result_out, error);
    if (store_close(store, &found) != STATUS_OK && status == STATUS_OK) {
        status = report_refusal(STATUS_IO, &found, report_cb, arg, result_out, error);
    }
    return status;
}
