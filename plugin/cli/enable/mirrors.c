/* SPDX-License-Identifier: Apache-2.0 */
/* containers-registries.conf(5), as far as it says where images of a registry are really pulled from. */
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/toml.h"
#include "plugin/cli/enable/registries.h"

enum { MIRRORS_MAX = 1024 };

void mirrors_done(struct mirrors *mirrors)
{
    for (size_t i = 0; i < mirrors->count; i++) {
        mem_free(mirrors->items[i].location);
        mem_free(mirrors->items[i].prefix);
    }
    mem_free(mirrors->items);
    names_free(&mirrors->refused);
    *mirrors = (struct mirrors){ 0 };
}

static struct span host_part(struct span name)
{
    return span_cut(name, 0, span_find_byte(name, '/'));
}

static bool names_host(const struct names *hosts, struct span host)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (span_eq_str(host, hosts->items[i]))
            return true;
    return false;
}

static struct span text_of(const struct node *map, const char *name)
{
    const struct node *member = node_get(map, name);

    return node_is(member, NODE_STRING) ? member->text : span_str("");
}

static bool add(struct mirrors *mirrors, struct span location, struct span prefix, struct error *err)
{
    struct mirror *mirror;

    for (size_t i = 0; i < mirrors->count; i++)
        if (span_eq_str(location, mirrors->items[i].location))
            return true; /* a scope may stand once; the first file wins, as everywhere in this format */
    if (!mem_grow(&mirrors->items, &mirrors->capacity, mirrors->count, sizeof(*mirrors->items), MIRRORS_MAX))
        return error_set(err, REASON_LIMIT, "more than %d mirrors in registries.conf", MIRRORS_MAX);
    mirror = &mirrors->items[mirrors->count];
    mirror->location = span_dup(location);
    mirror->prefix = span_dup(prefix);
    mirrors->count++;
    return (mirror->location != NULL && mirror->prefix != NULL) || error_oom(err);
}

/*
 * The look-aside address is base + the path at the mirror. It can be led back to the image's own path only when the
 * mirror adds nothing in front: then the base carries what the prefix has.
 */
static bool consider(struct mirrors *mirrors, const struct names *hosts, struct span location, struct span prefix,
                     struct error *err)
{
    CLEANUP(mem_freep) char *shown = NULL;

    if (location.len == 0 || span_eq(location, prefix) || names_host(hosts, location))
        return true;
    if (span_find_byte(location, '/') == SIZE_MAX && span_find_byte(prefix, '*') == SIZE_MAX)
        return add(mirrors, location, prefix, err);
    shown = span_dup(location);
    return (shown != NULL && names_add(&mirrors->refused, shown)) || error_oom(err);
}

static bool read_registry(const struct node *registry, const struct names *hosts, struct mirrors *mirrors,
                          struct error *err)
{
    struct span location = text_of(registry, "location");
    struct span prefix = text_of(registry, "prefix");
    const struct node *list = node_get(registry, "mirror");

    if (prefix.len == 0)
        prefix = location;
    if (!names_host(hosts, host_part(prefix)))
        return true;
    for (const struct node *one = node_is(list, NODE_LIST) ? list->child : NULL; one != NULL; one = one->next)
        if (!consider(mirrors, hosts, text_of(one, "location"), prefix, err))
            return false;
    return consider(mirrors, hosts, location, prefix, err);
}

static bool read_file(const char *path, const struct names *hosts, struct mirrors *mirrors, struct error *err)
{
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    const struct node *list;

    if (access(path, F_OK) != 0)
        return true;
    if (!file_read(path, LIMIT_SETTINGS_BYTES, FILE_ANY, &bytes, err) ||
        !toml_parse(buf_as_span(&bytes), path, &tree, err))
        return false;
    list = node_get(tree_root(tree), "registry");
    for (const struct node *one = node_is(list, NODE_LIST) ? list->child : NULL; one != NULL; one = one->next)
        if (!read_registry(one, hosts, mirrors, err))
            return false;
    return true;
}

bool mirrors_of_registries(const char *root, const struct names *hosts, struct mirrors *ret, struct error *err)
{
    static const char *const suffixes[] = { ".conf", NULL };
    CLEANUP(mem_freep) char *file = path_under(root, "/etc/containers/registries.conf");
    CLEANUP(mem_freep) char *directory = path_under(root, "/etc/containers/registries.conf.d");
    CLEANUP(names_free) struct names names = { 0 };

    if (file == NULL || directory == NULL)
        return error_oom(err);
    if (!read_file(file, hosts, ret, err))
        return false;
    if (!dir_list(directory, suffixes, &names, err))
        return err->reason == REASON_NOT_FOUND;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, names.items[i]);

        if (path == NULL)
            return error_oom(err);
        if (!read_file(path, hosts, ret, err))
            return false;
    }
    return true;
}
