/* async.h: struct kvd_async, the handle that never waits.
 *
 *      submit -> waiting (until HELLO is answered) -> send buffer -> kernel
 *                            ring of calls beside the ring of pending requests
 *      step:  receive -> answers, callbacks -> send -> time-outs -> losses
 *
 *      IDLE --submit--> CONNECTING --writable--> HELLO --answer--> OPEN
 *        ^--------------------------- loss, cancel -----------------'
 *
 * It is a struct kvd whose socket only these files touch, with a callback for each element of the
 * ring of pending.h. A loss marks every call with its end, and callbacks are called by the next
 * delivery: so a callback may submit, and its request belongs to the next connection. One thread.
 */
#ifndef KVD_CLIENT_ASYNC_H
#define KVD_CLIENT_ASYNC_H

#include "client/address.h"
#include "client/connection.h"

enum async_state {
    ASYNC_IDLE,
    ASYNC_CONNECTING, /* the socket is not writable yet */
    ASYNC_HELLO,      /* HELLO is not answered yet */
    ASYNC_OPEN,
    ASYNC_FAILED, /* the next step is to treat it as a loss */
};

struct async_call {
    kvd_result_cb result_cb; /* or NULL */
    void *arg;
    int64_t deadline_ms;
    enum status refusal; /* not OK: its end is known, and no answer is waited for */
    bool was_lost;       /* refusal is due to a lost connection */
};

struct kvd_async {
    /* constant after kvd_async_open */
    struct kvd *db;           /* owned; its scratch holds the requests that wait for HELLO */
    struct async_call *calls; /* owned; requests_max elements, indexed as db->pipeline counts */
    uint32_t requests_max;
    uint32_t bytes_max;
    struct address_targets targets;

    enum async_state state;
    size_t target;       /* the next one to try */
    int64_t ready_by_ms; /* until when HELLO has to be answered */
    uint32_t hello_id;
    size_t wanted;       /* bytes missing of the frame that is coming in */
    int retired_fd;      /* owned; open until the next step; or -1 */
    enum status failure; /* why FAILED, with its text in db->error */
    bool stepping;       /* callbacks may be on the stack */
    bool closing;        /* kvd_async_close was called */
    char lost_text[CONNECTION_ERROR_BYTES];
};

/* Queues a request, connecting if need be; copies what it borrows. Errors: as kvd_async_get. */
enum kvd_status async_submit(struct kvd_async *async, struct wire_request *request,
                             kvd_result_cb result_cb, void *arg);

#endif
