/* SPDX-License-Identifier: Apache-2.0 */
/* The fetcher's loop: messages from the engine, libcurl's work, answers back; nothing of it blocks. */
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "verifier/fetch/fetcher.h"

enum {
    ACTIVE_MAX = 64,          /* exchanges with libcurl at a time; more wait */
    CONNECTIONS_PER_HOST = 16,/* HTTP/1.1 registries; HTTP/2 needs one */
    CONNECTIONS_MAX = 128,
    CONNECTIONS_KEPT = 32,
    POLL_MAX_MS = 1000,
};

bool fetch_preload(struct error *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    CURL *easy;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, REASON_INTERNAL, "libcurl cannot be set up");
    easy = curl_easy_init();
    if (!easy)
        return error_oom(err);
    curl_easy_cleanup(easy);
    if (getaddrinfo("127.0.0.1", "443", &hints, &found) == 0)
        freeaddrinfo(found);
    return true;
}

static void out_free(struct outgoing *out)
{
    mem_free(out->owned);
    mem_free(out);
}

/* Takes over what *owned points to, unless memory is out: then the fetcher ends. */
static void queue(struct fetcher *fetcher, void **owned, struct span bytes)
{
    struct outgoing *out = mem_new(1, sizeof(*out));

    if (!out) {
        fetcher->broken = true;
        return;
    }
    out->owned = TAKE_PTR(*owned);
    out->left = bytes;
    if (fetcher->last_out)
        fetcher->last_out->next = out;
    else
        fetcher->first_out = out;
    fetcher->last_out = out;
}

void fetcher_send(struct fetcher *fetcher, struct buf *message)
{
    struct span bytes = buf_as_span(message);
    void *owned CLEANUP(mem_freep) = buf_ok(message) ? buf_take(message) : NULL;

    if (owned)
        queue(fetcher, &owned, bytes);
    else
        fetcher->broken = true;
}

/* A large body goes out from where libcurl's bytes were gathered: nothing holds it twice. */
void fetcher_answer(struct running *running, struct evidence *evidence)
{
    struct buf head CLEANUP(buf_free) = BUF_INIT(64 * 1024);

    fetch_evidence_write_head(&head, running->job.id, running->counters.requests - running->told, evidence);
    running->told = running->counters.requests;
    fetcher_send(running->fetcher, &head);
    if (evidence->body.len > 0)
        queue(running->fetcher, &evidence->owned, evidence->body);
    evidence->body = span_of(NULL, 0);
}

void fetcher_wear(struct fetcher *fetcher, const struct exchange *exchange)
{
    fetcher->worn = fetcher->worn || (exchange->result == CURLE_OPERATION_TIMEDOUT && exchange->connected);
}

