/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"

enum {
    SYMLINKS_FOLLOWED = 40, /* the kernel's own limit, path_resolution(7) */
    PATH_SHOWN = 200,       /* bytes of a path in a message */
};

static enum reason reason_of(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR ? REASON_NOT_FOUND : REASON_IO;
}

static bool fail_path(struct error *err, enum reason reason, int errnum, const char *path)
{
    char shown[PATH_SHOWN];

    return error_errno(err, reason, errnum, "%s", text_clean(span_str(path), shown, sizeof(shown)));
}

static bool is_ours(uid_t owner)
{
    return owner == 0 || owner == geteuid();
}

/* The rule of FILE_TRUSTED for one thing on the way. */
static bool check_stat(const struct stat *st, const char *name, const char *path, struct error *err)
{
    char shown[PATH_SHOWN], part[PATH_SHOWN];
    bool writable = !S_ISLNK(st->st_mode) && (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;

    if (is_ours(st->st_uid) && (!writable || sticky))
        return true;
    (void)text_clean(span_str(path), shown, sizeof(shown));
    (void)text_clean(span_str(name), part, sizeof(part));
    if (!is_ours(st->st_uid))
        return error_set(err, REASON_UNTRUSTED_FILE, "%s: \"%s\" belongs to user %u, wanted root%s", shown, part,
                         (unsigned int)st->st_uid, geteuid() == 0 ? "" : " or this user");
    return error_set(err, REASON_UNTRUSTED_FILE, "%s: \"%s\" is writable by group or others (mode %04o)", shown, part,
                     (unsigned int)(st->st_mode & 07777));
}

/*
 * A walk along a path, one name after the other and through symbolic links, in which each directory, link and the end
 * itself is checked: whoever may write to any of them could choose the bytes. What is opened is what was checked.
 */
struct walk {
    const char *path; /* as given, for messages */
    char *rest;       /* owned: the names still to go, relative to dir */
    int dir;          /* where we are */
    unsigned int links;
};

static void walk_done(struct walk *walk)
{
    mem_free(walk->rest);
    fd_closep(&walk->dir);
}

static bool walk_enter_root(struct walk *walk, struct error *err)
{
    struct stat st;

    fd_closep(&walk->dir);
    walk->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (walk->dir < 0 || fstat(walk->dir, &st) != 0)
        return fail_path(err, REASON_IO, errno, "/");
    return check_stat(&st, "/", walk->path, err);
}

static bool walk_begin(struct walk *walk, struct error *err)
{
    CLEANUP(mem_freep) char *here = NULL;

    if (walk->path[0] == '/') {
        walk->rest = mem_strdup(walk->path);
    } else {
        here = getcwd(NULL, 0);
        if (!here)
            return fail_path(err, REASON_IO, errno, walk->path);
        walk->rest = mem_printf("%s/%s", here, walk->path);
    }
    return walk->rest ? walk_enter_root(walk, err) : error_oom(err);
}

/* The next name; the empty string at the end. */
static void walk_next_name(struct walk *walk, char name[NAME_MAX + 1], bool *ret_fits)
{
    const char *from = walk->rest;
    size_t len;

    while (*from == '/')
        from++;
    len = strcspn(from, "/");
    *ret_fits = len <= NAME_MAX;
    if (!*ret_fits)
        return;
    memcpy(name, from, len);
    name[len] = '\0';
    memmove(walk->rest, from + len, strlen(from + len) + 1);
}

/* Puts the link's target in front of what is left. */
static bool walk_follow(struct walk *walk, int link, struct error *err)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);
    char *rest;

    if (len < 0)
        return fail_path(err, REASON_IO, errno, walk->path);
    if (++walk->links > SYMLINKS_FOLLOWED)
        return fail_path(err, REASON_IO, ELOOP, walk->path);
    target[len] = '\0';
    /* No slash behind a link that ends the path: "file/" is not a file. */
    rest = walk->rest[0] != '\0' ? mem_printf("%s/%s", target, walk->rest) : mem_strdup(target);
    if (!rest)
        return error_oom(err);
    mem_free(walk->rest);
    walk->rest = rest;
    return target[0] == '/' ? walk_enter_root(walk, err) : true;
}

