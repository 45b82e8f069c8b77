/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/auth_parse.h"

#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"

enum {
    VALUE_MAX_BYTES = 2048, /* of one parameter: realms and scopes are far below */
    TOKEN_DEFAULT_SECONDS = 60,     /* distribution, "Requesting a Token": default when expires_in is left out */
    TOKEN_MAX_SECONDS = 24 * 3600,  /* a lying service does not make us keep a token for ever */
    ERROR_TEXT_MAX = 160,
};

/* RFC 9110 section 5.6.2 */
static bool is_tchar(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static void skip_blanks(struct span *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        *rest = span_of(rest->ptr + 1, rest->len - 1);
}

static bool take_byte(struct span *rest, uint8_t byte)
{
    if (rest->len == 0 || rest->ptr[0] != byte)
        return false;
    *rest = span_of(rest->ptr + 1, rest->len - 1);
    return true;
}

static struct span take_token(struct span *rest)
{
    struct span token = *rest;

    token.len = 0;
    while (rest->len > 0 && is_tchar(rest->ptr[0])) {
        token.len++;
        *rest = span_of(rest->ptr + 1, rest->len - 1);
    }
    return token;
}

static bool ascii_eq(struct span a, const char *lower)
{
    if (a.len != strlen(lower))
        return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t byte = a.ptr[i];

        if (byte >= 'A' && byte <= 'Z')
            byte = (uint8_t)(byte + 32);
        if (byte != (uint8_t)lower[i])
            return false;
    }
    return true;
}

static bool bad_challenge(struct error *err, const char *what)
{
    return error_set(err, REASON_MALFORMED, "WWW-Authenticate (RFC 9110 section 11.6.1): %s", what);
}

/* quoted-string of RFC 9110 section 5.6.4, visible ASCII and blanks only. */
static bool take_quoted(struct span *rest, struct buf *value, struct error *err)
{
    while (!take_byte(rest, '"')) {
        take_byte(rest, '\\');
        if (rest->len == 0)
            return bad_challenge(err, "a quoted value without an end");
        if (rest->ptr[0] != '\t' && (rest->ptr[0] < ' ' || rest->ptr[0] > '~'))
            return bad_challenge(err, "a value with control or non-ASCII characters");
        buf_byte(value, rest->ptr[0]);
        take_byte(rest, rest->ptr[0]);
    }
    return true;
}

static bool take_value(struct span *rest, struct buf *value, struct error *err)
{
    struct span token;

    if (take_byte(rest, '"')) {
        if (!take_quoted(rest, value, err))
            return false;
    } else {
        token = take_token(rest);
        if (token.len == 0)
            return bad_challenge(err, "a parameter without a value");
        buf_span(value, token);
    }
    return buf_ok(value) || bad_challenge(err, "a value that is too long");
}

struct scheme {
    bool bearer, basic;
    struct challenge found; /* of the Bearer scheme being read */
    uint32_t seen;          /* which of the four parameters */
};

static char **parameter_place(struct scheme *scheme, struct span name, uint32_t *ret_bit)
{
    static const char *const names[] = {"realm", "service", "scope", "error"};
    char **places[] = {&scheme->found.realm, &scheme->found.service, &scheme->found.scope, &scheme->found.error};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (ascii_eq(name, names[i])) {
            *ret_bit = 1u << i;
            return places[i];
        }
    return NULL;
}

static bool put_parameter(struct scheme *scheme, struct span name, const struct buf *value, struct error *err)
{
    uint32_t bit = 0;
    char **place = parameter_place(scheme, name, &bit);

    if (!place)
        return true;
    if (scheme->seen & bit) /* section 11.2: a parameter name must occur only once per challenge */
        return bad_challenge(err, "a parameter that stands twice");
    scheme->seen |= bit;
    if (!scheme->bearer || value->len == 0)
        return true;
    *place = span_dup(buf_as_span(value));
    return *place != NULL || error_oom(err);
}

/*
 * One challenge's parameters, up to the next challenge or the end of the line. A comma is followed by a parameter when
 * "name =" comes, else by the next challenge; empty list elements are allowed (section 5.6.1).
 */
