/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pem.h"

#include <string.h>

#include "base/encode.h"

static const char BEGIN[] = "-----BEGIN ";
static const char END[] = "-----END ";
static const char DASHES[] = "-----";

enum { PEM_LINE_BYTES = 48 /* 64 characters */, PEM_LABEL_MAX = 64 };

static struct span span_after(struct span text, size_t offset)
{
    return span_cut(text, offset, text.len);
}

/* Where a line starting with prefix begins; SIZE_MAX when there is none. */
static size_t find_line(struct span text, const char *prefix)
{
    size_t at = 0;

    while (at < text.len) {
        size_t hit = span_find(span_after(text, at), prefix);

        if (hit == SIZE_MAX)
            return SIZE_MAX;
        at += hit;
        if (at == 0 || text.ptr[at - 1] == '\n')
            return at;
        at++;
    }
    return SIZE_MAX;
}

/* The line's text without its end; ret_rest = what follows it. Trailing blanks are editors' work and dropped. */
static struct span take_line(struct span text, struct span *ret_rest)
{
    size_t end = span_find_byte(text, '\n');
    struct span line = end == SIZE_MAX ? text : span_cut(text, 0, end);

    *ret_rest = end == SIZE_MAX ? span_of(NULL, 0) : span_after(text, end + 1);
    while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' ' ||
                            line.ptr[line.len - 1] == '\t'))
        line.len--;
    return line;
}

/* No BEGIN line at a line's start: say what was probably meant. */
static bool explain_missing_begin(struct span text, struct error *err)
{
    if (span_trim(text).len == 0)
        return error_set(err, REASON_MALFORMED, "PEM text is empty");
    if (span_find(text, BEGIN) != SIZE_MAX)
        return error_set(err, REASON_MALFORMED, "the PEM BEGIN line does not start at the first column: remove the "
                         "indentation or text in front of it (in YAML, use a block scalar: \"|\")");
    if (span_find(text, END) != SIZE_MAX)
        return error_set(err, REASON_MALFORMED, "PEM text has an END line and no BEGIN line: is its start cut off?");
    return error_set(err, REASON_MALFORMED, "no PEM block (\"-----BEGIN ...-----\") found");
}

static bool explain_begin_line(struct span line, struct error *err)
{
    if (span_find(line, "\\n") != SIZE_MAX)
        return error_set(err, REASON_MALFORMED, "PEM text has \"\\n\" as two characters where line breaks should be");
    if (span_find(line, END) != SIZE_MAX)
        return error_set(err, REASON_MALFORMED,
                         "PEM text is all on one line: its line breaks were lost (in YAML, use a "
                         "block scalar: \"|\", not \">\" or quotes)");
    return error_set(err, REASON_MALFORMED,
                     "PEM BEGIN line is malformed: want \"-----BEGIN label-----\" alone on its line");
}

static bool explain_missing_end(struct span rest, struct error *err)
{
    if (span_find(rest, END) != SIZE_MAX)
        return error_set(err, REASON_MALFORMED, "the PEM END line does not start at the first column: is the text "
                         "indented, or were its line breaks lost?");
    return error_set(err, REASON_MALFORMED, "PEM block is truncated: a BEGIN line without its END line (in YAML, are "
                     "all lines indented alike?)");
}

/* Of RFC 7468 section 3's characters those that labels are made of; "PKCS#11 PROVIDER URI" is one. */
static bool label_ok(struct span label)
{
    if (label.len == 0 || label.len > PEM_LABEL_MAX)
        return false;
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '#'))
            return false;
    }
    return true;
}

/* "-----BEGIN label-----" or the END line; the label. */
static bool read_marker(struct span line, const char *prefix, struct span *ret_label)
{
    size_t head = strlen(prefix);
    size_t tail = strlen(DASHES);
    struct span label;

    if (!span_starts(line, prefix) || !span_ends(line, DASHES) || line.len < head + tail)
        return false;
    label = span_cut(line, head, line.len - head - tail);
    if (!label_ok(label))
        return false;
    *ret_label = label;
    return true;
}

bool pem_read(struct span text, struct pem_block *ret, struct error *err)
{
    size_t begin = find_line(text, BEGIN);
    struct pem_block block;
    struct span rest;
    struct span line;
    struct span end_label;
    size_t end;

    if (begin == SIZE_MAX)
        return explain_missing_begin(text, err);
    block.before = span_cut(text, 0, begin);
    line = take_line(span_after(text, begin), &rest);
    if (!read_marker(line, BEGIN, &block.label))
        return explain_begin_line(line, err);
    end = find_line(rest, END);
    if (end == SIZE_MAX)
        return explain_missing_end(rest, err);
    block.body = span_cut(rest, 0, end);
    line = take_line(span_after(rest, end), &block.behind);
    if (!read_marker(line, END, &end_label) || !span_eq(end_label, block.label)) {
        char label[PEM_LABEL_MAX + 1];

        return error_set(err, REASON_MALFORMED, "PEM block is not closed: want \"-----END %s-----\"",
                         text_clean(block.label, label, sizeof(label)));
    }
    *ret = block;
    return true;
}

bool pem_decode(const struct pem_block *block, size_t max, struct buf *ret, struct error *err)
{
    char label[PEM_LABEL_MAX + 1];
    size_t before = ret->len;

    text_clean(block->label, label, sizeof(label));
    if (span_find_byte(block->body, ':') != SIZE_MAX)
        return error_set(err, REASON_MALFORMED,
                         "PEM block %s has header lines (an old encrypted form), which are not read", label);
    if (block->body.len / 4 > max)
        return error_set(err, REASON_LIMIT, "PEM block %s is larger than %zu bytes", label, max);
    if (!base64_decode(block->body, BASE64_PEM, ret) || !buf_ok(ret))
        return error_set(err, REASON_MALFORMED,
                         "PEM block %s is not base64 between its lines: is a line missing or cut?", label);
    if (ret->len == before)
        return error_set(err, REASON_MALFORMED, "PEM block %s is empty", label);
    return true;
}

bool pem_single(struct span text, const char *label, size_t max, struct buf *ret, struct error *err)
{
    struct pem_block block;
    struct buf bytes = BUF_INIT(max);
    char found[PEM_LABEL_MAX + 1];

    if (!pem_read(text, &block, err))
        return false;
    if (!span_eq_str(block.label, label))
        return error_set(err, REASON_MALFORMED, "want a PEM block %s, found %s", label,
                         text_clean(block.label, found, sizeof(found)));
    if (span_trim(block.before).len > 0 || span_trim(block.behind).len > 0)
        return error_set(err, REASON_MALFORMED,
                         "PEM block %s has other text or a second block around it; want exactly one", label);
    if (!pem_decode(&block, max, &bytes, err)) {
        buf_wipe(&bytes);
        return false;
    }
    *ret = bytes;
    return true;
}

void pem_write(struct buf *buf, const char *label, struct span bytes)
{
    buf_printf(buf, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < bytes.len; at += PEM_LINE_BYTES) {
        base64_encode(span_cut(bytes, at, PEM_LINE_BYTES), buf);
        buf_byte(buf, '\n');
    }
    buf_printf(buf, "-----END %s-----\n", label);
}
