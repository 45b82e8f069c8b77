/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's host directories (its docs/hosts.md; core/remotes/docker/config/hosts.go as of 2.2). Where we differ:
 *   - a hosts.toml that does not parse, or names an unknown capability, is an error;
 *   - "pull" implies asking for referrers: the word "referrers" came with 2.2, and files written before it would else
 *     hide signatures that the mirror has;
 *   - hosts are those of [host."..."] tables in order of first appearance; ones written inline count as well;
 *   - of several client pairs the first is used.
 */
#include <string.h>
#include <sys/stat.h>

#include <errno.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/toml.h"
#include "verifier/mirrors/mirrors_read.h"

enum { PATH_SHOWN = 200 };

/* "R/host_port_", "R/host", "R/_default": the first that exists. */
static bool find_in(const struct mirrors_config *config, const char *certs_dir, const char *host, char **ret,
                    struct error *err)
{
    const char *colon = strrchr(host, ':');
    char shown[PATH_SHOWN];

    for (int i = colon && colon != host ? 0 : 1; i < 3; i++) {
        CLEANUP(mem_freep) char *path =
            i == 0   ? mem_printf("%s/%.*s_%s_", certs_dir, (int)(colon - host), host, colon + 1)
            : i == 1 ? mem_printf("%s/%s", certs_dir, host)
                     : mem_printf("%s/_default", certs_dir);
        CLEANUP(mem_freep) char *full = path ? path_under(config->root, path) : NULL;
        struct stat st;

        if (!full)
            return error_oom(err);
        if (stat(full, &st) == 0) {
            *ret = TAKE_PTR(path);
            return true;
        }
        if (errno != ENOENT && errno != ENOTDIR)
            return error_errno(err, REASON_IO, errno, "%s", text_clean(span_str(path), shown, sizeof(shown)));
    }
    return true;
}

bool mirrors_host_dir(const struct mirrors_config *config, const char *host, char **ret, struct error *err)
{
    *ret = NULL;
    /* A host is part of a path here. References hold no "/" in it; this does not rely on that. */
    if (strchr(host, '/') || host[0] == '.' || host[0] == '\0')
        return error_set(err, REASON_BAD_REQUEST, "a registry's name cannot have \"/\" in it or begin with \".\"");
    for (size_t i = 0; config->hosts_dirs && i < config->hosts_dirs->count && !*ret; i++)
        if (!find_in(config, config->hosts_dirs->items[i], host, ret, err))
            return false;
    return true;
}

/* What all functions about one file need. */
struct hosts_file {
    const struct mirrors_config *config;
    const struct mirrors_query *query;
    const char *dir;
    const char *what; /* its path, for messages */
    struct error *err;
};

static bool refuse(const struct hosts_file *file, const struct node *node, const char *text)
{
    char shown[PATH_SHOWN];

    return error_set(file->err, REASON_POLICY_ERROR, "%s:%u:%u: %s",
                     text_clean(span_str(file->what), shown, sizeof(shown)), node->line, node->column, text);
}

/* Relative paths are relative to the directory. */
static char *resolve(const struct hosts_file *file, struct span path)
{
    CLEANUP(mem_freep) char *text = span_dup(path);

    if (!text)
        return NULL;
    return text[0] == '/' ? TAKE_PTR(text) : mem_printf("%s/%s", file->dir, text);
}

static bool add_ca(const struct hosts_file *file, const struct node *name, struct fetch_endpoint *endpoint)
{
    CLEANUP(mem_freep) char *path = NULL;

    if (!node_is(name, NODE_STRING))
        return refuse(file, name, "\"ca\" is a file name or a list of them");
    path = resolve(file, name->text);
    return path ? mirrors_add_ca(file->config, path, endpoint, file->err) : error_oom(file->err);
}

static bool read_ca(const struct hosts_file *file, const struct node *ca, struct fetch_endpoint *endpoint)
{
    if (!ca)
        return true;
    if (!node_is(ca, NODE_LIST))
        return add_ca(file, ca, endpoint);
    for (const struct node *name = ca->child; name; name = name->next)
        if (!add_ca(file, name, endpoint))
            return false;
    return true;
}

