/* SPDX-License-Identifier: Apache-2.0 */
/* Writes compact JSON into a buffer; commas and escapes are its job. Text that is not UTF-8 is written with U+FFFD. */
#ifndef PG_BASE_JSON_OUT_H
#define PG_BASE_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/tree.h"

struct json_out {
    struct buf *buf; /* borrowed */
    bool comma;      /* a value was written at this level */
};

struct json_out json_out_to(struct buf *buf);
/* key NULL inside lists and at the top. */
void json_open_map(struct json_out *out, const char *key);
void json_close_map(struct json_out *out);
void json_open_list(struct json_out *out, const char *key);
void json_close_list(struct json_out *out);
void json_put_str(struct json_out *out, const char *key, const char *text); /* NULL text = null */
void json_put_span(struct json_out *out, const char *key, struct span text);
void json_put_int(struct json_out *out, const char *key, int64_t value);
void json_put_bool(struct json_out *out, const char *key, bool value);
void json_put_null(struct json_out *out, const char *key);
void json_put_base64(struct json_out *out, const char *key, struct span bytes);
void json_put_raw(struct json_out *out, const char *key, struct span json); /* already JSON */
void json_put_node(struct json_out *out, const char *key, const struct node *node); /* a tree, compact */

#endif
