/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/parser.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "verifier/fetch/fetch.h"

enum what { PARSE_CHALLENGE = 1, PARSE_TOKEN = 2, PARSE_ERROR_TEXT = 3 };

enum tag {
    TAG_WHAT = 1,
    TAG_BYTES,
    TAG_REASON, /* an error: reason and text; nothing else then */
    TAG_TEXT,
    TAG_SCHEMES, /* bit 0 Basic, bit 1 Bearer */
    TAG_REALM,
    TAG_SERVICE,
    TAG_SCOPE,
    TAG_ERROR,
    TAG_TOKEN,
    TAG_EXPIRES,
};

enum {
    MESSAGE_MAX_BYTES = LIMIT_TOKEN_BYTES + 1024,
    ANSWER_WITHIN_MS = 2000, /* a neighbour process and 64 KiB: microseconds, unless the machine is in great trouble */
    FOR_EVER_MS = 0x7fffffff,
};

static void challenge_write(struct buf *out, const struct challenge *challenge)
{
    wire_put_u32(out, TAG_SCHEMES, (challenge->basic ? 1u : 0u) | (challenge->bearer ? 2u : 0u));
    wire_put_str(out, TAG_REALM, challenge->realm);
    wire_put_str(out, TAG_SERVICE, challenge->service);
    wire_put_str(out, TAG_SCOPE, challenge->scope);
    wire_put_str(out, TAG_ERROR, challenge->error);
}

static bool parse_one(uint32_t what, struct span bytes, struct buf *out, struct error *err)
{
    struct challenge challenge CLEANUP(challenge_done) = {0};
    struct token_answer token CLEANUP(token_answer_done) = {0};
    char *text CLEANUP(mem_freep) = NULL;

    switch (what) {
    case PARSE_CHALLENGE:
        if (!challenge_parse(bytes, &challenge, err))
            return false;
        challenge_write(out, &challenge);
        return true;
    case PARSE_TOKEN:
        if (!token_parse(bytes, &token, err))
            return false;
        wire_put_str(out, TAG_TOKEN, token.token);
        wire_put_u32(out, TAG_EXPIRES, token.expires_in);
        return true;
    case PARSE_ERROR_TEXT:
        text = error_body_text(bytes);
        wire_put_str(out, TAG_TEXT, text);
        return true;
    default:
        return error_set(err, REASON_INTERNAL, "parser: asked for %u", what);
    }
}

static bool question_read(struct span message, uint32_t *ret_what, struct span *ret_bytes, struct error *err)
{
    struct reader reader;
    struct span value;
    uint16_t tag;

    if (!wire_records(message, FETCH_MESSAGE_PARSE, &reader, err))
        return error_wrap(err, "parser");
    while (wire_next(&reader, &tag, &value)) {
        if (tag == TAG_BYTES)
            *ret_bytes = value;
        else if (tag != TAG_WHAT || !wire_u32(value, ret_what))
            return error_set(err, REASON_MALFORMED, "parser: field %u", tag);
    }
    return true;
}

static bool answer_one(int fd, struct span message, struct error *err)
{
    struct buf out CLEANUP(buf_wipe) = BUF_INIT(MESSAGE_MAX_BYTES);
    struct span bytes = span_of(NULL, 0);
    struct error parse_error = ERROR_INIT;
    uint32_t what = 0;
    size_t start;

    if (!question_read(message, &what, &bytes, err))
        return false;
    start = wire_begin(&out, FETCH_MESSAGE_PARSED);
    if (!parse_one(what, bytes, &out, &parse_error)) {
        buf_clear(&out);
        start = wire_begin(&out, FETCH_MESSAGE_PARSED);
        wire_put_u32(&out, TAG_REASON, (uint32_t)parse_error.reason);
        wire_put_str(&out, TAG_TEXT, parse_error.text);
    }
    wire_end(&out, start);
    return buf_ok(&out) ? wire_send(fd, buf_as_span(&out), mono_ms() + ANSWER_WITHIN_MS, err) : error_oom(err);
}

bool fetch_parser_serve(int fd, struct error *err)
{
    for (;;) {
        struct buf message CLEANUP(buf_wipe) = BUF_INIT(MESSAGE_MAX_BYTES);
        struct error receive_error = ERROR_INIT;

        if (!wire_receive(fd, MESSAGE_MAX_BYTES, mono_ms() + FOR_EVER_MS, &message, &receive_error)) {
            if (receive_error.reason == REASON_TIMEOUT)
                continue;
            if (receive_error.reason == REASON_UNAVAILABLE && message.len == 0)
                return true;
            *err = receive_error;
            return false;
        }
        if (!answer_one(fd, buf_as_span(&message), err))
            return false;
    }
}

