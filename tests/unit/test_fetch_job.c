/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/unit/harness.h"
#include "verifier/fetch/auth.h"
#include "verifier/fetch/fetch.h"
#include "verifier/fetch/guard.h"
#include "verifier/fetch/url.h"

static char **list_of(const char *text)
{
    char **list = mem_new(1, sizeof(*list));

    list[0] = mem_strdup(text);
    return list;
}

static void fill(struct fetch_job *job)
{
    struct fetch_credentials credentials = {.username = mem_strdup("u"), .password = mem_strdup("p:q")};
    struct fetch_endpoint endpoint = {0};
    struct fetch_registry *registry;
    struct error err = ERROR_INIT;

    *job = (struct fetch_job){.id = 7, .deadline = 123456789012, .ca_dir = mem_strdup("/etc/ssl/certs")};
    job->proxies.https = mem_strdup("http://proxy:3128");
    registry = fetch_job_registry(job, "ghcr.io", NULL);
    ck_assert(fetch_endpoint_default("ghcr.io", false, &credentials, &endpoint, &err));
    endpoint.ns = mem_strdup("ghcr.io");
    endpoint.connect_ms = 77;
    endpoint.headers = list_of("X-A: b");
    endpoint.header_count = 1;
    endpoint.ca_pem = mem_strdup("PEM");
    ck_assert(fetch_registry_add(registry, &endpoint, &err));
    ck_assert_ptr_eq(fetch_job_registry(job, "ghcr.io", NULL), registry);
    ck_assert(wants_add(&job->wants, WANT_MANIFEST, "ghcr.io", "a/b", "latest", 4096, &err));
    fetch_credentials_done(&credentials);
}

START_TEST(job_travels)
{
    struct buf first CLEANUP(buf_free) = BUF_INIT(1 << 20), second CLEANUP(buf_free) = BUF_INIT(1 << 20);
    struct fetch_job job CLEANUP(fetch_job_done) = {0}, copy CLEANUP(fetch_job_done) = {0};
    struct error err = ERROR_INIT;

    fill(&job);
    fetch_job_write(&first, &job);
    ck_assert_msg(fetch_job_read(buf_as_span(&first), &copy, &err), "%s", err.text);
    fetch_job_write(&second, &copy);
    ck_assert(buf_ok(&first) && span_eq(buf_as_span(&first), buf_as_span(&second)));
    ck_assert_str_eq(copy.registries[0].endpoints[0].credentials.password, "p:q");
    ck_assert_str_eq(copy.registries[0].endpoints[0].url, "https://ghcr.io/v2");
}
END_TEST

/* Every cut and every changed byte is refused or read; nothing is leaked or read beyond (sanitizers watch). */
START_TEST(damaged_jobs_do_no_harm)
{
    struct buf message CLEANUP(buf_free) = BUF_INIT(1 << 20);
    struct fetch_job job CLEANUP(fetch_job_done) = {0};
    struct error err = ERROR_INIT;

    fill(&job);
    fetch_job_write(&message, &job);
    for (size_t i = 0; i < message.len; i++) {
        struct fetch_job copy CLEANUP(fetch_job_done) = {0};

        ck_assert(!fetch_job_read(span_of(message.ptr, i), &copy, &err));
        message.ptr[i] ^= 0x41;
        if (fetch_job_read(buf_as_span(&message), &copy, &err))
            ck_assert(copy.id != 0 || i < 64);
        message.ptr[i] ^= 0x41;
    }
}
END_TEST

START_TEST(answers_travel)
{
    struct buf message CLEANUP(buf_free) = BUF_INIT(1 << 20);
    struct fetch_answer answer CLEANUP(fetch_answer_done) = {0};
    char type[] = "a/b";
    struct evidence evidence = {.id = 3, .status = EVIDENCE_FOUND, .http_status = 200, .content_type = type,
                                .reason = REASON_OK, .body = span_str("body")};
    struct fetch_counters counters = {.requests = 5, .auth_requests = 2, .depth = 3, .auth_depth = 2, .bytes = 99};
    struct error err = ERROR_INIT;

    fetch_evidence_write(&message, 7, 0, &evidence);
    ck_assert_msg(fetch_answer_read(buf_as_span(&message), true, &answer, &err), "%s", err.text);
    ck_assert(!answer.end && answer.job == 7 && answer.evidence.id == 3);
    ck_assert(span_eq_str(answer.evidence.body, "body"));
    fetch_answer_done(&answer);
    buf_clear(&message);
    fetch_end_write(&message, 7, &counters);
    ck_assert(fetch_answer_read(buf_as_span(&message), true, &answer, &err));
    ck_assert(answer.end && answer.counters.requests == 5 && answer.counters.bytes == 99 && answer.counters.depth == 3);
}
END_TEST

