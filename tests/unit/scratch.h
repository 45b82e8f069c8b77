/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of a test's own, with files in it, gone at its end: setup and teardown of a check fixture. */
#ifndef PG_TESTS_UNIT_SCRATCH_H
#define PG_TESTS_UNIT_SCRATCH_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static char scratch_root[64];

static inline void scratch_begin(void)
{
    static const char pattern[] = "/tmp/pullguard-test-XXXXXX";

    memcpy(scratch_root, pattern, sizeof(pattern));
    ck_assert(mkdtemp(scratch_root) != NULL);
}

static inline int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void scratch_end(void)
{
    ck_assert_int_eq(nftw(scratch_root, scratch_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The path below the scratch directory, in one of a few buffers used in turn. */
static inline const char *scratch_path(const char *path)
{
    static char paths[4][512];
    static unsigned int next;
    char *text = paths[next++ % 4];

    ck_assert_int_lt(snprintf(text, sizeof(paths[0]), "%s%s", scratch_root, path), (int)sizeof(paths[0]));
    return text;
}

/* Writes a file, with the directories on the way. */
static inline void scratch_put_bytes(const char *path, struct span bytes)
{
    CLEANUP(mem_freep) char *full = mem_strdup(scratch_path(path));
    struct error err = ERROR_INIT;

    ck_assert(full != NULL);
    for (char *slash = strchr(full + strlen(scratch_root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0755);
        *slash = '/';
    }
    ck_assert_msg(file_write_atomic(full, bytes, 0644, false, &err), "%s", err.text);
}

static inline void scratch_put(const char *path, const char *text)
{
    scratch_put_bytes(path, span_str(text));
}

#endif
