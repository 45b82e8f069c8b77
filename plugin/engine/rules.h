/* SPDX-License-Identifier: Apache-2.0 */
/* What the resident engine has loaded, and whether it is still what the files say. */
#ifndef PG_PLUGIN_ENGINE_RULES_H
#define PG_PLUGIN_ENGINE_RULES_H

#include <stdbool.h>

#include "base/error.h"
#include "plugin/engine/load.h"

struct rules {
    struct engine_config config;
    bool loaded;          /* config is a good set */
    bool failed;          /* the files changed since and do not load; error says why */
    struct error error;
};

/* Loads when nothing is loaded, or something changed, or when told to. Keeps the last good set when that fails. */
void rules_refresh(const char *root, struct rules *rules, bool force);
void rules_done(struct rules *rules);

#endif
