/* why_slow.c: see why_slow.h. */
#include "server/why_slow.h"

#include "protocol/base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DURATION_BYTES 24
#define FINDINGS_MAX 24u
#define LONG_SNAPSHOT_MS (UINT64_C(3600) * 1000)
#define CALM_US 1000u /* a p99 below is no reason to look for one */

/* Shares from which a finding is one, in percent. */
#define SHARE_WAIT 30u
#define SHARE_QUEUE 10u
#define SHARE_WORK 40u
#define SHARE_COMMIT 40u
#define SHARE_COMMIT_WAITED 10u /* the same where others wait for it */
#define SHARE_HELD 10u
#define SHARE_BLOCKED 5u

struct finding {
    uint64_t us;
    uint64_t weight; /* the greatest is told first */
    char text[WHY_SLOW_TEXT_MAX];
};

/* What one command, or all, did. */
struct sums {
    uint32_t command;
    uint64_t count;
    uint64_t us;
    uint64_t p50_us;
    uint64_t p99_us;
    uint64_t max_us;
    uint64_t phase_us[LATENCY_PHASES];
};

struct inquiry {
    const struct why_slow_input *input;
    struct sums all;
    uint32_t busy; /* commands in `busiest`, the busiest first */
    struct sums busiest[WHY_SLOW_COMMANDS_MAX];
    uint32_t count;
    struct finding findings[FINDINGS_MAX];
};

/* "1.5 ms" */
static const char *duration(uint64_t us, char text[DURATION_BYTES]) {
    if (us >= 1000000) {
        snprintf(text, DURATION_BYTES, "%.2f s", (double)us / 1e6);
    } else if (us >= 1000) {
        snprintf(text, DURATION_BYTES, "%.1f ms", (double)us / 1e3);
    } else {
        snprintf(text, DURATION_BYTES, "%" PRIu64 " us", us);
    }
    return text;
}

static uint64_t percent(uint64_t part, uint64_t whole) {
    return whole > 0 ? (uint64_t)((double)part * 100 / (double)whole + 0.5) : 0;
}

static uint64_t growth(const struct inquiry *inquiry, enum figure figure) {
    return inquiry->input->growth.values[figure];
}

__attribute__((format(printf, 4, 5))) static void find(struct inquiry *inquiry, uint64_t weight,
                                                       uint64_t us, const char *format, ...) {
    struct finding *finding = &inquiry->findings[inquiry->count];
    va_list args;

    ASSERT(inquiry->count < FINDINGS_MAX);
    inquiry->count++;
    finding->us = us;
    finding->weight = weight;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
}

/* ---- Sums */

static void add_to_all(struct sums *all, const struct sums *sums) {
    all->count += sums->count;
    all->us += sums->us;
    all->p99_us = sums->p99_us > all->p99_us ? sums->p99_us : all->p99_us;
    all->max_us = sums->max_us > all->max_us ? sums->max_us : all->max_us;
    for (uint32_t i = 0; i < LATENCY_PHASES; i++) {
        all->phase_us[i] += sums->phase_us[i];
    }
}

/* Keeps the busiest in order. */
static void insert(struct inquiry *inquiry, const struct sums *sums) {
    uint32_t place = inquiry->busy;

    while (place > 0 && inquiry->busiest[place - 1].us < sums->us) {
        place--;
    }
    if (place == WHY_SLOW_COMMANDS_MAX) {
        return;
    }
    if (inquiry->busy < WHY_SLOW_COMMANDS_MAX) {
        inquiry->busy++;
    }
    memmove(&inquiry->busiest[place + 1], &inquiry->busiest[place],
            (inquiry->busy - 1 - place) * sizeof *sums);
    inquiry->busiest[place] = *sums;
}

/* Whether it is one of those that only look at the server: how long they take is nobody's worry. */
static bool is_a_look(uint32_t command) {
    static const enum metric looks[] = {
        METRIC_REQUESTS_HELLO,   METRIC_REQUESTS_PING,     METRIC_REQUESTS_STATS,
        METRIC_REQUESTS_WHY,     METRIC_REQUESTS_MAINTAIN, METRIC_REQUESTS_EXPLAIN,
        METRIC_REQUESTS_SLOWLOG, METRIC_REQUESTS_CLIENTS,  METRIC_REQUESTS_HOTKEYS};

    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        if (latency_command(looks[i]) == command) {
            return true;
        }
    }
    return false;
}

