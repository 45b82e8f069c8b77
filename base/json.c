/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON by yajl, which checks the grammar of RFC 8259; all yajl_allow_* options stay off. What it lacks is done here:
 *   - duplicate names (section 4: "unpredictable"), depth, number of values: base/tree_build.c;
 *   - UTF-8: yajl's check lets overlong forms and surrogates pass, ours (done first, over all bytes) does not;
 *   - white space: yajl takes vertical tabs and form feeds for it, which section 2 does not; no document holds any;
 *   - escapes: yajl turns lone surrogates into "?" and passes U+0000. Strings are decoded here from the document's own
 *     bytes, and both are refused;
 *   - out of memory: yajl does not look at what its allocator returns. Ours does not return then (see hook_fail).
 * The callbacks take nothing from yajl but the kind of the token: its place and extent are found in the document.
 */
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/tree_build.h"

/* In front of each block that yajl holds, so that all can be freed wherever yajl was left. */
struct hook_block {
    _Alignas(max_align_t) struct hook_block *next; /* the bytes begin right behind the structure */
    struct hook_block *previous;
};

struct json_reader {
    struct span text;
    const char *what;
    size_t at; /* end of the token before */
    bool places;
    uint32_t line;     /* of `at` */
    size_t line_start; /* offset where that line begins */
    size_t token;      /* start of the token at hand */
    struct tree_builder builder;
    struct error *err;
    bool failed; /* err is set */
    struct hook_block blocks; /* ring of yajl's memory */
    jmp_buf no_memory;
};

static void hook_link(struct json_reader *reader, struct hook_block *block)
{
    block->next = reader->blocks.next;
    block->previous = &reader->blocks;
    block->next->previous = block;
    reader->blocks.next = block;
}

static void hook_unlink(struct hook_block *block)
{
    block->next->previous = block->previous;
    block->previous->next = block->next;
}

static struct hook_block *hook_block_of(void *bytes)
{
    return bytes ? (struct hook_block *)(void *)((char *)bytes - sizeof(struct hook_block)) : NULL;
}

/*
 * Leaves yajl for json_parse, which frees yajl's blocks without asking yajl. Only frames of yajl and of the hooks lie
 * between: nothing of ours is open there.
 */
static _Noreturn void hook_fail(struct json_reader *reader)
{
    longjmp(reader->no_memory, 1);
}

static void *hook_resize(void *context, void *bytes, size_t size)
{
    struct json_reader *reader = context;
    struct hook_block *block = NULL;

    if (size <= SIZE_MAX - sizeof(*block))
        block = mem_resize(hook_block_of(bytes), 1, sizeof(*block) + size);
    if (!block)
        hook_fail(reader); /* the old block is in the ring and goes with it */
    if (bytes) {
        block->next->previous = block;
        block->previous->next = block;
    } else {
        hook_link(reader, block);
    }
    return block + 1;
}

static void *hook_new(void *context, size_t size)
{
    return hook_resize(context, NULL, size);
}

static void hook_free(void *context, void *bytes)
{
    struct hook_block *block = hook_block_of(bytes);

    (void)context;
    if (!block)
        return;
    hook_unlink(block);
    mem_free(block);
}

static void hook_free_all(struct json_reader *reader)
{
    while (reader->blocks.next != &reader->blocks)
        hook_free(reader, reader->blocks.next + 1);
}

/* Puts the place of `offset` in front of the error; 0 tells yajl to stop. */
static int fail(struct json_reader *reader, size_t offset)
{
    uint32_t line, column;

    text_place(reader->text, offset, &line, &column);
    (void)error_at(reader->err, reader->what, line, column);
    reader->failed = true;
    return 0;
}

/* The end of a callback. A name found twice in a large map is known only at the map's end: its place is its own. */
static int finish(struct json_reader *reader, bool done)
{
    const struct node *second = reader->builder.duplicate;
    size_t offset = reader->token;

    if (done)
        return 1;
    if (second && second->name.ptr >= reader->text.ptr && second->name.ptr < reader->text.ptr + reader->text.len)
        offset = (size_t)(second->name.ptr - reader->text.ptr) - 1;
    return fail(reader, offset);
}

/* Moves on to the next token, over white space and the punctuation that yajl has checked. */
static void begin_token(struct json_reader *reader)
{
    const uint8_t *text = reader->text.ptr;
    size_t at = reader->at;

    for (; at < reader->text.len; at++) {
        if (text[at] == '\n') {
            reader->line++;
            reader->line_start = at + 1;
        } else if (text[at] != ' ' && text[at] != ',' && text[at] != ':' && text[at] != '\r' && text[at] != '\t') {
            break;
        }
    }
    reader->token = at;
    reader->at = at;
    if (reader->places) {
        reader->builder.line = reader->line;
        reader->builder.column = (uint32_t)(at - reader->line_start + 1);
    }
}

