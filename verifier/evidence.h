/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the judge asks for (wants) and what the fetcher brings (evidence). The judge names objects, never URLs; the
 * fetcher brings bytes, never opinions. Both are serialised with base/wire.h, between processes and in evidence files.
 */
#ifndef PG_VERIFIER_EVIDENCE_H
#define PG_VERIFIER_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum want_kind {
    WANT_MANIFEST = 1,  /* GET /v2/<repository>/manifests/<target>; target = tag or digest */
    WANT_REFERRERS = 2, /* GET /v2/<repository>/referrers/<target>; target = digest */
    WANT_PAGE = 3,      /* target = path and query on the same host: a further page of a referrers listing */
    WANT_BLOB = 4,      /* GET /v2/<repository>/blobs/<target>; target = digest */
};

struct want {
    uint32_t id;        /* unique within one decision, counted from 1 */
    enum want_kind kind;
    char *host;         /* canonical registry host (struct ref .host) */
    char *repository;
    char *target;
    uint64_t max_bytes; /* the body is cut off, and the evidence is an error, beyond this */
};

struct wants {
    struct want *items;
    size_t count, capacity;
};

enum evidence_status {
    EVIDENCE_ERROR = 0,  /* no usable answer: network, TLS, 5xx, limits; error tells */
    EVIDENCE_FOUND = 1,  /* 2xx with a body */
    EVIDENCE_ABSENT = 2, /* the registry says it does not exist (404), or for referrers: API not supported (400, 404,
                            405, 406, 501) */
};

struct evidence {
    uint32_t id;         /* of the want it answers */
    enum evidence_status status;
    uint32_t http_status;/* 0 when there was none */
    char *content_type;  /* media type without parameters, lower case; NULL when none */
    char *link;          /* raw Link header; NULL when none */
    char *source;        /* who answered: "registry.example.com" or the mirror's host; for messages */
    enum reason reason;  /* for ERROR: FETCH_FAILED, TIMEOUT, LIMIT, UNAUTHORIZED */
    char *error;         /* for ERROR: one clean sentence */
    struct span body;    /* bytes exactly as received (after transfer decoding); borrowed from `owned` */
    void *owned;
};

/* The collection: want and answer side by side. */
struct evidence_set {
    struct want *wants;      /* wants[i] was answered by items[i] */
    struct evidence *items;
    size_t count, capacity, wants_capacity;
};

/* Copies its strings; numbered from 1 within this list. false: out of memory or LIMIT_EVIDENCE_ITEMS. */
bool wants_add(struct wants *wants, enum want_kind kind, const char *host, const char *repository, const char *target,
               uint64_t max_bytes, struct error *err) MUST_CHECK;
void want_done(struct want *want);
void wants_done(struct wants *wants);
void evidence_done(struct evidence *item);
void evidence_set_done(struct evidence_set *set);
/* Takes ownership of want and item (zeroes them). */
bool evidence_set_add(struct evidence_set *set, struct want *want, struct evidence *item, struct error *err) MUST_CHECK;
/* The answer for an object already asked for; NULL when never asked. */
const struct evidence *evidence_find(const struct evidence_set *set, enum want_kind kind, const char *host,
                                     const char *repository, const char *target);

/*
 * The content of one wire record (the caller opens and closes the record around it; tags are private to evidence.c).
 * The reading side bounds everything by base/limits.h and refuses control characters in texts: the fetcher cleans or
 * drops headers that hold any before it writes them.
 */
void want_write(struct buf *buf, const struct want *want);
bool want_read(struct span record, struct want *ret, struct error *err) MUST_CHECK;
void evidence_write(struct buf *buf, const struct evidence *item);
/* All but the body's bytes, which are the last: who sends a large body does so from where it is. */
void evidence_write_head(struct buf *buf, const struct evidence *item);
/* Copies the body when `copy`; else it borrows from record. */
bool evidence_read(struct span record, bool copy, struct evidence *ret, struct error *err) MUST_CHECK;

#endif
