/* process.h: what is said once to the operating system, before any thread starts. */
#ifndef KVD_SERVER_PROCESS_H
#define KVD_SERVER_PROCESS_H

#include <stdint.h>

/* Files for nobody else (umask 077), no SIGPIPE and no SIGXFSZ, libuv's memory through
 * memory.h, and as many descriptors as are allowed; returns how many. Before any other use of
 * libuv. */
uint64_t process_prepare(void);

#endif
