/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/settings.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "config.h"

enum {
    DEADLINE_DEFAULT_MS = 8000, /* containerd kills us at 10 s */
    DEADLINE_MIN_MS = 100,
    DEADLINE_MAX_MS = 600000,
    LIST_MAX = 256,
    SHOWN_BYTES = 96,
};

/* Where runtimes and people leave registry credentials; the first file with an entry for the registry is used. */
static const char *const default_credentials[] = {
    PG_CONFDIR "/auth.json", "/var/lib/kubelet/config.json", "/root/.docker/config.json", "/run/containers/0/auth.json",
};

static bool fail(const char *what, const struct node *node, const char *name, const char *wanted, struct error *err)
{
    char shown[SHOWN_BYTES];

    return error_set(err, REASON_POLICY_ERROR, "%s:%u:%u: %s: %s wanted, not \"%s\"", what, node->line, node->column,
                     name, wanted, text_clean(node->text, shown, sizeof(shown)));
}

static bool set_text(char **place, const char *text, struct error *err)
{
    char *copy = mem_strdup(text);

    if (!copy)
        return error_oom(err);
    mem_free(*place);
    *place = copy;
    return true;
}

static bool read_text(const char *what, const struct node *node, const char *name, char **place, struct error *err)
{
    char *text;

    if (!node)
        return true;
    if (!node_is(node, NODE_STRING))
        return fail(what, node, name, "a string", err);
    text = span_dup(node->text);
    if (!text)
        return error_oom(err);
    mem_free(*place);
    *place = text;
    return true;
}

/* An absolute path; "" where that switches something off. */
static bool read_path(const char *what, const struct node *node, const char *name, bool empty_too, char **place,
                      struct error *err)
{
    if (node && !(empty_too && node_str_is(node, "")) && !(node_is(node, NODE_STRING) && span_starts(node->text, "/")))
        return fail(what, node, name, "an absolute path", err);
    return read_text(what, node, name, place, err);
}

/* node_exporter reads files of that name only. */
static bool read_metrics(const char *what, const struct node *node, char **place, struct error *err)
{
    if (node && node->text.len > 0 && !span_ends(node->text, ".prom"))
        return fail(what, node, "metrics", "a path that ends in .prom", err);
    return read_path(what, node, "metrics", true, place, err);
}

/* One of the words; *ret is its index. */
static bool read_word(const char *what, const struct node *node, const char *name, const char *const *words,
                      size_t count, const char *wanted, int *ret, struct error *err)
{
    if (!node)
        return true;
    for (size_t i = 0; i < count; i++)
        if (node_str_is(node, words[i])) {
            *ret = (int)i;
            return true;
        }
    return fail(what, node, name, wanted, err);
}

static bool read_duration(const char *what, const struct node *node, const char *name, int64_t *place,
                          struct error *err)
{
    if (node && (!node_is(node, NODE_STRING) || !duration_parse(node->text, place)))
        return fail(what, node, name, "a duration such as 12h", err);
    return true;
}

static bool read_bool(const char *what, const struct node *node, const char *name, bool *place, struct error *err)
{
    if (node && !node_bool(node, place))
        return fail(what, node, name, "true or false", err);
    return true;
}

static bool read_list(const char *what, const struct node *node, const char *name, bool paths, struct names *place,
                      struct error *err)
{
    CLEANUP(names_free) struct names list = {0};

    if (!node)
        return true;
    if (!node_is(node, NODE_LIST) || node->count > LIST_MAX)
        return fail(what, node, name, "a list", err);
    for (const struct node *item = node->child; item; item = item->next) {
        CLEANUP(mem_freep) char *text = NULL;

        if (paths && !(node_is(item, NODE_STRING) && span_starts(item->text, "/")))
            return fail(what, item, name, "an absolute path", err);
        if (!read_text(what, item, name, &text, err))
            return false;
        if (!names_add(&list, text))
            return error_oom(err);
    }
    names_free(place);
    *place = list;
    list = (struct names){0};
    return true;
}

bool settings_default(struct settings *ret, struct error *err)
{
    CLEANUP(settings_done) struct settings settings = {.deadline_ms = DEADLINE_DEFAULT_MS,
                                                       .cache = true,
                                                       .cache_life_s = 12L * 60 * 60,
                                                       .idle_exit_s = 10L * 60};

    if (!set_text(&settings.user, PG_USER, err) || !set_text(&settings.ca_dir, "/etc/ssl/certs", err) ||
        !set_text(&settings.audit, "", err) ||
        !set_text(&settings.containerd_metadata, "/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", err) ||
        !set_text(&settings.endorser_listen, "127.0.0.1:14242", err))
        return false;
    if (!names_add(&settings.storage_roots, "/var/lib/containers/storage"))
        return error_oom(err);
    for (size_t i = 0; i < ARRAY_LEN(default_credentials); i++)
        if (!names_add(&settings.credentials, default_credentials[i]))
            return error_oom(err);
    *ret = settings;
    settings = (struct settings){0};
    return true;
}

