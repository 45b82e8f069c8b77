/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestations as large as they may be: a 64 MiB SBOM in both layouts, in bounded memory and time; larger ones, and
 * floods of large ones, are refused before they are fetched. PG_QUICK=1 uses 8 MiB (sanitizers).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/init.h"
#include "tests/lib/test_signer.h"
#include "tests/unit/harness.h"
#include "tests/unit/verifier_run.h"

#define HEX "3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
#define REPO "team/app"

enum { LARGE_PAYLOAD = 200 * 1024 };

static struct privkey *key;

/* A CycloneDX-like statement of about this many bytes. */
static void make_statement(size_t bytes, struct buf *ret)
{
    size_t number = 0;

    *ret = (struct buf)BUF_INIT(LIMIT_ATTESTATION_BYTES);
    buf_str(ret,
            "{\"_type\":\"https://in-toto.io/Statement/v0.1\",\"subject\":[{\"name\":\"r.example/team/app\",\"digest\":"
            "{\"sha256\":\"" HEX
            "\"}}],\"predicateType\":\"https://cyclonedx.org/bom\",\"predicate\":{\"components\":[");
    while (ret->len < bytes) {
        buf_printf(
            ret,
            "%s{\"type\":\"library\",\"name\":\"package-%zu\",\"version\":\"1.%zu.0\",\"purl\":\"pkg:deb/debian/"
            "package-%zu@1.%zu.0\","
            "\"licenses\":[{\"license\":{\"id\":\"Apache-2.0\"}}],\"hashes\":[{\"alg\":\"SHA-256\",\"content\":\"" HEX
            "\"}]}",
            number > 0 ? "," : "", number, number % 100, number, number % 100);
        number++;
    }
    buf_str(ret, "]}}");
    ck_assert(buf_ok(ret));
}

static void run_start(struct run *run)
{
    run_begin(run, privkey_public(key), REPO, false, true);
    ck_assert(digest_parse(span_str("sha256:" HEX), &run->input.image));
}

