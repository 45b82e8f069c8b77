/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/http.h"

#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/mem.h"

static const char *standard_reason(unsigned int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 503:
        return "Service Unavailable";
    default:
        return "Bad Request";
    }
}

/* Up to the end of line (CR LF, or LF alone as RFC 9112 2.2 permits a reader); false when there is none. */
static bool take_line(struct span *rest, struct span *ret_line)
{
    size_t end = span_find_byte(*rest, '\n');

    if (end == SIZE_MAX)
        return false;
    *ret_line = span_cut(*rest, 0, end);
    if (ret_line->len > 0 && ret_line->ptr[ret_line->len - 1] == '\r')
        ret_line->len--;
    *rest = span_cut(*rest, end + 1, SIZE_MAX);
    return true;
}

static bool parse_request_line(struct span line, struct http_request *ret, struct error *err)
{
    struct span rest, target;
    size_t end;
    bool head_only = span_starts(line, "HEAD ");

    if (!head_only && !span_starts(line, "GET "))
        return error_set(err, REASON_BAD_REQUEST, "only GET is answered here");
    rest = span_cut(line, head_only ? 5 : 4, SIZE_MAX);
    end = span_find_byte(rest, ' ');
    target = span_cut(rest, 0, end);
    if (end == SIZE_MAX || !span_starts(span_cut(rest, end + 1, SIZE_MAX), "HTTP/1."))
        return error_set(err, REASON_BAD_REQUEST, "the request line is not HTTP/1");
    if (!span_starts(target, "/"))
        return error_set(err, REASON_BAD_REQUEST, "the path does not begin with /");
    *ret = (struct http_request){.head_only = head_only, .target = target};
    return true;
}

bool http_parse_request(struct span head, bool *ret_done, struct http_request *ret, struct error *err)
{
    struct span rest = head, line, first = {NULL, 0};
    bool seen = false;

    /* Whoever begins with something else (TLS: 0x16) is told at once: no empty line may ever come. */
    if (head.len > 0 && (head.ptr[0] < 'A' || head.ptr[0] > 'Z')) {
        *ret_done = true;
        return error_set(err, REASON_BAD_REQUEST, "this is not HTTP");
    }
    while (take_line(&rest, &line)) {
        if (seen && line.len == 0) {
            *ret_done = true;
            return parse_request_line(first, ret, err);
        }
        if (!seen)
            first = line;
        seen = true;
    }
    *ret_done = false;
    return head.len < HTTP_HEAD_BYTES || error_set(err, REASON_LIMIT, "the request's head is too long");
}

/* RFC 9110 5.6.2 */
static bool is_token_byte(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", byte);
}

/* "name: value" (RFC 9112 section 5): not folded, no blank before the colon, no control characters in the value. */
static bool parse_header(struct span line, struct span *ret_name, struct span *ret_value, struct error *err)
{
    size_t colon = span_find_byte(line, ':');

    *ret_name = span_cut(line, 0, colon);
    *ret_value = span_trim(span_cut(line, colon == SIZE_MAX ? line.len : colon + 1, SIZE_MAX));
    if (colon == SIZE_MAX || colon == 0)
        return error_set(err, REASON_BAD_REQUEST, "a header line has no name");
    for (size_t i = 0; i < ret_name->len; i++)
        if (!is_token_byte(ret_name->ptr[i]))
            return error_set(err, REASON_BAD_REQUEST, "a header's name holds a character that no name has");
    for (size_t i = 0; i < ret_value->len; i++)
        if ((ret_value->ptr[i] < ' ' && ret_value->ptr[i] != '\t') || ret_value->ptr[i] == 0x7f)
            return error_set(err, REASON_BAD_REQUEST, "a header holds a control character");
    return true;
}

/* 127.x.y.z, localhost or [::1], with or without a port. */
static bool is_loopback(struct span host)
{
    struct span rest = host;
    bool digits = span_starts(host, "127.");

    if (digits)
        while (rest.len > 0 && ((rest.ptr[0] >= '0' && rest.ptr[0] <= '9') || rest.ptr[0] == '.'))
            rest = span_cut(rest, 1, SIZE_MAX);
    else if (span_starts(host, "localhost"))
        rest = span_cut(host, sizeof("localhost") - 1, SIZE_MAX);
    else if (span_starts(host, "[::1]"))
        rest = span_cut(host, sizeof("[::1]") - 1, SIZE_MAX);
    else
        return false;
    return rest.len == 0 || rest.ptr[0] == ':';
}

static bool is_named(struct span name, const char *wanted)
{
    return name.len == strlen(wanted) && strncasecmp((const char *)name.ptr, wanted, name.len) == 0;
}

static bool check_header(struct span name, struct span value, unsigned int *hosts, struct error *err)
{
    if (is_named(name, "host")) {
        if (++*hosts > 1)
            return error_set(err, REASON_BAD_REQUEST, "two Host headers");
        return is_loopback(value) || error_set(err, REASON_BAD_REQUEST, "the Host header names no loopback address");
    }
    if (is_named(name, "transfer-encoding") ||
        (is_named(name, "content-length") && !span_eq_str(value, "0")))
        return error_set(err, REASON_BAD_REQUEST, "a request with a body is not answered here");
    return true;
}

/* A whole head: its request line's version and all its headers. */
static bool check_head(struct span head, struct error *err)
{
    struct span rest = head, line, first, name, value;
    unsigned int hosts = 0;
    bool newer;

    if (!take_line(&rest, &first))
        return error_set(err, REASON_INTERNAL, "a head without a line");
    newer = span_ends(first, " HTTP/1.1");
    if (!newer && !span_ends(first, " HTTP/1.0"))
        return error_set(err, REASON_BAD_REQUEST, "only HTTP/1.0 and 1.1 are spoken here");
    while (take_line(&rest, &line) && line.len > 0)
        if (!parse_header(line, &name, &value, err) || !check_header(name, value, &hosts, err))
            return false;
    return hosts > 0 || !newer || error_set(err, REASON_BAD_REQUEST, "no Host header");
}

bool http_parse_head(struct span head, bool *ret_done, struct span *ret_target, struct error *err)
{
    struct http_request request;
    struct span target;

    if (!http_parse_request(head, ret_done, &request, err))
        return false;
    if (!*ret_done)
        return true;
    if (request.head_only)
        return error_set(err, REASON_BAD_REQUEST, "only GET is answered here");
    if (!check_head(head, err))
        return false;
    target = request.target;
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f || target.ptr[i] == '?' || target.ptr[i] == '%')
            return error_set(err, REASON_BAD_REQUEST, "the path holds a character that no repository has");
    *ret_target = target;
    return true;
}

void http_respond(struct buf *ret, unsigned int status, const char *reason, struct span body)
{
    char phrase[HTTP_REASON_BYTES];

    buf_printf(ret, "HTTP/1.1 %u %s\r\n", status,
               reason ? text_clean(span_str(reason), phrase, sizeof(phrase)) : standard_reason(status));
    buf_printf(ret, "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
               "Connection: close\r\n\r\n", body.len);
    buf_span(ret, body);
}

void http_refuse(struct buf *ret, unsigned int status, const char *text)
{
    char *phrase CLEANUP(mem_freep) = mem_printf("pullguard: %s", text);

    http_respond(ret, status, phrase ? phrase : "pullguard: out of memory", span_str(""));
}
