/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/url.h"

#include <curl/curl.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/fetch/guard.h"

enum { URL_MAX_BYTES = 16 * 1024, SHOWN_BYTES = 160, PROXY_PORT = 1080 /* CURLOPT_PROXY's default */ };

static char *url_part(CURLU *handle, CURLUPart part, unsigned int flags)
{
    char *text = NULL, *copy;

    if (curl_url_get(handle, part, &text, flags) != CURLUE_OK)
        return NULL;
    copy = mem_strdup(text);
    curl_free(text);
    return copy;
}

/* "[::1]" becomes "::1"; letters become small. */
static void tidy_host(char *host)
{
    size_t len = strlen(host);

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    for (char *c = host; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
}

static void url_cleanup(CURLU **handle)
{
    curl_url_cleanup(*handle);
}

bool url_split(const char *url, struct url_parts *ret, struct error *err)
{
    CURLU *handle CLEANUP(url_cleanup) = curl_url();
    char *scheme CLEANUP(mem_freep) = NULL;
    char *user CLEANUP(mem_freep) = NULL;
    struct url_parts parts CLEANUP(url_parts_done) = {0};
    char shown[SHOWN_BYTES];

    text_clean(span_str(url), shown, sizeof(shown));
    if (!handle)
        return error_oom(err);
    if (curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return error_set(err, REASON_MALFORMED, "not an address: %s", shown);
    scheme = url_part(handle, CURLUPART_SCHEME, 0);
    user = url_part(handle, CURLUPART_USER, 0);
    parts.host = url_part(handle, CURLUPART_HOST, 0);
    parts.port = url_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (!scheme || (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
        return error_set(err, REASON_MALFORMED, "neither http nor https: %s", shown);
    if (!parts.host || parts.host[0] == '\0' || !parts.port || user)
        return error_set(err, REASON_MALFORMED, "without a host, or with a user name: %s", shown);
    parts.https = strcmp(scheme, "https") == 0;
    tidy_host(parts.host);
    *ret = parts;
    parts = (struct url_parts){0};
    return true;
}

void url_parts_done(struct url_parts *parts)
{
    mem_free(parts->host);
    mem_free(parts->port);
    *parts = (struct url_parts){0};
}

bool url_same_origin(const struct url_parts *a, const struct url_parts *b)
{
    return a->https == b->https && strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

long url_proxy_port(const char *proxy)
{
    CURLU *handle CLEANUP(url_cleanup) = curl_url();
    char *port CLEANUP(mem_freep) = NULL;
    uint64_t number = PROXY_PORT;

    if (!handle ||
        curl_url_set(handle, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) != CURLUE_OK)
        return PROXY_PORT;
    port = url_part(handle, CURLUPART_PORT, 0);
    if (!port)
        return strncmp(proxy, "https://", 8) == 0 ? 443 : PROXY_PORT;
    return span_to_u64(span_str(port), UINT16_MAX, &number) ? (long)number : PROXY_PORT;
}

static bool only_of(const char *text, const char *also)
{
    for (const char *c = text; *c; c++)
        if (!((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || strchr(also, *c)))
            return false;
    return text[0] != '\0';
}

/* No component that a URL parser would take for a step in the path. */
static bool is_repository(const char *name)
{
    return only_of(name, "/._-") && name[0] != '/' && !strstr(name, "//") && !strstr(name, "/.") && name[0] != '.' &&
           name[strlen(name) - 1] != '/';
}

static bool is_page(const char *target)
{
    if (target[0] != '/' || target[1] == '/')
        return false;
    for (const char *c = target; *c; c++)
        if (*c <= ' ' || *c > '~' || strchr("#\\\"<>", *c))
            return false;
    return true;
}

static const char *kind_path(enum want_kind kind)
{
    switch (kind) {
    case WANT_MANIFEST:
        return "manifests";
    case WANT_REFERRERS:
        return "referrers";
    case WANT_BLOB:
        return "blobs";
    case WANT_PAGE:
    default:
        return NULL;
    }
}

/* scheme://host[:port][/path] of the endpoint, in the scheme wanted; for pages without the path. */
static void put_base(struct buf *out, const char *base, const char *scheme, bool without_path)
{
    struct span text = span_str(base);
    size_t start = span_find(text, "://"), slash;
    struct span rest = start == SIZE_MAX ? text : span_cut(text, start + 3, SIZE_MAX);

    if (start != SIZE_MAX && !scheme)
        buf_span(out, span_cut(text, 0, start));
    else
        buf_str(out, scheme ? scheme : "https");
    buf_str(out, "://");
    slash = span_find_byte(rest, '/');
    buf_span(out, without_path ? span_cut(rest, 0, slash) : rest);
}

static void put_ns(struct buf *out, const char *ns)
{
    bool query = span_find_byte(buf_as_span(out), '?') != SIZE_MAX;

    if (!ns || span_find(buf_as_span(out), "ns=") != SIZE_MAX)
        return;
    buf_str(out, query ? "&ns=" : "?ns=");
    for (const char *c = ns; *c; c++) {
        if ((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || strchr("-._~", *c))
            buf_byte(out, (uint8_t)*c);
        else
            buf_printf(out, "%%%02X", (unsigned int)(uint8_t)*c);
    }
}

char *url_of_want(const struct fetch_endpoint *endpoint, const char *scheme, const struct want *want, struct error *err)
{
    struct buf out CLEANUP(buf_free) = BUF_INIT(URL_MAX_BYTES);
    const char *repository = endpoint->repository ? endpoint->repository : want->repository;
    const char *path = kind_path(want->kind);
    char *url;

    put_base(&out, endpoint->url, scheme, want->kind == WANT_PAGE);
    if (want->kind == WANT_PAGE && is_page(want->target))
        buf_str(&out, want->target);
    else if (path && is_repository(repository) && only_of(want->target, "._-:+"))
        buf_printf(&out, "/%s/%s/%s", repository, path, want->target);
    else {
        error_set(err, REASON_BAD_REQUEST, "a name that cannot stand in an address");
        return NULL;
    }
    put_ns(&out, endpoint->ns);
    url = buf_ok(&out) ? buf_take(&out) : NULL;
    if (!url)
        error_set(err, REASON_LIMIT, "an address of more than %d bytes", URL_MAX_BYTES);
    return url;
}

bool url_check_literal(const char *url, struct error *err)
{
    struct url_parts parts CLEANUP(url_parts_done) = {0};

    if (!url_split(url, &parts, err))
        return false;
    if (address_kind_of_text(parts.host) == ADDRESS_FORBIDDEN)
        return error_set(err, REASON_FETCH_FAILED,
                         "its name is a link-local or metadata address, which is never connected to");
    return true;
}

bool url_check_step(const char *from, const char *to, bool loopback_allowed, const char *what, bool *ret_same_origin,
                    struct error *err)
{
    struct url_parts a CLEANUP(url_parts_done) = {0}, b CLEANUP(url_parts_done) = {0};
    enum address_kind kind;
    char shown[SHOWN_BYTES];

    text_clean(span_str(to), shown, sizeof(shown));
    if (!url_split(from, &a, err))
        return false;
    if (strlen(to) > URL_MAX_BYTES || !url_split(to, &b, err))
        return error_set(err, REASON_FETCH_FAILED, "%s is no usable http or https address (%s)", what, shown);
    if (a.https && !b.https)
        return error_set(err, REASON_FETCH_FAILED, "%s leads from https to plain http (%s)", what, shown);
    kind = address_kind_of_text(b.host);
    if (kind == ADDRESS_FORBIDDEN)
        return error_set(err, REASON_FETCH_FAILED, "%s leads to a link-local or metadata address (%s)", what, shown);
    if (!loopback_allowed && (kind == ADDRESS_LOOPBACK || fetch_host_is_loopback(b.host)))
        return error_set(err, REASON_FETCH_FAILED, "%s leads to this machine itself (%s)", what, shown);
    *ret_same_origin = url_same_origin(&a, &b);
    return true;
}
