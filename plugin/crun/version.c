/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crun/version.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { VERSION_WAIT_MS = 2000, OLDEST_MINOR = 8, NEWEST_MINOR = 29 };

bool crun_version_text_known(struct span text)
{
    static const char prefix[] = "crun version 1.";
    struct span rest;
    uint64_t minor = 0;
    size_t digits = 0;

    if (!span_starts(text, prefix))
        return false;
    rest = span_cut(text, sizeof(prefix) - 1, SIZE_MAX);
    while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
        digits++;
    if (!span_to_u64(span_cut(rest, 0, digits), 1000, &minor) || minor < OLDEST_MINOR || minor > NEWEST_MINOR)
        return false;
    /* 1.8 without a third number lacks a member of the table that 1.8.1 has. */
    return minor > OLDEST_MINOR || span_starts(span_cut(rest, digits, SIZE_MAX), ".");
}

static size_t read_answer(int fd, uint8_t *answer, size_t size)
{
    int64_t deadline = mono_ms() + VERSION_WAIT_MS;
    size_t len = 0;

    while (len < size) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&wait, 1, deadline_left_ms(deadline)) <= 0)
            break;
        got = read(fd, answer + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    return len;
}

bool crun_version_known(void)
{
    static char program[] = "/proc/self/exe", option[] = "--version";
    char *const arguments[] = {program, option, NULL};
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    uint8_t answer[256];
    size_t len;
    int pipe_fds[2];
    pid_t pid;
    int failed;

    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return false;
    failed = posix_spawn_file_actions_init(&actions) != 0 ||
             posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO) != 0 ||
             posix_spawn(&pid, program, &actions, NULL, arguments, environment) != 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(pipe_fds[1]);
    len = failed ? 0 : read_answer(pipe_fds[0], answer, sizeof(answer));
    (void)close(pipe_fds[0]);
    if (failed)
        return false;
    (void)kill(pid, SIGKILL); /* it has said what it had to say, or never will */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return crun_version_text_known(span_of(answer, len));
}
