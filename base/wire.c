/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static const uint8_t magic[4] = {'P', 'G', 'M', '1'};

enum { LENGTH_OFFSET = 8 }; /* of a message's length field */

/* Writes the length of what stands behind the length field at `at`, and of `more` that will. */
static void fill_length(struct buf *buf, size_t at, size_t more)
{
    size_t length;

    if (buf->failed)
        return;
    length = buf->len - at - 4;
    if (length > UINT32_MAX || more > UINT32_MAX - length) {
        (void)buf_reserve(buf, SIZE_MAX); /* cannot be told: fails the buffer */
        return;
    }
    length += more;
    for (size_t i = 0; i < 4; i++)
        buf->ptr[at + i] = (uint8_t)(length >> (24 - 8 * i));
}

size_t wire_begin(struct buf *buf, uint16_t type)
{
    size_t start = buf->len;

    buf_append(buf, magic, sizeof(magic));
    buf_u16(buf, WIRE_VERSION);
    buf_u16(buf, type);
    buf_u32(buf, 0);
    return start;
}

void wire_end(struct buf *buf, size_t start)
{
    fill_length(buf, start + LENGTH_OFFSET, 0);
}

void wire_end_more(struct buf *buf, size_t start, size_t more)
{
    fill_length(buf, start + LENGTH_OFFSET, more);
}

void wire_put(struct buf *buf, uint16_t tag, struct span bytes)
{
    size_t start = wire_open(buf, tag);

    buf_span(buf, bytes);
    wire_close(buf, start);
}

void wire_put_str(struct buf *buf, uint16_t tag, const char *text)
{
    if (text)
        wire_put(buf, tag, span_str(text));
}

void wire_put_u32(struct buf *buf, uint16_t tag, uint32_t value)
{
    size_t start = wire_open(buf, tag);

    buf_u32(buf, value);
    wire_close(buf, start);
}

void wire_put_u64(struct buf *buf, uint16_t tag, uint64_t value)
{
    size_t start = wire_open(buf, tag);

    buf_u64(buf, value);
    wire_close(buf, start);
}

size_t wire_open(struct buf *buf, uint16_t tag)
{
    size_t start;

    buf_u16(buf, tag);
    start = buf->len;
    buf_u32(buf, 0);
    return start;
}

void wire_close(struct buf *buf, size_t start)
{
    fill_length(buf, start, 0);
}

void wire_close_more(struct buf *buf, size_t start, size_t more)
{
    fill_length(buf, start, more);
}

bool wire_parse_header(struct span header, size_t max, uint16_t *ret_type, size_t *ret_len, struct error *err)
{
    struct reader reader = reader_of(header);
    struct span mark = read_bytes(&reader, sizeof(magic));
    uint16_t version = read_u16(&reader);
    uint16_t type = read_u16(&reader);
    uint32_t length = read_u32(&reader);

    if (!reader_done(&reader) || !span_eq(mark, span_of(magic, sizeof(magic))))
        return error_set(err, REASON_MALFORMED, "message: header is not one of ours");
    if (version != WIRE_VERSION)
        return error_set(err, REASON_MALFORMED, "message: version %u, wanted %d", version, WIRE_VERSION);
    if (length > max)
        return error_set(err, REASON_LIMIT, "message: %u bytes, at most %zu are taken", length, max);
    *ret_type = type;
    *ret_len = length;
    return true;
}

bool wire_parse(struct span bytes, struct wire_message *ret, struct error *err)
{
    struct reader reader;
    struct span records, value;
    uint16_t type, tag;
    size_t len;

    if (bytes.len < WIRE_HEADER_BYTES)
        return error_set(err, REASON_MALFORMED, "message: %zu bytes are no header", bytes.len);
    if (!wire_parse_header(span_cut(bytes, 0, WIRE_HEADER_BYTES), UINT32_MAX, &type, &len, err))
        return false;
    records = span_cut(bytes, WIRE_HEADER_BYTES, SIZE_MAX);
    if (records.len != len)
        return error_set(err, REASON_MALFORMED, "message: says %zu bytes of records, has %zu", len, records.len);
    reader = reader_of(records);
    while (wire_next(&reader, &tag, &value))
        ;
    if (reader.failed)
        return error_set(err, REASON_MALFORMED, "message of type %u: a record does not fit", type);
    ret->type = type;
    ret->records = records;
    return true;
}

