/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/replay/replay.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "config.h"

enum { MESSAGE_REPLAY = 60, REST_BYTES = 64 * 1024, REST_OF_ANSWER_BYTES = 1024 };

enum {
    TAG_VERSION = 1,
    TAG_TIME = 2,
    TAG_NO_MATCH = 3,
    TAG_REQUEST = 4,
    TAG_FILE = 5,
    TAG_ANSWER = 6,
    TAG_RESPONSE = 7,
};

/* Inside TAG_FILE and TAG_ANSWER. */
enum { PART_KIND = 1, PART_NAME = 2, PART_BYTES = 3, PART_WANT = 4, PART_EVIDENCE = 5 };

static void put_request(struct buf *buf, const struct request *request)
{
    struct request shown = *request;
    size_t nested = wire_open(buf, TAG_REQUEST);

    /* What it takes to log in proves nothing and is nobody's business. */
    shown.username = shown.password = shown.identity_token = NULL;
    shown.https_proxy = shown.http_proxy = shown.no_proxy = NULL;
    request_write(buf, &shown);
    wire_close(buf, nested);
}

static void put_files(struct buf *buf, const struct load_files *files)
{
    for (size_t i = 0; files && i < files->count; i++) {
        size_t nested = wire_open(buf, TAG_FILE);

        wire_put_u32(buf, PART_KIND, (uint32_t)files->items[i].kind);
        wire_put_str(buf, PART_NAME, files->items[i].name);
        wire_put(buf, PART_BYTES, files->items[i].bytes);
        wire_close(buf, nested);
    }
}

static void put_evidence(struct buf *buf, const struct evidence_set *evidence)
{
    for (size_t i = 0; i < evidence->count; i++) {
        size_t nested = wire_open(buf, TAG_ANSWER);
        size_t part = wire_open(buf, PART_WANT);

        want_write(buf, &evidence->wants[i]);
        wire_close(buf, part);
        part = wire_open(buf, PART_EVIDENCE);
        evidence_write(buf, &evidence->items[i]);
        wire_close(buf, part);
        wire_close(buf, nested);
    }
}

static void put_response(struct buf *buf, const struct response *response)
{
    struct response shown = *response;
    size_t nested = wire_open(buf, TAG_RESPONSE);

    shown.report = NULL; /* replay makes it anew */
    shown.evidence = span_of(NULL, 0);
    response_write(buf, &shown);
    wire_close(buf, nested);
}

/* Of what may be large; the rest is small beside it. */
static size_t bytes_of(const struct judge_input *input, const struct evidence_set *evidence)
{
    size_t bytes = REST_BYTES;

    for (size_t i = 0; input->files && i < input->files->count; i++)
        bytes += input->files->items[i].bytes.len;
    for (size_t i = 0; i < evidence->count; i++)
        bytes += evidence->items[i].body.len + REST_OF_ANSWER_BYTES;
    return bytes;
}

void replay_write(struct buf *buf, const struct judge_input *input, const struct evidence_set *evidence,
                  const struct response *response)
{
    size_t start;

    buf_make_room(buf, bytes_of(input, evidence));
    start = wire_begin(buf, MESSAGE_REPLAY);

    wire_put_str(buf, TAG_VERSION, PG_VERSION);
    wire_put_u64(buf, TAG_TIME, (uint64_t)input->now);
    wire_put_u32(buf, TAG_NO_MATCH, (uint32_t)input->no_match);
    put_request(buf, input->request);
    put_files(buf, input->files);
    put_evidence(buf, evidence);
    put_response(buf, response);
    wire_end(buf, start);
}

/* The file, taken apart. Files borrow from it. */
struct parsed {
    struct load_files files;
    uint32_t no_match;
};

static void parsed_done(struct parsed *parsed)
{
    load_files_done(&parsed->files);
}

static bool read_file_part(struct span record, struct load_files *files, struct error *err)
{
    struct reader records = reader_of(record);
    CLEANUP(mem_freep) char *name = NULL;
    struct span value, bytes = {0};
    uint32_t kind = 0;
    uint16_t tag;

    while (wire_next(&records, &tag, &value)) {
        if (tag == PART_KIND && wire_u32(value, &kind))
            continue;
        if (tag == PART_NAME && !name)
            name = wire_str(value);
        else if (tag == PART_BYTES)
            bytes = value;
        else
            return error_set(err, REASON_MALFORMED, "evidence file: unknown part of a file");
    }
    if (records.failed || !name || kind < LOAD_POLICY || kind > LOAD_TRUST)
        return error_set(err, REASON_MALFORMED, "evidence file: a file in it is malformed");
    return load_files_add(files, (enum load_kind)kind, name, bytes, err);
}

