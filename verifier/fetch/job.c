/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine asks of the fetcher. No libcurl here: the engine links this file. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "verifier/fetch/fetch.h"

enum tag {
    TAG_ID = 1,
    TAG_DEADLINE,
    TAG_CA_DIR,
    TAG_CA_FILE,
    TAG_USER_AGENT,
    TAG_PROXY_HTTP,
    TAG_PROXY_HTTPS,
    TAG_NO_PROXY,
    TAG_REGISTRY,
    TAG_WANT,
    TAG_HOST,
    TAG_REPOSITORY,
    TAG_ENDPOINT,
    TAG_URL,
    TAG_FLAGS,
    TAG_NS,
    TAG_CONNECT_MS,
    TAG_CA_PEM,
    TAG_CLIENT_CERT,
    TAG_CLIENT_KEY,
    TAG_HEADER,
    TAG_USERNAME,
    TAG_PASSWORD,
    TAG_IDENTITY_TOKEN,
    TAG_REGISTRY_TOKEN,
};

/* The texts of a struct, so that reading, writing and freeing are one loop each. */
struct text_field {
    uint16_t tag;
    size_t offset;
    bool secret;
};

static const struct text_field job_texts[] = {
    {TAG_CA_DIR, offsetof(struct fetch_job, ca_dir), false},
    {TAG_CA_FILE, offsetof(struct fetch_job, ca_file), false},
    {TAG_USER_AGENT, offsetof(struct fetch_job, user_agent), false},
    {TAG_PROXY_HTTP, offsetof(struct fetch_job, proxies.http), true},
    {TAG_PROXY_HTTPS, offsetof(struct fetch_job, proxies.https), true},
    {TAG_NO_PROXY, offsetof(struct fetch_job, proxies.no_proxy), false},
};

static const struct text_field registry_texts[] = {
    {TAG_HOST, offsetof(struct fetch_registry, host), false},
    {TAG_REPOSITORY, offsetof(struct fetch_registry, repository), false},
};

static const struct text_field endpoint_texts[] = {
    {TAG_URL, offsetof(struct fetch_endpoint, url), false},
    {TAG_REPOSITORY, offsetof(struct fetch_endpoint, repository), false},
    {TAG_NS, offsetof(struct fetch_endpoint, ns), false},
    {TAG_CA_PEM, offsetof(struct fetch_endpoint, ca_pem), false},
    {TAG_CLIENT_CERT, offsetof(struct fetch_endpoint, client_cert_pem), false},
    {TAG_CLIENT_KEY, offsetof(struct fetch_endpoint, client_key_pem), true},
};

/* An endpoint's, among its own. */
static const struct text_field credentials_texts[] = {
    {TAG_USERNAME, offsetof(struct fetch_credentials, username), true},
    {TAG_PASSWORD, offsetof(struct fetch_credentials, password), true},
    {TAG_IDENTITY_TOKEN, offsetof(struct fetch_credentials, identity_token), true},
    {TAG_REGISTRY_TOKEN, offsetof(struct fetch_credentials, registry_token), true},
};

static char **text_at(void *object, const struct text_field *field)
{
    return (char **)(void *)((uint8_t *)object + field->offset);
}

static void secret_free(char *text)
{
    mem_wipe_free(text, text ? strlen(text) : 0);
}

static void texts_done(void *object, const struct text_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char **text = text_at(object, &fields[i]);

        if (fields[i].secret)
            secret_free(*text);
        else
            mem_free(*text);
        *text = NULL;
    }
}

static void texts_write(struct buf *buf, const void *object, const struct text_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *place = (const uint8_t *)object + fields[i].offset;
        char *text;

        memcpy(&text, place, sizeof(text));
        wire_put_str(buf, fields[i].tag, text);
    }
}

/* Is it one of these texts? Then it is taken over; *ret_ok is false when it is there already or no text. */
static bool texts_read(void *object, const struct text_field *fields, size_t count, uint16_t tag, struct span value,
                       bool *ret_ok)
{
    for (size_t i = 0; i < count; i++) {
        char **text = text_at(object, &fields[i]);

        if (fields[i].tag != tag)
            continue;
        if (*text) {
            *ret_ok = false;
            return true;
        }
        *text = wire_str(value);
        *ret_ok = *text != NULL;
        return true;
    }
    return false;
}

void fetch_credentials_done(struct fetch_credentials *credentials)
{
    texts_done(credentials, credentials_texts, ARRAY_LEN(credentials_texts));
}

bool fetch_credentials_copy(const struct fetch_credentials *from, struct fetch_credentials *ret, struct error *err)
{
    struct fetch_credentials copy CLEANUP(fetch_credentials_done) = {
        .username = mem_strdup(from->username),
        .password = mem_strdup(from->password),
        .identity_token = mem_strdup(from->identity_token),
        .registry_token = mem_strdup(from->registry_token),
    };

    if ((from->username && !copy.username) || (from->password && !copy.password) ||
        (from->identity_token && !copy.identity_token) || (from->registry_token && !copy.registry_token))
        return error_oom(err);
    *ret = copy;
    copy = (struct fetch_credentials){0};
    return true;
}

