/* exposition.h: the figures of a server as text for Prometheus.
 *
 * Text format 0.0.4: for each name a line of HELP and of TYPE, then its samples. */
#ifndef KVD_SERVER_EXPOSITION_H
#define KVD_SERVER_EXPOSITION_H

#include "server/service.h"

/* Appends all of them to *text. Any thread. Errors: NO_MEMORY, TOO_LARGE. */
enum status exposition_write(const struct service *service, struct buffer *text) MUST_CHECK;

#endif
