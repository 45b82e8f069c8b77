/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_POLICY_CONDITION_H
#define PG_POLICY_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/tree.h"

struct condition;
struct condition_input {
    const struct node *statement;
    int64_t now;
    bool has_time; /* a trusted time proves when it was signed */
    int64_t time;
};
bool condition_holds(const struct condition *conditions, const struct condition_input *input, struct error *why) MUST_CHECK;
void condition_free(struct condition *conditions);

#endif
