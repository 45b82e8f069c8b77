/* SPDX-License-Identifier: Apache-2.0 */
/* From the judge's wants to the fetcher's job: where each registry is reached, and what it may be told about us. */
#ifndef PG_PLUGIN_ENGINE_JOB_H
#define PG_PLUGIN_ENGINE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "plugin/engine/credentials.h"
#include "plugin/engine/settings.h"
#include "plugin/message.h"
#include "verifier/evidence.h"
#include "verifier/fetch/fetch.h"

enum job_look {
    JOB_ALL_ENDPOINTS = 0, /* mirrors in their order, then the registry itself */
    JOB_UPSTREAM_ONLY = 1, /* the last endpoint alone: mirrors may lack signatures, or be behind */
};

/* How a decision's registries are reached: looked up when a registry is first wanted, kept for the rounds after it. */
struct job_plan {
    struct fetch_job job;
    bool mirrors; /* some registry has mirrors */
    struct credentials_kept *kept; /* borrowed */
};
void job_plan_done(struct job_plan *plan); /* overwrites what is secret */

/*
 * Appends the next job message of the decision. Takes the wants over. Credentials: the request's own for the image's
 * registry, else the first of the settings' files that has an entry, else the kubelet's providers. Deadline: mono_ms.
 */
bool job_write(enum job_look look, const char *root, const struct settings *settings, const struct request *request,
               struct wants *wants, int64_t deadline, struct job_plan *plan, struct buf *ret,
               struct error *err) MUST_CHECK;

#endif
