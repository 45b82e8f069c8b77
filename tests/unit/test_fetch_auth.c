/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/harness.h"
#include "verifier/fetch/auth_parse.h"

/* NULL realm = no Bearer expected. */
static const struct good {
    const char *lines, *realm, *service, *scope, *error;
    bool basic;
} good[] = {
    {"Basic realm=\"Registry\"", NULL, NULL, NULL, NULL, true},
    {"basic", NULL, NULL, NULL, NULL, true},
    {"Bearer "
     "realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/alpine:pull\"",
     "https://auth.docker.io/token", "registry.docker.io", "repository:library/alpine:pull", NULL, false},
    {"BEARER Realm=\"https://a/t\" , SERVICE=x", "https://a/t", "x", NULL, NULL, false},
    {"Bearer realm=\"https://a/t\",scope=\"repository:a/b:pull,push\"", "https://a/t", NULL, "repository:a/b:pull",
     NULL, false},
    {"Bearer realm=\"https://a/t\",scope=\"repository:a:*  repository:b:push,pull registry:catalog:*\"", "https://a/t",
     NULL, "repository:a:pull repository:b:pull registry:catalog:*", NULL, false},
    {"Bearer realm=\"https://a/t\",scope=\"repository:h:5000/b:push\"", "https://a/t", NULL, "repository:h:5000/b:push",
     NULL, false},
    {"Bearer realm=\"https://a/t\",error=\"insufficient_scope\"", "https://a/t", NULL, NULL, "insufficient_scope",
     false},
    {"Negotiate, Basic realm=\"x\"", NULL, NULL, NULL, NULL, true},
    {"Negotiate\nBearer realm=\"https://a/t\"", "https://a/t", NULL, NULL, NULL, false},
    {"Basic realm=\"x\", charset=\"UTF-8\", Bearer realm=\"https://a/t\"", "https://a/t", NULL, NULL, NULL, true},
    {"Bearer realm=\"https://a/t\"\nBasic realm=\"x\"", "https://a/t", NULL, NULL, NULL, true},
    {"Bearer realm=\"https://a/1\"\nBearer realm=\"https://a/2\"", "https://a/1", NULL, NULL, NULL, false},
    {"Bearer realm=\"https://a/t\",,service=\"s\\\"q\"", "https://a/t", "s\"q", NULL, NULL, false},
    {", Basic realm=\"a, b=c\"", NULL, NULL, NULL, NULL, true},
};

static void same(const char *got, const char *wanted)
{
    if (wanted)
        ck_assert_str_eq(got, wanted);
    else
        ck_assert_ptr_null(got);
}

START_TEST(challenges_are_read)
{
    const struct good *one = &good[_i];
    struct challenge challenge = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(challenge_parse(span_str(one->lines), &challenge, &err), "%s: %s", one->lines, err.text);
    ck_assert(challenge.basic == one->basic);
    ck_assert(challenge.bearer == (one->realm != NULL));
    same(challenge.realm, one->realm);
    same(challenge.service, one->service);
    same(challenge.scope, one->scope);
    same(challenge.error, one->error);
    challenge_done(&challenge);
}
END_TEST

static const struct bad {
    const char *lines;
    enum reason reason;
} bad[] = {
    {"", REASON_UNSUPPORTED},
    {"Negotiate", REASON_UNSUPPORTED},
    {"Bearer", REASON_MALFORMED},
    {"Bearer service=\"x\"", REASON_MALFORMED},
    {"Bearer realm=\"\"", REASON_MALFORMED},
    {"Bearer realm=\"https://a/t", REASON_MALFORMED},
    {"Bearer realm=\"https://a/t\" service=\"x\"", REASON_MALFORMED},
    {"Bearer realm=\"https://a/t\",realm=\"https://b/t\"", REASON_MALFORMED},
    {"Bearer realm=", REASON_MALFORMED},
    {"Bearer =x", REASON_MALFORMED},
    {"Bearer realm=\"https://a/\x01\"", REASON_MALFORMED},
    {"Bearer realm=\"https://a/\xc3\xa9\"", REASON_MALFORMED},
    {"Bearer realm=\"file:///etc/passwd\"", REASON_MALFORMED},
    {"Bearer realm=\"/token\"", REASON_MALFORMED},
    {"Bearer realm=\"https://user@a/t\"", REASON_MALFORMED},
    {"Bearer realm=\"https:///t\"", REASON_MALFORMED},
    {"Bearer realm=\"https://a/t#x\"", REASON_MALFORMED},
    {"Bearer realm=\"https://a/t u\"", REASON_MALFORMED},
    {"Bearer realm=\"https://a/t\\\\\"", REASON_MALFORMED},
    {"\"Bearer\"", REASON_MALFORMED},
    {"Bearer/realm=\"https://a/t\"", REASON_MALFORMED},
    {"A, B, C, D, E, F, G, H, Basic", REASON_MALFORMED},
};

