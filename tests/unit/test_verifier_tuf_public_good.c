/* SPDX-License-Identifier: Apache-2.0 */
/* The TUF client over the public-good Sigstore instance's own roots, 1 to 15, and each link of that chain broken. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"
#include "verifier/trustroot.h"
#include "verifier/tuf.h"

enum { ROOTS = 15, NOW = 1787400000 /* 2026-08-22, between the timestamp's making and its expiry */ };

static struct buf roots[ROOTS + 1]; /* roots[15] is the one that comes with the program */

static void load_roots(void)
{
    const char *source = secure_getenv("PG_SOURCE");
    char name[1024];

    for (int i = 1; i < ROOTS; i++) {
        (void)snprintf(name, sizeof(name), "sigstore-root-signing/%d.root.json", i);
        roots[i] = vector_read(name);
    }
    ck_assert_ptr_nonnull(source);
    (void)snprintf(name, sizeof(name), "%s/plugin/cli/trust/public-good.root.json", source);
    roots[ROOTS] = (struct buf)BUF_INIT(VECTOR_MAX_BYTES);
    ck_assert(vector_read_path(name, &roots[ROOTS]));
}

static void free_roots(void)
{
    for (int i = 1; i <= ROOTS; i++)
        buf_free(&roots[i]);
}

static struct tuf *begin(int first, int64_t now)
{
    static const char *const names[] = {"trusted_root.json"};
    struct tuf_stored stored = {.targets = NULL};
    struct tuf *tuf = NULL;
    struct error err = ERROR_INIT;

    stored.roles[TUF_ROOT] = buf_as_span(&roots[first]);
    ck_assert_msg(tuf_new(&stored, names, 1, now, &tuf, &err), "root %d: %s", first, err.text);
    return tuf;
}

/* Gives the roots up to `last` and says that there are no more; `instead` stands in the place of the last one. */
static enum reason climb(struct tuf *tuf, int last, const struct span *instead)
{
    struct error err = ERROR_INIT;
    struct tuf_request request;

    for (int i = (int)tuf_version(tuf, TUF_ROOT) + 1; i <= last; i++) {
        char wanted[32];

        (void)snprintf(wanted, sizeof(wanted), "%d.root.json", i);
        ck_assert(tuf_wants(tuf, &request));
        ck_assert_str_eq(request.name, wanted);
        if (!tuf_give(tuf, i == last && instead ? *instead : buf_as_span(&roots[i]), &err))
            return err.reason;
    }
    return tuf_absent(tuf, &err) ? REASON_OK : err.reason;
}

/* From any root to the newest, and on to the timestamp of that week. */
START_TEST(chain_from)
{
    CLEANUP(tuf_freep) struct tuf *tuf = begin(_i, NOW);
    CLEANUP(buf_free) struct buf timestamp = vector_read("sigstore-root-signing/timestamp.json");
    struct error err = ERROR_INIT;
    struct tuf_request request;

    ck_assert_int_eq(climb(tuf, ROOTS, NULL), REASON_OK);
    ck_assert_int_eq(tuf_version(tuf, TUF_ROOT), ROOTS);
    ck_assert(span_eq(tuf_state(tuf, TUF_ROOT), buf_as_span(&roots[ROOTS])));
    ck_assert(tuf_wants(tuf, &request));
    ck_assert_str_eq(request.name, "timestamp.json");
    ck_assert_msg(tuf_give(tuf, buf_as_span(&timestamp), &err), "%s", err.text);
    ck_assert_int_eq(tuf_version(tuf, TUF_TIMESTAMP), 762);
    ck_assert(tuf_wants(tuf, &request));
    ck_assert_str_eq(request.name, "165.snapshot.json");
}
END_TEST

/* Who stops at a root, as a mirror can that holds back the next one, has until its expiry, to the second. */
START_TEST(frozen_at)
{
    CLEANUP(tuf_freep) struct tuf *first = begin(_i, NOW);
    int64_t expires = tuf_expires(first, TUF_ROOT);
    CLEANUP(tuf_freep) struct tuf *before = begin(1, expires - 1);
    CLEANUP(tuf_freep) struct tuf *after = begin(1, expires);

    ck_assert_int_eq(climb(before, _i, NULL), REASON_OK);
    ck_assert_int_eq(climb(after, _i, NULL), REASON_EXPIRED);
    ck_assert_int_eq(tuf_version(after, TUF_ROOT), _i); /* kept all the same: the next update begins here */
}
END_TEST

