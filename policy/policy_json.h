/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_POLICY_POLICY_JSON_H
#define PG_POLICY_POLICY_JSON_H

#include <stdbool.h>

#include "policy/fields.h"

struct policy_json;
bool load_policy_json(struct load *load, const struct node *root) MUST_CHECK;
void policy_json_free(struct policy_json *policy);

#endif