START_TEST(challenges_are_refused)
{
    struct challenge challenge = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(!challenge_parse(span_str(bad[_i].lines), &challenge, &err), "%s", bad[_i].lines);
    ck_assert_msg(err.reason == bad[_i].reason, "%s: %s (%s)", bad[_i].lines, reason_name(err.reason), err.text);
    ck_assert_ptr_null(challenge.realm);
}
END_TEST

START_TEST(challenge_has_a_limit)
{
    struct buf lines CLEANUP(buf_free) = BUF_INIT(1 << 20);
    struct challenge challenge = {0};
    struct error err = ERROR_INIT;

    buf_str(&lines, "Bearer realm=\"https://a/");
    while (lines.len <= LIMIT_CHALLENGE_BYTES)
        buf_byte(&lines, 'a');
    ck_assert(!challenge_parse(buf_as_span(&lines), &challenge, &err));
    ck_assert_int_eq(err.reason, REASON_LIMIT);
}
END_TEST

static const struct token_case {
    const char *body, *token;
    uint32_t expires;
} tokens[] = {
    {"{\"token\":\"abc\"}", "abc", 60},
    {"{\"token\":\"abc\",\"access_token\":\"def\",\"expires_in\":300,\"issued_at\":\"2026-01-01T00:00:00Z\"}", "abc",
     300},
    {"{\"access_token\":\"def\",\"expires_in\":\"3600\"}", "def", 3600},
    {"{\"token\":\"\",\"access_token\":\"def\"}", "def", 60},
    {"{\"token\":\"abc\",\"expires_in\":-5}", "abc", 0},
    {"{\"token\":\"abc\",\"expires_in\":99999999999}", "abc", 86400},
    {"{\"token\":\"abc\",\"expires_in\":1e9}", "abc", 60},
    {"{}", NULL, 0},
    {"[]", NULL, 0},
    {"{\"token\":5}", NULL, 0},
    {"{\"token\":null}", NULL, 0},
    {"{\"token\":\"a b\"}", NULL, 0},
    {"{\"token\":\"a\\r\\nX-Evil: 1\"}", NULL, 0},
    {"{\"token\":\"\xc3\xa9\"}", NULL, 0},
    {"{\"token\":\"a\",\"token\":\"b\"}", NULL, 0},
    {"{\"token\":\"a\"} x", NULL, 0},
    {"<html>", NULL, 0},
    {"", NULL, 0},
};

START_TEST(tokens_are_read)
{
    const struct token_case *one = &tokens[_i];
    struct token_answer answer = {0};
    struct error err = ERROR_INIT;
    bool ok = token_parse(span_str(one->body), &answer, &err);

    ck_assert_msg(ok == (one->token != NULL), "%s: %s", one->body, err.text);
    if (ok) {
        ck_assert_str_eq(answer.token, one->token);
        ck_assert_uint_eq(answer.expires_in, one->expires);
    } else {
        ck_assert_int_eq(err.reason, REASON_MALFORMED);
    }
    token_answer_done(&answer);
}
END_TEST

static const struct words_case {
    const char *body, *text;
} words[] = {
    {"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access to the resource is denied\"}]}",
     "DENIED: requested access to the resource is denied"},
    {"{\"details\":\"incorrect username or password\"}", "incorrect username or password"},
    {"{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}", "invalid_grant: expired"},
    {"{\"message\":\"Not Authorized\\n\"}", "Not Authorized\\x0a"},
    {"{\"errors\":[]}", NULL},
    {"<html></html>", NULL},
    {"", NULL},
};

START_TEST(errors_have_words)
{
    char *text CLEANUP(mem_freep) = error_body_text(span_str(words[_i].body));

    same(text, words[_i].text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch_auth");
    TCase *cases = tcase_create("auth");

    tcase_add_loop_test(cases, challenges_are_read, 0, ARRAY_LEN(good));
    tcase_add_loop_test(cases, challenges_are_refused, 0, ARRAY_LEN(bad));
    tcase_add_test(cases, challenge_has_a_limit);
    tcase_add_loop_test(cases, tokens_are_read, 0, ARRAY_LEN(tokens));
    tcase_add_loop_test(cases, errors_have_words, 0, ARRAY_LEN(words));
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
