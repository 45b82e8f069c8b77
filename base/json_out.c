/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_out.h"

#include "base/encode.h"

struct json_out json_out_to(struct buf *buf)
{
    return (struct json_out){.buf = buf, .comma = false};
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/* RFC 8259 section 7: quotation mark, reverse solidus and controls must be escaped. */
static void put_escaped(struct buf *buf, struct span text)
{
    buf_byte(buf, '"');
    for (size_t at = 0, start = 0; at < text.len;) {
        struct span rest;
        uint32_t code = 0;
        size_t len;

        for (start = at; at < text.len && is_plain(text.ptr[at]); at++)
            ;
        buf_append(buf, text.ptr + start, at - start);
        if (at == text.len)
            break;
        rest = span_cut(text, at, SIZE_MAX);
        len = utf8_decode(rest, &code);

        if (len == 0) {
            buf_str(buf, "\xEF\xBF\xBD"); /* U+FFFD for each byte that is no UTF-8 */
            len = 1;
        } else if (code == '"' || code == '\\') {
            buf_byte(buf, '\\');
            buf_byte(buf, (uint8_t)code);
        } else if (code == '\n') {
            buf_str(buf, "\\n");
        } else if (code < 0x20 || code == 0x7F) {
            buf_printf(buf, "\\u%04x", (unsigned int)code);
        } else {
            buf_append(buf, rest.ptr, len);
        }
        at += len;
    }
    buf_byte(buf, '"');
}

static void begin_value(struct json_out *out, const char *key)
{
    if (out->comma)
        buf_byte(out->buf, ',');
    out->comma = true;
    if (key) {
        put_escaped(out->buf, span_str(key));
        buf_byte(out->buf, ':');
    }
}

void json_open_map(struct json_out *out, const char *key)
{
    begin_value(out, key);
    buf_byte(out->buf, '{');
    out->comma = false;
}

void json_close_map(struct json_out *out)
{
    buf_byte(out->buf, '}');
    out->comma = true;
}

void json_open_list(struct json_out *out, const char *key)
{
    begin_value(out, key);
    buf_byte(out->buf, '[');
    out->comma = false;
}

void json_close_list(struct json_out *out)
{
    buf_byte(out->buf, ']');
    out->comma = true;
}

void json_put_str(struct json_out *out, const char *key, const char *text)
{
    if (text)
        json_put_span(out, key, span_str(text));
    else
        json_put_null(out, key);
}

void json_put_span(struct json_out *out, const char *key, struct span text)
{
    begin_value(out, key);
    put_escaped(out->buf, text);
}

void json_put_int(struct json_out *out, const char *key, int64_t value)
{
    begin_value(out, key);
    buf_printf(out->buf, "%lld", (long long)value);
}

void json_put_bool(struct json_out *out, const char *key, bool value)
{
    begin_value(out, key);
    buf_str(out->buf, value ? "true" : "false");
}

void json_put_null(struct json_out *out, const char *key)
{
    begin_value(out, key);
    buf_str(out->buf, "null");
}

void json_put_base64(struct json_out *out, const char *key, struct span bytes)
{
    begin_value(out, key);
    buf_byte(out->buf, '"');
    base64_encode(bytes, out->buf);
    buf_byte(out->buf, '"');
}

void json_put_raw(struct json_out *out, const char *key, struct span json)
{
    begin_value(out, key);
    buf_span(out->buf, json);
}

static void put_node(struct buf *buf, const struct node *node)
{
    if (!node) {
        buf_str(buf, "null");
        return;
    }
    switch (node->kind) {
    case NODE_NULL:
        buf_str(buf, "null");
        return;
    case NODE_BOOL:
    case NODE_NUMBER:
        buf_span(buf, node->text);
        return;
    case NODE_STRING:
        put_escaped(buf, node->text);
        return;
    case NODE_LIST:
    case NODE_MAP:
        break;
    }
    buf_byte(buf, node->kind == NODE_MAP ? '{' : '[');
    for (const struct node *child = node->child; child; child = child->next) {
        if (node->kind == NODE_MAP) {
            put_escaped(buf, child->name);
            buf_byte(buf, ':');
        }
        put_node(buf, child); /* no deeper than LIMIT_TREE_DEPTH, which the readers hold */
        if (child->next)
            buf_byte(buf, ',');
    }
    buf_byte(buf, node->kind == NODE_MAP ? '}' : ']');
}

void json_put_node(struct json_out *out, const char *key, const struct node *node)
{
    begin_value(out, key);
    put_node(out->buf, node);
}
