/* SPDX-License-Identifier: Apache-2.0 */
/* Reading test vectors: files below PG_SOURCE (the source tree), and base64 or hex written in a test. */
#ifndef PG_TESTS_UNIT_VECTORS_H
#define PG_TESTS_UNIT_VECTORS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/span.h"

enum { VECTOR_MAX_BYTES = 64 * 1024 * 1024 };

/* Appends the file; false when it cannot be opened. */
static inline bool vector_read_path(const char *path, struct buf *ret)
{
    FILE *file = fopen(path, "rbe");
    char part[4096];
    size_t len;

    if (!file)
        return false;
    while ((len = fread(part, 1, sizeof(part), file)) > 0)
        buf_append(ret, part, len);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert(buf_ok(ret));
    return true;
}

/* A file below tests/vectors; it must be there. Free with buf_free. */
static inline struct buf vector_read(const char *name)
{
    const char *source = secure_getenv("PG_SOURCE");
    struct buf content = BUF_INIT(VECTOR_MAX_BYTES);
    char path[1024];

    ck_assert_msg(source != NULL, "PG_SOURCE is not set");
    ck_assert_int_lt(snprintf(path, sizeof(path), "%s/tests/vectors/%s", source, name), (int)sizeof(path));
    ck_assert_msg(vector_read_path(path, &content), "cannot read %s", path);
    return content;
}

static inline struct buf vector_base64(const char *text)
{
    struct buf content = BUF_INIT(VECTOR_MAX_BYTES);

    ck_assert(base64_decode(span_str(text), BASE64_STD, &content));
    return content;
}

static inline struct buf vector_hex(struct span text)
{
    struct buf content = BUF_INIT(VECTOR_MAX_BYTES);
    uint8_t *place = buf_reserve(&content, text.len / 2);

    ck_assert(place != NULL && text.len % 2 == 0 && hex_decode(text, place, text.len / 2));
    return content;
}

/* Every bit is for PG_SLOW=1 (tests/run, or by hand); by default one bit of each byte, another one in each. */
static inline size_t vector_bit_step(void)
{
    return secure_getenv("PG_SLOW") ? 1 : 7;
}

#endif
