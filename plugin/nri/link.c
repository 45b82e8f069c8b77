/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/nri/link.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"

enum { MUX_HEADER_BYTES = 8, FRAME_MAX_BYTES = TTRPC_HEADER_BYTES + TTRPC_DATA_BYTES };

void nri_link_init(struct nri_link *link, int fd)
{
    /* One frame that is not complete, and at most one more multiplexer payload behind it. */
    *link = (struct nri_link){.fd = fd, .incoming = {BUF_INIT(2 * FRAME_MAX_BYTES), BUF_INIT(2 * FRAME_MAX_BYTES)}};
}

void nri_link_done(struct nri_link *link)
{
    buf_free(&link->incoming[0]);
    buf_free(&link->incoming[1]);
}

static bool read_exactly(int fd, uint8_t *bytes, size_t len, struct error *err)
{
    while (len > 0) {
        ssize_t got = read(fd, bytes, len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, REASON_UNAVAILABLE, errno, "reading from the runtime");
        if (got == 0)
            return error_set(err, REASON_UNAVAILABLE, "the runtime closed the connection");
        bytes += got;
        len -= (size_t)got;
    }
    return true;
}

/* One multiplexer frame into its connection's bytes. */
static bool read_mux_frame(struct nri_link *link, struct error *err)
{
    uint8_t header[MUX_HEADER_BYTES];
    struct reader reader = reader_of(span_of(header, sizeof(header)));
    uint32_t connection, len;
    uint8_t *place;

    if (!read_exactly(link->fd, header, sizeof(header), err))
        return false;
    connection = read_u32(&reader);
    len = read_u32(&reader);
    if (connection != NRI_PLUGIN_SERVICE && connection != NRI_RUNTIME_SERVICE)
        return error_set(err, REASON_MALFORMED, "NRI: connection %u, want 1 or 2", connection);
    if (len > FRAME_MAX_BYTES)
        return error_set(err, REASON_LIMIT, "NRI: a frame of %u bytes, the protocol's limit is %d", len,
                         FRAME_MAX_BYTES);
    place = buf_reserve(&link->incoming[connection - 1], len);
    if (!place)
        return error_set(err, REASON_LIMIT, "NRI: more bytes than one frame may hold");
    return read_exactly(link->fd, place, len, err);
}

/* Takes one whole ttrpc frame from the front of a connection's bytes; *ret_taken tells whether there was one. */
static bool take_frame(struct buf *bytes, struct nri_frame *frame, bool *ret_taken, struct error *err)
{
    struct reader reader = reader_of(buf_as_span(bytes));
    struct buf rest = BUF_INIT(bytes->max);
    uint32_t len = read_u32(&reader);
    uint32_t stream = read_u32(&reader);
    uint8_t type = read_u8(&reader);
    struct span data;

    (void)read_u8(&reader); /* flags: unary calls have none that matter */
    if (!reader.failed && len > TTRPC_DATA_BYTES)
        return error_set(err, REASON_LIMIT, "ttrpc: a message of %u bytes, the protocol's limit is %d", len,
                         TTRPC_DATA_BYTES);
    data = read_bytes(&reader, len);
    *ret_taken = !reader.failed;
    if (reader.failed)
        return true;
    frame->stream = stream;
    frame->type = type;
    frame->data = (struct buf)BUF_INIT(TTRPC_DATA_BYTES);
    buf_span(&frame->data, data);
    buf_span(&rest, reader.rest);
    if (!buf_ok(&frame->data) || !buf_ok(&rest)) {
        buf_free(&frame->data);
        return error_oom(err);
    }
    buf_free(bytes);
    *bytes = rest;
    return true;
}

bool nri_link_receive(struct nri_link *link, struct nri_frame *ret, struct error *err)
{
    for (;;) {
        for (uint32_t i = 0; i < 2; i++) {
            struct nri_frame frame = {.connection = i + 1};
            bool taken = false;

            if (!take_frame(&link->incoming[i], &frame, &taken, err))
                return false;
            if (taken) {
                *ret = frame;
                return true;
            }
        }
        if (!read_mux_frame(link, err))
            return false;
    }
}

bool nri_link_send(struct nri_link *link, uint32_t connection, uint32_t stream, uint8_t type, struct span data,
                   struct error *err)
{
    struct buf frame CLEANUP(buf_free) = BUF_INIT(MUX_HEADER_BYTES + FRAME_MAX_BYTES);

    buf_u32(&frame, connection);
    buf_u32(&frame, (uint32_t)(TTRPC_HEADER_BYTES + data.len));
    buf_u32(&frame, (uint32_t)data.len);
    buf_u32(&frame, stream);
    buf_byte(&frame, type);
    buf_byte(&frame, 0);
    buf_span(&frame, data);
    if (!buf_ok(&frame))
        return error_set(err, REASON_LIMIT, "an answer does not fit a ttrpc message");
    if (!fd_write_all(link->fd, frame.ptr, frame.len))
        return error_errno(err, REASON_UNAVAILABLE, errno, "writing to the runtime");
    return true;
}
