/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/once.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "crypto/init.h"
#include "plugin/engine/fetcher.h"
#include "plugin/engine/judge.h"
#include "plugin/engine/load.h"
#include "plugin/engine/pool.h"
#include "plugin/engine/session.h"
#include "plugin/engine/start_image.h"
#include "plugin/engine/verdicts.h"
#include "plugin/recorder/recorder.h"

enum {
    RESPONSE_LEAVES_MS = 5000,
    CHILDREN_END_MS = 500,      /* they are killed or at their end already */
    DRAIN_MS = 2000,            /* a fetcher on loan that still works on what nobody needs any more */
    COALESCE_MS = 2500,         /* how long the same image's verification is waited for, at most */
    COALESCE_PART = 3,          /* of the time that is left: the rest must do for a verification of one's own */
    RESPONSE_MAX_BYTES = LIMIT_EVIDENCE_BYTES + 64 * 1024 * 1024,
};

struct once {
    const struct engine_options *options;
    int socket;
    int64_t started_us;
    struct consulted consulted;
    struct request request;
    struct names others;                      /* of a start gate's image: it may have been created under any of them */
    struct settings settings;
    struct sandbox sandbox;
    char *ca_dir, *ca_file;
    struct fetcher fetcher;
    bool has_fetcher;
    bool lent;                                /* it is the resident engine's */
    bool mixed;                               /* it knows secrets of other registries than the image's own */
    bool lent_lost;                           /* that had ended; fetcher is our own now */
    struct engine_config config;
    const struct engine_preloaded *preloaded; /* NULL = an engine of its own */
    struct credentials_kept credentials;
    struct session *session;                  /* over; what is left of it is tidied up after the answer */
    bool drained;                             /* the fetcher on loan may be used again */
    int coalescing;                           /* lock held while deciding; -1 = none */
};

static bool prepare_sandbox(struct once *once, struct error *err)
{
    const struct settings *settings = &once->settings;

    if (once->preloaded) {
        once->sandbox = *once->preloaded->sandbox;
        return true;
    }
    once->ca_dir = path_under(once->options->root, settings->ca_dir);
    once->ca_file = settings->ca_file ? path_under(once->options->root, settings->ca_file) : NULL;
    if (!once->ca_dir || (settings->ca_file && !once->ca_file))
        return error_oom(err);
    once->sandbox = (struct sandbox){.mode = settings->sandbox, .ca_dir = once->ca_dir, .ca_file = once->ca_file};
    sandbox_user(settings->user, &once->sandbox.uid, &once->sandbox.gid);
    return true;
}

static bool needs_files(const struct request *request)
{
    return (request->flags & (REQUEST_EVIDENCE | REQUEST_COLLECT)) != 0;
}

static bool load(struct once *once, struct error *err)
{
    const char *root = once->options->root;

    if (once->preloaded && !needs_files(&once->request))
        return true;
    if (!crypto_init(err))
        return false;
    if (once->request.policy)
        return engine_load_adhoc(&once->request, &once->settings, &once->config, err);
    if (once->preloaded) /* an evidence file tells what was read: read it */
        return engine_load_settings(root, &once->consulted, &once->settings, err) &&
               engine_load_policies(root, &once->consulted, true, &once->settings, &once->config, err);
    return engine_load_policies(root, &once->consulted, needs_files(&once->request), &once->settings, &once->config,
                                err);
}

static bool get_fetcher(struct once *once, struct error *err)
{
    once->lent = once->preloaded && once->preloaded->fetcher;
    if (once->lent)
        once->fetcher = *once->preloaded->fetcher;
    else if (!fetcher_start(once->options->libexec, &once->sandbox, &once->fetcher, err))
        return false;
    once->has_fetcher = true;
    return true;
}

/*
 * The fetcher starts before the policies are read: libcurl takes its time to load, and does it on another processor.
 * Where policies may want nothing fetched, they are read first.
 */
