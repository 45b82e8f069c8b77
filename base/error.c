/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *err, enum reason reason, const char *format, ...)
{
    va_list args;

    err->reason = reason;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return false;
}

/* Room for both parts at full length; the second copy cuts what does not fit. */
static void append_text(struct error *err, const char *context, const char *rest)
{
    char joined[2 * ERROR_TEXT_BYTES + 4];

    (void)snprintf(joined, sizeof(joined), "%s: %s", context, rest);
    joined[sizeof(err->text) - 1] = '\0';
    memcpy(err->text, joined, sizeof(err->text));
}

bool error_wrap(struct error *err, const char *format, ...)
{
    char context[ERROR_TEXT_BYTES];
    char rest[ERROR_TEXT_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    memcpy(rest, err->text, sizeof(rest));
    append_text(err, context, rest);
    return false;
}

bool error_errno(struct error *err, enum reason reason, int errnum, const char *format, ...)
{
    char context[ERROR_TEXT_BYTES];
    char unknown[128];
    const char *text;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    text = strerror_r(errnum, unknown, sizeof(unknown)); /* GNU's: returns the words, which are seldom in the buffer */
    err->reason = reason;
    append_text(err, context, text);
    return false;
}

bool error_oom(struct error *err)
{
    return error_set(err, REASON_INTERNAL, "out of memory");
}
