/* SPDX-License-Identifier: Apache-2.0 */
/* One question to the engine from the command line, and what its answer means for the exit code. */
#ifndef PG_PLUGIN_CLI_ASK_H
#define PG_PLUGIN_CLI_ASK_H

#include "base/tree.h"
#include "plugin/cli/adhoc.h"
#include "plugin/cli/cli.h"
#include "plugin/message.h"

struct ask {
    const char *reference;
    const char *digest;           /* NULL = resolve */
    uint32_t flags;               /* enum request_flags */
    uint32_t deadline_ms;         /* 0 = the settings' */
    const struct adhoc *adhoc;    /* NULL = the node's policies */
    const char *username, *password, *token;
};

/*
 * Always fills ret (free with response_done). Returns whether the verdict is allow. The command line itself has no
 * network and parses nothing a registry said: what it gets is the judge's answer.
 */
bool ask_engine(const struct cli *cli, const struct ask *ask, struct response *ret);

/* EXIT_YES, EXIT_NO, or EXIT_UNDECIDED when the refusal says nothing about the image (no engine, no network, ...). */
enum exit_code ask_exit_code(const struct response *response);

/* The refusal on standard error: reference, reason, message, and what to do next. */
void ask_say_refusal(const struct cli *cli, const char *reference, const struct response *response);

/* What a person can do about a refusal; NULL when the message says it all. */
const char *ask_next_step(enum reason reason);

/* "30s", "2m" as milliseconds; BAD_REQUEST. */
bool ask_timeout(const char *text, uint32_t *ret_ms, struct error *err) MUST_CHECK;

#endif
