/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between ClusterImagePolicy and containers' policy.json (crio.md section 8). What does not mean the same on the other
 * side is refused with the reason; nothing is left out silently.
 */
#ifndef PG_POLICY_CONVERT_H
#define PG_POLICY_CONVERT_H

#include <stdbool.h>

#include "policy/model.h"

/* What a policy asks for, in policy.json's terms. */
enum plain_kind { PLAIN_ACCEPT, PLAIN_REJECT, PLAIN_KEYS };

struct plain {
    enum plain_kind kind;
    size_t *keys; /* of the set; any one of them */
    size_t key_count, key_capacity;
};

void plain_done(struct plain *plain);

/*
 * The policy as plain requirement. strict: also refuses what policy.json would ask beyond the policy (a signed name of
 * this repository); else that becomes a note. UNSUPPORTED says what does not map.
 */
bool plain_policy(const struct policy_set *set, const struct policy *policy, bool strict, struct plain *ret,
                  struct error *err) MUST_CHECK;
/* The docker scope that covers what the glob covers; an owned string. UNSUPPORTED when there is none. */
bool glob_scope(const struct policy *policy, const struct policy_glob *glob, char **ret, struct error *err) MUST_CHECK;
/* Does scope `above` hold for everything below `scope` (itself included)? "" is above all. */
bool scope_covers(const char *above, const char *scope);

/* ClusterImagePolicy set -> policy.json; policy.json set -> ClusterImagePolicy YAML. */
bool convert_to_containers(const struct policy_set *set, struct buf *ret, struct error *err) MUST_CHECK;
bool convert_to_cluster(const struct policy_set *set, struct buf *ret, struct error *err) MUST_CHECK;

#endif
