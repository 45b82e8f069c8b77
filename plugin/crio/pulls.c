/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/pulls.h"

#include <string.h>

#include "base/mem.h"
#include "base/tree.h"
#include "verifier/ref.h"

static void wipe(char **secret)
{
    if (*secret)
        mem_wipe_free(*secret, strlen(*secret));
    *secret = NULL;
}

void pull_done(struct pull *pull)
{
    mem_free(pull->repository);
    mem_free(pull->reference);
    wipe(&pull->username);
    wipe(&pull->password);
    wipe(&pull->identity_token);
    memset(pull, 0, sizeof(*pull));
}

static bool copy_secret(const struct node *credentials, const char *name, char **ret, struct error *err)
{
    const struct node *value = node_get(credentials, name);

    if (!value || value->kind == NODE_NULL || value->text.len == 0)
        return true;
    if (value->kind != NODE_STRING)
        return error_set(err, REASON_MALFORMED, "the helper's %s is not a string", name);
    *ret = span_dup(value->text);
    return *ret ? true : error_oom(err);
}

static bool parse_member(const struct node *member, struct pull *pull, struct error *err)
{
    struct ref ref CLEANUP(ref_done) = {0};

    pull->reference = span_dup(member->name);
    if (!pull->reference || !ref_parse(member->name, &ref, err))
        return pull->reference ? error_wrap(err, "the helper's reference") : error_oom(err);
    pull->repository = mem_strdup(ref.name);
    return (pull->repository || error_oom(err)) && copy_secret(member, "username", &pull->username, err) &&
           copy_secret(member, "password", &pull->password, err) &&
           copy_secret(member, "identityToken", &pull->identity_token, err);
}

bool pull_parse(struct span json, struct pull *ret, struct error *err)
{
    struct tree *tree CLEANUP(tree_freep) = NULL;
    struct pull pull CLEANUP(pull_done) = {0};
    const struct node *root;

    if (!json_parse(json, "the helper's input", TREE_NO_PLACES, &tree, err))
        return false;
    root = tree_root(tree);
    if (!node_is(root, NODE_MAP) || root->count != 1 || !node_is(root->child, NODE_MAP))
        return error_set(err, REASON_MALFORMED, "the helper's input: want one reference with its credentials");
    if (!parse_member(root->child, &pull, err))
        return false;
    *ret = pull;
    memset(&pull, 0, sizeof(pull));
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_pull(const struct pull *a, const struct pull *b)
{
    return same_text(a->reference, b->reference) && same_text(a->username, b->username) &&
           same_text(a->password, b->password) && same_text(a->identity_token, b->identity_token);
}

void pulls_add(struct pulls *pulls, struct pull *pull, int64_t now)
{
    struct pull *place = &pulls->items[0];

    for (size_t i = 0; i < PULLS_MAX && !same_pull(place, pull); i++)
        if (same_pull(&pulls->items[i], pull) || pulls->items[i].expires < place->expires)
            place = &pulls->items[i];
    pull_done(place);
    *place = *pull;
    place->expires = now + PULL_LIFE_MS;
    memset(pull, 0, sizeof(*pull));
}

/* Into its place among those found; the oldest falls out. */
static size_t insert(const struct pull **found, size_t count, size_t max, const struct pull *pull)
{
    size_t at = count;

    while (at > 0 && found[at - 1]->expires < pull->expires)
        at--;
    if (count < max)
        count++;
    if (at == count)
        return count;
    memmove(&found[at + 1], &found[at], (count - 1 - at) * sizeof(*found));
    found[at] = pull;
    return count;
}

size_t pulls_find(struct pulls *pulls, const char *repository, int64_t now, const struct pull **ret, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < PULLS_MAX; i++) {
        struct pull *pull = &pulls->items[i];

        if (pull->repository && pull->expires <= now)
            pull_done(pull);
        if (pull->repository && strcmp(pull->repository, repository) == 0)
            count = insert(ret, count, max, pull);
    }
    return count;
}

void pulls_done(struct pulls *pulls)
{
    for (size_t i = 0; i < PULLS_MAX; i++)
        pull_done(&pulls->items[i]);
}
