/* SPDX-License-Identifier: Apache-2.0 */
/* Children are waited for, killed and reaped, with a descriptor for the process and on kernels that have none. */
#include "plugin/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/harness.h"

enum { GRACE_MS = 60000 }; /* who ends by himself is not killed, however busy the machine is */

/* A child that exits with this status, for -n ends itself by signal n, for RESTS never. */
enum { RESTS = 1000 };

static struct child start(int how, bool with_pidfd)
{
    struct child child = {0};
    pid_t parent = getpid(), pid = fork();

    if (pid == 0) {
        child_bind(parent);
        if (how < 0) {
            (void)signal(-how, SIG_DFL);
            (void)raise(-how);
        }
        while (how == RESTS)
            (void)pause();
        _exit(how);
    }
    ck_assert_int_gt(pid, 0);
    child_adopt(&child, pid);
    ck_assert_int_eq(child.pid, pid);
    if (!with_pidfd && child.pidfd >= 0) {
        (void)close(child.pidfd);
        child.pidfd = -1;
    }
    return child;
}

static void is_gone(const struct child *child, pid_t pid)
{
    ck_assert_int_eq(child->pid, 0);
    ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

START_TEST(ends_are_told)
{
    static const struct {
        int how, grace_ms;
        const char *fate;
    } rows[] = {
        {0, GRACE_MS, "ended with status 0"},
        {3, GRACE_MS, "ended with status 3"},
        {255, GRACE_MS, "ended with status 255"},
        {-SIGTERM, GRACE_MS, "was killed by signal 15"},
        {RESTS, 0, "was killed by signal 9"},
        {RESTS, 50, "was killed by signal 9"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct child child = start(rows[i].how, _i == 0);
        pid_t pid = child.pid;
        int64_t before = mono_ms();
        char fate[80];

        ck_assert_str_eq(child_fate(child_finish(&child, rows[i].grace_ms), fate, sizeof(fate)), rows[i].fate);
        ck_assert(rows[i].how != RESTS || mono_ms() - before >= rows[i].grace_ms);
        ck_assert_int_lt(mono_ms() - before, GRACE_MS / 2);
        is_gone(&child, pid);
    }
}
END_TEST

/* The host reaps everybody's children: its number may be another's by now, and there is nothing to tell. */
START_TEST(reaped_by_the_host)
{
    struct child child = start(7, _i == 0), none = {0};
    pid_t pid = child.pid;
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(child_finish(&child, GRACE_MS), -1);
    is_gone(&child, pid);
    ck_assert_int_eq(child_finish(&none, GRACE_MS), -1);
    child_kill(&none);
}
END_TEST

START_TEST(killed_at_the_end_of_a_scope)
{
    pid_t pid;

    {
        CLEANUP(child_kill) struct child child = start(RESTS, _i == 0);

        pid = child.pid;
    }
    ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(all_of_them_end)
{
    struct child first = start(RESTS, false), second = start(RESTS, false);

    children_end(GRACE_MS);
    ck_assert_int_eq(waitpid(first.pid, NULL, WNOHANG), -1);
    ck_assert_int_eq(waitpid(second.pid, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(what_cannot_be_started)
{
    char name[] = "x";
    char *const argv[] = {name, NULL};
    struct child child = {0};
    struct error err = ERROR_INIT;
    int a, b;

    ck_assert(socket_pair(&a, &b, &err));
    ck_assert(!child_spawn("/no/such/program", argv, a, &child, &err));
    ck_assert_int_eq(err.reason, REASON_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "/no/such/program cannot be started"));
    ck_assert_int_eq(child.pid, 0);
    (void)close(a);
    (void)close(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_process");
    TCase *cases = tcase_create("process");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, ends_are_told, 0, 2);
    tcase_add_loop_test(cases, reaped_by_the_host, 0, 2);
    tcase_add_loop_test(cases, killed_at_the_end_of_a_scope, 0, 2);
    tcase_add_test(cases, all_of_them_end);
    tcase_add_test(cases, what_cannot_be_started);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
