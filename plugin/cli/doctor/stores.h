/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers-registries.d(5): where the image library looks for signatures. Its files are merged; each scope may stand
 * once.
 */
#ifndef PG_PLUGIN_CLI_DOCTOR_STORES_H
#define PG_PLUGIN_CLI_DOCTOR_STORES_H

#include "base/error.h"
#include "base/file.h"
#include "base/tree.h"

struct store {
    char *scope;     /* "" = default-docker */
    char *lookaside; /* NULL = the scope says nothing about it */
    char *path;      /* file */
};
struct stores {
    struct store *items;
    size_t count, capacity;
    struct names broken; /* sentences: files that cannot be read */
};
void stores_done(struct stores *stores);

/* Every file of the node. No directory = no stores. */
bool stores_load(const char *root, struct stores *ret, struct error *err) MUST_CHECK;
/* The sections of one file. */
bool stores_read(const char *path, const struct node *tree, struct stores *ret, struct error *err) MUST_CHECK;

#endif
