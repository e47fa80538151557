/* client_list.h: who is connected, for people.
 *
 * Each connection has a record in the one list of the server. Its loop keeps the figures up to date
 * with plain stores, once a turn; anybody may copy them. The list itself, and names, are guarded by
 * a mutex, which is taken when a connection comes, says its name, or goes.
 *
 * A connection is closed on request by a mark on its record, which its loop finds at its next look
 * at the time. A list of NULL is none: nothing is kept. */
#ifndef KVD_SERVER_CLIENT_LIST_H
#define KVD_SERVER_CLIENT_LIST_H

#include "protocol/base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CLIENT_PEER_BYTES_MAX 48u /* with NUL, as of a session */
#define CLIENT_NAME_BYTES_MAX 64u /* with NUL, likewise */

/* What a connection's loop says of it. */
struct client_figures {
    uint64_t read_ms; /* when bytes last came; monotonic */
    uint64_t requests;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t queued_bytes; /* of answers that it has not taken */
    uint64_t memory_bytes; /* that it costs */
    uint32_t in_flight;    /* requests whose answer is not ready or not sent */
    uint32_t snapshots;    /* that end with it */
};

struct client_record {
    /* constant while in a list */
    uint64_t id;
    uint64_t opened_ms; /* monotonic */
    uint32_t loop;
    char peer[CLIENT_PEER_BYTES_MAX]; /* "127.0.0.1:4711" */
    /* of its loop */
    bool named;
    /* guarded by the list's mutex */
    struct client_record *next;
    struct client_record **link;
    char name[CLIENT_NAME_BYTES_MAX];
    /* relaxed: its loop writes */
    _Atomic uint64_t read_ms;
    _Atomic uint64_t requests;
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;
    _Atomic uint64_t queued_bytes;
    _Atomic uint64_t memory_bytes;
    _Atomic uint32_t in_flight;
    _Atomic uint32_t snapshots;
    /* relaxed: anybody sets it */
    atomic_bool to_close;
};

/* A copy of a record. */
struct client_view {
    uint64_t id;
    uint64_t opened_ms;
    uint32_t loop;
    char peer[CLIENT_PEER_BYTES_MAX];
    char name[CLIENT_NAME_BYTES_MAX];
    struct client_figures figures;
};

struct client_list;

/* Errors: NO_MEMORY. */
enum status client_list_create(struct client_list **list_out) MUST_CHECK;

/* It is empty. NULL is allowed. */
void client_list_destroy(struct client_list *list);

/* --- the connection's loop */

/* The record, whose constant fields are set and whose others are zeroed, is the list's until it is
 * removed. */
void client_list_add(struct client_list *list, struct client_record *record);
void client_list_remove(struct client_list *list, struct client_record *record);
void client_list_name(struct client_list *list, struct client_record *record, const char *name);

void client_record_update(struct client_record *record, const struct client_figures *figures);
bool client_record_to_close(const struct client_record *record);

/* --- any thread */

/* Copies all, by id; the caller frees *views_out. Errors: NO_MEMORY. */
enum status client_list_copy(struct client_list *list, struct client_view **views_out,
                             uint32_t *count_out) MUST_CHECK;

/* Marks a connection to be closed. Returns whether it is there. */
bool client_list_close(struct client_list *list, uint64_t id);

#endif
