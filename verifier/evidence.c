/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/evidence.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"

enum {
    HOST_MAX_BYTES = 300,
    CONTENT_TYPE_MAX_BYTES = 256,
    LINK_MAX_BYTES = 8192, /* as much as common HTTP servers allow in one header */
    PAGE_MAX_BYTES = 4096, /* path and query of a page */
};

enum tag {
    TAG_ID = 1,
    TAG_KIND,
    TAG_HOST,
    TAG_REPOSITORY,
    TAG_TARGET,
    TAG_MAX_BYTES_WANTED,
    TAG_STATUS,
    TAG_HTTP_STATUS,
    TAG_CONTENT_TYPE,
    TAG_LINK,
    TAG_SOURCE,
    TAG_REASON,
    TAG_ERROR,
    TAG_BODY,
    TAG_COUNT
};

bool wants_add(struct wants *wants, enum want_kind kind, const char *host, const char *repository, const char *target,
               uint64_t max_bytes, struct error *err)
{
    struct want want CLEANUP(want_done) = {
        .kind = kind,
        .host = mem_strdup(host),
        .repository = mem_strdup(repository),
        .target = mem_strdup(target),
        .max_bytes = max_bytes,
    };

    if (wants->count >= LIMIT_EVIDENCE_ITEMS)
        return error_set(err, REASON_LIMIT, "more than %d objects would have to be fetched", LIMIT_EVIDENCE_ITEMS);
    if (!want.host || !want.repository || !want.target ||
        !mem_grow(&wants->items, &wants->capacity, wants->count, sizeof(*wants->items), LIMIT_EVIDENCE_ITEMS))
        return error_oom(err);
    want.id = (uint32_t)wants->count + 1;
    wants->items[wants->count++] = want;
    want = (struct want){0};
    return true;
}

void want_done(struct want *want)
{
    mem_free(want->host);
    mem_free(want->repository);
    mem_free(want->target);
    *want = (struct want){0};
}

void wants_done(struct wants *wants)
{
    for (size_t i = 0; i < wants->count; i++)
        want_done(&wants->items[i]);
    mem_free(wants->items);
    *wants = (struct wants){0};
}

void evidence_done(struct evidence *item)
{
    mem_free(item->content_type);
    mem_free(item->link);
    mem_free(item->source);
    mem_free(item->error);
    mem_free(item->owned);
    *item = (struct evidence){0};
}

void evidence_set_done(struct evidence_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        want_done(&set->wants[i]);
        evidence_done(&set->items[i]);
    }
    mem_free(set->wants);
    mem_free(set->items);
    *set = (struct evidence_set){0};
}

bool evidence_set_add(struct evidence_set *set, struct want *want, struct evidence *item, struct error *err)
{
    if (set->count >= LIMIT_EVIDENCE_ITEMS)
        return error_set(err, REASON_LIMIT, "more than %d objects fetched", LIMIT_EVIDENCE_ITEMS);
    if (want->id != item->id)
        return error_set(err, REASON_INTERNAL, "an answer to another request (%u, not %u)", item->id, want->id);
    if (!mem_grow(&set->wants, &set->wants_capacity, set->count, sizeof(*set->wants), LIMIT_EVIDENCE_ITEMS) ||
        !mem_grow(&set->items, &set->capacity, set->count, sizeof(*set->items), LIMIT_EVIDENCE_ITEMS))
        return error_oom(err);
    set->wants[set->count] = *want;
    set->items[set->count] = *item;
    set->count++;
    *want = (struct want){0};
    *item = (struct evidence){0};
    return true;
}

const struct evidence *evidence_find(const struct evidence_set *set, enum want_kind kind, const char *host,
                                     const char *repository, const char *target)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct want *want = &set->wants[i];

        if (want->kind == kind && strcmp(want->target, target) == 0 && strcmp(want->repository, repository) == 0 &&
            strcmp(want->host, host) == 0)
            return &set->items[i];
    }
    return NULL;
}

/* Records once each, known ones only; the callers then ask for what is mandatory. */
struct records {
    struct span value[TAG_COUNT];
    bool present[TAG_COUNT];
};

