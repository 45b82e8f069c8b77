/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error object, owned by the caller, of fixed size, so that even "out of memory" can be reported.
 *
 * Convention of the whole project: a function that can fail returns bool (true = done) with MUST_CHECK, takes
 * `struct error *err` as its last argument, and leaves its ret_* outputs untouched on failure. err is never NULL.
 * The text is for people: it names the object, what was wanted and what was found, and is safe to show (bytes from
 * outside go through error_set's %s only after text_sanitize(), or are cut and escaped by the caller).
 */
#ifndef PG_BASE_ERROR_H
#define PG_BASE_ERROR_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/reason.h"

enum { ERROR_TEXT_BYTES = 512 };

struct error {
    enum reason reason;
    char text[ERROR_TEXT_BYTES];
};

#define ERROR_INIT { REASON_INTERNAL, "" }

/* Sets reason and text (cut to fit) and returns false, so that `return error_set(err, ...)` reads well. */
bool error_set(struct error *err, enum reason reason, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " in front of the text; the reason stays. Returns false. */
bool error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* As error_set with strerror(errnum) at the end. Returns false. */
bool error_errno(struct error *err, enum reason reason, int errnum, const char *format, ...) PRINTF_LIKE(4, 5);

/* Shorthand for "out of memory". Returns false. */
bool error_oom(struct error *err);

#endif
