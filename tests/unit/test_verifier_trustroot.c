/* SPDX-License-Identifier: Apache-2.0 */
/* Trust roots: what is read, what is refused, and their windows to the millisecond. */
#include "base/limits.h"
#include "tests/unit/keyless_helper.h"

/* --- Edits of the trust root: windows to the second, and keys --- */

enum part { PART_TLOG_1, PART_TLOG_2, PART_CA, PART_CT, PART_TSA };

static const struct {
    const char *repository;
    enum part part;
    const char *window; /* instead of the one start */
    unsigned int facts;
} windows[] = {
    {"demo/kl-bundle-r1", PART_TLOG_1, "\"start\":\"2026-11-23T16:34:27Z\"", KEYLESS | R1},
    {"demo/kl-bundle-r1", PART_TLOG_1, "\"start\":\"2026-11-23T16:34:27.001Z\"", CLAIM | CERTIFICATE | AT_NOW},
    {"demo/kl-bundle-r1", PART_TLOG_1, "\"start\":\"2026-11-23T00:00:00Z\",\"end\":\"2026-11-23T16:34:27Z\"",
     KEYLESS | R1},
    {"demo/kl-bundle-r1", PART_TLOG_1, "\"start\":\"2026-11-23T00:00:00Z\",\"end\":\"2026-11-23T16:34:26.999Z\"",
     CLAIM | CERTIFICATE | AT_NOW},
    {"demo/kl-bundle-r1", PART_CA, "\"start\":\"2026-11-23T16:34:27Z\"", KEYLESS | R1},
    {"demo/kl-bundle-r1", PART_CA, "\"start\":\"2026-11-23T16:34:28Z\"", CLAIM | CERTIFICATE | R1},
    {"demo/kl-bundle-r1", PART_CA, "\"end\":\"2026-11-23T16:34:27Z\"", KEYLESS | R1},
    {"demo/kl-bundle-r1", PART_CA, "\"end\":\"2026-11-23T16:34:26Z\"", CLAIM | CERTIFICATE | R1},
    {"demo/kl-bundle-r1", PART_CT, "\"start\":\"2026-11-23T16:34:27.578Z\"", KEYLESS | R1},
    {"demo/kl-bundle-r1", PART_CT, "\"start\":\"2026-11-23T16:34:27.579Z\"", CLAIM | CERTIFICATE | R1 | CHAIN},
    {"demo/kl-bundle-r1", PART_CT, "\"start\":\"2020-01-01T00:00:00Z\",\"end\":\"2026-11-23T16:34:27.577Z\"",
     CLAIM | CERTIFICATE | R1 | CHAIN},
    {"demo/kl-bundle-r2", PART_TSA, "\"start\":\"2026-11-23T16:34:27Z\"", KEYLESS | R2},
    {"demo/kl-bundle-r2", PART_TSA, "\"start\":\"2026-11-23T16:34:28Z\"", CLAIM | CERTIFICATE | PROOF | AT_NOW},
    {"demo/kl-bundle-r2", PART_TSA, "\"end\":\"2026-11-23T16:34:27Z\"", KEYLESS | R2},
    {"demo/kl-bundle-r2", PART_TSA, "\"end\":\"2026-11-23T16:34:26Z\"", CLAIM | CERTIFICATE | PROOF | AT_NOW},
    {"demo/kl-bundle-r2", PART_TLOG_2, "\"start\":\"2026-11-23T16:34:28Z\"",
     CLAIM | CERTIFICATE | TSA_TIME | CHAIN | SCT},
    {"demo/kl-bundle-r2", PART_CA, "\"start\":\"2026-11-23T16:34:28Z\"", CLAIM | CERTIFICATE | R2},
};

/* The n-th "start" of the mock's root. */
static void edit_window(struct buf *text, enum part part, const char *window)
{
    static const char needle[] = "\"start\"";
    size_t at = 0;

    for (int i = 0; i <= (int)part; i++) {
        size_t step = span_find(span_cut(buf_as_span(text), at, SIZE_MAX), needle);

        ck_assert_uint_ne(step, SIZE_MAX);
        at += step + (i < (int)part ? 1 : 0);
    }
    splice(text, at, span_find(span_cut(buf_as_span(text), at, SIZE_MAX), "}"), span_str(window));
}

