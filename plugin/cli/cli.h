/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line's frame: what every sub-command is made of. A command is a table of options, texts for people and
 * one function. The command line is an adapter like the others: it has no network, and what it prints about an image
 * comes from the engine's answer.
 */
#ifndef PG_PLUGIN_CLI_CLI_H
#define PG_PLUGIN_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

/* Exit codes of everything but doctor (which has its own, doctor.h). They stand in pullguard(1). */
enum exit_code {
    EXIT_YES = 0,       /* allowed, verified, clean, done */
    EXIT_NO = 1,        /* denied, not verified, not clean */
    EXIT_UNDECIDED = 2, /* wrong usage, or the question could not be answered */
};

/* The options that every command has, and what the terminal can do. */
struct cli {
    const char *root; /* --root; "" when not given */
    bool json;        /* --json */
    bool help;
    bool version;
    bool colour;      /* standard output is a terminal that shows colours */
    bool colour_err;  /* standard error likewise */
    const char *command; /* name of the running command, for messages */
};

struct text_list {
    const char **items; /* owned array of borrowed arguments */
    size_t count, capacity;
};
void text_list_done(struct text_list *list);

enum option_kind {
    OPTION_FLAG, /* bool; --name, --name=true, --name=false */
    OPTION_TEXT, /* const char *; the last one counts */
    OPTION_LIST, /* struct text_list; may be repeated */
};

struct option_spec {
    const char *name;
    char letter;            /* 0 = none */
    enum option_kind kind;
    const char *value;      /* what the value is called in the help: "FILE" */
    size_t offset;          /* of the member in the command's values */
    const char *help;
};

enum { ARGS_ANY = 1 << 20 };

struct command {
    const char *name;       /* "verify", "policy lint" */
    const char *usage;      /* what follows the name: "[options] REF..." */
    const char *summary;    /* one line for the list of commands */
    const char *details;    /* paragraphs for --help */
    const struct option_spec *options;
    size_t option_count;
    size_t values_size;     /* bytes of the struct that `options` fill; 0 = no options */
    size_t min_args, max_args;
    int (*run)(const struct cli *cli, const void *values, const struct text_list *args);
};

/* All commands, in the order of the help. */
extern const struct command *const cli_commands[];
extern const size_t cli_command_count;

/*
 * Reads a command's options and arguments. `values` is the command's zeroed struct of values_size bytes. Lists in it
 * are freed with options_done. Error: BAD_REQUEST, a sentence naming the argument.
 */
bool options_parse(const struct command *command, struct cli *cli, void *values, int argc, char *const *argv,
                   struct text_list *ret_args, struct error *err) MUST_CHECK;
void options_done(const struct command *command, void *values);

/* Help texts. */
void help_program(FILE *out);
void help_command(FILE *out, const struct command *command);
bool help_group(FILE *out, const char *group); /* "policy": lists its sub-commands; false when there are none */

/* A command's options and the struct that they fill: one cannot be given without the other. */
#define OPTIONS(table, values) .options = (table), .option_count = ARRAY_LEN(table), .values_size = sizeof(values)

#endif
