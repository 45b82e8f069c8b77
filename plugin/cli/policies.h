/* SPDX-License-Identifier: Apache-2.0 */
/* Policy documents for lint and explain: the same readers as the engine's, on whatever files the person names. */
#ifndef PG_PLUGIN_CLI_POLICIES_H
#define PG_PLUGIN_CLI_POLICIES_H

#include "base/file.h"
#include "plugin/cli/cli.h"
#include "policy/policy.h"

/* Where keys and trust roots that policies name are looked for. */
struct policies_places {
    const char *root; /* borrowed: in front of absolute paths */
    char *keys;  /* owned directory */
    char *trust;
    enum file_trust owners; /* FILE_TRUSTED: the node's own files, wrong owners and modes are errors as in a decision */
};
bool policies_places_init(struct policies_places *places, const char *root, const char *keys, const char *trust,
                          enum file_trust owners, struct error *err) MUST_CHECK;
void policies_places_done(struct policies_places *places);
struct policy_source policies_source(struct policies_places *places); /* borrows places */

/*
 * The policy files behind arguments: a file is itself, a directory is its *.yaml, *.yml and *.json, sorted; no argument
 * is the node's policy.d.
 */
bool policies_find(const char *root, const struct text_list *args, struct names *ret, struct error *err) MUST_CHECK;

/* What lies in those directories and is not read, since its name ends in something else. */
bool policies_unread(const char *root, const struct text_list *args, struct names *ret, struct error *err) MUST_CHECK;

/* Reads one file and adds it; `source` is of policies_source. The error names file, line and column. */
bool policies_add(struct policy_set *set, const char *path, const struct policy_source *source, struct error *err)
    MUST_CHECK;

#endif