static void flush(struct fetcher *fetcher)
{
    while (fetcher->first_out && !fetcher->broken) {
        struct outgoing *out = fetcher->first_out;
        ssize_t sent = send(fetcher->fd, out->left.ptr, out->left.len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (sent < 0) {
            fetcher->broken = true;
            return;
        }
        out->left = span_cut(out->left, (size_t)sent, SIZE_MAX);
        if (out->left.len > 0)
            continue;
        fetcher->first_out = out->next;
        if (!out->next)
            fetcher->last_out = NULL;
        out_free(out);
    }
}

static void running_free(struct running *running)
{
    for (size_t i = 0; i < running->count; i++) {
        if (running->lookups[i].state == LOOKUP_RUNNING)
            running->fetcher->active--;
        lookup_done(&running->lookups[i]);
    }
    mem_free(running->lookups);
    fetch_job_done(&running->job);
    mem_free(running);
}

static bool job_start(struct fetcher *fetcher, struct fetch_job *job, struct error *err)
{
    struct running *running = mem_new(1, sizeof(*running));

    if (!running)
        return error_oom(err);
    running->fetcher = fetcher;
    running->count = running->left = job->wants.count;
    running->budget = LIMIT_EVIDENCE_BYTES;
    running->lookups = running->count > 0 ? mem_new(running->count, sizeof(*running->lookups)) : NULL;
    if (running->count > 0 && !running->lookups) {
        mem_free(running);
        return error_oom(err);
    }
    running->job = *job;
    *job = (struct fetch_job){0};
    for (size_t i = 0; i < running->count; i++)
        lookup_init(&running->lookups[i], running, &running->job.wants.items[i]);
    running->next = fetcher->jobs;
    fetcher->jobs = running;
    return true;
}

static bool handle_message(struct fetcher *fetcher, struct span message, struct error *err)
{
    struct fetch_job job CLEANUP(fetch_job_done) = {0};

    return fetch_job_read(message, &job, err) && job_start(fetcher, &job, err);
}

/* How many bytes the message being received still lacks. */
static bool bytes_wanted(const struct fetcher *fetcher, size_t *ret, struct error *err)
{
    uint16_t type;
    size_t len;

    if (fetcher->incoming.len < WIRE_HEADER_BYTES) {
        *ret = WIRE_HEADER_BYTES - fetcher->incoming.len;
        return true;
    }
    if (!wire_parse_header(span_cut(buf_as_span(&fetcher->incoming), 0, WIRE_HEADER_BYTES), LIMIT_FETCH_JOB_BYTES,
                           &type, &len, err))
        return false;
    *ret = WIRE_HEADER_BYTES + len - fetcher->incoming.len;
    return true;
}

enum input { INPUT_ALL_READ, INPUT_END, INPUT_BAD };

static enum input receive(struct fetcher *fetcher, struct error *err)
{
    uint8_t chunk[8192];
    size_t wanted;
    ssize_t got;

    for (;;) {
        if (!bytes_wanted(fetcher, &wanted, err))
            return INPUT_BAD;
        if (wanted == 0) {
            if (!handle_message(fetcher, buf_as_span(&fetcher->incoming), err))
                return INPUT_BAD;
            buf_wipe(&fetcher->incoming);
            fetcher->incoming = (struct buf)BUF_INIT(LIMIT_FETCH_JOB_BYTES + WIRE_HEADER_BYTES);
            continue;
        }
        got = recv(fetcher->fd, chunk, wanted < sizeof(chunk) ? wanted : sizeof(chunk), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return INPUT_ALL_READ;
        if (got <= 0)
            return INPUT_END;
        buf_append(&fetcher->incoming, chunk, (size_t)got);
        explicit_bzero(chunk, (size_t)got);
        if (!buf_ok(&fetcher->incoming)) {
            error_oom(err);
            return INPUT_BAD;
        }
    }
}

/* Starts what is due. Returns how long nothing more will be due. */
static int start_due(struct fetcher *fetcher)
{
    int64_t now = mono_ms(), next = now + POLL_MAX_MS;
    bool again = true;

    while (again) {
        again = false;
        for (struct running *running = fetcher->jobs; running; running = running->next)
            for (size_t i = 0; i < running->count; i++) {
                struct lookup *lookup = &running->lookups[i];
                bool waiting = lookup->state == LOOKUP_QUEUED || lookup->state == LOOKUP_WAITS_TOKEN;

                if (!waiting)
                    continue;
                if (running->job.deadline <= now) {
                    lookup_expire(lookup);
                } else if (lookup->state == LOOKUP_QUEUED && lookup->resume_at <= now && fetcher->active < ACTIVE_MAX) {
                    lookup_start(lookup);
                    again |= lookup->state == LOOKUP_QUEUED;
                } else {
                    if (lookup->resume_at > now && lookup->resume_at < next)
                        next = lookup->resume_at;
                    if (running->job.deadline < next)
                        next = running->job.deadline;
                }
            }
    }
    return (int)(next - now);
}

static void end_finished(struct fetcher *fetcher)
{
    struct running **link = &fetcher->jobs;

    while (*link) {
        struct running *running = *link;
        struct buf message CLEANUP(buf_free) = BUF_INIT(1024);

        if (running->left > 0) {
            link = &running->next;
            continue;
        }
        fetch_end_write(&message, running->job.id, &running->counters);
        fetcher_send(fetcher, &message);
        *link = running->next;
        running_free(running);
    }
}

static void collect(struct fetcher *fetcher)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        struct exchange *exchange = NULL;

        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange) != CURLE_OK || !exchange)
            continue;
        exchange_finish(fetcher->multi, exchange, message->data.result);
    }
}

