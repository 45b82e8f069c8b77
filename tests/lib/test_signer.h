/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures that a test makes itself, stored in a test_registry as cosign would. Aborts on misuse. */
#ifndef PG_TESTS_LIB_TEST_SIGNER_H
#define PG_TESTS_LIB_TEST_SIGNER_H

#include "base/buf.h"
#include "crypto/privkey.h"
#include "tests/lib/test_registry.h"

/* One layer of a .sig manifest; strings are borrowed. */
struct test_layer {
    const char *media_type;
    struct span payload;
    struct span signature;         /* raw; written in base64, unless ... */
    const char *signature_text;    /* ... this is given instead */
    const char *annotations;       /* further members, with leading comma; may be NULL */
};

void test_sign(const struct privkey *key, struct span message, struct buf *ret);
/* "DSSEv1 ..." over an in-toto payload. */
void test_pae(const char *type, struct span payload, struct buf *ret);
/* A .sig or .att manifest with these layers under the given tag; blobs too. */
void test_put_layers(struct test_registry *registry, const char *repository, const char *tag,
                     const struct test_layer *layers, size_t count);
/* A bundle v0.3 around a statement, signed by the key; appended to ret. */
void test_bundle(const struct privkey *key, struct span statement, struct buf *ret);
/* A bundle blob and its referrer manifest; the manifest's descriptor (for listings) goes to ret_descriptor. */
void test_put_bundle(struct test_registry *registry, const char *repository, struct span bundle,
                     const char *manifest_members, struct buf *ret_descriptor);
/* An index of descriptors (comma-separated JSON) under a tag, or as a referrers listing. */
void test_put_index(struct test_registry *registry, enum want_kind kind, const char *repository, const char *target,
                    const char *link, const char *descriptors);

#endif
