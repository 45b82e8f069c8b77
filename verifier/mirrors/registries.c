/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers' registries.conf(5), version 2: [[registry]] tables with prefix, location, insecure, blocked, mirrors.
 * Unqualified search, short names and aliases are about names, which are whole by the time we see them. A prefix with a
 * tag or digest matches nothing here: signatures are looked for by repository. Version 1 files are refused. Members
 * that are not known are left to newer runtimes.
 */
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/toml.h"
#include "verifier/mirrors/mirrors_read.h"

enum { PATH_SHOWN = 200, FILES_MAX = 256, REGISTRIES_MAX = 4096 };

enum pull_from { PULL_ALL, PULL_DIGEST_ONLY, PULL_TAG_ONLY };

/* One [[registry]]; spans borrow from its document. */
struct entry {
    const char *what; /* the file */
    const struct node *node;
    struct span prefix;
    struct span location; /* empty: only with a wildcard prefix, "as it is" */
    bool insecure, blocked, digest_only;
    const struct node *mirrors;
};

/* All files, merged. */
struct conf {
    struct buf *texts;
    char **paths;
    struct tree **trees;
    size_t file_count;
    struct entry *entries;
    size_t count, capacity;
    struct error *err;
};

static void conf_done(struct conf *conf)
{
    for (size_t i = 0; i < conf->file_count; i++) {
        tree_free(conf->trees[i]);
        buf_free(&conf->texts[i]);
        mem_free(conf->paths[i]);
    }
    mem_free(conf->trees);
    mem_free(conf->texts);
    mem_free(conf->paths);
    mem_free(conf->entries);
}

static bool refuse(struct error *err, const char *what, const struct node *node, const char *text)
{
    char shown[PATH_SHOWN];

    return error_set(err, REASON_POLICY_ERROR, "%s:%u:%u: %s", text_clean(span_str(what), shown, sizeof(shown)),
                     node->line, node->column, text);
}

/* A prefix or location: no scheme, slashes at the end go. */
static bool read_name(struct error *err, const char *what, const struct node *node, struct span *ret)
{
    struct span text = node ? node->text : span_of(NULL, 0);

    *ret = text;
    if (!node)
        return true;
    while (span_ends(text, "/"))
        text.len--;
    if (text.len == 0)
        return refuse(err, what, node, "cannot be empty");
    if (span_starts(text, "http://") || span_starts(text, "https://"))
        return refuse(err, what, node, "must be a host[:port][/path] without \"http://\" or \"https://\"");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7F || strchr("\"<>\\^`{|}?#%", text.ptr[i]))
            return refuse(err, what, node, "must be a host[:port][/path]");
    *ret = text;
    return true;
}

static bool read_bool(struct error *err, const char *what, const struct node *node, bool *ret)
{
    *ret = false;
    if (node && !node_bool(node, ret))
        return refuse(err, what, node, "must be true or false");
    return true;
}

/* "*.example.com": subdomains of a host, and nothing behind it. */
static bool is_wildcard(struct span prefix)
{
    return span_starts(prefix, "*.");
}

static bool read_entry(struct conf *conf, const char *what, const struct node *table, struct entry *ret)
{
    const struct node *prefix, *location, *insecure, *blocked, *digest_only, *mirrors;
    const struct field fields[] = {
        {"prefix", NODE_STRING, false, &prefix},           {"location", NODE_STRING, false, &location},
        {"insecure", NODE_BOOL, false, &insecure},         {"blocked", NODE_BOOL, false, &blocked},
        {"mirror", NODE_LIST, false, &mirrors},            {"mirror-by-digest-only", NODE_BOOL, false, &digest_only},
    };
    struct entry entry = {.what = what, .node = table};

    if (!node_fields(table, what, fields, ARRAY_LEN(fields), true, REASON_POLICY_ERROR, conf->err) ||
        !read_name(conf->err, what, prefix, &entry.prefix) || !read_name(conf->err, what, location, &entry.location) ||
        !read_bool(conf->err, what, insecure, &entry.insecure) ||
        !read_bool(conf->err, what, blocked, &entry.blocked) ||
        !read_bool(conf->err, what, digest_only, &entry.digest_only))
        return false;
    if (!prefix && !location)
        return refuse(conf->err, what, table, "a registry needs a \"prefix\" or a \"location\"");
    if (!prefix)
        entry.prefix = entry.location;
    if (is_wildcard(entry.prefix) && span_find_byte(entry.prefix, '/') != SIZE_MAX)
        return refuse(conf->err, what, table, "a wildcard prefix is \"*.example.com\", with no path");
    if (!location && !is_wildcard(entry.prefix))
        entry.location = entry.prefix;
    entry.mirrors = mirrors;
    *ret = entry;
    return true;
}

/* A later file's entry takes the place of an earlier one with the same prefix. Twice in one file: the later, too. */
static bool keep_entry(struct conf *conf, const struct entry *entry)
{
    for (size_t i = 0; i < conf->count; i++)
        if (span_eq(conf->entries[i].prefix, entry->prefix)) {
            conf->entries[i] = *entry;
            return true;
        }
    if (!mem_grow(&conf->entries, &conf->capacity, conf->count, sizeof(*conf->entries), REGISTRIES_MAX))
        return error_set(conf->err, REASON_LIMIT, "%s: more than %d registries", entry->what, REGISTRIES_MAX);
    conf->entries[conf->count++] = *entry;
    return true;
}

