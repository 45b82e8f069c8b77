/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML's tables and keys. A reader of our own, because Debian has no C library for TOML, and the C++ one would bring
 * libstdc++ (2 ms of start-up and an exception for each bad file) into programs that start at every pull; the format is
 * small, and tests/unit/test_base_toml.c runs the public set of valid and invalid documents over this one.
 * The section names are those of the TOML 1.0.0 specification.
 */
#include "base/toml.h"

#include "base/encode.h"
#include "base/mem.h"
#include "base/toml_read.h"

/* How a name came to be, which decides what may be added to it later. */
enum toml_state {
    TOML_VALUE,    /* a value, array or inline table: finished ("inline tables are fully self-contained") */
    TOML_IMPLICIT, /* a table that is only on the way of a header: may get its own header */
    TOML_HEADER,   /* a table with a header */
    TOML_DOTTED,   /* a table made by a dotted key: no header, no second definition */
    TOML_TABLES,   /* an array of tables: [[name]] adds one */
};

enum { NONE = UINT32_MAX, ROOT = 0, KEY_PARTS = LIMIT_TREE_DEPTH };

/* What is known of a name while reading. Items are found by (parent, name) through a hash table of chains. */
struct toml_item {
    struct node *node;
    struct node *last; /* child of node */
    uint32_t parent;
    uint32_t element; /* TOML_TABLES: the item of the last table */
    uint32_t next;    /* in the chain */
    uint32_t hash;
    uint32_t depth; /* of the node: 1 for the root */
    enum toml_state state;
};

struct toml_reader {
    struct toml_text in;
    struct toml_item *items;
    size_t count, capacity;
    uint32_t *chains; /* a power of two of them */
    size_t chain_count;
    size_t seen, line_start; /* lines are counted up to `seen` */
    uint32_t line;
};

/* One key: its parts and where each begins. */
struct toml_key {
    struct span parts[KEY_PARTS];
    size_t offsets[KEY_PARTS];
    size_t count;
};

static void reader_done_toml(struct toml_reader *reader)
{
    mem_free(reader->items);
    mem_free(reader->chains);
}

/* FNV-1a over the name, begun with the parent. The files are the administrator's: no need for a keyed hash. */
static uint32_t hash_of(uint32_t parent, struct span name)
{
    uint32_t hash = 2166136261u ^ parent * 2654435761u;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ name.ptr[i]) * 16777619u;
    return hash;
}

static bool grow_chains(struct toml_reader *reader)
{
    size_t wanted = reader->chain_count > 0 ? reader->chain_count * 2 : 64;
    uint32_t *chains = mem_new(wanted, sizeof(*chains));

    if (!chains)
        return error_oom(reader->in.err);
    for (size_t i = 0; i < wanted; i++)
        chains[i] = NONE;
    for (size_t i = 0; i < reader->count; i++) {
        struct toml_item *item = &reader->items[i];
        uint32_t *chain = &chains[item->hash & (wanted - 1)];

        if (item->parent == NONE)
            continue;
        item->next = *chain;
        *chain = (uint32_t)i;
    }
    mem_free(reader->chains);
    reader->chains = chains;
    reader->chain_count = wanted;
    return true;
}

static uint32_t find_item(const struct toml_reader *reader, uint32_t parent, struct span name)
{
    uint32_t hash = hash_of(parent, name);
    uint32_t at = reader->chain_count > 0 ? reader->chains[hash & (reader->chain_count - 1)] : NONE;

    while (at != NONE) {
        const struct toml_item *item = &reader->items[at];

        if (item->hash == hash && item->parent == parent && span_eq(item->node->name, name))
            return at;
        at = item->next;
    }
    return NONE;
}

/* A new item; parent NONE for those that have no name (the root, elements of arrays). */
static bool add_item(struct toml_reader *reader, struct toml_item item, uint32_t *ret)
{
    if (!mem_grow(&reader->items, &reader->capacity, reader->count, sizeof(*reader->items), LIMIT_TREE_NODES + 1))
        return error_oom(reader->in.err);
    if (reader->count >= reader->chain_count && !grow_chains(reader))
        return false;
    item.element = NONE;
    item.next = NONE;
    if (item.parent != NONE) {
        uint32_t *chain;

        item.hash = hash_of(item.parent, item.node->name);
        chain = &reader->chains[item.hash & (reader->chain_count - 1)];
        item.next = *chain;
        *chain = (uint32_t)reader->count;
    }
    reader->items[reader->count] = item;
    *ret = (uint32_t)reader->count++;
    return true;
}