START_TEST(windows_are_closed_to_the_second)
{
    struct span bytes = test_vector("keys/mock_trusted_root.json");
    struct buf text = copy_of(bytes);
    struct run run;

    run_start(&run, windows[_i].repository, false, NULL);
    edit_window(&text, windows[_i].part, windows[_i].window);
    trust_root_free(run.root);
    run.root = parse_root(buf_as_span(&text));
    run.roots[0] = run.root;
    run_go(&run);
    ck_assert_msg(facts(&run) == windows[_i].facts, "%s %s: wanted %x; %s", windows[_i].repository, windows[_i].window,
                  windows[_i].facts, say(&run));
    run_done(&run);
    buf_free(&text);
    mem_free((void *)(uintptr_t)bytes.ptr);
}
END_TEST

/*
 * One log twice under one id, the first time with a window (or a key) that does not fit: the other is tried, whichever
 * stands first; when neither fits, the entry proves nothing.
 */
static const struct {
    const char *repository;
    enum part part;
    const char *first, *second; /* windows */
    bool other_key;             /* the first has a key that is not the log's */
    unsigned int facts;
} twice[] = {
    {"demo/kl-bundle-r1", PART_TLOG_1, "\"start\":\"2020-01-01T00:00:00Z\",\"end\":\"2026-11-23T16:00:00Z\"",
     "\"start\":\"2026-11-23T16:00:01Z\"", false, KEYLESS | R1},
    {"demo/kl-bundle-r1", PART_TLOG_1, "\"start\":\"2026-11-23T16:00:01Z\"",
     "\"start\":\"2020-01-01T00:00:00Z\",\"end\":\"2026-11-23T16:00:00Z\"", false, KEYLESS | R1},
    {"demo/kl-bundle-r1", PART_TLOG_1, "\"start\":\"2020-01-01T00:00:00Z\",\"end\":\"2026-11-23T16:00:00Z\"",
     "\"start\":\"2027-01-01T00:00:00Z\"", false, CLAIM | CERTIFICATE | AT_NOW},
    {"demo/kl-bundle-r1", PART_TLOG_1, "\"start\":\"2020-01-01T00:00:00Z\"", "\"start\":\"2020-01-01T00:00:00Z\"", true,
     KEYLESS | R1},
    {"demo/kl-bundle-r2", PART_TLOG_2, "\"start\":\"2020-01-01T00:00:00Z\",\"end\":\"2026-11-23T16:00:00Z\"",
     "\"start\":\"2026-11-23T16:00:01Z\"", false, KEYLESS | R2},
    {"demo/kl-bundle-r2", PART_TLOG_2, "\"start\":\"2020-01-01T00:00:00Z\"", "\"start\":\"2020-01-01T00:00:00Z\"", true,
     KEYLESS | R2},
};

/* The log's object in the text of a root, doubled in place; the first copy is changed as the row says. */
static void double_log(struct buf *text, int row)
{
    enum part part = twice[row].part;
    size_t at = 0, end;
    struct buf copy;

    edit_window(text, part, twice[row].second);
    /* Objects of "tlogs" begin with their baseUrl. */
    for (int i = 0; i <= (int)part; i++)
        at += span_find(span_cut(buf_as_span(text), at, SIZE_MAX), "\"baseUrl\"") + (i < (int)part ? 1 : 0);
    while (buf_as_span(text).ptr[at] != '{')
        at--;
    end = at + span_find(span_cut(buf_as_span(text), at, SIZE_MAX), "\"keyId\"");
    end += span_find(span_cut(buf_as_span(text), end, SIZE_MAX), "}") + 1;
    end += span_find(span_cut(buf_as_span(text), end, SIZE_MAX), "}") + 1;
    copy = copy_of(span_cut(buf_as_span(text), at, end - at));
    buf_str(&copy, ",");
    splice(text, at, 0, buf_as_span(&copy));
    buf_free(&copy);
    edit_window(text, part, twice[row].first);
}

