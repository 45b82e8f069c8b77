/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates, logs and timestamps: every sample of cosign 3.1.1 that has them holds, and each proof fails alone when
 * it is changed, swapped or out of its time (sigstore.md section 6).
 */
#include "base/limits.h"
#include "tests/unit/keyless_helper.h"

static const struct sample {
    const char *repository;
    bool attestation;
    unsigned int facts;
} samples[] = {
    {"demo/kl-legacy", false, KEYLESS | SET | LOG_TIME},
    {"demo/kl-legacy-tsa", false, KEYLESS | SET | LOG_TIME | TSA_TIME},
    {"demo/kl-att-legacy", true, KEYLESS | SET | LOG_TIME},
    {"demo/kl-bundle-r1", false, KEYLESS | R1},
    {"demo/kl-bundle-r2", false, KEYLESS | R2},
    {"demo/kl-att-r1", true, KEYLESS | R1},
    {"demo/kl-att-r2", true, KEYLESS | R2},
    {"demo/key-legacy-r1", false, CLAIM | SET | LOG_TIME},
    {"demo/key-bundle-r1", false, CLAIM | R1},
    {"demo/key-bundle-r2", false, CLAIM | R2},
};

/* Of the key in a certificate, by another way than the claim's: what revoked keys are compared with. */
static const char *key_fingerprint_of(struct span der)
{
    static char hex[KEY_FINGERPRINT_BYTES];
    struct cert *cert = NULL;
    struct error err = ERROR_INIT;
    struct digest digest;

    ck_assert(cert_parse_der(der, &cert, &err));
    ck_assert(digest_compute(DIGEST_SHA256, cert_spki(cert), &digest));
    hex_encode(span_of(digest.bytes, 32), hex);
    cert_free(cert);
    return hex;
}

START_TEST(samples_hold)
{
    const struct sample *sample = &samples[_i];
    struct run run;
    const struct claim *claim;

    run_start(&run, sample->repository, sample->attestation, NULL);
    run_go(&run);
    ck_assert_msg(facts(&run) == sample->facts, "%s: %s", sample->repository, say(&run));
    claim = &run.claims.items[0];
    ck_assert_ptr_null(claim->log_problem);
    ck_assert_ptr_null(claim->time_problem);
    for (size_t i = 0; i < claim->time_count; i++)
        ck_assert(claim->times[i].at >= SIGNED_AT && claim->times[i].at < SIGNED_AT + 10);
    if (sample->facts & CERTIFICATE) {
        ck_assert_str_eq(claim->certificate->san, IDENTITY);
        ck_assert_int_eq(claim->certificate->san_kind, SAN_URI);
        ck_assert_str_eq(claim->certificate->issuer, ISSUER);
        ck_assert_uint_eq(strlen(claim->certificate->fingerprint), 64);
        ck_assert_uint_gt(claim->certificate->der.len, 0);
        ck_assert_str_eq(claim->certificate->key_fingerprint, key_fingerprint_of(claim->certificate->der));
        ck_assert_ptr_null(claim->certificate->chains[0].problem);
        ck_assert_uint_eq(claim->certificate->san_count, claim->layout == LAYOUT_LEGACY ? 1 : 0);
    }
    run_done(&run);
}
END_TEST

/* Nothing of the mock's world is known to another root: no log, no time, no chain. */
START_TEST(another_root_proves_nothing)
{
    const struct sample *sample = &samples[_i];
    struct run run;

    run_start(&run, sample->repository, sample->attestation, "keys/byo-pki/chain.pem");
    run_go(&run);
    ck_assert_msg(facts(&run) == (sample->facts & CERTIFICATE ? (CLAIM | CERTIFICATE | AT_NOW) : CLAIM), "%s: %s",
                  sample->repository, say(&run));
    ck_assert(!(sample->facts & (SET | PROOF)) || run.claims.items[0].log_problem);
    run_done(&run);
}
END_TEST

