/* SPDX-License-Identifier: Apache-2.0 */
/* The look-aside protocol: what is asked, what is answered, what the auth helper says. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "plugin/crio/http.h"
#include "plugin/crio/lookaside.h"
#include "plugin/crio/pulls.h"
#include "tests/unit/harness.h"

#define HEX "3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"

struct target_case {
    const char *target;
    enum reason reason;
    const char *repository;
    uint32_t number;
};

static const struct target_case target_cases[] = {
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-1", REASON_OK, "registry.example.com/team/app", 1},
    {"/v1/127.0.0.1:5000/a@sha256=" HEX "/signature-128", REASON_OK, "127.0.0.1:5000/a", 128},
    {"/v1/docker.io/library/alpine@sha256=" HEX "/signature-1", REASON_OK, "docker.io/library/alpine", 1},
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-0", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-129", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-01", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-1/../2", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "f/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=abc/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha512=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/Registry.example.com/team/app@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/../app@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/team@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/docker.io/-1/hub-proxy/library/alpine@sha256=" HEX "/signature-1", REASON_OK, "docker.io/library/alpine", 1},
    {"/v1/registry.example.com/team/-2/a/b/app@sha256=" HEX "/signature-1", REASON_OK, "registry.example.com/team/app",
     1},
    {"/v1/docker.io/-1/alpine@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/docker.io/-0/a/alpine@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/docker.io/-17/a/alpine@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/docker.io/-x/a/alpine@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/docker.io/-1/a/-1/b/alpine@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/docker.io/-1@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/-1/a/docker.io/alpine@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@x@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app:v1@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/alice@registry.example.com/team/app@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/app@sha256=3190B35B1E2A27E5EDDFD1D3D38F71505A34E7491C42DACF22CC6BA3F3E0E179/signature-1",
     REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@SHA256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com//team/app@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"//v1/registry.example.com/team/app@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/../v1/registry.example.com/team/app@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-1/", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-+1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/registry.example.com/team/app@sha256=" HEX "/signature-1/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v1/_unknown/team/app@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/v2/registry.example.com/app@sha256=" HEX "/signature-1", REASON_BAD_REQUEST, NULL, 0},
    {"/", REASON_BAD_REQUEST, NULL, 0},
    {"", REASON_BAD_REQUEST, NULL, 0},
};

START_TEST(reads_targets)
{
    const struct target_case *c = &target_cases[_i];
    struct lookaside_request request = {0};
    struct error err = ERROR_INIT;
    bool parsed = lookaside_parse_target(span_str(c->target), &request, &err);

    ck_assert_msg(parsed == (c->reason == REASON_OK), "%s: %s", c->target, err.text);
    if (!parsed) {
        ck_assert_msg(err.reason == c->reason, "%s: %s", c->target, reason_name(err.reason));
        return;
    }
    ck_assert_str_eq(request.repository, c->repository);
    ck_assert_str_eq(request.digest, "sha256:" HEX);
    ck_assert_uint_eq(request.number, c->number);
    lookaside_request_done(&request);
}
END_TEST

START_TEST(limits_targets)
{
    struct lookaside_request request = {0};
    struct error err = ERROR_INIT;
    char longest[LOOKASIDE_TARGET_BYTES + 2];

    memset(longest, 'a', sizeof(longest));
    ck_assert(!lookaside_parse_target(span_of(longest, sizeof(longest)), &request, &err));
    ck_assert_int_eq(err.reason, REASON_LIMIT);
}
END_TEST

/* The exact bytes that containers' image library accepted (facts: payload members, stored form). */
START_TEST(writes_the_stored_form)
{
    static char repository[] = "registry.example.com/team/app", digest[] = "sha256:" HEX;
    const struct lookaside_request request = {.repository = repository, .digest = digest, .number = 1};
    struct buf payload = BUF_INIT(4096), stored = BUF_INIT(4096);
    static const char magic[] = "\0sigstore-json\n{\"mimeType\":";

    lookaside_payload(&request, &payload);
    ck_assert_str_eq(buf_cstr(&payload),
                     "{\"critical\":{\"identity\":{\"docker-reference\":\"registry.example.com/team/app\"},\"image\":"
                     "{\"docker-manifest-digest\":\"sha256:" HEX "\"},\"type\":\"cosign container image signature\"},"
                     "\"optional\":null}");
    lookaside_signature(span_str("ab"), span_str("c"), &stored);
    ck_assert_mem_eq(stored.ptr, magic, sizeof(magic) - 1);
    ck_assert_str_eq((const char *)stored.ptr + 15,
                     "{\"mimeType\":\"application/vnd.dev.cosign.simplesigning.v1+json\",\"payload\":\"YWI=\","
                     "\"annotations\":{\"dev.cosignproject.cosign/signature\":\"Yw==\"}}");
    buf_free(&payload);
    buf_free(&stored);
}
END_TEST

