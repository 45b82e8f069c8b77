/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/harness.h"

struct time_case {
    const char *text;
    bool good;
    int64_t seconds;
    uint32_t nanos;
};

static const struct time_case times[] = {
    {"1970-01-01T00:00:00Z", true, 0, 0},
    {"2026-11-23T18:22:00Z", true, 1795458120, 0},
    {"2026-11-23t18:22:00z", true, 1795458120, 0},
    {"2026-11-23T18:22:00.5Z", true, 1795458120, 500000000},
    {"2026-11-23T18:22:00.123456789123Z", true, 1795458120, 123456789},
    {"2026-11-23T19:22:00+01:00", true, 1795458120, 0},
    {"2026-11-23T12:52:00-05:30", true, 1795458120, 0},
    {"2000-02-29T00:00:00Z", true, 951782400, 0},
    {"1969-12-31T23:59:59Z", true, -1, 0},
    {"0001-01-01T00:00:00Z", true, -62135596800, 0},
    {"9999-12-31T23:59:59Z", true, 253402300799, 0},
    {"0000-01-01T00:00:00Z", false, 0, 0},
    {"1900-02-29T00:00:00Z", false, 0, 0},
    {"2026-02-30T00:00:00Z", false, 0, 0},
    {"2026-13-01T00:00:00Z", false, 0, 0},
    {"2026-00-01T00:00:00Z", false, 0, 0},
    {"2026-01-00T00:00:00Z", false, 0, 0},
    {"2026-01-01T24:00:00Z", false, 0, 0},
    {"2026-01-01T00:60:00Z", false, 0, 0},
    {"2026-01-01T00:00:60Z", false, 0, 0},
    {"2026-01-01T00:00:00", false, 0, 0},
    {"2026-01-01 00:00:00Z", false, 0, 0},
    {"2026-01-01T00:00:00.Z", false, 0, 0},
    {"2026-01-01T00:00:00,5Z", false, 0, 0},
    {"2026-01-01T00:00:00Zx", false, 0, 0},
    {"2026-01-01T00:00:00+0100", false, 0, 0},
    {"2026-01-01T00:00:00+24:00", false, 0, 0},
    {"2026-01-01T00:00:00+01:60", false, 0, 0},
    {"2026-1-01T00:00:00Z", false, 0, 0},
    {"+026-01-01T00:00:00Z", false, 0, 0},
    {"2026-01-01", false, 0, 0},
    {"", false, 0, 0},
};

START_TEST(times_are_read)
{
    const struct time_case *c = &times[_i];
    int64_t seconds = 77;
    uint32_t nanos = 77;

    ck_assert_msg(time_parse(span_str(c->text), &seconds, &nanos) == c->good, "%s", c->text);
    ck_assert_int_eq(seconds, c->good ? c->seconds : 77);
    ck_assert_uint_eq(nanos, c->good ? c->nanos : 77);
    ck_assert(time_parse(span_str(c->text), &seconds, NULL) == c->good);
}
END_TEST

START_TEST(times_are_written)
{
    char text[TIME_TEXT_BYTES];

    ck_assert_str_eq(time_format(1795458120, text), "2026-11-23T18:22:00Z");
    ck_assert_str_eq(time_format(-62135596800, text), "0001-01-01T00:00:00Z");
    ck_assert_str_eq(time_format(253402300799, text), "9999-12-31T23:59:59Z");
    ck_assert_str_eq(time_format(253402300800, text), "(no date)");
    ck_assert_str_eq(time_format(INT64_MIN, text), "(no date)");
}
END_TEST

START_TEST(every_day_counts_once)
{
    char text[TIME_TEXT_BYTES], want[TIME_TEXT_BYTES];
    int64_t wanted, seconds;

    ck_assert(time_from_civil(1, 1, 1, 0, 0, 0, &wanted));
    for (int year = 1; year < 2500; year++)
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= 31; day++)
                if (time_from_civil(year, month, day, 0, 0, 0, &seconds)) {
                    (void)snprintf(want, sizeof(want), "%04d-%02d-%02dT23:59:59Z", year % 10000, month, day);
                    if (seconds != wanted || strcmp(time_format(seconds + 86399, text), want) != 0)
                        ck_abort_msg("%d-%d-%d", year, month, day);
                    wanted += 86400;
                }
}
END_TEST

struct duration_case {
    const char *text;
    int64_t want; /* -1 = refused */
};

static const struct duration_case durations[] = {
    {"45s", 45},
    {"30m", 1800},
    {"12h", 43200},
    {"90d", 7776000},
    {"2w", 1209600},
    {"1h30m", 5400},
    {"1w1d1h1m1s", 694861},
    {"0s", 0},
    {"", -1},
    {"5", -1},
    {"s", -1},
    {"30m1h", -1},
    {"1h1h", -1},
    {"1.5h", -1},
    {"-1h", -1},
    {"01h", -1},
    {"1h ", -1},
    {" 1h", -1},
    {"1y", -1},
    {"1H", -1},
    {"9223372036854775807s", INT64_MAX},
    {"9223372036854775808s", -1},
    {"9223372036854775807w", -1},
    {"153722867280912930m9223372036854775807s", -1},
};

START_TEST(durations_are_read)
{
    const struct duration_case *c = &durations[_i];
    int64_t seconds = -1;

    ck_assert_msg(duration_parse(span_str(c->text), &seconds) == (c->want >= 0), "%s", c->text);
    ck_assert_int_eq(seconds, c->want);
}
END_TEST

START_TEST(deadlines_fit_poll)
{
    ck_assert_int_eq(deadline_left_ms(mono_ms() - 1), 0);
    ck_assert_int_eq(deadline_left_ms(INT64_MIN), 0);
    ck_assert_int_eq(deadline_left_ms(INT64_MAX), INT_MAX);
    ck_assert_int_gt(deadline_left_ms(mono_ms() + 10000), 5000);
    ck_assert(time_now() > 1700000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_clock");
    TCase *cases = tcase_create("clock");

    tcase_add_loop_test(cases, times_are_read, 0, (int)ARRAY_LEN(times));
    tcase_add_test(cases, times_are_written);
    tcase_add_test(cases, every_day_counts_once);
    tcase_add_loop_test(cases, durations_are_read, 0, (int)ARRAY_LEN(durations));
    tcase_add_test(cases, deadlines_fit_poll);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
