/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/table.h"

#include <stdint.h>

#include "base/mem.h"

/* FNV-1a, 64 bits. */
static size_t table_hash(struct span text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ text.ptr[i]) * 0x100000001b3u;
    return (size_t)(hash ^ (hash >> 32));
}

/* The slot that holds text, or the free one where it would go. capacity is not 0, and one slot at least is free. */
static struct table_slot *table_slot_for(struct table_slot *slots, size_t capacity, struct span text)
{
    size_t at = table_hash(text) & (capacity - 1);

    while (slots[at].text != NULL && !span_eq(span_of(slots[at].text, slots[at].len), text))
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

size_t table_find(const struct table *table, struct span text)
{
    const struct table_slot *slot;

    if (table->capacity == 0)
        return SIZE_MAX;
    slot = table_slot_for(table->slots, table->capacity, text);
    return slot->text == NULL ? SIZE_MAX : slot->value;
}

static bool table_widen(struct table *table)
{
    size_t capacity = table->capacity == 0 ? 16 : table->capacity * 2;
    struct table_slot *slots = mem_new(capacity, sizeof(*slots));

    if (slots == NULL)
        return false;
    for (size_t i = 0; i < table->capacity; i++) {
        const struct table_slot *old = &table->slots[i];

        if (old->text != NULL)
            *table_slot_for(slots, capacity, span_of(old->text, old->len)) = *old;
    }
    mem_free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

bool table_add(struct table *table, struct span text, size_t value)
{
    struct table_slot *slot;
    char *copy;

    if (table->count * 2 >= table->capacity && !table_widen(table))
        return false;
    copy = mem_dup(text.ptr, text.len);
    if (copy == NULL)
        return false;
    slot = table_slot_for(table->slots, table->capacity, text);
    *slot = (struct table_slot){.text = copy, .len = text.len, .value = value};
    table->count++;
    return true;
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->capacity; i++)
        mem_free(table->slots[i].text);
    mem_free(table->slots);
    *table = (struct table){0};
}
