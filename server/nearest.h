/* nearest.h: how far a mistyped name is from a known one. Pure. */
#ifndef KVD_SERVER_NEAREST_H
#define KVD_SERVER_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* Names of more bytes are near to nothing. */
#define NEAREST_NAME_MAX 63

/* Single characters to insert, delete, replace, or swap with their neighbour, to make one of the
 * other; SIZE_MAX if one is longer than NEAREST_NAME_MAX. */
size_t nearest_distance(const char *a, const char *b);

/* Whether a name that is so far from `name` may be what was meant: up to a third of its length, and
 * two in a short one. */
bool nearest_is_near(const char *name, size_t distance);

#endif
