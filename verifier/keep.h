/* SPDX-License-Identifier: Apache-2.0 */
/* Owned trees and memory blocks that borrowed spans and nodes point into; all freed together. */
#ifndef PG_VERIFIER_KEEP_H
#define PG_VERIFIER_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/span.h"
#include "base/tree.h"

struct keep {
    struct tree **trees;
    size_t tree_count, tree_capacity;
    void **blocks;
    size_t block_count, block_capacity;
};

/* Take ownership, on failure too (then the object is freed). NULL blocks are "out of memory" of the caller's. */
bool keep_tree(struct keep *keep, struct tree *tree, struct error *err) MUST_CHECK;
bool keep_block(struct keep *keep, void *block, struct error *err) MUST_CHECK;
/* Decodes base64 of at most max bytes into a kept block. MALFORMED or LIMIT, naming `what`. */
bool keep_base64(struct keep *keep, struct span text, enum base64_kind kind, size_t max, const char *what,
                 struct span *ret, struct error *err) MUST_CHECK;
/* json_parse into a kept tree; returns its root. */
bool keep_json(struct keep *keep, struct span bytes, const char *what, const struct node **ret_root,
               struct error *err) MUST_CHECK;
void keep_done(struct keep *keep);

/* How many bytes a base64 text (any padding) decodes to, if it is one. */
size_t base64_decoded_len(struct span text);

#endif
