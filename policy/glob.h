/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image globs of ClusterImagePolicy (policy.md 1.2): `*` is any run without '/', `**` any run; everything else stands
 * for itself; the whole name must match. ':' and '@' are ordinary characters.
 */
#ifndef PG_POLICY_GLOB_H
#define PG_POLICY_GLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

enum { GLOB_MAX_BYTES = 1024 };

/* Checks charset and length and applies the two rewrites ("*", "*" "/" "*"). An owned string, or NULL with err set. */
char *glob_new(struct span written, struct error *err) MUST_CHECK;
/* A glob of more than GLOB_MAX_BYTES matches nothing. */
bool glob_match(const char *glob, struct span text);
/* The same, and adds what it cost: never more than some small multiple of both lengths multiplied. */
bool glob_match_counted(const char *glob, struct span text, uint64_t *work);

#endif
