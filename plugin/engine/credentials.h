/* SPDX-License-Identifier: Apache-2.0 */
/* Which credentials one registry gets, from where the node already has them. */
#ifndef PG_PLUGIN_ENGINE_CREDENTIALS_H
#define PG_PLUGIN_ENGINE_CREDENTIALS_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/engine/settings.h"
#include "plugin/message.h"
#include "verifier/fetch/fetch.h"
#include "verifier/fetch/provider_cache.h"

/* Answers of credential providers: what is kept of earlier requests, and the way to the resident engine's memory. */
struct credentials_kept {
    struct provider_cache_store providers;
    int report; /* plugin/engine/report.h; -1 = this request only */
};

/*
 * The request's own for the image's registry; else the first file of the settings with an entry; else
 * the kubelet's credential providers. None is no error. Programs run until the deadline (mono_ms) at most.
 */
bool credentials_find(const char *root, const struct settings *settings, const struct request *request,
                      struct credentials_kept *kept, const char *host, const char *repository, int64_t deadline,
                      struct fetch_credentials *ret, struct error *err) MUST_CHECK;

#endif