/* Two roots: what one proves is not the other's, but its chain is tried at the other's times too. */
START_TEST(roots_are_kept_apart)
{
    struct run run;
    struct trust_root *other;
    struct span pem = test_vector("keys/byo-pki/chain.pem");
    const struct claim *claim;

    run_start(&run, "demo/kl-bundle-r1", false, NULL);
    other = parse_root(pem);
    run.roots[0] = other;
    run.input.root_count = 2;
    run_go(&run);
    claim = &run.claims.items[0];
    ck_assert_uint_eq(claim->log_count, 1);
    ck_assert_uint_eq(claim->logs[0].root, 1);
    ck_assert_uint_eq(claim->times[0].root, 1);
    ck_assert_uint_eq(claim->certificate->chain_count, 2);
    ck_assert(!claim->certificate->chains[0].chain_verified);
    ck_assert(!claim->certificate->chains[0].valid_at[0]);
    ck_assert(claim->certificate->chains[1].chain_verified);
    ck_assert(claim->certificate->chains[1].valid_at[0]);
    ck_assert(claim->certificate->chains[1].sct_verified);
    run_done(&run);
    trust_root_free(other);
    mem_free((void *)(uintptr_t)pem.ptr);
}
END_TEST

START_TEST(without_roots_a_certificate_is_no_signer)
{
    struct run run;

    run_start(&run, "demo/kl-bundle-r1", false, NULL);
    run.input.root_count = 0;
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_WRONG_KEY);
    run_done(&run);
}
END_TEST

/* A bundle by a certificate is refused under --key, even with the certificate's very key; a legacy layer is not
 * (2.6, 1.6). */
START_TEST(the_certificates_key_as_an_anchor)
{
    static const char *const repositories[] = {"demo/kl-bundle-r1", "demo/kl-legacy"};

    for (size_t i = 0; i < 2; i++) {
        struct cert *cert = NULL;
        struct error err = ERROR_INIT;
        struct run run;

        run_start(&run, repositories[i], false, NULL);
        run_go(&run);
        ck_assert(cert_parse_der(run.claims.items[0].certificate->der, &cert, &err));
        run.anchor.key = cert_key(cert);
        run.input.root_count = 0;
        run_go(&run);
        ck_assert_uint_eq(run.claims.count, i);
        run_done(&run);
        cert_free(cert);
    }
}
END_TEST

/* Authorities of one's own: no log, no CT; the certificate is judged now. */
static const struct {
    const char *repository, *root;
    int64_t now;
    unsigned int facts;
    const char *problem; /* part of what is said about the chain */
} own[] = {
    {"demo/byo-legacy", "keys/byo-pki/chain.pem", NOW, CLAIM | CERTIFICATE | CHAIN | AT_NOW, "no embedded SCT"},
    {"demo/byo-bundle", "keys/byo-pki/chain.pem", NOW, CLAIM | CERTIFICATE | CHAIN | AT_NOW, "no embedded SCT"},
    /* an intermediate may be the anchor */
    {"demo/byo-bundle", "keys/byo-pki/int.pem", NOW, CLAIM | CERTIFICATE | CHAIN | AT_NOW, "no embedded SCT"},
    /* the intermediate is nowhere */
    {"demo/byo-bundle", "keys/byo-pki/root.pem", NOW, CLAIM | CERTIFICATE | AT_NOW, "does not lead to a trusted"},
    {"demo/byo-bundle", "keys/byo-pki/chain.pem", 4102444800, CLAIM | CERTIFICATE | AT_NOW, "is expired at 2100-01-01"},
    {"demo/byo-bundle", "keys/byo-pki/chain.pem", 1700000000, CLAIM | CERTIFICATE | AT_NOW,
     "is not valid yet at 2023-11-14"},
    {"demo/byo-bundle", "keys/mock_trusted_root.json", NOW, CLAIM | CERTIFICATE | AT_NOW,
     "does not lead to a trusted"},
};

