/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict is a type of its own, whose zero is deny (design rule 1). Only judge.c makes an allow, in its last line;
 * verdict_from_wire() carries one that a judge made across a process boundary and is called in message.c and cache.c
 * only. A lint test holds both.
 */
#ifndef PG_PLUGIN_VERDICT_H
#define PG_PLUGIN_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
    uint32_t value_; /* 0 = deny; anything but VERDICT_WIRE_ALLOW is deny */
};

/* Not 1: a stray flag, count or boolean does not become an allow. */
enum { VERDICT_WIRE_DENY = 0, VERDICT_WIRE_ALLOW = 0x616c6c6f /* "allo" */ };

static inline bool verdict_is_allow(struct verdict verdict)
{
    return verdict.value_ == VERDICT_WIRE_ALLOW;
}

static inline struct verdict verdict_from_wire(uint32_t value)
{
    struct verdict verdict = {VERDICT_WIRE_DENY};

    if (value == VERDICT_WIRE_ALLOW)
        verdict.value_ = value;
    return verdict;
}

#endif
