/* decide.c: comparisons and a list for either outcome, in one request. */
#include "client/batch.h"
#include "client/record.h"
#include "client/write.h"

static enum status add_comparisons(struct kvd *db, const struct kvd_decision *decision) {
    enum status status = STATUS_OK;

    buffer_clear(&db->scratch);
    for (size_t i = 0; i < decision->comparison_count && status == STATUS_OK; i++) {
        const struct kvd_comparison *from = &decision->comparisons[i];
        const struct wire_comparison comparison = {
            .kind = (uint8_t)from->kind,
            .relation = (uint8_t)from->relation,
            .key = connection_slice(from->key),
            .version = from->version,
            .value = connection_slice(from->value),
        };
        status = wire_list_add_comparison(&db->scratch, &comparison);
    }
    return status == STATUS_OK ? STATUS_OK
                               : connection_fail(db, status, 0, "the comparisons are too long");
}

static struct wire_list list_of(const struct kvd_batch *batch) {
    struct wire_list list = {0};

    if (batch) {
        list.count = batch->count;
        list.bytes = buffer_slice(&batch->items);
    }
    return list;
}

static void tell_results(struct wire_response *response, const struct kvd_decided *decided) {
    struct wire_result from;

    for (uint32_t i = 0; wire_response_next_outcome(response, &from) == STATUS_OK; i++) {
        struct kvd_item_result result = {
            .has_number = from.kind == WIRE_RESULT_NUMBER,
            .number = from.number,
            .is_read = from.kind == WIRE_RESULT_FOUND || from.kind == WIRE_RESULT_ABSENT,
            .found = from.kind == WIRE_RESULT_FOUND,
            .meta = record_meta(&from.record),
            .value = kvd_bytes(from.value.ptr, from.value.len),
        };
        decided->result_cb(i, &result, decided->arg);
    }
}

enum kvd_status kvd_decide(struct kvd *db, const struct kvd_decision *decision,
                           const struct kvd_write_options *options, struct kvd_decided *decided) {
    struct wire_request request = connection_write_request(db, WIRE_TRANSACT, options);
    struct wire_response response;
    enum status status = connection_begin(db);

    if (status == STATUS_OK) {
        status = add_comparisons(db, decision);
    }
    if (status != STATUS_OK) {
        return result_public(status);
    }
    request.comparisons.count = (uint32_t)decision->comparison_count;
    request.comparisons.bytes = buffer_slice(&db->scratch);
    request.list = list_of(decision->if_held);
    request.other_list = list_of(decision->otherwise);
    status = connection_call(db, &request, &response);
    if (status != STATUS_OK) {
        return result_public(status);
    }
    decided->held = response.held;
    decided->version = response.version;
    if (decided->result_cb) {
        tell_results(&response, decided);
    }
    return KVD_OK;
}
