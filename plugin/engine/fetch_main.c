/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard-fetch: the program around the fetcher. A program of its own, so that the engine and the judge never have
 * libcurl and its thirty libraries in their memory. Started by the engine only:
 *
 *     pullguard-fetch require|prefer|off UID:GID CA-DIR CA-FILE        with its socket as descriptor 3
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/wire.h"
#include "plugin/engine/sandbox.h"
#include "plugin/message.h"
#include "plugin/process.h"
#include "verifier/fetch/fetch.h"

enum { PARSER_SOCKET = 4, PARSER_OWN_SOCKET = 0, TAG_PROBLEM = 1, HELLO_DEADLINE_MS = 10000 };

static bool parse_mode(const char *text, enum sandbox_mode *ret)
{
    static const char *const names[] = {"require", "prefer", "off"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum sandbox_mode)i;
            return true;
        }
    return false;
}

static bool parse_user(const char *text, struct sandbox *sandbox)
{
    struct span all = span_str(text);
    size_t colon = span_find_byte(all, ':');
    uint64_t uid = 0, gid = 0;

    if (colon == SIZE_MAX || !span_to_u64(span_cut(all, 0, colon), UINT32_MAX - 1, &uid) ||
        !span_to_u64(span_cut(all, colon + 1, SIZE_MAX), UINT32_MAX - 1, &gid))
        return false;
    sandbox->uid = (uid_t)uid;
    sandbox->gid = (gid_t)gid;
    return true;
}

static bool parse_arguments(int argc, char **argv, struct sandbox *sandbox)
{
    if (argc != 5 || !parse_mode(argv[1], &sandbox->mode) || !parse_user(argv[2], sandbox))
        return false;
    sandbox->ca_dir = argv[3][0] ? argv[3] : NULL;
    sandbox->ca_file = argv[4][0] ? argv[4] : NULL;
    return true;
}

/* One byte when the sandbox stands; else the reason, and the end. */
static _Noreturn void parser_main(int socket, const struct sandbox *sandbox)
{
    struct error err = ERROR_INIT;

    if (dup2(socket, PARSER_OWN_SOCKET) < 0)
        _exit(1);
    close_from(PARSER_OWN_SOCKET + 1);
    if (!sandbox_enter(SANDBOX_JUDGE, sandbox, &err)) {
        struct error ignored = ERROR_INIT;

        _exit(wire_send(PARSER_OWN_SOCKET, span_str(err.text), INT64_MAX, &ignored) ? 1 : 2);
    }
    if (!wire_send(PARSER_OWN_SOCKET, span_str("+"), INT64_MAX, &err) || !fetch_parser_serve(PARSER_OWN_SOCKET, &err))
        _exit(1);
    _exit(0);
}

static bool start_parser(const struct sandbox *sandbox, pid_t *ret_pid, struct error *err)
{
    int ours = -1, theirs = -1;
    pid_t pid;

    if (!socket_pair(&ours, &theirs, err))
        return false;
    pid = fork();
    if (pid == 0)
        parser_main(theirs, sandbox);
    (void)close(theirs);
    if (pid < 0 || (ours != PARSER_SOCKET && dup2(ours, PARSER_SOCKET) < 0))
        return error_errno(err, REASON_UNAVAILABLE, errno, "the parser cannot be started");
    close_from(PARSER_SOCKET + 1);
    *ret_pid = pid;
    return true;
}

/* Its sandbox was set up while libcurl loaded here: now it must stand. */
static bool await_parser(struct error *err)
{
    char text[ERROR_TEXT_BYTES];
    struct pollfd entry = {.fd = PARSER_SOCKET, .events = POLLIN};
    ssize_t got = -1;

    if (poll(&entry, 1, HELLO_DEADLINE_MS) > 0)
        got = read(PARSER_SOCKET, text, sizeof(text) - 1);
    if (got < 1)
        return error_set(err, REASON_SANDBOX, "the parser ended while its sandbox was set up");
    text[got] = '\0';
    return strcmp(text, "+") == 0 || error_set(err, REASON_SANDBOX, "parser: %s", text);
}

static bool say_ready(const char *problem, struct error *err)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(1024);
    size_t start = wire_begin(&message, MESSAGE_READY);

    wire_put_str(&message, TAG_PROBLEM, problem);
    wire_end(&message, start);
    return buf_ok(&message) && wire_send(CHILD_SOCKET, buf_as_span(&message), mono_ms() + HELLO_DEADLINE_MS, err);
}

static bool serve(const struct sandbox *sandbox, struct error *err)
{
    pid_t parser = 0;
    int status;
    bool served;

    if (!start_parser(sandbox, &parser, err) || !fetch_preload(err) || !sandbox_enter(SANDBOX_FETCHER, sandbox, err) ||
        !await_parser(err)) {
        struct error ignored = ERROR_INIT;

        (void)say_ready(err->text, &ignored);
        return false;
    }
    served = say_ready(NULL, err) && fetch_serve(CHILD_SOCKET, PARSER_SOCKET, err);
    (void)close(PARSER_SOCKET);
    (void)waitpid(parser, &status, 0);
    return served;
}

int main(int argc, char **argv)
{
    struct sandbox sandbox = {0};
    struct error err = ERROR_INIT;

    (void)prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0);
    if (!parse_arguments(argc, argv, &sandbox))
        _exit(2);
    close_from(CHILD_SOCKET + 1);
    _exit(serve(&sandbox, &err) ? 0 : 1);
}
