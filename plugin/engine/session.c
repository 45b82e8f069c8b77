/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "plugin/engine/judge.h"
#include "plugin/engine/wantlist.h"
#include "verifier/fetch/fetch.h"

enum {
    RESPONSE_MAX_BYTES = LIMIT_EVIDENCE_BYTES + 64 * 1024 * 1024,
    TO_FETCHER_MAX_BYTES =
        64 * 1024 * 1024,  /* a job repeats credentials and CA certificates; at most 2048 wants in all */
    FETCH_MARGIN_MS = 200, /* a fetcher's "timed out" must reach the judge and come back as a verdict */
    READ_BYTES = 64 * 1024,
    FD_CLIENT = 0,
    FD_JUDGE = 1,
    FD_FETCHER = 2,
};

static void close_socket(int *socket)
{
    if (*socket >= 0)
        (void)close(*socket);
    *socket = -1;
}

static void finish(struct session *session)
{
    session->done = true;
    close_socket(&session->judge_socket);
    child_kill(&session->judge);
}

void session_fail(struct session *session, enum reason reason, const char *text)
{
    if (session->done)
        return;
    response_deny(&session->response, reason, text);
    session->response.policy_sha256 = mem_strdup(policy_set_fingerprint(session->config->policies));
    if (session->request->digest)
        session->response.digest = mem_strdup(session->request->digest);
    finish(session);
}

static void fail_with(struct session *session, const struct error *err)
{
    session_fail(session, err->reason, err->text);
}

static void fail_judge(struct session *session)
{
    char fate[64], text[128];

    (void)child_fate(child_finish(&session->judge, 100), fate, sizeof(fate));
    (void)snprintf(text, sizeof(text), "the judge %s without a verdict", fate);
    session_fail(session, REASON_UNAVAILABLE, text);
}

void session_start(struct session *session)
{
    const struct judge_input input = {.request = session->request,
                                      .policies = session->config->policies,
                                      .roots = (const struct trust_root *const *)session->config->roots,
                                      .root_count = session->config->root_count,
                                      .no_match = session->config->settings.no_match,
                                      .now = time_now(),
                                      .files = &session->config->files,
                                      .root = session->root};
    struct error err = ERROR_INIT;
    int theirs = -1;
    pid_t pid;

    session->from_judge = (struct buf)BUF_INIT(RESPONSE_MAX_BYTES + READ_BYTES);
    session->to_fetcher = (struct buf)BUF_INIT(TO_FETCHER_MAX_BYTES);
    session->judge_socket = -1;
    if (!socket_pair(&session->judge_socket, &theirs, &err)) {
        fail_with(session, &err);
        return;
    }
    pid = fork();
    if (pid == 0) {
        request_forget_secrets(session->request);
        provider_cache_done(&session->plan.kept->providers);
        judge_child(theirs, session->sandbox, &input);
    }
    (void)close(theirs);
    if (pid < 0) {
        session_fail(session, REASON_UNAVAILABLE, "the judge cannot be started");
        return;
    }
    child_adopt(&session->judge, pid);
}

void session_poll(const struct session *session, struct pollfd fds[SESSION_POLLFDS])
{
    const struct fetcher *fetcher = session->fetcher;
    bool relaying = session->relay_start < session->relay_end;

    fds[FD_CLIENT] = (struct pollfd){.fd = session->client, .events = 0 /* its end only */};
    fds[FD_JUDGE] =
        (struct pollfd){.fd = session->judge_socket, .events = (short)(relaying ? POLLIN | POLLOUT : POLLIN)};
    fds[FD_FETCHER] = (struct pollfd){.fd = fetcher ? fetcher->socket : -1};
    if (!relaying)
        fds[FD_FETCHER].events |= POLLIN;
    if (fetcher && fetcher->ready && session->to_fetcher.len > session->to_fetcher_sent)
        fds[FD_FETCHER].events |= POLLOUT;
}

