/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/cli.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/tree.h"

enum { LIMIT_REPEATED_OPTION = 4096 };

static const struct option_spec common_options[] = {
    { "root", 0, OPTION_TEXT, "DIR", offsetof(struct cli, root), NULL },
    { "json", 0, OPTION_FLAG, NULL, offsetof(struct cli, json), NULL },
    { "help", 'h', OPTION_FLAG, NULL, offsetof(struct cli, help), NULL },
    { "version", 0, OPTION_FLAG, NULL, offsetof(struct cli, version), NULL },
};

void text_list_done(struct text_list *list)
{
    mem_free(list->items);
    *list = (struct text_list){ 0 };
}

static bool text_list_add(struct text_list *list, const char *text, struct error *err)
{
    if (!mem_grow(&list->items, &list->capacity, list->count, sizeof(*list->items), LIMIT_REPEATED_OPTION))
        return error_set(err, REASON_LIMIT, "more than %d arguments of one kind", LIMIT_REPEATED_OPTION);
    list->items[list->count++] = text;
    return true;
}

/* Where an option was found: in the command's table (values) or among the common ones (cli). */
struct found {
    const struct option_spec *spec;
    void *place;
};

static bool find_in(const struct option_spec *table, size_t count, void *values, struct span name, char letter,
                    struct found *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (letter != 0 ? table[i].letter != letter : !span_eq_str(name, table[i].name))
            continue;
        *ret = (struct found){ &table[i], (char *)values + table[i].offset };
        return true;
    }
    return false;
}

static bool find_option(const struct command *command, struct cli *cli, void *values, struct span name, char letter,
                        struct found *ret)
{
    if (command != NULL && find_in(command->options, command->option_count, values, name, letter, ret))
        return true;
    return find_in(common_options, ARRAY_LEN(common_options), cli, name, letter, ret);
}

static bool unknown_option(const struct command *command, const char *argument, struct span name, struct error *err)
{
    const char *known[64];
    size_t count = 0;
    char shown[80];
    const char *near;

    for (size_t i = 0; i < ARRAY_LEN(common_options); i++)
        known[count++] = common_options[i].name;
    for (size_t i = 0; command != NULL && i < command->option_count && count < ARRAY_LEN(known); i++)
        known[count++] = command->options[i].name;
    near = name_nearest(name, known, count);
    text_clean(span_str(argument), shown, sizeof(shown));
    if (near != NULL)
        return error_set(err, REASON_BAD_REQUEST, "unknown option %s; did you mean --%s?", shown, near);
    return error_set(err, REASON_BAD_REQUEST, "unknown option %s", shown);
}

static bool set_flag(const struct found *found, const char *value, struct error *err)
{
    bool *flag = found->place;

    if (value == NULL || strcmp(value, "true") == 0)
        *flag = true;
    else if (strcmp(value, "false") == 0)
        *flag = false;
    else
        return error_set(err, REASON_BAD_REQUEST, "--%s takes true or false, or nothing", found->spec->name);
    return true;
}

static bool set_value(const struct found *found, const char *value, struct error *err)
{
    if (found->spec->kind == OPTION_LIST)
        return text_list_add(found->place, value, err);
    *(const char **)found->place = value;
    return true;
}

/* One argument that starts with '-'; *index moves on when the value is the next argument. */
static bool take_option(const struct command *command, struct cli *cli, void *values, int argc, char *const *argv,
                        int *index, struct error *err)
{
    const char *argument = argv[*index];
    const char *value = NULL;
    struct span name = span_str("");
    struct found found;
    bool known;

    if (argument[1] == '-') {
        const char *equals = strchr(argument, '=');

        name = span_str(argument + 2);
        if (equals != NULL) {
            name.len = (size_t)(equals - argument) - 2;
            value = equals + 1;
        }
        known = find_option(command, cli, values, name, 0, &found);
    } else {
        known = find_option(command, cli, values, name, argument[1], &found);
        if (argument[2] != '\0')
            value = argument + 2 + (argument[2] == '=');
    }
    if (!known)
        return unknown_option(command, argument, name, err);
    if (found.spec->kind == OPTION_FLAG)
        return set_flag(&found, value, err);
    if (value == NULL) {
        if (*index + 1 >= argc)
            return error_set(err, REASON_BAD_REQUEST, "--%s needs a value (%s)", found.spec->name, found.spec->value);
        value = argv[++*index];
    }
    return set_value(&found, value, err);
}

static bool check_count(const struct command *command, const struct cli *cli, size_t count, struct error *err)
{
    if (command == NULL || cli->help || cli->version)
        return true;
    if (count < command->min_args)
        return error_set(err, REASON_BAD_REQUEST, "an argument is missing; usage: pullguard %s %s", command->name,
                         command->usage);
    if (count > command->max_args)
        return error_set(err, REASON_BAD_REQUEST, "too many arguments; usage: pullguard %s %s", command->name,
                         command->usage);
    return true;
}

bool options_parse(const struct command *command, struct cli *cli, void *values, int argc, char *const *argv,
                   struct text_list *ret_args, struct error *err)
{
    bool only_arguments = false;

    for (int i = 0; i < argc; i++) {
        if (only_arguments || argv[i][0] != '-' || argv[i][1] == '\0') {
            if (!text_list_add(ret_args, argv[i], err))
                return false;
        } else if (strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (!take_option(command, cli, values, argc, argv, &i, err)) {
            return false;
        }
    }
    return check_count(command, cli, ret_args->count, err);
}

void options_done(const struct command *command, void *values)
{
    for (size_t i = 0; i < command->option_count; i++)
        if (command->options[i].kind == OPTION_LIST)
            text_list_done((struct text_list *)(void *)((char *)values + command->options[i].offset));
}
