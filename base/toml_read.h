/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the TOML reader share: toml.c (tables and keys) and toml_value.c (texts, numbers, dates). */
#ifndef PG_BASE_TOML_READ_H
#define PG_BASE_TOML_READ_H

#include "base/tree_build.h"

struct toml_text {
    struct span text; /* the document */
    size_t at;        /* the next byte */
    const char *what;
    struct tree *tree; /* borrowed: owner of decoded texts */
    struct error *err;
};

/* Sets MALFORMED with the place of `offset`. Returns false. */
bool toml_fail(struct toml_text *toml, size_t offset, const char *text);
/* The next byte is c: takes it. */
bool toml_take(struct toml_text *toml, char c);
bool toml_starts(const struct toml_text *toml, const char *text);
/* At most one newline, LF or CRLF: the expression's end. */
bool toml_take_newline(struct toml_text *toml);

/* A string at the next byte (a quotation mark of either kind); `one_line` where keys stand. */
bool toml_read_string(struct toml_text *toml, bool one_line, struct span *ret) MUST_CHECK;
/* A boolean, number, date or time at the next byte. */
bool toml_read_word(struct toml_text *toml, enum node_kind *ret_kind, struct span *ret_text) MUST_CHECK;

#endif