static void sum_up(struct inquiry *inquiry) {
    struct latency_view view;

    for (uint32_t command = 0; command < LATENCY_COMMANDS; command++) {
        struct sums sums = {.command = command};
        if (is_a_look(command)) {
            continue;
        }
        latency_collect(inquiry->input->latencies, inquiry->input->latency_count, command,
                        LATENCY_RECENT, &view);
        if (view.count == 0) {
            continue;
        }
        sums.count = view.count;
        sums.us = view.sum_us;
        sums.p50_us = latency_percentile_us(&view, 50000);
        sums.p99_us = latency_percentile_us(&view, 99000);
        sums.max_us = view.max_us;
        memcpy(sums.phase_us, view.phase_us, sizeof sums.phase_us);
        add_to_all(&inquiry->all, &sums);
        insert(inquiry, &sums);
    }
}

/* ---- Findings: of the phases of requests */

static uint64_t share_of(const struct inquiry *inquiry, enum latency_phase phase) {
    return percent(inquiry->all.phase_us[phase], inquiry->all.us);
}

static void look_at_waiting(struct inquiry *inquiry) {
    uint64_t share = share_of(inquiry, LATENCY_WAITED);
    uint64_t us = inquiry->all.phase_us[LATENCY_WAITED];

    if (share >= SHARE_WAIT) {
        find(inquiry, us, us,
             "%" PRIu64 "%% of the time requests waited for others of their own connection before "
             "them: a read waits for the writes before it, and everything for an upload or a "
             "transaction's step. Send what need not wait on another connection, or fewer requests "
             "at once.",
             share);
    }
}

static void look_at_io_threads(struct inquiry *inquiry) {
    uint64_t share = share_of(inquiry, LATENCY_QUEUED);
    uint64_t us = inquiry->all.phase_us[LATENCY_QUEUED];

    if (share >= SHARE_QUEUE) {
        find(inquiry, us, us,
             "%" PRIu64 "%% of the time requests waited for a free I/O thread: scans, counts and "
             "reads that go to the disk keep all of them busy. Ask for shorter pages, fewer of "
             "them at once, or give memory_limit more so that fewer reads go to the disk.",
             share);
    }
}

static void look_at_work(struct inquiry *inquiry) {
    uint64_t share = share_of(inquiry, LATENCY_WORKED);
    uint64_t us = inquiry->all.phase_us[LATENCY_WORKED];

    if (share >= SHARE_WORK) {
        find(inquiry, us, us,
             "%" PRIu64 "%% of the time a thread worked for a request, or for others of the same "
             "burst: see which command above is the busiest, and kvcli slowlog. If the processors "
             "are busy, server.loops and shorter bursts of requests matter; if they are not, it "
             "waited for the disk.",
             share);
    }
}

static void look_at_commits(struct inquiry *inquiry) {
    uint64_t share = share_of(inquiry, LATENCY_COMMITTED);
    uint64_t us = inquiry->all.phase_us[LATENCY_COMMITTED];
    uint64_t syncs = growth(inquiry, FIGURE_LOG_SYNCS);
    bool waited_for = share_of(inquiry, LATENCY_WAITED) >= SHARE_WAIT;
    char text[DURATION_BYTES];

    if (share < (waited_for ? SHARE_COMMIT_WAITED : SHARE_COMMIT)) {
        return;
    }
    if (syncs == 0) {
        find(inquiry, us, us, "%" PRIu64 "%% of the time writes were on their way through the log.",
             share);
        return;
    }
    find(inquiry, us, us,
         "%" PRIu64
         "%% of the time writes waited for the log. The disk took %s for each of %" PRIu64
         " syncs, with %.1f commits in one. More writes at a time share a sync; durability "
         "'logged' does not wait for it (a power cut may undo the last second); else it is the "
         "disk.",
         share, duration(growth(inquiry, FIGURE_LOG_SYNC_US) / syncs, text), syncs,
         (double)growth(inquiry, FIGURE_COMMITS) / (double)syncs);
}

static void look_at_holds(struct inquiry *inquiry) {
    uint64_t share = share_of(inquiry, LATENCY_HELD);
    uint64_t us = inquiry->all.phase_us[LATENCY_HELD];

    if (share >= SHARE_HELD) {
        find(inquiry, us, us,
             "%" PRIu64 "%% of the time answers were held back until what they had read was "
             "durable: keys are read right after they were written with durability 'synced'. "
             "Written as 'logged' they are not held for a sync.",
             share);
    }
}

/* ---- Findings: of the store */