static bool read_words(const char *what, const struct node *no_match, const struct node *sandbox,
                       const struct node *fetch_failure, struct settings *settings, struct error *err)
{
    static const char *const no_match_words[] = {"deny", "warn", "allow"};
    static const char *const sandbox_words[] = {"require", "prefer", "off"};
    static const char *const failure_words[] = {"deny", "cached"};
    int no_match_word = 0, sandbox_word = 0, failure_word = 0;

    if (!read_word(what, no_match, "no-match", no_match_words, 3, "deny, warn or allow", &no_match_word, err) ||
        !read_word(what, sandbox, "sandbox", sandbox_words, 3, "require, prefer or off", &sandbox_word, err) ||
        !read_word(what, fetch_failure, "on-fetch-failure", failure_words, 2, "deny or cached", &failure_word, err))
        return false;
    settings->no_match = (enum no_match)no_match_word;
    settings->sandbox = (enum sandbox_mode)sandbox_word;
    settings->fetch_failure_cached = failure_word == 1;
    return true;
}

static bool read_deadline(const char *what, const struct node *node, struct settings *settings, struct error *err)
{
    int64_t value = settings->deadline_ms;

    if (node && (!node_int(node, false, &value) || value < DEADLINE_MIN_MS || value > DEADLINE_MAX_MS))
        return fail(what, node, "deadline-ms", "a number from 100 to 600000", err);
    settings->deadline_ms = (uint32_t)value;
    return true;
}

static bool read_groups(const char *what, const struct node *proxy, const struct node *cache,
                        const struct node *resident, struct settings *settings, struct error *err)
{
    const struct node *https = NULL, *http = NULL, *no = NULL, *enabled = NULL, *life = NULL, *idle = NULL;
    const struct field proxy_fields[] = {{"https", NODE_STRING, false, &https},
                                         {"http", NODE_STRING, false, &http},
                                         {"no", NODE_STRING, false, &no}};
    const struct field cache_fields[] = {{"enabled", NODE_BOOL, false, &enabled}, {"life", NODE_STRING, false, &life}};
    const struct field resident_fields[] = {{"idle-exit", NODE_STRING, false, &idle}};

    if ((proxy && !node_fields(proxy, "proxy", proxy_fields, 3, false, REASON_POLICY_ERROR, err)) ||
        (cache && !node_fields(cache, "cache", cache_fields, 2, false, REASON_POLICY_ERROR, err)) ||
        (resident && !node_fields(resident, "resident", resident_fields, 1, false, REASON_POLICY_ERROR, err)))
        return error_wrap(err, "%s", what);
    return read_text(what, https, "proxy.https", &settings->https_proxy, err) &&
           read_text(what, http, "proxy.http", &settings->http_proxy, err) &&
           read_text(what, no, "proxy.no", &settings->no_proxy, err) &&
           read_bool(what, enabled, "cache.enabled", &settings->cache, err) &&
           read_duration(what, life, "cache.life", &settings->cache_life_s, err) &&
           read_duration(what, idle, "resident.idle-exit", &settings->idle_exit_s, err);
}

/* What start gates, endorser and credential providers need. */
static bool read_places(const char *what, const struct node *providers, const struct node *endorser,
                        const struct node *start_network, struct settings *settings, struct error *err)
{
    const struct node *config = NULL, *directory = NULL, *listen = NULL;
    const struct field provider_fields[] = {{"config", NODE_STRING, true, &config},
                                            {"directory", NODE_STRING, true, &directory}};
    const struct field endorser_fields[] = {{"listen", NODE_STRING, false, &listen}};

    if ((providers &&
         !node_fields(providers, "credential-providers", provider_fields, 2, false, REASON_POLICY_ERROR, err)) ||
        (endorser && !node_fields(endorser, "endorser", endorser_fields, 1, false, REASON_POLICY_ERROR, err)))
        return error_wrap(err, "%s", what);
    return read_path(what, config, "credential-providers.config", false, &settings->provider_config, err) &&
           read_path(what, directory, "credential-providers.directory", false, &settings->provider_dir, err) &&
           read_text(what, listen, "endorser.listen", &settings->endorser_listen, err) &&
           read_bool(what, start_network, "start-network", &settings->start_network, err);
}

