/* SPDX-License-Identifier: Apache-2.0 */
/* NRI's two framing layers: whole, spread over frames, interleaved, and wrong. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "plugin/nri/link.h"
#include "tests/unit/harness.h"

static int ends[2];
static struct nri_link link_;

static void setup(void)
{
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    nri_link_init(&link_, ends[0]);
}

static void teardown(void)
{
    nri_link_done(&link_);
    (void)close(ends[0]);
    if (ends[1] >= 0)
        (void)close(ends[1]);
}

static void hear(const void *bytes, size_t len)
{
    ck_assert_int_eq(write(ends[1], bytes, len), (ssize_t)len);
}

/* No more is said: what is not whole by then never will be. */
static enum reason refusal(const char *words)
{
    struct error err = ERROR_INIT;
    struct nri_frame frame;

    (void)close(ends[1]);
    ends[1] = -1;
    ck_assert(!nri_link_receive(&link_, &frame, &err));
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    return err.reason;
}

static void expect_frame(uint32_t connection, uint32_t stream, const char *data)
{
    struct error err = ERROR_INIT;
    struct nri_frame frame;

    ck_assert_msg(nri_link_receive(&link_, &frame, &err), "%s", err.text);
    ck_assert_uint_eq(frame.connection, connection);
    ck_assert_uint_eq(frame.stream, stream);
    ck_assert(span_eq_str(buf_as_span(&frame.data), data));
    buf_free(&frame.data);
}

/* connection, length, then length, stream, type, flags, data */
#define FRAME_AB "\0\0\0\1\0\0\0\x0c" "\0\0\0\2\0\0\0\7\1\0" "ab"

START_TEST(whole_frames)
{
    hear(FRAME_AB FRAME_AB, 40);
    hear("\0\0\0\2\0\0\0\x0a" "\0\0\0\0\0\0\0\1\2\0", 18);
    expect_frame(NRI_PLUGIN_SERVICE, 7, "ab");
    expect_frame(NRI_PLUGIN_SERVICE, 7, "ab");
    expect_frame(NRI_RUNTIME_SERVICE, 1, "");
    ck_assert_int_eq(refusal("the runtime closed the connection"), REASON_UNAVAILABLE);
}
END_TEST

/* A message in three multiplexer frames, one of the other connection between them, and two messages in one frame. */
START_TEST(spread_frames)
{
    hear("\0\0\0\1\0\0\0\3" "\0\0\0", 11);
    hear("\0\0\0\2\0\0\0\x0b" "\0\0\0\1\0\0\0\5\2\0x", 19);
    hear("\0\0\0\1\0\0\0\7" "\2\0\0\0\7\1\0", 15);
    hear("\0\0\0\1\0\0\0\0", 8);
    hear("\0\0\0\1\0\0\0\x0e" "ab" "\0\0\0\2\0\0\0\x8\1\0" "cd", 22);
    expect_frame(NRI_RUNTIME_SERVICE, 5, "x");
    expect_frame(NRI_PLUGIN_SERVICE, 7, "ab");
    expect_frame(NRI_PLUGIN_SERVICE, 8, "cd");
}
END_TEST

START_TEST(other_connections)
{
    hear("\0\0\0\3\0\0\0\0", 8);
    ck_assert_int_eq(refusal("connection 3, want 1 or 2"), REASON_MALFORMED);
}
END_TEST

START_TEST(connection_zero)
{
    hear("\0\0\0\0\0\0\0\0", 8);
    ck_assert_int_eq(refusal("connection 0, want 1 or 2"), REASON_MALFORMED);
}
END_TEST

START_TEST(long_multiplexer_frames)
{
    hear("\0\0\0\1\xff\xff\xff\xff", 8);
    ck_assert_int_eq(refusal("a frame of 4294967295 bytes"), REASON_LIMIT);
}
END_TEST

START_TEST(long_messages)
{
    hear("\0\0\0\1\0\0\0\x0a" "\0\x40\0\1\0\0\0\7\1\0", 18); /* one byte above 4 MiB */
    ck_assert_int_eq(refusal("ttrpc: a message of 4194305 bytes"), REASON_LIMIT);
}
END_TEST

/* Cut off anywhere: an end, never a frame. */
START_TEST(cut_off)
{
    hear(FRAME_AB, (size_t)_i);
    ck_assert_int_eq(refusal("the runtime closed the connection"), REASON_UNAVAILABLE);
}
END_TEST

START_TEST(sends)
{
    struct error err = ERROR_INIT;
    uint8_t found[64];
    struct nri_link other;

    nri_link_init(&other, ends[1]);
    ck_assert(nri_link_send(&other, NRI_PLUGIN_SERVICE, 7, TTRPC_REQUEST, span_str("ab"), &err));
    ck_assert_int_eq(read(ends[0], found, sizeof(found)), 20);
    ck_assert_mem_eq(found, FRAME_AB, 20);
    nri_link_done(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_nri");
    TCase *cases = tcase_create("nri");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, whole_frames);
    tcase_add_test(cases, spread_frames);
    tcase_add_test(cases, other_connections);
    tcase_add_test(cases, connection_zero);
    tcase_add_test(cases, long_multiplexer_frames);
    tcase_add_test(cases, long_messages);
    tcase_add_loop_test(cases, cut_off, 0, 20);
    tcase_add_test(cases, sends);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
