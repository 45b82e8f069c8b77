/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "config.h"
#include "plugin/cache/cache.h"
#include "plugin/process.h"
#include "plugin/recorder/journal.h"

enum {
    /* The engine is told to be done this much earlier, so that its reason arrives instead of our time-out. */
    MARGIN_MS = 300,
    /* After its answer an engine has nothing left to do but exit. */
    EXIT_GRACE_MS = 1000,
    /* A response may carry an evidence file and a report. */
    RESPONSE_MAX_BYTES = LIMIT_EVIDENCE_BYTES + 64 * 1024 * 1024,
};

/*
 * Where a test build keeps its programs. Compiled into the tests' static twin of the hook only; the shared object and
 * the programs have the configured path alone.
 */
#ifdef PG_TEST_LIBEXECDIR
#define LIBEXEC_DEFAULT PG_TEST_LIBEXECDIR
#else
#define LIBEXEC_DEFAULT NULL
#endif

/* Connected, and the other side is root or ourselves; -1 otherwise. */
static int connect_resident(const struct client_options *options)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t len = sizeof(peer);
    int printed, fd;

    printed = snprintf(address.sun_path, sizeof(address.sun_path), "%s%s/engine.sock",
                       options->root ? options->root : "", PG_RUNDIR);
    if (printed < 0 || (size_t)printed >= sizeof(address.sun_path))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    /* Not blocking: a full backlog is EAGAIN, and this request gets an engine of its own. */
    if (connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid()))
        return fd;
    (void)close(fd);
    return -1;
}

/* The stream's end must follow a response: an engine that answers twice is broken, and which answer counts? */
static bool receive_end(int fd, int64_t deadline, struct error *err)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    char byte;
    ssize_t got;

    (void)shutdown(fd, SHUT_WR);
    while ((got = read(fd, &byte, 1)) < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (deadline_left_ms(deadline) == 0)
            return error_set(err, REASON_TIMEOUT, "the engine does not close after its answer");
        (void)poll(&entry, 1, deadline_left_ms(deadline));
    }
    if (got > 0 || (got < 0 && errno != ECONNRESET))
        return error_set(err, REASON_MALFORMED, "the engine says more than its answer");
    return true;
}

static bool exchange(int fd, struct span message, int64_t deadline, struct response *ret, struct error *err)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(RESPONSE_MAX_BYTES + WIRE_HEADER_BYTES);
    CLEANUP(response_done) struct response response = {0};

    if (!wire_send(fd, message, deadline, err) || !wire_receive(fd, RESPONSE_MAX_BYTES, deadline, &answer, err) ||
        !receive_end(fd, deadline, err) || !response_take(&answer, buf_as_span(&answer), &response, err))
        return false;
    *ret = response;
    response = (struct response){0};
    return true;
}

static bool spawn_engine(const struct client_options *options, int socket, struct child *ret, struct error *err)
{
    const char *libexec = options->libexec ? options->libexec : LIBEXEC_DEFAULT;
    CLEANUP(mem_freep) char *path = mem_printf("%s/pullguard-engine", libexec ? libexec : PG_LIBEXECDIR);
    CLEANUP(mem_freep) char *root = mem_strdup(options->root ? options->root : "");
    CLEANUP(mem_freep) char *own_libexec = mem_strdup(libexec ? libexec : PG_LIBEXECDIR);
    char once[] = "--once", root_name[] = "--root", libexec_name[] = "--libexec";
    char *argv[] = {path, once, root_name, root, libexec_name, own_libexec, NULL};

    if (!path || !root || !own_libexec)
        return error_oom(err);
    if (!libexec)
        argv[4] = NULL;
    return child_spawn(path, argv, socket, ret, err);
}

/* An engine for this one request. Whatever happens, it is gone and reaped on return. */
static bool ask_own(const struct client_options *options, struct span message, int64_t deadline, struct response *ret,
                    struct error *err)
{
    CLEANUP(child_kill) struct child child = {0};
    CLEANUP(fd_closep) int ours = -1;
    CLEANUP(fd_closep) int theirs = -1;
    char fate[64];
    bool done;
    int status, left;

