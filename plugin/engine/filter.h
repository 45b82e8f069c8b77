/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that remain: seccomp filters by libseccomp, whose only home this is. */
#ifndef PG_PLUGIN_ENGINE_FILTER_H
#define PG_PLUGIN_ENGINE_FILTER_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/engine/sandbox.h"

/* Any other call kills the process. Cannot be undone. */
bool filter_enter(enum sandbox_kind kind, struct error *err) MUST_CHECK;

#endif
