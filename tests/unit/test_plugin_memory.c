/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts in memory, what they depend on, and whom a kept fetcher serves. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "plugin/cache/entry.h"
#include "plugin/cache/memory.h"
#include "plugin/cache/stamp.h"
#include "plugin/engine/pool.h"
#include "tests/unit/harness.h"
#include "tests/unit/scratch.h"

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char digest[] = DIGEST, other[] = OTHER, name[] = "registry.test/a:1";
static struct memory memory;

static void teardown(void)
{
    memory_clear(&memory);
}

static void put(const char *fingerprint, const char *reference, uint32_t verdict, enum reason reason, int64_t from,
                int64_t to, bool expected)
{
    CLEANUP(buf_free) struct buf entry = BUF_INIT(ENTRY_MAX_BYTES);
    const struct response response = {.verdict = {verdict}, .reason = reason, .digest = digest};
    const struct cache_times times = {.decided = time_now() + from, .expires = time_now() + to};

    entry_write(&entry, fingerprint, reference, &times, &response);
    ck_assert(buf_ok(&entry));
    ck_assert_int_eq(memory_put(&memory, "print", buf_as_span(&entry)), expected);
}

static bool found(const char *fingerprint, char *reference, char *asked)
{
    const struct request request = {.reference = reference, .digest = asked};
    CLEANUP(response_done) struct response response = {0};
    struct cache_times times;
    bool hit = memory_find(&memory, fingerprint, &request, NULL, &response, &times);

    ck_assert_int_eq(hit, verdict_is_allow(response.verdict));
    ck_assert(!hit || response.cached);
    return hit;
}

START_TEST(holds_what_was_put)
{
    char another[] = "registry.test/a:2";

    ck_assert(!found("print", name, digest));
    put("print", name, VERDICT_WIRE_ALLOW, REASON_OK, -1, 60, true);
    ck_assert(found("print", name, digest));
    ck_assert(found("print", name, digest));
    ck_assert(!found("print", name, other));
    ck_assert(!found("print", another, digest));
    memory_clear(&memory);
    ck_assert(!found("print", name, digest));
}
END_TEST

START_TEST(rules_must_be_the_same)
{
    put("older", name, VERDICT_WIRE_ALLOW, REASON_OK, -1, 60, false);
    ck_assert(!found("older", name, digest));
    put("print", name, VERDICT_WIRE_ALLOW, REASON_OK, -1, 60, true);
    ck_assert(!found("newer", name, digest));
}
END_TEST

START_TEST(time_bounds_it)
{
    put("print", name, VERDICT_WIRE_ALLOW, REASON_OK, -60, -1, true);
    ck_assert(!found("print", name, digest));
    put("print", name, VERDICT_WIRE_ALLOW, REASON_OK, 60, 120, true); /* a clock that went back */
    ck_assert(!found("print", name, digest));
}
END_TEST

START_TEST(a_deny_is_no_hit)
{
    put("print", name, 0, REASON_NO_SIGNATURE, -1, 60, true);
    ck_assert(!found("print", name, digest));
}
END_TEST

START_TEST(noise_is_not_kept)
{
    CLEANUP(buf_free) struct buf entry = BUF_INIT(ENTRY_MAX_BYTES);
    const struct response response = {.verdict = {VERDICT_WIRE_ALLOW}, .reason = REASON_OK, .digest = digest};
    const struct cache_times times = {.decided = time_now(), .expires = time_now() + 60};

    entry_write(&entry, "print", name, &times, &response);
    for (size_t i = 0; i < entry.len; i++) {
        entry.ptr[i] ^= 1;
        ck_assert(!memory_put(&memory, "print", buf_as_span(&entry)));
        entry.ptr[i] ^= 1;
        ck_assert(!memory_put(&memory, "print", span_cut(buf_as_span(&entry), 0, i)));
    }
}
END_TEST

/* Far more than there are places: never more than that many held, and the newest is among them. */
START_TEST(bounded)
{
    char reference[64];
    size_t held = 0;

    for (int i = 0; i < 3 * MEMORY_PLACES; i++) {
        (void)snprintf(reference, sizeof(reference), "registry.test/a:%d", i);
        put("print", reference, VERDICT_WIRE_ALLOW, REASON_OK, -1, 60, true);
        ck_assert(found("print", reference, digest));
    }
    for (int i = 0; i < 3 * MEMORY_PLACES; i++) {
        (void)snprintf(reference, sizeof(reference), "registry.test/a:%d", i);
        held += found("print", reference, digest);
    }
    ck_assert_uint_le(held, MEMORY_PLACES);
    ck_assert_uint_gt(held, MEMORY_PLACES / 2);
}
END_TEST

START_TEST(descriptor_must_agree)
{
    static char agrees[] = "{\"mediaType\":\"a/b\",\"digest\":\"" DIGEST "\",\"size\":1}";
    static const char *const others[] = {
        "{\"digest\":\"" OTHER "\"}",
        "{\"annotations\":{\"digest\":\"" DIGEST "\"},\"digest\":\"" OTHER "\"}",
        "{\"digest\":\"" DIGEST "\",\"d\\u0069gest\":\"" OTHER "\"}",
        "{\"digest\":\"" DIGEST "0\"}",
        "{\"digest\" :\"" DIGEST "\"}",
        "{\"x\":\"" DIGEST "\"}",
        "{\"digest\":\"sha256:aa",
        "",
    };
    struct request request = {.reference = name, .digest = digest};

    ck_assert(cache_may_hold(&request));
    request.descriptor = agrees;
    ck_assert(cache_may_hold(&request));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        request.descriptor = mem_strdup(others[i]);
        ck_assert_msg(!cache_may_hold(&request), "%s", others[i]);
        mem_freep(&request.descriptor);
    }
}
END_TEST