/* The legacy chain annotation of the sample's signature. */
static void set_chain(struct run *run, struct span pem)
{
    struct buf escaped = BUF_INIT(10000), manifest;

    buf_str(&escaped, "\"dev.sigstore.cosign/chain\":\"");
    for (size_t j = 0; j < pem.len; j++)
        if (pem.ptr[j] == '\n')
            buf_str(&escaped, "\\n");
        else
            buf_byte(&escaped, pem.ptr[j]);
    buf_byte(&escaped, '"');
    for (size_t j = 0; j < run->registry.count; j++) {
        struct test_object *object = &run->registry.items[j];

        if (object->kind != WANT_MANIFEST || !strstr(object->target, ".sig"))
            continue;
        manifest = copy_of(object->answer.body);
        replace(&manifest, "\"dev.sigstore.cosign/chain\":\"\"", buf_cstr(&escaped));
        test_registry_put(&run->registry, WANT_MANIFEST, "demo/byo-legacy", object->target, NULL, NULL,
                          buf_as_span(&manifest));
        buf_free(&manifest);
    }
    buf_free(&escaped);
}

/* The legacy chain annotation may bring the intermediate, as help only: the anchor is still ours. */
START_TEST(a_chain_annotation_helps)
{
    static const char *const chains[] = {"keys/byo-pki/int.pem", "keys/byo-pki/chain.pem", "keys/byo-pki/root.pem"};
    static const unsigned int wanted[] = {CLAIM | CERTIFICATE | CHAIN | AT_NOW, CLAIM | CERTIFICATE | CHAIN | AT_NOW,
                                          CLAIM | CERTIFICATE | AT_NOW};

    for (size_t i = 0; i < 6; i++) {
        struct span pem = test_vector(chains[i % 3]);
        struct run run;

        /* The second half: the same with another authority's root, which none of these chains leads to. */
        run_start(&run, "demo/byo-legacy", false, i < 3 ? "keys/byo-pki/root.pem" : "keys/mock_trusted_root.json");
        set_chain(&run, pem);
        run_go(&run);
        ck_assert_msg(facts(&run) == (i < 3 ? wanted[i] : (CLAIM | CERTIFICATE | AT_NOW)), "%zu: %s", i, say(&run));
        run_done(&run);
        mem_free((void *)(uintptr_t)pem.ptr);
    }
}
END_TEST

/* A chain that is there must be one, also where the certificate would do without it. */
START_TEST(a_chain_annotation_that_is_none)
{
    static const char *const chains[] = {
        "certificates", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        struct run run;

        run_start(&run, "demo/byo-legacy", false, "keys/byo-pki/chain.pem");
        set_chain(&run, span_str(chains[i]));
        run_go(&run);
        ck_assert_msg(facts(&run) == 0, "%zu: %s", i, say(&run));
        ck_assert_msg(run.claims.findings[0].reason == REASON_MALFORMED, "%zu: %s", i, say(&run));
        ck_assert_ptr_nonnull(strstr(run.claims.findings[0].text, "certificate chain"));
        run_done(&run);
    }
}
END_TEST

START_TEST(authorities_of_ones_own)
{
    struct run run;

    run_start(&run, own[_i].repository, false, own[_i].root);
    run.input.now = own[_i].now;
    run_go(&run);
    ck_assert_msg(facts(&run) == own[_i].facts, "%s with %s: %s", own[_i].repository, own[_i].root, say(&run));
    ck_assert_msg(strstr(run.claims.items[0].certificate->chains[0].problem, own[_i].problem), "%s", say(&run));
    run_done(&run);
}
END_TEST

enum edit_kind { TEXT, INSIDE, FLIP, VALUE, SWAP };

