/* SPDX-License-Identifier: Apache-2.0 */
/* A small image that nobody signed: one file, one layer, another digest each time, so that nothing is cached. */
#ifndef PG_PLUGIN_CLI_DOCTOR_CANARY_IMAGE_H
#define PG_PLUGIN_CLI_DOCTOR_CANARY_IMAGE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "crypto/digest.h"

struct canary_blob {
    struct buf bytes;
    char digest[DIGEST_TEXT_BYTES];
};

struct canary_image {
    char repository[80];  /* "pullguard-canary/ctr-<random>" */
    char reference[160];  /* "127.0.0.1:PORT/<repository>:v1" */
    struct canary_blob manifest, config, layer;
};
void canary_image_done(struct canary_image *image);

#define CANARY_TAG "v1"

/* name: part of the repository's name, lower-case letters. */
bool canary_image_make(const char *name, uint16_t port, struct canary_image *ret, struct error *err) MUST_CHECK;

#endif
