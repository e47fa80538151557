/* bench_socket.h: connected sockets for the benchmark, which keeps many at once without blocking.
 */
#ifndef KVCLI_BENCH_SOCKET_H
#define KVCLI_BENCH_SOCKET_H

#include "protocol/base/error.h"

/* Connects to HOST:PORT, [IPV6]:PORT or unix:PATH; the socket blocks, waits at most `timeout_ms`
 * for each call, and has TCP_NODELAY. Errors: INVALID (address), CONNECT. */
enum status bench_socket_connect(const char *address, uint64_t timeout_ms, int *fd_out,
                                 struct error *error) MUST_CHECK;

#endif
