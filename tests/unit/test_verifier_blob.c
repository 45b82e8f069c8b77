/* SPDX-License-Identifier: Apache-2.0 */
/* Bundle files and detached signatures beside an artifact (verify-blob, verify-bundle). */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/init.h"
#include "tests/lib/test_registry.h"
#include "tests/lib/test_signer.h"
#include "tests/unit/harness.h"
#include "verifier/claims.h"
#include "verifier/trustroot.h"
#include "verifier/verify.h"

static struct privkey *key;
static const char artifact_text[] = "some bytes to sign\n";

struct run {
    struct verify_key anchor;
    struct verify_input input;
    struct verify_artifact artifact;
    struct claims claims;
};

static void run_start(struct run *run)
{
    memset(run, 0, sizeof(*run));
    run->anchor = (struct verify_key){privkey_public(key), DIGEST_NONE};
    run->input = (struct verify_input){.keys = &run->anchor, .key_count = 1, .now = 1795451700};
    run->artifact = (struct verify_artifact){.bytes = span_str(artifact_text), .has_bytes = true};
}

static void run_go(struct run *run, const struct verify_file *file)
{
    struct error err = ERROR_INIT;

    ck_assert_msg(verify_file(&run->input, file, &run->artifact, &run->claims, &err), "%s", err.text);
}

static void expect(struct run *run, enum reason reason)
{
    if (reason == REASON_OK) {
        ck_assert_msg(run->claims.count == 1, "%s",
                      run->claims.finding_count > 0 ? run->claims.findings[0].text : "nothing");
        ck_assert_int_eq(run->claims.items[0].kind, CLAIM_SIGNATURE);
    } else {
        ck_assert_uint_eq(run->claims.count, 0);
        ck_assert_msg(run->claims.findings[0].reason == reason, "%s: %s", reason_name(run->claims.findings[0].reason),
                      run->claims.findings[0].text);
    }
    claims_done(&run->claims);
}

static struct digest digest_of(enum digest_alg alg, const char *text)
{
    struct digest digest;

    ck_assert(digest_compute(alg, span_str(text), &digest));
    return digest;
}

/* algorithm NULL: without messageDigest. */
static struct buf message_bundle(const char *algorithm, const char *digest_over)
{
    struct digest digest =
        digest_of(algorithm && strcmp(algorithm, "SHA2_512") == 0 ? DIGEST_SHA512 : DIGEST_SHA256, digest_over);
    struct buf signature, bundle = BUF_INIT(10000);

    test_sign(key, span_str(artifact_text), &signature);
    buf_str(
        &bundle,
        "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"verificationMaterial\":{\"publicKey\":{}},"
        "\"messageSignature\":{");
    if (algorithm) {
        buf_printf(&bundle, "\"messageDigest\":{\"algorithm\":\"%s\",\"digest\":\"", algorithm);
        base64_encode(span_of(digest.bytes, digest_size(digest.alg)), &bundle);
        buf_str(&bundle, "\"},");
    }
    buf_str(&bundle, "\"signature\":\"");
    base64_encode(buf_as_span(&signature), &bundle);
    buf_str(&bundle, "\"}}");
    buf_free(&signature);
    return bundle;
}

START_TEST(message_signatures)
{
    static const struct {
        const char *algorithm, *over, *artifact;
        enum reason with_bytes, with_digest;
    } cases[] = {
        {"SHA2_256", artifact_text, artifact_text, REASON_OK, REASON_OK},
        {NULL, artifact_text, artifact_text, REASON_OK, REASON_OK},
        {"SHA2_512", artifact_text, artifact_text, REASON_OK, REASON_DIGEST_MISMATCH}, /* only SHA-256 is known then */
        {"SHA2_256", "other", artifact_text, REASON_DIGEST_MISMATCH, REASON_DIGEST_MISMATCH},
        {"SHA2_256", "other", "other", REASON_WRONG_KEY, REASON_WRONG_KEY},
        {NULL, "other", "other", REASON_WRONG_KEY, REASON_WRONG_KEY},
        {"SHA2_224", artifact_text, artifact_text, REASON_UNSUPPORTED, REASON_UNSUPPORTED},
        {"SHA256", artifact_text, artifact_text, REASON_UNSUPPORTED, REASON_UNSUPPORTED},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf bundle = message_bundle(cases[i].algorithm, cases[i].over);
        const struct verify_file file = {.bundle = buf_as_span(&bundle)};
        struct run run;

        run_start(&run);
        run.artifact.bytes = span_str(cases[i].artifact);
        run_go(&run, &file);
        expect(&run, cases[i].with_bytes);
        run.artifact = (struct verify_artifact){.digest = digest_of(DIGEST_SHA256, cases[i].artifact)};
        run_go(&run, &file);
        expect(&run, cases[i].with_digest);
        buf_free(&bundle);
    }
}
END_TEST

