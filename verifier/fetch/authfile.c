/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/authfile.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/tree.h"

enum { HELPER_NAME_MAX = 64, SECRET_MAX_BYTES = 64 * 1024, SHOWN_BYTES = 128 };

void authfile_entry_done(struct authfile_entry *entry)
{
    fetch_credentials_done(&entry->credentials);
    mem_free(entry->key);
    mem_free(entry->helper);
    mem_free(entry->helper_server);
    *entry = (struct authfile_entry){0};
}

char *registry_canonical_host(struct span host)
{
    char *text;

    if (span_ends(host, ":443"))
        host.len -= 4;
    text = span_dup(host);
    for (char *c = text; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    if (text && (strcmp(text, "docker.io") == 0 || strcmp(text, "registry-1.docker.io") == 0)) {
        mem_free(text);
        text = mem_strdup("index.docker.io");
    }
    return text;
}

/* A key's host and path; docker's older keys (https://index.docker.io/v1/) have a path that means nothing. */
static void split_key(struct span key, struct span *ret_host, struct span *ret_path)
{
    bool scheme = span_starts(key, "https://") || span_starts(key, "http://");
    size_t slash;

    if (scheme)
        key = span_cut(key, span_find(key, "//") + 2, SIZE_MAX);
    slash = span_find_byte(key, '/');
    *ret_host = span_cut(key, 0, slash);
    *ret_path = slash == SIZE_MAX ? span_of(NULL, 0) : span_cut(key, slash + 1, SIZE_MAX);
    while (ret_path->len > 0 && ret_path->ptr[ret_path->len - 1] == '/')
        ret_path->len--;
    if (scheme || span_eq_str(*ret_path, "v1") || span_eq_str(*ret_path, "v2"))
        *ret_path = span_of(NULL, 0);
}

static bool same_host(struct span key_host, const char *host)
{
    char *canonical CLEANUP(mem_freep) = key_host.len > 0 ? registry_canonical_host(key_host) : NULL;

    return canonical && strcmp(canonical, host) == 0;
}

/* Is path the repository or a prefix of it that ends at a slash? */
static bool covers(struct span path, const char *repository)
{
    return path.len == 0 || (strlen(repository) >= path.len && memcmp(path.ptr, repository, path.len) == 0 &&
                             (repository[path.len] == '\0' || repository[path.len] == '/'));
}

static bool has_text(const struct node *node)
{
    return node_is(node, NODE_STRING) && node->text.len > 0;
}

static bool is_filled(const struct node *entry)
{
    return has_text(node_get(entry, "auth")) || has_text(node_get(entry, "identitytoken")) ||
           has_text(node_get(entry, "registrytoken")) ||
           (has_text(node_get(entry, "username")) && has_text(node_get(entry, "password")));
}

static const struct node *longest_entry(const struct node *auths, const char *host, const char *repository)
{
    const struct node *best = NULL;
    size_t best_len = 0;

    for (const struct node *entry = node_is(auths, NODE_MAP) ? auths->child : NULL; entry; entry = entry->next) {
        struct span key_host, path;

        split_key(entry->name, &key_host, &path);
        if (!is_filled(entry) || !same_host(key_host, host) || !covers(path, repository))
            continue;
        if (!best || path.len > best_len) {
            best = entry;
            best_len = path.len;
        }
    }
    return best;
}

static bool bad_entry(const char *what, struct span key, const char *why, struct error *err)
{
    char shown[SHOWN_BYTES];

    return error_set(err, REASON_MALFORMED, "%s: auths: \"%s\": %s", what, text_clean(key, shown, sizeof(shown)), why);
}

static bool take_text(const struct node *node, char **place, struct error *err)
{
    if (!has_text(node))
        return true;
    *place = span_dup(node->text);
    return *place != NULL || error_oom(err);
}

/* base64("user:password"); docker has written NUL bytes behind the password, and reads over them. */
static bool take_auth(const char *what, const struct node *entry, struct fetch_credentials *ret, struct error *err)
{
    struct buf plain CLEANUP(buf_wipe) = BUF_INIT(SECRET_MAX_BYTES);
    const struct node *auth = node_get(entry, "auth");
    struct span text;
    size_t colon;

    if (!has_text(auth))
        return take_text(node_get(entry, "username"), &ret->username, err) &&
               take_text(node_get(entry, "password"), &ret->password, err);
    if (!base64_decode(auth->text, BASE64_STD, &plain))
        return bad_entry(what, entry->name, "\"auth\" is not base64", err);
    text = buf_as_span(&plain);
    while (text.len > 0 && text.ptr[text.len - 1] == 0)
        text.len--;
    colon = span_find_byte(text, ':');
    if (colon == SIZE_MAX || colon == 0)
        return bad_entry(what, entry->name, "\"auth\" is not \"user:password\"", err);
    ret->username = span_dup(span_cut(text, 0, colon));
    ret->password = colon + 1 < text.len ? span_dup(span_cut(text, colon + 1, SIZE_MAX)) : mem_strdup("");
    return (ret->username && ret->password) || bad_entry(what, entry->name, "\"auth\" holds a NUL byte", err);
}

static bool take_entry(const char *what, const struct node *entry, struct authfile_entry *ret, struct error *err)
{
    struct fetch_credentials *credentials = &ret->credentials;

    if (!take_auth(what, entry, credentials, err) ||
        !take_text(node_get(entry, "identitytoken"), &credentials->identity_token, err) ||
        !take_text(node_get(entry, "registrytoken"), &credentials->registry_token, err))
        return false;
    ret->key = span_dup(entry->name);
    ret->found = true;
    return ret->key != NULL || error_oom(err);
}

/* The name becomes part of a program's name: letters, digits and a few signs, nothing that could be a path. */
static bool take_helper(const char *what, const struct node *name, const char *server, struct authfile_entry *ret,
                        struct error *err)
{
    struct span text = name->text;

    if (!node_is(name, NODE_STRING) || text.len == 0 || text.len > HELPER_NAME_MAX)
        return error_set(err, REASON_MALFORMED, "%s: the name of a credential helper is missing or too long", what);
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') ||
              (text.ptr[i] >= 'a' && text.ptr[i] <= 'z') || text.ptr[i] == '-' || text.ptr[i] == '_' ||
              text.ptr[i] == '.') ||
            text.ptr[0] == '.')
            return error_set(err, REASON_MALFORMED, "%s: the name of a credential helper is no program's name", what);
    ret->helper = span_dup(text);
    ret->helper_server = mem_strdup(server);
    ret->key = mem_strdup(server);
    ret->found = true;
    return (ret->helper && ret->helper_server && ret->key) || error_oom(err);
}

