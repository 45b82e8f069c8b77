/* SPDX-License-Identifier: Apache-2.0 */
/* in-toto statements v0.1 and v1 (sigstore.md 1.5, 2.4). */
#ifndef PG_VERIFIER_STATEMENT_H
#define PG_VERIFIER_STATEMENT_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "base/tree.h"
#include "crypto/digest.h"
#include "verifier/keep.h"

/* cosign's own type for "this image is signed". */
extern const char statement_sign_v1[];

struct statement {
    const struct node *root;
    struct span predicate_type;
    const struct node *subjects; /* a list, not empty */
};

bool statement_parse(struct keep *keep, struct span payload, struct statement *ret, struct error *err) MUST_CHECK;

/*
 * The first subject with this digest under the digest's own algorithm decides, as in cosign; its `annotations` (NULL
 * when absent) are the signed ones. DIGEST_MISMATCH when no subject has it.
 */
bool statement_match(const struct statement *statement, const struct digest *digest,
                     const struct node **ret_annotations, struct error *err) MUST_CHECK;

#endif
