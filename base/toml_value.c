/* SPDX-License-Identifier: Apache-2.0 */
/* TOML's strings, numbers, dates and times. The section names are those of the TOML 1.0.0 specification. */
#include "base/toml_read.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"

bool toml_fail(struct toml_text *toml, size_t offset, const char *text)
{
    uint32_t line, column;

    text_place(toml->text, offset, &line, &column);
    (void)error_set(toml->err, REASON_MALFORMED, "%s", text);
    return error_at(toml->err, toml->what, line, column);
}

static struct span rest_of(const struct toml_text *toml)
{
    return span_cut(toml->text, toml->at, SIZE_MAX);
}

bool toml_starts(const struct toml_text *toml, const char *text)
{
    return span_starts(rest_of(toml), text);
}

bool toml_take(struct toml_text *toml, char c)
{
    if (toml->at >= toml->text.len || toml->text.ptr[toml->at] != (uint8_t)c)
        return false;
    toml->at++;
    return true;
}

bool toml_take_newline(struct toml_text *toml)
{
    if (toml_starts(toml, "\r\n"))
        toml->at++;
    return toml_take(toml, '\n');
}

/* A string being read: its content goes to `out`, which is as long as what is left of the document may need. */
struct toml_string {
    struct toml_text *toml;
    size_t start;
    char quote;
    bool multi;
    uint8_t *out; /* NULL while the content is what stands in the document */
    size_t len;
};

static void put(struct toml_string *string, const uint8_t *bytes, size_t len)
{
    if (string->out && len > 0)
        memmove(string->out + string->len, bytes, len);
    string->len += len;
}

/* "Any Unicode character may be escaped with \uXXXX or \UXXXXXXXX"; surrogates are none. */
static bool read_code(struct toml_string *string, size_t digits)
{
    struct toml_text *toml = string->toml;
    uint32_t code = 0;
    uint8_t bytes[4];
    size_t len;

    for (size_t i = 0; i < digits; i++, toml->at++) {
        uint8_t c = toml->at < toml->text.len ? toml->text.ptr[toml->at] : 0;

        if (c >= '0' && c <= '9')
            code = code << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            code = code << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else
            return toml_fail(toml, toml->at, "an escape needs hexadecimal digits here");
    }
    len = utf8_encode(code, bytes);
    if (code == 0)
        return toml_fail(toml, string->start, "a string holds U+0000");
    if (len == 0)
        return toml_fail(toml, string->start, "a string escapes what is no Unicode character");
    put(string, bytes, len);
    return true;
}

/* "Line ending backslash": it and all white space up to the next character go. False when it is none. */
static bool take_line_ending(struct toml_text *toml)
{
    size_t before = toml->at;

    while (toml_take(toml, ' ') || toml_take(toml, '\t'))
        ;
    if (!toml_take_newline(toml)) {
        toml->at = before;
        return false;
    }
    while (toml_take(toml, ' ') || toml_take(toml, '\t') || toml_take_newline(toml))
        ;
    return true;
}

static bool read_escape(struct toml_string *string)
{
    static const char letters[] = "btnfr\"\\";
    static const char meanings[] = "\b\t\n\f\r\"\\";
    struct toml_text *toml = string->toml;
    size_t at;

    if (string->multi && take_line_ending(toml))
        return true;
    if (toml_take(toml, 'u'))
        return read_code(string, 4);
    if (toml_take(toml, 'U'))
        return read_code(string, 8);
    at = toml->at < toml->text.len ? span_find_byte(span_str(letters), toml->text.ptr[toml->at]) : SIZE_MAX;
    if (at == SIZE_MAX)
        return toml_fail(toml, toml->at, "no such escape");
    put(string, (const uint8_t *)&meanings[at], 1);
    toml->at++;
    return true;
}

/* The closing quotation marks. In a multi-line string one or two may stand right before them. */
static bool take_end(struct toml_string *string)
{
    struct toml_text *toml = string->toml;
    size_t count = 0;

    if (!string->multi)
        return toml_take(toml, string->quote);
    while (count < 5 && toml->at + count < toml->text.len && toml->text.ptr[toml->at + count] == (uint8_t)string->quote)
        count++;
    if (count < 3)
        return false;
    put(string, toml->text.ptr + toml->at, count - 3);
    toml->at += count;
    return true;
}

