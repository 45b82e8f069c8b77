/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the auth helper told about pulls under way: the exact reference and the credentials of one pull. In memory only,
 * wiped after a minute. Advisory: without an entry the endorser asks with what the path says.
 */
#ifndef PG_PLUGIN_CRIO_PULLS_H
#define PG_PLUGIN_CRIO_PULLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

/* One entry lives this long: manifest, signatures and our own decision lie between helper and request. */
enum { PULL_LIFE_MS = 60 * 1000, PULLS_MAX = 256 };

struct pull {
    char *repository; /* host/repository, canonical */
    char *reference;  /* as the image library wrote it */
    char *username, *password, *identity_token;
    int64_t expires;  /* mono_ms */
};

struct pulls {
    struct pull items[PULLS_MAX];
};

/* Reads the helper's JSON: {"<reference>": {"username","password","identityToken"}}, exactly one member. */
bool pull_parse(struct span json, struct pull *ret, struct error *err) MUST_CHECK;
void pull_done(struct pull *pull); /* wipes */

/* Takes ownership of pull, in place of one that was told the same, or else of the oldest. */
void pulls_add(struct pulls *pulls, struct pull *pull, int64_t now);
/* The newest live entries for a repository, newest first, at most max of them. Drops what has expired. */
size_t pulls_find(struct pulls *pulls, const char *repository, int64_t now, const struct pull **ret, size_t max);
void pulls_done(struct pulls *pulls);

#endif
