/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/ref.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/unit/harness.h"

#define HEX64 "3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"

/* policy.md 1.2 (normalisation) and containerd.md 5.2 row 11 (aliases). */
static const struct {
    const char *text, *host, *repository, *tag;
    bool defaulted, digest;
} good[] = {
    {"alpine", "index.docker.io", "library/alpine", "latest", true, false},
    {"alpine:3.20", "index.docker.io", "library/alpine", "3.20", false, false},
    {"user/app", "index.docker.io", "user/app", "latest", true, false},
    {"docker.io/alpine", "index.docker.io", "library/alpine", "latest", true, false},
    {"docker.io/library/alpine", "index.docker.io", "library/alpine", "latest", true, false},
    {"index.docker.io/alpine", "index.docker.io", "library/alpine", "latest", true, false},
    {"registry-1.docker.io/library/alpine", "index.docker.io", "library/alpine", "latest", true, false},
    {"Docker.IO/user/app:1", "index.docker.io", "user/app", "1", false, false},
    {"docker.io:443/user/app:1", "index.docker.io", "user/app", "1", false, false},
    {"Registry.Example.COM/Team", NULL, NULL, NULL, false, false}, /* repository must be lower case */
    {"Registry.Example.COM/team", "registry.example.com", "team", "latest", true, false},
    {"registry.example.com:443/team/app:v1", "registry.example.com", "team/app", "v1", false, false},
    {"registry.example.com:5000/team/app", "registry.example.com:5000", "team/app", "latest", true, false},
    {"registry:443/app", "registry:443", "app", "latest", true, false},
    {"localhost/app", "localhost", "app", "latest", true, false},
    {"localhost:5000/app:x", "localhost:5000", "app", "x", false, false},
    {"0x7f.example/0x7f", "0x7f.example", "0x7f", "latest", true, false},
    {"a.0xg/b", "a.0xg", "b", "latest", true, false},
    {"127.0.0.1:5001/demo/legacy:v1", "127.0.0.1:5001", "demo/legacy", "v1", false, false},
    {"[::1]:5000/app", "[::1]:5000", "app", "latest", true, false},
    {"[0:0:0:0:0:0:0:1]:5000/app", "[::1]:5000", "app", "latest", true, false},
    {"LOCALHOST:80/app", "localhost:80", "app", "latest", true, false},
    {"a/b/c/d", "index.docker.io", "a/b/c/d", "latest", true, false},
    {"r.example/a@sha256:" HEX64, "r.example", "a", NULL, false, true},
    {"r.example/a:t@sha256:" HEX64, "r.example", "a", "t", false, true},
    {"r.example/a__b/c--d/e.f/g_h:Tag_1.2-3", "r.example", "a__b/c--d/e.f/g_h", "Tag_1.2-3", false, false},
};

START_TEST(references_become_canonical)
{
    struct ref ref = {0};
    struct error err = ERROR_INIT;
    char name[600];

    if (!good[_i].host) {
        ck_assert(!ref_parse(span_str(good[_i].text), &ref, &err));
        ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
        return;
    }
    ck_assert_msg(ref_parse(span_str(good[_i].text), &ref, &err), "%s: %s", good[_i].text, err.text);
    ck_assert_str_eq(ref.written, good[_i].text);
    ck_assert_str_eq(ref.host, good[_i].host);
    ck_assert_str_eq(ref.repository, good[_i].repository);
    (void)snprintf(name, sizeof(name), "%s/%s", good[_i].host, good[_i].repository);
    ck_assert_str_eq(ref.name, name);
    ck_assert_pstr_eq(ref.tag, good[_i].tag);
    ck_assert_int_eq(ref.tag_defaulted, good[_i].defaulted);
    ck_assert_int_eq(ref.digest.alg == DIGEST_SHA256, good[_i].digest);
    ref_done(&ref);
}
END_TEST