static bool take_parameters(struct span *rest, struct scheme *scheme, struct error *err)
{
    bool first = true;

    for (;;) {
        struct buf value CLEANUP(buf_free) = BUF_INIT(VALUE_MAX_BYTES);
        struct span ahead = *rest, name;

        skip_blanks(&ahead);
        if (ahead.len == 0 || ahead.ptr[0] == ',') {
            while (take_byte(&ahead, ','))
                skip_blanks(&ahead);
            first = false;
            if (ahead.len == 0) {
                *rest = ahead;
                return true;
            }
        } else if (!first) {
            return bad_challenge(err, "no comma between parameters");
        }
        name = take_token(&ahead);
        skip_blanks(&ahead);
        if (!take_byte(&ahead, '=')) {
            if (first) /* token68 is not used by the schemes that registries know */
                return bad_challenge(err, "a scheme without parameters of the form name=value");
            return name.len > 0 || bad_challenge(err, "a character that belongs to nothing");
        }
        if (name.len == 0)
            return bad_challenge(err, "a parameter without a name");
        skip_blanks(&ahead);
        if (!take_value(&ahead, &value, err) || !put_parameter(scheme, name, &value, err))
            return false;
        *rest = ahead;
        first = false;
    }
}

static bool is_actions_with_pull(struct span actions)
{
    while (actions.len > 0) {
        size_t comma = span_find_byte(actions, ',');
        struct span action = span_cut(actions, 0, comma);

        if (span_eq_str(action, "pull") || span_eq_str(action, "*"))
            return true;
        if (comma == SIZE_MAX)
            return false;
        actions = span_cut(actions, comma + 1, SIZE_MAX);
    }
    return false;
}

/* "repository:a/b:pull,push" becomes "repository:a/b:pull": we never ask for more than reading. */
static void put_scope(struct buf *out, struct span item)
{
    size_t last = SIZE_MAX;

    for (size_t i = 0; i < item.len; i++)
        if (item.ptr[i] == ':')
            last = i;
    if (out->len > 0)
        buf_byte(out, ' ');
    if (last != SIZE_MAX && span_starts(item, "repository:") && last > strlen("repository") &&
        is_actions_with_pull(span_cut(item, last + 1, SIZE_MAX))) {
        buf_span(out, span_cut(item, 0, last));
        buf_str(out, ":pull");
    } else {
        buf_span(out, item);
    }
}

static bool reduce_scope(char **scope, struct error *err)
{
    struct buf out CLEANUP(buf_free) = BUF_INIT(VALUE_MAX_BYTES + 16);
    struct span rest = span_str(*scope);
    char *text;

    while (rest.len > 0) {
        size_t blank = span_find_byte(rest, ' ');
        struct span item = span_trim(span_cut(rest, 0, blank));

        if (item.len > 0)
            put_scope(&out, item);
        rest = blank == SIZE_MAX ? span_of(NULL, 0) : span_cut(rest, blank + 1, SIZE_MAX);
    }
    if (!buf_ok(&out))
        return bad_challenge(err, "a scope that is too long");
    text = mem_strdup(buf_cstr(&out));
    if (!text)
        return error_oom(err);
    mem_free(*scope);
    *scope = text;
    return true;
}

/* Schemes and hosts are compared by the fetcher; here it is enough that the text is a plain URL. */
static bool check_realm(const char *realm, struct error *err)
{
    struct span text = span_str(realm), host;
    size_t end;

    if (!span_starts(text, "https://") && !span_starts(text, "http://"))
        return bad_challenge(err, "the realm is not an http or https address");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr("\"<>\\^`{|}", text.ptr[i]))
            return bad_challenge(err, "the realm is not an address");
    host = span_cut(text, span_find(text, "//") + 2, SIZE_MAX);
    for (end = 0; end < host.len && !strchr("/?#", host.ptr[end]); end++)
        if (host.ptr[end] == '@')
            return bad_challenge(err, "the realm's address holds a user name");
    if (end == 0 || span_find_byte(text, '#') != SIZE_MAX)
        return bad_challenge(err, "the realm's address has no host, or a fragment");
    return true;
}

static bool take_bearer(struct scheme *scheme, struct challenge *challenge, struct error *err)
{
    if (!scheme->bearer || challenge->bearer) /* another scheme, or a second Bearer: the first counts */
        return true;
    if (!scheme->found.realm)
        return bad_challenge(err, "a Bearer challenge without a realm");
    if (!check_realm(scheme->found.realm, err))
        return false;
    if (scheme->found.scope && !reduce_scope(&scheme->found.scope, err))
        return false;
    scheme->found.bearer = true;
    scheme->found.basic = challenge->basic;
    challenge_done(challenge);
    *challenge = scheme->found;
    scheme->found = (struct challenge){0};
    return true;
}

static void scheme_done(struct scheme *scheme)
{
    challenge_done(&scheme->found);
}

