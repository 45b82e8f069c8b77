/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML by libyaml's events, as strict as base/tree.h says. People write these files and a misread one lets images pass
 * or stops a node, so whatever two readers could understand differently is refused with its place:
 * aliases, anchors and tags; merge keys; keys that are no scalars; names twice in one map; tabs that indent;
 * a byte order mark; line separators that an editor does not show as such; NUL (for libyaml the end of the document).
 */
#include <string.h>

#include <yaml.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/tree_build.h"

struct yaml_reader {
    struct span text;
    const char *what;
    yaml_parser_t parser;
    struct tree_builder builder;
    struct error *err;
    bool ended;
    /* For the search for tabs: how far the lines have been looked at, and the end of the event before. */
    size_t line, line_start;
    yaml_mark_t previous_end;
};

static bool fail_at_offset(struct yaml_reader *reader, size_t offset)
{
    uint32_t line, column;

    text_place(reader->text, offset, &line, &column);
    return error_at(reader->err, reader->what, line, column);
}

/* Counted from 0 by libyaml. */
static bool fail_at_mark(struct yaml_reader *reader, yaml_mark_t mark)
{
    return error_at(reader->err, reader->what, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1);
}

static bool refuse(struct yaml_reader *reader, yaml_mark_t mark, const char *text)
{
    (void)error_set(reader->err, REASON_POLICY_ERROR, "%s", text);
    return fail_at_mark(reader, mark);
}

static bool refuse_offset(struct yaml_reader *reader, size_t offset, const char *text)
{
    (void)error_set(reader->err, REASON_POLICY_ERROR, "%s", text);
    return fail_at_offset(reader, offset);
}

/* Offset of the first line break other than LF and CRLF; these are the ones that YAML 1.1 (section 5.4) counts. */
static size_t find_odd_break(struct span text)
{
    for (size_t at = 0; at < text.len; at++) {
        struct span rest = span_cut(text, at, 3);

        if (text.ptr[at] == '\r' && !span_starts(rest, "\r\n"))
            return at;
        if (text.ptr[at] >= 0xC2 && (span_starts(rest, "\xC2\x85") || span_starts(rest, "\xE2\x80\xA8") ||
                                     span_starts(rest, "\xE2\x80\xA9")))
            return at;
    }
    return SIZE_MAX;
}

static bool check_bytes(struct yaml_reader *reader)
{
    size_t good = utf8_valid_prefix(reader->text);
    size_t at;

    if (good < reader->text.len)
        return refuse_offset(reader, good, "not UTF-8");
    if (span_starts(reader->text, "\xEF\xBB\xBF"))
        return refuse_offset(reader, 0, "a byte order mark: save the file as UTF-8 without one");
    at = span_find_byte(reader->text, 0);
    if (at != SIZE_MAX)
        return refuse_offset(reader, at, "a NUL byte");
    at = find_odd_break(reader->text);
    if (at != SIZE_MAX)
        return refuse_offset(reader, at, "a line break other than LF or CRLF");
    return true;
}

static struct span line_at(struct span text, size_t start)
{
    struct span rest = span_cut(text, start, SIZE_MAX);
    size_t len = span_find_byte(rest, '\n');

    return len == SIZE_MAX ? rest : span_cut(rest, 0, len);
}

static size_t indent_of(struct span line)
{
    size_t indent = 0;

    while (indent < line.len && line.ptr[indent] == ' ')
        indent++;
    return indent;
}

/*
 * A PEM block pasted under "data: |" with only its first line indented, as `$(cat cosign.pub)` in a shell's
 * here-document gives: offset of the first line that is not far enough in; SIZE_MAX when that is not what is wrong.
 */
static size_t find_unindented_pem(struct span text)
{
    size_t wanted = 0;

    for (size_t start = 0; start < text.len;) {
        struct span line = line_at(text, start);
        size_t indent = indent_of(line);
        struct span content = span_trim(line);

        if (span_starts(content, "-----BEGIN "))
            wanted = indent;
        else if (wanted > 0 && content.len > 0 && indent < wanted)
            return start;
        if (span_starts(content, "-----END "))
            wanted = 0;
        start += line.len + 1;
    }
    return SIZE_MAX;
}