bool wire_records(struct span bytes, uint16_t type, struct reader *ret, struct error *err)
{
    struct wire_message message;

    if (!wire_parse(bytes, &message, err))
        return false;
    if (message.type != type)
        return error_set(err, REASON_MALFORMED, "message: type %u where %u is wanted", message.type, type);
    *ret = reader_of(message.records);
    return true;
}

bool wire_next(struct reader *records, uint16_t *ret_tag, struct span *ret_bytes)
{
    struct span bytes;
    uint16_t tag;
    uint32_t len;

    if (records->failed || records->rest.len == 0)
        return false;
    tag = read_u16(records);
    len = read_u32(records);
    bytes = read_bytes(records, len);
    if (records->failed)
        return false;
    *ret_tag = tag;
    *ret_bytes = bytes;
    return true;
}

bool wire_u32(struct span bytes, uint32_t *ret)
{
    struct reader reader = reader_of(bytes);
    uint32_t value = read_u32(&reader);

    if (!reader_done(&reader))
        return false;
    *ret = value;
    return true;
}

bool wire_u64(struct span bytes, uint64_t *ret)
{
    struct reader reader = reader_of(bytes);
    uint64_t value = read_u64(&reader);

    if (!reader_done(&reader))
        return false;
    *ret = value;
    return true;
}

char *wire_str(struct span bytes)
{
    return span_dup(bytes);
}

/* Waits until fd can do what events says, or is closed or broken (the transfer that follows will tell which). */
static bool wait_for(int fd, short events, int64_t deadline, struct error *err)
{
    for (;;) {
        struct pollfd wanted = {.fd = fd, .events = events, .revents = 0};
        int left = deadline_left_ms(deadline);
        int count;

        if (left == 0)
            return error_set(err, REASON_TIMEOUT, "message: no time left");
        count = poll(&wanted, 1, left);
        if (count > 0)
            return true;
        if (count < 0 && errno != EINTR)
            return error_errno(err, REASON_UNAVAILABLE, errno, "message: poll");
    }
}

/*
 * One piece, never blocking and never raising SIGPIPE on a socket. A pipe takes pieces that it promises not to block on
 * after poll (pipe(7)); its SIGPIPE is the program's business.
 */
static ssize_t send_some(int fd, struct span bytes)
{
    ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0 && errno == ENOTSOCK)
        sent = write(fd, bytes.ptr, bytes.len < PIPE_BUF ? bytes.len : PIPE_BUF);
    return sent;
}

bool wire_send(int fd, struct span message, int64_t deadline, struct error *err)
{
    while (message.len > 0) {
        ssize_t sent;

        if (!wait_for(fd, POLLOUT, deadline, err))
            return false;
        sent = send_some(fd, message);
        if (sent < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (sent < 0)
            return error_errno(err, REASON_UNAVAILABLE, errno, "message: sending");
        message = span_cut(message, (size_t)sent, SIZE_MAX);
    }
    return true;
}

static bool receive_bytes(int fd, uint8_t *place, size_t len, int64_t deadline, struct error *err)
{
    size_t done = 0;

    while (done < len) {
        ssize_t got;

        if (!wait_for(fd, POLLIN, deadline, err))
            return false;
        got = read(fd, place + done, len - done);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return error_errno(err, REASON_UNAVAILABLE, errno, "message: receiving");
        if (got == 0)
            return error_set(err, REASON_UNAVAILABLE, "message: the other side closed after %zu of %zu bytes", done,
                             len);
        done += (size_t)got;
    }
    return true;
}

bool wire_receive(int fd, size_t max, int64_t deadline, struct buf *ret, struct error *err)
{
    uint8_t header[WIRE_HEADER_BYTES];
    uint8_t *place;
    uint16_t type;
    size_t len;

    if (!receive_bytes(fd, header, sizeof(header), deadline, err))
        return false;
    if (!wire_parse_header(span_of(header, sizeof(header)), max, &type, &len, err))
        return false;
    if (len > SIZE_MAX - sizeof(header) || len + sizeof(header) > ret->max - ret->len)
        return error_set(err, REASON_LIMIT, "message: %zu bytes do not fit", len);
    place = buf_reserve(ret, sizeof(header) + len);
    if (!place)
        return error_oom(err);
    memcpy(place, header, sizeof(header));
    return receive_bytes(fd, place + sizeof(header), len, deadline, err);
}