static bool check_depth(struct toml_reader *reader, size_t offset, uint32_t depth)
{
    uint32_t line, column;

    if (depth <= LIMIT_TREE_DEPTH)
        return true;
    text_place(reader->in.text, offset, &line, &column);
    (void)error_set(reader->in.err, REASON_LIMIT, "nested deeper than %d levels", LIMIT_TREE_DEPTH);
    return error_at(reader->in.err, reader->in.what, line, column);
}

static struct node *new_node(struct toml_reader *reader, enum node_kind kind, size_t offset)
{
    struct node *node = tree_node(reader->in.tree, reader->in.err);

    if (!node)
        return NULL;
    for (; reader->seen < offset; reader->seen++) /* nodes come in the order of their places */
        if (reader->in.text.ptr[reader->seen] == '\n') {
            reader->line++;
            reader->line_start = reader->seen + 1;
        }
    node->kind = kind;
    node->line = reader->line;
    node->column = (uint32_t)(offset - reader->line_start + 1);
    return node;
}

static void append(struct node *parent, struct node **last, struct node *child)
{
    if (*last)
        (*last)->next = child;
    else
        parent->child = child;
    *last = child;
    parent->count++;
}

/* A container named `name` in the table `parent`. */
static bool add_container(struct toml_reader *reader, uint32_t parent, struct span name, size_t offset,
                          enum node_kind kind, enum toml_state state, uint32_t *ret)
{
    uint32_t depth = reader->items[parent].depth + 1;
    struct node *node;

    if (!check_depth(reader, offset, depth))
        return false;
    node = new_node(reader, kind, offset);
    if (!node)
        return false;
    node->name = name;
    append(reader->items[parent].node, &reader->items[parent].last, node);
    return add_item(reader, (struct toml_item){.node = node, .parent = parent, .depth = depth, .state = state}, ret);
}

static void skip_blanks(struct toml_reader *reader)
{
    while (toml_take(&reader->in, ' ') || toml_take(&reader->in, '\t'))
        ;
}

/* Blanks and a comment. Comments hold no control characters but tabs. */
static bool skip_comment(struct toml_reader *reader)
{
    struct toml_text *in = &reader->in;

    skip_blanks(reader);
    if (!toml_take(in, '#'))
        return true;
    while (in->at < in->text.len && in->text.ptr[in->at] != '\n' && !toml_starts(in, "\r\n")) {
        uint8_t c = in->text.ptr[in->at];

        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return toml_fail(in, in->at, "a control character in a comment");
        in->at++;
    }
    return true;
}

/* Blanks, comments and newlines: between the values of an array. */
static bool skip_lines(struct toml_reader *reader)
{
    do {
        if (!skip_comment(reader))
            return false;
    } while (toml_take_newline(&reader->in));
    return true;
}

static bool is_bare(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-';
}

static bool read_key_part(struct toml_reader *reader, struct span *ret)
{
    struct toml_text *in = &reader->in;
    size_t start = in->at;

    if (toml_starts(in, "\"") || toml_starts(in, "'"))
        return toml_read_string(in, true, ret);
    while (in->at < in->text.len && is_bare(in->text.ptr[in->at]))
        in->at++;
    if (in->at == start)
        return toml_fail(in, start, "a key is wanted here");
    *ret = span_cut(in->text, start, in->at - start);
    return true;
}

static bool read_key(struct toml_reader *reader, struct toml_key *key)
{
    key->count = 0;
    do {
        skip_blanks(reader);
        if (key->count == KEY_PARTS)
            return check_depth(reader, reader->in.at, LIMIT_TREE_DEPTH + 1);
        key->offsets[key->count] = reader->in.at;
        if (!read_key_part(reader, &key->parts[key->count]))
            return false;
        key->count++;
        skip_blanks(reader);
    } while (toml_take(&reader->in, '.'));
    return true;
}

static bool fail_name(struct toml_reader *reader, const struct toml_key *key, size_t part, const char *what)
{
    char shown[80], text[200];
    struct buf buf = BUF_INIT(sizeof(text) - 1);

    buf_printf(&buf, "\"%s\" %s", text_clean(key->parts[part], shown, sizeof(shown)), what);
    (void)toml_fail(&reader->in, key->offsets[part], buf_ok(&buf) ? buf_cstr(&buf) : what);
    buf_free(&buf);
    return false;
}

/* From a header's name to the table in which its last part stands. Tables on the way are made as needed. */
static bool walk_header(struct toml_reader *reader, const struct toml_key *key, uint32_t *ret)
{
    uint32_t table = ROOT;

    for (size_t i = 0; i + 1 < key->count; i++) {
        uint32_t next = find_item(reader, table, key->parts[i]);

        if (next == NONE) {
            if (!add_container(reader, table, key->parts[i], key->offsets[i], NODE_MAP, TOML_IMPLICIT, &next))
                return false;
        } else if (reader->items[next].state == TOML_VALUE) {
            return fail_name(reader, key, i, "is no table that can be added to");
        } else if (reader->items[next].state == TOML_TABLES) {
            next = reader->items[next].element;
        }
        table = next;
    }
    *ret = table;
    return true;
}

