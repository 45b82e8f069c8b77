/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook's inside: asks the resident engine when its socket answers, otherwise starts an engine for this one request.
 * libc only; no threads; leaves no child and no descriptor behind. The command line and the adapters use it too.
 */
#ifndef PG_PLUGIN_CLIENT_H
#define PG_PLUGIN_CLIENT_H

#include <stdbool.h>

#include "plugin/message.h"

struct client_options {
    const char *root;      /* --root DIR; NULL = "" */
    bool own_engine;       /* never the resident one (ad-hoc policies, verify) */
    bool resident_only;    /* never start one */
    const char *libexec;   /* where the engine program is; NULL = as configured. For tests of a build tree */
};

/* Without a deadline in the request: below containerd's 10 s, so that the reason is ours and not "signal: killed". */
enum { CLIENT_DEADLINE_MS = 8000 };

/*
 * Always fills ret (a deny with its reason when anything fails: UNAVAILABLE, TIMEOUT, MALFORMED, ...). Returns
 * verdict_is_allow(ret->verdict). Free ret with response_done.
 */
bool client_ask(const struct client_options *options, const struct request *request, struct response *ret);

#endif
