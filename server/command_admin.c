/* command_admin.c: HELLO, PING and STATS. See command.h. */
#include "server/command.h"

#include "server/stats.h"

#include <inttypes.h>
#include <stdio.h>

#ifndef KVD_VERSION
#define KVD_VERSION "unknown"
#endif

#define CLIENT_NAME_SHOWN_MAX 16u /* of the name: the peer must fit beside it */

_Static_assert(CLIENT_NAME_SHOWN_MAX + 1 + SESSION_PEER_BYTES_MAX <= STORE_OWNER_BYTES_MAX,
               "an owner's name and peer fit");

_Static_assert((int)WIRE_DURABILITY_LOGGED - (int)WIRE_DURABILITY_MEMORY ==
                   (int)STORE_LOGGED - (int)STORE_MEMORY,
               "classes of durability are ordered alike");

/* The client's name, as far as it is plain text; and how its snapshots are signed: with a short
 * form of it, and where it is. */
static void sign(struct session *session, struct slice name) {
    size_t len = name.len < sizeof session->name ? name.len : sizeof session->name - 1;

    for (size_t i = 0; i < len; i++) {
        bool plain = name.ptr[i] > ' ' && name.ptr[i] < 0x7F;
        session->name[i] = plain ? (char)name.ptr[i] : '_';
    }
    session->name[len] = '\0';
    snprintf(session->owner, sizeof session->owner, "%.*s%s%s", (int)CLIENT_NAME_SHOWN_MAX,
             session->name, len > 0 ? " " : "", session->peer);
}

enum status command_hello(const struct service *service, struct session *session,
                          const struct wire_request *request, struct buffer *answer,
                          struct wire_refusal *refusal_out) {
    struct wire_hello hello = {
        .version = WIRE_VERSION,
        .features = request->features & SERVICE_FLAGS,
        .limits = service->limits.wire,
        .server_name = slice_from_text("kvd " KVD_VERSION),
    };
    enum status status;

    hello.limits.durability =
        (uint8_t)((int)service_durability(service) + (int)WIRE_DURABILITY_MEMORY);
    if (request->version_min > WIRE_VERSION || request->version_max < WIRE_VERSION) {
        refusal_out->text = "this server speaks protocol version 1 only";
        refusal_out->detail = WIRE_VERSION;
        return STATUS_UNSUPPORTED;
    }
    if (session->greeted) {
        refusal_out->text = "HELLO was answered already";
        return STATUS_INVALID;
    }
    status = wire_response_hello(answer, request->id, &hello);
    if (status == STATUS_OK) {
        session->greeted = true;
        session->agreed = (uint32_t)hello.features;
        sign(session, request->payload);
    }
    return status;
}

enum status command_ping(const struct service *service, struct session *session,
                         const struct wire_request *request, struct buffer *answer,
                         struct wire_refusal *refusal_out) {
    (void)service;
    (void)session;
    (void)refusal_out;
    return wire_response_ping(answer, request->id, request->payload);
}

/* ---- STATS: lines "server.NAME" and "storage.NAME" */

struct report {
    struct buffer *answer;
    struct slice section; /* only names that begin with it; empty for all */
    uint32_t lines;
    enum status status; /* the first failure */
};

static void report_line(void *arg, const char *name, uint64_t value) {
    struct report *report = arg;
    struct slice text = slice_from_text(name);
    char number[24];

    snprintf(number, sizeof number, "%" PRIu64, value);
    if (report->status == STATUS_OK && slice_has_prefix(text, report->section)) {
        report->status = wire_stats_entry(report->answer, text, slice_from_text(number));
        report->lines += report->status == STATUS_OK;
    }
}

enum status command_stats(struct read_context *context, const struct wire_request *request,
                          struct buffer *answer, struct error *error) {
    struct report report = {.answer = answer, .section = request->payload, .status = STATUS_OK};
    size_t mark;
    size_t list_mark;
    enum status status = wire_response_begin(answer, request->id, STATUS_OK, 0, &mark);

    (void)error;
    if (status == STATUS_OK) {
        status = wire_list_begin(answer, &list_mark);
    }
    if (status != STATUS_OK) {
        return status;
    }
    stats_each(context->service, report_line, &report);
    if (report.status != STATUS_OK || (report.lines == 0 && report.section.len > 0)) {
        return report.status != STATUS_OK ? report.status : STATUS_NOT_FOUND;
    }
    wire_list_finish(answer, list_mark, report.lines);
    return wire_response_finish(answer, mark);
}
