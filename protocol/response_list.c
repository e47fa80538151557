/* response_list.c: elements of the lists in responses, checked once, then walked where they lie. */
#include "protocol/response_decoder.h"

#define HISTORY_DELETED 1u
#define SETTING_ONLINE 1u

bool decoder_take_record(struct reader *reader, uint32_t flags, struct wire_record *record) {
    *record = (struct wire_record){0};
    if (!reader_take_u64(reader, &record->version) ||
        !reader_take_u64(reader, &record->expires_at_ms) ||
        !reader_take_u64(reader, &record->value_len) ||
        !reader_take_u32(reader, &record->user_flags)) {
        return false;
    }
    record->has_checksum = (flags & WIRE_FLAG_CHECKSUM) != 0;
    return !record->has_checksum || reader_take_u64(reader, &record->checksum);
}

static bool take_value(struct reader *reader, const struct wire_record *record,
                       struct slice *value) {
    return record->value_len <= reader_left(reader) &&
           reader_take_bytes(reader, (size_t)record->value_len, value);
}

static bool take_mget_entry(struct reader *reader, uint32_t flags, struct wire_entry *entry) {
    uint16_t number;

    if (!reader_take_u16(reader, &number) ||
        wire_status_from_number(number, &entry->status) != STATUS_OK) {
        return false;
    }
    if (entry->status == STATUS_OK) {
        return decoder_take_record(reader, flags, &entry->record) &&
               take_value(reader, &entry->record, &entry->value);
    }
    return entry->status == STATUS_NOT_FOUND || reader_take_block(reader, &entry->text);
}

static bool take_scan_entry(struct reader *reader, uint32_t flags, bool no_value,
                            struct wire_entry *entry) {
    entry->status = STATUS_OK;
    if (!reader_take_block(reader, &entry->key) || entry->key.len == 0 ||
        !decoder_take_record(reader, flags, &entry->record)) {
        return false;
    }
    return no_value || take_value(reader, &entry->record, &entry->value);
}

static bool take_stat(struct reader *reader, struct slice *name, struct slice *value) {
    struct reader saved = *reader;

    if (reader_take_block(reader, name) && reader_take_block(reader, value)) {
        return true;
    }
    *reader = saved;
    return false;
}

static bool take_holder(struct reader *reader, struct wire_holder *holder) {
    return reader_take_block(reader, &holder->kind) && reader_take_block(reader, &holder->holder) &&
           reader_take_u64(reader, &holder->bytes);
}

static bool take_version(struct reader *reader, struct wire_version *version) {
    uint8_t flags;

    if (!reader_take_u64(reader, &version->version) ||
        !reader_take_u64(reader, &version->time_ms) || !reader_take_u8(reader, &flags) ||
        flags > HISTORY_DELETED) {
        return false;
    }
    version->deleted = flags == HISTORY_DELETED;
    return version->deleted || decoder_take_record(reader, 0, &version->record);
}

static bool take_change(struct reader *reader, struct wire_change *change) {
    if (!reader_take_u8(reader, &change->kind) || change->kind < WIRE_CHANGE_ADDED ||
        change->kind > WIRE_CHANGE_REMOVED || !reader_take_block(reader, &change->key) ||
        change->key.len == 0) {
        return false;
    }
    if (change->kind != WIRE_CHANGE_ADDED && !decoder_take_record(reader, 0, &change->before)) {
        return false;
    }
    return change->kind == WIRE_CHANGE_REMOVED || decoder_take_record(reader, 0, &change->after);
}

static bool take_snapshot(struct reader *reader, struct wire_snapshot *snapshot) {
    return reader_take_u64(reader, &snapshot->id) && reader_take_u64(reader, &snapshot->version) &&
           reader_take_u64(reader, &snapshot->time_ms) &&
           reader_take_u64(reader, &snapshot->opened_ms) &&
           reader_take_u64(reader, &snapshot->deadline_ms) &&
           reader_take_block(reader, &snapshot->owner);
}

static bool take_namespace(struct reader *reader, struct wire_namespace *space) {
    return reader_take_block(reader, &space->name) && reader_take_u32(reader, &space->id) &&
           reader_take_u64(reader, &space->settings.quota_bytes) &&
           reader_take_u64(reader, &space->settings.keep_ms) &&
           reader_take_u32(reader, &space->settings.keep_versions) &&
           reader_take_u64(reader, &space->keys) && reader_take_u64(reader, &space->live_bytes) &&
           reader_take_u64(reader, &space->pinned_bytes);
}

