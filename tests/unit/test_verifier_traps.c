/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures by the right key that say something else, and registries that lie (sigstore.md section 0). */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "crypto/init.h"
#include "tests/lib/test_signer.h"
#include "tests/unit/harness.h"
#include "tests/unit/verifier_run.h"

#define HEX "3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
#define OTHER "0000b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
#define SIG_TAG "sha256-" HEX ".sig"
#define REPO "team/app"

static struct privkey *key;

static void run_start(struct run *run)
{
    run_begin(run, privkey_public(key), REPO, true, false);
    ck_assert(digest_parse(span_str("sha256:" HEX), &run->input.image));
}

/* reason OK: exactly one claim; else none, and one finding with that reason. */
static void expect(const struct run *run, enum reason reason, const char *what)
{
    const struct finding *finding = run->claims.finding_count > 0 ? &run->claims.findings[0] : NULL;

    if (reason == REASON_OK) {
        ck_assert_msg(run->claims.count == 1, "%s: %zu claims, %s", what, run->claims.count,
                      finding ? finding->text : "");
        return;
    }
    ck_assert_msg(run->claims.count == 0, "%s: accepted", what);
    ck_assert_msg(finding != NULL, "%s: no finding", what);
    ck_assert_msg(finding->reason == reason, "%s: %s (%s)", what, reason_name(finding->reason), finding->text);
}

#define CRITICAL(ref, digest, type)                                                                                    \
    "\"critical\":{\"identity\":{\"docker-reference\":" ref "},\"image\":{\"docker-manifest-digest\":" digest          \
    "},\"type\":" type "}"
#define GOOD_CRITICAL CRITICAL("\"r.example/a\"", "\"sha256:" HEX "\"", "\"cosign container image signature\"")

static const struct {
    const char *payload;
    enum reason reason;
} payloads[] = {
    {"{" GOOD_CRITICAL ",\"optional\":null}", REASON_OK},
    {"{" GOOD_CRITICAL "}", REASON_OK},
    {"{" GOOD_CRITICAL ",\"optional\":{\"a\":\"b\",\"n\":42}}", REASON_OK},
    {" {\n" GOOD_CRITICAL ",\"optional\":{}}\n", REASON_OK}, /* spacing is the signer's */
    {"{" CRITICAL("\"r\"", "\"sha256:" OTHER "\"", "\"cosign container image signature\"") "}", REASON_DIGEST_MISMATCH},
    {"{" CRITICAL("\"r\"", "\"sha256:" HEX "\"", "\"atomic container signature\"") "}", REASON_MALFORMED},
    {"{" CRITICAL("\"r\"", "\"sha256:" HEX "\"", "\"https://sigstore.dev/cosign/sign/v1\"") "}", REASON_MALFORMED},
    {"{" CRITICAL("\"r\"", "42", "\"cosign container image signature\"") "}", REASON_MALFORMED},
    {"{" CRITICAL("null", "\"sha256:" HEX "\"", "\"cosign container image signature\"") "}", REASON_MALFORMED},
    {"{" CRITICAL("\"r\"", "\"" HEX "\"", "\"cosign container image signature\"") "}", REASON_MALFORMED},
    {"{" CRITICAL("\"r\"", "\"sha256:" HEX "00\"", "\"cosign container image signature\"") "}", REASON_MALFORMED},
    {"{\"critical\":{\"identity\":{\"docker-reference\":\"r\"},\"image\":{\"docker-manifest-digest\":\"sha256:" HEX
     "\"}}}",
     REASON_MALFORMED},
    {"{" GOOD_CRITICAL "," GOOD_CRITICAL "}", REASON_MALFORMED},
    {"{" CRITICAL("\"r\"", "\"sha256:" OTHER "\"", "\"cosign container image signature\"") "," GOOD_CRITICAL "}",
     REASON_MALFORMED},
    {"{" GOOD_CRITICAL ",\"more\":1}", REASON_MALFORMED},
    {"{\"critical\":{\"identity\":{\"docker-reference\":\"r\",\"x\":1},\"image\":{\"docker-manifest-digest\":"
     "\"sha256:" HEX "\"},\"type\":\"cosign container image signature\"}}",
     REASON_MALFORMED},
    {"{\"critical\":{\"more\":1,\"identity\":{\"docker-reference\":\"r\"},\"image\":{\"docker-manifest-digest\":"
     "\"sha256:" HEX "\"},\"type\":\"cosign container image signature\"}}",
     REASON_MALFORMED},
    {"{\"critical\":{\"identity\":{\"docker-reference\":\"r\"},\"image\":{\"docker-manifest-digest\":\"sha256:" HEX
     "\",\"more\":1},\"type\":\"cosign container image signature\"}}",
     REASON_MALFORMED},
    {"{" GOOD_CRITICAL ",\"optional\":[]}", REASON_MALFORMED},
    {"{" GOOD_CRITICAL ",\"optional\":{\"a\":\"b\",\"a\":\"c\"}}", REASON_MALFORMED},
    {"{" GOOD_CRITICAL "}x", REASON_MALFORMED},
    {"{" GOOD_CRITICAL "}{}", REASON_MALFORMED},
    {"{" GOOD_CRITICAL "", REASON_MALFORMED},
    {"[]", REASON_MALFORMED},
    {"sha256:" HEX, REASON_MALFORMED},
    {"{" CRITICAL("\"\xff\"", "\"sha256:" HEX "\"", "\"cosign container image signature\"") "}", REASON_MALFORMED},
};

