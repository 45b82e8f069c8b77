/* SPDX-License-Identifier: Apache-2.0 */
/* What the standard predicates look like, as far as conditions on them can be checked before there is an attestation.
 */
#ifndef PG_POLICY_CONDITION_SCHEMA_H
#define PG_POLICY_CONDITION_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum schema_kind { SCHEMA_TEXT, SCHEMA_TIME, SCHEMA_NUMBER, SCHEMA_BOOL, SCHEMA_LIST, SCHEMA_MAP, SCHEMA_OPEN };

/* path: "predicate.packages[].name"; OPEN: anything may stand there and below. */
struct schema_row {
    const char *path;
    enum schema_kind kind;
};

/* The rows of a predicate type; NULL for one that is not known. */
const struct schema_row *schema_find(const char *predicate_type, size_t *ret_count);

#endif
