/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/regex.h"

#include <regex.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static const struct {
    const char *pattern, *text;
    bool matches;
} cases[] = {
    {"abc", "xabcx", true}, /* unanchored, as Go's */
    {"^abc$", "xabcx", false},
    {"^abc$", "abc", true},
    {"^abc$", "abc\n", false}, /* $ is the end of the text, not of a line */
    {"^a", "b\na", false},
    {"a.c", "a\nc", false},
    {"a.c", "a/c", true},
    {"a.c", "a\xc3\xa9" "c", true}, /* one character, two bytes */
    {"^.$", "\xe2\x82\xac", true},
    {"^.$", "\xff", true}, /* not UTF-8: one U+FFFD */
    {"^\\x{fffd}$", "\xff", true},
    {"a|b|", "zzz", true}, /* an empty alternative matches anywhere */
    {"^(a|b)$", "b", true},
    {"^(?:a|b)+$", "abba", true},
    {"^(a*)*$", "aaaa", true},
    {"^(a*)*$", "aaab", false},
    {"(^|x)a", "xa", true},
    {"^a{2}$", "aa", true},
    {"^a{2}$", "aaa", false},
    {"^a{2,}$", "a", false},
    {"^a{2,}$", "aaaaa", true},
    {"^a{1,3}$", "aaaa", false},
    {"^a{0,3}$", "", true},
    {"^a{0}$", "", true},
    {"^a+?b*?$", "aab", true},
    {"[a-c]", "b", true},
    {"[^a-c]", "b", false},
    {"[^a-c]", "\xc3\xa9", true},
    {"[]a]", "]", true},
    {"[^]a]", "]", false},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[a\\-z]", "b", false},
    {"[\\d.]+$", "1.2", true},
    {"[[:alpha:]_]", "_", true},
    {"[[:alpha:]]", "1", false},
    {"^\\d+$", "123", true},
    {"^\\D+$", "1", false},
    {"^\\w+$", "a_1", true},
    {"^\\w$", "\xc3\xa9", false},
    {"^\\s$", "\t", true},
    {"^\\S$", " ", false},
    {"\\.", "a", false},
    {"\\.", ".", true},
    {"\\/\\-\\@", "/-@", true},
    {"\\x41", "A", true},
    {"\\x{20AC}", "\xe2\x82\xac", true},
    {"\\Aa\\z", "a", true},
    {"(?i)^https://GitHub", "https://github.com", true},
    {"(?i)[a-c]$", "B", true},
    {"(?i)[^a]", "A", false},
    {"^https://github\\.com/example/[^/]+/\\.github/workflows/release\\.yml@refs/tags/v\\d+\\.\\d+\\.\\d+$",
     "https://github.com/example/app/.github/workflows/release.yml@refs/tags/v1.22.3", true},
    {"^https://github\\.com/example/[^/]+/\\.github/workflows/release\\.yml@refs/tags/v\\d+\\.\\d+\\.\\d+$",
     "https://github.com/example/app/x/.github/workflows/release.yml@refs/tags/v1.22.3", false},
    {"^https://github.com/example/", "https://githubXcom/example/", true}, /* an unescaped dot, as users write it */
};

START_TEST(matches)
{
    struct error err = ERROR_INIT;
    struct regex *regex = NULL;

    ck_assert_msg(regex_new(span_str(cases[_i].pattern), &regex, &err), "%s", err.text);
    /* Twice: the working memory is used again. */
    for (int round = 0; round < 2; round++)
        ck_assert_msg(regex_search(regex, span_str(cases[_i].text)) == cases[_i].matches, "%s on %s", cases[_i].pattern,
                      cases[_i].text);
    regex_free(regex);
}
END_TEST

START_TEST(refuses_what_it_does_not_know)
{
    static const char *const bad[] = {"",
                                      "(",
                                      ")",
                                      "a)",
                                      "(a",
                                      "[",
                                      "[a",
                                      "[]",
                                      "[^]",
                                      "[b-a]",
                                      "[[:foo:]]",
                                      "*",
                                      "+a",
                                      "a**",
                                      "a+*",
                                      "a{2}{3}",
                                      "a{",
                                      "a{x}",
                                      "a{1001}",
                                      "a{3,2}",
                                      "a{1,2",
                                      "\\",
                                      "\\1",
                                      "\\b",
                                      "\\B",
                                      "\\p{L}",
                                      "\\Q.\\E",
                                      "\\C",
                                      "\\Z",
                                      "\\G",
                                      "(?=a)",
                                      "(?!a)",
                                      "(?<=a)",
                                      "(?P<n>a)",
                                      "(?<n>a)",
                                      "(?s)a",
                                      "a(?i)b",
                                      "(?i:a)",
                                      "\\x4",
                                      "\\x{110000}",
                                      "\\x{}",
                                      "\xff",
                                      "[\xff]",
                                      "(a{1000}){1000}",
                                      "((((a{10}){10}){10}){10})"};
    struct error err;
    struct regex *regex = NULL;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err = (struct error)ERROR_INIT;
        ck_assert_msg(!regex_new(span_str(bad[i]), &regex, &err), "%s", bad[i]);
        ck_assert_int_eq(err.reason, REASON_POLICY_ERROR);
        ck_assert_ptr_null(regex);
    }
}
END_TEST