static const char *cause_of_delays(const struct inquiry *inquiry) {
    if (growth(inquiry, FIGURE_SPACE_UNREFERENCED) * 10 >=
        growth(inquiry, FIGURE_SPACE_UNREFERENCED_LIMIT) * 9) {
        return "cleaning of the log lags behind overwrites and deletes, and puts wait so that the "
               "files stay within storage.max_space_ratio. A greater ratio makes cleaning cheaper";
    }
    if (growth(inquiry, FIGURE_SPACE_ABOVE) * 10 >= growth(inquiry, FIGURE_SPACE_ABOVE_LIMIT) * 9) {
        return "compaction lags, and puts wait so that the files stay within "
               "storage.max_space_ratio";
    }
    if (growth(inquiry, FIGURE_MEMTABLES_FROZEN) > 0) {
        return "memtables wait to be flushed: the disk is slower than what is written";
    }
    return "compaction of level 0 lags behind what is written";
}

static void look_at_delays(struct inquiry *inquiry) {
    uint64_t delays = growth(inquiry, FIGURE_WRITE_DELAYS);
    uint64_t us = growth(inquiry, FIGURE_WRITE_DELAY_MS) * 1000;
    char text[DURATION_BYTES];

    if (delays > 0) {
        find(inquiry, us + inquiry->all.phase_us[LATENCY_COMMITTED], us,
             "All writes were held up %" PRIu64 " times, %s in all: %s. (%" PRIu64
             " memtables wait for a flush, level 0 has %" PRIu64 " tables.)",
             delays, duration(us, text), cause_of_delays(inquiry),
             growth(inquiry, FIGURE_MEMTABLES_FROZEN), growth(inquiry, FIGURE_LEVEL_0_TABLES));
    }
}

static void look_at_cold_reads(struct inquiry *inquiry) {
    uint64_t gets = growth(inquiry, FIGURE_GETS);
    uint64_t blocked = growth(inquiry, FIGURE_GETS_BLOCKED);
    uint64_t hits = growth(inquiry, FIGURE_CACHE_HITS);
    uint64_t looks = hits + growth(inquiry, FIGURE_CACHE_MISSES);

    if (gets > 0 && percent(blocked, gets) >= SHARE_BLOCKED) {
        find(inquiry, inquiry->all.phase_us[LATENCY_WORKED], 0,
             "%" PRIu64 "%% of the reads of a key had to go to the disk; the block cache, of "
             "%" PRIu64 " MiB, had %" PRIu64 "%% of the blocks that were asked for. A greater "
             "memory_limit keeps more of them.",
             percent(blocked, gets), growth(inquiry, FIGURE_CACHE_CAPACITY) >> 20,
             percent(hits, looks));
    }
}

/* What else uses the disk; told only if something is slow. */
static void look_at_background(struct inquiry *inquiry) {
    uint64_t ms = inquiry->input->growth.at_ms;
    uint64_t compacted =
        growth(inquiry, FIGURE_COMPACTION_INPUT) + growth(inquiry, FIGURE_COMPACTION_OUTPUT);
    uint64_t copied = growth(inquiry, FIGURE_GC_COPIED);

    if (ms > 0 && (compacted + copied) / ms >= 1049) { /* 1 MiB a second */
        find(inquiry, 2, 0,
             "Background work shares the disk: compaction moved %.1f MiB/s, cleaning of the log "
             "copied %.1f MiB/s out of %" PRIu64 " segments.",
             (double)compacted / (double)ms * 1000 / 1048576,
             (double)copied / (double)ms * 1000 / 1048576, growth(inquiry, FIGURE_GC_VICTIMS));
    }
}

static void look_at_snapshots(struct inquiry *inquiry) {
    uint64_t age_ms = growth(inquiry, FIGURE_OLDEST_SNAPSHOT_AGE_MS);

    if (age_ms >= LONG_SNAPSHOT_MS) {
        find(inquiry, 3, 0,
             "A snapshot is open for %" PRIu64 " minutes and keeps %" PRIu64 " MiB of old values: "
             "scans pass over them and cleaning cannot free them. See kvcli snapshot list.",
             age_ms / 60000, growth(inquiry, FIGURE_SPACE_PINNED) >> 20);
    }
}

static void look_at_memory(struct inquiry *inquiry) {
    uint64_t used =
        percent(inquiry->input->client_memory_bytes, inquiry->input->client_memory_limit_bytes);

    if (used >= 50) {
        find(inquiry, 4, 0,
             "Clients use %" PRIu64 "%% of the memory that is there for them: they do not take "
             "their answers, or send much at once. See kvcli clients; above 100%% the biggest is "
             "closed.",
             used);
    }
}

