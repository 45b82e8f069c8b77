/* SPDX-License-Identifier: Apache-2.0 */
/* From tree to program (Thompson's construction); repetition counts unfold. */
#include "base/mem.h"
#include "policy/regex_program.h"

struct compile {
    const struct regex_tree *tree;
    struct regex_step *steps;
    size_t count, capacity;
    struct error *err;
};

static bool emit(struct compile *compile, enum regex_op op, uint32_t x, uint32_t y, size_t *ret_at)
{
    if (!mem_grow(&compile->steps, &compile->capacity, compile->count, sizeof(*compile->steps), REGEX_PROGRAM_STEPS))
        return error_set(compile->err, REASON_POLICY_ERROR,
                         "the regular expression is too large (repetition counts unfold)");
    compile->steps[compile->count] = (struct regex_step){.op = op, .x = x, .y = y};
    *ret_at = compile->count++;
    return true;
}

static bool compile_node(struct compile *compile, uint32_t index);

/* split A, B; A: one; jump end; B: the rest; end: */
static bool compile_alternatives(struct compile *compile, const struct regex_node *node)
{
    const struct regex_node *nodes = compile->tree->nodes;
    size_t jump = SIZE_MAX, split, at;

    for (uint32_t child = node->first; child != 0; child = nodes[child].next) {
        bool last = nodes[child].next == 0;

        if (!last && !emit(compile, OP_SPLIT, 0, 0, &split))
            return false;
        if (!last)
            compile->steps[split].x = (uint32_t)compile->count;
        if (!compile_node(compile, child))
            return false;
        if (last)
            break;
        /* Jumps to the end are chained through x until the end is known. */
        if (!emit(compile, OP_JUMP, (uint32_t)jump, 0, &at))
            return false;
        jump = at;
        compile->steps[split].y = (uint32_t)compile->count;
    }
    while (jump != SIZE_MAX) {
        uint32_t before = compile->steps[jump].x;

        compile->steps[jump].x = (uint32_t)compile->count;
        jump = before == UINT32_MAX ? SIZE_MAX : before;
    }
    return true;
}

/* L: split A, end; A: child; jump L */
static bool compile_endless(struct compile *compile, uint32_t child)
{
    size_t split, jump;

    if (!emit(compile, OP_SPLIT, 0, 0, &split))
        return false;
    compile->steps[split].x = (uint32_t)compile->count;
    if (!compile_node(compile, child) || !emit(compile, OP_JUMP, (uint32_t)split, 0, &jump))
        return false;
    compile->steps[split].y = (uint32_t)compile->count;
    return true;
}

static bool compile_repeat(struct compile *compile, const struct regex_node *node)
{
    size_t first_split = SIZE_MAX, at;

    for (uint32_t i = 0; i < node->min; i++) {
        size_t before = compile->count;

        if (!compile_node(compile, node->first))
            return false;
        /* Nothing to repeat: without this, "((){1000}){1000}" would take a million turns to write nothing. */
        if (compile->count == before)
            break;
    }
    if (node->max == REPEAT_ENDLESS)
        return compile_endless(compile, node->first);
    /* Optional copies: each may go straight to the end; the ways out are chained through y. */
    for (uint32_t i = node->min; i < node->max; i++) {
        if (!emit(compile, OP_SPLIT, 0, (uint32_t)first_split, &at))
            return false;
        first_split = at;
        compile->steps[at].x = (uint32_t)compile->count;
        if (!compile_node(compile, node->first))
            return false;
    }
    while (first_split != SIZE_MAX) {
        uint32_t before = compile->steps[first_split].y;

        compile->steps[first_split].y = (uint32_t)compile->count;
        first_split = before == UINT32_MAX ? SIZE_MAX : before;
    }
    return true;
}

static bool compile_node(struct compile *compile, uint32_t index)
{
    const struct regex_node *nodes = compile->tree->nodes, *node = &nodes[index];
    size_t at;

    switch (node->kind) {
    case RE_EMPTY:
        return true;
    case RE_SET:
        return emit(compile, OP_SET, node->first, node->count, &at);
    case RE_BEGIN:
        return emit(compile, OP_BEGIN, 0, 0, &at);
    case RE_END:
        return emit(compile, OP_END, 0, 0, &at);
    case RE_CAT:
        for (uint32_t child = node->first; node->count > 0 && child != 0; child = nodes[child].next) {
            if (!compile_node(compile, child))
                return false;
        }
        return true;
    case RE_ALT:
        return compile_alternatives(compile, node);
    case RE_REPEAT:
        return compile_repeat(compile, node);
    }
    return error_set(compile->err, REASON_INTERNAL, "unknown regular expression node");
}

bool regex_compile(const struct regex_tree *tree, struct regex_step **ret_steps, size_t *ret_count, struct error *err)
{
    struct compile compile = {.tree = tree, .err = err};
    size_t at;

    if (!compile_node(&compile, tree->root) || !emit(&compile, OP_MATCH, 0, 0, &at)) {
        mem_free(compile.steps);
        return false;
    }
    *ret_steps = compile.steps;
    *ret_count = compile.count;
    return true;
}