/* Wants become a job; what the judge asks for must lie where the request and the policies point (wantlist.c). */
static void take_wants(struct session *session, struct span message)
{
    CLEANUP(wants_done) struct wants wants = {0};
    int64_t deadline = session->deadline - FETCH_MARGIN_MS;
    struct error err = ERROR_INIT;

    if (!session->fetcher)
        session_fail(session, REASON_FETCH_FAILED, "nothing may be fetched for this decision");
    else if (!wantlist_read(message, &wants, &err) ||
             !wantlist_check(session->config, session->request, &wants, &err) ||
             !job_write(session->look, session->root, &session->config->settings, session->request, &wants, deadline,
                        &session->plan, &session->to_fetcher, &err))
        fail_with(session, &err);
}

static void take_response(struct session *session, struct span message)
{
    struct error err = ERROR_INIT;

    if (!response_take(&session->from_judge, message, &session->response, &err)) {
        (void)error_wrap(&err, "judge");
        fail_with(session, &err);
        return;
    }
    finish(session);
}

static void drop_front(struct buf *buf, size_t len)
{
    memmove(buf->ptr, buf->ptr + len, buf->len - len);
    buf->len -= len;
}

/* Every complete message at the front of from_judge. */
static void take_messages(struct session *session)
{
    struct error err = ERROR_INIT;
    size_t used = 0;

    while (!session->done) {
        struct span rest = span_cut(buf_as_span(&session->from_judge), used, SIZE_MAX);
        uint16_t type;
        size_t len;

        if (rest.len < WIRE_HEADER_BYTES)
            break;
        if (!wire_parse_header(span_cut(rest, 0, WIRE_HEADER_BYTES), RESPONSE_MAX_BYTES - WIRE_HEADER_BYTES, &type,
                               &len, &err)) {
            fail_with(session, &err);
            return;
        }
        if (rest.len - WIRE_HEADER_BYTES < len) {
            buf_make_room(&session->from_judge, len + READ_BYTES);
            break;
        }
        rest = span_cut(rest, 0, WIRE_HEADER_BYTES + len);
        used += rest.len;
        if (type == MESSAGE_WANTS)
            take_wants(session, rest);
        else
            take_response(session, rest);
    }
    if (used > 0 && !session->done)
        drop_front(&session->from_judge, used);
}

static void read_judge(struct session *session)
{
    uint8_t *place = buf_reserve(&session->from_judge, READ_BYTES);
    ssize_t got;

    if (!place) {
        session_fail(session, REASON_LIMIT, "the judge's answer is too long");
        return;
    }
    got = read(session->judge_socket, place, READ_BYTES);
    session->from_judge.len -= READ_BYTES - (got > 0 ? (size_t)got : 0);
    if (got > 0)
        take_messages(session);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        fail_judge(session);
}

static void write_judge(struct session *session)
{
    ssize_t sent = send(session->judge_socket, session->relay + session->relay_start,
                        session->relay_end - session->relay_start, MSG_NOSIGNAL | MSG_DONTWAIT);

    /* An error here means that the judge is gone: reading its socket will tell. */
    if (sent > 0)
        session->relay_start += (size_t)sent;
}

static void lose_fetcher(struct session *session)
{
    struct error err = ERROR_INIT;

    session->lost = true;
    (void)fetcher_failed(session->fetcher, &err);
    fail_with(session, &err);
}

/* The first message of a fetcher is about its sandbox; the rest is for the judge. */
static void read_ready(struct session *session)
{
    struct error err = ERROR_INIT;

    if (!fetcher_read_ready(session->fetcher, &err)) {
        session->lost = err.reason == REASON_UNAVAILABLE;
        fail_with(session, &err);
    }
}

/*
 * Follows the messages in what passes to the judge, as far as their headers: a fetcher whose jobs have all ended can
 * serve another session. Nothing inside of them is looked at. False: these are no messages.
 */