#define HEAD(line, headers) line "\r\nHost: 127.0.0.1:14242\r\n" headers "\r\n"

/* answer: NULL = the target is taken as it stands; else the words of the refusal. */
struct head_case {
    const char *head, *target, *answer;
};

static const struct head_case head_cases[] = {
    {HEAD("GET /a HTTP/1.1", ""), "/a", NULL},
    {HEAD("GET /a HTTP/1.1", "User-Agent: x/1 (y)\r\nAccept-Encoding: gzip\r\n"), "/a", NULL},
    {"GET /a HTTP/1.1\r\nhOsT: localhost\r\n\r\n", "/a", NULL},
    {"GET /a HTTP/1.1\r\nHost:[::1]:14242\r\n\r\n", "/a", NULL},
    {"GET /a HTTP/1.0\r\n\r\n", "/a", NULL},
    {"GET /a HTTP/1.0\n\n", "/a", NULL}, /* LF alone: RFC 9112 2.2 lets a reader take it */
    {"GET /a HTTP/1.1\nHost: 127.0.0.1\n\n", "/a", NULL},
    {HEAD("GET /a HTTP/1.1", "Content-Length: 0\r\n"), "/a", NULL},
    /* Pipelined: the first request counts, what follows is not read. */
    {HEAD("GET /a HTTP/1.1", "") HEAD("GET /b HTTP/1.1", ""), "/a", NULL},
    {HEAD("GET /a HTTP/1.1", "") "\x01 no HTTP at all", "/a", NULL},
    {HEAD("POST /a HTTP/1.1", ""), NULL, "only GET is answered here"},
    {HEAD("HEAD /a HTTP/1.1", ""), NULL, "only GET is answered here"},
    {HEAD("get /a HTTP/1.1", ""), NULL, "this is not HTTP"},
    {HEAD("GET /a HTTP/2.0", ""), NULL, "the request line is not HTTP/1"},
    {HEAD("GET /a HTTP/1.2", ""), NULL, "only HTTP/1.0 and 1.1 are spoken here"},
    {HEAD("GET /a HTTP/1.1 ", ""), NULL, "only HTTP/1.0 and 1.1 are spoken here"},
    {HEAD("GET /a HTTP/1.1x", ""), NULL, "only HTTP/1.0 and 1.1 are spoken here"},
    {HEAD("GET /a", ""), NULL, "the request line is not HTTP/1"},
    {HEAD("GET  /a HTTP/1.1", ""), NULL, "the request line is not HTTP/1"},
    {HEAD("GET /a b HTTP/1.1", ""), NULL, "the request line is not HTTP/1"},
    {HEAD("GET a HTTP/1.1", ""), NULL, "the path does not begin with /"},
    {HEAD("GET * HTTP/1.1", ""), NULL, "the path does not begin with /"},
    {HEAD("GET http://127.0.0.1:14242/a HTTP/1.1", ""), NULL, "the path does not begin with /"},
    {HEAD("GET /a?b HTTP/1.1", ""), NULL, "the path holds a character that no repository has"},
    {HEAD("GET /%61 HTTP/1.1", ""), NULL, "the path holds a character that no repository has"},
    {HEAD("GET /a%2f..%2fb HTTP/1.1", ""), NULL, "the path holds a character that no repository has"},
    {HEAD("GET /a\tb HTTP/1.1", ""), NULL, "the path holds a character that no repository has"},
    {HEAD("GET /a\rb HTTP/1.1", ""), NULL, "the path holds a character that no repository has"},
    {HEAD("GET /\xc3\xa4 HTTP/1.1", ""), NULL, "the path holds a character that no repository has"},
    {"GET /a HTTP/1.1\r\n\r\n", NULL, "no Host header"},
    {"GET /a HTTP/1.1\r\nHost: \r\n\r\n", NULL, "the Host header names no loopback address"},
    {"GET /a HTTP/1.1\r\nHost: registry.example.com\r\n\r\n", NULL, "the Host header names no loopback address"},
    {"GET /a HTTP/1.1\r\nHost: 127.evil.example\r\n\r\n", NULL, "the Host header names no loopback address"},
    {"GET /a HTTP/1.1\r\nHost: localhost.example.com\r\n\r\n", NULL, "the Host header names no loopback address"},
    {HEAD("GET /a HTTP/1.1", "Host: 127.0.0.1\r\n"), NULL, "two Host headers"},
    {HEAD("GET /a HTTP/1.1", "Content-Length: 3\r\n"), NULL, "a request with a body is not answered here"},
    {HEAD("GET /a HTTP/1.1", "Content-Length: 00\r\n"), NULL, "a request with a body is not answered here"},
    {HEAD("GET /a HTTP/1.1", "TRANSFER-ENCODING: chunked\r\n"), NULL, "a request with a body is not answered here"},
    {HEAD("GET /a HTTP/1.1", " folded: x\r\n"), NULL, "a header's name holds a character that no name has"},
    {HEAD("GET /a HTTP/1.1", "Host : 127.0.0.1\r\n"), NULL, "a header's name holds a character that no name has"},
    {HEAD("GET /a HTTP/1.1", "no colon\r\n"), NULL, "a header line has no name"},
    {HEAD("GET /a HTTP/1.1", ": x\r\n"), NULL, "a header line has no name"},
    {HEAD("GET /a HTTP/1.1", "X: a\rb\r\n"), NULL, "a header holds a control character"},
    {"\r\n\r\n", NULL, "this is not HTTP"},
    {"\r\nGET /a HTTP/1.0\r\n\r\n", NULL, "this is not HTTP"},
    {"\x16\x03\x01", NULL, "this is not HTTP"}, /* TLS: no empty line would ever come */
};

