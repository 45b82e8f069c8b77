/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/load_keyless.h"

bool load_keyless(struct load *load, const struct path *up, const struct node *node, struct authority *authority)
{
    struct path path = {.up = up, .name = "keyless"};

    (void)authority;
    return load_fail(load, &path, node, "is not handled by this version");
}

bool load_proofs(struct load *load, const struct path *up, const struct node *ctlog, const struct node *timestamp,
                 const struct node *format, struct authority *authority)
{
    const struct node *at = ctlog != NULL ? ctlog : timestamp != NULL ? timestamp : format;

    (void)authority;
    return at == NULL || load_fail(load, up, at, "ctlog, rfc3161timestamp and signatureFormat are not handled by this version");
}

bool load_attestations(struct load *load, const struct path *up, const struct node *list, struct authority *authority)
{
    struct path path = {.up = up, .name = "attestations"};

    (void)authority;
    return load_fail(load, &path, list, "are not handled by this version");
}
