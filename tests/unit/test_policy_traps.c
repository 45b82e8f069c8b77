/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other verifiers got wrong, and the test here that would notice. Each line names a file below tests/ and words
 * that must stand in it; the first test checks that they do. What had no test elsewhere has one below.
 *
 * policy-controller
 * | an annotations field that is ignored, so that the constraint vanishes: policy/bad-annotations-in-key.yaml # ERROR:
 * | annotations that nobody signed counted: unit/test_policy_traps.c # unsigned_annotations_are_none
 * | absent, of another value, case or type: unit/test_policy_decide.c # a number is no text
 * | two conflicting values for one annotation: policy/bad-annotation-conflict.yaml # ERROR:
 * | key and bundle and annotations refused: unit/test_policy_decide.c # annotations in a bundle
 * | a tag in a glob that a pull by digest never has: policy/warn-glob-tag.yaml # WARNING:
 * | ... and a message that names it: unit/test_policy_decide.c # of policy \"p\" wants a tag
 * | ':' is no separator, repo* also covers repo-evil: policy/warn-glob-no-separator.yaml # WARNING:
 * | CVE-2022-35930, an attestation of another type counts: unit/test_policy_decide.c # attested with another type
 * | ... through the whole program: cli/test_samples.py # no_attestation
 * | an authority with attestations forgets the signature: unit/test_policy_decide.c # attested, and not signed
 * | ... and says so: policy/bad-signed-and-attested-alone.yaml # ERROR:
 * | one bad attestation beside a good one refuses: unit/test_policy_decide.c # one good attestation of a type is enough
 * | attestations listed without a cryptographic check: unit/test_verifier_samples.c # changed_bytes_are_noticed
 * | plain errors admit, only "field errors" deny: unit/test_policy_fault.c # a_cluster_policy_is_not_missed
 * | a policy whose key cannot be read is dropped: unit/test_policy_traps.c # a_broken_document_drops_nothing
 * | ... by the engine: cli/test_doctor.py # test_policies_that_do_not_load
 * | a typo in signatureFormat means legacy: policy/bad-format.yaml # ERROR:
 * | a ctlog that names nothing is ignored: policy/bad-ctlog-empty.yaml # ERROR:
 * | ca-cert parses and can never verify: policy/bad-keyless-ca-cert.yaml # ERROR:
 * | the second key of key.data is not read: policy/good-two-keys-one-data.yaml # WARNING:
 * | an unknown word for no match: unit/test_policy_decide.c # no_match_is_what_the_settings_say
 * | CUE takes missing data for agreement: unit/test_policy_condition.c # missing data inside none
 * | CUE and Rego that would be skipped: policy/bad-attestation-rego.yaml # ERROR:
 * | a heredoc indents the first line of a key only: policy/bad-pem-heredoc.yaml # ERROR:
 * cosign
 * | any statement is a signature: unit/test_policy_decide.c # a bundle of another type called signature is none
 * | ... through the whole program: cli/test_samples.py # attestations_are_no_signatures_and_the_other_way_round
 * | the first of the images decides the layout for all: unit/test_verifier_samples.c # {"demo/mixed"
 * | critical.type is not looked at: unit/test_verifier_traps.c # atomic container signature
 * | a missing timestamp is forgiven when one is asked for: cli/test_samples.py # no_timestamp
 * | the header claims what was not checked: cli/test_verify.py # test_header_claims_only_what_was_checked
 * | duplicate members, the last one counts: unit/test_verifier_traps.c # GOOD_CRITICAL "," GOOD_CRITICAL
 * | kindVersion is compared with itself: unit/test_verifier_rekor.c # kind_and_version_are_the_bodys
 * | its own P-384, P-521 and Ed25519ph signatures refused: cli/test_samples.py # "alg/legacy-ed25519"
 * | the later of two issuers wins: unit/test_crypto_cert.c # issuers-differ
 * | a signature moved to another image: cli/test_samples.py # test_none_counts_for_another_image
 * | verify-blob with a signature over another blob: cli/test_blob.py # test_detached_refusals
 * Connaisseur, Kyverno, Ratify
 * | one key counted twice in a threshold: unit/test_policy_threshold.c # one key twice is one
 * | ... in two guises: unit/test_policy_threshold.c # one key by itself and in a certificate is one
 * | expressions such as gmail.* that match anywhere: policy/warn-regex.yaml # WARNING:
 * | refusals and errors cached for long: fault/run.py # denied image is not kept
 * | expressions that blow up: unit/test_policy_regex.c # START_TEST
 * Portieris, Talos, Bottlerocket, containerd
 * | a policy without content allows: policy/bad-no-authorities.yaml # ERROR:
 * | an empty file allows: policy/bad-empty.yaml # ERROR:
 * | no matching policy, or none at all, allows: unit/test_policy_decide.c # NO_MATCH_DENY, false
 * | a runtime that silently stops to ask: cli/test_doctor.py # test_every_fallback_trigger_in_version_3_files
 * | an absent directory of verifiers allows: cli/test_doctor.py # test_missing_and_empty_directory
 * containers/image
 * | a chain is taken from the annotation only: unit/test_verifier_keyless.c # a_chain_annotation_helps
 * | scopes that no lookup asks for: policy/bad-containers-dead-scope-port.json.expect # never looked up
 * | ... also with a * where none stands: policy/warn-containers-scopes.json.expect # never looked up
 * | unknown, duplicate and null members: policy/bad-containers-null.json.expect # ERROR:
 * | a wider scope after an error: unit/test_policy_fault.c # a_scope_is_not_missed
 * | a signed name that no pull by tag can meet: unit/test_policy_containers.c # the_signed_name_must_fit
 * sigstore-go and others (sigstore.md section 6)
 * | a root that the bundle brings along: unit/test_verifier_keyless.c # the_root_may_not_come_along
 * | one log entry given twice: unit/test_verifier_keyless.c # an_entry_twice_is_refused
 * | proofs of two generations mixed: unit/test_verifier_own_log.c # generations_do_not_mix
 * | times a second outside of a window: unit/test_verifier_trustroot.c # windows_are_closed_to_the_second
 * | proofs of other bundles: unit/test_verifier_mutation.c # members_of_other_bundles_do_not_fit
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/init.h"
#include "crypto/privkey.h"
#include "tests/lib/test_signer.h"
#include "tests/unit/harness.h"
#include "tests/unit/policy_helper.h"
#include "tests/unit/verifier_run.h"

