/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard policy lint: do the documents load, and do they mean what their author thinks? No network. */
#include <string.h>

#include "base/json_out.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/policies.h"
#include "plugin/cli/say.h"
#include "plugin/engine/settings.h"

enum { LINT_JSON_MAX_BYTES = 64 * 1024 * 1024 };

struct lint_values {
    const char *keys;
    const char *trust;
    bool strict;
};

struct lint {
    const struct cli *cli;
    struct policy_source source;
    struct policy_set *set; /* the files that load */
    struct json_out *json;  /* NULL = text */
    size_t errors, warnings;
};

static void lint_error(struct lint *lint, const char *file, const char *text)
{
    lint->errors++;
    if (lint->json != NULL) {
        json_open_map(lint->json, NULL);
        json_put_str(lint->json, "file", file);
        json_put_str(lint->json, "message", text);
        json_close_map(lint->json);
        return;
    }
    say_coloured(lint->cli, COLOUR_BAD, "error");
    printf(": %s\n", text);
}

/*
 * A file is first loaded alone, so that its own mistakes are told whatever the others hold; then together with the
 * others, which finds names that are used twice.
 */
static void lint_file(struct lint *lint, const char *path)
{
    CLEANUP(policy_set_freep) struct policy_set *alone = policy_set_new();
    struct error err = ERROR_INIT;

    if (alone == NULL)
        error_oom(&err);
    else if (policies_add(alone, path, &lint->source, &err) && policies_add(lint->set, path, &lint->source, &err))
        return;
    lint_error(lint, path, err.text);
}

/* The node's settings decide beside its policies. */
static void lint_settings(struct lint *lint)
{
    CLEANUP(settings_done) struct settings settings = { 0 };
    CLEANUP(mem_freep) char *path = path_under(lint->cli->root, PG_CONFDIR "/pullguard.yaml");
    struct error err = ERROR_INIT;

    if (!settings_load(lint->cli->root, &settings, &err))
        lint_error(lint, path != NULL ? path : PG_CONFDIR "/pullguard.yaml", err.text);
}

/* A policy whose file has the wrong name looks as if it were in force. */
static void lint_unread(struct lint *lint, const struct text_list *args)
{
    CLEANUP(names_free) struct names unread = { 0 };
    struct error ignored = ERROR_INIT;

    if (lint->json != NULL)
        json_open_list(lint->json, "unread");
    if (!policies_unread(lint->cli->root, args, &unread, &ignored))
        names_free(&unread); /* the directory went away meanwhile */
    for (size_t i = 0; i < unread.count; i++) {
        if (lint->json != NULL) {
            json_put_str(lint->json, NULL, unread.items[i]);
            continue;
        }
        say_coloured(lint->cli, COLOUR_DIM, "note");
        fputs(": ", stdout);
        say_clean(stdout, span_str(unread.items[i]), 1000);
        printf(" is not read: its name ends in neither .yaml, .yml nor .json\n");
    }
    if (lint->json != NULL)
        json_close_list(lint->json);
}

static void print_warning(struct lint *lint, const struct policy_warning *warning)
{
    if (lint->json == NULL) {
        say_coloured(lint->cli, COLOUR_WARN, "warning");
        printf(": %s:%u:%u: %s\n", warning->file, warning->line, warning->column, warning->text);
        return;
    }
    json_open_map(lint->json, NULL);
    json_put_str(lint->json, "file", warning->file);
    json_put_int(lint->json, "line", warning->line);
    json_put_int(lint->json, "column", warning->column);
    json_put_str(lint->json, "message", warning->text);
    json_close_map(lint->json);
}

static void lint_warnings(struct lint *lint)
{
    CLEANUP(policy_warnings_done) struct policy_warnings warnings = { 0 };
    struct error err = ERROR_INIT;

    if (lint->json != NULL)
        json_open_list(lint->json, "warnings");
    if (!policy_lint(lint->set, &warnings, &err)) {
        lint->errors++;
        say_error(lint->cli, "%s", err.text);
    }
    for (size_t i = 0; i < warnings.count; i++)
        print_warning(lint, &warnings.items[i]);
    lint->warnings = warnings.count;
    if (lint->json != NULL)
        json_close_list(lint->json);
}

