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
#include "base/buf.h"
#include "base/error.h"
#include "plugin/cache/stamp.h"
#include "plugin/engine/settings.h"
#include "plugin/message.h"
#include "policy/policy.h"

struct trust_root;

/* What was read, as bytes: for evidence files. */
enum load_kind { LOAD_POLICY = 1, LOAD_KEY = 2, LOAD_TRUST = 3 };

struct load_file {
    enum load_kind kind;
    char *name;        /* policy: its path; key and trust root: the name the policy wrote */
    struct span bytes; /* owned */
};

struct load_files {
    struct load_file *items;
    size_t count, capacity;
};

bool load_files_add(struct load_files *files, enum load_kind kind, const char *name, struct span bytes,
                    struct error *err) MUST_CHECK;
void load_files_done(struct load_files *files);

struct engine_config {
    struct settings settings;
    struct policy_set *policies;
    struct trust_root **roots; /* in the order of policy_set_roots */
    size_t root_count;
    char fingerprint[65];      /* of settings, policies, keys, trust roots and program version */
    struct buf stamp;          /* of the files as they were read (plugin/cache/stamp.h); empty = changed just now */
    struct load_files files;   /* their bytes, when asked for */
};

/* Everything under root (NULL = "/"). The error names the file and is POLICY_ERROR, UNTRUSTED_FILE, NOT_FOUND, ... */
bool engine_load(const char *root, struct engine_config *ret, struct error *err) MUST_CHECK;
/*
 * The same in two halves, for who needs the settings at once. What is consulted is noted in `consulted` ({0}) by both.
 * The settings are moved into ret, and freed on failure. keep_files: fill ret->files too.
 */
bool engine_load_settings(const char *root, struct consulted *consulted, struct settings *ret,
                          struct error *err) MUST_CHECK;
bool engine_load_policies(const char *root, struct consulted *consulted, bool keep_files, struct settings *settings,
                          struct engine_config *ret, struct error *err) MUST_CHECK;
/*
 * A guess before the policies are loaded: may there be images for which nothing is fetched (static policies,
 * directories, no-match)? Nothing depends on it but what is done first.
 */
bool engine_may_stay_home(const char *root, const struct settings *settings);
/* Policies and trust root from the request itself (request.policy); keys are inline. */
bool engine_load_adhoc(const struct request *request, struct settings *settings, struct engine_config *ret,
                       struct error *err) MUST_CHECK;
/* From memory, with default settings: the replay. */
bool engine_load_files(const struct load_files *files, struct engine_config *ret, struct error *err) MUST_CHECK;
bool engine_load_request(const struct request *request, struct engine_config *ret, struct error *err) MUST_CHECK;
void engine_config_done(struct engine_config *config);

#endif