static bool records_read(struct span bytes, uint32_t allowed, struct records *ret, struct error *err)
{
    struct reader reader = reader_of(bytes);
    struct records records = {0};
    struct span value;
    uint16_t tag;

    while (wire_next(&reader, &tag, &value)) {
        if (tag == 0 || tag >= TAG_COUNT || !(allowed & (1u << tag)))
            return error_set(err, REASON_MALFORMED, "evidence record: unknown field %u", tag);
        if (records.present[tag])
            return error_set(err, REASON_MALFORMED, "evidence record: field %u twice", tag);
        records.present[tag] = true;
        records.value[tag] = value;
    }
    if (reader.failed)
        return error_set(err, REASON_MALFORMED, "evidence record: cut short");
    *ret = records;
    return true;
}

static bool take_u32(const struct records *records, enum tag tag, uint32_t max, uint32_t *ret, struct error *err)
{
    if (!records->present[tag] || !wire_u32(records->value[tag], ret) || *ret > max)
        return error_set(err, REASON_MALFORMED, "evidence record: field %u is missing or out of range",
                         (unsigned int)tag);
    return true;
}

/* Text without control characters (names go into requests and messages); absent = NULL. */
static bool take_text(const struct records *records, enum tag tag, size_t max, bool mandatory, bool spaces, char **ret,
                      struct error *err)
{
    struct span text = records->value[tag];

    if (!records->present[tag] && !mandatory)
        return true;
    if (!records->present[tag] || text.len > max || (mandatory && text.len == 0))
        return error_set(err, REASON_MALFORMED, "evidence record: field %u is missing or too long", (unsigned int)tag);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] == 0x7f || (!spaces && (text.ptr[i] == ' ' || text.ptr[i] > 0x7f)))
            return error_set(err, REASON_MALFORMED, "evidence record: field %u holds a forbidden character",
                             (unsigned int)tag);
    *ret = wire_str(text);
    return *ret ? true : error_oom(err);
}

void want_write(struct buf *buf, const struct want *want)
{
    wire_put_u32(buf, TAG_ID, want->id);
    wire_put_u32(buf, TAG_KIND, (uint32_t)want->kind);
    wire_put_str(buf, TAG_HOST, want->host);
    wire_put_str(buf, TAG_REPOSITORY, want->repository);
    wire_put_str(buf, TAG_TARGET, want->target);
    wire_put_u64(buf, TAG_MAX_BYTES_WANTED, want->max_bytes);
}

