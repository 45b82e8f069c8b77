/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a credential helper: clean environment, time and size limits, nothing left behind. */
#ifndef PG_PLUGIN_ENGINE_RUNPROGRAM_H
#define PG_PLUGIN_ENGINE_RUNPROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct run_limits {
    int64_t deadline; /* mono_ms */
};

/*
 * A provider_run_fn (verifier/fetch/provider.h); context is a struct run_limits. The program must be trusted as the
 * files that decide are (base/file.h). env is added to PATH, HOME and LC_ALL.
 */
bool run_program(void *context, const char *program, char *const *args, char *const *env, struct span input,
                 struct buf *ret_output, int *ret_exit_status, struct error *err) MUST_CHECK;

#endif