START_TEST(payloads_are_strict)
{
    struct test_layer layer = {.payload = span_str(payloads[_i].payload)};
    struct buf signature;
    struct run run;

    run_start(&run);
    test_sign(key, layer.payload, &signature);
    layer.signature = buf_as_span(&signature);
    test_put_layers(&run.registry, REPO, SIG_TAG, &layer, 1);
    run_go(&run);
    expect(&run, payloads[_i].reason, payloads[_i].payload);
    run_done(&run);
    buf_free(&signature);
}
END_TEST

#define GOOD_PAYLOAD "{" GOOD_CRITICAL ",\"optional\":{\"a\":\"b\"}}"

START_TEST(signatures_are_strict)
{
    struct test_layer layer = {.payload = span_str(GOOD_PAYLOAD)};
    struct buf signature;
    static const char *const texts[] = {"", "*", "AAAA", "MEUCIQ==", "not base64 at all!", " "};
    struct run run;

    test_sign(key, layer.payload, &signature);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        layer.signature_text = texts[i];
        run_start(&run);
        test_put_layers(&run.registry, REPO, SIG_TAG, &layer, 1);
        run_go(&run);
        expect(&run, REASON_BAD_SIGNATURE, texts[i]);
        run_done(&run);
    }
    layer.signature_text = NULL;
    buf_byte(&signature, 0); /* DER with something behind it */
    layer.signature = buf_as_span(&signature);
    run_start(&run);
    test_put_layers(&run.registry, REPO, SIG_TAG, &layer, 1);
    run_go(&run);
    expect(&run, REASON_BAD_SIGNATURE, "trailing byte");
    run_done(&run);
    buf_free(&signature);
}
END_TEST

/* One good layer among bad ones is enough, and the bad ones are told. */
START_TEST(layers_are_alternatives)
{
    struct test_layer layers[3] = {
        {.payload = span_str("{}")}, {.payload = span_str(GOOD_PAYLOAD)}, {.payload = span_str("x")}};
    struct buf signature;
    struct run run;

    test_sign(key, layers[1].payload, &signature);
    for (size_t i = 0; i < 3; i++)
        layers[i].signature = buf_as_span(&signature);
    run_start(&run);
    test_put_layers(&run.registry, REPO, SIG_TAG, layers, 3);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_uint_eq(run.claims.items[0].place.layer, 1);
    ck_assert_str_eq(run.claims.items[0].docker_reference, "r.example/a");
    ck_assert_uint_eq(run.claims.finding_count, 2);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_WRONG_KEY);
    run_done(&run);
    buf_free(&signature);
}
END_TEST

#define STATEMENT(type, subjects, predicate_type)                                                                      \
    "{\"_type\":\"" type "\",\"subject\":" subjects ",\"predicateType\":\"" predicate_type                             \
    "\",\"predicate\":{\"a\":\"z\"}}"
#define V1 "https://in-toto.io/Statement/v1"
#define SIGN "https://sigstore.dev/cosign/sign/v1"
#define SUBJECT "{\"digest\":{\"sha256\":\"" HEX "\"},\"annotations\":{\"a\":\"b\"}}"
#define WRONG_SUBJECT "{\"digest\":{\"sha256\":\"" OTHER "\"},\"annotations\":{\"a\":\"wrong\"}}"

