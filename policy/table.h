/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String to number, for the indexes that keep loading and deciding linear (key fingerprints, policy names). The strings
 * come from administrators' files; look-ups with strings from outside cannot add entries.
 */
#ifndef PG_POLICY_TABLE_H
#define PG_POLICY_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/span.h"

struct table_slot {
    char *text; /* owned; NULL = free slot */
    size_t len;
    size_t value;
};

struct table {
    struct table_slot *slots;
    size_t count, capacity; /* capacity: 0 or a power of two */
};

/* SIZE_MAX when absent. */
size_t table_find(const struct table *table, struct span text);
/* Copies text. The text must not be there yet. false: out of memory. */
bool table_add(struct table *table, struct span text, size_t value) MUST_CHECK;
void table_done(struct table *table);

#endif
