/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/message.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"

/* Tags of records. Strings and numbers have separate ranges, so that a record's kind is seen from its tag. */
enum {
    TAG_STRINGS = 1,    /* ..31: the string tables below, in order */
    TAG_OPERATION = 32,
    TAG_FLAGS = 33,
    TAG_DEADLINE = 34,
    TAG_VERDICT = 40,
    TAG_REASON = 41,
    TAG_STATE = 42,
    TAG_DURATION = 43,
    TAG_REQUESTS = 44,
    TAG_EVIDENCE = 45,
};

enum { HEAD_MAX_BYTES = LIMIT_EVIDENCE_BYTES + 1024 * 1024 }; /* a report may be as long as the evidence */
enum { STATE_WARNED = 1 << 0, STATE_CACHED = 1 << 1 };

struct text_field {
    size_t offset;
    size_t max; /* bytes */
    bool secret;
};

#define TEXT(type, member, max) { offsetof(struct type, member), max, false }
#define SECRET(type, member, max) { offsetof(struct type, member), max, true }

/* The order is the wire's: append only. */
static const struct text_field request_texts[] = {
    TEXT(request, reference, LIMIT_REFERENCE_BYTES),
    TEXT(request, digest, 256),
    TEXT(request, media_type, 256),
    TEXT(request, runtime, 64),
    SECRET(request, username, 4096),
    SECRET(request, password, 65536), /* cloud registries use tokens of several KiB as passwords */
    SECRET(request, identity_token, 65536),
    TEXT(request, policy, LIMIT_POLICY_FILE_BYTES),
    TEXT(request, trust_root, LIMIT_TRUST_ROOT_BYTES),
    TEXT(request, bundle, 4096),
    TEXT(request, container_id, 1024),
    SECRET(request, https_proxy, 4096), /* may hold a password */
    SECRET(request, http_proxy, 4096),
    TEXT(request, no_proxy, 65536),
    TEXT(request, member, 256),
    TEXT(request, descriptor, 65536),
};

static const struct text_field response_texts[] = {
    TEXT(response, message, LIMIT_REASON_LINE_BYTES),
    TEXT(response, policy, 1024),
    TEXT(response, authority, 1024),
    TEXT(response, key_id, 4096),
    TEXT(response, digest, 256),
    TEXT(response, policy_sha256, 128),
    TEXT(response, report, LIMIT_EVIDENCE_BYTES),
};

static char **text_place(void *object, const struct text_field *field)
{
    return (char **)(void *)((char *)object + field->offset);
}

static void texts_free(void *object, const struct text_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char **place = text_place(object, &fields[i]);

        if (fields[i].secret && *place)
            mem_wipe_free(*place, strlen(*place));
        else
            mem_free(*place);
        *place = NULL;
    }
}

void request_done(struct request *request)
{
    texts_free(request, request_texts, ARRAY_LEN(request_texts));
    *request = (struct request){0};
}

void request_forget_secrets(struct request *request)
{
    for (size_t i = 0; i < ARRAY_LEN(request_texts); i++) {
        char **place = text_place(request, &request_texts[i]);

        if (!request_texts[i].secret || !*place)
            continue;
        mem_wipe_free(*place, strlen(*place));
        *place = NULL;
    }
}

void response_done(struct response *response)
{
    texts_free(response, response_texts, ARRAY_LEN(response_texts));
    mem_free(response->evidence_owned);
    *response = (struct response){0};
}

bool reason_allows(enum reason reason)
{
    return reason == REASON_OK || reason == REASON_WARN_MODE || reason == REASON_NO_MATCH_ALLOWED ||
           reason == REASON_STATIC_PASS || reason == REASON_BREAKGLASS;
}

void response_deny(struct response *ret, enum reason reason, const char *text)
{
    char line[LIMIT_REASON_LINE_BYTES + 1];
    struct response deny = {0};

    deny.reason = reason_allows(reason) ? REASON_INTERNAL : reason;
    deny.message =
        mem_strdup(text_clean(span_str(text), line, sizeof(line))); /* NULL: readers show the reason's name */
    response_done(ret);
    *ret = deny;
}

void response_say(struct response *response, char *text)
{
    char line[LIMIT_REASON_LINE_BYTES + 1];
    char *message = text ? mem_strdup(text_clean(span_str(text), line, sizeof(line))) : NULL;

    mem_free(text);
    if (!message)
        return;
    mem_free(response->message);
    response->message = message;
}

static void put_texts(struct buf *buf, const void *object, const struct text_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *const *place = (char *const *)(const void *)((const char *)object + fields[i].offset);

        wire_put_str(buf, (uint16_t)(TAG_STRINGS + i), *place);
    }
}

