/* SPDX-License-Identifier: Apache-2.0 */
/* JSON numbers compared exactly, as decimal texts: 1, 1.0 and 10e-1 are equal, and no rounding makes others so. */
#ifndef PG_POLICY_DECIMAL_H
#define PG_POLICY_DECIMAL_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/span.h"

/* ret: -1, 0, 1. false when one is no JSON number, or its exponent has more than 6 digits. */
bool decimal_compare(struct span a, struct span b, int *ret) MUST_CHECK;

#endif
