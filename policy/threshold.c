/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/threshold.h"

#include <stdint.h>

#include "base/mem.h"

/* The number of a text; a new one is at first a signer of its own. */
static bool number_of(struct signers *signers, const char *text, size_t *ret, struct error *err)
{
    size_t number = table_find(&signers->ids, span_str(text));

    if (number == SIZE_MAX) {
        number = signers->ids.count;
        if (!mem_grow(&signers->same, &signers->same_capacity, number, sizeof(*signers->same), SIZE_MAX / 256) ||
            !table_add(&signers->ids, span_str(text), number))
            return error_oom(err);
        signers->same[number] = number;
    }
    *ret = number;
    return true;
}

/* The number that stands for all of one signer's. */
static size_t signer_of(const struct signers *signers, size_t number)
{
    while (signers->same[number] != number) {
        signers->same[number] = signers->same[signers->same[number]];
        number = signers->same[number];
    }
    return number;
}

bool signers_add(struct signers *signers, size_t entry, const char *key, const char *identity, struct error *err)
{
    size_t holder, signer;

    if (!number_of(signers, key, &holder, err) ||
        !number_of(signers, identity != NULL ? identity : key, &signer, err))
        return false;
    signers->same[signer_of(signers, holder)] = signer_of(signers, signer);
    if (signers->count >= SIGNER_PAIRS_MAX)
        return true;
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
        size_t signer = signer_of(matching->signers, pair->signer);

        if (pair->entry != entry || matching->visited[signer])
            continue;
        matching->visited[signer] = true;
        if (matching->holder[signer] == SIZE_MAX || matching_augment(matching, matching->holder[signer])) {
            matching->holder[signer] = entry;
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
    mem_free(signers->same);
    table_done(&signers->ids);
    *signers = (struct signers){0};
}