void request_write(struct buf *buf, const struct request *request)
{
    size_t start = wire_begin(buf, MESSAGE_REQUEST);

    put_texts(buf, request, request_texts, ARRAY_LEN(request_texts));
    wire_put_u32(buf, TAG_OPERATION, (uint32_t)request->operation);
    wire_put_u32(buf, TAG_FLAGS, request->flags);
    wire_put_u32(buf, TAG_DEADLINE, request->deadline_ms);
    wire_end(buf, start);
}

/* All but the evidence's bytes, which stand at the very end. */
static void response_write_head(struct buf *buf, const struct response *response)
{
    size_t start = wire_begin(buf, MESSAGE_RESPONSE);

    put_texts(buf, response, response_texts, ARRAY_LEN(response_texts));
    wire_put_u32(buf, TAG_VERDICT, verdict_is_allow(response->verdict) ? VERDICT_WIRE_ALLOW : VERDICT_WIRE_DENY);
    wire_put_u32(buf, TAG_REASON, (uint32_t)response->reason);
    wire_put_u32(buf, TAG_STATE, (response->warned ? STATE_WARNED : 0U) | (response->cached ? STATE_CACHED : 0U));
    wire_put_u32(buf, TAG_DURATION, response->duration_us);
    wire_put_u32(buf, TAG_REQUESTS, response->requests);
    if (response->evidence.len > 0)
        wire_close_more(buf, wire_open(buf, TAG_EVIDENCE), response->evidence.len);
    wire_end_more(buf, start, response->evidence.len);
}

void response_write(struct buf *buf, const struct response *response)
{
    response_write_head(buf, response);
    buf_span(buf, response->evidence);
}

bool response_send(int fd, const struct response *response, int64_t deadline, struct error *err)
{
    CLEANUP(buf_free) struct buf head = BUF_INIT(HEAD_MAX_BYTES);

    response_write_head(&head, response);
    if (!buf_ok(&head))
        return error_oom(err);
    return wire_send(fd, buf_as_span(&head), deadline, err) && wire_send(fd, response->evidence, deadline, err);
}

/* A record of the string range into its place; each at most once. */
static bool read_text(void *object, const struct text_field *fields, size_t count, uint16_t tag, struct span bytes,
                      struct error *err)
{
    size_t index = (size_t)tag - TAG_STRINGS;
    char **place;

    if (tag < TAG_STRINGS || index >= count)
        return error_set(err, REASON_MALFORMED, "message: unknown record %u", tag);
    place = text_place(object, &fields[index]);
    if (*place)
        return error_set(err, REASON_MALFORMED, "message: record %u comes twice", tag);
    if (bytes.len > fields[index].max)
        return error_set(err, REASON_LIMIT, "message: record %u has %zu bytes, at most %zu are permitted", tag,
                         bytes.len, fields[index].max);
    *place = wire_str(bytes);
    if (!*place)
        return error_set(err, REASON_MALFORMED, "message: record %u is no text", tag);
    return true;
}

/* A number record; `seen` has one bit per number tag. */
static bool read_number(uint16_t tag, struct span bytes, uint64_t *seen, uint32_t *ret, struct error *err)
{
    if (*seen & (1ULL << tag))
        return error_set(err, REASON_MALFORMED, "message: record %u comes twice", tag);
    *seen |= 1ULL << tag;
    if (!wire_u32(bytes, ret))
        return error_set(err, REASON_MALFORMED, "message: record %u is no number", tag);
    return true;
}

static bool check_seen(uint64_t seen, uint64_t wanted, const struct reader *records, struct error *err)
{
    if (records->failed)
        return error_set(err, REASON_MALFORMED, "message: a record is cut off");
    if ((seen & wanted) != wanted)
        return error_set(err, REASON_MALFORMED, "message: a mandatory record is missing");
    return true;
}

static bool request_records(struct reader *records, struct request *request, struct error *err)
{
    uint64_t seen = 0;
    uint32_t operation = 0;
    uint16_t tag;
    struct span bytes;

    while (wire_next(records, &tag, &bytes)) {
        bool ok;

        if (tag == TAG_OPERATION)
            ok = read_number(tag, bytes, &seen, &operation, err);
        else if (tag == TAG_FLAGS)
            ok = read_number(tag, bytes, &seen, &request->flags, err);
        else if (tag == TAG_DEADLINE)
            ok = read_number(tag, bytes, &seen, &request->deadline_ms, err);
        else
            ok = read_text(request, request_texts, ARRAY_LEN(request_texts), tag, bytes, err);
        if (!ok)
            return false;
    }
    if (operation != OPERATION_PULL && operation != OPERATION_CREATE)
        return error_set(err, REASON_MALFORMED, "message: unknown operation %u", operation);
    request->operation = (enum operation)operation;
    return check_seen(seen, 1ULL << TAG_OPERATION | 1ULL << TAG_FLAGS | 1ULL << TAG_DEADLINE, records, err);
}

