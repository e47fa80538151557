/* metrics_http.h: what is to be known about the server, over HTTP, for monitoring.
 *
 *      GET /metrics    the figures as text for Prometheus (docs/metrics.md)
 *      GET /healthz    200 "ok"; 503 and why not: a failure that stopped writes or background
 *                      work, or the server is stopping
 *
 * libmicrohttpd serves it from a thread of its own, at most METRICS_HTTP_CONNECTIONS_MAX clients at
 * a time (others wait to be accepted), each for at most METRICS_HTTP_IDLE_S seconds of silence:
 * nothing here makes requests of the protocol wait. */
#ifndef KVD_SERVER_METRICS_HTTP_H
#define KVD_SERVER_METRICS_HTTP_H

#include "server/service.h"

#define METRICS_HTTP_CONNECTIONS_MAX 16u
#define METRICS_HTTP_IDLE_S 15u

struct metrics_http;

/* Serves on an address of config_address.h (no Unix socket) until it is destroyed; `service`, with
 * an open store, is borrowed so long. Says on the log where. Errors: LOCKED (somebody else listens
 * there), DENIED, IO, NO_MEMORY, with detail. */
enum status metrics_http_create(const char *address, const struct service *service,
                                struct metrics_http **http_out, struct error *error) MUST_CHECK;

/* That it is bound to. */
uint16_t metrics_http_port(const struct metrics_http *http);

/* From now on the server is not healthy: it stops. */
void metrics_http_stopping(struct metrics_http *http);

/* Ends its thread and frees it; NULL is allowed. */
void metrics_http_destroy(struct metrics_http *http);

#endif