static void expect_broken(int link, struct span instead, enum reason reason, const char *what)
{
    CLEANUP(tuf_freep) struct tuf *tuf = begin(1, NOW);
    enum reason got = climb(tuf, link, &instead);

    ck_assert_msg(got == reason, "root %d, %s: %s, wanted %s", link, what, reason_name(got), reason_name(reason));
    ck_assert_int_eq(tuf_version(tuf, TUF_ROOT), link - 1);
}

/* A copy in which only the first `keep` signatures that are there stay; the others become empty. */
static struct buf with_signatures(const struct buf *file, int keep)
{
    struct buf copy = BUF_INIT(VECTOR_MAX_BYTES);
    struct span rest = buf_as_span(file);
    size_t at;

    while ((at = span_find(rest, "\"sig\": \"")) != SIZE_MAX) {
        size_t start = at + strlen("\"sig\": \"");
        size_t len = span_find_byte(span_cut(rest, start, SIZE_MAX), '"');

        buf_span(&copy, span_cut(rest, 0, start));
        if (len > 0 && keep-- > 0)
            buf_span(&copy, span_cut(rest, start, len));
        rest = span_cut(rest, start + len, SIZE_MAX);
    }
    buf_span(&copy, rest);
    ck_assert(buf_ok(&copy));
    return copy;
}

START_TEST(broken_link)
{
    struct span good = buf_as_span(&roots[_i]);
    CLEANUP(buf_free) struct buf two = with_signatures(&roots[_i], 2);
    CLEANUP(buf_free) struct buf none = with_signatures(&roots[_i], 0);
    CLEANUP(buf_free) struct buf changed = BUF_INIT(VECTOR_MAX_BYTES);
    CLEANUP(buf_free) struct buf large = BUF_INIT(VECTOR_MAX_BYTES);
    size_t year = span_find(good, "\"expires\": \"202");

    expect_broken(_i, buf_as_span(&two), REASON_THRESHOLD, "signed by two of five");
    expect_broken(_i, buf_as_span(&none), REASON_THRESHOLD, "signed by nobody");
    ck_assert_uint_ne(year, SIZE_MAX);
    buf_span(&changed, good);
    changed.ptr[year + strlen("\"expires\": \"20")] = '9'; /* valid for seventy years more */
    expect_broken(_i, buf_as_span(&changed), REASON_THRESHOLD, "another expiry");
    expect_broken(_i, buf_as_span(&roots[_i - 1]), REASON_UNTRUSTED_CHAIN, "the last one again");
    expect_broken(_i, span_cut(good, 0, good.len / 2), REASON_MALFORMED, "half of it");
    expect_broken(_i, span_str(""), REASON_MALFORMED, "nothing");
    buf_span(&large, good);
    while (large.len <= 512000)
        buf_byte(&large, ' ');
    expect_broken(_i, buf_as_span(&large), REASON_LIMIT, "endless data");
}
END_TEST

/* A root left out: its successor's version gives it away, or the key ids changed in between (5, 9 and 10). */
START_TEST(missing_link)
{
    bool renamed = _i == 5 || _i == 9 || _i == 10;

    expect_broken(_i, buf_as_span(&roots[_i + 1]), renamed ? REASON_THRESHOLD : REASON_UNTRUSTED_CHAIN, "left out");
}
END_TEST

/* What the repository is there for. */
START_TEST(its_trusted_root)
{
    CLEANUP(buf_free) struct buf bytes = vector_read("sigstore-root-signing/trusted_root.json");
    CLEANUP(trust_root_freep) struct trust_root *root = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(trust_root_parse(buf_as_span(&bytes), &root, &err), "%s", err.text);
    ck_assert_uint_eq(root->authorities.count, 2);
    ck_assert_uint_eq(root->logs.count, 2);
    ck_assert_uint_eq(root->ct_logs.count, 2);
    ck_assert_uint_eq(root->timestamp_authorities.count, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_tuf_public_good");
    TCase *cases = tcase_create("public good");

    tcase_add_unchecked_fixture(cases, load_roots, free_roots);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, chain_from, 1, ROOTS + 1);
    tcase_add_loop_test(cases, frozen_at, 1, ROOTS + 1);
    tcase_add_loop_test(cases, broken_link, 2, ROOTS + 1);
    tcase_add_loop_test(cases, missing_link, 2, ROOTS);
    tcase_add_test(cases, its_trusted_root);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
