/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/names.h"

#include <string.h>

#include "base/mem.h"
#include "verifier/ref.h"

static const char hub[] = "index.docker.io";

static bool names_add(struct image_names *names, char *name)
{
    if (name == NULL)
        return false;
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            mem_free(name);
            return true;
        }
    }
    names->items[names->count++] = name;
    return true;
}

/* The up to four forms under one host name. */
static bool names_add_forms(struct image_names *names, const char *host, const struct policy_image *image)
{
    char digest[DIGEST_TEXT_BYTES];
    bool known = image->digest.alg != DIGEST_NONE;
    const char *path = image->repository;
    const char *tag = image->tag;

    if (known)
        digest_format(&image->digest, digest);
    if (tag != NULL && !names_add(names, mem_printf("%s/%s:%s", host, path, tag)))
        return false;
    if (known && !names_add(names, mem_printf("%s/%s@%s", host, path, digest)))
        return false;
    if (tag != NULL && known && !names_add(names, mem_printf("%s/%s:%s@%s", host, path, tag, digest)))
        return false;
    return names_add(names, mem_printf("%s/%s", host, path));
}

bool image_names_init(struct image_names *names, const struct policy_image *image, struct error *err)
{
    *names = (struct image_names){0};
    if (image->host == NULL || image->repository == NULL)
        return error_set(err, REASON_BAD_REQUEST, "the image has no name");
    if (!names_add_forms(names, image->host, image) ||
        (strcmp(image->host, hub) == 0 && !names_add_forms(names, "docker.io", image)) ||
        (image->written != NULL && !names_add(names, mem_strdup(image->written)))) {
        image_names_done(names);
        return error_oom(err);
    }
    return true;
}

void image_names_done(struct image_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i]);
    *names = (struct image_names){0};
}

char *repository_canonical(struct span written, struct error *err)
{
    struct ref ref CLEANUP(ref_done) = {0};

    if (!ref_parse_repository(written, &ref, err))
        return NULL;
    return TAKE_PTR(ref.name);
}