/* One plain character or newline of the content. */
static bool take_plain(struct toml_string *string)
{
    struct toml_text *toml = string->toml;
    uint8_t c = toml->text.ptr[toml->at];

    if (string->multi && toml_take_newline(toml)) {
        put(string, (const uint8_t *)"\n", 1); /* CRLF too: an editor's habit is no part of a value */
        return true;
    }
    if ((c < 0x20 && c != '\t') || c == 0x7F)
        return toml_fail(toml, toml->at, c == '\n' || c == '\r' ? "a string does not end in its line"
                                                                : "a control character in a string");
    put(string, &c, 1);
    toml->at++;
    return true;
}

static bool read_content(struct toml_string *string)
{
    struct toml_text *toml = string->toml;

    while (!take_end(string)) {
        if (toml->at >= toml->text.len)
            return toml_fail(toml, string->start, "a string does not end");
        if (string->quote == '"' && toml_take(toml, '\\')) {
            if (!read_escape(string))
                return false;
        } else if (!take_plain(string)) {
            return false;
        }
    }
    return true;
}

/* Reads twice: once to know the length and that all is well, once to decode into memory of that length. */
bool toml_read_string(struct toml_text *toml, bool one_line, struct span *ret)
{
    struct toml_string string = {.toml = toml, .start = toml->at, .quote = (char)toml->text.ptr[toml->at]};
    size_t content;

    string.multi = toml_starts(toml, "\"\"\"") || toml_starts(toml, "'''");
    if (string.multi && one_line)
        return toml_fail(toml, toml->at, "a key cannot have several lines");
    toml->at += string.multi ? 3 : 1;
    if (string.multi)
        (void)toml_take_newline(toml);
    content = toml->at;
    if (!read_content(&string))
        return false;
    if (string.len == 0) {
        *ret = span_of("", 0);
        return true;
    }
    if (toml->at - content == string.len + (string.multi ? 3 : 1)) {
        *ret = span_cut(toml->text, content, string.len); /* no escape or CRLF made it shorter */
        return true;
    }
    string.out = tree_text(toml->tree, string.len);
    if (!string.out)
        return error_oom(toml->err);
    string.len = 0;
    toml->at = content;
    if (!read_content(&string))
        return false;
    *ret = span_of(string.out, string.len);
    return true;
}

/* The characters of a bare word; a date may have one space in it, followed by the time. */
static struct span take_word(struct toml_text *toml)
{
    size_t start = toml->at;

    for (; toml->at < toml->text.len; toml->at++) {
        uint8_t c = toml->text.ptr[toml->at];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-' ||
                    c == '+' || c == '.' || c == ':';
        bool gap = c == ' ' && toml->at - start == 10 && toml->text.ptr[start + 4] == '-' &&
                   toml->at + 1 < toml->text.len && toml->text.ptr[toml->at + 1] >= '0' &&
                   toml->text.ptr[toml->at + 1] <= '9';

        if (!word && !gap)
            break;
    }
    return span_cut(toml->text, start, toml->at - start);
}

static bool keep_text(struct toml_text *toml, const char *text, struct span *ret)
{
    size_t len = strlen(text);
    uint8_t *copy = tree_text(toml->tree, len);

    if (!copy)
        return error_oom(toml->err);
    memcpy(copy, text, len);
    *ret = span_of(copy, len);
    return true;
}

enum { NUMBER_BYTES = 128 }; /* without underscores; the longest that a double needs is shorter by far */

/* Copies a number without its "+" and underscores, each of which must stand between two digits. */
static bool strip_number(struct span word, const char *digits, char dst[NUMBER_BYTES])
{
    size_t len = 0;

    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.ptr[i];

        if (c == '_') {
            if (i == 0 || i + 1 == word.len || !memchr(digits, word.ptr[i - 1], strlen(digits)) ||
                !memchr(digits, word.ptr[i + 1], strlen(digits)))
                return false;
            continue;
        }
        if (len + 1 >= NUMBER_BYTES)
            return false;
        if (i > 0 || c != '+')
            dst[len++] = (char)c;
    }
    dst[len] = '\0';
    return true;
}