/* "[name]" */
static bool open_table(struct toml_reader *reader, const struct toml_key *key, uint32_t *ret)
{
    size_t last = key->count - 1;
    uint32_t table, item;

    if (!walk_header(reader, key, &table))
        return false;
    item = find_item(reader, table, key->parts[last]);
    if (item == NONE)
        return add_container(reader, table, key->parts[last], key->offsets[last], NODE_MAP, TOML_HEADER, ret);
    if (reader->items[item].state != TOML_IMPLICIT)
        return fail_name(reader, key, last, "is defined twice");
    reader->items[item].state = TOML_HEADER;
    *ret = item;
    return true;
}

/* "[[name]]" */
static bool open_element(struct toml_reader *reader, const struct toml_key *key, uint32_t *ret)
{
    size_t last = key->count - 1;
    uint32_t table, list, depth;
    struct node *node;

    if (!walk_header(reader, key, &table))
        return false;
    list = find_item(reader, table, key->parts[last]);
    if (list == NONE) {
        if (!add_container(reader, table, key->parts[last], key->offsets[last], NODE_LIST, TOML_TABLES, &list))
            return false;
    } else if (reader->items[list].state != TOML_TABLES) {
        return fail_name(reader, key, last, "is defined already, not as an array of tables");
    }
    depth = reader->items[list].depth + 1;
    if (!check_depth(reader, key->offsets[last], depth))
        return false;
    node = new_node(reader, NODE_MAP, key->offsets[last]);
    if (!node)
        return false;
    append(reader->items[list].node, &reader->items[list].last, node);
    if (!add_item(reader, (struct toml_item){.node = node, .parent = NONE, .depth = depth, .state = TOML_HEADER}, ret))
        return false;
    reader->items[list].element = *ret;
    return true;
}

static bool read_header(struct toml_reader *reader, uint32_t *ret_table)
{
    struct toml_text *in = &reader->in;
    bool element = toml_starts(in, "[[");
    CLEANUP(mem_freep) struct toml_key *key = mem_new(1, sizeof(*key));

    if (!key)
        return error_oom(in->err);
    in->at += element ? 2 : 1;
    if (!read_key(reader, key))
        return false;
    if (!toml_take(in, ']') || (element && !toml_take(in, ']')))
        return toml_fail(in, in->at, element ? "\"]]\" is wanted here" : "\"]\" is wanted here");
    return element ? open_element(reader, key, ret_table) : open_table(reader, key, ret_table);
}

static bool read_value(struct toml_reader *reader, uint32_t depth, struct node **ret);

/* From a table to the one in which a dotted key's last part stands. */
static bool walk_dotted(struct toml_reader *reader, uint32_t table, const struct toml_key *key, uint32_t *ret)
{
    for (size_t i = 0; i + 1 < key->count; i++) {
        uint32_t next = find_item(reader, table, key->parts[i]);

        if (next == NONE) {
            if (!add_container(reader, table, key->parts[i], key->offsets[i], NODE_MAP, TOML_DOTTED, &next))
                return false;
        } else if (reader->items[next].state == TOML_IMPLICIT) {
            reader->items[next].state = TOML_DOTTED;
        } else if (reader->items[next].state != TOML_DOTTED) {
            return fail_name(reader, key, i, "is defined already and cannot be added to");
        }
        table = next;
    }
    *ret = table;
    return true;
}

/* key = value */
static bool read_pair(struct toml_reader *reader, uint32_t table)
{
    struct toml_text *in = &reader->in;
    CLEANUP(mem_freep) struct toml_key *key = mem_new(1, sizeof(*key));
    struct node *node = NULL;
    uint32_t item;
    size_t last;

    if (!key)
        return error_oom(in->err);
    if (!read_key(reader, key))
        return false;
    if (!toml_take(in, '='))
        return toml_fail(in, in->at, "\"=\" is wanted here");
    if (!walk_dotted(reader, table, key, &table))
        return false;
    last = key->count - 1;
    if (find_item(reader, table, key->parts[last]) != NONE)
        return fail_name(reader, key, last, "is there twice in one table");
    skip_blanks(reader);
    if (!read_value(reader, reader->items[table].depth + 1, &node))
        return false;
    node->name = key->parts[last];
    append(reader->items[table].node, &reader->items[table].last, node);
    return add_item(reader, (struct toml_item){.node = node, .parent = table, .state = TOML_VALUE}, &item);
}

