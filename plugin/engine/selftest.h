/* SPDX-License-Identifier: Apache-2.0 */
/* Tries the sandboxes from inside: what must not be possible is attempted, in the very sandbox that a decision uses. */
#ifndef PG_PLUGIN_ENGINE_SELFTEST_H
#define PG_PLUGIN_ENGINE_SELFTEST_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "plugin/engine/sandbox.h"

/* One line per attempt into ret_text. True: every forbidden thing failed, and every needed one worked. */
bool selftest_run(const struct sandbox *sandbox, struct buf *ret_text) MUST_CHECK;

#endif