/* These come first: they are worse than slow. */
static void look_at_troubles(struct inquiry *inquiry) {
    if (growth(inquiry, FIGURE_LOG_FAILED) > 0) {
        find(inquiry, UINT64_MAX, 0,
             "The log could not be written: all writes are refused until kvd is started anew. See "
             "kvd's log and the disk.");
    }
    if (growth(inquiry, FIGURE_DISK_FREE) < 2 * growth(inquiry, FIGURE_DISK_RESERVE)) {
        find(inquiry, UINT64_MAX - 1, 0,
             "The disk is nearly full: %" PRIu64 " MiB are free, and puts are refused below "
             "%" PRIu64 " MiB.",
             growth(inquiry, FIGURE_DISK_FREE) >> 20, growth(inquiry, FIGURE_DISK_RESERVE) >> 20);
    }
    if (growth(inquiry, FIGURE_JOB_FAILURES) > 0) {
        find(inquiry, UINT64_MAX - 2, 0,
             "Flushes or compactions failed %" PRIu64 " times and are tried again. See kvd's log "
             "and the disk.",
             growth(inquiry, FIGURE_JOB_FAILURES));
    }
}

/* ---- Telling */

static void look(struct inquiry *inquiry) {
    look_at_troubles(inquiry);
    look_at_delays(inquiry);
    look_at_snapshots(inquiry);
    look_at_memory(inquiry);
    if (inquiry->all.p99_us < CALM_US) {
        return; /* whatever the shares are, they are of little */
    }
    look_at_waiting(inquiry);
    look_at_io_threads(inquiry);
    look_at_work(inquiry);
    look_at_commits(inquiry);
    look_at_holds(inquiry);
    look_at_cold_reads(inquiry);
    look_at_background(inquiry);
}

static void tell_command(const struct sums *sums, why_slow_cb line_cb, void *arg) {
    char text[WHY_SLOW_TEXT_MAX];
    char p50[DURATION_BYTES];
    char p99[DURATION_BYTES];
    char longest[DURATION_BYTES];
    size_t len = (size_t)snprintf(
        text, sizeof text, "%s: %" PRIu64 " requests, half within %s, 99%% within %s, longest %s",
        latency_command_name(sums->command), sums->count, duration(sums->p50_us, p50),
        duration(sums->p99_us, p99), duration(sums->max_us, longest));

    for (uint32_t i = 0; i < LATENCY_PHASES && len < sizeof text; i++) {
        uint64_t share = percent(sums->phase_us[i], sums->us);
        if (share > 0) {
            len += (size_t)snprintf(text + len, sizeof text - len, "; %s %" PRIu64 "%%",
                                    latency_phase_name((enum latency_phase)i), share);
        }
    }
    line_cb(arg, "command", text, sums->us);
}

static void tell_findings(struct inquiry *inquiry, why_slow_cb line_cb, void *arg) {
    while (inquiry->count > 0) {
        uint32_t worst = 0;
        for (uint32_t i = 1; i < inquiry->count; i++) {
            if (inquiry->findings[i].weight > inquiry->findings[worst].weight) {
                worst = i;
            }
        }
        line_cb(arg, "finding", inquiry->findings[worst].text, inquiry->findings[worst].us);
        memmove(&inquiry->findings[worst], &inquiry->findings[worst + 1],
                (inquiry->count - worst - 1) * sizeof inquiry->findings[0]);
        inquiry->count--;
    }
}

static void tell_all(const struct inquiry *inquiry, why_slow_cb line_cb, void *arg) {
    char text[WHY_SLOW_TEXT_MAX];
    char sum[DURATION_BYTES];
    char longest[DURATION_BYTES];

    if (inquiry->all.count == 0) {
        line_cb(arg, "summary", "no requests in the last one to two minutes", 0);
        return;
    }
    snprintf(text, sizeof text,
             "%" PRIu64 " requests in the last one to two minutes took %s in all, the longest %s%s",
             inquiry->all.count, duration(inquiry->all.us, sum),
             duration(inquiry->all.max_us, longest),
             inquiry->count == 0 ? "; nothing stands out" : "");
    line_cb(arg, "summary", text, inquiry->all.us);
}

void why_slow(const struct why_slow_input *input, why_slow_cb line_cb, void *arg) {
    struct inquiry inquiry = {.input = input};

    sum_up(&inquiry);
    look(&inquiry);
    tell_all(&inquiry, line_cb, arg);
    for (uint32_t i = 0; i < inquiry.busy; i++) {
        tell_command(&inquiry.busiest[i], line_cb, arg);
    }
    tell_findings(&inquiry, line_cb, arg);
}
