/* SPDX-License-Identifier: Apache-2.0 */
/* Speaking to people: messages on standard error, colours on terminals only, text from outside made safe. */
#ifndef PG_PLUGIN_CLI_SAY_H
#define PG_PLUGIN_CLI_SAY_H

#include <stdio.h>

#include "base/attributes.h"
#include "base/span.h"
#include "plugin/cli/cli.h"

/* "pullguard COMMAND: ..." on standard error. */
void say_error(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* The error's own sentence, for a question that could not be answered. Returns EXIT_UNDECIDED. */
int say_failed(const struct cli *cli, const struct error *err);
/* What to do next, indented below an error. */
void say_hint(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

enum colour { COLOUR_GOOD, COLOUR_WARN, COLOUR_BAD, COLOUR_DIM, COLOUR_BOLD };
/* The text in that colour where standard output shows colours; the caller has made it safe. */
void say_coloured(const struct cli *cli, enum colour colour, const char *text);

/* Writes text that came from outside: control characters, line breaks and the like escaped, cut at max bytes. */
void say_clean(FILE *out, struct span text, size_t max);

/* Writes a JSON document and a line break. false (after a message) when the buffer failed. */
struct buf;
bool say_json(const struct cli *cli, const struct buf *json) MUST_CHECK;

#endif
