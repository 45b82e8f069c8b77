/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden texts: each tests/policy/NAME begins with lines "# ERROR: text" (one) or "# WARNING: text" (any number), or
 * with
 * "# OK". What the loader and lint say about it must be that, word by word. JSON files carry no comments: their
 * expectation stands in NAME.expect.
 */
#include "tests/unit/harness.h"
#include "tests/unit/policy_helper.h"

static struct names files;

static void next_line(struct span *rest, char *dst, size_t dst_size)
{
    size_t end = span_find_byte(*rest, '\n');
    struct span line = span_cut(*rest, 0, end);

    ck_assert_uint_lt(line.len, dst_size);
    memcpy(dst, line.ptr, line.len);
    dst[line.len] = '\0';
    *rest = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(*rest, end + 1, SIZE_MAX);
}

static void check_warnings(struct policy_set *set, struct span expect, const char *file)
{
    struct policy_warnings warnings = {0};
    struct error err = ERROR_INIT;
    char line[1024], found[1024];
    size_t at = 0;

    ck_assert_msg(policy_lint(set, &warnings, &err), "%s", err.text);
    while (span_starts(expect, "# WARNING: ")) {
        next_line(&expect, line, sizeof(line));
        ck_assert_msg(at < warnings.count, "%s: not said: %s", file, line + 11);
        (void)snprintf(found, sizeof(found), "%s:%u:%u: %s", warnings.items[at].file, warnings.items[at].line,
                       warnings.items[at].column, warnings.items[at].text);
        ck_assert_str_eq(found, line + 11);
        at++;
    }
    ck_assert_msg(at == warnings.count, "%s: said besides: %u:%u: %s", file, warnings.items[at].line,
                  warnings.items[at].column, warnings.items[at].text);
    policy_warnings_done(&warnings);
}

START_TEST(says_what_the_file_expects)
{
    const char *file = files.items[_i];
    char *path = mem_printf("tests/policy/%s", file), *expect_path = mem_printf("%s.expect", path);
    bool json = span_ends(span_str(file), ".json");
    struct buf bytes = test_read(path), expect_bytes = {0};
    struct policy_set *set = policy_set_new();
    struct error err = ERROR_INIT;
    struct span expect;
    char line[1024];
    bool good;

    if (json)
        expect_bytes = test_read(expect_path);
    expect = buf_as_span(json ? &expect_bytes : &bytes);
    good = policy_set_add(set, file, buf_as_span(&bytes), &test_source, &err);
    if (span_starts(expect, "# ERROR: ")) {
        next_line(&expect, line, sizeof(line));
        ck_assert_msg(!good, "%s loads", file);
        ck_assert_str_eq(err.text, line + 9);
        ck_assert_int_eq(err.reason, REASON_POLICY_ERROR);
    } else {
        ck_assert_msg(good, "%s", err.text);
        ck_assert_msg(span_starts(expect, "# OK") || span_starts(expect, "# WARNING: "), "%s expects nothing", file);
        check_warnings(set, expect, file);
    }
    policy_set_free(set);
    buf_free(&bytes);
    buf_free(&expect_bytes);
    mem_free(path);
    mem_free(expect_path);
}
END_TEST

static const char minimal[] = "apiVersion: policy.sigstore.dev/v1beta1\n"
                              "kind: ClusterImagePolicy\n"
                              "metadata: {name: %s}\n"
                              "spec: {images: [{glob: \"%s\"}], authorities: [{key: {path: %s}}]}\n";

/* The fingerprint follows everything that decides, also key files and trust roots. */
START_TEST(fingerprint_changes_with_what_decides)
{
    static const char *const parts[][3] = {{"a", "x/**", "cosign.pub"},
                                           {"b", "x/**", "cosign.pub"},
                                           {"a", "y/**", "cosign.pub"},
                                           {"a", "x/**", "ed25519.pub"}};
    char fingerprints[ARRAY_LEN(parts)][65];

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char *text = mem_printf(minimal, parts[i][0], parts[i][1], parts[i][2]);
        struct policy_set *set = test_load(text), *again = test_load(text);

        (void)snprintf(fingerprints[i], sizeof(fingerprints[i]), "%s", policy_set_fingerprint(set));
        ck_assert_uint_eq(strlen(fingerprints[i]), 64);
        ck_assert_str_eq(fingerprints[i], policy_set_fingerprint(again));
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(fingerprints[i], fingerprints[j]);
        policy_set_free(set);
        policy_set_free(again);
        mem_free(text);
    }
}
END_TEST

static bool read_other_key(void *context, const char *name, struct buf *ret, struct error *err)
{
    (void)name;
    return test_read_key(context, "ed25519.pub", ret, err);
}

START_TEST(fingerprint_follows_the_key_file)
{
    const struct policy_source other = {.read_key = read_other_key};
    char *text = mem_printf(minimal, "a", "x/**", "cosign.pub");
    struct policy_set *set = test_load(text), *changed = policy_set_new();
    struct error err = ERROR_INIT;

    ck_assert_msg(policy_set_add(changed, "test.yaml", span_str(text), &other, &err), "%s", err.text);
    ck_assert_str_ne(policy_set_fingerprint(set), policy_set_fingerprint(changed));
    policy_set_free(set);
    policy_set_free(changed);
    mem_free(text);
}
END_TEST

