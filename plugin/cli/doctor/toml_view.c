/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/doctor/toml_view.h"

#include <glob.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/toml.h"

/* Imports of imports: containerd has no limit of its own; more than this is a loop we did not see. */
enum { TOML_FILES_MAX = 256 };

static void toml_file_done(struct toml_file *file)
{
    mem_free(file->path);
    tree_free(file->tree);
    buf_free(&file->bytes);
    *file = (struct toml_file){ 0 };
}

void toml_view_done(struct toml_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        toml_file_done(&view->files[i]);
    mem_free(view->files);
    *view = (struct toml_view){ 0 };
}

static bool loaded(const struct toml_view *view, const char *path)
{
    for (size_t i = 0; i < view->count; i++)
        if (strcmp(view->files[i].path, path) == 0)
            return true;
    return false;
}

static bool add_file(struct toml_view *view, const char *path, struct error *err)
{
    CLEANUP(toml_file_done) struct toml_file file = { 0 };

    if (loaded(view, path))
        return true;
    if (!file_read(path, LIMIT_SETTINGS_BYTES, FILE_ANY, &file.bytes, err) ||
        !toml_parse(buf_as_span(&file.bytes), path, &file.tree, err))
        return false;
    if (!node_int(node_get(tree_root(file.tree), "version"), false, &file.version))
        file.version = 0;
    file.path = mem_strdup(path);
    if (file.path == NULL ||
        !mem_grow(&view->files, &view->capacity, view->count, sizeof(*view->files), TOML_FILES_MAX))
        return error_set(err, REASON_LIMIT, "%s: more than %d imported files", path, TOML_FILES_MAX);
    view->files[view->count++] = file;
    file = (struct toml_file){ 0 };
    return true;
}

/* Takes "." and ".." out of an absolute path, by its text alone (Go's filepath.Clean, which containerd uses). */
static void clean_path(char *path)
{
    char *to = path;

    for (const char *from = path; *from != '\0';) {
        size_t len;

        from += strspn(from, "/");
        len = strcspn(from, "/");
        if (len == 2 && from[0] == '.' && from[1] == '.') {
            while (to > path && *--to != '/')
                continue;
        } else if (len > 0 && !(len == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, len);
            to += len;
        }
        from += len;
    }
    *to = '\0';
}

/* An import is absolute or relative to the file that names it; '*' makes it a pattern. */
static char *import_path(const char *root, const char *parent, struct span import)
{
    const char *slash = strrchr(parent, '/');
    CLEANUP(mem_freep) char *text = span_dup(import);

    if (text == NULL)
        return NULL;
    if (text[0] == '/')
        return path_under(root, text);
    return mem_printf("%.*s/%s", slash != NULL ? (int)(slash - parent) : 1, slash != NULL ? parent : ".", text);
}

static bool add_import(struct toml_view *view, const char *path, struct error *err)
{
    glob_t found = { 0 };
    bool good = true;

    if (strchr(path, '*') == NULL)
        return add_file(view, path, err);
    if (glob(path, GLOB_NOESCAPE, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && good; i++)
            good = add_file(view, found.gl_pathv[i], err);
    globfree(&found);
    return good;
}

bool toml_view_load(const char *root, const char *path, struct toml_view *ret, struct error *err)
{
    CLEANUP(toml_view_done) struct toml_view view = { 0 };

    if (!add_file(&view, path, err))
        return false;
    /* Breadth first, as containerd: the list grows while it is walked. */
    for (size_t i = 0; i < view.count; i++) {
        const struct node *imports = node_get(tree_root(view.files[i].tree), "imports");

        for (const struct node *one = node_is(imports, NODE_LIST) ? imports->child : NULL; one != NULL;
             one = one->next) {
            CLEANUP(mem_freep) char *import = import_path(root, view.files[i].path, one->text);

            if (import == NULL)
                return error_oom(err);
            if (import[0] == '/')
                clean_path(import);
            if (!add_import(&view, import, err))
                return error_wrap(err, "imported by %s", view.files[i].path);
        }
    }
    *ret = view;
    view = (struct toml_view){ 0 };
    return true;
}

static const struct node *file_get(const struct toml_file *file, const struct toml_key *key)
{
    const char *const *path = file->version >= 3 ? key->v3 : key->v2;
    const struct node *node = tree_root(file->tree);

    if (path[0] == NULL)
        return NULL;
    for (size_t i = 0; i < TOML_PATH_MAX && path[i] != NULL; i++)
        node = node_get(node, path[i]);
    return node;
}

const struct node *toml_view_get(const struct toml_view *view, const struct toml_key *key,
                                 const struct toml_file **ret_file)
{
    for (size_t i = view->count; i-- > 0;) {
        const struct node *node = file_get(&view->files[i], key);

        if (node == NULL)
            continue;
        if (ret_file != NULL)
            *ret_file = &view->files[i];
        return node;
    }
    return NULL;
}

bool toml_view_list_has(const struct toml_view *view, const char *name, const char *text)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct node *list = node_get(tree_root(view->files[i].tree), name);

        for (const struct node *item = node_is(list, NODE_LIST) ? list->child : NULL; item != NULL; item = item->next)
            if (node_str_is(item, text))
                return true;
    }
    return false;
}

const struct toml_file *toml_view_has_table(const struct toml_view *view, const struct toml_key *key)
{
    for (size_t i = view->count; i-- > 0;) {
        const struct node *node = file_get(&view->files[i], key);

        if (node_is(node, NODE_MAP) && node->count > 0)
            return &view->files[i];
    }
    return NULL;
}
