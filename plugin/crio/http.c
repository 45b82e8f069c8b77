/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/http.h"

#include "base/encode.h"

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
