/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/unit/harness.h"
#include "verifier/fetch/authfile.h"
#include "verifier/fetch/provider.h"
#include "verifier/fetch/provider_cache.h"

/* dTpw = u:p  */
#define FILE_TEXT                                                                                                    \
    "{\"auths\":{"                                                                                                   \
    "\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnNlY3JldA==\"},"                                               \
    "\"ghcr.io\":{\"auth\":\"Z2g6dG9rZW4=\"},"                                                                       \
    "\"quay.io\":{\"username\":\"q\",\"password\":\"w\"},"                                                           \
    "\"quay.io/team\":{\"auth\":\"dGVhbTpw\"},"                                                                      \
    "\"quay.io/team/app\":{\"auth\":\"YXBwOnA=\"},"                                                                  \
    "\"REG.example:5000\":{\"auth\":\"cmVnOnA6cQA=\",\"identitytoken\":\"idt\"},"                                    \
    "\"empty.example\":{},"                                                                                          \
    "\"https://old.example/v2/\":{\"registrytoken\":\"rt\"}},"                                                       \
    "\"credHelpers\":{\"1234.dkr.ecr.eu-west-1.amazonaws.com\":\"ecr-login\"}}"

static const struct file_case {
    const char *host, *repository, *user, *password, *key;
} file_cases[] = {
    {"index.docker.io", "library/alpine", "hub", "secret", "https://index.docker.io/v1/"},
    {"ghcr.io", "org/app", "gh", "token", "ghcr.io"},
    {"quay.io", "other/app", "q", "w", "quay.io"},
    {"quay.io", "team/other", "team", "p", "quay.io/team"},
    {"quay.io", "team/app", "app", "p", "quay.io/team/app"},
    {"quay.io", "team/app/sub", "app", "p", "quay.io/team/app"},
    {"quay.io", "team/apple", "team", "p", "quay.io/team"},
    {"quay.io", "teammate/app", "q", "w", "quay.io"},
    {"reg.example:5000", "a", "reg", "p:q", "REG.example:5000"},
    {"reg.example", "a", NULL, NULL, NULL},
    {"empty.example", "a", NULL, NULL, NULL},
    {"example", "a", NULL, NULL, NULL},
};

START_TEST(longest_entry_is_found)
{
    const struct file_case *one = &file_cases[_i];
    struct authfile_entry entry CLEANUP(authfile_entry_done) = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(authfile_find(span_str(FILE_TEXT), "file", one->host, one->repository, &entry, &err), "%s", err.text);
    ck_assert(entry.found == (one->user != NULL));
    if (!one->user)
        return;
    ck_assert_str_eq(entry.credentials.username, one->user);
    ck_assert_str_eq(entry.credentials.password, one->password);
    ck_assert_str_eq(entry.key, one->key);
}
END_TEST

START_TEST(tokens_and_helpers_are_found)
{
    struct authfile_entry entry CLEANUP(authfile_entry_done) = {0};
    struct error err = ERROR_INIT;
    static const char store[] = "{\"auths\":{\"ghcr.io\":{}},\"credsStore\":\"pass\"}";

    ck_assert(authfile_find(span_str(FILE_TEXT), "file", "reg.example:5000", "x", &entry, &err));
    ck_assert_str_eq(entry.credentials.identity_token, "idt");
    authfile_entry_done(&entry);
    ck_assert(authfile_find(span_str(FILE_TEXT), "file", "old.example", "x", &entry, &err));
    ck_assert_str_eq(entry.credentials.registry_token, "rt");
    authfile_entry_done(&entry);
    ck_assert(authfile_find(span_str(FILE_TEXT), "file", "1234.dkr.ecr.eu-west-1.amazonaws.com", "x", &entry, &err));
    ck_assert_str_eq(entry.helper, "ecr-login");
    ck_assert_str_eq(entry.helper_server, "1234.dkr.ecr.eu-west-1.amazonaws.com");
    authfile_entry_done(&entry);
    ck_assert(authfile_find(span_str(store), "file", "index.docker.io", "library/x", &entry, &err));
    ck_assert_str_eq(entry.helper, "pass");
    ck_assert_str_eq(entry.helper_server, "https://index.docker.io/v1/");
}
END_TEST

