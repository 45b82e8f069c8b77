/* SPDX-License-Identifier: Apache-2.0 */
/* The loaders, from file to field. Each adds to load->set or fails with the error set. */
#ifndef PG_POLICY_LOAD_H
#define PG_POLICY_LOAD_H

#include <stdbool.h>

#include "policy/fields.h"
#include "policy/model.h"

/* One document of a ClusterImagePolicy file (or a list of them). */
bool load_cluster_document(struct load *load, const struct node *root) MUST_CHECK;
/* One element of spec.authorities. */
bool load_authority(struct load *load, const struct path *path, const struct node *node, struct policy *policy,
                    struct authority *authority) MUST_CHECK;
/* Key texts: `data` may hold several blocks, `path` names a file of the same form. Adds members. */
bool load_key_data(struct load *load, const struct path *path, const struct node *node, struct authority *authority,
                   const struct member *like) MUST_CHECK;
bool load_key_path(struct load *load, const struct path *path, const struct node *node, struct authority *authority,
                   const struct member *like) MUST_CHECK;
bool load_key_blocks(struct load *load, const struct path *path, const struct node *at, struct authority *authority,
                     const struct member *like, struct span text) MUST_CHECK;
bool load_hash(struct load *load, const struct path *path, const struct node *node, enum digest_alg *ret) MUST_CHECK;
/* `annotations`, a map or a list of one-entry maps. */
bool load_annotations(struct load *load, const struct path *path, const struct node *node,
                      struct authority *authority) MUST_CHECK;

#endif
