/* command_config.c: CONFIG: the configuration, asked and changed. See command.h. */
#include "server/command.h"
#include "server/settings.h"

struct listing {
    struct buffer *answer;
    struct slice only; /* this key alone; empty: all that come */
    uint32_t count;
};

static enum status add_setting(void *arg, const struct setting *setting) {
    struct listing *listing = arg;
    const struct wire_setting entry = {.name = slice_from_text(setting->name),
                                       .value = slice_from_text(setting->value),
                                       .default_value = slice_from_text(setting->default_value),
                                       .source = slice_from_text(setting->source),
                                       .online = setting->online};
    enum status status = STATUS_OK;

    if (listing->only.len == 0 || slice_equal(listing->only, entry.name)) {
        status = wire_setting_entry(listing->answer, &entry);
        listing->count += status == STATUS_OK;
    }
    return status;
}

enum status command_config(struct read_context *context, const struct wire_request *request,
                           struct buffer *answer, struct error *error) {
    struct settings *settings = context->service->settings;
    struct listing listing = {.answer = answer};
    size_t mark;
    size_t list_mark;
    enum status status = STATUS_OK;

    if (!settings) {
        return STATUS_UNSUPPORTED; /* of a server without a configuration, as in tests */
    }
    if (request->action == WIRE_CONFIG_SET) {
        listing.only = request->payload;
        status = settings_set(settings, request->payload, request->value, error);
    }
    if (status == STATUS_OK) {
        status = wire_response_begin(answer, request->id, STATUS_OK, 0, &mark);
    }
    if (status == STATUS_OK) {
        status = wire_list_begin(answer, &list_mark);
    }
    if (status == STATUS_OK) {
        status = settings_each(settings, request->payload, add_setting, &listing);
    }
    if (status != STATUS_OK) {
        return status;
    }
    wire_list_finish(answer, list_mark, listing.count);
    return wire_response_finish(answer, mark);
}