static bool target_ok(const struct want *want)
{
    if (want->kind == WANT_PAGE)
        return want->target[0] == '/' && want->target[1] != '/'; /* a path on the same host; "//x" would name another */
    /* Tags and digests: no path of our own making can leave the repository. */
    for (const char *c = want->target; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:", *c))
            return false;
    return want->target[0] != '.';
}

/* host[:port], an address in brackets, or the name of a store. */
static bool host_ok(const char *host)
{
    for (const char *c = host; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:[]", *c))
            return false;
    return true;
}

bool want_read(struct span record, struct want *ret, struct error *err)
{
    static const uint32_t allowed = 1u << TAG_ID | 1u << TAG_KIND | 1u << TAG_HOST | 1u << TAG_REPOSITORY |
                                    1u << TAG_TARGET | 1u << TAG_MAX_BYTES_WANTED;
    struct want want CLEANUP(want_done) = {0};
    struct records records;
    uint32_t kind = 0;

    if (!records_read(record, allowed, &records, err) ||
        !take_u32(&records, TAG_ID, LIMIT_EVIDENCE_ITEMS, &want.id, err) ||
        !take_u32(&records, TAG_KIND, WANT_BLOB, &kind, err) ||
        !take_text(&records, TAG_HOST, HOST_MAX_BYTES, true, false, &want.host, err) ||
        !take_text(&records, TAG_REPOSITORY, LIMIT_REFERENCE_BYTES, true, false, &want.repository, err) ||
        !take_text(&records, TAG_TARGET, PAGE_MAX_BYTES, true, false, &want.target, err))
        return false;
    if (want.id == 0 || kind == 0)
        return error_set(err, REASON_MALFORMED, "evidence record: a request without number or kind");
    want.kind = (enum want_kind)kind;
    if (!host_ok(want.host) || !target_ok(&want))
        return error_set(err, REASON_MALFORMED, "evidence record: the host, or the tag, digest or page, is not one");
    if (!records.present[TAG_MAX_BYTES_WANTED] || !wire_u64(records.value[TAG_MAX_BYTES_WANTED], &want.max_bytes) ||
        want.max_bytes > LIMIT_EVIDENCE_BYTES)
        return error_set(err, REASON_MALFORMED, "evidence record: the size limit is missing or out of range");
    *ret = want;
    want = (struct want){0};
    return true;
}

void evidence_write_head(struct buf *buf, const struct evidence *item)
{
    wire_put_u32(buf, TAG_ID, item->id);
    wire_put_u32(buf, TAG_STATUS, (uint32_t)item->status);
    wire_put_u32(buf, TAG_HTTP_STATUS, item->http_status);
    wire_put_str(buf, TAG_CONTENT_TYPE, item->content_type);
    wire_put_str(buf, TAG_LINK, item->link);
    wire_put_str(buf, TAG_SOURCE, item->source);
    wire_put_u32(buf, TAG_REASON, (uint32_t)item->reason);
    wire_put_str(buf, TAG_ERROR, item->error);
    wire_close_more(buf, wire_open(buf, TAG_BODY), item->body.len);
}

void evidence_write(struct buf *buf, const struct evidence *item)
{
    evidence_write_head(buf, item);
    buf_span(buf, item->body);
}

static bool take_body(const struct records *records, bool copy, struct evidence *item, struct error *err)
{
    struct span body = records->value[TAG_BODY];

    if (body.len > LIMIT_EVIDENCE_BYTES)
        return error_set(err, REASON_LIMIT, "evidence record: a body of %zu bytes", body.len);
    if (copy && body.len > 0) {
        item->owned = mem_dup(body.ptr, body.len);
        if (!item->owned)
            return error_oom(err);
        body.ptr = item->owned;
    }
    item->body = body;
    return true;
}

bool evidence_read(struct span record, bool copy, struct evidence *ret, struct error *err)
{
    static const uint32_t allowed = 1u << TAG_ID | 1u << TAG_STATUS | 1u << TAG_HTTP_STATUS | 1u << TAG_CONTENT_TYPE |
                                    1u << TAG_LINK | 1u << TAG_SOURCE | 1u << TAG_REASON | 1u << TAG_ERROR |
                                    1u << TAG_BODY;
    struct evidence item CLEANUP(evidence_done) = {0};
    struct records records;
    uint32_t status = 0;
    uint32_t reason = 0;

    if (!records_read(record, allowed, &records, err) ||
        !take_u32(&records, TAG_ID, LIMIT_EVIDENCE_ITEMS, &item.id, err) ||
        !take_u32(&records, TAG_STATUS, EVIDENCE_ABSENT, &status, err) ||
        !take_u32(&records, TAG_HTTP_STATUS, 999, &item.http_status, err) ||
        !take_u32(&records, TAG_REASON, REASON_COUNT - 1, &reason, err) ||
        !take_text(&records, TAG_CONTENT_TYPE, CONTENT_TYPE_MAX_BYTES, false, true, &item.content_type, err) ||
        !take_text(&records, TAG_LINK, LINK_MAX_BYTES, false, true, &item.link, err) ||
        !take_text(&records, TAG_SOURCE, HOST_MAX_BYTES, false, true, &item.source, err) ||
        !take_text(&records, TAG_ERROR, ERROR_TEXT_BYTES, false, true, &item.error, err) ||
        !take_body(&records, copy, &item, err))
        return false;
    if (item.id == 0)
        return error_set(err, REASON_MALFORMED, "evidence record: an answer without number");
    item.status = (enum evidence_status)status;
    item.reason = (enum reason)reason;
    *ret = item;
    item = (struct evidence){0};
    return true;
}