static const char tab_text[] = "a tab in the indentation; YAML wants spaces";

/* Moves to the start of a line further down (or to the end), whose leading spaces may have a tab behind them. */
static bool is_tab_indented(struct yaml_reader *reader, size_t line, size_t *ret_offset)
{
    struct span content;
    size_t indent;

    while (reader->line < line && reader->line_start < reader->text.len) {
        reader->line_start += line_at(reader->text, reader->line_start).len + 1;
        reader->line++;
    }
    if (reader->line != line)
        return false;
    content = line_at(reader->text, reader->line_start);
    indent = indent_of(content);
    *ret_offset = reader->line_start + indent;
    return indent < content.len && content.ptr[indent] == '\t' && span_trim(content).len > 0;
}

/* What libyaml says, unless we know better what the author did. */
static bool fail_syntax(struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    size_t pem = find_unindented_pem(reader->text);
    size_t tab;

    if (parser->error == YAML_MEMORY_ERROR)
        return error_oom(reader->err);
    if (pem != SIZE_MAX)
        return refuse_offset(
            reader, pem, "PEM lines must be indented as far as their -----BEGIN line; or use key.path to name a file");
    if (parser->error == YAML_READER_ERROR) {
        (void)error_set(reader->err, REASON_POLICY_ERROR, "not YAML: %s", parser->problem);
        return fail_at_offset(reader, parser->problem_offset);
    }
    if (is_tab_indented(reader, parser->problem_mark.line, &tab))
        return refuse_offset(reader, tab, tab_text);
    if (parser->context)
        (void)error_set(reader->err, REASON_POLICY_ERROR, "not YAML: %s %s that begins in line %zu", parser->problem,
                        parser->context, parser->context_mark.line + 1);
    else
        (void)error_set(reader->err, REASON_POLICY_ERROR, "not YAML: %s",
                        parser->problem ? parser->problem : "syntax error");
    return fail_at_mark(reader, parser->problem_mark);
}

/*
 * Tabs that indent, in the lines between two events: libyaml lets some pass. Lines inside a scalar are content, and
 * may begin with tabs.
 */
static bool check_tabs(struct yaml_reader *reader, const yaml_event_t *event)
{
    size_t first = reader->previous_end.line + (reader->previous_end.column > 0 ? 1 : 0);
    size_t tab;

    for (size_t line = first; line <= event->start_mark.line; line++)
        if (is_tab_indented(reader, line, &tab))
            return refuse_offset(reader, tab, tab_text);
    reader->previous_end = event->end_mark;
    return true;
}

/* Errors of the builder are the document's: duplicate names and limits. */
static bool finish(struct yaml_reader *reader, const yaml_event_t *event, bool done)
{
    const struct node *second = reader->builder.duplicate;

    if (done)
        return true;
    if (reader->err->reason == REASON_MALFORMED)
        reader->err->reason = REASON_POLICY_ERROR;
    if (second)
        return error_at(reader->err, reader->what, second->line, second->column);
    return fail_at_mark(reader, event->start_mark);
}

static bool is_name_next(const struct tree_builder *builder)
{
    return builder->depth > 0 && builder->open[builder->depth - 1].node->kind == NODE_MAP && !builder->has_name;
}

static enum node_kind kind_of_plain(struct span text)
{
    if (text.len == 0 || span_eq_str(text, "null") || span_eq_str(text, "~"))
        return NODE_NULL;
    if (span_eq_str(text, "true") || span_eq_str(text, "false"))
        return NODE_BOOL;
    return text_is_number(text) ? NODE_NUMBER : NODE_STRING;
}

static bool copy_text(struct yaml_reader *reader, struct span text, struct span *ret)
{
    uint8_t *copy;

    *ret = span_of("", 0);
    if (text.len == 0)
        return true;
    copy = tree_text(reader->builder.tree, text.len);
    if (!copy)
        return error_oom(reader->err);
    memcpy(copy, text.ptr, text.len);
    *ret = span_of(copy, text.len);
    return true;
}

static bool check_node(struct yaml_reader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
                       const yaml_char_t *tag)
{
    if (anchor)
        return refuse(reader, event->start_mark, "anchors (&name) are not supported; write the value where it is used");
    if (tag)
        return refuse(reader, event->start_mark, "tags (!name) are not supported");
    reader->builder.line = (uint32_t)event->start_mark.line + 1;
    reader->builder.column = (uint32_t)event->start_mark.column + 1;
    return true;
}

