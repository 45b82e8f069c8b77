/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the readers of base/ (JSON, YAML, TOML) make trees. Nobody else includes this.
 *
 * Nodes live in blocks, texts that are not borrowed from the input in others; both belong to the document and are freed
 * with it, so that a document of a million nodes is freed in some hundred steps and without recursion.
 */
#ifndef PG_BASE_TREE_BUILD_H
#define PG_BASE_TREE_BUILD_H

#include "base/limits.h"
#include "base/tree.h"

struct node_block;
struct text_block;

struct tree {
    struct node_block *nodes; /* the newest first */
    struct text_block *texts;
    size_t node_count;
    const struct node **documents;
    size_t document_count, document_capacity;
};

struct tree *tree_new(void) MUST_CHECK;
/* Room for len bytes that lives with the tree; len > 0. NULL when out of memory. */
uint8_t *tree_text(struct tree *tree, size_t len) MUST_CHECK;
/* A zeroed node. LIMIT or out of memory otherwise. */
struct node *tree_node(struct tree *tree, struct error *err) MUST_CHECK;
bool tree_add_document(struct tree *tree, const struct node *root, struct error *err) MUST_CHECK;

/* Document order: names and values as they come. Errors have no place: the reader puts it in front. */
struct tree_builder {
    struct tree *tree; /* borrowed */
    struct node *root; /* the finished document, NULL before */
    struct {
        struct node *node;
        struct node *last; /* its last child */
    } open[LIMIT_TREE_DEPTH];
    size_t depth;
    struct span name; /* of the member whose value comes next */
    bool has_name;
    uint32_t line, column;        /* place given to the next node */
    const struct node *duplicate; /* set when a failure is about a name found twice: the member that came second */
};

bool build_name(struct tree_builder *builder, struct span name, struct error *err) MUST_CHECK;
bool build_scalar(struct tree_builder *builder, enum node_kind kind, struct span text, struct error *err) MUST_CHECK;
bool build_open(struct tree_builder *builder, enum node_kind kind, struct error *err) MUST_CHECK;
bool build_close(struct tree_builder *builder, struct error *err) MUST_CHECK;

/* The grammar of numbers, one for all: RFC 8259 section 6. */
bool text_is_number(struct span text);

/* Line and column (bytes, both from 1) of an offset. */
void text_place(struct span text, size_t offset, uint32_t *ret_line, uint32_t *ret_column);

/* "what:line:column: " in front of the text; what is cleaned. Returns false. */
bool error_at(struct error *err, const char *what, uint32_t line, uint32_t column);

#endif