START_TEST(a_log_may_stand_twice)
{
    struct span bytes = test_vector("keys/mock_trusted_root.json");
    struct buf text = copy_of(bytes);
    struct trust_root *fresh;
    struct run run;

    run_start(&run, twice[_i].repository, false, NULL);
    double_log(&text, _i);
    fresh = parse_root(buf_as_span(&text));
    ck_assert_uint_eq(fresh->logs.count, run.root->logs.count + 1);
    if (twice[_i].other_key) {
        struct trust_log *first = &fresh->logs.items[twice[_i].part];
        struct pubkey *other = test_key(twice[_i].part == PART_TLOG_1 ? "cosign.pub" : "ed25519.pub");

        pubkey_free(first->key);
        first->key = other;
    }
    trust_root_free(run.root);
    run.root = fresh;
    run.roots[0] = fresh;
    run_go(&run);
    ck_assert_msg(facts(&run) == twice[_i].facts, "%d: wanted %x; %s", _i, twice[_i].facts, say(&run));
    run_done(&run);
    buf_free(&text);
    mem_free((void *)(uintptr_t)bytes.ptr);
}
END_TEST

static const struct {
    const char *from, *to;
    enum reason reason;
} bad_roots[] = {
    {"version=0.1", "version=0.2", REASON_UNSUPPORTED},
    {"\"mediaType\"", "\"media_type\"", REASON_MALFORMED},
    {"\"start\": \"" WINDOW_START "\"", "", REASON_MALFORMED}, /* a log without a start */
    {WINDOW_START, "2026-13-23T00:00:00Z", REASON_MALFORMED},
    {"\"validFor\"", "\"validfor\"", REASON_MALFORMED},
    {"SHA2_256", "SHA2_512", REASON_UNSUPPORTED},
    {"PKIX_ECDSA_P256_SHA_256", "PKIX_ECDSA_P384_SHA_384", REASON_MALFORMED},
    {"\"rawBytes\": \"MFkw", "\"rawBytes\": \"MFkx", REASON_MALFORMED},
    {"\"rawBytes\": \"MIIB", "\"rawBytes\": \"*IIB", REASON_MALFORMED},
    {"\"keyId\": \"kwbL", "\"keyId\": \"", REASON_MALFORMED},
    {"\"certificates\"", "\"Certificates\"", REASON_MALFORMED},
};

/* Times are kept in milliseconds: of finer ones the start is rounded up and the end down, so that no window grows. */
START_TEST(windows_never_grow)
{
    static const char format[] =
        "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot+json;version=0.1\",\"tlogs\":[{\"publicKey\":"
        "{\"rawBytes\":\"%s\",\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\",\"validFor\":{\"start\":\"%s\",\"end\":\"%s\"}"
        "},"
        "\"logId\":{\"keyId\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}}]}";
    static const struct {
        const char *start, *end;
        int64_t start_ms, end_ms;
    } table[] = {
        {"1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z", 1000, 2000},
        {"1970-01-01T00:00:01.5Z", "1970-01-01T00:00:02.999Z", 1500, 2999},
        {"1970-01-01T00:00:01.000000001Z", "1970-01-01T00:00:02.999999999Z", 1001, 2999},
        {"1970-01-01T00:00:01.500999999Z", "1970-01-01T00:00:02.0009Z", 1501, 2000},
    };
    struct pubkey *key = test_key("cosign.pub");
    struct buf spki = BUF_INIT(1000);

    base64_encode(pubkey_spki(key), &spki);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char json[1000];
        struct trust_root *root;

        (void)snprintf(json, sizeof(json), format, buf_cstr(&spki), table[i].start, table[i].end);
        root = parse_root(span_str(json));
        ck_assert_int_eq(root->logs.items[0].window.start_ms, table[i].start_ms);
        ck_assert_int_eq(root->logs.items[0].window.end_ms, table[i].end_ms);
        trust_root_free(root);
    }
    pubkey_free(key);
    buf_free(&spki);
}
END_TEST

