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

START_TEST(spans_are_cut_and_searched)
{
    struct span text = span_str("  a=b c\t\n");

    ck_assert(span_eq_str(span_trim(text), "a=b c"));
    ck_assert(span_eq_str(span_cut(text, 2, 3), "a=b"));
    ck_assert(span_eq_str(span_cut(text, 2, SIZE_MAX), "a=b c\t\n"));
    ck_assert_uint_eq(span_cut(text, 100, 1).len, 0);
    ck_assert_uint_eq(span_cut(span_of(NULL, 0), 0, 1).len, 0);
    ck_assert_uint_eq(span_find_byte(text, '='), 3);
    ck_assert_uint_eq(span_find_byte(text, 'x'), SIZE_MAX);
    ck_assert_uint_eq(span_find(text, "b c"), 4);
    ck_assert_uint_eq(span_find(text, "bc"), SIZE_MAX);
    ck_assert_uint_eq(span_find(span_of(NULL, 0), "x"), SIZE_MAX);
    ck_assert(span_starts(text, "  a") && !span_starts(text, "a") && !span_starts(span_str("a"), "ab"));
    ck_assert(span_ends(text, "c\t\n") && !span_ends(text, "c") && !span_ends(span_str("a"), "ba"));
    ck_assert(span_starts(span_of(NULL, 0), "") && span_ends(span_of(NULL, 0), ""));
    ck_assert_uint_eq(span_trim(span_str(" \r\n\t ")).len, 0);
}
END_TEST

START_TEST(spans_compare_by_content)
{
    ck_assert(span_eq(span_of(NULL, 0), span_str("")));
    ck_assert(span_eq_str(span_of("ab", 2), "ab"));
    ck_assert(!span_eq_str(span_of("a\0", 2), "a"));
    ck_assert(!span_eq(span_str("a"), span_str("b")));
    ck_assert(span_has_nul(span_of("a\0b", 3)) && !span_has_nul(span_str("ab")));
    ck_assert_ptr_null(span_dup(span_of("a\0", 2)));
    ck_assert_uint_eq(span_str(NULL).len, 0);
}
END_TEST

START_TEST(reads_of_every_width)
{
    static const uint8_t bytes[] = {1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    struct reader reader = reader_of(span_of(bytes, sizeof(bytes)));

    ck_assert_uint_eq(read_u8(&reader), 0x01);
    ck_assert_uint_eq(read_u16(&reader), 0x0203);
    ck_assert_uint_eq(read_u32(&reader), 0x0708090A);
    ck_assert(read_u64(&reader) == UINT64_C(0x0B0C0D0E0F101112));
    ck_assert(reader_done(&reader));
    ck_assert_uint_eq(read_bytes(&reader, 0).len, 0);
    ck_assert(reader_done(&reader));
    ck_assert_uint_eq(read_bytes(&reader, 1).len, 0);
    ck_assert(!reader_done(&reader));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_span");
    TCase *cases = tcase_create("span");

    tcase_add_test(cases, reads_stick_after_failure);
    tcase_add_test(cases, numbers_are_strict);
    tcase_add_test(cases, spans_are_cut_and_searched);
    tcase_add_test(cases, spans_compare_by_content);
    tcase_add_test(cases, reads_of_every_width);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
