/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of one request: reads it from the socket, decides, records, answers, ends. */
#ifndef PG_PLUGIN_ENGINE_ONCE_H
#define PG_PLUGIN_ENGINE_ONCE_H

#include "base/error.h"
#include "plugin/engine/fetcher.h"
#include "plugin/engine/load.h"
#include "plugin/engine/verdicts.h"

struct engine_options {
    const char *root;    /* "" = none */
    const char *libexec; /* where pullguard-fetch is; NULL = as configured */
};

/* The process's exit status: 0 when an answer was given, whatever it says. */
int engine_once(const struct engine_options *options, int socket);

enum { REQUEST_ARRIVES_MS = 5000 }; /* the hook has written it before we run */

/* What a resident engine's worker starts with. */
struct engine_preloaded {
    const struct engine_config *config; /* NULL: it does not load; the deny says error */
    const struct error *error;
    const struct sandbox *sandbox;
    const char *problem; /* files changed and do not load any more, config is the last good set; NULL = none */
    struct fetcher *fetcher;            /* on loan; NULL = none */
    const char *fetcher_key;            /* of the pool: whom it serves */
    struct request *request;            /* as it arrived; taken over */
    int64_t began_us;                   /* when it began to */
    struct verdicts_kept kept;
    struct provider_cache_store *providers; /* taken over */
};

/* What became of the fetcher. */
enum { WORKER_FETCHER_CLEAN = 0, WORKER_FETCHER_BROKEN = 3, WORKER_FETCHER_UNTOUCHED = 4 };

/*
 * The same with everything loaded: for a fork of the resident engine. Answers, closes the socket, tidies up, returns
 * the process's exit status.
 */
int engine_worker(const struct engine_options *options, int socket, const struct engine_preloaded *preloaded);

/* What needs no worker: records a response that is there already, and sends it without waiting for the caller. */
void engine_reply(const struct engine_options *options, const struct settings *settings, const struct request *request,
                  int64_t began_us, int socket, struct response *response);

#endif
