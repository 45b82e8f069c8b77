/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetchers that the resident engine keeps, with their connections and tokens. Each serves one registry, with those that
 * the policies of its images name as sources, and one set of credentials that callers brought along: a fetcher that is
 * broken into from one registry has nothing of others, but of those that take part in the same decision anyway.
 */
#ifndef PG_PLUGIN_ENGINE_POOL_H
#define PG_PLUGIN_ENGINE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "plugin/engine/fetcher.h"
#include "plugin/message.h"

enum {
    POOL_PLACES = 128,   /* on loan and idle: one for each worker */
    POOL_IDLE_MAX = 8,   /* the one that has been idle for longest makes room */
    POOL_LIFE_MS = 20 * 60 * 1000,
};

struct pool_place {
    struct fetcher fetcher;
    char *key; /* NULL = free place */
    uint64_t mark; /* of the files that its sandbox lets it read, as they were when it began */
    int64_t born_ms, idle_since_ms;
    bool on_loan;
    bool spent; /* on loan, and not to be lent again: it has ended, or is of older settings */
};

struct pool {
    struct pool_place places[POOL_PLACES];
};

void pool_init(struct pool *pool);
/*
 * Whom the request's fetcher serves, `sources` (judge_sources) included; NULL when that cannot be told, or nothing is
 * to be fetched. Owned.
 */
char *pool_key(const struct request *request, const struct names *sources);
/* Is this one of the registries that the fetcher of that key may be told secrets of? */
bool pool_key_names(const char *key, const char *host);
/*
 * An idle fetcher of that key, else a new one. NULL: the worker starts its own. One that was born before the resolver's
 * files were replaced is of no use: its Landlock rules are about the files as they were.
 */
struct pool_place *pool_lend(struct pool *pool, const char *key, const char *libexec, const struct sandbox *sandbox);
/* `fit`: it has answered all it was asked and may be lent again. */
void pool_take_back(struct pool *pool, struct pool_place *place, bool fit);
/* Stops idle fetchers: those that are too old, or all; then those on loan too, when they come back. */
void pool_stop(struct pool *pool, bool all);
/* A fetcher that ended by itself, and has been reaped, is forgotten; on loan, when it comes back. */
void pool_reaped(struct pool *pool, pid_t pid);

#endif
