/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/message.h"

#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "tests/unit/harness.h"

static char text_reference[] = "registry.example.com/app:1";
static char text_digest[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static char text_password[] = "secret";

static void sample_request(struct buf *buf)
{
    struct request request = {.reference = text_reference,
                              .digest = text_digest,
                              .password = text_password,
                              .operation = OPERATION_PULL,
                              .flags = REQUEST_REPORT,
                              .deadline_ms = 7000};

    request_write(buf, &request);
    ck_assert(buf_ok(buf));
}

START_TEST(request_comes_back)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    CLEANUP(request_done) struct request request = {0};
    struct error err = ERROR_INIT;

    sample_request(&buf);
    ck_assert_msg(request_read(buf_as_span(&buf), &request, &err), "%s", err.text);
    ck_assert_str_eq(request.reference, text_reference);
    ck_assert_str_eq(request.digest, text_digest);
    ck_assert_str_eq(request.password, text_password);
    ck_assert(request.policy == NULL);
    ck_assert_uint_eq(request.flags, REQUEST_REPORT);
    ck_assert_uint_eq(request.deadline_ms, 7000);
}
END_TEST

START_TEST(request_cut_anywhere_is_refused)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    struct error err = ERROR_INIT;

    sample_request(&buf);
    for (size_t len = 0; len < buf.len; len++) {
        CLEANUP(request_done) struct request request = {0};

        ck_assert(!request_read(span_of(buf.ptr, len), &request, &err));
        ck_assert_int_eq(err.reason, REASON_MALFORMED);
    }
}
END_TEST

START_TEST(request_needs_an_image)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    struct request empty = {.operation = OPERATION_PULL};
    CLEANUP(request_done) struct request request = {0};
    struct error err = ERROR_INIT;

    request_write(&buf, &empty);
    ck_assert(!request_read(buf_as_span(&buf), &request, &err));
    ck_assert_int_eq(err.reason, REASON_BAD_REQUEST);
}
END_TEST

/* A response message of our own making: verdict, reason, digest, extra record. */
static void craft(struct buf *buf, uint32_t verdict, uint32_t reason, const char *digest, uint16_t extra)
{
    size_t start = wire_begin(buf, MESSAGE_RESPONSE);

    wire_put_str(buf, 5, digest);
    wire_put_u32(buf, 40, verdict);
    wire_put_u32(buf, 41, reason);
    wire_put_u32(buf, 42, 0);
    if (extra > 0)
        wire_put_u32(buf, extra, 0);
    wire_end(buf, start);
}

static const struct {
    uint32_t verdict, reason;
    const char *digest;
    uint16_t extra;
    bool ok;
} responses[] = {
    {VERDICT_WIRE_ALLOW, REASON_OK, text_digest, 0, true},
    {VERDICT_WIRE_ALLOW, REASON_WARN_MODE, text_digest, 0, true},
    {VERDICT_WIRE_DENY, REASON_WRONG_KEY, NULL, 0, true},
    {VERDICT_WIRE_ALLOW, REASON_WRONG_KEY, text_digest, 0, false}, /* reasons of deny do not allow */
    {VERDICT_WIRE_DENY, REASON_OK, text_digest, 0, false},
    {VERDICT_WIRE_ALLOW, REASON_OK, NULL, 0, false},               /* which image? */
    {1, REASON_OK, text_digest, 0, false},                         /* a stray true is no allow */
    {VERDICT_WIRE_ALLOW, REASON_COUNT, text_digest, 0, false},
    {VERDICT_WIRE_ALLOW, REASON_OK, text_digest, 40, false},       /* the verdict twice */
    {VERDICT_WIRE_ALLOW, REASON_OK, text_digest, 31, false},       /* unknown records */
    {VERDICT_WIRE_ALLOW, REASON_OK, text_digest, 99, false},
};

START_TEST(response_must_be_consistent)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    CLEANUP(response_done) struct response response = {0};
    struct error err = ERROR_INIT;

    craft(&buf, responses[_i].verdict, responses[_i].reason, responses[_i].digest, responses[_i].extra);
    ck_assert(response_read(buf_as_span(&buf), &response, &err) == responses[_i].ok);
    if (!responses[_i].ok) {
        ck_assert_int_eq(err.reason, REASON_MALFORMED);
        ck_assert(!verdict_is_allow(response.verdict));
    } else {
        ck_assert(verdict_is_allow(response.verdict) == (responses[_i].verdict == VERDICT_WIRE_ALLOW));
    }
}
END_TEST

START_TEST(response_cut_anywhere_is_refused)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    struct error err = ERROR_INIT;

    craft(&buf, VERDICT_WIRE_ALLOW, REASON_OK, text_digest, 0);
    for (size_t len = 0; len < buf.len; len++) {
        CLEANUP(response_done) struct response response = {0};

        ck_assert(!response_read(span_of(buf.ptr, len), &response, &err));
        ck_assert(!verdict_is_allow(response.verdict));
    }
}
END_TEST

