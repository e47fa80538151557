/* config.c: the configuration of a running server. */
#include "client/line_text.h"
#include "client/write.h"

#define TEXT_BYTES_MAX 4096 /* a longer text is cut, as kvd/config.h says */

static enum status ask(struct kvd *db, uint8_t action, const char *name, const char *value,
                       struct wire_response *response_out) {
    struct wire_request request = {.opcode = WIRE_CONFIG,
                                   .action = action,
                                   .payload = slice_from_text(name),
                                   .value = slice_from_text(value)};

    return write_call(db, &request, response_out);
}

enum kvd_status kvd_config_get(struct kvd *db, const char *prefix, kvd_setting_cb setting_cb,
                               void *arg) {
    struct wire_response response;
    struct wire_setting setting;
    char name[WIRE_NAME_BYTES_MAX + 1];
    char value[TEXT_BYTES_MAX];
    char default_value[TEXT_BYTES_MAX];
    char source[TEXT_BYTES_MAX];
    enum status status = ask(db, WIRE_CONFIG_GET, prefix ? prefix : "", "", &response);

    while (status == STATUS_OK && wire_response_next_setting(&response, &setting) == STATUS_OK) {
        const struct kvd_setting public = {
            .name = line_text(setting.name, name, sizeof name),
            .value = line_text(setting.value, value, sizeof value),
            .default_value = line_text(setting.default_value, default_value, sizeof default_value),
            .source = line_text(setting.source, source, sizeof source),
            .online = setting.online,
        };
        setting_cb(&public, arg);
    }
    return result_public(status);
}

enum kvd_status kvd_config_set(struct kvd *db, const char *name, const char *value) {
    struct wire_response response;

    return result_public(ask(db, WIRE_CONFIG_SET, name, value, &response));
}
