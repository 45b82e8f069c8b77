/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies hold for an image. */
#ifndef PG_POLICY_MATCH_H
#define PG_POLICY_MATCH_H

#include "policy/model.h"
#include "policy/names.h"

/* The first glob of the policy that matches one of the names; NULL when none does. */
const struct policy_glob *policy_match(const struct policy *policy, const struct image_names *names);

/*
 * For "no policy matches": a glob that would match if the reference carried a tag (policy.md trap 2), or NULL. The usual
 * reason why a policy that looks right does not hold for a pull by digest.
 */
const struct policy_glob *policy_match_with_tag(const struct policy_set *set, const struct policy_image *image,
                                                const struct policy **ret_policy);

#endif