/* The token at hand is len bytes long. */
static struct span take_token(struct json_reader *reader, size_t len)
{
    reader->at = reader->token + len;
    return span_cut(reader->text, reader->token, len);
}

/* What stands between the quotation marks, escapes and all; yajl has seen that it ends. */
static struct span take_quoted(struct json_reader *reader, bool *ret_escapes)
{
    size_t start = reader->token + 1;
    size_t end = start + span_find_byte(span_cut(reader->text, start, SIZE_MAX), '"');

    *ret_escapes = span_find_byte(span_cut(reader->text, start, end - start), '\\') != SIZE_MAX;
    if (*ret_escapes)
        for (end = start; end < reader->text.len && reader->text.ptr[end] != '"'; end++)
            if (reader->text.ptr[end] == '\\')
                end++;
    (void)take_token(reader, end - reader->token + 1);
    return span_cut(reader->text, start, end - start);
}

/* Four hexadecimal digits of either case. */
static uint32_t read_hex4(struct reader *raw)
{
    struct span digits = read_bytes(raw, 4);
    uint32_t value = 0;

    for (size_t i = 0; i < digits.len; i++) {
        uint8_t digit = digits.ptr[i];

        if (digit >= '0' && digit <= '9')
            value = value << 4 | (uint32_t)(digit - '0');
        else if ((digit | 32) >= 'a' && (digit | 32) <= 'f')
            value = value << 4 | (uint32_t)((digit | 32) - 'a' + 10);
        else
            raw->failed = true;
    }
    return value;
}

/* RFC 8259 section 7. A surrogate must be one of a pair, high then low. */
static uint32_t read_unicode_escape(struct reader *raw, struct error *err)
{
    uint32_t code = read_hex4(raw);
    uint32_t low;

    if (code == 0)
        (void)error_set(err, REASON_MALFORMED, "a string holds U+0000");
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    low = code <= 0xDBFF && span_starts(raw->rest, "\\u") && read_bytes(raw, 2).len == 2 ? read_hex4(raw) : 0;
    if (low < 0xDC00 || low > 0xDFFF) {
        (void)error_set(err, REASON_MALFORMED, "a string holds a lone surrogate (\\u%04x)", (unsigned int)code);
        return 0;
    }
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

/* The character that an escape (behind its reverse solidus) stands for; 0 with err set when there is none. */
static uint32_t read_escape(struct reader *raw, struct error *err)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t letter = read_u8(raw);
    size_t at = span_find_byte(span_str(letters), letter);

    if (letter == 'u')
        return read_unicode_escape(raw, err);
    if (at != SIZE_MAX)
        return (uint32_t)meanings[at];
    (void)error_set(err, REASON_MALFORMED, "a string holds an unknown escape");
    return 0;
}

static bool decode_string(struct json_reader *reader, struct span quoted, struct span *ret)
{
    struct reader raw = reader_of(quoted);
    uint8_t *text = tree_text(reader->builder.tree, quoted.len); /* decoding never lengthens */
    size_t len = 0;

    if (!text)
        return error_oom(reader->err);
    while (raw.rest.len > 0) {
        size_t plain = span_find_byte(raw.rest, '\\');
        struct span run = read_bytes(&raw, plain < raw.rest.len ? plain : raw.rest.len);
        uint32_t code;

        if (run.len > 0)
            memcpy(text + len, run.ptr, run.len);
        len += run.len;
        if (raw.rest.len == 0)
            break;
        (void)read_u8(&raw);
        code = read_escape(&raw, reader->err);
        if (code == 0)
            return false;
        if (raw.failed)
            return error_set(reader->err, REASON_MALFORMED, "a string holds a broken escape");
        len += utf8_encode(code, text + len);
    }
    *ret = span_of(text, len);
    return true;
}

static bool read_string(struct json_reader *reader, struct span *ret)
{
    struct span quoted;
    bool escapes;

    begin_token(reader);
    quoted = take_quoted(reader, &escapes);
    if (escapes)
        return decode_string(reader, quoted, ret);
    *ret = quoted;
    return true;
}

static int on_word(struct json_reader *reader, enum node_kind kind, size_t len)
{
    begin_token(reader);
    return finish(reader, build_scalar(&reader->builder, kind, take_token(reader, len), reader->err));
}

static int on_null(void *context)
{
    return on_word(context, NODE_NULL, 4);
}

static int on_boolean(void *context, int value)
{
    return on_word(context, NODE_BOOL, value ? 4 : 5);
}

