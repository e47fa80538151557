/* offline.c: see offline.h. */
#include "server/offline.h"

#include <inttypes.h>
#include <stdio.h>

static void report_cb(void *arg, const char *name, const char *text) {
    (void)arg;
    printf("%-28s %s\n", name, text);
}

static void print_number(const char *name, uint64_t number) {
    printf("%-28s %" PRIu64 "\n", name, number);
}

enum status offline_check(const struct store_options *options, bool *clean_out,
                          struct error *error) {
    struct store_verify_result result = {0};
    enum status status = store_check(options, report_cb, NULL, &result, error);

    if (status != STATUS_OK) {
        return status;
    }
    print_number("files", result.files);
    print_number("bytes verified", result.bytes);
    print_number("entries", result.entries);
    print_number("values verified", result.values);
    print_number("faults", result.faults);
    *clean_out = result.faults == 0;
    return STATUS_OK;
}

enum status offline_salvage(const struct store_options *options, const char *new_dir,
                            bool *clean_out, struct error *error) {
    struct store_salvage_result result = {0};
    enum status status = store_salvage(options, new_dir, report_cb, NULL, &result, error);

    if (status != STATUS_OK) {
        return status;
    }
    print_number("files read", result.files_read);
    print_number("entries kept", result.entries_kept);
    print_number("entries lost", result.entries_lost);
    if (!result.has_order) {
        puts("The order of changes is not known: keys that were deleted or replaced may be back.");
    }
    *clean_out = result.entries_lost == 0 && result.has_order;
    return STATUS_OK;
}
