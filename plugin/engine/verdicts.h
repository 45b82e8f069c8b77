/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's use of the verdict cache: canonical names, and what a verdict depended on. */
#ifndef PG_PLUGIN_ENGINE_VERDICTS_H
#define PG_PLUGIN_ENGINE_VERDICTS_H

#include <stdbool.h>

#include "plugin/engine/load.h"
#include "plugin/message.h"

/* A verdict held for this request under the name as written; with config (NULL = not loaded yet) also under its
 * canonical form when the same rules match both. */
bool verdicts_find(const char *root, const struct settings *settings, const struct engine_config *config,
                   const struct request *request, struct response *ret);

/*
 * Waits while another process decides about the same digest. True: ret_lock is held (>= 0; close it after the
 * decision), or it was waited for and the cache should be looked at again (-1). False: nothing to wait for, or patience
 * (mono_ms) is over.
 */
bool verdicts_lock(const char *root, const struct settings *settings, const struct request *request, int64_t patience,
                   int *ret_lock);

/*
 * After a decision: keeps an allow; and turns a look-up failure into the allow that was held until its life ended, when
 * the settings say so (on-fetch-failure: cached).
 */
void verdicts_after(const char *root, const struct engine_config *config, const struct request *request,
                    struct response *response);

#endif
