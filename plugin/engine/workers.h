/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resident engine's state, and its workers: a fork for each request that memory has no answer to. A worker has a
 * fetcher on loan, and reports what is worth keeping before it ends.
 */
#ifndef PG_PLUGIN_ENGINE_WORKERS_H
#define PG_PLUGIN_ENGINE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugin/cache/memory.h"
#include "plugin/engine/arrival.h"
#include "plugin/engine/once.h"
#include "plugin/engine/pool.h"
#include "plugin/engine/replaced.h"
#include "plugin/engine/report.h"
#include "plugin/engine/rules.h"
#include "plugin/engine/sandbox.h"
#include "plugin/process.h"
#include "verifier/fetch/provider_cache.h"

enum {
    WORKERS_MAX = 128, /* beyond, requests wait in the socket's backlog; when that is full they get their own engine */
    ARRIVALS_MAX = 128,
};

struct worker {
    struct child child; /* pid 0 = free place */
    struct pool_place *fetcher;
    struct report_channel reports;
    int64_t until_ms;
};

struct resident {
    const struct engine_options *options;
    int listener, signals;
    struct program program; /* our own */
    pid_t pid;
    bool activated;
    bool stopping;
    bool crowded; /* callers wait that get no descriptor: looking at the listener would be turning in circles */
    struct rules rules;
    struct memory memory; /* of verdicts by these rules */
    struct provider_cache_store providers;
    struct sandbox sandbox;
    char *ca_dir, *ca_file;
    struct pool pool;
    struct arrival arrivals[ARRIVALS_MAX];
    struct worker workers[WORKERS_MAX];
    size_t working, arriving;
    int64_t idle_since_ms, watchdog_at_ms, log_slow_until_ms;
};

/* A worker for a request that is whole; the caller lets go of it then. False: there is no place for one now. */
bool workers_start(struct resident *resident, struct arrival *arrival) MUST_CHECK;
/* Takes what they have reported, without waiting. */
void workers_take_reports(struct resident *resident);
/* Reaps every child that has ended. Workers give their fetcher back; an idle fetcher that died is forgotten. */
void workers_reap(struct resident *resident);
/* Kills those that are long beyond their deadline. */
void workers_end_overdue(struct resident *resident);

#endif
