/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of decisions: hand-made claims, one policy around an authority, and what must come of it. */
#ifndef PG_TESTS_UNIT_CLAIMS_HELPER_H
#define PG_TESTS_UNIT_CLAIMS_HELPER_H

#include "tests/unit/policy_helper.h"

#define HOUR INT64_C(3600)
#define DAY (24 * HOUR)

/* What a row's claims are made of. Zero = a legacy signature by cosign.pub in r.io/app without annotations. */
struct made {
    bool present;
    enum claim_kind kind;
    enum claim_layout layout;
    const char *key;             /* vector key; NULL = cosign.pub, with `identity` one of the certificate's own */
    enum digest_alg hash;
    const char *identity, *issuer;
    const char *repository, *prefix;
    const char *annotation_key, *annotation_value;
    bool annotation_number;
    const char *second_key, *second_value;
    const char *reference, *type;
    size_t root;                 /* the certificate's chain, and proofs, count under this root */
    bool chain_bad, sct_bad, chain_at_now;
    bool log, tsa, log_unproven, log_timeless;
    const char *workflow_repository;
    int64_t age, tsa_age;        /* of log and tsa, before TEST_NOW; tsa_age 0 = age */
    const char *serial;
};

struct found {
    enum reason reason; /* 0 = none */
    enum claim_kind kind;
    const char *repository;
    const char *text;
};

struct row {
    const char *name;
    const char *authority;       /* YAML list items */
    const char *spec;            /* YAML lines in spec */
    struct made claims[4];
    struct found findings[2];
    bool satisfied, warned;
    enum reason reason;
    const char *message;         /* the whole of it; NULL = not looked at */
};

static inline void free_claims(struct claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        struct claim *claim = &claims->items[i];

        if (claim->certificate != NULL)
            mem_free(claim->certificate->chains);
        mem_free(claim->certificate);
        mem_free(claim->annotations);
        mem_free(claim->times);
        mem_free(claim->logs);
    }
    mem_free(claims->items);
    mem_free(claims->findings);
}

static inline char *text(const char *value)
{
    /* Claims own their strings elsewhere; here they borrow, and free_claims knows. */
    return (char *)(uintptr_t)value;
}

static bool always[] = {true, true}, never[] = {false, false};

#define CERTIFICATE_FINGERPRINT "00000000000000000000000000000000000000000000000000000000000000ce"

static inline void make_certificate(const struct made *made, struct claim *claim)
{
    struct claim_certificate *certificate = mem_new(1, sizeof(*certificate));

    claim->signer = SIGNER_CERTIFICATE;
    certificate->san = text(made->identity);
    certificate->san_kind = SAN_URI;
    certificate->issuer = text(made->issuer);
    (void)snprintf(certificate->key_fingerprint, sizeof(certificate->key_fingerprint), "%.64s",
                   made->key != NULL ? test_fingerprint(made->key) : made->identity);
    (void)snprintf(certificate->fingerprint, sizeof(certificate->fingerprint), "%s", CERTIFICATE_FINGERPRINT);
    certificate->serial = text(made->serial != NULL ? made->serial : "abc1");
    certificate->extensions[5] = text(made->workflow_repository);
    certificate->chains = mem_new(1, sizeof(*certificate->chains));
    certificate->chains[0] = (struct claim_chain){.root = made->root, .chain_verified = !made->chain_bad,
                                                  .now_used = made->chain_at_now, .sct_verified = !made->sct_bad,
                                                  .valid_at = made->chain_bad ? never : always,
                                                  .problem = text(made->chain_bad ? "expired then" : NULL)};
    certificate->chain_count = 1;
    claim->certificate = certificate;
}

static inline void make_proofs(const struct made *made, struct claim *claim)
{
    claim->times = mem_new(2, sizeof(*claim->times));
    claim->logs = mem_new(1, sizeof(*claim->logs));
    if (made->log) {
        claim->logs[claim->log_count++] = (struct claim_log){.root = made->root, .log = text("log"),
                                                                .set_verified = !made->log_unproven};
        if (!made->log_timeless)
            claim->times[claim->time_count++] =
            (struct claim_time){.kind = TIME_LOG, .root = made->root, .at = TEST_NOW - made->age,
            .authority = text("log")};
    }
    if (made->tsa)
        claim->times[claim->time_count++] =
            (struct claim_time){.kind = TIME_TSA, .root = made->root, .authority = text("tsa"),
                                .at = TEST_NOW - (made->tsa_age != 0 ? made->tsa_age : made->age)};
}

