/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_PLUGIN_ENGINE_LANDLOCK_H
#define PG_PLUGIN_ENGINE_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"

/*
 * From now on this process may only read beneath the paths given (those that exist), and, unless `network`, neither
 * connect nor listen on TCP. Does nothing, successfully, on kernels without Landlock: seccomp and the user remain.
 */
bool landlock_enter(const char *const *read_paths, size_t count, bool network, struct error *err) MUST_CHECK;

#endif
