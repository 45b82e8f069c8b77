/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_VERIFIER_STORE_INTERNAL_H
#define PG_VERIFIER_STORE_INTERNAL_H

#include "base/buf.h"
#include "base/json_out.h"
#include "base/tree.h"
#include "crypto/digest.h"
#include "verifier/store.h"

/* An object that no file holds as it is: a manifest around files, or a file read under its digest. */
struct made_up {
    char digest[DIGEST_TEXT_BYTES];
    struct buf bytes;
};

struct store {
    char *path;
    struct buf index_bytes;  /* index.json */
    struct tree *index;      /* NULL = a plain directory */
    struct made_up *made;
    size_t made_count, made_capacity;
};

struct descriptor_out {
    char digest[DIGEST_TEXT_BYTES];
    uint64_t size;
};

/* Keeps bytes under their digest; takes them over when they are new. */
bool store_make_up(struct store *store, struct buf *bytes, struct descriptor_out *ret, struct error *err) MUST_CHECK;
void store_put_descriptor(struct json_out *out, const char *media_type, const struct descriptor_out *descriptor,
                          const char *artifact_type);

/* Plain directories (store_plain.c): referrers of an image into a listing; the digest behind a tag, "" = none. */
bool store_plain_list(struct store *store, const char *image, struct json_out *out, struct error *err) MUST_CHECK;
bool store_plain_tag(struct store *store, const char *tag, char ret_digest[DIGEST_TEXT_BYTES],
                     struct error *err) MUST_CHECK;

#endif