static bool read_tree(struct conf *conf, const char *what, const struct node *root)
{
    const struct node *registries = node_get(root, "registry");

    if (node_get(root, "registries"))
        return refuse(conf->err, what, node_get(root, "registries"), "version 1 of registries.conf is not supported");
    if (registries && !node_is(registries, NODE_LIST))
        return refuse(conf->err, what, registries, "registries are written [[registry]]");
    for (const struct node *table = registries ? registries->child : NULL; table; table = table->next) {
        struct entry entry;

        if (!read_entry(conf, what, table, &entry) || !keep_entry(conf, &entry))
            return false;
    }
    return true;
}

/* Takes path over. */
static bool add_file(const struct mirrors_config *config, struct conf *conf, char *path)
{
    size_t at = conf->file_count;
    bool found;

    conf->paths[at] = path;
    conf->texts[at] = (struct buf)BUF_INIT(0);
    conf->trees[at] = NULL;
    conf->file_count++;
    if (!path)
        return error_oom(conf->err);
    if (!mirrors_read_file(config, path, &conf->texts[at], &found, conf->err))
        return false;
    if (!found)
        return true;
    if (!toml_parse(buf_as_span(&conf->texts[at]), path, &conf->trees[at], conf->err)) {
        conf->err->reason = REASON_POLICY_ERROR;
        return false;
    }
    return read_tree(conf, path, tree_root(conf->trees[at]));
}

/* The file, then registries.conf.d/ *.conf in the order of their names. */
static bool read_all(const struct mirrors_config *config, struct conf *conf)
{
    static const char *const suffixes[] = {".conf", NULL};
    CLEANUP(mem_freep) char *dir = mem_printf("%s.d", config->registries_conf);
    CLEANUP(mem_freep) char *full = dir ? path_under(config->root, dir) : NULL;
    CLEANUP(names_free) struct names names = {0};

    if (!full)
        return error_oom(conf->err);
    if (!dir_list(full, suffixes, &names, conf->err) && conf->err->reason != REASON_NOT_FOUND)
        return false;
    if (names.count >= FILES_MAX)
        return error_set(conf->err, REASON_LIMIT, "%s: more than %d files", dir, FILES_MAX - 1);
    conf->paths = mem_new(names.count + 1, sizeof(*conf->paths));
    conf->texts = mem_new(names.count + 1, sizeof(*conf->texts));
    conf->trees = mem_new(names.count + 1, sizeof(*conf->trees));
    if (!conf->paths || !conf->texts || !conf->trees)
        return error_oom(conf->err);
    if (!add_file(config, conf, mem_strdup(config->registries_conf)))
        return false;
    for (size_t i = 0; i < names.count; i++)
        if (!add_file(config, conf, mem_printf("%s/%s", dir, names.items[i])))
            return false;
    return true;
}

/*
 * How much of name ("host[:port]/path") the prefix covers; 0 = it does not match. What follows must be a separator:
 * "example.com/foo" does not cover "example.com/foobar".
 */
static size_t match_length(struct span name, struct span prefix)
{
    size_t end;

    if (is_wildcard(prefix)) {
        CLEANUP(mem_freep) char *domain = span_dup(span_cut(prefix, 1, SIZE_MAX));
        size_t at = domain ? span_find(name, domain) : SIZE_MAX;

        if (at == SIZE_MAX || span_find_byte(span_cut(name, 0, at), '/') != SIZE_MAX)
            return 0;
        end = at + prefix.len - 1;
    } else {
        if (name.len < prefix.len || !span_eq(span_cut(name, 0, prefix.len), prefix))
            return 0;
        end = prefix.len;
    }
    return end == name.len || name.ptr[end] == '/' || name.ptr[end] == ':' ? end : 0;
}

static const struct entry *find_entry(const struct conf *conf, struct span name, size_t *ret_length)
{
    const struct entry *best = NULL;

    *ret_length = 0;
    for (size_t i = 0; i < conf->count; i++) {
        size_t length = match_length(name, conf->entries[i].prefix);

        if (length > *ret_length) {
            *ret_length = length;
            best = &conf->entries[i];
        }
    }
    return best;
}

/* The host's directory of certificates, if it has one by its literal name (containers-certs.d(5)). */
static bool add_certificates(const struct mirrors_config *config, const char *host, struct fetch_endpoint *endpoint,
                             struct error *err)
{
    for (size_t i = 0; config->hosts_dirs && i < config->hosts_dirs->count; i++) {
        CLEANUP(mem_freep) char *dir = mem_printf("%s/%s", config->hosts_dirs->items[i], host);

        if (!dir)
            return error_oom(err);
        if (!mirrors_docker_layout(config, dir, endpoint, err))
            return false;
    }
    return true;
}

