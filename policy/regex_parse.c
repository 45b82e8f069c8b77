/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive descent over the expression; the grammar stands in regex.h. */
#include "policy/regex_program.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"

enum { RANGES_MAX = 16384, NODES_MAX = 8192 };

struct parse {
    struct span pattern;
    size_t at;
    bool fold; /* (?i) */
    int depth;
    struct regex_tree *tree;
    struct error *err;
};

static bool parse_fail(struct parse *parse, const char *what)
{
    char shown[120];

    return error_set(parse->err, REASON_POLICY_ERROR, "regular expression \"%s\", character %zu: %s",
                     text_clean(parse->pattern, shown, sizeof(shown)), parse->at + 1, what);
}

static bool at_end(const struct parse *parse)
{
    return parse->at >= parse->pattern.len;
}

static uint8_t peek(const struct parse *parse)
{
    return at_end(parse) ? 0 : parse->pattern.ptr[parse->at];
}

static bool starts(const struct parse *parse, const char *text)
{
    return span_starts(span_cut(parse->pattern, parse->at, SIZE_MAX), text);
}

static bool take(struct parse *parse, const char *text)
{
    if (!starts(parse, text))
        return false;
    parse->at += strlen(text);
    return true;
}

/* The next character of the pattern as a code point. */
static bool take_code(struct parse *parse, uint32_t *ret)
{
    size_t len = utf8_decode(span_cut(parse->pattern, parse->at, SIZE_MAX), ret);

    if (len == 0)
        return parse_fail(parse, "not UTF-8");
    parse->at += len;
    return true;
}

static bool node_add(struct parse *parse, enum regex_node_kind kind, uint32_t *ret)
{
    struct regex_tree *tree = parse->tree;

    if (!mem_grow(&tree->nodes, &tree->node_capacity, tree->node_count, sizeof(*tree->nodes), NODES_MAX))
        return parse_fail(parse, "too long");
    tree->nodes[tree->node_count] = (struct regex_node){.kind = kind};
    *ret = (uint32_t)tree->node_count++;
    return true;
}

static bool range_add(struct parse *parse, uint32_t low, uint32_t high)
{
    struct regex_tree *tree = parse->tree;

    if (!mem_grow(&tree->ranges, &tree->range_capacity, tree->range_count, sizeof(*tree->ranges), RANGES_MAX))
        return parse_fail(parse, "too many character ranges");
    tree->ranges[tree->range_count++] = (struct code_range){low, high};
    return true;
}

/* The part of [low, high] within [from, to], moved by `shift`: the other case of ASCII letters. */
static bool range_add_shifted(struct parse *parse, uint32_t low, uint32_t high, uint32_t from, uint32_t to, int shift)
{
    low = low < from ? from : low;
    high = high > to ? to : high;
    return low > high || range_add(parse, (uint32_t)((int)low + shift), (uint32_t)((int)high + shift));
}

static bool range_add_folded(struct parse *parse, uint32_t low, uint32_t high)
{
    return range_add(parse, low, high) &&
           (!parse->fold || (range_add_shifted(parse, low, high, 'a', 'z', 'A' - 'a') &&
                             range_add_shifted(parse, low, high, 'A', 'Z', 'a' - 'A')));
}

static void ranges_sort(struct code_range *ranges, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct code_range range = ranges[i];
        size_t j = i;

        for (; j > 0 && ranges[j - 1].low > range.low; j--)
            ranges[j] = ranges[j - 1];
        ranges[j] = range;
    }
}

/* Replaces the ranges from `first` on by everything they leave out. */
static bool ranges_negate(struct parse *parse, size_t first)
{
    struct regex_tree *tree = parse->tree;
    size_t end = tree->range_count;
    uint32_t next = 0;

    ranges_sort(tree->ranges + first, end - first);
    for (size_t i = first; i < end; i++) {
        struct code_range range = tree->ranges[i];

        if (range.low > next && !range_add(parse, next, range.low - 1))
            return false;
        if (range.high >= next)
            next = range.high + 1;
    }
    if (next <= CODE_MAX && !range_add(parse, next, CODE_MAX))
        return false;
    memmove(tree->ranges + first, tree->ranges + end, (tree->range_count - end) * sizeof(*tree->ranges));
    tree->range_count -= end - first;
    return true;
}

