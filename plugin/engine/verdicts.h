/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's use of the verdict cache: canonical names, and what a verdict depended on. */
#ifndef PG_PLUGIN_ENGINE_VERDICTS_H
#define PG_PLUGIN_ENGINE_VERDICTS_H

#include <stdbool.h>

#include "plugin/cache/memory.h"
#include "plugin/engine/load.h"
#include "plugin/message.h"

/* What a resident engine's worker has of the verdicts in memory: a copy as of its fork, and a way to tell of new ones.
 */
struct verdicts_kept {
    struct memory *memory;
    int report; /* plugin/engine/report.h */
};

/* A verdict held for this request under the name as written; with config (NULL = not loaded yet) also under its
 * canonical form when the same rules match both. kept: NULL = on disk only. */
bool verdicts_find(const char *root, const struct settings *settings, const struct engine_config *config,
                   const struct verdicts_kept *kept, const struct request *request, struct response *ret);

/* Do the same rules match two names of one image, by the same globs? */
bool verdicts_same_rules(const struct engine_config *config, const char *one, const char *other);

/*
 * Waits while another process decides about the same digest under the same name. True: ret_lock is held (>= 0; close it
 * after the decision), or it was waited for and the cache should be looked at again (-1). False: nothing to wait for,
 * or patience (mono_ms) is over.
 */
bool verdicts_lock(const char *root, const struct settings *settings, const struct request *request, int64_t patience,
                   int *ret_lock);

/*
 * After a decision: keeps an allow; and turns a look-up failure into the allow that was held until its life ended, when
 * the settings say so (on-fetch-failure: cached).
 */
void verdicts_after(const char *root, const struct engine_config *config, const struct verdicts_kept *kept,
                    const struct request *request, struct response *response);

#endif
