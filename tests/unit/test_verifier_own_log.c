/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log of the test's own, to mix what no real log mixes: the two generations of Rekor, and proofs and times
 * (sigstore.md section 6).
 */
#include "tests/unit/keyless_helper.h"

struct own_log {
    struct privkey *key;
    struct trust_root *root;
};

static void own_log_done(struct own_log *log)
{
    trust_root_free(log->root);
    privkey_free(log->key);
}

static void own_log_start(struct own_log *log)
{
    struct buf json = BUF_INIT(10000);
    struct tlog_id id;
    struct error err = ERROR_INIT;

    ck_assert(privkey_generate(&log->key, &err));
    ck_assert(tlog_id_of_key(privkey_public(log->key), &id));
    buf_str(&json,
            "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot+json;version=0.1\",\"tlogs\":[{\"baseUrl\":"
            "\"https://log.test\",\"hashAlgorithm\":\"SHA2_256\",\"publicKey\":{\"rawBytes\":\"");
    base64_encode(pubkey_spki(privkey_public(log->key)), &json);
    buf_str(&json, "\",\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\",\"validFor\":{\"start\":\"2020-01-01T00:00:00Z\"}},"
                   "\"logId\":{\"keyId\":\"");
    base64_encode(span_of(id.bytes, sizeof(id.bytes)), &json);
    buf_str(&json, "\"}}]}");
    log->root = parse_root(buf_as_span(&json));
    buf_free(&json);
}

/* The only entry of a tree of one leaf: its checkpoint with this origin, signed by the log under this name. */
static void own_log_entry(const struct own_log *log, struct span leaf, const char *origin, struct buf *ret)
{
    struct merkle_hash root;
    struct tlog_id id;
    struct buf text = BUF_INIT(1000), signature, line = BUF_INIT(1000);

    ck_assert(merkle_leaf(leaf, &root) && tlog_id_of_key(privkey_public(log->key), &id));
    buf_printf(&text, "%s\n1\n", origin);
    base64_encode(span_of(root.bytes, sizeof(root.bytes)), &text);
    buf_str(&text, "\n");
    test_sign(log->key, buf_as_span(&text), &signature);
    buf_append(&line, id.bytes, 4);
    buf_span(&line, buf_as_span(&signature));
    *ret = (struct buf)BUF_INIT(100000);
    buf_str(ret, "[{\"logIndex\":\"0\",\"logId\":{\"keyId\":\"");
    base64_encode(span_of(id.bytes, sizeof(id.bytes)), ret);
    buf_str(ret, "\"},\"kindVersion\":{\"kind\":\"hashedrekord\",\"version\":\"0.0.2\"},\"inclusionProof\":{"
                 "\"logIndex\":\"0\",\"rootHash\":\"");
    base64_encode(span_of(root.bytes, sizeof(root.bytes)), ret);
    buf_str(ret, "\",\"treeSize\":\"1\",\"hashes\":[],\"checkpoint\":{\"envelope\":\"");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\n')
            buf_str(ret, "\\n");
        else
            buf_byte(ret, text.ptr[i]);
    buf_str(ret, "\\n\xe2\x80\x94 log.test ");
    base64_encode(buf_as_span(&line), ret);
    buf_str(ret, "\\n\"}},\"canonicalizedBody\":\"");
    base64_encode(leaf, ret);
    buf_str(ret, "\"}]");
    buf_free(&text);
    buf_free(&signature);
    buf_free(&line);
}

/* hashedrekord 0.0.2 under a v2 checkpoint by an ECDSA key; the same leaf under a v1 checkpoint is of no generation. */
START_TEST(generations_do_not_mix)
{
    static const struct {
        const char *origin;
        unsigned int facts;
    } origins[] = {{"log.test", CLAIM | PROOF}, {"log.test - 12345", CLAIM}, {"other.test", CLAIM}};

    for (size_t i = 0; i < 3; i++) {
        struct buf bundle = bundle_of("demo/key-bundle-r2"), leaf = BUF_INIT(100000), entries;
        struct span body;
        struct own_log log;
        struct run run;

        own_log_start(&log);
        body = value_of(buf_as_span(&bundle), "canonicalizedBody"); /* cosign's own leaf of this bundle */
        ck_assert(base64_decode(span_cut(body, 1, body.len - 2), BASE64_JSON, &leaf));
        own_log_entry(&log, buf_as_span(&leaf), origins[i].origin, &entries);
        set_value(&bundle, "tlogEntries", buf_as_span(&entries));
        run_start(&run, "demo/key-bundle-r2", false, NULL);
        run.roots[0] = log.root;
        serve(&run, buf_as_span(&bundle));
        run_go(&run);
        ck_assert_msg(facts(&run) == origins[i].facts, "%s: %s", origins[i].origin, say(&run));
        run_done(&run);
        own_log_done(&log);
        buf_free(&bundle);
        buf_free(&leaf);
        buf_free(&entries);
    }
}
END_TEST

