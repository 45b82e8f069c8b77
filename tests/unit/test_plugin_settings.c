/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/settings.h"

#include <string.h>

#include "tests/unit/harness.h"

START_TEST(defaults)
{
    CLEANUP(settings_done) struct settings settings = {0};
    struct error err = ERROR_INIT;

    ck_assert(settings_parse(span_str(""), "t", &settings, &err));
    ck_assert_int_eq(settings.no_match, NO_MATCH_DENY);
    ck_assert_int_eq(settings.sandbox, SANDBOX_REQUIRE);
    ck_assert_uint_eq(settings.deadline_ms, 8000);
    ck_assert(settings.cache && !settings.fetch_failure_cached && !settings.start_network);
    ck_assert_str_eq(settings.audit, "");
}
END_TEST

START_TEST(everything)
{
    static const char text[] =
        "no-match: warn\ndeadline-ms: 5000\nsandbox: off\nuser: pg\ninsecure-registries: [a:5000]\n"
        "credentials: [/a.json]\nca-dir: /ca\nca-file: /ca.pem\nproxy: {https: \"http://p:1\", no: x}\n"
        "log-json: /l\naudit: /a\ncache: {enabled: false, life: 1h}\non-fetch-failure: cached\n"
        "credential-providers: {config: /c, directory: /d}\nstorage-roots: [/s]\n"
        "start-network: true\nresident: {idle-exit: 5m}\nendorser: {listen: \"127.0.0.1:1\"}\n";
    CLEANUP(settings_done) struct settings settings = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(settings_parse(span_str(text), "t", &settings, &err), "%s", err.text);
    ck_assert_int_eq(settings.no_match, NO_MATCH_WARN);
    ck_assert_int_eq(settings.sandbox, SANDBOX_OFF);
    ck_assert_uint_eq(settings.credentials.count, 1);
    ck_assert_str_eq(settings.insecure.items[0], "a:5000");
    ck_assert_int_eq(settings.cache_life_s, 3600);
    ck_assert_int_eq(settings.idle_exit_s, 300);
    ck_assert(!settings.cache && settings.fetch_failure_cached && settings.start_network);
}
END_TEST

static const struct {
    const char *text, *words;
} bad[] = {
    {"no-mach: deny", "no-match"},          {"no-match: maybe", "deny, warn or allow"},
    {"deadline-ms: 99", "100 to 600000"},   {"deadline-ms: 600001", "100 to 600000"},
    {"deadline-ms: many", "deadline-ms"},   {"sandbox: true", "require, prefer or off"},
    {"ca-dir: relative", "absolute path"},  {"credentials: [auth.json]", "absolute path"},
    {"credentials: /a.json", "credentials"}, {"cache: {life: soon}", "duration"},
    {"cache: {enabled: maybe}", "enabled"}, {"proxy: {htps: x}", "https"},
    {"credential-providers: {config: /c}", "directory"}, {"[]", ""},
    {"no-match: deny\n---\nno-match: allow\n", "document"},
    {"no-match: deny\nno-match: allow\n", "no-match"},
};

START_TEST(refuses)
{
    CLEANUP(settings_done) struct settings settings = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(!settings_parse(span_str(bad[_i].text), "t", &settings, &err), "%s", bad[_i].text);
    ck_assert_int_eq(err.reason, REASON_POLICY_ERROR);
    ck_assert_msg(strstr(err.text, bad[_i].words) != NULL, "%s: %s", bad[_i].text, err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_settings");
    TCase *cases = tcase_create("settings");

    tcase_add_test(cases, defaults);
    tcase_add_test(cases, everything);
    tcase_add_loop_test(cases, refuses, 0, (int)ARRAY_LEN(bad));
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