bool request_read(struct span message, struct request *ret, struct error *err)
{
    CLEANUP(request_done) struct request request = {0};
    struct reader records;

    if (!wire_records(message, MESSAGE_REQUEST, &records, err) || !request_records(&records, &request, err))
        return false;
    if (!request.reference && !(request.operation == OPERATION_CREATE && (request.bundle || request.container_id)))
        return error_set(err, REASON_BAD_REQUEST, "request: no image reference");
    *ret = request;
    request = (struct request){0};
    return true;
}

struct response_numbers {
    uint32_t verdict, reason, state;
};

static bool response_record(struct response *response, struct response_numbers *numbers, uint64_t *seen, uint16_t tag,
                            struct span bytes, struct error *err)
{
    switch (tag) {
    case TAG_VERDICT:
        return read_number(tag, bytes, seen, &numbers->verdict, err);
    case TAG_REASON:
        return read_number(tag, bytes, seen, &numbers->reason, err);
    case TAG_STATE:
        return read_number(tag, bytes, seen, &numbers->state, err);
    case TAG_DURATION:
        return read_number(tag, bytes, seen, &response->duration_us, err);
    case TAG_REQUESTS:
        return read_number(tag, bytes, seen, &response->requests, err);
    case TAG_EVIDENCE:
        if (*seen & (1ULL << tag))
            return error_set(err, REASON_MALFORMED, "message: record %u comes twice", tag);
        *seen |= 1ULL << tag;
        response->evidence = bytes;
        return true;
    default:
        return read_text(response, response_texts, ARRAY_LEN(response_texts), tag, bytes, err);
    }
}

/* An allow must look like one in every respect; whatever else came is a defect or an attack, and a deny. */
static bool response_check(const struct response *response, const struct response_numbers *numbers, struct error *err)
{
    if (numbers->reason >= REASON_COUNT)
        return error_set(err, REASON_MALFORMED, "response: unknown reason %u", numbers->reason);
    if (numbers->verdict != VERDICT_WIRE_ALLOW && numbers->verdict != VERDICT_WIRE_DENY)
        return error_set(err, REASON_MALFORMED, "response: unknown verdict");
    if ((numbers->verdict == VERDICT_WIRE_ALLOW) != reason_allows((enum reason)numbers->reason))
        return error_set(err, REASON_MALFORMED, "response: the reason %s contradicts the verdict",
                         reason_name((enum reason)numbers->reason));
    if (numbers->verdict == VERDICT_WIRE_ALLOW && !response->digest)
        return error_set(err, REASON_MALFORMED, "response: an allow that names no digest");
    return true;
}

/* The evidence still borrows from the message. */
static bool read_response(struct span message, struct response *ret, struct error *err)
{
    CLEANUP(response_done) struct response response = {0};
    struct response_numbers numbers = {0};
    struct reader records;
    uint64_t seen = 0;
    uint16_t tag;
    struct span bytes;

    if (!wire_records(message, MESSAGE_RESPONSE, &records, err))
        return false;
    while (wire_next(&records, &tag, &bytes))
        if (!response_record(&response, &numbers, &seen, tag, bytes, err))
            return false;
    if (!check_seen(seen, 1ULL << TAG_VERDICT | 1ULL << TAG_REASON | 1ULL << TAG_STATE, &records, err) ||
        !response_check(&response, &numbers, err))
        return false;
    response.reason = (enum reason)numbers.reason;
    response.warned = (numbers.state & STATE_WARNED) != 0;
    response.cached = (numbers.state & STATE_CACHED) != 0;
    response.verdict = verdict_from_wire(numbers.verdict);
    *ret = response;
    response = (struct response){0};
    return true;
}

bool response_read(struct span message, struct response *ret, struct error *err)
{
    CLEANUP(response_done) struct response response = {0};

    if (!read_response(message, &response, err))
        return false;
    response.evidence_owned = mem_dup(response.evidence.ptr, response.evidence.len);
    if (!response.evidence_owned)
        return error_oom(err);
    response.evidence = span_of(response.evidence_owned, response.evidence.len);
    *ret = response;
    response = (struct response){0};
    return true;
}

bool response_take(struct buf *block, struct span message, struct response *ret, struct error *err)
{
    if (!read_response(message, ret, err))
        return false;
    if (ret->evidence.len > 0)
        ret->evidence_owned = buf_take(block);
    else
        ret->evidence = span_of(NULL, 0);
    return true;
}
