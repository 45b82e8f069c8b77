/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One tree for JSON and YAML documents. The document owns its nodes and texts; everything got from it is borrowed and
 * lives until tree_free. Strings may hold any UTF-8 without NUL (U+0000 is refused by both readers).
 *
 * JSON: RFC 8259, UTF-8 checked, duplicate member names refused, one value and nothing behind it, depth and node count
 * limited (base/limits.h). YAML: 1.1 core subset by libyaml: no anchors or aliases (so no alias bombs), no tags, no
 * duplicate keys, keys are plain or quoted strings; only unquoted scalars become null, booleans (true/false) or
 * numbers; `yes`, `on`, `012`, dates stay strings.
 */
#ifndef PG_BASE_TREE_H
#define PG_BASE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

enum node_kind { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    uint32_t count;           /* children of a list or map */
    struct span name;         /* member name when the parent is a map */
    struct span text;         /* string: decoded; number: as written; bool: "true"/"false" */
    const struct node *child; /* first child, in the order written */
    const struct node *next;  /* next sibling */
    uint32_t line, column;    /* 1-based place of the value; 0 for JSON parsed with TREE_NO_PLACES */
};

struct tree; /* the document */

enum tree_flags {
    TREE_DEFAULT = 0,
    TREE_NO_PLACES = 1 << 0, /* evidence: lines and columns are of no use and cost time */
};

/*
 * Parses one JSON document. `bytes` must outlive the tree (strings without escapes borrow from it).
 * what: names the document in errors ("bundle", a file name). Errors: MALFORMED with line:column, LIMIT.
 */
bool json_parse(struct span bytes, const char *what, enum tree_flags flags, struct tree **ret_tree,
                struct error *err) MUST_CHECK;

/*
 * Parses a YAML stream of several documents into one tree; documents are found with tree_document(tree, i).
 * Empty documents are left out. Errors: POLICY_ERROR naming what:line:column, LIMIT.
 */
bool yaml_parse(struct span bytes, const char *what, struct tree **ret_tree, struct error *err) MUST_CHECK;

size_t tree_documents(const struct tree *tree);
const struct node *tree_document(const struct tree *tree, size_t index); /* NULL beyond the end */
const struct node *tree_root(const struct tree *tree);                   /* document 0 */
void tree_free(struct tree *tree);
void tree_freep(struct tree **tree);

/* Member of a map, NULL when absent or when node is NULL or no map: look-ups chain. */
const struct node *node_get(const struct node *node, const char *name);
const struct node *node_get_span(const struct node *node, struct span name);
const struct node *node_at(const struct node *list, size_t index);
/* Typed looks; all accept NULL and answer false. */
bool node_is(const struct node *node, enum node_kind kind);
bool node_str_is(const struct node *node, const char *text); /* a string equal to text */
bool node_bool(const struct node *node, bool *ret_value) MUST_CHECK;
/* Integer without fraction or exponent in int64 range; proto3 JSON's decimal string counts when `string_too`. */
bool node_int(const struct node *node, bool string_too, int64_t *ret_value) MUST_CHECK;
const char *node_kind_name(enum node_kind kind); /* "string", "list", ... for messages */

/*
 * Strict records: a table of the members an object may have. node_fields checks that `node` is a map, that each member
 * is known, of the right kind and that the mandatory ones are there, and stores the nodes. The error names the member
 * and, for an unknown one, the nearest known name. Reason: the one given. Where unknown members are allowed, the record
 * is one that many programs write: there a member of a certain kind that is null counts as absent.
 */
struct field {
    const char *name;
    int kind;                  /* enum node_kind, or FIELD_ANY */
    bool mandatory;
    const struct node **place; /* where to store; set to NULL when absent */
};
enum { FIELD_ANY = -1 };
bool node_fields(const struct node *node, const char *what, const struct field *fields, size_t count,
                 bool unknown_allowed, enum reason reason, struct error *err) MUST_CHECK;

/* The known name nearest to `name` (edit distance at most 2 and less than half its length); NULL when none is near. */
const char *name_nearest(struct span name, const char *const *known, size_t count);

#endif
