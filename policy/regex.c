/* SPDX-License-Identifier: Apache-2.0 */
/* The matcher: all ways through the program at once, one character at a time. */
#include "policy/regex.h"

#include "base/encode.h"
#include "base/mem.h"
#include "policy/regex_program.h"

/* A set of program steps that is emptied in constant time; `order` lists what is in it. */
struct step_set {
    uint32_t *order, *where;
    size_t count;
};

struct regex {
    struct regex_step *steps;
    size_t step_count;
    struct code_range *ranges;
    /* Working memory, made once: a search allocates nothing. */
    struct step_set *now, *next;
    uint32_t *stack;
};

struct text {
    struct span bytes;
    size_t at;
};

static bool set_has(const struct step_set *set, uint32_t step)
{
    return set->where[step] < set->count && set->order[set->where[step]] == step;
}

static void set_add(struct step_set *set, uint32_t step)
{
    set->where[step] = (uint32_t)set->count;
    set->order[set->count++] = step;
}

/* Adds a step and all it leads to without taking a character. Each step is pushed at most twice: by two ways to it. */
static bool follow(const struct regex *regex, struct step_set *set, uint32_t start, const struct text *text)
{
    uint32_t *stack = regex->stack;
    size_t depth = 0;

    stack[depth++] = start;
    while (depth > 0) {
        uint32_t at = stack[--depth];
        const struct regex_step *step = &regex->steps[at];

        if (set_has(set, at))
            continue;
        set_add(set, at);
        if (step->op == OP_MATCH)
            return true;
        if (step->op == OP_JUMP) {
            stack[depth++] = step->x;
        } else if (step->op == OP_SPLIT) {
            stack[depth++] = step->y;
            stack[depth++] = step->x;
        } else if ((step->op == OP_BEGIN && text->at == 0) || (step->op == OP_END && text->at == text->bytes.len)) {
            stack[depth++] = at + 1;
        }
    }
    return false;
}

static bool in_ranges(const struct regex *regex, const struct regex_step *step, uint32_t code)
{
    for (uint32_t i = 0; i < step->y; i++) {
        const struct code_range *range = &regex->ranges[step->x + i];

        if (code >= range->low && code <= range->high)
            return true;
    }
    return false;
}

static uint32_t next_code(struct text *text)
{
    uint32_t code;
    size_t len = utf8_decode(span_cut(text->bytes, text->at, SIZE_MAX), &code);

    text->at += len == 0 ? 1 : len;
    return len == 0 ? 0xfffd : code;
}

bool regex_search(const struct regex *regex, struct span bytes)
{
    struct text text = {.bytes = bytes};
    struct step_set *now = regex->now, *next = regex->next;

    if (bytes.len > REGEX_TEXT_BYTES)
        return false;
    now->count = 0;
    for (;;) {
        struct step_set *swap = now;
        uint32_t code;

        /* Unanchored: a match may begin here too. */
        if (follow(regex, now, 0, &text))
            return true;
        if (text.at >= bytes.len)
            return false;
        code = next_code(&text);
        next->count = 0;
        for (size_t i = 0; i < now->count; i++) {
            uint32_t at = now->order[i];

            if (regex->steps[at].op == OP_SET && in_ranges(regex, &regex->steps[at], code) &&
                follow(regex, next, at + 1, &text))
                return true;
        }
        now = next;
        next = swap;
    }
}

size_t regex_cost(const struct regex *regex)
{
    return regex->step_count;
}

static void step_set_free(struct step_set *set)
{
    if (set == NULL)
        return;
    mem_free(set->order);
    mem_free(set->where);
    mem_free(set);
}

static struct step_set *step_set_new(size_t size)
{
    struct step_set *set = mem_new(1, sizeof(*set));

    if (set == NULL)
        return NULL;
    set->order = mem_new(size, sizeof(*set->order));
    set->where = mem_new(size, sizeof(*set->where));
    if (set->order != NULL && set->where != NULL)
        return set;
    step_set_free(set);
    return NULL;
}

void regex_free(struct regex *regex)
{
    if (regex == NULL)
        return;
    mem_free(regex->steps);
    mem_free(regex->ranges);
    step_set_free(regex->now);
    step_set_free(regex->next);
    mem_free(regex->stack);
    mem_free(regex);
}

void regex_freep(struct regex **regex)
{
    regex_free(*regex);
    *regex = NULL;
}

bool regex_new(struct span pattern, struct regex **ret, struct error *err)
{
    struct regex_tree tree CLEANUP(regex_tree_done) = {0};
    struct regex *regex CLEANUP(regex_freep) = mem_new(1, sizeof(*regex));

    if (regex == NULL)
        return error_oom(err);
    if (!regex_parse(pattern, &tree, err) || !regex_compile(&tree, &regex->steps, &regex->step_count, err))
        return false;
    regex->ranges = TAKE_PTR(tree.ranges);
    regex->now = step_set_new(regex->step_count);
    regex->next = step_set_new(regex->step_count);
    regex->stack = mem_new(2 * regex->step_count + 2, sizeof(*regex->stack));
    if (regex->now == NULL || regex->next == NULL || regex->stack == NULL)
        return error_oom(err);
    *ret = TAKE_PTR(regex);
    return true;
}
