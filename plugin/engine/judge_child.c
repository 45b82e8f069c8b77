/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process around the judge: receives evidence, asks for more, and sends one response. It runs judge_wants and
 * judge_decide as answers arrive, so that a blob is asked for while another look-up is still under way, and an allow
 * does not wait for what cannot change it.
 */
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "plugin/engine/judge.h"
#include "plugin/engine/sandbox.h"
#include "plugin/engine/store_child.h"
#include "plugin/process.h"
#include "plugin/replay/replay.h"
#include "verifier/fetch/fetch.h"
#include "verifier/store.h"

enum {
    JUDGE_SOCKET = 0, /* the lowest number: RLIMIT_NOFILE is then 1, and nothing more can be opened */
    STORE_SOCKET = 1, /* to the reader of directories, when there is one */
    RESPONSE_MAX_BYTES = LIMIT_EVIDENCE_BYTES + 64 * 1024 * 1024,
    WANTS_MAX_BYTES = 8 * 1024 * 1024,
    ANSWER_SLACK_BYTES = 64 * 1024, /* headers around one body */
    TAG_WANT = 1,
};

struct trial {
    const struct judge_input *input;
    struct evidence_set evidence;
    struct wants asked;       /* every want ever sent; id = index + 1; kind 0 = answered */
    size_t outstanding;
    size_t considered;        /* answers that the last judgement saw */
    uint64_t bytes;
    bool store;               /* STORE_SOCKET is open */
    bool structure;           /* something that may lead to further wants arrived since judge_wants last ran */
    struct fetch_counters counters;
};

static bool is_asked(const struct trial *trial, const struct want *want)
{
    for (size_t i = 0; i < trial->asked.count; i++) {
        const struct want *other = &trial->asked.items[i];

        if (other->kind == want->kind && strcmp(other->target, want->target) == 0 &&
            strcmp(other->repository, want->repository) == 0 && strcmp(other->host, want->host) == 0)
            return true;
    }
    return evidence_find(&trial->evidence, want->kind, want->host, want->repository, want->target) != NULL;
}

static bool keep(struct trial *trial, struct evidence *item, struct error *err);

/* What lies in a directory is answered at once. */
static bool ask_store(struct trial *trial, const struct want *want, struct error *err)
{
    CLEANUP(evidence_done) struct evidence item = {0};

    if (!trial->store)
        return error_set(err, REASON_INTERNAL, "nobody reads directories for this decision");
    return store_child_ask(STORE_SOCKET, want, &item, err) && keep(trial, &item, err);
}

/* Sends what is new among the wants; each becomes outstanding. */
static bool ask(struct trial *trial, const struct wants *wants, struct error *err)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(WANTS_MAX_BYTES);
    size_t start = wire_begin(&message, MESSAGE_WANTS);
    size_t sent = 0;

    for (size_t i = 0; i < wants->count; i++) {
        const struct want *want = &wants->items[i];
        struct want *mine;
        size_t nested;

        if (is_asked(trial, want))
            continue;
        if (!wants_add(&trial->asked, want->kind, want->host, want->repository, want->target, want->max_bytes, err))
            return false;
        mine = &trial->asked.items[trial->asked.count - 1];
        mine->id = (uint32_t)trial->asked.count;
        trial->outstanding++;
        if (strcmp(want->host, STORE_HOST) == 0) {
            if (!ask_store(trial, mine, err))
                return false;
            continue;
        }
        nested = wire_open(&message, TAG_WANT);
        want_write(&message, mine);
        wire_close(&message, nested);
        sent++;
    }
    wire_end(&message, start);
    if (!buf_ok(&message))
        return error_set(err, REASON_LIMIT, "the list of objects to fetch is too long");
    return sent == 0 || wire_send(JUDGE_SOCKET, buf_as_span(&message), INT64_MAX, err);
}

static bool ask_more(struct trial *trial, struct error *err)
{
    CLEANUP(wants_done) struct wants wants = {0};

    trial->structure = false;
    return judge_wants(trial->input, &trial->evidence, &wants, err) && ask(trial, &wants, err);
}

