/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OLPC canonical JSON, the form in which TUF metadata is signed: members sorted by the bytes of their names, no white
 * space, strings as they are but for '"' and '\', integers only.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "verifier/tuf_internal.h"

static int by_name(const void *left, const void *right)
{
    const struct node *a = *(const struct node *const *)left;
    const struct node *b = *(const struct node *const *)right;
    size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
    int order = len > 0 ? memcmp(a->name.ptr, b->name.ptr, len) : 0;

    if (order != 0)
        return order;
    return a->name.len < b->name.len ? -1 : a->name.len > b->name.len;
}

static void put_string(struct buf *buf, struct span text)
{
    buf_byte(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            buf_byte(buf, '\\');
        buf_byte(buf, text.ptr[i]);
    }
    buf_byte(buf, '"');
}

static bool put_number(struct buf *buf, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(text.ptr[i] >= '0' && text.ptr[i] <= '9') && !(i == 0 && text.ptr[i] == '-'))
            return false;
    if (text.len == 0 || span_eq_str(text, "-0"))
        return false;
    buf_span(buf, text);
    return true;
}

static bool put_list(struct buf *buf, const struct node *list)
{
    buf_byte(buf, '[');
    for (const struct node *item = list->child; item; item = item->next) {
        if (item != list->child)
            buf_byte(buf, ',');
        if (!tuf_canonical(item, buf))
            return false;
    }
    buf_byte(buf, ']');
    return true;
}

static bool put_map(struct buf *buf, const struct node *map)
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
        qsort(members, count, sizeof(*members), by_name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_byte(buf, ',');
        put_string(buf, members[i]->name);
        buf_byte(buf, ':');
        if (!tuf_canonical(members[i], buf))
            return false;
    }
    buf_byte(buf, '}');
    return true;
}

/* The depth of the recursion is the tree's, which its reader limits (LIMIT_TREE_DEPTH). */
bool tuf_canonical(const struct node *node, struct buf *buf)
{
    switch (node->kind) {
    case NODE_NULL:
        buf_str(buf, "null");
        return true;
    case NODE_BOOL:
        buf_span(buf, node->text);
        return true;
    case NODE_NUMBER:
        return put_number(buf, node->text);
    case NODE_STRING:
        put_string(buf, node->text);
        return true;
    case NODE_LIST:
        return put_list(buf, node);
    case NODE_MAP:
        return put_map(buf, node);
    default:
        return false;
    }
}
