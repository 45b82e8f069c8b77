/* SPDX-License-Identifier: Apache-2.0 */
/* Until when a verdict may be kept, and when keys count: each edge to the second. */
#include "tests/unit/claims_helper.h"
#include "tests/unit/harness.h"

#define DATED(text) KEY "      pullguard: {" text "}\n"
#define LOGGED KEY "      ctlog: {trustRootRef: mock}\n"
#define ATTESTED_WITH(conditions) KEY "      attestations:\n        - name: a\n          predicateType: spdx\n" \
    "          pullguard: {conditions: [" conditions "]}\n"

/* The clock: 2026-11-23T18:00:00Z. */
static const struct {
    const char *authority;
    int64_t until; /* relative to the clock; 0 = it may not be kept; FOR_GOOD */
} table[] = {
#define FOR_GOOD INT64_MAX
    {KEY, FOR_GOOD},
    {"    - static: {action: pass}\n", FOR_GOOD},
    {KEYLESS, FOR_GOOD}, /* judged at a proven time */
    {DATED("notAfter: \"2026-11-23T18:00:10Z\""), 11}, /* the last second is inside */
    {DATED("notAfter: \"2026-11-23T18:00:00Z\""), 1},
    {DATED("notAfter: \"2026-11-23T17:59:59Z\""), FOR_GOOD}, /* has ended: nothing changes any more */
    {DATED("notBefore: \"2026-11-23T18:00:10Z\""), 10},
    {DATED("notBefore: \"2026-11-23T18:00:00Z\""), FOR_GOOD},
    {DATED("notBefore: \"2026-11-23T18:00:05Z\", notAfter: \"2026-11-23T18:00:10Z\""), 5},
    {DATED("keys: [{name: b, path: ed25519.pub, notAfter: \"2026-11-23T18:00:07Z\"}], "
           "notAfter: \"2026-11-23T18:01:00Z\""), 8}, /* the earliest of all */
    {DATED("notAfter: \"2026-11-23T18:00:10Z\"") LOGGED, 11},
    {LOGGED "      pullguard: {maxAge: 30d}\n", 0}, /* only the evidence knows when it gets too old */
    {KEYLESS "      pullguard: {maxAge: 30d}\n", 0},
    {KEYLESS "      pullguard: {insecureIgnoreTlog: true}\n", 0}, /* the certificate is judged now */
    {KEYLESS "      rfc3161timestamp: {trustRootRef: mock}\n", FOR_GOOD},
    {ATTESTED_WITH("{maxAge: 1d}"), 0},
    {ATTESTED_WITH("{anyOf: [{path: predicate.a, equals: b}, {noneOf: [{maxAge: 1d}]}]}"), 0},
    {ATTESTED_WITH("{path: predicate.a, after: \"2026-11-23T18:00:10Z\"}"), FOR_GOOD}, /* a time in the statement */
};

START_TEST(a_verdict_is_kept_until_the_clock_could_change_it)
{
    CLEANUP(mem_freep) char *yaml = document("p", "r.io/**", "", table[_i].authority);
    struct policy_set *set = test_load(yaml);
    int64_t until = policy_set_valid_until(set, TEST_NOW);
    int64_t wanted = table[_i].until == FOR_GOOD ? 0 : TEST_NOW + table[_i].until;

    ck_assert_msg(until == wanted, "%s: %lld, wanted %lld", table[_i].authority, (long long)(until - TEST_NOW),
                  (long long)(wanted - TEST_NOW));
    policy_set_free(set);
}
END_TEST

/* Every policy counts, also one for other images: which applies is not asked here. */
START_TEST(the_earliest_of_all_policies)
{
    CLEANUP(mem_freep) char *first = document("a", "r.io/**", "", DATED("notAfter: \"2026-11-23T18:00:10Z\""));
    CLEANUP(mem_freep) char *second = document("b", "q.io/**", "", DATED("notAfter: \"2026-11-23T18:00:04Z\""));
    CLEANUP(mem_freep) char *both = mem_printf("%s---\n%s", first, second);
    struct policy_set *set = test_load(both);

    ck_assert_int_eq(policy_set_valid_until(set, TEST_NOW), TEST_NOW + 5);
    ck_assert_int_eq(policy_set_valid_until(set, TEST_NOW + 5), TEST_NOW + 11);
    ck_assert_int_eq(policy_set_valid_until(set, TEST_NOW + 11), 0);
    policy_set_free(set);
}
END_TEST

START_TEST(windows_are_listed)
{
    CLEANUP(mem_freep) char *yaml = document(
        "p", "r.io/**", "",
        KEY "      pullguard: {notAfter: \"2026-12-31T00:00:00Z\", keys: [{name: b, path: ed25519.pub}, "
            "{name: c, path: rsa2048.pub, notBefore: \"2026-01-01T00:00:00Z\"}]}\n");
    struct policy_set *set = test_load(yaml);
    struct policy_window *windows = NULL;
    struct error err = ERROR_INIT;
    size_t count = 0;

    ck_assert(policy_set_windows(set, &windows, &count, &err));
    ck_assert_uint_eq(count, 2); /* "b" has no dates */
    ck_assert_str_eq(windows[0].policy, "p");
    ck_assert_str_eq(windows[0].authority, "authority-0");
    ck_assert_str_eq(windows[0].fingerprint, test_fingerprint("cosign.pub"));
    ck_assert_ptr_null(windows[0].name);
    ck_assert(windows[0].not_before == INT64_MIN && windows[0].not_after < INT64_MAX && !windows[0].proves_time);
    ck_assert_str_eq(windows[1].name, "c");
    ck_assert(windows[1].not_before > 0 && windows[1].not_after == INT64_MAX);
    mem_free(windows);
    policy_set_free(set);
}
END_TEST

START_TEST(a_windows_state_to_the_second)
{
    static const struct policy_window window = {.not_before = 1000, .not_after = 10 * WINDOW_SOON_SECONDS},
                                      open = {.not_before = INT64_MIN, .not_after = INT64_MAX};
    const int64_t end = window.not_after;

    ck_assert_int_eq(policy_window_state(&window, 999), WINDOW_NOT_YET);
    ck_assert_int_eq(policy_window_state(&window, 1000), WINDOW_OPEN);
    ck_assert_int_eq(policy_window_state(&window, end - WINDOW_SOON_SECONDS - 1), WINDOW_OPEN);
    ck_assert_int_eq(policy_window_state(&window, end - WINDOW_SOON_SECONDS), WINDOW_ENDS_SOON);
    ck_assert_int_eq(policy_window_state(&window, end), WINDOW_ENDS_SOON);
    ck_assert_int_eq(policy_window_state(&window, end + 1), WINDOW_ENDED);
    ck_assert_int_eq(policy_window_state(&open, INT64_MAX), WINDOW_OPEN);
    ck_assert_int_eq(policy_window_state(&open, 0), WINDOW_OPEN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_validity");
    TCase *tcase = tcase_create("validity");

    tcase_add_loop_test(tcase, a_verdict_is_kept_until_the_clock_could_change_it, 0, ARRAY_LEN(table));
    tcase_add_test(tcase, the_earliest_of_all_policies);
    tcase_add_test(tcase, windows_are_listed);
    tcase_add_test(tcase, a_windows_state_to_the_second);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
