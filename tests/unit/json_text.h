/* SPDX-License-Identifier: Apache-2.0 */
/* Compact JSON as text, for tests that change a piece of it. */
#ifndef PG_TESTS_UNIT_JSON_TEXT_H
#define PG_TESTS_UNIT_JSON_TEXT_H

#include "base/attributes.h"
#include "base/span.h"

/* The end of the JSON value that starts at `at`. */
static UNUSED size_t value_end(struct span text, size_t at)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = at; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && depth == 0 && (c == '}' || c == ']' || c == ','))
            return i;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
    }
    return text.len;
}

#endif
