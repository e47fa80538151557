/* command_completion.c: what bash and zsh need to complete kvcli's command line, from the lists of
 * commands and options. */
#include "client/kvcli/cli.h"
#include "client/kvcli/command.h"

#include <stdio.h>
#include <string.h>

/* Whether arguments, or an option's value, are names of files. */
static bool names_files(const char *text) {
    return strstr(text, "SOURCE") || strstr(text, "TARGET") || strstr(text, "DIRECTORY") ||
           strstr(text, "PATH") || strstr(text, "FILE");
}

/* "open | close ID | list" as "open close list"; nothing for arguments in capitals. */
static void print_subcommands(const char *arguments) {
    while (arguments[0] >= 'a' && arguments[0] <= 'z') {
        const char *bar = strchr(arguments, '|');
        printf(" %.*s", (int)strcspn(arguments, " "), arguments);
        arguments = bar ? bar + 2 : "";
    }
}

static void print_commands(void) {
    for (size_t i = 0; i < COMMAND_NONE; i++) {
        printf(" %s", command_name((enum command)i));
    }
}

static void print_options(enum command command) {
    struct option_text option;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options_text(i, command, &option)) {
            printf(" --%s", option.name);
        }
    }
}

/* --- options with a value, as the patterns of a `case` --- */

enum value_group { VALUE_NONE, VALUE_DURABILITY, VALUE_FILE, VALUE_OTHER };

static enum value_group group_of(const struct option_text *option) {
    if (!option->value_name) {
        return VALUE_NONE;
    }
    if (option->kind == OPTION_DURABILITY) {
        return VALUE_DURABILITY;
    }
    return names_files(option->value_name) ? VALUE_FILE : VALUE_OTHER;
}

/* Prints "command:--name|command:-n) what ;;" for the options of the group, if there are any. */
static void print_value_cases(enum command command, enum value_group group, const char *what) {
    const char *name = command_name(command);
    const char *between = "    ";
    struct option_text option;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!options_text(i, command, &option) || group_of(&option) != group) {
            continue;
        }
        printf("%s%s:--%s", between, name, option.name);
        between = "|";
        if (option.letter) {
            printf("|%s:-%c", name, option.letter);
        }
    }
    if (between[0] == '|') {
        printf(") %s ;;\n", what);
    }
}

static void print_all_value_cases(enum command command) {
    print_value_cases(command, VALUE_DURABILITY, "values='memory logged synced' kind=values");
    print_value_cases(command, VALUE_FILE, "kind=files");
    print_value_cases(command, VALUE_OTHER, "kind=nothing");
}

/* Finds the command in `words`; `first` is the index of the program's name. */
static void print_find_command(const char *words, const char *at, int first) {
    printf("    local command='' kind='' values='' options='' i\n"
           "    for ((i = %d; i < %s; i++)); do\n"
           "        case \"${%s[i]}\" in\n        ",
           first + 1, at, words);
    for (size_t i = 0, any = 0; i < OPTION_COUNT; i++) {
        struct option_text option;
        if (options_text(i, COMMAND_NONE, &option) && option.value_name) {
            printf("%s--%s", any++ ? "|" : "", option.name);
            if (option.letter) {
                printf("|-%c", option.letter);
            }
        }
    }
    printf(") ((i++)) ;;\n        -*) ;;\n        *) command=\"${%s[i]}\"; break ;;\n"
           "        esac\n    done\n",
           words);
}

/* Sets what the command takes: options, and the kind of its arguments. */
static void print_command_cases(void) {
    fputs("    case \"$command\" in\n    '') kind=values values='", stdout);
    print_commands();
    fputs("' options='", stdout);
    print_options(COMMAND_NONE);
    puts("' ;;");
    for (size_t i = 0; i < COMMAND_NONE; i++) {
        const char *arguments = command_text((enum command)i)->arguments;
        printf("    %s) kind=%s values='", command_name((enum command)i),
               names_files(arguments) ? "files" : "values");
        if (i == COMMAND_HELP) {
            print_commands();
        } else {
            print_subcommands(arguments);
        }
        fputs("' options='", stdout);
        print_options((enum command)i);
        puts("' ;;");
    }
    puts("    esac");
}

static void print_before_cases(const char *before) {
    printf("    case \"$command:%s\" in\n", before);
    print_all_value_cases(COMMAND_NONE);
    for (size_t i = 0; i < COMMAND_NONE; i++) {
        print_all_value_cases((enum command)i);
    }
    puts("    esac");
}

static void print_bash(void) {
    puts("# bash completion of kvcli; made by `kvcli completion bash`.\n_kvcli() {\n"
         "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"");
    print_find_command("COMP_WORDS", "COMP_CWORD", 0);
    print_command_cases();
    print_before_cases("$before");
    puts("    COMPREPLY=()\n"
         "    case \"$kind:$word\" in\n"
         "    nothing:*) ;;\n"
         "    values:-*|files:-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    files:*)\n"
         "        compopt -o filenames 2>/dev/null\n"
         "        local IFS=$'\\n'\n"
         "        COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
         "    values:*) COMPREPLY=($(compgen -W \"$values\" -- \"$word\")) ;;\n"
         "    esac\n"
         "}\n"
         "complete -F _kvcli kvcli");
}

static void print_zsh(void) {
    puts("#compdef kvcli\n# zsh completion of kvcli; made by `kvcli completion zsh`.\n_kvcli() {\n"
         "    local word=\"${words[CURRENT]}\" before=\"${words[CURRENT-1]}\"");
    print_find_command("words", "CURRENT", 1);
    print_command_cases();
    print_before_cases("$before");
    puts("    case \"$kind:$word\" in\n"
         "    nothing:*) ;;\n"
         "    values:-*|files:-*) compadd -- ${=options} ;;\n"
         "    files:*) _files ;;\n"
         "    values:*) compadd -- ${=values} ;;\n"
         "    esac\n"
         "}\n"
         "if [ \"$funcstack[1]\" = _kvcli ]; then\n"
         "    _kvcli \"$@\"\n"
         "else\n"
         "    compdef _kvcli kvcli\n"
         "fi");
}

int command_completion(struct cli *cli) {
    const char *shell = cli->options->arguments[0];

    if (strcmp(shell, "bash") == 0) {
        print_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        print_zsh();
    } else {
        return cli_fail(CLI_USAGE, "no completion for '%s'; there is one for bash and one for zsh",
                        shell);
    }
    return cli_finish_output();
}
