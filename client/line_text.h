/* line_text.h: text from the wire as a C string. */
#ifndef KVD_CLIENT_LINE_TEXT_H
#define KVD_CLIENT_LINE_TEXT_H

#include "protocol/base/slice.h"

#include <string.h>

/* Copies `bytes` as a C string into `room`; what is longer is cut. Returns it. */
static inline const char *line_text(struct slice bytes, char *text, size_t room) {
    size_t len = bytes.len < room ? bytes.len : room - 1;

    if (len > 0) {
        memcpy(text, bytes.ptr, len);
    }
    text[len] = '\0';
    return text;
}

#endif
