/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures by the right key that say something else, and registries that lie (sigstore.md section 0). */
#include "tests/unit/verifier_traps.h"

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

/*
 * `base64 payload.sig > FILE; cosign attach signature --signature FILE`, as cosign's documents have it for keys that
 * sign elsewhere: the file's line ends are in the annotation, and cosign reads past them.
 */
START_TEST(attached_signatures_have_line_ends)
{
    static const char *const ends[] = {"\\n", "\\r\\n"};
    struct test_layer layer = {.payload = span_str(GOOD_PAYLOAD)};
    struct buf signature, base64 = BUF_INIT(1000);
    struct run run;

    test_sign(key, layer.payload, &signature);
    base64_encode(buf_as_span(&signature), &base64);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char text[300];

        (void)snprintf(text, sizeof(text), "%.76s%s%s%s", buf_cstr(&base64), ends[i], buf_cstr(&base64) + 76, ends[i]);
        layer.signature_text = text;
        run_start(&run);
        test_put_layers(&run.registry, REPO, SIG_TAG, &layer, 1);
        run_go(&run);
        expect(&run, REASON_OK, text);
        run_done(&run);
    }
    buf_free(&signature);
    buf_free(&base64);
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

/* A blob that could not be fetched is that, not a blob that lies; and it is told once. */
START_TEST(a_blob_that_is_not_to_be_had)
{
    static const struct {
        enum reason given, told;
    } rows[] = {{REASON_TIMEOUT, REASON_TIMEOUT}, {REASON_FETCH_FAILED, REASON_FETCH_FAILED},
                {REASON_OK, REASON_FETCH_FAILED}, {REASON_INTERNAL, REASON_FETCH_FAILED}};
    struct test_layer layer = {.payload = span_str(GOOD_PAYLOAD)};
    char digest[DIGEST_TEXT_BYTES];
    struct buf signature;
    struct run run;

    test_sign(key, layer.payload, &signature);
    layer.signature = buf_as_span(&signature);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        run_start(&run);
        test_put_layers(&run.registry, REPO, SIG_TAG, &layer, 1);
        test_registry_put_digest(&run.registry, WANT_BLOB, REPO, NULL, layer.payload, digest);
        test_registry_fail(&run.registry, WANT_BLOB, REPO, digest, rows[i].given, "r: is not to be had");
        run_go(&run);
        expect(&run, rows[i].told, "blob");
        ck_assert_uint_eq(run.claims.finding_count, 1);
        ck_assert_ptr_nonnull(strstr(run.claims.findings[0].text, "r: is not to be had"));
        run_done(&run);
    }
    buf_free(&signature);
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

/* In an .att layer a statement is an attestation whatever its type, cosign's own for signatures too. */
START_TEST(an_attestation_layer_is_no_signature)
{
    static const char before[] = "\"dsseEnvelope\":";
    struct test_layer layer = {.media_type = "application/vnd.dsse.envelope.v1+json", .signature_text = ""};
    struct buf bundle;
    struct run run;

    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    layer.payload = span_cut(buf_as_span(&bundle), span_find(buf_as_span(&bundle), before) + strlen(before), SIZE_MAX);
    layer.payload.len--; /* the bundle's own brace */
    run_start(&run);
    run.place.attestations = true;
    test_put_layers(&run.registry, REPO, "sha256-" HEX ".att", &layer, 1);
    run_go(&run);
    expect(&run, REASON_OK, "envelope");
    ck_assert_int_eq(run.claims.items[0].kind, CLAIM_ATTESTATION);
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
    tcase_add_test(cases, attached_signatures_have_line_ends);
    tcase_add_test(cases, layers_are_alternatives);
    tcase_add_test(cases, a_descriptor_that_lies_about_its_size);
    tcase_add_test(cases, a_blob_that_is_not_to_be_had);
    tcase_add_test(cases, a_signature_is_no_attestation);
    tcase_add_test(cases, an_attestation_layer_is_no_signature);
    tcase_add_test(cases, signature_checks_are_bounded);
    suite_add_tcase(suite, cases);
    result = run_suite(suite);
    privkey_free(key);
    return result;
}
