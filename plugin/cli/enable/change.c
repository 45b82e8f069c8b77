/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/enable/change.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

enum { LINK_MAX_BYTES = 4096 };

void file_state_done(struct file_state *state)
{
    buf_free(&state->content);
    *state = (struct file_state){ 0 };
}

static bool read_link(const char *full, struct file_state *state, struct error *err)
{
    char target[LINK_MAX_BYTES];
    ssize_t len = readlink(full, target, sizeof(target));

    if (len < 0 || (size_t)len == sizeof(target))
        return error_errno(err, REASON_IO, len < 0 ? errno : ENAMETOOLONG, "%s", full);
    state->content = (struct buf)BUF_INIT(sizeof(target));
    buf_append(&state->content, target, (size_t)len);
    return buf_ok(&state->content) || error_oom(err);
}

bool file_state_read(const char *full, struct file_state *ret, struct error *err)
{
    CLEANUP(file_state_done) struct file_state state = { 0 };
    struct stat status;

    if (lstat(full, &status) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return error_errno(err, REASON_IO, errno, "%s", full);
    } else {
        state.mode = status.st_mode & 07777;
        state.uid = status.st_uid;
        state.gid = status.st_gid;
        if (S_ISLNK(status.st_mode)) {
            state.kind = FILE_LINK;
            if (!read_link(full, &state, err))
                return false;
        } else if (S_ISREG(status.st_mode)) {
            state.kind = FILE_REGULAR;
            if (!file_read(full, CHANGE_FILE_MAX_BYTES, FILE_ANY, &state.content, err))
                return false;
        } else {
            state.kind = FILE_OTHER;
        }
    }
    *ret = state;
    state = (struct file_state){ 0 };
    return true;
}

bool file_state_same(const struct file_state *a, const struct file_state *b)
{
    return a->kind == b->kind && span_eq(buf_as_span(&a->content), buf_as_span(&b->content));
}

void changes_done(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        mem_free(changes->items[i].path);
        file_state_done(&changes->items[i].wanted);
        file_state_done(&changes->items[i].before);
    }
    changes->count = 0;
}

static bool add(struct changes *changes, const char *path, enum file_kind kind, mode_t mode, const char *content,
                struct error *err)
{
    struct change *change = &changes->items[changes->count];

    if (changes->count == CHANGES_MAX)
        return error_set(err, REASON_LIMIT, "more than %d files to change", CHANGES_MAX);
    change->path = mem_strdup(path);
    change->wanted = (struct file_state){ .kind = kind, .mode = mode, .content = BUF_INIT(CHANGE_FILE_MAX_BYTES) };
    change->before = (struct file_state){ 0 };
    changes->count++;
    buf_str(&change->wanted.content, content);
    if (change->path == NULL || !buf_ok(&change->wanted.content))
        return error_oom(err);
    return true;
}

bool changes_add_file(struct changes *changes, const char *path, const char *content, struct error *err)
{
    return add(changes, path, FILE_REGULAR, 0644, content, err);
}

bool changes_add_link(struct changes *changes, const char *path, const char *target, struct error *err)
{
    return add(changes, path, FILE_LINK, 0777, target, err);
}

bool changes_compare(struct changes *changes, size_t *ret_different, struct error *err)
{
    size_t different = 0;

    for (size_t i = 0; i < changes->count; i++) {
        struct change *change = &changes->items[i];
        CLEANUP(mem_freep) char *full = path_under(changes->root, change->path);

        if (full == NULL)
            return error_oom(err);
        if (!file_state_read(full, &change->before, err))
            return false;
        if (change->before.kind == FILE_OTHER)
            return error_set(err, REASON_IO, "%s is neither a file nor a link: not replaced", full);
        different += !file_state_same(&change->before, &change->wanted);
    }
    *ret_different = different;
    return true;
}

/*
 * The new link is made in the directory above and renamed into place: containerd runs whatever it sees in its verifier
 * directory, a half-made name included.
 */
static bool apply_link(const char *full, const char *target, struct error *err)
{
    const char *slash = strrchr(full, '/');
    CLEANUP(mem_freep) char *parent = mem_dup(full, (size_t)(slash - full));
    CLEANUP(mem_freep) char *temporary = NULL;

    if (parent == NULL)
        return error_oom(err);
    slash = strrchr(parent, '/');
    temporary = mem_printf("%.*s/.pullguard-link.%d", slash != NULL ? (int)(slash - parent) : 0, parent, (int)getpid());
    if (temporary == NULL)
        return error_oom(err);
    if (unlink(temporary) != 0 && errno != ENOENT)
        return error_errno(err, REASON_IO, errno, "%s", temporary);
    if (symlink(target, temporary) != 0)
        return error_errno(err, REASON_IO, errno, "%s", temporary);
    if (rename(temporary, full) != 0) {
        int error = errno;

        unlink(temporary);
        return error_errno(err, REASON_IO, error, "%s", full);
    }
    return true;
}

bool change_apply(const char *root, const char *path, const struct file_state *wanted, struct error *err)
{
    CLEANUP(mem_freep) char *full = path_under(root, path);

    if (full == NULL)
        return error_oom(err);
    if (wanted->kind == FILE_LINK)
        return apply_link(full, buf_cstr(&wanted->content), err);
    if (wanted->kind == FILE_ABSENT) {
        if (unlink(full) != 0 && errno != ENOENT)
            return error_errno(err, REASON_IO, errno, "%s", full);
        return true;
    }
    return file_write_atomic(full, buf_as_span(&wanted->content), (unsigned int)wanted->mode, true, err);
}

static void sweep_directory(const char *directory, const char *prefix)
{
    DIR *list = opendir(directory);
    const struct dirent *entry;

    while (list != NULL && (entry = readdir(list)) != NULL) {
        CLEANUP(mem_freep) char *path = NULL;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        path = mem_printf("%s/%s", directory, entry->d_name);
        if (path != NULL)
            (void)unlink(path);
    }
    if (list != NULL)
        closedir(list);
}

void change_sweep(const char *root, const char *path)
{
    CLEANUP(mem_freep) char *full = path_under(root, path);
    char *slash = full != NULL ? strrchr(full, '/') : NULL;
    CLEANUP(mem_freep) char *file = slash != NULL ? mem_printf(".%s.", slash + 1) : NULL; /* file_write_atomic's */

    if (file == NULL)
        return;
    *slash = '\0';
    sweep_directory(full, file);
    slash = strrchr(full, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    sweep_directory(full, ".pullguard-link."); /* apply_link's */
}