static const struct {
    const char *statement;
    enum reason reason;
    size_t annotations;
} statements[] = {
    {STATEMENT(V1, "[" SUBJECT "]", SIGN), REASON_OK, 1},
    {STATEMENT("https://in-toto.io/Statement/v0.1", "[" SUBJECT "]", SIGN), REASON_OK, 1},
    {STATEMENT(V1, "[{\"digest\":{\"sha256\":\"" HEX "\"}}]", SIGN), REASON_OK, 0},
    {STATEMENT(V1, "[{\"name\":\"x\",\"digest\":{\"sha256\":\"" HEX "\",\"sha512\":\"00\"},\"annotations\":{}}]", SIGN),
     REASON_OK, 0},
    {STATEMENT(V1, "[" WRONG_SUBJECT "," SUBJECT "]", SIGN), REASON_OK, 1},
    {STATEMENT(V1, "[" SUBJECT "," SUBJECT "]", SIGN), REASON_OK, 1},
    {STATEMENT(V1, "[" WRONG_SUBJECT "]", SIGN), REASON_DIGEST_MISMATCH, 0},
    {STATEMENT(V1, "[{\"digest\":{\"sha512\":\"" HEX "\"}}]", SIGN), REASON_DIGEST_MISMATCH, 0},
    {STATEMENT(V1, "[{\"digest\":{\"sha256\":\"sha256:" HEX "\"}}]", SIGN), REASON_DIGEST_MISMATCH, 0},
    {STATEMENT(V1, "[]", SIGN), REASON_MALFORMED, 0},
    {STATEMENT(V1, "[{\"digest\":{\"sha256\":42}}]", SIGN), REASON_MALFORMED, 0},
    {STATEMENT(V1, "[{\"name\":\"sha256:" HEX "\"}]", SIGN), REASON_MALFORMED, 0},
    {STATEMENT(V1, "{}", SIGN), REASON_MALFORMED, 0},
    {STATEMENT("https://in-toto.io/Statement/v2", "[" SUBJECT "]", SIGN), REASON_UNSUPPORTED, 0},
    {STATEMENT(V1, "[" SUBJECT "]", "https://cyclonedx.org/bom"), REASON_NO_SIGNATURE, 0},
    {STATEMENT(V1, "[" SUBJECT "]", SIGN "/"), REASON_NO_SIGNATURE, 0},
    {STATEMENT(V1, "[" SUBJECT "]", ""), REASON_NO_SIGNATURE, 0},
    {"{\"_type\":\"" V1 "\",\"subject\":[" SUBJECT "],\"predicate\":{}}", REASON_MALFORMED, 0},
    {"{\"_type\":\"" V1 "\",\"_type\":\"" V1 "\",\"subject\":[" SUBJECT "],\"predicateType\":\"" SIGN "\"}",
     REASON_MALFORMED, 0},
    {STATEMENT(V1, "[" SUBJECT "]", SIGN) "x", REASON_MALFORMED, 0},
    {"", REASON_MALFORMED, 0},
};

static void put_bundle(struct run *run, struct span bundle, const char *members)
{
    struct buf descriptors = BUF_INIT(100000);

    test_put_bundle(&run->registry, REPO, bundle, members, &descriptors);
    test_put_index(&run->registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    buf_free(&descriptors);
}

START_TEST(statements_are_strict)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(statements[_i].statement), &bundle);
    put_bundle(&run, buf_as_span(&bundle), NULL);
    run_go(&run);
    expect(&run, statements[_i].reason, statements[_i].statement);
    if (statements[_i].reason == REASON_OK) {
        ck_assert_uint_eq(run.claims.items[0].annotation_count, statements[_i].annotations);
        if (statements[_i].annotations > 0)
            ck_assert(span_eq_str(run.claims.items[0].annotations[0].value, "b"));
    }
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

