/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little HTTP an endorser needs: one GET per connection, read with limits, answered, closed. Our own because the
 * refusal's reason must stand in the status line's reason phrase (that phrase is all that the image library shows its
 * user), and libmicrohttpd writes only the standard phrases.
 */
#ifndef PG_PLUGIN_CRIO_HTTP_H
#define PG_PLUGIN_CRIO_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum { HTTP_HEAD_BYTES = 8192, HTTP_REASON_BYTES = 400 };

/* Borrowed from the head. */
struct http_request {
    bool head_only;      /* HEAD: the answer has no body */
    struct span target;  /* an absolute path, with its query if there is one */
};

/*
 * Parses a request's head (RFC 9112): "GET target HTTP/1.x" (or HEAD) and header lines up to the empty line.
 * *ret_done = false when the empty line has not come yet.
 */
bool http_parse_request(struct span head, bool *ret_done, struct http_request *ret, struct error *err) MUST_CHECK;

/*
 * The same for the endorser, which reads every line of the head: only GET of HTTP/1.0 or 1.1, no query, no escapes, no
 * body, well-formed header lines, and one Host that is loopback (a name would be a web page's, which a browser on this
 * node was talked into asking for). Lines may end in LF alone (RFC 9112 2.2). What follows the head is not looked at.
 */
bool http_parse_head(struct span head, bool *ret_done, struct span *ret_target, struct error *err) MUST_CHECK;

/*
 * Appends a whole response. reason: the phrase (NULL = the standard one for 200, 400, 403, 404, 503); bytes that a
 * phrase cannot hold are replaced.
 */
void http_respond(struct buf *ret, unsigned int status, const char *reason, struct span body);

/* A refusal in our words: "pullguard: " and the text. */
void http_refuse(struct buf *ret, unsigned int status, const char *text);

#endif
