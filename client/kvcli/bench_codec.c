/* bench_codec.c: the codecs by name. See bench_codec.h. */
#include "client/kvcli/bench_codec.h"

#include <string.h>

const struct bench_codec *bench_codec_find(const char *name) {
    static const struct bench_codec *const codecs[] = {&bench_codec_kvd, &bench_codec_redis,
                                                       &bench_codec_echo};

    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (strcmp(codecs[i]->name, name) == 0) {
            return codecs[i];
        }
    }
    return NULL;
}
