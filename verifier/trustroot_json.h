/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON form of a trust root; trustroot.c owns the object. */
#ifndef PG_VERIFIER_TRUSTROOT_JSON_H
#define PG_VERIFIER_TRUSTROOT_JSON_H

#include "verifier/trustroot.h"

bool trustroot_read_json(struct span bytes, struct trust_root *root, struct error *err) MUST_CHECK;

/* A new zeroed element; NULL (and err) at the limit. */
struct trust_log *trust_logs_grow(struct trust_logs *logs, struct error *err) MUST_CHECK;
struct trust_authority *trust_authorities_grow(struct trust_authorities *list, struct error *err) MUST_CHECK;

#endif
