/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/threshold.h"

#include <stdint.h>

#include "base/mem.h"

bool signers_add(struct signers *signers, size_t entry, const char *id, struct error *err)
{
    size_t signer = table_find(&signers->ids, span_str(id));

    if (signers->count >= SIGNER_PAIRS_MAX)
        return true;
    if (signer == SIZE_MAX) {
        signer = signers->ids.count;
        if (!table_add(&signers->ids, span_str(id), signer))
            return error_oom(err);
    }
    for (size_t i = 0; i < signers->count; i++) {
        if (signers->pairs[i].entry == entry && signers->pairs[i].signer == signer)
            return true;
    }
    if (!mem_grow(&signers->pairs, &signers->capacity, signers->count, sizeof(*signers->pairs), SIGNER_PAIRS_MAX))
        return error_oom(err);
    signers->pairs[signers->count++] = (struct signer_pair){.entry = entry, .signer = signer};
    return true;
}

bool signers_has_entry(const struct signers *signers, size_t entry)
{
    for (size_t i = 0; i < signers->count; i++) {
        if (signers->pairs[i].entry == entry)
            return true;
    }
    return false;
}

/* Kuhn's algorithm: find a signer for the entry, moving others along if need be. Depth is bounded by the signers. */
struct matching {
    const struct signers *signers;
    size_t *holder; /* per signer: the entry that has it, SIZE_MAX = free */
    bool *visited;  /* per signer, in this search */
};

static bool matching_augment(struct matching *matching, size_t entry)
{
    for (size_t i = 0; i < matching->signers->count; i++) {
        const struct signer_pair *pair = &matching->signers->pairs[i];

        if (pair->entry != entry || matching->visited[pair->signer])
            continue;
        matching->visited[pair->signer] = true;
        if (matching->holder[pair->signer] == SIZE_MAX || matching_augment(matching, matching->holder[pair->signer])) {
            matching->holder[pair->signer] = entry;
            return true;
        }
    }
    return false;
}

static bool matching_add(struct matching *matching, size_t entry)
{
    for (size_t i = 0; i < matching->signers->ids.count; i++)
        matching->visited[i] = false;
    return matching_augment(matching, entry);
}

/* An entry once matched stays matched while others are added, so the mandatory ones go first. */
bool signers_distinct(const struct signers *signers, size_t entry_count, const size_t *mandatory,
                      size_t mandatory_count, size_t *ret_count, struct error *err)
{
    size_t width = signers->ids.count + 1, count = 0;
    size_t *holder CLEANUP(mem_freep) = mem_new(width, sizeof(*holder));
    bool *visited CLEANUP(mem_freep) = mem_new(width, sizeof(*visited));
    bool *done CLEANUP(mem_freep) = mem_new(entry_count + 1, sizeof(*done));
    struct matching matching = {.signers = signers, .holder = holder, .visited = visited};

    if (holder == NULL || visited == NULL || done == NULL)
        return error_oom(err);
    for (size_t i = 0; i < width; i++)
        holder[i] = SIZE_MAX;
    for (size_t i = 0; i < mandatory_count; i++) {
        if (done[mandatory[i]])
            continue;
        done[mandatory[i]] = true;
        if (!matching_add(&matching, mandatory[i])) {
            *ret_count = 0;
            return true;
        }
        count++;
    }
    for (size_t entry = 0; entry < entry_count; entry++)
        count += !done[entry] && matching_add(&matching, entry);
    *ret_count = count;
    return true;
}

void signers_done(struct signers *signers)
{
    mem_free(signers->pairs);
    table_done(&signers->ids);
    *signers = (struct signers){0};
}