/* A name, or [certificate, key]; the key's name may be empty: the same file. */
static bool add_client(const struct hosts_file *file, const struct node *pair, struct fetch_endpoint *endpoint)
{
    const struct node *cert = node_is(pair, NODE_LIST) ? node_at(pair, 0) : pair;
    const struct node *key = node_is(pair, NODE_LIST) ? node_at(pair, 1) : NULL;
    CLEANUP(mem_freep) char *cert_path = NULL;
    CLEANUP(mem_freep) char *key_path = NULL;

    if (!node_is(cert, NODE_STRING) || (node_is(pair, NODE_LIST) && (pair->count != 2 || !node_is(key, NODE_STRING))))
        return refuse(file, pair, "\"client\" is a file name, a list of them, or a list of [certificate, key]");
    cert_path = resolve(file, cert->text);
    if (!cert_path)
        return error_oom(file->err);
    if (key && key->text.len > 0) {
        key_path = resolve(file, key->text);
        if (!key_path)
            return error_oom(file->err);
    }
    return mirrors_add_client(file->config, cert_path, key_path, endpoint, file->err);
}

static bool read_client(const struct hosts_file *file, const struct node *client, struct fetch_endpoint *endpoint)
{
    if (!client)
        return true;
    if (!node_is(client, NODE_LIST))
        return add_client(file, client, endpoint);
    for (const struct node *pair = client->child; pair; pair = pair->next)
        if (!add_client(file, pair, endpoint))
            return false;
    return true;
}

/* None given = all. "push" is not our business. */
static bool read_capabilities(const struct hosts_file *file, const struct node *list, uint32_t *flags)
{
    bool pull = false, resolve_too = false, referrers = false;

    if (list && !node_is(list, NODE_LIST))
        return refuse(file, list, "\"capabilities\" is a list");
    if (!list || list->count == 0) {
        *flags |= FETCH_CAN_ALL;
        return true;
    }
    for (const struct node *word = list->child; word; word = word->next) {
        char text[16];

        (void)text_clean(node_is(word, NODE_STRING) ? word->text : span_str("?"), text, sizeof(text));
        if (strcasecmp(text, "pull") == 0)
            pull = true;
        else if (strcasecmp(text, "resolve") == 0)
            resolve_too = true;
        else if (strcasecmp(text, "referrers") == 0)
            referrers = true;
        else if (strcasecmp(text, "push") != 0)
            return refuse(file, word, "an unknown capability; known are pull, resolve, push and referrers");
    }
    *flags |= (pull ? FETCH_CAN_PULL : 0) | (pull && resolve_too ? FETCH_CAN_RESOLVE : 0) |
              (pull || referrers ? FETCH_CAN_REFERRERS : 0);
    return true;
}

static bool add_header(const struct hosts_file *file, const struct node *name, const struct node *value,
                       struct fetch_endpoint *endpoint)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t capacity = endpoint->header_count;
    char *header;

    if (!node_is(value, NODE_STRING))
        return refuse(file, value, "a header's value is a string or a list of them");
    for (size_t i = 0; i < name->name.len; i++)
        if (!memchr(token, name->name.ptr[i], sizeof(token) - 1))
            return refuse(file, name, "not a header's name (RFC 9110 section 5.1)");
    for (size_t i = 0; i < value->text.len; i++)
        if ((value->text.ptr[i] < 0x20 && value->text.ptr[i] != '\t') || value->text.ptr[i] == 0x7F)
            return refuse(file, value, "a control character in a header's value");
    if (name->name.len == 0)
        return refuse(file, name, "a header without a name");
    header = mem_printf("%.*s: %.*s", (int)name->name.len, (const char *)name->name.ptr, (int)value->text.len,
                        (const char *)value->text.ptr);
    if (!header || !mem_grow(&endpoint->headers, &capacity, endpoint->header_count, sizeof(*endpoint->headers), 64)) {
        mem_free(header);
        return header ? error_set(file->err, REASON_LIMIT, "%s: more than 64 headers", file->what)
                      : error_oom(file->err);
    }
    endpoint->headers[endpoint->header_count++] = header;
    return true;
}

static bool read_headers(const struct hosts_file *file, const struct node *headers, struct fetch_endpoint *endpoint)
{
    if (headers && !node_is(headers, NODE_MAP))
        return refuse(file, headers, "\"header\" is a table");
    for (const struct node *name = headers ? headers->child : NULL; name; name = name->next) {
        if (!node_is(name, NODE_LIST) && !add_header(file, name, name, endpoint))
            return false;
        for (const struct node *value = node_is(name, NODE_LIST) ? name->child : NULL; value; value = value->next)
            if (!add_header(file, name, value, endpoint))
                return false;
    }
    return true;
}

