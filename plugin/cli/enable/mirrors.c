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
        mem_free(mirrors->items[i].base);
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

static struct span path_part(struct span name)
{
    size_t slash = span_find_byte(name, '/');

    return slash == SIZE_MAX ? span_str("") : span_cut(name, slash + 1, SIZE_MAX);
}

/* "*.example.com" stands for some registry that a policy names. */
static bool wildcard_hits(const struct names *hosts, struct span prefix)
{
    for (size_t i = 0; i < hosts->count; i++) {
        struct span host = span_str(hosts->items[i]), tail = span_cut(prefix, 1, SIZE_MAX);

        if (host.len > tail.len && span_eq(span_cut(host, host.len - tail.len, SIZE_MAX), tail))
            return true;
    }
    return false;
}

static bool refuse(struct mirrors *mirrors, struct span location, const char *why, struct error *err)
{
    CLEANUP(mem_freep) char *sentence =
        mem_printf("%.*s: %s", (int)location.len, (const char *)location.ptr, why);

    return (sentence != NULL && names_add(&mirrors->refused, sentence)) || error_oom(err);
}

/*
 * The image library asks base + the path at the mirror, which is the mirror's own path and what follows the prefix. The
 * prefix has to come in the place of the mirror's path: where it ends with that path, the base is what is in front;
 * otherwise the endorser is told how many components are the mirror's (plugin/crio/lookaside.h).
 */
static char *base_of(struct span location, struct span prefix)
{
    struct span own = path_part(location), path = path_part(prefix);
    size_t components = 1;

    if (own.len == 0)
        return span_dup(prefix);
    if (span_eq(own, path))
        return span_dup(host_part(prefix));
    if (path.len > own.len + 1 && path.ptr[path.len - own.len - 1] == '/' &&
        span_eq(span_cut(path, path.len - own.len, SIZE_MAX), own))
        return span_dup(span_cut(prefix, 0, prefix.len - own.len - 1));
    for (size_t i = 0; i < own.len; i++)
        components += own.ptr[i] == '/';
    return mem_printf("%.*s/-%zu", (int)prefix.len, (const char *)prefix.ptr, components);
}

static bool add(struct mirrors *mirrors, struct span location, struct span prefix, struct error *err)
{
    struct mirror *mirror;

    for (size_t i = 0; i < mirrors->count; i++) {
        if (!span_eq_str(location, mirrors->items[i].location))
            continue;
        /* A scope may stand once. */
        return span_eq_str(prefix, mirrors->items[i].prefix) ||
               refuse(mirrors, location, "it stands for several names, and by its own path nobody can tell which", err);
    }
    if (!mem_grow(&mirrors->items, &mirrors->capacity, mirrors->count, sizeof(*mirrors->items), MIRRORS_MAX))
        return error_set(err, REASON_LIMIT, "more than %d mirrors in registries.conf", MIRRORS_MAX);
    mirror = &mirrors->items[mirrors->count];
    mirror->location = span_dup(location);
    mirror->prefix = span_dup(prefix);
    mirror->base = base_of(location, prefix);
    mirrors->count++;
    return (mirror->location != NULL && mirror->prefix != NULL && mirror->base != NULL) || error_oom(err);
}

static bool consider(struct mirrors *mirrors, const struct names *hosts, struct span location, struct span prefix,
                     struct error *err)
{
    if (location.len == 0 || span_eq(location, prefix))
        return true;
    if (span_starts(prefix, "*."))
        return refuse(mirrors, location, "it stands for every registry that a wildcard fits, and which one it was is "
                      "lost on the way", err);
    if (names_host(hosts, host_part(location)))
        return refuse(mirrors, location, "policies name this registry itself, so images at it are asked for by its own "
                      "name", err);
    return add(mirrors, location, prefix, err);
}

static bool read_registry(const struct node *registry, const struct names *hosts, struct mirrors *mirrors,
                          struct error *err)
{
    struct span location = text_of(registry, "location");
    struct span prefix = text_of(registry, "prefix");
    const struct node *list = node_get(registry, "mirror");

    if (prefix.len == 0)
        prefix = location;
    if (!names_host(hosts, host_part(prefix)) && !(span_starts(prefix, "*.") && wildcard_hits(hosts, prefix)))
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
