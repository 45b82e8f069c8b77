/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that remain: seccomp filters by libseccomp, whose only home this is. */
#ifndef PG_PLUGIN_ENGINE_FILTER_H
#define PG_PLUGIN_ENGINE_FILTER_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/engine/sandbox.h"

/* Compiles the kind's filter, once in a process's life and for the forks that follow. Needs two descriptors. */
bool filter_prepare(enum sandbox_kind kind, struct error *err) MUST_CHECK;

/* Any other call kills the process. Cannot be undone. After filter_prepare; no-new-privileges must be set. */
bool filter_enter(enum sandbox_kind kind, struct error *err) MUST_CHECK;

#endif