START_TEST(reads_heads)
{
    const struct head_case *c = &head_cases[_i];
    struct error err = ERROR_INIT;
    struct span target = {NULL, 0};
    bool done = false, ok = http_parse_head(span_str(c->head), &done, &target, &err);

    ck_assert_msg(ok == !c->answer, "case %d: %s", _i, err.text);
    ck_assert(done);
    if (c->answer) {
        ck_assert_str_eq(err.text, c->answer);
        ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
    } else {
        ck_assert(span_eq_str(target, c->target));
    }
}
END_TEST

/* Every beginning of a head waits for more, until it is longer than any. */
START_TEST(waits_for_whole_heads)
{
    static const char head[] = HEAD("GET /a HTTP/1.1", "X: y\r\n");
    char longest[HTTP_HEAD_BYTES + 1];
    struct error err = ERROR_INIT;
    struct span target;
    bool done = true;

    for (size_t len = 0; len + 1 < sizeof(head) - 1; len++) {
        ck_assert(http_parse_head(span_of(head, len), &done, &target, &err));
        ck_assert_msg(!done, "%zu bytes", len);
    }
    memset(longest, 'G', sizeof(longest));
    ck_assert(http_parse_head(span_of(longest, HTTP_HEAD_BYTES - 1), &done, &target, &err) && !done);
    ck_assert(!http_parse_head(span_of(longest, sizeof(longest)), &done, &target, &err));
    ck_assert_int_eq(err.reason, REASON_LIMIT);
    ck_assert_str_eq(err.text, "the request's head is too long");
    ck_assert(!http_parse_head(span_of("GET /a\0b HTTP/1.0\r\n\r\n", 22), &done, &target, &err));
    ck_assert_str_eq(err.text, "the path holds a character that no repository has");
}
END_TEST

START_TEST(reads_requests)
{
    struct http_request request = {false, {NULL, 0}};
    struct error err = ERROR_INIT;
    bool done = false;

    ck_assert(http_parse_request(span_str("HEAD /v2/a/manifests/v1?x=%41 HTTP/1.1\r\n\r\n"), &done, &request, &err));
    ck_assert(done && request.head_only && span_eq_str(request.target, "/v2/a/manifests/v1?x=%41"));
    ck_assert(http_parse_request(span_str("GET / HTTP/1.0\n\n"), &done, &request, &err));
    ck_assert(done && !request.head_only && span_eq_str(request.target, "/"));
    ck_assert(!http_parse_request(span_str("PUT / HTTP/1.1\r\n\r\n"), &done, &request, &err));
}
END_TEST

START_TEST(reasons_stay_on_their_line)
{
    struct buf response = BUF_INIT(4096);

    http_respond(&response, 403, "pullguard: no\r\nX: y", span_str(""));
    ck_assert_ptr_nonnull(strstr(buf_cstr(&response), "HTTP/1.1 403 pullguard: no\\x0d\\x0aX: y\r\n"));
    buf_free(&response);
}
END_TEST

static bool hear(const char *json, struct pull *ret, struct error *err)
{
    return pull_parse(span_str(json), ret, err);
}

