/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <string.h>

#include "base/mem.h"
#include "tests/unit/harness.h"

START_TEST(a_zeroed_buffer_is_empty)
{
    struct buf buf = {0};

    ck_assert(buf_ok(&buf));
    ck_assert_str_eq(buf_cstr(&buf), "");
    ck_assert_uint_eq(buf_as_span(&buf).len, 0);
    ck_assert_ptr_null(buf_take(&buf));
    buf_free(&buf);
    buf_wipe(&buf);
    buf_byte(&buf, 1); /* maximum 0 */
    ck_assert(!buf_ok(&buf));
}
END_TEST

START_TEST(integers_are_big_endian)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(100);

    buf_byte(&buf, 0x01);
    buf_u16(&buf, 0x0203);
    buf_u24(&buf, 0xFF040506);
    buf_u32(&buf, 0x0708090A);
    buf_u64(&buf, UINT64_C(0x0B0C0D0E0F101112));
    ck_assert_uint_eq(buf.len, 18);
    for (size_t i = 0; i < buf.len; i++)
        ck_assert_uint_eq(buf.ptr[i], i + 1);
}
END_TEST

START_TEST(the_maximum_holds)
{
    for (size_t max = 0; max < 200; max++) {
        CLEANUP(buf_free) struct buf buf = BUF_INIT(max);

        for (size_t i = 0; i < max; i++)
            buf_byte(&buf, 'x');
        if (!buf_ok(&buf) || buf.len != max || strlen(buf_cstr(&buf)) != max)
            ck_abort_msg("maximum %zu", max);
        buf_byte(&buf, 'x');
        ck_assert(!buf_ok(&buf));
        ck_assert_uint_eq(buf.len, 0);
        ck_assert_str_eq(buf_cstr(&buf), "");
    }
}
END_TEST

START_TEST(failure_sticks)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(4);

    buf_str(&buf, "abcd");
    buf_str(&buf, "e");
    ck_assert(!buf_ok(&buf));
    buf_str(&buf, "a");
    buf_printf(&buf, "%d", 1);
    ck_assert_ptr_null(buf_reserve(&buf, 1));
    ck_assert(!buf_ok(&buf));
    ck_assert_ptr_null(buf_take(&buf));
    buf_clear(&buf);
    buf_str(&buf, "ok");
    ck_assert_str_eq(buf_cstr(&buf), "ok");
}
END_TEST

START_TEST(lengths_that_wrap_are_refused)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(SIZE_MAX);

    buf_str(&buf, "abc");
    ck_assert_ptr_null(buf_reserve(&buf, SIZE_MAX));
    ck_assert(!buf_ok(&buf));
    buf_clear(&buf);
    ck_assert_ptr_null(buf_reserve(&buf, SIZE_MAX - 1));
}
END_TEST

START_TEST(content_survives_growth)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(1 << 20);
    CLEANUP(mem_freep) char *block = NULL;

    for (unsigned int i = 0; i < 20000; i++)
        buf_printf(&buf, "%u,", i);
    ck_assert(buf_ok(&buf));
    ck_assert(span_starts(buf_as_span(&buf), "0,1,2,"));
    ck_assert(span_ends(buf_as_span(&buf), "19998,19999,"));
    block = buf_take(&buf);
    ck_assert_ptr_nonnull(block);
    ck_assert(buf_ok(&buf) && buf.len == 0);
    buf_str(&buf, "new");
    ck_assert_str_eq(buf_cstr(&buf), "new");
}
END_TEST

START_TEST(room_that_was_made_is_used)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(1000);
    const uint8_t *place;

    buf_str(&buf, "head");
    buf_make_room(&buf, 300);
    ck_assert_uint_eq(buf.len, 4);
    place = buf.ptr;
    ck_assert_ptr_nonnull(buf_reserve(&buf, 300));
    ck_assert_ptr_eq(buf.ptr, place);
    ck_assert(span_starts(buf_as_span(&buf), "head"));
}
END_TEST

START_TEST(room_beyond_the_maximum_is_not_made)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(1000);

    buf_str(&buf, "head");
    buf_make_room(&buf, 997);
    buf_make_room(&buf, SIZE_MAX);
    ck_assert(buf_ok(&buf));
    ck_assert_uint_eq(buf.cap, 64);
    ck_assert_str_eq(buf_cstr(&buf), "head");
}
END_TEST

START_TEST(nul_bytes_are_content)
{
    CLEANUP(buf_free) struct buf buf = BUF_INIT(10);

    buf_append(&buf, "a\0b", 3);
    buf_append(&buf, NULL, 0);
    ck_assert_uint_eq(buf.len, 3);
    ck_assert(span_has_nul(buf_as_span(&buf)));
    buf_wipe(&buf);
    ck_assert_uint_eq(buf.max, 10);
}
END_TEST

START_TEST(what_is_freed_by_its_place_is_gone_from_there)
{
    char *text = mem_strdup("text");

    mem_freep(&text);
    ck_assert_ptr_null(text);
    mem_freep(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_buf");
    TCase *cases = tcase_create("buf");

    tcase_add_test(cases, a_zeroed_buffer_is_empty);
    tcase_add_test(cases, integers_are_big_endian);
    tcase_add_test(cases, the_maximum_holds);
    tcase_add_test(cases, failure_sticks);
    tcase_add_test(cases, lengths_that_wrap_are_refused);
    tcase_add_test(cases, content_survives_growth);
    tcase_add_test(cases, room_that_was_made_is_used);
    tcase_add_test(cases, room_beyond_the_maximum_is_not_made);
    tcase_add_test(cases, nul_bytes_are_content);
    tcase_add_test(cases, what_is_freed_by_its_place_is_gone_from_there);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