static const struct default_case {
    const char *host;
    bool insecure;
    const char *url;
    uint32_t flags;
} defaults[] = {
    {"ghcr.io", false, "https://ghcr.io/v2", 0},
    {"index.docker.io", false, "https://registry-1.docker.io/v2", 0},
    {"127.0.0.1:5000", false, "http://127.0.0.1:5000/v2", FETCH_EITHER_SCHEME | FETCH_SKIP_VERIFY},
    {"[::1]:5000", false, "http://[::1]:5000/v2", FETCH_EITHER_SCHEME | FETCH_SKIP_VERIFY},
    {"localhost:5000", false, "http://localhost:5000/v2", FETCH_EITHER_SCHEME | FETCH_SKIP_VERIFY},
    {"localhost", false, "https://localhost/v2", 0},
    {"127.example.com:5000", false, "https://127.example.com:5000/v2", 0},
    {"127.0.0.1.example:5000", false, "https://127.0.0.1.example:5000/v2", 0},
    {"localhost.example:5000", false, "https://localhost.example:5000/v2", 0},
    {"reg.example:5000", true, "https://reg.example:5000/v2", FETCH_EITHER_SCHEME | FETCH_SKIP_VERIFY},
};

START_TEST(default_endpoints)
{
    const struct default_case *one = &defaults[_i];
    struct fetch_endpoint endpoint CLEANUP(fetch_endpoint_done) = {0};
    struct error err = ERROR_INIT;

    ck_assert(fetch_endpoint_default(one->host, one->insecure, NULL, &endpoint, &err));
    ck_assert_str_eq(endpoint.url, one->url);
    ck_assert_uint_eq(endpoint.flags, one->flags | FETCH_CAN_ALL);
}
END_TEST

static const struct address_case {
    const char *text;
    enum address_kind kind;
} addresses[] = {
    {"10.0.0.1", ADDRESS_PLAIN},
    {"8.8.8.8", ADDRESS_PLAIN},
    {"2001:db8::1", ADDRESS_PLAIN},
    {"fd00:ec2::253", ADDRESS_PLAIN},
    {"127.0.0.1", ADDRESS_LOOPBACK},
    {"127.9.9.9", ADDRESS_LOOPBACK},
    {"::1", ADDRESS_LOOPBACK},
    {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
    {"169.254.169.254", ADDRESS_FORBIDDEN},
    {"169.254.0.1", ADDRESS_FORBIDDEN},
    {"::ffff:169.254.169.254", ADDRESS_FORBIDDEN},
    {"64:ff9b::a9fe:a9fe", ADDRESS_FORBIDDEN},
    {"::169.254.169.254", ADDRESS_FORBIDDEN},
    {"fe80::1", ADDRESS_FORBIDDEN},
    {"febf::1", ADDRESS_FORBIDDEN},
    {"fec0::1", ADDRESS_PLAIN},
    {"ff02::1", ADDRESS_FORBIDDEN},
    {"fd00:ec2::254", ADDRESS_FORBIDDEN},
    {"fd20:ce::254", ADDRESS_FORBIDDEN},
    {"100.100.100.200", ADDRESS_FORBIDDEN},
    {"100.100.100.201", ADDRESS_PLAIN},
    {"168.63.129.16", ADDRESS_FORBIDDEN},
    {"192.0.0.192", ADDRESS_FORBIDDEN},
    {"0.0.0.0", ADDRESS_FORBIDDEN},
    {"::", ADDRESS_FORBIDDEN},
    {"224.0.0.1", ADDRESS_FORBIDDEN},
    {"255.255.255.255", ADDRESS_FORBIDDEN},
    {"example.com", ADDRESS_PLAIN},
};

START_TEST(addresses_are_sorted)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};
    const struct address_case *one = &addresses[_i];

    ck_assert_msg(address_kind_of_text(one->text) == one->kind, "%s", one->text);
    if (inet_pton(AF_INET, one->text, &v4.sin_addr) == 1)
        ck_assert_int_eq(address_kind((struct sockaddr *)(void *)&v4, sizeof(v4)), one->kind);
    else if (inet_pton(AF_INET6, one->text, &v6.sin6_addr) == 1)
        ck_assert_int_eq(address_kind((struct sockaddr *)(void *)&v6, sizeof(v6)), one->kind);
    ck_assert_int_eq(address_kind(&other, sizeof(other)), ADDRESS_FORBIDDEN);
    ck_assert_int_eq(address_kind((struct sockaddr *)(void *)&v4, 4), ADDRESS_FORBIDDEN);
}
END_TEST