static const char own_file[] = "tests/unit/test_policy_traps.c";

static bool stands_in(struct span file, struct span words)
{
    CLEANUP(mem_freep) char *path = mem_printf("tests/%.*s", (int)file.len, (const char *)file.ptr);
    CLEANUP(mem_freep) char *needle = span_dup(words);
    struct buf bytes = test_read(path);
    struct span text = buf_as_span(&bytes);
    bool found;

    if (strcmp(path, own_file) == 0) /* not the table itself */
        text = span_cut(text, span_find(text, "*/\n#include"), SIZE_MAX);
    found = needle != NULL && span_find(text, needle) != SIZE_MAX;
    buf_free(&bytes);
    return found;
}

START_TEST(the_table_is_true)
{
    struct buf bytes = test_read(own_file);
    struct span rest = buf_as_span(&bytes);
    size_t end = span_find(rest, "*/\n#include"), rows = 0;

    ck_assert_uint_ne(end, SIZE_MAX);
    rest = span_cut(rest, 0, end);
    while (rest.len > 0) {
        size_t line_end = span_find_byte(rest, '\n'), colon = SIZE_MAX, hash;
        struct span line = span_cut(rest, 0, line_end);

        rest = line_end == SIZE_MAX ? span_of(NULL, 0) : span_cut(rest, line_end + 1, SIZE_MAX);
        if (!span_starts(line, " * | "))
            continue;
        hash = span_find(line, " # ");
        for (size_t at = span_find(line, ": "), from = 0; at != SIZE_MAX && from + at < hash;
             at = span_find(span_cut(line, from, SIZE_MAX), ": ")) {
            colon = from + at; /* the last one before the words */
            from = colon + 2;
        }
        ck_assert_msg(hash != SIZE_MAX && colon != SIZE_MAX, "%.*s", (int)line.len, (const char *)line.ptr);
        ck_assert_msg(stands_in(span_cut(line, colon + 2, hash - colon - 2), span_cut(line, hash + 3, SIZE_MAX)),
                      "nothing shows it: %.*s", (int)line.len, (const char *)line.ptr);
        rows++;
    }
    ck_assert_uint_gt(rows, 50);
    buf_free(&bytes);
}
END_TEST

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REPO "team/app"
#define PAYLOAD(optional)                                                                                              \
    "{\"critical\":{\"identity\":{\"docker-reference\":\"r\"},\"image\":{\"docker-manifest-digest\":\"" TEST_DIGEST    \
    "\"},\"type\":\"cosign container image signature\"},\"optional\":" optional "}"
