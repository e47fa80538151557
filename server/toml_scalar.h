/* toml_scalar.h: the values of TOML that are written without quotes: numbers, booleans, dates,
 * times. Pure: a token in, a value out. */
#ifndef KVD_SERVER_TOML_SCALAR_H
#define KVD_SERVER_TOML_SCALAR_H

#include "server/toml_value.h"

/* A number of more characters than this says nothing that a shorter one does not. */
#define TOML_TOKEN_BYTES_MAX 128

/* Reads the whole token and sets type and content of *value_out. On INVALID, *reason_out is what
 * was expected, in static storage. */
enum status toml_scalar_parse(struct slice token, struct toml_value *value_out,
                              const char **reason_out) MUST_CHECK;

/* Whether the token is a date alone, after which a space may announce a time. */
bool toml_scalar_is_date(struct slice token);

#endif
