/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, reasons and memory: what everything else rests on. */
#include "base/error.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "tests/unit/harness.h"

START_TEST(errors_are_set_and_wrapped)
{
    struct error err = ERROR_INIT;

    ck_assert_int_eq(err.reason, REASON_INTERNAL);
    ck_assert(!error_set(&err, REASON_LIMIT, "%d of %s", 3, "x"));
    ck_assert_str_eq(err.text, "3 of x");
    ck_assert(!error_wrap(&err, "file %s", "a"));
    ck_assert_str_eq(err.text, "file a: 3 of x");
    ck_assert_int_eq(err.reason, REASON_LIMIT);
    ck_assert(!error_errno(&err, REASON_IO, ENOENT, "opening %s", "b"));
    ck_assert_str_eq(err.text, "opening b: No such file or directory");
    ck_assert_int_eq(err.reason, REASON_IO);
    ck_assert(!error_errno(&err, REASON_IO, 99999, "c"));
    ck_assert_ptr_nonnull(strstr(err.text, "99999"));
    ck_assert(!error_oom(&err));
    ck_assert_str_eq(err.text, "out of memory");
    ck_assert_int_eq(err.reason, REASON_INTERNAL);
}
END_TEST

START_TEST(long_texts_are_cut)
{
    char text[2 * ERROR_TEXT_BYTES];
    struct error err = ERROR_INIT;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert(!error_set(&err, REASON_LIMIT, "%s", text));
    ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_BYTES - 1);
    ck_assert(!error_wrap(&err, "%s", text));
    ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_BYTES - 1);
    ck_assert(!error_wrap(&err, "front"));
    ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_BYTES - 1);
    ck_assert(strncmp(err.text, "front: xxx", 10) == 0);
    ck_assert(!error_errno(&err, REASON_IO, ENOENT, "%s", text));
    ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_BYTES - 1);
}
END_TEST

START_TEST(reasons_have_names)
{
    for (int i = 0; i < REASON_COUNT; i++) {
        const char *name = reason_name((enum reason)i);

        ck_assert_ptr_nonnull(name);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(reason_name((enum reason)j), name);
        for (const char *c = name; *c != '\0'; c++)
            ck_assert((*c >= 'a' && *c <= 'z') || *c == '_');
    }
    ck_assert_str_eq(reason_name((enum reason)REASON_COUNT), "internal");
    ck_assert_str_eq(reason_name((enum reason)-1), "internal");
}
END_TEST

/* They travel between processes and stand in audits: appended only. */
START_TEST(reasons_keep_their_numbers)
{
    static const struct {
        int number;
        const char *name;
    } fixed[] = {{0, "internal"}, {1, "ok"}, {4, "wrong_key"}, {16, "malformed"}, {29, "not_found"}, {35, "io"}};

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        ck_assert_str_eq(reason_name((enum reason)fixed[i].number), fixed[i].name);
}
END_TEST

START_TEST(memory_is_checked)
{
    ck_assert_ptr_null(mem_new(0, 1));
    ck_assert_ptr_null(mem_new(1, 0));
    ck_assert_ptr_null(mem_new(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(mem_resize(NULL, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(mem_dup("x", SIZE_MAX));
    ck_assert_ptr_null(mem_strdup(NULL));
    mem_free(NULL);
    mem_wipe_free(NULL, 10);
}
END_TEST

START_TEST(copies_end_in_nul)
{
    CLEANUP(mem_freep) char *copy = mem_dup("abc", 2);
    CLEANUP(mem_freep) char *empty = mem_dup(NULL, 0);
    CLEANUP(mem_freep) char *text = mem_printf("%d-%s", 1, "x");
    CLEANUP(mem_freep) char *same = mem_strdup("abc");

    ck_assert_str_eq(copy, "ab");
    ck_assert_str_eq(empty, "");
    ck_assert_str_eq(text, "1-x");
    ck_assert_str_eq(same, "abc");
}
END_TEST

START_TEST(arrays_grow_to_their_maximum)
{
    CLEANUP(mem_freep) uint32_t *array = NULL;
    size_t capacity = 0;
    size_t used = 0;

    while (mem_grow(&array, &capacity, used, sizeof(*array), 100)) {
        ck_assert_uint_eq(array[used], 0); /* new places are zero */
        array[used++] = 7;
    }
    ck_assert_uint_eq(used, 100);
    ck_assert_uint_eq(capacity, 100);
    for (size_t i = 0; i < used; i++)
        ck_assert_uint_eq(array[i], 7);
}
END_TEST

START_TEST(pointers_are_handed_on)
{
    CLEANUP(mem_freep) char *text = mem_strdup("x");
    CLEANUP(mem_freep) char *taken = TAKE_PTR(text);
    CLEANUP(fd_closep) int fd = -1;
    int number = TAKE_FD(fd);

    ck_assert_ptr_null(text);
    ck_assert_str_eq(taken, "x");
    ck_assert_int_eq(number, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_error");
    TCase *cases = tcase_create("error");

    tcase_add_test(cases, errors_are_set_and_wrapped);
    tcase_add_test(cases, long_texts_are_cut);
    tcase_add_test(cases, reasons_have_names);
    tcase_add_test(cases, reasons_keep_their_numbers);
    tcase_add_test(cases, memory_is_checked);
    tcase_add_test(cases, copies_end_in_nul);
    tcase_add_test(cases, arrays_grow_to_their_maximum);
    tcase_add_test(cases, pointers_are_handed_on);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
