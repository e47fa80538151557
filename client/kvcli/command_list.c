/* command_list.c: the names of commands. See command_list.h. */
#include "client/kvcli/command_list.h"

#include <string.h>

static const char *const names[] = {
#define COMMAND_NAME(code, name, ...) #name,
    COMMAND_LIST(COMMAND_NAME)
#undef COMMAND_NAME
};

enum command command_find(const char *name) {
    enum command command = COMMAND_GET;

    while (command < COMMAND_NONE && strcmp(names[command], name) != 0) {
        command++;
    }
    return command;
}

const char *command_name(enum command command) {
    return command < COMMAND_NONE ? names[command] : "";
}
