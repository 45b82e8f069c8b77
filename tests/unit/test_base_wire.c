/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wire.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static void build(struct buf *buf)
{
    size_t start = wire_begin(buf, 7);
    size_t nested;

    wire_put(buf, 1, span_str("abc"));
    wire_put_str(buf, 2, NULL);
    wire_put_str(buf, 2, "");
    wire_put_u32(buf, 3, 0x01020304);
    wire_put_u64(buf, 4, UINT64_MAX);
    nested = wire_open(buf, 5);
    wire_put_u32(buf, 6, 9);
    wire_close(buf, nested);
    wire_end(buf, start);
}

START_TEST(what_is_built_is_read)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(200);
    struct error err = ERROR_INIT;
    struct wire_message message;
    struct reader reader, inner;
    struct span value;
    uint16_t tag;
    uint32_t u32;
    uint64_t u64;

    build(&buf);
    ck_assert(buf_ok(&buf));
    ck_assert_mem_eq(buf.ptr, "PGM1\0\1\0\7\0\0\0", 11);
    ck_assert_msg(wire_parse(buf_as_span(&buf), &message, &err), "%s", err.text);
    ck_assert_uint_eq(message.type, 7);
    reader = reader_of(message.records);
    ck_assert(wire_next(&reader, &tag, &value) && tag == 1 && span_eq_str(value, "abc"));
    ck_assert(wire_next(&reader, &tag, &value) && tag == 2 && value.len == 0);
    ck_assert(wire_next(&reader, &tag, &value) && tag == 3 && wire_u32(value, &u32) && u32 == 0x01020304);
    ck_assert(!wire_u64(value, &u64));
    ck_assert(wire_next(&reader, &tag, &value) && tag == 4 && wire_u64(value, &u64) && u64 == UINT64_MAX);
    ck_assert(!wire_u32(value, &u32));
    ck_assert(wire_next(&reader, &tag, &value) && tag == 5);
    inner = reader_of(value);
    ck_assert(wire_next(&inner, &tag, &value) && tag == 6 && wire_u32(value, &u32) && u32 == 9);
    ck_assert(!wire_next(&inner, &tag, &value) && reader_done(&inner));
    ck_assert(!wire_next(&reader, &tag, &value) && reader_done(&reader));
}
END_TEST

