/* SPDX-License-Identifier: Apache-2.0 */
/* What cosign 3.1.1 stores for keys, in every layout: accepted with the right key, refused with anything changed. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/init.h"
#include "tests/unit/harness.h"
#include "tests/unit/verifier_run.h"

static const struct sample {
    const char *repository; /* where the signatures lie */
    const char *image;      /* repository of the image, NULL = the same */
    const char *key;
    bool attestation;
    enum claim_layout layout;
    size_t claims;          /* by this key */
    const char *annotation, *value;
    size_t rounds;
} samples[] = {
    {"demo/legacy", NULL, "cosign.pub", false, LAYOUT_LEGACY, 1, "team", "infra", 2},
    {"demo/bundle", NULL, "cosign.pub", false, LAYOUT_BUNDLE, 2, "team", "infra", 3},
    {"demo/att-legacy", NULL, "cosign.pub", true, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"demo/att-bundle", NULL, "cosign.pub", true, LAYOUT_BUNDLE, 2, NULL, NULL, 3},
    {"demo/mixed", NULL, "cosign.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 3},
    {"demo/mixed", NULL, "prime256v1.pub", false, LAYOUT_BUNDLE, 1, NULL, NULL, 3},
    {"demo/sigs", NULL, "cosign.pub", false, LAYOUT_LEGACY, 4, NULL, NULL, 2},
    {"demo/sigs", NULL, "rsa2048.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"demo/exp", NULL, "cosign.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 3},
    {"demo/dockermt", NULL, "cosign.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"demo/multi-legacy", NULL, "cosign.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"demo/multi-bundle", NULL, "cosign.pub", false, LAYOUT_BUNDLE, 1, NULL, NULL, 3},
    {"demo/multi-indexonly", NULL, "cosign.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"demo/key-legacy-r1", NULL, "cosign.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"demo/key-bundle-r1", NULL, "cosign.pub", false, LAYOUT_BUNDLE, 1, NULL, NULL, 3},
    {"demo/key-bundle-r2", NULL, "cosign.pub", false, LAYOUT_BUNDLE, 1, NULL, NULL, 3},
    {"sigstore-sigs", "demo/nosig", "cosign.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 3},
    {"sigstore-sigs", "demo/nosig", "cosign.pub", false, LAYOUT_BUNDLE, 1, NULL, NULL, 3},
    {"alg/legacy-prime256v1", NULL, "prime256v1.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"alg/legacy-secp384r1", NULL, "secp384r1.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"alg/legacy-secp521r1", NULL, "secp521r1.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"alg/legacy-rsa2048", NULL, "rsa2048.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"alg/legacy-rsa4096", NULL, "rsa4096.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"alg/legacy-ed25519", NULL, "ed25519.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2},
    {"alg/bundle-secp384r1", NULL, "secp384r1.pub", false, LAYOUT_BUNDLE, 1, NULL, NULL, 3},
    {"alg/bundle-rsa3072", NULL, "rsa3072.pub", false, LAYOUT_BUNDLE, 1, NULL, NULL, 3},
    {"alg/bundle-ed25519", NULL, "ed25519.pub", false, LAYOUT_BUNDLE, 1, NULL, NULL, 3},
};

static void run_start(struct run *run, const struct sample *sample, const char *key, bool signatures, bool attestations)
{
    struct pubkey *own = test_key(key);

    run_begin(run, own, sample->repository, signatures, attestations);
    run->own_key = own;
    test_registry_load(&run->registry, sample->repository);
    if (sample->image)
        test_registry_load(&run->registry, sample->image);
    run->input.image = test_registry_image(&run->registry, sample->image ? sample->image : sample->repository);
    run->input.now = 1795450000;
}

static size_t count(const struct run *run, enum claim_kind kind, enum claim_layout layout)
{
    size_t found = 0;

    for (size_t i = 0; i < run->claims.count; i++)
        found += run->claims.items[i].kind == kind && run->claims.items[i].layout == layout;
    return found;
}

static bool has_reason(const struct run *run, enum reason reason)
{
    for (size_t i = 0; i < run->claims.finding_count; i++)
        if (run->claims.findings[i].reason == reason)
            return true;
    return false;
}

static const char *why(const struct run *run)
{
    return run->claims.finding_count > 0 ? run->claims.findings[0].text : "no finding";
}

START_TEST(the_right_key_verifies)
{
    const struct sample *sample = &samples[_i];
    struct run run;
    const struct claim *claim = NULL;

    run_start(&run, sample, sample->key, !sample->attestation, sample->attestation);
    run_go(&run);
    ck_assert_msg(count(&run, sample->attestation ? CLAIM_ATTESTATION : CLAIM_SIGNATURE, sample->layout) ==
                      sample->claims,
                  "%s: %zu claims, %s", sample->repository, run.claims.count, why(&run));
    ck_assert_uint_eq(run.rounds, sample->rounds);
    for (size_t i = 0; i < run.claims.count; i++) {
        claim = &run.claims.items[i];
        ck_assert_str_eq(claim->key_fingerprint, pubkey_fingerprint(run.own_key));
        ck_assert_int_eq(claim->signer, SIGNER_KEY);
        ck_assert_uint_gt(claim->payload.len, 0);
        ck_assert_int_eq(claim->docker_reference != NULL, claim->layout == LAYOUT_LEGACY && !sample->attestation);
        ck_assert_int_eq(claim->predicate_type != NULL, claim->layout == LAYOUT_BUNDLE || sample->attestation);
        ck_assert_int_eq(claim->statement != NULL, sample->attestation);
    }
    if (sample->annotation) {
        bool found = false;

        for (size_t i = 0; i < run.claims.count; i++)
            for (size_t j = 0; j < run.claims.items[i].annotation_count; j++) {
                const struct claim_annotation *annotation = &run.claims.items[i].annotations[j];

                found = found || (annotation->is_string && span_eq_str(annotation->key, sample->annotation) &&
                                  span_eq_str(annotation->value, sample->value));
            }
        ck_assert(found);
    }
    run_done(&run);
}
END_TEST

START_TEST(another_key_does_not)
{
    const struct sample *sample = &samples[_i];
    static const char *const others[] = {"cosign.pub", "prime256v1.pub", "secp384r1.pub", "rsa2048.pub", "rsa4096.pub",
                                         "ed25519.pub"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct run run;

        if (strcmp(others[i], sample->key) == 0 || strcmp(sample->repository, "demo/mixed") == 0 ||
            strcmp(sample->repository, "demo/sigs") == 0)
            continue;
        run_start(&run, sample, others[i], !sample->attestation, sample->attestation);
        run_go(&run);
        ck_assert_uint_eq(run.claims.count, 0);
        ck_assert_msg(has_reason(&run, REASON_WRONG_KEY), "%s with %s: %s", sample->repository, others[i], why(&run));
        run_done(&run);
    }
}
END_TEST

/* The same evidence served for another image: signatures copied over are refused, whatever the tags say. */
START_TEST(another_image_does_not)
{
    const struct sample *sample = &samples[_i];
    struct run run;
    char from[DIGEST_TEXT_BYTES], to[DIGEST_TEXT_BYTES];

    run_start(&run, sample, sample->key, !sample->attestation, sample->attestation);
    digest_format(&run.input.image, from);
    run.input.image.bytes[0] ^= 1;
    digest_format(&run.input.image, to);
    from[6] = to[6] = '-';
    for (size_t i = 0; i < run.registry.count; i++)
        if (strncmp(run.registry.items[i].target, from, 71) == 0)
            memcpy(run.registry.items[i].target, to, 71);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_msg(has_reason(&run, REASON_DIGEST_MISMATCH), "%s: %s", sample->repository, why(&run));
    run_done(&run);
}
END_TEST

/* Each object fetched, one bit changed: its digest says so, and nothing of it counts. */
START_TEST(changed_bytes_are_noticed)
{
    const struct sample *sample = &samples[_i];
    struct run run;

    run_start(&run, sample, sample->key, !sample->attestation, sample->attestation);
    for (size_t i = 0; i < run.registry.count; i++) {
        struct test_object *object = &run.registry.items[i];
        uint8_t *bytes = object->answer.owned;

        if (object->kind == WANT_BLOB)
            bytes[object->answer.body.len / 2] ^= 1;
    }
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert(has_reason(&run, REASON_DIGEST_MISMATCH));
    run_done(&run);
}
END_TEST

START_TEST(cut_bytes_are_noticed)
{
    const struct sample *sample = &samples[_i];
    struct run run;

    run_start(&run, sample, sample->key, !sample->attestation, sample->attestation);
    for (size_t i = 0; i < run.registry.count; i++)
        if (run.registry.items[i].kind == WANT_BLOB && run.registry.items[i].answer.body.len > 0)
            run.registry.items[i].answer.body.len--;
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert(has_reason(&run, REASON_DIGEST_MISMATCH));
    run_done(&run);
}
END_TEST

/* Trap 10: an attestation by the right key is no signature, and the other way round. */
START_TEST(an_attestation_is_no_signature)
{
    static const struct sample bundle = {"demo/att-bundle", NULL, "cosign.pub", true, LAYOUT_BUNDLE, 2, NULL, NULL, 3};
    struct run run;

    run_start(&run, &bundle, "cosign.pub", true, false);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    run_done(&run);
    run_start(&run, &bundle, "cosign.pub", true, true);
    run_go(&run);
    ck_assert_uint_eq(count(&run, CLAIM_SIGNATURE, LAYOUT_BUNDLE), 0);
    ck_assert_uint_eq(count(&run, CLAIM_ATTESTATION, LAYOUT_BUNDLE), 2);
    run_done(&run);
}
END_TEST

START_TEST(nothing_there_is_no_claim_and_no_fault)
{
    static const struct sample none = {"demo/nosig", NULL, "cosign.pub", false, LAYOUT_LEGACY, 0, NULL, NULL, 1};
    struct run run;

    run_start(&run, &none, "cosign.pub", true, true);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_uint_eq(run.claims.finding_count, 0);
    ck_assert_uint_eq(run.rounds, 1);
    ck_assert_uint_eq(run.registry.requests, 4); /* .sig, .att, referrers, fallback: all at once */
    run_done(&run);
}
END_TEST

/* Only the index was signed: a platform's manifest has nothing (sigstore.md 1.1). */
START_TEST(a_platform_of_a_signed_index_is_not_signed)
{
    static const struct sample index = {
        "demo/multi-indexonly", NULL, "cosign.pub", false, LAYOUT_LEGACY, 1, NULL, NULL, 2};
    struct run run;
    const struct test_object *other = NULL;

    run_start(&run, &index, "cosign.pub", true, false);
    for (size_t i = 0; i < run.registry.count; i++)
        if (run.registry.items[i].kind == WANT_MANIFEST &&
            strncmp(run.registry.items[i].target, "sha256:db0b", 11) == 0)
            other = &run.registry.items[i];
    ck_assert_ptr_nonnull(other);
    ck_assert(digest_parse(span_str(other->target), &run.input.image));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    run_done(&run);
}
END_TEST

START_TEST(notary_signatures_are_named)
{
    static const char *const repositories[] = {"demo2/notation-jws", "demo2/notation-cose"};
    struct sample sample = {repositories[_i], NULL, "cosign.pub", false, LAYOUT_BUNDLE, 0, NULL, NULL, 2};
    struct run run;

    run_start(&run, &sample, "cosign.pub", true, false);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert(has_reason(&run, REASON_UNSUPPORTED));
    run_done(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_samples");
    TCase *cases = tcase_create("samples");
    int all = (int)(sizeof(samples) / sizeof(samples[0]));
    struct error err = ERROR_INIT;

    if (!crypto_init(&err))
        return EXIT_FAILURE;
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, the_right_key_verifies, 0, all);
    tcase_add_loop_test(cases, another_key_does_not, 0, all);
    tcase_add_loop_test(cases, another_image_does_not, 0, all);
    tcase_add_loop_test(cases, changed_bytes_are_noticed, 0, all);
    tcase_add_loop_test(cases, cut_bytes_are_noticed, 0, all);
    tcase_add_test(cases, an_attestation_is_no_signature);
    tcase_add_test(cases, nothing_there_is_no_claim_and_no_fault);
    tcase_add_test(cases, a_platform_of_a_signed_index_is_not_signed);
    tcase_add_loop_test(cases, notary_signatures_are_named, 0, 2);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
