/* SPDX-License-Identifier: Apache-2.0 */
/* How crun's arguments and version are read: a wrong reading either lets a start through or stops a kill. */
#include <string.h>

#include "plugin/crun/cmdline.h"
#include "plugin/crun/version.h"
#include "tests/unit/harness.h"

struct call_case {
    const char *words[16];
    bool parsed;
    enum crun_command command;
    const char *id, *bundle, *config;
};

static const struct call_case call_cases[] = {
    {{"crun", "create", "abc"}, true, CRUN_CREATE, "abc", NULL, NULL},
    {{"crun", "--root=/run/crun", "--log", "/x/create", "--log-format=json", "--systemd-cgroup", "create", "--bundle",
      "/b", "--pid-file", "/p", "abc"}, true, CRUN_CREATE, "abc", "/b", NULL},
    {{"crun", "--systemd", "run", "-b", "/b", "-f", "/c.json", "-d", "abc"}, true, CRUN_RUN, "abc", "/b", "/c.json"},
    {{"crun", "run", "-b/b", "abc"}, true, CRUN_RUN, "abc", "/b", NULL},
    {{"crun", "run", "--bun=/b", "abc"}, true, CRUN_RUN, "abc", "/b", NULL},
    {{"crun", "run", "abc", "--bundle", "/b"}, true, CRUN_RUN, "abc", "/b", NULL},
    {{"crun", "restore", "--image-path", "/i", "-b", "/b", "abc"}, true, CRUN_RESTORE, "abc", "/b", NULL},
    {{"crun", "kill", "create", "9"}, true, CRUN_OTHER, NULL, NULL, NULL},
    {{"crun", "--root", "create", "delete", "abc"}, true, CRUN_OTHER, NULL, NULL, NULL},
    {{"crun", "exec", "--unknown-option", "abc", "sh"}, true, CRUN_OTHER, NULL, NULL, NULL},
    {{"crun", "--version"}, true, CRUN_OTHER, NULL, NULL, NULL},
    {{"crun"}, true, CRUN_OTHER, NULL, NULL, NULL},
    {{"crun", "list"}, true, CRUN_OTHER, NULL, NULL, NULL},
    {{"crun", "state", "create"}, true, CRUN_OTHER, NULL, NULL, NULL},
    /* An unknown global option may swallow a word: a later starting command still counts. */
    {{"crun", "--future", "x", "create", "abc"}, true, CRUN_CREATE, "abc", NULL, NULL},
    {{"crun", "--future", "list"}, true, CRUN_OTHER, NULL, NULL, NULL},
    {{"crun", "create", "--future", "abc"}, false, CRUN_CREATE, NULL, NULL, NULL},
    {{"crun", "create", "--no", "abc"}, false, CRUN_CREATE, NULL, NULL, NULL}, /* ambiguous, as argp says */
    {{"crun", "create", "a", "b"}, false, CRUN_CREATE, NULL, NULL, NULL},
    {{"crun", "create"}, false, CRUN_CREATE, NULL, NULL, NULL},
    {{"crun", "run", "abc", "--bundle"}, false, CRUN_RUN, NULL, NULL, NULL},
    {{"crun", "run", "--detach=1", "abc"}, false, CRUN_RUN, NULL, NULL, NULL},
};

static struct span join(const char *const *words, char *dst)
{
    size_t len = 0;

    for (size_t i = 0; words[i]; i++) {
        memcpy(dst + len, words[i], strlen(words[i]) + 1);
        len += strlen(words[i]) + 1;
    }
    return span_of(dst, len);
}

static void same_text(const char *found, const char *wanted)
{
    if (wanted)
        ck_assert_str_eq(found, wanted);
    else
        ck_assert_ptr_null(found);
}

START_TEST(reads_calls)
{
    const struct call_case *c = &call_cases[_i];
    struct crun_call call = {.command = CRUN_OTHER};
    struct error err = ERROR_INIT;
    char words[1024];
    bool parsed = crun_call_parse(join(c->words, words), &call, &err);

    ck_assert_msg(parsed == c->parsed, "case %d: %s", _i, err.text);
    ck_assert_int_eq(call.command, c->command);
    if (!parsed) {
        ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
        return;
    }
    same_text(call.id, c->id);
    same_text(call.bundle, c->bundle);
    same_text(call.config, c->config);
}
END_TEST

START_TEST(words_need_their_end)
{
    struct crun_call call = {.command = CRUN_OTHER};
    struct error err = ERROR_INIT;

    ck_assert(crun_call_parse(span_of("crun\0create\0abc", 15), &call, &err) == false); /* last word cut off */
    ck_assert_int_eq(call.command, CRUN_CREATE);
    ck_assert(crun_call_parse(span_of("", 0), &call, &err));
    ck_assert_int_eq(call.command, CRUN_OTHER);
}
END_TEST

START_TEST(knows_versions)
{
    static const char *const known[] = {"crun version 1.8.1\n", "crun version 1.21\ncommit: x", "crun version 1.28",
                                        "crun version 1.29.1\n"};
    static const char *const unknown[] = {"",
                                          "crun version 1.8\n",
                                          "crun version 1.7.2\n",
                                          "crun version 1.30\n",
                                          "crun version 2.0\n",
                                          "runc version 1.21",
                                          "crun version 1.",
                                          "crun version 1.021"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        ck_assert_msg(crun_version_text_known(span_str(known[i])), "%s", known[i]);
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        ck_assert_msg(!crun_version_text_known(span_str(unknown[i])), "%s", unknown[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_crun");
    TCase *cases = tcase_create("crun");

    tcase_add_loop_test(cases, reads_calls, 0, (int)ARRAY_LEN(call_cases));
    tcase_add_test(cases, words_need_their_end);
    tcase_add_test(cases, knows_versions);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