static bool follow(struct session *session, struct span bytes)
{
    struct error ignored = ERROR_INIT;

    while (bytes.len > 0) {
        size_t part = session->frame_left;

        if (part == 0) {
            uint16_t type = 0;

            part = sizeof(session->frame) - session->frame_len;
            part = part < bytes.len ? part : bytes.len;
            memcpy(session->frame + session->frame_len, bytes.ptr, part);
            session->frame_len += part;
            bytes = span_cut(bytes, part, SIZE_MAX);
            if (session->frame_len < sizeof(session->frame))
                continue;
            if (!wire_parse_header(span_of(session->frame, sizeof(session->frame)), RESPONSE_MAX_BYTES, &type,
                                   &session->frame_left, &ignored))
                return false;
            session->frame_len = 0;
            session->ended += type == FETCH_MESSAGE_END;
            continue;
        }
        part = part < bytes.len ? part : bytes.len;
        session->frame_left -= part;
        bytes = span_cut(bytes, part, SIZE_MAX);
    }
    return true;
}

bool session_drain(struct session *session, int64_t deadline)
{
    struct fetcher *fetcher = session->fetcher;

    if (!fetcher || !fetcher->ready || session->to_fetcher.len > 0)
        return false;
    while (session->ended < session->plan.job.id || session->frame_left > 0 || session->frame_len > 0) {
        struct pollfd entry = {.fd = fetcher->socket, .events = POLLIN};
        ssize_t got;

        if (poll(&entry, 1, deadline_left_ms(deadline)) <= 0 && deadline_left_ms(deadline) == 0)
            return false;
        got = read(fetcher->socket, session->relay, sizeof(session->relay));
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (got > 0 && !follow(session, span_of(session->relay, (size_t)got)))
            return false;
    }
    return true;
}

static void read_fetcher(struct session *session)
{
    ssize_t got;

    if (!session->fetcher->ready) {
        read_ready(session);
        return;
    }
    got = read(session->fetcher->socket, session->relay, sizeof(session->relay));
    session->relay_start = 0;
    session->relay_end = got > 0 ? (size_t)got : 0;
    session->heard = session->heard || got > 0;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        lose_fetcher(session);
    else if (got > 0 && !follow(session, span_of(session->relay, (size_t)got)))
        session_fail(session, REASON_MALFORMED, "the fetcher sends what is no message");
    else if (got > 0)
        write_judge(session);
}

static void write_fetcher(struct session *session)
{
    const struct buf *out = &session->to_fetcher;
    ssize_t sent = send(session->fetcher->socket, out->ptr + session->to_fetcher_sent,
                        out->len - session->to_fetcher_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent > 0)
        session->to_fetcher_sent += (size_t)sent;
    if (session->to_fetcher_sent == out->len) {
        buf_wipe(&session->to_fetcher); /* credentials */
        session->to_fetcher_sent = 0;
    }
}

void session_step(struct session *session, const struct pollfd fds[SESSION_POLLFDS])
{
    const short gone = POLLIN | POLLHUP | POLLERR;

    if (session->client >= 0 && (fds[FD_CLIENT].revents & (POLLHUP | POLLERR))) {
        session_fail(session, REASON_UNAVAILABLE, "the caller has gone");
        return;
    }
    if (fds[FD_JUDGE].revents & POLLOUT)
        write_judge(session);
    if (!session->done && (fds[FD_JUDGE].revents & gone))
        read_judge(session);
    if (!session->done && (fds[FD_FETCHER].revents & POLLOUT))
        write_fetcher(session);
    if (!session->done && session->relay_start == session->relay_end && (fds[FD_FETCHER].revents & gone))
        read_fetcher(session);
    if (!session->done && deadline_left_ms(session->deadline) == 0)
        session_fail(session, REASON_TIMEOUT, "no decision within the deadline");
}

void session_done(struct session *session)
{
    finish(session);
    buf_free(&session->from_judge);
    buf_wipe(&session->to_fetcher);
    job_plan_done(&session->plan);
    response_done(&session->response);
}