/* With the handle libcurl's connections go. Nothing may be under way. */
static bool connections_renew(struct fetcher *fetcher, struct error *err)
{
    if (fetcher->multi)
        curl_multi_cleanup(fetcher->multi);
    fetcher->worn = false;
    fetcher->multi = curl_multi_init();
    if (!fetcher->multi)
        return error_oom(err);
    curl_multi_setopt(fetcher->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return true;
}

/*
 * Waits for libcurl, the engine, and, when there is nothing to do, the parser's end: it says nothing unasked. Without
 * it nobody is logged in any more, so that the next job is better done by another fetcher.
 */
static bool wait_for_more(struct fetcher *fetcher, int timeout, struct error *err)
{
    struct curl_waitfd waits[] = {{.fd = fetcher->fd, .events = CURL_WAIT_POLLIN},
                                  {.fd = fetcher->parser_fd, .events = CURL_WAIT_POLLIN}};
    bool idle = !fetcher->jobs && !fetcher->first_out;

    if (fetcher->first_out)
        waits[0].events |= CURL_WAIT_POLLOUT;
    if (curl_multi_poll(fetcher->multi, waits, idle ? 2 : 1, timeout, NULL) != CURLM_OK)
        return error_set(err, REASON_INTERNAL, "libcurl's poll fails");
    return waits[1].revents == 0 || error_set(err, REASON_UNAVAILABLE, "the parser has ended");
}

static bool loop(struct fetcher *fetcher, struct error *err)
{
    while (!fetcher->broken) {
        enum input input = receive(fetcher, err);
        int running, timeout;

        if (input != INPUT_ALL_READ)
            return input == INPUT_END;
        (void)start_due(fetcher);
        if (curl_multi_perform(fetcher->multi, &running) != CURLM_OK)
            return error_set(err, REASON_INTERNAL, "libcurl's loop fails");
        collect(fetcher);
        timeout = start_due(fetcher);
        end_finished(fetcher);
        flush(fetcher);
        if (fetcher->worn && !fetcher->jobs && !fetcher->tokens && !connections_renew(fetcher, err))
            return false;
        if (!wait_for_more(fetcher, timeout, err))
            return false;
    }
    return true;
}

static void fetcher_done(struct fetcher *fetcher)
{
    while (fetcher->jobs) {
        struct running *running = fetcher->jobs;

        fetcher->jobs = running->next;
        running_free(running);
    }
    while (fetcher->tokens) {
        struct token_request *request = fetcher->tokens;

        fetcher->tokens = request->next;
        token_request_free(request);
    }
    while (fetcher->first_out) {
        struct outgoing *out = fetcher->first_out;

        fetcher->first_out = out->next;
        out_free(out);
    }
    if (fetcher->multi)
        curl_multi_cleanup(fetcher->multi);
    auth_cache_done(&fetcher->auth);
    facts_done(fetcher);
    buf_wipe(&fetcher->incoming);
    mem_free(fetcher);
}

bool fetch_serve(int fd, int parser_fd, struct error *err)
{
    struct fetcher *fetcher = mem_new(1, sizeof(*fetcher));
    bool ok;

    if (!fetcher)
        return error_oom(err);
    fetcher->fd = fd;
    fetcher->parser_fd = parser_fd;
    fetcher->incoming = (struct buf)BUF_INIT(LIMIT_FETCH_JOB_BYTES + WIRE_HEADER_BYTES);
    ok = connections_renew(fetcher, err) && loop(fetcher, err);
    fetcher_done(fetcher);
    return ok;
}