/* dsse 0.0.1 about the bundle, as Rekor v1 stores it. */
static struct buf v1_body(const struct buf *bundle)
{
    struct span payload = value_of(buf_as_span(bundle), "payload");
    struct buf decoded = BUF_INIT(100000), body = BUF_INIT(100000), pem = BUF_INIT(1000);
    struct pubkey *key = test_key("cosign.pub");
    struct digest digest;
    char text[DIGEST_TEXT_BYTES];

    ck_assert(base64_decode(span_cut(payload, 1, payload.len - 2), BASE64_JSON, &decoded));
    ck_assert(digest_compute(DIGEST_SHA256, buf_as_span(&decoded), &digest));
    digest_format(&digest, text);
    pubkey_write_pem(key, &pem);
    buf_printf(&body,
               "{\"apiVersion\":\"0.0.1\",\"kind\":\"dsse\",\"spec\":{\"envelopeHash\":{\"algorithm\":\"sha256\","
               "\"value\":\"%s\"},\"payloadHash\":{\"algorithm\":\"sha256\",\"value\":\"%s\"},\"signatures\":["
               "{\"signature\":", text + 7, text + 7);
    buf_span(&body, value_of(buf_as_span(bundle), "sig"));
    buf_str(&body, ",\"verifier\":\"");
    base64_encode(buf_as_span(&pem), &body);
    buf_str(&body, "\"}]}}");
    pubkey_free(key);
    buf_free(&decoded);
    buf_free(&pem);
    return body;
}

/* An entry of Rekor v1 with a proof and no promise states no time either: the timestamp's has to be the log key's. */
START_TEST(a_v1_proof_alone_in_its_logs_time)
{
    static const struct {
        struct time_window window;
        unsigned int facts;
    } cases[] = {
        {{SIGNED_AT * 1000LL, INT64_MAX}, CLAIM | PROOF | TSA_TIME},
        {{INT64_MIN, SIGNED_AT * 1000LL - 1}, CLAIM | TSA_TIME},
        {{(SIGNED_AT + 10) * 1000LL, INT64_MAX}, CLAIM | TSA_TIME},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf bundle = bundle_of("demo/key-bundle-r2"), body = v1_body(&bundle), entries;
        struct trust_log mocks;
        struct own_log log;
        struct run run;

        own_log_start(&log);
        own_log_entry(&log, buf_as_span(&body), "log.test - 12345", &entries);
        replace(&entries, "hashedrekord", "dsse");
        replace(&entries, "0.0.2", "0.0.1");
        set_value(&bundle, "tlogEntries", buf_as_span(&entries));
        run_start(&run, "demo/key-bundle-r2", false, NULL);
        mocks = run.root->logs.items[0]; /* our log in the mock's root, whose authority made the timestamp */
        run.root->logs.items[0] = log.root->logs.items[0];
        run.root->logs.items[0].window = cases[i].window;
        serve(&run, buf_as_span(&bundle));
        run_go(&run);
        ck_assert_msg(facts(&run) == cases[i].facts, "%zu: %s", i, say(&run));
        if (!(cases[i].facts & PROOF))
            ck_assert_str_eq(run.claims.items[0].log_problem,
                             "log entry: timestamped outside the time of the log's key");
        run.root->logs.items[0] = mocks;
        run_done(&run);
        own_log_done(&log);
        buf_free(&bundle);
        buf_free(&body);
        buf_free(&entries);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_own_log");
    TCase *cases = tcase_create("own log");
    struct error err = ERROR_INIT;

    if (!crypto_init(&err))
        return EXIT_FAILURE;
    tcase_add_test(cases, generations_do_not_mix);
    tcase_add_test(cases, a_v1_proof_alone_in_its_logs_time);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
