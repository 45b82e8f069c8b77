/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/process.h"

enum {
    FD_FAILED = 3,
    FD_ALIVE = 4,
    FDS = 5,
    PATIENCE_MS = 300,
};

static void wake_up(int number)
{
    (void)number; /* that poll returns is all that is wanted */
}

/* Every descriptor at its number, and nothing else open: callers and other children wait for the ends of theirs. */
static bool place_descriptors(const struct keeper_task *task)
{
    const int wanted[FDS] = {task->in, task->out, open("/dev/null", O_WRONLY | O_CLOEXEC), task->failed, task->alive};
    int copies[FDS];

    for (int i = 0; i < FDS; i++)
        if ((copies[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, FDS)) < 0) /* above all the numbers that are still to come */
            return false;
    for (int i = 0; i < FDS; i++)
        if (dup3(copies[i], i, i < FD_FAILED ? 0 : O_CLOEXEC) < 0)
            return false;
    close_from(FDS);
    return true;
}

static _Noreturn void fail(int fd)
{
    int code = errno;

    _exit(write(fd, &code, sizeof(code)) == sizeof(code) ? 127 : 126);
}

static _Noreturn void become_program(const struct keeper_task *task, pid_t parent)
{
    sigset_t none;

    child_bind(parent);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* what we ignore, or were told to by whoever started us */
    (void)execve(task->program, task->arguments, task->environment);
    fail(FD_FAILED);
}

/* The program's wait status; -1 when it is to end with the engine. SIGCHLD is blocked but while this sleeps. */
static int wait_for_either(pid_t program, const sigset_t *asleep)
{
    struct pollfd alive = {.fd = FD_ALIVE, .events = POLLIN};
    int status;

    for (;;) {
        pid_t ended = waitpid(-1, &status, WNOHANG); /* orphans of the program too */

        if (ended == program)
            return status;
        if (ended > 0)
            continue;
        if (ppoll(&alive, 1, NULL, asleep) > 0)
            return -1;
    }
}

void keeper_main(const struct keeper_task *task)
{
    struct sigaction action = {.sa_handler = wake_up};
    pid_t self = getpid(), program;
    sigset_t all, asleep;
    int status;

    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    asleep = all;
    sigdelset(&asleep, SIGCHLD);
    (void)sigaction(SIGCHLD, &action, NULL);
    if (!place_descriptors(task))
        fail(task->failed);
    /* Not of the engine's group: a runtime that kills that must leave somebody to clear up. */
    if (setpgid(0, 0) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || (program = fork()) < 0)
        fail(FD_FAILED);
    if (program == 0)
        become_program(task, self);
    (void)close(FD_FAILED);
    for (int fd = 0; fd < FD_FAILED; fd++)
        (void)close(fd); /* the program's output ends with those who have it */
    status = wait_for_either(program, &asleep);
    children_end(PATIENCE_MS);
    if (status == -1 || !WIFEXITED(status))
        (void)kill(self, SIGKILL);
    _exit(WEXITSTATUS(status));
}