void fetch_endpoint_done(struct fetch_endpoint *endpoint)
{
    texts_done(endpoint, endpoint_texts, ARRAY_LEN(endpoint_texts));
    fetch_credentials_done(&endpoint->credentials);
    for (size_t i = 0; i < endpoint->header_count; i++)
        secret_free(endpoint->headers[i]);
    mem_free(endpoint->headers);
    *endpoint = (struct fetch_endpoint){0};
}

static void registry_done(struct fetch_registry *registry)
{
    for (size_t i = 0; i < registry->count; i++)
        fetch_endpoint_done(&registry->endpoints[i]);
    mem_free(registry->endpoints);
    texts_done(registry, registry_texts, ARRAY_LEN(registry_texts));
    *registry = (struct fetch_registry){0};
}

void fetch_job_done(struct fetch_job *job)
{
    for (size_t i = 0; i < job->registry_count; i++)
        registry_done(&job->registries[i]);
    mem_free(job->registries);
    texts_done(job, job_texts, ARRAY_LEN(job_texts));
    wants_done(&job->wants);
    *job = (struct fetch_job){0};
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct fetch_registry *registry_new(struct fetch_job *job)
{
    if (!mem_grow(&job->registries, &job->registry_capacity, job->registry_count, sizeof(*job->registries),
                  LIMIT_FETCH_REGISTRIES))
        return NULL;
    return &job->registries[job->registry_count++];
}

struct fetch_registry *fetch_job_registry(struct fetch_job *job, const char *host, const char *repository)
{
    struct fetch_registry *registry;

    for (size_t i = 0; i < job->registry_count; i++) {
        registry = &job->registries[i];
        if (same_text(registry->host, host) && same_text(registry->repository, repository))
            return registry;
    }
    registry = registry_new(job);
    if (!registry)
        return NULL;
    registry->host = mem_strdup(host);
    registry->repository = mem_strdup(repository);
    if (!registry->host || (repository && !registry->repository)) {
        registry_done(registry);
        job->registry_count--;
        return NULL;
    }
    return registry;
}

bool fetch_registry_add(struct fetch_registry *registry, struct fetch_endpoint *endpoint, struct error *err)
{
    if (registry->count >= LIMIT_FETCH_ENDPOINTS)
        return error_set(err, REASON_LIMIT, "%s: more than %d mirrors", registry->host, LIMIT_FETCH_ENDPOINTS);
    if (!mem_grow(&registry->endpoints, &registry->capacity, registry->count, sizeof(*registry->endpoints),
                  LIMIT_FETCH_ENDPOINTS))
        return error_oom(err);
    registry->endpoints[registry->count++] = *endpoint;
    *endpoint = (struct fetch_endpoint){0};
    return true;
}

bool fetch_registry_has_secrets(const struct fetch_registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        const struct fetch_endpoint *endpoint = &registry->endpoints[i];
        const struct fetch_credentials *own = &endpoint->credentials;

        if (own->username || own->password || own->identity_token || own->registry_token || endpoint->client_key_pem ||
            endpoint->header_count > 0)
            return true;
    }
    return false;
}

static void endpoint_write(struct buf *buf, const struct fetch_endpoint *endpoint)
{
    texts_write(buf, endpoint, endpoint_texts, ARRAY_LEN(endpoint_texts));
    texts_write(buf, &endpoint->credentials, credentials_texts, ARRAY_LEN(credentials_texts));
    wire_put_u32(buf, TAG_FLAGS, endpoint->flags);
    wire_put_u32(buf, TAG_CONNECT_MS, endpoint->connect_ms);
    for (size_t i = 0; i < endpoint->header_count; i++)
        wire_put_str(buf, TAG_HEADER, endpoint->headers[i]);
}

static void registry_write(struct buf *buf, const struct fetch_registry *registry)
{
    texts_write(buf, registry, registry_texts, ARRAY_LEN(registry_texts));
    for (size_t i = 0; i < registry->count; i++) {
        size_t nested = wire_open(buf, TAG_ENDPOINT);

        endpoint_write(buf, &registry->endpoints[i]);
        wire_close(buf, nested);
    }
}

void fetch_job_write(struct buf *buf, const struct fetch_job *job)
{
    size_t start = wire_begin(buf, FETCH_MESSAGE_JOB), nested;

    wire_put_u32(buf, TAG_ID, job->id);
    wire_put_u64(buf, TAG_DEADLINE, (uint64_t)job->deadline);
    texts_write(buf, job, job_texts, ARRAY_LEN(job_texts));
    for (size_t i = 0; i < job->registry_count; i++) {
        nested = wire_open(buf, TAG_REGISTRY);
        registry_write(buf, &job->registries[i]);
        wire_close(buf, nested);
    }
    for (size_t i = 0; i < job->wants.count; i++) {
        nested = wire_open(buf, TAG_WANT);
        want_write(buf, &job->wants.items[i]);
        wire_close(buf, nested);
    }
    wire_end(buf, start);
}

