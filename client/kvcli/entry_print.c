/* entry_print.c: see entry_print.h. */
#include "client/kvcli/entry_print.h"

#include "client/kvcli/cli.h"
#include "client/kvcli/output.h"
#include "client/kvcli/text.h"

#include <inttypes.h>
#include <string.h>

void entry_print_value(const struct options *options, struct kvd_bytes key, struct kvd_bytes value,
                       const struct kvd_meta *meta) {
    if (options->json) {
        putchar('{');
        output_json_bytes(stdout, "key", key);
        putchar(',');
        output_json_bytes(stdout, "value", value);
        output_json_meta(stdout, meta);
        puts("}");
    } else if (output_is_terminal(stdout)) {
        output_escaped(stdout, value);
        putchar('\n');
    } else {
        output_raw(stdout, value);
    }
}

void entry_print_part(const struct options *options, struct kvd_bytes key, uint64_t offset,
                      struct kvd_bytes bytes) {
    if (!options->json) {
        output_raw(stdout, bytes);
        return;
    }
    putchar('{');
    output_json_bytes(stdout, "key", key);
    printf(",\"offset\":%" PRIu64 ",", offset);
    output_json_bytes(stdout, "value", bytes);
    puts("}");
}

/* "0-99" or "100-": from, and how many. */
int entry_parse_range(const char *text, uint64_t *offset_out, uint64_t *length_out) {
    char first[24];
    const char *dash = strchr(text, '-');
    size_t len = dash ? (size_t)(dash - text) : 0;
    uint64_t last = UINT64_MAX - 1;

    if (!dash || len >= sizeof first) {
        return cli_fail(CLI_USAGE, "--range is FROM-TO, such as 0-99, or FROM-");
    }
    memcpy(first, text, len);
    first[len] = '\0';
    if (text_parse_number(first, offset_out) != STATUS_OK ||
        (dash[1] && text_parse_number(dash + 1, &last) != STATUS_OK) || last < *offset_out) {
        return cli_fail(CLI_USAGE, "--range is FROM-TO, such as 0-99, or FROM-");
    }
    *length_out = last - *offset_out + 1;
    return CLI_DONE;
}

void entry_print_meta(const struct options *options, struct kvd_bytes key,
                      const struct kvd_meta *meta) {
    if (options->json) {
        putchar('{');
        output_json_bytes(stdout, "key", key);
        output_json_meta(stdout, meta);
        puts("}");
        return;
    }
    printf("version\t%" PRIu64 "\nlength\t%" PRIu64 "\nexpires_at_ms\t%" PRIu64 "\nflags\t%" PRIu32
           "\n",
           meta->version, meta->value_len, meta->expires_at_ms, meta->user_flags);
    if (meta->has_checksum) {
        printf("checksum\t%016" PRIx64 "\n", meta->checksum);
    }
}

void entry_print_exists(const struct options *options, struct kvd_bytes key, bool exists,
                        uint64_t version) {
    if (options->json) {
        putchar('{');
        output_json_bytes(stdout, "key", key);
        printf(",\"exists\":%s,\"version\":%" PRIu64 "}\n", exists ? "true" : "false", version);
    }
}

void entry_print_scanned(const struct options *options, const struct kvd_entry *entry) {
    bool values = !options->keys_only;

    if (options->json) {
        putchar('{');
        output_json_bytes(stdout, "key", entry->key);
        if (values) {
            putchar(',');
            output_json_bytes(stdout, "value", entry->value);
        }
        output_json_meta(stdout, &entry->meta);
        puts("}");
        return;
    }
    output_escaped(stdout, entry->key);
    if (values) {
        putchar('\t');
        output_escaped(stdout, entry->value);
    }
    putchar('\n');
}

void entry_print_count(const struct options *options, uint64_t count) {
    printf(options->json ? "{\"count\":%" PRIu64 "}\n" : "%" PRIu64 "\n", count);
}

int entry_print_answer(const struct options *options, struct kvd_bytes key,
                       const struct kvd_value *value) {
    struct kvd_bytes bytes = kvd_bytes(value->data, (size_t)value->meta.value_len);
    bool found = value->status == KVD_OK;

    if (!found && !(options->json && value->status == KVD_NOT_FOUND)) {
        return cli_fail_status(key, value->status, NULL);
    }
    if (!options->json) {
        output_escaped(stdout, key);
        putchar('\t');
        output_escaped(stdout, bytes);
        putchar('\n');
        return CLI_DONE;
    }
    putchar('{');
    output_json_bytes(stdout, "key", key);
    printf(",\"found\":%s", found ? "true" : "false");
    if (found) {
        putchar(',');
        output_json_bytes(stdout, "value", bytes);
        output_json_meta(stdout, &value->meta);
    }
    puts("}");
    return (int)cli_exit_of(value->status);
}
