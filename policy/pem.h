/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM as people paste it into policies. Splits text into blocks and explains the usual mistakes before crypto/ sees
 * them.
 *
 * The rule for several blocks: each must be a valid `PUBLIC KEY`, nothing but white space may stand around and between
 * them, and each is a key of the authority (any one of them may sign). One bad block makes the whole policy an error.
 */
#ifndef PG_POLICY_PEM_H
#define PG_POLICY_PEM_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

/*
 * Takes the next block off the front of *rest (which is empty, or starts with white space or a block). true with an
 * empty ret_block at the end.
 */
bool pem_next(struct span *rest, struct span *ret_block, struct error *err) MUST_CHECK;

/*
 * For a YAML file that does not parse: the line (from 1) of PEM text that stands in column 1 below an indented
 * "-----BEGIN" line or below a "data: |" line, as `$(cat cosign.pub)` in a shell here-document leaves it. 0 = no such
 * thing.
 */
size_t pem_unindented_line(struct span file);

#endif