static const struct edit {
    const char *repository;
    enum edit_kind kind;
    const char *where, *from; /* SWAP: from = the other repository */
    const char *to;
    size_t at;
    unsigned int facts;
    enum reason reason;       /* when facts is 0 */
} edits[] = {
    /* Form. */
    {"kl-bundle-r1", TEXT, NULL, "\"mediaType\"", "\"mediatype\"", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", TEXT, NULL, "bundle.v0.3+json", "bundle.v0.9+json", 0, 0, REASON_UNSUPPORTED},
    {"kl-bundle-r1", TEXT, NULL, "bundle.v0.3+json", "bundle+json;version=0.2", 0, KEYLESS | R1, 0},
    {"kl-bundle-r1", TEXT, NULL, "bundle.v0.3+json", "bundle+json;version=0.1", 0, KEYLESS | R1, 0},
    {"kl-bundle-r2", TEXT, NULL, "bundle.v0.3+json", "bundle+json;version=0.1", 0, 0,
     REASON_MALFORMED}, /* no promise */
    {"kl-bundle-r1", TEXT, NULL, "\"integratedTime\":\"1795451667\"", "\"integratedTime\":\"253402300800\"", 0, 0,
     REASON_MALFORMED},
    {"kl-bundle-r1", TEXT, NULL, "\"logIndex\":\"1000005\"", "\"logIndex\":\"-1\"", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", TEXT, NULL, "\"logIndex\":\"1000005\"", "\"logIndex\":1000005", 0, KEYLESS | R1, 0},
    {"kl-bundle-r1", TEXT, NULL, "\"logIndex\":\"5\"", "\"logIndex\":\"-5\"", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "inclusionProof", NULL, "null", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "checkpoint", NULL, "null", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "canonicalizedBody", NULL, "\"e30=\"", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", VALUE, "canonicalizedBody", NULL, "\"*\"", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "rootHash", NULL, "\"AAAA\"", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "hashes", NULL, "[\"AAAA\"]", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "keyId", NULL, "\"AAAA\"", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "rawBytes", NULL, "\"\"", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "rawBytes", NULL, "\"AAAA\"", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "certificate", NULL, "{}", 0, 0, REASON_MALFORMED},
    {"kl-bundle-r1", VALUE, "tlogEntries", NULL, "[]", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r2", VALUE, "tlogEntries", NULL, "[]", 0, CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", VALUE, "timestampVerificationData", NULL, "{}", 0, CLAIM | CERTIFICATE | PROOF | AT_NOW, 0},
    /* Signature, payload, certificate. */
    {"kl-bundle-r1", FLIP, "sig", NULL, NULL, 20, 0, REASON_BAD_SIGNATURE},
    {"kl-bundle-r1", FLIP, "payload", NULL, NULL, 100, 0, REASON_BAD_SIGNATURE},
    {"kl-bundle-r1", FLIP, "rawBytes", NULL, NULL, 1000, CLAIM | CERTIFICATE | AT_NOW,
     0}, /* the CA's signature: no log, no chain */
    {"key-bundle-r1", FLIP, "sig", NULL, NULL, 20, 0, REASON_BAD_SIGNATURE},
    {"kl-bundle-r1", SWAP, "certificate", "kl-bundle-r2", NULL, 0, 0, REASON_BAD_SIGNATURE},
    {"kl-bundle-r1", SWAP, "dsseEnvelope", "kl-bundle-r2", NULL, 0, 0, REASON_BAD_SIGNATURE},
    /* Rekor v1: promise. */
    {"kl-bundle-r1", FLIP, "signedEntryTimestamp", NULL, NULL, 20, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "\"integratedTime\":\"1795451667\"", "\"integratedTime\":\"1795451668\"", 0,
     CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "\"logIndex\":\"1000005\"", "\"logIndex\":\"1000006\"", 0,
     CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", VALUE, "inclusionPromise", NULL, "null", 0, CLAIM | CERTIFICATE | PROOF | AT_NOW,
     0},                                                                             /* proof, but no time */
    {"kl-bundle-r1", FLIP, "keyId", NULL, NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0}, /* an unknown log */
    {"kl-bundle-r1", SWAP, "keyId", "kl-bundle-r2", NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", SWAP, "inclusionPromise", "kl-att-r1", NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    /* Rekor v1: proof and checkpoint. */
    {"kl-bundle-r1", SWAP, "inclusionProof", "kl-att-r1", NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", FLIP, "rootHash", NULL, NULL, 3, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "\"treeSize\":\"6\"", "\"treeSize\":\"7\"", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "\"logIndex\":\"5\"", "\"logIndex\":\"4\"", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "\"hashes\":[", "\"hashes\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",", 0,
     CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", VALUE, "hashes", NULL, "[]", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "\\n6\\n", "\\n7\\n", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "rekor.mock.test - 119", "rekor.mock.test - 118", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "rekor.mock.test kwbL", "rekor.mock.test AAAA", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", SWAP, "checkpoint", "kl-att-r1", NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", SWAP, "checkpoint", "kl-bundle-r2", NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    /* Rekor v1: body. */
    {"kl-bundle-r1", SWAP, "tlogEntries", "kl-att-r1", NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", SWAP, "tlogEntries", "kl-bundle-r2", NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"key-bundle-r1", SWAP, "tlogEntries", "kl-bundle-r1", NULL, 0, CLAIM, 0},
    {"kl-bundle-r1", SWAP, "canonicalizedBody", "kl-att-r1", NULL, 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", INSIDE, "canonicalizedBody", "\"kind\":\"dsse\"", "\"kind\":\"intoto\"", 0,
     CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "\"kind\":\"dsse\"", "\"kind\":\"hashedrekord\"", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", TEXT, NULL, "\"version\":\"0.0.1\"", "\"version\":\"0.0.2\"", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    {"kl-bundle-r1", INSIDE, "canonicalizedBody", "payloadHash\":{\"algorithm\":\"sha256\"",
     "payloadHash\":{\"algorithm\":\"sha512\"", 0, CLAIM | CERTIFICATE | AT_NOW, 0},
    /* Rekor v2. */
    {"kl-bundle-r2", SWAP, "tlogEntries", "kl-att-r2", NULL, 0, CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", SWAP, "inclusionProof", "kl-att-r2", NULL, 0, CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", SWAP, "tlogEntries", "kl-bundle-r1", NULL, 0, CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", TEXT, NULL, "\"logIndex\":\"5\"", "\"logIndex\":\"4\"", 0,
     CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", TEXT, NULL, "\"version\":\"0.0.2\"", "\"version\":\"0.0.1\"", 0,
     CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", TEXT, NULL, "\"kind\":\"hashedrekord\"", "\"kind\":\"dsse\"", 0,
     CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", TEXT, NULL, "\\n6\\n", "\\n7\\n", 0, CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", TEXT, NULL, "\"rekor2.mock.test\\n", "\"rekor3.mock.test\\n", 0,
     CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", TEXT, NULL, "rekor2.mock.test 8Dkv", "rekor2.mock.test AAAA", 0,
     CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", VALUE, "hashes", NULL, "[]", 0, CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    {"kl-bundle-r2", VALUE, "canonicalizedBody", NULL, "\"e30=\"", 0, KEYLESS | R2,
     0}, /* not looked at: the leaf is rebuilt */
    {"key-bundle-r2", SWAP, "tlogEntries", "kl-bundle-r2", NULL, 0, CLAIM | TSA_TIME, 0},
    {"kl-bundle-r2", TEXT, NULL, "\"canonicalizedBody\"", "\"integratedTime\":\"1795451667\",\"canonicalizedBody\"", 0,
     KEYLESS | R2, 0},
    {"kl-bundle-r2", TEXT, NULL, "\"canonicalizedBody\"",
     "\"inclusionPromise\":{\"signedEntryTimestamp\":\"MEUCIQ==\"},\"canonicalizedBody\"", 0,
     CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT, 0},
    /* Timestamps. */
    {"kl-bundle-r2", FLIP, "signedTimestamp", NULL, NULL, 300, CLAIM | CERTIFICATE | PROOF | AT_NOW, 0},
    {"kl-bundle-r2", SWAP, "timestampVerificationData", "kl-att-r2", NULL, 0, CLAIM | CERTIFICATE | PROOF | AT_NOW, 0},
    {"kl-bundle-r2", VALUE, "signedTimestamp", NULL, "\"AAAA\"", 0, CLAIM | CERTIFICATE | PROOF | AT_NOW, 0},
    {"kl-bundle-r2", VALUE, "signedTimestamp", NULL, "\"*\"", 0, 0, REASON_MALFORMED},
};

START_TEST(each_proof_fails_alone)
{
    const struct edit *edit = &edits[_i];
    char repository[60], other[60];
    struct buf bundle;
    struct run run;

    (void)snprintf(repository, sizeof(repository), "demo/%s", edit->repository);
    run_start(&run, repository, strncmp(edit->repository, "kl-att", 6) == 0, NULL);
    bundle = bundle_of(repository);
    if (edit->kind == TEXT)
        replace(&bundle, edit->from, edit->to);
    else if (edit->kind == INSIDE)
        edit_base64(&bundle, edit->where, edit->from, edit->to);
    else if (edit->kind == FLIP)
        flip_base64(&bundle, edit->where, edit->at);
    else if (edit->kind == VALUE)
        set_value(&bundle, edit->where, span_str(edit->to));
    else {
        struct buf donor;

        (void)snprintf(other, sizeof(other), "demo/%s", edit->from);
        donor = bundle_of(other);
        set_value(&bundle, edit->where, value_of(buf_as_span(&donor), edit->where));
        buf_free(&donor);
    }
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_msg(facts(&run) == edit->facts, "%s: %s %s %s: wanted %x; %s", edit->repository,
                  edit->where ? edit->where : "", edit->from ? edit->from : "", edit->to ? edit->to : "", edit->facts,
                  say(&run));
    if (edit->facts == 0)
        ck_assert_msg(run.claims.findings[0].reason == edit->reason, "%s: %s",
                      reason_name(run.claims.findings[0].reason), say(&run));
    if (edit->facts & AT_NOW) /* long expired: said with what is missing */
        ck_assert_msg(strstr(run.claims.items[0].certificate->chains[0].problem, "proves an earlier time"), "%s",
                      run.claims.items[0].certificate->chains[0].problem);
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

/* The unchanged bundle through the same hands, so that the edits above are what makes the difference. */
START_TEST(unedited_bundles_hold)
{
    static const char *const repositories[] = {"demo/kl-bundle-r1", "demo/kl-bundle-r2"};
    struct buf bundle = bundle_of(repositories[_i]);
    struct run run;

    run_start(&run, repositories[_i], false, NULL);
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_msg(facts(&run) == (KEYLESS | (_i == 0 ? R1 : R2)), "%s", say(&run));
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

START_TEST(the_root_may_not_come_along)
{
    struct span text = test_vector("keys/mock_trusted_root.json");
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    struct buf bundle = bundle_of("demo/kl-bundle-r1");
    struct buf chain = BUF_INIT(10000);
    const struct node *root;
    struct run run;
    struct span leaf;

    ck_assert(json_parse(text, "root", TREE_DEFAULT, &tree, &err));
    root = node_get(
        node_at(node_get(node_get(node_at(node_get(tree_root(tree), "certificateAuthorities"), 0), "certChain"),
                         "certificates"),
                0),
        "rawBytes");
    leaf = value_of(buf_as_span(&bundle), "certificate");
    buf_printf(&chain, "{\"certificates\":[%.*s,{\"rawBytes\":\"%.*s\"}]}", (int)leaf.len, (const char *)leaf.ptr,
               (int)root->text.len, (const char *)root->text.ptr);
    set_value(&bundle, "certificate", buf_as_span(&chain));
    replace(&bundle, "\"certificate\":", "\"x509CertificateChain\":");
    run_start(&run, "demo/kl-bundle-r1", false, NULL);
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_MALFORMED); /* version 0.3 has no chains */
    replace(&bundle, "bundle.v0.3+json", "bundle+json;version=0.2");
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_MALFORMED);
    /* The leaf alone is fine. */
    buf_clear(&chain);
    leaf = value_of(buf_as_span(&bundle), "certificates");
    leaf = span_cut(leaf, 1, span_find(leaf, "}"));
    buf_printf(&chain, "[%.*s]", (int)leaf.len, (const char *)leaf.ptr);
    set_value(&bundle, "certificates", buf_as_span(&chain));
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_msg(facts(&run) == (KEYLESS | R1), "%s", say(&run));
    replace(&bundle, "bundle+json;version=0.2", "bundle+json;version=0.3");
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0); /* but not as a chain in version 0.3 */
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_MALFORMED);
    run_done(&run);
    tree_free(tree);
    buf_free(&bundle);
    buf_free(&chain);
    mem_free((void *)(uintptr_t)text.ptr);
}
END_TEST

/* More certificates than any chain has, counted before one is read. */
START_TEST(chains_have_limits)
{
    static const size_t counts[] = {1, LIMIT_CHAIN_CERTIFICATES, LIMIT_CHAIN_CERTIFICATES + 1};

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct buf bundle = bundle_of("demo/kl-bundle-r1"), chain = BUF_INIT(100000);
        struct span leaf = value_of(buf_as_span(&bundle), "certificate");
        struct run run;

        buf_str(&chain, "{\"certificates\":[");
        for (size_t j = 0; j < counts[i]; j++)
            buf_printf(&chain, "%s%.*s", j > 0 ? "," : "", (int)leaf.len, (const char *)leaf.ptr);
        buf_str(&chain, "]}");
        set_value(&bundle, "certificate", buf_as_span(&chain));
        replace(&bundle, "\"certificate\":", "\"x509CertificateChain\":");
        replace(&bundle, "bundle.v0.3+json", "bundle+json;version=0.2");
        run_start(&run, "demo/kl-bundle-r1", false, NULL);
        serve(&run, buf_as_span(&bundle));
        run_go(&run);
        ck_assert_msg(facts(&run) == (i < 2 ? (KEYLESS | R1) : 0), "%zu: %s", counts[i], say(&run));
        if (i == 2) {
            ck_assert_int_eq(run.claims.findings[0].reason, REASON_MALFORMED);
            ck_assert_ptr_nonnull(strstr(run.claims.findings[0].text, "x509CertificateChain: 17 certificates"));
        }
        run_done(&run);
        buf_free(&bundle);
        buf_free(&chain);
    }
}
END_TEST

/* More of each than a bundle may have, counted before any is looked at. */
static const struct {
    const char *member, *element; /* NULL = the first one there, again and again */
    size_t count;
    enum reason reason;
} many[] = {
    {"tlogEntries", NULL, LIMIT_BUNDLE_LOG_ENTRIES + 1, REASON_LIMIT},
    {"tlogEntries", NULL, LIMIT_BUNDLE_LOG_ENTRIES, REASON_MALFORMED}, /* one entry twice */
    {"rfc3161Timestamps", NULL, LIMIT_BUNDLE_TIMESTAMPS + 1, REASON_LIMIT},
    {"rfc3161Timestamps", NULL, LIMIT_BUNDLE_TIMESTAMPS, REASON_OK}, /* one of each authority counts */
    {"hashes", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"", LIMIT_PROOF_HASHES + 1, REASON_LIMIT},
    {"hashes", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"", LIMIT_PROOF_HASHES, REASON_OK}, /* no proof */
    {"signatures", NULL, 2, REASON_MALFORMED},
};

START_TEST(bundles_have_limits)
{
    struct buf bundle = bundle_of("demo/kl-bundle-r2"), list = BUF_INIT(1 << 20);
    struct span first = value_of(buf_as_span(&bundle), many[_i].member);
    struct run run;

    first = many[_i].element ? span_str(many[_i].element) : span_cut(first, 1, first.len - 2);
    buf_byte(&list, '[');
    for (size_t i = 0; i < many[_i].count; i++)
        buf_printf(&list, "%s%.*s", i > 0 ? "," : "", (int)first.len, (const char *)first.ptr);
    buf_byte(&list, ']');
    ck_assert(buf_ok(&list));
    set_value(&bundle, many[_i].member, buf_as_span(&list));
    run_start(&run, "demo/kl-bundle-r2", false, NULL);
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_msg(run.claims.count == (many[_i].reason == REASON_OK ? 1 : 0), "%s: %s", many[_i].member, say(&run));
    if (many[_i].reason != REASON_OK)
        ck_assert_msg(run.claims.findings[0].reason == many[_i].reason, "%s: %s", many[_i].member, say(&run));
    else
        ck_assert_uint_le(run.claims.items[0].time_count, 1);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&list);
}
END_TEST

START_TEST(an_entry_twice_is_refused)
{
    struct buf bundle = bundle_of("demo/kl-bundle-r1");
    struct buf twice = BUF_INIT(100000);
    struct span entry = value_of(buf_as_span(&bundle), "tlogEntries");
    struct run run;

    entry = span_cut(entry, 1, entry.len - 2);
    buf_printf(&twice, "[%.*s,%.*s]", (int)entry.len, (const char *)entry.ptr, (int)entry.len, (const char *)entry.ptr);
    set_value(&bundle, "tlogEntries", buf_as_span(&twice));
    run_start(&run, "demo/kl-bundle-r1", false, NULL);
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_MALFORMED);
    flip_base64(&bundle, "keyId", 0); /* the same number in another log is another entry */
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_msg(facts(&run) == (KEYLESS | R1), "%s", say(&run));
    run_done(&run);
    buf_free(&bundle);
    buf_free(&twice);
}
END_TEST

