/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What registries and token services say about logging in. Pure functions over bytes, run by the parser child: the
 * process that has the network sees only what they made of it.
 */
#ifndef PG_VERIFIER_FETCH_AUTH_PARSE_H
#define PG_VERIFIER_FETCH_AUTH_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

/* The part of a 401's WWW-Authenticate headers that we can act on. */
struct challenge {
    bool basic;
    bool bearer;
    char *realm;   /* Bearer: http or https URL without user, password or fragment */
    char *service; /* may be NULL */
    char *scope;   /* every `repository:NAME:ACTIONS` cut down to its pull action; may be NULL */
    char *error;   /* RFC 6750 section 3.1, "insufficient_scope"; may be NULL */
};

/*
 * `lines`: the header values, one per line. RFC 9110 section 11.6.1, strictly: a broken list is MALFORMED, not a list
 * of what could be understood. The first Bearer counts. Schemes that are not ours are read over. None of ours:
 * UNSUPPORTED.
 */
bool challenge_parse(struct span lines, struct challenge *ret, struct error *err) MUST_CHECK;
void challenge_done(struct challenge *challenge);

struct token_answer {
    char *token;         /* visible ASCII: fit for a header */
    uint32_t expires_in; /* seconds, 60 when not said, never above a day */
};

/* A token service's 200 (distribution's token specification; RFC 6749 section 5.1). MALFORMED otherwise. */
bool token_parse(struct span body, struct token_answer *ret, struct error *err) MUST_CHECK;
void token_answer_done(struct token_answer *answer); /* overwrites */

/*
 * The registry's own words in an error body, as one clean text of at most 160 characters:
 * {"errors":[{"code","message"}]} (distribution specification), {"error","error_description"} (RFC 6749), {"details"}
 * (Docker Hub), {"message"}. NULL when there are none.
 */
char *error_body_text(struct span body);

#endif