START_TEST(limits_hold)
{
    struct error err = ERROR_INIT;
    struct regex *regex = NULL;
    char *big = mem_new(REGEX_TEXT_BYTES + 2, 1);

    memset(big, 'a', REGEX_TEXT_BYTES + 1);
    ck_assert(regex_new(span_str("a"), &regex, &err));
    ck_assert(regex_search(regex, span_of(big, REGEX_TEXT_BYTES)));
    ck_assert(!regex_search(regex, span_of(big, REGEX_TEXT_BYTES + 1)));
    regex_freep(&regex);
    ck_assert(!regex_new(span_of(big, REGEX_PATTERN_BYTES + 1), &regex, &err));
    memset(big, '(', 65);
    memset(big + 65, ')', 65);
    ck_assert(!regex_new(span_of(big, 130), &regex, &err));
    /* Loops that take nothing end at once. */
    ck_assert_msg(regex_new(span_str("((((((){1000}){1000}){1000}){1000})*)*"), &regex, &err), "%s", err.text);
    ck_assert(regex_search(regex, span_str("x")));
    regex_free(regex);
    mem_free(big);
}
END_TEST

/* What makes backtracking matchers hang. */
START_TEST(time_is_linear)
{
    static const char *const evil[] = {"^(a+)+$", "^(a|a)*$", "^(a*)*b", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"};
    struct error err = ERROR_INIT;
    char text[8001];
    int64_t begin = mono_ms();

    memset(text, 'a', 8000);
    text[8000] = '!';
    for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
        struct regex *regex = NULL;

        ck_assert(regex_new(span_str(evil[i]), &regex, &err));
        ck_assert(!regex_search(regex, span_of(text, sizeof(text))));
        regex_free(regex);
    }
    ck_assert_int_lt(mono_ms() - begin, 5000);
}
END_TEST

/* Random small expressions in the common ground with POSIX: both must agree. */
START_TEST(agrees_with_posix)
{
    static const char *const pieces[] = {"a",  "b",  ".",  "(a|b)", "[ab]",   "[^a]", "(ab)",
                                         "a*", "b+", "a?", "(a|)",  "(ab*)+", "^",    "$"};
    uint32_t seed = 7;
    int compared = 0;

    for (int round = 0; round < 20000; round++) {
        char pattern[80] = "", text[12];
        struct error err = ERROR_INIT;
        struct regex *regex = NULL;
        regex_t posix;
        size_t len = 0, count;

        seed = seed * 1664525u + 1013904223u;
        count = 1 + (seed >> 16) % 5;
        for (size_t i = 0; i < count; i++) {
            const char *piece;

            seed = seed * 1664525u + 1013904223u;
            piece = pieces[(seed >> 16) % ARRAY_LEN(pieces)];
            memcpy(pattern + len, piece, strlen(piece) + 1);
            len += strlen(piece);
            seed = seed * 1664525u + 1013904223u;
            if ((seed >> 16) % 5 == 0)
                pattern[len++] = '|';
            pattern[len] = '\0';
        }
        if (len > 0 && pattern[len - 1] == '|')
            pattern[len - 1] = '\0';
        if (regcomp(&posix, pattern, REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        ck_assert_msg(regex_new(span_str(pattern), &regex, &err), "%s", err.text);
        for (int tries = 0; tries < 8; tries++) {
            seed = seed * 1664525u + 1013904223u;
            count = (seed >> 16) % 8;
            for (size_t i = 0; i < count; i++) {
                seed = seed * 1664525u + 1013904223u;
                text[i] = "abc"[(seed >> 16) % 3];
            }
            text[count] = '\0';
            ck_assert_msg(regex_search(regex, span_str(text)) == (regexec(&posix, text, 0, NULL, 0) == 0), "%s on %s",
                          pattern, text);
            compared++;
        }
        regex_free(regex);
        regfree(&posix);
    }
    ck_assert_int_gt(compared, 50000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_regex");
    TCase *tcase = tcase_create("regex");

    tcase_add_loop_test(tcase, matches, 0, ARRAY_LEN(cases));
    tcase_add_test(tcase, refuses_what_it_does_not_know);
    tcase_add_test(tcase, limits_hold);
    tcase_add_test(tcase, time_is_linear);
    tcase_add_test(tcase, agrees_with_posix);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
