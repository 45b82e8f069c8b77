/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which image is a container made of? Answered from the runtime's own records: containers storage (CRI-O, podman,
 * buildah share its format): container id -> image id -> manifest digest and names; or containerd's metadata. No
 * annotation is believed: a pod can write most of them, and on the sandbox container they even replace CRI-O's own
 * values.
 *
 * Pure functions over bytes; the engine reads the files and runs this where nothing else is in reach.
 * Format: containers storage, images.json and containers.json (lists of records; unknown members are many and allowed).
 */
#ifndef PG_PLUGIN_START_IDENTIFY_H
#define PG_PLUGIN_START_IDENTIFY_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"

/* One containers storage: <root>/<driver>-images/images.json and
 * <root>/<driver>-containers/{,volatile-}containers.json. */
struct storage_files {
    struct span images;
    struct span containers;          /* empty when there is none */
    struct span volatile_containers; /* `podman run --rm`; empty when there is none */
};

struct start_identity {
    char *image_id;  /* storage's image id (the config digest's hex) */
    char *digest;    /* manifest digest that was pulled, "sha256:..."; NULL for an image that never had a manifest */
    char *reference; /* the name to decide under; NULL when the image has none */
    struct names others; /* further names, any of which may be the one it was created under */
};

enum { START_NAMES_MAX = 64 };

/*
 * NOT_FOUND: no such container here, or its image record is gone. MALFORMED: files that do not follow the format.
 * The name is the one the container was created under when the image record still carries it, else the image's only
 * name, else the first of several with the others beside it: CRI-O notes an id where the kubelet gave one. LIMIT: more
 * than START_NAMES_MAX.
 */
bool identify_container(const struct storage_files *files, const char *container_id, struct start_identity *ret,
                        struct error *err) MUST_CHECK;

/*
 * The same from containerd's metadata database (plugin/start/boltdb.h): `database` is the file's bytes, namespace is
 * containerd's ("k8s.io" for CRI). With a name, that image's digest; with name NULL, the name in the container's
 * record. When CRI noted which image the container was made from, image_id is that ("sha256:<config digest>") and the
 * digest is its, whatever image the name leads to by now; otherwise image_id stays NULL. container_id may be NULL.
 * NOT_FOUND when the container or the image is not recorded; MALFORMED.
 */
bool identify_containerd(struct span database, const char *namespace, const char *container_id, const char *name,
                         struct start_identity *ret, struct error *err) MUST_CHECK;

void start_identity_done(struct start_identity *identity);

#endif
