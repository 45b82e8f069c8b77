/* SPDX-License-Identifier: Apache-2.0 */
/* What the matching policies' authorities need from the network and from the verifier, each thing once. */
#include "policy/match.h"

#include <string.h>

#include "base/mem.h"

/* Each place costs look-ups on every pull; more than this is a mistake in the policies. */
enum { PLACES_MAX = 64, KEYS_MAX = 1000 * 1000 };

struct gather {
    struct policy_needs *needs;
    const struct policy_set *set;
    struct table keys;   /* "<set key>/<hash>" seen */
    size_t place_capacity, key_capacity, root_capacity;
    struct error *err;
};

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool gather_place(struct gather *gather, const struct authority *authority)
{
    struct policy_needs *needs = gather->needs;
    bool attestations = authority->attestation_count > 0;
    bool signatures = !attestations || authority->signed_and_attested;
    struct policy_place *place = NULL;

    for (size_t i = 0; i < needs->place_count && place == NULL; i++) {
        if (same_text(needs->places[i].repository, authority->source_repository) &&
            same_text(needs->places[i].tag_prefix, authority->tag_prefix))
            place = &needs->places[i];
    }
    if (place == NULL) {
        if (needs->place_count == PLACES_MAX)
            return error_set(gather->err, REASON_POLICY_ERROR,
                             "the policies for this image name more than %d different sources of signatures",
                             PLACES_MAX);
        if (!mem_grow(&needs->places, &gather->place_capacity, needs->place_count, sizeof(*place), PLACES_MAX))
            return error_oom(gather->err);
        place = &needs->places[needs->place_count++];
        place->repository = authority->source_repository;
        place->directory = authority_directory(authority);
        place->tag_prefix = authority->tag_prefix;
    }
    place->signatures |= signatures;
    place->attestations |= attestations;
    return true;
}

static bool gather_key(struct gather *gather, const struct member *member)
{
    struct policy_needs *needs = gather->needs;
    struct {
        size_t key, hash;
    } name = {member->key, (size_t)member->hash};
    struct span text = span_of(&name, sizeof(name));

    if (table_find(&gather->keys, text) != SIZE_MAX)
        return true;
    if (!table_add(&gather->keys, text, 0) ||
        !mem_grow(&needs->keys, &gather->key_capacity, needs->key_count, sizeof(*needs->keys), KEYS_MAX))
        return error_oom(gather->err);
    needs->keys[needs->key_count++] =
        (struct policy_key){.key = gather->set->keys[member->key].key, .hash = member->hash};
    return true;
}

static bool gather_root(struct gather *gather, size_t root)
{
    struct policy_needs *needs = gather->needs;
    const char *name;

    if (root == ROOT_NONE)
        return true;
    name = gather->set->roots[root].name;
    for (size_t i = 0; i < needs->root_count; i++) {
        if (needs->roots[i] == name)
            return true;
    }
    if (!mem_grow(&needs->roots, &gather->root_capacity, needs->root_count, sizeof(*needs->roots), SIZE_MAX / 16))
        return error_oom(gather->err);
    needs->roots[needs->root_count++] = name;
    return true;
}

static bool gather_authority(struct gather *gather, const struct authority *authority)
{
    if (authority->kind == AUTHORITY_STATIC)
        return true;
    for (size_t i = 0; i < authority->member_count; i++) {
        if (!gather_key(gather, &authority->members[i]))
            return false;
    }
    return gather_place(gather, authority) && gather_root(gather, authority->trust_root) &&
           gather_root(gather, authority->log_root) && gather_root(gather, authority->tsa_root);
}

bool policy_needs(const struct policy_set *set, const struct policy_image *image, struct policy_needs *ret,
                  struct error *err)
{
    struct match match CLEANUP(match_done) = {0};
    struct policy_needs needs = {0};
    struct gather gather = {.needs = &needs, .set = set, .err = err};
    bool good = match_init(&match, set, image, err);

    for (size_t i = 0; good && i < set->policy_count; i++) {
        const struct policy *policy = &set->policies[i];

        if (match_policy(&match, policy) == NULL)
            continue;
        for (size_t j = 0; good && j < policy->authority_count; j++)
            good = gather_authority(&gather, &policy->authorities[j]);
    }
    table_done(&gather.keys);
    if (!good) {
        policy_needs_done(&needs);
        return false;
    }
    needs.nothing = needs.place_count == 0;
    *ret = needs;
    return true;
}

void policy_needs_done(struct policy_needs *needs)
{
    mem_free(needs->places);
    mem_free(needs->keys);
    mem_free(needs->roots);
    *needs = (struct policy_needs){0};
}