static bool malformed(struct error *err, const char *what)
{
    return error_set(err, REASON_MALFORMED, "fetch job: %s", what);
}

static bool header_read(struct fetch_endpoint *endpoint, struct span value, struct error *err)
{
    size_t capacity = endpoint->header_count;

    if (span_find_byte(value, '\n') != SIZE_MAX || span_find_byte(value, '\r') != SIZE_MAX ||
        span_find_byte(value, ':') == SIZE_MAX)
        return malformed(err, "a header that is none");
    if (!mem_grow(&endpoint->headers, &capacity, endpoint->header_count, sizeof(*endpoint->headers),
                  LIMIT_FETCH_HEADERS))
        return malformed(err, "too many headers");
    endpoint->headers[endpoint->header_count] = wire_str(value);
    if (!endpoint->headers[endpoint->header_count])
        return malformed(err, "a header that is none");
    endpoint->header_count++;
    return true;
}

static bool endpoint_read(struct span record, struct fetch_endpoint *ret, struct error *err)
{
    struct fetch_endpoint endpoint CLEANUP(fetch_endpoint_done) = {0};
    struct reader reader = reader_of(record);
    struct span value;
    uint16_t tag;

    while (wire_next(&reader, &tag, &value)) {
        bool ok = true;

        if (tag == TAG_FLAGS)
            ok = wire_u32(value, &endpoint.flags);
        else if (tag == TAG_CONNECT_MS)
            ok = wire_u32(value, &endpoint.connect_ms);
        else if (tag == TAG_HEADER)
            ok = header_read(&endpoint, value, err);
        else if (!texts_read(&endpoint, endpoint_texts, ARRAY_LEN(endpoint_texts), tag, value, &ok) &&
                 !texts_read(&endpoint.credentials, credentials_texts, ARRAY_LEN(credentials_texts), tag, value, &ok))
            ok = false;
        if (!ok)
            return malformed(err, "an endpoint's fields");
    }
    if (reader.failed || !endpoint.url)
        return malformed(err, "an endpoint without an address");
    *ret = endpoint;
    endpoint = (struct fetch_endpoint){0};
    return true;
}

static bool registry_read(struct span record, struct fetch_job *job, struct error *err)
{
    struct fetch_registry *registry = registry_new(job);
    struct reader reader = reader_of(record);
    struct span value;
    uint16_t tag;

    if (!registry)
        return malformed(err, "too many registries");
    while (wire_next(&reader, &tag, &value)) {
        struct fetch_endpoint endpoint CLEANUP(fetch_endpoint_done) = {0};
        bool ok = false;

        if (tag == TAG_ENDPOINT)
            ok = endpoint_read(value, &endpoint, err) && fetch_registry_add(registry, &endpoint, err);
        else if (!texts_read(registry, registry_texts, ARRAY_LEN(registry_texts), tag, value, &ok))
            ok = false;
        if (!ok)
            return malformed(err, "a registry's fields");
    }
    if (reader.failed || !registry->host)
        return malformed(err, "a registry without a name");
    return true;
}

static bool job_want_read(struct span record, struct fetch_job *job, struct error *err)
{
    struct wants *wants = &job->wants;

    if (!mem_grow(&wants->items, &wants->capacity, wants->count, sizeof(*wants->items), LIMIT_EVIDENCE_ITEMS))
        return malformed(err, "too many wants");
    if (!want_read(record, &wants->items[wants->count], err))
        return false;
    wants->count++;
    return true;
}

static bool job_field_read(struct fetch_job *job, uint16_t tag, struct span value, struct error *err)
{
    uint64_t deadline;
    bool ok = true;

    switch (tag) {
    case TAG_ID:
        return wire_u32(value, &job->id) || malformed(err, "its number");
    case TAG_DEADLINE:
        if (!wire_u64(value, &deadline) || deadline > INT64_MAX)
            return malformed(err, "its deadline");
        job->deadline = (int64_t)deadline;
        return true;
    case TAG_REGISTRY:
        return registry_read(value, job, err);
    case TAG_WANT:
        return job_want_read(value, job, err);
    default:
        return (texts_read(job, job_texts, ARRAY_LEN(job_texts), tag, value, &ok) && ok) || malformed(err, "a field");
    }
}

bool fetch_job_read(struct span message, struct fetch_job *ret, struct error *err)
{
    struct fetch_job job CLEANUP(fetch_job_done) = {0};
    struct reader reader;
    struct span value;
    uint16_t tag;

    if (!wire_records(message, FETCH_MESSAGE_JOB, &reader, err))
        return error_wrap(err, "fetch job");
    while (wire_next(&reader, &tag, &value))
        if (!job_field_read(&job, tag, value, err))
            return false;
    *ret = job;
    job = (struct fetch_job){0};
    return true;
}
