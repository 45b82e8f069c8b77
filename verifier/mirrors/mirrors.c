/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/mirrors/mirrors.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/mirrors/mirrors_read.h"

const char *mirrors_runtime_host(const char *host)
{
    return strcmp(host, "index.docker.io") == 0 ? "docker.io" : host;
}

char *mirrors_endpoint_host(const struct fetch_endpoint *endpoint)
{
    struct span url = span_str(endpoint->url);
    size_t scheme = span_find(url, "://");
    struct span host = scheme == SIZE_MAX ? url : span_cut(url, scheme + 3, SIZE_MAX);

    host = span_cut(host, 0, span_find_byte(host, '/'));
    if (span_eq_str(host, "registry-1.docker.io"))
        return mem_strdup("index.docker.io");
    return span_dup(host);
}

bool mirrors_read_file(const struct mirrors_config *config, const char *path, struct buf *ret, bool *ret_found,
                       struct error *err)
{
    CLEANUP(mem_freep) char *full = path_under(config->root, path);

    if (!full)
        return error_oom(err);
    *ret_found = file_read(full, LIMIT_SETTINGS_BYTES, config->trust, ret, err);
    return *ret_found || err->reason == REASON_NOT_FOUND;
}

/* A file that the configuration names: it must be there. */
static bool read_named(const struct mirrors_config *config, const char *path, struct buf *ret, struct error *err)
{
    bool found;

    if (!mirrors_read_file(config, path, ret, &found, err))
        return false;
    if (!found)
        err->reason = REASON_POLICY_ERROR; /* the text is the path and "No such file or directory" */
    return found;
}

static bool check_pem(const struct buf *pem, const char *path, const char *label, struct error *err)
{
    char shown[200];

    if (!span_has_nul(buf_as_span(pem)) && span_find(buf_as_span(pem), label) != SIZE_MAX)
        return true;
    return error_set(err, REASON_POLICY_ERROR, "%s: no \"%s\" in it", text_clean(span_str(path), shown, sizeof(shown)),
                     label);
}

bool mirrors_add_ca(const struct mirrors_config *config, const char *path, struct fetch_endpoint *endpoint,
                    struct error *err)
{
    CLEANUP(buf_free) struct buf pem = BUF_INIT(0);
    char *joined;

    if (!read_named(config, path, &pem, err) || !check_pem(&pem, path, "-----BEGIN CERTIFICATE-----", err))
        return false;
    joined = mem_printf("%s%s\n", endpoint->ca_pem ? endpoint->ca_pem : "", buf_cstr(&pem));
    if (!joined)
        return error_oom(err);
    mem_free(endpoint->ca_pem);
    endpoint->ca_pem = joined;
    return true;
}

bool mirrors_add_client(const struct mirrors_config *config, const char *cert, const char *key,
                        struct fetch_endpoint *endpoint, struct error *err)
{
    CLEANUP(buf_wipe) struct buf cert_pem = BUF_INIT(0), key_pem = BUF_INIT(0);

    if (endpoint->client_cert_pem)
        return true;
    if (!read_named(config, cert, &cert_pem, err) || !check_pem(&cert_pem, cert, "-----BEGIN CERTIFICATE-----", err) ||
        !read_named(config, key ? key : cert, &key_pem, err) ||
        !check_pem(&key_pem, key ? key : cert, "PRIVATE KEY-----", err))
        return false;
    endpoint->client_cert_pem = buf_take(&cert_pem);
    endpoint->client_key_pem = buf_take(&key_pem);
    return true;
}

static bool add_client_pair(const struct mirrors_config *config, const char *dir, const char *name,
                            struct fetch_endpoint *endpoint, struct error *err)
{
    int stem = (int)(strlen(name) - strlen(".cert"));
    CLEANUP(mem_freep) char *cert = mem_printf("%s/%s", dir, name);
    CLEANUP(mem_freep) char *key = mem_printf("%s/%.*s.key", dir, stem, name);
    CLEANUP(buf_wipe) struct buf probe = BUF_INIT(0);
    bool found;

    if (!cert || !key)
        return error_oom(err);
    if (!mirrors_read_file(config, key, &probe, &found, err))
        return false;
    return mirrors_add_client(config, cert, found ? key : NULL, endpoint, err);
}

/* containerd.md section 7: "*.crt" = authorities, "X.cert" with "X.key" = a client pair, the key possibly in .cert. */
bool mirrors_docker_layout(const struct mirrors_config *config, const char *dir, struct fetch_endpoint *endpoint,
                           struct error *err)
{
    static const char *const suffixes[] = {".crt", ".cert", NULL};
    CLEANUP(mem_freep) char *full = path_under(config->root, dir);
    CLEANUP(names_free) struct names names = {0};

    if (!full)
        return error_oom(err);
    if (!dir_list(full, suffixes, &names, err))
        return err->reason == REASON_NOT_FOUND;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *path = mem_printf("%s/%s", dir, names.items[i]);

        if (!path)
            return error_oom(err);
        if (span_ends(span_str(path), ".crt") ? !mirrors_add_ca(config, path, endpoint, err)
                                              : !add_client_pair(config, dir, names.items[i], endpoint, err))
            return false;
    }
    return true;
}

/* time.ParseDuration of Go, without a sign: numbers with fractions, each with its unit. */
static bool read_unit(struct span *text, double *ret_ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ns", 1e-6}, {"us", 1e-3}, {"\xC2\xB5s", 1e-3}, {"\xCE\xBCs", 1e-3},
                 {"ms", 1},    {"s", 1e3},   {"m", 6e4},          {"h", 3.6e6}};

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (span_starts(*text, units[i].name)) {
            *text = span_cut(*text, strlen(units[i].name), SIZE_MAX);
            *ret_ms = units[i].ms;
            return true;
        }
    return false;
}

static bool is_digit(struct span text)
{
    return text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9';
}

bool mirrors_duration_ms(struct span text, uint32_t *ret)
{
    double total = 0;

    if (span_eq_str(text, "0")) {
        *ret = 0;
        return true;
    }
    if (text.len == 0)
        return false;
    while (text.len > 0) {
        double number = 0, scale = 1, unit;
        bool digits = is_digit(text);

        for (; is_digit(text); text = span_cut(text, 1, SIZE_MAX))
            number = number * 10 + (text.ptr[0] - '0');
        if (span_starts(text, ".")) {
            text = span_cut(text, 1, SIZE_MAX);
            digits = digits || is_digit(text);
            for (; is_digit(text); text = span_cut(text, 1, SIZE_MAX))
                number += (text.ptr[0] - '0') * (scale /= 10);
        }
        if (!digits || !read_unit(&text, &unit))
            return false;
        total += number * unit;
        if (total > 3600e3) /* no connection is waited for that long */
            total = 3600e3;
    }
    *ret = (uint32_t)(total + 0.999999);
    return true;
}

bool mirrors_find(const struct mirrors_config *config, const struct mirrors_query *query,
                  struct fetch_registry *registry, struct error *err)
{
    CLEANUP(fetch_endpoint_done) struct fetch_endpoint endpoint = {0};
    CLEANUP(mem_freep) char *dir = NULL;
    bool found = false;

    if (!mirrors_host_dir(config, mirrors_runtime_host(query->host), &dir, err))
        return false;
    if (dir)
        return mirrors_hosts_add(config, dir, query, registry, err);
    if (!mirrors_registries_add(config, query, registry, &found, err))
        return false;
    if (found)
        return true;
    return fetch_endpoint_default(query->host, query->insecure, NULL, &endpoint, err) &&
           fetch_registry_add(registry, &endpoint, err);
}
