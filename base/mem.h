/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that allocates. NULL means out of memory: an error to report, never an exit. */
#ifndef PG_BASE_MEM_H
#define PG_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"

/* Zero-filled block of count * size bytes; NULL on overflow, on zero size or out of memory. */
void *mem_new(size_t count, size_t size) MUST_CHECK;

/* A copy of len bytes with a NUL behind it. */
void *mem_dup(const void *bytes, size_t len) MUST_CHECK;

/* A copy of a string; NULL in, NULL out. */
char *mem_strdup(const char *text) MUST_CHECK;

/* A formatted string; NULL when out of memory. */
char *mem_printf(const char *format, ...) MUST_CHECK PRINTF_LIKE(1, 2);

/* Resizes; the old block stays valid when NULL is returned. */
void *mem_resize(void *block, size_t count, size_t size) MUST_CHECK;

/*
 * Makes room for one more element in an array of `used` elements of `size` bytes with `*capacity` places.
 * Grows by doubling, never beyond `max` elements. *array is the array's own pointer variable (pass &array).
 * New places are zero-filled. false = at the maximum or out of memory; nothing changed.
 */
bool mem_grow(void *array, size_t *capacity, size_t used, size_t size, size_t max) MUST_CHECK;

void mem_free(void *block);

/* Overwrites, then frees. For secrets. */
void mem_wipe_free(void *block, size_t len);

/* For CLEANUP(mem_freep) on any pointer variable, which is NULL afterwards. */
void mem_freep(void *pointer_to_pointer);

/* For CLEANUP(fd_closep) on an int variable; -1 is nothing. */
void fd_closep(int *fd);

#endif