static bool read_answer(struct span record, struct evidence_set *set, struct error *err)
{
    struct reader records = reader_of(record);
    CLEANUP(want_done) struct want want = {0};
    CLEANUP(evidence_done) struct evidence item = {0};
    struct span value, want_bytes = {0}, item_bytes = {0};
    uint16_t tag;

    while (wire_next(&records, &tag, &value)) {
        if (tag == PART_WANT)
            want_bytes = value;
        else if (tag == PART_EVIDENCE)
            item_bytes = value;
        else
            return error_set(err, REASON_MALFORMED, "evidence file: unknown part of an answer");
    }
    if (records.failed)
        return error_set(err, REASON_MALFORMED, "evidence file: an answer is cut off");
    return want_read(want_bytes, &want, err) && evidence_read(item_bytes, false, &item, err) &&
           evidence_set_add(set, &want, &item, err);
}

static bool read_record(uint16_t tag, struct span value, struct parsed *parsed, struct replay *replay,
                        struct error *err)
{
    uint64_t time = 0;

    switch (tag) {
    case TAG_VERSION:
        mem_free(replay->version);
        replay->version = wire_str(value);
        return replay->version || error_set(err, REASON_MALFORMED, "evidence file: version");
    case TAG_TIME:
        if (!wire_u64(value, &time) || time > INT64_MAX)
            return error_set(err, REASON_MALFORMED, "evidence file: time");
        replay->time = (int64_t)time;
        return true;
    case TAG_NO_MATCH:
        if (!wire_u32(value, &parsed->no_match) || parsed->no_match > NO_MATCH_ALLOW)
            return error_set(err, REASON_MALFORMED, "evidence file: no-match");
        return true;
    case TAG_REQUEST:
        request_done(&replay->request);
        return request_read(value, &replay->request, err);
    case TAG_FILE:
        return read_file_part(value, &parsed->files, err);
    case TAG_ANSWER:
        return read_answer(value, &replay->evidence, err);
    case TAG_RESPONSE:
        response_done(&replay->then);
        return response_read(value, &replay->then, err);
    default:
        return error_set(err, REASON_MALFORMED, "evidence file: unknown record %u", tag);
    }
}

static bool parse(struct span file, struct parsed *parsed, struct replay *replay, struct error *err)
{
    struct wire_message message;
    struct reader records;
    struct span value;
    uint16_t tag;

    if (!wire_parse(file, &message, err))
        return error_wrap(err, "evidence file");
    if (message.type != MESSAGE_REPLAY)
        return error_set(err, REASON_MALFORMED, "this is no evidence file");
    records = reader_of(message.records);
    while (wire_next(&records, &tag, &value))
        if (!read_record(tag, value, parsed, replay, err))
            return false;
    if (records.failed || !replay->request.reference || replay->time == 0)
        return error_set(err, REASON_MALFORMED, "evidence file: incomplete");
    return true;
}

static bool judge(const struct engine_config *config, enum no_match no_match, struct replay *replay, struct error *err)
{
    uint32_t flags = replay->request.flags;
    const struct judge_input input = {.request = &replay->request,
                                      .policies = config->policies,
                                      .roots = (const struct trust_root *const *)config->roots,
                                      .root_count = config->root_count,
                                      .no_match = no_match,
                                      .now = replay->time};

    /* A collection was never judged; everything else gets its explanation. */
    replay->request.flags = (flags & ~(uint32_t)REQUEST_COLLECT) | REQUEST_REPORT;
    (void)judge_decide(&input, &replay->evidence, true, &replay->now);
    replay->request.flags = flags;
    return replay->now.message || error_oom(err);
}

bool replay_read(struct span file, struct replay *ret, struct error *err)
{
    CLEANUP(parsed_done) struct parsed parsed = {0};
    CLEANUP(replay_done) struct replay replay = {0};

    if (!parse(file, &parsed, &replay, err))
        return false;
    *ret = replay;
    replay = (struct replay){0};
    return true;
}

bool replay_open(struct span file, struct replay *ret, struct engine_config *ret_config, enum no_match *ret_no_match,
                 struct error *err)
{
    CLEANUP(parsed_done) struct parsed parsed = {0};
    CLEANUP(replay_done) struct replay replay = {0};

    if (!parse(file, &parsed, &replay, err))
        return false;
    if (!(replay.request.policy ? engine_load_request(&replay.request, ret_config, err)
                                : engine_load_files(&parsed.files, ret_config, err)))
        return false;
    *ret_no_match = (enum no_match)parsed.no_match;
    *ret = replay;
    replay = (struct replay){0};
    return true;
}

bool replay_run(struct span file, struct replay *ret, struct error *err)
{
    CLEANUP(replay_done) struct replay replay = {0};
    CLEANUP(engine_config_done) struct engine_config config = {0};
    enum no_match no_match;

    if (!replay_open(file, &replay, &config, &no_match, err) || !judge(&config, no_match, &replay, err))
        return false;
    *ret = replay;
    replay = (struct replay){0};
    return true;
}

void replay_done(struct replay *replay)
{
    mem_free(replay->version);
    request_done(&replay->request);
    response_done(&replay->then);
    response_done(&replay->now);
    evidence_set_done(&replay->evidence);
    *replay = (struct replay){0};
}
