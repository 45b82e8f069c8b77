/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers' policy.json(5) as a dialect, with its own rules (policy.md 2): the most specific scope alone, all of its
 * requirements, each by one signature; only simple-signing signatures in the tag layout count.
 *
 * A file whose top level has a member "default" (and no "kind") is a policy.json. One set holds either one policy.json
 * or ClusterImagePolicy documents: both in one directory are an error, since "most specific" and "every matching one"
 * cannot decide together.
 */
#ifndef PG_POLICY_POLICY_JSON_H
#define PG_POLICY_POLICY_JSON_H

#include <stdbool.h>

#include "policy/load.h"

bool load_policy_json(struct load *load, const struct node *root) MUST_CHECK;

/* policy_json_sigstore.c: one sigstoreSigned requirement. */
bool load_sigstore_signed(struct load *load, const struct path *path, const struct node *node,
                          struct authority *authority) MUST_CHECK;

/*
 * policy_json_root.c: a trusted_root.json of the certificates (PEM; each of `roots` is an authority, `intermediates`
 * help all of them) and log keys that a requirement spells out. Any part may be empty.
 */
struct own_root {
    struct span roots, intermediates;
    struct pubkey *const *log_keys;
    size_t log_key_count;
};
bool own_root_write(const struct own_root *root, struct buf *ret, struct error *err) MUST_CHECK;

#endif
