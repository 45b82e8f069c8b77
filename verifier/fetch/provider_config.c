/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's CredentialProviderConfig and its rules for matching images. */
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/tree.h"
#include "base/clock.h"
#include "verifier/fetch/provider.h"

enum { PROVIDERS_MAX = 64, LIST_MAX = 256 };

static void list_free(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_wipe_free(list[i], strlen(list[i]));
    mem_free(list);
}

static void provider_done(struct provider *provider)
{
    mem_free(provider->name);
    mem_free(provider->api_version);
    list_free(provider->match_images, provider->match_count);
    list_free(provider->args, provider->arg_count);
    list_free(provider->env, provider->env_count);
    *provider = (struct provider){0};
}

void providers_done(struct providers *providers)
{
    for (size_t i = 0; i < providers->count; i++)
        provider_done(&providers->items[i]);
    mem_free(providers->items);
    *providers = (struct providers){0};
}

static bool bad(const char *what, const struct node *node, const char *why, struct error *err)
{
    return error_set(err, REASON_POLICY_ERROR, "%s:%u:%u: %s", what, node ? node->line : 0, node ? node->column : 0,
                     why);
}

/* text_of makes one entry of a list; the list ends in NULL. */
static bool take_list(const char *what, const struct node *list, char *(*text_of)(const struct node *), char ***ret,
                      size_t *ret_count, struct error *err)
{
    char **items;
    size_t count = 0;

    if (list && !node_is(list, NODE_LIST))
        return bad(what, list, "a list is wanted", err);
    if (list && list->count > LIST_MAX)
        return bad(what, list, "too many entries", err);
    items = mem_new((list ? list->count : 0) + 1, sizeof(*items));
    if (!items)
        return error_oom(err);
    for (const struct node *item = list ? list->child : NULL; item; item = item->next) {
        items[count] = text_of(item);
        if (!items[count]) {
            list_free(items, count);
            return bad(what, item, "a string (or name and value) is wanted", err);
        }
        count++;
    }
    *ret = items;
    *ret_count = count;
    return true;
}

static char *plain_text(const struct node *node)
{
    return node_is(node, NODE_STRING) ? span_dup(node->text) : NULL;
}

static char *env_text(const struct node *node)
{
    char *name CLEANUP(mem_freep) = plain_text(node_get(node, "name"));
    char *value CLEANUP(mem_freep) = plain_text(node_get(node, "value"));

    if (!name || name[0] == '\0' || strchr(name, '='))
        return NULL;
    return mem_printf("%s=%s", name, value ? value : "");
}

/* kubelet: a file name, no path (and neither "." nor "..") */
static bool is_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && !strpbrk(name, "/ \t");
}

static bool is_api_version(const struct node *node)
{
    return node_str_is(node, "credentialprovider.kubelet.k8s.io/v1") ||
           node_str_is(node, "credentialprovider.kubelet.k8s.io/v1beta1") ||
           node_str_is(node, "credentialprovider.kubelet.k8s.io/v1alpha1");
}

static bool cache_duration(const struct node *node, int64_t *ret)
{
    struct span text = node ? node->text : span_of(NULL, 0);

    if (!node_is(node, NODE_STRING))
        return false;
    if (span_eq_str(text, "0") || span_eq_str(text, "0s")) {
        *ret = 0;
        return true;
    }
    return duration_parse(text, ret);
}

static bool provider_read(const char *what, const struct node *node, struct provider *ret, struct error *err)
{
    struct provider provider CLEANUP(provider_done) = {0};
    const struct node *images = node_get(node, "matchImages");

    provider.name = plain_text(node_get(node, "name"));
    if (!provider.name || !is_name(provider.name))
        return bad(what, node, "providers: \"name\" is not the name of a program", err);
    if (!is_api_version(node_get(node, "apiVersion")))
        return bad(what, node, "providers: \"apiVersion\" is not one of credentialprovider.kubelet.k8s.io", err);
    provider.needs_token = node_get(node, "tokenAttributes") != NULL;
    if (!images || images->count == 0)
        return bad(what, node, "providers: \"matchImages\" is missing or empty", err);
    if (!cache_duration(node_get(node, "defaultCacheDuration"), &provider.default_cache_s))
        return bad(what, node, "providers: \"defaultCacheDuration\" is missing or no duration", err);
    provider.api_version = plain_text(node_get(node, "apiVersion"));
    if (!provider.api_version)
        return error_oom(err);
    if (!take_list(what, images, plain_text, &provider.match_images, &provider.match_count, err) ||
        !take_list(what, node_get(node, "args"), plain_text, &provider.args, &provider.arg_count, err) ||
        !take_list(what, node_get(node, "env"), env_text, &provider.env, &provider.env_count, err))
        return false;
    *ret = provider;
    provider = (struct provider){0};
    return true;
}

