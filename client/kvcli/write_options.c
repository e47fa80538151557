/* write_options.c: options of writes. See write_options.h. */
#include "client/kvcli/write_options.h"

#include "client/kvcli/cli.h"

static enum kvd_condition condition_of(const struct options *options) {
    if (OPTIONS_GIVEN(options, if_version)) {
        return KVD_IF_VERSION;
    }
    if (options->if_absent) {
        return KVD_IF_ABSENT;
    }
    return options->if_present ? KVD_IF_PRESENT : KVD_IF_ANY;
}

int write_options_from(const struct options *options, struct kvd_write_options *write_out) {
    int conditions = options->if_absent + options->if_present + OPTIONS_GIVEN(options, if_version);

    if (conditions > 1) {
        return cli_fail(CLI_USAGE, "give one of --if-absent, --if-present and --if-version");
    }
    if (OPTIONS_GIVEN(options, ttl_ms) && options->ttl_ms == 0) {
        return cli_fail(CLI_USAGE, "--ttl needs a time above 0");
    }
    if (options->user_flags > UINT32_MAX) {
        return cli_fail(CLI_USAGE, "--flags needs a number below 4294967296");
    }
    *write_out = (struct kvd_write_options){
        .condition = condition_of(options),
        .version = options->if_version,
        .ttl_ms = options->ttl_ms,
        .user_flags = (uint32_t)options->user_flags,
        .durability = options->durability,
        .transaction = options->transaction,
        .checksum = true,
    };
    return CLI_DONE;
}