/* A good bundle with one piece of its text replaced. */
static const struct {
    const char *from, *to;
    enum reason reason;
} edits[] = {
    {"bundle.v0.3+json", "bundle+json;version=0.3", REASON_OK},
    {"bundle.v0.3+json", "bundle+json;version=0.2", REASON_OK},
    {"bundle.v0.3+json", "bundle+json;version=0.1", REASON_OK},
    {"bundle.v0.3+json", "bundle.v0.4+json", REASON_UNSUPPORTED},
    {"bundle.v0.3+json", "bundle+json;version=99.9", REASON_UNSUPPORTED},
    {"{\"mediaType\"", "{\"more\":1,\"mediaType\"", REASON_MALFORMED},
    {"{\"mediaType\"", "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"mediaType\"",
     REASON_MALFORMED},
    {"\"verificationMaterial\":{", "\"verificationMaterial\":{\"x\":null,", REASON_MALFORMED},
    {"\"verificationMaterial\":{", "\"verificationMaterial\":{\"tlogEntries\":null,\"timestampVerificationData\":null,",
     REASON_OK},
    {"\"verificationMaterial\":{", "\"verificationMaterial\":{\"tlogEntries\":[],\"timestampVerificationData\":{},",
     REASON_OK},
    {"\"verificationMaterial\":{", "\"verificationMaterial\":{\"tlogEntries\":{},", REASON_MALFORMED},
    {"\"verificationMaterial\":{", "\"verificationMaterial\":{\"tlogEntries\":[{}],", REASON_MALFORMED},
    {"\"verificationMaterial\":{", "\"verificationMaterial\":{\"certificate\":{\"rawBytes\":\"AAAA\"},",
     REASON_MALFORMED},
    {"{\"publicKey\":{", "{\"certificate\":{\"rawBytes\":\"AAAA\"},\"x\":{", REASON_MALFORMED},
    {"\"publicKey\"", "\"publickey\"", REASON_MALFORMED},
    {"\"publicKey\":{\"hint\":\"", "\"x509CertificateChain\":{\"certificates\":[]},\"publicKey\":{\"hint\":\"",
     REASON_MALFORMED},
    {"\"hint\":\"", "\"hint\":\"another", REASON_OK}, /* a hint only */
    {"\"dsseEnvelope\"", "\"messageSignature\":{\"signature\":\"AAAA\"},\"dsseEnvelope\"", REASON_MALFORMED},
    {"\"dsseEnvelope\"", "\"messageSignature\"", REASON_MALFORMED},
    {"application/vnd.in-toto+json", "application/vnd.in-toto", REASON_UNSUPPORTED},
    {"\"signatures\":[", "\"signatures\":[{\"sig\":\"AAAA\"},", REASON_MALFORMED},
    {"{\"sig\":\"", "{\"keyid\":\"x\",\"sig\":\"", REASON_OK},
    {"{\"sig\":\"", "{\"key\":\"x\",\"sig\":\"", REASON_MALFORMED},
    {"{\"sig\":\"", "{\"sig\":\"=", REASON_MALFORMED},
    {"\"payload\":\"", "\"payload\":\" ", REASON_MALFORMED},
    {"\"payload\":\"", "\"payload\":\"AAAA",
     REASON_BAD_SIGNATURE}, /* the hint names the key: the signature is broken */
};

START_TEST(bundles_are_strict)
{
    struct buf bundle, edited = BUF_INIT(100000);
    struct run run;
    size_t at;

    test_bundle(key, span_str(statements[0].statement), &bundle);
    at = span_find(buf_as_span(&bundle), edits[_i].from);
    ck_assert_uint_ne(at, SIZE_MAX);
    buf_append(&edited, bundle.ptr, at);
    buf_str(&edited, edits[_i].to);
    buf_span(&edited, span_cut(buf_as_span(&bundle), at + strlen(edits[_i].from), SIZE_MAX));
    run_start(&run);
    put_bundle(&run, buf_as_span(&edited), NULL);
    run_go(&run);
    expect(&run, edits[_i].reason, edits[_i].to);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&edited);
}
END_TEST

/* Manifests under the .sig tag that are not what they should be. */
#define CONFIG "\"config\":{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":2}"
static const struct {
    const char *manifest, *type;
    enum reason reason;
} manifests[] = {
    {"{\"schemaVersion\":1," CONFIG ",\"layers\":[]}", NULL, REASON_UNSUPPORTED},
    {"{" CONFIG ",\"layers\":[]}", NULL, REASON_MALFORMED},
    {"{\"schemaVersion\":2,\"layers\":[]}", NULL, REASON_MALFORMED},
    {"{\"schemaVersion\":2," CONFIG "}", NULL, REASON_MALFORMED},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}", NULL, REASON_MALFORMED},
    {"{\"schemaVersion\":2,\"manifests\":[]}", NULL, REASON_MALFORMED},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "application/vnd.oci.image.index.v1+json", REASON_MALFORMED},
    {"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"," CONFIG ",\"layers\":[]}", NULL,
     REASON_UNSUPPORTED},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:00\",\"size\":1}]}", NULL,
     REASON_MALFORMED},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX "\",\"size\":-1}]}",
     NULL, REASON_MALFORMED},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX "\",\"size\":\"1\"}]}",
     NULL, REASON_MALFORMED},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX
     "\",\"size\":1,\"annotations\":{\"a\":1}}]}",
     NULL, REASON_MALFORMED},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX
     "\",\"size\":2000000}]}",
     NULL, REASON_LIMIT},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX "\",\"size\":1}]}",
     NULL, REASON_FETCH_FAILED},
    {"<html>", "text/html", REASON_MALFORMED},
    {"", NULL, REASON_MALFORMED},
};

