/* command_list.c: what the list says of each command. See command_list.h. */
#include "client/kvcli/command_list.h"

#include <string.h>

static const struct command_text texts[] = {
#define COMMAND_TEXT(code, name, arguments, min, max, summary)                                     \
    {#name, arguments, summary, min, max},
    COMMAND_LIST(COMMAND_TEXT)
#undef COMMAND_TEXT
};

enum command command_find(const char *name) {
    enum command command = COMMAND_GET;

    while (command < COMMAND_NONE && strcmp(texts[command].name, name) != 0) {
        command++;
    }
    return command;
}

const char *command_name(enum command command) {
    return command < COMMAND_NONE ? texts[command].name : "";
}

const struct command_text *command_text(enum command command) {
    return &texts[command];
}

bool command_takes_keys(enum command command) {
    return strstr(texts[command].arguments, "KEY") || strstr(texts[command].arguments, "PREFIX");
}
