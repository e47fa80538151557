/* top_page.c: see top_page.h. */
#include "client/kvcli/top_page.h"

#include "client/kvcli/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define COMMANDS_SHOWN_MIN 3u
#define OTHER_LINES 16u /* without commands and levels */

struct text {
    char bytes[24];
};

/* --- pieces of text --- */

static __attribute__((format(printf, 2, 3))) void add(struct top_page *page, const char *format,
                                                      ...) {
    va_list arguments;

    if (page->count == TOP_PAGE_LINES_MAX) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(page->lines[page->count], TOP_PAGE_LINE_BYTES_MAX, format, arguments);
    va_end(arguments);
    page->is_head[page->count++] = false;
}

static void make_head(struct top_page *page) {
    page->is_head[page->count - 1] = true;
}

static struct text bytes_text(double bytes) {
    struct text text = {"-"};

    if (!isnan(bytes)) {
        table_bytes_text(text.bytes, sizeof text.bytes, bytes > 0 ? (uint64_t)bytes : 0);
    }
    return text;
}

static struct text count_text(double count) {
    struct text text = {"-"};

    if (!isnan(count)) {
        snprintf(text.bytes, sizeof text.bytes, "%.0f", count);
    }
    return text;
}

/* A rate, with a digit behind the point where it is small. */
static struct text rate_text(double rate) {
    struct text text = {"-"};

    if (!isnan(rate)) {
        snprintf(text.bytes, sizeof text.bytes, "%.*f", rate > 0 && rate < 10 ? 1 : 0, rate);
    }
    return text;
}

static struct text share_text(double share) {
    struct text text = {"-"};

    if (!isnan(share)) {
        snprintf(text.bytes, sizeof text.bytes, "%.1f %%", 100 * share);
    }
    return text;
}

static struct text time_text(uint64_t ms) {
    uint64_t minutes = ms / 60000;
    struct text text;

    if (minutes >= 1440) {
        snprintf(text.bytes, sizeof text.bytes, "%" PRIu64 " d %" PRIu64 " h", minutes / 1440,
                 minutes / 60 % 24);
    } else if (minutes >= 60) {
        snprintf(text.bytes, sizeof text.bytes, "%" PRIu64 " h %" PRIu64 " min", minutes / 60,
                 minutes % 60);
    } else {
        snprintf(text.bytes, sizeof text.bytes, "%" PRIu64 " min %" PRIu64 " s", minutes,
                 ms / 1000 % 60);
    }
    return text;
}

static struct text clock_text(uint64_t ms) {
    time_t seconds = (time_t)(ms / 1000);
    struct text text = {""};
    struct tm local;

    if (localtime_r(&seconds, &local)) {
        strftime(text.bytes, sizeof text.bytes, "%H:%M:%S", &local);
    }
    return text;
}

/* "12.0 MiB of 1.0 GiB", or the first alone if no limit is known. */
static void add_limited(char *out, size_t room, double bytes, double limit_bytes) {
    struct text first = bytes_text(bytes);
    struct text second = bytes_text(limit_bytes);

    snprintf(out, room, "%s%s%s", first.bytes, isnan(limit_bytes) ? "" : " of ",
             isnan(limit_bytes) ? "" : second.bytes);
}

/* --- the parts of the page --- */

static void add_server(struct top_page *page, const struct top_report *report,
                       const char *address) {
    const double *figures = report->figures;
    char memory[64];
    char clients[64];
    double looks = figures[TOP_CACHE_HITS] + figures[TOP_CACHE_MISSES];

    add(page, "kvd at %s, up %s, %s connections, %s, over %.1f s", address,
        time_text(report->uptime_ms).bytes, count_text(figures[TOP_CONNECTIONS]).bytes,
        clock_text(report->at_ms).bytes, report->seconds);
    make_head(page);
    add(page, "requests   %s/s, refused %s/s, failed %s/s, in %s/s, out %s/s",
        rate_text(report->requests).bytes, rate_text(figures[TOP_REFUSED]).bytes,
        rate_text(figures[TOP_FAILED]).bytes, bytes_text(figures[TOP_BYTES_IN]).bytes,
        bytes_text(figures[TOP_BYTES_OUT]).bytes);
    add_limited(memory, sizeof memory, figures[TOP_MEMORY], figures[TOP_MEMORY_LIMIT]);
    add_limited(clients, sizeof clients, figures[TOP_CLIENT_MEMORY],
                figures[TOP_CLIENT_MEMORY_LIMIT]);
    add(page, "memory     %s, clients %s", memory, clients);
    add(page, "cache      %s, hits %s, gets that went to the disk %s/s",
        bytes_text(figures[TOP_CACHE]).bytes,
        share_text(looks > 0 ? figures[TOP_CACHE_HITS] / looks : NAN).bytes,
        rate_text(figures[TOP_GETS_BLOCKED]).bytes);
}

static void add_command_head(struct top_page *page, bool has_latency) {
    if (has_latency) {
        add(page, "%-18s %10s %10s %10s %10s %10s", "COMMAND", "per s", "p50 us", "p99 us",
            "p99.9 us", "max us");
    } else {
        add(page, "%-18s %10s", "COMMAND", "per s");
    }
    make_head(page);
}