START_TEST(manifests_are_strict)
{
    struct run run;

    run_start(&run);
    test_registry_put(&run.registry, WANT_MANIFEST, REPO, SIG_TAG, manifests[_i].type, NULL,
                      span_str(manifests[_i].manifest));
    run_go(&run);
    expect(&run, manifests[_i].reason, manifests[_i].manifest);
    run_done(&run);
}
END_TEST

START_TEST(a_descriptor_that_lies_about_its_size)
{
    struct test_layer layer = {.payload = span_str(GOOD_PAYLOAD)};
    struct test_object *object;
    struct buf signature;
    struct run run;
    char *at;

    run_start(&run);
    test_sign(key, layer.payload, &signature);
    layer.signature = buf_as_span(&signature);
    test_put_layers(&run.registry, REPO, SIG_TAG, &layer, 1);
    object = test_registry_find(&run.registry, WANT_MANIFEST, REPO, SIG_TAG);
    at = strstr(object->answer.owned, "\"size\":"); /* the config's */
    at = strstr(at + 1, "\"size\":") + 7;
    at[0]++;
    run_go(&run);
    expect(&run, REASON_DIGEST_MISMATCH, "size");
    run_done(&run);
    buf_free(&signature);
}
END_TEST

START_TEST(listings_by_the_api_and_its_pages)
{
    static const char next[] = "</v2/" REPO "/referrers/sha256:" HEX "?page=2>; rel=\"next\"";
    struct buf bundle, first = BUF_INIT(10000), second = BUF_INIT(10000);
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(statements[0].statement), &bundle);
    buf_str(&first,
            "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":5,\"digest\":\"sha256:" OTHER
            "\"}");
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &second);
    test_put_index(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, next, buf_cstr(&first));
    test_put_index(&run.registry, WANT_PAGE, REPO, "/v2/" REPO "/referrers/sha256:" HEX "?page=2", next,
                   buf_cstr(&second));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_FETCH_FAILED); /* the one that is listed and not there */
    run_done(&run);
    buf_free(&bundle);
    buf_free(&first);
    buf_free(&second);
}
END_TEST

START_TEST(pages_on_other_hosts_are_not_followed)
{
    static const char *const links[] = {
        "<https://evil.example/v2/x>; rel=\"next\"", "<//evil.example/v2/x>; rel=\"next\"", "<?page=2>; rel=\"next\"",
        "</v1/x>; rel=\"next\"", "</v2/x y>; rel=\"next\"", "<", ">;rel=\"next\"<", "</v2/x>; rel=\"prev\"", "",
        "<https://" TEST_HOST ".evil.example/v2/x>; rel=\"next\"",
    };

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        struct run run;

        run_start(&run);
        test_put_index(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, links[i], "");
        run_go(&run);
        ck_assert_msg(run.rounds == 1, "%s", links[i]);
        run_done(&run);
    }
}
END_TEST

START_TEST(a_page_on_the_same_host_by_its_url)
{
    struct buf bundle, descriptors = BUF_INIT(10000);
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(statements[0].statement), &bundle);
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
    test_put_index(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX,
                   "</x>; rel=prev, <https://" TEST_HOST "/v2/next?a=b>; rel=\"next\"", "");
    test_put_index(&run.registry, WANT_PAGE, REPO, "/v2/next?a=b", NULL, buf_cstr(&descriptors));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&descriptors);
}
END_TEST

/* 200 with another type: the API is not there, the fallback tag counts (sigstore.md 2.5). */
START_TEST(a_listing_of_another_type_is_none)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(statements[0].statement), &bundle);
    test_registry_put(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, "text/html", NULL, span_str("<html>"));
    put_bundle(&run, buf_as_span(&bundle), NULL);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_uint_eq(run.claims.finding_count, 0);
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

