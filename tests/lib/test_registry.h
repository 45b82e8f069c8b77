/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry in memory for tests: it answers the verifier's wants. Filled from a sample directory
 * (tests/vectors/cosign-3.1.1/registry/<repository>) or by hand. Aborts on misuse: it is a test's tool.
 */
#ifndef PG_TESTS_LIB_TEST_REGISTRY_H
#define PG_TESTS_LIB_TEST_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "crypto/key.h"
#include "verifier/evidence.h"
#include "verifier/verify.h"

#define TEST_HOST "registry.test"

struct test_object {
    enum want_kind kind;
    char *repository;
    char *target;
    struct evidence answer; /* id 0 */
};

struct test_registry {
    struct test_object *items;
    size_t count, capacity;
    size_t requests;     /* answered so far */
    size_t most_blobs;   /* wanted in one round */
};

/* Everything of a sample repository ("demo/legacy"), under its tags and digests. */
void test_registry_load(struct test_registry *registry, const char *repository);
/* The sample's image digest: of the tag v1. */
struct digest test_registry_image(const struct test_registry *registry, const char *repository);

/* Adds or replaces one answer. The bytes are copied; content_type and link may be NULL. */
void test_registry_put(struct test_registry *registry, enum want_kind kind, const char *repository, const char *target,
                       const char *content_type, const char *link, struct span body);
/* As above under the bytes' own sha256 digest, which is written to digest_text. */
void test_registry_put_digest(struct test_registry *registry, enum want_kind kind, const char *repository,
                              const char *content_type, struct span body, char digest_text[DIGEST_TEXT_BYTES]);
/* An answer that is an error. */
void test_registry_fail(struct test_registry *registry, enum want_kind kind, const char *repository, const char *target,
                        enum reason reason, const char *text);
struct test_object *test_registry_find(const struct test_registry *registry, enum want_kind kind,
                                       const char *repository, const char *target);
void test_registry_done(struct test_registry *registry);

/*
 * Asks and answers until the verifier wants nothing more; returns the number of rounds. set must be empty or the result
 * of an earlier run.
 */
size_t test_registry_run(struct test_registry *registry, const struct verify_input *input, struct evidence_set *set);

/* A file below tests/vectors/cosign-3.1.1, copied; caller frees with mem_free. Aborts when it is missing. */
struct span test_vector(const char *path);
struct pubkey *test_key(const char *name); /* keys/<name> */

#endif