bool providers_parse(struct span bytes, const char *what, struct providers *ret, struct error *err)
{
    struct providers providers CLEANUP(providers_done) = {0};
    struct tree *tree CLEANUP(tree_freep) = NULL;
    const struct node *root, *list;

    if (!yaml_parse(bytes, what, &tree, err)) /* JSON is YAML too */
        return false;
    root = tree_documents(tree) == 1 ? tree_root(tree) : NULL;
    if (!node_str_is(node_get(root, "kind"), "CredentialProviderConfig"))
        return bad(what, root, "not a CredentialProviderConfig", err);
    list = node_get(root, "providers");
    if (!node_is(list, NODE_LIST))
        return bad(what, root, "\"providers\" is missing", err);
    for (const struct node *item = list->child; item; item = item->next) {
        if (!mem_grow(&providers.items, &providers.capacity, providers.count, sizeof(*providers.items), PROVIDERS_MAX))
            return bad(what, item, "too many providers", err);
        if (!provider_read(what, item, &providers.items[providers.count], err))
            return false;
        providers.count++;
    }
    *ret = providers;
    providers = (struct providers){0};
    return true;
}

/* Go's path.Match within one part of a name, as far as names go: `*` and `?`; linear, with one place to go back to. */
static bool part_matches(struct span glob, struct span text)
{
    size_t g = 0, t = 0, star = SIZE_MAX, back = 0;

    while (t < text.len) {
        if (g < glob.len && glob.ptr[g] == '*') {
            star = g++;
            back = t;
        } else if (g < glob.len && (glob.ptr[g] == '?' || glob.ptr[g] == text.ptr[t])) {
            g++;
            t++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            t = ++back;
        } else {
            return false;
        }
    }
    while (g < glob.len && glob.ptr[g] == '*')
        g++;
    return g == glob.len;
}

struct image_parts {
    struct span host, port, path;
};

static struct image_parts split_image(struct span text)
{
    struct image_parts parts = {0};
    size_t slash, colon;

    if (span_starts(text, "https://") || span_starts(text, "http://"))
        text = span_cut(text, span_find(text, "//") + 2, SIZE_MAX);
    slash = span_find_byte(text, '/');
    parts.host = span_cut(text, 0, slash);
    parts.path = slash == SIZE_MAX ? span_of(NULL, 0) : span_cut(text, slash, SIZE_MAX);
    colon = span_find_byte(parts.host, ':');
    if (colon != SIZE_MAX) {
        parts.port = span_cut(parts.host, colon + 1, SIZE_MAX);
        parts.host = span_cut(parts.host, 0, colon);
    }
    return parts;
}

/* k8s.io/kubernetes pkg/credentialprovider, URLsMatch: equal ports, equally many parts of the name, path prefix. */
bool provider_glob_matches(struct span glob, const char *image)
{
    struct image_parts want = split_image(glob), have = split_image(span_str(image));

    if (!span_eq(want.port, have.port))
        return false;
    if (have.path.len < want.path.len || !span_eq(span_cut(have.path, 0, want.path.len), want.path))
        return false;
    for (;;) {
        size_t want_dot = span_find_byte(want.host, '.'), have_dot = span_find_byte(have.host, '.');

        if (!part_matches(span_cut(want.host, 0, want_dot), span_cut(have.host, 0, have_dot)))
            return false;
        if (want_dot == SIZE_MAX || have_dot == SIZE_MAX)
            return want_dot == have_dot;
        want.host = span_cut(want.host, want_dot + 1, SIZE_MAX);
        have.host = span_cut(have.host, have_dot + 1, SIZE_MAX);
    }
}

bool provider_matches(const struct provider *provider, const char *image)
{
    for (size_t i = 0; i < provider->match_count; i++)
        if (provider_glob_matches(span_str(provider->match_images[i]), image))
            return true;
    return false;
}
