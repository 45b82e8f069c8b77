/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts, all made from the command tables, so that they cannot differ from what the parser takes. */
#include <string.h>

#include "base/encode.h"
#include "plugin/cli/cli.h"

enum { HELP_COLUMN = 34, HELP_WIDTH = 100 };

/* Prints words so that no line goes beyond HELP_WIDTH; the cursor stands in `column`, later lines start at `indent`. */
static void print_wrapped(FILE *out, const char *text, int column, int indent)
{
    bool first = true;

    while (*text != '\0') {
        int word = (int)strcspn(text, " ");

        if (!first && column + 1 + word > HELP_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        column += fprintf(out, "%s%.*s", first ? "" : " ", word, text);
        first = false;
        text += word;
        text += *text == ' ';
    }
    fprintf(out, "\n");
}

static void print_entry(FILE *out, const char *left, const char *text)
{
    int column = fprintf(out, "  %s", left);

    if (column >= HELP_COLUMN - 1) {
        fprintf(out, "\n%*s", HELP_COLUMN, "");
        column = HELP_COLUMN;
    } else {
        column += fprintf(out, "%*s", HELP_COLUMN - column, "");
    }
    print_wrapped(out, text, column, HELP_COLUMN);
}

static void print_option(FILE *out, const struct option_spec *option)
{
    char left[96];
    const char *value = option->value;

    if (option->letter != 0)
        snprintf(left, sizeof(left), "-%c, --%s%s%s", option->letter, option->name, value ? " " : "",
                 value ? value : "");
    else
        snprintf(left, sizeof(left), "    --%s%s%s", option->name, value ? " " : "", value ? value : "");
    print_entry(out, left, option->help);
}

static void print_common(FILE *out)
{
    fprintf(out, "\nOptions of every command:\n");
    print_entry(out, "    --root DIR", "take every file of pullguard from below DIR instead of /");
    print_entry(out, "    --json", "answer in JSON on standard output");
    print_entry(out, "-h, --help", "show this text");
    print_entry(out, "    --version", "show the version");
}

void help_command(FILE *out, const struct command *command)
{
    int column = fprintf(out, "Usage: pullguard %s ", command->name);

    print_wrapped(out, command->usage, column, 7);
    fprintf(out, "\n%s\n", command->details);
    if (command->option_count > 0)
        fprintf(out, "\nOptions:\n");
    for (size_t i = 0; i < command->option_count; i++)
        print_option(out, &command->options[i]);
    print_common(out);
}

void help_program(FILE *out)
{
    fprintf(out, "Usage: pullguard COMMAND [options] [arguments]\n\n"
                 "Verifies container images at the moment a node pulls them.\n\nCommands:\n");
    for (size_t i = 0; i < cli_command_count; i++)
        print_entry(out, cli_commands[i]->name, cli_commands[i]->summary);
    print_common(out);
    fprintf(out, "\nMore about a command: pullguard COMMAND --help. Manual: pullguard(1).\n");
}

bool help_group(FILE *out, const char *group)
{
    size_t len = strlen(group);
    bool any = false;

    for (size_t i = 0; i < cli_command_count; i++) {
        const char *name = cli_commands[i]->name;

        if (strncmp(name, group, len) != 0 || name[len] != ' ')
            continue;
        if (!any)
            fprintf(out, "Usage: pullguard %s COMMAND [options] [arguments]\n\nCommands:\n", group);
        any = true;
        print_entry(out, name, cli_commands[i]->summary);
    }
    return any;
}
