/* retry.h: writes that are sent again and take effect once. Included by kvd.h.
 *
 *     struct kvd_connect_options options = {.retry_ms = 30000};
 *
 *     kvd_connect("127.0.0.1:4411", &options, &db);
 *     kvd_add(db, kvd_text("visits"), 1, NULL, &sum, NULL);     never adds 2
 *
 * With retry_ms, a write that found no server, or whose answer was lost, is sent again over a new
 * connection until it is answered. It carries a retry token, a random client id and an ascending
 * sequence, by which the server knows it again, on whatever connection, also after a crash: it does
 * it once, and gives the first answer again, sums and lengths included. After retry_ms no more
 * tries begin, so the call may take timeout_ms more than that; it then ends as it would have
 * without: KVD_UNKNOWN, or KVD_CONNECT, KVD_CLOSED if nothing was ever sent whole. An answer to a
 * repeat that is not about the data (KVD_NO_SPACE, KVD_BUSY ...) says nothing about the copies
 * before it, and so is tried again as well.
 *
 * That holds for the calls that wait, on a connection of kvd_connect or of a pool. Reads, the
 * pieces of an upload, and what is done inside a transaction are as without; kvd_commit is
 * repeated, and KVD_GONE if the transaction ended with its connection before it was committed.
 * Requests of pipelines and of <kvd/async.h> are never sent twice by libkvd, but may carry a token
 * of the program's own. */
#ifndef KVD_RETRY_H
#define KVD_RETRY_H

#ifndef KVD_KVD_H
#error "include <kvd/kvd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define KVD_RETRY_MS_MAX 300000u /* the server remembers a write for 10 minutes */

/* A name for a write, for a program that repeats it itself, perhaps after its own restart: of all
 * requests with one token within 10 minutes, one takes effect and the others get its answer. Each
 * write has a sequence of its own; they ascend, and from the oldest that may still be repeated to
 * the newest there are at most 1,024 (a repeat of an older one is KVD_UNKNOWN). An answer to a
 * repeat counts if it is KVD_OK or about the data (KVD_EXISTS, KVD_CONFLICT and the like); any
 * other leaves the write unknown. */
struct kvd_retry_token {
    uint8_t client[16]; /* random bytes, kept as long as sequences ascend */
    uint64_t sequence;
};

#ifdef __cplusplus
}
#endif

#endif
