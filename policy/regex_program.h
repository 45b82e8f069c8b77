/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parser (regex_parse.c), the compiler (regex_compile.c) and the matcher (regex.c). */
#ifndef PG_POLICY_REGEX_PROGRAM_H
#define PG_POLICY_REGEX_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/regex.h"

enum { CODE_MAX = 0x10ffff };

/* Characters from low to high, both included. */
struct code_range {
    uint32_t low, high;
};

enum regex_node_kind { RE_EMPTY, RE_SET, RE_BEGIN, RE_END, RE_CAT, RE_ALT, RE_REPEAT };

/* Nodes name each other by index, so that the array may move while it grows. */
struct regex_node {
    enum regex_node_kind kind;
    uint32_t first, count;  /* SET: its ranges; CAT, ALT, REPEAT: first child */
    uint32_t next;          /* sibling; 0 = none (node 0 is never a sibling) */
    uint32_t min, max;      /* REPEAT; max REPEAT_ENDLESS = no limit */
};
enum { REPEAT_ENDLESS = UINT32_MAX };

struct regex_tree {
    struct regex_node *nodes;
    size_t node_count, node_capacity;
    struct code_range *ranges;
    size_t range_count, range_capacity;
    uint32_t root;
};

bool regex_parse(struct span pattern, struct regex_tree *ret, struct error *err) MUST_CHECK;
void regex_tree_done(struct regex_tree *tree);

enum regex_op { OP_SET, OP_SPLIT, OP_JUMP, OP_BEGIN, OP_END, OP_MATCH };

struct regex_step {
    enum regex_op op;
    uint32_t x, y; /* SET: first range and their number; SPLIT: both ways on; JUMP: the way on */
};

/* Appends the program for the tree, ending in OP_MATCH; at most REGEX_PROGRAM_STEPS. */
bool regex_compile(const struct regex_tree *tree, struct regex_step **ret_steps, size_t *ret_count,
                   struct error *err) MUST_CHECK;

#endif
