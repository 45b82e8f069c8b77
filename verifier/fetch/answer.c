/* SPDX-License-Identifier: Apache-2.0 */
/* What the fetcher answers. No libcurl here: the engine links this file. */
#include "base/wire.h"
#include "verifier/fetch/fetch.h"

enum tag {
    TAG_ID = 1, /* of the job */
    TAG_EVIDENCE = 26, /* none of a job's: one taken for the other is refused */
    TAG_REQUESTS,
    TAG_AUTH_REQUESTS,
    TAG_DEPTH,
    TAG_AUTH_DEPTH,
    TAG_BYTES,
};

void fetch_evidence_write_head(struct buf *buf, uint32_t job, uint32_t requests, const struct evidence *evidence)
{
    size_t start = wire_begin(buf, FETCH_MESSAGE_EVIDENCE), nested;

    wire_put_u32(buf, TAG_ID, job);
    wire_put_u32(buf, TAG_REQUESTS, requests);
    nested = wire_open(buf, TAG_EVIDENCE);
    evidence_write_head(buf, evidence);
    wire_close_more(buf, nested, evidence->body.len);
    wire_end_more(buf, start, evidence->body.len);
}

void fetch_evidence_write(struct buf *buf, uint32_t job, uint32_t requests, const struct evidence *evidence)
{
    fetch_evidence_write_head(buf, job, requests, evidence);
    buf_span(buf, evidence->body);
}

void fetch_end_write(struct buf *buf, uint32_t job, const struct fetch_counters *counters)
{
    size_t start = wire_begin(buf, FETCH_MESSAGE_END);

    wire_put_u32(buf, TAG_ID, job);
    wire_put_u32(buf, TAG_REQUESTS, counters->requests);
    wire_put_u32(buf, TAG_AUTH_REQUESTS, counters->auth_requests);
    wire_put_u32(buf, TAG_DEPTH, counters->depth);
    wire_put_u32(buf, TAG_AUTH_DEPTH, counters->auth_depth);
    wire_put_u64(buf, TAG_BYTES, counters->bytes);
    wire_end(buf, start);
}

static bool answer_field_read(struct fetch_answer *answer, uint16_t tag, struct span value, bool copy,
                              struct error *err)
{
    switch (tag) {
    case TAG_ID:
        return wire_u32(value, &answer->job);
    case TAG_EVIDENCE:
        evidence_done(&answer->evidence);
        return evidence_read(value, copy, &answer->evidence, err);
    case TAG_REQUESTS:
        return wire_u32(value, answer->end ? &answer->counters.requests : &answer->requests);
    case TAG_AUTH_REQUESTS:
        return wire_u32(value, &answer->counters.auth_requests);
    case TAG_DEPTH:
        return wire_u32(value, &answer->counters.depth);
    case TAG_AUTH_DEPTH:
        return wire_u32(value, &answer->counters.auth_depth);
    case TAG_BYTES:
        return wire_u64(value, &answer->counters.bytes);
    default:
        return false;
    }
}

bool fetch_answer_read(struct span message, bool copy, struct fetch_answer *ret, struct error *err)
{
    struct fetch_answer answer CLEANUP(fetch_answer_done) = {0};
    struct wire_message parsed;
    struct reader reader;
    struct span value;
    uint16_t tag;

    if (!wire_parse(message, &parsed, err))
        return false;
    if (parsed.type != FETCH_MESSAGE_EVIDENCE && parsed.type != FETCH_MESSAGE_END)
        return error_set(err, REASON_MALFORMED, "fetch answer: message of type %u", parsed.type);
    answer.end = parsed.type == FETCH_MESSAGE_END;
    reader = reader_of(parsed.records);
    while (wire_next(&reader, &tag, &value))
        if (!answer_field_read(&answer, tag, value, copy, err))
            return error_set(err, REASON_MALFORMED, "fetch answer: field %u", tag);
    if (reader.failed || answer.job == 0 || (!answer.end && answer.evidence.id == 0))
        return error_set(err, REASON_MALFORMED, "fetch answer: incomplete");
    *ret = answer;
    answer = (struct fetch_answer){0};
    return true;
}

void fetch_answer_done(struct fetch_answer *answer)
{
    evidence_done(&answer->evidence);
    *answer = (struct fetch_answer){0};
}
