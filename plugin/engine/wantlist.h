/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the judge asks for, looked at by the engine before the fetcher gets it. The judge has parsed bytes from outside;
 * a subverted one must not be able to send the fetcher, and credentials, wherever it likes.
 */
#ifndef PG_PLUGIN_ENGINE_WANTLIST_H
#define PG_PLUGIN_ENGINE_WANTLIST_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "plugin/engine/load.h"
#include "plugin/message.h"
#include "verifier/evidence.h"

bool wantlist_read(struct span message, struct wants *ret, struct error *err) MUST_CHECK;

/* Only the image's own repository and those that a policy names as sources; only targets of their kind's grammar. */
bool wantlist_check(const struct engine_config *config, const struct request *request, const struct wants *wants,
                    struct error *err) MUST_CHECK;

#endif
