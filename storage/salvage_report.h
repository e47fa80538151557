/* salvage_report.h: what a salvage tells: a line for each file, and the sums. One thread. */
#ifndef KVD_STORAGE_SALVAGE_REPORT_H
#define KVD_STORAGE_SALVAGE_REPORT_H

#include "storage/file_name.h"
#include "storage/store.h"

struct salvage_report {
    store_report_cb report_cb; /* borrowed, with arg */
    void *arg;
    struct store_salvage_result result;
};

/* One line; `format` is printf's. */
void salvage_say(struct salvage_report *report, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, about a file. */
void salvage_say_file(struct salvage_report *report, enum file_kind kind, uint64_t number,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