    if (!socket_pair(&ours, &theirs, err) || !spawn_engine(options, theirs, &child, err))
        return false;
    (void)close(TAKE_FD(theirs));
    done = exchange(ours, message, deadline, ret, err);
    (void)close(TAKE_FD(ours));
    left = deadline_left_ms(deadline) < EXIT_GRACE_MS ? deadline_left_ms(deadline) : EXIT_GRACE_MS;
    status = child_finish(&child, done || err->reason == REASON_UNAVAILABLE ? left : 0);
    if (!done && err->reason == REASON_UNAVAILABLE)
        return error_set(err, REASON_UNAVAILABLE, "the engine %s without an answer",
                         child_fate(status, fate, sizeof(fate)));
    return done || error_wrap(err, "engine");
}

static bool ask(const struct client_options *options, const struct request *request, struct span message,
                int64_t deadline, struct response *ret, struct error *err)
{
    CLEANUP(fd_closep) int resident = -1;

    if (!options->own_engine && !request->policy)
        resident = connect_resident(options);
    if (resident >= 0) {
        if (exchange(resident, message, deadline, ret, err))
            return true;
        /* Died, or could not be started by its socket: an engine of our own decides. Any other failure is the answer.
         */
        if (err->reason == REASON_TIMEOUT || deadline_left_ms(deadline) == 0)
            return error_set(err, REASON_TIMEOUT, "the resident engine did not answer in time");
        if (err->reason != REASON_UNAVAILABLE)
            return error_wrap(err, "resident engine");
    }
    if (options->resident_only)
        return error_set(err, REASON_UNAVAILABLE, "no resident engine answers");
    return ask_own(options, message, deadline, ret, err);
}

/* The request as it goes out: the engine's deadline, and the caller's proxies (the engine has no environment). */
static struct request outgoing(const struct request *request, uint32_t total_ms)
{
    struct request out = *request;

    out.deadline_ms = total_ms - (total_ms > 2 * MARGIN_MS ? MARGIN_MS : total_ms / 2);
    if (!out.https_proxy && !(out.https_proxy = secure_getenv("HTTPS_PROXY")))
        out.https_proxy = secure_getenv("https_proxy");
    if (!out.http_proxy && !(out.http_proxy = secure_getenv("HTTP_PROXY")))
        out.http_proxy = secure_getenv("http_proxy");
    if (!out.no_proxy && !(out.no_proxy = secure_getenv("NO_PROXY")))
        out.no_proxy = secure_getenv("no_proxy");
    return out;
}

/* An answer about another image than the one asked for is no answer. */
static bool answers(const struct request *request, const struct response *response)
{
    if (!verdict_is_allow(response->verdict) || !request->digest)
        return true;
    return response->digest && strcmp(request->digest, response->digest) == 0;
}

/* Decided before, and nothing that decides has changed: no engine is needed, but the journal hears of it. */
static bool ask_cache(const struct client_options *options, const struct request *request, struct response *ret)
{
    CLEANUP(record_done) struct record record = {0};
    int64_t started = mono_us();
    struct error ignored = ERROR_INIT;
    struct cache_times ignored_times;

    if (!cache_lookup(options->root, NULL, request, NULL, CACHE_FRESH, ret, &ignored_times))
        return false;
    ret->duration_us = (uint32_t)(mono_us() - started);
    if (!(request->flags & REQUEST_NO_RECORD) && record_make(request, ret, &record) &&
        !journal_send(options->root, &record, &ignored))
        return true; /* a log never changes a verdict */
    return true;
}

bool client_ask(const struct client_options *options, const struct request *request, struct response *ret)
{
    CLEANUP(buf_wipe) struct buf message = BUF_INIT(LIMIT_HOOK_MESSAGE_BYTES);
    uint32_t total_ms = request->deadline_ms > 0 ? request->deadline_ms : CLIENT_DEADLINE_MS;
    int64_t deadline = mono_ms() + total_ms;
    struct request out = outgoing(request, total_ms);
    struct response response = {0};
    struct error err = ERROR_INIT;

    if (ask_cache(options, request, &response)) {
        *ret = response;
        return verdict_is_allow(ret->verdict);
    }
    request_write(&message, &out);
    if (!buf_ok(&message))
        response_deny(&response, REASON_BAD_REQUEST, "the request is too long");
    else if (!ask(options, request, buf_as_span(&message), deadline, &response, &err))
        response_deny(&response, err.reason, err.text);
    else if (!answers(request, &response))
        response_deny(&response, REASON_MALFORMED, "the engine answered for another image");
    *ret = response;
    return verdict_is_allow(ret->verdict);
}
