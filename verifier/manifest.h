/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI image manifests and indexes and Docker's counterparts, as far as signatures are stored in them
 * (image-spec manifest.md, image-index.md, descriptor.md). The caller has checked the digest over the same bytes.
 */
#ifndef PG_VERIFIER_MANIFEST_H
#define PG_VERIFIER_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "base/tree.h"
#include "crypto/digest.h"

struct descriptor {
    struct span media_type;
    struct span artifact_type; /* empty when absent; a hint only (sigstore.md trap 2) */
    struct digest digest;
    uint64_t size;
    const struct node *annotations; /* a map of strings, or NULL */
};

enum manifest_kind { MANIFEST_IMAGE = 1, MANIFEST_INDEX = 2 };

struct manifest {
    enum manifest_kind kind;
    struct span artifact_type;
    struct descriptor config;      /* MANIFEST_IMAGE */
    struct descriptor *items;      /* layers, or the index' manifests */
    size_t count;
    size_t unusable;               /* entries of the index that are no descriptors of ours; left out of items */
    struct error why_unusable;     /* the first one's */
    const struct node *annotations;
    struct tree *tree;
};

/*
 * content_type: as the registry gave it, NULL when none. The bytes' own mediaType must not contradict it, and only one
 * of `layers` and `manifests` may be there: one document must not be two things to two readers (CVE-2021-41190).
 * An index is a list of others' entries too (digests of other algorithms, other programs' slips): one that cannot be
 * used is left out. Borrows from bytes. MALFORMED, LIMIT or UNSUPPORTED (schema 1, unknown types).
 */
bool manifest_parse(struct span bytes, const char *content_type, struct manifest *ret, struct error *err) MUST_CHECK;
void manifest_done(struct manifest *manifest);

/* Is this media type one of a manifest or index? For descriptors in listings. */
bool media_type_is_image(struct span media_type);
bool media_type_is_index(struct span media_type);

/* A string member of an annotations map; empty span when absent. */
struct span annotation_get(const struct node *annotations, const char *key);

#endif
