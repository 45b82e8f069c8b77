/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/once.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "crypto/init.h"
#include "plugin/engine/fetcher.h"
#include "plugin/engine/load.h"
#include "plugin/engine/session.h"
#include "plugin/engine/start_image.h"
#include "plugin/engine/verdicts.h"
#include "plugin/recorder/recorder.h"

enum {
    REQUEST_ARRIVES_MS = 5000,  /* the hook has written it before we run */
    RESPONSE_LEAVES_MS = 5000,
    RESPONSE_MAX_BYTES = LIMIT_EVIDENCE_BYTES + 64 * 1024 * 1024,
};

struct once {
    const struct engine_options *options;
    int socket;
    int64_t started_us;
    int64_t loaded_at;
    struct request request;
    struct settings settings;
    struct sandbox sandbox;
    char *ca_dir, *ca_file;
    struct fetcher fetcher;
    bool has_fetcher;
    struct engine_config config;
};

static bool prepare_sandbox(struct once *once, struct error *err)
{
    const struct settings *settings = &once->settings;

    once->ca_dir = path_under(once->options->root, settings->ca_dir);
    once->ca_file = settings->ca_file ? path_under(once->options->root, settings->ca_file) : NULL;
    if (!once->ca_dir || (settings->ca_file && !once->ca_file))
        return error_oom(err);
    once->sandbox = (struct sandbox){.mode = settings->sandbox, .ca_dir = once->ca_dir, .ca_file = once->ca_file};
    sandbox_user(settings->user, &once->sandbox.uid, &once->sandbox.gid);
    return true;
}

/* The fetcher starts before the policies are read: libcurl takes its time to load, and does it on another processor. */
static bool prepare(struct once *once, struct error *err)
{
    const char *root = once->options->root;

    if (!(once->request.flags & REQUEST_NO_NETWORK)) {
        if (!fetcher_start(once->options->libexec, &once->sandbox, &once->fetcher, err))
            return false;
        once->has_fetcher = true;
    }
    if (!crypto_init(err))
        return false;
    if (once->request.policy)
        return engine_load_adhoc(&once->request, &once->settings, &once->config, err);
    return engine_load_policies(root, once->loaded_at,
                                (once->request.flags & (REQUEST_EVIDENCE | REQUEST_COLLECT)) != 0, &once->settings,
                                &once->config, err);
}

static int64_t deadline_of(const struct once *once)
{
    uint32_t limit = once->config.settings.deadline_ms;

    if (once->request.deadline_ms > 0 && once->request.deadline_ms < limit)
        limit = once->request.deadline_ms;
    return once->started_us / 1000 + limit;
}

static void run(struct session *session)
{
    session_start(session);
    while (!session->done) {
        struct pollfd fds[SESSION_POLLFDS];

        session_poll(session, fds);
        if (poll(fds, SESSION_POLLFDS, deadline_left_ms(session->deadline)) < 0 && errno != EINTR)
            session_fail(session, REASON_INTERNAL, "poll fails");
        else
            session_step(session, fds);
    }
}

/* "No signature" would be half the truth for an image whose signatures were not looked for. */
static void explain_offline(const struct request *request, struct response *response)
{
    char *message;

    if (!(request->flags & REQUEST_NO_NETWORK) || response->reason != REASON_NO_SIGNATURE)
        return;
    message = mem_printf(
        "not verified on this node under the present rules, and nothing is looked up now; pull it again (%.350s)",
        response->message ? response->message : "");
    if (!message)
        return;
    mem_free(response->message);
    response->message = message;
}

static void decide(struct once *once, struct response *ret)
{
    struct session *session = mem_new(1, sizeof(*session));

    if (!session) {
        response_deny(ret, REASON_INTERNAL, "out of memory");
        return;
    }
    session->root = once->options->root;
    session->config = &once->config;
    session->sandbox = &once->sandbox;
    session->request = &once->request;
    session->fetcher = once->has_fetcher ? &once->fetcher : NULL;
    session->client = once->socket;
    session->deadline = deadline_of(once);
    run(session);
    *ret = session->response;
    session->response = (struct response){0};
    session_done(session);
    mem_free(session);
    explain_offline(&once->request, ret);
    verdicts_after(once->options->root, &once->config, &once->request, ret);
}

static bool receive_request(int socket, struct request *ret, struct error *err)
{
    CLEANUP(buf_wipe) struct buf message = BUF_INIT(LIMIT_HOOK_MESSAGE_BYTES + WIRE_HEADER_BYTES);

    return wire_receive(socket, LIMIT_HOOK_MESSAGE_BYTES, mono_ms() + REQUEST_ARRIVES_MS, &message, err) &&
           request_read(buf_as_span(&message), ret, err);
}

static bool send_response(int socket, const struct response *response, struct error *err)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(RESPONSE_MAX_BYTES);

    response_write(&message, response);
    if (!buf_ok(&message))
        return error_oom(err);
    return wire_send(socket, buf_as_span(&message), mono_ms() + RESPONSE_LEAVES_MS, err);
}

/* Nothing of ours may be left behind: not even the parser, which a killed fetcher leaves to us as the subreaper. */
static void end_children(struct once *once)
{
    if (once->has_fetcher)
        fetcher_stop(&once->fetcher);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

static void once_done(struct once *once)
{
    engine_config_done(&once->config);
    settings_done(&once->settings);
    mem_free(once->ca_dir);
    mem_free(once->ca_file);
    request_done(&once->request);
}

/* A start gate: find the image, and keep off the network unless the settings say otherwise. */
static bool prepare_start(struct once *once, struct error *err)
{
    int64_t deadline = once->started_us / 1000 + once->settings.deadline_ms;

    if (once->request.operation != OPERATION_CREATE)
        return true;
    if (!once->settings.start_network)
        once->request.flags |= REQUEST_NO_NETWORK;
    return start_image_find(once->options->root, &once->settings, &once->sandbox, deadline, &once->request, err);
}

static void answer(struct once *once, struct response *ret)
{
    struct error err = ERROR_INIT;

    once->loaded_at = time_now();
    if (!receive_request(once->socket, &once->request, &err) ||
        !settings_load(once->options->root, &once->settings, &err) || !prepare_sandbox(once, &err) ||
        !prepare_start(once, &err))
        response_deny(ret, err.reason, err.text);
    else if (verdicts_find(once->options->root, &once->settings, &once->request, ret))
        return;
    else if (!prepare(once, &err))
        response_deny(ret, err.reason, err.text);
    else
        decide(once, ret);
}

int engine_once(const struct engine_options *options, int socket)
{
    struct once once = {.options = options, .socket = socket, .started_us = mono_us()};
    CLEANUP(response_done) struct response response = {0};
    struct error err = ERROR_INIT;
    bool sent;

    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    answer(&once, &response);
    response.duration_us = (uint32_t)(mono_us() - once.started_us);
    recorder_decision(options->root, once.config.policies ? &once.config.settings : &once.settings, &once.request,
                      &response);
    sent = send_response(socket, &response, &err);
    end_children(&once);
    once_done(&once);
    return sent ? 0 : 1;
}