static const struct url_case {
    const char *base, *endpoint_repository, *ns, *scheme;
    enum want_kind kind;
    const char *repository, *target, *url;
} urls[] = {
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "a/b", "latest", "https://h/v2/a/b/manifests/latest"},
    {"https://h/v2", NULL, NULL, NULL, WANT_BLOB, "a", "sha256:00", "https://h/v2/a/blobs/sha256:00"},
    {"https://h/v2", "m/a", "docker.io", NULL, WANT_REFERRERS, "a", "sha256:00",
     "https://h/v2/m/a/referrers/sha256:00?ns=docker.io"},
    {"http://h:5000/v2", NULL, NULL, "https", WANT_MANIFEST, "a", "t", "https://h:5000/v2/a/manifests/t"},
    {"https://h:5000/x/v2", NULL, "r.io:80", NULL, WANT_PAGE, "a", "/v2/a/referrers/x?n=2",
     "https://h:5000/v2/a/referrers/x?n=2&ns=r.io%3A80"},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "../a", "t", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "a/../b", "t", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "a//b", "t", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "/a", "t", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "a", "t/x", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "a", "t?x", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "a", "", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "a b", "t", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_MANIFEST, "a@b", "t", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_PAGE, "a", "//evil/x", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_PAGE, "a", "http://evil/x", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_PAGE, "a", "/x\r\nY: z", NULL},
    {"https://h/v2", NULL, NULL, NULL, WANT_PAGE, "a", "/\\evil/", NULL},
};

START_TEST(urls_are_made)
{
    const struct url_case *one = &urls[_i];
    struct fetch_endpoint endpoint = {.url = mem_strdup(one->base), .repository = mem_strdup(one->endpoint_repository),
                                      .ns = mem_strdup(one->ns)};
    struct want want = {
        .kind = one->kind, .repository = mem_strdup(one->repository), .target = mem_strdup(one->target)};
    struct error err = ERROR_INIT;
    char *url = url_of_want(&endpoint, one->scheme, &want, &err);

    if (one->url) {
        ck_assert_str_eq(url, one->url);
    } else {
        ck_assert_ptr_null(url);
        ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
    }
    mem_free(url);
    want_done(&want);
    fetch_endpoint_done(&endpoint);
}
END_TEST

static const struct step_case {
    const char *from, *to;
    bool loopback, ok, same;
} steps[] = {
    {"https://h/v2/a", "https://h/v2/b", false, true, true},
    {"https://h/v2/a", "https://H:443/v2/b", false, true, true},
    {"https://h/v2/a", "https://h:444/v2/b", false, true, false},
    {"https://h/v2/a", "https://cdn/x", false, true, false},
    {"http://h/v2/a", "https://h/x", false, true, false},
    {"https://h/v2/a", "http://h/x", false, false, false},
    {"https://h/v2/a", "file:///etc/passwd", false, false, false},
    {"https://h/v2/a", "ftp://h/x", false, false, false},
    {"https://h/v2/a", "https://u:p@h/x", false, false, false},
    {"https://h/v2/a", "https://169.254.169.254/latest", false, false, false},
    {"http://h/v2/a", "http://169.254.169.254/latest", true, false, false},
    {"http://h/v2/a", "http://[fe80::1]/", true, false, false},
    {"http://h/v2/a", "http://[::ffff:169.254.169.254]/", true, false, false},
    {"http://h/v2/a", "http://127.0.0.1/", false, false, false},
    {"http://h/v2/a", "http://127.1/", false, false, false},
    {"http://h/v2/a", "http://2852039166/", false, false, false},
    {"http://h/v2/a", "http://localhost/", false, false, false},
    {"http://h/v2/a", "http://127.0.0.1/", true, true, false},
    {"http://h/v2/a", "x", false, false, false},
    {"http://h/v2/a", "", false, false, false},
};

