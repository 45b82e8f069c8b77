/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/ref.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"

enum {
    REPOSITORY_MAX_BYTES = 255, /* distribution/reference: the whole path */
    TAG_MAX_BYTES = 128,
    HOST_MAX_BYTES = 253, /* RFC 1035 */
    LABEL_MAX_BYTES = 63,
};

static const char docker_hub[] = "index.docker.io";

static bool is_lower(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool bad(struct error *err, struct span written, const char *what)
{
    char clean[200];

    return error_set(err, REASON_BAD_REQUEST, "image reference \"%s\": %s", text_clean(written, clean, sizeof(clean)),
                     what);
}

/* path-component := [a-z0-9]+ ((_ | . | __ | -*) [a-z0-9]+)*   (distribution/reference, regexp.go) */
static bool component_ok(struct span text)
{
    size_t i = 0;

    for (;;) {
        size_t run = i;

        while (i < text.len && is_lower(text.ptr[i]))
            i++;
        if (i == run)
            return false;
        if (i == text.len)
            return true;
        run = i;
        while (i < text.len && text.ptr[i] == text.ptr[run])
            i++;
        if (text.ptr[run] == '.' ? i - run != 1 : text.ptr[run] == '_' ? i - run > 2 : text.ptr[run] != '-')
            return false;
    }
}

static bool repository_ok(struct span path)
{
    if (path.len > REPOSITORY_MAX_BYTES)
        return false;
    for (;;) {
        size_t slash = span_find_byte(path, '/');

        if (slash == SIZE_MAX)
            return component_ok(path);
        if (!component_ok(span_cut(path, 0, slash)))
            return false;
        path = span_cut(path, slash + 1, SIZE_MAX);
    }
}

static bool tag_ok(struct span tag)
{
    if (tag.len == 0 || tag.len > TAG_MAX_BYTES || tag.ptr[0] == '.' || tag.ptr[0] == '-')
        return false;
    for (size_t i = 0; i < tag.len; i++) {
        uint8_t c = tag.ptr[i];

        if (!is_lower(c) && !is_upper(c) && c != '_' && c != '.' && c != '-')
            return false;
    }
    return true;
}

static bool label_ok(struct span label)
{
    if (label.len == 0 || label.len > LABEL_MAX_BYTES || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!is_lower(label.ptr[i]) && label.ptr[i] != '-')
            return false;
    return true;
}

/* Decimal digits, or hexadecimal ones behind "0x": what inet_aton(3) reads as a part of an address. */
static bool is_number(struct span text)
{
    bool hex = span_starts(text, "0x");

    for (size_t i = hex ? 2 : 0; i < text.len; i++)
        if (!is_digit(text.ptr[i]) && !(hex && text.ptr[i] >= 'a' && text.ptr[i] <= 'f'))
            return false;
    return true;
}

/*
 * A host name of lower-case labels. Where the last is a number, it is an IPv4 address to every resolver, in odd
 * spellings too (127.1, 127.0x1, 2130706433): then only the dotted quad passes, so that one address has one name.
 */
static bool host_name_ok(const char *host)
{
    struct span rest = span_str(host);
    struct in_addr address;

    if (rest.len > HOST_MAX_BYTES)
        return false;
    for (;;) {
        size_t dot = span_find_byte(rest, '.');
        struct span label = dot == SIZE_MAX ? rest : span_cut(rest, 0, dot);

        if (!label_ok(label))
            return false;
        if (dot == SIZE_MAX)
            return !is_number(label) || inet_pton(AF_INET, host, &address) == 1;
        rest = span_cut(rest, dot + 1, SIZE_MAX);
    }
}

/* "[address]" rewritten to the one canonical spelling of RFC 5952. */
static char *ipv6_canonical(struct span inside)
{
    struct in6_addr address;
    char text[INET6_ADDRSTRLEN];
    char *copy CLEANUP(mem_freep) = span_dup(inside);

    if (!copy || inet_pton(AF_INET6, copy, &address) != 1 || !inet_ntop(AF_INET6, &address, text, sizeof(text)))
        return NULL;
    return mem_printf("[%s]", text);
}

static char *lower_dup(struct span text)
{
    char *copy = span_dup(text);

    for (char *c = copy; c && *c; c++)
        if (is_upper((uint8_t)*c))
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

/* "1".."65535" without leading zeros; an empty port (a colon alone) is none. */
static bool port_ok(struct span port)
{
    uint64_t value;

    return span_to_u64(port, 65535, &value) && value != 0;
}

/*
 * Is the part before the first slash a host? Docker's rule: a dot, a colon or "localhost" makes it one. By capital
 * letters alone ("REGISTRY/app") it is neither: in lower case the same name would be one on Docker Hub.
 */
static bool looks_like_host(struct span first)
{
    return span_eq_str(first, "localhost") || span_find_byte(first, '.') != SIZE_MAX ||
           span_find_byte(first, ':') != SIZE_MAX;
}

/*
 * The canonical host of "host[:port]"; NULL when it is not one. Port 443 is the default of HTTPS and is dropped, and
 * Docker Hub's three names become one: else a policy for one spelling would not see the other (containerd.md 5.2 row
 * 11).
 */
static char *host_canonical(struct span text)
{
    char *name CLEANUP(mem_freep) = NULL;
    struct span port = span_of(NULL, 0);
    size_t colon;

    if (text.len > 0 && text.ptr[0] == '[') {
        size_t close = span_find_byte(text, ']');

        if (close == SIZE_MAX)
            return NULL;
        name = ipv6_canonical(span_cut(text, 1, close - 1));
        colon = close + 1;
        if (colon < text.len && text.ptr[colon] != ':')
            return NULL;
    } else {
        colon = span_find_byte(text, ':');
        if (colon == SIZE_MAX)
            colon = text.len;
        name = lower_dup(span_cut(text, 0, colon));
        if (name && !host_name_ok(name))
            return NULL;
    }
    if (!name)
        return NULL;
    if (colon < text.len) {
        port = span_cut(text, colon + 1, SIZE_MAX);
        if (!port_ok(port))
            return NULL;
    }
    /* Without its port, "registry:443" would read as a path on Docker Hub. */
    if (port.len > 0 && (!span_eq_str(port, "443") || !looks_like_host(span_str(name))))
        return mem_printf("%s:%.*s", name, (int)port.len, (const char *)port.ptr);
    if (strcmp(name, "docker.io") == 0 || strcmp(name, "registry-1.docker.io") == 0)
        return mem_strdup(docker_hub);
    return TAKE_PTR(name);
}

static bool is_hex_id(struct span text)
{
    if (text.len != 64)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_digit(text.ptr[i]) && !(text.ptr[i] >= 'a' && text.ptr[i] <= 'f'))
            return false;
    return true;
}

static bool parse_name(struct span written, struct span name, struct ref *ref, struct error *err)
{
    size_t slash = span_find_byte(name, '/');
    bool has_host = slash != SIZE_MAX && looks_like_host(span_cut(name, 0, slash));
    struct span path = has_host ? span_cut(name, slash + 1, SIZE_MAX) : name;
    bool official;

    /* distribution/reference refuses it: runtimes read such a name as an image ID. */
    if (slash == SIZE_MAX && is_hex_id(name))
        return bad(err, written, "64 hexadecimal digits are an image ID, not a name");
    if (span_starts(name, "https://") || span_starts(name, "http://") || span_starts(name, "docker://"))
        return bad(err, written, "a reference has no scheme: leave out what stands in front of the host");
    ref->host = has_host ? host_canonical(span_cut(name, 0, slash)) : mem_strdup(docker_hub);
    if (!ref->host)
        return bad(err, written, "the part before the first slash is not a valid host[:port]");
    official = strcmp(ref->host, docker_hub) == 0 && span_find_byte(path, '/') == SIZE_MAX;
    if (!repository_ok(path) || path.len + (official ? strlen("library/") : 0) > REPOSITORY_MAX_BYTES)
        return bad(err, written,
                   "the repository must be lower-case letters, digits and single separators, at most 255 bytes");
    ref->repository = mem_printf("%s%.*s", official ? "library/" : "", (int)path.len, (const char *)path.ptr);
    if (!ref->repository)
        return error_oom(err);
    ref->name = mem_printf("%s/%s", ref->host, ref->repository);
    return ref->name ? true : error_oom(err);
}

/* The colon that starts a tag: after the last slash (a colon before one belongs to the port). */
static size_t find_tag_colon(struct span name)
{
    for (size_t i = name.len; i > 0; i--) {
        if (name.ptr[i - 1] == ':')
            return i - 1;
        if (name.ptr[i - 1] == '/')
            break;
    }
    return SIZE_MAX;
}

static bool parse_tag(struct span written, struct span *name, struct ref *ref, struct error *err)
{
    size_t colon = find_tag_colon(*name);
    struct span tag;

    if (colon == SIZE_MAX)
        return true;
    tag = span_cut(*name, colon + 1, SIZE_MAX);
    if (!tag_ok(tag))
        return bad(err, written, "the tag must be 1 to 128 letters, digits, _ . - and not begin with . or -");
    ref->tag = span_dup(tag);
    *name = span_cut(*name, 0, colon);
    return ref->tag ? true : error_oom(err);
}

static bool check_text(struct span text, struct ref *ref, struct error *err)
{
    if (text.len == 0)
        return error_set(err, REASON_BAD_REQUEST, "the image reference is empty");
    if (text.len > LIMIT_REFERENCE_BYTES)
        return error_set(err, REASON_BAD_REQUEST, "the image reference is longer than %d bytes", LIMIT_REFERENCE_BYTES);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return bad(err, text, "only printable ASCII without spaces is allowed");
    ref->written = span_dup(text);
    return ref->written ? true : error_oom(err);
}

bool ref_parse(struct span text, struct ref *ret, struct error *err)
{
    struct ref ref CLEANUP(ref_done) = {0};
    struct span name = text;
    size_t at;

    if (!check_text(text, &ref, err))
        return false;
    at = span_find_byte(text, '@');
    if (at != SIZE_MAX) {
        name = span_cut(text, 0, at);
        if (!digest_parse(span_cut(text, at + 1, SIZE_MAX), &ref.digest))
            return bad(err, text,
                       "the digest must be sha256:, sha384: or sha512: and that many lower-case hexadecimal digits");
    }
    if (!parse_tag(text, &name, &ref, err) || !parse_name(text, name, &ref, err))
        return false;
    if (!ref.tag && ref.digest.alg == DIGEST_NONE) {
        ref.tag = mem_strdup("latest");
        ref.tag_defaulted = true;
        if (!ref.tag)
            return error_oom(err);
    }
    *ret = ref;
    ref = (struct ref){0};
    return true;
}

bool ref_parse_repository(struct span text, struct ref *ret, struct error *err)
{
    struct ref ref CLEANUP(ref_done) = {0};

    if (!check_text(text, &ref, err))
        return false;
    if (span_find_byte(text, '@') != SIZE_MAX || find_tag_colon(text) != SIZE_MAX)
        return bad(err, text, "a repository is wanted, without tag or digest");
    if (!parse_name(text, text, &ref, err))
        return false;
    *ret = ref;
    ref = (struct ref){0};
    return true;
}

void ref_done(struct ref *ref)
{
    mem_free(ref->written);
    mem_free(ref->host);
    mem_free(ref->repository);
    mem_free(ref->name);
    mem_free(ref->tag);
    *ref = (struct ref){0};
}

const char *ref_api_host(const char *host)
{
    return strcmp(host, docker_hub) == 0 ? "registry-1.docker.io" : host;
}
