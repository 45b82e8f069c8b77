/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/trust/update.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "config.h"
#include "plugin/cli/trust/wire.h"
#include "plugin/engine/fetcher.h"
#include "plugin/engine/settings.h"
#include "plugin/process.h"
#include "verifier/fetch/fetch.h"

#ifdef PG_TEST_LIBEXECDIR
#define TRUST_LIBEXEC PG_TEST_LIBEXECDIR
#else
#define TRUST_LIBEXEC NULL
#endif

/* An administrator or a timer waits for it, never a pull. */
enum { UPDATE_TIMEOUT_MS = 120 * 1000, JOB_MAX_BYTES = 1024 * 1024 };

struct relay {
    const char *url;
    struct settings settings;
    struct sandbox sandbox;
    struct fetcher fetcher;
    struct child reader;
    int reader_socket;
    int64_t deadline;
    uint32_t jobs;
};

void trust_update_done(struct trust_update *update)
{
    for (int role = 0; role < TUF_ROLES; role++) {
        buf_free(&update->stored[role]);
        buf_free(&update->state[role]);
    }
    buf_free(&update->stored_target);
    buf_free(&update->target);
}

static void relay_done(struct relay *relay)
{
    fetcher_stop(&relay->fetcher);
    child_kill(&relay->reader);
    fd_closep(&relay->reader_socket);
    settings_done(&relay->settings);
}

/* The host:port part of an address, as text; NULL when there is none. */
static char *host_of(const char *url)
{
    struct span text = span_str(url);
    size_t start = span_find(text, "://");
    struct span rest = start == SIZE_MAX ? span_str("") : span_cut(text, start + 3, SIZE_MAX);

    return rest.len == 0 ? NULL : span_dup(span_cut(rest, 0, span_find_byte(rest, '/')));
}

/* Its path without a slash at the end. */
static struct span path_of(const char *url)
{
    struct span rest = span_cut(span_str(url), span_find(span_str(url), "://") + 3, SIZE_MAX);
    size_t slash = span_find_byte(rest, '/');

    if (slash == SIZE_MAX)
        return span_str("");
    rest = span_cut(rest, slash, SIZE_MAX);
    while (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    return rest;
}

bool trust_url_check(const char *url, struct error *err)
{
    CLEANUP(mem_freep) char *host = host_of(url);
    bool https = span_starts(span_str(url), "https://"), http = span_starts(span_str(url), "http://");
    char shown[120];

    if (host == NULL || host[0] == '\0' || strpbrk(url, "?#@\\ ") != NULL ||
        !(https || (http && fetch_host_is_loopback(host))))
        return error_set(err, REASON_BAD_REQUEST, "%s: https://HOST/PATH is wanted (http only on loopback)",
                         text_clean(span_str(url), shown, sizeof(shown)));
    return true;
}

static bool copy_text(char **place, const char *text, struct error *err)
{
    *place = mem_strdup(text);
    return text == NULL || *place != NULL || error_oom(err);
}

static bool add_endpoint(const struct relay *relay, const char *host, struct fetch_job *job, struct error *err)
{
    struct fetch_endpoint endpoint = { .flags = FETCH_CAN_ALL };
    struct fetch_registry *registry = fetch_job_registry(job, host, NULL);

    if (registry == NULL || !copy_text(&endpoint.url, relay->url, err))
        return error_oom(err);
    if (fetch_registry_add(registry, &endpoint, err))
        return true;
    fetch_endpoint_done(&endpoint);
    return false;
}

/* One file of the repository: a page on the origin, in the fetcher's terms. */
static bool make_job(struct relay *relay, const char *name, uint64_t max_bytes, struct fetch_job *job,
                     struct error *err)
{
    CLEANUP(mem_freep) char *host = host_of(relay->url);
    struct span prefix = path_of(relay->url);
    CLEANUP(mem_freep) char *target = mem_printf("%.*s/%s", (int)prefix.len, (const char *)prefix.ptr, name);

