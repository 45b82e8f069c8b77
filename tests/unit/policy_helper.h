/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and hand-made claims for tests of policy/. */
#ifndef PG_TESTS_UNIT_POLICY_HELPER_H
#define PG_TESTS_UNIT_POLICY_HELPER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "policy/policy.h"

/* 2026-11-23T18:00:00Z: the clock of every test. */
#define TEST_NOW INT64_C(1795456800)
#define TEST_DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static inline struct buf test_read(const char *relative)
{
    char *path = mem_printf("%s/%s", secure_getenv("PG_SOURCE"), relative);
    struct buf bytes = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(file_read(path, LIMIT_POLICY_FILE_BYTES, FILE_ANY, &bytes, &err), "%s", err.text);
    mem_free(path);
    return bytes;
}

/* Key files are those of the vectors; trust roots exist by the names in the list. */
static inline bool test_read_key(void *context, const char *name, struct buf *ret, struct error *err)
{
    char *path = mem_printf("%s/tests/vectors/cosign-3.1.1/keys/%s", secure_getenv("PG_SOURCE"), name);
    bool good = file_read(path, LIMIT_KEY_FILE_BYTES, FILE_ANY, ret, err);

    (void)context;
    mem_free(path);
    return good || error_set(err, REASON_NOT_FOUND, "no file \"%s\" in the keys directory", name);
}

static inline bool test_read_trust(void *context, const char *name, struct buf *ret, struct error *err)
{
    static const char *const known[] = {"public-good", "mock", "second"};

    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i], name) == 0) {
            *ret = (struct buf)BUF_INIT(100);
            buf_printf(ret, "{\"%s\":1}", name);
            return buf_ok(ret);
        }
    }
    return error_set(err, REASON_NOT_FOUND, "no trust root \"%s\"", name);
}

static const struct policy_source test_source UNUSED = {.read_key = test_read_key, .read_trust = test_read_trust};

/* The set of one document; the test fails with the loader's words when it does not load. */
static inline struct policy_set *test_load_named(const char *file, const char *text)
{
    struct policy_set *set = policy_set_new();
    struct error err = ERROR_INIT;

    ck_assert_ptr_nonnull(set);
    ck_assert_msg(policy_set_add(set, file, span_str(text), &test_source, &err), "%s", err.text);
    return set;
}

static inline struct policy_set *test_load(const char *text)
{
    return test_load_named("test.yaml", text);
}

/* Fingerprint of one of the vectors' keys. */
static inline const char *test_fingerprint(const char *name)
{
    static char fingerprints[8][KEY_FINGERPRINT_BYTES];
    static size_t next;
    struct buf bytes = {0};
    struct error err = ERROR_INIT;
    struct pubkey *key = NULL;
    char *slot = fingerprints[next++ % 8];

    ck_assert_msg(test_read_key(NULL, name, &bytes, &err), "%s", err.text);
    ck_assert_msg(pubkey_parse_pem(buf_as_span(&bytes), &key, &err), "%s", err.text);
    memcpy(slot, pubkey_fingerprint(key), KEY_FINGERPRINT_BYTES);
    pubkey_free(key);
    buf_free(&bytes);
    return slot;
}

/* "host/path:tag" as a runtime on containerd gives it, with TEST_DIGEST. */
static inline struct policy_image test_image(const char *host, const char *repository, const char *tag)
{
    struct policy_image image = {.host = host, .repository = repository, .tag = tag};

    ck_assert(digest_parse(span_str(TEST_DIGEST), &image.digest));
    return image;
}

/* What a decision came to, for tables. */
struct test_outcome {
    bool satisfied, warned;
    enum reason reason;
    char message[600], policy[200], authority[100], key_id[200];
    char *report;
};

static inline struct test_outcome test_decide(const struct policy_set *set, const struct policy_image *image,
                                              struct claims *claims, enum no_match no_match)
{
    struct policy_needs needs = {0};
    struct policy_decision decision = {0};
    struct test_outcome out = {0};
    struct error err = ERROR_INIT;

    claims->image = image->digest;
    ck_assert_msg(policy_needs(set, image, &needs, &err), "%s", err.text);
    ck_assert_msg(policy_decide(set, image, claims, &needs, no_match, TEST_NOW, true, &decision, &err), "%s", err.text);
    out.satisfied = decision.satisfied;
    out.warned = decision.warned;
    out.reason = decision.reason;
    (void)snprintf(out.message, sizeof(out.message), "%s", decision.message != NULL ? decision.message : "");
    (void)snprintf(out.policy, sizeof(out.policy), "%s", decision.policy != NULL ? decision.policy : "");
    (void)snprintf(out.authority, sizeof(out.authority), "%s", decision.authority != NULL ? decision.authority : "");
    (void)snprintf(out.key_id, sizeof(out.key_id), "%s", decision.key_id != NULL ? decision.key_id : "");
    out.report = TAKE_PTR(decision.report);
    policy_decision_done(&decision);
    /* Without a report the answer must be the same. */
    ck_assert(policy_decide(set, image, claims, &needs, no_match, TEST_NOW, false, &decision, &err));
    ck_assert_int_eq(decision.satisfied, out.satisfied);
    ck_assert_int_eq(decision.reason, out.reason);
    ck_assert_str_eq(decision.message, out.message);
    policy_decision_done(&decision);
    policy_needs_done(&needs);
    return out;
}

#endif
