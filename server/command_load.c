/* command_load.c: BULK_LOAD: the steps of a bulk load, as jobs of its connection. See command.h.
 *
 * Each piece says how many entries came before it, and the commit how many there are: so a piece
 * that was dropped or refused on its way cannot be missing from what is committed. */
#include "server/command.h"
#include "server/fill.h"

#include "protocol/base/memory.h"

static enum status refuse(struct job_context *context, enum status status, const char *text,
                          uint64_t detail) {
    *context->refusal = (struct wire_refusal){text, WIRE_NO_ITEM, detail};
    return status;
}

static struct load *find(struct job_context *context) {
    struct load *load = *context->uploads ? &(*context->uploads)->load : NULL;

    if (!load || !load->store_bulk || load->ended) {
        (void)refuse(context, STATUS_NOT_FOUND, "this connection has no bulk load", 0);
        return NULL;
    }
    load->used_ms = context->now_ms;
    return load;
}

static enum status answer(struct job_context *context, const struct wire_request *request,
                          uint64_t version, uint64_t entries) {
    return wire_response_version_number(context->answer, request->id, version, entries);
}

/* ---- Begin */

static enum status have_room(struct job_context *context) {
    if (!*context->uploads) {
        *context->uploads = memory_alloc_zeroed(sizeof **context->uploads);
    }
    if (!*context->uploads) {
        return STATUS_NO_MEMORY;
    }
    return (*context->uploads)->load.store_bulk
               ? refuse(context, STATUS_BUSY, "this connection has a bulk load already", 0)
               : STATUS_OK;
}

static enum status begin(struct job_context *context, const struct wire_request *request,
                         struct error *error) {
    struct store_bulk *store_bulk;
    uint32_t namespace_id;
    enum status status = have_room(context);

    if (status == STATUS_OK) {
        status = fill_namespace(context->service, request, true, &namespace_id, context->refusal);
    }
    if (status == STATUS_OK) {
        status = store_bulk_begin(context->service->store, namespace_id, &store_bulk, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    (*context->uploads)->load = (struct load){.store_bulk = store_bulk, .used_ms = context->now_ms};
    return answer(context, request, 0, 0); /* without it the load ends unused */
}

/* ---- Data */

static struct store_bulk_entry entry_of(const struct service *service,
                                        const struct wire_item *item) {
    return (struct store_bulk_entry){
        .key = item->key,
        .value = item->value,
        .ttl_ms = fill_ttl(service, item->ttl_ms, item->expire_at_ms),
        .user_flags = item->user_flags,
        .has_checksum = (item->flags & WIRE_ITEM_CHECKSUM) != 0,
        .checksum = item->checksum,
    };
}

static enum status add_all(struct job_context *context, const struct wire_request *request,
                           struct store_bulk *store_bulk, struct error *error) {
    struct wire_list list = request->list;
    struct wire_item item;
    uint32_t number = 0;
    enum status status = wire_list_next_item(&list, &item);

    while (status == STATUS_OK) {
        struct store_bulk_entry entry = entry_of(context->service, &item);
        status = store_bulk_add(store_bulk, &entry, error);
        if (status != STATUS_OK) {
            context->refusal->item = number;
            return status;
        }
        number++;
        status = wire_list_next_item(&list, &item);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status check_entries(struct job_context *context, const struct wire_request *request,
                                 const struct load *load) {
    uint64_t entries = store_bulk_entries(load->store_bulk);

    return request->offset == entries
               ? STATUS_OK
               : refuse(context, STATUS_INVALID,
                        "the number of entries is not that of the entries so far", entries);
}

static enum status data(struct job_context *context, const struct wire_request *request,
                        struct load *load, struct error *error) {
    enum status status = check_entries(context, request, load);

    if (status != STATUS_OK) {
        return status;
    }
    status = add_all(context, request, load->store_bulk, error);
    load->ended = status != STATUS_OK;
    return status == STATUS_OK ? answer(context, request, 0, store_bulk_entries(load->store_bulk))
                               : status;
}

/* ---- Commit and abort */

static enum status commit(struct job_context *context, const struct wire_request *request,
                          struct load *load, struct error *error) {
    uint64_t entries = store_bulk_entries(load->store_bulk);
    uint64_t version;
    enum status status = check_entries(context, request, load);

    if (status != STATUS_OK) {
        return status;
    }
    load->ended = true;
    status = store_bulk_finish(load->store_bulk, &version, error);
    return status == STATUS_OK ? answer(context, request, version, entries) : status;
}

static enum status stop(struct job_context *context, const struct wire_request *request,
                        struct load *load) {
    load->ended = true;
    return answer(context, request, 0, store_bulk_entries(load->store_bulk));
}

/* The commit waits for others, which may need a thread of the I/O lane themselves. */
bool command_bulk_load_is_long(const struct wire_request *request) {
    return request->action == WIRE_LOAD_COMMIT;
}

enum status command_bulk_load(struct job_context *context, const struct wire_request *request,
                              struct error *error) {
    struct load *load;

    if (request->action == WIRE_LOAD_BEGIN) {
        return begin(context, request, error);
    }
    load = find(context);
    if (!load) {
        return STATUS_NOT_FOUND;
    }
    if (request->action == WIRE_LOAD_DATA) {
        return data(context, request, load, error);
    }
    return request->action == WIRE_LOAD_COMMIT ? commit(context, request, load, error)
                                               : stop(context, request, load);
}
