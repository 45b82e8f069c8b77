/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/load_pullguard.h"

bool load_policy_block(struct load *load, const struct path *up, const struct node *node, struct policy *policy)
{
    struct path path = {.up = up, .name = "pullguard"};

    (void)policy;
    return node == NULL || load_fail(load, &path, node, "is not handled by this version");
}

bool load_authority_block(struct load *load, const struct path *up, const struct node *node, struct authority *authority)
{
    struct path path = {.up = up, .name = "pullguard"};

    (void)authority;
    return node == NULL || load_fail(load, &path, node, "is not handled by this version");
}