static void put_bundle(struct run *run, struct span statement)
{
    struct buf bundle, descriptors = BUF_INIT(10000);

    test_bundle(key, statement, &bundle);
    test_put_bundle(&run->registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
    test_put_index(&run->registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    buf_free(&bundle);
    buf_free(&descriptors);
}

static void put_legacy(struct run *run, struct span statement)
{
    struct buf pae, signature, envelope = BUF_INIT(LIMIT_ATTESTATION_BYTES);
    struct test_layer layer = {.media_type = "application/vnd.dsse.envelope.v1+json", .signature_text = ""};

    test_pae("application/vnd.in-toto+json", statement, &pae);
    test_sign(key, buf_as_span(&pae), &signature);
    buf_free(&pae);
    buf_str(&envelope, "{\"payloadType\":\"application/vnd.in-toto+json\",\"payload\":\"");
    base64_encode(statement, &envelope);
    buf_str(&envelope, "\",\"signatures\":[{\"keyid\":\"\",\"sig\":\"AAAA\"},{\"keyid\":\"\",\"sig\":\"");
    base64_encode(buf_as_span(&signature), &envelope);
    buf_str(&envelope, "\"}]}");
    layer.payload = buf_as_span(&envelope);
    test_put_layers(&run->registry, REPO, "sha256-" HEX ".att", &layer, 1);
    buf_free(&envelope);
    buf_free(&signature);
}

static long peak_kib(void)
{
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

START_TEST(a_large_sbom_is_verified)
{
    size_t bytes = (secure_getenv("PG_QUICK") ? 8u : 64u) * 1024 * 1024;
    struct buf statement;
    struct error err = ERROR_INIT;
    struct run run;
    int64_t start;
    long before;

    make_statement(bytes, &statement);
    run_start(&run);
    if (_i == 0)
        put_bundle(&run, buf_as_span(&statement));
    else
        put_legacy(&run, buf_as_span(&statement));
    buf_free(&statement);
    before = peak_kib();
    start = mono_ms();
    (void)test_registry_run(&run.registry, &run.input, &run.set);
    ck_assert_msg(verify_claims(&run.input, &run.set, &run.claims, &err), "%s", err.text);
    if (secure_getenv("PG_VERBOSE"))
        printf("%zu MiB, %s: %d ms, peak %ld -> %ld MiB\n", bytes >> 20, _i == 0 ? "bundle" : "legacy",
               (int)(mono_ms() - start), before / 1024, peak_kib() / 1024);
    ck_assert_msg(run.claims.count == 1, "%s", run.claims.finding_count > 0 ? run.claims.findings[0].text : "nothing");
    ck_assert_int_eq(run.claims.items[0].kind, CLAIM_ATTESTATION);
    ck_assert_uint_gt(node_get(node_get(run.claims.items[0].statement, "predicate"), "components")->count, bytes / 400);
    ck_assert_int_lt((int)(mono_ms() - start), 10000); /* a loaded machine; about 1.5 s otherwise */
    run_done(&run);
}
END_TEST

/* A thousand layers that name one large payload, and several keys: bounded work, then a finding that says so. */
START_TEST(one_large_payload_many_times)
{
    struct test_layer *layers = mem_new(1000, sizeof(*layers));
    struct verify_key anchors[4];
    struct buf payload = BUF_INIT(LARGE_PAYLOAD), signature;
    struct error err = ERROR_INIT;
    struct run run;
    struct pubkey *slow = test_key("secp521r1.pub");

    memset(buf_reserve(&payload, LARGE_PAYLOAD), ' ', LARGE_PAYLOAD);
    test_sign(key, span_str("something else"), &signature);
    for (size_t i = 0; i < 1000; i++)
        layers[i] = (struct test_layer){.payload = buf_as_span(&payload), .signature = buf_as_span(&signature)};
    run_start(&run);
    run.place.signatures = true;
    run.place.attestations = false;
    for (size_t i = 0; i < 4; i++)
        anchors[i] = (struct verify_key){_i == 0 ? run.anchor.key : slow, DIGEST_NONE};
    run.input.keys = anchors;
    run.input.key_count = 4;
    test_put_layers(&run.registry, REPO, "sha256-" HEX ".sig", layers, 1000);
    (void)test_registry_run(&run.registry, &run.input, &run.set);
    ck_assert_msg(verify_claims(&run.input, &run.set, &run.claims, &err), "%s", err.text);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_uint_eq(run.claims.finding_count, 1000);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_WRONG_KEY);
    /* P-256 keys share one hash of one blob; P-521 tries two hashes each time. */
    ck_assert_int_eq(run.claims.findings[999].reason, _i == 0 ? REASON_WRONG_KEY : REASON_LIMIT);
    run_done(&run);
    buf_free(&payload);
    buf_free(&signature);
    pubkey_free(slow);
    mem_free(layers);
}
END_TEST

/* Their sizes say that they cannot be: not one byte of them is asked for. */
START_TEST(floods_are_not_fetched)
{
    struct buf descriptors = BUF_INIT(100000);
    struct run run;
    char digest[DIGEST_TEXT_BYTES];

    run_start(&run);
    for (int i = 0; i < 8; i++) {
        char manifest[800];

        (void)snprintf(manifest, sizeof(manifest),
                       "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
                       "\",\"size\":2},\"layers\":"
                       "[{\"mediaType\":\"application/"
                       "vnd.dev.sigstore.bundle.v0.3+json\",\"digest\":\"sha256:%c%s\",\"size\":%d}]}",
                       'a' + i % 6, &HEX[1], i == 7 ? LIMIT_ATTESTATION_BYTES + 1 : 100 * 1024 * 1024);
        test_registry_put_digest(&run.registry, WANT_MANIFEST, REPO, NULL, span_str(manifest), digest);
        buf_printf(&descriptors,
                   "%s{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":%zu,\"digest\":\"%s\"}",
                   i > 0 ? "," : "", strlen(manifest), digest);
    }
    test_put_index(&run.registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    (void)test_registry_run(&run.registry, &run.input, &run.set);
    ck_assert_uint_eq(run.registry.most_blobs, 1); /* one of 100 MiB fits into what one decision may fetch */
    run_done(&run);
    buf_free(&descriptors);
}
END_TEST

/* A statement with so many of each; the last subject is the image. */
static void put_statement(struct run *run, size_t subjects, size_t digests, size_t depth)
{
    struct buf statement = BUF_INIT(1 << 20), bundle, descriptors = BUF_INIT(1 << 20);

    buf_str(&statement, "{\"_type\":\"https://in-toto.io/Statement/v1\","
                        "\"predicateType\":\"https://spdx.dev/Document\",\"subject\":[");
    for (size_t i = 1; i < subjects; i++)
        buf_printf(&statement, "{\"digest\":{\"sha256\":\"%064zx\"}},", i);
    buf_str(&statement, "{\"digest\":{");
    for (size_t i = 1; i < digests; i++)
        buf_printf(&statement, "\"other-%zu\":\"00\",", i);
    buf_str(&statement, "\"sha256\":\"" HEX "\"}}],\"predicate\":");
    for (size_t i = 0; i < depth; i++)
        buf_str(&statement, i % 2 ? "{\"a\":" : "[");
    buf_str(&statement, "1");
    for (size_t i = depth; i > 0; i--)
        buf_str(&statement, i % 2 ? "]" : "}");
    buf_str(&statement, "}");
    test_bundle(key, buf_as_span(&statement), &bundle);
    test_put_bundle(&run->registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
    test_put_index(&run->registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    buf_free(&statement);
    buf_free(&bundle);
    buf_free(&descriptors);
}

/* Each limit, and one more than it. */
static const struct {
    size_t subjects, digests, depth;
    bool good;
} much[] = {
    {1, 1, 1, true},
    {LIMIT_STATEMENT_SUBJECTS, 1, 1, true},
    {LIMIT_STATEMENT_SUBJECTS + 1, 1, 1, false},
    {1, LIMIT_SUBJECT_DIGESTS, 1, true},
    {1, LIMIT_SUBJECT_DIGESTS + 1, 1, false},
    {1, 1, LIMIT_TREE_DEPTH - 1, true}, /* the statement itself is one level */
    {1, 1, LIMIT_TREE_DEPTH, false},
    {1, 1, 100 * 1000, false},
};

START_TEST(statements_have_limits)
{
    struct run run;

    run_start(&run);
    put_statement(&run, much[_i].subjects, much[_i].digests, much[_i].depth);
    run_go(&run);
    ck_assert_msg(run.claims.count == (much[_i].good ? 1 : 0), "row %d: %s", _i,
                  run.claims.finding_count ? run.claims.findings[0].text : "");
    if (!much[_i].good)
        ck_assert_int_eq(run.claims.findings[0].reason, REASON_LIMIT);
    run_done(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_large");
    TCase *cases = tcase_create("large");
    struct error err = ERROR_INIT;
    int result;

    if (!crypto_init(&err) || !privkey_generate(&key, &err))
        return EXIT_FAILURE;
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, a_large_sbom_is_verified, 0, 2);
    tcase_add_loop_test(cases, one_large_payload_many_times, 0, 2);
    tcase_add_test(cases, floods_are_not_fetched);
    tcase_add_loop_test(cases, statements_have_limits, 0, ARRAY_LEN(much));
    suite_add_tcase(suite, cases);
    result = run_suite(suite);
    privkey_free(key);
    return result;
}
