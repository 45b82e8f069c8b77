/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pem.h"

#include <string.h>

#include "tests/unit/harness.h"

static const struct {
    const char *text;
    enum reason reason; /* OK = the bytes 00 01 02 */
    const char *message;
} cases[] = {
    {"-----BEGIN X-----\nAAEC\n-----END X-----\n", REASON_OK, NULL},
    {"-----BEGIN X-----\nAAEC\n-----END X-----", REASON_OK, NULL},
    {"\n \n-----BEGIN X-----\r\nAA\r\nEC\r\n-----END X-----  \r\n\n", REASON_OK, NULL},
    {"", REASON_MALFORMED, "empty"},
    {" \n", REASON_MALFORMED, "empty"},
    {"hello", REASON_MALFORMED, "no PEM block"},
    {"AAEC\n-----END X-----\n", REASON_MALFORMED, "start cut off"},
    {"  -----BEGIN X-----\n  AAEC\n  -----END X-----\n", REASON_MALFORMED, "first column"},
    {"-----BEGIN X-----\n  AAEC\n  -----END X-----\n", REASON_MALFORMED, "indented"},
    {"-----BEGIN X----- AAEC -----END X-----\n", REASON_MALFORMED, "line breaks were lost"},
    {"-----BEGIN X-----\\nAAEC\\n-----END X-----\\n", REASON_MALFORMED, "two characters"},
    {"-----BEGIN X-----\nAAEC -----END X-----\n", REASON_MALFORMED, "line breaks lost"},
    {"-----BEGIN X-----\nAAEC\n", REASON_MALFORMED, "truncated"},
    {"-----BEGIN X-----", REASON_MALFORMED, "truncated"},
    {"-----BEGIN X-----\nAAEC\n-----END Y-----\n", REASON_MALFORMED, "not closed"},
    {"-----BEGIN X-----\nAAEC\n-----END X---\n", REASON_MALFORMED, "not closed"},
    {"-----BEGIN X\nAAEC\n-----END X-----\n", REASON_MALFORMED, "BEGIN line is malformed"},
    {"-----BEGIN x-----\nAAEC\n-----END x-----\n", REASON_MALFORMED, "BEGIN line is malformed"},
    {"-----BEGIN -----\nAAEC\n-----END -----\n", REASON_MALFORMED, "BEGIN line is malformed"},
    {"-----BEGIN Y-----\nAAEC\n-----END Y-----\n", REASON_MALFORMED, "want a PEM block X, found Y"},
    {"-----BEGIN X-----\nAAE\n-----END X-----\n", REASON_MALFORMED, "not base64"},
    {"-----BEGIN X-----\nAAEC!\n-----END X-----\n", REASON_MALFORMED, "not base64"},
    {"-----BEGIN X-----\nAAECAB==\n-----END X-----\n", REASON_MALFORMED, "not base64"},
    {"-----BEGIN X-----\n\n-----END X-----\n", REASON_MALFORMED, "is empty"},
    {"-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nAAEC\n-----END X-----\n", REASON_MALFORMED, "header lines"},
    {"-----BEGIN X-----\nAAECAAECAAECAAECAAECAAEC\n-----END X-----\n", REASON_MALFORMED, NULL},
    {"note\n-----BEGIN X-----\nAAEC\n-----END X-----\n", REASON_MALFORMED, "around it"},
    {"-----BEGIN X-----\nAAEC\n-----END X-----\nnote\n", REASON_MALFORMED, "around it"},
    {"-----BEGIN X-----\nAAEC\n-----END X-----\n-----BEGIN X-----\nAAEC\n-----END X-----\n", REASON_MALFORMED,
     "second block"},
};

START_TEST(single_blocks)
{
    static const uint8_t wanted[] = {0, 1, 2};
    struct buf bytes CLEANUP(buf_free) = BUF_INIT(0);
    struct error err = ERROR_INIT;
    bool done = pem_single(span_str(cases[_i].text), "X", 3, &bytes, &err);

    ck_assert_msg(done == (cases[_i].reason == REASON_OK), "case %d: %s", _i, err.text);
    if (done) {
        ck_assert(span_eq(buf_as_span(&bytes), span_of(wanted, sizeof(wanted))));
        return;
    }
    ck_assert_msg(err.reason == cases[_i].reason || err.reason == REASON_LIMIT, "case %d: %s", _i, err.text);
    if (cases[_i].message)
        ck_assert_msg(strstr(err.text, cases[_i].message) != NULL, "case %d: %s", _i, err.text);
}
END_TEST

START_TEST(walks_blocks)
{
    struct span text =
        span_str("a\n-----BEGIN X-----\nAAEC\n-----END X-----\nb\n-----BEGIN Y-----\nAA==\n-----END Y-----\nc");
    struct pem_block block;
    struct error err = ERROR_INIT;

    ck_assert(pem_read(text, &block, &err));
    ck_assert(span_eq_str(block.before, "a\n"));
    ck_assert(span_eq_str(block.label, "X"));
    ck_assert(span_eq_str(block.body, "AAEC\n"));
    ck_assert(pem_read(block.behind, &block, &err));
    ck_assert(span_eq_str(block.before, "b\n"));
    ck_assert(span_eq_str(block.label, "Y"));
    ck_assert(span_eq_str(block.behind, "c"));
    ck_assert(!pem_read(block.behind, &block, &err));
}
END_TEST

START_TEST(writes_what_it_reads)
{
    uint8_t bytes[200];

    for (size_t len = 1; len <= sizeof(bytes); len++) {
        struct buf text CLEANUP(buf_free) = BUF_INIT(1024);
        struct buf back CLEANUP(buf_free) = BUF_INIT(0);
        struct error err = ERROR_INIT;

        bytes[len - 1] = (uint8_t)(len * 7);
        pem_write(&text, "PUBLIC KEY", span_of(bytes, len));
        ck_assert(buf_ok(&text));
        ck_assert(pem_single(buf_as_span(&text), "PUBLIC KEY", 200, &back, &err));
        ck_assert(span_eq(buf_as_span(&back), span_of(bytes, len)));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_pem");
    TCase *tests = tcase_create("pem");

    tcase_add_loop_test(tests, single_blocks, 0, ARRAY_LEN(cases));
    tcase_add_test(tests, walks_blocks);
    tcase_add_test(tests, writes_what_it_reads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
