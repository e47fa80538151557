/* read_wait.h: whether a read may wait for the disk. A loop thread never may; an I/O thread or a
 * background job may. */
#ifndef KVD_STORAGE_READ_WAIT_H
#define KVD_STORAGE_READ_WAIT_H

enum read_wait {
    READ_WAIT_NEVER,  /* answer from memory or WOULD_BLOCK, without side effects */
    READ_WAIT_ALLOWED /* read from the disk if need be */
};

#endif