/* A deny with a file of evidence, as a message. */
static void craft_evidence(struct buf *buf)
{
    struct response response = {.reason = REASON_NO_SIGNATURE, .digest = text_digest, .evidence = span_str("the file")};

    response_write(buf, &response);
    ck_assert(buf_ok(buf));
}

START_TEST(evidence_is_copied_or_taken_over)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    CLEANUP(response_done) struct response copied = {0};
    CLEANUP(response_done) struct response taken = {0};
    struct error err = ERROR_INIT;
    const uint8_t *block;

    craft_evidence(&buf);
    block = buf.ptr;
    ck_assert_msg(response_read(buf_as_span(&buf), &copied, &err), "%s", err.text);
    ck_assert(span_eq_str(copied.evidence, "the file"));
    ck_assert_ptr_eq(copied.evidence.ptr, copied.evidence_owned);
    ck_assert_msg(response_take(&buf, buf_as_span(&buf), &taken, &err), "%s", err.text);
    ck_assert(span_eq_str(taken.evidence, "the file"));
    ck_assert_ptr_eq(taken.evidence_owned, block);
    ck_assert_ptr_null(buf.ptr);
}
END_TEST

START_TEST(a_block_without_evidence_stays_the_callers)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    CLEANUP(response_done) struct response response = {0};
    struct error err = ERROR_INIT;

    craft(&buf, VERDICT_WIRE_DENY, REASON_NO_SIGNATURE, text_digest, 0);
    ck_assert_msg(response_take(&buf, buf_as_span(&buf), &response, &err), "%s", err.text);
    ck_assert_ptr_nonnull(buf.ptr);
    ck_assert_ptr_null(response.evidence_owned);
    ck_assert_ptr_null(response.evidence.ptr);
}
END_TEST

START_TEST(evidence_that_comes_twice_is_refused)
{
    enum { TAG_EVIDENCE = 45 };
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    CLEANUP(response_done) struct response response = {0};
    struct error err = ERROR_INIT;

    craft_evidence(&buf);
    wire_put(&buf, TAG_EVIDENCE, span_str("another"));
    wire_end(&buf, 0);
    ck_assert(!response_take(&buf, buf_as_span(&buf), &response, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    ck_assert_ptr_nonnull(buf.ptr);
}
END_TEST

START_TEST(a_response_is_sent_as_it_is_written)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4096);
    struct response response = {.reason = REASON_NO_SIGNATURE, .digest = text_digest, .evidence = span_str("the file")};
    struct error err = ERROR_INIT;
    uint8_t bytes[4096];
    int ends[2];

    craft_evidence(&buf);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_msg(response_send(ends[1], &response, INT64_MAX, &err), "%s", err.text);
    ck_assert_int_eq(close(ends[1]), 0);
    ck_assert(span_eq(span_of(bytes, (size_t)read(ends[0], bytes, sizeof(bytes))), buf_as_span(&buf)));
    ck_assert_int_eq(close(ends[0]), 0);
}
END_TEST

/* Longer than a reader takes, and with what is no text: the answer arrives all the same. */
START_TEST(what_is_said_can_be_read)
{
    CLEANUP(buf_free) struct buf wire = BUF_INIT(100000);
    struct response response = {.reason = REASON_WRONG_KEY}, back = {0};
    struct error err = ERROR_INIT;

    response_say(&response, mem_printf("%0600d\n\xc3", 7));
    ck_assert_uint_eq(strlen(response.message), LIMIT_REASON_LINE_BYTES);
    response_say(&response, NULL);
    response_write(&wire, &response);
    ck_assert_msg(response_read(buf_as_span(&wire), &back, &err), "%s", err.text);
    ck_assert_str_eq(back.message, response.message);
    response_done(&response);
    response_done(&back);
}
END_TEST

START_TEST(a_deny_never_carries_a_reason_of_allow)
{
    CLEANUP(response_done) struct response response = {0};

    response_deny(&response, REASON_OK, "forged\nline\x1b[2J");
    ck_assert_int_eq(response.reason, REASON_INTERNAL);
    ck_assert(!verdict_is_allow(response.verdict));
    ck_assert(strpbrk(response.message, "\n\x1b") == NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_message");
    TCase *cases = tcase_create("message");

    tcase_add_test(cases, request_comes_back);
    tcase_add_test(cases, request_cut_anywhere_is_refused);
    tcase_add_test(cases, request_needs_an_image);
    tcase_add_loop_test(cases, response_must_be_consistent, 0, (int)ARRAY_LEN(responses));
    tcase_add_test(cases, response_cut_anywhere_is_refused);
    tcase_add_test(cases, evidence_is_copied_or_taken_over);
    tcase_add_test(cases, a_block_without_evidence_stays_the_callers);
    tcase_add_test(cases, evidence_that_comes_twice_is_refused);
    tcase_add_test(cases, a_response_is_sent_as_it_is_written);
    tcase_add_test(cases, what_is_said_can_be_read);
    tcase_add_test(cases, a_deny_never_carries_a_reason_of_allow);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
