/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/glob.h"

#include <inttypes.h>

#include "base/mem.h"
#include "policy/match.h"
#include "tests/unit/harness.h"
#include "tests/unit/policy_helper.h"

static const struct {
    const char *glob, *name;
    bool matches;
} cases[] = {
    /* policy.md 1.2: the format's own rules */
    {"registry.example.com/app", "registry.example.com/app", true},
    {"registry.example.com/*", "registry.example.com/app", true},
    {"registry.example.com/*", "registry.example.com/team/app", false},
    {"registry.example.com/**", "registry.example.com/team/app", true},
    {"registry.example.com/**", "registry.example.com/", true},
    {"registry.example.com/**", "registry.example.com", false},
    {"registry.example.com/*/app:*", "registry.example.com/team/app:v1", true},
    {"registry.example.com/*/app:*", "registry.example.com/team/app@sha256:00", false},
    {"registry.example.com/*/app:*", "registry.example.com/team/sub/app:v1", false},
    {"registry.example.com/*/app:*", "registry.example.com/team/app", false},
    /* ':' and '@' are no separators for '*' */
    {"registry.example.com/app*", "registry.example.com/app:v1", true},
    {"registry.example.com/app*", "registry.example.com/app@sha256:00", true},
    {"registry.example.com/app*", "registry.example.com/app-evil:v1", true},
    {"registry.example.com/app", "registry.example.com/app-evil", false},
    {"registry.example.com/app", "evil/registry.example.com/app", false},
    {"example.com/a", "example-com/a", false}, /* '.' stands for itself */
    {"**", "index.docker.io/library/alpine:3", true},
    {"***", "a/b/c", true},
    {"**/app", "a/b/app", true},
    {"**/app", "app", false},
    {"a/**/b", "a/b", false},
    {"a/**/b", "a//b", true},
    {"a/**b", "a/x/y/b", true},
    {"a*b*c", "axbxbc", true},
    {"a*b*c", "axb/bc", false},
    {"a**b*c", "a/b/b/bxc", true},
    {"a**b*c", "a/b/b/x/c", false},
    {"*", "", false},  /* rewritten: index.docker.io/library/... */
    {"*", "index.docker.io/library/alpine", true},
    {"*", "index.docker.io/user/app", false},
    {"*/*", "index.docker.io/user/app", true},
    {"*/*", "registry.example.com/app", false},
};

START_TEST(matches_as_the_format_says)
{
    struct error err = ERROR_INIT;
    char *glob = glob_new(span_str(cases[_i].glob), &err);

    ck_assert_ptr_nonnull(glob);
    ck_assert_msg(glob_match(glob, span_str(cases[_i].name)) == cases[_i].matches, "%s on %s", cases[_i].glob,
                  cases[_i].name);
    mem_free(glob);
}
END_TEST

START_TEST(refuses_other_characters)
{
    static const char *const bad[] = {"", "[a-z]*", "a.+", "$X", "a?", "a b", "a\\*", "a{b}", "\xc3\xa9"};
    struct error err = ERROR_INIT;
    char *longest = mem_new(GLOB_MAX_BYTES + 2, 1);

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_ptr_null(glob_new(span_str(bad[i]), &err));
        ck_assert_int_eq(err.reason, REASON_POLICY_ERROR);
    }
    memset(longest, 'a', GLOB_MAX_BYTES + 1);
    ck_assert_ptr_null(glob_new(span_str(longest), &err));
    mem_free(longest);
}
END_TEST

/* The definition itself, slow: what the matcher must agree with. */
static bool slow_match(const char *glob, const char *text)
{
    if (*glob == '\0')
        return *text == '\0';
    if (glob[0] == '*' && glob[1] == '*') {
        for (;; text++) {
            if (slow_match(glob + 2, text))
                return true;
            if (*text == '\0')
                return false;
        }
    }
    if (*glob == '*') {
        for (;; text++) {
            if (slow_match(glob + 1, text))
                return true;
            if (*text == '\0' || *text == '/')
                return false;
        }
    }
    return *glob == *text && slow_match(glob + 1, text + 1);
}

