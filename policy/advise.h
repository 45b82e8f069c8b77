/* SPDX-License-Identifier: Apache-2.0 */
/* Shows what a simple CUE or Rego policy would be as conditions. Advice in an error message, never a decision. */
#ifndef PG_POLICY_ADVISE_H
#define PG_POLICY_ADVISE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Appends "{path: predicate.builder.id, equals: "X"}, ..." for the first few plain comparisons found in the text;
 * nothing when there is something in a CUE text that has no such form.
 */
void advise_conditions(struct span text, bool rego, struct buf *out);

#endif
