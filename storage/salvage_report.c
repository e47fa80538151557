/* salvage_report.c: see salvage_report.h. */
#include "storage/salvage_report.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES_MAX 768

static void say(struct salvage_report *report, const char *name, const char *format, va_list args) {
    char line[LINE_BYTES_MAX];

    vsnprintf(line, sizeof line, format, args);
    report->report_cb(report->arg, name, line);
}

void salvage_say(struct salvage_report *report, const char *name, const char *format, ...) {
    va_list args;

    va_start(args, format);
    say(report, name, format, args);
    va_end(args);
}

void salvage_say_file(struct salvage_report *report, enum file_kind kind, uint64_t number,
                      const char *format, ...) {
    char name[FILE_NAME_BYTES_MAX];
    va_list args;

    file_name_make(kind, number, name);
    va_start(args, format);
    say(report, name, format, args);
    va_end(args);
}
