/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No object is larger than half of the address space, whatever the C library would make of it. */
static bool is_size(size_t count, size_t size)
{
    return count > 0 && size > 0 && count <= (size_t)PTRDIFF_MAX / size;
}

void *mem_new(size_t count, size_t size)
{
    return is_size(count, size) ? calloc(count, size) : NULL;
}

void *mem_dup(const void *bytes, size_t len)
{
    char *copy;

    if (len >= (size_t)PTRDIFF_MAX)
        return NULL;
    copy = malloc(len + 1);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

char *mem_strdup(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}

char *mem_printf(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    return len < 0 ? NULL : text;
}

void *mem_resize(void *block, size_t count, size_t size)
{
    return is_size(count, size) ? reallocarray(block, count, size) : NULL;
}

bool mem_grow(void *array, size_t *capacity, size_t used, size_t size, size_t max)
{
    void *block;
    size_t wanted;

    if (used < *capacity)
        return true;
    if (used >= max)
        return false;
    wanted = *capacity > 0 ? *capacity : 4;
    wanted = wanted > max / 2 ? max : wanted * 2;
    memcpy(&block, array, sizeof(block));
    block = mem_resize(block, wanted, size);
    if (!block)
        return false;
    memset((char *)block + *capacity * size, 0, (wanted - *capacity) * size);
    memcpy(array, &block, sizeof(block));
    *capacity = wanted;
    return true;
}

void mem_free(void *block)
{
    free(block);
}

void mem_wipe_free(void *block, size_t len)
{
    if (block)
        explicit_bzero(block, len);
    free(block);
}

void mem_freep(void *pointer_to_pointer)
{
    void *block;

    memcpy(&block, pointer_to_pointer, sizeof(block));
    free(block);
    block = NULL;
    memcpy(pointer_to_pointer, &block, sizeof(block));
}

void fd_closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}
