/* SPDX-License-Identifier: Apache-2.0 */
/* proto3 JSON on top of base/tree.h (protobuf's JSON mapping): null is absence, int64 may be a string. */
#ifndef PG_VERIFIER_PROTO_H
#define PG_VERIFIER_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/tree.h"

enum { PROTO_FIELDS_MAX = 16 };

/* As node_fields with nothing unknown allowed, except that a member which is null counts as absent. MALFORMED. */
bool proto_fields(const struct node *node, const char *what, const struct field *fields, size_t count,
                  struct error *err) MUST_CHECK;
/* A number that is not negative; absent = 0. */
bool proto_uint(const struct node *node, const char *what, uint64_t *ret, struct error *err) MUST_CHECK;

#endif