/* Trust roots are read once, and their bytes are handed on. */
START_TEST(trust_roots_are_kept)
{
    struct policy_set *set = test_load("apiVersion: policy.sigstore.dev/v1beta1\n"
                                       "kind: ClusterImagePolicy\n"
                                       "metadata: {name: a}\n"
                                       "spec:\n"
                                       "  images: [{glob: \"**\"}]\n"
                                       "  authorities:\n"
                                       "    - keyless: {trustRootRef: mock, identities: [{issuer: i, subject: s}]}\n"
                                       "    - keyless: {identities: [{issuer: i, subject: s}]}\n"
                                       "    - keyless: {trustRootRef: mock, identities: [{issuer: i, subject: t}]}\n");
    size_t count;
    const char *const *names = policy_set_roots(set, &count);

    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(names[0], "mock");
    ck_assert_str_eq(names[1], "public-good");
    ck_assert(span_eq_str(policy_set_root_bytes(set, 0), "{\"mock\":1}"));
    ck_assert_uint_eq(policy_set_root_bytes(set, 2).len, 0);
    policy_set_free(set);
}
END_TEST

START_TEST(ten_thousand_policies_load_and_match)
{
    struct policy_set *set = policy_set_new();
    struct policy_image image = test_image("registry.example.com", "team9999/app", "v1");
    struct buf text = BUF_INIT(LIMIT_POLICY_FILE_BYTES);
    struct policy_needs needs = {0};
    struct error err = ERROR_INIT;

    for (int i = 0; i < 10000; i++)
        buf_printf(&text,
                   "---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: p%d}\n"
                   "spec: {images: [{glob: \"registry.example.com/team%d/**\"}], authorities: [{key: {path: "
                   "cosign.pub}}]}\n",
                   i, i);
    ck_assert(buf_ok(&text));
    ck_assert_msg(policy_set_add(set, "many.yaml", buf_as_span(&text), &test_source, &err), "%s", err.text);
    ck_assert_uint_eq(policy_set_count(set), 10000);
    ck_assert(policy_needs(set, &image, &needs, &err));
    ck_assert_uint_eq(needs.key_count, 1);
    ck_assert_uint_eq(needs.place_count, 1);
    policy_needs_done(&needs);
    policy_set_free(set);
    buf_free(&text);
}
END_TEST

START_TEST(needs_name_each_thing_once)
{
    struct policy_set *set = test_load("apiVersion: policy.sigstore.dev/v1beta1\n"
                                       "kind: ClusterImagePolicy\n"
                                       "metadata: {name: a}\n"
                                       "spec:\n"
                                       "  images: [{glob: \"r.io/**\"}]\n"
                                       "  authorities:\n"
                                       "    - key: {path: cosign.pub}\n"
                                       "    - name: sha512\n"
                                       "      key: {path: cosign.pub, hashAlgorithm: SHA512}\n"
                                       "    - name: away\n"
                                       "      key: {path: ed25519.pub}\n"
                                       "      source: [{oci: docker.io/signatures, tagPrefix: x}]\n"
                                       "      attestations: [{name: s, predicateType: spdx}]\n"
                                       "    - name: again\n"
                                       "      key: {path: cosign.pub}\n"
                                       "    - name: ok\n"
                                       "      static: {action: pass}\n");
    struct policy_image image = test_image("r.io", "a", "v1"), other = test_image("q.io", "a", "v1");
    struct policy_needs needs = {0};
    struct error err = ERROR_INIT;

    ck_assert(policy_needs(set, &image, &needs, &err));
    ck_assert(!needs.nothing);
    ck_assert_uint_eq(needs.key_count, 3);
    ck_assert_int_eq(needs.keys[0].hash, DIGEST_NONE);
    ck_assert_int_eq(needs.keys[1].hash, DIGEST_SHA512);
    ck_assert_uint_eq(needs.place_count, 2);
    ck_assert_ptr_null(needs.places[0].repository);
    ck_assert(needs.places[0].signatures && !needs.places[0].attestations);
    ck_assert_str_eq(needs.places[1].repository, "index.docker.io/library/signatures");
    ck_assert_str_eq(needs.places[1].tag_prefix, "x");
    ck_assert(!needs.places[1].signatures && needs.places[1].attestations);
    policy_needs_done(&needs);
    ck_assert(policy_needs(set, &other, &needs, &err));
    ck_assert(needs.nothing);
    policy_needs_done(&needs);
    policy_set_free(set);
}
END_TEST

int main(void)
{
    static const char *const suffixes[] = {".yaml", ".json", NULL};
    Suite *suite = suite_create("policy_load");
    TCase *tcase = tcase_create("load");
    char *dir = mem_printf("%s/tests/policy", secure_getenv("PG_SOURCE"));
    struct error err = ERROR_INIT;
    int result;

    if (!dir_list(dir, suffixes, &files, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    tcase_add_loop_test(tcase, says_what_the_file_expects, 0, (int)files.count);
    tcase_add_test(tcase, fingerprint_changes_with_what_decides);
    tcase_add_test(tcase, fingerprint_follows_the_key_file);
    tcase_add_test(tcase, trust_roots_are_kept);
    tcase_add_test(tcase, ten_thousand_policies_load_and_match);
    tcase_add_test(tcase, needs_name_each_thing_once);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    result = run_suite(suite);
    names_free(&files);
    mem_free(dir);
    return result;
}
