/* style.h: when to colour. Only on a terminal that can, and never with NO_COLOR. */
#ifndef KVCLI_STYLE_H
#define KVCLI_STYLE_H

#include <stdbool.h>
#include <stdio.h>

#define STYLE_BOLD "\033[1m"
#define STYLE_DIM "\033[2m"
#define STYLE_END "\033[0m"

/* Whether the stream is a terminal that moves its cursor and colours. */
bool style_terminal(FILE *stream);

/* Whether to colour there: a terminal, and no NO_COLOR in the environment. */
bool style_wanted(FILE *stream);

#endif