static int on_number(void *context, const char *text, size_t len)
{
    (void)text; /* the same bytes, but possibly yajl's copy */
    return on_word(context, NODE_NUMBER, len);
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
    struct json_reader *reader = context;
    struct span value;

    (void)text;
    (void)len;
    return finish(reader, read_string(reader, &value) &&
                              build_scalar(&reader->builder, NODE_STRING, value, reader->err));
}

static int on_name(void *context, const unsigned char *text, size_t len)
{
    struct json_reader *reader = context;
    struct span name;

    (void)text;
    (void)len;
    return finish(reader, read_string(reader, &name) && build_name(&reader->builder, name, reader->err));
}

static int on_open(struct json_reader *reader, enum node_kind kind)
{
    begin_token(reader);
    (void)take_token(reader, 1);
    return finish(reader, build_open(&reader->builder, kind, reader->err));
}

static int on_open_map(void *context)
{
    return on_open(context, NODE_MAP);
}

static int on_open_list(void *context)
{
    return on_open(context, NODE_LIST);
}

static int on_close(void *context)
{
    struct json_reader *reader = context;

    begin_token(reader);
    (void)take_token(reader, 1);
    return finish(reader, build_close(&reader->builder, reader->err));
}

/* yajl's own words (without ".\n") behind the start of the first token that it did not take. */
static void fail_syntax(struct json_reader *reader, yajl_handle yajl)
{
    unsigned char *words = yajl_get_error(yajl, 0, NULL, 0);
    struct span trimmed = span_trim(span_str(words ? (const char *)words : "syntax error"));
    char shown[120];

    if (span_ends(trimmed, "."))
        trimmed.len--;
    begin_token(reader);
    (void)error_set(reader->err, REASON_MALFORMED, "not JSON: %s", text_clean(trimmed, shown, sizeof(shown)));
    (void)fail(reader, reader->token);
}

static bool feed(struct json_reader *reader)
{
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_open_map,
        .yajl_map_key = on_name,
        .yajl_end_map = on_close,
        .yajl_start_array = on_open_list,
        .yajl_end_array = on_close,
    };
    yajl_alloc_funcs hooks = {.malloc = hook_new, .realloc = hook_resize, .free = hook_free, .ctx = reader};
    yajl_handle yajl = yajl_alloc(&callbacks, &hooks, reader);

    /* One call with everything: text after the value is an error there, and an unfinished value in the second. */
    if (!yajl || !yajl_config(yajl, yajl_dont_validate_strings, 1))
        return error_set(reader->err, REASON_INTERNAL, "yajl does not start");
    if (yajl_parse(yajl, reader->text.ptr, reader->text.len) == yajl_status_ok &&
        yajl_complete_parse(yajl) == yajl_status_ok)
        return true;
    if (!reader->failed)
        fail_syntax(reader, yajl);
    return false;
}

/* Nothing is kept in this function's variables: they would not survive the jump. */
static bool run(struct json_reader *reader)
{
    if (setjmp(reader->no_memory) != 0)
        return error_oom(reader->err);
    return feed(reader);
}

static bool check_bytes(struct json_reader *reader)
{
    size_t good = utf8_valid_prefix(reader->text);
    size_t tab = span_find_byte(reader->text, '\v');
    size_t feed = span_find_byte(reader->text, '\f');
    size_t stray = tab < feed ? tab : feed;

    if (good == reader->text.len && stray == SIZE_MAX)
        return true;
    if (stray < good)
        (void)error_set(reader->err, REASON_MALFORMED, "not JSON: a vertical tab or form feed");
    else
        (void)error_set(reader->err, REASON_MALFORMED, "not UTF-8");
    (void)fail(reader, stray < good ? stray : good);
    return false;
}

bool json_parse(struct span bytes, const char *what, enum tree_flags flags, struct tree **ret_tree, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = tree_new();
    CLEANUP(mem_freep) struct json_reader *reader = mem_new(1, sizeof(*reader));
    bool done;

    if (!tree || !reader)
        return error_oom(err);
    reader->text = bytes.len > 0 ? bytes : span_str("");
    reader->what = what;
    reader->places = (flags & TREE_NO_PLACES) == 0;
    reader->line = 1;
    reader->builder.tree = tree;
    reader->err = err;
    reader->blocks.next = reader->blocks.previous = &reader->blocks;
    done = check_bytes(reader) && run(reader);
    hook_free_all(reader);
    if (!done)
        return false;
    if (!reader->builder.root || reader->builder.depth > 0)
        return error_set(err, REASON_INTERNAL, "yajl ended without a value");
    if (!tree_add_document(tree, reader->builder.root, err))
        return false;
    *ret_tree = TAKE_PTR(tree);
    return true;
}
