/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/runprogram.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "plugin/engine/keeper.h"
#include "plugin/process.h"

enum { VARIABLES_MAX = 64, ARGUMENTS_MAX = 64, CHUNK_BYTES = 4096, PROGRAM_MS = 60000, KEEPER_ENDS_MS = 500 };

/* Helpers look for their own configuration below HOME. */
static char path_variable[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static char home_variable[] = "HOME=/root";
static char locale_variable[] = "LC_ALL=C";

static bool join(char *const *list, char *first, char **dst, size_t used, size_t max, struct error *err)
{
    if (first)
        dst[used++] = first;
    for (size_t i = 0; list && list[i]; i++) {
        if (used + 1 >= max)
            return error_set(err, REASON_LIMIT, "too many arguments or variables for a credential helper");
        dst[used++] = list[i];
    }
    dst[used] = NULL;
    return true;
}

static bool open_pipes(int failed[2], int alive[2])
{
    if (pipe2(failed, O_CLOEXEC) != 0)
        return false;
    if (pipe2(alive, O_CLOEXEC) == 0)
        return true;
    (void)close(failed[0]);
    (void)close(failed[1]);
    return false;
}

/* *ret_alive: the program ends when this is closed, and so it does when we are killed (plugin/engine/keeper.h). */
static bool spawn(const char *program, char *const *args, char *const *env, int in, int out, struct child *ret,
                  int *ret_alive, struct error *err)
{
    char *environment[VARIABLES_MAX] = {path_variable, home_variable, locale_variable};
    char *arguments[ARGUMENTS_MAX];
    CLEANUP(mem_freep) char *name = mem_strdup(program);
    struct keeper_task task = {
        .program = program, .arguments = arguments, .environment = environment, .in = in, .out = out};
    int failed[2], alive[2], code = 0;
    pid_t pid;

    if (!name)
        return error_oom(err);
    if (!join(env, NULL, environment, 3, VARIABLES_MAX, err) || !join(args, name, arguments, 0, ARGUMENTS_MAX, err))
        return false;
    if (!open_pipes(failed, alive))
        return error_errno(err, REASON_UNAUTHORIZED, errno, "%s cannot be started", program);
    task.failed = failed[1];
    task.alive = alive[0];
    pid = fork();
    if (pid == 0)
        keeper_main(&task);
    (void)close(failed[1]);
    (void)close(alive[0]);
    *ret_alive = alive[1];
    if (pid > 0) {
        child_adopt(ret, pid);
        if (read(failed[0], &code, sizeof(code)) != sizeof(code))
            code = 0;
    } else {
        code = errno;
    }
    (void)close(failed[0]);
    return code == 0 || error_errno(err, REASON_UNAUTHORIZED, code, "%s cannot be started", program);
}

static bool write_input(int *fd, struct span *input)
{
    ssize_t wrote = send(*fd, input->ptr, input->len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (wrote > 0)
        *input = span_cut(*input, (size_t)wrote, SIZE_MAX);
    if (input->len == 0 || (wrote < 0 && errno != EAGAIN && errno != EINTR)) {
        (void)close(*fd); /* a helper that does not read its input is its own business */
        *fd = -1;
    }
    return true;
}

/* Feeds stdin and collects stdout until it ends. */
static bool converse(int *in, int out, struct span input, int64_t deadline, struct buf *ret, struct error *err)
{
    for (;;) {
        struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = *in, .events = POLLOUT}};
        uint8_t chunk[CHUNK_BYTES];
        ssize_t got;

        if (poll(fds, 2, deadline_left_ms(deadline)) <= 0 && deadline_left_ms(deadline) == 0)
            return error_set(err, REASON_TIMEOUT, "a credential helper does not answer in time");
        if (*in >= 0 && fds[1].revents != 0 && !write_input(in, &input))
            return false;
        if (fds[0].revents == 0)
            continue;
        got = read(out, chunk, sizeof(chunk));
        if (got == 0)
            return true;
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got < 0)
            return error_errno(err, REASON_UNAUTHORIZED, errno, "a credential helper");
        buf_append(ret, chunk, (size_t)got);
        explicit_bzero(chunk, sizeof(chunk));
        if (!buf_ok(ret))
            return error_set(err, REASON_LIMIT, "a credential helper says too much");
    }
}

static bool open_channels(int pair_in[2], int pair_out[2], struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair_in) != 0)
        return error_errno(err, REASON_UNAVAILABLE, errno, "no socket for a credential helper");
    if (pipe2(pair_out, O_CLOEXEC) != 0) {
        (void)close(pair_in[0]);
        (void)close(pair_in[1]);
        return error_errno(err, REASON_UNAVAILABLE, errno, "no pipe for a credential helper");
    }
    return true;
}

/* With what it has started. One that has given its answer may come to its end by itself. */
static int end_program(struct child *child, int *alive, int grace_ms)
{
    if (grace_ms == 0)
        (void)close(TAKE_FD(*alive));
    return child_finish(child, grace_ms > 0 ? grace_ms : KEEPER_ENDS_MS);
}

bool run_program(void *context, const char *program, char *const *args, char *const *env, struct span input,
                 struct buf *ret_output, int *ret_exit_status, struct error *err)
{
    const struct run_limits *limits = context;
    struct child child = {0};
    CLEANUP(fd_closep) int alive = -1;
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    int64_t deadline = mono_ms() + PROGRAM_MS;
    bool done;
    int status;

    if (limits->deadline < deadline)
        deadline = limits->deadline;
    if (!file_check_trusted(program, err) || !open_channels(in, out, err))
        return false;
    done = spawn(program, args, env, in[1], out[1], &child, &alive, err);
    (void)close(in[1]);
    (void)close(out[1]);
    done = done && converse(&in[0], out[0], input, deadline, ret_output, err);
    if (in[0] >= 0)
        (void)close(in[0]);
    (void)close(out[0]);
    status = end_program(&child, &alive, done ? deadline_left_ms(deadline) : 0);
    if (!done)
        return false;
    if (status == -1 || !WIFEXITED(status))
        return error_set(err, REASON_UNAUTHORIZED, "%s ended abnormally", program);
    *ret_exit_status = WEXITSTATUS(status);
    return true;
}
