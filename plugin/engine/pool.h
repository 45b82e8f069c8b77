/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetchers that the resident engine keeps, with their connections and tokens. Each serves one registry, and one set of
 * credentials that callers brought along: a fetcher that is broken into from one registry has nothing of another's.
 */
#ifndef PG_PLUGIN_ENGINE_POOL_H
#define PG_PLUGIN_ENGINE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "plugin/engine/fetcher.h"
#include "plugin/message.h"

enum {
    POOL_PLACES = 128,   /* on loan and idle: one for each worker */
    POOL_IDLE_MAX = 8,   /* the one that has been idle for longest makes room */
    POOL_LIFE_MS = 20 * 60 * 1000, /* a fetcher's sandbox knows the resolver's files as they were when it began */
};

struct pool_place {
    struct fetcher fetcher;
    char *key; /* NULL = free place */
    int64_t born_ms, idle_since_ms;
    bool on_loan;
};

struct pool {
    struct pool_place places[POOL_PLACES];
};

void pool_init(struct pool *pool);
/* Whom the request's fetcher serves; NULL when that cannot be told, or nothing is to be fetched. Owned. */
char *pool_key(const struct request *request);
/* An idle fetcher of that key, else a new one. NULL: the worker starts its own. */
struct pool_place *pool_lend(struct pool *pool, const char *key, const char *libexec, const struct sandbox *sandbox);
/* `fit`: it has answered all it was asked and may be lent again. */
void pool_take_back(struct pool *pool, struct pool_place *place, bool fit);
/* Stops idle fetchers: those that are too old, or all. */
void pool_stop(struct pool *pool, bool all);
/* An idle fetcher that ended by itself is forgotten. It has been reaped. */
void pool_reaped(struct pool *pool, pid_t pid);

#endif
