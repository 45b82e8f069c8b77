/* SPDX-License-Identifier: Apache-2.0 */
/* The sandboxed half of a TUF update: the only process that looks into what the mirror sent. */
#include <unistd.h>

#include "base/clock.h"
#include "base/wire.h"
#include "plugin/cli/trust/wire.h"
#include "plugin/engine/sandbox.h"
#include "plugin/process.h"
#include "verifier/trustroot.h"

/* With the lowest number and one descriptor allowed, nothing more can be opened. */
enum { READER_SOCKET = 0 };

static bool ask(const struct tuf_request *request, struct buf *ret_answer, struct error *err)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(4096);
    size_t start = wire_begin(&message, TRUST_WANT);

    wire_put_str(&message, TRUST_TAG_NAME, request->name);
    wire_put_u64(&message, TRUST_TAG_MAX, request->max_bytes);
    wire_end(&message, start);
    if (!buf_ok(&message))
        return error_oom(err);
    return wire_send(READER_SOCKET, buf_as_span(&message), INT64_MAX, err) &&
           wire_receive(READER_SOCKET, TRUST_MESSAGE_BYTES, INT64_MAX, ret_answer, err);
}

static bool give(struct tuf *tuf, struct span message, struct error *err)
{
    struct wire_message parsed;
    struct reader records;
    struct span bytes = span_str("");
    uint16_t tag;

    if (!wire_parse(message, &parsed, err))
        return false;
    if (parsed.type == TRUST_ABSENT)
        return tuf_absent(tuf, err);
    records = reader_of(parsed.records);
    if (parsed.type != TRUST_FILE || !wire_next(&records, &tag, &bytes) || tag != TRUST_TAG_BYTES ||
        !reader_done(&records))
        return error_set(err, REASON_MALFORMED, "a file was asked for, and something else came");
    return tuf_give(tuf, bytes, err);
}

static bool update_all(struct tuf *tuf, struct error *err)
{
    struct tuf_request request;

    while (tuf_wants(tuf, &request)) {
        CLEANUP(buf_free) struct buf answer = BUF_INIT(TRUST_MESSAGE_BYTES + WIRE_HEADER_BYTES);

        if (!ask(&request, &answer, err) || !give(tuf, buf_as_span(&answer), err))
            return false;
    }
    return tuf_finished(tuf) || error_set(err, REASON_INTERNAL, "the update ended early");
}

/* What the repository calls a trust root has to be one that we can read. */
static bool check_target(struct span bytes, struct error *err)
{
    CLEANUP(trust_root_freep) struct trust_root *root = NULL;

    return trust_root_parse(bytes, &root, err) || error_wrap(err, "trusted_root.json");
}

static void send_result(const struct tuf *tuf, bool done, const struct error *why)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(TRUST_MESSAGE_BYTES + WIRE_HEADER_BYTES);
    struct error err = ERROR_INIT;
    size_t start = wire_begin(&message, TRUST_RESULT);

    wire_put_u32(&message, TRUST_TAG_DONE, done);
    wire_put_u32(&message, TRUST_TAG_REASON, (uint32_t)why->reason);
    wire_put_str(&message, TRUST_TAG_TEXT, why->text);
    for (int role = 0; tuf != NULL && role < TUF_ROLES; role++) {
        wire_put(&message, (uint16_t)(TRUST_TAG_ROLE + role), tuf_state(tuf, (enum tuf_role)role));
        wire_put_u64(&message, (uint16_t)(TRUST_TAG_VERSION + role), (uint64_t)tuf_version(tuf, (enum tuf_role)role));
        wire_put_u64(&message, (uint16_t)(TRUST_TAG_EXPIRES + role), (uint64_t)tuf_expires(tuf, (enum tuf_role)role));
    }
    if (done)
        wire_put(&message, TRUST_TAG_BYTES, tuf_target(tuf, 0));
    wire_end(&message, start);
    if (!buf_ok(&message) || !wire_send(READER_SOCKET, buf_as_span(&message), INT64_MAX, &err))
        _exit(1);
}

_Noreturn void trust_reader(int fd, const struct sandbox *sandbox, const struct trust_update *update)
{
    static const char *const names[] = { "trusted_root.json" };
    const struct span target = buf_as_span(&update->stored_target);
    struct tuf_stored stored = { .targets = &target };
    struct tuf *tuf = NULL;
    struct error err = ERROR_INIT;
    bool done;

    if (dup2(fd, READER_SOCKET) < 0)
        _exit(1);
    close_from(READER_SOCKET + 1);
    for (int role = 0; role < TUF_ROLES; role++)
        stored.roles[role] = buf_as_span(&update->stored[role]);
    done = sandbox_enter(SANDBOX_JUDGE, sandbox, &err) && tuf_new(&stored, names, 1, time_now(), &tuf, &err) &&
           update_all(tuf, &err) && check_target(tuf_target(tuf, 0), &err);
    send_result(tuf, done, &err);
    _exit(0);
}