/* A bad entry of a known log takes the good one with it; one by an unknown log does not. */
START_TEST(every_entry_of_a_known_log_must_hold)
{
    struct buf bundle = bundle_of("demo/kl-bundle-r1");
    struct buf donor = bundle_of("demo/kl-att-r1");
    struct buf both = BUF_INIT(100000);
    struct span entry = value_of(buf_as_span(&bundle), "tlogEntries");
    struct span other = value_of(buf_as_span(&donor), "tlogEntries");
    struct run run;

    buf_printf(&both, "%.*s,%.*s", (int)entry.len - 1, (const char *)entry.ptr, (int)other.len - 1,
               (const char *)other.ptr + 1);
    set_value(&bundle, "tlogEntries", buf_as_span(&both));
    run_start(&run, "demo/kl-bundle-r1", false, NULL);
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_msg(facts(&run) == (CLAIM | CERTIFICATE | AT_NOW), "%s", say(&run));
    ck_assert_ptr_nonnull(run.claims.items[0].log_problem);
    flip_base64(&donor, "keyId", 0);
    other = value_of(buf_as_span(&donor), "tlogEntries");
    entry = value_of(buf_as_span(&bundle), "tlogEntries");
    entry = span_cut(entry, 0, span_find(entry, "},{\"logIndex") + 1);
    buf_clear(&both);
    buf_printf(&both, "%.*s,%.*s", (int)entry.len, (const char *)entry.ptr, (int)other.len - 1,
               (const char *)other.ptr + 1);
    set_value(&bundle, "tlogEntries", buf_as_span(&both));
    serve(&run, buf_as_span(&bundle));
    run_go(&run);
    ck_assert_msg(facts(&run) == (KEYLESS | R1), "%s", say(&run));
    run_done(&run);
    buf_free(&bundle);
    buf_free(&donor);
    buf_free(&both);
}
END_TEST

