/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust roots: Sigstore's trusted_root.json (media type version 0.1; sigstore.md 3.1), or a PEM file with one chain of
 * an authority of one's own. Configuration, not evidence: an error refuses the whole root.
 */
#ifndef PG_VERIFIER_TRUSTROOT_H
#define PG_VERIFIER_TRUSTROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "crypto/sct.h"
#include "crypto/timestamp.h"
#include "crypto/tlog.h"
#include "crypto/window.h"

enum { TRUST_HOST_BYTES = 300 };

/* A transparency log or a certificate transparency log. */
struct trust_log {
    char *url;                    /* baseUrl as written */
    char host[TRUST_HOST_BYTES];  /* of the URL; origin of v2 checkpoints */
    struct tlog_id id;
    struct pubkey *key;
    struct time_window window;
};

/* A certificate or time-stamping authority: its chain as written, ending in the anchor. */
struct trust_authority {
    char *name;                   /* uri, else the subject */
    struct certs chain;
    struct time_window window;
};

struct trust_logs {
    struct trust_log *items;
    size_t count, capacity;
};

struct trust_authorities {
    struct trust_authority *items;
    size_t count, capacity;
};

struct trust_root {
    struct trust_logs logs;
    struct trust_logs ct_logs;
    struct trust_authorities authorities;
    struct trust_authorities timestamp_authorities;
    size_t skipped; /* logs whose key type we do not verify with: they are as if unknown */

    /* The same in crypto's terms, for sct_verify and timestamp_verify; borrow from the lists above. */
    struct sct_log *sct_logs;
    struct timestamp_authority *stamps;
};

/*
 * JSON, or PEM when it begins with "-----BEGIN": then the last certificate is the anchor, those before it are
 * intermediates, and there are no logs. Errors: MALFORMED, UNSUPPORTED, LIMIT.
 */
bool trust_root_parse(struct span bytes, struct trust_root **ret, struct error *err) MUST_CHECK;
void trust_root_free(struct trust_root *root);
void trust_root_freep(struct trust_root **root);

/* The chain without its anchor (for a timestamp authority also without its leaf), as a pool. */
struct cert_pool trust_authority_pool(const struct trust_authority *authority);

#endif