/* location + what the prefix left of the name, as host and repository. */
static bool add_location(const struct mirrors_config *config, const struct mirrors_query *query, struct span location,
                         struct span rest, bool insecure, struct fetch_registry *registry, struct error *err)
{
    CLEANUP(fetch_endpoint_done) struct fetch_endpoint endpoint = {0};
    CLEANUP(mem_freep) char *name = mem_printf("%.*s%.*s", (int)location.len, (const char *)location.ptr, (int)rest.len,
                                               (const char *)rest.ptr);
    char *slash = name ? strchr(name, '/') : NULL;
    const char *host;

    if (!name)
        return error_oom(err);
    if (!slash || slash == name || slash[1] == '\0')
        return error_set(err, REASON_POLICY_ERROR, "registries.conf turns %s/%s into \"%s\", which is no repository",
                         query->host, query->repository, name);
    *slash = '\0';
    host = strcmp(name, "docker.io") == 0 ? "index.docker.io" : name;
    if (!fetch_endpoint_default(host, insecure || query->insecure, NULL, &endpoint, err) ||
        !add_certificates(config, name, &endpoint, err))
        return false;
    if (strcmp(slash + 1, query->repository) != 0) {
        endpoint.repository = mem_strdup(slash + 1);
        if (!endpoint.repository)
            return error_oom(err);
    }
    return fetch_registry_add(registry, &endpoint, err);
}

static bool read_pull_from(const struct entry *entry, const struct node *mirror, const struct node *word,
                           enum pull_from *ret, struct error *err)
{
    *ret = entry->digest_only ? PULL_DIGEST_ONLY : PULL_ALL;
    if (!word || word->text.len == 0)
        return true;
    if (entry->digest_only)
        return refuse(err, entry->what, mirror,
                      "\"pull-from-mirror\" and the registry's \"mirror-by-digest-only\" exclude "
                      "each other");
    if (span_eq_str(word->text, "all"))
        *ret = PULL_ALL;
    else if (span_eq_str(word->text, "digest-only"))
        *ret = PULL_DIGEST_ONLY;
    else if (span_eq_str(word->text, "tag-only"))
        *ret = PULL_TAG_ONLY;
    else
        return refuse(err, entry->what, word, "\"pull-from-mirror\" is \"all\", \"digest-only\" or \"tag-only\"");
    return true;
}

static bool add_mirror(const struct mirrors_config *config, const struct mirrors_query *query,
                       const struct entry *entry, const struct node *mirror, struct span rest,
                       struct fetch_registry *registry, struct error *err)
{
    const struct node *location, *insecure, *pull_from;
    const struct field fields[] = {
        {"location", NODE_STRING, true, &location},
        {"insecure", NODE_BOOL, false, &insecure},
        {"pull-from-mirror", NODE_STRING, false, &pull_from},
    };
    struct span name;
    enum pull_from from;
    bool any_tls;

    if (!node_fields(mirror, entry->what, fields, ARRAY_LEN(fields), true, REASON_POLICY_ERROR, err) ||
        !read_name(err, entry->what, location, &name) || !read_bool(err, entry->what, insecure, &any_tls) ||
        !read_pull_from(entry, mirror, pull_from, &from, err))
        return false;
    if ((from == PULL_DIGEST_ONLY && !query->has_digest) || (from == PULL_TAG_ONLY && query->has_digest))
        return true;
    return add_location(config, query, name, rest, any_tls, registry, err);
}

static bool add_entry(const struct mirrors_config *config, const struct mirrors_query *query, const struct entry *entry,
                      struct span name, size_t length, struct fetch_registry *registry, struct error *err)
{
    struct span rest = span_cut(name, length, SIZE_MAX);
    char shown[PATH_SHOWN];

    if (entry->blocked)
        return error_set(err, REASON_FETCH_FAILED, "%s:%u: registry \"%s\" is blocked in registries.conf", entry->what,
                         entry->node->line, text_clean(entry->prefix, shown, sizeof(shown)));
    for (const struct node *mirror = entry->mirrors ? entry->mirrors->child : NULL; mirror; mirror = mirror->next)
        if (!add_mirror(config, query, entry, mirror, rest, registry, err))
            return false;
    /* A wildcard without a location leaves the name as it is. */
    if (entry->location.len == 0)
        return add_location(config, query, name, span_of(NULL, 0), entry->insecure, registry, err);
    return add_location(config, query, entry->location, rest, entry->insecure, registry, err);
}

bool mirrors_registries_add(const struct mirrors_config *config, const struct mirrors_query *query,
                            struct fetch_registry *registry, bool *ret_found, struct error *err)
{
    CLEANUP(conf_done) struct conf conf = {.err = err};
    CLEANUP(mem_freep) char *name = mem_printf("%s/%s", mirrors_runtime_host(query->host), query->repository);
    const struct entry *entry;
    size_t length;

    *ret_found = false;
    if (!config->registries_conf)
        return true;
    if (!name)
        return error_oom(err);
    if (!read_all(config, &conf))
        return false;
    entry = find_entry(&conf, span_str(name), &length);
    if (!entry)
        return true;
    *ret_found = true;
    return add_entry(config, query, entry, span_str(name), length, registry, err);
}
