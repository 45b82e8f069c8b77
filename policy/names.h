/* SPDX-License-Identifier: Apache-2.0 */
/* The names an image goes by when policies are matched (policy.md trap 2), and canonical repository names. */
#ifndef PG_POLICY_NAMES_H
#define PG_POLICY_NAMES_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "policy/policy.h"

enum { IMAGE_NAMES_MAX = 9 };

/*
 * name:tag, name@digest, name:tag@digest and name, as far as this pull knows tag and digest; for Docker Hub each also
 * with "docker.io"; last, what the user wrote when it is none of these.
 */
struct image_names {
    char *items[IMAGE_NAMES_MAX];
    size_t count;
};

bool image_names_init(struct image_names *names, const struct policy_image *image, struct error *err) MUST_CHECK;
void image_names_done(struct image_names *names);

/*
 * "host/path" in canonical form (verifier/ref.h) of a repository as written, without tag or digest. An owned string, or
 * NULL with err set.
 */
char *repository_canonical(struct span written, struct error *err) MUST_CHECK;

#endif
