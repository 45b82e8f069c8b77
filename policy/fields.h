/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading records of a policy strictly, with errors "FILE:LINE:COLUMN: path: message". Every member that a format knows
 * stands in a table, also those that are refused, each with what to do instead; what stands in no table is unknown.
 */
#ifndef PG_POLICY_FIELDS_H
#define PG_POLICY_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/tree.h"
#include "policy/policy.h"

struct policy_set;

/* What a loader carries along. */
struct load {
    struct policy_set *set;
    const char *file;
    const struct policy_source *source; /* may be NULL */
    struct error *err;
};

/* The way from the document's root to a node, kept on the stack: "spec.authorities[0].key". */
struct path {
    const struct path *up;
    const char *name; /* NULL: an element of a list */
    size_t index;
};

struct field_rule {
    const char *name;
    int kind;           /* enum node_kind or FIELD_ANY */
    enum { FIELD_OPTIONAL = 0, FIELD_MANDATORY, FIELD_REFUSED, FIELD_IGNORED } use;
    const char *advice; /* REFUSED: what to do instead. ANY other: what to write when the kind is wrong; may be NULL */
};

/*
 * Checks that node is a map whose members all stand in rules and are of their kind, and stores them: ret[i] for
 * rules[i], NULL when absent. A member that is there without a value ("key:") is an error.
 */
bool fields_read(struct load *load, const struct path *path, const struct node *node, const struct field_rule *rules,
                 size_t count, const struct node **ret) MUST_CHECK;

/* Sets the error at the node's place (line 0 = the file as a whole) and returns false. */
bool load_fail(struct load *load, const struct path *path, const struct node *at, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* The same from an error that something below reported: its text follows the path; its reason stays when it is one of
   INTERNAL, UNTRUSTED_FILE; everything else becomes POLICY_ERROR. */
bool load_fail_error(struct load *load, const struct path *path, const struct node *at);

/* A non-empty string without control characters, copied. */
bool load_string(struct load *load, const struct path *path, const struct node *node, char **ret) MUST_CHECK;
/* Is the value one of the words? Sets ret to its index. */
bool load_word(struct load *load, const struct path *path, const struct node *node, const char *const *words,
               size_t count, size_t *ret) MUST_CHECK;
/* A list with at least one element (NODE_LIST is checked by fields_read). */
bool load_not_empty(struct load *load, const struct path *path, const struct node *list, const char *what) MUST_CHECK;

#endif