/* Walks to the end. ret_end gets an O_PATH descriptor of the directory, or of the file, that the path names. */
static bool walk_path(const char *path, int *ret_end, struct stat *ret_stat, struct error *err)
{
    CLEANUP(walk_done) struct walk walk = {.path = path, .rest = NULL, .dir = -1, .links = 0};

    if (!walk_begin(&walk, err))
        return false;
    for (;;) {
        CLEANUP(fd_closep) int fd = -1;
        char name[NAME_MAX + 1];
        struct stat st;
        bool fits;

        walk_next_name(&walk, name, &fits);
        if (!fits)
            return fail_path(err, REASON_IO, ENAMETOOLONG, path);
        fd = openat(walk.dir, name[0] != '\0' ? name : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) != 0)
            return fail_path(err, reason_of(errno), errno, path);
        if (!check_stat(&st, name[0] != '\0' ? name : path, path, err))
            return false;
        if (name[0] == '\0' || (!S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode) && walk.rest[0] == '\0')) {
            *ret_end = TAKE_FD(fd);
            *ret_stat = st;
            return true;
        }
        if (S_ISLNK(st.st_mode)) {
            if (!walk_follow(&walk, fd, err))
                return false;
        } else if (S_ISDIR(st.st_mode)) {
            fd_closep(&walk.dir);
            walk.dir = TAKE_FD(fd);
        } else {
            return fail_path(err, REASON_NOT_FOUND, ENOTDIR, path);
        }
    }
}

bool file_check_trusted(const char *path, struct error *err)
{
    CLEANUP(fd_closep) int end = -1;
    struct stat st;

    return walk_path(path, &end, &st, err);
}

/* Opens for reading what `end` stands for; by its own path and compared, since /proc may not be mounted. */
static bool open_checked(const char *path, struct stat *ret_stat, int *ret_fd, struct error *err)
{
    CLEANUP(fd_closep) int end = -1;
    CLEANUP(fd_closep) int fd = -1;
    struct stat checked, st;

    if (!walk_path(path, &end, &checked, err))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail_path(err, reason_of(errno), errno, path);
    /* Holding `end` keeps its inode number from being given to another file. */
    if (st.st_dev != checked.st_dev || st.st_ino != checked.st_ino)
        return error_set(err, REASON_UNTRUSTED_FILE, "%s: was exchanged while it was being opened", path);
    *ret_stat = st;
    *ret_fd = TAKE_FD(fd);
    return true;
}

static bool open_any(const char *path, struct stat *ret_stat, int *ret_fd, struct error *err)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || fstat(fd, ret_stat) != 0)
        return fail_path(err, reason_of(errno), errno, path);
    *ret_fd = TAKE_FD(fd);
    return true;
}

static bool fail_size(struct error *err, const char *path, size_t max)
{
    char shown[PATH_SHOWN];

    return error_set(err, REASON_LIMIT, "%s: more than %zu bytes", text_clean(span_str(path), shown, sizeof(shown)),
                     max);
}

bool fd_read_all(int fd, struct buf *ret)
{
    uint8_t chunk[8192];
    ssize_t got;
    int problem = 0;

    while (problem == 0 && (got = read(fd, chunk, sizeof(chunk))) != 0) {
        if (got < 0) {
            problem = errno == EINTR ? 0 : errno;
            continue;
        }
        if ((size_t)got > ret->max - ret->len) {
            problem = EFBIG;
            continue;
        }
        buf_append(ret, chunk, (size_t)got);
        if (!buf_ok(ret))
            problem = ENOMEM;
    }
    explicit_bzero(chunk, sizeof(chunk));
    errno = problem;
    return problem == 0;
}

/* To the end, whatever the size said: the file may grow while it is read. */
static bool read_all(int fd, const char *path, size_t max, struct buf *ret, struct error *err)
{
    if (fd_read_all(fd, ret))
        return true;
    if (errno == EFBIG)
        return fail_size(err, path, max);
    return errno == ENOMEM ? error_oom(err) : fail_path(err, REASON_IO, errno, path);
}

bool file_read(const char *path, size_t max, enum file_trust trust, struct buf *ret, struct error *err)
{
    CLEANUP(buf_wipe) struct buf content = BUF_INIT(max);
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;
    char shown[PATH_SHOWN];

    if (!(trust == FILE_TRUSTED ? open_checked(path, &st, &fd, err) : open_any(path, &st, &fd, err)))
        return false;
    if (!S_ISREG(st.st_mode))
        return error_set(err, REASON_IO, "%s: not a regular file", text_clean(span_str(path), shown, sizeof(shown)));
    if (st.st_size > 0 && (uintmax_t)st.st_size > max)
        return fail_size(err, path, max);
    /* Room at once for what the file says to hold; the content decides all the same. */
    if (!buf_reserve(&content, st.st_size > 0 ? (size_t)st.st_size : 0))
        return error_oom(err);
    buf_clear(&content);
    if (!read_all(fd, path, max, &content, err))
        return false;
    *ret = content;
    content = (struct buf)BUF_INIT(0);
    return true;
}

