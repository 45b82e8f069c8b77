/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/doctor/stores.h"

#include "base/limits.h"
#include "base/mem.h"

enum { STORES_MAX = 4096 };

void stores_done(struct stores *stores)
{
    for (size_t i = 0; i < stores->count; i++) {
        mem_free(stores->items[i].scope);
        mem_free(stores->items[i].lookaside);
        mem_free(stores->items[i].path);
    }
    mem_free(stores->items);
    names_free(&stores->broken);
    *stores = (struct stores){ 0 };
}

static bool add_store(struct stores *stores, const char *path, struct span scope, const struct node *values,
                      struct error *err)
{
    const struct node *url = node_get(values, "lookaside");
    struct store *store;

    if (!mem_grow(&stores->items, &stores->capacity, stores->count, sizeof(*stores->items), STORES_MAX))
        return error_set(err, REASON_LIMIT, "more than %d scopes in registries.d", STORES_MAX);
    if (url == NULL)
        url = node_get(values, "sigstore"); /* its older name */
    store = &stores->items[stores->count++];
    *store = (struct store){ .scope = span_dup(scope), .path = mem_strdup(path) };
    if (node_is(url, NODE_STRING) && url->text.len > 0)
        store->lookaside = span_dup(url->text);
    return (store->scope != NULL && store->path != NULL) || error_oom(err);
}

bool stores_read(const char *path, const struct node *tree, struct stores *ret, struct error *err)
{
    const struct node *docker = node_get(tree, "docker"), *standard = node_get(tree, "default-docker");

    if (node_is(standard, NODE_MAP) && !add_store(ret, path, span_str(""), standard, err))
        return false;
    for (const struct node *scope = node_is(docker, NODE_MAP) ? docker->child : NULL; scope != NULL;
         scope = scope->next)
        if (!add_store(ret, path, scope->name, scope, err))
            return false;
    return true;
}

static bool load_file(const char *path, struct stores *stores, struct error *err)
{
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error problem = ERROR_INIT;

    if (!file_read(path, LIMIT_SETTINGS_BYTES, FILE_ANY, &bytes, &problem) ||
        !yaml_parse(buf_as_span(&bytes), path, &tree, &problem))
        return names_add(&stores->broken, problem.text) || error_oom(err);
    return stores_read(path, tree_root(tree), stores, err);
}

bool stores_load(const char *root, struct stores *ret, struct error *err)
{
    static const char *const suffixes[] = { ".yaml", NULL };
    CLEANUP(mem_freep) char *directory = path_under(root, "/etc/containers/registries.d");
    CLEANUP(names_free) struct names names = { 0 };

    if (directory == NULL)
        return error_oom(err);
    if (!dir_list(directory, suffixes, &names, err))
        return err->reason == REASON_NOT_FOUND;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, names.items[i]);

        if (path == NULL)
            return error_oom(err);
        if (!load_file(path, ret, err))
            return false;
    }
    return true;
}