static bool parse_line(struct span rest, struct challenge *challenge, struct error *err)
{
    for (int count = 0; count < LIMIT_CHALLENGES; count++) {
        struct scheme scheme CLEANUP(scheme_done) = {0};
        struct span name;

        do
            skip_blanks(&rest);
        while (take_byte(&rest, ','));
        if (rest.len == 0)
            return true;
        name = take_token(&rest);
        if (name.len == 0)
            return bad_challenge(err, "a scheme without a name");
        scheme.bearer = ascii_eq(name, "bearer");
        scheme.basic = ascii_eq(name, "basic");
        if (rest.len > 0 && rest.ptr[0] != ' ' && rest.ptr[0] != ',')
            return bad_challenge(err, "a scheme's name is followed by neither blank nor comma");
        if (!take_parameters(&rest, &scheme, err) || !take_bearer(&scheme, challenge, err))
            return false;
        challenge->basic |= scheme.basic;
    }
    return bad_challenge(err, "too many challenges");
}

bool challenge_parse(struct span lines, struct challenge *ret, struct error *err)
{
    struct challenge challenge CLEANUP(challenge_done) = {0};

    if (lines.len > LIMIT_CHALLENGE_BYTES)
        return error_set(err, REASON_LIMIT, "WWW-Authenticate: more than %d bytes", LIMIT_CHALLENGE_BYTES);
    while (lines.len > 0) {
        size_t end = span_find_byte(lines, '\n');

        if (!parse_line(span_trim(span_cut(lines, 0, end)), &challenge, err))
            return false;
        lines = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(lines, end + 1, SIZE_MAX);
    }
    if (!challenge.basic && !challenge.bearer)
        return error_set(err, REASON_UNSUPPORTED, "WWW-Authenticate: offers neither Basic nor Bearer");
    *ret = challenge;
    challenge = (struct challenge){0};
    return true;
}

void challenge_done(struct challenge *challenge)
{
    mem_free(challenge->realm);
    mem_free(challenge->service);
    mem_free(challenge->scope);
    mem_free(challenge->error);
    *challenge = (struct challenge){0};
}

/* RFC 6750 section 2.1 b64token, a little wider: whatever is visible and cannot end or fold a header. */
static bool is_header_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0;
}

static uint32_t lifetime(const struct node *node)
{
    int64_t seconds;

    if (!node_int(node, true, &seconds))
        return TOKEN_DEFAULT_SECONDS;
    if (seconds < 0)
        return 0;
    return seconds > TOKEN_MAX_SECONDS ? TOKEN_MAX_SECONDS : (uint32_t)seconds;
}

bool token_parse(struct span body, struct token_answer *ret, struct error *err)
{
    struct tree *tree CLEANUP(tree_freep) = NULL;
    const struct node *root, *token;
    char *text;

    if (body.len > LIMIT_TOKEN_BYTES)
        return error_set(err, REASON_LIMIT, "the token service's answer has more than %d bytes", LIMIT_TOKEN_BYTES);
    if (!json_parse(body, "the token service's answer", TREE_NO_PLACES, &tree, err))
        return false;
    root = tree_root(tree);
    token = node_get(root, "token");
    if (!node_is(token, NODE_STRING) || token->text.len == 0)
        token = node_get(root, "access_token");
    if (!node_is(token, NODE_STRING) || !is_header_text(token->text))
        return error_set(err, REASON_MALFORMED, "the token service's answer holds no usable token");
    text = span_dup(token->text);
    if (!text)
        return error_oom(err);
    *ret = (struct token_answer){.token = text, .expires_in = lifetime(node_get(root, "expires_in"))};
    return true;
}

void token_answer_done(struct token_answer *answer)
{
    mem_wipe_free(answer->token, answer->token ? strlen(answer->token) : 0);
    *answer = (struct token_answer){0};
}

static void put_text(struct buf *out, const struct node *node)
{
    if (!node_is(node, NODE_STRING) || node->text.len == 0)
        return;
    if (out->len > 0)
        buf_str(out, ": ");
    text_sanitize(node->text, ERROR_TEXT_MAX, out);
}

char *error_body_text(struct span body)
{
    struct buf out CLEANUP(buf_free) = BUF_INIT(8 * ERROR_TEXT_MAX);
    struct tree *tree CLEANUP(tree_freep) = NULL;
    struct error ignored = ERROR_INIT;
    const struct node *root, *first;
    char clean[ERROR_TEXT_MAX + 1];

    if (body.len > LIMIT_TOKEN_BYTES || !json_parse(body, "error", TREE_NO_PLACES, &tree, &ignored))
        return NULL;
    root = tree_root(tree);
    first = node_at(node_get(root, "errors"), 0);
    put_text(&out, node_get(first, "code"));
    put_text(&out, node_get(first, "message"));
    if (out.len == 0) {
        put_text(&out, node_get(root, "error"));
        put_text(&out, node_get(root, "error_description"));
        put_text(&out, node_get(root, "details"));
        put_text(&out, node_get(root, "message"));
    }
    if (!buf_ok(&out) || out.len == 0)
        return NULL;
    return mem_strdup(text_clean(buf_as_span(&out), clean, sizeof(clean)));
}