static const char *const bad_files[] = {
    "{", "[]", "{\"auths\":{\"h\":{\"auth\":\"!!!\"}}}", "{\"auths\":{\"h\":{\"auth\":\"bm9jb2xvbg==\"}}}",
    "{\"credHelpers\":{\"h\":\"../../bin/sh\"}}", "{\"credHelpers\":{\"h\":\"\"}}", "{\"credsStore\":\".x\"}",
    "{\"auths\":{\"h\":{\"auth\":\"dTpw\"},\"h\":{\"auth\":\"dTpw\"}}}", "{\"auths\":{\"h\":{\"auth\":\"dQA6cA==\"}}}",
};

START_TEST(bad_files_are_refused)
{
    struct authfile_entry entry = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(!authfile_find(span_str(bad_files[_i]), "the file", "h", "x", &entry, &err), "%s", bad_files[_i]);
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    ck_assert_ptr_nonnull(strstr(err.text, "the file"));
    ck_assert(!entry.found);
}
END_TEST

START_TEST(empty_file_is_no_error)
{
    struct authfile_entry entry = {0};
    struct error err = ERROR_INIT;

    ck_assert(authfile_find(span_str(" \n"), "file", "h", "x", &entry, &err));
    ck_assert(!entry.found);
    ck_assert(authfile_find(span_str("{\"auths\":null}"), "file", "h", "x", &entry, &err));
    ck_assert(!entry.found);
}
END_TEST

