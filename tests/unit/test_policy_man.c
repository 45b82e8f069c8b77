/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard-policy(5) and the loader know the same fields, and the page's examples load. */
#include <ctype.h>

#include "tests/unit/harness.h"
#include "tests/unit/policy_helper.h"

static struct buf page;

static bool is_word_byte(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '-';
}

/* Does the page hold the name as a word of its own? */
static bool page_names(struct span name)
{
    struct span rest = buf_as_span(&page);
    char *text = span_dup(name);
    bool found = false;
    size_t at;

    while (!found && (at = span_find(rest, text)) != SIZE_MAX) {
        bool begins = at == 0 || !is_word_byte(rest.ptr[at - 1]);
        bool ends = at + name.len >= rest.len || !is_word_byte(rest.ptr[at + name.len]);

        found = begins && ends;
        rest = span_cut(rest, at + 1, SIZE_MAX);
    }
    mem_free(text);
    return found;
}

/* A row of a field table: {"name", NODE_... or FIELD_ANY; an operator of conditions: = "name", */
static size_t check_line(struct span line, const char *file)
{
    size_t quote, checked = 0;

    while ((quote = span_find_byte(line, '"')) != SIZE_MAX) {
        bool field = quote > 0 && line.ptr[quote - 1] == '{';
        bool operator = quote > 2 && line.ptr[quote - 2] == '=' && line.ptr[quote - 3] == ' ' &&
                        span_find(span_cut(line, 0, quote), "[CONDITION_") != SIZE_MAX;
        struct span rest = span_cut(line, quote + 1, SIZE_MAX), name;
        size_t end = span_find_byte(rest, '"');

        if (end == SIZE_MAX)
            break;
        name = span_cut(rest, 0, end);
        line = span_cut(rest, end + 1, SIZE_MAX);
        field = field && (span_starts(line, ", NODE_") || span_starts(line, ", FIELD_ANY"));
        if (!field && !operator)
            continue;
        ck_assert_msg(page_names(name), "%s: \"%.*s\" is not in pullguard-policy(5)", file, (int)name.len,
                      (const char *)name.ptr);
        checked++;
    }
    return checked;
}

START_TEST(every_field_is_described)
{
    static const char *const suffixes[] = {".c", NULL};
    char *dir = mem_printf("%s/policy", secure_getenv("PG_SOURCE"));
    struct names files = {0};
    struct error err = ERROR_INIT;
    size_t checked = 0;

    ck_assert_msg(dir_list(dir, suffixes, &files, &err), "%s", err.text);
    for (size_t i = 0; i < files.count; i++) {
        char *name = mem_printf("policy/%s", files.items[i]);
        struct buf text = test_read(name);
        struct span rest = buf_as_span(&text);

        while (rest.len > 0) {
            size_t end = span_find_byte(rest, '\n');

            checked += check_line(span_cut(rest, 0, end), files.items[i]);
            rest = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(rest, end + 1, SIZE_MAX);
        }
        buf_free(&text);
        mem_free(name);
    }
    /* The tables were found at all. */
    ck_assert_uint_gt(checked, 120);
    names_free(&files);
    mem_free(dir);
}
END_TEST

static bool example_key(void *context, const char *name, struct buf *ret, struct error *err)
{
    static const char *const keys[][2] = {{"holilabs.pub", "cosign.pub"}, {"release-a.pub", "cosign.pub"},
                                          {"release-b.pub", "ed25519.pub"}, {"security.pub", "rsa2048.pub"}};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i][0], name) == 0)
            return test_read_key(context, keys[i][1], ret, err);
    }
    return error_set(err, REASON_NOT_FOUND, "no key %s", name);
}

static bool example_trust(void *context, const char *name, struct buf *ret, struct error *err)
{
    return test_read_trust(context, strcmp(name, "own-pki") == 0 ? "mock" : name, ret, err);
}