/* path.Clean of Go for an absolute path, without a slash at the end: ".", ".." and double slashes go. */
static bool clean_path(struct span path, struct buf *out)
{
    while (path.len > 0) {
        size_t end;
        struct span part;

        while (span_starts(path, "/"))
            path = span_cut(path, 1, SIZE_MAX);
        end = span_find_byte(path, '/');
        part = span_cut(path, 0, end);
        path = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(path, end, SIZE_MAX);
        if (part.len == 0 || span_eq_str(part, "."))
            continue;
        if (span_eq_str(part, "..")) {
            while (out->len > 0 && out->ptr[out->len - 1] != '/')
                out->len--;
            out->len -= out->len > 0 ? 1 : 0;
            continue;
        }
        buf_byte(out, '/');
        buf_span(out, part);
    }
    return buf_ok(out);
}

static bool is_url_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7F || strchr("\"<>\\^`{|}?#@%", text.ptr[i]))
            return false;
    return text.len > 0;
}

/* No scheme = https. The path is cleaned and gets /v2, unless it ends in it or override_path says that it is the root.
 */
static bool read_url(const struct hosts_file *file, const struct node *place, struct span url, bool override,
                     char **ret_scheme_host, char **ret_path)
{
    CLEANUP(buf_free) struct buf path = BUF_INIT(url.len + 8);
    size_t mark = span_find(url, "://");
    struct span scheme = mark == SIZE_MAX ? span_str("https") : span_cut(url, 0, mark);
    struct span rest = mark == SIZE_MAX ? url : span_cut(url, mark + 3, SIZE_MAX);
    size_t slash = span_find_byte(rest, '/');
    struct span host = span_cut(rest, 0, slash);

    if (!is_url_text(rest) || host.len == 0 || (!span_eq_str(scheme, "https") && !span_eq_str(scheme, "http")))
        return refuse(file, place, "not a registry's URL (http or https, a host, perhaps a port and a path)");
    if (slash != SIZE_MAX && !clean_path(span_cut(rest, slash, SIZE_MAX), &path))
        return error_oom(file->err);
    if (!override && !span_ends(buf_as_span(&path), "/v2"))
        buf_str(&path, "/v2");
    *ret_scheme_host = mem_printf("%.*s://%.*s", (int)scheme.len, (const char *)scheme.ptr, (int)host.len,
                                  (const char *)host.ptr);
    *ret_path = mem_strdup(buf_cstr(&path));
    return (*ret_scheme_host && *ret_path && buf_ok(&path)) || error_oom(file->err);
}

/* Requests to another host than the registry's own say whose content they want. */
static bool set_ns(const struct hosts_file *file, struct fetch_endpoint *endpoint)
{
    CLEANUP(mem_freep) char *host = mirrors_endpoint_host(endpoint);

    if (!host)
        return error_oom(file->err);
    if (strcmp(host, file->query->host) == 0)
        return true;
    endpoint->ns = mem_strdup(mirrors_runtime_host(file->query->host));
    return endpoint->ns || error_oom(file->err);
}

static bool set_url(const struct hosts_file *file, const struct node *place, struct span url, bool override,
                    bool tls_set, struct fetch_endpoint *endpoint)
{
    CLEANUP(mem_freep) char *base = NULL;
    CLEANUP(mem_freep) char *path = NULL;

    if (!read_url(file, place, url, override, &base, &path))
        return false;
    if (tls_set && span_starts(span_str(base), "http://") && !span_ends(span_str(base), ":80")) {
        /* "configured for HTTP with a TLS configuration": HTTPS first, then HTTP. */
        endpoint->flags |= FETCH_EITHER_SCHEME;
        endpoint->url = mem_printf("https%s%s", base + strlen("http"), path);
    } else {
        endpoint->url = mem_printf("%s%s", base, path);
    }
    return endpoint->url ? set_ns(file, endpoint) : error_oom(file->err);
}

static bool read_dial_timeout(const struct hosts_file *file, const struct node *timeout,
                              struct fetch_endpoint *endpoint)
{
    if (!timeout || (node_is(timeout, NODE_STRING) && timeout->text.len == 0))
        return true;
    if (!node_is(timeout, NODE_STRING) || !mirrors_duration_ms(timeout->text, &endpoint->connect_ms))
        return refuse(file, timeout, "\"dial_timeout\" is a duration such as \"3s\"");
    return true;
}

static bool read_flag(const struct hosts_file *file, const struct node *table, const char *name, bool *ret)
{
    const struct node *node = node_get(table, name);

    *ret = false;
    if (node && !node_bool(node, ret))
        return refuse(file, node, "must be true or false");
    return true;
}

