/* SPDX-License-Identifier: Apache-2.0 */
/* Reading files whole, with limits and, for files that decide, with an ownership check. */
#ifndef PG_BASE_FILE_H
#define PG_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"

enum file_trust {
    FILE_ANY,     /* no check */
    FILE_TRUSTED, /* regular file and every directory above it: owned by root or by our effective user, not writable
                     by group or others (a sticky directory such as /tmp counts as safe for what root or we own) */
};

/*
 * Reads the regular file at path (symbolic links followed; every directory of the resolved path is checked when
 * trusted). ret gets a buffer the caller frees; at most max bytes.
 * Errors: NOT_FOUND, IO, LIMIT, UNTRUSTED_FILE; each names the path.
 */
bool file_read(const char *path, size_t max, enum file_trust trust, struct buf *ret, struct error *err) MUST_CHECK;

/* Checks a file or directory without reading it. */
bool file_check_trusted(const char *path, struct error *err) MUST_CHECK;

/*
 * Names in a directory ending in one of the suffixes (NULL-terminated list; NULL = all), sorted by bytes, without
 * dot files. NOT_FOUND when the directory is missing. Free with names_free.
 */
struct names {
    char **items;
    size_t count;
    size_t capacity;
};
bool dir_list(const char *path, const char *const *suffixes, struct names *ret, struct error *err) MUST_CHECK;
bool names_add(struct names *names, const char *name) MUST_CHECK;
void names_free(struct names *names);

/* root + path ("" or NULL root = path alone) as a new string; the one place where --root is applied. */
char *path_under(const char *root, const char *path) MUST_CHECK;

/* Writes to a temporary name beside path and renames; mode as given; syncs when durable. */
bool file_write_atomic(const char *path, struct span bytes, unsigned int mode, bool durable,
                       struct error *err) MUST_CHECK;

/* Makes the directories above path that are missing, for everybody to read. Their owner's umask counts. */
bool file_make_above(const char *path, struct error *err) MUST_CHECK;

/* Whole reads and writes on descriptors, retrying EINTR. read_full: false on error or early end. */
bool fd_write_all(int fd, const void *bytes, size_t len) MUST_CHECK;
/* Appends what comes until the end. false: errno says why; EFBIG when it is more than ret may hold. */
bool fd_read_all(int fd, struct buf *ret) MUST_CHECK;

#endif