static inline void make_claim(const struct made *made, struct claim *claim)
{
    const char *key = made->key != NULL ? made->key : "cosign.pub";

    claim->kind = made->kind != 0 ? made->kind : CLAIM_SIGNATURE;
    claim->layout = made->layout != 0 ? made->layout : LAYOUT_LEGACY;
    claim->place = (struct claim_place){.repository = text(made->repository != NULL ? made->repository : "r.io/app"),
                                        .tag_prefix = text(made->prefix != NULL ? made->prefix : ""),
                                        .manifest = text("sha256:aa")};
    if (made->identity != NULL) {
        make_certificate(made, claim);
    } else {
        claim->signer = SIGNER_KEY;
        claim->key_hash = made->hash;
        (void)snprintf(claim->key_fingerprint, sizeof(claim->key_fingerprint), "%s", test_fingerprint(key));
    }
    claim->annotations = mem_new(2, sizeof(*claim->annotations));
    if (made->annotation_key != NULL)
        claim->annotations[claim->annotation_count++] = (struct claim_annotation){
            span_str(made->annotation_key), span_str(made->annotation_value), !made->annotation_number};
    if (made->second_key != NULL)
        claim->annotations[claim->annotation_count++] =
            (struct claim_annotation){span_str(made->second_key), span_str(made->second_value), true};
    claim->docker_reference = text(made->reference);
    claim->predicate_type = text(made->type);
    claim->payload = span_str("{}");
    make_proofs(made, claim);
}

static inline struct claims make_claims(const struct row *row)
{
    struct claims claims = {.items = mem_new(4, sizeof(struct claim)), .findings = mem_new(2, sizeof(struct finding))};

    for (size_t i = 0; i < 4 && row->claims[i].present; i++)
        make_claim(&row->claims[i], &claims.items[claims.count++]);
    for (size_t i = 0; i < 2 && row->findings[i].reason != 0; i++) {
        const struct found *found = &row->findings[i];

        claims.findings[claims.finding_count++] = (struct finding){
            .place = {.repository = text(found->repository != NULL ? found->repository : "r.io/app")},
            .kind = found->kind != 0 ? found->kind : CLAIM_SIGNATURE, .reason = found->reason,
            .text = text(found->text)};
    }
    return claims;
}

#define KEY "    - key: {path: cosign.pub}\n"
#define TWO "    - key: {path: cosign.pub}\n    - key: {path: ed25519.pub}\n"
#define PROD KEY "      annotations: {environment: \"production\"}\n"
#define BOTH KEY "      annotations:\n        - repo: \"a/b\"\n        - environment: \"production\"\n"
#define CI "https://github.com/a/b/.github/workflows/ci.yml@refs/heads/main"
#define GH "https://token.actions.githubusercontent.com"
#define KEYLESS "    - keyless: {trustRootRef: mock, identities: [{issuer: \"" GH "\", subject: \"" CI "\"}]}\n"
#define SIGN "https://sigstore.dev/cosign/sign/v1"
#define SPDX "https://spdx.dev/Document"
#define SLSA "https://slsa.dev/provenance/v1"
#define ATTESTED KEY "      attestations: [{name: sbom, predicateType: spdx}]\n"
#define CLAIM .present = true
#define CI_BY(by, from, logged) \
    CLAIM, .identity = (by), .issuer = (from), .log = (logged), .layout = LAYOUT_BUNDLE, .type = SIGN
#define GOOD_CI CI_BY(CI, GH, true)

static inline char *document(const char *name, const char *glob, const char *spec, const char *authority)
{
    return mem_printf("apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: %s}\nspec:\n"
                      "%s  images: [{glob: \"%s\"}]\n  authorities:\n%s", name, spec, glob, authority);
}

static inline void run_row(const struct row *row)
{
    CLEANUP(mem_freep) char *yaml = document("p", "r.io/**", row->spec, row->authority);
    struct policy_set *set = test_load(yaml);
    struct policy_image image = test_image("r.io", "app", "v1");
    struct claims claims = make_claims(row);
    struct test_outcome out = test_decide(set, &image, &claims, NO_MATCH_DENY);

    ck_assert_msg(out.satisfied == row->satisfied, "%s: %s", row->name, out.message);
    ck_assert_msg(out.warned == row->warned, "%s: warned", row->name);
    ck_assert_msg(out.reason == row->reason, "%s: %s (%s)", row->name, reason_name(out.reason), out.message);
    if (row->message != NULL)
        ck_assert_str_eq(out.message, row->message);
    mem_free(out.report);
    free_claims(&claims);
    policy_set_free(set);
}

#endif
