/* SPDX-License-Identifier: Apache-2.0 */
#include "base/canonical.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    DOUBLE_DIGITS = 17,     /* enough for every double (IEEE 754) */
    EXACT_DIGITS = 15,      /* integers of so many digits are doubles, and are written as they stand */
    NUMBER_TEXT_MAX = 1024, /* longer ones are nobody's: the longest double has 767 digits */
};

/*
 * RFC 8785 section 3.2.3: by UTF-16 code units. That is the order of the UTF-8 bytes but for characters above U+FFFF
 * (first byte F0 to F4): their surrogates go before U+E000 to U+FFFF (first byte EE, EF).
 */
static int compare_bytes(uint8_t a, uint8_t b, enum canonical_form form)
{
    if (form == CANONICAL_RFC8785 && a >= 0xee && b >= 0xee && (a >= 0xf0) != (b >= 0xf0))
        return a >= 0xf0 ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int compare_names(const struct node *a, const struct node *b, enum canonical_form form)
{
    size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;

    for (size_t i = 0; i < len; i++)
        if (a->name.ptr[i] != b->name.ptr[i])
            return compare_bytes(a->name.ptr[i], b->name.ptr[i], form);
    return a->name.len < b->name.len ? -1 : a->name.len > b->name.len;
}

static int by_bytes(const void *left, const void *right)
{
    return compare_names(*(const struct node *const *)left, *(const struct node *const *)right, CANONICAL_OLPC);
}

static int by_utf16(const void *left, const void *right)
{
    return compare_names(*(const struct node *const *)left, *(const struct node *const *)right, CANONICAL_RFC8785);
}

/* RFC 8785 section 3.2.2.2. */
static void put_control(struct buf *buf, uint8_t c)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    if (c < sizeof(letters) && letters[c] != '\0')
        buf_printf(buf, "\\%c", letters[c]);
    else
        buf_printf(buf, "\\u%04x", c);
}

static void put_string(struct buf *buf, struct span text, enum canonical_form form)
{
    buf_byte(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (form == CANONICAL_RFC8785 && text.ptr[i] < ' ') {
            put_control(buf, text.ptr[i]);
            continue;
        }
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            buf_byte(buf, '\\');
        buf_byte(buf, text.ptr[i]);
    }
    buf_byte(buf, '"');
}

static bool is_integer(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(text.ptr[i] >= '0' && text.ptr[i] <= '9') && !(i == 0 && text.ptr[i] == '-'))
            return false;
    return text.len > 0 && !span_eq_str(text, "-0");
}

/* A positive double in decimal: 0.DIGITS times ten to the power of `point`. */
struct decimal {
    char digits[DOUBLE_DIGITS + 1];
    int count;
    int point;
};

static bool is_decimal_of(const struct decimal *decimal, double value)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "0.%se%d", decimal->digits, decimal->point);
    return strtod(text, NULL) == value;
}

/* The best decimal of `count` digits, as printf rounds it. */
static void round_to(double value, int count, struct decimal *ret)
{
    char text[64]; /* "d.ddde-324" */
    int exponent = 0;
    const char *from;

    (void)snprintf(text, sizeof(text), "%.*e", count - 1, value);
    ret->count = 0;
    for (from = text; *from != 'e' && *from != '\0'; from++)
        if (*from >= '0' && *from <= '9' && ret->count < DOUBLE_DIGITS)
            ret->digits[ret->count++] = *from;
    ret->digits[ret->count] = '\0';
    for (const char *digit = from; *digit != '\0'; digit++)
        if (*digit >= '0' && *digit <= '9')
            exponent = exponent * 10 + (*digit - '0');
    ret->point = (from[0] == 'e' && from[1] == '-' ? -exponent : exponent) + 1;
}

/* One more in the last place. */
static void step_up(struct decimal *decimal)
{
    int i = decimal->count - 1;

    while (i >= 0 && decimal->digits[i] == '9')
        decimal->digits[i--] = '0';
    if (i >= 0) {
        decimal->digits[i]++;
    } else {
        decimal->digits[0] = '1';
        decimal->point++;
    }
}

/*
 * The fewest digits that are read as the same double again (ECMA-262 Number::toString, step 5). At a power of two
 * doubles lie closer below than above: there the best decimal may be too far below, and the next one up is right.
 */