/* A registry that resolves the fallback tag to the image's own index: nothing found, nothing fetched, no fault. */
START_TEST(the_image_is_not_its_own_referrer)
{
    static const char index[] =
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"size\":2,\"digest\":\"sha256:" HEX "\"}]}";
    char digest[DIGEST_TEXT_BYTES], tag[DIGEST_TEXT_BYTES];
    struct run run;

    run_start(&run);
    ck_assert(digest_compute(DIGEST_SHA256, span_str(index), &run.input.image));
    (void)snprintf(tag, sizeof(tag), "sha256-%s", digest_format(&run.input.image, digest) + 7);
    test_registry_put(&run.registry, WANT_MANIFEST, REPO, tag, "application/vnd.oci.image.index.v1+json", NULL,
                      span_str(index));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_uint_eq(run.claims.finding_count, 0);
    ck_assert_uint_eq(run.rounds, 1);
    run_done(&run);
}
END_TEST

START_TEST(foreign_referrers_hide_nothing)
{
    struct buf bundle, descriptors = BUF_INIT(1000000);
    struct run run;
    char digest[DIGEST_TEXT_BYTES];

    run_start(&run);
    for (int i = 0; i < 100; i++) {
        char manifest[600];

        (void)snprintf(manifest, sizeof(manifest),
                       "{\"schemaVersion\":2,\"artifactType\":\"application/spdx+json\"," CONFIG
                       ",\"layers\":[],\"annotations\":{\"n\":\"%d\"}}",
                       i);
        test_registry_put_digest(&run.registry, WANT_MANIFEST, REPO, NULL, span_str(manifest), digest);
        buf_printf(&descriptors,
                   "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":%zu,\"digest\":\"%s\","
                   "\"artifactType\":\"application/spdx+json\"}%s", strlen(manifest), digest, i < 99 ? "," : "");
    }
    test_bundle(key, span_str(statements[0].statement), &bundle);
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
    test_put_index(&run.registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_LIMIT);
    ck_assert_int_eq(run.claims.findings[1].reason, REASON_NO_SIGNATURE);
    ck_assert_uint_le(run.registry.requests, 3 + LIMIT_REFERRERS + 1);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&descriptors);
}
END_TEST

/* Whoever asks for more than signatures puts it into the list first: it must still be there, and numbers stay distinct.
 */
START_TEST(wants_are_added_to)
{
    struct wants wants = {0};
    struct error err = ERROR_INIT;
    struct run run;

    run_start(&run);
    ck_assert(wants_add(&wants, WANT_MANIFEST, TEST_HOST, "other", "v1", 1024, &err));
    ck_assert(verify_wants(&run.input, &run.set, &wants, &err));
    ck_assert_uint_gt(wants.count, 1);
    ck_assert_str_eq(wants.items[0].repository, "other");
    for (size_t i = 1; i < wants.count; i++)
        ck_assert_uint_ne(wants.items[i].id, wants.items[i - 1].id);
    wants_done(&wants);
    run_done(&run);
}
END_TEST

/* A hundred attestations of our own kind, said so by the listing, take no place of the one signature behind them. */
START_TEST(attestations_crowd_nothing_out)
{
    struct buf bundle, descriptors = BUF_INIT(1000000);
    struct run run;
    char digest[DIGEST_TEXT_BYTES];

    run_start(&run);
    for (int i = 0; i < 100; i++) {
        char manifest[200];

        (void)snprintf(manifest, sizeof(manifest),
                       "{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"annotations\":{\"n\":\"%d\"}}", i);
        test_registry_put_digest(&run.registry, WANT_MANIFEST, REPO, NULL, span_str(manifest), digest);
        buf_printf(
            &descriptors,
            "{\"mediaType\":\"application/"
            "vnd.oci.image.manifest.v1+json\",\"size\":%zu,\"digest\":\"%s\",\"artifactType\":"
            "\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"annotations\":{\"dev.sigstore.bundle.predicateType\":"
            "\"https://cosign.sigstore.dev/attestation/vuln/v1\"}}%s",
            strlen(manifest), digest, i < 99 ? "," : "");
    }
    test_bundle(key, span_str(statements[0].statement), &bundle);
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
    test_put_index(&run.registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_uint_eq(run.claims.finding_count, 0);
    ck_assert_uint_le(run.registry.requests, 3 + 2);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&descriptors);
}
END_TEST

/* The annotation is cosign's hint: an SBOM is not even fetched where signatures are wanted. */
START_TEST(hints_save_requests)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(statements[0].statement), &bundle);
    put_bundle(&run, buf_as_span(&bundle),
               ",\"annotations\":{\"dev.sigstore.bundle.predicateType\":\"https://cyclonedx.org/bom\"}");
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_uint_eq(run.rounds, 2);
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

