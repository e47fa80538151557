/* limits.c: see limits.h. */
#include "server/limits.h"

#include "server/transactions.h"

#define KIB 1024u
#define MIB (1024u * KIB)

void limits_init(struct limits *limits) {
    *limits = (struct limits){
        .wire =
            {
                .frame_max = 25 * MIB, /* a value, the longest key, fields */
                .key_max = 64 * KIB - 1,
                .value_max = 24 * MIB,
                .requests_max = 1024,
                .transactions_max = TRANSACTIONS_MAX,
                .transaction_bytes = STORE_TRANSACTION_BYTES_MAX,
                .transaction_age_ms = 60000,
                .transaction_idle_ms = 10000,
                .mget_keys_max = 4096,
                .batch_items_max = 65536,
                .batch_bytes_max = 24 * MIB,
                .scan_entries_max = 10000,
                .scan_page_bytes_max = 1 * MIB,
            },
        .hello_body_max = 1 * KIB,
        .hello_frames_max = 8,
        .hello_timeout_ms = 5000,
        .strangers_max = 256,
        .progress_timeout_ms = 30000,
        .connections_max = 10000,
        .turn_requests_max = 64,
        .tasks_max = 32, /* enough to keep every I/O thread busy for one client */
        .output_pause_bytes = 1 * MIB,
        .output_limit_bytes = 32 * MIB,
        .write_bytes_max = 48 * MIB, /* two of the largest commits */
        .client_memory_bytes = 256 * MIB,
    };
}