/* A byte less, a byte more, and each byte of the header changed. */
START_TEST(mutants_are_refused)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(200);
    struct wire_message message;
    struct error err = ERROR_INIT;

    build(&buf);
    for (size_t len = 0; len < buf.len; len++) {
        CLEANUP(mem_freep) uint8_t *cut = mem_dup(buf.ptr, len);

        ck_assert(!wire_parse(span_of(cut, len), &message, &err));
        ck_assert_int_eq(err.reason, REASON_MALFORMED);
    }
    for (size_t i = 0; i < WIRE_HEADER_BYTES; i++) {
        buf.ptr[i] ^= 0x80;
        if (i != 6 && i != 7) { /* the type may be any */
            ck_assert(!wire_parse(buf_as_span(&buf), &message, &err));
            ck_assert_int_eq(err.reason, REASON_MALFORMED);
        }
        buf.ptr[i] ^= 0x80;
    }
    buf_byte(&buf, 0);
    ck_assert(!wire_parse(buf_as_span(&buf), &message, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
}
END_TEST

START_TEST(a_record_behind_the_message)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(200);
    struct wire_message message;
    struct error err = ERROR_INIT;

    build(&buf);
    wire_put_u32(&buf, 1, 2);
    ck_assert(!wire_parse(buf_as_span(&buf), &message, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
}
END_TEST

START_TEST(a_record_that_does_not_fit)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(200);
    struct wire_message message;
    struct error err = ERROR_INIT;
    size_t start = wire_begin(&buf, 1);

    buf_u16(&buf, 1);
    buf_u32(&buf, 4);
    buf_str(&buf, "abc");
    wire_end(&buf, start);
    ck_assert(!wire_parse(buf_as_span(&buf), &message, &err));
    ck_assert_str_eq(err.text, "message of type 1: a record does not fit");
}
END_TEST

START_TEST(texts_hold_no_nul)
{
    CLEANUP(mem_freep) char *text = wire_str(span_of("ab", 2));
    CLEANUP(mem_freep) char *empty = wire_str(span_of(NULL, 0));

    ck_assert_str_eq(text, "ab");
    ck_assert_str_eq(empty, "");
    ck_assert_ptr_null(wire_str(span_of("a\0b", 3)));
}
END_TEST

START_TEST(headers_are_bounded)
{
    static const uint8_t huge[] = {'P', 'G', 'M', '1', 0, 1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF};
    struct error err = ERROR_INIT;
    uint16_t type = 0;
    size_t len = 0;

    ck_assert(!wire_parse_header(span_of(huge, sizeof(huge)), 1000, &type, &len, &err));
    ck_assert_int_eq(err.reason, REASON_LIMIT);
    ck_assert(wire_parse_header(span_of(huge, sizeof(huge)), UINT32_MAX, &type, &len, &err));
    ck_assert_uint_eq(len, UINT32_MAX);
    ck_assert(!wire_parse_header(span_of(huge, sizeof(huge) - 1), 1000, &type, &len, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
}
END_TEST

START_TEST(a_full_buffer_fails)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(20);

    build(&buf);
    ck_assert(!buf_ok(&buf));
}
END_TEST

static int64_t soon(void)
{
    return mono_ms() + 5000;
}

/* Larger than any socket's buffer, so that both sides have to wait for each other. */
static void transfer(int from, int to)
{
    enum { BODY_BYTES = 3 * 1024 * 1024 };
    CLEANUP(buf_free) struct buf sent = BUF_INIT(BODY_BYTES + 100), got = BUF_INIT(BODY_BYTES + 100);
    struct error err = ERROR_INIT;
    size_t start = wire_begin(&sent, 1), record = wire_open(&sent, 2);
    uint8_t *body = buf_reserve(&sent, BODY_BYTES);
    int status = 0;
    pid_t child;

    for (size_t i = 0; i < BODY_BYTES; i++)
        body[i] = (uint8_t)(i * 7 + i / 256);
    wire_close(&sent, record);
    wire_end(&sent, start);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(wire_send(from, buf_as_span(&sent), soon(), &err) ? 0 : 1);
    ck_assert_msg(wire_receive(to, BODY_BYTES + 50, soon(), &got, &err), "%s", err.text);
    ck_assert(span_eq(buf_as_span(&got), buf_as_span(&sent)));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(large_messages_pass_sockets_and_pipes)
{
    int sockets[2], pipes[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    transfer(sockets[0], sockets[1]);
    ck_assert_int_eq(pipe(pipes), 0);
    transfer(pipes[1], pipes[0]);
    for (int i = 0; i < 2; i++) {
        close(sockets[i]);
        close(pipes[i]);
    }
}
END_TEST

static void check_receive(const void *bytes, size_t len, bool closed, size_t max, enum reason reason)
{
    CLEANUP(buf_free) struct buf got = BUF_INIT(1000);
    struct error err = ERROR_INIT;
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    ck_assert_int_eq(write(sockets[0], bytes, len), (ssize_t)len);
    if (closed)
        close(sockets[0]);
    ck_assert(!wire_receive(sockets[1], max, mono_ms() + (closed ? 5000 : 30), &got, &err));
    ck_assert_str_eq(reason_name(err.reason), reason_name(reason));
    if (!closed)
        close(sockets[0]);
    close(sockets[1]);
}

START_TEST(bad_peers)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(200);

    build(&buf);
    check_receive("", 0, true, 100, REASON_UNAVAILABLE);
    check_receive("", 0, false, 100, REASON_TIMEOUT);
    check_receive(buf.ptr, 5, true, 100, REASON_UNAVAILABLE);
    check_receive(buf.ptr, 5, false, 100, REASON_TIMEOUT);
    check_receive(buf.ptr, buf.len - 1, true, 100, REASON_UNAVAILABLE);
    check_receive(buf.ptr, buf.len - 1, false, 100, REASON_TIMEOUT);
    check_receive("GET / HTTP/1.1\r\n", 16, true, 100, REASON_MALFORMED);
    check_receive(buf.ptr, buf.len, true, 10, REASON_LIMIT);
    check_receive("PGM1\0\1\0\1\0\0\4\0", 12, true, 5000, REASON_LIMIT); /* 1024 bytes: more than the buffer takes */
}
END_TEST

START_TEST(sending_to_nobody)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(200);
    struct error err = ERROR_INIT;
    int sockets[2];

    build(&buf);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    close(sockets[1]);
    ck_assert(!wire_send(sockets[0], buf_as_span(&buf), soon(), &err)); /* and no SIGPIPE */
    ck_assert_int_eq(err.reason, REASON_UNAVAILABLE);
    close(sockets[0]);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    ck_assert(!wire_send(sockets[0], buf_as_span(&buf), mono_ms() - 1, &err));
    ck_assert_int_eq(err.reason, REASON_TIMEOUT);
    close(sockets[0]);
    close(sockets[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_wire");
    TCase *cases = tcase_create("wire");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_is_built_is_read);
    tcase_add_test(cases, mutants_are_refused);
    tcase_add_test(cases, a_record_behind_the_message);
    tcase_add_test(cases, a_record_that_does_not_fit);
    tcase_add_test(cases, texts_hold_no_nul);
    tcase_add_test(cases, headers_are_bounded);
    tcase_add_test(cases, a_full_buffer_fails);
    tcase_add_test(cases, large_messages_pass_sockets_and_pipes);
    tcase_add_test(cases, bad_peers);
    tcase_add_test(cases, sending_to_nobody);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