static bool take_setting(struct reader *reader, struct wire_setting *setting) {
    uint8_t flags;

    if (!reader_take_block(reader, &setting->name) || !reader_take_block(reader, &setting->value) ||
        !reader_take_block(reader, &setting->default_value) ||
        !reader_take_block(reader, &setting->source) || !reader_take_u8(reader, &flags) ||
        flags > SETTING_ONLINE) {
        return false;
    }
    setting->online = flags == SETTING_ONLINE;
    return true;
}

static bool take_result(struct reader *reader, uint32_t flags, struct wire_result *result) {
    uint64_t number;

    if (!reader_take_u8(reader, &result->kind) || result->kind > WIRE_RESULT_ABSENT) {
        return false;
    }
    if (result->kind == WIRE_RESULT_NUMBER) {
        bool taken = reader_take_u64(reader, &number);
        result->number = taken ? (int64_t)number : 0;
        return taken;
    }
    return result->kind != WIRE_RESULT_FOUND ||
           (decoder_take_record(reader, flags, &result->record) &&
            take_value(reader, &result->record, &result->value));
}

static bool take_slow(struct reader *reader, struct wire_slow *slow) {
    bool whole = reader_take_u64(reader, &slow->number) &&
                 reader_take_u64(reader, &slow->time_ms) &&
                 reader_take_u64(reader, &slow->client) && reader_take_u32(reader, &slow->id) &&
                 reader_take_u16(reader, &slow->opcode) && reader_take_u32(reader, &slow->beside) &&
                 reader_take_u64(reader, &slow->total_us);

    for (size_t i = 0; i < WIRE_PHASES; i++) {
        whole = whole && reader_take_u64(reader, &slow->phase_us[i]);
    }
    return whole && reader_take_u64(reader, &slow->request_bytes) &&
           reader_take_u64(reader, &slow->key_len) && reader_take_block(reader, &slow->key) &&
           reader_take_block(reader, &slow->peer) && reader_take_block(reader, &slow->name);
}

static bool take_client(struct reader *reader, struct wire_client *client) {
    return reader_take_u64(reader, &client->id) && reader_take_u64(reader, &client->age_ms) &&
           reader_take_u64(reader, &client->idle_ms) &&
           reader_take_u64(reader, &client->requests) &&
           reader_take_u64(reader, &client->bytes_in) &&
           reader_take_u64(reader, &client->bytes_out) &&
           reader_take_u64(reader, &client->queued_bytes) &&
           reader_take_u64(reader, &client->memory_bytes) &&
           reader_take_u32(reader, &client->in_flight) &&
           reader_take_u32(reader, &client->snapshots) && reader_take_u32(reader, &client->loop) &&
           reader_take_block(reader, &client->peer) && reader_take_block(reader, &client->name);
}

static bool take_hot_key(struct reader *reader, struct wire_hot_key *hot) {
    return reader_take_block(reader, &hot->space) && reader_take_u64(reader, &hot->key_len) &&
           reader_take_block(reader, &hot->key) && reader_take_u64(reader, &hot->reads) &&
           reader_take_u64(reader, &hot->writes);
}

/* One element of any list: which field is filled depends on the opcode. */
union element {
    struct wire_entry entry;
    struct wire_holder holder;
    struct wire_version version;
    struct wire_change change;
    struct wire_feed_change feed_change;
    struct wire_snapshot snapshot;
    struct wire_namespace space;
    struct wire_setting setting;
    struct wire_result outcome;
    struct wire_slow slow;
    struct wire_client client;
    struct wire_hot_key hot;
    struct {
        struct slice name;
        struct slice value;
    } stat;
    uint64_t result;
};

