/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/arrival.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/wire.h"
#include "plugin/engine/once.h"

enum { FIRST_PIECE_BYTES = 4096 };

void arrival_begin(struct arrival *arrival, int socket)
{
    *arrival = (struct arrival){.socket = socket,
                                .began_us = mono_us(),
                                .message = BUF_INIT(LIMIT_HOOK_MESSAGE_BYTES + WIRE_HEADER_BYTES)};
}

void arrival_end(struct arrival *arrival)
{
    if (arrival->socket >= 0)
        (void)close(arrival->socket);
    buf_wipe(&arrival->message);
    request_done(&arrival->request);
    *arrival = (struct arrival){.socket = -1};
}

/* How many bytes the message still lacks, as far as it is known: the first piece is nearly always all of it. */
static bool missing(const struct buf *message, size_t *ret, struct error *err)
{
    size_t len = 0;
    uint16_t type;

    if (message->len < WIRE_HEADER_BYTES) {
        *ret = FIRST_PIECE_BYTES;
        return true;
    }
    if (!wire_parse_header(span_cut(buf_as_span(message), 0, WIRE_HEADER_BYTES), LIMIT_HOOK_MESSAGE_BYTES, &type, &len,
                           err))
        return false;
    if (message->len > WIRE_HEADER_BYTES + len)
        return error_set(err, REASON_MALFORMED, "more than one request");
    *ret = WIRE_HEADER_BYTES + len - message->len;
    return true;
}

/* One piece; *ret_more: there may be another one already. */
static bool read_some(struct arrival *arrival, size_t wanted, bool *ret_more, struct error *err)
{
    uint8_t *place = buf_reserve(&arrival->message, wanted);
    ssize_t got;

    *ret_more = false;
    if (!place)
        return error_oom(err);
    got = read(arrival->socket, place, wanted);
    arrival->message.len -= wanted - (got > 0 ? (size_t)got : 0);
    *ret_more = got > 0;
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
        return true;
    return error_set(err, REASON_UNAVAILABLE, "the caller has gone");
}

static enum arrival_state read_all(struct arrival *arrival, struct error *err)
{
    bool more = true;
    size_t wanted = 0;

    while (more) {
        if (!missing(&arrival->message, &wanted, err))
            return ARRIVAL_BAD;
        if (wanted == 0) {
            arrival->whole = request_read(buf_as_span(&arrival->message), &arrival->request, err);
            buf_wipe(&arrival->message);
            return arrival->whole ? ARRIVAL_WHOLE : ARRIVAL_BAD;
        }
        if (!read_some(arrival, wanted, &more, err))
            return ARRIVAL_BAD;
    }
    if (mono_us() / 1000 - arrival->began_us / 1000 < REQUEST_ARRIVES_MS)
        return ARRIVAL_MORE;
    (void)error_set(err, REASON_TIMEOUT, "message: no time left");
    return ARRIVAL_BAD;
}

enum arrival_state arrival_read(struct arrival *arrival, struct error *err)
{
    enum arrival_state state = read_all(arrival, err);
    bool over = err->reason == REASON_UNAVAILABLE || err->reason == REASON_TIMEOUT;

    return state == ARRIVAL_BAD && over && arrival->message.len == 0 ? ARRIVAL_NOTHING : state;
}
