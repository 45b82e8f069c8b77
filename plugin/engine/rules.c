/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/rules.h"

#include "plugin/cache/stamp.h"

/* The cache's stamp serves here too: it holds as long as nothing that was read has changed. Files that changed just
 * before they were read have none: they are read again for the next request, until they have settled. */
static bool unchanged(const struct rules *rules)
{
    struct stamp ignored;

    return rules->loaded && !rules->failed && rules->config.stamp.len > 0 &&
           stamp_holds(buf_as_span(&rules->config.stamp), &ignored);
}

void rules_refresh(const char *root, struct rules *rules, bool force)
{
    struct engine_config fresh = {0};
    struct error err = ERROR_INIT;

    if (!force && unchanged(rules))
        return;
    if (engine_load(root, &fresh, &err)) {
        engine_config_done(&rules->config);
        rules->config = fresh;
        rules->loaded = true;
        rules->failed = false;
        return;
    }
    rules->failed = true;
    rules->error = err;
}

void rules_done(struct rules *rules)
{
    engine_config_done(&rules->config);
    *rules = (struct rules){0};
}
