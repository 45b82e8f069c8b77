/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"
#include "tests/unit/harness.h"

START_TEST(reads_stick_after_failure)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct reader reader = reader_of(span_of(bytes, sizeof(bytes)));

    ck_assert_uint_eq(read_u16(&reader), 0x0102);
    ck_assert_uint_eq(read_u32(&reader), 0);
    ck_assert(reader.failed);
    ck_assert_uint_eq(read_u8(&reader), 0);
    ck_assert(!reader_done(&reader));
}
END_TEST

START_TEST(numbers_are_strict)
{
    uint64_t value = 7;

    ck_assert(span_to_u64(span_str("18446744073709551615"), UINT64_MAX, &value));
    ck_assert(value == UINT64_MAX);
    ck_assert(!span_to_u64(span_str("18446744073709551616"), UINT64_MAX, &value));
    ck_assert(!span_to_u64(span_str("01"), 100, &value));
    ck_assert(!span_to_u64(span_str(""), 100, &value));
    ck_assert(!span_to_u64(span_str("-1"), 100, &value));
    ck_assert(!span_to_u64(span_str("101"), 100, &value));
    ck_assert(span_to_u64(span_str("100"), 100, &value));
    ck_assert(value == 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_span");
    TCase *cases = tcase_create("span");

    tcase_add_test(cases, reads_stick_after_failure);
    tcase_add_test(cases, numbers_are_strict);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
