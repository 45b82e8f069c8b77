/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The throw-away registry: a child in a sandbox of its own that answers the distribution API's GET and HEAD for a few
 * images on a loopback port, and notes what was asked for. Whoever asks for a layer was not stopped.
 */
#ifndef PG_PLUGIN_CLI_DOCTOR_CANARY_REGISTRY_H
#define PG_PLUGIN_CLI_DOCTOR_CANARY_REGISTRY_H

#include <stddef.h>

#include "plugin/cli/doctor/canary/image.h"
#include "plugin/engine/sandbox.h"
#include "plugin/process.h"

enum { CANARY_IMAGES_MAX = 8 };

/* Written by the child, read by the parent after the pull it is about. */
struct canary_seen {
    unsigned int manifests; /* GET and HEAD of the manifest, by whomever */
    unsigned int blobs;     /* GET of configuration or layer */
};

struct canary_registry {
    struct canary_image images[CANARY_IMAGES_MAX];
    size_t count;
    uint16_t port;
    int fd;                            /* -1 = none */
    struct child child;
    struct canary_seen *seen; /* shared memory, one per image */
};
void canary_registry_done(struct canary_registry *registry);

/* Listens on 127.0.0.1; port 0 = a free one. Images are made after it, for the port stands in their names. */
bool canary_registry_listen(struct canary_registry *registry, uint16_t port, struct error *err) MUST_CHECK;
/* Starts to answer, for the images that are there. */
bool canary_registry_serve(struct canary_registry *registry, const struct sandbox *sandbox,
                           struct error *err) MUST_CHECK;

#endif
