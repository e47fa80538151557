/* slow_log.h: the last requests that took longer than a threshold.
 *
 * A ring in memory: the newest pushes out the oldest. Any thread adds and reads; since only slow
 * requests come here, a mutex is cheap enough. Entries are numbered from 1 on for good, so that a
 * reader who takes one after the other sees none twice. */
#ifndef KVD_SERVER_SLOW_LOG_H
#define KVD_SERVER_SLOW_LOG_H

#include "protocol/base/slice.h"
#include "protocol/base/status.h"
#include "server/latency.h"

#include <stdbool.h>

#define SLOW_LOG_KEY_BYTES_MAX 64u  /* of a longer key the beginning is kept */
#define SLOW_LOG_PEER_BYTES_MAX 48u /* with NUL, as of a session */
#define SLOW_LOG_NAME_BYTES_MAX 64u /* with NUL, likewise */

/* What is known of a request before it runs. */
struct slow_note {
    uint64_t bytes;   /* of its frame */
    uint64_t key_len; /* of the whole key */
    uint8_t key[SLOW_LOG_KEY_BYTES_MAX];
};

struct slow_entry {
    uint64_t number;
    uint64_t time_ms; /* since 1970: when it had ended */
    uint32_t id;      /* of the request */
    uint16_t opcode;
    uint32_t beside; /* other requests that were answered in the same burst and took as long */
    struct latency_sample sample;
    struct slow_note note;
    uint64_t client; /* id of its connection */
    char peer[SLOW_LOG_PEER_BYTES_MAX];
    char name[SLOW_LOG_NAME_BYTES_MAX];
};

struct slow_log;

/* Errors: NO_MEMORY. */
enum status slow_log_create(uint32_t entries_max, struct slow_log **log_out) MUST_CHECK;
void slow_log_destroy(struct slow_log *log);

/* Requests that take so long are written down; 0: none. */
void slow_log_set_threshold(struct slow_log *log, uint64_t threshold_us);

/* Whether one that took so long is to be written down; false for a `log` of NULL. */
bool slow_log_wants(const struct slow_log *log, uint64_t total_us);

/* Copies it; its number is given here. */
void slow_log_add(struct slow_log *log, const struct slow_entry *entry);

/* The newest one below `before` (0: of all). Returns false at the end. */
bool slow_log_take(struct slow_log *log, uint64_t before, struct slow_entry *entry_out);

/* Forgets all that are there. */
void slow_log_clear(struct slow_log *log);

/* Keeps the beginning of a key. */
void slow_note_set(struct slow_note *note, struct slice key, uint64_t frame_bytes);

#endif
