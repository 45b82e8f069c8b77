/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/evidence.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "tests/unit/harness.h"

static struct wants one_want(const char *target, enum want_kind kind)
{
    struct wants wants = {0};
    struct error err = ERROR_INIT;

    ck_assert(wants_add(&wants, kind, "r.example", "team/app", target, 1000, &err));
    return wants;
}

START_TEST(wants_travel)
{
    struct wants wants = one_want("v1", WANT_MANIFEST);
    struct buf buf = BUF_INIT(10000);
    struct want want = {0};
    struct error err = ERROR_INIT;

    ck_assert_uint_eq(wants.items[0].id, 1);
    want_write(&buf, &wants.items[0]);
    ck_assert(want_read(buf_as_span(&buf), &want, &err));
    ck_assert_str_eq(want.host, "r.example");
    ck_assert_str_eq(want.repository, "team/app");
    ck_assert_str_eq(want.target, "v1");
    ck_assert_int_eq(want.kind, WANT_MANIFEST);
    ck_assert_uint_eq(want.max_bytes, 1000);
    want_done(&want);
    for (size_t len = 0; len < buf.len; len++)
        ck_assert(!want_read(span_of(buf.ptr, len), &want, &err));
    buf_append(&buf, "x", 1);
    ck_assert(!want_read(buf_as_span(&buf), &want, &err));
    buf_free(&buf);
    wants_done(&wants);
}
END_TEST

START_TEST(hosts_are_hosts)
{
    static const char *const hosts[] = {
        "r.example/x", "user@r.example", "r.example?x", "r.example#", "r e", "http://r", ""};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct want want = {.id = 1, .kind = WANT_MANIFEST, .host = mem_strdup(hosts[i]), .repository = mem_strdup("a"),
                            .target = mem_strdup("v1"), .max_bytes = 1};
        struct want back = {0};
        struct buf buf = BUF_INIT(10000);
        struct error err = ERROR_INIT;

        want_write(&buf, &want);
        ck_assert_msg(!want_read(buf_as_span(&buf), &back, &err), "%s", hosts[i]);
        want_done(&want);
        buf_free(&buf);
    }
}
END_TEST

