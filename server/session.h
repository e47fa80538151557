/* session.h: what a connection has agreed on, and what it holds in the store. One loop's thread,
 * but for the uploads: see uploads.h. */
#ifndef KVD_SERVER_SESSION_H
#define KVD_SERVER_SESSION_H

#include "server/transactions.h"
#include "server/uploads.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_SNAPSHOTS_MAX 64u /* that end with the connection */
#define SESSION_NAME_BYTES_MAX 64 /* with NUL; a longer name is cut */
#define SESSION_PEER_BYTES_MAX 46 /* "address:port #number"; the longest are cut */

struct session {
    bool greeted;          /* HELLO was answered */
    uint32_t agreed;       /* flags that requests may carry */
    uint32_t early_frames; /* frames before HELLO */
    uint32_t snapshot_count;
    uint64_t snapshots[SESSION_SNAPSHOTS_MAX]; /* ids of those that end with the connection */
    uint64_t id;                               /* of the connection, from 1 on */
    char peer[SESSION_PEER_BYTES_MAX + 1];     /* who connected, for people */
    char name[SESSION_NAME_BYTES_MAX];         /* that HELLO gave, as plain text; or "" */
    char owner[STORE_OWNER_BYTES_MAX + 1];     /* of snapshots: the client's name and the peer */
    struct uploads *uploads;                   /* owned; NULL until the first is begun */
    struct transactions *transactions;         /* likewise */
    uint64_t transaction_ids;                  /* the next one to give */
    uint64_t stream;                           /* of its commits */
};

#endif