bool names_add(struct names *names, const char *name)
{
    char *copy;

    if (!mem_grow(&names->items, &names->capacity, names->count, sizeof(*names->items), LIMIT_POLICY_FILES))
        return false;
    copy = mem_strdup(name);
    if (!copy)
        return false;
    names->items[names->count++] = copy;
    return true;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i]);
    mem_free(names->items);
    *names = (struct names){0};
}

static bool is_listed(const char *name, const char *const *suffixes)
{
    if (name[0] == '.')
        return false;
    for (size_t i = 0; suffixes && suffixes[i]; i++)
        if (span_ends(span_str(name), suffixes[i]))
            return true;
    return !suffixes;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

static void dir_closep(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

bool dir_list(const char *path, const char *const *suffixes, struct names *ret, struct error *err)
{
    CLEANUP(names_free) struct names found = {0};
    CLEANUP(dir_closep) DIR *dir = opendir(path);
    const struct dirent *entry;
    char shown[PATH_SHOWN];

    if (!dir)
        return fail_path(err, reason_of(errno), errno, path);
    for (;;) {
        errno = 0; /* readdir tells an error from the end only by errno */
        entry = readdir(dir);
        if (!entry)
            break;
        if (!is_listed(entry->d_name, suffixes))
            continue;
        if (found.count >= LIMIT_POLICY_FILES)
            return error_set(err, REASON_LIMIT, "%s: more than %d files",
                             text_clean(span_str(path), shown, sizeof(shown)), LIMIT_POLICY_FILES);
        if (!names_add(&found, entry->d_name))
            return error_oom(err);
    }
    if (errno != 0)
        return fail_path(err, REASON_IO, errno, path);
    if (found.count > 1)
        qsort(found.items, found.count, sizeof(*found.items), compare_names);
    *ret = found;
    found = (struct names){0};
    return true;
}

char *path_under(const char *root, const char *path)
{
    size_t len = root ? strlen(root) : 0;

    if (len == 0)
        return mem_strdup(path);
    while (len > 0 && root[len - 1] == '/')
        len--;
    return mem_printf("%.*s%s%s", (int)len, root, path[0] == '/' ? "" : "/", path);
}

bool fd_write_all(int fd, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;

    while (len > 0) {
        ssize_t done = write(fd, from, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        from += done;
        len -= (size_t)done;
    }
    return true;
}

static bool sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(mem_freep) char *dir = NULL;
    CLEANUP(fd_closep) int fd = -1;

    dir = !slash ? mem_strdup(".") : mem_dup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!dir)
        return false;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

static bool write_and_rename(int fd, const char *temporary, const char *path, struct span bytes, unsigned int mode,
                             bool durable)
{
    return fchmod(fd, (mode_t)mode) == 0 && fd_write_all(fd, bytes.ptr, bytes.len) && (!durable || fsync(fd) == 0) &&
           rename(temporary, path) == 0;
}

bool file_write_atomic(const char *path, struct span bytes, unsigned int mode, bool durable, struct error *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    CLEANUP(mem_freep) char *temporary = NULL;
    CLEANUP(fd_closep) int fd = -1;

    /* A dot file: whoever lists the directory meanwhile does not see it. */
    temporary = mem_printf("%.*s.%s.XXXXXX", (int)(base - path), path, base);
    if (!temporary)
        return error_oom(err);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fail_path(err, reason_of(errno), errno, path);
    if (!write_and_rename(fd, temporary, path, bytes, mode, durable)) {
        int errnum = errno;

        (void)unlink(temporary);
        return fail_path(err, REASON_IO, errnum, path);
    }
    if (durable && !sync_directory(path))
        return fail_path(err, REASON_IO, errno, path);
    return true;
}

bool file_make_above(const char *path, struct error *err)
{
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        CLEANUP(mem_freep) char *part = mem_dup(path, (size_t)(slash - path));

        if (!part)
            return error_oom(err);
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return fail_path(err, REASON_IO, errno, part);
    }
    return true;
}
