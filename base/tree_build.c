/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tree_build.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"

enum {
    FIRST_NODES = 16,      /* a policy's or a signature's document fits into a few blocks */
    MOST_NODES = 16384,    /* 1 MiB */
    TEXT_BYTES = 4096,     /* texts longer than a quarter of it get a block of their own */
    LINEAR_MEMBERS = 16,   /* below, names are compared with each other; above, sorted */
    NAME_SHOWN = 80,
};

struct node_block {
    struct node_block *older;
    size_t used, capacity;
    struct node nodes[];
};

struct text_block {
    struct text_block *older;
    size_t used, capacity;
    uint8_t bytes[];
};

_Static_assert(sizeof(struct node) <= 64, "a node is at most 64 bytes: large documents have millions");

struct tree *tree_new(void)
{
    return mem_new(1, sizeof(struct tree));
}

void tree_free(struct tree *tree)
{
    if (!tree)
        return;
    while (tree->nodes) {
        struct node_block *older = tree->nodes->older;

        mem_free(tree->nodes);
        tree->nodes = older;
    }
    while (tree->texts) {
        struct text_block *older = tree->texts->older;

        mem_free(tree->texts);
        tree->texts = older;
    }
    mem_free(tree->documents);
    mem_free(tree);
}

void tree_freep(struct tree **tree)
{
    tree_free(*tree);
    *tree = NULL;
}

static struct text_block *new_text_block(size_t capacity)
{
    struct text_block *block;

    if (capacity > SIZE_MAX - sizeof(*block))
        return NULL;
    block = mem_new(1, sizeof(*block) + capacity);
    if (block)
        block->capacity = capacity;
    return block;
}

uint8_t *tree_text(struct tree *tree, size_t len)
{
    struct text_block *block = tree->texts;
    uint8_t *place;

    if (!block || len > block->capacity - block->used) {
        block = new_text_block(len > TEXT_BYTES / 4 ? len : TEXT_BYTES);
        if (!block)
            return NULL;
        if (len > TEXT_BYTES / 4 && tree->texts) {
            /* Full from the start: the block in use stays the newest. */
            block->older = tree->texts->older;
            tree->texts->older = block;
        } else {
            block->older = tree->texts;
            tree->texts = block;
        }
    }
    place = block->bytes + block->used;
    block->used += len;
    return place;
}

struct node *tree_node(struct tree *tree, struct error *err)
{
    struct node_block *block = tree->nodes;

    if (tree->node_count >= LIMIT_TREE_NODES) {
        (void)error_set(err, REASON_LIMIT, "more than %d values", LIMIT_TREE_NODES);
        return NULL;
    }
    if (!block || block->used == block->capacity) {
        size_t capacity = !block ? FIRST_NODES : block->capacity < MOST_NODES ? block->capacity * 2 : MOST_NODES;

        block = mem_new(1, sizeof(*block) + capacity * sizeof(struct node));
        if (!block) {
            (void)error_oom(err);
            return NULL;
        }
        block->capacity = capacity;
        block->older = tree->nodes;
        tree->nodes = block;
    }
    tree->node_count++;
    return &block->nodes[block->used++];
}

bool tree_add_document(struct tree *tree, const struct node *root, struct error *err)
{
    if (!mem_grow(&tree->documents, &tree->document_capacity, tree->document_count, sizeof(*tree->documents),
                  LIMIT_POLICY_FILES)) {
        if (tree->document_count >= LIMIT_POLICY_FILES)
            return error_set(err, REASON_LIMIT, "more than %d documents", LIMIT_POLICY_FILES);
        return error_oom(err);
    }
    tree->documents[tree->document_count++] = root;
    return true;
}

static bool fail_duplicate(struct tree_builder *builder, const struct node *second, struct span name, struct error *err)
{
    char shown[NAME_SHOWN];

    builder->duplicate = second;
    return error_set(err, REASON_MALFORMED, "\"%s\" is there twice in one map", text_clean(name, shown, sizeof(shown)));
}

