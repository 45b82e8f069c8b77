/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics file: counts add up over calls, nothing an attacker names becomes a label, a damaged file begins anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "plugin/recorder/metrics.h"
#include "tests/unit/harness.h"

static char directory[64], path[128], lock_path[160];

static void setup(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/pullguard-metrics.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/pullguard.prom", directory);
    (void)snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)unlink(lock_path);
    ck_assert_int_eq(rmdir(directory), 0); /* nothing else was left */
}

static void count(const char *verdict, const char *reason, const char *runtime, const char *us)
{
    struct record record = {.verdict = verdict, .count = 3};
    struct error err = ERROR_INIT;

    record.fields[0] = (struct record_field){.name = "REASON", .value = reason};
    record.fields[1] = (struct record_field){.name = "RUNTIME", .value = runtime};
    record.fields[2] = (struct record_field){.name = "DURATION_US", .value = us, .number = true};
    ck_assert_msg(metrics_count(path, &record, &err), "%s", err.text);
}

static void has(const char *line)
{
    struct buf text = BUF_INIT(0);
    struct error err = ERROR_INIT;

    ck_assert_msg(file_read(path, 65536, FILE_ANY, &text, &err), "%s", err.text);
    ck_assert_msg(strstr(buf_cstr(&text), line) != NULL, "%s is not in\n%s", line, buf_cstr(&text));
    ck_assert(buf_cstr(&text)[text.len - 1] == '\n');
    buf_free(&text);
}

START_TEST(counts_add_up)
{
    count("allow", "ok", "containerd", "3000");
    count("allow", "ok", "containerd", "30000");
    count("deny", "no_signature", "crun", "6000000");
    has("pullguard_verifications_total{verdict=\"allow\",reason=\"ok\",runtime=\"containerd\"} 2\n");
    has("pullguard_verifications_total{verdict=\"deny\",reason=\"no_signature\",runtime=\"crun\"} 1\n");
    has("pullguard_verification_duration_seconds_bucket{le=\"0.005\"} 1\n");
    has("pullguard_verification_duration_seconds_bucket{le=\"5\"} 2\n");
    has("pullguard_verification_duration_seconds_bucket{le=\"+Inf\"} 3\n");
    has("pullguard_verification_duration_seconds_sum 6.033000\n");
    has("pullguard_verification_duration_seconds_count 3\n");
}
END_TEST

START_TEST(names_from_outside_are_no_labels)
{
    count("deny", "no_match", "x\",evil=\"1", "1");
    has("{verdict=\"deny\",reason=\"no_match\",runtime=\"other\"} 1\n");
}
END_TEST

START_TEST(damage_begins_anew)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    (void)fputs(
        "pullguard_verifications_total{verdict=\"allow\",reason=\"ok\",runtime=\"a\"} 41\nrubbish {\n} 7\n"
        "pullguard_verification_duration_seconds_count -3\npullguard_verification_duration_seconds_sum x\ncut off",
        file);
    ck_assert_int_eq(fclose(file), 0);
    count("allow", "ok", "a", "1");
    has("runtime=\"a\"} 42\n");
    has("pullguard_verification_duration_seconds_count 1\n");
    has("pullguard_verification_duration_seconds_sum 0.000001\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_metrics");
    TCase *cases = tcase_create("metrics");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, counts_add_up);
    tcase_add_test(cases, names_from_outside_are_no_labels);
    tcase_add_test(cases, damage_begins_anew);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