/* "{ a = 1, b.c = 2 }": in one line, no comma at the end. */
static bool read_inline_table(struct toml_reader *reader, uint32_t depth, struct node *node)
{
    struct toml_text *in = &reader->in;
    uint32_t table;

    if (!add_item(reader, (struct toml_item){.node = node, .parent = NONE, .depth = depth, .state = TOML_DOTTED},
                  &table))
        return false;
    skip_blanks(reader);
    if (toml_take(in, '}'))
        return true;
    for (;;) {
        if (!read_pair(reader, table))
            return false;
        skip_blanks(reader);
        if (toml_take(in, '}'))
            return true;
        if (!toml_take(in, ','))
            return toml_fail(in, in->at, "\",\" or \"}\" is wanted here");
    }
}

/* "[1, 2,]": over several lines, with comments. */
static bool read_array(struct toml_reader *reader, uint32_t depth, struct node *list)
{
    struct toml_text *in = &reader->in;
    struct node *last = NULL;

    for (;;) {
        struct node *value = NULL;

        if (!skip_lines(reader))
            return false;
        if (toml_take(in, ']'))
            return true;
        if (!read_value(reader, depth + 1, &value))
            return false;
        append(list, &last, value);
        if (!skip_lines(reader))
            return false;
        if (toml_take(in, ']'))
            return true;
        if (!toml_take(in, ','))
            return toml_fail(in, in->at, "\",\" or \"]\" is wanted here");
    }
}

static bool read_value(struct toml_reader *reader, uint32_t depth, struct node **ret)
{
    struct toml_text *in = &reader->in;
    size_t start = in->at;
    bool text = toml_starts(in, "\"") || toml_starts(in, "'");
    bool list = toml_starts(in, "[");
    enum node_kind kind = text ? NODE_STRING : list ? NODE_LIST : NODE_MAP;
    bool container = list || toml_starts(in, "{");
    struct node *node = new_node(reader, kind, start);

    if (!node)
        return false;
    *ret = node;
    if (text)
        return toml_read_string(in, false, &node->text);
    if (!container)
        return toml_read_word(in, &node->kind, &node->text);
    if (!check_depth(reader, start, depth))
        return false;
    in->at++;
    return list ? read_array(reader, depth, node) : read_inline_table(reader, depth, node);
}

/* One line, or what begins in it. */
static bool read_expression(struct toml_reader *reader, uint32_t *table)
{
    struct toml_text *in = &reader->in;

    skip_blanks(reader);
    if (toml_starts(in, "[")) {
        if (!read_header(reader, table))
            return false;
    } else if (in->at < in->text.len && !toml_starts(in, "#") && !toml_starts(in, "\n") && !toml_starts(in, "\r\n")) {
        if (!read_pair(reader, *table))
            return false;
    }
    if (!skip_comment(reader))
        return false;
    if (in->at < in->text.len && !toml_take_newline(in))
        return toml_fail(in, in->at, "the end of the line is wanted here");
    return true;
}

static bool check_bytes(struct toml_text *in)
{
    size_t good = utf8_valid_prefix(in->text);

    if (good < in->text.len)
        return toml_fail(in, good, "not UTF-8");
    if (in->text.len >= UINT32_MAX)
        return error_set(in->err, REASON_LIMIT, "document of %zu bytes", in->text.len);
    if (toml_starts(in, "\xEF\xBB\xBF"))
        return toml_fail(in, 0, "a byte order mark: save the file as UTF-8 without one");
    return true;
}

static bool read_document(struct toml_reader *reader)
{
    struct node *root;
    uint32_t table;

    if (!check_bytes(&reader->in))
        return false;
    root = new_node(reader, NODE_MAP, 0);
    if (!root)
        return false;
    if (!add_item(reader, (struct toml_item){.node = root, .parent = NONE, .depth = 1, .state = TOML_HEADER}, &table))
        return false;
    while (reader->in.at < reader->in.text.len)
        if (!read_expression(reader, &table))
            return false;
    return tree_add_document(reader->in.tree, root, reader->in.err);
}

bool toml_parse(struct span bytes, const char *what, struct tree **ret_tree, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = tree_new();
    CLEANUP(reader_done_toml) struct toml_reader reader = {0};

    if (!tree)
        return error_oom(err);
    reader.line = 1;
    reader.in = (struct toml_text){.text = bytes, .what = what, .tree = tree, .err = err};
    if (!read_document(&reader))
        return false;
    *ret_tree = TAKE_PTR(tree);
    return true;
}
