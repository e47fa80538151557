/* response_entry.c: the server's half of response.h: elements of lists to bytes, whole or not at
 * all.
 */
#include "protocol/response.h"

#include "protocol/base/assert.h"

#define HISTORY_DELETED 1u
#define SETTING_ONLINE 1u

/* Collects the first failure, so that a run of appends reads as the format does. */
struct entry {
    struct buffer *buffer;
    size_t mark;
    enum status status;
};

static struct entry entry_begin(struct buffer *buffer) {
    return (struct entry){buffer, buffer_mark(buffer), STATUS_OK};
}

static enum status entry_end(struct entry *entry) {
    if (entry->status != STATUS_OK) {
        buffer_rollback(entry->buffer, entry->mark);
    }
    return entry->status;
}

static void put_u8(struct entry *entry, uint8_t value) {
    if (entry->status == STATUS_OK) {
        entry->status = buffer_append_u8(entry->buffer, value);
    }
}

static void put_u16(struct entry *entry, uint16_t value) {
    if (entry->status == STATUS_OK) {
        entry->status = buffer_append_u16(entry->buffer, value);
    }
}

static void put_u32(struct entry *entry, uint32_t value) {
    if (entry->status == STATUS_OK) {
        entry->status = buffer_append_u32(entry->buffer, value);
    }
}

static void put_u64(struct entry *entry, uint64_t value) {
    if (entry->status == STATUS_OK) {
        entry->status = buffer_append_u64(entry->buffer, value);
    }
}

static void put_block(struct entry *entry, struct slice bytes) {
    if (entry->status == STATUS_OK) {
        entry->status = buffer_append_varint(entry->buffer, bytes.len);
    }
    if (entry->status == STATUS_OK && bytes.len > 0) {
        entry->status = buffer_append(entry->buffer, bytes.ptr, bytes.len);
    }
}

static void put_record(struct entry *entry, const struct wire_record *record) {
    put_u64(entry, record->version);
    put_u64(entry, record->expires_at_ms);
    put_u64(entry, record->value_len);
    put_u32(entry, record->user_flags);
}

enum status wire_stats_entry(struct buffer *buffer, struct slice name, struct slice value) {
    struct entry entry = entry_begin(buffer);

    put_block(&entry, name);
    put_block(&entry, value);
    return entry_end(&entry);
}

enum status wire_holder_entry(struct buffer *buffer, const struct wire_holder *holder) {
    struct entry entry = entry_begin(buffer);

    put_block(&entry, holder->kind);
    put_block(&entry, holder->holder);
    put_u64(&entry, holder->bytes);
    return entry_end(&entry);
}

enum status wire_version_entry(struct buffer *buffer, const struct wire_version *version) {
    struct entry entry = entry_begin(buffer);

    put_u64(&entry, version->version);
    put_u64(&entry, version->time_ms);
    put_u8(&entry, version->deleted ? HISTORY_DELETED : 0);
    if (!version->deleted) {
        put_record(&entry, &version->record);
    }
    return entry_end(&entry);
}

enum status wire_change_entry(struct buffer *buffer, const struct wire_change *change) {
    struct entry entry = entry_begin(buffer);

    ASSERT(change->kind >= WIRE_CHANGE_ADDED);
    ASSERT(change->kind <= WIRE_CHANGE_REMOVED);
    put_u8(&entry, change->kind);
    put_block(&entry, change->key);
    if (change->kind != WIRE_CHANGE_ADDED) {
        put_record(&entry, &change->before);
    }
    if (change->kind != WIRE_CHANGE_REMOVED) {
        put_record(&entry, &change->after);
    }
    return entry_end(&entry);
}

enum status wire_snapshot_entry(struct buffer *buffer, const struct wire_snapshot *snapshot) {
    struct entry entry = entry_begin(buffer);

    put_u64(&entry, snapshot->id);
    put_u64(&entry, snapshot->version);
    put_u64(&entry, snapshot->time_ms);
    put_u64(&entry, snapshot->opened_ms);
    put_u64(&entry, snapshot->deadline_ms);
    put_block(&entry, snapshot->owner);
    return entry_end(&entry);
}

enum status wire_namespace_entry(struct buffer *buffer, const struct wire_namespace *space) {
    struct entry entry = entry_begin(buffer);

    put_block(&entry, space->name);
    put_u32(&entry, space->id);
    put_u64(&entry, space->settings.quota_bytes);
    put_u64(&entry, space->settings.keep_ms);
    put_u32(&entry, space->settings.keep_versions);
    put_u64(&entry, space->keys);
    put_u64(&entry, space->live_bytes);
    put_u64(&entry, space->pinned_bytes);
    return entry_end(&entry);
}

enum status wire_slow_entry(struct buffer *buffer, const struct wire_slow *slow) {
    struct entry entry = entry_begin(buffer);

    put_u64(&entry, slow->number);
    put_u64(&entry, slow->time_ms);
    put_u64(&entry, slow->client);
    put_u32(&entry, slow->id);
    put_u16(&entry, slow->opcode);
    put_u32(&entry, slow->beside);
    put_u64(&entry, slow->total_us);
    for (size_t i = 0; i < WIRE_PHASES; i++) {
        put_u64(&entry, slow->phase_us[i]);
    }
    put_u64(&entry, slow->request_bytes);
    put_u64(&entry, slow->key_len);
    put_block(&entry, slow->key);
    put_block(&entry, slow->peer);
    put_block(&entry, slow->name);
    return entry_end(&entry);
}

enum status wire_client_entry(struct buffer *buffer, const struct wire_client *client) {
    struct entry entry = entry_begin(buffer);

    put_u64(&entry, client->id);
    put_u64(&entry, client->age_ms);
    put_u64(&entry, client->idle_ms);
    put_u64(&entry, client->requests);
    put_u64(&entry, client->bytes_in);
    put_u64(&entry, client->bytes_out);
    put_u64(&entry, client->queued_bytes);
    put_u64(&entry, client->memory_bytes);
    put_u32(&entry, client->in_flight);
    put_u32(&entry, client->snapshots);
    put_u32(&entry, client->loop);
    put_block(&entry, client->peer);
    put_block(&entry, client->name);
    return entry_end(&entry);
}

enum status wire_hot_key_entry(struct buffer *buffer, const struct wire_hot_key *hot) {
    struct entry entry = entry_begin(buffer);

    put_block(&entry, hot->space);
    put_u64(&entry, hot->key_len);
    put_block(&entry, hot->key);
    put_u64(&entry, hot->reads);
    put_u64(&entry, hot->writes);
    return entry_end(&entry);
}

enum status wire_setting_entry(struct buffer *buffer, const struct wire_setting *setting) {
    struct entry entry = entry_begin(buffer);

    put_block(&entry, setting->name);
    put_block(&entry, setting->value);
    put_block(&entry, setting->default_value);
    put_block(&entry, setting->source);
    put_u8(&entry, setting->online ? SETTING_ONLINE : 0);
    return entry_end(&entry);
}
