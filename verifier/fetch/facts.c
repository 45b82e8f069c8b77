/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "verifier/fetch/fetcher.h"

/* "kind length:a b": a has no say in where b begins. */
static char *fact_key(char kind, const char *a, const char *b)
{
    return mem_printf("%c%zu:%s %s", kind, strlen(a), a, b);
}

static size_t fact_index(const struct fetcher *fetcher, const char *key)
{
    for (size_t i = 0; i < FACTS_MAX; i++)
        if (fetcher->facts[i].key && strcmp(fetcher->facts[i].key, key) == 0)
            return i;
    return SIZE_MAX;
}

const char *fact_get(const struct fetcher *fetcher, char kind, const char *a, const char *b)
{
    char *key CLEANUP(mem_freep) = fact_key(kind, a, b);
    size_t i = key ? fact_index(fetcher, key) : SIZE_MAX;

    return i == SIZE_MAX ? NULL : fetcher->facts[i].value;
}

void fact_put(struct fetcher *fetcher, char kind, const char *a, const char *b, const char *value)
{
    char *key CLEANUP(mem_freep) = fact_key(kind, a, b);
    char *copy CLEANUP(mem_freep) = mem_strdup(value);
    size_t i;

    if (!key || !copy) /* facts save time only */
        return;
    i = fact_index(fetcher, key);
    if (i == SIZE_MAX) {
        i = fetcher->fact_next;
        fetcher->fact_next = (fetcher->fact_next + 1) % FACTS_MAX;
    }
    mem_free(fetcher->facts[i].key);
    mem_free(fetcher->facts[i].value);
    fetcher->facts[i] = (struct fact){.key = TAKE_PTR(key), .value = TAKE_PTR(copy)};
}

void facts_done(struct fetcher *fetcher)
{
    for (size_t i = 0; i < FACTS_MAX; i++) {
        mem_free(fetcher->facts[i].key);
        mem_free(fetcher->facts[i].value);
        fetcher->facts[i] = (struct fact){0};
    }
}
