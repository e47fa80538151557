/* style.c: see style.h. */
#include "client/kvcli/style.h"

#include "client/kvcli/output.h"

#include <stdlib.h>
#include <string.h>

bool style_terminal(FILE *stream) {
    const char *term = getenv("TERM");

    return output_is_terminal(stream) && term && term[0] && strcmp(term, "dumb") != 0;
}

bool style_wanted(FILE *stream) {
    const char *no_color = getenv("NO_COLOR");

    return style_terminal(stream) && !(no_color && no_color[0]);
}