/* A referrer's manifest that is not the one of its digest: another space is another manifest. */
START_TEST(referrers_are_held_to_their_digest)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(statements[0].statement), &bundle);
    put_bundle(&run, buf_as_span(&bundle), " ");
    for (size_t i = 0; i < run.registry.count; i++) {
        struct test_object *object = &run.registry.items[i];

        if (object->kind == WANT_MANIFEST && strncmp(object->target, "sha256:", 7) == 0)
            ((uint8_t *)object->answer.owned)[object->answer.body.len - 2] = '\n';
    }
    run_go(&run);
    expect(&run, REASON_DIGEST_MISMATCH, "manifest");
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

START_TEST(a_listing_must_be_an_index)
{
    struct run run;

    run_start(&run);
    test_registry_put(&run.registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, NULL,
                      span_str("{\"schemaVersion\":2," CONFIG ",\"layers\":[]}"));
    run_go(&run);
    expect(&run, REASON_MALFORMED, "fallback tag");
    run_done(&run);
}
END_TEST

START_TEST(a_signature_is_no_attestation)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    run.place.signatures = false;
    run.place.attestations = true;
    test_bundle(key, span_str(statements[0].statement), &bundle);
    put_bundle(&run, buf_as_span(&bundle), NULL);
    run_go(&run);
    expect(&run, REASON_NO_ATTESTATION, "signature");
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

START_TEST(errors_are_told_apart_from_absence)
{
    static const enum reason reasons[] = {REASON_FETCH_FAILED, REASON_TIMEOUT, REASON_UNAUTHORIZED, REASON_LIMIT};
    struct run run;

    for (size_t i = 0; i < 4; i++) {
        run_start(&run);
        test_registry_fail(&run.registry, WANT_MANIFEST, REPO, SIG_TAG, reasons[i], "as said");
        run_go(&run);
        expect(&run, reasons[i], "look-up");
        ck_assert_str_eq(run.claims.findings[0].text, "as said");
        run_done(&run);
    }
    run_start(&run);
    test_registry_fail(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, REASON_INTERNAL, NULL);
    run_go(&run);
    expect(&run, REASON_FETCH_FAILED, "no reason given");
    run_done(&run);
}
END_TEST

START_TEST(tag_prefixes_and_other_repositories)
{
    struct test_layer layer = {.payload = span_str(GOOD_PAYLOAD)};
    struct verify_place places[2] = {{TEST_HOST, REPO, "", true, false},
                                     {"other.example:5000", "sigs", "pre-", true, false}};
    struct buf signature;
    struct run run;

    run_start(&run);
    test_sign(key, layer.payload, &signature);
    layer.signature = buf_as_span(&signature);
    test_put_layers(&run.registry, "sigs", "pre-" SIG_TAG, &layer, 1);
    run.input.places = places;
    run.input.place_count = 2;
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_str_eq(run.claims.items[0].place.repository, "other.example:5000/sigs");
    ck_assert_str_eq(run.claims.items[0].place.tag_prefix, "pre-");
    ck_assert_str_eq(run.claims.items[0].place.manifest, "pre-" SIG_TAG);
    run_done(&run);
    buf_free(&signature);
}
END_TEST

/* Numbers go on over the rounds, and nothing is asked twice. */
START_TEST(questions_are_numbered_and_asked_once)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(statements[0].statement), &bundle);
    put_bundle(&run, buf_as_span(&bundle), NULL);
    run_go(&run);
    for (size_t i = 0; i < run.set.count; i++) {
        ck_assert_uint_eq(run.set.wants[i].id, i + 1);
        for (size_t j = 0; j < i; j++)
            ck_assert(run.set.wants[i].kind != run.set.wants[j].kind ||
                      strcmp(run.set.wants[i].target, run.set.wants[j].target) != 0);
    }
    ck_assert_uint_eq(run.set.count, 5);
    ck_assert_uint_eq(run.rounds, 3);
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

