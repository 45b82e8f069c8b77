/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_PLUGIN_CLI_EVIDENCE_OUT_H
#define PG_PLUGIN_CLI_EVIDENCE_OUT_H

#include "base/error.h"
#include "base/span.h"

/* Writes the evidence file of a decision (0600: it may hold what a private registry said). */
bool evidence_save(const char *path, struct span evidence, struct error *err) MUST_CHECK;

#endif
