/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program that doctor asks: own process, clean environment, a deadline, bounded output. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "plugin/cli/doctor/doctor.h"

/* Programs with a configuration per user take the one of the user who runs this, whatever HOME says. */
static void put_home(char *dst, size_t size)
{
    const struct passwd *user = getpwuid(geteuid());

    snprintf(dst, size, "HOME=%s", user != NULL ? user->pw_dir : "/");
}

static void become(const char *path, char *const argv[], const char *home, int out, enum doctor_run_what what)
{
    static char locale[] = "LC_ALL=C", search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", home_variable[512];
    static char *const environment[] = { locale, search, home_variable, NULL };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    snprintf(home_variable, sizeof(home_variable), "%s", home);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1 && dup2(what == DOCTOR_RUN_ERRORS ? out : null, 2) == 2)
        execve(path, argv, environment);
    _exit(127);
}

/* Reads until the end or the deadline; true at the end. */
static bool gather(int fd, int64_t deadline, char *dst, size_t size)
{
    size_t used = 0;

    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        char drop[512];
        ssize_t got;

        if (poll(&ready, 1, deadline_left_ms(deadline)) <= 0)
            return false;
        got = used + 1 < size ? read(fd, dst + used, size - 1 - used) : read(fd, drop, sizeof(drop));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        if (used + 1 < size)
            used += (size_t)got;
        dst[used] = '\0';
    }
}

bool doctor_run(const char *path, char *const argv[], int timeout_ms, enum doctor_run_what what, char *dst, size_t size,
                int *ret_status, struct error *err)
{
    int64_t deadline = mono_ms() + timeout_ms;
    char home[512];
    int ends[2];
    pid_t pid;
    bool ended;

    dst[0] = '\0';
    put_home(home, sizeof(home));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_errno(err, REASON_INTERNAL, errno, "pipe");
    pid = fork();
    if (pid == 0)
        become(path, argv, home, ends[1], what);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return error_errno(err, REASON_INTERNAL, errno, "fork");
    }
    ended = gather(ends[0], deadline, dst, size);
    close(ends[0]);
    if (!ended)
        kill(pid, SIGKILL);
    while (waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, REASON_INTERNAL, errno, "waitpid");
    if (!ended)
        return error_set(err, REASON_TIMEOUT, "%s did not end within %d ms", path, timeout_ms);
    if (WIFEXITED(*ret_status) && WEXITSTATUS(*ret_status) == 127)
        return error_set(err, REASON_NOT_FOUND, "%s cannot be started", path);
    return true;
}