static const struct node *helper_for(const struct node *helpers, const char *host)
{
    for (const struct node *item = node_is(helpers, NODE_MAP) ? helpers->child : NULL; item; item = item->next) {
        struct span key_host, path;

        split_key(item->name, &key_host, &path);
        if (path.len == 0 && same_host(key_host, host))
            return item;
    }
    return NULL;
}

bool authfile_find(struct span bytes, const char *what, const char *host, const char *repository,
                   struct authfile_entry *ret, struct error *err)
{
    struct authfile_entry entry CLEANUP(authfile_entry_done) = {0};
    struct tree *tree CLEANUP(tree_freep) = NULL;
    /* docker's helpers know Docker Hub by its old address only */
    const char *server = strcmp(host, "index.docker.io") == 0 ? "https://index.docker.io/v1/" : host;
    const struct node *root, *found;
    bool ok = true;

    if (span_trim(bytes).len > 0 && !json_parse(bytes, what, TREE_DEFAULT, &tree, err))
        return false;
    root = tree ? tree_root(tree) : NULL;
    if (root && !node_is(root, NODE_MAP))
        return error_set(err, REASON_MALFORMED, "%s: a JSON object is wanted", what);
    if ((found = helper_for(node_get(root, "credHelpers"), host)) != NULL)
        ok = take_helper(what, found, server, &entry, err);
    else if ((found = longest_entry(node_get(root, "auths"), host, repository)) != NULL)
        ok = take_entry(what, found, &entry, err);
    else if (has_text(node_get(root, "credsStore")))
        ok = take_helper(what, node_get(root, "credsStore"), server, &entry, err);
    if (!ok)
        return false;
    *ret = entry;
    entry = (struct authfile_entry){0};
    return true;
}