struct named_set {
    const char *name;
    struct code_range ranges[4];
    size_t count;
};

static const struct named_set escapes[] = {
    {"d", {{'0', '9'}}, 1},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, 3},
};

static const struct named_set classes[] = {
    {"[:alnum:]", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {"[:alpha:]", {{'A', 'Z'}, {'a', 'z'}}, 2},
    {"[:ascii:]", {{0, 0x7f}}, 1},
    {"[:blank:]", {{'\t', '\t'}, {' ', ' '}}, 2},
    {"[:cntrl:]", {{0, 0x1f}, {0x7f, 0x7f}}, 2},
    {"[:digit:]", {{'0', '9'}}, 1},
    {"[:graph:]", {{'!', '~'}}, 1},
    {"[:lower:]", {{'a', 'z'}}, 1},
    {"[:print:]", {{' ', '~'}}, 1},
    {"[:punct:]", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
    {"[:space:]", {{'\t', '\r'}, {' ', ' '}}, 2},
    {"[:upper:]", {{'A', 'Z'}}, 1},
    {"[:word:]", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"[:xdigit:]", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
};

static bool named_add(struct parse *parse, const struct named_set *set, bool negate)
{
    uint32_t next = 0;

    for (size_t i = 0; i < set->count; i++) {
        struct code_range range = set->ranges[i];

        if (!negate && !range_add_folded(parse, range.low, range.high))
            return false;
        if (negate && range.low > next && !range_add(parse, next, range.low - 1))
            return false;
        next = range.high + 1;
    }
    return !negate || range_add(parse, next, CODE_MAX);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind \x: two hexadecimal digits, or any number of them in braces. */
static bool take_hex(struct parse *parse, uint32_t *ret)
{
    bool braces = take(parse, "{");
    size_t digits = 0;
    uint32_t code = 0;

    while ((braces ? digits < 8 : digits < 2) && hex_value(peek(parse)) >= 0) {
        code = code * 16 + (uint32_t)hex_value(peek(parse));
        parse->at++;
        digits++;
    }
    if (digits == 0 || (!braces && digits != 2) || (braces && !take(parse, "}")) || code > CODE_MAX)
        return parse_fail(parse, "wanted \\xHH or \\x{H...}");
    *ret = code;
    return true;
}

/* Behind a backslash, an escape that stands for one character. */
static bool take_escaped_code(struct parse *parse, uint32_t *ret)
{
    static const char letters[] = "nrtfva", codes[] = "\n\r\t\f\v\a";
    uint8_t c = peek(parse);
    const char *letter = c != 0 ? strchr(letters, c) : NULL;

    if (at_end(parse))
        return parse_fail(parse, "a backslash at the end");
    if (letter != NULL) {
        *ret = (uint32_t)codes[letter - letters];
        parse->at++;
        return true;
    }
    if (take(parse, "x"))
        return take_hex(parse, ret);
    if (c < 0x80 && c > ' ' && hex_value(c) < 0 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != 0x7f) {
        *ret = c;
        parse->at++;
        return true;
    }
    if (c >= '0' && c <= '9')
        return parse_fail(parse, "back references and octal escapes are not supported");
    if (c == 'b' || c == 'B')
        return parse_fail(parse, "\\b and \\B are not supported");
    return parse_fail(parse, "unknown escape");
}

/* \d and its like, upper case for the complement. */
static const struct named_set *take_escape_set(struct parse *parse, bool *ret_negate)
{
    for (size_t i = 0; !at_end(parse) && i < ARRAY_LEN(escapes); i++) {
        uint8_t lower = (uint8_t)escapes[i].name[0];

        if (peek(parse) != lower && peek(parse) != lower - 'a' + 'A')
            continue;
        *ret_negate = peek(parse) != lower;
        parse->at++;
        return &escapes[i];
    }
    return NULL;
}

/* One end of a range inside a class. */
static bool take_class_code(struct parse *parse, uint32_t *ret)
{
    if (take(parse, "\\"))
        return take_escaped_code(parse, ret);
    return take_code(parse, ret);
}

static bool parse_class_item(struct parse *parse)
{
    const struct named_set *set;
    bool negate = false;
    uint32_t low, high;
    size_t before = parse->at;

    if (starts(parse, "[:")) {
        for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
            if (take(parse, classes[i].name))
                return named_add(parse, &classes[i], false);
        }
        return parse_fail(parse, "unknown class name");
    }
    if (take(parse, "\\")) {
        set = take_escape_set(parse, &negate);
        if (set != NULL)
            return named_add(parse, set, negate);
        parse->at = before;
    }
    if (!take_class_code(parse, &low))
        return false;
    high = low;
    if (starts(parse, "-") && !starts(parse, "-]")) {
        parse->at++;
        if (!take_class_code(parse, &high))
            return false;
        if (high < low)
            return parse_fail(parse, "the range ends before it begins");
    }
    return range_add_folded(parse, low, high);
}

/* Behind "[". A "]" that comes first stands for itself. */
static bool parse_class(struct parse *parse, uint32_t *ret)
{
    size_t first = parse->tree->range_count;
    bool negate = take(parse, "^"), empty = true;

    while (empty || !starts(parse, "]")) {
        if (at_end(parse))
            return parse_fail(parse, "a class without its ]");
        if (!parse_class_item(parse))
            return false;
        empty = false;
    }
    parse->at++;
    if ((negate && !ranges_negate(parse, first)) || !node_add(parse, RE_SET, ret))
        return false;
    parse->tree->nodes[*ret].first = (uint32_t)first;
    parse->tree->nodes[*ret].count = (uint32_t)(parse->tree->range_count - first);
    return true;
}

/* A SET node of the ranges added since `first`. */
static bool set_node(struct parse *parse, size_t first, uint32_t *ret)
{
    if (!node_add(parse, RE_SET, ret))
        return false;
    parse->tree->nodes[*ret].first = (uint32_t)first;
    parse->tree->nodes[*ret].count = (uint32_t)(parse->tree->range_count - first);
    return true;
}

static bool parse_alternatives(struct parse *parse, uint32_t *ret);

static bool parse_group(struct parse *parse, uint32_t *ret)
{
    if (starts(parse, "?") && !take(parse, "?:"))
        return parse_fail(parse,
                          "of the groups that begin with (? only (?:...) is supported, and (?i) at the beginning");
    if (++parse->depth > REGEX_DEPTH_MAX)
        return parse_fail(parse, "groups are nested too deeply");
    if (!parse_alternatives(parse, ret))
        return false;
    parse->depth--;
    return take(parse, ")") || parse_fail(parse, "a group without its )");
}

static bool parse_escape(struct parse *parse, uint32_t *ret)
{
    size_t first = parse->tree->range_count;
    const struct named_set *set;
    bool negate = false;
    uint32_t code;

    if (take(parse, "A"))
        return node_add(parse, RE_BEGIN, ret);
    if (take(parse, "z"))
        return node_add(parse, RE_END, ret);
    set = take_escape_set(parse, &negate);
    if (set != NULL)
        return named_add(parse, set, negate) && set_node(parse, first, ret);
    return take_escaped_code(parse, &code) && range_add_folded(parse, code, code) && set_node(parse, first, ret);
}

static bool parse_atom(struct parse *parse, uint32_t *ret)
{
    size_t first = parse->tree->range_count;
    uint32_t code;

    if (take(parse, "("))
        return parse_group(parse, ret);
    if (take(parse, "["))
        return parse_class(parse, ret);
    if (take(parse, "^"))
        return node_add(parse, RE_BEGIN, ret);
    if (take(parse, "$"))
        return node_add(parse, RE_END, ret);
    if (take(parse, "\\"))
        return parse_escape(parse, ret);
    if (take(parse, "."))
        return range_add(parse, 0, '\n' - 1) && range_add(parse, '\n' + 1, CODE_MAX) && set_node(parse, first, ret);
    if (peek(parse) != 0 && strchr("*+?", peek(parse)) != NULL)
        return parse_fail(parse, "nothing to repeat");
    return take_code(parse, &code) && range_add_folded(parse, code, code) && set_node(parse, first, ret);
}

static bool take_number(struct parse *parse, uint32_t *ret)
{
    size_t before = parse->at;
    uint32_t value = 0;

    while (peek(parse) >= '0' && peek(parse) <= '9' && value <= REGEX_REPEAT_MAX) {
        value = value * 10 + (uint32_t)(peek(parse) - '0');
        parse->at++;
    }
    *ret = value;
    return parse->at > before;
}

/* "{n}", "{n,}", "{n,m}". RE2 takes a brace that is none of these as a character; here it is refused. */
static bool parse_counts(struct parse *parse, uint32_t *ret_min, uint32_t *ret_max)
{
    if (!take_number(parse, ret_min))
        return parse_fail(parse, "wanted {n}, {n,} or {n,m}; write \\{ for the character");
    *ret_max = *ret_min;
    if (take(parse, ",") && !take_number(parse, ret_max))
        *ret_max = REPEAT_ENDLESS;
    if (!take(parse, "}"))
        return parse_fail(parse, "wanted {n}, {n,} or {n,m}; write \\{ for the character");
    if (*ret_min > REGEX_REPEAT_MAX ||
        (*ret_max != REPEAT_ENDLESS && (*ret_max > REGEX_REPEAT_MAX || *ret_max < *ret_min)))
        return parse_fail(parse, "repetition counts go up to 1000, the smaller first");
    return true;
}

static bool parse_repeat(struct parse *parse, uint32_t *ret)
{
    uint32_t atom, min = 0, max = REPEAT_ENDLESS;

    if (!parse_atom(parse, &atom))
        return false;
    if (take(parse, "*")) {
        min = 0;
    } else if (take(parse, "+")) {
        min = 1;
    } else if (take(parse, "?")) {
        max = 1;
    } else if (take(parse, "{")) {
        if (!parse_counts(parse, &min, &max))
            return false;
    } else {
        *ret = atom;
        return true;
    }
    (void)take(parse, "?"); /* lazy: which match is found does not matter here */
    if (peek(parse) != 0 && strchr("*+?{", peek(parse)) != NULL)
        return parse_fail(parse, "a repetition of a repetition");
    if (!node_add(parse, RE_REPEAT, ret))
        return false;
    parse->tree->nodes[*ret].first = atom;
    parse->tree->nodes[*ret].min = min;
    parse->tree->nodes[*ret].max = max;
    return true;
}

/* Hangs `child` behind the last child of `parent`. */
static void chain(struct parse *parse, uint32_t parent, uint32_t *last, uint32_t child)
{
    struct regex_node *nodes = parse->tree->nodes;

    if (nodes[parent].count++ == 0)
        nodes[parent].first = child;
    else
        nodes[*last].next = child;
    *last = child;
}

static bool parse_sequence(struct parse *parse, uint32_t *ret)
{
    uint32_t last = 0, item;

    if (!node_add(parse, RE_CAT, ret))
        return false;
    while (!at_end(parse) && !starts(parse, "|") && !starts(parse, ")")) {
        if (!parse_repeat(parse, &item))
            return false;
        chain(parse, *ret, &last, item);
    }
    return true;
}

static bool parse_alternatives(struct parse *parse, uint32_t *ret)
{
    uint32_t last = 0, item;

    if (!node_add(parse, RE_ALT, ret))
        return false;
    do {
        if (!parse_sequence(parse, &item))
            return false;
        chain(parse, *ret, &last, item);
    } while (take(parse, "|"));
    return true;
}

bool regex_parse(struct span pattern, struct regex_tree *ret, struct error *err)
{
    struct regex_tree tree CLEANUP(regex_tree_done) = {0};
    struct parse parse = {.pattern = pattern, .tree = &tree, .err = err};
    uint32_t dummy;

    if (pattern.len == 0 || pattern.len > REGEX_PATTERN_BYTES)
        return error_set(err, REASON_POLICY_ERROR, "a regular expression has 1 to %d bytes", REGEX_PATTERN_BYTES);
    /* Node 0 is nobody's sibling, so that `next` 0 means none. */
    if (!node_add(&parse, RE_EMPTY, &dummy))
        return false;
    parse.fold = take(&parse, "(?i)");
    if (!parse_alternatives(&parse, &tree.root))
        return false;
    if (!at_end(&parse))
        return parse_fail(&parse, "a ) without its (");
    *ret = tree;
    tree = (struct regex_tree){0};
    return true;
}

void regex_tree_done(struct regex_tree *tree)
{
    mem_free(tree->nodes);
    mem_free(tree->ranges);
    *tree = (struct regex_tree){0};
}