/* The nth display of the page, with its placeholders filled, indented by `indent` behind `head`. */
static char *example(size_t number, const char *head, size_t indent)
{
    struct span rest = buf_as_span(&page);
    struct buf text = BUF_INIT(100000);
    size_t end;

    for (size_t i = 0; i <= number; i++) {
        size_t at = span_find(rest, ".Bd -literal\n");

        ck_assert_uint_ne(at, SIZE_MAX);
        rest = span_cut(rest, at + 13, SIZE_MAX);
    }
    rest = span_cut(rest, 0, span_find(rest, ".Ed\n"));
    buf_str(&text, head);
    while (rest.len > 0) {
        struct span line = span_cut(rest, 0, end = span_find_byte(rest, '\n'));
        size_t dots = span_find(line, "sha256:...");

        for (size_t i = 0; i < indent; i++)
            buf_byte(&text, ' ');
        if (dots != SIZE_MAX) {
            buf_span(&text, span_cut(line, 0, dots));
            buf_str(&text, TEST_DIGEST);
            line = span_cut(line, dots + 10, SIZE_MAX);
        }
        for (size_t i = 0; i < line.len; i++) { /* \e is the formatter's backslash */
            buf_byte(&text, line.ptr[i]);
            if (line.ptr[i] == '\\' && i + 1 < line.len && line.ptr[i + 1] == 'e')
                i++;
        }
        buf_byte(&text, '\n');
        rest = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(rest, end + 1, SIZE_MAX);
    }
    ck_assert(buf_ok(&text));
    return buf_take(&text);
}

#define DOCUMENT "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: example}\n"

START_TEST(the_examples_load)
{
    static const struct {
        const char *head;
        size_t indent;
    } examples[] = {
        {"", 0},
        {DOCUMENT "spec:\n  images: [{glob: \"r.io/**\"}]\n  authorities:\n    - key: {path: holilabs.pub}\n"
                  "      ctlog: {url: https://rekor.sigstore.dev}\n", 6},
        {DOCUMENT, 0},
        {DOCUMENT, 0},
        {DOCUMENT, 0},
        {"", 0},
    };
    const struct policy_source source = {.read_key = example_key, .read_trust = example_trust};

    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        char *text = example(i, examples[i].head, examples[i].indent);
        struct policy_set *set = policy_set_new();
        struct error err = ERROR_INIT;

        ck_assert_msg(policy_set_add(set, "example.yaml", span_str(text), &source, &err), "%s\n%s", err.text, text);
        policy_set_free(set);
        mem_free(text);
    }
}
END_TEST

/* What a policy can ask for is shown once at least, not only described. */
START_TEST(every_requirement_stands_in_an_example)
{
    static const char *const words[] = {
        "key:", "path:", "hashAlgorithm:", "keyless:", "url:", "trustRootRef:", "issuer:", "issuerRegExp:", "subject:",
        "subjectRegExp:", "insecureIgnoreSCT:", "ctlog:", "rfc3161timestamp:", "attestations:", "predicateType:",
        "signatureFormat:", "source:", "tagPrefix:", "annotations:", "static:", "mode: warn", "conditions:",
        "threshold:", "required:", "signedAndAttested:", "notBefore:", "notAfter:", "maxAge:", "identity:",
        "insecureIgnoreTlog:", "revoked:", "keys:", "certificates:", "digests:", "githubWorkflowRepository:",
        "githubWorkflowTrigger:",
    };
    struct buf all = BUF_INIT(1 << 20);

    for (size_t i = 0; i < 6; i++) {
        char *text = example(i, "", 0);

        buf_str(&all, text);
        mem_free(text);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        ck_assert_msg(span_find(buf_as_span(&all), words[i]) != SIZE_MAX, "no example shows \"%s\"", words[i]);
    buf_free(&all);
}
END_TEST

static void read_page(void)
{
    page = test_read("packaging/man/pullguard-policy.5.in");
}

static void free_page(void)
{
    buf_free(&page);
}

int main(void)
{
    Suite *suite = suite_create("policy_man");
    TCase *tcase = tcase_create("man");

    tcase_add_checked_fixture(tcase, read_page, free_page);
    tcase_add_test(tcase, every_field_is_described);
    tcase_add_test(tcase, the_examples_load);
    tcase_add_test(tcase, every_requirement_stands_in_an_example);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
