/* session.h: what a connection has agreed on. One loop's thread. */
#ifndef KVD_SERVER_SESSION_H
#define KVD_SERVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

struct session {
    bool greeted;          /* HELLO was answered */
    uint32_t agreed;       /* flags that requests may carry */
    uint32_t early_frames; /* frames before HELLO */
};

#endif
