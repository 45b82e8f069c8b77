/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_POLICY_REGEX_H
#define PG_POLICY_REGEX_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/span.h"

struct regex;
bool regex_search(const struct regex *regex, struct span text) MUST_CHECK;
void regex_free(struct regex *regex);

#endif