static void lint_files(struct lint *lint, const struct text_list *args, const struct names *files)
{
    if (lint->json != NULL) {
        json_open_map(lint->json, NULL);
        json_open_list(lint->json, "errors");
    }
    if (args->count == 0)
        lint_settings(lint);
    for (size_t i = 0; i < files->count; i++)
        lint_file(lint, files->items[i]);
    if (lint->json != NULL)
        json_close_list(lint->json);
    lint_warnings(lint);
    lint_unread(lint, args);
}

static int lint_summary(struct lint *lint, const struct names *files, struct buf *json, bool strict)
{
    int code = lint->errors > 0 || (strict && lint->warnings > 0) ? EXIT_NO : EXIT_YES;

    if (lint->json == NULL) {
        printf("%zu file%s, %zu polic%s, %zu error%s, %zu warning%s\n", files->count, files->count == 1 ? "" : "s",
               policy_set_count(lint->set), policy_set_count(lint->set) == 1 ? "y" : "ies", lint->errors,
               lint->errors == 1 ? "" : "s", lint->warnings, lint->warnings == 1 ? "" : "s");
        return code;
    }
    json_put_int(lint->json, "files", (int64_t)files->count);
    json_put_int(lint->json, "policies", (int64_t)policy_set_count(lint->set));
    json_close_map(lint->json);
    return say_json(lint->cli, json) ? code : EXIT_UNDECIDED;
}

static int lint_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct lint_values *values = values_;
    CLEANUP(policies_places_done) struct policies_places places = { 0 };
    CLEANUP(names_free) struct names files = { 0 };
    CLEANUP(policy_set_freep) struct policy_set *set = policy_set_new();
    CLEANUP(buf_free) struct buf json = BUF_INIT(LINT_JSON_MAX_BYTES);
    struct json_out out = json_out_to(&json);
    struct lint lint = { .cli = cli, .set = set, .json = cli->json ? &out : NULL };
    struct error err = ERROR_INIT;

    if (set == NULL) {
        say_error(cli, "out of memory");
        return EXIT_UNDECIDED;
    }
    if (!policies_places_init(&places, cli->root, values->keys, values->trust,
                              args->count == 0 ? FILE_TRUSTED : FILE_ANY, &err) ||
        !policies_find(cli->root, args, &files, &err))
        return say_failed(cli, &err);
    if (files.count == 0) {
        say_error(cli, "no *.yaml, *.yml or *.json file there: such a node refuses every image, or lets every image "
                       "through, as no-match in pullguard.yaml says");
        return EXIT_UNDECIDED;
    }
    lint.source = policies_source(&places);
    lint_files(&lint, args, &files);
    return lint_summary(&lint, &files, &json, values->strict);
}

#define LINT_OPTION(name, kind, value, member, help)                                                                   \
    {                                                                                                                  \
        name, 0, kind, value, offsetof(struct lint_values, member), help                                               \
    }

static const struct option_spec options[] = {
    LINT_OPTION("keys", OPTION_TEXT, "DIR", keys, "directory of the key files that policies name"),
    LINT_OPTION("trust", OPTION_TEXT, "DIR", trust, "directory of the trust roots that policies name"),
    LINT_OPTION("strict", OPTION_FLAG, NULL, strict, "warnings count as errors for the exit status"),
};

const struct command command_policy_lint = {
    .name = "policy lint",
    .usage = "[options] [FILE|DIR]...",
    .summary = "check policy files: what does not load, what cannot match",
    .details =
        "Loads policy files exactly as the engine does and reports each error with file, line, column and the path\n"
        "of the field, and warns about documents that load and are probably not meant so. Without arguments the\n"
        "node's own policy.d and settings are checked, owners and modes included. No network.\n\n"
        "Exit status: 0 clean (or warnings only), 1 errors, 2 nothing could be checked.",
    OPTIONS(options, struct lint_values),
    .min_args = 0,
    .max_args = ARGS_ANY,
    .run = lint_run,
};
