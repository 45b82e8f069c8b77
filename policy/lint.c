/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/model.h"

#include "base/mem.h"

bool policy_lint(const struct policy_set *set, struct policy_warnings *ret, struct error *err)
{
    (void)set;
    (void)err;
    *ret = (struct policy_warnings){0};
    return true;
}

void policy_warnings_done(struct policy_warnings *warnings)
{
    for (size_t i = 0; i < warnings->count; i++) {
        mem_free(warnings->items[i].file);
        mem_free(warnings->items[i].text);
    }
    mem_free(warnings->items);
    *warnings = (struct policy_warnings){0};
}
