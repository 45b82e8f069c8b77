/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that decides, read from this node: settings, policies, keys, trust roots. One road for every program, so
 * that lint, explain and doctor judge what a pull would. Root-owned files only (design: process and trust boundaries).
 */
#ifndef PG_PLUGIN_ENGINE_LOAD_H
#define PG_PLUGIN_ENGINE_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/engine/settings.h"
#include "plugin/message.h"
#include "policy/policy.h"

struct trust_root;

struct engine_config {
    struct settings settings;
    struct policy_set *policies;
    struct trust_root **roots; /* in the order of policy_set_roots */
    size_t root_count;
    char fingerprint[65];      /* of settings, policies, keys, trust roots and program version */
    struct names consulted;    /* files and directories that were read, or looked for; for the cache's stamp */
    int64_t loaded_at;         /* before the first of them was read */
};

/* Everything under root (NULL = "/"). The error names the file and is POLICY_ERROR, UNTRUSTED_FILE, NOT_FOUND, ... */
bool engine_load(const char *root, struct engine_config *ret, struct error *err) MUST_CHECK;
/* The second half, with settings that were read before, at loaded_at (moved into ret, and freed on failure). */
bool engine_load_policies(const char *root, int64_t loaded_at, struct settings *settings, struct engine_config *ret,
                          struct error *err) MUST_CHECK;
/* Policies and trust root from the request itself (request.policy); keys are inline. */
bool engine_load_adhoc(const struct request *request, struct settings *settings, struct engine_config *ret,
                       struct error *err) MUST_CHECK;
/* Policies from memory: the replay. Takes settings; the source gives keys and trust roots. */
bool engine_config_finish(struct settings *settings, struct policy_set **policies, struct engine_config *ret,
                          struct error *err) MUST_CHECK;
void engine_config_done(struct engine_config *config);

#endif