static bool prepare(struct once *once, struct error *err)
{
    bool offline = once->request.flags & REQUEST_NO_NETWORK;
    bool lent = once->preloaded && once->preloaded->fetcher;
    bool first = lent || once->request.policy ||
                 (!once->preloaded && !engine_may_stay_home(once->options->root, &once->settings));
    struct judge_input input = {.request = &once->request};

    if (!offline && first && !get_fetcher(once, err))
        return false;
    if (!load(once, err))
        return false;
    input.policies = once->config.policies;
    return offline || first || judge_stays_home(&input) || get_fetcher(once, err);
}

static int64_t deadline_of(const struct once *once)
{
    uint32_t limit = once->config.policies ? once->config.settings.deadline_ms : once->settings.deadline_ms;

    /* Somebody who asks with policies of their own (verify) waits as long as they like; a pull never longer than set.
     */
    if (once->request.deadline_ms > 0 && (once->request.deadline_ms < limit || once->request.policy))
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

/*
 * Has a fetcher on loan been told secrets of a registry that it was not lent for? The image may turn out to be another
 * one (a start gate's request), or the policies' sources to be others.
 */
static bool tells_of_others(const struct once *once, const struct session *session)
{
    const struct fetch_job *job = &session->plan.job;

    for (size_t i = 0; once->lent && i < job->registry_count; i++)
        if (fetch_registry_has_secrets(&job->registries[i]) &&
            !pool_key_names(once->preloaded->fetcher_key, job->registries[i].host))
            return true;
    return false;
}

/* One session over; its response is taken. NULL when out of memory. */
static struct session *hold_session(struct once *once, enum job_look look, struct response *ret)
{
    struct session *session = mem_new(1, sizeof(*session));

    if (!session) {
        response_deny(ret, REASON_INTERNAL, "out of memory");
        return NULL;
    }
    session->root = once->options->root;
    session->config = &once->config;
    session->sandbox = &once->sandbox;
    session->request = &once->request;
    session->fetcher = once->has_fetcher ? &once->fetcher : NULL;
    session->client = once->socket;
    session->look = look;
    session->plan.kept = &once->credentials;
    session->deadline = deadline_of(once);
    run(session);
    once->mixed = once->mixed || tells_of_others(once, session);
    *ret = session->response;
    session->response = (struct response){0};
    return session;
}

/*
 * A mirror may lack the signatures, or be behind: what it made us deny is looked up once more at the registry itself.
 * Only an allow changes the answer; the first one's reason is the better one otherwise.
 */
static void look_upstream(struct once *once, struct response *ret)
{
    struct session *first = once->session;
    struct response second = {0};

    if (!first || !first->plan.mirrors || verdict_is_allow(ret->verdict) || ret->reason == REASON_TIMEOUT ||
        !session_drain(first, first->deadline))
        return;
    session_done(first);
    mem_free(first);
    once->session = hold_session(once, JOB_UPSTREAM_ONLY, &second);
    if (verdict_is_allow(second.verdict)) {
        response_done(ret);
        *ret = second;
    } else {
        response_done(&second);
    }
}

/* A kept fetcher may have ended while nobody used it: that is no reason to deny. */
static void look_again(struct once *once, struct response *ret)
{
    struct error ignored = ERROR_INIT;

    if (!once->session || !once->lent || !once->session->lost || once->session->heard ||
        !fetcher_start(once->options->libexec, &once->sandbox, &once->fetcher, &ignored))
        return;
    once->lent = false;
    once->lent_lost = true;
    response_done(ret);
    session_done(once->session);
    mem_free(once->session);
    once->session = hold_session(once, JOB_ALL_ENDPOINTS, ret);
}

static const struct verdicts_kept *kept_of(const struct once *once)
{
    return once->preloaded ? &once->preloaded->kept : NULL;
}

static void decide(struct once *once, struct response *ret)
{
    once->session = hold_session(once, JOB_ALL_ENDPOINTS, ret);
    look_again(once, ret);
    look_upstream(once, ret);
    explain_offline(&once->request, ret);
    /* Rules that do not load any more decide with a warning each time: nothing of that is kept. */
    if (!once->preloaded || !once->preloaded->problem)
        verdicts_after(once->options->root, &once->config, kept_of(once), &once->request, ret);
}

static bool receive_request(int socket, struct request *ret, struct error *err)
{
    CLEANUP(buf_wipe) struct buf message = BUF_INIT(LIMIT_HOOK_MESSAGE_BYTES + WIRE_HEADER_BYTES);

    return wire_receive(socket, LIMIT_HOOK_MESSAGE_BYTES, mono_ms() + REQUEST_ARRIVES_MS, &message, err) &&
           request_read(buf_as_span(&message), ret, err);
}

/* A fetcher on loan goes back when it has nothing more to say; one of our own is stopped. */
static int end_fetcher(struct once *once)
{
    int fate = once->lent_lost ? WORKER_FETCHER_BROKEN : WORKER_FETCHER_UNTOUCHED;

    if (once->has_fetcher && once->lent) {
        bool clean = once->session && !once->mixed && session_drain(once->session, mono_ms() + DRAIN_MS);

        fate = clean ? WORKER_FETCHER_CLEAN : WORKER_FETCHER_BROKEN;
    } else if (once->has_fetcher) {
        fetcher_stop(&once->fetcher);
    }
    return fate;
}

/* Nothing of ours may be left behind: not even the parser, which a killed fetcher leaves to us as the subreaper. */
static void end_children(struct once *once)
{
    if (once->session)
        session_done(once->session);
    mem_free(once->session);
    children_end(CHILDREN_END_MS);
}

static void once_done(struct once *once)
{
    engine_config_done(&once->config);
    settings_done(&once->settings);
    mem_free(once->ca_dir);
    mem_free(once->ca_file);
    consulted_done(&once->consulted);
    request_done(&once->request);
    names_free(&once->others);
    provider_cache_done(&once->credentials.providers);
}

/* A start gate: find the image, and keep off the network unless the settings say otherwise. */
static bool prepare_start(struct once *once, struct error *err)
{
    if (once->request.operation != OPERATION_CREATE)
        return true;
    if (!once->settings.start_network)
        once->request.flags |= REQUEST_NO_NETWORK;
    provider_cache_done(&once->credentials.providers); /* a fork of ours is about to read what pods wrote */
    return start_image_find(once->options->root, &once->settings, &once->sandbox, deadline_of(once), &once->request,
                            &once->others, err);
}

/* Which of several names a container was created under is not guessed: the rules must make no difference. */
static bool check_names(const struct once *once, struct error *err)
{
    for (size_t i = 0; i < once->others.count; i++)
        if (!verdicts_same_rules(&once->config, once->request.reference, once->others.items[i]))
            return error_set(err, REASON_UNSUPPORTED,
                             "the image has %zu names, which one the container was created under is not recorded, and "
                             "other rules match %.100s than %.100s",
                             once->others.count + 1, once->request.reference, once->others.items[i]);
    return true;
}

/*
 * Pulls of the same image at the same time share one verification: the first holds a lock while it decides, the others
 * wait for its verdict in the cache. When it denies or takes long, they go on by themselves, all at once.
 */
static bool find_verdict(struct once *once, struct response *ret)
{
    const char *root = once->options->root;
    int part = deadline_left_ms(deadline_of(once)) / COALESCE_PART;
    int64_t patience = mono_ms() + (part < COALESCE_MS ? part : COALESCE_MS);
    const struct engine_config *config = once->preloaded ? &once->config : NULL;

    if (verdicts_find(root, &once->settings, config, kept_of(once), &once->request, ret))
        return true;
    if (!verdicts_lock(root, &once->settings, &once->request, patience, &once->coalescing))
        return false;
    return once->coalescing < 0 &&
           verdicts_find(root, &once->settings, config, kept_of(once), &once->request, ret);
}

/* What was verified under one of the names counts for the others: check_names. */
static bool find_by_names(struct once *once, struct response *ret)
{
    char *first = once->request.reference;
    bool found;

    for (size_t i = 0;; i++) {
        found = verdicts_find(once->options->root, &once->config.settings, &once->config, kept_of(once), &once->request,
                              ret);
        if (found || i == once->others.count)
            break;
        once->request.reference = once->others.items[i];
    }
    once->request.reference = first;
    return found;
}

static bool get_settings(struct once *once, struct error *err)
{
    if (!once->preloaded)
        return engine_load_settings(once->options->root, &once->consulted, &once->settings, err);
    if (!once->preloaded->config) {
        *err = *once->preloaded->error;
        return false;
    }
    if (once->request.policy)
        return error_set(err, REASON_BAD_REQUEST, "the resident engine takes no policy from a request");
    once->config = *once->preloaded->config;   /* borrowed: a worker ends without freeing them */
    once->settings = once->config.settings;
    return true;
}

static bool get_request(struct once *once, struct error *err)
{
    if (!once->preloaded)
        return receive_request(once->socket, &once->request, err);
    once->request = *once->preloaded->request;
    *once->preloaded->request = (struct request){0};
    once->credentials.providers = *once->preloaded->providers;
    *once->preloaded->providers = (struct provider_cache_store){0};
    once->credentials.report = once->preloaded->kept.report;
    return true;
}

static void answer(struct once *once, struct response *ret)
{
    struct error err = ERROR_INIT;

    if (!get_request(once, &err) || !get_settings(once, &err) ||
        !prepare_sandbox(once, &err) || !prepare_start(once, &err))
        response_deny(ret, err.reason, err.text);
    else if (once->others.count == 0 && find_verdict(once, ret))
        return;
    else if (!prepare(once, &err) || !check_names(once, &err))
        response_deny(ret, err.reason, err.text);
    else if (!find_by_names(once, ret))
        decide(once, ret);
}

/* The last good set decides, and every verdict says so. */
static void mention_problem(const struct once *once, struct response *response)
{
    if (!once->preloaded || !once->preloaded->problem)
        return;
    response_say(response, mem_printf("%.250s (rules changed and do not load, the last good ones decide: %.180s)",
                                      response->message ? response->message : "", once->preloaded->problem));
}

static bool answer_and_record(struct once *once)
{
    CLEANUP(response_done) struct response response = {0};
    struct error err = ERROR_INIT;

    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    answer(once, &response);
    if (once->coalescing >= 0)
        (void)close(once->coalescing);
    mention_problem(once, &response);
    response.duration_us = (uint32_t)(mono_us() - once->started_us);
    recorder_decision(once->options->root, once->config.policies ? &once->config.settings : &once->settings,
                      &once->request, &response);
    return response_send(once->socket, &response, mono_ms() + RESPONSE_LEAVES_MS, &err);
}

int engine_once(const struct engine_options *options, int socket)
{
    struct once once = {.options = options, .socket = socket, .started_us = mono_us(), .coalescing = -1,
                        .credentials = {.report = -1}};
    bool sent = answer_and_record(&once);

    (void)close(socket); /* the hook waits for this, not for the tidying up */
    (void)end_fetcher(&once);
    end_children(&once);
    once_done(&once);
    return sent ? 0 : 1;
}

int engine_worker(const struct engine_options *options, int socket, const struct engine_preloaded *preloaded)
{
    struct once once = {.options = options,
                        .socket = socket,
                        .started_us = preloaded->began_us,
                        .preloaded = preloaded,
                        .coalescing = -1};
    int fate;

    (void)answer_and_record(&once); /* a caller that has gone is told nothing */
    (void)close(socket);
    fate = end_fetcher(&once);
    end_children(&once);
    return fate;
}

void engine_reply(const struct engine_options *options, const struct settings *settings, const struct request *request,
                  int64_t began_us, int socket, struct response *response)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(RESPONSE_MAX_BYTES);
    ssize_t sent;

    response->duration_us = (uint32_t)(mono_us() - began_us);
    recorder_decision(options->root, settings, request, response);
    response_write(&message, response);
    if (!buf_ok(&message))
        return;
    /* A few hundred bytes into an empty socket: one that does not take them is closed, and that is an answer too. */
    sent = send(socket, message.ptr, message.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != (ssize_t)message.len)
        (void)shutdown(socket, SHUT_RDWR);
}
