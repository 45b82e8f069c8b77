/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/*
 * The whole environment of a child. The caller's own may come from a runtime that puts its own folders into
 * LD_LIBRARY_PATH and PATH (containerd does), or from anybody; proxies travel in the request instead.
 */
static char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
static char locale_variable[] = "LC_ALL=C";
/*
 * libcurl (OpenSSL's) brings GnuTLS along for RTMP and LDAP, which are switched off; its constructor would set all of
 * it up in every fetcher: a thirtieth of a decision's CPU time, and 0.7 MiB. Nothing of ours uses GnuTLS.
 */
static char gnutls_variable[] = "GNUTLS_NO_IMPLICIT_INIT=1";
static char *const clean_environment[] = {path_variable, locale_variable, gnutls_variable, NULL};

/* Older kernels and libcs lack the names. */
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_of(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

static bool add_actions(posix_spawn_file_actions_t *actions, int socket)
{
    /* The socket first: it may itself be one of 0 to 2 when the host has closed those. */
    return posix_spawn_file_actions_adddup2(actions, socket, CHILD_SOCKET) == 0 &&
           posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0) == 0 &&
           posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0) == 0
#ifdef __GLIBC__
           && posix_spawn_file_actions_addclosefrom_np(actions, CHILD_SOCKET + 1) == 0
#endif
        ;
}

static bool add_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    return posix_spawnattr_setsigmask(attributes, &none) == 0 && posix_spawnattr_setsigdefault(attributes, &all) == 0 &&
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0;
}

void child_adopt(struct child *child, pid_t pid)
{
    child->pid = pid;
    child->pidfd = pidfd_of(pid);
}

bool child_spawn(const char *path, char *const argv[], int socket, struct child *ret, struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    int code = ENOMEM;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return error_oom(err);
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return error_oom(err);
    }
    if (add_actions(&actions, socket) && add_attributes(&attributes))
        code = posix_spawn(&pid, path, &actions, &attributes, argv, clean_environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
        return error_errno(err, REASON_UNAVAILABLE, code, "%s cannot be started", path);
    child_adopt(ret, pid);
    return true;
}

void child_bind(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(1); /* it ended before the kernel was told */
}

/* True when it has ended (or is gone) within the time. */
static bool wait_end(const struct child *child, int grace_ms)
{
    struct timespec pause = {0, 1000000};
    int64_t deadline = mono_ms() + grace_ms;

    if (child->pidfd >= 0) {
        struct pollfd entry = {.fd = child->pidfd, .events = POLLIN};
        int ready;

        do
            ready = poll(&entry, 1, deadline_left_ms(deadline));
        while (ready < 0 && errno == EINTR);
        return ready > 0;
    }
    do {
        siginfo_t info = {0};

        if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
            return true;
        (void)nanosleep(&pause, NULL);
    } while (deadline_left_ms(deadline) > 0);
    return false;
}

static void send_kill(const struct child *child)
{
#ifdef SYS_pidfd_send_signal
    /* "No such process" is an answer: the number may be another process's by now. */
    if (child->pidfd >= 0 && (syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0) == 0 || errno != ENOSYS))
        return;
#endif
    (void)kill(child->pid, SIGKILL);
}

/* By pidfd where there is one: a host that reaps everybody's children may have let the number go to another process. */
static int reap(const struct child *child)
{
    siginfo_t info = {0};
    int got;

    do
        got = child->pidfd >= 0 ? waitid((idtype_t)P_PIDFD, (id_t)child->pidfd, &info, WEXITED)
                                : waitid(P_PID, (id_t)child->pid, &info, WEXITED);
    while (got < 0 && errno == EINTR);
    if (got != 0)
        return -1;
    return info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
}

int child_finish(struct child *child, int grace_ms)
{
    int status;

    if (child->pid <= 0)
        return -1;
    if (!wait_end(child, grace_ms))
        send_kill(child);
    status = reap(child);
    if (child->pidfd >= 0)
        (void)close(child->pidfd);
    *child = (struct child){0};
    return status;
}

void child_kill(struct child *child)
{
    (void)child_finish(child, 0);
}

/* Unreaped children keep their numbers: nobody else can be hit. A list that is cut off has its rest the next time. */
static void kill_children(void)
{
    char list[4096];
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, list, sizeof(list)) : 0;
    pid_t pid = 0;

    if (fd >= 0)
        (void)close(fd);
    for (ssize_t i = 0; i < got; i++) {
        if (list[i] >= '0' && list[i] <= '9') {
            pid = pid * 10 + (list[i] - '0');
            continue;
        }
        if (pid > 0)
            (void)kill(pid, SIGKILL);
        pid = 0;
    }
}

void children_end(int patience_ms)
{
    const struct timespec pause = {0, 100000};
    int64_t deadline = mono_ms() + patience_ms;

    while (deadline_left_ms(deadline) > 0) {
        pid_t ended = waitpid(-1, NULL, WNOHANG);

        if (ended < 0 && errno != EINTR)
            return; /* there is none */
        if (ended != 0)
            continue;
        kill_children();
        (void)nanosleep(&pause, NULL);
    }
}

const char *child_fate(int status, char *dst, size_t size)
{
    if (status != -1 && WIFSIGNALED(status))
        (void)snprintf(dst, size, "was killed by signal %d", WTERMSIG(status));
    else if (status != -1 && WIFEXITED(status))
        (void)snprintf(dst, size, "ended with status %d", WEXITSTATUS(status));
    else
        (void)snprintf(dst, size, "ended");
    return dst;
}

bool socket_pair(int *ret_a, int *ret_b, struct error *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return error_errno(err, REASON_UNAVAILABLE, errno, "no socket for a child process");
    *ret_a = pair[0];
    *ret_b = pair[1];
    return true;
}

void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0U, 0) == 0)
        return;
#endif
    for (int fd = first; fd < 65536; fd++)
        (void)close(fd);
}