static bool keep(struct trial *trial, struct evidence *item, struct error *err)
{
    struct want *want;

    if (item->id == 0 || item->id > trial->asked.count || trial->asked.items[item->id - 1].kind == 0)
        return error_set(err, REASON_MALFORMED, "the fetcher answers what was not asked");
    want = &trial->asked.items[item->id - 1];
    if (item->body.len > want->max_bytes)
        return error_set(err, REASON_LIMIT, "the fetcher brings more than was asked for");
    trial->bytes += item->body.len;
    if (trial->bytes > LIMIT_EVIDENCE_BYTES)
        return error_set(err, REASON_LIMIT, "everything fetched for this image is larger than %d bytes",
                         LIMIT_EVIDENCE_BYTES);
    trial->structure = trial->structure || want->kind != WANT_BLOB;
    trial->outstanding--;
    return evidence_set_add(&trial->evidence, want, item, err); /* zeroes the want: kind 0 */
}

static bool receive_one(struct trial *trial, struct error *err)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(LIMIT_ATTESTATION_BYTES + ANSWER_SLACK_BYTES);
    CLEANUP(fetch_answer_done) struct fetch_answer answer = {0};

    if (!wire_receive(JUDGE_SOCKET, LIMIT_ATTESTATION_BYTES + ANSWER_SLACK_BYTES - WIRE_HEADER_BYTES, INT64_MAX,
                      &message, err) ||
        !fetch_answer_read(buf_as_span(&message), false, &answer, err))
        return false;
    if (answer.end) {
        trial->counters.depth += answer.counters.depth;
        return true;
    }
    trial->counters.requests += answer.requests; /* not from the end: it may come after the decision */
    if (!answer.evidence.owned)
        answer.evidence.owned = buf_take(&message); /* the body borrows from it */
    return keep(trial, &answer.evidence, err);
}

static bool more_waits(void)
{
    struct pollfd entry = {.fd = JUDGE_SOCKET, .events = POLLIN};

    return poll(&entry, 1, 0) > 0;
}

/* At least one message, and all that is there already. */
static bool receive(struct trial *trial, struct error *err)
{
    do
        if (!receive_one(trial, err))
            return false;
    while (trial->outstanding > 0 && more_waits());
    return true;
}

/* Judging anew after every answer would cost the square of the number of signatures: only when there is twice as much.
 */
static bool worth_judging(const struct trial *trial)
{
    return trial->evidence.count > 0 && trial->evidence.count >= 2 * trial->considered;
}

static bool try_early(struct trial *trial, struct response *ret)
{
    if (!worth_judging(trial))
        return false;
    trial->considered = trial->evidence.count;
    return judge_decide(trial->input, &trial->evidence, false, ret);
}

static bool run(struct trial *trial, struct response *ret, struct error *err)
{
    if (!ask_more(trial, err))
        return false;
    while (trial->outstanding > 0 || trial->structure) {
        if (!trial->structure && !receive(trial, err))
            return false;
        if (try_early(trial, ret))
            return true;
        if (trial->structure && !ask_more(trial, err))
            return false;
    }
    (void)judge_decide(trial->input, &trial->evidence, true, ret);
    return true;
}

static void attach_evidence(const struct trial *trial, struct response *response)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(RESPONSE_MAX_BYTES);
    size_t len;

    if (!(trial->input->request->flags & (REQUEST_EVIDENCE | REQUEST_COLLECT)))
        return;
    replay_write(&file, trial->input, &trial->evidence, response);
    len = file.len;
    if (!buf_ok(&file) || len == 0)
        return;
    response->evidence_owned = buf_take(&file);
    response->evidence = span_of(response->evidence_owned, len);
}

/* The two sockets at their numbers, and nothing else open. */
static bool place_sockets(int judge, int store)
{
    int copy = dup(judge); /* wherever it is, it must not be in the store's place */

    if (copy < 0 || (store >= 0 && store != STORE_SOCKET && dup2(store, STORE_SOCKET) < 0))
        return false;
    if (dup2(copy, JUDGE_SOCKET) < 0)
        return false;
    close_from(store >= 0 ? STORE_SOCKET + 1 : STORE_SOCKET);
    return true;
}

void judge_child(int fd, const struct sandbox *sandbox, const struct judge_input *input)
{
    struct trial trial = {.input = input};
    struct response response = {0};
    struct error err = ERROR_INIT;
    int store = -1;
    bool ready = store_child_start(input, sandbox, &store, &err);

    trial.store = store >= 0;
    if (!place_sockets(fd, store))
        _exit(1);
    if (!ready || !sandbox_enter(SANDBOX_JUDGE, sandbox, &err) || !run(&trial, &response, &err))
        response_deny(&response, err.reason, err.text);
    attach_evidence(&trial, &response);
    response.requests = trial.counters.requests;
    _exit(response_send(JUDGE_SOCKET, &response, INT64_MAX, &err) ? 0 : 1);
}
