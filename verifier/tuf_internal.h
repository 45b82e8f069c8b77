/* SPDX-License-Identifier: Apache-2.0 */
/* What the tuf*.c files share; nobody else includes this. */
#ifndef PG_VERIFIER_TUF_INTERNAL_H
#define PG_VERIFIER_TUF_INTERNAL_H

#include "base/buf.h"
#include "base/tree.h"
#include "verifier/tuf.h"

/* One metadata file, parsed. Zeroed = absent. */
struct tuf_document {
    uint8_t *bytes; /* owned; the tree borrows from it */
    size_t len;
    struct tree *tree;
    const struct node *signed_part;
    const struct node *signatures;
    struct buf canonical; /* the bytes that are signed */
    int64_t version;
    int64_t expires;
};

void tuf_document_done(struct tuf_document *document); /* zeroes it; also for CLEANUP */
/* Takes the document out of from, freeing what ret held. */
void tuf_document_move(struct tuf_document *ret, struct tuf_document *from);

/* Parses and checks type, version, expiry's form; verifies no signature. MALFORMED, UNSUPPORTED. */
bool tuf_document_parse(struct span bytes, enum tuf_role role, struct tuf_document *ret, struct error *err) MUST_CHECK;

/* Has the document enough signatures by the keys that `root` names for the role? THRESHOLD when not. */
bool tuf_verify_role(const struct tuf_document *root, enum tuf_role role, const struct tuf_document *document,
                     struct error *err) MUST_CHECK;
/* Do two roots name the same keys and threshold for a role? */
bool tuf_same_role(const struct tuf_document *a, const struct tuf_document *b, enum tuf_role role);

/* METAFILES and TARGETS entries (specification 4.3 to 4.5). */
struct tuf_meta {
    int64_t version;           /* 0 for targets */
    int64_t length;            /* -1 when not stated */
    const struct node *hashes; /* NULL when not stated */
};
bool tuf_meta_parse(const struct node *entry, bool target, struct tuf_meta *ret, struct error *err) MUST_CHECK;
/* The entry of a role's file in timestamp or snapshot metadata. */
bool tuf_meta_find(const struct tuf_document *document, enum tuf_role role, struct tuf_meta *ret,
                   struct error *err) MUST_CHECK;
/* Each hash that we know is hex (it becomes part of a file's name), and there is one. MALFORMED, UNSUPPORTED. */
bool tuf_meta_check_hashes(const struct tuf_meta *meta, const char *what, struct error *err) MUST_CHECK;
/* Length and every hash that is stated. DIGEST_MISMATCH, UNSUPPORTED (no hash that we know). */
bool tuf_meta_matches(const struct tuf_meta *meta, struct span bytes, const char *what, struct error *err) MUST_CHECK;

/* Appends OLPC canonical JSON; false for numbers that it does not know (fractions, exponents). */
bool tuf_canonical(const struct node *node, struct buf *buf) MUST_CHECK;

#endif