START_TEST(hears_the_helper)
{
    struct pull pull = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(
        hear("{\"127.0.0.1:5599/team/multi:1\":{\"username\":\"alice\",\"password\":\"secret\"}}", &pull, &err), "%s",
        err.text);
    ck_assert_str_eq(pull.repository, "127.0.0.1:5599/team/multi");
    ck_assert_str_eq(pull.reference, "127.0.0.1:5599/team/multi:1");
    ck_assert_str_eq(pull.username, "alice");
    ck_assert_str_eq(pull.password, "secret");
    ck_assert_ptr_null(pull.identity_token);
    pull_done(&pull);
    ck_assert(!hear("{}", &pull, &err));
    ck_assert(!hear("{\"a/b:1\":{},\"a/c:1\":{}}", &pull, &err));
    ck_assert(!hear("{\"a/b:1\":null}", &pull, &err));
    ck_assert(!hear("{\"a/b:1\":{\"username\":1}}", &pull, &err));
    ck_assert(!hear("{\"A b\":{}}", &pull, &err));
    ck_assert(!hear("[]", &pull, &err));
    ck_assert_ptr_null(pull.repository);
}
END_TEST

static struct pulls pulls;

static void told(const char *json, int64_t now)
{
    struct pull pull = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(hear(json, &pull, &err), "%s", err.text);
    pulls_add(&pulls, &pull, now);
    ck_assert_ptr_null(pull.repository);
}

static size_t known(const char *repository, int64_t now, const struct pull **found)
{
    return pulls_find(&pulls, repository, now, found, 2);
}

START_TEST(forgets_pulls)
{
    const struct pull *found[2];

    told("{\"r.example.com/a:1\":{\"username\":\"u\"}}", 1000);
    told("{\"r.example.com/a:2\":{\"username\":\"u\"}}", 2000);
    ck_assert_uint_eq(known("r.example.com/a", 3000, found), 2);
    ck_assert_str_eq(found[0]->reference, "r.example.com/a:2");
    ck_assert_str_eq(found[1]->reference, "r.example.com/a:1");
    ck_assert_uint_eq(known("r.example.com/b", 3000, found), 0);
    ck_assert_uint_eq(known("r.example.com/a", 1000 + PULL_LIFE_MS, found), 1);
    ck_assert_str_eq(found[0]->reference, "r.example.com/a:2");
    ck_assert_uint_eq(known("r.example.com/a", 2000 + PULL_LIFE_MS, found), 0);
    for (int i = 0; i < PULLS_MAX + 10; i++) {
        char json[64];

        (void)snprintf(json, sizeof(json), "{\"r.example.com/c:%d\":{}}", i);
        told(json, 100000 + i);
    }
    ck_assert_uint_eq(known("r.example.com/c", 100001, found), 2);
    ck_assert_str_eq(found[0]->reference, "r.example.com/c:265");
    ck_assert_str_eq(found[1]->reference, "r.example.com/c:264");
    pulls_done(&pulls);
}
END_TEST

/* The same pull told again takes no second place; with other credentials it is another one. */
START_TEST(hears_the_same_once)
{
    const struct pull *found[2];

    told("{\"r.example.com/a:1\":{\"username\":\"u\"}}", 1000);
    told("{\"r.example.com/a:2\":{\"username\":\"u\"}}", 2000);
    told("{\"r.example.com/a:1\":{\"username\":\"u\"}}", 3000);
    ck_assert_uint_eq(known("r.example.com/a", 3000, found), 2);
    ck_assert_str_eq(found[0]->reference, "r.example.com/a:1");
    ck_assert_str_eq(found[1]->reference, "r.example.com/a:2");
    told("{\"r.example.com/a:1\":{\"username\":\"v\"}}", 4000);
    ck_assert_uint_eq(known("r.example.com/a", 4000, found), 2);
    ck_assert_str_eq(found[0]->username, "v");
    ck_assert_str_eq(found[1]->username, "u");
    ck_assert_str_eq(found[1]->reference, "r.example.com/a:1");
    pulls_done(&pulls);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_crio");
    TCase *cases = tcase_create("crio");

    tcase_add_loop_test(cases, reads_targets, 0, (int)ARRAY_LEN(target_cases));
    tcase_add_test(cases, limits_targets);
    tcase_add_test(cases, writes_the_stored_form);
    tcase_add_loop_test(cases, reads_heads, 0, (int)ARRAY_LEN(head_cases));
    tcase_add_test(cases, waits_for_whole_heads);
    tcase_add_test(cases, reasons_stay_on_their_line);
    tcase_add_test(cases, reads_requests);
    tcase_add_test(cases, hears_the_helper);
    tcase_add_test(cases, forgets_pulls);
    tcase_add_test(cases, hears_the_same_once);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