#define LOOP(list, test) tcase_add_loop_test(cases, test, 0, (int)(sizeof(list) / sizeof(list[0])))

int main(void)
{
    Suite *suite = suite_create("verifier_keyless");
    TCase *cases = tcase_create("keyless");
    struct error err = ERROR_INIT;

    if (!crypto_init(&err))
        return EXIT_FAILURE;
    tcase_set_timeout(cases, 60);
    LOOP(samples, samples_hold);
    LOOP(samples, another_root_proves_nothing);
    tcase_add_test(cases, roots_are_kept_apart);
    tcase_add_test(cases, without_roots_a_certificate_is_no_signer);
    LOOP(own, authorities_of_ones_own);
    tcase_add_test(cases, a_chain_annotation_helps);
    tcase_add_test(cases, a_chain_annotation_that_is_none);
    tcase_add_loop_test(cases, unedited_bundles_hold, 0, 2);
    LOOP(edits, each_proof_fails_alone);
    tcase_add_test(cases, the_root_may_not_come_along);
    tcase_add_test(cases, chains_have_limits);
    tcase_add_loop_test(cases, bundles_have_limits, 0, ARRAY_LEN(many));
    tcase_add_test(cases, an_entry_twice_is_refused);
    tcase_add_test(cases, every_entry_of_a_known_log_must_hold);
    tcase_add_test(cases, the_certificates_key_as_an_anchor);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