#define STATEMENT(annotations)                                                                                         \
    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{\"sha256\":\"" HEX "\"}" annotations     \
    "}],\"predicateType\":\"https://sigstore.dev/cosign/sign/v1\",\"predicate\":{\"environment\":\"production\"}}"
#define UNSIGNED ",\"environment\":\"production\",\"dev.sigstore.cosign/environment\":\"production\""

/*
 * "environment=production" is wanted. It stands in a layer's or a manifest's OCI annotations, in the predicate and on
 * another subject, where whoever can push may write it or where it means something else; and once where it is signed.
 */
static const struct {
    const char *payload, *layer;       /* a .sig layer; or ... */
    const char *statement, *manifest;  /* a bundle */
    bool good;
} annotated[] = {
    {PAYLOAD("null"), UNSIGNED, NULL, NULL, false},
    {PAYLOAD("{\"environment\":\"staging\"}"), UNSIGNED, NULL, NULL, false},
    {PAYLOAD("{\"environment\":\"production\"}"), NULL, NULL, NULL, true},
    {PAYLOAD("{\"environment\":\"production\"}"), ",\"environment\":\"staging\"", NULL, NULL, true},
    {NULL, NULL, STATEMENT(""), ",\"annotations\":{\"environment\":\"production\"}", false},
    {NULL, NULL, STATEMENT(",\"annotations\":{\"environment\":\"staging\"}"),
     ",\"annotations\":{\"environment\":\"production\"}", false},
    {NULL, NULL, STATEMENT("},{\"digest\":{\"sha256\":\"ffff\"},\"annotations\":{\"environment\":\"production\"}"),
     NULL, false},
    {NULL, NULL, STATEMENT(",\"annotations\":{\"environment\":\"production\"}"), NULL, true},
};

static struct privkey *key;

static void put_signature(struct run *run, int row)
{
    struct buf made, descriptors = BUF_INIT(100000);

    if (annotated[row].payload) {
        struct test_layer layer = {.payload = span_str(annotated[row].payload), .annotations = annotated[row].layer};

        test_sign(key, layer.payload, &made);
        layer.signature = buf_as_span(&made);
        test_put_layers(&run->registry, REPO, "sha256-" HEX ".sig", &layer, 1);
    } else {
        test_bundle(key, span_str(annotated[row].statement), &made);
        test_put_bundle(&run->registry, REPO, buf_as_span(&made), annotated[row].manifest, &descriptors);
        test_put_index(&run->registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    }
    buf_free(&made);
    buf_free(&descriptors);
}

/* The whole way: registry, verifier, policy. */
START_TEST(unsigned_annotations_are_none)
{
    struct run run;
    struct buf pem = BUF_INIT(10000);
    struct policy_image image = test_image(TEST_HOST, REPO, "v1");
    struct policy_set *set;
    struct test_outcome out;
    char *json;

    run_begin(&run, privkey_public(key), REPO, true, false);
    run.input.image = image.digest;
    put_signature(&run, _i);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    base64_encode(pubkey_spki(privkey_public(key)), &pem);
    json = mem_printf("{\"apiVersion\":\"policy.sigstore.dev/v1beta1\",\"kind\":\"ClusterImagePolicy\",\"metadata\":"
                      "{\"name\":\"p\"},\"spec\":{\"images\":[{\"glob\":\"**\"}],\"authorities\":[{\"key\":{\"data\":"
                      "\"-----BEGIN PUBLIC KEY-----\\n%s\\n-----END PUBLIC KEY-----\\n\"},\"annotations\":"
                      "{\"environment\":\"production\"}}]}}", buf_cstr(&pem));
    set = test_load_named("p.json", json);
    out = test_decide(set, &image, &run.claims, NO_MATCH_DENY);
    ck_assert_msg(out.satisfied == annotated[_i].good, "row %d: %s", _i, out.message);
    ck_assert_int_eq(out.reason, annotated[_i].good ? REASON_OK : REASON_ANNOTATION_MISMATCH);
    mem_free(out.report);
    policy_set_free(set);
    mem_free(json);
    buf_free(&pem);
    run_done(&run);
}
END_TEST

/* The document behind one that passes everything is broken: no set comes of it, whichever stands first. */
START_TEST(a_broken_document_drops_nothing)
{
#define DOCUMENT(name, authority)                                                                                      \
    "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: " name "}\n"                  \
    "spec: {images: [{glob: \"**\"}], authorities: [" authority "]}\n"
    static const char good[] = DOCUMENT("a", "{static: {action: pass}}");
    static const char *const broken[] = {DOCUMENT("b", "{key: {path: nowhere.pub}}"),
                                         DOCUMENT("b", "{key: {kms: \"awskms:///alias/x\"}}"),
                                         DOCUMENT("b", "{keyless: {trustRootRef: nowhere, identities: [{issuer: i, "
                                                       "subject: s}]}}"),
                                         DOCUMENT("b", "{}"), "kind: ClusterImagePolicy\n", "spec: [\n"};

    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        for (int order = 0; order < 2; order++) {
            char *both = mem_printf("%s---\n%s", order ? broken[i] : good, order ? good : broken[i]);
            struct policy_set *set = policy_set_new();
            struct error err = ERROR_INIT;

            ck_assert_msg(!policy_set_add(set, "p.yaml", span_str(both), &test_source, &err), "%s loads", both);
            ck_assert_msg(strncmp(err.text, "p.yaml:", 7) == 0, "%s", err.text);
            policy_set_free(set);
            mem_free(both);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_traps");
    TCase *tcase = tcase_create("traps");
    struct error err = ERROR_INIT;
    int status;

    if (!crypto_init(&err) || !privkey_generate(&key, &err))
        return 1;
    tcase_add_test(tcase, the_table_is_true);
    tcase_add_loop_test(tcase, unsigned_annotations_are_none, 0, ARRAY_LEN(annotated));
    tcase_add_test(tcase, a_broken_document_drops_nothing);
    suite_add_tcase(suite, tcase);
    status = run_suite(suite);
    privkey_free(key);
    return status;
}
