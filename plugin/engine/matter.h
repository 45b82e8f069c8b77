/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request is about: the image, the policies' needs for it, and where the verifier looks. Part of the judge, and
 * as pure; everything borrows from request, policies and evidence.
 */
#ifndef PG_PLUGIN_ENGINE_MATTER_H
#define PG_PLUGIN_ENGINE_MATTER_H

#include "plugin/engine/judge.h"
#include "verifier/ref.h"
#include "verifier/verify.h"

/* One request, worked out as far as the evidence goes. Everything in it is derived: nothing is kept between calls. */
struct matter {
    struct ref ref;
    bool resolved;             /* image and policy_image are set; needs too */
    struct digest image;
    const char *media_type;    /* borrowed from request, evidence or own_media_type */
    char *own_media_type;
    struct policy_image known;
    struct policy_needs needs;
    struct ref *repositories;  /* of places that name another repository */
    struct verify_place *places;
    struct verify_key *keys;
    const struct trust_root **roots;
    struct verify_input input;
};

void matter_done(struct matter *matter);
/* All of it. True with `resolved` still false: the image's digest is to be looked up first. */
bool matter_work_out(const struct judge_input *input, const struct evidence_set *evidence, struct matter *ret,
                     struct error *err) MUST_CHECK;
/* Its first parts, for who has no evidence yet: the reference, the needs, the places. */
bool matter_read(const struct request *request, struct matter *ret, struct error *err) MUST_CHECK;
bool matter_find_needs(const struct judge_input *input, struct matter *matter, struct error *err) MUST_CHECK;
bool matter_fill_places(struct matter *matter, struct error *err) MUST_CHECK;
/* The object an answer is about could not be had: why. Returns false. */
bool matter_fail(const struct evidence *answer, const char *what, struct error *err);

#endif