static void shortest(double value, struct decimal *ret)
{
    for (int count = 1; count <= DOUBLE_DIGITS; count++) {
        round_to(value, count, ret);
        if (is_decimal_of(ret, value))
            break;
        step_up(ret);
        if (is_decimal_of(ret, value))
            break;
    }
    while (ret->count > 1 && ret->digits[ret->count - 1] == '0')
        ret->digits[--ret->count] = '\0';
}

static void put_zeros(struct buf *buf, int count)
{
    while (count-- > 0)
        buf_byte(buf, '0');
}

/* ECMA-262 Number::toString, steps 6 to 10. */
static void put_decimal(struct buf *buf, const struct decimal *decimal)
{
    int point = decimal->point, count = decimal->count;

    if (count <= point && point <= 21) {
        buf_str(buf, decimal->digits);
        put_zeros(buf, point - count);
    } else if (point > 0 && point <= 21) {
        buf_printf(buf, "%.*s.%s", point, decimal->digits, decimal->digits + point);
    } else if (point > -6 && point <= 0) {
        buf_str(buf, "0.");
        put_zeros(buf, -point);
        buf_str(buf, decimal->digits);
    } else {
        buf_printf(buf, "%c%s%se%c%d", decimal->digits[0], count > 1 ? "." : "", decimal->digits + 1,
                   point > 0 ? '+' : '-', point > 0 ? point - 1 : 1 - point);
    }
}

/* RFC 8785 section 3.2.2.3. The text is a JSON number; no locale is ever set, so the point is a point. */
static bool put_double(struct buf *buf, struct span text)
{
    struct decimal decimal;
    char copy[NUMBER_TEXT_MAX + 1];
    double value;

    if (text.len > NUMBER_TEXT_MAX)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    value = strtod(copy, NULL);
    if (!isfinite(value))
        return false;
    if (value == 0) {
        buf_byte(buf, '0');
        return true;
    }
    if (value < 0)
        buf_byte(buf, '-');
    shortest(fabs(value), &decimal);
    put_decimal(buf, &decimal);
    return true;
}

static bool put_number(struct buf *buf, struct span text, enum canonical_form form)
{
    bool integer = is_integer(text);

    if (form == CANONICAL_RFC8785 && !(integer && text.len <= EXACT_DIGITS))
        return put_double(buf, text);
    buf_span(buf, text);
    return integer;
}

static bool put_list(struct buf *buf, const struct node *list, enum canonical_form form)
{
    buf_byte(buf, '[');
    for (const struct node *item = list->child; item; item = item->next) {
        if (item != list->child)
            buf_byte(buf, ',');
        if (!canonical_write(item, form, buf))
            return false;
    }
    buf_byte(buf, ']');
    return true;
}

static bool put_map(struct buf *buf, const struct node *map, enum canonical_form form)
{
    const struct node **members CLEANUP(mem_freep) = NULL;
    size_t count = 0;

    buf_byte(buf, '{');
    if (map->count > 0) {
        members = mem_new(map->count, sizeof(*members));
        if (!members)
            return false;
    }
    for (const struct node *member = map->child; member && count < map->count; member = member->next)
        members[count++] = member;
    if (count > 1)
        qsort(members, count, sizeof(*members), form == CANONICAL_RFC8785 ? by_utf16 : by_bytes);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_byte(buf, ',');
        put_string(buf, members[i]->name, form);
        buf_byte(buf, ':');
        if (!canonical_write(members[i], form, buf))
            return false;
    }
    buf_byte(buf, '}');
    return true;
}

/* The depth of the recursion is the tree's, which its reader limits (LIMIT_TREE_DEPTH). */
bool canonical_write(const struct node *node, enum canonical_form form, struct buf *buf)
{
    switch (node->kind) {
    case NODE_NULL:
        buf_str(buf, "null");
        return true;
    case NODE_BOOL:
        buf_span(buf, node->text);
        return true;
    case NODE_NUMBER:
        return put_number(buf, node->text, form);
    case NODE_STRING:
        put_string(buf, node->text, form);
        return true;
    case NODE_LIST:
        return put_list(buf, node, form);
    case NODE_MAP:
        return put_map(buf, node, form);
    default:
        return false;
    }
}

bool canonical_rewrite(struct span json, struct buf *buf, struct error *err)
{
    struct tree *tree CLEANUP(tree_freep) = NULL;

    if (!json_parse(json, "a document to be signed", TREE_NO_PLACES, &tree, err))
        return false;
    if (!canonical_write(tree_root(tree), CANONICAL_RFC8785, buf) || !buf_ok(buf))
        return error_oom(err);
    return true;
}