/* `is_last`: it is the last one of the list. */
static bool take_element(struct reader *reader, const struct wire_response *response, bool is_last,
                         union element *element) {
    switch (response->opcode) {
    case WIRE_MGET:
        return take_mget_entry(reader, response->flags, &element->entry);
    case WIRE_SCAN:
        return take_scan_entry(reader, response->flags,
                               response->keys_only || (is_last && response->page.last_bare),
                               &element->entry);
    case WIRE_HISTORY:
        return take_version(reader, &element->version);
    case WIRE_DIFF:
        return take_change(reader, &element->change);
    case WIRE_FEED:
        return decoder_take_feed_change(reader, response->flags, &element->feed_change);
    case WIRE_WHY:
        return take_holder(reader, &element->holder);
    case WIRE_SNAPSHOT_LIST:
        return take_snapshot(reader, &element->snapshot);
    case WIRE_NAMESPACE_LIST:
        return take_namespace(reader, &element->space);
    case WIRE_CONFIG:
        return take_setting(reader, &element->setting);
    case WIRE_BATCH:
        return reader_take_u64(reader, &element->result);
    case WIRE_TRANSACT:
        return take_result(reader, response->flags, &element->outcome);
    case WIRE_SLOWLOG:
        return take_slow(reader, &element->slow);
    case WIRE_CLIENTS:
        return take_client(reader, &element->client);
    case WIRE_HOTKEYS:
        return take_hot_key(reader, &element->hot);
    default: /* STATS, EXPLAIN, MAINTAIN */
        return take_stat(reader, &element->stat.name, &element->stat.value);
    }
}

bool decoder_skip_list(struct reader *reader, struct wire_response *response) {
    uint32_t count = decoder_list_of(response)->count;

    for (uint32_t i = 0; i < count; i++) {
        union element element;
        memset(&element, 0, sizeof element);
        if (!take_element(reader, response, i + 1 == count, &element)) {
            return false;
        }
    }
    return true;
}

/* Takes the next element of the response's list. */
static enum status next_element(struct wire_response *response, union element *element) {
    struct wire_list *list = decoder_list_of(response);
    struct reader reader;

    if (list->count == 0) {
        return STATUS_END;
    }
    reader = reader_make(list->bytes);
    memset(element, 0, sizeof *element);
    if (!take_element(&reader, response, list->count == 1, element)) {
        return STATUS_PROTOCOL;
    }
    list->count--;
    list->bytes = decoder_take_rest(&reader);
    return STATUS_OK;
}

enum status wire_response_next_entry(struct wire_response *response, struct wire_entry *entry_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *entry_out = element.entry;
    }
    return status;
}

enum status wire_response_next_stat(struct wire_response *response, struct slice *name_out,
                                    struct slice *value_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *name_out = element.stat.name;
        *value_out = element.stat.value;
    }
    return status;
}

enum status wire_response_next_result(struct wire_response *response, int64_t *result_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *result_out = (int64_t)element.result;
    }
    return status;
}

enum status wire_response_next_outcome(struct wire_response *response,
                                       struct wire_result *result_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *result_out = element.outcome;
    }
    return status;
}

enum status wire_response_next_version(struct wire_response *response,
                                       struct wire_version *version_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *version_out = element.version;
    }
    return status;
}

enum status wire_response_next_change(struct wire_response *response,
                                      struct wire_change *change_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *change_out = element.change;
    }
    return status;
}

enum status wire_response_next_feed_change(struct wire_response *response,
                                           struct wire_feed_change *change_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *change_out = element.feed_change;
    }
    return status;
}

enum status wire_response_next_holder(struct wire_response *response,
                                      struct wire_holder *holder_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *holder_out = element.holder;
    }
    return status;
}

enum status wire_response_next_snapshot(struct wire_response *response,
                                        struct wire_snapshot *snapshot_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *snapshot_out = element.snapshot;
    }
    return status;
}

enum status wire_response_next_namespace(struct wire_response *response,
                                         struct wire_namespace *space_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *space_out = element.space;
    }
    return status;
}

enum status wire_response_next_slow(struct wire_response *response, struct wire_slow *slow_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *slow_out = element.slow;
    }
    return status;
}

enum status wire_response_next_client(struct wire_response *response,
                                      struct wire_client *client_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *client_out = element.client;
    }
    return status;
}

enum status wire_response_next_hot_key(struct wire_response *response,
                                       struct wire_hot_key *hot_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *hot_out = element.hot;
    }
    return status;
}

enum status wire_response_next_setting(struct wire_response *response,
                                       struct wire_setting *setting_out) {
    union element element;
    enum status status = next_element(response, &element);

    if (status == STATUS_OK) {
        *setting_out = element.setting;
    }
    return status;
}
