/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies hold for an image: by globs every one that matches, by policy.json's scopes the most specific. */
#ifndef PG_POLICY_MATCH_H
#define PG_POLICY_MATCH_H

#include "policy/model.h"
#include "policy/names.h"

struct match {
    const struct policy_set *set;
    struct image_names names;
    size_t scoped; /* policy.json: the policy of the most specific scope */
};

bool match_init(struct match *match, const struct policy_set *set, const struct policy_image *image,
                struct error *err) MUST_CHECK;
void match_done(struct match *match);
/* The glob (or scope) by which the policy holds; NULL when it does not. */
const struct policy_glob *match_policy(const struct match *match, const struct policy *policy);

/*
 * For "no policy matches": a glob that would match if the reference carried a tag (policy.md trap 2), or NULL. The
 * usual reason why a policy that looks right does not hold for a pull by digest.
 */
const struct policy_glob *match_with_tag(const struct policy_set *set, const struct policy_image *image,
                                         const struct policy **ret_policy);

#endif