START_TEST(detached_signatures)
{
    struct buf signature, text = BUF_INIT(1000), lines = BUF_INIT(1000);
    struct verify_file file = {0};
    struct run run;

    test_sign(key, span_str(artifact_text), &signature);
    base64_encode(buf_as_span(&signature), &text);
    buf_str(&text, "\n");
    run_start(&run);
    file.signature = buf_as_span(&text);
    run_go(&run, &file);
    expect(&run, REASON_OK);
    buf_printf(&lines, "%.60s\n%s", buf_cstr(&text), buf_cstr(&text) + 60); /* as base64(1) writes longer ones */
    file.signature = buf_as_span(&lines);
    run_go(&run, &file);
    expect(&run, REASON_OK);
    file.signature = buf_as_span(&signature);
    run_go(&run, &file);
    expect(&run, REASON_OK);
    run.artifact = (struct verify_artifact){.digest = digest_of(DIGEST_SHA256, artifact_text)};
    run_go(&run, &file);
    expect(&run, REASON_OK);
    run.artifact = (struct verify_artifact){.bytes = span_str("other"), .has_bytes = true};
    run_go(&run, &file);
    expect(&run, REASON_WRONG_KEY);
    file.signature = span_str("");
    run_go(&run, &file);
    expect(&run, REASON_BAD_SIGNATURE);
    file.signature = span_str("what is this");
    run_go(&run, &file);
    expect(&run, REASON_BAD_SIGNATURE);
    buf_free(&signature);
    buf_free(&text);
    buf_free(&lines);
}
END_TEST

/* The images' own bundles, as files: subject = the digest given. */
START_TEST(bundles_of_images)
{
    static const char *const repositories[] = {"demo/kl-bundle-r1", "demo/kl-bundle-r2", "demo/key-bundle-r1",
                                               "demo/bundle"};
    struct span root_bytes = test_vector("keys/mock_trusted_root.json");
    struct trust_root *root = NULL;
    const struct trust_root *roots[1];
    struct error err = ERROR_INIT;

    ck_assert(trust_root_parse(root_bytes, &root, &err));
    roots[0] = root;
    for (size_t i = 0; i < 4; i++) {
        struct test_registry registry = {0};
        struct pubkey *cosign = test_key("cosign.pub");
        struct run run;

        run_start(&run);
        test_registry_load(&registry, repositories[i]);
        run.anchor.key = cosign;
        run.input.roots = roots;
        run.input.root_count = 1;
        run.artifact = (struct verify_artifact){.digest = test_registry_image(&registry, repositories[i])};
        for (size_t j = 0; j < registry.count; j++) {
            const struct verify_file file = {.bundle = registry.items[j].answer.body};

            if (registry.items[j].kind != WANT_BLOB || span_find(file.bundle, "sigstore.bundle") == SIZE_MAX)
                continue;
            run_go(&run, &file);
            expect(&run, REASON_OK);
            run.artifact.digest.bytes[0] ^= 1;
            run_go(&run, &file);
            expect(&run, REASON_DIGEST_MISMATCH);
            run.artifact.digest.bytes[0] ^= 1;
        }
        test_registry_done(&registry);
        pubkey_free(cosign);
    }
    trust_root_free(root);
    mem_free((void *)(uintptr_t)root_bytes.ptr);
}
END_TEST

/* A message signature over the manifest, attached to the image: it is about exactly these bytes. */
START_TEST(message_signature_on_an_image)
{
    struct buf bundle = message_bundle("SHA2_256", artifact_text);
    struct buf descriptors = BUF_INIT(10000);
    struct verify_place place = {TEST_HOST, "a", "", true, false};
    struct test_registry registry = {0};
    struct evidence_set set = {0};
    struct error err = ERROR_INIT;
    char digest[DIGEST_TEXT_BYTES], tag[DIGEST_TEXT_BYTES];
    struct run run;

    run_start(&run);
    run.input.places = &place;
    run.input.place_count = 1;
    run.input.image = digest_of(DIGEST_SHA256, artifact_text);
    (void)snprintf(tag, sizeof(tag), "sha256-%s", digest_format(&run.input.image, digest) + 7);
    test_put_bundle(&registry, "a", buf_as_span(&bundle), NULL, &descriptors);
    test_put_index(&registry, WANT_MANIFEST, "a", tag, NULL, buf_cstr(&descriptors));
    (void)test_registry_run(&registry, &run.input, &set);
    ck_assert(verify_claims(&run.input, &set, &run.claims, &err));
    ck_assert_uint_eq(run.claims.count, 0); /* a signature over a file is none over an image */
    expect(&run, REASON_NO_SIGNATURE);
    evidence_set_done(&set);
    test_registry_done(&registry);
    buf_free(&bundle);
    buf_free(&descriptors);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_blob");
    TCase *cases = tcase_create("blob");
    struct error err = ERROR_INIT;
    int result;

    if (!crypto_init(&err) || !privkey_generate(&key, &err))
        return EXIT_FAILURE;
    tcase_add_test(cases, message_signatures);
    tcase_add_test(cases, detached_signatures);
    tcase_add_test(cases, bundles_of_images);
    tcase_add_test(cases, message_signature_on_an_image);
    suite_add_tcase(suite, cases);
    result = run_suite(suite);
    privkey_free(key);
    return result;
}