static bool read_root(const char *what, const struct node *root, struct settings *settings, struct error *err)
{
    const struct node *providers, *storage, *metadata, *start_network, *endorser;
    const struct node *no_match, *deadline, *sandbox, *user, *insecure, *credentials, *ca_dir, *ca_file, *proxy, *hosts,
        *registries, *log_json, *audit, *metrics, *cache, *failure, *resident;
    const struct field fields[] = {
        {"no-match", NODE_STRING, false, &no_match},
        {"deadline-ms", NODE_NUMBER, false, &deadline},
        {"sandbox", FIELD_ANY, false, &sandbox}, /* "off" would be a boolean to some YAML readers */
        {"user", NODE_STRING, false, &user},
        {"insecure-registries", NODE_LIST, false, &insecure},
        {"credentials", NODE_LIST, false, &credentials},
        {"credential-providers", NODE_MAP, false, &providers},
        {"storage-roots", NODE_LIST, false, &storage},
        {"containerd-metadata", NODE_STRING, false, &metadata},
        {"start-network", NODE_BOOL, false, &start_network},
        {"endorser", NODE_MAP, false, &endorser},
        {"ca-dir", NODE_STRING, false, &ca_dir},
        {"ca-file", NODE_STRING, false, &ca_file},
        {"proxy", NODE_MAP, false, &proxy},
        {"hosts-dirs", NODE_LIST, false, &hosts},
        {"registries-conf", NODE_STRING, false, &registries},
        {"log-json", NODE_STRING, false, &log_json},
        {"audit", NODE_STRING, false, &audit},
        {"metrics", NODE_STRING, false, &metrics},
        {"cache", NODE_MAP, false, &cache},
        {"on-fetch-failure", NODE_STRING, false, &failure},
        {"resident", NODE_MAP, false, &resident},
    };

    if (!node_fields(root, what, fields, ARRAY_LEN(fields), false, REASON_POLICY_ERROR, err))
        return false;
    return read_words(what, no_match, sandbox, failure, settings, err) &&
           read_deadline(what, deadline, settings, err) && read_text(what, user, "user", &settings->user, err) &&
           read_list(what, insecure, "insecure-registries", false, &settings->insecure, err) &&
           read_list(what, credentials, "credentials", true, &settings->credentials, err) &&
           read_path(what, ca_dir, "ca-dir", true, &settings->ca_dir, err) &&
           read_path(what, ca_file, "ca-file", false, &settings->ca_file, err) &&
           read_list(what, hosts, "hosts-dirs", true, &settings->hosts_dirs, err) &&
           read_path(what, registries, "registries-conf", true, &settings->registries_conf, err) &&
           read_path(what, log_json, "log-json", true, &settings->log_json, err) &&
           read_path(what, audit, "audit", true, &settings->audit, err) &&
           read_metrics(what, metrics, &settings->metrics, err) &&
           read_list(what, storage, "storage-roots", true, &settings->storage_roots, err) &&
           read_path(what, metadata, "containerd-metadata", true, &settings->containerd_metadata, err) &&
           read_places(what, providers, endorser, start_network, settings, err) &&
           read_groups(what, proxy, cache, resident, settings, err);
}

bool settings_parse(struct span bytes, const char *what, struct settings *ret, struct error *err)
{
    CLEANUP(settings_done) struct settings settings = {0};
    CLEANUP(tree_freep) struct tree *tree = NULL;
    void *raw;

    if (!settings_default(&settings, err) || !yaml_parse(bytes, what, &tree, err))
        return false;
    if (tree_documents(tree) > 1)
        return error_set(err, REASON_POLICY_ERROR, "%s: more than one document", what);
    if (tree_documents(tree) == 1 && !read_root(what, tree_root(tree), &settings, err))
        return false;
    raw = mem_dup(bytes.ptr, bytes.len);
    if (!raw)
        return error_oom(err);
    settings.raw = span_of(raw, bytes.len);
    *ret = settings;
    settings = (struct settings){0};
    return true;
}

bool settings_load(const char *root, struct settings *ret, struct error *err)
{
    CLEANUP(mem_freep) char *path = path_under(root, PG_CONFDIR "/pullguard.yaml");
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(LIMIT_SETTINGS_BYTES);

    if (!path)
        return error_oom(err);
    if (file_read(path, LIMIT_SETTINGS_BYTES, FILE_TRUSTED, &bytes, err))
        return settings_parse(buf_as_span(&bytes), path, ret, err);
    return err->reason == REASON_NOT_FOUND && settings_default(ret, err);
}

void settings_done(struct settings *settings)
{
    char **const texts[] = {&settings->user,
                            &settings->ca_dir,
                            &settings->ca_file,
                            &settings->https_proxy,
                            &settings->http_proxy,
                            &settings->no_proxy,
                            &settings->registries_conf,
                            &settings->log_json,
                            &settings->audit,
                            &settings->metrics,
                            &settings->provider_config,
                            &settings->provider_dir,
                            &settings->containerd_metadata,
                            &settings->endorser_listen};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        mem_free(*texts[i]);
    names_free(&settings->insecure);
    names_free(&settings->credentials);
    names_free(&settings->hosts_dirs);
    names_free(&settings->storage_roots);
    if (settings->raw.ptr)
        mem_free((void *)(uintptr_t)settings->raw.ptr);
    *settings = (struct settings){0};
}