START_TEST(agrees_with_the_definition)
{
    static const char glob_bytes[] = "ab/***", text_bytes[] = "ab/";
    uint32_t seed = 1;

    for (int round = 0; round < 200000; round++) {
        char glob[10] = "", text[12] = "";
        size_t glob_len, text_len;

        seed = seed * 1664525u + 1013904223u;
        glob_len = (seed >> 16) % 9;
        text_len = (seed >> 20) % 11;
        for (size_t i = 0; i < glob_len; i++) {
            seed = seed * 1664525u + 1013904223u;
            glob[i] = glob_bytes[(seed >> 16) % 6];
        }
        for (size_t i = 0; i < text_len; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = text_bytes[(seed >> 16) % 3];
        }
        ck_assert_msg(glob_match(glob, span_str(text)) == slow_match(glob, text), "%s on %s", glob, text);
    }
}
END_TEST

START_TEST(long_globs_do_not_explode)
{
    char glob[1025], text[1025];

    for (size_t i = 0; i + 2 <= 1024; i += 2)
        memcpy(glob + i, "*a", 2);
    glob[1024] = '\0';
    memset(text, 'a', 1024);
    text[1023] = 'b';
    text[1024] = '\0';
    ck_assert(!glob_match(glob, span_str(text)));
}
END_TEST

/* Both kinds of star, a tail that all but fits, and a text on which trying one way after the other takes n * n * m. */
START_TEST(the_cost_is_linear_in_both)
{
    static const char *const globs[] = {"**a*aaaaaaaab", "*a**a*a**aaab", "**a**a**a**ab", "a*a*a*a*a*a*b",
                                        "*************"};
    char *text = mem_new(16385, 1);

    memset(text, 'a', 16384);
    for (size_t i = 0; i < ARRAY_LEN(globs); i++) {
        for (size_t len = 1024; len <= 16384; len *= 4) {
            uint64_t work = 0;
            bool matches = glob_match_counted(globs[i], span_of(text, len), &work);

            ck_assert_int_eq(matches, i == 4);
            ck_assert_msg(work <= (len + 1) * 4 * 13, "%s on %zu: %" PRIu64, globs[i], len, work);
        }
    }
    mem_free(text);
}
END_TEST

static void names_are(const struct policy_image *image, const char *const *wanted, size_t count)
{
    struct image_names names;
    struct error err = ERROR_INIT;

    ck_assert(image_names_init(&names, image, &err));
    ck_assert_uint_eq(names.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_str_eq(names.items[i], wanted[i]);
    image_names_done(&names);
}

/* policy.md trap 2: the forms a pull is matched under. */
START_TEST(an_image_has_these_names)
{
    struct policy_image image = test_image("r.io", "a/b", "v1");
    static const char *const full[] = {"r.io/a/b:v1", "r.io/a/b@" TEST_DIGEST, "r.io/a/b:v1@" TEST_DIGEST, "r.io/a/b"};
    static const char *const untagged[] = {"r.io/a/b@" TEST_DIGEST, "r.io/a/b"};
    static const char *const hub[] = {"index.docker.io/library/x:3", "index.docker.io/library/x",
                                      "docker.io/library/x:3", "docker.io/library/x", "x:3"};

    names_are(&image, full, 4);
    image.tag = NULL;
    names_are(&image, untagged, 2);
    image = (struct policy_image){.written = "x:3", .host = "index.docker.io", .repository = "library/x", .tag = "3"};
    names_are(&image, hub, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_glob");
    TCase *tcase = tcase_create("glob");

    tcase_add_loop_test(tcase, matches_as_the_format_says, 0, ARRAY_LEN(cases));
    tcase_add_test(tcase, refuses_other_characters);
    tcase_add_test(tcase, agrees_with_the_definition);
    tcase_add_test(tcase, long_globs_do_not_explode);
    tcase_add_test(tcase, the_cost_is_linear_in_both);
    tcase_add_test(tcase, an_image_has_these_names);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