START_TEST(helpers_answer)
{
    struct fetch_credentials credentials CLEANUP(fetch_credentials_done) = {0};
    struct error err = ERROR_INIT;
    bool found = false;

    ck_assert(helper_parse(span_str("{\"ServerURL\":\"h\",\"Username\":\"u\",\"Secret\":\"s\"}\n"), 0, "x", &found,
                           &credentials, &err));
    ck_assert(found);
    ck_assert_str_eq(credentials.username, "u");
    fetch_credentials_done(&credentials);
    ck_assert(
        helper_parse(span_str("{\"Username\":\"<token>\",\"Secret\":\"s\"}"), 0, "x", &found, &credentials, &err));
    ck_assert_str_eq(credentials.identity_token, "s");
    ck_assert_ptr_null(credentials.username);
    fetch_credentials_done(&credentials);
    ck_assert(helper_parse(span_str("credentials not found in native keychain\n"), 1, "x", &found, &credentials, &err));
    ck_assert(!found);
    ck_assert(!helper_parse(span_str("pass: store is locked\n"), 1, "x", &found, &credentials, &err));
    ck_assert_int_eq(err.reason, REASON_IO);
    ck_assert(!helper_parse(span_str("{\"Username\":\"u\"}"), 0, "x", &found, &credentials, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    ck_assert(!helper_parse(span_str("{\"Username\":\"u\\n\",\"Secret\":\"s\"}"), 0, "x", &found, &credentials, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
}
END_TEST

static const struct glob_case {
    const char *glob, *image;
    bool matches;
} globs[] = {
    {"*.dkr.ecr.*.amazonaws.com", "123.dkr.ecr.eu-west-1.amazonaws.com/app", true},
    {"*.dkr.ecr.*.amazonaws.com", "123.dkr.ecr.eu.west.amazonaws.com/app", false},
    {"*.io", "ghcr.io/app", true},
    {"*.io", "a.k8s.io/app", false},
    {"app*.k8s.io", "app1.k8s.io/x", true},
    {"registry.io:8080/path", "registry.io:8080/path/x", true},
    {"registry.io:8080/path", "registry.io/path/x", false},
    {"registry.io/path", "registry.io:8080/path/x", false},
    {"registry.io/path", "registry.io/other", false},
    {"gcr.io", "gcr.io/p/i", true},
    {"gcr.io", "eu.gcr.io/p/i", false},
    {"*", "localhost/x", true},
    {"*", "a.b/x", false},
    {"https://quay.io", "quay.io/x", true},
};

START_TEST(globs_match)
{
    ck_assert_msg(provider_glob_matches(span_str(globs[_i].glob), globs[_i].image) == globs[_i].matches, "%s %s",
                  globs[_i].glob, globs[_i].image);
}
END_TEST

#define PROVIDERS                                                                                                    \
    "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n"                             \
    "- name: ecr-credential-provider\n  matchImages: [\"*.dkr.ecr.*.amazonaws.com\"]\n  defaultCacheDuration: 12h\n"  \
    "  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  args: [get]\n  env:\n  - {name: AWS_PROFILE, value: x}\n"

START_TEST(providers_are_read)
{
    struct providers providers CLEANUP(providers_done) = {0};
    struct buf request CLEANUP(buf_free) = BUF_INIT(4096);
    struct error err = ERROR_INIT;
    const struct provider *provider;

    ck_assert_msg(providers_parse(span_str(PROVIDERS), "file", &providers, &err), "%s", err.text);
    ck_assert_uint_eq(providers.count, 1);
    provider = &providers.items[0];
    ck_assert_str_eq(provider->name, "ecr-credential-provider");
    ck_assert_int_eq(provider->default_cache_s, 12 * 3600);
    ck_assert_str_eq(provider->args[0], "get");
    ck_assert_ptr_null(provider->args[1]);
    ck_assert_str_eq(provider->env[0], "AWS_PROFILE=x");
    ck_assert(provider_matches(provider, "1.dkr.ecr.r.amazonaws.com/a"));
    provider_request(provider, "1.dkr.ecr.r.amazonaws.com/a", &request);
    ck_assert_str_eq(buf_cstr(&request),
                     "{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":"
                     "\"credentialprovider.kubelet.k8s.io/v1\",\"image\":\"1.dkr.ecr.r.amazonaws.com/a\"}");
}
END_TEST

/* One that works with a pod's token is known as such, and takes nothing from the others. */
START_TEST(providers_that_need_a_token)
{
    struct providers providers CLEANUP(providers_done) = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(providers_parse(span_str(PROVIDERS "- name: x\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n"
                                                     "  matchImages: [a]\n  defaultCacheDuration: 1h\n"
                                                     "  tokenAttributes: {requireServiceAccount: true}\n"),
                                  "file", &providers, &err),
                  "%s", err.text);
    ck_assert_uint_eq(providers.count, 2);
    ck_assert(!providers.items[0].needs_token);
    ck_assert(providers.items[1].needs_token);
}
END_TEST

static const char *const bad_configs[] = {
    "kind: Other\nproviders: []\n",
    "kind: CredentialProviderConfig\n",
    "kind: CredentialProviderConfig\nproviders:\n- name: ../x\n",
    "kind: CredentialProviderConfig\nproviders:\n- name: x\n  apiVersion: v9\n",
    "kind: CredentialProviderConfig\nproviders:\n- name: x\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  "
    "matchImages: []\n",
    "kind: CredentialProviderConfig\nproviders:\n- name: x\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  "
    "matchImages: [a]\n",
    "kind: CredentialProviderConfig\nproviders:\n- name: x\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n"
    "  matchImages: [a]\n  defaultCacheDuration: soon\n",
    "kind: CredentialProviderConfig\nproviders:\n- name: x\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n"
    "  matchImages: [a]\n  defaultCacheDuration: 1h\n  env: [x]\n",
};

START_TEST(bad_configs_are_refused)
{
    struct providers providers = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(!providers_parse(span_str(bad_configs[_i]), "file", &providers, &err), "%s", bad_configs[_i]);
    ck_assert_int_eq(err.reason, REASON_POLICY_ERROR);
    ck_assert_uint_eq(providers.count, 0);
}
END_TEST

#define ANSWER(kind, duration, auth)                                                                                   \
    "{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/"                     \
    "v1\",\"cacheKeyType\":\"" kind "\"," duration "\"auth\":{" auth "}}"

static const struct answer_case {
    const char *output;
    bool ok;
    const char *user;
    enum provider_cache cache;
    int64_t seconds;
} answers[] = {
    {ANSWER("Registry", "\"cacheDuration\":\"6h0m0s\",", "\"*.example\":{\"username\":\"u\",\"password\":\"p\"}"), true,
     "u", PROVIDER_CACHE_REGISTRY, 6 * 3600},
    {ANSWER("Image", "",
            "\"*.example\":{\"username\":\"u\",\"password\":\"p\"},\"r.example/"
            "app\":{\"username\":\"v\",\"password\":\"p\"}"),
     true, "v", PROVIDER_CACHE_IMAGE, 99},
    {ANSWER("Global", "\"cacheDuration\":\"0s\",", "\"other.example\":{\"username\":\"u\",\"password\":\"p\"}"), true,
     NULL, PROVIDER_CACHE_GLOBAL, 0},
    {ANSWER("Image", "\"cacheDuration\":null,", ""), true, NULL, PROVIDER_CACHE_IMAGE, 99},
    {ANSWER("Image", "\"cacheDuration\":\"1.5h\",", ""), true, NULL, PROVIDER_CACHE_IMAGE, 3600},
    {ANSWER("Image", "\"cacheDuration\":\"soon\",", ""), false, NULL, PROVIDER_CACHE_NONE, 0},
    {ANSWER("Image", "\"cacheDuration\":5,", ""), false, NULL, PROVIDER_CACHE_NONE, 0},
    {ANSWER("Pod", "", ""), false, NULL, PROVIDER_CACHE_NONE, 0},
    {"{\"kind\":\"Other\"}", false, NULL, PROVIDER_CACHE_NONE, 0},
    {"", false, NULL, PROVIDER_CACHE_NONE, 0},
};

START_TEST(provider_answers_are_read)
{
    const struct answer_case *one = &answers[_i];
    char name[] = "p", version[] = "credentialprovider.kubelet.k8s.io/v1";
    struct provider provider = {.name = name, .api_version = version, .default_cache_s = 99};
    struct provider_answer answer CLEANUP(provider_answer_done) = {0};
    struct error err = ERROR_INIT;
    bool ok = provider_parse(&provider, span_str(one->output), "r.example/app", &answer, &err);

    ck_assert_msg(ok == one->ok, "%s: %s", one->output, err.text);
    if (!ok) {
        ck_assert_int_eq(err.reason, REASON_MALFORMED);
        return;
    }
    ck_assert(answer.found == (one->user != NULL));
    if (one->user)
        ck_assert_str_eq(answer.credentials.username, one->user);
    ck_assert_int_eq(answer.cache, one->cache);
    ck_assert_int_eq(answer.cache_s, one->seconds);
}
END_TEST

static char saw[512];

static bool fake_run(void *context, const char *program, char *const *args, char *const *env, struct span input,
                     struct buf *ret_output, int *ret_exit_status, struct error *err)
{
    struct buf text CLEANUP(buf_free) = BUF_INIT(sizeof(saw) - 1);

    (void)err;
    buf_printf(&text, "%s %s %s ", program, args[0], env[0] ? env[0] : "-");
    buf_span(&text, input);
    memcpy(saw, text.ptr, text.len + 1);
    buf_str(ret_output, context);
    *ret_exit_status = 0;
    return true;
}

START_TEST(programs_are_asked)
{
    struct fetch_credentials credentials CLEANUP(fetch_credentials_done) = {0};
    struct provider_answer answer CLEANUP(provider_answer_done) = {0};
    struct providers providers CLEANUP(providers_done) = {0};
    struct error err = ERROR_INIT;
    struct buf output CLEANUP(buf_wipe) = {0};
    char helper[] = "{\"Username\":\"u\",\"Secret\":\"s\"}", provider[] = ANSWER("Image", "", "");
    bool found = false;

    ck_assert(helper_ask("x", "ghcr.io", "/usr/bin/docker-credential-x", fake_run, helper, &found, &credentials, &err));
    ck_assert(found);
    ck_assert_str_eq(saw, "/usr/bin/docker-credential-x get - ghcr.io");
    ck_assert(providers_parse(span_str(PROVIDERS), "file", &providers, &err));
    ck_assert(provider_ask(&providers.items[0], "/opt", "h/x", fake_run, provider, &output, &answer, &err));
    ck_assert_ptr_nonnull(strstr(saw, "/opt/ecr-credential-provider get AWS_PROFILE=x {"));
}
END_TEST

static bool record(struct provider_cache_store *store, const struct provider *provider, const char *image,
                   enum provider_cache kind, int64_t life, const char *output)
{
    const struct provider_answer answer = {.cache = kind, .cache_s = life};
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(4096);

    return provider_cache_record("scope", provider, image, &answer, span_str(output), 1000, &bytes) &&
           provider_cache_take(store, buf_as_span(&bytes), 1000);
}

static bool keeps(const struct provider_cache_store *store, const struct provider *provider, const char *image,
                  int64_t now_ms)
{
    ck_assert_uint_eq(provider_cache_find(store, "another scope", provider, image, now_ms).len, 0);
    return provider_cache_find(store, "scope", provider, image, now_ms).len > 0;
}

START_TEST(answers_are_kept_as_long_as_said)
{
    struct provider_cache_store store CLEANUP(provider_cache_done) = {0};
    char name[] = "p", second[] = "q", image[32];
    struct provider provider = {.name = name}, other = {.name = second};

    ck_assert(!keeps(&store, &provider, "r/a", 1000));
    ck_assert(record(&store, &provider, "r/a", PROVIDER_CACHE_REGISTRY, 10, "x"));
    ck_assert(keeps(&store, &provider, "r/b", 10999));
    ck_assert(!keeps(&store, &provider, "other/b", 1000));
    ck_assert(!keeps(&store, &other, "r/b", 1000));
    ck_assert(!keeps(&store, &provider, "r/b", 11000));
    ck_assert(!record(&store, &provider, "z/a", PROVIDER_CACHE_REGISTRY, 0, "x"));
    ck_assert(!record(&store, &provider, "z/a", PROVIDER_CACHE_NONE, 10, "x"));
    ck_assert(!record(&store, &provider, "z/a", PROVIDER_CACHE_REGISTRY, 10, ""));
    ck_assert(record(&store, &provider, "z/a", PROVIDER_CACHE_GLOBAL, 10, "x"));
    ck_assert(keeps(&store, &provider, "anywhere/b", 2000));
    for (int i = 0; i < 200; i++) {
        (void)snprintf(image, sizeof(image), "r/%d", i);
        ck_assert(record(&store, &other, image, PROVIDER_CACHE_IMAGE, 20, "x"));
    }
    ck_assert_uint_eq(store.count, 64);
    ck_assert(keeps(&store, &other, "r/199", 1001));
    provider_cache_expire(&store, 21000);
    ck_assert_uint_eq(store.count, 0);
}
END_TEST

START_TEST(records_that_are_none)
{
    struct provider_cache_store store CLEANUP(provider_cache_done) = {0};
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(4096);
    const struct provider_answer answer = {.cache = PROVIDER_CACHE_GLOBAL, .cache_s = 10};
    char name[] = "p";
    const struct provider provider = {.name = name};

    ck_assert(provider_cache_record("scope", &provider, "r/a", &answer, span_str("x"), 1000, &bytes));
    for (size_t i = 0; i < bytes.len; i++)
        ck_assert(!provider_cache_take(&store, span_cut(buf_as_span(&bytes), 0, i), 1000));
    ck_assert(!provider_cache_take(&store, buf_as_span(&bytes), 11000));
    ck_assert(provider_cache_take(&store, buf_as_span(&bytes), 1000));
}
END_TEST

/* One answer for all registries: each gets its own entry out of it, or none. */
START_TEST(a_kept_answer_gives_each_registry_its_own)
{
    static const char output[] =
        "{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\","
        "\"cacheKeyType\":\"Global\",\"cacheDuration\":\"1h\",\"auth\":{"
        "\"one.test\":{\"username\":\"u1\",\"password\":\"p1\"},\"two.test\":{\"username\":\"u2\",\"password\":\"p2\"}}"
        "}";
    struct provider_cache_store store CLEANUP(provider_cache_done) = {0};
    char name[] = "p", version[] = "credentialprovider.kubelet.k8s.io/v1";
    const struct provider provider = {.name = name, .api_version = version};
    static const char *const images[] = {"one.test/a", "two.test/a", "three.test/a"};
    static const char *const users[] = {"u1", "u2", NULL};

    ck_assert(record(&store, &provider, images[0], PROVIDER_CACHE_GLOBAL, 3600, output));
    for (size_t i = 0; i < ARRAY_LEN(images); i++) {
        struct provider_answer answer CLEANUP(provider_answer_done) = {0};
        struct span kept = provider_cache_find(&store, "scope", &provider, images[i], 2000);
        struct error err = ERROR_INIT;

        ck_assert_uint_gt(kept.len, 0);
        ck_assert(provider_parse(&provider, kept, images[i], &answer, &err));
        ck_assert_int_eq(answer.found, users[i] != NULL);
        ck_assert_pstr_eq(answer.credentials.username, users[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch_credentials");
    TCase *cases = tcase_create("credentials");

    tcase_add_loop_test(cases, longest_entry_is_found, 0, ARRAY_LEN(file_cases));
    tcase_add_test(cases, tokens_and_helpers_are_found);
    tcase_add_loop_test(cases, bad_files_are_refused, 0, ARRAY_LEN(bad_files));
    tcase_add_test(cases, empty_file_is_no_error);
    tcase_add_test(cases, helpers_answer);
    tcase_add_loop_test(cases, globs_match, 0, ARRAY_LEN(globs));
    tcase_add_test(cases, providers_are_read);
    tcase_add_test(cases, providers_that_need_a_token);
    tcase_add_loop_test(cases, bad_configs_are_refused, 0, ARRAY_LEN(bad_configs));
    tcase_add_loop_test(cases, provider_answers_are_read, 0, ARRAY_LEN(answers));
    tcase_add_test(cases, programs_are_asked);
    tcase_add_test(cases, answers_are_kept_as_long_as_said);
    tcase_add_test(cases, records_that_are_none);
    tcase_add_test(cases, a_kept_answer_gives_each_registry_its_own);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