static int compare_spans(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len > 0 ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static int compare_names(const void *left, const void *right)
{
    const struct node *const *a = left;
    const struct node *const *b = right;

    return compare_spans((*a)->name, (*b)->name);
}

/* Sorted rather than hashed: no choice of names can make it slow. */
static bool check_large_map(struct tree_builder *builder, const struct node *map, struct error *err)
{
    CLEANUP(mem_freep) const struct node **sorted = mem_new(map->count, sizeof(*sorted));
    size_t count = 0;

    if (!sorted)
        return error_oom(err);
    for (const struct node *child = map->child; child; child = child->next)
        sorted[count++] = child;
    qsort(sorted, count, sizeof(*sorted), compare_names);
    for (size_t i = 1; i < count; i++)
        if (compare_spans(sorted[i - 1]->name, sorted[i]->name) == 0)
            return fail_duplicate(builder, sorted[i], sorted[i]->name, err);
    return true;
}

bool build_name(struct tree_builder *builder, struct span name, struct error *err)
{
    const struct node *map = builder->depth > 0 ? builder->open[builder->depth - 1].node : NULL;

    if (!map || map->kind != NODE_MAP || builder->has_name)
        return error_set(err, REASON_INTERNAL, "a name in the wrong place");
    if (map->count < LINEAR_MEMBERS)
        for (const struct node *child = map->child; child; child = child->next)
            if (compare_spans(child->name, name) == 0)
                return fail_duplicate(builder, NULL, name, err);
    builder->name = name;
    builder->has_name = true;
    return true;
}

/* A new node in its place; NULL after an error. */
static struct node *attach(struct tree_builder *builder, enum node_kind kind, struct error *err)
{
    struct node *parent = builder->depth > 0 ? builder->open[builder->depth - 1].node : NULL;
    struct node *node;

    if (parent ? (parent->kind == NODE_MAP) != builder->has_name : builder->root != NULL) {
        (void)error_set(err, REASON_INTERNAL, "a value in the wrong place");
        return NULL;
    }
    node = tree_node(builder->tree, err);
    if (!node)
        return NULL;
    node->kind = kind;
    node->name = builder->name;
    node->line = builder->line;
    node->column = builder->column;
    builder->name = span_of(NULL, 0);
    builder->has_name = false;
    if (!parent) {
        builder->root = node;
        return node;
    }
    if (builder->open[builder->depth - 1].last)
        builder->open[builder->depth - 1].last->next = node;
    else
        parent->child = node;
    builder->open[builder->depth - 1].last = node;
    parent->count++;
    return node;
}

bool build_scalar(struct tree_builder *builder, enum node_kind kind, struct span text, struct error *err)
{
    struct node *node = attach(builder, kind, err);

    if (!node)
        return false;
    node->text = text;
    return true;
}

bool build_open(struct tree_builder *builder, enum node_kind kind, struct error *err)
{
    struct node *node;

    if (builder->depth >= LIMIT_TREE_DEPTH)
        return error_set(err, REASON_LIMIT, "nested deeper than %d levels", LIMIT_TREE_DEPTH);
    node = attach(builder, kind, err);
    if (!node)
        return false;
    builder->open[builder->depth].node = node;
    builder->open[builder->depth].last = NULL;
    builder->depth++;
    return true;
}

bool build_close(struct tree_builder *builder, struct error *err)
{
    const struct node *node;

    if (builder->depth == 0 || builder->has_name)
        return error_set(err, REASON_INTERNAL, "an end in the wrong place");
    node = builder->open[--builder->depth].node;
    return node->kind != NODE_MAP || node->count <= LINEAR_MEMBERS || check_large_map(builder, node, err);
}

static size_t skip_digits(struct span text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at;
}

bool text_is_number(struct span text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t from = at;

    at = skip_digits(text, at);
    if (at == from || (text.ptr[from] == '0' && at - from > 1))
        return false;
    if (at < text.len && text.ptr[at] == '.') {
        from = at + 1;
        at = skip_digits(text, from);
        if (at == from)
            return false;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        from = at + 1;
        if (from < text.len && (text.ptr[from] == '+' || text.ptr[from] == '-'))
            from++;
        at = skip_digits(text, from);
        if (at == from)
            return false;
    }
    return at == text.len;
}

void text_place(struct span text, size_t offset, uint32_t *ret_line, uint32_t *ret_column)
{
    uint32_t line = 1;
    size_t start = 0;

    if (offset > text.len)
        offset = text.len;
    for (size_t i = 0; i < offset; i++)
        if (text.ptr[i] == '\n') {
            line++;
            start = i + 1;
        }
    *ret_line = line;
    *ret_column = (uint32_t)(offset - start + 1);
}

bool error_at(struct error *err, const char *what, uint32_t line, uint32_t column)
{
    char shown[200];

    return error_wrap(err, "%s:%u:%u", text_clean(span_str(what), shown, sizeof(shown)), line, column);
}
