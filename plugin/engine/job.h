/* SPDX-License-Identifier: Apache-2.0 */
/* From the judge's wants to the fetcher's job: where each registry is reached, and what it may be told about us. */
#ifndef PG_PLUGIN_ENGINE_JOB_H
#define PG_PLUGIN_ENGINE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "plugin/engine/settings.h"
#include "plugin/message.h"
#include "verifier/evidence.h"

/*
 * Appends the job message. Takes the wants over. Credentials: the request's own for the image's registry, else the
 * first of the settings' files that has an entry. deadline: mono_ms.
 */
bool job_write(const char *root, const struct settings *settings, const struct request *request, struct wants *wants,
               uint32_t id, int64_t deadline, struct buf *ret, struct error *err) MUST_CHECK;

#endif
