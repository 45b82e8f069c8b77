/* SPDX-License-Identifier: Apache-2.0 */
/* The `pullguard` blocks: our own rules beside the format's (the man page pullguard-policy(5) states each). */
#ifndef PG_POLICY_LOAD_PULLGUARD_H
#define PG_POLICY_LOAD_PULLGUARD_H

#include <stdbool.h>

#include "policy/load.h"

/* spec.pullguard; node may be NULL. */
bool load_policy_block(struct load *load, const struct path *up, const struct node *node,
                       struct policy *policy) MUST_CHECK;
/* spec.authorities[].pullguard; node may be NULL. Also checks what the parts of an authority demand of each other. */
bool load_authority_block(struct load *load, const struct path *up, const struct node *node,
                          struct authority *authority) MUST_CHECK;
bool load_revoked(struct load *load, const struct path *up, const struct node *node) MUST_CHECK;

#endif