    if (host == NULL || target == NULL)
        return error_oom(err);
    job->id = ++relay->jobs;
    job->deadline = relay->deadline;
    return copy_text(&job->ca_dir, relay->settings.ca_dir, err) &&
           copy_text(&job->ca_file, relay->settings.ca_file, err) &&
           copy_text(&job->user_agent, "pullguard/" PG_VERSION, err) &&
           copy_text(&job->proxies.http, relay->settings.http_proxy, err) &&
           copy_text(&job->proxies.https, relay->settings.https_proxy, err) &&
           copy_text(&job->proxies.no_proxy, relay->settings.no_proxy, err) && add_endpoint(relay, host, job, err) &&
           wants_add(&job->wants, WANT_PAGE, host, "tuf", target, max_bytes, err);
}

static bool send_job(struct relay *relay, const char *name, uint64_t max_bytes, struct error *err)
{
    CLEANUP(fetch_job_done) struct fetch_job job = { 0 };
    CLEANUP(buf_free) struct buf message = BUF_INIT(JOB_MAX_BYTES);

    if (!make_job(relay, name, max_bytes, &job, err))
        return false;
    job.wants.items[0].id = 1;
    fetch_job_write(&message, &job);
    if (!buf_ok(&message))
        return error_oom(err);
    return wire_send(relay->fetcher.socket, buf_as_span(&message), relay->deadline, err);
}

/* The answer to a job: one piece of evidence, then the end. */
static bool fetch(struct relay *relay, const char *name, uint64_t max_bytes, struct evidence *ret, struct error *err)
{
    if (!send_job(relay, name, max_bytes, err))
        return false;
    for (;;) {
        CLEANUP(buf_free) struct buf message = BUF_INIT(TRUST_MESSAGE_BYTES);
        CLEANUP(fetch_answer_done) struct fetch_answer answer = { 0 };

        if (!wire_receive(relay->fetcher.socket, TRUST_MESSAGE_BYTES, relay->deadline, &message, err) ||
            !fetch_answer_read(buf_as_span(&message), /* copy= */ true, &answer, err))
            return false;
        if (answer.end)
            return true;
        evidence_done(ret);
        *ret = answer.evidence;
        answer.evidence = (struct evidence){ 0 };
    }
}

static bool answer_reader(struct relay *relay, const struct evidence *evidence, struct error *err)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(TRUST_MESSAGE_BYTES);
    size_t start;

    if (evidence->status == EVIDENCE_ERROR)
        return error_set(err, evidence->reason, "%s", evidence->error != NULL ? evidence->error : "no answer");
    start = wire_begin(&message, evidence->status == EVIDENCE_FOUND ? TRUST_FILE : TRUST_ABSENT);
    if (evidence->status == EVIDENCE_FOUND)
        wire_put(&message, TRUST_TAG_BYTES, evidence->body);
    wire_end(&message, start);
    if (!buf_ok(&message))
        return error_oom(err);
    return wire_send(relay->reader_socket, buf_as_span(&message), relay->deadline, err);
}

/* The reader names files; the name goes into an address, where the fetcher checks it again. */
static bool serve_want(struct relay *relay, struct span records, struct error *err)
{
    struct reader reader = reader_of(records);
    CLEANUP(mem_freep) char *name = NULL;
    CLEANUP(evidence_done) struct evidence evidence = { 0 };
    struct span bytes;
    uint64_t max = 0;
    uint16_t tag;

    if (wire_next(&reader, &tag, &bytes) && tag == TRUST_TAG_NAME)
        name = wire_str(bytes);
    if (name == NULL || !wire_next(&reader, &tag, &bytes) || tag != TRUST_TAG_MAX || !wire_u64(bytes, &max) ||
        !reader_done(&reader) || strstr(name, "..") != NULL || name[0] == '/' || max > TRUST_STATE_FILE_BYTES)
        return error_set(err, REASON_MALFORMED, "the sandboxed reader asked for nonsense");
    return fetch(relay, name, max, &evidence, err) && answer_reader(relay, &evidence, err);
}

static bool keep(struct buf *place, struct span bytes, struct error *err)
{
    *place = (struct buf)BUF_INIT(TRUST_STATE_FILE_BYTES);
    buf_span(place, bytes);
    return buf_ok(place) || error_oom(err);
}

static bool read_record(struct trust_update *update, uint16_t tag, struct span bytes, struct error *err)
{
    uint64_t number = 0;

    if (tag == TRUST_TAG_BYTES)
        return keep(&update->target, bytes, err);
    if (tag >= TRUST_TAG_ROLE && tag < TRUST_TAG_ROLE + TUF_ROLES)
        return keep(&update->state[tag - TRUST_TAG_ROLE], bytes, err);
    if (!wire_u64(bytes, &number))
        return error_set(err, REASON_MALFORMED, "the sandboxed reader answered nonsense");
    if (tag >= TRUST_TAG_VERSION && tag < TRUST_TAG_VERSION + TUF_ROLES)
        update->version[tag - TRUST_TAG_VERSION] = (int64_t)number;
    else if (tag >= TRUST_TAG_EXPIRES && tag < TRUST_TAG_EXPIRES + TUF_ROLES)
        update->expires[tag - TRUST_TAG_EXPIRES] = (int64_t)number;
    return true;
}

