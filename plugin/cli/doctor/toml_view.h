/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's configuration as containerd sees it: the main file and what it imports, later files over earlier ones,
 * tables merged, each file read by its own version's names (cmd/containerd/server/config of containerd 2).
 */
#ifndef PG_PLUGIN_CLI_DOCTOR_TOML_VIEW_H
#define PG_PLUGIN_CLI_DOCTOR_TOML_VIEW_H

#include "base/buf.h"
#include "base/error.h"
#include "base/tree.h"

struct toml_file {
    char *path;          /* with --root in front */
    struct buf bytes;    /* what the tree borrows from */
    struct tree *tree;
    int64_t version;     /* 0 when not written: containerd takes 1 */
};

struct toml_view {
    struct toml_file *files;
    size_t count, capacity;
};

/* Reads `path` (already below root) and its imports. NOT_FOUND when the main file is missing. */
bool toml_view_load(const char *root, const char *path, struct toml_view *ret, struct error *err) MUST_CHECK;
void toml_view_done(struct toml_view *view);

enum { TOML_PATH_MAX = 6 };
/* A value's place in version 3 and later files and in version 2 files; NULL-terminated; {NULL} = there is none. */
struct toml_key {
    const char *v3[TOML_PATH_MAX];
    const char *v2[TOML_PATH_MAX];
};

/* The value that counts (the last file that has it) and, when ret_file is given, that file. NULL when nobody sets it.
 */
const struct node *toml_view_get(const struct toml_view *view, const struct toml_key *key,
                                 const struct toml_file **ret_file);
/* Does any file's list at that key contain the text (lists at the top level are united)? */
bool toml_view_list_has(const struct toml_view *view, const char *name, const char *text);
/* The last file that has a map with at least one member there; NULL when there is none. */
const struct toml_file *toml_view_has_table(const struct toml_view *view, const struct toml_key *key);

#endif
