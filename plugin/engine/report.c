/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/report.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/wire.h"

enum {
    REPORT_MAX_BYTES = 2 * 1024 * 1024, /* the longest: a credential provider's output */
    PENDING_MAX_BYTES = 2 * REPORT_MAX_BYTES,
    CHUNK_BYTES = 8 * 1024,
    PATIENCE_MS = 500,
    TAG_BYTES = 1,
};

void report_send(int socket, enum report_type type, struct span bytes)
{
    CLEANUP(buf_wipe) struct buf message = BUF_INIT(REPORT_MAX_BYTES);
    struct error ignored = ERROR_INIT;
    size_t start;

    if (socket < 0)
        return;
    start = wire_begin(&message, (uint16_t)type);
    wire_put(&message, TAG_BYTES, bytes);
    wire_end(&message, start);
    if (!buf_ok(&message) || !wire_send(socket, buf_as_span(&message), mono_ms() + PATIENCE_MS, &ignored))
        return;
}

void report_open(struct report_channel *channel, int socket)
{
    *channel = (struct report_channel){.socket = socket, .pending = BUF_INIT(PENDING_MAX_BYTES)};
}

void report_close(struct report_channel *channel)
{
    if (channel->socket >= 0)
        (void)close(channel->socket);
    buf_wipe(&channel->pending);
    *channel = (struct report_channel){.socket = -1};
}

static bool take_message(struct span message, report_fn *each, void *context)
{
    struct error ignored = ERROR_INIT;
    struct wire_message parsed;
    struct reader records;
    struct span bytes;
    uint16_t tag;

    if (!wire_parse(message, &parsed, &ignored))
        return false;
    records = reader_of(parsed.records);
    if (!wire_next(&records, &tag, &bytes) || tag != TAG_BYTES)
        return false;
    each(context, (enum report_type)parsed.type, bytes);
    return true;
}

/* Every whole message at the front. False: these are no messages. */
static bool take_messages(struct buf *pending, report_fn *each, void *context)
{
    struct error ignored = ERROR_INIT;
    size_t used = 0;

    while (pending->len - used >= WIRE_HEADER_BYTES) {
        struct span rest = span_cut(buf_as_span(pending), used, SIZE_MAX);
        uint16_t type;
        size_t len;

        if (!wire_parse_header(span_cut(rest, 0, WIRE_HEADER_BYTES), REPORT_MAX_BYTES, &type, &len, &ignored))
            return false;
        if (rest.len - WIRE_HEADER_BYTES < len)
            break;
        if (!take_message(span_cut(rest, 0, WIRE_HEADER_BYTES + len), each, context))
            return false;
        used += WIRE_HEADER_BYTES + len;
    }
    if (used > 0) {
        memmove(pending->ptr, pending->ptr + used, pending->len - used);
        explicit_bzero(pending->ptr + pending->len - used, used);
        pending->len -= used;
    }
    return true;
}

void report_receive(struct report_channel *channel, report_fn *each, void *context)
{
    while (channel->socket >= 0) {
        uint8_t chunk[CHUNK_BYTES];
        ssize_t got = recv(channel->socket, chunk, sizeof(chunk), MSG_DONTWAIT);

        if (got > 0)
            buf_append(&channel->pending, chunk, (size_t)got);
        if (got == 0)
            report_close(channel); /* the worker has ended, or is about to */
        if (got <= 0)
            return;
        explicit_bzero(chunk, (size_t)got);
        if (!buf_ok(&channel->pending) || !take_messages(&channel->pending, each, context))
            report_close(channel);
    }
}
