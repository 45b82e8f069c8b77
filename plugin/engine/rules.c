/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/rules.h"

#include "base/clock.h"
#include "plugin/cache/stamp.h"

/* The cache's stamp serves here too: it holds as long as nothing that was read has changed. */
static bool unchanged(const struct rules *rules)
{
    struct stamp ignored;

    return rules->loaded && !rules->failed && rules->stamp.len > 0 && stamp_holds(buf_as_span(&rules->stamp), &ignored);
}

static void remember(struct rules *rules)
{
    const struct cache_source source = {.fingerprint = rules->config.fingerprint,
                                        .consulted = &rules->config.consulted,
                                        .loaded_at = rules->config.loaded_at};
    struct error ignored = ERROR_INIT;

    buf_free(&rules->stamp);
    rules->stamp = (struct buf)BUF_INIT(STAMP_MAX_BYTES);
    if (!stamp_make(&source, &rules->stamp, &ignored))
        buf_free(&rules->stamp); /* changed just now: load again for the next request, until it has settled */
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
        remember(rules);
        return;
    }
    rules->failed = true;
    rules->error = err;
}

void rules_done(struct rules *rules)
{
    engine_config_done(&rules->config);
    buf_free(&rules->stamp);
    *rules = (struct rules){0};
}
