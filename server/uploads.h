/* uploads.h: the large values that a connection is sending, and the bulk load that it may have.
 *
 * They belong to the connection. Each upload has an id that no other connection of the server has.
 * Who touches them: a job of the connection on an I/O thread while there is one, which takes part
 * in one job at a time; the connection's loop otherwise. What has ended is found no more, and freed
 * by the next reap, on an I/O thread, since freeing it may touch files. */
#ifndef KVD_SERVER_UPLOADS_H
#define KVD_SERVER_UPLOADS_H

#include "storage/store.h"

#define UPLOADS_MAX 16u                       /* of one connection */
#define UPLOADS_IDLE_MS 60000u                /* without a request for it, each ends */
#define UPLOADS_BYTES_MAX ((uint64_t)1 << 36) /* of one connection: four of the largest values */

struct upload {
    uint64_t id;
    struct store_upload *store_upload; /* owned */
    uint32_t namespace_id;
    struct buffer key;
    uint64_t used_ms; /* monotonic, of the last request */
    bool ended;
};

struct load {
    struct store_bulk *store_bulk; /* owned; NULL: there is none */
    uint64_t used_ms;              /* as of an upload */
    bool ended;
};

struct uploads {
    struct load load;
    uint32_t count;
    struct upload items[UPLOADS_MAX]; /* the first `count` */
};

/* Whether there is anything to free. */
bool uploads_are_any(const struct uploads *uploads);

/* Whether one more upload may be begun. */
bool uploads_have_room(const struct uploads *uploads);

/* Takes over a begun one. Errors: BUSY (too many), NO_MEMORY; it stays the caller's then. */
enum status uploads_add(struct uploads *uploads, const struct upload *upload) MUST_CHECK;

/* NULL if there is none, or it has ended. Valid until the next add or reap. */
struct upload *uploads_find(struct uploads *uploads, uint64_t id);

/* Bytes sent so far in all; and the memory that they hold. */
uint64_t uploads_bytes(const struct uploads *uploads);
uint64_t uploads_memory(const struct uploads *uploads);

/* Whether one has ended, or was not used for UPLOADS_IDLE_MS. */
bool uploads_need_reap(const struct uploads *uploads, uint64_t now_ms);

/* Frees those. On an I/O thread. */
void uploads_reap(struct uploads *uploads, uint64_t now_ms);

/* Frees all; not the struct. On an I/O thread. */
void uploads_clear(struct uploads *uploads);

#endif