/* The part that is alike at the root and in each [host] table. */
static bool read_common(const struct hosts_file *file, const struct node *table, struct fetch_endpoint *endpoint)
{
    bool skip;

    if (!read_capabilities(file, node_get(table, "capabilities"), &endpoint->flags) ||
        !read_ca(file, node_get(table, "ca"), endpoint) || !read_client(file, node_get(table, "client"), endpoint) ||
        !read_headers(file, node_get(table, "header"), endpoint) ||
        !read_dial_timeout(file, node_get(table, "dial_timeout"), endpoint) ||
        !read_flag(file, table, "skip_verify", &skip))
        return false;
    endpoint->flags |= skip ? FETCH_SKIP_VERIFY : 0;
    return true;
}

static bool is_tls_set(const struct node *table)
{
    return node_get(table, "ca") || node_get(table, "client") || node_get(table, "skip_verify");
}

static bool add_host(const struct hosts_file *file, const struct node *host, struct fetch_registry *registry)
{
    CLEANUP(fetch_endpoint_done) struct fetch_endpoint endpoint = {0};
    bool override;

    if (!node_is(host, NODE_MAP))
        return refuse(file, host, "[host] holds one table per URL");
    return read_flag(file, host, "override_path", &override) && read_common(file, host, &endpoint) &&
           set_url(file, host, host->name, override, is_tls_set(host), &endpoint) &&
           fetch_registry_add(registry, &endpoint, file->err);
}

/* Moves the default's URL and scheme rules under what the root of the file says about certificates. */
static bool set_default(const struct hosts_file *file, struct fetch_endpoint *endpoint)
{
    CLEANUP(fetch_endpoint_done) struct fetch_endpoint plain = {0};

    if (!fetch_endpoint_default(file->query->host, file->query->insecure, NULL, &plain, file->err))
        return false;
    endpoint->url = TAKE_PTR(plain.url);
    endpoint->flags |= plain.flags;
    return true;
}

/* The root of the file is always the last resort. Without "server" it is the registry itself, with all capabilities. */
static bool add_root(const struct hosts_file *file, const struct node *root, struct fetch_registry *registry)
{
    const struct node *server = node_get(root, "server");
    CLEANUP(fetch_endpoint_done) struct fetch_endpoint endpoint = {0};
    bool override, done;

    if (server && !node_is(server, NODE_STRING))
        return refuse(file, server, "\"server\" is a URL");
    if (!read_flag(file, root, "override_path", &override) || !read_common(file, root, &endpoint))
        return false;
    if (server && server->text.len > 0)
        done = set_url(file, server, server->text, override, is_tls_set(root), &endpoint);
    else
        done = set_default(file, &endpoint);
    return done && fetch_registry_add(registry, &endpoint, file->err);
}

static bool add_from_toml(const struct hosts_file *file, struct span bytes, struct fetch_registry *registry)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    const struct node *hosts;

    if (!toml_parse(bytes, file->what, &tree, file->err)) {
        file->err->reason = REASON_POLICY_ERROR;
        return false;
    }
    hosts = node_get(tree_root(tree), "host");
    if (hosts && !node_is(hosts, NODE_MAP))
        return refuse(file, hosts, "\"host\" holds one table per URL");
    for (const struct node *host = hosts ? hosts->child : NULL; host; host = host->next)
        if (!add_host(file, host, registry))
            return false;
    return add_root(file, tree_root(tree), registry);
}

static bool add_from_layout(const struct hosts_file *file, struct fetch_registry *registry)
{
    CLEANUP(fetch_endpoint_done) struct fetch_endpoint endpoint = {0};

    return mirrors_docker_layout(file->config, file->dir, &endpoint, file->err) && set_default(file, &endpoint) &&
           fetch_registry_add(registry, &endpoint, file->err);
}

bool mirrors_hosts_add(const struct mirrors_config *config, const char *dir, const struct mirrors_query *query,
                       struct fetch_registry *registry, struct error *err)
{
    CLEANUP(mem_freep) char *path = mem_printf("%s/hosts.toml", dir);
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(0);
    struct hosts_file file = {.config = config, .query = query, .dir = dir, .what = path, .err = err};
    bool found;

    if (!path)
        return error_oom(err);
    if (!mirrors_read_file(config, path, &bytes, &found, err))
        return false;
    if (!found || bytes.len == 0)
        return add_from_layout(&file, registry);
    return add_from_toml(&file, buf_as_span(&bytes), registry);
}