/* The fetcher builds URLs from these: nothing may leave the place that was named. */
START_TEST(targets_are_tags_digests_or_pages)
{
    static const struct {
        enum want_kind kind;
        const char *target;
        bool good;
    } cases[] = {
        {WANT_MANIFEST, "sha256-00.sig", true},
        {WANT_BLOB, "sha256:00", true},
        {WANT_PAGE, "/v2/a/referrers/x?n=1", true},
        {WANT_MANIFEST, "../x", false},
        {WANT_MANIFEST, "a/b", false},
        {WANT_BLOB, "a?b", false},
        {WANT_MANIFEST, "a b", false},
        {WANT_PAGE, "http://evil.example/v2/", false},
        {WANT_PAGE, "//evil.example/", false},
        {WANT_MANIFEST, ".", false},
        {WANT_MANIFEST, "a\nb", false},
        {WANT_MANIFEST, "a%2f", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wants wants = one_want(cases[i].target, cases[i].kind);
        struct buf buf = BUF_INIT(10000);
        struct want want = {0};
        struct error err = ERROR_INIT;

        want_write(&buf, &wants.items[0]);
        ck_assert_msg(want_read(buf_as_span(&buf), &want, &err) == cases[i].good, "%s", cases[i].target);
        if (!cases[i].good)
            ck_assert_int_eq(err.reason, REASON_MALFORMED);
        want_done(&want);
        buf_free(&buf);
        wants_done(&wants);
    }
}
END_TEST

START_TEST(evidence_travels)
{
    struct evidence item = {
        .id = 7, .status = EVIDENCE_FOUND, .http_status = 200, .content_type = mem_strdup("application/json"),
        .link = mem_strdup("</v2/x>; rel=\"next\""), .source = mem_strdup("mirror.example"), .reason = REASON_TIMEOUT,
        .error = mem_strdup("it took too long"), .body = span_str("some bytes"),
    };
    struct evidence back = {0};
    struct buf buf = BUF_INIT(10000);
    struct error err = ERROR_INIT;

    evidence_write(&buf, &item);
    ck_assert(evidence_read(buf_as_span(&buf), true, &back, &err));
    ck_assert_uint_eq(back.id, 7);
    ck_assert_int_eq(back.status, EVIDENCE_FOUND);
    ck_assert_str_eq(back.content_type, "application/json");
    ck_assert_str_eq(back.link, "</v2/x>; rel=\"next\"");
    ck_assert_str_eq(back.source, "mirror.example");
    ck_assert_int_eq(back.reason, REASON_TIMEOUT);
    ck_assert_str_eq(back.error, "it took too long");
    ck_assert(span_eq_str(back.body, "some bytes"));
    ck_assert_ptr_eq(back.body.ptr, back.owned);
    evidence_done(&back);
    ck_assert(evidence_read(buf_as_span(&buf), false, &back, &err));
    ck_assert_ptr_null(back.owned);
    evidence_done(&back);
    for (size_t len = 0; len + 1 < buf.len; len++)
        if (evidence_read(span_of(buf.ptr, len), false, &back, &err)) {
            ck_assert_uint_eq(back.body.len, 0); /* cut exactly in front of the body: an empty one */
            evidence_done(&back);
        }
    buf_free(&buf);
    item.body = span_of(NULL, 0);
    evidence_done(&item);
}
END_TEST

START_TEST(odd_records_are_refused)
{
    struct evidence item = {.id = 1, .status = EVIDENCE_FOUND};
    struct evidence back = {0};
    struct buf buf = BUF_INIT(10000);
    struct error err = ERROR_INIT;
    size_t len;

    evidence_write(&buf, &item);
    len = buf.len;
    wire_put_u32(&buf, 1, 1); /* the number twice */
    ck_assert(!evidence_read(buf_as_span(&buf), false, &back, &err));
    buf.len = len;
    wire_put_u32(&buf, 99, 1); /* unknown */
    ck_assert(!evidence_read(buf_as_span(&buf), false, &back, &err));
    buf.len = len;
    wire_put_str(&buf, 3, "r.example"); /* a want's field */
    ck_assert(!evidence_read(buf_as_span(&buf), false, &back, &err));
    buf.len = len;
    wire_put_str(&buf, 13, "line\nbreak");
    ck_assert(!evidence_read(buf_as_span(&buf), false, &back, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    buf_clear(&buf);
    item.status = (enum evidence_status)3;
    evidence_write(&buf, &item);
    ck_assert(!evidence_read(buf_as_span(&buf), false, &back, &err));
    buf_free(&buf);
}
END_TEST

START_TEST(collections_are_bounded_and_found)
{
    struct evidence_set set = {0};
    struct wants wants = {0};
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < LIMIT_EVIDENCE_ITEMS; i++)
        ck_assert(wants_add(&wants, WANT_BLOB, "h", "r", "sha256:00", 1, &err));
    ck_assert(!wants_add(&wants, WANT_BLOB, "h", "r", "sha256:00", 1, &err));
    ck_assert_int_eq(err.reason, REASON_LIMIT);
    for (size_t i = 0; i < 2; i++) {
        struct evidence item = {.id = wants.items[i].id, .status = EVIDENCE_ABSENT};

        ck_assert(evidence_set_add(&set, &wants.items[i], &item, &err));
    }
    ck_assert_ptr_nonnull(evidence_find(&set, WANT_BLOB, "h", "r", "sha256:00"));
    ck_assert_ptr_null(evidence_find(&set, WANT_MANIFEST, "h", "r", "sha256:00"));
    ck_assert_ptr_null(evidence_find(&set, WANT_BLOB, "g", "r", "sha256:00"));
    ck_assert_ptr_null(evidence_find(&set, WANT_BLOB, "h", "q", "sha256:00"));
    ck_assert_ptr_null(evidence_find(&set, WANT_BLOB, "h", "r", "sha256:01"));
    {
        struct evidence item = {.id = 77};

        ck_assert(!evidence_set_add(&set, &wants.items[2], &item, &err));
        ck_assert_int_eq(err.reason, REASON_INTERNAL);
    }
    evidence_set_done(&set);
    wants_done(&wants);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_evidence");
    TCase *cases = tcase_create("evidence");

    tcase_add_test(cases, wants_travel);
    tcase_add_test(cases, targets_are_tags_digests_or_pages);
    tcase_add_test(cases, hosts_are_hosts);
    tcase_add_test(cases, evidence_travels);
    tcase_add_test(cases, odd_records_are_refused);
    tcase_add_test(cases, collections_are_bounded_and_found);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