static bool read_result(struct span records, struct trust_update *update, struct error *err)
{
    struct reader reader = reader_of(records);
    CLEANUP(mem_freep) char *text = NULL;
    struct span bytes;
    uint32_t done = 0, reason = REASON_INTERNAL;
    uint16_t tag;

    while (wire_next(&reader, &tag, &bytes)) {
        bool good = tag == TRUST_TAG_DONE     ? wire_u32(bytes, &done)
                    : tag == TRUST_TAG_REASON ? wire_u32(bytes, &reason)
                    : tag == TRUST_TAG_TEXT   ? (text = wire_str(bytes)) != NULL
                                              : read_record(update, tag, bytes, err);

        if (!good)
            return false;
    }
    if (!reader_done(&reader))
        return error_set(err, REASON_MALFORMED, "the sandboxed reader answered nonsense");
    if (done == 1 && update->target.len > 0)
        return true;
    return error_set(err, reason < REASON_COUNT ? (enum reason)reason : REASON_INTERNAL, "%s",
                     text != NULL ? text : "");
}

static bool relay_all(struct relay *relay, struct trust_update *update, struct error *err)
{
    for (;;) {
        CLEANUP(buf_free) struct buf message = BUF_INIT(TRUST_MESSAGE_BYTES + WIRE_HEADER_BYTES);
        struct wire_message parsed;

        if (!wire_receive(relay->reader_socket, TRUST_MESSAGE_BYTES, relay->deadline, &message, err) ||
            !wire_parse(buf_as_span(&message), &parsed, err))
            return error_wrap(err, "the sandboxed reader");
        if (parsed.type == TRUST_RESULT)
            return read_result(parsed.records, update, err);
        if (parsed.type != TRUST_WANT)
            return error_set(err, REASON_MALFORMED, "the sandboxed reader sent nonsense");
        if (!serve_want(relay, parsed.records, err))
            return false;
    }
}

static bool wait_fetcher(struct relay *relay, struct error *err)
{
    while (!relay->fetcher.ready) {
        struct pollfd fd = { .fd = relay->fetcher.socket, .events = POLLIN };

        if (poll(&fd, 1, deadline_left_ms(relay->deadline)) <= 0)
            return error_set(err, REASON_TIMEOUT, "the fetcher did not start in time");
        if (!fetcher_read_ready(&relay->fetcher, err))
            return false;
    }
    return true;
}

static bool start_reader(struct relay *relay, const struct trust_update *update, struct error *err)
{
    CLEANUP(fd_closep) int theirs = -1;
    pid_t pid;

    if (!socket_pair(&relay->reader_socket, &theirs, err))
        return false;
    pid = fork();
    if (pid < 0)
        return error_errno(err, REASON_INTERNAL, errno, "fork");
    if (pid == 0)
        trust_reader(theirs, &relay->sandbox, update);
    child_adopt(&relay->reader, pid);
    return true;
}

bool trust_update_run(const struct cli *cli, struct trust_update *update, struct error *err)
{
    CLEANUP(relay_done) struct relay relay = {
        .url = update->url, .fetcher = { .socket = -1 }, .reader = { .pidfd = -1 }, .reader_socket = -1,
        .deadline = mono_ms() + UPDATE_TIMEOUT_MS,
    };

    if (!trust_url_check(update->url, err) || !settings_load(cli->root, &relay.settings, err))
        return false;
    relay.sandbox.mode = relay.settings.sandbox;
    relay.sandbox.ca_dir = relay.settings.ca_dir;
    relay.sandbox.ca_file = relay.settings.ca_file;
    sandbox_user(relay.settings.user, &relay.sandbox.uid, &relay.sandbox.gid);
    fflush(NULL);
    return start_reader(&relay, update, err) && fetcher_start(TRUST_LIBEXEC, &relay.sandbox, &relay.fetcher, err) &&
           wait_fetcher(&relay, err) && relay_all(&relay, update, err);
}