static const char *const bad[] = {
    "",
    " alpine",
    "alpine ",
    "al pine",
    "alpine:",
    "alpine:-x",
    "alpine:.x",
    "alpine@",
    "alpine@sha256:12",
    "Alpine",
    "alpine@sha256:3190B35B1E2A27E5EDDFD1D3D38F71505A34E7491C42DACF22CC6BA3F3E0E179",
    "alpine@md5:d41d8cd98f00b204e9800998ecf8427e",
    "alpine@sha256:" HEX64 "00",
    HEX64,
    "r.example/",
    "/app",
    "r.example//app",
    "r.example/app/",
    "r.example/-a",
    "r.example/a-",
    "r.example/a..b",
    "r.example/a___b",
    "r.example/a._b",
    "r.example:0/a",
    "r.example:65536/a",
    "r.example:05000/a",
    "r.example:x/a",
    "r.example:/a",
    "-r.example/a",
    "r-.example/a",
    "r..example/a",
    "r.example./a",
    "r_x.example/a",
    "127.1/a",
    "REGISTRY/app",
    "LOCALHOST/app",
    "2130706433.1/a",
    "127.0x1/a",
    "0x7f.0.0.0X1/a",
    "127.0.0.01:80/a",
    "[::1/a",
    "[::1]x/a",
    "[x]/a",
    "http://r.example/a",
    "r.example/a?b",
    "r.example/a#b",
    "r.example/a%2fb",
    "r.example/a\tb",
    "r.example/\xc3\xa4",
    "user@r.example/a",
    "r.example/a:b:c",
    "r.example/a@sha256:" HEX64 ":t",
};

START_TEST(schemes_are_named)
{
    static const char *const written[] = {"https://r.example/app:1", "http://r.example/app", "docker://alpine"};

    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        struct error err = ERROR_INIT;
        struct ref ref = {0};

        ck_assert(!ref_parse(span_str(written[i]), &ref, &err));
        ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
        ck_assert_ptr_nonnull(strstr(err.text, "has no scheme"));
    }
}
END_TEST

START_TEST(other_texts_are_refused)
{
    struct ref ref = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(!ref_parse(span_str(bad[_i]), &ref, &err), "\"%s\" was taken", bad[_i]);
    ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
    ck_assert_ptr_null(ref.written);
}
END_TEST

START_TEST(sizes_are_limited)
{
    char text[1200];
    struct ref ref = {0};
    struct error err = ERROR_INIT;

    memset(text, 'a', sizeof(text));
    text[255] = '\0';
    ck_assert(ref_parse(span_of(text, 255 - 8), &ref, &err));
    ref_done(&ref);
    ck_assert(!ref_parse(span_of(text, 255 - 7), &ref, &err));
    ck_assert(!ref_parse(span_of(text, 256), &ref, &err));
    memset(text, 'a', sizeof(text));
    ck_assert(!ref_parse(span_of(text, sizeof(text)), &ref, &err));
    ck_assert(!ref_parse(span_of("alp\0ine", 7), &ref, &err));
    memcpy(text, "alpine:", 7);
    ck_assert(ref_parse(span_of(text, 7 + 128), &ref, &err));
    ref_done(&ref);
    ck_assert(!ref_parse(span_of(text, 7 + 129), &ref, &err));
}
END_TEST

START_TEST(repositories_have_no_tag)
{
    struct ref ref = {0};
    struct error err = ERROR_INIT;

    ck_assert(ref_parse_repository(span_str("r.example:5000/signatures/all"), &ref, &err));
    ck_assert_str_eq(ref.name, "r.example:5000/signatures/all");
    ck_assert_ptr_null(ref.tag);
    ref_done(&ref);
    ck_assert(!ref_parse_repository(span_str("r.example/a:t"), &ref, &err));
    ck_assert(!ref_parse_repository(span_str("r.example/a@sha256:" HEX64), &ref, &err));
}
END_TEST

START_TEST(docker_hub_has_another_host_for_its_api)
{
    ck_assert_str_eq(ref_api_host("index.docker.io"), "registry-1.docker.io");
    ck_assert_str_eq(ref_api_host("r.example"), "r.example");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_ref");
    TCase *cases = tcase_create("ref");

    tcase_add_loop_test(cases, references_become_canonical, 0, (int)(sizeof(good) / sizeof(good[0])));
    tcase_add_test(cases, schemes_are_named);
    tcase_add_loop_test(cases, other_texts_are_refused, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(cases, sizes_are_limited);
    tcase_add_test(cases, repositories_have_no_tag);
    tcase_add_test(cases, docker_hub_has_another_host_for_its_api);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