START_TEST(steps_are_checked)
{
    const struct step_case *one = &steps[_i];
    struct error err = ERROR_INIT;
    bool same = false;

    ck_assert_msg(url_check_step(one->from, one->to, one->loopback, "x", &same, &err) == one->ok, "%s %s", one->to,
                  err.text);
    ck_assert(same == one->same);
    if (!one->ok)
        ck_assert_int_eq(err.reason, REASON_FETCH_FAILED);
}
END_TEST

START_TEST(tokens_belong_to_credentials)
{
    struct auth_cache cache CLEANUP(auth_cache_done) = {0};
    char url[] = "https://h/v2", user[] = "u", other[] = "v", token[] = "T", realm[] = "https://h/t?x=1";
    struct fetch_endpoint a = {.url = url, .credentials = {.username = user, .password = user}}, b = a;
    struct challenge challenge = {.bearer = true, .realm = realm};
    struct token_answer answer = {.token = token, .expires_in = 60};
    struct auth_request request CLEANUP(auth_request_done) = {0};
    const struct auth_hint *hint;
    struct error err = ERROR_INIT;
    char *place CLEANUP(auth_secret_freep) = auth_place(&a, "r"), *key CLEANUP(auth_secret_freep) = NULL;
    char *other_key CLEANUP(auth_secret_freep) = NULL;

    b.credentials.username = other;
    hint = auth_hint_put(&cache, place, &challenge, "r");
    ck_assert_str_eq(hint->scope, "repository:r:pull");
    key = auth_token_key(hint, &a.credentials);
    other_key = auth_token_key(hint, &b.credentials);
    ck_assert(auth_token_put(&cache, key, &answer, 1000, &err));
    ck_assert_str_eq(auth_token_find(&cache, key, 1000), "T");
    ck_assert_ptr_null(auth_token_find(&cache, key, 56001));
    ck_assert_ptr_null(auth_token_find(&cache, other_key, 1000));
    ck_assert(auth_request_make(hint, &a.credentials, "https://h/v2/x", false, &request, &err));
    ck_assert_str_eq(request.url, "https://h/t?x=1&account=u&scope=repository%3Ar%3Apull");
    ck_assert_str_eq(request.authorization, "Basic dTp1");
}
END_TEST

START_TEST(caches_are_bounded)
{
    struct auth_cache cache CLEANUP(auth_cache_done) = {0};
    char text[32], realm[] = "https://h/t", token[] = "T";
    struct challenge challenge = {.bearer = true, .realm = realm};
    struct token_answer answer = {.token = token, .expires_in = 60};
    struct error err = ERROR_INIT;

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        ck_assert_ptr_nonnull(auth_hint_put(&cache, text, &challenge, "r"));
        ck_assert(auth_token_put(&cache, text, &answer, 1000, &err));
    }
    ck_assert_uint_eq(cache.hint_count, 256);
    ck_assert_uint_eq(cache.token_count, 256);
    ck_assert_ptr_nonnull(auth_hint_find(&cache, "999"));
    ck_assert_ptr_null(auth_hint_find(&cache, "0"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch_job");
    TCase *cases = tcase_create("job");

    tcase_add_test(cases, job_travels);
    tcase_add_test(cases, damaged_jobs_do_no_harm);
    tcase_add_test(cases, answers_travel);
    tcase_add_loop_test(cases, default_endpoints, 0, ARRAY_LEN(defaults));
    tcase_add_loop_test(cases, addresses_are_sorted, 0, ARRAY_LEN(addresses));
    tcase_add_loop_test(cases, urls_are_made, 0, ARRAY_LEN(urls));
    tcase_add_loop_test(cases, steps_are_checked, 0, ARRAY_LEN(steps));
    tcase_add_test(cases, tokens_belong_to_credentials);
    tcase_add_test(cases, caches_are_bounded);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
