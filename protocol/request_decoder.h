/* request_decoder.h: what the parts of the request decoder share; internal to protocol/.
 *
 *      request.c          the fields of each opcode
 *      request_option.c   flags, and the optional fields that they announce
 *      request_list.c     the lists of MGET, BATCH and TRANSACT
 *
 * Each function that takes something refuses with a status, a text and a detail, and leaves the
 * rest of the decode to its caller, which stops. Nothing allocates. */
#ifndef KVD_PROTOCOL_REQUEST_DECODER_H
#define KVD_PROTOCOL_REQUEST_DECODER_H

#include "protocol/request.h"

/* Where a decode stands: what is left of the body, and what was wrong. */
struct decoder {
    struct reader reader;
    const struct wire_limits *limits;
    struct wire_refusal *refusal;
};

static inline enum status decoder_refuse(struct decoder *decoder, enum status status,
                                         const char *text, uint64_t detail) {
    decoder->refusal->text = text;
    decoder->refusal->detail = detail;
    return status;
}

static inline enum status decoder_refuse_short(struct decoder *decoder) {
    return decoder_refuse(decoder, STATUS_PROTOCOL, "the body ends before its fields do", 0);
}

static inline struct slice decoder_take_rest(struct decoder *decoder) {
    struct slice rest = slice_make(decoder->reader.ptr, reader_left(&decoder->reader));

    decoder->reader.ptr = decoder->reader.end;
    return rest;
}

static inline enum status decoder_take_u64(struct decoder *decoder, uint64_t *value_out) {
    return reader_take_u64(&decoder->reader, value_out) ? STATUS_OK : decoder_refuse_short(decoder);
}

static inline enum status decoder_check_end(struct decoder *decoder) {
    if (reader_left(&decoder->reader) != 0) {
        return decoder_refuse(decoder, STATUS_PROTOCOL, "the body goes on behind its fields", 0);
    }
    return STATUS_OK;
}

static inline enum status decoder_check_key(struct decoder *decoder, struct slice key) {
    if (key.len == 0) {
        return decoder_refuse(decoder, STATUS_INVALID, "the key is empty", 0);
    }
    if (key.len > decoder->limits->key_max) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE, "the key is longer than key_max",
                              decoder->limits->key_max);
    }
    return STATUS_OK;
}

static inline enum status decoder_check_value(struct decoder *decoder, struct slice value) {
    if (value.len > decoder->limits->value_max) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE, "the value is longer than value_max",
                              decoder->limits->value_max);
    }
    return STATUS_OK;
}

static inline enum status decoder_check_bounds(struct decoder *decoder, struct slice from,
                                               struct slice to) {
    if (from.len > decoder->limits->key_max || to.len > decoder->limits->key_max) {
        return decoder_refuse(decoder, STATUS_TOO_LARGE,
                              "an end of the range is longer than key_max",
                              decoder->limits->key_max);
    }
    return STATUS_OK;
}

/* --- request_option.c */

/* Refuses flags that are not agreed, mean nothing for the opcode, or contradict each other. */
enum status decoder_check_flags(struct decoder *decoder, const struct wire_frame *frame,
                                uint32_t agreed) MUST_CHECK;

/* Takes the fields that options->flags announce. */
enum status decoder_take_options(struct decoder *decoder, struct wire_options *options) MUST_CHECK;

enum status decoder_take_ttl(struct decoder *decoder, uint64_t *ttl_ms_out) MUST_CHECK;
enum status decoder_take_expire_at(struct decoder *decoder, uint64_t *expire_at_ms_out) MUST_CHECK;
enum status decoder_take_condition(struct decoder *decoder, uint8_t *condition_out,
                                   uint64_t *version_out) MUST_CHECK;

/* --- request_list.c: they take all of the body, and name the element at fault. */

enum status decoder_take_keys(struct decoder *decoder, struct wire_list *list) MUST_CHECK;
enum status decoder_take_items(struct decoder *decoder, struct wire_list *list) MUST_CHECK;
enum status decoder_take_loaded(struct decoder *decoder, struct wire_list *list) MUST_CHECK;
enum status decoder_take_transact(struct decoder *decoder, struct wire_request *request) MUST_CHECK;

#endif