static bool stamped(const struct consulted *consulted, const char *complaint)
{
    CLEANUP(buf_free) struct buf stamp = BUF_INIT(STAMP_MAX_BYTES);
    struct error err = ERROR_INIT;
    struct stamp holds;
    bool made = stamp_make(consulted, "print", false, &stamp, &err);

    ck_assert_msg(made || strstr(err.text, complaint), "%s", err.text);
    return made && stamp_holds(buf_as_span(&stamp), &holds);
}

/* A link that leads to another, equally old file after the first was read: no change time tells of it. */
START_TEST(the_stamp_is_of_what_was_read)
{
    CLEANUP(consulted_done) struct consulted consulted = {.began = time_now() + 100};
    CLEANUP(mem_freep) char *link = mem_strdup(scratch_path("/link"));
    CLEANUP(mem_freep) char *missing = mem_strdup(scratch_path("/missing"));
    struct error err = ERROR_INIT;

    scratch_put("/one", "1");
    scratch_put("/two", "2");
    ck_assert_int_eq(symlink(scratch_path("/one"), link), 0);
    ck_assert(consulted_add(&consulted, link, &err) && consulted_add(&consulted, missing, &err));
    ck_assert(stamped(&consulted, ""));
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink(scratch_path("/two"), link), 0);
    ck_assert(!stamped(&consulted, "changed while it was read"));
    ck_assert_int_eq(unlink(link), 0);
    ck_assert(!stamped(&consulted, "changed while it was read"));
    ck_assert_int_eq(symlink(scratch_path("/one"), link), 0);
    ck_assert(stamped(&consulted, ""));
    scratch_put("/missing", "3");
    ck_assert(!stamped(&consulted, "changed while it was read"));
    ck_assert_int_eq(unlink(missing), 0);
    consulted.began = time_now();
    ck_assert(!stamped(&consulted, "changed just now"));
}
END_TEST

static const struct names no_sources;
static char two_host[] = "other.source.test:5000";

static bool same_fetcher(const struct request *a, const struct request *b)
{
    CLEANUP(mem_freep) char *one = pool_key(a, &no_sources);
    CLEANUP(mem_freep) char *two = pool_key(b, &no_sources);

    ck_assert(one && two);
    ck_assert(!strstr(one, "pass"));
    return strcmp(one, two) == 0;
}

START_TEST(a_fetcher_serves_one_registry)
{
    char tag[] = "registry.test/b:1", elsewhere[] = "registry.test:5000/a:1", user[] = "u", word[] = "pass",
         none[] = "";
    struct request a = {.reference = name}, b = {.reference = tag};

    ck_assert(same_fetcher(&a, &b));
    b.reference = elsewhere;
    ck_assert(!same_fetcher(&a, &b));
    b = (struct request){.reference = name, .username = user, .password = word};
    ck_assert(!same_fetcher(&a, &b));
    a = b;
    ck_assert(same_fetcher(&a, &b));
    b.password = user;
    ck_assert(!same_fetcher(&a, &b));
    a = (struct request){.reference = name, .username = user, .password = none};
    b = (struct request){.reference = name, .username = none, .password = user};
    ck_assert(!same_fetcher(&a, &b));
    a.flags = REQUEST_NO_NETWORK;
    ck_assert_ptr_null(pool_key(&a, &no_sources));
    a = (struct request){0};
    ck_assert_ptr_null(pool_key(&a, &no_sources));
}
END_TEST

START_TEST(a_fetcher_serves_sources_too)
{
    char *items[] = {two_host};
    const struct names sources = {.items = items, .count = 1};
    struct request request = {.reference = name};
    CLEANUP(mem_freep) char *alone = pool_key(&request, &no_sources);
    CLEANUP(mem_freep) char *both = pool_key(&request, &sources);

    ck_assert(alone && both && strcmp(alone, both) != 0);
    ck_assert(pool_key_names(alone, "registry.test") && pool_key_names(both, "registry.test"));
    ck_assert(!pool_key_names(alone, two_host) && pool_key_names(both, two_host));
    ck_assert(!pool_key_names(both, "source.test") && !pool_key_names(both, "registry.tes"));
    ck_assert(!pool_key_names(both, "egistry.test") && !pool_key_names(both, "source"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin memory");
    TCase *verdicts = tcase_create("verdicts"), *files = tcase_create("files"), *pool = tcase_create("pool");

    tcase_add_checked_fixture(verdicts, NULL, teardown);
    tcase_set_timeout(verdicts, 60);
    tcase_add_test(verdicts, holds_what_was_put);
    tcase_add_test(verdicts, rules_must_be_the_same);
    tcase_add_test(verdicts, time_bounds_it);
    tcase_add_test(verdicts, a_deny_is_no_hit);
    tcase_add_test(verdicts, noise_is_not_kept);
    tcase_add_test(verdicts, bounded);
    tcase_add_test(verdicts, descriptor_must_agree);
    suite_add_tcase(suite, verdicts);
    tcase_add_checked_fixture(files, scratch_begin, scratch_end);
    tcase_add_test(files, the_stamp_is_of_what_was_read);
    suite_add_tcase(suite, files);
    tcase_add_test(pool, a_fetcher_serves_one_registry);
    tcase_add_test(pool, a_fetcher_serves_sources_too);
    suite_add_tcase(suite, pool);
    return run_suite(suite);
}
