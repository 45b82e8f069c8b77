/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/match.h"

#include "base/mem.h"
#include "policy/glob.h"

const struct policy_glob *policy_match(const struct policy *policy, const struct image_names *names)
{
    for (size_t i = 0; i < policy->glob_count; i++) {
        for (size_t j = 0; j < names->count; j++) {
            if (glob_match(policy->globs[i].text, span_str(names->items[j])))
                return &policy->globs[i];
        }
    }
    return NULL;
}

const struct policy_glob *policy_match_with_tag(const struct policy_set *set, const struct policy_image *image,
                                                const struct policy **ret_policy)
{
    char *name CLEANUP(mem_freep) = NULL;

    if (image->tag != NULL)
        return NULL;
    name = mem_printf("%s/%s:latest", image->host, image->repository);
    if (name == NULL)
        return NULL;
    for (size_t i = 0; i < set->policy_count; i++) {
        const struct policy *policy = &set->policies[i];

        for (size_t j = 0; j < policy->glob_count; j++) {
            if (glob_match(policy->globs[j].text, span_str(name))) {
                *ret_policy = policy;
                return &policy->globs[j];
            }
        }
    }
    return NULL;
}