START_TEST(signature_checks_are_bounded)
{
    struct test_layer *layers = mem_new(1000, sizeof(*layers));
    struct verify_key anchors[8];
    struct buf signature;
    struct run run;

    test_sign(key, span_str("something else"), &signature);
    for (size_t i = 0; i < 1000; i++)
        layers[i] = (struct test_layer){.payload = span_str(GOOD_PAYLOAD), .signature = buf_as_span(&signature)};
    run_start(&run);
    for (size_t i = 0; i < 8; i++)
        anchors[i] = run.anchor;
    run.input.keys = anchors;
    run.input.key_count = 8;
    test_put_layers(&run.registry, REPO, SIG_TAG, layers, 1000);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_uint_eq(run.claims.finding_count, 1000);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_WRONG_KEY);
    ck_assert_int_eq(run.claims.findings[999].reason, REASON_LIMIT);
    run_done(&run);
    buf_free(&signature);
    mem_free(layers);
}
END_TEST

/* More layers than are ever looked at: the rest is left out and said so; the signature in front of them counts. */
START_TEST(too_many_layers_hide_nothing)
{
    enum { LAYERS = 1000, MANIFESTS = 20 };
    struct buf bundle, manifest = BUF_INIT(1000000), descriptors = BUF_INIT(1000000);
    char digest[DIGEST_TEXT_BYTES];
    bool said = false;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(statements[0].statement), &bundle);
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
    for (int i = 0; i < MANIFESTS; i++) {
        buf_clear(&manifest);
        buf_printf(&manifest,
                   "{\"schemaVersion\":2,\"annotations\":{\"n\":\"%d\"},\"config\":{\"mediaType\":"
                   "\"application/vnd.dev.cosign.artifact.sig.v1+json\",\"size\":2,\"digest\":\"sha256:" HEX "\"},"
                   "\"layers\":[", i);
        for (int j = 0; j < LAYERS; j++)
            buf_printf(&manifest,
                       "%s{\"mediaType\":\"application/vnd.dev.cosign.simplesigning.v1+json\",\"size\":2,"
                       "\"digest\":\"sha256:" HEX "\"}", j > 0 ? "," : "");
        buf_str(&manifest, "]}");
        test_registry_put_digest(&run.registry, WANT_MANIFEST, REPO, NULL, buf_as_span(&manifest), digest);
        buf_printf(&descriptors,
                   ",{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":%zu,\"digest\":\"%s\"}",
                   manifest.len, digest);
    }
    test_put_index(&run.registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    for (size_t i = 0; i < run.claims.finding_count; i++)
        said |= run.claims.findings[i].reason == REASON_LIMIT;
    ck_assert(said);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&manifest);
    buf_free(&descriptors);
}
END_TEST

#define LOOP(list, test) tcase_add_loop_test(cases, test, 0, (int)(sizeof(list) / sizeof(list[0])))

int main(void)
{
    Suite *suite = suite_create("verifier_traps");
    TCase *cases = tcase_create("traps");
    struct error err = ERROR_INIT;
    int result;

    if (!crypto_init(&err) || !privkey_generate(&key, &err))
        return EXIT_FAILURE;
    tcase_set_timeout(cases, 60);
    LOOP(payloads, payloads_are_strict);
    LOOP(statements, statements_are_strict);
    LOOP(edits, bundles_are_strict);
    LOOP(manifests, manifests_are_strict);
    tcase_add_test(cases, signatures_are_strict);
    tcase_add_test(cases, layers_are_alternatives);
    tcase_add_test(cases, a_descriptor_that_lies_about_its_size);
    tcase_add_test(cases, listings_by_the_api_and_its_pages);
    tcase_add_test(cases, pages_on_other_hosts_are_not_followed);
    tcase_add_test(cases, a_page_on_the_same_host_by_its_url);
    tcase_add_test(cases, a_listing_of_another_type_is_none);
    tcase_add_test(cases, the_image_is_not_its_own_referrer);
    tcase_add_test(cases, foreign_referrers_hide_nothing);
    tcase_add_test(cases, wants_are_added_to);
    tcase_add_test(cases, attestations_crowd_nothing_out);
    tcase_add_test(cases, hints_save_requests);
    tcase_add_test(cases, referrers_are_held_to_their_digest);
    tcase_add_test(cases, a_listing_must_be_an_index);
    tcase_add_test(cases, a_signature_is_no_attestation);
    tcase_add_test(cases, errors_are_told_apart_from_absence);
    tcase_add_test(cases, tag_prefixes_and_other_repositories);
    tcase_add_test(cases, questions_are_numbered_and_asked_once);
    tcase_add_test(cases, signature_checks_are_bounded);
    tcase_add_test(cases, too_many_layers_hide_nothing);
    suite_add_tcase(suite, cases);
    result = run_suite(suite);
    privkey_free(key);
    return result;
}
