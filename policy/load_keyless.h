/* SPDX-License-Identifier: Apache-2.0 */
/* keyless, ctlog, rfc3161timestamp, signatureFormat, attestations. */
#ifndef PG_POLICY_LOAD_KEYLESS_H
#define PG_POLICY_LOAD_KEYLESS_H

#include <stdbool.h>

#include "policy/load.h"

bool load_keyless(struct load *load, const struct path *up, const struct node *node,
                  struct authority *authority) MUST_CHECK;
/* Each node may be NULL. Called after load_keyless. */
bool load_proofs(struct load *load, const struct path *up, const struct node *ctlog, const struct node *timestamp,
                 const struct node *format, struct authority *authority) MUST_CHECK;
bool load_attestations(struct load *load, const struct path *up, const struct node *list,
                       struct authority *authority) MUST_CHECK;

#endif