/* "0x", "0o" and "0b": digits only, no sign; at most 2^63 - 1. */
static bool read_radix(struct span word, char text[NUMBER_BYTES])
{
    static const char all[] = "0123456789abcdefABCDEF";
    unsigned int shift = word.ptr[1] == 'x' ? 4 : word.ptr[1] == 'o' ? 3 : 1;
    const char *digits = shift == 4 ? all : shift == 3 ? "01234567" : "01";
    uint64_t value = 0;

    if (!strip_number(span_cut(word, 2, SIZE_MAX), digits, text) || text[0] == '\0' || word.ptr[2] == '+')
        return false;
    for (size_t i = 0; text[i] != '\0'; i++) {
        const char *digit = strchr(digits, text[i]);
        uint64_t number;

        if (!digit)
            return false;
        number = (uint64_t)(digit - digits);
        if (value > (uint64_t)INT64_MAX >> shift)
            return false;
        value = value << shift | (number > 15 ? number - 6 : number);
    }
    (void)snprintf(text, NUMBER_BYTES, "%llu", (unsigned long long)value);
    return true;
}

/* Decimal integers fit 64 bits ("an error must be thrown" otherwise); floats follow JSON's grammar once stripped. */
static bool read_number(struct span word, char text[NUMBER_BYTES])
{
    struct span number;
    uint64_t value;
    bool negative;

    if (word.len > 2 && word.ptr[0] == '0' && (word.ptr[1] == 'x' || word.ptr[1] == 'o' || word.ptr[1] == 'b'))
        return read_radix(word, text);
    if (!strip_number(word, "0123456789", text) || (word.ptr[0] == '+' && text[0] == '-'))
        return false;
    number = span_str(text);
    if (!text_is_number(number))
        return false;
    negative = text[0] == '-';
    return strpbrk(text, ".eE") || span_to_u64(span_cut(number, negative ? 1 : 0, SIZE_MAX),
                                               (uint64_t)INT64_MAX + (negative ? 1 : 0), &value);
}

static bool is_float_word(struct span word)
{
    if (span_starts(word, "+") || span_starts(word, "-"))
        word = span_cut(word, 1, SIZE_MAX);
    return span_eq_str(word, "inf") || span_eq_str(word, "nan");
}

/*
 * Offset date-time, local date-time, local date, local time. What a local form leaves out is filled in, so that one
 * strict reader of RFC 3339 checks all of them.
 */
static bool is_date_or_time(struct span word)
{
    static const char day[] = "1970-01-01T", midnight[] = "T00:00:00", utc[] = "Z";
    bool time_only = word.len >= 3 && word.ptr[2] == ':';
    bool date_only = word.len == 10 && !time_only;
    uint8_t text[80];
    struct buf buf = BUF_INIT(sizeof(text));
    int64_t seconds;
    bool good;

    if (word.len > 50 || (!time_only && (word.len < 10 || word.ptr[4] != '-')))
        return false;
    if (time_only)
        buf_str(&buf, day);
    buf_span(&buf, word);
    if (date_only)
        buf_str(&buf, midnight);
    if (buf_ok(&buf) && !time_only && buf.len > 10 && buf.ptr[10] == ' ')
        buf.ptr[10] = 'T';
    good = buf_ok(&buf) && !time_only && !date_only && time_parse(buf_as_span(&buf), &seconds, NULL);
    buf_str(&buf, utc);
    good = good || (buf_ok(&buf) && time_parse(buf_as_span(&buf), &seconds, NULL));
    buf_free(&buf);
    return good;
}

bool toml_read_word(struct toml_text *toml, enum node_kind *ret_kind, struct span *ret_text)
{
    size_t start = toml->at;
    struct span word = take_word(toml);
    char number[NUMBER_BYTES];

    *ret_text = word;
    *ret_kind = NODE_STRING;
    if (word.len == 0)
        return toml_fail(toml, start, "a value is wanted here");
    if (span_eq_str(word, "true") || span_eq_str(word, "false")) {
        *ret_kind = NODE_BOOL;
        return true;
    }
    if (is_float_word(word) || is_date_or_time(word))
        return true;
    if (!read_number(word, number))
        return toml_fail(toml, start, "neither a boolean, a number, a date nor a time (strings need quotation marks)");
    *ret_kind = NODE_NUMBER;
    return keep_text(toml, number, ret_text);
}