static bool on_scalar(struct yaml_reader *reader, const yaml_event_t *event)
{
    struct span raw = span_of(event->data.scalar.value, event->data.scalar.length);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct span text;

    if (!check_node(reader, event, event->data.scalar.anchor, event->data.scalar.tag))
        return false;
    if (span_has_nul(raw))
        return refuse(reader, event->start_mark, "a string holds U+0000");
    if (!copy_text(reader, raw, &text))
        return false;
    if (!is_name_next(&reader->builder))
        return finish(reader, event, build_scalar(&reader->builder, plain ? kind_of_plain(text) : NODE_STRING, text,
                                                  reader->err));
    if (plain && text.len == 0)
        return refuse(reader, event->start_mark, "a member without a name");
    if (plain && span_eq_str(text, "<<"))
        return refuse(reader, event->start_mark, "merge keys (<<) are not supported");
    return finish(reader, event, build_name(&reader->builder, text, reader->err));
}

static bool on_open(struct yaml_reader *reader, const yaml_event_t *event, enum node_kind kind,
                    const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (!check_node(reader, event, anchor, tag))
        return false;
    if (is_name_next(&reader->builder))
        return refuse(reader, event->start_mark, "the name of a member must be a string");
    return finish(reader, event, build_open(&reader->builder, kind, reader->err));
}

static bool on_document_start(struct yaml_reader *reader, const yaml_event_t *event)
{
    if (event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        return refuse(reader, event->start_mark, "%TAG directives are not supported");
    reader->builder.root = NULL;
    return true;
}

/* What is between two "---" may be nothing, or comments only. */
static bool on_document_end(struct yaml_reader *reader, const yaml_event_t *event)
{
    const struct node *root = reader->builder.root;

    if (!root)
        return error_set(reader->err, REASON_INTERNAL, "libyaml ended a document without a value");
    if (root->kind == NODE_NULL && root->text.len == 0)
        return true;
    return finish(reader, event, tree_add_document(reader->builder.tree, root, reader->err));
}

static bool on_event(struct yaml_reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_STREAM_START_EVENT:
        return true;
    case YAML_STREAM_END_EVENT:
        reader->ended = true;
        return true;
    case YAML_DOCUMENT_START_EVENT:
        return on_document_start(reader, event);
    case YAML_DOCUMENT_END_EVENT:
        return on_document_end(reader, event);
    case YAML_ALIAS_EVENT:
        return refuse(reader, event->start_mark, "aliases (*name) are not supported; write the value where it is used");
    case YAML_SCALAR_EVENT:
        return on_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(reader, event, NODE_LIST, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return on_open(reader, event, NODE_MAP, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return finish(reader, event, build_close(&reader->builder, reader->err));
    case YAML_NO_EVENT:
        break;
    }
    return error_set(reader->err, REASON_INTERNAL, "libyaml gave an event of no kind");
}

static bool run(struct yaml_reader *reader)
{
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, reader->text.ptr, reader->text.len);
    while (!reader->ended) {
        yaml_event_t event;
        bool done;

        if (!yaml_parser_parse(&reader->parser, &event))
            return fail_syntax(reader);
        done = check_tabs(reader, &event) && on_event(reader, &event);
        yaml_event_delete(&event);
        if (!done)
            return false;
    }
    return true;
}

bool yaml_parse(struct span bytes, const char *what, struct tree **ret_tree, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = tree_new();
    CLEANUP(mem_freep) struct yaml_reader *reader = mem_new(1, sizeof(*reader));
    bool done;

    if (!tree || !reader)
        return error_oom(err);
    reader->text = bytes.len > 0 ? bytes : span_str("");
    reader->what = what;
    reader->builder.tree = tree;
    reader->err = err;
    if (!check_bytes(reader))
        return false;
    if (!yaml_parser_initialize(&reader->parser))
        return error_oom(err);
    done = run(reader);
    yaml_parser_delete(&reader->parser);
    if (!done)
        return false;
    *ret_tree = TAKE_PTR(tree);
    return true;
}