static void add_commands(struct top_page *page, const struct top_report *report, size_t shown) {
    add(page, "%s", "");
    add_command_head(page, report->has_latency);
    for (size_t i = 0; i < report->command_count && i < shown; i++) {
        const struct top_command *command = &report->commands[i];
        if (command->has_latency) {
            add(page, "%-18s %10s %10.0f %10.0f %10.0f %10.0f", command->name,
                rate_text(command->per_second).bytes, command->us[TOP_P50], command->us[TOP_P99],
                command->us[TOP_P999], command->us[TOP_MAX]);
        } else {
            add(page, "%-18s %10s", command->name, rate_text(command->per_second).bytes);
        }
    }
}

static void add_levels(struct top_page *page, const struct top_report *report) {
    const double *figures = report->figures;

    add(page, "%s", "");
    add(page, "%-18s %10s %12s", "LEVEL", "tables", "bytes");
    make_head(page);
    add(page, "%-18s %10s %12s", "memory", count_text(1 + figures[TOP_FROZEN_COUNT]).bytes,
        bytes_text(figures[TOP_MEMTABLE] + figures[TOP_FROZEN]).bytes);
    for (size_t i = 0; i < report->level_count; i++) {
        if (report->levels[i].tables > 0) {
            add(page, "%-18zu %10" PRIu64 " %12s", i, report->levels[i].tables,
                bytes_text((double)report->levels[i].bytes).bytes);
        }
    }
}

static void add_log(struct top_page *page, const struct top_report *report) {
    const double *figures = report->figures;
    double groups = figures[TOP_COMMIT_GROUPS];

    add(page, "%s", "");
    add(page, "segments   %s, %s, live %s, dead %s, pinned %s, not flushed yet %s",
        count_text(figures[TOP_SEGMENTS]).bytes, bytes_text(figures[TOP_SEGMENT_BYTES]).bytes,
        share_text(top_report_live_share(report)).bytes,
        bytes_text(figures[TOP_SEGMENT_DEAD]).bytes, bytes_text(figures[TOP_SEGMENT_PINNED]).bytes,
        bytes_text(figures[TOP_UNFLUSHED]).bytes);
    add(page, "gc         %s segments/s, read %s/s, copied %s/s",
        rate_text(figures[TOP_GC_VICTIMS]).bytes, bytes_text(figures[TOP_GC_READ]).bytes,
        bytes_text(figures[TOP_GC_COPIED]).bytes);
    add(page, "compaction %s/s, in %s/s, out %s/s, flushes %s/s, failed jobs %s",
        rate_text(figures[TOP_COMPACTIONS]).bytes, bytes_text(figures[TOP_COMPACTION_IN]).bytes,
        bytes_text(figures[TOP_COMPACTION_OUT]).bytes, rate_text(figures[TOP_FLUSHES]).bytes,
        count_text(figures[TOP_JOB_FAILURES]).bytes);
    add(page, "commits    %s/s, in a group %s, log %s/s, syncs %s/s",
        rate_text(figures[TOP_COMMITS]).bytes,
        rate_text(groups > 0 ? figures[TOP_COMMITS] / groups : NAN).bytes,
        bytes_text(figures[TOP_LOG_BYTES]).bytes, rate_text(figures[TOP_LOG_SYNCS]).bytes);
    add(page, "waiting    puts held back %s/s, %s ms each second",
        rate_text(figures[TOP_WRITE_DELAYS]).bytes, rate_text(figures[TOP_WRITE_DELAY_MS]).bytes);
    add(page, "open       snapshots %s, transactions %s, conflicts %s/s; disk free %s",
        count_text(figures[TOP_SNAPSHOTS]).bytes, count_text(figures[TOP_TRANSACTIONS]).bytes,
        rate_text(figures[TOP_CONFLICTS]).bytes, bytes_text(figures[TOP_DISK_FREE]).bytes);
}

/* How many commands there is room for, beside all the rest. */
static size_t commands_shown(const struct top_report *report, size_t rows) {
    size_t others = OTHER_LINES;

    for (size_t i = 0; i < report->level_count; i++) {
        others += report->levels[i].tables > 0;
    }
    if (rows == 0) {
        return TOP_COMMANDS_MAX;
    }
    return rows > others + COMMANDS_SHOWN_MIN ? rows - others : COMMANDS_SHOWN_MIN;
}

void top_page_fill(struct top_page *page, const struct top_report *report, const char *address,
                   size_t rows) {
    page->count = 0;
    add_server(page, report, address);
    add_commands(page, report, commands_shown(report, rows));
    add_log(page, report);
    add_levels(page, report);
}

size_t top_page_cut(const char *text, size_t columns) {
    size_t len = 0;

    while (text[len] && (columns > 0 || ((uint8_t)text[len] & 0xC0) == 0x80)) {
        columns -= ((uint8_t)text[len] & 0xC0) != 0x80;
        len++;
    }
    return len;
}
