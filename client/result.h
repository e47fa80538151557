/* result.h: from the statuses inside to those of kvd.h. Any thread. */
#ifndef KVD_CLIENT_RESULT_H
#define KVD_CLIENT_RESULT_H

#include "protocol/base/status.h"

#include <kvd/kvd.h>

/* Statuses that no call of the library ends with become KVD_INTERNAL. */
enum kvd_status result_public(enum status status);

/* The way back. */
enum status result_inside(enum kvd_status number);

#endif
