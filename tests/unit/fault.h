/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation fails once. A program that includes this is linked with fault_link_args (tests/unit/meson.build),
 * which puts the functions below in front of the C library's for all that is linked statically: base/mem.c, that is.
 */
#ifndef PG_TESTS_UNIT_FAULT_H
#define PG_TESTS_UNIT_FAULT_H

#include <check.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The linker's names. */
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);
int __wrap_vasprintf(char **ret, const char *format, va_list args) PRINTF_LIKE(2, 0);
/* What vasprintf becomes under _FORTIFY_SOURCE. */
int __wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list args) PRINTF_LIKE(3, 0);
void __wrap_free(void *block);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *block, size_t count, size_t size);
int __real_vasprintf(char **ret, const char *format, va_list args) PRINTF_LIKE(2, 0);
int __real___vasprintf_chk(char **ret, int flag, const char *format, va_list args) PRINTF_LIKE(3, 0);
void __real_free(void *block);

static size_t fault_countdown = SIZE_MAX; /* the allocation that fails: 0 = the next */
static long fault_live;                   /* blocks not freed */

static inline bool fault_is_due(void)
{
    if (fault_countdown == SIZE_MAX)
        return false;
    if (fault_countdown == 0) {
        fault_countdown = SIZE_MAX;
        return true;
    }
    fault_countdown--;
    return false;
}

static inline void *fault_count(void *block, bool is_new)
{
    if (block && is_new)
        fault_live++;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return fault_is_due() ? NULL : fault_count(__real_malloc(size), true);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fault_is_due() ? NULL : fault_count(__real_calloc(count, size), true);
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    return fault_is_due() ? NULL : fault_count(__real_reallocarray(block, count, size), !block);
}

int __wrap_vasprintf(char **ret, const char *format, va_list args)
{
    int len = fault_is_due() ? -1 : __real_vasprintf(ret, format, args);

    if (len >= 0)
        fault_live++;
    return len;
}

int __wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list args)
{
    int len = fault_is_due() ? -1 : __real___vasprintf_chk(ret, flag, format, args);

    if (len >= 0)
        fault_live++;
    return len;
}

void __wrap_free(void *block)
{
    if (block)
        fault_live--;
    __real_free(block);
}

/*
 * Runs `work` (which must not use check's functions) with its first allocation failing, then with its second, and so on
 * until it succeeds. Each failure must be told as "out of memory", and nothing may be left allocated. Returns how many
 * allocations there were.
 */
static inline size_t fault_run(bool (*work)(const void *context, struct error *err), const void *context)
{
    for (size_t failing = 0;; failing++) {
        struct error err = ERROR_INIT;
        long before = fault_live, lost;
        bool done, injected;

        fault_countdown = failing;
        done = work(context, &err);
        injected = fault_countdown == SIZE_MAX;
        fault_countdown = SIZE_MAX; /* check allocates, too */
        lost = fault_live - before;
        ck_assert_msg(lost == 0, "allocation %zu failed: %ld blocks lost", failing, lost);
        if (!injected) { /* all had their turn */
            ck_assert_msg(done, "fails without a fault: %s", err.text);
            return failing;
        }
        ck_assert_msg(!done, "succeeds although allocation %zu failed", failing);
        ck_assert_msg(err.reason == REASON_INTERNAL, "allocation %zu: %s: %s", failing, reason_name(err.reason),
                      err.text);
    }
}

#endif