/* What came back, every field of it. */
struct parsed {
    bool refused;
    uint32_t reason, schemes, expires;
    char *text;
    struct challenge challenge;
    struct token_answer token;
};

static void parsed_done(struct parsed *parsed)
{
    mem_free(parsed->text);
    challenge_done(&parsed->challenge);
    token_answer_done(&parsed->token);
}

static bool take_text(char **place, struct span value)
{
    if (*place)
        return false;
    *place = wire_str(value);
    return *place != NULL;
}

static bool parsed_field(struct parsed *parsed, uint16_t tag, struct span value)
{
    switch (tag) {
    case TAG_REASON:
        parsed->refused = true;
        return wire_u32(value, &parsed->reason);
    case TAG_TEXT:
        return take_text(&parsed->text, value);
    case TAG_SCHEMES:
        return wire_u32(value, &parsed->schemes);
    case TAG_REALM:
        return take_text(&parsed->challenge.realm, value);
    case TAG_SERVICE:
        return take_text(&parsed->challenge.service, value);
    case TAG_SCOPE:
        return take_text(&parsed->challenge.scope, value);
    case TAG_ERROR:
        return take_text(&parsed->challenge.error, value);
    case TAG_TOKEN:
        return take_text(&parsed->token.token, value);
    case TAG_EXPIRES:
        return wire_u32(value, &parsed->token.expires_in);
    default:
        return false;
    }
}

static bool parsed_read(struct span message, struct parsed *ret, struct error *err)
{
    struct reader reader;
    struct span value;
    uint16_t tag;

    if (!wire_records(message, FETCH_MESSAGE_PARSED, &reader, err))
        return error_wrap(err, "parser");
    while (wire_next(&reader, &tag, &value))
        if (!parsed_field(ret, tag, value))
            return error_set(err, REASON_MALFORMED, "parser: answered field %u", tag);
    if (ret->refused)
        return error_set(err, ret->reason < REASON_COUNT ? (enum reason)ret->reason : REASON_MALFORMED, "%s",
                         ret->text ? ret->text : "the parser refused it");
    return true;
}

static bool ask(int fd, enum what what, struct span bytes, struct parsed *ret, struct error *err)
{
    struct buf message CLEANUP(buf_wipe) = BUF_INIT(MESSAGE_MAX_BYTES);
    int64_t deadline = mono_ms() + ANSWER_WITHIN_MS;
    size_t start = wire_begin(&message, FETCH_MESSAGE_PARSE);

    wire_put_u32(&message, TAG_WHAT, (uint32_t)what);
    wire_put(&message, TAG_BYTES, bytes);
    wire_end(&message, start);
    if (!buf_ok(&message))
        return error_set(err, REASON_LIMIT, "more bytes than the parser takes");
    if (!wire_send(fd, buf_as_span(&message), deadline, err))
        return error_wrap(err, "the fetcher's parser");
    buf_wipe(&message);
    message = (struct buf)BUF_INIT(MESSAGE_MAX_BYTES);
    if (!wire_receive(fd, MESSAGE_MAX_BYTES, deadline, &message, err))
        return error_wrap(err, "the fetcher's parser");
    return parsed_read(buf_as_span(&message), ret, err);
}

bool parser_ask_challenge(int fd, struct span lines, struct challenge *ret, struct error *err)
{
    struct parsed parsed CLEANUP(parsed_done) = {0};

    if (!ask(fd, PARSE_CHALLENGE, lines, &parsed, err))
        return false;
    parsed.challenge.basic = (parsed.schemes & 1u) != 0;
    parsed.challenge.bearer = (parsed.schemes & 2u) != 0;
    if (parsed.challenge.bearer && !parsed.challenge.realm)
        return error_set(err, REASON_MALFORMED, "parser: a Bearer challenge without a realm");
    *ret = parsed.challenge;
    parsed.challenge = (struct challenge){0};
    return true;
}

bool parser_ask_token(int fd, struct span body, struct token_answer *ret, struct error *err)
{
    struct parsed parsed CLEANUP(parsed_done) = {0};

    if (!ask(fd, PARSE_TOKEN, body, &parsed, err))
        return false;
    if (!parsed.token.token)
        return error_set(err, REASON_MALFORMED, "parser: no token");
    *ret = parsed.token;
    parsed.token = (struct token_answer){0};
    return true;
}

char *parser_ask_error_text(int fd, struct span body)
{
    struct parsed parsed CLEANUP(parsed_done) = {0};
    struct error ignored = ERROR_INIT;

    if (body.len == 0 || body.len > LIMIT_TOKEN_BYTES || !ask(fd, PARSE_ERROR_TEXT, body, &parsed, &ignored))
        return NULL;
    return TAKE_PTR(parsed.text);
}