START_TEST(roots_are_strict)
{
    struct span bytes = test_vector("keys/mock_trusted_root.json");
    struct buf text = copy_of(bytes);
    struct trust_root *root = NULL;
    struct error err = ERROR_INIT;

    replace(&text, bad_roots[_i].from, bad_roots[_i].to);
    ck_assert(!trust_root_parse(buf_as_span(&text), &root, &err));
    ck_assert_msg(err.reason == bad_roots[_i].reason, "%s: %s", bad_roots[_i].to, err.text);
    ck_assert_ptr_null(root);
    buf_free(&text);
    mem_free((void *)(uintptr_t)bytes.ptr);
}
END_TEST

START_TEST(roots_are_read)
{
    struct span bytes = test_vector("keys/mock_trusted_root.json");
    struct trust_root *root = parse_root(bytes);
    struct buf text = copy_of(bytes);

    ck_assert_uint_eq(root->logs.count, 2);
    ck_assert_str_eq(root->logs.items[1].host, "rekor2.mock.test");
    ck_assert_uint_eq(root->ct_logs.count, 1);
    ck_assert_uint_eq(root->authorities.count, 1);
    ck_assert_uint_eq(root->timestamp_authorities.count, 1);
    ck_assert_ptr_nonnull(root->stamps[0].leaf);
    ck_assert_uint_eq(root->skipped, 0);
    trust_root_free(root);
    replace(&text, "PKIX_ECDSA_P256_SHA_256", "PKIX_ML_DSA_65");
    root = parse_root(buf_as_span(&text));
    ck_assert_uint_eq(root->skipped, 1);
    ck_assert_uint_eq(root->logs.count, 1);
    trust_root_free(root);
    buf_free(&text);
    mem_free((void *)(uintptr_t)bytes.ptr);
}
END_TEST

START_TEST(roots_from_pem)
{
    struct span root_pem = test_vector("keys/byo-pki/root.pem");
    struct span int_pem = test_vector("keys/byo-pki/int.pem");
    struct buf chain CLEANUP(buf_free) = BUF_INIT(LIMIT_TRUST_ROOT_BYTES);
    struct trust_root *root = NULL;
    struct error err = ERROR_INIT;
    struct run run;

    buf_span(&chain, int_pem); /* the anchor is the last */
    buf_span(&chain, root_pem);
    ck_assert_msg(trust_root_parse(buf_as_span(&chain), &root, &err), "%s", err.text);
    run_start(&run, "demo/byo-bundle", false, NULL);
    run.roots[0] = root;
    run_go(&run);
    ck_assert_msg(facts(&run) == (CLAIM | CERTIFICATE | CHAIN | AT_NOW), "%s", say(&run));
    run_done(&run);
    trust_root_free(root);
    root = NULL;
    ck_assert(!trust_root_parse(span_str("-----BEGIN no"), &root, &err));
    mem_free((void *)(uintptr_t)root_pem.ptr);
    mem_free((void *)(uintptr_t)int_pem.ptr);
}
END_TEST

#define LOOP(list, test) tcase_add_loop_test(cases, test, 0, (int)(sizeof(list) / sizeof(list[0])))

int main(void)
{
    Suite *suite = suite_create("verifier_trustroot");
    TCase *cases = tcase_create("trustroot");
    struct error err = ERROR_INIT;

    if (!crypto_init(&err))
        return EXIT_FAILURE;
    tcase_set_timeout(cases, 60);
    LOOP(windows, windows_are_closed_to_the_second);
    LOOP(twice, a_log_may_stand_twice);
    LOOP(bad_roots, roots_are_strict);
    tcase_add_test(cases, roots_are_read);
    tcase_add_test(cases, windows_never_grow);
    tcase_add_test(cases, roots_from_pem);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
